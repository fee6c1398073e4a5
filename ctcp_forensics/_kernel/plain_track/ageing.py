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
        self._ranked: deque[tuple[int, int, int]] = deque()
        self._named = 0
        """So many of the first may be given up without another word: they were named."""

    @property
    def is_named(self) -> bool:
        """Whether the first was."""
        return self._named > 0

    def first(self, flows: Sequence[Flow], wanted: frozenset[int] | None) -> tuple[int, int]:
        """The one that matters least, its standing and its index; who has spoken since the ranking is passed over."""
        while True:
            while self._ranked:
                rank, last_frame, index = self._ranked[0]
                if flows[index].last_frame == last_frame:
                    return rank, index
                self.pass_over()
            self._rank(flows, wanted)

    def pass_over(self) -> None:
        """The first is none any more."""
        self._ranked.popleft()
        self._named = max(0, self._named - 1)

    def name(self, flows: Sequence[Flow], at_most: int) -> list[int]:
        """Those that are given up next, in their order."""
        found: list[int] = []
        self._named = 0
        for _, last_frame, index in self._ranked:
            if len(found) == at_most:
                break
            self._named += 1
            if flows[index].last_frame == last_frame:
                found.append(index)
        return found

    def clear(self) -> None:
        self._ranked.clear()
        self._named = 0

    def _rank(self, flows: Sequence[Flow], wanted: frozenset[int] | None) -> None:
        order = ranked(flows, wanted)
        half_open = sum(rank == Stage.HALF_OPEN for rank, _, _ in order)
        count = max(1, len(flows) // QUEUED_SHARE, min(len(flows) // HALF_OPEN_SHARE, half_open))
        self._ranked.extend(order[:count])
