"""Clocks: the offset is an interval that causality allows, and it holds the truth whatever the delays.

Each bound is held against a slow twin that tries all lines; each property against clocks that were made up.
"""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcp_forensics._kernel.rows import DelayRow
from ctcp_forensics.vantage.clock import (
    ANY_OFFSET,
    RESET_NS,
    TO_CLIENT,
    TO_HEADEND,
    Clock,
    Piece,
    above,
    below,
    clock_of,
    is_nearer,
    seen_from_there,
)
from ctcp_forensics.vantage.envelope import GRAIN_NS, STEEPEST, Point, lower_hull
from tests.logs import ANY_CLOCKS, SECOND, START_NS, Clocks, Passage, delays, passages

MANY = settings(max_examples=50, deadline=None)
FEW = settings(max_examples=20, deadline=None)
POINTS = st.lists(
    st.tuples(st.integers(0, 300).map(lambda at: at * SECOND), st.integers(-50_000, 50_000)),
    min_size=1,
    max_size=12,
)


# --- bounds --------------------------------------------------------------------------------------


def hull_by_triples(points: list[Point]) -> list[Point]:
    """Every point that lies strictly below each line between one on its left and one on its right."""
    lowest = sorted({when: min(value for at, value in points if at == when) for when, _ in points}.items())
    return [
        point
        for number, point in enumerate(lowest)
        if all(
            (point[1] - left[1]) * (right[0] - left[0]) < (right[1] - left[1]) * (point[0] - left[0])
            for left in lowest[:number]
            for right in lowest[number + 1 :]
        )
    ]


def highest_line_below(points: list[Point], at_ns: int) -> float:
    """The linear programme by trial: an optimum touches two points, or one with the steepest slope allowed."""
    lines = [(one, slope) for one in points for slope in (-STEEPEST, STEEPEST)]
    lines += [
        (one, (other[1] - one[1]) / (other[0] - one[0]))
        for one, other in combinations(points, 2)
        if one[0] != other[0]
    ]
    possible = [
        one[1] + slope * (at_ns - one[0])
        for one, slope in lines
        if all(one[1] + slope * (when - one[0]) <= value + 1e-3 for when, value in points)
    ]
    return max(possible)


@MANY
@given(points=POINTS)
def test_the_lower_hull_is_what_all_triples_leave(points: list[Point]) -> None:
    assert lower_hull(points) == hull_by_triples(points)


@MANY
@given(points=POINTS, at=st.integers(-100, 400))
def test_the_upper_bound_is_that_of_the_linear_programme(points: list[Point], at: int) -> None:
    bound = above(points, at * SECOND)
    assert bound == pytest.approx(highest_line_below(points, at * SECOND) + GRAIN_NS, abs=2)


@MANY
@given(points=POINTS, at=st.integers(-100, 400))
def test_the_lower_bound_is_the_upper_one_upside_down(points: list[Point], at: int) -> None:
    upside_down = above([(when, -value) for when, value in points], at * SECOND)
    assert upside_down is not None
    assert below(points, at * SECOND) == -upside_down


def test_nothing_bounds_where_nothing_passed() -> None:
    assert above([], 0) is None
    assert below([], 0) is None
    assert Clock(pieces=()).offset_at(0) == ANY_OFFSET
    assert clock_of(()).pieces == ()


MOST_STRETCHED_NS = SECOND // 1_000
"""By which a clock that runs 1,000 ppm fast makes a second under way longer: what is a reset is told by that clock."""

# --- the truth lies within ----------------------------------------------------------------------------


@MANY
@given(passed=passages(1, 40, seconds=300, slowest_ns=RESET_NS - MOST_STRETCHED_NS), clocks=ANY_CLOCKS)
def test_the_offset_lies_in_its_interval_for_any_delays_and_any_skew(
    passed: list[Passage], clocks: Clocks
) -> None:
    clock = clock_of(delays(passed, clocks))
    assert len(clock.pieces) == 1, "an even clock was cut"
    for at_ns in (*clock.pieces[0].span_ns, clock.pieces[0].middle_ns):
        low, high = clock.offset_at(at_ns)
        assert low <= clocks.offset(at_ns - START_NS) <= high


