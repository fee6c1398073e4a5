"""Frames → Packets: the kernel decodes the common layers, this module the rest.

Knows what the fast decoder leaves behind: tunnels and radio frames (through dpkt),
IP fragments, ICMP errors.  What nobody knows is counted by reason.  Does not know flows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from struct import unpack_from
from typing import Final, Protocol

from ctcp_forensics import _kernel
from ctcp_forensics._kernel.plain_decode import find_ip
from ctcp_forensics._kernel.rows import Frame, Status

MAX_LAYERS: Final = 8
"""Tunnels in tunnels that are unwrapped before a frame is given up."""
MAX_ICMP_ERRORS: Final = 1000
MAX_DATAGRAMS: Final = 256
"""IP datagrams put together at once; the oldest incomplete one makes room."""
MAX_DATAGRAM_LEN: Final = 65_535
MAX_FRAGMENTS: Final = 8192 // 8
"""Fragments of one datagram: 64 KiB in pieces of 64 bytes, smaller than any link makes them."""

UNWRAPPED: Final = (Status.EXOTIC, Status.FRAGMENT)
REASONS: Final = {
    Status.SHORT_LINK: "ends inside its link or IP header",
    Status.SHORT_TCP: "ends inside its TCP header",
    Status.MALFORMED_IP: "malformed IP header",
    Status.MALFORMED_TCP: "malformed TCP header",
    Status.FRAGMENT: "IP fragment whose datagram was never complete",
}
TCP_STATUSES: Final = (Status.TCP, Status.SHORT_TCP, Status.MALFORMED_TCP)


class FrameTable(Protocol):
    """A batch of frames, as savefile hands it over."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Frame: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class IcmpError:
    """An ICMP error and the flow that the datagram it quotes belonged to."""

    frame: int
    time_ns: int
    kind: str
    """`fragmentation-needed`, `prohibited`, `unreachable`, `time-exceeded` or `other`."""
    mtu: int | None
    src: bytes
    sport: int
    dst: bytes
    dport: int


@dataclass(slots=True)
class Decoder:
    """Decodes batches of one capture and keeps count of what it could not."""

    tcp_segments: int = 0
    undecoded: Counter[str] = field(default_factory=Counter)
    icmp_errors: list[IcmpError] = field(default_factory=list)
    icmp_errors_refused: int = 0
    packets: _kernel.Packets = field(default_factory=_kernel.Packets)
    fragments: Reassembly = field(default_factory=lambda: Reassembly())

    def decode(self, buffer: bytes | bytearray | memoryview, frames: FrameTable) -> _kernel.Packets:
        """Decode one batch; the packets are good until the next call."""
        _kernel.decode(buffer, frames, self.packets)
        view = memoryview(buffer)
        for index in self.packets.unfinished():
            frame = frames[index]
            data = bytes(view[frame.offset : frame.offset + frame.captured_len])
            self._finish(index, data, frame)
        self._count(self.packets.tally())
        return self.packets

    def _finish(self, index: int, data: bytes, frame: Frame) -> None:
        """Unwrap, put together or read what the kernel left at `index`."""
        status, at = find_ip(memoryview(data), frame.link_type)
        if status == Status.EXOTIC:
            datagram, reason = unwrap_link(data, frame.link_type)
        else:
            datagram, reason = data[at:], ""
        for _ in range(MAX_LAYERS):
            if datagram is None:
                self._give_up(index, reason)
                return
            state = self.packets.place(index, datagram)
            if state == Status.ICMP_ERROR:
                self._note_icmp(datagram, frame)
            if state not in UNWRAPPED:
                return
            datagram, reason = self._next_layer(index, state, datagram)
        self._give_up(index, "more than eight layers of tunnels")

    def _next_layer(self, index: int, state: int, datagram: bytes) -> tuple[bytes | None, str]:
        if state == Status.FRAGMENT:
            return self.fragments.take(datagram), ""
        return unwrap_ip(datagram)

    def _give_up(self, index: int, reason: str) -> None:
        """An empty reason means a fragment that waits for others: it is counted as such until they come."""
        if reason:
            self.undecoded[reason] += 1
            self.packets.settle(index, Status.UNKNOWN_LINK)
        else:
            self.packets.settle(index, Status.NOT_TCP)

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

    def finish(self) -> None:
        """The capture is over: fragments that still wait will not be completed."""
        if self.fragments.waiting:
            self.undecoded[REASONS[Status.FRAGMENT]] += self.fragments.waiting


# --- fragments: RFC 791 §3.2, RFC 8200 §4.5 ----------------------------------------------------


