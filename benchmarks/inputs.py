"""Inputs: traps by name, each laid out in a folder at any size, and the words of the command that reads it.

Knows every generator and how often it is to be asked.  Does not know what an analysis costs: see growth.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import blocks, oddities
from benchmarks.generate import KINDS
from benchmarks.pairs import PAIRS
from benchmarks.traffic import Truth
from benchmarks.wire import savefile

PROGRAM: Final = (sys.executable, "-m", "ctcp_forensics")
QUIETLY: Final = ("analyze", "--format", "json", "-o", "/dev/null")
IN_ALL: Final = 20_000
"""Frames of all captures of a case together, however many there are."""

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trap:
    """Something that can be made of any size, and how it is read."""

    least: int
    """Frames, flows or files at n; eight times as many at 8n."""
    lay_out: Callable[[int, Path], Words]
    """The words after `ctcp-diag`."""


def written(path: Path, pieces: Iterable[bytes | memoryview]) -> str:
    with path.open("wb") as out:
        out.writelines(pieces)
    return str(path)


def capture_of(kind: str, count: int) -> Iterator[bytes | memoryview]:
    if kind in blocks.BLOCKS:
        return blocks.BLOCKS[kind](count)
    if kind in oddities.PCAPS:
        return oddities.pcap(oddities.PCAPS[kind], count)
    made = KINDS[kind]
    flows = max(1, made.flows * count // made.frames)
    return savefile(made.make(count, flows, 1, Truth()), made.snaplen)


# --- ways to lay one out ----------------------------------------------------------------------------


def alone(kind: str, options: Words, count: int, folder: Path) -> Words:
    return (*QUIETLY, *options, written(folder / "0.pcap", capture_of(kind, count)))


def twice(kind: str, count: int, folder: Path) -> Words:
    """The same frames without the last one beside it: byte by byte the same would be the same capture."""
    first, second = folder / "0.pcap", folder / "1.pcap"
    written(first, capture_of(kind, count))
    shutil.copyfile(first, second)
    with second.open("r+b") as out:
        out.truncate(second.stat().st_size - 1)
    return (*QUIETLY, str(first), str(second))


def both_sides(kind: str, count: int, folder: Path) -> Words:
    pair = PAIRS[kind]
    near = written(folder / "near.pcap", oddities.pcap(pair.near, count))
    far = written(folder / "far.pcap", oddities.pcap(pair.far, count, pair.far_clock))
    return (*QUIETLY, "--client", near, "--asa-outside", far)


def rotated(count: int, folder: Path) -> Words:
    """So many files of one capture."""
    names = []
    for at in range(count):
        share = range(at * IN_ALL // count, (at + 1) * IN_ALL // count)
        names.append(written(folder / f"{at:05}.pcap", oddities.pcap(oddities.episodes, share)))
    return (*QUIETLY, *names)


def shown(kind: str, output: Words, count: int, folder: Path) -> Words:
    """Not the report but something to look at."""
    capture = written(folder / "0.pcap", capture_of(kind, count))
    return (*(word.replace("OUT", str(folder / "out")) for word in output), capture)


def report_on(folder: Path, name: str, flows: int) -> str:
    """A stored report that tells so many flows of cTCP in full."""
    capture = written(folder / f"{name}.pcap", oddities.pcap(oddities.suspects, 8 * flows))
    words = (*PROGRAM, "analyze", "-q", "--in-full", "--format", "json", "-o", str(folder / name), capture)
    subprocess.run(words, check=False, capture_output=True)
    return str(folder / name)


def compared(flows: int, folder: Path) -> Words:
    return ("compare", report_on(folder, "before.json", flows), report_on(folder, "after.json", flows))


def redacted(flows: int, folder: Path) -> Words:
    key = folder / "case.key"
    key.unlink(missing_ok=True)
    subprocess.run((*PROGRAM, "redact", "--new-key", str(key)), check=True, capture_output=True)
    return ("redact", "--key", str(key), report_on(folder, "report.json", flows), "-o", str(folder / "out"))


def rendered(form: str, flows: int, folder: Path) -> Words:
    return ("render", report_on(folder, "report.json", flows), "-f", form, "-o", "/dev/null")


def tiny(number: int) -> bytes:
    """A capture that no other one equals."""
    return b"".join(oddities.pcap(lambda n: oddities.ip(oddities.tcp(number + n, b"x"), number), 2))


def scanned(place: Path, folder: Path) -> Words:
    store = folder / "store"
    shutil.rmtree(store, ignore_errors=True)
    return ("scan", str(place), "--store", str(store), "--engine", "inline", "-q")


def folder_of_files(count: int, folder: Path) -> Words:
    place = folder / "tiny"
    place.mkdir(exist_ok=True)
    for number in range(count):
        (place / f"{number:07}.pcap").write_bytes(tiny(number))
    return scanned(place, folder)


def zip_of_members(count: int, folder: Path) -> Words:
    place = folder / "tiny.zip"
    with zipfile.ZipFile(place, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number:07}.pcap", tiny(number))
    return scanned(place, folder)


# --- all of them --------------------------------------------------------------------------------------


def _alone(sizes: dict[str, int], *options: str) -> dict[str, Trap]:
    return {
        " ".join((kind, *options)): Trap(least=least, lay_out=partial(alone, kind, options))
        for kind, least in sizes.items()
    }


SINGLE: Final = _alone(
    {
        "holes": 250_000,
        "holes-scattered": 250_000,
        "one-byte": 250_000,
        "half-open": 250_000,
        "colliding": 90_000,  # all of it is hashed, and the table holds all flows, at each size
        "sack-storm": 250_000,
        "wrap": 250_000,
        "dup-ack-storm": 250_000,
        "associations": 200_000,
        "episodes": 200_000,
        "copies": 200_000,
        "options": 200_000,
        "same-hash": 50_000,  # the table holds all flows; half-open shows one that is full
        "retransmissions": 200_000,
        "sacks-moving": 200_000,
        "window-probes": 200_000,
        "keep-alives": 200_000,
        "backwards": 200_000,
        "extensions": 100_000,
        "reopened": 40_000,
        "icmp-errors": 50_000,
        "icmp-of-one": 100_000,
        "fragments": 50_000,
        "overlapping": 50_000,
        "last-first": 50_000,
        "tunnels": 20_000,
        "merged": 600,
        "suspects": 8_000,
        "interfaces": 300_000,
        "named-interfaces": 16_000,
        "comments": 25_000,
        "names": 50_000,
        "statistics": 50_000,
        "sections": 15_000,
        "unknown": 100_000,
    }
)
EVERY_FLOW: Final = _alone(
    {
        "ordinary": 100_000,
        "half-open": 2_000,
        "colliding": 40_000,
        "same-hash": 10_000,
        "reopened": 10_000,
        "holes": 200_000,
        "dup-ack-storm": 200_000,
        "episodes": 100_000,
        "copies": 100_000,
        "retransmissions": 100_000,
    },
    "--all-tcp",
)
TOGETHER: Final = {
    f"{kind} twice": Trap(least=least, lay_out=partial(twice, kind))
    for kind, least in {
        "ctcp": 50_000,
        "associations": 50_000,
        "suspects": 4_000,
        "merged": 400,
        "episodes": 50_000,
        "named-interfaces": 16_000,
    }.items()
}
OF_MANY_FLOWS: Final = ("equal-spis", "strays-of-many", "strangers", "one-to-many")
BOTH_SIDES: Final = {
    f"{kind} on both sides": Trap(
        least=4_000 if kind in OF_MANY_FLOWS else 50_000, lay_out=partial(both_sides, kind)
    )
    for kind in PAIRS
}
SHOWN: Final = {
    f"{kind} {name}": Trap(least=least, lay_out=partial(shown, kind, words))
    for name, words in {
        "as page": ("analyze", "-q", "--report", "OUT.html"),
        "as picture": ("analyze", "-q", "--plot", "OUT.svg"),
        "annotated": ("annotate", "--no-progress", "--flow", "#1", "-o", "OUT.pcapng"),
    }.items()
    for kind, least in {"suspects": 4_000, "episodes": 50_000}.items()
}
STORED: Final = {
    "reports compared": Trap(least=1_250, lay_out=compared),
    "report redacted": Trap(least=1_250, lay_out=redacted),
    "report as note": Trap(least=1_250, lay_out=partial(rendered, "note")),
    "report as table": Trap(least=1_250, lay_out=partial(rendered, "table")),
    "report as markdown": Trap(least=1_250, lay_out=partial(rendered, "markdown")),
}
MANY_FILES: Final = {
    "files of one capture": Trap(least=400, lay_out=rotated),
    "folder of tiny captures": Trap(least=1_250, lay_out=folder_of_files),
    "zip of tiny captures": Trap(least=1_250, lay_out=zip_of_members),
}
TRAPS: Final = SINGLE | EVERY_FLOW | TOGETHER | BOTH_SIDES | SHOWN | STORED | MANY_FILES
