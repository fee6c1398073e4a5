"""Stall: the beginning of the third link: the ACK stood still while its sender was still sending.

Knows how long it was seen to stand still, who went on meanwhile, and whether the way back was in sight.  Does not know
why a segment was missing and whether anybody answered: see proof; nor that the connection died of it: see death.
"""

from __future__ import annotations

from typing import Final

from ctcp_forensics.case import Case
from ctcp_forensics.claims.path import nothing_passed_behind_the_hole
from ctcp_forensics.claims.words import FAILS, HOLDS, NO_QUESTION, SECOND, UNKNOWN, count, seconds, way
from ctcp_forensics.episodes import Episode
from ctcp_forensics.evidence import Answer, claim
from ctcp_forensics.flows import SPLICED_NS, Direction, Flow

STUCK_NS: Final = 4 * SECOND
"""Guard iv, and the ASA's default time to wait for a missing segment (tcp-map queue-limit timeout, 4 s)."""
NEW_SEGMENTS: Final = 3
"""Guard iv: the sender went on with at least so many new segments."""
OUTLAST_NS: Final = 10 * SECOND
"""Guard vi: the capture runs on for so long after the first duplicate ACK, or to the FIN or RST."""
FROM_ITS_PORT: Final = "from the same port: this one was given up"
NOTHING_BACK_NS: Final = 10 * SECOND
"""An ASA's queue asks for nothing more until it is emptied, 4 s by default: after twice that long it has asked again.
Where data goes out and nothing at all comes back for longer, the way back may have left the capture: another route, a
filter.  In 1,217 recordings of the failure the longest such time is 3.9 s (docs/ACCURACY.md)."""


@claim(
    would_refute="an ACK beyond the wanted byte",
    settled_by="a capture of both directions until the connection has been given up",
    looks_beyond=True,
)
def the_ack_never_moved_again(case: Case) -> Answer:
    """No ACK ever went beyond the wanted byte."""
    episode = case.episode
    if episode is None:
        passed = [one for d in case.flow.directions for one in d.episodes if one.is_passed]
        if not passed:
            return NO_QUESTION
        last = passed[-1].row
        return FAILS, f"the ACK went on in {case.frame(last.passed_frame)}", [last.passed_frame]
    return as_long_as_it_is_seen(case, episode)


def as_long_as_it_is_seen(case: Case, episode: Episode) -> Answer:
    """Guard iv by what is seen: where it went out of this capture's sight nobody knows."""
    seen_ns = max(0, episode.row.last_asked_ns - episode.row.first_ns)
    stays = f"the ACK stays at {episode.wanted_seq}"
    if not seen_ns < STUCK_NS <= episode.stuck_ns:
        is_cut = case.direction is not None and was_left_alone(case, case.direction)
        until = f"for the {seconds(seen_ns)} in which it is seen" if is_cut else "to the end"
        return HOLDS, f"{stays} {until}", [episode.row.last_frame]
    answer = nothing_passed_behind_the_hole.answer(case)
    if answer[0] == HOLDS:
        return answer
    because = f"the ACK is seen at {episode.wanted_seq} for {seconds(seen_ns)}, and at no place after that"
    return UNKNOWN, because, [episode.row.last_frame]


@claim(
    would_refute="a stall shorter than 4 s, or a sender that stopped",
    settled_by="a capture that runs until the connection has been given up",
    takes_time=True,
)
def the_sender_went_on(case: Case) -> Answer:
    """The sender went on for 4 s or more with three or more new segments (guard iv)."""
    episode = case.episode
    if episode is None:
        return NO_QUESTION
    row = episode.row
    frames = [row.new_first_frame, row.new_last_frame]
    went_on = f"{count(row.new_segments, 'new segment')} in the {seconds(episode.stuck_ns)}"
    because = f"{went_on} after the first duplicate ACK"
    if row.new_segments < NEW_SEGMENTS or episode.stuck_ns < STUCK_NS:
        outcome = UNKNOWN if case.closed_after is None else FAILS
        return outcome, f"only {because}", frames
    pause_ns = longest_pause_ns(case, episode)
    if episode.stuck_ns - pause_ns < STUCK_NS:
        return (
            UNKNOWN,
            f"{because}; {seconds(pause_ns)} of it are one silence, or a clock that was set",
            frames,
        )
    return HOLDS, because, frames


