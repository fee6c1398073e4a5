"""Sweeps, measured: `python -m benchmarks.archive small|many|twenty|large|plain|coordinator`.

small        500 captures of 2,000 frames: the whole `scan`, a shell loop of `tcptrace -n -l`, and what a file costs
many         5,000 captures of 1,000 frames (4.4 GB): what the second core gives where the start hardly counts
twenty       20 captures of 100 MB: the same, of captures that keep a worker busy
large        a folder of large captures: per core, beside `analyze` of one of them
plain        captures without any cTCP beside some in which every flow is cTCP, and what the disk does meanwhile
coordinator  entries that nobody reads, answered at once: what one costs who coordinates, and how its memory grows

Knows commands, clocks and memory.  The figures are in docs/SCALE.md.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from benchmarks.generate import KINDS, write_capture, write_folder
from ctcp_forensics import RULES_VERSION
from ctcp_forensics.archive.engine import Ended, Job, Running
from ctcp_forensics.archive.entry import Entry, Trail
from ctcp_forensics.archive.examine import Examined, Terms
from ctcp_forensics.archive.manifest import Manifest
from ctcp_forensics.archive.run import Rules, Sweep
from ctcp_forensics.archive.segment import FOLDER
from ctcp_forensics.archive.task import Answer, answered
from ctcp_forensics.pipeline import Options, diagnose

ROUNDS: Final = 5
INSTALLED: Final = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""As a program that was installed, whose modules Python has compiled."""
FRAMES: Final = 2_000
MANY_FILES: Final = 5_000
MANY_FRAMES: Final = 1_000
TWENTY: Final = (20, 125_000)
LARGE: Final = (4, 400_000)
"""Captures, and frames of each."""
PLAIN: Final = (10, 125_000)
REPORT_EVERY: Final = 100_000


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.archive", description=__doc__)
    parser.add_argument("what", choices=(*SCENES, "coordinator"))
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        if asked.what == "coordinator":
            coordinator(Path(folder), asked.entries)
        else:
            SCENES[asked.what](Path(folder), asked.rounds)


# --- whole commands ------------------------------------------------------------------------------


def small(folder: Path, rounds: int) -> None:
    captures = folder / "captures"
    write_folder(KINDS["small-files"], captures, frames=FRAMES, flows=4, seed=1)
    names = sorted(captures.glob("*.pcap"))
    runs = by_cores(captures, folder / "store") | {"the analysis alone": lambda: analyzed_here(names)}
    if shutil.which("tcptrace"):
        runs["tcptrace -n -l, each"] = lambda: each("tcptrace", "-n", "-l", names)
    told(interleaved(runs, rounds), names)


def many(folder: Path, rounds: int) -> None:
    captures = folder / "captures"
    write_folder(KINDS["small-files"], captures, frames=MANY_FRAMES, flows=4, seed=1, files=MANY_FILES)
    told(interleaved(by_cores(captures, folder / "store"), rounds), sorted(captures.iterdir()))


def twenty(folder: Path, rounds: int) -> None:
    names = captures_of("A", folder / "captures", *TWENTY)
    told(interleaved(by_cores(folder / "captures", folder / "store"), rounds), names)


def large(folder: Path, rounds: int) -> None:
    names = captures_of("A", folder / "captures", *LARGE)
    runs = by_cores(folder / "captures", folder / "store")
    runs["analyze, each"] = lambda: each(*ours("analyze", "--format", "json"), names)
    told(interleaved(runs, rounds), names)


def plain(folder: Path, rounds: int) -> None:
    """What is in memory, and what is not: of that the disk decides."""
    for kind in ("A", "ctcp"):
        names = captures_of(kind, folder / kind, *PLAIN)
        told(interleaved(warm_and_cold(names, folder / "store"), rounds), names)


def warm_and_cold(names: Sequence[Path], store: Path) -> dict[str, Callable[[], None]]:
    captures = names[0].parent
    return {
        f"{captures.name}: cat": lambda: run(["cat", *map(str, names)]),
        f"{captures.name}: scan": lambda: scan(captures, store),
        f"{captures.name}: cat, from the disk": lambda: run(["cat", *forgotten(names)]),
        f"{captures.name}: scan, from the disk": lambda: scan(Path(forgotten(names)[0]).parent, store),
    }


SCENES: Final[dict[str, Callable[[Path, int], None]]] = {
    "small": small,
    "many": many,
    "twenty": twenty,
    "large": large,
    "plain": plain,
}


