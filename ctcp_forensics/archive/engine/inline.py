"""Inline: tasks run in this very process, one after the other.

For looking closely, and where no process may be started.  A task that kills its worker kills the run; the manifest
knows how far it came.
"""

from __future__ import annotations

from collections import deque

from ctcp_forensics.archive.engine import Ended, Job, Running, Work


class InlineEngine:
    """One worker: the caller."""

    workers = 1

    def __init__(self, work: Work) -> None:
        self._work = work
        self._jobs: deque[Job] = deque()

    @property
    def room(self) -> int:
        return 1 - len(self._jobs)

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def wait(self, timeout_s: float) -> list[Ended]:
        if not self._jobs:
            return []
        job = self._jobs.popleft()
        return [Ended(number=job.number, answers=list(self._work(job.payload)))]

    def running(self) -> list[Running]:
        return []

    def close(self) -> None:
        self._jobs.clear()
