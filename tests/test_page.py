"""The page as text: what it says, what it may do, how small it is, and what no capture can make of it."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode
from functools import cache
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctcp_forensics.render.page import document, flows_at_length, page
from ctcp_forensics.render.page.assets import SCRIPTS, STYLES, assets, policy, text_of
from ctcp_forensics.render.page.columns import packed_trace
from ctcp_forensics.render.page.packing import embedded, packed, planes, steps
from ctcp_forensics.render.page.words import CONFIDENCE, GLOSSARY, MARKS, VERDICTS
from ctcp_forensics.report import CONFIDENCE_WORDS, VERDICT_WORDS, Report
from ctcp_forensics.trace import CLIENT_TO_HEADEND, HEADEND_TO_CLIENT, Columns, Mark, Trace
from tests import reports
from tests.hostile_reports import PAYLOADS, hostile
from tests.traces import long_trace, row

VENDOR = Path(document.__file__).parent / "vendor"
UNCLOSED = {"meta", "br", "input", "link", "img", "hr"}


def said(report: Report, *traces: Trace) -> str:
    return "".join(page(report, traces))


class Elements(HTMLParser):
    """Every element with its attributes, and the text outside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in UNCLOSED:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def tags(self) -> set[str]:
        return {tag for tag, _ in self.found}


# --- what it says -------------------------------------------------------------------------


def test_the_verdict_comes_first_and_in_plain_words() -> None:
    assert re.findall(r"<h[123][^>]*>([^<]+)<", said(reports.case(), long_trace(30, flow="f1"))) == [
        "1 of 1 flow: unanswered duplicate ACKs (TAC 113578), client-to-headend, proven",
        "The VPN connection died because a lost segment was never sent again",
        "The proof",
        "What was sent, and what was acknowledged",
        "How it began and ended, from place to place",
        "What to do",
        "Where segments were lost",
        "Evidence",
        "This connection",
        "All flows",
        "Captures",
        "Coverage",
        "Glossary",
    ]


def test_every_part_of_a_case_is_told() -> None:
    text = Elements(said(reports.case())).text
    for told in (
        "4.2 %",  # the loss rate of the matrix, and its interval
        "1.6 % to 10.2 %",
        "lost client → asa-outside: frames 60, 71, 93, 118 of client.pcap",
        "access-list CTCP_BYPASS extended permit tcp host 192.0.2.10 host 198.51.100.1 eq 10000",
        "No inspection, normaliser, IPS or sequence randomisation for what the access list matches.",
        "no set connection advanced-options tcp-state-bypass",
        "Would refute it: a later segment that carries byte 48213",
        "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
        f"Made by ctcp-diag {reports.TOOL.version}",
    ):
        assert told in text, told


def test_frames_of_several_captures_each_have_a_filter_of_all_of_them() -> None:
    found = re.findall(
        r'aria-label="Copy filter for ([^"]+)" hidden>Copy filter</button> <code hidden>([^<]+)</code>',
        said(reports.case()),
    )
    asked = " || ".join(f"frame.number == {frame}" for frame in (120, 121, 122, 125, 129))
    assert ("frames 120-122, 125, 129 of client.pcap", asked) in found
    assert "frames 119-121, 124, 128 of outside.pcap" in dict(found)


def test_what_to_do_first_is_told_before_the_proof_and_leads_to_it() -> None:
    text = said(reports.dead())
    (target, fix) = re.findall(r'Do first: <a href="#([^"]+)">([^<]+)</a>', text)[0]
    assert text.index("Do first") < text.index('class="proof"')
    assert f'id="{target}"' in text
    assert fix == reports.dead().findings[0].recommendations[0].title
    assert "Do first" not in said(reports.healthy())


def test_what_else_is_possible_is_told_with_what_would_settle_it() -> None:
    text = Elements(said(reports.mixed())).text
    assert "Also possible: firewall-drop. one capture cannot show which device dropped what" in text
    assert "Settled by: a capture on the headend side of the firewall" in text
    assert "Lacking: a capture that runs at least 10 s past the first duplicate ACK" in text


def test_damage_limits_and_what_could_not_be_read_are_told() -> None:
    text = Elements(said(reports.damaged())).text
    for told in (
        "coverage is incomplete",
        "Damage: byte 81920: file ends inside frame 513",
        "the capturing host dropped 7 frames",
        "gone.pcap: no such file",
        "episodes per flow: 64, by f2",
        "3 frames: link type 147",
    ):
        assert told in text, told


def test_what_was_not_looked_at_is_told_beside_the_verdict_and_leads_to_what_it_is() -> None:
    header = re.findall(r"<article.*?</header>", said(reports.damaged()), flags=re.DOTALL)[0]
    assert (
        'Not everything that was named could be looked at: <a href="#coverage">what is missing</a> is not judged.'
    ) in header
    assert header.index("what is missing") < header.index("Confidence")
    assert "what is missing" not in said(reports.case())


