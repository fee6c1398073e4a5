"""The second reading: what it says of every frame is what tshark says, and all places of a flow lie on one clock."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ctcp_forensics._kernel import caps
from ctcp_forensics.capture import Hashing
from ctcp_forensics.pipeline import diagnose
from ctcp_forensics.reading import Options, Source
from ctcp_forensics.report import Clock, ClockPiece, Place, Report
from ctcp_forensics.report import Path as ReportPath
from ctcp_forensics.retrace import errand, retrace, second
from ctcp_forensics.retrace.clocks import UNKNOWN, alignment
from ctcp_forensics.trace import CLIENT_TO_HEADEND, NOWHERE, Mark, Trace
from tests import reports
from tests.savefiles import halves

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
FAILURE = SAMPLES / "failure-client.pcap"
OUTSIDE = SAMPLES / "failure-asa-outside.pcap"
INSIDE = SAMPLES / "failure-asa-inside.pcap"
RECORDED = SAMPLES.parent / "tests" / "recorded"
EVERYTHING = sorted([*SAMPLES.glob("*.pcap*"), *RECORDED.glob("*/*.pcap*")])
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")

Said = dict[int, tuple[int, int | None, int, int, list[tuple[int, int]]]]
"""By frame: sequence number, ACK, length in the sequence space, window, SACK blocks; raw numbers."""
FIELDS = ("frame.number", "tcp.seq_raw", "tcp.ack_raw", "tcp.len", "tcp.flags", "tcp.window_size",
          "tcp.options.sack_le", "tcp.options.sack_re")  # fmt: skip


def report_of(*sources: Path | Source, all_tcp: bool = True) -> Report:
    named = [one if isinstance(one, Source) else Source(path=str(one)) for one in sources]
    return diagnose(named, Options(all_tcp=all_tcp))


def traces_of(report: Report) -> tuple[Trace, ...]:
    found = retrace(report, {flow.id for flow in report.flows})
    assert (found.failed, found.flows_left_out) == ((), 0)
    return found.traces


@pytest.fixture(scope="module")
def three() -> Report:
    return report_of(
        Source(path=str(FAILURE), vantage="client"),
        Source(path=str(OUTSIDE), vantage="asa-outside"),
        Source(path=str(INSIDE), vantage="asa-inside"),
        all_tcp=False,
    )


# --- every frame, beside tshark's word ------------------------------------------------------------


def tshark_on(capture: Path) -> Said:
    """What tshark says of every TCP segment.  Its analysis stays on, since that knows the scale of windows."""
    command = ["tshark", "-n", "-r", str(capture), "-Y", "tcp", "-T", "fields", "-E", "occurrence=a"]
    command += ["-o", "tcp.relative_sequence_numbers:FALSE"]  # SACK blocks have no raw field
    lines = subprocess.run(
        [*command, *(word for name in FIELDS for word in ("-e", name))],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return dict(map(said, lines))


def said(line: str) -> tuple[int, tuple[int, int | None, int, int, list[tuple[int, int]]]]:
    frame, seq, ack, length, flags, window, lefts, rights = line.split("\t")
    bits = int(flags, 16)
    edges = [[int(one) for one in some.split(",") if one] for some in (lefts, rights)]
    taken = int(length) + bool(bits & 2) + bool(bits & 1)
    blocks = list(zip(*edges, strict=True))
    return int(frame), (int(seq), int(ack) if bits & 16 else None, taken, int(window), blocks)


def told_by(trace: Trace) -> Iterator[tuple[int, Any]]:
    """The same from a trace; strays left out, whose place nobody knows."""
    columns = trace.columns
    blocks: dict[int, list[tuple[int, int]]] = {}
    for row, left, right in zip(columns.sack_row, columns.sack_left, columns.sack_right, strict=True):
        base = trace.base_seq[1 - columns.direction[row]]
        blocks.setdefault(row, []).append(((base + left) % (1 << 32), (base + right) % (1 << 32)))
    for row in range(len(columns)):
        way = columns.direction[row]
        if columns.pos[row] == NOWHERE:
            continue
        ack = columns.ack[row]
        if (
            ack == NOWHERE and not columns.marks[row] & Mark.SYN
        ):  # of an end that never spoke, or of a flow before
            continue
        yield (
            columns.frame[row],
            (
                (trace.base_seq[way] + columns.pos[row]) % (1 << 32),
                None if ack == NOWHERE else (trace.base_seq[1 - way] + ack) % (1 << 32),
                columns.length[row],
                columns.window[row],
                blocks.get(row, []),
            ),
        )


@needs_tshark
@pytest.mark.parametrize("capture", EVERYTHING, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_every_frame_is_what_tshark_says(capture: Path) -> None:
    known = tshark_on(capture)
    found = dict(pair for trace in traces_of(report_of(capture)) for pair in told_by(trace))
    strays = len(known) - len(found)
    assert found == {frame: known[frame] for frame in found}
    assert strays <= max(1, len(known) // 50), "hardly anything is traced"


# --- places -------------------------------------------------------------------------------------


def test_all_places_count_from_one_isn_and_lie_on_one_clock(three: Report) -> None:
    client, outside, inside = traces_of(three)
    assert [one.place for one in (client, outside, inside)] == ["client", "asa-outside", "asa-inside"]
    assert client.base_seq == outside.base_seq != inside.base_seq, "the firewall rewrites sequence numbers"
    assert [one.columns.pos[0] for one in (client, outside, inside)] == [0, 0, 0]
    assert client.clock_error_ns == 0
    assert outside.clock_error_ns == inside.clock_error_ns is not None
    for way, (before, behind) in ((0, (client, outside)), (1, (inside, outside))):
        early, late = first_seen(before, way), first_seen(behind, way)
        delays = [
            late[pos] - early[pos] for pos in early.keys() & late.keys() - {0}
        ]  # a proxy makes SYNs itself
        assert len(delays) > 40
        assert min(delays) >= -1000, "a segment arrives before it was sent"


def first_seen(trace: Trace, way: int) -> dict[int, int]:
    columns = trace.columns
    return {
        columns.pos[row]: columns.at_ns[row]
        for row in reversed(range(len(columns)))
        if columns.direction[row] == way and columns.length[row]
    }


def test_the_lost_segment_is_marked_where_it_was_seen_last(three: Report) -> None:
    client, outside, inside = traces_of(three)
    columns = client.columns
    lost = [row for row in range(len(columns)) if columns.marks[row] & Mark.LOST]
    assert [(columns.frame[row], columns.pos[row], columns.direction[row]) for row in lost] == [
        (183, 12405, CLIENT_TO_HEADEND)
    ]
    assert columns.marks[lost[0]] & Mark.WANTED
    assert not any(
        mark & (Mark.LOST | Mark.WANTED) for one in (outside, inside) for mark in one.columns.marks
    )
    assert [(one.left, one.right, one.to_ns) for one in outside.holes] == [(12405, 12505, None)]
    assert [(one.left, one.right, one.to_ns) for one in client.holes] == [(12405, 12505, None)]


def test_duplicate_acks_are_as_many_as_the_report_counts(three: Report) -> None:
    client, _, inside = traces_of(three)
    asked = [row for row, marks in enumerate(client.columns.marks) if marks & Mark.DUPLICATE_ACK]
    assert len(asked) == three.flows[0].episodes[0].duplicate_acks == 70
    assert {client.columns.ack[row] for row in asked} == {12405}
    assert not any(marks & Mark.DUPLICATE_ACK for marks in inside.columns.marks)


def test_a_capture_that_was_rotated_is_read_on(tmp_path: Path, three: Report) -> None:
    parts = [tmp_path / "part-1.pcap", tmp_path / "part-2.pcap"]
    for path, content in zip(parts, halves(FAILURE.read_bytes(), frame=200), strict=True):
        path.write_bytes(content)
    report = report_of(*(Source(path=str(path), vantage="client") for path in parts))
    (trace,) = traces_of(report)
    (whole,) = traces_of(report_of(Source(path=str(FAILURE), vantage="client")))
    assert trace.captures == ("c1", "c2")
    assert list(trace.columns.capture) == [0] * 200 + [1] * (len(whole.columns) - 200)
    assert list(trace.columns.frame) == [*range(1, 201), *range(1, len(whole.columns) - 199)]
    assert (trace.columns.pos, trace.columns.marks) == (whole.columns.pos, whole.columns.marks)


@pytest.mark.skipif(shutil.which("mergecap") is None, reason="mergecap is not installed")
def test_interfaces_of_one_savefile_are_places(tmp_path: Path) -> None:
    both = tmp_path / "firewall.pcapng"
    subprocess.run(["mergecap", "-I", "none", "-w", str(both), str(OUTSIDE), str(INSIDE)], check=True)
    merged = traces_of(report_of(both))
    single = [traces_of(report_of(path))[0] for path in (OUTSIDE, INSIDE)]
    assert sorted(len(one.columns) for one in merged) == sorted(len(one.columns) for one in single)
    frames = sorted(frame for one in merged for frame in one.columns.frame)
    assert frames == list(range(1, len(frames) + 1)), "numbers are those of the file"


# --- what cannot be read again ---------------------------------------------------------------------


def test_what_is_worth_a_picture_is_traced_and_the_rest_where_it_is_asked_for() -> None:
    healthy = report_of(SAMPLES / "healthy.pcap")
    assert retrace(healthy).traces == ()
    assert len(traces_of(healthy)) == 1
    assert len(retrace(report_of(FAILURE)).traces) == 1


def test_a_capture_that_is_gone_or_changed_is_told_and_the_others_are_drawn(
    tmp_path: Path, three: Report
) -> None:
    changed = tmp_path / "changed.pcap"
    content = bytearray(OUTSIDE.read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    sources = {"c2": str(changed), "c3": str(tmp_path / "gone.pcap")}
    captures = tuple(
        msgspec.structs.replace(one, source=sources.get(one.id, one.source)) for one in three.captures
    )
    found = retrace(msgspec.structs.replace(three, captures=captures))
    assert [one.place for one in found.traces] == ["client"]
    assert [str(error) for error in found.failed] == [
        f"{changed}: {second.CHANGED}",
        f"{tmp_path / 'gone.pcap'}: there is no such file",
    ]


def test_a_capture_without_a_hash_is_known_by_its_frames_and_times(tmp_path: Path) -> None:
    report = report_of(FAILURE)
    unhashed = msgspec.structs.replace(report.captures[0], content_sha256=None, sha256=None)
    assert len(retrace(msgspec.structs.replace(report, captures=(unhashed,))).traces) == 1
    other = msgspec.structs.replace(unhashed, last_ns=1)
    found = retrace(msgspec.structs.replace(report, captures=(other,)))
    assert [error.reason for error in found.failed] == [second.CHANGED]


def test_a_report_of_a_sweep_is_held_against_the_hash_that_it_has(tmp_path: Path) -> None:
    changed = tmp_path / "changed.pcap"
    shutil.copy(FAILURE, changed)
    swept = diagnose([str(changed)], Options(hashing=Hashing("blake3")))
    assert swept.captures[0].sha256 is None
    assert len(retrace(swept).traces) == 1
    content = bytearray(changed.read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    assert [error.reason for error in retrace(swept).failed] == [second.CHANGED]


def test_a_file_of_another_length_is_not_even_read(tmp_path: Path) -> None:
    report = report_of(FAILURE)
    longer = msgspec.structs.replace(report.captures[0], size=1)
    calls: list[int] = []
    found = retrace(
        msgspec.structs.replace(report, captures=(longer,)),
        progress=lambda position, _: calls.append(position),
    )
    assert ([error.reason for error in found.failed], calls) == ([second.CHANGED], [])


def test_standard_input_is_refused_with_its_reason() -> None:
    report = report_of(FAILURE)
    piped = msgspec.structs.replace(report.captures[0], source="-")
    found = retrace(msgspec.structs.replace(report, captures=(piped,)))
    assert (found.traces, [str(error) for error in found.failed]) == ((), [f"-: {second.ONLY_ONCE}"])


def test_a_flow_that_is_not_where_the_report_has_it_is_told() -> None:
    report = report_of(FAILURE)
    flow = report.flows[0]
    elsewhere = msgspec.structs.replace(flow.seen[0], first_frame=2)
    moved = msgspec.structs.replace(report, flows=(msgspec.structs.replace(flow, seen=(elsewhere,)),))
    found = retrace(moved)
    assert (found.traces, [error.reason for error in found.failed]) == ((), [second.ANOTHER_FLOW])


def test_a_report_of_schema_1_1_can_be_traced() -> None:
    text = report_of(FAILURE).to_json()
    told = msgspec.json.decode(text)
    for seen in told["flows"][0]["seen"]:
        for name in ("captures", "interface", "is_judged", "shifts"):
            del seen[name]
    old = Report.from_json(msgspec.json.encode(told | {"schema_version": "1.1"}))
    assert retrace(old).traces == retrace(Report.from_json(text)).traces


def test_rows_beyond_the_cap_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second, "TRACE_CAP", 100)
    (trace,) = traces_of(report_of(FAILURE))
    assert (len(trace.columns), trace.rows_left_out) == (100, 231)
    assert trace.columns.frame[-1] == 331
    assert caps.TRACE_CAP > 1 << 20


def test_whatever_has_an_article_is_drawn_a_flow_with_a_doubt_of_its_own_as_well() -> None:
    dead, left = reports.dead(), reports.left()
    report = reports.report((*dead.flows, *left.flows), (*dead.findings, *left.findings))
    drawn, more = errand.chosen(report, None)
    assert ([flow.id for flow in drawn], more) == ([dead.flows[0].id, left.flows[1].id], 0)


def test_small_flows_leave_their_room_to_large_ones() -> None:
    assert second.fair_share([10, 20, 30], 100) == 30
    assert second.fair_share([10, 500, 500], 110) == 50
    assert second.fair_share([500], 100) == 100
    assert second.fair_share([5, 5, 5], 1) == 1


def test_flows_beyond_the_cap_are_counted_and_the_worst_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errand, "MAX_TRACED", 1)
    report = report_of(SAMPLES / "answered.pcap", FAILURE)
    found = retrace(report)
    worst = next(flow.id for flow in report.flows if flow.verdict == "unanswered-duplicate-acks")
    assert ({trace.flow for trace in found.traces}, found.flows_left_out) == ({worst}, 1)


# --- clocks --------------------------------------------------------------------------------------

S = 1_000_000_000


def piece(
    low: int | None, high: int | None, span: tuple[int, int] = (0, 100 * S), skew: float | None = None
) -> ClockPiece:
    return ClockPiece(
        from_frame=1,
        to_frame=2,
        at_ns=sum(span) // 2,
        from_ns=span[0],
        to_ns=span[1],
        offset_low_ns=low,
        offset_high_ns=high,
        skew_ppm=skew,
        skew_low_ppm=skew,
        skew_high_ppm=skew,
        matches=30,
    )


def path_of(*clocks: Clock, places: int = 3) -> ReportPath:
    place = Place(captures=("c1",), vantage="client", is_told=True, is_sure=True, because="")
    return ReportPath(places=(place,) * places, clocks=clocks)


def clock(place: int, reference: int, *pieces: ClockPiece, is_shared: bool = False) -> Clock:
    return Clock(place=place, reference=reference, is_shared=is_shared, pieces=pieces)


def test_a_clock_ahead_is_set_back_and_a_clock_behind_is_set_forward() -> None:
    path = path_of(clock(1, 0, piece(5 * S - 10, 5 * S + 10)))
    assert (alignment(path, 1, 0)(50 * S), alignment(path, 1, 0).error_ns) == (45 * S, 10)
    assert alignment(path, 0, 1)(45 * S) == 50 * S
    assert (alignment(path, 0, 0)(7), alignment(path, 0, 0).error_ns) == (7, 0)


def test_a_clock_that_drifts_is_followed() -> None:
    path = path_of(clock(1, 0, piece(0, 0, skew=100.0)))
    assert alignment(path, 0, 1)(100 * S) == 100 * S + 5_000_000
    assert alignment(path, 1, 0)(100 * S + 5_000_000) == pytest.approx(100 * S, abs=1000)


def test_places_of_one_box_are_moved_together_by_the_narrowest_clock() -> None:
    wide, narrow = piece(80, 140), piece(95, 107)
    path = path_of(clock(1, 0, wide), clock(2, 0, narrow), clock(2, 1, piece(-3, 3), is_shared=True))
    assert [alignment(path, place, 0)(1100) for place in (1, 2)] == [999, 999]
    assert [alignment(path, place, 0).error_ns for place in (1, 2)] == [6, 6]
    assert alignment(path, 2, 1).error_ns == 0


def test_two_steps_lead_where_no_clock_leads_at_once() -> None:
    path = path_of(clock(1, 0, piece(10, 20)), clock(2, 1, piece(100, 104)))
    assert (alignment(path, 2, 0)(1000), alignment(path, 2, 0).error_ns) == (1000 - 102 - 15, 5 + 2)


def test_a_clock_that_was_set_is_followed_piece_by_piece() -> None:
    path = path_of(clock(1, 0, piece(0, 0, (0, 10 * S)), piece(60 * S, 60 * S, (10 * S, 20 * S))))
    assert [alignment(path, 1, 0)(when * S) for when in (5, 9, 72, 79)] == [5 * S, 9 * S, 12 * S, 19 * S]


def test_a_clock_that_may_be_right_is_left_alone_as_in_an_annotated_capture() -> None:
    found = alignment(path_of(clock(1, 0, piece(-20, 40))), 1, 0)
    assert (found(100), found.error_ns) == (100, 40)


def test_one_bound_is_a_guess_and_none_is_no_alignment() -> None:
    guess = alignment(path_of(clock(1, 0, piece(None, -30))), 1, 0)
    assert (guess(100), guess.error_ns) == (130, None)
    assert alignment(path_of(), 1, 0) == UNKNOWN
