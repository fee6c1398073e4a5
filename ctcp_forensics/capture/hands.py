"""Hands: a long file worked on by several threads, each with chunks of its own from the copy to the last step.

Knows who copies which chunk, and who goes on where the belt does not.  Does not know what is done with a chunk, nor
whether sharing pays.  What a core has copied it also walks and decodes, so bytes come near one core and no other.
What must be done in the order of the file is done in turns, and a turn goes from hand to hand: nothing needs a lock,
and what is under way is a chunk for each hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from threading import Thread
from typing import Generic, Protocol, TypeVar

import msgspec

from ctcp_forensics._kernel.layouts import Stage
from ctcp_forensics.capture.codecs import Buffer
from ctcp_forensics.capture.source import Capture, memories
from ctcp_forensics.errors import CaptureError

Load = TypeVar("Load")
Load_contra = TypeVar("Load_contra", contravariant=True)


class Work(Protocol[Load_contra]):
    """What is done by hand."""

    def tell(self, position: int, /) -> None:
        """So many bytes of the file are done, or under way; told by the thread that was there."""

    def collect(self, load: Load_contra, /) -> bool:
        """In the order of the file: all that the chunk brings.  False where nothing comes behind it."""

    def follow(self, load: Load_contra, /) -> None:
        """In the order of the file, and the chunk's memory is used again behind it."""


class Turns(Protocol):
    """One after the other, and then the first again."""

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

    def carry_on(self, index: int, load: Load_contra, /) -> Stage: ...


class Hands(Generic[Load]):
    """`chunks` are those of the file, in order, for `Work.collect` to take one at each turn.

    A collector that takes more than the chunk of its turn gets them in memory of their own: whoever has copied them
    already finds, when its turn comes, that they are taken.
    """

    def __init__(self, capture: Capture, make: Callable[[], Load], belt: Belt[Load]) -> None:
        self._capture, self._belt = capture, belt
        self._hands = [
            _Hand(index=index, load=make(), copy=_Copy(memory=next(memories(1))))
            for index in range(belt.hands)
        ]
        self._present: _Copy | None = None
        """In the hand of who collects."""
        self._is_over = False
        """Nothing is left to be collected."""
        self._is_given_up = False
        self._error: BaseException | None = None

    def chunks(self) -> Iterator[Buffer]:
        return self._capture.chunks(threads=1, blocks=self._blocks())

    def run(self, work: Work[Load]) -> None:
        """Until `collect` has come to an end and everything was followed; an error of any step surfaces here."""
        mine, *others = self._hands
        threads = [Thread(target=self._try, args=(hand, work), name="hand", daemon=True) for hand in others]
        try:
            for thread in threads:
                thread.start()
            self._go(mine, work)
        except BaseException:
            self._give_up()
            raise
        finally:
            for thread in threads:
                if thread.ident is not None:  # it was started
                    thread.join()
        if self._error is not None:
            raise self._error

    def _try(self, hand: _Hand[Load], work: Work[Load]) -> None:
        try:
            self._go(hand, work)
        except BaseException as error:  # noqa: BLE001 - it is raised again by `run`
            self._error = error
            self._give_up()

    def _go(self, hand: _Hand[Load], work: Work[Load]) -> None:
        """One chunk after the other, until somebody has seen the end."""
        belt, copy, load = self._belt, hand.copy, hand.load
        for number in count(hand.index, belt.hands):
            copy.make(self._capture, number)
            if hand.index == 0 and copy.block:
                work.tell(copy.begin)
            stage = belt.carry(hand.index, number, copy.full, load)
            if stage == Stage.COLLECTING:
                if self._is_over:
                    break
                self._collect(hand, work)
                stage = belt.carry_on(hand.index, load)
            if stage == Stage.FOLLOWING:
                if self._is_given_up:
                    return
                work.follow(load)
                belt.following.pass_on(hand.index)
        belt.collecting.pass_on(hand.index)

    def _collect(self, hand: _Hand[Load], work: Work[Load]) -> None:
        """Unless somebody has taken the chunk already."""
        if self._belt.chunks_taken <= hand.copy.number:
            self._present = hand.copy
            self._is_over = not work.collect(hand.load)

    def _give_up(self) -> None:
        """Whoever waits sees that there is nothing to wait for."""
        self._is_over = self._is_given_up = True
        self._belt.give_up()
        for hand in self._hands:
            self._belt.collecting.give(hand.index)
            self._belt.following.give(hand.index)

    def _blocks(self) -> Iterator[memoryview]:
        """The file's blocks that the belt does not take, in order; the last one is not full.

        Behind each `yield` another hand may go on.
        """
        is_over = False
        while not (is_over or self._is_given_up):
            copy = self._copy_of(self._belt.chunks_taken)
            self._belt.count_chunk()
            is_over = copy.is_last
            if is_over:
                self._belt.end()
            if copy.error is not None:
                raise copy.error
            if copy.block:
                self._capture.position = copy.begin
                yield copy.block

    def _copy_of(self, number: int) -> _Copy:
        copy = self._present
        if copy is None or copy.number != number:
            copy = _Copy(memory=next(memories(1)))
            copy.make(self._capture, number)
        return copy


class _Hand(msgspec.Struct, Generic[Load], kw_only=True):
    """What one thread has in hand."""

    index: int
    load: Load
    copy: _Copy


class _Copy(msgspec.Struct, kw_only=True):
    """A chunk of the file, in memory that is used for one after the other."""

    memory: memoryview
    number: int = -1
    block: memoryview = memoryview(b"")
    error: CaptureError | None = None
    """Why there is none; told when its turn comes."""

    def make(self, capture: Capture, number: int) -> None:
        self.number, self.error, self.block = number, None, self.memory[:0]
        try:
            self.block = capture.block_at(number, self.memory)
        except CaptureError as error:
            self.error = error

    @property
    def begin(self) -> int:
        """In the file."""
        return self.number * len(self.memory)

    @property
    def full(self) -> memoryview:
        """The block, where it is as long as all others."""
        return self.memory[:0] if self.is_last else self.block

    @property
    def is_last(self) -> bool:
        return len(self.block) < len(self.memory)
