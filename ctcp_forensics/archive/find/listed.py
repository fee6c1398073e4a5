"""Listed: a file of names → names, one to a line or ended by NUL.

Knows bytes and how the file system spells them.  Does not look whether the names lead anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final, Protocol

from ctcp_forensics.errors import CtcpError

LINE_FEED, NUL = b"\n", b"\0"
READ_LEN: Final = 1 << 16
MAX_NAME_LEN: Final = 1 << 16
"""Bytes of one name; Linux opens names of 4096."""


class ListError(CtcpError):
    """A list of names that is none."""


class Readable(Protocol):
    """A binary file, as far as it is used."""

    def read(self, size: int, /) -> bytes: ...


def names_in(file: Readable, end: bytes = LINE_FEED) -> Iterator[str]:
    """The names, as `os` has them; empty ones are passed over.  Raises ListError where a name has no end."""
    rest = b""
    while block := file.read(READ_LEN):
        *names, rest = (rest + block).split(end)
        yield from (os.fsdecode(name) for name in names if name)
        if len(rest) > MAX_NAME_LEN:
            hint = "NUL-separated names need --null" if NUL in rest else "names stand one to a line"
            raise ListError(f"the list of files has a name of more than {MAX_NAME_LEN} bytes; {hint}")
    if rest:
        yield os.fsdecode(rest)
