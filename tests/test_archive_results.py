"""`scan` and what it hands over, run as its users run it: lines, tables, the page, a folder that is being filled."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("duckdb", reason="needs DuckDB, which the extra `archive` brings")

SAMPLES = Path(__file__).parents[1] / "samples"
FAILURE, HEALTHY = str(SAMPLES / "failure-client.pcap"), str(SAMPLES / "healthy.pcap")
COMMAND = (sys.executable, "-m", "ctcp_forensics")
TSHARK = shutil.which("tshark")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=120, check=False)


def test_every_capture_and_finding_is_a_line_once(tmp_path: Path) -> None:
    lines, store = tmp_path / "lines.ndjson", str(tmp_path / "store")
    done = run("scan", FAILURE, HEALTHY, "--store", store, "--ndjson", str(lines), "--engine", "inline")
    assert (done.returncode, done.stderr) == (1, "")
    told = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [(one["type"], Path(one["uri"]).name) for one in told] == [
        ("capture", "failure-client.pcap"),
        ("finding", "failure-client.pcap"),
        ("capture", "healthy.pcap"),
        ("finding", "healthy.pcap"),
    ]
    before = lines.read_bytes()
    run("scan", FAILURE, HEALTHY, "--store", store, "--ndjson", str(lines))
    assert lines.read_bytes() == before


@pytest.mark.parametrize("form", ["ecs", "zeek"])
def test_lines_on_standard_output_have_it_for_themselves(tmp_path: Path, form: str) -> None:
    done = run("scan", FAILURE, HEALTHY, "--store", str(tmp_path / "s"), "--ndjson", "-", "--siem", form)
    (line,) = done.stdout.splitlines()
    assert "unanswered" in line.lower()
    assert "2 captures" in done.stderr


def test_siem_without_a_place_for_lines_is_a_slip(tmp_path: Path) -> None:
    done = run("scan", FAILURE, "--store", str(tmp_path / "s"), "--siem", "ecs")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--siem says what the lines of --ndjson are like" in done.stderr


def test_lines_that_cannot_be_written_stop_the_sweep_and_lose_nothing(tmp_path: Path) -> None:
    done = run("scan", FAILURE, "--store", str(tmp_path / "s"), "--ndjson", "/dev/full", "--engine", "inline")
    assert done.returncode == 2
    assert (
        "/dev/full: cannot be written: No space left on device; the results are in the store" in done.stderr
    )
    assert "failure-client.pcap" in run("query", "hits", "--store", str(tmp_path / "s")).stdout


def test_a_page_and_tables_are_there_at_the_end(tmp_path: Path) -> None:
    page, store = tmp_path / "o.html", tmp_path / "store"
    run("scan", FAILURE, HEALTHY, "--store", str(store), "--overview", str(page), "--parquet")
    assert "1 of 2 flows: unanswered duplicate ACKs" in page.read_text()
    assert len(list((store / "parquet").rglob("*.parquet"))) == 3
    again = tmp_path / "again.html"
    run("query", "overview", "--store", str(store), "-o", str(again))
    assert again.read_bytes() == page.read_bytes()


def test_a_question_after_another_scan_knows_what_is_new(tmp_path: Path) -> None:
    cases, store = tmp_path / "cases", str(tmp_path / "store")
    cases.mkdir()
    shutil.copy(HEALTHY, cases / "a.pcap")
    run("scan", str(cases), "--store", store)
    assert json.loads(run("query", "hits", "-f", "json", "--store", store).stdout) == []
    shutil.copy(FAILURE, cases / "a.pcap")
    run("scan", str(cases), "--store", store)
    (hit,) = json.loads(run("query", "hits", "-f", "json", "--store", store).stdout)
    assert hit["uri"] == str(cases / "a.pcap")
    drilled = run("annotate", hit["uri"], "--flow", hit["flow"], "-o", str(tmp_path / "evidence.pcapng"))
    assert (drilled.returncode, (tmp_path / "evidence.pcapng").exists()) == (0, True)


@pytest.mark.skipif(TSHARK is None, reason="needs tshark")
def test_community_id_is_that_of_wireshark(tmp_path: Path) -> None:
    told = subprocess.run(
        ["tshark", "-r", FAILURE, "--enable-protocol", "communityid", "-T", "fields", "-e", "communityid"],
        capture_output=True,
        text=True,
        check=True,
    )
    done = run("scan", FAILURE, "--store", str(tmp_path / "s"), "--ndjson", "-", "--siem", "zeek")
    assert json.loads(done.stdout)["community_id"] in told.stdout.split()


# --- a folder that is being filled ------------------------------------------------------------------


def wait_for(file: Path, number: int) -> list[str]:
    """Captures that were told within a minute."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        lines = file.read_text().splitlines() if file.exists() else []
        told = [one["uri"] for one in map(json.loads, lines) if one["type"] == "capture"]
        if len(told) >= number:
            return told
        time.sleep(0.2)
    raise AssertionError(f"{number} captures were not told: {told}")


def test_a_folder_is_watched_until_ctrl_c_and_gone_on_with(tmp_path: Path) -> None:
    """A ring of rotated files, the third of which overwrites the first."""
    folder, store, lines = tmp_path / "ring", tmp_path / "store", tmp_path / "lines"
    folder.mkdir()
    words = (
        "scan",
        str(folder),
        "--store",
        str(store),
        "--watch",
        "--ndjson",
        str(lines),
        "--engine",
        "inline",
    )

    def fill(name: str, sample: str) -> None:
        (folder / name).write_bytes(Path(sample).read_bytes())

    fill("cap0", HEALTHY)
    watching = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        fill("cap1", FAILURE)
        assert wait_for(lines, 1) == [str(folder / "cap0")]
        fill("cap0", FAILURE)
        assert wait_for(lines, 2)[1:] == [str(folder / "cap1")]
        time.sleep(0.1)
    finally:
        watching.send_signal(signal.SIGINT)
        said, talk = watching.communicate(timeout=60)
    assert (watching.returncode, talk) == (1, "")
    assert said.splitlines()[0] == "1 capture with unanswered duplicate ACKs"
    assert os.path.basename(said.splitlines()[1].strip()) == "cap1"  # noqa: PTH119  # a line, no path
    assert "Traceback" not in talk
