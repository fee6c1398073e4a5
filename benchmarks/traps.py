"""Traps: captures in which one thing happens a million times, to show how cost grows.

Each is a formula over the frame's number, so any length is generated in constant memory (one-byte needs
a few bytes per frame).  Sequence numbers, ACKs and SACK blocks are those that a real receiver of these
segments would send; what is unreal is only how often it happens.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np

from benchmarks.traffic import BATCH_FRAMES, CLIENTS, SERVERS, STARTED_AT_US, Truth
from benchmarks.wire import ACK, PSH, SYN, Column, Content, Frames, Layout, frames

HANDSHAKE_FRAMES = 3
GAP_US = 10
HOLE_LEN = 64
HOLE_MESSAGE_LEN = 100
FLOWS_FULL_OF_HOLES = 102_400
"""As many as there are places."""
BIG_SEGMENT_LEN = 65_160  # 45 × 1448: what segmentation offload hands to a capture
WIDEST_SCALE = 14  # RFC 7323 §2.3: a window of 1 GiB
CLIENT_ISN, SERVER_ISN = 0x1000_0000, 0x2000_0000
FOUR_BLOCKS_FROM = 8  # isolated segments the receiver holds before its ACKs have four blocks to tell
SPREAD = 2_654_435_761  # near 2^32 divided by the golden ratio: successive multiples fall far apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """One flow, client to server; what the formulas leave out."""

    client_isn: int = CLIENT_ISN
    server_isn: int = SERVER_ISN
    source_port: int = 40_000
    target_port: int = 50_000

    def frames(self, number: Column, from_client: Any, **columns: Any) -> Frames:
        """Frames by number; `seq`, `ack` and `sack` count from the ISNs, as if those were 0."""
        client = CLIENTS + 0x7F01
        server = SERVERS + 0x7F02
        own = np.where(from_client, self.client_isn, self.server_isn)
        other = np.where(from_client, self.server_isn, self.client_isn)
        sack = np.asarray(columns.pop("sack", 0)) + np.reshape(other, (-1, 1, 1))
        return frames(
            len(number),
            time_us=STARTED_AT_US + number * GAP_US,
            source=np.where(from_client, client, server),
            target=np.where(from_client, server, client),
            source_port=np.where(from_client, self.source_port, self.target_port),
            target_port=np.where(from_client, self.target_port, self.source_port),
            seq=own + columns.pop("seq"),
            ack=np.where(columns["flags"] == SYN, 0, other + columns.pop("ack")),
            window=65_535,
            ip_id=number,
            ttl=np.where(from_client, 128, 57),
            sack=sack,
            window_scale=WIDEST_SCALE,
            **columns,
        )

    def handshake(self) -> Frames:
        return self.frames(
            np.arange(HANDSHAKE_FRAMES),
            np.array([True, False, True]),
            seq=np.array([0, 0, 1]),
            ack=np.array([0, 1, 1]),
            flags=np.array([SYN, SYN | ACK, ACK]),
            layout=np.array([Layout.SYN_PLAIN, Layout.SYN_PLAIN, Layout.PLAIN]),
        )


def _batches(count: int) -> Iterator[Column]:
    """Frame numbers after the handshake."""
    for begin in range(HANDSHAKE_FRAMES, count, BATCH_FRAMES):
        yield np.arange(begin, min(begin + BATCH_FRAMES, count))


def _cycle(number: Column, length: int) -> tuple[Column, Column, Any]:
    """Of every `length` frames the last is the receiver's: data segments so far, cycles done, is it data."""
    place = number - HANDSHAKE_FRAMES
    cycle, within = place // length, place % length
    is_data = within < length - 1
    return cycle * (length - 1) + np.minimum(within, length - 1), cycle, is_data


def _data_in(count: int, length: int) -> int:
    place = max(count - HANDSHAKE_FRAMES, 0)
    return place // length * (length - 1) + min(place % length, length - 1)


def _scatter(place: Column, count: int) -> Column:
    """A permutation of 0 … count-1 whose neighbours fall far apart."""
    step = SPREAD % count or 1
    while gcd(step, count) != 1:
        step += 1
    scattered: Column = place * step % count
    return scattered


def _blocks(lefts: list[Column], length: Any) -> Column:
    """Four SACK blocks of the same length, the latest first (RFC 2018 §4)."""
    left = np.stack(lefts, axis=1)
    return np.stack([left, left + np.reshape(length, (-1, 1))], axis=2)


def _one_way(
    talk: Talk, number: Column, is_data: Any, seq: Column, payload_len: Any, ack: Any, **more: Any
) -> Frames:
    """Data from the client, pure ACKs from the server."""
    return talk.frames(
        number,
        is_data,
        seq=np.where(is_data, seq, 1),
        ack=np.where(is_data, 1, ack),
        payload_len=np.where(is_data, payload_len, 0),
        flags=np.where(is_data, ACK | PSH, ACK),
        place=np.where(is_data, seq, 0),
        **more,
    )


