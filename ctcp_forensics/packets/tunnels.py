"""Tunnels and radio frames: the exotic, unwrapped by dpkt down to the first IP datagram.

Knows which dpkt class opens which link type.  dpkt is imported when the first such frame comes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

MAX_LAYERS: Final = 8
"""Tunnels in tunnels that are unwrapped before a frame is given up."""

LINK_NAMES: Final = {
    105: "IEEE 802.11",
    127: "radiotap",
    107: "frame relay",
    8: "SLIP",
    192: "PPI",
    51: "PPPoE",
}


def unwrap_link(data: bytes, link_type: int) -> tuple[bytes | None, str]:
    """The first IP datagram inside a frame of an exotic link layer, or the reason why there is none."""
    opener = link_openers().get(link_type)
    if opener is None:
        return None, f"link type {link_type} ({LINK_NAMES.get(link_type, 'not decoded')})"
    return unwrapped(lambda: opener(data), f"{LINK_NAMES.get(link_type, f'link type {link_type}')} frame")


def unwrap_ip(datagram: bytes) -> tuple[bytes | None, str]:
    """The IP datagram inside an IP tunnel."""
    return unwrapped(lambda: ip_layer(datagram), "IP tunnel")


def link_openers() -> dict[int, Callable[[bytes], object]]:
    import dpkt

    return {
        1: dpkt.ethernet.Ethernet,
        51: dpkt.pppoe.PPPoE,
        9: dpkt.ppp.PPP,
        50: dpkt.ppp.PPP,
        105: dpkt.ieee80211.IEEE80211,
        127: dpkt.radiotap.Radiotap,
        113: dpkt.sll.SLL,
        276: dpkt.sll2.SLL2,
    }


def ip_layer(datagram: bytes) -> object:
    """What dpkt finds inside an IP datagram: its payload layer, not the datagram itself."""
    import dpkt

    layer = dpkt.ip.IP(datagram) if datagram[0] >> 4 == 4 else dpkt.ip6.IP6(datagram)
    return layer.data


def unwrapped(read: Callable[[], object], what: str) -> tuple[bytes | None, str]:
    """Follow dpkt's layers down to the first IP datagram."""
    import dpkt

    try:
        layer = read()
        for _ in range(MAX_LAYERS):
            if isinstance(layer, dpkt.ip.IP | dpkt.ip6.IP6):
                return bytes(layer), ""
            layer = getattr(layer, "data", b"")
    except Exception as error:  # noqa: BLE001 - dpkt raises what its struct and index operations raise on hostile bytes
        return None, f"{what} that dpkt cannot read ({type(error).__name__})"
    return None, f"{what} without an IP datagram that dpkt knows"
