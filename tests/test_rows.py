"""Rows of the kernel are all named in one place, and made where the first of them is asked for."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from ctcp_forensics._kernel import rows

NAMED = [(module, name) for module, names in rows.ELSEWHERE.items() for name in names]


def classes_in(module: str) -> set[str]:
    path = Path(rows.__file__).with_name(f"{module}.py")
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)}


@pytest.mark.parametrize(("module", "name"), NAMED)
def test_a_row_that_lies_elsewhere_is_the_very_class_from_there(module: str, name: str) -> None:
    assert getattr(rows, name) is getattr(import_module(f"ctcp_forensics._kernel.{module}"), name)


@pytest.mark.parametrize("module", rows.ELSEWHERE)
def test_every_class_of_such_a_module_is_named(module: str) -> None:
    assert set(rows.ELSEWHERE[module]) == classes_in(module)


def test_the_type_checker_is_told_the_same_names() -> None:
    (block,) = (node for node in ast.parse(Path(rows.__file__).read_text()).body if isinstance(node, ast.If))
    told = {
        (node.module.rpartition(".")[2], one.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module is not None
        for one in node.names
    }
    assert told == set(NAMED)


def test_who_asks_for_one_kind_of_rows_loads_no_other() -> None:
    code = (
        "import sys; from ctcp_forensics._kernel.rows import HoleRow;"
        "print(*(name.rpartition('.')[2] for name in sys.modules if '_kernel.' in name))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert set(said.split()) & set(rows.ELSEWHERE) == {"rows_of_flows"}


def test_a_name_that_nobody_knows_is_refused_by_name() -> None:
    with pytest.raises(AttributeError, match=r"'ctcp_forensics\._kernel\.rows' has no attribute 'NoRow'"):
        rows.NoRow  # type: ignore[attr-defined]  # noqa: B018
