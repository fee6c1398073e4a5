"""A cTCP client and headend on raw packets: a TCP header without TCP's promises.

Knows the behaviour of ctcp-protocol section 1: one segment is one message, nothing is ever sent again,
the acknowledgment jumps over holes, duplicate ACKs are ignored.  What is not known about the real
client (options, window, TTL, PSH, keep-alives, way of closing) varies with the seed.
Does not know what the path does to its segments.
"""

import asyncio
import json
import random
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TextIO

from .messages import (
    AGGRESSIVE,
    INFORMATIONAL,
    PROTO_ESP,
    PROTO_IKE,
    QUICK,
    TRANSACTION,
    Esp,
    Ike,
    Layout,
    aggressive_1,
    aggressive_2,
    encrypted,
    esp_packet,
    in_udp,
    read_message,
    split_messages,
    wrapped,
)
from .net import Namespace
from .segment import (
    ACK,
    FIN,
    PSH,
    RST,
    SEQ_SPACE,
    SYN,
    Segment,
    ethertype_of,
    from_bytes,
    is_before,
    to_bytes,
)

ETH_P_ALL = 3
PACKET_OUTGOING = 4
EXCHANGE_OF = {
    "am3": AGGRESSIVE,
    "xauth-request": TRANSACTION,
    "xauth-reply": TRANSACTION,
    "config-request": TRANSACTION,
    "config-reply": TRANSACTION,
    "qm1": QUICK,
    "qm2": QUICK,
    "qm3": QUICK,
    "r-u-there": INFORMATIONAL,
    "r-u-there-ack": INFORMATIONAL,
    "delete": INFORMATIONAL,
    "no-proposal-chosen": INFORMATIONAL,
}
BODY_LEN = {"am3": 92, "xauth-reply": 64, "config-reply": 160, "qm1": 144, "qm2": 144, "qm3": 32}
USUAL_BODY_LEN = 48
INNER_LENGTHS = (40, 52, 60, 84, 120, 180, 260, 420, 576, 900, 1300)
INNER_WEIGHTS = (24, 14, 8, 8, 7, 6, 5, 4, 3, 2, 3)

