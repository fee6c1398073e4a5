"""Endings: everything else that a flow can die of, and how it then looks."""

from __future__ import annotations

from typing import Final

from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.case import Case
from ctcp_forensics.claims.identity import is_something_else
from ctcp_forensics.claims.passage import it_entered_and_never_left, link_is_cut
from ctcp_forensics.claims.path import the_reset_was_made_in_between
from ctcp_forensics.claims.proof import the_window_had_room, the_window_was_too_small
from ctcp_forensics.claims.stall import GOODBYE_NS, IKE_INFORMATIONAL
from ctcp_forensics.claims.words import FAILS, HOLDS, OPPOSITE, SECOND, UNKNOWN, count, seconds, way
from ctcp_forensics.episodes import DUP_THRESH, Hole
from ctcp_forensics.evidence import Answer, claim
from ctcp_forensics.flows import SPLICED_NS, Direction, EndingKind, endpoint
from ctcp_forensics.packets import IcmpError

IDLE_NS: Final = 60 * SECOND
"""The shortest idle timeout that a stateful box is commonly given for TCP; ASA's default is one hour."""
REPLY_NS: Final = 5 * SECOND
ALONE_SEGMENTS: Final = 3
VANISHED_NS: Final = 10 * SECOND
"""Three segments and ten seconds without a reply: longer than any round trip with its retransmissions."""
LINK_DOWN_SILENCE: Final = 10
"""A silence ten times longer than any before is not the rhythm of the flow."""
BUSY_FRAMES: Final = 20
RHYTHM_NS: Final = 60 * SECOND
"""A flow must have lived so long before a silence can break its rhythm: a user who stops after a few busy
seconds is no broken link."""
FAREWELL_NS: Final = 2 * SECOND
"""An ISAKMP informational (a delete) this close before the close announces it."""
MTU_HOLES: Final = 3
ETHERNET_SEGMENT_LEN: Final = 1460
"""Ethernet's 1,500 bytes less two headers: a longer hole may have held several segments."""
NOTHING_TO_COMPARE: Final = "nothing else of its alleged sender was captured to compare the RST with"
ROUTE_CHANGE_HOPS: Final = 3
"""A route that changes adds or saves a few hops; another box starts from another TTL.  Data is made by the
end alone, while a proxy may have made some of its ACKs."""


@claim(would_refute="a SYN-ACK", settled_by="a capture at the headend's side")
def the_handshake_failed(case: Case) -> Answer:
    """A SYN was sent and the connection was never established."""
    flow = case.flow.row
    if flow.syn_frame == NEVER:
        return FAILS, "no SYN was captured"
    if flow.syn_ack_frame != NEVER:
        return FAILS, f"{case.frame(flow.syn_ack_frame)} is the SYN-ACK", [flow.syn_ack_frame]
    if any(d.row.data_segments or d.row.pure_acks for d in case.flow.directions):
        return FAILS, "segments after the handshake were seen, so the SYN-ACK passed elsewhere"
    tried = f"{count(flow.syns, 'SYN')} and no SYN-ACK"
    refusals = [d.row.rst_frame for d in case.flow.directions if d.row.rst_frame != NEVER]
    if refusals:
        return HOLDS, f"{tried}; refused by the RST in {case.frame(refusals[0])}", [flow.syn_frame, *refusals]
    if case.reopened_by is not None:
        again = case.reopened_by.row.syn_frame
        return HOLDS, f"{tried}; {case.frame(again)} tries anew from the same port", [flow.syn_frame, again]
    if case.surroundings.last_ns - flow.first_ns < REPLY_NS:
        return UNKNOWN, f"{tried} before the capture ended", [flow.syn_frame]
    return HOLDS, tried, [flow.syn_frame, flow.last_frame]


@claim(would_refute="an ESP message", settled_by="the headend's IKE log for this client")
def ike_never_completed(case: Case) -> Answer:
    """IKE messages were exchanged or repeated, and no ESP ever followed."""
    if case.has_esp:
        return FAILS, "ESP messages were seen"
    ike = sum(d.row.ike_messages for d in case.flow.directions)
    repeats = sum(d.row.ike_repeats for d in case.flow.directions)
    if not ike:
        return FAILS, "no IKE message was seen"
    if not any(d.row.ike_opened for d in case.flow.directions):
        return UNKNOWN, "the negotiation began before this capture, if these messages belong to one"
    because = f"{count(ike, 'IKE message')}, {repeats} of them repeated, and no ESP"
    last = [d.row.last_ike_frame for d in case.flow.directions]
    if repeats < 2 and was_not_waited_for(case):
        return UNKNOWN, f"{because} before the same ends began anew: an answer had no time to come", last
    if repeats >= 2 or case.flow.ending.kind != EndingKind.CAPTURE_ENDED:
        return HOLDS, because, last
    return UNKNOWN, f"{because} before the capture ended", last


