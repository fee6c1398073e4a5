"""Limits: how long one entry may take, and how much memory a worker may have.

Knows alarms and what the system grants a process.  Does not know what is being done.
"""

from __future__ import annotations

import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

GRACE_S: Final = 10.0
"""So long a worker may take to notice that its time is up; then the second alarm ends it."""


class TimeIsUp(BaseException):
    """Not an Exception: nothing that is ready for damage in a capture may take it for some."""


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raises TimeIsUp in the block when it has taken so long.  Alarms reach the main thread only."""
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, _time_is_up)
    signal.setitimer(signal.ITIMER_REAL, seconds, GRACE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _time_is_up(_signal: int, _frame: object) -> NoReturn:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    raise TimeIsUp


def limit_memory(size: int | None) -> None:
    """Of this process, for good: what it asks for beyond that is a MemoryError.  Memory of files is not counted."""
    if size is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        most = size if hard == resource.RLIM_INFINITY else min(size, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
