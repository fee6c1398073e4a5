"""The documents tell the truth: their commands run, what they show is what comes out, and what they name is there.

`python -m tests.refresh_docs` writes commands' output, tables and the picture anew.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from ctcp_forensics.report import VERDICT_WORDS
from tests import refresh_docs
from tests.bounds import CAPS
from tests.console_blocks import ROOT, Example, Shell, blocks, examples, missing_programs, programs, rewritten
from tests.refresh_docs import DOCUMENTS
from tests.tables_of_docs import TABLES, constants, layers, with_tables

INSTALL = "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/ctcp-diag analyze samples/failure-client.pcap"
TEST = "tests/run"
ALL_DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/**/*.md", "samples/*.md", "benchmarks/*.md", "tests/lab/*.md")
    for path in ROOT.glob(pattern)
)
LINK = re.compile(r"!?\[(?P<says>[^\]]*)\]\((?P<target>[^)\s]+)\)")
CODE = re.compile(r"`(?P<code>[^`\n]+)`")
OUR_FILE = re.compile(
    r"(?:ctcp_forensics|tests|docs|samples|benchmarks)/[\w./-]*|[A-Z]+\.md|pyproject\.toml|setup\.py"
)
CONSTANT = re.compile(r"(?P<name>[A-Z][A-Z0-9_]+) = (?P<value>[\d.,]+(?: \w+)?)")
DOCUMENTED_TSHARK = "4.0"
FRAME = re.compile(r"\bframe (\d+)")
BOUND = re.compile(
    r"(?:MAX|LIVE|LONGEST)_.*|.*_(?:CAP|KEPT|AT_A_GLANCE|MEMORY|AHEAD|PER_BATCH|READY)|AT_ONCE"
)
NOT_A_BOUND = {
    "MAX_INTERFACE_INDEX",  # tells variants of pcap apart
    "MAX_PACKET_TYPE",  # likewise
    "MAX_SCALE",  # of a window, RFC 7323 §2.3
}


@functools.cache
def is_the_documents_tshark() -> bool:
    """Labels and counts of tshark differ between its versions."""
    said = subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=True).stdout
    return f" {DOCUMENTED_TSHARK}." in said.splitlines()[0]


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def prose_of(document: str) -> str:
    """Without fenced blocks and generated tables."""
    without = re.sub(r"^```.*?^```$", "", text_of(document), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"<!-- generated: .*?<!-- end -->", "", without, flags=re.DOTALL)


SHOWN = [
    pytest.param(example, id=f"{document}-{number}")
    for document in DOCUMENTS
    for number, example in enumerate(examples(text_of(document)), start=1)
]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(tmp_path_factory.mktemp("reader"))


# --- what is shown is what comes out ---------------------------------------------------------


@pytest.mark.parametrize("example", SHOWN)
def test_a_command_prints_what_the_document_shows(example: Example, shell: Shell) -> None:
    missing = missing_programs(example.command)
    if missing:
        pytest.skip(f"the documents' commands need {', '.join(missing)}")
    if "tshark" in programs(example.command) and not is_the_documents_tshark():
        pytest.skip(f"the documents show what tshark {DOCUMENTED_TSHARK} prints; another one is installed")
    assert example.shown, "a command without its output: run python -m tests.refresh_docs"
    assert shell(example.command) == example.shown


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_tables_are_those_of_the_code(document: str) -> None:
    assert with_tables(text_of(document)) == text_of(document)


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_its_place(table: str) -> None:
    places = [text_of(document).count(f"<!-- generated: {table} -->\n") for document in DOCUMENTS]
    assert sum(places) == 1


def test_the_picture_is_that_of_the_capture() -> None:
    assert text_of(refresh_docs.PICTURE) == refresh_docs.picture()


def test_refreshing_changes_output_and_nothing_else() -> None:
    text = "Before.\n\n```console\n$ one \\\n    two\nold\n\n$ three\n```\n\n```sh\n$ not run\n```\nAfter.\n"
    answers = {"one \\\n    two": "new\nlines", "three": "3"}
    after = "```console\n$ one \\\n    two\nnew\nlines\n\n$ three\n3\n```"
    assert rewritten(text, answers.__getitem__) == re.sub(
        r"```console\n.*?```", lambda _: after, text, count=1, flags=re.DOTALL
    )


# --- the two commands ------------------------------------------------------------------------


def test_no_command_is_shown_that_no_test_runs() -> None:
    """Blocks in other languages than console show no commands, but for the two that set things up."""
    others = {
        (document, line)
        for document in DOCUMENTS
        for block in blocks(text_of(document))
        if block.language not in ("console", "text")
        for line in block.lines
    }
    assert others == {("README.md", INSTALL), ("README.md", TEST)}


def test_the_first_screen_holds_both_commands_and_the_output() -> None:
    first_screen = text_of("README.md").splitlines()[:30]
    assert {INSTALL, TEST} <= set(first_screen)
    assert any(line.startswith("1 of 1 flow: unanswered duplicate ACKs") for line in first_screen)


def test_the_command_that_runs_the_tests_is_there() -> None:
    assert os.access(ROOT / TEST, os.X_OK)


@pytest.mark.skipif(shutil.which("git") is None, reason="a clone needs git")
def test_the_install_command_works_in_a_clone(tmp_path: Path) -> None:
    """As it stands in the README; without network, so what pip would fetch is lent by this environment."""
    clone = tmp_path / "clone"
    if subprocess.run(["git", "-C", ROOT, "rev-parse"], capture_output=True, check=False).returncode:
        pytest.skip("this is no clone: it came as an archive")
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True, capture_output=True)
    lent = {"PYTHONPATH": sysconfig.get_path("purelib"), "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}
    python3 = tmp_path / "bin" / "python3"
    python3.parent.mkdir()
    python3.symlink_to(sys.executable)
    path = os.pathsep.join([str(python3.parent), os.environ.get("PATH", os.defpath)])
    ran = subprocess.run(
        ["bash", "-c", INSTALL],
        cwd=clone,
        env={**os.environ, **lent, "CTCP_FORENSICS_PURE": "1", "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1, ran.stderr
    assert "1 of 1 flow: unanswered duplicate ACKs (TAC 113578)" in ran.stdout
    assert (clone / ".venv" / "bin" / "ctcp-diag").exists()


# --- what is named is there ------------------------------------------------------------------


def anchors(document: Path) -> set[str]:
    """Headings as their links are spelled: lower case, without punctuation, hyphens for spaces."""
    headings = re.findall(r"^#+ +(.*)$", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", ALL_DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    here = ROOT / document
    dead = []
    for link in LINK.finditer(prose_of(document)):
        target, _, anchor = link["target"].partition("#")
        if target.startswith(("https://", "http://")):
            continue
        path = here if not target else (here.parent / target).resolve()
        if not path.exists() or (anchor and anchor not in anchors(path)):
            dead.append(link["target"])
    assert dead == []


@pytest.mark.parametrize("document", ALL_DOCUMENTS)
def test_files_that_are_named_exist(document: str) -> None:
    named = {code["code"] for code in CODE.finditer(prose_of(document)) if OUR_FILE.fullmatch(code["code"])}
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_constants_have_the_values_that_are_told(document: str) -> None:
    known = constants()
    told = [
        match for code in CODE.finditer(prose_of(document)) if (match := CONSTANT.fullmatch(code["code"]))
    ]
    assert {(one["name"], one["value"]) for one in told if {one["value"]} != known.get(one["name"])} == set()


def test_the_method_names_a_constant_for_each_guard_that_has_one() -> None:
    told = {
        m["name"]
        for code in CODE.finditer(prose_of("docs/METHOD.md"))
        if (m := CONSTANT.fullmatch(code["code"]))
    }
    assert {
        "CERTAIN_SHARE",
        "DUP_THRESH",
        "TIMER_NS",
        "STUCK_NS",
        "NEW_SEGMENTS",
        "OUTLAST_NS",
        "WRAP_MARGIN",
    } <= told


@pytest.mark.parametrize("document", DOCUMENTS)
def test_frames_that_the_prose_names_are_in_the_output_that_it_shows(document: str) -> None:
    outputs = " ".join(example.shown for example in examples(text_of(document)))
    numbers = set(re.findall(r"\d+", outputs))
    assert {frame for frame in FRAME.findall(prose_of(document)) if frame not in numbers} == set()


def test_every_bound_of_the_code_is_in_the_table_of_bounds() -> None:
    bounds = {name for name in constants() if BOUND.fullmatch(name)} - NOT_A_BOUND
    assert bounds == {cap.name for cap in CAPS}


def test_every_room_is_in_the_way_of_the_data_or_named_beside_it() -> None:
    prose = text_of("docs/ARCHITECTURE.md").partition("## The rooms")[0]
    rooms = {name for layer in layers() for name in layer} - {"__main__", "errors"}
    assert {name for name in rooms if not re.search(rf"\b{name}\b", prose)} == set()


def test_every_verdict_is_explained_in_the_method() -> None:
    told = with_tables(text_of("docs/METHOD.md"))
    assert {word for word in VERDICT_WORDS if f"| `{word}` |" not in told} == set()
