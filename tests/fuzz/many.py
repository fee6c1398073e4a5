"""Many: a million small mutated captures through the compiled kernel, in one process.

    CTCP_FORENSICS_BOUNDSCHECK=1 pip install --editable . && python -m tests.fuzz.many --count 1000000 --seed 1

Where the campaign asks much of each input (both kernels, reports, joins), this asks little of very many: that none
of Cython's checks goes off up to the tracker, with full and with tiny tables, nor where rows are asked for.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from typing import Final

from ctcp_forensics import _kernel
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.packets import Decoder
from ctcp_forensics.savefile import Reader
from tests.fuzz import campaign, path, seeds

LONGEST: Final = 6_000
"""Bytes of a seed: short ones are spoilt in more places for their size, and are done sooner."""
VARIANTS: Final = 15
"""Of each input, with a few bytes changed: changing them costs next to nothing."""
TOLD_EVERY: Final = 20_000
EDGES: Final = (0, 1, 2, 0x0F, 0x10, 0x40, 0x7F, 0x80, 0xFE, 0xFF)


def main() -> int:
    parser = argparse.ArgumentParser(description="Send very many small mutated captures through the kernel.")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    chance, began = random.Random(asked.seed), time.monotonic()
    corpus = [seed for seed in seeds.made() if len(seed) <= LONGEST]
    print(f"{_kernel.NAME} kernel, {len(corpus)} seeds, seed {asked.seed}", flush=True)
    for number, data in zip(range(1, asked.count + 1), many(corpus, chance), strict=False):
        follow(data, chance, number)
        if number % TOLD_EVERY == 0:
            print(f"{number} in {time.monotonic() - began:.0f} s", flush=True)
    print(f"{asked.count} executions, nothing found")
    return 0


def many(corpus: list[bytes], chance: random.Random) -> Iterator[bytes]:
    for data in campaign.inputs(corpus, [], chance):
        yield data
        for _ in range(VARIANTS):
            yield edited(data, chance)


def edited(data: bytes, chance: random.Random) -> bytes:
    """A few bytes on edges or anywhere."""
    edit = bytearray(data)
    for _ in range(chance.randrange(1, 6)):
        at = int(chance.random() * len(edit))
        edit[at : at + 1] = bytes(
            [chance.choice(EDGES) if chance.random() < 0.5 else int(chance.random() * 256)]
        )
    return bytes(edit)


def follow(data: bytes, chance: random.Random, number: int) -> None:
    """One input, of one in sixteen every row; what breaks is printed whole, since it is short."""
    tables = (
        path.capped(int(chance.random() * 4) + 1, 64, int(chance.random() * 9) + 1)
        if number % 4 == 0
        else nullcontext()
    )
    try:
        with tables:
            if number % (VARIANTS + 1) == 0:
                path.facts(data, chance.choice((1 << 20, 997, 64)))
            else:
                track(data)
    except BaseException:
        print(f"input {number}: {data.hex()}", file=sys.stderr, flush=True)
        raise


def track(data: bytes) -> None:
    reader, decoder = Reader([data]), Decoder()
    tracker = _kernel.Tracker(ports=(10_000,))
    with suppress(CaptureError):
        for buffer, frames in reader.batches():
            tracker.feed(decoder.decode(buffer, frames))
    decoder.finish()
    for index in tracker.suspects(frozenset({10_000})):
        tracker.direction(index, 0), tracker.direction(index, 1), tracker.holes(index, 0)


if __name__ == "__main__":
    sys.exit(main())
