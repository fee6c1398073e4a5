"""By which hash a store knows contents: BLAKE3, and what an older version began with."""

from __future__ import annotations

import shutil
import sqlite3
from hashlib import sha256
from pathlib import Path

import pytest
from blake3 import blake3

from ctcp_forensics import RULES_VERSION
from ctcp_forensics.archive.database import StoreError
from ctcp_forensics.archive.examine import Examined, Terms
from ctcp_forensics.archive.manifest import Manifest
from ctcp_forensics.archive.merge import merge
from ctcp_forensics.archive.rows import capture_row
from ctcp_forensics.archive.scan import Wanted, prepared, scan
from ctcp_forensics.archive.store import Store
from ctcp_forensics.archive.stream import ecs
from tests.sweeps import SAMPLES, make_archive

OLD, NEW = 1, 2
"""Versions of stores."""


def begun(folder: Path, version: int) -> Path:
    """An empty store, as that version made one: its tables are the same."""
    Manifest(prepared(folder), terms=Terms().key, rules=RULES_VERSION, version=version).close()
    return folder


def swept(store: Path, place: Path) -> list[Examined]:
    scan(Wanted(places=[str(place)], store=store, terms=Terms(), engine="inline"), lambda _tally: None)
    return list(Store.open(store).current())


def count_of_results(store: Path) -> int:
    with sqlite3.connect(store / "manifest.sqlite3") as database:
        return int(database.execute("SELECT count(*) FROM results").fetchone()[0])


def test_a_new_store_knows_captures_by_blake3(tmp_path: Path) -> None:
    folder = make_archive(tmp_path / "in", 2)
    for found in swept(tmp_path / "store", folder):
        assert found.report is not None
        (capture,) = found.report.captures
        expected = blake3(Path(found.uri).read_bytes()).hexdigest()
        assert (found.content, capture.blake3, capture.content_blake3) == (expected, expected, expected)
        assert (capture.sha256, capture.content_sha256) == (None, None)
        assert (capture_row(found).hash, capture_row(found).content) == ("blake3", expected)


def test_an_old_store_goes_on_with_sha256_and_does_nothing_twice(tmp_path: Path) -> None:
    folder, store = make_archive(tmp_path / "in", 3), begun(tmp_path / "store", OLD)
    swept(store, folder)
    shutil.copy(folder / "000.pcap", folder / "copy.pcap")
    found = {Path(one.uri).name: one for one in swept(store, folder)}
    assert count_of_results(store) == 3
    assert found["copy.pcap"].same_as == str(folder / "000.pcap")
    for one in found.values():
        assert one.content == sha256(Path(one.uri).read_bytes()).hexdigest()
        assert one.report is not None
        assert one.report.captures[0].sha256 == one.content
        assert capture_row(one).hash == "sha256"


def test_ecs_has_a_name_for_sha256_and_ours_is_a_label(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    content = (SAMPLES / "failure-client.pcap").read_bytes()
    (folder / "a.pcap").write_bytes(content)
    (old,) = swept(begun(tmp_path / "old", OLD), folder)
    (new,) = swept(tmp_path / "new", folder)
    assert f'"hash":{{"sha256":"{sha256(content).hexdigest()}"}}' in next(ecs(old))
    assert f'"blake3":"{blake3(content).hexdigest()}"' in next(ecs(new))
    assert '"hash"' not in next(ecs(new))
    assert '"blake3"' not in next(ecs(old))


@pytest.mark.parametrize("version", [OLD, NEW])
def test_stores_of_one_hash_are_merged_into_one_of_it(tmp_path: Path, version: int) -> None:
    folders = [make_archive(tmp_path / name, 2) for name in ("a", "b")]
    parts = [begun(tmp_path / f"part-{at}", version) for at in range(2)]
    for part, folder in zip(parts, folders, strict=True):
        swept(part, folder)
    assert merge(parts, tmp_path / "all") == 4
    assert count_of_results(tmp_path / "all") == 2
    assert merge(parts, tmp_path / "all") == 0


def test_stores_of_different_hashes_are_not_merged_and_leave_the_target_as_it_was(tmp_path: Path) -> None:
    folder = make_archive(tmp_path / "in", 2)
    old, new = begun(tmp_path / "old", OLD), tmp_path / "new"
    swept(old, folder)
    swept(new, folder)
    with pytest.raises(StoreError, match=r"old by sha256 and .*new by blake3: merge those of one version"):
        merge([new, old], tmp_path / "target")
    assert not (tmp_path / "target").exists()
    assert merge([old], tmp_path / "target") == 2
    before = Store.open(tmp_path / "target").fingerprint()
    with pytest.raises(StoreError, match=r"target by sha256 and .*new by blake3"):
        merge([new], tmp_path / "target")
    assert Store.open(tmp_path / "target").fingerprint() == before
    assert len(list(Store.open(tmp_path / "target").current())) == 2
