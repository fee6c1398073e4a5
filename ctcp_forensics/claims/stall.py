"""Stall: the third link: the flow stalled, and died while its sender was still sending.

Knows how long the ACK was seen to stand still, who went on meanwhile, and what shows that nothing came through any
more.  Does not know why a segment was missing and whether anybody answered: see proof.
"""

from __future__ import annotations

from typing import Final

from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.case import Case
from ctcp_forensics.claims.path import nothing_passed_behind_the_hole
from ctcp_forensics.claims.words import FAILS, HOLDS, NO_QUESTION, SECOND, UNKNOWN, count, seconds, way
from ctcp_forensics.episodes import DUP_THRESH, Episode
from ctcp_forensics.evidence import Answer, Outcome, claim
from ctcp_forensics.flows import SPLICED_NS, Direction, EndingKind

STUCK_NS: Final = 4 * SECOND
"""Guard iv, and the ASA's default time to wait for a missing segment (tcp-map queue-limit timeout, 4 s)."""
NEW_SEGMENTS: Final = 3
"""Guard iv: the sender went on with at least so many new segments."""
OUTLAST_NS: Final = 10 * SECOND
"""Guard vi: the capture runs on for so long after the first duplicate ACK, or to the FIN or RST."""
NOTHING_BACK_NS: Final = 10 * SECOND
"""An ASA's queue asks for nothing more until it is emptied, 4 s by default: after twice that long it has asked again.
Where data goes out and nothing at all comes back for longer, the way back may have left the capture: another route, a
filter.  In 1,217 recordings of the failure the longest such time is 3.9 s (docs/ACCURACY.md)."""
PEER_SILENT_NS: Final = 4 * SECOND
"""As long as the sender must have gone on: in that time an answer would have come."""
OPENING_IKE: Final = 8
"""IKE messages of one end that set up a tunnel, at most: aggressive mode 2, XAUTH and mode config 4, quick mode 2."""
IKE_INFORMATIONAL: Final = 5
"""RFC 2408 §3.1, exchange type 5: deletes and dead-peer detection."""
GOODBYE_NS: Final = SECOND // 2
"""A farewell and the close that follows it are less than a round trip apart.  The farewell may come second:
overtaken by the RST, or sent again by a proxy."""


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
    seen_ns, stays = (
        episode.row.last_asked_ns - episode.row.first_ns,
        f"the ACK stays at {episode.wanted_seq}",
    )
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


def longest_pause_ns(case: Case, episode: Episode) -> int:
    """The longest time of the stall in which neither end is seen, at most.

    Where it is most of the stall, a clock that was set forward makes a few askings of one moment look like one.
    """
    return min(max(0, episode.row.longest_interval_ns), case.flow.row.longest_silence_ns)


