"""Doctor: what of this installation works, what is absent, and what that costs.

Knows the parts: Python, kernel, decompression, libraries, programs, a place for temporary files.
Does not repair anything, reads no capture and asks no network.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import metadata

DISTRIBUTION = "ctcp-forensics"
OLDEST_PYTHON = (3, 11)
PROGRAM_TIMEOUT_S = 20  # a first start of tshark from a slow disk takes seconds, never this long
VERSION = re.compile(r"\d+(?:\.\d+)+")
KERNEL_CHOICE = "CTCP_DIAG_KERNEL"


class State(StrEnum):
    """How a part is."""

    OK = "ok"
    DEGRADED = "degraded"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One part of the installation: its state, what that means, and what would help."""

    name: str
    state: State
    says: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """A compression, the modules that can undo it (best first), and the package that brings the best."""

    name: str
    modules: tuple[str, ...]
    package: str


CODECS = (
    Codec(name="gzip", modules=("isal.igzip", "gzip"), package="isal"),
    Codec(name="bzip2", modules=("bz2",), package=""),
    Codec(name="xz", modules=("lzma",), package=""),
    Codec(name="zstd", modules=("compression.zstd", "backports.zstd"), package="backports.zstd"),
    Codec(name="lz4", modules=("lz4.frame",), package="lz4"),
)

