"""Crossings: what is missing in a capture was lost only where nothing shows that it passed."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcp_forensics._kernel.rows import NEVER, CourseRow, StrayRow
from ctcp_forensics.vantage.crossing import (
    CUT_OFF,
    Crossing,
    Fate,
    Lost,
    Raw,
    Witnesses,
    fate_of,
    is_client,
    neighbours,
    poisson_tail,
    settle,
    wilson,
)

pytestmark = pytest.mark.usefixtures("plain_join")

NOTHING_KNOWN = Witnesses(
    drops=False, held_further=(), asked_for=(), acked_to=NEVER, is_sent_again=False, acked_exactly=()
)
PLACE: Any = object()


def stray(pos: int, length: int = 100, **more: int) -> StrayRow:
    row = StrayRow(
        frame=pos,
        time_ns=pos,
        pos=pos,
        length=length,
        spi=1,
        esp_seq=1,
        is_altered=0,
        was_repeated=0,
        is_damaged=0,
    )
    return row._replace(**more)


def knowing(**more: Any) -> Witnesses:
    known = {name: getattr(NOTHING_KNOWN, name) for name in Witnesses.__struct_fields__}
    return Witnesses(**{**known, **more})


def raw(*strays: StrayRow, backward: dict[str, int] | None = None, **counts: int) -> Raw:
    blank = CourseRow(*[0] * len(CourseRow._fields))
    missing = sum(not (one.is_altered or one.was_repeated) for one in strays)
    onward = blank._replace(**{"missing": missing, "largest_arrived": NEVER, **counts})
    return Raw(
        way=0,
        before=PLACE,
        behind=PLACE,
        shift=0,
        onward=onward,
        missing=strays,
        backward=blank._replace(**(backward or {})),
    )


# --- one segment ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "fate"),
    [
        ({}, Fate.LOST),
        ({"drops": True}, Fate.UNDECIDED),
        ({"held_further": {1001}}, Fate.NOT_CAPTURED),
        ({"held_further": {1001}, "asked_for": {1001}}, Fate.NOT_CAPTURED),
        ({"asked_for": {1001}}, Fate.LOST),
        ({"asked_for": {1001}, "drops": True}, Fate.LOST),
        ({"asked_for": {1100}, "drops": True}, Fate.LOST),
        ({"asked_for": {1101}, "drops": True}, Fate.UNDECIDED),
        ({"asked_for": {1001}, "acked_to": 9000}, Fate.LOST),
        ({"acked_to": 1100}, Fate.LOST),
        ({"acked_to": 1101}, Fate.NOT_CAPTURED),
        ({"acked_exactly": {1101}, "drops": True}, Fate.NOT_CAPTURED),
        ({"acked_exactly": {1100}}, Fate.LOST),
    ],
)
def test_the_surest_witness_tells_a_segments_fate(known: dict[str, Any], fate: Fate) -> None:
    """Of the segment 1001:1101."""
    assert fate_of(stray(1001), knowing(**known)) is fate


def test_a_capture_that_surely_missed_one_segment_may_have_missed_the_next() -> None:
    crossing = settle(raw(stray(1001), stray(2001), same=10), knowing(held_further={1001}))
    assert (crossing.not_captured_behind, crossing.undecided, crossing.lost_count) == (1, 1, 0)


def test_what_was_asked_for_is_lost_even_in_a_capture_that_misses_something() -> None:
    crossing = settle(raw(stray(1001), stray(2001), same=10), knowing(held_further={1001}, asked_for={2001}))
    assert [one.pos for one in crossing.lost] == [2001]
    assert (crossing.not_captured_behind, crossing.undecided, crossing.lost_count) == (1, 0, 1)


def test_a_segment_that_passed_twice_before_and_once_behind_was_lost_once_if_its_sender_sends_again() -> None:
    again = stray(1001, was_repeated=1)
    assert settle(raw(again, same=10), knowing(is_sent_again=True)).lost_count == 1
    assert settle(raw(again, same=10), NOTHING_KNOWN).lost_count == 0


def test_an_altered_segment_is_not_lost() -> None:
    crossing = settle(raw(stray(1001, is_altered=1), same=10, altered=1), NOTHING_KNOWN)
    assert (crossing.altered, crossing.lost_count, crossing.decided) == (1, 0, 11)


def test_what_came_damaged_and_went_no_further_is_neither_lost_nor_undecided_there() -> None:
    crossing = settle(raw(stray(1001, is_damaged=1), stray(2001), same=10), NOTHING_KNOWN)
    assert (crossing.damaged, crossing.lost_count, crossing.undecided) == (1, 1, 0)
    again = stray(1001, is_damaged=1, was_repeated=1)
    crossing = settle(raw(again, same=10), knowing(is_sent_again=True))
    assert (crossing.damaged, crossing.lost_count, crossing.undecided) == (1, 0, 0)


@pytest.mark.parametrize(
    ("tail", "undecided", "withheld"), [(0, 0, 0), (2, 2, 0), (CUT_OFF, 0, 3), (50, 0, 50)]
)
def test_two_at_the_end_are_undecided_and_three_are_withheld(
    tail: int, undecided: int, withheld: int
) -> None:
    crossing = settle(raw(same=10, after=tail), NOTHING_KNOWN)
    assert (crossing.undecided, crossing.withheld, crossing.lost_count) == (undecided, withheld, 0)


def test_what_was_missing_and_is_not_named_stays_undecided() -> None:
    crossing = settle(raw(stray(1001), same=10, missing=7), NOTHING_KNOWN)
    assert (crossing.lost_count, crossing.undecided) == (1, 6)


def test_what_only_the_capture_behind_has_was_not_captured_before() -> None:
    crossing = settle(
        raw(same=10, backward={"missing": 1, "before": 2, "after": 3, "repeated": 4}), NOTHING_KNOWN
    )
    assert (crossing.not_captured_before, crossing.injected) == (4, 4), "two had passed before it began"


def test_what_lies_outside_of_the_other_capture_is_beyond_it() -> None:
    crossing = settle(raw(same=10, before=3, beyond=4), NOTHING_KNOWN)
    assert (crossing.beyond, crossing.lost_count, crossing.undecided) == (7, 0, 0)


@given(
    missing=st.lists(st.integers(0, 50).map(lambda at: stray(1 + 100 * at)), max_size=20, unique=True),
    unnamed=st.integers(0, 5),
    held=st.sets(st.integers(0, 50).map(lambda at: 1 + 100 * at)),
    asked=st.sets(st.integers(0, 5000)),
    drops=st.booleans(),
)
def test_every_missing_segment_has_one_fate(
    missing: list[StrayRow], unnamed: int, held: set[int], asked: set[int], drops: bool
) -> None:
    crossing = settle(
        raw(*missing, same=1, missing=len(missing) + unnamed),
        knowing(held_further=held, asked_for=asked, drops=drops),
    )
    fates = crossing.lost_count + crossing.not_captured_behind + crossing.undecided
    assert fates == len(missing) + unnamed
    assert held.isdisjoint(one.pos for one in crossing.lost)


# --- rates and patterns -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hits", "tries", "low", "high"),
    [(0, 10, 0.0, 0.2775), (1, 10, 0.0179, 0.4042), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)],
)
def test_the_interval_of_a_rate_is_the_textbooks(hits: int, tries: int, low: float, high: float) -> None:
    """Wilson's score interval of 95 %, to four places (Brown, Cai, DasGupta, Statistical Science 2001)."""
    assert wilson(hits, tries) == pytest.approx((low, high), abs=5e-5)


