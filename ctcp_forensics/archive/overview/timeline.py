"""The timeline: flows with the failure, by day, week, month or year, above how many were looked at at all.

Knows spans of time and where bars stand.  Does not know the page.  A time without a hit says little where nothing was
captured: so both are drawn, each on a scale of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Final

import msgspec

from ctcp_forensics.archive.tables import Tables
from ctcp_forensics.report import FLAGSHIP

MAX_BARS: Final = 120
"""More are too thin to be pointed at."""
WIDTH, TALL, LOW = 960.0, 150.0, 44.0
"""Of the drawing, of the hits above and of the flows below."""
FEWEST_SLOTS: Final = 12
"""A single bar is not as wide as the page."""
MOST_LABELS: Final = 8
LABEL_ROOM: Final = 76.0
"""Of `2026-03-02`: a bar with less to its right has its label end below it."""

BY_DAY: Final = """
SELECT first_time::DATE AS "date", count(DISTINCT flow) AS flows,
  count(DISTINCT flow) FILTER (verdict = $failure) AS hits
FROM flows WHERE verdict <> 'not-ctcp' AND first_time IS NOT NULL GROUP BY ALL
ORDER BY ALL"""


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One span of time."""

    name: str
    last: str
    """Its last day: the script narrows the table to the days from `name` to this."""
    flows: int
    hits: int
    x: float
    width: float
    hits_height: float
    flows_height: float
    label: str
    """Below the bar; empty where there is no room."""

    @property
    def is_at_the_edge(self) -> bool:
        return self.x + LABEL_ROOM > WIDTH


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """Bars from the first flow to the last."""

    unit: str
    bars: tuple[Bar, ...]
    most_hits: int
    most_flows: int


class Unit(msgspec.Struct, frozen=True):
    """How days are put together."""

    name: str
    start: Callable[[date], date]
    after: Callable[[date], date]
    says: str


UNITS: Final = (
    Unit("day", lambda day: day, lambda day: _later(day, 1), "%Y-%m-%d"),
    Unit("week", lambda day: _later(day, -day.weekday()), lambda day: _later(day, 7), "%Y-%m-%d"),
    Unit("month", lambda day: day.replace(day=1), lambda day: _month_after(day, 1), "%Y-%m"),
    Unit("year", lambda day: day.replace(month=1, day=1), lambda day: _month_after(day, 12), "%Y"),
)


def timeline_of(tables: Tables) -> Timeline:
    days = {day: (flows, hits) for day, flows, hits in tables.ask(BY_DAY, {"failure": FLAGSHIP}).rows}
    if not days:
        return Timeline(unit="day", bars=(), most_hits=0, most_flows=0)
    first, last = min(days), max(days)
    unit = next((one for one in UNITS if _is_few(one, first, last)), UNITS[-1])
    sums: dict[date, list[int]] = {}
    for day, numbers in days.items():
        whole = sums.setdefault(unit.start(day), [0, 0])
        whole[:] = [one + more for one, more in zip(whole, numbers, strict=True)]
    return _drawn(unit, list(_starts(unit, first, last)), sums)


def _is_few(unit: Unit, first: date, last: date) -> bool:
    starts = _starts(unit, first, last)
    return all(number < MAX_BARS for number, _ in enumerate(starts))


def _starts(unit: Unit, first: date, last: date) -> Iterator[date]:
    """The beginnings of all spans, those without a flow too; a century of captures with mad clocks ends early."""
    at = unit.start(first)
    for _ in range(MAX_BARS * len(UNITS)):
        if at > last:
            return
        yield at
        if unit.after(at) <= at:
            return
        at = unit.after(at)


def _drawn(unit: Unit, starts: list[date], sums: dict[date, list[int]]) -> Timeline:
    most_flows = max(flows for flows, _ in sums.values())
    most_hits = max(hits for _, hits in sums.values())
    slot = WIDTH / max(len(starts), FEWEST_SLOTS)
    every = -(-len(starts) // MOST_LABELS)
    bars = []
    for number, start in enumerate(starts):
        flows, hits = sums.get(start, (0, 0))
        bars.append(
            Bar(
                name=start.isoformat(),
                last=_later(unit.after(start), -1).isoformat(),
                flows=flows,
                hits=hits,
                x=round(number * slot, 1),
                width=round(slot * 0.82, 1),
                hits_height=_height(hits, most_hits, TALL),
                flows_height=_height(flows, most_flows, LOW),
                label=start.strftime(unit.says) if number % every == 0 else "",
            )
        )
    return Timeline(unit=unit.name, bars=tuple(bars), most_hits=most_hits, most_flows=most_flows)


def _height(number: int, most: int, room: float) -> float:
    """One of a million is seen too."""
    return round(max(room * number / most, 1.5), 1) if number else 0.0


def _later(day: date, days: int) -> date:
    """Nothing lies behind the last day that a calendar has."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return date.max if days > 0 else date.min


def _month_after(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, 1) if year <= date.max.year else date.max
