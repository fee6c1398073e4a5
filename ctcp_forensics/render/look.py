"""How deep, how wide and in what colours a reader wants a table.

Knows terminals' escape codes.  Does not know reports.
"""

from enum import IntEnum

import msgspec


class Depth(IntEnum):
    """How much of each finding is told; each depth contains the ones before it."""

    VERDICT = 0  # one sentence
    WHAT = 1
    WHERE = 2
    WHY = 3


class Pen(msgspec.Struct, frozen=True):
    """Marks a text for the eye; roles without a code, and all roles of PLAIN, stay as they are."""

    codes: dict[str, str]

    def mark(self, role: str, text: str) -> str:
        code = self.codes.get(role)
        return text if code is None else f"\x1b[{code}m{text}\x1b[0m"


PLAIN = Pen(codes={})
COLORED = Pen(
    codes={
        "alarm": "1;31",
        "title": "1",
        "holds": "32",
        "fails": "31",
        "unknown": "33",
        "label": "2",
    }
)


class Look(msgspec.Struct, frozen=True):
    """A reader's wishes.  `width` is None where no line may be folded or left out: in a pipe or a file."""

    depth: Depth = Depth.WHAT
    width: int | None = None
    pen: Pen = PLAIN
