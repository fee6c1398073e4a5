"""The second core: trays go round between two threads, and a report is the same to the last byte however they run."""

from __future__ import annotations

import gzip
import os
import random
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
from ctcp_forensics._kernel.rows import Frame
from ctcp_forensics.batches import threads_for_frames
from ctcp_forensics.capture import open_capture, source
from ctcp_forensics.capture import relay as relay_module
from ctcp_forensics.capture.codecs import Unpacker
from ctcp_forensics.capture.relay import TRAYS, TRAYS_ALONE, Relay, cores
from ctcp_forensics.packets import Tray
from ctcp_forensics.pipeline import Options, diagnose
from ctcp_forensics.reading.course import Reel
from ctcp_forensics.savefile import Reader
from tests import savefiles as sf

SAMPLES = Path(__file__).parent.parent / "samples"
LONG_BLOCK = 300_000
"""Of a kind that is skipped: many small chunks go by without a frame."""


def no_worker_is_left() -> bool:
    return not any(thread.name in ("relay", "hand") for thread in threading.enumerate())


# --- the relay ---------------------------------------------------------------------------------


def numbers_through(
    count: int, work: Callable[[list[int]], None], *, threads: int = 2, then: BaseException | None = None
) -> None:
    with Relay(list[int], work, threads=threads) as relay:
        for number in range(count):
            tray = relay.take()
            tray[:] = [number]
            relay.pass_on(tray)
        if then is not None:
            raise then


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, TRAYS_ALONE, TRAYS_ALONE + 1, 200])
def test_the_work_is_done_in_the_order_in_which_trays_were_passed_on(threads: int, count: int) -> None:
    done: list[int] = []
    numbers_through(count, done.extend, threads=threads)
    assert done == list(range(count))
    assert no_worker_is_left()


def test_little_work_and_one_core_need_no_thread() -> None:
    on: set[str] = set()
    numbers_through(TRAYS_ALONE, lambda _: on.add(threading.current_thread().name))
    numbers_through(100, lambda _: on.add(threading.current_thread().name), threads=1)
    assert on == {threading.current_thread().name}
    numbers_through(TRAYS_ALONE + 1, lambda _: on.add(threading.current_thread().name))
    assert on == {threading.current_thread().name, "relay"}


def test_as_many_threads_as_the_process_may_use_cores() -> None:
    program = "import os; os.sched_setaffinity(0, {0}); from ctcp_forensics.capture.relay import cores; print(cores())"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout == "1\n"
    assert cores() == len(os.sched_getaffinity(0))


def test_a_tray_is_in_one_hand_at_a_time_and_their_number_is_bounded() -> None:
    made: list[list[int]] = []
    held: list[list[int]] = []

    def make() -> list[int]:
        made.append([])
        return made[-1]

    def work(tray: list[int]) -> None:
        sleep(0.0005)
        held.append(list(tray))

    with Relay(make, work, threads=2) as relay:
        for number in range(50):
            tray = relay.take()
            tray[:] = [number]
            relay.pass_on(tray)
    assert held == [[number] for number in range(50)]
    assert len(made) == TRAYS


def test_who_fills_trays_is_told_that_it_would_have_to_wait_for_the_next_one() -> None:
    is_let_go = threading.Event()
    said = []

    def work(_: list[int]) -> None:
        is_let_go.wait()

    with Relay(list[int], work, threads=2) as relay:
        is_let_go.set()
        for _ in range(TRAYS_ALONE):
            relay.take()
            relay.pass_on([])
        is_let_go.clear()
        for _ in range(TRAYS - 1):
            tray = relay.take()
            said.append(relay.is_behind)
            relay.pass_on(tray)
            sleep(0.02)  # the worker takes the first of them
        relay.take()
        said.append(relay.is_behind)
        is_let_go.set()
    assert said == [False] * (TRAYS - 1) + [True]


