"""Paper: SVG elements, written so that browsers, mail and word processors draw the same.

Knows XML and text widths.  Styles are attributes, since not every program reads style sheets, and fonts are those that
every machine has.  Does not know what is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from ctcp_forensics.render.wording import clean

FONTS: Final = "Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif"
WIDTH_OF_A_LETTER: Final = 0.56
"""Of the font's size, on average, in the widest of the fonts: a label must not run out of its room."""
SMALL: Final = 11
"""The size of what is read after everything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle, in pixels."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height

    def meets(self, other: Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def holds(self, x: float, y: float) -> bool:
        return self.left <= x <= self.right and self.top <= y <= self.bottom

    def contains(self, other: Box) -> bool:
        return self.holds(other.left, other.top) and self.holds(other.right, other.bottom)


def number(value: float) -> str:
    """A tenth of a pixel is enough, and keeps the file small."""
    return f"{value:.1f}".removesuffix(".0")


def element(name: str, content: str = "", /, **attributes: str | float) -> str:
    """One element; `stroke_width` is written stroke-width."""
    told = "".join(
        f" {key.rstrip('_').replace('_', '-')}={quoteattr(clean(number_or_text(value)))}"
        for key, value in attributes.items()
    )
    return f"<{name}{told}>{content}</{name}>" if content else f"<{name}{told}/>"


def number_or_text(value: str | float) -> str:
    return value if isinstance(value, str) else number(value)


def words(text: str) -> str:
    """Text of a capture or file name, without power over the picture."""
    return escape(clean(text))


def text(x: float, y: float, told: str, /, **attributes: str | float) -> str:
    return element("text", words(told), x=x, y=y, **attributes)


def rectangle(box: Box, /, **attributes: str | float) -> str:
    return element("rect", x=box.left, y=box.top, width=box.width, height=box.height, **attributes)


def path(d: str, /, **attributes: str | float) -> str:
    return element("path", d=d, **attributes)


def width_of(told: str, size: float) -> float:
    return WIDTH_OF_A_LETTER * size * len(told)


def wrapped(told: str, width: float, size: float) -> Iterator[str]:
    """Lines that fit."""
    line = ""
    for word in clean(told).split():
        longer = f"{line} {word}".strip()
        if line and width_of(longer, size) > width:
            yield line
            longer = word
        line = longer
    if line:
        yield line


def document(width: float, height: float, title: str, description: str, content: Iterable[str]) -> str:
    """A whole picture, on white, with its words for those who do not see it."""
    head = element(
        "svg",
        "\n".join(
            [
                "",
                f'<title id="title">{words(title)}</title>',
                f'<desc id="desc">{words(description)}</desc>',
                rectangle(Box(left=0, top=0, width=width, height=height), fill="#ffffff"),
                *content,
                "",
            ]
        ),
        xmlns="http://www.w3.org/2000/svg",
        width=width,
        height=height,
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img",
        aria_labelledby="title desc",
        font_family=FONTS,
        font_size="12",
        fill="#1f2328",
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}\n'
