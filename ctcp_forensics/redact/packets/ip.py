"""IP under pseudonyms: datagrams, their headers, and what is inside, rewritten where they stand.

Knows IPv4, IPv6, and which protocol comes next.  Does not know link layers (see link) nor what TCP and its
neighbours carry (see transport).

Every function is told where its part of the frame lies and answers up to where the frame may be shown.  Nothing
moves and no length changes; what is not understood is cut off.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import unpack_from
from typing import Final, NamedTuple

from ctcp_forensics._kernel.caps import MAX_EXTENSION_HEADERS
from ctcp_forensics._kernel.plain_decode import (
    GRE,
    ICMP,
    ICMPV6,
    IPIP,
    IPV4,
    IPV6,
    IPV6_IN_IP,
    TCP,
    UDP,
)
from ctcp_forensics.packets.tunnels import MAX_LAYERS
from ctcp_forensics.redact.packets.checksum import mend, total
from ctcp_forensics.redact.packets.parts import Ends, Part, Scope, blank, blank_options
from ctcp_forensics.redact.packets.transport import (
    encrypted,
    first_piece,
    icmp,
    icmpv6,
    later_piece,
    tcp,
    udp,
)

HOP_BY_HOP, FRAGMENT, ESP, DESTINATION_OPTIONS = 0, 44, 50, 60
ROUTER_ALERT: Final = 148
"""RFC 2113: the one IPv4 option whose content names nobody; others record addresses (RFC 791 §3.1)."""
FIRST_PIECE, LATER_PIECE, ANOTHER_PIECE = -1, -2, -3
"""Beside the protocol numbers: fragments of TCP segments, and of anything else."""
BRIDGED, ERSPAN = 0x6558, 0x88BE
CARRIED: Final[dict[int, Callable[[bytearray, Part, Ends, Scope], int]]] = {
    TCP: tcp,
    FIRST_PIECE: first_piece,
    LATER_PIECE: later_piece,
    UDP: udp,
    ICMP: icmp,
    ICMPV6: icmpv6,
    ESP: encrypted,
}


class Next(NamedTuple):
    """What an IP header says of its inside."""

    protocol: int
    part: Part


def datagram(frame: bytearray, at: int, end: int, scope: Scope) -> int:
    """An IP datagram; what stands behind it is padding, which may be anything, and becomes zeros."""
    if scope.layer == MAX_LAYERS:
        return scope.leave("more than eight layers", at)
    match frame[at] >> 4 if at < end else 0:
        case 4:
            return ipv4(frame, at, end, scope)
        case 6:
            return ipv6(frame, at, end, scope)
        case _:
            return scope.leave("no IP header", at)


def ipv4(frame: bytearray, at: int, end: int, scope: Scope) -> int:
    """RFC 791 §3.1; a total length of 0 was left to the network card."""
    header_end = at + (frame[at] & 15) * 4
    if header_end < at + 20 or end < header_end:
        return scope.leave("a cut or malformed IP header", at)
    total_len, _, fragment = unpack_from(">HHH", frame, at + 2)
    part = Part.of(header_end, end, at + total_len if total_len else end)
    ends = rename_ipv4(frame, at, header_end, scope)
    protocol = frame[at + 9]
    if fragment & 0x3FFF:  # more fragments, or an offset
        protocol = {TCP: LATER_PIECE if fragment & 0x1FFF else FIRST_PIECE}.get(protocol, ANOTHER_PIECE)
    return inside(frame, Next(protocol, part), end, ends, scope)


def rename_ipv4(frame: bytearray, at: int, header_end: int, scope: Scope) -> Ends:
    """A header checksum of zero that does not hold was left to the network card, and stays."""
    old = bytes(frame[at:header_end])
    for where in (at + 12, at + 16):
        frame[where : where + 4] = scope.pseudonyms.packed(bytes(frame[where : where + 4]))
    blank_options(frame, at + 20, header_end, plain=(ROUTER_ALERT,))
    if any(old[10:12]) or not total(old):
        mend(frame, at + 10, old, bytes(frame[at:header_end]))
    return Ends(old[12:20], bytes(frame[at + 12 : at + 20]))


def ipv6(frame: bytearray, at: int, end: int, scope: Scope) -> int:
    """RFC 8200 §3; a payload length of 0 was left to the network card."""
    if end < at + 40:
        return scope.leave("a cut or malformed IP header", at)
    payload_len = unpack_from(">H", frame, at + 4)[0]
    part = Part.of(at + 40, end, at + 40 + payload_len if payload_len else end)
    old = bytes(frame[at + 8 : at + 40])
    for where in (at + 8, at + 24):
        frame[where : where + 16] = scope.pseudonyms.packed(bytes(frame[where : where + 16]))
    found = behind_extensions(frame, Next(frame[at + 6], part))
    if found is None:
        return scope.leave("an extension header that is not followed", at + 40)
    return inside(frame, found, end, Ends(old, bytes(frame[at + 8 : at + 40])), scope)


def behind_extensions(frame: bytearray, found: Next) -> Next | None:
    """RFC 8200 §4; None for fragments and for what is cut.  Options are emptied, since they may hold addresses.

    A routing header is no protocol that `inside` knows: its addresses are cut off.
    """
    (protocol, part) = found
    for _ in range(MAX_EXTENSION_HEADERS):
        if protocol not in (HOP_BY_HOP, FRAGMENT, DESTINATION_OPTIONS):
            return Next(protocol, part)
        at = part.at
        header_end = (
            at + (8 if protocol == FRAGMENT else (frame[at + 1] + 1) * 8) if at + 8 <= part.end else 0
        )
        if not header_end or header_end > part.end:
            return None
        if protocol == FRAGMENT and unpack_from(">H", frame, at + 2)[0] & 0xFFF9:
            return None
        if protocol != FRAGMENT:
            blank(frame, at + 2, header_end)  # RFC 8200 §4.2: a run of Pad1 options
        protocol, part = frame[at], part._replace(at=header_end)
    return None


def inside(frame: bytearray, found: Next, end: int, ends: Ends, scope: Scope) -> int:
    """What a datagram carries, then its padding."""
    blank(frame, found.part.end, end)
    shown = carried(frame, found, ends, scope)
    return end if shown == found.part.end else shown


def carried(frame: bytearray, found: Next, ends: Ends, scope: Scope) -> int:
    protocol, part = found
    known = CARRIED.get(protocol)
    if known is not None:
        return known(frame, part, ends, scope)
    if protocol in (IPIP, IPV6_IN_IP):
        return scope.open_ip(frame, part.at, part.end)
    if protocol == GRE:
        return gre(frame, part, scope)
    reason = "a fragment, not of TCP" if protocol == ANOTHER_PIECE else f"IP protocol {protocol}"
    return scope.leave(reason, part.at)


def gre(frame: bytearray, part: Part, scope: Scope) -> int:
    """RFC 2784 §2, RFC 2890 §2; ERSPAN has a header of eight bytes where GRE has a sequence number."""
    if part.end < part.at + 4:
        return scope.leave("a cut GRE header", part.at)
    flags, kind = unpack_from(">HH", frame, part.at)
    at = part.at + 4 * (1 + sum(bool(flags & flag) for flag in (0x8000, 0x2000, 0x1000)))
    if flags & 0x4007 or at > part.end:  # source routes, or another version
        return scope.leave("GRE of another kind", part.at)
    old = bytes(frame[part.at : part.end])
    shown = behind_gre(frame, kind, at + 8 * (kind == ERSPAN and bool(flags & 0x1000)), part.end, scope)
    if flags & 0x8000:
        mend(frame, part.at + 4, old, bytes(frame[part.at : part.end]))
    return shown


def behind_gre(frame: bytearray, kind: int, at: int, end: int, scope: Scope) -> int:
    if at > end:
        return scope.leave("a cut GRE header", end)
    if kind in (IPV4, IPV6):
        return scope.open_ip(frame, at, end)
    if kind in (BRIDGED, ERSPAN):
        return scope.open_ethernet(frame, at, end)
    return scope.leave(f"GRE protocol 0x{kind:04x}", at)
