"""A user-space link: frames in on one side, out on the other, spoilt by rule, every one logged.

Knows frames, rules and what it did with each frame.  Does not know cTCP: which message a segment
carried is told by the sender's own log, joined on the sequence number (see truth).
"""

import asyncio
import json
import random
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

from .net import Namespace
from .segment import ACK, ETHERNET_LEN, RST, SYN, Segment, from_bytes, to_bytes, with_ttl

ETH_P_ALL = 3
PACKET_IGNORE_OUTGOING = 23
SOL_PACKET = 263
FRAME_LIMIT = 65536
TO_HEADEND = "client-to-headend"
TO_CLIENT = "headend-to-client"
SPACING_S = 1e-6  # keeps frames with the same delay in their order


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a link does to the segments that match, and how often.

    `action` is drop, delay, duplicate or corrupt.  `nth` counts matching segments from 1.
    `carries` is data, ack (pure), syn, rst or any.  `armed_by` names a rule that must have hit before.
    A `sticky` rule goes on hitting whatever carries the bytes that it hit once.  `flow` picks one client,
    `connection` one of those that a client opens one after another, from 0.
    """

    name: str
    action: str
    direction: str = TO_HEADEND
    carries: str = "data"
    nth: tuple[int, ...] = ()
    probability: float = 1.0
    longer_than: int = 0
    after_s: float = 0.0
    until_s: float = float("inf")
    limit: int | None = None
    delay_s: float = 0.0
    armed_by: str | None = None
    sticky: bool = False
    flow: int | None = None
    connection: int | None = None


@dataclass(slots=True, kw_only=True)
class RuleState:
    """A rule at work: how many matched, how many it hit."""

    rule: Rule
    rng: random.Random
    flow_port: int | None = None
    matched: int = 0
    hit: int = 0
    stuck_at: list[tuple[int, int]] = field(default_factory=list)

    def applies(self, segment: Segment, direction: str, age_s: float) -> bool:
        rule = self.rule
        if direction != rule.direction or not rule.after_s <= age_s < rule.until_s:
            return False
        if not _carries(segment, rule.carries) or segment.ip_len <= rule.longer_than:
            return False
        if self.flow_port is not None and self.flow_port not in (segment.sport, segment.dport):
            return False
        return self._is_stuck(segment) or self._chosen_anew(segment)

    def _is_stuck(self, segment: Segment) -> bool:
        return any(segment.sport == port and segment.seq == seq for port, seq in self.stuck_at)

    def _chosen_anew(self, segment: Segment) -> bool:
        chosen = self._chosen()
        if chosen and self.rule.sticky:
            self.stuck_at.append((segment.sport, segment.seq))
        return chosen

    def _chosen(self) -> bool:
        self.matched += 1
        if self.rule.nth and self.matched not in self.rule.nth:
            return False
        if self.rule.limit is not None and self.hit >= self.rule.limit:
            return False
        if self.rng.random() >= self.rule.probability:
            return False
        self.hit += 1
        return True


def _carries(segment: Segment, what: str) -> bool:
    match what:
        case "data":
            return bool(segment.payload)
        case "ack":
            return segment.is_pure_ack
        case "syn":
            return bool(segment.flags & SYN) and not segment.flags & ACK
        case "rst":
            return bool(segment.flags & RST)
        case "any":
            return True
    raise ValueError(f"no such kind of segment: {what}")


Transform = Callable[[Segment, str], Segment | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """What a box did with one segment: passed it on, queued it or refused it.

    `onward` goes on in the segment's direction, `back` are segments that the box made itself and sends to
    the one who spoke.  `released` are those that had waited in its queue, as they had come.
    """

    did: str
    onward: tuple[Segment, ...] = ()
    back: tuple[Segment, ...] = ()
    released: tuple[Segment, ...] = ()


Box = Callable[[Segment, str], Handled]
AGAINST = {TO_HEADEND: TO_CLIENT, TO_CLIENT: TO_HEADEND}


@dataclass(slots=True, kw_only=True)
class Link:
    """Two interfaces of one namespace, joined by rules.

    `left` is the client's side.  `transform` may rewrite a segment (NAT, sequence randomiser) or
    swallow it (None); it runs after the rules.  A `box` may also keep it for later and answer it.  With
    `router_macs` (per direction: next hop and own address, as an Ethernet header begins) the link stands
    in for a router and carries TCP only.
    """

    name: str
    host: Namespace
    log: TextIO
    rng: random.Random
    left_if: str = "left"
    right_if: str = "right"
    rules: Sequence[Rule] = ()
    flow_ports: Sequence[int] = ()
    latency_s: float = 0.0
    hops: int = 0
    transform: Transform | None = None
    box: Box | None = None
    router_macs: dict[str, bytes] | None = None
    states: list[RuleState] = field(init=False)
    sockets: dict[str, socket.socket] = field(init=False, default_factory=dict)
    queues: dict[str, "Outlet"] = field(init=False, default_factory=dict)
    started_s: float = field(init=False, default=0.0)
    count: int = field(init=False, default=0)
    client_isns: list[int] = field(init=False, default_factory=list)

    def prepare(self) -> None:
        """Rules ready, clock running; no socket yet."""
        self.states = [
            RuleState(
                rule=rule,
                rng=self.rng,
                flow_port=None if rule.flow is None else self.flow_ports[rule.flow],
            )
            for rule in self.rules
        ]
        self.started_s = time.monotonic()

    def start(self) -> None:
        self.prepare()
        left, right = self._open(self.left_if), self._open(self.right_if)
        self.sockets = {TO_HEADEND: left, TO_CLIENT: right}
        self.queues = {TO_HEADEND: Outlet(socket=right), TO_CLIENT: Outlet(socket=left)}
        loop = asyncio.get_running_loop()
        for direction, source in self.sockets.items():
            loop.add_reader(source.fileno(), self._drain, direction)

    def stop(self) -> None:
        loop = asyncio.get_running_loop()
        for opened in self.sockets.values():
            loop.remove_reader(opened.fileno())
            opened.close()
        for queue in self.queues.values():
            queue.closed = True

    def _open(self, interface: str) -> socket.socket:
        opened = self.host.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        opened.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        opened.bind((interface, ETH_P_ALL))
        opened.setblocking(False)
        return opened

    def _drain(self, direction: str) -> None:
        while True:
            try:
                frame = self.sockets[direction].recv(FRAME_LIMIT)
            except (BlockingIOError, InterruptedError):
                return
            self._handle(direction, frame)

    def _handle(self, direction: str, frame: bytes) -> None:
        segment = from_bytes(frame[ETHERNET_LEN:])
        if segment is None:  # ARP, ICMP, neighbour discovery, fragments: carried, not judged
            if self.router_macs is None:
                self.queues[direction].put(frame, self.latency_s)
            return
        state = self.first_that_applies(segment, direction)
        note = self._note(direction, segment, state)
        if self.box is not None and note["did"] != "drop":
            self._through_box(self.box, frame, segment, direction, note)
            return
        for copy, delay_s in self._outcome(frame, segment, direction, state, note):
            self.queues[direction].put(copy, delay_s)
        print(json.dumps(note), file=self.log)

    def _through_box(
        self, box: Box, frame: bytes, segment: Segment, direction: str, note: dict[str, Any]
    ) -> None:
        """A link with a box only loses: rules that delay or copy would have to say on which side of it."""
        handled = box(segment, direction)
        note["did"] = handled.did
        if handled.released:
            note["released"] = [{"seq": one.seq, "len": len(one.payload)} for one in handled.released]
        print(json.dumps(note), file=self.log)
        for one in handled.onward:
            self.queues[direction].put(self._framed(frame, one, direction), self.latency_s)
        for one in handled.back:
            made = self._note(AGAINST[direction], one, None) | {"did": "made"}
            print(json.dumps(made), file=self.log)
            header = frame[6:12] + frame[:6] + frame[12:ETHERNET_LEN]  # back to whom it came from
            self.queues[AGAINST[direction]].put(header + to_bytes(one), self.latency_s)

    def _framed(self, frame: bytes, segment: Segment, direction: str) -> bytes:
        packet = with_ttl(to_bytes(segment), self.hops) if self.hops else to_bytes(segment)
        header = frame[:ETHERNET_LEN]
        if self.router_macs is not None:
            header = self.router_macs[direction] + header[12:]
        return header + packet

    def first_that_applies(self, segment: Segment, direction: str) -> RuleState | None:
        if _carries(segment, "syn") and direction == TO_HEADEND and segment.seq not in self.client_isns:
            self.client_isns.append(segment.seq)
        age_s = time.monotonic() - self.started_s
        armed = [state for state in self.states if self._is_armed(state.rule)]
        return next((state for state in armed if state.applies(segment, direction, age_s)), None)

    def _is_armed(self, rule: Rule) -> bool:
        trigger = rule.armed_by
        is_its_turn = rule.connection in (None, len(self.client_isns) - 1)
        return is_its_turn and (
            trigger is None or any(state.hit for state in self.states if state.rule.name == trigger)
        )

    def _outcome(
        self, frame: bytes, segment: Segment, direction: str, state: RuleState | None, note: dict[str, Any]
    ) -> list[tuple[bytes, float]]:
        action = None if state is None else state.rule.action
        if action == "drop":
            return []
        out = self._forwarded(frame, segment, direction)
        if out is None:
            note["did"] = "swallowed"
            return []
        match action:
            case "delay" if state is not None:
                return [(out, self.latency_s + state.rule.delay_s)]
            case "duplicate" if state is not None:
                return [(out, self.latency_s), (out, self.latency_s + state.rule.delay_s)]
            case "corrupt":
                return [(_spoilt(out, self.rng), self.latency_s)]
        return [(out, self.latency_s)]

    def _forwarded(self, frame: bytes, segment: Segment, direction: str) -> bytes | None:
        packet = frame[ETHERNET_LEN:]
        if self.transform is not None:
            changed = self.transform(segment, direction)
            if changed is None:
                return None
            packet = packet if changed is segment else to_bytes(changed)
        if self.hops:
            packet = with_ttl(packet, self.hops)
        header = frame[:ETHERNET_LEN]
        if self.router_macs is not None:
            header = self.router_macs[direction] + header[12:]
        return header + packet

    def _note(self, direction: str, segment: Segment, state: RuleState | None) -> dict[str, Any]:
        self.count += 1
        note = {"t_ns": time.time_ns(), "link": self.name, "direction": direction, "n": self.count}
        note |= described(segment)
        note["did"] = "pass" if state is None else state.rule.action
        if state is not None:
            note["rule"] = state.rule.name
        return note


@dataclass(slots=True, kw_only=True)
class Outlet:
    """One way out of a link: frames leave in the order of their due times."""

    socket: socket.socket
    last_due_s: float = 0.0
    closed: bool = False

    def put(self, frame: bytes, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        loop.call_at(self._due(loop.time() + delay_s), self._send, frame)

    def _due(self, wanted_s: float) -> float:
        """Equal delays keep their order; a longer one may be overtaken."""
        if abs(wanted_s - self.last_due_s) < SPACING_S:
            wanted_s = self.last_due_s + SPACING_S
        self.last_due_s = wanted_s
        return wanted_s

    def _send(self, frame: bytes) -> None:
        if not self.closed:
            self.socket.send(frame)


def described(segment: Segment) -> dict[str, Any]:
    """What a log line says about a segment."""
    note: dict[str, Any] = {
        "src": segment.src,
        "sport": segment.sport,
        "dst": segment.dst,
        "dport": segment.dport,
        "flags": segment.letters,
        "seq": segment.seq,
        "ack": segment.ack,
        "window": segment.window,
        "len": len(segment.payload),
        "ttl": segment.ttl,
        "ip_id": segment.ip_id,
    }
    return note


def _spoilt(frame: bytes, rng: random.Random) -> bytes:
    """One bit of the last half turned over: the TCP checksum no longer fits."""
    spoilt = bytearray(frame)
    spoilt[rng.randrange(len(frame) // 2, len(frame))] ^= 1 << rng.randrange(8)
    return bytes(spoilt)
