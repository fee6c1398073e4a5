"""Thresholds: what reaches one is beyond it, what misses it by one is not.

Stories tell what is far from a threshold; here the numbers of their flows are put at it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from ctcp_forensics import claims
from ctcp_forensics.case import Case
from ctcp_forensics.claims import death, endings, identity, proof, silences, stall, wholeness
from ctcp_forensics.episodes import DUP_THRESH, Episode
from ctcp_forensics.evidence import Answer, Claim, Outcome
from ctcp_forensics.flows import SPLICED_NS, Direction, EndingKind, Flow
from ctcp_forensics.verdict.weighing import ask_the_same, was_there
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


# --- a capture that lacks something itself --------------------------------------------------------

PAUSED = (
    "tunnel",
    """
C > S  +100  missed
C > S  +100  missed
C > S  +100  missed
S > C  +100  missed
S > C  +100  missed
S > C  +100  missed
C > S  +100  ack 1001
S > C  +100
+60s  other
""",
)


@pytest.mark.parametrize(("missing", "is_a_pause"), [(0, True), (-1, False)])
def test_three_messages_missing_of_each_direction_are_a_pause(missing: int, is_a_pause: bool) -> None:
    few = {"esp_missing": wholeness.PAUSE_MESSAGES + missing}
    case = with_numbers(case_of(*PAUSED), Numbers(to_headend=few, to_client=few))
    assert (wholeness.where_it_paused(case) is not None) is is_a_pause


@pytest.mark.parametrize(("before", "expected"), [(19, (19, 20)), (20, None)])
def test_what_is_missing_of_both_directions_one_after_the_other_is_no_pause(
    before: int, expected: tuple[int, int] | None
) -> None:
    flow = case_of(*PAUSED).flow
    there = with_hole(flow.to_headend, before_frame=10, opened_frame=20)
    back = with_hole(flow.to_client, before_frame=before, opened_frame=30)
    case = replace(case_of(*PAUSED), flow=replace(flow, to_headend=there, to_client=back))
    assert wholeness.where_it_paused(case) == expected


def with_hole(direction: Direction, **rows: int) -> Direction:
    """Its only hole, with other numbers."""
    (hole,) = direction.holes
    return replace(direction, holes=(replace(hole, row=hole.row._replace(**rows)),))


@pytest.mark.parametrize(("missing", "is_a_burst"), [(0, True), (-1, False)])
def test_three_numbers_skipped_at_one_place_are_a_burst(missing: int, is_a_burst: bool) -> None:
    """Where so many bytes would do as well, the hole is made too short for that."""
    direction = case_of(*PAUSED).flow.to_headend
    end_pos = direction.holes[0].row.start_pos + 1
    skipping = with_hole(direction, esp_missing=wholeness.PAUSE_MESSAGES + missing, end_pos=end_pos)
    assert bool(wholeness.bursts_in(skipping)) is is_a_burst


@pytest.mark.parametrize(("more_bytes", "is_a_burst"), [(1, True), (0, False)])
def test_bytes_that_two_messages_cannot_fill_are_a_burst(more_bytes: int, is_a_burst: bool) -> None:
    """Of a hole that a bare ACK showed no ESP number is known."""
    direction = case_of(*PAUSED).flow.to_headend
    least = (wholeness.PAUSE_MESSAGES - 1) * direction.row.max_payload_len
    end_pos = direction.holes[0].row.start_pos + least + more_bytes
    assert bool(wholeness.bursts_in(with_hole(direction, esp_missing=0, end_pos=end_pos))) is is_a_burst


@pytest.mark.parametrize(
    ("copies", "frames", "is_told"),
    [
        (10, 30, True),
        (9, 27, False),  # too few of them are here twice
        (10, 110, True),  # one in ten is here twice: 10 of 100
        (10, 111, False),
        (90, 190, True),  # one in ten is here once: 10 of 100
        (90, 189, False),
    ],
)
def test_one_in_ten_twice_and_one_in_ten_once_are_two_places(copies: int, frames: int, is_told: bool) -> None:
    direction = direction_with(case_of(*FAILURE).flow.to_headend, {"copies": copies, "frames": frames})
    assert wholeness.is_doubled_in_part(direction) is is_told


@pytest.mark.parametrize(("edge_repeats", "expected"), [(0, 12), (1, 12), (2, 11), (12, 1)])
def test_one_segment_that_is_sent_again_and_again_is_here_again_once(
    edge_repeats: int, expected: int
) -> None:
    direction = direction_with(case_of(*FAILURE).flow.to_headend, {"retransmissions": 12})
    assert identity.times_again(replace(direction, edge_repeats=edge_repeats)) == expected


@pytest.mark.parametrize(("strays", "is_told"), [(40, True), (39, False)])
def test_forty_of_a_hundred_are_much(strays: int, is_told: bool) -> None:
    far = {"frames": 100, "strays": strays}
    case = with_numbers(case_of(*FAILURE), Numbers(to_headend=far, to_client=far))
    assert (identity.numbered_twice(case.flow) is not None) is is_told


def test_of_two_numberings_each_direction_shows_its_share() -> None:
    """One direction alone lies far from its numbers where its own end jumped; and both are counted together."""
    far, near = {"frames": 100, "strays": 60}, {"frames": 100, "strays": 0}
    told_of_one = with_numbers(case_of(*FAILURE), Numbers(to_headend=far, to_client=near))
    assert identity.numbered_twice(told_of_one.flow) is None
    both = with_numbers(
        case_of(*FAILURE),
        Numbers(flow={"frames": 200}, to_headend=far, to_client={"frames": 100, "strays": 45}),
    )
    found = identity.numbered_twice(both.flow)
    assert found is not None
    assert found[1].startswith("105 of 200 segments lie far from the numbers of the others")


@pytest.mark.parametrize(
    ("second_first", "expected"), [(1, Outcome.HOLDS), (0, Outcome.FAILS), (-1, Outcome.FAILS)]
)
def test_directions_stand_apart_where_one_begins_behind_the_others_last_frame(
    second_first: int, expected: Outcome
) -> None:
    case = case_of(*FAILURE)
    sent = case.flow.to_headend.row
    behind = {
        "first_frame": sent.last_frame + second_first,
        "first_ns": sent.last_ns - 2 * identity.APART_NS,
    }
    numbers = Numbers(to_client=behind, to_headend={"first_frame": 1})
    assert outcome(claims.the_directions_stand_apart, case, numbers) is expected


# --- who asked, who left, who was content -----------------------------------------------------------


def test_an_rst_long_after_a_silence_does_not_unsay_what_broke_it() -> None:
    """Who speaks again, waits in vain and gives up has asked for an answer; an RST that breaks the silence has not."""
    case, claim = case_of(*NO_ANSWER), claims.it_did_not_survive_a_silence
    broke_it = case.flow.row.silence_to_frame
    assert outcome(claim, case, Numbers(to_headend={"rst_frame": broke_it})) is Outcome.FAILS
    gave_up = {"rst_frame": broke_it + 3, "rst_ns": case.flow.row.last_ns}
    assert outcome(claim, case, Numbers(to_headend=gave_up)) is Outcome.HOLDS


A_MINUTE = 60 * 10**9


def leaving(case: Case, *, at_ns: int, peer: Rows, sender: Rows, asked_by_sender: int) -> bool:
    """Whether the client's peer left first, where the client closes with an RST at that time."""
    numbers = Numbers(
        to_client={"last_ike_exchange": death.IKE_INFORMATIONAL, **peer},
        to_headend={"rst_frame": case.flow.row.last_frame, "rst_ns": at_ns, **sender},
        question={"sender_ike": asked_by_sender, "peer_ike": 3},
    )
    flow = with_numbers(case, numbers).flow
    ending = replace(
        case.flow.ending,
        kind=EndingKind.RST,
        frame=case.flow.row.last_frame,
        at_ns=at_ns,
        direction=flow.to_headend.name,
    )
    closed = replace(case, flow=replace(flow, ending=ending))
    return death.left_first(closed, closed.flow.to_client, question_of(closed))


