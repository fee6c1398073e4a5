"""Writer: the one connection that writes to a manifest; transactions, and pages of rows that may be altered meanwhile.

Knows what is durable when.  Does not know what the rows mean: see manifest and alike.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ctcp_forensics.archive.database import SCHEMA, connect, version_of

ROWS_AT_ONCE: Final = 512
PAGE_PARAMETER: Final = 9
"""The number of the one that pages begin behind; those before it belong to what is asked."""


class Writer:
    """A connection to a manifest."""

    def __init__(self, path: Path, *, version: int) -> None:
        """`version` is that of a store that is begun now."""
        self._db = connect(path, mode="rwc")
        self._db.execute("PRAGMA synchronous = NORMAL")
        (mode,) = self._db.execute("PRAGMA journal_mode = WAL").fetchone()
        self._log = path.with_name(f"{path.name}-wal") if mode == "wal" else None
        """None where the file system knows no shared memory: then every transaction waits for the disk."""
        if version_of(self._db) == 0:
            self._create(version)
        self._db.execute("PRAGMA synchronous = FULL")
        self.version = version_of(self._db)

    def _create(self, version: int) -> None:
        """All tables or none: what a power cut leaves behind has version 0, and is begun anew.

        Nothing waits for the disk: the first result that is acknowledged takes all that was before it there.
        """
        self._db.executescript(f"BEGIN;{SCHEMA}PRAGMA user_version = {version};COMMIT;")

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def passing_transaction(self) -> Iterator[None]:
        """Of what would be found out again: nothing waits for the disk, and a power cut takes it back whole.

        With the next durable one it is durable, too: both are in one log, which is synced up to its end.
        """
        self._db.execute(f"PRAGMA synchronous = {'FULL' if self._log is None else 'NORMAL'}")
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

    def sync(self) -> None:
        """What passing transactions have written is on the disk behind this: what SQLite does after any other.

        Touches the log alone, of which SQLite locks nothing (sqlite.org/walformat.html, 2.3), so any thread may wait.
        """
        if self._log is None:
            return
        descriptor = os.open(self._log, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def execute(self, query: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        return self._db.execute(query, values)

    def executemany(self, query: str, rows: Iterable[Sequence[object]]) -> None:
        self._db.executemany(query, rows)

    def one(self, query: str, *values: object) -> int:
        """The number that is the answer."""
        return int(self._db.execute(query, values).fetchone()[0])

    def entries(self, columns: str, where: str, *values: object) -> Iterator[tuple[Any, ...]]:
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
