"""Clocks: a time of one clock by another, as far as the report's intervals tell.

Knows what the report says of two clocks: an interval for each stretch between two resets, and a skew.  Within the
interval nothing is known, so a clock that may be right is left alone, and another is moved by the middle.  Does not
know which stretch a time is in, nor which clocks lie between two places: see annotate and retrace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ctcp_forensics.report import ClockPiece

BILLION: Final = 1_000_000_000
PPB_IN_PPM: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One piece: the farther clock shows `offset_ns` more than the nearer at `at_ns` of the nearer."""

    piece: ClockPiece
    offset_ns: int
    skew_ppb: int

    @property
    def is_even(self) -> bool:
        """The two agree, as far as anybody can tell."""
        return self.offset_ns == 0 and self.skew_ppb == 0

    @property
    def error_ns(self) -> int | None:
        """How far a moved time may be off; None where the interval has no end."""
        low, high = self.piece.offset_low_ns, self.piece.offset_high_ns
        return None if low is None or high is None else max(self.offset_ns - low, high - self.offset_ns)

    def nearer(self, time_ns: int) -> int:
        """A time of the farther clock, by the nearer."""
        since_ns = time_ns - self.offset_ns - self.piece.at_ns
        return self.piece.at_ns + since_ns * BILLION // (BILLION + self.skew_ppb)

    def farther(self, time_ns: int) -> int:
        """A time of the nearer clock, by the farther."""
        return time_ns + self.offset_ns + (time_ns - self.piece.at_ns) * self.skew_ppb // BILLION


def stretch_of(piece: ClockPiece) -> Stretch:
    skew_ppb = skew_of(piece)
    return Stretch(piece=piece, offset_ns=offset_of(piece, drifts=bool(skew_ppb)), skew_ppb=skew_ppb)


def skew_of(piece: ClockPiece) -> int:
    """Where the segments of either way may mean that there is none, there is none."""
    if piece.skew_ppm is None or piece.skew_low_ppm is None or piece.skew_high_ppm is None:
        return 0
    if piece.skew_low_ppm <= 0 <= piece.skew_high_ppm:
        return 0
    return round(piece.skew_ppm * PPB_IN_PPM)


def offset_of(piece: ClockPiece, *, drifts: bool) -> int:
    low, high = piece.offset_low_ns, piece.offset_high_ns
    if low is None or high is None:  # the nearest to none that causality allows
        return min(0, high) if high is not None else max(0, low or 0)
    return 0 if low <= 0 <= high and not drifts else (low + high) // 2
