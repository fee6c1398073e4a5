"""Store: a folder with a manifest, segments of results, and what was made of them.

Knows which results are acknowledged and which of them is the newest of an entry.  Does not know how they came to be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, Self

import msgspec

from ctcp_forensics.archive import segment as segments
from ctcp_forensics.archive.database import NAME, Name, StoreError, connect, insist_on_store, uri_of
from ctcp_forensics.archive.entry import Entry
from ctcp_forensics.archive.examine import Examined, told_of

SAME: Final = "same-as-another"
REFUSED: Final = "refused"
SKIPPED: Final = "skipped"
WAITING: Final = "waiting"
NOT_YET: Final = "it has not been looked at yet; the same scan goes on with it"


class SegmentRef(msgspec.Struct, frozen=True, kw_only=True):
    """One file of results; never altered once it is named."""

    name: str
    """Its place in the order of writing: later ones sort behind."""
    path: Path


class Pointer(NamedTuple):
    """Which result an entry has: whoever keeps these sees from them what is new."""

    entry: int
    segment: int
    place: int
    """Byte offset in the segment."""
    first_entry: int
    """The first one with this result; others have the same content."""
    rules: str


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """One entry or place that was not wholly looked at."""

    uri: str
    status: str
    """`partial`, `rejected`, `failed`, `waiting`, or `refused` for what was found and not followed."""
    reason: str


class StatusCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many entries ended in one way."""

    status: str
    """`analyzed`, `partial`, `rejected`, `failed`, `waiting`, `same-as-another`, `refused`, `skipped`: no capture."""
    files: int
    bytes: int


class StoreCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at, in counts; the entries themselves come from `Store.troubles`."""

    counts: tuple[StatusCount, ...]
    findings: int
    """Entries with the failure."""
    is_complete: bool
    """Every capture that was found was wholly looked at."""

    def files(self, status: str) -> int:
        return sum(one.files for one in self.counts if one.status == status)

    def bytes(self, status: str) -> int:
        return sum(one.bytes for one in self.counts if one.status == status)

    @property
    def looked_at(self) -> int:
        return self.files("analyzed") + self.files("partial")


class Store:
    """The results of an archive, as they are on disk.  Reading needs no lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._db = connect(folder / NAME, mode="ro")
        self._names = dict(self._db.execute("SELECT number, name FROM segments"))

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """An existing store.  Raises StoreError where there is none, or one of another version."""
        folder = Path(path)
        insist_on_store(folder)
        return cls(folder)

    def close(self) -> None:
        self._db.close()

    # --- results -----------------------------------------------------------------------------

    def segments(self) -> Iterator[SegmentRef]:
        """All acknowledged files of results, oldest first."""
        for (name,) in self._db.execute("SELECT name FROM segments ORDER BY number"):
            yield SegmentRef(name=name, path=self._path(name))

    def results(self, segment: SegmentRef) -> Iterator[Examined]:
        """Everything that one holds, superseded results as well."""
        return segments.lines_of(segment.path)

    def current(self) -> Iterator[Examined]:
        """The newest acknowledged result of every entry, in the order of the URIs.

        Entries with the content of another appear with their own URI, that one's report, and `same_as`.
        """
        return map(self._told, self._db.execute(f"{CURRENT} ORDER BY e.uri"))

    def fingerprint(self) -> str:
        """Another one where an entry may have another result than before."""
        return ":".join(map(str, self._db.execute(FINGERPRINT).fetchone()))

    def pointers(self) -> Iterator[Pointer]:
        """The result of every entry that has one."""
        return map(Pointer._make, self._db.execute(POINTERS))

    def results_of(self, entries: Iterable[int]) -> Iterator[tuple[Pointer, Examined]]:
        """Those of some entries, by their numbers in the manifest."""
        for number in entries:
            pointer = self._db.execute(f"{POINTERS} WHERE e.rowid = ?", (number,)).fetchone()
            row = self._db.execute(f"{CURRENT} WHERE e.rowid = ?", (number,)).fetchone()
            if pointer is not None and row is not None:
                yield Pointer._make(pointer), self._told(row)

    def _told(self, row: tuple[Name, int | None, str, int, int, int, str, Name]) -> Examined:
        name, size, stamp, number, offset, length, rules, first = row
        path = self._path(self._name(number))
        try:
            found = segments.unpacked(segments.frame_at(path, offset, length))
        except (OSError, StoreError) as error:
            raise StoreError(f"{path}: byte {offset}: {error}") from error
        told = told_of(found, Entry(uri=uri_of(name), size=size, stamp=stamp))
        return msgspec.structs.replace(under(told, rules), same_as=None if first == name else uri_of(first))

    def _name(self, number: int) -> str:
        if number not in self._names:
            self._names = dict(self._db.execute("SELECT number, name FROM segments"))
        return str(self._names[number])

    def _path(self, name: str) -> Path:
        return self.folder / segments.FOLDER / name

    # --- what was looked at --------------------------------------------------------------------

    def coverage(self, run: int | None = None) -> StoreCoverage:
        """Counts of entries and refusals, by what became of them; of all, or of those that one run found."""
        counts = tuple(
            StatusCount(status=status, files=files, bytes=size or 0)
            for status, files, size in self._db.execute(COUNTS, {"run": run})
        )
        findings, gaps = self._db.execute(ENDS, {"run": run}).fetchone()
        gaps += sum(one.files for one in counts if one.status in (REFUSED, WAITING))
        return StoreCoverage(counts=counts, findings=findings, is_complete=gaps == 0)

    @property
    def is_empty(self) -> bool:
        """No capture was looked at: that there is no hit then means nothing."""
        return bool(self._db.execute(IS_EMPTY).fetchone()[0])

    def hits(self, run: int | None = None) -> Iterator[str]:
        """Every entry with the failure, in the order of the URIs."""
        for (name,) in self._db.execute(HITS, {"run": run}):
            yield uri_of(name)

    def troubles(self, run: int | None = None) -> Iterator[Trouble]:
        """Every entry that was not wholly looked at, and every refusal that matters, in the order of the URIs."""
        for name, status, reason in self._db.execute(TROUBLES, {"run": run}):
            yield Trouble(uri=uri_of(name), status=status, reason=reason)

    def passed_over(self) -> Iterator[Trouble]:
        """What is no capture, or is never opened, in the order of the URIs."""
        for name, reason in self._db.execute(PASSED_OVER):
            yield Trouble(uri=uri_of(name), status=SKIPPED, reason=reason)


