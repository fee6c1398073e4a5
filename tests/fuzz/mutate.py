"""Mutate: a savefile taken apart, spoilt in a way that means something, and put together again.

Knows where lengths, headers and options stand in a savefile, a frame and a datagram.  Does not know
what becomes of them.  Everything is drawn from the seeded `chance` that it is given.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from tests import savefiles as sf
from tests import streams
from tests.fuzz import layers

PCAP_MAGICS = (0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34)
SECTION_MAGIC = b"\x0a\x0d\x0d\x0a"
MOST_UNITS = 600
"""Records of a seed that are taken over: more of the same show nothing new."""

EDGES: dict[int, tuple[int, ...]] = {
    1: (0, 1, 4, 5, 7, 15, 0x3F, 0x40, 0x7F, 0x80, 0xFE, 0xFF),
    2: (0, 1, 7, 19, 20, 40, 41, 0x1FFF, 0x2000, 0x3FFF, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF),
    4: (0, 1, 7, 11, 12, 13, 28, 31, 32, 0xFFFF, 0x3FFFF, 0x40000, 0x40001, 0xFFFFFF, 0x1000001,
        0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFC, 0xFFFFFFFF),
}  # fmt: skip
"""Numbers by their width at which something begins, ends or wraps."""


@dataclass(slots=True)
class Apart:
    """A savefile as its header and its records or blocks; what cannot be told apart is the last one."""

    order: str
    is_blocks: bool
    head: bytes
    units: list[bytes] = field(default_factory=list)

    def joined(self) -> bytes:
        return self.head + b"".join(self.units)


def taken_apart(data: bytes) -> Apart | None:
    """None where the bytes are neither pcap nor pcapng."""
    if data[:4] == SECTION_MAGIC:
        order = "<" if data[8:12] == b"\x4d\x3c\x2b\x1a" else ">"
        return split(Apart(order=order, is_blocks=True, head=b""), data)
    for order in "<>":
        if len(data) >= 24 and struct.unpack_from(f"{order}I", data)[0] in PCAP_MAGICS:
            return split(Apart(order=order, is_blocks=False, head=data[:24]), data[24:])
    return None


def split(apart: Apart, data: bytes) -> Apart:
    at = 0
    while len(apart.units) < MOST_UNITS and len(data) - at >= (12 if apart.is_blocks else 16):
        if apart.is_blocks:
            length = struct.unpack_from(f"{apart.order}I", data, at + 4)[0]
        else:
            length = 16 + struct.unpack_from(f"{apart.order}I", data, at + 8)[0]
        if length < 12 or length > len(data) - at:
            break
        apart.units.append(data[at : at + length])
        at += length
    if len(apart.units) < MOST_UNITS and at < len(data):
        apart.units.append(data[at : at + 4096])
    return apart


# --- one record or block ---------------------------------------------------------------------


def frame_at(apart: Apart, unit: bytes) -> int | None:
    """Where a unit's frame begins; None where it holds none."""
    if not apart.is_blocks:
        return 16 if len(unit) > 16 else None
    is_packet = len(unit) > 32 and struct.unpack_from(f"{apart.order}I", unit)[0] == 6
    return 28 if is_packet else None


def frame_in(apart: Apart, unit: bytes) -> bytes:
    at = frame_at(apart, unit)
    if at is None:
        return b""
    (length,) = struct.unpack_from(f"{apart.order}I", unit, at - 8)
    return unit[at : at + length]


def with_frame(apart: Apart, unit: bytes, frame: bytes, original_len: int | None = None) -> bytes:
    """The unit around another frame; its own lengths are right."""
    wire_len = len(frame) if original_len is None else original_len
    lengths = struct.pack(f"{apart.order}II", len(frame), wire_len & 0xFFFFFFFF)
    if not apart.is_blocks:
        return unit[:8] + lengths + frame
    return sf.block(apart.order, 6, unit[8:20] + lengths + frame)


