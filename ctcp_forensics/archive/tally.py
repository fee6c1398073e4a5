"""Tally: how far a sweep has come.

Knows counts.  Does not know how they are shown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec


class Tally(msgspec.Struct, kw_only=True):
    """Of this run."""

    found: int = 0
    found_bytes: int = 0
    """To be examined, as far as anybody tells."""
    is_all_found: bool = False
    done: int = 0
    done_bytes: int = 0
    hits: int = 0
    """Captures with the failure."""
    failed: int = 0
    slowest: str = ""
    """The entry that a worker has been at for the longest time…"""
    slowest_s: float = 0.0
    """…and how long."""
    is_stopping: bool = False
    """Nothing more is begun."""


class Aside(msgspec.Struct, kw_only=True):
    """Entries that are to be told apart from others of their length."""

    files: int = 0
    bytes: int = 0

    def add(self, size: int | None) -> None:
        self.files += 1
        self.bytes += size or 0

    def take(self, size: int | None) -> None:
        """It is to be examined."""
        self.files -= 1
        self.bytes -= size or 0


Watch = Callable[[Tally], None]


class Together:
    """A watcher of run after run, told of all of them together."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._before, self._now = Tally(), Tally()

    def __call__(self, tally: Tally) -> None:
        if tally is not self._now:  # each run has its own
            self._before, self._now = _sum(self._before, self._now), tally
        self._watch(_sum(self._before, tally))


def _sum(before: Tally, now: Tally) -> Tally:
    return msgspec.structs.replace(
        now, **{name: getattr(before, name) + getattr(now, name) for name in COUNTS}
    )


COUNTS: Final = ("found", "found_bytes", "done", "done_bytes", "hits", "failed")