def under(found: Examined, rules: str) -> Examined:
    """The same, where newer rules have nothing to say of it: nothing was judged."""
    if found.rules_version == rules:
        return found
    told = found.report
    if told is not None:
        told = msgspec.structs.replace(told, tool=msgspec.structs.replace(told.tool, rules_version=rules))
    return msgspec.structs.replace(found, rules_version=rules, report=told)


CURRENT: Final = (
    "SELECT e.uri, e.size, e.stamp, r.segment, r.offset, r.length, r.rules, "
    "(SELECT MIN(o.uri) FROM entries o WHERE o.result = e.result) "
    "FROM entries e JOIN results r ON r.id = e.result"
)
POINTERS: Final = (
    "SELECT e.rowid, r.segment, r.offset, "
    "(SELECT o.rowid FROM entries o WHERE o.result = e.result ORDER BY o.uri LIMIT 1), r.rules "
    "FROM entries e JOIN results r ON r.id = e.result"
)
FINGERPRINT: Final = """
SELECT (SELECT MAX(id) FROM runs), (SELECT SUM(is_complete) FROM runs), (SELECT COUNT(*) FROM segments),
       COUNT(*), SUM(result) FROM entries WHERE result IS NOT NULL
"""
COUNTS: Final = f"""
SELECT CASE WHEN e.result IS NULL OR e.state != 'done' THEN '{WAITING}'
            WHEN EXISTS (SELECT 1 FROM entries o WHERE o.result = e.result AND o.uri < e.uri
                         AND (:run IS NULL OR o.run = :run)) THEN '{SAME}'
            ELSE r.status END AS became, COUNT(*), SUM(e.size)
FROM entries e LEFT JOIN results r ON r.id = e.result WHERE :run IS NULL OR e.run = :run GROUP BY became
UNION ALL
SELECT CASE WHEN is_trouble THEN '{REFUSED}' ELSE '{SKIPPED}' END AS became, COUNT(*), 0
FROM refusals WHERE :run IS NULL OR run = :run GROUP BY became
"""
ENDS: Final = """
SELECT COALESCE(SUM(r.exit_status = 1), 0), COALESCE(SUM(r.exit_status = 3 OR r.status != 'analyzed'), 0)
FROM entries e JOIN results r ON r.id = e.result WHERE (:run IS NULL OR e.run = :run)
"""
IS_EMPTY: Final = "SELECT NOT EXISTS (SELECT 1 FROM results WHERE status IN ('analyzed', 'partial'))"
HITS: Final = """
SELECT e.uri FROM entries e JOIN results r ON r.id = e.result
WHERE r.exit_status = 1 AND (:run IS NULL OR e.run = :run) ORDER BY e.uri
"""
WHY: Final = "reason || CASE WHEN detail = '' THEN '' ELSE ': ' || detail END"
TROUBLES: Final = f"""
SELECT e.uri, CASE WHEN e.state != 'done' THEN '{WAITING}' ELSE r.status END,
       CASE WHEN e.state != 'done' THEN '{NOT_YET}' ELSE r.reason END FROM entries e
LEFT JOIN results r ON r.id = e.result
WHERE (:run IS NULL OR e.run = :run) AND (e.state != 'done' OR r.status != 'analyzed')
UNION ALL
SELECT uri, '{REFUSED}', {WHY} FROM refusals WHERE is_trouble AND (:run IS NULL OR run = :run) ORDER BY 1
"""
PASSED_OVER: Final = f"SELECT uri, {WHY} FROM refusals WHERE NOT is_trouble ORDER BY uri"
