"""`scan` as a command: what it is told to look at, and what it says while it does."""

from __future__ import annotations

import io
import os
import pty
import re
import signal
import sqlite3
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from ctcp_forensics import RULES_VERSION
from ctcp_forensics.archive import planner, run, scan, segment
from ctcp_forensics.archive.database import StoreError
from ctcp_forensics.archive.engine import Ended, EngineError, Job, Running
from ctcp_forensics.archive.engine.inline import InlineEngine
from ctcp_forensics.archive.entry import Entry, Found, Trail
from ctcp_forensics.archive.examine import Terms
from ctcp_forensics.archive.manifest import Manifest
from ctcp_forensics.archive.store import NOT_YET, SAME, SKIPPED, Store, Trouble
from ctcp_forensics.archive.tally import Tally, Together
from ctcp_forensics.archive.task import Task, answer_of, item_of, payload_of, work
from ctcp_forensics.capture import Hashing
from ctcp_forensics.capture.names import shown
from ctcp_forensics.cli import analysis, headway, main, sweeping
from ctcp_forensics.pipeline import Options, diagnose
from tests.archives import zipped
from tests.savefiles import record
from tests.sweeps import (
    PLAIN,
    SAMPLES,
    environment,
    make_archive,
    results,
    scan_words,
    scanned,
    shifted,
)

MB = 1_000_000
SECOND_NS = 1_000_000_000
WIPE = "\r\x1b[K"


def uris(store: Path) -> list[str]:
    opened = Store.open(store)
    try:
        return [found.uri for found in opened.current()]
    finally:
        opened.close()


# --- what it is told to look at ------------------------------------------------------------------


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """Three captures, one of them with a name that holds a line feed."""
    folder = make_archive(tmp_path / "in", 3)
    (folder / "002.pcap").rename(folder / "0\n2.pcap")
    return folder


def test_a_list_of_files_is_a_name_to_a_line(odd: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"{odd}/001.pcap\n\n{odd}/000.pcap\n{odd}/001.pcap\n")
    ended = scanned(tmp_path / "store", "--files-from", tmp_path / "list")
    assert uris(tmp_path / "store") == [f"{odd}/000.pcap", f"{odd}/001.pcap"]
    assert (ended.returncode, ended.stderr) == (1, "")


def test_a_list_of_files_beside_places_and_from_standard_input_may_end_names_in_nul(
    odd: Path, tmp_path: Path
) -> None:
    words = scan_words(tmp_path / "store", odd / "000.pcap", "--files-from", "-", "-0")
    listed = f"{odd}/0\n2.pcap\0{odd}/nowhere.pcap".encode()
    ended = subprocess.run(words, input=listed, capture_output=True, timeout=120, check=False)
    assert uris(tmp_path / "store") == [f"{odd}/0\n2.pcap", f"{odd}/000.pcap"]
    assert f"{odd}/nowhere.pcap: refused: missing".encode() in ended.stdout


def test_names_with_line_feeds_are_two_names_without_null(odd: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"{odd}/0\n2.pcap\n")
    ended = scanned(tmp_path / "store", "--files-from", tmp_path / "list")
    assert uris(tmp_path / "store") == []
    assert "2 places not wholly looked at" in ended.stdout
    assert ended.returncode == 2


def test_a_list_that_is_not_there_is_refused(tmp_path: Path) -> None:
    ended = scanned(tmp_path / "store", "--files-from", tmp_path / "nowhere")
    assert ended.returncode == 2
    assert ended.stderr == f"ctcp-diag: cannot read the list {tmp_path}/nowhere: No such file or directory\n"
    assert not (tmp_path / "store").exists()


