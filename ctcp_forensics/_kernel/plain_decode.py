"""Frames → Packets in plain Python: link layer, IP, TCP, and a look at the payload.

The readable twin of decode.pxi and payload.pxi: the same rules, one short function each.  Knows
headers and lengths; every length is checked before it is used.  Does not know
flows, nor what a retransmission is: see plain_track.  What it does not know
(tunnels, 802.11, …) it marks EXOTIC and leaves to dpkt: see ctcp_forensics.packets.
"""

from __future__ import annotations

from struct import pack, unpack, unpack_from
from typing import Final, Protocol

from ctcp_forensics._kernel.caps import MAX_EXTENSION_HEADERS, MAX_MESSAGES_PER_SEGMENT, MAX_VLAN_TAGS
from ctcp_forensics._kernel.rows import Checksum, Frame, Kind, Message, Packet, Signature, Status, Trailer

Buffer = bytes | bytearray | memoryview

# --- link layers: https://www.tcpdump.org/linktypes.html -----------------------------------

NULL, ETHERNET, PPP, RAW_12, RAW_14 = 0, 1, 9, 12, 14
PPP_HDLC, RAW, C_HDLC, LOOP = 50, 101, 104, 108
LINUX_SLL, IPV4_ONLY, IPV6_ONLY, LINUX_SLL2 = 113, 228, 229, 276

IPV4, IPV6 = 0x0800, 0x86DD
VLAN_TAGS: Final = (0x8100, 0x88A8, 0x9100, 0x9200)
"""802.1Q, 802.1ad, and the two numbers that were used for stacked tags before it."""
LARGEST_LENGTH: Final = 1500
"""IEEE 802.3 §3.2.6: a type field up to here is a length, and LLC follows."""
SNAP: Final = b"\xaa\xaa\x03\x00\x00\x00"
TUNNEL_ETHERTYPES: Final = (
    0x8847,
    0x8848,
    0x8864,
    0x6558,
    0x88BE,
    0x22EB,
    0x894F,
    0x88E7,
    0x8926,
    0x893F,
    0x8903,
)
"""MPLS, PPPoE, bridged Ethernet, ERSPAN, NSH, 802.1ah, VN-Tag, 802.1BR, FabricPath."""
PPP_IPV4, PPP_IPV6, PPP_VAN_JACOBSON, PPP_MPLS = 0x0021, 0x0057, (0x002D, 0x002F), (0x0281, 0x0283)
BSD_IPV6_FAMILIES: Final = (10, 24, 28, 30)
"""AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, and macOS."""

# --- IP protocol numbers -------------------------------------------------------------------

ICMP, IPIP, TCP, UDP, IPV6_IN_IP, GRE, ICMPV6 = 1, 4, 6, 17, 41, 47, 58
TUNNEL_PROTOCOLS: Final = (IPIP, IPV6_IN_IP, GRE, 97, 115, 137)
"""IP in IP, GRE, EtherIP, L2TPv3, MPLS in IP."""
TUNNEL_PORTS: Final = (1701, 2152, 3544, 4789, 6081, 8472, 4790, 6635)
"""UDP: L2TP, GTP-U, Teredo, VXLAN (two), Geneve, VXLAN-GPE, MPLS."""
EXTENSION_HEADERS: Final = (0, 43, 51, 60, 135, 139, 140)
FRAGMENT_HEADER: Final = 44
AUTHENTICATION_HEADER: Final = 51
ICMP_ERRORS: Final = (3, 4, 5, 11, 12)

# --- cTCP trailer: ctcp-protocol §1.1 ------------------------------------------------------

TRAILER_LEN: Final = 16
SHORTEST_MESSAGE: Final = 24
"""Wireshark asks for more than 24 bytes: an ESP header and the trailer."""
COOKIE: Final = b"\x21\x45\x6c\x69\x10"
MAGIC2: Final = b"\x01\x00"
CISCO_KINDS: Final = (Kind.IKE, Kind.ESP, Kind.AH)
WEAK_KINDS: Final = (Kind.IKE, Kind.ESP)

MASK64: Final = (1 << 64) - 1
PRINT_MULTIPLIER: Final = 0x9E37_79B9_7F4A_7C15
"""2⁶⁴ over the golden ratio: an odd multiplier that spreads every bit (Knuth, vol. 3, §6.4)."""
PRINTED_HEAD, PRINTED_TAIL = 64, 16
ALL_ONES: Final = 0xFFFF

