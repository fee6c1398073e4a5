"""The parts of the laboratory that make, spoil and judge sets of captures; no root is needed.

The run they work on is written here by hand: logs and captures of one small failure.
"""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from ctcp_forensics import pipeline, report

from .lab.disagree import BY_NAME, SETS, Given, TrueClock, disagreed
from .lab.distort import Record, records_of
from .lab.link import TO_CLIENT, TO_HEADEND, described
from .lab.logs import NS, ClientAddress, Entry
from .lab.messages import PROTO_ESP, Layout, esp_packet, wrapped
from .lab.middlebox import Manners, Orderer, Randomiser, mss_in
from .lab.savefile import LINKTYPE_ETHERNET, to_pcap
from .lab.scenarios import BY_NAME as STORIES
from .lab.scenarios import CLIENT, INSIDE, OUTSIDE
from .lab.segment import ACK, RST, SEQ_SPACE, SYN, Segment, to_bytes
from .lab.together import (
    Told,
    both_sides,
    cells,
    checks_of,
    is_due,
    loss_shows,
    names_rightly,
    outcomes,
    truth_in,
)
from .lab.truth import truth_again, truth_of

HERE, THERE = ("198.51.100.10", 4000), ("203.0.113.20", 10000)
ISN_HERE, ISN_THERE = 4_294_960_000, 77_000
BEGAN_NS = 1_700_000_000 * NS
HOP_NS = 5_000_000
LOST_MESSAGE, MESSAGES = 30, 80
ETHERNET = bytes(12) + b"\x08\x00"


@dataclass(slots=True)
class Bench:
    """Writes what links log and captures hold while a message goes through."""

    links: list[Entry] = field(default_factory=list)
    journal: list[Entry] = field(default_factory=list)
    taken: dict[str, list[Record]] = field(default_factory=lambda: {CLIENT: [], OUTSIDE: [], INSIDE: []})

    def taps(self, vantage: str, at_ns: int, segment: Segment) -> None:
        frame = ETHERNET + to_bytes(segment)
        self.taken[vantage].append(
            Record(
                time_ns=at_ns, original_len=len(frame), frame=frame, sources=(len(self.taken[vantage]) + 1,)
            )
        )

    def logs(self, link: str, direction: str, at_ns: int, segment: Segment, did: str = "pass") -> None:
        note: Entry = {"t_ns": at_ns, "link": link, "direction": direction, "n": len(self.links) + 1}
        self.links.append(note | described(segment) | {"did": did})

    def out(self, at_ns: int, segment: Segment, *, outer: str = "pass", asa: str = "pass") -> None:
        """From the client."""
        self.taps(CLIENT, at_ns, segment)
        self.logs("outer", TO_HEADEND, at_ns, segment, outer)
        if outer == "drop":
            return
        self.taps(OUTSIDE, at_ns + HOP_NS, segment)
        if asa != "pass":
            return
        self.taps(INSIDE, at_ns + HOP_NS + 1000, segment)
        self.logs("inner", TO_HEADEND, at_ns + HOP_NS + 1000, segment)

    def back(self, at_ns: int, segment: Segment, *, is_made: bool = False) -> None:
        """From the headend, or made by the firewall in its name."""
        if not is_made:
            self.logs("inner", TO_CLIENT, at_ns, segment)
            self.taps(INSIDE, at_ns + 1000, segment)
        self.taps(OUTSIDE, at_ns + 2000, segment)
        self.logs("outer", TO_CLIENT, at_ns + 2000, segment)
        self.taps(CLIENT, at_ns + 2000 + HOP_NS, segment)


def segment(source: tuple[str, int], target: tuple[str, int], seq: int, ack: int, **facts: Any) -> Segment:
    ends: dict[str, Any] = {"src": source[0], "sport": source[1], "dst": target[0], "dport": target[1]}
    return Segment(**(ends | {"seq": seq % SEQ_SPACE, "ack": ack % SEQ_SPACE, "flags": ACK} | facts))


def message(number: int, spi: int) -> bytes:
    packet = esp_packet(random.Random(spi + number), spi, number, 84)
    return wrapped(packet, PROTO_ESP, Layout(), 0)


