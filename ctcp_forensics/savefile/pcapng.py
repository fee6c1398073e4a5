"""The pcapng blocks that have to be read with care: sections, interfaces, their counters, and options.

Quoted: draft-ietf-opsawg-pcapng.  Knows one whole block at a time.  The packet
blocks, of which there are millions, are walked by the kernel.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

import msgspec

from ctcp_forensics._kernel.layouts import (
    LATEST_NS,
    LONGEST_BLOCK,
    NS_PER_SECOND,
    PACKET,
    PACKET_DATA_AT,
    UNKNOWN_DROPS,
    Clock,
    padded,
)
from ctcp_forensics.savefile.account import Interface
from ctcp_forensics.savefile.window import Buffer

if TYPE_CHECKING:
    from ctcp_forensics._kernel.rows import Frame

MAGIC: Final = b"\x0a\x0d\x0d\x0a"
BYTE_ORDER_MAGIC: Final = 0x1A2B3C4D
SECTION_HEAD_LEN: Final = 12
SHORTEST_SECTION_HEADER: Final = 28
VERSIONS: Final = ((1, 0), (1, 2))
"""§4.1: 1.0; some files say 1.2 and are to be read as 1.0."""

OPTION_END, OPTION_COMMENT = 0, 1
IF_NAME, IF_TSRESOL, IF_FILTER, IF_TSOFFSET = 2, 9, 11, 14
EPB_DROPCOUNT = 4
ISB_IFDROP, ISB_OSDROP = 5, 7

MICROSECONDS: Final = 6
"""§4.2: without if_tsresol, ticks are microseconds."""
NANOSECONDS: Final = 9
MAX_OPTIONS: Final = 4096
"""Options read of one block."""
MAX_TEXT_LEN: Final = 2000
"""Characters kept of one name, filter or comment."""


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One whole block that is no packet, for who wants to copy it."""

    kind: int
    order: str
    """`<` or `>`, of its section."""
    content: bytes
    """From its type to the copy of its length at its end."""
    first_interface: int
    """Of its section, counted over the whole file."""


class Options(msgspec.Struct, frozen=True):
    """The options of one block, in their order."""

    pairs: tuple[tuple[int, bytes], ...]
    complaint: str | None
    """Why the options after these were not read."""

    def all(self, code: int) -> list[bytes]:
        return [value for found, value in self.pairs if found == code]

    def last(self, code: int, at_least: int = 0) -> bytes | None:
        """The last value long enough to be used."""
        fitting = [value for value in self.all(code) if len(value) >= at_least]
        return fitting[-1] if fitting else None

    def text(self, code: int) -> str:
        return as_text(self.last(code) or b"")

    @property
    def comments(self) -> tuple[str, ...]:
        return tuple(as_text(value) for value in self.all(OPTION_COMMENT))


NO_OPTIONS: Final = Options((), None)


def read_options(block: Buffer, start: int, end: int, order: str) -> Options:
    """§3.5: code, length, value padded to 32 bits; the end mark may be left out."""
    head = Struct(f"{order}HH")
    pairs: list[tuple[int, bytes]] = []
    complaint = None
    while end - start >= head.size:
        code, length = head.unpack_from(block, start)
        start += head.size
        if code == OPTION_END:
            break
        if length > end - start:
            complaint = f"option {code} of {length} bytes goes beyond its block"
            break
        if len(pairs) == MAX_OPTIONS:
            complaint = f"more than {MAX_OPTIONS} options in one block"
            break
        pairs.append((code, bytes(block[start : start + length])))
        start += padded(length)
    return Options(tuple(pairs), complaint)


def as_text(value: bytes) -> str:
    """UTF-8 as it should be, kept to a bounded length."""
    words = value[: 4 * MAX_TEXT_LEN].decode("utf-8", "replace").rstrip("\0")
    return words if len(words) <= MAX_TEXT_LEN else words[:MAX_TEXT_LEN] + "…"


def options_of_packet(buffer: Buffer, frame: Frame, order: str) -> Options:
    """Those of an enhanced or obsolete packet block, in which data begins at the same place.

    A simple packet block has none: where those two repeat the captured length it has its own, which is longer.
    """
    if frame.offset < PACKET_DATA_AT or _word(buffer, frame.offset - 8, order) != frame.captured_len:
        return NO_OPTIONS
    block = frame.offset - PACKET_DATA_AT
    start, end = (
        frame.offset + padded(frame.captured_len),
        block + padded(_word(buffer, block + 4, order)) - 4,
    )
    found = read_options(buffer, start, end, order)
    drops = drops_before(buffer, block, order)
    return Options((*found.pairs, drops), found.complaint) if drops else found


