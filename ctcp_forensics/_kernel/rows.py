"""Rows: what the kernel takes in and hands out, field by field.

The compiled core keeps these rows as C structs and the plain-Python kernel as
tuples; either way a caller sees named tuples.  Positions (`…_pos`) are
64-bit offsets in the sequence space of one direction; `-1` in a `…_frame` or
`…_ns` field means *never*, so that every field of a row is an integer.

The rows that every run needs are below.  The others are named here too, and loaded where the first of them is asked
for: to make one class costs as much as to read a hundred frames, and most captures of an archive need few.

Knows names, units and caps.  Does not know what any of it means: see flows.
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

# --- caps: every table is bounded, and reaching a bound is counted and reported ------------

FRAMES_PER_BATCH = 4096
"""Frames walked, decoded and tracked together: their rows stay in the second-level cache."""

MAX_CAPTURED_LEN = 262_144
"""Longest frame believed: libpcap's MAXIMUM_SNAPLEN, beyond which Wireshark refuses a file too."""

MAX_VLAN_TAGS = 16
MAX_EXTENSION_HEADERS = 16
MAX_MESSAGES_PER_SEGMENT = 64
"""64 KiB is the longest datagram; 64 messages of the 1 KiB that GRO merges fill it."""

FLOW_CAP = 100 << 10
"""Flows followed at once: about 62 MB, and 70 more where every one of them is a tunnel that lost something both ways.
Beyond it those that matter least are given up."""

HALF_OPEN_CAP = 1 << 15
"""Half-open flows of concern that are judged where their places are needed: a flood of SYNs has more, and all say the
same.  The others are given up unjudged."""

ALL_HOLES_KEPT = 1 << 16
ALL_EPISODES_KEPT = 3 << 14
ALL_ASSOCIATIONS_KEPT = 1 << 18
ALL_RESETS_KEPT = 1 << 15
"""Pieces of evidence kept of all flows together: 6, 14, 17 and 1 MB.  100,000 ordinary flows with a little loss keep
11,000 holes and 27,000 questions at once; a full table of tunnels two associations each.  Beyond it the flows that
matter least lose all that is kept of them."""

LIVE_HOLES = 32
"""Holes kept open per direction; beyond it the oldest that nobody waits for is let go."""

HOLES_KEPT = 64
EPISODES_KEPT = 16
"""Holes and episodes kept as evidence per direction: the latest, since the last one kills."""

DUP_ACK_FRAMES_KEPT = 8
IKE_ASKS = 3
"""One IKE message may be a farewell, and two may be those of both ends of a rekey: who asks again has asked."""
CLOSE_ASK_NS = 250_000_000
"""Keep-alive timers run in seconds; two askings closer than this answer data."""
ASSOCIATIONS_KEPT = 8
RESETS_KEPT = 16
"""RSTs of a watched flow: two ends and a box on the path say it a few times each; a storm says nothing more."""

SEGMENT_LOG_CAP = 1 << 20
"""Segments of watched flows kept for evidence, pairing and pictures; the oldest go first."""

SILENCES_KEPT = 1024
"""The longest times without a frame, of each capture: an idle tunnel has no more of 20 s in five hours."""
SET_BACK_NS = 1_000_000_000
"""Frames of several interfaces may stand out of order by less; a clock that goes back by more was set."""

TRACE_CAP = 1 << 21
"""Segments of traced flows kept at one place, evenly shared among the flows; of each the oldest go first."""

STRAYS_KEPT = 4096
"""Segments named one by one that one capture has and another has not, for each direction of a flow; all are counted."""

FASTEST_PPB = 1_000_000_000
"""A clock that gains or loses a second in each is none; up to here a century's drift fits into 64 bits."""


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
