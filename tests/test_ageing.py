"""Ageing: where all places are taken, those flows go first that matter least, and both kernels choose the same ones."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import dpkt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcp_forensics._kernel.plain_decode import NO_PACKET
from ctcp_forensics._kernel.rows import NEVER, Packet, Tcp
from ctcp_forensics.flows import build_flow
from ctcp_forensics.pipeline import Options, diagnose
from ctcp_forensics.report import Report
from ctcp_forensics.screen import LIMITS
from ctcp_forensics.verdict import FLAGSHIP
from tests import streams
from tests.fuzz.path import capped
from tests.kernels import COMPILED, PLAIN
from tests.test_kernel import assert_same_flows

compiled = COMPILED
KERNELS = [pytest.param(PLAIN, id="plain")]
if compiled is not None:
    KERNELS.append(pytest.param(compiled, id="compiled"))
each_kernel = pytest.mark.parametrize("kernel", KERNELS)

CLIENT, SERVER = b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02"
PLACES = 16
SAMPLES = Path(__file__).parent.parent / "samples"


class Talk:
    """Segments of many flows, told one after the other; a flow is known by its client's port."""

    def __init__(self, server_port: int = 443) -> None:
        self.server_port = server_port
        self.packets: list[Packet] = []

    def says(self, port: int, flags: Tcp, *, of_server: bool = False, **fields: Any) -> None:
        frame = len(self.packets) + 1
        ends: dict[str, Any] = {"src": CLIENT, "sport": port, "dst": SERVER, "dport": self.server_port}
        if of_server:
            ends = {"src": SERVER, "sport": self.server_port, "dst": CLIENT, "dport": port}
        told: dict[str, Any] = {
            "frame": frame,
            "time_ns": frame * 10**8,
            "ip_id": frame,
            "window": 65_535,
            "print64": frame,
        }
        self.packets.append(NO_PACKET._replace(status=0, flags=int(flags), **(told | ends | fields)))

    def opens(self, port: int) -> None:
        self.says(port, Tcp.SYN, seq=99)

    def works(self, port: int) -> None:
        self.opens(port)
        self.says(port, Tcp.SYN | Tcp.ACK, of_server=True, seq=199, ack=100)
        self.says(port, Tcp.ACK, seq=100, ack=200, payload_len=10)

    def closes(self, port: int) -> None:
        self.says(port, Tcp.FIN | Tcp.ACK, seq=110, ack=200)
        self.says(port, Tcp.FIN | Tcp.ACK, of_server=True, seq=200, ack=111)

    def carries_ctcp(self, port: int, **fields: Any) -> None:
        message = streams.trailer_messages(0x32, 100, 7, len(self.packets))
        at = {"seq": 110, "ack": 200, "payload_len": 100} | fields
        self.says(port, Tcp.ACK, trailer=3, messages=message, **at)


def followed(
    kernel: Any, packets: Sequence[Packet], places: int = PLACES, evidence: int | None = None, **watching: Any
) -> Any:
    with capped(places, 40, evidence):
        tracker = kernel.Tracker(**watching)
        for batch in batches(kernel, packets, 7):
            assert tracker.feed(batch) == len(batch)
    return tracker


def batches(kernel: Any, packets: Sequence[Packet], size: int) -> Iterator[Any]:
    for begin in range(0, len(packets), size):
        batch = kernel.Packets()
        for one in packets[begin : begin + size]:
            batch.append(one)
        yield batch


class Stop(NamedTuple):
    """In front of a frame: who left since the stop before, who is named now, and what their rows say."""

    frame: int
    left: list[int]
    named: list[int]
    rows: list[Any]
    settled: bytes


def asked(
    kernel: Any,
    packets: Sequence[Packet],
    places: int = PLACES,
    size: int = 7,
    evidence: int | None = None,
    half_open: int | None = None,
    **watching: Any,
) -> tuple[Any, list[Stop]]:
    """A tracker that names flows of concern before it gives them up, and all its stops."""
    stops = []
    with capped(places, 40, evidence, half_open):
        tracker = kernel.Tracker(**watching)
        for batch in batches(kernel, packets, size):
            done = tracker.feed(batch)
            while done < len(batch):
                left, named = tracker.left(), tracker.leaving()
                rows = [
                    (tracker.flow(one), tracker.direction(one, 0), tracker.segments(one)) for one in named
                ]
                stops.append(Stop(batch[done].frame, left, named, rows, tracker.settled(named, LIMITS)))
                done = tracker.feed(batch, done)
    return tracker, stops


