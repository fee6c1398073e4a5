"""The stories of the laboratory, one row each: who talks, through what, what goes wrong, what is right to say.

Knows names and numbers only; record brings them to life.  `expect` names, for each vantage point alone
and for all together, the verdicts that an honest reader may give there, the best one first.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .link import TO_CLIENT, TO_HEADEND, Rule

CLIENT, OUTSIDE, INSIDE, TOGETHER = "client", "asa-outside", "asa-inside", "together"
ASA = "asa"  # both sides of the firewall in one capture
FLAGSHIP = "unanswered-duplicate-acks"
UNSURE = "insufficient-evidence"
PROXIES = ("proxy", "haproxy")
Rules = tuple[Rule, ...]
Expectation = dict[str, tuple[str, ...]]
Plan = Callable[[random.Random], Rules]


def nothing(_: random.Random) -> Rules:
    return ()


def lose(
    direction: str = TO_HEADEND,
    *,
    first: int = 30,
    last: int = 55,
    burst: int = 1,
    flow: int | None = None,
    connection: int | None = None,
    sticky: bool = False,
) -> Plan:
    """One data segment, or a burst of them, at a place that the seed chooses."""

    def plan(rng: random.Random) -> Rules:
        at = rng.randint(first, last)
        nth = tuple(range(at, at + burst))
        rule = Rule(name="lose", action="drop", direction=direction, nth=nth, flow=flow, sticky=sticky)
        return (replace(rule, connection=connection),)

    return plan


def lose_in_each(connections: int) -> Plan:
    """One data segment of each connection."""

    def plan(rng: random.Random) -> Rules:
        return tuple(rule for number in range(connections) for rule in lose(connection=number)(rng))

    return plan


def lose_for_ever() -> Plan:
    """One segment and every later copy of it."""
    return lose(first=15, last=30, sticky=True)


def lose_often(
    probability: float, *, after_s: float = 1.5, directions: tuple[str, ...] = (TO_HEADEND, TO_CLIENT)
) -> Plan:
    """Random loss."""

    def plan(_: random.Random) -> Rules:
        return tuple(
            Rule(
                name=f"random-loss-{direction}",
                action="drop",
                direction=direction,
                probability=probability,
                after_s=after_s,
            )
            for direction in directions
        )

    return plan


def lose_each_way() -> Plan:
    def plan(rng: random.Random) -> Rules:
        return lose(TO_HEADEND, last=40)(rng) + lose(TO_CLIENT, first=20, last=30)(rng)

    return plan


def lose_some(low: float, high: float, *directions: str) -> Plan:
    """Random loss at a rate that the seed chooses, and one segment for certain."""

    def plan(rng: random.Random) -> Rules:
        sure = lose(directions[0], first=20, last=40)(rng)
        return sure + lose_often(rng.uniform(low, high), directions=directions)(rng)

    return plan


def lose_with_asks(probability: float) -> Plan:
    """One data segment, and from then on a share of the bare ACKs that come back."""

    def plan(rng: random.Random) -> Rules:
        asks = Rule(
            name="lose-asks",
            action="drop",
            direction=TO_CLIENT,
            carries="ack",
            probability=probability,
            armed_by="lose",
        )
        return (*lose()(rng), asks)

    return plan


def lose_until_pause(after_s: float, until_s: float) -> Plan:
    """All that the client sends in a stretch of time that ends in a pause of its own."""

    def plan(_: random.Random) -> Rules:
        return (Rule(name="before-the-pause", action="drop", after_s=after_s, until_s=until_s),)

    return plan


def cut_off(after_s: float) -> Plan:
    """Nothing passes any more, in either direction."""

    def plan(_: random.Random) -> Rules:
        return tuple(
            Rule(name="cut", action="drop", direction=direction, carries="any", after_s=after_s)
            for direction in (TO_HEADEND, TO_CLIENT)
        )

    return plan


def spoil() -> Plan:
    """One data segment arrives with a flipped bit."""

    def plan(rng: random.Random) -> Rules:
        return (Rule(name="spoil", action="corrupt", nth=(rng.randint(30, 55),)),)

    return plan


def reorder(until_hit: int | None = None) -> Plan:
    """Every tenth segment of the client is overtaken."""

    def plan(rng: random.Random) -> Rules:
        late_s = rng.uniform(0.02, 0.06)
        return (
            Rule(name="late", action="delay", probability=0.1, delay_s=late_s, after_s=1.5, limit=until_hit),
        )

    return plan


def reorder_then_lose() -> Plan:
    def plan(rng: random.Random) -> Rules:
        return (*lose(first=45, last=60)(rng), *reorder(until_hit=5)(rng))

    return plan


def hold_back(delay_s: float) -> Plan:
    """One segment takes its time."""

    def plan(rng: random.Random) -> Rules:
        return (Rule(name="hold", action="delay", nth=(rng.randint(25, 40),), delay_s=delay_s),)

    return plan


def copy_some() -> Plan:
    """Every tenth segment of the client comes twice."""

    def plan(_: random.Random) -> Rules:
        return (Rule(name="copy", action="duplicate", probability=0.1, delay_s=0.003, after_s=1.5),)

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
class Again:
    """The client connects once more, with a new ISN, and what is right to say of this connection.

    `habits` override those of the story.
    """

    expect: Expectation
    direction: str | None = None
    after_s: float = 1.5
    new_port: bool = False
    habits: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One story.  `habits`, `client`, `headend` and `box` (the middlebox) override what the seed would draw."""

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
    asa: Plan = nothing  # inside the firewall, where it is a router in user space
    inner: Plan = nothing
    second_box: str | None = (
        None  # another box that orders the stream: before (outer) or behind (inner) the firewall
    )
    clients: int = 1
    others_expect: Expectation | None = None
    again: tuple[Again, ...] = ()
    nat: bool = False
    box: Mapping[str, Any] = field(default_factory=dict)
    port: int = 10000
    ipv6: bool = False
    must_lose: bool = False
    min_stalled_segments: int = 15
    size_len: int = 40_000
    no_sack: bool = False
    tail_s: float = 2.5
    recorder: str = "tcpdump"
    one_at_asa: bool = False  # besides, one dumpcap that captures both interfaces of the firewall
    nanoseconds: bool = False
    pause_becomes_s: int = 0  # the first of the habits' silences, drawn out after the recording

    def habits_of(self, connection: int) -> Mapping[str, Any]:
        """Of the first connection, or of a later one of the same client."""
        return self.habits if connection == 0 else {**self.habits, **self.again[connection - 1].habits}

    def direction_of(self, connection: int) -> str | None:
        return self.direction if connection == 0 else self.again[connection - 1].direction

    @property
    def is_proxied(self) -> bool:
        """A full TCP stands in the path, asks for what it misses, and cuts the stream anew."""
        return self.middlebox in PROXIES

    @property
    def needs(self) -> tuple[str, ...]:
        """Programs that this story needs and others do not."""
        dumpcap = self.recorder == "dumpcap" or self.one_at_asa
        wanted = {"haproxy": self.middlebox == "haproxy", "dumpcap": dumpcap}
        return tuple(program for program, is_wanted in wanted.items() if is_wanted)


