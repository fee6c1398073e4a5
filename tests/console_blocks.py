"""Commands that a document shows, run as the reader would run them.

A ```console block holds commands behind `$ ` and, below each, what it printed.  Knows Markdown and terminals.  Does not
judge what comes out.
"""

from __future__ import annotations

import os
import pty
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
COLUMNS: Final = 100
"""The terminal that the documents show: as wide as a page of code."""
PROMPT: Final = "$ "
SHELL_WORDS: Final = frozenset(
    {"echo", "head", "tail", "sort", "uniq", "cut", "grep", "sed", "zcat", "wc", "cat"}
)

# --- Markdown --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block of a document."""

    language: str
    first_line: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One command and what the document says it prints."""

    command: str
    shown: str


def blocks(text: str) -> Iterator[Block]:
    """Fenced blocks, in order; a fence inside a block would end it."""
    language, start, inside = "", 0, list[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.startswith("```"):
            inside.append(line)
            continue
        if start:
            yield Block(language=language, first_line=start, lines=tuple(inside))
        language, start, inside = line[3:].strip(), 0 if start else number, []


def examples(text: str) -> list[Example]:
    """Every command of every console block."""
    return [one for block in blocks(text) if block.language == "console" for one in examples_of(block.lines)]


def examples_of(lines: Iterable[str]) -> Iterator[Example]:
    command, shown = "", list[str]()
    for line in lines:
        if command.endswith("\\") and not shown:
            command += "\n" + line
        elif line.startswith(PROMPT):
            if command:
                yield Example(command=command, shown=text_of(shown))
            command, shown = line.removeprefix(PROMPT), []
        else:
            shown.append(line)
    if command:
        yield Example(command=command, shown=text_of(shown))


def text_of(lines: Iterable[str]) -> str:
    """Without what nobody sees: white space at the ends of lines, empty lines at the end."""
    return "\n".join(line.rstrip() for line in lines).rstrip("\n")


def rewritten(text: str, answer: Callable[[str], str]) -> str:
    """The document, with what its commands print now."""
    out, at = list[str](), 0
    lines = text.splitlines()
    for block in blocks(text):
        if block.language != "console":
            continue
        out += lines[at : block.first_line]
        for number, one in enumerate(examples_of(block.lines)):
            gap = [""] if number and out[-1] else []
            out += [*gap, *(PROMPT + one.command).split("\n"), *answer(one.command).splitlines()]
        at = block.first_line + len(block.lines)
    return "\n".join([*out, *lines[at:]]) + "\n"


# --- running what is shown -------------------------------------------------------------------


def programs(command: str) -> set[str]:
    """The programs that a command names, less those that every system has."""
    words = shlex.split(command.replace("\\\n", " "), comments=True)
    starts = [0, *(place + 1 for place, word in enumerate(words) if word in ("|", ";", "&&"))]
    named = {words[place] for place in starts if place < len(words)}
    return {name.rstrip(";") for name in named} - SHELL_WORDS - {"ctcp-diag"}


def missing_programs(command: str) -> list[str]:
    return sorted(name for name in programs(command) if shutil.which(name, path=search_path("")) is None)


def search_path(first: str) -> str:
    """Debian keeps tcpdump and others where only root's PATH looks."""
    return os.pathsep.join(filter(None, [first, os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"]))


class Shell:
    """Runs commands as the reader would: in the project's folder, on a terminal, without a profile of theirs."""

    def __init__(self, folder: Path) -> None:
        programs_ = folder / "bin"
        programs_.mkdir()
        command = programs_ / "ctcp-diag"
        command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m ctcp_forensics "$@"\n')
        command.chmod(0o755)
        kept = ("LD_LIBRARY_PATH", "CTCP_DIAG_KERNEL")
        self._environment = {name: os.environ[name] for name in kept if name in os.environ} | {
            "PATH": search_path(str(programs_)),
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "TERM": "xterm",
            "COLUMNS": str(COLUMNS),
            "NO_COLOR": "1",
        }

    def __call__(self, command: str) -> str:
        """What the command prints on a terminal; what it says on standard error is not shown."""
        keeper, terminal = pty.openpty()
        process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=subprocess.DEVNULL,
        )
        os.close(terminal)
        shown = everything(keeper)
        process.wait()
        return text_of(shown.decode().replace("\r\n", "\n").splitlines())


def everything(keeper: int) -> bytes:
    """All that comes through a terminal until its other side is gone, which Linux tells by an error."""
    shown = b""
    try:
        while piece := os.read(keeper, 65536):
            shown += piece
    except OSError:
        pass
    finally:
        os.close(keeper)
    return shown
