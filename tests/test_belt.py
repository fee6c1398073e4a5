"""The belt: the same batches and report as by hand, whatever stands in a chunk, and turns that nobody misses."""

from __future__ import annotations

import gzip
import io
import os
import random
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctcp_forensics import _kernel, batches
from ctcp_forensics._kernel import plain_belt
from ctcp_forensics._kernel.rows import Frame
from ctcp_forensics.batches import Steps
from ctcp_forensics.capture import UNHASHED, Capture, Hashing, line, open_capture, source
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.packets import Tray
from ctcp_forensics.pipeline import Options, diagnose
from ctcp_forensics.savefile import Reader, batches_in_order
from tests import savefiles as sf
from tests.kernels import COMPILED, needs_core

SAMPLES = Path(__file__).parent.parent / "samples"
each_turns = pytest.mark.parametrize(
    "turns",
    [
        pytest.param(plain_belt.Turns, id="plain"),
        pytest.param(COMPILED and COMPILED.Turns, id="compiled", marks=needs_core),
        pytest.param(COMPILED and partial(COMPILED.Turns, is_looking=True), id="looking", marks=needs_core),
    ],
)

# --- turns -------------------------------------------------------------------------------------


@each_turns
def test_a_turn_goes_round_and_nobody_is_in_it_with_another(turns: Callable[[int], Any]) -> None:
    going_round, went = turns(3), list[int]()

    def take_turns(index: int) -> None:
        chance = random.Random(index)
        for _ in range(200):
            going_round.wait_for(index)
            went.append(index)
            if chance.random() < 0.02:
                sleep(chance.random() * 0.003)
            went.append(index)
            going_round.pass_on(index)

    threads = [threading.Thread(target=take_turns, args=(index,)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert went == [0, 0, 1, 1, 2, 2] * 200


@each_turns
def test_who_waits_in_vain_can_be_interrupted(turns: Callable[[int], Any]) -> None:
    waiting = turns(2)
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        waiting.wait_for(1)
    timer.join()
    waiting.give(1)
    waiting.wait_for(1)


@each_turns
def test_who_waits_for_a_time_is_back_after_it_though_another_was_faster(turns: Callable[[int], Any]) -> None:
    """The other one keeps the turn until the first is back."""
    one_turn, back, kept_in_vain, is_over = turns(1), list[bool](), list[int](), threading.Event()

    def keep() -> None:
        while not (is_over.is_set() or kept_in_vain):
            one_turn.wait_for(0)
            before, until = len(back), monotonic() + 5
            while len(back) == before and not is_over.is_set():
                if monotonic() > until:
                    kept_in_vain.append(before)
                    break
            one_turn.pass_on(0)

    other = threading.Thread(target=keep)
    other.start()
    while len(back) < 100 and not kept_in_vain:
        back.append(one_turn.comes(0, 500))
        if back[-1]:
            one_turn.pass_on(0)
            sleep(0.0002)
    is_over.set()
    other.join()
    assert not kept_in_vain
    assert True in back
    assert False in back


@needs_core
def test_turns_are_those_of_hands_that_there_are() -> None:
    with pytest.raises(ValueError, match="so many hands"):
        COMPILED.Turns(0)
    with pytest.raises(ValueError, match="so many hands"):
        COMPILED.Turns(9)
    for misuse in (COMPILED.Turns(2).wait_for, COMPILED.Turns(2).pass_on, COMPILED.Turns(2).give):
        for index in (-1, 2):
            with pytest.raises(IndexError):
                misuse(index)
    for index in (-1, 2):
        with pytest.raises(IndexError):
            COMPILED.Turns(2).comes(index, 1)


# --- the same batches as by hand ---------------------------------------------------------------

Batch = tuple[tuple[Frame, bytes], ...]


def batch_of(buffer: Any, frames: Any) -> Batch:
    rows = [frames[at] for at in range(len(frames))]
    return tuple((row._replace(offset=0), bytes(buffer[row.offset :][: row.captured_len])) for row in rows)


def by_one(path: Path) -> tuple[list[Batch], Reader]:
    with open_capture(str(path), hashing=UNHASHED) as capture:
        reader = Reader(capture.chunks(threads=1))
        return [batch_of(buffer, frames) for buffer, frames in batches_in_order(reader)], reader


def by_hands(path: Path, count: int, hashing: Hashing = UNHASHED) -> tuple[list[Batch], Reader]:
    with open_capture(str(path), hashing=hashing) as capture:
        return by_several(capture, count)


def by_several(capture: Capture, count: int) -> tuple[list[Batch], Reader]:
    """Nobody follows but Python, which so sees every batch that the belt took."""
    found: list[Batch] = []

    def follow(tray: Tray) -> None:
        assert len(tray.packets) == len(tray.frames)
        found.append(batch_of(tray.buffer, tray.frames))

    def nothing(*_: object) -> None: ...

    steps = Steps(begin=nothing, follow=follow, tell=nothing, tracker=nothing, add_segments=nothing)
    return found, batches.shared(capture, Reader, steps, count)


def told(reader: Reader) -> tuple[object, ...]:
    return (
        reader.frames,
        reader.next_number,
        reader.first_ns,
        reader.last_ns,
        reader.out_of_order_frames,
        reader.interfaces,
        reader.damage,
        reader.comments,
        reader.comment_count,
        reader.notes,
        reader.outcome,
    )


def data_of(chance: random.Random) -> bytes:
    return chance.randbytes(chance.choice([0, 1, 40, 60, 60, 60, 700, 3000]))


def pcap_of(chance: random.Random, count: int, oddity: float) -> bytes:
    order, nano = chance.choice("<>"), chance.random() < 0.5
    written, clock = [sf.pcap_header(order, magic=sf.NANO if nano else sf.MICRO)], 1_000_000
    for _ in range(count):
        clock += chance.randrange(1000) - (900 if chance.random() < oddity else 0)
        data = data_of(chance)
        original = len(data) + chance.choice([0, 0, 5])
        written.append(
            sf.record(order, data, seconds=clock // 10**6, fraction=clock % 10**6, original_len=original)
        )
    if chance.random() < oddity:
        written.insert(max(1, len(written) - 1), sf.record(order, captured_len=300_000))
    return b"".join(written) + b"rest"[: chance.randrange(5)]


def pcapng_of(chance: random.Random, count: int, oddity: float) -> bytes:
    order, clock = chance.choice("<>"), 1_000_000
    written = [sf.section(order), sf.interface(order), sf.interface(order, snap_len=50)]
    for _ in range(count):
        clock += chance.randrange(1000) - (900 if chance.random() < oddity else 0)
        options = sf.comment(order, "so") if chance.random() < oddity else sf.option(order, 2, bytes(4))
        written.append(
            sf.enhanced(order, data_of(chance), ticks=clock, identifier=chance.randrange(2), options=options)
        )
        if chance.random() < oddity:
            written.append(odd_block(chance, order, clock))
        if chance.random() < oddity / 10:
            order = chance.choice("<>")
            written += [sf.section(order), sf.interface(order), sf.interface(order)]
    return b"".join(written) + b"rest"[: chance.randrange(5)]


def odd_block(chance: random.Random, order: str, clock: int) -> bytes:
    return chance.choice(
        [
            sf.obsolete(order, data_of(chance), ticks=clock, drops=chance.randrange(3)),
            sf.simple(order, data_of(chance)),
            sf.statistics(order, sf.counter(order, 5, 7)),
            sf.block(order, 0x0BAD_F00D, bytes(chance.choice([4, 400, 9000]))),
            sf.block(order, 0xBAD, bytes(40)),
            sf.interface(order),
        ]
    )


@needs_core
@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 100_000),
    form=st.sampled_from([pcap_of, pcapng_of]),
    count=st.integers(0, 400),
    oddity=st.sampled_from([0, 0.005, 0.2]),
    chunk_len=st.sampled_from([61, 600, 4096, 30_000]),
    hands=st.integers(1, 3),
)
def test_batches_are_those_that_one_thread_finds_and_so_is_the_account(
    seed: int,
    form: Callable[..., bytes],
    count: int,
    oddity: float,
    chunk_len: int,
    hands: int,
    tmp_path: Path,
) -> None:
    (tmp_path / "made").write_bytes(form(random.Random(seed), count, oddity))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "CHUNK_LEN", chunk_len)
        expected, one = by_one(tmp_path / "made")
        found, shared = by_hands(tmp_path / "made", hands)
        assert found == expected
        assert told(shared) == told(one)


