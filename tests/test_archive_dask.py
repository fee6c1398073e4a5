"""The same bytes from a real Dask cluster: a scheduler and workers of their own, killed and stopped in mid-run."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sweeps import (
    environment,
    make_archive,
    results,
    scan_words,
    scanned,
    wait_until_something_is_acknowledged,
)

pytest.importorskip("distributed")

QUICK_TO_MISS_A_WORKER = {
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "8 s",
    "DASK_DISTRIBUTED__WORKER__DAEMON": "False",
}


class Cluster:
    """A scheduler and its workers, each a process that can be killed."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self._folder = folder
        self._env = environment(folder, **QUICK_TO_MISS_A_WORKER)
        port = self.address.rpartition(":")[2]
        self.scheduler = self._started("scheduler", "--host", "127.0.0.1", "--port", port)
        self.workers = [self.worker() for _ in range(3)]

    def worker(self) -> subprocess.Popen[bytes]:
        return self._started("worker", self.address, "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1")

    def _started(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *words, "--no-dashboard"],
            env=self._env,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    (tmp_path / "cluster").mkdir()
    made = Cluster(tmp_path / "cluster")
    yield made
    made.close()


def test_a_cluster_gives_the_same_bytes_though_its_workers_are_killed_and_stopped(
    cluster: Cluster, tmp_path: Path
) -> None:
    archive = make_archive(tmp_path / "cases", 90, prefix="slow-")
    store = tmp_path / "store"
    words = scan_words(store, archive, "--engine", "dask", "--scheduler", cluster.address)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_until_something_is_acknowledged(store)
        os.kill(cluster.workers[0].pid, signal.SIGKILL)
        os.kill(cluster.workers[1].pid, signal.SIGSTOP)
        time.sleep(0.5)
        cluster.workers.append(cluster.worker())
        _, complaints = process.communicate(timeout=240)
    assert process.returncode == 1, complaints
    scanned(tmp_path / "expected", archive)
    assert results(store) == results(tmp_path / "expected")


def test_where_there_is_no_scheduler_one_line_says_so(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "cases", 1)
    ended = scanned(tmp_path / "store", archive, "--engine", "dask")
    assert ended.returncode == 2
    assert "--engine dask needs --scheduler" in ended.stderr
