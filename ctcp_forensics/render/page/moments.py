"""Moments: the few segments that a flow's fate hangs on, each as every place shows it.

Knows where in a trace to look, and which rows of several traces are one segment.  Does not draw: see ladder.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from ctcp_forensics.render.page.lanes import Lane
from ctcp_forensics.trace import CLIENT_TO_HEADEND, NOWHERE, Columns, Mark, Trace

BEFORE: Final = 3
"""Moments told before the decisive one: enough to see the flow work."""
BEHIND: Final = 9
"""Moments told behind it: usually three duplicate ACKs (DupThresh, RFC 5681 §3.2) and what lies between them."""
AT_THE_END: Final = 4
ROWS_BEFORE, ROWS_BEHIND = 12, 60
"""Rows of each trace that are looked at on either side of an instant: a bound, however long the flow."""
SAME_SEGMENT_NS: Final = 3_000_000_000
"""Rows further apart than this are not one segment under way, whatever their numbers."""
ROWS_COMPARED: Final = 4_096
"""Rows of another trace among which a segment is looked for."""
SILENCE_NS: Final = 1_000_000_000
"""A place that shows nothing for so long, while the place before it does, lies behind what lets nothing pass."""
NAMED: Final = Mark.SYN | Mark.FIN | Mark.RST
KINDS: Final = {
    Mark.RST: "RST",
    Mark.SYN: "SYN",
    Mark.FIN: "FIN",
    Mark.DUPLICATE_ACK: "duplicate ACK",
    Mark.KEEP_ALIVE: "keep-alive",
}
"""What a segment is called, the most telling mark first."""


class Sighting(NamedTuple):
    """One segment at one place."""

    place: int
    """Index of its trace."""
    row: int
    at_ns: int
    frame: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One segment and where it was seen, in the order in which it travelled."""

    direction: int
    pos: int
    length: int
    ack: int
    marks: Mark
    sightings: tuple[Sighting, ...]
    absent_at: int | None
    """The next place on its way, which was capturing and does not show it; None: it was seen everywhere behind."""
    made_at: int | None
    """The place before the first that shows it, which was capturing and does not; None: it was seen from the start."""

    @property
    def at_ns(self) -> int:
        return self.sightings[0].at_ns

    @property
    def is_lost(self) -> bool:
        return Mark.LOST in self.marks

    @property
    def step(self) -> int:
        """From one place to the next one on its way."""
        return step_of(self.direction)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The decisive moments of one flow: around its turning point, and at its end."""

    turning: tuple[Moment, ...]
    ending: tuple[Moment, ...]
    left_out_ns: int
    """How long the time between them is, of which nothing is told."""


def story_of(lanes: Sequence[Lane], turned_ns: int | None) -> Story | None:
    """The story about the turning point; where there is none, about the beginning."""
    held = [lane.trace.columns for lane in lanes if len(lane.trace.columns)]
    if not held:
        return None
    if turned_ns is None:
        turned_ns = min(columns.at_ns[0] for columns in held)
    around = _around(_moments(lanes, turned_ns), turned_ns)
    told_ns = around[-1].at_ns
    last_ns = max(columns.at_ns[-1] for columns in held)
    ending = [one for one in _moments(lanes, last_ns) if one.at_ns > told_ns][-AT_THE_END:]
    left_out_ns = ending[0].at_ns - told_ns if ending else 0
    return Story(turning=tuple(around), ending=tuple(ending), left_out_ns=left_out_ns)


def turning_point(lanes: Sequence[Lane], direction: int) -> int | None:
    """When the decisive segment was sent; else when a hole showed; else the first question; else a silence."""
    traces = [lane.trace for lane in lanes]
    for sought in (Mark.LOST | Mark.WANTED, Mark.WANTED, Mark.LOST):
        if (sent := _first(traces, direction, sought)) is not None:
            return sent
    shown = [hole.from_ns for trace in traces for hole in trace.holes if hole.direction == direction]
    if shown:
        return min(shown)
    asked = _first(traces, 1 - direction, Mark.DUPLICATE_ACK)
    return asked if asked is not None else _silence(lanes, direction)


def _silence(lanes: Sequence[Lane], direction: int) -> int | None:
    """When a place saw its last segment, while the place before it went on sending."""
    for near, far in pairwise(lanes[:: step_of(direction)]):
        last_near, last_far = _last(near.trace, direction), _last(far.trace, direction)
        if last_near is None or last_far is None:
            continue
        if min(last_near, far.to_ns) - last_far > SILENCE_NS:
            return last_far
    return None


def _last(trace: Trace, direction: int) -> int | None:
    columns = trace.columns
    rows = range(len(columns) - 1, -1, -1)
    return next((columns.at_ns[row] for row in rows if columns.direction[row] == direction), None)


def _first(traces: Iterable[Trace], direction: int, sought: Mark) -> int | None:
    """When the first segment that bears all of `sought` was seen."""
    wanted = int(sought)
    found = (
        trace.columns.at_ns[row]
        for trace in traces
        for row, marks in enumerate(trace.columns.marks)
        if marks & wanted == wanted and trace.columns.direction[row] == direction
    )
    return next(found, None)


def _around(moments: list[Moment], at_ns: int) -> list[Moment]:
    middle = bisect_left(moments, at_ns, key=lambda one: one.at_ns)
    return moments[max(middle - BEFORE, 0) : middle + 1 + BEHIND]


# --- one segment at several places --------------------------------------------------------------


def _moments(lanes: Sequence[Lane], at_ns: int) -> list[Moment]:
    """The segments seen about `at_ns`, each once, in the order in which they were first seen."""
    traces = [lane.trace for lane in lanes]
    seen = set[tuple[int, int]]()
    found = list[Moment]()
    for place, row in _rows_about(traces, at_ns):
        if (place, row) in seen:
            continue
        sightings = _sightings(traces, place, row, seen)
        seen.update((one.place, one.row) for one in sightings)
        found.append(_moment(lanes, sightings))
    return sorted(found, key=lambda one: one.at_ns)


def _rows_about(traces: Sequence[Trace], at_ns: int) -> Iterator[tuple[int, int]]:
    """Places and rows in order of time."""
    rows = [
        (trace.columns.at_ns[row], place, row)
        for place, trace in enumerate(traces)
        for row in _slice(trace.columns, at_ns)
    ]
    return ((place, row) for _, place, row in sorted(rows))


def _slice(columns: Columns, at_ns: int) -> range:
    middle = bisect_left(columns.at_ns, at_ns)
    return range(max(middle - ROWS_BEFORE, 0), min(middle + ROWS_BEHIND, len(columns)))


def _sightings(traces: Sequence[Trace], place: int, row: int, taken: set[tuple[int, int]]) -> list[Sighting]:
    """The row, and its like in every other trace, in the order of travel."""
    own = traces[place].columns
    found = [_sighting(own, place, row)]
    for other, trace in enumerate(traces):
        if other != place:
            found += _like(trace.columns, other, own, row, taken)
    step = step_of(own.direction[row])
    return sorted(found, key=lambda one: one.place * step)


def _like(
    columns: Columns, place: int, own: Columns, row: int, taken: set[tuple[int, int]]
) -> Iterator[Sighting]:
    """The nearest row in time with the same numbers, that is not another segment's already."""
    at_ns, wanted = own.at_ns[row], _numbers(own, row)
    low = bisect_left(columns.at_ns, at_ns - SAME_SEGMENT_NS)
    high = bisect_right(columns.at_ns, at_ns + SAME_SEGMENT_NS)
    middle = bisect_left(columns.at_ns, at_ns)
    low, high = max(low, middle - ROWS_COMPARED), min(high, middle + ROWS_COMPARED)
    alike = [
        one for one in range(low, high) if _numbers(columns, one) == wanted and (place, one) not in taken
    ]
    if alike:
        yield _sighting(columns, place, min(alike, key=lambda one: abs(columns.at_ns[one] - at_ns)))


