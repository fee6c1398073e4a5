"""Process: as many workers on this machine as it has cores.

They are forked before anything else runs here, so that they are warm; one that died is replaced by a program of its
own.  Knows processes and patience.  Does not know what is worked on.
"""

from __future__ import annotations

import select
import time
from typing import Final

from ctcp_forensics.archive.engine import Ended, Job, Running, Work
from ctcp_forensics.archive.engine.child import Child

SILENT: Final = "gave no answer in {:g} s, and was killed"


class ProcessEngine:
    """A worker has one task at a time, so that its death names it."""

    def __init__(
        self, work: Work, *, workers: int, memory_limit: int | None, patience_s: float | None
    ) -> None:
        self.workers = workers
        self._memory_limit = memory_limit
        self._patience_s = patience_s
        self._children = [Child.forked(work, memory_limit) for _ in range(workers)]
        self._ended: list[Ended] = []

    @property
    def room(self) -> int:
        return sum(child.job is None for child in self._children)

    def submit(self, job: Job) -> None:
        at = next(at for at, child in enumerate(self._children) if child.job is None)
        try:
            self._children[at].give(job)
        except ConnectionError:  # it died while it had nothing to do: nobody is to blame
            self._children[at].buried()
            self._replace(at)
            self._children[at].give(job)

    def wait(self, timeout_s: float) -> list[Ended]:
        busy = {child.line.end: at for at, child in enumerate(self._children) if child.job is not None}
        ready, _, _ = select.select(list(busy), [], [], timeout_s)
        ended = [one for end in ready if (one := self._heard(busy[end])) is not None]
        return ended + self._lost_patience()

    def _heard(self, at: int) -> Ended | None:
        ended = self._children[at].hear()
        if ended is not None and ended.death is not None:
            self._replace(at)
        return ended

    def _lost_patience(self) -> list[Ended]:
        """Workers that were stopped, or hang where no alarm reaches them."""
        if self._patience_s is None:
            return []
        silent = [at for at, child in enumerate(self._children) if child.is_silent(self._patience_s)]
        return [self._killed(at, self._patience_s) for at in silent]

    def _killed(self, at: int, patience_s: float) -> Ended:
        ended = self._children[at].killed()
        self._replace(at)
        return Ended(number=ended.number, answers=ended.answers, death=SILENT.format(patience_s))

    def _replace(self, at: int) -> None:
        self._children[at] = Child.started(self._memory_limit)

    def running(self) -> list[Running]:
        now = time.monotonic()
        return [
            Running(number=child.job.number, answered=len(child.answers), since_s=now - child.heard_at)
            for child in self._children
            if child.job is not None
        ]

    def close(self) -> None:
        """All are told to end before anybody is waited for: to give a worker's memory back takes milliseconds."""
        for child in self._children:
            child.kill()
        for child in self._children:
            child.buried()