def everywhere(*verdicts: str) -> Expectation:
    return dict.fromkeys((CLIENT, OUTSIDE, INSIDE, TOGETHER), verdicts)


def ends_well(*others: str) -> Expectation:
    """Closed by its user.  A proxy that takes the RST may throw away the farewell just before it."""
    good = ("orderly-close", "healthy", *others)
    return everywhere(*good) | {INSIDE: (*good, "reset-by-endpoint")}


def seen_outside(*inside: str) -> Expectation:
    """The flagship is visible between client and firewall; behind it only its effect is."""
    return everywhere(FLAGSHIP) | {INSIDE: inside}


def seen_inside(*outside: str) -> Expectation:
    return everywhere(FLAGSHIP) | {CLIENT: outside, OUTSIDE: outside}


def asked_from_beyond() -> Expectation:
    """The box that asks stands behind all captures: whatever it says passes all of them."""
    return everywhere(FLAGSHIP)


# Behind the proxy the client's messages simply cease, or the proxy's own RST ends it.
SILENT_WHILE_WATCHED = (UNSURE, "peer-vanished", "firewall-drop", "reset-by-middlebox", "reset-by-endpoint")
# A capture ends with its last frame, so a flow that stops without a word may look alive.
SILENT_PEER = (*SILENT_WHILE_WATCHED, "healthy")
# A capture ends with its last frame: a flow that simply stops there looks alive.
STOPPED = ("healthy", UNSURE, "peer-vanished", "firewall-drop", "idle-timeout", "link-down")
OVERTAKEN = ("orderly-close", "healthy", "loss-tolerated", "answered")
SWALLOWED = ("not-ctcp", "peer-vanished", "answered", UNSURE)
REAL_TCP = ("not-ctcp", "answered", "orderly-close", "healthy")
PATIENT = {"peer_timeout_s": 30.0}  # the firewall gives up before the client does
FAILURE: dict[str, Any] = {"duration_s": 60.0, "peer_timeout_s": 16.0}
BIG_PACKETS = {"inner_weights": (10, 6, 4, 4, 4, 4, 3, 3, 3, 8, 12)}

