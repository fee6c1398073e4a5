"""Growth of cost: `python -m benchmarks.growth [TRAP …]` at n, 2n, 4n and 8n frames.

What an analysis costs is counted in cycles of the program itself, start-up taken off: seconds depend on who else is
at work.  Twice the frames may cost 2.2 times as much; where it is more the exit status is 1.  Knows the traps and
`perf`; does not know why something is slow.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from tabulate import tabulate

from benchmarks import oddities
from benchmarks.generate import KINDS
from benchmarks.traffic import Truth
from benchmarks.wire import savefile

MOST: Final = 2.2
DOUBLINGS: Final = 3
NOISE: Final = 60_000_000
"""Cycles by which two runs of the same differ; a growth within them is none."""
FEW: Final = 24
"""Frames of a capture that loads whatever this trap makes the analysis load: what it costs is start-up."""
TIMES: Final = 2
"""Runs of each size, of which the cheapest counts: what others do to the caches only adds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trap:
    """A capture that can be made of any length, and how it is to be read."""

    frames: int
    """Of the shortest."""
    kind: str
    options: tuple[str, ...] = ()
    captures: int = 1
    """The same again as a second capture: every flow is paired."""


def _traps() -> dict[str, Trap]:
    plain = {
        name: Trap(kind=name, frames=250_000)
        for name in (
            "holes",
            "holes-scattered",
            "one-byte",
            "half-open",
            "colliding",
            "sack-storm",
            "wrap",
            "dup-ack-storm",
        )
    }
    odd = {name: Trap(kind=name, frames=100_000) for name in (*oddities.PCAPS, "interfaces")}
    odd["merged"] = Trap(kind="merged", frames=150)
    odd["interfaces"] = Trap(kind="interfaces", frames=300_000)
    odd["suspects"] = Trap(kind="suspects", frames=8_000)
    every = {
        f"{name} --all-tcp": Trap(kind=name, frames=frames, options=("--all-tcp",))
        for name, frames in (
            ("ordinary", 100_000),
            ("half-open", 2_000),
            ("colliding", 40_000),
            ("holes", 200_000),
            ("dup-ack-storm", 200_000),
            ("episodes", 50_000),
            ("copies", 50_000),
        )
    }
    joined = {
        f"{name} twice": Trap(kind=name, frames=frames, captures=2)
        for name, frames in (
            ("ctcp", 50_000),
            ("associations", 50_000),
            ("suspects", 4_000),
            ("merged", 100),
            ("episodes", 50_000),
        )
    }
    return plain | odd | every | joined


TRAPS: Final = _traps()


def capture_of(trap: Trap, frames: int) -> Iterator[bytes | memoryview]:
    if trap.kind == "interfaces":
        return oddities.interfaces(frames)
    if trap.kind in oddities.PCAPS:
        return oddities.pcap(oddities.PCAPS[trap.kind], frames)
    kind = KINDS[trap.kind]
    flows = max(1, kind.flows * frames // kind.frames)
    return savefile(kind.make(frames, flows, 1, Truth()), kind.snaplen)


def cycles(arguments: Sequence[str]) -> int:
    """In user space, of the whole process; the cheapest of some runs."""
    return min(_cycles_once(arguments) for _ in range(TIMES))


def _cycles_once(arguments: Sequence[str]) -> int:
    program = [sys.executable, "-m", "ctcp_forensics", "analyze", "--format", "json", "-o", "/dev/null"]
    count = ["perf", "stat", "-x", ",", "-e", "cycles:u", "--"]
    done = subprocess.run([*count, *program, *arguments], check=False, capture_output=True, text=True)
    if done.returncode not in (0, 1, 3):
        raise RuntimeError(f"the analysis ended with {done.returncode}: {done.stderr.strip()}")
    return next(int(line.split(",")[0]) for line in done.stderr.splitlines() if "cycles" in line)


def costs_of(trap: Trap, folder: Path) -> list[int]:
    start_up = cost_of(trap, FEW, folder)
    return [cost_of(trap, trap.frames << doubling, folder) - start_up for doubling in range(DOUBLINGS + 1)]


def cost_of(trap: Trap, frames: int, folder: Path) -> int:
    files = [folder / f"{number}.pcap" for number in range(trap.captures)]
    with files[0].open("wb") as out:
        out.writelines(capture_of(trap, frames))
    for copy in files[1:]:
        again(files[0], copy)
    return cycles([*trap.options, *map(str, files)])


def again(capture: Path, copy: Path) -> None:
    """The same frames without the last one: byte by byte the same would be the same capture."""
    shutil.copyfile(capture, copy)
    with copy.open("r+b") as out:
        out.truncate(copy.stat().st_size - 1)


def grows_too_fast(costs: Sequence[int]) -> bool:
    return any(more > MOST * max(one, 0) + NOISE for one, more in pairwise(costs))


def row_of(name: str, costs: Sequence[int]) -> list[str]:
    ratios = [f"{more / max(one, 1):.2f}" for one, more in pairwise(costs)]
    return [name, *(f"{one / 1e9:.2f}" for one in costs), *ratios]


def measured(names: Sequence[str]) -> dict[str, list[int]]:
    """Each is told as soon as it is known: all of them take an hour."""
    costs = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            costs[name] = costs_of(TRAPS[name], Path(folder))
            print("  ".join(row_of(name, costs[name])), file=sys.stderr, flush=True)
    return costs


def table_of(costs: dict[str, list[int]]) -> str:
    sizes = [f"{1 << doubling}n" for doubling in range(DOUBLINGS + 1)]
    ratios = [f"{two}/{one}" for one, two in pairwise(sizes)]
    headers = ["trap", *(f"Gcycles {one}" for one in sizes), *ratios]
    return tabulate([row_of(*one) for one in costs.items()], headers=headers, disable_numparse=True)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__.splitlines()[0])
    parser.add_argument("traps", nargs="*", metavar="TRAP", help=", ".join(TRAPS))
    chosen = parser.parse_args(argv).traps or list(TRAPS)
    unknown = [name for name in chosen if name not in TRAPS]
    if unknown or shutil.which("perf") is None:
        why = f"no trap {', '.join(unknown)}" if unknown else "there is no perf"
        print(f"growth: {why}", file=sys.stderr)
        return 2
    costs = measured(chosen)
    print(table_of(costs))
    failed = [name for name, some in costs.items() if grows_too_fast(some)]
    if failed:
        print(f"more than {MOST} per doubling: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
