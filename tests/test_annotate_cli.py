"""`ctcp-diag annotate`: what it writes where, what it refuses, and how it ends."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

import ctcp_forensics

ROOT = Path(__file__).resolve().parents[1]
FAILURE = ROOT / "samples" / "failure-client.pcap"
HEALTHY = ROOT / "samples" / "healthy.pcap"
COMMAND = (sys.executable, "-m", "ctcp_forensics")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(ctcp_forensics.__file__).parent.parent)}


def run(*arguments: object, cwd: Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        cwd=cwd,
        env=ENVIRONMENT,
        check=False,
    )


def test_a_file_is_written_and_standard_error_says_what_is_in_it(tmp_path: Path) -> None:
    ran = run("annotate", FAILURE, "-o", "evidence.pcapng", cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (0, b"")
    assert ran.stderr.decode() == "ctcp-diag: evidence.pcapng: 331 frames, of 1 flow; 15 with a comment\n"
    assert [path.name for path in tmp_path.iterdir()] == ["evidence.pcapng"]


def test_standard_output_gets_the_same_bytes(tmp_path: Path) -> None:
    run("annotate", FAILURE, "-o", "evidence.pcapng", cwd=tmp_path)
    assert (
        run("annotate", FAILURE, "-o", "-", cwd=tmp_path).stdout
        == (tmp_path / "evidence.pcapng").read_bytes()
    )


def test_a_stored_report_gives_the_same_bytes_without_an_analysis(tmp_path: Path) -> None:
    run("analyze", FAILURE, "--format", "json", "-o", "report.json", cwd=tmp_path)
    run("annotate", FAILURE, "-o", "one.pcapng", cwd=tmp_path)
    assert run("annotate", "--from", "report.json", "-o", "other.pcapng", cwd=tmp_path).returncode == 0
    assert (tmp_path / "one.pcapng").read_bytes() == (tmp_path / "other.pcapng").read_bytes()


def test_where_no_flow_is_concerned_nothing_is_written_and_it_ends_with_3(tmp_path: Path) -> None:
    ran = run("annotate", HEALTHY, "-o", "evidence.pcapng", cwd=tmp_path)
    assert ran.returncode == 3
    assert ran.stderr.decode() == "ctcp-diag: nothing is written: no flow is concerned (1 healthy)\n"
    assert list(tmp_path.iterdir()) == []


def test_a_healthy_flow_is_written_for_who_asks_for_it(tmp_path: Path) -> None:
    assert run("annotate", HEALTHY, "--flow", "#1", "-o", "evidence.pcapng", cwd=tmp_path).returncode == 0
    assert run("annotate", HEALTHY, "--whole", "-o", "whole.pcapng", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("-", "-o", "x"), "standard input can be read only once"),
        ((FAILURE, "--flow", "9", "-o", "x"), "there is no flow 9; there is #1 "),
        (("missing.pcap", "-o", "x"), "there is no such file"),
        (("--from", "missing.json", "-o", "x"), "cannot read missing.json"),
        ((FAILURE, "--from", "report.json", "-o", "x"), "captures are named in the report already"),
        ((FAILURE, "--url", "https://host/a.pcap", "-o", "x"), "--url is for those of --from"),
        (("-o", "x"), "none is named"),
        ((FAILURE,), "Missing option"),
        ((FAILURE, "-o", "no/such/folder/x"), "cannot write no/such/folder/x"),
    ],
    ids=str,
)
def test_trouble_is_one_reason_and_2_and_leaves_nothing(
    arguments: tuple[object, ...], reason: str, tmp_path: Path
) -> None:
    ran = run("annotate", *arguments, cwd=tmp_path)
    assert ran.returncode == 2
    assert reason in " ".join(ran.stderr.decode().replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []


def test_a_capture_is_never_written_over(tmp_path: Path) -> None:
    capture = tmp_path / "client.pcap"
    capture.write_bytes(FAILURE.read_bytes())
    run("analyze", capture, "--format", "json", "-o", "report.json", cwd=tmp_path)
    for arguments in ((capture,), ("--from", "report.json")):
        ran = run("annotate", *arguments, "-o", "client.pcap", cwd=tmp_path)
        assert (ran.returncode, b"is one of the captures" in ran.stderr) == (2, True)
    assert run("annotate", "--from", "report.json", "-o", "report.json", cwd=tmp_path).returncode == 2
    assert capture.read_bytes() == FAILURE.read_bytes()


def test_a_capture_that_has_changed_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    capture, out = tmp_path / "client.pcap", tmp_path / "evidence.pcapng"
    capture.write_bytes(FAILURE.read_bytes())
    run("analyze", capture, "--format", "json", "-o", "report.json", cwd=tmp_path)
    capture.write_bytes(HEALTHY.read_bytes())
    out.write_bytes(b"older")
    ran = run("annotate", "--from", "report.json", "-o", out, cwd=tmp_path)
    assert ran.returncode == 2
    assert (
        b"is not what it was when it was analyzed (331 frames then, 223 now); analyze it again" in ran.stderr
    )
    assert out.read_bytes() == b"older"


def test_a_terminal_is_spared_the_bytes() -> None:
    keeper, terminal = pty.openpty()
    ran = subprocess.run(
        [*COMMAND, "annotate", FAILURE, "-o", "-"],
        stdout=terminal,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        check=False,
    )
    os.close(terminal)
    os.close(keeper)
    assert (ran.returncode, b"standard output is a terminal" in ran.stderr) == (2, True)