def test_links_are_followed_where_that_is_asked_for(tmp_path: Path) -> None:
    folder, beside = make_archive(tmp_path / "in", 1), make_archive(tmp_path / "beside", 2, prefix="b")
    (folder / "link").symlink_to(beside)
    (folder / "loop").symlink_to(folder)
    (folder / "b.pcap").symlink_to(beside / "b001.pcap")
    scanned(tmp_path / "plain", folder)
    assert uris(tmp_path / "plain") == [f"{folder}/000.pcap"]
    inside = scanned(tmp_path / "inside", folder, "--follow-symlinks")
    assert uris(tmp_path / "inside") == [f"{folder}/000.pcap"]
    assert f"{folder}/link: refused: symlink-outside" in inside.stdout
    scanned(tmp_path / "followed", folder, "--follow-symlinks-outside")
    followed = [
        f"{folder}/000.pcap",
        f"{folder}/b.pcap",
        f"{folder}/link/b000.pcap",
        f"{folder}/link/b001.pcap",
    ]
    assert uris(tmp_path / "followed") == followed
    same = {found.uri: found.same_as for found in Store.open(tmp_path / "followed").current()}
    assert same[followed[3]] == followed[1]


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("engine", ["inline", "process"])
def test_members_of_a_tar_are_captures_of_the_archive(tmp_path: Path, mode: str, engine: str) -> None:
    captures = make_archive(tmp_path / "captures", 4)
    (tmp_path / "in").mkdir()
    name = tmp_path / "in" / "case.tar"
    with tarfile.open(name, mode) as case:  # type: ignore[call-overload]
        for path in sorted(captures.iterdir()):
            case.add(path, f"site/{path.name}")
        notes = tarfile.TarInfo("site/notes.txt")
        notes.size = 10
        case.addfile(notes, io.BytesIO(b"no capture"))
    ended = scanned(tmp_path / "store", tmp_path / "in", "--engine", engine)
    assert uris(tmp_path / "store") == [f"{name}!/site/{number:03}.pcap" for number in range(4)]
    assert "4 captures" in ended.stdout
    for found in Store.open(tmp_path / "store").current():
        assert found.report is not None
        assert found.report.to_json() == diagnose([found.uri], Options(hashing=Hashing("blake3"))).to_json()


# --- who works when -----------------------------------------------------------------------


def of_one_length(folder: Path, files: int) -> list[Entry]:
    """Captures of one length, every third the same as the one before it."""
    folder.mkdir()
    content = (SAMPLES / "answered.pcap").read_bytes()
    for number in range(files):
        (folder / f"{number:03}.pcap").write_bytes(shifted(content, number - (number % 3 == 2)))
    return [entry_of(path) for path in sorted(folder.iterdir())]


def of_many_lengths(folder: Path, files: int) -> Path:
    """Captures that nobody has to compare."""
    folder.mkdir()
    content = (SAMPLES / "failure-client.pcap").read_bytes()
    for number in range(files):
        (folder / f"slow-{number:03}.pcap").write_bytes(content + record(data=bytes(60)) * number)
    return folder


def entry_of(path: Path) -> Entry:
    status = path.stat()
    return Entry(uri=str(path), size=status.st_size, stamp=f"{status.st_mtime_ns}:{status.st_ino}")


@pytest.mark.parametrize("engine", ["inline", "process"])
def test_entries_of_one_length_do_not_wait_for_the_end_of_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    entries = of_one_length(tmp_path / "in", 90)
    wanted = scan.Wanted(places=(), store=tmp_path / "at-once", terms=Terms(), engine=engine, found=entries)
    scan.scan(wanted, lambda _tally: None)
    monkeypatch.setattr(run, "ALIKE_AT_ONCE", 4)
    monkeypatch.setattr(run, "FOUND_AT_ONCE", 16)
    seen, done_before_the_last = Tally(), []

    def watch(tally: Tally) -> None:
        seen.done, seen.found = tally.done, tally.found

    def found() -> Iterator[Found]:
        yield from entries[:-1]
        done_before_the_last.append(seen.done)
        yield entries[-1]

    parts = scan.Wanted(places=(), store=tmp_path / "in-parts", terms=Terms(), engine=engine, found=found())
    swept = scan.scan(parts, watch)
    assert done_before_the_last[0] > 20
    assert (seen.found, seen.done) == (90, 90)
    assert (swept.coverage.files("analyzed"), swept.coverage.files(SAME)) == (60, 30)
    assert results(tmp_path / "in-parts") == results(tmp_path / "at-once")