FAILURES = (
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
        name="failure-burst",
        story="Four client segments in a row are lost before the proxy, which asks for the first of them.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits=FAILURE,
        outer=lose(burst=4),
        expect=seen_outside(*SILENT_PEER),
    ),
    Scenario(
        name="failure-corrupt",
        story="A client segment arrives at the proxy with a flipped bit; its checksum is wrong and the proxy "
        "does not take it.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits=FAILURE,
        outer=spoil(),
        expect=seen_outside(*SILENT_PEER),
    ),
    Scenario(
        name="failure-headend-first",
        story="The headend goes on streaming to a client that it no longer hears; its DPD dies first, and it "
        "deletes the session and closes.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits=FAILURE
        | {"push_when_silent": True, "push_per_s": 3.0, "headend_peer_timeout_s": 17.0, "duration_s": 60.0},
        outer=lose(),
        expect=seen_outside(*SILENT_PEER, "orderly-close"),
    ),
    Scenario(
        name="failure-keepalives",
        story="The failure, with bare keep-alive ACKs of both ends in between.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits=FAILURE | {"keepalive_s": 0.8},
        outer=lose(),
        expect=seen_outside(*SILENT_PEER),
    ),
    Scenario(
        name="failure-wrap",
        story="The sequence numbers wrap around 2^32 during the stall.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits=FAILURE | {"client_isn": (1 << 32) - 14_000},
        outer=lose(),
        expect=seen_outside(*SILENT_PEER),
    ),
    Scenario(
        name="failure-rekey",
        story="The client negotiates new SPIs before the segment is lost.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits=FAILURE | {"rekey_at_s": 4.0},
        outer=lose(first=70, last=90),
        expect=seen_outside(*SILENT_PEER),
    ),
    Scenario(
        name="failure-asks-lost",
        story="Half of the proxy's duplicate ACKs are lost on the way to the client.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits=FAILURE,
        outer=lose_with_asks(0.5),
        expect=seen_outside(*SILENT_PEER),
    ),
    Scenario(
        name="failure-no-ask-arrives",
        story="None of the proxy's bare ACKs reaches the client after the loss; only the firewall's own "
        "capture shows them.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits=FAILURE,
        outer=lose_with_asks(1.0),
        expect=seen_outside(*SILENT_PEER) | {CLIENT: (UNSURE, "peer-vanished", "firewall-drop")},
    ),
    Scenario(
        name="failure-after-reordering",
        story="Several segments come late and end their own runs of duplicate ACKs; then one does not come "
        "at all, and only that one kills.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits=FAILURE,
        outer=reorder_then_lose(),
        expect=seen_outside(*SILENT_PEER),
    ),
    Scenario(
        name="failure-path-mtu",
        story="The path to the proxy swallows long packets; the first long one starts the stall.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits=FAILURE | BIG_PACKETS,
        outer=too_long(1000, TO_HEADEND),
        # Where the proof is cut off the cause of the loss may still be plain.
        expect=seen_outside(*SILENT_PEER)
        | dict.fromkeys((CLIENT, OUTSIDE), (FLAGSHIP, "path-mtu-black-hole")),
    ),
    Scenario(
        name="failure-ike",
        story="The first quick-mode message is lost before the proxy; IKE repeats itself in new segments, "
        "which the proxy holds back; no tunnel comes up.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits=FAILURE | {"ike_tries": 12, "ike_retry_s": 1.6},
        outer=lose(first=5, last=5),
        min_stalled_segments=8,
        expect=everywhere(FLAGSHIP, "negotiation-failed", UNSURE)
        | {INSIDE: ("negotiation-failed", UNSURE, "peer-vanished", "reset-by-endpoint")},
    ),
    Scenario(
        name="failure-box-resets",
        story="The firewall loses its patience 14 s after the hole and resets both sides.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits=FAILURE | {"peer_timeout_s": 30.0},
        box={"resets_after_s": 14.0},
        outer=lose(),
        expect=seen_outside(*SILENT_PEER),
    ),
    Scenario(
        name="failure-ipv6",
        story="The failure over IPv6.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits=FAILURE,
        ipv6=True,
        outer=lose(),
        expect=seen_outside(*SILENT_PEER),
    ),
    Scenario(
        name="failure-port-443",
        story="The failure on a port that belongs to somebody else.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits=FAILURE,
        port=443,
        outer=lose(),
        expect=seen_outside(*SILENT_PEER),
    ),
    Scenario(
        name="failure-one-of-three",
        story="Three clients behind one NAT; one of them loses a segment and dies, the others work on.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits={"duration_s": 32.0, "peer_timeout_s": 16.0},
        clients=3,
        nat=True,
        outer=lose(flow=0),
        expect=seen_outside(*SILENT_PEER),
        others_expect=ends_well(),
    ),
    Scenario(
        name="failure-sack",
        story="The client offers SACK without meaning it, and the duplicate ACKs carry SACK blocks.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits=FAILURE,
        client={"syn_options": "mss-sack"},
        outer=lose(),
        expect=seen_outside(*SILENT_PEER),
    ),
    Scenario(
        name="failure-no-options",
        story="No options in any SYN: the proxy assumes an MSS of 536 and cuts long messages in two.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits=FAILURE,
        client={"syn_options": "none"},
        headend={"syn_options": "none"},
        outer=lose(),
        expect=seen_outside(*SILENT_PEER),
    ),
    Scenario(
        name="failure-then-again",
        story="The firewall resets the stalled connection; the client connects again from the same port, with a "
        "new ISN, and works.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits=FAILURE | PATIENT,
        box={"resets_after_s": 14.0},
        outer=lose(connection=0),
        expect=seen_outside(*SILENT_PEER),
        again=(Again(expect=ends_well(), habits={"duration_s": 8.0}),),
    ),
    Scenario(
        name="failure-twice",
        story="The same, and the second connection, from the same port, loses a segment as well and dies.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits=FAILURE | PATIENT,
        box={"resets_after_s": 14.0},
        outer=lose_in_each(2),
        expect=seen_outside(*SILENT_PEER),
        again=(Again(expect=seen_outside(*SILENT_PEER), direction=TO_HEADEND),),
    ),
    Scenario(
        name="failure-again-new-port",
        story="The client gives up, connects again from another port, and works; the firewall still holds the "
        "connection that died.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits=FAILURE,
        outer=lose(connection=0),
        recorder="dumpcap",
        # The second connection outlasts the silence of the first by more than a pause of the user's.
        expect=seen_outside(*SILENT_WHILE_WATCHED),
        again=(Again(expect=ends_well(), new_port=True, habits={"duration_s": 26.0, "bursts_per_s": 1.0}),),
    ),
    Scenario(
        name="failure-again-refused",
        story="The client gives up and connects again from the same port, but the firewall did not take its RST: it "
        "answers each new SYN with an ACK of the old connection (RFC 5961 §4.2), which asks for the same byte.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits=FAILURE,
        client={"syn_options": "mss", "closes_with": "rst-bare"},
        outer=lose(connection=0),
        expect=seen_outside(*SILENT_PEER),
        again=(Again(expect=everywhere("handshake-failed", UNSURE)),),
    ),
    Scenario(
        name="failure-second-connection",
        story="The user disconnects and comes back from the same port; the second connection is the one that dies.",
        middlebox="proxy",
        habits={"duration_s": 6.0},
        client={"closes_with": "rst-ack"},
        headend={"closes_with": "rst-ack"},
        outer=lose(connection=1),
        expect=ends_well(),
        again=(Again(expect=seen_outside(*SILENT_PEER), direction=TO_HEADEND, habits=FAILURE),),
    ),
    Scenario(
        name="failure-pcapng",
        story="The failure as dumpcap records it; besides, both sides of the firewall in one file, where the two "
        "connections of the proxy share their addresses and ports.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits=FAILURE,
        outer=lose(),
        recorder="dumpcap",
        one_at_asa=True,
        expect=seen_outside(*SILENT_PEER) | {ASA: (FLAGSHIP,)},
    ),
    Scenario(
        name="failure-reverse-pcapng",
        story="The reverse failure as dumpcap records it, and both sides of the firewall in one file.",
        middlebox="proxy",
        direction=TO_CLIENT,
        habits=FAILURE | {"push_per_s": 3.0},
        inner=lose(TO_CLIENT),
        recorder="dumpcap",
        one_at_asa=True,
        expect=seen_inside(*SILENT_PEER) | {ASA: (FLAGSHIP,)},
    ),
    Scenario(
        name="failure-haproxy",
        story="The failure before haproxy, which sends on bytes and not messages.",
        middlebox="haproxy",
        direction=TO_HEADEND,
        habits=FAILURE,
        outer=lose(),
        expect=seen_outside(*SILENT_PEER),
    ),
    Scenario(
        name="failure-haproxy-reverse",
        story="A headend segment is lost before haproxy; the client hears nothing any more and gives up.",
        middlebox="haproxy",
        direction=TO_CLIENT,
        habits=FAILURE | {"push_per_s": 3.0},
        inner=lose(TO_CLIENT),
        expect=seen_inside(*SILENT_PEER),
    ),
    Scenario(
        name="failure-haproxy-ipv6",
        story="The failure before haproxy over IPv6.",
        middlebox="haproxy",
        direction=TO_HEADEND,
        habits=FAILURE,
        ipv6=True,
        outer=lose(),
        expect=seen_outside(*SILENT_PEER),
    ),
)