def test_without_traces_the_page_says_that_its_diagram_needs_the_captures() -> None:
    assert "The diagram is drawn from the captures." in said(reports.mixed())
    drawn = said(reports.mixed(), long_trace(30, flow="f1"))
    assert "The diagram is drawn from the captures." not in drawn
    assert "There is no diagram of this flow" in drawn  # of the other flow told at length


def test_without_a_flow_the_page_stands_all_the_same() -> None:
    text = Elements(said(reports.empty())).text
    assert "There was no connection to judge" in text
    assert "Glossary" in text


def test_the_flows_told_at_length_are_those_that_need_reading_else_one() -> None:
    assert flows_at_length(reports.mixed()) == {"f1", "f3"}
    assert flows_at_length(reports.healthy()) == {"f2"}
    assert flows_at_length(reports.empty()) == frozenset()


def test_the_same_report_and_traces_give_the_same_bytes() -> None:
    trace = long_trace(500, flow="f1")
    assert said(reports.case(), trace) == said(reports.case(), trace)


def test_every_verdict_confidence_and_mark_has_plain_words() -> None:
    assert set(VERDICTS) == set(VERDICT_WORDS)
    assert set(CONFIDENCE) == set(CONFIDENCE_WORDS)
    assert set(MARKS) == set(Mark) - {Mark.SYN, Mark.FIN, Mark.RST}


@pytest.mark.parametrize(
    ("confidence", "heading"),
    [
        ("strong", "The VPN connection died because a lost segment was never sent again"),
        ("consistent", "It looks as if the VPN connection died because a lost segment was never sent again"),
    ],
)
def test_a_heading_says_no_more_than_its_confidence_bears(confidence: str, heading: str) -> None:
    flow = msgspec.structs.replace(reports.DEAD_FLOW, confidence=confidence)
    finding = msgspec.structs.replace(reports.DEAD_FINDING, confidence=confidence)
    assert f'id="heading-1">{heading}</h2>' in said(reports.report((flow,), (finding,)))


def test_the_glossary_speaks_of_what_the_project_s_glossary_knows(root: Path) -> None:
    known = (root / "docs" / "GLOSSARY.md").read_text(encoding="utf-8").lower()
    words = {word for entry in GLOSSARY for word in entry.split(", ")}
    assert {word for word in words if word.lower() not in known} == set()


def many(count: int) -> Report:
    """One dead flow, again and again under other names."""
    report = reports.dead()
    (flow, *_), (finding, *_) = report.flows, report.findings
    numbers = range(count)
    return msgspec.structs.replace(
        report,
        flows=tuple(msgspec.structs.replace(flow, id=f"f{number}") for number in numbers),
        findings=tuple(
            msgspec.structs.replace(finding, id=f"x{number}", flow=f"f{number}") for number in numbers
        ),
    )


