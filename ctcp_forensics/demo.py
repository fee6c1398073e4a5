"""Three made-up captures of one failure, the same bytes every time: a first look without a capture.

Knows how a client, a headend and a proxying firewall between them look on the wire when one segment is
lost, and writes that with dpkt.  Does not know how it will be judged: the samples, recorded from real
stacks, are the proof; this is the picture.  Beside the failure a second client works on, unharmed.
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field
from fractions import Fraction
from ipaddress import ip_address
from itertools import accumulate
from pathlib import Path

import dpkt

SYN, RST, ACK = dpkt.tcp.TH_SYN, dpkt.tcp.TH_RST, dpkt.tcp.TH_ACK
ESP, IKE = 0x32, 0x11
SA, KEY_EXCHANGE, IDENTITY, HASH, NONCE = 1, 4, 5, 8, 10  # RFC 2408 §3.1
AGGRESSIVE, INFORMATIONAL, QUICK = 4, 5, 32
PROPOSAL = bytes.fromhex(  # RFC 2408 §3.4-3.6: one transform, 3DES, MD5, group 2, pre-shared key
    "0000000100000001" + "0000002001010001" + "0000001801010000" + "80010005800200018004000280030001"
)

START_NS = 1_700_000_000 * 10**9
CLOCK_AHEAD_NS = 250_000_000  # the firewall's clock
TRIP_NS = 18_000_000  # client to firewall
WITHIN_NS = 40_000  # from one side of the firewall to the other
HOPS = 9  # between client and firewall, which counts for none itself
ESP_BODY_LENS = (76, 124, 412, 1276)  # an initialisation vector, whole cipher blocks and 12 bytes of ICV
STUCK_PAUSES_MS = (310, 450, 700, 380, 890, 520) * 8  # no steady period, which would look like keep-alives
WHOLE_PACKETS = 262_144  # dpkt's own default, 1500, is shorter than an Ethernet frame


AT_CLIENT, OUTSIDE, INSIDE = range(3)  # places of capture, from the client on


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoCaptures:
    """One failure, seen from three places: before the loss, behind it, and behind the firewall."""

    client: Path
    asa_outside: Path
    asa_inside: Path


@dataclass(slots=True, kw_only=True)
class Party:
    """One end: what it sends next, and the highest byte of the other that it has heard of."""

    address: str = ""
    port: int = 0
    mac: int = 0
    ttl: int
    ip_id: int
    next_seq: int = 0
    heard: int = 0
    spi: int = 0
    esp_seq: int = 0


@dataclass(slots=True, kw_only=True)
class Tunnel:
    """One cTCP connection, told in the order of time; `seen` holds (place, time, frame)."""

    client: Party
    headend: Party
    rng: random.Random
    seen: list[tuple[int, int, bytes]] = field(default_factory=list)
    cookies: bytes = b""

    def segment(
        self, at_ms: int, sender: Party, payload: bytes = b"", flags: int = ACK, *, by: Party | None = None
    ) -> None:
        """Note a segment at each place; `at_ms` is the client's time for the client, else the firewall's.

        `by` is who really makes it: a firewall that speaks in the headend's name has its own TTL and IP ID, and
        what it says to the client is not seen behind it.
        """
        receiver = self.headend if sender is self.client else self.client
        tcp = tcp_segment(sender, receiver, payload, flags)
        sender.next_seq += len(payload) + bool(flags & SYN)
        receiver.heard = sender.next_seq
        author = by or sender
        author.ip_id += 1
        for place, time_ns, hops in way_of(at_ms, is_to_headend=sender is self.client):
            if by is None or place != INSIDE:
                data = frame(sender, receiver, tcp, author.ttl - hops, author.ip_id)
                self.seen.append((place, time_ns, data))

    def lose_at(self, first: int) -> None:
        """What was sent last came to no place from this one on."""
        latest = self.seen[-1][0]
        for _ in range(latest - first + 1):
            self.seen.pop()

    def esp(self, at_ms: int, sender: Party) -> None:
        sender.esp_seq += 1
        body = self.rng.randbytes(self.rng.choice(ESP_BODY_LENS))
        self.segment(at_ms, sender, struct.pack("!II", sender.spi, sender.esp_seq) + body + trailer(ESP, 0))

    def ike(self, at_ms: int, sender: Party, exchange: int, first: int, body: bytes) -> None:
        """ISAKMP in UDP 500 without checksum, 16 zero bytes behind it (ctcp-protocol §1.1)."""
        is_encrypted = first == HASH
        message_id = self.rng.getrandbits(32) if is_encrypted else 0
        head = struct.pack("!BBBBII", first, 0x10, exchange, is_encrypted, message_id, 28 + len(body))
        isakmp = self.cookies + head + body + bytes(16)
        udp = struct.pack("!HHHH", 500, 500, 8 + len(isakmp), 0)
        self.segment(at_ms, sender, udp + isakmp + trailer(IKE, sender.ip_id))

    def opening(self, at_ms: int, sender: Party) -> None:
        """A first message of aggressive mode, in clear."""
        secrets = ((KEY_EXCHANGE, self.rng.randbytes(128)), (NONCE, self.rng.randbytes(20)))
        name = (IDENTITY, b"\x01\x11\x01\xf4" + ip_address(sender.address).packed)
        self.ike(at_ms, sender, AGGRESSIVE, SA, chain((SA, PROPOSAL), *secrets, name))

    def connect(self, at_ms: int) -> None:
        """TCP handshake, IKE aggressive mode, quick mode."""
        client, headend = self.client, self.headend
        self.segment(at_ms, client, flags=SYN)
        self.segment(at_ms + 40, headend, flags=SYN | ACK)
        self.segment(at_ms + 59, client)
        self.cookies = self.rng.randbytes(8) + bytes(8)
        self.opening(at_ms + 60, client)
        self.cookies = self.cookies[:8] + self.rng.randbytes(8)
        self.opening(at_ms + 120, headend)
        self.ike(at_ms + 160, client, AGGRESSIVE, HASH, self.rng.randbytes(72))
        for pause_ms, sender in ((200, client), (260, headend), (300, client)):
            self.ike(at_ms + pause_ms, sender, QUICK, HASH, self.rng.randbytes(168))


def way_of(at_ms: int, *, is_to_headend: bool) -> list[tuple[int, int, int]]:
    """Places, times and hops passed, from the sender on; the headend's way is noted from the firewall on."""
    sent_ns = START_NS + at_ms * 1_000_000
    if is_to_headend:
        there_ns = sent_ns + TRIP_NS
        return [(AT_CLIENT, sent_ns, 0), (OUTSIDE, there_ns, HOPS), (INSIDE, there_ns + WITHIN_NS, HOPS)]
    return [(INSIDE, sent_ns - WITHIN_NS, 0), (OUTSIDE, sent_ns, 0), (AT_CLIENT, sent_ns + TRIP_NS, HOPS)]