# The firewall as an ASA is believed to work: no end of any TCP, and yet it orders the stream.
QUEUE: dict[str, Any] = {"middlebox": "orderer", "direction": TO_HEADEND, "habits": FAILURE}
BUSY = {"duration_s": 15.0, "bursts_per_s": 7.0}

QUEUE_FAILURES = (
    Scenario(
        name="failure-queue",
        story="A client segment is lost before a firewall that orders the stream; it queues three segments, "
        "refuses the rest, forgets its queue every four seconds, and asks in the headend's name.",
        **QUEUE,
        outer=lose(),
        expect=seen_outside(*SILENT_PEER),
    ),
    Scenario(
        name="failure-queue-reverse",
        story="The same in the other direction: the headend is asked in the client's name.",
        **QUEUE | {"direction": TO_CLIENT, "habits": FAILURE | {"push_per_s": 3.0}},
        inner=lose(TO_CLIENT),
        expect=seen_inside(*SILENT_PEER),
    ),
    Scenario(
        name="failure-queue-burst",
        story="Four client segments in a row are lost before the firewall that orders the stream.",
        **QUEUE,
        outer=lose(burst=4),
        expect=seen_outside(*SILENT_PEER),
    ),
    Scenario(
        name="failure-queue-nat",
        story="The same with the client behind a NAT, and the headend behind another address of the firewall.",
        **QUEUE,
        nat=True,
        box={"translates": True},
        outer=lose(),
        expect=seen_outside(*SILENT_PEER),
    ),
    Scenario(
        name="failure-queue-randomised",
        story="The same behind new initial sequence numbers, an MSS of 1380 and no other option.",
        **QUEUE,
        box={"randomises": True},
        client={"syn_options": "mss-sack"},
        outer=lose(),
        expect=seen_outside(*SILENT_PEER),
    ),
    Scenario(
        name="failure-queue-randomised-reverse",
        story="The same in the other direction.",
        **QUEUE | {"direction": TO_CLIENT, "habits": FAILURE | {"push_per_s": 3.0}},
        box={"randomises": True},
        client={"syn_options": "mss-wscale"},
        inner=lose(TO_CLIENT),
        expect=seen_inside(*SILENT_PEER),
    ),
    Scenario(
        name="failure-queue-own-loss",
        story="The firewall itself loses a segment after it came in, and then asks for it.",
        **QUEUE,
        asa=lose(),
        expect=seen_outside(*SILENT_PEER),
    ),
)

SECOND_BOX_FAILURES = (
    Scenario(
        name="failure-near-client",
        story="The firewall passes everything as it comes; another box between client and firewall orders the "
        "stream, and a segment is lost before it.",
        direction=TO_HEADEND,
        habits=FAILURE,
        second_box="outer",
        outer=lose(),
        expect=everywhere(FLAGSHIP) | {OUTSIDE: SILENT_PEER, INSIDE: SILENT_PEER},
    ),
    Scenario(
        name="failure-near-client-reverse",
        story="The same in the other direction: a headend segment is lost before the firewall, which passes "
        "the questions of the box beyond it.",
        direction=TO_CLIENT,
        habits=FAILURE | {"push_per_s": 3.0},
        second_box="outer",
        inner=lose(TO_CLIENT),
        expect=everywhere(FLAGSHIP) | {CLIENT: SILENT_PEER},
    ),
    Scenario(
        name="failure-near-headend",
        story="The firewall passes everything as it comes; another box between firewall and headend orders the "
        "stream, and a segment is lost before it.",
        direction=TO_HEADEND,
        habits=FAILURE,
        second_box="inner",
        inner=lose(),
        expect=asked_from_beyond(),
    ),
    Scenario(
        name="failure-near-headend-lost-outside",
        story="The same box near the headend; the segment is lost between client and firewall.",
        direction=TO_HEADEND,
        habits=FAILURE,
        second_box="inner",
        outer=lose(),
        expect=asked_from_beyond(),
    ),
    Scenario(
        name="failure-near-headend-lost-in-box",
        story="The same box near the headend; the firewall itself loses the segment.",
        middlebox="router",
        direction=TO_HEADEND,
        habits=FAILURE,
        second_box="inner",
        asa=lose(),
        expect=asked_from_beyond(),
    ),
)

