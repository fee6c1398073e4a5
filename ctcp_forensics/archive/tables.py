"""Tables: captures, flows and findings of a store, open to SQL that can only read.

Knows DuckDB's locks.  Does not know what is asked: see questions.

A user's SQL runs here.  One SELECT and nothing else is taken; it sees the three views and the files behind them, no
other file, no network, no extension; and no setting can be changed back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ctcp_forensics.archive.columns import TABLES
from ctcp_forensics.archive.parquet import Parquet, connected, parquet_source
from ctcp_forensics.archive.schema import nothing
from ctcp_forensics.errors import CtcpError

if TYPE_CHECKING:
    import duckdb
    from duckdb import DuckDBPyConnection

ROWS_AT_ONCE: Final = 10_000
READING: Final = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
RUNS_A_TEXT: Final = frozenset({"query", "query_table", "json_execute_serialized_sql"})


class QueryError(CtcpError):
    """A question that DuckDB cannot answer, in its own words."""


class Answer(msgspec.Struct, frozen=True):
    """Rows under names; they are read as they come, once."""

    columns: tuple[str, ...]
    rows: Iterator[Sequence[Any]]


class Tables:
    """The three views, open for questions."""

    def __init__(self, parquet: Parquet) -> None:
        self._base = connected()
        for table in TABLES:
            paths = parquet.paths(table)
            source = f"SELECT * FROM {parquet_source(paths)}" if paths else nothing(table)
            self._base.execute(f"CREATE VIEW {table} AS {source}")
        _lock(self._base, [path for table in TABLES for path in parquet.paths(table)])

    def ask(self, sql: str, given: Mapping[str, Any] | None = None) -> Answer:
        """The answer to one SELECT; `given` are its `$name` parameters."""
        import duckdb

        try:
            _insist_on_reading(self._base, sql)
            asked = self._base.cursor().execute(sql, dict(given or {}))
            names = _told_apart([column[0] for column in asked.description or ()])
        except duckdb.Error as error:
            raise QueryError(_in_one_line(error)) from error
        return Answer(names, _rows(asked))

    def __enter__(self) -> Tables:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()


def _lock(base: DuckDBPyConnection, paths: Sequence[str]) -> None:
    """The files of the views and no others; then nothing can be set any more."""
    base.execute("SET allowed_paths = $paths", {"paths": list(paths)})
    base.execute("SET enable_external_access = false")
    base.execute("SET lock_configuration = true")


def _insist_on_reading(base: DuckDBPyConnection, sql: str) -> None:
    """One SELECT that reads, and only reads, all the way down: DuckDB 2 lets a part of WITH write files."""
    (told,) = base.execute("SELECT json_serialize_sql($sql::VARCHAR)", {"sql": sql}).fetchone() or ("{}",)
    tree = msgspec.json.decode(told)
    if tree.get("error_type") == "not implemented":  # what json_serialize_sql says of other statements
        raise QueryError(
            "--sql takes one SELECT over captures, flows and findings, and nothing that writes or sets"
        )
    if tree.get("error"):
        raise QueryError(tree["error_message"])
    if len(tree["statements"]) != 1:
        raise QueryError("one SELECT at a time")
    for node in _nodes(tree):
        kind, name = node.get("type"), node.get("function_name")
        if isinstance(kind, str) and kind.endswith("_NODE") and kind not in READING:
            raise QueryError("the tables are read and nothing else: there is no writing inside a SELECT")
        if name in RUNS_A_TEXT:
            raise QueryError(f"{name}() runs a text as SQL, which cannot be looked at beforehand")


def _in_one_line(error: duckdb.Error) -> str:
    """What DuckDB says, without the drawing below it: an error has one line, and the reader wrote the SQL."""
    words, _, _ = str(error).partition("\n\nLINE ")
    return " ".join(words.splitlines())


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of a JSON value."""
    left = [tree]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            yield one
        left += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()


def _told_apart(names: Sequence[str]) -> tuple[str, ...]:
    """`a`, `a_2`: SQL gives several columns one name, JSON does not."""
    told: list[str] = []
    for name in names:
        often = sum(one == name for one in names[: len(told)])
        told.append(f"{name}_{often + 1}" if often else name)
    return tuple(told)


def _rows(asked: DuckDBPyConnection) -> Iterator[Sequence[Any]]:
    import duckdb

    try:
        while some := asked.fetchmany(ROWS_AT_ONCE):
            yield from some
    except duckdb.Error as error:
        raise QueryError(_in_one_line(error)) from error
