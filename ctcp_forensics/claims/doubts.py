"""Doubts: what should hold as well before a verdict is called strong."""

from __future__ import annotations

from typing import Final

from ctcp_forensics import vantage
from ctcp_forensics._kernel.rows import MID_STREAM, NEVER, FlowRow
from ctcp_forensics.case import Case
from ctcp_forensics.claims.path import the_acks_were_made_in_between
from ctcp_forensics.claims.silences import VANISHED_NS
from ctcp_forensics.claims.stall import FROM_ITS_PORT, STUCK_NS, opened_anew
from ctcp_forensics.claims.words import FAILS, HOLDS, NO_QUESTION, UNKNOWN, seconds, way
from ctcp_forensics.evidence import FEWER_AT_ONCE, Answer, claim
from ctcp_forensics.flows import SEQUENCE_SPACE, EndingKind

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
    if ending.kind == EndingKind.CAPTURE_ENDED and case.reopened_by is not None:
        return opened_anew(case, case.reopened_by)
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


@claim(
    would_refute="a capture of data alone, in which the ACKs that data carries stand still",
    settled_by="a capture that no filter by length or by flags keeps segments without data out of",
)
def a_question_would_be_seen(case: Case) -> Answer:
    """Duplicate ACKs would be in this capture: it shows segments without data, or ACKs that follow what is sent."""
    if any(not direction.row.frames for direction in case.flow.directions):
        return FAILS, "one direction alone is in this capture"
    if vantage.shows_bare_segments(case.flow):
        return HOLDS, "segments without data are in this capture"
    for direction in case.flow.directions:
        row = direction.row
        still_ns = row.data_last_ns - row.acked_ns
        if row.next_pos > row.acked_pos and still_ns >= STUCK_NS:
            because = (
                f"{way(direction)} the ACK stands still for the last {seconds(still_ns)} of data, and no segment "
                "without data is in this capture: a filter may keep duplicate ACKs out of it"
            )
            return UNKNOWN, because, [row.acked_frame, row.data_last_frame]
    return HOLDS, "the ACKs that data carries follow what is sent"


@claim(
    would_refute="a frame of this flow behind the SYN of the next one, or its close",
    settled_by="a capture at the client's side, or the client's log: did it give this connection up, and why?",
    takes_time=True,
)
def nothing_took_its_place(case: Case) -> Answer:
    """No other connection of its hosts began while this one lay silent, and nobody had closed it."""
    ending = case.flow.ending
    if ending.frame is not None:
        return HOLDS, f"{ending.because}: what came behind it is another matter", [ending.frame]
    if case.surroundings.place_needed_in is not None:
        return UNKNOWN, "what its hosts opened later was not looked for, since its place was needed"
    if case.succeeded_by is None:
        return HOLDS, "no other connection of its hosts begins behind its last frame"
    return by_its_successor(case, case.flow.row, case.succeeded_by)


def by_its_successor(case: Case, row: FlowRow, following: FlowRow) -> Answer:
    """Several clients may be behind one address, and one that has a word left waits for no answer yet."""
    frames = [row.last_frame, following.first_frame]
    last_ns = case.surroundings.last_ns
    begins = "is the first of" if following.syn_frame == NEVER else "opens"
    another = f"{case.frame(following.first_frame)} {begins} another connection"
    if not may_be_left(row, following, last_ns):
        spoke = f"this one spoke until {seconds(last_ns - row.last_ns)} before the end"
        return HOLDS, f"{another}, but {spoke}", frames
    if has_its_port(following, row):
        return FAILS, f"{another} {FROM_ITS_PORT}", frames
    after = f"{seconds(following.first_ns - row.last_ns)} after the last frame of this one"
    because = (
        f"{another} from the same address {after}, which nobody closed: its client may have given it up, "
        "or there are two"
    )
    return UNKNOWN, because, frames


def may_be_left(row: FlowRow, following: FlowRow, last_ns: int) -> bool:
    """Its port was opened anew, or it lay silent for longer than an answer takes."""
    return has_its_port(following, row) or last_ns - row.last_ns >= VANISHED_NS


def has_its_port(following: FlowRow, row: FlowRow) -> bool:
    return {row.sport, row.dport} == {following.sport, following.dport}
