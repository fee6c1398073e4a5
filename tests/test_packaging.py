"""What a user installs: a wheel for one Python or for all, and a working package where no compiler is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from email.parser import Parser
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

pytest.importorskip("Cython", reason="needs Cython, which the test extra brings")

# Everything that a plain install needs, and the licence it comes under.
REQUIRED = {
    "backports.zstd": "PSF-2.0",
    "blake3": "CC0-1.0 OR Apache-2.0",
    "dpkt": "BSD-3-Clause",
    "isal": "PSF-2.0",
    "jinja2": "BSD-3-Clause",
    "lz4": "BSD-3-Clause",
    "msgspec": "BSD-3-Clause",
    "pyshark": "MIT",
    "tabulate": "MIT",
    "typer": "MIT",
}

BUILT_FROM = ("pyproject.toml", "setup.py", "MANIFEST.in", "LICENSE", "README.md", "ctcp_forensics")
BUILT_THINGS = shutil.ignore_patterns("*.so", "*.pyd", "*.c", "__pycache__")

STABLE_ABI = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
HAS_COMPILER = (
    shutil.which(os.environ.get("CC", "gcc")) is not None
    and Path(sysconfig.get_path("include"), "Python.h").exists()
)
needs_compiler = pytest.mark.skipif(not HAS_COMPILER, reason="needs a C compiler and Python's headers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """One built wheel and what the build said."""

    wheel: Path
    said: str

    @property
    def tag(self) -> str:
        return "-".join(self.wheel.stem.split("-")[2:])

    @property
    def warnings(self) -> list[str]:
        return [line.strip() for line in self.said.splitlines() if "WITHOUT its compiled core" in line]

    @property
    def names(self) -> set[str]:
        with zipfile.ZipFile(self.wheel) as archive:
            return set(archive.namelist())

    @property
    def cores(self) -> list[str]:
        return [
            name for name in self.names if re.fullmatch(r"ctcp_forensics/_kernel/core[^/]*\.(so|pyd)", name)
        ]

    def unpacked(self, folder: Path) -> Path:
        with zipfile.ZipFile(self.wheel) as archive:
            archive.extractall(folder)  # noqa: S202  # built a moment ago
        return folder


def copy_of_the_tree(root: Path, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for name in BUILT_FROM:
        if (root / name).is_dir():
            shutil.copytree(root / name, folder / name, ignore=BUILT_THINGS)
        elif (root / name).exists():
            shutil.copy(root / name, folder / name)
    return folder


def without_choices() -> dict[str, str]:
    """The environment, less what this run of the tests was told about the core."""
    return {key: value for key, value in os.environ.items() if not key.startswith("CTCP_")}


def build(tree: Path, **variables: str) -> Built:
    out = Path(tempfile.mkdtemp(prefix="wheel-", dir=tree))
    pip = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-v",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(out),
        ".",
    ]
    run = subprocess.run(
        pip, cwd=tree, env=without_choices() | variables, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    (wheel,) = out.iterdir()
    return Built(wheel=wheel, said=run.stdout + run.stderr)


def kernel_of(installed: Path) -> str:
    """Which kernel a package unpacked there picks, asked of a new interpreter."""
    question = "import ctcp_forensics._kernel as k; print(k.__file__, k.NAME)"
    answer = subprocess.run(
        [sys.executable, "-P", "-c", question],
        cwd=installed,
        env={**without_choices(), "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    path, name = answer.stdout.split()
    assert Path(path).is_relative_to(installed)
    return name


@pytest.fixture(scope="module")
def tree(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_the_tree(root, tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def compiled(tree: Path) -> Built:
    return build(tree)


@pytest.fixture(scope="module")
def without_compiler(tree: Path, compiled: Built) -> Built:
    """Built where a core was built before: nothing of that one may get into it."""
    return build(tree, CC="/nonexistent/cc")


@needs_compiler
def test_a_wheel_is_for_the_python_that_builds_it(compiled: Built) -> None:
    assert compiled.warnings == []
    (core,) = compiled.cores
    assert core.endswith(sysconfig.get_config_var("EXT_SUFFIX"))
    assert "abi3" not in compiled.tag


@needs_compiler
@pytest.mark.skipif(not STABLE_ABI, reason="this Python has no stable C interface")
def test_where_it_is_asked_for_one_wheel_serves_python_3_11_and_later(root: Path, tmp_path: Path) -> None:
    for_all = build(copy_of_the_tree(root, tmp_path / "tree"), CTCP_FORENSICS_ABI3="1")
    assert for_all.warnings == []
    assert for_all.tag.startswith("cp311-abi3-")
    (core,) = for_all.cores
    assert ".abi3." in core
    assert kernel_of(for_all.unpacked(tmp_path / "unpacked")) == "compiled"


@needs_compiler
def test_the_wheel_runs_on_its_compiled_core(compiled: Built, tmp_path: Path) -> None:
    assert kernel_of(compiled.unpacked(tmp_path)) == "compiled"


def pages_of(folder: Path) -> set[str]:
    """Everything that a page is made of, down to the licence of its chart library."""
    root = Path(__file__).parent.parent
    files = [
        path for path in (root / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    return {str(path.relative_to(root)) for path in files}


def test_the_wheel_carries_its_types_and_schema_and_none_of_the_source_of_the_core(
    without_compiler: Built,
) -> None:
    assert {"ctcp_forensics/py.typed", "ctcp_forensics/report.schema.json"} <= without_compiler.names
    assert pages_of(Path("ctcp_forensics/render/page")) <= without_compiler.names
    assert not [name for name in without_compiler.names if name.endswith((".pyx", ".pxi", ".c"))]
    assert not [name for name in without_compiler.names if name.startswith(("tests", "benchmarks"))]


def test_without_a_compiler_the_build_succeeds_and_says_what_is_missing(
    without_compiler: Built, tmp_path: Path
) -> None:
    assert without_compiler.cores == []
    assert without_compiler.tag == "py3-none-any"
    (warning,) = without_compiler.warnings
    assert "gcc python3-dev" in warning
    assert kernel_of(without_compiler.unpacked(tmp_path)) == "plain"


def test_a_pure_build_is_asked_for_by_a_variable_and_is_no_warning(root: Path, tmp_path: Path) -> None:
    pure = build(copy_of_the_tree(root, tmp_path), CTCP_FORENSICS_PURE="1")
    assert (pure.cores, pure.tag) == ([], "py3-none-any")
    assert pure.warnings == []


@needs_compiler
def test_the_core_compiles_with_every_check_on(root: Path, tmp_path: Path) -> None:
    checked = build(copy_of_the_tree(root, tmp_path / "tree"), CTCP_FORENSICS_BOUNDSCHECK="1")
    assert checked.warnings == []
    assert kernel_of(checked.unpacked(tmp_path / "unpacked")) == "compiled"


READS_ONE_BYTE = "def at(const unsigned char[:] data, Py_ssize_t index):\n    return data[index]\n"


@needs_compiler
@pytest.mark.parametrize(("index", "answer"), [("2", "99"), ("3", "IndexError"), ("-1", "IndexError")])
def test_with_bounds_checks_a_read_outside_is_refused(
    tiny_checked_core: Path, index: str, answer: str
) -> None:
    question = (
        "from ctcp_forensics._kernel.core import at\n"
        f"try: print(at(b'abc', {index}))\n"
        "except Exception as error: print(type(error).__name__)"
    )
    run = subprocess.run(
        [sys.executable, "-P", "-c", question],
        env={**os.environ, "PYTHONPATH": str(tiny_checked_core), "CTCP_DIAG_KERNEL": "plain"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == answer


@pytest.fixture(scope="module")
def tiny_checked_core(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package with a core of two lines, built with CTCP_FORENSICS_BOUNDSCHECK=1."""
    tree = copy_of_the_tree(root, tmp_path_factory.mktemp("checked"))
    (tree / "ctcp_forensics/_kernel/core.pyx").write_text(READS_ONE_BYTE, encoding="utf-8")
    built = build(tree, CTCP_FORENSICS_BOUNDSCHECK="1")
    return built.unpacked(tree / "unpacked")