def test_who_is_free_has_the_next_task_before_answers_are_made_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    submit, write = InlineEngine.submit, segment.write_durably

    def submitted(self: InlineEngine, job: Job) -> None:
        happened.append("given")
        submit(self, job)

    def written(path: Path, frames: Sequence[bytes]) -> None:
        happened.append("kept")
        write(path, frames)

    monkeypatch.setattr(InlineEngine, "submit", submitted)
    monkeypatch.setattr(segment, "write_durably", written)
    monkeypatch.setattr(run, "TOGETHER_S", 0)
    folder = of_many_lengths(tmp_path / "in", 60)
    wanted = scan.Wanted(
        places=[str(folder)], store=tmp_path / "store", terms=Terms(), engine="inline", shard=None
    )
    scan.scan(wanted, lambda _tally: None)
    assert happened[:4] == ["given", "given", "kept", "given"]
    assert happened[-1] == "kept"
    assert happened.count("given") > 2


def test_a_store_that_was_stopped_before_it_held_anything_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "manifest.sqlite3").touch()
    with pytest.raises(StoreError, match="a scan was stopped before it kept anything there"):
        Store.open(tmp_path)


def test_what_was_refused_and_is_mended_is_forgotten_and_the_rest_is_not(tmp_path: Path) -> None:
    """The archive had no directory, one file no bytes, and one place was not there; another run may look elsewhere."""
    folder, store = tmp_path / "in", tmp_path / "store"
    folder.mkdir()
    whole = zipped({"a.pcap": (SAMPLES / "failure-client.pcap").read_bytes()})
    for name, body in {"case.zip": whole[:-30], "b.pcap": b"", "c.zip": whole[:-30]}.items():
        (folder / name).write_bytes(body)
    scanned(store, folder, tmp_path / "later", tmp_path / "never")
    assert len(troubles(store)) == 4
    (folder / "case.zip").write_bytes(whole)
    (folder / "b.pcap").write_bytes((SAMPLES / "orderly-close.pcap").read_bytes())
    make_archive(tmp_path / "later", 1)
    scanned(store, folder, tmp_path / "later")
    assert [one.uri for one in troubles(store)] == [f"{folder}/c.zip", f"{tmp_path}/never"]
    assert Store.open(store).coverage().files(SKIPPED) == 0


def troubles(store: Path) -> list[Trouble]:
    return list(Store.open(store).troubles())