NO_PACKET: Final = Packet(
    status=Status.NOT_IP,
    frame=0,
    time_ns=0,
    src=b"",
    dst=b"",
    sport=0,
    dport=0,
    ttl=0,
    ip_id=-1,
    seq=0,
    ack=0,
    flags=0,
    window=0,
    payload_len=0,
    captured_payload_len=0,
    mss=-1,
    window_scale=-1,
    sack_permitted=0,
    sacks=(),
    signature=Signature.NONE,
    trailer=Trailer.ABSENT,
    magic=0,
    head=(0, 0),
    print64=0,
    messages=(),
    unsplit=0,
    checksum=Checksum.UNVERIFIED,
)


class Packets:
    """One decoded row per frame of a batch, in the order of the frames."""

    def __init__(self) -> None:
        self._rows: list[Packet] = []

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Packet:
        return self._rows[index]

    def append(self, packet: Packet) -> None:
        """Add one row as it is: for tests and stories."""
        self._rows.append(packet)

    def clear(self) -> None:
        self._rows.clear()

    def tally(self) -> list[int]:
        """Count the rows by Status: counts[status]."""
        counts = [0] * len(Status)
        for row in self._rows:
            counts[row.status] += 1
        return counts

    def unfinished(self) -> list[int]:
        """Indices of rows that need Python: EXOTIC, FRAGMENT and ICMP_ERROR."""
        wanted = (Status.EXOTIC, Status.FRAGMENT, Status.ICMP_ERROR)
        return [index for index, row in enumerate(self._rows) if row.status in wanted]

    def place(self, index: int, datagram: Buffer) -> int:
        """Decode an IP datagram that was unwrapped or put together, in the place of row `index`."""
        old = self._rows[index]
        self._rows[index] = decode_ip(datagram, 0, len(datagram), old.frame, old.time_ns)
        return self._rows[index].status

    def settle(self, index: int, status: int) -> None:
        """Give row `index` its final status without a packet."""
        self._rows[index] = self._rows[index]._replace(status=status)


