"""Wholeness: whether the capture itself lacks something that could have told otherwise.

Knows what shows that it does.  Does not know which verdicts rest on what is absent: see verdict.
"""

from __future__ import annotations

from itertools import product
from typing import Final

from ctcp_forensics._kernel.rows import HoleRow
from ctcp_forensics.case import Case
from ctcp_forensics.claims.identity import times_again
from ctcp_forensics.claims.words import FAILS, HOLDS, TORN, count, way
from ctcp_forensics.episodes import DUP_THRESH, Hole
from ctcp_forensics.evidence import Answer, claim
from ctcp_forensics.flows import Direction

PAUSE_MESSAGES: Final = 3
"""So many messages missing of either direction at one place are no chance."""
PASSED_HOLES: Final = 3
"""So many holes that an ACK passed over before anything was asked for: a TCP that asks would have asked for each."""
TWICE_SEGMENTS: Final = 10
TWICE_SHARE: Final = 10
"""One in ten or more is here twice, and one in ten or more once: a mirror doubles all that it shows."""


@claim(
    would_refute="a drop counter above zero, damage in the savefile, or IP fragments without the rest of their packets",
    settled_by="a capture of one place, without drops, with all its files, filtered by hosts: later IP fragments have "
    "no ports",
)
def the_capture_is_whole(case: Case) -> Answer:
    """The capture itself lost nothing that could have told otherwise, such as the answer."""
    found = (
        what_it_admits(case)
        or a_pause(case)
        or acknowledged_unseen(case)
        or holes_passed_unasked(case)
        or a_question_passed_unanswered(case)
        or doubled_in_part(case)
        or evidence_let_go(case)
    )
    return found or (HOLDS, "no drop counter is above zero and the savefile is whole")


def what_it_admits(case: Case) -> Answer | None:
    around = case.surroundings
    if around.dropped_frames:
        dropped = count(around.dropped_frames, "dropped frame")
        return FAILS, f"the capturing host admits {dropped}; one may be what is missing here"
    if around.is_damaged:
        return FAILS, "the savefile is damaged; what it lost is not known"
    if case.is_torn:
        return FAILS, f"{TORN}: what is missing may be missing from this capture alone"
    return None


def a_pause(case: Case) -> Answer | None:
    paused = where_it_paused(case)
    if paused is None:
        return None
    before, behind = paused
    because = (
        f"between {case.frame(before)} and {case.frame(behind)} both directions lack several messages at once: the "
        "capture itself stood still there, or one of its files is missing"
    )
    return FAILS, because, paused


def where_it_paused(case: Case) -> tuple[int, int] | None:
    """Frames around a place at which both directions lack messages.

    What is lost on a link to one side of a capture comes by on the other, so that its two directions do not fall
    silent together.
    """
    if any(direction.row.esp_missing < PAUSE_MESSAGES for direction in case.flow.directions):
        return None
    bursts = [bursts_in(direction) for direction in case.flow.directions]
    for one, other in product(*bursts):
        before, behind = max(one.before_frame, other.before_frame), min(one.opened_frame, other.opened_frame)
        if before < behind:
            return before, behind
    return None


def bursts_in(direction: Direction) -> list[HoleRow]:
    """Holes of so many messages: by their ESP numbers, or, where a bare ACK showed them, by their length."""
    least = (PAUSE_MESSAGES - 1) * direction.row.max_payload_len
    return [
        one.row for one in direction.unfilled if one.row.esp_missing >= PAUSE_MESSAGES or one.length > least
    ]


def acknowledged_unseen(case: Case) -> Answer | None:
    """Who acknowledges more than this capture has seen has had it: what the network loses nobody acknowledges first."""
    unseen = [hole for direction in case.flow.directions for hole in direction.unfilled if was_had(hole)]
    if is_no_matter(case, unseen):
        return None
    because = (
        f"{count(len(unseen), 'ACK')} for bytes that this capture had not seen and never shows: they passed, and it "
        "missed them, for want of room or by a filter"
    )
    return FAILS, because, [hole.row.acked_frame for hole in unseen[:PASSED_HOLES]]


def is_no_matter(case: Case, unseen: list[Hole]) -> bool:
    """A message or two that the capture missed before anything was asked for are no answer to that."""
    if case.episode is None:
        return not unseen
    asked = case.episode.row.first_frame
    return len(unseen) < PASSED_HOLES and all(hole.row.opened_frame < asked for hole in unseen)


def was_had(hole: Hole) -> bool:
    """The ACK itself showed it: no later segment was there that a receiver could have acknowledged over it."""
    return hole.row.acked_frame == hole.row.opened_frame


def holes_passed_unasked(case: Case) -> Answer | None:
    passed = passed_unasked(case)
    if len(passed) < PASSED_HOLES:
        return None
    because = (
        f"before the question ACKs passed over {count(len(passed), 'hole')} without asking: this capture lacks "
        "what the receiver had, or the receiver is none that asks for what it lacks"
    )
    return FAILS, because, sorted(set(passed))[:PASSED_HOLES]


def passed_unasked(case: Case) -> list[int]:
    """ACKs that passed over a hole of this capture before the question that was left open."""
    if case.direction is None or case.episode is None:
        return []
    first_asked = case.episode.row.first_ns
    passed = [one.row for one in case.direction.unfilled if one.is_acked_past]
    return [row.acked_frame for row in passed if row.acked_ns < first_asked]


def a_question_passed_unanswered(case: Case) -> Answer | None:
    """Who asked, and went on all the same, had an answer out of sight, or does not wait for one."""
    if case.direction is None or case.episode is None:
        return None
    for one in case.direction.episodes:
        row = one.row
        if one.is_passed and not one.is_answered and min(one.asks, row.prompted) >= DUP_THRESH:
            passed = case.frame(row.passed_frame)
            because = (
                f"{count(one.asks, 'duplicate ACK')} asked for byte {one.wanted_seq} before, and {passed} goes on "
                "without an answer: it passed unseen, or whoever asks does not wait for one"
            )
            return FAILS, because, [row.first_frame, row.passed_frame]
    return None


def doubled_in_part(case: Case) -> Answer | None:
    doubled = next(filter(is_doubled_in_part, case.flow.directions), None)
    return (FAILS, doubled_sentence(doubled)) if doubled is not None and case.may_be_ctcp else None


def is_doubled_in_part(direction: Direction) -> bool:
    """As in two places that were merged into one file, of which one shows no more what was lost before it."""
    twice = times_repeated(direction)
    once = direction.row.frames - 2 * twice
    return twice >= TWICE_SEGMENTS and min(twice, once) * TWICE_SHARE >= twice + once


def times_repeated(direction: Direction) -> int:
    """Copies are known by their IP IDs; where there are none, IPsec over TCP sends nothing again all the same."""
    return direction.row.copies + times_again(direction)


def doubled_sentence(direction: Direction) -> str:
    twice = times_repeated(direction)
    return (
        f"{way(direction)}: {count(twice, 'segment')} of {direction.row.frames - twice} are here twice and the others "
        "once: where two places are in one capture, what is here once was lost between them"
    )


def evidence_let_go(case: Case) -> Answer | None:
    if not case.surroundings.times_bared:
        return None
    times = count(case.surroundings.times_bared, "time")
    return FAILS, f"evidence was let go {times}, for want of room; some may be missing here"