def test_who_stops_a_sweep_that_has_done_everything_is_not_told_that_something_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the last answer is made durable."""
    folder = make_archive(tmp_path / "in", 1)
    write = segment.write_durably

    def interrupted(path: Path, frames: Sequence[bytes]) -> None:
        signal.raise_signal(signal.SIGINT)
        write(path, frames)

    monkeypatch.setattr(segment, "write_durably", interrupted)
    wanted = scan.Wanted(places=[str(folder)], store=tmp_path / "store", terms=Terms(), engine="inline")
    swept = scan.scan(wanted, lambda _tally: None)
    assert (swept.was_stopped, swept.is_finished) == (True, True)


def test_what_waits_is_counted_and_not_listed(tmp_path: Path) -> None:
    folder, store = make_archive(tmp_path / "in", 2), tmp_path / "store"
    (folder / "c.zip").write_bytes(b"PK\x03\x04")
    scanned(store, folder)
    with closing(sqlite3.connect(store / "manifest.sqlite3")) as database, database:
        database.execute("UPDATE entries SET state = 'waiting', result = NULL WHERE uri LIKE '%/001.pcap'")
    opened = Store.open(store)
    swept = scan.Swept(run=None, coverage=opened.coverage(), was_stopped=True, is_finished=False)
    told = "\n".join(sweeping.statement(opened, swept, quiet=False))
    assert "1 analyzed" in told
    assert ", 1 not yet" in told
    assert "1 place not wholly looked at:\n" in told
    assert "001.pcap" not in told
    assert [one.reason for one in opened.troubles() if one.status == "waiting"] == [NOT_YET]


HOSTILE_NAMES = ("new\nline.pcap", "esc\x1b[31m.pcap", "back\\slash.pcap", os.fsdecode(b"raw\xff.pcap"))


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_name_as_tables_show_it_leads_back_to_its_capture(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = (SAMPLES / "failure-client.pcap").read_bytes()
    (tmp_path / name).write_bytes(body)
    (tmp_path / "case.zip").write_bytes(zipped({"new\nline.pcap": body}))
    for written in (shown(name), "case.zip!/new\\u000aline.pcap"):
        assert main(["analyze", "-q", f"{tmp_path}/{written}"]) == 1
        assert capsys.readouterr().err == ""
    (tmp_path / "a\\x41.pcap").write_bytes(body)
    assert analysis.expanded([f"{tmp_path}/a\\x41.pcap"]) == [f"{tmp_path}/a\\x41.pcap"]


def test_another_version_at_work_is_refused() -> None:
    """A worker of a cluster may be older: its answer names no program, and its results would be other ones."""
    items = (item_of(entry_of(SAMPLES / PLAIN[0])),)
    (answer,) = work(payload_of(Task(kind="quick-key", items=items, terms=Terms())))
    assert answer_of(answer).key
    older = msgspec.msgpack.decode(answer) | {"program": ""}
    with pytest.raises(
        EngineError, match=r"a worker runs ctcp-diag of an older version .* install one version"
    ):
        answer_of(msgspec.msgpack.encode(older))


# --- what it says meanwhile -----------------------------------------------------------------------


def on_terminal(words: list[str], env: dict[str, str]) -> str:
    """What a terminal gets of standard error."""
    keeper, terminal = pty.openpty()
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=terminal, env=env) as process:
        os.close(terminal)
        shown = b""
        try:
            while piece := os.read(keeper, 65536):
                shown += piece
        except OSError:
            """Linux ends a terminal whose other side is gone with EIO."""
        finally:
            os.close(keeper)
            process.wait()
    return shown.decode()


def test_a_terminal_shows_one_line_that_is_drawn_anew_and_wiped(tmp_path: Path) -> None:
    folder = of_many_lengths(tmp_path / "in", 60)
    env = environment(tmp_path, TERM="xterm", COLUMNS="200")
    shown = on_terminal(scan_words(tmp_path / "store", folder, "--workers", "1"), env)
    *lines, last = shown.split(WIPE)[1:]
    assert last == ""
    assert len(lines) >= 2
    form = (
        r"[\d.]+ [kM]?B of [\d.]+ [kM]B( so far)?  \d+ of 60 files  [\d.]+ [kM]?B/s(  eta \d+ s)?  \d+ hits?"
    )
    for line in lines:
        assert re.fullmatch(form, line), line
    done = [int(line.split("  ")[1].split()[0]) for line in lines]
    assert done == sorted(done)
    assert done[-1] > done[0]


def test_neither_quiet_nor_a_short_run_shows_anything(tmp_path: Path) -> None:
    folder = of_many_lengths(tmp_path / "in", 60)
    env = environment(tmp_path, TERM="xterm")
    assert on_terminal(scan_words(tmp_path / "quiet", folder, "--workers", "1", "-q"), env) == ""
    assert scanned(tmp_path / "pipe", folder, "--workers", "1", env=env).stderr == ""


class Clock:
    """Time as a test wants it."""

    def __init__(self) -> None:
        self.now_ns = 0

    def monotonic_ns(self) -> int:
        return self.now_ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(headway, "time", made)
    return made


def test_a_log_gets_a_line_every_five_seconds(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.StringIO()
    monkeypatch.setattr("sys.stderr", log)
    tally = Tally(found=9, found_bytes=90 * MB)
    with headway.watching(wanted=True) as watch:
        for tenth in range(125):
            clock.now_ns = tenth * SECOND_NS // 10
            tally.done_bytes, tally.done, tally.is_all_found = tenth * MB // 2, tenth // 15, tenth > 60
            watch(tally)
    assert log.getvalue() == (
        "25 MB of 90 MB so far  3 of 9 files  5.0 MB/s  0 hits\n"
        "50 MB of 90 MB  6 of 9 files  5.0 MB/s  eta 8 s  0 hits\n"
    )


def test_runs_that_follow_one_another_are_told_of_together() -> None:
    """As `--watch` has them: each begins to count anew."""
    told: list[tuple[int, int, int, str]] = []
    watch = Together(lambda all_: told.append((all_.found, all_.done, all_.hits, all_.slowest)))
    first, second = Tally(found=2, slowest="a"), Tally(found=1)
    watch(first)
    first.done, first.hits, first.slowest = 2, 1, ""
    watch(first)
    second.done = 1
    watch(second)
    watch(second)
    assert told == [(2, 0, 0, "a"), (2, 2, 1, ""), (3, 3, 1, ""), (3, 3, 1, "")]


def test_a_line_names_hits_failures_and_what_is_slow() -> None:
    tally = Tally(found=3, found_bytes=4 * MB, done=2, done_bytes=MB, hits=1, failed=1, is_all_found=True)
    tally.slowest, tally.slowest_s = "/cases/\x1b[31m.pcap", 12.4
    assert headway.headway(tally, SECOND_NS) == (
        "1.0 MB of 4.0 MB  2 of 3 files  1.0 MB/s  eta 3 s  1 hit  1 failed  12 s at /cases/\\u001b[31m.pcap"
    )


def test_a_line_says_that_what_runs_is_finished() -> None:
    """After Ctrl-C, before anything else: a narrow terminal cuts the end off."""
    tally = Tally(found=3, found_bytes=4 * MB, done=2, done_bytes=MB, is_all_found=True, is_stopping=True)
    assert headway.headway(tally, SECOND_NS).startswith(
        "finishing what runs (Ctrl-C again: at once)  1.0 MB of 4.0 MB  2 of 3 files  "
    )


def test_nobody_hears_of_a_run_that_wants_no_line(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.StringIO()
    monkeypatch.setattr("sys.stderr", log)
    with headway.watching(wanted=False) as watch:
        clock.now_ns = 60 * SECOND_NS
        watch(Tally())
    assert log.getvalue() == ""


class Crowded:
    """Two workers: the first dies of its first task, and until the end of the other one there is room for one task."""

    workers = 2

    def __init__(self) -> None:
        self._inside = InlineEngine(work)
        self._jobs: list[Job] = []
        self._has_died = False
        self.in_vain: list[float] = []
        """How long was waited each time where no more tasks could be had."""

    @property
    def room(self) -> int:
        return self.workers - len(self._jobs)

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def wait(self, timeout_s: float) -> list[Ended]:
        if self.room == 0 and not self._has_died:
            self._has_died = True
            return [Ended(number=self._jobs.pop(0).number, answers=[], death="died", is_exact=False)]
        if self.room == 0 and len(self.in_vain) < 5:
            self.in_vain.append(timeout_s)
            return []
        if not self._jobs:
            return []
        self._inside.submit(self._jobs.pop(0))
        return self._inside.wait(timeout_s)

    def running(self) -> list[Running]:
        return []

    def close(self) -> None:
        self._jobs.clear()


@pytest.mark.parametrize("stops", [False, True])
def test_who_goes_again_and_has_no_worker_is_waited_for_at_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, stops: bool
) -> None:
    monkeypatch.setattr(planner, "SMALLEST_TASK", 1)
    folder, engine = scan.prepared(tmp_path / "store"), Crowded()
    entries = [entry_of(path) for path in sorted(of_many_lengths(tmp_path / "in", 12).iterdir())]
    manifest = Manifest(folder, terms=Terms().key, rules=RULES_VERSION)
    rules = run.Rules(terms=Terms(), time_limit_s=None, most_tries=3)

    def watch(_tally: Tally) -> None:
        sweep.is_stopping = stops and bool(engine.in_vain)

    sweep = run.Sweep(folder, manifest, engine, rules, watch)
    sweep.run([Trail(found=entries)])
    manifest.close()
    assert len(engine.in_vain) == 5
    assert min(engine.in_vain) > 0
    assert (sweep.tally.done == 12) is not stops