def captures_of(kind: str, folder: Path, files: int, frames: int) -> list[Path]:
    folder.mkdir()
    names = [folder / f"{number:02}.pcap" for number in range(files)]
    for number, name in enumerate(names):
        with name.open("wb") as out:
            write_capture(KINDS[kind], out, frames=frames, flows=frames // 100, seed=number)
    return names


def by_cores(captures: Path, store: Path) -> dict[str, Callable[[], None]]:
    """What each further worker gives: beside one that has a core to itself, and beside all that one core does."""
    return {
        "scan": lambda: scan(captures, store),
        "scan, one worker": lambda: scan(captures, store, "--workers", "1"),
        "scan, on one core": lambda: scan(captures, store, before=("taskset", "-c", "0")),
    }


def forgotten(names: Sequence[Path]) -> list[str]:
    """The system keeps nothing of them in memory (posix_fadvise(2)), as long as nobody has them open."""
    for name in names:
        descriptor = os.open(name, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
    return [str(name) for name in names]


def ours(*words: str) -> list[str]:
    return [sys.executable, "-m", "ctcp_forensics", *words]


def scan(captures: Path, store: Path, *more: str, before: Sequence[str] = ()) -> None:
    shutil.rmtree(store, ignore_errors=True)
    run([*before, *ours("scan", "-q", "--store", str(store)), *more, str(captures)])


def each(*words: str | list[Path]) -> None:
    *command, names = words
    assert isinstance(names, list)
    for name in names:
        run([*map(str, command), str(name)])


def run(words: Sequence[str]) -> None:
    subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, env=INSTALLED)


def analyzed_here(names: Sequence[Path]) -> None:
    """In this process, which has loaded everything, as a worker does it."""
    for name in names:
        diagnose([str(name)], Options(threads=1))


Took = tuple[float, float]
"""Seconds on the wall and of processors."""


def interleaved(runs: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[Took]]:
    """In turn, so that whatever else the machine does falls on all of them alike."""
    took: dict[str, list[Took]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, once in runs.items():
            began, before = time.perf_counter(), processors()
            once()
            took[name].append((time.perf_counter() - began, processors() - before))
    return took


def processors() -> float:
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def told(took: dict[str, list[Took]], names: Sequence[Path]) -> None:
    files, size = len(names), sum(path.stat().st_size for path in names)
    print(
        f"{files} files, {size / 1e6:.0f} MB, {os.cpu_count()} cores; medians; last, how much longer than the first"
    )
    first = statistics.median(wall for wall, _ in next(iter(took.values())))
    for name, runs in took.items():
        wall, used = (statistics.median(column) for column in zip(*runs, strict=True))
        print(
            f"{name:24} {wall:7.2f} s  {used:7.2f} s of processors  {used / files * 1e3:7.2f} ms a file  "
            f"{used / size * 1e9:6.2f} s a GB  {wall / first:5.2f}"
        )


# --- who coordinates -----------------------------------------------------------------------------


class Echo:
    """An engine that knows the answer."""

    workers = 64

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._jobs: list[Job] = []

    @property
    def room(self) -> int:
        return self.workers - len(self._jobs)

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def wait(self, timeout_s: float) -> list[Ended]:
        import msgspec

        from ctcp_forensics.archive.task import Task, data_of

        jobs, self._jobs = self._jobs[:4], self._jobs[4:]
        return [
            Ended(
                number=job.number,
                answers=[
                    data_of(msgspec.structs.replace(self._answer, at=at))
                    for at in range(len(msgspec.msgpack.decode(job.payload, type=Task).items))
                ],
            )
            for job in jobs
        ]

    def running(self) -> list[Running]:
        return []

    def close(self) -> None:
        self._jobs = []


def coordinator(folder: Path, entries: int) -> None:
    (folder / FOLDER).mkdir()
    manifest = Manifest(folder, terms=Terms().key, rules=RULES_VERSION)
    found = Examined(uri="/a", size=1, stamp="1:1", status="analyzed", content=None)
    sweep = Sweep(
        folder,
        manifest,
        Echo(answered(found, 0.001)),
        Rules(terms=Terms(), time_limit_s=None, most_tries=3),
        lambda _tally: None,
    )
    began = processors()
    sweep.run([Trail(found=made_up(entries))])
    manifest.close()
    used = processors() - began
    size = (folder / "manifest.sqlite3").stat().st_size
    print(
        f"{entries} entries: {used / entries * 1e6:.0f} us each, {sweep.tally.done} done, manifest {size / 1e6:.0f} MB"
    )


def made_up(entries: int) -> Iterator[Entry]:
    """No two of one size, so that nobody is compared with anybody; tells how much memory is in use."""
    for number in range(entries):
        if number % REPORT_EVERY == 0:
            print(f"{number:9} entries found, {resident() / 1e6:.0f} MB", flush=True)
        yield Entry(uri=f"/archive/{number // 1000:05}/{number:08}.pcap", size=1_000 + number, stamp="1:1")


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main()
