"""The legend: which signs are in a picture, and what each of them means.

Knows what a trace holds.  Does not know how a sign is drawn: see lane.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ctcp_forensics.render.plot.lane import NOT_PLACED, legend_sign
from ctcp_forensics.render.plot.paper import SMALL, Box, text, width_of
from ctcp_forensics.trace import NOWHERE, Mark, Trace

LEGEND: Final = (
    ("sent", "data"),
    ("ack", "ACK that comes back"),
    ("ask", "duplicate ACK"),
    ("lost", "passes here, and is lost"),
    ("hole", "missing bytes"),
    ("sack", "received beyond the hole (SACK)"),
    ("again", "sent again"),
    ("closed", "window closed"),
    ("end", "FIN, RST"),
    ("window", "end of the receiver's window"),
    ("rug", "strip below: data of the other end"),
)
ON_DATA: Final = {"lost": Mark.LOST, "again": Mark.AGAIN}
ON_ACKS: Final = {"ask": Mark.DUPLICATE_ACK, "closed": Mark.ZERO_WINDOW}


def legend(traces: Sequence[Trace], way: int, box: Box, content: list[str]) -> float:
    """The signs that are in the picture, in as many rows of the box as they take; where the last one ends."""
    x, y = box.left, box.top
    present = signs_in(traces, way)
    for role, told in LEGEND:
        if role not in present:
            continue
        width = 22 + width_of(told, SMALL) + 8
        if x + width > box.right:
            x, y = box.left, y + 19
        content.append(legend_sign(role, x + 8, y + 8))
        content.append(text(x + 20, y + 12, told, font_size=SMALL))
        x += width
    return y + 26


def signs_in(traces: Sequence[Trace], way: int) -> set[str]:
    signs = {"sent", "ack", "rug"}
    for trace in traces:
        marks = marks_by_way(trace)
        signs |= {role for role, mark in ON_DATA.items() if marks[way] & mark}
        signs |= {role for role, mark in ON_ACKS.items() if marks[1 - way] & mark}
        signs |= {"end"} if (marks[0] | marks[1]) & (Mark.RST | Mark.FIN) else set()
        signs |= {"hole" for hole in trace.holes if hole.direction == way}
        signs |= {"sack"} if len(trace.columns.sack_row) else set()
        signs |= {"window"} if shows_window(trace, way) else set()
    return signs


def marks_by_way(trace: Trace) -> tuple[int, int]:
    """All marks that occur, each way."""
    found = [0, 0]
    for way, marks in set(zip(trace.columns.direction, trace.columns.marks, strict=True)):
        found[way] |= marks
    return found[0], found[1]


def shows_window(trace: Trace, way: int) -> bool:
    """Whether the window ends among the bytes that were sent."""
    columns = trace.columns
    highest = max(
        (pos for pos, by in zip(columns.pos, columns.direction, strict=True) if by == way), default=0
    )
    return any(
        ack != NOWHERE and by != way and ack + window < highest and not marks & NOT_PLACED
        for ack, by, window, marks in zip(
            columns.ack, columns.direction, columns.window, columns.marks, strict=True
        )
    )
