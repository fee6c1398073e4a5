"""Proof: the three links of an unanswered question, and the guards of ctcp-protocol §5.

Missing; asked for and not answered; stalled and dead while its sender was still
sending.  All of them look at the question that was still open at the end.
"""

from __future__ import annotations

from typing import Final

from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.case import Case
from ctcp_forensics.claims.path import nothing_passed_behind_the_hole, the_acks_were_made_in_between
from ctcp_forensics.claims.words import FAILS, HOLDS, NO_QUESTION, SECOND, UNKNOWN, count, seconds, way
from ctcp_forensics.episodes import DUP_THRESH, Episode, Hole
from ctcp_forensics.evidence import Answer, claim
from ctcp_forensics.flows import SPLICED_NS, Direction, EndingKind, Flow

STUCK_NS: Final = 4 * SECOND
"""Guard iv, and the ASA's default time to wait for a missing segment (tcp-map queue-limit timeout, 4 s)."""
NEW_SEGMENTS: Final = 3
"""Guard iv: the sender went on with at least so many new segments."""
OUTLAST_NS: Final = 10 * SECOND
"""Guard vi: the capture runs on for so long after the first duplicate ACK, or to the FIN or RST."""
TIMER_NS: Final = SECOND
"""Keep-alive timers run in seconds (IOS cTCP default: 5 s); an ACK that answers data comes at once."""
TIMER_JITTER: Final = 0.1
"""Guard iii: 5 ± 0.5 s."""
KEEP_ALIVE_NS: Final = 5 * SECOND - SECOND // 2
"""The same 5 ± 0.5 s as a period: where no two ACKs are closer than that, sparse data comes in between by chance, and a
headend that hears nothing any more repeats its last ACK in that very rhythm."""
ONE_TO_ONE: Final = 0.25
"""As many ACKs as data segments, give or take a quarter (some ride on data, some are lost): a sender with a
steady rhythm of its own, such as a ping each second, is answered in that rhythm."""
ONE_EACH: Final = 1.1
"""A receiver asks once for each segment beyond the hole.  Far from it the asks for a burst come back as a burst,
only the first of them behind new data; one in ten may be prompted by what was under way at the beginning."""
FEWEST_ASKS: Final = 3
"""Every segment beyond a hole is answered at once (RFC 5681 §4.2); where half of the answers are lost, and some of the
segments, every third one is seen to be."""
LUMPED_SHARE: Final = 4
"""Of three askings that follow three segments at once, two are close behind another; where the data is sparse, one."""
OVERRUNS: Final = 3
"""A receiver that takes a segment larger than its window has a full buffer next; one that does so again and
again has larger windows than it seems."""
MAX_SCALE: Final = 14
"""RFC 7323 §2.3."""
OPENING_IKE: Final = 8
"""IKE messages of one end that set up a tunnel, at most: aggressive mode 2, XAUTH and mode config 4, quick mode 2."""
IKE_INFORMATIONAL: Final = 5
"""RFC 2408 §3.1, exchange type 5: deletes and dead-peer detection."""
GOODBYE_NS: Final = SECOND // 2
"""A farewell and the close that follows it are less than a round trip apart.  The farewell may come second:
overtaken by the RST, or sent again by a proxy."""
PEER_SILENT_NS: Final = 4 * SECOND
"""As long as the sender must have gone on: in that time an answer would have come."""


# --- link 1: a segment is missing ---------------------------------------------------------


@claim(
    would_refute="the missing bytes, in any later frame",
    settled_by="a capture at the other side of the loss",
)
def a_segment_is_missing(case: Case) -> Answer:
    """A segment is missing at the receiver: the byte that its ACKs ask for."""
    direction, episode = case.direction, case.episode
    if direction is None or episode is None:
        return NO_QUESTION
    hole = hole_at(direction, episode.row.wanted_pos)
    if hole is not None:
        return HOLDS, hole_sentence(direction, hole), [hole.row.before_frame, hole.row.opened_frame]
    if episode.came_damaged and episode.missing_segment_frame is not None:
        return (
            HOLDS,
            damage_sentence(case, direction, episode),
            [episode.missing_segment_frame, episode.row.first_frame],
        )
    if episode.missing_segment_frame is not None:
        because = (
            f"{case.frame(episode.missing_segment_frame)} carries byte {episode.wanted_seq} past this capture point; "
            f"the ACKs behind it still ask for that byte, so it was lost further on"
        )
        return HOLDS, because, [episode.missing_segment_frame, episode.row.first_frame]
    if episode.row.wanted_seen and direction.row.isn_known:
        because = f"byte {episode.wanted_seq} passed this capture point before it was asked for"
        return HOLDS, because, [episode.row.first_frame]
    return UNKNOWN, f"byte {episode.wanted_seq} lies before what this capture shows"


