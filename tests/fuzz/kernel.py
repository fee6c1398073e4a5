"""Kernel: bytes up to the tracker, and the rows that can be asked for; nothing is judged.

Little is asked of each input, so that there can be very many: that none of Cython's checks goes off, with full and
with tiny tables.
"""

from __future__ import annotations

import random
from contextlib import nullcontext, suppress
from typing import Final

from ctcp_forensics import _kernel
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.packets import Decoder
from ctcp_forensics.savefile import Reader
from tests.fuzz import path

EVERY_ROW: Final = 16
TINY_EVERY: Final = 4


def follow(data: bytes, chance: random.Random, number: int) -> None:
    """One input, of one in sixteen every row."""
    tables = path.capped(int(chance.random() * 4) + 1, 64) if number % TINY_EVERY == 0 else nullcontext()
    with tables:
        if number % EVERY_ROW == 0:
            path.facts(data, chance.choice((1 << 20, 997, 64)))
        else:
            track(data)


def track(data: bytes) -> None:
    reader, decoder = Reader([data]), Decoder()
    tracker = _kernel.Tracker(ports=(10_000,))
    with suppress(CaptureError):
        for buffer, frames in reader.batches():
            tracker.feed(decoder.decode(buffer, frames))
    decoder.finish()
    for index in tracker.suspects(frozenset({10_000})):
        tracker.direction(index, 0), tracker.direction(index, 1), tracker.holes(index, 0)
