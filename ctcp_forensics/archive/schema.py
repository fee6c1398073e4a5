"""Schema: the three tables as SQL and as documentation, both read off the rows' own classes.

Knows names, types and meanings.  Does not know a value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

import msgspec
from msgspec import inspect

from ctcp_forensics.archive.columns import TABLES

LAYOUT: Final = 2
"""Of the tables: where it changes, the files are made anew from the segments."""
PARTITION: Final = "day"
SQL_TYPES: Final = {inspect.StrType: "VARCHAR", inspect.IntType: "BIGINT", inspect.BoolType: "BOOLEAN"}


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column of a table."""

    name: str
    type: str
    says: str
    formula: str = ""
    """In SQL, of the row's own columns; empty where it is written as it comes."""


# make_timestamp counts microseconds, and Parquet's readers agree on no finer unit.
DERIVED: Final = (
    Column(
        name="first_time",
        type="TIMESTAMP",
        says="`first_ns` in UTC, to the microsecond",
        formula="make_timestamp(first_ns // 1000)",
    ),
    Column(
        name="last_time",
        type="TIMESTAMP",
        says="`last_ns` likewise",
        formula="make_timestamp(last_ns // 1000)",
    ),
    Column(
        name="month",
        type="VARCHAR",
        says="month of `first_time`, such as `2026-03`",
        formula="strftime(make_timestamp(first_ns // 1000), '%Y-%m')",
    ),
)


KEYS: Final = (
    Column(name="entry", type="BIGINT", says="number of the capture in the manifest"),
    Column(name="segment", type="BIGINT", says="number of the file that holds its result"),
    Column(name="place", type="BIGINT", says="byte offset of the result in that file"),
    Column(name="first_entry", type="BIGINT", says="number of the first capture with the same content"),
)
"""By which rows are told from those of older results; only `captures` has them all."""


def keys(table: str) -> tuple[Column, ...]:
    return KEYS if table == "captures" else KEYS[:1]


def columns(table: str) -> tuple[Column, ...]:
    """Everything that the table has, in order."""
    return (*keys(table), *written(table), *DERIVED)


def written(table: str) -> tuple[Column, ...]:
    """What a row is written with."""
    (told,) = inspect.multi_type_info([TABLES[table]])
    return tuple(_column(field) for field in cast("inspect.StructType", told).fields)


def json_columns(table: str) -> str:
    """For DuckDB's `read_json`."""
    return ", ".join(f"{column.name}: '{column.type}'" for column in (*keys(table), *written(table)))


def derived() -> str:
    """The columns that are computed, as a SELECT lists them; every table has the same."""
    return ", ".join(f"{column.formula} AS {column.name}" for column in DERIVED)


def nothing(table: str) -> str:
    """A SELECT without a row, for a table without a file."""
    listed = ", ".join(f"NULL::{column.type} AS {column.name}" for column in columns(table))
    return f"SELECT {listed} WHERE false"


def described() -> Iterator[str]:
    """The tables in Markdown, line by line."""
    for name, row in TABLES.items():
        yield f"### `{name}`"
        yield ""
        yield (row.__doc__ or "").strip()
        yield ""
        yield "| Column | Type | Means |"
        yield "|---|---|---|"
        yield from (f"| `{one.name}` | {one.type} | {one.says} |" for one in columns(name))
        yield ""


def _column(field: inspect.Field) -> Column:
    kind, says = field.type, ""
    if isinstance(kind, inspect.Metadata):
        says = (kind.extra_json_schema or {}).get("description", "")
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        (kind,) = (one for one in kind.types if not isinstance(one, inspect.NoneType))
    return Column(name=field.name, type=SQL_TYPES[type(kind)], says=says)
