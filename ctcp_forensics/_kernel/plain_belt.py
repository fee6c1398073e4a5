"""Belt, in plain Python: how a chunk comes from the walk to the last step, with several hands at work.

Knows whose turn it is, and what lies on a pile.  Does not know files, nor what is done by hand.

The reference for `belt.pxi`, and no more than that: it waits for turns and decodes, and leaves all the rest to the
caller, chunk by chunk.  The compiled belt may take a chunk by itself where the outcome is the same.
"""

from __future__ import annotations

from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from ctcp_forensics._kernel.layouts import PcapLayout, Stage
from ctcp_forensics._kernel.plain_decode import Packets, decode
from ctcp_forensics._kernel.plain_walk import Frames, Interfaces

if TYPE_CHECKING:
    from ctcp_forensics._kernel.plain_decode import FrameTable
    from ctcp_forensics._kernel.plain_track import Tracker

Buffer = bytes | bytearray | memoryview
Left = tuple[Buffer, Frames, Packets, int]


class HandedOver(Protocol):
    """A batch that can be taken over without being copied."""

    def hand_over(self, other: Frames, /) -> None: ...


class Load(Protocol):
    """What a hand holds, as far as this belt knows it."""

    def decode(self) -> None: ...


class Turns:
    """One after the other, and then the first again.

    A turn is a lock.  Who waits for a SimpleQueue until a time waits for ever where another took what woke it, and the
    time has passed by then.
    """

    def __init__(self, count: int, is_looking: bool = False) -> None:
        self._tokens = [Lock() for _ in range(count)]
        for token in self._tokens[1:]:
            token.acquire()

    def wait_for(self, index: int) -> None:
        self._tokens[index].acquire()

    def comes(self, index: int, microseconds: int) -> bool:
        """Whether it comes within that time, or is there."""
        return self._tokens[index].acquire(timeout=microseconds / 1e6)

    def pass_on(self, index: int) -> None:
        self.give((index + 1) % len(self._tokens))

    def give(self, index: int) -> None:
        with suppress(RuntimeError):  # it is there already: somebody has given up
            self._tokens[index].release()


class Pile:
    """The batches of one chunk, in tables that are used for one chunk after the other."""

    def __init__(self) -> None:
        self._tables: list[tuple[Frames, Packets]] = []
        self._buffers: list[Buffer] = []

    def __len__(self) -> int:
        return len(self._buffers)

    def add(self, buffer: Buffer, frames: HandedOver) -> None:
        """Take a batch over from the walk, which goes on with other memory."""
        if len(self._buffers) == len(self._tables):
            self._tables.append((Frames(), Packets()))
        frames.hand_over(self._tables[len(self._buffers)][0])
        self._buffers.append(buffer)

    def decode(self) -> None:
        for buffer, (frames, packets) in zip(self._buffers, self._tables, strict=False):
            decode(buffer, frames, packets)

    def left(self) -> list[Left]:
        """Of each batch not followed to its end: buffer, frames, packets, and how many of these are done with."""
        return [(buffer, *tables, 0) for buffer, tables in zip(self._buffers, self._tables, strict=False)]

    def clear(self) -> None:
        self._buffers.clear()


class Belt:
    """Chunk by chunk through the turns of several hands."""

    segments = 0
    """Of batches that the caller did not see."""

    def __init__(self, hands: int, is_looking: bool = False, *, collectors: int | None = None) -> None:
        """`collectors` are those whose order is fixed; where there is one, whoever is free has that turn."""
        self.hands = hands
        self.collecting, self.following = Turns(collectors or hands), Turns(hands)
        self.chunks_taken = 0
        """By the belt or by hand, in the turn of collecting."""
        self._rest, self._wanted = b"", 0

    def count_chunk(self) -> None:
        self.chunks_taken += 1

    def end(self) -> None:
        """Nothing comes behind the chunks that were taken, whatever a file that grows has there by now."""

    def give_up(self) -> None:
        """Whoever is waited for, nothing is done in that turn."""

    def lend_pcap(self, rest: Buffer, wanted: int, frames: FrameTable, layout: PcapLayout) -> None:
        """`rest` is the beginning of a record of which `wanted` bytes are needed next."""
        self._rest, self._wanted = bytes(rest), wanted

    def lend_pcapng(
        self,
        rest: Buffer,
        wanted: int,
        frames: FrameTable,
        big_endian: int,
        interfaces: Interfaces,
    ) -> None:
        self._rest, self._wanted = bytes(rest), wanted

    def follow_with(self, tracker: Tracker | None) -> None:
        """In the turn of following; None where the caller has to see every batch."""

    def take_back(self) -> tuple[bytes, int, int]:
        """What is left of the last chunk, how much of a record is wanted, and how many bytes went by meanwhile."""
        return self._rest, self._wanted, 0

    def carry(self, index: int, number: int, chunk: Buffer, pile: Load) -> Stage:
        """Chunk `number`, as far as it goes by itself: the stage in whose turn the caller has to go on, or DONE.

        `chunk` is empty where it is not as long as all others, or cannot be had.
        """
        self.collecting.wait_for(index)
        return Stage.COLLECTING

    def carry_next(self, index: int, chunk: Buffer, pile: Load) -> Stage:
        """The same for the chunk behind those that were taken, by who has the turn of collecting already."""
        return Stage.COLLECTING

    def carry_on(self, index: int, pile: Load) -> Stage:
        """What `carry` does behind the turn of collecting, with a pile that the caller has collected."""
        self.collecting.pass_on(index)
        pile.decode()
        self.following.wait_for(index)
        return Stage.FOLLOWING
