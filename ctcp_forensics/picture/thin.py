"""Thinning: fewer points than there are segments, and none of those that matter gone while others stay.

Knows marks.  Does not know where a point will be drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ctcp_forensics.trace import Columns, Mark

MAX_POINTS: Final = 3_000
"""Points of one place: three for each pixel of a picture's width."""

TURNING: Final = Mark.SYN | Mark.FIN | Mark.RST | Mark.LOST | Mark.WANTED
TELLING: Final = Mark.DUPLICATE_ACK | Mark.DSACK | Mark.AGAIN | Mark.FILLING | Mark.ZERO_WINDOW
NOISE: Final = Mark.COPY | Mark.STRAY


def thinned(columns: Columns, from_ns: int, to_ns: int) -> tuple[list[int], int]:
    """Rows to draw between two times, in their order, and how many others there were."""
    rows = [row for row, at_ns in enumerate(columns.at_ns) if from_ns <= at_ns <= to_ns]
    if len(rows) <= MAX_POINTS:
        return rows, 0
    kept: list[int] = []
    for some in by_weight(columns, rows):
        kept += evenly(some, MAX_POINTS - len(kept))
    return sorted(kept), len(rows) - len(kept)


def by_weight(columns: Columns, rows: Sequence[int]) -> tuple[list[int], ...]:
    """What turns the story, what tells it, everything else, what is none of it."""
    classes: tuple[list[int], ...] = ([], [], [], [])
    for row in rows:
        classes[weight(columns.marks[row])].append(row)
    return classes


def weight(marks: int) -> int:
    if marks & NOISE:
        return 3
    if marks & TURNING:
        return 0
    return 1 if marks & TELLING else 2


def evenly(rows: Sequence[int], room: int) -> list[int]:
    """The first, the last, and others at equal distances."""
    if len(rows) <= room:
        return list(rows)
    if room < 2:
        return list(rows[:room])
    return [rows[at * (len(rows) - 1) // (room - 1)] for at in range(room)]
