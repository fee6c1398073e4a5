"""The two kernels answer alike, row for row: whatever the bytes, whatever the segments."""

from __future__ import annotations

import importlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctcp_forensics._kernel import caps, plain_decode, plain_match, plain_track, rows
from ctcp_forensics._kernel.rows import Frame, Packet, Status
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.savefile import Reader
from ctcp_forensics.screen import LIMITS
from tests import streams
from tests.conversations import conversation
from tests.kernels import PLAIN

core: Any = pytest.importorskip(
    "ctcp_forensics._kernel.core", reason="the compiled core is not built here", exc_type=ImportError
)
plain: Any = PLAIN

PUBLIC = Path(__file__).parent.parent.parent / "shared" / "captures" / "public"
SAMPLES = Path(__file__).parent.parent / "samples"
FRAMES_OF_A_FILE = 1500
LONGEST_FILE = 1 << 20
FILES_DRAWN = 1000
STREAM = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


# --- comparing --------------------------------------------------------------------------------------------


def assert_same_row(reference: Any, row: Any) -> None:
    if reference != row:
        fields = zip(reference._fields, reference, row, strict=True)
        pytest.fail(f"{type(reference).__name__}: {[field for field in fields if field[1] != field[2]]}")


def assert_same_packets(reference: Any, compiled: Any) -> None:
    assert len(reference) == len(compiled)
    assert reference.tally() == compiled.tally()
    assert reference.unfinished() == compiled.unfinished()
    for index in range(len(reference)):
        ours, theirs = reference[index], compiled[index]
        if ours.status == Status.TCP:
            assert_same_row(ours, theirs)
        else:
            assert ours[:3] == theirs[:3]


def assert_same_flows(reference: Any, compiled: Any) -> None:
    assert reference.tallies() == compiled.tallies()
    assert reference.given_up() == compiled.given_up()
    assert reference.suspects(frozenset({10_000})) == compiled.suspects(frozenset({10_000}))
    assert reference.suspects(frozenset()) == compiled.suspects(frozenset())
    every = range(reference.tallies().flows)
    assert reference.screen(every, LIMITS, ()) == compiled.screen(every, LIMITS, ())
    assert reference.brief(every, frozenset({10_000})) == compiled.brief(every, frozenset({10_000}))
    for index in every:
        assert_same_row(reference.flow(index), compiled.flow(index))
        assert reference.resets(index) == compiled.resets(index)
        for side in (0, 1):
            assert_same_row(reference.direction(index, side), compiled.direction(index, side))
            assert reference.episodes(index, side) == compiled.episodes(index, side)
            assert reference.holes(index, side) == compiled.holes(index, side)
            assert reference.associations(index, side) == compiled.associations(index, side)
        assert_same_log(reference, compiled, index)


