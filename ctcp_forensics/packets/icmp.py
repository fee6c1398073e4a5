"""ICMP errors: what a box on the path says of a flow, RFC 792, RFC 1191 §4, RFC 4443 §3."""

from __future__ import annotations

from struct import unpack_from
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from ctcp_forensics._kernel.rows import Frame

ICMP_KINDS: Final = {
    (3, 4): "fragmentation-needed",
    (3, 9): "prohibited",
    (3, 10): "prohibited",
    (3, 13): "prohibited",
}
ICMPV6_KINDS: Final = {(1, 1): "prohibited"}
ICMP_TYPES: Final = {3: "unreachable", 11: "time-exceeded"}
ICMPV6_TYPES: Final = {1: "unreachable", 2: "fragmentation-needed", 3: "time-exceeded"}


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
    quoted = datagram[at + 8 :]
    ends = quoted_ends(quoted)
    if ends is None:
        return None
    kind_code = (datagram[at], datagram[at + 1])
    kinds, types = (ICMP_KINDS, ICMP_TYPES) if is_v4 else (ICMPV6_KINDS, ICMPV6_TYPES)
    kind = kinds.get(kind_code) or types.get(kind_code[0], "other")
    mtu = unpack_from(">H" if is_v4 else ">I", datagram, at + (6 if is_v4 else 4))[0]
    src, sport, dst, dport = ends
    return IcmpError(
        frame=frame.number,
        time_ns=frame.time_ns,
        kind=kind,
        mtu=mtu if kind == "fragmentation-needed" else None,
        src=src,
        sport=sport,
        dst=dst,
        dport=dport,
    )


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
