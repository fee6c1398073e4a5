"""Ranges: an object in ranges that are fetched beside each other and taken in their order.

Knows a call that fetches bytes from one place to another, always of the same version.  Does not know stores.  One range
after the other would leave the line idle on every way there and back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

RANGES_AHEAD: Final = 4
"""Ranges in memory or on their way beside the one that is read, of 8 MiB each: 40 MiB in all."""

Fetch = Callable[[int, int], bytes]


class Ranges:
    """A stream.  What `fetch` raises surfaces where its range would be read."""

    def __init__(self, fetch: Fetch, size: int, range_len: int) -> None:
        self._fetch, self._size, self._range_len = fetch, size, range_len
        self._pool = ThreadPoolExecutor(RANGES_AHEAD, thread_name_prefix="range")
        self._coming: deque[tuple[int, Future[bytes]]] = deque()
        """With the number of bytes that each was asked for."""
        self._asked = 0
        """Up to where they were asked for."""
        self._at_once = 1
        """Doubled with each range that is wanted: who only looks at the first bytes has the rest not sent."""
        self._rest = memoryview(b"")

    def readinto(self, buffer: memoryview, /) -> int:
        if not self._rest:
            self._rest = memoryview(self._taken())
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        """What is on its way is waited for: behind this nobody asks for anything, nor holds a range in memory."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _taken(self) -> bytes:
        """The next range; nothing behind the last one, nor behind one that did not come in full."""
        self._ask()
        if not self._coming:
            return b""
        wanted, coming = self._coming[0]
        part = coming.result()  # a range that failed stays the next one: who asks again hears so again
        self._coming.popleft()
        self._at_once = min(2 * self._at_once, RANGES_AHEAD)
        if len(part) < wanted:
            self._coming.clear()
            self._asked = self._size
        return part

    def _ask(self) -> None:
        while self._asked < self._size and len(self._coming) < self._at_once:
            end = min(self._asked + self._range_len, self._size)
            self._coming.append((end - self._asked, self._pool.submit(self._whole, self._asked, end)))
            self._asked = end

    def _whole(self, start: int, end: int) -> bytes:
        """Answers may be short, and are gone on with behind their end."""
        parts = []
        while start < end and (part := self._fetch(start, end)):
            parts.append(part)
            start += len(part)
        return b"".join(parts)