def damage_sentence(case: Case, direction: Direction, episode: Episode) -> str:
    """A receiver must verify the checksum, and takes no segment whose checksum is wrong (RFC 9293 §3.1, MUST-3)."""
    right = count(direction.row.checksums_right, "other segment")
    damaged = case.frame(episode.missing_segment_frame or 0)
    return (
        f"{damaged} carries byte {episode.wanted_seq} with a wrong TCP checksum, "
        f"where {right} {way(direction)} have right ones: it was damaged on its way here, and whoever verifies "
        f"checksums threw it away"
    )


def hole_at(direction: Direction, position: int) -> Hole | None:
    for hole in reversed(direction.holes):
        if hole.holds(position) and not hole.is_filled:
            return hole
    return None


def hole_sentence(direction: Direction, hole: Hole) -> str:
    start = direction.absolute(hole.row.start_pos)
    sentence = f"{hole.length} bytes from {start} on, {way(direction)}, are in no frame of this capture"
    if hole.row.esp_missing:
        sentence += f"; the ESP sequence skips {count(hole.row.esp_missing, 'number')} there"
    return sentence


# --- link 2: it was asked for, and nobody answered ---------------------------------------------


@claim(
    would_refute="fewer than three duplicate ACKs, or nothing outstanding when they were sent",
    settled_by="a longer capture, or one nearer to the receiver of the ACKs",
)
def it_was_asked_for(case: Case) -> Answer:
    """Three or more duplicate ACKs ask for it while data is outstanding (guard ii, RFC 5681 §2)."""
    episode = case.episode
    if episode is None:
        return NO_QUESTION
    row = episode.row
    asks = f"{count(episode.asks, 'duplicate ACK')} for byte {episode.wanted_seq}"
    because = (
        f"{asks} in {seconds(row.last_ns - row.first_ns)}, {row.outstanding} bytes outstanding at the first"
    )
    frames = (*row.frames, row.last_frame)
    if episode.asks >= DUP_THRESH:
        return HOLDS, because, frames
    return UNKNOWN, f"only {because}; three make a request (DupThresh, RFC 5681 §3.2)", frames


@claim(
    would_refute="a window smaller than the segment that is asked for",
    settled_by="a capture that begins with the SYNs, which tell how windows are scaled",
)
def the_window_had_room(case: Case) -> Answer:
    """The window of the duplicate ACKs has room for the segment: it was lost, not refused."""
    direction, episode = case.direction, case.episode
    if direction is None or episode is None:
        return NO_QUESTION
    window, is_scaled = window_of(case.flow, direction, episode)
    needed = direction.row.max_payload_len
    because = f"the window offers {window} bytes, the largest segment has {needed}"
    if window >= needed:
        return HOLDS, because, [episode.row.first_frame]
    if not is_scaled and direction.row.window_overruns >= OVERRUNS:
        because += (
            ", and more than such a window was acknowledged at once: it is scaled, or nobody keeps to it"
        )
        return HOLDS, because, [episode.row.first_frame]
    return (FAILS if is_scaled else UNKNOWN), because, [episode.row.first_frame]


def the_window_was_too_small(case: Case) -> Answer | None:
    """The same for window stalls: refused again and again, because there was no room."""
    if case.episode is None or case.episode.asks < DUP_THRESH:
        return None
    evidence = the_window_had_room(case)
    if evidence.outcome != FAILS:
        return None
    return HOLDS, f"the window stayed too small: {evidence.because}", evidence.frames


def window_of(flow: Flow, direction: Direction, episode: Episode) -> tuple[int, bool]:
    """The window in bytes, and whether its scale is known: both SYNs must offer one (RFC 7323 §2.2)."""
    receiver = flow.opposite(direction).row
    shifts = (receiver.window_scale, direction.row.window_scale)
    scale = receiver.window_scale if NEVER not in shifts else 0
    return episode.row.window << min(scale, MAX_SCALE), scale_is_known(flow)


def scale_is_known(flow: Flow) -> bool:
    """Both SYNs were captured, and whole: a snap length that cuts payloads cuts options as well."""
    were_seen = NEVER not in (flow.row.syn_frame, flow.row.syn_ack_frame)
    return were_seen and not any(d.row.trailer_cut_off for d in flow.directions)


@claim(
    would_refute="ACKs at a fixed period of seconds, whether or not data was sent between them",
    settled_by="a capture at the ASA, where the data that prompts each ACK is seen next to it",
    looks_beyond=True,
)
def the_asking_follows_the_data(case: Case) -> Answer:
    """The duplicate ACKs follow data; they are not a keep-alive timer (guard iii)."""
    answer = by_their_rhythm(case)
    if answer[0] != UNKNOWN or nothing_passed_behind_the_hole.check(case)[0] != HOLDS:
        return answer
    return HOLDS, f"{answer[1]}; but {the_acks_were_made_in_between.check(case)[1]}"


