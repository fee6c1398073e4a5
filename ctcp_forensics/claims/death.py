"""Death: the end of the third link: what shows that nothing came through any more.

Knows what still came back, what was asked by IKE in vain, and who gave up.  Does not know how long an ACK stood still:
see stall.
"""

from __future__ import annotations

from typing import Final

from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.case import Case
from ctcp_forensics.claims.path import nothing_passed_behind_the_hole
from ctcp_forensics.claims.stall import (
    OUTLAST_NS,
    asked_until_ns,
    longest_pause_ns,
    nothing_back,
    the_end_of_it,
    was_left_alone,
)
from ctcp_forensics.claims.words import FAILS, HOLDS, NO_QUESTION, SECOND, UNKNOWN, count, seconds, way
from ctcp_forensics.episodes import DUP_THRESH, Episode
from ctcp_forensics.evidence import Answer, Outcome, claim
from ctcp_forensics.flows import Direction, EndingKind

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
    would_refute="data of the peer until the end: the connection works although its ACK is stuck",
    settled_by="a capture that runs until the connection has been given up",
    looks_beyond=True,
    takes_time=True,
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
    heard_ns = min(case.flow.ended_ns, max(peer.row.data_last_ns, asked_until_ns(case, episode)))
    stuck_ns = heard_ns - episode.row.first_ns
    silent_ns = min(heard_ns - alive_ns(peer), stuck_ns)
    frames = [frame for frame in (case.flow.ending.frame, peer.row.data_last_frame) if frame is not None]
    if was_answered_elsewhere(direction, peer):
        return (
            UNKNOWN,
            f"no data at all comes back {way(peer)}, though IKE was answered: it passes elsewhere",
            frames,
        )
    if silent_ns >= PEER_SILENT_NS and silent_ns * 2 >= stuck_ns:
        return HOLDS, f"in the last {seconds(silent_ns)} no data came back {way(peer)}", frames
    if is_left_alone:
        return UNKNOWN, nothing_back(case, direction), frames
    if case.flow.ending.kind == EndingKind.CAPTURE_ENDED:
        outcome, because = by_what_still_came(case, peer, episode)
    else:
        outcome, because = by_who_gave_up(case, peer, episode, silent_ns)
    return outcome, because, frames


def alive_ns(peer: Direction) -> int:
    """When data of the peer was seen last, or, where that passes elsewhere, when the sender last acknowledged more."""
    row = peer.row
    return max(row.data_last_ns, row.acked_ns) if row.unseen_acks else row.data_last_ns


def was_answered_elsewhere(sender: Direction, peer: Direction) -> bool:
    """A sender that opened IKE and sends ESP had answers; where none of the peer's data is here, its silence is not."""
    return not peer.row.data_segments and sender.row.ike_opened > 0 and sender.row.esp_messages > 0


def by_what_still_came(case: Case, peer: Direction, episode: Episode) -> tuple[Outcome, str]:
    """It was not seen to end: data that still came back shows that it worked, where there was time for it to die."""
    stuck_ns = case.flow.ended_ns - episode.row.first_ns
    since = f"{seconds(stuck_ns)} after the first duplicate ACK"
    if peer.row.data_last_ns <= episode.row.first_ns:
        return UNKNOWN, f"no data is seen to come back {way(peer)} in the {since}"
    came = f"data still came back {way(peer)} when {the_end_of_it(case)}"
    return (FAILS, f"{came}, {since}") if stuck_ns >= OUTLAST_NS else (UNKNOWN, came)


# --- it was closed, or fell silent, soon after data had come back ----------------------------------


def by_who_gave_up(case: Case, peer: Direction, episode: Episode, silent_ns: int) -> tuple[Outcome, str]:
    """Because nothing came through, or not."""
    if dpd_unanswered(episode) and not may_be_a_farewell(case, episode):
        asked = count(episode.row.sender_ike, "IKE message")
        closed = "it closed" if case.flow.ending.frame is not None else "it fell silent"
        return HOLDS, f"{asked} of the sender stayed without an answer until {closed}"
    if peer_gave_up(case, peer, episode):
        asked = count(episode.row.peer_ike, "IKE message")
        return HOLDS, f"the end whose ACK is stuck asked with {asked} for a sign of life, then closed"
    return UNKNOWN, f"{case.flow.ending.because}, only {seconds(silent_ns)} after the last sign of life"


def dpd_unanswered(episode: Episode) -> bool:
    """The sender asked by IKE again and again during the stall, and no IKE came back (RFC 3706 §5.4).

    One message may be the farewell of a user who disconnects: it says nothing about the connection.  Where the ACK is
    not repeated after the third of them, nobody is heard any more, and there is none to answer.
    """
    row = episode.row
    return row.peer_ike == 0 and NEVER != row.sender_ike_asked_ns < row.last_asked_ns


def may_be_a_farewell(case: Case, episode: Episode) -> bool:
    """Three of them may have been there only when it closed, such as a delete for each association.

    Nobody answers these: they are one-way (RFC 2408 §4.8).  Who asks for a sign of life waits before it gives up.
    """
    waited_ns = case.flow.ended_ns - episode.row.sender_ike_asked_ns
    return waited_ns - longest_pause_ns(case, episode) < PEER_SILENT_NS


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
