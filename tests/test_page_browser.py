"""The page in a real browser, opened from disk: Chromium, driven by Playwright, without a network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ctcp_forensics.pipeline import diagnose
from ctcp_forensics.reading import Options, Source
from ctcp_forensics.render.page import page
from ctcp_forensics.report import Endpoint, Report
from ctcp_forensics.retrace import retrace
from ctcp_forensics.trace import CLIENT_TO_HEADEND, HEADEND_TO_CLIENT, Columns, Hole, Mark, Trace
from tests import reports
from tests.hostile_reports import hostile
from tests.test_page import many
from tests.traces import long_trace, row

LANES = ".lane"
DRAWN = ".legend button"
SMALL = 5_000_000


@dataclass
class Watched:
    """A tab, and everything that it did beside showing the page."""

    tab: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def refuse(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def assert_quiet(self) -> None:
        """One request for the file itself; no error, no breach of the policy, no dialog."""
        assert self.complaints == []
        assert [one for one in self.requests if not one.startswith("file:")] == []


Open = Callable[..., Watched]


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Open]:
    contexts: list[Any] = []

    def open_page(report: Report, *traces: Trace, ready: str = DRAWN, **options: Any) -> Watched:
        file = tmp_path / f"report-{len(contexts)}.html"
        file.write_text("".join(page(report, traces)), encoding="utf-8")
        context = browser.new_context(viewport={"width": 1200, "height": 900}, offline=True, **options)
        contexts.append(context)
        watched = Watched(tab=context.new_page())
        watched.tab.on("request", lambda request: watched.requests.append(request.url))
        watched.tab.on("console", lambda message: watched.complaints.append(message.text))
        watched.tab.on("pageerror", lambda error: watched.complaints.append(str(error)))
        watched.tab.on("dialog", watched.refuse)
        watched.tab.goto(file.as_uri())
        if ready:
            watched.tab.wait_for_selector(ready)
        return watched

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def failure(root: Path) -> tuple[Report, tuple[Trace, ...]]:
    """The sample of the failure, at three places, as the command reads it."""
    places = ("client", "asa-outside", "asa-inside")
    sources = [
        Source(path=str(root / "samples" / f"failure-{place}.pcap"), vantage=place) for place in places
    ]
    report = diagnose(sources, Options())
    return report, retrace(report).traces


def pixels(watched: Watched) -> str:
    """What is drawn, to be compared with what was."""
    script = "() => [...document.querySelectorAll('canvas')].map(one => one.toDataURL()).join()"
    return str(watched.tab.evaluate(script))


def settled(watched: Watched) -> None:
    watched.tab.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def until(watched: Watched, condition: str) -> None:
    """Playwright's own waiting evaluates a string, which the page's policy forbids."""
    for _ in range(100):
        if watched.tab.evaluate(condition):
            return
        watched.tab.wait_for_timeout(20)
    raise AssertionError(condition)


# --- the diagram --------------------------------------------------------------------------


def test_the_failure_is_drawn_at_every_place_and_nothing_is_asked_of_the_network(
    opened: Open, failure: tuple[Report, tuple[Trace, ...]]
) -> None:
    report, traces = failure
    watched = opened(report, *traces)
    names = [re.sub("failure-.*", "", text) for text in watched.tab.locator(".lane-name").all_inner_texts()]
    assert [name.strip() for name in names] == ["client", "asa-outside", "asa-inside"]
    said = watched.tab.locator(LANES).first.get_attribute("aria-label")
    assert said == "client: 124 data segments, 158 ACKs, of them 70 duplicate; 1 lost"
    assert watched.tab.locator(".legend").inner_text().split("\n") == [
        "hole: bytes that never came, or came late",
        "segment",
        "acknowledged up to here",
        "duplicate ACK",
        "lost segment",
        "SYN, FIN",
        "RST",
    ]
    watched.assert_quiet()


def test_buttons_keys_wheel_and_drag_zoom_and_move(
    opened: Open, failure: tuple[Report, tuple[Trace, ...]]
) -> None:
    report, traces = failure
    watched = opened(report, *traces)
    tab = watched.tab

    def point(x: float, **how: Any) -> None:
        """In the middle of the first lane's height; a click before may have scrolled the page."""
        box = tab.locator(f"{LANES} .u-over").first.bounding_box()
        tab.mouse.move(box["x"] + x, box["y"] + box["height"] / 2, **how)

    def drag() -> None:
        tab.locator(f"{LANES} .u-over").first.scroll_into_view_if_needed()
        point(100)
        tab.mouse.down()
        point(400, steps=4)
        tab.mouse.up()

    def drag_with_shift() -> None:
        tab.keyboard.down("Shift")
        drag()
        tab.keyboard.up("Shift")

    def wheel() -> None:
        tab.locator(".lanes").focus()
        point(300)
        tab.mouse.wheel(0, -200)
        tab.wait_for_timeout(50)

    acts: list[Callable[[], None]] = [
        lambda: tab.get_by_role("button", name="Zoom in").click(),
        lambda: tab.get_by_role("button", name="Later").click(),
        lambda: tab.get_by_role("button", name="Turning point").click(),
        lambda: tab.locator(".lanes").press("+"),
        lambda: tab.locator(".lanes").press("ArrowRight"),
        lambda: tab.get_by_role("button", name="headend to client").click(),
        lambda: tab.get_by_role("button", name="client to headend").click(),
        lambda: tab.get_by_role("button", name="Whole flow").click(),
        drag,
        drag_with_shift,
        wheel,
        lambda: tab.locator(".legend button", has_text="duplicate ACK").click(),
        lambda: tab.locator(".lanes").press("0"),
    ]
    before = pixels(watched)
    for number, act in enumerate(acts):
        act()
        settled(watched)
        after = pixels(watched)
        assert after != before, f"act {number} changed nothing"
        before = after
    watched.assert_quiet()


