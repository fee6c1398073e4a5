"""Searching: who looks for captures far away keeps nobody from what has been found by then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from ctcp_forensics.archive import search as search_module
from ctcp_forensics.archive.entry import Entry, Found, Trail
from ctcp_forensics.archive.examine import Terms
from ctcp_forensics.archive.find import distant, trails
from ctcp_forensics.archive.scan import Wanted, scan
from ctcp_forensics.archive.search import NAMES_AHEAD, Search
from ctcp_forensics.archive.store import Store
from ctcp_forensics.capture.remote import listing
from tests.faulty import Answer, Faulty, Script
from tests.sweeps import SAMPLES, make_archive
from tests.test_remote import moto, put_object, store

__all__ = ["moto", "store"]


def named(number: int) -> Entry:
    return Entry(uri=f"/{number}", size=1, stamp="")


def all_of(search: Search, most: int = 7) -> list[Found]:
    found: list[Found] = []
    while not search.is_over:
        some = search.some(most)
        assert len(some) <= most
        found += some
    return found


def until(said: Callable[[], bool]) -> bool:
    for _ in range(200):
        if said():
            return True
        time.sleep(0.05)
    return False


def searching() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "search"]


def near(found: Iterable[Found]) -> Search:
    return Search([Trail(found=found)])


def slow_from(at: int, count: int) -> Iterator[Found]:
    for number in range(count):
        if number == at:
            time.sleep(1.5 * search_module.SLOW_S)
        yield named(number)


@pytest.mark.parametrize("at", [0, 5, 1_000, 2_999, 9_999])
def test_everything_is_found_once_and_in_its_order_however_slowly(at: int) -> None:
    assert all_of(near(slow_from(at, 3_000))) == [named(number) for number in range(3_000)]


def test_who_was_kept_waiting_once_is_kept_waiting_no_more() -> None:
    comes = threading.Event()

    def found() -> Iterator[Found]:
        yield from slow_from(0, 1)
        comes.wait()
        yield named(1)

    search = near(found())
    assert search.some(5) == [named(0)]
    begun = time.monotonic()
    assert search.some(5) == []
    assert time.monotonic() - begun < 5, "it asked a search that waits for ever"
    comes.set()
    assert all_of(search) == [named(1)]


def test_what_is_far_is_not_waited_for_even_once() -> None:
    """The first page of a listing may take a minute, in which workers die and answers come."""
    comes, in_threads = threading.Event(), []

    def found(number: int) -> Iterator[Found]:
        in_threads.append(threading.current_thread().name == "search")
        if number == 1:
            comes.wait(timeout=20)
        yield named(number)

    trails = [Trail(found=found(number), is_far=number == 1) for number in range(3)]
    search = Search(trails)
    begun = time.monotonic()
    assert [search.some(5), search.some(5)] == [[named(0)], []]
    assert time.monotonic() - begun < 5
    comes.set()
    assert all_of(search) == [named(1), named(2)]
    assert in_threads == [False, True, True]


def test_which_of_the_words_lead_far_away() -> None:
    places = ["s3://bucket/a", str(SAMPLES), "", "http://host/a.pcap", "a\0b"]
    assert [one.is_far for one in trails(iter(places))] == [True, False, False, True, False]


def test_what_ends_a_search_is_raised_where_it_would_be_found() -> None:
    def found() -> Iterator[Found]:
        yield from slow_from(0, 3)
        raise OSError("gone")

    search = near(found())
    assert [search.some(1) for _ in range(3)] == [[named(0)], [named(1)], [named(2)]]
    with pytest.raises(OSError, match="gone"):
        search.some(1)


def test_a_search_that_nobody_wants_any_more_ends_and_has_not_run_away() -> None:
    taken: list[int] = []

    def found() -> Iterator[Found]:
        for one in slow_from(0, 10_000):
            taken.append(1)
            yield one

    search = near(found())
    search.some(1)
    assert until(lambda: len(taken) > NAMES_AHEAD)
    assert len(searching()) == 1
    search.close()
    assert until(lambda: not searching())
    assert len(taken) <= NAMES_AHEAD + 3


def test_what_was_found_is_acknowledged_while_the_next_page_of_a_listing_is_waited_for(
    moto: tuple[str, int],
    store: tuple[str, Script],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second page comes when the captures of the first are in the store, and not before."""
    bucket, script = store
    for path in sorted(make_archive(tmp_path / "in", 4).iterdir()):
        put_object(moto, f"{bucket}/7/{path.name}", path.read_bytes())
    monkeypatch.setattr(listing, "PAGE_LEN", 2)
    monkeypatch.setattr(distant, "ASKED_AT_ONCE", 2)
    pages: list[bool] = []

    def acknowledged() -> bool:
        there = Store.open(tmp_path / "store")
        try:
            return there.coverage(None).looked_at == 2
        finally:
            there.close()

    def page(handler: Faulty, answer: Answer) -> None:
        time.sleep(2 * search_module.SLOW_S)
        if "continuation-token" in handler.path:
            pages.append(until(acknowledged))
        handler.send(answer)

    script.listings = page
    swept = scan(
        Wanted(places=[f"{bucket}/7/"], store=tmp_path / "store", terms=Terms(), engine="process", workers=1),
        lambda _: None,
    )
    assert pages
    assert all(pages)
    assert (swept.coverage.looked_at, swept.coverage.is_complete) == (4, True)


def test_folders_need_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "SLOW_S", 60)  # a busy machine is no slow listing
    search = Search(trails([str(SAMPLES)]))
    assert len(all_of(search)) > 5
    assert searching() == []
