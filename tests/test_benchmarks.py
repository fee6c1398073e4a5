"""The generated captures are what they claim to be: nobody is measured on nonsense.

Nothing here is timed.  The generator's own account (`--truth`) is held against tcpdump, capinfos and tshark.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ctcp_forensics import _kernel

pytest.importorskip("numpy", reason="the generator needs numpy")

from benchmarks.behind import LOST_OF
from benchmarks.join import AT_THE_END_OF_TIME, read

ROOT = Path(__file__).resolve().parent.parent
FRAMES = 2_000
FLOWS = 40
MIXED = ("ordinary", "A", "B", "ctcp", "ctcp-cut", "colliding")  # kinds with a choice of flows
TRAPS = ("holes", "holes-scattered", "one-byte", "half-open", "sack-storm", "wrap", "dup-ack-storm")
KINDS = (*MIXED, *TRAPS, "one-flow", "tiny")
BEHIND = "ctcp-behind"  # loses frames: it is asked for more than it has
ENDLESS_FRAMES = 10**12

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
needs_capinfos = pytest.mark.skipif(shutil.which("capinfos") is None, reason="capinfos is not installed")
needs_tcpdump = pytest.mark.skipif(shutil.which("tcpdump") is None, reason="tcpdump is not installed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """A capture and what its maker knows about it."""

    path: Path
    truth: dict[str, Any]


def generate(kind: str, path: Path, *more: str) -> Generated:
    truth = path.with_suffix(".json")
    command = [
        sys.executable,
        "-m",
        "benchmarks.generate",
        kind,
        "-o",
        str(path),
        "--truth",
        str(truth),
        *more,
    ]
    subprocess.run(command, cwd=ROOT, check=True)
    return Generated(path=path, truth=json.loads(truth.read_text()))


def small(kind: str) -> list[str]:
    if kind == "tiny":
        return []
    return ["--frames", str(FRAMES)] + (["--flows", str(FLOWS)] if kind in (*MIXED, BEHIND) else [])


Captures = Callable[[str], Generated]


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Captures:
    folder = tmp_path_factory.mktemp("generated")
    made: dict[str, Generated] = {}

    def capture(kind: str) -> Generated:
        if kind not in made:
            made[kind] = generate(kind, folder / f"{kind}.pcap", *small(kind))
        return made[kind]

    return capture


def tshark(capture: Path, *arguments: str) -> list[str]:
    checks = [word for name in ("ip", "tcp", "udp") for word in ("-o", f"{name}.check_checksum:TRUE")]
    command = ["tshark", "-n", "-r", str(capture), *checks, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def frame_numbers(capture: Path, display_filter: str) -> set[int]:
    return {int(line) for line in tshark(capture, "-Y", display_filter, "-T", "fields", "-e", "frame.number")}


@needs_tcpdump
@pytest.mark.parametrize("kind", KINDS)
def test_tcpdump_reads_exactly_the_frames_that_were_asked_for_and_warns_of_nothing(
    kind: str, captures: Captures
) -> None:
    capture = captures(kind)
    done = subprocess.run(
        ["tcpdump", "--count", "-r", str(capture.path)], capture_output=True, text=True, check=True
    )
    asked = 30 if kind == "tiny" else FRAMES
    assert done.stdout.split() == [str(asked), "packets"]
    assert [line for line in done.stderr.splitlines() if not line.startswith("reading from file")] == []
    assert capture.truth["frames"] == asked


@needs_capinfos
@pytest.mark.parametrize("kind", [*KINDS, BEHIND])
def test_capinfos_finds_time_running_forward_and_no_damage(kind: str, captures: Captures) -> None:
    command = ["capinfos", "-M", "-c", "-o", str(captures(kind).path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = dict(line.split(":", 1) for line in done.stdout.splitlines())
    assert told["Strict time order"].strip() == "True"
    assert told["Number of packets"].strip() == str(captures(kind).truth["frames"])
    assert "cut short" not in done.stderr


@needs_tshark
@pytest.mark.parametrize("kind", [*KINDS, BEHIND])
def test_tshark_finds_the_flows_and_segments_that_the_generator_counted(
    kind: str, captures: Captures
) -> None:
    capture = captures(kind)
    streams = tshark(capture.path, "-Y", "tcp", "-T", "fields", "-e", "tcp.stream")
    assert len(streams) == capture.truth["tcp_segments"]
    assert len(set(streams)) == capture.truth["flows"]


@needs_tshark
@pytest.mark.parametrize("kind", [*KINDS, BEHIND])
def test_every_checksum_and_header_is_right(kind: str, captures: Captures) -> None:
    """In kinds B and ctcp-cut and in wrap the payload is cut off, and with it the means to check TCP's sum."""
    wrong = (
        "ip.checksum.status == Bad || tcp.checksum.status == Bad || udp.checksum.status == Bad"
        ' || tcp.hdr_len > 60 || tcp.options.unknown || _ws.expert.message contains "Bogus"'
    )
    assert frame_numbers(captures(kind).path, wrong) == set()
    checked = frame_numbers(captures(kind).path, "tcp.checksum.status == Good")
    whole = frame_numbers(captures(kind).path, "tcp && frame.len == frame.cap_len")
    assert checked == whole
    assert checked