def asked_until_ns(case: Case, episode: Episode) -> int:
    """How long whoever asks is known to be there: to its last asking, or until the next one would have been due.

    It is due for each new segment; where all of them were asked about, the longest time between two goes by first.
    """
    row = episode.row
    if row.new_last_ns > row.last_asked_ns:
        return row.last_asked_ns
    return min(case.flow.ended_ns, row.last_asked_ns + max(0, row.longest_interval_ns))


def longest_pause_ns(case: Case, episode: Episode) -> int:
    """The longest time of the stall in which neither end is seen, at most.

    Where it is most of the stall, a clock that was set forward makes a few askings of one moment look like one.
    """
    return min(max(0, episode.row.longest_interval_ns), case.flow.row.longest_silence_ns)


@claim(
    would_refute="a capture that stops within 10 s of the first duplicate ACK",
    settled_by="a longer capture; on an ASA a larger or circular buffer",
    takes_time=True,
)
def the_capture_outlasts_the_stall(case: Case) -> Answer:
    """The capture runs 10 s past the first duplicate ACK, or to the FIN or RST (guard vi)."""
    episode = case.episode
    if episode is None:
        return NO_QUESTION
    since = case.surroundings.last_ns - episode.row.first_ns
    ending = case.flow.ending
    if ending.frame is not None and ending.at_ns >= episode.row.first_ns:
        return HOLDS, ending.because, [ending.frame]
    if case.reopened_by is not None:
        return opened_anew(case, case.reopened_by)
    if since >= SPLICED_NS:
        return UNKNOWN, f"the capture's clock jumps: its last frame is {seconds(since)} away"
    if since >= OUTLAST_NS:
        return HOLDS, f"the capture runs on for {seconds(since)} after the first duplicate ACK"
    return UNKNOWN, f"{the_end_of_it(case)} {seconds(since)} after the first duplicate ACK"


def opened_anew(case: Case, again: Flow) -> Answer:
    """Whoever opens the same port anew has given up what it had there."""
    frame = again.row.first_frame
    return HOLDS, f"{case.frame(frame)} opens another connection {FROM_ITS_PORT}", [frame]


def the_end_of_it(case: Case) -> str:
    """What ended the sight of a flow that had not ended."""
    is_early = case.surroundings.place_needed_in is not None
    return "another flow needed its place" if is_early else "the capture ended"


def was_left_alone(case: Case, sender: Direction) -> bool:
    """At last nothing at all comes back to it, though it sends what would be asked about."""
    row = case.flow.row
    is_alone = case.flow.sent_by(row.tail_direction) is sender and row.tail_data_segments >= NEW_SEGMENTS
    return is_alone and sender.row.last_ns - row.tail_first_ns >= NOTHING_BACK_NS


def nothing_back(case: Case, sender: Direction) -> str:
    row = case.flow.row
    return (
        f"nothing at all comes back in the last {seconds(sender.row.last_ns - row.tail_first_ns)}, in which "
        f"{count(row.tail_data_segments, 'segment')} {way(sender)} would have been asked about: the way back may have "
        "left this capture"
    )


# --- and whoever asks was heard meanwhile ----------------------------------------------------------


@claim(
    would_refute="ten seconds in which data goes out and nothing at all comes back",
    settled_by="a capture of both directions until the connection has been given up",
    looks_beyond=True,
)
def the_asking_is_heard_to_the_end(case: Case) -> Answer:
    """The asking goes on for as long as the sender does: the way back did not leave the capture."""
    answer = by_what_comes_back(case)
    if answer[0] != UNKNOWN or nothing_passed_behind_the_hole.answer(case)[0] != HOLDS:
        return answer
    return nothing_passed_behind_the_hole.answer(case)


def by_what_comes_back(case: Case) -> Answer:
    """The close of whoever asks shows that it is heard again, and nothing of the time before."""
    direction, episode = case.direction, case.episode
    if direction is None or episode is None:
        return NO_QUESTION
    row = episode.row
    if was_left_alone(case, direction):
        return UNKNOWN, nothing_back(case, direction), [row.last_frame, case.flow.row.tail_first_frame]
    unasked_ns = row.new_last_ns - row.last_asked_ns
    if unasked_ns >= NOTHING_BACK_NS and case.flow.sent_by(case.flow.row.tail_direction) is not direction:
        because = f"{seconds(unasked_ns)} before the last new segment it is asked for the last time"
        return UNKNOWN, because, [row.last_frame, row.new_last_frame]
    return HOLDS, f"it is still asked for in {case.frame(row.last_frame)}", [row.last_frame]
