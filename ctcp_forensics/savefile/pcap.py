"""The pcap file header and its variants: which of them wrote this file.

Quoted: draft-ietf-opsawg-pcap.  The variants beyond it are those that Wireshark
reads; three of them share one magic number, and only the records tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

import msgspec

from ctcp_forensics._kernel.caps import MAX_CAPTURED_LEN
from ctcp_forensics._kernel.layouts import Lengths, PcapLayout
from ctcp_forensics._kernel.row import NamedTuple
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.savefile.account import Interface
from ctcp_forensics.savefile.window import Window

MICROSECOND_NS, NANOSECOND_NS = 1000, 1
RESOLUTIONS: Final = {MICROSECOND_NS: "10^-6 s", NANOSECOND_NS: "10^-9 s"}

FILE_HEADER_LEN: Final = 24
RECORD_HEADER_LEN: Final = 16
RECORDS_JUDGED: Final = 3
"""How many records Wireshark looks at to tell variants apart."""
IMPLAUSIBLE_LEN: Final = 128 * 1024 * 1024
"""Longest frame of any link type that Wireshark believes."""
MICROSECONDS_PER_SECOND: Final = 1_000_000
MAX_INTERFACE_INDEX: Final = 10_000
MAX_PACKET_TYPE: Final = 4
OLDEST_MAJOR: Final = 2

NETWORK_MASK: Final = 0xFFFF
RESERVED_MASK: Final = 0x03FF_0000
"""draft-ietf-opsawg-pcap §4: bits 6 to 15 of the link type's word must be zero; above them the FCS length."""


class Variant(NamedTuple):
    """One way to write pcap."""

    name: str
    """As capinfos calls it."""
    file_header_len: int
    record_header_len: int
    tick_ns: int
    fits: Callable[[bytes, str], bool]
    """Whether this variant would write such bytes after the common 16, in such a byte order."""


def _nothing_more(_rest: bytes, _order: str) -> bool:
    return True


def _patched(rest: bytes, order: str) -> bool:
    """Interface index, Ethernet type, Linux packet type: what the libpcap patches of 1999 added."""
    index, ethertype, packet_type = Struct(f"{order}IHB").unpack_from(rest)
    is_linux_type = ethertype <= 0x17 or ethertype in (0x60, 0x200, 0x400) or ethertype >= 0x600
    fits: bool = index <= MAX_INTERFACE_INDEX and is_linux_type and packet_type <= MAX_PACKET_TYPE
    return fits


def _nokia(rest: bytes, order: str) -> bool:
    """A word of unknown meaning; seen are 9fbfb601 and a few like it."""
    (word,) = Struct(f"{order}I").unpack_from(rest)
    fits: bool = (
        word & 0x0FFF_00F0 == 0x0FBF_0000
        and word >> 28 in (0x9, 0xB)
        and word >> 12 & 0xF in (0xB, 0xD)
        and word >> 8 & 0xF in (0x6, 0x9)
        and word & 0xF in (1, 2)
    )
    return fits


PCAP: Final = Variant("pcap", 24, 16, MICROSECOND_NS, _nothing_more)
RED_HAT: Final = Variant("rh6_1pcap", 24, 24, MICROSECOND_NS, _patched)
NOKIA: Final = Variant("nokiapcap", 24, 20, MICROSECOND_NS, _nokia)
MODIFIED: Final = Variant("modpcap", 24, 24, MICROSECOND_NS, _patched)
SUSE: Final = Variant("suse6_3pcap", 24, 28, MICROSECOND_NS, _patched)

VARIANTS: Final[dict[int, tuple[Variant, ...]]] = {
    0xA1B2C3D4: (PCAP, RED_HAT, NOKIA),
    0xA1B23C4D: (Variant("nsecpcap", 24, 16, NANOSECOND_NS, _nothing_more),),
    0xA1B2CD34: (MODIFIED, SUSE),
    0x1C0001AC: (Variant("nsecpcap", 28, 16, NANOSECOND_NS, _nothing_more),),
    0x1C0001AB: (Variant("pcap", 28, 16, MICROSECOND_NS, _nothing_more),),
}
"""By magic number, the likeliest first; the last two are Ixia's, with a count after the file header."""


