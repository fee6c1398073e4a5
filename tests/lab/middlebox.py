"""The firewall namespace in its several natures: plain router, full TCP proxy, stateful filter.

Knows nftables and a relay; another one, which keeps no message boundaries, is in haproxy.  The TCP of the
proxy is the Linux kernel's own, so its duplicate ACKs are those of a real stack.  Does not know cTCP, except
that it keeps message boundaries where it can.
"""

import asyncio
import contextlib
import json
import random
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TextIO

from .link import AGAINST, TO_CLIENT, TO_HEADEND, Handled
from .messages import MAGIC, TRAILER_LEN
from .net import Namespace
from .segment import ACK, FIN, RST, SEQ_SPACE, SYN, Segment, from_bytes, is_before, to_bytes

RELAY_PORT = 50080
MARK = 1
TABLE = "100"
IP_TRANSPARENT = 19
IPV6_TRANSPARENT = 75
LINGER_AWAY = struct.pack("ii", 1, 0)  # close() sends RST
# Offset of tcpi_rcv_ooopack in struct tcp_info of <linux/tcp.h> (since 5.4): segments that came out of order.
OUT_OF_ORDER_OFFSET = 224
CHUNK_LEN = 65536


def forward(host: Namespace) -> None:
    """Nature one: a router that looks at nothing.  What tcp-state-bypass makes of an ASA."""
    host.sysctl("net/ipv4/ip_forward", "1")
    host.sysctl("net/ipv6/conf/all/forwarding", "1")


def filter_statefully(host: Namespace, idle_timeout_s: int) -> None:
    """Nature two: Linux conntrack, which forgets a connection after the idle timeout."""
    forward(host)
    host.nft(
        "table inet state { chain through { type filter hook forward priority 0; policy drop;"
        " ct state established,related accept;"
        " tcp flags & (syn|ack) == syn ct state new accept; }; }"
    )
    for key, value in (
        ("tcp_timeout_established", str(idle_timeout_s)),
        ("tcp_loose", "0"),
        ("tcp_be_liberal", "1"),  # cTCP's jumping ACKs would be INVALID otherwise
    ):
        host.sysctl(f"net/netfilter/nf_conntrack_{key}", value)


def drop_silently(host: Namespace, port: int) -> None:
    """A rule that appears in the middle of the day."""
    host.nft(
        "table inet gate { chain through { type filter hook forward priority 0;"
        f" tcp dport {port} drop; tcp sport {port} drop; }}; }}"
    )


def divert(host: Namespace, port: int) -> None:
    """Connections to that port end in this box, whatever address they were meant for."""
    host.nft(
        "table inet divert { chain pre { type filter hook prerouting priority -150;"
        f" meta l4proto tcp socket transparent 1 meta mark set {MARK} accept;"
        f" meta nfproto ipv4 tcp dport {port} tproxy ip to :{RELAY_PORT} meta mark set {MARK} accept;"
        f" meta nfproto ipv6 tcp dport {port} tproxy ip6 to :{RELAY_PORT} meta mark set {MARK} accept;"
        " };"
        # What belongs to no connection of the proxy goes nowhere.
        " chain through { type filter hook forward priority 0;"
        f" tcp dport {port} drop; tcp sport {port} drop; }}; }}"
    )
    for family, everything in (("-4", "0.0.0.0/0"), ("-6", "::/0")):
        host.ip(family, "rule", "add", "fwmark", str(MARK), "lookup", TABLE)
        host.ip(family, "route", "add", "local", everything, "dev", "lo", "table", TABLE)
    forward(host)


def transparent_listeners(host: Namespace, receive_buffer_len: int | None = None) -> list[socket.socket]:
    """One for each version of IP, where diverted connections arrive."""
    return [_listener(host, family, receive_buffer_len) for family in (socket.AF_INET, socket.AF_INET6)]


def _listener(host: Namespace, family: int, receive_buffer_len: int | None) -> socket.socket:
    listener = transparent(host, family)
    if receive_buffer_len is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_len)
    listener.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", RELAY_PORT))
    listener.listen(64)
    return listener


