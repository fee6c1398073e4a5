"""ICMP errors: what a box on the path says of a flow, RFC 792, RFC 1191 §4, RFC 4443 §3."""

from __future__ import annotations

from struct import unpack_from
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from ctcp_forensics._kernel.rows import Frame

FRAGMENTATION_NEEDED: Final = "fragmentation-needed"
ICMP_KINDS: Final = {
    (3, 4): FRAGMENTATION_NEEDED,
    (3, 9): "prohibited",
    (3, 10): "prohibited",
    (3, 13): "prohibited",
}
ICMPV6_KINDS: Final = {(1, 1): "prohibited"}
ICMP_TYPES: Final = {3: "unreachable", 11: "time-exceeded"}
ICMPV6_TYPES: Final = {1: "unreachable", 2: FRAGMENTATION_NEEDED, 3: "time-exceeded"}


class IcmpError(msgspec.Struct, frozen=True, kw_only=True):
    """An ICMP error and the flow that the datagram it quotes belonged to."""

    frame: int
    time_ns: int
    kind: str
    """`fragmentation-needed`, `prohibited`, `unreachable`, `time-exceeded` or `other`."""
    mtu: int | None
    src: bytes
    sport: int
    dst: bytes
    dport: int


def icmp_error(datagram: bytes, frame: Frame) -> IcmpError | None:
    """The error and the TCP flow it quotes; None where it quotes another protocol or too little."""
    is_v4 = datagram[0] >> 4 == 4
    at = (datagram[0] & 15) * 4 if is_v4 else 40
    ends = quoted_ends(datagram[at + 8 :])
    if ends is None:
        return None
    src, sport, dst, dport = ends
    kind, mtu = kind_of_v4(datagram, at) if is_v4 else kind_of_v6(datagram, at)
    return IcmpError(
        frame=frame.number,
        time_ns=frame.time_ns,
        kind=kind,
        mtu=mtu if kind == FRAGMENTATION_NEEDED else None,
        src=src,
        sport=sport,
        dst=dst,
        dport=dport,
    )


def kind_of_v4(datagram: bytes, at: int) -> tuple[str, int]:
    """With what RFC 1191 §4 puts beside the checksum: the MTU of the next hop, where that is the trouble."""
    kind, code, mtu = unpack_from(">BB4xH", datagram, at)
    return ICMP_KINDS.get((kind, code)) or ICMP_TYPES.get(kind, "other"), mtu


def kind_of_v6(datagram: bytes, at: int) -> tuple[str, int]:
    """RFC 4443 §3.2 has the MTU in 32 bits."""
    kind, code, mtu = unpack_from(">BB2xI", datagram, at)
    return ICMPV6_KINDS.get((kind, code)) or ICMPV6_TYPES.get(kind, "other"), mtu


def quoted_ends(quoted: bytes) -> tuple[bytes, int, bytes, int] | None:
    """Addresses and ports of a quoted TCP datagram: its header and eight bytes are enough."""
    if len(quoted) >= 28 and quoted[0] >> 4 == 4 and quoted[9] == 6:
        at, src, dst = (quoted[0] & 15) * 4, quoted[12:16], quoted[16:20]
    elif len(quoted) >= 48 and quoted[0] >> 4 == 6 and quoted[6] == 6:
        at, src, dst = 40, quoted[8:24], quoted[24:40]
    else:
        return None
    if len(quoted) < at + 4:
        return None
    sport, dport = unpack_from(">HH", quoted, at)
    return src, sport, dst, dport
