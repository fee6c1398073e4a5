"""Hands: the chunks of a long capture worked on by several threads, step by step.

Knows threads, turns, and how to leave nobody behind.  Does not know where chunks come from (see copies and line), nor
what is done with them, nor whether sharing pays.  What must be done in the order of the capture is done in turns, and
a turn goes from hand to hand: nothing needs a lock, and what is under way is a chunk for each hand.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import msgspec

from ctcp_forensics._kernel.layouts import Stage
from ctcp_forensics.capture.codecs import Buffer

if TYPE_CHECKING:
    from threading import Thread

Load = TypeVar("Load")
Load_contra = TypeVar("Load_contra", contravariant=True)


class Work(Protocol[Load_contra]):
    """What is done by hand."""

    def tell(self, position: int, /) -> None:
        """So many bytes of the file are done, or under way; told by the thread that was there."""

    def collect(self, load: Load_contra, /) -> bool:
        """In the order of the capture: all that the chunk brings.  False where nothing comes behind it."""

    def follow(self, load: Load_contra, /) -> None:
        """In the order of the capture, and the chunk's memory is used again behind it."""


class Turns(Protocol):
    """One after the other, and then the first again."""

    def wait_for(self, index: int, /) -> None: ...

    def comes(self, index: int, microseconds: int, /) -> bool: ...

    def pass_on(self, index: int, /) -> None: ...

    def give(self, index: int, /) -> None: ...


class Belt(Protocol[Load_contra]):
    """What brings a chunk from turn to turn, and does by itself what needs no hand."""

    @property
    def hands(self) -> int: ...

    @property
    def collecting(self) -> Turns: ...

    @property
    def following(self) -> Turns: ...

    @property
    def chunks_taken(self) -> int: ...

    def count_chunk(self) -> None: ...

    def end(self) -> None: ...

    def give_up(self) -> None: ...

    def carry(self, index: int, number: int, chunk: Buffer, load: Load_contra, /) -> Stage: ...

    def carry_next(self, index: int, chunk: Buffer, load: Load_contra, /) -> Stage: ...

    def carry_on(self, index: int, load: Load_contra, /) -> Stage: ...


class Hand(msgspec.Struct, Generic[Load], kw_only=True):
    """What one thread has in hand."""

    index: int
    """That of the thread that was there is 0."""
    load: Load


class Hands(ABC, Generic[Load]):
    """`chunks` are those of the capture, in order, for `Work.collect` to take one at each turn, or more."""

    def __init__(self, make: Callable[[], Load], belt: Belt[Load]) -> None:
        self._belt = belt
        self._hands = [Hand(index=index, load=make()) for index in range(belt.hands)]
        self._threads: list[Thread] = []
        self._is_over = False
        """Nothing is left to be collected."""
        self._is_given_up = False
        self._error: BaseException | None = None

    @abstractmethod
    def chunks(self) -> Iterator[Buffer]:
        """To be read in the turn of collecting, by whoever has it."""

    def run(self, work: Work[Load]) -> None:
        """Until `collect` has come to an end and everything was followed; an error of any step surfaces here."""
        try:
            self._lead(work)
            self._join()
        except BaseException:
            self._give_up()
            raise
        finally:
            self._join()
        if self._error is not None:
            raise self._error

    def _join(self) -> None:
        """Also behind an interrupt, wherever that came: nobody goes on with a capture that is closed."""
        for thread in self._threads:
            if thread.ident is not None:  # it was started
                thread.join()

    @abstractmethod
    def _lead(self, work: Work[Load]) -> None:
        """What the thread that was there does."""

    @abstractmethod
    def _go(self, hand: Hand[Load], work: Work[Load]) -> None:
        """One chunk after the other, until somebody has seen the end."""

    @abstractmethod
    def _wake_all(self) -> None:
        """Whoever waits for a chunk."""

    def _begin(self, work: Work[Load]) -> None:
        """The other hands."""
        from threading import Thread  # a small capture needs no thread

        self._threads = [
            Thread(target=self._try, args=(hand, work), name="hand", daemon=True) for hand in self._hands[1:]
        ]
        for thread in self._threads:
            thread.start()

    def _try(self, hand: Hand[Load], work: Work[Load]) -> None:
        try:
            # A thread may begin behind an interrupt, when nobody waits for it any more.
            if not self._is_given_up:
                self._go(hand, work)
        except BaseException as error:  # noqa: BLE001 - it is raised again by `run`
            self._error = error
            self._give_up()

    def _follow(self, index: int, load: Load, stage: Stage, work: Work[Load]) -> None:
        """What the belt left to be followed by hand, in the turn of `index`."""
        if stage == Stage.FOLLOWING and not self._is_given_up:
            work.follow(load)
            self._belt.following.pass_on(index)

    def _give_up(self) -> None:
        """Whoever waits sees that there is nothing to wait for."""
        self._is_over = self._is_given_up = True
        self._belt.give_up()
        self._wake_all()
        for hand in self._hands:
            self._belt.following.give(hand.index)
