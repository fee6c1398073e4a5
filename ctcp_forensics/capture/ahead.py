"""Ahead: run an iterator on a thread of its own, a few items ahead of whoever takes them.

Knows queues and how to leave no thread behind.  The items are blocks of bytes, whose
reading, hashing and unpacking let go of the interpreter lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

if TYPE_CHECKING:
    from queue import Queue
    from threading import Event

ITEMS_AHEAD: Final = 2
"""Made and not yet taken: enough to overlap, and neither side runs away."""
ITEMS_ALIVE: Final = ITEMS_AHEAD + 2
"""With the one being made and the one in use: a maker may reuse the memory of older ones."""

Item = TypeVar("Item")


class _End(NamedTuple):
    """The last thing in the queue: why there is no more."""

    error: BaseException | None


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items.  An error of theirs surfaces here, after the items before it."""
    from queue import Queue  # a small capture is read without a thread
    from threading import Event, Thread

    ready: Queue[Item | _End] = Queue(ITEMS_AHEAD)
    abandoned = Event()
    maker = Thread(target=_make, args=(items, ready, abandoned), name="read-ahead", daemon=True)
    maker.start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        abandoned.set()
        _empty(ready)
        maker.join()


def _make(items: Iterator[Item], ready: Queue[Item | _End], abandoned: Event) -> None:
    error: BaseException | None = None
    try:
        for item in items:
            ready.put(item)
            if abandoned.is_set():
                return
    except BaseException as raised:  # noqa: BLE001 - it is raised again by whoever takes the items
        error = raised
    ready.put(_End(error))


def _empty(ready: Queue[Item | _End]) -> None:
    """Makes room for the one `put` that may be waiting, so that the maker sees that it was abandoned."""
    from queue import Empty

    with suppress(Empty):
        while True:
            ready.get_nowait()
