"""Tray: a batch of frames on its way to whoever follows flows, with its bytes and with room for its packets.

Knows what is decoded and what not yet: any thread that has the tray may do it.  Does not know threads: see capture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import msgspec

from ctcp_forensics import _kernel


class HandedOver(Protocol):
    """A batch that can be taken over without being copied."""

    def hand_over(self, other: _kernel.Frames, /) -> None: ...


class Tray(msgspec.Struct):
    """One batch, in memory that is used for one batch after the other."""

    frames: _kernel.Frames = msgspec.field(default_factory=_kernel.Frames)
    packets: _kernel.Packets = msgspec.field(default_factory=_kernel.Packets)
    buffer: bytes | bytearray | memoryview = b""
    is_decoded: bool = False

    def load(self, buffer: bytes | bytearray | memoryview, frames: HandedOver) -> None:
        """Take a batch over from the walk, which goes on with other memory."""
        frames.hand_over(self.frames)
        self.buffer, self.is_decoded = buffer, False

    def decode(self) -> None:
        """As far as the kernel can, which needs no other batch: see Decoder.complete for the rest."""
        if not self.is_decoded:
            _kernel.decode(self.buffer, self.frames, self.packets)
            self.is_decoded = True

    def clear(self) -> None:
        self.frames.clear()
        self.buffer, self.is_decoded = b"", False


class Pile:
    """The batches of one chunk, on trays that are used for one chunk after the other."""

    def __init__(self) -> None:
        self._trays: list[Tray] = []
        self._height = 0

    def __iter__(self) -> Iterator[Tray]:
        return iter(self._trays[: self._height])

    def add(self, buffer: bytes | bytearray | memoryview, frames: HandedOver) -> None:
        if self._height == len(self._trays):
            self._trays.append(Tray())
        self._trays[self._height].load(buffer, frames)
        self._height += 1

    def decode(self) -> None:
        for tray in self:
            tray.decode()

    def clear(self) -> None:
        self._height = 0
