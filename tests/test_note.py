"""The case note: the customer reads the same facts in at most forty lines of ASCII, whatever the report holds.

The notes are in tests/golden/notes; `python -m tests.test_note` writes them anew, to be reviewed like code.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctcp_forensics.render.note import note
from ctcp_forensics.render.sheet import MAX_LINES, WIDTH, Paragraph, Part, ascii_of, fitted, shortened
from ctcp_forensics.report import Capture, Coverage, Failed, Recommendation, Report
from tests import reports
from tests.stored import SAMPLES, of_sample, together

GOLDEN = Path(__file__).parent / "golden" / "notes"
PARTS = ["SYMPTOM", "CAPTURE ANALYSIS", "RECOMMENDED ACTION", "POSSIBLE CAUSES RULED OUT", "EVIDENCE"]


SAID: dict[str, Callable[[], Report]] = {
    "failure-together.txt": together,
    "failure-client.txt": lambda: of_sample("failure-client.pcap"),
    "failure-capture-full.txt": lambda: of_sample("failure-capture-full.pcap"),
    "idle-timeout-client.txt": lambda: of_sample("idle-timeout-client.pcap"),
    "loss-tolerated.txt": lambda: of_sample("loss-tolerated.pcap"),
    "healthy.txt": lambda: of_sample("healthy.pcap"),
    "several-flows.txt": reports.mixed,
    "left.txt": reports.left,
    "case.txt": reports.case,
    "nothing-judged.txt": reports.empty,
    "nothing-read.txt": lambda: unread(),
    "damaged.txt": reports.damaged,
    "many-captures.txt": lambda: of_many_captures(12),
}


def unread() -> Report:
    gone = reports.capture(outcome="rejected", source="gone.pcap", sha256=None, frames=0, first_ns=None)
    failed = Failed(source="gone.pcap", reason="no such file")
    coverage = Coverage(captures=1, rejected=1, failed=(failed,))
    return reports.report((), (), coverage, (gone,))


def of_many_captures(number: int) -> Report:
    captures = tuple(
        reports.capture(id=f"c{place}", source=f"/cases/customer-of-ours-{place:04}-outside-interface.pcap")
        for place in range(1, number + 1)
    )
    return msgspec.structs.replace(reports.dead(), captures=captures)


def told(report: Report) -> str:
    return "".join(note(report))


def fits(text: str) -> bool:
    lines = text.splitlines()
    return (
        len(lines) <= MAX_LINES
        and max(map(len, lines)) <= WIDTH
        and text.isascii()
        and all(line.isprintable() for line in lines)
    )


@pytest.mark.parametrize("name", SAID)
def test_a_note_says_these_very_letters(name: str) -> None:
    assert told(SAID[name]()) == (GOLDEN / name).read_text(encoding="ascii")


def test_the_bounds_are_those_of_the_issue() -> None:
    assert (MAX_LINES, WIDTH) == (40, 78)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(reports.joined())
def test_any_report_gives_a_note_that_fits(report: Report) -> None:
    assert fits(told(report))


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_gives_a_note_that_fits_and_has_its_four_parts(name: str) -> None:
    text = told(of_sample(name))
    assert fits(text)
    assert [line.partition(" (")[0] for line in text.splitlines() if line and line[0] != " "] == PARTS


@pytest.mark.parametrize("captures", [1, 2, 3, 4, 6, 7, 500])
def test_however_many_captures_the_note_fits_and_counts_those_it_does_not_name(captures: int) -> None:
    text = told(of_many_captures(captures))
    assert fits(text)
    hashes = re.findall(r"SHA-256 ([0-9a-f]+)", text)
    assert {len(one) for one in hashes} == {64 if captures <= 3 else 16}
    assert len(hashes) == min(captures, 6)
    assert ("hashes are shortened here" in text) == (captures > 3)
    assert (f"and {captures - 6} capture" in text) == (captures > 6)


def test_of_many_flows_the_worst_is_told_and_all_are_counted() -> None:
    text = told(reports.mixed())
    assert "this is flow 2 of 3, the worst" in text
    assert "192.0.2.10:51234" in text
    assert "192.0.2.11" not in text


@pytest.mark.parametrize(
    ("sample", "part", "says"),
    [
        ("healthy.pcap", "out", "unanswered duplicate ACKs in this flow"),
        ("loss-tolerated.pcap", "out", "unanswered duplicate ACKs in this flow"),
        (
            "failure-asa-inside.pcap",
            "open",
            "unanswered duplicate ACKs, which look like this from behind the loss",
        ),
    ],
)
def test_whether_the_failure_itself_is_ruled_out_is_said(sample: str, part: str, says: str) -> None:
    words = " ".join(told(of_sample(sample)).split())
    out, _, left = words.partition("POSSIBLE CAUSES RULED OUT")[2].partition(" open NOT ruled out: ")
    assert says in (out if part == "out" else left)
    assert says not in (left if part == "out" else out)


def test_however_much_is_recommended_the_note_fits_and_counts_the_rest() -> None:
    long = msgspec.structs.replace(
        reports.BYPASS, commands=("word " * 400,), roll_back=("no word " * 400,), verify=("look " * 300,)
    )
    fixes = (long, *(msgspec.structs.replace(reports.LEAVE_TCP, fix=f"fix-{n}") for n in range(60)))
    text = told(with_fixes(*fixes))
    assert fits(text)
    assert "and 56 more" in text
    assert "--fix tcp-state-bypass" in text
    assert "no word" not in text  # half a roll-back would mislead


def with_fixes(*fixes: Recommendation) -> Report:
    finding = msgspec.structs.replace(reports.DEAD_FINDING, recommendations=fixes)
    return reports.report((reports.DEAD_FLOW,), (finding,))


@pytest.mark.parametrize(
    "source", ["/x/a\nSYMPTOM\x1b[31m.pcap", "rück\u202egnp.pcap", "漢" * 200, "/" + "n" * 300]
)
def test_a_hostile_name_is_shown_as_its_escape_and_cut_in_the_middle(source: str) -> None:
    report = msgspec.structs.replace(reports.dead(), captures=(reports.capture(source=source),))
    text = told(report)
    assert fits(text)
    assert text.count("\nSYMPTOM") + text.startswith("SYMPTOM") == 1


def test_two_captures_whose_short_names_are_alike_go_by_their_ids() -> None:
    base = reports.case()
    name = "a-very-long-name-of-a-capture-{}-taken-at-the-customers-site.pcap"
    captures = tuple(
        msgspec.structs.replace(one, source=name.format(number)) for number, one in enumerate(base.captures)
    )
    text = told(msgspec.structs.replace(base, captures=captures))
    assert "frames of c1" in text


def test_the_facts_of_a_note_are_those_of_the_report() -> None:
    report = together()
    text = told(report)
    capture: Capture
    for capture in report.captures:
        assert str(capture.sha256) in text
    for fact in (
        "proven",
        "frames 183, 185",
        "byte 3060619500",
        "2026-11-23T21:27:20.138838Z",
        "client-asa",
        "(asa)",
    ):
        assert fact in text


# --- the sheet ----------------------------------------------------------------------------


def test_the_longest_paragraph_gives_way_first_and_says_so() -> None:
    parts = [Part("A", (Paragraph("long", "word " * 800), Paragraph("short", "stays whole"))), Part("B", ())]
    lines = list(fitted(parts))
    assert len(lines) == MAX_LINES
    assert lines[-2].endswith("stays whole")
    assert lines[-3].endswith(" ...")


def test_where_a_part_would_mislead_the_other_text_is_told_whole() -> None:
    parts = [Part("A", (Paragraph("by", "one; " * 1000, instead="see elsewhere"),))]
    assert list(fitted(parts)) == ["A", "  by      see elsewhere"]


def test_there_is_air_between_the_parts_where_there_is_room() -> None:
    assert list(fitted([Part("A", (Paragraph("x", "1"),)), Part("B", (Paragraph("y", "2"),))])) == [
        "A",
        "  x       1",
        "",
        "B",
        "  y       2",
    ]


@given(st.text(), st.integers(min_value=5, max_value=60))
def test_a_name_is_cut_to_its_beginning_and_its_end(name: str, at_most: int) -> None:
    short, whole = shortened(name, at_most), ascii_of(name)
    if len(whole) <= at_most:
        assert short == whole
    else:
        head, tail = short[: at_most // 2 - 1], short[at_most // 2 + 2 :]
        assert short == f"{head}...{tail}"
        assert len(short) == at_most
        assert whole.startswith(head)
        assert whole.endswith(tail)
        assert 0 <= len(head) - len(tail) <= 1


if __name__ == "__main__":
    for file, report in SAID.items():
        (GOLDEN / file).write_text(told(report()), encoding="ascii")
        sys.stdout.write(f"{GOLDEN / file}\n")
