"""Layouts: how records and blocks of savefiles are laid out, and what a walk over them tells.

Both kernels go by these, and so does whoever reads the blocks that they leave: see ctcp_forensics.savefile.  Walks
nothing.

Quoted: draft-ietf-opsawg-pcap (pcap) and draft-ietf-opsawg-pcapng (pcapng).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from ctcp_forensics._kernel.row import NamedTuple

NS_PER_SECOND: Final = 1_000_000_000
LAST_SECOND: Final = 9_223_372_035
"""The last whole second that a signed 64-bit count of nanoseconds holds: April 2262."""
LATEST_NS: Final = LAST_SECOND * NS_PER_SECOND

# --- pcapng block types, §4 and §11.1 ------------------------------------------------------

SECTION_HEADER: Final = 0x0A0D0D0A
"""A palindrome of bytes: it can be found before the byte order is known."""
INTERFACE_DESCRIPTION, PACKET, SIMPLE_PACKET = 1, 2, 3
INTERFACE_STATISTICS, ENHANCED_PACKET = 5, 6
NUMBERED_KINDS: Final = (0x9, 0x204, 0x216, 0x221, 0xBAD, 0x4000_0BAD)
"""Journal entries, sysdig events and custom blocks: Wireshark gives them frame numbers, too."""

SHORTEST_BLOCK: Final = 12
"""§3.1: type, length, and the length again."""
LONGEST_BLOCK: Final = 1 << 24
"""A block that has to be held at once: the longest frame believed and its options fit 60 times over."""
MAX_INTERFACES: Final = 1 << 16
"""What the 16-bit interface ids of the first pcapng drafts can name."""

ENHANCED_OVERHEAD: Final = 32
"""§4.3: the fixed fields of an enhanced packet block; the obsolete packet block has as many."""
SIMPLE_OVERHEAD: Final = 16
PACKET_DATA_AT: Final = 28
"""From the start of an enhanced or obsolete packet block to its packet's first byte."""
SIMPLE_DATA_AT: Final = 12
UNKNOWN_DROPS: Final = 0xFFFF

OPTION_END, OPTION_COMMENT = 0, 1


class Stop(IntEnum):
    """Why a walk stopped at a position."""

    MORE = 0
    """The record there needs `value` bytes; fewer are in the buffer."""
    FULL = 1
    """The table of frames is full."""
    READ = 2
    """A block of `value` bytes that the caller has to read; for a section header, `value` is 0."""
    SKIP = 3
    """A block of `value` bytes that nobody needs and that goes beyond the buffer."""
    FRAME_TOO_LONG = 4
    """The record claims `value` captured bytes.  From here on, the savefile is damaged there."""
    BLOCK_TOO_SHORT = 5
    """The block claims `value` bytes, too few for its own fields."""
    BLOCK_TOO_LONG = 6
    TRAILER_DIFFERS = 7
    """The copy of the block's length at its end is `value`."""
    NO_SUCH_INTERFACE = 8
    """The packet names interface `value` of this section."""
    PACKET_BEYOND_BLOCK = 9
    """The packet claims `value` captured bytes, more than its block holds."""


class Walked(NamedTuple):
    """How far a walk came, and why no further."""

    stop: int
    position: int
    """Of the first byte not walked, in the buffer."""
    value: int


class Stage(IntEnum):
    """How far a belt took a chunk by itself."""

    DONE = 0
    COLLECTING = 1
    """The turn of collecting is the caller's, and nothing of the chunk is collected."""
    FOLLOWING = 2
    """The turn of following is the caller's, and the pile stands at the first batch that is not followed."""


class Lengths(IntEnum):
    """Order of the two lengths in a pcap record header."""

    CAPTURED_FIRST = 0
    ORIGINAL_FIRST = 1
    """Before version 2.3, and version 543 of DG/UX."""
    SMALLER_IS_CAPTURED = 2
    """Version 2.3, which was written both ways."""


class PcapLayout(NamedTuple):
    """How the records of one pcap file are laid out."""

    big_endian: int
    header_len: int
    """16; the patched libpcaps of 1999 and Nokia's add fields after the common ones."""
    tick_ns: int
    """Of the fraction of a second: 1000 or 1."""
    lengths: int
    link_type: int


class Clock(NamedTuple):
    """if_tsresol and if_tsoffset, §4.2: how an interface counts time."""

    multiplier: int
    """Nanoseconds in a tick, where a tick is a power of ten not below one…"""
    divisor: int
    """…and ticks in a nanosecond, where it is; one of the two is 1."""
    shift: int
    """n where a tick is 2⁻ⁿ seconds, else -1."""
    offset_ns: int


class Totals(NamedTuple):
    """What all frames of a savefile had in common, counted as they were walked."""

    frames: int
    first_ns: int
    last_ns: int
    """Earliest and latest time; NEVER where no frame has one."""
    out_of_order: int
    """Frames with an earlier time than the frame before."""
    longer_than_original: int
    untimed: int
    """Frames without a usable time are given the time of the frame before: a made-up one could prove a silence."""
    mistimed: int
    """Those of them whose time lies outside 1970 to 2262; the others are simple packets, which carry none."""
    commented: int
    other_records: int
    """Records that are no packets and that Wireshark numbers with the frames."""


def padded(length: int) -> int:
    """§3.1: fields are padded to 32 bits.  So are blocks, though some writers left that out of their length."""
    return (length + 3) & ~3
