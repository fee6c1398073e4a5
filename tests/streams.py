"""Streams: packets and frames made to be awkward, for comparing the two kernels.

Knows how segments and frames look, and which values lie on edges.  Does not know what a kernel should make of them.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from hypothesis import strategies as st

from ctcp_forensics._kernel.plain_decode import NO_PACKET
from ctcp_forensics._kernel.rows import Checksum, Frame, Kind, Message, Packet, Signature, Tcp, Trailer
from tests.wire import checksum

SEQUENCE_SPACE = 1 << 32
EDGE = SEQUENCE_SPACE - 700
"""Numbers begin here, so that a stream of a few segments wraps."""
MS = 1_000_000

ETHERNET = 1
LINK_LAYERS: dict[int, bytes] = {
    0: b"\x02\x00\x00\x00",
    1: bytes(12) + b"\x08\x00",
    9: b"\xff\x03\x00\x21",
    12: b"",
    14: b"",
    50: b"\x21",
    101: b"",
    104: b"\x0f\x00\x08\x00",
    108: b"\x00\x00\x00\x02",
    113: bytes(14) + b"\x08\x00",
    228: b"",
    229: b"",
    276: b"\x08\x00" + bytes(18),
    105: b"\x08\x01",
}
"""The bytes before an IPv4 header, by link type; the last is one that nobody decodes."""

ETHERNET_HEADS: tuple[bytes, ...] = (
    b"\x08\x00",
    b"\x81\x00\x00\x07\x08\x00",
    b"\x88\xa8\x00\x07\x81\x00\x00\x08\x08\x00",
    b"\x81\x00\x00\x01" * 16 + b"\x08\x00",
    b"\x81\x00\x00\x01" * 17 + b"\x08\x00",
    b"\x00\x40\xaa\xaa\x03\x00\x00\x00\x08\x00",
    b"\x00\x40\xaa\xaa\x03\x00\x00\x01\x08\x00",
    b"\x00\x40\xaa\xaa\x03\x00\x00\x00\x88\x47",
    b"\x05\xdc\x42\x42\x03" + bytes(20),
    b"\x88\x47" + bytes(20),
    b"\x89\x3f" + bytes(20),
    b"\x08\x06" + bytes(28),
)

OPTIONS: tuple[bytes, ...] = (
    b"",
    b"\x01\x01\x08\x0a" + bytes(8),
    b"\x02\x04\x05\xb4\x04\x02\x08\x0a" + bytes(8) + b"\x01\x03\x03\x07",
    b"\x01\x01\x05\x0a" + struct.pack(">II", EDGE + 100, EDGE + 200),
    b"\x01\x01\x05\x22" + struct.pack(">8I", *range(EDGE - 800, EDGE, 100)),
    b"\x05\x09" + bytes(7) + b"\x00\x02\x04",
    b"\x02\x04\x00\x01\x02\x04\x00\x02",
    b"\x03\x01\x00\x00",
    b"\x08\x00\x01\x01",
    b"\xfe\x28" + bytes(2),
    b"\x04\x02\x01\x00",
)


# --- packets, as a tracker is fed with them ------------------------------------------------------------


def trailer_messages(kind: int, length: int, spi: int, esp_seq: int) -> tuple[Message, ...]:
    return (Message(kind, 0, length, spi, esp_seq, 2 if kind == Kind.IKE else 0, esp_seq & 1, esp_seq * 7),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """A 4-tuple of which either end may speak."""

    one: tuple[bytes, int]
    other: tuple[bytes, int]


ALL_ENDS: tuple[Ends, ...] = (
    Ends(one=(b"\x0a\x00\x00\x01", 40_000), other=(b"\x0a\x00\x00\x02", 10_000)),
    Ends(one=(b"\x0a\x00\x00\x02", 10_000), other=(b"\x0a\x00\x00\x01", 40_001)),
    Ends(one=(b"\x20\x01" + bytes(14), 500), other=(b"\x20\x01" + bytes(13) + b"\x01", 10_000)),
    Ends(one=(b"\x7f\x00\x00\x01", 7), other=(b"\x7f\x00\x00\x01", 7)),
)

_lengths = st.sampled_from([0, 0, 0, 1, 1, 2, 2, 50, 100, 100, 100, 150, 300])
_offsets = st.sampled_from([0, 0, 1, 99, 100, 100, 200, 200, 300, 400, 500, 600, 800, 1000, 1 << 30, 1 << 31])
_flags = st.sampled_from(
    [Tcp.ACK] * 8
    + [Tcp.ACK | Tcp.PSH] * 3
    + [Tcp.SYN, Tcp.SYN | Tcp.ACK, Tcp.FIN | Tcp.ACK, Tcp.RST, Tcp.RST | Tcp.ACK, Tcp.SYN | Tcp.FIN, 0]
)
_steps_ns = st.sampled_from([0, 1, 100_000, 100_001, MS, 3 * MS, 50 * MS, 51 * MS, 10**9, -MS, -(10**9)])
_ip_ids = st.sampled_from([-1, 0, 0, 1, 2, 3, 900, 2000, 40_000, 0xFFFF])
_blocks = st.lists(st.tuples(_offsets, _offsets), max_size=4)
_checksums = st.sampled_from([Checksum.RIGHT] * 9 + [Checksum.WRONG, Checksum.UNVERIFIED])
_cargo = st.sampled_from(["none", "none", "none", "esp", "esp", "ike", "weak", "cut", "cut", "merged", "tls"])


@st.composite
def packets(draw: st.DrawFn) -> list[Packet]:
    """A few flows in a small sequence space, in which nearly everything touches something."""
    stream: list[Packet] = []
    time_ns, ends = 1_700_000_000 * 10**9, draw(st.integers(1, len(ALL_ENDS)))
    for frame in range(1, draw(st.integers(2, 40)) + 1):
        time_ns += draw(_steps_ns)
        repeated = bool(stream) and draw(st.integers(0, 7)) == 0
        packet = draw(st.sampled_from(stream[-3:])) if repeated else draw(segment(ALL_ENDS[:ends]))
        stream.append(packet._replace(frame=frame, time_ns=time_ns))
    return stream


def watching() -> st.SearchStrategy[dict[str, Any]]:
    """What a tracker may be asked to watch; the ports are of ALL_ENDS, of nobody, and of no TCP."""
    ports = st.lists(st.sampled_from([7, 500, 10_000, 40_001, 0, 65_535, 65_536, -1, 1 << 70]), max_size=3)
    return st.fixed_dictionaries({}, optional={"ports": ports, "everything": st.booleans()})


@st.composite
def segment(draw: st.DrawFn, all_ends: tuple[Ends, ...]) -> Packet:
    ends = draw(st.sampled_from(all_ends))
    (src, sport), (dst, dport) = draw(st.sampled_from([(ends.one, ends.other), (ends.other, ends.one)]))
    flags, length = draw(_flags), draw(_lengths)
    packet = NO_PACKET._replace(
        status=0,
        src=src,
        dst=dst,
        sport=sport,
        dport=dport,
        ttl=draw(st.sampled_from([64, 64, 63, 128, 255])),
        ip_id=draw(_ip_ids),
        seq=(EDGE + draw(_offsets)) % SEQUENCE_SPACE,
        ack=(EDGE + draw(_offsets)) % SEQUENCE_SPACE,
        flags=int(flags),
        window=draw(st.sampled_from([65_535, 65_535, 65_535, 65_535, 500, 0])),
        payload_len=length,
        captured_payload_len=length,
        print64=draw(st.integers(0, 3)),
    )
    if flags & Tcp.SYN:
        packet = packet._replace(mss=1460, window_scale=draw(st.sampled_from([-1, 0, 7])), sack_permitted=1)
    elif flags == Tcp.ACK:
        packet = packet._replace(sacks=tuple(sack_block(*block) for block in draw(_blocks)))
    packet = packet._replace(checksum=int(draw(_checksums))) if length else packet
    return with_cargo(
        packet, draw(_cargo), draw(st.integers(0, 9)), draw(st.sampled_from([5, 6, 70, 200, 5000]))
    )


def sack_block(left: int, right: int) -> tuple[int, int]:
    return (EDGE + left) % SEQUENCE_SPACE, (EDGE + right) % SEQUENCE_SPACE


def with_cargo(packet: Packet, cargo: str, spi: int, esp_seq: int) -> Packet:
    """What the payload shows; a bare segment shows nothing."""
    length = packet.payload_len
    if length == 0:
        return packet
    match cargo:
        case "esp":
            messages = trailer_messages(Kind.ESP, length, spi, esp_seq)
            return packet._replace(trailer=Trailer.CISCO, head=(spi, esp_seq), messages=messages)
        case "ike":
            messages = trailer_messages(Kind.IKE, length, spi, esp_seq)
            return packet._replace(trailer=Trailer.CISCO, head=(0x01F4_01F4, 0), messages=messages)
        case "weak":
            messages = trailer_messages(Kind.ESP, length, spi, esp_seq)
            return packet._replace(trailer=Trailer.WEAK, magic=spi & 1, messages=messages)
        case "merged":
            parts = [
                trailer_messages(Kind.ESP, 40, spi, esp_seq + i)[0]._replace(offset=40 * i) for i in range(3)
            ]
            return packet._replace(trailer=Trailer.CISCO, messages=tuple(parts), unsplit=1)
        case "cut":
            return packet._replace(
                trailer=Trailer.CUT_OFF, head=(spi & 1, esp_seq), captured_payload_len=min(length, 20)
            )
        case "tls":
            return packet._replace(signature=Signature.IKETCP if spi == 9 else Signature.TLS)
    return packet


def at_edges() -> Iterator[list[Packet]]:
    """Short conversations on either side of each threshold."""
    for rising, other, step in product(range(6), (0, 1), (1, 0x7FFF, 0x8000, 0x8001, 0xFFFF)):
        yield filled_hole(rising, other, step)
    for length, below, first in product(range(4), range(-1, 3), (False, True)):
        yield probe(length, below, first=first)
    for step_ns, ip_id in product((99_999, 100_000, 100_001, 50 * MS, 50 * MS + 1), (0, 7)):
        bare = said(1, 0, 0, time_ns=0)._replace(ip_id=ip_id)
        data = said(2, 0, 100, time_ns=0)._replace(ip_id=ip_id)
        yield [bare, bare._replace(frame=3, time_ns=step_ns), data, data._replace(frame=4, time_ns=step_ns)]
    for lag in range(60, 68):
        messages = [(1, 100), (2, 100 - lag), (3, 101), (4, 101), (5, 99), (6, 100 - lag), (7, 300), (8, 299)]
        spoken = [said(frame, 100 * frame, 100) for frame, _ in messages]
        yield [with_cargo(p, "esp", 1, seq) for p, (_, seq) in zip(spoken, messages, strict=True)]
    for step in (0, 1, 999, 1000, 1001, 0xFFFF):
        yield [said(n, 100 * n, 100)._replace(ip_id=1 + n * step & 0xFFFF) for n in range(1, 5)]
    for acked in (99, 100, 150, 199, 200, 201):
        scattered = [said(n, 200 * n, 100) for n in range(3, 44)]
        answer = said(2, 0, 0, side=1)._replace(ack=(EDGE + acked) % SEQUENCE_SPACE)
        fillers = [said(50 + n, 100 + 200 * n, 100) for n in range(3)]
        yield [said(0, 0, 100), said(1, 200, 100), answer, *scattered, *fillers]
    for step_ns in (3 * MS - 1, 3 * MS, 3 * MS + 1):
        spoken = [said(n, offset, 100) for n, offset in enumerate((0, 200, 100))]
        yield [p._replace(ip_id=0, time_ns=n * step_ns) for n, p in enumerate(spoken)]
    for left in (99, 100, 101):
        asking = said(4, 0, 0, side=1)._replace(ack=EDGE + 100, sacks=(sack_block(left, 300),))
        asked = [asking._replace(frame=n, time_ns=n, ip_id=n) for n in (4, 5, 6)]
        yield [said(1, 0, 100), said(2, 200, 100), *asked]
    many = tuple(trailer_messages(Kind.ESP, 50, spi, 7)[0] for spi in range(11))
    yield [said(n, 550 * n, 550)._replace(trailer=Trailer.CISCO, messages=many[n:]) for n in range(3)]
    for step in (4095, 4096, 4097):
        heads = [1, 1 + step, 2 + step, 3 + step, 4 + step]
        yield [with_cargo(said(n, 100 * n, 100), "cut", 1, head) for n, head in enumerate(heads)]


def filled_hole(rising: int, other: int, step: int) -> list[Packet]:
    """IP IDs that rise so often and jump so often; then a hole, filled by an ID at a distance."""
    ids = [100 + n for n in range(rising + 1)] + [30_000 + n * 5000 for n in range(other)]
    stream = [said(n + 1, 100 * n, 100)._replace(ip_id=ip_id) for n, ip_id in enumerate(ids)]
    frame, opener = len(stream) + 1, ids[-1] + 1
    beyond = said(frame, 100 * frame, 100)._replace(ip_id=opener)
    filler = said(frame + 1, 100 * (frame - 1), 100)._replace(ip_id=(opener + step) & 0xFFFF)
    return [*stream, beyond, filler]


def probe(length: int, below: int, *, first: bool) -> list[Packet]:
    """A segment of 0 to 3 bytes around what comes next, then an answer."""
    spoken = [] if first else [said(1, 0, 100)]
    asked = said(2, 100 - below, length)
    answers = [said(frame, 0, 0, side=1)._replace(ack=(EDGE + 100) % SEQUENCE_SPACE) for frame in (3, 4)]
    return [*spoken, asked, *answers]


def said(frame: int, offset: int, length: int, *, side: int = 0, time_ns: int | None = None) -> Packet:
    one, other = (ALL_ENDS[0].one, ALL_ENDS[0].other)[:: -1 if side else 1]
    return NO_PACKET._replace(
        status=0,
        frame=frame,
        time_ns=frame * 10 * MS if time_ns is None else time_ns,
        src=one[0],
        sport=one[1],
        dst=other[0],
        dport=other[1],
        ttl=64,
        ip_id=frame,
        seq=(EDGE + offset) % SEQUENCE_SPACE,
        ack=EDGE,
        flags=int(Tcp.ACK),
        window=8000,
        payload_len=length,
        captured_payload_len=length,
        print64=offset,
    )


@dataclass(slots=True)
class _Sender:
    """One end that sends data, now and then loses, repeats or overtakes it."""

    seq: int
    ip_id: int
    esp_seq: int = 0
    sent: int = 0


def long_stream(seed: int, count: int) -> Iterator[Packet]:
    """A conversation of `count` segments that fills every table: holes, episodes, associations, copies."""
    chance = random.Random(seed)
    time_ns = 1_600_000_000 * 10**9
    senders = [_Sender(chance.randrange(SEQUENCE_SPACE), chance.randrange(1, 9000)) for _ in range(2)]
    acked = [senders[1].seq, senders[0].seq]
    history: list[Packet] = []
    for frame in range(1, count + 1):
        time_ns += chance.choice([1000, 20_000, 100_000, 2 * MS, 40 * MS, 300 * MS])
        if history and chance.random() < 0.2:  # sent again, doubled by the network, or late
            packet = chance.choice(history[-60:])
            again = packet._replace(ip_id=packet.ip_id + chance.choice([0, 0, 5]))
            yield again._replace(frame=frame, time_ns=time_ns)
            continue
        packet = _next_segment(chance, senders, acked)
        history.append(packet)
        if chance.random() < 0.85:
            yield packet._replace(frame=frame, time_ns=time_ns)


def _next_segment(chance: random.Random, senders: list[_Sender], acked: list[int]) -> Packet:
    side = chance.random() < 0.4
    sender, ends = senders[side], ALL_ENDS[0]
    (src, sport), (dst, dport) = (ends.other, ends.one) if side else (ends.one, ends.other)
    length = chance.choice([0, 0, 60, 120, 120])
    if chance.random() < 0.5:
        acked[side] = senders[1 - side].seq - chance.choice([0, 0, 0, 120, 500])
    sender.ip_id = (sender.ip_id + chance.choice([1, 1, 1, 2, 3000])) % 0x1_0000
    packet = NO_PACKET._replace(
        status=0,
        src=src,
        dst=dst,
        sport=sport,
        dport=dport,
        ttl=chance.choice([64, 64, 64, 250]),
        ip_id=sender.ip_id,
        seq=sender.seq % SEQUENCE_SPACE,
        ack=acked[side] % SEQUENCE_SPACE,
        flags=int(Tcp.ACK),
        window=chance.choice([8000, 8000, 8000, 8000, 7000]),
        payload_len=length,
        captured_payload_len=length,
        print64=sender.seq,
        checksum=chance.choice([0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]) if length else 0,
    )
    sender.seq += length
    sender.esp_seq += length > 0
    if length == 0 and chance.random() < 0.4:
        left = acked[side] + chance.choice([120, 240, 600])
        packet = packet._replace(sacks=((left % SEQUENCE_SPACE, (left + 120) % SEQUENCE_SPACE),))
    cargo = chance.choice(["esp", "esp", "esp", "cut", "cut", "ike", "none"])
    return with_cargo(packet, cargo, chance.choice([1, 1, 1, chance.randrange(30)]), sender.esp_seq)


# --- the same packets at another place of the path ---------------------------------------------------------


def elsewhere(stream: Sequence[Packet], chance: random.Random) -> list[Packet]:
    """What a second capture may show of it: some of it, late, doubled, translated, renumbered, cut, altered."""
    begins, ends = sorted(chance.sample(range(len(stream) + 1), 2)) if chance.random() < 0.3 else (0, None)
    loss, trouble = chance.choice([0.0, 0.02, 0.3]), chance.choice([0.0, 0.02, 0.3])
    shift, port = chance.choice([0, 1, 7000, 1 << 31]), chance.choice([0, 0, 4500])
    seen: list[Packet] = []
    for packet in stream[begins:ends]:
        if chance.random() < loss:
            continue
        seen.append(translated(packet, shift, port))
        if chance.random() < trouble:
            _trouble(seen, chance)
    delay_ns, drift = chance.choice([0, MS, -MS, 10**18]), chance.choice([1.0, 1.0001, 0.9])
    return [
        one._replace(frame=at, time_ns=max(0, int(one.time_ns * drift) + delay_ns + chance.randrange(MS)))
        for at, one in enumerate(seen, 1)
    ]


def translated(packet: Packet, shift: int, port: int) -> Packet:
    """Behind a box that replaces the port 40,000 and counts its direction from elsewhere."""
    if packet.sport == 40_000:
        return packet._replace(sport=port or packet.sport, seq=(packet.seq + shift) % SEQUENCE_SPACE)
    if packet.dport == 40_000:
        return packet._replace(dport=port or packet.dport, ack=(packet.ack + shift) % SEQUENCE_SPACE)
    return packet


def _trouble(seen: list[Packet], chance: random.Random) -> None:
    """To the latest packet: overtaken, sent again, cut by the capture, its message another or its bytes split."""
    packet = seen[-1]
    match chance.randrange(6):
        case 0:
            seen.insert(max(0, len(seen) - 1 - chance.randrange(1, 5)), seen.pop())
        case 1:
            seen.append(packet._replace(ip_id=(packet.ip_id + 7) & 0xFFFF))
        case 2:
            seen[-1] = packet._replace(
                trailer=Trailer.CUT_OFF, messages=(), captured_payload_len=min(20, packet.payload_len)
            )
        case 3:
            seen[-1] = packet._replace(messages=tuple(one._replace(print64=9) for one in packet.messages))
        case 4:
            seen[-1] = packet._replace(messages=tuple(one._replace(esp_seq=77) for one in packet.messages))
        case _:
            half = packet.payload_len // 2
            first = packet._replace(payload_len=half, messages=())
            rest = first._replace(
                seq=(packet.seq + half) % SEQUENCE_SPACE, payload_len=packet.payload_len - half, head=(0, 0)
            )
            seen[-1:] = [first, rest]


# --- frames, as a decoder is given them -----------------------------------------------------------------


def ipv4(
    payload: bytes, *, protocol: int = 6, total_len: int | None = None, fragment: int = 0, ihl: int = 5
) -> bytes:
    length = 4 * ihl + len(payload) if total_len is None else total_len
    head = struct.pack(">BBHHHBBH", 0x40 | ihl, 0, length, 0x1234, fragment, 64, protocol, 0)
    return head + b"\x0a\x00\x00\x01\x0a\x00\x00\x02" + bytes(max(0, 4 * ihl - 20)) + payload


def ipv6(payload: bytes, *, following: int = 6, payload_len: int | None = None) -> bytes:
    length = len(payload) if payload_len is None else payload_len
    return struct.pack(">IHBB", 0x6000_0000, length, following, 60) + bytes(range(32)) + payload


def tcp(payload: bytes, options: bytes = b"", *, data_offset: int | None = None) -> bytes:
    words = 5 + len(options) // 4 if data_offset is None else data_offset
    flags = words << 12 | Tcp.ACK | Tcp.PSH
    return struct.pack(">HHIIHHHH", 40_000, 10_000, EDGE, EDGE + 1, flags, 500, 0, 0) + options + payload


def summed(datagram: bytes, ends_len: int, checked_len: int | None = None) -> bytes:
    """With the right TCP checksum, or with the sum that is left to the card: of the pseudo header alone."""
    header_len = 12 + ends_len if ends_len == 8 else 8 + ends_len
    ends, body = datagram[header_len - ends_len : header_len], datagram[header_len:]
    check = checksum(ends + struct.pack(">II", len(body), 6) + body[:checked_len])
    written = check if checked_len is None else ~check & 0xFFFF
    return datagram[:header_len] + body[:16] + struct.pack(">H", written) + body[18:]


def trailer(
    kind: int = Kind.ESP, *, cookie: bytes = b"\x21\x45\x6c\x69\x10", tail: bytes = b"\x01\x00"
) -> bytes:
    return bytes(4) + b"\xaa\xbb\x50\x00" + cookie + bytes([kind]) + tail


def ike(*, is_first: bool = True) -> bytes:
    responder = bytes(8) if is_first else b"\x05" * 8
    header = b"\x11" * 8 + responder + b"\x01\x10\x02\x00" + struct.pack(">II", 77, 60)
    return b"\x01\xf4\x01\xf4\x00\x44\x00\x00" + header + bytes(32)


ESP = struct.pack(">II", 0xC0FFEE, 9) + bytes(range(64))

PAYLOADS: tuple[bytes, ...] = (
    b"",
    b"\x00",
    b"GET / HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x00\x40\x01\x00\x00\x3c\x03\x03",
    b"SSH-2.0-x\r\n",
    b"IKETCP" + bytes(30),
    struct.pack(">HI", 40, 0) + bytes(34),
    b"\x11" * 16 + b"\x01\x10\x02\x00" + struct.pack(">II", 0, 60) + bytes(32),
    struct.pack(">IIII", 0x8000_0040, 1, 1_700_000_000, 0) + bytes(64),
    ESP + trailer(),
    ESP + trailer(Kind.AH),
    ESP + trailer(cookie=b"\x07vend"),
    ESP + trailer(tail=b"\x01\x01"),
    ike() + trailer(Kind.IKE),
    ike(is_first=False) + trailer(Kind.IKE),
    b"\x01\xf4\x01\xf4" + bytes(10) + trailer(Kind.IKE),
    bytes(9) + trailer(),
    bytes(8) + trailer(),
    (ESP + trailer()) * 3 + ike() + trailer(Kind.IKE),
    bytes(8) + trailer() + ESP + trailer() + b"\x21\x45\x6c\x69\x10" * 3 + trailer(),
    (bytes(9) + trailer()) * 66,
    bytes(range(256)) * 5,
)


def datagrams() -> Iterator[bytes]:
    """IP datagrams: every payload, every option list, extension headers, fragments, other protocols."""
    yield from (ipv4(tcp(payload, OPTIONS[1])) for payload in PAYLOADS)
    yield from (summed(ipv4(tcp(payload)), 8) for payload in PAYLOADS)
    yield from (summed(ipv6(tcp(payload)), 32) for payload in PAYLOADS)
    yield summed(ipv4(tcp(ESP + trailer())), 8, 0)
    yield from (ipv4(tcp(b"x" * 30, options)) for options in OPTIONS)
    yield from (ipv6(tcp(payload)) for payload in PAYLOADS[:4])
    yield from (ipv4(tcp(ESP), total_len=length) for length in (0, 19, 20, 39, 40, 41, 2000))
    yield from (ipv4(tcp(ESP, data_offset=words)) for words in (0, 4, 6, 15))
    yield from (ipv4(tcp(ESP), ihl=ihl) for ihl in (4, 6, 15))
    for protocol in (1, 4, 6, 17, 41, 47, 50, 58, 97, 115, 137):
        yield from (
            ipv4(first + bytes(30), protocol=protocol) for first in (b"\x03\x04", b"\x08\x00", b"\x12\xb5")
        )
        yield from (ipv4(bytes(30), protocol=protocol, fragment=bits) for bits in (0x2000, 0x0001, 0x4000))
        yield ipv6(b"\x12\xb5" + bytes(30), following=protocol)
    yield from extension_headers()
    yield ipv6(tcp(ESP), payload_len=0)
    yield b"\x50" + bytes(60)


def extension_headers() -> Iterator[bytes]:
    """RFC 8200 §4: each kind, a fragment, an atomic fragment, chains at and beyond the bound."""
    for kind in (0, 43, 51, 60, 135, 139, 140):
        yield ipv6(b"\x06\x01" + bytes(14) + tcp(ESP), following=kind)
        yield ipv6(b"\x06\xff" + bytes(14) + tcp(ESP), following=kind)
    for bits in (0, 1, 8):
        yield ipv6(struct.pack(">BBHI", 6, 0, bits, 7) + tcp(ESP), following=44)
    for count in (15, 16, 17):
        yield ipv6((b"\x3c\x00" + bytes(6)) * (count - 1) + b"\x06\x00" + bytes(6) + tcp(ESP), following=60)


def framed() -> Iterator[tuple[int, bytes]]:
    """(link type, frame): every link layer, every head of an Ethernet frame, every datagram."""
    plain = ipv4(tcp(ESP + trailer(), OPTIONS[1]))
    for link_type, head in LINK_LAYERS.items():
        yield link_type, head + plain
    yield from (
        (0, family + plain) for family in (b"\x1e\x00\x00\x00", b"\x00\x00\x00\x1e", b"\x00\x00\x00\x07")
    )
    yield from ((9, head + plain) for head in (b"\x21", b"\x00\x57", b"\x00\x2d", b"\x02\x81", b"\xc0\x21"))
    yield from ((276, head + bytes(18) + plain) for head in (b"\x81\x00", b"\x88\x47", b"\x00\x04"))
    yield 276, b"\x81\x00" + bytes(18) + b"\x00\x07\x08\x00" + plain
    yield from ((ETHERNET, bytes(12) + head + plain) for head in ETHERNET_HEADS)
    yield from ((ETHERNET, bytes(12) + b"\x08\x00" + datagram) for datagram in datagrams())


def cut_everywhere() -> Iterator[tuple[Frame, bytes]]:
    """Every frame whole, then captured up to each of its bytes; as the wire's length, its own, more, or the cut."""
    number = 0
    for link_type, data in framed():
        for captured_len in sorted({len(data), *range(min(len(data), 160)), *range(160, len(data), 97)}):
            for original_len in {len(data), captured_len, len(data) + 6}:
                number += 1
                frame = Frame(number, number * 1000, 0, captured_len, original_len, 0, link_type, 0)
                yield frame, data[:captured_len]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """A few bytes replaced, removed or doubled."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(changed)) if changed else 0
        match chance.randrange(4):
            case 0 | 1:
                changed[at : at + 1] = bytes([chance.randrange(256)])
            case 2:
                del changed[at : at + chance.choice([1, 2, 4, 30])]
            case _:
                changed[at:at] = changed[at : at + chance.choice([1, 4, 40])]
    return bytes(changed)
