"""Proof: the first two links of an unanswered question, and the guards of ctcp-protocol §5.

A segment is missing; it was asked for, and nobody answered.  All of them look at the question that was still open at
the end.  The third link is in stall and death.
"""

from __future__ import annotations

from typing import Final

from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.case import Case
from ctcp_forensics.claims.path import nothing_passed_behind_the_hole, the_acks_were_made_in_between
from ctcp_forensics.claims.words import FAILS, HOLDS, NO_QUESTION, SECOND, UNKNOWN, count, seconds, way
from ctcp_forensics.episodes import DUP_THRESH, Episode, Hole
from ctcp_forensics.evidence import Answer, claim
from ctcp_forensics.flows import Direction, Flow

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
ETHERNET_SEGMENT_LEN: Final = 1460
"""Ethernet's 1,500 bytes less two headers."""


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
        fate = "refused" if the_window_had_room.answer(case)[0] is FAILS else "lost"
        because = (
            f"{case.frame(episode.missing_segment_frame)} carries byte {episode.wanted_seq} past this capture point; "
            f"the ACKs behind it still ask for that byte, so it was {fate} further on"
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
    takes_time=True,
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
    needed = largest_segment_len(case.flow, direction)
    because = f"the window offers {window} bytes, the largest segment has {needed}"
    if window >= needed:
        return HOLDS, because, [episode.row.first_frame]
    hole = hole_at(direction, episode.row.wanted_pos)
    if hole is not None and window >= hole.length:
        because += f", and all that is missing where it asks {hole.length}"
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
    if the_window_had_room.answer(case)[0] != FAILS:
        return None
    evidence = the_window_had_room(case)
    return HOLDS, f"the window stayed too small: {evidence.because}", evidence.frames


def largest_segment_len(flow: Flow, direction: Direction) -> int:
    """Of those that went over a wire: a host's own capture shows what its card has yet to cut, or has put together.

    What was cut is no larger than the MSS of its receiver (RFC 9293 §3.7.1); where no SYN tells that, than Ethernet has
    room for.  A message by itself that is larger shows a sender who heeds no MSS.
    """
    longest, mss = direction.row.max_payload_len, max(0, flow.opposite(direction).row.mss)
    if direction.row.merged_segments:
        return min(longest, mss or ETHERNET_SEGMENT_LEN)
    return min(longest, mss or longest) if longest > ETHERNET_SEGMENT_LEN else longest


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
    if answer[0] != UNKNOWN or nothing_passed_behind_the_hole.answer(case)[0] != HOLDS:
        return answer
    return HOLDS, f"{answer[1]}; but {the_acks_were_made_in_between.answer(case)[1]}"


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
    if may_be_copies(episode) and period_ns(episode) >= KEEP_ALIVE_NS:
        times = f"they come at {apart_asks(episode)} times, {seconds(period_ns(episode))} apart on average"
        return f"{times}: a keep-alive that was captured twice may be all they are"
    if episode.asks * FEWEST_ASKS < row.new_segments and not comes_in_lumps(episode):
        return f"only {episode.asks} for {row.new_segments} new segments: a timer may send them"
    return None


def may_be_copies(episode: Episode) -> bool:
    """As many of them as stand apart have another close behind, or fewer, and no data in between prompted it.

    A mirror port that doubles ACKs makes such pairs, and where the packets have no ID (IPv6; RFC 6864 §4.1) nothing
    else tells.
    """
    close = episode.row.close_asks
    return 0 < close <= apart_asks(episode) and episode.row.prompted <= apart_asks(episode)


def apart_asks(episode: Episode) -> int:
    """Those that are not close behind another."""
    return episode.asks - episode.row.close_asks


def period_ns(episode: Episode) -> int:
    """From one of these to the next, on average."""
    return (episode.row.last_ns - episode.row.first_ns) // max(1, apart_asks(episode) - 1)


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