def test_the_tap_behind_sees_what_the_first_tap_saw_less_what_was_lost(captures: Captures) -> None:
    here, there = (captures(kind) for kind in ("ctcp", BEHIND))
    assert there.truth["frames"] == FRAMES - FRAMES // LOST_OF
    trackers = [read(capture.path) for capture in (here, there)]
    messages = [sum(row.length > 0 for _, row in tracker.log()) for tracker in trackers]
    pairs = _kernel.Matching(*trackers).pairs()
    assert sum(row.matches for row in pairs) == messages[1]
    courses = [
        _kernel.course(trackers[0], row[:2], trackers[1], row[2:4], row.shift, 0, AT_THE_END_OF_TIME)[0]
        for row in pairs
    ]
    lost = sum(told.missing + told.after for told in courses)
    assert 0 < lost == messages[0] - messages[1]
    assert sum(told.same for told in courses) == messages[1]


@needs_tshark
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("ctcp", "ctcp-cut")])
def test_nobody_acknowledges_what_was_not_sent_nor_reuses_a_port(kind: str, captures: Captures) -> None:
    """cTCP is left out: its receivers acknowledge past a hole, and so the capture holds what looks like this."""
    nonsense = "tcp.analysis.ack_lost_segment || tcp.analysis.reused_ports || tcp.analysis.window_full"
    acked_late_or_never_seen = frame_numbers(captures(kind).path, nonsense)
    assert acked_late_or_never_seen == set()


@needs_tshark
@pytest.mark.parametrize("kind", ["ordinary", "A", "B"])
def test_what_tshark_calls_a_retransmission_is_one_and_none_is_missed(kind: str, tmp_path: Path) -> None:
    """A segment whose first copy the tap never saw may also pass as merely out of order."""
    capture = generate(kind, tmp_path / "capture.pcap", "--frames", "20000", "--flows", "300", "--seed", "7")
    repeated, late = set(capture.truth["repeated_frames"]), set(capture.truth["late_frames"])
    called = frame_numbers(capture.path, "tcp.analysis.retransmission")
    called_out_of_order = frame_numbers(capture.path, "tcp.analysis.out_of_order")
    assert repeated
    assert late
    assert repeated <= called <= repeated | late
    assert called_out_of_order <= late
    assert late <= called | called_out_of_order


