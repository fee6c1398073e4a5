"""Manifest: what was found, what became of it, and where its result is kept; SQLite, one writer.

Knows rows.  Everything is written in batches and read in streams, so that millions of entries need no memory here.
Does not know who does the work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from ctcp_forensics.archive.alike import Alike
from ctcp_forensics.archive.database import (
    DONE,
    HASHES,
    LOOKALIKE,
    NAME,
    SCHEMA_VERSION,
    WAITING,
    Name,
    entry_of,
    name_of,
)
from ctcp_forensics.archive.entry import Entry, Refusal
from ctcp_forensics.archive.examine import ANALYZED
from ctcp_forensics.archive.facts import facts_version
from ctcp_forensics.archive.identity import UNREADABLE
from ctcp_forensics.archive.task import Answer
from ctcp_forensics.archive.writer import ROWS_AT_ONCE, Writer
from ctcp_forensics.capture import HASH_LIMIT, HashName
from ctcp_forensics.capture.names import scheme_of


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
        self._writer = Writer(folder / NAME, version=version)
        self.transaction = self._writer.transaction
        with self._writer.passing_transaction():
            self.run = self._writer.one(
                "INSERT INTO runs (terms, rules) VALUES (?, ?) RETURNING id", terms, rules
            )
        self.alike = Alike(self._writer, run=self.run, terms=terms, rules=rules)

    @property
    def hash_name(self) -> HashName:
        """By which contents are known here."""
        return HASHES[self._writer.version]

    def sync(self) -> None:
        """All that was written is durable behind this.  Any thread may wait for it."""
        self._writer.sync()

    def close(self) -> None:
        self._writer.close()

    # --- what was found ----------------------------------------------------------------------

    def take_found(self, entries: Iterable[Entry], *, anew: bool) -> tuple[list[Todo], list[Todo]]:
        """Note what was found: what can be examined at once, and what is set aside since another has its length."""
        at_once, aside = list[Todo](), list[Todo]()
        with self._writer.passing_transaction():
            for entry in entries:
                state, todo = self._taken(entry, anew=anew)
                if state != DONE:
                    (aside if state == LOOKALIKE else at_once).append(todo)
        return at_once, aside

    def _taken(self, entry: Entry, *, anew: bool) -> tuple[str, Todo]:
        name = name_of(entry.uri)
        row = self._writer.execute(
            "SELECT e.state, e.size, e.stamp, e.tries, e.run, r.terms, r.rules, r.status, e.content FROM entries e "
            "LEFT JOIN results r ON r.id = e.result WHERE e.uri = ?",
            (name,),
        ).fetchone()
        if row is not None and row[4] == self.run:
            return DONE, Todo(entry=entry)  # it was found twice: nothing is left to do
        if row is not None and not anew and self._still_holds(entry, *row):
            self._writer.execute("UPDATE entries SET run = ? WHERE uri = ?", (self.run, name))
            return row[0], Todo(entry=entry, tries=row[3])
        state = LOOKALIKE if self._has_a_lookalike(name, entry.content_len) else WAITING
        self._writer.execute(
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
        return bool(self._writer.one(query, length, name))

    def take_refused(self, refusals: Iterable[Refusal]) -> None:
        rows = [(name_of(one.uri), one.reason, one.detail, int(one.is_trouble)) for one in refusals]
        if not rows:
            return
        with self._writer.passing_transaction():
            self.note_refusals(rows)

    def finish(self) -> None:
        """The run is over and saw everything: what an earlier one was refused and this one found is forgotten.

        What it did not come by stays refused: it may have looked elsewhere.  Whoever loses this finds it out again.
        """
        with self._writer.passing_transaction():
            self._writer.execute("UPDATE runs SET is_complete = 1 WHERE id = ?", (self.run,))
            self._writer.execute(FOUND_AFTER_ALL, (self.run,))

    def has_unfinished(self) -> bool:
        """Whether something that this run has found has no result yet."""
        query = "SELECT EXISTS (SELECT 1 FROM entries WHERE state != 'done' AND run = ?)"
        return bool(self._writer.one(query, self.run))

    def waiting(self) -> Iterator[Todo]:
        """All that this run has found and has still to examine."""
        rows = self._writer.entries(
            "uri, size, length, stamp, tries", "state = 'waiting' AND run = ?1", self.run
        )
        for name, size, length, stamp, tries in rows:
            yield Todo(entry=entry_of(name, size, length, stamp), tries=tries)

    # --- what became of it -------------------------------------------------------------------

    def next_segment(self) -> int:
        return self._writer.one("SELECT COALESCE(MAX(number), 0) + 1 FROM segments")

    def segment_names(self) -> set[str]:
        return {name for (name,) in self._writer.execute("SELECT name FROM segments")}

    def acknowledge(self, number: int, name: str, placed: Sequence[Placed]) -> None:
        """From now on these are the results, and will be after a power cut when it is synced."""
        with self._writer.passing_transaction():
            self.note_segment(number, name, len(placed))
            for one in placed:
                values = self._result(number, one)
                if one.judged_again is None:
                    self._note_new(one, values)
                else:
                    self._writer.execute(
                        f"UPDATE results SET ({RESULT_COLUMNS}) = ({RESULT_VALUES}) WHERE id = ?",
                        (*values, one.judged_again),
                    )

    def _note_new(self, one: Placed, values: tuple[object, ...]) -> None:
        answer, name = one.answer, name_of(one.entry.uri)
        before = self._writer.execute("SELECT result FROM entries WHERE uri = ?", (name,)).fetchone()[0]
        result = self.note_result(values)
        is_unread = answer.status == "rejected" and answer.content is None
        self._writer.execute(
            "UPDATE entries SET state = 'done', result = ?, content = CASE WHEN ? THEN NULL ELSE "
            "COALESCE(?, NULLIF(content, ?)) END WHERE uri = ?",
            (result, is_unread, answer.content, UNREADABLE, name),
        )
        if before is not None:
            self._writer.execute(
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
            return self._writer.one(
                "UPDATE entries SET tries = tries + 1 WHERE uri = ? RETURNING tries", name_of(entry.uri)
            )

    # --- from other stores -------------------------------------------------------------------

    def version_of(self, name: object) -> tuple[Any, ...] | None:
        """Size, stamp, rules and terms of an entry's result; None where the entry is not known."""
        found: tuple[Any, ...] | None = self._writer.execute(
            "SELECT e.size, e.stamp, r.rules, r.terms FROM entries e LEFT JOIN results r ON r.id = e.result "
            "WHERE e.uri = ?",
            (name,),
        ).fetchone()
        return found

    def result_of_content(self, content: str | None, rules: str, terms: str) -> int | None:
        """One that was made of the same bytes in the same way."""
        if content in (None, UNREADABLE):
            return None
        row = self._writer.execute(
            "SELECT r.id FROM entries e JOIN results r ON r.id = e.result WHERE e.content = ? AND r.rules = ? AND "
            "r.terms = ? LIMIT 1",
            (content, rules, terms),
        ).fetchone()
        return None if row is None else int(row[0])

    def note_segment(self, number: int, name: str, results: int) -> None:
        self._writer.execute("INSERT INTO segments VALUES (?, ?, ?)", (number, name, results))

    def note_result(self, values: Sequence[object]) -> int:
        """Its number, which is that of its row."""
        query = f"INSERT INTO results ({RESULT_COLUMNS}) VALUES ({RESULT_VALUES})"
        return cast(int, self._writer.execute(query, values).lastrowid)

    def note_merged(self, entry: Sequence[object], result: int | None) -> None:
        """An entry of another store as it is there: uri, size, length, stamp, quick and content."""
        self._writer.execute(
            "INSERT OR REPLACE INTO entries (uri, size, length, stamp, quick, content, state, result, run) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*entry, WAITING if result is None else DONE, result, self.run),
        )

    def note_refusals(self, refusals: Iterable[Sequence[object]]) -> None:
        self._writer.executemany(
            "INSERT OR REPLACE INTO refusals VALUES (?, ?, ?, ?, ?)", ((*row, self.run) for row in refusals)
        )

    # --- newer rules -------------------------------------------------------------------------

    def stamp_unjudged(self) -> int:
        """Where nothing was judged, newer rules say what the older ones said: nothing."""
        with self.transaction():
            found = self._writer.execute(
                "UPDATE results SET rules = ? WHERE rules != ? AND judged = 0 AND terms = ?",
                (self._rules, self._rules, self._terms),
            )
            return found.rowcount

    def to_judge_again(self) -> Iterator[Kept]:
        """Results of older rules whose facts suffice.  Others are read again when they are found."""
        query = "SELECT EXISTS (SELECT 1 FROM results WHERE rules != ? AND facts != '')"
        if not self._writer.one(query, self._rules):
            return
        last, facts = 0, facts_version()
        query = (
            "SELECT r.id, s.name, r.offset, r.length, MIN(e.uri), e.size, e.length, e.stamp FROM results r "
            "JOIN segments s ON s.number = r.segment JOIN entries e ON e.result = r.id "
            "WHERE r.rules != ? AND r.facts = ? AND r.terms = ? AND r.id > ? "
            f"GROUP BY r.id ORDER BY r.id LIMIT {ROWS_AT_ONCE}"
        )
        while page := self._writer.execute(query, (self._rules, facts, self._terms, last)).fetchall():
            for result, segment, offset, length, *entry in page:
                yield Kept(id=result, segment=segment, offset=offset, length=length, entry=entry_of(*entry))
            last = page[-1][0]


