"""Ageing: whose place a new flow takes where all places are taken.

Knows what a flow has shown so far and when it spoke last.  Does not know what becomes of its place: see tracker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from ctcp_forensics._kernel.plain_track.payload import WATCHED_RUN
from ctcp_forensics._kernel.plain_track.state import Direction, Flow
from ctcp_forensics._kernel.rows import NEVER, Signature


class Stage(IntEnum):
    """How far a flow has come, the least loss first."""

    HALF_OPEN = 0
    """Nothing but SYNs, or one single segment: scans and floods look so, and nothing was said yet."""
    ENDED = 1
    """An RST, or a FIN of both ends."""
    ALIVE = 2


STAGES: Final = len(Stage)
BARED_SHARE: Final = 8
"""An eighth of the evidence is let go at a time: so each piece costs a few looks, however many come."""
QUEUED_SHARE: Final = 8
"""All flows are ranked again when an eighth of them has been given up: so each costs eight looks, however many come."""
HALF_OPEN_SHARE: Final = 2
"""Half-open ones are given up one after the other up to half of the table: in a flood it is ranked less often."""


def standing(flow: Flow, wanted: frozenset[int] | None) -> int:
    """Its stage; those that may be judged stand above all others."""
    concerns = flow.watched or wanted is None or is_suspect(flow, wanted)
    return stage(flow) + (STAGES if concerns else 0)


def stage(flow: Flow) -> Stage:
    one, other = flow.directions
    if one.rsts or other.rsts or NEVER not in (one.fin_frame, other.fin_frame):
        return Stage.ENDED
    segments = flow.frames - one.copies - other.copies
    return Stage.HALF_OPEN if segments <= max(1, flow.syns) else Stage.ALIVE


def is_suspect(flow: Flow, ports: frozenset[int]) -> bool:
    """Whether it looks like IPsec over TCP in any way, or uses one of the ports."""
    return flow.sport in ports or flow.dport in ports or any(map(looks_encapsulated, flow.directions))


def looks_encapsulated(d: Direction) -> bool:
    return bool(
        d.trailer_cisco
        or d.trailer_weak
        or d.esp_run >= WATCHED_RUN
        or d.signature in (Signature.IKETCP, Signature.RAW_IKE)
    )


def ranked(flows: Sequence[Flow], wanted: frozenset[int] | None) -> list[tuple[int, int, int]]:
    """All flows by their standing, and the longest silent first: standing, last frame, index."""
    return sorted((standing(flow, wanted), flow.last_frame, index) for index, flow in enumerate(flows))


class Queue:
    """Flows in the order in which they are given up, as it was when they were last ranked."""

    def __init__(self) -> None:
        self._ranked: deque[tuple[int, int]] = deque()

    def next(self, flows: Sequence[Flow], wanted: frozenset[int] | None) -> int:
        """The index of the one that matters least; who has spoken since the ranking is passed over."""
        while True:
            while self._ranked:
                index, last_frame = self._ranked.popleft()
                if flows[index].last_frame == last_frame:
                    return index
            self._rank(flows, wanted)

    def clear(self) -> None:
        self._ranked.clear()

    def _rank(self, flows: Sequence[Flow], wanted: frozenset[int] | None) -> None:
        order = ranked(flows, wanted)
        half_open = sum(rank == Stage.HALF_OPEN for rank, _, _ in order)
        count = max(1, len(flows) // QUEUED_SHARE, min(len(flows) // HALF_OPEN_SHARE, half_open))
        self._ranked.extend((index, last_frame) for _, last_frame, index in order[:count])
