"""Entries: what was found in an archive, and what was found there and not followed.

Knows names and stamps.  Does not know how they were found nor what became of them.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One capture that was found."""

    uri: str
    """What `open_capture` opens: an absolute path as the file system has it (bytes that are no UTF-8 as surrogates),
    `path!/member` (nested: `a.tar!/b.zip!/c.pcap`), or a URL."""
    size: int | None
    """Bytes as stored, of a member as its archive tells; None if nobody tells."""
    stamp: str
    """Changes when the object does: `mtime_ns:inode` of a file; the container's stamp and the member's CRC or
    offset; the ETag or the time of last modification of a URL."""
    length: int | None = None
    """Bytes of what is opened, where that is not the size and somebody tells."""

    @property
    def content_len(self) -> int | None:
        """Entries that hold the same have the same."""
        return self.size if self.length is None else self.length


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was found and not followed."""

    uri: str
    reason: str
    """A short stable word: `not-a-capture`, `fifo`, `symlink-loop`, `permission`, `vanished`, `encrypted`, …"""
    detail: str = ""
    """One sentence for the reader."""
    is_trouble: bool
    """It makes the coverage incomplete; a text file beside captures is of no concern."""


Found = Entry | Refusal


class Trail(msgspec.Struct, frozen=True, kw_only=True):
    """What one of the user's words leads to."""

    found: Iterable[Found]
    """Looked for as it is asked for."""
    is_far: bool = False
    """Behind a URL: it may have to be waited for."""
