"""Copies: the chunks of a file on disk, each copied by the hand that works on it.

Knows who copies which chunk, and who goes on where the belt does not.  What a core has copied it also walks and
decodes, so bytes come near one core and no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import msgspec

from ctcp_forensics._kernel.layouts import Stage
from ctcp_forensics.capture.codecs import Buffer
from ctcp_forensics.capture.hands import Belt, Hand, Hands, Load, Work
from ctcp_forensics.capture.source import Capture, memories
from ctcp_forensics.errors import CaptureError


class Copies(Hands[Load]):
    """Each hand copies every so many-th chunk, and they take turns in that order.

    A collector that takes more than the chunk of its turn gets them in memory of their own: whoever has copied them
    already finds, when its turn comes, that they are taken.
    """

    def __init__(self, capture: Capture, make: Callable[[], Load], belt: Belt[Load]) -> None:
        super().__init__(make, belt)
        self._capture = capture
        self._present: _Copy | None = None
        """In the hand of who collects."""

    def chunks(self) -> Iterator[Buffer]:
        return self._capture.chunks(content=self._capture.copied(self._blocks()))

    def _lead(self, work: Work[Load]) -> None:
        self._begin(work)
        self._go(self._hands[0], work)

    def _go(self, hand: Hand[Load], work: Work[Load]) -> None:
        belt, load, copy = self._belt, hand.load, _Copy(memory=next(memories(1)))
        for number in count(hand.index, belt.hands):
            copy.make(self._capture, number)
            if hand.index == 0 and copy.block:
                work.tell(copy.begin)
            stage = belt.carry(hand.index, number, copy.full, load)
            if stage == Stage.COLLECTING:
                if self._is_over:
                    break
                self._collect(copy, load, work)
                stage = belt.carry_on(hand.index, load)
            self._follow(hand.index, load, stage, work)
        belt.collecting.pass_on(hand.index)

    def _collect(self, copy: _Copy, load: Load, work: Work[Load]) -> None:
        """Unless somebody has taken the chunk already."""
        if self._belt.chunks_taken <= copy.number:
            self._present = copy
            self._is_over = not work.collect(load)

    def _wake_all(self) -> None:
        for hand in self._hands:
            self._belt.collecting.give(hand.index)

    def _blocks(self) -> Iterator[memoryview]:
        """The file's blocks that the belt does not take, in order; the last one is not full.

        Behind each `yield` another hand may go on.
        """
        is_over = False
        while not (is_over or self._is_given_up):
            copy = self._copy_of(self._belt.chunks_taken)
            self._belt.count_chunk()
            # Behind the `yield` another block may lie in the same copy, and its error is not this one's.
            is_over, error = copy.is_last, copy.error
            if is_over:
                self._belt.end()
            if copy.block:
                self._capture.position = copy.begin + len(copy.block)
                yield copy.block
            if error is not None:
                raise error

    def _copy_of(self, number: int) -> _Copy:
        copy = self._present
        if copy is None or copy.number != number:
            copy = _Copy(memory=next(memories(1)))
            copy.make(self._capture, number)
        return copy


class _Copy(msgspec.Struct, kw_only=True):
    """A chunk of the file, in memory that is used for one after the other."""

    memory: memoryview
    number: int = -1
    block: memoryview = memoryview(b"")
    error: CaptureError | None = None
    """Why there is no more of it; told behind it when its turn comes."""

    def make(self, capture: Capture, number: int) -> None:
        self.number = number
        self.block, self.error = capture.block_at(number, self.memory)

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
