"""Clocks: how far one capture's clock is from another's, as an interval that causality allows.

A segment cannot arrive before it was sent.  Towards the headend the time behind less the time before is the
clocks' offset plus a delay, towards the client it is the offset less a delay: the offset lies between the least of
the first and the greatest of the second (ctcp-protocol §4.2; Paxson, SIGMETRICS 1998; Zhang, Liu, Xia, INFOCOM
2002).  Knows times of matched segments.  Does not know what they carry.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import msgspec

from ctcp_forensics.vantage.envelope import GRAIN_NS, STEEPEST, Point, lower_hull, mirrored, room, widest
from ctcp_forensics.vantage.skew import Slopes

if TYPE_CHECKING:
    from ctcp_forensics._kernel.rows import DelayRow

TO_HEADEND, TO_CLIENT = 0, 1
"""The ways of DelayRow, as this package names them."""

STRETCHES: Final = 96
"""Short enough that no clock drifts by a round trip within one, in a capture of minutes."""
RESET_NS: Final = 1_000_000_000
"""A delay that changes by a second from one stretch to the next is a clock that was set, or as good as one."""
FEWEST_MATCHES: Final = 3
"""A piece of a clock between two resets is believed on so many; fewer are outliers."""
SKEW_MATCHES: Final = 20
SKEW_SPAN_NS: Final = 60_000_000_000
"""Below these a fitted skew says more about single delays than about the clock (ctcp-protocol §4.2)."""

UNBOUNDED_NS: Final = 1 << 60
"""More than any two clocks differ: a bound that nothing sets."""

Offset = tuple[int, int]
"""Least and greatest difference of two clocks, nanoseconds."""
ANY_OFFSET: Final[Offset] = (-UNBOUNDED_NS, UNBOUNDED_NS)


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch without a reset, in which one clock runs evenly against the other.

    `uppers` are differences that the offset cannot exceed, `lowers` those that it cannot fall below.
    """

    near_frames: tuple[int, int]
    far_frames: tuple[int, int]
    uppers: tuple[Point, ...]
    lowers: tuple[Point, ...]
    matches: int

    @property
    def span_ns(self) -> tuple[int, int]:
        times = [at_ns for at_ns, _ in (*self.uppers, *self.lowers)]
        return min(times), max(times)

    @property
    def middle_ns(self) -> int:
        first, last = self.span_ns
        return (first + last) // 2

    def offset_at(self, at_ns: int) -> tuple[int | None, int | None]:
        """Least and greatest possible offset at a time of the nearer clock; None where nothing bounds it."""
        return below(self.lowers, at_ns), above(self.uppers, at_ns)

    @property
    def slopes(self) -> Slopes | None:
        """What tells how fast the farther clock gains, where there is enough of it."""
        first, last = self.span_ns
        if self.matches < SKEW_MATCHES or last - first < SKEW_SPAN_NS:
            return None
        return Slopes(self.uppers, self.lowers)

    @property
    def skew(self) -> float | None:
        """Nanoseconds a nanosecond that the farther clock gains, where that is known to a few millionths."""
        slopes = self.slopes
        return None if slopes is None else slopes.told

    @property
    def skews(self) -> tuple[float, float] | None:
        """The least and the greatest skew that the segments of both ways allow and do not make improbable."""
        slopes = self.slopes
        return None if slopes is None else slopes.range


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """The farther capture's clock against the nearer one's, piece by piece."""

    pieces: tuple[Piece, ...]

    def offset_at(self, at_ns: int) -> Offset:
        """The offset at a time of the nearer clock, by the piece that this time is in or next to."""
        if not self.pieces:
            return ANY_OFFSET
        piece = min(self.pieces, key=lambda one: distance(one.span_ns, at_ns))
        low, high = piece.offset_at(at_ns)
        return (-UNBOUNDED_NS if low is None else low), (UNBOUNDED_NS if high is None else high)


def distance(span: tuple[int, int], at_ns: int) -> int:
    return max(span[0] - at_ns, at_ns - span[1], 0)


# --- bounds -----------------------------------------------------------------------------------


def above(points: Sequence[Point], at_ns: int) -> int | None:
    """What a line below all points cannot exceed at a time: their lower hull, or what the steepest line allows."""
    if not points:
        return None
    bound = min(value + STEEPEST * abs(at_ns - when) for when, value in points)
    for (left, low), (right, high) in pairwise(lower_hull(points)):
        if left <= at_ns <= right:
            bound = min(bound, low + (high - low) * (at_ns - left) / (right - left))
    return int(bound) + GRAIN_NS


def below(points: Sequence[Point], at_ns: int) -> int | None:
    bound = above(mirrored(points), at_ns)
    return None if bound is None else -bound


# --- from matches to pieces --------------------------------------------------------------------


def is_possible(uppers: Sequence[Point], lowers: Sequence[Point]) -> bool:
    """Whether any even clock fits between the bounds.  One way alone sets one bound, which always fits."""
    if not uppers or not lowers:
        return True
    ceiling = lower_hull(uppers)
    floor = mirrored(lower_hull(mirrored(lowers)))
    if room(ceiling, floor, 0.0) >= 0:
        return True
    return room(ceiling, floor, widest(ceiling, floor)) >= -2 * GRAIN_NS


