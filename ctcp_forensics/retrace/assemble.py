"""Traces from what was read: all places of a flow on one clock and in one sequence space, marked with the evidence.

Knows the report's word on shifts, clocks and losses.  Opens nothing.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ctcp_forensics._kernel.rows import NEVER, HoleRow, Mark
from ctcp_forensics.report import DIRECTION_WORDS, Episode, Flow, Path, Report, Seen
from ctcp_forensics.retrace.clocks import SAME, UNKNOWN, Alignment, alignment
from ctcp_forensics.retrace.errand import Seat, captures_of
from ctcp_forensics.retrace.second import Sighted
from ctcp_forensics.trace import NOWHERE, Columns, Hole, Trace

WAYS = (0, 1)
"""Client to headend, and back: an index into everything that is kept of both."""
SEQUENCE_SPACE = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Seated:
    """One place of a flow, and how its numbers become those of the flow."""

    sighted: Sighted
    name: str
    zero: tuple[int, int]
    """The kernel's position here of the flow's position 0, each way."""
    keeps_step: tuple[bool, bool]
    clock: Alignment
    wanted: tuple[list[int], list[int]]
    """Positions that were asked for, each way, in ascending order."""
    lost: frozenset[tuple[int, int]]
    """Capture, counted within the run, and frame, of what did not arrive behind."""


def traces_of(report: Report, flow: Flow, sighted: Mapping[Seat, Sighted]) -> list[Trace]:
    """Of every place that could be read, from the client to the headend."""
    here = {
        number: sighted[flow.id, number] for number in range(len(flow.seen)) if (flow.id, number) in sighted
    }
    if not here:
        return []
    zeros = (zero_of(here, 0), zero_of(here, 1))
    wanted = (wanted_of(here, 0), wanted_of(here, 1))
    path = path_of(report, flow)
    names = names_of(report, flow)
    seats = (
        Seated(
            sighted=one,
            name=names[number],
            zero=(zero_at(one, 0, zeros[0]), zero_at(one, 1, zeros[1])),
            keeps_step=(shift_of(one, 0) is not None, shift_of(one, 1) is not None),
            clock=clock_of(path, flow, number),
            wanted=(wanted_at(one, 0, wanted[0]), wanted_at(one, 1, wanted[1])),
            lost=lost_at(flow, path, number),
        )
        for number, one in here.items()
    )
    return [trace_of(flow, seated) for seated in seats]


def trace_of(flow: Flow, seated: Seated) -> Trace:
    sighted = seated.sighted
    rows = sighted.halves
    return Trace(
        flow=flow.id,
        place=seated.name,
        captures=captures_of(sighted.seen),
        base_seq=(
            (rows[0].row.anchor + seated.zero[0]) % SEQUENCE_SPACE,
            (rows[1].row.anchor + seated.zero[1]) % SEQUENCE_SPACE,
        ),
        columns=columns_of(seated),
        holes=tuple(sorted(holes_of(seated), key=lambda hole: (hole.from_ns, hole.left))),
        clock_error_ns=seated.clock.error_ns,
        rows_left_out=sighted.left_out,
        keeps_step=seated.keeps_step,
    )


# --- where position 0 is --------------------------------------------------------------------------


def zero_of(here: Mapping[int, Sighted], way: int) -> int:
    """Position 0 by the numbers of the place that the flow is judged in: its ISN, else the lowest that is known."""
    for one in here.values():
        if one.seen.is_judged and one.halves[way].row.isn_known:
            return 0
    lowest = [
        low - shift
        for one in here.values()
        if (shift := shift_of(one, way)) is not None and (low := lowest_of(one, way)) is not None
    ]
    return min(lowest, default=0)


def shift_of(one: Sighted, way: int) -> int | None:
    shifts = one.seen.shifts
    return shifts.headend_to_client if way else shifts.client_to_headend


def zero_at(one: Sighted, way: int, zero: int) -> int:
    """Position 0 by this place's numbers; where they do not keep step, its own ISN or lowest number."""
    shift = shift_of(one, way)
    if shift is not None:
        return zero + shift
    return 0 if one.halves[way].row.isn_known else lowest_of(one, way) or 0


