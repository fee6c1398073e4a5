"""Frames under pseudonyms: nothing passes in clear, the diagnosis stays, and so does every checksum's being right."""

from __future__ import annotations

import gzip
import struct
import subprocess
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcp_forensics.pipeline import diagnose
from ctcp_forensics.reading import Options, Source
from ctcp_forensics.redact import Key, Pseudonyms, Rewriter, redacted
from ctcp_forensics.redact.packets.checksum import mended
from ctcp_forensics.redact.packets.payload import replaced
from ctcp_forensics.report import Report

ROOT = Path(__file__).parent.parent
KEY = Key(secret=bytes(range(32)))
ETHERNET, NULL, SLL, SLL2, RAW = 1, 0, 113, 276, 101
CLIENT, HEADEND = ip_address("10.1.2.3").packed, ip_address("198.51.100.20").packed
CLIENT6, HEADEND6 = ip_address("2001:db8::5").packed, ip_address("2001:db8:1::6").packed
MACS = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
SECRET = b"group-name-of-acme"
TRAILER = bytes.fromhex("00000000 1234 5000 21456c6910")
ESP_TRAILER, IKE_TRAILER = TRAILER + b"\x32\1\0", TRAILER + b"\x11\1\0"


class Record(NamedTuple):
    head: bytes
    data: bytes


def records(content: bytes) -> Iterator[Record]:
    """Of a little-endian pcap, as the samples are."""
    at = 24
    while at < len(content):
        (captured_len,) = struct.unpack_from("<I", content, at + 8)
        yield Record(content[at : at + 16], content[at + 16 : at + 16 + captured_len])
        at += 16 + captured_len


