"""The parts of the laboratory that need no root: segments, messages, rules, and spoilt captures."""

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from .lab.corpus import seeds_of
from .lab.distort import BY_NAME, distort, records_of
from .lab.ikev2 import FROM_INITIATOR, framed, is_ike, marked, sa_init, spis_of
from .lab.link import TO_CLIENT, TO_HEADEND, Link, Rule
from .lab.logs import ClientAddress, Logs
from .lab.messages import PROTO_ESP, Esp, Layout, esp_packet, read_message, split_messages, wrapped
from .lab.savefile import saved_frames, to_pcap, to_pcapng
from .lab.scenarios import FLAGSHIP, SCENARIOS, TOGETHER
from .lab.segment import ETHERNET_LEN, SYN, Segment, from_bytes, to_bytes
from .lab.truth import Connection, asker_of, connections_of, packets_of

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
MOVING = ("begun-late", "full", "some-dropped", "mirrored-twice", "unsorted", "gro", "clock-back")


def segment(seq: int, payload_len: int = 100) -> Segment:
    return Segment(
        src="198.51.100.10",
        dst="203.0.113.20",
        sport=4000,
        dport=10000,
        seq=seq,
        ack=1,
        flags=0x10,
        payload=bytes(payload_len),
    )


def actions(
    rules: tuple[Rule, ...], segments: list[Segment], direction: str = TO_HEADEND
) -> list[str | None]:
    """What a link with these rules does to each segment in turn."""
    with Path("/dev/null").open("w") as log:
        link = Link(name="x", host=None, log=log, rng=random.Random(1), rules=rules)  # type: ignore[arg-type]
        link.prepare()
        found = [link.first_that_applies(one, direction) for one in segments]
    return [None if state is None else state.rule.action for state in found]


def test_a_segment_read_from_a_capture_is_rebuilt_byte_for_byte() -> None:
    """Header, options and both checksums: the endpoints write what tcpdump recorded."""
    records = records_of((SAMPLES / "failure-client.pcap").read_bytes())
    rebuilt = 0
    for record in records:
        packet = record.frame[ETHERNET_LEN:]
        read = from_bytes(packet)
        assert read is not None
        assert to_bytes(read) == packet
        rebuilt += 1
    assert rebuilt == 331


def test_messages_merged_by_a_byte_stream_are_parted_at_their_trailers() -> None:
    rng = random.Random(5)
    layout = Layout()
    wire = [wrapped(esp_packet(rng, 0xABCD0001, number, 60), PROTO_ESP, layout, 0) for number in (1, 2, 3)]
    messages, rest = split_messages(b"".join(wire) + wire[0][:40])
    assert [read_message(one) for one in messages] == [Esp(spi=0xABCD0001, sequence=n) for n in (1, 2, 3)]
    assert rest == wire[0][:40]


def test_the_framing_of_rfc_9329_counts_itself_and_marks_ike() -> None:
    """RFC 9329 §3: the length holds its own two bytes; §3.1: four zeros where an SPI would be."""
    ike = sa_init(random.Random(5), (b"initiatr", bytes(8)), FROM_INITIATOR)
    wire = framed(marked(ike))
    assert int.from_bytes(wire[:2], "big") == len(wire)
    assert is_ike(wire[2:])
    assert not is_ike(esp_packet(random.Random(5), 0xABCD0001, 1, 60))
    assert int.from_bytes(ike[24:28], "big") == len(ike)  # RFC 7296 §3.1
    assert spis_of(ike) == (b"initiatr", bytes(8))


def test_the_third_data_segment_is_lost_and_no_other() -> None:
    rule = Rule(name="lose", action="drop", nth=(3,))
    bare = segment(1, payload_len=0)
    assert actions((rule,), [segment(1), bare, segment(2), segment(3), segment(4)]) == [
        None,
        None,
        None,
        "drop",
        None,
    ]


def test_a_rule_leaves_the_other_direction_alone() -> None:
    rule = Rule(name="lose", action="drop", direction=TO_CLIENT)
    assert actions((rule,), [segment(1)], TO_HEADEND) == [None]
    assert actions((rule,), [segment(1)], TO_CLIENT) == ["drop"]


def test_a_sticky_rule_drops_every_later_copy_of_what_it_dropped_once() -> None:
    rule = Rule(name="lose", action="drop", nth=(2,), sticky=True)
    sent = [segment(1), segment(101), segment(201), segment(101), segment(101), segment(301)]
    assert actions((rule,), sent) == [None, "drop", None, "drop", "drop", None]


def test_an_armed_rule_waits_for_the_one_that_arms_it() -> None:
    rules = (
        Rule(name="lose", action="drop", nth=(2,)),
        Rule(name="late", action="delay", armed_by="lose"),
    )
    assert actions(rules, [segment(n) for n in range(4)]) == [None, "drop", "delay", "delay"]