def lowest_of(one: Sighted, way: int) -> int | None:
    """The lowest position sent or acknowledged."""
    columns, side = one.columns, one.client_side ^ way
    sent = (pos for pos, by in zip(columns.pos, columns.direction, strict=True) if by == side)
    acked = (pos for pos, by in zip(columns.ack_pos, columns.direction, strict=True) if by != side)
    return min((pos for some in (sent, acked) for pos in some if pos != NEVER), default=None)


# --- what the report says ------------------------------------------------------------------------


def path_of(report: Report, flow: Flow) -> Path | None:
    """The path that the flow's places are on."""
    for path in report.paths:
        if all(place_of(path, seen) is not None for seen in flow.seen):
            return path
    return None


def place_of(path: Path, seen: Seen) -> int | None:
    """Its number along the path."""
    for number, place in enumerate(path.places):
        if seen.capture in place.captures and seen.interface in (None, place.interface):
            return number
    return None


def names_of(report: Report, flow: Flow) -> list[str]:
    """The vantage point, where it is known and no other place's; else the file."""
    captures = {capture.id: capture for capture in report.captures}
    path = path_of(report, flow)
    names = []
    for seen in flow.seen:
        number = None if path is None else place_of(path, seen)
        vantage = (
            captures[seen.capture].vantage if path is None or number is None else path.places[number].vantage
        )
        file = captures[seen.capture].source.rpartition("/")[2]
        names.append((vantage, file if seen.interface is None else f"{file}, interface {seen.interface}"))
    words = [vantage for vantage, _ in names]
    return [
        vantage if vantage != "unknown" and words.count(vantage) == 1 else file for vantage, file in names
    ]


def clock_of(path: Path | None, flow: Flow, number: int) -> Alignment:
    seen = flow.seen[number]
    judged = next((one for one in flow.seen if one.is_judged), flow.seen[0])
    if seen is judged:
        return SAME
    if path is None:
        return UNKNOWN
    here, there = place_of(path, seen), place_of(path, judged)
    return UNKNOWN if here is None or there is None else alignment(path, here, there)


def wanted_of(here: Mapping[int, Sighted], way: int) -> set[int]:
    """Bytes that were asked for at any place, by the numbers of the place that the flow is judged in."""
    return {
        episode.wanted_pos - shift
        for one in here.values()
        if (shift := shift_of(one, way)) is not None
        for episode in one.halves[way].episodes
    }


def wanted_at(one: Sighted, way: int, wanted: set[int]) -> list[int]:
    """The same by this place's numbers."""
    shift = shift_of(one, way)
    if shift is None:
        return sorted({episode.wanted_pos for episode in one.halves[way].episodes})
    return sorted(pos + shift for pos in wanted)


def lost_at(flow: Flow, path: Path | None, number: int) -> frozenset[tuple[int, int]]:
    """Frames here of segments that are known not to have arrived at the next place behind."""
    seen = flow.seen[number]
    captures = captures_of(seen)
    lost = {
        (captures.index(capture), frame)
        for episode in flow.episodes
        if episode.answered is False and is_last_with(flow, number, episode)
        for capture, frame in episode.missing_segment_frame.items()
        if frame is not None and capture in captures
    }
    here = None if path is None else place_of(path, seen)
    for crossing in () if path is None or len(captures) > 1 else path.crossings:
        if crossing.flow == flow.id and crossing.sent_from == here:
            lost |= {(0, frame) for frame in crossing.lost_frames}
    return frozenset(lost)


def is_last_with(flow: Flow, number: int, episode: Episode) -> bool:
    """Whether no place further along the segment's way has it."""
    places = range(number + 1, len(flow.seen)) if way_of(episode.direction) == 0 else range(number)
    return not any(
        episode.missing_segment_frame.get(capture) is not None
        for place in places
        for capture in captures_of(flow.seen[place])
    )


def way_of(direction: str) -> int:
    return DIRECTION_WORDS.index(direction)


# --- columns ------------------------------------------------------------------------------------


