"""The stories of the laboratory, one row each: who talks, through what, what goes wrong, what is right to say.

Knows names and numbers only; record brings them to life.  `expect` names, for each vantage point alone
and for all together, the verdicts that an honest reader may give there, the best one first.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .link import TO_CLIENT, TO_HEADEND, Rule

CLIENT, OUTSIDE, INSIDE, TOGETHER = "client", "asa-outside", "asa-inside", "together"
FLAGSHIP = "unanswered-duplicate-acks"
UNSURE = "insufficient-evidence"
Rules = tuple[Rule, ...]
Expectation = dict[str, tuple[str, ...]]
Plan = Callable[[random.Random], Rules]


def nothing(_: random.Random) -> Rules:
    return ()


def lose(
    direction: str = TO_HEADEND, *, first: int = 30, last: int = 55, burst: int = 1, name: str = "lose"
) -> Plan:
    """One data segment, or a burst of them, at a place that the seed chooses."""

    def plan(rng: random.Random) -> Rules:
        at = rng.randint(first, last)
        return (Rule(name=name, action="drop", direction=direction, nth=tuple(range(at, at + burst))),)

    return plan


def lose_often(probability: float, *, after_s: float = 1.5, until_s: float = float("inf")) -> Plan:
    """Random loss in both directions."""

    def plan(_: random.Random) -> Rules:
        return tuple(
            Rule(
                name=f"random-loss-{direction}",
                action="drop",
                direction=direction,
                probability=probability,
                after_s=after_s,
                until_s=until_s,
            )
            for direction in (TO_HEADEND, TO_CLIENT)
        )

    return plan


def lose_and_more(probability: float) -> Plan:
    """One segment each way for certain, so that there is something to send again, and random loss."""

    def plan(rng: random.Random) -> Rules:
        sure = lose(TO_HEADEND, first=6, last=12)(rng) + lose(TO_CLIENT, first=6, last=12)(rng)
        return sure + lose_often(probability, after_s=0.1)(rng)

    return plan


def too_long(limit: int, *directions: str) -> Plan:
    """A path that swallows what is longer than its MTU and says nothing."""

    def plan(_: random.Random) -> Rules:
        return tuple(
            Rule(name=f"mtu-{limit}", action="drop", direction=direction, carries="any", longer_than=limit)
            for direction in directions
        )

    return plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One story.  `habits`, `client` and `headend` override what the seed would draw."""

    name: str
    story: str
    expect: Expectation
    talks: str = "ctcp"
    middlebox: str = "forward"
    direction: str | None = None
    habits: Mapping[str, Any] = field(default_factory=dict)
    client: Mapping[str, Any] = field(default_factory=dict)
    headend: Mapping[str, Any] = field(default_factory=dict)
    outer: Plan = nothing
    inner: Plan = nothing
    clients: int = 1
    port: int = 10000
    ipv6: bool = False
    idle_timeout_s: int = 8
    forge_at_s: float = 6.0
    size_len: int = 40_000
    no_sack: bool = False
    tail_s: float = 2.5
    nanoseconds: bool = False
    stretch_idle_s: int = 0


def everywhere(*verdicts: str) -> Expectation:
    return dict.fromkeys((CLIENT, OUTSIDE, INSIDE, TOGETHER), verdicts)


def seen_outside(*inside: str) -> Expectation:
    """The flagship is visible between client and firewall; behind it only its effect is."""
    return everywhere(FLAGSHIP) | {INSIDE: inside}


def seen_inside(*outside: str) -> Expectation:
    return everywhere(FLAGSHIP) | {CLIENT: outside, OUTSIDE: outside}


SILENT_PEER = (UNSURE, "peer-vanished", "firewall-drop")
FAILURE: dict[str, Any] = {"duration_s": 60.0, "peer_timeout_s": 16.0}

SCENARIOS = (
    Scenario(
        name="failure",
        story="A client segment is lost before the proxying firewall; nobody sends it again; the client "
        "keeps sending, its DPD dies, it gives up and closes.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits=FAILURE,
        outer=lose(),
        expect=seen_outside(*SILENT_PEER),
    ),
    Scenario(
        name="failure-reverse",
        story="A headend segment is lost before the proxying firewall; the headend never sends it again; "
        "the client hears nothing any more and gives up.",
        middlebox="proxy",
        direction=TO_CLIENT,
        habits=FAILURE | {"push_per_s": 3.0},
        inner=lose(TO_CLIENT),
        expect=seen_inside(*SILENT_PEER),
    ),
    Scenario(
        name="tolerated",
        story="Segments are lost in both directions on a path that looks at nothing; both ends go on.",
        habits={"duration_s": 15.0, "keepalive_s": 2.0},
        outer=lose_often(0.04),
        expect=everywhere("loss-tolerated"),
    ),
    Scenario(
        name="healthy",
        story="No loss, a proxy in the path, the user disconnects.",
        middlebox="proxy",
        habits={"duration_s": 10.0},
        expect=everywhere("healthy", "orderly-close"),
    ),
    Scenario(
        name="answered",
        story="An ordinary kernel TCP moves a file each way on port 10000 over a lossy path and sends again.",
        talks="bulk",
        outer=lose_and_more(0.02),
        expect=everywhere("not-ctcp", "answered", "orderly-close", "healthy"),
    ),
    Scenario(
        name="answered-no-sack",
        story="The same without SACK, so that every duplicate ACK is a bare one.",
        talks="bulk",
        no_sack=True,
        outer=lose_and_more(0.02),
        expect=everywhere("not-ctcp", "answered", "orderly-close", "healthy"),
    ),
    Scenario(
        name="app-on-10000",
        story="Webmin-like pages over HTTP on port 10000.",
        talks="http",
        expect=everywhere("not-ctcp"),
    ),
    Scenario(
        name="tls-on-10000",
        story="The same pages inside TLS.",
        talks="tls",
        expect=everywhere("not-ctcp"),
    ),
    Scenario(
        name="ndmp-on-10000",
        story="A backup control connection, the registered user of the port, with some loss.",
        talks="ndmp",
        outer=lose_and_more(0.01),
        expect=everywhere("not-ctcp"),
    ),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