def ip_at(frame: bytes) -> int:
    """Where the datagram of a frame most likely begins."""
    if frame[12:14] in (b"\x08\x00", b"\x86\xdd"):
        return 14
    return 0 if frame[:1] and frame[0] >> 4 in (4, 6) else min(4, len(frame))


# --- mutators of frames ----------------------------------------------------------------------

FrameMutator = Callable[[bytes, random.Random], bytes]


def set_number(data: bytes, at: int, width: int, chance: random.Random) -> bytes:
    value = chance.choice(EDGES[width]) if chance.random() < 0.8 else chance.getrandbits(8 * width)
    return data[:at] + value.to_bytes(width, chance.choice(("big", "little"))) + data[at + width :]


def any_number(data: bytes, chance: random.Random) -> bytes:
    width = chance.choice((1, 1, 2, 4))
    return set_number(data, chance.randrange(len(data)), width, chance)[: len(data)] if data else data


def bytes_spoilt(data: bytes, chance: random.Random) -> bytes:
    return streams.mutated(data, chance)


IP_FIELDS = ((0, 1), (2, 2), (4, 2), (6, 2), (8, 1), (9, 1), (4, 2), (6, 1), (40, 1), (41, 1), (42, 2))
TCP_FIELDS = ((0, 2), (2, 2), (4, 4), (8, 4), (12, 1), (13, 1), (14, 2), (20, 1), (21, 1))


def ip_field(frame: bytes, chance: random.Random) -> bytes:
    at, width = chance.choice(IP_FIELDS)
    return set_number(frame, ip_at(frame) + at, width, chance)[: len(frame)]


def tcp_at(frame: bytes) -> int:
    start = ip_at(frame)
    is_v4 = frame[start : start + 1] != b"" and frame[start] >> 4 == 4
    return start + ((frame[start] & 15) * 4 if is_v4 else 40)


def tcp_field(frame: bytes, chance: random.Random) -> bytes:
    at, width = chance.choice(TCP_FIELDS)
    return set_number(frame, tcp_at(frame) + at, width, chance)[: len(frame)]


def nearby_number(frame: bytes, chance: random.Random) -> bytes:
    """A sequence or acknowledgment number a little further: holes, repeats, duplicate ACKs, wraps."""
    at = tcp_at(frame) + chance.choice((4, 8))
    if len(frame) < at + 4:
        return frame
    near = chance.choice((-1, 1, -1460, 1460, 100_000, 1 << 30, (1 << 30) + 1, 1 << 31))
    number = (int.from_bytes(frame[at : at + 4], "big") + near) & 0xFFFFFFFF
    return frame[:at] + number.to_bytes(4, "big") + frame[at + 4 :]


