"""Layers: datagrams wrapped, cut into fragments, merged and lengthened, as a mutator asks for.

Knows how tunnels, fragments, options and cTCP messages look as bytes.  Does not know savefiles.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from tests import streams

ETHERNET_LEN = 14
MACS = bytes(12)

Wrap = Callable[[bytes], bytes]


def frame(datagram: bytes) -> bytes:
    """An Ethernet frame around a datagram of whichever version."""
    ethertype = 0x86DD if datagram[:1] and datagram[0] >> 4 == 6 else 0x0800
    return MACS + struct.pack(">H", ethertype) + datagram


def udp(port: int, payload: bytes) -> bytes:
    return struct.pack(">HHHH", 40_000, port, 8 + len(payload), 0) + payload


# --- tunnels: datagram in, datagram out ------------------------------------------------------


def in_ipip(datagram: bytes) -> bytes:
    return streams.ipv4(datagram, protocol=41 if datagram[:1] >= b"\x60" else 4)


def in_gre(datagram: bytes) -> bytes:
    return streams.ipv4(b"\x00\x00\x08\x00" + datagram, protocol=47)


def in_gre_bridge(datagram: bytes) -> bytes:
    return streams.ipv4(b"\x00\x00\x65\x58" + frame(datagram), protocol=47)


def in_erspan(datagram: bytes) -> bytes:
    return streams.ipv4(b"\x10\x00\x88\xbe" + bytes(4) + bytes(8) + frame(datagram), protocol=47)


def in_erspan_3(datagram: bytes) -> bytes:
    return streams.ipv4(
        b"\x10\x00\x22\xeb" + bytes(4) + bytes(11) + b"\x01" + bytes(8) + frame(datagram), protocol=47
    )


def in_vxlan(datagram: bytes) -> bytes:
    return streams.ipv4(udp(4789, b"\x08" + bytes(7) + frame(datagram)), protocol=17)


def in_geneve(datagram: bytes) -> bytes:
    return streams.ipv4(udp(6081, b"\x01\x00\x65\x58" + bytes(4) + bytes(4) + frame(datagram)), protocol=17)


def in_gtp(datagram: bytes) -> bytes:
    head = struct.pack(">BBHI", 0x34, 255, len(datagram) + 4, 7) + bytes(3) + b"\x85\x01\x00\x00\x00"
    return streams.ipv4(udp(2152, head + datagram), protocol=17)


def in_teredo(datagram: bytes) -> bytes:
    return streams.ipv4(udp(3544, datagram), protocol=17)


def in_ipv6(datagram: bytes) -> bytes:
    return streams.ipv6(datagram, following=4 if datagram[:1] < b"\x60" else 41)


TUNNELS: tuple[Wrap, ...] = (
    in_ipip,
    in_gre,
    in_gre_bridge,
    in_erspan,
    in_erspan_3,
    in_vxlan,
    in_geneve,
    in_gtp,
    in_teredo,
    in_ipv6,
)

# --- what stands between Ethernet and IP -------------------------------------------------------

HEADS: tuple[bytes, ...] = (
    b"\x81\x00\x00\x07" * 1 + b"\x08\x00",
    b"\x81\x00\x00\x07" * 16 + b"\x08\x00",
    b"\x88\xa8\x00\x07" * 17 + b"\x08\x00",
    b"\x88\x47\x00\x00\x01\x40",
    b"\x88\x47" + b"\x00\x00\x00\x40" * 3 + b"\x00\x00\x01\x40",
    b"\x88\x64\x11\x00\x00\x01\x00\xff\x00\x21",
    b"\x00\x40\xaa\xaa\x03\x00\x00\x00\x08\x00",
    b"\x89\x4f" + bytes(8),
    b"\x88\xe7" + bytes(18),
)

# --- datagrams apart and together -------------------------------------------------------------


def fragments(datagram: bytes, chance: random.Random) -> list[bytes]:
    """The datagram in pieces: some overlap, some come twice, some not at all, in any order."""
    header_len = (datagram[0] & 15) * 4
    if datagram[0] >> 4 != 4 or header_len < 20 or len(datagram) < header_len + 16:
        return [datagram]
    payload, step = datagram[header_len:], chance.choice([8, 16, 64, 512])
    pieces = [
        fragment(datagram[:header_len], payload, at, step * chance.choice([1, 1, 1, 2, 3]))
        for at in range(0, min(len(payload), 40 * step), step)
    ]
    for _ in range(chance.choice([0, 0, 1, 2])):
        pieces.insert(chance.randrange(len(pieces) + 1), chance.choice(pieces))
    if chance.random() < 0.3:
        pieces.pop(chance.randrange(len(pieces)))
    if chance.random() < 0.3:
        chance.shuffle(pieces)
    return pieces


def fragment(header: bytes, payload: bytes, at: int, length: int) -> bytes:
    """RFC 791 §3.1: offsets count eight bytes, and all but the last piece say that more follow."""
    piece = payload[at : at + length]
    more = 0x2000 if at + length < len(payload) else 0
    total_len = struct.pack(">H", (len(header) + len(piece)) & 0xFFFF)
    return (
        header[:2] + total_len + header[4:6] + struct.pack(">H", at // 8 & 0x1FFF | more) + header[8:] + piece
    )


def merged(messages: int, chance: random.Random) -> bytes:
    """A payload of so many cTCP messages, as segmentation offload merges them; the last trailer may be cut."""
    parts = [
        struct.pack(">II", 0xC0FFEE01, number) + bytes(chance.choice([1, 8, 40])) + streams.trailer()
        for number in range(messages)
    ]
    payload = b"".join(parts)
    return payload if chance.random() < 0.8 else payload[: -chance.randrange(1, 16)]


def icmp_error(datagram: bytes, chance: random.Random) -> bytes:
    """RFC 792: an error that quotes so much of a datagram."""
    kind = bytes([chance.choice([3, 4, 5, 11, 12]), chance.randrange(16)])
    return streams.ipv4(
        kind + bytes(4) + struct.pack(">H", 1400) + datagram[: chance.choice([0, 19, 27, 28, 64])], protocol=1
    )


def extension_chain(chance: random.Random) -> bytes:
    """RFC 8200 §4: headers of any kind, number and claimed length before a segment."""
    kinds = [
        chance.choice([0, 43, 44, 51, 60, 135, 139, 140])
        for _ in range(chance.choice([1, 3, 15, 16, 17, 40]))
    ]
    chain = b""
    for following in [*kinds[1:], 6]:
        words = chance.choice([0, 0, 0, 1, 4, 255])
        chain += bytes([following, words]) + bytes(6 + 8 * min(words, 4))
    return streams.ipv6(chain + streams.tcp(streams.ESP + streams.trailer()), following=kinds[0])


def options(chance: random.Random) -> bytes:
    """RFC 9293 §3.1: up to forty bytes of options whose lengths need not fit."""
    made = b""
    while len(made) < 40 and chance.random() < 0.9:
        kind = chance.choice([0, 1, 2, 3, 4, 5, 5, 5, 8, 30, 255])
        length = chance.choice([0, 1, 2, 3, 4, 10, 18, 26, 34, 40, 255])
        made += (
            bytes([kind])
            if kind < 2
            else bytes([kind, length]) + chance.randbytes(max(0, min(length, 40) - 2))
        )
    return made[:40] + bytes(-len(made[:40]) % 4)