def content_of(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


def shown(content: bytes) -> tuple[bytes, Counter[str]]:
    """The capture under pseudonyms, and what was cut."""
    rewrite = Rewriter(Pseudonyms(KEY))
    (link_type,) = struct.unpack_from("<I", content, 20)
    parts = [content[:24]]
    for head, data in records(content):
        frame = rewrite(data, link_type)
        parts.append(head[:8] + struct.pack("<I", len(frame)) + head[12:] + frame)
    return b"".join(parts), rewrite.cut


CAPTURES = [
    path
    for path in sorted(ROOT.glob("samples/*.pcap*")) + sorted(ROOT.glob("tests/recorded/*/*.pcap.gz"))
    if content_of(path)[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1")
]
PATHS = [
    sorted(path for path in CAPTURES if path.name.startswith(f"{name}-")) for name in ("failure", "path-mtu")
]


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def report_on(*paths: Path) -> Report:
    return diagnose([Source(path=str(path), vantage=None) for path in paths], Options())


def what_matters(report: Report) -> tuple[object, ...]:
    """All but what depends on the file, on the true addresses' digests, and on addresses being private ones."""
    flows = [msgspec.structs.replace(flow, id="") for flow in report.flows]
    findings = [msgspec.structs.replace(one, id="", flow="", recommendations=()) for one in report.findings]
    paths = [
        msgspec.structs.replace(
            path, crossings=tuple(msgspec.structs.replace(one, flow="") for one in path.crossings)
        )
        for path in report.paths
    ]
    return flows, findings, paths, report.coverage, report.notes


# --- the diagnosis ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CAPTURES, ids=named)
def test_a_redacted_capture_gives_the_redacted_report(path: Path, tmp_path: Path) -> None:
    """Every verdict, count, frame number, sentence and ESP finding: to the last word."""
    content, cut = shown(content_of(path))
    copy = tmp_path / path.name.removesuffix(".gz")
    copy.write_bytes(content)
    assert not cut
    assert what_matters(report_on(copy)) == what_matters(redacted(report_on(path), Pseudonyms(KEY)))


@pytest.mark.parametrize("paths", PATHS, ids=lambda paths: paths[0].name)
def test_redacted_captures_of_one_path_still_pair(paths: list[Path], tmp_path: Path) -> None:
    copies = [tmp_path / path.name for path in paths]
    for path, copy in zip(paths, copies, strict=True):
        copy.write_bytes(shown(content_of(path))[0])
    found, expected = report_on(*copies), redacted(report_on(*paths), Pseudonyms(KEY))
    assert found.paths
    again = Pseudonyms(KEY)
    assert [one.source for one in expected.captures] == [again.source(str(path)) for path in paths]
    spoken = tuple(note for note in expected.notes if ".pcap" not in note)
    assert what_matters(msgspec.structs.replace(found, notes=())) == what_matters(
        msgspec.structs.replace(expected, notes=())
    )
    assert spoken == tuple(note for note in found.notes if ".pcap" not in note)


@pytest.mark.parametrize("at", [100, -16, -7, -1], ids=["body", "zeros", "constant", "end"])
def test_damage_on_the_way_is_found_in_the_redacted_capture_too(at: int, tmp_path: Path) -> None:
    """In both captures behind it, so that it is evidence and no accident of one."""
    spoilt, copies = [], []
    for path in PATHS[0][1:]:
        content = bytearray(content_of(path))
        frames = [one for one in records(bytes(content)) if len(one.data) > 150]
        start = bytes(content).index(frames[20].data)
        content[(start if at > 0 else start + len(frames[20].data)) + at] ^= 0x41
        spoilt.append(tmp_path / path.name)
        copies.append(tmp_path / f"copy-{path.name}")
        spoilt[-1].write_bytes(content)
        copies[-1].write_bytes(shown(bytes(content))[0])
    for one, copy in zip(spoilt, copies, strict=True):
        assert what_matters(report_on(copy)) == what_matters(redacted(report_on(one), Pseudonyms(KEY)))
    found, expected = report_on(*copies), redacted(report_on(*spoilt), Pseudonyms(KEY))
    assert what_matters(found)[:3] == what_matters(expected)[:3]


# --- nothing in clear ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", CAPTURES, ids=named)
def test_no_address_and_no_mac_is_left(path: Path) -> None:
    content = content_of(path)
    after, _ = shown(content)
    (link_type,) = struct.unpack_from("<I", content, 20)
    secrets = {
        ip_address(end.address).packed
        for flow in report_on(path).flows
        for end in (flow.client, flow.headend)
    }
    for before, now in zip(records(content), records(after), strict=True):
        macs = {before.data[:6], before.data[6:12]} if link_type == ETHERNET else set()
        headers = now.data[:74]  # by chance four bytes of ciphertext may be anything
        assert not any(secret in headers for secret in secrets | {mac for mac in macs if any(mac)})
        assert len(now.data) == len(before.data)


@given(
    st.binary(max_size=200), st.sampled_from((0, 1, 9, 12, 50, 101, 104, 105, 108, 113, 127, 228, 276, 999))
)
def test_no_bytes_can_break_it(data: bytes, link_type: int) -> None:
    found = Rewriter(Pseudonyms(KEY))(data, link_type)
    assert len(found) <= len(data)
    assert found == Rewriter(Pseudonyms(KEY))(data, link_type)


# --- frames made by hand --------------------------------------------------------------------------


def internet_checksum(data: bytes) -> int:
    """RFC 1071, word by word."""
    sum_: int = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while sum_ >> 16:
        sum_ = (sum_ & 0xFFFF) + (sum_ >> 16)
    return ~sum_ & 0xFFFF


def with_checksum(data: bytes, at: int, before: bytes = b"") -> bytes:
    return data[:at] + internet_checksum(before + data).to_bytes(2, "big") + data[at + 2 :]


def ipv4(
    protocol: int, body: bytes, *, options: bytes = b"", src: bytes = CLIENT, dst: bytes = HEADEND
) -> bytes:
    words = 5 + len(options) // 4
    head = struct.pack(">BBHHHBBH", 0x40 | words, 0, 4 * words + len(body), 7, 0, 64, protocol, 0)
    return with_checksum(head + src + dst + options, 10) + body


def ipv6(protocol: int, body: bytes) -> bytes:
    return struct.pack(">IHBB", 6 << 28, len(body), protocol, 64) + CLIENT6 + HEADEND6 + body


def pseudo(protocol: int, body: bytes, ends: bytes = CLIENT + HEADEND) -> bytes:
    return ends + struct.pack(">II", len(body), protocol)


def tcp(payload: bytes = b"", options: bytes = b"", ends: bytes = CLIENT + HEADEND) -> bytes:
    head = struct.pack(">HHIIBBHHH", 50_000, 10_000, 1, 2, (20 + len(options)) * 4, 0x18, 500, 0, 0)
    whole = head + options + payload
    return with_checksum(whole, 16, pseudo(6, whole, ends))


def udp(port: int, payload: bytes, ends: bytes = CLIENT + HEADEND) -> bytes:
    whole = struct.pack(">HHHH", 50_000, port, 8 + len(payload), 0) + payload
    return with_checksum(whole, 6, pseudo(17, whole, ends))


def ethernet(kind: int, body: bytes) -> bytes:
    return b"".join(MACS) + kind.to_bytes(2, "big") + body


def piece(datagram: bytes, start: int, end: int) -> bytes:
    """A fragment: bytes `start` to `end` of what the datagram carries."""
    body = datagram[20:]
    more = 0x2000 if end < len(body) else 0
    head = (
        datagram[:2] + struct.pack(">HHH", 20 + end - start, 7, more | start // 8) + datagram[8:10] + b"\0\0"
    )
    return with_checksum(head + datagram[12:20], 10) + body[start:end]


IP = ipv4(6, tcp(SECRET * 3))
QUOTE = ipv4(6, tcp(SECRET * 3))[:40]
LAST_LABEL = bytes.fromhex("00010140")
FRAMES = {
    "raw": (RAW, IP),
    "loopback": (NULL, b"\2\0\0\0" + IP),
    "padded": (ETHERNET, ethernet(0x0800, IP + SECRET)),
    "vlan": (ETHERNET, ethernet(0x88A8, b"\0\1\x81\0\0\2\x08\0" + IP)),
    "snap": (ETHERNET, ethernet(8 + len(IP), b"\xaa\xaa\3\0\0\0\x08\0" + IP)),
    "cooked": (SLL, b"\0\0\0\1\0\6" + MACS[0] + b"ac\x08\0" + IP),
    "cooked 2": (SLL2, b"\x08\0\0\0\0\0\0\2\0\1\0\6" + MACS[0] + b"ac" + IP),
    "pppoe": (ETHERNET, ethernet(0x8864, b"\x11\0\0\1" + (len(IP) + 2).to_bytes(2, "big") + b"\0\x21" + IP)),
    "mpls": (ETHERNET, ethernet(0x8847, b"\0\2\0\x40" + LAST_LABEL + IP)),
    "ip in ip": (RAW, ipv4(4, IP)),
    "6in4": (RAW, ipv4(41, ipv6(6, tcp(SECRET, ends=CLIENT6 + HEADEND6)))),
    "gre": (RAW, ipv4(47, b"\x20\0\x08\0KEY1" + IP)),
    "gre with checksum": (RAW, ipv4(47, with_checksum(b"\x80\0\x08\0\0\0\0\0" + IP, 4))),
    "gre bridged": (RAW, ipv4(47, b"\0\0\x65\x58" + ethernet(0x0800, IP))),
    "erspan": (RAW, ipv4(47, b"\x10\0\x88\xbe\0\0\0\1" + bytes(8) + ethernet(0x0800, IP))),
    "vxlan": (RAW, ipv4(17, udp(4789, b"\x08\0\0\0\0\0\1\0" + ethernet(0x0800, IP)))),
    "ipv6": (RAW, ipv6(6, tcp(SECRET, ends=CLIENT6 + HEADEND6))),
    "ipv6 with options": (
        RAW,
        ipv6(60, b"\6\2\xc9\x10" + CLIENT6 + bytes(4) + tcp(SECRET, ends=CLIENT6 + HEADEND6)),
    ),
    "record route": (RAW, ipv4(6, tcp(SECRET), options=b"\7\x0b\x04" + CLIENT + HEADEND + b"\0")),
    "accelerator": (RAW, ipv4(6, tcp(options=b"\x4c\x0a" + CLIENT + HEADEND + b"\1\1"))),
    "udp": (RAW, ipv4(17, udp(53, SECRET))),
    "esp": (RAW, ipv4(50, b"\0\0\x12\x34\0\0\0\1" + SECRET)),
    "icmp error": (RAW, ipv4(1, with_checksum(b"\3\4\0\0\0\0\5\0" + QUOTE, 2))),
    "icmp redirect": (RAW, ipv4(1, with_checksum(b"\5\1\0\0" + HEADEND + QUOTE, 2))),
    "echo": (RAW, ipv4(1, with_checksum(b"\x08\0\0\0\0\1\0\1" + SECRET, 2))),
    "icmpv6 error": (
        RAW,
        ipv6(58, with_checksum(b"\2\0\0\0\0\0\5\0" + ipv6(6, b"\xc3\x50\x27\x10\0\0\0\1"), 2)),
    ),
    "neighbour": (RAW, ipv6(58, b"\x87\0\0\0\0\0\0\0" + CLIENT6 + b"\1\1" + MACS[0])),
    "arp": (
        ETHERNET,
        ethernet(0x0806, b"\0\1\x08\0\6\4\0\1" + MACS[0] + CLIENT + MACS[1] + HEADEND + SECRET),
    ),
    "fragment": (RAW, piece(IP, 0, 48)),
    "later fragment": (RAW, piece(IP, 48, 70)),
    "fragment of udp": (RAW, piece(ipv4(17, udp(53, SECRET)), 0, 16)),
    "lldp": (ETHERNET, ethernet(0x88CC, SECRET)),
    "spanning tree": (ETHERNET, ethernet(38, b"\x42\x42\3" + MACS[0] + SECRET)),
    "ospf": (RAW, ipv4(89, CLIENT + SECRET)),
    "another tunnel": (RAW, ipv4(17, udp(2152, IP))),
    "802.11": (105, SECRET + CLIENT),
}
CUT = {
    "fragment of udp": 20,
    "lldp": 14,
    "spanning tree": 14,
    "ospf": 20,
    "another tunnel": 28,
    "802.11": 0,
    "neighbour": 64,
}


@pytest.mark.parametrize("name", FRAMES)
def test_no_layer_lets_anything_pass(name: str) -> None:
    link_type, data = FRAMES[name]
    rewrite = Rewriter(Pseudonyms(KEY))
    found = rewrite(data, link_type)
    for secret in (CLIENT, HEADEND, CLIENT6, HEADEND6, *MACS, SECRET, SECRET[:6]):
        assert secret not in found
    assert len(found) == CUT.get(name, len(data))
    assert rewrite.cut.total() == (name in CUT)


@pytest.mark.parametrize("name", FRAMES)
def test_wherever_the_snap_length_cuts_nothing_passes(name: str) -> None:
    link_type, data = FRAMES[name]
    for length in range(len(data)):
        found = Rewriter(Pseudonyms(KEY))(data[:length], link_type)
        assert len(found) <= length
        for secret in (CLIENT, HEADEND, CLIENT6, HEADEND6, *MACS, SECRET[:6]):
            assert secret not in found


def parts_of(capture: Path, *fields: str) -> list[str]:
    told = subprocess.run(
        ["tshark", "-r", str(capture), "-T", "fields"]
        + [f"-o{name}.check_checksum:TRUE" for name in ("ip", "tcp", "udp")]
        + [f"-e{field}" for field in fields],
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout.splitlines()


CHECKSUMS = [f"{name}.checksum.status" for name in ("ip", "tcp", "udp", "icmp", "icmpv6", "gre")]


def one_frame(path: Path, data: bytes, link_type: int) -> Path:
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, link_type)
    path.write_bytes(head + struct.pack("<IIII", 1, 0, len(data), len(data)) + data)
    return path


@pytest.mark.parametrize("name", sorted(set(FRAMES) - set(CUT)))
def test_wireshark_finds_the_same_checksums_right(name: str, tmp_path: Path) -> None:
    link_type, data = FRAMES[name]
    before = one_frame(tmp_path / "before.pcap", data, link_type)
    after = one_frame(tmp_path / "after.pcap", Rewriter(Pseudonyms(KEY))(data, link_type), link_type)
    assert parts_of(after, *CHECKSUMS, "frame.protocols") == parts_of(before, *CHECKSUMS, "frame.protocols")


@pytest.mark.parametrize("path", CAPTURES[::6], ids=named)
def test_wireshark_finds_no_new_bad_checksum_in_a_capture(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.pcap"
    copy.write_bytes(shown(content_of(path))[0])
    assert parts_of(copy, *CHECKSUMS) == parts_of(path, *CHECKSUMS)


@pytest.mark.parametrize("cuts", [(32,), (40, 80), (32, 64, 96)])
def test_fragments_make_a_segment_whose_checksum_is_as_right_as_before(cuts: tuple[int, ...]) -> None:
    whole = ipv4(6, tcp(b"\x12\x34\x56\x78\0\0\0\7" + SECRET * 6 + ESP_TRAILER))
    edges = (0, *cuts, len(whole) - 20)
    rewrite = Rewriter(Pseudonyms(KEY))
    pieces = [rewrite(piece(whole, start, end), RAW) for start, end in pairwise(edges)]
    segment = b"".join(one[20:] for one in pieces)
    ends = pieces[0][12:20]
    assert internet_checksum(pseudo(6, segment, ends) + segment) == 0
    assert all(internet_checksum(one[:20]) == 0 for one in pieces)
    assert segment[20:28] == whole[40:48]
    assert segment[-16:] == ESP_TRAILER
    assert SECRET[:6] not in segment
    assert not rewrite.cut


# --- checksums -----------------------------------------------------------------------------------


def test_the_checksum_of_rfc_1624() -> None:
    """§4: where RFC 1141's equation says FFFF, this one says 0000."""
    assert mended(0xDD2F, b"\x55\x55", b"\x32\x85") == 0x0000


@given(st.binary(min_size=2, max_size=60), st.data())
def test_a_mended_checksum_is_the_one_computed_anew_and_a_wrong_one_as_wrong_as_before(
    data: bytes, draw: st.DataObject
) -> None:
    new = draw.draw(st.binary(min_size=len(data), max_size=len(data)))
    wrong_by = draw.draw(st.integers(0, 0xFFFE))
    if not any(data) or not any(new):
        return
    old_sum, new_sum = internet_checksum(data), internet_checksum(new)
    assert mended(old_sum, data, new) == new_sum
    assert (mended(old_sum ^ wrong_by, data, new) - new_sum - ((old_sum ^ wrong_by) - old_sum)) % 0xFFFF == 0


def test_what_was_left_to_the_network_card_is_left_to_it_still() -> None:
    whole = tcp(b"some data")
    left = whole[:16] + (0xFFFF ^ internet_checksum(pseudo(6, whole))).to_bytes(2, "big") + whole[18:]
    data = ipv4(6, left)
    data = data[:10] + b"\0\0" + data[12:]
    found = Rewriter(Pseudonyms(KEY))(data, RAW)
    assert found[10:12] == b"\0\0"
    ends = found[12:20]
    assert found[36:38] == (0xFFFF ^ internet_checksum(pseudo(6, whole, ends))).to_bytes(2, "big")


# --- payloads -------------------------------------------------------------------------------------

ISAKMP = bytes(range(16)) + b"\1\x10\4\0" + bytes(4) + (28 + 40).to_bytes(4, "big")
MESSAGE = b"\1\xf4\1\xf4\0\x4c\0\0" + ISAKMP + SECRET * 2 + b"1234"


def test_of_esp_spi_sequence_and_trailer_stay() -> None:
    payload = b"\x12\x34\x56\x78\0\0\0\7" + SECRET * 4 + ESP_TRAILER
    found = replaced(payload, len(payload), b"key")
    assert (found[:8], found[-16:], len(found)) == (payload[:8], ESP_TRAILER, len(payload))
    assert SECRET[:6] not in found


def test_of_ike_the_headers_and_the_trailer_stay_and_no_identity() -> None:
    payload = MESSAGE + IKE_TRAILER
    found = replaced(payload, len(payload), b"key")
    assert (found[:36], found[-16:]) == (payload[:36], IKE_TRAILER)
    assert SECRET[:6] not in found


def test_a_piece_of_an_ike_message_has_no_header_that_could_stay() -> None:
    payload = SECRET * 4 + IKE_TRAILER
    found = replaced(payload, len(payload), b"key")
    assert SECRET[:4] not in found


def test_merged_messages_are_replaced_one_by_one() -> None:
    esp = b"\x12\x34\x56\x78\0\0\0\7" + SECRET * 4 + ESP_TRAILER
    both = esp + MESSAGE + IKE_TRAILER
    whole = replaced(both, len(both), b"key")
    assert whole == replaced(esp, len(esp), b"key") + replaced(both[len(esp) :], len(both) - len(esp), b"key")


@given(st.binary(min_size=1, max_size=80), st.binary(min_size=16, max_size=64))
def test_equal_payloads_stay_equal_and_depend_on_the_key(payload: bytes, key: bytes) -> None:
    found = replaced(payload, len(payload), key)
    assert len(found) == len(payload)
    assert found == replaced(payload, len(payload), key)
    if len(payload) > 24:
        assert found != replaced(payload, len(payload), key[:-1] + bytes([key[-1] ^ 1]))


@pytest.mark.parametrize(
    ("payload", "kept"),
    [
        (b"GET /secret HTTP/1.1\r\n", 4),
        (b"\x17\3\3\0\x40" + bytes(64), 5),
        (b"SSH-2.0-secret\r\n", 4),
        (b"USER alice\r\nPASS swordfish\r\n", 0),
        (b"\x12\x34\x56\x78\0\0\0\7" + bytes(40), 8),
    ],
)
def test_of_other_applications_only_what_they_are_known_by_stays(payload: bytes, kept: int) -> None:
    found = replaced(payload, len(payload), b"key")
    assert found[:kept] == payload[:kept]
    assert found[kept : kept + 6] != payload[kept : kept + 6]
