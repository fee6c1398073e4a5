"""Wire: stories in tcpdump-like notation become packets, frames and savefiles.

Knows how segments, cTCP messages and their trailers look as bytes; nothing is taken from the
package but the names of its rows.  Does not know what any of it means: the stories say that.

    C > S  S 0                      SYN; numbers are relative to each end's own ISN
    S > C  S. 0 ack 1
    C > S  1:101                    data, here one ESP message with its trailer
    C > S  +100                     the next hundred bytes; lost: took numbers, came nowhere, was not captured
    C > S  +100  lost
    S > C  ack 101  by F  x4        four bare ACKs made by the firewall, 10 ms apart (or: every 300ms)
    +5s                             time passes
    6 times every 1s:               the indented lines, six times
      C > S  +100
    +60s  other                     a frame of somebody else: the capture goes on
    icmp prohibited  C > S          an ICMP error that quotes this flow

Where no `ack` is given an end acknowledges the highest byte that reached it, jumping over holes, as
cTCP does.  `missed` is what arrived but was not captured: a gap, where `lost` makes a hole.  The same
range again carries the same message, unless it is `new`; `late` gives it the IP ID that it had when
it was lost.  `corrupt here` is a segment with another bit than its checksum was made for, which nobody takes.
`dup` captures a frame twice; `[word]` names a frame for the expectations.

Where several places captured one story, `upto`, `from`, `unseen`, `held` and `corrupt` say what each of them saw:
see vantages.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from ctcp_forensics._kernel.rows import (
    NEVER,
    Checksum,
    Frame,
    Kind,
    Message,
    Packet,
    Signature,
    Status,
    Tcp,
    Trailer,
)
from ctcp_forensics.packets import IcmpError

START_NS = 1_700_000_000 * 10**9
LINE_NS = 10_000_000
"""Between two lines, and between two repetitions of one."""
DUP_NS = 20_000
SEQUENCE_SPACE = 1 << 32
ETHERNET = 1
ETHERNET_LEN, TRAILER_LEN = 14, 16
COOKIE = b"!Eli\x10"
OTHER_COOKIE = b"\x07vend"
MAGIC2 = b"\x01\x00"

UNITS = {"us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
HERE = "here"
FLAGS = {"S": Tcp.SYN, "F": Tcp.FIN, "R": Tcp.RST, "P": Tcp.PSH, ".": Tcp.ACK}

SPOKEN = {
    "http": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", Signature.HTTP),
    "tls": (b"\x16\x03\x01\x00\x40\x01\x00\x00\x3c\x03\x03", Signature.TLS),
    "ssh": (b"SSH-2.0-x\r\n", Signature.SSH),
    "iketcp": (b"IKETCP", Signature.IKETCP),
    "ndmp": (struct.pack("!IIII", 0x8000_0040, 1, 1_700_000_000, 0), Signature.NDMP),
}
"""First bytes of applications, by the word that stands for them in a story."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One end: where it lives and how its datagrams look."""

    address: str
    port: int
    ttl: int
    first_ip_id: int


HOSTS: Mapping[str, Host] = {
    "C": Host(address="192.0.2.10", port=49731, ttl=128, first_ip_id=1000),
    "S": Host(address="198.51.100.20", port=10000, ttl=63, first_ip_id=20_000),
    "F": Host(address="203.0.113.1", port=0, ttl=255, first_ip_id=40_000),
    "D": Host(address="192.0.2.11", port=50112, ttl=128, first_ip_id=5000),
    "E": Host(address="192.0.2.10", port=50113, ttl=128, first_ip_id=9000),
    "N": Host(address="203.0.113.77", port=61003, ttl=120, first_ip_id=1000),
    "M": Host(address="203.0.113.77", port=61004, ttl=120, first_ip_id=5000),
    "C6": Host(address="2001:db8::10", port=49731, ttl=64, first_ip_id=0),
    "S6": Host(address="2001:db8:1::20", port=10000, ttl=60, first_ip_id=0),
}
"""C: client.  S: headend.  F: a firewall that speaks in another's name.  D: a second client.  E: the first
one from another port.  N, M: C and D behind a translation.  C6, S6: the same over IPv6."""

