"""Ranges: an object in ranges that are fetched beside each other and taken in their order.

Knows a call that fetches bytes from one place to another, always of the same version, and that it may never come back:
then nobody waits for it behind the end.  Does not know stores.  One range after the other would leave the line idle on
every way there and back.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from threading import Thread
from typing import Final

RANGES_AHEAD: Final = 4
"""Ranges in memory or on their way beside the one that is read, of 8 MiB each: 40 MiB in all."""
CLOSING_S: Final = 5.0
"""So long is waited for what is on its way when nobody wants it any more.  A library tries for minutes; a worker whose
time is up (`archive.limits`) has 10 s until it is killed."""

Fetch = Callable[[int, int], bytes]


class Ranges:
    """A stream.  What `fetch` raises surfaces where its range would be read."""

    def __init__(self, fetch: Fetch, size: int, range_len: int) -> None:
        self._fetch, self._size, self._range_len = fetch, size, range_len
        self._coming: deque[_Range] = deque()
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
        """What is on its way is waited for, but not for ever: behind this nobody asks for anything more."""
        for one in self._coming:
            one.is_wanted = False
        until = time.monotonic() + CLOSING_S
        for one in self._coming:
            one.join(max(until - time.monotonic(), 0))
        self._coming.clear()

    def _taken(self) -> bytes:
        """The next range; nothing behind the last one, nor behind one that did not come in full."""
        self._ask()
        if not self._coming:
            return b""
        coming = self._coming[0]
        part = coming.result()  # a range that failed stays the next one: who asks again hears so again
        self._coming.popleft()
        self._at_once = min(2 * self._at_once, RANGES_AHEAD)
        if len(part) < coming.length:
            self.close()
            self._asked = self._size
        return part

    def _ask(self) -> None:
        while self._asked < self._size and len(self._coming) < self._at_once:
            end = min(self._asked + self._range_len, self._size)
            self._coming.append(_Range(self._fetch, self._asked, end))
            self._coming[-1].start()
            self._asked = end


class _Range(Thread):
    """One on its way; beside 8 MiB over a line a thread is nothing.

    One that nobody waits for any more is thrown away when it comes, and keeps no process alive.
    """

    def __init__(self, fetch: Fetch, begin: int, end: int) -> None:
        super().__init__(name="range", daemon=True)
        self.length = end - begin
        self.is_wanted = True
        self._fetch, self._at, self._end = fetch, begin, end
        self._parts: list[bytes] = []
        self._error: BaseException | None = None

    def result(self) -> bytes:
        self.join()
        if self._error is not None:
            raise self._error
        return b"".join(self._parts)

    def run(self) -> None:
        """Answers may be short, and are gone on with behind their end."""
        try:
            while self.is_wanted and self._at < self._end and (part := self._fetch(self._at, self._end)):
                self._parts.append(part)
                self._at += len(part)
        except BaseException as error:  # noqa: BLE001 - told where the range would be read
            self._error = error
