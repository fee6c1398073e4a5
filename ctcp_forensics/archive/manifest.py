"""Manifest: what was found, what became of it, and where its result is kept; SQLite, one writer.

Knows rows.  Everything is written in batches and read in streams, so that millions of entries need no memory here.
Does not know who does the work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from ctcp_forensics.archive.database import (
    HASHES,
    NAME,
    SCHEMA,
    SCHEMA_VERSION,
    Name,
    connect,
    entry_of,
    name_of,
    version_of,
)
from ctcp_forensics.archive.entry import Entry, Refusal
from ctcp_forensics.archive.examine import ANALYZED
from ctcp_forensics.archive.facts import FACTS_VERSION
from ctcp_forensics.archive.identity import NO_EDGES, UNREADABLE
from ctcp_forensics.archive.task import Answer
from ctcp_forensics.capture import HASH_LIMIT, HashName
from ctcp_forensics.capture.names import scheme_of

ROWS_AT_ONCE: Final = 512
PAGE_PARAMETER: Final = 9
"""The number of the one that pages begin behind; those before it belong to what is asked."""

WAITING, LOOKALIKE, DONE = "waiting", "lookalike", "done"


class Todo(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that waits to be examined."""

    entry: Entry
    tries: int = 0


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Where a result lies."""

    id: int
    segment: str
    offset: int
    length: int
    entry: Entry


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, and where its frame lies in the segment that is to be acknowledged."""

    entry: Entry
    answer: Answer
    offset: int
    judged_again: int | None = None
    """The result that it takes the place of; None: it is a new one."""