def told_by_the_bytes(capture: Path) -> tuple[list[int], list[int]]:
    """The slow obvious way: frames whose segment was seen before, and frames that came after later data."""
    fields = ("frame.number", "tcp.stream", "ip.src", "tcp.seq_raw", "tcp.len")
    columns = [word for name in fields for word in ("-e", name)]
    wanted = "tcp.len > 0 && !tcp.analysis.zero_window_probe"
    seen: set[tuple[str, ...]] = set()
    highest: dict[tuple[str, str], int] = {}
    repeated, late = [], []
    for line in tshark(capture, "-Y", wanted, "-T", "fields", *columns):
        number, *segment = line.split("\t")
        stream, source, seq, length = segment
        end = int(seq) + int(length)
        behind = (highest.get((stream, source), end) - end) % 2**32
        if tuple(segment) in seen:
            repeated.append(int(number))
        elif 0 < behind < 2**31:
            late.append(int(number))
        else:
            highest[stream, source] = end
        seen.add(tuple(segment))
    return repeated, late


@needs_tshark
@pytest.mark.parametrize("kind", ["ordinary", "A", "B"])
def test_the_generator_tells_each_segment_that_was_sent_again(kind: str, tmp_path: Path) -> None:
    capture = generate(kind, tmp_path / "capture.pcap", "--frames", "20000", "--flows", "300", "--seed", "7")
    repeated, late = told_by_the_bytes(capture.path)
    assert repeated == capture.truth["repeated_frames"]
    assert late == capture.truth["late_frames"]


@needs_tshark
@needs_capinfos
def test_a_capture_longer_than_an_epoch_is_several_with_flows_of_their_own(tmp_path: Path) -> None:
    path, truth = tmp_path / "long.pcap", tmp_path / "long.json"
    script = (
        "import sys; from benchmarks import generate, traffic; traffic.EPOCH_FRAMES = 6000;"
        "sys.exit(generate.main(sys.argv[1:]))"
    )
    options = ["ordinary", "-o", str(path), "--truth", str(truth), "--frames", "20000", "--flows", "300"]
    subprocess.run([sys.executable, "-c", script, *options], cwd=ROOT, check=True)
    told = json.loads(truth.read_text())
    assert (
        "Strict time order:   True"
        in subprocess.run(["capinfos", "-o", str(path)], capture_output=True, text=True, check=True).stdout
    )
    assert len(set(tshark(path, "-Y", "tcp", "-T", "fields", "-e", "tcp.stream"))) == told["flows"]
    assert told_by_the_bytes(path) == (told["repeated_frames"], told["late_frames"])
    assert told["frames"] == 20_000


@needs_tshark
def test_a_segment_sent_again_carries_the_same_bytes_under_a_new_ip_id(captures: Captures) -> None:
    capture = captures("one-byte")
    fields = [
        word for name in ("frame.number", "tcp.seq_raw", "tcp.payload", "ip.id") for word in ("-e", name)
    ]
    rows = [line.split("\t") for line in tshark(capture.path, "-Y", "tcp.len > 0", "-T", "fields", *fields)]
    copies: dict[str, list[tuple[int, str, str]]] = {}
    for number, seq, payload, ip_id in rows:
        copies.setdefault(seq, []).append((int(number), payload, ip_id))
    assert {len(group) for group in copies.values()} <= {1, 2, 3}
    assert all(len({payload for _, payload, _ in group}) == 1 for group in copies.values())
    assert len({ip_id for group in copies.values() for *_, ip_id in group}) == len(rows)
    again = sorted(number for group in copies.values() for number, *_ in group[1:])
    assert again == capture.truth["repeated_frames"]


@needs_tshark
def test_every_ctcp_data_segment_has_the_trailer_and_esp_counts_up_without_repeats(
    captures: Captures,
) -> None:
    capture = captures("ctcp")
    payloads = tshark(capture.path, "-Y", "tcp.len > 0", "-T", "fields", "-e", "tcp.payload")
    assert len(payloads) > FRAMES // 2
    trailers = {payload[-32:] for payload in payloads}
    assert trailers == {f"000000000000000021456c6910{protocol}0100" for protocol in ("32", "11")}
    esp = [payload for payload in payloads if payload.endswith("10320100")]
    assert esp
    latest: dict[str, int] = {}
    for message in esp:
        spi, number = message[:8], int(message[8:16], 16)
        assert number > latest.get(spi, 0)
        latest[spi] = number


