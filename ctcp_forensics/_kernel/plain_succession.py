"""Succession: which connection came next, of the same hosts or from the same port.

The readable twin of track_succession.pxi.  Knows first and last frames.  Several clients behind one address look like
one, and who opened a flow in mid-stream is not known.  Does not know what it means for a flow that another took its
place: see claims.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ctcp_forensics._kernel.rows import NEVER, FlowRow

if TYPE_CHECKING:
    from ctcp_forensics._kernel.tracked import Tracked

Opened = tuple[bytes, int, bytes, int]
"""Who opened and at which host, with their ports; a port that does not matter is NEVER."""
Opens = Callable[[FlowRow], list[Opened]]


def successors(tracked: Tracked, wanted: Sequence[int]) -> list[int]:
    """For each wanted flow the next from the same host to the same port of the other, behind its last frame.

    NEVER where there is none.  A SYN is not asked for: a filter may have kept all of them out of the capture.
    """
    return next_of(tracked, wanted, from_any_port)


def reopenings(tracked: Tracked, wanted: Sequence[int]) -> list[int]:
    """For each wanted flow the first of its own ends that begins behind it; NEVER where there is none."""
    return next_of(tracked, wanted, from_its_port)


def next_of(tracked: Tracked, wanted: Sequence[int], opens: Opens) -> list[int]:
    rows = list(map(tracked.flow, range(tracked.tallies().flows)))
    opened = sorted((one, row.first_frame, index) for index, row in enumerate(rows) for one in opens(row))
    return [first_behind(opened, rows[index], opens) for index in wanted]


def from_any_port(row: FlowRow) -> list[Opened]:
    """Of a flow in mid-stream either end may be the one that opened it."""
    either = [(row.src, NEVER, row.dst, row.dport), (row.dst, NEVER, row.src, row.sport)]
    return either if row.originator == NEVER else [either[row.originator]]


def from_its_port(row: FlowRow) -> list[Opened]:
    """Whichever end opens it."""
    one, other = (row.src, row.sport), (row.dst, row.dport)
    return [one + other if one <= other else other + one]


def first_behind(opened: Sequence[tuple[Opened, int, int]], row: FlowRow, opens: Opens) -> int:
    found = []
    for one in opens(row):
        at = bisect_right(opened, (one, row.last_frame), key=lambda some: some[:2])
        if at < len(opened) and opened[at][0] == one:
            found.append(opened[at][1:])
    return min(found)[1] if found else NEVER