# Options of a SYN, none of which the pseudo TCP ever honours.
SYN_OPTIONS = {
    "none": b"",
    "mss": bytes.fromhex("020405b4"),
    "mss-1380": bytes.fromhex("02040564"),
    "mss-wscale": bytes.fromhex("020405b4 01 030300"),
    "mss-sack": bytes.fromhex("020405b4 0101 0402"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How this one implementation fills in what nobody documents."""

    syn_options: str = "mss"
    window: int = 65535
    ttl: int = 128
    handshake_ttl: int = 128
    push: bool = False
    dont_fragment: bool = True
    ip_ids: str = "counting"
    acks_each_message: bool = False
    closes_with: str = "rst-bare"
    answers_when_closed: bool = False
    layout: Layout = field(default_factory=Layout)


def profile_from(rng: random.Random, **fixed: Any) -> Profile:
    """An implementation drawn from the seed, with some details pinned by the scenario."""
    ttl = rng.choice((64, 128, 255))
    layout = Layout(
        ike_pad=rng.choice((b"", bytes(16))),
        flags_word=rng.choice((0, 0x4000)),
        esp_counts_in_trailer=rng.random() < 0.25,
    )
    drawn: dict[str, Any] = {
        "syn_options": rng.choice(("mss", "mss", "mss-1380", "mss-wscale")),
        "window": rng.choice((65535, 65535, 64240, 32768)),
        "ttl": ttl,
        "handshake_ttl": rng.choice((ttl, 240)),
        "push": rng.random() < 0.4,
        "dont_fragment": rng.random() < 0.7,
        "ip_ids": rng.choice(("counting", "counting", "random", "zero")),
        "acks_each_message": rng.random() < 0.25,
        "closes_with": rng.choice(("rst-bare", "rst-ack")),
        "answers_when_closed": rng.random() < 0.5,
        "layout": layout,
    }
    return Profile(**(drawn | fixed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What the people and programs behind the tunnel do, and the timers of both ends."""

    duration_s: float = 12.0
    bursts_per_s: float = 3.0
    stalled_bursts_per_s: float = 1.6
    reply_probability: float = 0.75
    push_per_s: float = 0.3
    push_when_silent: bool = False
    nags_s: tuple[float, ...] = (0.6, 1.2, 2.4)
    silences: tuple[tuple[float, float], ...] = ()
    inner_lengths: tuple[int, ...] = INNER_LENGTHS
    inner_weights: tuple[int, ...] = INNER_WEIGHTS
    keepalive_s: float | None = None
    dpd_idle_s: float = 4.0
    dpd_retry_s: float = 3.0
    peer_timeout_s: float = 16.0
    headend_peer_timeout_s: float | None = None
    ike_retry_s: float = 2.0
    ike_tries: int = 4
    syn_retry_s: float = 1.5
    syn_tries: int = 4
    rekey_at_s: float | None = None
    headend_vanishes_at_s: float | None = None
    client_vanishes_at_s: float | None = None
    headend_answers_syn: str = "syn-ack"
    headend_answers_ike: str = "yes"
    stays_open: bool = False
    headend_aborts_at_s: float | None = None
    client_isn: int | None = None
    headend_isn: int | None = None


class Journal:
    """The log of one endpoint: every message sent and received, every decision, with its time."""

    def __init__(self, file: TextIO, who: str, flow: int) -> None:
        self.file = file
        self.who = who
        self.flow = flow

    def note(self, event: str, **facts: Any) -> None:
        head = {"t_ns": time.time_ns(), "who": self.who, "flow": self.flow, "event": event}
        print(json.dumps(head | facts), file=self.file)


class PacketPort:
    """All segments that reach one interface, and a way out past the kernel's own TCP."""

    def __init__(self, host: Namespace, interface: str, gateway_mac: bytes) -> None:
        self.socket = host.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self.socket.bind((interface, ETH_P_ALL))
        self.socket.setblocking(False)
        self.interface = interface
        self.gateway_mac = gateway_mac
        self.listeners: list[Callable[[Segment], None]] = []
        asyncio.get_running_loop().add_reader(self.socket.fileno(), self._drain)

    def send(self, segment: Segment) -> None:
        packet = to_bytes(segment)
        self.socket.sendto(packet, (self.interface, ethertype_of(packet), 0, 0, self.gateway_mac))

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.socket.fileno())
        self.socket.close()

    def _drain(self) -> None:
        while True:
            try:
                packet, origin = self.socket.recvfrom(65536)
            except (BlockingIOError, InterruptedError):
                return
            segment = None if origin[2] == PACKET_OUTGOING else from_bytes(packet)
            for listener in self.listeners if segment is not None else ():
                listener(segment)  # type: ignore[arg-type]


def silence_kernel(host: Namespace) -> None:
    """The kernel must not answer the segments of a TCP it does not know."""
    host.nft("table inet quiet { chain in { type filter hook input priority 0; meta l4proto tcp drop; }; }")


@dataclass(slots=True, kw_only=True)
class PseudoTcp:
    """The cTCP idea of a connection: numbers that look right, and no memory of what was sent."""

    port: PacketPort
    profile: Profile
    rng: random.Random
    journal: Journal
    local: tuple[str, int]
    remote: tuple[str, int]
    isn: int
    on_message: Callable[[bytes], None]
    on_end: Callable[[str], None]
    state: str = "closed"
    snd_nxt: int = 0
    rcv_isn: int = 0
    highest_seen: int = 0
    tail: bytes = b""
    tail_end: int | None = None
    last_sent_s: float = 0.0
    ip_id: int = 0

    def send_syn(self) -> None:
        self.state = "syn-sent"
        self.snd_nxt = (self.isn + 1) % SEQ_SPACE
        self.journal.note("syn", isn=self.isn, local=self.local, remote=self.remote)
        self._emit(SYN, seq=self.isn, ack=0, options=SYN_OPTIONS[self.profile.syn_options])

    def accept(self, syn: Segment) -> None:
        self.state = "open"
        self.snd_nxt = (self.isn + 1) % SEQ_SPACE
        self._meet(syn)
        self.journal.note("syn-ack", isn=self.isn, client_isn=syn.seq, local=self.local, remote=self.remote)
        options = SYN_OPTIONS[self.profile.syn_options] if syn.options else b""
        self._emit(SYN | ACK, seq=self.isn, ack=self.highest_seen, options=options)

    def send(self, message: bytes, **facts: Any) -> None:
        """One message, one segment, once."""
        self.journal.note("sent", tcp_seq=self.snd_nxt, len=len(message), **facts)
        flags = ACK | (PSH if self.profile.push else 0)
        self._emit(flags, seq=self.snd_nxt, ack=self.highest_seen, payload=message)
        self.snd_nxt = (self.snd_nxt + len(message)) % SEQ_SPACE

    def keep_alive(self) -> None:
        self._emit(ACK, seq=self.snd_nxt, ack=self.highest_seen)

    def close(self, why: str) -> None:
        if self.state == "dead":
            return
        self.state = "dead"
        self.journal.note("closed", why=why, style=self.profile.closes_with)
        if self.profile.closes_with == "rst-bare":
            self._emit(RST, seq=0, ack=0)
        else:
            self._emit(RST | ACK, seq=self.snd_nxt, ack=self.highest_seen)

    def receive(self, segment: Segment) -> None:
        if segment.flags & RST:
            self._take_reset(segment)
        elif self.state == "syn-sent":
            self._take_syn_ack(segment)
        elif self.state == "dead":
            self._refuse(segment)
        elif segment.flags & FIN:  # ctcp-protocol 1.3: FIN is answered by RST
            self._end("fin")
            self._emit(RST, seq=0, ack=0)
        elif segment.payload:
            self._take_data(segment)
        # anything else is a bare ACK: a keep-alive to cTCP, duplicate or not, and dropped

    def _take_syn_ack(self, segment: Segment) -> None:
        if segment.flags & SYN and segment.ack == self.snd_nxt:
            self.state = "open"
            self._meet(segment)
            self.journal.note("open", isn=self.isn, peer_isn=segment.seq)
            self._emit(ACK, seq=self.snd_nxt, ack=self.highest_seen)

    def _meet(self, syn: Segment) -> None:
        self.rcv_isn = syn.seq
        self.highest_seen = syn.end_seq

    def _take_reset(self, segment: Segment) -> None:
        if self.state not in ("dead", "closed"):
            self.journal.note("reset-received", seq=segment.seq, ttl=segment.ttl)
            self._end("reset")

    def _end(self, why: str) -> None:
        self.state = "dead"
        self.on_end(why)

    def _refuse(self, segment: Segment) -> None:
        """An unknown connection is answered RST+ACK (ctcp-protocol 1.3)."""
        if self.profile.answers_when_closed and not segment.flags & RST:
            self._emit(RST | ACK, seq=segment.ack, ack=segment.end_seq)

    def _take_data(self, segment: Segment) -> None:
        if is_before(self.highest_seen, segment.end_seq):
            self.highest_seen = segment.end_seq  # the highest byte seen: holes are jumped over
        if self.tail_end != segment.seq:
            self.tail = b""  # not the continuation: what was begun here will never be completed
        messages, self.tail = split_messages(self.tail + segment.payload)
        self.tail_end = segment.end_seq
        for message in messages:
            self.on_message(message)
        if self.profile.acks_each_message:
            self.keep_alive()

    def _emit(self, flags: int, *, seq: int, ack: int, payload: bytes = b"", options: bytes = b"") -> None:
        if not flags & RST:
            self.last_sent_s = time.monotonic()
        self.port.send(
            Segment(
                src=self.local[0],
                dst=self.remote[0],
                sport=self.local[1],
                dport=self.remote[1],
                seq=seq,
                ack=ack,
                flags=flags,
                window=self.profile.window,
                ttl=self.profile.handshake_ttl if flags & SYN else self.profile.ttl,
                ip_id=self._next_ip_id(),
                dont_fragment=self.profile.dont_fragment,
                options=options,
                payload=payload,
            )
        )

    def _next_ip_id(self) -> int:
        match self.profile.ip_ids:
            case "zero":
                return 0
            case "random":
                return self.rng.randrange(1 << 16)
        self.ip_id = (self.ip_id + 1) % (1 << 16)
        return self.ip_id


class Peer:
    """What client and headend have in common: IKE and ESP over one pseudo TCP connection."""

    def __init__(self, port: PacketPort, profile: Profile, habits: Habits, rng: random.Random, log: Journal):
        self.port = port
        self.profile = profile
        self.habits = habits
        self.rng = rng
        self.journal = log
        self.tcp: PseudoTcp | None = None
        self.cookies = (bytes(8), bytes(8))
        self.spi_out = 0
        self.spi_in = 0
        self.esp_sequence = 0
        self.last_heard_s = time.monotonic()
        self.dpd_number = rng.randrange(1 << 16)
        self.ended = asyncio.Event()
        self.original_ip_id = rng.randrange(1 << 16)
        self.tasks: list[asyncio.Task[None]] = []

    @property
    def is_open(self) -> bool:
        return self.tcp is not None and self.tcp.state == "open" and not self.ended.is_set()

    def start(self, *activities: Any) -> None:
        self.tasks += [asyncio.create_task(activity) for activity in activities]

    def stop(self) -> None:
        for task in self.tasks:
            task.cancel()

    def connection(self, local: tuple[str, int], remote: tuple[str, int], isn: int | None) -> PseudoTcp:
        return PseudoTcp(
            port=self.port,
            profile=self.profile,
            rng=self.rng,
            journal=self.journal,
            local=local,
            remote=remote,
            isn=self.rng.randrange(SEQ_SPACE) if isn is None else isn,
            on_message=self._take,
            on_end=self.end,
        )

    def end(self, why: str) -> None:
        if not self.ended.is_set():
            self.journal.note("ended", why=why)
            self.ended.set()

    def send_ike_bytes(self, isakmp: bytes, kind: str, number: int = 0) -> None:
        if self.tcp is None or self.tcp.state != "open":
            return
        self.original_ip_id = (self.original_ip_id + 1) % (1 << 16)
        layout = self.profile.layout
        message = wrapped(in_udp(isakmp, layout), PROTO_IKE, layout, self.original_ip_id)
        self.tcp.send(message, kind=kind, number=number)

    def send_ike(self, kind: str, number: int = 0, message_id: int | None = None) -> None:
        self.send_ike_bytes(self.sealed(kind, number, message_id), kind, number)

    def sealed(self, kind: str, number: int, message_id: int | None) -> bytes:
        ike = Ike(
            kind=kind,
            number=number,
            initiator_cookie=self.cookies[0],
            responder_cookie=self.cookies[1],
            message_id=self.rng.randrange(1, SEQ_SPACE) if message_id is None else message_id,
        )
        return encrypted(ike, EXCHANGE_OF[kind], BODY_LEN.get(kind, USUAL_BODY_LEN))

    def send_esp(self) -> None:
        if not self.is_open or self.tcp is None or not self.spi_out:
            return
        self.esp_sequence += 1
        inner_len = self.rng.choices(self.habits.inner_lengths, self.habits.inner_weights)[0]
        packet = esp_packet(self.rng, self.spi_out, self.esp_sequence, inner_len)
        message = wrapped(packet, PROTO_ESP, self.profile.layout, self.esp_sequence % (1 << 16))
        self.tcp.send(message, kind="esp", spi=self.spi_out, esp_seq=self.esp_sequence)

    def new_outgoing_sa(self, spi: int) -> None:
        self.spi_out, self.esp_sequence = spi, 0

    def new_spi(self) -> int:
        return self.rng.randrange(0x01000000, 0xFFFFFFFF)

    def _take(self, raw: bytes) -> None:
        message = read_message(raw)
        self.last_heard_s = time.monotonic()
        if isinstance(message, Esp):
            self.journal.note("received", kind="esp", spi=message.spi, esp_seq=message.sequence, len=len(raw))
            self.on_esp(message)
        else:
            self.journal.note("received", kind=message.kind, number=message.number, len=len(raw))
            self.on_ike(message)

    def on_esp(self, message: Esp) -> None:
        raise NotImplementedError

    def on_ike(self, message: Ike) -> None:
        raise NotImplementedError

    async def keep_alive(self) -> None:
        """A bare ACK whenever nothing else was sent for a while (IOS: 5 s)."""
        pause_s = self.habits.keepalive_s
        while pause_s is not None and not self.ended.is_set():
            assert self.tcp is not None
            await asyncio.sleep(max(0.05, self.tcp.last_sent_s + pause_s - time.monotonic()))
            if self.is_open and time.monotonic() - self.tcp.last_sent_s >= pause_s:
                self.tcp.keep_alive()

    async def watch_peer(self, peer_timeout_s: float | None) -> None:
        """Dead peer detection (RFC 3706): ask when nothing was heard, give up after the timeout."""
        while peer_timeout_s is not None and not self.ended.is_set():
            silent_s = time.monotonic() - self.last_heard_s
            if silent_s >= peer_timeout_s:
                self.give_up()
            elif silent_s >= self.habits.dpd_idle_s:
                self.dpd_number += 1
                self.send_ike("r-u-there", self.dpd_number)
                await asyncio.sleep(self.habits.dpd_retry_s)
            await asyncio.sleep(0.1)

    def give_up(self) -> None:
        self.journal.note("gave-up", silent_s=time.monotonic() - self.last_heard_s)
        self.leave("peer-timeout")

    def leave(self, why: str) -> None:
        self.send_ike("delete")
        if self.tcp is not None:  # a host that vanished has none, and says nothing
            self.tcp.close(why)
            self.end(why)

    async def vanish(self, at_s: float | None) -> None:
        """The host is gone: no word to anybody."""
        if at_s is not None:
            await asyncio.sleep(at_s)
            self.journal.note("vanished")
            self.tcp = None
            for task in self.tasks:
                if task is not asyncio.current_task():
                    task.cancel()


class Client(Peer):
    """The VPN client: opens, negotiates, sends what its user does, gives up when nobody answers."""

    def __init__(
        self,
        port: PacketPort,
        profile: Profile,
        habits: Habits,
        rng: random.Random,
        log: Journal,
        *,
        local: tuple[str, int],
        remote: tuple[str, int],
    ):
        super().__init__(port, profile, habits, rng, log)
        self.local, self.remote = local, remote
        self.answers: asyncio.Queue[Ike] = asyncio.Queue()
        port.listeners.append(self._sort)

    async def run(self) -> None:
        if not await self._connect() or not await self._negotiate():
            self._abandon()
            return
        self.start(
            self._talk(),
            self.keep_alive(),
            self.watch_peer(self.habits.peer_timeout_s),
            self.vanish(self.habits.client_vanishes_at_s),
            self._rekey(),
        )
        try:
            await asyncio.wait_for(self.ended.wait(), self.habits.duration_s)
        except TimeoutError:
            if not self.habits.stays_open:
                self.leave("user-disconnects")

    def on_esp(self, message: Esp) -> None:
        pass

    def on_ike(self, message: Ike) -> None:
        match message.kind:
            case "r-u-there":
                self.send_ike("r-u-there-ack", message.number)
            case "delete":
                self.leave("peer-deleted")
            case "r-u-there-ack":
                pass
            case _:
                self.answers.put_nowait(message)

    def forget(self) -> None:
        """The host has closed this connection long ago: another may have its port."""
        self.stop()
        self.tcp = None

    def _sort(self, segment: Segment) -> None:
        to_us = (segment.dst, segment.dport) == self.local
        if to_us and (segment.src, segment.sport) == self.remote and self.tcp is not None:
            self.tcp.receive(segment)

    async def _connect(self) -> bool:
        """Each try is a new SYN with a new ISN from the same port (ctcp-protocol 1.3)."""
        for attempt in range(self.habits.syn_tries):
            self.tcp = self.connection(self.local, self.remote, self.habits.client_isn)
            self.tcp.ip_id = attempt + self.rng.randrange(1 << 15)
            self.tcp.send_syn()
            until_s = time.monotonic() + self.habits.syn_retry_s
            while time.monotonic() < until_s and self.tcp.state == "syn-sent":
                await asyncio.sleep(0.01)
            if self.tcp.state == "open":
                return True
            if self.ended.is_set():
                return False
        self.end("handshake-failed")
        return False

    def _abandon(self) -> None:
        if self.tcp is not None and self.tcp.state == "open":
            self.tcp.close("negotiation-failed")
        self.end("negotiation-failed")

    async def _negotiate(self) -> bool:
        """Aggressive mode, XAUTH, mode config, quick mode."""
        self.cookies = (self.rng.randbytes(8), bytes(8))
        first = aggressive_1(self.rng, self.cookies[0])
        answer = await self._ask(first, "am1", "am2")
        if answer is None:
            return False
        self.cookies = (self.cookies[0], answer.responder_cookie)
        for kind, wanted in (("am3", "xauth-request"), ("xauth-reply", "config-request")):
            if await self._ask(self.sealed(kind, 0, None), kind, wanted) is None:
                return False
        self.send_ike("config-reply")
        return await self._quick_mode()

    async def _quick_mode(self) -> bool:
        self.spi_in = self.new_spi()
        answer = await self._ask(self.sealed("qm1", self.spi_in, None), "qm1", "qm2", self.spi_in)
        if answer is None:
            return False
        self.send_ike("qm3", 0, answer.message_id)
        self.new_outgoing_sa(answer.number)
        return True

    async def _ask(self, isakmp: bytes, kind: str, wanted: str, number: int = 0) -> Ike | None:
        """IKE does send again, as a new segment with new sequence numbers."""
        for _ in range(self.habits.ike_tries):
            self.send_ike_bytes(isakmp, kind, number)
            until_s = time.monotonic() + self.habits.ike_retry_s
            answer = await self._answer(wanted, until_s)
            if answer is not None:
                return answer
            if not self.is_open:
                return None
        return None

    async def _answer(self, wanted: str, until_s: float) -> Ike | None:
        while (left_s := until_s - time.monotonic()) > 0 and self.is_open:
            try:
                answer = await asyncio.wait_for(self.answers.get(), min(left_s, 0.2))
            except TimeoutError:
                continue
            if answer.kind == "no-proposal-chosen":
                self.leave("no-proposal-chosen")
            if answer.kind == wanted:
                return answer
        return None

    async def _talk(self) -> None:
        """Bursts of one to three packets; slower while the programs inside get no answer."""
        began_s = time.monotonic()
        while not self.ended.is_set():
            stalled = time.monotonic() - self.last_heard_s > 1.5
            rate = self.habits.stalled_bursts_per_s if stalled else self.habits.bursts_per_s
            await asyncio.sleep(min(self.rng.expovariate(rate), 3 / rate))
            age_s = time.monotonic() - began_s
            if any(start <= age_s < stop for start, stop in self.habits.silences):
                continue
            for _ in range(self.rng.choice((1, 1, 2, 3))):
                self.send_esp()
                await asyncio.sleep(self.rng.uniform(0.0005, 0.004))

    async def _rekey(self) -> None:
        if self.habits.rekey_at_s is not None:
            await asyncio.sleep(self.habits.rekey_at_s)
            self.journal.note("rekey")
            await self._quick_mode()


class Headend(Peer):
    """The VPN headend: waits, answers, and keeps no session whose client has left."""

    def __init__(
        self,
        port: PacketPort,
        profile: Profile,
        habits: Habits,
        rng: random.Random,
        log: Journal,
        *,
        address: str,
        listens_on: int,
        only_clients: frozenset[tuple[str, int]],
    ):
        super().__init__(port, profile, habits, rng, log)
        self.address, self.listens_on = address, listens_on
        self.only_clients = only_clients
        self.owed_since_s: float | None = None
        port.listeners.append(self._sort)

    def on_esp(self, message: Esp) -> None:
        if self.rng.random() < self.habits.reply_probability:
            self.start(self._reply())

    def on_ike(self, message: Ike) -> None:
        if self.habits.headend_answers_ike == "no":
            return
        match message.kind:
            case "am1":
                self._answer_first(message)
            case "am3":
                self.send_ike("xauth-request")
            case "xauth-reply":
                self.send_ike("config-request")
            case "qm1":
                self._answer_quick(message)
            case "r-u-there":
                self.send_ike("r-u-there-ack", message.number)
            case "delete":
                self.start(self._let_go())

    def _sort(self, segment: Segment) -> None:
        if (segment.dst, segment.dport) != (self.address, self.listens_on):
            return
        client = (segment.src, segment.sport)
        if client not in self.only_clients:
            return
        if segment.flags & SYN and not segment.flags & ACK:
            self._take_syn(segment, client)
        elif self.tcp is not None and self.tcp.remote == client:
            self.tcp.receive(segment)

    def _take_syn(self, syn: Segment, client: tuple[str, int]) -> None:
        match self.habits.headend_answers_syn:
            case "no":
                self.journal.note("syn-ignored", isn=syn.seq)
            case "rst":
                self.tcp = self.connection((self.address, self.listens_on), client, 0)
                self.journal.note("syn-refused", isn=syn.seq)
                self.tcp._emit(RST | ACK, seq=0, ack=syn.end_seq)
            case _:
                self._accept(syn, client)

    def _accept(self, syn: Segment, client: tuple[str, int]) -> None:
        is_new = self.tcp is None or self.tcp.rcv_isn != syn.seq or self.tcp.remote != client
        if is_new:
            self.tcp = self.connection((self.address, self.listens_on), client, self.habits.headend_isn)
            self.tcp.ip_id = self.rng.randrange(1 << 15)
        assert self.tcp is not None
        self.tcp.accept(syn)
        if is_new:
            self._open_shop()

    def _open_shop(self) -> None:
        self.stop()
        self.ended = asyncio.Event()
        self.spi_out = 0  # what an earlier connection negotiated is gone with it
        self.last_heard_s = time.monotonic()
        self.start(
            self._push(),
            self._nag(),
            self.keep_alive(),
            self.watch_peer(self.habits.headend_peer_timeout_s),
            self.vanish(self.habits.headend_vanishes_at_s),
            self._abort(self.habits.headend_aborts_at_s),
        )

    def _answer_first(self, message: Ike) -> None:
        if self.habits.headend_answers_ike == "no-proposal-chosen":
            self.cookies = (message.initiator_cookie, self.rng.randbytes(8))
            self.send_ike("no-proposal-chosen")
            return
        if self.cookies[0] != message.initiator_cookie:
            self.cookies = (message.initiator_cookie, self.rng.randbytes(8))
        self.send_ike_bytes(aggressive_2(self.rng, *self.cookies), "am2")

    def _answer_quick(self, message: Ike) -> None:
        self.spi_in = self.new_spi()
        self.send_ike("qm2", self.spi_in, message.message_id)
        self.new_outgoing_sa(message.number)

    async def _reply(self) -> None:
        await asyncio.sleep(self.rng.uniform(0.01, 0.06))
        for _ in range(self.rng.choice((1, 1, 1, 2))):
            self.send_esp()

    async def _push(self) -> None:
        """Traffic nobody asked for, as long as the client was heard a moment ago."""
        while not self.ended.is_set():
            await asyncio.sleep(self.rng.expovariate(self.habits.push_per_s))
            if self.habits.push_when_silent or time.monotonic() - self.last_heard_s < 2:
                self.send_esp()

    async def _nag(self) -> None:
        """The programs inside the tunnel send again, ever more slowly, when their peer falls silent."""
        while not self.ended.is_set():
            await asyncio.sleep(0.2)
            silent_since_s = self.last_heard_s
            for pause_s in self.habits.nags_s:
                await asyncio.sleep(pause_s)
                if self.last_heard_s != silent_since_s:
                    break
                self.send_esp()
            while self.last_heard_s == silent_since_s and not self.ended.is_set():
                await asyncio.sleep(0.2)

    async def _abort(self, at_s: float | None) -> None:
        """The service is killed: its connections are reset and nobody is told why."""
        if at_s is not None:
            await asyncio.sleep(at_s)
            if self.tcp is not None:
                self.tcp.close("killed")
            self.end("killed")

    async def _let_go(self) -> None:
        await asyncio.sleep(0.03)
        if self.tcp is not None and self.tcp.state == "open":
            self.tcp.close("peer-deleted")
        self.end("peer-deleted")
