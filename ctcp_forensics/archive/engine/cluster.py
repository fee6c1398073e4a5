"""Cluster: tasks on the workers of a Dask cluster, which sees to lost workers and to whom a task goes.

Each Dask worker has a child for each of its threads, so that limits hold there as they do here and a capture that
kills its reader does not kill the worker.  Only this module knows Dask.
"""

from __future__ import annotations

import select
import threading
from contextlib import suppress
from queue import Empty, Queue
from typing import Any, Final

from ctcp_forensics.archive.engine import Ended, EngineError, Job, Running
from ctcp_forensics.archive.engine.child import Child
from ctcp_forensics.archive.engine.process import SILENT

Client = Any
Future = Any
"""Dask tells no types."""

IN_FLIGHT_OF_EACH: Final = 2
"""One that is worked on, one that has come by then; more would only lie on the scheduler."""
LOST_WORKERS: Final = 2
"""Dask gives a task so often to another worker before it tells."""
PATIENCE_S: Final = 30.0
"""For the scheduler to answer at all."""
REFRESH_AFTER: Final = 64
"""Tasks, after which the workers are counted again: they come and go."""


class DaskEngine:
    """A client of a scheduler."""

    def __init__(self, scheduler: str | None, *, memory_limit: int | None, patience_s: float | None) -> None:
        self._client = client_of(scheduler)
        self._limits = (memory_limit, patience_s)
        self._futures: dict[int, Future] = {}
        self._done: Queue[int] = Queue()
        self._submitted = 0
        self.workers = self._counted()

    def _counted(self) -> int:
        return sum(self._client.nthreads().values()) or 1

    @property
    def room(self) -> int:
        return self.workers * IN_FLIGHT_OF_EACH - len(self._futures)

    def submit(self, job: Job) -> None:
        self._submitted += 1
        if self._submitted % REFRESH_AFTER == 0:
            self.workers = self._counted()
        future = self._client.submit(
            done_by_a_child, job.payload, *self._limits, pure=False, retries=LOST_WORKERS
        )
        self._futures[job.number] = future
        future.add_done_callback(lambda _future: self._done.put(job.number))

    def wait(self, timeout_s: float) -> list[Ended]:
        numbers = []
        with suppress(Empty):
            numbers.append(self._done.get(timeout=timeout_s) if timeout_s else self._done.get_nowait())
            while True:
                numbers.append(self._done.get_nowait())
        return [self._ended(number) for number in numbers if number in self._futures]

    def _ended(self, number: int) -> Ended:
        future = self._futures.pop(number)
        if future.status in ("cancelled", "lost"):
            raise EngineError("the Dask scheduler has gone; the same command goes on when it is back")
        if future.status == "error":  # the worker, not the child: Dask has tried others by now
            return Ended(
                number=number, answers=(), death=f"lost its worker: {future.exception()}", is_exact=False
            )
        answers, death = future.result()
        future.release()
        return Ended(number=number, answers=answers, death=death)

    def running(self) -> list[Running]:
        """The scheduler knows; to ask it costs more than it is worth."""
        return []

    def close(self) -> None:
        for future in self._futures.values():
            future.cancel()
        self._client.close()


def client_of(scheduler: str | None) -> Client:
    """Raises EngineError where there is no cluster."""
    if scheduler is None:
        raise EngineError("--engine dask needs --scheduler, such as tcp://10.0.0.1:8786")
    try:
        from distributed import Client
    except ImportError as error:
        raise EngineError("--engine dask needs Dask: pip install 'ctcp-forensics[cluster]'") from error
    try:
        return Client(scheduler, timeout=PATIENCE_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise EngineError(f"{scheduler}: no Dask scheduler answers there: {error}") from error


# --- on a worker of the cluster -------------------------------------------------------------------

LOOK_S: Final = 1.0
_here = threading.local()


def done_by_a_child(
    payload: bytes, memory_limit: int | None, patience_s: float | None
) -> tuple[list[bytes], str | None]:
    """The answers, and how the child died where it did."""
    child: Child = getattr(_here, "child", None) or Child.started(memory_limit)
    _here.child = None
    with suppress(ConnectionError):
        child.give(Job(number=0, payload=payload))
    ended = heard_out(child, patience_s)
    if ended.death is None:
        _here.child = child
    return list(ended.answers), ended.death


def heard_out(child: Child, patience_s: float | None) -> Ended:
    while True:
        ready, _, _ = select.select([child.line.end], [], [], LOOK_S)
        if not ready and patience_s is not None and child.is_silent(patience_s):
            killed = child.killed()
            return Ended(number=0, answers=killed.answers, death=SILENT.format(patience_s))
        ended = child.hear() if ready else None
        if ended is not None:
            return ended
