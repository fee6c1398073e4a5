"""Search: what is found, some of it at a time, and nobody waits for it longer than a moment.

Folders give names as fast as they are taken.  A listing far away may be silent for seconds: a thread waits for it, and
for all that comes behind it, so that workers are looked after and answers made durable meanwhile.  So it does for a
folder that once kept somebody waiting.  Does not know what is found.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Thread
from typing import Final, NamedTuple

from ctcp_forensics.archive.entry import Found, Trail

FINDING_S: Final = 0.01
"""So long is waited for more before the workers are looked after again."""
SLOW_S: Final = 0.1
"""Who was kept waiting for so long is not kept waiting again."""
NAMES_AHEAD: Final = 256
"""Names that wait to be taken, a few times as many as are taken at once."""
LEAVING_S: Final = 0.2
"""So often a thread looks whether anybody wants what it has found."""


class _End(NamedTuple):
    """Behind all that was found."""

    error: BaseException | None


class Search:
    """What trails lead to."""

    def __init__(self, trails: Iterable[Trail]) -> None:
        self.is_over = False
        self._trails = iter(trails)
        self._trail = Trail(found=())
        """The one that is followed."""
        self._near = self._up_to_what_is_far()
        self._ahead: Queue[Found | _End] | None = None
        self._is_wanted = True

    def some(self, most: int) -> list[Found]:
        """Fewer where they come slowly, perhaps none.  Raises what the search raises."""
        return self._taken_here(most) if self._ahead is None else self._taken_from(self._ahead, most)

    def close(self) -> None:
        """Nothing more is wanted."""
        self._is_wanted = False

    def _taken_here(self, most: int) -> list[Found]:
        some, begun = list[Found](), time.monotonic()
        for one in self._near:
            some.append(one)
            waited_s = time.monotonic() - begun
            if waited_s > SLOW_S:
                self._have_it_awaited()
            if len(some) == most or waited_s > FINDING_S:
                return some
        if self._trail.is_far:
            self._have_it_awaited()
        else:
            self.is_over = True
        return some

    def _up_to_what_is_far(self) -> Iterator[Found]:
        for trail in self._trails:
            self._follow(trail)
            if trail.is_far:
                return
            yield from self._trail.found

    def _follow(self, trail: Trail) -> None:
        """Whoever goes on with it goes on where it is."""
        self._trail = Trail(found=iter(trail.found), is_far=trail.is_far)

    def _have_it_awaited(self) -> None:
        self._ahead = Queue(NAMES_AHEAD)
        Thread(target=self._look, args=[self._ahead], name="search", daemon=True).start()

    def _taken_from(self, ahead: Queue[Found | _End], most: int) -> list[Found]:
        some, until = list[Found](), time.monotonic() + FINDING_S
        with suppress(Empty):
            while len(some) < most:
                one = ahead.get(timeout=max(until - time.monotonic(), 0))
                if isinstance(one, _End):
                    self.is_over = True
                    if one.error is not None:
                        raise one.error
                    break
                some.append(one)
        return some

    # --- in the thread ---------------------------------------------------------------------------

    def _look(self, ahead: Queue[Found | _End]) -> None:
        error = None
        try:
            for one in self._from_here_on():
                self._put(one, ahead)
                if not self._is_wanted:
                    return
        except BaseException as raised:  # noqa: BLE001 - told to who asks
            error = raised
        self._put(_End(error), ahead)

    def _from_here_on(self) -> Iterator[Found]:
        yield from self._trail.found
        for trail in self._trails:
            yield from trail.found

    def _put(self, one: Found | _End, ahead: Queue[Found | _End]) -> None:
        while self._is_wanted:
            with suppress(Full):
                ahead.put(one, timeout=LEAVING_S)
                return
