"""Growth of cost: `python -m benchmarks.growth [TRAP …]` at n, 2n, 4n and 8n frames, flows or files.

What a command costs is counted in instructions and in cycles of the program itself, start-up taken off.  Instructions
tell what the algorithm does, whoever else is at work; cycles tell beside that what waits for memory, and a table that
leaves the cache makes them jump once.  Neither knows what the system did for the program: that is in the processor's
time, which is all that can be had of many virtual machines.  Twice as much may take 2.1 times the instructions and 2.2
times of the others; where it is more the exit status is 1.  Knows `perf`; does not know why something is slow.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from tabulate import tabulate

from benchmarks.inputs import PROGRAM, TRAPS, Trap

MOST_INSTRUCTIONS: Final = 2.1
"""What is sorted, or kept in a B-tree, takes n log n: twice ten thousand 2.08 times as many."""
MOST_CYCLES: Final = 2.2
MOST_TIME: Final = 2.2
NOISE_INSTRUCTIONS: Final = 20_000_000
"""By which two runs of the same differ, where threads wait for each other more or less often: no growth."""
NOISE_CYCLES: Final = 60_000_000
NOISE_TIME: Final = 60_000
"""Microseconds; where others use the machine, a run takes a fifth more than the one before it."""
DOUBLINGS: Final = 3
FEW: Final = 24
"""Frames of a capture that loads whatever this trap makes the command load: what it costs is start-up."""
TIMES: Final = 2
"""Runs of each size, of which the cheapest counts: what others do to the caches only adds."""
SAME_HASHES: Final = {"PYTHONHASHSEED": "0"}
"""Python's own dictionaries take another number of steps in each process, else."""


class Cost(NamedTuple):
    """Of one command.  A machine without counters has no instructions and no cycles to tell: 0 of each."""

    instructions: int
    """In user space, as cycles."""
    cycles: int
    time_us: int
    """Of all processors, the program's and the system's for it."""

    def without(self, other: Cost) -> Cost:
        return Cost(*(one - two for one, two in zip(self, other, strict=True)))


def cost_of(words: Sequence[str]) -> Cost:
    """The cheapest of some runs, by each count."""
    runs = [_once(words) for _ in range(TIMES)]
    return Cost(*map(min, zip(*runs, strict=True)))


def _once(words: Sequence[str]) -> Cost:
    count = ["perf", "stat", "-x", ",", "-e", "instructions:u,cycles:u", "--"] if has_counters() else []
    with tempfile.TemporaryFile() as said:
        done = subprocess.Popen(
            [*count, *PROGRAM, *words], stdout=subprocess.DEVNULL, stderr=said, env=os.environ | SAME_HASHES
        )
        _, status, used = os.wait4(done.pid, 0)
        done.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        told = said.read().decode(errors="replace")
    if done.returncode not in (0, 1, 3):
        raise RuntimeError(f"{' '.join(words[:4])} ended with {done.returncode}: {told.strip()[-500:]}")
    time_us = round(1e6 * (used.ru_utime + used.ru_stime))
    return Cost(counted(told, "instructions"), counted(told, "cycles"), time_us)


def counted(told: str, event: str) -> int:
    """0 where nothing was counted."""
    return int(next((line.split(",")[0] for line in told.splitlines() if f",{event}" in line), 0))


@cache
def has_counters() -> bool:
    """Most virtual machines have none: there perf says so in place of a number."""
    if shutil.which("perf") is None:
        return False
    count = ["perf", "stat", "-x", ",", "-e", "instructions:u", "--", sys.executable, "--version"]
    told = subprocess.run(count, check=False, capture_output=True, text=True).stderr
    return any(line.split(",")[0].isdecimal() for line in told.splitlines() if ",instructions" in line)


def costs_of(trap: Trap) -> list[Cost]:
    start_up = laid_out_and_run(trap, FEW)
    sizes = [trap.least << doubling for doubling in range(DOUBLINGS + 1)]
    return [laid_out_and_run(trap, size).without(start_up) for size in sizes]


def laid_out_and_run(trap: Trap, size: int) -> Cost:
    """In a folder of its own: the next size does not lie beside this one."""
    with tempfile.TemporaryDirectory() as folder:
        return cost_of(trap.lay_out(size, Path(folder)))


# --- what it says ---------------------------------------------------------------------------------


def grows(counts: Sequence[int], most: float, noise: int) -> bool:
    return any(more > most * max(one, 0) + noise for one, more in pairwise(counts))


def reason_of(costs: Sequence[Cost]) -> str | None:
    """Why it grows too fast, where it does."""
    if grows([one.instructions for one in costs], MOST_INSTRUCTIONS, NOISE_INSTRUCTIONS):
        return "the algorithm"
    if grows([one.cycles for one in costs], MOST_CYCLES, NOISE_CYCLES):
        return "the memory"
    if grows([one.time_us for one in costs], MOST_TIME, NOISE_TIME):
        return "the system"
    return None


def row_of(name: str, costs: Sequence[Cost]) -> list[str]:
    counts = (*cells(costs, lambda one: one.instructions, 1e9), *cells(costs, lambda one: one.cycles, 1e9))
    return [
        name,
        f"{TRAPS[name].least:,}",
        *(counts if has_counters() else ()),
        *cells(costs, lambda one: one.time_us, 1e6),
        reason_of(costs) or "",
    ]


def cells(costs: Sequence[Cost], which: Callable[[Cost], int], unit: float) -> Iterator[str]:
    """The count at n and at 8n, and each doubling."""
    yield f"{which(costs[0]) / unit:.2f} to {which(costs[-1]) / unit:.2f}"
    for one, more in pairwise(map(which, costs)):
        yield f"{more / max(one, 1):.2f}"


def measured(names: Sequence[str]) -> dict[str, list[Cost]]:
    """Each is told as soon as it is known: all of them take an hour."""
    costs = {}
    for name in names:
        costs[name] = costs_of(TRAPS[name])
        print("  ".join(row_of(name, costs[name])), file=sys.stderr, flush=True)
    return costs


def table_of(costs: dict[str, list[Cost]]) -> str:
    steps = [f"×{1 << doubling}" for doubling in range(1, DOUBLINGS + 1)]
    counted = ("10⁹ instructions", *steps, "10⁹ cycles", *steps) if has_counters() else ()
    headers = ["trap", "n", *counted, "processor, s", *steps, "too fast by"]
    rows = [row_of(*one) for one in costs.items()]
    return tabulate(rows, headers=headers, disable_numparse=True, tablefmt="github")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__.splitlines()[0])
    parser.add_argument("traps", nargs="*", metavar="TRAP", help=f"or a pattern: {', '.join(TRAPS)}")
    wanted = parser.parse_args(argv).traps or ["*"]
    chosen = [name for name in TRAPS if any(fnmatchcase(name, one) for one in wanted)]
    if not chosen:
        print("growth: there is no such trap", file=sys.stderr)
        return 2
    if not has_counters():
        print("growth: perf counts nothing here: the processor's time alone", file=sys.stderr)
    costs = measured(chosen)
    print(table_of(costs))
    return 1 if any(map(reason_of, costs.values())) else 0


if __name__ == "__main__":
    sys.exit(main())