def test_many_flows_are_cut_where_it_is_said_and_the_file_stays_small(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(document, "MAX_ROWS", 900)
    text = said(many(1_000))
    words = Elements(text).text
    assert "100 more flows are not in this page" in words
    assert "700 flows stand in the table only" in words
    assert "800 more flows are in this file and need its script" in words
    assert text.count("<article") == document.ARTICLES_AT_A_GLANCE
    assert len(text) < 2_000_000
    (rows,) = re.findall(r'id="rows">([^<]*)<', text)
    told = json.loads(zlib.decompress(b64decode(rows), -15))
    assert [one["number"] for one in told] == list(range(1, 901))
    assert [one["told"] for one in told].count(True) == document.MAX_ARTICLES


def test_diagrams_are_dropped_flow_by_flow_where_there_is_too_much_to_draw(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(document, "MAX_ROWS_DRAWN", 50)
    text = said(reports.mixed(), long_trace(40, flow="f3"), long_trace(30, flow="f1"))
    assert 'id="trace-0"' in text
    assert 'id="trace-1"' not in text  # the worse flow is drawn, whatever the order of the traces


# --- what it may do -----------------------------------------------------------------------


def test_the_policy_allows_the_page_s_own_texts_and_nothing_else() -> None:
    told = Elements(said(reports.mixed(), long_trace(30, flow="f1")))
    (allowed,) = [
        facts["content"] for tag, facts in told.found if facts.get("http-equiv") == "Content-Security-Policy"
    ]
    own = assets()
    assert allowed == policy(own.style, own.library, own.script)
    assert allowed is not None
    assert allowed.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in allowed
    assert "*" not in allowed


def test_the_page_names_no_address_that_could_be_loaded() -> None:
    for tag, facts in Elements(said(reports.case(), long_trace(30, flow="f1"))).found:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base"}
        assert "src" not in facts
        assert (facts.get("href") or "#").startswith("#")
        assert not [name for name in facts if name.startswith("on") or name == "style"]


def test_every_script_and_style_of_the_folder_is_in_the_page() -> None:
    folder = Path(document.__file__).parent
    assert {path.name for path in folder.glob("*.js")} == set(SCRIPTS)
    assert {path.name for path in folder.glob("*.css")} | {"vendor/uPlot.min.css"} == set(STYLES)
    assert not [name for name in (*SCRIPTS, *STYLES) if "\r" in text_of(name)]  # the parser would change it


def test_the_chart_library_is_the_one_that_its_note_names() -> None:
    note = (VENDOR / "README.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"\| `([^`]+)` \| `([0-9a-f]{64})` \|", note))
    assert set(told) == {path.name for path in VENDOR.iterdir()} - {"README.md"}
    assert told == {name: sha256((VENDOR / name).read_bytes()).hexdigest() for name in told}


# --- what no capture can make of it ---------------------------------------------------------


def test_what_would_be_markup_or_script_stays_text_in_every_field() -> None:
    usual, worse = reports.case(), hostile(reports.case())
    tame = Elements(said(usual, long_trace(30, flow="f1")))
    text = said(worse, long_trace(30, flow=hostile("f1"), capture=hostile("c1")))
    told = Elements(text)
    assert told.tags() == tame.tags()
    assert len([tag for tag, _ in told.found if tag == "script"]) == len(
        [tag for tag, _ in tame.found if tag == "script"]
    )
    for payload in PAYLOADS:
        assert payload.strip() in told.text.replace("\xa0", " "), payload


@cache
def known_tags() -> frozenset[str]:
    """Of the elements that pages of reports made by hand have."""
    pages = (said(reports.case(), long_trace(30, flow="f1")), said(reports.mixed()), said(reports.damaged()))
    return frozenset().union(*(Elements(text).tags() for text in pages))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(reports.joined())
def test_any_report_makes_a_page_of_known_elements(report: Report) -> None:
    text = said(report)
    assert Elements(text).tags() <= known_tags()
    assert not [c for c in text if not c.isprintable() and c != "\n"]
    text.encode()


@given(st.text())
def test_json_in_the_page_is_the_same_and_cannot_end_its_block(text: str) -> None:
    written = embedded({"text": text})
    assert not {"<", ">", "&", "\u2028", "\u2029"} & set(written)
    assert json.loads(written) == {"text": text}


# --- how it is packed ---------------------------------------------------------------------


def unpacked(count: int, width: int, content: bytes) -> list[int]:
    """The slow obvious twin of what unpack.js does."""
    numbers = [sum(content[plane * count + i] << (8 * plane) for plane in range(width)) for i in range(count)]
    return [-(number + 1) // 2 if number % 2 else number // 2 for number in numbers]


@given(st.lists(st.integers(min_value=-(2**62), max_value=2**62)))
def test_planes_are_the_numbers_again(numbers: list[int]) -> None:
    width, content = planes(numbers)
    assert len(content) == width * len(numbers)
    assert unpacked(len(numbers), width, content) == numbers


@given(st.lists(st.integers(min_value=-(2**40), max_value=2**40)))
def test_steps_add_up_to_the_values(values: list[int]) -> None:
    total, added = 0, []
    for step in steps(values):
        total += step
        added.append(total)
    assert added == values


def test_a_trace_is_packed_in_the_order_that_its_widths_tell() -> None:
    columns = Columns()
    row(columns, at_ns=5_000_000_000, frame=3, direction=CLIENT_TO_HEADEND, pos=1, length=100, ack=1)
    row(columns, at_ns=5_000_001_999, frame=4, direction=HEADEND_TO_CLIENT, pos=1, length=0, ack=101)
    row(columns, at_ns=5_000_003_000, frame=9, direction=CLIENT_TO_HEADEND, pos=101, length=50, ack=1)
    trace = Trace(flow="f1", place="client", captures=("c1",), base_seq=(7, 8), columns=columns)
    one = packed_trace(trace, {"c1": "client.pcap"})
    facts, content = one.facts, zlib.decompress(b64decode(one.content), -15)
    assert (facts["startUs"], facts["rows"], facts["fromClient"]) == (5_000_000, 3, 2)
    assert facts["captures"] == ["client.pcap"]
    read = {}
    for name, width in facts["widths"].items():
        count = facts["sacks"] if name.startswith("sack") else 3
        read[name], content = unpacked(count, width, content[: count * width]), content[count * width :]
    assert content == b""
    assert read["at"] == [0, 1, 2]  # microseconds, each from the one before
    assert read["frame"] == [3, 1, 5]
    assert read["direction"] == [0, 1, 0]
    assert read["length"] == [100, 50, 0]  # the client's, then the headend's
    assert read["pos"] == [1, 0, 1]  # 101 is just where 1 and 100 bytes end
    assert read["ack"] == [1, 0, 101]


def test_a_long_flow_takes_about_three_bytes_a_segment() -> None:
    one = packed_trace(long_trace(100_000, flow="f1"), {})
    assert len(one.content) < 300_000


def test_packing_is_deflate_in_base64() -> None:
    assert zlib.decompress(b64decode(packed(b"abc" * 100)), -15) == b"abc" * 100
