"""Offers: which steps belong to which verdict, in which situations, and in which order.

Knows the order and its reasons.  Does not know what a step says: see documented, next_steps, capturing.

Only the unanswered duplicate ACK is offered the fixes of TAC 113578: for any other death they would be a
change without a reason.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from ctcp_forensics.advice import capturing, documented, next_steps
from ctcp_forensics.advice.conditions import (
    both,
    could_be_surer,
    firewall_cleared,
    firewall_not_cleared,
    is_ctcp,
    is_ipv4,
    is_mixed,
    is_not_ctcp,
    is_not_misled,
    is_open,
    is_undetermined,
    is_unsorted,
    lacks_both_sides,
    lacks_client_side,
    lacks_headend_side,
    lacks_the_other_side,
    loss_in_the_firewall,
    loss_not_located,
    loss_on_a_leg,
    of_its_kind,
    only_large_ipv4_packets_lost,
    only_large_packets_lost,
)
from ctcp_forensics.advice.step import (
    Condition,
    Draft,
    Recommendation,
    Situation,
    Step,
    always,
    applying,
    blanks_of,
    filled,
)

KINDS_REMEMBERED: Final = 256
"""Situations of flows whose ends do not matter: a capture of one firewall has a dozen."""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A step in its place of an order, and the situations in which it is offered there."""

    step: Step
    when: Condition = always


def _offers(*steps: Step) -> tuple[Offer, ...]:
    return tuple(Offer(step=step) for step in steps)


_KEEP_ALIVES = (
    Offer(step=next_steps.SEND_CTCP_KEEP_ALIVES, when=is_ctcp),
    Offer(step=next_steps.SEND_KEEP_ALIVES, when=is_not_ctcp),
)

_TAKE_CAPTURES = (
    (capturing.TAKE_CAPTURES, lacks_both_sides),
    (capturing.CAPTURE_TOWARDS_HEADEND, lacks_headend_side),
    (capturing.CAPTURE_TOWARDS_CLIENT, lacks_client_side),
)


def _captures(when: Condition) -> tuple[Offer, ...]:
    """More captures, and only those that are not there yet."""
    return tuple(Offer(step=step, when=both(when, lacking)) for step, lacking in _TAKE_CAPTURES)


# What entered the firewall and did not leave it has a reason there, whatever came of it.
_NAME_THE_DROP = Offer(step=capturing.NAME_THE_DROP, when=loss_in_the_firewall)

OFFERS: dict[str, tuple[Offer, ...]] = {
    "unanswered-duplicate-acks": (
        # A weak verdict is no reason to change a network: look first.
        *_captures(is_undetermined),
        # Another box than the one that was looked at: nothing that is done to this one helps.
        Offer(step=next_steps.FIND_THE_PROXY, when=firewall_cleared),
        # Where only large packets are lost, the cause of the loss is known and kills UDP as well.
        Offer(step=next_steps.LOWER_THE_MTU, when=only_large_packets_lost),
        Offer(step=next_steps.CLEAR_DF, when=only_large_ipv4_packets_lost),
        Offer(step=next_steps.ALLOW_ICMP_TOO_BIG, when=only_large_packets_lost),
        *_offers(
            documented.IPSEC_OVER_UDP,  # at the client, reversible, whatever box it is that waits
            documented.NATIVE_ESP,
            documented.ANYCONNECT,
        ),
        # The document's stopgap: needs the box, and costs security.
        Offer(step=documented.TCP_STATE_BYPASS, when=firewall_not_cleared),
        Offer(step=documented.REPAIR_LOSS, when=loss_not_located),
        Offer(step=documented.REPAIR_LOCATED_LOSS, when=loss_on_a_leg),
        _NAME_THE_DROP,
        Offer(step=documented.TCP_STATE_BYPASS, when=firewall_cleared),  # on the other box, once it is found
        Offer(step=documented.EXCLUDE_FROM_INSPECTION),  # last: not the document's
        *_captures(could_be_surer),
    ),
    "path-mtu-black-hole": (
        Offer(step=next_steps.LOWER_THE_MTU),
        Offer(step=next_steps.CLEAR_DF, when=is_ipv4),  # IPv6 has no such bit
        Offer(step=next_steps.ALLOW_ICMP_TOO_BIG),
    ),
    "firewall-drop": _offers(capturing.NAME_THE_DROP),
    "reset-by-middlebox": (*_offers(next_steps.FIND_THE_RESETTER), *_captures(is_open)),
    "nat-rebinding": (*_KEEP_ALIVES, *_offers(next_steps.HOLD_THE_TRANSLATION)),
    "idle-timeout": (*_KEEP_ALIVES, *_offers(next_steps.LONGER_IDLE_TIMEOUT)),
    "window-stall": _offers(next_steps.FIND_THE_CLOSED_WINDOW),
    "handshake-failed": _offers(next_steps.OPEN_THE_PORT),
    "negotiation-failed": _offers(next_steps.CHECK_THE_NEGOTIATION),
    "peer-vanished": (
        _NAME_THE_DROP,
        Offer(step=next_steps.FIND_THE_PEER),
        *_captures(lacks_the_other_side),  # from behind it, TAC 113578 looks the same
    ),
    "link-down": _offers(next_steps.REPAIR_THE_LINK),
    "reset-by-endpoint": _offers(next_steps.READ_THE_ENDPOINT_LOG),
    "insufficient-evidence": (
        # It is all there already, in a form that hides it.
        Offer(step=capturing.SPLIT_THE_CAPTURE, when=is_mixed),
        Offer(step=capturing.SORT_THE_CAPTURE, when=is_unsorted),
        _NAME_THE_DROP,
        *_captures(is_not_misled),
    ),
    "loss-tolerated": (*_offers(next_steps.NOTHING_TO_REPAIR), _NAME_THE_DROP),
    "answered": (),
    "orderly-close": (),
    "healthy": (),
    "not-ctcp": (),
}


def has_advice(verdict: str) -> bool:
    """Whether there is ever anything to do: of what is well the situation need not be worked out."""
    return OFFERS.get(verdict) != ()


def recommend(situation: Situation) -> tuple[Recommendation, ...]:
    """What to do, best first.  ValueError for an unknown verdict and for what is no address or port."""
    blanks = blanks_of(situation)
    return tuple([filled(draft, blanks) for draft in drafts_of(of_its_kind(situation))])


@lru_cache(maxsize=KINDS_REMEMBERED)
def drafts_of(kind: Situation) -> tuple[Draft, ...]:
    """Chosen once for all flows of a kind."""
    return tuple(Draft(step, applying(step.caveats, kind)) for step in offered(kind))


def offered(situation: Situation) -> tuple[Step, ...]:
    """The same with its blanks: for several flows they are filled together.  ValueError for an unknown verdict."""
    offers = OFFERS.get(situation.verdict)
    if offers is None:
        raise ValueError(f"no such verdict: {situation.verdict}")
    return tuple([offer.step for offer in offers if offer.when(situation)])
