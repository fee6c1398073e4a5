"""Traps of the growth benchmark are what they claim: so many frames, whole and decoded, and one path or two."""

from __future__ import annotations

import struct
import subprocess
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from benchmarks import blocks, growth, oddities
from benchmarks.brim import TURNS, brim
from benchmarks.growth import Cost
from benchmarks.inputs import TRAPS
from benchmarks.pairs import PAIRS
from benchmarks.replay import again_and_again
from benchmarks.stream import size_of
from ctcp_forensics import pipeline
from ctcp_forensics.reading import Source, take_in
from ctcp_forensics.report import Report

FRAMES = 240


def report_of(path: Path, pieces: object) -> Report:
    path.write_bytes(b"".join(pieces))  # type: ignore[arg-type]
    return pipeline.diagnose([str(path)], pipeline.Options(all_tcp=True))


@pytest.mark.parametrize("kind", oddities.PCAPS)
def test_a_trap_of_frames_has_so_many(kind: str, tmp_path: Path) -> None:
    report = report_of(tmp_path / "trap.pcap", oddities.pcap(oddities.PCAPS[kind], FRAMES))
    (capture,) = report.captures
    assert capture.frames == FRAMES
    assert {one.reason for one in capture.undecoded} <= {"IP fragment whose datagram was never complete"}
    assert not capture.damage


@pytest.mark.parametrize(
    ("kind", "flows"),
    [("reopened", FRAMES // 4), ("same-hash", FRAMES // 4), ("backwards", 1), ("tunnels", 1)],
)
def test_flows_are_as_many_as_are_meant(kind: str, flows: int, tmp_path: Path) -> None:
    report = report_of(tmp_path / "trap.pcap", oddities.pcap(oddities.PCAPS[kind], FRAMES))
    assert report.coverage.flows_seen == flows


@pytest.mark.parametrize("kind", blocks.BLOCKS)
def test_a_trap_of_blocks_is_whole(kind: str, tmp_path: Path) -> None:
    (capture,) = report_of(tmp_path / "trap.pcapng", blocks.BLOCKS[kind](FRAMES)).captures
    assert capture.outcome == "complete"
    assert capture.frames > FRAMES // 10


@pytest.mark.parametrize("kind", PAIRS)
def test_two_sides_are_one_path_unless_they_are_strangers(kind: str, tmp_path: Path) -> None:
    pair = PAIRS[kind]
    near, far = tmp_path / "near.pcap", tmp_path / "far.pcap"
    near.write_bytes(b"".join(oddities.pcap(pair.near, FRAMES)))
    far.write_bytes(b"".join(oddities.pcap(pair.far, FRAMES, pair.far_clock)))
    report = pipeline.diagnose([str(near), str(far)], pipeline.Options(all_tcp=True))
    assert [capture.outcome for capture in report.captures] == ["complete", "complete"]
    assert bool(report.paths) == (kind != "strangers")


@pytest.mark.parametrize("name", ["files of one capture", "zip of tiny captures", "report redacted"])
def test_a_trap_is_laid_out_with_the_words_that_read_it(name: str, tmp_path: Path) -> None:
    words = TRAPS[name].lay_out(3, tmp_path)
    named = [
        word
        for word in words
        if word.startswith(str(tmp_path)) and Path(word).suffix in (".pcap", ".zip", ".json")
    ]
    assert named
    assert all(Path(word).is_file() for word in named)


# --- what is said of costs ------------------------------------------------------------------------


def costs(*some: tuple[int, int, int]) -> list[Cost]:
    return [Cost(instructions * 10**9, cycles * 10**9, us * 10**6) for instructions, cycles, us in some]


def test_instructions_are_the_algorithm_and_cycles_alone_the_memory() -> None:
    assert growth.reason_of(costs((1, 1, 1), (2, 2, 2), (4, 4, 4), (8, 8, 8))) is None
    assert growth.reason_of(costs((1, 1, 1), (2, 2, 2), (4, 9, 9), (8, 18, 18))) == "the memory"
    assert growth.reason_of(costs((1, 1, 1), (2, 2, 2), (5, 9, 9), (10, 18, 18))) == "the algorithm"


def test_what_the_program_does_not_do_itself_is_the_system() -> None:
    assert growth.reason_of(costs((1, 1, 1), (2, 2, 3), (4, 4, 6), (8, 8, 9))) == "the system"
    assert growth.reason_of(costs((0, 0, 1), (0, 0, 2), (0, 0, 4), (0, 0, 9))) == "the system"
    assert growth.reason_of(costs((0, 0, 1), (0, 0, 2), (0, 0, 4), (0, 0, 8))) is None


def test_what_two_runs_differ_by_is_no_growth() -> None:
    few = [Cost(10**6, 10**6, 10**3), Cost(10**7, 10**7, 10**4)]
    assert growth.reason_of(few) is None


# --- a stretch again and again ----------------------------------------------------------------------


def test_a_replayed_stretch_has_other_hosts_a_later_time_and_right_checksums() -> None:
    stretch = b"".join(oddities.pcap(checked, 3))
    pieces = list(islice(again_and_again([stretch]), 4))
    assert bytes(pieces[0]) == stretch[:24]
    length = (len(stretch) - 24) // 3
    # Pieces show one buffer that is written anew: the last turn is what all of them show by now.
    last = bytes(pieces[-1])
    for at, began in zip(range(0, 3 * length, length), range(24, len(stretch), length), strict=True):
        old, new = stretch[began : began + length], last[at : at + length]
        seconds = [struct.unpack_from("<I", record)[0] for record in (old, new)]
        assert seconds[1] - seconds[0] == 2 * 60
        assert new[16:] != old[16:]
        assert ones_sum(new[30:]) == ones_sum(old[30:])


def checked(n: int) -> bytes:
    return oddities.ip(oddities.tcp(1 + n * 10, bytes(10)), n)


def ones_sum(data: bytes) -> int:
    """RFC 1071 §1."""
    total = int(np.frombuffer(data + bytes(len(data) % 2), ">u2").sum())
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@pytest.mark.parametrize(("words", "size"), [("100G", 10**11), ("2.5m", 2_500_000), ("17", 17)])
def test_sizes_are_decimal(words: str, size: int) -> None:
    assert size_of(words) == size


def test_at_the_brim_every_flow_has_something_of_everything(tmp_path: Path) -> None:
    path = tmp_path / "brim.pcap"
    flows, cycles = 3, 3
    path.write_bytes(b"".join(islice(brim(flows), 1 + cycles * len(TURNS))))
    command = [
        "tshark",
        "-r",
        str(path),
        "-o",
        "tcp.check_checksum:TRUE",
        "-T",
        "fields",
        "-e",
        "tcp.checksum.status",
    ]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert told == ["1"] * (flows * cycles * len(TURNS))  # good
    reading = take_in([Source(path=str(path))], pipeline.Options(), None).readings[0]
    tracker = reading.tracker
    assert tracker.tallies().flows == flows
    for index in range(flows):
        for side in range(2):
            row = tracker.direction(index, side)
            assert (row.holes_opened, row.episodes, row.rsts, row.associations) == (
                cycles - 1,
                1,
                cycles,
                cycles,
            )
            assert row.messages == row.checksums_right == cycles
