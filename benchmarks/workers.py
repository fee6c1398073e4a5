"""A thousand workers, simulated: `python -m benchmarks.workers STORE [--workers N] [--files N] [--coordinator US]`.

Takes what each file took in a real run from its store, deals out as many files as an archive would have, by the
planner that deals them out in earnest, and follows worker by worker when each is done.  Knows times.  Runs nothing.
"""

from __future__ import annotations

import argparse
import heapq
import random
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctcp_forensics.archive.database import NAME
from ctcp_forensics.archive.entry import Entry
from ctcp_forensics.archive.manifest import Todo
from ctcp_forensics.archive.planner import Planner

NETWORK_S = 0.001
"""There and back, for a task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """How it went."""

    workers: int
    tasks: int
    makespan_s: float
    worked_s: float
    coordinated_s: float

    @property
    def idle(self) -> float:
        return 1 - self.worked_s / (self.makespan_s * self.workers)

    @property
    def coordinators_share(self) -> float:
        """Of the time; at one it is the limit."""
        return self.coordinated_s / self.makespan_s


def simulate(
    recorded: Sequence[tuple[int, float]], *, workers: int, files: int, entry_s: float, seed: int = 1
) -> Simulated:
    """Each task goes to the worker that is free first; the coordinator serves one at a time."""
    draw = random.Random(seed)
    free = [(0.0, number) for number in range(workers)]
    coordinator_s = worked_s = makespan_s = coordinated_s = 0.0
    tasks = 0
    for took in planned(recorded, files, workers, draw):
        at, worker = heapq.heappop(free)
        cost = entry_s * len(took)
        coordinator_s = max(coordinator_s, at) + cost
        coordinated_s += cost
        done = coordinator_s + NETWORK_S + sum(took)
        worked_s += sum(took)
        makespan_s, tasks = max(makespan_s, done), tasks + 1
        heapq.heappush(free, (done, worker))
    return Simulated(
        workers=workers,
        tasks=tasks,
        makespan_s=makespan_s,
        worked_s=worked_s,
        coordinated_s=coordinated_s,
    )


def planned(
    recorded: Sequence[tuple[int, float]], files: int, workers: int, draw: random.Random
) -> Iterator[list[float]]:
    """The times of the files of each task."""
    planner, given, seconds = Planner(workers), 0, dict[str, float]()
    while given < files or not planner.is_empty:
        while given < files and not planner.is_full:
            size, took = draw.choice(recorded)
            name = str(given)
            seconds[name] = took
            planner.add(Todo(entry=Entry(uri=name, size=size, stamp="")))
            given += 1
        yield [seconds.pop(todo.entry.uri) for todo in planner.take()]


def recorded_in(store: Path) -> list[tuple[int, float]]:
    """Size and seconds of each result."""
    database = sqlite3.connect(store / NAME)
    rows = database.execute("SELECT bytes, seconds FROM results WHERE seconds > 0").fetchall()
    database.close()
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workers", description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--workers", type=int, nargs="+", default=[16, 64, 256, 1000])
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument(
        "--coordinator", type=float, default=60.0, metavar="US", help="of the coordinator, an entry"
    )
    asked = parser.parse_args(argv)
    recorded = recorded_in(asked.store)
    for workers in asked.workers:
        told = simulate(recorded, workers=workers, files=asked.files, entry_s=asked.coordinator / 1e6)
        print(
            f"{workers:5} workers  {told.tasks:7} tasks  {told.makespan_s:9.1f} s  idle {told.idle:5.1%}  "
            f"coordinator busy {told.coordinators_share:6.1%}"
        )


if __name__ == "__main__":
    main()
