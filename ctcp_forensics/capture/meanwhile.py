"""Meanwhile: an iterator that is a few items ahead because whoever would have to wait makes one.

Knows that one thread at a time makes items, in their order, and one takes them.  Does not know what they are: the
blocks of a compressed file, read and hashed, which one thread unpacks while another looks at what came out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from threading import Lock
from typing import Generic, TypeVar

from ctcp_forensics.errors import CaptureError

Item = TypeVar("Item")


class Meanwhile(Generic[Item]):
    """The same items; at most `most` of them are made and not yet taken.  Their error comes after them."""

    def __init__(self, items: Iterator[Item], most: int) -> None:
        self._items = items
        self._most = most
        self._made: deque[Item] = deque()
        self._turn = Lock()
        self._is_over = False
        self._error: BaseException | None = None

    def __iter__(self) -> Iterator[Item]:
        while self._made or self._make():
            yield self._made.popleft()
        if self._error is not None:
            raise self._error

    def make_one(self) -> bool:
        """For whoever would have to wait.  False where there is no need.

        Where the other thread makes one itself it has to be waited for either way: the next one is made behind it.
        """
        if len(self._made) >= self._most:
            return False
        with self._turn:
            return len(self._made) < self._most and self._make_next()

    def _make(self) -> bool:
        """One at least, by whoever has the turn."""
        with self._turn:
            return bool(self._made) or self._make_next()

    def _make_next(self) -> bool:
        if self._is_over:
            return False
        try:
            self._made.append(next(self._items))
        except StopIteration:
            self._is_over = True
        except CaptureError as error:
            self._is_over, self._error = True, error
        except BaseException as error:
            # On whichever thread it was: who takes the items must not take those made for all there are.
            self._is_over, self._error = True, error
            raise
        return not self._is_over
