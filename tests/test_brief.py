"""Flows that are told briefly: the same as when they are told in full, and nobody is told less than that they exist."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import dpkt
import msgspec
import pytest

from ctcp_forensics.annotate.choice import ChoiceError, concerned
from ctcp_forensics.brief import Line, counts_of, lines_of
from ctcp_forensics.compare import compare
from ctcp_forensics.pipeline import Options, Source, diagnose
from ctcp_forensics.redact import Key, Pseudonyms, redacted
from ctcp_forensics.render import render
from ctcp_forensics.render.look import PLAIN, Depth, Look
from ctcp_forensics.render.page import page
from ctcp_forensics.report import Brief, BriefVerdict, Flow, Report, ReportError, exit_status
from tests.command_line import HEALTHY, run
from tests.crowd import ALL, made, short, whole

__all__ = ["made", "short", "whole"]

FEW = Options(max_in_full=6)
FRAMES, FLOWS = 8_000, 80
LOOK = Look(depth=Depth.WHAT, width=None, pen=PLAIN)


def text_of(report: Report, form: str) -> str:
    return "".join(render(report, form, LOOK))


# --- what is told ---------------------------------------------------------------------------------


def test_a_flow_is_told_in_full_or_briefly_and_says_the_same(whole: Report, short: Report) -> None:
    in_full = {flow.id: flow for flow in short.flows}
    assert all(in_full[flow.id] == flow for flow in whole.flows if flow.id in in_full)
    assert not whole.brief
    others = [facts_of(flow) for flow in whole.flows if flow.id not in in_full]
    assert len(others) > FLOWS / 2
    assert [told_of(line) for line in lines_of(short)] == others
    assert [line.number for line in lines_of(short)] == list(range(len(in_full) + 1, FLOWS + 1))


def facts_of(flow: Flow) -> tuple[object, ...]:
    (seen,), both = flow.seen, flow.directions
    segments = (both.client_to_headend.segments, both.headend_to_client.segments)
    times = (flow.first_ns, flow.last_ns)
    return (
        seen.capture,
        flow.verdict,
        flow.confidence,
        flow.client,
        flow.headend,
        *times,
        seen.first_frame,
        *segments,
    )


def told_of(line: Line) -> tuple[object, ...]:
    assert not line.is_early
    return tuple(line[1:-1])


def test_in_a_torn_capture_no_flow_told_briefly_is_surer_than_one_in_full(made: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn.pcap"
    torn.write_bytes(made.read_bytes()[:-7])
    told = {(line.verdict, line.confidence) for line in lines_of(diagnose([str(torn)], FEW))}
    in_full = {(flow.verdict, flow.confidence) for flow in diagnose([str(torn)], ALL).flows}
    assert ("healthy", "consistent") in told
    assert told <= in_full


def test_what_needs_reading_is_told_in_full(whole: Report, short: Report) -> None:
    assert short.findings
    told = {finding.id for finding in short.findings}
    unwell = [one for one in whole.findings if one.verdict == "unanswered-duplicate-acks"]
    assert {one.id for one in unwell} <= told
    assert exit_status(short) == exit_status(whole)
    assert short.coverage == whole.coverage
    assert short.coverage.flows_judged == FLOWS


def test_a_small_capture_is_told_in_full(made: Path, whole: Report) -> None:
    assert diagnose([str(made)], Options()) == whole


def test_of_several_captures_every_flow_is_told_in_full(made: Path) -> None:
    found = diagnose([str(made), HEALTHY], FEW)
    assert not found.brief
    assert len(found.flows) == FLOWS + 1


def test_of_a_rotated_capture_frames_are_those_of_the_file_in_which_a_flow_begins(
    made: Path, short: Report, tmp_path: Path
) -> None:
    halves = [tmp_path / "one.pcap", tmp_path / "two.pcap"]
    cut = split(made, halves)
    rotated = diagnose([Source(path=str(half), vantage="client") for half in halves], FEW)
    assert [brief.capture for brief in rotated.brief] == ["c1", "c2"]
    again = [
        (line.first_frame + (cut if line.capture == "c2" else 0), line.client, line.to_client)
        for line in lines_of(rotated)
    ]
    assert again == [(line.first_frame, line.client, line.to_client) for line in lines_of(short)]


def split(source: Path, halves: list[Path]) -> int:
    """Two files, the second of which begins with the flows' third quarter; how many frames the first has."""
    with source.open("rb") as file:
        frames = list(dpkt.pcap.Reader(file))
    cut = FRAMES // 8
    for half, some in zip(halves, (frames[:cut], frames[cut:]), strict=True):
        with half.open("wb") as file:
            writer = dpkt.pcap.Writer(file, linktype=dpkt.pcap.DLT_EN10MB, nano=True)
            for at, frame in some:
                writer.writepkt(frame, at)
    return cut


# --- and how ----------------------------------------------------------------------------------------


def test_the_table_counts_them_in_its_sentence_and_below_its_rows(whole: Report, short: Report) -> None:
    lines, longer = text_of(short, "table").splitlines(), text_of(whole, "table").splitlines()
    assert lines[0] == longer[0]
    (said,) = [line for line in lines if "--in-full" in line]
    assert said.startswith(
        f"and {sum(1 for _ in lines_of(short))} flows more, told in a line each by csv and ndjson: "
    )
    assert not [line for line in longer if "--in-full" in line]
    for verdict, flows in counts_of(short.brief).items():
        assert f"{flows} {verdict}" in said