def play(bench: Bench) -> None:
    """Both ends talk; one client message is lost on the outer link; the firewall asks and holds back the rest."""
    at_ns = BEGAN_NS
    bench.out(at_ns, segment(HERE, THERE, ISN_HERE, 0, flags=SYN))
    bench.back(at_ns + 20_000_000, segment(THERE, HERE, ISN_THERE, ISN_HERE + 1, flags=SYN | ACK))
    seq, theirs, wanted = ISN_HERE + 1, ISN_THERE + 1, None
    for number in range(1, MESSAGES + 1):
        at_ns += NS // 3
        own = message(number, 0x11111111)
        bench.journal.append(sent("client", at_ns, seq, own, number))
        is_lost = number == LOST_MESSAGE
        held = "queued" if wanted is not None else "pass"
        bench.out(
            at_ns,
            segment(HERE, THERE, seq, theirs, payload=own),
            outer="drop" if is_lost else "pass",
            asa=held,
        )
        wanted = seq if is_lost else wanted
        seq += len(own)
        if wanted is None:
            answer = message(number, 0x22222222)
            bench.journal.append(sent("headend", at_ns + 30_000_000, theirs, answer, number))
            bench.back(at_ns + 30_000_000, segment(THERE, HERE, theirs, seq, payload=answer))
            theirs += len(answer)
        elif not is_lost:
            ask = segment(THERE, HERE, theirs, wanted, ip_id=number)
            bench.back(at_ns + HOP_NS + 1000, ask, is_made=True)
    bench.journal.append(
        {"t_ns": at_ns + NS, "who": "client", "flow": 0, "event": "closed", "style": "rst-ack"}
    )
    bench.out(at_ns + NS, segment(HERE, THERE, seq, theirs, flags=RST | ACK), asa="refused")


def sent(who: str, at_ns: int, seq: int, payload: bytes, number: int) -> Entry:
    facts = {"kind": "esp", "spi": 1, "esp_seq": number, "len": len(payload), "tcp_seq": seq % SEQ_SPACE}
    return {"t_ns": at_ns, "who": who, "flow": 0, "event": "sent"} | facts


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "failure-queue" / "7"
    folder.mkdir(parents=True)
    bench = Bench()
    play(bench)
    for name, entries in (("links", bench.links), ("endpoints", bench.journal)):
        ordered = sorted(entries, key=lambda one: int(one["t_ns"]))
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in ordered))
    captures = []
    for vantage, records in bench.taken.items():
        in_order = sorted(records, key=lambda one: one.time_ns)
        (folder / f"{vantage}.pcap").write_bytes(to_pcap(in_order, LINKTYPE_ETHERNET))
        captures.append({"file": f"{vantage}.pcap", "vantage": vantage, "dropped": 0})
    clients = [ClientAddress(own=HERE, public=(HERE,))]
    truth = truth_of(STORIES["failure-queue"], 7, folder, captures, clients)
    (folder / "truth.json").write_text(json.dumps(truth))
    return folder


# --- the truth --------------------------------------------------------------------------------


def test_what_crossed_each_stretch_is_counted_from_the_logs(run: Path) -> None:
    truth = truth_in(run)
    sides = truth["flows"][0]["sides"]
    out = sides["crossings"][TO_HEADEND]
    assert truth["problems"] == []
    assert [out[one]["sent"] for one in ("client-asa", "asa", "asa-headend")] == [80, 79, 29]
    assert [out[one]["lost"] for one in ("client-asa", "asa", "asa-headend")] == [1, 50, 0]
    assert out["client-asa"]["lost_offsets"] == [1 + (LOST_MESSAGE - 1) * len(message(1, 0x11111111))]
    assert [one["lost"] for one in sides["crossings"][TO_CLIENT].values()] == [0, 0, 0]
    assert sides["in_common"] == {
        "client asa-outside": 79 + 29,
        "asa-outside asa-inside": 29 + 29,
        "client asa-inside": 29 + 29,
    }


