"""Line: chunks that come one after the other, out of an unpacker or a pipe, worked on by several hands.

Knows who makes them, and when that one lends a hand.  The thread that was there makes all chunks: what it unpacks
goes by what it unpacked last, and only it is interrupted where a pipe is silent.  The others take the chunks; where
they are so far behind that nothing more may be made, the maker works on one as well, and so two threads share the
whole work evenly whichever part of it is the longer one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from queue import SimpleQueue
from typing import Final, NamedTuple

from ctcp_forensics._kernel.layouts import Stage
from ctcp_forensics.capture.ahead import with_something_to_do
from ctcp_forensics.capture.codecs import Buffer
from ctcp_forensics.capture.hands import Belt, Hand, Hands, Load, Work
from ctcp_forensics.capture.source import CHUNK_LEN, Capture, Pieces, Rooms, joined
from ctcp_forensics.errors import CaptureError

CHUNKS_READY: Final = 4
"""Made and not yet taken: lz4 unpacks so many at once, and then none for as long as that takes."""
CHUNKS_ALONE: Final = 4
"""So many are worked on by who makes them: a small capture is done before a thread has begun."""
PATIENCE_US: Final = 1000
"""Whoever collects may need chunks that are not made yet, so the maker does not wait for that turn for ever."""


class _End(NamedTuple):
    """Behind the last chunk: why there is no more."""

    error: CaptureError | None


class Line(Hands[Load]):
    """Chunks are taken in the turn of collecting, which whoever is free may have: `belt` has one collector."""

    def __init__(self, capture: Capture, make: Callable[[], Load], belt: Belt[Load]) -> None:
        super().__init__(make, belt)
        self._capture = capture
        self._rooms = Rooms()
        self._making = capture.made(self._rooms)
        self._ready: SimpleQueue[Buffer | Pieces | _End] = SimpleQueue()
        self._made = 0
        self._is_made = False
        """All of them."""
        self._taken = 0
        self._present: Buffer | _End | None = None
        """Of the chunk and the hand in the turn of collecting."""
        self._is_with_maker = True

    def chunks(self) -> Iterator[Buffer]:
        return self._capture.chunks(content=self._blocks())

    # --- making ------------------------------------------------------------------------

    def _lead(self, work: Work[Load]) -> None:
        with closing(self._making):
            while not self._is_over:
                self._make_one()
                work.tell(self._capture.position)
                if self._made > CHUNKS_ALONE and not self._threads:
                    self._begin(work)
                self._lend_a_hand(work)

    def _make_one(self) -> None:
        """Or what stands behind the last one, again and again."""
        try:
            self._ready.put(next(self._making))
            self._made += 1
        except StopIteration:
            self._put_end(None)
        except CaptureError as error:
            self._put_end(error)

    def _put_end(self, error: CaptureError | None) -> None:
        if not self._is_made:
            self._is_made = True
            self._ready.put(_End(error))

    def _is_far_ahead(self) -> bool:
        ahead = CHUNKS_READY if self._threads and not self._is_made else 0
        return not self._is_over and self._ready.qsize() > ahead

    def _lend_a_hand(self, work: Work[Load]) -> None:
        collecting = self._belt.collecting
        while self._is_far_ahead():
            if not collecting.comes(0, PATIENCE_US):
                continue
            if self._is_far_ahead():
                self._take(self._hands[0], work)
            else:
                collecting.pass_on(0)

    # --- taking ------------------------------------------------------------------------

    def _go(self, hand: Hand[Load], work: Work[Load]) -> None:
        collecting = self._belt.collecting
        collecting.wait_for(0)
        while not self._is_over:
            self._take(hand, work)
            collecting.wait_for(0)
        collecting.pass_on(0)

    def _take(self, hand: Hand[Load], work: Work[Load]) -> None:
        """One chunk, by who has the turn of collecting; the turns of following are those of the chunks."""
        index, self._taken = self._taken % self._belt.hands, self._taken + 1
        self._is_with_maker = hand.index == 0
        chunk = self._next()
        stage = self._belt.carry_next(index, full(chunk), hand.load)
        if stage == Stage.COLLECTING:
            self._collect(chunk, hand.load, work)
            stage = self._belt.carry_on(index, hand.load)
        self._follow(index, hand.load, stage, work)
        self._rooms.give_back(chunk)

    def _collect(self, chunk: Buffer | _End, load: Load, work: Work[Load]) -> None:
        if not self._is_over:
            self._present = chunk
            self._is_over = not work.collect(load)

    def _next(self) -> Buffer | _End:
        """The next chunk, in the turn of collecting; what stands behind the last one stays there."""
        while self._is_with_maker and self._ready.empty():
            self._make_one()
        chunk = with_something_to_do(self._ready, self._capture.read_on)
        if isinstance(chunk, _End):
            self._ready.put(chunk)
            return chunk
        return joined(chunk)

    def _blocks(self) -> Iterator[Buffer]:
        """The chunks that the belt does not take.  Behind each `yield` another hand may go on."""
        while not self._is_given_up:
            chunk, self._present = self._present, None
            if chunk is None:
                chunk = self._rooms.vacated(self._next())
            if isinstance(chunk, _End):
                if chunk.error is not None:
                    raise chunk.error
                return
            self._belt.count_chunk()
            yield chunk

    def _wake_all(self) -> None:
        self._ready.put(_End(None))
        for _ in self._hands:
            self._belt.collecting.give(0)


def full(chunk: Buffer | _End) -> Buffer:
    """The chunk, where it is as long as all others: the belt takes no other one."""
    return b"" if isinstance(chunk, _End) or len(chunk) < CHUNK_LEN else chunk
