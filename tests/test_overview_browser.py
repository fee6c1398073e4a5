"""The overview: what it says, what no name can make of it, what it does in a real browser, with and without script."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ctcp_forensics.archive.entry import Refusal
from ctcp_forensics.archive.overview import overview
from ctcp_forensics.archive.overview import timeline as timeline_room
from ctcp_forensics.archive.overview.timeline import timeline_of
from ctcp_forensics.archive.parquet import refreshed
from ctcp_forensics.archive.tables import Tables
from tests.made_stores import MadeStore, analyzed, dead, healthy, rejected

pytest.importorskip("duckdb", reason="needs DuckDB, which the extra `archive` brings")
HOSTILE = "/<img src=x onerror=alert(1)>/\u202e\x1b[31m'\"</script><script>alert(2)</script>.pcap"


def page_of(made: MadeStore) -> str:
    with Tables(refreshed(made.store, made.folder)) as tables:
        return "".join(overview(tables, made.store))


@pytest.fixture
def made(tmp_path: Path) -> MadeStore:
    made = MadeStore(tmp_path / "store")
    made.add(
        analyzed("/case 1/it's.pcap", dead(1), healthy(2)),
        analyzed("/case2/b.pcap", dead(3, client="203.0.113.7", headend="198.51.100.2", days=40), days=40),
        rejected("/case3/setup.exe"),
    )
    made.refuse(Refusal(uri=HOSTILE, reason="encrypted", is_trouble=True))
    return made


# --- what it says -------------------------------------------------------------------------------------


def test_the_answer_comes_first_and_what_was_not_looked_at_is_told(made: MadeStore) -> None:
    text = page_of(made)
    (heading,) = re.findall(r'<h2 class="heading">([^<]+)', text)
    assert heading == (
        "2 of 3 flows: unanswered duplicate ACKs (TAC 113578); 2 captures looked at; coverage is incomplete"
    )
    assert "not a capture: it begins with &#39;MZ&#39;" in text
    assert "encrypted" in text


def test_the_same_store_gives_the_same_bytes(made: MadeStore) -> None:
    assert page_of(made) == page_of(made)


def test_no_hit_is_said_in_as_many_words(tmp_path: Path) -> None:
    made = MadeStore(tmp_path / "store")
    made.add(analyzed("/a.pcap", healthy(1)))
    assert "No unanswered duplicate ACKs (TAC 113578) in 1 flow; 1 capture looked at" in page_of(made)
    empty = MadeStore(tmp_path / "empty")
    empty.add()
    assert "Nothing could be read" in page_of(empty)


def test_beyond_its_rows_the_page_says_how_many_there_are(
    made: MadeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctcp_forensics.archive.overview.document.MAX_HITS", 1)
    monkeypatch.setattr("ctcp_forensics.archive.overview.document.MAX_TROUBLES", 1)
    text = page_of(made)
    assert "The newest 1; 1 older ones are not on this page" in text
    assert "1 more are not on this page" in text


@pytest.mark.parametrize(
    ("days", "unit", "bars"),
    [
        ([0], "day", 1),
        ([0, 119], "day", 120),
        ([0, 120], "week", 18),
        ([0, 2000], "month", 66),
        ([0, 9000], "year", 25),
    ],
)
def test_time_is_told_in_as_many_bars_as_can_be_seen(
    tmp_path: Path, days: list[int], unit: str, bars: int
) -> None:
    made = MadeStore(tmp_path / "store")
    made.add(*(analyzed(f"/{day}.pcap", dead(day, days=day), days=day) for day in days))
    with Tables(refreshed(made.store, made.folder)) as tables:
        told = timeline_of(tables)
    assert (told.unit, len(told.bars)) == (unit, bars)
    assert sum(bar.hits for bar in told.bars) == len(days)
    assert [bar.hits for bar in (told.bars[0], told.bars[-1])] == [1, 1]
    assert len([bar for bar in told.bars if bar.label]) <= timeline_room.MOST_LABELS


def test_a_clock_that_is_mad_does_not_fill_the_page(tmp_path: Path) -> None:
    made = MadeStore(tmp_path / "store")
    made.add(analyzed("/a.pcap", dead(1)), analyzed("/b.pcap", dead(2, days=-110_000), days=-110_000))
    with Tables(refreshed(made.store, made.folder)) as tables:
        assert len(timeline_of(tables).bars) <= timeline_room.MAX_BARS * len(timeline_room.UNITS)


# --- in a browser ---------------------------------------------------------------------------------------


Open = Callable[..., Any]


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """A tab that did nothing but show the page: no request, no complaint, no dialog."""
    contexts, complaints, requests = [], list[str](), list[str]()

    def refuse(dialog: Any) -> None:
        complaints.append(dialog.message)
        dialog.dismiss()

    def open_page(text: str, **options: Any) -> Any:
        file = tmp_path / "overview.html"
        file.write_text(text, encoding="utf-8")
        context = browser.new_context(
            **({"viewport": {"width": 1400, "height": 900}, "offline": True} | options)
        )
        contexts.append(context)
        tab = context.new_page()
        tab.on("request", lambda request: requests.append(request.url))
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("dialog", refuse)
        tab.goto(file.as_uri())
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith("file:")] == []


def shown(tab: Any) -> list[str]:
    return list(tab.locator("#hit-table tbody tr:visible td:nth-child(3)").all_inner_texts())


def test_rows_are_searched_and_narrowed_to_a_bar(made: MadeStore, opened: Open) -> None:
    tab = opened(page_of(made))
    assert shown(tab) == ["203.0.113.7", "192.0.2.10"]
    tab.fill("#sought", "CASE2")
    assert shown(tab) == ["203.0.113.7"]
    assert tab.inner_text("#shown") == "1 of 1 shown"
    tab.fill("#sought", "")
    tab.locator(".bar .failed").first.click()
    assert shown(tab) == ["192.0.2.10"]
    tab.click("#whole")
    assert len(shown(tab)) == 2
    tab.locator(".bar").last.press("Enter")
    assert shown(tab) == ["203.0.113.7"]


def test_a_row_gives_the_commands_that_lead_to_its_capture(made: MadeStore, opened: Open) -> None:
    tab = opened(page_of(made))
    commands = tab.locator("#hits figure pre")
    assert commands.inner_text().splitlines()[0] == "ctcp-diag analyze /case2/b.pcap"
    tab.locator("#hit-table tbody tr").nth(1).click()
    assert commands.inner_text().splitlines() == [
        """ctcp-diag analyze '/case 1/it'"'"'s.pcap'""",
        """ctcp-diag annotate '/case 1/it'"'"'s.pcap' --flow f1 -o evidence.pcapng""",
    ]


def test_many_rows_come_bit_by_bit(tmp_path: Path, opened: Open) -> None:
    made = MadeStore(tmp_path / "many")
    made.add(*(analyzed(f"/{number}.pcap", dead(number)) for number in range(130)))
    tab = opened(page_of(made))
    assert (len(shown(tab)), tab.inner_text("#shown")) == (100, "100 of 130 shown")
    tab.click("#more")
    assert len(shown(tab)) == 130
    assert not tab.is_visible("#more")


def test_without_its_script_the_page_tells_all_the_same(made: MadeStore, opened: Open) -> None:
    tab = opened(page_of(made), java_script_enabled=False)
    assert tab.locator("#hit-table tbody tr").count() == 2
    assert tab.locator(".bar .failed").first.bounding_box()["height"] > 20
    assert not tab.is_visible("#filters")
    assert tab.is_visible("text=Not wholly looked at")


def test_on_a_telephone_the_newest_bar_is_in_sight_and_its_labels_can_be_read(
    made: MadeStore, opened: Open
) -> None:
    tab = opened(page_of(made), viewport={"width": 390, "height": 800})
    box = tab.locator(".bar").last.bounding_box()
    assert 0 <= box["x"] < box["x"] + box["width"] <= 390
    heights = tab.locator(".timeline text").evaluate_all(
        "(all) => all.map((one) => one.getBoundingClientRect().height)"
    )
    assert min(heights) >= 11


@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("days", [11, 36 * 7, 36 * 30])
def test_labels_of_time_stay_inside_and_apart(tmp_path: Path, opened: Open, days: int, width: int) -> None:
    made = MadeStore(tmp_path / "store")
    made.add(*(analyzed(f"/{day}.pcap", dead(day, days=day), days=day) for day in (0, days)))
    tab = opened(page_of(made), viewport={"width": width, "height": 800})
    right = (
        tab.locator(".timeline svg").bounding_box()["x"]
        + tab.locator(".timeline svg").bounding_box()["width"]
    )
    boxes = [text.bounding_box() for text in tab.locator(".timeline text").all()]
    for one, other in pairwise(boxes):
        assert one["x"] + one["width"] < other["x"]
    assert boxes[-1]["x"] + boxes[-1]["width"] <= right


def test_bars_are_buttons_to_who_does_not_see_them(made: MadeStore, opened: Open) -> None:
    tab = opened(page_of(made))
    bar = tab.get_by_role("button", name="1 of 1 flow with the failure")
    bar.focus()
    tab.keyboard.press("Space")
    assert shown(tab) == ["203.0.113.7"]
    assert bar.get_attribute("aria-pressed") == "true"
    tab.keyboard.press("Enter")
    assert len(shown(tab)) == 2
    assert bar.get_attribute("aria-pressed") == "false"


def test_rows_stay_rows_and_have_a_button_with_a_name(made: MadeStore, opened: Open) -> None:
    tab = opened(page_of(made))
    assert tab.get_by_role("row", name="2026-03-02 09:14:05").count() == 1
    button = tab.get_by_role("button", name="2026-03-02 09:14:05, commands for 192.0.2.10", exact=True)
    assert button.get_attribute("aria-pressed") == "false"
    button.focus()
    tab.keyboard.press("Enter")
    assert "--flow f1" in tab.locator("#hits figure pre").inner_text()
    assert button.get_attribute("aria-pressed") == "true"
    assert tab.inner_text("#said") == "The commands of 2026-03-02 09:14:05 stand above the table"


def test_how_sure_the_hits_are_is_said_beside_their_number(made: MadeStore) -> None:
    """Of one that is no more than consistent nobody may say that it died of the failure."""
    flow, finding = dead(9)
    flow = msgspec.structs.replace(flow, confidence="consistent")
    finding = msgspec.structs.replace(finding, confidence="consistent")
    made.add(analyzed("/case4/c.pcap", (flow, finding)))
    text = page_of(made)
    assert '<strong class="bad">3</strong> of 4 judged<br><small>2 strong, 1 consistent</small>' in text
    assert "died" not in text


@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_hangs_over_the_edge(made: MadeStore, opened: Open, width: int, scheme: str) -> None:
    tab = opened(page_of(made), viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert tab.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_a_hostile_name_is_a_text(tmp_path: Path, opened: Open) -> None:
    made = MadeStore(tmp_path / "hostile")
    made.add(analyzed(HOSTILE, dead(1, client="<b>1</b>")))
    made.refuse(Refusal(uri=HOSTILE + "2", reason="<script>alert(3)</script>", is_trouble=True))
    text = page_of(made)
    assert "\u202e" not in text
    assert "\x1b" not in text
    tab = opened(text)
    tab.locator("#hit-table tbody tr").first.click()
    assert tab.locator("img, b").count() == 0
    assert tab.locator("script").count() == 1
