"""Window: the part of a savefile that is in sight, over chunks of any size.

Knows bytes and their offsets in the savefile.  Nothing is copied but what crosses
from one chunk into the next, so memory does not grow with the savefile.
"""

from __future__ import annotations

from collections.abc import Iterable

from ctcp_forensics.errors import CaptureError

Buffer = bytes | bytearray | memoryview


class Window:
    """`buffer[start:end]` is in sight; a chunk is good until the next one is asked for."""

    def __init__(self, chunks: Iterable[Buffer]) -> None:
        self._chunks = iter(chunks)
        self._waiting = memoryview(b"")
        """The part of the present chunk that is not in sight yet."""
        self._before = 0
        """Offset of buffer[0] in the savefile."""
        self._own: bytearray | None = None
        """Where bytes are put together that came in several chunks."""
        self.buffer: Buffer = b""
        self.start = 0
        self.end = 0
        self.broken: CaptureError | None = None
        """Why no more chunks come, where it is not the end of the savefile."""

    @property
    def offset(self) -> int:
        """Of the first byte in sight, in the savefile."""
        return self._before + self.start

    @property
    def in_sight(self) -> int:
        return self.end - self.start

    def peek(self, count: int) -> bytes:
        """The next `count` bytes or, at the end, as many as there are; they stay in sight."""
        self.reach(count)
        return bytes(self.buffer[self.start : min(self.start + count, self.end)])

    def reach(self, wanted: int) -> bool:
        """Bring `wanted` bytes into sight; False where the savefile ends before."""
        while self.in_sight < wanted:
            if not self._waiting and not self._next_chunk():
                return False
            if self.in_sight == 0:
                self._show(self._waiting, self.offset)
                self._waiting = memoryview(b"")
            else:
                self._carry(wanted - self.in_sight)
        return True

    def skip(self, count: int) -> bool:
        """Pass over `count` bytes without holding them; False where the savefile ends before."""
        while count > self.in_sight:
            count -= self.in_sight
            self.start = self.end
            if not self.reach(1):
                return False
        self.start += count
        return True

    def let_go(self) -> bool:
        """Whether all of the present chunk has come into sight.  If so it may die: what is left of it is copied."""
        if self._waiting:
            return False
        if self.in_sight:
            self._own_copy()
        return True

    def rest(self) -> memoryview:
        """What is in sight."""
        return memoryview(self.buffer)[self.start : self.end]

    def go_by(self, passed: int, rest: bytes) -> None:
        """So many bytes behind those in sight went past somebody else, but for `rest`, which is in sight now."""
        offset = self._before + self.end + passed - len(rest)
        self._own = bytearray(rest)
        self._show(self._own, offset)

    def drain(self) -> None:
        """Let the rest go by, so that whoever makes the chunks sees the savefile to its end."""
        self.start = self.end
        while self._next_chunk():
            self._waiting = memoryview(b"")

    def _show(self, buffer: Buffer, offset: int) -> None:
        self.buffer, self.start, self.end, self._before = buffer, 0, len(buffer), offset

    def _carry(self, missing: int) -> None:
        """Append the head of the waiting bytes to a copy of what is in sight, and no more than asked."""
        carried = self._own_copy()
        piece = self._waiting[:missing]
        carried += piece
        self.end = len(carried)
        self._waiting = self._waiting[len(piece) :]

    def _own_copy(self) -> bytearray:
        """What is in sight, in a buffer of our own that nobody was handed yet."""
        if self._own is None or self._own is not self.buffer or self.start > 0:
            self._own = bytearray(self.buffer[self.start : self.end])
            self._show(self._own, self.offset)
        return self._own

    def _next_chunk(self) -> bool:
        """A chunk dies when the next one is asked for: what is in sight is copied out of it first."""
        if self.broken is not None:
            return False
        if self.in_sight:
            self._own_copy()
        while not self._waiting:
            try:
                self._waiting = memoryview(next(self._chunks))
            except StopIteration:
                return False
            except CaptureError as error:
                self.broken = error
                return False
        return True