def test_an_error_of_the_work_surfaces_where_trays_are_filled_and_nothing_is_done_after_it() -> None:
    done: list[int] = []

    def work(tray: list[int]) -> None:
        if tray == [20]:
            raise RuntimeError("at the twentieth")
        done.extend(tray)

    for threads in (1, 2):
        done.clear()
        with pytest.raises(RuntimeError, match="at the twentieth"):
            numbers_through(1000, work, threads=threads)
        assert done == list(range(20))
    assert no_worker_is_left()


def test_an_error_in_the_last_tray_surfaces_on_leaving() -> None:
    def work(tray: list[int]) -> None:
        if tray == [29]:
            sleep(0.02)
            raise RuntimeError("at the last")

    with pytest.raises(RuntimeError, match="at the last"):
        numbers_through(30, work)
    assert no_worker_is_left()


def test_what_was_passed_on_before_an_error_of_the_reading_is_done_all_the_same() -> None:
    done: list[int] = []

    def work(tray: list[int]) -> None:
        sleep(0.001)
        done.extend(tray)

    with pytest.raises(ValueError, match="no more"):
        numbers_through(20, work, then=ValueError("no more"))
    assert done == list(range(20))


def test_an_interrupt_leaves_no_thread_and_does_no_more_work() -> None:
    done: list[int] = []

    def work(tray: list[int]) -> None:
        sleep(0.01)
        done.extend(tray)

    with pytest.raises(KeyboardInterrupt):
        numbers_through(TRAYS_ALONE + TRAYS, work, then=KeyboardInterrupt())
    assert no_worker_is_left()
    assert len(done) < TRAYS_ALONE + TRAYS


def test_memory_of_chunks_is_not_used_again_while_a_tray_may_point_into_it() -> None:
    """Every seventh chunk alone is put on a tray, in memory that is overwritten TRAYS + 1 chunks later."""
    ring = [bytearray(1) for _ in range(TRAYS + 1)]
    seen: list[tuple[int, int]] = []

    def chunks() -> Iterator[bytearray]:
        for number in range(200):
            ring[number % len(ring)][0] = number
            yield ring[number % len(ring)]

    def work(tray: list[Any]) -> None:
        sleep(0.0005)
        seen.extend((number, chunk[0]) for number, chunk in tray)
        tray.clear()

    with Relay(list[Any], work, threads=2) as relay:
        for number, chunk in enumerate(relay.paced(chunks())):
            if number % 7 == 0:
                tray = relay.take()
                tray.append((number, chunk))
                relay.pass_on(tray)
    assert seen == [(number, number) for number in range(0, 200, 7)]


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
        patch.setattr(source, "CHUNK_LEN", chunk_len)
        patch.setattr(batches, "WORTH_SHARING", worth_sharing)
        patch.setattr(relay_module, "TRAYS_ALONE", seed % 2)
        slow_down(patch, slow, random.Random(seed))
        assert report_of(captures[at], threads) == expected
    assert no_worker_is_left()


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


def test_of_what_is_compressed_one_thread_unpacks_and_the_others_have_the_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (SAMPLES / "failure-client.pcap").read_bytes()
    (tmp_path / "plain").write_bytes(content)
    (tmp_path / "packed").write_bytes(gzip.compress(content))
    monkeypatch.setattr(source, "CHUNK_LEN", 600)
    wanted = (None, 1, 2, 3)
    with open_capture(str(tmp_path / "plain")) as plain, open_capture(str(tmp_path / "packed")) as packed:
        assert [threads_for_frames(plain, threads) for threads in wanted] == [cores(), 1, 2, 3]
        assert [threads_for_frames(packed, threads) for threads in wanted] == [max(cores() - 1, 1), 1, 1, 2]
        monkeypatch.setattr(source, "CHUNK_LEN", 1 << 20)
        assert threads_for_frames(packed, 2) == 2, "so short a file is unpacked by who reads it"


def test_two_places_in_one_file_are_two_places_on_two_threads_as_well(captures: list[Path]) -> None:
    """What tells of them stands before the first frame, however far the reading is ahead."""
    (path,) = (path for path in captures if path.name == "two-places.pcapng")
    for threads in (1, 2):
        report = diagnose([str(path)], Options(threads=threads))
        assert [len(one.places) for one in report.paths] == [2]
