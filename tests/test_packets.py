"""What the fast decoder leaves behind: fragments, tunnels, ICMP errors, and what was given up, counted."""

from __future__ import annotations

import random
import struct
from itertools import pairwise, permutations

import dpkt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcp_forensics import _kernel
from ctcp_forensics._kernel.rows import Frame, Status
from ctcp_forensics.packets import Decoder, IcmpError
from ctcp_forensics.packets import decoder as decoder_module
from ctcp_forensics.packets.fragments import MAX_DATAGRAMS, MAX_FRAGMENTS, Reassembly
from tests.wire import HOSTS, esp, frame_bytes, ip_bytes, told

RAW, ETHERNET, IEEE_802_11 = 101, 1, 105
MACS = bytes(12)
SRC, DST = HOSTS["C"], HOSTS["S"]


def datagram(length: int = 400) -> bytes:
    """A cTCP segment as an IP datagram."""
    (one,) = told(f"C > S  1:{length + 1}").captured
    return frame_bytes(one)[14:]


def decode(
    *datagrams: bytes, link_type: int = RAW, decoder: Decoder | None = None
) -> tuple[Decoder, list[int]]:
    """All frames in one batch; the statuses they got."""
    decoder = decoder or Decoder()
    buffer, frames = b"", _kernel.Frames(max(1, len(datagrams)))
    for number, data in enumerate(datagrams, start=1):
        frames.append(Frame(number, number, len(buffer), len(data), len(data), 0, link_type, 0))
        buffer += data
    found = decoder.decode(buffer, frames)
    return decoder, [found[at].status for at in range(len(found))]


