"""Scan: places and a store → the store holds a result of every capture that is found.

Knows what has to be there before a run may begin: the workers, the folder, the lock.  Does not know the work: see run.
"""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec

from ctcp_forensics import RULES_VERSION
from ctcp_forensics.archive import segment
from ctcp_forensics.archive.database import StoreError, sound
from ctcp_forensics.archive.engine import Engine
from ctcp_forensics.archive.entry import Found, Trail
from ctcp_forensics.archive.examine import Terms
from ctcp_forensics.archive.find import FindOptions, Links, trails
from ctcp_forensics.archive.limits import GRACE_S
from ctcp_forensics.archive.manifest import Manifest
from ctcp_forensics.archive.run import Hear, Rules, Sweep, nobody
from ctcp_forensics.archive.shard import Shard, parts_of
from ctcp_forensics.archive.store import Store, StoreCoverage
from ctcp_forensics.archive.tally import Watch
from ctcp_forensics.capture.access import Access

LOCK: Final = "lock"
TIME_LIMIT_S: Final = 300.0
"""A terabyte would take so long; what takes longer hangs."""
MEMORY_LIMIT: Final = 2 << 30
"""Ten times what the largest capture takes."""
MOST_TRIES: Final = 3


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked for."""

    places: Iterable[str]
    store: Path
    terms: Terms
    engine: str = "process"
    workers: int | None = None
    scheduler: str | None = None
    shard: Shard | None = None
    time_limit_s: float | None = TIME_LIMIT_S
    memory_limit: int | None = MEMORY_LIMIT
    most_tries: int = MOST_TRIES
    anew: bool = False
    links: Links = Links.PASSED_OVER
    found: Iterable[Found] | None = None
    """What somebody found already; None: what is at the places."""
    access: Access = Access.PUBLIC_ONLY


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended."""

    run: int | None
    """None: all of them together."""
    coverage: StoreCoverage
    was_stopped: bool
    is_finished: bool = True
    """Nothing is left, though it may have been asked to stop."""


def scan(wanted: Wanted, watch: Watch, hear: Hear = nobody) -> Swept:
    """Raises StoreError where the store is in use or cannot be written."""
    with ExitStack() as at_the_end:
        engine = engine_of(wanted)  # first: its workers are copies of what is here by now
        at_the_end.callback(engine.close)
        folder = prepared(wanted.store)
        at_the_end.enter_context(locked(folder))
        at_the_end.enter_context(sound(folder))
        manifest = Manifest(folder, terms=wanted.terms.key, rules=RULES_VERSION)
        at_the_end.callback(manifest.close)
        segment.remove_orphans(folder / segment.FOLDER, manifest.segment_names())
        sweep = Sweep(folder, manifest, engine, rules_of(wanted), watch, hear)
        with stopped_by_ctrl_c(sweep):
            sweep.run(trails_of(wanted))
        return Swept(
            run=manifest.run,
            coverage=coverage_of(folder, manifest.run),
            was_stopped=sweep.is_stopping,
            is_finished=sweep.is_finished,
        )


def rules_of(wanted: Wanted) -> Rules:
    return Rules(
        terms=wanted.terms,
        time_limit_s=wanted.time_limit_s,
        access=wanted.access,
        most_tries=wanted.most_tries,
        anew=wanted.anew,
    )


def found_by(wanted: Wanted) -> Iterator[Found]:
    return chain.from_iterable(trail.found for trail in trails_of(wanted))


def trails_of(wanted: Wanted) -> Iterator[Trail]:
    if wanted.found is not None:
        return iter([Trail(found=wanted.found)])
    options = FindOptions(links=wanted.links, store=str(wanted.store), access=wanted.access)
    led = trails(wanted.places, options)
    return led if wanted.shard is None else parts_of(led, wanted.shard)


def coverage_of(folder: Path, run: int | None) -> StoreCoverage:
    store = Store.open(folder)
    try:
        return store.coverage(run)
    finally:
        store.close()


# --- what has to be there -----------------------------------------------------------------------


def engine_of(wanted: Wanted) -> Engine:
    """Where the tasks run."""
    from ctcp_forensics.archive.task import work

    patience_s = None if wanted.time_limit_s is None else wanted.time_limit_s + 2 * GRACE_S
    match wanted.engine:
        case "inline":
            from ctcp_forensics.archive.engine.inline import InlineEngine

            return InlineEngine(work)
        case "dask":
            from ctcp_forensics.archive.engine.cluster import DaskEngine

            return DaskEngine(wanted.scheduler, memory_limit=wanted.memory_limit, patience_s=patience_s)
        case _:
            from ctcp_forensics.archive.engine.process import ProcessEngine

            return ProcessEngine(
                work,
                workers=wanted.workers or len(os.sched_getaffinity(0)),
                memory_limit=wanted.memory_limit,
                patience_s=patience_s,
            )


def prepared(folder: Path) -> Path:
    """The store's folder, made where there is none; a folder of something else is left alone."""
    try:
        if folder.exists() and not folder.is_dir():
            raise StoreError(f"{folder}: is a file, and a store is a folder; name an empty or a new one")
        if folder.is_dir() and any(folder.iterdir()) and not (folder / LOCK).exists():
            raise StoreError(f"{folder}: is a folder of something else; name an empty or a new one as store")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / LOCK).touch()  # first: by it a store is known that somebody was killed in
        (folder / segment.FOLDER).mkdir(exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: no store can be made there: {error.strerror}") from error
    return folder


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One scan at a time; the system lets go of the lock however this process ends."""
    with (folder / LOCK).open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(f"{folder}: another scan is writing to this store") from error
        yield


@contextmanager
def stopped_by_ctrl_c(sweep: Sweep) -> Iterator[None]:
    """Once: what runs is finished.  Twice: everything is left as it is, which loses nothing acknowledged."""

    def asked(_signal: int, _frame: object) -> None:
        if sweep.is_stopping:
            raise KeyboardInterrupt
        sweep.stop()

    before = signal.signal(signal.SIGINT, asked)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
