"""Thresholds: what reaches one is beyond it, what misses it by one is not.

Stories tell what is far from a threshold; here the numbers of their flows are put at it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from msgspec.structs import replace

from ctcp_forensics import claims
from ctcp_forensics.case import Case
from ctcp_forensics.claims import identity, proof, silences, stall
from ctcp_forensics.episodes import DUP_THRESH, Episode
from ctcp_forensics.evidence import Answer, Claim, Outcome
from ctcp_forensics.flows import SPLICED_NS, Direction, Flow
from tests.judged import judged_rows, together
from tests.test_path_stories import followed_of, path_stories
from tests.test_stories import OPENINGS
from tests.wire import told

FAILURE = (
    "tunnel",
    """
C > S  +100  lost
8 times every 2s:
  C > S  +100
  S > C  ack 1001  by F
+20s  other
""",
)
LEFT_ALONE = (
    "tunnel",
    """
C > S  +100
+1s
8 times every 2s:
  C > S  +100
+60s  other
""",
)
NO_ANSWER = (
    "tunnel",
    """
+70s
3 times every 3s:
  C > S  +100
+60s  other
""",
)
NO_SYN_ACK = (
    "",
    """
C > S  S 0
+60s  other
""",
)
NO_ESP = (
    "handshake",
    """
C > S  +200  ike 4  opens
S > C  +300  ike 4
+60s  other
""",
)
CLOSED_WINDOW = (
    "tunnel",
    """
S > C  win 0
S > C  win 0
C > S  1001:1101
C > S  1101:1201
+60s  other
""",
)

Rows = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """What is put into the rows of a flow; the rest of it stays as it was told."""

    flow: Rows = field(default_factory=dict)
    to_headend: Rows = field(default_factory=dict)
    to_client: Rows = field(default_factory=dict)
    question: Rows = field(default_factory=dict)
    """Into the last one of the client's data."""
    last_ns: int | None = None
    """Of the capture."""


@cache
def case_of(opening: str, story: str) -> Case:
    (flow,) = judged_rows(told(OPENINGS.get(opening, "") + story.lstrip("\n")))
    return flow.case


def with_numbers(case: Case, numbers: Numbers) -> Case:
    around = case.surroundings
    if numbers.last_ns is not None:
        around = replace(around, last_ns=numbers.last_ns)
    return replace(case, flow=flow_with(case.flow, numbers), surroundings=around)


def flow_with(flow: Flow, numbers: Numbers) -> Flow:
    asked = direction_with(flow.to_headend, numbers.to_headend)
    if numbers.question:
        *others, last = asked.episodes
        last = replace(last, row=last.row._replace(**numbers.question))
        asked = replace(asked, episodes=(*others, last))
    return replace(
        flow,
        row=flow.row._replace(**numbers.flow),
        to_headend=asked,
        to_client=direction_with(flow.to_client, numbers.to_client),
    )


def direction_with(direction: Direction, rows: Rows) -> Direction:
    return replace(direction, row=direction.row._replace(**rows))


def outcome(claim: Claim, case: Case, numbers: Numbers) -> Outcome:
    return claim.answer(with_numbers(case, numbers))[0]


# --- one number at its threshold ------------------------------------------------------------------


def silent_for(silence_ns: int) -> Numbers:
    return Numbers(flow={"longest_silence_ns": silence_ns})


def test_a_silence_of_a_minute_is_long() -> None:
    case, claim = case_of(*NO_ANSWER), claims.it_did_not_survive_a_silence
    assert outcome(claim, case, silent_for(silences.IDLE_NS)) is Outcome.HOLDS
    assert outcome(claim, case, silent_for(silences.IDLE_NS - 1)) is Outcome.FAILS


def test_a_silence_of_a_year_is_a_jump_of_the_clock() -> None:
    case, claim = case_of(*NO_ANSWER), claims.it_did_not_survive_a_silence
    assert outcome(claim, case, silent_for(SPLICED_NS)) is Outcome.UNKNOWN
    assert outcome(claim, case, silent_for(SPLICED_NS - 1)) is Outcome.HOLDS


def test_who_goes_on_alone_for_ten_seconds_is_left_alone() -> None:
    case = case_of(*LEFT_ALONE)
    last_ns = case.flow.to_headend.row.last_ns

    def alone_for(alone_ns: int) -> Case:
        return with_numbers(case, Numbers(flow={"tail_first_ns": last_ns - alone_ns}))

    assert silences.frames_without_reply(alone_for(silences.VANISHED_NS)) is not None
    assert silences.frames_without_reply(alone_for(silences.VANISHED_NS - 1)) is None


