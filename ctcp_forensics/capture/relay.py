"""Relay: the last step of a work on a thread of its own, tray by tray, in the order in which they were filled.

Knows trays and threads, and how to leave none behind.  Does not know what lies on a tray.  A tray is in one hand at a
time: who fills it has it alone, and gives it away; who works on it has it alone, and gives it back empty.  So nothing
needs a lock, what is done is done in one order, and the number of trays bounds what is under way.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar

if TYPE_CHECKING:
    from queue import SimpleQueue
    from threading import Thread

TRAYS: Final = 4
"""Under way at once: one with each thread and two between them; more would only push each other out of the cache."""
TRAYS_ALONE: Final = 4
"""So many are worked on where they were filled: a small capture is done before a thread has begun."""

Tray = TypeVar("Tray")
Item = TypeVar("Item")


def cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Relay(Generic[Tray]):
    """`take` a tray, fill it, `pass_on`.  Leaving the context waits until the work on all of them is done.

    An error of the work surfaces at the next `take`, or on leaving; the work on later trays is left undone.  So it is
    where the context is left by an exception that is no Exception, such as KeyboardInterrupt.
    """

    def __init__(
        self, make: Callable[[], Tray], work: Callable[[Tray], None], *, threads: int | None = None
    ) -> None:
        self._make, self._work = make, work
        self._threads = cores() if threads is None else threads
        self._first = make()
        """All that there is before the worker."""
        self._worker: Thread | None = None
        self._empty: SimpleQueue[Tray]
        self._full: SimpleQueue[Tray | None]
        self._error: BaseException | None = None
        self._is_abandoned = False
        self._passed = 0

    @property
    def trays(self) -> int:
        """So many may lie full at once behind the one that is filled; none where there is one thread."""
        return TRAYS if self._threads > 1 else 0

    @property
    def is_behind(self) -> bool:
        """All other trays are the worker's or wait for it: whoever fills this one would have to wait for the next."""
        return self._worker is not None and self._full.qsize() >= TRAYS - 2

    def take(self) -> Tray:
        """An empty tray; waits for one where all are under way."""
        if self._worker is None:
            return self._first
        tray = self._empty.get()
        self._raise_error()
        return tray

    def pass_on(self, tray: Tray) -> None:
        self._passed += 1
        if self._worker is None and self._threads > 1 and self._passed > TRAYS_ALONE:
            self._start()
        if self._worker is None:
            self._work(tray)
        else:
            self._full.put(tray)

    def paced(self, chunks: Iterator[Item]) -> Iterator[Item]:
        """The same chunks; each brings a tray at least, be it an empty one.

        So what lies on trays is never older than the last TRAYS chunks, whose memory may be used again behind them.
        """
        for chunk in chunks:
            passed = self._passed
            yield chunk
            if self._passed == passed:
                self.pass_on(self.take())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._worker is None:
            return
        self._is_abandoned = not (kind is None or issubclass(kind, Exception))
        self._full.put(None)
        self._worker.join()
        if error is None:
            self._raise_error()

    def _start(self) -> None:
        """The first tray is in the hand of who passes it on."""
        from queue import SimpleQueue  # a small capture needs no thread
        from threading import Thread

        self._empty, self._full = SimpleQueue(), SimpleQueue()
        for _ in range(TRAYS - 1):
            self._empty.put(self._make())
        self._worker = Thread(target=self._run, name="relay", daemon=True)
        self._worker.start()

    def _run(self) -> None:
        while (tray := self._full.get()) is not None:
            if self._error is None and not self._is_abandoned:
                self._try(tray)
            self._empty.put(tray)

    def _try(self, tray: Tray) -> None:
        try:
            self._work(tray)
        except BaseException as error:  # noqa: BLE001 - it is raised again by whoever fills the trays
            self._error = error

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error
