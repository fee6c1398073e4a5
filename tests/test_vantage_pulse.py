"""Pulses: whether a capture shows a frame between two times, held against a list of all its frames.

Both kernels keep the same silences; what they let go of is never taken for a frame.
"""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcp_forensics._kernel.caps import SET_BACK_NS, SILENCES_KEPT
from ctcp_forensics._kernel.plain_track import pulse as plain_pulse
from ctcp_forensics._kernel.rows import NEVER, Packet, PulseRow
from ctcp_forensics.surroundings import NO_PULSE
from ctcp_forensics.vantage.pulse import shows_a_frame, was_running
from tests.kernels import each_kernel
from tests.test_track import tracked

SECOND = 1_000_000_000
TIMES = st.lists(st.integers(0, 40), min_size=1, max_size=30)


def other_frame(number: int, time_ns: int) -> Packet:
    """Of somebody else, and no TCP."""
    fields: dict[str, Any] = dict.fromkeys(Packet._fields, 0)
    return Packet(**fields | {"frame": number, "time_ns": time_ns, "status": 1})


def pulse_of(kernel: Any, times: list[int]) -> PulseRow:
    row: PulseRow = tracked(
        kernel, [other_frame(at + 1, time_ns) for at, time_ns in enumerate(times)]
    ).pulse()
    return row


def steps_since_set_back(times: list[int]) -> list[int]:
    """Frames later than all before them, since the clock was last set back; those that came late tell no silence."""
    steps: list[int] = []
    for time_ns in times:
        if steps and time_ns < steps[-1] - SET_BACK_NS:
            steps = []
        if not steps or time_ns > steps[-1]:
            steps.append(time_ns)
    return steps


@each_kernel
@settings(max_examples=60, deadline=None)
@given(halves=TIMES)
def test_the_silences_are_the_times_between_neighbours_since_the_clock_was_set_back(
    kernel: Any, halves: list[int]
) -> None:
    times = [half * SECOND // 2 for half in halves]
    steps = steps_since_set_back(times)
    assert pulse_of(kernel, times) == PulseRow(steps[0], steps[-1], tuple(pairwise(steps)), 0)


@settings(max_examples=200, deadline=None)
@given(
    times=st.lists(st.integers(0, 60), min_size=1, max_size=12),
    after=st.integers(0, 60),
    by=st.integers(0, 60),
)
def test_a_frame_is_shown_where_one_is_strictly_between(times: list[int], after: int, by: int) -> None:
    frames = sorted(set(times))
    row = pulse_by_hand(frames)
    is_between = any(after < time_ns < after + by for time_ns in frames)
    assert shows_a_frame(row, after, after + by) == (is_between and frames[0] <= after)
    assert was_running(row, after, after + by) == (frames[0] <= after and after + by <= frames[-1])


def pulse_by_hand(frames: list[int]) -> PulseRow:
    return PulseRow(frames[0], frames[-1], tuple(pairwise(frames)), 0)


@settings(max_examples=100, deadline=None)
@given(
    times=st.lists(st.integers(0, 200), min_size=2, max_size=40),
    kept=st.integers(1, 5),
    after=st.integers(0, 200),
    by=st.integers(0, 60),
)
def test_silences_that_were_let_go_are_never_taken_for_frames(
    times: list[int], kept: int, after: int, by: int
) -> None:
    frames = sorted(set(times))
    pulse = plain_pulse.Pulse()
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(plain_pulse, "SILENCES_KEPT", kept)
        for time_ns in frames:
            pulse.take(time_ns)
    if shows_a_frame(pulse.row(), after, after + by):
        assert any(after < time_ns < after + by for time_ns in frames)


@each_kernel
def test_the_longest_silences_are_kept_and_the_longest_of_the_others_is_told(kernel: Any) -> None:
    chance = random.Random(8)
    lengths = [chance.randrange(1, 5_000) for _ in range(3 * SILENCES_KEPT)]
    times = [0]
    for length in lengths:
        times.append(times[-1] + length)
    row = pulse_of(kernel, times)
    longest = sorted(zip(lengths, times, strict=False))[-SILENCES_KEPT:]
    assert row.silences == tuple(sorted((at, at + length) for length, at in longest))
    assert row.unlisted_ns == sorted(lengths)[-SILENCES_KEPT - 1]


@each_kernel
def test_late_frames_and_those_at_one_time_change_nothing_where_every_place_is_taken(kernel: Any) -> None:
    chance = random.Random(9)
    times = [10 * SET_BACK_NS]
    for turn in range(6 * SILENCES_KEPT):
        times.append(times[-1] + chance.choice((0, 0, -3, *range(1, 400))))
        if turn == 3 * SILENCES_KEPT:
            times.append(-5)  # set back, to before the epoch
    steps = steps_since_set_back(times)
    silences = sorted((until - since, since) for since, until in pairwise(steps))
    row = pulse_of(kernel, times)
    assert (row.since_ns, row.until_ns) == (-5, steps[-1])
    assert row.silences == tuple(sorted((at, at + length) for length, at in silences[-SILENCES_KEPT:]))
    assert row.unlisted_ns == silences[-SILENCES_KEPT - 1][0]


@each_kernel
def test_without_a_frame_there_is_no_pulse(kernel: Any) -> None:
    assert tracked(kernel, []).pulse() == NO_PULSE
    assert not shows_a_frame(NO_PULSE, 0, 10)
    assert not was_running(NO_PULSE, NEVER, NEVER)
