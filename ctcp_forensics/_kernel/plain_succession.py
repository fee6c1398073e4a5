"""Succession: which connection the same hosts opened next.  The readable twin of track_succession.pxi.

Knows SYNs and last frames.  Several clients behind one address look like one.  Does not know what it means for a
flow that another took its place: see claims.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ctcp_forensics._kernel.rows import NEVER, FlowRow

if TYPE_CHECKING:
    from ctcp_forensics._kernel.tracked import Tracked

Service = tuple[bytes, bytes, int]
"""Who opens, at which host, and which port there."""


def successors(tracked: Tracked, wanted: Sequence[int]) -> list[int]:
    """For each wanted flow the first that the same host opened, to the same port of the other, behind its last frame.

    NEVER where there is none.  Only a SYN that was captured opens.
    """
    rows = list(map(tracked.flow, range(tracked.tallies().flows)))
    opened = sorted(
        (services_of(row)[0], row.syn_frame, index)
        for index, row in enumerate(rows)
        if row.syn_frame != NEVER
    )
    return [first_behind(opened, rows[index]) for index in wanted]


def services_of(row: FlowRow) -> list[Service]:
    """That of the end which did not open it; of a flow in mid-stream either end may be the one."""
    services = [(row.src, row.dst, row.dport), (row.dst, row.src, row.sport)]
    return services if row.originator == NEVER else [services[row.originator]]


def first_behind(opened: Sequence[tuple[Service, int, int]], row: FlowRow) -> int:
    found = []
    for service in services_of(row):
        at = bisect_right(opened, (service, row.last_frame), key=lambda one: one[:2])
        if at < len(opened) and opened[at][0] == service:
            found.append(opened[at][1:])
    return min(found)[1] if found else NEVER
