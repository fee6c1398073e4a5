"""Sweeping an archive: every capture once, none lost, whatever is done to who looks at it."""

from __future__ import annotations

import gzip
import io
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path

import msgspec
import pytest

from benchmarks.inputs import tiny
from ctcp_forensics.archive import run
from ctcp_forensics.archive.entry import Entry
from ctcp_forensics.archive.examine import Terms, examine, judged_again
from ctcp_forensics.archive.facts import Facts, facts_version
from ctcp_forensics.archive.manifest import Todo
from ctcp_forensics.archive.planner import (
    CONTAINER_MEMBERS,
    LARGEST_TASK,
    MAX_CONTAINER_TASK,
    PER_FILE,
    Deal,
    Planner,
)
from ctcp_forensics.archive.run import keys
from ctcp_forensics.archive.scan import Wanted, scan
from ctcp_forensics.archive.segment import packed, unpacked
from ctcp_forensics.archive.shard import Shard
from ctcp_forensics.archive.store import Store
from ctcp_forensics.archive.task import Task, answer_of, item_of, payload_of, work
from ctcp_forensics.batches import WORTH_SHARING
from ctcp_forensics.capture import Hashing
from ctcp_forensics.capture.members.limits import MAX_UNPACKED
from ctcp_forensics.cli import main
from ctcp_forensics.pipeline import Options, diagnose
from ctcp_forensics.surroundings import NO_PULSE
from tests.fuzz.path import capped
from tests.sweeps import (
    SAMPLES,
    children_of,
    environment,
    make_archive,
    results,
    scan_words,
    scanned,
    shifted,
    wait_until_something_is_acknowledged,
)

ENGINES = ("inline", "process")
AS_SWEPT = Options(hashing=Hashing("blake3"))
"""What `analyze` takes but for the hash."""


def entry_of(path: Path) -> Entry:
    status = path.stat()
    return Entry(uri=str(path), size=status.st_size, stamp=f"{status.st_mtime_ns}:{status.st_ino}")