def tcp_options(frame: bytes, chance: random.Random) -> bytes:
    at, made = tcp_at(frame), layers.options(chance)
    if len(frame) < at + 20:
        return frame
    words = bytes([(5 + len(made) // 4) << 4 & 0xFF])
    grown = frame[: at + 12] + words + frame[at + 13 : at + 20] + made + frame[at + 20 :]
    return with_total_len(grown)


def with_total_len(frame: bytes) -> bytes:
    """The IP header says how long the datagram is now."""
    at = ip_at(frame)
    if len(frame) < at + 40:
        return frame
    if frame[at] >> 4 == 4:
        return frame[: at + 2] + struct.pack(">H", (len(frame) - at) & 0xFFFF) + frame[at + 4 :]
    return frame[: at + 4] + struct.pack(">H", (len(frame) - at - 40) & 0xFFFF) + frame[at + 6 :]


def other_payload(frame: bytes, chance: random.Random) -> bytes:
    at = tcp_at(frame)
    if len(frame) < at + 20:
        return frame
    payload = chance.choice((*streams.PAYLOADS, layers.merged(chance.choice((1, 2, 64, 65, 66)), chance)))
    return with_total_len(frame[: at + (frame[at + 12] >> 4) * 4] + payload)


def in_tunnels(frame: bytes, chance: random.Random) -> bytes:
    datagram = frame[ip_at(frame) :]
    for _ in range(chance.choice((1, 1, 1, 2, 3, 7, 8, 9, 60))):
        datagram = chance.choice(layers.TUNNELS)(datagram[:60_000])
    return layers.frame(datagram)


def behind_head(frame: bytes, chance: random.Random) -> bytes:
    return layers.MACS + chance.choice(layers.HEADS) + frame[ip_at(frame) :]


def extension_headers(_frame: bytes, chance: random.Random) -> bytes:
    return layers.frame(layers.extension_chain(chance))


def icmp_error(frame: bytes, chance: random.Random) -> bytes:
    return layers.frame(layers.icmp_error(frame[ip_at(frame) :], chance))


def other_frame(_frame: bytes, chance: random.Random) -> bytes:
    return chance.choice(FRAMES)


FRAMES = tuple(data for _, data in streams.framed())
FRAME_MUTATORS: tuple[FrameMutator, ...] = (
    any_number,
    bytes_spoilt,
    ip_field,
    ip_field,
    tcp_field,
    tcp_field,
    nearby_number,
    nearby_number,
    tcp_options,
    other_payload,
    in_tunnels,
    behind_head,
    extension_headers,
    icmp_error,
    other_frame,
)

# --- mutators of savefiles ---------------------------------------------------------------------

Mutator = Callable[[Apart, random.Random], None]


def index_in(apart: Apart, chance: random.Random) -> int:
    return chance.randrange(len(apart.units))


def spoil_frame(apart: Apart, chance: random.Random) -> None:
    at = index_in(apart, chance)
    frame = frame_in(apart, apart.units[at])
    if frame:
        spoilt = chance.choice(FRAME_MUTATORS)(frame, chance)
        original_len = chance.choice((None, None, None, len(frame), len(spoilt) + 60, 0, 0xFFFFFFFF))
        apart.units[at] = with_frame(apart, apart.units[at], spoilt, original_len)


def snap_frame(apart: Apart, chance: random.Random) -> None:
    at = index_in(apart, chance)
    frame = frame_in(apart, apart.units[at])
    if frame:
        cut = frame[: chance.randrange(len(frame) + 1)]
        apart.units[at] = with_frame(apart, apart.units[at], cut, len(frame))


def fragment_frame(apart: Apart, chance: random.Random) -> None:
    at = index_in(apart, chance)
    unit, frame = apart.units[at], frame_in(apart, apart.units[at])
    if len(frame) > layers.ETHERNET_LEN + 40 and ip_at(frame) == layers.ETHERNET_LEN:
        pieces = layers.fragments(frame[layers.ETHERNET_LEN :], chance)
        apart.units[at : at + 1] = [with_frame(apart, unit, layers.frame(piece)) for piece in pieces]


def set_length(apart: Apart, chance: random.Random) -> None:
    """A length of a record or block that is not true, at its start, in it, or at its end."""
    at = index_in(apart, chance)
    unit = apart.units[at]
    places = (4, 20, 24, max(0, len(unit) - 4)) if apart.is_blocks else (8, 12)
    place = chance.choice(places)
    near = (int.from_bytes(unit[place : place + 4], "little") + chance.choice((-4, -1, 1, 4))) & 0xFFFFFFFF
    value = chance.choice((near, *EDGES[4]))
    number = struct.pack(f"{apart.order}I", value)
    apart.units[at] = unit[:place] + number + unit[place + 4 :]


def set_time(apart: Apart, chance: random.Random) -> None:
    """Backwards, to the end of the count, or nowhere."""
    at = index_in(apart, chance)
    unit, place = apart.units[at], 12 if apart.is_blocks else 0
    times = struct.pack(f"{apart.order}II", chance.choice(EDGES[4]), chance.choice(EDGES[4]))
    apart.units[at] = unit[:place] + times + unit[place + 8 :]


def spoil_unit(apart: Apart, chance: random.Random) -> None:
    at = index_in(apart, chance)
    apart.units[at] = chance.choice((bytes_spoilt, any_number))(apart.units[at], chance)


def drop_units(apart: Apart, chance: random.Random) -> None:
    at = index_in(apart, chance)
    del apart.units[at : at + chance.choice((1, 1, 2, 5))]


def repeat_unit(apart: Apart, chance: random.Random) -> None:
    at = index_in(apart, chance)
    times = chance.choice((1, 1, 2, 3, 40, 300))
    apart.units[at:at] = [apart.units[at]] * times


def move_unit(apart: Apart, chance: random.Random) -> None:
    unit = apart.units.pop(index_in(apart, chance))
    apart.units.insert(chance.randrange(len(apart.units) + 1), unit)


def cut_end(apart: Apart, chance: random.Random) -> None:
    at = index_in(apart, chance)
    apart.units[at:] = [apart.units[at][: chance.randrange(len(apart.units[at]) + 1)]]


def spoil_head(apart: Apart, chance: random.Random) -> None:
    if apart.head:
        apart.head = any_number(apart.head, chance)
    else:
        apart.units[0] = any_number(apart.units[0], chance)


def many_flows(apart: Apart, chance: random.Random) -> None:
    """The same frame from port after port."""
    at = index_in(apart, chance)
    unit, frame = apart.units[at], frame_in(apart, apart.units[at])
    port = tcp_at(frame) if frame else 0
    if frame and len(frame) > port + 20:
        apart.units[at:at] = [
            with_frame(apart, unit, frame[:port] + struct.pack(">H", number) + frame[port + 2 :])
            for number in range(chance.choice((5, 70)))
        ]


def add_blocks(apart: Apart, chance: random.Random) -> None:
    """Blocks of other kinds, with options that hold or claim anything."""
    if not apart.is_blocks:
        return
    order = apart.order
    options = b"".join(
        sf.option(
            order, chance.choice((1, 2, 5, 7, 9, 11, 14)), chance.randbytes(chance.choice((0, 1, 8, 9)))
        )
        for _ in range(chance.choice((0, 1, 3)))
    ) + chance.choice((b"", bytes(4), struct.pack(f"{order}HH", 1, 0xFFFF)))
    made = chance.choice(
        (
            sf.interface(
                order, options, link_type=chance.choice((0, 1, 9, 12, 50, 101, 105, 113, 127, 228, 276, 999))
            ),
            sf.statistics(order, options, identifier=chance.choice((0, 0, 1, 0xFFFFFFFF))),
            sf.section(chance.choice("<>"), options),
            sf.section(order, options),
            sf.simple(order, chance.choice(FRAMES)),
            sf.obsolete(order, chance.choice(FRAMES), drops=chance.choice((0, 5, 0xFFFF))),
            sf.enhanced(order, chance.choice(FRAMES), options=sf.comment(order, "\x1b[2J\nspoilt") + options),
            sf.block(order, chance.choice((9, 10, 0xBAD, 0x80000000)), options),
        )
    )
    apart.units.insert(chance.randrange(len(apart.units) + 1), made)


MUTATORS: tuple[Mutator, ...] = (
    *(spoil_frame,) * 8,
    snap_frame,
    fragment_frame,
    fragment_frame,
    set_length,
    set_time,
    spoil_unit,
    drop_units,
    repeat_unit,
    move_unit,
    cut_end,
    spoil_head,
    many_flows,
    add_blocks,
    add_blocks,
)


def spoilt(seed: bytes, chance: random.Random) -> bytes:
    """One to a few dozen mutations of one savefile."""
    apart = taken_apart(seed)
    if apart is None:
        return streams.mutated(seed, chance)
    for _ in range(chance.choice((1, 1, 2, 3, 5, 10, 40))):
        if apart.units:
            chance.choice(MUTATORS)(apart, chance)
    return apart.joined()
