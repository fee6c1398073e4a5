"""Compressed captures: `python -m benchmarks.unpack FILE… [--rounds N]`, beside unpacking them and nothing else.

Three programs take turns on each file: one that unpacks it by the library and in the pieces that `analyze` uses and
throws away what comes out, the analysis, and the analysis of what is inside.  All three start Python and load what
they need.  The program of the format (`gzip -dc` and so on) is shown beside them.  The bar is the longer one of
unpacking and analyzing: where they go on beside each other neither can be beaten.  Figures are medians; the first
round is not counted.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median

from tabulate import tabulate

from benchmarks.peers import beside_python
from ctcp_forensics.capture.codecs import MAGIC_LEN, codec_of

PROGRAMS = {"gzip": "gzip", "bzip2": "bzip2", "xz": "xz", "zstd": "zstd", "lz4": "lz4"}

ALONE = """
import sys
from ctcp_forensics.capture.codecs import MAGIC_LEN, Unpacker, codec_of
from ctcp_forensics.capture.source import CHUNK_LEN

with open(sys.argv[1], "rb", buffering=0) as file:
    memory = memoryview(bytearray(CHUNK_LEN))
    count = file.readinto(memory)
    unpacker = Unpacker(codec_of(bytes(memory[:MAGIC_LEN])), CHUNK_LEN)
    while count:
        for piece in unpacker.feed(memory[:count]):
            pass
        count = file.readinto(memory)
    unpacker.finish()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """One run."""

    seconds: float
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Medians of one file."""

    name: str
    codec: str
    program: Took
    alone: Took
    inside: Took
    ours: Took

    @property
    def beside_alone(self) -> float:
        return self.ours.seconds / self.alone.seconds

    @property
    def beside_bar(self) -> float:
        return self.ours.seconds / max(self.alone.seconds, self.inside.seconds)


def run(command: Sequence[str]) -> Took:
    before, began = getrusage(RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    seconds, after = time.perf_counter() - began, getrusage(RUSAGE_CHILDREN)
    if done.returncode not in (0, 1, 3):
        raise RuntimeError(f"{command[0]} ended with {done.returncode}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Took(seconds=seconds, cpu_s=cpu_s)


def middle(runs: Sequence[Took]) -> Took:
    return Took(seconds=median(one.seconds for one in runs), cpu_s=median(one.cpu_s for one in runs))


def measured(path: Path, inside: Path, ours: str, rounds: int) -> Row:
    with path.open("rb") as file:
        codec = codec_of(file.read(MAGIC_LEN))
    if codec is None:
        raise SystemExit(f"{path}: is not compressed")
    program = [PROGRAMS[codec.name], "-dc", str(path)]
    with inside.open("wb") as out:
        subprocess.run(program, stdout=out, check=True)
    commands = {
        "program": program,
        "alone": [sys.executable, "-c", ALONE, str(path)],
        "inside": [ours, "analyze", str(inside), "--format", "json", "-o", os.devnull],
        "ours": [ours, "analyze", str(path), "--format", "json", "-o", os.devnull],
    }
    runs: dict[str, list[Took]] = {name: [] for name in commands}
    for at in range(rounds + 1):
        for name, command in commands.items():
            took = run(command)
            if at:
                runs[name].append(took)
    return Row(name=path.name, codec=codec.name, **{name: middle(of_one) for name, of_one in runs.items()})


def table(rows: Sequence[Row]) -> str:
    told = [
        {
            "capture": row.name,
            "program s": row.program.seconds,
            "alone s": row.alone.seconds,
            "inside s": row.inside.seconds,
            "analyze s": row.ours.seconds,
            "CPU s": row.ours.cpu_s,
            "× alone": row.beside_alone,
            "× the longer": row.beside_bar,
        }
        for row in rows
    ]
    return tabulate(told, headers="keys", floatfmt=".2f", tablefmt="github")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.unpack", description=__doc__.splitlines()[0])
    parser.add_argument("captures", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--ours", default=beside_python("ctcp-diag"), metavar="PROGRAM")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    asked = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        rows = [measured(path, Path(folder) / "inside", asked.ours, asked.rounds) for path in asked.captures]
    print(table(rows))


if __name__ == "__main__":
    main()
