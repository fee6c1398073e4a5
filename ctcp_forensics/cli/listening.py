"""Listening: lines of every result while an archive is swept, to a file or to standard output.

Knows where lines go and when they are flushed.  Does not know what is in them: see archive.stream.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from ctcp_forensics.archive.run import Hear, nobody
from ctcp_forensics.cli.ends import Refused, leave_pipe
from ctcp_forensics.cli.output import STANDARD_OUTPUT
from ctcp_forensics.errors import CtcpError


class StreamError(CtcpError):
    """Lines that cannot be written: whoever waits for them would miss some."""


@contextmanager
def listening(target: str | None, form: str) -> Iterator[Hear]:
    """A file is gone on with: what a run before told is not told again."""
    if target is None:
        yield nobody
    elif target == STANDARD_OUTPUT:
        yield _Lines(sys.stdout, "standard output", form)
    else:
        try:
            file = Path(target).open("a", encoding="utf-8")  # noqa: SIM115  # closed below
        except OSError as error:
            raise Refused(f"cannot write {target}: {error.strerror}") from error
        try:
            yield _Lines(file, target, form)
        finally:
            with suppress(OSError):  # all lines were flushed, or it was said that they could not be
                file.close()


class _Lines:
    """Results become lines; all lines of one result are there before anything else happens."""

    def __init__(self, text: TextIO, name: str, form: str) -> None:
        from ctcp_forensics.archive.stream import FORMS

        self._text: TextIO | None = text
        self._name = name
        self._lines_of = FORMS[form]

    def __call__(self, frames: Sequence[bytes]) -> None:
        from ctcp_forensics.archive.segment import unpacked

        if self._text is None:
            return
        try:
            for frame in frames:
                self._text.writelines(self._lines_of(unpacked(frame)))
            self._text.flush()
        except BrokenPipeError:
            leave_pipe(self._text)
            self._text = None
        except OSError as error:
            raise StreamError(
                f"{self._name}: cannot be written: {error.strerror}; the results are in the store"
            ) from error
