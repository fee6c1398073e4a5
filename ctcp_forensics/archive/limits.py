"""Limits: how long one entry may take, and how much memory a worker may have.

Knows alarms and what the system grants a process.  Does not know what is being done.
"""

from __future__ import annotations

import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, NoReturn

KEPT_LEN: Final = 32 << 20
"""What a small capture needs, several times over; the most that glibc takes for M_MMAP_THRESHOLD."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""mallopt(3)."""
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


def keep_memory() -> None:
    """Of this process, for good: what one capture has freed serves the next one, up to KEPT_LEN.

    The C library would give it back to the system, which fills every page with zeros before it is had again: for a
    small capture that takes as long as following its flows.  Where the library is another one, nothing changes.
    """
    import ctypes  # in a worker, while the parent goes on

    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, KEPT_LEN)
        mallopt(M_TRIM_THRESHOLD, 2 * KEPT_LEN)