@FEW
@given(
    passed=passages(2, 40, seconds=300, slowest_ns=SECOND),
    clocks=ANY_CLOCKS,
    at=st.integers(50, 250),
    by=st.integers(-100, 100),
)
def test_the_offset_lies_in_its_interval_beside_a_reset(
    passed: list[Passage], clocks: Clocks, at: int, by: int
) -> None:
    """Where only few matches tell, a reset may be overlooked; what is then allowed fits one even clock."""
    dense = [
        Passage(way=way, sent_ns=second * SECOND, delay_ns=3_000_000)
        for second in range(0, 300, 3)
        for way in (0, 1)
    ]
    set_ = Clocks(
        offset_ns=clocks.offset_ns, ppm=clocks.ppm, set_at_ns=at * SECOND + 1, set_by_ns=by * SECOND
    )
    for piece in clock_of(delays([*dense, *passed], set_)).pieces:
        low, high = piece.offset_at(piece.middle_ns)
        assert low is not None
        assert high is not None
        assert low <= set_.offset(piece.middle_ns - START_NS) <= high


def test_a_reset_cuts_the_clock_in_two() -> None:
    steady = [
        Passage(way=way, sent_ns=at * SECOND, delay_ns=5_000_000) for at in range(200) for way in (0, 1)
    ]
    clock = clock_of(delays(steady, Clocks(set_at_ns=100 * SECOND, set_by_ns=-20 * SECOND)))
    assert len(clock.pieces) == 2
    low, high = clock.offset_at(START_NS + 10 * SECOND)
    assert (low, high) == (-5_000_000 - GRAIN_NS, 5_000_000 + GRAIN_NS)
    low, high = clock.offset_at(START_NS + 190 * SECOND)
    assert (low, high) == (-20 * SECOND - 5_000_000 - GRAIN_NS, -20 * SECOND + 5_000_000 + GRAIN_NS)


def test_the_interval_is_as_wide_as_the_quickest_round_trip() -> None:
    passed = [
        Passage(way=TO_HEADEND, sent_ns=0, delay_ns=7_000_000),
        Passage(way=TO_CLIENT, sent_ns=0, delay_ns=4_000_000),
    ]
    low, high = clock_of(delays(passed, Clocks(offset_ns=3_600 * SECOND))).offset_at(START_NS)
    assert (low, high - 3_600 * SECOND) == (
        3_600 * SECOND - 4_000_000 - 4_000 - GRAIN_NS,
        7_000_000 + GRAIN_NS,
    )


# --- skew -------------------------------------------------------------------------------------------


def test_too_little_tells_no_skew() -> None:
    one = Piece(
        near_frames=(1, 2), far_frames=(1, 2), uppers=((0, 5),), lowers=((70 * SECOND, 1),), matches=19
    )
    assert one.skew is None
    assert one.skews is None
    uppers, lowers = ((0, 0), (50 * SECOND, 0)), ((0, 0), (50 * SECOND, 0))
    short = Piece(near_frames=(1, 2), far_frames=(1, 2), uppers=uppers, lowers=lowers, matches=40)
    assert short.skew is None


# --- which is nearer -------------------------------------------------------------------------------------


@MANY
@given(passed=passages(1, 40, seconds=300, slowest_ns=2 * SECOND), clocks=ANY_CLOCKS)
def test_the_nearer_capture_is_never_taken_for_the_farther(passed: list[Passage], clocks: Clocks) -> None:
    rows = delays(passed, clocks)
    assert is_nearer(rows) is not False
    assert is_nearer([seen_from_there(row) for row in rows]) is not True


def test_one_round_trip_tells_which_is_nearer() -> None:
    passed = [Passage(way=way, sent_ns=0, delay_ns=50_000) for way in (TO_HEADEND, TO_CLIENT)]
    rows = delays(passed, Clocks(offset_ns=-7 * SECOND))
    assert is_nearer(rows) is True
    assert is_nearer([seen_from_there(row) for row in rows]) is False


def test_one_way_tells_nothing_of_which_is_nearer() -> None:
    passed = [Passage(way=TO_HEADEND, sent_ns=at * SECOND, delay_ns=9_000_000) for at in range(50)]
    assert is_nearer(delays(passed, Clocks())) is None


def test_a_drift_between_two_passages_far_apart_feigns_no_round_trip() -> None:
    """500 ppm in 100 s are 50 ms, more than the two were under way."""
    passed = [
        Passage(way=TO_HEADEND, sent_ns=0, delay_ns=1_000_000),
        Passage(way=TO_CLIENT, sent_ns=100 * SECOND, delay_ns=1_000_000),
    ]
    assert is_nearer(delays(passed, Clocks(ppm=500))) is not False


ROWS = st.builds(DelayRow, *[st.integers(0, 1 << 40)] * len(DelayRow._fields))


@MANY
@given(row=ROWS)
def test_delays_turned_about_twice_are_what_they_were(row: DelayRow) -> None:
    assert seen_from_there(seen_from_there(row)) == row
