"""The package keeps its shape: who may import whom, what modules are called, and what start-up loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

PACKAGE = Path(__file__).parent.parent / "ctcp_forensics"
MODULES = sorted(PACKAGE.rglob("*.py"))

SAYS_NOTHING = {"base", "common", "core", "data", "helper", "helpers", "info", "manager", "misc", "models"}
SAYS_NOTHING |= {"shared", "stuff", "tools", "types", "util", "utils"}

HEAVY = {"dpkt", "jinja2", "lxml", "numpy", "pydantic", "pyshark", "rich", "tabulate"}


def name_of(module: Path) -> str:
    return str(module.relative_to(PACKAGE.parent))


def test_the_import_contracts_of_pyproject_are_kept(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)
    assert lint_imports(no_cache=True) == EXIT_STATUS_SUCCESS, capsys.readouterr().out


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_module_opens_with_a_sentence_that_says_what_it_knows(module: Path) -> None:
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    assert docstring is not None, "no docstring"
    opening = docstring.split("\n\n")[0]
    assert opening.endswith((".", "?")), f"not a sentence: {opening!r}"
    assert len(opening.split()) >= 4, f"says nothing: {opening!r}"


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_module_has_a_name_that_says_something(module: Path) -> None:
    assert not {part.strip("_") for part in module.relative_to(PACKAGE).with_suffix("").parts} & SAYS_NOTHING


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_a_question_about_the_command_loads_nothing_heavy(option: str) -> None:
    answer = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ctcp_forensics", option],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    imported = {line.rpartition("|")[2].strip() for line in answer.stderr.splitlines() if "|" in line}
    assert "ctcp_forensics.cli" in imported
    assert not {name.partition(".")[0] for name in imported} & HEAVY
