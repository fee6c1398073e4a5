"""What a terminal shows and a pipe does not: colours, folded lines, encodings, progress."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ctcp_forensics.cli import analysis, main
from ctcp_forensics.cli.progress import Progress, is_watched, told
from ctcp_forensics.report import Report
from tests import reports
from tests.command_line import COMMAND, ENVIRONMENT, FAILURE, RED, on_terminal, run


@pytest.mark.parametrize("width", [80, 100])
def test_a_terminal_gets_colours_and_no_line_that_it_would_break(width: int) -> None:
    shown = on_terminal("analyze", FAILURE, COLUMNS=str(width))
    assert shown.startswith(RED)
    plain = re.sub(r"\x1b\[[\d;]*m", "", shown)
    sentences = [line for line in plain.splitlines() if "    filter " not in line]
    assert max(map(len, sentences)) <= width


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_colours_are_left_out_where_they_are_not_wanted(environment: dict[str, str]) -> None:
    assert "\x1b" not in on_terminal("analyze", FAILURE, **environment)


def test_no_color_that_is_empty_is_not_set() -> None:
    assert on_terminal("analyze", FAILURE, NO_COLOR="").startswith(RED)


def test_colours_on_demand() -> None:
    assert run("analyze", "--color", "always", FAILURE).stdout.startswith(RED)
    assert "\x1b" not in on_terminal("analyze", "--color", "never", FAILURE)


def test_a_pipe_gets_neither_colours_nor_folded_lines() -> None:
    text = run("analyze", FAILURE).stdout
    assert "\x1b" not in text
    assert "left out to fit" not in text
    assert len([line for line in text.splitlines() if line.startswith("    holds ")]) == 3


@pytest.mark.parametrize("command", ["render", "fix"])
def test_a_report_is_not_waited_for_from_a_terminal(command: str) -> None:
    keeper, terminal = pty.openpty()
    try:
        answer = subprocess.run(
            [*COMMAND, command, "-"],
            stdin=terminal,
            capture_output=True,
            text=True,
            env=ENVIRONMENT,
            timeout=60,
            check=False,
        )
    finally:
        os.close(terminal)
        os.close(keeper)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("ctcp-diag: -: standard input is a terminal; pipe a report into it. ")


def test_a_terminal_that_knows_only_ascii_gets_escapes() -> None:
    environment = ENVIRONMENT | {"PYTHONIOENCODING": "ascii"}
    answer = subprocess.run(
        [*COMMAND, "analyze", "-vv", FAILURE], capture_output=True, env=environment, check=False
    )
    assert (answer.returncode, answer.stderr) == (1, b"")
    assert answer.stdout.isascii()


@pytest.mark.parametrize("form", ["json", "ndjson"])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp1252"])
def test_json_is_the_same_utf8_in_a_file_and_in_a_pipe_of_any_encoding(
    tmp_path: Path, form: str, encoding: str
) -> None:
    capture, target = tmp_path / "é…→😀.pcap", tmp_path / "report"
    capture.write_bytes(Path(FAILURE).read_bytes())
    command = [*COMMAND, "analyze", "--format", form, str(capture)]
    piped = subprocess.run(
        command, capture_output=True, env=ENVIRONMENT | {"PYTHONIOENCODING": encoding}, check=False
    ).stdout
    subprocess.run([*command, "-o", str(target)], env=ENVIRONMENT, check=False)
    assert target.read_bytes() == piped
    assert "é…→😀.pcap" in piped.decode("utf-8")
    assert all(json.loads(line) for line in (piped.splitlines() if form == "ndjson" else [piped]))


@pytest.mark.parametrize(
    ("done", "total", "elapsed_s", "line"),
    [
        (312_000_000, 1_100_000_000, 2, "analyzing a.pcap  312 MB of 1.1 GB  28 %  eta 6 s"),
        (1_100_000_000, 1_100_000_000, 9, "analyzing a.pcap  1.1 GB of 1.1 GB  100 %  eta 0 s"),
        (2_000, 1_000, 1, "analyzing a.pcap  2.0 kB of 1.0 kB  100 %  eta 0 s"),
        (0, 1_000, 1, "analyzing a.pcap  0 B of 1.0 kB  0 %  eta 16 m 40 s"),
        (312_000_000, None, 2, "analyzing a.pcap  312 MB"),
        (0, 0, 2, "analyzing a.pcap  0 B"),
    ],
)
def test_progress_is_told_in_bytes(done: int, total: int | None, elapsed_s: int, line: str) -> None:
    assert told("a.pcap", done, total, elapsed_s * 1_000_000_000) == line


def test_each_of_several_captures_has_its_own_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one took a second for its half, whatever the first one took."""
    clock = iter(range(0, 10**12, 10**9))
    monkeypatch.setattr(time, "monotonic_ns", clock.__next__)
    seen = io.StringIO()
    progress = Progress("2 captures", seen)
    for done in (1_000_000, 4_000_000, 0, 2_000_000):
        progress(done, 4_000_000)
    assert seen.getvalue().endswith("analyzing 2 captures  2.0 MB of 4.0 MB  50 %  eta 1 s")


def test_nobody_watches_a_file(tmp_path: Path) -> None:
    with (tmp_path / "errors").open("w", encoding="utf-8") as file:
        assert not is_watched(file)


def test_a_long_analysis_comforts_who_watches_and_leaves_no_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def slow(sources: list[str], options: object, progress: object = None) -> Report:
        assert callable(progress)
        monkeypatch.setattr(time, "monotonic_ns", iter(range(10**9, 10**12, 300_000_000)).__next__)
        for done in range(5):
            progress(done * 1_000_000, 4_000_000)
        return reports.dead()

    monkeypatch.setattr(analysis, "diagnose", slow)
    monkeypatch.setattr("ctcp_forensics.cli.progress.is_watched", lambda _: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(time, "monotonic_ns", lambda: 10**9)
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["analyze", "-q", "somewhere/a.pcap"]) == 1
    shown = capsys.readouterr().err.split("\r\x1b[K")
    assert shown == [
        "",
        "analyzing a.pcap  2.0 MB of 4.0 MB  50 %  eta 1 s",
        "analyzing a.pcap  3.0 MB of 4.0 MB  75 %  eta 1 s",
        "analyzing a.pcap  4.0 MB of 4.0 MB  100 %  eta 0 s",
        "",
    ]
