"""Addresses under a key: prefixes that two addresses share, their pseudonyms share as well.

Knows ipcrypt-pfx (draft-denis-ipcrypt §6) and which addresses say what kind of traffic it is instead of whose.
Does not know where addresses stand: see words and packets.

Each bit of an address is flipped or not by what stands before it.  A block that is kept, such as multicast, needs
the bits on the way to it unflipped: otherwise a host could come to lie in it, and two addresses would be one.  What
that shows of other addresses is about their class (decision 11).
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

from ctcp_forensics.errors import CtcpError
from ctcp_forensics.redact.key import Key

REMEMBERED: Final = 1 << 16
"""Addresses whose pseudonym is not computed anew: the library needs a millisecond for one of IPv6."""
MISSING_LIBRARY: Final = "redaction needs ipcrypt: pip install 'ctcp-forensics[redact]'"


class LibraryMissingError(CtcpError):
    """What redaction is made with is not installed."""


class Block(NamedTuple):
    """Addresses that begin alike, and how many bits of them stay as they are."""

    value: int
    prefix_len: int
    kept: int


# The first that fits holds.
BLOCKS_V4: Final = (
    Block(0x00 << 24, 8, 32),  # this network (RFC 1122 §3.2.1.3), and masks as access lists write them
    Block(0x7F << 24, 8, 32),  # loopback
    Block(0xE0 << 24, 3, 32),  # multicast, broadcast, and netmasks
)
SOLICITED_NODE: Final = 0xFF02_0000_0000_0000_0000_0001_FF00_0000
"""RFC 4291 §2.7.1: the last 24 bits are those of a host's address."""
MAPPED: Final = 0xFFFF_0000_0000
"""RFC 4291 §2.5.5.2: an IPv4 address, and treated as one."""
BLOCKS_V6: Final = (
    Block(0, 127, 128),  # unspecified, loopback
    Block(MAPPED, 96, 96),
    Block(SOLICITED_NODE, 104, 104),
    Block(0xFF << 120, 8, 128),  # multicast
    Block(0xFE80 << 112, 64, 64),  # link-local: the rest is a host's, often its MAC (RFC 4291, appendix A)
)
GROUP, LOCAL = 1 << 40, 1 << 41
"""Of a MAC, in the first byte on the wire (IEEE 802 §8.2): to many, and not given by a vendor."""
SOLICITED_MAC: Final = 0x3333FF
"""RFC 2464 §7: 33:33 and the last four bytes of the group."""


class Addresses:
    """Pseudonyms of addresses under one key, as bytes; deterministic, and one for each address."""

    def __init__(self, key: Key) -> None:
        self._ip_key = key.derived("addresses")
        self._mac_key = key.derived("macs")
        self.ip = lru_cache(REMEMBERED)(self._ip)
        self.mac = lru_cache(REMEMBERED)(self._mac)

    def _ip(self, packed: bytes) -> bytes:
        value = int.from_bytes(packed, "big")
        if len(packed) == 4:
            return self._ipv4(value).to_bytes(4, "big")
        if value >> 32 == MAPPED >> 32:
            return (MAPPED | self._ipv4(value & 0xFFFF_FFFF)).to_bytes(16, "big")
        return self._ipv6(value, kept_bits(value, 128, BLOCKS_V6)).to_bytes(16, "big")

    def _mac(self, mac: bytes) -> bytes:
        """Vendors stay together; the group and the local bit are kept, and groups are but for solicited nodes."""
        value = int.from_bytes(mac, "big")
        if value >> 24 == SOLICITED_MAC:
            host = self._ipv6(SOLICITED_NODE | value & 0xFF_FFFF, 104) & 0xFF_FFFF
            return (SOLICITED_MAC << 24 | host).to_bytes(6, "big")
        if value & GROUP or not value:
            return mac
        # As the end of an IPv6 address whose start stays, with the bits that stay in front.
        rest = (value >> 42) << 40 | value & 0xFF_FFFF_FFFF
        flipped = flips(IPv6Address(rest | bool(value & LOCAL) << 46), self._mac_key) & (1 << 46) - 1
        rest ^= flipped
        return ((rest >> 40) << 42 | value & LOCAL | rest & 0xFF_FFFF_FFFF).to_bytes(6, "big")

    def _ipv4(self, value: int) -> int:
        kept = kept_bits(value, 32, BLOCKS_V4)
        return value ^ flips(IPv4Address(value), self._ip_key) & (1 << 32 - kept) - 1

    def _ipv6(self, value: int, kept: int) -> int:
        return value ^ flips(IPv6Address(value), self._ip_key) & (1 << 128 - kept) - 1


def kept_bits(value: int, width: int, blocks: tuple[Block, ...]) -> int:
    """Leading bits that stay: those of the block it lies in, else up to where it leaves the way to any block."""
    shared = [shared_bits(value, block.value, width) for block in blocks]
    for block, common in zip(blocks, shared, strict=True):
        if common >= block.prefix_len:
            return block.kept
    return max(shared) + 1


def shared_bits(one: int, other: int, width: int) -> int:
    return width - (one ^ other).bit_length()


def flips(address: IPv4Address | IPv6Address, key: bytes) -> int:
    """The bits that ipcrypt-pfx turns over; bit n depends on the n bits before it alone."""
    try:
        from ipcrypt import pfx
    except ImportError as error:
        raise LibraryMissingError(MISSING_LIBRARY) from error
    return int(address) ^ int(pfx.encrypt(address, key))