def test_a_wheel_over_the_diagram_scrolls_the_page_until_the_diagram_is_meant(
    opened: Open, failure: tuple[Report, tuple[Trace, ...]]
) -> None:
    report, traces = failure
    watched = opened(report, *traces)
    tab = watched.tab
    tab.locator(".lanes").scroll_into_view_if_needed()
    box = tab.locator(f"{LANES} .u-over").first.bounding_box()
    tab.mouse.move(box["x"] + 300, box["y"] + 50)
    before, drawn = tab.evaluate("scrollY"), pixels(watched)
    tab.mouse.wheel(0, 300)
    until(watched, f"scrollY > {before}")
    assert pixels(watched) == drawn


def test_pointing_tells_the_frame_and_one_cursor_stands_in_all_lanes(
    opened: Open, failure: tuple[Report, tuple[Trace, ...]]
) -> None:
    report, traces = failure
    watched = opened(report, *traces)
    tab = watched.tab
    over = tab.locator(f"{LANES} .u-over").first
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    # The lost segment of this sample: 9.197 s of 30.2 s, byte 12,405.
    hint = ""
    for y in range(20, int(box["height"]), 6):
        tab.mouse.move(box["x"] + box["width"] * (9.197 + 0.604) / (30.228 * 1.04), box["y"] + y)
        settled(watched)
        hint = tab.locator(".hint").inner_text() if tab.locator(".hint").is_visible() else hint
        if "Frame 183" in hint:
            break
    assert "Frame 183 of failure-client.pcap" in hint
    assert "lost: it did not arrive at the next place" in hint
    assert "12,405 to 12,505" in hint
    places = tab.locator(".u-cursor-x").evaluate_all("all => all.map(one => one.style.transform)")
    assert len(places) == 3
    assert len(set(places)) == 1


def test_segments_can_be_stepped_through_by_keys_and_are_told_aloud(
    opened: Open, failure: tuple[Report, tuple[Trace, ...]]
) -> None:
    report, traces = failure
    watched = opened(report, *traces)
    said = watched.tab.locator("#said")
    lanes = watched.tab.locator(".lanes")
    lanes.press("n")
    assert said.inner_text().startswith("client: Frame 183 of failure-client.pcap. data, client to headend")
    lanes.press("n")
    assert said.inner_text().startswith("client: Frame 184 of failure-client.pcap.")
    lanes.press("ArrowDown")
    assert said.inner_text().startswith("asa-outside: Frame ")
    watched.assert_quiet()


def one_way(*at_ns: int) -> Trace:
    """Data of the headend alone, as a capture of one direction has it."""
    columns = Columns()
    for frame, at in enumerate(at_ns, start=1):
        row(columns, at_ns=at, frame=frame, direction=HEADEND_TO_CLIENT, pos=frame * 100, length=100)
    return Trace(flow="f2", place="a.pcap", captures=("c1",), base_seq=(0, 0), columns=columns)


