"""Chunks that come one after the other: whoever takes them, a report is the same to the last byte however they run."""

from __future__ import annotations

import gzip
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctcp_forensics import batches
from ctcp_forensics._kernel import plain_belt
from ctcp_forensics._kernel.rows import Frame
from ctcp_forensics.batches import MOST_HANDS, hands_for
from ctcp_forensics.capture import Capture, cores, line, open_capture, source
from ctcp_forensics.capture.codecs import Unpacker
from ctcp_forensics.capture.line import CHUNKS_ALONE, CHUNKS_READY, Line
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.packets import Tray
from ctcp_forensics.pipeline import Options, diagnose
from ctcp_forensics.reading.course import Reel
from ctcp_forensics.savefile import Reader
from tests import savefiles as sf
from tests.hands_at_work import Load, Reading, dawdle, nobody_is_left
from tests.kernels import COMPILED, needs_core

SAMPLES = Path(__file__).parent.parent / "samples"
LONG_BLOCK = 300_000
"""Of a kind that is skipped: many small chunks go by without a frame."""


# --- the line -----------------------------------------------------------------------------------

CHUNK_LEN = 10
CONTENT = bytes(range(1, 248)) * 2
"""49 chunks and four bytes."""


class Trickling:
    """A pipe that gives a few bytes at a time, slowly where it is told to, and may break."""

    def __init__(self, content: bytes, chance: random.Random, *, is_slow: bool = False) -> None:
        self.left, self.chance, self.is_slow = content, chance, is_slow
        self.breaks: BaseException | None = None

    def readinto(self, memory: memoryview, /) -> int:
        if self.is_slow:
            dawdle(self.chance)
        if not self.left and self.breaks is not None:
            raise self.breaks
        piece = self.left[: self.chance.randrange(1, CHUNK_LEN)][: len(memory)]
        memory[: len(piece)], self.left = piece, self.left[len(piece) :]
        return len(piece)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    set_chunk_len(monkeypatch, CHUNK_LEN)


def set_chunk_len(patch: pytest.MonkeyPatch, length: int) -> None:
    patch.setattr(source, "CHUNK_LEN", length)
    patch.setattr(line, "CHUNK_LEN", length)


def read_by(
    count: int, pipe: Trickling, seed: int = 0, greed: float = 0, belt: Any = plain_belt.Belt, **fails_at: int
) -> Reading:
    with Capture("-", pipe, size=None) as capture:
        hands: Line[Load] = Line(capture, Load, belt(count, collectors=1))
        reading = Reading(hands.chunks(), random.Random(seed), greed)
        reading.fails_at = dict(fails_at)
        hands.run(reading)
    return reading