def byte_order(head: bytes) -> str | None:
    """`>` or `<` where the first four bytes are a pcap magic number, else None."""
    for order in "<>":
        if len(head) >= 4 and Struct(f"{order}I").unpack_from(head)[0] in VARIANTS:
            return order
    return None


class PcapHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What the file header says, and which variant the records show."""

    variant: Variant
    layout: PcapLayout
    interface: Interface


def _fields(window: Window, source: str) -> tuple[str, int, int, int, int, int]:
    """Byte order, magic, version, snap length and link type, as they stand there."""
    head = window.peek(FILE_HEADER_LEN)
    if len(head) < FILE_HEADER_LEN:
        raise _unreadable(source, len(head), f"the pcap file header is cut off after {len(head)} bytes")
    order = byte_order(head) or "<"
    magic, major, minor, _, _, snap_len, network = Struct(f"{order}IHHIIII").unpack(head)
    return order, magic, major, minor, snap_len, network


def read_header(window: Window, source: str) -> PcapHeader:
    """The file header, draft-ietf-opsawg-pcap §4; the window is left at the first record."""
    order, magic, major, minor, snap_len, network = _fields(window, source)
    if major < OLDEST_MAJOR:
        raise _unreadable(source, 4, f"pcap version {major}.{minor} is unknown")
    if network & RESERVED_MASK:
        raise _unreadable(source, 20, f"the reserved bits of the link type are not zero (0x{network:08x})")
    link_type, lengths = network & NETWORK_MASK, order_of_lengths(major, minor)
    candidates = VARIANTS[magic] if lengths == Lengths.CAPTURED_FIRST else VARIANTS[magic][:1]
    window.skip(candidates[0].file_header_len)
    variant = likeliest(candidates, window, order, snap_len)
    return PcapHeader(
        variant=variant,
        layout=PcapLayout(
            big_endian=int(order == ">"),
            header_len=variant.record_header_len,
            tick_ns=variant.tick_ns,
            lengths=lengths,
            link_type=link_type,
        ),
        interface=Interface(
            index=0,
            link_type=link_type,
            snap_len=snap_len,
            resolution=RESOLUTIONS[variant.tick_ns],
        ),
    )


def _unreadable(source: str, offset: int, reason: str) -> CaptureError:
    return CaptureError(source, offset=offset, reason=reason)


def order_of_lengths(major: int, minor: int) -> Lengths:
    """Version 2.3 changed the order of the two lengths, and was at first written both ways."""
    if (major, minor) < (2, 3) or major == 543:
        return Lengths.ORIGINAL_FIRST
    return Lengths.SMALLER_IS_CAPTURED if (major, minor) == (2, 3) else Lengths.CAPTURED_FIRST


# --- telling variants apart ----------------------------------------------------------------


def likeliest(candidates: tuple[Variant, ...], window: Window, order: str, snap_len: int) -> Variant:
    """The first variant under which the first records make sense, else the commonest.

    Wireshark takes the least odd one; then one damaged record can make another format of a sound file.
    """
    for variant in candidates:
        if make_sense(variant, window, order, snap_len):
            return variant
    return candidates[0]


def make_sense(variant: Variant, window: Window, order: str, snap_len: int) -> bool:
    """Whether the first records, read as `variant`, have nothing odd about them."""
    position = 0
    for _ in range(RECORDS_JUDGED):
        header = window.peek(position + variant.record_header_len)[position:]
        if not header:
            return True
        if len(header) < variant.record_header_len or not variant.fits(header[RECORD_HEADER_LEN:], order):
            return False
        _, fraction, captured_len, original_len = Struct(f"{order}IIII").unpack_from(header)
        believable = captured_len <= min(original_len, snap_len, MAX_CAPTURED_LEN)
        if fraction >= MICROSECONDS_PER_SECOND or not believable or original_len > IMPLAUSIBLE_LEN:
            return False
        position += len(header) + captured_len
        if not window.reach(position):
            return False
    return True
