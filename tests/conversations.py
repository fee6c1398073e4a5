"""Conversations: ends that mostly do as TCP says, and now and then something on an edge.

Knows how plain segments follow each other.  Does not know what a kernel should make of them.  In the streams of
`streams` nearly every segment touches something; here most bring the bytes that come next, or an ACK that says more,
and the compiled tracker has a way of its own for these.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ctcp_forensics._kernel.plain_decode import NO_PACKET
from ctcp_forensics._kernel.rows import Packet, Signature, Tcp, Trailer
from tests.streams import ALL_ENDS, EDGE, MS, SEQUENCE_SPACE, sack_block

FAR = 1 << 30
"""As far from what comes next a segment still belongs to its flow."""
STEPS_NS = (1_000, 1_000, 90_000, MS, 10 * MS)
ODD_STEPS_NS = (
    0,
    99_999,
    100_000,
    100_001,
    50 * MS,
    50 * MS + 1,
    400 * MS,
    400 * MS + 1,
    60_000 * MS,
    -1,
    -MS,
)

Oddity = Callable[[random.Random, Packet], Packet]


@dataclass(slots=True, kw_only=True)
class End:
    """One that speaks, and what it says next."""

    address: bytes
    port: int
    following: int
    ip_id: int


def moved(field: str, *steps: int) -> Oddity:
    def odd(chance: random.Random, packet: Packet) -> Packet:
        return packet._replace(**{field: (getattr(packet, field) + chance.choice(steps)) % SEQUENCE_SPACE})

    return odd


def one_of(field: str, *values: Any) -> Oddity:
    return lambda chance, packet: packet._replace(**{field: chance.choice(values)})


def keep_alive(chance: random.Random, packet: Packet) -> Packet:
    length = chance.choice([0, 1])
    seq = (packet.seq - 1) % SEQUENCE_SPACE
    return packet._replace(seq=seq, payload_len=length, captured_payload_len=length)


def cut_off(chance: random.Random, packet: Packet) -> Packet:
    if not packet.payload_len:
        return packet
    return packet._replace(trailer=Trailer.CUT_OFF, head=(5, chance.randrange(5, 9)), captured_payload_len=1)


ODDITIES: tuple[Oddity, ...] = (
    moved("ack", -1, -100, -FAR, -FAR - 1, -FAR - 1400, 1, 100, FAR, 1 << 31),
    moved("seq", -1, -100, -1400, -FAR, -FAR - 1, 1, 100, FAR, FAR + 1, 1 << 31),
    keep_alive,
    cut_off,
    one_of("window", 0, 1, 50, 500),
    one_of("ttl", 1, 63, 255),
    one_of("ip_id", -1, 0, 7, 0xFFFF),
    one_of("signature", Signature.TLS, Signature.RAW_IKE),
    one_of("sacks", (sack_block(100, 1500),)),
    one_of("flags", 0, Tcp.SYN, Tcp.FIN | Tcp.ACK, Tcp.RST, Tcp.RST | Tcp.ACK, Tcp.URG | Tcp.ACK),
)


def conversation(chance: random.Random, count: int, oddity: float) -> list[Packet]:
    """Segments of a few flows; each, by chance, one that was there, or odd, or at an odd time."""
    pairs = [
        pair for ends in chance.sample(ALL_ENDS, chance.choice([1, 2])) for pair in speaking(chance, ends)
    ]
    said: list[Packet] = []
    clock_ns = 1_700_000_000 * 10**9
    for frame in range(1, count + 1):
        clock_ns += chance.choice(ODD_STEPS_NS if chance.random() < oddity else STEPS_NS)
        again = said and chance.random() < oddity
        packet = chance.choice(said[-4:]) if again else next_segment(chance, *chance.choice(pairs))
        if chance.random() < oddity:
            packet = chance.choice(ODDITIES)(chance, packet)
        said.append(packet._replace(frame=frame, time_ns=clock_ns))
    return said


def speaking(chance: random.Random, ends: Any) -> list[tuple[End, End]]:
    """Sender and receiver, either way."""
    one, other = (
        End(
            address=address,
            port=port,
            following=chance.choice([EDGE, 5]),
            ip_id=chance.choice([-1, 0, 65_500]),
        )
        for address, port in (ends.one, ends.other)
    )
    return [(one, other), (other, one)]


def next_segment(chance: random.Random, sender: End, receiver: End) -> Packet:
    length = chance.choice([0, 0, 0, 1, 100, 1400])
    packet = NO_PACKET._replace(
        status=0,
        src=sender.address,
        dst=receiver.address,
        sport=sender.port,
        dport=receiver.port,
        ttl=64,
        ip_id=sender.ip_id,
        seq=sender.following,
        ack=(receiver.following - chance.choice([0, 0, 0, 100])) % SEQUENCE_SPACE,
        flags=int(Tcp.ACK | chance.choice([0, 0, Tcp.PSH])),
        window=65_535,
        payload_len=length,
        captured_payload_len=length,
        print64=chance.randrange(4) if length else 0,
    )
    sender.following = (sender.following + length) % SEQUENCE_SPACE
    if sender.ip_id > 0:
        sender.ip_id = (sender.ip_id + chance.choice([1, 1, 1, 999, 1001])) % 65_536
    return packet
