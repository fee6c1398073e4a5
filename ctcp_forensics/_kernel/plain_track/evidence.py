"""Evidence: what is kept of all flows together, and whose is let go where that is too much.

Knows how many pieces of each kind there are.  Does not know which flow matters least: see ageing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ctcp_forensics._kernel import caps
from ctcp_forensics._kernel.plain_track.ageing import BARED_SHARE, Stage
from ctcp_forensics._kernel.plain_track.state import Direction, Flow

HOLES, EPISODES, ASSOCIATIONS, RESETS = KINDS = range(4)


class Held:
    """The pieces of evidence of all flows, by kind, and the flows that lost theirs."""

    def __init__(self) -> None:
        self._counts = [0] * len(KINDS)
        self._caps: Final = (
            caps.ALL_HOLES_KEPT,
            caps.ALL_EPISODES_KEPT,
            caps.ALL_ASSOCIATIONS_KEPT,
            caps.ALL_RESETS_KEPT,
        )
        self.bared = self.bared_in_question = 0

    def change(self, before: list[int], now: list[int]) -> None:
        self._counts = [
            count + more - less for count, more, less in zip(self._counts, now, before, strict=True)
        ]

    def has_too_many(self, kind: int) -> bool:
        return self._counts[kind] > self._caps[kind]

    def make_room(self, kind: int, order: Iterable[tuple[int, Flow]]) -> None:
        """Let go all that is kept of flow after flow, each with its standing, until there is room for this kind."""
        for standing, flow in order:
            if self._counts[kind] <= self._caps[kind] - self._caps[kind] // BARED_SHARE:
                return
            pieces = pieces_of(flow)
            if any(pieces):
                bare(flow)
                self.change(pieces, [0] * len(KINDS))
                self.bared += standing < Stage.ALIVE
                self.bared_in_question += standing >= Stage.ALIVE


def pieces_of(flow: Flow) -> list[int]:
    """How many of each kind."""
    sides = flow.directions
    return [
        sum(len(d.live) + len(d.kept_holes) for d in sides),
        sum(len(d.kept_episodes) + (d.episode is not None) for d in sides),
        sum(len(d.kept_associations) for d in sides),
        len(flow.resets),
    ]


def bare(flow: Flow) -> None:
    """Its counters stay."""
    flow.resets.clear()
    for d in flow.directions:
        bare_direction(d)


def bare_direction(d: Direction) -> None:
    d.holes_forgotten += len(d.live)
    d.unacked_holes = 0
    d.live.clear()
    d.kept_holes.clear()
    d.kept_episodes.clear()
    d.episode = None
    d.esp_missing += sum(one.missing for one in d.kept_associations)
    d.esp_repeats += sum(one.repeats for one in d.kept_associations)
    d.kept_associations.clear()
