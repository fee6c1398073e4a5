"""Which seconds of a flow are the decisive ones, and what follows behind them.

Knows verdicts by their words and what each turns on: a loss, a closed window, a silence, an ending.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Self

from ctcp_forensics.report import DIRECTION_WORDS, Flow
from ctcp_forensics.trace import Columns, Hole, Mark, Trace

LENGTH_NS: Final = 20_000_000_000
"""As much as stays readable on half a page; a cTCP client gives up after some tens of seconds."""
STRETCHED_NS: Final = 30_000_000_000
"""What is stretched to, where that brings the ending into the picture."""
BEFORE_NS: Final = 2_000_000_000
"""Of it, how it was before the loss…"""
BEFORE_END_NS: Final = 17_000_000_000
"""…or before an ending."""
SHORTEST_NS: Final = 5_000_000
MARGIN: Final = 40
"""A fortieth of the span is left free at either end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What the seconds are chosen for."""

    at_ns: int
    words: str
    before_ns: int = BEFORE_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The seconds to be shown."""

    from_ns: int
    to_ns: int
    moment: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A flow, its traces, and whose bytes are to be drawn."""

    flow: Flow
    traces: tuple[Trace, ...]
    judged: Trace
    """Of the place that the flow is judged in, or the first one that there is."""
    way: int

    @classmethod
    def of(cls, flow: Flow, traces: Sequence[Trace]) -> Self | None:
        seen = [trace for trace in traces if len(trace.columns)]
        if not seen:
            return None
        judged = min(
            seen, key=lambda trace: (flow.judged_in not in trace.captures, trace.clock_error_ns != 0)
        )
        return cls(flow=flow, traces=tuple(seen), judged=judged, way=way_of(flow, seen))

    def first(self, wanted: Mark) -> tuple[int, int] | None:
        """Time and frame of the first segment, at any place, that is drawn and has all of these marks."""
        found = (
            (columns.at_ns[row], columns.frame[row])
            for columns in (trace.columns for trace in self.traces)
            for row, marks in enumerate(columns.marks)
            if marks & wanted == wanted and columns.direction[row] == self.way
        )
        return min(found, default=None)

    @property
    def holes(self) -> Iterator[Hole]:
        return (hole for trace in self.traces for hole in trace.holes if hole.direction == self.way)

    @property
    def ends(self) -> tuple[int, int]:
        """When the flow is first and last seen."""
        times = [trace.columns.at_ns for trace in self.traces]
        return min(map(min, times)), max(map(max, times))


def way_of(flow: Flow, traces: Sequence[Trace]) -> int:
    """The direction that the verdict accuses; else the one with more loss, holes, closed windows, bytes."""
    if flow.direction is not None:
        return DIRECTION_WORDS.index(flow.direction)
    return max((0, 1), key=lambda way: trouble_of(traces, way))


def trouble_of(traces: Sequence[Trace], way: int) -> tuple[int, int, int, int]:
    lost = closed = sent = 0
    for columns in (trace.columns for trace in traces):
        for marks, by, length in zip(columns.marks, columns.direction, columns.length, strict=True):
            lost += by == way and bool(marks & Mark.LOST)
            closed += by != way and bool(marks & Mark.ZERO_WINDOW)
            sent += length if by == way else 0
    holes = sum(hole.direction == way and hole.to_ns is None for trace in traces for hole in trace.holes)
    return lost, holes, closed, sent


# --- moments -----------------------------------------------------------------------------------

Try = Callable[[Scene], Moment | None]


def the_lost_byte(scene: Scene) -> Moment | None:
    """The segment that was asked for in vain, where it was seen."""
    return of_loss(scene.first(Mark.LOST | Mark.WANTED))


def the_first_ask(scene: Scene) -> Moment | None:
    """The first duplicate ACK of the last question that was never answered; else of the one that was asked most."""
    told = [one for one in scene.flow.episodes if one.first_ns is not None]
    asked = [one for one in told if one.direction == DIRECTION_WORDS[scene.way]] or told
    open_ = [one for one in asked if one.answered is False][-1:]
    worst = max(open_ or asked, key=lambda one: one.duplicate_acks, default=None)
    if worst is None or worst.first_ns is None:
        return None
    return Moment(at_ns=worst.first_ns, words="the first duplicate ACK")


def the_first_loss(scene: Scene) -> Moment | None:
    return of_loss(scene.first(Mark.LOST))


def of_loss(lost: tuple[int, int] | None) -> Moment | None:
    return None if lost is None else Moment(at_ns=lost[0], words=f"frame {lost[1]} is sent, and lost")


def the_first_hole(scene: Scene) -> Moment | None:
    first = min((hole.from_ns for hole in scene.holes), default=None)
    return None if first is None else Moment(at_ns=first, words="the first bytes are missing")


def the_closing(scene: Scene) -> Moment | None:
    """From when on the window had no room for the largest segment."""
    columns = scene.judged.columns
    largest = max((columns.length[row] for row in rows_sent(columns, scene.way)), default=0)
    first = None
    for row in rows_sent(columns, 1 - scene.way):
        if columns.marks[row] & (Mark.SYN | Mark.RST | Mark.STRAY | Mark.COPY):
            continue
        if columns.window[row] >= largest:
            first = None
        elif first is None:
            first = row
    if first is None:
        return None
    words = f"frame {columns.frame[first]} offers a window of {columns.window[first]:,} bytes"
    return Moment(at_ns=columns.at_ns[first], words=words)


def the_awakening(scene: Scene) -> Moment | None:
    """The first segment behind the longest silence."""
    times = sorted(scene.judged.columns.at_ns)
    silences = [(after - before, after) for before, after in pairwise(times)]
    if not silences:
        return None
    length_ns, at_ns = max(silences)
    return Moment(at_ns=at_ns, words=f"the first segment after {length_ns / 1e9:.0f} s of silence")


def the_last_word(scene: Scene) -> Moment | None:
    """The last segment of the end that fell silent first."""
    columns = scene.judged.columns
    last = [
        (columns.at_ns[row], columns.frame[row])
        for way in (0, 1)
        for row in list(rows_sent(columns, way))[-1:]
    ]
    if len(last) < 2:
        return None
    at_ns, frame = min(last)
    return Moment(at_ns=at_ns, words=f"frame {frame} is the last of one end")


def rows_sent(columns: Columns, way: int) -> Iterator[int]:
    return (row for row, by in enumerate(columns.direction) if by == way)


def the_beginning(scene: Scene) -> Moment | None:
    return Moment(at_ns=scene.ends[0], words="the first segment")


def the_end(scene: Scene) -> Moment:
    """The first RST or FIN that ended it, else the last segment."""
    closed_ns = scene.flow.ending.at_ns if scene.flow.ending.kind in ("rst", "fin") else None
    frame = next(iter(scene.flow.ending.frame.values()), None)
    if closed_ns is None or frame is None:
        return Moment(at_ns=scene.ends[1], words="the last segment", before_ns=BEFORE_END_NS)
    kind = scene.flow.ending.kind.upper()
    return Moment(at_ns=closed_ns, words=f"the {kind} in frame {frame}", before_ns=BEFORE_END_NS)


LOSSES: Final[tuple[Try, ...]] = (the_lost_byte, the_first_ask, the_first_loss, the_first_hole)
TURNS_ON: Final[dict[str, tuple[Try, ...]]] = {
    "path-mtu-black-hole": (the_first_loss, the_first_hole),
    "firewall-drop": (the_last_word,),
    "reset-by-middlebox": (),
    "reset-by-endpoint": (),
    "nat-rebinding": (the_last_word,),
    "idle-timeout": (the_awakening,),
    "window-stall": (the_closing,),
    "handshake-failed": (the_beginning,),
    "negotiation-failed": (the_beginning,),
    "peer-vanished": (the_last_word,),
    "link-down": (),
    "orderly-close": (),
    "healthy": (),
    "not-ctcp": (),
}
"""What a verdict turns on, the best sight of it first; of the others a loss; in the end the ending."""


def moment_of(scene: Scene) -> Moment:
    for one in TURNS_ON.get(scene.flow.verdict, LOSSES):
        moment = one(scene)
        if moment is not None:
            return moment
    return the_end(scene)


# --- the span ----------------------------------------------------------------------------------


def span_of(scene: Scene) -> Span:
    """No longer than LENGTH_NS, and with the ending where that is near enough; nothing empty at either end."""
    moment = moment_of(scene)
    first_ns, last_ns = scene.ends
    from_ns = max(first_ns, moment.at_ns - moment.before_ns)
    is_near = last_ns - from_ns <= STRETCHED_NS
    to_ns = last_ns if is_near else from_ns + LENGTH_NS
    if is_near:  # there is room: more of what was before
        from_ns = max(first_ns, min(from_ns, last_ns - LENGTH_NS // 2))
    margin_ns = max(SHORTEST_NS, (to_ns - from_ns) // MARGIN)
    return Span(from_ns=from_ns - margin_ns, to_ns=to_ns + margin_ns, moment=moment)


def what_follows(scene: Scene, span: Span) -> str:
    """In a sentence: what the place that the flow is judged in shows behind the span."""
    columns = scene.judged.columns
    behind = [row for row, at_ns in enumerate(columns.at_ns) if at_ns > span.to_ns]
    if not behind:
        return ""
    asked = sum(bool(columns.marks[row] & Mark.DUPLICATE_ACK) for row in behind)
    length_s = (columns.at_ns[behind[-1]] - span.to_ns) / 1e9
    told = [f"{len(behind):,} more segments in {length_s:.1f} s"]
    if asked:
        told.append(f"{asked:,} of them duplicate ACKs")
    closing = [row for row in behind if columns.marks[row] & (Mark.RST | Mark.FIN)]
    if closing:
        kind = "RST" if columns.marks[closing[0]] & Mark.RST else "FIN"
        told.append(f"{'an' if kind == 'RST' else 'a'} {kind} in frame {columns.frame[closing[0]]}")
    return ", ".join(told)
