"""Endings: what else a flow can die of: it never began, was refused, too large, moved, or not let in.

Knows handshakes, IKE, sizes, ICMP errors and windows.  Does not know silences and closes: see there.
"""

from __future__ import annotations

from typing import Final

from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.case import Case
from ctcp_forensics.claims.death import IKE_INFORMATIONAL
from ctcp_forensics.claims.passage import it_entered_and_never_left, the_next_capture_went_on
from ctcp_forensics.claims.proof import ETHERNET_SEGMENT_LEN, the_window_had_room, the_window_was_too_small
from ctcp_forensics.claims.silences import REPLY_NS, waits_for_its_user
from ctcp_forensics.claims.wholeness import was_had
from ctcp_forensics.claims.words import FAILS, HOLDS, SECOND, TORN, UNKNOWN, count, way
from ctcp_forensics.episodes import DUP_THRESH, Hole
from ctcp_forensics.evidence import Answer, claim
from ctcp_forensics.flows import Direction, EndingKind, endpoint
from ctcp_forensics.packets import IcmpError

IKE_QUICK_MODE: Final = 32
"""RFC 2409 §5.5, exchange type 32: phase 2, three messages."""
NEGOTIATION_NS: Final = 60 * SECOND
"""A negotiation that comes to nothing is given up by then (ctcp-protocol D12)."""
MTU_HOLES: Final = 3
UNDER_WAY_NS: Final = SECOND
"""What was on its way when a router complained has arrived and been acknowledged by then."""


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
    refused, given_up = (d.row.rst_frame for d in (case.flow.to_client, case.flow.to_headend))
    if refused != NEVER:
        return HOLDS, f"{tried}; refused by the RST in {case.frame(refused)}", [flow.syn_frame, refused]
    if given_up != NEVER:
        because = f"{tried}; given up with an RST of its own in {case.frame(given_up)}"
        return HOLDS, because, [flow.syn_frame, given_up]
    if case.reopened_by is not None:
        again = case.reopened_by.row.syn_frame
        return HOLDS, f"{tried}; {case.frame(again)} tries anew from the same port", [flow.syn_frame, again]
    if case.surroundings.last_ns - flow.first_ns < REPLY_NS:
        return UNKNOWN, f"{tried} before the capture ended", [flow.syn_frame]
    return HOLDS, tried, [flow.syn_frame, flow.last_frame]


@claim(
    would_refute="a SYN that is there once, and neither refused nor given up",
    settled_by="a capture that is not filtered by flags or by direction",
)
def the_syn_was_tried_again(case: Case) -> Answer:
    """The SYN was refused, given up or sent again, as by whoever gets no answer (RFC 6298 §5.4)."""
    row, again = case.flow.row, case.reopened_by
    if row.syns != 1 or row.syn_ack_frame != NEVER:
        return HOLDS, f"{count(row.syns, 'SYN')} and {'no' if row.syn_ack_frame == NEVER else 'a'} SYN-ACK"
    ends = [d.row.rst_frame for d in case.flow.directions if d.row.rst_frame != NEVER]
    ends += [] if again is None else [again.row.syn_frame]
    if ends:
        return HOLDS, f"{case.frame(ends[0])} shows that it came to nothing", ends
    because = "one SYN, which nobody repeats or refuses"
    if case.surroundings.last_ns - row.first_ns < REPLY_NS:
        return UNKNOWN, f"{because} before the capture ended", [row.syn_frame]
    return FAILS, f"{because}: what came of it may pass outside of this capture", [row.syn_frame]


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
    if repeats < 2 and quick_mode_was_completed(case):
        return FAILS, f"{because}: quick mode was completed, and nobody used the tunnel", last
    hidden = why_esp_may_be_hidden(case) if repeats < 2 else None
    if hidden is not None:
        return UNKNOWN, f"{because}: {hidden}", last
    if repeats < 2 and was_not_waited_for(case):
        return UNKNOWN, f"{because} before the same ends began anew: an answer had no time to come", last
    if waits_for_its_user(case):
        return (
            UNKNOWN,
            f"{because}: the headend asks who the user is, and the capture ended before the answer",
            last,
        )
    if repeats >= 2 or case.flow.ending.kind != EndingKind.CAPTURE_ENDED:
        return HOLDS, because, last
    return UNKNOWN, f"{because} before the capture ended", last


def quick_mode_was_completed(case: Case) -> bool:
    """The headend answered it, and the client confirmed it, or was content for a while (RFC 2409 §5.5).

    Who does not like the answer says so at once; who never had it asks again.
    """
    asked, answered = case.flow.to_headend.row, case.flow.to_client.row
    if answered.last_ike_exchange != IKE_QUICK_MODE or asked.last_ike_frame < answered.last_ike_frame:
        return False
    is_content = asked.last_ike_ns - answered.last_ike_ns >= REPLY_NS
    return asked.last_ike_exchange == IKE_QUICK_MODE or is_content


