"""Scales: seconds and bytes to pixels, and the numbers at which an axis is marked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ctcp_forensics.render.plot.paper import Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Times and positions that a box shows."""

    box: Box
    from_ns: int
    to_ns: int
    low: int
    high: int

    def x(self, at_ns: int) -> float:
        part = (at_ns - self.from_ns) / max(1, self.to_ns - self.from_ns)
        return self.box.left + self.box.width * min(1.0, max(0.0, part))

    def y(self, position: int) -> float:
        part = (self.high - position) / max(1, self.high - self.low)
        return self.box.top + self.box.height * min(1.0, max(0.0, part))

    def shows(self, at_ns: int, position: int) -> bool:
        return self.from_ns <= at_ns <= self.to_ns and self.low <= position <= self.high


def steps(low: float, high: float, most: int) -> Iterator[float]:
    """Round numbers between two: 1, 2 or 5 times a power of ten apart, and no more of them than `most`."""
    step = 1e-9
    while (high - low) / step > most:
        for factor in (2, 2.5, 2):
            step *= factor
            if (high - low) / step <= most:
                break
    at = -(-low // step)
    while at * step <= high:
        yield round(at * step, 9)
        at += 1
