"""Streams without end: `python -m benchmarks.stream KIND [--for SECONDS]`, and whether memory stays flat.

Pipes a generated capture at full speed into `ctcp-diag analyze -` and looks at its memory while it reads: a table and
a line of bars over the bytes that went through.  Knows the generator and one child.  The exit status is 1 where
memory grows while the stream goes on, or is more than the bound, the report at its end included.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO, Final

import numpy as np
from tabulate import tabulate

from benchmarks.generate import CTCP, ORDINARY
from benchmarks.traffic import Recipe, Truth, traffic
from benchmarks.traps import half_open, holes_everywhere
from benchmarks.wire import FULL_SNAPLEN, Frames, savefile

BOUND_MB: Final = 300
MAY_GROW: Final = 1.05
"""From the second quarter of the time on: tables fill up before, and pages are counted a little late."""
WITHOUT_END: Final = 1 << 31
EPOCH_FRAMES: Final = 1_000_000
FLOWS_PER_EPOCH: Final = 20_000
BARS: Final = "▁▂▃▄▅▆▇█"


def _mixed(recipe: Recipe) -> Iterator[Frames]:
    """Flows that come and go for ever; what the generator knows of them is forgotten at once."""
    truth = Truth()
    flows = FLOWS_PER_EPOCH * (WITHOUT_END // EPOCH_FRAMES)
    for batch in traffic(
        recipe, frame_count=WITHOUT_END, flows=flows, seed=1, truth=truth, epoch_frames=EPOCH_FRAMES
    ):
        truth.repeated_frames.clear()
        truth.late_frames.clear()
        yield batch


def _flood() -> Iterator[Frames]:
    """Real flows; between two batches of their frames as many SYNs as there are places for flows."""
    for real, syns in zip(_mixed(ORDINARY), half_open(WITHOUT_END, Truth()), strict=False):
        yield real
        yield replace(syns, time_us=np.full_like(syns.time_us, real.time_us[-1]))


KINDS: Final[dict[str, Callable[[], Iterator[Frames]]]] = {
    "ordinary": lambda: _mixed(ORDINARY),
    "ctcp": lambda: _mixed(CTCP),
    "flood": _flood,
    "holes": lambda: holes_everywhere(WITHOUT_END, Truth()),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the child held when so many bytes had gone through."""

    seconds: float
    gigabytes: float
    megabytes_held: float


def held_mb(child: int) -> float:
    with open(f"/proc/{child}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def pump(kind: str, seconds: float, child: subprocess.Popen[bytes], every: float) -> list[Sample]:
    """Write for so long, and look at the child's memory every so often."""
    assert child.stdin is not None
    began, written = time.monotonic(), 0
    samples: list[Sample] = []
    for piece in savefile(KINDS[kind](), FULL_SNAPLEN):
        child.stdin.write(piece)
        written += len(piece)
        now = time.monotonic() - began
        if now >= every * len(samples):
            samples.append(Sample(seconds=now, gigabytes=written / 1e9, megabytes_held=held_mb(child.pid)))
        if now >= seconds:
            break
    return samples


def is_flat(samples: Sequence[Sample]) -> bool:
    """No more in the second half than in the second quarter, give or take a little."""
    held = [one.megabytes_held for one in samples]
    settled = held[len(held) // 4 : len(held) // 2 + 1]
    return max(held) <= BOUND_MB and max(held[len(held) // 2 :]) <= MAY_GROW * max(settled)


def picture(samples: Sequence[Sample]) -> str:
    top = max(one.megabytes_held for one in samples)
    steps = [int(one.megabytes_held / top * (len(BARS) - 1)) for one in samples]
    return "".join(BARS[step] for step in steps)


def tell(kind: str, samples: Sequence[Sample], out: IO[str]) -> None:
    few = [*samples[:: max(1, len(samples) // 10)], samples[-1]]
    rows = [(f"{one.seconds:.0f}", f"{one.gigabytes:.1f}", f"{one.megabytes_held:.0f}") for one in few]
    print(tabulate(rows, headers=("s", "GB", "MB held"), colalign=("right",) * 3), file=out)
    print(f"{kind}: {picture(samples)}", file=out)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream", description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--for", dest="seconds", type=float, default=180.0, metavar="SECONDS")
    parser.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="between two looks")
    options = parser.parse_args(argv)
    command = [sys.executable, "-m", "ctcp_forensics", "analyze", "-", "--quiet", "--format", "json"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as child:
        samples = pump(options.kind, options.seconds, child, options.every)
        tell(options.kind, samples, sys.stdout)
        sys.stdout.flush()
        _, status, usage = _ended(child)
    print(f"peak with the report that was made at the end: {usage / 1024:.0f} MB; exit status {status}")
    return 0 if is_flat(samples) and usage / 1024 <= BOUND_MB and status in (0, 1, 3) else 1


def _ended(child: subprocess.Popen[bytes]) -> tuple[int, int, int]:
    assert child.stdin is not None
    child.stdin.close()
    pid, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return pid, child.returncode, usage.ru_maxrss


if __name__ == "__main__":
    sys.exit(main())