LONG_FAILURES = (
    Scenario(
        name="failure-long",
        story="A session of a minute and a half with a proxy in its path, which loses a segment after a minute.",
        middlebox="proxy",
        direction=TO_HEADEND,
        habits={"duration_s": 90.0, "peer_timeout_s": 22.0},
        outer=lose(first=230, last=260),
        expect=seen_outside(*SILENT_PEER),
    ),
)

LOSSES = (
    Scenario(
        name="queue-healthy",
        story="No loss, a firewall that orders the stream, the user disconnects.",
        middlebox="orderer",
        habits={"duration_s": 12.0},
        expect=ends_well(),
    ),
    Scenario(
        name="queue-healthy-randomised",
        story="The same behind new initial sequence numbers, an MSS of 1380 and no other option.",
        middlebox="orderer",
        box={"randomises": True},
        client={"syn_options": "mss-sack"},
        habits={"duration_s": 12.0},
        expect=ends_well(),
    ),
    Scenario(
        name="queue-healthy-nat",
        story="The same with the client behind a NAT, and the headend behind another address of the firewall.",
        middlebox="orderer",
        nat=True,
        box={"translates": True},
        habits={"duration_s": 12.0},
        expect=ends_well(),
    ),
    Scenario(
        name="queue-reordered",
        story="Every tenth segment comes 20 to 60 ms late; the firewall asks for it, and orders the stream.",
        middlebox="orderer",
        habits={"duration_s": 15.0},
        outer=reorder(),
        expect=ends_well("loss-tolerated") | {OUTSIDE: OVERTAKEN},
    ),
    Scenario(
        name="lost-in-box",
        story="The firewall loses one segment of each direction between its two sides; both ends go on.",
        middlebox="router",
        habits={"duration_s": 15.0},
        asa=lose_each_way(),
        must_lose=True,
        expect=everywhere("loss-tolerated"),
    ),
    Scenario(
        name="lost-in-box-often",
        story="The firewall loses one to five segments in a hundred between its two sides; both ends go on.",
        middlebox="router",
        habits=BUSY,
        asa=lose_some(0.01, 0.05, TO_HEADEND, TO_CLIENT),
        must_lose=True,
        expect=everywhere("loss-tolerated"),
    ),
    Scenario(
        name="lost-in-box-burst",
        story="The firewall loses eight segments in a row between its two sides; both ends go on.",
        middlebox="router",
        habits=BUSY,
        asa=lose(burst=8),
        must_lose=True,
        expect=everywhere("loss-tolerated"),
    ),
    Scenario(
        name="lost-in-box-randomised",
        story="The firewall loses segments, and gives those that it passes new numbers and no options.",
        middlebox="randomiser",
        habits=BUSY,
        asa=lose_some(0.01, 0.05, TO_HEADEND, TO_CLIENT),
        must_lose=True,
        expect=everywhere("loss-tolerated"),
    ),
    Scenario(
        name="lost-in-box-mtu",
        story="The firewall swallows the client's long packets and says nothing; short ones pass.",
        middlebox="router",
        habits={"duration_s": 20.0, **BIG_PACKETS},
        asa=too_long(1000, TO_HEADEND),
        must_lose=True,
        expect=everywhere("path-mtu-black-hole", "loss-tolerated", UNSURE)
        | dict.fromkeys(
            (CLIENT, OUTSIDE), ("path-mtu-black-hole", "loss-tolerated", "orderly-close", "healthy", UNSURE)
        ),
    ),
    Scenario(
        name="lost-outside",
        story="One to five client segments in a hundred are lost between client and firewall; both ends go on.",
        habits=BUSY,
        outer=lose_some(0.01, 0.05, TO_HEADEND),
        must_lose=True,
        expect=everywhere("loss-tolerated"),
    ),
    Scenario(
        name="lost-outside-burst",
        story="Eight client segments in a row are lost between client and firewall; both ends go on.",
        habits=BUSY,
        outer=lose(burst=8),
        must_lose=True,
        expect=everywhere("loss-tolerated"),
    ),
    Scenario(
        name="lost-inside",
        story="One to five segments in a hundred of each direction are lost between firewall and headend.",
        habits=BUSY,
        inner=lose_some(0.01, 0.05, TO_CLIENT, TO_HEADEND),
        must_lose=True,
        expect=everywhere("loss-tolerated"),
    ),
    Scenario(
        name="lost-inside-burst",
        story="Eight headend segments in a row are lost between headend and firewall; both ends go on.",
        habits=BUSY,
        inner=lose(TO_CLIENT, burst=8),
        must_lose=True,
        expect=everywhere("loss-tolerated"),
    ),
    Scenario(
        name="long-healthy",
        story="A session of a minute and a quarter without loss through a proxy; the user disconnects.",
        middlebox="proxy",
        habits={"duration_s": 78.0},
        expect=ends_well(),
    ),
    Scenario(
        name="long-loss",
        story="A session of a minute and a quarter; two segments in a hundred are lost before a firewall that "
        "changes initial sequence numbers.",
        middlebox="randomiser",
        habits={"duration_s": 80.0},
        outer=lose_often(0.02),
        must_lose=True,
        expect=everywhere("loss-tolerated"),
    ),
)

