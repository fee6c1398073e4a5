"""Two captures of one path: `python -m benchmarks.join [--frames N] [--rounds N]`.

Times the kernel alone, in one process and in turns: reading one capture, reading both, and telling which message
of one is which of the other and when it passed; then what became of each direction's data, which is asked only
of the flows that are judged.  Then whole processes, by the CPU that they took: `ctcp-diag analyze` of one capture, and
of both.  Figures are medians, the first round is not counted.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.generate import KINDS, write_capture
from ctcp_forensics import _kernel
from ctcp_forensics.packets import Decoder
from ctcp_forensics.savefile import Reader

TAPS = ("ctcp", "ctcp-behind")
CHUNK_LEN = 1 << 20
STRETCHES = 64
NEVER = -1
AT_THE_END_OF_TIME = 1 << 62
ANSWERED = (0, 1, 3)
"""Exit statuses of an analysis that came to its end."""


def capture_of(kind: str, keep: Path, frames: int, seed: int) -> Path:
    path = keep / f"{kind}-{frames}-{seed}.pcap"
    if not path.exists():
        with path.open("wb") as out:
            write_capture(KINDS[kind], out, frames=frames, flows=KINDS[kind].flows, seed=seed)
    return path


def chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_LEN):
            yield chunk


def read(path: Path) -> _kernel.Tracker:
    decoder, tracker = Decoder(), _kernel.Tracker()
    for buffer, frames in Reader(chunks(path)).batches():
        tracker.feed(decoder.decode(buffer, frames))
    return tracker


def timed(times: dict[str, list[float]], name: str, work: Callable[[], Any]) -> Any:
    begun = perf_counter()
    result = work()
    times.setdefault(name, []).append(perf_counter() - begun)
    return result


def one_round(paths: Sequence[Path], times: dict[str, list[float]]) -> list[Any]:
    here = timed(times, "read one", lambda: read(paths[0]))
    there = timed(times, "read other", lambda: read(paths[1]))
    matching = timed(times, "match", lambda: _kernel.Matching(here, there))
    pairs: list[Any] = timed(times, "pairs", matching.pairs)
    ways = [(*row[:4], row.shift, row.here_side) for row in pairs]
    timed(times, "delays", lambda: matching.delays(ways, STRETCHES, 0))
    timed(times, "courses", lambda: courses(here, there, pairs))
    return pairs


def courses(here: _kernel.Tracker, there: _kernel.Tracker, pairs: Sequence[Any]) -> None:
    """Of every direction, both ways."""
    for row in pairs:
        one, other = row[:2], row[2:4]
        _kernel.course(here, one, there, other, row.shift, NEVER, AT_THE_END_OF_TIME)
        _kernel.course(there, other, here, one, -row.shift, NEVER, AT_THE_END_OF_TIME)


def analyzed(paths: Sequence[Path]) -> float:
    """CPU seconds of `ctcp-diag analyze`, start-up and report included."""
    command = [sys.executable, "-m", "ctcp_forensics", "analyze", *map(str, paths)]
    before = getrusage(RUSAGE_CHILDREN)
    done = subprocess.run([*command, "--format", "json", "-o", os.devnull], check=False)
    if done.returncode not in ANSWERED:
        sys.exit(f"ctcp-diag ended with status {done.returncode}")
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def told_whole(ones: Sequence[float], both: Sequence[float]) -> str:
    one, two = median(ones), median(both)
    ratio = median(b / a for a, b in zip(ones, both, strict=True))
    return f"analyze, CPU: one {one:.2f} s, both {two:.2f} s, {ratio:.2f} times one"


def told(times: dict[str, list[float]], pairs: Sequence[Any]) -> Iterator[str]:
    counted = {name: values[1:] for name, values in times.items()}
    for name, values in counted.items():
        yield f"{name:12} {median(values):8.3f} s"
    joining = [
        sum(each) for each in zip(*(counted[name] for name in counted if name != "courses"), strict=True)
    ]
    whole = [sum(each) for each in zip(*counted.values(), strict=True)]
    ones = counted["read one"]
    ratios = [median(a / b for a, b in zip(sums, ones, strict=True)) for sums in (joining, whole)]
    yield f"reading and joining both: {ratios[0]:.2f} times reading one; with every course {ratios[1]:.2f}"
    yield f"{len(pairs)} pairs of directions, {sum(row.matches for row in pairs)} messages"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.join", description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    kept = Path(tempfile.gettempdir()) / "ctcp-benchmarks"
    parser.add_argument("--keep", type=Path, default=kept, metavar="FOLDER", help="where captures are made")
    options = parser.parse_args(argv)
    options.keep.mkdir(parents=True, exist_ok=True)
    paths = [capture_of(kind, options.keep, options.frames, options.seed) for kind in TAPS]
    times: dict[str, list[float]] = {}
    pairs: list[Any] = []
    for _ in range(options.rounds + 1):
        pairs = one_round(paths, times)
    print(*told(times, pairs), sep="\n")
    whole = [(analyzed(paths[:1]), analyzed(paths)) for _ in range(options.rounds + 1)][1:]
    print(told_whole(*zip(*whole, strict=True)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