def transparent(host: Namespace, family: int) -> socket.socket:
    """A socket that may have an address which is not this host's."""
    opened = host.socket(family, socket.SOCK_STREAM)
    opened.setblocking(False)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
    else:
        opened.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
    return opened


@dataclass(slots=True, kw_only=True)
class Proxy:
    """Nature three: every connection ends here and a second one, from the client's own address, goes on."""

    host: Namespace
    log: TextIO
    port: int
    receive_buffer_len: int | None = None
    sulks: tuple[float, float] | None = None  # reads nothing from clients between these ages of a connection
    resets_after_s: float | None = None  # how long a hole may last before both halves are reset
    listeners: list[socket.socket] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    halves: list[tuple[str, tuple[str, int], int, socket.socket]] = field(default_factory=list)

    def start(self) -> None:
        divert(self.host, self.port)
        self.listeners = transparent_listeners(self.host, self.receive_buffer_len)
        for listener in self.listeners:
            self._spawn(self._accept(listener))

    async def stop(self) -> None:
        waiting = list(self.tasks)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for listener in self.listeners:
            listener.close()
        for *_, half in self.halves:
            half.close()

    def note_counters(self) -> None:
        """What the kernel itself counted: its out-of-order segments are its duplicate ACKs."""
        for side, client, since_ns, half in self.halves:
            with contextlib.suppress(OSError):
                counted = _out_of_order(half)
                self._note("counters", side=side, client=client, since_ns=since_ns, out_of_order=counted)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            outside, client = await loop.sock_accept(listener)
            outside.setblocking(False)
            self._spawn(self._relay(outside, client[:2]))

    async def _relay(self, outside: socket.socket, client: tuple[str, int]) -> None:
        headend = outside.getsockname()[:2]
        self._note("accepted", client=client, headend=headend)
        inside = transparent(self.host, outside.family)
        since_ns = time.time_ns()
        self.halves += [("outside", client, since_ns, outside), ("inside", client, since_ns, inside)]
        try:
            inside.bind(client)
            await asyncio.get_running_loop().sock_connect(inside, headend)
        except OSError as error:
            self._note("onward-refused", client=client, error=str(error))
            _reset(outside)
            return
        for half in (outside, inside):
            half.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(
            self._pump(outside, inside, TO_HEADEND, self.sulks),
            self._pump(inside, outside, TO_CLIENT, None),
            self._lose_patience(outside, inside),
        )

    async def _lose_patience(self, outside: socket.socket, inside: socket.socket) -> None:
        """Some firewalls end a connection whose missing segment does not come."""
        if self.resets_after_s is None:
            return
        while not (_out_of_order(outside) or _out_of_order(inside)):
            await asyncio.sleep(0.005)
        await asyncio.sleep(self.resets_after_s)
        self._note("lost-patience", after_s=self.resets_after_s)
        for half in (outside, inside):
            _reset(half)

    async def _pump(
        self, source: socket.socket, target: socket.socket, direction: str, sulks: tuple[float, float] | None
    ) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            while chunk := await loop.sock_recv(source, CHUNK_LEN):
                if sulks is not None and sulks[0] <= loop.time() - began_s < sulks[1]:
                    self._note("stops-reading", direction=direction)
                    await asyncio.sleep(sulks[1] - (loop.time() - began_s))
                for message in _at_boundaries(chunk):
                    await _send_record(target, message)
            self._note("end-of-stream", direction=direction)
            target.shutdown(socket.SHUT_WR)
        except OSError as error:
            self._note("broken", direction=direction, error=str(error))
            _reset(target)

    def _note(self, event: str, **facts: Any) -> None:
        print(json.dumps({"t_ns": time.time_ns(), "who": "middlebox", "event": event} | facts), file=self.log)


def _out_of_order(half: socket.socket) -> int:
    if half.fileno() == -1:
        return 0
    info = half.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    count: int = struct.unpack_from("I", info, OUT_OF_ORDER_OFFSET)[0]
    return count


