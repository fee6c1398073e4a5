"""Path: what only several captures of one path can tell, ctcp-protocol §4.3.

Who made the duplicate ACKs and the RST, whether the missing segment passed somewhere, whether anybody answered out
of this capture's sight.  With one capture all of them are unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.case import Case
from ctcp_forensics.claims.words import FAILS, HOLDS, NO_QUESTION, UNKNOWN, count, way
from ctcp_forensics.episodes import DUP_THRESH
from ctcp_forensics.evidence import Answer, Places, claim
from ctcp_forensics.flows import Direction, EndingKind
from ctcp_forensics.vantage import (
    ASA_HEADEND,
    CLIENT_ASA,
    WITHIN_ASA,
    Author,
    Connection,
    Sighting,
    Witness,
    ack_author,
    data_end,
    has_missed,
    rst_author,
    way_of,
)

ONE_CAPTURE: Final = "there is one capture only"
BOTH_SIDES: Final = "captures on both sides of the firewall, taken at the same time"


def place(case: Case, number: int) -> str:
    """The name of a place on the path."""
    return "" if case.connection is None else case.connection.names[number]


@claim(
    would_refute="the same duplicate ACKs in the capture on the other side of the firewall",
    settled_by="a capture on the other side of the firewall: who made the duplicate ACKs",
    looks_beyond=True,
)
def the_acks_were_made_in_between(case: Case) -> Answer:
    """The duplicate ACKs were made between two captures: one has them, the next towards their sender has not."""
    if case.episode is None or case.direction is None:
        return NO_QUESTION
    words = case.words
    if case.connection is None or not words:
        return UNKNOWN, ONE_CAPTURE
    author = ack_author(case.connection, way_of(case.direction.name), words)
    if author is None:
        return (
            UNKNOWN,
            "no other capture was running there while they were sent, or its numbers do not keep step",
        )
    if author.absent is None:
        return (
            FAILS,
            f"{place(case, author.shown)} has them too: they come from beyond it",
            frames_of_asking(words),
        )
    return HOLDS, made_between(case, author, words), frames_of_asking(words)


def made_between(case: Case, author: Author, words: Sequence[Witness]) -> str:
    assert author.absent is not None  # noqa: S101 - the caller looked
    shown = next(word for word in words if word.number == author.shown)
    asks = count(shown.asks, "duplicate ACK")
    return (
        f"{asks} in {place(case, author.shown)}, none in {place(case, author.absent)}, which was running and saw "
        f"nothing at or behind the byte that they ask for: whoever sent them stands in between"
    )


def frames_of_asking(words: Sequence[Witness]) -> Places:
    return {
        word.number: (*word.episode.row.frames, word.episode.row.last_frame)
        for word in words
        if word.episode is not None
    }


@claim(
    would_refute="the missing segment, or one behind it, in the capture nearer to the receiver",
    settled_by="a capture on the receiver's side of the firewall",
    looks_beyond=True,
)
def nothing_passed_behind_the_hole(case: Case) -> Answer:
    """On the receiver's side of whoever asks, the stream ends with the byte before the missing one."""
    words = case.words
    if case.episode is None or case.direction is None:
        return NO_QUESTION
    if case.connection is None or not words:
        return UNKNOWN, ONE_CAPTURE
    author = ack_author(case.connection, way_of(case.direction.name), words)
    behind = [word for word in words if author is not None and word.number == author.absent]
    if not behind:
        return passed_or_unknown(case, words)
    last_frame = behind[0].sighting.direction(way_of(case.direction.name)).row.data_last_frame
    name = place(case, behind[0].number)
    because = f"in {name} the last data {way(case.direction)} ends at the byte that is asked for"
    return HOLDS, because, {behind[0].number: (last_frame,)}


def passed_or_unknown(case: Case, words: Sequence[Witness]) -> Answer:
    """The last place sees bytes behind the hole although they were asked for: nobody before it withholds them."""
    last = words[-1]
    if len(words) > 1 and last.is_beyond and case.direction is not None:
        frame = last.sighting.direction(way_of(case.direction.name)).row.data_last_frame
        return (
            FAILS,
            f"{place(case, last.number)} still sees what lies behind the hole",
            {last.number: (frame,)},
        )
    return UNKNOWN, "no capture on the receiver's side of whoever asks"


@claim(
    would_refute="captures of the same leg that all lack an answer",
    settled_by="a second capture of the same path",
    looks_beyond=True,
)
def an_answer_is_in_another_capture(case: Case) -> Answer:
    """Another capture shows the answer that this one lacks, or that the sender does send again."""
    if case.direction is None or case.episode is None:
        return NO_QUESTION
    if case.connection is None:
        return UNKNOWN, ONE_CAPTURE
    for word in case.words:
        if word.number == case.number or word.episode is None:
            continue
        answer = word.episode.row.answered_frame
        if answer != NEVER:
            because = f"frame {answer} of {place(case, word.number)} carries the byte again"
            return HOLDS, because, {word.number: (answer,)}
        passed = word.episode.row.passed_frame
        if passed != NEVER:
            because = f"in frame {passed} of {place(case, word.number)} the ACK went on"
            return HOLDS, because, {word.number: (passed,)}
        sender = word.sighting.direction(way_of(case.direction.name))
        if sender.repeats_data:
            because = (
                f"{place(case, word.number)} shows {count(sender.row.retransmissions, 'retransmission')}"
            )
            return HOLDS, because, {word.number: (sender.row.data_last_frame,)}
    return FAILS, "no other capture shows an answer"


# --- the RST -----------------------------------------------------------------------------------


