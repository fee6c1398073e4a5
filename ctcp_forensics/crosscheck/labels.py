"""Labels: what we say of each segment, told by the counters that it moved.

The kernel keeps counters and no list of segments, so the plain tracker is fed one packet at a time and its
rows are compared before and after.  Knows frames.  Does not know why two programs differ: see reasons.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from ctcp_forensics._kernel.plain_decode import Packets
from ctcp_forensics._kernel.plain_track import Direction, Tracker
from ctcp_forensics._kernel.rows import DirectionRow, Packet
from ctcp_forensics.crosscheck.wireshark import Kind, Sight, Wireshark
from ctcp_forensics.flows import Conversation, conversation

Changes = dict[str, int]

UNTOUCHED = Direction().row()
REPEATING = ("retransmissions", "late_originals", "undecided_repeats", "rewrites", "filling_bytes")


class By(StrEnum):
    """Who gives a frame a label that the other does not."""

    US = "ctcp-diag"
    TSHARK = "tshark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One segment, what it changed here, and what Wireshark's own definitions make of it."""

    packet: Packet
    flow: int
    side: int
    own: Changes
    """Counters of the direction that the segment belongs to…"""
    peer: Changes
    """…and of the direction that it acknowledges."""
    own_row: DirectionRow
    peer_row: DirectionRow
    sight: Sight
    has_short_frames: bool
    """A frame of this flow ended before its IP length said so."""

    @property
    def repeats_numbers(self) -> bool:
        """Some of it was below what comes next: sent again, late, overlapping, or filling a hole.

        New data that overlaps by one number is none of it: a sender that gave its SYN no number does that.
        """
        return self.own.get("again_bytes", 0) > 1 or any(name in self.own for name in REPEATING)

    @property
    def labels(self) -> frozenset[Kind]:
        """Ours, under the names of the facts that Wireshark labels too."""
        given = {
            Kind.DUPLICATE_ACK: "duplicate_acks" in self.peer or "sack_duplicate_acks" in self.peer,
            Kind.AGAIN: self.repeats_numbers,
            Kind.LOST: "holes_opened" in self.own,
            Kind.UNSEEN: "unseen_acks" in self.peer,
            Kind.ZERO_WINDOW: "zero_windows" in self.own,
            Kind.KEEP_ALIVE: "keep_alives" in self.own,
            Kind.WINDOW_UPDATE: "window_updates" in self.peer,
        }
        return frozenset(kind for kind, holds in given.items() if holds)


class Observer:
    """Follows flows as the tracker does, and says after each segment what it changed."""

    def __init__(self) -> None:
        self.tracker = Tracker()
        self._one = Packets()
        self._index: dict[Conversation, int] = {}
        self._rows: dict[int, tuple[DirectionRow, DirectionRow]] = {}
        self._wireshark = Wireshark()
        self._short: set[int] = set()

    def see(self, packet: Packet, wire_len: int) -> Seen | None:
        """Take one segment; None once the tracker has given up a flow.  `wire_len`: see Wireshark.look."""
        flow = self._follow(packet)
        if flow is None:
            return None
        row = self.tracker.flow(flow)
        side = 0 if (packet.src, packet.sport) == (row.src, row.sport) else 1
        before = self._rows.get(flow, (UNTOUCHED, UNTOUCHED))
        after = (self.tracker.direction(flow, 0), self.tracker.direction(flow, 1))
        self._rows[flow] = after
        if wire_len < packet.payload_len:
            self._short.add(flow)
        return Seen(
            packet=packet,
            flow=flow,
            side=side,
            own=changes(before[side], after[side]),
            peer=changes(before[1 - side], after[1 - side]),
            own_row=after[side],
            peer_row=after[1 - side],
            sight=self._wireshark.look(packet, wire_len, (flow, side), (flow, 1 - side)),
            has_short_frames=flow in self._short,
        )

    def _follow(self, packet: Packet) -> int | None:
        key = conversation(packet.src, packet.sport, packet.dst, packet.dport)
        flows = self.tracker.tallies().flows
        self._one.clear()
        self._one.append(packet)
        self.tracker.feed(self._one)
        tallies = self.tracker.tallies()
        if tallies.flows > flows:
            self._index[key] = flows
        return self._index.get(key) if tallies.flows_begun == tallies.flows else None


def changes(before: DirectionRow, after: DirectionRow) -> Changes:
    """The counters that rose."""
    return {
        name: int(now) - int(was)
        for name, was, now in zip(DirectionRow._fields, before, after, strict=True)
        if now > was
    }


def labels_of(packets: Iterable[tuple[Packet, int]]) -> Iterator[Seen]:
    """Each segment with what it changed; those of flows beyond the tracker's cap are left out."""
    observer = Observer()
    for packet, wire_len in packets:
        seen = observer.see(packet, wire_len)
        if seen is not None:
            yield seen