def test_a_rule_for_the_second_connection_counts_from_its_syn() -> None:
    rule = Rule(name="lose", action="drop", nth=(2,), connection=1)
    first, second = (replace(segment(isn, payload_len=0), flags=SYN) for isn in (100, 900))
    sent = [first, segment(101), segment(201), second, second, segment(901), segment(1001), segment(1101)]
    assert actions((rule,), sent) == [None, None, None, None, None, None, "drop", None]


PLACE, ELSEWHERE = ("198.51.100.10", 4000), ("198.51.100.10", 4001)


def opened(*later: tuple[str, int]) -> list[Connection]:
    """What is made of a client that connects at 10 ns and again at 50 ns and 90 ns."""
    client = ClientAddress(own=PLACE, public=(PLACE,), later=later)
    journal = [{"t_ns": t_ns, "who": "client", "flow": 0, "event": "connects"} for t_ns in (10, 50, 90)]
    return list(connections_of(Logs(links=(), journal=journal, clients=[client])))


def test_connections_from_one_port_are_told_apart_by_their_time() -> None:
    first, second, third = opened(PLACE, PLACE)
    assert [first.holds(t_ns) for t_ns in (49, 50, 90)] == [True, False, False]
    assert [second.holds(t_ns) for t_ns in (49, 50, 90)] == [False, True, False]
    assert [third.holds(t_ns) for t_ns in (49, 50, 90)] == [False, False, True]


def test_what_is_heard_on_an_old_port_belongs_to_the_old_connection() -> None:
    first, second = opened(ELSEWHERE)
    assert [(one.address.own, one.holds(60)) for one in (first, second)] == [(PLACE, True), (ELSEWHERE, True)]
    assert first.left_ns == 50


def test_a_rule_for_long_packets_measures_the_ip_packet() -> None:
    rule = Rule(name="mtu", action="drop", carries="any", longer_than=140)
    assert actions((rule,), [segment(1, 100), segment(2, 101)]) == [None, "drop"]


def a_run(folder: Path) -> Path:
    """The recorded failure as the folder of a run."""
    truth = json.loads((SAMPLES / "truth" / "failure.json").read_text(encoding="utf-8"))
    for capture in truth["captures"]:
        shutil.copy(SAMPLES / capture["file"], folder / capture["file"])
    (folder / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", MOVING)
def test_the_truth_finds_its_frames_again_in_a_spoilt_capture(name: str, tmp_path: Path) -> None:
    """Every duplicate ACK of the new truth is a bare ACK for the wanted byte, and none is forgotten."""
    distort(a_run(tmp_path), BY_NAME[name], tmp_path / "out")
    truth = json.loads((tmp_path / "out" / "truth.json").read_text(encoding="utf-8"))
    episode = truth["flows"][0]["episode"]
    seen = episode["seen"]["client"]
    packets = dict(packets_of(tmp_path / "out" / "failure-client.pcap"))
    asks = [packets[frame] for frame in seen["duplicate_ack_frames"]]
    assert asks
    assert all(one is not None and one.is_pure_ack and one.ack == episode["wanted_seq"] for one in asks)
    missing = packets[seen["missing_segment_frame"]]
    assert missing is not None
    offset = (episode["wanted_seq"] - missing.seq) % (1 << 32)
    assert offset < len(missing.payload)


def test_a_capture_that_was_full_early_no_longer_shows_the_failure(tmp_path: Path) -> None:
    truth = distort(a_run(tmp_path), BY_NAME["full"], tmp_path / "out")
    assert truth["flows"][0]["expect"]["client"] == ["insufficient-evidence"]
    assert 3 <= truth["flows"][0]["episode"]["seen"]["client"]["duplicate_acks"] < 70


def test_a_capture_written_again_holds_the_same_records() -> None:
    records = records_of((SAMPLES / "loss-tolerated.pcap").read_bytes())
    assert records_of(to_pcap(records, 1)) == records
    assert len(records) == 351


def test_frames_come_out_of_a_pcapng_as_they_went_in() -> None:
    frames = list(saved_frames((SAMPLES / "loss-tolerated.pcap").read_bytes()))
    assert list(saved_frames(to_pcapng(frames))) == frames


def test_every_story_has_its_own_name_and_says_what_is_right_of_all_captures_together() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert len(set(names)) == len(names)
    assert all(scenario.expect[TOGETHER] for scenario in SCENARIOS)


def test_no_story_without_a_lost_segment_may_be_called_the_failure() -> None:
    accused = [
        scenario for scenario in SCENARIOS if any(FLAGSHIP in right for right in scenario.expect.values())
    ]
    assert accused
    assert all(scenario.name.startswith("failure") and scenario.talks == "ctcp" for scenario in accused)
    assert all(asker_of(scenario) is not None for scenario in accused)


def test_seeds_are_read_as_ranges_and_lists() -> None:
    assert list(seeds_of("1-4,9")) == [1, 2, 3, 4, 9]
