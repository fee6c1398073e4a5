"""The demo's captures: what is in them is what is said of them, by Wireshark's count and by our own."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import dpkt
import pytest

from ctcp_forensics.demo import CLOCK_AHEAD_NS, START_NS, TRIP_NS, WITHIN_NS, DemoCaptures, make_demo

CLIENT, SOUND_CLIENT, HEADEND = "192.0.2.10", "192.0.2.11", "198.51.100.20"
PLACES = ["client", "asa_outside", "asa_inside"]
BEFORE_THE_PROXY = PLACES[:2]

WANTED_SEQ = 649_187_028
WANTED_OFFSET = 12_609
DUPLICATE_ACKS = 49
FRAMES = (270, 269, 171)  # these three by place: at the client, on the firewall's outside, on its inside
FIRST_DUPLICATE_ACK_FRAME = (79, 78)
RESET_FRAME = (242, 241, 143)
MISSING_SEGMENT_FRAME = 77


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> DemoCaptures:
    return make_demo(tmp_path_factory.mktemp("demo"))


def path_of(captures: DemoCaptures, place: str) -> Path:
    path: Path = getattr(captures, place)
    return path


# ----------------------------------------------------------------------------------------- as Wireshark sees it


def tshark(path: Path, shown: str, *names: str) -> list[tuple[str, ...]]:
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is not installed")
    options = [f"-o{name}:TRUE" for name in ("tcp.check_checksum", "ip.check_checksum")]
    wanted = [part for name in names for part in ("-e", name)]
    command = [program, "-n", "-r", str(path), *options, "-Y", shown, "-T", "fields", *wanted]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(path.parent), "LC_ALL": "C.UTF-8"}
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True)
    return [tuple(line.split("\t")) for line in ran.stdout.splitlines()]


def frames(path: Path, shown: str) -> list[int]:
    return [int(number) for (number,) in tshark(path, shown, "frame.number")]


@pytest.mark.parametrize("place", PLACES)
def test_every_frame_is_counted_and_every_checksum_is_good(captures: DemoCaptures, place: str) -> None:
    path = path_of(captures, place)
    good = "ip.checksum.status == 1 && tcp.checksum.status == 1 && !_ws.malformed"
    assert frames(path, good) == list(range(1, FRAMES[PLACES.index(place)] + 1))


@pytest.mark.parametrize("place", PLACES)
def test_all_data_is_decoded_as_ike_or_esp_in_tcp(captures: DemoCaptures, place: str) -> None:
    path = path_of(captures, place)
    is_behind_the_proxy = place not in BEFORE_THE_PROXY
    with_data = frames(path, "tcp.len > 0")
    assert frames(path, "tcpencap && (isakmp || esp)") == with_data
    assert len(frames(path, "isakmp.exchangetype == 4")) == 6
    assert len(frames(path, "isakmp.exchangetype == 32")) == 6
    assert len(frames(path, "isakmp.exchangetype == 5")) == (0 if is_behind_the_proxy else 4)


@pytest.mark.parametrize("place", BEFORE_THE_PROXY)
def test_wireshark_sees_the_duplicate_acks_and_which_byte_they_want(
    captures: DemoCaptures, place: str
) -> None:
    rows = tshark(
        path_of(captures, place),
        "tcp.analysis.duplicate_ack",
        *("frame.number", "tcp.ack", "tcp.ack_raw", "ip.src", "ip.dst"),
    )
    assert len(rows) == DUPLICATE_ACKS
    assert int(rows[0][0]) == FIRST_DUPLICATE_ACK_FRAME[PLACES.index(place)]
    assert {row[1:] for row in rows} == {(str(WANTED_OFFSET), str(WANTED_SEQ), HEADEND, CLIENT)}


def test_the_lost_segment_is_in_the_one_capture_and_not_in_the_other(captures: DemoCaptures) -> None:
    wanted = f"tcp.seq_raw == {WANTED_SEQ} && tcp.len > 0"
    assert frames(captures.client, wanted) == [MISSING_SEGMENT_FRAME]
    assert frames(captures.asa_outside, wanted) == []
    assert len(frames(captures.client, "tcp.analysis.lost_segment")) == 0
    assert frames(captures.asa_outside, "tcp.analysis.lost_segment") == [77]


def test_behind_the_firewall_there_is_no_question_and_nothing_behind_the_hole(captures: DemoCaptures) -> None:
    assert frames(captures.asa_inside, "tcp.analysis.duplicate_ack") == []
    behind = f"tcp.seq_raw >= {WANTED_SEQ} && tcp.srcport == 49731 && tcp.len > 0"
    assert frames(captures.asa_inside, behind) == []


@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_ever_sent_again(captures: DemoCaptures, place: str) -> None:
    assert (
        frames(path_of(captures, place), "tcp.analysis.retransmission || tcp.analysis.fast_retransmission")
        == []
    )


@pytest.mark.parametrize("place", PLACES)
def test_the_client_ends_it_with_a_reset(captures: DemoCaptures, place: str) -> None:
    rows = tshark(
        path_of(captures, place), "tcp.flags.reset == 1 || tcp.flags.fin == 1", "frame.number", "ip.src"
    )
    assert rows == [(str(RESET_FRAME[PLACES.index(place)]), CLIENT)]


# ---------------------------------------------------------------------------------------------- as bytes show it


def segments(path: Path) -> Iterator[tuple[int, Any, Any]]:
    """(time in ns, IP, TCP) of every frame."""
    with path.open("rb") as file:
        for time_s, data in dpkt.pcap.Reader(file):
            assert isinstance(time_s, Decimal)  # a nanosecond savefile
            ip = dpkt.ethernet.Ethernet(data).data
            yield int(time_s * 10**9), ip, ip.data


def from_client(path: Path) -> list[tuple[int, Any]]:
    return [(t, tcp) for t, _, tcp in segments(path) if tcp.dport == 10000 and tcp.sport == 49731]


def from_headend(path: Path) -> list[tuple[int, Any, Any]]:
    return [(t, ip, tcp) for t, ip, tcp in segments(path) if tcp.sport == 10000 and tcp.dport == 49731]


def test_the_same_bytes_are_made_every_time(captures: DemoCaptures, tmp_path: Path) -> None:
    again = make_demo(tmp_path)
    assert again.client.read_bytes() == captures.client.read_bytes()
    assert again.asa_outside.read_bytes() == captures.asa_outside.read_bytes()
    assert again.asa_inside.read_bytes() == captures.asa_inside.read_bytes()


def test_the_savefile_header_has_room_for_whole_frames_and_says_nanoseconds(captures: DemoCaptures) -> None:
    header = captures.client.read_bytes()[:24]
    order = "<" if header[:4] == b"\x4d\x3c\xb2\xa1" else ">"
    assert struct.unpack(order + "IHHIIII", header) == (0xA1B23C4D, 2, 4, 0, 0, 262_144, 1)


@pytest.mark.parametrize("place", PLACES)
def test_times_rise_and_are_exact(captures: DemoCaptures, place: str) -> None:
    times = [t for t, _, _ in segments(path_of(captures, place))]
    outside_ns = START_NS + TRIP_NS + CLOCK_AHEAD_NS
    first = dict(zip(PLACES, (START_NS, outside_ns, outside_ns + WITHIN_NS), strict=True))[place]
    assert times[0] == first
    assert times == sorted(times)
    grains = {t % 1_000_000 for t in times}
    assert grains == ({WITHIN_NS, 1_000_000 - WITHIN_NS} if place == "asa_inside" else {0})


@pytest.mark.parametrize("place", BEFORE_THE_PROXY)
def test_the_client_keeps_sending_new_esp_for_more_than_twenty_seconds(
    captures: DemoCaptures, place: str
) -> None:
    after = [(t, tcp) for t, tcp in from_client(path_of(captures, place)) if tcp.seq > WANTED_SEQ]
    esp = [(t, struct.unpack_from("!II", tcp.data)) for t, tcp in after if tcp.data[-3:-2] == b"\x32"]
    assert len({spi for _, (spi, _) in esp}) == 1
    numbers = [number for _, (_, number) in esp]
    assert numbers == list(range(numbers[0], numbers[0] + 45))
    assert esp[-1][0] - esp[0][0] > 20_000_000_000


def test_the_client_sends_its_bytes_without_a_break_and_each_once(captures: DemoCaptures) -> None:
    sent = [tcp for _, tcp in from_client(captures.client)]
    for one, following in pairwise(sent):
        assert following.seq == one.seq + len(one.data) + bool(one.flags & dpkt.tcp.TH_SYN)


def test_the_receiver_would_have_room_for_all_of_it(captures: DemoCaptures) -> None:
    """Otherwise the firewall would have a second reason to drop."""
    last = from_client(captures.client)[-1][1]
    assert last.seq - WANTED_SEQ < last.win == 65_535


def test_the_headends_own_data_repeats_the_stuck_ack_and_then_falls_silent(captures: DemoCaptures) -> None:
    lost_ns = next(t for t, tcp in from_client(captures.client) if tcp.seq == WANTED_SEQ)
    data = [(t, tcp) for t, _, tcp in from_headend(captures.client) if tcp.data and t > lost_ns]
    assert {tcp.ack for _, tcp in data} == {WANTED_SEQ}
    assert len(data) == 6
    assert data[-1][0] - lost_ns < 4_000_000_000


def test_each_duplicate_ack_follows_a_segment_of_the_client_and_bears_the_firewalls_ttl(
    captures: DemoCaptures,
) -> None:
    asks = [
        (t, ip) for t, ip, tcp in from_headend(captures.asa_outside) if not tcp.data and tcp.ack == WANTED_SEQ
    ]
    arrivals = [t for t, tcp in from_client(captures.asa_outside) if tcp.seq > WANTED_SEQ]
    assert [t - 1_000_000 for t, _ in asks] == arrivals[:-1]  # the last one is the RST
    assert {ip.ttl for _, ip in asks} == {255}
    assert {ip.ttl for _, ip, tcp in from_headend(captures.asa_outside) if tcp.data} == {63}


def test_dead_peer_detection_goes_unanswered(captures: DemoCaptures) -> None:
    def informationals(found: list[Any]) -> int:
        return sum(tcp.data[:4] == b"\x01\xf4\x01\xf4" and tcp.data[26] == 5 for tcp in found)

    assert informationals([tcp for _, tcp in from_client(captures.client)]) == 4
    assert informationals([tcp for _, _, tcp in from_headend(captures.client)]) == 0


@pytest.mark.parametrize("place", PLACES)
def test_the_sound_client_works_on_both_ways_after_the_other_has_failed(
    captures: DemoCaptures, place: str
) -> None:
    path = path_of(captures, place)
    reset_ns = from_client(path)[-1][0]
    later = [tcp for t, _, tcp in segments(path) if 50112 in (tcp.sport, tcp.dport) and t > reset_ns]
    assert [tcp.dport for tcp in later] == [10000, 50112] * 14
    assert all(len(tcp.data) > 24 for tcp in later)
