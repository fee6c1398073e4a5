"""Rooms: memory for the chunks of a capture, which serves the next capture when that one is closed.

In an archive of small captures fresh memory costs as much as what is done in it: every page of it comes from the
system, full of zeros.  Knows memory.  Does not know what lies in it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

MOST_SPARE: Final = 2
"""One for the file, and one for what is unpacked from it: what one thread needs that reads nothing ahead."""


class Rooms:
    """Spare rooms.  Any thread may take one."""

    def __init__(self) -> None:
        self._spare: list[bytearray] = []

    def take(self, length: int) -> bytearray:
        """A spare one, with whatever is in it still; else a new one."""
        with suppress(IndexError):
            while len(room := self._spare.pop()) != length:
                """Made when chunks had another length."""
            return room
        return bytearray(length)

    def give_back(self, rooms: list[bytearray]) -> None:
        """The list is empty then: nobody gives a room back twice."""
        while rooms:
            room = rooms.pop()
            if len(self._spare) < MOST_SPARE:
                self._spare.append(room)


ROOMS: Final = Rooms()
