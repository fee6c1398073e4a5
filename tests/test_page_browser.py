"""The page in a real browser, opened from disk: Chromium, driven by Playwright, without a network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ctcp_forensics.pipeline import diagnose
from ctcp_forensics.reading import Options, Source
from ctcp_forensics.render.page import page
from ctcp_forensics.report import Report
from ctcp_forensics.retrace import retrace
from ctcp_forensics.trace import Trace
from tests import reports
from tests.hostile_reports import hostile
from tests.test_page import many
from tests.traces import long_trace

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
    assert "The connection is healthy" in tab.locator("#flow-1").inner_text()
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


# --- words --------------------------------------------------------------------------------


def test_commands_are_copied_from_a_file_on_disk(opened: Open) -> None:
    watched = opened(reports.dead(), ready="#filters:not([hidden])")
    button = watched.tab.locator("#flow-1 .copy").first
    button.click()
    until(watched, "document.querySelector('#flow-1 .copy').textContent === 'Copied'")
    watched.tab.locator("#sought").focus()
    watched.tab.keyboard.press("Control+V")
    pasted = watched.tab.locator("#sought").input_value()
    assert pasted.startswith("access-list CTCP_BYPASS extended permit tcp host 192.0.2.10")
    watched.assert_quiet()


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