@pytest.mark.parametrize("packed_as", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_worker_has_no_second_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed_as: Callable[[bytes], bytes]
) -> None:
    """There is a worker for each core: a thread would take from the other worker what it gives to this one."""
    sample = (SAMPLES / "healthy.pcap").read_bytes()
    path = tmp_path / "long.pcap"
    path.write_bytes(packed_as(sample + sample[24:] * (2 * WORTH_SHARING // len(sample))))
    frames = examine(entry_of(path), Terms()).frames
    started: list[str] = []
    monkeypatch.setattr(threading.Thread, "start", lambda one: started.append(one.name))
    task = Task(kind="examine", items=(item_of(entry_of(path)),), terms=Terms())
    (answer,) = map(answer_of, work(payload_of(task)))
    assert (answer.frames, started) == (frames, [])


def files_of(store: Path, status: str) -> int:
    return Store.open(store).coverage().files(status)


# --- one capture ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.pcap*")), ids=lambda path: path.name)
@pytest.mark.parametrize("all_tcp", [False, True])
def test_a_result_holds_what_analyze_writes_and_can_be_judged_again_without_the_capture(
    path: Path, *, all_tcp: bool
) -> None:
    terms = Terms(all_tcp=all_tcp)
    found = examine(entry_of(path), terms)
    expected = diagnose([str(path)], Options(ports=frozenset({10000}), all_tcp=all_tcp)).to_json()
    assert found.report is not None
    assert found.report.to_json() == expected
    kept = unpacked(packed(found))
    assert kept == found
    if found.judged:
        assert kept.facts is not None
        assert kept.facts.version == facts_version()
        assert kept.facts.surroundings.pulse == NO_PULSE  # a capture by itself is compared with none
        again = judged_again(kept, terms)
        assert again.report is not None
        assert again.report.to_json() == expected


def test_evidence_that_was_let_go_is_remembered_and_facts_from_before_there_was_a_bound_say_there_was_none() -> (
    None
):
    with capped(100, 40_960, 1):
        found = examine(entry_of(SAMPLES / "loss-tolerated.pcap"), Terms())
    kept = unpacked(packed(found))
    assert kept.facts is not None
    assert kept.facts.surroundings.times_bared > 0
    assert judged_again(kept, Terms()).report == found.report
    document = msgspec.json.decode(msgspec.json.encode(kept.facts))
    del document["surroundings"]["times_bared"]
    before = msgspec.json.decode(msgspec.json.encode(document), type=Facts)
    assert before.version == facts_version()
    assert before.surroundings.times_bared == 0


def test_a_name_that_is_no_text_survives(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\n-.pcap")
    path = tmp_path / name
    shutil.copy(SAMPLES / "answered.pcap", path)
    found = examine(entry_of(path), Terms())
    assert unpacked(packed(found)).uri == str(path)
    assert scanned(tmp_path / "store", tmp_path).returncode == 0
    (one,) = Store.open(tmp_path / "store").current()
    assert one.uri == str(path)


# --- tasks -----------------------------------------------------------------------------------------


def test_a_million_small_files_are_a_few_thousand_tasks() -> None:
    planner, given, tasks = Planner(4), 0, []
    while given < 1_000_000 or not planner.is_empty:
        while given < 1_000_000 and not planner.is_full:
            planner.add(Todo(entry=Entry(uri=f"/{given}", size=20_000, stamp="")))
            given += 1
        tasks.append(len(planner.take()))
    assert sum(tasks) == 1_000_000
    assert 1_000 < len(tasks) < 5_000
    assert max(tasks) <= LARGEST_TASK // PER_FILE
    assert tasks[-1] < tasks[0] // 8  # no worker waits long for the last


def test_who_killed_a_worker_goes_alone_and_members_go_together() -> None:
    planner = Planner(2)
    planner.add(Todo(entry=Entry(uri="/a", size=1, stamp="")))
    planner.add(Todo(entry=Entry(uri="/b", size=1, stamp=""), tries=1))
    for number in range(64):
        planner.add(Todo(entry=Entry(uri=f"/c.tar!/{number}", size=1 << 20, stamp="")))
    sizes = []
    while not planner.is_empty:
        sizes.append(len(planner.take()))
    assert sizes[:2] == [1, 1]
    assert sizes[2] >= 40


def tasks_of(members: int, size: int) -> list[int]:
    """How many members each task of one archive has, the soonest way."""
    planner, tasks = Planner(4), []
    for number in range(members):
        planner.add(Todo(entry=Entry(uri=f"/c.tar.gz!/{number}", size=size, stamp="")))
        while planner.is_ready:
            tasks.append(len(planner.take()))
    while not planner.is_empty:
        tasks.append(len(planner.take()))
    assert sum(tasks) == members
    return tasks


def passed_by(tasks: Sequence[int]) -> int:
    """How many members all tasks pass, each from the first one to its own last."""
    return sum(accumulate(tasks))


@pytest.mark.parametrize("size", [100, 1 << 20, 1 << 23])
def test_tasks_of_one_archive_read_it_three_times_all_together(size: int) -> None:
    for members in (100, 1_000, 10_000):
        passed = passed_by(tasks_of(members, size))
        assert passed <= 4 * members, "tasks of one size would read it members / size times"


@pytest.mark.parametrize("size", [1 << 24, 1 << 30, 1 << 34])
def test_a_task_of_a_huge_archive_is_bounded_and_so_is_how_often_it_is_read(size: int) -> None:
    """A kill loses one task; of 1 TiB each byte is read twelve times at most, whatever its members are."""
    members = MAX_UNPACKED // size
    tasks = tasks_of(members, size)
    assert max(tasks) * size <= MAX_CONTAINER_TASK == 1 << 36
    assert max(tasks) * (size + PER_FILE) > MAX_CONTAINER_TASK * 0.7, "it does grow as far"
    assert passed_by(tasks) <= 12 * members


def test_keys_of_the_members_of_one_archive_are_asked_for_in_batches_that_grow() -> None:
    members = [Entry(uri=f"/c.tar.gz!/{number}", size=9, stamp="") for number in range(20_000)]
    sizes = [len(batch.todos) for batch in keys("whole-key", iter(members), Deal())]
    assert sizes[:4] == [512, 512, 512, 768]
    assert sum(accumulate(sizes)) <= 4 * len(members) == 4 * sum(sizes)
    files = [Entry(uri=f"/{number}", size=9, stamp="") for number in range(2_000)]
    assert [len(batch.todos) for batch in keys("whole-key", iter(files), Deal())] == [512, 512, 512, 464]


def test_keys_that_are_taken_in_rounds_go_on_growing_where_the_last_round_ended() -> None:
    """An archive whose members have one length is compared a few thousand members at a time, as it is listed."""
    rounds, deal, sizes = 5, Deal(), list[list[int]]()
    for number in range(rounds):
        here = range(number * 4096, (number + 1) * 4096)
        members = [Entry(uri=f"/c.tar.gz!/{at}", size=9, stamp="") for at in here]
        sizes.append([len(batch.todos) for batch in keys("whole-key", iter(members), deal)])
    assert sizes == [[512, 512, 512, 768, 1152, 640], [2048, 2048], [4096], [4096], [4096]]
    deal.turn_to("/d.tar.gz")
    assert deal.share == 0, "another archive begins anew"


def test_members_of_one_length_are_told_apart_in_few_passes_over_their_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, asked = tmp_path / "alike.zip", list[Task]()
    with zipfile.ZipFile(place, "w") as archive:
        for number in range(40):
            archive.writestr(f"{number:02}.pcap", tiny(number))

    def noted(task: Task) -> bytes:
        asked.append(task)
        return payload_of(task)

    for name, value in {"FOUND_FIRST": 8, "FOUND_AT_ONCE": 8, "ALIKE_AT_ONCE": 8, "KEYS_AT_ONCE": 2}.items():
        monkeypatch.setattr(run, name, value)
    monkeypatch.setattr(run, "payload_of", noted)
    wanted = Wanted(places=[str(place)], store=tmp_path / "store", terms=Terms(), engine="inline")
    assert scan(wanted, lambda _tally: None).coverage.files("analyzed") == 40
    sizes = [len(task.items) for task in asked if task.kind == "whole-key"]
    assert sizes == [2, 2, 2, 3, 4, 2, 7, 1, 8, 8], "rounds of 15, 8, 8 and 8; the first member is like none"


def test_so_many_members_are_waited_for_and_no_more() -> None:
    planner = Planner(2)
    planner.add(Todo(entry=Entry(uri="/c.zip!/0", size=1 << 40, stamp="")))
    planner.take()
    for number in range(CONTAINER_MEMBERS):
        assert not planner.is_ready
        planner.add(Todo(entry=Entry(uri=f"/c.zip!/{number + 1}", size=1, stamp="")))
    assert planner.is_ready
    assert planner.is_full


def test_behind_the_last_member_of_an_archive_nothing_is_waited_for() -> None:
    planner = Planner(2)
    for uri in ("/c.zip!/0", "/c.zip!/1", "/d.pcap"):
        planner.add(Todo(entry=Entry(uri=uri, size=1 << 40, stamp="")))
    assert [planner.is_ready and len(planner.take()) for _ in range(3)] == [1, 1, 1]


def test_every_name_is_in_one_shard_and_members_are_in_one() -> None:
    shards = [Shard(number=number, of=7) for number in range(1, 8)]
    for number in range(200):
        assert sum(shard.holds(f"/cases/{number}.pcap") for shard in shards) == 1
    members = [f"/a.zip!/{number}.pcap" for number in range(50)]
    assert len({shard for shard in shards for name in members if shard.holds(name)}) == 1


# --- whole runs --------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty captures, some in a zip file, one of them damaged, and what is none."""
    folder = make_archive(tmp_path_factory.mktemp("archive") / "cases", 60, prefix="slow-")
    (folder / "torn.pcap").write_bytes((SAMPLES / "answered.pcap").read_bytes()[:5000])
    (folder / "notes.txt").write_text("no capture\n")
    with zipfile.ZipFile(folder / "case.zip", "w", zipfile.ZIP_DEFLATED) as packed_case:
        for number in range(5):
            content = shifted((SAMPLES / "failure-client.pcap").read_bytes(), 1000 + number)
            packed_case.writestr(f"m{number}.pcap", content)
        packed_case.write(folder / "slow-003.pcap", "the-same-again.pcap")
    return folder


@pytest.fixture(scope="session")
def undisturbed(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """What a run knows that nobody disturbs."""
    store = tmp_path_factory.mktemp("undisturbed") / "store"
    ended = scanned(store, archive)
    assert ended.returncode == 1, ended.stderr
    assert "67 captures" in ended.stdout
    assert "1 the same as another" in ended.stdout
    found = results(store)
    assert len(found) == 67
    return found


def test_every_report_is_what_analyze_writes(archive: Path, undisturbed: list[bytes], tmp_path: Path) -> None:
    scanned(tmp_path / "store", archive)
    for found in Store.open(tmp_path / "store").current():
        assert found.report is not None
        assert found.report.to_json() == diagnose([found.uri], AS_SWEPT).to_json()


def test_engines_shards_and_their_merge_give_the_same_bytes(
    archive: Path, undisturbed: list[bytes], tmp_path: Path
) -> None:
    scanned(tmp_path / "inline", archive, "--engine", "inline")
    assert results(tmp_path / "inline") == undisturbed
    parts = [tmp_path / f"part-{number}" for number in (1, 2, 3)]
    for number, part in enumerate(parts, start=1):
        scanned(part, archive, "--shard", f"{number}/3", "--workers", "1")
    words = scan_words(tmp_path)[:3]
    for _ in range(2):  # the second time changes nothing
        ended = subprocess.run(
            [*words, "merge", *map(str, parts), "-o", str(tmp_path / "merged")],
            capture_output=True,
            text=True,
            check=True,
        )
        assert results(tmp_path / "merged") == undisturbed
    assert ended.stdout.startswith("0 entries joined")


def test_the_same_command_again_examines_nothing(archive: Path, tmp_path: Path) -> None:
    first = scanned(tmp_path / "store", archive)
    segments = sorted((tmp_path / "store" / "segments").iterdir())
    again = scanned(tmp_path / "store", archive)
    assert (again.stdout, again.returncode) == (first.stdout, first.returncode)
    assert sorted((tmp_path / "store" / "segments").iterdir()) == segments


def test_a_capture_that_lies_in_five_cases_is_examined_once(tmp_path: Path) -> None:
    content = (SAMPLES / "failure-client.pcap").read_bytes()
    middle = bytearray(content)
    middle[len(content) // 2] ^= 1
    for case in "abcde":
        (tmp_path / "in" / case).mkdir(parents=True)
        (tmp_path / "in" / case / "client.pcap").write_bytes(content)
    (tmp_path / "in" / "f.pcap").write_bytes(middle)
    long = [bytearray(content * 20) for _ in range(2)]
    long[1][len(content) * 10] ^= 1  # ends alike, 64 KiB and more; the middle differs
    for number, one in enumerate(long):
        (tmp_path / "in" / f"long-{number}.pcap").write_bytes(one)
    scanned(tmp_path / "store", tmp_path / "in")
    database = sqlite3.connect(tmp_path / "store" / "manifest.sqlite3")
    assert database.execute("SELECT count(*) FROM results").fetchone() == (4,)
    same = [found.same_as for found in Store.open(tmp_path / "store").current()]
    assert same == [None, *[str(tmp_path / "in/a/client.pcap")] * 4, None, None, None]


def test_a_changed_file_is_examined_again_and_only_that(tmp_path: Path) -> None:
    folder = make_archive(tmp_path / "in", 6)
    scanned(tmp_path / "store", folder)
    (folder / "002.pcap").write_bytes(shifted((SAMPLES / "failure-client.pcap").read_bytes(), 5))
    scanned(tmp_path / "store", folder)
    store = Store.open(tmp_path / "store")
    *_, last = store.segments()
    assert [found.uri for found in store.results(last)] == [str(folder / "002.pcap")]
    assert len(list(store.current())) == 6


def test_other_ports_are_another_question(tmp_path: Path) -> None:
    folder = make_archive(tmp_path / "in", 3)
    scanned(tmp_path / "store", folder)
    scanned(tmp_path / "store", folder, "--all-tcp")
    for found in Store.open(tmp_path / "store").current():
        assert found.report is not None
        assert (
            found.report.to_json()
            == diagnose([found.uri], Options(hashing=AS_SWEPT.hashing, all_tcp=True)).to_json()
        )


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("healthy.pcap", (SAMPLES / "answered.pcap").read_bytes(), 0),
        ("failure.pcap", (SAMPLES / "failure-client.pcap").read_bytes(), 1),
        ("nothing.txt", b"no capture", 2),
        ("torn.pcap", (SAMPLES / "answered.pcap").read_bytes()[:5000], 3),
    ],
)
def test_exit_status_is_that_of_analyze(tmp_path: Path, name: str, content: bytes, status: int) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(content)
    ended = scanned(tmp_path / "store", tmp_path / "in")
    assert ended.returncode == status
    told = f"no capture could be looked at there, and {tmp_path / 'store'} keeps no more than that; "
    assert (told in ended.stderr) == (status == 2)
    assert ("; 1 more file is none" in ended.stdout) == (status == 2)


def test_a_shard_without_a_capture_is_no_trouble(tmp_path: Path) -> None:
    """A cluster would do it over and over; what is not there, the shard tells that it falls to."""
    folder = make_archive(tmp_path / "in", 1)
    for place, statuses in ((folder, [0, 0, 1]), (tmp_path / "nowhere", [0, 0, 2])):
        ended = [
            scanned(tmp_path / f"{place.name}-{number}", place, "--shard", f"{number}/3")
            for number in (1, 2, 3)
        ]
        assert sorted(one.returncode for one in ended) == statuses
        assert ["no capture falls to this shard" in one.stderr for one in ended].count(True) == 2


def test_what_is_not_there_is_told_and_makes_the_coverage_incomplete(tmp_path: Path) -> None:
    folder = make_archive(tmp_path / "in", 3)
    (folder / "000.pcap").unlink()
    ended = scanned(tmp_path / "store", folder, tmp_path / "nowhere")
    assert ended.returncode == 3
    assert f"{tmp_path}/nowhere: refused: missing" in ended.stdout


def test_a_store_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    ended = scanned(tmp_path, SAMPLES)
    assert ended.returncode == 2
    assert "is a folder of something else" in ended.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt"]


# --- disturbed runs ----------------------------------------------------------------------------------


def test_killed_again_and_again_nothing_acknowledged_is_lost(
    archive: Path, undisturbed: list[bytes], tmp_path: Path
) -> None:
    store, env, draw, known = tmp_path / "store", environment(tmp_path), random.Random(7), 0
    for _ in range(12):
        with subprocess.Popen(
            scan_words(store, archive, "--workers", "2"),
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            time.sleep(draw.uniform(0.3, 1.2))
            process.kill()
        if list((store / "segments").glob("[0-9]*")):
            now = [one for one in results(store) if one in undisturbed]
            assert len(now) >= known
            known = len(now)
    assert scanned(store, archive, env=env).returncode == 1
    assert results(store) == undisturbed
    named = {segment.name for segment in Store.open(store).segments()}
    assert {path.name for path in (store / "segments").iterdir()} == named


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
def test_workers_that_die_or_stand_still_cost_nothing(
    archive: Path, undisturbed: list[bytes], tmp_path: Path, end: signal.Signals
) -> None:
    store, draw = tmp_path / "store", random.Random(11)
    words = scan_words(store, archive, "--workers", "2", "--time-limit", "3", "--tries", "50")
    with subprocess.Popen(
        words, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        wait_until_something_is_acknowledged(store)
        for _ in range(3):
            time.sleep(draw.uniform(0.1, 0.3))
            for worker in list(children_of(process.pid))[:1]:
                os.kill(worker, end)
        output, complaints = process.communicate(timeout=200)
    assert process.returncode == 1, complaints
    assert results(store) == undisturbed
    assert b"67 captures" in output


def test_poison_is_recorded_with_its_reason_and_stops_nothing(tmp_path: Path) -> None:
    folder = make_archive(tmp_path / "in", 12)
    for at, name in enumerate(("kills", "hangs", "deaf", "starves", "breaks")):
        content = shifted((SAMPLES / "failure-client.pcap").read_bytes(), 500 + at)
        (folder / f"006-{name}.pcap").write_bytes(content)
    ended = scanned(
        tmp_path / "store", folder, "--time-limit", "4", "--tries", "2", env=environment(tmp_path)
    )
    reasons = {Path(one.uri).stem: one.reason for one in Store.open(tmp_path / "store").troubles()}
    assert reasons == {
        "006-kills": "killed by signal 9, 2 times",
        "006-hangs": "time limit 4 s",
        "006-deaf": "gave no answer in 6 s, and was killed, 2 times",
        "006-starves": "memory limit",
        "006-breaks": "internal error: KeyError: 'a bug'",
    }
    assert files_of(tmp_path / "store", "analyzed") == 12
    assert files_of(tmp_path / "store", "failed") == 5
    assert ended.returncode == 1
    assert "5 places not wholly looked at" in ended.stdout


ENDED_BY_CTRL_C = (130, -signal.SIGINT)
"""The second, where the signal found the interpreter already leaving; a shell calls both 130."""


def test_ctrl_c_once_finishes_what_runs_and_twice_stops(
    archive: Path, undisturbed: list[bytes], tmp_path: Path
) -> None:
    for times in (1, 2):
        store, env = tmp_path / f"store-{times}", environment(tmp_path)
        with subprocess.Popen(
            scan_words(store, archive, "--workers", "1"),
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            wait_until_something_is_acknowledged(store)
            for _ in range(times):
                os.killpg(process.pid, signal.SIGINT)
                time.sleep(0.1)
            _, complaints = process.communicate(timeout=60)
        assert process.returncode in ENDED_BY_CTRL_C, complaints
        assert b"Traceback" not in complaints
        assert scanned(store, archive).returncode == 1
        assert results(store) == undisturbed


def test_a_second_scan_of_one_store_is_refused(tmp_path: Path) -> None:
    store, folder = tmp_path / "store", make_archive(tmp_path / "in", 1, prefix="hangs-")
    with subprocess.Popen(
        scan_words(store, folder, "--time-limit", "20"),
        env=environment(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while not (store / "manifest.sqlite3").exists():
            time.sleep(0.01)
        second = scanned(store, folder)
        process.kill()
    assert second.returncode == 2
    assert "another scan is writing to this store" in second.stderr


def test_a_full_disk_loses_nothing_acknowledged(
    archive: Path, undisturbed: list[bytes], tmp_path: Path
) -> None:
    store, disk = tmp_path / "disk" / "store", tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        full = scanned(store, archive, "--workers", "1")
        assert full.returncode == 2
        assert "what was acknowledged is safe" in full.stderr
        known = results(store) if (store / "manifest.sqlite3").exists() else []
        assert set(known) <= set(undisturbed)
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        assert scanned(store, archive).returncode == 1
        assert results(store) == undisturbed
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_files_that_may_not_grow_lose_nothing_acknowledged(
    archive: Path, undisturbed: list[bytes], tmp_path: Path
) -> None:
    """As a quota does it."""
    store = tmp_path / "store"
    for limit in (30_000, 60_000, 120_000):
        ended = subprocess.run(
            scan_words(store, archive, "--workers", "1"),
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),  # type: ignore[misc]
        )
        assert ended.returncode == 2, ended.stdout
        assert "Traceback" not in ended.stderr
    assert scanned(store, archive).returncode == 1
    assert results(store) == undisturbed


# --- newer rules -------------------------------------------------------------------------------------


def test_newer_rules_judge_again_without_the_captures(tmp_path: Path) -> None:
    folder = make_archive(tmp_path / "in", 9)
    (folder / "nothing-to-judge.pcap").write_bytes((SAMPLES / "answered.pcap").read_bytes()[:24])
    scanned(tmp_path / "store", folder)
    newer = environment(tmp_path, RULES="next")
    scanned(tmp_path / "expected", folder, env=newer)
    shutil.rmtree(folder)
    ended = scanned(tmp_path / "store", folder, env=newer)
    assert results(tmp_path / "store") == results(tmp_path / "expected")
    assert all(b'"rules_version":"next"' in found for found in results(tmp_path / "store"))
    assert "refused: missing" in ended.stdout


# --- merging -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "target", "says"),
    [
        (
            "samples",
            "new",
            "samples: is a folder without a store; `ctcp-diag scan samples --store DIR` makes",
        ),
        (
            "samples/healthy.pcap",
            "new",
            "samples/healthy.pcap: is a file, and a store is a folder; `ctcp-diag",
        ),
        ("nowhere", "new", "nowhere: there is no store; `ctcp-diag scan PLACE --store nowhere` makes one"),
        (
            "{store}",
            "{store}",
            "store: is one of the stores to be joined; name another one to join them into",
        ),
        ("{store}", "samples", "samples: is a folder of something else; name an empty or a new one as store"),
        (
            "{store}",
            "samples/healthy.pcap",
            "healthy.pcap: is a file, and a store is a folder; name an empty or",
        ),
    ],
)
def test_what_is_no_store_is_not_merged_and_says_what_to_do(
    source: str, target: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scanned(tmp_path / "store", make_archive(tmp_path / "in", 1))
    folder = tmp_path / "store"
    target = target.format(store=folder).replace("new", str(tmp_path / "new"))
    words = ["merge", source.format(store=folder), "-o", target]
    assert main(words) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_page_on_standard_output_is_the_page_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("duckdb", reason="needs DuckDB, which the extra `archive` brings")
    ended = scanned(tmp_path / "store", make_archive(tmp_path / "in", 1), "--overview", "-")
    assert ended.stdout.startswith("<!doctype html>")
    assert ended.stderr.startswith("1 capture with unanswered duplicate ACKs\n")
    ended = scanned(tmp_path / "store", tmp_path / "in", "--overview", "-", "--ndjson", "-")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == ("ctcp-diag: the lines and the overview cannot both go to -: name another file\n")


def test_stores_of_another_version_are_not_merged(tmp_path: Path) -> None:
    scanned(tmp_path / "old", make_archive(tmp_path / "in", 3))
    with sqlite3.connect(tmp_path / "old" / "manifest.sqlite3") as database:
        database.execute("PRAGMA user_version = 99")
    words = [*scan_words(tmp_path)[:3], "merge", str(tmp_path / "old"), "-o", str(tmp_path / "new")]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "version 99" in ended.stderr


def test_a_segment_is_a_file_that_zstd_reads(tmp_path: Path) -> None:
    scanned(tmp_path / "store", make_archive(tmp_path / "in", 3))
    segments = sorted((tmp_path / "store" / "segments").iterdir())
    if shutil.which("zstd") is None:
        pytest.skip("no zstd here")
    text = subprocess.run(["zstd", "-dc", *map(str, segments)], capture_output=True, check=True).stdout
    assert len(io.BytesIO(text).readlines()) == 3
