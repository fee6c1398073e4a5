"""The command line itself: what it loads, what it says of itself, and every way to end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from ctcp_forensics import __version__
from ctcp_forensics.cli import analysis, main
from ctcp_forensics.cli.commands import app
from ctcp_forensics.report import VERDICT_WORDS, Report
from ctcp_forensics.report.published import schema_json
from tests.command_line import COMMAND, ENVIRONMENT, FAILURE, HEALTHY, run

COMMANDS = get_command(app).commands  # type: ignore[attr-defined]  # a group has them

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


@pytest.mark.parametrize("command", COMMANDS)
def test_what_can_be_written_as_json_is_asked_for_in_both_ways(command: str) -> None:
    choices = {
        word: list(getattr(option.type, "choices", ()))
        for option in COMMANDS[command].params
        for word in option.opts
    }
    assert ("--json" in choices) == ("json" in choices.get("--format", []))
    assert ("--format" in choices) == ("-f" in choices)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_shows_the_traceback_that_its_errors_promise(command: str) -> None:
    assert "--debug" in {word for option in COMMANDS[command].params for word in option.opts}


def test_the_exit_statuses_are_told_as_they_are() -> None:
    told_ = run("analyze", "--help").stdout.partition("Exit status:")[2]
    assert re.findall(r"^    (\d+) ", told_, re.MULTILINE) == ["0", "1", "2", "3", "130"]


def test_without_a_command_there_is_help() -> None:
    answer = run()
    assert answer.returncode == 2
    assert "Usage: ctcp-diag [OPTIONS] COMMAND [ARGS]..." in answer.stdout + answer.stderr


def test_who_names_a_capture_for_a_command_is_told_of_analyze(tmp_path: Path) -> None:
    (tmp_path / "a b.pcap").write_bytes(Path(FAILURE).read_bytes())
    answer = run("a b.pcap", "-q", cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == (
        "ctcp-diag: a b.pcap is a file and no command: `ctcp-diag analyze 'a b.pcap'` analyzes it\n"
    )
    assert "Did you mean 'analyze'?" in run("analyse", "a b.pcap", cwd=tmp_path).stderr


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


@pytest.mark.parametrize("word", ["unanswered-dup-acks", "unanswered"])
def test_a_verdict_that_is_none_is_refused_with_the_nearest(word: str) -> None:
    """The beginning of a name is nearer to it than another name within it, such as `answered`."""
    answer = run("explain", word)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == (
        f"ctcp-diag: no verdict is called {word}; did you mean unanswered-duplicate-acks?\n"
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
