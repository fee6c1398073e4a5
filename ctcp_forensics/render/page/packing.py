"""What the page's scripts read: columns as small as they go, and JSON that cannot leave its block.

Knows bytes.  Does not know what the columns mean.

Numbers lose their sign (zigzag); then come all their lowest bytes, all the next, and so on: what hardly changes
is then a long run of one byte, which deflate makes nothing of.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from base64 import b64encode
from collections.abc import Iterable, Sequence
from itertools import chain
from operator import sub
from typing import Any

import msgspec

LEVEL = 6  # 9 takes ten times as long for 2 % less
RAW_DEFLATE = -15  # RFC 1951 without a header: what DecompressionStream calls `deflate-raw`
SIGN_BIT = 63
# What could end the block, open a comment in it, or end a line of JavaScript.
DANGEROUS = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


def embedded(value: Any) -> str:
    """JSON for a `<script type="application/json">`: the same value, spelt without a dangerous character."""
    text = msgspec.json.encode(value).decode()
    return text.translate(DANGEROUS)


def packed(content: bytes) -> str:
    """Deflated, in base64."""
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, RAW_DEFLATE)
    return b64encode(deflate.compress(content) + deflate.flush()).decode()


def planes(numbers: Iterable[int]) -> tuple[int, bytes]:
    """How many bytes each number takes, and the numbers, byte by byte: 0, -1, 1 and -2 as 0, 1, 2 and 3."""
    column = array("Q", [(number << 1) ^ (number >> SIGN_BIT) for number in numbers])
    if sys.byteorder == "big":
        column.byteswap()
    width = (max(column, default=0).bit_length() + 7) // 8
    raw = column.tobytes()
    return width, b"".join(raw[place :: column.itemsize] for place in range(width))


def steps(values: Sequence[int]) -> Iterable[int]:
    """Each value less the one before it."""
    return map(sub, values, chain((0,), values))
