"""The plain path: `analyze` with the options that scripts use, understood without Typer.

Loading Typer takes longer than reading a small capture, and an archive may be swept with a process for each file.
Knows a few options by their exact names.  Whatever else stands in the words, all of them go to Typer, whose help and
complaints stay the only ones; a test holds what both make of the same words against each other.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from ctcp_forensics.cli.analysis import Request, depth, sources_of
from ctcp_forensics.cli.output import STANDARD_OUTPUT
from ctcp_forensics.cli.words import NotPlain, plain_value, plain_word
from ctcp_forensics.render import FORMATS

COMMAND: Final = "analyze"
VANTAGES: Final = ("client", "asa-outside", "asa-inside", "asa")
FORMAT_OPTIONS: Final = ("-f", "--format")
OUTPUT_OPTIONS: Final = ("-o", "--output")
VERBOSITY: Final = {"-v": 1, "-vv": 2, "--verbose": 1}


class _Asked(msgspec.Struct):
    """What the words have asked for so far."""

    named: dict[str | None, list[str]] = msgspec.field(
        default_factory=lambda: {name: [] for name in (*VANTAGES, None)}
    )
    form: str = "table"
    output: str = STANDARD_OUTPUT
    verbose: int = 0
    all_tcp: bool = False


def plain_request(words: Sequence[str]) -> Request | None:
    """What the words ask for; None where Typer has to say."""
    if list(words[:1]) != [COMMAND]:
        return None
    try:
        return _request(_asked(iter(words[1:])))
    except NotPlain:
        return None


def _asked(words: Iterator[str]) -> _Asked:
    asked = _Asked()
    for word in words:
        if word.removeprefix("--") in VANTAGES and word.startswith("--"):
            asked.named[word.removeprefix("--")].append(plain_value(words))
        elif word in FORMAT_OPTIONS:
            asked.form = plain_value(words)
        elif word in OUTPUT_OPTIONS:
            asked.output = plain_value(words)
        elif word in VERBOSITY:
            asked.verbose += VERBOSITY[word]
        elif word == "--all-tcp":
            asked.all_tcp = True
        else:
            asked.named[None].append(plain_word(word))
    return asked


def _request(asked: _Asked) -> Request:
    if asked.form not in FORMATS or not any(asked.named.values()):
        raise NotPlain
    return Request(
        sources=sources_of(asked.named),
        form=asked.form,
        output=asked.output,
        depth=depth(asked.verbose, quiet=False),
        color="auto",
        all_tcp=asked.all_tcp,
    )
