"""Records many stories and seeds at once, each into its own folder OUT/SCENARIO/SEED.

    python -m tests.lab.corpus --out DIR --seeds 1-20 [--jobs 8] [SCENARIO ...]

Knows only how to start recorders side by side: a run mostly waits for timers, so many fit on one core.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from .net import missing_programs, what_is_missing
from .scenarios import BY_NAME

RUN_LIMIT_S = 180.0
ROOT = Path(__file__).resolve().parents[2]


def seeds_of(text: str) -> Iterator[int]:
    """1-20 or 3 or 1,5,9."""
    for part in text.split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


async def record_all(names: Sequence[str], seeds: Sequence[int], out: Path, jobs: int) -> list[str]:
    """The stories that cannot be told here and the runs that failed, with what they said."""
    places = asyncio.Semaphore(jobs)
    lacking = {name: missing_programs(BY_NAME[name].needs) for name in names}
    left_out = [f"{name}: left out; missing: {', '.join(gone)}" for name, gone in lacking.items() if gone]
    runs = [
        _one(name, seed, out / name / str(seed), places)
        for seed in seeds
        for name in names
        if not lacking[name]
    ]
    return left_out + [complaint for complaint in await asyncio.gather(*runs) if complaint is not None]


async def _one(name: str, seed: int, folder: Path, places: asyncio.Semaphore) -> str | None:
    async with places:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"{__package__}.record", name, "--seed", str(seed), "--out", str(folder)),
            cwd=ROOT,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, talk = await asyncio.wait_for(process.communicate(), RUN_LIMIT_S)
        except TimeoutError:
            process.terminate()
            await process.wait()
            return f"{name} --seed {seed}: no end after {RUN_LIMIT_S:.0f} s"
    return None if process.returncode == 0 else f"{name} --seed {seed}: {talk.decode().strip()}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.corpus", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--jobs", type=int, default=8)
    options = parser.parse_args(arguments)
    missing = what_is_missing()
    unknown = [name for name in options.scenarios if name not in BY_NAME]
    if missing or unknown:
        print(f"missing: {', '.join(missing)}; no such scenario: {', '.join(unknown)}", file=sys.stderr)
        return 3
    names = options.scenarios or list(BY_NAME)
    complaints = asyncio.run(record_all(names, list(seeds_of(options.seeds)), options.out, options.jobs))
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    print(f"{len(names)} stories; {len(complaints)} complaints", file=sys.stderr)
    return 0 if not complaints else 4


if __name__ == "__main__":
    sys.exit(main())