def test_the_loss_and_both_authors_are_named(run: Path) -> None:
    flow = truth_in(run)["flows"][0]
    sides = flow["sides"]
    assert (sides["loss_location"], sides["ack_author"], sides["rst_author"]) == (
        "client-asa",
        "asa",
        "client",
    )
    asked = {vantage: seen["duplicate_acks"] for vantage, seen in flow["episode"]["seen"].items()}
    assert asked == {
        CLIENT: 50,
        OUTSIDE: 50,
    }  # the last ordinary ACK carried data and asked for the same byte


def test_an_rst_that_came_from_no_end_was_made_by_the_firewall() -> None:
    from .lab.logs import Logs
    from .lab.sides import sides_of

    bench = Bench()
    forged = segment(THERE, HERE, 5, 6, flags=RST)
    own = segment(THERE, HERE, 7, 6, flags=RST)
    bench.logs("outer", TO_CLIENT, BEGAN_NS, forged)
    bench.back(BEGAN_NS + NS, own)
    logs = Logs(links=bench.links, journal=[], clients=[ClientAddress(own=HERE, public=(HERE,))])
    resets = sides_of(logs, None, False, None)["resets"]
    assert [(one["author"], one["seq"]) for one in resets] == [("asa", 5), ("headend", 7)]


# --- the box that orders the stream -----------------------------------------------------------


def orderer(**manners: Any) -> Orderer:
    return Orderer(rng=random.Random(1), manners=Manners(**manners))


def opened(box: Orderer) -> Orderer:
    box(segment(HERE, THERE, 99, 0, flags=SYN), TO_HEADEND)
    box(segment(THERE, HERE, 499, 100, flags=SYN | ACK, window=4321, ttl=57), TO_CLIENT)
    return box


def data(number: int) -> Segment:
    return segment(HERE, THERE, 100 + 10 * number, 500, payload=bytes(10))


def test_what_comes_in_order_passes_untouched() -> None:
    box = opened(orderer())
    assert [box(data(n), TO_HEADEND).onward for n in range(3)] == [(data(n),) for n in range(3)]


def test_beyond_a_hole_three_segments_wait_and_the_rest_is_refused() -> None:
    box = opened(orderer())
    handled = [box(data(n), TO_HEADEND) for n in (1, 2, 3, 4, 5)]
    assert [one.did for one in handled] == ["queued", "queued", "queued", "refused", "refused"]
    assert all(one.onward == () for one in handled)


def test_every_segment_beyond_the_hole_is_answered_in_the_other_ends_name() -> None:
    box = opened(orderer())
    asks = [box(data(n), TO_HEADEND).back[0] for n in (1, 2, 3, 4)]
    assert all(one.is_pure_ack and (one.src, one.sport) == THERE for one in asks)
    assert {(one.ack, one.seq, one.window, one.ttl) for one in asks} == {(100, 500, 4321, 57)}


def test_a_box_may_answer_only_what_it_queues() -> None:
    box = opened(orderer(answers_all=False))
    assert [len(box(data(n), TO_HEADEND).back) for n in (1, 2, 3, 4)] == [1, 1, 1, 0]


def test_what_fills_the_hole_takes_the_queue_along() -> None:
    box = opened(orderer())
    for number in (2, 1):
        box(data(number), TO_HEADEND)
    filled = box(data(0), TO_HEADEND)
    assert filled.onward == (data(0), data(1), data(2))
    assert filled.released == (data(1), data(2))
    assert box(data(3), TO_HEADEND).did == "pass"


def test_after_four_seconds_the_queue_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    box = opened(orderer())
    assert [box(data(n), TO_HEADEND).did for n in (1, 2, 3, 4)][-1] == "refused"
    now_s[0] += 4.0
    assert box(data(5), TO_HEADEND).did == "queued"
    assert box(data(0), TO_HEADEND).onward == (data(0),)


