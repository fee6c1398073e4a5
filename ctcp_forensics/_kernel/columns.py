"""Columns: what is told of many segments, or of many flows, at once.

Knows fields, marks and the words of a screen.  Does not know what is drawn or printed of them.
"""

from __future__ import annotations

from array import array
from enum import IntEnum, IntFlag

from ctcp_forensics._kernel.row import NamedTuple


class Mark(IntFlag):
    """What one segment of a traced flow is, by what the tracker counted for it; several may hold.

    WANTED and LOST take more than one segment to know: see retrace.
    """

    SYN = 1
    FIN = 2
    RST = 4
    AGAIN = 8
    """Bytes sent before: a retransmission."""
    FILLING = 16
    """Bytes that this place had not seen, below bytes that it had."""
    COPY = 32
    """The same datagram once more: the network or the capture doubled it."""
    STRAY = 64
    """Too far from the flow's sequence space to belong to it; it has no position."""
    DUPLICATE_ACK = 128
    """RFC 5681 §2, or by SACK RFC 6675 §2."""
    DSACK = 256
    KEEP_ALIVE = 512
    ZERO_WINDOW = 1024
    WANTED = 2048
    """It carries the byte that duplicate ACKs ask for."""
    LOST = 4096
    """It is known not to have arrived at the next place behind."""
    DAMAGED = 8192
    """Its TCP checksum is wrong though its direction's checksums are right: it came with other bytes than were sent."""


class TraceColumns(NamedTuple):
    """The segments of one traced flow, column by column, in the order in which they were followed."""

    frame: array[int]
    time_ns: array[int]
    direction: array[int]
    pos: array[int]
    """NEVER where it is too far from the flow's sequence space."""
    length: array[int]
    """Of the sequence space: payload, SYN and FIN."""
    ack_pos: array[int]
    """This segment's own; NEVER without the ACK flag, and where it is too far off."""
    window: array[int]
    """Scaled where both SYNs were seen and have the option."""
    marks: array[int]
    sack_row: array[int]
    """For each SACK block the row of the segment that carries it…"""
    sack_left: array[int]
    sack_right: array[int]
    """…and what it covers, [left, right)."""


class Plain(IntEnum):
    """What the counters of one flow say by themselves; the judgement would say the same."""

    JUDGE = 0
    """They leave something open: the flow has to be judged."""
    UNREAD = 1
    """Nothing is wrong, and no payload was captured far enough to tell what it carries."""
    RESET = 2
    """An end that carries no cTCP closed with an RST of its own."""
    ANSWERED = 3
    LOSS_TOLERATED = 4
    CLOSED = 5
    WELL = 6
    OTHER = 7
    """It carries something else, and nothing of what happened to it has a name."""
    ESP_LOSS_TOLERATED = 8
    """As LOSS_TOLERATED, of ESP whose trailers were not captured; the next two likewise."""
    ESP_CLOSED = 9
    ESP_WELL = 10
    ONE_SIDED = 11
    """One direction of a tunnel was captured, so that nobody can tell how it fared.  It is told as what is judged."""


class ScreenLimits(NamedTuple):
    """The thresholds of the claims that a screen goes by, under the claims' own names; lengths of time in ns."""

    silence: int
    spliced: int
    after_close: int
    idle: int
    vanished: int
    reply: int
    stuck: int
    alone_segments: int
    link_down_silence: int
    busy_frames: int
    rhythm: int
    route_change_hops: int
    goodbye: int
    farewell: int
    ike_informational: int
    certain_share: int
    esp_run: int
    esp_breaks_share: int
    pause_messages: int
    twice_segments: int
    twice_share: int


class BriefColumns(NamedTuple):
    """A few facts of many flows, column by column: integers with a space between."""

    addresses: list[bytes]
    """Each once, in the order in which they are met."""
    client: str
    """Its place among the addresses."""
    client_port: str
    headend: str
    headend_port: str
    first_ns: str
    last_ns: str
    first_frame: str
    to_headend: str
    """Segments that the client sent."""
    to_client: str
