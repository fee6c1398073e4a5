"""Hands: a capture in short chunks, read by two hands and the belt between them as one thread reads it.

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
from ctcp_forensics.capture import UNHASHED, source
from tests.fuzz import path

CHUNK_LENS: Final = (130, 300, 600, 2_000)
"""So that a record of a few hundred bytes lies across two chunks, and a chunk holds several of a few dozen."""
TINY_EVERY: Final = 3


def shared(folder: Path) -> Callable[[bytes, random.Random, int], None]:
    work = folder / "input.pcap"

    def follow(data: bytes, chance: random.Random, number: int) -> None:
        work.write_bytes(data)
        with ExitStack() as patches:
            patches.enter_context(mock.patch.object(source, "CHUNK_LEN", chance.choice(CHUNK_LENS)))
            patches.enter_context(mock.patch.object(batches, "WORTH_SHARING", 0))
            if number % TINY_EVERY == 0:
                patches.enter_context(path.capped(chance.randrange(1, 5), 64, 9, chance.choice((None, 2))))
            found = [told(work, threads, is_all=number % 2 == 0) for threads in (1, 2)]
        assert found[0] == found[1], "two hands come to something else than one"

    return follow


def told(work: Path, threads: int, *, is_all: bool) -> list[object]:
    """Of each vantage point every row, and what is accounted for."""
    options = reading.Options(threads=threads, all_tcp=is_all, hashing=UNHASHED)
    intake = reading.take_in([reading.Source(path=str(work))], options, None)
    rows = [list(path.tracked(one.tracker)) for one in intake.readings]
    early = [one.early and (one.early.flows, one.early.lines.counted) for one in intake.readings]
    errors = [one.icmp_errors for one in intake.readings]
    return [rows, early, errors, intake.accounts, [str(error) for error in intake.failed]]
