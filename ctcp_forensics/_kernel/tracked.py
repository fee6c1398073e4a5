"""Tracked: what may be asked of whoever has followed flows: either kernel's tracker, or facts that were kept of one.

Knows names and types.  Is read by type checkers alone, so that it costs a run nothing.
"""

from __future__ import annotations

from typing import Protocol

from ctcp_forensics._kernel.rows import (
    AssociationRow,
    DirectionRow,
    EpisodeRow,
    FlowRow,
    HoleRow,
    SegmentRow,
    Tallies,
)


class Tracked(Protocol):
    """Flows, and what became of each of their directions."""

    def tallies(self) -> Tallies: ...
    def flow(self, index: int) -> FlowRow: ...
    def direction(self, index: int, side: int) -> DirectionRow: ...
    def episodes(self, index: int, side: int) -> list[EpisodeRow]: ...
    def holes(self, index: int, side: int) -> list[HoleRow]: ...
    def associations(self, index: int, side: int) -> list[AssociationRow]: ...


class Logged(Tracked, Protocol):
    """With the segments of those flows that are watched."""

    def segments(self, index: int) -> list[SegmentRow]: ...
    def segments_with(self, index: int, side: int, position: int) -> list[SegmentRow]: ...