def tcp_segment(sender: Party, receiver: Party, payload: bytes, flags: int) -> dpkt.tcp.TCP:
    ports = {"sport": sender.port, "dport": receiver.port}
    ack = sender.heard if flags & ACK else 0
    return dpkt.tcp.TCP(**ports, seq=sender.next_seq, ack=ack, flags=flags, win=65_535, data=payload)


def frame(sender: Party, receiver: Party, tcp: dpkt.tcp.TCP, ttl: int, ip_id: int) -> bytes:
    """Both checksums are dpkt's work."""
    src, dst = (ip_address(party.address).packed for party in (sender, receiver))
    ip = dpkt.ip.IP(
        src=src, dst=dst, p=dpkt.ip.IP_PROTO_TCP, ttl=ttl, id=ip_id, df=1, len=20 + len(tcp), data=tcp
    )
    macs = {"src": bytes([2, 0, 0, 0, 0, sender.mac]), "dst": bytes([2, 0, 0, 0, 0, receiver.mac])}
    return bytes(dpkt.ethernet.Ethernet(**macs, data=ip))


def trailer(protocol: int, original_id: int) -> bytes:
    return struct.pack("!IHH", 0, original_id, 0) + b"!Eli\x10" + bytes([protocol]) + b"\x01\x00"