def as_it_is(content: bytes, _: random.Random) -> bytes:
    return content


def packed(content: bytes, chance: random.Random) -> bytes:
    """In one stream or two, now and then cut short, or with a byte changed, or with something behind it."""
    cut = chance.randrange(len(content))
    written = bytearray(gzip.compress(content[:cut], 1) + gzip.compress(content[cut:], 1))
    at = chance.randrange(len(written))
    match chance.randrange(6):
        case 0:
            return bytes(written[:at])
        case 1:
            written[at] ^= 1 << chance.randrange(8)
        case 2:
            written += b"what somebody appended"
    return bytes(written)


@needs_core
@settings(deadline=None, max_examples=120)
@given(
    seed=st.integers(0, 100_000),
    form=st.sampled_from([pcap_of, pcapng_of]),
    packing=st.sampled_from([as_it_is, packed]),
    count=st.integers(0, 400),
    oddity=st.sampled_from([0, 0.005, 0.2]),
    chunk_len=st.sampled_from([61, 600, 4096, 30_000]),
    hands=st.integers(1, 3),
    limit=st.sampled_from([0, 10_000, None]),
)
def test_of_what_comes_one_after_the_other_batches_and_account_are_the_same(
    seed: int,
    form: Callable[..., bytes],
    packing: Callable[..., bytes],
    count: int,
    oddity: float,
    chunk_len: int,
    hands: int,
    limit: int | None,
) -> None:
    """As out of a pipe, plain and compressed, with every kind of damage."""
    chance = random.Random(seed)
    content = packing(form(chance, count, oddity), chance)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "CHUNK_LEN", chunk_len)
        patch.setattr(line, "CHUNK_LEN", chunk_len)
        patch.setattr(line, "CHUNKS_ALONE", chance.randrange(3))
        one, several = (
            Capture("-", io.BytesIO(content), size=None, hashing=Hashing(limit=limit)) for _ in range(2)
        )
        assert outcome_of(several, lambda: by_several(several, hands)) == outcome_of(one, lambda: alone(one))