def why_esp_may_be_hidden(case: Case) -> str | None:
    """Bytes that were acknowledged and not captured, or ends that ask each other for signs of life."""
    if any(was_had(hole) for direction in case.flow.directions for hole in direction.unfilled):
        return "but bytes were acknowledged that this capture does not show"
    rows = [direction.row for direction in case.flow.directions]
    are_known = all(row.last_ike_exchange == IKE_INFORMATIONAL for row in rows)
    if are_known and min(row.last_ike_ns for row in rows) - case.flow.row.first_ns >= NEGOTIATION_NS:
        return "but both ends still exchange informationals a minute later, as over a tunnel that nobody uses"
    return None


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
        if smallest > row.max_payload_len and case.is_torn:
            because = f"{way(direction)}: only large segments are missing, and {TORN}: a filter by ports takes them too"
            return UNKNOWN, because, [hole.row.opened_frame for hole in lost[:8]]
        had = [hole.row.acked_frame for hole in lost if was_had(hole)]
        if smallest > row.max_payload_len and had:
            because = f"{way(direction)}: only large segments are missing, and {case.frame(had[0])} acknowledges one"
            return (
                UNKNOWN,
                f"{because} before anything later came: a filter by length takes them too",
                had[:8],
            )
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
    return (
        hole.row.esp_missing > 0 or hole.length <= ETHERNET_SEGMENT_LEN
    )  # a longer one may have held several


def refused_for_their_size(case: Case) -> Answer | None:
    """A router says so (RFC 1191 §4), and what was outstanding then never arrived."""
    if not case.icmp_errors:
        return None
    too_big = [error for error in case.icmp_errors if error.kind == "fragmentation-needed"]
    senders = [sender_quoted(case, error) for error in too_big]
    waiting = any(d.row.next_pos > d.row.acked_pos >= 0 for d in senders)
    is_over = case.flow.ending.kind == EndingKind.FIN
    if not waiting or is_over or all(is_acked_later(case, error) for error in too_big):
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
    if shown[0] == HOLDS:
        return shown
    said = a_firewall_says_no(case)
    return shown if said[0] == FAILS and shown[0] == UNKNOWN and case.connection is not None else said


@claim(
    would_refute="the same segments in a capture of another link or interface",
    settled_by="an asp-drop capture on the firewall, or captures of all links behind it (equal-cost routes, a second "
    "provider, the standby unit)",
    looks_beyond=True,
)
def it_took_no_other_way(case: Case) -> Answer:
    """What does not come through took no other way: a box says that it drops it, or this way is still in use behind."""
    said = a_firewall_says_no(case)
    if said[0] == HOLDS:
        return said
    shown = the_next_capture_went_on.answer(case)
    if shown[0] != UNKNOWN:
        return shown
    return (
        UNKNOWN,
        "no box says that it drops this flow, and nothing shows that its way still leads past the capture behind",
    )


def a_firewall_says_no(case: Case) -> Answer:
    for error in case.icmp_errors:
        if error.kind != "prohibited":
            continue
        went_on = went_on_after(case, error)
        if went_on is not None:
            because = f"the flow went on in {case.frame(went_on)} after ICMP said that it may not"
            return FAILS, because, [error.frame, went_on]
        because = "ICMP administratively prohibited quotes this flow"
        if len(case.icmp_errors) == 1 and is_cut_short(case, error):
            return (
                UNKNOWN,
                f"{because}, and the capture ended before an answer could be missed",
                [error.frame],
            )
        return HOLDS, because, [error.frame]
    return FAILS, "no ICMP error of a filter quotes this flow"


def went_on_after(case: Case, error: IcmpError) -> int | None:
    """A frame that shows that it passes all the same: data of the other end, or its ACK for what was sent later."""
    sender = sender_quoted(case, error)
    answers = case.flow.opposite(sender).row.data_last_frame
    if answers > error.frame:
        return answers
    is_passed = is_acked_later(case, error) or is_acked_to_its_end(sender, error)
    return sender.row.acked_frame if is_passed else None


def is_acked_later(case: Case, error: IcmpError) -> bool:
    """An ACK went on when all that was under way had arrived."""
    row = sender_quoted(case, error).row
    return row.acked_frame > error.frame and row.acked_ns - error.time_ns >= UNDER_WAY_NS


def is_acked_to_its_end(sender: Direction, error: IcmpError) -> bool:
    """It closed after the error, and even its FIN was acknowledged."""
    row = sender.row
    return row.fin_frame > error.frame and row.acked_frame > error.frame and row.acked_pos >= row.next_pos


def is_cut_short(case: Case, error: IcmpError) -> bool:
    """A connection that stands may survive one refusal; a SYN that is refused is no connection yet."""
    stands = the_handshake_failed.answer(case)[0] == FAILS
    is_over = case.flow.ending.kind != EndingKind.CAPTURE_ENDED
    return stands and not is_over and case.surroundings.last_ns - error.time_ns < REPLY_NS


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
