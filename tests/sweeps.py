"""Archives for tests: folders of captures that differ, runs of the real program, and captures that are poison.

A poison is a name: a module that Python loads at its start lets the reader of such a file die, hang or starve, in
whatever process it is read.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from ctcp_forensics.archive.store import Store

SAMPLES: Final = Path(__file__).parent.parent / "samples"
PLAIN: Final = ("failure-client.pcap", "answered.pcap", "app-port-10000.pcap")
PCAP_HEADER_LEN: Final = 24

POISON: Final = """
import os, signal, sys, time

def poisoned(examine):
    def wrapped(entry, terms, opened=None):
        name = os.path.basename(entry.uri)
        if "slow" in name:
            time.sleep(0.02)
        if "kills" in name:
            os.kill(os.getpid(), signal.SIGKILL)
        if "hangs" in name:
            while True:
                pass
        if "deaf" in name:
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
            time.sleep(1000)
        if "starves" in name:
            bytearray(1 << 40)
        if "breaks" in name:
            raise KeyError("a bug")
        return examine(entry, terms, opened)
    return wrapped

if os.environ.get("POISON"):
    from ctcp_forensics import evidence
    evidence.RULES_VERSION = os.environ.get("RULES", evidence.RULES_VERSION)
    from ctcp_forensics.archive import limits, task
    limits.GRACE_S = 1.0
    task.examine = poisoned(task.examine)
"""


def shifted(capture: bytes, seconds: int) -> bytes:
    """The same frames so much later: another capture with the same verdict."""
    out, at = bytearray(capture), PCAP_HEADER_LEN
    while at < len(capture):
        sec, _, captured, _ = struct.unpack_from("<IIII", capture, at)
        struct.pack_into("<I", out, at, sec + seconds)
        at += 16 + captured
    return bytes(out)


def make_archive(folder: Path, files: int, *, prefix: str = "") -> Path:
    """So many captures, no two alike."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = [(SAMPLES / name).read_bytes() for name in PLAIN]
    for number in range(files):
        content = shifted(plain[number % len(plain)], number)
        (folder / f"{prefix}{number:03}.pcap").write_bytes(content)
    return folder


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Of a process in which poison works."""
    (folder / "sitecustomize.py").write_text(POISON)
    return {**os.environ, "POISON": "1", "PYTHONPATH": str(folder), **more}


def scan_words(store: Path, *words: str | Path) -> list[str]:
    return [sys.executable, "-m", "ctcp_forensics", "scan", "--store", str(store), *map(str, words)]


def scanned(
    store: Path, *words: str | Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        scan_words(store, *words), capture_output=True, text=True, timeout=300, env=env, check=False
    )


def results(store: Path) -> list[bytes]:
    """What a store knows now, byte for byte."""
    opened = Store.open(store)
    try:
        return [msgspec.json.encode(found) for found in opened.current()]
    finally:
        opened.close()


def wait_until_something_is_acknowledged(store: Path) -> None:
    until = time.monotonic() + 60
    while not list((store / "segments").glob("[0-9]*")):
        assert time.monotonic() < until
        time.sleep(0.01)


def children_of(pid: int) -> Iterator[int]:
    """Processes that this one has started."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        yield from map(int, task.read_text().split())
