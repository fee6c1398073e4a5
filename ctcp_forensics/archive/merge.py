"""Merge: several stores → one, as if one run had looked at everything.

Knows rows and frames.  Nothing is judged and no capture is opened; merging the same stores again changes nothing.
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from ctcp_forensics.archive import segment
from ctcp_forensics.archive.database import (
    HASHES,
    NAME,
    SCHEMA_VERSION,
    StoreError,
    connect,
    insist_on_store,
    sound,
    version_of,
)
from ctcp_forensics.archive.manifest import Manifest
from ctcp_forensics.archive.scan import LOCK, locked, prepared

ROWS_AT_ONCE: Final = 4096

Row = tuple[Any, ...]

FROM_SOURCE: Final = (
    "SELECT e.uri, e.size, e.length, e.stamp, e.quick, e.content, e.result, s.name, r.offset, r.length, "
    "r.status, r.reason, r.judged, r.facts, r.rules, r.terms, r.frames, r.bytes, r.exit_status, r.seconds "
    "FROM entries e JOIN results r ON r.id = e.result JOIN segments s ON s.number = r.segment ORDER BY r.id, e.uri"
)


class Incoming(msgspec.Struct, frozen=True):
    """One entry of a source, and its result."""

    row: Row

    @property
    def name(self) -> object:
        return self.row[0]

    @property
    def version(self) -> Row:
        """Size, stamp, rules and terms: what differs where the target has another result."""
        return (self.row[1], self.row[3], self.row[14], self.row[15])

    @property
    def content(self) -> str | None:
        found: str | None = self.row[5]
        return found

    @property
    def result(self) -> int:
        """Its number in the source."""
        return int(self.row[6])

    def frame(self, segments: Path) -> bytes:
        return segment.frame_at(segments / self.row[7], self.row[8], self.row[9])


def merge(sources: Sequence[Path], target: Path) -> int:
    """Into a new store or into one that is there already; returns how many entries were new or are newer.

    Raises StoreError where one is no store, of another version, of another hash, or in use.
    """
    refuse_itself(sources, target)
    with ExitStack() as at_the_end:
        opened = [(folder, at_the_end.enter_context(read_in_peace(folder))) for folder in sources]
        versions = {version_of(db): folder for folder, db in opened}
        refuse_other_hashes(versions)
        at_the_end.enter_context(locked(prepared(target)))
        at_the_end.enter_context(sound(target))
        refuse_other_hashes({**versions, **begun_there(target)})
        manifest = Manifest(
            target, terms="merged", rules="merged", version=min(versions, default=SCHEMA_VERSION)
        )
        at_the_end.callback(manifest.close)
        segment.remove_orphans(target / segment.FOLDER, manifest.segment_names())
        try:
            return sum(Joining(folder, db, target, manifest).joined() for folder, db in opened)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"{target}: cannot be written: {error}; merge again when it can") from error


def refuse_itself(sources: Sequence[Path], target: Path) -> None:
    for source in sources:
        if target.exists() and source.exists() and source.samefile(target):
            raise StoreError(
                f"{target}: is one of the stores to be joined; name another one to join them into"
            )


def begun_there(target: Path) -> dict[int, Path]:
    """The store that is there already, by its version; nothing where none is, or nothing is in it."""
    if not (target / NAME).exists():
        return {}
    with closing(connect(target / NAME, mode="rw")) as database:
        version = version_of(database)
    return {version: target} if version else {}


def refuse_other_hashes(stores: Mapping[int, Path]) -> None:
    """By their versions.  The same capture would be in the target twice, and nobody could tell."""
    if len(stores) > 1:
        told = " and ".join(f"{folder} by {HASHES[version]}" for version, folder in sorted(stores.items()))
        raise StoreError(
            f"different versions began these stores, which know captures by different hashes, {told}: merge those of "
            "one version, or scan the places of the others into new stores"
        )


@contextmanager
def read_in_peace(folder: Path) -> Iterator[sqlite3.Connection]:
    """While nobody writes to it."""
    insist_on_store(folder)
    with (folder / LOCK).open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(f"{folder}: a scan is writing to this store") from error
        with closing(connect(folder / NAME, mode="ro")) as found:
            yield found


class Joining:
    """One source on its way into the target."""

    def __init__(self, folder: Path, source: sqlite3.Connection, target: Path, manifest: Manifest) -> None:
        self._source, self._from = source, folder / segment.FOLDER
        self._manifest, self._to = manifest, target / segment.FOLDER
        self._results: dict[int, int] = {}
        """The last results of the source, by their numbers in the target: entries of one come together."""

    def joined(self) -> int:
        rows, taken = self._source.execute(FROM_SOURCE), 0
        while some := [Incoming(row) for row in islice(rows, ROWS_AT_ONCE)]:
            taken += self._take(some)
        self._take_the_rest()
        return taken

    def _take(self, some: Sequence[Incoming]) -> int:
        """The frames first, durably; then, in one transaction, everything that points to them."""
        news = [one for one in some if self._manifest.version_of(one.name) != one.version]
        fresh = self._without_result(news)
        number = self._manifest.next_segment()
        offsets: dict[int, int] = {}
        if fresh:
            frames = [one.frame(self._from) for one in fresh]
            segment.write_durably(self._to / segment.name_of(number), frames)
            offsets = dict(zip((one.result for one in fresh), running_sum(map(len, frames)), strict=True))
        with self._manifest.transaction():
            if fresh:
                self._manifest.note_segment(number, segment.name_of(number), len(fresh))
            for one in news:
                self._manifest.note_merged(one.row[:6], self._result(one, number, offsets))
        return len(news)

    def _without_result(self, news: Sequence[Incoming]) -> list[Incoming]:
        """The first of each result that the target has not, by content either."""
        fresh: dict[int, Incoming] = {}
        for one in news:
            if one.result in self._results or one.result in fresh:
                continue
            known = self._manifest.result_of_content(one.content, one.row[14], one.row[15])
            if known is not None:
                self._results[one.result] = known
            else:
                fresh[one.result] = one
        return list(fresh.values())

    def _result(self, one: Incoming, number: int, offsets: dict[int, int]) -> int:
        if one.result not in self._results:
            values = (number, offsets[one.result], *one.row[9:])
            self._results[one.result] = self._manifest.note_result(values)
        return self._results[one.result]

    def _take_the_rest(self) -> None:
        """What the source has found and not yet looked at, and what it has refused."""
        entries = self._source.execute(
            "SELECT uri, size, length, stamp, quick, content FROM entries WHERE result IS NULL"
        )
        refusals = self._source.execute("SELECT uri, reason, detail, is_trouble FROM refusals")
        with self._manifest.transaction():
            for row in entries:
                if self._manifest.version_of(row[0]) is None:
                    self._manifest.note_merged(row, None)
            self._manifest.note_refusals(refusals)


def running_sum(lengths: Iterator[int]) -> Iterator[int]:
    """Where each begins."""
    at = 0
    for length in lengths:
        yield at
        at += length