def was_not_waited_for(case: Case) -> bool:
    """Its place was taken at once by another connection of the same ports, which nobody who waits for IKE does.

    Both sides of a firewall in one file look so, where it numbers anew: two connections that alternate.
    """
    follower, ending = case.reopened_by, case.flow.ending
    is_silent = ending.kind == EndingKind.SILENCE
    return is_silent and follower is not None and follower.row.first_ns - case.flow.row.last_ns < REPLY_NS


@claim(would_refute="a small segment missing too", settled_by="ping with DF set, in steps of size")
def only_large_segments_vanish(case: Case) -> Answer:
    """Segments above a size are lost and smaller ones are not: a path MTU black hole."""
    return (
        large_ones_missing(case)
        or refused_for_their_size(case)
        or (FAILS, "no size divides lost from delivered")
    )


def large_ones_missing(case: Case) -> Answer | None:
    """Three or more missing, all of them larger than all that came.

    What an ordinary TCP acknowledged did arrive, and is a gap of the capture; a cTCP
    receiver acknowledges what it never got.
    """
    for direction in case.flow.directions:
        if len(direction.holes) < MTU_HOLES or len(direction.unfilled) < MTU_HOLES:
            continue
        row = direction.row
        lost = [hole for hole in direction.unfilled if case.may_be_ctcp or not hole.is_acked_past]
        if len(lost) < MTU_HOLES or not all(is_sized(hole) for hole in lost):
            continue
        smallest = min(row.smallest_missing_len, *(hole.length // segments_in(hole) for hole in lost))
        if smallest > row.max_payload_len:
            missing = count(sum(segments_in(hole) for hole in lost), "segment")
            because = (
                f"{way(direction)}: {missing} are missing in {count(len(lost), 'hole')}, {smallest} bytes or more "
                f"a segment; all up to {row.max_payload_len} bytes arrive"
            )
            return HOLDS, because, [hole.row.opened_frame for hole in lost[:8]]
    return None


def segments_in(hole: Hole) -> int:
    return max(1, hole.row.esp_missing)


def is_sized(hole: Hole) -> bool:
    """Whether it is known how many segments a hole held: by their ESP numbers, or because two do not fit."""
    return hole.row.esp_missing > 0 or hole.length <= ETHERNET_SEGMENT_LEN


def refused_for_their_size(case: Case) -> Answer | None:
    """A router says so (RFC 1191 §4), and what was outstanding then never arrived."""
    if not case.icmp_errors:
        return None
    too_big = [error for error in case.icmp_errors if error.kind == "fragmentation-needed"]
    senders = [sender_quoted(case, error) for error in too_big]
    waiting = any(d.row.next_pos > d.row.acked_pos >= 0 for d in senders)
    if not waiting or case.flow.ending.kind == EndingKind.FIN:
        return None
    because = f"ICMP fragmentation needed, MTU {too_big[0].mtu}, quotes this flow, and it did not recover"
    return HOLDS, because, [error.frame for error in too_big[:8]]


@claim(
    would_refute="a segment that passed after the last that came through, or an ICMP error that quotes another flow",
    settled_by="an asp-drop capture on the firewall",
    looks_beyond=True,
)
def a_firewall_drops_it(case: Case) -> Answer:
    """A box on the path drops this flow: it says so (ICMP administratively prohibited), or two captures show it."""
    shown = it_entered_and_never_left.answer(case)
    return shown if shown[0] == HOLDS else a_firewall_says_no(case)


def a_firewall_says_no(case: Case) -> Answer:
    for error in case.icmp_errors:
        if error.kind != "prohibited":
            continue
        answers = case.flow.opposite(sender_quoted(case, error)).row.data_last_frame
        if answers < error.frame:
            return HOLDS, "ICMP administratively prohibited quotes this flow", [error.frame]
        return (
            FAILS,
            f"the flow went on in {case.frame(answers)} after ICMP said that it may not",
            [error.frame],
        )
    return FAILS, "no ICMP error of a filter quotes this flow"


def sender_quoted(case: Case, error: IcmpError) -> Direction:
    """The direction of the datagram that an ICMP error quotes."""
    by_client = endpoint(error.src, error.sport) == case.flow.client
    return case.flow.to_headend if by_client else case.flow.to_client


@claim(would_refute="a SYN on the later flow, or another SPI", settled_by="the translation log of the NAT")
def its_spi_goes_on_elsewhere(case: Case) -> Answer:
    """The same SPI goes on from another address or port, without a SYN."""
    later = case.rebound_to
    if later is None:
        return FAILS, "no other flow goes on with its SPI"
    client = f"{later.client.address}:{later.client.port}"
    return (
        HOLDS,
        f"{case.frame(later.row.first_frame)} goes on with its SPI from {client}",
        [later.row.first_frame],
    )


@claim(would_refute="a window above zero later on", settled_by="a capture at the receiver")
def the_window_stayed_closed(case: Case) -> Answer:
    """The receiver's window closed, or grew too small for a segment, and never opened again."""
    too_small = the_window_was_too_small(case)
    if too_small is not None:
        return too_small
    for direction in case.flow.directions:
        receiver = case.flow.opposite(direction).row
        is_closed = receiver.last_window == 0 and receiver.zero_windows >= 2
        tried = tried_in_vain(direction) if is_closed else None
        if tried is not None and was_asked_with_room(case, direction):
            return (
                UNKNOWN,
                "a byte was asked for again and again while the window had room: what is held back behind it may have "
                "closed the window",
            )
        if tried is not None:
            because = (
                f"{count(receiver.zero_windows, 'segment')} with window 0, the last of its sender among them; "
                f"{tried} {way(direction)}"
            )
            return HOLDS, because, [receiver.last_frame, direction.row.last_frame]
    return FAILS, "no window stayed at zero"


def was_asked_with_room(case: Case, direction: Direction) -> bool:
    """A proxy whose queue fills behind a hole has a smaller window each time (ctcp-protocol D15)."""
    episode = case.episode
    is_asked = case.direction is direction and episode is not None and episode.asks >= DUP_THRESH
    return is_asked and the_window_had_room.answer(case)[0] == HOLDS


def tried_in_vain(direction: Direction) -> str | None:
    """A TCP probes a closed window; a cTCP heeds none and goes on into it (ctcp-protocol D15)."""
    row = direction.row
    probes = row.keep_alives + row.zero_window_probes
    if probes:
        return count(probes, "probe")
    pushed_len = row.next_pos - row.acked_pos
    return f"{pushed_len} bytes pushed into it" if row.acked_pos >= 0 and pushed_len > 0 else None


@claim(
    would_refute="data or keep-alives within the silence",
    settled_by="the connection's timeout on the firewall",
)
def it_did_not_survive_a_silence(case: Case) -> Answer:
    """After a long silence of both ends the first segment had no answer, or an RST."""
    row = case.flow.row
    if row.longest_silence_ns < IDLE_NS:
        return FAILS, f"the longest silence was {seconds(row.longest_silence_ns)}"
    if row.longest_silence_ns >= SPLICED_NS:
        return UNKNOWN, f"{seconds(row.longest_silence_ns)} between two frames is a jump of the clock"
    speaker = case.flow.sent_by(row.silence_to_direction)
    other = case.flow.opposite(speaker).row
    silence = f"{seconds(row.longest_silence_ns)} of silence, then {case.frame(row.silence_to_frame)}"
    frames = [row.silence_from_frame, row.silence_to_frame]
    if speaker.row.rst_frame == row.silence_to_frame:
        return FAILS, f"{silence}, an RST, which asks for no answer", frames
    if other.last_frame < row.silence_to_frame:
        return no_answer(case, silence, frames)
    only_reset = other.rst_frame > row.silence_to_frame and other.data_last_frame < row.silence_to_frame
    if only_reset and other.rst_frame == case.flow.ending.frame:  # a box may send it twice
        return (
            HOLDS,
            f"{silence} was answered by the RST in {case.frame(other.rst_frame)}",
            [*frames, other.rst_frame],
        )
    return FAILS, f"{silence} was answered"


def no_answer(case: Case, silence: str, frames: list[int]) -> Answer:
    """An answer is missing only if there was time for it."""
    row = case.flow.row
    speaker = case.flow.sent_by(row.silence_to_direction)
    began_ns = row.tail_first_ns
    if row.tail_first_frame < row.silence_to_frame:  # the same end had spoken last before the silence
        began_ns += row.longest_silence_ns
    closed = speaker.row.rst_frame != NEVER
    over_ns = speaker.row.rst_ns if closed else case.surroundings.last_ns
    waited_ns = over_ns - began_ns
    if row.tail_frames >= ALONE_SEGMENTS and waited_ns >= REPLY_NS:
        alone = f"the last {count(row.tail_frames, 'frame')} all go {way(speaker)}"
        return HOLDS, f"{silence} had no answer; {alone}", frames
    return UNKNOWN, f"{silence}; the capture is over before an answer could be missed", frames


@claim(
    would_refute="an RST with the TTL of its alleged sender",
    settled_by="a capture at the side of the alleged sender: the RST is absent there",
    looks_beyond=True,
)
def the_reset_came_from_elsewhere(case: Case) -> Answer:
    """The RST was not made by the end whose address it bears."""
    author = reset_author(case)
    if author is None:
        return FAILS, "there was no RST that ended the flow"
    shown = the_reset_was_made_in_between.answer(case)
    if shown[0] != UNKNOWN:
        return shown
    row = author.row
    if row.ttl_min == NEVER:
        return UNKNOWN, NOTHING_TO_COMPARE, [row.rst_frame]
    if row.data_ttl != NEVER and abs(row.rst_ttl - row.data_ttl) > ROUTE_CHANGE_HOPS:
        because = f"its TTL is {row.rst_ttl}, data of its alleged sender has {row.data_ttl}"
        return HOLDS, because, [row.rst_frame]
    because = f"its TTL is {row.rst_ttl}, other segments of its alleged sender have {ttl_range(author)}"
    if not row.ttl_min <= row.rst_ttl <= row.ttl_max:
        return HOLDS, because, [row.rst_frame]
    # Only the ends of the range were seen for certain: between them the RST may be another's.
    away = min(abs(row.rst_ttl - one) for one in (row.data_ttl, row.ttl_min, row.ttl_max))
    return (FAILS if away <= 1 else UNKNOWN), because, [row.rst_frame]


@claim(
    would_refute="an RST with the TTL of its alleged sender's other segments",
    settled_by="a capture at the side of the alleged sender: the RST is absent there",
)
def the_reset_has_a_ttl_of_its_own(case: Case) -> Answer:
    """The RST has a TTL that no other segment of its alleged sender has: one absent frame may be a dropped one."""
    author = reset_author(case)
    if author is None:
        return FAILS, "there was no RST that ended the flow"
    row = author.row
    if row.ttl_min == NEVER:
        return UNKNOWN, NOTHING_TO_COMPARE, [row.rst_frame]
    because = f"its TTL is {row.rst_ttl}, other segments of its alleged sender have {ttl_range(author)}"
    is_foreign = not row.ttl_min <= row.rst_ttl <= row.ttl_max
    return (HOLDS if is_foreign else FAILS), because, [row.rst_frame]


def reset_author(case: Case) -> Direction | None:
    """The direction in which the ending RST went."""
    ending = case.flow.ending
    if ending.kind != EndingKind.RST:
        return None
    return next(d for d in case.flow.directions if d.name == ending.direction)


def ttl_range(direction: Direction) -> str:
    low, high = direction.row.ttl_min, direction.row.ttl_max
    return str(low) if low == high else f"{low} to {high}"


@claim(
    would_refute="no RST, or one with another TTL than its alleged sender's",
    settled_by="a capture at the side of the alleged sender: is the RST there?",
    looks_beyond=True,
)
def an_end_reset_it(case: Case) -> Answer:
    """One end closed the flow with an RST of its own."""
    author = reset_author(case)
    if author is None:
        return FAILS, "there was no RST that ended the flow"
    outcome = the_reset_came_from_elsewhere.answer(case)[0]
    return (
        OPPOSITE[outcome],
        f"{case.frame(author.row.rst_frame)} is an RST that went {way(author)}",
        [author.row.rst_frame],
    )


@claim(would_refute="an RST in the middle of a burst, or no close at all")
def it_was_closed_in_order(case: Case) -> Answer:
    """The flow was closed in order: by FIN, or by an RST that an IKE informational announced."""
    ending = case.flow.ending
    if ending.kind == EndingKind.FIN:
        return HOLDS, ending.because, [ending.frame or 0]
    if ending.kind != EndingKind.RST:
        return FAILS, ending.because
    for direction in case.flow.directions:
        row = direction.row
        said_goodbye = (
            row.last_ike_exchange == IKE_INFORMATIONAL
            and -GOODBYE_NS <= ending.at_ns - row.last_ike_ns <= FAREWELL_NS
        )
        if said_goodbye and peer_was_alive(case, ending.at_ns):
            because = f"an IKE informational in {case.frame(row.last_ike_frame)}, then {ending.because}"
            return HOLDS, because, [row.last_ike_frame, ending.frame or 0]
    return FAILS, f"{ending.because}, and no IKE informational announced it"


def peer_was_alive(case: Case, at_ns: int) -> bool:
    """Both ends had sent within the last seconds before the close."""
    return all(at_ns - d.row.last_ns <= VANISHED_NS for d in case.flow.directions)


@claim(
    would_refute="any frame of the silent end",
    settled_by="a capture at the silent end's side: did it send, did it receive?",
)
def one_end_fell_silent(case: Case) -> Answer:
    """One end said nothing more while the other went on sending."""
    return (
        frames_without_reply(case)
        or messages_without_reply(case)
        or (FAILS, "neither end went on alone for long")
    )


def frames_without_reply(case: Case) -> Answer | None:
    """Not even a bare ACK came back."""
    row = case.flow.row
    speaker = case.flow.sent_by(row.tail_direction)
    silent, alone_ns = case.flow.opposite(speaker), speaker.row.last_ns - row.tail_first_ns
    if row.tail_data_segments < ALONE_SEGMENTS or alone_ns < VANISHED_NS or not silent.row.frames:
        return None
    because = (
        f"the last {count(row.tail_frames, 'frame')} in {seconds(alone_ns)} all go {way(speaker)}, "
        f"{row.tail_data_segments} of them with data; nothing comes back"
    )
    frames = [silent.row.last_frame, row.tail_first_frame, row.last_frame]
    if is_content(case, speaker):
        return UNKNOWN, f"{because}, and yet nothing is sent twice: its ACKs may pass elsewhere", frames
    if may_be_one_way(case, speaker, silent.row.last_ns):
        return UNKNOWN, f"{because}; a stream that goes one way looks the same so far", frames
    return HOLDS, because, frames


def may_be_one_way(case: Case, speaker: Direction, silent_since_ns: int) -> bool:
    """A tunnel may carry a stream that needs no answer; only a close, a silence or IKE in vain shows more."""
    asked_in_vain = speaker.row.last_ike_ns > silent_since_ns
    return case.may_be_ctcp and case.flow.ending.kind == EndingKind.CAPTURE_ENDED and not asked_in_vain


def is_content(case: Case, speaker: Direction) -> bool:
    """A TCP without ACKs sends again (RFC 6298 §5.4); one that does not had them, out of this capture's sight."""
    return is_something_else.answer(case)[0] == HOLDS and not speaker.row.retransmissions


def messages_without_reply(case: Case) -> Answer | None:
    """Bare ACKs may still come back, made by a box on the path; IPsec messages do not."""
    row = case.flow.row
    if not case.may_be_ctcp or row.data_tail_direction == NEVER:
        return None
    speaker = case.flow.sent_by(row.data_tail_direction)
    silent = case.flow.opposite(speaker)
    since_ns = case.flow.ended_ns - silent.row.data_last_ns
    if row.data_tail_segments < ALONE_SEGMENTS or since_ns < VANISHED_NS or not silent.row.data_segments:
        return None
    because = (
        f"{case.frame(silent.row.data_last_frame)} is the last message {way(silent)}; {row.data_tail_segments} more go "
        f"{way(speaker)}, and in {seconds(since_ns)} nothing but bare ACKs comes back"
    )
    frames = [silent.row.data_last_frame, row.data_tail_first_frame, speaker.row.data_last_frame]
    if may_be_one_way(case, speaker, silent.row.data_last_ns):
        return UNKNOWN, f"{because}; a stream that goes one way looks the same so far", frames
    return HOLDS, because, frames


@claim(
    would_refute="any later frame of the flow, or, with captures at two places, one that passed from one to the other",
    settled_by="a capture of the link itself, or the interface log",
    looks_beyond=True,
)
def both_ends_fell_silent_at_once(case: Case) -> Answer:
    """The flow stopped in the middle of its work while the capture went on, or a link between two passes nothing."""
    cut = link_is_cut(case)
    if cut is not None and one_end_fell_silent.answer(case)[0] == HOLDS:
        return cut
    ending, row = case.flow.ending, case.flow.row
    if ending.kind != EndingKind.SILENCE:
        return FAILS, ending.because
    silent_ns = case.surroundings.last_ns - row.last_ns
    busy = row.longest_silence_ns * LINK_DOWN_SILENCE <= silent_ns and row.frames >= BUSY_FRAMES
    busy = busy and row.last_ns - row.first_ns >= RHYTHM_NS
    waiting = any(d.row.next_pos > d.row.acked_pos >= 0 for d in case.flow.directions)
    if busy and waiting:
        because = f"{ending.because}; until then it was never silent for more than {seconds(row.longest_silence_ns)}"
        return HOLDS, because, [row.last_frame]
    return FAILS, "the flow had been as silent before, or owed nothing"