def ports_in(tracker: Any) -> set[int]:
    rows = [tracker.flow(index) for index in range(tracker.tallies().flows)]
    return {row.sport if row.src == CLIENT else row.dport for row in rows}


# --- who goes ------------------------------------------------------------------------------------


@each_kernel
def test_a_flood_of_syns_takes_no_place_from_flows_that_work(kernel: Any) -> None:
    talk = Talk()
    for port in range(1, 9):
        talk.works(port)
    for port in range(1000, 1500):
        talk.opens(port)
    for port in range(1, 9):
        talk.says(port, Tcp.ACK, seq=110, ack=200, payload_len=10)
    tracker = followed(kernel, talk.packets)
    assert set(range(1, 9)) < ports_in(tracker)
    assert [tracker.direction(index, 0).data_segments for index in range(8)] == [2] * 8
    gone = tracker.given_up()
    assert gone == (500 - 8, *[0] * 8)
    assert tracker.tallies()[:3] == (PLACES, 508, len(talk.packets))


@each_kernel
def test_flows_that_work_take_the_places_of_a_flood_that_came_before(kernel: Any) -> None:
    talk = Talk()
    for port in range(1000, 1500):
        talk.opens(port)
    for port in range(1, 13):
        talk.works(port)
    tracker = followed(kernel, talk.packets)
    assert set(range(1, 13)) < ports_in(tracker)


@each_kernel
def test_ended_flows_go_before_idle_ones_and_the_longest_silent_first(kernel: Any) -> None:
    talk = Talk()
    for port in range(PLACES):
        talk.works(port)
    talk.closes(5)
    talk.says(3, Tcp.RST, seq=110)
    talk.works(100)
    assert ports_in(followed(kernel, talk.packets)) == {100, *range(PLACES)} - {5}
    talk.works(101)
    assert ports_in(followed(kernel, talk.packets)) == {100, 101, *range(PLACES)} - {5, 3}
    talk.works(102)
    assert ports_in(followed(kernel, talk.packets)) == {100, 101, 102, *range(PLACES)} - {5, 3, 0}
    assert followed(kernel, talk.packets).given_up() == (0, 2, 1, 0, 0, 0, 0, 0, 0)


@each_kernel
@pytest.mark.parametrize(
    "concern", [{"wanted": [443]}, {"wanted": None}, {"ports": [443]}, {"everything": True}]
)
def test_flows_of_concern_go_last(kernel: Any, concern: dict[str, Any]) -> None:
    talk, other = Talk(443), Talk(80)
    for port in range(4):
        talk.opens(port)
    other.packets = talk.packets
    for port in range(100, 100 + PLACES):
        other.works(port)
    gone = followed(kernel, talk.packets, **concern).given_up()
    if concern in ({"wanted": None}, {"everything": True}):
        assert gone == (0, 0, 0, 4, 0, 0, 0, 0, 0)
    else:
        assert gone == (0, 0, 4, 0, 0, 0, 0, 0, 0)


@each_kernel
def test_what_looks_like_ctcp_is_of_concern_and_goes_alive_only_when_nothing_else_is_left(
    kernel: Any,
) -> None:
    talk = Talk()
    for port in range(PLACES):
        talk.works(port)
        talk.carries_ctcp(port)
    talk.closes(7)
    talk.works(100)
    talk.works(101)
    tracker = followed(kernel, talk.packets)
    assert ports_in(tracker) == {100, 101, *range(PLACES)} - {7, 0}
    told = [tracker.flow(index).sport for index in tracker.suspects(frozenset({443}))]
    assert told == [*range(1, 7), *range(8, PLACES), 100, 101], "in the order in which they began"
    assert tracker.given_up() == (0, 0, 0, 0, 1, 1, 0, 0, 0)