def test_a_syn_has_five_seconds_for_its_answer() -> None:
    case, claim = case_of(*NO_SYN_ACK), claims.the_handshake_failed
    first_ns = case.flow.row.first_ns
    assert outcome(claim, case, Numbers(last_ns=first_ns + silences.REPLY_NS)) is Outcome.HOLDS
    assert outcome(claim, case, Numbers(last_ns=first_ns + silences.REPLY_NS - 1)) is Outcome.UNKNOWN


@pytest.mark.parametrize(("late_ns", "expected"), [(0, Outcome.HOLDS), (-1, Outcome.UNKNOWN)])
def test_who_begins_anew_within_five_seconds_has_not_waited_for_ike(late_ns: int, expected: Outcome) -> None:
    case = case_of(*NO_ESP)
    begins_ns = case.flow.row.last_ns + silences.REPLY_NS + late_ns
    follower = flow_with(case.flow, Numbers(flow={"first_ns": begins_ns}))
    assert claims.ike_never_completed.answer(replace(case, reopened_by=follower))[0] is expected


@pytest.mark.parametrize(
    ("after_ns", "expected"),
    [
        (stall.OUTLAST_NS - 1, Outcome.UNKNOWN),
        (stall.OUTLAST_NS, Outcome.HOLDS),
        (SPLICED_NS - 1, Outcome.HOLDS),
        (SPLICED_NS, Outcome.UNKNOWN),
    ],
)
def test_a_capture_outlasts_a_stall_by_ten_seconds_and_less_than_a_year(
    after_ns: int, expected: Outcome
) -> None:
    case = case_of(*FAILURE)
    asked_ns = question_of(case).row.first_ns
    assert (
        outcome(claims.the_capture_outlasts_the_stall, case, Numbers(last_ns=asked_ns + after_ns)) is expected
    )


@pytest.mark.parametrize(("more_ns", "expected"), [(0, Outcome.UNKNOWN), (-1, Outcome.HOLDS)])
def test_what_is_asked_for_no_more_in_ten_seconds_of_data_is_not_heard_to_the_end(
    more_ns: int, expected: Outcome
) -> None:
    case = case_of(*FAILURE)
    new_last_ns = question_of(case).row.last_asked_ns + stall.NOTHING_BACK_NS + more_ns
    numbers = Numbers(question={"new_last_ns": new_last_ns})
    assert outcome(claims.the_asking_is_heard_to_the_end, case, numbers) is expected


@pytest.mark.parametrize(("more_ns", "expected"), [(0, Outcome.UNKNOWN), (-1, Outcome.HOLDS)])
def test_who_hears_nothing_for_ten_seconds_may_have_been_asked_elsewhere(
    more_ns: int, expected: Outcome
) -> None:
    case = case_of(*FAILURE)
    alone = {
        "tail_direction": case.flow.client_side,
        "tail_data_segments": stall.NEW_SEGMENTS,
        "tail_first_ns": case.flow.to_headend.row.last_ns - stall.NOTHING_BACK_NS - more_ns,
    }
    assert outcome(claims.the_asking_is_heard_to_the_end, case, Numbers(flow=alone)) is expected


@pytest.mark.parametrize(("more_ns", "expected"), [(0, Outcome.HOLDS), (-1, Outcome.FAILS)])
def test_directions_that_overlap_by_a_second_stand_apart(more_ns: int, expected: Outcome) -> None:
    case = case_of(*FAILURE)
    sent = case.flow.to_headend.row
    behind = {
        "first_frame": sent.last_frame + 1,
        "first_ns": sent.last_ns - identity.APART_NS - more_ns,
    }
    assert outcome(claims.the_directions_stand_apart, case, Numbers(to_client=behind)) is expected


@pytest.mark.parametrize(("zero_windows", "expected"), [(2, Outcome.HOLDS), (1, Outcome.FAILS)])
def test_a_window_that_is_zero_once_may_be_on_its_way_to_open(zero_windows: int, expected: Outcome) -> None:
    numbers = Numbers(to_client={"zero_windows": zero_windows})
    assert outcome(claims.the_window_stayed_closed, case_of(*CLOSED_WINDOW), numbers) is expected


