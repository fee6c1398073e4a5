"""Parts of a frame, and what every layer does to them.

Knows positions, pseudonyms and the count of what was cut.  Does not know a protocol.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from ctcp_forensics.redact.pseudonyms import Pseudonyms

END_OF_OPTIONS, NO_OPERATION = 0, 1


class Part(NamedTuple):
    """Where a part of a frame begins, where its captured bytes end, and where it ends on the wire."""

    at: int
    end: int
    wire_end: int

    @classmethod
    def of(cls, at: int, captured_end: int, wire_end: int) -> Part:
        return cls(at, max(at, min(captured_end, wire_end)), max(at, wire_end))

    @property
    def is_whole(self) -> bool:
        return self.end == self.wire_end


class Ends(NamedTuple):
    """Source and destination, which checksums cover as well: as they were, and as they are shown."""

    old: bytes
    new: bytes


Opener = Callable[[bytearray, int, int, "Scope"], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What all layers of one frame share."""

    pseudonyms: Pseudonyms
    payload_key: bytes
    cut: Counter[str]
    ip: Opener
    ethernet: Opener
    layer: int = 0

    def leave(self, reason: str, at: int) -> int:
        """Nothing from `at` on is shown."""
        self.cut[reason] += 1
        return at

    def open_ip(self, frame: bytearray, at: int, end: int) -> int:
        """A datagram one layer further in."""
        return self.ip(frame, at, end, replace(self, layer=self.layer + 1))

    def open_ethernet(self, frame: bytearray, at: int, end: int) -> int:
        """A frame inside a datagram."""
        return self.ethernet(frame, at, end, replace(self, layer=self.layer + 1))


def blank(frame: bytearray, at: int, end: int) -> None:
    frame[at:end] = bytes(max(0, end - at))


def blank_options(frame: bytearray, at: int, end: int, *, plain: tuple[int, ...]) -> None:
    """Options of IPv4 or TCP (RFC 791 §3.1, RFC 9293 §3.1): kind and length stay, content only of `plain` ones."""
    while at < end and frame[at] != END_OF_OPTIONS:
        if frame[at] == NO_OPERATION:
            at += 1
            continue
        option_len = frame[at + 1] if at + 1 < end else 0
        if option_len < 2:
            break
        if frame[at] not in plain:
            blank(frame, at + 2, min(at + option_len, end))
        at += option_len
    else:
        at += 1
    blank(frame, at, end)