@needs_tshark
def test_the_dead_ctcp_flows_end_in_duplicate_acks_that_nobody_answers(tmp_path: Path) -> None:
    capture = generate("ctcp", tmp_path / "ctcp.pcap", "--frames", "8000", "--flows", "200")
    stuck = tshark(
        capture.path, "-Y", "tcp.analysis.duplicate_ack_num >= 3", "-T", "fields", "-e", "tcp.stream"
    )
    assert len(set(stuck)) == capture.truth["fatal_flows"] > 0
    assert frame_numbers(capture.path, "tcp.analysis.retransmission") == set()


@needs_tshark
def test_wrap_passes_zero_in_both_directions_and_tshark_sees_one_even_stream(captures: Captures) -> None:
    path = captures("wrap").path
    for side in ("tcp.dstport == 50000", "tcp.srcport == 50000"):
        raw = [
            int(line)
            for line in tshark(path, "-Y", f"{side} && tcp.len > 0", "-T", "fields", "-e", "tcp.seq_raw")
        ]
        falls = [number for number, following in pairwise(raw) if following < number]
        assert len(falls) == 1
    assert frame_numbers(path, "tcp.analysis.flags") == set()


@pytest.mark.parametrize("kind", ["ordinary", "ctcp", "one-byte", "half-open"])
def test_the_same_seed_gives_the_same_bytes(kind: str, captures: Captures, tmp_path: Path) -> None:
    first = captures(kind).path.read_bytes()
    assert generate(kind, tmp_path / "again.pcap", *small(kind)).path.read_bytes() == first


def test_another_seed_gives_another_capture(captures: Captures, tmp_path: Path) -> None:
    other = generate("ordinary", tmp_path / "other.pcap", *small("ordinary"), "--seed", "2")
    assert other.path.read_bytes() != captures("ordinary").path.read_bytes()


def test_small_files_are_five_hundred_captures_whose_sum_is_told(tmp_path: Path) -> None:
    capture = generate("small-files", tmp_path / "small", "--frames", "40")
    files = sorted(capture.path.glob("*.pcap"))
    assert len(files) == 500
    assert capture.truth["frames"] == sum(max(20, 20 + number * 40 // 500) for number in range(500))


def test_a_reader_that_goes_away_ends_an_endless_stream_without_a_word() -> None:
    command = [
        sys.executable,
        "-m",
        "benchmarks.generate",
        "half-open",
        "-o",
        "-",
        "--frames",
        str(ENDLESS_FRAMES),
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as stream:
        assert stream.stdout is not None
        assert stream.stderr is not None
        assert stream.stdout.read(24)[:4] == b"\xd4\xc3\xb2\xa1"
        stream.stdout.close()
        assert stream.stderr.read() == b""
    assert stream.returncode == 0


def test_programs_that_are_missing_are_named_and_who_answers_agrees(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    command = [
        sys.executable,
        "-m",
        "benchmarks.compare",
        "tiny",
        "--ours",
        "no-such-ctcp-diag",
        "--rounds",
        "1",
    ]
    command += [
        "--without",
        "pyshark",
        "--keep",
        str(tmp_path),
        "--json",
        str(told),
        "--svg",
        f"{tmp_path}/bars.svg",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "skipped: no-such-ctcp-diag is not installed" in done.stdout
    (account,) = json.loads(told.read_text())["accounts"]
    answers = {one["program"]: one["answer"] for one in account["results"] if one["runs"]}
    assert "cat" in answers
    frames = {answer["frames"] for answer in answers.values()} - {None}
    assert frames <= {30}
    assert account["disagreements"] == []
    assert (tmp_path / "bars.svg").read_text().startswith("<svg")