@pytest.mark.parametrize(
    ("said_ns", "repeats", "sender_ns", "asked_by_sender", "expected"),
    [
        (death.GOODBYE_NS, 0, -1, 3, True),  # half a second before the close: a farewell
        (death.GOODBYE_NS + 1, 0, -1, 3, False),
        (-death.GOODBYE_NS, 0, A_MINUTE, 3, True),  # overtaken by the close
        (-death.GOODBYE_NS - 1, 0, A_MINUTE, 3, False),
        (-death.GOODBYE_NS - 1, 1, A_MINUTE, 2, True),  # sent again by a proxy, however late
        (death.GOODBYE_NS + 1, 1, -1, 3, False),  # what was repeated earlier says nothing of the close
        (0, 1, -1, 2, True),
        (0, 1, -1, 3, False),  # it was asked twice: what a proxy sent again asks for nothing
        (death.GOODBYE_NS - 1, 0, death.GOODBYE_NS, 3, False),  # the sender had said it first
        (death.GOODBYE_NS - 1, 0, death.GOODBYE_NS + 1, 3, True),  # that was another talk
        (death.GOODBYE_NS, 0, death.GOODBYE_NS, 3, True),  # at once: nobody was first
        (death.GOODBYE_NS, 0, -1, 4, False),  # one more than it was asked for: its own farewell
    ],
)
def test_who_only_followed_a_farewell_did_not_leave_first(
    said_ns: int, repeats: int, sender_ns: int, asked_by_sender: int, expected: bool
) -> None:
    """`said_ns` and `sender_ns`: how long before the close the peer and the sender spoke IKE last."""
    case = case_of(*FAILURE)
    at_ns = case.flow.row.last_ns
    peer = {"last_ike_ns": at_ns - said_ns, "ike_repeats": repeats}
    sender = {"last_ike_ns": at_ns - sender_ns}
    assert leaving(case, at_ns=at_ns, peer=peer, sender=sender, asked_by_sender=asked_by_sender) is expected


