"""Conditions and the sentences that hang on them, shared by the steps of advice.

Knows what a situation may say.  Does not know any fix.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_network

from msgspec.structs import replace

from ctcp_forensics.advice.step import (
    ADDRESSES_REMEMBERED,
    AT_CLIENT,
    AT_FIREWALL,
    MIXED,
    SHUFFLED,
    TOWARDS_CLIENT,
    TOWARDS_HEADEND,
    UNSORTED,
    Caveat,
    Condition,
    Situation,
    addresses_of,
    checked_address,
)

# RFC 1918 §3, RFC 6598 §7 and RFC 4193 §3.1.  `is_private` of ipaddress means more than translated ones.
PRIVATE_NETWORKS = tuple(
    ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)

MAY_BE_CTCP = ("cisco-ctcp", "esp-like")
"""Whatever its grade: with its trailers, or with what a short snap length leaves of it."""


def both(one: Condition, other: Condition) -> Condition:
    return lambda situation: one(situation) and other(situation)


def is_ctcp(situation: Situation) -> bool:
    return situation.encapsulation_kind == "cisco-ctcp"


def is_not_ctcp(situation: Situation) -> bool:
    return not is_ctcp(situation)


def may_be_ctcp(situation: Situation) -> bool:
    return situation.encapsulation_kind in MAY_BE_CTCP


def lacks_the_other_side(situation: Situation) -> bool:
    """May be cTCP, and nobody has looked from both sides of the firewall, or said from which."""
    at = situation.captured_at
    is_one_sided = not at or lacks_headend_side(situation) or lacks_client_side(situation)
    return may_be_ctcp(situation) and is_one_sided


def only_large_packets_lost(situation: Situation) -> bool:
    return situation.loss_size_dependent is True


def only_large_ipv4_packets_lost(situation: Situation) -> bool:
    return only_large_packets_lost(situation) and is_ipv4(situation)


def is_undetermined(situation: Situation) -> bool:
    return situation.confidence == "undetermined"


def could_be_surer(situation: Situation) -> bool:
    """Something is known, and a second capture would settle the rest."""
    return situation.confidence in ("strong", "consistent")


def is_open(situation: Situation) -> bool:
    return situation.confidence != "proven"


def is_mixed(situation: Situation) -> bool:
    return situation.misled_by == MIXED


def is_unsorted(situation: Situation) -> bool:
    return situation.misled_by in (UNSORTED, SHUFFLED)


def is_not_misled(situation: Situation) -> bool:
    return situation.misled_by is None


def lacks_headend_side(situation: Situation) -> bool:
    """There are captures, and none from behind the firewall."""
    at = situation.captured_at
    return bool(at & {AT_CLIENT, TOWARDS_CLIENT}) and not at & {TOWARDS_HEADEND, AT_FIREWALL}


def lacks_client_side(situation: Situation) -> bool:
    """There is a capture from behind the firewall, and none from before it."""
    at = situation.captured_at
    return TOWARDS_HEADEND in at and TOWARDS_CLIENT not in at


def lacks_both_sides(situation: Situation) -> bool:
    """No capture says which side it is of; or all are there, and something about them is wanting."""
    return not (lacks_headend_side(situation) or lacks_client_side(situation))


def firewall_cleared(situation: Situation) -> bool:
    return situation.firewall_cleared


def firewall_not_cleared(situation: Situation) -> bool:
    return not situation.firewall_cleared


def firewall_proven(situation: Situation) -> bool:
    """Captures on both of its sides: it alone can have made the duplicate ACKs."""
    return situation.ack_author == "asa"


def loss_in_the_firewall(situation: Situation) -> bool:
    return situation.loss_location == "asa"


def loss_on_a_leg(situation: Situation) -> bool:
    """Somewhere that is known, and not surely the firewall itself."""
    return situation.loss_location not in (None, "asa", "capture")


def loss_not_located(situation: Situation) -> bool:
    return situation.loss_location in (None, "capture")


def box_unnamed(situation: Situation) -> bool:
    return not (situation.firewall_suspected or situation.ack_author or situation.firewall_cleared)


def box_between(situation: Situation) -> bool:
    """Between two captures, and there may be more between them than the firewall."""
    return situation.ack_author is not None and not firewall_proven(situation)


def is_ipv6(situation: Situation) -> bool:
    return addresses_of(situation.client_address, situation.headend_address)[0].version == 6


def is_ipv4(situation: Situation) -> bool:
    return not is_ipv6(situation)


def of_its_kind(situation: Situation) -> Situation:
    """The same between ends that stand for all of their family, the client's private or not: no condition asks more."""
    headend = "::" if is_ipv6(situation) else "0.0.0.0"  # noqa: S104  # nothing is bound to it
    private = "fc00::" if is_ipv6(situation) else "10.0.0.0"
    client = private if client_is_private(situation) else headend
    return replace(situation, client_address=client, client_port=0, headend_address=headend, headend_port=0)


def client_is_private(situation: Situation) -> bool:
    return is_private(situation.client_address)


@lru_cache(maxsize=ADDRESSES_REMEMBERED)
def is_private(text: str) -> bool:
    """Several steps for one flow ask this."""
    address = checked_address(text)
    return any(address.version == network.version and address in network for network in PRIVATE_NETWORKS)


UNKNOWN_BOX = Caveat(
    text="Nothing in this capture shows which device sends the duplicate ACKs, nor that it is an ASA: "
    "make sure of that before you change a firewall.",
    when=box_unnamed,
)
PROVEN_BOX = Caveat(
    text="The captures on both of its sides prove that this firewall makes the duplicate ACKs; they do not show "
    "that it is an ASA.",
    when=firewall_proven,
)
BOX_BETWEEN = Caveat(
    text="The duplicate ACKs are made {ack_place}. The captures do not show which device that is: make sure of it "
    "before you change a firewall.",
    when=box_between,
)
CLEARED_BOX = Caveat(
    text="Not on the firewall that was captured at: the duplicate ACKs pass through it, so another device, "
    "{beyond}, makes them and waits. On this firewall the change would do nothing but cost its security.",
    when=firewall_cleared,
)
TRAILER_NOT_SEEN = Caveat(
    text="Cisco's trailer was not recognised in this flow: make sure that this is a Cisco VPN Client.",
    when=is_not_ctcp,
)
IPV6_SYNTAX = Caveat(
    text="IPv6 hosts in `access-list … extended` need release 9.0 or later; before it there was a separate "
    "`ipv6 access-list` (not confirmed by the sources read).",
    when=is_ipv6,
)
TRANSLATED_CLIENT = Caveat(
    text="{client} is a private address. If it is translated before it reaches the firewall, put in the "
    "address that the firewall sees (`show conn port {port}`).",
    when=client_is_private,
)
REAL_ADDRESSES = (
    "From 8.3 on, access lists hold the real addresses of the hosts; before 8.3 the addresses as they are "
    "on the wire of that interface (not confirmed by the sources read). It matters where the firewall "
    "translates one of the two hosts."
)
NOT_SAVED = (
    "The running configuration alone changes: a reload takes it back. Save it (`write memory`) only when it "
    "has been verified."
)
EVERY_CONNECTION = (
    "`clear conn address {client}` cuts every connection of that address through the firewall, not the VPN "
    "alone; where {client} stands for a whole site, everybody behind it."
)
GLOBAL_POLICY = (
    "`show running-config service-policy` must list `service-policy global_policy global`, as it does by "
    "default. Where the policy has another name, use that one; when rolling back, leave that line alone."
)
