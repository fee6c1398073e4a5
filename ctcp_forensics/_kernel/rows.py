"""Rows: what the kernel takes in and hands out, field by field.

The compiled core keeps these rows as C structs and the plain-Python kernel as
tuples; either way a caller sees named tuples.  Positions (`…_pos`) are
64-bit offsets in the sequence space of one direction; `-1` in a `…_frame` or
`…_ns` field means *never*, so that every field of a row is an integer.

The rows that every run needs are below.  The others are named here too, and loaded where the first of them is asked
for: to make one class costs as much as to read a hundred frames, and most captures of an archive need few.

Knows names and units.  Does not know what any of it means: see flows.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from ctcp_forensics._kernel.row import NamedTuple

if TYPE_CHECKING:
    from ctcp_forensics._kernel.codes import Checksum as Checksum
    from ctcp_forensics._kernel.codes import Kind as Kind
    from ctcp_forensics._kernel.codes import Signature as Signature
    from ctcp_forensics._kernel.codes import Tcp as Tcp
    from ctcp_forensics._kernel.codes import Trailer as Trailer
    from ctcp_forensics._kernel.columns import BriefColumns as BriefColumns
    from ctcp_forensics._kernel.columns import Mark as Mark
    from ctcp_forensics._kernel.columns import Plain as Plain
    from ctcp_forensics._kernel.columns import ScreenLimits as ScreenLimits
    from ctcp_forensics._kernel.columns import TraceColumns as TraceColumns
    from ctcp_forensics._kernel.rows_of_flows import AssociationRow as AssociationRow
    from ctcp_forensics._kernel.rows_of_flows import DirectionRow as DirectionRow
    from ctcp_forensics._kernel.rows_of_flows import EpisodeRow as EpisodeRow
    from ctcp_forensics._kernel.rows_of_flows import FlowRow as FlowRow
    from ctcp_forensics._kernel.rows_of_flows import HoleRow as HoleRow
    from ctcp_forensics._kernel.rows_of_flows import ResetRow as ResetRow
    from ctcp_forensics._kernel.rows_of_flows import SegmentRow as SegmentRow
    from ctcp_forensics._kernel.rows_of_frames import Frame as Frame
    from ctcp_forensics._kernel.rows_of_frames import Message as Message
    from ctcp_forensics._kernel.rows_of_frames import Packet as Packet
    from ctcp_forensics._kernel.rows_of_pairs import CourseRow as CourseRow
    from ctcp_forensics._kernel.rows_of_pairs import DelayRow as DelayRow
    from ctcp_forensics._kernel.rows_of_pairs import PairRow as PairRow
    from ctcp_forensics._kernel.rows_of_pairs import StrayRow as StrayRow
else:

    def __getattr__(name: str) -> object:
        """PEP 562: a class that is not here yet.  It stays here from then on."""
        if name not in HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        found = globals()[name] = getattr(import_module(f"{__package__}.{HOME_OF[name]}"), name)
        return found


ELSEWHERE = {
    "codes": ("Checksum", "Kind", "Signature", "Tcp", "Trailer"),
    "columns": ("BriefColumns", "Mark", "Plain", "ScreenLimits", "TraceColumns"),
    "rows_of_flows": (
        "AssociationRow",
        "DirectionRow",
        "EpisodeRow",
        "FlowRow",
        "HoleRow",
        "ResetRow",
        "SegmentRow",
    ),
    "rows_of_frames": ("Frame", "Message", "Packet"),
    "rows_of_pairs": ("CourseRow", "DelayRow", "PairRow", "StrayRow"),
}
HOME_OF = {name: module for module, names in ELSEWHERE.items() for name in names}

NEVER = -1
MID_STREAM = 1 << 32
"""Position of the first number seen where the ISN was not: earlier bytes keep positive positions."""


class Status(IntEnum):
    """What decoding made of one frame."""

    TCP = 0
    NOT_IP = 1
    NOT_TCP = 2
    EXOTIC = 3
    """Layers that the fast decoder does not know; dpkt is asked."""
    FRAGMENT = 4
    """A piece of an IP datagram; to be put together first."""
    ICMP_ERROR = 5
    """An ICMP error that quotes a datagram."""
    SHORT_LINK = 6
    """The frame ends inside its link-layer or IP header."""
    SHORT_TCP = 7
    """The frame ends inside its TCP header, on the wire or by the snap length."""
    MALFORMED_IP = 8
    MALFORMED_TCP = 9
    """A TCP data offset below five words or beyond the datagram."""
    UNKNOWN_LINK = 10


class Tallies(NamedTuple):
    """What one tracker saw and what it let go, over all flows."""

    flows: int
    """That are followed now."""
    flows_begun: int
    """That were ever followed: with those that were given up."""
    segments: int
    segments_unlogged: int
    """Logged segments that later ones pushed out."""
    last_ns: int


class GivenUpRow(NamedTuple):
    """Flows that were given up for others, by how far they had come; those of concern would have been judged."""

    half_open: int
    """Nothing but SYNs, or one single segment."""
    ended: int
    """Closed by an RST, or by a FIN of both ends."""
    alive: int
    half_open_of_concern: int
    ended_of_concern: int
    alive_of_concern: int
    begun_in_mid_stream: int
    """Flows that began without a SYN after the first was given up: some may be the rest of one of these."""
    bared: int
    """How often a half-open or ended flow of no concern lost the evidence kept of it; one may lose some again."""
    bared_in_question: int
    """How often another one did: alive, or to be judged."""


class PulseRow(NamedTuple):
    """When frames of any kind came, since the clock was last set back.  NEVER: none did."""

    since_ns: int
    until_ns: int
    silences: tuple[tuple[int, int], ...]
    """The SILENCES_KEPT longest times from one frame to the next, in order."""
    unlisted_ns: int
    """The longest of those that were let go; 0 where all are listed."""