def _at_boundaries(chunk: bytes) -> list[bytes]:
    """The chunk cut behind each trailer, so that one message stays one segment where it can."""
    pieces = []
    while (at := chunk.find(MAGIC)) != -1 and at + 8 <= len(chunk):
        pieces.append(chunk[: at + TRAILER_LEN - 8])
        chunk = chunk[at + TRAILER_LEN - 8 :]
    return [*pieces, chunk] if chunk else pieces


async def _send_record(target: socket.socket, message: bytes) -> None:
    """MSG_EOR keeps the kernel from merging this message with the next one."""
    loop = asyncio.get_running_loop()
    while message:
        try:
            sent = target.send(message, socket.MSG_EOR)
        except BlockingIOError:
            await _writable(loop, target)
            continue
        message = message[sent:]


async def _writable(loop: asyncio.AbstractEventLoop, target: socket.socket) -> None:
    ready = loop.create_future()
    loop.add_writer(target.fileno(), ready.set_result, None)
    try:
        await ready
    finally:
        loop.remove_writer(target.fileno())


def _reset(half: socket.socket) -> None:
    if half.fileno() == -1:
        return
    loop = asyncio.get_running_loop()
    loop.remove_reader(half.fileno())
    loop.remove_writer(half.fileno())
    half.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_AWAY)
    half.close()


@dataclass(slots=True, kw_only=True)
class Forger:
    """Nature four: an IPS beside a plain router, which ends a connection by RSTs in both names."""

    host: Namespace
    log: TextIO
    rng: random.Random
    port: int
    at_s: float
    neighbours: dict[str, bytes]
    ttl: int = 59
    sockets: dict[str, socket.socket] = field(default_factory=dict)
    latest: dict[str, Segment] = field(default_factory=dict)

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        for interface in self.neighbours:
            opened = self.host.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
            opened.bind((interface, 3))
            opened.setblocking(False)
            self.sockets[interface] = opened
            loop.add_reader(opened.fileno(), self._watch, interface)
        loop.call_later(self.at_s, self._strike)

    def stop(self) -> None:
        for opened in self.sockets.values():
            asyncio.get_running_loop().remove_reader(opened.fileno())
            opened.close()
        self.sockets.clear()

    def _watch(self, interface: str) -> None:
        packet, origin = self.sockets[interface].recvfrom(65536)
        segment = from_bytes(packet)
        if segment is None or origin[2] == 4 or not segment.flags & ACK:
            return
        known = self.latest.get(interface)
        if known is None or not is_before(segment.end_seq, known.end_seq):
            self.latest[interface] = segment

    def _strike(self) -> None:
        """Each side gets an RST in the other side's name, with the numbers it expects."""
        if len(self.latest) < 2 or not self.sockets:
            return
        for interface, mac in self.neighbours.items():
            mine, theirs = self.latest[interface], self.latest[_other(interface, self.neighbours)]
            forged = Segment(
                src=mine.dst,
                dst=mine.src,
                sport=mine.dport,
                dport=mine.sport,
                seq=theirs.end_seq % SEQ_SPACE,
                ack=mine.end_seq,
                flags=RST | ACK,
                window=0,
                ttl=self.ttl,
                ip_id=self.rng.randrange(1 << 16),
                dont_fragment=False,
            )
            packet = to_bytes(forged)
            self.sockets[interface].sendto(packet, (interface, 0x0800, 0, 0, mac))
            facts = {"interface": interface, "seq": forged.seq, "ttl": forged.ttl}
            print(
                json.dumps({"t_ns": time.time_ns(), "who": "middlebox", "event": "forged-rst"} | facts),
                file=self.log,
            )


def _other(interface: str, neighbours: dict[str, bytes]) -> str:
    return next(name for name in neighbours if name != interface)


