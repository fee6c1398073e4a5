"""Clocks: the times of one capture, told by the clock of another.

Knows the stretch of a time by its frame, and the way from place to place.  Does not know how far a clock is moved:
see clocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from ctcp_forensics.clocks import Stretch, stretch_of
from ctcp_forensics.report import Clock, Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From one place's clock to its neighbour's."""

    stretches: tuple[Stretch, ...]
    goes_nearer: bool
    captures: tuple[str, ...]
    """Of the farther place, in order: the pieces are told by their frames."""

    def told(self, time_ns: int, capture: str, frame: int) -> int:
        stretch = self._stretch(time_ns, capture, frame)
        return stretch.nearer(time_ns) if self.goes_nearer else stretch.farther(time_ns)

    def _stretch(self, time_ns: int, capture: str, frame: int) -> Stretch:
        if len(self.stretches) == 1:
            return self.stretches[0]
        if self.goes_nearer and capture in self.captures:
            return self._by_frame(self.captures.index(capture), frame)
        return min(self.stretches, key=lambda one: abs(time_ns - self._middle(one)))

    def _by_frame(self, capture: int, frame: int) -> Stretch:
        """A piece reaches up to the next one's first frame: the reset is somewhere before it."""
        begun = [
            one
            for one in self.stretches
            if (self._number(one.piece.from_capture), one.piece.from_frame) <= (capture, frame)
        ]
        return begun[-1] if begun else self.stretches[0]

    def _number(self, capture: str | None) -> int:
        return self.captures.index(capture) if capture in self.captures else 0

    def _middle(self, stretch: Stretch) -> int:
        return stretch.piece.at_ns + (stretch.offset_ns if self.goes_nearer else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """The way from one place's clock to that of the reference."""

    steps: tuple[Step, ...] = ()

    def told(self, time_ns: int, capture: str, frame: int) -> int:
        """Never before 1970, which no savefile can hold."""
        for step in self.steps:
            time_ns = step.told(time_ns, capture, frame)
        return max(0, time_ns)


AS_CAPTURED: Final = Alignment()


def alignment(path: Path, place: int, reference: int) -> Alignment | None:
    """From a place to the reference, neighbour by neighbour; None where a clock on the way is not known."""
    steps = []
    for here, towards in way_to(place, reference):
        step = step_between(path, here, towards)
        if step is None:
            return None
        steps += [step] if step.stretches else []
    return Alignment(steps=tuple(steps))


def way_to(place: int, reference: int) -> Iterator[tuple[int, int]]:
    """Each place on the way, and the next one."""
    return pairwise(range(place, reference - 1, -1) if place > reference else range(place, reference + 1))


def step_between(path: Path, place: int, towards: int) -> Step | None:
    """Without a stretch where both have one clock, or where the two agree."""
    clock = clock_between(path, place, towards)
    if clock is None or not (clock.is_shared or is_known(clock)):
        return None
    stretches = () if clock.is_shared else tuple(stretch_of(piece) for piece in clock.pieces)
    return Step(
        stretches=() if all(one.is_even for one in stretches) else stretches,
        goes_nearer=place == clock.place,
        captures=path.places[clock.place].captures,
    )


def is_known(clock: Clock) -> bool:
    return bool(clock.pieces) and all(
        (piece.offset_low_ns, piece.offset_high_ns) != (None, None) for piece in clock.pieces
    )


def clock_between(path: Path, place: int, towards: int) -> Clock | None:
    pair = sorted((place, towards))
    return next((one for one in path.clocks if [one.reference, one.place] == pair), None)
