"""Listed: a file of names → names, one to a line or ended by NUL.

Knows bytes and how the file system spells them.  Does not look whether the names lead anywhere.
"""

from __future__ import annotations

import os
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
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
    rest, block = b"", _begun(file.read(READ_LEN), end)
    while block:
        *names, rest = (rest + block).split(end)
        yield from (os.fsdecode(name) for name in names if name)
        if len(rest) > MAX_NAME_LEN:
            hint = "NUL-separated names need --null" if NUL in rest else "names stand one to a line"
            raise ListError(f"the list of files has a name of more than {MAX_NAME_LEN} bytes; {hint}")
        block = file.read(READ_LEN)
    if rest:
        yield os.fsdecode(rest)


def _begun(block: bytes, end: bytes) -> bytes:
    """The first block without the mark of an editor.  Of a `find -print0` nothing is taken away."""
    if end != LINE_FEED:
        return block
    if block.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) and NUL in block[:4]:
        raise ListError(
            "the list of files is UTF-16, as `>` of PowerShell writes; write it by `| Out-File -Encoding utf8`"
        )
    return block.removeprefix(BOM_UTF8)
