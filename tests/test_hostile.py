"""Hostile input through the real command: a line says what is wrong and where, the rest is done, memory is bounded.

Knows what a shell sees: exit status, both streams, and how much memory the process ever held.  The bounds
are generous, since they stand between *bounded* and *grows with the input*; nothing here is a stopwatch.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

import ctcp_forensics
from ctcp_forensics import _kernel
from ctcp_forensics._kernel.caps import FLOW_CAP
from ctcp_forensics._kernel.layouts import MAX_INTERFACES
from ctcp_forensics.packets import MAX_DATAGRAMS, MAX_ICMP_ERRORS
from ctcp_forensics.report import Report
from tests import savefiles as sf

ROOT = Path(__file__).parent.parent
FAILURE, HEALTHY = ROOT / "samples" / "failure-client.pcap", ROOT / "samples" / "healthy.pcap"
PACKAGE_FOLDER = str(Path(ctcp_forensics.__file__).parent.parent)
MB = 10**6
PEAK_MB = 300
"""What one analysis may hold whatever it is given: the table of flows, full, takes 180 of it."""
HANG_S = 300
"""No assertion: a process that runs on is ended, and fails by its exit status."""
IS_FAST = _kernel.NAME == "compiled"
MANY = 1_000_000 if IS_FAST else 20_000
"""Frames or blocks; the plain kernel is fifty times slower and no less bounded."""
RAW_IP = 101

# The peak is asked of the process itself: what wait4 tells includes the tests' own before exec.
LAUNCH = """
import os, sys
from ctcp_forensics.cli import main
status = main()
try:
    with open("/proc/self/status") as told:
        peak = next(line.split()[1] for line in told if line.startswith("VmHWM"))
except OSError:
    peak = "0"
with open(os.environ["PEAK_FILE"], "w") as file:
    file.write(peak)
sys.exit(status)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one call of the command came to."""

    status: int
    out: str
    err: str
    peak_mb: float

    @property
    def report(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.out)
        return answer


def analyze(
    *arguments: str | Path, fed: Iterable[bytes] | None = None, through: tuple[str, ...] = ()
) -> Answer:
    """`ctcp-diag analyze`, fed through a pipe where there is something to feed."""
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        tempfile.NamedTemporaryFile() as peak,
    ):
        process = subprocess.Popen(
            [*through, sys.executable, "-c", LAUNCH, "analyze", *map(os.fsencode, map(str, arguments))],
            stdin=subprocess.DEVNULL if fed is None else subprocess.PIPE,
            stdout=out,
            stderr=err,
            env=os.environ | {"PYTHONPATH": PACKAGE_FOLDER, "PEAK_FILE": peak.name},
        )
        guard = Timer(HANG_S, process.kill)
        guard.start()
        feed(process, fed or ())
        status = process.wait()
        guard.cancel()
        out.seek(0)
        err.seek(0)
        return Answer(
            status=status,
            out=out.read().decode(),
            err=err.read().decode(),
            peak_mb=int(peak.read() or b"0") * 1024 / MB,
        )


def feed(process: subprocess.Popen[bytes], pieces: Iterable[bytes]) -> None:
    """A reader who has seen enough is no trouble of the writer's."""
    if process.stdin is None:
        return
    with suppress(BrokenPipeError):
        for piece in pieces:
            process.stdin.write(piece)
    with suppress(BrokenPipeError):
        process.stdin.close()


def in_json(*arguments: str | Path, fed: Iterable[bytes] | None = None) -> Answer:
    return analyze("--format", "json", *arguments, fed=fed)


def pieces(units: Iterator[bytes], count: int = 2000) -> Iterator[bytes]:
    """Small records in larger writes."""
    while piece := b"".join(islice(units, count)):
        yield piece


# --- what a hostile capture is made of ---------------------------------------------------------


def datagram(
    payload: bytes, *, protocol: int = 6, ip_id: int = 1, bits: int = 0, src: bytes = b"\x0a\x00\x00\x01"
) -> bytes:
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), ip_id & 0xFFFF, bits, 64, protocol, 0)
    return head + src + b"\x0a\x00\x00\x02" + payload


