"""Advice: what to do about a verdict, in the order that the evidence supports.

Knows which steps belong to which verdict.  Does not know how the verdict was found, and never touches a
device: commands are text for a person to read, judge and paste.

Only the unanswered duplicate ACK is offered the fixes of TAC 113578: for any other death they would be a
change without a reason.
"""

from __future__ import annotations

from dataclasses import dataclass

from ctcp_forensics.advice import documented, next_steps
from ctcp_forensics.advice.conditions import (
    could_be_surer,
    is_ctcp,
    is_ipv4,
    is_not_ctcp,
    is_undetermined,
    only_large_ipv4_packets_lost,
    only_large_packets_lost,
)
from ctcp_forensics.advice.step import Condition, Recommendation, Situation, Step, always, filled

__all__ = ["Recommendation", "Situation", "recommend"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A step in its place of an order, and the situations in which it is offered there."""

    step: Step
    when: Condition = always


def _offers(*steps: Step) -> tuple[Offer, ...]:
    return tuple(Offer(step=step) for step in steps)


_KEEP_ALIVES = (
    Offer(step=next_steps.SEND_CTCP_KEEP_ALIVES, when=is_ctcp),
    Offer(step=next_steps.SEND_KEEP_ALIVES, when=is_not_ctcp),
)

OFFERS: dict[str, tuple[Offer, ...]] = {
    "unanswered-duplicate-acks": (
        # A weak verdict is no reason to change a network: look first.
        Offer(step=next_steps.TAKE_CAPTURES, when=is_undetermined),
        # Where only large packets are lost, the cause of the loss is known and kills UDP as well.
        Offer(step=next_steps.LOWER_THE_MTU, when=only_large_packets_lost),
        Offer(step=next_steps.CLEAR_DF, when=only_large_ipv4_packets_lost),
        Offer(step=next_steps.ALLOW_ICMP_TOO_BIG, when=only_large_packets_lost),
        *_offers(
            documented.IPSEC_OVER_UDP,  # at the client, reversible, whatever box it is that waits
            documented.NATIVE_ESP,
            documented.ANYCONNECT,
            documented.TCP_STATE_BYPASS,  # the document's stopgap: needs the box, and costs security
            documented.REPAIR_LOSS,
            documented.EXCLUDE_FROM_INSPECTION,  # last: not the document's
        ),
        Offer(step=next_steps.TAKE_CAPTURES, when=could_be_surer),
    ),
    "path-mtu-black-hole": (
        Offer(step=next_steps.LOWER_THE_MTU),
        Offer(step=next_steps.CLEAR_DF, when=is_ipv4),  # IPv6 has no such bit
        Offer(step=next_steps.ALLOW_ICMP_TOO_BIG),
    ),
    "firewall-drop": _offers(next_steps.NAME_THE_DROP),
    "reset-by-middlebox": _offers(next_steps.FIND_THE_RESETTER, next_steps.TAKE_CAPTURES),
    "nat-rebinding": (*_KEEP_ALIVES, *_offers(next_steps.HOLD_THE_TRANSLATION)),
    "idle-timeout": (*_KEEP_ALIVES, *_offers(next_steps.LONGER_IDLE_TIMEOUT)),
    "window-stall": _offers(next_steps.FIND_THE_CLOSED_WINDOW),
    "handshake-failed": _offers(next_steps.OPEN_THE_PORT),
    "negotiation-failed": _offers(next_steps.CHECK_THE_NEGOTIATION),
    "peer-vanished": _offers(next_steps.FIND_THE_PEER),
    "link-down": _offers(next_steps.REPAIR_THE_LINK),
    "reset-by-endpoint": _offers(next_steps.READ_THE_ENDPOINT_LOG),
    "insufficient-evidence": _offers(next_steps.TAKE_CAPTURES),
    "loss-tolerated": _offers(next_steps.NOTHING_TO_REPAIR),
    "answered": (),
    "orderly-close": (),
    "healthy": (),
    "not-ctcp": (),
}


def recommend(situation: Situation) -> tuple[Recommendation, ...]:
    """What to do, best first.  ValueError for an unknown verdict and for what is no address or port."""
    offers = OFFERS.get(situation.verdict)
    if offers is None:
        raise ValueError(f"no such verdict: {situation.verdict}")
    return tuple(filled(offer.step, situation) for offer in offers if offer.when(situation))
