"""A sheet: labelled paragraphs under headings, in so many lines of so many columns of ASCII and no more.

Knows lines and columns.  Does not know what is told: see note.  What does not fit ends in `...`; the longest
and lightest paragraph gives way first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap

from ctcp_forensics.render.wording import both_ends, clean

MAX_LINES = 40
"""A screen, and what a ticket shows without folding it."""
WIDTH = 78
"""Mail quotes it once and stays within 80 columns."""
MARGIN_LEN = 10  # two spaces, a label, and one more
ELLIPSIS = "..."

# Our own sentences are typeset; a note goes through systems that are not.
_TYPEWRITER = str.maketrans(
    {"→": "->", "–": "-", "—": "-", "…": ELLIPSIS, "§": "section ", "×": "x", "’": "'"}
)


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A text beside its label.

    `instead` is told where the whole does not fit and a part would mislead.  A text of weight 2 keeps twice as many
    lines as one of weight 1.
    """

    label: str
    text: str
    instead: str = ""
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Part:
    """Paragraphs under a heading."""

    heading: str
    paragraphs: tuple[Paragraph, ...]


def fitted(parts: Sequence[Part]) -> Iterator[str]:
    """The lines of `parts`; empty lines stand between them where there is room for that."""
    folded = [[_Folded(one) for one in part.paragraphs] for part in parts]
    blocks = [block for some in folded for block in some]
    while len(parts) + sum(block.height for block in blocks) > MAX_LINES:
        max(reversed(blocks), key=lambda block: block.burden).give_way()
    spare = MAX_LINES - len(parts) - sum(block.height for block in blocks)
    for number, (part, some) in enumerate(zip(parts, folded, strict=True)):
        if number and spare >= len(parts) - 1:
            yield ""
        yield shortened(part.heading, WIDTH)
        for block in some:
            yield from block.lines()


def ascii_of(text: str) -> str:
    """`text` in printable ASCII: our own typography in typewriter's, everything else as its escape."""
    return clean(text.translate(_TYPEWRITER)).encode("ascii", "backslashreplace").decode("ascii")


def shortened(name: str, at_most: int) -> str:
    return both_ends(ascii_of(name), at_most, ELLIPSIS)


class _Folded:
    """A paragraph in lines, of which the last ones may go."""

    def __init__(self, paragraph: Paragraph) -> None:
        self._label = shortened(paragraph.label, MARGIN_LEN - 3)
        self._lines = _folded(paragraph.text)
        self._instead = paragraph.instead
        self._weight = paragraph.weight
        self.height = len(self._lines)

    @property
    def burden(self) -> float:
        return self.height / self._weight if self.height > 1 else 0

    def give_way(self) -> None:
        if self._instead:
            self._lines, self._instead = _folded(self._instead), ""
            self.height = min(len(self._lines), self.height - 1)
        else:
            self.height -= 1

    def lines(self) -> Iterator[str]:
        shown = self._lines[: self.height]
        if self.height < len(self._lines):
            shown[-1] = _cut(shown[-1])
        margin = f"  {self._label}".ljust(MARGIN_LEN)
        for line in shown:
            yield (margin + line).rstrip()
            margin = " " * MARGIN_LEN


def _cut(line: str) -> str:
    """As many whole words as leave room for the mark that more followed."""
    room = WIDTH - MARGIN_LEN - len(ELLIPSIS) - 1
    kept = line if len(line) <= room else line[:room].rpartition(" ")[0] or line[:room]
    return f"{kept} {ELLIPSIS}"


def _folded(text: str) -> list[str]:
    return wrap(ascii_of(text), WIDTH - MARGIN_LEN, break_on_hyphens=False) or ["-"]
