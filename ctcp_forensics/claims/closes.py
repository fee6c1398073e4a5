"""Closes: who closed a flow, whether in order, and whether an RST came from the end that it names.

Knows RSTs, FINs and farewells.  Does not know what else a flow can die of: see endings and silences.
"""

from __future__ import annotations

from typing import Final

from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.case import Case
from ctcp_forensics.claims.death import GOODBYE_NS, IKE_INFORMATIONAL
from ctcp_forensics.claims.identity import ttls
from ctcp_forensics.claims.path import the_reset_was_made_in_between
from ctcp_forensics.claims.silences import VANISHED_NS
from ctcp_forensics.claims.wholeness import the_capture_is_whole
from ctcp_forensics.claims.words import FAILS, HOLDS, OPPOSITE, SECOND, UNKNOWN, seconds, way
from ctcp_forensics.ctcp import ESP_LIKE
from ctcp_forensics.evidence import Answer, claim
from ctcp_forensics.flows import Direction, EndingKind

FAREWELL_NS: Final = 2 * SECOND
"""An ISAKMP informational (a delete) this close before the close announces it."""
NOTHING_TO_COMPARE: Final = "nothing else of its alleged sender was captured to compare the RST with"
ROUTE_CHANGE_HOPS: Final = 3
"""A route that changes adds or saves a few hops; another box starts from another TTL.  Data is made by the
end alone, while a proxy may have made some of its ACKs."""


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
        because = f"{rst_of(case, author)}; data of its alleged sender has {row.data_ttl}"
        return HOLDS, because, [row.rst_frame]
    because = f"{rst_of(case, author)}; other segments of its alleged sender have {ttls(author)}"
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
    because = f"{rst_of(case, author)}; other segments of its alleged sender have {ttls(author)}"
    is_foreign = not row.ttl_min <= row.rst_ttl <= row.ttl_max
    return (HOLDS if is_foreign else FAILS), because, [row.rst_frame]


def rst_of(case: Case, author: Direction) -> str:
    return f"{case.frame(author.row.rst_frame)}, an RST, has TTL {author.row.rst_ttl}"


def reset_author(case: Case) -> Direction | None:
    """The direction in which the ending RST went."""
    ending = case.flow.ending
    if ending.kind != EndingKind.RST:
        return None
    return next(d for d in case.flow.directions if d.name == ending.direction)


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


@claim(
    would_refute="a tunnel of which the ends of messages, or whole frames, were not captured",
    settled_by="a capture with full frames (snap length 0 or packet-length 1522) and without drops",
)
def a_farewell_would_be_seen(case: Case) -> Answer:
    """An IKE informational that announced the close would have been known as one."""
    if case.encapsulation.kind == ESP_LIKE:
        return FAILS, "the trailers were not captured: a farewell of IKE looks like any other message"
    is_whole, why, *_ = the_capture_is_whole.answer(case)
    if case.encapsulation.is_ctcp and is_whole != HOLDS:
        return FAILS, f"a farewell may be among what this capture lacks: {why}"
    return HOLDS, "nothing of its messages was cut off, or it carries none of IPsec"


@claim(
    would_refute="an IKE message of the other end beside it, and an RST half a second or more behind both",
    settled_by="the headend's log: who closed, and why",
)
def the_farewell_was_one(case: Case) -> Answer:
    """The IKE informational before the close was a farewell: it has nothing to do with an IKE message of the other end.

    Dead-peer detection and the delete of a rekeyed association look the same, since their contents are encrypted.
    """
    if case.flow.ending.kind != EndingKind.RST:
        return HOLDS, "no RST ended it"
    if it_was_closed_in_order.answer(case)[0] != HOLDS:
        return FAILS, "no IKE informational announced the RST"
    times = [direction.row.last_ike_ns for direction in case.flow.directions]
    if NEVER in times or max(times) - min(times) > FAREWELL_NS:
        return HOLDS, "no IKE message of the other end is near it"
    since_ns = case.flow.ending.at_ns - max(times)
    if since_ns <= GOODBYE_NS:
        return HOLDS, f"the RST follows within {seconds(max(0, since_ns))}"
    last = [direction.row.last_ike_frame for direction in case.flow.directions]
    because = (
        f"both ends spoke IKE in {case.frame(min(last))} and {case.frame(max(last))}, {seconds(since_ns)} before the "
        "RST: that may be a question and its answer, such as dead-peer detection, and no farewell"
    )
    return UNKNOWN, because, last


def peer_was_alive(case: Case, at_ns: int) -> bool:
    """Both ends had sent within the last seconds before the close, or the end that speaks last had been as silent."""
    if all(at_ns - d.row.last_ns <= VANISHED_NS for d in case.flow.directions):
        return True
    row = case.flow.row
    idle_ns = row.longest_silence_ns if row.silence_to_frame > row.tail_first_frame else 0
    return at_ns - row.tail_first_ns - idle_ns <= VANISHED_NS