@each_kernel
def test_a_copy_of_a_syn_makes_no_connection(kernel: Any) -> None:
    talk = Talk()
    for port in range(PLACES):
        talk.opens(port)
        talk.packets.append(talk.packets[-1]._replace(frame=len(talk.packets) + 1))
    talk.works(100)
    tracker = followed(kernel, talk.packets)
    assert tracker.direction(1, 0).copies == 1
    assert tracker.given_up().half_open == 1


@each_kernel
def test_who_has_spoken_since_the_ranking_is_passed_over(kernel: Any) -> None:
    talk = Talk()
    for port in range(PLACES):
        talk.opens(port)
    talk.opens(100)  # all are ranked, and 0 goes
    talk.says(1, Tcp.SYN, seq=99)
    talk.opens(101)
    assert ports_in(followed(kernel, talk.packets)) == {100, 101, *range(PLACES)} - {0, 2}


# --- what becomes of the place ---------------------------------------------------------------------


@each_kernel
def test_a_flow_that_comes_again_is_another_in_mid_stream(kernel: Any) -> None:
    talk = Talk()
    for port in range(PLACES):
        talk.works(port)
    talk.works(100)
    talk.says(0, Tcp.ACK, seq=110, ack=200, payload_len=10)
    tracker = followed(kernel, talk.packets)
    (again,) = [index for index in range(PLACES) if tracker.flow(index).sport == 0]
    assert tracker.flow(again).syn_frame == NEVER
    assert (tracker.direction(again, 0).isn_known, tracker.direction(again, 0).frames) == (0, 1)
    assert tracker.given_up().begun_in_mid_stream == 1


@each_kernel
def test_rows_in_the_log_are_not_handed_to_who_has_the_place_next(kernel: Any) -> None:
    talk = Talk()
    talk.works(1)
    talk.carries_ctcp(1)
    talk.works(2)
    talk.carries_ctcp(2)
    tracker = followed(kernel, talk.packets, places=1)
    frame = len(talk.packets)
    assert [row.frame for row in tracker.segments(0)] == [frame]
    assert [(flow, row.frame) for flow, row in tracker.log()] == [(0, frame)]


@each_kernel
def test_a_flow_opened_anew_while_the_table_is_full_is_found(kernel: Any) -> None:
    talk = Talk()
    for port in range(PLACES):
        talk.works(port)
    for isn in (1000, 2000, 3000):
        talk.says(5, Tcp.SYN, seq=isn)
        talk.says(5, Tcp.SYN | Tcp.ACK, of_server=True, seq=7, ack=isn + 1)
        talk.says(5, Tcp.ACK, seq=isn + 1, ack=8, payload_len=4)
    tracker = followed(kernel, talk.packets)
    rows = [tracker.flow(index) for index in range(PLACES)]
    assert max(row.frames for row in rows if row.sport == 5) == 3
    assert sum(row.frames for row in rows) + 3 * 3 == len(talk.packets), "three went, each of three frames"


# --- flows of concern are named first ---------------------------------------------------------------


@each_kernel
def test_following_stops_in_front_of_the_segment_that_needs_a_place(kernel: Any) -> None:
    talk = Talk()
    for port in range(PLACES):
        talk.works(port)
    talk.works(100)
    talk.works(101)
    tracker, (stop,) = asked(kernel, talk.packets, wanted=[443], named_at_once=2)
    assert (stop.frame, stop.left, stop.named) == (3 * PLACES + 1, [], [0, 1])
    assert [row.last_frame for row, *_ in stop.rows] == [3, 6]
    assert tracker.left() == [0, 1]
    assert tracker.given_up() == (0, 0, 0, 0, 0, 0, 0, 0, 0)
    assert ports_in(tracker) == {100, 101, *range(2, PLACES)}
    assert tracker.tallies()[1:3] == (PLACES + 2, len(talk.packets))


