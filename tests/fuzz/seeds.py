"""Seeds: the captures that are spoilt, made on the spot or read where they lie.

Knows which stories reach every room of the kernel.  Keeps no file.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

from ctcp_forensics._kernel.rows import Packet
from tests import savefiles as sf
from tests import streams
from tests.fuzz import layers

SUFFIXES = (".pcap", ".pcapng", ".cap", ".ntar")
LONGEST_FILE = 1 << 16
START_S = 1_700_000_000


def made() -> Iterator[bytes]:
    """Captures in both formats and byte orders: every frame that streams knows, and conversations."""
    frames = [data for link_type, data in streams.framed() if link_type == streams.ETHERNET]
    chance = random.Random(0)
    for order in "<>":
        yield pcap(order, frames)
        yield pcapng(order, frames)
    for wrap in layers.TUNNELS:
        yield pcap("<", [layers.frame(wrap(datagram)) for datagram in streams.datagrams()])
    for seed in range(4):
        conversation = [frame_of(packet) for packet in streams.long_stream(seed, 400)]
        yield pcap("<", conversation)
        yield pcapng(">", conversation)
    yield pcap("<", [frame_of(packet) for packet in lossy()])
    yield pcap(
        "<",
        [
            layers.frame(piece)
            for datagram in streams.datagrams()
            for piece in layers.fragments(datagram, chance)
        ],
    )
    for link_type in sorted({link_type for link_type, _ in streams.framed()}):
        yield pcap("<", [data for found, data in streams.framed() if found == link_type], network=link_type)


def lossy() -> Iterator[Packet]:
    """Every other segment missing and asked for: more holes, episodes and associations than are kept."""
    first = next(iter(streams.long_stream(0, 10)))
    data = first._replace(
        flags=0x10, payload_len=100, captured_payload_len=100, trailer=0, messages=(), ip_id=1
    )
    bare = data._replace(src=data.dst, dst=data.src, sport=data.dport, dport=data.sport, payload_len=0)
    for at in range(200):
        sent = data._replace(seq=(data.seq + 200 * at) % (1 << 32), ip_id=at)
        yield streams.with_cargo(sent, "esp", at % 12, at)
        wanted = (data.seq + 200 * at - 100) % (1 << 32)
        yield from (bare._replace(ack=wanted, ip_id=3 * at + more) for more in range(3))


def pcap(order: str, frames: list[bytes], network: int = sf.ETHERNET) -> bytes:
    records = [sf.record(order, data, seconds=START_S + at, fraction=at) for at, data in enumerate(frames)]
    return sf.pcap_header(order, network=network) + b"".join(records)


def pcapng(order: str, frames: list[bytes]) -> bytes:
    """Two sections, comments, counters, packets of all three kinds."""
    ticks = START_S * 10**6
    head = sf.section(order, sf.comment(order, "made")) + sf.interface(order, sf.option(order, 2, b"eth0"))
    blocks = [
        sf.enhanced(
            order, data, ticks=ticks + at, options=sf.comment(order, f"frame {at}") if at % 50 == 7 else b""
        )
        for at, data in enumerate(frames)
    ]
    more = [sf.simple(order, frames[0]), sf.obsolete(order, frames[0], ticks=ticks, drops=3)]
    counted = sf.statistics(order, sf.counter(order, 5, 9))
    return head + b"".join(blocks) + counted + sf.section(order) + sf.interface(order) + b"".join(more)


def frame_of(packet: Packet) -> bytes:
    """The bytes of a segment that a stream tells of, with messages where it has some."""
    payload = bytes(packet.payload_len)
    if packet.messages:
        spi, seq = packet.messages[0].spi, packet.messages[0].esp_seq
        body = spi.to_bytes(4, "big") + seq.to_bytes(4, "big") + bytes(max(0, packet.payload_len - 24))
        payload = body + streams.trailer(packet.messages[0].kind)
    options = b"".join(left.to_bytes(4, "big") + right.to_bytes(4, "big") for left, right in packet.sacks)
    if options:
        options = b"\x01\x01\x05" + bytes([2 + len(options)]) + options
    head = struct.pack(
        ">HHIIHHHH",
        packet.sport,
        packet.dport,
        packet.seq,
        packet.ack,
        (5 + len(options) // 4) << 12 | packet.flags,
        packet.window,
        0,
        0,
    )
    segment = head + options + payload
    if len(packet.src) == 16:
        return layers.frame(streams.ipv6(segment)[:8] + packet.src + packet.dst + segment)
    datagram = streams.ipv4(segment)
    ip_id = max(0, packet.ip_id).to_bytes(2, "big")
    return layers.frame(datagram[:4] + ip_id + datagram[6:12] + packet.src + packet.dst + segment)


def read(folder: Path) -> list[Path]:
    """The small captures below a folder."""
    found = (path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    return sorted(path for path in found if path.stat().st_size <= LONGEST_FILE)
