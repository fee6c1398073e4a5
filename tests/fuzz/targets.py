"""Targets: what is read from outside, each with how it is spoilt and what may come of it.

Knows that a command ends in one line of words and never in a traceback, whatever it is given.  Does not know how
many inputs there will be: see many.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ctcp_forensics import cli, pipeline
from ctcp_forensics.archive.entry import Entry
from ctcp_forensics.archive.find.looking import looked_at
from ctcp_forensics.capture import open_capture
from ctcp_forensics.cli.ends import INTERRUPTED, TROUBLE
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.render import FORMATS, render
from ctcp_forensics.report import Report
from tests import archives
from tests.fuzz import campaign, delays, documents, hands, kernel, path, seeds
from tests.fuzz.edits import edited
from tests.test_capture import zstd

ROOT: Final = Path(__file__).parents[2]
LONGEST: Final = 6_000
"""Bytes of a seed: short ones are spoilt in more places for their size, and are done sooner."""
VARIANTS: Final = 15
"""Of each capture, with a few bytes changed: changing them costs next to nothing."""
RENDERED_EVERY: Final = 16
JOINED_EVERY: Final = 24
READ_WHOLE: Final = 1 << 20
"""Bytes of a member that are read: that it would go on for ever is another test's question."""

Follow = Callable[[bytes, random.Random, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Inputs without end, and what is done with each."""

    inputs: Callable[[random.Random], Iterator[bytes]]
    follow: Follow


# --- whole analyses ---------------------------------------------------------------------------------


def captures(chance: random.Random) -> Iterator[bytes]:
    corpus = [seed for seed in seeds.made() if len(seed) <= LONGEST]
    for data in campaign.inputs(corpus, [], chance):
        yield data
        for _ in range(VARIANTS):
            yield edited(data, chance)


def whole(folder: Path) -> Follow:
    """From the file to the report; now and then to every rendering of it, or beside a second capture."""
    work, other = folder / "input.pcap", folder / "other.pcap"

    def follow(data: bytes, chance: random.Random, number: int) -> None:
        work.write_bytes(data)
        sources = [str(work)]
        if number % JOINED_EVERY == 0:
            other.write_bytes(edited(data, chance))
            sources.append(str(other))
        report = pipeline.diagnose(sources, pipeline.Options(all_tcp=number % 2 == 0))
        if number % RENDERED_EVERY == 0:
            rendered(report)

    return follow


def rendered(report: Report) -> None:
    assert Report.from_json(report.to_json()) == report
    for form in FORMATS:
        text = "".join(render(report, form, path.LOOKS[0]))
        assert "\x1b[2J" not in text, f"the {form} lets a capture speak to the terminal"


# --- archives ---------------------------------------------------------------------------------------


def containers(chance: random.Random) -> Iterator[bytes]:
    """Archives in archives, of every kind that is read."""
    whole_ones = list(container_seeds())
    while True:
        data = chance.choice(whole_ones)
        yield edited(data, chance) if chance.random() < 0.7 else shuffled(data, chance)


def container_seeds() -> Iterator[bytes]:
    small = [seed for seed in seeds.made() if len(seed) < 1_000]
    files = {f"{at}.pcap": seed for at, seed in enumerate(small[:4])} | {"notes.txt": b"a text\n" * 40}
    tar, inner = archives.tarred(files), archives.zipped(files)
    yield from (tar, inner, gzip.compress(tar), bz2.compress(tar), lzma.compress(tar), zstd(tar))
    yield archives.zipped(files, 0)
    yield archives.zipped(files, 12)
    yield archives.zipped(files, 14)
    yield archives.zipped({"inner.zip": inner, "inner.tar.gz": gzip.compress(tar)}, 0)
    yield archives.tarred({"inner.zip": inner, "inner.tar": tar, "a" * 150 + ".pcap": small[0]})
    yield archives.quoted_overlap_zip(4, small[0])
    yield from (gzip.compress(small[0]), lzma.compress(small[0]), zstd(small[0]))


def shuffled(data: bytes, chance: random.Random) -> bytes:
    """A piece of it left out, repeated, or put elsewhere."""
    begin, end = sorted(chance.randrange(len(data)) for _ in range(2))
    at, piece = chance.randrange(len(data)), data[begin:end]
    return chance.choice(
        (data[:begin] + data[end:], data[:at] + piece + data[at:], data[:begin], data[:at] + piece)
    )


def archived(folder: Path) -> Follow:
    """Found as a scan finds it, and each capture in it opened by its name."""
    work = folder / "input.zip"

    def follow(data: bytes, _chance: random.Random, number: int) -> None:
        work.write_bytes(data)
        found = [one.uri for one in looked_at(str(work), work.stat()) if isinstance(one, Entry)]
        for uri in found[:3] if number % 4 == 0 else ():
            with suppress(CaptureError):
                read(uri)

    return follow


def read(uri: str) -> None:
    left = READ_WHOLE
    with open_capture(uri) as capture:
        for chunk in capture.chunks():
            left -= len(chunk)
            if left < 0:
                return


# --- stored reports ---------------------------------------------------------------------------------

COMMANDS: Final = (
    *(("render", "REPORT", "-f", form) for form in FORMATS),
    ("render", "REPORT", "-vv"),
    ("render", "REPORT", "-q", "--sketch"),
    ("render", "REPORT", "-q", "--plot", "OUT.svg"),
    ("render", "REPORT", "-q", "--report", "OUT.html"),
    ("fix", "REPORT"),
    ("fix", "REPORT", "--capture", "--syntax", "ftd"),
    ("compare", "REPORT", "WHOLE"),
    ("compare", "WHOLE", "REPORT", "-f", "json"),
    ("redact", "REPORT", "--key", "KEY"),
    ("redact", "--undo", "REPORT", "--key", "KEY"),
    ("annotate", "--from", "REPORT", "-o", "OUT.pcapng", "--no-progress"),
)


def reports(chance: random.Random) -> Iterator[bytes]:
    """Stored reports with values that fit their types and nothing else."""
    whole_ones = list(report_seeds())
    while True:
        data = chance.choice(whole_ones)
        yield documents.spoilt(data, chance) if chance.random() < 0.9 else edited(data, chance)


def report_seeds() -> Iterator[bytes]:
    samples = sorted(map(str, (ROOT / "samples").glob("*.pcap")))
    failure = [name for name in samples if "failure" in name]
    for words in (failure, samples[-1:], ["--all-tcp", *samples[:2]]):
        yield said("analyze", "-f", "json", "--pictures", *words)[1].encode()


def said(*words: str) -> tuple[int, str, str]:
    """Status, standard output and standard error of a command, in this process."""
    written, err = io.BytesIO(), io.StringIO()
    out = io.TextIOWrapper(written, "utf-8")
    with redirect_stdout(out), redirect_stderr(err):
        status = cli.main(words)
    out.flush()
    return status, written.getvalue().decode(), err.getvalue()


def retold(folder: Path) -> Follow:
    """By one of the commands that read a report."""
    names = {"REPORT": "report.json", "WHOLE": "whole.json", "KEY": "case.key"}
    places = {word: str(folder / name) for word, name in names.items()}
    Path(places["WHOLE"]).write_bytes(next(report_seeds()))
    said("redact", "--new-key", places["KEY"])

    def follow(data: bytes, chance: random.Random, _number: int) -> None:
        Path(places["REPORT"]).write_bytes(data)
        words = [places.get(word, word) for word in chance.choice(COMMANDS)]
        ends_in_order([word.replace("OUT", f"{folder}/out") for word in words])

    return follow


def ends_in_order(words: list[str]) -> None:
    """A status and words; no traceback, and nothing for which only `internal error` could be said."""
    status, _, told = said(*words)
    assert status in (0, 1, TROUBLE, 3), f"{words} ended with {status}"
    assert status != INTERRUPTED
    assert "internal error" not in told, f"{words}: {told}"


# --- a store ----------------------------------------------------------------------------------------

MANIFEST: Final = "manifest.sqlite3"
QUESTIONS: Final = (
    ("query", "coverage", "--store", "STORE"),
    ("query", "who-else", "--store", "STORE"),
    ("query", "overview", "--store", "STORE", "-o", "OUT.html"),
    ("scan", "SAMPLES", "--store", "STORE", "-q", "--engine", "inline"),
    ("merge", "STORE", "-o", "OUT.store"),
)


def spoilt_stores(folder: Path) -> Callable[[random.Random], Iterator[bytes]]:
    """A seed for each execution: which file is spoilt, and how, is drawn where it lies."""
    said("scan", str(ROOT / "samples"), "--store", str(folder / "made"), "-q", "--engine", "inline")

    def inputs(chance: random.Random) -> Iterator[bytes]:
        while True:
            yield chance.randbytes(8)

    return inputs


def asked(folder: Path) -> Follow:
    """A copy of a whole store with one file of it spoilt, and a question to it."""
    store, made = folder / "store", folder / "made"
    places = {"STORE": str(store), "SAMPLES": str(ROOT / "samples")}

    def follow(data: bytes, _chance: random.Random, _number: int) -> None:
        chance = random.Random(data)
        for old in (store, folder / "out.store"):
            shutil.rmtree(old, ignore_errors=True)
        shutil.copytree(made, store)
        file = (
            store / MANIFEST
            if chance.random() < 0.5
            else chance.choice(sorted((store / "segments").iterdir()))
        )
        file.write_bytes(edited(file.read_bytes(), chance))
        words = [places.get(word, word) for word in chance.choice(QUESTIONS)]
        ends_in_order([word.replace("OUT", f"{folder}/out") for word in words])

    return follow


# --- all of them --------------------------------------------------------------------------------------


def targets(folder: Path) -> dict[str, Callable[[], Target]]:
    """By name; made when asked for, since each lays out what it works with in the folder."""
    return {
        "kernel": lambda: Target(inputs=captures, follow=kernel.follow),
        "hands": lambda: Target(inputs=captures, follow=hands.shared(folder)),
        "delays": lambda: Target(inputs=captures, follow=delays.delayed(folder)),
        "whole": lambda: Target(inputs=captures, follow=whole(folder)),
        "archives": lambda: Target(inputs=containers, follow=archived(folder)),
        "reports": lambda: Target(inputs=reports, follow=retold(folder)),
        "stores": lambda: Target(inputs=spoilt_stores(folder), follow=asked(folder)),
    }
