"""Verdicts: a table of diagnoses, each with what it requires, what refutes it and what leaves a doubt.

The first row whose requirements all hold and which nothing refutes is taken: see judgement.  The
rows are ordered from cause to consequence: what killed a flow stands before what its
death looked like.  Knows claims.  Does not know how a claim is checked: see claims.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ctcp_forensics import claims
from ctcp_forensics.evidence import Claim

UNANSWERED = "unanswered-duplicate-acks"
INSUFFICIENT = "insufficient-evidence"


class Confidence(StrEnum):
    """How much a verdict can bear.  One capture alone never proves who made the ACKs."""

    PROVEN = "proven"
    STRONG = "strong"
    CONSISTENT = "consistent"
    UNDETERMINED = "undetermined"


class Role(StrEnum):
    """What a claim is to a verdict."""

    PROOF = "proof"
    GUARD = "guard"
    REFUTATION = "refutation"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One diagnosis that we are prepared to give."""

    slug: str
    title: str
    means: str
    requires: tuple[Claim, ...]
    refuted_by: tuple[Claim, ...] = ()
    doubts: tuple[Claim, ...] = ()
    """Claims that should hold as well: where one does not, the verdict is *consistent* and no more."""
    proven_by: tuple[Claim, ...] = ()
    """Claims that only several captures of one path can show; where all of them hold, the verdict is *proven*."""
    confidence: Confidence = Confidence.STRONG
    looks_like: str = ""
    """What else shows the same picture, and how the two are told apart."""


LINKS: dict[str, tuple[Claim, ...]] = {
    "a segment is missing": (claims.a_segment_is_missing,),
    "it was asked for, and nobody answered": (
        claims.it_was_asked_for,
        claims.the_window_had_room,
        claims.the_asking_follows_the_data,
        claims.nobody_answered,
        claims.the_sender_never_repeats,
    ),
    "the flow stalled and died while its sender was still sending": (
        claims.the_ack_never_moved_again,
        claims.the_sender_went_on,
        claims.the_capture_outlasts_the_stall,
        claims.the_flow_is_dead,
    ),
}
"""The three links of the proof, and what each needs."""

PROOF = tuple(claim for link in LINKS.values() for claim in link)

HIDING = (
    claims.only_one_direction_was_seen,
    claims.two_places_are_mixed,
    claims.the_directions_stand_apart,
    claims.the_frames_are_shuffled,
)
"""What hides the conversation, whatever else a capture shows: half of it is not there, two places are mixed, its
directions stand one behind the other, or its frames in no order at all."""
MISLEADING = HIDING[1:]
"""Of what such a capture shows nothing can be believed."""

NOTHING_HIDDEN = (claims.a_question_is_left_open, *HIDING)
"""What would refute any verdict that looks at how the flow ended: the end may be the effect of these."""

NOTHING_LATER = (claims.it_was_followed_to_its_end,)
"""What makes a verdict doubtful that rests on what did not come: it may have come after the flow's place was needed."""

NOTHING_UNREAD = (claims.the_capture_is_whole, *NOTHING_LATER)
"""What makes a verdict doubtful that rests on what is absent: it may have been in what the capture lost, and what is
missing may be missing from the capture alone."""

