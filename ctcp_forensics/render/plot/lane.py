"""Lanes: one place of a flow, its segments as strokes, its ACKs as a line, its questions as dots.

Knows what each kind of segment looks like.  No kind is told by its colour alone, and the colours are those that
Okabe and Ito chose for every kind of sight.  Does not know labels: see notes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from ctcp_forensics.render.plot.paper import Box, number, path, rectangle
from ctcp_forensics.render.plot.scale import Scale
from ctcp_forensics.trace import NOWHERE, Columns, Hole, Mark, Trace

BLUE, GREEN, VERMILLION, PURPLE, ORANGE = "#0072b2", "#007a59", "#d55e00", "#8f3f73", "#e69f00"
RED, GREY, PALE, ROSE, EDGE = "#b3001b", "#6e7781", "#d8dee4", "#f9d9dc", "#cf6a75"

RUG_HEIGHT: Final = 9
SHORTEST: Final = 3.0
"""Pixels of the shortest stroke that is still seen."""
NOT_PLACED: Final = Mark.STRAY | Mark.COPY | Mark.RST


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One place, and where it is drawn."""

    trace: Trace
    way: int
    scale: Scale

    @property
    def columns(self) -> Columns:
        return self.trace.columns

    @property
    def sent(self) -> list[int]:
        """Rows with bytes of the direction that is drawn."""
        columns = self.columns
        return [row for row in self._placed(self.way, columns.pos) if columns.length[row]]

    @property
    def answers(self) -> list[int]:
        """Rows of the other direction that acknowledge."""
        return list(self._placed(1 - self.way, self.columns.ack))

    @property
    def asks(self) -> list[int]:
        return [row for row in self.answers if self.columns.marks[row] & Mark.DUPLICATE_ACK]

    def marked(self, mark: Mark) -> list[int]:
        """Rows of the drawn direction with a mark."""
        return [row for row in self.sent if self.columns.marks[row] & mark]

    def x(self, row: int) -> float:
        return self.scale.x(self.columns.at_ns[row])

    def _placed(self, way: int, positions: Sequence[int]) -> Iterator[int]:
        """Rows of one direction that have one of these positions."""
        columns = self.columns
        for row, by in enumerate(columns.direction):
            if by == way and positions[row] != NOWHERE and not columns.marks[row] & NOT_PLACED:
                yield row


def drawn(lane: Lane) -> Iterator[str]:
    """From the back to the front."""
    yield from holes(lane)
    yield from sacks(lane)
    yield from windows(lane)
    yield from acks(lane)
    yield from segments(lane)
    yield from asks(lane)
    yield from closed_windows(lane)
    yield from repeated(lane)
    yield from losses(lane)
    yield from endings(lane)
    yield from rug(lane)


# --- the bytes ----------------------------------------------------------------------------------


def holes(lane: Lane) -> Iterator[str]:
    """Bytes that are missing, until they come or the receiver goes on without them."""
    scale = lane.scale
    for hole in lane.trace.holes:
        if hole.direction != lane.way or hole.left > scale.high or hole.right < scale.low:
            continue
        left, right = scale.x(hole.from_ns), scale.x(end_of(hole, lane))
        bottom = scale.y(hole.left)
        width, height = max(right - left, SHORTEST), max(bottom - scale.y(hole.right), SHORTEST)
        box = Box(left=left, top=bottom - height, width=width, height=height)
        yield rectangle(box, fill=ROSE, stroke=EDGE, stroke_width=0.8)


def end_of(hole: Hole, lane: Lane) -> int:
    columns = lane.columns
    passed = (
        columns.at_ns[row]
        for row in lane.answers
        if columns.at_ns[row] >= hole.from_ns and columns.ack[row] >= hole.right
    )
    come_ns = lane.scale.to_ns if hole.to_ns is None else hole.to_ns
    return min(come_ns, next(passed, come_ns))


def sacks(lane: Lane) -> Iterator[str]:
    columns = lane.columns
    spans = [
        (columns.at_ns[row], columns.sack_left[at], columns.sack_right[at])
        for at, row in enumerate(columns.sack_row)
        if columns.direction[row] != lane.way
    ]
    yield from strokes(lane, spans, stroke=ORANGE, stroke_width=1.5, stroke_opacity="0.55")


def segments(lane: Lane) -> Iterator[str]:
    columns = lane.columns
    first = [row for row in lane.sent if not columns.marks[row] & (Mark.AGAIN | Mark.LOST)]
    yield from strokes(lane, spans_of(columns, first), stroke=BLUE, stroke_width=2)