@pytest.mark.parametrize(("frames", "is_told"), [(0, True), (-1, False)])
def test_ten_segments_each_way_are_enough_to_tell_two_numberings(frames: int, is_told: bool) -> None:
    few = {"frames": identity.MIXED_SEGMENTS + frames, "strays": identity.MIXED_SEGMENTS + frames}
    case = with_numbers(case_of(*FAILURE), Numbers(to_headend=few, to_client=few))
    assert (identity.numbered_twice(case.flow) is not None) is is_told


@pytest.mark.parametrize(
    ("longest", "mss", "merged", "expected"),
    [
        (9000, 1300, 1, 1300),  # a card put them together: the receiver's MSS bounds them
        (9000, -1, 1, proof.ETHERNET_SEGMENT_LEN),  # no SYN was seen: Ethernet does
        (9000, 1300, 0, 1300),
        (9000, -1, 0, 9000),
        (1461, 1300, 0, 1300),
        (1460, 1300, 0, 1460),  # it fits into a frame: a sender who heeds no MSS
        (1200, 1300, 1, 1200),
    ],
)
def test_what_went_over_a_wire_is_as_large_as_its_mss_or_ethernet_allows(
    longest: int, mss: int, merged: int, expected: int
) -> None:
    numbers = Numbers(
        to_headend={"max_payload_len": longest, "merged_segments": merged}, to_client={"mss": mss}
    )
    flow = flow_with(case_of(*FAILURE).flow, numbers)
    assert proof.largest_segment_len(flow, flow.to_headend) == expected


def test_messages_without_an_answer_are_those_of_ipsec() -> None:
    alone = "tunnel", LEFT_ALONE[1].replace("C > S  +100\n+60s", "C > S  +100\n  S > C  ack 1001\n+60s")
    case = case_of(*alone)
    assert silences.messages_without_reply(case) is not None
    other = replace(case, encapsulation=replace(case.encapsulation, kind="none"))
    assert not other.may_be_ctcp
    assert silences.messages_without_reply(other) is None


def question_of(case: Case) -> Episode:
    assert case.episode is not None
    return case.episode


# --- ACKs in lumps and in bursts --------------------------------------------------------------------


def asked(**numbers: Any) -> Episode:
    question = question_of(case_of(*FAILURE))
    return replace(question, row=question.row._replace(**numbers))


def test_a_quarter_of_all_are_lumps() -> None:
    enough = proof.LUMPED_SHARE * DUP_THRESH
    assert proof.comes_in_lumps(asked(close_asks=DUP_THRESH, duplicate_acks=enough))
    assert not proof.comes_in_lumps(asked(close_asks=DUP_THRESH, duplicate_acks=enough + 1))
    assert not proof.comes_in_lumps(asked(close_asks=DUP_THRESH - 1, duplicate_acks=DUP_THRESH))


@pytest.mark.parametrize(
    ("prompted", "expected"), [(DUP_THRESH, Outcome.HOLDS), (DUP_THRESH - 1, Outcome.UNKNOWN)]
)
def test_three_that_data_prompted_among_a_burst_follow_the_data(prompted: int, expected: Outcome) -> None:
    numbers = Numbers(
        question={"prompted": prompted, "duplicate_acks": 8, "new_segments": 8, "close_asks": 0}
    )
    assert outcome(claims.the_asking_follows_the_data, case_of(*FAILURE), numbers) is expected


# --- what another capture settles -------------------------------------------------------------------


def cases_of_paths() -> list[Case]:
    return [
        case
        for name in path_stories()
        for told_ in together(followed_of(name)).connections
        for case in told_.cases
    ]


@pytest.mark.parametrize(
    ("claim", "alone"),
    [
        (claims.the_asking_follows_the_data, proof.by_their_rhythm),
        (claims.the_asking_is_heard_to_the_end, stall.by_what_comes_back),
    ],
    ids=lambda one: one.name if isinstance(one, Claim) else "",
)
def test_what_one_capture_leaves_open_is_settled_by_what_passed_behind_and_nothing_else_is(
    claim: Claim, alone: Callable[[Case], Answer]
) -> None:
    settled = 0
    for case in cases_of_paths():
        by_itself = alone(case)
        has_passed = claims.nothing_passed_behind_the_hole.answer(case)[0] is not Outcome.HOLDS
        if by_itself[0] is not Outcome.UNKNOWN or has_passed:
            assert claim.answer(case) == by_itself
        else:
            settled += 1
            assert claim.answer(case)[0] is Outcome.HOLDS
    assert settled