LIVING = (
    Scenario(
        name="tolerated",
        story="Segments are lost in both directions on a path that looks at nothing; both ends go on.",
        habits={"duration_s": 15.0, "keepalive_s": 2.0},
        outer=lose_often(0.04),
        must_lose=True,
        expect=everywhere("loss-tolerated"),
    ),
    Scenario(
        name="healthy",
        story="No loss, a proxy in the path, and a session that is still at work when the capture ends.",
        middlebox="proxy",
        habits={"duration_s": 10.0, "stays_open": True},
        tail_s=0.1,
        expect=everywhere("healthy"),
    ),
    Scenario(
        name="orderly-close",
        story="No loss, a proxy in the path, the user disconnects.",
        middlebox="proxy",
        habits={"duration_s": 10.0},
        expect=ends_well(),
    ),
    Scenario(
        name="keepalives",
        story="No loss, no proxy, bare keep-alive ACKs while the user reads, then he disconnects.",
        habits={"duration_s": 14.0, "silences": ((4.0, 11.0),), "nags_s": (), "keepalive_s": 0.7},
        expect=ends_well(),
    ),
    Scenario(
        name="randomised",
        story="A firewall that changes initial sequence numbers and strips options, and some loss before it.",
        middlebox="randomiser",
        habits={"duration_s": 15.0},
        outer=lose_often(0.04),
        must_lose=True,
        expect=everywhere("loss-tolerated"),
    ),
    Scenario(
        name="loss-behind-the-proxy",
        story="Segments are lost on the far side of the proxy, where its own TCP or nobody sends them again.",
        middlebox="proxy",
        habits={"duration_s": 18.0},
        outer=lose_often(0.04, directions=(TO_CLIENT,)),
        must_lose=True,
        expect=ends_well("loss-tolerated", UNSURE),
    ),
    Scenario(
        name="reordered",
        story="Every tenth segment comes 20 to 60 ms late: duplicate ACKs without loss.",
        middlebox="proxy",
        habits={"duration_s": 15.0},
        outer=reorder(),
        # At the firewall a late original without packet IDs cannot be told from an answer.
        expect=ends_well("loss-tolerated") | {OUTSIDE: OVERTAKEN},
    ),
    Scenario(
        name="late-original",
        story="One segment comes six seconds late; the stall ends and the talk goes on.",
        middlebox="proxy",
        habits={"duration_s": 22.0, "peer_timeout_s": 20.0},
        outer=hold_back(6.0),
        expect=ends_well("loss-tolerated", UNSURE, "answered"),
    ),
    Scenario(
        name="duplicated",
        story="The path delivers every tenth segment twice; the proxy answers the second copy with an ACK.",
        middlebox="proxy",
        habits={"duration_s": 15.0},
        outer=copy_some(),
        expect=ends_well("loss-tolerated"),
    ),
    Scenario(
        name="keepalives-after-loss",
        story="The last segments before a pause are lost; the headend's keep-alives repeat its ACK all the "
        "while, and then the talk goes on.",
        habits={
            "duration_s": 20.0,
            "silences": ((5.0, 14.0),),
            "nags_s": (),
            "push_per_s": 0.01,
            "keepalive_s": 0.8,
            "dpd_idle_s": 30.0,
            "peer_timeout_s": 40.0,
        },
        outer=lose_until_pause(4.6, 9.0),
        must_lose=True,
        expect=everywhere("loss-tolerated", "orderly-close", "healthy", UNSURE),
    ),
    Scenario(
        name="window-updates",
        story="The relay pauses now and then; the proxy's window shrinks and opens again.",
        middlebox="proxy",
        habits={"duration_s": 16.0, "bursts_per_s": 6.0, "peer_timeout_s": 20.0},
        box={"sulks": (4.0, 6.0), "receive_buffer_len": 60_000},
        expect=ends_well(),
    ),
    Scenario(
        name="path-mtu",
        story="The path swallows long packets of the client and says nothing; short ones pass.",
        habits={"duration_s": 20.0, **BIG_PACKETS},
        outer=too_long(1000, TO_HEADEND),
        must_lose=True,
        expect=everywhere("path-mtu-black-hole", "loss-tolerated", UNSURE)
        | {CLIENT: ("path-mtu-black-hole", "loss-tolerated", "orderly-close", "healthy", UNSURE)},
    ),
    Scenario(
        name="tolerated-pcapng",
        story="The tolerated loss as dumpcap records it; in the file of both sides every packet comes twice.",
        habits={"duration_s": 12.0},
        outer=lose_often(0.04),
        must_lose=True,
        recorder="dumpcap",
        one_at_asa=True,
        expect=everywhere("loss-tolerated") | {ASA: ("loss-tolerated",)},
    ),
    Scenario(
        name="orderly-close-pcapng",
        story="No loss, a proxy in the path, the user disconnects; both sides of the firewall in one file.",
        middlebox="proxy",
        habits={"duration_s": 6.0},
        recorder="dumpcap",
        one_at_asa=True,
        expect=ends_well() | {ASA: ("orderly-close", "healthy", "reset-by-endpoint")},
    ),
    Scenario(
        name="haproxy",
        story="No loss, haproxy in the path, bursts that it cuts anew; the user disconnects.",
        middlebox="haproxy",
        habits={"duration_s": 5.0, "bursts_per_s": 5.0, **BIG_PACKETS},
        expect=ends_well(),
    ),
    Scenario(
        name="haproxy-reordered",
        story="Every tenth segment comes 20 to 60 ms late at haproxy: duplicate ACKs without loss.",
        middlebox="haproxy",
        habits={"duration_s": 15.0},
        outer=reorder(),
        expect=ends_well("loss-tolerated")
        | {OUTSIDE: ("orderly-close", "healthy", "loss-tolerated", "answered")},
    ),
    Scenario(
        name="loss-behind-haproxy",
        story="Segments are lost on the far side of haproxy, where its own TCP or nobody sends them again.",
        middlebox="haproxy",
        habits={"duration_s": 18.0},
        outer=lose_often(0.04, directions=(TO_CLIENT,)),
        must_lose=True,
        expect=ends_well("loss-tolerated", UNSURE),
    ),
)