@settings(deadline=None, max_examples=80)
@given(
    count=st.integers(1, 4),
    seed=st.integers(0, 10_000),
    greed=st.sampled_from([0, 0.2, 0.9, 1]),
    is_slow=st.booleans(),
    length=st.sampled_from([0, 1, CHUNK_LEN, 40, 41, 50, len(CONTENT)]),
)
def test_what_comes_is_followed_whole_and_in_order_whoever_takes_it(
    count: int, seed: int, greed: float, is_slow: bool, length: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        set_chunk_len(patch, CHUNK_LEN)
        pipe = Trickling(CONTENT[:length], random.Random(seed), is_slow=is_slow)
        reading = read_by(count, pipe, seed, greed)
    assert reading.content == CONTENT[:length]
    rest = [length % CHUNK_LEN] if length % CHUNK_LEN else []
    assert reading.collected == [CHUNK_LEN] * (length // CHUNK_LEN) + rest
    assert reading.told == sorted(reading.told)
    assert nobody_is_left()


@pytest.mark.usefixtures("small_chunks")
def test_little_work_needs_no_thread() -> None:
    alone = read_by(2, Trickling(CONTENT[: CHUNKS_ALONE * CHUNK_LEN], random.Random(0)))
    assert alone.threads == {threading.current_thread().name}
    together = read_by(2, Trickling(CONTENT, random.Random(0), is_slow=True))
    assert together.threads == {threading.current_thread().name, "hand"}


@pytest.mark.usefixtures("small_chunks")
def test_who_makes_chunks_lends_a_hand_where_the_others_are_behind() -> None:
    class Slow(Reading):
        def follow(self, load: Load) -> None:
            by.append(threading.current_thread().name)
            sleep(0.002)
            super().follow(load)

    by: list[str] = []
    with Capture("-", Trickling(CONTENT, random.Random(0)), size=None) as capture:
        hands: Line[Load] = Line(capture, Load, plain_belt.Belt(2, collectors=1))
        reading = Slow(hands.chunks(), random.Random(0))
        hands.run(reading)
    assert reading.content == CONTENT
    assert min(by.count("hand"), len(by) - by.count("hand")) > 15


@pytest.mark.usefixtures("small_chunks")
def test_what_is_made_and_not_done_with_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that were read, but for those of chunks that were followed."""
    read: list[int] = []
    real = source.Capture._fill

    def counted(capture: Capture, memory: memoryview) -> tuple[int, CaptureError | None]:
        filled = real(capture, memory)
        read.append(filled[0])
        most.append(sum(read) - len(reading.content))
        return filled

    monkeypatch.setattr(source.Capture, "_fill", counted)
    most: list[int] = []
    with Capture("-", Trickling(CONTENT * 4, random.Random(0)), size=None) as capture:
        hands: Line[Load] = Line(capture, Load, plain_belt.Belt(2, collectors=1))
        reading = Reading(hands.chunks(), random.Random(0))
        hands.run(reading)
    assert max(most) <= (CHUNKS_READY + 3) * CHUNK_LEN
    assert len(hands._rooms._free) <= CHUNKS_READY + 3


@pytest.mark.parametrize("step", ["collect", "follow"])
@pytest.mark.parametrize("turn", [0, 1, 8, 9])
@pytest.mark.usefixtures("small_chunks")
def test_an_error_of_any_hand_surfaces_and_nothing_is_followed_behind_it(step: str, turn: int) -> None:
    for seed in range(5):
        pipe = Trickling(CONTENT, random.Random(seed))
        with Capture("-", pipe, size=None) as capture:
            hands: Line[Load] = Line(capture, Load, plain_belt.Belt(2, collectors=1))
            reading = Reading(hands.chunks(), random.Random(seed))
            reading.fails_at = {step: turn}
            with pytest.raises(RuntimeError, match="as told"):
                hands.run(reading)
        assert nobody_is_left()
        assert CONTENT.startswith(reading.content)
        assert len(reading.content) <= turn * CHUNK_LEN


@pytest.mark.usefixtures("small_chunks")
def test_what_cannot_be_read_is_told_behind_what_could() -> None:
    for seed in range(5):
        pipe = Trickling(CONTENT, random.Random(seed))
        pipe.breaks = OSError(5, "Input/output error")
        with Capture("-", pipe, size=None) as capture:
            hands: Line[Load] = Line(capture, Load, plain_belt.Belt(2, collectors=1))
            reading = Reading(hands.chunks(), random.Random(seed))
            with pytest.raises(CaptureError, match=r"byte 494: cannot be read on: input/output error"):
                hands.run(reading)
        assert nobody_is_left()
        assert sum(reading.collected) == 494


@pytest.mark.parametrize("after", [0, 30, 100])
@pytest.mark.usefixtures("small_chunks")
def test_an_interrupt_where_chunks_are_made_leaves_nobody_behind(after: int) -> None:
    pipe = Trickling(CONTENT[:after], random.Random(after))
    pipe.breaks = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        read_by(2, pipe)
    assert nobody_is_left()


@pytest.mark.usefixtures("small_chunks")
def test_an_interrupt_where_the_others_are_waited_for_leaves_nobody_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The capture would be closed while one is still at work on it."""
    join = threading.Thread.join

    def interrupted(thread: threading.Thread) -> None:
        monkeypatch.setattr(threading.Thread, "join", join)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read_by(3, Trickling(CONTENT, random.Random(0)))
    assert nobody_is_left()


@pytest.mark.usefixtures("small_chunks")
def test_a_thread_that_begins_behind_an_interrupt_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`Thread.start` waits until the thread runs: interrupted there, nobody knows whether it ever will."""
    begin, late = threading.Thread.start, list[threading.Thread]()

    def interrupted(thread: threading.Thread) -> None:
        late.append(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with Capture("-", Trickling(CONTENT, random.Random(0)), size=None) as capture:
        hands: Line[Load] = Line(capture, Load, plain_belt.Belt(2, collectors=1))
        reading = Reading(hands.chunks(), random.Random(0))
        with pytest.raises(KeyboardInterrupt):
            hands.run(reading)
    done = list(reading.collected)
    begin(late[0])
    late[0].join()
    assert reading.collected == done


NOT_ALL_WAS_SEEN = 3
ANALYZE_A_PIPE = """
import sys
from ctcp_forensics.cli import main
sys.argv = ["ctcp-diag", "analyze", "-"]
sys.exit(main())
"""


@pytest.mark.parametrize("megabytes", [0, 1, 20])
def test_a_silent_pipe_is_left_by_an_interrupt(megabytes: int) -> None:
    """Whether the other hands have begun or not, and wait for chunks.  The answer to what has come follows."""
    records = sf.pcap_header("<") + sf.record("<", bytes(1000)) * (megabytes * 1050)
    with subprocess.Popen(
        [sys.executable, "-c", ANALYZE_A_PIPE],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as program:
        assert program.stdin is not None
        program.stdin.write(records)
        program.stdin.flush()
        sleep(1.5)
        assert program.poll() is None
        program.send_signal(signal.SIGINT)
        assert program.wait(timeout=20) == NOT_ALL_WAS_SEEN


def test_memory_of_a_chunk_is_used_again_only_when_it_was_given_back() -> None:
    rooms = source.Rooms()
    fresh = iter(rooms)
    first, second = next(fresh), next(fresh)
    assert first.obj is not second.obj
    rooms.give_back(first)
    assert next(fresh).obj is first.obj
    second[:3] = b"abc"
    kept = rooms.vacated(second[:3])
    again = next(fresh)
    assert again.obj is second.obj
    again[:3] = b"xyz"
    assert kept == b"abc"
    for elsewhere in (b"unpacked", None):
        assert rooms.vacated(elsewhere) is elsewhere
        rooms.give_back(elsewhere)
    assert not rooms._free


def test_as_many_threads_as_the_process_may_use_cores() -> None:
    program = "import os; os.sched_setaffinity(0, {0}); from ctcp_forensics.capture.cores import cores; print(cores())"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout == "1\n"
    assert cores() == len(os.sched_getaffinity(0))


# --- the kernel hands a batch over ----------------------------------------------------------------


@pytest.mark.parametrize("kernel", ["plain", "core"])
def test_a_table_hands_its_batch_over_and_keeps_its_totals(kernel: str) -> None:
    module = pytest.importorskip(f"ctcp_forensics._kernel.{'plain_walk' if kernel == 'plain' else 'core'}")
    table, other = module.Frames(capacity=2, first_number=7), module.Frames(capacity=3)
    rows = [Frame(number, number * 10, 0, 60, 60, 0, 1, 0) for number in (7, 8)]
    for row in rows:
        table.append(row)
    table.hand_over(other)
    assert (len(table), [other[at] for at in range(len(other))]) == (0, rows)
    assert (table.totals.frames, table.totals.last_ns, table.next_number) == (2, 80, 9)
    other.clear()
    table.append(Frame(9, 90, 0, 60, 60, 0, 1, 0))
    table.hand_over(other)
    assert [frame.number for frame in (other[at] for at in range(len(other)))] == [9]


@needs_core
def test_a_smaller_table_gets_a_copy_and_the_larger_one_stays_as_large() -> None:
    table, smaller, too_small = (COMPILED.Frames(capacity=room) for room in (3, 2, 1))
    frames = [Frame(number, number * 10, 0, 60, 60, 0, 1, 0) for number in (1, 2, 3)]
    for frame in frames[:2]:
        table.append(frame)
    with pytest.raises(ValueError, match="does not fit"):
        table.hand_over(too_small)
    table.hand_over(smaller)
    assert (len(table), [smaller[at] for at in range(len(smaller))]) == (0, frames[:2])
    for frame in frames:
        table.append(frame)
    assert len(table) == 3


# --- whole analyses -------------------------------------------------------------------------------


def frames_of(name: str) -> Iterator[tuple[int, bytes]]:
    reader = Reader([(SAMPLES / name).read_bytes()])
    for buffer, frames in reader.batches():
        for at in range(len(frames)):
            frame = frames[at]
            yield frame.time_ns, bytes(buffer[frame.offset : frame.offset + frame.captured_len])


def two_places() -> bytes:
    """Both sides of a firewall in one file, a long block of no interest between every few frames, and a damaged end."""
    frames = [
        (time_ns, place, data)
        for place, name in enumerate(("failure-asa-outside.pcap", "failure-asa-inside.pcap"))
        for time_ns, data in frames_of(name)
    ]
    written = [sf.section("<"), sf.interface("<"), sf.interface("<")]
    for number, (time_ns, place, data) in enumerate(sorted(frames)):
        written.append(sf.enhanced("<", data, ticks=time_ns // 1000, identifier=place))
        if number % 40 == 0:
            written.append(sf.block("<", 0x0BAD_F00D, bytes(LONG_BLOCK if number % 80 == 0 else 5000)))
    return b"".join(written) + b"\x06\x00\x00\x00\x40\x00"


def fragmented() -> bytes:
    """Every frame of a capture cut in two fragments, so that Python has to put each datagram together."""
    pieces = []
    for time_ns, data in frames_of("failure-client.pcap"):
        header, payload = data[14:34], data[34:]
        cut = len(payload) // 16 * 8
        for offset, more, part in ((0, 0x2000, payload[:cut]), (cut, 0, payload[cut:])):
            whole = bytearray(header + part)
            whole[2:4] = len(whole).to_bytes(2, "big")
            whole[6:8] = (more | offset // 8).to_bytes(2, "big")
            pieces.append(
                sf.record(
                    "<", data[:14] + bytes(whole), seconds=time_ns // 10**9, fraction=time_ns % 10**9 // 1000
                )
            )
    return sf.pcap_header("<") + b"".join(pieces)


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("captures")
    (folder / "two-places.pcapng").write_bytes(two_places())
    (folder / "fragmented.pcap").write_bytes(fragmented())
    (folder / "cut.pcap").write_bytes((SAMPLES / "failure-client.pcap").read_bytes()[:-30])
    names = ("failure-reverse-client.pcap.gz", "failure-reverse-asa-inside.pcapng", "healthy.pcap")
    return [*sorted(folder.iterdir()), *(SAMPLES / name for name in names)]


def report_of(path: Path, threads: int | None) -> bytes:
    return diagnose([str(path)], Options(threads=threads, all_tcp=True)).to_json()


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    at=st.integers(0, 5),
    threads=st.sampled_from([1, 2, None]),
    chunk_len=st.sampled_from([600, 4096, 65_536, 1 << 20]),
    worth_sharing=st.sampled_from([0, batches.WORTH_SHARING]),
    slow=st.sampled_from(["nothing", "reading", "copying", "unpacking", "decoding", "following", "all"]),
    seed=st.integers(0, 1000),
)
def test_a_report_is_the_same_however_the_threads_run(
    at: int,
    threads: int | None,
    chunk_len: int,
    worth_sharing: int,
    slow: str,
    seed: int,
    captures: list[Path],
) -> None:
    expected = report_of(captures[at], 1)
    with pytest.MonkeyPatch.context() as patch:
        set_chunk_len(patch, chunk_len)
        patch.setattr(batches, "WORTH_SHARING", worth_sharing)
        patch.setattr(batches, "PACKED_WORTH_SHARING", worth_sharing)
        patch.setattr(line, "CHUNKS_ALONE", 1 + seed % 2)
        slow_down(patch, slow, random.Random(seed))
        assert report_of(captures[at], threads) == expected
    assert nobody_is_left()


def slow_down(patch: pytest.MonkeyPatch, what: str, chance: random.Random) -> None:
    stages: dict[str, tuple[Any, str]] = {
        "reading": (source.Capture, "_fill"),
        "copying": (source.Capture, "block_at"),
        "unpacking": (Unpacker, "_unpack"),
        "decoding": (Tray, "decode"),
        "following": (Reel, "follow"),
    }
    for name in stages if what == "all" else [what] if what in stages else []:
        owner, method = stages[name]
        patch.setattr(owner, method, lazily(getattr(owner, method), chance))


def lazily(stage: Callable[..., Any], chance: random.Random) -> Callable[..., Any]:
    def slow(*arguments: Any) -> Any:
        if chance.random() < 0.02:
            sleep(chance.random() * 0.004)
        return stage(*arguments)

    return slow


def test_pipes_and_what_is_compressed_have_one_hand_more_where_there_are_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = random.Random(3).randbytes(100_000)
    (tmp_path / "plain").write_bytes(content)
    (tmp_path / "packed").write_bytes(gzip.compress(content))
    (tmp_path / "short").write_bytes(gzip.compress(bytes(1000)))
    wanted = (1, 2, 3, 8)
    with open_capture(str(tmp_path / "plain")) as plain, open_capture(str(tmp_path / "packed")) as packed:
        assert [hands_for(plain, threads) for threads in wanted] == [1, 1, 1, 1]
        assert [hands_for(packed, threads) for threads in wanted] == [1, 2, MOST_HANDS + 1, MOST_HANDS + 1]
        monkeypatch.setattr(batches, "WORTH_SHARING", 0)
        assert [hands_for(plain, threads) for threads in wanted] == [1, 2, MOST_HANDS, MOST_HANDS]
    with open_capture(str(tmp_path / "short")) as short:
        assert hands_for(short, 8) == 1
    with Capture("-", Trickling(b"", random.Random(0)), size=None) as pipe:
        assert [hands_for(pipe, threads) for threads in wanted] == [1, 2, MOST_HANDS + 1, MOST_HANDS + 1]


def test_two_places_in_one_file_are_two_places_on_two_threads_as_well(captures: list[Path]) -> None:
    """What tells of them stands before the first frame, however far the reading is ahead."""
    (path,) = (path for path in captures if path.name == "two-places.pcapng")
    for threads in (1, 2):
        report = diagnose([str(path)], Options(threads=threads))
        assert [len(one.places) for one in report.paths] == [2]
