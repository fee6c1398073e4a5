"""Holes: what was not seen in order, until it is filled or let go."""

from __future__ import annotations

from ctcp_forensics._kernel.caps import HOLES_KEPT, LIVE_HOLES
from ctcp_forensics._kernel.plain_track.state import Direction, Hole
from ctcp_forensics._kernel.rows import NEVER, Packet


def open_hole(d: Direction, p: Packet, pos: int, before: int) -> Hole:
    """Bytes up to `pos` were sent and not seen; `before` is the last data frame of `d` that was.

    The caller knows which that is: `p` may be data of `d`, a bare segment, or the other end's ACK on data of its own.
    """
    d.holes_opened += 1
    if len(d.live) == LIVE_HOLES:
        let_go(d)
    hole = Hole(d.next_pos, pos, p.frame, p.time_ns, before, p.ip_id)
    d.live.append(hole)
    d.unacked_holes += 1
    return hole


def let_go(d: Direction) -> None:
    """Forget the oldest hole, but never the one that the peer is asking for."""
    oldest = d.live[0]
    hole = d.live.pop(1 if oldest.start <= d.acked_pos < oldest.end else 0)
    d.holes_forgotten += 1
    d.unacked_holes -= hole.acked_frame == NEVER
    keep_hole(d, hole)


def keep_hole(d: Direction, hole: Hole) -> None:
    d.kept_holes.append(hole)
    del d.kept_holes[:-HOLES_KEPT]


def fill_holes(d: Direction, p: Packet, pos: int, end: int) -> tuple[int, Hole | None]:
    """Bytes of [pos, end) that lay in holes, and the lowest hole that it touched."""
    filled, lowest = 0, None
    for hole in [hole for hole in d.live if hole.start < end and pos < hole.end]:
        filled += min(end, hole.end) - max(pos, hole.start)
        lowest = lowest or hole
        fill_hole(d, p, hole, pos, end)
    return filled, lowest


def fill_hole(d: Direction, p: Packet, hole: Hole, pos: int, end: int) -> None:
    """Close, shorten or split one hole."""
    if pos <= hole.start and hole.end <= end:
        close_hole(d, p, hole)
    elif pos <= hole.start:
        hole.start = end
    elif hole.end <= end:
        hole.end = pos
    else:
        split_hole(d, hole, pos, end)


def close_hole(d: Direction, p: Packet, hole: Hole) -> None:
    d.live.remove(hole)
    d.holes_filled += 1
    d.unacked_holes -= hole.acked_frame == NEVER
    hole.filled_frame, hole.filled_ns = p.frame, p.time_ns
    keep_hole(d, hole)


def split_hole(d: Direction, hole: Hole, pos: int, end: int) -> None:
    """Filled in the middle: two are left, or the lower one where the table is full."""
    if len(d.live) == LIVE_HOLES:
        d.holes_forgotten += 1
    else:
        upper = Hole(end, hole.end, hole.opened_frame, hole.opened_ns, hole.before_frame, hole.opener_ip_id)
        upper.acked_frame, upper.acked_ns = hole.acked_frame, hole.acked_ns
        d.unacked_holes += upper.acked_frame == NEVER
        d.live.insert(d.live.index(hole) + 1, upper)
    hole.end = pos
