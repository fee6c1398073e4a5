"""Streams without end: `python -m benchmarks.stream KIND [--bytes 100G] [--for S]`, and whether memory stays flat.

Pipes a generated capture at full speed into `ctcp-diag analyze -` and looks at its memory while it reads: a table and
a line of bars over the bytes that went through.  Told are also the processors' seconds of both: who takes more of them
is what the other waits for.  Knows the generator and one child.  The exit status is 1 where memory grows while the
stream goes on, or is more than the bound, the report at its end included.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import IO, Final

import numpy as np
from tabulate import tabulate

from benchmarks.brim import brim
from benchmarks.generate import CTCP, ORDINARY
from benchmarks.replay import again_and_again
from benchmarks.traffic import Recipe, Truth, traffic
from benchmarks.traps import half_open, holes_everywhere
from benchmarks.wire import FULL_SNAPLEN, Frames, savefile

BOUND_MB: Final = 300
MAY_GROW: Final = 1.05
"""From the second quarter of the time on: tables fill up before, and pages are counted a little late."""
WITHOUT_END: Final = 1 << 31
DEFAULT_S: Final = 180.0
Pieces = Callable[[], Iterator[bytes | memoryview]]
EPOCH_FRAMES: Final = 1_000_000
FLOWS_PER_EPOCH: Final = 20_000
BARS: Final = "▁▂▃▄▅▆▇█"
REPLAYED_BATCHES: Final = 8
"""Two hundred megabytes."""
UNITS: Final = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


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


def _computed(frames: Callable[[], Iterator[Frames]]) -> Pieces:
    return lambda: savefile(frames(), FULL_SNAPLEN)


def _replayed(recipe: Recipe) -> Pieces:
    return lambda: again_and_again(savefile(islice(_mixed(recipe), REPLAYED_BATCHES), FULL_SNAPLEN))


KINDS: Final[dict[str, Pieces]] = {
    "ordinary": _computed(lambda: _mixed(ORDINARY)),
    "ctcp": _computed(lambda: _mixed(CTCP)),
    "flood": _computed(_flood),
    "holes": _computed(lambda: holes_everywhere(WITHOUT_END, Truth())),
    "brim": brim,
    "ordinary-again": _replayed(ORDINARY),
    "ctcp-again": _replayed(CTCP),
}
"""Those that are replayed go through as fast as they are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the child held when so many bytes had gone through."""

    seconds: float
    gigabytes: float
    megabytes_held: float
    megabytes_at_most: float
    """The most that it ever held, up to now."""


def held_mb(child: int) -> tuple[float, float]:
    """Now, and at most."""
    with open(f"/proc/{child}/status") as status:
        told = dict(line.split(":", 1) for line in status)
    now, most = (int(told[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return now, most


def looked_at(child: int, seconds: float, written: int) -> Sample:
    now, most = held_mb(child)
    return Sample(seconds=seconds, gigabytes=written / 1e9, megabytes_held=now, megabytes_at_most=most)


def pump(
    kind: str, child: subprocess.Popen[bytes], *, seconds: float, most: int, every: float
) -> list[Sample]:
    """Write for so long or so much, and look at the child's memory every so often."""
    assert child.stdin is not None
    began, written = time.monotonic(), 0
    samples: list[Sample] = []
    for piece in KINDS[kind]():
        child.stdin.write(piece)
        written += len(piece)
        now = time.monotonic() - began
        if now >= every * len(samples):
            samples.append(looked_at(child.pid, now, written))
        if now >= seconds or written >= most:
            break
    samples.append(looked_at(child.pid, time.monotonic() - began, written))
    return samples


def size_of(words: str) -> int:
    """`100G`, `250M` or a number of bytes."""
    unit = UNITS.get(words[-1:].upper(), 1)
    return int(float(words[:-1] if unit > 1 else words) * unit)


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
    rows = [
        (
            f"{one.seconds:.0f}",
            f"{one.gigabytes:.1f}",
            f"{one.megabytes_held:.0f}",
            f"{one.megabytes_at_most:.0f}",
        )
        for one in few
    ]
    print(tabulate(rows, headers=("s", "GB", "MB held", "at most"), colalign=("right",) * 4), file=out)
    print(f"{kind}: {picture(samples)}", file=out)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream", description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    parser.add_argument(
        "--for", dest="seconds", type=float, metavar="SECONDS", help="180 unless --bytes are asked for"
    )
    parser.add_argument("--bytes", type=size_of, metavar="SIZE", help="end after so much, such as 100G")
    parser.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="between two looks")
    options = parser.parse_args(argv)
    command = [sys.executable, "-m", "ctcp_forensics", "analyze", "-", "--quiet", "--format", "json"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as child:
        samples = pump(
            options.kind,
            child,
            seconds=seconds_of(options),
            most=options.bytes or WITHOUT_END**2,
            every=options.every,
        )
        tell(options.kind, samples, sys.stdout)
        sys.stdout.flush()
        usage = _ended(child)
    print(
        f"processors: generator {time.process_time():.0f} s, reader {usage.ru_utime + usage.ru_stime:.0f} s"
    )
    peak_mb = usage.ru_maxrss / 1024
    print(f"peak with the report that was made at the end: {peak_mb:.0f} MB; exit status {child.returncode}")
    return 0 if is_flat(samples) and peak_mb <= BOUND_MB and child.returncode in (0, 1, 3) else 1


def seconds_of(options: argparse.Namespace) -> float:
    if options.seconds is not None:
        return float(options.seconds)
    return DEFAULT_S if options.bytes is None else math.inf


def _ended(child: subprocess.Popen[bytes]) -> resource.struct_rusage:
    assert child.stdin is not None
    child.stdin.close()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return usage


if __name__ == "__main__":
    sys.exit(main())
