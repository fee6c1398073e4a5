"""Database: the tables of a manifest, and how a name is kept in them.

Knows SQLite.  Does not know who writes what: see manifest and store.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ctcp_forensics.archive.entry import Entry
from ctcp_forensics.capture import HashName
from ctcp_forensics.capture.digest import BLAKE3, SHA256
from ctcp_forensics.errors import CtcpError

NAME: Final = "manifest.sqlite3"
SCHEMA_VERSION: Final = 2
HASHES: Final[dict[int, HashName]] = {1: SHA256, SCHEMA_VERSION: BLAKE3}
"""By the version of a store, the hash that it knows contents by.  A store keeps the one that it was begun with: two
hashes of one content cannot be told to be of the same."""
BUSY_S: Final = 30.0
"""A reader that finds the manifest being checkpointed waits so long."""
NOT_DAMAGED: Final = ("SQLITE_READONLY", "SQLITE_FULL", "SQLITE_CANTOPEN", "SQLITE_BUSY")
"""What SQLite says where the disk, the permissions or another writer are in the way, and the store is whole."""
WAITING, LOOKALIKE, DONE = "waiting", "lookalike", "done"
"""States of an entry: to be examined; to be told apart from others of its length; with a result."""


SCHEMA: Final = """
CREATE TABLE runs (id INTEGER PRIMARY KEY, terms TEXT NOT NULL, rules TEXT NOT NULL,
                   is_complete INTEGER NOT NULL DEFAULT 0);
CREATE TABLE segments (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, results INTEGER NOT NULL);
CREATE TABLE results (id INTEGER PRIMARY KEY, segment INTEGER NOT NULL REFERENCES segments, offset INTEGER NOT NULL,
                      length INTEGER NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL, judged INTEGER NOT NULL,
                      facts TEXT NOT NULL, rules TEXT NOT NULL, terms TEXT NOT NULL, frames INTEGER NOT NULL,
                      bytes INTEGER NOT NULL, exit_status INTEGER NOT NULL, seconds REAL NOT NULL);
CREATE TABLE entries (uri PRIMARY KEY NOT NULL, size INTEGER, length INTEGER, stamp TEXT NOT NULL, state TEXT NOT NULL,
                      tries INTEGER NOT NULL DEFAULT 0, quick TEXT, content TEXT, result INTEGER REFERENCES results,
                      run INTEGER NOT NULL REFERENCES runs);
CREATE TABLE refusals (uri PRIMARY KEY NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
                       is_trouble INTEGER NOT NULL, run INTEGER NOT NULL REFERENCES runs) WITHOUT ROWID;
CREATE INDEX entries_by_length ON entries (length, quick);
CREATE INDEX entries_by_result ON entries (result, uri);
CREATE INDEX entries_unfinished ON entries (state, length) WHERE state != 'done';
CREATE INDEX entries_by_quick ON entries (quick) WHERE quick IS NOT NULL;
CREATE INDEX entries_by_content ON entries (content) WHERE content IS NOT NULL;
"""
"""`uri` has no type: a name that is text is TEXT, one that is not is the BLOB of its bytes."""

Name = str | bytes


class StoreError(CtcpError):
    """A store that cannot be opened, or not be written."""


def name_of(uri: str) -> Name:
    """As SQLite keeps it."""
    data = os.fsencode(uri)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def uri_of(name: Name) -> str:
    return name if isinstance(name, str) else os.fsdecode(name)


def entry_of(name: Name, size: int | None, length: int | None, stamp: str) -> Entry:
    return Entry(uri=uri_of(name), size=size, length=None if length == size else length, stamp=stamp)


def insist_on_store(folder: Path) -> None:
    """Raises StoreError where there is none, with what makes one of what is there instead."""
    if not (folder / NAME).is_file():
        raise StoreError(f"{folder}: {_instead_of_store(folder)}")


def _instead_of_store(folder: Path) -> str:
    from shlex import quote

    named = quote(str(folder))
    if folder.is_dir():
        return f"is a folder without a store; `ctcp-diag scan {named} --store DIR` makes one of its captures"
    if folder.exists():
        return (
            f"is a file, and a store is a folder; `ctcp-diag scan {named} --store DIR` makes one of a capture"
        )
    return f"there is no store; `ctcp-diag scan PLACE --store {named}` makes one"


@contextmanager
def sound(folder: Path) -> Iterator[None]:
    """While a manifest is read: what SQLite says of a damaged one is told as ours."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise StoreError(f"{folder / NAME}: {_wrong_with(error)}") from error


def _wrong_with(error: Exception) -> str:
    if getattr(error, "sqlite_errorname", "").startswith(NOT_DAMAGED):
        return f"cannot be written: {error}"
    return f"is damaged ({error}); scan the same places into a new store"


def connect(path: Path, *, mode: str) -> sqlite3.Connection:
    """Raises StoreError where there is no manifest of this version."""
    try:
        found = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_S,
            isolation_level=None,
        )
        version = version_of(found)
    except sqlite3.Error as error:
        raise StoreError(f"{path.parent}: no store that can be read: {error}") from error
    if version == 0 and mode == "ro":
        found.close()
        raise StoreError(f"{path.parent}: a scan was stopped before it kept anything there; begin it again")
    if version not in (*HASHES, 0):
        found.close()
        raise StoreError(
            f"{path.parent}: the store has version {version}, this ctcp-diag knows versions up to {SCHEMA_VERSION}: "
            "ask it with a newer one, or scan into a new store"
        )
    return found


def version_of(database: sqlite3.Connection) -> int:
    """0 before anything is in it."""
    return int(database.execute("PRAGMA user_version").fetchone()[0])
