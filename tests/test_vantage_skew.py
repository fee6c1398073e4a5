"""Skews: a range that holds the truth whatever the queues do, and a point only where the range is narrow.

The likeliest slope and what causality allows are held against slow twins that try slopes one by one; the range
against clocks and queues that were made up.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcp_forensics.vantage.clock import TO_HEADEND, Piece, clock_of
from ctcp_forensics.vantage.envelope import GRAIN_NS, STEEPEST, Point, room, widest
from ctcp_forensics.vantage.skew import IMPROBABLE, PRECISE, OneWay, Slopes
from tests.logs import SECOND, Clocks, Passage, delays

MANY = settings(max_examples=50, deadline=None)
PPM = 1e-6
POINTS = st.lists(
    st.tuples(st.integers(0, 100).map(lambda at: at * SECOND), st.integers(0, 20_000_000)),
    min_size=2,
    max_size=8,
    unique_by=lambda point: point[0],
)

Queue = Callable[[random.Random, float], float]
QUEUES: dict[str, Queue] = {
    "exponential": lambda chance, mean: chance.expovariate(1 / mean),
    "even": lambda chance, mean: chance.uniform(0, 2 * mean),
    "mostly none": lambda chance, mean: chance.expovariate(0.1 / mean) if chance.random() < 0.1 else 0.0,
    "heavy": lambda chance, mean: mean * (chance.paretovariate(1.5) - 1),
    "seldom none": lambda chance, mean: chance.gammavariate(2, mean / 2),
}


# --- slow twins -------------------------------------------------------------------------------------


def surprise_by_sum(uppers: list[Point], lowers: list[Point], slope: float) -> float:
    """Of waits above the highest line below the uppers, and below the lowest one above the lowers."""
    rises = [value - slope * when for when, value in uppers]
    falls = [slope * when - value for when, value in lowers]
    return sum(
        len(some) * math.log(sum(one - min(some) for one in some) / len(some) + GRAIN_NS)
        for some in (rises, falls)
        if some
    )


@MANY
@given(uppers=POINTS, lowers=POINTS, ppm=st.integers(-1000, 1000))
def test_the_surprise_of_a_slope_is_that_of_all_waits_added_up(
    uppers: list[Point], lowers: list[Point], ppm: int
) -> None:
    slopes = Slopes(uppers, lowers)
    assert slopes.surprise(ppm * PPM) == pytest.approx(surprise_by_sum(uppers, lowers, ppm * PPM), abs=1e-3)


@MANY
@given(uppers=POINTS, lowers=POINTS)
def test_no_slope_that_is_allowed_is_likelier_than_the_likeliest(
    uppers: list[Point], lowers: list[Point]
) -> None:
    slopes = Slopes(uppers, lowers)
    first, last = slopes.allowed
    assert first <= slopes.likeliest <= last
    least = slopes.surprise(slopes.likeliest)
    for step in range(401):
        slope = first + (last - first) * step / 400
        assert surprise_by_sum(uppers, lowers, slope) >= least - 1e-6


@MANY
@given(uppers=POINTS, lowers=POINTS)
def test_what_is_allowed_is_what_leaves_room_between_both_ways(
    uppers: list[Point], lowers: list[Point]
) -> None:
    below = [(when, value - 25_000_000) for when, value in lowers]
    first, last = Slopes(uppers, below).allowed
    for ppm in range(-1000, 1001, 7):
        is_inside = first + PPM / 100 <= ppm * PPM <= last - PPM / 100
        is_outside = ppm * PPM < first - PPM / 100 or ppm * PPM > last + PPM / 100
        has_room = room(uppers, below, ppm * PPM) >= -2 * GRAIN_NS
        assert has_room if is_inside else not (has_room and is_outside)


def test_the_widest_corridor_leans_as_the_clock_does() -> None:
    uppers = [(at * SECOND, 10_000 + at * 100_000) for at in range(100)]
    lowers = [(at * SECOND, -10_000 + at * 100_000) for at in range(100)]
    assert widest(uppers, lowers) * 1e6 == pytest.approx(100, abs=1e-6)


@MANY
@given(points=POINTS)
def test_the_slope_of_one_way_is_that_of_the_least_sum_of_waits(points: list[Point]) -> None:
    """The linear programme by trial: an optimum touches two points."""
    way = OneWay(points)
    pairs = [(one, other) for one, other in product(points, repeat=2) if one[0] < other[0]]
    tried = [(other[1] - one[1]) / (other[0] - one[0]) for one, other in pairs]
    assert way.mean_wait(way.leaning) == pytest.approx(min(map(way.mean_wait, tried)), abs=1)


# --- the truth lies within ----------------------------------------------------------------------------


def piece_of(queue: Queue, seed: int, ppm: float, seconds: int, matches: int, mean_ns: float) -> Piece:
    """A path of 20 ms each way, and what its queues add."""
    chance = random.Random(seed)
    step_ns = seconds * SECOND // (matches - 1)
    passed = [
        Passage(way=number % 2, sent_ns=number * step_ns, delay_ns=20_000_000 + round(queue(chance, mean_ns)))
        for number in range(matches)
    ]
    (piece,) = clock_of(delays(passed, Clocks(ppm=ppm))).pieces
    return piece


@pytest.mark.parametrize("queue", QUEUES)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 1 << 32),
    ppm=st.integers(-500, 500),
    seconds=st.integers(62, 600),
    matches=st.integers(20, 300),
    mean_us=st.sampled_from([20, 300, 1_000, 10_000]),
)
def test_a_skew_that_is_told_is_within_5_ppm_and_its_range_holds_the_truth(
    queue: str, seed: int, ppm: int, seconds: int, matches: int, mean_us: int
) -> None:
    """From a minute and twenty matches on, whatever the queues add.

    The range is that of an improbability of a thousand where waits fall off exponentially; by as much as two ranges
    it may miss where they do not.
    """
    piece = piece_of(QUEUES[queue], seed, ppm, seconds, matches, mean_us * 1000)
    assert piece.skews is not None
    low, high = piece.skews
    slack = high - low
    assert low - slack <= ppm * PPM <= high + slack
    assert piece.skew is None or abs(piece.skew - ppm * PPM) <= PRECISE


def test_quick_queues_are_told_and_slow_ones_leave_a_range() -> None:
    quick = piece_of(QUEUES["exponential"], 1, 40, 120, 60, 100_000)
    assert quick.skew is not None
    assert quick.skew / PPM == pytest.approx(40, abs=1)
    slow = piece_of(QUEUES["exponential"], 1, 40, 62, 20, 10_000_000)
    assert slow.skew is None
    assert slow.skews is not None
    assert slow.skews[0] < 40 * PPM < slow.skews[1]


def test_a_path_that_changed_on_the_way_is_not_taken_for_a_clock() -> None:
    """One way takes two milliseconds longer from the middle on, and the other way shows no such clock."""
    steady = [Passage(way=number % 2, sent_ns=number * SECOND, delay_ns=20_000_000) for number in range(100)]
    changed = [
        Passage(way=one.way, sent_ns=one.sent_ns, delay_ns=one.delay_ns + 2_000_000)
        if one.way == TO_HEADEND and one.sent_ns > 50 * SECOND
        else one
        for one in steady
    ]
    (piece,) = clock_of(delays(changed, Clocks(ppm=0))).pieces
    assert piece.skews is not None
    assert piece.skews[0] <= 0 <= piece.skews[1]
    assert piece.skew is None or abs(piece.skew) <= PRECISE


def test_a_clock_of_1970_keeps_its_skew() -> None:
    steady = [
        Passage(way=number % 2, sent_ns=number * SECOND, delay_ns=20_000_000 + number % 7 * 100_000)
        for number in range(100)
    ]
    (piece,) = clock_of(delays(steady, Clocks(ppm=12, offset_ns=-1_699_990_000 * SECOND))).pieces
    assert piece.skew is not None
    assert piece.skew / PPM == pytest.approx(12, abs=0.1)


def test_one_way_alone_allows_what_any_clock_does() -> None:
    slopes = Slopes([(at * SECOND, 0) for at in range(100)], ())
    assert slopes.allowed == (-STEEPEST, STEEPEST)
    assert slopes.likeliest == 0.0
    assert slopes.range[1] < PRECISE
    assert pytest.approx(6.9078, abs=1e-4) == IMPROBABLE


def test_a_minute_of_one_way_beside_a_moment_of_the_other_is_told_by_the_minute() -> None:
    uppers = [(at * SECOND, at * 30_000) for at in range(100)]
    lowers = [(at * SECOND // 10, -40_000_000 - at * 900_000) for at in range(10)]
    slopes = Slopes(uppers, lowers)
    assert len(slopes.of_each_way) == 1
    assert slopes.of_each_way[0] / PPM == pytest.approx(30, abs=0.01)
    assert slopes.told is not None
    assert slopes.told / PPM == pytest.approx(30, abs=1)
