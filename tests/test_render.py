"""What a reader sees of a report, letter by letter, and what no capture can make him see.

The golden texts are in tests/golden/render; `python -m tests.test_render` writes them anew, to be reviewed like code.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctcp_forensics.claims.words import seconds
from ctcp_forensics.render import FORMATS, render
from ctcp_forensics.render.judged import headline, links, worst_first
from ctcp_forensics.render.look import COLORED, Depth, Look
from ctcp_forensics.render.markdown import code, prose
from ctcp_forensics.render.path import clocks_of
from ctcp_forensics.render.wording import claim_words, clean, duration, endpoint, frames, rounded, sized, utc
from ctcp_forensics.report import Endpoint, Evidence, Failed, Report
from tests import reports

GOLDEN = Path(__file__).parent / "golden" / "render"
SAID: dict[str, Callable[[], str]] = {
    "verdict.txt": lambda: said(reports.mixed(), depth=Depth.VERDICT),
    "what.txt": lambda: said(reports.mixed()),
    "where.txt": lambda: said(reports.dead(), depth=Depth.WHERE),
    "why.txt": lambda: said(reports.dead(), depth=Depth.WHY),
    "narrow.txt": lambda: said(reports.mixed(), width=80),
    "healthy.txt": lambda: said(reports.healthy()),
    "damaged.txt": lambda: said(reports.damaged()),
    "empty.txt": lambda: said(reports.empty()),
    "case.txt": lambda: said(reports.case(), width=100),
    "case-where.txt": lambda: said(reports.case(), depth=Depth.WHERE, width=100),
    "case-narrow.txt": lambda: said(reports.case(), depth=Depth.WHERE, width=60),
    "case.md": lambda: said(reports.case(), "markdown"),
    "case.csv": lambda: said(reports.case(), "csv"),
    "mixed.md": lambda: said(reports.mixed(), "markdown"),
    "damaged.md": lambda: said(reports.damaged(), "markdown"),
    "mixed.csv": lambda: said(reports.mixed(), "csv"),
    "short.ndjson": lambda: said(reports.short(), "ndjson"),
}


def of_ipv6() -> Report:
    network = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:"
    client = Endpoint(address=network + "1111", port=51234)
    headend = Endpoint(address=network + "2222", port=10000)
    flow = msgspec.structs.replace(reports.DEAD_FLOW, client=client, headend=headend)
    return reports.report((flow,), (reports.DEAD_FINDING,))


def said(report: Report, form: str = "table", **look: Any) -> str:
    return "".join(render(report, form, Look(**look)))


@pytest.mark.parametrize("name", SAID)
def test_a_small_report_is_said_in_these_very_letters(name: str) -> None:
    assert SAID[name]() == (GOLDEN / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "found",
    [{"verdict": "reset-by-middlebox"}, {"rst_author": "client-asa"}],
    ids=["by its TTL", "by its place"],
)
def test_an_rst_that_a_box_made_is_told_as_the_ending_by_neither_end(found: dict[str, str]) -> None:
    flow = msgspec.structs.replace(reports.DEAD_FLOW, **found)
    told = reports.report((flow,), (reports.DEAD_FINDING,))
    (row,) = csv.DictReader(io.StringIO(said(told, "csv")))
    assert (row["ending"], row["ending_by"]) == ("rst", "")
    for form in ("table", "markdown"):
        assert "rst in the name of client" in said(told, form, depth=Depth.WHERE)


def test_claims_are_written_as_a_person_writes_them() -> None:
    assert claim_words("the-ack-never-moved-again") == "the ACK never moved again"
    assert claim_words("looks-like-ctcp") == "looks like cTCP"
    assert claim_words("the-reset-has-a-ttl-of-its-own") == "the reset has a TTL of its own"


@pytest.mark.parametrize("form", ["table", "note", "markdown"])
def test_no_reader_is_shown_the_name_of_a_claim_for_its_words(form: str) -> None:
    claims = {one.claim for finding in reports.case().findings for one in finding.evidence}
    for depth in Depth:
        shown = said(reports.case(), form, depth=depth).replace("\\", "")
        assert [name for name in claims if "-" in name and name in shown] == []


def test_a_form_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no form is called yaml: table, note, json, ndjson, markdown, csv"):
        said(reports.mixed(), "yaml")


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_report_is_said_in_the_same_bytes(form: str) -> None:
    assert said(reports.mixed(), form) == said(reports.mixed(), form)


# --- hostile captures ---------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(reports.joined())
def test_nothing_in_a_report_can_command_a_terminal(report: Report) -> None:
    for form in ("table", "markdown", "csv"):
        for depth in Depth:
            text = said(report, form, depth=depth, width=80)
            assert all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain ünïcode 漢字", "plain ünïcode 漢字"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("two\nlines\r", r"two\nlines\r"),
        ("tab\tbell\x07", r"tab\tbell\x07"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\x9b31m", r"\x9b31m"),
        ("caf\udce9", r"caf\udce9"),
        ("a\u2028b", r"a\u2028b"),
    ],
)
def test_what_is_not_printable_is_shown_as_its_escape(raw: str, shown: str) -> None:
    assert clean(raw) == shown


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r="])
def test_a_spreadsheet_gets_no_formula(start: str) -> None:
    finding = msgspec.structs.replace(reports.DEAD_FINDING, summary=start + "cmd|' /C calc'!A0")
    (row,) = csv.DictReader(io.StringIO(said(reports.report((reports.DEAD_FLOW,), (finding,)), "csv")))
    assert row["summary"][0] in {"'", "\\"}
    assert row["summary"][1:].endswith("cmd|' /C calc'!A0")


def test_markdown_shows_the_characters_of_a_name_and_obeys_none() -> None:
    assert prose("![x](http://e) <b> |a|_b_*c*#") == r"!\[x\](http://e) \<b\> \|a\|\_b\_\*c\*\#"
    assert prose("use `show | b*` now_") == r"use `show | b*` now\_"
    assert prose("one ` only") == r"one \` only"
    assert prose("``none``") == r"\`\`none\`\`"
    assert code("a`b``c") == "```a`b``c```"
    assert code("`") == "`` ` ``"


# --- forms for programs --------------------------------------------------------------------


def test_lines_of_json_put_together_are_the_report() -> None:
    report = reports.mixed()
    lines = [json.loads(line) for line in said(report, "ndjson").splitlines()]
    whole: dict[str, Any] = {"captures": [], "flows": [], "findings": [], "paths": []}
    for line in lines:
        assert line.pop("schema_version") == "1.5"
        match line.pop("type"):
            case "report":
                whole |= line
            case "coverage":
                whole["coverage"] = line
            case kind:
                whole[kind + "s"].append(line)
    assert Report.from_json(json.dumps(whole).encode()) == report


def test_csv_has_one_row_for_each_flow_and_its_head_even_without_one() -> None:
    rows = list(csv.DictReader(io.StringIO(said(reports.mixed(), "csv"))))
    assert [(row["verdict"], row["client_address"], row["first_ns"]) for row in rows] == [
        ("unanswered-duplicate-acks", "192.0.2.10", "1772442845123456789"),
        ("insufficient-evidence", "192.0.2.12", "1772442847123456789"),
        ("healthy", "192.0.2.11", "1772442846123456789"),
    ]
    assert said(reports.empty(), "csv").count("\n") == 1


# --- the table --------------------------------------------------------------------------------


def many(flows: int) -> Report:
    """Many healthy flows, among them, in the middle, one that died."""
    middle = flows // 2
    rows = [msgspec.structs.replace(reports.HEALTHY_FLOW, id=f"h{number}") for number in range(flows)]
    rows[middle] = reports.DEAD_FLOW
    told = [
        msgspec.structs.replace(reports.HEALTHY_FINDING, id=f"i{number}", flow=f"h{number}")
        for number in range(flows)
    ]
    told[middle] = reports.DEAD_FINDING
    return reports.report(tuple(rows), tuple(told))


def test_a_long_list_is_cut_at_a_glance_and_says_so() -> None:
    text = said(many(1000))
    assert text.startswith(
        "1 of 1000 flows: unanswered duplicate ACKs (TAC 113578), client-to-headend, strong\n"
    )
    assert "\nand 800 flows more: 800 healthy (-v lists them)\n" in text
    assert "\nNot told here: 999 healthy (-v tells them)\n" in text
    assert text.count("192.0.2.11:51234") == 199
    assert said(many(1000), depth=Depth.WHERE).count("\n    carries    cisco-ctcp, certain: ") == 1000


def test_of_flows_that_are_well_the_least_sure_stands_first_and_is_told_with_its_doubt() -> None:
    report = reports.left()
    assert [one.number for one in worst_first(report)] == [2, 1]
    text = said(report)
    assert "\n#2  healthy, consistent\n" in text
    assert "unknown    nothing took its place: frame 50 opens another connection" in text
    assert text.endswith("\nNot told here: 1 healthy (-v tells them)\n")


def test_a_doubt_that_all_flows_of_a_capture_share_is_told_with_the_capture() -> None:
    report = reports.left()
    finding = report.findings[1]
    shared = msgspec.structs.replace(finding.evidence[0], claim="the-capture-is-whole")
    shaken = msgspec.structs.replace(finding, evidence=(shared,))
    text = said(msgspec.structs.replace(report, findings=(report.findings[0], shaken)))
    assert "#2  healthy" not in text


def test_the_worst_comes_first_and_keeps_its_number() -> None:
    first = worst_first(many(9))[0]
    assert (first.number, first.finding.verdict) == (5, "unanswered-duplicate-acks")


@pytest.mark.parametrize("width", [40, 60, 84, 100, 120, 160, 200])
def test_the_table_of_flows_fits_the_screen_or_has_only_what_must_stay(width: int) -> None:
    lines = said(reports.mixed(), width=width).splitlines()
    rule = next(line for line in lines if line.startswith("---"))
    assert len(rule) <= width or len(rule.split()) == 3
    assert all(len(line) <= width for line in lines if line.startswith("left out"))


@pytest.mark.parametrize("width", [80, 100, 120])
def test_ends_of_ipv6_stand_below_one_another_where_they_are_too_wide(width: int) -> None:
    lines = said(of_ipv6(), width=width).splitlines()
    (row,) = (at for at, line in enumerate(lines) if line.startswith("  1  "))
    assert max(map(len, lines[row - 2 : row + 2])) <= width
    assert lines[row - 2].startswith("  #  client, headend  ")
    assert lines[row].startswith("  1  [2001:db8:aaaa:bbbb:cccc:dddd:eeee:1111]:51234  ")
    assert "  unanswered-duplicate-acks" in lines[row]
    assert lines[row + 1].strip() == "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:2222]:10000"


def test_a_pipe_gets_ends_of_ipv6_in_one_line() -> None:
    (row,) = (line for line in said(of_ipv6()).splitlines() if line.startswith("  1  "))
    assert "1111]:51234  [2001:db8:aaaa:bbbb:cccc:dddd:eeee:2222]:10000  " in row


@pytest.mark.parametrize("width", [60, 100])
def test_no_sentence_is_longer_than_the_screen(width: int) -> None:
    text = said(reports.mixed(), width=width)
    sentences = [line for line in text.splitlines() if line.startswith("    ") and "filter " not in line]
    assert max(map(len, sentences)) <= width


def test_commands_and_filters_are_never_folded() -> None:
    lines = said(reports.dead(), depth=Depth.WHERE, width=60).splitlines()
    assert sum(line.endswith(reports.BYPASS.commands[0]) for line in lines) == 1
    assert sum(line.endswith(reports.DEAD_FINDING.display_filter) for line in lines) == 1


def test_colours_change_no_letter() -> None:
    colored = said(reports.mixed(), pen=COLORED)
    assert colored.startswith("\x1b[1;31m1 of 3 flows: ")
    plain = colored
    for code_ in COLORED.codes.values():
        plain = plain.replace(f"\x1b[{code_}m", "")
    assert plain.replace("\x1b[0m", "") == said(reports.mixed())


def test_nothing_readable_is_not_called_clean() -> None:
    report = msgspec.structs.replace(
        reports.empty(),
        coverage=msgspec.structs.replace(
            reports.WHOLE, complete=0, rejected=1, failed=(Failed(source="x", reason="empty"),)
        ),
    )
    assert headline(report, []) == "Nothing could be read"


def test_two_flows_that_differ_are_summed_up_by_the_surer_one() -> None:
    other = msgspec.structs.replace(
        reports.DEAD_FLOW, id="other", direction="headend-to-client", confidence="consistent"
    )
    finding = msgspec.structs.replace(reports.DEAD_FINDING, flow="other", confidence="consistent")
    report = reports.report((reports.DEAD_FLOW, other), (reports.DEAD_FINDING, finding))
    assert headline(report, worst_first(report)) == (
        "2 of 2 flows: unanswered duplicate ACKs (TAC 113578), "
        "client-to-headend and headend-to-client, at best strong"
    )


def test_a_link_is_as_weak_as_its_weakest_claim_and_a_guard_that_fails_is_told() -> None:
    evidence = (
        Evidence(claim="a", link="lost", outcome="holds", because="x", frames={"c1": (3,)}),
        Evidence(claim="b", link="lost", outcome="unknown", because="y", frames={"c1": (1,), "c2": (9,)}),
        Evidence(claim="c", role="guard", outcome="fails", because="z"),
        Evidence(claim="d", role="guard", outcome="holds", because="z"),
        Evidence(claim="e", role="refutation", outcome="fails", because="z"),
    )
    assert links(msgspec.structs.replace(reports.DEAD_FINDING, evidence=evidence)) == [
        ("lost", "unknown", "x; y", {"c1": (3, 1), "c2": (9,)}),
        ("c", "fails", "z", {}),
    ]


@pytest.mark.parametrize(
    ("matches", "why"), [(19, "fewer than 20 matches"), (20, "they span less than a minute")]
)
def test_a_skew_that_is_not_told_has_its_one_reason(matches: int, why: str) -> None:
    (path,) = reports.case().paths
    piece = msgspec.structs.replace(path.clocks[0].pieces[1], matches=matches)
    clock = msgspec.structs.replace(path.clocks[0], pieces=(piece,))
    (told,) = clocks_of(msgspec.structs.replace(path, clocks=(clock,)))
    assert told.endswith(f"by {matches} matches; no skew: {why}")


# --- single values ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time_ns", "shown"),
    [
        (None, "-"),
        (0, "1970-01-01T00:00:00Z"),
        (1_500_000_000, "1970-01-01T00:00:01.500Z"),
        (1_000_000_001, "1970-01-01T00:00:01.000000001Z"),
        (1_000_007_000, "1970-01-01T00:00:01.000007Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (2**63 - 1, "2262-04-11T23:47:16.854775807Z"),
    ],
)
def test_times_are_rfc_3339_in_utc(time_ns: int | None, shown: str) -> None:
    assert utc(time_ns) == shown


@pytest.mark.parametrize(
    ("length_ns", "shown"),
    [
        (0, "0 s"),
        (412_000, "412 us"),
        (850_000_000, "850 ms"),
        (4_000_000_000, "4 s"),
        (499, "0 s"),
        (999_999, "1 ms"),
        (850_500_000, "850 ms"),
        (851_500_000, "852 ms"),
        (999_500_001, "1 s"),
        (14_250_000_000, "14.2 s"),
        (14_260_000_000, "14.3 s"),
        (14_350_000_000, "14.4 s"),
        (59_949_999_999, "59.9 s"),
        (59_999_999_999, "1 m 0 s"),
        (3_599_600_000_000, "1 h 0 m"),
        (86_399_000_000_000, "1 d 0 h"),
        (134_000_000_000, "2 m 14 s"),
        (3_720_000_000_000, "1 h 2 m"),
        (90_000_000_000_000, "1 d 1 h"),
        (-850_000_000, "-850 ms"),
    ],
)
def test_lengths_of_time_are_said_in_two_units(length_ns: int, shown: str) -> None:
    assert duration(length_ns) == shown


@given(st.integers(-(10**12), 10**12), st.sampled_from([2, 1_000, 10**8, 60 * 10**9]))
def test_rounding_is_that_of_fractions(number: int, grain: int) -> None:
    assert rounded(number, grain) == round(Fraction(number, grain)) * grain


@given(st.integers(1_000_000_000, 59_949_999_999))
def test_a_claim_and_a_table_round_a_duration_alike(length_ns: int) -> None:
    assert seconds(length_ns).replace(".0 s", " s") == duration(length_ns)


@pytest.mark.parametrize(
    ("length", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (312_000_000, "312 MB"),
        (1_100_000_000, "1.1 GB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_bytes_are_said_in_decimal_units(length: int, shown: str) -> None:
    assert sized(length) == shown


@pytest.mark.parametrize(
    ("by_capture", "at_most", "shown"),
    [
        ({}, None, ""),
        ({"c1": ()}, None, ""),
        ({"c1": (7,)}, None, "frame 7"),
        ({"c1": (3, 1, 2, 2)}, None, "frames 1-3"),
        ({"c1": (1, 2, 5, 9, 10)}, 2, "frames 1-2, 5 and 2 more"),
        ({"c1": (1,), "c2": (4, 5)}, None, "frame 1 of c1; frames 4-5 of c2"),
    ],
)
def test_frames_are_said_in_runs(
    by_capture: dict[str, tuple[int, ...]], at_most: int | None, shown: str
) -> None:
    assert frames(by_capture, runs_at_most=at_most) == shown


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert endpoint(Endpoint(address="2001:db8::1", port=10000)) == "[2001:db8::1]:10000"


if __name__ == "__main__":
    for file, text in SAID.items():
        (GOLDEN / file).write_text(text(), encoding="utf-8")
        sys.stdout.write(f"{GOLDEN / file}\n")
