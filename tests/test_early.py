"""Early: more tunnels than places; each is judged when its place is needed, as of then, and is said to be."""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from benchmarks import generate
from ctcp_forensics import batches
from ctcp_forensics._kernel import Tracker
from ctcp_forensics._kernel.rows import Plain
from ctcp_forensics.brief import counts_of, lines_of
from ctcp_forensics.capture import source
from ctcp_forensics.compare import Outcome, compare
from ctcp_forensics.conclude.brief import called
from ctcp_forensics.early import Early, leaving
from ctcp_forensics.early import lines as lines_room
from ctcp_forensics.early.leaving import Moment, plain
from ctcp_forensics.early.lines import Facts, Lines, with_slack
from ctcp_forensics.evidence import FEWER_AT_ONCE
from ctcp_forensics.flows import SILENCE_NS
from ctcp_forensics.pipeline import Options, diagnose
from ctcp_forensics.reading import Source, read
from ctcp_forensics.reading.course import NAMED_AT_ONCE, Course
from ctcp_forensics.render import render
from ctcp_forensics.render.look import PLAIN, Depth, Look
from ctcp_forensics.report import FLAGSHIP, Evidence, Finding, Report, exit_status
from ctcp_forensics.retrace import retrace
from ctcp_forensics.screen import JUDGED, LIMITS, WORDS
from ctcp_forensics.verdict import Confidence, in_part
from tests.fuzz.path import capped
from tests.savefiles import enhanced, halves, interface, section

SAMPLES = Path(__file__).parent.parent / "samples"
DEAD = SAMPLES / "failure-client.pcap"
CLAIM = "it-was-followed-to-its-end"
LONG_S, SHORT_S = SILENCE_NS / 1e9 + 40, 33.0
"""From one death to the next: the capture of one lasts for 30 s."""


# --- a capture of many deaths --------------------------------------------------------------------------


def with_port(frame: bytes, port: int) -> bytes:
    """The same frame of another client port, its checksum as right or wrong as it was (RFC 1624 §3)."""
    made = bytearray(frame)
    tcp = 14 + (frame[14] & 0xF) * 4
    at = tcp if struct.unpack_from(">H", frame, tcp + 2)[0] == 10_000 else tcp + 2
    was, checksum = struct.unpack_from(">H", frame, at)[0], struct.unpack_from(">H", frame, tcp + 16)[0]
    total = (~checksum & 0xFFFF) + (~was & 0xFFFF) + port
    total = (total & 0xFFFF) + (total >> 16)
    struct.pack_into(">H", made, at, port)
    struct.pack_into(">H", made, tcp + 16, ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF)
    return bytes(made)


