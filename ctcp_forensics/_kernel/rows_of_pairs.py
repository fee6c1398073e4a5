"""Rows of two captures of one connection: which directions are one, and what one shows of the other's segments.

Knows fields and units.  Does not know what was lost where: see vantage.
"""

from __future__ import annotations

from ctcp_forensics._kernel.row import NamedTuple


class PairRow(NamedTuple):
    """One direction of one capture, and the direction of another that carries the same messages."""

    here_flow: int
    here_side: int
    there_flow: int
    there_side: int
    matches: int
    """Messages of both, by the first time that each was sent."""
    shift: int
    """Position there less position here, of most matches."""
    agreeing: int
    """How many matches have just that shift."""


class DelayRow(NamedTuple):
    """The times between two captures over one stretch of the matches of one way."""

    way: int
    """As the caller named it for the pair of directions."""
    stretch: int
    matches: int
    here_first_frame: int
    here_last_frame: int
    there_first_frame: int
    there_last_frame: int
    least_ns: int
    """Least time there less time here, after the drift was taken out; told with it…"""
    least_at_ns: int
    """…and the time here at which it was so."""
    most_ns: int
    most_at_ns: int


class CourseRow(NamedTuple):
    """What a second capture shows of the data segments that one direction has in a first one."""

    segments: int
    same: int
    """There at their place, whole and alone."""
    covered: int
    """Their bytes are there, cut or merged in another way."""
    altered: int
    """Another content is there at their place."""
    missing: int
    """Some of their bytes are not there, though earlier and later ones are."""
    repeated: int
    """The same bytes were sent more often here than there; the earlier ones are counted here."""
    before: int
    """They lie before the first byte that is there…"""
    before_last_frame: int
    before_last_ns: int
    after: int
    """…or behind the last one."""
    after_first_frame: int
    after_first_ns: int
    after_last_frame: int
    after_last_ns: int
    beyond: int
    """Behind the last one as well, and sent when the capture there may have been over."""
    largest_arrived: int
    """Bytes of the largest segment that is there; NEVER without one."""


class StrayRow(NamedTuple):
    """One segment that is missing or altered in the other capture."""

    frame: int
    time_ns: int
    pos: int
    length: int
    spi: int
    esp_seq: int
    is_altered: int
    was_repeated: int
    """1 where the same bytes are there, and were sent here more often."""
    is_damaged: int
    """1 where it was damaged before it came here."""
