"""One TCP segment as bytes and back: IPv4 or IPv6, TCP header, right checksums.

Knows header layouts only.  Does not know connections, cTCP or links.
"""

import ipaddress
import socket
import struct
from dataclasses import dataclass, replace

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
SEQ_SPACE = 1 << 32
HALF_SPACE = 1 << 31
ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_IPV6 = 0x86DD
ETHERNET_LEN = 14
FLAG_LETTERS = ((SYN, "S"), (FIN, "F"), (RST, "R"), (PSH, "P"), (ACK, "."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A whole TCP segment with what the IP header says about its way."""

    src: str
    dst: str
    sport: int
    dport: int
    seq: int
    ack: int
    flags: int
    window: int = 65535
    ttl: int = 128
    ip_id: int = 0
    dont_fragment: bool = True
    options: bytes = b""
    payload: bytes = b""

    @property
    def letters(self) -> str:
        """The flags as tcpdump prints them."""
        return "".join(letter for bit, letter in FLAG_LETTERS if self.flags & bit)

    @property
    def end_seq(self) -> int:
        """The number after the last byte; SYN and FIN count one each (RFC 9293 §3.4)."""
        length = len(self.payload) + bool(self.flags & SYN) + bool(self.flags & FIN)
        return (self.seq + length) % SEQ_SPACE

    @property
    def is_pure_ack(self) -> bool:
        return self.flags == ACK and not self.payload

    @property
    def ip_len(self) -> int:
        return (20 if "." in self.src else 40) + 20 + len(self.options) + len(self.payload)


def is_before(first: int, second: int) -> bool:
    """Serial order of two sequence numbers (RFC 9293 §3.4)."""
    return 0 < (second - first) % SEQ_SPACE < HALF_SPACE


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def to_bytes(segment: Segment) -> bytes:
    """The IP packet that carries this segment."""
    tcp = _tcp_bytes(segment)
    if "." in segment.src:
        return _ipv4_header(segment, tcp_len=len(tcp)) + tcp
    return _ipv6_header(segment, tcp_len=len(tcp)) + tcp


def from_bytes(packet: bytes) -> Segment | None:
    """The segment inside an IP packet; None for anything else, fragments included."""
    if len(packet) >= 20 and packet[0] >> 4 == 4:
        return _from_ipv4(packet)
    if len(packet) >= 40 and packet[0] >> 4 == 6:
        return _from_ipv6(packet)
    return None


def with_ttl(packet: bytes, hops: int) -> bytes:
    """The same IP packet some router hops later."""
    if packet[0] >> 4 == 6:
        return packet[:7] + bytes([max(1, packet[7] - hops)]) + packet[8:]
    header = bytearray(packet[: (packet[0] & 15) * 4])
    header[8] = max(1, header[8] - hops)
    header[10:12] = b"\0\0"
    header[10:12] = struct.pack("!H", checksum(bytes(header)))
    return bytes(header) + packet[len(header) :]


def ethertype_of(packet: bytes) -> int:
    return ETHERTYPE_IPV6 if packet[0] >> 4 == 6 else ETHERTYPE_IPV4


def _tcp_bytes(segment: Segment) -> bytes:
    header_len = 20 + len(segment.options)
    header = struct.pack(
        "!HHIIBBHHH",
        segment.sport,
        segment.dport,
        segment.seq % SEQ_SPACE,
        segment.ack % SEQ_SPACE,
        header_len // 4 << 4,
        segment.flags,
        segment.window,
        0,
        0,
    )
    tcp = header + segment.options + segment.payload
    source, target = ipaddress.ip_address(segment.src), ipaddress.ip_address(segment.dst)
    if source.version == 4:
        pseudo = source.packed + target.packed + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(tcp))
    else:
        pseudo = source.packed + target.packed + struct.pack("!II", len(tcp), socket.IPPROTO_TCP)
    return tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]


def _ipv4_header(segment: Segment, tcp_len: int) -> bytes:
    header = struct.pack(
        "!BBHHHBBH4s4s",
        0x45,
        0,
        20 + tcp_len,
        segment.ip_id,
        0x4000 if segment.dont_fragment else 0,
        segment.ttl,
        socket.IPPROTO_TCP,
        0,
        socket.inet_aton(segment.src),
        socket.inet_aton(segment.dst),
    )
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:]


def _ipv6_header(segment: Segment, tcp_len: int) -> bytes:
    source = socket.inet_pton(socket.AF_INET6, segment.src)
    target = socket.inet_pton(socket.AF_INET6, segment.dst)
    return struct.pack("!IHBB", 6 << 28, tcp_len, socket.IPPROTO_TCP, segment.ttl) + source + target


def _from_ipv4(packet: bytes) -> Segment | None:
    header_len = (packet[0] & 15) * 4
    total_len, ip_id, fragment = struct.unpack_from("!HHH", packet, 2)
    if packet[9] != socket.IPPROTO_TCP or fragment & 0x3FFF or total_len > len(packet):
        return None
    segment = _from_tcp(
        packet[header_len:total_len], socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
    )
    if segment is None:
        return None
    return replace(segment, ttl=packet[8], ip_id=ip_id, dont_fragment=bool(fragment & 0x4000))


def _from_ipv6(packet: bytes) -> Segment | None:
    payload_len = struct.unpack_from("!H", packet, 4)[0]
    if packet[6] != socket.IPPROTO_TCP:
        return None
    source = socket.inet_ntop(socket.AF_INET6, packet[8:24])
    target = socket.inet_ntop(socket.AF_INET6, packet[24:40])
    segment = _from_tcp(packet[40 : 40 + payload_len], source, target)
    return None if segment is None else replace(segment, ttl=packet[7])


def _from_tcp(tcp: bytes, source: str, target: str) -> Segment | None:
    if len(tcp) < 20:
        return None
    sport, dport, seq, ack, offset, flags, window = struct.unpack_from("!HHIIBBH", tcp)
    header_len = (offset >> 4) * 4
    if not 20 <= header_len <= len(tcp):
        return None
    return Segment(
        src=source,
        dst=target,
        sport=sport,
        dport=dport,
        seq=seq,
        ack=ack,
        flags=flags,
        window=window,
        options=tcp[20:header_len],
        payload=tcp[header_len:],
    )