def clock_of(rows: Sequence[DelayRow]) -> Clock:
    """The clock that the delays of matched segments allow, cut where no even clock fits."""
    stretches: dict[int, list[DelayRow]] = {}
    for row in rows:
        stretches.setdefault(row.stretch, []).append(row)
    runs: list[list[DelayRow]] = []
    for _, here in sorted(stretches.items()):
        if runs and go_on(runs[-1], here):
            runs[-1] += here
        else:
            runs.append(list(here))
    return Clock(pieces=tuple(piece_of(run) for run in without_outliers(runs)))


def skew_of(rows: Sequence[DelayRow]) -> float:
    """The likeliest of the longest piece that tells it, known well or not; 0 where none does."""
    told = [
        (piece.matches, slopes.likeliest)
        for piece in clock_of(rows).pieces
        if (slopes := piece.slopes) is not None
    ]
    return max(told)[1] if told else 0.0


def first_of_each_way(rows: Sequence[DelayRow]) -> Iterable[DelayRow]:
    return {row.way: row for row in reversed(rows)}.values()


def go_on(run: list[DelayRow], rows: list[DelayRow]) -> bool:
    """Whether one even clock explains both."""
    return not jumps(run, rows) and fits(run + rows)


def jumps(run: Sequence[DelayRow], rows: Sequence[DelayRow]) -> bool:
    """Whether the times of one way moved by more than any queue explains.  To cut too often only widens the bounds."""
    latest = {row.way: row for row in run}
    return any(
        abs(row.least_ns - before.least_ns) > RESET_NS + STEEPEST * abs(row.least_at_ns - before.least_at_ns)
        for row in first_of_each_way(rows)
        if (before := latest.get(row.way)) is not None
    )


def fits(rows: Sequence[DelayRow]) -> bool:
    return is_possible(*bounds_of(rows))


def is_nearer(rows: Sequence[DelayRow]) -> bool | None:
    """Whether the capture here is nearer to the client than the one there; None where nothing tells.

    Both clocks cancel out of a round trip: segments to the headend are late there, those to the client are late
    here, by whatever the clocks differ.  Where one order leaves room for an even clock and the other leaves none,
    that is it; where both do, a drift may have feigned the round trip.  Where neither does, a clock was set.
    """
    here_first, there_first = fits(rows), fits([seen_from_there(row) for row in rows])
    if here_first or there_first:
        return None if here_first and there_first else here_first
    balance = balance_of(rows)
    return None if balance == 0 else balance > 0


def balance_of(rows: Iterable[DelayRow]) -> int:
    """Neighbours that say that here is nearer, less those that say there is."""
    latest: dict[int, DelayRow] = {}
    balance = 0
    for row in rows:
        latest[row.way] = row
        if len(latest) == 2:
            balance += turn(latest[TO_HEADEND], latest[TO_CLIENT])
    return balance


def turn(to_headend: DelayRow, to_client: DelayRow) -> int:
    """1: every segment to the headend is later there than any to the client; -1: the reverse; 0: neither."""
    if to_headend.least_ns > to_client.most_ns:
        return 1
    return -1 if to_client.least_ns > to_headend.most_ns else 0


def seen_from_there(row: DelayRow) -> DelayRow:
    """The same delays with the two captures changed about."""
    return row._replace(
        here_first_frame=row.there_first_frame,
        here_last_frame=row.there_last_frame,
        there_first_frame=row.here_first_frame,
        there_last_frame=row.here_last_frame,
        least_ns=-row.most_ns,
        least_at_ns=row.most_at_ns + row.most_ns,
        most_ns=-row.least_ns,
        most_at_ns=row.least_at_ns + row.least_ns,
    )


def bounds_of(rows: Iterable[DelayRow]) -> tuple[list[Point], list[Point]]:
    uppers = [(row.least_at_ns, row.least_ns) for row in rows if row.way == TO_HEADEND]
    lowers = [(row.most_at_ns, row.most_ns) for row in rows if row.way == TO_CLIENT]
    return uppers, lowers


def without_outliers(runs: list[list[DelayRow]]) -> list[list[DelayRow]]:
    """The runs of one even clock each; a few matches between two that fit each other were no reset."""
    kept: list[list[DelayRow]] = []
    for run in filter(fits, runs):  # a stretch with a reset in it fits nothing, not even itself
        if kept and sum(row.matches for row in kept[-1]) < FEWEST_MATCHES and len(runs) > 1:
            kept.pop()
        if kept and go_on(kept[-1], run):
            kept[-1] += run
        else:
            kept.append(run)
    if len(kept) > 1 and sum(row.matches for row in kept[-1]) < FEWEST_MATCHES:
        kept.pop()
    return kept


def piece_of(rows: Sequence[DelayRow]) -> Piece:
    uppers, lowers = bounds_of(rows)
    return Piece(
        near_frames=(min(row.here_first_frame for row in rows), max(row.here_last_frame for row in rows)),
        far_frames=(min(row.there_first_frame for row in rows), max(row.there_last_frame for row in rows)),
        uppers=tuple(uppers),
        lowers=tuple(lowers),
        matches=sum(row.matches for row in rows),
    )
