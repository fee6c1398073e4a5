"""Hands: a capture in short chunks, read by several hands and the belt between them as one thread reads it.

Half of them as they lie on disk, where each hand copies its own, and half as what comes one after the other.

What a file has to be long for otherwise.  Little is asked of each input beside that: that no check in the core goes
off, and that every row and the whole account are those of the one thread.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from unittest import mock

from ctcp_forensics import batches, reading
from ctcp_forensics.capture import UNHASHED, Capture, line, source
from tests.fuzz import path

CHUNK_LENS: Final = (130, 300, 600, 2_000)
"""So that a record of a few hundred bytes lies across two chunks, and a chunk holds several of a few dozen."""
TINY_EVERY: Final = 3
COME_IN_LINE: Final = 0.5


def shared(folder: Path) -> Callable[[bytes, random.Random, int], None]:
    work = folder / "input.pcap"

    def follow(data: bytes, chance: random.Random, number: int) -> None:
        work.write_bytes(data)
        with ExitStack() as patches:
            in_short_chunks(patches, chance.choice(CHUNK_LENS))
            several = chance.choice((2, 3))
            if chance.random() < COME_IN_LINE:
                patches.enter_context(mock.patch.object(Capture, "is_read_anywhere", False))
            if number % TINY_EVERY == 0:
                patches.enter_context(path.capped(chance.randrange(1, 5), 64, 9, chance.choice((None, 2))))
            found = [told(work, threads, is_all=number % 2 == 0) for threads in (1, several)]
        assert found[0] == found[1], "several hands come to something else than one"

    return follow


def in_short_chunks(patches: ExitStack, length: int) -> None:
    for module in (source, line):
        patches.enter_context(mock.patch.object(module, "CHUNK_LEN", length))
    for limit in ("WORTH_SHARING", "PACKED_WORTH_SHARING"):
        patches.enter_context(mock.patch.object(batches, limit, 0))


def told(work: Path, threads: int, *, is_all: bool) -> list[object]:
    """Of each vantage point every row, and what is accounted for."""
    options = reading.Options(threads=threads, all_tcp=is_all, hashing=UNHASHED)
    intake = reading.take_in([reading.Source(path=str(work))], options, None)
    rows = [list(path.tracked(one.tracker)) for one in intake.readings]
    early = [one.early and (one.early.flows, one.early.lines.counted) for one in intake.readings]
    errors = [one.icmp_errors for one in intake.readings]
    return [rows, early, errors, intake.accounts, [str(error) for error in intake.failed]]
