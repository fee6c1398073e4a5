"""The sketch: the decisive seconds of a flow as characters, for a terminal or a pasted message.

A character for each kind of segment instead of dots that are all alike: it says the same without colours, in ASCII
where nothing else can be shown, and through a pipe.  Reads a report and one of its pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ctcp_forensics.picture import told_of, traces_in
from ctcp_forensics.render.look import Look
from ctcp_forensics.render.plot.lane import NOT_PLACED
from ctcp_forensics.render.wording import clean, utc
from ctcp_forensics.report import DIRECTION_WORDS, Picture, Report
from ctcp_forensics.trace import NOWHERE, Columns, Mark, Trace

WIDTH_IN_A_PIPE: Final = 100
NARROWEST: Final = 40
GUTTER: Final = 9
HEIGHTS: Final = (16, 10, 8)
"""Rows of a lane, by how many lanes there are."""
MAX_LANES: Final = 4

UNICODE: Final = {"sent": "│", "ack": "─", "ask": "●", "lost": "✗", "again": "◆", "closed": "▼", "end": "┊"}
ASCII: Final = {"sent": "|", "ack": "-", "ask": "o", "lost": "X", "again": "#", "closed": "v", "end": ":"}
MEANS: Final = {
    "sent": "data",
    "ack": "ACK",
    "ask": "duplicate ACK",
    "lost": "passes here, and is lost",
    "again": "sent again",
    "closed": "window closed",
    "end": "SYN, FIN, RST",
}
PENS: Final = {
    "ack": "holds",
    "ask": "unknown",
    "lost": "alarm",
    "again": "title",
    "closed": "fails",
    "end": "fails",
}
WEIGHT: Final = ("end", "ack", "sent", "ask", "again", "closed", "lost")
"""What is drawn over what, the last over all."""


@dataclass(slots=True, kw_only=True)
class Canvas:
    """Cells of one lane, each with the weightiest thing that lies in it."""

    width: int
    height: int
    from_ns: int
    to_ns: int
    low: int
    high: int
    cells: dict[tuple[int, int], str] = field(default_factory=dict)

    def column(self, at_ns: int) -> int:
        return min(self.width - 1, self.width * (at_ns - self.from_ns) // max(1, self.to_ns - self.from_ns))

    def row(self, position: int) -> int:
        part = (self.height - 1) * (position - self.low) // max(1, self.high - self.low)
        return self.height - 1 - min(self.height - 1, max(0, part))

    def put(self, column: int, row: int, role: str) -> None:
        held = self.cells.get((column, row))
        if held is None or WEIGHT.index(role) > WEIGHT.index(held):
            self.cells[column, row] = role


def sketch(report: Report, picture: Picture, look: Look, *, is_ascii: bool) -> Iterator[str]:
    """Lines for a terminal; raises ReportError where the stored picture is damaged."""
    _, finding = told_of(report, picture)
    traces = traces_in(picture)[:MAX_LANES]
    way = DIRECTION_WORDS.index(picture.direction)
    signs = ASCII if is_ascii else UNICODE
    width = max(NARROWEST, look.width or WIDTH_IN_A_PIPE) - GUTTER
    height = HEIGHTS[min(len(traces), len(HEIGHTS)) - 1]
    low, high = bytes_shown(traces, way)
    yield look.pen.mark("title", clean(f"{finding.title}, {finding.confidence}")) + "\n"
    used: set[str] = set()
    for trace in traces:
        canvas = Canvas(
            width=width, height=height, from_ns=picture.from_ns, to_ns=picture.to_ns, low=low, high=high
        )
        draw(canvas, trace.columns, way)
        used |= set(canvas.cells.values())
        label = f"{clean(trace.place)}: bytes {picture.direction.replace('-', ' ')}"
        yield look.pen.mark("label", label) + "\n"
        yield from rows_of(canvas, signs, look)
    yield from axis(picture, width)
    yield "  ".join(f"{signs[role]} {told}" for role, told in MEANS.items() if role in used) + "\n"
    if picture.follows:
        yield f"Then: {clean(picture.follows)}.\n"


def bytes_shown(traces: tuple[Trace, ...], way: int) -> tuple[int, int]:
    found = [
        position
        for columns in (trace.columns for trace in traces)
        for row, by in enumerate(columns.direction)
        if not columns.marks[row] & NOT_PLACED
        for position in ((columns.pos[row],) if by == way else (columns.ack[row],))
        if position != NOWHERE
    ]
    return (min(found), max(found)) if found else (0, 1)


def draw(canvas: Canvas, columns: Columns, way: int) -> None:
    for row, marks in enumerate(columns.marks):
        at = canvas.column(columns.at_ns[row])
        if marks & (Mark.SYN | Mark.FIN | Mark.RST):
            for line in range(canvas.height):
                canvas.put(at, line, "end")
        if not marks & NOT_PLACED and columns.direction[row] == way and columns.length[row]:
            role = "lost" if marks & Mark.LOST else "again" if marks & Mark.AGAIN else "sent"
            canvas.put(at, canvas.row(columns.pos[row]), role)
    draw_acks(canvas, columns, way)


def draw_acks(canvas: Canvas, columns: Columns, way: int) -> None:
    """The line of the highest ACK, with what lies on it."""
    highest, before = NOWHERE, 0
    for row, marks in enumerate(columns.marks):
        ack = columns.ack[row]
        if columns.direction[row] == way or ack == NOWHERE or marks & NOT_PLACED:
            continue
        at = canvas.column(columns.at_ns[row])
        for column in range(before + 1, at + 1) if highest != NOWHERE else ():
            canvas.put(column, canvas.row(highest), "ack")
        highest, before = max(highest, ack), at
        role = "closed" if marks & Mark.ZERO_WINDOW else "ask" if marks & Mark.DUPLICATE_ACK else "ack"
        canvas.put(at, canvas.row(ack), role)


def rows_of(canvas: Canvas, signs: dict[str, str], look: Look) -> Iterator[str]:
    """With the bytes of the highest and of the lowest line before them."""
    for row in range(canvas.height):
        told = {0: f"{canvas.high:,}", canvas.height - 1: f"{canvas.low:,}"}.get(row, "")
        cells = [canvas.cells.get((column, row), "") for column in range(canvas.width)]
        line = "".join(look.pen.mark(PENS.get(role, ""), signs[role]) if role else " " for role in cells)
        yield f"{told:>{GUTTER - 1}} {line}".rstrip() + "\n"


def axis(picture: Picture, width: int) -> Iterator[str]:
    """Seconds from the moment, at five places, and what the moment is."""
    line = [" "] * (GUTTER + width)
    span_ns = picture.to_ns - picture.from_ns
    for part in range(5):
        at = GUTTER + (width - 1) * part // 4
        told = f"{(picture.from_ns + span_ns * part // 4 - picture.moment_ns) / 1e9:+.1f} s"
        start = min(max(GUTTER, at - len(told) // 2), GUTTER + width - len(told))
        line[start : start + len(told)] = told
    yield "".join(line).rstrip() + "\n"
    yield f"0 s is {utc(picture.moment_ns)}: {clean(picture.moment)}\n"
