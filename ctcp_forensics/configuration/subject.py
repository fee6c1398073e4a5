"""Subjects: the flows of a report that something may be configured for, with addresses that were checked.

Knows where a firewall sees which addresses.  Does not know a command.  A report may have been written by
anybody: an address or a port gets out of here as `ipaddress` and `int` have it, and in no other way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from ctcp_forensics.advice import OFFERS, Situation, offered
from ctcp_forensics.advice.step import (
    AT_CLIENT,
    AT_FIREWALL,
    MIXED,
    TOWARDS_CLIENT,
    TOWARDS_HEADEND,
    UNSORTED,
    Step,
    addresses_of,
    checked_port,
)
from ctcp_forensics.configuration.wish import ConfigurationError, Syntax, Wish
from ctcp_forensics.report import FIREWALL_VANTAGES, Endpoint, Finding, Flow, Report

# One capture of the firewall: its outside faces the client unless others show the reverse.
ONE_SIDE = {"asa-outside": TOWARDS_CLIENT, "asa-inside": TOWARDS_HEADEND, "asa": AT_FIREWALL}

FRAME_OVERHEAD_LEN = 14 + 20 + 20 + 16
"""Ethernet, IPv4 and TCP headers of a segment, and what a capture records beside a frame."""
SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two hosts and their ports, as one interface shows them."""

    client: str
    client_port: int
    headend: str
    port: int

    @property
    def hosts(self) -> tuple[str, str, int]:
        return self.client, self.headend, self.port


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A flow, as the firewall has it, and what the advice offers for it."""

    number: int
    """In the order of the report, as in its table."""
    towards_client: Pair
    towards_headend: Pair
    real: Pair
    """The client as its own side of the firewall shows it, and the headend as its own."""
    client_side: str | None
    """The vantage point that `towards_client` was seen at, or None: seen elsewhere."""
    headend_side: str | None
    situation: Situation
    steps: tuple[Step, ...]
    bytes_per_s: float | None
    """On the wire, on average; None: it lasted no time."""

    @property
    def fixes(self) -> frozenset[str]:
        return frozenset(step.fix for step in self.steps)

    @property
    def hosts(self) -> tuple[str, str, int]:
        """What a change is for: connections of the same hosts share one."""
        return self.real.hosts

    def pairs(self, syntax: Syntax) -> tuple[Pair, ...]:
        """What an access list has to name: from 8.3 on the real addresses, before it those of each interface."""
        if syntax == Syntax.PRE_8_4:
            return tuple(dict.fromkeys((self.towards_client, self.towards_headend)))
        return (self.real,)

    def situation_of(self, pair: Pair) -> Situation:
        return replace(
            self.situation,
            client_address=pair.client,
            client_port=pair.client_port,
            headend_address=pair.headend,
            headend_port=pair.port,
        )


def subjects_of(report: Report, wish: Wish) -> tuple[list[Subject], tuple[str, ...]]:
    """The flows that were asked for, and why some of them had to be left out."""
    numbers = {flow.id: number for number, flow in enumerate(report.flows, start=1)}
    wanted = _wanted(numbers, wish)
    subjects, left_out = [], []
    for flow, finding in _judged(report):
        if numbers[flow.id] not in wanted:
            continue
        try:
            subjects.append(subject_of(report, flow, finding, numbers[flow.id]))
        except ValueError as error:
            left_out.append(f"flow #{numbers[flow.id]}: {error}")
    return subjects, tuple(left_out)


def subject_of(report: Report, flow: Flow, finding: Finding, number: int) -> Subject:
    """ValueError: an address or port that is none, ends of two address families, or a verdict that is not known."""
    vantages = {capture.id: capture.vantage for capture in report.captures}
    at_firewall = [seen for seen in flow.seen if vantages.get(seen.capture) in FIREWALL_VANTAGES]
    near, far = (at_firewall[0], at_firewall[-1]) if at_firewall else (None, None)
    here, there = near or flow, far or flow
    real = _pair(here.client, there.headend)
    situation = _situation(flow, finding, real, [vantages.get(seen.capture, "") for seen in flow.seen])
    return Subject(
        number=number,
        towards_client=_pair(here.client, here.headend),
        towards_headend=_pair(there.client, there.headend),
        real=real,
        client_side=None if near is None else vantages[near.capture],
        headend_side=None if far is None or far is near else vantages[far.capture],
        situation=situation,
        steps=offered(situation),
        bytes_per_s=_bytes_per_s(flow),
    )


def _wanted(numbers: dict[str, int], wish: Wish) -> set[int]:
    if not wish.flows:
        return set(numbers.values())
    wanted = set()
    for name in wish.flows:
        number = numbers.get(name, _number(name))
        if number not in numbers.values():
            raise ConfigurationError(f"no flow {name}: the report has {len(numbers)}, #1 to #{len(numbers)}")
        wanted.add(number)
    return wanted


def _number(name: str) -> int:
    digits = name.removeprefix("#")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 0


def _judged(report: Report) -> Iterator[tuple[Flow, Finding]]:
    flows = {flow.id: flow for flow in report.flows}
    for finding in report.findings:
        if finding.flow in flows:
            yield flows[finding.flow], finding


def _pair(client: Endpoint, headend: Endpoint) -> Pair:
    """Read and written again, so that nothing but an address is left of an address."""
    near, far = addresses_of(client.address, headend.address)
    return Pair(
        client=str(near),
        client_port=checked_port(client.port),
        headend=str(far),
        port=checked_port(headend.port),
    )


def _situation(flow: Flow, finding: Finding, ends: Pair, vantages: list[str]) -> Situation:
    """As far as a report tells it.  What it does not tell, its own recommendations do."""
    if finding.verdict not in OFFERS:
        raise ValueError("there is no advice for its verdict in this version")
    advised = {one.fix for one in finding.recommendations}
    return Situation(
        verdict=finding.verdict,
        confidence=finding.confidence,
        client_address=ends.client,
        client_port=ends.client_port,
        headend_address=ends.headend,
        headend_port=ends.port,
        direction=flow.direction,
        encapsulation_kind=flow.encapsulation.kind,
        loss_size_dependent=True if "lower-mtu" in advised else None,
        captured_at=_stations(vantages) if len(vantages) > 1 else frozenset(),
        loss_location=flow.loss_location,
        ack_author=flow.ack_author,
        firewall_cleared="find-the-proxy" in advised,
        misled_by=next((claim for fix, claim in MISLED.items() if fix in advised), None),
    )


MISLED = {"split-the-capture": MIXED, "sort-the-capture": UNSORTED}
"""What a capture misleads by, by the fix that is advised for that alone."""


def _stations(vantages: list[str]) -> frozenset[str]:
    """What advice calls the places of the captures."""
    sides = [one for one in vantages if one in FIREWALL_VANTAGES]
    found = {AT_CLIENT} if "client" in vantages else set()
    if len(sides) > 1:
        return frozenset(found | {TOWARDS_CLIENT, TOWARDS_HEADEND})
    return frozenset(found | {ONE_SIDE[one] for one in sides})


def _bytes_per_s(flow: Flow) -> float | None:
    both = (flow.directions.client_to_headend, flow.directions.headend_to_client)
    length = sum(one.payload_bytes + one.segments * FRAME_OVERHEAD_LEN for one in both)
    lasted_ns = flow.last_ns - flow.first_ns
    return length * SECOND_NS / lasted_ns if lasted_ns > 0 and length > 0 else None
