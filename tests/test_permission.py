"""Permission: what an ordinary user may not read is told with its reason, by `scan` and by `analyze`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctcp_forensics.archive.store import Store
from tests.sweeps import SAMPLES

NOBODY = 65534
WORDS = "permission: no permission to read it"
HEALTHY = (SAMPLES / "healthy.pcap").read_bytes()


def as_an_ordinary_user(*words: str) -> subprocess.CompletedProcess[str]:
    """Root keeps its number, because an interpreter may lie in its home, and gives away what lets it read the rest."""
    through: tuple[str, ...] = ()
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root reads whatever it likes, and setpriv (util-linux) is not here")
        through = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--clear-groups")
    return subprocess.run(
        [*through, sys.executable, "-m", "ctcp_forensics", *words],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """A closed file, folder and archive; a folder that can be listed and no more; one that can be read."""
    folder = tmp_path / "tree"
    for name in ("closed-folder/a.pcap", "listed-only/b.pcap", "open/c.pcap", "closed.pcap"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(HEALTHY)
    (folder / "closed.zip").write_bytes(b"PK")
    modes = {"closed-folder": 0o000, "listed-only": 0o400, "closed.pcap": 0o000, "closed.zip": 0o200}
    for name, mode in modes.items():
        (folder / name).chmod(mode)
    if os.geteuid() == 0:  # somebody else's, as most of a file server is
        (folder / "theirs.pcap").write_bytes(HEALTHY)
        (folder / "theirs.pcap").chmod(0o600)
        os.chown(folder / "theirs.pcap", NOBODY, NOBODY)
    yield folder
    for name in ("closed-folder", "listed-only"):
        (folder / name).chmod(0o700)


def test_a_sweep_tells_what_it_may_not_read_and_reads_the_rest(tree: Path, tmp_path: Path) -> None:
    done = as_an_ordinary_user("scan", str(tree), "--store", str(tmp_path / "store"), "--engine", "inline")
    store = Store.open(tmp_path / "store")
    assert [one.uri for one in store.current()] == [f"{tree}/open/c.pcap"]
    refused = {one.uri.removeprefix(f"{tree}/"): one.reason for one in store.troubles()}
    theirs = {"theirs.pcap": WORDS} if os.geteuid() == 0 else {}
    assert refused == {
        **dict.fromkeys(["closed-folder", "listed-only/b.pcap", "closed.pcap", "closed.zip"], WORDS),
        **theirs,
    }
    store.close()
    assert done.returncode == 3, done.stderr  # what was read is healthy, and not all was read
    assert "closed.pcap: refused: permission: no permission to read it" in done.stdout


def test_what_was_closed_since_the_last_run_is_told(tree: Path, tmp_path: Path) -> None:
    words = ("scan", str(tree), "--store", str(tmp_path / "store"), "--engine", "inline")
    as_an_ordinary_user(*words)
    (tree / "open/c.pcap").chmod(0)
    assert as_an_ordinary_user(*words, "--force").returncode in (2, 3)
    store = Store.open(tmp_path / "store")
    assert f"{tree}/open/c.pcap" in {one.uri for one in store.troubles()}
    store.close()


@pytest.mark.parametrize(
    "name", ["closed.pcap", "closed-folder/a.pcap", "listed-only/b.pcap", "closed.zip!/a.pcap"]
)
def test_an_analysis_tells_what_it_may_not_read_and_reads_the_rest(name: str, tree: Path) -> None:
    done = as_an_ordinary_user("analyze", "-q", str(tree / name), str(tree / "open/c.pcap"))
    assert done.returncode == 3
    assert "1 healthy" in done.stdout
    assert done.stderr == f"ctcp-diag: {tree}/{name}: no permission to read it\n"