@dataclass(slots=True, kw_only=True)
class Randomiser:
    """Nature five: new initial sequence numbers, and no TCP options that it does not like.

    Used as the transform of a link that stands in for the firewall.  With `mss_limit` the MSS is the one
    option that it leaves, and makes smaller where it is larger.
    """

    rng: random.Random
    mss_limit: int | None = None
    offsets: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)

    def __call__(self, segment: Segment, direction: str) -> Segment | None:
        outward = direction == TO_HEADEND
        client = (segment.src, segment.sport) if outward else (segment.dst, segment.dport)
        if client not in self.offsets:
            self.offsets[client] = (self.rng.randrange(SEQ_SPACE), self.rng.randrange(SEQ_SPACE))
        own, other = self.offsets[client] if outward else self.offsets[client][::-1]
        return replace(
            segment,
            seq=(segment.seq + own) % SEQ_SPACE,
            ack=(segment.ack - other) % SEQ_SPACE if segment.flags & ACK else segment.ack,
            options=self._tamed(segment.options),
        )

    def _tamed(self, options: bytes) -> bytes:
        mss = mss_in(options)
        if self.mss_limit is None or mss is None:
            return b""
        return struct.pack("!BBH", 2, 4, min(mss, self.mss_limit))


def mss_in(options: bytes) -> int | None:
    """The maximum segment size (RFC 9293 §3.2), where these options name one."""
    while len(options) >= 2 and options[0]:
        length = 1 if options[0] == 1 else max(2, options[1])
        if options[0] == 2:
            return int.from_bytes(options[2:4])
        options = options[length:]
    return None


# tcp-map queue-limit 0: "application inspection, IPS, and TCP check-retransmission have a queue limit of 3
# packets"; "if they are not put in order and passed on within the timeout period, then they are dropped".
QUEUE_LIMIT = 3
QUEUE_TIMEOUT_S = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """What nobody documents of a firewall that orders a stream.  None: as the end in whose name it speaks."""

    ttl: int | None = None
    window: int | None = None
    ip_ids: str = "random"
    answers_all: bool = True  # also what its full queue refuses
    passes_bare_acks: bool = False  # also those from beyond a hole
    passes_stray_resets: bool = True  # asp-drop tcp-rstfin-ooo where not


def manners_from(rng: random.Random) -> Manners:
    return Manners(
        ttl=rng.choice((None, 64, 128, 255)),
        window=rng.choice((None, None, 8192, 32768)),
        ip_ids=rng.choice(("random", "counting", "zero")),
        answers_all=rng.random() < 0.75,
        passes_bare_acks=rng.random() < 0.5,
        passes_stray_resets=rng.random() < 0.5,
    )


@dataclass(slots=True, kw_only=True)
class Half:
    """One direction of one connection: what comes next, what waits beyond a hole, how its end speaks."""

    expected: int | None = None
    waiting: list[Segment] = field(default_factory=list)
    waits_since_s: float = 0.0
    window: int = 65535
    ttl: int = 64
    passed_end: int = 0  # as the other side numbers it

    def has_passed(self, segment: Segment) -> None:
        if segment.flags & SYN or (is_before(self.passed_end, segment.end_seq) and not segment.flags & RST):
            self.passed_end = segment.end_seq

    def takes_next(self, segment: Segment) -> None:
        if self.expected is None or is_before(self.expected, segment.end_seq):
            self.expected = segment.end_seq

    def released(self) -> Iterator[Segment]:
        while segment := next((one for one in self.waiting if one.seq == self.expected), None):
            self.waiting.remove(segment)
            self.takes_next(segment)
            yield segment


