"""Growth of cost: `python -m benchmarks.growth [TRAP …]` at n, 2n, 4n and 8n frames, flows or files.

What a command costs is counted in instructions and in cycles of the program itself, start-up taken off.  Instructions
tell what the algorithm does, whoever else is at work; cycles tell beside that what waits for memory, and a table that
leaves the cache makes them jump once.  Twice as much may take 2.1 times the instructions and 2.2 times the cycles;
where it is more the exit status is 1.  Knows `perf`; does not know why something is slow.
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
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from tabulate import tabulate

from benchmarks.inputs import PROGRAM, TRAPS, Trap

MOST_INSTRUCTIONS: Final = 2.1
"""What is sorted, or kept in a B-tree, takes n log n: twice ten thousand 2.08 times as many."""
MOST_CYCLES: Final = 2.2
NOISE_INSTRUCTIONS: Final = 20_000_000
"""By which two runs of the same differ, where threads wait for each other more or less often: no growth."""
NOISE_CYCLES: Final = 60_000_000
DOUBLINGS: Final = 3
FEW: Final = 24
"""Frames of a capture that loads whatever this trap makes the command load: what it costs is start-up."""
TIMES: Final = 2
"""Runs of each size, of which the cheapest counts: what others do to the caches only adds."""
SAME_HASHES: Final = {"PYTHONHASHSEED": "0"}
"""Python's own dictionaries take another number of steps in each process, else."""


class Cost(NamedTuple):
    """Of one command, in user space."""

    instructions: int
    cycles: int

    def without(self, other: Cost) -> Cost:
        return Cost(self.instructions - other.instructions, self.cycles - other.cycles)


def cost_of(words: Sequence[str]) -> Cost:
    """The cheapest of some runs, by each count."""
    runs = [_once(words) for _ in range(TIMES)]
    return Cost(*map(min, zip(*runs, strict=True)))


def _once(words: Sequence[str]) -> Cost:
    count = ["perf", "stat", "-x", ",", "-e", "instructions:u,cycles:u", "--"]
    done = subprocess.run(
        [*count, *PROGRAM, *words], check=False, capture_output=True, text=True, env=os.environ | SAME_HASHES
    )
    if done.returncode not in (0, 1, 3):
        raise RuntimeError(
            f"{' '.join(words[:4])} ended with {done.returncode}: {done.stderr.strip()[-500:]}"
        )
    return Cost(counted(done.stderr, "instructions"), counted(done.stderr, "cycles"))


def counted(told: str, event: str) -> int:
    return int(next(line.split(",")[0] for line in told.splitlines() if f",{event}" in line))


def why_not(chosen: Sequence[str]) -> str | None:
    """What keeps anything from being measured."""
    if not chosen:
        return "there is no such trap"
    if shutil.which("perf") is None:
        return "there is no perf"
    try:
        _once(["--version"])
    except ValueError:
        return "this machine counts neither instructions nor cycles, as many virtual ones do not"
    return None


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
    return None


def row_of(name: str, costs: Sequence[Cost]) -> list[str]:
    return [
        name,
        f"{TRAPS[name].least:,}",
        *cells(costs, lambda one: one.instructions),
        *cells(costs, lambda one: one.cycles),
        reason_of(costs) or "",
    ]


def cells(costs: Sequence[Cost], which: Callable[[Cost], int]) -> Iterator[str]:
    """The count at n and at 8n, and each doubling."""
    yield f"{which(costs[0]) / 1e9:.2f} to {which(costs[-1]) / 1e9:.2f}"
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
    headers = ["trap", "n", "10⁹ instructions", *steps, "10⁹ cycles", *steps, "too fast by"]
    rows = [row_of(*one) for one in costs.items()]
    return tabulate(rows, headers=headers, disable_numparse=True, tablefmt="github")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__.splitlines()[0])
    parser.add_argument("traps", nargs="*", metavar="TRAP", help=f"or a pattern: {', '.join(TRAPS)}")
    wanted = parser.parse_args(argv).traps or ["*"]
    chosen = [name for name in TRAPS if any(fnmatchcase(name, one) for one in wanted)]
    if (reason := why_not(chosen)) is not None:
        print(f"growth: {reason}", file=sys.stderr)
        return 2
    costs = measured(chosen)
    print(table_of(costs))
    return 1 if any(map(reason_of, costs.values())) else 0


if __name__ == "__main__":
    sys.exit(main())