def alone(capture: Capture) -> tuple[list[Batch], Reader]:
    reader = Reader(capture.chunks(threads=1))
    return [batch_of(buffer, frames) for buffer, frames in batches_in_order(reader)], reader


def outcome_of(capture: Capture, reading: Callable[[], tuple[list[Batch], Reader]]) -> object:
    """Batches, account, hashes and notes, or why there are none."""
    try:
        found, reader = reading()
    except CaptureError as error:
        return str(error)
    return found, told(reader), capture.digest, capture.content_digest, capture.notes, capture.position


@needs_core
def test_a_chunk_with_more_batches_than_a_pile_has_tables_is_taken_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames without a byte: a chunk of 100 kB holds two batches, and the tables for them are made by hand."""
    monkeypatch.setattr(source, "CHUNK_LEN", 100_000)
    (tmp_path / "empty").write_bytes(sf.pcap_header() + sf.record() * 20_000)
    found, reader = by_hands(tmp_path / "empty", 2)
    assert [len(batch) for batch in found] == [len(batch) for batch in by_one(tmp_path / "empty")[0]]
    assert reader.frames == 20_000


@needs_core
def test_a_record_that_goes_through_many_chunks_is_put_together_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "CHUNK_LEN", 10_000)
    long = sf.enhanced(data=bytes(250_000), options=sf.option("<", 2988, bytes(60_000)) * 20)
    content = sf.section() + sf.interface() + (sf.enhanced(data=bytes(500)) * 50 + long) * 3
    (tmp_path / "long").write_bytes(content)
    expected, one = by_one(tmp_path / "long")
    found, shared = by_hands(tmp_path / "long", 2)
    assert found == expected
    assert told(shared) == told(one)


@needs_core
def test_nothing_is_read_behind_a_chunk_that_was_the_last_when_it_was_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file grows while one hand copies its last chunk and another looks behind it: what lies between is in neither,
    and the two pieces look as if they were one record."""
    chunk_len, record = 10_000, sf.record(data=syn())
    end_then = 5 * chunk_len + 5_030
    assert (end_then - 24) % len(record) == (6 * chunk_len - 24) % len(record)
    monkeypatch.setattr(source, "CHUNK_LEN", chunk_len)
    real = os.preadv

    def growing(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        in_last = offset // chunk_len == end_then // chunk_len
        room = max(0, end_then - offset) if in_last else chunk_len
        return real(descriptor, [buffers[0][:room]], offset)

    monkeypatch.setattr(os, "preadv", growing)
    (tmp_path / "growing").write_bytes(sf.pcap_header() + record * 20_000)
    found, reader = by_hands(tmp_path / "growing", 2)
    assert reader.frames == sum(map(len, found)) == (end_then - 24) // len(record)
    assert [damage.reason for damage in reader.damage] == ["the savefile ends inside frame 786"]


# --- what the belt does by itself, and the report ----------------------------------------------


def repeated(name: str, times: int) -> bytes:
    """The frames of a sample, again and again."""
    content = (SAMPLES / name).read_bytes()
    return content[:24] + content[24:] * times


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("belt")
    for name in ("failure-client.pcap", "healthy.pcap"):
        (folder / name).write_bytes(repeated(name, 5))
    (folder / "cut.pcap").write_bytes(repeated("failure-client.pcap", 3)[:-30])
    return [*sorted(folder.iterdir()), SAMPLES / "failure-reverse-asa-inside.pcapng"]


def report_of(path: Path, threads: int) -> bytes:
    return diagnose([str(path)], Options(threads=threads, all_tcp=True, hashing=UNHASHED)).to_json()


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 3), chunk_len=st.sampled_from([600, 4096, 65_536]))
def test_a_report_is_the_same_by_belt(at: int, chunk_len: int, captures: list[Path]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "CHUNK_LEN", chunk_len)
        expected = report_of(captures[at], 1)
        patch.setattr(batches, "WORTH_SHARING", 0)
        assert report_of(captures[at], 2) == expected