@dataclass(slots=True)
class Datagram:
    """Pieces of one datagram, and its length once the last piece came."""

    pieces: dict[int, bytes] = field(default_factory=dict)
    total_len: int | None = None
    header: bytes = b""
    protocol: int = 0

    def joined(self) -> bytes | None:
        """The payload, where it is complete; of bytes that came twice the first are kept."""
        if self.total_len is None or 0 not in self.pieces:
            return None
        payload = bytearray()
        for offset in sorted(self.pieces):
            if offset > len(payload):
                return None
            payload += self.pieces[offset][len(payload) - offset :]
        return bytes(payload[: self.total_len]) if len(payload) >= self.total_len else None


@dataclass(slots=True)
class Reassembly:
    """Puts datagrams together from their fragments, in bounded memory."""

    datagrams: dict[tuple[bytes, ...], Datagram] = field(default_factory=dict)
    evicted: int = 0
    waiting: int = 0
    """Fragments seen whose datagrams are not complete."""

    def take(self, datagram: bytes) -> bytes | None:
        """One fragment in; the whole datagram out, once it is complete."""
        piece = fragment_of(datagram)
        if piece is None:
            return None
        self.waiting += 1
        kept = self._room_for(piece.key)
        if len(kept.pieces) < MAX_FRAGMENTS and piece.offset + len(piece.payload) <= MAX_DATAGRAM_LEN:
            kept.pieces.setdefault(piece.offset, piece.payload)
        if piece.offset == 0:
            kept.header, kept.protocol = piece.header, piece.protocol
        if not piece.more:
            kept.total_len = piece.offset + len(piece.payload)
        payload = kept.joined()
        if payload is None:
            return None
        self.waiting -= len(kept.pieces)
        del self.datagrams[piece.key]
        return whole_datagram(kept, payload)

    def _room_for(self, key: tuple[bytes, ...]) -> Datagram:
        if key not in self.datagrams and len(self.datagrams) == MAX_DATAGRAMS:
            del self.datagrams[next(iter(self.datagrams))]
            self.evicted += 1
        return self.datagrams.setdefault(key, Datagram())


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """One fragment, IPv4 or IPv6."""

    key: tuple[bytes, ...]
    offset: int
    more: bool
    header: bytes
    protocol: int
    payload: bytes


def fragment_of(datagram: bytes) -> Fragment | None:
    """Read a fragment's place; None where the capture holds less than the fragment had."""
    return fragment_of_ipv4(datagram) if datagram[0] >> 4 == 4 else fragment_of_ipv6(datagram)


def fragment_of_ipv4(datagram: bytes) -> Fragment | None:
    header_len, (total_len, _, field_) = (datagram[0] & 15) * 4, unpack_from(">HHH", datagram, 2)
    if total_len > len(datagram) or total_len < header_len:
        return None
    return Fragment(
        key=(datagram[12:20], datagram[4:6], datagram[9:10]),
        offset=(field_ & 0x1FFF) * 8,
        more=bool(field_ & 0x2000),
        header=datagram[:header_len],
        protocol=datagram[9],
        payload=datagram[header_len:total_len],
    )


def fragment_of_ipv6(datagram: bytes) -> Fragment | None:
    """The fragment header may follow hop-by-hop, routing and destination options."""
    end = 40 + unpack_from(">H", datagram, 4)[0]
    protocol, at = datagram[6], 40
    while protocol in (0, 43, 60) and len(datagram) >= at + 8:
        protocol, at = datagram[at], at + (datagram[at + 1] + 1) * 8
    if protocol != 44 or end > len(datagram) or end < at + 8:
        return None
    (field_,) = unpack_from(">H", datagram, at + 2)
    return Fragment(
        key=(datagram[8:40], datagram[at + 4 : at + 8]),
        offset=field_ & 0xFFF8,
        more=bool(field_ & 1),
        header=datagram[:40],
        protocol=datagram[at],
        payload=datagram[at + 8 : end],
    )


def whole_datagram(kept: Datagram, payload: bytes) -> bytes:
    """The header of the first fragment, with lengths as if there had been one datagram."""
    header = bytearray(kept.header)
    if header[0] >> 4 == 6:
        header[4:6] = min(len(payload), 0xFFFF).to_bytes(2, "big")
        header[6] = kept.protocol
    else:
        header[2:4] = min(len(header) + len(payload), 0xFFFF).to_bytes(2, "big")
        header[6:8] = bytes(2)
    return bytes(header) + payload


# --- ICMP errors: RFC 792, RFC 1191 §4, RFC 4443 §3 --------------------------------------------