@each_kernel
def test_who_speaks_after_it_was_named_stays_and_is_named_again(kernel: Any) -> None:
    talk = Talk()
    for port in range(PLACES):
        talk.works(port)
    talk.works(100)
    talk.says(1, Tcp.ACK, seq=110, ack=200, payload_len=10)
    talk.works(101)
    for port in range(102, 102 + PLACES):
        talk.works(port)
    _, stops = asked(kernel, talk.packets, wanted=[443], named_at_once=2)
    assert [(stop.left, stop.named) for stop in stops[:2]] == [([], [0, 1]), ([0], [2, 3])]
    (again,) = [stop for stop in stops[1:] if 1 in stop.named]
    assert again.rows[again.named.index(1)][0].frames == 4


@each_kernel
def test_flows_of_no_concern_go_unnamed_and_before(kernel: Any) -> None:
    talk, other = Talk(443), Talk(80)
    talk.works(1)
    other.packets = talk.packets
    for port in range(100, 100 + PLACES):
        other.works(port)
    tracker, stops = asked(kernel, talk.packets, wanted=[443], named_at_once=2)
    assert (stops, tracker.given_up()[:3]) == ([], (0, 0, 1))


@each_kernel
def test_a_flow_is_settled_when_it_was_closed_and_is_silent(kernel: Any) -> None:
    """By both FINs or an RST, thirty seconds ago; a segment every tenth of a second."""
    talk = Talk()
    for port in range(4):
        talk.works(port)
    talk.closes(0)
    talk.says(1, Tcp.RST, seq=110)
    talk.says(2, Tcp.FIN | Tcp.ACK, seq=110, ack=200)
    for _ in range(297):
        talk.says(3, Tcp.ACK, seq=110, ack=200, payload_len=10)
    assert followed(kernel, talk.packets).settled(range(4), LIMITS) == bytes((0, 0, 0, 0))
    talk.says(3, Tcp.ACK, seq=110, ack=200, payload_len=10)
    talk.says(3, Tcp.ACK, seq=110, ack=200, payload_len=10)
    tracker = followed(kernel, talk.packets)
    assert tracker.settled(range(4), LIMITS) == bytes((1, 1, 0, 0))
    flows = [
        build_flow(tracker, index, ports=frozenset(), capture_last_ns=tracker.tallies().last_ns)
        for index in range(4)
    ]
    assert [flow.is_settled(tracker.tallies().last_ns) for flow in flows] == [True, True, False, False]


# --- what is told of it ------------------------------------------------------------------------------


def noise(number: int) -> bytes:
    """A SYN of a flow of its own."""
    head = struct.pack(">HHIIHHHH", 1_024 + number, 443, 1, 0, 5 << 12 | Tcp.SYN, 1_000, 0, 0)
    return bytes(12) + b"\x08\x00" + streams.ipv4(head)


def among_noise(sample: Path, where: set[int], made: Path) -> Path:
    """The frames of a sample, with a frame of another flow before some of them."""
    with sample.open("rb") as file, made.open("wb") as out:
        reader = dpkt.pcap.Reader(file)
        writer = dpkt.pcap.Writer(out, linktype=reader.datalink(), nano=True)
        for at, (when, data) in enumerate(reader):
            if at in where:
                writer.writepkt(noise(at), when)
            writer.writepkt(data, when)
    return made


def judged(path: Path, places: int) -> Report:
    with capped(places, 4096):
        return diagnose([str(path)], Options())


def test_a_sample_whose_flow_was_given_up_is_told_as_far_as_it_was_seen(tmp_path: Path) -> None:
    report = judged(among_noise(SAMPLES / "failure-client.pcap", {20, 200}, tmp_path / "made.pcap"), 1)
    caps = {cap.reached_by for cap in report.coverage.caps}
    assert caps == {"c1: 2 flows begun without a SYN, perhaps the rest of one that was judged early"}
    assert not report.coverage.is_complete
    assert (report.coverage.flows_seen, report.coverage.flows_judged) == (5, 3)
    assert (
        "2 half-open and 0 ended flows of no concern made room for others; 2 flows began without a SYN"
        in (report.captures[0].notes[1])
    )