@claim(
    would_refute="a capture that stops within 10 s of the first duplicate ACK",
    settled_by="a longer capture; on an ASA a larger or circular buffer",
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
    if since >= SPLICED_NS:
        return UNKNOWN, f"the capture's clock jumps: its last frame is {seconds(since)} away"
    if since >= OUTLAST_NS:
        return HOLDS, f"the capture runs on for {seconds(since)} after the first duplicate ACK"
    return UNKNOWN, f"{the_end_of_it(case)} {seconds(since)} after the first duplicate ACK"


@claim(
    would_refute="data of the peer until the end: the connection works although its ACK is stuck",
    settled_by="a capture that runs until the connection has been given up",
    looks_beyond=True,
)
def the_flow_is_dead(case: Case) -> Answer:
    """The connection no longer worked: the other end fell silent, or asked in vain for a sign of life."""
    answer = by_the_signs_of_life(case)
    if answer[0] != UNKNOWN or nothing_passed_behind_the_hole.answer(case)[0] != HOLDS:
        return answer
    return nothing_passed_behind_the_hole.answer(case)


def by_the_signs_of_life(case: Case) -> Answer:
    """What one capture shows: a receiver with a frozen ACK and a working tunnel may look the same."""
    direction, episode = case.direction, case.episode
    if direction is None or episode is None:
        return NO_QUESTION
    peer = case.flow.opposite(direction)
    is_left_alone = was_left_alone(case, direction)
    heard_ns = peer.row.last_ns if is_left_alone else case.flow.ended_ns
    silent_ns = heard_ns - max(peer.row.data_last_ns, episode.row.first_ns)
    frames = [frame for frame in (case.flow.ending.frame, peer.row.data_last_frame) if frame is not None]
    if silent_ns >= PEER_SILENT_NS and silent_ns * 2 >= heard_ns - episode.row.first_ns:
        return HOLDS, f"in the last {seconds(silent_ns)} no data came back {way(peer)}", frames
    if is_left_alone:
        return UNKNOWN, nothing_back(case, direction), frames
    if case.flow.ending.kind != EndingKind.CAPTURE_ENDED:
        outcome, because = by_who_gave_up(case, peer, episode, silent_ns)
        return outcome, because, frames
    stuck_ns = heard_ns - episode.row.first_ns
    if peer.row.data_last_ns <= episode.row.first_ns:
        return UNKNOWN, f"{the_end_of_it(case)} {seconds(stuck_ns)} after the first duplicate ACK", frames
    stuck = f"{seconds(stuck_ns)} after the first duplicate ACK"
    because = f"data still came back {way(peer)} when {the_end_of_it(case)}, {stuck}"
    return (FAILS if stuck_ns >= OUTLAST_NS else UNKNOWN), because, frames


def the_end_of_it(case: Case) -> str:
    """What ended the sight of a flow that had not ended."""
    is_early = case.surroundings.place_needed_in is not None
    return "another flow needed its place" if is_early else "the capture ended"


def by_who_gave_up(case: Case, peer: Direction, episode: Episode, silent_ns: int) -> tuple[Outcome, str]:
    """It was closed, or fell silent, soon after data had come back: because nothing came through, or not."""
    if dpd_unanswered(episode) and not may_be_a_farewell(case, peer, episode, silent_ns):
        asked = count(episode.row.sender_ike, "IKE message")
        closed = "it closed" if case.flow.ending.frame is not None else "it fell silent"
        return HOLDS, f"{asked} of the sender stayed without an answer until {closed}"
    if peer_gave_up(case, peer, episode):
        asked = count(episode.row.peer_ike, "IKE message")
        return HOLDS, f"the end whose ACK is stuck asked with {asked} for a sign of life, then closed"
    return UNKNOWN, f"{case.flow.ending.because}, only {seconds(silent_ns)} after the last sign of life"


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


def dpd_unanswered(episode: Episode) -> bool:
    """The sender asked by IKE again and again during the stall, and no IKE came back (RFC 3706 §5.4).

    One message may be the farewell of a user who disconnects: it says nothing about the connection.
    """
    return episode.row.sender_ike >= DUP_THRESH and episode.row.peer_ike == 0


def may_be_a_farewell(case: Case, peer: Direction, episode: Episode, silent_ns: int) -> bool:
    """All of them may have come at once behind the peer's last message, as a delete for each association does.

    Nobody answers these: they are one-way (RFC 2408 §4.8).  Who asks for a sign of life waits before it asks again.
    """
    row = case.flow.row
    is_alone = case.flow.sent_by(row.data_tail_direction) is not peer
    return is_alone and silent_ns < PEER_SILENT_NS and row.data_tail_segments >= episode.row.sender_ike


def peer_gave_up(case: Case, peer: Direction, episode: Episode) -> bool:
    """The end whose ACK is stuck closed, after it had sent IKE at twice its former rate or more.

    That is dead-peer detection (RFC 3706 §5.4): it asks because it hears nothing, though the other end sends, and
    answers each time.  Quick mode, which renews a tunnel that works, takes one message of the other end; main mode
    takes three (RFC 2409 §5), and shows what it is.
    """
    ending, row, asked = case.flow.ending, episode.row, times_asked(peer, episode)
    if (
        was_negotiated_anew(case)
        or min(asked, row.sender_ike) < DUP_THRESH
        or not left_first(case, peer, episode)
    ):
        return False
    before_ns = max(1, row.first_ns - case.flow.row.first_ns)
    during_ns = max(1, ending.at_ns - row.first_ns)
    before = peer.row.ike_messages - row.peer_ike - OPENING_IKE
    return asked * before_ns >= 2 * max(0, before) * during_ns


def was_negotiated_anew(case: Case) -> bool:
    """Phase 1 was opened once more than a connection that is seen from its beginning begins with."""
    opened = sum(max(0, d.row.ike_opened - d.row.ike_repeats) for d in case.flow.directions)
    return opened > (case.flow.row.syn_frame != NEVER)


def times_asked(peer: Direction, episode: Episode) -> int:
    """IKE messages of the peer while the question was open, without those that a proxy sent again."""
    return episode.row.peer_ike - peer.row.ike_repeats


def left_first(case: Case, peer: Direction, episode: Episode) -> bool:
    """The peer closed, or it had just said goodbye and the sender only followed.

    A sender that leaves by itself has sent one IKE message more than it was asked for: its own farewell.
    """
    ending, sender = case.flow.ending, case.flow.opposite(peer).row
    if ending.frame is None or ending.direction == peer.name:
        return ending.frame is not None
    said_goodbye = peer.row.last_ike_exchange == IKE_INFORMATIONAL
    since_ns = ending.at_ns - peer.row.last_ike_ns
    was_repeated = since_ns < 0 and peer.row.ike_repeats > 0
    if not said_goodbye or not (was_repeated or abs(since_ns) <= GOODBYE_NS):
        return False
    sender_was_first = sender.last_ike_ns < peer.row.last_ike_ns
    if sender_was_first and ending.at_ns - sender.last_ike_ns <= GOODBYE_NS:
        return False
    return episode.row.sender_ike <= times_asked(peer, episode)


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
