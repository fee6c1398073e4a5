"""Blocks: pcapng as it is written here, through dpkt's classes.

Knows the format, draft-ietf-opsawg-pcapng.  Does not know what stands in it.  Everything is written little-endian,
whatever machine it is written on, with nanoseconds and one snap length for all interfaces, because tcpdump reads no
file in which they differ.

dpkt 1.9.8 is right about sections, interfaces and options.  Of packets it writes the captured length where the
original one belongs; interface statistics and name resolution it does not know.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import pack
from typing import Any, Final

from dpkt import pcapng

from ctcp_forensics._kernel.caps import MAX_CAPTURED_LEN
from ctcp_forensics._kernel.layouts import padded

COMMENT: Final = 1
SHB_HARDWARE, SHB_OS, SHB_USERAPPL = 2, 3, 4
IF_NAME, IF_DESCRIPTION, IF_TSRESOL, IF_OS, IF_HARDWARE = 2, 3, 9, 12, 15
NANOSECONDS: Final = b"\x09"
"""§4.2 if_tsresol: 10⁻⁹ s."""
OPTION_ROOM: Final = 0xFFFF
"""§3.5: an option's length has 16 bits."""

Pairs = Iterable[tuple[int, bytes]]
"""Options, by code and value."""


class EnhancedPacket(pcapng.EnhancedPacketBlockLE):  # type: ignore[misc]  # dpkt has no types
    """A packet block that keeps the length that the packet had on the wire.

    One is made and filled anew for each packet: to make one takes dpkt ten times as long as to write it.
    """

    def filled(self, interface: int, time_ns: int, data: bytes, original_len: int, pairs: Pairs) -> bytes:
        self.iface_id = interface
        self.ts_high, self.ts_low = time_ns >> 32, time_ns & 0xFFFF_FFFF
        self.pkt_data, self.pkt_len = data, original_len
        self.opts = options_of(pairs)
        return bytes(self)

    def __bytes__(self) -> bytes:
        options = self._do_pack_options()
        length = self.__hdr_len__ + padded(len(self.pkt_data)) + len(options)
        header = self._pack_hdr(
            self.type,
            length,
            self.iface_id,
            self.ts_high,
            self.ts_low,
            len(self.pkt_data),
            self.pkt_len,
            length,
        )
        return b"".join((header[:-4], self.pkt_data, bytes(-len(self.pkt_data) % 4), options, header[-4:]))


def options_of(pairs: Pairs) -> list[Any]:
    """Ended by opt_endofopt, where there are any; what is too long for one is left out."""
    found = [
        pcapng.PcapngOptionLE(code=code, data=value, text=value)
        for code, value in pairs
        if len(value) <= OPTION_ROOM
    ]
    return [*found, pcapng.PcapngOptionLE()] if found else []


def section_header(pairs: Pairs) -> bytes:
    return bytes(pcapng.SectionHeaderBlockLE(opts=options_of(pairs)))


def interface_description(link_type: int, pairs: Pairs) -> bytes:
    return bytes(
        pcapng.InterfaceDescriptionBlockLE(
            linktype=link_type,
            snaplen=MAX_CAPTURED_LEN,
            opts=options_of([*pairs, (IF_TSRESOL, NANOSECONDS)]),
        )
    )


def interface_statistics(interface: int, time_ns: int, pairs: Pairs) -> bytes:
    """§4.6."""
    fixed = pack("<III", interface, time_ns >> 32, time_ns & 0xFFFF_FFFF)
    return other_block(5, fixed + b"".join(bytes(option) for option in options_of(pairs)))


def other_block(kind: int, body: bytes) -> bytes:
    """§3.1: any block, of which dpkt has only the frame."""
    length = 12 + padded(len(body))
    return pack("<II", kind, length) + body + bytes(-len(body) % 4) + pack("<I", length)
