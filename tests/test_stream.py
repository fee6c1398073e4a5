"""A pipe ends with its writer, or at the user's Ctrl-C; what came by then is answered.

writer   header, frames ──────────  ^C  what it still held, end
analyze  ─────────── waits ───────  ^C  ──────────────────────  answer
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ctcp_forensics.capture import stream
from tests.command_line import COMMAND, ENVIRONMENT

FAILURE = Path(__file__).parent.parent / "samples" / "failure-client.pcap"
BYTES = FAILURE.read_bytes()
PART = 20_000
"""Of it, in the middle of frame 103; the failure is not over."""
STOPPED = (
    "ctcp-diag: stopped; what came so far is answered (Ctrl-C once more: at once, and without an answer)\n"
)
WENT_ON = "cannot be read on: stopped by Ctrl-C, and its writer went on"


class Analysis:
    """`ctcp-diag analyze` of a pipe whose writer is this test."""

    def __init__(self, *words: str, source: str = "-") -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "analyze", *words, source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
        )

    def is_given(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def is_given_no_more(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.stdin = None

    def is_stopped(self) -> None:
        """Once it waits for the pipe, and has read what was given."""
        wait_until_listening(self.process.pid)
        time.sleep(0.5)
        self.process.send_signal(signal.SIGINT)

    def ends(self) -> tuple[int, str, str]:
        """While the writer goes on."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        out, err = self.process.stdout.read().decode(), self.process.stderr.read().decode()
        return self.process.wait(timeout=20), out, err


def wait_until_listening(pid: int) -> None:
    """Until the process has a bell, which is a pipe beside the three that it was given, as Linux tells in /proc."""
    folder = Path(f"/proc/{pid}/fd")
    for _ in range(600 if folder.exists() else 0):
        with suppress(FileNotFoundError):
            links = {str(link.readlink()) for link in folder.iterdir()}
            if sum(link.startswith("pipe:") for link in links) > 3:
                return
        time.sleep(0.05)
    time.sleep(3)


Analyze = Callable[..., Analysis]


@pytest.fixture
def analyze() -> Iterator[Analyze]:
    begun: list[Analysis] = []

    def begin(*words: str, source: str = "-") -> Analysis:
        begun.append(Analysis(*words, source=source))
        return begun[-1]

    yield begin
    for one in begun:
        one.process.kill()
        one.process.communicate()


@pytest.fixture
def analysis(analyze: Analyze) -> Analysis:
    return analyze("--quiet")


def test_what_the_writer_still_held_at_the_ctrl_c_is_read_to_its_end(analysis: Analysis) -> None:
    analysis.is_given(BYTES[:PART])
    analysis.is_stopped()
    time.sleep(0.2)
    analysis.is_given(BYTES[PART:])
    out, err = analysis.process.communicate(timeout=20)
    assert err.decode() == STOPPED
    assert (analysis.process.returncode, out.decode()) == (
        1,
        "1 of 1 flow: unanswered duplicate ACKs (TAC 113578), client-to-headend, strong\n",
    )


@pytest.mark.parametrize(
    "data", [BYTES, gzip.compress(BYTES)[:-8]], ids=["plain", "gzip whose checksum is still to come"]
)
def test_a_silent_writer_that_does_not_end_is_left_and_that_is_damage(data: bytes, analyze: Analyze) -> None:
    running = analyze("--format", "json")
    running.is_given(data)
    running.is_stopped()
    status, out, err = running.ends()
    (capture,) = json.loads(out)["captures"]
    assert (capture["frames"], capture["outcome"]) == (331, "partial")
    assert WENT_ON in capture["damage"][0]["reason"]
    assert (capture["sha256"], capture["notes"]) == (None, [])
    assert err.startswith(f"{STOPPED}ctcp-diag: -: ")
    assert err.endswith(f"{WENT_ON}, at byte {len(data)} of the file\n")
    assert (status, json.loads(out)["findings"][0]["confidence"]) == (1, "consistent")