def test_questions_are_asked_in_the_numbers_of_the_side_that_lost() -> None:
    rewrite = Randomiser(rng=random.Random(3), mss_limit=1380)
    box = Orderer(rng=random.Random(1), manners=Manners(), rewrite=rewrite)
    box(segment(HERE, THERE, 99, 0, flags=SYN), TO_HEADEND)
    answer = segment(THERE, HERE, 499, 100, flags=SYN | ACK)
    shown = box(answer, TO_CLIENT).onward[0]
    ask = box(data(1), TO_HEADEND).back[0]
    assert (ask.ack, ask.seq) == (100, shown.end_seq)
    assert shown.end_seq != answer.end_seq


def test_the_mss_is_made_smaller_and_other_options_are_gone() -> None:
    rewrite = Randomiser(rng=random.Random(3), mss_limit=1380)
    options = bytes.fromhex("0101 0402 020405b4")
    passed = rewrite(segment(HERE, THERE, 1, 0, flags=SYN, options=options), TO_HEADEND)
    assert passed is not None
    assert passed.options == bytes.fromhex("02040564")
    assert mss_in(options) == 1460


# --- sets that disagree -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "clock",
    [
        TrueClock(),
        TrueClock(ppm=500.0, from_ns=BEGAN_NS),
        TrueClock(ppm=-50.0, from_ns=BEGAN_NS, steps=((BEGAN_NS + 9 * NS, 2 * NS),)),
        TrueClock(steps=((0, -17 * NS), (BEGAN_NS + 9 * NS, -3600 * NS))),
    ],
)
def test_a_clocks_reading_leads_back_to_its_moment(clock: TrueClock) -> None:
    for after_ns in (0, 1, 8 * NS, 9 * NS, 9 * NS + 1, 31 * NS + 123_456_789):
        moment_ns = BEGAN_NS + after_ns
        assert abs(clock.moment(clock.reads(moment_ns), moment_ns) - moment_ns) <= 1


def test_a_drifting_clock_is_off_by_its_rate() -> None:
    clock = TrueClock(ppm=50.0, from_ns=BEGAN_NS)
    assert clock.reads(BEGAN_NS + 60 * NS) == BEGAN_NS + 60 * NS + 3_000_000


def made(run: Path, name: str, folder: Path, vantages: str = "all") -> list[Given]:
    files = disagreed(run, SETS[vantages], BY_NAME[name], folder, run)
    assert files is not None
    return files


@pytest.mark.parametrize("name", BY_NAME)
def test_every_frame_of_a_set_has_the_time_that_its_clock_showed(
    name: str, run: Path, tmp_path: Path
) -> None:
    """And its bytes are those of the recorded frame that the truth names."""
    recorded = {v: records_of((run / f"{v}.pcap").read_bytes()) for v in (CLIENT, OUTSIDE, INSIDE)}
    for file in made(run, name, tmp_path):
        if file.path.suffix != ".pcap":
            continue
        whole = file.path.read_bytes()
        written = records_of(whole)[: len(file.frames)]
        assert len(written) == len(file.frames)
        for one, (where, true_ns, source) in zip(written, file.frames, strict=True):
            original = recorded[where][source - 1]
            assert (one.time_ns, true_ns) == (file.clock.reads(original.time_ns), original.time_ns)
            assert original.frame.startswith(one.frame)


def captures_told(files: Sequence[Given]) -> tuple[report.Capture, ...]:
    return pipeline.diagnose([str(one.path) for one in files], pipeline.Options()).captures


def test_a_file_with_two_interfaces_holds_both_captures(run: Path, tmp_path: Path) -> None:
    files = made(run, "merged", tmp_path)
    assert [(one.vantages, one.label) for one in files] == [((CLIENT,), CLIENT), ((OUTSIDE, INSIDE), "asa")]
    both = captures_told(files)[1]
    assert [one.name for one in both.interfaces] == ["eth0", "eth1"]
    assert both.frames == len(files[1].frames)
    assert both.outcome == "complete"


def test_a_capture_that_counts_its_drops_lacks_just_those(run: Path, tmp_path: Path) -> None:
    files = made(run, "client-drops-told", tmp_path)
    recorded = len(records_of((run / "client.pcap").read_bytes()))
    told = captures_told(files)[0]
    assert told.interfaces[0].dropped == recorded - len(files[0].frames)
    assert told.frames == len(files[0].frames) < recorded