def broke_off(entry: Entry, status: object, content: object) -> bool:
    """As far as can be known it was out of reach: what is damaged was read to its end, and hashed.

    Of a member that is damaged inside its container it is noted that it has no hash.
    """
    is_short = (entry.size or 0) <= HASH_LIMIT
    return scheme_of(entry.uri) is not None and status != ANALYZED and content is None and is_short


FOUND_AFTER_ALL: Final = """
DELETE FROM refusals AS r WHERE run != ?1 AND (
    EXISTS (SELECT 1 FROM entries WHERE run = ?1 AND uri = r.uri)
    OR EXISTS (SELECT 1 FROM entries WHERE run = ?1 AND uri > r.uri || '!' AND uri < r.uri || '"')
    OR EXISTS (SELECT 1 FROM entries WHERE run = ?1 AND uri > r.uri || '/' AND uri < r.uri || '0'))
"""
"""It is a capture by now, or an archive of some (`!` stands behind its name, and `"` is the next letter), or a folder
of some (`/`, and `0` is the next letter)."""
RESULT_COLUMNS: Final = (
    "segment, offset, length, status, reason, judged, facts, rules, terms, frames, bytes, "
    "exit_status, seconds"
)
RESULT_VALUES: Final = ", ".join("?" * len(RESULT_COLUMNS.split(", ")))
