"""The manifest waits for the disk with what is acknowledged, and with nothing that would be found again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ctcp_forensics.archive import writer
from ctcp_forensics.archive.database import connect
from ctcp_forensics.archive.examine import Terms
from ctcp_forensics.archive.scan import Wanted, scan
from tests.sweeps import make_archive

SYNCHRONOUS = "PRAGMA synchronous = "


def transactions(statements: list[str]) -> list[tuple[str, list[str]]]:
    """How the disk was waited for, and the first two words of what was written, one transaction after the other."""
    found, mode, written = [], "", list[str]()
    for statement in statements:
        if statement.startswith(SYNCHRONOUS):
            mode = statement.removeprefix(SYNCHRONOUS)
        elif statement == "COMMIT":
            found.append((mode, written))
            written = []
        elif not statement.startswith(("SELECT", "BEGIN", "PRAGMA")):
            written.append(" ".join(statement.split()[:3]))
    return found


def test_what_is_acknowledged_waits_for_the_disk_and_what_was_found_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[str] = []

    def listening(path: Path, *, mode: str) -> sqlite3.Connection:
        database = connect(path, mode=mode)
        database.set_trace_callback(statements.append)
        return database

    monkeypatch.setattr(writer, "connect", listening)
    folder = make_archive(tmp_path / "in", 3)
    (folder / "notes.txt").write_text("no capture")
    scan(
        Wanted(places=[str(folder)], store=tmp_path / "store", terms=Terms(), engine="inline"),
        lambda _tally: None,
    )
    by_mode: dict[str, set[str]] = {"FULL": set(), "NORMAL": set()}
    for mode, written in transactions(statements):
        by_mode[mode].update(written)
    assert {"INSERT INTO results", "INSERT INTO segments", "UPDATE entries SET"} <= by_mode["FULL"]
    assert by_mode["NORMAL"] == {"INSERT INTO entries", "INSERT OR REPLACE"}
    assert [one for one in statements if one.startswith(SYNCHRONOUS)][-1] == f"{SYNCHRONOUS}FULL"
