"""Decoding: every link layer, IP header, TCP option and trailer, by exact bytes, through both kernels.

The bytes are written here or by wire; what dpkt reads in the same bytes is asked as well.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Any

import dpkt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcp_forensics._kernel.caps import MAX_EXTENSION_HEADERS, MAX_MESSAGES_PER_SEGMENT, MAX_VLAN_TAGS
from ctcp_forensics._kernel.rows import NEVER, Checksum, Frame, Kind, Signature, Status, Trailer
from tests.kernels import each_kernel
from tests.wire import COOKIE, MAGIC2, esp, frame_bytes, ike_payload, joined, plain, told

ETHERNET = 1
MACS = bytes(12)
TCP_HEADER = struct.pack("!HHIIHHHH", 49_731, 10_000, 1_000, 2_000, 5 << 12 | 0x10, 65_535, 0, 0)
SRC, DST = bytes([192, 0, 2, 10]), bytes([198, 51, 100, 20])
SRC6, DST6 = bytes.fromhex("20010db8" + "00" * 11 + "0a"), bytes.fromhex("20010db8" + "00" * 11 + "14")


def ipv4(
    body: bytes, *, protocol: int = 6, fragment: int = 0, options: bytes = b"", total: int | None = None
) -> bytes:
    length = 20 + len(options) + len(body) if total is None else total
    words = (0x40 | (20 + len(options)) // 4, 0, length, 77, fragment, 61, protocol, 0)
    return struct.pack("!BBHHHBBH", *words) + SRC + DST + options + body


def ipv6(body: bytes, *, protocol: int = 6, length: int | None = None) -> bytes:
    return (
        struct.pack("!IHBB", 6 << 28, len(body) if length is None else length, protocol, 61)
        + SRC6
        + DST6
        + body
    )


def decoded(kernel: Any, data: bytes, link_type: int = ETHERNET, original_len: int | None = None) -> Any:
    frames = kernel.Frames(1)
    frames.append(Frame(7, 123_456_789, 0, len(data), original_len or len(data), 0, link_type, 0))
    packets = kernel.Packets()
    kernel.decode(data, frames, packets)
    assert len(packets) == 1
    return packets[0]


def segment(payload: bytes, *, options: bytes = b"") -> bytes:
    """An Ethernet frame with one TCP segment."""
    words = (20 + len(options)) // 4 << 12 | 0x10
    header = struct.pack("!HHIIHHHH", 49_731, 10_000, 1_000, 2_000, words, 65_535, 0, 0) + options
    return MACS + b"\x08\x00" + ipv4(header + payload)


# --- link layers ---------------------------------------------------------------------------------

SLL = struct.pack("!HHH8s", 0, 1, 6, bytes(8))
SLL2 = struct.pack("!HHIHBB8s", 0x0800, 0, 3, 1, 0, 6, bytes(8))

LINK_LAYERS = {
    "Ethernet": (1, MACS + b"\x08\x00"),
    "802.1Q": (1, MACS + b"\x81\x00\x00\x05\x08\x00"),
    "802.1ad and 802.1Q": (1, MACS + b"\x88\xa8\x00\x05\x81\x00\x00\x06\x08\x00"),
    "as many tags as are believed": (1, MACS + b"\x81\x00\x00\x05" * MAX_VLAN_TAGS + b"\x08\x00"),
    "802.3 with LLC and SNAP": (1, MACS + b"\x00\x40\xaa\xaa\x03\x00\x00\x00\x08\x00"),
    "Linux cooked": (113, SLL + b"\x08\x00"),
    "Linux cooked with a tag": (113, SLL + b"\x81\x00\x00\x05\x08\x00"),
    "Linux cooked v2": (276, SLL2),
    "raw, by its four numbers": (101, b""),
    "raw 12": (12, b""),
    "raw 14": (14, b""),
    "raw IPv4": (228, b""),
    "BSD null, little-endian": (0, b"\x02\x00\x00\x00"),
    "BSD null, big-endian": (0, b"\x00\x00\x00\x02"),
    "BSD loop": (108, b"\x00\x00\x00\x02"),
    "PPP": (9, b"\xff\x03\x00\x21"),
    "PPP without address and control": (9, b"\x00\x21"),
    "PPP with a short protocol": (9, b"\xff\x03\x21"),
    "PPP in HDLC framing": (50, b"\xff\x03\x00\x21"),
    "Cisco HDLC": (104, b"\x0f\x00\x08\x00"),
}


@each_kernel
@pytest.mark.parametrize(("link_type", "header"), LINK_LAYERS.values(), ids=LINK_LAYERS)
def test_a_segment_is_found_behind_its_link_layer(kernel: Any, link_type: int, header: bytes) -> None:
    packet = decoded(kernel, header + ipv4(TCP_HEADER + b"x" * 30), link_type)
    assert (packet.status, packet.frame, packet.time_ns) == (Status.TCP, 7, 123_456_789)
    assert (packet.src, packet.dst, packet.sport, packet.dport) == (SRC, DST, 49_731, 10_000)
    assert (packet.seq, packet.ack, packet.flags, packet.window) == (1_000, 2_000, 0x10, 65_535)
    assert (packet.ttl, packet.ip_id, packet.payload_len, packet.captured_payload_len) == (61, 77, 30, 30)


OTHERS = {
    "ARP": (1, MACS + b"\x08\x06" + bytes(28), Status.NOT_IP),
    "LLC without SNAP": (1, MACS + b"\x00\x26\x42\x42\x03" + bytes(40), Status.NOT_IP),
    "MPLS": (1, MACS + b"\x88\x47" + bytes(40), Status.EXOTIC),
    "PPPoE": (1, MACS + b"\x88\x64" + bytes(40), Status.EXOTIC),
    "more tags than are believed": (
        1,
        MACS + b"\x81\x00\x00\x05" * (MAX_VLAN_TAGS + 1) + b"\x08\x00",
        Status.EXOTIC,
    ),
    "802.11": (105, bytes(60), Status.EXOTIC),
    "cut in the Ethernet header": (1, MACS, Status.SHORT_LINK),
    "cut in a tag": (1, MACS + b"\x81\x00\x00", Status.SHORT_LINK),
    "cut in the IP header": (1, MACS + b"\x08\x00\x45" + bytes(18), Status.SHORT_LINK),
    "an empty frame": (1, b"", Status.SHORT_LINK),
    "version 5": (101, b"\x55" + bytes(40), Status.NOT_IP),
    "PPP control protocol": (9, b"\xff\x03\xc0\x21" + bytes(20), Status.NOT_IP),
    "UDP": (101, ipv4(struct.pack("!HHHH", 53, 53, 8, 0), protocol=17), Status.NOT_TCP),
    "VXLAN": (101, ipv4(struct.pack("!HHHH", 9_999, 4_789, 8, 0), protocol=17), Status.EXOTIC),
    "GRE": (101, ipv4(bytes(8), protocol=47), Status.EXOTIC),
    "IP in IP": (101, ipv4(bytes(40), protocol=4), Status.EXOTIC),
    "an ICMP echo": (101, ipv4(b"\x08" + bytes(7), protocol=1), Status.NOT_TCP),
    "an ICMP error": (101, ipv4(b"\x03" + bytes(7), protocol=1), Status.ICMP_ERROR),
    "an ICMPv6 error": (101, ipv6(b"\x02" + bytes(7), protocol=58), Status.ICMP_ERROR),
    "an ICMPv6 echo": (101, ipv6(b"\x80" + bytes(7), protocol=58), Status.NOT_TCP),
    "a first fragment": (101, ipv4(TCP_HEADER, fragment=0x2000), Status.FRAGMENT),
    "a last fragment": (101, ipv4(bytes(20), fragment=100), Status.FRAGMENT),
    "a fragment of UDP": (101, ipv4(bytes(20), protocol=17, fragment=100), Status.NOT_TCP),
    "a header length of four words": (101, b"\x44" + ipv4(TCP_HEADER)[1:], Status.MALFORMED_IP),
    "a total length below the header": (101, ipv4(TCP_HEADER, total=19), Status.MALFORMED_IP),
    "a TCP header cut off": (101, ipv4(TCP_HEADER)[:39], Status.SHORT_TCP),
    "a datagram that ends in its TCP header": (101, ipv4(TCP_HEADER, total=39), Status.SHORT_TCP),
    "a data offset of four words": (
        101,
        ipv4(TCP_HEADER[:12] + b"\x40" + TCP_HEADER[13:]),
        Status.MALFORMED_TCP,
    ),
    "a data offset beyond the datagram": (
        101,
        ipv4(TCP_HEADER[:12] + b"\x60" + TCP_HEADER[13:]),
        Status.MALFORMED_TCP,
    ),
}


@each_kernel
@pytest.mark.parametrize(("link_type", "data", "status"), OTHERS.values(), ids=OTHERS)
def test_what_is_no_segment_has_a_reason(kernel: Any, link_type: int, data: bytes, status: Status) -> None:
    assert decoded(kernel, data, link_type).status == status


# --- IP --------------------------------------------------------------------------------------------

HOP_BY_HOP, ROUTING, DESTINATION = 0, 43, 60


def chained(kinds: list[int], body: bytes) -> bytes:
    """IPv6 with extension headers of eight bytes each."""
    following = [*kinds[1:], 6]
    return ipv6(b"".join(bytes([kind, 0]) + bytes(6) for kind in following) + body, protocol=kinds[0])


@each_kernel
def test_ipv4_options_are_skipped(kernel: Any) -> None:
    packet = decoded(kernel, ipv4(TCP_HEADER + b"abc", options=b"\x01" * 8), 101)
    assert (packet.status, packet.payload_len) == (Status.TCP, 3)


@each_kernel
@pytest.mark.parametrize(
    "kinds", [[HOP_BY_HOP], [HOP_BY_HOP, ROUTING, DESTINATION], [DESTINATION] * MAX_EXTENSION_HEADERS]
)
def test_ipv6_extension_headers_are_skipped(kernel: Any, kinds: list[int]) -> None:
    packet = decoded(kernel, chained(kinds[: MAX_EXTENSION_HEADERS - 1], TCP_HEADER + b"abc"), 101)
    assert (packet.status, packet.payload_len, packet.ip_id) == (Status.TCP, 3, NEVER)
    assert (packet.src, packet.dst, packet.ttl) == (SRC6, DST6, 61)


@each_kernel
def test_more_extension_headers_than_are_believed_are_malformed(kernel: Any) -> None:
    data = chained([DESTINATION] * (MAX_EXTENSION_HEADERS + 1), TCP_HEADER)
    assert decoded(kernel, data, 101).status == Status.MALFORMED_IP


@each_kernel
def test_an_authentication_header_counts_its_length_in_words(kernel: Any) -> None:
    header = bytes([6, 4]) + bytes(22)  # RFC 4302 §2.2: (4 + 2) words
    assert decoded(kernel, ipv6(header + TCP_HEADER, protocol=51), 101).status == Status.TCP


@each_kernel
def test_an_atomic_fragment_is_a_whole_datagram(kernel: Any) -> None:
    """RFC 6946: a fragment header with no offset and nothing to follow."""
    atomic = bytes([6, 0, 0, 0]) + bytes(4)
    assert decoded(kernel, ipv6(atomic + TCP_HEADER, protocol=44), 101).status == Status.TCP
    piece = bytes([6, 0, 0, 1]) + bytes(4)
    assert decoded(kernel, ipv6(piece + TCP_HEADER, protocol=44), 101).status == Status.FRAGMENT


@each_kernel
@given(
    spoilt=st.lists(st.tuples(st.integers(0, 63), st.integers(0, 255)), max_size=4),
    payload=st.binary(max_size=90),
    cut=st.integers(0, 120),
)
def test_the_usual_frame_is_read_like_a_datagram_without_ethernet(
    kernel: Any, spoilt: list[tuple[int, int]], payload: bytes, cut: int
) -> None:
    """The core tells it by a few comparisons; a datagram alone goes the general way."""
    datagram = bytearray(ipv4(TCP_HEADER + payload + bytes(24)))
    for at, value in spoilt:
        datagram[at] = value
    kept = bytes(datagram[:cut])
    usual = decoded(kernel, MACS + b"\x08\x00" + kept, original_len=14 + len(datagram))
    assert usual == decoded(kernel, kept, 101, original_len=len(datagram))


@each_kernel
def test_padding_behind_the_datagram_is_no_payload(kernel: Any) -> None:
    packet = decoded(kernel, MACS + b"\x08\x00" + ipv4(TCP_HEADER) + bytes(6))
    assert (packet.payload_len, packet.captured_payload_len) == (0, 0)


@each_kernel
@pytest.mark.parametrize(
    "data", [ipv4(TCP_HEADER + bytes(100), total=0), ipv6(TCP_HEADER + bytes(100), length=0)]
)
def test_a_length_of_zero_is_the_capturing_hosts_own_offload(kernel: Any, data: bytes) -> None:
    assert decoded(kernel, data, 101).payload_len == 100


@each_kernel
def test_the_length_on_the_wire_is_kept_apart_from_what_was_captured(kernel: Any) -> None:
    whole = segment(b"a" * 500)
    packet = decoded(kernel, whole[:154], original_len=len(whole))
    assert (packet.payload_len, packet.captured_payload_len, packet.trailer) == (500, 100, Trailer.CUT_OFF)


@each_kernel
@pytest.mark.parametrize("captured_len", [54, 53 + 21, 62])
def test_a_payload_that_was_not_captured_is_cut_off_and_not_without_a_trailer(
    kernel: Any, captured_len: int
) -> None:
    whole = segment(esp(1, 2, 300).data)
    packet = decoded(kernel, whole[:captured_len], original_len=len(whole))
    assert (packet.trailer, packet.messages) == (Trailer.CUT_OFF, ())
    assert packet.head == ((1, 2) if captured_len >= 62 else (0, 0))


# --- TCP options ---------------------------------------------------------------------------------------


@each_kernel
def test_options_are_read_between_padding(kernel: Any) -> None:
    options = b"\x02\x04\x05\xb4\x01\x03\x03\x07\x04\x02\x01\x01\x08\x0a" + bytes(8) + b"\x01\x01"
    packet = decoded(kernel, segment(b"", options=options))
    assert (packet.mss, packet.window_scale, packet.sack_permitted) == (1_460, 7, 1)


@each_kernel
def test_four_sack_blocks_are_read(kernel: Any) -> None:
    blocks = ((10, 20), (30, 40), (50, 60), (70, 80))
    raw = b"\x01\x01\x05\x22" + b"".join(struct.pack("!II", *block) for block in blocks)
    assert decoded(kernel, segment(b"", options=raw)).sacks == blocks


@each_kernel
@pytest.mark.parametrize(
    "options",
    [
        b"\x02\x00\x05\xb4",
        b"\x02\x01\x05\xb4",
        b"\x02\x09\x05\xb4",
        b"\x02\x03\x05\x00",
        b"\x00\x02\x04\x05" + bytes(4),
    ],
    ids=[
        "length 0",
        "length 1",
        "length beyond the header",
        "MSS of three bytes",
        "behind the end of options",
    ],
)
def test_an_option_that_does_not_fit_is_not_read(kernel: Any, options: bytes) -> None:
    packet = decoded(kernel, segment(b"abc", options=options))
    assert (packet.status, packet.mss, packet.payload_len) == (Status.TCP, NEVER, 3)


# --- trailers and messages ----------------------------------------------------------------------------------


@each_kernel
@pytest.mark.parametrize(("kind", "found"), [(0x32, 1), (0x11, 1), (0x33, 1), (0x06, 0)])
def test_a_trailer_names_what_it_carries(kernel: Any, kind: int, found: int) -> None:
    payload = bytes(range(1, 61)) + bytes(8) + COOKIE + bytes([kind]) + MAGIC2
    packet = decoded(kernel, segment(payload))
    assert packet.trailer == (Trailer.CISCO if found else Trailer.ABSENT)
    assert [message.kind for message in packet.messages] == [kind] * found


TRAILER = bytes(8) + COOKIE + b"\x32" + MAGIC2
BIT_BY_BIT = [(at, Trailer.WEAK if 8 <= at < 13 or at >= 14 else Trailer.ABSENT) for at in range(16)]


@each_kernel
@pytest.mark.parametrize(("at", "left"), BIT_BY_BIT)
def test_each_byte_of_the_trailer_matters(kernel: Any, at: int, left: Trailer) -> None:
    """Bytes 4 and 5 and the upper half of byte 6 repeat words of the original IP header: they are free."""
    broken = bytearray(TRAILER)
    broken[at] ^= 0xF0 if at == 6 else 0x08
    expected = Trailer.CISCO if at in (4, 5, 6) else left
    assert decoded(kernel, segment(bytes(60) + bytes(broken))).trailer == expected


@each_kernel
@pytest.mark.parametrize(("length", "trailer"), [(24, Trailer.ABSENT), (25, Trailer.CISCO)])
def test_a_message_is_longer_than_24_bytes(kernel: Any, length: int, trailer: Trailer) -> None:
    assert decoded(kernel, segment(b"\x99" * (length - 16) + TRAILER)).trailer == trailer


@each_kernel
@pytest.mark.parametrize("count", [1, 2, 7, MAX_MESSAGES_PER_SEGMENT, MAX_MESSAGES_PER_SEGMENT + 1])
def test_merged_messages_are_split_on_their_trailers(kernel: Any, count: int) -> None:
    payload = joined([esp(5, number, 40 + number) for number in range(count)])
    packet = decoded(kernel, segment(payload.data))
    kept = payload.messages[:MAX_MESSAGES_PER_SEGMENT]
    assert [message._replace(print64=0) for message in packet.messages] == list(kept)
    assert packet.unsplit == (count > MAX_MESSAGES_PER_SEGMENT)


@each_kernel
def test_the_cookie_inside_a_message_splits_nothing(kernel: Any) -> None:
    body = struct.pack("!II", 1, 2) + b"\x99" * 20 + COOKIE + b"\x99" * 20
    packet = decoded(kernel, segment(body + TRAILER))
    assert [(message.offset, message.length) for message in packet.messages] == [(0, len(body) + 16)]


PIECES = [
    TRAILER,
    TRAILER[:15],
    TRAILER[4:],
    bytes(8),
    bytes(5) + COOKIE,
    COOKIE,
    COOKIE[:2],
    b"!",
    b"\x99" * 9,
]


@each_kernel
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=12))
def test_where_messages_end_is_what_one_finds_looking_at_every_byte(kernel: Any, pieces: list[bytes]) -> None:
    payload = b"\x99" * 9 + b"".join(pieces) + TRAILER
    found = [(message.offset, message.length) for message in decoded(kernel, segment(payload)).messages]
    assert found == messages_by_hand(payload)[:MAX_MESSAGES_PER_SEGMENT]


def messages_by_hand(payload: bytes) -> list[tuple[int, int]]:
    """Offset and length; a trailer with too little before it is part of the next message."""
    ends = [0]
    for end in range(16, len(payload) + 1):
        if is_trailer(payload[end - 16 : end]) and end - ends[-1] > 24:
            ends.append(end)
    return [(start, end - start) for start, end in pairwise(ends)]


def is_trailer(last: bytes) -> bool:
    return last[:4] + last[7:8] == bytes(5) and not last[6] & 0x0F and last[8:] == TRAILER[8:]


@each_kernel
@pytest.mark.parametrize("length", range(32_720, 32_756))
def test_a_trailer_is_found_wherever_it_lies_in_a_segment_looked_at_in_pieces(
    kernel: Any, length: int
) -> None:
    payload = b"\x99" * length + TRAILER + b"\x99" * 40 + TRAILER
    messages = decoded(kernel, segment(payload)).messages
    assert [(message.offset, message.length) for message in messages] == [(0, length + 16), (length + 16, 56)]


@each_kernel
def test_an_ike_message_shows_cookie_exchange_and_who_opened(kernel: Any) -> None:
    opening, answer = ike_payload(0xAABB, 4, 7, 200, opens=True), ike_payload(0xAABB, 4, 8, 200, opens=False)
    (first,), (second,) = (decoded(kernel, segment(one.data)).messages for one in (opening, answer))
    assert (first.kind, first.spi, first.esp_seq, first.exchange, first.from_initiator) == (
        Kind.IKE,
        0xAABB,
        7,
        4,
        1,
    )
    assert (second.exchange, second.from_initiator) == (4, 0)


@each_kernel
def test_equal_payloads_have_equal_prints_and_others_have_others(kernel: Any) -> None:
    payloads = [plain(start, length).data for start in (0, 1, 7) for length in (1, 8, 63, 64, 65, 80, 200)]
    prints = [decoded(kernel, segment(payload)).print64 for payload in payloads]
    again = [decoded(kernel, segment(payload)).print64 for payload in payloads]
    assert prints == again
    assert len(set(prints)) == len(payloads)


SIGNATURES = {
    "TLS": (b"\x16\x03\x01\x00\x40\x01", Signature.TLS),
    "TLS 1.4 does not exist": (b"\x16\x03\x05\x00\x40\x01", Signature.NONE),
    "HTTP request": (b"POST / HTTP/1.1\r\n", Signature.HTTP),
    "HTTP response": (b"HTTP/1.1 200 OK\r\n", Signature.HTTP),
    "SSH": (b"SSH-2.0-OpenSSH", Signature.SSH),
    "RFC 8229 prefix": (b"IKETCP", Signature.IKETCP),
    "RFC 8229 length": (b"\x00\x10" + bytes(4) + b"\x99" * 10, Signature.RFC8229_LENGTH),
    "RFC 8229 with another length": (b"\x00\x11" + bytes(4) + b"\x99" * 10, Signature.NONE),
    "bare ISAKMP": (
        b"\x99" * 16 + b"\x01\x10\x04\x00" + bytes(4) + b"\x00\x00\x00\x28" + bytes(12),
        Signature.RAW_IKE,
    ),
    "ISAKMP of another length": (
        b"\x99" * 16 + b"\x01\x10\x04\x00" + bytes(4) + b"\x00\x00\x00\x29" + bytes(12),
        Signature.NONE,
    ),
    "NDMP": (struct.pack("!IIII", 0x8000_0030, 1, 1_700_000_000, 0) + bytes(20), Signature.NDMP),
    "NDMP of the year 1970": (struct.pack("!IIII", 0x8000_0030, 1, 1_000, 0) + bytes(20), Signature.NONE),
    "anything": (b"\x99" * 40, Signature.NONE),
    "five bytes": (b"GET /", Signature.NONE),
}


@each_kernel
@pytest.mark.parametrize(("payload", "signature"), SIGNATURES.values(), ids=SIGNATURES)
def test_applications_are_named_by_their_first_bytes(
    kernel: Any, payload: bytes, signature: Signature
) -> None:
    assert decoded(kernel, segment(payload)).signature == signature


# --- beside dpkt -----------------------------------------------------------------------------------------


# --- checksums -----------------------------------------------------------------------------------


def summed(payload: bytes, *, written: int | None = None, src: bytes = SRC, dst: bytes = DST) -> bytes:
    """A datagram whose TCP checksum is dpkt's, or this one."""
    pseudo_header = src + dst + struct.pack("!II", 20 + len(payload), 6)
    right = dpkt.in_cksum(pseudo_header + TCP_HEADER + payload)
    check = struct.pack("!H", right if written is None else written)
    return (ipv4 if src == SRC else ipv6)(TCP_HEADER[:16] + check + TCP_HEADER[18:] + payload)


