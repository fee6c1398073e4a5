"""Engines: where tasks run.  Each takes bytes and gives answers back, whatever they mean.

Knows that a task is answered item by item, and that whoever works on it may die.  Does not know captures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import msgspec

from ctcp_forensics.errors import CtcpError

Work = Callable[[bytes], Iterator[bytes]]
"""A payload → one answer for each of its items, in order."""


class EngineError(CtcpError):
    """There is nobody to work, or nobody any more."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One task."""

    number: int
    payload: bytes


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A task that is over: answered, or its worker died."""

    number: int
    answers: Sequence[bytes]
    """Of its first items; all of them, where nobody died."""
    death: str | None = None
    """How the worker died, in words."""
    is_exact: bool = True
    """The item after the last answer is the one that the worker died of; else it may be any of those left."""


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A task that is being worked on."""

    number: int
    answered: int
    since_s: float
    """How long its present item has taken."""


class Engine(Protocol):
    """Runs tasks and says what became of them."""

    @property
    def room(self) -> int:
        """How many more tasks it wants now."""

    @property
    def workers(self) -> int:
        """How many tasks run at once."""

    def submit(self, job: Job) -> None: ...

    def wait(self, timeout_s: float) -> list[Ended]:
        """Tasks that have ended since; returns early where there are some."""

    def running(self) -> list[Running]: ...

    def close(self) -> None:
        """Leaves no process behind; what still runs is stopped."""
