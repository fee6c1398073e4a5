"""A sweep from the command line: run, told at its end, and its exit status.

Knows standard output and the words of the end statement.  Does not know how an archive is swept: see archive.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from ctcp_forensics.archive.database import sound
from ctcp_forensics.archive.run import Hear
from ctcp_forensics.archive.scan import Swept, Wanted, coverage_of, found_by, scan
from ctcp_forensics.archive.store import REFUSED, SAME, SKIPPED, WAITING, Store, StoreCoverage
from ctcp_forensics.archive.tally import Together, Watch
from ctcp_forensics.capture.names import shown
from ctcp_forensics.cli.ends import INTERRUPTED, TROUBLE, Refused, say
from ctcp_forensics.cli.headway import watching
from ctcp_forensics.cli.listening import listening
from ctcp_forensics.cli.output import STANDARD_OUTPUT, destination, refuse_unwritable, write
from ctcp_forensics.errors import CtcpError
from ctcp_forensics.render.wording import count, sized

HITS_AT_A_GLANCE: Final = 20
TROUBLES_AT_A_GLANCE: Final = 20
BECAME: Final = ("analyzed", "partial", "rejected", "failed")


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """How the user wants to hear of it."""

    quiet: bool = False
    stream: str | None = None
    """Where lines go while it runs; - is standard output."""
    form: str = "ndjson"
    """What lines are like, by the names in `stream.FORMS`."""
    overview: str | None = None
    has_tables: bool = False
    """The tables are brought up to date at the end, and not by the first question."""

    @property
    def fills_stdout(self) -> bool:
        """With what programs read: words about it go elsewhere."""
        return STANDARD_OUTPUT in (self.stream, self.overview)


def answer(wanted: Wanted, telling: Telling, *, watches: bool) -> int:
    """Sweep, tell, and return the exit status."""
    if telling.overview is not None:
        _check_overview(telling.overview, telling.stream)
    try:
        with listening(telling.stream, telling.form) as hear, watching(wanted=not telling.quiet) as watch:
            swept = _watched(wanted, watch, hear) if watches else scan(wanted, watch, hear)
    except CtcpError as error:
        raise Refused(str(error)) from error
    _tell(wanted.store, swept, telling)
    if not swept.is_finished:
        say("stopped before everything was looked at; the same command goes on from there")
        return INTERRUPTED
    if swept.coverage.looked_at == 0 and wanted.shard is not None and swept.coverage.is_complete:
        say("no capture falls to this shard")
        return 0
    if swept.coverage.looked_at == 0:
        say(
            f"no capture could be looked at there, and {wanted.store} keeps no more than that; "
            "`ctcp-diag scan -h` says what a place may be, and which links are followed"
        )
    return status(swept.coverage)


def _check_overview(page: str, stream: str | None) -> None:
    """Before any work: it is written last."""
    refuse_unwritable(page, ())
    if page == stream:
        raise Refused(f"the lines and the overview cannot both go to {page}: name another file")


def _tell(folder: Path, swept: Swept, telling: Telling) -> None:
    """What this run found, in a sentence or a few, and what is made of the whole store."""
    try:
        with sound(folder):
            store = Store.open(folder)
            told = statement(store, swept, quiet=telling.quiet)
            write(sys.stderr if telling.fills_stdout else sys.stdout, (f"{line}\n" for line in told))
            _hand_over(store, telling)
    except CtcpError as error:
        raise Refused(f"{error}; the results are in {folder}") from error


def _watched(wanted: Wanted, watch: Watch, hear: Hear) -> Swept:
    """Batch by batch until Ctrl-C; what was found is told of all runs together."""
    from ctcp_forensics.archive.watch import watched

    wanted, watch = msgspec.structs.replace(wanted, places=tuple(wanted.places)), Together(watch)
    batches = watched(lambda: found_by(wanted), clock=time.monotonic, sleep=time.sleep)
    scan(msgspec.structs.replace(wanted, found=()), watch, hear)
    with contextlib.suppress(KeyboardInterrupt):
        for batch in batches:
            if scan(msgspec.structs.replace(wanted, found=batch), watch, hear).was_stopped:
                break
    return Swept(run=None, coverage=coverage_of(wanted.store, None), was_stopped=False)


def _hand_over(store: Store, telling: Telling) -> None:
    """What is made of the whole store: its tables, and the page of them."""
    if not telling.has_tables and telling.overview is None:
        return
    from ctcp_forensics.cli.asking import overview_of, tables_of

    tables = tables_of(store, store.folder)
    if telling.overview is not None:
        with destination(telling.overview, ()) as text:
            write(text, overview_of(tables, store))


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
        f"ctcp-diag query hits --store {store.folder}",
    )
    yield looked_at(coverage)
    yield from _troubles(store, swept)


def _troubles(store: Store, swept: Swept) -> Iterator[str]:
    """What still waits is counted and not listed: the same command goes on with it."""
    total = coverage_gaps(swept.coverage)
    if not total:
        return
    yield f"{count(total, 'place')} not wholly looked at:"
    looked_at = (one for one in store.troubles(swept.run) if one.status != WAITING)
    yield from _capped(
        (f"  {shown(one.uri)}: {one.status}: {shown(one.reason)}" for one in looked_at),
        TROUBLES_AT_A_GLANCE,
        total,
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
        parts.append(f"{coverage.files(WAITING)} not yet")
    total = (
        f"{count(sum(one.files for one in entries), 'capture')}, {sized(sum(one.bytes for one in entries))}"
    )
    told = f"{total}: {', '.join(parts)}" if parts else total
    skipped = coverage.files(SKIPPED)
    none = "1 more file is none" if skipped == 1 else f"{skipped} more files are none"
    return f"{told}; {none}" if skipped else told


def coverage_gaps(coverage: StoreCoverage) -> int:
    return sum(coverage.files(word) for word in ("partial", "rejected", "failed", REFUSED))


def _capped(lines: Iterator[str], most: int, total: int, rest_at: str) -> Iterator[str]:
    yield from islice(lines, most)
    if total > most:
        yield f"  … and {total - most} more: {rest_at}"


def merged(sources: Sequence[Path], target: Path) -> int:
    """Join stores and tell what the joined one covers."""
    from ctcp_forensics.archive.merge import merge

    try:
        news = merge(sources, target)
        with sound(target):
            covered = Store.open(target).coverage()
    except CtcpError as error:
        raise Refused(str(error)) from error
    write(sys.stdout, (f"{count(news, 'entry', 'entries')} joined; {looked_at(covered)}\n",))
    return 0