ICMP_KINDS: Final = {(3, 4): "fragmentation-needed", (3, 9): "prohibited", (3, 10): "prohibited", (3, 13): "prohibited"}
ICMPV6_KINDS: Final = {(1, 1): "prohibited"}
ICMP_TYPES: Final = {3: "unreachable", 11: "time-exceeded"}
ICMPV6_TYPES: Final = {1: "unreachable", 2: "fragmentation-needed", 3: "time-exceeded"}


def icmp_error(datagram: bytes, frame: Frame) -> IcmpError | None:
    """The error and the TCP flow it quotes; None where it quotes another protocol or too little."""
    is_v4 = datagram[0] >> 4 == 4
    at = (datagram[0] & 15) * 4 if is_v4 else 40
    quoted = datagram[at + 8 :]
    ends = quoted_ends(quoted)
    if ends is None:
        return None
    kind_code = (datagram[at], datagram[at + 1])
    kinds, types = (ICMP_KINDS, ICMP_TYPES) if is_v4 else (ICMPV6_KINDS, ICMPV6_TYPES)
    kind = kinds.get(kind_code) or types.get(kind_code[0], "other")
    mtu = unpack_from(">H" if is_v4 else ">I", datagram, at + (6 if is_v4 else 4))[0]
    src, sport, dst, dport = ends
    return IcmpError(
        frame=frame.number,
        time_ns=frame.time_ns,
        kind=kind,
        mtu=mtu if kind == "fragmentation-needed" else None,
        src=src,
        sport=sport,
        dst=dst,
        dport=dport,
    )


def quoted_ends(quoted: bytes) -> tuple[bytes, int, bytes, int] | None:
    """Addresses and ports of a quoted TCP datagram: its header and eight bytes are enough."""
    if len(quoted) >= 28 and quoted[0] >> 4 == 4 and quoted[9] == 6:
        at, src, dst = (quoted[0] & 15) * 4, quoted[12:16], quoted[16:20]
    elif len(quoted) >= 48 and quoted[0] >> 4 == 6 and quoted[6] == 6:
        at, src, dst = 40, quoted[8:24], quoted[24:40]
    else:
        return None
    if len(quoted) < at + 4:
        return None
    sport, dport = unpack_from(">HH", quoted, at)
    return src, sport, dst, dport


# --- the exotic, through dpkt ------------------------------------------------------------------

LINK_NAMES: Final = {105: "IEEE 802.11", 127: "radiotap", 107: "frame relay", 8: "SLIP", 192: "PPI", 51: "PPPoE"}


def unwrap_link(data: bytes, link_type: int) -> tuple[bytes | None, str]:
    """The first IP datagram inside a frame of an exotic link layer, or the reason why there is none."""
    opener = link_openers().get(link_type)
    if opener is None:
        return None, f"link type {link_type} ({LINK_NAMES.get(link_type, 'not decoded')})"
    return unwrapped(lambda: opener(data), f"{LINK_NAMES.get(link_type, f'link type {link_type}')} frame")


def unwrap_ip(datagram: bytes) -> tuple[bytes | None, str]:
    """The IP datagram inside an IP tunnel."""
    return unwrapped(lambda: ip_layer(datagram), "IP tunnel")


def link_openers() -> dict[int, Callable[[bytes], object]]:
    import dpkt

    return {
        1: dpkt.ethernet.Ethernet,
        51: dpkt.pppoe.PPPoE,
        9: dpkt.ppp.PPP,
        50: dpkt.ppp.PPP,
        105: dpkt.ieee80211.IEEE80211,
        127: dpkt.radiotap.Radiotap,
        113: dpkt.sll.SLL,
        276: dpkt.sll2.SLL2,
    }


def ip_layer(datagram: bytes) -> object:
    """What dpkt finds inside an IP datagram: its payload layer, not the datagram itself."""
    import dpkt

    layer = dpkt.ip.IP(datagram) if datagram[0] >> 4 == 4 else dpkt.ip6.IP6(datagram)
    return layer.data


def unwrapped(read: Callable[[], object], what: str) -> tuple[bytes | None, str]:
    """Follow dpkt's layers down to the first IP datagram."""
    import dpkt

    try:
        layer = read()
        for _ in range(MAX_LAYERS):
            if isinstance(layer, dpkt.ip.IP | dpkt.ip6.IP6):
                return bytes(layer), ""
            layer = getattr(layer, "data", b"")
    except Exception as error:  # dpkt raises what its struct and index operations raise on hostile bytes
        return None, f"{what} that dpkt cannot read ({type(error).__name__})"
    return None, f"{what} without an IP datagram that dpkt knows"