def resetter(case: Case) -> Author | None:
    """Who made the RST that ended the flow, where several captures tell."""
    ending = case.flow.ending
    if case.connection is None or ending.kind != EndingKind.RST or ending.direction is None:
        return None
    return rst_author(case.connection, way_of(ending.direction))


@claim(
    would_refute="the same RST in the capture nearer to the end that it names",
    settled_by=BOTH_SIDES,
    looks_beyond=True,
)
def the_reset_was_made_in_between(case: Case) -> Answer:
    """The RST was made between two of the captures: the one nearer to its alleged sender has none."""
    author = resetter(case)
    if author is None:
        return UNKNOWN, "no two captures show where the RST came from"
    frame = case.flow.ending.frame or 0
    if author.absent is None and author.where is None:
        return (
            UNKNOWN,
            f"no capture is nearer to the end that the RST names than {place(case, author.shown)}",
            [frame],
        )
    if author.absent is None:
        return (
            FAILS,
            f"{place(case, author.shown)}, the nearest to the end that it names, has it as well",
            [frame],
        )
    because = (
        f"{place(case, author.shown)} has the RST, {place(case, author.absent)}, nearer to the end that it names, "
        f"has none, though it was running"
    )
    return HOLDS, because, [frame]


# --- the firewall as the place of loss -------------------------------------------------------------


@claim(
    would_refute="a segment behind the last one that came through", settled_by=BOTH_SIDES, looks_beyond=True
)
def it_entered_and_never_left(case: Case) -> Answer:
    """From some moment on what one capture shows does not reach the next, which goes on, and nobody asks for it."""
    if case.connection is None:
        return UNKNOWN, ONE_CAPTURE
    for crossing in case.connection.crossings:
        before = crossing.before
        if before is None or not crossing.withheld or case.connection.location_of(crossing) != WITHIN_ASA:
            continue
        if any(direction.fatal is not None for direction in case.connection.directions(crossing.way)):
            return FAILS, "what does not pass is asked for: see the duplicate ACKs"
        one, two = (case.connection.sightings.index(some) for some in (before, crossing.behind))
        if crossing.behind.view.surroundings.dropped_frames >= crossing.withheld:
            return UNKNOWN, f"the capture of {place(case, two)} admits as many drops as it lacks segments"
        if has_missed(case.connection, two):
            return UNKNOWN, f"the capture of {place(case, two)} lacks segments that passed it"
        if lacks_answers(case.connection, before, crossing.way):
            return UNKNOWN, f"what is asked for may be missing in the capture of {place(case, one)}"
        end = case.connection.position(
            crossing.way, data_end(crossing.behind.direction(crossing.way)), two, one
        )
        if end is None or before.direction(crossing.way).row.acked_pos > end + 1:
            return UNKNOWN, f"what {place(case, two)} lacks was acknowledged all the same"
        last = crossing.behind.direction(crossing.way)
        because = (
            f"{count(crossing.withheld, 'segment')} {way(last)} in {place(case, one)} and not in {place(case, two)}, "
            f"which was running; the last that came through is frame {last.row.data_last_frame} there"
        )
        shown = {one: (before.direction(crossing.way).row.data_last_frame,), two: (last.row.data_last_frame,)}
        if not (before.view.is_named and crossing.behind.view.is_named):
            return UNKNOWN, f"{because}; nobody says that these are a firewall's two sides", shown
        return HOLDS, because, shown
    return FAILS, "whatever was sent came through, or was lost piece by piece"


def lacks_answers(connection: Connection, before: Sighting, way: int) -> bool:
    """Whether a capture lacks something of what comes back: what was asked for there, nobody knows."""
    return any(
        one.behind is before
        and one.way != way
        and one.before is not None
        and (one.not_captured_behind or one.undecided)
        for one in connection.crossings
    )


@claim(
    would_refute="what it said last, in the capture nearer to the silent end",
    settled_by=BOTH_SIDES,
    looks_beyond=True,
)
def what_was_said_last_never_arrived(case: Case) -> Answer:
    """What one end said last is in the capture next to it and not in the next one: nobody had it to answer it."""
    connection, row = case.connection, case.flow.row
    if connection is None or row.tail_direction == NEVER:
        return UNKNOWN, ONE_CAPTURE
    speaker = case.flow.sent_by(row.tail_direction)
    for crossing in connection.crossings:
        if crossing.before is not connection.sightings[case.number] or crossing.way != way_of(speaker.name):
            continue
        gone = crossing.withheld or sum(one.frame >= row.tail_first_frame for one in crossing.lost)
        if gone >= DUP_THRESH and connection.location_of(crossing) in (CLIENT_ASA, ASA_HEADEND):
            there = place(case, connection.sightings.index(crossing.behind))
            because = f"the last {count(gone, 'segment')} {way(speaker)} did not reach {there}"
            return HOLDS, because, [row.tail_first_frame, row.last_frame]
    return FAILS, "what was said last passed the next capture too, or nobody knows"


def link_is_cut(case: Case) -> Answer | None:
    """Nothing at all of one end comes through to the next capture, and nothing comes back."""
    connection = case.connection
    cut = connection is not None and any(
        crossing.withheld and crossing.before is connection.sightings[case.number]
        for crossing in connection.crossings
    )
    said = what_was_said_last_never_arrived.check(case)
    return said if cut and said[0] == HOLDS else None


def was_only_not_captured(case: Case, direction: Direction) -> bool:
    """Whether all that captures lack of a direction is known to have passed them."""
    if case.connection is None:
        return False
    crossings = [one for one in case.connection.crossings if one.way == way_of(direction.name)]
    missed = any(one.not_captured_before or one.not_captured_behind for one in crossings)
    return missed and not any(one.lost_count or one.undecided or one.withheld for one in crossings)
