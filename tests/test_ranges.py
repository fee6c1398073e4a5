"""Ranges of an object, fetched beside each other: what is read is what is there, and no more is asked for than said."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from ctcp_forensics.capture.remote import ranges as ranges_module
from ctcp_forensics.capture.remote.ranges import RANGES_AHEAD, Ranges

OBJECT = random.Random(8).randbytes(10_000)
RANGE_LEN = 300

Fetch = Callable[[int, int], bytes]


@contextmanager
def ranges_of(fetch: Fetch, size: int = len(OBJECT)) -> Iterator[Ranges]:
    ranges = Ranges(fetch, size, RANGE_LEN)
    try:
        yield ranges
    finally:
        ranges.close()


def rest_of(ranges: Ranges, step: int = 177) -> bytes:
    memory, taken = memoryview(bytearray(step)), b""
    while count := ranges.readinto(memory):
        taken += memory[:count]
    return taken


def there(start: int, end: int) -> bytes:
    return OBJECT[start:end]


@pytest.mark.parametrize("size", [0, 1, RANGE_LEN - 1, RANGE_LEN, RANGE_LEN + 1, len(OBJECT)])
def test_they_are_taken_in_their_order_whichever_comes_first(size: int) -> None:
    chance = random.Random(size)

    def sometimes_late(start: int, end: int) -> bytes:
        threading.Event().wait(chance.choice([0, 0, 0.003]))
        return OBJECT[:size][start:end]

    with ranges_of(sometimes_late, size) as ranges:
        assert rest_of(ranges) == OBJECT[:size]


def test_who_looks_at_the_first_bytes_has_one_range_sent() -> None:
    asked = []

    def fetch(start: int, end: int) -> bytes:
        asked.append(start)
        return there(start, end)

    with ranges_of(fetch) as ranges:
        ranges.readinto(memoryview(bytearray(10)))
    assert asked == [0]


def test_no_more_are_on_their_way_than_said_and_they_are_beside_each_other() -> None:
    asked, taken, most, together = [0], [0], [0], threading.Barrier(RANGES_AHEAD)

    def fetch(start: int, end: int) -> bytes:
        asked[0] += 1
        most[0] = max(most[0], asked[0] - taken[0])
        if start >= 4 * RANGE_LEN and start < (4 + RANGES_AHEAD) * RANGE_LEN:
            together.wait(timeout=20)
        return there(start, end)

    with ranges_of(fetch) as ranges:
        memory = memoryview(bytearray(RANGE_LEN))
        while ranges.readinto(memory):
            taken[0] += 1
    assert most[0] <= RANGES_AHEAD + 1


def test_a_short_answer_is_gone_on_with_behind_its_end() -> None:
    with ranges_of(lambda start, end: there(start, min(end, start + 7))) as ranges:
        assert rest_of(ranges) == OBJECT


@pytest.mark.parametrize("end_at", [0, 1000, 9_999])
def test_nothing_is_taken_behind_a_range_that_did_not_come_in_full(end_at: int) -> None:
    """The ones behind it may well have come: what is put together of them would have a hole."""

    def fetch(start: int, end: int) -> bytes:
        return there(start, end) if not start <= end_at < end else there(start, end_at)

    with ranges_of(fetch) as ranges:
        assert rest_of(ranges) == OBJECT[:end_at]


def test_what_goes_wrong_is_told_where_its_range_would_be_read() -> None:
    def fetch(start: int, end: int) -> bytes:
        if start == 5 * RANGE_LEN:
            raise OSError("gone")
        return there(start, end)

    with ranges_of(fetch) as ranges:
        memory = memoryview(bytearray(RANGE_LEN))
        for at in range(0, 5 * RANGE_LEN, RANGE_LEN):
            assert ranges.readinto(memory) == RANGE_LEN
            assert memory == OBJECT[at : at + RANGE_LEN]
        with pytest.raises(OSError, match="gone"):
            ranges.readinto(memory)


def test_behind_its_end_nothing_is_on_its_way() -> None:
    """Four ranges are read, and others were asked for: when it is closed, nobody works on those any more."""
    read_len = 4 * RANGE_LEN
    working: list[int] = []
    has_begun, may_end = threading.Event(), threading.Event()

    def held(start: int, end: int) -> bytes:
        if start >= read_len:
            working.append(start)
            has_begun.set()
            assert may_end.wait(60)
            working.remove(start)
        return there(start, end)

    with ranges_of(held) as ranges:
        for _ in range(4):
            ranges.readinto(memoryview(bytearray(RANGE_LEN)))
        assert has_begun.wait(60)
        threading.Timer(0.1, may_end.set).start()
    assert working == []
    assert not [one for one in threading.enumerate() if one.name.startswith("range")]


def test_what_never_comes_back_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library tries for minutes, and nobody wants it any more; what it still brings is thrown away."""
    monkeypatch.setattr(ranges_module, "CLOSING_S", 0.2)
    comes, asked = threading.Event(), []

    def fetch(start: int, end: int) -> bytes:
        asked.append(start)
        if start < 2 * RANGE_LEN:
            return there(start, end)
        comes.wait(timeout=20)
        return there(start, start + 1)

    with ranges_of(fetch) as ranges:
        for _ in range(2):
            ranges.readinto(memoryview(bytearray(RANGE_LEN)))
        begun = time.monotonic()
    assert time.monotonic() - begun < 5
    (late,) = [one for one in threading.enumerate() if one.name == "range"]
    assert late.daemon
    comes.set()
    late.join(timeout=20)
    assert asked == [0, RANGE_LEN, 2 * RANGE_LEN], "nobody wants the rest of it"


def test_nothing_is_read_behind_a_range_that_failed() -> None:
    def fetch(start: int, end: int) -> bytes:
        if start == RANGE_LEN:
            raise ConnectionError("reset")
        return there(start, end)

    memory = memoryview(bytearray(RANGE_LEN))
    with ranges_of(fetch) as ranges:
        assert ranges.readinto(memory) == RANGE_LEN
        for _ in range(2):
            with pytest.raises(ConnectionError):
                ranges.readinto(memory)