def test_where_only_one_end_sends_its_direction_is_drawn(opened: Open) -> None:
    watched = opened(reports.healthy(), one_way(0, 1_000_000_000))
    pressed = watched.tab.locator(".tools [aria-pressed=true]").all_inner_texts()
    assert pressed == ["headend to client"]
    assert watched.tab.locator(".legend").inner_text() == "segment"


LABELS_OF_TIME = """() => {
  const drawn = [];
  const fillText = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
    if (text.endsWith(" s")) drawn.push({ text, x, width: this.measureText(text).width });
    return fillText.call(this, text, x, y);
  };
  return new Promise((done) => {
    document.querySelector("[aria-label='View'] button:not([hidden])").click();
    requestAnimationFrame(() => requestAnimationFrame(() => done(drawn)));
  });
}"""


def everything() -> Trace:
    """A segment of each kind that is drawn in a way of its own."""
    columns = Columns()
    kinds = (0, Mark.LOST, Mark.AGAIN, Mark.FILLING, Mark.COPY, Mark.SYN, Mark.RST)
    for frame, marks in enumerate(kinds, start=1):
        row(
            columns,
            at_ns=frame * 10**9,
            frame=frame,
            direction=CLIENT_TO_HEADEND,
            pos=frame * 100,
            length=100,
            marks=marks,
        )
    row(columns, at_ns=9 * 10**9, frame=9, direction=HEADEND_TO_CLIENT, ack=200, marks=Mark.DUPLICATE_ACK)
    columns.sack_row.append(len(kinds))
    columns.sack_left.append(300)
    columns.sack_right.append(400)
    hole = Hole(direction=CLIENT_TO_HEADEND, left=200, right=300, from_ns=2 * 10**9, to_ns=None)
    return Trace(flow="f2", place="a.pcap", captures=("c1",), base_seq=(0, 0), columns=columns, holes=(hole,))


def test_no_two_kinds_are_told_apart_by_colour_alone(opened: Open) -> None:
    legend = opened(reports.healthy(), everything()).tab.locator(".legend button")
    signs = {
        entry.inner_text(): re.sub("#[0-9a-f]+", "", entry.locator("svg").inner_html())
        for entry in legend.all()
    }
    assert len(signs) == 11
    assert len(set(signs.values())) == 11


@pytest.mark.parametrize(
    ("lasted_ns", "first"),
    [
        (30_000_000_000, ["0.0 s", "2.5 s", "5.0 s"]),
        (1_000_000, ["0.0000 s", "0.0001 s", "0.0002 s"]),
        (0, ["0.000000 s", "0.000001 s", "0.000002 s"]),
        (2_500_000_000 * 1_000_000_000, ["0 s", "500,000,000 s", "1,000,000,000 s"]),
    ],
)
def test_times_are_told_apart_and_do_not_run_into_each_other(
    opened: Open, lasted_ns: int, first: list[str]
) -> None:
    labels = opened(reports.healthy(), one_way(0, lasted_ns)).tab.evaluate(LABELS_OF_TIME)
    assert [label["text"] for label in labels][:3] == first
    for one, other in pairwise(labels):
        assert one["x"] + one["width"] / 2 < other["x"] - other["width"] / 2, (one, other)


def test_the_ladder_shows_the_loss_and_its_table_says_it(
    opened: Open, failure: tuple[Report, tuple[Trace, ...]]
) -> None:
    report, traces = failure
    watched = opened(report, *traces)
    labels = watched.tab.locator(".ladder .rung.lost .label").all_text_contents()
    assert labels == ["data 12,405 to 12,505, lost"]
    assert watched.tab.locator(".ladder .rung.lost .cross").count() == 1
    watched.tab.get_by_text("The same as a table").click()
    row = watched.tab.locator(".ladder tr", has_text="lost before asa-outside")
    assert row.inner_text().split("\t") == [
        "9.197 s",
        "client to headend",
        "data 12,405 to 12,505, lost",
        "client 183",
        "lost before asa-outside",
    ]
    made = watched.tab.locator(".ladder tr", has_text="made between asa-inside and asa-outside")
    assert made.filter(has_text="duplicate ACK").count() >= 3


def test_a_million_segments_are_drawn_from_less_than_five_megabytes(opened: Open, tmp_path: Path) -> None:
    watched = opened(reports.dead(), long_trace(1_000_000, flow="f1"))
    assert (tmp_path / "report-0.html").stat().st_size < SMALL
    watched.assert_quiet()


# --- flows --------------------------------------------------------------------------------


