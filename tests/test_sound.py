"""Sound reports pass; of one that names what it does not have, or tells what cannot be, one sentence says what."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from ctcp_forensics.cli import main
from ctcp_forensics.picture import traces_in
from ctcp_forensics.report import Report, ReportError
from ctcp_forensics.retrace import as_told_by
from ctcp_forensics.sound import complaints, refuse_unsound
from tests import reports

SAMPLES = Path(__file__).parent.parent / "samples"
FLOW, SEEN, EPISODE = ("flows", 0), ("flows", 0, "seen", 0), ("flows", 0, "episodes", 0)
CLOCK, CROSSING = ("paths", 0, "clocks", 0), ("paths", 0, "crossings", 0)
PICTURE = ("pictures", 0)

UNSOUND: list[tuple[tuple[str | int, ...], object, str]] = [
    (("captures", 1, "id"), "c1", "two captures have one id"),
    (("captures", 0, "last_ns"), 1 << 63, "a time that no clock shows"),
    ((*FLOW, "client", "address"), "10.0.0.256", "an address that is none"),
    ((*FLOW, "headend", "port"), 65_536, "has port 65536"),
    ((*FLOW, "headend", "port"), -1, "has port -1"),
    ((*FLOW, "judged_in"), "c9", "names c9"),
    ((*FLOW, "direction"), "upwards", "goes neither to the headend nor back"),
    ((*FLOW, "ending", "frame"), {"c9": 1}, "names c9"),
    ((*FLOW, "seen"), [], "is seen in no capture"),
    ((*SEEN, "client", "address"), "", "an address that is none"),
    ((*SEEN, "capture"), "c9", "names c9"),
    ((*SEEN, "last_capture"), "c9", "names c9"),
    ((*SEEN, "last_frame"), 1 << 60, "a frame number that no capture has"),
    ((*EPISODE, "direction"), "sideways", "goes neither to the headend nor back"),
    ((*EPISODE, "first_ns"), -(1 << 70), "a time that no clock shows"),
    ((*EPISODE, "missing_segment_frame"), {"c9": None}, "names c9"),
    (("findings", 0, "flow"), "nowhere", "is on flow nowhere, which the report does not have"),
    (("findings", 0, "display_filters"), {"c9": "tcp"}, "names c9"),
    (("findings", 0, "evidence", 0, "frames"), {"c1": [-1]}, "a frame number that no capture has"),
    (("paths", 0, "places", 0, "captures"), [], "has no capture"),
    (("paths", 0, "places", 0, "captures"), ["c9"], "names c9"),
    ((*CLOCK, "reference"), 9, "a place that it does not have"),
    ((*CLOCK, "pieces", 0, "to_capture"), "c9", "names c9"),
    ((*CROSSING, "towards"), -1, "a place that it does not have"),
    ((*CROSSING, "flow"), "nowhere", "names nowhere"),
    ((*CROSSING, "direction"), "", "goes neither to the headend nor back"),
    ((*CROSSING, "lost_in"), ["c9"], "names c9"),
    ((*PICTURE, "flow"), "nowhere", "names nowhere"),
    ((*PICTURE, "moment_ns"), 1 << 64, "a time that no clock shows"),
    ((*PICTURE, "places"), [], "shows no place"),
    ((*PICTURE, "places", 0, "captures"), [], "a place without a capture"),
]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Three captures of one path, the failure on it, and its picture, as `analyze` writes it."""
    file = tmp_path_factory.mktemp("told") / "report.json"
    places = {"--client": "client", "--asa-outside": "asa-outside", "--asa-inside": "asa-inside"}
    named = [word for role, name in places.items() for word in (role, str(SAMPLES / f"failure-{name}.pcap"))]
    assert main(["analyze", "-q", "--pictures", "-f", "json", "-o", str(file), *named]) == 1
    return file.read_bytes()


def edited(told: bytes, place: tuple[str | int, ...], value: object) -> Report:
    document = json.loads(told)
    *way, last = place
    holder: Any = reduce(lambda here, key: here[key], way, document)
    assert holder[last] != value
    holder[last] = value
    return Report.from_json(json.dumps(document).encode())


def test_what_analyze_writes_is_sound(told: bytes) -> None:
    report = Report.from_json(told)
    assert report.paths[0].clocks
    assert report.paths[0].crossings
    assert report.pictures
    assert list(complaints(report)) == []


@pytest.mark.parametrize("made", [reports.dead, reports.mixed, reports.case, reports.damaged, reports.empty])
def test_reports_that_are_true_to_life_are_sound(made: Callable[[], Report]) -> None:
    refuse_unsound(made())


@pytest.mark.parametrize(("place", "value", "words"), UNSOUND)
def test_one_thing_that_cannot_be_is_named(
    told: bytes, place: tuple[str | int, ...], value: object, words: str
) -> None:
    with pytest.raises(ReportError, match=words):
        refuse_unsound(edited(told, place, value))


def test_a_word_for_an_outcome_from_a_later_version_is_rendered(
    told: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "later.json"
    file.write_bytes(edited(told, ("findings", 0, "evidence", 0, "outcome"), "likely").to_json())
    assert main(["render", "-q", str(file)]) == 1
    assert "unanswered duplicate ACKs" in capsys.readouterr().out


def test_a_picture_of_a_place_where_the_flow_was_not_seen_is_refused(told: bytes) -> None:
    report = edited(told, (*PICTURE, "places", 0, "place"), "elsewhere")
    with pytest.raises(ReportError, match="a place where the flow was not seen"):
        as_told_by(report, report, traces_in(report.pictures[0]))
