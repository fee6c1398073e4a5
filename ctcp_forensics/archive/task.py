"""Tasks: entries that are worked on together, as bytes that any engine can carry, and the work itself.

Knows what can be asked of entries.  Does not know where tasks run nor what becomes of the answers.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal

import msgspec

from ctcp_forensics.archive.entry import Entry
from ctcp_forensics.archive.examine import Examined, Terms, examine, failed, judged_again
from ctcp_forensics.archive.identity import quick_key, whole_key
from ctcp_forensics.archive.limits import TimeIsUp, time_limit
from ctcp_forensics.archive.segment import packed, unpacked

Kind = Literal["examine", "judge", "quick-key", "whole-key"]

MEMORY: Final = "memory limit"
TIME: Final = "time limit"


class Item(msgspec.Struct, frozen=True, array_like=True):
    """One entry on its way; its name as bytes, because a name need not be text."""

    uri: bytes
    size: int | None
    stamp: str
    stored: bytes = b""
    """Its result as it is kept, to be judged again."""

    @property
    def entry(self) -> Entry:
        return Entry(uri=os.fsdecode(self.uri), size=self.size, stamp=self.stamp)


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is asked."""

    kind: Kind
    items: tuple[Item, ...]
    terms: Terms
    time_limit_s: float | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker says of one item: a result and what the manifest keeps of it, or a key."""

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


def item_of(entry: Entry, stored: bytes = b"") -> Item:
    return Item(os.fsencode(entry.uri), entry.size, entry.stamp, stored)


def payload_of(kind: Kind, items: Sequence[Item], terms: Terms, time_limit_s: float | None) -> bytes:
    return msgspec.msgpack.encode(
        Task(kind=kind, items=tuple(items), terms=terms, time_limit_s=time_limit_s)
    )


def answer_of(data: bytes) -> Answer:
    return msgspec.msgpack.decode(data, type=Answer)


def work(payload: bytes) -> Iterator[bytes]:
    """One answer for each item, in their order, each as soon as it is known."""
    task = msgspec.msgpack.decode(payload, type=Task)
    for item in task.items:
        yield msgspec.msgpack.encode(WORK[task.kind](item, task))


def _examine(item: Item, task: Task) -> Answer:
    return _guarded(item, task, lambda: examine(item.entry, task.terms))


def _judge(item: Item, task: Task) -> Answer:
    return _guarded(item, task, lambda: judged_again(unpacked(item.stored), task.terms))


def _guarded(item: Item, task: Task, done: Callable[[], Examined]) -> Answer:
    """Whatever one entry does to the one who reads it, it is an answer."""
    began = time.perf_counter()
    try:
        with time_limit(task.time_limit_s):
            return answered(done(), time.perf_counter() - began)
    except TimeIsUp:
        reason = f"{TIME} {task.time_limit_s:g} s"
    except MemoryError:
        reason = MEMORY
    except Exception as error:  # noqa: BLE001 - the last stop before the next entry
        reason = f"internal error: {type(error).__name__}: {error}"
    return answered(failed(item.entry, reason), time.perf_counter() - began)


def answered(found: Examined, seconds: float) -> Answer:
    return Answer(
        frame=packed(found),
        status=found.status,
        reason=found.reason,
        content=found.content,
        judged=found.judged,
        facts_version="" if found.facts is None else found.facts.version,
        rules_version=found.rules_version,
        frames=found.frames,
        read_len=found.bytes,
        exit_status=found.exit_status,
        seconds=seconds,
    )


def _quick_key(item: Item, _task: Task) -> Answer:
    return Answer(key=quick_key(item.entry))


def _whole_key(item: Item, _task: Task) -> Answer:
    return Answer(key=whole_key(item.entry))


WORK: Final[dict[Kind, Callable[[Item, Task], Answer]]] = {
    "examine": _examine,
    "judge": _judge,
    "quick-key": _quick_key,
    "whole-key": _whole_key,
}