def test_a_torn_file_ends_in_the_middle_of_a_frame(run: Path, tmp_path: Path) -> None:
    files = made(run, "one-torn", tmp_path)
    partial = [one for one in captures_told(files) if one.outcome == "partial"]
    assert len(partial) == 1
    torn = next(one for one in files if str(one.path) == partial[0].source)
    assert partial[0].frames == len(torn.frames)


def test_a_full_buffer_keeps_the_first_frames_and_no_more(run: Path, tmp_path: Path) -> None:
    for file in made(run, "asa-buffer", tmp_path):
        numbers = [number for _, _, number in file.frames]
        assert numbers == list(range(1, len(numbers) + 1))
        assert file.path.stat().st_size <= (48_024 if file.label != CLIENT else 1 << 20)


def test_captures_without_overlap_share_no_message(run: Path, tmp_path: Path) -> None:
    first, second = made(run, "no-overlap", tmp_path, "client+outside")
    assert first.frames[-1][1] < second.frames[0][1] - NS
    assert abs(first.clock.reads(0)) >= 2 * 86_400 * NS


def test_what_cannot_happen_to_a_set_is_not_made(run: Path, tmp_path: Path) -> None:
    assert disagreed(run, SETS["client+inside"], BY_NAME["swapped-sides"], tmp_path) is None
    assert disagreed(run, SETS["outside+inside"], BY_NAME["hour-off"], tmp_path) is None
    assert disagreed(run, SETS["all"], BY_NAME["unrelated"], tmp_path, None) is None


def test_one_file_of_both_sides_is_a_set_of_its_own(run: Path, tmp_path: Path) -> None:
    """It lies under one name in the truth, which counts its frames through both interfaces."""
    assert disagreed(run, SETS["asa"], BY_NAME["none"], tmp_path) is None
    both = made(run, "merged", tmp_path)[1]
    whole = tmp_path / run.parent.name / run.name
    shutil.copytree(run, whole)
    shutil.copyfile(both.path, whole / "asa.pcapng")
    interfaces = [{"name": "eth0", "vantage": OUTSIDE}, {"name": "eth1", "vantage": INSIDE}]
    told = truth_in(whole)
    told["captures"].append({"file": "asa.pcapng", "vantage": "asa", "dropped": 0, "interfaces": interfaces})
    (whole / "truth.json").write_text(json.dumps(told))
    (whole / "truth.json").write_text(json.dumps(truth_again(whole)))
    file = made(whole, "none", tmp_path / "asa", "asa")[0]
    assert (file.vantages, file.label, file.recording) == ((OUTSIDE, INSIDE), "asa", "asa")
    assert [where for where, _, _ in file.frames] == [where for where, _, _ in both.frames]
    assert disagreed(whole, SETS["asa"], BY_NAME["hour-off"], tmp_path) is None
    told_of_one, told_of_two = (
        {(one.kind, one.is_right) for one in checks_of(whole, [name], [BY_NAME["none"]], None)}
        for name in ("asa", "outside+inside")
    )
    assert {("pairing", True), ("recall", True), ("particulars", True)} <= told_of_one
    assert told_of_two - told_of_one <= {("confidence rises", True), ("claims stand", True)}


# --- the judge --------------------------------------------------------------------------------


def test_a_set_of_captures_cuts_the_way_where_its_places_are() -> None:
    assert cells((CLIENT, INSIDE)) == [{"client-asa", "asa"}, {"asa-headend"}]
    assert cells((OUTSIDE, INSIDE)) == [{"client-asa"}, {"asa"}, {"asa-headend"}]
    assert cells((CLIENT, OUTSIDE)) == [{"client-asa"}, {"asa", "asa-headend"}]


def test_a_word_must_cover_the_truth_and_be_no_vaguer_than_the_captures() -> None:
    assert names_rightly("client-asa-or-asa", "client-asa", (CLIENT, INSIDE))
    assert names_rightly("client-asa", "client-asa", (CLIENT, INSIDE))
    assert not names_rightly("client-asa-or-asa", "client-asa", (CLIENT, OUTSIDE, INSIDE))
    assert not names_rightly("asa", "client-asa", (CLIENT, OUTSIDE, INSIDE))
    assert not names_rightly(None, "asa", (CLIENT, INSIDE))


