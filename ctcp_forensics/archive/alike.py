"""Alike: entries of one length, told apart or found to hold the same, by the keys that are taken of them.

Knows rows of entries.  Does not know how a key is made: see identity.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ctcp_forensics.archive.database import entry_of, name_of
from ctcp_forensics.archive.entry import Entry
from ctcp_forensics.archive.identity import NO_EDGES, UNREADABLE
from ctcp_forensics.archive.writer import Writer


class Alike:
    """The lookalikes among what one run has found."""

    def __init__(self, writer: Writer, *, run: int, terms: str, rules: str) -> None:
        self._writer, self._run = writer, run
        self._terms, self._rules = terms, rules

    def without_quick_key(self) -> Iterator[Entry]:
        """Entries of a length that some lookalike has."""
        return self._entries(
            "quick IS NULL AND length IN (SELECT length FROM entries WHERE state = 'lookalike' AND run = ?1)",
            self._run,
        )

    def without_whole_key(self) -> Iterator[Entry]:
        """Entries whose quick key some lookalike has, or may have."""
        alike = "FROM entries WHERE state = 'lookalike' AND run = ?1"
        return self._entries(
            f"content IS NULL AND (quick != ?2 AND quick IN (SELECT quick {alike}) OR length IN (SELECT length "
            f"{alike} AND quick = ?2) OR quick = ?2 AND length IN (SELECT length {alike}))",
            self._run,
            NO_EDGES,
        )

    def take_quick_keys(self, keys: Iterable[tuple[Entry, str]]) -> None:
        self._take_keys("UPDATE entries SET quick = ? WHERE uri = ?", keys)

    def take_whole_keys(self, keys: Iterable[tuple[Entry, str]]) -> None:
        self._take_keys("UPDATE entries SET content = ? WHERE uri = ?", keys)

    def _take_keys(self, query: str, keys: Iterable[tuple[Entry, str]]) -> None:
        with self._writer.passing_transaction():
            self._writer.executemany(query, [(key, name_of(entry.uri)) for entry, key in keys])

    def release_unlike(self) -> None:
        """Lookalikes whose quick key nobody else has are like no other."""
        with self._writer.transaction():
            self._writer.execute(
                "UPDATE entries SET state = 'waiting' WHERE state = 'lookalike' AND run = ?1 AND (quick = ?2 OR "
                "quick != ?3 AND NOT EXISTS (SELECT 1 FROM entries o WHERE o.quick = entries.quick AND o.rowid != "
                "entries.rowid) AND NOT EXISTS (SELECT 1 FROM entries o WHERE o.length = entries.length AND "
                "o.quick = ?3))",
                (self._run, UNREADABLE, NO_EDGES),
            )

    def settle_alike(self) -> None:
        """Lookalikes of what is done are done; of others that are alike, the first is examined and the rest wait."""
        with self._writer.transaction():
            self._writer.execute(
                "UPDATE entries SET state = 'done', result = twin.result FROM (SELECT o.content, MIN(o.result) AS "
                "result FROM entries o JOIN results r ON r.id = o.result WHERE o.state = 'done' AND "
                "o.content != ?1 AND r.terms = ?2 AND r.rules = ?3 AND o.content IN (SELECT content FROM entries "
                "WHERE state = 'lookalike') GROUP BY o.content) AS twin "
                "WHERE entries.state = 'lookalike' AND entries.run = ?4 AND entries.content = twin.content",
                (UNREADABLE, self._terms, self._rules, self._run),
            )
            self._writer.execute(
                "UPDATE entries SET state = 'waiting' WHERE state = 'lookalike' AND run = ?1 AND (content = ?2 OR NOT "
                "EXISTS (SELECT 1 FROM entries o WHERE o.content = entries.content AND o.rowid < entries.rowid AND "
                "o.state != 'done' AND o.run = ?1))",
                (self._run, UNREADABLE),
            )

    def set_aside(self) -> int:
        """How many wait to be told apart."""
        return self._writer.one(
            "SELECT COUNT(*) FROM entries WHERE state = 'lookalike' AND run = ?", self._run
        )

    def _entries(self, where: str, *values: object) -> Iterator[Entry]:
        for row in self._writer.entries("uri, size, length, stamp", where, *values):
            yield entry_of(*row)
