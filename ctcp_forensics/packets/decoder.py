"""The decoder of one capture: what the kernel leaves of a batch is unwrapped, put together or counted by reason.

Knows in which order layers are tried, and when to give up.  Does not know what a layer looks like: see tunnels,
fragments and icmp.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from ctcp_forensics import _kernel
from ctcp_forensics._kernel.rows import Status
from ctcp_forensics.packets.fragments import Reassembly
from ctcp_forensics.packets.icmp import IcmpError, icmp_error

if TYPE_CHECKING:
    from ctcp_forensics._kernel.plain_decode import FrameTable
    from ctcp_forensics._kernel.rows import Frame

MAX_ICMP_ERRORS: Final = 1000
"""Kept of one capture: a box that repeats itself says nothing new."""

UNWRAPPED: Final = (Status.EXOTIC, Status.FRAGMENT)
REASONS: Final = {
    Status.SHORT_LINK: "ends inside its link or IP header",
    Status.SHORT_TCP: "ends inside its TCP header",
    Status.MALFORMED_IP: "malformed IP header",
    Status.MALFORMED_TCP: "malformed TCP header",
    Status.FRAGMENT: "IP fragment whose datagram was never complete",
}
TCP_STATUSES: Final = (Status.TCP, Status.SHORT_TCP, Status.MALFORMED_TCP)


class Decoder(msgspec.Struct):
    """Decodes batches of one capture and keeps count of what it could not."""

    tcp_segments: int = 0
    undecoded: Counter[str] = msgspec.field(default_factory=Counter)
    icmp_errors: list[IcmpError] = msgspec.field(default_factory=list)
    icmp_errors_refused: int = 0
    packets: _kernel.Packets = msgspec.field(default_factory=_kernel.Packets)
    fragments: Reassembly = msgspec.field(default_factory=Reassembly)
    joined: dict[int, tuple[int, ...]] = msgspec.field(default_factory=dict)
    """Of the present batch: frames with the last piece of a datagram, and the frames of all its pieces."""

    def decode(self, buffer: bytes | bytearray | memoryview, frames: FrameTable) -> _kernel.Packets:
        """Decode one batch; the packets are good until the next call."""
        _kernel.decode(buffer, frames, self.packets)
        self.complete(buffer, frames, self.packets)
        return self.packets

    def complete(
        self, buffer: bytes | bytearray | memoryview, frames: FrameTable, packets: _kernel.Packets
    ) -> None:
        """What the kernel left of a batch that it decoded.  In the order of the capture: fragments wait for more."""
        self.joined.clear()
        view = memoryview(buffer)
        for index in packets.unfinished():
            frame = frames[index]
            data = bytes(view[frame.offset : frame.offset + frame.captured_len])
            self._finish(packets, index, data, frame)
        self._count(packets.tally())

    def _finish(self, packets: _kernel.Packets, index: int, data: bytes, frame: Frame) -> None:
        """Unwrap, put together or read what the kernel left at `index`."""
        from ctcp_forensics.packets.tunnels import MAX_LAYERS, outermost  # most captures have no such frame

        datagram, reason = outermost(data, frame.link_type)
        for _ in range(MAX_LAYERS):
            if datagram is None:
                self._give_up(packets, index, reason)
                return
            state = packets.place(index, datagram)
            if state == Status.ICMP_ERROR:
                self._note_icmp(datagram, frame)
            if state not in UNWRAPPED:
                return
            datagram, reason = self._next_layer(frame, state, datagram)
        self._give_up(packets, index, "more than eight layers of tunnels")

    def _next_layer(self, frame: Frame, state: int, datagram: bytes) -> tuple[bytes | None, str]:
        if state != Status.FRAGMENT:
            from ctcp_forensics.packets.tunnels import unwrap_ip

            return unwrap_ip(datagram)
        whole = self.fragments.take(datagram, frame.number)
        if whole is not None:
            self.joined[frame.number] = self.joined.get(frame.number, ()) + self.fragments.joined_from
        return whole, ""

    def _give_up(self, packets: _kernel.Packets, index: int, reason: str) -> None:
        """An empty reason means a fragment that waits for others: it is counted as such until they come."""
        if reason:
            self.undecoded[reason] += 1
            packets.settle(index, Status.UNKNOWN_LINK)
        else:
            packets.settle(index, Status.NOT_TCP)

    def _count(self, tally: list[int]) -> None:
        self.tcp_segments += sum(tally[status] for status in TCP_STATUSES)
        for status, reason in REASONS.items():
            if tally[status]:
                self.undecoded[reason] += tally[status]

    def _note_icmp(self, datagram: bytes, frame: Frame) -> None:
        error = icmp_error(datagram, frame)
        if error is None:
            return
        if len(self.icmp_errors) == MAX_ICMP_ERRORS:
            self.icmp_errors_refused += 1
            return
        self.icmp_errors.append(error)

    def add_segments(self, segments: int) -> None:
        """Of batches in which there was nothing else to be done."""
        self.tcp_segments += segments

    def finish(self) -> None:
        """The capture is over: fragments that still wait will not be completed."""
        if self.fragments.waiting:
            self.undecoded[REASONS[Status.FRAGMENT]] += self.fragments.waiting
