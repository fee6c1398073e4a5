"""Link layers under pseudonyms: MACs, ARP, and the way to the first datagram.

Knows the link types that the kernel decodes, PPPoE and MPLS.  Does not know what a datagram holds: see ip.  Radio
frames and other exotic links have addresses in places that depend on their content: nothing of them is shown.
"""

from __future__ import annotations

from struct import unpack_from
from typing import Final, NamedTuple

from ctcp_forensics._kernel.caps import MAX_VLAN_TAGS
from ctcp_forensics._kernel.plain_decode import (
    C_HDLC,
    ETHERNET,
    IPV4,
    LINUX_SLL,
    LINUX_SLL2,
    VLAN_TAGS,
    find_ip,
)
from ctcp_forensics._kernel.rows import Status
from ctcp_forensics.packets.tunnels import MAX_LAYERS
from ctcp_forensics.redact.packets.parts import Scope, blank

ARP, PPPOE, MPLS = 0x0806, 0x8864, (0x8847, 0x8848)
MAC_LEN: Final = 6
ARP_LEN: Final = 28
"""RFC 826, for Ethernet and IPv4."""
LAST_LABEL: Final = 0x01
"""RFC 3032 §2.1, in the third byte of a label."""


class Link(NamedTuple):
    """Where a link layer has its MACs, its type field, and what follows the type field directly."""

    macs: tuple[int, ...]
    type_at: int
    len: int


LINKS: Final = {
    ETHERNET: Link((0, 6), 12, 14),
    LINUX_SLL: Link((6,), 14, 16),
    LINUX_SLL2: Link((12,), 0, 20),
    C_HDLC: Link((), 2, 4),
}
ADDRESS_LEN_AT: Final = {LINUX_SLL: 5, LINUX_SLL2: 11}
"""Of the one address that cooked captures have: two bytes of which the last counts, or one."""


def frame_of(frame: bytearray, link_type: int, scope: Scope) -> int:
    """A frame of any link type; up to where it may be shown."""
    link = LINKS.get(link_type)
    if link is not None:
        return linked(frame, 0, len(frame), link_type, link, scope)
    status, at = find_ip(memoryview(bytes(frame)), link_type)
    if status != Status.TCP:
        return scope.leave(f"link type {link_type}", 0)
    return scope.ip(frame, at, len(frame), scope)


def ethernet(frame: bytearray, at: int, end: int, scope: Scope) -> int:
    """A frame inside a tunnel."""
    if scope.layer >= MAX_LAYERS:
        return scope.leave("more than eight layers", at)
    return linked(frame, at, end, ETHERNET, LINKS[ETHERNET], scope)


def linked(frame: bytearray, at: int, end: int, link_type: int, link: Link, scope: Scope) -> int:
    if end < at + link.len:
        return scope.leave("a cut link header", at)
    rename_macs(frame, at, link_type, link, scope)
    (kind,) = unpack_from(">H", frame, at + link.type_at)
    return behind_type(frame, kind, at + link.len, end, scope)


def rename_macs(frame: bytearray, at: int, link_type: int, link: Link, scope: Scope) -> None:
    """An address of another length than a MAC's is emptied; so is the rest of the eight bytes that hold one."""
    where = ADDRESS_LEN_AT.get(link_type)
    is_mac = where is None or frame[at + where] == MAC_LEN
    for mac in (slice(at + one, at + one + MAC_LEN) for one in link.macs):
        frame[mac] = scope.pseudonyms.mac(bytes(frame[mac])) if is_mac else bytes(MAC_LEN)
        if where is not None:
            blank(frame, mac.stop, mac.stop + 2)


def behind_type(frame: bytearray, kind: int, at: int, end: int, scope: Scope) -> int:
    """Behind any stack of VLAN tags (802.1Q §9.6), whose numbers stay."""
    for _ in range(MAX_VLAN_TAGS):
        if kind not in VLAN_TAGS:
            break
        if end < at + 4:
            return scope.leave("a cut link header", at)
        kind, at = unpack_from(">H", frame, at + 2)[0], at + 4
    if kind == ARP:
        return arp(frame, at, end, scope)
    if kind == PPPOE and end >= at + 8:  # RFC 2516 §4, and two bytes of PPP's protocol
        return scope.open_ip(frame, at + 8, end)
    if kind in MPLS:
        return mpls(frame, at, end, scope)
    return typed(frame, kind, at, end, scope)


def typed(frame: bytearray, kind: int, at: int, end: int, scope: Scope) -> int:
    """An IP datagram by its Ethernet type, or behind LLC and SNAP: as the kernel finds it."""
    status, inside = find_ip(memoryview(bytes(12) + kind.to_bytes(2, "big") + frame[at:end]), ETHERNET)
    if status != Status.TCP:
        return scope.leave(f"Ethernet type 0x{kind:04x}" if kind > 1500 else "LLC without IP", at)
    return scope.ip(frame, at + inside - 14, end, scope)


def mpls(frame: bytearray, at: int, end: int, scope: Scope) -> int:
    """RFC 3032 §2.1: labels of four bytes, then a datagram."""
    while end >= at + 4:
        is_last, at = frame[at + 2] & LAST_LABEL, at + 4
        if is_last:
            return scope.open_ip(frame, at, end)
    return scope.leave("a cut link header", at)


def arp(frame: bytearray, at: int, end: int, scope: Scope) -> int:
    """RFC 826: hardware and protocol address of the sender, then of the target."""
    if end < at + ARP_LEN or frame[at : at + 6] != b"\0\1" + IPV4.to_bytes(2, "big") + b"\6\4":
        return scope.leave("ARP of another kind", at)
    for mac in (slice(at + 8, at + 14), slice(at + 18, at + 24)):
        frame[mac] = scope.pseudonyms.mac(bytes(frame[mac]))
    for address in (slice(at + 14, at + 18), slice(at + 24, at + 28)):
        frame[address] = scope.pseudonyms.packed(bytes(frame[address]))
    blank(frame, at + ARP_LEN, end)
    return end