@given(tries=st.integers(1, 10_000), share=st.floats(0, 1))
def test_the_interval_holds_the_share_and_stays_within_0_and_1(tries: int, share: float) -> None:
    hits = round(share * tries)
    low, high = wilson(hits, tries)
    assert 0 <= low <= hits / tries + 1e-12
    assert hits / tries - 1e-12 <= high <= 1


def test_the_tail_of_a_poisson_is_what_the_book_says() -> None:
    assert poisson_tail(0, 1.0) == 1.0
    assert poisson_tail(1, 1.0) == pytest.approx(1 - 1 / math.e)
    assert poisson_tail(2, 1.0) == pytest.approx(1 - 2 / math.e)
    assert poisson_tail(3, 0.0) == 0.0


def crossing_of(
    positions: list[int], arrived: int, *, length: int = 100, largest: int | None = 100
) -> Crossing:
    lost = tuple(Lost(frame=pos, time_ns=pos, pos=pos, length=length) for pos in positions)
    return Crossing(
        way=0,
        before=None,
        behind=PLACE,
        arrived=arrived,
        lost=lost,
        lost_count=len(lost),
        largest_arrived=largest,
    )


def test_losses_side_by_side_are_a_burst_and_far_apart_are_none() -> None:
    assert crossing_of([], 100).pattern is None
    assert crossing_of([1, 101, 201, 301], 100).pattern == "too-few"
    assert crossing_of([1, 101, 201, 301, 401], 100).pattern == "burst"
    assert crossing_of([1, 1001, 2001, 3001, 4001], 100).pattern == "random"


def test_half_of_all_segments_lost_stand_side_by_side_by_chance() -> None:
    assert crossing_of([1, 101, 401, 601, 701, 1001], 6).pattern == "random"


def test_size_counts_where_every_lost_segment_is_larger_than_any_that_arrived() -> None:
    assert crossing_of([1, 2001, 4001], 9, length=1400).depends_on_size is True
    assert crossing_of([1, 2001, 4001], 9, length=1400, largest=1400).depends_on_size is False
    assert crossing_of([1, 2001], 9, length=1400).depends_on_size is None
    assert crossing_of([1, 2001, 4001], 0, length=1400, largest=None).depends_on_size is None


def test_a_rate_needs_something_decided() -> None:
    assert crossing_of([], 0).rate is None
    assert crossing_of([], 0).rate_interval is None
    assert crossing_of([1], 9).rate == 0.1


# --- neighbours --------------------------------------------------------------------------------------


def test_the_sender_of_each_way_stands_before_the_receiver() -> None:
    places: Any = ["client", "outside", "inside"]
    to_headend: Any = neighbours(places, 0)
    to_client: Any = neighbours(places, 1)
    assert to_headend == [("client", "outside"), ("outside", "inside")]
    assert to_client == [("inside", "outside"), ("outside", "client")]
    assert is_client(0)
    assert not is_client(1)
