"""Path: what only several captures of one path can tell, ctcp-protocol §4.3.

Who made the duplicate ACKs and the RST, whether the missing segment passed somewhere, whether anybody answered out
of this capture's sight.  With one capture all of them are unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Final

from ctcp_forensics import vantage
from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.case import Case
from ctcp_forensics.claims.words import FAILS, HOLDS, NO_QUESTION, UNKNOWN, count, way
from ctcp_forensics.evidence import Answer, Places, claim
from ctcp_forensics.flows import Direction, EndingKind

ONE_CAPTURE: Final = "there is one capture only"
BOTH_SIDES: Final = "captures on both sides of the firewall, taken at the same time"


def place(case: Case, number: int) -> str:
    """The name of a place on the path."""
    return "" if case.connection is None else case.connection.names[number]


def capture_at(case: Case, number: int) -> str:
    """The same, where a sentence begins with it."""
    return f"the capture at {place(case, number)}"


def frame_at(word: vantage.Witness, frame: int) -> str:
    """What a frame of another place is called."""
    return word.sighting.view.surroundings.numbering.tell(frame)


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
    author = vantage.ack_author(case.connection, vantage.way_of(case.direction.name), words)
    if author is None:
        return UNKNOWN, why_nobody_is_named(case, words)
    if author.absent is None:
        return (
            FAILS,
            f"{capture_at(case, author.shown)} has them too: they come from beyond it",
            frames_of_asking(words),
        )
    return HOLDS, made_between(case, author, words), frames_of_asking(words)


def why_nobody_is_named(case: Case, words: Sequence[vantage.Witness]) -> str:
    """What the next capture towards whoever asks lacks to be a witness."""
    last = max((at for at, word in enumerate(words) if word.asks), default=len(words))
    behind = words[last + 1] if last + 1 < len(words) else None
    if behind is not None and not vantage.shows_bare_segments(behind.sighting.flow):
        return f"{capture_at(case, behind.number)} shows no segment without data: a filter may have kept ACKs out of it"
    if behind is not None and behind.was_running and not (behind.is_up_to or behind.is_beyond):
        return f"{capture_at(case, behind.number)} does not show both directions up to the byte that they ask for"
    if behind is None or not behind.was_running or behind.was_awake:
        return "no other capture was running there while they were sent, or its numbers do not keep step"
    return (
        f"{capture_at(case, behind.number)} shows no frame at all, of any flow, while they were sent: it may have been "
        "blind for just that while"
    )


def made_between(case: Case, author: vantage.Author, words: Sequence[vantage.Witness]) -> str:
    assert author.absent is not None  # noqa: S101 - the caller looked
    shown = next(word for word in words if word.number == author.shown)
    asks = count(shown.asks, "duplicate ACK")
    behind = place(case, author.absent)
    return (
        f"{asks} in {place(case, author.shown)}, {repeated(author.repeats, behind)}, which was running and saw "
        f"nothing at or behind the byte that they ask for: whoever sent them stands in between"
    )


def repeated(times: int, where: str) -> str:
    """How often the next capture shows the same ACK."""
    if not times:
        return f"none in {where}"
    return f"in {where} the same ACK only {count(times, 'time')}, as a keep-alive repeats it"


def frames_of_asking(words: Sequence[vantage.Witness]) -> Places:
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
    author = vantage.ack_author(case.connection, vantage.way_of(case.direction.name), words)
    behind = [word for word in words if author is not None and word.number == author.absent]
    if not behind:
        return passed_or_unknown(case, words)
    last_frame = behind[0].sighting.direction(vantage.way_of(case.direction.name)).row.data_last_frame
    name = place(case, behind[0].number)
    because = f"in {name} the last data {way(case.direction)} ends at the byte that is asked for"
    return HOLDS, because, {behind[0].number: (last_frame,)}


def passed_or_unknown(case: Case, words: Sequence[vantage.Witness]) -> Answer:
    """The last place sees bytes behind the hole although they were asked for: nobody before it withholds them."""
    last = words[-1]
    if len(words) > 1 and last.is_beyond and case.direction is not None:
        frame = last.sighting.direction(vantage.way_of(case.direction.name)).row.data_last_frame
        return (
            FAILS,
            f"{capture_at(case, last.number)} still sees what lies behind the hole",
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
            because = f"{frame_at(word, answer)} of {place(case, word.number)} carries the byte again"
            return HOLDS, because, {word.number: (answer,)}
        passed = word.episode.row.passed_frame
        if passed != NEVER:
            because = f"in {frame_at(word, passed)} of {place(case, word.number)} the ACK went on"
            return HOLDS, because, {word.number: (passed,)}
        sender = sender_at(case, word)
        if sender.repeats_data and not left_the_sender_once(case, word):
            because = (
                f"{capture_at(case, word.number)} shows {count(sender.row.retransmissions, 'retransmission')}"
            )
            return HOLDS, because, {word.number: (sender.row.retransmitted_frame,)}
    return FAILS, "no other capture shows an answer"


def sender_at(case: Case, word: vantage.Witness) -> Direction:
    """What one place shows of the direction that is asked for data."""
    assert case.direction is not None  # noqa: S101 - the caller looked
    return word.sighting.direction(vantage.way_of(case.direction.name))


def left_the_sender_once(case: Case, word: vantage.Witness) -> bool:
    """What fills a hole at this place is no retransmission where a capture nearer to the sender shows all bytes once.

    Nothing came twice here either: the segment was late, and no capture at this place could tell it.
    """
    assert case.connection is not None  # noqa: S101 - the caller looked
    if sender_at(case, word).row.again_bytes:
        return False
    nearer = takewhile(lambda one: one.number != word.number, case.words)
    return any(
        not sender_at(case, one).repeats_data
        and not sender_at(case, one).row.undecided_repeats
        and not vantage.has_missed(case.connection, one.number)
        for one in nearer
    )


# --- the RST -----------------------------------------------------------------------------------


def resetter(case: Case) -> vantage.Author | None:
    """Who made the RST that ended the flow, where several captures tell."""
    ending = case.flow.ending
    if case.connection is None or ending.kind != EndingKind.RST or ending.direction is None:
        return None
    return vantage.rst_author(case.connection, vantage.way_of(ending.direction))


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
            f"{capture_at(case, author.shown)}, the nearest to the end that it names, has it as well",
            [frame],
        )
    because = (
        f"{capture_at(case, author.shown)} has the RST, and {place(case, author.absent)}, nearer to the end that it "
        f"names, has none, though it was running"
    )
    return HOLDS, because, [frame]
