"""Files: a path, or standard input → an open Capture.

Knows what can take a file's place while somebody looks.  Does not know containers nor URLs: see opening.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from io import FileIO, UnsupportedOperation
from typing import TYPE_CHECKING, cast

from ctcp_forensics.capture.digest import Hashing
from ctcp_forensics.capture.names import STDIN, containers_of
from ctcp_forensics.capture.source import Capture, Readable
from ctcp_forensics.capture.stamp import has_grown, stamp_of
from ctcp_forensics.errors import CaptureError

if TYPE_CHECKING:
    from ctcp_forensics.capture.stream import AtInterrupt, Stream

Opener = Callable[[str, int], int]
"""As `open` takes one."""


def open_file(
    path: str, hashing: Hashing, opener: Opener | None = None, at_interrupt: AtInterrupt | None = None
) -> Capture:
    """Raises OSError, or ValueError, where no file has this name.  A pipe is waited for, unless `opener` does not."""
    if not path:
        raise CaptureError(path, offset=None, reason="a file without a name was asked for")
    file = FileIO(path, opener=opener)  # the Capture closes it
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        pipe = file if at_interrupt is None else _stream(file, at_interrupt)
        return Capture(path, pipe, size=None, close=pipe.close, hashing=hashing)
    return Capture(
        path,
        file,
        size=status.st_size,
        stamp=stamp_of(status),
        check=lambda: _still_the_same(path, status, os.fstat(file.fileno())),
        close=file.close,
        hashing=hashing,
    )


def without_waiting(path: str, flags: int) -> int:
    """What was a file when it was found may be a pipe by now, which nobody fills, or a device that acts when opened."""
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(None, "is no regular file")
    return descriptor


def container_file(source: str) -> str | None:
    """The file that `a.zip!/b.tar!/c.pcap` begins with; None where there is none."""
    return next((path for path in containers_of(source) if os.path.isfile(path)), None)  # noqa: PTH113  # says no, never why not


def _still_the_same(path: str, before: os.stat_result, after: os.stat_result) -> tuple[str, ...]:
    """A note on a file that somebody appends to; one that was rewritten may be two versions in one."""
    if stamp_of(before) == stamp_of(after):
        return ()
    if has_grown(before, after):
        return ("was still being written while it was read; what was there is told",)
    raise CaptureError(path, offset=after.st_size, reason="changed while it was read; read it again")


def open_stdin(hashing: Hashing, at_interrupt: AtInterrupt | None = None) -> Capture:
    """Left open at the end: it is not ours."""
    if sys.stdin is None or sys.stdin.closed:
        raise CaptureError(STDIN, offset=None, reason="standard input is closed")
    if sys.stdin.isatty():
        raise CaptureError(STDIN, offset=None, reason="standard input is a terminal; pipe a capture into it")
    try:
        size = _size(sys.stdin.fileno())
    except UnsupportedOperation:
        size, at_interrupt = None, None
    if size is None and at_interrupt is not None:
        stream = _stream(FileIO(sys.stdin.fileno(), closefd=False), at_interrupt)
        return Capture(STDIN, stream, size=None, close=stream.close, hashing=hashing)
    return Capture(STDIN, cast(Readable, sys.stdin.buffer), size=size, hashing=hashing)


def _stream(pipe: FileIO, at_interrupt: AtInterrupt) -> Stream:
    from ctcp_forensics.capture.stream import Stream  # most captures are files

    return Stream(pipe, at_interrupt)


def _size(descriptor: int) -> int | None:
    found = os.fstat(descriptor)
    return found.st_size if stat.S_ISREG(found.st_mode) else None