def test_proof_takes_a_capture_on_both_sides_of_the_author(run: Path) -> None:
    flow = truth_in(run)["flows"][0]
    assert both_sides(flow, (CLIENT, INSIDE))
    assert both_sides(flow, (OUTSIDE, INSIDE))
    assert not both_sides(flow, (CLIENT, OUTSIDE))


@pytest.mark.parametrize(
    ("later_ns", "is_shown"), [(None, False), (NS - 1, False), (NS, True), (50 * NS, True)]
)
def test_what_a_capture_lacks_shows_where_it_was_demonstrably_running(
    later_ns: int | None, is_shown: bool, run: Path, files: list[Given]
) -> None:
    """Inside nothing more is seen once the firewall holds back what follows; one frame of anybody's settles it."""
    first_held_ns = BEGAN_NS + (LOST_MESSAGE + 1) * (NS // 3)
    client, outside, inside = files
    later = () if later_ns is None else ((INSIDE, first_held_ns + later_ns, 0),)
    told = told_by(oracle(run, files), [client, outside, replace(inside, frames=inside.frames + later)], run)
    flow = told.flows[0]
    assert loss_shows(told, flow, "client-asa", TO_HEADEND), "outside has a hole there, whatever came later"
    assert loss_shows(told, flow, "asa", TO_HEADEND) == is_shown


def oracle(run: Path, files: Sequence[Given]) -> report.Report:
    """What an analyzer that knows everything would say of all three captures."""
    told_alone = pipeline.diagnose([str(one.path) for one in files], pipeline.Options())
    flow = told_alone.flows[0]
    joined = report_with(
        flow,
        seen=tuple(sorted(flow.seen, key=lambda one: one.capture)),
        confidence="proven",
        loss_location="client-asa",
        ack_author="asa",
        rst_author="client",
    )
    places = tuple(
        report.Place(captures=(f"c{number}",), vantage=vantage, is_told=True, is_sure=True, because="told")
        for number, vantage in enumerate((CLIENT, OUTSIDE, INSIDE), start=1)
    )
    piece = report.ClockPiece(
        from_frame=1, to_frame=9, at_ns=BEGAN_NS, offset_low_ns=-1, offset_high_ns=1, matches=9
    )
    clock = report.Clock(place=1, reference=0, is_shared=False, pieces=(piece,))
    path = report.Path(
        places=places, clocks=(clock,), crossings=(crossing(flow.id, 0, 1), crossing(flow.id, 1, 50))
    )
    told: report.Report = report_with(told_alone, flows=(joined,), paths=(path,))
    return told


def report_with(thing: Any, **facts: Any) -> Any:
    return type(thing)(**({name: getattr(thing, name) for name in thing.__struct_fields__} | facts))


def crossing(flow: str, sent_from: int, lost: int) -> report.Crossing:
    return report.Crossing(
        flow=flow,
        direction=TO_HEADEND,
        sent_from=sent_from,
        towards=sent_from + 1,
        location="client-asa",
        arrived=1,
        altered=0,
        lost=lost,
        injected=0,
        not_captured_before=0,
        not_captured_behind=0,
        undecided=0,
        withheld=0,
        damaged=0,
        beyond=0,
        loss_rate=None,
        loss_rate_low=None,
        loss_rate_high=None,
        pattern=None,
        depends_on_size=None,
        smallest_lost_len=None,
        largest_arrived_len=None,
        lost_frames=(61,) if sent_from == 0 else (),
    )


def told_by(found: report.Report, files: Sequence[Given], run: Path, name: str = "hour-off") -> Told:
    return Told(vantages=SETS["all"], what=BY_NAME[name], files=files, truths=[truth_in(run)], found=found)


@pytest.fixture
def files(run: Path, tmp_path: Path) -> list[Given]:
    return made(run, "none", tmp_path)


def errors(told: Told) -> list[str]:
    return [kind for kind, is_right, _ in outcomes(told) if not is_right]


def test_of_a_report_that_knows_everything_nothing_is_wrong(run: Path, files: list[Given]) -> None:
    told = told_by(oracle(run, files), files, run)
    asked = [kind for kind, _, _ in outcomes(told)]
    assert errors(told) == []
    assert {"pairing", "recall", "proven", "particulars", "loss location", "ACK author", "RST author"} <= set(
        asked
    )
    assert {"clock offset", "loss counted", "loss found", "lost frames", "order of places"} <= set(asked)


@pytest.mark.parametrize(
    ("facts", "wrong"),
    [
        ({"loss_location": "asa"}, "loss location"),
        ({"ack_author": "headend"}, "ACK author"),
        ({"rst_author": "asa"}, "RST author"),
        ({"confidence": "strong"}, "proven"),
        ({"verdict": "healthy"}, "recall"),
        ({"direction": TO_CLIENT}, "particulars"),
    ],
)
def test_a_flow_of_which_something_else_is_said_is_an_error(
    facts: dict[str, str], wrong: str, run: Path, files: list[Given]
) -> None:
    found = oracle(run, files)
    changed = report_with(found, flows=(report_with(found.flows[0], **facts),))
    assert wrong in errors(told_by(changed, files, run))


def test_captures_that_are_left_apart_are_an_error(run: Path, files: list[Given]) -> None:
    alone = pipeline.diagnose([str(files[0].path), str(files[2].path)], pipeline.Options())
    flows = [report_with(one, seen=one.seen[:1]) for one in oracle(run, files).flows]
    assert "pairing" in errors(told_by(report_with(alone, flows=tuple(flows), paths=()), files, run))


def test_a_frame_that_was_not_lost_must_not_be_called_lost(run: Path, files: list[Given]) -> None:
    found = oracle(run, files)
    innocent = report_with(found.paths[0].crossings[0], lost_frames=(7,), lost=2)
    changed = report_with(found.paths[0], crossings=(innocent,))
    wrong = errors(told_by(report_with(found, paths=(changed,)), files, run))
    assert wrong == ["loss counted", "lost frames"]


def test_an_offset_that_leaves_out_the_truth_is_an_error(run: Path, tmp_path: Path) -> None:
    late = made(run, "hour-off", tmp_path)
    assert late[0].clock.reads(0) == 3600 * NS
    assert errors(told_by(oracle(run, late), late, run)) == ["clock offset"]


def test_a_place_that_is_surely_another_is_an_error(run: Path, files: list[Given]) -> None:
    found = oracle(run, files)
    places = found.paths[0].places[::-1]
    changed = report_with(found, paths=(report.Path(places=places),))
    assert "order of places" in errors(told_by(changed, files, run))


def test_of_connections_with_one_4_tuple_a_flow_is_the_one_in_whose_frames_it_begins(
    run: Path, files: list[Given]
) -> None:
    found = oracle(run, files)
    truth = truth_in(run)
    (flow,) = truth["flows"]
    earlier = flow | {"frames": {place: [1, 40] for place in flow["frames"]}}
    later = flow | {"frames": {place: [41, 400] for place in flow["frames"]}}
    nowhere = flow | {"frames": {place: [] for place in flow["frames"]}}
    told = replace(told_by(found, files, run), truths=[truth | {"flows": [earlier, later, nowhere]}])
    first = found.flows[0].seen[0]
    owners = [told.owners(report_with(first, first_frame=frame)) for frame in (1, 41)]
    assert owners == [{0}, {1}]


def test_where_no_capture_of_the_set_shows_the_failure_it_is_not_due(run: Path, files: list[Given]) -> None:
    found = oracle(run, files)
    silent = report_with(found.flows[0], verdict="insufficient-evidence")
    told = told_by(report_with(found, flows=(silent,), paths=()), files, run)
    flow = told.flows[0]
    assert is_due(told, flow)
    assert not is_due(replace(told, files=files[2:]), flow)
    assert not is_due(replace(told, what=BY_NAME["one-torn"]), flow)