def by_their_rhythm(case: Case) -> Answer:
    direction, episode = case.direction, case.episode
    if direction is None or episode is None:
        return NO_QUESTION
    row = episode.row
    prompted = f"{row.prompted} of {episode.asks} came after a new data segment"
    if is_timer_like(episode):
        period = seconds(row.shortest_interval_ns)
        return FAILS, f"they come every {period} like a keep-alive; {prompted}", row.frames
    timer = what_a_timer_may_send(episode)
    if timer is not None:
        return UNKNOWN, f"{timer}; {prompted}", row.frames
    if row.prompted >= min(DUP_THRESH, episode.asks) and row.prompted * 2 >= episode.asks:
        return HOLDS, prompted, row.frames
    if row.prompted >= DUP_THRESH and asks_once_each(direction, episode):
        one_each = f"{prompted}, in bursts: {count(row.new_segments, 'new segment')} in the same time"
        return HOLDS, one_each, row.frames
    return UNKNOWN, f"only {prompted}", row.frames


def what_a_timer_may_send(episode: Episode) -> str | None:
    """Why the ACKs may be keep-alives, although they have no steady period or the data has the same."""
    row = episode.row
    if row.shortest_interval_ns >= KEEP_ALIVE_NS:
        return f"no two are closer than {seconds(row.shortest_interval_ns)}: a keep-alive may be all they are"
    if episode.asks * FEWEST_ASKS < row.new_segments and not comes_in_lumps(episode):
        return f"only {episode.asks} for {row.new_segments} new segments: a timer may send them"
    return None


def comes_in_lumps(episode: Episode) -> bool:
    """A quarter of them or more close behind another: what asks for what it queues, and forgets its queue again.

    An ASA queues three packets for four seconds (tcp-map queue-limit, ctcp-protocol §2.1); no keep-alive is so dense.
    """
    close = episode.row.close_asks
    return close >= DUP_THRESH and LUMPED_SHARE * close >= episode.asks


def asks_once_each(sender: Direction, episode: Episode) -> bool:
    """No more asks than messages were sent; a record that the capturing host merged holds several of them."""
    merged = max(1.0, sender.row.messages / max(1, sender.row.data_segments))
    return episode.asks <= ONE_EACH * merged * episode.row.new_segments + DUP_THRESH


def is_timer_like(episode: Episode) -> bool:
    """A steady period of a second or more, some of its ACKs lost perhaps, while the data kept another rhythm."""
    row = episode.row
    if episode.asks < DUP_THRESH or row.shortest_interval_ns < TIMER_NS:
        return False
    periods = round(row.longest_interval_ns / row.shortest_interval_ns)
    off_ns = abs(row.longest_interval_ns - periods * row.shortest_interval_ns)
    steady = off_ns * periods <= 2 * TIMER_JITTER * row.longest_interval_ns
    one_to_one = abs(row.new_segments - episode.asks) <= max(1, ONE_TO_ONE * episode.asks)
    return steady and not one_to_one


@claim(
    would_refute="a later segment that carries the wanted byte",
    settled_by="a capture without drops at the sender's side",
)
def nobody_answered(case: Case) -> Answer:
    """No later segment carries the wanted byte (guard v)."""
    direction, episode = case.direction, case.episode
    if direction is None or episode is None:
        return NO_QUESTION
    row = episode.row
    if episode.is_answered:
        return (
            FAILS,
            f"{case.frame(row.answered_frame)} carries byte {episode.wanted_seq} again",
            [row.answered_frame],
        )
    if not direction.row.data_segments:
        return UNKNOWN, f"this capture shows no data {way(direction)}, so an answer would not be seen"
    because = f"no segment after {case.frame(row.first_frame)} carries byte {episode.wanted_seq}"
    if row.rewritten_frame != NEVER:
        because += (
            f"; {case.frame(row.rewritten_frame)} puts another ESP message at its place, which is no answer"
        )
    return HOLDS, because, [row.first_frame]


@claim(
    would_refute="one byte of this direction sent twice",
    settled_by="a capture at the sender, where every segment is seen to leave",
)
def the_sender_never_repeats(case: Case) -> Answer:
    """The sender sent no byte twice, anywhere in the flow: it is no real TCP."""
    direction = case.direction
    if direction is None:
        return NO_QUESTION
    row = direction.row
    if direction.repeats_data:
        return (
            FAILS,
            f"{count(row.retransmissions, 'retransmission')} {way(direction)}: this sender does send again",
            [row.retransmitted_frame, *(one.row.answered_frame for one in direction.episodes)],
        )
    if row.undecided_repeats:
        return UNKNOWN, f"{count(row.undecided_repeats, 'segment')} may be late originals or retransmissions"
    return HOLDS, f"none of {row.data_segments} data segments {way(direction)} repeats another"