# Distribution, and what is lost without it.
LIBRARIES = (
    ("typer", "the command line"),
    ("msgspec", "the report"),
    ("tabulate", "tables"),
    ("dpkt", "rare link layers and tunnels, and the demo"),
    ("pyshark", "Wireshark's second opinion"),
    ("blake3", "archives"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """A library that an extra brings: captures are read without it."""

    name: str
    use: str
    extra: str


EXTRAS = (
    Extra(name="ipcrypt", use="redaction", extra="redact"),
    Extra(name="duckdb", use="questions to an archive", extra="archive"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """An optional program: captures are read without it."""

    name: str
    use: str
    package: str


PROGRAMS = (
    Program(name="tshark", use="Wireshark's second opinion", package="tshark (Wireshark)"),
    Program(name="capinfos", use="tests only", package="tshark (Wireshark)"),
    Program(name="editcap", use="tests only", package="tshark (Wireshark)"),
    Program(name="tcpdump", use="recording captures and tests only", package="tcpdump"),
)


def examine() -> tuple[Check, ...]:
    """Every check, in the order in which parts build on one another."""
    return (
        python_check(),
        kernel_check(),
        *(codec_check(codec) for codec in CODECS),
        *(library_check(name, use) for name, use in LIBRARIES),
        *(extra_check(extra) for extra in EXTRAS),
        *(program_check(program) for program in PROGRAMS),
        temporary_files_check(),
    )


def python_check() -> Check:
    says = f"{sys.version.split()[0]}, {sys.implementation.name}"
    if sys.version_info < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        return Check(name="Python", state=State.DEGRADED, says=says, remedy=f"use Python {oldest} or later")
    return Check(name="Python", state=State.OK, says=says)


def kernel_check() -> Check:
    """Which of the two kernels reads captures.  They answer the same."""
    try:
        name = importlib.import_module("ctcp_forensics._kernel").NAME
    except (ImportError, AttributeError) as error:
        return Check(
            name="kernel",
            state=State.ABSENT,
            says=f"cannot be loaded: {error}",
            remedy=f"install {DISTRIBUTION} again",
        )
    return Check(name="kernel", state=State.OK, says="compiled") if name == "compiled" else plain_kernel()


def plain_kernel() -> Check:
    """It works, and is no more than what a machine without a compiler gets."""
    says = "plain Python: answers the same, many times slower"
    remedy = f"install gcc and python3-dev, then {DISTRIBUTION} again"
    if os.environ.get(KERNEL_CHOICE) == "plain":
        says, remedy = f"{says} (chosen by {KERNEL_CHOICE}=plain)", f"unset {KERNEL_CHOICE}"
    return Check(name="kernel", state=State.DEGRADED, says=says, remedy=remedy)


def codec_check(codec: Codec) -> Check:
    """The first module that loads does the work."""
    name = f"{codec.name} captures"
    usable = next((module for module in codec.modules if loads(module)), None)
    if usable is None:
        remedy = (
            f"pip install {codec.package}" if codec.package else f"a Python built with {codec.modules[0]}"
        )
        return Check(name=name, state=State.ABSENT, says="cannot be read", remedy=remedy)
    if usable == "gzip":
        says = "by gzip of the standard library: right, but slower"
        return Check(name=name, state=State.DEGRADED, says=says, remedy=f"pip install {codec.package}")
    return Check(name=name, state=State.OK, says=f"by {usable}")


def library_check(name: str, use: str) -> Check:
    """By its installed version: importing it would take longer than all the rest."""
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Check(name=name, state=State.ABSENT, says=f"needed for {use}", remedy=f"pip install {name}")
    return Check(name=name, state=State.OK, says=f"{version}, for {use}")


def extra_check(extra: Extra) -> Check:
    try:
        version = metadata.version(extra.name)
    except metadata.PackageNotFoundError:
        remedy = f"optional: pip install '{DISTRIBUTION}[{extra.extra}]'"
        return Check(name=extra.name, state=State.ABSENT, says=f"for {extra.use}", remedy=remedy)
    return Check(name=extra.name, state=State.OK, says=f"{version}, for {extra.use}")


def program_check(program: Program) -> Check:
    """Found on the PATH and run once."""
    name, use = program.name, program.use
    path = shutil.which(name)
    if path is None:
        return Check(
            name=name, state=State.ABSENT, says=f"for {use}", remedy=f"optional: install {program.package}"
        )
    try:
        version = version_told(path)
    except (OSError, subprocess.SubprocessError) as error:
        return Check(name=name, state=State.DEGRADED, says=why_not(error), remedy=f"try `{path} --version`")
    return Check(name=name, state=State.OK, says=f"{version}, for {use}")


def temporary_files_check() -> Check:
    name = "temporary files"
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"ctcp-diag")
    except OSError as error:
        remedy = "point TMPDIR at a folder that can be written"
        return Check(name=name, state=State.DEGRADED, says=why_not(error), remedy=remedy)
    return Check(name=name, state=State.OK, says="can be written")


def loads(module: str) -> bool:
    """Whether the module can be imported here: a file that is there may still not fit this Python."""
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


def version_told(path: str) -> str:
    """The program's own words, run without a shell, in an empty home, so that no profile of the user is read."""
    with tempfile.TemporaryDirectory() as home:
        ran = subprocess.run(  # noqa: S603 - a fixed name, found on the PATH
            [path, "--version"],
            env={"PATH": os.environ.get("PATH", os.defpath), "HOME": home, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROGRAM_TIMEOUT_S,
            check=True,
        )
    found = VERSION.search((ran.stdout + ran.stderr).decode("utf-8", "replace"))
    return found[0] if found else "of an unknown version"


def why_not(error: Exception) -> str:
    match error:
        case subprocess.TimeoutExpired():
            return f"no answer within {PROGRAM_TIMEOUT_S} s"
        case subprocess.CalledProcessError():
            return f"ended with status {error.returncode}"
        case OSError():
            return error.strerror or "cannot be run"
        case _:
            return "cannot be run"


def render(checks: Sequence[Check]) -> str:
    """A table; without tabulate, which may be just what is absent, plain lines."""
    rows = [(check.name, str(check.state), check.says, check.remedy) for check in checks]
    table = table_maker()
    if table is None:
        return "\n".join(plain_lines(rows))
    return table(rows)


def as_objects(checks: Sequence[Check]) -> str:
    """JSON, of the standard library: what a report is written with may be just what is absent."""
    return json.dumps([asdict(check) for check in checks], indent=2, ensure_ascii=False)


def table_maker() -> Callable[[Sequence[Sequence[str]]], str] | None:
    try:
        from tabulate import tabulate
    except ImportError:
        return None
    headers = ("part", "state", "says", "what would help")
    # Versions such as 1.10 are text: read as numbers they would be aligned, and printed, as 1.1.
    return lambda rows: tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True)


def plain_lines(rows: Sequence[tuple[str, str, str, str]]) -> Iterator[str]:
    for name, state, says, remedy in rows:
        yield f"{name}: {state}, {says}" + (f" ({remedy})" if remedy else "")
