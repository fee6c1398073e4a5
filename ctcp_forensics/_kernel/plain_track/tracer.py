"""Tracer: a second look at some flows, with a row for each of their segments.

What a segment is, is what the tracker counts for it: nothing is decided here a second time, and following a
flow without a trace costs nothing.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ctcp_forensics._kernel.caps import TRACE_CAP
from ctcp_forensics._kernel.plain_decode import Packets
from ctcp_forensics._kernel.plain_track.payload import is_damaged
from ctcp_forensics._kernel.plain_track.state import STRAY_DISTANCE, Direction
from ctcp_forensics._kernel.plain_track.tracker import Tracker, conversation
from ctcp_forensics._kernel.rows import NEVER, Mark, Packet, Status, Tcp, TraceColumns

MAX_SCALE: Final = 14
"""RFC 7323 §2.3: a larger shift is taken as this one."""

OF_ITS_SENDER: Final = (
    ("copies", Mark.COPY),
    ("keep_alives", Mark.KEEP_ALIVE),
    ("zero_windows", Mark.ZERO_WINDOW),
    ("retransmissions", Mark.AGAIN),
    ("filling_bytes", Mark.FILLING),
)
OF_ITS_RECEIVER: Final = (
    ("duplicate_acks", Mark.DUPLICATE_ACK),
    ("sack_duplicate_acks", Mark.DUPLICATE_ACK),
    ("dsacks", Mark.DSACK),
)
"""Counters, and what a segment is that raises them; an ACK is counted with the data that it is about."""


class Traced(NamedTuple):
    """One segment."""

    frame: int
    time_ns: int
    direction: int
    pos: int
    length: int
    ack_pos: int
    window: int
    marks: int
    sacks: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Wanted:
    """One flow to be traced, and what was kept of it."""

    ends: tuple[bytes, int, bytes, int]
    first_frame: int
    index: int = NEVER
    segments: int = 0
    rows: list[Traced] = field(default_factory=list)


class Tracer:
    """Follows the flows that it was told of and no others, each from its first frame on.

    Of each flow `cap` rows are kept, the latest.
    """

    def __init__(self, cap: int = TRACE_CAP) -> None:
        self.tracker = Tracker()
        self._cap = max(1, cap)
        self._wanted: list[Wanted] = []
        self._begun: set[tuple[bytes, int, bytes, int]] = set()

    def want(self, src: bytes, sport: int, dst: bytes, dport: int, first_frame: int) -> int:
        """Trace the flow between two ends, either first, that begins with `first_frame`; its number here."""
        one, other = sorted(((src, sport), (dst, dport)))
        self._wanted.append(Wanted((*one, *other), first_frame))
        return len(self._wanted) - 1

    def feed(self, packets: Packets) -> None:
        """Take one batch of packets, in the order of the capture; those of other flows are passed over."""
        for at in range(len(packets)):
            packet = packets[at]
            if packet.status == Status.TCP and self._is_followed(packet):
                self._trace(packet)

    def index(self, number: int) -> int:
        """The flow's index in the tracker; NEVER where its first frame did not come."""
        return self._wanted[number].index

    def segments(self, number: int) -> int:
        """How many segments the flow has, with those that were let go."""
        return self._wanted[number].segments

    def columns(self, number: int) -> TraceColumns:
        rows = self._wanted[number].rows
        blocks = [(at, *block) for at, row in enumerate(rows) for block in row.sacks]
        return TraceColumns(
            *(array("q", [getattr(row, name) for row in rows]) for name in TraceColumns._fields[:8]),
            *(array("q", [block[field] for block in blocks]) for field in range(3)),
        )

    # --- one segment ------------------------------------------------------------------------

    def _is_followed(self, p: Packet) -> bool:
        """Earlier flows of the same ends are none of ours: the flow begins anew with its first frame."""
        ends = conversation(p)
        if any(one.first_frame == p.frame and one.ends == ends for one in self._wanted):
            self._begun.add(ends)
        return ends in self._begun

    def _trace(self, p: Packet) -> None:
        index = self.tracker._find(p)
        if index == NEVER:
            return
        flow = self.tracker._flows[index]
        side = flow.side_of(p)
        d, peer = flow.directions[side], flow.directions[1 - side]
        before = counts(d, peer)
        self.tracker._follow(p)
        row = traced(d, peer, side, p, changes(before, counts(d, peer)))
        ends = conversation(p)
        for one in self._wanted:
            if one.index == NEVER and one.first_frame == p.frame and one.ends == ends:
                one.index = index
            if one.index == index and flow.first_frame == one.first_frame:
                self._keep(one, row)

    def _keep(self, one: Wanted, row: Traced) -> None:
        one.segments += 1
        one.rows.append(row)
        if len(one.rows) > self._cap:
            del one.rows[0]


def counts(d: Direction, peer: Direction) -> list[int]:
    return [getattr(d, name) for name, _ in OF_ITS_SENDER] + [
        getattr(peer, name) for name, _ in OF_ITS_RECEIVER
    ]


def changes(before: list[int], after: list[int]) -> int:
    """What the segment is between the two counts."""
    marks = 0
    for (_, mark), was, now in zip((*OF_ITS_SENDER, *OF_ITS_RECEIVER), before, after, strict=True):
        marks |= mark if was != now else 0
    return marks


def traced(d: Direction, peer: Direction, side: int, p: Packet, marks: int) -> Traced:
    """The row of a segment that was followed just now."""
    pos = placed(d, p.seq)
    ack_pos = placed(peer, p.ack) if p.flags & Tcp.ACK else NEVER
    return Traced(
        p.frame,
        p.time_ns,
        side,
        pos,
        p.payload_len + bool(p.flags & Tcp.SYN) + bool(p.flags & Tcp.FIN),
        ack_pos,
        scaled_window(d, peer, p),
        marks
        | opening_marks(p)
        | (Mark.STRAY if pos == NEVER else 0)
        | (Mark.DAMAGED if is_damaged(d, p) else 0),
        blocks_near(peer, p, ack_pos),
    )


def placed(d: Direction, seq: int) -> int:
    """A number's position, unless it is too far off or nothing is known of its direction."""
    pos = d.place(seq) if d.anchored else NEVER
    return NEVER if pos == NEVER or d.is_far(pos) else pos


def opening_marks(p: Packet) -> int:
    return (
        (Mark.SYN if p.flags & Tcp.SYN else 0)
        | (Mark.FIN if p.flags & Tcp.FIN else 0)
        | (Mark.RST if p.flags & Tcp.RST else 0)
    )


def scaled_window(d: Direction, peer: Direction, p: Packet) -> int:
    """RFC 7323 §2.2: scaled where both ends offered it in their SYNs, and never in a SYN itself."""
    if p.flags & Tcp.SYN or NEVER in (d.window_scale, peer.window_scale):
        return p.window
    return p.window << min(d.window_scale, MAX_SCALE)


def blocks_near(peer: Direction, p: Packet, ack_pos: int) -> tuple[tuple[int, int], ...]:
    """The SACK blocks that hold something, and lie no further from the ACK than any window reaches."""
    if ack_pos == NEVER:
        return ()
    blocks = [(peer.place(left), peer.place(right)) for left, right in p.sacks]
    return tuple(
        (left, right)
        for left, right in blocks
        if left < right and all(abs(edge - ack_pos) <= STRAY_DISTANCE for edge in (left, right))
    )