def rows_of(watched: Watched) -> list[list[str]]:
    rows: list[str] = watched.tab.locator("#flow-table tbody tr").all_inner_texts()
    return [row.split("\t") for row in rows]


def test_flows_are_sorted_filtered_and_opened(opened: Open) -> None:
    watched = opened(reports.mixed(), ready="#filters:not([hidden])")
    tab = watched.tab
    assert [row[0] for row in rows_of(watched)] == ["2", "3", "1"]
    lasted = tab.get_by_role("columnheader", name="Lasted")
    lasted.get_by_role("button").click()
    assert [row[0] for row in rows_of(watched)] == ["3", "1", "2"]
    assert lasted.get_attribute("aria-sort") == "ascending"
    lasted.get_by_role("button").click()
    assert [row[0] for row in rows_of(watched)] == ["2", "1", "3"]
    tab.locator("#sought").fill("192.0.2.12")
    assert [row[0] for row in rows_of(watched)] == ["3"]
    assert tab.locator("#shown").inner_text() == "1 of 1 shown"
    tab.locator("#sought").fill("")
    tab.locator("#verdict").select_option("healthy")
    assert [row[0] for row in rows_of(watched)] == ["1"]
    tab.locator("#flow-table tbody a").click()
    tab.wait_for_selector("#flow-1:visible")
    assert tab.locator("article:visible").count() == 1
    assert "It looks as if the connection is healthy" in tab.locator("#flow-1").inner_text()
    assert tab.evaluate("document.activeElement.id") == "flow-1"
    watched.assert_quiet()


def test_five_thousand_flows_stay_usable(opened: Open, tmp_path: Path) -> None:
    watched = opened(many(5_000), ready="#filters:not([hidden])")
    tab = watched.tab
    assert (tmp_path / "report-0.html").stat().st_size < SMALL
    assert len(rows_of(watched)) == 200
    tab.locator("#more").click()
    assert len(rows_of(watched)) == 400
    tab.locator("#flow-table tbody a", has_text=re.compile("^300$")).click()
    tab.wait_for_selector("#flow-300:visible")
    assert tab.locator("#flow-300 .copy").first.is_visible()
    watched.assert_quiet()


def test_the_whole_table_of_flows_fits_a_wide_window_with_long_addresses_too(opened: Open) -> None:
    report = reports.mixed()
    ends = [
        Endpoint(address=f"2001:db8:1234:5678:9abc:def0:1234:{end}", port=49_731) for end in ("abcd", "beef")
    ]
    flows = tuple(msgspec.structs.replace(flow, client=ends[0], headend=ends[1]) for flow in report.flows)
    tab = opened(msgspec.structs.replace(report, flows=flows), ready="#filters:not([hidden])").tab
    wide = tab.locator(".wide", has=tab.locator("#flow-table"))
    assert wide.evaluate("(one) => [one.scrollWidth, one.clientWidth]")[0] == wide.evaluate(
        "(one) => one.clientWidth"
    )
    for cell in tab.locator("#flow-table .number").all():
        assert "\n" not in cell.inner_text()


# --- words --------------------------------------------------------------------------------


def test_commands_are_copied_from_a_file_on_disk(opened: Open) -> None:
    watched = opened(reports.dead(), ready="#filters:not([hidden])")
    button = watched.tab.locator("#flow-1 .commands .copy").first
    button.click()
    until(watched, "document.querySelector('#flow-1 .commands .copy').textContent === 'Copied'")
    watched.tab.locator("#sought").focus()
    watched.tab.keyboard.press("Control+V")
    pasted = watched.tab.locator("#sought").input_value()
    assert pasted.startswith("access-list CTCP_BYPASS extended permit tcp host 192.0.2.10")
    watched.assert_quiet()


def test_the_frames_of_a_claim_are_a_click_away_from_wireshark(
    opened: Open, failure: tuple[Report, tuple[Trace, ...]]
) -> None:
    report, traces = failure
    watched = opened(report, *traces)
    tab = watched.tab
    shown = tab.locator(".proof .frames").first
    assert shown.inner_text() == "frames 183, 185 of failure-client.pcap Copy filter"
    button = shown.get_by_role("button", name="Copy filter for frames 183, 185 of failure-client.pcap")
    button.focus()
    tab.keyboard.press("Enter")
    until(watched, "document.querySelector('.proof .copy').textContent === 'Copied'")
    tab.locator("#sought").focus()
    tab.keyboard.press("Control+V")
    assert tab.locator("#sought").input_value() == "frame.number == 183 || frame.number == 185"
    watched.assert_quiet()


