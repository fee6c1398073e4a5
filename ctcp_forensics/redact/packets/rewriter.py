"""Rewriter: one frame after the other under one key.

Knows where a frame begins and how much of it may be shown.  Does not know what is behind which header: see link and ip.
"""

from __future__ import annotations

from collections import Counter

from ctcp_forensics.redact.packets.ip import datagram
from ctcp_forensics.redact.packets.link import ethernet, frame_of
from ctcp_forensics.redact.packets.parts import Scope
from ctcp_forensics.redact.pseudonyms import Pseudonyms


class Rewriter:
    """Rewrites frames under one key; equal bytes become equal bytes, in every capture."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self.cut: Counter[str] = Counter()
        """Frames that are shown up to what they hold only, by what that is."""
        self._scope = Scope(
            pseudonyms=pseudonyms,
            payload_key=pseudonyms.key.derived("payloads"),
            cut=self.cut,
            ip=datagram,
            ethernet=ethernet,
        )

    def __call__(self, data: bytes, link_type: int) -> bytes:
        """The frame as it may be shown: of the same length, or shorter where something was not understood."""
        frame = bytearray(data)
        return bytes(frame[: frame_of(frame, link_type, self._scope)])