def _numbers(columns: Columns, row: int) -> tuple[int, ...]:
    return (
        columns.direction[row],
        columns.pos[row],
        columns.length[row],
        columns.ack[row],
        columns.marks[row] & int(NAMED),
    )


def _sighting(columns: Columns, place: int, row: int) -> Sighting:
    return Sighting(place, row, columns.at_ns[row], columns.frame[row])


def _moment(lanes: Sequence[Lane], sightings: list[Sighting]) -> Moment:
    first, last = sightings[0], sightings[-1]
    columns = lanes[first.place].trace.columns
    step = step_of(columns.direction[first.row])
    marks = Mark(0)
    for one in sightings:
        marks |= Mark(lanes[one.place].trace.columns.marks[one.row])
    return Moment(
        direction=columns.direction[first.row],
        pos=columns.pos[first.row],
        length=columns.length[first.row],
        ack=columns.ack[first.row],
        marks=marks,
        sightings=tuple(sightings),
        absent_at=_silent(lanes, last.place + step, last.at_ns),
        made_at=_silent(lanes, first.place - step, first.at_ns),
    )


def _silent(lanes: Sequence[Lane], place: int, at_ns: int) -> int | None:
    """The place, where there is one and it was capturing at that time."""
    if not 0 <= place < len(lanes) or not all(all(lane.trace.keeps_step) for lane in lanes):
        return None  # where a box makes the stream anew, no segment is the same behind it
    return place if lanes[place].was_capturing(at_ns) else None


def step_of(direction: int) -> int:
    """Places stand in order from the client to the headend."""
    return 1 if direction == CLIENT_TO_HEADEND else -1


# --- in words -----------------------------------------------------------------------------------


def kind_of(one: Moment) -> str:
    """What the segment is, in a word or two."""
    for mark, name in KINDS.items():
        if mark in one.marks:
            return name
    if not one.length:
        return "ACK"
    return "retransmission" if Mark.AGAIN in one.marks else "data"


def label_of(one: Moment) -> str:
    """`data 12,609 to 13,909`, `duplicate ACK 12,609`."""
    kind = kind_of(one)
    if one.length and not one.marks & NAMED and one.pos != NOWHERE:
        return f"{kind} {one.pos:,} to {one.pos + one.length:,}"
    return f"{kind} {one.ack:,}" if not one.length and one.ack != NOWHERE and kind != "RST" else kind