def test_where_the_clipboard_is_refused_the_filter_is_shown_to_be_copied_by_hand(
    opened: Open, failure: tuple[Report, tuple[Trace, ...]]
) -> None:
    report, traces = failure
    watched = opened(report, *traces)
    tab = watched.tab
    tab.evaluate(
        "() => { navigator.clipboard.writeText = () => Promise.reject(); document.execCommand = () => false; }"
    )
    tab.locator(".proof .copy").first.click()
    until(watched, "document.querySelector('.proof .copy').textContent === 'Press Ctrl+C'")
    assert tab.evaluate("() => String(getSelection())") == "frame.number == 183 || frame.number == 185"


def test_without_javascript_words_tables_and_the_ladder_are_there(
    opened: Open, failure: tuple[Report, tuple[Trace, ...]]
) -> None:
    report, traces = failure
    watched = opened(report, *traces, ready="", java_script_enabled=False)
    tab = watched.tab
    assert tab.locator(".ladder svg .rung").count() > 10
    assert "This diagram is drawn by the page's own script" in tab.locator("#main").inner_text()
    assert tab.locator("#flow-table tbody tr").count() == 1
    assert not tab.locator(".copy, #filters, #more, .diagram").filter(visible=True).count()
    watched.assert_quiet()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_screens_are_light_or_dark_and_paper_is_white(
    opened: Open, failure: tuple[Report, tuple[Trace, ...]], scheme: str
) -> None:
    report, traces = failure
    watched = opened(report, *traces, color_scheme=scheme)
    tab = watched.tab
    paper = "() => getComputedStyle(document.body).backgroundColor"
    assert tab.evaluate(paper) == {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}[scheme]
    on_screen = pixels(watched)
    tab.emulate_media(media="print")
    settled(watched)
    assert tab.evaluate(paper) == "rgb(255, 255, 255)"
    assert not tab.locator(".tools, .copy, nav, .filters").filter(visible=True).count()
    assert tab.locator("details:not([open])").filter(visible=True).count() == 0
    if scheme == "dark":
        assert pixels(watched) != on_screen
    tab.emulate_media(media="screen")
    settled(watched)
    assert tab.locator("details[open]").count() < tab.locator("details").count()
    watched.assert_quiet()


def test_on_paper_no_number_no_command_and_no_heading_is_torn(
    opened: Open, failure: tuple[Report, tuple[Trace, ...]]
) -> None:
    report, traces = failure
    tab = opened(report, *traces).tab
    tab.emulate_media(media="print")
    breaks = "(all, name) => [...new Set(all.map((one) => getComputedStyle(one)[name]))]"
    assert tab.locator("td.number").evaluate_all(breaks, "whiteSpace") == ["nowrap"]
    assert tab.locator(".commands").evaluate_all(breaks, "breakInside") == ["avoid"]
    assert tab.locator("summary").evaluate_all(breaks, "breakAfter") == ["avoid"]


LUMINANCE = """
  const luminance = (color) => {
    const [r, g, b] = color.match(/[0-9.]+/g).slice(0, 3).map((one) => one / 255)
      .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
"""
CONTRASTS = (
    """(names) => {"""
    + LUMINANCE
    + """
  const probe = document.body.appendChild(document.createElement("span"));
  const colored = (name) => { probe.style.color = `var(${name})`; return getComputedStyle(probe).color; };
  return Object.fromEntries(names.map((name) => [name,
    Math.min(...["--paper", "--raised"].map((ground) => contrast(colored(name), colored(ground))))]));
}"""
)
TEXTS = ["--ink", "--soft", "--link", "--good", "--bad", "--open", "--asked", "--lost", "--opened", "--acked"]
SHAPES = ["--sent", "--again", "--filling", "--copied", "--sacked", "--hole-edge"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_colour_can_be_seen_and_every_text_be_read(opened: Open, scheme: str) -> None:
    """WCAG 2.2, 1.4.3 and 1.4.11: 4.5 for texts, 3 for what is drawn."""
    tab = opened(reports.mixed(), ready="#filters:not([hidden])", color_scheme=scheme, bypass_csp=True).tab
    assert {name: seen for name, seen in tab.evaluate(CONTRASTS, TEXTS).items() if seen < 4.5} == {}
    assert {name: seen for name, seen in tab.evaluate(CONTRASTS, SHAPES).items() if seen < 3} == {}


@pytest.mark.parametrize("width", [400, 1200])
def test_the_page_never_scrolls_sideways(
    opened: Open, failure: tuple[Report, tuple[Trace, ...]], width: int
) -> None:
    report, traces = failure
    watched = opened(report, *traces)
    watched.tab.set_viewport_size({"width": width, "height": 800})
    settled(watched)
    settled(watched)
    assert watched.tab.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [390, 800, 1200])