def fragments_of(whole: bytes, *cuts: int) -> list[bytes]:
    """An IPv4 datagram cut at multiples of eight bytes of its payload."""
    header, payload = whole[:20], whole[20:]
    edges = [0, *cuts, len(payload)]
    return [
        header[:2]
        + struct.pack("!HHH", 20 + end - start, 4_242, (0x2000 if end < len(payload) else 0) | start // 8)
        + header[8:]
        + payload[start:end]
        for start, end in pairwise(edges)
    ]


def fragments6_of(tcp: bytes, *cuts: int) -> list[bytes]:
    edges = [0, *cuts, len(tcp)]
    pieces = []
    for start, end in pairwise(edges):
        head = struct.pack("!BBHI", 6, 0, start | (end < len(tcp)), 4_242)
        pieces.append(ip_bytes(HOSTS["C6"], HOSTS["S6"], 44, head + tcp[start:end], ttl=64, ip_id=0))
    return pieces


# --- fragments ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_fragments_make_one_segment_in_whatever_order_they_come(order: tuple[int, ...]) -> None:
    pieces = fragments_of(datagram(), 120, 240)
    decoder, statuses = decode(*(pieces[at] for at in order))
    assert statuses == [Status.NOT_TCP, Status.NOT_TCP, Status.TCP]
    assert decoder.packets[2].payload_len == 400
    assert [message.kind for message in decoder.packets[2].messages] == [0x32]
    decoder.finish()
    assert (decoder.tcp_segments, dict(decoder.undecoded)) == (1, {})


def test_fragments_of_ipv6_make_one_segment() -> None:
    (one,) = told("C6 > S6  1:401").captured
    tcp = frame_bytes(one)[14 + 40 :]
    decoder, statuses = decode(*fragments6_of(tcp, 120, 240))
    assert statuses[-1] == Status.TCP
    packet = decoder.packets[2]
    assert (packet.payload_len, packet.src.hex()) == (400, "20010db8000000000000000000000010")
    assert packet.messages[0].length == 400


def test_a_datagram_that_was_never_complete_is_counted_by_its_frames() -> None:
    pieces = fragments_of(datagram(), 120, 240)
    decoder, statuses = decode(pieces[0], pieces[2])
    decoder.finish()
    assert Status.TCP not in statuses
    assert dict(decoder.undecoded) == {"IP fragment whose datagram was never complete": 2}


def test_fragments_captured_twice_are_no_trouble() -> None:
    """A SPAN port doubles every frame: one segment, and nothing waits for its missing pieces."""
    pieces = fragments_of(datagram(), 120, 240)
    decoder, statuses = decode(*(copy for piece in pieces for copy in (piece, piece)))
    decoder.finish()
    assert statuses.count(Status.TCP) == 1
    assert dict(decoder.undecoded) == {}


def test_another_datagram_of_the_same_number_is_no_copy() -> None:
    """IP IDs wrap, and some senders never count: what follows a whole datagram may begin another."""
    decoder, statuses = decode(*fragments_of(datagram(400), 120), *fragments_of(datagram(416), 120))
    decoder.finish()
    assert statuses == [Status.NOT_TCP, Status.TCP] * 2
    assert [decoder.packets[at].payload_len for at in (1, 3)] == [400, 416]
    assert dict(decoder.undecoded) == {}


def test_of_bytes_that_came_twice_the_first_are_kept() -> None:
    first, second = fragments_of(datagram(), 200)
    overlapping = fragments_of(datagram()[:20] + bytes(420), 120)[1]
    decoder, _ = decode(first, overlapping, second)
    place = next(at for at in range(3) if decoder.packets[at].status == Status.TCP)
    assert decoder.packets[place].payload_len == 400
    assert decoder.packets[place].sport == SRC.port


def test_a_fragment_that_the_snap_length_cut_is_counted() -> None:
    pieces = fragments_of(datagram(), 120)
    decoder, _ = decode(pieces[0], pieces[1][:-10])
    decoder.finish()
    assert decoder.undecoded["IP fragment whose datagram was never complete"] == 2


def test_the_oldest_incomplete_datagram_makes_room_and_is_counted() -> None:
    reassembly = Reassembly()
    first = fragments_of(datagram(), 120)
    renumbered = [
        [one[:4] + struct.pack("!H", number) + one[6:] for one in first] for number in range(MAX_DATAGRAMS)
    ]
    assert reassembly.take(first[0]) is None
    assert [reassembly.take(pieces[0]) for pieces in renumbered] == [None] * MAX_DATAGRAMS
    assert reassembly.evicted == 1
    assert [reassembly.take(piece) for piece in renumbered[-1][1:]][-1] is not None, (
        "who made it go has its room"
    )
    assert reassembly.take(first[1]) is None, "its first piece was let go"
    assert reassembly.waiting == MAX_DATAGRAMS + 1


def test_a_datagram_of_too_many_pieces_is_bounded() -> None:
    reassembly = Reassembly()
    header = datagram()[:20]
    for at in range(MAX_FRAGMENTS + 10):
        piece = header[:2] + struct.pack("!HHH", 28, 1, 0x2000 | at) + header[8:] + bytes(8)
        assert reassembly.take(piece) is None
    (kept,) = reassembly.datagrams.values()
    assert len(kept.pieces) == MAX_FRAGMENTS


def test_pieces_that_overlap_are_kept_up_to_twice_a_datagram() -> None:
    """Without that, a thousand pieces of 60,000 bytes at every eighth byte would hold 60 MB, and 256 of them 15 GB."""
    reassembly = Reassembly()
    header, large = datagram()[:20], bytes(60_000)
    for at in range(500):
        total_len = struct.pack("!H", 20 + len(large))
        piece = header[:2] + total_len + struct.pack("!HH", 1, 0x2000 | at) + header[8:] + large
        assert reassembly.take(piece) is None
    (kept,) = reassembly.datagrams.values()
    assert sum(map(len, kept.pieces.values())) == kept.held_len == 2 * len(large)
    assert reassembly.waiting == 500, "those that were not kept are counted with the others"


@settings(max_examples=80, deadline=None)
@given(cuts=st.sets(st.integers(1, 51), max_size=6), order=st.randoms(use_true_random=False))
def test_however_it_is_cut_it_is_the_same_datagram(cuts: set[int], order: random.Random) -> None:
    whole = datagram()
    pieces = fragments_of(whole, *(8 * cut for cut in sorted(cuts)))
    order.shuffle(pieces)
    reassembly = Reassembly()
    results = [reassembly.take(piece) for piece in pieces]
    joined = [one for one in results if one is not None]
    assert [one[20:] for one in joined] == [whole[20:]]
    assert reassembly.waiting == 0


# --- tunnels ------------------------------------------------------------------------------------------

INNER = datagram(300)


def udp(port: int, body: bytes) -> bytes:
    header = struct.pack("!HHHH", 50_000, port, 8 + len(body), 0)
    return ip_bytes(SRC, DST, 17, header + body, ttl=64, ip_id=5)


def over_ip(protocol: int, body: bytes) -> bytes:
    return ip_bytes(SRC, DST, protocol, body, ttl=64, ip_id=5)


ETHERNET_INNER = MACS + b"\x08\x00" + INNER
TUNNELS = {
    "IP in IP": (RAW, over_ip(4, INNER)),
    "GRE": (RAW, over_ip(47, b"\x00\x00\x08\x00" + INNER)),
    "GRE with key and sequence": (RAW, over_ip(47, b"\x30\x00\x08\x00" + bytes(8) + INNER)),
    "transparent bridging over GRE": (RAW, over_ip(47, b"\x00\x00\x65\x58" + ETHERNET_INNER)),
    "ERSPAN type I": (RAW, over_ip(47, b"\x00\x00\x88\xbe" + ETHERNET_INNER)),
    "ERSPAN type II": (RAW, over_ip(47, b"\x10\x00\x88\xbe" + bytes(4) + bytes(8) + ETHERNET_INNER)),
    "VXLAN": (RAW, udp(4_789, b"\x08" + bytes(7) + ETHERNET_INNER)),
    "MPLS": (ETHERNET, MACS + b"\x88\x47" + b"\x00\x01\x01\x40" + INNER),
    "two MPLS labels": (ETHERNET, MACS + b"\x88\x47" + b"\x00\x01\x00\x40\x00\x02\x01\x40" + INNER),
    "PPPoE": (
        ETHERNET,
        MACS + b"\x88\x64\x11\x00\x00\x01" + struct.pack("!H", 2 + len(INNER)) + b"\x00\x21" + INNER,
    ),
    "IP in GRE in IP in IP": (RAW, over_ip(4, over_ip(47, b"\x00\x00\x08\x00" + INNER))),
}


@pytest.mark.parametrize(("link_type", "data"), TUNNELS.values(), ids=TUNNELS)
def test_a_segment_is_found_inside_a_tunnel(link_type: int, data: bytes) -> None:
    decoder, statuses = decode(data, link_type=link_type)
    assert (statuses, dict(decoder.undecoded)) == ([Status.TCP], {})
    packet = decoder.packets[0]
    assert (packet.frame, packet.payload_len, packet.sport, packet.dport) == (1, 300, SRC.port, DST.port)
    assert [message.length for message in packet.messages] == [300]


@pytest.mark.parametrize(("link_type", "data"), TUNNELS.values(), ids=TUNNELS)
def test_a_segment_cut_off_inside_a_tunnel_keeps_its_length_on_the_wire(link_type: int, data: bytes) -> None:
    """Also where its header checksum was left to the network card: dpkt would write the captured length then."""
    offloaded = data.replace(INNER, INNER[:10] + bytes(2) + INNER[12:])
    assert offloaded != data
    decoder, statuses = decode(offloaded[:-200], link_type=link_type)
    assert statuses == [Status.TCP]
    assert (decoder.packets[0].payload_len, decoder.packets[0].captured_payload_len) == (300, 100)


def test_a_tunnel_is_found_behind_extension_headers() -> None:
    options, authentication = b"\x33\x00" + bytes(6), b"\x2c\x01" + bytes(10)
    whole_fragment = b"\x04\x00" + bytes(6)
    chain = options + authentication + whole_fragment + INNER
    decoder, statuses = decode(ip_bytes(HOSTS["C6"], HOSTS["S6"], 60, chain, ttl=64, ip_id=0))
    assert (statuses, dict(decoder.undecoded)) == ([Status.TCP], {})
    assert decoder.packets[0].payload_len == 300


def test_fragments_inside_a_tunnel_are_put_together() -> None:
    pieces = [over_ip(47, b"\x00\x00\x08\x00" + piece) for piece in fragments_of(INNER, 120)]
    decoder, statuses = decode(*pieces)
    decoder.finish()
    assert (statuses[-1], dict(decoder.undecoded)) == (Status.TCP, {})


def test_a_tunnel_in_fragments_is_opened() -> None:
    pieces = fragments_of(over_ip(47, b"\x00\x00\x08\x00" + INNER), 120)
    assert decode(*pieces)[1][-1] == Status.TCP


def test_a_port_number_alone_makes_no_tunnel() -> None:
    decoder, statuses = decode(udp(4_789, b"\x00" * 40))
    assert (statuses, dict(decoder.undecoded)) == ([Status.NOT_TCP], {})


def test_tunnels_without_end_are_given_up() -> None:
    data = INNER
    for _ in range(20):
        data = over_ip(4, data)
    decoder, statuses = decode(data)
    assert statuses == [Status.UNKNOWN_LINK]
    assert sum(decoder.undecoded.values()) == 1


def test_a_link_layer_that_nobody_knows_is_counted_by_name() -> None:
    decoder, statuses = decode(bytes(60), link_type=147)
    assert statuses == [Status.UNKNOWN_LINK]
    assert [reason for reason in decoder.undecoded if "147" in reason] == list(decoder.undecoded)


def test_a_radio_frame_shows_its_segment() -> None:
    """IEEE 802.11 data from an access point, LLC and SNAP, in clear."""
    header = b"\x08\x02" + bytes(2) + bytes(18) + bytes(2)
    _, statuses = decode(header + b"\xaa\xaa\x03\x00\x00\x00\x08\x00" + INNER, link_type=IEEE_802_11)
    assert statuses == [Status.TCP]


@pytest.mark.parametrize("kind", [0x80, 0xB4], ids=["beacon", "request to send"])
@pytest.mark.parametrize("radiotap", [b"", b"\x00\x00\x08\x00" + bytes(4)], ids=["bare", "radiotap"])
def test_a_radio_frame_that_is_no_data_is_no_tcp_and_nothing_was_missed(kind: int, radiotap: bytes) -> None:
    link_type = 127 if radiotap else IEEE_802_11
    decoder, statuses = decode(radiotap + bytes([kind]) + bytes(60), link_type=link_type)
    assert (statuses, dict(decoder.undecoded)) == ([Status.NOT_TCP], {})


@settings(max_examples=150, deadline=None)
@given(body=st.binary(max_size=120), protocol=st.sampled_from((4, 41, 47, 97, 115, 137)))
def test_no_tunnel_however_broken_raises(body: bytes, protocol: int) -> None:
    """dpkt raises what its struct and index operations raise; here it is a reason and no traceback."""
    decoder, statuses = decode(over_ip(protocol, body))
    assert statuses[0] not in (Status.EXOTIC, Status.FRAGMENT)
    decoder.finish()


# --- ICMP errors ---------------------------------------------------------------------------------------


def test_an_icmp_error_names_the_flow_that_it_quotes() -> None:
    wire = told(
        """
        C > S  1:101
        icmp fragmentation-needed 1300  C > S
        icmp prohibited  S > C
        """
    )
    decoder, statuses = decode(*(frame_bytes(one)[14:] for one in wire.captured))
    assert statuses == [Status.TCP, Status.ICMP_ERROR, Status.ICMP_ERROR]
    assert [(one.frame, one.kind, one.mtu, one.sport, one.dport) for one in decoder.icmp_errors] == [
        (2, "fragmentation-needed", 1300, SRC.port, DST.port),
        (3, "prohibited", None, DST.port, SRC.port),
    ]


ICMP_KINDS = {
    (3, 4): "fragmentation-needed",
    (3, 13): "prohibited",
    (3, 10): "prohibited",
    (3, 9): "prohibited",
    (3, 1): "unreachable",
    (11, 0): "time-exceeded",
    (5, 1): "other",
}


@pytest.mark.parametrize(("numbers", "kind"), ICMP_KINDS.items(), ids=str)
def test_each_kind_of_icmp_error_has_a_name(numbers: tuple[int, int], kind: str) -> None:
    body = struct.pack("!BBHHH", *numbers, 0, 0, 1_400) + INNER[:28]
    decoder, _ = decode(over_ip(1, body))
    assert [one.kind for one in decoder.icmp_errors] == [kind]


def test_icmpv6_too_big_tells_its_mtu() -> None:
    (one,) = told("C6 > S6  1:401").captured
    quoted = frame_bytes(one)[14 : 14 + 48]
    body = struct.pack("!BBHI", 2, 0, 0, 1_280) + quoted
    decoder, _ = decode(ip_bytes(HOSTS["S6"], HOSTS["C6"], 58, body, ttl=64, ip_id=0))
    (error,) = decoder.icmp_errors
    assert (error.kind, error.mtu, error.sport, error.dport) == (
        "fragmentation-needed",
        1_280,
        49_731,
        10_000,
    )


@pytest.mark.parametrize("quoted_len", [0, 19, 20, 27])
def test_an_icmp_error_that_quotes_too_little_says_nothing(quoted_len: int) -> None:
    decoder, _ = decode(over_ip(1, struct.pack("!BBHHH", 3, 13, 0, 0, 0) + INNER[:quoted_len]))
    assert decoder.icmp_errors == []


def test_an_icmp_error_about_udp_is_none_of_ours() -> None:
    decoder, _ = decode(over_ip(1, struct.pack("!BBHHH", 3, 13, 0, 0, 0) + udp(53, b"12345678")))
    assert decoder.icmp_errors == []


def test_icmp_errors_beyond_the_cap_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_module, "MAX_ICMP_ERRORS", 2)
    body = struct.pack("!BBHHH", 3, 13, 0, 0, 0) + INNER[:28]
    decoder, _ = decode(*[over_ip(1, body)] * 5)
    assert (len(decoder.icmp_errors), decoder.icmp_errors_refused) == (2, 3)


