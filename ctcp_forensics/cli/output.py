"""Where results go: standard output, or a file that appears whole or not at all.

Knows terminals, pipes and files.  Does not know what is written.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from typing import TYPE_CHECKING, BinaryIO, TextIO

from ctcp_forensics.cli.ends import Refused, leave_pipe

if TYPE_CHECKING:
    from ctcp_forensics.render.look import Depth, Look

STANDARD_OUTPUT = "-"


@contextlib.contextmanager
def destination(name: str, sources: Iterable[str]) -> Iterator[TextIO]:
    """A text to write to.  It is opened before the work, so that no long work is done for nothing."""
    if name == STANDARD_OUTPUT:
        yield sys.stdout
        return
    with _binary_file(name, sources) as file:
        text = TextIOWrapper(file, encoding="utf-8", write_through=True)
        yield text
        text.detach()


@contextlib.contextmanager
def binary_destination(name: str, sources: Iterable[str]) -> Iterator[BinaryIO]:
    """The same for bytes, which no terminal can show."""
    if name != STANDARD_OUTPUT:
        with _binary_file(name, sources) as file:
            yield file
        return
    if sys.stdout.isatty():
        raise Refused(
            "standard output is a terminal: name a file with -o, or pipe into a program that reads it"
        )
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        leave_pipe(sys.stdout)


def refuse_unwritable(name: str, sources: Iterable[str]) -> None:
    """Of a file that is opened when the work is done, for there may be nothing to write: whether it could be."""
    path = name or os.curdir
    with _explained(name):
        if name == STANDARD_OUTPUT or _is_device(path):
            return
        _refuse_captures(path, sources)
        with _passing_file(os.path.realpath(path)):
            pass  # it could be made


def write(text: TextIO, lines: Iterable[str]) -> None:
    """Write `lines`.  What the terminal's encoding lacks is escaped; a reader who leaves is content."""
    if hasattr(text, "reconfigure") and text is sys.stdout:
        text.reconfigure(errors="backslashreplace")
    with _heard(text):
        text.writelines(lines)


def write_utf8(text: TextIO, pieces: Iterable[str | bytes]) -> None:
    """Write what is for programs, such as JSON: it is UTF-8 (RFC 8259 §8.1), whatever the terminal's encoding.

    A long report comes encoded: to decode it and encode it again takes longer than the rest.
    """
    with _heard(text):
        text.flush()
        text.buffer.writelines(one if isinstance(one, bytes) else one.encode() for one in pieces)


@contextlib.contextmanager
def _heard(text: TextIO) -> Iterator[None]:
    """Whether anybody takes what is written is the process's to know; a file sees to it when it is closed."""
    if text not in (sys.stdout, sys.stderr):
        yield
        return
    try:
        yield
        text.flush()
    except BrokenPipeError:
        leave_pipe(text)
    except OSError as error:
        leave_pipe(text)
        raise Refused(f"cannot write the report: {error.strerror}") from error


def look(depth: Depth, color: str, name: str) -> Look:
    """Colours and width belong to a terminal; a pipe or file gets every line whole."""
    from ctcp_forensics.render.look import COLORED, PLAIN, Look  # --help has no use for records

    on_terminal = name == STANDARD_OUTPUT and sys.stdout.isatty()
    return Look(
        depth=depth,
        width=columns() if on_terminal else None,
        pen=COLORED if _colored(color, on_terminal=on_terminal) else PLAIN,
    )


def columns() -> int:
    """Of the terminal."""
    import shutil  # on a terminal only

    return shutil.get_terminal_size().columns


def _colored(color: str, *, on_terminal: bool) -> bool:
    """NO_COLOR (no-color.org): any value that is not empty forbids colour, unless the user asks for it."""
    if color != "auto":
        return color == "always"
    return on_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


@contextlib.contextmanager
def _binary_file(name: str, sources: Iterable[str]) -> Iterator[BinaryIO]:
    with _explained(name), _file(name or os.curdir, sources) as file:
        yield file


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    """What the system says of a file that is written, as ours."""
    try:
        yield
    except OSError as error:
        raise Refused(f"cannot write {name}: {error.strerror or error}") from error


@contextlib.contextmanager
def _file(path: str, sources: Iterable[str]) -> Iterator[BinaryIO]:
    if _is_device(path):
        with open(path, "wb") as file:
            yield file
        return
    _refuse_captures(path, sources)
    final = os.path.realpath(path)  # a symbolic link stays one
    with _passing_file(final) as file:
        yield file
        file.close()
        os.replace(file.name, final)


@contextlib.contextmanager
def _passing_file(final: str) -> Iterator[BinaryIO]:
    """A file beside the place that it is for; who does not move it there in time leaves nothing behind."""
    folder, name = os.path.split(final)
    passing = os.path.join(folder, f".{name}.{os.getpid()}.part")
    try:
        with open(passing, "xb") as file:
            yield file
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(passing)


def _is_device(path: str) -> bool:
    """A pipe or device is written to; put a file in its place and it would be gone."""
    if os.path.isdir(path):
        raise Refused(f"cannot write {path}: it is a directory")
    return os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode)


def _refuse_captures(path: str, sources: Iterable[str]) -> None:
    for source in sources:
        with contextlib.suppress(OSError):
            if os.path.samefile(path, source):
                raise Refused(f"{path} is one of the captures: it is not overwritten")