def test_names_without_a_place_to_break_are_broken(
    opened: Open, failure: tuple[Report, tuple[Trace, ...]], width: int
) -> None:
    report, traces = failure
    captures = tuple(
        msgspec.structs.replace(one, source=f"{one.id}_{'x' * 200}.pcap") for one in report.captures
    )
    watched = opened(msgspec.structs.replace(report, captures=captures), *traces)
    watched.tab.set_viewport_size({"width": width, "height": 800})
    settled(watched)
    settled(watched)
    assert watched.tab.evaluate("document.documentElement.scrollWidth") <= width
    names = watched.tab.locator(".lane-name b").all()
    assert [name.inner_text() for name in names] == ["client", "asa-outside", "asa-inside"]
    assert {name.bounding_box()["height"] for name in names} == {names[0].bounding_box()["height"]}


def test_hostile_texts_run_nothing_in_any_place(opened: Open) -> None:
    trace = long_trace(200, flow=hostile("f1"), capture=hostile("c1"))
    watched = opened(hostile(reports.case()), trace)
    tab = watched.tab
    assert tab.locator("img, svg [onload]").count() == 0
    assert tab.locator("script").count() == 5  # facts, one trace, rows, the library, our own
    over = tab.locator(".u-over").first
    over.scroll_into_view_if_needed()
    tab.locator(".lanes").press("n")
    assert "<script>alert(1)</script>" in tab.locator(".hint").inner_text()
    tab.locator("#sought").fill("<script>")
    assert len(rows_of(watched)) == 1
    tab.locator("#flow-table tbody a").click()
    for summary in tab.locator("summary").all():
        summary.click()
    tab.wait_for_timeout(200)
    watched.assert_quiet()


def test_hostile_articles_that_are_unpacked_late_run_nothing(opened: Open) -> None:
    watched = opened(hostile(many(30)), ready="#filters:not([hidden])")
    watched.tab.locator("#flow-table tbody a", has_text=re.compile("^25$")).click()
    watched.tab.wait_for_selector("#flow-25:visible")
    assert "<script>alert(1)</script>" in watched.tab.locator("#flow-25").inner_text()
    assert watched.tab.locator("article script, article img").count() == 0
    watched.assert_quiet()


# --- for everybody ------------------------------------------------------------------------

CHECKS = """() => {
  const texts = (all) => [...all].map((one) => one.outerHTML.slice(0, 120));
  const name = (one) => (one.getAttribute("aria-label") || one.textContent || one.title || "").trim();
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].map((one) => Number(one.tagName[1]));
  const refers = [...document.querySelectorAll("[aria-labelledby]")];
  return {
    nameless: texts([...document.querySelectorAll("button, a, summary, [role=img], [role=region]")].filter((one) =>
      !name(one) && !one.getAttribute("aria-labelledby"))),
    unlabelled: texts([...document.querySelectorAll("input, select")].filter((one) => !one.labels.length)),
    doubled: ids.filter((id, at) => ids.indexOf(id) !== at),
    skipped: levels.filter((level, at) => at && level > levels[at - 1] + 1),
    dangling: texts(refers.filter((one) =>
      one.getAttribute("aria-labelledby").split(" ").some((id) => !document.getElementById(id)))),
    uncaptioned: texts([...document.querySelectorAll("table")].filter((one) => !one.caption)),
    scopeless: texts([...document.querySelectorAll("th")].filter((one) => !one.scope)),
    mains: document.querySelectorAll("main").length,
  };
}"""


def test_landmarks_headings_names_and_captions_are_whole(
    opened: Open, failure: tuple[Report, tuple[Trace, ...]]
) -> None:
    report, traces = failure
    found = opened(report, *traces).tab.evaluate(CHECKS)
    assert found.pop("mains") == 1
    assert found == {name: [] for name in found}


def test_the_first_key_leads_past_the_top_and_focus_is_seen(opened: Open) -> None:
    tab = opened(reports.mixed(), ready="#filters:not([hidden])").tab
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to the verdict"
    assert tab.locator(".skip").bounding_box()["x"] >= 0
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "main"
    tab.keyboard.press("Tab")
    assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
