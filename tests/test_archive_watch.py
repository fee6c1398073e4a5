"""A folder that is being filled: what is complete is taken, once; by hand, and by a real tcpdump."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pytest

from ctcp_forensics.archive.entry import Entry, Found, Refusal
from ctcp_forensics.archive.find import find
from ctcp_forensics.archive.watch import Watching, ends_with_whole_record, series_of, watched

SAMPLE = Path(__file__).parents[1] / "samples" / "failure-client.pcap"
TCPDUMP = shutil.which("tcpdump")


@dataclass
class Folder:
    """A folder, and a clock that only the test moves."""

    path: Path
    now_s: float = 0.0
    watching: Watching = field(init=False)

    def __post_init__(self) -> None:
        self.watching = Watching(
            find=lambda: find([str(self.path)]),
            clock=lambda: self.now_s,
            is_whole=ends_with_whole_record,
            settled_s=10,
            given_up_s=120,
        )

    def write(self, name: str, content: bytes, *, at: int) -> None:
        """In place, as tcpdump does it; `at` is when, in seconds."""
        path = self.path / name
        with path.open("r+b" if path.exists() else "wb") as file:
            file.truncate()
            file.write(content)
        os.utime(path, ns=(at * 10**9, at * 10**9))

    def look(self, *, after_s: float = 1) -> list[str]:
        self.now_s += after_s
        return [Path(one.uri).name for one in self.watching.look()]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


WHOLE = SAMPLE.read_bytes()
CUT = WHOLE[:-10]


def test_a_file_is_taken_when_a_newer_one_of_its_series_exists(folder: Folder) -> None:
    folder.write("cap0", WHOLE, at=1)
    assert [folder.look(), folder.look()] == [[], []]
    folder.write("cap1", CUT, at=2)
    assert folder.look() == ["cap0"]
    folder.write("cap2", WHOLE[:2000], at=3)
    assert [folder.look(), folder.look()] == [["cap1"], []]


def test_the_newest_file_is_taken_when_it_has_rested_and_its_last_record_is_whole(folder: Folder) -> None:
    folder.write("cap", WHOLE, at=1)
    assert folder.look() == []
    assert folder.look(after_s=9.9) == []
    assert folder.look(after_s=0.1) == ["cap"]
    assert folder.look(after_s=500) == []


def test_a_cut_record_is_waited_for_and_taken_as_damage_in_the_end(folder: Folder) -> None:
    folder.write("cap", CUT, at=1)
    assert [folder.look(), folder.look(after_s=100)] == [[], []]
    folder.write("cap", CUT[:-1], at=2)
    assert [folder.look(), folder.look(after_s=119)] == [[], []]
    assert [folder.look(), folder.look()] == [["cap"], []]


def test_a_file_that_grows_is_never_taken(folder: Folder) -> None:
    for second in range(1, 40):
        folder.write("cap", WHOLE[: 5000 + second], at=second)
        assert folder.look(after_s=100) == []


def test_a_ring_makes_an_overwritten_file_a_new_one(folder: Folder) -> None:
    folder.write("ring0", WHOLE, at=1)
    folder.write("ring1", WHOLE, at=2)
    assert [folder.look(), folder.look()] == [[], ["ring0"]]
    folder.write("ring0", WHOLE, at=3)
    assert [folder.look(), folder.look()] == [["ring1"], []]
    folder.write("ring1", WHOLE, at=4)
    assert [folder.look(), folder.look()] == [["ring0"], []]


def test_another_series_says_nothing_of_this_one(folder: Folder) -> None:
    folder.write("inside-1.pcap", WHOLE, at=1)
    folder.write("outside-1.pcap", WHOLE, at=2)
    assert [folder.look(), folder.look()] == [[], []]
    folder.write("outside-2.pcap", WHOLE, at=3)
    assert [folder.look(), folder.look()] == [["outside-1.pcap"], []]


def test_of_a_file_and_its_compressed_copy_one_is_taken(folder: Folder) -> None:
    """`tcpdump -z gzip`: the finished file is compressed beside itself, and removed."""
    folder.write("cap1", WHOLE, at=1)
    folder.write("cap2", WHOLE, at=5)
    folder.look()
    folder.write("cap1.gz", gzip.compress(WHOLE)[:500], at=2)
    assert [folder.look(), folder.look()] == [[], []]
    folder.write("cap1.gz", gzip.compress(WHOLE), at=1)
    (folder.path / "cap1").unlink()
    assert [folder.look(), folder.look(), folder.look()] == [[], ["cap1.gz"], []]


def test_a_compressed_copy_of_what_was_taken_already_is_not_taken_again(folder: Folder) -> None:
    folder.write("cap1", WHOLE, at=1)
    folder.write("cap2", WHOLE, at=5)
    assert [folder.look(), folder.look()] == [[], ["cap1"]]
    folder.write("cap1.gz", gzip.compress(WHOLE), at=1)
    (folder.path / "cap1").unlink()
    assert [folder.look(), folder.look(), folder.look(after_s=500)] == [[], [], ["cap2"]]


def test_what_is_refused_is_told_once() -> None:
    told = Refusal(uri="/x/fifo", reason="fifo", is_trouble=False)
    watching = Watching(find=lambda: [told], clock=lambda: 0.0, is_whole=lambda _: True)
    assert [watching.look(), watching.look()] == [[told], []]


def test_series_have_their_numbers_and_their_compression_in_common() -> None:
    assert series_of("/a/cap-2026-03-02T10:00.pcap12") == series_of("/a/cap-2026-03-02T11:30.pcap3.gz")
    assert series_of("/a/inside-1.pcap") != series_of("/a/outside-1.pcap")


def test_batches_come_as_they_are_ready_and_silences_are_slept_through() -> None:
    naps: list[float] = []
    one = Entry(uri="/cap", size=1, stamp="1:1")
    batches = watched(
        lambda: [one], clock=lambda: 10.0 * len(naps), sleep=naps.append, is_whole=lambda _: True, every_s=2
    )
    assert list(islice(batches, 1)) == [[one]]
    assert naps == [2]


# --- real writers ------------------------------------------------------------------------------------


def taken_until(batches: Iterator[list[Found]], number: int) -> list[Entry]:
    """Within a minute."""
    taken: list[Entry] = []
    until = time.monotonic() + 60
    for batch in batches:
        taken += [one for one in batch if isinstance(one, Entry)]
        if len(taken) >= number or time.monotonic() > until:
            return taken
    return taken


@pytest.mark.skipif(TCPDUMP is None or os.geteuid() != 0, reason="needs tcpdump, and root to capture")
@pytest.mark.parametrize("compress", [(), ("-z", "gzip")])
def test_a_rotating_tcpdump_is_followed_file_by_file(tmp_path: Path, compress: tuple[str, ...]) -> None:
    """Every second a new file, while pings go over the loopback; each file is taken once, and whole."""
    folder = tmp_path / "ring"
    folder.mkdir()
    folder.chmod(0o777)
    writer = subprocess.Popen(
        [
            *("tcpdump", "-i", "lo", "-n", "-U", "-Z", "root", "-G", "1", *compress),
            *("-w", str(folder / "cap-%s.pcap"), "udp port 19999"),
        ],
        stderr=subprocess.DEVNULL,
    )
    talker = subprocess.Popen(
        ["bash", "-c", "while sleep 0.1; do echo x > /dev/udp/127.0.0.1/19999; done"],
        stderr=subprocess.DEVNULL,
    )
    try:
        batches = watched(
            lambda: find([str(folder)]), clock=time.monotonic, sleep=time.sleep, every_s=0.2, settled_s=3
        )
        taken = taken_until(batches, 4)
    finally:
        for process in (talker, writer):
            process.terminate()
            process.wait(10)
    # Names may come again where the machine's clock is set back: that is a ring, and the file another one.
    assert len(taken) == len({(one.uri, one.stamp) for one in taken}) >= 4
    there = {one.uri: one.stamp for one in find([str(folder)]) if isinstance(one, Entry)}
    for one in taken:
        if there.get(one.uri) == one.stamp:
            assert ends_with_whole_record(one.uri)