def drops_before(buffer: Buffer, block: int, order: str) -> tuple[int, bytes] | None:
    """What an obsolete packet block counts in a field of its own, as the option that took its place."""
    if _word(buffer, block, order) != PACKET:
        return None
    (count,) = Struct(f"{order}H").unpack_from(buffer, block + 10)
    return (EPB_DROPCOUNT, Struct(f"{order}Q").pack(count)) if count not in (0, UNKNOWN_DROPS) else None


def _word(buffer: Buffer, at: int, order: str) -> int:
    found: int = Struct(f"{order}I").unpack_from(buffer, at)[0]
    return found


# --- section header, §4.1 ------------------------------------------------------------------

SECTION_OPTIONS_AT: Final = 24


class SectionHead(msgspec.Struct, frozen=True, kw_only=True):
    """The first twelve bytes of a section header block."""

    order: str
    length: int

    @property
    def complaint(self) -> str | None:
        """What is wrong with its length."""
        if self.length < SHORTEST_SECTION_HEADER or self.length % 4 or self.length > LONGEST_BLOCK:
            return f"a section header block cannot have {self.length} bytes"
        return None


def read_section_head(head: bytes) -> SectionHead | None:
    """None where the byte-order magic is neither way round what it should be."""
    for order in "<>":
        length, magic = Struct(f"{order}4xII").unpack_from(head)
        if magic == BYTE_ORDER_MAGIC:
            return SectionHead(order=order, length=length)
    return None


class SectionHeader(msgspec.Struct, frozen=True, kw_only=True):
    """A whole section header block."""

    version: tuple[int, int]
    trailer: int
    options: Options


def read_section_header(block: Buffer, order: str) -> SectionHeader:
    major, minor = Struct(f"{order}HH").unpack_from(block, 12)
    (trailer,) = Struct(f"{order}I").unpack_from(block, len(block) - 4)
    options = read_options(block, SECTION_OPTIONS_AT, len(block) - 4, order)
    return SectionHeader(version=(major, minor), trailer=trailer, options=options)


# --- interface description, §4.2 -----------------------------------------------------------

INTERFACE_OPTIONS_AT: Final = 16


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What an interface description block says."""

    link_type: int
    snap_len: int
    resolution: str
    clock: Clock
    options: Options

    def as_interface(self, index: int) -> Interface:
        """if_filter begins with a byte that says how it is written, §4.2."""
        return Interface(
            index=index,
            link_type=self.link_type,
            snap_len=self.snap_len,
            resolution=self.resolution,
            name=self.options.text(IF_NAME),
            filter=as_text((self.options.last(IF_FILTER) or b"")[1:]),
        )


def read_description(block: Buffer, order: str) -> Description:
    link_type, snap_len = Struct(f"{order}HxxI").unpack_from(block, 8)
    options = read_options(block, INTERFACE_OPTIONS_AT, len(block) - 4, order)
    ticks = options.last(IF_TSRESOL, at_least=1)
    offset = options.last(IF_TSOFFSET, at_least=8)
    resolution, clock = clock_of(
        MICROSECONDS if ticks is None else ticks[0],
        0 if offset is None else Struct(f"{order}q").unpack_from(offset)[0],
    )
    return Description(
        link_type=link_type, snap_len=snap_len, resolution=resolution, clock=clock, options=options
    )


def clock_of(resolution: int, offset_s: int) -> tuple[str, Clock]:
    """§4.2 if_tsresol: a negative power of 10, or of 2 where the most significant bit is set."""
    offset_ns = max(-LATEST_NS, min(LATEST_NS, offset_s * NS_PER_SECOND))
    exponent = resolution & 0x7F
    if resolution & 0x80:
        return f"2^-{exponent} s", Clock(1, 1, exponent, offset_ns)
    if exponent <= NANOSECONDS:
        return f"10^-{exponent} s", Clock(10 ** (NANOSECONDS - exponent), 1, -1, offset_ns)
    return f"10^-{exponent} s", Clock(1, 10 ** (exponent - NANOSECONDS), -1, offset_ns)


# --- interface statistics, §4.6 ------------------------------------------------------------

STATISTICS_OPTIONS_AT: Final = 20


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """What an interface statistics block counts as dropped; None where it does not count."""

    interface: int
    """Within its section."""
    dropped: int | None
    options: Options


def read_statistics(block: Buffer, order: str) -> Statistics:
    (identifier,) = Struct(f"{order}I").unpack_from(block, 8)
    counter = Struct(f"{order}Q")
    options = read_options(block, STATISTICS_OPTIONS_AT, len(block) - 4, order)
    counts = [options.last(code, at_least=counter.size) for code in (ISB_IFDROP, ISB_OSDROP)]
    dropped = [counter.unpack_from(count)[0] for count in counts if count is not None]
    return Statistics(interface=identifier, dropped=sum(dropped) if dropped else None, options=options)
