"""Tray: a batch of frames on its way to whoever follows flows, with its bytes and with room for its packets.

Knows what is decoded and what not yet: any thread that has the tray may do it.  Does not know threads: see capture.
"""

from __future__ import annotations

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
    followed: int = 0
    """Packets that somebody has followed already, where the batch comes off a belt."""

    def load(self, buffer: bytes | bytearray | memoryview, frames: HandedOver) -> None:
        """Take a batch over from the walk, which goes on with other memory."""
        frames.hand_over(self.frames)
        self.buffer, self.is_decoded, self.followed = buffer, False, 0

    def decode(self) -> None:
        """As far as the kernel can, which needs no other batch: see Decoder.complete for the rest."""
        if not self.is_decoded:
            _kernel.decode(self.buffer, self.frames, self.packets)
            self.is_decoded = True

    def clear(self) -> None:
        self.frames.clear()
        self.buffer, self.is_decoded = b"", False