ISNS = {
    "C": 649_174_419,
    "S": 3_060_607_095,
    "D": 77_000_000,
    "E": 88_000_000,
    "N": 649_174_419,
    "C6": 5_000_000,
    "S6": 9_000_000,
}
SPIS = {
    "C": 0xC0FFEE01,
    "S": 0xBEEFED02,
    "D": 0xC0FFEE0D,
    "E": 0xC0FFEE0E,
    "N": 0xC0FFEE01,
    "C6": 0xC0FFEE06,
    "S6": 0xBEEFED06,
    "S > D": 0xBEEFED0D,
    "S > E": 0xBEEFED0E,
}
"""Of each end; to the second client, and to the first one from its other port, the headend has others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What one segment carries, and what a decoder should find in it."""

    data: bytes
    trailer: Trailer = Trailer.ABSENT
    messages: tuple[Message, ...] = ()
    signature: Signature = Signature.NONE
    magic: int = 0

    def cut_to(self, length: int) -> Payload:
        """As much of it as a snap length leaves."""
        if length >= len(self.data):
            return self
        shows_start = (length >= 6 and self.signature != Signature.NDMP) or length >= 16
        return Payload(
            data=self.data[:length],
            trailer=Trailer.CUT_OFF if len(self.data) > 24 else Trailer.ABSENT,
            signature=self.signature if shows_start else Signature.NONE,
        )


