"""Oddities: traps of single frames: fragments, ICMP errors, tunnels, options, cTCP, and what hosts do a million times.

Each is a formula over the number of the frame, written byte by byte.  Checksums are left at zero, as a capture on
the sending host has them.  Knows no savefile but pcap: see blocks for the other.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Final

CLIENT, SERVER = bytes((10, 0, 0, 1)), bytes((198, 18, 0, 1))
CTCP_PORT: Final = 10_000
GAP_US: Final = 200
STARTED_AT_S: Final = 1_700_000_000
SYN, RST, ACK = 0x02, 0x04, 0x10
BACK = (CTCP_PORT, 40_000)
TRAILER: Final = bytes(8) + bytes((0x21, 0x45, 0x6C, 0x69, 0x10, 50, 1, 0))
"""The end of a cTCP message that carries ESP."""
MAX_OPTIONS: Final = bytes((254, 40)) + bytes(38)
MOST_LAYERS: Final = 7
MOST_EXTENSIONS: Final = 15
GRE: Final = b"\x00\x00\x08\x00"
TINY_MESSAGE_LEN: Final = 16 + len(TRAILER)
PCAP_HEAD: Final = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)

Datagram = Callable[[int], bytes]
Clock = Callable[[int], int]


def ip(payload: bytes, number: int, *, protocol: int = 6, back: bool = False, piece: int = 0) -> bytes:
    ends = SERVER + CLIENT if back else CLIENT + SERVER
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), number & 0xFFFF, piece, 64, protocol, 0)
    return head + ends + payload


def tcp(
    seq: int,
    payload: bytes = b"",
    *,
    ack: int = 1,
    flags: int = ACK,
    ports: tuple[int, int] = (40_000, CTCP_PORT),
    options: bytes = b"",
    window: int = 65_535,
) -> bytes:
    words = (20 + len(options)) // 4 << 4
    numbers = (seq & 0xFFFFFFFF, ack & 0xFFFFFFFF)
    return struct.pack(">HHIIBBHHH", *ports, *numbers, words, flags, window, 0, 0) + options + payload


def esp(spi: int, number: int, length: int = 80) -> bytes:
    return struct.pack(">II", spi, number) + bytes(length) + TRAILER


# --- what frame `n` holds ------------------------------------------------------------------------


def associations(n: int) -> bytes:
    """Every message of one flow has an SPI of its own."""
    message = esp(0x10000 + n, 1)
    return ip(tcp(1 + n * len(message), message), n)


def episodes(n: int) -> bytes:
    """Again and again: a segment beyond a lost one, three duplicate ACKs, the lost one, an ACK for both."""
    turn, step = divmod(n, 6)
    base = 1 + turn * 200
    match step:
        case 0:
            return ip(tcp(base + 100, bytes(100)), n)
        case 4:
            return ip(tcp(base, bytes(100)), n)
        case 5:
            return ip(tcp(1, ack=base + 200, ports=BACK), n, back=True)
    return ip(tcp(1, ack=base, ports=BACK), n, back=True)


def copies(n: int) -> bytes:
    """Of two flows in turn, each segment twice."""
    number = n // 4
    return ip(tcp(1 + number * 100, bytes(100), ports=(40_000 + n % 2, CTCP_PORT)), number)


def icmp_errors(n: int) -> bytes:
    """Each quotes a segment of another flow."""
    quoted = ip(tcp(1, ports=(1_024 + n % 60_000, CTCP_PORT)), n)[:28]
    return ip(struct.pack(">BBHI", 3, 4, 0, 1_400) + quoted, n, protocol=1, back=True)


def fragments(n: int) -> bytes:
    """First pieces only: no datagram is ever complete."""
    return ip(tcp(1 + n * 100, bytes(52)), n, piece=0x2000)


def options(n: int) -> bytes:
    return ip(tcp(1 + n * 10, bytes(10), options=MAX_OPTIONS), n)


def merged(n: int) -> bytes:
    """As many messages as a segment of 64 KiB holds."""
    count = 65_000 // (TINY_MESSAGE_LEN)
    payload = b"".join(esp(7, 1 + n * count + at, 8) for at in range(count))
    return ip(tcp(1 + n * len(payload), payload), n)


def suspects(n: int) -> bytes:
    """One flow of cTCP after the other, of eight segments each."""
    flow, step = divmod(n, 8)
    ports = (1_024 + flow % 60_000, CTCP_PORT)
    isn = flow // 60_000 * 1_000_003
    if step == 0:
        return ip(tcp(isn, flags=SYN, ports=ports), n)
    message = esp(0x10000 + flow, step)
    return ip(tcp(isn + 1 + (step - 1) * len(message), message, ports=ports), n)


def overlapping(n: int) -> bytes:
    """Fragments that overlap: of each datagram 64 pieces of 64 bytes, one every 8 bytes, and never the last."""
    datagram, at = divmod(n, 64)
    return ip(bytes([n & 0xFF]) * 64, datagram, piece=0x2000 | at)


def last_first(n: int) -> bytes:
    """Fragments of datagrams that are complete with their first piece, which comes last."""
    datagram, turn = divmod(n, 16)
    at = 15 - turn
    whole = tcp(1 + datagram * 1004, bytes(1004))
    return ip(whole[at * 64 : at * 64 + 64], datagram, piece=(0x2000 if turn else 0) | at * 8)


def icmp_of_one(n: int) -> bytes:
    """A segment, and nine errors that quote it."""
    turn, step = divmod(n, 10)
    segment = ip(tcp(1 + turn * 10, bytes(10)), turn)
    if step == 0:
        return segment
    return ip(struct.pack(">BBHI", 3, 4, 0, 1_400) + segment[:28], n, protocol=1, back=True)


def tunnels(n: int) -> bytes:
    """As many tunnels in one another as are opened, of two kinds by turns."""
    datagram = ip(tcp(1 + n * 10, bytes(10)), n)
    for layer in range(MOST_LAYERS):
        datagram = ip(GRE + datagram, n, protocol=47) if layer % 2 else ip(datagram, n, protocol=4)
    return datagram


def extensions(n: int) -> bytes:
    """RFC 8200 §4: destination options before the segment, as many as are followed."""
    chain = bytes((60, 0, 1, 4, 0, 0, 0, 0)) * (MOST_EXTENSIONS - 1) + bytes((6, 0, 1, 4, 0, 0, 0, 0))
    payload = chain + tcp(1 + n * 10, bytes(10))
    ends = bytes(15) + b"\x01" + bytes(15) + b"\x02"
    return struct.pack(">IHBB", 6 << 28, len(payload), 60, 64) + ends + payload


def reopened(n: int) -> bytes:
    """One pair of ports for one connection after the other: SYN, SYN+ACK, a message, RST."""
    turn, step = divmod(n, 4)
    isn = turn * 1_000_003
    message = esp(0x10000 + turn, 1)
    match step:
        case 0:
            return ip(tcp(isn, flags=SYN, ack=0), n)
        case 1:
            return ip(tcp(isn, ack=isn + 1, flags=SYN | ACK, ports=BACK), n, back=True)
        case 2:
            return ip(tcp(isn + 1, message, ack=isn + 1), n)
    return ip(tcp(isn + 1 + len(message), ack=isn + 1, flags=RST), n)


def retransmissions(n: int) -> bytes:
    """Everything that is outstanding again and again, from its beginning."""
    turn, segment = divmod(n, 1_000)
    return ip(tcp(1 + segment * 100, bytes(100)), turn * 1_000 + segment)


def sacks_moving(n: int) -> bytes:
    """Nothing but ACKs, each with four blocks (RFC 2018 §3) that nobody has seen before; the ACK stands still."""
    blocks = [1_000 * (4 * n + at + 1) for at in range(4)]
    words = b"".join(struct.pack(">II", left & 0xFFFFFFFF, (left + 500) & 0xFFFFFFFF) for left in blocks)
    options = b"\x01\x01\x05" + bytes([2 + len(words)]) + words
    return ip(tcp(1, ack=1, ports=BACK, options=options[:40]), n, back=True)


def window_probes(n: int) -> bytes:
    """A byte beyond a closed window, and the answer that it is still closed (RFC 9293 §3.8.6.1)."""
    turn, is_answer = divmod(n, 2)
    if is_answer:
        return ip(tcp(1, ack=101, ports=BACK, window=0), n, back=True)
    return ip(tcp(1, bytes(100)), n) if turn == 0 else ip(tcp(101, b"\0"), n)


def keep_alives(n: int) -> bytes:
    """The byte before the next one (RFC 9293 §3.8.4), and the same ACK again."""
    turn, is_answer = divmod(n, 2)
    if is_answer:
        return ip(tcp(1, ack=101, ports=BACK), n, back=True)
    return ip(tcp(1, bytes(100)), n) if turn == 0 else ip(tcp(100, b"\0"), n)


def backwards(n: int) -> bytes:
    """One byte at a time from the last to the first: each segment lies before all others."""
    return ip(tcp(1 + 0x3FFF_FFFF - n, b"\0"), n)


def same_hash(n: int) -> bytes:
    """Flows whose four-tuples are one 64-bit word under a hash that adds or XORs its parts, whatever its seed."""
    flow, step = divmod(n, 4)
    high, low = divmod(flow * 40_503 % (1 << 32), 1 << 16)
    source, target = bytes((10, 0, high >> 8, high & 255)), bytes((198, 18, ~high >> 8 & 255, ~high & 255))
    segment = tcp(1 + step * 10, bytes(10), ports=(low | 1, ~low & 0xFFFE or 2))
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), n & 0xFFFF, 0, 64, 6, 0)
    return head + source + target + segment


PCAPS: Final[dict[str, Datagram]] = {
    "associations": associations,
    "episodes": episodes,
    "copies": copies,
    "icmp-errors": icmp_errors,
    "fragments": fragments,
    "options": options,
    "merged": merged,
    "suspects": suspects,
    "overlapping": overlapping,
    "last-first": last_first,
    "icmp-of-one": icmp_of_one,
    "tunnels": tunnels,
    "extensions": extensions,
    "reopened": reopened,
    "retransmissions": retransmissions,
    "sacks-moving": sacks_moving,
    "window-probes": window_probes,
    "keep-alives": keep_alives,
    "backwards": backwards,
    "same-hash": same_hash,
}


def in_step(n: int) -> int:
    """Microseconds since 1970 at frame `n`."""
    return STARTED_AT_S * 1_000_000 + n * GAP_US


def pcap(
    datagram: Callable[[int], bytes | None], frames: int | range, clock: Clock = in_step
) -> Iterator[bytes]:
    """What `datagram` says nothing of, this capture lacks."""
    yield PCAP_HEAD
    for n in range(frames) if isinstance(frames, int) else frames:
        found = datagram(n)
        if found is not None:
            frame = frame_of(found)
            seconds, micros = divmod(clock(n), 1_000_000)
            yield struct.pack("<IIII", seconds, micros, len(frame), len(frame)) + frame


def frame_of(datagram: bytes) -> bytes:
    return bytes(12) + (b"\x86\xdd" if datagram[0] >> 4 == 6 else b"\x08\x00") + datagram
