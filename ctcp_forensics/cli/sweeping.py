"""A sweep from the command line: run, told at its end, and its exit status.

Knows standard output and the words of the end statement.  Does not know how an archive is swept: see archive.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from ctcp_forensics.archive.merge import merge
from ctcp_forensics.archive.scan import Swept, Wanted, scan
from ctcp_forensics.archive.store import REFUSED, SAME, SKIPPED, Store, StoreCoverage
from ctcp_forensics.capture.names import shown
from ctcp_forensics.cli.ends import INTERRUPTED, TROUBLE, Refused, say
from ctcp_forensics.cli.headway import watching
from ctcp_forensics.errors import CtcpError
from ctcp_forensics.render.wording import count, sized

HITS_AT_A_GLANCE: Final = 20
TROUBLES_AT_A_GLANCE: Final = 20
BECAME: Final = ("analyzed", "partial", "rejected", "failed")


def answer(wanted: Wanted, *, quiet: bool) -> int:
    """Sweep, tell, and return the exit status."""
    try:
        with watching(wanted=not quiet) as watch:
            swept = scan(wanted, watch)
    except CtcpError as error:
        raise Refused(str(error)) from error
    store = Store.open(wanted.store)
    for line in statement(store, swept, quiet=quiet):
        print(line)
    if swept.was_stopped:
        say("stopped before everything was looked at; the same command goes on from there")
        return INTERRUPTED
    return status(swept.coverage)


def status(coverage: StoreCoverage) -> int:
    """As `analyze` has it."""
    if coverage.looked_at == 0:
        return TROUBLE
    if coverage.findings:
        return 1
    return 0 if coverage.is_complete else 3


def statement(store: Store, swept: Swept, *, quiet: bool) -> Iterator[str]:
    """What was found, what was looked at, and what was not."""
    coverage = swept.coverage
    yield f"{count(coverage.findings, 'capture')} with unanswered duplicate ACKs"
    if quiet:
        return
    yield from _capped(
        (f"  {shown(uri)}" for uri in store.hits(swept.run)),
        HITS_AT_A_GLANCE,
        coverage.findings,
        f"ctcp-diag query findings --store {store.folder}",
    )
    yield looked_at(coverage)
    troubles = coverage_gaps(coverage)
    if troubles:
        yield f"{count(troubles, 'place')} not wholly looked at:"
        yield from _capped(
            (f"  {shown(one.uri)}: {one.status}: {shown(one.reason)}" for one in store.troubles(swept.run)),
            TROUBLES_AT_A_GLANCE,
            troubles,
            f"ctcp-diag query unreadable --store {store.folder}",
        )


def looked_at(coverage: StoreCoverage) -> str:
    """`29 files, 1.3 MB: 28 analyzed (1.3 MB), 1 the same as another; 21 more are no captures`."""
    entries = [one for one in coverage.counts if one.status not in (REFUSED, SKIPPED)]
    parts = [
        f"{coverage.files(word)} {word} ({sized(coverage.bytes(word))})"
        for word in BECAME
        if coverage.files(word)
    ]
    if coverage.files(SAME):
        parts.append(f"{coverage.files(SAME)} the same as another")
    if coverage.files("waiting"):
        parts.append(f"{coverage.files('waiting')} not yet")
    total = (
        f"{count(sum(one.files for one in entries), 'capture')}, {sized(sum(one.bytes for one in entries))}"
    )
    told = f"{total}: {', '.join(parts)}" if parts else total
    skipped = coverage.files(SKIPPED)
    return f"{told}; {skipped} more files are none" if skipped else told


def coverage_gaps(coverage: StoreCoverage) -> int:
    return sum(coverage.files(word) for word in ("partial", "rejected", "failed", "waiting", REFUSED))


def _capped(lines: Iterator[str], most: int, total: int, rest_at: str) -> Iterator[str]:
    yield from islice(lines, most)
    if total > most:
        yield f"  … and {total - most} more: {rest_at}"


def merged(sources: Sequence[Path], target: Path) -> int:
    """Join stores and tell what the joined one covers."""
    try:
        news = merge(sources, target)
    except CtcpError as error:
        raise Refused(str(error)) from error
    store = Store.open(target)
    print(f"{count(news, 'entry', 'entries')} joined; {looked_at(store.coverage())}")
    return 0