@dataclass(slots=True, kw_only=True)
class Orderer:
    """Nature six: no end of any TCP, but the stream leaves in order.  What an ASA is believed to do.

    "When you engage certain features on the ASA, the firewall fully coalesces the TCP stream"; it "sends
    an ACK on behalf of the other TCP endpoint for the missing data" (TAC 113393).  Used as the box of a
    link.  `rewrite` gives a segment its numbers, options and addresses on the other side.
    """

    rng: random.Random
    manners: Manners
    rewrite: Callable[[Segment, str], Segment | None] | None = None
    halves: dict[tuple[str, int, str], Half] = field(default_factory=dict)
    made: int = 0

    def __call__(self, segment: Segment, direction: str) -> Handled:
        half = self._half(segment, direction, direction)
        other = self._half(segment, direction, AGAINST[direction])
        if not segment.flags & RST:
            half.window, half.ttl = segment.window, segment.ttl
        did = self._judged(half, segment)
        if did != "pass":
            asks = segment.payload and (did == "queued" or self.manners.answers_all)
            return Handled(did=did, back=(self._ask(half, other, segment),) if asks else ())
        released = tuple(half.released())
        onward = tuple(self._rewritten(one, direction) for one in (segment, *released))
        half.has_passed(onward[-1])
        return Handled(did=did, onward=onward, released=released)

    def _half(self, segment: Segment, direction: str, wanted: str) -> Half:
        outward = direction == TO_HEADEND
        address, port = (segment.src, segment.sport) if outward else (segment.dst, segment.dport)
        return self.halves.setdefault((address, port, wanted), Half())

    def _judged(self, half: Half, segment: Segment) -> str:
        if segment.flags & SYN or half.expected is None:
            half.expected = segment.end_seq
            half.waiting.clear()
            return "pass"
        if segment.flags & RST:
            return "pass" if self.manners.passes_stray_resets or segment.seq == half.expected else "refused"
        if not is_before(half.expected, segment.seq):
            half.takes_next(segment)
            return "pass"
        if not segment.payload and not segment.flags & FIN:
            return "pass" if self.manners.passes_bare_acks else "refused"
        return self._kept(half, segment)

    def _kept(self, half: Half, segment: Segment) -> str:
        now_s = time.monotonic()
        if half.waiting and now_s - half.waits_since_s >= QUEUE_TIMEOUT_S:
            half.waiting.clear()  # asp-drop tcp-buffer-timeout
        if len(half.waiting) >= QUEUE_LIMIT or any(one.seq == segment.seq for one in half.waiting):
            return "refused"  # tcp-buffer-full, tcp-dup-in-queue
        if not half.waiting:
            half.waits_since_s = now_s
        half.waiting.append(segment)
        return "queued"

    def _rewritten(self, segment: Segment, direction: str) -> Segment:
        changed = segment if self.rewrite is None else self.rewrite(segment, direction)
        assert changed is not None
        return changed

    def _ask(self, half: Half, other: Half, segment: Segment) -> Segment:
        """The other end's voice, with the box's own habits where it has any."""
        assert half.expected is not None
        self.made += 1
        ids = {"zero": 0, "counting": self.made % (1 << 16), "random": self.rng.randrange(1 << 16)}
        return Segment(
            src=segment.dst,
            dst=segment.src,
            sport=segment.dport,
            dport=segment.sport,
            seq=other.passed_end,
            ack=half.expected,
            flags=ACK,
            window=other.window if self.manners.window is None else self.manners.window,
            ttl=other.ttl if self.manners.ttl is None else self.manners.ttl,
            ip_id=ids[self.manners.ip_ids],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticNat:
    """The headend's address on the outside is not its own."""

    public: str
    own: str

    def __call__(self, segment: Segment, direction: str) -> Segment:
        if direction == TO_HEADEND:
            return replace(segment, dst=self.own) if segment.dst == self.public else segment
        return replace(segment, src=self.public) if segment.src == self.own else segment


@dataclass(slots=True, kw_only=True)
class Translator:
    """NAT and PAT in the path: private clients behind one public address.

    With `rebinds_at_s` the box forgets its table then and gives every client another port.
    Used as the transform of the outer link.
    """

    public: str
    ports: dict[tuple[str, int], int]
    later_ports: dict[tuple[str, int], int] = field(default_factory=dict)
    rebinds_at_s: float = float("inf")
    began_s: float = field(default_factory=time.monotonic)

    def __call__(self, segment: Segment, direction: str) -> Segment | None:
        table = self.later_ports if time.monotonic() - self.began_s >= self.rebinds_at_s else self.ports
        if direction == TO_HEADEND:
            return replace(segment, src=self.public, sport=table[segment.src, segment.sport])
        for (address, port), public_port in table.items():
            if public_port == segment.dport:
                return replace(segment, dst=address, dport=port)
        return None