OTHER_DEATHS = (
    Scenario(
        name="idle-timeout",
        story="Nobody speaks for longer than the firewall remembers; what comes afterwards is not let through.",
        middlebox="stateful",
        box={"idle_timeout_s": 6},
        pause_becomes_s=3900,
        habits={
            "duration_s": 60.0,
            "silences": ((4.0, 14.0),),
            "nags_s": (),
            "push_per_s": 0.01,
            "dpd_idle_s": 18.0,
            "peer_timeout_s": 26.0,
        },
        expect=everywhere("idle-timeout", "peer-vanished", "firewall-drop", UNSURE)
        | {TOGETHER: ("idle-timeout", "firewall-drop", UNSURE), INSIDE: STOPPED},
    ),
    Scenario(
        name="idle-timeout-then-again",
        story="The same; the client gives up, connects again from another port, and works: the firewall and all "
        "captures are there.",
        middlebox="stateful",
        box={"idle_timeout_s": 6},
        pause_becomes_s=3900,
        habits={
            "duration_s": 60.0,
            "silences": ((4.0, 14.0),),
            "nags_s": (),
            "push_per_s": 0.01,
            "dpd_idle_s": 18.0,
            "peer_timeout_s": 26.0,
        },
        expect=everywhere("idle-timeout", "peer-vanished", "firewall-drop", UNSURE)
        | {TOGETHER: ("idle-timeout", "firewall-drop", UNSURE), INSIDE: STOPPED},
        again=(
            Again(
                expect=ends_well(),
                new_port=True,
                habits={"duration_s": 8.0, "silences": (), "push_per_s": 0.3},
            ),
        ),
    ),
    Scenario(
        name="peer-vanished",
        story="The headend loses power; the client asks, waits and gives up.",
        habits=FAILURE | {"headend_vanishes_at_s": 6.0},
        expect=everywhere("peer-vanished", UNSURE),
    ),
    Scenario(
        name="client-vanished",
        story="The client's laptop is shut; the headend asks, waits and gives up.",
        habits={"duration_s": 26.0, "client_vanishes_at_s": 6.0, "headend_peer_timeout_s": 14.0},
        expect=everywhere("peer-vanished", UNSURE),
    ),
    Scenario(
        name="link-down",
        story="The line between client and firewall goes dead in both directions.",
        habits=FAILURE | {"headend_peer_timeout_s": 14.0},
        outer=cut_off(7.0),
        must_lose=True,
        expect=everywhere("link-down", "peer-vanished", UNSURE),
    ),
    Scenario(
        name="firewall-drop",
        story="A new rule on the firewall drops the connection in both directions.",
        middlebox="gate",
        box={"shuts_at_s": 7.0},
        habits=FAILURE,
        expect=everywhere("peer-vanished", "firewall-drop", UNSURE)
        | {TOGETHER: ("firewall-drop",), INSIDE: STOPPED},
    ),
    Scenario(
        name="nat-rebinding",
        story="A NAT in the path forgets the client and gives it another port; the headend knows nobody there.",
        habits=FAILURE,
        nat=True,
        box={"rebinds_at_s": 8.0},
        expect=everywhere("nat-rebinding", UNSURE, "peer-vanished"),
    ),
    Scenario(
        name="reset-by-middlebox",
        story="An IPS beside the router sends RSTs in both names.",
        middlebox="forger",
        box={"forges_at_s": 7.0},
        habits={"duration_s": 14.0},
        expect=everywhere("reset-by-middlebox", UNSURE),
    ),
    Scenario(
        name="reset-by-endpoint",
        story="The headend's service is killed; its connections are reset without a word.",
        habits={"duration_s": 14.0, "headend_aborts_at_s": 7.0},
        headend={"closes_with": "rst-ack"},
        expect=everywhere("reset-by-endpoint"),
    ),
    Scenario(
        name="reset-then-again",
        story="The headend's service is killed and comes back; the client connects again from the same port.",
        habits={"duration_s": 14.0, "headend_aborts_at_s": 5.0},
        headend={"closes_with": "rst-ack"},
        expect=everywhere("reset-by-endpoint"),
        again=(Again(expect=ends_well(), habits={"duration_s": 6.0, "headend_aborts_at_s": None}),),
    ),
    Scenario(
        name="reset-after-first-ask",
        story="A segment is lost, and the firewall resets both sides with its first duplicate ACK.",
        middlebox="proxy",
        box={"resets_after_s": 0.0},
        habits={"duration_s": 16.0},
        outer=lose(),
        must_lose=True,
        expect=everywhere(UNSURE, "reset-by-middlebox", "reset-by-endpoint"),
    ),
    Scenario(
        name="window-stall",
        story="The relay stops reading; the proxy's window closes; the client sends on into it and gives up.",
        middlebox="proxy",
        # Long messages only: the kernel drops many small ones for their overhead while its window is open.
        box={"sulks": (3.0, 90.0), "receive_buffer_len": 16_000},
        habits=FAILURE
        | {
            "inner_lengths": (1200, 1300),
            "inner_weights": (1, 1),
            "bursts_per_s": 3.0,
            "stalled_bursts_per_s": 1.0,
        },
        expect=everywhere("window-stall", UNSURE) | {INSIDE: SILENT_PEER},
    ),
    Scenario(
        name="handshake-failed",
        story="The headend does not answer the SYN; each try has a new initial sequence number.",
        habits={"headend_answers_syn": "no"},
        expect=everywhere("handshake-failed", UNSURE),
    ),
    Scenario(
        name="handshake-refused",
        story="The headend's port is closed.",
        habits={"headend_answers_syn": "rst"},
        expect=everywhere("handshake-failed", "reset-by-endpoint", UNSURE),
    ),
    Scenario(
        name="negotiation-failed",
        story="The TCP handshake is done, but nobody answers the first IKE message.",
        habits={"headend_answers_ike": "no"},
        expect=everywhere("negotiation-failed", UNSURE),
    ),
    Scenario(
        name="negotiation-refused",
        story="The headend chooses no proposal.",
        habits={"headend_answers_ike": "no-proposal-chosen"},
        expect=everywhere("negotiation-failed", "orderly-close", UNSURE),
    ),
)

