"""A store that something has spoilt: a line says which file and what to do, and no verdict is told from it."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path

import pytest

from ctcp_forensics.archive.database import NAME, StoreError, connect, sound
from ctcp_forensics.archive.examine import Examined
from ctcp_forensics.archive.segment import FOLDER, lines_of, packed, unpacked, write_durably
from ctcp_forensics.cli import main
from tests.fuzz.edits import edited
from tests.made_stores import MadeStore, analyzed, dead

QUESTIONS = (["coverage"], ["who-else"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = MadeStore(tmp_path / "store")
    made.add(analyzed("/a.pcap", dead(1)), analyzed("/b.pcap", dead(2)))
    return made.folder


def test_one_turned_bit_of_a_result_changes_no_verdict() -> None:
    whole = analyzed("/a.pcap", dead(1))
    frame, noticed = packed(whole), 0
    for at in range(8 * len(frame)):
        spoilt = bytearray(frame)
        spoilt[at // 8] ^= 1 << at % 8
        try:
            assert unpacked(bytes(spoilt)) == whole, "a bit that means nothing to Zstandard"
        except StoreError:
            noticed += 1
    assert noticed > 0.99 * 8 * len(frame)


def test_a_result_that_is_whole_but_no_result_is_told_so(tmp_path: Path) -> None:
    file = tmp_path / "1.ndjson.zst"
    write_durably(file, [packed(analyzed("/a.pcap", dead(1)))[:-9]])
    with pytest.raises(StoreError, match=r"1\.ndjson\.zst: a result in the store is damaged"):
        list[Examined](lines_of(file))


def test_a_damaged_segment_is_named_with_the_place(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (segment,) = (folder / FOLDER).iterdir()
    data = bytearray(segment.read_bytes())
    data[len(data) // 4] ^= 0xFF
    segment.write_bytes(data)
    assert main(["query", "who-else", "--store", str(folder)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert f"{segment}: byte 0: a result in the store is damaged" in told.err
    assert "scan --force" in told.err


def test_a_store_that_may_not_be_written_is_not_called_damaged(folder: Path) -> None:
    with (
        closing(connect(folder / NAME, mode="ro")) as database,
        pytest.raises(StoreError, match=r"sqlite3: cannot be written: attempt to write a readonly database$"),
        sound(folder),
    ):
        database.execute("DELETE FROM entries")


def test_a_damaged_manifest_is_one_line_whatever_is_asked(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = folder / NAME
    whole, chance, refused = manifest.read_bytes(), random.Random(1), 0
    for turn in range(60):
        manifest.write_bytes(edited(whole, chance))
        status = main(["query", *QUESTIONS[turn % 2], "--store", str(folder)])
        told = capsys.readouterr().err
        assert status in (0, 2)
        assert "internal error" not in told
        refused += f"{folder}" in told
    assert refused > 5