# --- link 3: stalled, and died while its sender was still sending -------------------------------


@claim(would_refute="an ACK beyond the wanted byte")
def the_ack_never_moved_again(case: Case) -> Answer:
    """No ACK ever went beyond the wanted byte."""
    episode = case.episode
    if episode is None:
        passed = [one for d in case.flow.directions for one in d.episodes if one.is_passed]
        if not passed:
            return NO_QUESTION
        last = passed[-1].row
        return FAILS, f"the ACK went on in {case.frame(last.passed_frame)}", [last.passed_frame]
    return HOLDS, f"the ACK stays at {episode.wanted_seq} to the end", [episode.row.last_frame]


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
    if row.new_segments >= NEW_SEGMENTS and episode.stuck_ns >= STUCK_NS:
        return HOLDS, because, frames
    outcome = UNKNOWN if case.closed_after is None else FAILS
    return outcome, f"only {because}", frames


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
    return UNKNOWN, f"the capture ends {seconds(since)} after the first duplicate ACK"


@claim(
    would_refute="data of the peer until the end: the connection works although its ACK is stuck",
    settled_by="a capture that runs until the connection has been given up",
    looks_beyond=True,
)
def the_flow_is_dead(case: Case) -> Answer:
    """The connection no longer worked: the other end fell silent, or asked in vain for a sign of life."""
    answer = by_the_signs_of_life(case)
    if answer[0] != UNKNOWN or nothing_passed_behind_the_hole.check(case)[0] != HOLDS:
        return answer
    return nothing_passed_behind_the_hole.check(case)


def by_the_signs_of_life(case: Case) -> Answer:
    """What one capture shows: a receiver with a frozen ACK and a working tunnel may look the same."""
    direction, episode = case.direction, case.episode
    if direction is None or episode is None:
        return NO_QUESTION
    end_ns = max(case.flow.row.last_ns, episode.row.new_last_ns)
    peer = case.flow.opposite(direction)
    silent_ns = end_ns - max(peer.row.data_last_ns, episode.row.first_ns)
    frames = [frame for frame in (case.flow.ending.frame, peer.row.data_last_frame) if frame is not None]
    if silent_ns >= PEER_SILENT_NS and silent_ns * 2 >= end_ns - episode.row.first_ns:
        return HOLDS, f"in the last {seconds(silent_ns)} no data came back {way(peer)}", frames
    if case.flow.ending.kind in (EndingKind.FIN, EndingKind.RST, EndingKind.SILENCE):
        if dpd_unanswered(episode):
            asked = count(episode.row.sender_ike, "IKE message")
            return HOLDS, f"{asked} of the sender stayed without an answer until it closed", frames
        if peer_gave_up(case, peer, episode):
            asked = count(episode.row.peer_ike, "IKE message")
            return (
                HOLDS,
                f"the end whose ACK is stuck asked with {asked} for a sign of life, then closed",
                frames,
            )
        return (
            UNKNOWN,
            f"{case.flow.ending.because}, only {seconds(silent_ns)} after the last sign of life",
            frames,
        )
    if peer.row.data_last_ns <= episode.row.first_ns:
        return UNKNOWN, f"the capture ends {seconds(silent_ns)} after the first duplicate ACK", frames
    return FAILS, f"data still came back {way(peer)} when the capture ended", frames


def dpd_unanswered(episode: Episode) -> bool:
    """The sender asked by IKE again and again during the stall, and no IKE came back (RFC 3706 §5.4).

    One message may be the farewell of a user who disconnects: it says nothing about the connection.
    """
    return episode.row.sender_ike >= DUP_THRESH and episode.row.peer_ike == 0


def peer_gave_up(case: Case, peer: Direction, episode: Episode) -> bool:
    """The end whose ACK is stuck closed, after it had sent IKE at twice its former rate or more.

    That is dead-peer detection (RFC 3706 §5.4): it asks because it hears nothing, though the other end sends.
    """
    ending, row, asked = case.flow.ending, episode.row, times_asked(peer, episode)
    if asked < DUP_THRESH or not left_first(case, peer, episode):
        return False
    before_ns = max(1, row.first_ns - case.flow.row.first_ns)
    during_ns = max(1, ending.at_ns - row.first_ns)
    before = peer.row.ike_messages - row.peer_ike - OPENING_IKE
    return asked * before_ns >= 2 * max(0, before) * during_ns


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
