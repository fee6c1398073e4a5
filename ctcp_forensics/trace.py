"""Traces: every segment of one flow as one place shows it, in columns; what pictures are drawn from.

Knows what a time–sequence diagram is made of: times, bytes, ACKs, SACK blocks, and what each segment is.
Knows neither captures (see retrace) nor drawing (see render).
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Final

from ctcp_forensics._kernel.rows import Mark

__all__ = ["CLIENT_TO_HEADEND", "HEADEND_TO_CLIENT", "NOWHERE", "Columns", "Hole", "Mark", "Trace"]

NOWHERE: Final = -1
"""In a column of positions: there is none, for instance in a segment without the ACK flag."""

CLIENT_TO_HEADEND, HEADEND_TO_CLIENT = 0, 1


def _longs() -> array[int]:
    return array("q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """One row for each segment, in the order of the capture; all columns but the SACK blocks are of equal length."""

    at_ns: array[int] = field(default_factory=_longs)
    """Since 1970 UTC, by the clock of the place that the flow is judged in."""
    frame: array[int] = field(default_factory=_longs)
    """Its number in its own capture, from 1."""
    capture: array[int] = field(default_factory=lambda: array("B"))
    """Index into the trace's `captures`: several where the capture was rotated."""
    direction: array[int] = field(default_factory=lambda: array("B"))
    """CLIENT_TO_HEADEND or HEADEND_TO_CLIENT."""
    pos: array[int] = field(default_factory=_longs)
    """Position of its first byte in its direction's sequence space; NOWHERE for a stray."""
    length: array[int] = field(default_factory=_longs)
    """Bytes of sequence space: payload, SYN and FIN."""
    ack: array[int] = field(default_factory=_longs)
    """What it acknowledges: a position in the other direction's sequence space, or NOWHERE."""
    window: array[int] = field(default_factory=_longs)
    """Bytes that it offers, scaled where the scale is known."""
    marks: array[int] = field(default_factory=lambda: array("H"))
    """Mark, or-ed."""
    sack_row: array[int] = field(default_factory=_longs)
    """For each SACK block the row that carries it…"""
    sack_left: array[int] = field(default_factory=_longs)
    """…and what it covers: from this position of the other direction…"""
    sack_right: array[int] = field(default_factory=_longs)
    """…to this one, exclusive."""

    def __len__(self) -> int:
        return len(self.at_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """Bytes of one direction that never came, or came late, at this place; what a picture shows as missing."""

    direction: int
    left: int
    right: int
    """Exclusive."""
    from_ns: int
    """When a later segment showed it, or the first duplicate ACK asked for it."""
    to_ns: int | None
    """When it was filled; None: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One flow as one place shows it.

    Positions of all places of a path are those of the place that the flow is judged in: where a firewall
    rewrites sequence numbers its constant offset is taken out.  Position 0 is the ISN; where that was not seen,
    the lowest number of the capture is position 0, and `base_seq` says which raw number that is here.
    """

    flow: str
    """The report's id of it."""
    place: str
    """As a reader names it: `client`, `asa-outside`, … or the file's name where the vantage point is not known."""
    captures: tuple[str, ...]
    """Ids of the report's captures that were read for it."""
    base_seq: tuple[int, int]
    """Raw sequence number of position 0, per direction, in these captures."""
    columns: Columns
    holes: tuple[Hole, ...] = ()
    clock_error_ns: int | None = None
    """Half the width of the interval in which this place's clock lies; 0 for the reference, None: not aligned."""
    rows_left_out: int = 0
    """Segments beyond the cap, the earliest, which are told and not drawn."""
    keeps_step: tuple[bool, bool] = (True, True)
    """Towards the headend and back: whether positions are those of the place that the flow is judged in; false: a box
    on the path made the stream anew, and they count from this place's own ISN."""
    is_excerpt: bool = False
    """Only the decisive seconds, as a report keeps them."""
