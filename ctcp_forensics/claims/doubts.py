"""Doubts: what should hold as well before a verdict is called strong."""

from __future__ import annotations

from itertools import product
from typing import Final

from ctcp_forensics._kernel.rows import MID_STREAM, NEVER, HoleRow
from ctcp_forensics.case import Case
from ctcp_forensics.claims.path import the_acks_were_made_in_between
from ctcp_forensics.claims.words import FAILS, HOLDS, NO_QUESTION, TORN, UNKNOWN, count, seconds, way
from ctcp_forensics.evidence import FEWER_AT_ONCE, Answer, claim
from ctcp_forensics.flows import SEQUENCE_SPACE, Direction, EndingKind

PAUSE_MESSAGES: Final = 3
"""So many messages missing of either direction at one place are no chance."""
TWICE_SEGMENTS: Final = 10
TWICE_SHARE: Final = 10
"""One in ten or more is here twice, and one in ten or more once: a mirror doubles all that it shows."""
WRAP_MARGIN: Final = 1 << 16
"""Guard vii: QuickSec compares ACKs as plain numbers, so an ACK may freeze within one window of 2³²."""


@claim(
    would_refute="a wanted byte within 64 KiB of the wrap",
    settled_by="a second failure at another sequence number",
    looks_beyond=True,
)
def away_from_the_wrap(case: Case) -> Answer:
    """The wanted byte is not near the 2³² wrap, where an ACK may freeze by itself (guard vii)."""
    episode = case.episode
    if episode is None:
        return NO_QUESTION
    distance = min(episode.wanted_seq, SEQUENCE_SPACE - episode.wanted_seq)
    if distance < WRAP_MARGIN and the_acks_were_made_in_between.answer(case)[0] == HOLDS:
        return (
            HOLDS,
            f"{distance} bytes from the wrap, but the ACKs are not those of the end that may freeze there",
        )
    if distance < WRAP_MARGIN:
        return FAILS, f"byte {episode.wanted_seq} lies {distance} bytes from the wrap"
    return HOLDS, f"byte {episode.wanted_seq} lies {distance} bytes from the wrap"


@claim(
    would_refute="a capture that ends during the stall, or a client that goes on from another address",
    settled_by="a capture that runs until the connection has been given up",
    takes_time=True,
)
def the_end_was_seen(case: Case) -> Answer:
    """The flow was closed, or fell silent while the capture went on."""
    ending, later = case.flow.ending, case.rebound_to
    if later is not None:
        because = f"{case.frame(later.row.first_frame)} goes on with its SPI from elsewhere"
        return FAILS, f"{because}: how it would have ended here is not seen", [later.row.first_frame]
    if ending.kind == EndingKind.CAPTURE_ENDED:
        return FAILS, ending.because
    needed_in = case.surroundings.place_needed_in
    if needed_in is not None and case.has_esp:
        because = f"{ending.because}; whether its SPI goes on elsewhere was not looked for, since its place was needed"
        return UNKNOWN, because, [needed_in]
    return HOLDS, ending.because, [ending.frame] if ending.frame is not None else []


@claim(
    would_refute="an ACK that never moved from the start",
    settled_by="a capture that begins before the connection",
)
def the_receiver_had_followed(case: Case) -> Answer:
    """Before the stall the ACK had followed the data."""
    direction, episode = case.direction, case.episode
    if direction is None or episode is None:
        return NO_QUESTION
    moved_frame, first_pos = direction.row.acked_frame, 1 if direction.row.isn_known else MID_STREAM
    if (
        episode.row.wanted_pos > first_pos
        and moved_frame != NEVER
        and direction.row.acked_ns <= episode.row.first_ns
    ):
        return what_moved_it(
            case, moved_frame, case.flow.opposite(direction).row.first_frame, episode.wanted_seq
        )
    if not direction.row.isn_known:
        return UNKNOWN, "the capture begins in mid-stream and shows no movement of the ACK"
    return FAILS, "the ACK never moved: the first message itself is the one asked for"