class Manifest:
    """The one writer."""

    def __init__(self, folder: Path, *, terms: str, rules: str, version: int = SCHEMA_VERSION) -> None:
        """`version` is that of a store that is begun now."""
        self._terms, self._rules = terms, rules
        self._db = connect(folder / NAME, mode="rwc")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        if version_of(self._db) == 0:
            self._create(version)
        self.version = version_of(self._db)
        with self.transaction():
            self.run = self._one("INSERT INTO runs (terms, rules) VALUES (?, ?) RETURNING id", terms, rules)

    @property
    def hash_name(self) -> HashName:
        """By which contents are known here."""
        return HASHES[self.version]

    def _create(self, version: int) -> None:
        """All tables or none: what a power cut leaves behind has version 0, and is begun anew."""
        self._db.executescript(f"BEGIN;{SCHEMA}PRAGMA user_version = {version};COMMIT;")

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def passing_transaction(self) -> Iterator[None]:
        """Of what would be found out again: nothing waits for the disk, and a power cut takes it back whole.

        With the next durable one it is durable, too: both are in one log, which is synced up to its end.
        """
        self._db.execute("PRAGMA synchronous = NORMAL")
        try:
            with self.transaction():
                yield
        finally:
            self._db.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Durable when it is left, unless it is a passing one."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:  # a full disk has ended it already
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _one(self, query: str, *values: object) -> int:
        return int(self._db.execute(query, values).fetchone()[0])

    # --- what was found ----------------------------------------------------------------------

    def take_found(self, entries: Iterable[Entry], *, anew: bool) -> tuple[list[Todo], list[Todo]]:
        """Note what was found: what can be examined at once, and what is set aside since another has its length."""
        at_once, aside = list[Todo](), list[Todo]()
        with self.passing_transaction():
            for entry in entries:
                state, todo = self._taken(entry, anew=anew)
                if state != DONE:
                    (aside if state == LOOKALIKE else at_once).append(todo)
        return at_once, aside

    def _taken(self, entry: Entry, *, anew: bool) -> tuple[str, Todo]:
        name = name_of(entry.uri)
        row = self._db.execute(
            "SELECT e.state, e.size, e.stamp, e.tries, e.run, r.terms, r.rules, r.status, e.content FROM entries e "
            "LEFT JOIN results r ON r.id = e.result WHERE e.uri = ?",
            (name,),
        ).fetchone()
        if row is not None and row[4] == self.run:
            return DONE, Todo(entry=entry)  # it was found twice: nothing is left to do
        if row is not None and not anew and self._still_holds(entry, *row):
            self._db.execute("UPDATE entries SET run = ? WHERE uri = ?", (self.run, name))
            return row[0], Todo(entry=entry, tries=row[3])
        state = LOOKALIKE if self._has_a_lookalike(name, entry.content_len) else WAITING
        self._db.execute(
            "INSERT INTO entries (uri, size, length, stamp, state, run) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT "
            "(uri) DO UPDATE SET size = ?2, length = ?3, stamp = ?4, state = ?5, run = ?6, tries = 0, quick = NULL, "
            "content = NULL",
            (name, entry.size, entry.content_len, entry.stamp, state, self.run),
        )
        return state, Todo(entry=entry)

    def _still_holds(self, entry: Entry, state: str, size: int | None, stamp: str, *row: object) -> bool:
        """What is noted of it is of this very file, and what was done was done under these terms and rules."""
        if (size, stamp) != (entry.size, entry.stamp):
            return False
        *_, terms, rules, status, content = row
        is_answered = (terms, rules) == (self._terms, self._rules) and not broke_off(entry, status, content)
        return state != DONE or is_answered

    def _has_a_lookalike(self, name: Name, length: int | None) -> bool:
        if not length:
            return False
        query = "SELECT EXISTS (SELECT 1 FROM entries WHERE length = ? AND uri != ?)"
        return bool(self._one(query, length, name))

    def take_refused(self, refusals: Iterable[Refusal]) -> None:
        rows = [(name_of(one.uri), one.reason, one.detail, int(one.is_trouble)) for one in refusals]
        if not rows:
            return
        with self.passing_transaction():
            self.note_refusals(rows)

    def finish(self) -> None:
        """The run is over and saw everything: what was refused before and no more is forgotten."""
        with self.transaction():
            self._db.execute("UPDATE runs SET is_complete = 1 WHERE id = ?", (self.run,))

    # --- who is like whom --------------------------------------------------------------------

    def without_quick_key(self) -> Iterator[Entry]:
        """Entries of a length that some lookalike has."""
        return self._entries(
            "quick IS NULL AND length IN (SELECT length FROM entries WHERE state = 'lookalike' AND run = ?1)",
            self.run,
        )

    def without_whole_key(self) -> Iterator[Entry]:
        """Entries whose quick key some lookalike has, or may have."""
        alike = "FROM entries WHERE state = 'lookalike' AND run = ?1"
        return self._entries(
            f"content IS NULL AND (quick != ?2 AND quick IN (SELECT quick {alike}) OR length IN (SELECT length "
            f"{alike} AND quick = ?2) OR quick = ?2 AND length IN (SELECT length {alike}))",
            self.run,
            NO_EDGES,
        )

    def take_quick_keys(self, keys: Iterable[tuple[Entry, str]]) -> None:
        self._take_keys("UPDATE entries SET quick = ? WHERE uri = ?", keys)

    def take_whole_keys(self, keys: Iterable[tuple[Entry, str]]) -> None:
        self._take_keys("UPDATE entries SET content = ? WHERE uri = ?", keys)

    def _take_keys(self, query: str, keys: Iterable[tuple[Entry, str]]) -> None:
        with self.passing_transaction():
            self._db.executemany(query, [(key, name_of(entry.uri)) for entry, key in keys])

    def release_unlike(self) -> None:
        """Lookalikes whose quick key nobody else has are like no other."""
        with self.transaction():
            self._db.execute(
                "UPDATE entries SET state = 'waiting' WHERE state = 'lookalike' AND run = ?1 AND (quick = ?2 OR "
                "quick != ?3 AND NOT EXISTS (SELECT 1 FROM entries o WHERE o.quick = entries.quick AND o.rowid != "
                "entries.rowid) AND NOT EXISTS (SELECT 1 FROM entries o WHERE o.length = entries.length AND "
                "o.quick = ?3))",
                (self.run, UNREADABLE, NO_EDGES),
            )

    def settle_alike(self) -> None:
        """Lookalikes of what is done are done; of others that are alike, the first is examined and the rest wait."""
        with self.transaction():
            self._db.execute(
                "UPDATE entries SET state = 'done', result = twin.result FROM (SELECT o.content, MIN(o.result) AS "
                "result FROM entries o JOIN results r ON r.id = o.result WHERE o.state = 'done' AND "
                "o.content != ?1 AND r.terms = ?2 AND r.rules = ?3 AND o.content IN (SELECT content FROM entries "
                "WHERE state = 'lookalike') GROUP BY o.content) AS twin "
                "WHERE entries.state = 'lookalike' AND entries.run = ?4 AND entries.content = twin.content",
                (UNREADABLE, self._terms, self._rules, self.run),
            )
            self._db.execute(
                "UPDATE entries SET state = 'waiting' WHERE state = 'lookalike' AND run = ?1 AND (content = ?2 OR NOT "
                "EXISTS (SELECT 1 FROM entries o WHERE o.content = entries.content AND o.rowid < entries.rowid AND "
                "o.state != 'done' AND o.run = ?1))",
                (self.run, UNREADABLE),
            )

    def waiting(self) -> Iterator[Todo]:
        """All that this run has found and has still to examine."""
        for name, size, length, stamp, tries in self._pages(
            "uri, size, length, stamp, tries", "state = 'waiting' AND run = ?1", self.run
        ):
            yield Todo(entry=entry_of(name, size, length, stamp), tries=tries)

    def lookalikes(self) -> int:
        return self._one("SELECT COUNT(*) FROM entries WHERE state = 'lookalike' AND run = ?", self.run)

    def _entries(self, where: str, *values: object) -> Iterator[Entry]:
        for row in self._pages("uri, size, length, stamp", where, *values):
            yield entry_of(*row)

    def _pages(self, columns: str, where: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """Rows in pages, by what was last: rows may be altered between two pages."""
        last = 0
        query = (
            f"SELECT rowid, {columns} FROM entries WHERE ({where}) AND rowid > ?{PAGE_PARAMETER} "
            f"ORDER BY rowid LIMIT {ROWS_AT_ONCE}"
        )
        padding = (None,) * (PAGE_PARAMETER - 1 - len(values))
        while page := self._db.execute(query, (*values, *padding, last)).fetchall():
            yield from (row[1:] for row in page)
            last = page[-1][0]

    # --- what became of it -------------------------------------------------------------------

    def next_segment(self) -> int:
        return self._one("SELECT COALESCE(MAX(number), 0) + 1 FROM segments")

    def segment_names(self) -> set[str]:
        return {name for (name,) in self._db.execute("SELECT name FROM segments")}

    def acknowledge(self, number: int, name: str, placed: Sequence[Placed]) -> None:
        """From now on these are the results, and will be after a power cut."""
        with self.transaction():
            self.note_segment(number, name, len(placed))
            for one in placed:
                values = self._result(number, one)
                if one.judged_again is None:
                    self._note_new(one, values)
                else:
                    self._db.execute(
                        f"UPDATE results SET ({RESULT_COLUMNS}) = ({RESULT_VALUES}) WHERE id = ?",
                        (*values, one.judged_again),
                    )

    def _note_new(self, one: Placed, values: tuple[object, ...]) -> None:
        answer, name = one.answer, name_of(one.entry.uri)
        before = self._db.execute("SELECT result FROM entries WHERE uri = ?", (name,)).fetchone()[0]
        result = self.note_result(values)
        is_unread = answer.status == "rejected" and answer.content is None
        self._db.execute(
            "UPDATE entries SET state = 'done', result = ?, content = CASE WHEN ? THEN NULL ELSE "
            "COALESCE(?, content) END WHERE uri = ?",
            (result, is_unread, answer.content, name),
        )
        if before is not None:
            self._db.execute(
                "DELETE FROM results WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM entries WHERE result = ?1)",
                (before,),
            )

    def _result(self, number: int, one: Placed) -> tuple[object, ...]:
        answer = one.answer
        return (
            number,
            one.offset,
            len(answer.frame),
            answer.status,
            answer.reason,
            answer.judged,
            answer.facts_version,
            answer.rules_version,
            self._terms,
            answer.frames,
            answer.read_len,
            answer.exit_status,
            answer.seconds,
        )

    def note_try(self, entry: Entry) -> int:
        """A worker died of it; how often that has happened."""
        with self.transaction():
            return self._one(
                "UPDATE entries SET tries = tries + 1 WHERE uri = ? RETURNING tries", name_of(entry.uri)
            )

    # --- from other stores -------------------------------------------------------------------

    def version_of(self, name: object) -> tuple[Any, ...] | None:
        """Size, stamp, rules and terms of an entry's result; None where the entry is not known."""
        found: tuple[Any, ...] | None = self._db.execute(
            "SELECT e.size, e.stamp, r.rules, r.terms FROM entries e LEFT JOIN results r ON r.id = e.result "
            "WHERE e.uri = ?",
            (name,),
        ).fetchone()
        return found

    def result_of_content(self, content: str | None, rules: str, terms: str) -> int | None:
        """One that was made of the same bytes in the same way."""
        if content in (None, UNREADABLE):
            return None
        row = self._db.execute(
            "SELECT r.id FROM entries e JOIN results r ON r.id = e.result WHERE e.content = ? AND r.rules = ? AND "
            "r.terms = ? LIMIT 1",
            (content, rules, terms),
        ).fetchone()
        return None if row is None else int(row[0])

    def note_segment(self, number: int, name: str, results: int) -> None:
        self._db.execute("INSERT INTO segments VALUES (?, ?, ?)", (number, name, results))

    def note_result(self, values: Sequence[object]) -> int:
        query = f"INSERT INTO results ({RESULT_COLUMNS}) VALUES ({RESULT_VALUES}) RETURNING id"
        return self._one(query, *values)

    def note_merged(self, entry: Sequence[object], result: int | None) -> None:
        """An entry of another store as it is there: uri, size, length, stamp, quick and content."""
        self._db.execute(
            "INSERT OR REPLACE INTO entries (uri, size, length, stamp, quick, content, state, result, run) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*entry, WAITING if result is None else DONE, result, self.run),
        )

    def note_refusals(self, refusals: Iterable[Sequence[object]]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO refusals VALUES (?, ?, ?, ?, ?)", ((*row, self.run) for row in refusals)
        )

    # --- newer rules -------------------------------------------------------------------------

    def stamp_unjudged(self) -> int:
        """Where nothing was judged, newer rules say what the older ones said: nothing."""
        with self.transaction():
            found = self._db.execute(
                "UPDATE results SET rules = ? WHERE rules != ? AND judged = 0 AND terms = ?",
                (self._rules, self._rules, self._terms),
            )
            return found.rowcount

    def to_judge_again(self) -> Iterator[Kept]:
        """Results of older rules whose facts suffice.  Others are read again when they are found."""
        last = 0
        query = (
            "SELECT r.id, s.name, r.offset, r.length, MIN(e.uri), e.size, e.length, e.stamp FROM results r "
            "JOIN segments s ON s.number = r.segment JOIN entries e ON e.result = r.id "
            "WHERE r.rules != ? AND r.facts = ? AND r.terms = ? AND r.id > ? "
            f"GROUP BY r.id ORDER BY r.id LIMIT {ROWS_AT_ONCE}"
        )
        while page := self._db.execute(query, (self._rules, FACTS_VERSION, self._terms, last)).fetchall():
            for result, segment, offset, length, *entry in page:
                yield Kept(id=result, segment=segment, offset=offset, length=length, entry=entry_of(*entry))
            last = page[-1][0]


def broke_off(entry: Entry, status: object, content: object) -> bool:
    """As far as can be known it was out of reach: what is damaged was read to its end, and hashed."""
    is_short = (entry.size or 0) <= HASH_LIMIT
    return scheme_of(entry.uri) is not None and status != ANALYZED and content is None and is_short


RESULT_COLUMNS: Final = (
    "segment, offset, length, status, reason, judged, facts, rules, terms, frames, bytes, "
    "exit_status, seconds"
)
RESULT_VALUES: Final = ", ".join("?" * len(RESULT_COLUMNS.split(", ")))
