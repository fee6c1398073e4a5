"""A store and an archive that somebody means ill with, or that bad luck has been at."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ctcp_forensics.archive import segment
from ctcp_forensics.archive.find import FindOptions, Links, find
from ctcp_forensics.archive.scan import LOCK, prepared
from ctcp_forensics.archive.store import Store
from tests.sweeps import SAMPLES, make_archive

CAPTURE = (SAMPLES / "healthy.pcap").read_bytes()


def scan(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ctcp_forensics", "scan", *map(str, words), "--engine", "inline"],
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def files_of_at_most(length: int) -> Iterator[None]:
    """As a full disk: what does not fit is not written, and the part that does is."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_segment_that_fits_in_part_is_not_there_at_all(tmp_path: Path) -> None:
    """The system writes what there is room for and says how much: no error, and half a segment."""
    path = tmp_path / segment.name_of(1)
    with files_of_at_most(10_000), pytest.raises(OSError, match="File too large"):
        segment.write_durably(path, [bytes(6000), bytes(6000)])
    assert list(tmp_path.iterdir()) == []
    segment.write_durably(path, [b"a" * 6000, b"b" * 6000])
    assert path.read_bytes() == b"a" * 6000 + b"b" * 6000


def test_only_what_is_ours_is_taken_for_an_orphan(tmp_path: Path) -> None:
    """Snapshots of file servers show up in every folder."""
    kept = [".snapshot", ".nfs0001", "notes.txt"]
    (tmp_path / ".snapshot").mkdir()
    for name in (
        ".nfs0001",
        "notes.txt",
        segment.name_of(1),
        segment.name_of(2),
        f".{segment.name_of(3)}.part",
    ):
        (tmp_path / name).write_bytes(b"")
    assert segment.remove_orphans(tmp_path, {segment.name_of(1)}) == 2
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted([*kept, segment.name_of(1)])


class KilledError(BaseException):
    """As kill -9, for whoever is to be killed after a step."""


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_whoever_is_killed_while_a_store_is_made_can_go_on(
    steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each step that leaves a trace, the next run takes the folder for its own."""
    left = steps

    def one_more(step: Callable[..., None]) -> Callable[..., None]:
        def counted(*words: Any, **more: Any) -> None:
            nonlocal left
            step(*words, **more)
            left -= 1
            if not left:
                raise KilledError

        return counted

    with monkeypatch.context() as patched:
        patched.setattr(Path, "mkdir", one_more(Path.mkdir))
        patched.setattr(Path, "touch", one_more(Path.touch))
        with pytest.raises(KilledError):
            prepared(tmp_path / "store")
    assert prepared(tmp_path / "store") == tmp_path / "store"
    assert (tmp_path / "store" / LOCK).exists()


def test_a_store_inside_the_archive_is_left_alone_by_whatever_name(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "cases", 3)
    (archive / "results").mkdir()
    (tmp_path / "link").symlink_to("cases/results")
    (archive / "again").symlink_to("results")
    first = scan(archive, "--store", tmp_path / "link", "--follow-symlinks")
    (archive / "results" / "planted.pcap").write_bytes(CAPTURE)
    second = scan(archive, "--store", tmp_path / "link", "--follow-symlinks")
    assert first.stdout == second.stdout
    assert len(list(Store.open(archive / "results").current())) == 3


def test_links_that_leave_the_folder_are_refused_unless_asked_for(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "cases", 1)
    make_archive(tmp_path / "elsewhere", 1, prefix="secret-")
    (archive / "out").symlink_to("../elsewhere")
    (archive / "in").symlink_to("000.pcap")
    (archive / "self").symlink_to("self")
    passed_over = scan(archive, "--store", tmp_path / "a")
    inside = scan(archive, "--store", tmp_path / "b", "--follow-symlinks")
    anywhere = scan(archive, "--store", tmp_path / "c", "--follow-symlinks-outside")
    found = [{Path(one.uri).name for one in Store.open(tmp_path / name).current()} for name in "abc"]
    assert found == [{"000.pcap"}, {"000.pcap", "in"}, {"000.pcap", "in", "secret-000.pcap"}]
    assert "symlink-outside: leads out of the folder that was named" in inside.stdout
    assert "--follow-symlinks-outside" in inside.stdout
    assert "symlink-outside" not in passed_over.stdout + anywhere.stdout


def test_names_as_long_as_names_get(tmp_path: Path) -> None:
    """255 bytes each, and a path that is longer than any that can be opened."""
    (tmp_path / "cases").mkdir()
    long = "ü" * 125 + ".pcap"
    (tmp_path / "cases" / long).write_bytes(CAPTURE)
    at = os.open(tmp_path / "cases", os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 255, dir_fd=at)
        below = os.open("d" * 255, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    try:
        done = scan(tmp_path / "cases", "--store", tmp_path / "store")
        assert [Path(one.uri).name for one in Store.open(tmp_path / "store").current()] == [long]
        assert done.returncode == 3
        assert "file name too long" in done.stdout
    finally:  # deeper than pytest can tidy up
        subprocess.run(["rm", "-rf", str(tmp_path / "cases")], check=True)


def test_a_folder_of_many_is_walked_and_what_goes_on_meanwhile_is_told(tmp_path: Path) -> None:
    """20,000 names in one folder; while they are walked, one vanishes, one becomes a pipe and one a link outwards."""
    folder = tmp_path / "many"
    folder.mkdir()
    (folder / "000000").write_bytes(CAPTURE)
    for number in range(1, 20_000):
        os.link(folder / "000000", folder / f"{number:06}")
    found = find([str(folder)], FindOptions(links=Links.INSIDE))
    first = next(found)
    for name in ("010000", "010001", "010002"):
        (folder / name).unlink()
    os.mkfifo(folder / "010001")
    (folder / "010002").symlink_to("/etc/passwd")
    told = {Path(one.uri).name: getattr(one, "reason", "entry") for one in [first, *found]}
    assert len(told) == 20_000
    assert {name: reason for name, reason in told.items() if reason != "entry"} == {
        "010000": "vanished",
        "010001": "fifo",
        "010002": "symlink-outside",
    }
