"""The command as its users run it: real processes, real pipes, a real terminal, every way to end."""

from __future__ import annotations

import gzip
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ctcp_forensics
from ctcp_forensics import __version__
from ctcp_forensics.cli import analysis, main
from ctcp_forensics.cli.ends import Refused
from ctcp_forensics.cli.pictures import checked
from ctcp_forensics.cli.progress import is_watched, told
from ctcp_forensics.report import VERDICT_WORDS, Report
from ctcp_forensics.report.published import schema_json
from tests import reports

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "samples"
FAILURE, HEALTHY = str(SAMPLES / "failure-client.pcap"), str(SAMPLES / "healthy.pcap")
COMMAND = [sys.executable, "-m", "ctcp_forensics"]
COMMANDS = (
    "analyze",
    "annotate",
    "render",
    "fix",
    "compare",
    "redact",
    "demo",
    "explain",
    "schema",
    "doctor",
)
# Child processes import the very package that these tests import, installed or not.
PACKAGE_FOLDER = str(Path(ctcp_forensics.__file__).parent.parent)
BARE = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS"}}
ENVIRONMENT = BARE | {"PYTHONPATH": PACKAGE_FOLDER, "TERM": "xterm"}
RED = "\x1b[1;31m"


def run(*arguments: str, stdin: bytes = b"", cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    told_ = subprocess.run(
        [*COMMAND, *arguments], input=stdin, capture_output=True, env=ENVIRONMENT, cwd=cwd, check=False
    )
    return subprocess.CompletedProcess(
        told_.args, told_.returncode, told_.stdout.decode(), told_.stderr.decode()
    )


def on_terminal(*arguments: str, **environment: str) -> str:
    """What a terminal of 100 columns gets on standard output and standard error."""
    keeper, terminal = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=terminal,
        stderr=terminal,
        env=ENVIRONMENT | {"COLUMNS": "100"} | environment,
    )
    os.close(terminal)
    shown = b""
    try:
        while piece := os.read(keeper, 65536):
            shown += piece
    except OSError:  # Linux ends a terminal whose other side is gone with EIO
        pass
    finally:
        os.close(keeper)
        process.wait()
    return shown.decode()


def test_json_is_asked_for_as_most_programs_have_it() -> None:
    assert run("analyze", "--json", HEALTHY).stdout == run("analyze", "-f", "json", HEALTHY).stdout


def test_who_gives_a_report_for_a_capture_is_told_of_render(tmp_path: Path) -> None:
    stored = tmp_path / "report.json"
    assert run("analyze", "--json", "-o", str(stored), HEALTHY).returncode == 0
    told_ = run("analyze", str(stored))
    assert told_.returncode == 2
    assert "is a report of ctcp-diag; `ctcp-diag render` shows it" in told_.stderr


# --- what loads when ---------------------------------------------------------------------------