EMPTY = Payload(data=b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Voyage:
    """How far a segment came on a way with several capture points; without a word, from one end to the other."""

    since: str | None = None
    """The first place that saw it: a box there made it."""
    upto: str | None = None
    """The last place that saw it: it was lost behind."""
    unseen: tuple[str, ...] = ()
    """Places that it passed, and whose captures do not hold it."""
    held_ns: int = 0
    """How much later than others it came to all places but the first."""
    corrupt: str | None = None
    """The first place that saw it with a bit that had changed on the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One captured TCP segment."""

    frame: int
    time_ns: int
    src: Host
    dst: Host
    ttl: int
    ip_id: int
    seq: int
    ack: int
    flags: int
    window: int
    payload: Payload
    captured: Payload
    mss: int = NEVER
    window_scale: int = NEVER
    sack_permitted: int = 0
    sacks: tuple[tuple[int, int], ...] = ()
    is_corrupt: bool = False
    """One bit of its payload is another than its checksum was made for."""
    names: tuple[str, str] = ("", "")
    """Of the two ends in the story, the sender first."""
    voyage: Voyage = field(default_factory=Voyage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """One captured ICMP error about a segment from `src` to `dst`."""

    frame: int
    time_ns: int
    kind: str
    mtu: int
    src: Host
    dst: Host


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """One captured frame that is no TCP."""

    frame: int
    time_ns: int


Captured = Segment | Quote | Other


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """What a capture holds of a story."""

    captured: tuple[Captured, ...]
    labels: dict[str, int]

    @property
    def last_ns(self) -> int:
        return max(one.time_ns for one in self.captured)


# --- the notation ----------------------------------------------------------------------------


@dataclass(slots=True)
class Line:
    """One line of a story, taken apart."""

    src: str
    dst: str
    flags: str = ""
    start: int | None = None
    length: int = 0
    times: int = 1
    every_ns: int = LINE_NS
    label: str | None = None
    words: set[str] = field(default_factory=set)
    values: dict[str, str] = field(default_factory=dict)

    def number(self, name: str, default: int) -> int:
        return int(self.values[name], 0) if name in self.values else default


VALUES = {"ack", "win", "sack", "ttl", "id", "mss", "ws", "seq", "rawseq", "isn", "by", "esp", "spi", "ike"}
VALUES |= {"merged", "snap", "every", "trailer", "speaks", "vendor"}
VALUES |= {"upto", "from", "unseen", "held", "corrupt"}
WORDS = {"lost", "missed", "dup", "late", "new", "again", "plain", "sackok", "opens"}


def line_of(src: str, dst: str, text: str) -> Line:
    """Take the words behind `C > S` apart; a word that is not known is a mistake in the story."""
    line, words = Line(src=src, dst=dst), iter(text.split())
    for word in words:
        if word in VALUES:
            line.values[word] = next(words)
        elif word in WORDS:
            line.words.add(word)
        elif not (take_shape(line, word)):
            raise ValueError(f"{word!r} in {text!r}")
    if "every" in line.values:
        line.every_ns = nanoseconds(line.values["every"])
    return line


def take_shape(line: Line, word: str) -> bool:
    """Words that are known by their shape: 1:101, +100, x4, S., [name]."""
    if found := re.fullmatch(r"(-?\d+):(-?\d+)", word):
        line.start = int(found[1])
        line.length = int(found[2]) - int(found[1])
    elif found := re.fullmatch(r"\+(\d+)", word):
        line.length = int(found[1])
    elif found := re.fullmatch(r"x(\d+)", word):
        line.times = int(found[1])
    elif found := re.fullmatch(r"\[(\w+)\]", word):
        line.label = found[1]
    elif re.fullmatch(r"\d+", word):
        line.start = int(word)
    elif re.fullmatch(r"[SFRP]*\.?", word):
        line.flags = word
    else:
        return False
    return True


def nanoseconds(text: str) -> int:
    found = re.fullmatch(r"([\d.]+)(us|ms|s|m|h)", text)
    if found is None:
        raise ValueError(f"no time: {text!r}")
    return round(float(found[1]) * UNITS[found[2]])


def unrolled(lines: list[str]) -> Iterator[str]:
    """Lines in the order of time, with `N times every T:` written out."""
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        found = re.fullmatch(r"\s*(\d+) times(?: every (\S+))?:", line)
        if found is None:
            yield line
            continue
        depth = len(line) - len(line.lstrip())
        end = at
        while end < len(lines) and len(lines[end]) - len(lines[end].lstrip()) > depth:
            end += 1
        block, at = lines[at:end], end
        for _ in range(int(found[1])):
            if found[2]:
                yield f"mark +{found[2]}"
            yield from unrolled(block)
            if found[2]:
                yield "from mark"


# --- one end as the story goes on --------------------------------------------------------------


@dataclass(slots=True)
class End:
    """What one end of one connection has sent so far, and what reached it."""

    isn: int
    spi: int
    next: int = 0
    heard: int = 0
    """The highest byte of the other end that arrived."""
    esp_seq: int = 0
    ike_id: int = 0
    sent: dict[tuple[int, int], tuple[Payload, int]] = field(default_factory=dict)
    """By range: what was sent there, and under which IP ID."""


@dataclass(slots=True)
class Teller:
    """Tells a story line by line and keeps what the capture point sees."""

    carries: str = "ctcp"
    snap_len: int | None = None
    isns: dict[str, int] = field(default_factory=dict)
    hosts: dict[str, Host] = field(default_factory=dict)
    now_ns: int = START_NS
    marks: list[int] = field(default_factory=list)
    captured: list[Captured] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    ends: dict[tuple[str, str], End] = field(default_factory=dict)
    ip_ids: dict[str, int] = field(default_factory=dict)
    pending_ns: int | None = None

    # --- time ---

    def tell(self, line: str) -> None:
        text = line.strip()
        if text.startswith("mark "):
            self.marks.append(self.now_ns + nanoseconds(text.removeprefix("mark +")))
            return
        if text == "from mark":
            self.now_ns = self.marks.pop()
            return
        if found := re.match(r"([+@-])([\d.]+(?:us|ms|s|m|h))(?:\s+|$)", text):
            self.move_clock(found[1], nanoseconds(found[2]))
            text = text[found.end() :]
        if text:
            self.tell_event(text)

    def move_clock(self, sign: str, by_ns: int) -> None:
        """`+` from the line before, `-` backwards, `@` from the start."""
        if sign == "@":
            self.now_ns = START_NS + by_ns
        else:
            self.now_ns += by_ns - LINE_NS if sign == "+" else -by_ns - LINE_NS

    def tell_event(self, text: str) -> None:
        if text == "other":
            self.captured.append(Other(frame=len(self.captured) + 1, time_ns=self.now_ns))
        elif found := re.fullmatch(r"icmp (\S+)(?: (\d+))?\s+(\w+) > (\w+)", text):
            self.quote(found[1], int(found[2] or 0), found[3], found[4])
        elif found := re.fullmatch(r"(\w+) > (\w+)\s+(.*)", text):
            self.send(line_of(found[1], found[2], found[3]))
            return
        else:
            raise ValueError(f"no line of a story: {text!r}")
        self.now_ns += LINE_NS

    def quote(self, kind: str, mtu: int, src: str, dst: str) -> None:
        at = {"frame": len(self.captured) + 1, "time_ns": self.now_ns}
        self.captured.append(Quote(**at, kind=kind, mtu=mtu, src=self.host(src), dst=self.host(dst)))

    # --- segments ---

    def host(self, name: str) -> Host:
        return self.hosts.get(name) or HOSTS[name]

    def end(self, name: str, other: str) -> End:
        isn = self.isns.get(name, ISNS[name])
        return self.ends.setdefault(
            (name, other), End(isn=isn, spi=SPIS.get(f"{name} > {other}", SPIS[name]))
        )

    def send(self, line: Line) -> None:
        for turn in range(line.times):
            self.send_once(line, turn)
            self.now_ns += line.every_ns

    def send_once(self, line: Line, turn: int) -> None:
        me, peer = self.end(line.src, line.dst), self.end(line.dst, line.src)
        if "isn" in line.values:
            self.ends[line.src, line.dst] = me = End(isn=line.number("isn", 0), spi=me.spi)
            self.ends[line.dst, line.src] = peer = End(isn=peer.isn, spi=peer.spi)
        flags = flags_of(line)
        start = me.next if line.start is None else line.start
        start = line.number("seq", start)
        end = start + line.length + bool(flags & Tcp.SYN) + bool(flags & Tcp.FIN)
        payload, ip_id = self.payload_of(line, me, start)
        me.sent[start, start + line.length] = payload, ip_id
        if not flags & Tcp.RST:
            me.next = max(me.next, end)
        if "lost" not in line.words and not {"upto", "corrupt"} & set(line.values):
            peer.heard = max(peer.heard, end)
        if not line.words & {"lost", "missed"}:
            self.capture(line, me, peer, flags, start, payload, ip_id, turn)

    def payload_of(self, line: Line, me: End, start: int) -> tuple[Payload, int]:
        """What goes out, and its IP ID: the same bytes again where this range was sent before."""
        known = me.sent.get((start, start + line.length))
        ip_id = self.ip_id_of(line)
        if known is not None and line.length and "new" not in line.words:
            return known[0], known[1] if "late" in line.words else ip_id
        return self.fresh_payload(line, me, start), ip_id

    def ip_id_of(self, line: Line) -> int:
        author = line.values.get("by", line.src)
        last = self.ip_ids.get(author, self.host(author).first_ip_id)
        if "id" in line.values:
            return line.number("id", 0)
        self.ip_ids[author] = (last + 1) & 0xFFFF
        return self.ip_ids[author]

    def fresh_payload(self, line: Line, me: End, start: int) -> Payload:
        carries = line.values.get("trailer", self.carries)
        if not line.length:
            return EMPTY
        if "speaks" in line.values:
            return spoken(line.values["speaks"], line.length)
        if carries == "tcp" or "plain" in line.words:
            return plain(start, line.length)
        cookie = {"ctcp": COOKIE, "weak": OTHER_COOKIE}[carries]
        if "vendor" in line.values:
            cookie = bytes.fromhex(line.values["vendor"])
        if "ike" in line.values:
            me.ike_id += "again" not in line.words
            exchange, opens = int(line.values["ike"]), "opens" in line.words
            return ike_payload(me.spi, exchange, me.ike_id, line.length, cookie, opens=opens)
        if "spi" in line.values:
            me.spi, me.esp_seq = line.number("spi", 0), 0
        count = line.number("merged", 1)
        numbers = [line.number("esp", me.esp_seq + 1) + turn for turn in range(count)]
        me.esp_seq = max(me.esp_seq, numbers[-1])
        return joined([esp(me.spi, number, line.length // count, cookie) for number in numbers])

    def capture(
        self, line: Line, me: End, peer: End, flags: int, start: int, payload: Payload, ip_id: int, turn: int
    ) -> None:
        author = self.host(line.values.get("by", line.src))
        snap_len = line.number("snap", self.snap_len if self.snap_len is not None else 1 << 18)
        src, dst = self.host(line.src), self.host(line.dst)
        options_len = len(options_bytes(line, peer.isn))
        headers_len = ETHERNET_LEN + (40 if ":" in src.address else 20) + 20 + options_len
        segment = Segment(
            frame=len(self.captured) + 1,
            time_ns=self.now_ns,
            src=src,
            dst=dst,
            ttl=line.number("ttl", author.ttl),
            ip_id=NEVER if ":" in src.address else ip_id,
            seq=line.number("rawseq", (me.isn + start) % SEQUENCE_SPACE),
            ack=(peer.isn + line.number("ack", me.heard)) % SEQUENCE_SPACE if flags & Tcp.ACK else 0,
            flags=flags,
            window=line.number("win", 65_535),
            payload=payload,
            captured=payload.cut_to(max(0, snap_len - headers_len)),
            mss=line.number("mss", NEVER),
            window_scale=line.number("ws", NEVER),
            sack_permitted=int("sackok" in line.words),
            sacks=sacks_of(line, peer.isn),
            is_corrupt=line.values.get("corrupt") == HERE,
            names=(line.src, line.dst),
            voyage=voyage_of(line),
        )
        self.captured.append(segment)
        if line.label is not None and turn == 0:
            self.labels[line.label] = segment.frame
        if "dup" in line.words:
            again = replace(segment, frame=segment.frame + 1, time_ns=segment.time_ns + DUP_NS)
            self.captured.append(again)


def told(
    text: str,
    *,
    carries: str = "ctcp",
    snap_len: int | None = None,
    isns: Mapping[str, int] | None = None,
    hosts: Mapping[str, Host] | None = None,
) -> Wire:
    """The capture that a story leaves behind."""
    teller = Teller(carries=carries, snap_len=snap_len, isns=dict(isns or {}), hosts=dict(hosts or {}))
    lines = [line.partition("#")[0].rstrip() for line in text.splitlines()]
    for line in unrolled([line for line in lines if line]):
        teller.tell(line)
    return Wire(captured=tuple(teller.captured), labels=teller.labels)


def voyage_of(line: Line) -> Voyage:
    return Voyage(
        since=line.values.get("from"),
        upto=line.values.get("upto"),
        unseen=tuple(line.values.get("unseen", "").split(",")),
        held_ns=nanoseconds(line.values.get("held", "0s")),
        corrupt=line.values.get("corrupt"),
    )


def flags_of(line: Line) -> int:
    flags: int = sum(FLAGS[letter] for letter in line.flags)
    if not line.flags or line.flags == "P":
        flags |= Tcp.ACK
    return flags


def sacks_of(line: Line, isn: int) -> tuple[tuple[int, int], ...]:
    """`sack 201:301,401:501`, relative to the other end's ISN."""
    if "sack" not in line.values:
        return ()
    blocks = [block.split(":") for block in line.values["sack"].split(",")]
    return tuple(((isn + int(a)) % SEQUENCE_SPACE, (isn + int(b)) % SEQUENCE_SPACE) for a, b in blocks)


# --- payloads --------------------------------------------------------------------------------


def noise(seed: str, length: int) -> bytes:
    """Bytes that look like ciphertext and are the same every time."""
    return hashlib.shake_128(seed.encode()).digest(length)


def trailer_bytes(kind: int, cookie: bytes) -> bytes:
    return bytes(8) + cookie + bytes([kind]) + MAGIC2


def message_payload(message: Message, data: bytes, cookie: bytes) -> Payload:
    is_cisco = cookie == COOKIE
    return Payload(
        data=data,
        trailer=Trailer.CISCO if is_cisco else Trailer.WEAK,
        messages=(message,),
        magic=0 if is_cisco else int.from_bytes(cookie + MAGIC2, "big"),
    )


def esp(spi: int, seq: int, length: int, cookie: bytes = COOKIE) -> Payload:
    """An ESP message of `length` bytes, its trailer included."""
    body = struct.pack("!II", spi, seq) + noise(f"{spi} {seq}", length - 8 - TRAILER_LEN)
    message = Message(Kind.ESP, 0, length, spi, seq, 0, 0, 0)
    return message_payload(message, body + trailer_bytes(Kind.ESP, cookie), cookie)


def ike_payload(
    cookie32: int, exchange: int, number: int, length: int, cookie: bytes = COOKIE, *, opens: bool
) -> Payload:
    """An ISAKMP message in its UDP header; `opens`: the responder's cookie is still zero."""
    body_len = length - 8 - 28 - TRAILER_LEN
    responder = bytes(8) if opens else noise("responder", 8)
    cookies = struct.pack("!I", cookie32) + noise("initiator", 4) + responder
    head = struct.pack("!BBBBII", 8, 0x10, exchange, 1, number, 28 + body_len)
    udp = struct.pack("!HHHH", 500, 500, length - TRAILER_LEN, 0)
    body = noise(f"ike {cookie32} {number}", body_len)
    message = Message(Kind.IKE, 0, length, cookie32, number, exchange, int(opens), 0)
    return message_payload(message, udp + cookies + head + body + trailer_bytes(Kind.IKE, cookie), cookie)


def joined(parts: list[Payload]) -> Payload:
    """Several messages that the capturing host merged into one record."""
    messages, at = [], 0
    for part in parts:
        messages.append(part.messages[0]._replace(offset=at))
        at += len(part.data)
    data = b"".join(part.data for part in parts)
    return replace(parts[0], data=data, messages=tuple(messages))


def plain(start: int, length: int) -> Payload:
    """Bytes of an application: each a function of its position, so that they can be sent again in other cuts."""
    return Payload(data=bytes(0x61 + (start + at) % 23 for at in range(length)))


def spoken(word: str, length: int) -> Payload:
    opening, signature = SPOKEN[word]
    return Payload(data=opening + b"." * (length - len(opening)), signature=signature)


# --- products: packets ---------------------------------------------------------------------------


def packets_of(wire: Wire) -> list[Packet]:
    """What a decoder should make of the frames, written down without decoding.  Prints are Python's own."""
    return [packet_of(one) for one in wire.captured]


def packet_of(one: Captured) -> Packet:
    match one:
        case Segment():
            return segment_packet(one)
        case Quote():
            return no_packet(Status.ICMP_ERROR, one.frame, one.time_ns)
        case Other():
            return no_packet(Status.NOT_TCP, one.frame, one.time_ns)


def no_packet(status: Status, frame: int, time_ns: int) -> Packet:
    numbers = dict.fromkeys(Packet._fields, 0)
    return Packet(**numbers)._replace(  # type: ignore[arg-type]
        status=status, frame=frame, time_ns=time_ns, src=b"", dst=b"", sacks=(), head=(0, 0), messages=()
    )


def segment_packet(one: Segment) -> Packet:
    data = as_captured(one)
    return Packet(
        status=Status.TCP,
        frame=one.frame,
        time_ns=one.time_ns,
        src=ipaddress.ip_address(one.src.address).packed,
        dst=ipaddress.ip_address(one.dst.address).packed,
        sport=one.src.port,
        dport=one.dst.port,
        ttl=one.ttl,
        ip_id=one.ip_id,
        seq=one.seq,
        ack=one.ack,
        flags=one.flags,
        window=one.window,
        payload_len=len(one.payload.data),
        captured_payload_len=len(data),
        mss=one.mss,
        window_scale=one.window_scale,
        sack_permitted=one.sack_permitted,
        sacks=one.sacks,
        signature=one.captured.signature,
        trailer=one.captured.trailer,
        magic=one.captured.magic,
        head=struct.unpack_from("!II", data) if len(data) >= 8 else (0, 0),
        print64=print_of(data),
        messages=tuple(
            message._replace(print64=print_of(data[message.offset : message.offset + message.length]))
            for message in one.captured.messages
        ),
        unsplit=0,
        checksum=checksum_word(one),
    )


def as_captured(one: Segment) -> bytes:
    """With the bit in the middle of the payload turned over where it is corrupt."""
    data, middle = bytearray(one.captured.data), len(one.payload.data) // 2
    if one.is_corrupt and middle < len(data):
        data[middle] ^= 0x10
    return bytes(data)


def checksum_word(one: Segment) -> Checksum:
    """Verified of one message that was captured whole."""
    if len(one.captured.messages) != 1 or one.captured.trailer not in (Trailer.CISCO, Trailer.WEAK):
        return Checksum.UNVERIFIED
    return Checksum.WRONG if one.is_corrupt else Checksum.RIGHT


def print_of(data: bytes) -> int:
    return int.from_bytes(hashlib.sha256(data).digest()[:8], "big") if data else 0


def icmp_errors_of(wire: Wire) -> list[IcmpError]:
    return [
        IcmpError(
            frame=one.frame,
            time_ns=one.time_ns,
            kind=one.kind,
            mtu=one.mtu if one.kind == "fragmentation-needed" else None,
            src=ipaddress.ip_address(one.src.address).packed,
            sport=one.src.port,
            dst=ipaddress.ip_address(one.dst.address).packed,
            dport=one.dst.port,
        )
        for one in wire.captured
        if isinstance(one, Quote)
    ]


# --- products: frames ----------------------------------------------------------------------------

ICMP_CODES = {
    "fragmentation-needed": (3, 4),
    "prohibited": (3, 13),
    "unreachable": (3, 1),
    "time-exceeded": (11, 0),
}


def frames_of(wire: Wire) -> tuple[bytes, list[Frame]]:
    """Ethernet frames one behind the other in a buffer, and where each lies."""
    buffer, frames = bytearray(), []
    for one in wire.captured:
        data = frame_bytes(one)
        cut = cut_len(one)
        place = Frame(one.frame, one.time_ns, len(buffer), len(data) - cut, len(data), 0, ETHERNET, 0)
        frames.append(place)
        buffer += data[: len(data) - cut]
    return bytes(buffer), frames


def cut_len(one: Captured) -> int:
    """Bytes at the end that the snap length took away."""
    return len(one.payload.data) - len(one.captured.data) if isinstance(one, Segment) else 0


def pcap_of(wire: Wire) -> bytes:
    """A savefile with nanoseconds (pcap magic a1b23c4d, little-endian)."""
    buffer, frames = frames_of(wire)
    records = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 1 << 18, ETHERNET)]
    for frame in frames:
        seconds, nanos = divmod(frame.time_ns, 10**9)
        records.append(struct.pack("<IIII", seconds, nanos, frame.captured_len, frame.original_len))
        records.append(buffer[frame.offset : frame.offset + frame.captured_len])
    return b"".join(records)


def frame_bytes(one: Captured) -> bytes:
    match one:
        case Segment():
            datagram = ip_bytes(one.src, one.dst, 6, tcp_bytes(one), ttl=one.ttl, ip_id=one.ip_id)
        case Quote():
            datagram = ip_bytes(HOSTS["F"], one.src, 1, icmp_bytes(one), ttl=255, ip_id=7)
        case Other():
            udp = struct.pack("!HHHH", 53, 40_000, 12, 0) + b"else"
            datagram = ip_bytes(HOSTS["F"], HOSTS["D"], 17, udp, ttl=64, ip_id=8)
    ethertype = 0x0800 if datagram[0] >> 4 == 4 else 0x86DD
    return bytes.fromhex("020000000002020000000001") + struct.pack("!H", ethertype) + datagram


def ip_bytes(src: Host, dst: Host, protocol: int, body: bytes, *, ttl: int, ip_id: int) -> bytes:
    ends = ipaddress.ip_address(src.address).packed + ipaddress.ip_address(dst.address).packed
    if ":" in src.address:
        return struct.pack("!IHBB", 6 << 28, len(body), protocol, ttl) + ends + body
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), ip_id & 0xFFFF, 0x4000, ttl, protocol, 0) + ends
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def tcp_bytes(one: Segment) -> bytes:
    options = b""
    if one.mss != NEVER:
        options += struct.pack("!BBH", 2, 4, one.mss)
    if one.sack_permitted:
        options += b"\x01\x01\x04\x02"
    if one.window_scale != NEVER:
        options += b"\x01\x03\x03" + bytes([one.window_scale])
    if one.sacks:
        options += b"\x01\x01\x05" + bytes([2 + 8 * len(one.sacks)])
        options += b"".join(struct.pack("!II", *block) for block in one.sacks)
    words = (20 + len(options)) // 4 << 12 | one.flags
    ports = (one.src.port, one.dst.port)
    head = struct.pack("!HHIIHHHH", *ports, one.seq, one.ack, words, one.window, 0, 0) + options
    ends = ipaddress.ip_address(one.src.address).packed + ipaddress.ip_address(one.dst.address).packed
    pseudo = ends + struct.pack("!II", len(head) + len(one.payload.data), 6)
    check = checksum(pseudo + head + one.payload.data)
    return head[:16] + struct.pack("!H", check) + head[18:] + as_captured(replace(one, captured=one.payload))


def options_bytes(line: Line, isn: int) -> bytes:
    """As many zeros as the options of this line are long."""
    length = 4 * ("mss" in line.values) + 4 * ("sackok" in line.words) + 4 * ("ws" in line.values)
    blocks = len(sacks_of(line, isn))
    return bytes(length + (4 + 8 * blocks if blocks else 0))


def icmp_bytes(one: Quote) -> bytes:
    """RFC 792: type, code, checksum, unused and next-hop MTU, then the datagram's header and eight bytes."""
    ports_and_seq = struct.pack("!HHI", one.src.port, one.dst.port, 0)
    quoted = ip_bytes(one.src, one.dst, 6, ports_and_seq, ttl=64, ip_id=1)
    kind, code = ICMP_CODES[one.kind]
    message = struct.pack("!BBHHH", kind, code, 0, 0, one.mtu) + quoted
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]


def checksum(data: bytes) -> int:
    """RFC 1071."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
