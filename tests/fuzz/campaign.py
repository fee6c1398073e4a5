"""Campaign: mutated captures through the whole path, until the time is over or something breaks.

    python -m tests.fuzz.campaign --minutes 10 --seed 1

Knows when to stop and what to keep: the input at work lies in a file, so that it is still there when
a sanitizer ends the process.  `--again FILE` sends one such file through the path once more.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from ctcp_forensics import _kernel
from tests.fuzz import mutate, path, seeds

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / "samples", ROOT.parent / "shared" / "captures")
TWINS_UP_TO: Final = 40_000
"""Bytes of a savefile that the plain kernel reads too; it is thirty times slower."""
REPORTED_EVERY: Final = 4
JOINED_EVERY: Final = 3
LEAK_ROUNDS: Final = 30
HANG_S: Final = 60
"""No input here is longer than a few hundred kilobytes."""


def main() -> int:
    asked = arguments()
    if asked.again is not None:
        execute(asked.again.read_bytes(), random.Random(asked.seed), asked.again)
        return 0
    corpus = list(seeds.made())
    files = [file for folder in asked.captures or FOLDERS if folder.is_dir() for file in seeds.read(folder)]
    print(f"{_kernel.NAME} kernel, {len(corpus)} seeds made, {len(files)} captures found, seed {asked.seed}")
    with tempfile.TemporaryDirectory() as folder:
        work = asked.keep or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        done = campaign(corpus, files, asked.seed, 60 * asked.minutes, work / f"input-{asked.seed}")
    print(f"{done} executions, nothing found")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Send mutated captures through the whole path.")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--captures", type=Path, action="append", help="a folder of captures to start from")
    parser.add_argument(
        "--keep", type=Path, help="folder for the input at work, which stays there after a crash"
    )
    parser.add_argument("--again", type=Path, help="run one input and end")
    return parser.parse_args()


def campaign(corpus: list[bytes], files: list[Path], seed: int, seconds: float, work: Path) -> int:
    """How many inputs went through; what breaks leaves its input in `work`."""
    chance, ends_at, done = random.Random(seed), time.monotonic() + seconds, 0
    for data in inputs(corpus, files, chance):
        if time.monotonic() > ends_at:
            break
        work.write_bytes(data)
        started = time.monotonic()
        execute(data, chance, work)
        if time.monotonic() - started > HANG_S:
            raise TimeoutError(f"{work} took {time.monotonic() - started:.0f} s")
        done += 1
        if done % 500 == 0:
            print(f"{done} executions", flush=True)
            check_leaks(lambda data=data: path.facts(data, 4096))  # type: ignore[misc]
    return done


def inputs(corpus: list[bytes], files: list[Path], chance: random.Random) -> Iterator[bytes]:
    """Every seed as it is, then spoilt ones without end; what was spoilt may be spoilt again."""
    yield from corpus
    spoilt: list[bytes] = []
    while True:
        kind = chance.random()
        if files and kind < 0.5:
            seed = chance.choice(files).read_bytes()
        elif spoilt and kind < 0.6:
            seed = chance.choice(spoilt)
        else:
            seed = chance.choice(corpus)
        data = mutate.spoilt(seed, chance)
        if len(data) <= 4 * seeds.LONGEST_FILE:
            spoilt = [*spoilt[-200:], data]
            yield data


def execute(data: bytes, chance: random.Random, work: Path) -> None:
    """One input through the rooms: with full or small tables, on both kernels where it is short."""
    tables = path.capped(chance.choice((1, 3, 50)), 8192) if chance.random() < 0.3 else nullcontext()
    chunk_len = chance.choice((1 << 20, 4096, 100, 17, 1) if len(data) < 20_000 else (1 << 20, 4096))
    with tables:
        if len(data) <= TWINS_UP_TO:
            path.twins_agree(data, chunk_len)
        else:
            path.facts(data, chunk_len)
    if chance.randrange(REPORTED_EVERY) == 0:
        path.report_on(work)
    if len(data) <= TWINS_UP_TO and chance.randrange(JOINED_EVERY) == 0:
        execute_together(data, chance, work)


def execute_together(data: bytes, chance: random.Random, work: Path) -> None:
    """One input beside what was spoilt of it: the nearest thing to a second capture of the same path."""
    other = mutate.spoilt(data, chance)
    path.joins_agree(data, other)
    if chance.randrange(REPORTED_EVERY) == 0:
        second = work.with_name(f"{work.name}-other")
        second.write_bytes(other)
        path.report_on(work, second)


def check_leaks(work: Callable[[], object]) -> None:
    """Where the address sanitizer counts bytes: the same work again and again needs no more of them."""
    counted = getattr(ctypes.CDLL(None), "__sanitizer_get_current_allocated_bytes", None)
    if counted is None:
        return
    counted.restype = ctypes.c_size_t
    held = []
    for _ in range(LEAK_ROUNDS):
        work()
        gc.collect()
        held.append(counted())
    if min(held[LEAK_ROUNDS // 2 :]) > held[2] + 512:
        raise MemoryError(f"the same input holds ever more bytes: {held}")


if __name__ == "__main__":
    sys.exit(main())