class FrameTable(Protocol):
    """A batch of frames, as the record walk leaves it."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Frame: ...


def decode(buffer: Buffer, frames: FrameTable, packets: Packets) -> None:
    """Decode every frame of a batch into `packets`, which is emptied first."""
    packets.clear()
    view = memoryview(buffer)
    for index in range(len(frames)):
        frame = frames[index]
        data = view[frame.offset : frame.offset + frame.captured_len]
        packets.append(decode_frame(data, frame))


def decode_frame(data: memoryview, frame: Frame) -> Packet:
    status, offset = find_ip(data, frame.link_type)
    if status != Status.TCP:
        return NO_PACKET._replace(status=status, frame=frame.number, time_ns=frame.time_ns)
    return decode_ip(data, offset, frame.original_len, frame.number, frame.time_ns)


# --- link layer: (Status.TCP, offset of the IP header) or the reason why there is none --------


def find_ip(data: memoryview, link_type: int) -> tuple[int, int]:
    match link_type:
        case 1:
            return ethernet(data, 12)
        case 113:
            return ethernet(data, 14)
        case 276:
            return linux_sll2(data)
        case 12 | 14 | 101 | 228 | 229:
            return Status.TCP, 0
        case 0:
            return bsd_loopback(data, "<I")
        case 108:
            return bsd_loopback(data, ">I")
        case 9 | 50:
            return ppp(data)
        case 104:
            return ethernet(data, 2)
        case _:
            return Status.EXOTIC, 0


def ethernet(data: memoryview, at: int) -> tuple[int, int]:
    """The type field at `at`, behind any stack of VLAN tags (802.1Q §9.6)."""
    for _ in range(MAX_VLAN_TAGS + 1):
        if len(data) < at + 2:
            return Status.SHORT_LINK, 0
        (ethertype,) = unpack_from(">H", data, at)
        if ethertype not in VLAN_TAGS:
            return behind_ethertype(data, ethertype, at + 2)
        at += 4
    return Status.EXOTIC, 0


def behind_ethertype(data: memoryview, ethertype: int, at: int) -> tuple[int, int]:
    if ethertype in (IPV4, IPV6):
        return Status.TCP, at
    if ethertype in TUNNEL_ETHERTYPES:
        return Status.EXOTIC, 0
    if ethertype <= LARGEST_LENGTH:
        return llc(data, at)
    return Status.NOT_IP, 0


def llc(data: memoryview, at: int) -> tuple[int, int]:
    """IEEE 802.2 with SNAP and no organisation (RFC 1042) carries an Ethernet type."""
    if len(data) < at + 8 or bytes(data[at : at + 6]) != SNAP:
        return Status.NOT_IP, 0
    (ethertype,) = unpack_from(">H", data, at + 6)
    if ethertype in (IPV4, IPV6):
        return Status.TCP, at + 8
    return (Status.EXOTIC if ethertype in TUNNEL_ETHERTYPES else Status.NOT_IP), 0


def linux_sll2(data: memoryview) -> tuple[int, int]:
    """LINKTYPE_LINUX_SLL2: the protocol comes first, the payload after 20 bytes."""
    if len(data) < 20:
        return Status.SHORT_LINK, 0
    (ethertype,) = unpack_from(">H", data, 0)
    if ethertype in VLAN_TAGS:
        return ethernet(data, 22)
    return behind_ethertype(data, ethertype, 20)


def bsd_loopback(data: memoryview, order: str) -> tuple[int, int]:
    """Four bytes of address family: in the capturing host's order (NULL) or the network's (LOOP)."""
    if len(data) < 4:
        return Status.SHORT_LINK, 0
    (family,) = unpack_from(order, data, 0)
    if family > 0xFFFF:  # the other byte order: families are small numbers
        family = int.from_bytes(family.to_bytes(4, "little"), "big")
    is_ip = family == 2 or family in BSD_IPV6_FAMILIES
    return (Status.TCP, 4) if is_ip else (Status.NOT_IP, 0)


def ppp(data: memoryview) -> tuple[int, int]:
    """RFC 1661 §2, RFC 1662 §3: address and control may be there; the protocol may be one byte."""
    at = 2 if len(data) >= 2 and data[0] == 0xFF and data[1] == 0x03 else 0
    if len(data) < at + 2:
        return Status.SHORT_LINK, 0
    if data[at] & 1:
        protocol, at = data[at], at + 1
    else:
        protocol, at = data[at] << 8 | data[at + 1], at + 2
    if protocol in (PPP_IPV4, PPP_IPV6):
        return Status.TCP, at
    if protocol in PPP_VAN_JACOBSON or protocol in PPP_MPLS:
        return Status.EXOTIC, 0
    return Status.NOT_IP, 0


# --- IP ------------------------------------------------------------------------------------


def decode_ip(data: Buffer, at: int, original_len: int, frame: int, time_ns: int) -> Packet:
    """One IP datagram at `at`; `original_len` is the length on the wire of all of `data`."""
    data = memoryview(data)
    base = NO_PACKET._replace(frame=frame, time_ns=time_ns)
    if len(data) < at + 1:
        return base._replace(status=Status.SHORT_LINK)
    version = data[at] >> 4
    if version == 4:
        return decode_ipv4(data, at, original_len, base)
    if version == 6:
        return decode_ipv6(data, at, original_len, base)
    return base._replace(status=Status.NOT_IP)


def decode_ipv4(data: memoryview, at: int, original_len: int, base: Packet) -> Packet:
    """RFC 791 §3.1."""
    if len(data) < at + 20:
        return base._replace(status=Status.SHORT_LINK)
    header_len = (data[at] & 15) * 4
    total_len, ip_id, fragment = unpack_from(">HHH", data, at + 2)
    if total_len == 0:  # segmentation offload: the capturing host had not written it yet
        total_len = max(0, original_len - at)
    if header_len < 20 or total_len < header_len:
        return base._replace(status=Status.MALFORMED_IP)
    ttl, protocol = data[at + 8], data[at + 9]
    base = base._replace(
        src=bytes(data[at + 12 : at + 16]), dst=bytes(data[at + 16 : at + 20]), ttl=ttl, ip_id=ip_id
    )
    if fragment & 0x3FFF:  # more fragments, or an offset
        carries_tcp = protocol == TCP or protocol in TUNNEL_PROTOCOLS
        return base._replace(status=Status.FRAGMENT if carries_tcp else Status.NOT_TCP)
    return decode_protocol(data, at + header_len, at + total_len, protocol, base)


def decode_ipv6(data: memoryview, at: int, original_len: int, base: Packet) -> Packet:
    """RFC 8200 §3 and §4."""
    if len(data) < at + 40:
        return base._replace(status=Status.SHORT_LINK)
    (payload_len,) = unpack_from(">H", data, at + 4)
    end = at + 40 + payload_len if payload_len else max(at + 40, original_len)
    base = base._replace(
        src=bytes(data[at + 8 : at + 24]), dst=bytes(data[at + 24 : at + 40]), ttl=data[at + 7]
    )
    protocol, at = data[at + 6], at + 40
    for _ in range(MAX_EXTENSION_HEADERS):
        if protocol not in EXTENSION_HEADERS and protocol != FRAGMENT_HEADER:
            return decode_protocol(data, at, end, protocol, base)
        if len(data) < at + 8 or end < at + 8:
            return base._replace(status=Status.SHORT_LINK)
        if protocol == FRAGMENT_HEADER:
            if unpack_from(">H", data, at + 2)[0] & 0xFFF9:  # an offset, or more fragments
                return base._replace(status=Status.FRAGMENT)
            protocol, at = data[at], at + 8
        elif protocol == AUTHENTICATION_HEADER:  # RFC 4302 §2.2: length in words, less two
            protocol, at = data[at], at + (data[at + 1] + 2) * 4
        else:
            protocol, at = data[at], at + (data[at + 1] + 1) * 8
    return base._replace(status=Status.MALFORMED_IP)


def decode_protocol(data: memoryview, at: int, end: int, protocol: int, base: Packet) -> Packet:
    """What the datagram carries; `end` is where it ends on the wire, which may lie beyond the capture."""
    if protocol == TCP:
        return decode_tcp(data, at, end, base)
    if protocol in TUNNEL_PROTOCOLS:
        return base._replace(status=Status.EXOTIC)
    if protocol in (ICMP, ICMPV6):
        return base._replace(
            status=Status.ICMP_ERROR if is_icmp_error(data, at, protocol) else Status.NOT_TCP
        )
    if protocol == UDP and len(data) >= at + 8:
        ports = unpack_from(">HH", data, at)
        if ports[0] in TUNNEL_PORTS or ports[1] in TUNNEL_PORTS:
            return base._replace(status=Status.EXOTIC)
    return base._replace(status=Status.NOT_TCP)


def is_icmp_error(data: memoryview, at: int, protocol: int) -> bool:
    """RFC 792; RFC 4443 §2.1: ICMPv6 types below 128 are errors."""
    if len(data) < at + 8:
        return False
    return data[at] in ICMP_ERRORS if protocol == ICMP else data[at] < 128


# --- TCP -----------------------------------------------------------------------------------


def decode_tcp(data: memoryview, at: int, end: int, base: Packet) -> Packet:
    """RFC 9293 §3.1."""
    if min(len(data), end) < at + 20:
        return base._replace(status=Status.SHORT_TCP)
    sport, dport, seq, ack, offset_flags, window = unpack_from(">HHIIHH", data, at)
    header_len = (offset_flags >> 12) * 4
    if header_len < 20 or at + header_len > end:
        return base._replace(status=Status.MALFORMED_TCP)
    start = at + header_len
    packet = base._replace(
        status=Status.TCP,
        sport=sport,
        dport=dport,
        seq=seq,
        ack=ack,
        flags=offset_flags & 0x3F,
        window=window,
        payload_len=end - start,
        captured_payload_len=max(0, min(len(data), end) - start),
    )
    if header_len > 20:
        packet = with_options(packet, data[at + 20 : min(start, len(data))])
    if not packet.payload_len:
        return packet
    packet = with_payload(packet, data[start : min(len(data), end)])
    if is_worth_verifying(packet, data[start : min(len(data), end)]):
        return packet._replace(checksum=checksum_of(data[at:end], packet))
    return packet


def with_options(packet: Packet, options: memoryview) -> Packet:
    """RFC 9293 §3.2, RFC 7323 §2.2, RFC 2018 §2 and §3; the walk ends at the first option that does not fit."""
    at = 0
    while at < len(options):
        kind = options[at]
        if kind == 0:
            break
        if kind == 1:
            at += 1
            continue
        if at + 2 > len(options) or options[at + 1] < 2 or at + options[at + 1] > len(options):
            break
        body = options[at + 2 : at + options[at + 1]]
        packet = with_option(packet, kind, body)
        at += options[at + 1]
    return packet


def with_option(packet: Packet, kind: int, body: memoryview) -> Packet:
    if kind == 2 and len(body) == 2:
        return packet._replace(mss=unpack_from(">H", body)[0])
    if kind == 3 and len(body) == 1:
        return packet._replace(window_scale=body[0])
    if kind == 4 and len(body) == 0:
        return packet._replace(sack_permitted=1)
    if kind == 5 and len(body) % 8 == 0 and 8 <= len(body) <= 32:
        blocks = tuple(unpack_from(">II", body, at) for at in range(0, len(body), 8))
        return packet._replace(sacks=blocks)
    return packet


def is_worth_verifying(packet: Packet, payload: memoryview) -> bool:
    """Captured whole, and one message: what the capturing host merged has the checksum of no segment.

    Half a trailer is enough, for the damage may have hit the other half.
    """
    if not SHORTEST_MESSAGE < packet.payload_len == len(payload) or len(packet.messages) > 1:
        return False
    last = bytes(payload[-TRAILER_LEN:])
    return last[0:4] == bytes(4) or last[8:12] == COOKIE[0:4]


def checksum_of(segment: memoryview, packet: Packet) -> Checksum:
    """RFC 9293 §3.1: with a pseudo header before it, the words of a segment add up to all ones.

    A host that leaves the rest to its card writes the pseudo header's own sum, as does one that merged segments.
    """
    pseudo_header = packet.src + packet.dst + pack(">II", len(segment), TCP)
    (written,) = unpack_from(">H", segment, 16)
    if written == ones_sum(pseudo_header):
        return Checksum.UNVERIFIED
    return Checksum.RIGHT if ones_sum(pseudo_header + bytes(segment)) == ALL_ONES else Checksum.WRONG


def ones_sum(data: bytes) -> int:
    """The ones' complement sum of the 16-bit words, an odd byte filled up with zero (RFC 1071 §1)."""
    total: int = sum(unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total > ALL_ONES:
        total = (total >> 16) + (total & ALL_ONES)
    return total


# --- payload -------------------------------------------------------------------------------


def with_payload(packet: Packet, payload: memoryview) -> Packet:
    trailer = trailer_of(payload, packet.payload_len)
    messages, unsplit = messages_in(payload, trailer)
    return packet._replace(
        signature=signature_of(payload, packet.payload_len),
        trailer=trailer,
        magic=magic_of(payload) if trailer == Trailer.WEAK else 0,
        head=unpack_from(">II", payload) if len(payload) >= 8 else (0, 0),
        print64=print_of(payload),
        messages=messages,
        unsplit=unsplit,
    )


def trailer_of(payload: memoryview, payload_len: int) -> Trailer:
    """What the last 16 bytes show (ctcp-protocol §1.2, classes A and B)."""
    if payload_len <= SHORTEST_MESSAGE:
        return Trailer.ABSENT
    if len(payload) < payload_len:
        return Trailer.CUT_OFF
    if is_cisco_trailer(payload, len(payload)):
        return Trailer.CISCO
    last = bytes(payload[-TRAILER_LEN:])
    is_weak = last[0:4] == bytes(4) and not last[6] & 0x0F and not last[7] and last[13] in WEAK_KINDS
    return Trailer.WEAK if is_weak else Trailer.ABSENT


def is_cisco_trailer(payload: memoryview, end: int) -> bool:
    """Whether the 16 bytes before `end` are 00000000 ???? ?000 21456c69 10 {11,32,33} 0100."""
    last = bytes(payload[end - TRAILER_LEN : end])
    return (
        len(last) == TRAILER_LEN
        and last[0:4] == bytes(4)
        and not last[6] & 0x0F
        and not last[7]
        and last[8:13] == COOKIE
        and last[13] in CISCO_KINDS
        and last[14:16] == MAGIC2
    )


def magic_of(payload: memoryview) -> int:
    """Wireshark's `magic` and `magic2`, seven bytes that one vendor keeps constant."""
    last = payload[-TRAILER_LEN:]
    return int.from_bytes(bytes(last[8:13]) + bytes(last[14:16]), "big")


def messages_in(payload: memoryview, trailer: Trailer) -> tuple[tuple[Message, ...], int]:
    """Split a segment on its trailers: GRO in the capturing host merges several messages in one record."""
    if trailer == Trailer.WEAK:
        return (message_at(payload, 0, len(payload)),), 0
    if trailer != Trailer.CISCO:
        return (), 0
    messages: list[Message] = []
    start = 0
    for end in trailer_ends(payload):
        if len(messages) == MAX_MESSAGES_PER_SEGMENT:
            return tuple(messages), 1
        if end - start > SHORTEST_MESSAGE:
            messages.append(message_at(payload, start, end))
            start = end
    return tuple(messages), 0


def trailer_ends(payload: memoryview) -> list[int]:
    raw = bytes(payload)
    ends = []
    at = raw.find(COOKIE)
    while at >= 0:
        end = at + 8
        if at >= 8 and end <= len(raw) and is_cisco_trailer(payload, end):
            ends.append(end)
        at = raw.find(COOKIE, at + 1)
    return ends


def message_at(payload: memoryview, start: int, end: int) -> Message:
    body = payload[start : end - TRAILER_LEN]
    kind = payload[end - 3]
    if kind == Kind.IKE:
        return ike_message(body, start, end - start)
    spi, esp_seq = unpack_from(">II", body) if len(body) >= 8 else (0, 0)
    return Message(kind, start, end - start, spi, esp_seq, 0, 0, print_of(body))


def ike_message(body: memoryview, offset: int, length: int) -> Message:
    """A UDP header of eight bytes, then RFC 2408 §3.1: cookies, next payload, version, exchange, flags, id."""
    print64 = print_of(body)
    if len(body) < 8 + 28:
        return Message(Kind.IKE, offset, length, 0, 0, 0, 0, print64)
    (cookie,) = unpack_from(">I", body, 8)
    (message_id,) = unpack_from(">I", body, 28)
    no_responder = int(body[16:24] == bytes(8))
    return Message(Kind.IKE, offset, length, cookie, message_id, body[26], no_responder, print64)


def print_of(data: memoryview) -> int:
    """A 64-bit fingerprint of length, first 64 and last 16 bytes; equal bytes give equal prints."""
    print64 = len(data)
    for part in (data[:PRINTED_HEAD], data[max(PRINTED_HEAD, len(data) - PRINTED_TAIL) :]):
        for at in range(0, len(part), 8):
            word = int.from_bytes(part[at : at + 8], "little")
            print64 = ((print64 ^ word) * PRINT_MULTIPLIER) & MASK64
            print64 ^= print64 >> 32
    return print64


# --- applications named by their first bytes -------------------------------------------------

HTTP_STARTS: Final = (b"GET ", b"POST", b"HEAD", b"PUT ", b"HTTP", b"OPTI", b"CONN", b"DELE", b"PATC")
IKE_VERSIONS: Final = (0x10, 0x20)
IKE_EXCHANGES: Final = (*range(1, 7), *range(32, 44))
"""RFC 2408 §3.1 (1-5), IKEv1 transaction (6) and quick mode (32), RFC 7296 §3.1 (34-37) and its successors."""
NDMP_LAST: Final = 1 << 31
NDMP_YEARS: Final = (315_532_800, 1_893_456_000)
"""1980 to 2030 in seconds, the bounds that Wireshark's packet-ndmp.c uses."""


def signature_of(payload: memoryview, payload_len: int) -> Signature:
    if len(payload) < 6:
        return Signature.NONE
    if 0x14 <= payload[0] <= 0x17 and payload[1] == 3 and payload[2] <= 4:  # RFC 8446 §5.1
        return Signature.TLS
    start = bytes(payload[:4])
    if start in HTTP_STARTS:
        return Signature.HTTP
    if start == b"SSH-":  # RFC 4253 §4.2
        return Signature.SSH
    if bytes(payload[:6]) == b"IKETCP":
        return Signature.IKETCP
    if is_rfc8229(payload, payload_len):
        return Signature.RFC8229_LENGTH
    if is_raw_ike(payload, payload_len):
        return Signature.RAW_IKE
    return Signature.NDMP if is_ndmp(payload) else Signature.NONE


def is_rfc8229(payload: memoryview, payload_len: int) -> bool:
    """RFC 9329 §3: a length that counts itself, then the non-ESP marker."""
    length = int.from_bytes(payload[:2], "big")
    return length == payload_len and bytes(payload[2:6]) == bytes(4)


def is_raw_ike(payload: memoryview, payload_len: int) -> bool:
    if len(payload) < 28 or payload[17] not in IKE_VERSIONS or payload[18] not in IKE_EXCHANGES:
        return False
    length = int.from_bytes(payload[24:28], "big")
    return length == payload_len and bytes(payload[0:8]) != bytes(8)


def is_ndmp(payload: memoryview) -> bool:
    """A record mark, then sequence, time and message type (ctcp-protocol D19).

    The mark's first bit says that the record ends the message (RFC 5531 §11), as NDMP's do: the length
    before an SMB message has it clear.
    """
    if len(payload) < 16:
        return False
    words: tuple[int, int, int, int] = unpack_from(">IIII", payload)
    mark, _, seconds, kind = words
    is_one_record = NDMP_LAST + 24 <= mark <= NDMP_LAST + 1_000_000
    return is_one_record and NDMP_YEARS[0] <= seconds <= NDMP_YEARS[1] and kind <= 1
