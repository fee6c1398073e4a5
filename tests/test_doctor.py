"""Doctor: each part is told as it is, with what would help where something is amiss."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ctcp_forensics import doctor
from ctcp_forensics.doctor import CODECS, PROGRAMS, Check, Codec, Program, State, examine, render

TSHARK = PROGRAMS[0]


def codec(name: str) -> Codec:
    (found,) = [codec for codec in CODECS if codec.name == name]
    return found


def put_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """A program called tshark, the only one on the PATH."""
    program = folder / "tshark"
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return program


# ------------------------------------------------------------------------------------------------------ the whole


def test_every_part_is_examined_once_and_in_order() -> None:
    assert [check.name for check in examine()] == [
        "Python",
        "kernel",
        "gzip captures",
        "bzip2 captures",
        "xz captures",
        "zstd captures",
        "lz4 captures",
        "typer",
        "msgspec",
        "tabulate",
        "dpkt",
        "pyshark",
        "blake3",
        "ipcrypt",
        "duckdb",
        "tshark",
        "capinfos",
        "editcap",
        "tcpdump",
        "temporary files",
    ]


def test_whatever_is_not_ok_has_a_remedy_and_whatever_is_ok_needs_none() -> None:
    assert [check.name for check in examine() if (check.state is State.OK) is not (check.remedy == "")] == []


def test_libraries_of_the_default_install_are_there() -> None:
    by_name = {check.name: check for check in examine()}
    for name in ("typer", "msgspec", "tabulate", "dpkt", "pyshark"):
        assert by_name[name].state is State.OK, by_name[name]


def test_an_absent_extra_is_optional() -> None:
    assert doctor.extra_check(doctor.Extra(name="no-such-library", use="nothing", extra="nothing")) == Check(
        name="no-such-library",
        state=State.ABSENT,
        says="for nothing",
        remedy="optional: pip install 'ctcp-forensics[nothing]'",
    )


def test_an_absent_library_says_what_it_is_for() -> None:
    assert doctor.library_check("no-such-library-of-ours", "tables") == Check(
        name="no-such-library-of-ours",
        state=State.ABSENT,
        says="needed for tables",
        remedy="pip install no-such-library-of-ours",
    )


# ----------------------------------------------------------------------------------------------------- the kernel


def kernel_in_a_new_process(choice: str | None) -> str:
    env = {name: value for name, value in os.environ.items() if name != doctor.KERNEL_CHOICE}
    if choice is not None:
        env[doctor.KERNEL_CHOICE] = choice
    code = "from ctcp_forensics.doctor import kernel_check as k; c = k(); print(c.state, c.says, c.remedy, sep='|')"
    ran = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=True
    )
    return ran.stdout.strip()


def test_a_kernel_chosen_to_be_plain_is_told_as_chosen() -> None:
    assert kernel_in_a_new_process("plain") == (
        "degraded|plain Python: answers the same, many times slower (chosen by CTCP_DIAG_KERNEL=plain)"
        "|unset CTCP_DIAG_KERNEL"
    )


def test_the_kernel_is_compiled_or_says_how_it_could_be() -> None:
    from ctcp_forensics import _kernel

    expected = {
        "compiled": "ok|compiled|",
        "plain": "degraded|plain Python: answers the same, many times slower"
        "|install a wheel, or a C compiler and then ctcp-forensics",
    }
    if os.environ.get(doctor.KERNEL_CHOICE) == "plain":
        pytest.skip("the plain kernel was chosen for this run")
    assert kernel_in_a_new_process(None) == expected[_kernel.NAME]


def test_a_kernel_that_cannot_be_loaded_is_reported_and_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctcp_forensics._kernel", None)
    check = doctor.kernel_check()
    assert (check.state, check.remedy) == (State.ABSENT, "install ctcp-forensics again")
    assert check.says.startswith("cannot be loaded: import of ctcp_forensics._kernel halted")


# ------------------------------------------------------------------------------------------------- decompression


def test_gzip_falls_back_to_the_standard_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "isal.igzip", None)
    assert doctor.codec_check(codec("gzip")) == Check(
        name="gzip captures",
        state=State.DEGRADED,
        says="by gzip of the standard library: right, but slower",
        remedy="pip install isal",
    )


def test_a_missing_codec_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, module, None)
    assert doctor.codec_check(codec("zstd")) == Check(
        name="zstd captures", state=State.ABSENT, says="cannot be read", remedy="pip install backports.zstd"
    )


def test_a_python_built_without_a_codec_is_named_as_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bz2", None)
    assert doctor.codec_check(codec("bzip2")) == Check(
        name="bzip2 captures", state=State.ABSENT, says="cannot be read", remedy="a Python built with bz2"
    )


# ------------------------------------------------------------------------------------------------------ programs


def test_a_program_tells_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_on_path(tmp_path, monkeypatch, 'echo "TShark (Wireshark) 4.9.12 (Git v4.9.12)."')
    assert doctor.program_check(TSHARK) == Check(
        name="tshark", state=State.OK, says="4.9.12, for Wireshark's second opinion"
    )


def test_nothing_of_what_a_program_prints_but_its_version_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_on_path(tmp_path, monkeypatch, r"printf '\033[2J\377 hello'")
    assert doctor.program_check(TSHARK).says == "of an unknown version, for Wireshark's second opinion"


def test_a_program_is_run_in_an_empty_home_without_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "for nobody")
    put_on_path(
        tmp_path,
        monkeypatch,
        '[ -d "$HOME" ] && [ -z "$(/bin/ls -A "$HOME")" ] && [ -z "$SECRET" ] && ! [ -t 0 ] && [ "$*" = --version ] '
        "&& echo 1.0.0",
    )
    assert doctor.program_check(TSHARK).says == "1.0.0, for Wireshark's second opinion"


def test_an_absent_program_is_optional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    tcpdump = Program(name="tcpdump", use="recording", package="tcpdump")
    assert doctor.program_check(tcpdump) == Check(
        name="tcpdump", state=State.ABSENT, says="for recording", remedy="optional: install tcpdump"
    )


@pytest.mark.parametrize(
    ("script", "says"),
    [("exit 7", "ended with status 7"), ("exec /bin/sleep 30", "no answer within 0.5 s")],
)
def test_a_program_that_does_not_answer_is_degraded(
    script: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "PROGRAM_TIMEOUT_S", 0.5)
    program = put_on_path(tmp_path, monkeypatch, script)
    assert doctor.program_check(TSHARK) == Check(
        name="tshark", state=State.DEGRADED, says=says, remedy=f"try `{program} --version`"
    )


def test_a_program_that_is_none_is_degraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_on_path(tmp_path, monkeypatch, "").write_bytes(b"\x7fELF and nothing else")
    assert doctor.program_check(TSHARK).says == "Exec format error"


# ------------------------------------------------------------------------------------------------- temporary files


def test_a_place_that_cannot_be_written_is_degraded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert doctor.temporary_files_check() == Check(
        name="temporary files",
        state=State.DEGRADED,
        says="No such file or directory",
        remedy="point TMPDIR at a folder that can be written",
    )


# ------------------------------------------------------------------------------------------------------ rendering

CHECKS = (
    Check(name="kernel", state=State.OK, says="compiled"),
    Check(name="lz4", state=State.ABSENT, says="1.10", remedy="pip install lz4"),
)


def test_the_table_keeps_versions_as_they_are() -> None:
    assert render(CHECKS) == (
        "part    state    says      what would help\n"
        "------  -------  --------  -----------------\n"
        "kernel  ok       compiled\n"
        "lz4     absent   1.10      pip install lz4"
    )


def test_without_tabulate_the_same_is_said_in_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tabulate", None)
    assert render(CHECKS) == "kernel: ok, compiled\nlz4: absent, 1.10 (pip install lz4)"
