"""The plain path of `scan`: the options of an everyday sweep, understood without Typer.

Knows a few options by their exact names, as `plain` does for `analyze`; whatever else stands in the words, all of them
go to Typer.  A test holds what both make of the same words against each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from ctcp_forensics.cli.words import NotPlain, plain_value, plain_word

if TYPE_CHECKING:
    from ctcp_forensics.archive.scan import Wanted
    from ctcp_forensics.cli.sweeping import Telling

COMMAND: Final = "scan"
VALUES: Final = {"--store": "store", "--workers": "workers", "--shard": "shard", "--ndjson": "ndjson"}
SWITCHES: Final = {
    "-q": "quiet",
    "--quiet": "quiet",
    "--all-tcp": "all_tcp",
    "--force": "force",
    "--parquet": "parquet",
}
WORKERS: Final = re.compile("[1-9][0-9]{0,3}")


class _Asked(msgspec.Struct):
    """What the words have asked for so far."""

    places: list[str] = msgspec.field(default_factory=list)
    values: dict[str, str] = msgspec.field(default_factory=dict)
    switches: set[str] = msgspec.field(default_factory=set)


def plain_sweep(words: Sequence[str]) -> tuple[Wanted, Telling] | None:
    """What the words ask for; None where Typer has to say."""
    if list(words[:1]) != [COMMAND]:
        return None
    try:
        asked = _asked(iter(words[1:]))
        return _wanted(asked), _telling(asked)
    except NotPlain:
        return None


def _asked(words: Iterator[str]) -> _Asked:
    asked = _Asked()
    for word in words:
        if word in VALUES:
            asked.values[VALUES[word]] = plain_value(words)
        elif word in SWITCHES:
            asked.switches.add(SWITCHES[word])
        else:
            asked.places.append(plain_word(word))
    return asked


def _wanted(asked: _Asked) -> Wanted:
    """What is not asked for is as `Wanted` has it, which Typer's defaults say once more."""
    store, workers = asked.values.get("store"), asked.values.get("workers")
    if not store or not asked.places or (workers is not None and WORKERS.fullmatch(workers) is None):
        raise NotPlain
    from ctcp_forensics.archive.examine import Terms
    from ctcp_forensics.archive.scan import Wanted
    from ctcp_forensics.cli.wanted import places_of, shard_of

    return Wanted(
        places=places_of(asked.places, None, is_null=False),
        store=Path(store),
        terms=Terms(all_tcp="all_tcp" in asked.switches),
        workers=None if workers is None else int(workers),
        shard=shard_of(asked.values.get("shard")),
        anew="force" in asked.switches,
    )


def _telling(asked: _Asked) -> Telling:
    """Likewise, as `Telling` has it."""
    from ctcp_forensics.cli.sweeping import Telling

    return Telling(
        quiet="quiet" in asked.switches,
        stream=asked.values.get("ndjson"),
        has_tables="parquet" in asked.switches,
    )
