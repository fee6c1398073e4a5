"""Where answers go: forms, files, devices and readers who leave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ctcp_forensics.cli import analysis, main
from ctcp_forensics.report import Report
from tests import reports
from tests.command_line import COMMAND, ENVIRONMENT, FAILURE, HEALTHY, run


def test_json_is_asked_for_as_most_programs_have_it() -> None:
    assert run("analyze", "--json", HEALTHY).stdout == run("analyze", "-f", "json", HEALTHY).stdout


@pytest.mark.parametrize("form", ["table", "json", "ndjson", "markdown", "csv"])
def test_the_same_capture_gives_the_same_bytes_in_each_form(form: str) -> None:
    first, second = (run("analyze", "--format", form, FAILURE) for _ in range(2))
    assert first.stdout == second.stdout
    assert (first.returncode, first.stderr) == (1, "")
    assert "unanswered-duplicate-acks" in first.stdout


def test_the_json_is_the_report() -> None:
    text = run("analyze", "--format", "json", FAILURE).stdout.encode()
    assert Report.from_json(text).to_json() == text


def test_each_v_tells_more() -> None:
    depths = [run("analyze", *more, FAILURE).stdout for more in (("-q",), (), ("-v",), ("-vv",), ("-vvv",))]
    assert [len(depth.splitlines()) for depth in depths[:4]] == sorted(
        {len(depth.splitlines()) for depth in depths}
    )
    assert depths[3] == depths[4]


def test_a_file_gets_the_whole_report_and_standard_output_nothing(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_text("what was there before", encoding="utf-8")
    answer = run("analyze", "--format", "json", "-o", str(target), FAILURE)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert json.loads(target.read_bytes())["findings"][0]["verdict"] == "unanswered-duplicate-acks"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_is_left_as_it_was_when_the_analysis_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> Report:
        raise ZeroDivisionError

    target = tmp_path / "report.txt"
    target.write_text("what was there before", encoding="utf-8")
    monkeypatch.setattr(analysis, "diagnose", fail)
    assert main(["analyze", "-o", str(target), HEALTHY]) == 2
    assert "internal error" in capsys.readouterr().err
    assert target.read_text(encoding="utf-8") == "what was there before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_page_is_written_beside_the_report_and_is_the_same_every_time(tmp_path: Path) -> None:
    pages = [tmp_path / "one.html", tmp_path / "two.html"]
    answers = [run("analyze", "-q", "--report", str(page), FAILURE) for page in pages]
    assert [answer.returncode for answer in answers] == [1, 1]
    assert {answer.stdout for answer in answers} == {run("analyze", "-q", FAILURE).stdout}
    assert [answer.stderr for answer in answers] == ["", ""]
    first, second = (page.read_bytes() for page in pages)
    assert first == second
    assert b'id="trace-0"' in first
    assert sorted(tmp_path.iterdir()) == pages


def test_a_page_may_stand_in_the_place_of_the_report(tmp_path: Path) -> None:
    """Who wants HTML asks for it as for any other form."""
    beside = tmp_path / "beside.html"
    run("analyze", "-q", "--report", str(beside), FAILURE)
    shown = run("analyze", "-f", "html", FAILURE)
    assert (shown.returncode, shown.stderr) == (1, "")
    assert shown.stdout == beside.read_text(encoding="utf-8")
    run("analyze", "--json", "-o", str(tmp_path / "it.json"), FAILURE)
    rendered = run("render", "--format", "html", "-o", "it.html", "it.json", cwd=tmp_path)
    assert (rendered.returncode, rendered.stdout, rendered.stderr) == (1, "", "")
    assert (tmp_path / "it.html").read_bytes() == beside.read_bytes()


@pytest.mark.parametrize("asked", [("analyze", FAILURE), ("render", "-"), ("demo",)])
def test_a_table_is_not_written_into_what_a_browser_opens(asked: tuple[str, ...], tmp_path: Path) -> None:
    answer = run(*asked, "-o", "it.html", cwd=tmp_path, stdin=reports.dead().to_json())
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.endswith(
        "it.html would be no page: --format html makes it one, --report writes one beside a report\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_page_of_what_is_well_has_its_diagram_too(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert run("analyze", "-q", "--report", str(page), HEALTHY).returncode == 0
    assert 'id="trace-0"' in page.read_text(encoding="utf-8")


def test_a_page_of_standard_input_is_made_without_diagrams_and_that_is_said(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    answer = run("analyze", "-q", "--report", str(page), "-", stdin=Path(FAILURE).read_bytes())
    assert answer.returncode == 1
    assert answer.stderr == (
        "ctcp-diag: no diagram of -: standard input cannot be read a second time; save it to a file and "
        "analyze that\n"
    )
    assert "The diagram is drawn from the captures" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("target", ["-", "both"])
def test_two_texts_do_not_go_to_one_place(target: str, tmp_path: Path) -> None:
    answer = run("analyze", "-o", target, "--report", target, FAILURE, cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == (
        f"ctcp-diag: the report and the page cannot both go to {target}: name another file\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_page_overwrites_no_capture(tmp_path: Path) -> None:
    capture = tmp_path / "capture.pcap"
    capture.write_bytes(Path(HEALTHY).read_bytes())
    answer = run("analyze", "--report", str(capture), str(capture))
    assert answer.returncode == 2
    assert capture.read_bytes() == Path(HEALTHY).read_bytes()


@pytest.mark.parametrize("way", ["itself", "hard link", "symbolic link"])
def test_a_capture_is_never_overwritten(way: str, tmp_path: Path) -> None:
    capture = tmp_path / "capture.pcap"
    capture.write_bytes(Path(HEALTHY).read_bytes())
    target = capture if way == "itself" else tmp_path / "other"
    if way == "hard link":
        target.hardlink_to(capture)
    elif way == "symbolic link":
        target.symlink_to(capture)
    answer = run("analyze", "-o", str(target), str(capture))
    assert answer.returncode == 2
    assert answer.stderr == f"ctcp-diag: {target} is one of the captures: it is not overwritten\n"
    assert capture.read_bytes() == Path(HEALTHY).read_bytes()


def test_a_device_is_written_to_and_stays_one(tmp_path: Path) -> None:
    queue = tmp_path / "queue"
    os.mkfifo(queue)
    with subprocess.Popen(["cat", queue], stdout=subprocess.PIPE) as reader:
        assert run("analyze", "-q", "-o", str(queue), FAILURE).returncode == 1
        assert reader.communicate()[0].startswith(b"1 of 1 flow: ")
    assert queue.is_fifo()


@pytest.mark.parametrize(
    ("target", "reason"), [("nowhere/report.txt", "No such file or directory"), (".", "it is a directory")]
)
def test_a_place_that_cannot_be_written_is_told_in_one_line(target: str, reason: str, tmp_path: Path) -> None:
    answer = run("analyze", "-o", target, FAILURE, cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == f"ctcp-diag: cannot write {target}: {reason}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        "analyze absent.pcap -o nowhere/it.svg",
        "analyze absent.pcap --report nowhere/it.svg",
        "analyze absent.pcap --plot nowhere/it.svg",
        "annotate absent.pcap -o nowhere/it.svg",
        "crosscheck absent.pcap -o nowhere/it.svg",
        "render of-absent.json --plot nowhere/it.svg",
        "render of-absent.json --sketch -o nowhere/it.svg",
        "render of-absent.json --sketch --report nowhere/it.svg",
        "scan . --store results --ndjson nowhere/it.svg",
        "scan . --store results --overview nowhere/it.svg",
    ],
)
def test_what_cannot_be_written_is_refused_before_any_capture_is_read(arguments: str, tmp_path: Path) -> None:
    """Of an absent capture nothing is said: nobody looked for it."""
    (tmp_path / "absent.pcap").write_bytes(Path(FAILURE).read_bytes())
    run("analyze", "--json", "-o", "of-absent.json", "absent.pcap", cwd=tmp_path)
    (tmp_path / "absent.pcap").unlink()
    answer = run(*arguments.split(), cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == "ctcp-diag: cannot write nowhere/it.svg: No such file or directory\n"
    assert [one.name for one in tmp_path.iterdir()] == ["of-absent.json"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_in_one_line() -> None:
    with Path("/dev/full").open("wb") as full:
        answer = subprocess.run(
            [*COMMAND, "analyze", FAILURE], stdout=full, stderr=subprocess.PIPE, env=ENVIRONMENT, check=False
        )
    assert answer.returncode == 2
    assert answer.stderr == b"ctcp-diag: cannot write the report: No space left on device\n"


@pytest.mark.parametrize(
    ("arguments", "reader", "status"),
    [
        (f"analyze -vv {FAILURE}", "head -1", 1),
        (f"analyze --format json {FAILURE}", "true", 1),
        (f"analyze {HEALTHY}", "true", 0),
        ("scan samples --store {folder}/new", "true", 1),
        ("scan samples --store {folder}/new --ndjson -", "true", 1),
        ("scan samples --store {folder}/new --ndjson - 2>&1", "true", 1),
        (f"annotate {FAILURE} -o -", "true", 0),
        ("schema", "head -1", 0),
        ("analyze --help", "true", 0),
        ("--version", "true", 0),
    ],
)
def test_a_reader_who_has_seen_enough_is_no_trouble(
    arguments: str, reader: str, status: int, tmp_path: Path
) -> None:
    """The status is that of the analysis, however much of it was taken."""
    asked = arguments.format(folder=tmp_path)
    script = f'"{sys.executable}" -m ctcp_forensics {asked} | {reader}; exit "${{PIPESTATUS[0]}}"'
    answer = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env=ENVIRONMENT, check=False
    )
    assert answer.returncode == status
    assert "roken pipe" not in answer.stderr
    assert "Traceback" not in answer.stderr
