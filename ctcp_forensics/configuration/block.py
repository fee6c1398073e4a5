"""A block: lines that are pasted together, and where.

Knows that a line is one line of plain text: what is more than that never becomes a block.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PLAIN_LINE = re.compile(r"[ -~]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Lines for one place.  Without lines it is a remark."""

    where: str
    lines: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for text in (self.where, *self.lines):
            if not PLAIN_LINE.fullmatch(text):
                raise ValueError("a line of configuration that is not one line of plain text")
