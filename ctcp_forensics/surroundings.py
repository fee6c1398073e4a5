"""Surroundings: how far a capture as a whole can be trusted.

Knows its times, its drops, its damage and its silences.  Does not know the flows in it: see vantage and case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ctcp_forensics._kernel.caps import SET_BACK_NS
from ctcp_forensics._kernel.rows import NEVER, PulseRow
from ctcp_forensics.numbering import FROM_ONE_FILE, Numbering

if TYPE_CHECKING:
    from ctcp_forensics._kernel.rows import FlowRow

NO_PULSE = PulseRow(NEVER, NEVER, (), 0)
SHUFFLED_FRAMES = 10
SHUFFLED_SHARE = 5
"""In a shuffled file every other frame is earlier than the one before; queues of a card put fewer out of order.  So are
those of two clocks that are an hour apart, in one file."""


def is_disordered(out_of_order: int, frames: int) -> bool:
    return out_of_order >= SHUFFLED_FRAMES and out_of_order * SHUFFLED_SHARE >= frames


def was_set_back(pulse: PulseRow, first_ns: int, last_ns: int) -> bool:
    """Whether frames come behind others that are later by a second or more: the pulse begins anew there."""
    return pulse.since_ns > first_ns + SET_BACK_NS or pulse.until_ns < last_ns - SET_BACK_NS


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What the capture as a whole says about how far it can be trusted."""

    first_ns: int = 0
    last_ns: int
    dropped_frames: int = 0
    """By its own interface counters."""
    is_damaged: bool = False
    is_shuffled: bool = False
    """One frame in five is earlier than the one before it, and some by more than queues explain."""
    torn_between: frozenset[tuple[bytes, bytes]] = frozenset()
    """Hosts, the lower address first, between which some IP fragments of TCP are here and others of them are not."""
    times_bared: int = 0
    """A flow that may be judged lost the evidence kept of it, to make room for that of others."""
    place_needed_in: int | None = None
    """The frame in which another flow needed the place of the one that is judged: as of then it is, with `last_ns` of
    then.  None: it was followed to the end."""
    pulse: PulseRow = NO_PULSE
    numbering: Numbering = FROM_ONE_FILE

    def tears(self, row: FlowRow) -> bool:
        """Whether a flow's packets came in fragments, and not all of them."""
        return self.tears_between(row.src, row.dst)

    def tears_between(self, one: bytes, other: bytes) -> bool:
        """The same of any flow of two hosts."""
        return ((one, other) if one <= other else (other, one)) in self.torn_between

    @property
    def is_whole(self) -> bool:
        """Nothing tells that the capture, or what was kept of it, lacks anything."""
        return not (self.dropped_frames or self.is_damaged or self.times_bared)
