"""Tunnels and radio frames: the exotic, unwrapped down to the first IP datagram.

dpkt opens the link layers and the headers it knows (802.11, PPPoE, MPLS, GRE, …); the short
headers between a mirrored or overlaid frame and its inside (IP, ERSPAN, VXLAN, Geneve, GTP-U)
are a few bytes each and stand here.  dpkt is imported when the first such frame comes.

What is handed on are the captured bytes, never dpkt's own: it writes another total length and
checksum where the checksum is zero, as offloading hosts leave it, and reorders extension headers.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import unpack_from
from typing import Final, NamedTuple

from ctcp_forensics._kernel.plain_decode import find_ip
from ctcp_forensics._kernel.rows import Status

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
FRAGMENT_HEADER, AUTHENTICATION_HEADER = 44, 51
EXTENSION_HEADERS: Final = (0, 43, 44, 51, 60, 135, 139, 140)
"""Those that plain_decode walks over; it has checked them when a datagram comes here."""
FRAME_TYPE, DATA_FRAME = 0x0C, 0x08
"""IEEE 802.11 §9.2.4.1.3, in the first byte of a frame: only data frames carry IP."""

Opener = Callable[[bytes], object]


def outermost(data: bytes, link_type: int) -> tuple[bytes | None, str]:
    """The first IP datagram of a frame that the kernel left, or the reason why there is none."""
    status, at = find_ip(memoryview(data), link_type)
    return unwrap_link(data, link_type) if status == Status.EXOTIC else (data[at:], "")


def unwrap_link(data: bytes, link_type: int) -> tuple[bytes | None, str]:
    """The first IP datagram inside a frame of an exotic link layer, or the reason why there is none."""
    name = LINK_NAMES.get(link_type, f"link type {link_type}")
    opener = link_openers().get(link_type)
    return (None, f"{name} is not decoded") if opener is None else unwrapped(opener, data, name)


def unwrap_ip(datagram: bytes) -> tuple[bytes | None, str]:
    """The IP datagram inside an IP tunnel."""
    return unwrapped(open_ip, datagram, "IP tunnel")


class NoTunnelError(Exception):
    """No tunnel and no IP: a UDP datagram that only shares its port number with one, a beacon."""


class Inside(NamedTuple):
    """An IP datagram that was found without dpkt."""

    datagram: bytes


def unwrapped(opener: Opener, data: bytes, name: str) -> tuple[bytes | None, str]:
    """Follow the layers down to the first IP datagram; no datagram and no reason: there is no tunnel at all."""
    import dpkt

    try:
        layer = opener(data)
        for _ in range(MAX_LAYERS):
            if isinstance(layer, Inside):
                return layer.datagram, ""
            if isinstance(layer, dpkt.ip.IP | dpkt.ip6.IP6):
                return data[data.index(layer.pack_hdr()) :], ""
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
        105: open_wireless,
        113: dpkt.sll.SLL,
        127: open_radiotap,
        276: dpkt.sll2.SLL2,
    }


def open_wireless(frame: bytes) -> object:
    """dpkt needs a thousand times longer for the elements of a management frame than for a data frame."""
    import dpkt

    if frame[0] & FRAME_TYPE != DATA_FRAME:
        raise NoTunnelError
    return dpkt.ieee80211.IEEE80211(frame)


def open_radiotap(frame: bytes) -> object:
    """www.radiotap.org: the header says how long it is, then the frame follows."""
    import dpkt

    (header_len,) = unpack_from("<H", frame, 2)
    if frame[header_len] & FRAME_TYPE != DATA_FRAME:
        raise NoTunnelError
    return dpkt.radiotap.Radiotap(frame)


# --- IP tunnels ------------------------------------------------------------------------------


def open_ip(datagram: bytes) -> object:
    """The inside of an IP datagram."""
    protocol, payload = payload_of_ipv4(datagram) if datagram[0] >> 4 == 4 else payload_of_ipv6(datagram)
    opener = IP_OPENERS.get(protocol)
    return None if opener is None else opener(payload)


def payload_of_ipv4(datagram: bytes) -> tuple[int, bytes]:
    """RFC 791 §3.1; a total length of 0 was left to the network card."""
    (total_len,) = unpack_from(">H", datagram, 2)
    return datagram[9], datagram[(datagram[0] & 15) * 4 : total_len or None]


def payload_of_ipv6(datagram: bytes) -> tuple[int, bytes]:
    """RFC 8200 §4: behind the extension headers."""
    (payload_len,) = unpack_from(">H", datagram, 4)
    protocol, at = datagram[6], 40
    while protocol in EXTENSION_HEADERS:
        protocol, at = datagram[at], at + extension_len(protocol, datagram[at + 1])
    return protocol, datagram[at : 40 + payload_len if payload_len else None]


def extension_len(kind: int, counted: int) -> int:
    """RFC 8200 §4.5: eight bytes; RFC 4302 §2.2: words, less two; RFC 8200 §4.3: eights, less one."""
    if kind == FRAGMENT_HEADER:
        return 8
    return (counted + 2) * 4 if kind == AUTHENTICATION_HEADER else (counted + 1) * 8


def open_ip_bytes(inside: bytes) -> object:
    return Inside(inside) if inside[0] >> 4 in (4, 6) else None


def open_gre(header: bytes) -> object:
    """RFC 2784, RFC 2890, and ERSPAN by its two numbers (draft-foschiano-erspan-03 §4)."""
    import dpkt

    gre = dpkt.gre.GRE(header)
    inside = gre.data
    if not isinstance(inside, bytes):
        return inside
    has_sequence = bool(gre.flags & 0x1000)
    match gre.p:
        case 0x0800 | 0x86DD:
            return open_ip_bytes(inside)
        case 0x6558:
            return dpkt.ethernet.Ethernet(inside)
        case 0x88BE:  # type II has a header of eight bytes and a GRE sequence number, type I neither
            return dpkt.ethernet.Ethernet(inside[8:] if has_sequence else inside)
        case 0x22EB:  # type III: twelve bytes, and eight more where the last bit says so
            return dpkt.ethernet.Ethernet(inside[20 if inside[11] & 1 else 12 :])
        case 0x883E:  # WCCP version 2 (draft-mclaggan-wccp-v2rev1 §4.12): a redirect header of four bytes
            return open_ip_bytes(inside[4:])
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

IP_OPENERS: Final[dict[int, Opener]] = {4: open_ip_bytes, 17: open_udp, 41: open_ip_bytes, 47: open_gre}