@needs_core
def test_python_follows_the_first_batch_and_no_other_in_which_nothing_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "CHUNK_LEN", 10_000)
    (tmp_path / "plain").write_bytes(sf.pcap_header() + sf.record(data=syn()) * 10_000)
    tracker, seen, segments = _kernel.Tracker(), list[int](), list[int]()

    def follow(tray: Tray) -> None:
        seen.append(len(tray.frames))
        tracker.feed(tray.packets)

    with open_capture(str(tmp_path / "plain"), hashing=UNHASHED) as capture:
        steps = Steps(
            begin=lambda _: None,
            follow=follow,
            tell=lambda _: None,
            tracker=lambda: tracker,
            add_segments=segments.append,
        )
        batches.shared(capture, Reader, steps, 2)
    assert tracker.tallies().segments == 10_000
    assert (len(seen), sum(seen) + sum(segments)) == (1, 10_000), (
        "the first batch, before which nobody knows who follows"
    )


def syn() -> bytes:
    address = bytes([10, 0, 0, 1, 10, 0, 0, 2])
    header = bytes([0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0]) + address
    return (
        bytes(12)
        + b"\x08\x00"
        + header
        + bytes([4, 0, 0x27, 0x10])
        + bytes(8)
        + b"\x50\x02\x20\x00"
        + bytes(4)
    )


# --- what a pile refuses -----------------------------------------------------------------------


@needs_core
def test_a_pile_holds_what_lies_on_it_until_it_is_cleared() -> None:
    pile, frames = COMPILED.Pile(), COMPILED.Frames()
    frames.append(Frame(1, 5, 0, 4, 4, 0, 1, 0))
    memory = bytearray(b"abcd")
    pile.add(memory, frames)
    assert (len(pile), len(frames)) == (1, 0)
    with pytest.raises(BufferError):
        memory.append(0)
    ((buffer, held, packets, followed),) = pile.left()
    assert (bytes(buffer), len(held), len(packets), followed) == (b"abcd", 1, 0, 0)
    pile.decode()
    assert len(packets) == 1
    pile.clear()
    memory.append(0)
    assert (len(pile), pile.left()) == (0, [])