def message_of(length: int) -> bytes:
    return esp(5, 9, length).data


@each_kernel
@pytest.mark.parametrize("length", [*range(25, 60), 1363, 1364])
@pytest.mark.parametrize("ends", [(SRC, DST), (SRC6, DST6)], ids=["IPv4", "IPv6"])
def test_a_checksum_is_right_until_a_bit_changes(kernel: Any, length: int, ends: tuple[bytes, bytes]) -> None:
    datagram = summed(message_of(length), src=ends[0], dst=ends[1])
    assert decoded(kernel, datagram, 101).checksum == Checksum.RIGHT
    for at in (-length, -length // 2, -17, -13, -8, -1):
        spoilt = bytearray(datagram)
        spoilt[at] ^= 0x04
        assert decoded(kernel, bytes(spoilt), 101).checksum == Checksum.WRONG, at


@each_kernel
@pytest.mark.parametrize("word", [b"\x00\x00", b"\xff\xff", b"\x7f\xff", b"\x80\x00", b"\x21\x46"])
@pytest.mark.parametrize("length", [32_755, 32_756, 32_757, 65_500, 131_073, 200_000])
def test_a_long_segment_is_summed_whole(kernel: Any, length: int, word: bytes) -> None:
    """As one that the capturing host's card will cut, without a length in its IP header."""
    payload = (word * length)[: length - 16] + TRAILER
    check = dpkt.in_cksum(SRC + DST + struct.pack("!II", 20 + length, 6) + TCP_HEADER + payload)
    for error, found in ((0, Checksum.RIGHT), (1, Checksum.WRONG)):
        header = TCP_HEADER[:16] + struct.pack("!H", check ^ error) + TCP_HEADER[18:]
        assert decoded(kernel, ipv4(header + payload, total=0), 101).checksum == found


@each_kernel
def test_an_address_that_was_translated_without_its_checksum_is_wrong(kernel: Any) -> None:
    datagram = bytearray(summed(message_of(100)))
    datagram[15] ^= 0x01
    assert decoded(kernel, bytes(datagram), 101).checksum == Checksum.WRONG


@each_kernel
def test_a_checksum_that_is_left_to_the_card_says_nothing(kernel: Any) -> None:
    """What stands there is the sum of the pseudo header, which the card goes on with."""
    payload = message_of(100)
    begun = ~dpkt.in_cksum(SRC + DST + struct.pack("!II", 20 + len(payload), 6)) & 0xFFFF
    assert decoded(kernel, summed(payload, written=begun), 101).checksum == Checksum.UNVERIFIED


@each_kernel
def test_what_was_cut_merged_or_carries_nothing_of_ours_is_not_verified(kernel: Any) -> None:
    whole = summed(message_of(100))
    assert decoded(kernel, whole[:-1], 101, original_len=len(whole)).checksum == Checksum.UNVERIFIED
    merged = message_of(100) + esp(5, 10, 100).data
    assert decoded(kernel, summed(merged, written=1), 101).checksum == Checksum.UNVERIFIED
    assert decoded(kernel, summed(plain(1, 100).data), 101).checksum == Checksum.UNVERIFIED
    assert decoded(kernel, summed(b""), 101).checksum == Checksum.UNVERIFIED


@each_kernel
def test_padding_behind_a_datagram_is_not_summed(kernel: Any) -> None:
    frame = MACS + b"\x08\x00" + summed(message_of(25)) + b"\xff" * 5
    assert decoded(kernel, frame).checksum == Checksum.RIGHT


@each_kernel
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_dpkt_reads_the_same_fields(kernel: Any, data: st.DataObject) -> None:
    number = st.integers(0, (1 << 32) - 1)
    seq, ack, flags = data.draw(number), data.draw(number), data.draw(st.integers(0, 63))
    window, payload = data.draw(st.integers(0, 65_535)), data.draw(st.binary(max_size=80))
    tcp = dpkt.tcp.TCP(sport=1, dport=2, seq=seq, ack=ack, flags=flags, win=window, data=payload)
    ip = dpkt.ip.IP(src=SRC, dst=DST, p=6, ttl=9, id=data.draw(st.integers(0, 65_535)), data=tcp)
    ip.len = len(bytes(ip))
    raw = bytes(dpkt.ethernet.Ethernet(src=bytes(6), dst=bytes(6), data=ip))
    packet = decoded(kernel, raw)
    assert (packet.seq, packet.ack, packet.flags, packet.window) == (seq, ack, flags, window)
    assert (packet.ip_id, packet.ttl, packet.payload_len) == (ip.id, 9, len(payload))


def test_the_frames_of_stories_are_well_formed() -> None:
    """Checksums too: dpkt computes the same ones."""
    (one,) = told("C > S  S 0  mss 1460  sackok  ws 7").captured
    ip = dpkt.ethernet.Ethernet(frame_bytes(one)).data
    written = (ip.sum, ip.data.sum)
    ip.sum = ip.data.sum = 0
    again = dpkt.ip.IP(bytes(ip))
    assert (again.sum, again.data.sum) == written
