"""Numbering: sentences call a frame what the customer's own files call it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctcp_forensics.numbering import FROM_ONE_FILE, Numbering
from ctcp_forensics.pipeline import Options, Source, diagnose
from tests.test_stories import OPENINGS
from tests.wire import Wire, pcap_of, told

FAILURE = """
C > S  +100  lost
8 times every 1s:
  C > S  +100
  S > C  ack 1001  by F
+500ms  C > S  R
"""


@pytest.mark.parametrize(
    ("frame", "called"),
    [(1, "frame 1 of a"), (30, "frame 30 of a"), (31, "frame 1 of b"), (99, "frame 49 of c")],
)
def test_a_frame_is_called_by_the_file_that_holds_it(frame: int, called: str) -> None:
    assert Numbering(((0, "a"), (30, "b"), (50, "c"))).tell(frame) == called


def test_a_frame_of_the_only_file_needs_no_name() -> None:
    assert FROM_ONE_FILE.tell(7) == Numbering(((0, "a.pcap"),)).tell(7) == "frame 7"


def part_of(wire: Wire, first: int, last: int) -> Wire:
    return Wire(captured=wire.captured[first:last], labels={})


def test_sentences_about_a_rotated_capture_number_frames_as_its_files_do(tmp_path: Path) -> None:
    wire = told(OPENINGS["tunnel"] + FAILURE)
    for name, part in (("one.pcap", part_of(wire, 0, 20)), ("two.pcap", part_of(wire, 20, 99))):
        (tmp_path / name).write_bytes(pcap_of(part))
    sources = [Source(path=str(tmp_path / name), vantage="client") for name in ("one.pcap", "two.pcap")]
    whole = tmp_path / "whole.pcap"
    whole.write_bytes(pcap_of(wire))
    (rotated,), (at_once,) = (
        diagnose(some, Options(ports=frozenset({10000}))).findings for some in (sources, [str(whole)])
    )
    assert "in frame 36." in at_once.summary
    assert "in frame 16 of two.pcap." in rotated.summary
    by_claim = {one.claim: one for one in rotated.evidence}
    assert by_claim["the-receiver-had-followed"].because.startswith("frame 19 of one.pcap was the last")
    assert by_claim["the-receiver-had-followed"].frames == {"c1": (19,)}


def test_files_of_one_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    wire = told(OPENINGS["tunnel"] + FAILURE)
    for folder, part in (("a", part_of(wire, 0, 20)), ("b", part_of(wire, 20, 99))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.pcap").write_bytes(pcap_of(part))
    sources = [Source(path=str(tmp_path / folder / "x.pcap"), vantage="client") for folder in "ab"]
    (finding,) = diagnose(sources, Options(ports=frozenset({10000}))).findings
    assert f"in frame 16 of {tmp_path / 'b' / 'x.pcap'}." in finding.summary