ORDINARY = (
    Scenario(
        name="answered",
        story="An ordinary kernel TCP moves a file each way on port 10000 over a lossy path and sends again.",
        talks="bulk",
        outer=lose_and_more(0.02),
        must_lose=True,
        expect=everywhere(*REAL_TCP),
    ),
    Scenario(
        name="answered-no-sack",
        story="The same without SACK, so that every duplicate ACK is a bare one.",
        talks="bulk",
        no_sack=True,
        outer=lose_and_more(0.02),
        must_lose=True,
        expect=everywhere(*REAL_TCP),
    ),
    Scenario(
        name="answered-proxied",
        story="The same through the proxy, which answers and is answered.",
        talks="bulk",
        middlebox="proxy",
        outer=lose_and_more(0.02),
        must_lose=True,
        expect=everywhere(*REAL_TCP),
    ),
    Scenario(
        name="answered-haproxy",
        story="The same through haproxy.",
        talks="bulk",
        middlebox="haproxy",
        outer=lose_and_more(0.02),
        must_lose=True,
        expect=everywhere(*REAL_TCP),
    ),
    Scenario(
        name="answered-queued",
        story="The same through a firewall that orders the stream and asks in the ends' names.",
        talks="bulk",
        middlebox="orderer",
        outer=lose_and_more(0.02),
        must_lose=True,
        expect=everywhere(*REAL_TCP),
    ),
    Scenario(
        name="never-arrives",
        story="A real TCP sends one segment again and again, and the path swallows every copy; it dies.",
        talks="endless",
        size_len=18_000,
        outer=lose_for_ever(),
        must_lose=True,
        # At the client the answers are seen that the path swallows afterwards.
        expect=everywhere("not-ctcp") | {CLIENT: SWALLOWED},
    ),
    Scenario(
        name="never-arrives-no-sack",
        story="The same with bare duplicate ACKs.",
        talks="endless",
        no_sack=True,
        size_len=18_000,
        outer=lose_for_ever(),
        must_lose=True,
        # At the client the answers are seen that the path swallows afterwards.
        expect=everywhere("not-ctcp") | {CLIENT: SWALLOWED},
    ),
    Scenario(
        name="slow-reader",
        story="A server that does not read closes its window again and again.",
        talks="slow-reader",
        size_len=160_000,
        expect=everywhere("not-ctcp"),
    ),
    Scenario(
        name="silent",
        story="An idle connection whose kernel sends TCP keep-alives.",
        talks="silent",
        expect=everywhere("not-ctcp"),
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
        must_lose=True,
        expect=everywhere("not-ctcp"),
    ),
    Scenario(
        name="rfc8229",
        story="IKE and ESP in a real TCP (RFC 8229) on its own port, with loss both ways; everything is sent again.",
        talks="rfc8229",
        port=4500,
        size_len=9_000,
        outer=lose_and_more(0.03),
        must_lose=True,
        expect=everywhere(*REAL_TCP),
    ),
    Scenario(
        name="rfc8229-on-10000",
        story="The same on the port of cTCP and without SACK, so that every duplicate ACK is a bare one.",
        talks="rfc8229",
        no_sack=True,
        size_len=9_000,
        outer=lose_and_more(0.03),
        must_lose=True,
        expect=everywhere(*REAL_TCP),
    ),
    Scenario(
        name="rfc8229-haproxy",
        story="The same through haproxy, which cuts the byte stream anew: lengths begin in the middle of segments.",
        talks="rfc8229",
        middlebox="haproxy",
        size_len=9_000,
        outer=lose_and_more(0.03),
        must_lose=True,
        expect=everywhere(*REAL_TCP),
    ),
    Scenario(
        name="rfc8229-never-arrives",
        story="One segment of such a tunnel is sent again and again, and the path swallows every copy.",
        talks="rfc8229",
        size_len=20_000,
        outer=lose_for_ever(),
        must_lose=True,
        # At the client the answers are seen that the path swallows afterwards.
        expect=everywhere("not-ctcp") | {CLIENT: SWALLOWED},
    ),
)

TWO_SIDED_FAILURES = (*QUEUE_FAILURES, *SECOND_BOX_FAILURES, *LONG_FAILURES)
SCENARIOS = (*FAILURES, *TWO_SIDED_FAILURES, *LIVING, *LOSSES, *OTHER_DEATHS, *ORDINARY)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
