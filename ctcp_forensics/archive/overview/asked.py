"""Asked: what the overview wants to know of the tables.

Knows its SQL.  Does not know the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from ctcp_forensics.archive.tables import Tables
from ctcp_forensics.report import FLAGSHIP, NEEDS_NO_READING, WELL

MAX_RANKED: Final = 10
FAILURE: Final = {"failure": FLAGSHIP}


class Total(NamedTuple):
    """All in numbers."""

    flows: int
    hits: int
    lossy: int
    headends: int
    clients: int
    first: datetime | None
    last: datetime | None


class Hit(NamedTuple):
    """One flow with the failure, as sure as its confidence says."""

    first_time: datetime | None
    day: str
    confidence: str
    direction: str | None
    client: str
    headend: str
    firewall: str | None
    duplicate_acks: int
    uri: str
    flow: str


class Ranked(NamedTuple):
    """One line of a top list; `share` is of the longest one, in per cent."""

    name: str
    number: int
    share: float
    is_failure: bool


class Top(NamedTuple):
    """A list of the most frequent; `left` counts those beyond it."""

    title: str
    of: str
    lines: Sequence[Ranked]
    left: int


TOTAL: Final = """
SELECT count(DISTINCT flow), count(DISTINCT flow) FILTER (verdict = $failure), count(DISTINCT flow) FILTER (is_lossy),
  count(DISTINCT headend) FILTER (verdict = $failure), count(DISTINCT client) FILTER (verdict = $failure),
  min(first_time) FILTER (verdict = $failure), max(first_time) FILTER (verdict = $failure)
FROM flows WHERE verdict <> 'not-ctcp'"""
SURENESS: Final = """
SELECT confidence, count(DISTINCT finding) FROM findings WHERE verdict = $failure GROUP BY confidence"""
HITS: Final = """
SELECT first_time, day, confidence, direction, client, headend, firewall, duplicate_acks, uri, flow
FROM findings WHERE verdict = $failure
QUALIFY row_number() OVER (PARTITION BY finding ORDER BY uri) = 1
ORDER BY first_ns DESC NULLS LAST, uri, flow LIMIT $most"""
RANKED: Final = """
SELECT {what} AS name, count(DISTINCT finding) AS number FROM findings
WHERE {which} GROUP BY name ORDER BY number DESC, name"""
IS_FAILURE: Final = f"verdict = '{FLAGSHIP}'"
IS_NOT_WELL: Final = "verdict NOT IN ({})".format(
    ", ".join(f"'{word}'" for word in sorted(NEEDS_NO_READING | WELL))
)
LISTS: Final = (
    ("Headends", "flows with the failure", "headend", IS_FAILURE),
    ("Client networks", "flows with the failure", "client_network", IS_FAILURE),
    ("Firewalls", "flows with the failure", "coalesce(firewall, 'not known from one capture')", IS_FAILURE),
    ("Verdicts", "flows that are not well", "verdict", IS_NOT_WELL),
)


def total(tables: Tables) -> Total:
    return Total(*next(tables.ask(TOTAL, FAILURE).rows))


def sureness(tables: Tables) -> dict[str, int]:
    """How many of the hits are how sure."""
    return {word: int(number) for word, number in tables.ask(SURENESS, FAILURE).rows}


def hits(tables: Tables, most: int) -> Iterator[Sequence[Any]]:
    return tables.ask(HITS, FAILURE | {"most": most}).rows


def tops(tables: Tables) -> list[Top]:
    return [_top(tables, title, of, what, which) for title, of, what, which in LISTS]


def _top(tables: Tables, title: str, of: str, what: str, which: str) -> Top:
    rows = tables.ask(RANKED.format(what=what, which=which)).rows
    lines: list[Ranked] = []
    left = 0
    for name, number in rows:
        if len(lines) == MAX_RANKED:
            left += 1
            continue
        is_failure = which == IS_FAILURE or name == FLAGSHIP
        longest = lines[0].number if lines else number
        lines.append(Ranked(name, number, round(100 * number / longest, 1), is_failure))
    return Top(title, of, lines, left)
