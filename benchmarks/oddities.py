"""Oddities: traps that are no TCP segments of the usual kind: fragments, ICMP errors, interfaces, options, cTCP.

Each is a formula over the number of the frame, written byte by byte.  Checksums are left at zero, as a capture on
the sending host has them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Final

CLIENT, SERVER = bytes((10, 0, 0, 1)), bytes((198, 18, 0, 1))
CTCP_PORT: Final = 10_000
GAP_US: Final = 200
STARTED_AT_S: Final = 1_700_000_000
SYN, ACK = 0x02, 0x10
BACK = (CTCP_PORT, 40_000)
TRAILER: Final = bytes(8) + bytes((0x21, 0x45, 0x6C, 0x69, 0x10, 50, 1, 0))
"""The end of a cTCP message that carries ESP."""
MAX_OPTIONS: Final = bytes((254, 40)) + bytes(38)
MOST_INTERFACES: Final = 65_536
TINY_MESSAGE_LEN: Final = 16 + len(TRAILER)
PCAP_HEAD: Final = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)

Datagram = Callable[[int], bytes]


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
) -> bytes:
    words = (20 + len(options)) // 4 << 4
    numbers = (seq & 0xFFFFFFFF, ack & 0xFFFFFFFF)
    return struct.pack(">HHIIBBHHH", *ports, *numbers, words, flags, 65_535, 0, 0) + options + payload


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


PCAPS: Final[dict[str, Datagram]] = {
    "associations": associations,
    "episodes": episodes,
    "copies": copies,
    "icmp-errors": icmp_errors,
    "fragments": fragments,
    "options": options,
    "merged": merged,
    "suspects": suspects,
}


def pcap(datagram: Datagram, count: int) -> Iterator[bytes]:
    yield PCAP_HEAD
    for n in range(count):
        frame = bytes(12) + b"\x08\x00" + datagram(n)
        seconds, micros = divmod(n * GAP_US, 1_000_000)
        yield struct.pack("<IIII", STARTED_AT_S + seconds, micros, len(frame), len(frame)) + frame


def block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))


def interfaces(count: int) -> Iterator[bytes]:
    """Half of the blocks describe interfaces, as far as that is allowed; each frame is of another one."""
    yield block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    described = min(count // 2, MOST_INTERFACES)
    for _ in range(described):
        yield block(1, struct.pack("<HHI", 1, 0, 262_144))
    for n in range(count - described):
        frame = bytes(12) + b"\x08\x00" + ip(tcp(1 + n * 10, bytes(10)), n)
        high, low = divmod(STARTED_AT_S * 1_000_000 + n * GAP_US, 1 << 32)
        head = struct.pack("<IIIII", n * 7_919 % described, high, low, len(frame), len(frame))
        yield block(6, head + frame)