VERDICTS: tuple[Verdict, ...] = (
    Verdict(
        slug=UNANSWERED,
        title="Unanswered duplicate ACKs (Cisco TAC 113578)",
        means=(
            "A segment was lost. A device that follows the connection as a full TCP proxy asks for it with "
            "duplicate ACKs. IPsec over TCP never sends anything again, so the device waits for ever and "
            "the connection dies while its sender is still sending."
        ),
        requires=PROOF,
        refuted_by=(
            claims.is_something_else,
            *HIDING,
            claims.an_answer_is_in_another_capture,
        ),
        proven_by=(claims.the_acks_were_made_in_between, claims.nothing_passed_behind_the_hole),
        doubts=(
            claims.carries_ctcp,
            claims.the_end_was_seen,
            claims.the_asking_is_heard_to_the_end,
            claims.the_receiver_had_followed,
            claims.the_capture_is_whole,
            claims.away_from_the_wrap,
            *NOTHING_LATER,
        ),
        looks_like=(
            "A headend on a real TCP stack would ask the same way: a capture on the headend side of the "
            "firewall shows whether the duplicate ACKs exist there too. One that was over or blind meanwhile lacks "
            "them as well: it is believed where it shows other frames between the first and the last of them, and "
            "something of this flow after the first."
        ),
    ),
    Verdict(
        slug="handshake-failed",
        title="The TCP handshake failed",
        means="A SYN was sent and no connection came of it, so IPsec over TCP never began.",
        requires=(claims.the_handshake_failed,),
        doubts=(claims.the_syn_was_tried_again, *NOTHING_LATER),
    ),
    Verdict(
        slug="negotiation-failed",
        title="IKE never completed",
        means="The TCP connection stood and IKE messages were exchanged or repeated, but no tunnel came of it.",
        requires=(claims.carries_ctcp, claims.ike_never_completed),
        refuted_by=NOTHING_HIDDEN,
        doubts=NOTHING_LATER,
    ),
    Verdict(
        slug="path-mtu-black-hole",
        title="Large segments vanish (path MTU black hole)",
        means="Segments above a certain size never arrive and smaller ones do.",
        requires=(claims.only_large_segments_vanish,),
        refuted_by=HIDING,
        confidence=Confidence.CONSISTENT,
    ),
    Verdict(
        slug="firewall-drop",
        title="A filter on the path drops the flow",
        means="A box on the path says that it does not let this flow pass, or captures on both of its sides show it.",
        requires=(claims.a_firewall_drops_it,),
        doubts=(claims.it_took_no_other_way, *NOTHING_LATER),
        proven_by=(
            claims.it_entered_and_never_left,
            claims.the_next_capture_went_on,
            claims.the_two_sides_are_confirmed,
        ),
        looks_like=(
            "A second capture that was blind or over meanwhile, and two captures of one network on either side of "
            "nothing, lack the same segments, and so does one beside the way that the flow now takes (another of "
            "several equal routes, a second link, the standby unit): what the second one still shows of this flow, and "
            "what a box changes, tell them apart; or else an asp-drop capture."
        ),
    ),
    Verdict(
        slug="nat-rebinding",
        title="The address translation changed in mid-flow",
        means="The client goes on from another address or port that the headend does not know.",
        requires=(claims.its_spi_goes_on_elsewhere,),
    ),
    Verdict(
        slug="window-stall",
        title="The receiver's window stayed closed, or too small",
        means="The receiver's window closed, or grew too small for a segment, and nothing more could be delivered.",
        requires=(claims.the_window_stayed_closed,),
        refuted_by=MISLEADING,
        doubts=NOTHING_LATER,
    ),
    Verdict(
        slug="idle-timeout",
        title="The connection was forgotten during a silence",
        means="After a long silence of both ends a box on the path no longer knew the connection.",
        requires=(claims.it_did_not_survive_a_silence,),
        refuted_by=(*NOTHING_HIDDEN, claims.it_went_on_elsewhere),
        confidence=Confidence.CONSISTENT,
    ),
    Verdict(
        slug="reset-by-middlebox",
        title="A box on the path reset the connection",
        means="The RST bears the address of one end and was made by something else.",
        requires=(claims.the_reset_came_from_elsewhere,),
        refuted_by=(claims.a_question_is_left_open, *MISLEADING),
        doubts=(claims.the_reset_has_a_ttl_of_its_own,),
        proven_by=(claims.the_reset_was_made_in_between,),
        confidence=Confidence.CONSISTENT,
        looks_like=(
            "An end that came up anew, or whose tunnel and whose TCP are two programs, sends an RST with another TTL "
            "than its data: a capture next to that end shows whether the RST leaves it."
        ),
    ),
    Verdict(
        slug="peer-vanished",
        title="One end fell silent",
        means=(
            "One end went on sending and nothing came back: the other end or the path from it was gone, or what came "
            "back passed outside of this capture."
        ),
        requires=(claims.one_end_fell_silent,),
        refuted_by=(
            *NOTHING_HIDDEN,
            claims.what_was_said_last_never_arrived,
            claims.it_went_on_elsewhere,
        ),
        confidence=Confidence.CONSISTENT,
    ),
    Verdict(
        slug="link-down",
        title="Both ends fell silent at once",
        means="In the middle of its work the whole flow stopped, while the capture went on: the link was gone.",
        requires=(claims.both_ends_fell_silent_at_once,),
        refuted_by=(claims.a_question_is_left_open, *MISLEADING, claims.it_went_on_elsewhere),
        confidence=Confidence.CONSISTENT,
        looks_like=(
            "A client that is put to sleep or switched off, where nothing was due from the headend: ask its user, or "
            "look whether its other traffic went on."
        ),
    ),
    Verdict(
        slug="answered",
        title="Duplicate ACKs were answered",
        means="Segments were lost, asked for and sent again: a TCP that does what TCP does.",
        requires=(claims.questions_were_answered,),
        refuted_by=(*NOTHING_HIDDEN, claims.what_was_said_last_never_arrived),
    ),
    Verdict(
        slug="reset-by-endpoint",
        title="One end reset the connection",
        means="One of the two ends closed the connection with an RST of its own, and nothing announced it.",
        requires=(claims.an_end_reset_it,),
        refuted_by=(claims.it_was_closed_in_order, *NOTHING_HIDDEN),
        doubts=(claims.a_farewell_would_be_seen,),
    ),
    Verdict(
        slug="loss-tolerated",
        title="Loss, and nobody minded",
        means="Segments were lost and the connection went on, as IPsec over TCP does where nothing follows its TCP.",
        requires=(claims.looks_like_ctcp, claims.loss_was_seen, claims.both_ends_went_on),
        refuted_by=NOTHING_HIDDEN,
        doubts=(
            claims.carries_ctcp,
            claims.nobody_is_left_waiting,
            claims.nothing_took_its_place,
            claims.a_question_would_be_seen,
            *NOTHING_UNREAD,
        ),
    ),
    Verdict(
        slug="orderly-close",
        title="Closed in order",
        means="The connection worked and one end closed it.",
        requires=(claims.looks_like_ctcp, claims.it_was_closed_in_order, claims.nothing_is_wrong),
        refuted_by=NOTHING_HIDDEN,
        doubts=(
            claims.carries_ctcp,
            claims.the_farewell_was_one,
            claims.nobody_is_left_waiting,
            claims.nobody_waited_when_it_closed,
            *NOTHING_UNREAD,
        ),
        looks_like=(
            "Dead-peer detection, or the delete of a rekeyed association, just before an RST that nobody announced; a "
            "failure that its user cuts short by disconnecting: the headend's log tells them apart."
        ),
    ),
    Verdict(
        slug="not-ctcp",
        title="Not IPsec over TCP",
        means="The flow carries something else, so TAC 113578 does not concern it, however it fared.",
        requires=(claims.is_something_else,),
    ),
    Verdict(
        slug="healthy",
        title="Healthy",
        means="IPsec over TCP at work: nothing missing, nothing left open.",
        requires=(claims.looks_like_ctcp, claims.nothing_is_wrong),
        refuted_by=NOTHING_HIDDEN,
        doubts=(
            claims.carries_ctcp,
            claims.nobody_is_left_waiting,
            claims.nothing_took_its_place,
            claims.a_question_would_be_seen,
            *NOTHING_UNREAD,
        ),
    ),
    Verdict(
        slug=INSUFFICIENT,
        title="Not enough evidence",
        means="Something is wrong or hidden here, and this capture cannot show what.",
        requires=(),
        confidence=Confidence.UNDETERMINED,
    ),
)

FLAGSHIP = VERDICTS[0]
CONFIDENCES = tuple(Confidence)
SURE = (Confidence.PROVEN, Confidence.STRONG)

OF_A_PATH = (
    claims.the_acks_were_made_in_between,
    claims.nothing_passed_behind_the_hole,
    claims.an_answer_is_in_another_capture,
    claims.the_reset_was_made_in_between,
    claims.it_entered_and_never_left,
    claims.the_next_capture_went_on,
    claims.the_two_sides_are_confirmed,
    claims.what_was_said_last_never_arrived,
    claims.it_went_on_elsewhere,
)
"""Claims that one capture leaves unknown, whatever it shows."""

TRUE_OF_ONE_PLACE = (
    claims.is_something_else,
    *HIDING,
    claims.it_went_on_elsewhere,
)
"""Refutations that say something of a capture, not of the connection."""

LINK_OF = {claim.name: title for title, link in LINKS.items() for claim in link}


def link_of(name: str) -> str:
    """The link of the proof that a claim belongs to; empty for all others."""
    return LINK_OF.get(name, "")