def spans_of(columns: Columns, rows: Sequence[int]) -> list[tuple[int, int, int]]:
    return [(columns.at_ns[row], columns.pos[row], columns.pos[row] + columns.length[row]) for row in rows]


def strokes(lane: Lane, spans: Sequence[tuple[int, int, int]], **style: str | float) -> Iterator[str]:
    """Upright strokes; what would fall upon another one is one with it."""
    scale = lane.scale
    columns: dict[float, list[tuple[float, float]]] = {}
    for at_ns, low, high in spans:
        if high >= scale.low and low <= scale.high:
            bottom, top = scale.y(low), scale.y(high)
            columns.setdefault(round(2 * scale.x(at_ns)) / 2, []).append(
                (min(top, bottom - SHORTEST), bottom)
            )
    d = "".join(
        f"M{number(x)} {number(bottom)}V{number(top)}"
        for x, pieces in sorted(columns.items())
        for top, bottom in joined(pieces)
    )
    if d:
        yield path(d, fill="none", **style)


def joined(pieces: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Intervals that touch, as one."""
    pieces.sort()
    top, bottom = pieces[0]
    for upper, lower in pieces[1:]:
        if upper > bottom + 0.5:
            yield top, bottom
            top, bottom = upper, lower
        bottom = max(bottom, lower)
    yield top, bottom


# --- what comes back ----------------------------------------------------------------------------


def acks(lane: Lane) -> Iterator[str]:
    """The highest ACK over time: level, and a step up where it rises."""
    points = list(ack_points(lane))
    if points:
        d = f"M{points[0][0]} {points[0][1]}" + "".join(f"H{x}V{y}" for x, y in points[1:])
        yield path(d, fill="none", stroke=GREEN, stroke_width=2)


def ack_points(lane: Lane) -> Iterator[tuple[str, str]]:
    """Pixels at which the line begins, rises and ends."""
    columns, scale, highest, last = lane.columns, lane.scale, -1, None
    for row in lane.answers:
        last = row
        if columns.ack[row] > highest:
            highest = columns.ack[row]
            yield number(lane.x(row)), number(scale.y(highest))
    if last is not None:
        yield number(lane.x(last)), number(scale.y(highest))


def windows(lane: Lane) -> Iterator[str]:
    """The highest byte that the receiver's window allows, where that is in sight."""
    columns, scale = lane.columns, lane.scale
    edges = [(lane.x(row), scale.y(columns.ack[row] + columns.window[row])) for row in lane.answers]
    if edges and max(y for _, y in edges) > scale.box.top:
        d = f"M{number(edges[0][0])} {number(edges[0][1])}" + "".join(
            f"H{number(x)}V{number(y)}" for x, y in edges[1:]
        )
        yield path(d, fill="none", stroke=GREY, stroke_width=1.2, stroke_dasharray="5 2")


def asks(lane: Lane) -> Iterator[str]:
    """Dots on the line: strokes without a length, whose round ends are all there is of them."""
    columns = lane.columns
    places = {(number(lane.x(row)), number(lane.scale.y(columns.ack[row]))) for row in lane.asks}
    d = "".join(f"M{x} {y}h.01" for x, y in sorted(places, key=lambda place: float(place[0])))
    if d:
        yield path(d, fill="none", stroke=VERMILLION, stroke_width=6, stroke_linecap="round")


def closed_windows(lane: Lane) -> Iterator[str]:
    """Triangles that point down upon the line."""
    columns = lane.columns
    closed = [row for row in lane.answers if columns.marks[row] & Mark.ZERO_WINDOW]
    d = "".join(
        f"M{number(lane.x(row))} {number(lane.scale.y(columns.ack[row]) - 2)}l-4 -7h8z" for row in closed
    )
    if d:
        yield path(d, fill=PURPLE, stroke="#ffffff", stroke_width=0.5)


def repeated(lane: Lane) -> Iterator[str]:
    """Sent again: a stroke with an open diamond on it."""
    columns, scale = lane.columns, lane.scale
    again = lane.marked(Mark.AGAIN)
    yield from strokes(lane, spans_of(columns, again), stroke=PURPLE, stroke_width=2)
    places = [
        (lane.x(row), scale.y(columns.pos[row] + columns.length[row] // 2))
        for row in again
        if scale.low <= columns.pos[row] <= scale.high
    ]
    d = "".join(f"M{number(x - 4)} {number(y)}l4 -4l4 4l-4 4z" for x, y in places)
    if d:
        yield path(d, fill="#ffffff", stroke=PURPLE, stroke_width=1.5)


def losses(lane: Lane) -> Iterator[str]:
    """A cross where a segment passed for the last time."""
    columns = lane.columns
    places = [
        (lane.x(row), lane.scale.y(columns.pos[row] + columns.length[row] // 2))
        for row in lane.marked(Mark.LOST)
    ]
    d = "".join(f"M{number(x - 5)} {number(y - 5)}l10 10m0 -10l-10 10" for x, y in places)
    if d:
        yield path(d, fill="none", stroke=RED, stroke_width=2.8)


# --- beginnings, endings, and the other direction --------------------------------------------------


def endings(lane: Lane) -> Iterator[str]:
    """A line from top to bottom for every SYN, FIN and RST, of either end."""
    box, columns = lane.scale.box, lane.columns
    for mark, dashes in ((Mark.SYN, "1 3"), (Mark.FIN, "6 3"), (Mark.RST, "3 3")):
        rows = [row for row, marks in enumerate(columns.marks) if marks & mark and not marks & Mark.COPY]
        places = sorted({number(lane.x(row)) for row in rows}, key=float)
        d = "".join(f"M{x} {number(box.top)}V{number(box.bottom)}" for x in places)
        if d:
            color = GREY if mark == Mark.SYN else RED
            yield path(d, fill="none", stroke=color, stroke_width=1.5, stroke_dasharray=dashes)


def rug(lane: Lane) -> Iterator[str]:
    """A strip below: data of the other direction, so that its silence is seen."""
    box, columns = lane.scale.box, lane.columns
    strip = Box(left=box.left, top=box.bottom + 3, width=box.width, height=RUG_HEIGHT)
    yield rectangle(strip, fill="#f6f8fa")
    spoken = [
        row
        for row, by in enumerate(columns.direction)
        if by != lane.way and columns.length[row] and not columns.marks[row] & NOT_PLACED
    ]
    places = sorted({number(lane.x(row)) for row in spoken}, key=float)
    d = "".join(f"M{x} {number(strip.top + 1)}v{RUG_HEIGHT - 2}" for x in places)
    if d:
        yield path(d, fill="none", stroke=GREY, stroke_width=1.2)


def ink(lane: Lane) -> list[tuple[float, float]]:
    """Points that a label should not cover."""
    columns, scale = lane.columns, lane.scale
    points = [(lane.x(row), scale.y(columns.pos[row])) for row in lane.sent]
    points += [(lane.x(row), scale.y(columns.pos[row] + columns.length[row])) for row in lane.sent]
    points += [(lane.x(row), scale.y(columns.ack[row])) for row in lane.asks]
    return points + along([(float(x), float(y)) for x, y in ack_points(lane)])


def along(corners: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points on a line of level pieces, close enough that no label slips between them."""
    return [
        (x, y)
        for (x1, y), (x2, _) in pairwise(corners)
        for x in (x1 + 6 * step for step in range(int((x2 - x1) // 6) + 1))
    ]


LEGEND_SIGNS: Final[dict[str, tuple[str, dict[str, str | float]]]] = {
    "sent": ("m0 -5v10", {"stroke": BLUE, "stroke_width": 2}),
    "ack": ("m-7 0h14", {"stroke": GREEN, "stroke_width": 2}),
    "ask": ("m0 0h.01", {"stroke": VERMILLION, "stroke_width": 6, "stroke_linecap": "round"}),
    "lost": ("m-5 -5l10 10m0 -10l-10 10", {"stroke": RED, "stroke_width": 2.8}),
    "again": ("m-4 0l4 -4l4 4l-4 4z", {"fill": "#ffffff", "stroke": PURPLE, "stroke_width": 1.5}),
    "closed": ("m0 4l-4 -7h8z", {"fill": PURPLE}),
    "window": ("m-8 0h16", {"stroke": GREY, "stroke_width": 1.2, "stroke_dasharray": "5 2"}),
    "sack": ("m0 -5v10", {"stroke": ORANGE, "stroke_width": 1.5, "stroke_opacity": "0.7"}),
    "hole": ("m-7 -4h14v8h-14z", {"fill": ROSE, "stroke": EDGE, "stroke_width": 0.8}),
    "end": ("m0 -6v12", {"stroke": RED, "stroke_width": 1.5, "stroke_dasharray": "3 3"}),
    "rug": ("m0 -4v8", {"stroke": GREY, "stroke_width": 1.2}),
}
"""What each kind looks like, about a point."""


def legend_sign(role: str, x: float, y: float) -> str:
    d, style = LEGEND_SIGNS[role]
    return path(f"M{number(x)} {number(y)}{d}", **({"fill": "none"} | style))