def deaths(path: Path, count: int, every_s: float) -> Path:
    """The same death of so many tunnels, one after the other."""
    with DEAD.open("rb") as file:
        frames = list(dpkt.pcap.Reader(file))
    told = sorted(
        (when + number * every_s, number, at)
        for number in range(count)
        for at, (when, _) in enumerate(frames)
    )
    with path.open("wb") as out:
        writer = dpkt.pcap.Writer(out, nano=True)
        for when, number, at in told:
            writer.writepkt(with_port(frames[at][1], 20_000 + number), when)
    return path


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return deaths(tmp_path_factory.mktemp("slow") / "slow.pcap", 12, LONG_S)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight tunnels live at once."""
    return deaths(tmp_path_factory.mktemp("quick") / "quick.pcap", 12, SHORT_S)


def judged(path: Path, places: int, half_open: int | None = None, **options: object) -> Report:
    with capped(places, 1 << 20, half_open=half_open):
        return diagnose([str(path)], Options(**options))  # type: ignore[arg-type]


def on_end(finding: Finding) -> list[Evidence]:
    return [one for one in finding.evidence if one.claim == CLAIM]


def without_claims(finding: Finding) -> Finding:
    """Without what is doubted of a flow whose place was needed, and what would settle it."""
    doubted = (CLAIM, "the-end-was-seen")
    kept = tuple(replace(one, settled_by="") for one in finding.evidence if one.claim not in doubted)
    return replace(finding, evidence=kept, missing_evidence=(), confidence="strong")


# --- each is told -------------------------------------------------------------------------------------


def test_every_death_is_told_the_first_one_included_and_coverage_is_complete(slow: Path) -> None:
    """Each was closed by an RST a minute before its place was needed; who might have gone on elsewhere is not known."""
    whole, cut = judged(slow, 100), judged(slow, 3)
    assert [finding.verdict for finding in cut.findings] == [FLAGSHIP] * 12
    assert [flow.confidence for flow in cut.flows] == ["consistent"] * 9 + ["strong"] * 3
    assert [replace(flow, confidence="strong") for flow in cut.flows] == list(whole.flows)
    assert list(map(without_claims, cut.findings)) == list(map(without_claims, whole.findings))
    assert [[one.outcome for one in on_end(finding)] for finding in cut.findings] == [["holds"]] * 9 + [
        []
    ] * 3
    assert all(FEWER_AT_ONCE in finding.missing_evidence for finding in cut.findings[:9])
    assert not any(
        "until the connection" in told for one in cut.findings[:9] for told in one.missing_evidence
    )
    assert cut.coverage == whole.coverage
    assert cut.coverage.is_complete
    assert cut.captures[0].notes == (
        "9 flows were judged before the end of the capture, because there were more at once than can be followed: "
        "their verdicts say nothing of what came later",
    )
    assert exit_status(cut) == 1


def test_below_the_cap_nothing_is_early(slow: Path) -> None:
    assert judged(slow, 12) == judged(slow, 100)
    assert not any(map(on_end, judged(slow, 12).findings))


def test_who_was_not_settled_is_accused_with_a_doubt(quick: Path) -> None:
    whole, cut = judged(quick, 100), judged(quick, 1)
    assert {finding.confidence for finding in whole.findings} == {"strong"}
    told = [(finding.confidence, *(one.outcome for one in on_end(finding))) for finding in cut.findings]
    assert told == [("consistent", "fails")] * 11 + [("strong",)]
    (doubt,) = on_end(cut.findings[0])
    assert doubt.because.startswith(
        "judged early: another flow needed its place in frame 332, 2.8 s after its"
    )
    assert doubt.settled_by in cut.findings[0].missing_evidence
    assert cut.coverage.is_complete, "none of them spoke again"


def test_a_flow_that_is_cut_in_two_is_not_accused_more_surely(quick: Path) -> None:
    """Two tunnels at once and one place: their segments take it from one another."""
    path = deaths(quick.parent / "beside.pcap", 2, 0.4)
    cut = judged(path, 1)
    assert "strong" not in {one.confidence for one in cut.findings if one.verdict == FLAGSHIP}
    assert not cut.coverage.is_complete
    (cap,) = cut.coverage.caps
    assert cap.reached_by.endswith("begun without a SYN, perhaps the rest of one that was judged early")
    assert cut.coverage.flows_judged == cut.coverage.flows_seen > 100


def test_several_captures_keep_their_flows_for_one_another(slow: Path) -> None:
    with capped(3, 1 << 20):
        report = diagnose([str(slow), str(DEAD)], Options())
    assert {cap.reached_by for cap in report.coverage.caps} == {"c1: 9 ended flows given up unjudged"}
    assert report.captures[0].notes == (), "none of no concern made room"


def test_places_of_one_file_keep_their_flows_for_one_another(tmp_path: Path) -> None:
    """What was judged of all interfaces as one is not told where each turns out to be a place."""
    path = two_places(tmp_path / "firewall.pcapng", 6)
    whole, cut = judged(path, 100), judged(path, 3)
    assert (len(whole.findings), len(whole.paths), whole.coverage.is_complete) == (6, 1, True)
    assert (len(cut.findings), len(cut.paths)) == (3, 1)
    assert [cap.reached_by for cap in cut.coverage.caps] == ["c1: 6 ended flows given up unjudged"]
    assert not any("judged before the end" in note for note in cut.captures[0].notes)


def two_places(path: Path, count: int) -> Path:
    """Deaths as both sides of a firewall show them, each on an interface of its own."""
    told = []
    for identifier, name in enumerate(("failure-asa-outside.pcap", "failure-asa-inside.pcap")):
        with (SAMPLES / name).open("rb") as file:
            frames = list(dpkt.pcap.Reader(file))
        told += [
            (int((when + number * LONG_S) * 1e6), identifier, at, with_port(frame, 20_000 + number))
            for number in range(count)
            for at, (when, frame) in enumerate(frames)
        ]
    blocks = (enhanced(data=data, ticks=at, identifier=place) for at, place, _, data in sorted(told))
    path.write_bytes(b"".join((section(), interface(), interface(), *blocks)))
    return path


def test_a_flow_told_early_can_be_drawn(slow: Path) -> None:
    whole, cut = judged(slow, 100), judged(slow, 3)
    one, other = (retrace(report, {report.flows[0].id}).traces for report in (whole, cut))
    assert one == other
    assert len(one) == 1


# --- the same, however it is read ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "made.pcap"
    generate.main(["ctcp", "-o", str(path), "--frames", "16000", "--flows", "800"])
    return path


def syn(port: int, seq: int = 1) -> bytes:
    head = struct.pack(">HHIIHHHH", port, 10_000, seq, 0, 5 << 12 | 2, 1_000, 0, 0)
    return ip(6, b"\n\0\0\1", b"\n\0\0\2", head)


def ip(protocol: int, src: bytes, dst: bytes, body: bytes) -> bytes:
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, 0, 64, protocol, 0, src, dst) + body


def prohibited(datagram: bytes) -> bytes:
    """ICMP type 3, code 13 (RFC 1812 §5.2.7.1), about a datagram."""
    return ip(1, b"\n\0\0\3", b"\n\0\0\1", struct.pack(">BBHI", 3, 13, 0, 0) + datagram[:28])


def written(folder: Path, datagrams: list[bytes]) -> Path:
    """A frame a second."""
    path = folder / "written.pcap"
    with path.open("wb") as out:
        writer = dpkt.pcap.Writer(out, linktype=dpkt.pcap.DLT_RAW, nano=True)
        for second, datagram in enumerate(datagrams):
            writer.writepkt(datagram, 1_700_000_000 + second)
    return path


def test_what_came_behind_the_frame_that_needed_a_place_was_not_known_then(tmp_path: Path) -> None:
    """All frames are in one batch, which is decoded before it is followed."""
    asked, other = syn(1_024), syn(1_025)
    before = judged(written(tmp_path, [asked, prohibited(asked), other]), 1)
    behind = judged(written(tmp_path, [asked, other, prohibited(asked)]), 1)
    assert (before.findings[0].verdict, before.findings[0].confidence) == ("firewall-drop", "consistent")
    assert behind.findings[0].verdict == "insufficient-evidence"
    assert "another flow needed its place in frame 2" in behind.flows[0].ending.because


def test_icmp_errors_are_kept_once_and_not_of_each_flow_that_they_quote(tmp_path: Path) -> None:
    asked = [syn(1_024, number) for number in range(20)]
    path = written(tmp_path, [*asked[:1], *[prohibited(asked[0])] * 200, *asked[1:]])
    with capped(1, 1 << 20):
        reading = read(str(path), Options())
    assert reading.early is not None
    assert len(reading.early.lines.observed) == 19
    assert max(map(len, reading.early.lines.observed.values())) < 4_000
    assert [finding.verdict for finding in judged(path, 1).findings[1:]] == ["firewall-drop"] * 19


@pytest.mark.parametrize("chunk_len", [5_000, 33_333])
def test_neither_chunks_nor_threads_change_what_is_told(
    made: Path, chunk_len: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = judged(made, 130, threads=1)
    monkeypatch.setattr(source, "CHUNK_LEN", chunk_len)
    assert judged(made, 130, threads=1) == one
    assert judged(made, 130, threads=2) == one
    monkeypatch.setattr(batches, "WORTH_SHARING", 0)
    assert judged(made, 130, threads=2) == one, "by two hands"


def test_who_was_named_may_leave_while_the_next_file_is_read(made: Path, tmp_path: Path) -> None:
    """Of a capture that was rotated each flow is told once, whatever file the frame that needed its place is in."""
    with capped(130, 1 << 20):
        course = Course(Options(), None, is_case=False)
        for name, content in zip(("c1", "c2"), halves(made.read_bytes(), frame=8_000), strict=True):
            (tmp_path / name).write_bytes(content)
            course.read(name, Source(path=str(tmp_path / name)), None)
        (reading,) = course.readings()
    tallies, given_up = reading.tracker.tallies(), reading.tracker.given_up()
    assert reading.early is not None
    assert given_up[: given_up._fields.index("begun_in_mid_stream")] == (0,) * 6
    assert reading.early.flows + tallies.flows == tallies.flows_begun > 800


def test_every_flow_is_judged_and_counted_once(made: Path) -> None:
    report = judged(made, 130, max_in_full=6, max_unwell_in_full=20)
    assert report.coverage.flows_judged == report.coverage.flows_seen > 800
    assert len(report.flows) <= 26
    assert len(report.flows) + counts_of(report.brief).total() == report.coverage.flows_seen
    assert any(line.is_early for line in lines_of(report))
    firsts = [flow.seen[0].first_frame for flow in report.flows]
    assert firsts == sorted(firsts)
    assert len({flow.id for flow in report.flows}) == len(firsts)


# --- what the screen says early, the judgement would say ---------------------------------------------


def test_the_screen_says_what_the_judgement_would_say(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: Counter[str] = Counter()

    def compared(self: Early, tracker: Tracker, frame: int, icmp_errors: object) -> None:
        some = tracker.leaving()
        moment = Moment(tracker, frozenset({10_000}), frame, {})
        words = tracker.screen(some, LIMITS, ())
        for index, word, is_settled in zip(some, words, tracker.settled(some, LIMITS), strict=True):
            one = moment.observed(index, Plain.JUDGE, SOME_FACTS)
            assert one.word[1] == (not is_settled)
            if word != Plain.JUDGE:
                assert plain(word, not is_settled) == one.word
                said[JUDGED[one.word[0]][1]] += 1

    monkeypatch.setattr(Early, "judge_those_leaving", compared)
    judged(made, 130)
    assert said["consistent"] > 100 < said.total()


# --- bounds ---------------------------------------------------------------------------------------------

SOME_FACTS = Facts(bytes(4), 1, bytes(4), 2, 3, 4, 5, 6, 7)


@pytest.fixture
def few_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "MAX_LINES", 5)


@pytest.mark.usefixtures("few_lines")
def test_flows_without_a_line_are_counted_everywhere(slow: Path) -> None:
    report = judged(slow, 3, max_unwell_in_full=1)
    (brief,) = (one for one in report.brief if one.counted)
    assert brief.counted[0].verdict == FLAGSHIP
    assert (report.coverage.flows_judged, len(list(lines_of(report)))) == (
        12,
        12 - 1 - brief.counted[0].flows,
    )
    assert brief.counted[0].flows > 0
    look = Look(depth=Depth.WHAT, width=None, pen=PLAIN)
    table = "".join(render(report, "table", look))
    lines = len(list(lines_of(report)))
    assert table.startswith("12 of 12 flows: unanswered")
    assert f"and {lines} flows more, told in a line each by csv and ndjson: {lines} {FLAGSHIP} (" in table
    assert (
        f"and {11 - lines} flows more, counted only, since a report holds no more lines: {11 - lines} "
        in table
    )
    assert exit_status(replace(report, findings=(), flows=(), brief=(replace(brief, verdicts=()),))) == 1
    assert Report.from_json(report.to_json()) == report
    alone = replace(report, findings=(), flows=())
    assert {one.outcome for one in compare(report, alone).pairings} == {Outcome.CANNOT_BE_TOLD}


def test_a_line_that_was_early_says_so(quick: Path) -> None:
    report = judged(quick, 1, max_unwell_in_full=1)
    look = Look(depth=Depth.WHAT, width=None, pen=PLAIN)
    rows = "".join(render(report, "csv", look)).splitlines()
    assert sum("judged before it was over: another flow needed its place" in row for row in rows) == sum(
        line.is_early for line in lines_of(report)
    )
    assert '"is_early":true' in "".join(render(report, "ndjson", look))


def test_a_capture_that_turns_out_damaged_makes_its_lines_less_sure(slow: Path, tmp_path: Path) -> None:
    """What is told at the end of a capture holds for what was judged before."""
    torn = tmp_path / "torn.pcap"
    torn.write_bytes(slow.read_bytes()[:-5])
    (told,) = {
        (one.outcome, one.because)
        for finding in judged(torn, 3).findings
        for one in finding.evidence
        if one.claim == "the-capture-is-whole"
    }
    assert told[0] == "fails"
    closed = (WORDS["orderly-close", Confidence.STRONG], False)
    assert called(closed, is_whole=True) == ("orderly-close", "strong", False)
    assert called(closed, is_whole=False) == ("orderly-close", "consistent", False)


def test_a_piece_of_a_packet_without_the_rest_makes_the_lines_of_its_hosts_less_sure(
    slow: Path, tmp_path: Path
) -> None:
    """Flows that are told in full were doubted, and those in a line were not."""
    assert "strong" in {line.confidence for line in lines_of(judged(slow, 3, max_unwell_in_full=1))}
    with slow.open("rb") as file:
        frames = list(dpkt.pcap.Reader(file))
    piece = bytearray(max((frame for _, frame in frames), key=len))
    piece[14 + 6] |= 0x20  # more fragments follow (RFC 791 §3.1); nobody looks at the header's checksum
    torn = tmp_path / "torn.pcap"
    with torn.open("wb") as out:
        writer = dpkt.pcap.Writer(out, nano=True)
        for when, frame in [*frames, (frames[-1][0], bytes(piece))]:
            writer.writepkt(frame, when)
    assert {line.confidence for line in lines_of(judged(torn, 3, max_unwell_in_full=1))} == {"consistent"}


def test_only_a_verdict_that_doubts_a_torn_capture_becomes_less_sure() -> None:
    assert in_part(FLAGSHIP, Confidence.STRONG) == "consistent"
    assert in_part("answered", Confidence.STRONG) == "strong"
    assert in_part("insufficient-evidence", Confidence.UNDETERMINED) == "undetermined"


def test_of_a_flood_some_are_judged_and_the_rest_is_counted(tmp_path: Path) -> None:
    report = judged(written(tmp_path, [syn(1_024 + number) for number in range(600)]), 10, half_open=20)
    (cap,) = report.coverage.caps
    unjudged = int(cap.reached_by.split()[1])
    assert cap.reached_by == f"c1: {unjudged} half-open flows given up unjudged"
    assert report.coverage.flows_judged == 600 - unjudged
    assert 20 <= report.coverage.flows_judged - 10 < 20 + NAMED_AT_ONCE


VERDICT = st.sampled_from(sorted(JUDGED)[::5])


@given(
    st.lists(st.tuples(VERDICT, st.booleans(), st.booleans(), st.integers(0, 3)), max_size=60),
    st.integers(1, 8),
)
def test_lines_are_bounded_and_nobody_is_forgotten(
    some: list[tuple[int, bool, bool, int]], room: int
) -> None:
    lines = Lines(room, room)
    for number, (word, is_early, is_observed, client) in enumerate(some):
        facts = SOME_FACTS._replace(client=bytes(3) + bytes((client,)), first_frame=number)
        lines.add((word, is_early), facts, b"%d" % number if is_observed else None)
        assert len(lines) <= with_slack(room) >= len(lines.observed)
    told = Counter(map(lines.word, range(len(lines)))) + lines.counted
    assert told == Counter((word, is_early) for word, is_early, *_ in some)
    numbers = lines.columns["first_frame"]
    assert list(numbers) == sorted(numbers), "in the order in which they left"
    for place, number in enumerate(numbers):
        word, is_early, is_observed, client = some[number]
        assert lines.word(place) == (word, is_early)
        assert lines.ends(place)[0][-1] == client
        assert lines.observed.get(place, b"%d" % number) == b"%d" % number
        assert is_observed or place not in lines.observed


def test_what_was_observed_of_flows_has_a_bound_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_room, "MAX_OBSERVED_LEN", 1_000)
    lines = Lines(100, 100)
    dead = WORDS[FLAGSHIP, Confidence.STRONG]
    for number in range(60):
        lines.add((dead, False), SOME_FACTS._replace(first_frame=number), bytes(90))
        assert sum(map(len, lines.observed.values())) <= 1_000
    assert (len(lines), lines.counted.total()) == (60, 0)
    assert 5 <= len(lines.observed) <= 11
    assert min(lines.observed) == 0, "of equally grave ones the first"


def test_where_room_is_short_a_rare_verdict_keeps_its_lines() -> None:
    lines = Lines(4, 4)
    dead, well = WORDS[FLAGSHIP, Confidence.STRONG], WORDS["healthy", Confidence.STRONG]
    lines.add((dead, False), SOME_FACTS, None)
    for _ in range(50):
        lines.add((well, False), SOME_FACTS, None)
    assert lines.word(0) == (dead, False)
    assert lines.counted.keys() == {(well, False)}