def chain(*payloads: tuple[int, bytes]) -> bytes:
    """ISAKMP payloads, each naming the next one's type (RFC 2408 §3.2)."""
    following = (*(kind for kind, _ in payloads[1:]), 0)
    bodies = (body for _, body in payloads)
    return b"".join(
        struct.pack("!BxH", kind, 4 + len(body)) + body for kind, body in zip(following, bodies, strict=True)
    )


def failure(tunnel: Tunnel) -> None:
    """Five good seconds, one lost segment, half a minute of questions that nobody answers, an RST."""
    client, headend, firewall = tunnel.client, tunnel.headend, Party(ttl=255, ip_id=20_000)
    tunnel.connect(0)
    for at_ms in range(400, 5_400, 200):
        tunnel.esp(at_ms, client)
        tunnel.esp(at_ms + 100, headend)
    wanted = headend.heard
    tunnel.esp(5_400, client)
    tunnel.lose_at(OUTSIDE)
    for beat, at_ms in enumerate(accumulate(STUCK_PAUSES_MS, initial=5_500)):
        if beat % 12 == 11:  # dead peer detection: is anybody there?
            tunnel.ike(at_ms, client, INFORMATIONAL, HASH, tunnel.rng.randbytes(56))
        else:
            tunnel.esp(at_ms, client)
        tunnel.lose_at(INSIDE)  # the firewall holds back what came, and asks in the headend's name
        headend.heard = wanted
        tunnel.segment(at_ms + 19, headend, by=firewall)
        if beat < 6:
            tunnel.esp(at_ms + 120, headend)  # what it still has to say repeats the same ACK
    tunnel.segment(36_000, client, flags=RST | ACK)


def success(tunnel: Tunnel) -> None:
    """Another client of the same site, at work until after the first one has failed."""
    tunnel.connect(1_003)
    for at_ms in range(2_003, 50_000, 1_000):
        tunnel.esp(at_ms, tunnel.client)
        tunnel.esp(at_ms + 70, tunnel.headend)


def tunnel_of(client_address: str, client_port: int, seed: int) -> Tunnel:
    rng = random.Random(seed)  # noqa: S311 - not for secrets: the demo is the same every time

    def party(address: str, port: int, mac: int, ttl: int) -> Party:
        isn, spi, ip_id = (rng.getrandbits(bits) for bits in (31, 31, 14))
        return Party(address=address, port=port, mac=mac, ttl=ttl, ip_id=ip_id, next_seq=isn, spi=spi)

    client, headend = party(client_address, client_port, 1, 128), party("198.51.100.20", 10_000, 2, 63)
    return Tunnel(client=client, headend=headend, rng=rng)


def write(path: Path, rows: list[tuple[int, bytes]]) -> None:
    with path.open("wb") as file:
        writer = dpkt.pcap.Writer(file, snaplen=WHOLE_PACKETS, nano=True)
        for time_ns, data in rows:
            # dpkt splits the time with % and round(): exact for a fraction, while a float loses nanoseconds
            # and may round up to a whole second inside the field for its parts.
            writer.writepkt(data, Fraction(time_ns, 10**9))


def make_demo(folder: Path) -> DemoCaptures:
    """Write the captures into `folder`, which must exist; the firewall's two are on its clock."""
    broken, sound = (
        tunnel_of("192.0.2.10", 49_731, seed=113_578),
        tunnel_of("192.0.2.11", 50_112, seed=113_579),
    )
    failure(broken)
    success(sound)
    captures = DemoCaptures(
        client=folder / "demo-client.pcap",
        asa_outside=folder / "demo-asa-outside.pcap",
        asa_inside=folder / "demo-asa-inside.pcap",
    )
    seen = sorted(broken.seen + sound.seen, key=lambda row: row[1])
    for place, (path, ahead_ns) in enumerate(
        ((captures.client, 0), (captures.asa_outside, CLOCK_AHEAD_NS), (captures.asa_inside, CLOCK_AHEAD_NS))
    ):
        write(path, [(time_ns + ahead_ns, data) for where, time_ns, data in seen if where == place])
    return captures