SETS_A_CHECK = re.compile(r"\b(boundscheck|wraparound|initializedcheck|nonecheck|cdivision)\b")


def test_the_core_leaves_its_checks_to_setup_py_since_a_header_would_win(root: Path) -> None:
    sources = [*root.glob("ctcp_forensics/_kernel/*.pyx"), *root.glob("ctcp_forensics/_kernel/*.pxi")]
    assert sources
    assert [path.name for path in sources if SETS_A_CHECK.search(path.read_text(encoding="utf-8"))] == []


def requirements(distribution: str) -> set[str]:
    """What a plain install of it brings, each by name, in this environment."""
    environment = {"extra": ""}
    wanted = map(Requirement, metadata.requires(distribution) or [])
    return {one.name for one in wanted if one.marker is None or one.marker.evaluate(environment)}


def closure(distributions: set[str]) -> set[str]:
    found: set[str] = set()
    while new := distributions - found:
        found |= new
        distributions = set().union(*map(requirements, new))
    return found


def licence_of(distribution: str) -> str:
    about = metadata.metadata(distribution)
    classifiers = [line for line in about.get_all("Classifier") or [] if line.startswith("License")]
    named = [*(about.get_all("License") or []), *(about.get_all("License-Expression") or [])]
    # Some put the licence's whole text there: its first line names it.
    return " ".join([*(text.strip().partition("\n")[0] for text in named), *classifiers])


def test_a_plain_install_needs_exactly_the_listed_packages(without_compiler: Built) -> None:
    with zipfile.ZipFile(without_compiler.wheel) as archive:
        (path,) = [name for name in without_compiler.names if name.endswith(".dist-info/METADATA")]
        about = Parser().parsestr(archive.read(path).decode())
    wanted = [Requirement(line) for line in about.get_all("Requires-Dist") or []]
    assert {one.name for one in wanted if "extra" not in str(one.marker)} == set(REQUIRED)


def test_nothing_that_a_plain_install_brings_is_under_a_gpl() -> None:
    brought = closure({name for name in REQUIRED if name != "backports.zstd" or sys.version_info < (3, 14)})
    licences = {name: licence_of(name) for name in brought}
    assert not [name for name, licence in licences.items() if "GPL" in licence or not licence], licences


def test_the_source_distribution_can_build_and_test_itself(root: Path, tmp_path: Path) -> None:
    tree = copy_of_the_tree(root, tmp_path / "tree")
    shutil.copytree(root / "tests", tree / "tests", ignore=BUILT_THINGS)
    make = "import setuptools.build_meta as b; print(b.build_sdist('dist'))"
    run = subprocess.run([sys.executable, "-c", make], cwd=tree, capture_output=True, text=True, check=True)
    with tarfile.open(tree / "dist" / run.stdout.split()[-1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"setup.py", "LICENSE", "tests/run", "tests/conftest.py", "ctcp_forensics/py.typed"} <= names
    assert {
        f"ctcp_forensics/_kernel/{path.name}" for path in root.glob("ctcp_forensics/_kernel/*.p[yx][xi]")
    } <= names