@pytest.mark.parametrize(("late_ns", "is_content"), [(0, True), (-1, False)])
def test_who_says_nothing_of_quick_modes_answer_for_five_seconds_is_content(
    late_ns: int, is_content: bool
) -> None:
    case = case_of(*NO_ESP)
    answered_ns = case.flow.row.last_ns
    asked = {"last_ike_exchange": death.IKE_INFORMATIONAL, "last_ike_frame": case.flow.row.last_frame + 1}
    asked_later = {**asked, "last_ike_ns": answered_ns + silences.REPLY_NS + late_ns}
    answered = {"last_ike_exchange": endings.IKE_QUICK_MODE, "last_ike_ns": answered_ns}
    completed = with_numbers(case, Numbers(to_headend=asked_later, to_client=answered))
    assert endings.quick_mode_was_completed(completed) is is_content


@pytest.mark.parametrize(("late_ns", "may_be_hidden"), [(0, True), (-1, False)])
def test_who_asks_for_signs_of_life_after_a_minute_has_a_tunnel(late_ns: int, may_be_hidden: bool) -> None:
    case = case_of(*NO_ESP)
    told_ns = case.flow.row.first_ns + endings.NEGOTIATION_NS + late_ns
    early = {"last_ike_exchange": death.IKE_INFORMATIONAL, "last_ike_ns": told_ns}
    later = {**early, "last_ike_ns": told_ns + 10}
    talking = with_numbers(case, Numbers(to_headend=early, to_client=later))
    assert (endings.why_esp_may_be_hidden(talking) is not None) is may_be_hidden
    other = with_numbers(case, Numbers(to_headend=later, to_client={**later, "last_ike_exchange": 4}))
    assert endings.why_esp_may_be_hidden(other) is None


# --- how long somebody waited before a close ------------------------------------------------------

CLOSED_ALONE = (
    "tunnel",
    """
S > C  +100
4 times every 2s:
  C > S  +100
C > S  F.
+60s  other
""",
)


@pytest.mark.parametrize(
    ("waited_ns", "expected"),
    [
        (silences.REPLY_NS - 1, Outcome.HOLDS),
        (silences.REPLY_NS, Outcome.UNKNOWN),
        (silences.VANISHED_NS - 1, Outcome.UNKNOWN),
        (silences.VANISHED_NS, Outcome.FAILS),
    ],
)
def test_who_closes_may_have_waited_for_less_than_five_seconds(waited_ns: int, expected: Outcome) -> None:
    case = case_of(*CLOSED_ALONE)
    began_ns = case.flow.ending.at_ns - waited_ns
    numbers = Numbers(flow={"data_tail_first_ns": began_ns}, to_client={"data_last_ns": began_ns})
    assert outcome(claims.nobody_waited_when_it_closed, case, numbers) is expected


@pytest.mark.parametrize(
    ("stuck_ns", "expected"), [(stall.STUCK_NS, Outcome.UNKNOWN), (stall.STUCK_NS - 1, Outcome.HOLDS)]
)
def test_an_ack_that_stands_still_for_four_seconds_may_be_asking_out_of_sight(
    stuck_ns: int, expected: Outcome
) -> None:
    data_alone = """
C > S  5001:5101
S > C  7001:7101
5 times every 1s:
  C > S  +100
  S > C  +100  ack 5101
"""
    case = case_of("", data_alone)
    numbers = Numbers(to_headend={"acked_ns": case.flow.to_headend.row.data_last_ns - stuck_ns})
    assert outcome(claims.a_question_would_be_seen, case, numbers) is expected


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


def pairs_of_one_question() -> list[tuple[Case, Case]]:
    """Two places of one connection that show the same question, each in its own numbers."""
    return [
        (one, other)
        for name in path_stories()
        for told_ in together(followed_of(name)).connections
        for one, other in permutations(told_.cases, 2)
        if ask_the_same(one, other)
    ]


def asking_elsewhere(case: Case, by: int) -> Case:
    """The same place, whose open question is for a byte further on."""
    question, asked = question_of(case), case.direction
    assert asked is not None
    moved = replace(question, row=question.row._replace(wanted_pos=question.row.wanted_pos + by))
    direction = replace(asked, episodes=(*asked.episodes[:-1], moved))
    name = "to_headend" if asked.name == case.flow.to_headend.name else "to_client"
    return replace(case, flow=replace(case.flow, **{name: direction}))


def test_two_places_ask_the_same_where_both_want_one_byte_of_one_direction() -> None:
    pairs = pairs_of_one_question()
    assert pairs
    for one, other in pairs:
        assert was_there(one, other)
        assert ask_the_same(one, asking_elsewhere(other, 0))
        assert not ask_the_same(one, asking_elsewhere(other, 1))
        assert not ask_the_same(asking_elsewhere(one, 1), other)


def test_a_case_by_itself_has_no_other_place_that_was_there() -> None:
    one, other = pairs_of_one_question()[0]
    alone = replace(one, connection=None)
    assert not ask_the_same(alone, other)
    assert not was_there(alone, other)
