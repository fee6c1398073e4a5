"""Envelopes: straight lines below points, and between two sets of them.

Knows times and values.  Does not know clocks (see clock) nor how likely a line is (see skew).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

GRAIN_NS: Final = 1_000
"""Times in savefiles are cut to the microsecond."""
STEEPEST: Final = 1e-3
"""A clock that gains a millisecond a second is no clock that any host keeps: quartz stays within 100 ppm, a virtual
machine within 500.  A steeper change is a reset."""

Point = tuple[int, int]
"""A time of the nearer capture, and the difference of the two clocks' times there, in nanoseconds."""


def mirrored(points: Iterable[Point]) -> tuple[Point, ...]:
    """What lies above a line, as what lies below it."""
    return tuple((when, -value) for when, value in points)


def span_of(points: Sequence[Point]) -> int:
    """From the first to the last."""
    times = [when for when, _ in points]
    return max(times) - min(times) if times else 0


def lower_hull(points: Iterable[Point]) -> list[Point]:
    """The convex hull from below, left to right (Andrew 1979)."""
    hull: list[Point] = []
    for point in sorted(lowest_each(points)):
        while len(hull) >= 2 and not turns_left(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    return hull


def lowest_each(points: Iterable[Point]) -> Iterable[Point]:
    """One point for each time: the lowest."""
    lowest: dict[int, int] = {}
    for when, value in points:
        lowest[when] = min(value, lowest.get(when, value))
    return lowest.items()


def turns_left(a: Point, b: Point, c: Point) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) > (b[1] - a[1]) * (c[0] - a[0])


def slopes_of(hull: Sequence[Point]) -> list[float]:
    """Of a hull's edges, rising."""
    return [(high - low) / (right - left) for (left, low), (right, high) in pairwise(hull)]


def room(uppers: Sequence[Point], lowers: Sequence[Point], slope: float) -> float:
    """How wide a corridor of this slope is, below all uppers and above all lowers; negative: there is none."""
    start = uppers[0][0]
    ceiling = min(value - slope * (when - start) for when, value in uppers)
    floor = max(value - slope * (when - start) for when, value in lowers)
    return ceiling - floor


def widest(uppers: Sequence[Point], lowers: Sequence[Point]) -> float:
    """The slope of the widest corridor between the two envelopes; its width is concave in the slope."""
    low, high = -STEEPEST, STEEPEST
    for _ in range(60):  # by golden section or by thirds, 60 steps leave less than a millionth of a ppm
        third = (high - low) / 3
        if room(uppers, lowers, low + third) < room(uppers, lowers, high - third):
            low += third
        else:
            high -= third
    return (low + high) / 2
