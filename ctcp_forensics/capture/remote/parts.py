"""Parts: what can be asked for any part of itself, as a file with random access.

Knows how much to ask for at once: little where somebody jumps, more and more where they read on, so that at most as
much again is asked for as is wanted.  Does not know who answers.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from ctcp_forensics.capture.remote.words import RemoteError

FIRST_LEN: Final = 1 << 16
"""64 KiB: the first bytes of a member, or the directory of a thousand; the way there and back costs more than they."""
LONGEST_LEN: Final = 1 << 23
"""8 MiB: the way there and back costs little beside them, and memory stays small."""

Ask = Callable[[int, int], bytes]
"""From one place up to another, of the version that was opened; or fewer bytes, if there is at least one."""


class Parts:
    """A file, as far as `zipfile` and `tarfile` use one.  `read` raises RemoteError."""

    def __init__(self, ask: Ask, size: int) -> None:
        self._ask = ask
        self._size = size
        self._at = 0
        self._held = b""
        self._held_at = 0
        self._next_len = FIRST_LEN

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("a place before the beginning")
        self._at = start + offset
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        """As many bytes as are asked for, or are left."""
        left = max(self._size - self._at, 0)
        wanted = left if size < 0 else min(size, left)
        read = bytearray()
        while len(read) < wanted:
            read += self._some(wanted - len(read))
        return bytes(read)

    def _some(self, wanted: int) -> bytes:
        if not self._held_at <= self._at < self._held_end:
            self._fetch(wanted)
        begin = self._at - self._held_at
        found = self._held[begin : begin + wanted]
        self._at += len(found)
        return found

    @property
    def _held_end(self) -> int:
        return self._held_at + len(self._held)

    def _fetch(self, wanted: int) -> None:
        """What is asked for near the end is asked for with what lies before it: directories are read backwards."""
        reads_on = bool(self._held) and self._at == self._held_end
        self._next_len = min(self._next_len * 2, LONGEST_LEN) if reads_on else FIRST_LEN
        begin = self._at if reads_on else max(min(self._at, self._size - FIRST_LEN), 0)
        end = min(max(self._at + wanted, begin + self._next_len), self._size)
        self._held = b""  # never two of them in memory
        self._held, self._held_at = self._whole(begin, end), begin

    def _whole(self, begin: int, end: int) -> bytes:
        got = self._ask(begin, end)
        while len(got) < end - begin:
            more = self._ask(begin + len(got), end)
            if not more:
                raise RemoteError(f"it ends after {begin + len(got)} of {self._size} bytes")
            got += more
        return got
