"""Clocks: times of one place of a path by the clock of another, as far as the report's intervals tell.

Knows `Report.paths`.  Places that share a clock are moved together: two captures of one box must not drift apart in
a picture because each was compared with a third.  Does not know flows, nor how far a clock is moved: see clocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ctcp_forensics.clocks import Stretch, stretch_of
from ctcp_forensics.report import Clock, Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From one clock to another, by what the report has of the two."""

    stretches: tuple[Stretch, ...]
    is_back: bool
    """From the farther place's clock to the reference's; false: the other way."""

    @property
    def error_ns(self) -> int | None:
        """Of the stretch that is known worst; None where one of them is open."""
        errors = [one.error_ns for one in self.stretches]
        known = [error for error in errors if error is not None]
        return max(known) if known and len(known) == len(errors) else None

    def __call__(self, at_ns: int) -> int:
        stretch = self._stretch_at(at_ns)
        return stretch.nearer(at_ns) if self.is_back else stretch.farther(at_ns)

    def _stretch_at(self, at_ns: int) -> Stretch:
        """That which this time is in or next to; of two, where a clock was set back, the earlier one."""
        if len(self.stretches) == 1:
            return self.stretches[0]
        return min(self.stretches, key=lambda one: self._distance(one, at_ns))

    def _distance(self, one: Stretch, at_ns: int) -> int:
        piece, when = one.piece, at_ns - one.offset_ns if self.is_back else at_ns
        first = piece.at_ns if piece.from_ns is None else piece.from_ns
        last = piece.at_ns if piece.to_ns is None else piece.to_ns
        return max(first - when, when - last, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """How times of one place become times of another."""

    steps: tuple[Step, ...]
    error_ns: int | None
    """0 where no step is needed; None: nothing bounds it, and times are moved by the best guess."""

    def __call__(self, at_ns: int) -> int:
        for step in self.steps:
            at_ns = step(at_ns)
        return at_ns


SAME: Final = Alignment(steps=(), error_ns=0)
UNKNOWN: Final = Alignment(steps=(), error_ns=None)


def alignment(path: Path, here: int, judged: int) -> Alignment:
    """From the clock of place `here` to that of place `judged`, both counted along the path."""
    boxes = boxes_of(path)
    steps = way(steps_between(path, boxes), boxes[here], boxes[judged])
    if steps is None:
        return UNKNOWN
    errors = [step.error_ns for step in steps]
    known = [error for error in errors if error is not None]
    return Alignment(steps=tuple(steps), error_ns=sum(known) if len(known) == len(errors) else None)


def boxes_of(path: Path) -> list[int]:
    """For each place the first one that it shares a clock with."""
    boxes = list(range(len(path.places)))
    for clock in path.clocks:
        if clock.is_shared:
            low, high = sorted((boxes[clock.place], boxes[clock.reference]))
            boxes = [low if box == high else box for box in boxes]
    return boxes


def steps_between(path: Path, boxes: Sequence[int]) -> dict[tuple[int, int], Step]:
    """Between two boxes the narrowest of the clocks that join them."""
    steps: dict[tuple[int, int], Step] = {}
    known = [(one, back_by(one)) for one in path.clocks if one.pieces and not one.is_shared]
    for clock, back in sorted(known, key=lambda one: doubt(one[1])):
        far, near = boxes[clock.place], boxes[clock.reference]
        steps.setdefault((far, near), back)
        steps.setdefault((near, far), replace(back, is_back=False))
    return steps


def back_by(clock: Clock) -> Step:
    return Step(stretches=tuple(map(stretch_of, clock.pieces)), is_back=True)


def doubt(step: Step) -> tuple[bool, int]:
    return step.error_ns is None, step.error_ns or 0


def way(steps: dict[tuple[int, int], Step], start: int, goal: int) -> list[Step] | None:
    """The shortest way from box to box; None where there is none."""
    ways: dict[int, list[Step]] = {start: []}
    waiting = [start]
    for here in waiting:
        if here == goal:
            break
        for there, step in reached(steps, here):
            if there not in ways:
                ways[there] = [*ways[here], step]
                waiting.append(there)
    return ways.get(goal)


def reached(steps: dict[tuple[int, int], Step], here: int) -> Iterable[tuple[int, Step]]:
    return ((to, step) for (start, to), step in steps.items() if start == here)