def segment(sport: int, dport: int, *, seq: int = 1, flags: int = 0x02, payload: bytes = b"") -> bytes:
    return struct.pack(">HHIIHHHH", sport, dport, seq, 0, 5 << 12 | flags, 1000, 0, 0) + payload


def capture(datagrams: Iterable[bytes]) -> Iterator[bytes]:
    """A pcap of bare datagrams, a millisecond apart."""
    yield sf.pcap_header(network=RAW_IP)
    for at, data in enumerate(datagrams):
        yield sf.record(data=data, seconds=1_700_000_000 + at // 1000, fraction=at % 1000 * 1000)


# --- what cannot be read at all ------------------------------------------------------------------

REFUSED = {
    "empty": (b"", "byte 0: is empty"),
    "text": (b"# a note\nno capture\n", "byte 0: is a text file"),
    "zeros": (bytes(4096), "byte 0: is no savefile: it starts with 00 00 00 00"),
    "half a magic number": (b"\xd4\xc3", "byte 0: is no savefile: it starts with d4 c3"),
    "half a header": (sf.pcap_header()[:17], "byte 17: the pcap file header is cut off after 17 bytes"),
    "a version that never was": (sf.pcap_header(version=(1, 0)), "byte 4: pcap version 1.0 is unknown"),
    "a section of 7 bytes": (
        sf.section()[:4] + struct.pack("<I", 7) + sf.section()[8:],
        "byte 0: a section header block cannot have 7 bytes",
    ),
    "gzip in gzip": (
        gzip.compress(gzip.compress(b"")),
        "byte 0: is compressed once more (gzip); only one layer is opened",
    ),
    "half a gzip file": (gzip.compress(HEALTHY.read_bytes())[:12], "byte 12: the gzip data ends early"),
}


@pytest.mark.parametrize(("data", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_is_no_capture_is_told_in_one_line(data: bytes, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)
    answer = analyze("-q", file)
    assert (answer.status, answer.out) == (2, "Nothing could be read\n")
    assert answer.err == f"ctcp-diag: {file}: {reason}\n"


def test_a_path_that_is_no_file_is_told_in_one_line(tmp_path: Path) -> None:
    answer = analyze("-q", tmp_path / "missing.pcap", tmp_path, "", "/dev/null")
    assert answer.status == 2
    assert answer.err.splitlines() == [
        f"ctcp-diag: {tmp_path}/missing.pcap: there is no such file",
        f"ctcp-diag: {tmp_path}: is a directory; name the files in it, or let `ctcp-diag scan` look at all of it",
        "ctcp-diag: : a file without a name was asked for",
        "ctcp-diag: /dev/null: byte 0: is empty",
    ]


def test_a_file_without_permission_is_told_in_one_line(tmp_path: Path) -> None:
    """Root may read everything, unless it gives that right away first."""
    through: tuple[str, ...] = ()
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root reads whatever it likes, and setpriv is not here")
        through = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    secret = tmp_path / "secret.pcap"
    secret.write_bytes(HEALTHY.read_bytes())
    secret.chmod(0)
    answer = analyze("-q", secret, HEALTHY, through=through)
    assert answer.status == 3
    assert answer.err == f"ctcp-diag: {secret}: no permission to read it\n"
    assert "1 healthy" in answer.out


def test_a_device_without_end_is_refused_by_its_beginning() -> None:
    if not Path("/dev/zero").exists():
        pytest.skip("needs /dev/zero")
    answer = analyze("-q", "/dev/zero")
    assert answer.err == "ctcp-diag: /dev/zero: byte 0: is no savefile: it starts with 00 00 00 00\n"
    assert answer.status == 2


# --- damage: what was before it counts, what is beside it is done ----------------------------------

RECORDS = [sf.record(data=b"\xff" * 60)] * 3
BLOCKS = [
    sf.section(),
    sf.interface(),
    sf.enhanced(data=bytes(60)),
    sf.block("<", 0x0BAD0001, bytes(20)),
    sf.enhanced(data=bytes(41)),
]
BLOCK_WORDS = {1: "an interface description block", 3: "a block of type 0xbad0001"}


def expected_of_cut_pcap(length: int) -> tuple[str, int, int | None, str | None]:
    """Outcome, frames, and byte and reason of the damage, for so many bytes of the three records."""
    if length == 0:
        return "rejected", 0, 0, "is empty"
    if length < 4:
        return "rejected", 0, 0, f"is no savefile: it starts with {sf.pcap_header()[:length].hex(' ')}"
    if length < 24:
        return "rejected", 0, length, f"the pcap file header is cut off after {length} bytes"
    whole, rest = divmod(length - 24, 76)
    if rest == 0:
        return "complete", whole, None, None
    return "partial", whole, 24 + 76 * whole, f"the savefile ends inside frame {whole + 1}"


def test_a_pcap_cut_at_each_byte_keeps_the_frames_before_the_cut(tmp_path: Path) -> None:
    whole = sf.pcap_header() + b"".join(RECORDS)
    expected = {str(length): expected_of_cut_pcap(length) for length in range(len(whole) + 1)}
    assert read_cuts(whole, tmp_path) == expected


def expected_of_cut_pcapng(length: int) -> tuple[str, int, int | None, str | None]:
    start, frames = 0, 0
    for number, block in enumerate(BLOCKS):
        held = length - start
        if held < len(block):
            break
        start, frames = start + len(block), frames + (number in (2, 4))
    else:
        return "complete", frames, None, None
    if start == 0 and held < 4:
        told = "is empty" if held == 0 else f"is no savefile: it starts with {block[:held].hex(' ')}"
        return "rejected", 0, 0, "is a text file" if held in (1, 2, 3) else told
    if start == 0:
        return "rejected", 0, 0, "the savefile ends inside a section header block"
    if held == 0:
        return "complete", frames, None, None
    thing = "a block" if held < 4 else BLOCK_WORDS.get(number, f"frame {frames + 1}")
    return "partial", frames, start, f"the savefile ends inside {thing}"


def test_a_pcapng_cut_at_each_byte_keeps_the_frames_before_the_cut(tmp_path: Path) -> None:
    whole = b"".join(BLOCKS)
    expected = {str(length): expected_of_cut_pcapng(length) for length in range(len(whole) + 1)}
    assert read_cuts(whole, tmp_path) == expected


def read_cuts(whole: bytes, folder: Path) -> dict[str, tuple[str, int, int | None, str | None]]:
    """Every beginning of a savefile in one call; by its length, what the report says of it."""
    files = [folder / str(length) for length in range(len(whole) + 1)]
    for length, file in enumerate(files):
        file.write_bytes(whole[:length])
    answer = in_json(*files)
    assert answer.status == 3
    assert "Traceback" not in answer.err
    found: dict[str, tuple[str, int, int | None, str | None]] = {
        Path(one["source"]).name: ("rejected", 0, one["offset"], one["reason"])
        for one in answer.report["coverage"]["failed"]
    }
    for one in answer.report["captures"]:
        (damage,) = one["damage"] or [{"offset": None, "reason": None}]
        found[Path(one["source"]).name] = (one["outcome"], one["frames"], damage["offset"], damage["reason"])
    told = [line.removeprefix("ctcp-diag: ") for line in answer.err.splitlines()]
    assert len(told) == sum(reason is not None for _, _, _, reason in found.values())
    return dict(sorted(found.items(), key=lambda item: int(item[0])))


DAMAGED: dict[str, tuple[Callable[[], bytes], str]] = {
    "a record of 4 GB": (
        lambda: sf.record(captured_len=0xFFFFFFFF),
        "claims 4294967295 captured bytes; more than 262144 are not believed",
    ),
    "a record of one byte too many": (
        lambda: sf.record(captured_len=262_145),
        "claims 262145 captured bytes; more than 262144 are not believed",
    ),
}


@pytest.mark.parametrize(("tail", "reason"), DAMAGED.values(), ids=DAMAGED)
def test_the_failure_before_the_damage_is_found(
    tail: Callable[[], bytes], reason: str, tmp_path: Path
) -> None:
    sound, damaged = FAILURE.read_bytes(), tmp_path / "damaged.pcap"
    damaged.write_bytes(sound + tail() + bytes(100))
    answer, whole = in_json(damaged), in_json(FAILURE)
    (capture_read,), (capture_whole,) = answer.report["captures"], whole.report["captures"]
    frame = capture_whole["frames"] + 1
    assert answer.err == f"ctcp-diag: {damaged}: byte {len(sound)}: frame {frame} {reason}\n"
    assert (answer.status, capture_read["outcome"], capture_read["frames"]) == (1, "partial", frame - 1)
    verdicts = [[one["verdict"] for one in each.report["findings"]] for each in (answer, whole)]
    assert verdicts[0] == verdicts[1] == ["unanswered-duplicate-acks"]


def test_a_block_of_7_bytes_ends_the_reading_and_not_the_call(tmp_path: Path) -> None:
    bad = tmp_path / "bad.pcapng"
    sound = b"".join(BLOCKS)
    bad.write_bytes(sound + sf.block("<", 6, bytes(32), length=7))
    answer = in_json(bad, HEALTHY)
    assert answer.status == 3
    assert answer.err == (
        f"ctcp-diag: {bad}: byte {len(sound)}: enhanced packet block claims 7 bytes, too few for its own fields\n"
    )
    assert [one["outcome"] for one in answer.report["captures"]] == ["partial", "complete"]
    assert [one["frames"] > 0 for one in answer.report["captures"]] == [True, True]


def test_good_and_bad_files_of_one_call_are_all_done_and_told(tmp_path: Path) -> None:
    empty, cut, good = tmp_path / "empty", tmp_path / "cut.pcap", tmp_path / "good.pcap.gz"
    empty.touch()
    cut.write_bytes(HEALTHY.read_bytes()[:-1])
    good.write_bytes(gzip.compress(FAILURE.read_bytes()))
    answer = in_json(empty, cut, tmp_path / "missing", good)
    assert answer.status == 1
    assert [line.partition(": ")[2].partition(": ")[0] for line in answer.err.splitlines()] == [
        str(empty),
        str(tmp_path / "missing"),
        str(cut),
        "the captures share no connection",
    ]
    assert [one["id"] for one in answer.report["captures"]] == ["c2", "c4"]
    coverage = answer.report["coverage"]
    assert [coverage[name] for name in ("captures", "complete", "partial", "rejected")] == [4, 1, 1, 2]
    assert Report.from_json(answer.out.encode()).to_json().decode() == answer.out


def test_a_capture_without_tcp_is_no_trouble() -> None:
    udp = datagram(struct.pack(">HHHH", 53, 53, 12, 0) + b"else", protocol=17)
    answer = analyze("-q", "-", fed=capture([udp] * 10))
    assert (answer.status, answer.err) == (0, "")
    assert answer.out == "No flow to judge in 10 frames, 0 of them TCP\n"


# --- pipes, signals, closed streams ------------------------------------------------------------------


def started(*arguments: str | Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "ctcp_forensics", "analyze", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": PACKAGE_FOLDER},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_named_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    queue = tmp_path / "queue"
    os.mkfifo(queue)
    process = started("-q", queue)
    queue.write_bytes(FAILURE.read_bytes())
    out, err = process.communicate(timeout=HANG_S)
    assert (process.returncode, err) == (1, b"")
    assert out.startswith(b"1 of 1 flow: unanswered duplicate ACKs")


def test_a_named_pipe_that_nobody_fills_is_empty(tmp_path: Path) -> None:
    queue = tmp_path / "queue"
    os.mkfifo(queue)
    process = started("-q", queue)
    queue.write_bytes(b"")
    _, err = process.communicate(timeout=HANG_S)
    assert (process.returncode, err.decode()) == (2, f"ctcp-diag: {queue}: byte 0: is empty\n")


def wait_until_open(process: subprocess.Popen[bytes], file: Path) -> None:
    """Until the process has the file open, as Linux tells; elsewhere two seconds are enough."""
    folder = Path(f"/proc/{process.pid}/fd")
    for _ in range(2000 if folder.exists() else 0):
        try:
            if any(link.resolve() == file for link in folder.iterdir()):
                return
        except OSError:
            pass
        time.sleep(0.005)
    time.sleep(0 if folder.exists() else 2)


@pytest.mark.parametrize("times", [1, 3])
def test_ctrl_c_in_the_middle_of_a_file_shows_no_traceback(times: int, tmp_path: Path) -> None:
    """Once, it ends in order; again, it ends at once: then the shell sees the signal itself."""
    file = tmp_path / "large.pcap.gz"
    file.write_bytes(gzip.compress(sf.pcap_header()) + gzip.compress(bytes(1 << 26)) * 160)
    process = started(file)
    wait_until_open(process, file)
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.002)
    out, err = process.communicate(timeout=HANG_S)
    assert out == b""
    if times == 1:
        assert (err, process.returncode) == (b"ctcp-diag: interrupted\n", 130)
    else:
        assert process.returncode in (130, -signal.SIGINT)
        assert err in (b"", b"ctcp-diag: interrupted\n")


CLOSED = {
    ">&-": (0, "", ""),
    "2>&-": (0, "1 healthy", ""),
    "<&- >&- 2>&-": (0, "", ""),
    ">/dev/full": (2, "", "ctcp-diag: cannot write the report: No space left on device\n"),
}


@pytest.mark.parametrize(("closing", "expected"), CLOSED.items(), ids=CLOSED)
def test_a_closed_or_full_stream_is_no_internal_error(closing: str, expected: tuple[int, str, str]) -> None:
    if "/dev/full" in closing and not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    answer = in_shell(f"analyze -q '{HEALTHY}' {closing}")
    assert (answer.returncode, answer.stderr) == (expected[0], expected[2])
    assert expected[1] in answer.stdout


@pytest.mark.parametrize("command", ["--version", "analyze --help"])
def test_a_full_disk_under_any_command_is_told_in_one_line(command: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    answer = in_shell(f"{command} >/dev/full")
    assert (answer.returncode, answer.stderr) == (2, "ctcp-diag: No space left on device\n")


def in_shell(arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", f"'{sys.executable}' -m ctcp_forensics {arguments}"],
        env=os.environ | {"PYTHONPATH": PACKAGE_FOLDER},
        capture_output=True,
        text=True,
        check=False,
    )


# --- more than memory --------------------------------------------------------------------------------


def zeros(count: int) -> Iterator[bytes]:
    piece = bytes(1 << 20)
    for _ in range(count >> 20):
        yield piece


def test_a_gigabyte_of_zeros_is_refused_by_its_beginning() -> None:
    answer = analyze("-q", "-", fed=zeros(1 << 30))
    assert answer.status == 2
    assert answer.err == "ctcp-diag: -: byte 0: is no savefile: it starts with 00 00 00 00\n"
    assert answer.peak_mb < PEAK_MB


def test_zeros_behind_a_header_are_frames_of_nothing() -> None:
    count = 1 << 30 if IS_FAST else 1 << 22

    def spoilt() -> Iterator[bytes]:
        yield sf.pcap_header()
        yield from zeros(count)

    answer = in_json("-", fed=spoilt())
    assert answer.status == 3
    assert answer.report["captures"][0]["frames"] == count // 16
    assert answer.report["coverage"]["undecoded"] == [
        {"reason": "ends inside its link or IP header", "frames": count // 16}
    ]
    assert answer.peak_mb < PEAK_MB


TEN_GB = 160
"""Streams of 64 MiB of zeros, 64 kB each."""


@pytest.mark.parametrize(
    "head", [b"", sf.pcap_header() + sf.record(captured_len=0xFFFFFFFF)], ids=["bare", "damaged"]
)
def test_ten_gigabytes_of_zeros_in_ten_megabytes_of_gzip(head: bytes, tmp_path: Path) -> None:
    """Bare zeros are refused at once; behind damage all of them are unpacked, for the hash, and none is kept."""
    bomb = tmp_path / "bomb.gz"
    bomb.write_bytes(gzip.compress(head) + gzip.compress(bytes(1 << 26)) * TEN_GB)
    answer = analyze(bomb)
    assert answer.status == (3 if head else 2)
    assert len(answer.err.splitlines()) == 1
    assert answer.err.startswith(f"ctcp-diag: {bomb}: byte {24 if head else 0}: ")
    assert answer.peak_mb < PEAK_MB


def test_a_million_tiny_blocks_of_no_known_type_are_passed_over() -> None:
    tiny = sf.block("<", 0x0BAD0001) * 1000
    answer = in_json("-", fed=[sf.section(), sf.interface(), *[tiny] * (MANY // 1000)])
    (read,) = answer.report["captures"]
    assert (answer.status, read["frames"], read["outcome"]) == (0, 0, "complete")
    assert answer.peak_mb < PEAK_MB


def test_counters_after_each_of_very_many_frames_take_no_memory_each(tmp_path: Path) -> None:
    """A batch ends at each of them, and several hands hold all batches of a chunk."""
    file = tmp_path / "counted.pcapng"
    file.write_bytes(sf.section() + sf.interface() + (sf.simple() + sf.statistics()) * (MANY // 4))
    answer = in_json(file)
    (read,) = answer.report["captures"]
    assert (read["frames"], read["damage"]) == (MANY // 4, [])
    assert answer.peak_mb < PEAK_MB


def test_a_hundred_thousand_interfaces_are_taken_up_to_the_cap() -> None:
    described = (sf.interface("<", sf.option("<", 2, b"eth%06d" % number)) for number in range(100_000))
    answer = in_json("-", fed=[sf.section(), *described])
    (read,) = answer.report["captures"]
    assert (answer.status, len(read["interfaces"])) == (3, MAX_INTERFACES)
    assert answer.err.endswith(f"more than {MAX_INTERFACES} interfaces\n")
    assert answer.peak_mb < PEAK_MB


def test_interfaces_with_the_longest_names_fit_too() -> None:
    named = sf.interface("<", sf.option("<", 2, "\U0001f980".encode() * 2000))
    answer = analyze("-q", "-", fed=[sf.section(), *[named] * (60_000 if IS_FAST else 6_000)])
    assert (answer.status, answer.err) == (0, "")
    assert answer.peak_mb < PEAK_MB


def test_a_million_fragments_that_nothing_completes() -> None:
    numbers = 65_536 if IS_FAST else 1_024
    header, *frames = capture(datagram(bytes(64), ip_id=number, bits=0x2000) for number in range(numbers))
    answer = in_json("-", fed=[header, *[b"".join(frames)] * 16])
    coverage = answer.report["coverage"]
    assert answer.status == 3
    assert coverage["undecoded"] == [
        {"reason": "IP fragment whose datagram was never complete", "frames": 16 * numbers}
    ]
    assert [(cap["limit"], cap["reached_by"]) for cap in coverage["caps"]] == [
        (MAX_DATAGRAMS, f"c1: {16 * numbers - MAX_DATAGRAMS} incomplete ones let go")
    ]
    assert answer.peak_mb < PEAK_MB


def test_fragments_that_all_overlap_hold_no_more_than_two_datagrams_each() -> None:
    """256 datagrams of a thousand pieces of 60,000 bytes were 15 GB."""
    frames = (
        datagram(bytes(60_000), ip_id=number, bits=0x2000 | at) for at in range(40) for number in range(100)
    )
    answer = analyze("-q", "-", fed=pieces(capture(frames), 20))
    assert answer.status == 3
    assert answer.peak_mb < 150


def test_a_hundred_thousand_icmp_errors_are_taken_up_to_the_cap() -> None:
    count = MANY // 10
    quoted = [datagram(segment(1000 + number, 10_000)) for number in range(100)]
    frames = (
        datagram(struct.pack(">BBHHH", 3, 13, 0, 0, 0) + quoted[number % 100], protocol=1)
        for number in range(count)
    )
    answer = in_json("-", fed=pieces(capture(frames)))
    (cap,) = answer.report["coverage"]["caps"]
    assert answer.status == 3
    assert (cap["limit"], cap["reached_by"]) == (
        MAX_ICMP_ERRORS,
        f"c1: {count - MAX_ICMP_ERRORS} further ones",
    )
    assert answer.peak_mb < PEAK_MB


def test_more_flows_than_the_table_holds() -> None:
    """Each one SYN; none of them anybody's to judge."""
    flows = 300_000 if IS_FAST else 3_000
    frames = (
        datagram(segment(1024 + number % 60_000, 443), src=(number // 60_000).to_bytes(4, "big"))
        for number in range(flows)
    )
    answer = in_json("-", fed=pieces(capture(frames)))
    coverage = answer.report["coverage"]
    assert (coverage["tcp_segments"], coverage["flows_seen"]) == (flows, flows)
    assert (answer.status, coverage["caps"]) == (0, []), "nothing was lost that anybody asked for"
    if flows > FLOW_CAP:
        (note,) = answer.report["captures"][0]["notes"]
        assert note.startswith(f"{flows - FLOW_CAP} half-open and 0 ended flows of no concern")
    assert answer.peak_mb < PEAK_MB


def test_one_flow_with_a_hole_behind_every_byte() -> None:
    count = MANY // 10
    frames = (
        datagram(segment(4500, 10_000, seq=2 * number, flags=0x10, payload=b"x"), ip_id=number)
        for number in range(count)
    )
    answer = in_json("-", fed=pieces(capture(frames)))
    (flow,) = answer.report["flows"]
    assert answer.report["coverage"]["tcp_segments"] == count
    assert [finding["verdict"] for finding in answer.report["findings"]] != ["unanswered-duplicate-acks"]
    assert sum(one["payload_bytes"] for one in flow["directions"].values()) == count
    assert answer.peak_mb < PEAK_MB


def test_comments_without_end_are_kept_up_to_the_cap() -> None:
    """Two hundred to a frame; of those beyond the cap at least the frames are counted."""
    talkative = sf.enhanced(data=bytes(60), options=sf.option("<", 1, b"c" * 6000) * 200)
    answer = in_json("-", fed=[sf.section(), sf.interface(), *[talkative] * 20])
    (read,) = answer.report["captures"]
    assert read["comments"] >= 1000 + 15
    assert f"{read['comments'] - 1000} or more comments are not kept beyond the first 1000" in read["notes"]
    assert answer.peak_mb < PEAK_MB


# --- texts that speak to the terminal ------------------------------------------------------------------

FORMS = ("table", "json", "ndjson", "markdown", "csv")
NAMES = {
    "escapes and line ends": b"\x1b[2Jred\nline\r\x07.pcap",
    "no Unicode": b"caf\xe9-\xff.pcap",
    "right to left": "\u202egnp.pcap".encode(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_has_no_power_over_the_terminal(name: bytes, form: str, tmp_path: Path) -> None:
    file, missing = tmp_path / os.fsdecode(name), tmp_path / os.fsdecode(b"no" + name)
    file.write_bytes(HEALTHY.read_bytes()[:-1])
    answer = analyze("-vv", "--format", form, file, missing)
    assert answer.status == 3
    assert len(answer.err.splitlines()) == 2, "one line for each"
    for text in (answer.out, answer.err):
        assert not [sign for sign in text if not (sign.isprintable() or sign == "\n")] or "json" in form
        assert "\x1b" not in text
        assert "\r" not in text


@pytest.mark.parametrize("form", FORMS)
def test_texts_of_a_capture_have_no_power_over_the_terminal(form: str, tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\x1b[31m\r\n\u202e\x00"
    file = tmp_path / "evil.pcapng"
    named = sf.option("<", 2, evil.encode()) + sf.option("<", 11, b"\x00" + evil.encode())
    file.write_bytes(
        sf.section("<", sf.comment("<", evil))
        + sf.interface("<", named + sf.comment("<", evil))
        + sf.enhanced(data=bytes(60), options=sf.comment("<", evil))
        + sf.statistics("<", sf.counter("<", 5, 3))
    )
    answer = analyze("-vv", "--format", form, file)
    assert "Traceback" not in answer.err
    assert not [sign for sign in answer.out if ord(sign) < 32 and sign != "\n"]
    assert "\x1b" not in answer.err


# --- clocks ---------------------------------------------------------------------------------------------


def test_a_clock_that_runs_backwards_or_beyond_its_range_is_no_trouble(tmp_path: Path) -> None:
    backwards, beyond = tmp_path / "backwards.pcap", tmp_path / "beyond.pcapng"
    data = [
        datagram(segment(5, 10_000, seq=10 * at, flags=0x10, payload=b"x" * 10), ip_id=at)
        for at in range(100)
    ]
    backwards.write_bytes(
        sf.pcap_header(network=RAW_IP)
        + b"".join(
            sf.record(data=one, seconds=0xFFFFFFFF - 40_000_000 * at, fraction=0xFFFFFFFF)
            for at, one in enumerate(data)
        )
    )
    clock = sf.option("<", 9, b"\x00") + sf.option("<", 14, b"\xff" * 7 + b"\x7f")
    beyond.write_bytes(
        sf.section()
        + sf.interface("<", clock, link_type=RAW_IP)
        + b"".join(sf.enhanced(data=one, ticks=2**64 - 1 - at) for at, one in enumerate(data))
    )
    answer = in_json(backwards, beyond)
    assert "Traceback" not in answer.err
    first, second = answer.report["captures"]
    assert [first["frames"], second["frames"]] == [100, 100]
    assert first["last_ns"] == 0xFFFFFFFF * 10**9 + 0xFFFFFFFF * 1000
    assert first["first_ns"] == first["last_ns"] - 99 * 40_000_000 * 10**9
    assert (second["first_ns"], second["last_ns"]) == (None, None)
    assert "100 of them have a time outside 1970 to 2262" in second["notes"]
    assert {one["verdict"] for one in answer.report["findings"]} <= {"not-ctcp", "insufficient-evidence"}


# --- twice as much costs twice as much -------------------------------------------------------------------


def calls(data: bytes, folder: Path) -> int:
    """How many functions are called on the way of a savefile, Python's own and C's: the same on any machine."""
    from ctcp_forensics import pipeline

    file, count = folder / "counted", 0
    file.write_bytes(data)

    def one_more(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    options = pipeline.Options()
    pipeline.diagnose([str(HEALTHY), str(file)], options)  # what is loaded once is loaded now
    before = sys.getprofile()
    sys.setprofile(one_more)
    try:
        pipeline.diagnose([str(file)], options)
    finally:
        sys.setprofile(before)
    return count


def of_frames(one: Callable[[int], bytes]) -> Callable[[int], bytes]:
    return lambda count: b"".join(capture(map(one, range(count))))


def of_blocks(one: Callable[[int], bytes]) -> Callable[[int], bytes]:
    return lambda count: sf.section() + sf.interface() + b"".join(map(one, range(count)))


GROWING: dict[str, Callable[[int], bytes]] = {
    "fragments of one datagram": of_frames(lambda at: datagram(bytes(64), bits=0x2000 | at % 8000)),
    "fragments of many": of_frames(lambda at: datagram(bytes(64), ip_id=at, bits=0x2000)),
    "tunnels": of_frames(lambda at: datagram(datagram(segment(at, 443)), protocol=4)),
    "ICMP errors": of_frames(
        lambda at: datagram(b"\x03\x0d" + bytes(6) + datagram(segment(at % 50, 10_000)), protocol=1)
    ),
    "holes": of_frames(
        lambda at: datagram(segment(5, 10_000, seq=2 * at, flags=0x10, payload=b"x"), ip_id=at)
    ),
    "unknown blocks": of_blocks(lambda _: sf.block("<", 0x0BAD0001)),
    "counters": of_blocks(lambda _: sf.statistics("<", sf.counter("<", 5, 1))),
    "interfaces": of_blocks(lambda _: sf.interface()),
    "sections": of_blocks(lambda _: sf.section()),
    "comments": of_blocks(lambda _: sf.enhanced(data=bytes(60), options=sf.comment("<", "x") * 3)),
    "gzip streams": lambda count: gzip.compress(sf.pcap_header()) + gzip.compress(b"") * count,
}


@pytest.mark.parametrize("made", GROWING.values(), ids=GROWING)
def test_twice_as_many_call_for_at_most_twice_as_much(made: Callable[[int], bytes], tmp_path: Path) -> None:
    """Beyond every cap, where a table that is searched or copied whole for each newcomer would show."""
    once, twice, thrice = (calls(made(count), tmp_path) for count in (1500, 3000, 4500))
    assert thrice - twice <= (twice - once) * 1.1 + 50
