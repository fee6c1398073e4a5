"""Limits: how far a container is followed, and what is said where that ends.

Knows numbers and reasons.  Does not know formats.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from ctcp_forensics.capture.codecs import bomb_in_words

MAX_DEPTH: Final = 4
"""Containers in containers: a backup of a case of a day of captures, and one more."""
MAX_MEMBERS: Final = 250_000
"""Of one file, nested ones as well: their names are remembered, so that those that are there twice are told apart."""
MAX_UNPACKED: Final = 1 << 40
"""Bytes of one file, 1 TiB: a day's work of one core."""
MAX_HELD: Final = 1 << 26
"""64 MiB of zip archives inside containers, or from a server that sends no parts: a zip is read from its end, so these
are held in memory."""
MAX_DIRECTORY: Final = 1 << 24
"""16 MiB of a zip archive's directory, about 150,000 members: the library reads it in one piece."""
MAX_HEADERS: Final = 1 << 20
"""1 MiB of one tar member's headers: the library holds them."""


class ContainerError(Exception):
    """A container, or a member of it, that is not followed."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        """A short stable word."""


class OutOfReachError(ContainerError):
    """Nothing more of the outermost container can be had: what is in it is not to blame."""


def damaged(detail: str) -> ContainerError:
    return ContainerError("damaged", detail)


class Budget(msgspec.Struct):
    """What is left for one file, with everything that is nested in it."""

    members: int = 0
    unpacked: int = 0
    held: int = 0

    def count_member(self) -> None:
        self.members += 1
        if self.members > MAX_MEMBERS:
            raise ContainerError(
                "archive-too-many-members",
                f"only the first {MAX_MEMBERS} members were looked at; unpack it and name the folder",
            )

    def count_unpacked(self, count: int) -> None:
        self.unpacked += count
        if self.unpacked > MAX_UNPACKED:
            raise ContainerError(
                "archive-too-large",
                f"more than {MAX_UNPACKED} bytes come out of it; unpack it and name the folder",
            )

    def hold(self, count: int) -> None:
        if self.held + count > MAX_HELD:
            raise ContainerError(
                "archive-nested-zip-too-large",
                "a zip archive that only comes from its beginning to its end is held in memory, at most "
                f"{MAX_HELD} bytes; unpack what it lies in, or download it",
            )
        self.held += count

    def let_go(self, count: int) -> None:
        self.held -= count


class Meter(msgspec.Struct):
    """How much went into one decompression, and how much came out."""

    budget: Budget
    packed: int = 0
    unpacked: int = 0

    def taking(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        for block in blocks:
            self.packed += len(block)
            yield block

    def giving(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.unpacked += len(piece)
            self.budget.count_unpacked(len(piece))
            complaint = bomb_in_words(self.packed, self.unpacked)
            if complaint is not None:
                raise ContainerError("archive-bomb-ratio", complaint)
            yield piece