# ---------------------------------------------------------------------------------------------- the traps


def holes(count: int, truth: Truth) -> Iterator[Frames]:
    """Every second segment lost before the tap, for three quarters of the capture; then every second hole
    is filled, in scattered order.  Seven eighths of the frames are data, the others ACK the first hole."""
    talk = Talk()
    truth.frames = truth.tcp_segments = count
    truth.flows = 1
    opened = max(_data_in(count, 8) * 3 // 4, 8)
    fillable = opened // 2 - 1
    yield talk.handshake()
    for number in _batches(count):
        nth, _, is_data = _cycle(number, 8)
        fills = nth >= opened
        # Holes are numbered by the segment before them; hole 0 stays open, and so the ACK stands still.
        hole = 2 * _scatter(np.maximum(nth - opened, 0) % fillable, fillable) + 2
        slot = np.where(fills, 2 * hole + 1, 2 * nth)
        truth.late_frames += (number[fills & is_data] + 1).tolist()
        yield _one_way(
            talk, number, is_data, 1 + slot * HOLE_LEN, HOLE_LEN, 1 + HOLE_LEN,
            layout=np.where(is_data, Layout.PLAIN, Layout.SACK_FOUR),
            sack=_hole_blocks(nth, opened, fillable),
        )  # fmt: skip


def _hole_blocks(nth: Column, opened: int, fillable: int) -> Column:
    """While holes open, the last four segments; later, the last four fills with the segments beside them."""
    back = [np.maximum(nth - behind, 1) for behind in range(1, 5)]
    opening = _blocks([1 + 2 * nth_ago * HOLE_LEN for nth_ago in back], HOLE_LEN)
    filled = [2 * _scatter(np.maximum(ago - opened, 0) % fillable, fillable) + 2 for ago in back]
    filling = _blocks([1 + 2 * hole * HOLE_LEN for hole in filled], 3 * HOLE_LEN)
    return np.where((nth < opened + 4)[:, None, None], opening, filling)


def holes_scattered(count: int, truth: Truth) -> Iterator[Frames]:
    """Isolated segments in scattered order: each opens a hole in the middle of another.  No ACK moves."""
    talk = Talk()
    truth.frames = truth.tcp_segments = count
    truth.flows = 1
    total = max(_data_in(count, 8), 1)
    yield talk.handshake()
    for number in _batches(count):
        nth, _, is_data = _cycle(number, 8)
        left = [1 + (2 * _scatter(np.maximum(nth - ago, 0), total) + 1) * HOLE_LEN for ago in range(5)]
        yield _one_way(
            talk, number, is_data, left[0], HOLE_LEN, 1,
            layout=np.where(is_data, Layout.PLAIN, Layout.SACK_FOUR),
            sack=_blocks(left[1:], HOLE_LEN),
        )  # fmt: skip


def one_byte(count: int, truth: Truth) -> Iterator[Frames]:
    """One byte at a time, in scattered order, every byte twice; the ACK is what has arrived in one piece."""
    talk = Talk()
    truth.frames = truth.tcp_segments = count
    truth.flows = 1
    total = _data_in(count, 4)
    distinct = max(total // 2, 1)
    arrival = np.zeros(distinct, np.int64)
    arrival[_scatter(np.arange(distinct), distinct)] = np.arange(distinct)
    in_one_piece = np.maximum.accumulate(arrival)
    yield talk.handshake()
    for number in _batches(count):
        nth, _, is_data = _cycle(number, 4)
        offset = _scatter(nth % distinct, distinct)
        truth.repeated_frames += (number[is_data & (nth >= distinct)] + 1).tolist()
        acked = np.searchsorted(in_one_piece, nth, side="left")
        yield _one_way(talk, number, is_data, 1 + offset, 1, 1 + acked)


def sack_storm(count: int, truth: Truth) -> Iterator[Frames]:
    """The tap sees every segment, the receiver every second; each ACK carries four blocks from all over."""
    talk = Talk()
    truth.frames = truth.tcp_segments = count
    truth.flows = 1
    yield talk.handshake()
    for number in _batches(count):
        nth, cycle, is_data = _cycle(number, 3)
        received = np.maximum(cycle, 1)  # segments 1, 3, 5, … arrived; 0 never
        third = np.maximum((received - 1) // 3, 1)
        told = [received - 1] + [nth_third * third + received * SPREAD % third for nth_third in range(3)]
        enough = np.where(received < FOUR_BLOCKS_FROM, Layout.SACK, Layout.SACK_FOUR)
        yield _one_way(
            talk, number, is_data, 1 + nth * HOLE_LEN, HOLE_LEN, 1,
            layout=np.where(is_data, Layout.PLAIN, enough),
            sack=_blocks([1 + (2 * segment + 1) * HOLE_LEN for segment in told], HOLE_LEN),
        )  # fmt: skip


def dup_ack_storm(count: int, truth: Truth) -> Iterator[Frames]:
    """One segment lost beyond the tap, and seven duplicate ACKs for each that follows, as a network that
    copies ACKs makes them; the last two frames repair it."""
    talk = Talk()
    truth.frames = truth.tcp_segments = count
    truth.flows = 1
    repaired_at = count - 2
    truth.repeated_frames = [repaired_at + 1]
    yield talk.handshake()
    for number in _batches(count):
        place = number - HANDSHAKE_FRAMES
        segment, within = place // 8, place % 8
        repairs = number == repaired_at
        is_data = ((within == 0) & (number < repaired_at)) | repairs
        sent_until = 1 + HOLE_LEN * -(-(repaired_at - HANDSHAKE_FRAMES) // 8)
        seq = np.where(repairs, 1, 1 + segment * HOLE_LEN)
        ack = np.where(number > repaired_at, sent_until, 1)
        yield _one_way(talk, number, is_data, seq, HOLE_LEN, ack)


def wrap(count: int, truth: Truth) -> Iterator[Frames]:
    """Full offload-sized segments both ways from just below 2^32: each side's numbers wrap every 4 GiB."""
    talk = Talk(client_isn=(1 << 32) - 200_000, server_isn=(1 << 32) - 500_000)
    truth.frames = truth.tcp_segments = count
    truth.flows = 1
    yield talk.handshake()
    for number in _batches(count):
        place = number - HANDSHAKE_FRAMES
        turn, within = place // 6, place % 6  # client: data data, server: ACK; server: data data, client: ACK
        from_client = (within < 2) | (within == 5)
        is_data = (within != 2) & (within != 5)
        sent_client = 1 + BIG_SEGMENT_LEN * (2 * turn + np.minimum(within, 2))
        sent_server = 1 + BIG_SEGMENT_LEN * (2 * turn + np.clip(within - 3, 0, 2))
        seq = np.where(from_client, sent_client, sent_server)
        yield talk.frames(
            number,
            from_client,
            seq=seq,
            ack=np.where(from_client, sent_server, sent_client),
            payload_len=np.where(is_data, BIG_SEGMENT_LEN, 0),
            flags=np.where(is_data, ACK | PSH, ACK),
            place=seq,
        )


def holes_everywhere(count: int, truth: Truth) -> Iterator[Frames]:
    """Both ends of as many cTCP flows as fill a table speak in turn, and before each segment one is missing."""
    truth.frames = truth.tcp_segments = count
    truth.flows = min(count, FLOWS_FULL_OF_HOLES)
    for begin in range(0, count, BATCH_FRAMES):
        number = np.arange(begin, min(begin + BATCH_FRAMES, count))
        flow, turn = number % FLOWS_FULL_OF_HOLES, number // FLOWS_FULL_OF_HOLES
        from_client, passed = turn % 2 == 0, turn // 2 * 2
        client, server = CLIENTS + flow, SERVERS + 0x7F02
        yield frames(
            len(number),
            time_us=STARTED_AT_US + number,
            source=np.where(from_client, client, server),
            target=np.where(from_client, server, client),
            source_port=np.where(from_client, 40_000, 10_000),
            target_port=np.where(from_client, 10_000, 40_000),
            seq=(CLIENT_ISN + passed * HOLE_MESSAGE_LEN) % (1 << 32),
            ack=CLIENT_ISN,
            flags=ACK | PSH,
            window=65_535,
            payload_len=HOLE_MESSAGE_LEN,
            ip_id=number,
            ttl=np.where(from_client, 128, 57),
            content=Content.ESP,
            spi=256 + 2 * flow + turn % 2,
            esp_seq=1 + passed,
        )


def half_open(count: int, truth: Truth) -> Iterator[Frames]:
    """One SYN from each of `count` sources, never answered."""
    truth.frames = truth.tcp_segments = truth.flows = count
    for begin in range(0, count, BATCH_FRAMES):
        number = np.arange(begin, min(begin + BATCH_FRAMES, count))
        spread = number * SPREAD % (1 << 32)
        yield frames(
            len(number),
            time_us=STARTED_AT_US + number,
            source=CLIENTS + spread // 61_440,
            target=SERVERS + 0x7F02,
            source_port=1_024 + spread % 61_440,
            target_port=443,
            seq=number * 0x9E3779B1 % (1 << 32),
            flags=SYN,
            window=64_240,
            ip_id=spread >> 7,
            ttl=52 + number % 11,
            layout=Layout.SYN_PLAIN,
            window_scale=7,
        )