# --- counts ------------------------------------------------------------------------------------------------


def test_what_could_not_be_read_is_counted_by_its_reason() -> None:
    segment = datagram()
    decoder, _ = decode(
        segment,
        segment[:30],
        segment[:10],
        segment[:2] + b"\x00\x13" + segment[4:],
        segment[:32] + b"\x40" + segment[33:],
    )
    decoder.finish()
    assert dict(decoder.undecoded) == {
        "ends inside its TCP header": 1,
        "ends inside its link or IP header": 1,
        "malformed IP header": 1,
        "malformed TCP header": 1,
    }
    assert decoder.tcp_segments == 3


def test_batches_of_one_capture_share_their_fragments() -> None:
    first, second = fragments_of(datagram(), 120)
    decoder, _ = decode(first)
    _, statuses = decode(second, decoder=decoder)
    assert statuses == [Status.TCP]


def test_an_error_is_a_value_that_can_be_compared() -> None:
    wire = told("icmp prohibited  C > S")
    decoder, _ = decode(frame_bytes(wire.captured[0])[14:])
    assert decoder.icmp_errors == [
        IcmpError(
            frame=1,
            time_ns=1,
            kind="prohibited",
            mtu=None,
            src=bytes([192, 0, 2, 10]),
            sport=SRC.port,
            dst=bytes([198, 51, 100, 20]),
            dport=DST.port,
        )
    ]


def test_dpkt_puts_the_same_bytes_into_a_gre_tunnel() -> None:
    """What was written by hand above is what dpkt would write."""
    gre = dpkt.gre.GRE(p=0x0800, data=INNER)
    assert over_ip(47, bytes(gre)) == TUNNELS["GRE"][1]


def test_a_message_survives_its_way_through_tunnel_and_fragments() -> None:
    pieces = [over_ip(4, piece) for piece in fragments_of(INNER, 200)]
    decoder, _ = decode(*pieces)
    expected = esp(0xC0FFEE01, 1, 300).messages[0]
    assert decoder.packets[1].messages[0]._replace(print64=0) == expected