def test_no_sample_is_accused_falsely_because_its_beginning_was_given_up(tmp_path: Path) -> None:
    """One place: each frame of another flow cuts the capture in two, and what is behind it is judged."""
    chance, done = random.Random(7), 0
    for sample in sorted(SAMPLES.glob("*.pcap")):
        report = judged(sample, 100)
        if any(one.verdict == FLAGSHIP.slug for one in report.findings):
            continue
        for _ in range(6):
            where = {chance.randrange(report.captures[0].frames) for _ in range(chance.randrange(1, 4))}
            cut = judged(among_noise(sample, where, tmp_path / "made.pcap"), 1)
            assert FLAGSHIP.slug not in {one.verdict for one in cut.findings}, (sample.name, where)
            done += 1
    assert done > 30


# --- the twins --------------------------------------------------------------------------------------


@st.composite
def crowds(draw: st.DrawFn) -> list[Packet]:
    """Awkward segments of more flows than there are places for."""
    stream: list[Packet] = []
    for begin in range(draw(st.integers(1, 4))):
        for packet in draw(streams.packets()):
            sport, dport = packet.sport + begin * 3 * (packet.sport != 10_000), packet.dport
            dport += begin * 3 * (packet.dport != 10_000)
            stream.append(packet._replace(sport=sport, dport=dport))
    order = draw(st.permutations(range(len(stream)))) if draw(st.booleans()) else range(len(stream))
    return [stream[at]._replace(frame=frame) for frame, at in enumerate(order, start=1)]


NAMED_AT_ONCE = st.sampled_from([1, 2, 3, 50])
WANTED = st.sampled_from([(), (500,), (10_000,), (10_000, 7), None])


@pytest.mark.skipif(compiled is None, reason="the compiled core is not built here")
@settings(max_examples=300, deadline=None)
@given(stream=crowds(), places=st.integers(1, 9), watching=streams.watching(), wanted=WANTED)
def test_both_kernels_give_up_the_same_flows(
    stream: list[Packet], places: int, watching: dict[str, Any], wanted: Any
) -> None:
    one = followed(PLAIN, stream, places, wanted=wanted, **watching)
    other = followed(compiled, stream, places, wanted=wanted, **watching)
    assert_same_flows(one, other)
    assert one.log() == other.log()


@pytest.mark.skipif(compiled is None, reason="the compiled core is not built here")
@settings(max_examples=150, deadline=None)
@given(
    stream=crowds(),
    places=st.integers(1, 9),
    watching=streams.watching(),
    wanted=WANTED,
    at_once=NAMED_AT_ONCE,
    evidence=st.sampled_from([None, 1, 5]),
    half_open=st.sampled_from([None, 0, 1, 3]),
)
def test_both_kernels_stop_at_the_same_segments_and_name_the_same_flows(
    stream: list[Packet],
    places: int,
    watching: dict[str, Any],
    wanted: Any,
    at_once: int,
    evidence: int | None,
    half_open: int | None,
) -> None:
    kept = {"evidence": evidence, "half_open": half_open}
    terms = {"wanted": wanted, "named_at_once": at_once, **kept, **watching}
    one, stops = asked(PLAIN, stream, places, **terms)
    other, others = asked(compiled, stream, places, **terms)
    assert stops == others
    assert one.left() == other.left()
    assert_same_flows(one, other)
    assert one.log() == other.log()


@each_kernel
@settings(max_examples=50, deadline=None)
@given(stream=crowds(), places=st.integers(1, 9), wanted=WANTED, at_once=NAMED_AT_ONCE)
def test_where_batches_end_changes_neither_stops_nor_flows(
    kernel: Any, stream: list[Packet], places: int, wanted: Any, at_once: int
) -> None:
    terms = {"wanted": wanted, "named_at_once": at_once}
    one, stops = asked(kernel, stream, places, 1, **terms)
    other, others = asked(kernel, stream, places, 1000, **terms)
    assert stops == others
    assert_same_flows(one, other)
    named = sum(len(stop.left) for stop in stops) + len(one.left())
    assert one.tallies().flows_begun == one.tallies().flows + named + sum(one.given_up()[:6])
    assert not any(one.given_up()[3:6]), "who may be judged is never given up unnamed"
