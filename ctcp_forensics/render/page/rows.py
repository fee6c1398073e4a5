"""The table of all flows: what each cell says, and by what it is sorted.

Knows columns.  Does not know how rows are shown: the template writes the first ones, flows.js the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ctcp_forensics.render.judged import Judged
from ctcp_forensics.render.wording import duration, ended, endpoint, utc_second

Key = int | str


class Column(NamedTuple):
    """A heading, a cell's words, and its place in order; numbers stand to the right."""

    title: str
    says: Callable[[Judged], str]
    key: Callable[[Judged], Key]
    is_number: bool = False


class Row(NamedTuple):
    """One flow; `has_article` is false where this page tells no more of it."""

    number: int
    cells: tuple[str, ...]
    keys: tuple[Key, ...]
    has_article: bool


COLUMNS = (
    Column("Flow", lambda one: str(one.number), lambda one: one.number, is_number=True),
    Column("Verdict", lambda one: one.finding.verdict, lambda one: one.finding.verdict),
    Column("Confidence", lambda one: one.finding.confidence, lambda one: one.finding.confidence),
    Column("Client", lambda one: endpoint(one.flow.client), lambda one: endpoint(one.flow.client)),
    Column("Headend", lambda one: endpoint(one.flow.headend), lambda one: endpoint(one.flow.headend)),
    Column("Start (UTC)", lambda one: _start(one), lambda one: str(one.flow.first_ns).zfill(20)),
    Column(
        "Lasted", lambda one: duration(_lasted_ns(one)), lambda one: _lasted_ns(one) // 1_000, is_number=True
    ),
    Column("Segments", lambda one: f"{one.segments:,}", lambda one: one.segments, is_number=True),
    Column(
        "Duplicate ACKs",
        lambda one: f"{one.duplicate_acks:,}",
        lambda one: one.duplicate_acks,
        is_number=True,
    ),
    Column("Ended", lambda one: ended(one.flow), lambda one: ended(one.flow)),
)
VERDICT = [column.title for column in COLUMNS].index("Verdict")


def rows_of(judged: Sequence[Judged], told: frozenset[int]) -> list[Row]:
    """`told` are the numbers of the flows that have an article."""
    return [
        Row(
            one.number,
            tuple(column.says(one) for column in COLUMNS),
            tuple(column.key(one) for column in COLUMNS),
            one.number in told,
        )
        for one in judged
    ]


def packable(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [
        {"number": row.number, "cells": row.cells, "keys": row.keys, "told": row.has_article} for row in rows
    ]


def _start(one: Judged) -> str:
    return utc_second(one.flow.first_ns).replace("T", " ").removesuffix("Z")


def _lasted_ns(one: Judged) -> int:
    return one.flow.last_ns - one.flow.first_ns
