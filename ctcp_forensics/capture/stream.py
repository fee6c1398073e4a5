"""Stream: what comes through a pipe, until its writer ends it or the user does.

Knows that Ctrl-C reaches both ends of a pipe: a tcpdump at the other one writes down what it still holds, and ends.
Does not know signals: who asks it to stop does.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from io import FileIO
from time import monotonic
from typing import Final

PATIENCE_S: Final = 1.0
"""For what the writer still has to say.  A tcpdump ends within milliseconds; who has not by then goes on for ever."""
STOPPED: Final = "stopped by Ctrl-C, and its writer went on"

AtInterrupt = Callable[[Callable[[], None] | None], None]
"""Takes what the next Ctrl-C is to call instead of ending all work; None: it ends all work again."""


class Stream:
    """A pipe as a file.  Raises OSError where it was stopped, and KeyboardInterrupt where nothing had come by then."""

    def __init__(self, pipe: FileIO, at_interrupt: AtInterrupt) -> None:
        self._pipe = pipe
        self._at_interrupt = at_interrupt
        self._bell, self._rope = os.pipe()
        self._stopped_at: float | None = None
        self._has_come = False
        at_interrupt(self.stop)

    def stop(self) -> None:
        """From a signal's handler, wherever the reading is: it may wait, and would go on waiting."""
        if self._stopped_at is None:
            self._stopped_at = monotonic()
            os.write(self._rope, b"!")

    def readinto(self, buffer: memoryview, /) -> int:
        count = (self._pipe.readinto(buffer) or 0) if self._comes() else None
        if not count and self._stopped_at is not None and not self._has_come:
            raise KeyboardInterrupt
        if count is None:
            raise OSError(None, STOPPED)
        self._has_come = self._has_come or count > 0
        return count

    def close(self) -> None:
        self._at_interrupt(None)
        for descriptor in (self._bell, self._rope):
            os.close(descriptor)
        self._pipe.close()

    def _comes(self) -> bool:
        """Waits for bytes, or for their end.  False: it was stopped, and neither came in time."""
        pipe = self._pipe.fileno()
        while self._stopped_at is None:
            if pipe in ready(pipe, self._bell):
                return True
        left_s = self._stopped_at + PATIENCE_S - monotonic()
        return left_s > 0 and pipe in ready(pipe, within_s=left_s)


def ready(*descriptors: int, within_s: float | None = None) -> set[int]:
    """Those that can be read, or are at their end, as soon as one is."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(None if within_s is None else 1000 * within_s)}