def what_moved_it(case: Case, moved_frame: int, first_frame: int, wanted_seq: int) -> Answer:
    """The first ACK that a capture shows is no movement: where it stood before, nobody saw."""
    if moved_frame == first_frame:
        return (
            UNKNOWN,
            f"{case.frame(first_frame)} is the first ACK here and asks for that byte already",
            [first_frame],
        )
    return HOLDS, f"{case.frame(moved_frame)} was the last to move it, to {wanted_seq}", [moved_frame]


@claim(
    would_refute="a drop counter above zero, damage in the savefile, or IP fragments without the rest of their packets",
    settled_by="a capture of one place, without drops, with all its files, filtered by hosts: later IP fragments have "
    "no ports",
)
def the_capture_is_whole(case: Case) -> Answer:
    """The capture itself lost nothing that could have told otherwise, such as the answer."""
    around = case.surroundings
    if around.dropped_frames:
        dropped = count(around.dropped_frames, "dropped frame")
        return FAILS, f"the capturing host admits {dropped}; one may be what is missing here"
    if around.is_damaged:
        return FAILS, "the savefile is damaged; what it lost is not known"
    if case.is_torn:
        return FAILS, f"{TORN}: what is missing may be missing from this capture alone"
    paused = where_it_paused(case)
    if paused is not None:
        before, behind = paused
        because = (
            f"between {case.frame(before)} and {case.frame(behind)} both directions lack several messages at once: the "
            "capture itself stood still there, or one of its files is missing"
        )
        return FAILS, because, paused
    doubled = next(filter(is_doubled_in_part, case.flow.directions), None)
    if doubled is not None and case.may_be_ctcp:
        return FAILS, doubled_sentence(doubled)
    if around.times_bared:
        times = count(around.times_bared, "time")
        return FAILS, f"evidence was let go {times}, for want of room; some may be missing here"
    return HOLDS, "no drop counter is above zero and the savefile is whole"


def bursts_in(direction: Direction) -> list[HoleRow]:
    """Holes of so many messages: by their ESP numbers, or, where a bare ACK showed them, by their length."""
    least = (PAUSE_MESSAGES - 1) * direction.row.max_payload_len
    return [
        one.row for one in direction.unfilled if one.row.esp_missing >= PAUSE_MESSAGES or one.length > least
    ]


def is_doubled_in_part(direction: Direction) -> bool:
    """As in two places that were merged into one file, of which one shows no more what was lost before it."""
    twice = seen_twice(direction)
    once = direction.row.frames - 2 * twice
    return twice >= TWICE_SEGMENTS and min(twice, once) * TWICE_SHARE >= twice + once


def seen_twice(direction: Direction) -> int:
    """Copies are known by their IP IDs; where there are none, IPsec over TCP sends nothing again all the same."""
    return direction.row.copies + direction.row.retransmissions


def doubled_sentence(direction: Direction) -> str:
    twice = seen_twice(direction)
    return (
        f"{way(direction)}: {count(twice, 'segment')} of {direction.row.frames - twice} are here twice and the others "
        "once: where two places are in one capture, what is here once was lost between them"
    )


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


@claim(
    would_refute="another segment of the flow",
    settled_by=FEWER_AT_ONCE,
)
def it_was_followed_to_its_end(case: Case) -> Answer:
    """Nothing more of the flow was to come when another one needed its place."""
    around, flow = case.surroundings, case.flow
    if around.place_needed_in is None:
        return HOLDS, "it was followed for as long as the capture went on"
    where = case.frame(around.place_needed_in)
    silent = f"{seconds(around.last_ns - flow.row.last_ns)} after its last segment"
    others = "what other flows say of it was not looked for"
    if flow.is_settled(around.last_ns):
        because = f"closed; another flow needed its place in {where}, {silent}; {others}"
        return HOLDS, because, [around.place_needed_in]
    because = (
        f"judged early: another flow needed its place in {where}, {silent}; what came later between these ends is "
        f"told as another flow, and {others}"
    )
    return FAILS, because, [around.place_needed_in]
