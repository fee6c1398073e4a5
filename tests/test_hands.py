"""Several hands on one file, each with copies of its own: every step in its order, and nobody is left behind."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcp_forensics import batches
from ctcp_forensics._kernel import plain_belt
from ctcp_forensics.batches import MOST_HANDS, hands_for
from ctcp_forensics.capture import open_capture, source
from ctcp_forensics.capture.copies import Copies
from ctcp_forensics.errors import CaptureError
from tests.hands_at_work import Load, Reading, nobody_is_left

CHUNK_LEN = 10
CONTENT = bytes(range(1, 248))
"""24 chunks and seven bytes."""


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "CHUNK_LEN", CHUNK_LEN)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hands") / "content"
    path.write_bytes(CONTENT)
    return path


def views(chunks: Iterator[object]) -> Iterator[memoryview]:
    """Copies of a file are looked at where they lie."""
    for chunk in chunks:
        assert isinstance(chunk, memoryview)
        yield chunk


def read_by(count: int, path: Path, seed: int = 0, greed: float = 0, **fails_at: int) -> Reading:
    with open_capture(str(path)) as capture:
        hands: Copies[Load] = Copies(capture, Load, plain_belt.Belt(count))
        reading = Reading(views(hands.chunks()), random.Random(seed), greed)
        reading.fails_at = dict(fails_at)
        hands.run(reading)
    return reading


@settings(deadline=None, max_examples=60)
@given(count=st.integers(1, 4), seed=st.integers(0, 10_000), greed=st.sampled_from([0, 0.2, 0.9]))
def test_the_file_is_followed_whole_and_in_order_however_many_chunks_are_taken_at_a_turn(
    count: int, seed: int, greed: float, path: Path
) -> None:
    reading = read_by(count, path, seed, greed)
    assert reading.content == CONTENT
    assert reading.collected == [CHUNK_LEN] * 24 + [7]
    assert reading.told == list(range(0, len(reading.told) * count * CHUNK_LEN, count * CHUNK_LEN))
    assert nobody_is_left()


@pytest.mark.parametrize("length", [0, 1, CHUNK_LEN, 2 * CHUNK_LEN, 2 * CHUNK_LEN + 1])
@pytest.mark.parametrize("count", [2, 3])
def test_any_length(count: int, length: int, tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(CONTENT[:length])
    assert read_by(count, tmp_path / "short").content == CONTENT[:length]


@pytest.mark.parametrize("step", ["collect", "follow"])
@pytest.mark.parametrize("turn", [0, 1, 8, 9])
def test_an_error_of_any_hand_surfaces_and_nothing_is_followed_behind_it(
    step: str, turn: int, path: Path
) -> None:
    for seed in range(5):
        with open_capture(str(path)) as capture:
            hands: Copies[Load] = Copies(capture, Load, plain_belt.Belt(2))
            reading = Reading(views(hands.chunks()), random.Random(seed))
            reading.fails_at = {step: turn}
            with pytest.raises(RuntimeError, match="as told"):
                hands.run(reading)
        assert nobody_is_left()
        assert CONTENT.startswith(reading.content)
        assert len(reading.content) <= turn * CHUNK_LEN


def test_an_interrupt_stops_a_hand_that_would_take_chunk_after_chunk(path: Path) -> None:
    is_greedy = threading.Event()

    class Interrupted(Reading):
        def collect(self, load: Load) -> bool:
            if len(self.collected) == 1:
                self.greed = 1
                is_greedy.set()
            return super().collect(load)

        def follow(self, load: Load) -> None:
            is_greedy.wait()
            raise KeyboardInterrupt

    with open_capture(str(path)) as capture:
        hands: Copies[Load] = Copies(capture, Load, plain_belt.Belt(2))
        reading = Interrupted(slowly(views(hands.chunks())), random.Random(0))
        with pytest.raises(KeyboardInterrupt):
            hands.run(reading)
    assert nobody_is_left()
    assert len(reading.collected) < 12


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("can't start new thread")])
def test_nobody_waits_for_ever_where_a_thread_does_not_start(
    path: Path, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        if len(started) == 1:
            raise error
        started.append(thread)
        begin(thread)

    started: list[threading.Thread] = []
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with open_capture(str(path)) as capture:
        hands: Copies[Load] = Copies(capture, Load, plain_belt.Belt(3))
        with pytest.raises(type(error)):
            hands.run(Reading(views(hands.chunks()), random.Random(0)))
    assert nobody_is_left()


def slowly(chunks: Iterator[object]) -> Iterator[object]:
    for chunk in chunks:
        sleep(0.02)
        yield chunk


@pytest.mark.parametrize("good", [70, 73])
def test_what_cannot_be_read_is_told_behind_what_could(
    good: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.preadv

    def broken(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        if offset >= good:
            raise OSError(5, "Input/output error")
        return real(descriptor, [buffers[0][: good - offset]], offset)

    monkeypatch.setattr(os, "preadv", broken)
    with open_capture(str(path)) as capture:
        hands: Copies[Load] = Copies(capture, Load, plain_belt.Belt(2))
        reading = Reading(views(hands.chunks()), random.Random(0))
        with pytest.raises(CaptureError, match=rf"byte {good}: cannot be read on: input/output error"):
            hands.run(reading)
    assert CONTENT[:good].startswith(reading.content)
    assert reading.collected == [CHUNK_LEN] * 7 + [3] * (good == 73)


def test_a_read_that_gives_less_than_was_asked_for_is_no_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.preadv
    monkeypatch.setattr(
        os, "preadv", lambda descriptor, buffers, offset: real(descriptor, [buffers[0][:3]], offset)
    )
    assert read_by(2, path).content == CONTENT


def test_a_file_is_hashed_whoever_copied_it(path: Path) -> None:
    with open_capture(str(path)) as capture:
        deaf = [len(chunk) for chunk in capture.chunks(threads=1)]
        expected = capture.digest
    with open_capture(str(path)) as capture:
        hands: Copies[Load] = Copies(capture, Load, plain_belt.Belt(2))
        reading = Reading(views(hands.chunks()), random.Random(0))
        hands.run(reading)
        assert (capture.digest, capture.content_digest, capture.position) == (
            expected,
            expected,
            len(CONTENT),
        )
    assert reading.collected == deaf


def test_what_grows_while_it_is_read_is_told_as_far_as_it_was_there(tmp_path: Path) -> None:
    growing = tmp_path / "growing"
    growing.write_bytes(CONTENT[:25])
    with open_capture(str(growing)) as capture:
        hands: Copies[Load] = Copies(capture, Load, plain_belt.Belt(2))
        reading = Reading(views(hands.chunks()), random.Random(0))
        with growing.open("ab") as more:
            more.write(CONTENT[25:28])
        hands.run(reading)
        assert reading.content == CONTENT[:28]
        assert capture.notes == ("was still being written while it was read; what was there is told",)


def test_only_long_files_that_lie_there_as_they_are_have_several_hands(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "packed").write_bytes(b"\x1f\x8b\x08\x00" + bytes(100))
    with open_capture(str(path)) as capture, open_capture(str(tmp_path / "packed")) as packed:
        assert hands_for(capture, 2) == 1
        monkeypatch.setattr(batches, "WORTH_SHARING", len(CONTENT))
        assert [hands_for(capture, threads) for threads in (1, 2, 5)] == [1, 2, MOST_HANDS]
        assert hands_for(packed, 2) == 1


def test_a_file_that_cannot_be_looked_at_is_left_to_who_reads_it_from_its_beginning(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", broken)
    with open_capture(str(path)) as capture:
        assert not capture.is_read_anywhere
        assert b"".join(map(bytes, capture.chunks(threads=1))) == CONTENT