def test_nothing_found_in_what_was_cut_off_is_not_nothing_found(analysis: Analysis) -> None:
    analysis.is_given(BYTES[:PART])
    analysis.is_stopped()
    assert analysis.ends() == (
        3,
        "No unanswered duplicate ACKs (TAC 113578) in 1 flow: 1 healthy; coverage is incomplete\n",
        STOPPED,
    )


def test_a_writer_that_never_stops_is_left_as_well(analysis: Analysis) -> None:
    def write() -> None:
        try:
            for _ in range(10_000):
                analysis.is_given(frame)
                time.sleep(0.01)
        except BrokenPipeError:
            pass

    first = 24 + 16 + int.from_bytes(BYTES[32:36], "little")
    frame = BYTES[24:first]
    analysis.is_given(BYTES[:first])
    writer = threading.Thread(target=write)
    writer.start()
    analysis.is_stopped()
    began = time.monotonic()
    status, _, _ = analysis.ends()
    took_s = time.monotonic() - began
    writer.join()
    assert status == 3
    assert took_s >= stream.PATIENCE_S


@pytest.mark.parametrize("ends", [True, False], ids=["the writer ends", "the writer goes on"])
def test_where_nothing_has_come_there_is_nothing_to_answer(analysis: Analysis, ends: bool) -> None:
    analysis.is_stopped()
    if ends:
        out, err = (told.decode() for told in analysis.process.communicate(timeout=20))
        status = analysis.process.returncode
    else:
        status, out, err = analysis.ends()
    assert (status, out, err) == (130, "", f"{STOPPED}ctcp-diag: interrupted\n")


def test_a_second_ctrl_c_ends_it_at_once(analysis: Analysis) -> None:
    analysis.is_given(BYTES)
    analysis.is_stopped()
    time.sleep(0.3)
    analysis.process.send_signal(signal.SIGINT)
    assert analysis.ends() == (-signal.SIGINT, "", STOPPED)


def test_a_pipe_with_a_name_is_stopped_in_the_same_way(tmp_path: Path, analyze: Analyze) -> None:
    fifo = tmp_path / "live.pcap"
    os.mkfifo(fifo)
    running = analyze("--quiet", source=str(fifo))
    with fifo.open("wb") as writer:
        writer.write(BYTES)
        writer.flush()
        running.is_stopped()
        status, out, err = running.ends()
    assert (status, err) == (1, STOPPED)
    assert "unanswered duplicate ACKs" in out


def test_behind_a_pipe_that_has_ended_a_ctrl_c_ends_all_work(tmp_path: Path, analyze: Analyze) -> None:
    """It waits for another one, which nobody has opened yet."""
    os.mkfifo(tmp_path / "silent")
    running = analyze("--quiet", "-", source=str(tmp_path / "silent"))
    running.is_given(BYTES)
    running.is_given_no_more()
    time.sleep(4)
    running.process.send_signal(signal.SIGINT)
    assert running.ends() == (130, "", "ctcp-diag: interrupted\n")


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="tcpdump is not installed")
def test_a_real_tcpdump_and_its_reader_are_stopped_by_one_ctrl_c() -> None:
    """As in a shell: SIGINT goes to both, `tcpdump` writes down what it holds, and the answer has all of it."""
    line = f"tcpdump -i lo -w - tcp port 10000 | exec {' '.join(COMMAND)} analyze --format json -"
    shell = subprocess.Popen(
        ["sh", "-c", line],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        start_new_session=True,
    )
    assert shell.stderr is not None
    if b"listening" not in (told := shell.stderr.readline()):
        os.killpg(shell.pid, signal.SIGKILL)
        shell.communicate()
        pytest.skip(f"tcpdump may not capture here: {told.decode().strip()}")
    with socket.create_server(("127.0.0.1", 10000)) as server, socket.create_connection(("127.0.0.1", 10000)):
        server.accept()[0].close()
    time.sleep(1)
    os.killpg(shell.pid, signal.SIGINT)
    out, _ = shell.communicate(timeout=20)
    (capture,) = json.loads(out)["captures"]
    assert (capture["outcome"], capture["damage"]) == ("complete", [])
    assert capture["tcp_segments"] >= 6
    assert json.loads(out)["flows"][0]["headend"]["port"] == 10000
