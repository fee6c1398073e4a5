"""TCP, UDP, ICMP and ESP under pseudonyms.

Knows their headers, their checksums, and where an ICMP message holds a datagram or an address.  Does not know what
a TCP payload is: see payload.
"""

from __future__ import annotations

from struct import pack_into, unpack_from
from typing import Final

from ctcp_forensics._kernel.plain_decode import ICMP_ERRORS, TCP, TUNNEL_PORTS
from ctcp_forensics.redact.packets.checksum import ONES, as_before, mend, total
from ctcp_forensics.redact.packets.parts import Ends, Part, Scope, blank_options
from ctcp_forensics.redact.packets.payload import ESP_HEADER_LEN, replaced, rest_replaced, stream

VXLAN: Final = (4789, 8472)
VXLAN_FLAG: Final = 0x08
"""RFC 7348 §5: the header says that it has a network identifier."""
REDIRECT, SOLICITATION, ADVERTISEMENT = 5, 135, 136
PLAIN_OPTIONS: Final = (2, 3, 4, 5, 8)
"""RFC 9293 §3.2, RFC 7323 §2 and §3, RFC 2018 §2 and §3.  Others may hold addresses: those of accelerators do."""


def tcp(frame: bytearray, part: Part, ends: Ends, scope: Scope) -> int:
    """RFC 9293 §3.1.  Of a header that is cut off, what is there stays: none of its fields names anybody."""
    old = bytes(frame[part.at : part.end])
    if len(old) >= 20:
        header_end = part.at + (frame[part.at + 12] >> 4) * 4
        if header_end < part.at + 20:
            return scope.leave("a malformed TCP header", part.at + 20)
        blank_options(frame, part.at + 20, min(header_end, part.end), plain=PLAIN_OPTIONS)
        if header_end < part.end:
            payload = bytes(frame[header_end : part.end])
            frame[header_end : part.end] = replaced(payload, part.wire_end - header_end, scope.payload_key)
    mend_tcp(frame, part, ends, old)
    return part.end


def first_piece(frame: bytearray, part: Part, ends: Ends, scope: Scope) -> int:
    """The first fragment of a segment: its checksum covers what other frames hold, whose sums do not change."""
    old = bytes(frame[part.at : part.end])
    header_end = part.at + (old[12] >> 4) * 4 if len(old) >= 20 else 0
    if not part.at + 20 <= header_end <= part.end:
        return scope.leave("a cut or malformed TCP header", part.at)
    blank_options(frame, part.at + 20, header_end, plain=PLAIN_OPTIONS)
    payload = bytes(frame[header_end : part.end])
    frame[header_end : part.end] = as_before(payload, replaced(payload, len(payload) + 1, scope.payload_key))
    mend(frame, part.at + 16, ends.old + old, ends.new + bytes(frame[part.at : part.end]))
    return part.end


def later_piece(frame: bytearray, part: Part, _ends: Ends, scope: Scope) -> int:
    piece = bytes(frame[part.at : part.end])
    frame[part.at : part.end] = as_before(piece, rest_replaced(piece, scope.payload_key))
    return part.end


def mend_tcp(frame: bytearray, part: Part, ends: Ends, old: bytes) -> None:
    """Where the sending host left the rest to its network card, the checksum is the pseudo-header's sum alone."""
    if len(old) < 18:
        return
    (told,) = unpack_from(">H", old, 16)
    length = (part.wire_end - part.at).to_bytes(4, "big") + TCP.to_bytes(4, "big")
    is_right = total(ends.old + length + old) == 0
    if part.is_whole and not is_right and told % ONES == total(ends.old + length):
        pack_into(">H", frame, part.at + 16, total(ends.new + length) or ONES)
        return
    mend(frame, part.at + 16, ends.old + old, ends.new + bytes(frame[part.at : part.end]))


def udp(frame: bytearray, part: Part, ends: Ends, scope: Scope) -> int:
    """RFC 768: a checksum of zero means that there is none."""
    old = bytes(frame[part.at : part.end])
    if len(old) < 8:
        return part.end
    shown = inside_udp(frame, part, scope)
    if any(old[6:8]):
        mend(frame, part.at + 6, ends.old + old, ends.new + bytes(frame[part.at : part.end]))
        if not any(frame[part.at + 6 : part.at + 8]):
            pack_into(">H", frame, part.at + 6, 0xFFFF)
    return shown


def inside_udp(frame: bytearray, part: Part, scope: Scope) -> int:
    ports = unpack_from(">HH", frame, part.at)
    inside = part.at + 8
    if ports[1] in VXLAN and part.end >= inside + 8 and frame[inside] & VXLAN_FLAG:
        return scope.open_ethernet(frame, inside + 8, part.end)
    if any(port in TUNNEL_PORTS for port in ports):
        return scope.leave("a tunnel over UDP", inside)
    hide(frame, inside, part.end, scope)
    return part.end


def encrypted(frame: bytearray, part: Part, _ends: Ends, scope: Scope) -> int:
    """RFC 4303 §2: ESP has no checksum that anybody without its key could check."""
    hide(frame, min(part.at + ESP_HEADER_LEN, part.end), part.end, scope)
    return part.end


# --- ICMP ---------------------------------------------------------------------------------------


def icmp(frame: bytearray, part: Part, _ends: Ends, scope: Scope) -> int:
    """RFC 792: errors quote a datagram, a redirect names a router; the checksum covers no address of the header."""
    old = bytes(frame[part.at : part.end])
    if len(old) < 8:
        return scope.leave("a cut ICMP header", part.at)
    if old[0] == REDIRECT:
        frame[part.at + 4 : part.at + 8] = scope.pseudonyms.packed(old[4:8])
    shown = quoted(frame, part, scope) if old[0] in ICMP_ERRORS else hidden(frame, part, scope)
    mend(frame, part.at + 2, old, bytes(frame[part.at : part.end]))
    return shown


def icmpv6(frame: bytearray, part: Part, ends: Ends, scope: Scope) -> int:
    """RFC 4443 §2.1: types below 128 are errors; §2.3: the checksum covers the pseudo-header."""
    old = bytes(frame[part.at : part.end])
    if len(old) < 8:
        return scope.leave("a cut ICMP header", part.at)
    if old[0] in (SOLICITATION, ADVERTISEMENT):
        shown = neighbour(frame, part, scope)
    else:
        shown = quoted(frame, part, scope) if old[0] < 128 else hidden(frame, part, scope)
    mend(frame, part.at + 2, ends.old + old, ends.new + bytes(frame[part.at : part.end]))
    return shown


def quoted(frame: bytearray, part: Part, scope: Scope) -> int:
    """The datagram that an error is about, as much as it quotes."""
    return scope.open_ip(frame, part.at + 8, part.end)


def hidden(frame: bytearray, part: Part, scope: Scope) -> int:
    hide(frame, part.at + 8, part.end, scope)
    return part.end


def neighbour(frame: bytearray, part: Part, scope: Scope) -> int:
    """RFC 4861 §4.3 and §4.4: a target, and options that hold the MAC, which are cut off."""
    if part.end < part.at + 24:
        return scope.leave("a cut ICMP header", part.at + 8)
    target = slice(part.at + 8, part.at + 24)
    frame[target] = scope.pseudonyms.packed(bytes(frame[target]))
    return (
        scope.leave("options of neighbour discovery", part.at + 24) if part.end > part.at + 24 else part.end
    )


def hide(frame: bytearray, at: int, end: int, scope: Scope) -> None:
    frame[at:end] = stream(bytes(frame[at:end]), scope.payload_key)