def assert_same_log(reference: Any, compiled: Any, index: int) -> None:
    segments = reference.segments(index)
    assert segments == compiled.segments(index)
    for row in segments[:: max(1, len(segments) // 5)]:
        for position in (row.pos - 1, row.pos, row.pos + row.length):
            answers = [
                kernel.segments_with(index, row.direction, position) for kernel in (reference, compiled)
            ]
            assert answers[0] == answers[1]
    for side in (0, 1):
        for ack_pos in {row.ack_pos for row in segments[:20]} | {rows.NEVER, 1 << 40}:
            answers = [kernel.bare_acks(index, side, ack_pos, 3) for kernel in (reference, compiled)]
            assert answers[0] == answers[1]
        assert reference.acks(index, side) == compiled.acks(index, side)
    for more_than_ns in (-1, 0, 1_000, 1_000_000_000):
        assert reference.step_back(index, more_than_ns) == compiled.step_back(index, more_than_ns)


def followed(kernel: Any, batches: Sequence[Sequence[Packet]], **watching: Any) -> Any:
    tracker = kernel.Tracker(**watching)
    for batch in batches:
        packets = kernel.Packets()
        for packet in batch:
            packets.append(packet)
        tracker.feed(packets)
    return tracker


def feed_one(kernel: Any, tracker: Any, packet: Packet) -> None:
    packets = kernel.Packets()
    packets.append(packet)
    tracker.feed(packets)


def decoded(kernel: Any, frames: Sequence[Frame], buffer: bytes) -> Any:
    table, packets = kernel.Frames(max(1, len(frames))), kernel.Packets()
    for frame in frames:
        table.append(frame)
    kernel.decode(buffer, table, packets)
    return packets


# --- streams of packets -----------------------------------------------------------------------------------


@STREAM
@given(stream=streams.packets(), cut=st.integers(0, 40), watching=streams.watching())
def test_both_kernels_follow_any_stream_alike(
    stream: list[Packet], cut: int, watching: dict[str, Any]
) -> None:
    batches = [stream[:cut], stream[cut:]]
    assert_same_flows(followed(plain, batches, **watching), followed(core, batches, **watching))


def test_both_kernels_follow_streams_at_every_edge_alike() -> None:
    for stream in streams.at_edges():
        assert_same_flows(followed(plain, [stream]), followed(core, [stream]))


@pytest.mark.parametrize("oddity", [0, 0.01, 0.05, 0.2])
def test_both_kernels_follow_conversations_alike(oddity: float) -> None:
    for seed in range(30):
        stream = conversation(random.Random(seed), 150, oddity)
        cut = seed * 5
        assert_same_flows(
            followed(plain, [stream[:cut], stream[cut:]]), followed(core, [stream[:cut], stream[cut:]])
        )


@given(packet=streams.segment(streams.ALL_ENDS))
def test_a_row_comes_back_as_it_was_appended(packet: Packet) -> None:
    packets = core.Packets()
    packets.append(packet)
    assert_same_row(packet, packets[0])


@pytest.mark.parametrize("seed", range(12))
def test_both_kernels_follow_a_long_conversation_alike(seed: int) -> None:
    stream = list(streams.long_stream(seed, 2500))
    reference, compiled = followed(plain, [stream]), followed(core, [stream])
    assert_same_flows(reference, compiled)
    kept = [reference.holes(0, side) + reference.episodes(0, side) for side in (0, 1)]
    assert all(kept), "the conversation was meant to lose something both ways"


def test_both_kernels_let_go_of_the_same_things_when_a_table_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (caps, importlib.import_module("ctcp_forensics._kernel.plain_track.tracker")):
        monkeypatch.setattr(module, "FLOW_CAP", 3)
        monkeypatch.setattr(module, "SEGMENT_LOG_CAP", 40)
    stream = list(streams.long_stream(99, 600))
    for port in range(6):
        stream += [packet._replace(sport=port + 1) for packet in stream[port : port + 20]]
    reference, compiled = plain.Tracker(), core.Tracker()
    for packet in stream:
        feed_one(plain, reference, packet)
        feed_one(core, compiled, packet)
        assert reference.tallies() == compiled.tallies()
    assert_same_flows(reference, compiled)
    assert reference.given_up() == compiled.given_up()
    assert reference.tallies().flows == 3 < reference.tallies().flows_begun
    assert reference.tallies().segments_unlogged > 0


def test_both_kernels_drop_the_same_holes_episodes_and_associations() -> None:
    stream = list(streams.long_stream(5, 12_000))
    reference, compiled = followed(plain, [stream]), followed(core, [stream])
    assert_same_flows(reference, compiled)
    one = reference.direction(0, 0)
    assert one.holes_forgotten > 0
    assert one.holes_opened > caps.HOLES_KEPT + caps.LIVE_HOLES
    assert one.episodes > caps.EPISODES_KEPT
    assert one.associations > caps.ASSOCIATIONS_KEPT
    assert one.copies > 0


def test_many_flows_are_found_again() -> None:
    first = next(iter(streams.long_stream(1, 10)))
    stream = [
        first._replace(src=n.to_bytes(4, "big"), sport=n & 0xFF, frame=n, ip_id=n & 0xFFFF)
        for _ in range(2)
        for n in range(1, 4000)
    ]
    reference, compiled = followed(plain, [stream]), followed(core, [stream])
    assert compiled.tallies().flows == 3999
    assert [compiled.flow(n) for n in range(3999)] == [reference.flow(n) for n in range(3999)]


# --- frames -----------------------------------------------------------------------------------------------


def test_both_kernels_decode_frames_cut_at_every_byte_alike() -> None:
    seen = set()
    for batch in batched(streams.cut_everywhere(), 500):
        frames, buffer = laid_out(batch)
        reference = decoded(plain, frames, buffer)
        assert_same_packets(reference, decoded(core, frames, buffer))
        seen |= {index for index, count in enumerate(reference.tally()) if count}
    assert seen == set(Status) - {Status.UNKNOWN_LINK}


@pytest.mark.parametrize("seed", range(6))
def test_both_kernels_decode_damaged_frames_alike(seed: int) -> None:
    chance = random.Random(seed)
    whole = list(streams.framed())
    batch = []
    for number in range(3000):
        link_type, data = chance.choice(whole)
        data = streams.mutated(data, chance)
        batch.append((Frame(number, number, 0, len(data), len(data), 0, link_type, 0), data))
    frames, buffer = laid_out(batch)
    assert_same_packets(decoded(plain, frames, buffer), decoded(core, frames, buffer))


def test_a_frame_that_claims_more_than_the_buffer_holds_ends_with_it() -> None:
    data = bytes(12) + b"\x08\x00" + streams.ipv4(streams.tcp(b"x" * 40))
    frames = [
        Frame(1, 0, 10, 1 << 17, 1 << 17, 0, 1, 0),
        Frame(2, 0, len(data), 60, 60, 0, 1, 0),
        Frame(3, 0, 1 << 40, 60, 60, 0, 1, 0),
        Frame(4, 0, 0, 0xFFFF_FFFF, 0xFFFF_FFFF, 0, 1, 0),
    ]
    assert_same_packets(decoded(plain, frames, data), decoded(core, frames, data))


def test_datagrams_are_placed_and_rows_are_settled_alike() -> None:
    exotic = bytes(12) + b"\x88\x47" + bytes(40)
    frames, buffer = laid_out([(Frame(n, n, 0, 54, 54, 0, 1, 0), exotic) for n in range(1, 200)])
    reference, compiled = decoded(plain, frames, buffer), decoded(core, frames, buffer)
    for index, datagram in zip(reference.unfinished(), streams.datagrams(), strict=False):
        assert reference.place(index, datagram) == compiled.place(index, datagram)
    for index in reference.unfinished():
        reference.settle(index, Status.NOT_TCP)
        compiled.settle(index, Status.NOT_TCP)
    assert_same_packets(reference, compiled)
    trackers = [plain.Tracker(), core.Tracker()]
    for tracker, packets in zip(trackers, (reference, compiled), strict=True):
        tracker.feed(packets)
    assert_same_flows(*trackers)


def test_the_table_of_one_interface_is_decoded_as_any_other() -> None:
    data = bytes(12) + b"\x08\x00" + streams.ipv4(streams.tcp(b"x" * 40))
    laid, buffer = laid_out([(Frame(n, n, 0, len(data), len(data), n % 3, 1, 0), data) for n in range(30)])
    for kernel in (plain, core):
        table, packets = kernel.Frames(len(laid)), kernel.Packets()
        for frame in laid:
            table.append(frame)
        kernel.decode(buffer, table.of_interface(2), packets)
        assert [packets[at].frame for at in range(len(packets))] == list(range(2, 30, 3))
        assert packets.tally()[Status.TCP] == 10


def batched(pairs: Iterator[tuple[Frame, bytes]], size: int) -> Iterator[list[tuple[Frame, bytes]]]:
    batch: list[tuple[Frame, bytes]] = []
    for pair in pairs:
        batch.append(pair)
        if len(batch) == size:
            yield batch
            batch = []
    yield batch


def laid_out(batch: Sequence[tuple[Frame, bytes]]) -> tuple[list[Frame], bytes]:
    """The frames behind each other in one buffer."""
    frames, buffer = [], bytearray()
    for frame, data in batch:
        frames.append(frame._replace(offset=len(buffer)))
        buffer += data
    return frames, bytes(buffer)


# --- savefiles --------------------------------------------------------------------------------------------


def captures(folder: Path, count: int) -> list[Path]:
    """Savefiles of up to LONGEST_FILE, `count` of them drawn by a fixed seed."""
    if not folder.is_dir():
        pytest.skip(f"no captures at {folder.name}/")
    suffixes = (".pcap", ".pcapng", ".cap", ".ntar")
    found = sorted(path for path in folder.rglob("*") if path.suffix in suffixes and path.is_file())
    small = [path for path in found if path.stat().st_size <= LONGEST_FILE]
    return random.Random(7).sample(small, min(count, len(small)))


def assert_same_reading(data: bytes, name: str) -> int:
    """Read, decode and follow the first frames of a savefile with both kernels; how many there were."""
    readings = [Reader([data], source=name, kernel=kernel).batches() for kernel in (plain, core)]
    packets = [plain.Packets(), core.Packets()]
    trackers = [plain.Tracker(), core.Tracker()]
    frames_seen = 0
    while frames_seen < FRAMES_OF_A_FILE:
        batches = [next_batch(reading) for reading in readings]
        if batches[0] is None or batches[1] is None:
            assert batches == [None, None]
            break
        for kernel, (buffer, frames), into, tracker in zip(
            (plain, core), batches, packets, trackers, strict=True
        ):
            kernel.decode(buffer, frames, into)
            tracker.feed(into)
        assert list(batches[0][1]) == list(batches[1][1])
        assert_same_packets(*packets)
        frames_seen += len(packets[0])
    assert_same_flows(*trackers)
    return frames_seen


def next_batch(reading: Iterator[Any]) -> Any:
    try:
        return next(reading, None)
    except CaptureError:
        return None


def test_both_kernels_read_the_samples_alike() -> None:
    assert sum(assert_same_reading(path.read_bytes(), path.name) for path in captures(SAMPLES, 100)) > 0


def test_both_kernels_read_public_captures_alike() -> None:
    files = captures(PUBLIC, FILES_DRAWN)
    assert sum(assert_same_reading(path.read_bytes(), path.name) for path in files) > FILES_DRAWN


@pytest.mark.parametrize("folder", [SAMPLES, PUBLIC], ids=["samples", "public"])
def test_both_kernels_read_damaged_captures_alike(folder: Path) -> None:
    chance = random.Random(11)
    files = captures(folder, 500)
    frames = [assert_same_reading(streams.mutated(path.read_bytes(), chance), path.name) for path in files]
    assert sum(frames) > 0


# --- the doors --------------------------------------------------------------------------------------------


def kernel_name(**environment: str) -> str:
    question = "import ctcp_forensics._kernel as kernel; print(kernel.NAME, kernel.Tracker.__module__)"
    inherited = {name: value for name, value in os.environ.items() if name != "CTCP_DIAG_KERNEL"}
    answer = subprocess.run(
        [sys.executable, "-c", question],
        cwd=Path(rows.__file__).parents[2],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout.strip()


def test_the_core_is_used_where_it_is_built() -> None:
    assert kernel_name() == "compiled ctcp_forensics._kernel.core"


def test_the_plain_kernel_is_used_where_it_is_asked_for() -> None:
    assert kernel_name(CTCP_DIAG_KERNEL="plain") == "plain ctcp_forensics._kernel.plain_track.tracker"


@pytest.mark.parametrize("kernel", [plain, core], ids=["plain", "compiled"])
def test_an_index_beyond_the_table_is_refused(kernel: Any) -> None:
    packets, tracker = kernel.Packets(), kernel.Tracker()
    with pytest.raises(IndexError):
        packets[0]
    with pytest.raises(IndexError):
        packets.place(0, b"")
    with pytest.raises(IndexError):
        tracker.flow(0)


def test_the_core_takes_no_packet_that_it_cannot_hold() -> None:
    good = next(iter(streams.long_stream(3, 10)))
    packets = core.Packets()
    for bad in (
        good._replace(src=b"\x01"),
        good._replace(dst=bytes(16)),
        good._replace(sacks=((1, 2),) * 5),
        good._replace(status=11),
    ):
        with pytest.raises(ValueError, match=r"addresses|SACK|status"):
            packets.append(bad)
    with pytest.raises(OverflowError):
        packets.append(good._replace(seq=1 << 32))
    assert len(packets) == 0


def run_alone(script: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, whose memory may be limited."""
    root = Path(rows.__file__).parents[2]
    command = [sys.executable, "-c", script]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


OUT_OF_MEMORY = """
import resource
from ctcp_forensics._kernel import core
from ctcp_forensics._kernel.plain_decode import NO_PACKET

in_use = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (in_use + (32 << 20), -1))
packets, tracker = core.Packets(), core.Tracker()
for batch in range(60):
    packets.clear()
    for n in range(2000):
        ends = {"src": (batch * 2000 + n).to_bytes(4, "big"), "dst": bytes(4)}
        packets.append(NO_PACKET._replace(status=0, flags=2, **ends))
    try:
        tracker.feed(packets)
    except MemoryError:
        break
else:
    raise SystemExit("there was memory for all")
for ask in (lambda: tracker.feed(packets), tracker.tallies, lambda: tracker.flow(0)):
    try:
        ask()
    except MemoryError:
        print("refused")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux limits a process's addresses so")
def test_without_memory_the_tracker_says_so_and_answers_no_more() -> None:
    answer = run_alone(OUT_OF_MEMORY)
    assert answer.stdout.split() == ["refused"] * 3, answer.stderr


OUT_OF_MEMORY_WHILE_MAKING_ROOM = """
import resource
from ctcp_forensics._kernel import caps, core
from ctcp_forensics._kernel.plain_decode import NO_PACKET

caps.ALL_HOLES_KEPT, caps.FLOW_CAP = 1, 1 << 26  # a ranking takes 1 GiB, and as much to sort it
in_use = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (in_use + (3 << 29), -1))
packets, tracker = core.Packets(), core.Tracker()
for n in range(16):
    ends = {"src": bytes([n % 2, 0, 0, 1]), "sport": 500, "dst": bytes(4), "dport": 443, "frame": n + 1}
    packets.append(NO_PACKET._replace(status=0, flags=16, seq=200 * n, payload_len=10, print64=n, **ends))
try:
    tracker.feed(packets)
except MemoryError:
    print("refused")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux limits a process's addresses so")
def test_without_memory_to_rank_flows_nothing_is_ranked() -> None:
    answer = run_alone(OUT_OF_MEMORY_WHILE_MAKING_ROOM)
    assert (answer.returncode, answer.stdout) == (0, "refused\n"), answer.stderr


def test_a_row_cannot_be_settled_as_a_segment_that_nobody_decoded() -> None:
    packets = core.Packets()
    packets.append(plain_decode.NO_PACKET)
    with pytest.raises(ValueError, match="status 0"):
        packets.settle(0, Status.TCP)


def test_every_name_of_the_plain_kernel_is_there_in_the_core() -> None:
    twins = (
        (plain_decode, "Packets"),
        (plain_track, "Tracker"),
        (plain_match, "Matching"),
    )
    for module, name in twins:
        public = {method for method in vars(getattr(module, name)) if not method.startswith("_")}
        assert public - set(dir(getattr(core, name))) == set()
