"""Skew: how fast one clock gains on another, told by a lower envelope each way.

Causality alone allows many slopes: those of all lines below what went one way and above what went the other.  Which
of them is likely, the queues tell.  Where what a segment waited in queues falls off exponentially, the likeliest line
below the segments of one way is that of the least sum of waits (Moon, Skelly, Towsley, INFOCOM 1999), and of two
ways, with one slope and each a mean wait of its own, that of the least sum of logarithms of mean waits.  Knows points
of two ways.  Does not know segments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final

import msgspec

from ctcp_forensics.vantage.envelope import (
    GRAIN_NS,
    STEEPEST,
    Point,
    lower_hull,
    mirrored,
    room,
    slopes_of,
    span_of,
    widest,
)

PRECISE: Final = 5e-6
"""Five millionths: what is known no better is told as a range alone."""
IMPROBABLE: Final = math.log(1_000)
"""A slope that makes the waits a thousand times less likely than the likeliest one is not in the range."""
STEADY_NS: Final = 50_000
"""The quickest passage itself moves by as much from end to end of a capture: a host that is busier, a warmer clock."""
HALVINGS: Final = 40
"""Of STEEPEST: leaves less than a millionth of a ppm."""


class OneWay(msgspec.Struct, frozen=True, dict=True):
    """The points of one way, none of which lies below the line in question."""

    points: Sequence[Point]

    @cached_property
    def hull(self) -> list[Point]:
        return lower_hull(self.points)

    @cached_property
    def middle(self) -> tuple[float, float]:
        """Mean time and mean value."""
        count = len(self.points)
        times, values = (sum(one) for one in zip(*self.points, strict=True))
        return times / count, values / count

    def mean_wait(self, slope: float) -> float:
        """How far the points lie above the highest line of this slope, on average."""
        when, value = self.middle
        return value - slope * when - min(high - slope * at for at, high in self.hull)

    def surprise(self, slope: float) -> float:
        """Less the logarithm of the likelihood, the mean wait being as it shows, and never less than the grain."""
        return len(self.points) * math.log(self.mean_wait(slope) + GRAIN_NS)

    @property
    def leaning(self) -> float:
        """The slope of the least sum of waits: that of the hull's edge over the middle of all points."""
        middle = self.middle[0]
        edges = zip(self.hull[1:], slopes_of(self.hull), strict=True)
        return next((slope for (right, _), slope in edges if right >= middle), 0.0)


class Slopes(msgspec.Struct, frozen=True, dict=True):
    """What the points of both ways say of the slope of one clock against another."""

    uppers: Sequence[Point]
    """Differences that the offset cannot exceed…"""
    lowers: Sequence[Point]
    """…and those that it cannot fall below."""

    @cached_property
    def below(self) -> OneWay | None:
        return OneWay(from_the_first(self.uppers)) if self.uppers else None

    @cached_property
    def above(self) -> OneWay | None:
        """Upside down, and so with the opposite slope."""
        return OneWay(from_the_first(mirrored(self.lowers))) if self.lowers else None

    def surprise(self, slope: float) -> float:
        """Of both ways: the less, the likelier the slope."""
        one = 0.0 if self.below is None else self.below.surprise(slope)
        return one if self.above is None else one + self.above.surprise(-slope)

    @cached_property
    def likeliest(self) -> float:
        """Between the slopes of neighbouring edges of the hulls the surprise is concave, so that one of them is it.

        Where it lies beyond what is allowed, it is the last that is.
        """
        first, last = self.allowed
        edges = [] if self.below is None else slopes_of(self.below.hull)
        edges += [] if self.above is None else [-slope for slope in slopes_of(self.above.hull)]
        possible = [min(max(slope, first), last) for slope in edges]
        return min(possible, key=lambda slope: (self.surprise(slope), abs(slope)), default=0.0)

    @cached_property
    def allowed(self) -> tuple[float, float]:
        """The slopes that causality allows, within what any clock does: no others are possible."""
        if not self.uppers or not self.lowers:
            return -STEEPEST, STEEPEST
        ceiling, floor = lower_hull(self.uppers), mirrored(lower_hull(mirrored(self.lowers)))

        def fits(slope: float) -> bool:
            return room(ceiling, floor, slope) >= -2 * GRAIN_NS

        middle = widest(ceiling, floor)
        return outermost(fits, middle, -STEEPEST), outermost(fits, middle, STEEPEST)

    @cached_property
    def range(self) -> tuple[float, float]:
        """The slopes that are possible and not improbable on a path that is not quite steady, or told by one way alone.

        Where the path changed and not the clock, both ways lean apart: then the range holds both.
        """
        at_most = self.surprise(self.likeliest) + IMPROBABLE

        def is_likely(slope: float) -> bool:
            return self.surprise(slope) <= at_most

        low, high = (outermost(is_likely, self.likeliest, end) for end in (-STEEPEST, STEEPEST))
        told = [low, high, *self.of_each_way]
        first, last = self.allowed
        unsteady = STEADY_NS / max(1, span_of((*self.uppers, *self.lowers)))
        return max(min(told) - unsteady, first), min(max(told) + unsteady, last)

    @property
    def of_each_way(self) -> list[float]:
        """The slope by either way alone, where it covers half of the time and a clock may have it."""
        half = span_of((*self.uppers, *self.lowers)) / 2
        found = []
        for way, sign in ((self.below, 1), (self.above, -1)):
            if way is not None and span_of(way.points) >= half and abs(way.leaning) <= STEEPEST:
                found.append(sign * way.leaning)
        return found

    @property
    def told(self) -> float | None:
        """The middle of the range, where no slope in it is farther off than what counts as precise."""
        low, high = self.range
        return (low + high) / 2 if high - low <= 2 * PRECISE else None


def from_the_first(points: Sequence[Point]) -> tuple[Point, ...]:
    """Times and values counted from those of one point, so that sums are exact for a clock of 1970 too."""
    start, base = points[0]
    return tuple((when - start, value - base) for when, value in points)


def outermost(holds: Callable[[float], bool], inside: float, end: float) -> float:
    """How far towards `end` something holds that holds inside, found by halving."""
    if holds(end):
        return end
    for _ in range(HALVINGS):
        middle = (inside + end) / 2
        inside, end = (middle, end) if holds(middle) else (inside, middle)
    return inside
