"""Edits: a few bytes of anything changed."""

from __future__ import annotations

import random
from typing import Final

EDGES: Final = (0, 1, 2, 0x0F, 0x10, 0x40, 0x7F, 0x80, 0xFE, 0xFF)


def edited(data: bytes, chance: random.Random) -> bytes:
    """A few bytes on edges or anywhere."""
    edit = bytearray(data)
    for _ in range(chance.randrange(1, 6)):
        at = int(chance.random() * len(edit))
        edit[at : at + 1] = bytes(
            [chance.choice(EDGES) if chance.random() < 0.5 else int(chance.random() * 256)]
        )
    return bytes(edit)
