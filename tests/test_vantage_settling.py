"""Settling: who bears witness to a segment that a capture lacks, in whose numbers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ctcp_forensics._kernel.rows import NEVER, CourseRow, StrayRow
from ctcp_forensics.vantage.crossing import Raw, Witnesses
from ctcp_forensics.vantage.settling import witnesses_of

SHIFT = 500
"""The numbers behind are so much higher."""
WANTED = 700


def place(*, acked_pos: int, is_ctcp: bool, repeats: bool, asks: int = 0) -> Any:
    """A place of which one direction is enough to know."""
    question = SimpleNamespace(
        row=SimpleNamespace(wanted_pos=WANTED), asks=asks, is_answered=True, is_passed=True, is_open=False
    )
    direction = SimpleNamespace(
        row=SimpleNamespace(acked_pos=acked_pos, trailer_cisco=int(is_ctcp), next_pos=2000, fin_frame=NEVER),
        episodes=(question,) if asks else (),
        associations=(),
        unfilled=(),
        repeats_data=repeats,
    )
    return SimpleNamespace(
        direction=lambda way: direction,
        half=lambda way: (0, way),
        flow=SimpleNamespace(directions=(direction, direction)),
        view=SimpleNamespace(number=0, tracker=SimpleNamespace(acks=lambda index, side: {1600})),
    )


def witnessed(**facts: Any) -> Witnesses:
    """Who bears witness to bytes 1000 to 1100, which the place behind lacks."""
    missing = StrayRow(
        frame=9, time_ns=9, pos=1000, length=100, spi=0, esp_seq=0, is_altered=0, was_repeated=0, is_damaged=0
    )
    nothing = CourseRow(*[0] * len(CourseRow._fields))
    here = place(**{"acked_pos": 1500, "is_ctcp": False, "repeats": False, **facts})
    raw = Raw(
        way=0, before=here, behind=here, shift=SHIFT, onward=nothing, missing=(missing,), backward=nothing
    )
    return witnesses_of(raw, here, (), set())


def test_what_was_acknowledged_behind_is_told_in_the_numbers_before() -> None:
    assert witnessed().acked_to == 1500 - SHIFT


def test_an_ack_that_passes_over_holes_says_nothing_of_what_lies_below_it() -> None:
    assert witnessed(is_ctcp=True).acked_to == NEVER


def test_an_ack_behind_that_names_the_end_of_what_is_missing_had_it() -> None:
    assert witnessed().acked_exactly == {1600 - SHIFT}


def test_what_was_asked_for_at_either_place_is_told_in_the_numbers_before() -> None:
    assert witnessed(asks=3).asked_for == {WANTED, WANTED - SHIFT}


@pytest.mark.parametrize(
    ("repeats", "is_ctcp", "expected"),
    [(True, False, True), (False, False, False), (True, True, False), (False, True, False)],
)
def test_only_a_sender_that_repeats_and_speaks_no_ctcp_sent_it_again(
    repeats: bool, is_ctcp: bool, expected: bool
) -> None:
    """Copies of IPsec over TCP are the network's."""
    assert witnessed(repeats=repeats, is_ctcp=is_ctcp).is_sent_again is expected
