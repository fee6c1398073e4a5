"""Planner: how many entries make one task.

Tasks are grouped by what they cost, so that a million small files are a few thousand tasks, and become smaller
towards the end, so that no worker waits long for the last.  Knows sizes.  Does not know what is done with them.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Final

from ctcp_forensics.archive.manifest import Todo
from ctcp_forensics.capture.members.limits import MAX_UNPACKED
from ctcp_forensics.capture.names import containers_of

PER_FILE: Final = 1 << 19
"""A file costs what half a MiB of capture costs, however small it is: about half a millisecond."""
UNKNOWN_LEN: Final = 1 << 22
"""Nobody tells the size: a few MiB, as captures of a field engineer have."""
SMALLEST_TASK: Final = 1 << 23
LARGEST_TASK: Final = 1 << 28
"""256 MiB: a fifth of a second of large captures, half a second of small ones."""
SHARES: Final = 3
"""Of what is known, each worker gets so many tasks more."""
CONTAINER_TIMES: Final = 8
"""Members of one archive stay together, up to so many times the size of a task: it is opened once for all."""
CONTAINER_SHARE: Final = 2
"""And the next task of it is at least one half of all that went before: each task reads the archive from its beginning
(a compressed tar) or its whole directory (a zip), which tasks of one size would make a square of its length.  Growing
so, all of them together read it three times."""
MAX_CONTAINER_TASK: Final = MAX_UNPACKED >> 4
"""But 64 GiB at most: what a task has done is acknowledged at its end, so a kill loses no more than that of an archive.
The price: beyond 128 GiB an archive is read once more for each 64 GiB of it, twelve times at the most that may come out
of one (a TiB), and no longer three times."""
CONTAINER_MEMBERS: Final = 1 << 14
"""As many members are waited for at most: with their names they are a few megabytes."""
AHEAD_OF_EACH: Final = 1024
"""Entries known ahead for each worker: two of the largest tasks of small files."""


def weight(todo: Todo) -> int:
    return PER_FILE + (UNKNOWN_LEN if todo.entry.size is None else todo.entry.size)


def container(uri: str) -> str | None:
    """The archive that an entry is a member of; None: it is a file by itself."""
    return next(containers_of(uri), None)


class Deal:
    """What was dealt out of the archive that is being dealt out of, by which the next task of it is measured."""

    def __init__(self) -> None:
        self.archive: str | None = None
        self._dealt = 0

    def turn_to(self, archive: str | None) -> None:
        if archive != self.archive:
            self.archive, self._dealt = archive, 0

    def count(self, amount: int) -> None:
        self._dealt += amount

    @property
    def share(self) -> int:
        """So much the next task is to be, at least; nothing, where it is of no archive."""
        return 0 if self.archive is None else self._dealt // CONTAINER_SHARE


class Planner:
    """Entries that wait, in the order in which they were found."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._waiting: deque[Todo] = deque()
        self._weight = 0
        self._deal = Deal()
        """By weight."""
        self._inside: Counter[str | None] = Counter()
        """The weight of what waits, by the archive that it lies in."""

    @property
    def is_empty(self) -> bool:
        return not self._waiting

    @property
    def is_full(self) -> bool:
        """Enough is known to make every task as large as it should be."""
        known_enough = self._weight >= LARGEST_TASK * SHARES * self._workers
        return self.is_ready and (known_enough or len(self._waiting) >= AHEAD_OF_EACH * self._workers)

    @property
    def is_ready(self) -> bool:
        """Of an archive that is still being listed, so much waits that the next task of it is worth its opening."""
        if not self._waiting:
            return False
        here, last = (container(self._waiting[at].entry.uri) for at in (0, -1))
        if here is None or here != last or here != self._deal.archive:
            return True
        return len(self._waiting) >= CONTAINER_MEMBERS or self._inside[here] >= self._share

    def add(self, todo: Todo) -> None:
        self._waiting.append(todo)
        self._weight += weight(todo)
        self._inside[container(todo.entry.uri)] += weight(todo)

    def take(self) -> list[Todo]:
        """The next task; who has cost a worker its life goes alone."""
        size = min(max(self._weight // (SHARES * self._workers), SMALLEST_TASK), LARGEST_TASK)
        taken, held = [self._next()], weight(self._last)
        while self._waiting and not (self._last.tries or self._waiting[0].tries):
            if held + weight(self._waiting[0]) > self._most(size):
                break
            taken.append(self._next())
            held += weight(self._last)
        self._deal.count(held)
        return taken

    def _next(self) -> Todo:
        self._last = self._waiting.popleft()
        inside = container(self._last.entry.uri)
        self._weight -= weight(self._last)
        self._inside[inside] -= weight(self._last)
        if not self._inside[inside]:
            del self._inside[inside]
        self._deal.turn_to(inside)
        return self._last

    def _most(self, size: int) -> int:
        """What a task may weigh that goes on with the next entry."""
        here = self._deal.archive
        if here is None or here != container(self._waiting[0].entry.uri):
            return size
        return max(size * CONTAINER_TIMES, self._share)

    @property
    def _share(self) -> int:
        return min(self._deal.share, MAX_CONTAINER_TASK)