def columns_of(seated: Seated) -> Columns:
    raw, zero = seated.sighted.columns, seated.zero
    sent_by = array("B", (side ^ seated.sighted.client_side for side in raw.direction))
    part, frame = located(raw.frame, seated.sighted.frames_before)
    pos = moved(raw.pos, sent_by, zero)
    back = zero[::-1]
    return Columns(
        at_ns=array("q", map(seated.clock, raw.time_ns)) if seated.clock.steps else raw.time_ns,
        frame=frame,
        capture=part,
        direction=sent_by,
        pos=pos,
        length=raw.length,
        ack=moved(raw.ack_pos, sent_by, back),
        window=raw.window,
        marks=array("H", marks_of(seated, sent_by, part, frame)),
        sack_row=raw.sack_row,
        sack_left=moved(raw.sack_left, (sent_by[row] for row in raw.sack_row), back),
        sack_right=moved(raw.sack_right, (sent_by[row] for row in raw.sack_row), back),
    )


def located(frames: array[int], before: tuple[int, ...]) -> tuple[array[int], array[int]]:
    """Which capture of the run, and the frame's number there."""
    if len(before) == 1:
        return array("B", bytes(len(frames))), frames
    parts = array("B", (bisect_right(before, frame - 1) - 1 for frame in frames))
    return parts, array("q", (frame - before[part] for frame, part in zip(frames, parts, strict=True)))


def moved(positions: array[int], ways: array[int] | Iterator[int], zero: tuple[int, ...]) -> array[int]:
    return array(
        "q", (NOWHERE if pos == NEVER else pos - zero[way] for pos, way in zip(positions, ways, strict=True))
    )


def marks_of(seated: Seated, sent_by: array[int], part: array[int], frame: array[int]) -> Iterator[int]:
    """The tracker's marks, and those that take more than one segment to know."""
    raw = seated.sighted.columns
    rows = zip(raw.marks, sent_by, raw.pos, raw.length, zip(part, frame, strict=True), strict=True)
    for marks, way, pos, length, where in rows:
        is_wanted = length and pos != NEVER and holds_one_of(seated.wanted[way], pos, pos + length)
        yield marks | (Mark.WANTED if is_wanted else 0) | (Mark.LOST if where in seated.lost else 0)


def holds_one_of(positions: list[int], left: int, right: int) -> bool:
    at = bisect_left(positions, left)
    return at < len(positions) and positions[at] < right


# --- holes ----------------------------------------------------------------------------------------


def holes_of(seated: Seated) -> Iterator[Hole]:
    """What was not seen here, and what was seen and asked for."""
    for way in WAYS:
        half = seated.sighted.halves[way]
        for hole in half.holes:
            yield hole_of(seated, way, hole)
        yield from asked_holes(seated, way)


def hole_of(seated: Seated, way: int, hole: HoleRow) -> Hole:
    return Hole(
        direction=way,
        left=hole.start_pos - seated.zero[way],
        right=hole.end_pos - seated.zero[way],
        from_ns=seated.clock(hole.opened_ns),
        to_ns=None if hole.filled_frame == NEVER else seated.clock(hole.filled_ns),
    )


def asked_holes(seated: Seated, way: int) -> Iterator[Hole]:
    """Bytes that passed here and are asked for: up to what the receiver has behind them, or to their segment's end."""
    for episode in seated.sighted.halves[way].episodes:
        right = episode.sacked_left
        if right == NEVER:
            right = end_of_segment(seated.sighted, way, episode.wanted_pos)
        if episode.wanted_seen and right != NEVER:
            yield Hole(
                direction=way,
                left=episode.wanted_pos - seated.zero[way],
                right=right - seated.zero[way],
                from_ns=seated.clock(episode.first_ns),
                to_ns=None if episode.passed_frame == NEVER else seated.clock(episode.passed_ns),
            )


def end_of_segment(one: Sighted, way: int, wanted: int) -> int:
    raw, side = one.columns, one.client_side ^ way
    for by, pos, length in zip(raw.direction, raw.pos, raw.length, strict=True):
        if by == side and pos <= wanted < pos + length:
            return pos + length
    return NEVER
