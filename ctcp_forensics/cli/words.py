"""Words that mean what they say: what plain paths take, and when they leave it to Typer.

Knows hyphens.  Does not know options: see plain and plain_scan.
"""

from collections.abc import Iterator

from ctcp_forensics.cli.output import STANDARD_OUTPUT


class NotPlain(Exception):  # noqa: N818  # nothing is wrong: Typer knows more words
    """A word that is not among the few."""


def plain_value(words: Iterator[str]) -> str:
    """What belongs to the option before it."""
    return plain_word(next(words, "--"))


def plain_word(word: str) -> str:
    """A name.  With a hyphen in front it may mean something; by itself the hyphen is standard input or output."""
    if word.startswith("-") and word != STANDARD_OUTPUT:
        raise NotPlain
    return word