def test_markdown_counts_them(short: Report) -> None:
    said = text_of(short, "markdown").replace("\\", "")
    assert all(f"{flows} {verdict}" in said for verdict, flows in counts_of(short.brief).items())


def test_the_note_counts_them_with_the_others(whole: Report, short: Report) -> None:
    said = " ".join(text_of(short, "note").split())
    counts = Counter(flow.verdict for flow in whole.flows)
    assert all(f"{flows} {verdict}" in said for verdict, flows in counts.items())
    assert f" of {FLOWS}, the worst" in said


def test_the_page_counts_them(short: Report) -> None:
    said = "".join(page(short, ()))
    assert f"{counts_of(short.brief).total()} flows more" in said
    assert f"{FLOWS} flows: " in said


def test_csv_and_ndjson_have_a_line_for_each(whole: Report, short: Report) -> None:
    rows = list(csv.DictReader(io.StringIO(text_of(short, "csv"))))
    known = (
        "verdict",
        "confidence",
        "client_address",
        "client_port",
        "first_utc",
        "last_ns",
        "segments",
        "captures",
    )
    assert sorted([row[name] for name in known] for row in rows) == sorted(
        [row[name] for name in known] for row in csv.DictReader(io.StringIO(text_of(whole, "csv")))
    )
    records = [json.loads(line) for line in text_of(short, "ndjson").splitlines()]
    of_flows = [record for record in records if record["type"] in {"flow", "brief"}]
    assert Counter(record["verdict"] for record in of_flows) == Counter(flow.verdict for flow in whole.flows)


def test_the_report_comes_back_from_its_json(short: Report) -> None:
    assert Report.from_json(short.to_json()) == short


# --- who looks for a flow -----------------------------------------------------------------------------


def test_who_asks_for_a_flow_that_is_told_briefly_learns_how_to_get_it(short: Report) -> None:
    hidden = counts_of(short.brief).total()
    with pytest.raises(ChoiceError, match=f"; {hidden} more are told briefly: --in-full"):
        concerned(short, [f"#{FLOWS}"])


def test_in_full_is_asked_for_on_the_command_line(made: Path, whole: Report, tmp_path: Path) -> None:
    written = tmp_path / "full.json"
    run("analyze", "--in-full", "--format", "json", "-o", str(written), str(made))
    assert Report.from_json(written.read_bytes()).flows == whole.flows
    told = run("annotate", "--in-full", "--flow", f"#{FLOWS}", "-o", str(tmp_path / "a.pcapng"), str(made))
    assert told.returncode == 0


def test_a_comparison_says_whom_it_did_not_see(whole: Report, short: Report) -> None:
    hidden = counts_of(short.brief).total()
    assert f"{hidden} flows of after are told briefly and are not compared" in " ".join(
        compare(whole, short).notes
    )
    assert not [note for note in compare(whole, whole).notes if "briefly" in note]


def test_addresses_of_flows_told_briefly_are_redacted(short: Report) -> None:
    hidden = redacted(short, Pseudonyms(Key(secret=bytes(range(32)))))
    real = {address for brief in short.brief for address in brief.addresses}
    text = hidden.to_json().decode()
    assert real
    assert not [address for address in real if f'"{address}"' in text]
    assert all(ip_address(address) for brief in hidden.brief for address in brief.addresses)
    unchanged = [told_of(line)[5:] for line in lines_of(short)]
    assert [told_of(line)[5:] for line in lines_of(hidden)] == unchanged


# --- a report comes from anywhere -----------------------------------------------------------------------


def broken() -> Iterator[tuple[str, Brief]]:
    alike: dict[str, Any] = dict.fromkeys(
        ("verdict", "client_port", "first_ns", "last_ns", "first_frame", "to_headend", "to_client"), "0 0"
    )
    sound = Brief(
        capture="c1",
        verdicts=(BriefVerdict(verdict="healthy", confidence="strong", flows=2),),
        addresses=("192.0.2.1", "198.51.100.1"),
        **alike,
        client="0 0",
        headend="1 1",
        headend_port="1 1",
    )
    for column, text in (
        ("first_ns", "1"),
        ("first_ns", "1 2 3"),
        ("first_ns", ""),
        ("first_ns", "1  2"),
        ("first_ns", "1 x"),
        ("first_ns", "1 ²"),
        ("first_ns", "1 " + "9" * 21),
        ("client", "0 2"),
        ("headend", "2 0"),
        ("verdict", "0 1"),
    ):
        yield f"{column} {text[:8]}", msgspec.structs.replace(sound, **{column: text})
    yield "negative", msgspec.structs.replace(sound, verdict="0 -1")
    more = (BriefVerdict(verdict="healthy", confidence="strong", flows=3),)
    yield "counts", msgspec.structs.replace(sound, verdicts=more)


@pytest.mark.parametrize("brief", [pytest.param(brief, id=name) for name, brief in broken()])
def test_columns_that_do_not_fit_together_are_refused(brief: Brief, short: Report, tmp_path: Path) -> None:
    report = msgspec.structs.replace(short, brief=(brief,))
    with pytest.raises(ReportError):
        list(lines_of(report))


def test_the_command_says_of_such_a_report_in_one_line_what_is_wrong(short: Report, tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(msgspec.structs.replace(short, brief=(next(broken())[1],)).to_json())
    told = run("render", str(path))
    assert (told.returncode, told.stdout) == (2, "")
    assert "broken.json: columns of flows that are told briefly are of different lengths; " in told.stderr
