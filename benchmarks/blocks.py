"""Blocks: traps of pcapng: as many interfaces, comments, names, counters or sections as there are frames, and more.

Each is so many blocks in turn.  Knows the blocks.  Does not know what the frames carry: see oddities.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Final

from benchmarks.oddities import frame_of, in_step, ip, tcp

MOST_INTERFACES: Final = 65_536
COMMENT, NAME, END = 1, 2, 0
COMMENTS_OF_A_FRAME: Final = 8


def block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))


def option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def section() -> bytes:
    return block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(options: bytes = b"") -> bytes:
    return block(1, struct.pack("<HHI", 1, 0, 262_144) + options)


def packet(n: int, *, at: int = 0, options: bytes = b"") -> bytes:
    """One more segment of one flow."""
    frame = frame_of(ip(tcp(1 + n * 10, bytes(10)), n))
    high, low = divmod(in_step(n), 1 << 32)
    head = struct.pack("<IIIII", at, high, low, len(frame), len(frame))
    return block(6, head + frame + bytes(-len(frame) % 4) + options)


# --- one after the other --------------------------------------------------------------------------


def interfaces(count: int) -> Iterator[bytes]:
    """Half of the blocks describe interfaces, as far as that is allowed; each frame is of another one."""
    yield section()
    described = min(count // 2, MOST_INTERFACES)
    for _ in range(described):
        yield interface()
    for n in range(count - described):
        yield packet(n, at=n * 7_919 % described)


def named_interfaces(count: int) -> Iterator[bytes]:
    """Each with a name and a comment of its own, and one frame."""
    yield section()
    for n in range(count // 2):
        yield interface(option(NAME, b"GigabitEthernet0/%d" % n) + option(COMMENT, b"of rack %d" % n))
        yield packet(n, at=n)


def comments(count: int) -> Iterator[bytes]:
    """Every frame has some."""
    yield section() + interface()
    for n in range(count):
        told = b"".join(
            option(COMMENT, b"remark %d of frame %d" % (at, n)) for at in range(COMMENTS_OF_A_FRAME)
        )
        yield packet(n, options=told + option(END, b""))


def names(count: int) -> Iterator[bytes]:
    """Name resolution between the frames, by turns."""
    yield section() + interface()
    for n in range(count // 2):
        record = struct.pack("<HH", 1, 16) + struct.pack(">I", n) + b"h%010d\0" % n
        yield block(4, record * 16 + bytes(4)) + packet(n)


def statistics(count: int) -> Iterator[bytes]:
    """Counters after each frame."""
    yield section() + interface()
    for n in range(count // 2):
        yield packet(n) + block(5, struct.pack("<III", 0, 0, n) + option(5, struct.pack("<Q", n)))


def sections(count: int) -> Iterator[bytes]:
    """A new section with a new interface for each frame, as merging by `cat` makes them."""
    for n in range(count // 3):
        yield section() + interface() + packet(n)


def unknown(count: int) -> Iterator[bytes]:
    """Blocks that nobody has defined, and one frame in eight."""
    yield section() + interface()
    for n in range(count):
        yield packet(n) if n % 8 == 0 else block(0x0BAD0000 + n, bytes(64))


BLOCKS: Final[dict[str, Callable[[int], Iterator[bytes]]]] = {
    "interfaces": interfaces,
    "named-interfaces": named_interfaces,
    "comments": comments,
    "names": names,
    "statistics": statistics,
    "sections": sections,
    "unknown": unknown,
}
