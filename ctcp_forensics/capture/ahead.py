"""Ahead: run an iterator on a thread of its own, a few items ahead of whoever takes them.

Knows queues and how to leave no thread behind.  The items are blocks of bytes, whose
reading, hashing and unpacking let go of the interpreter lock.  What is made ahead may itself be made of such.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

if TYPE_CHECKING:
    from queue import SimpleQueue

ITEMS_AHEAD: Final = 2
"""Made and not yet taken: enough to overlap, and neither side runs away."""

Item = TypeVar("Item")
Thing = TypeVar("Thing")


class _End(NamedTuple):
    """The last thing in the queue: why there is no more."""

    error: BaseException | None


def _nothing() -> bool:
    return False


def ahead(items: Iterator[Item], meanwhile: Callable[[], bool] = _nothing) -> Iterator[Item]:
    """The same items.  An error of theirs surfaces here, after the items before it.

    Whoever has to wait for the other does something of the `meanwhile` first, as long as that says that there is more.
    """
    from queue import SimpleQueue  # a small capture is read without a thread
    from threading import Thread

    ready: SimpleQueue[Item | _End] = SimpleQueue()
    wanted: SimpleQueue[bool] = SimpleQueue()
    for _ in range(ITEMS_AHEAD):
        wanted.put(True)
    maker = Thread(target=_make, args=(items, ready, wanted, meanwhile), name="read-ahead", daemon=True)
    maker.start()
    try:
        while not isinstance(item := with_something_to_do(ready, meanwhile), _End):
            wanted.put(True)
            yield item
        if item.error is not None:
            raise item.error
    finally:
        _abandon(wanted)
        maker.join()


def _make(
    items: Iterator[Item],
    ready: SimpleQueue[Item | _End],
    wanted: SimpleQueue[bool],
    meanwhile: Callable[[], bool],
) -> None:
    """Makes an item and waits until it is wanted, or never will be."""
    error: BaseException | None = None
    try:
        for item in items:
            if not with_something_to_do(wanted, meanwhile):
                return
            ready.put(item)
    except BaseException as raised:  # noqa: BLE001 - it is raised again by whoever takes the items
        error = raised
    ready.put(_End(error))


def with_something_to_do(queue: SimpleQueue[Thing], meanwhile: Callable[[], bool]) -> Thing:
    """The next thing in the queue."""
    while queue.empty() and meanwhile():
        """One thing after the other, until there is something to go on with."""
    return queue.get()


def _abandon(wanted: SimpleQueue[bool]) -> None:
    from queue import Empty

    with suppress(Empty):
        while True:
            wanted.get_nowait()
    wanted.put(False)