def imported_by(*arguments: str) -> set[str]:
    answer = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ctcp_forensics", *arguments],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=True,
    )
    lines = [line for line in answer.stderr.splitlines()[1:] if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def test_version_loads_nothing_that_is_installed_beside_us() -> None:
    needed = {"ctcp_forensics"} | set(sys.stdlib_module_names)
    site = {"sitecustomize", "usercustomize", "distutils-precedence", "_distutils_hack"}  # not our doing
    assert {name for name in imported_by("--version") if not name.startswith("__editable__")} - needed <= site


@pytest.mark.parametrize("arguments", [("--help",), ("analyze", "--help")], ids=" ".join)
def test_help_loads_typer_and_no_work(arguments: tuple[str, ...]) -> None:
    loaded = imported_by(*arguments)
    assert "typer" in loaded
    assert not loaded & {"dpkt", "pyshark", "tabulate", "rich", "numpy", "msgspec", "jinja2"}


# --- questions about the command ------------------------------------------------------------------


def test_version_is_the_packages() -> None:
    assert run("--version").stdout == f"ctcp-diag {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_ends_with_examples_and_exit_statuses(command: str) -> None:
    answer = run(command, "--help")
    assert answer.returncode == 0
    examples = answer.stdout.partition("\n  Examples:\n")[2]
    assert len(re.findall(r"ctcp-diag " + command, examples)) >= 2
    assert "Exit status:" in examples


def test_the_exit_statuses_are_told_as_they_are() -> None:
    told_ = run("analyze", "--help").stdout.partition("Exit status:")[2]
    assert re.findall(r"^    (\d+) ", told_, re.MULTILINE) == ["0", "1", "2", "3", "130"]


def test_without_a_command_there_is_help() -> None:
    answer = run()
    assert answer.returncode == 2
    assert "Usage: ctcp-diag [OPTIONS] COMMAND [ARGS]..." in answer.stdout + answer.stderr


def test_the_schema_is_printed_as_published() -> None:
    assert run("schema").stdout == schema_json().decode()


def test_explain_lists_every_verdict() -> None:
    listed = [line.split()[0] for line in run("explain").stdout.splitlines()]
    assert listed == sorted(VERDICT_WORDS)


@pytest.mark.parametrize("verdict", VERDICT_WORDS)
def test_every_verdict_is_explained(verdict: str) -> None:
    answer = run("explain", verdict)
    assert answer.returncode == 0
    assert answer.stdout.startswith(f"{verdict}: ")
    assert len(answer.stdout.splitlines()) >= 2


def test_the_failure_is_explained_with_what_would_refute_it() -> None:
    text = run("explain", "unanswered-duplicate-acks").stdout
    assert "\n  requires:\n" in text
    assert "\n  would be refuted by:\n" in text


def test_a_verdict_that_is_none_is_refused_with_the_nearest() -> None:
    answer = run("explain", "unanswered-dup-acks")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == (
        "ctcp-diag: no verdict is called unanswered-dup-acks; did you mean unanswered-duplicate-acks?\n"
    )


def test_doctor_tells_about_the_kernel() -> None:
    answer = run("doctor")
    assert answer.returncode == 0
    assert "\nkernel " in answer.stdout
    assert answer.stdout.endswith("\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_complete(shell: str) -> None:
    environment = ENVIRONMENT | {"_CTCP_DIAG_COMPLETE": f"source_{shell}"}
    answer = subprocess.run(COMMAND, capture_output=True, text=True, env=environment, check=False)
    assert (answer.returncode, "_CTCP_DIAG_COMPLETE" in answer.stdout) == (0, True)


# --- exit statuses -----------------------------------------------------------------------------------


def test_0_where_no_flow_has_the_failure() -> None:
    answer = run("analyze", HEALTHY)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith("No unanswered duplicate ACKs (TAC 113578) in 1 flow: ")


def test_1_where_a_flow_has_it() -> None:
    answer = run("analyze", "-q", FAILURE)
    assert (answer.returncode, answer.stderr) == (1, "")
    assert answer.stdout == (
        "1 of 1 flow: unanswered duplicate ACKs (TAC 113578), client-to-headend, strong\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [("analyze",), ("analyze", "--format", "xml", HEALTHY), ("analyze", "--port", "0", HEALTHY), ("divine",)],
    ids=["no capture", "no such format", "no such port", "no such command"],
)
def test_2_after_wrong_usage(arguments: tuple[str, ...]) -> None:
    answer = run(*arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "Traceback" not in answer.stderr
    assert "Usage: ctcp-diag" in answer.stderr


@pytest.mark.parametrize("content", [None, b"", b"a text, no capture\n"], ids=["missing", "empty", "text"])
def test_2_where_nothing_could_be_read(content: bytes | None, tmp_path: Path) -> None:
    source = tmp_path / "capture.pcap"
    if content is not None:
        source.write_bytes(content)
    answer = run("analyze", "-q", str(source))
    assert (answer.returncode, answer.stdout) == (2, "Nothing could be read\n")
    assert answer.stderr.startswith(f"ctcp-diag: {source}: ")
    assert answer.stderr.count("\n") == answer.stderr.count(str(source)) == 1


def test_2_for_a_directory(tmp_path: Path) -> None:
    answer = run("analyze", "-q", str(tmp_path))
    assert answer.returncode == 2
    assert "is a directory" in answer.stderr


def test_3_where_nothing_was_found_and_a_file_is_missing(tmp_path: Path) -> None:
    missing = tmp_path / "gone.pcap"
    answer = run("analyze", "-q", str(missing), HEALTHY)
    assert answer.returncode == 3
    assert answer.stdout.endswith("; coverage is incomplete\n")
    assert answer.stderr.startswith(f"ctcp-diag: {missing}: ")


def test_1_goes_before_3(tmp_path: Path) -> None:
    assert run("analyze", "-q", str(tmp_path / "gone.pcap"), FAILURE).returncode == 1


def test_3_where_a_file_is_cut_and_what_was_before_the_cut_is_analyzed(tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(Path(HEALTHY).read_bytes()[:5000])
    answer = run("analyze", "--format", "json", str(cut))
    (capture,) = json.loads(answer.stdout)["captures"]
    assert (answer.returncode, capture["outcome"]) == (3, "partial")
    assert capture["frames"] > 0
    offset, reason = capture["damage"][0]["offset"], capture["damage"][0]["reason"]
    assert answer.stderr == f"ctcp-diag: {cut}: byte {offset}: {reason}\n"


def test_130_after_an_interrupt() -> None:
    process = subprocess.Popen(
        [*COMMAND, "analyze", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    assert process.stdin is not None
    process.stdin.write(Path(HEALTHY).read_bytes()[:1000])
    process.stdin.flush()
    wait_until_reading(process.pid)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate()
    assert (process.returncode, stdout, stderr) == (130, b"", b"ctcp-diag: interrupted\n")


def wait_until_reading(pid: int) -> None:
    """Until the process sleeps in read(0, …), as Linux tells in /proc; elsewhere a second is enough."""
    try:
        number = str({"x86_64": 0, "aarch64": 63}[os.uname().machine])
        for _ in range(1000):
            if Path(f"/proc/{pid}/syscall").read_text(encoding="ascii").split()[:2] == [number, "0x0"]:
                return
            time.sleep(0.01)
    except (KeyError, OSError):
        time.sleep(1)


@pytest.mark.parametrize(("level", "status"), [("1", 0), ("2", 2)])
def test_python_may_strip_assertions_and_not_what_claims_say(level: str, status: int) -> None:
    environment = ENVIRONMENT | {"PYTHONOPTIMIZE": level}
    answer = subprocess.run(
        [*COMMAND, "explain", "healthy"], env=environment, capture_output=True, check=False
    )
    assert (answer.returncode, b"PYTHONOPTIMIZE=2" in answer.stderr) == (status, status == 2)


def test_one_frame_that_is_early_is_told_in_the_singular(tmp_path: Path) -> None:
    first, second = Path(HEALTHY).read_bytes()[:24], Path(HEALTHY).read_bytes()[24:]
    length = 16 + int.from_bytes(second[8:12], "little")
    late = bytes([*(int.from_bytes(second[:4], "little") + 3600).to_bytes(4, "little"), *second[4:length]])
    file = tmp_path / "a.pcap"
    file.write_bytes(first + late + second[length:])
    assert "1 frame is earlier than the frame before\n" in run("analyze", str(file)).stdout


def test_an_internal_error_is_one_line_and_the_traceback_is_there_for_who_asks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> Report:
        raise ZeroDivisionError("a bug\x1b[31m")

    monkeypatch.setattr(analysis, "diagnose", fail)
    assert main(["analyze", HEALTHY]) == 2
    assert capsys.readouterr() == (
        "",
        "ctcp-diag: internal error: ZeroDivisionError: a bug\\x1b[31m; --debug shows the traceback\n",
    )
    assert main(["analyze", "--debug", HEALTHY]) == 2
    told_ = capsys.readouterr().err
    assert told_.startswith("Traceback (most recent call last):\n")
    assert told_.endswith("ctcp-diag: internal error: ZeroDivisionError: a bug\\x1b[31m\n")


# --- sources -------------------------------------------------------------------------------------------


def test_standard_input_is_a_capture() -> None:
    answer = run("analyze", "-q", "-", stdin=Path(FAILURE).read_bytes())
    assert (answer.returncode, answer.stderr) == (1, "")


def test_a_pattern_that_the_shell_left_alone_is_expanded(tmp_path: Path) -> None:
    for name in ("b.pcap", "a.pcap"):
        (tmp_path / name).write_bytes(Path(HEALTHY).read_bytes())
    answer = run("analyze", "--format", "json", "*.pcap", cwd=tmp_path)
    assert [one["source"] for one in json.loads(answer.stdout)["captures"]] == ["a.pcap", "b.pcap"]


def test_a_file_whose_name_is_a_pattern_is_that_file(tmp_path: Path) -> None:
    for name in ("[a].pcap", "a.pcap"):
        (tmp_path / name).write_bytes(Path(HEALTHY).read_bytes())
    answer = run("analyze", "--format", "json", "[a].pcap", cwd=tmp_path)
    assert [one["source"] for one in json.loads(answer.stdout)["captures"]] == ["[a].pcap"]


def test_a_pattern_that_matches_nothing_is_a_missing_file(tmp_path: Path) -> None:
    answer = run("analyze", "-q", "*.pcap", cwd=tmp_path)
    assert answer.returncode == 2
    assert answer.stderr.startswith("ctcp-diag: *.pcap: ")


def test_the_demonstration_shows_the_failure_and_keeps_its_captures_where_wished(tmp_path: Path) -> None:
    passing = run("demo", "--format", "json")
    assert passing.returncode == 1
    assert {one["source"] for one in json.loads(passing.stdout)["captures"]} == {
        "demo-client.pcap",
        "demo-asa-outside.pcap",
        "demo-asa-inside.pcap",
    }
    assert [one["confidence"] for one in json.loads(passing.stdout)["findings"]] == ["proven", "strong"]
    kept = run("demo", "-q", "--keep", str(tmp_path / "here"))
    assert kept.returncode == 1
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == [
        "demo-asa-inside.pcap",
        "demo-asa-outside.pcap",
        "demo-client.pcap",
    ]


def test_files_of_the_demonstration_are_named_from_where_the_user_stands(tmp_path: Path) -> None:
    answer = run("demo", "-f", "json", "-o", "report.json", "--report", "report.html", cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]


# --- several captures of one path -------------------------------------------------------------------------

OUTSIDE, INSIDE = (str(SAMPLES / f"failure-asa-{side}.pcap") for side in ("outside", "inside"))
NOT_THE_PATH = str(SAMPLES / "peer-vanished.pcap")


def case(*arguments: str, cwd: Path = ROOT) -> tuple[Report, str]:
    """The report on what was named, and what was said on standard error."""
    answer = run("analyze", "--format", "json", *arguments, cwd=cwd)
    return Report.from_json(answer.stdout.encode()), answer.stderr


def places(report: Report) -> list[tuple[str, tuple[str, ...], bool]]:
    return [(one.vantage, one.captures, one.is_told) for path in report.paths for one in path.places]


def test_three_captures_of_one_failure_are_one_case_and_prove_it() -> None:
    answer = run("analyze", "--client", FAILURE, "--asa-outside", OUTSIDE, "--asa-inside", INSIDE)
    assert (answer.returncode, answer.stderr) == (1, "")
    assert answer.stdout.startswith(
        "1 of 1 flow: unanswered duplicate ACKs (TAC 113578), client-to-headend, proven\n"
    )
    assert (
        "\npath       client (c1) → asa-outside (c2) → asa-inside (c3), by the times of what passed both\n"
    ) in answer.stdout
    assert (
        "\n    where      lost between client and firewall (client-asa); "
        "duplicate ACKs made in the firewall (asa); RST made by the client\n"
    ) in answer.stdout


def test_plain_captures_are_put_in_order_and_named_by_what_they_show() -> None:
    report, errors = case(INSIDE, OUTSIDE, FAILURE)
    assert errors == ""
    assert places(report) == [
        ("client", ("c3",), False),
        ("asa-outside", ("c2",), False),
        ("asa-inside", ("c1",), False),
    ]
    assert [one.vantage for one in report.captures] == ["asa-inside", "asa-outside", "client"]


def test_what_is_named_and_what_is_not_can_be_mixed() -> None:
    report, _ = case("--asa", INSIDE, FAILURE)
    assert places(report) == [("client", ("c2",), False), ("asa", ("c1",), True)]
    assert report.findings[0].confidence == "proven"


def test_labels_that_contradict_the_captures_are_noticed() -> None:
    report, errors = case("--client", INSIDE, "--asa-inside", FAILURE)
    assert places(report) == [("client", ("c2",), True), ("asa-inside", ("c1",), True)]
    assert "the labels contradict the captures" in report.paths[0].notes[0]
    assert errors == f"ctcp-diag: {report.paths[0].notes[0]}\n"
    assert report.findings[0].confidence == "proven"
    flow = report.flows[0]
    assert (flow.loss_location, flow.ack_author, flow.rst_author) == (
        "client-headend",
        "client-headend",
        None,
    )


def test_a_pattern_names_the_files_of_a_rotated_capture(tmp_path: Path) -> None:
    for number, content in enumerate(halves(Path(FAILURE).read_bytes(), frame=200), start=1):
        (tmp_path / f"part-{number}.pcap").write_bytes(content)
    report, errors = case("--client", "part-*.pcap", "--asa-inside", INSIDE, cwd=tmp_path)
    whole, _ = case("--client", FAILURE, "--asa-inside", INSIDE)
    assert places(report)[0] == ("client", ("c1", "c2"), True)
    assert report.findings[0].confidence == whole.findings[0].confidence == "proven"
    assert report.notes == (
        "part-2.pcap (c2) goes on where the file before it ends: sentences count its frames from 201, "
        "lists of frames from 1",
    )
    assert errors == f"ctcp-diag: {report.notes[0]}\n"


def halves(savefile: bytes, *, frame: int) -> tuple[bytes, bytes]:
    """A little-endian pcap file cut behind a frame."""
    at = 24
    for _ in range(frame):
        at += 16 + int.from_bytes(savefile[at + 8 : at + 12], "little")
    return savefile[:at], savefile[:24] + savefile[at:]


@pytest.mark.parametrize("way", ["twice", "link", "copy", "compressed"])
@pytest.mark.parametrize(
    "role", [(), ("--client",), ("--asa-inside",)], ids=["plain", "client", "asa-inside"]
)
def test_the_same_capture_twice_adds_nothing_and_says_so(
    way: str, role: tuple[str, ...], tmp_path: Path
) -> None:
    again = Path(FAILURE) if way == "twice" else tmp_path / "again.pcap"
    if way == "link":
        again.symlink_to(FAILURE)
    elif way in ("copy", "compressed"):
        content = Path(FAILURE).read_bytes()
        again.write_bytes(gzip.compress(content) if way == "compressed" else content)
    report, errors = case("--client", FAILURE, *role, str(again))
    note = f"{again} (c2) is the same capture as {FAILURE} (c1): it adds nothing"
    assert (report.notes, errors) == ((note,), f"ctcp-diag: {note}\n")
    assert [(one.seen[0].capture, one.confidence) for one in report.flows] == [("c1", "strong")]
    assert (report.paths, report.coverage.flows_seen) == ((), 1)


def test_captures_of_unrelated_paths_are_judged_alone_and_that_is_said_in_one_line() -> None:
    answer = run("analyze", "--client", FAILURE, "--asa-inside", NOT_THE_PATH)
    said = "the captures share no connection: each is judged alone"
    assert answer.stderr.startswith(f"ctcp-diag: {said}")
    assert answer.stderr.count("\n") == 1
    assert f"\nnote       {said}" in answer.stdout
    assert "1 unanswered-duplicate-acks, 1 peer-vanished" in answer.stdout


def test_a_stranger_among_captures_of_one_path_is_named() -> None:
    report, errors = case("--client", FAILURE, "--asa-inside", INSIDE, "--asa", NOT_THE_PATH)
    (note,) = report.notes
    assert note.startswith(f"{NOT_THE_PATH} (c3) shares no connection with the others")
    assert errors == f"ctcp-diag: {note}\n"
    assert report.findings[0].confidence == "proven"


def test_captures_whose_clocks_share_no_moment_and_nothing_else_are_told_so(tmp_path: Path) -> None:
    report, _ = case("--client", FAILURE, "--asa-inside", str(later(NOT_THE_PATH, tmp_path, seconds=86_400)))
    assert report.notes == (
        "the captures share no connection: each is judged alone; by their clocks they share no moment either",
    )


def test_an_hour_between_the_clocks_changes_nothing(tmp_path: Path) -> None:
    report, errors = case("--client", FAILURE, "--asa-inside", str(later(INSIDE, tmp_path, seconds=3_600)))
    assert (report.findings[0].confidence, report.notes, errors) == ("proven", (), "")
    (piece,) = report.paths[0].clocks[0].pieces
    hour_ns = 3_600 * 10**9
    assert piece.offset_low_ns is not None
    assert piece.offset_high_ns is not None
    assert piece.offset_low_ns < hour_ns < piece.offset_high_ns < hour_ns + 10**9


def later(source: str, folder: Path, *, seconds: int) -> Path:
    """The capture by a clock that is ahead."""
    savefile, at = bytearray(Path(source).read_bytes()), 24
    while at < len(savefile):
        moved = int.from_bytes(savefile[at : at + 4], "little") + seconds
        savefile[at : at + 4] = moved.to_bytes(4, "little")
        at += 16 + int.from_bytes(savefile[at + 8 : at + 12], "little")
    (folder / "later.pcap").write_bytes(savefile)
    return folder / "later.pcap"


def test_a_capture_without_a_frame_is_named_and_the_other_is_judged(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pcap"
    empty.write_bytes(Path(INSIDE).read_bytes()[:24])
    report, errors = case("--client", FAILURE, "--asa-inside", str(empty))
    assert errors == f"ctcp-diag: {empty} (c2) holds no frame: there is nothing to compare\n"
    assert [one.confidence for one in report.findings] == ["strong"]


def test_a_capture_that_is_cut_does_not_lend_its_silence_as_proof(tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(Path(INSIDE).read_bytes()[:20_000])
    report, errors = case("--client", FAILURE, "--asa-inside", str(cut))
    assert errors.startswith(f"ctcp-diag: {cut}: byte ")
    assert len(report.paths) == 1
    assert [one.confidence for one in report.findings] == ["strong"]


def test_each_capture_has_the_filter_that_finds_the_flow_in_it() -> None:
    report, _ = case("--client", FAILURE, "--asa-inside", INSIDE)
    (finding,) = report.findings
    assert set(finding.display_filters) == {"c1", "c2"}
    assert finding.display_filters["c1"] == finding.display_filter


def test_no_capture_of_a_role_is_overwritten(tmp_path: Path) -> None:
    capture = tmp_path / "inside.pcap"
    capture.write_bytes(Path(INSIDE).read_bytes())
    answer = run("analyze", "-o", str(capture), "--asa-inside", str(capture), FAILURE)
    assert answer.returncode == 2
    assert "is one of the captures" in answer.stderr
    assert capture.read_bytes() == Path(INSIDE).read_bytes()


def test_nothing_named_is_told_what_to_name() -> None:
    answer = run("analyze")
    assert answer.returncode == 2
    assert "--client, --asa-outside, --asa-inside or --asa" in " ".join(answer.stderr.split())


# --- results ---------------------------------------------------------------------------------------------


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
        ("schema", "head -1", 0),
        ("analyze --help", "true", 0),
        ("--version", "true", 0),
    ],
)
def test_a_reader_who_has_seen_enough_is_no_trouble(arguments: str, reader: str, status: int) -> None:
    script = f'"{sys.executable}" -m ctcp_forensics {arguments} | {reader}; exit "${{PIPESTATUS[0]}}"'
    answer = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env=ENVIRONMENT, check=False
    )
    assert (answer.returncode, answer.stderr) == (status, "")


# --- terminals -----------------------------------------------------------------------------------------


def test_a_terminal_gets_colours_and_no_line_that_it_would_break() -> None:
    shown = on_terminal("analyze", FAILURE)
    assert shown.startswith(RED)
    plain = re.sub(r"\x1b\[[\d;]*m", "", shown)
    sentences = [line for line in plain.splitlines() if "    filter " not in line]
    assert max(map(len, sentences)) <= 100


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


# --- pictures --------------------------------------------------------------------------------------


def test_a_plot_is_drawn_beside_the_answer(tmp_path: Path) -> None:
    for name, begin in (("death.svg", b"<?xml"), ("death.png", b"\x89PNG")):
        if name.endswith(".png"):
            pytest.importorskip("resvg_py")
        told_ = run("analyze", FAILURE, "-q", "--plot", str(tmp_path / name))
        assert (told_.returncode, told_.stderr) == (1, "")
        assert (tmp_path / name).read_bytes().startswith(begin)


def test_a_picture_of_another_kind_is_refused_before_any_work(tmp_path: Path) -> None:
    told_ = run("analyze", FAILURE, "--plot", str(tmp_path / "death.gif"))
    assert (told_.returncode, told_.stdout) == (2, "")
    assert told_.stderr.endswith("death.gif: name a file that ends in .svg or .png\n")


def test_a_capture_is_not_overwritten_by_its_picture(tmp_path: Path) -> None:
    capture = tmp_path / "capture.svg"
    capture.write_bytes(Path(FAILURE).read_bytes())
    told_ = run("analyze", str(capture), "--plot", str(capture))
    assert told_.returncode == 2
    assert capture.read_bytes() == Path(FAILURE).read_bytes()


def test_a_png_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(Refused, match=r"pip install 'ctcp-forensics\[png\]'"):
        checked("death.png")


def test_standard_input_is_analyzed_and_not_drawn(tmp_path: Path) -> None:
    target = tmp_path / "death.svg"
    told_ = run("analyze", "-", "-q", "--plot", str(target), stdin=Path(FAILURE).read_bytes())
    assert told_.returncode == 1
    assert told_.stdout.startswith("1 of 1 flow: unanswered duplicate ACKs")
    assert "standard input cannot be read a second time" in told_.stderr
    assert not target.exists()


def test_the_sketch_follows_the_table_in_a_terminal_in_a_pipe_and_in_a_file(tmp_path: Path) -> None:
    assert "✗" in on_terminal("analyze", FAILURE, "-q", "--sketch", NO_COLOR="1")
    assert f"{RED}✗" in on_terminal("analyze", FAILURE, "-q", "--sketch")
    plain = run("analyze", FAILURE, "-q", "--sketch", "--color", "never").stdout
    assert "● duplicate ACK" in plain
    target = tmp_path / "told.txt"
    run("analyze", FAILURE, "-q", "--sketch", "-o", str(target))
    assert target.read_text() == plain


def test_a_terminal_without_the_signs_gets_ascii() -> None:
    told_ = subprocess.run(
        [*COMMAND, "analyze", FAILURE, "-q", "--sketch"],
        capture_output=True,
        env=ENVIRONMENT | {"PYTHONIOENCODING": "ascii"},
        check=False,
    )
    assert told_.stdout.isascii()
    assert b"o duplicate ACK" in told_.stdout


@pytest.mark.parametrize("asked", [["--pictures"], ["--sketch"]])
def test_pictures_are_kept_in_json_where_they_are_asked_for(asked: list[str]) -> None:
    kept = Report.from_json(run("analyze", FAILURE, "-f", "json", *asked).stdout.encode())
    assert [one.flow for one in kept.pictures] == [kept.flows[0].id]
    assert Report.from_json(run("analyze", FAILURE, "-f", "json").stdout.encode()).pictures == ()


def test_a_stored_picture_is_drawn_without_its_captures(tmp_path: Path) -> None:
    capture, kept = tmp_path / "failure-client.pcap", str(tmp_path / "kept.json")
    capture.write_bytes(Path(FAILURE).read_bytes())
    now, later = tmp_path / "now.svg", tmp_path / "later.svg"
    run("analyze", str(capture), "-f", "json", "--pictures", "-o", kept, "--plot", str(now))
    capture.unlink()
    told_ = run("render", "-q", kept, "--plot", str(later), "--sketch")
    assert (told_.returncode, told_.stderr) == (1, "")
    assert "● duplicate ACK" in told_.stdout
    assert later.read_bytes() == now.read_bytes()


def test_a_picture_that_was_not_kept_is_made_from_the_captures_or_missed(tmp_path: Path) -> None:
    capture, kept, target = tmp_path / "death.pcap", str(tmp_path / "kept.json"), tmp_path / "later.svg"
    capture.write_bytes(Path(FAILURE).read_bytes())
    run("analyze", str(capture), "-f", "json", "-o", kept)
    run("render", "-q", kept, "--plot", str(target))
    assert target.read_text().startswith("<?xml")
    capture.unlink()
    told_ = run("render", "-q", kept, "--plot", str(tmp_path / "none.svg"))
    assert told_.stderr == (
        f"ctcp-diag: {capture}: there is no such file; it is not drawn\n"
        "ctcp-diag: nothing is drawn: none of its captures can be read again\n"
    )


def test_a_damaged_picture_is_one_line(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    run("analyze", FAILURE, "-f", "json", "--pictures", "-o", str(kept))
    told_ = json.loads(kept.read_text())
    for spoil, complaint in (
        ({"flow": "nobody"}, "a picture names nobody, which the report does not have"),
        ({"direction": "sideways"}, "the picture of flow"),
        ({"places": [told_["pictures"][0]["places"][0] | {"pos": "x"}]}, "the picture of flow"),
    ):
        kept.write_text(json.dumps(told_ | {"pictures": [told_["pictures"][0] | spoil]}))
        ended = run("render", "-q", str(kept), "--plot", str(tmp_path / "none.svg"))
        assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
        assert complaint in ended.stderr


def test_of_healthy_flows_one_is_drawn_and_of_none_none(tmp_path: Path) -> None:
    assert "Healthy" in run("analyze", HEALTHY, "-q", "--sketch").stdout
    empty = tmp_path / "empty.pcap"
    empty.write_bytes(Path(FAILURE).read_bytes()[:24])
    assert run("analyze", str(empty), "-q", "--sketch").stderr.endswith(
        "nothing is drawn: no flow was judged\n"
    )
