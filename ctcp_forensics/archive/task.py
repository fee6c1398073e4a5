"""Tasks: entries that are worked on together, as bytes that any engine can carry, and the work itself.

Knows what can be asked of entries.  Does not know where tasks run nor what becomes of the answers.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import partial
from typing import Final, Literal

import msgspec

from ctcp_forensics import RULES_VERSION, __version__
from ctcp_forensics.archive.engine import EngineError
from ctcp_forensics.archive.entry import Entry
from ctcp_forensics.archive.examine import Examined, Terms, examine, failed, judged_again
from ctcp_forensics.archive.find import opened_entries
from ctcp_forensics.archive.identity import UNREADABLE, quick_key, whole_keys
from ctcp_forensics.archive.limits import TimeIsUp, time_limit
from ctcp_forensics.archive.segment import packed, unpacked
from ctcp_forensics.capture import Access, Capture, Hashing, HashName
from ctcp_forensics.capture.digest import BLAKE3
from ctcp_forensics.errors import CaptureError

Kind = Literal["examine", "judge", "quick-key", "whole-key"]

Opened = Generator[tuple[Entry, Capture | CaptureError], None, None]

PROGRAM: Final = f"{__version__} with rules {RULES_VERSION}"
MEMORY: Final = "memory limit"
TIME: Final = "time limit"


class Item(msgspec.Struct, frozen=True, array_like=True):
    """One entry on its way; its name as bytes, because a name need not be text."""

    uri: bytes
    size: int | None
    length: int | None
    stamp: str
    stored: bytes = b""
    """Its result as it is kept, to be judged again."""

    @property
    def entry(self) -> Entry:
        return Entry(uri=os.fsdecode(self.uri), size=self.size, length=self.length, stamp=self.stamp)


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is asked."""

    kind: Kind
    items: tuple[Item, ...]
    terms: Terms
    hash_name: HashName = BLAKE3
    """By which the store knows contents."""
    time_limit_s: float | None = None
    access: Access = Access.PUBLIC_ONLY


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker says of one item: a result and what the manifest keeps of it, or a key."""

    at: int = 0
    """Which item."""
    frame: bytes = b""
    key: str = ""
    status: str = ""
    reason: str = ""
    content: str | None = None
    judged: int = 0
    facts_version: str = ""
    rules_version: str = ""
    frames: int = 0
    read_len: int = 0
    exit_status: int = 0
    seconds: float = 0.0
    program: str = ""
    """Of whom; a worker of a cluster may have another version, and would not know what it does not do."""


def item_of(entry: Entry, stored: bytes = b"") -> Item:
    return Item(os.fsencode(entry.uri), entry.size, entry.length, entry.stamp, stored)


def payload_of(task: Task) -> bytes:
    return msgspec.msgpack.encode(task)


def data_of(answer: Answer) -> bytes:
    """On its way back, with the name of the program that gave it."""
    return msgspec.msgpack.encode(msgspec.structs.replace(answer, program=PROGRAM))


def answer_of(data: bytes) -> Answer:
    """Raises EngineError where another program gave it: its results would not be those of this one."""
    answer = msgspec.msgpack.decode(data, type=Answer)
    if answer.program != PROGRAM:
        theirs = answer.program or "of an older version"
        raise EngineError(
            f"a worker runs ctcp-diag {theirs} and this is {PROGRAM}: install one version everywhere, and the same "
            "command goes on"
        )
    return answer


def work(payload: bytes) -> Iterator[bytes]:
    """One answer for each item, each as soon as it is known."""
    task = msgspec.msgpack.decode(payload, type=Task)
    return map(data_of, WORK[task.kind](task))


def _examined(task: Task) -> Iterator[Answer]:
    """Members of one archive in one pass over it; where that pass breaks off, another one begins behind."""
    left = {item.entry.uri: at for at, item in enumerate(task.items)}
    while left:
        with closing(
            opened_entries(
                [task.items[at].entry for at in left.values()],
                hashing=Hashing(task.hash_name),
                access=task.access,
            )
        ) as opened:
            yield from _in_turn(opened, left, task)


def _in_turn(opened: Opened, left: dict[str, int], task: Task) -> Iterator[Answer]:
    while left:
        at = next(iter(left.values()))
        yet = Step(entry=task.items[at].entry)
        answer = _guarded(yet.entry, task.time_limit_s, partial(yet.examined, opened, task.terms))
        yield msgspec.structs.replace(answer, at=left.pop(yet.entry.uri))
        if not yet.is_done:
            return


class Step(msgspec.Struct):
    """From one opened entry to the next."""

    entry: Entry
    """Whose turn it is, as far as is known before it is opened."""
    is_done: bool = False

    def examined(self, opened: Opened, terms: Terms) -> Examined:
        self.entry, capture = next(opened)
        found = examine(self.entry, terms, capture)
        self.is_done = True
        return found


def _judged(task: Task) -> Iterator[Answer]:
    for at, item in enumerate(task.items):
        again = partial(_judged_again, item, task.terms)
        yield msgspec.structs.replace(_guarded(item.entry, task.time_limit_s, again), at=at)


def _judged_again(item: Item, terms: Terms) -> Examined:
    return judged_again(unpacked(item.stored), terms)


def _guarded(entry: Entry, time_limit_s: float | None, done: Callable[[], Examined]) -> Answer:
    """Whatever one entry does to the one who reads it, it is an answer."""
    began = time.perf_counter()
    try:
        with time_limit(time_limit_s):
            return answered(done(), time.perf_counter() - began)
    except TimeIsUp:
        reason = f"{TIME} {time_limit_s:g} s"
    except MemoryError:
        reason = MEMORY
    except Exception as error:  # noqa: BLE001 - the last stop before the next entry
        reason = f"internal error: {type(error).__name__}: {error}"
    return answered(failed(entry, reason), time.perf_counter() - began)


def answered(found: Examined, seconds: float) -> Answer:
    return Answer(
        frame=packed(found),
        status=found.status,
        reason=found.reason,
        content=found.content or (UNREADABLE if found.is_final else None),
        judged=found.judged,
        facts_version="" if found.facts is None else found.facts.version,
        rules_version=found.rules_version,
        frames=found.frames,
        read_len=found.bytes,
        exit_status=found.exit_status,
        seconds=seconds,
    )


def _quick_keys(task: Task) -> Iterator[Answer]:
    return (Answer(at=at, key=quick_key(item.entry)) for at, item in enumerate(task.items))


def _whole_keys(task: Task) -> Iterator[Answer]:
    number = {item.entry: at for at, item in enumerate(task.items)}
    for entry, key in whole_keys(list(number), task.hash_name, access=task.access):
        yield Answer(at=number[entry], key=key)


WORK: Final[dict[Kind, Callable[[Task], Iterator[Answer]]]] = {
    "examine": _examined,
    "judge": _judged,
    "quick-key": _quick_keys,
    "whole-key": _whole_keys,
}
