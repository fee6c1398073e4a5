"""The manifest waits for the disk with what is acknowledged, and with nothing that would be found again."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from threading import Event, current_thread, main_thread

import pytest

from ctcp_forensics.archive import planner, run, segment, writer
from ctcp_forensics.archive.database import StoreError, connect
from ctcp_forensics.archive.engine import Job
from ctcp_forensics.archive.engine.inline import InlineEngine
from ctcp_forensics.archive.examine import Terms
from ctcp_forensics.archive.scan import Swept, Wanted, scan
from tests.sweeps import make_archive, results
from tests.test_archive_command import of_many_lengths

SYNCHRONOUS = "PRAGMA synchronous = "
NAMED, SYNCED, HEARD = "a segment has its name", "the log is on the disk", "results are heard of"
PATIENCE_S = 30.0


def swept(folder: Path, store: Path, hear: run.Hear = run.nobody) -> Swept:
    wanted = Wanted(places=[str(folder)], store=store, terms=Terms(), engine="inline")
    return scan(wanted, lambda _tally: None, hear)


def transactions(statements: list[str]) -> list[tuple[str, list[str]]]:
    """How the disk was waited for, and the first words of what was written, one transaction after the other."""
    found, mode, written = [], "", list[str]()
    for statement in map(str.strip, statements):
        if statement.startswith(SYNCHRONOUS):
            mode = statement.removeprefix(SYNCHRONOUS)
        elif statement == "COMMIT":
            found.append((mode, written))
            written = []
        elif statement.startswith(("INSERT", "UPDATE", "DELETE")):
            written.append(" ".join(statement.split()[:3]))
    return found


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What SQLite is told, and between it what is done to the disk."""
    told: list[str] = []
    sync, write = writer.Writer.sync, segment.write_durably

    def listening(path: Path, *, mode: str) -> sqlite3.Connection:
        database = connect(path, mode=mode)
        database.set_trace_callback(told.append)
        return database

    def synced(self: writer.Writer) -> None:
        sync(self)
        told.append(SYNCED)

    def written(path: Path, frames: Sequence[bytes]) -> None:
        write(path, frames)
        told.append(NAMED)

    monkeypatch.setattr(writer, "connect", listening)
    monkeypatch.setattr(writer.Writer, "sync", synced)
    monkeypatch.setattr(segment, "write_durably", written)
    return told


def test_a_result_is_in_a_segment_then_in_the_manifest_then_on_the_disk_and_then_it_is_heard_of(
    tmp_path: Path, statements: list[str]
) -> None:
    swept(make_archive(tmp_path / "in", 3), tmp_path / "store", lambda _frames: statements.append(HEARD))
    steps = [
        "pointed to" if one.startswith("INSERT INTO segments") else one
        for one in statements
        if one.startswith("INSERT INTO segments") or one in (NAMED, SYNCED, HEARD)
    ]
    assert steps == [NAMED, "pointed to", SYNCED, HEARD]


def test_what_would_be_found_again_never_waits_for_the_disk(tmp_path: Path, statements: list[str]) -> None:
    folder = make_archive(tmp_path / "in", 3)
    (folder / "notes.txt").write_text("no capture")
    swept(folder, tmp_path / "store")
    by_mode: dict[str, set[str]] = {"FULL": set(), "NORMAL": set()}
    for mode, written in transactions(statements):
        by_mode[mode].update(written)
    assert {"INSERT INTO entries", "INSERT OR REPLACE", "INSERT INTO results"} <= by_mode["NORMAL"]
    assert {"UPDATE runs SET", "DELETE FROM refusals"} <= by_mode["NORMAL"]
    assert by_mode["FULL"] == {"UPDATE results SET"}
    assert [one for one in statements if one.startswith(SYNCHRONOUS)][-1] == f"{SYNCHRONOUS}FULL"


def test_nobody_waits_for_the_disk_while_there_is_something_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk takes nothing before the last task has been given out; whoever waited for it would wait for ever."""
    monkeypatch.setattr(run, "TOGETHER_S", 0.0)
    monkeypatch.setattr(planner.Planner, "take", lambda self: [self._next()])
    folder, given, all_given = of_many_lengths(tmp_path / "in", 5), list[Job](), Event()
    write, submit = segment.write_durably, InlineEngine.submit

    def written(path: Path, frames: Sequence[bytes]) -> None:
        assert current_thread() is not main_thread()
        assert all_given.wait(PATIENCE_S)
        write(path, frames)

    def submitted(self: InlineEngine, job: Job) -> None:
        given.append(job)
        if len(given) == 5:
            all_given.set()
        submit(self, job)

    monkeypatch.setattr(segment, "write_durably", written)
    monkeypatch.setattr(InlineEngine, "submit", submitted)
    assert swept(folder, tmp_path / "store").coverage.files("analyzed") == 5


@pytest.mark.parametrize("step", ["segment", "log"])
def test_what_the_disk_refuses_is_told_and_nothing_is_heard_of(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    folder, heard = make_archive(tmp_path / "in", 2), list[Sequence[bytes]]()
    with monkeypatch.context() as broken:
        if step == "segment":
            broken.setattr(segment, "write_durably", full)
        else:
            broken.setattr(writer.Writer, "sync", full)
        with pytest.raises(StoreError, match="No space left on device; what was acknowledged is safe"):
            swept(folder, tmp_path / "store", heard.append)
    assert heard == []
    swept(folder, tmp_path / "store", heard.append)
    swept(folder, tmp_path / "expected")
    assert results(tmp_path / "store") == results(tmp_path / "expected")
