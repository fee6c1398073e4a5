"""Tunnels and radio frames: the exotic, unwrapped down to the first IP datagram.

dpkt opens the link layers and the headers it knows (802.11, PPPoE, MPLS, GRE, …); the four
short headers between a mirrored or overlaid frame and its inside (ERSPAN, VXLAN, Geneve,
GTP-U) are a few bytes each and stand here.  dpkt is imported when the first such frame comes.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import unpack_from
from typing import Final

MAX_LAYERS: Final = 8
"""Tunnels in tunnels that are unwrapped before a frame is given up."""
LINK_NAMES: Final = {
    8: "SLIP",
    51: "PPPoE",
    105: "IEEE 802.11",
    107: "frame relay",
    127: "radiotap",
    192: "PPI",
}
SNAP: Final = b"\xaa\xaa\x03"
GRE, UDP = 47, 17

Opener = Callable[[bytes], object]


def unwrap_link(data: bytes, link_type: int) -> tuple[bytes | None, str]:
    """The first IP datagram inside a frame of an exotic link layer, or the reason why there is none."""
    name = LINK_NAMES.get(link_type, f"link type {link_type}")
    opener = link_openers().get(link_type)
    return (None, f"{name} is not decoded") if opener is None else unwrapped(opener, data, name)


def unwrap_ip(datagram: bytes) -> tuple[bytes | None, str]:
    """The IP datagram inside an IP tunnel."""
    return unwrapped(open_ip, datagram, "IP tunnel")


class NoTunnelError(Exception):
    """A UDP datagram that only shares its port number with a tunnel."""


def unwrapped(opener: Opener, data: bytes, name: str) -> tuple[bytes | None, str]:
    """Follow the layers down to the first IP datagram; no datagram and no reason: there is no tunnel at all."""
    import dpkt

    try:
        layer = opener(data)
        for _ in range(MAX_LAYERS):
            if isinstance(layer, dpkt.ip.IP | dpkt.ip6.IP6):
                return bytes(layer), ""
            layer = next_layer(layer)
    except NoTunnelError:
        return None, ""
    except Exception as error:  # noqa: BLE001 - dpkt raises what its struct and index operations raise on hostile bytes
        return None, f"{name} that cannot be read ({type(error).__name__})"
    return None, f"{name} without an IP datagram"


def next_layer(layer: object) -> object:
    """What dpkt found inside; bytes that it left alone may still begin with LLC and SNAP."""
    import dpkt

    if isinstance(layer, bytes):
        return dpkt.llc.LLC(layer) if layer[:3] == SNAP else None
    return getattr(layer, "data", None)


def link_openers() -> dict[int, Opener]:
    import dpkt

    return {
        1: dpkt.ethernet.Ethernet,
        9: dpkt.ppp.PPP,
        50: dpkt.ppp.PPP,
        51: dpkt.pppoe.PPPoE,
        105: dpkt.ieee80211.IEEE80211,
        113: dpkt.sll.SLL,
        127: dpkt.radiotap.Radiotap,
        276: dpkt.sll2.SLL2,
    }


# --- IP tunnels ------------------------------------------------------------------------------


def open_ip(datagram: bytes) -> object:
    """The payload layer of an IP datagram; of GRE and UDP the inside."""
    import dpkt

    ip = dpkt.ip.IP(datagram) if datagram[0] >> 4 == 4 else dpkt.ip6.IP6(datagram)
    if ip.p == GRE:
        return open_gre(bytes(ip.data))
    if ip.p == UDP:
        return open_udp(bytes(ip.data))
    return ip.data


def open_gre(header: bytes) -> object:
    """RFC 2784, RFC 2890, and ERSPAN by its two numbers (draft-foschiano-erspan-03 §4)."""
    import dpkt

    gre = dpkt.gre.GRE(header)
    inside = bytes(gre.data) if isinstance(gre.data, bytes) else gre.data
    if not isinstance(inside, bytes):
        return inside
    has_sequence = bool(gre.flags & 0x1000)
    match gre.p:
        case 0x0800:
            return dpkt.ip.IP(inside)
        case 0x86DD:
            return dpkt.ip6.IP6(inside)
        case 0x6558:
            return dpkt.ethernet.Ethernet(inside)
        case 0x88BE:  # type II has a header of eight bytes and a GRE sequence number, type I neither
            return dpkt.ethernet.Ethernet(inside[8:] if has_sequence else inside)
        case 0x22EB:  # type III: twelve bytes, and eight more where the last bit says so
            return dpkt.ethernet.Ethernet(inside[20 if inside[11] & 1 else 12 :])
        case 0x883E:  # WCCP version 2 (draft-mclaggan-wccp-v2rev1 §4.12): a redirect header of four bytes
            return dpkt.ip.IP(inside[4:])
        case _:
            return None


def open_udp(header: bytes) -> object:
    """By port and first bytes; a port number alone makes no tunnel."""
    source, destination = unpack_from(">HH", header)
    inside = header[8:]
    opener = UDP_OPENERS.get(destination) or UDP_OPENERS.get(source)
    if opener is None or len(inside) < 8:
        raise NoTunnelError
    return opener(inside)


def open_vxlan(header: bytes) -> object:
    """RFC 7348 §5: the I flag is set, reserved bits are ignored; the frame inside says that it carries IP."""
    import dpkt

    if not header[0] & 0x08 or header[20:22] not in (b"\x08\x00", b"\x86\xdd", b"\x81\x00", b"\x88\xa8"):
        raise NoTunnelError
    return dpkt.ethernet.Ethernet(header[8:])


def open_geneve(header: bytes) -> object:
    """RFC 8926 §3.4: version 0, options in words of four bytes, the inside's Ethernet type."""
    import dpkt

    (protocol,) = unpack_from(">H", header, 2)
    if header[0] & 0xC0 or protocol not in (0x6558, 0x0800, 0x86DD):
        raise NoTunnelError
    inside = header[8 + (header[0] & 0x3F) * 4 :]
    return dpkt.ethernet.Ethernet(inside) if protocol == 0x6558 else open_ip_bytes(inside)


def open_gtp(header: bytes) -> object:
    """3GPP TS 29.281 §5.1: version 1, message type 255 carries a datagram, behind §5.2's extension headers."""
    if header[0] & 0xF0 != 0x30 or header[1] != 255:
        raise NoTunnelError
    if not header[0] & 7:
        return open_ip_bytes(header[8:])
    at = 12
    while header[0] & 4 and header[at - 1]:  # the type of the next one, which says its length in words
        if not header[at]:
            return None
        at += header[at] * 4
    return open_ip_bytes(header[at:])


def open_teredo(header: bytes) -> object:
    """RFC 4380 §5.1.1: a bare IPv6 datagram, or an indicator before it that is not read."""
    if header[0] >> 4 != 6:
        raise NoTunnelError
    return open_ip_bytes(header)


def leave_l2tp(header: bytes) -> object:
    """RFC 2661 §3.1: a data message, which nobody here opens."""
    if header[0] & 0x80 or header[1] & 0x0F != 2:
        raise NoTunnelError
    return None


UDP_OPENERS: Final[dict[int, Opener]] = {
    1701: leave_l2tp,
    2152: open_gtp,
    3544: open_teredo,
    4789: open_vxlan,
    4790: open_vxlan,
    6081: open_geneve,
    8472: open_vxlan,
}


def open_ip_bytes(inside: bytes) -> object:
    import dpkt

    return dpkt.ip.IP(inside) if inside[0] >> 4 == 4 else dpkt.ip6.IP6(inside)
