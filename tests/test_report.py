"""The report keeps its names, its JSON is the report, and its schema tells the truth."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from ctcp_forensics.report import (
    Capture,
    Coverage,
    Failed,
    Picture,
    Report,
    ReportError,
    exit_status,
)
from ctcp_forensics.report.published import schema, schema_json
from tests import reports

VALIDATOR = Draft202012Validator(schema())


@settings(suppress_health_check=[HealthCheck.too_slow])  # a report has many parts
@given(reports.anything(Report))
def test_a_report_read_back_from_its_json_is_the_same_report(report: Report) -> None:
    assert Report.from_json(report.to_json()) == report


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(reports.anything(Report))
def test_the_schema_allows_whatever_the_records_can_hold(report: Report) -> None:
    VALIDATOR.validate(json.loads(report.to_json()))


@settings(max_examples=30)
@given(reports.anything(Picture))
def test_pictures_keep_to_the_schema_and_come_back_as_they_were(picture: Picture) -> None:
    report = msgspec.structs.replace(reports.dead(), pictures=(picture,))
    VALIDATOR.validate(json.loads(report.to_json()))
    assert Report.from_json(report.to_json()) == report


@pytest.mark.parametrize("name", ["dead", "healthy", "short", "mixed", "empty", "damaged"])
def test_the_schema_allows_reports_as_they_are_made(name: str) -> None:
    report: Report = getattr(reports, name)()
    VALIDATOR.validate(json.loads(report.to_json()))


def test_the_schema_forbids_a_report_without_findings() -> None:
    told = json.loads(reports.dead().to_json())
    del told["findings"]
    (error,) = VALIDATOR.iter_errors(told)
    assert error.message == "'findings' is a required property"


def test_the_schema_forbids_a_verdict_that_has_no_name() -> None:
    told = json.loads(reports.dead().to_json())
    told["findings"][0]["verdict"] = "the-firewall-did-it"
    assert [error.validator for error in VALIDATOR.iter_errors(told)] == ["enum"]


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


def test_the_schema_tells_its_records_without_the_indentation_of_our_source() -> None:
    """Python 3.13 takes it away when it compiles, older ones do not: the published text is the same from all."""
    assert [name for name, one in schema()["$defs"].items() if "\n  " in one["description"]] == []


def test_the_published_schema_is_current() -> None:
    published = files("ctcp_forensics").joinpath("report.schema.json").read_bytes()
    assert published == schema_json(), "python -m ctcp_forensics schema > ctcp_forensics/report.schema.json"


# Scripts are written against these names (issue 2, item 9): they may gain neighbours and never go away.
PROMISED = {
    "Report": "schema_version tool captures flows findings coverage",
    "Capture": "id source sha256 vantage format frames tcp_segments first_ns last_ns outcome damage",
    "Damage": "offset reason",
    "Flow": "id client headend first_ns last_ns encapsulation ending verdict confidence direction "
    "loss_location seen episodes",
    "Endpoint": "address port",
    "Encapsulation": "kind grade because",
    "Seen": "capture frames client headend first_frame last_frame",
    "Episode": "direction wanted_seq wanted_offset duplicate_acks first_duplicate_ack_frame "
    "missing_segment_frame answered",
    "Finding": "id flow verdict confidence summary evidence recommendations display_filter",
    "Evidence": "claim outcome because frames",
    "Recommendation": "fix change commands cost verify roll_back source",
}


@pytest.mark.parametrize("record", PROMISED)
def test_every_promised_name_is_in_every_report(record: str) -> None:
    promised = set(PROMISED[record].split())
    assert promised <= set(schema()["$defs"][record]["required"])


def test_the_json_is_the_same_every_time_and_ends_its_last_line() -> None:
    first, second = reports.mixed().to_json(), reports.mixed().to_json()
    assert first == second
    assert first.startswith(b'{\n  "schema_version": "1.5",\n  "tool": {')
    assert first.endswith(b"}\n")


HOSTILE = ['\n  "flows": []', '\\n  "findings": []', '"findings": [],\r\n  "flows": []']


@pytest.mark.parametrize("flows", [0, 1, 16, 17, 40])
@pytest.mark.parametrize("findings", [0, 1, 32, 33])
def test_the_pieces_are_the_json_of_the_whole(flows: int, findings: int) -> None:
    """Whatever its texts look like: the notes stand behind what is cut, a title within it."""
    dead = reports.dead()
    finding = replace(dead.findings[0], title=HOSTILE[0], summary=HOSTILE[1])
    report = replace(dead, flows=dead.flows[:1] * flows, findings=(finding,) * findings, notes=tuple(HOSTILE))
    report = replace(report, tool=replace(report.tool, version=HOSTILE[0]))
    expected = msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"
    assert b"".join(report.json_pieces()) == expected


def test_names_that_a_later_minor_version_added_are_skipped() -> None:
    told = json.loads(reports.dead().to_json())
    told["schema_version"] = "1.7"
    told["weather"] = "rain"
    told["flows"][0]["mood"] = "bad"
    assert Report.from_json(json.dumps(told).encode()).flows == reports.dead().flows


def test_another_major_version_is_refused() -> None:
    told = json.loads(reports.dead().to_json())
    told["schema_version"] = "2.0"
    with pytest.raises(ReportError, match=r"report has schema version 2\.0, this program reads 1\.5"):
        Report.from_json(json.dumps(told).encode())


@pytest.mark.parametrize(
    "text", [b"", b"no JSON", b"[]", b"{}", b'{"tool": 3}', b"\xff", pytest.param(b"[" * 100_000, id="deep")]
)
def test_what_is_no_report_is_refused_with_a_reason(text: bytes) -> None:
    with pytest.raises(ReportError, match="not a ctcp-diag report: "):
        Report.from_json(text)


def test_a_file_name_that_is_no_text_still_makes_a_report() -> None:
    capture = Capture(id="c1", source="caf\udce9.pcap", outcome="complete")
    coverage = Coverage(captures=2, complete=1, failed=(Failed(source="\udcff", reason="no \udcff here"),))
    report = reports.report((), (), coverage, (capture,))
    assert report.captures[0].source == "caf\\udce9.pcap"
    assert Report.from_json(report.to_json()) == report


@pytest.mark.parametrize(
    ("name", "status"),
    [("dead", 1), ("mixed", 1), ("healthy", 0), ("short", 0), ("empty", 0), ("damaged", 3)],
)
def test_the_exit_status_tells_the_verdict(name: str, status: int) -> None:
    assert exit_status(getattr(reports, name)()) == status


@pytest.mark.parametrize(
    "lacking",
    [
        {"partial": 1},
        {"rejected": 1},
        {"caps": reports.damaged().coverage.caps},
        {"failed": reports.damaged().coverage.failed},
    ],
    ids=["partial", "rejected", "caps", "failed"],
)
def test_whatever_was_not_looked_at_makes_coverage_incomplete(lacking: dict[str, Any]) -> None:
    coverage = msgspec.structs.replace(reports.WHOLE, **lacking)
    assert exit_status(reports.report((), (), coverage)) == 3
    assert exit_status(reports.report((reports.DEAD_FLOW,), (reports.DEAD_FINDING,), coverage)) == 1
