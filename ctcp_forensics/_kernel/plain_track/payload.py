"""Payload: trailers, signatures and IPsec messages, counted per direction."""

from __future__ import annotations

from typing import Final

from ctcp_forensics._kernel.caps import ASSOCIATIONS_KEPT, IKE_ASKS
from ctcp_forensics._kernel.plain_track.state import Association, Direction, Flow, Key
from ctcp_forensics._kernel.rows import NEVER, Checksum, Kind, Message, Packet, Trailer

ESP_RUN_STEP: Final = 4096
"""A rise of the second word that a lossy capture may still show between two ESP messages."""
WATCHED_RUN: Final = 4
IKE_PORTS: Final = 0x01F4_01F4
"""UDP 500 → 500, the first four bytes of IKE in cTCP (ctcp-protocol §1.1)."""


def note_payload(flow: Flow, d: Direction, p: Packet) -> None:
    """Count trailers, signatures and ESP-like counters; begin the log where it looks like cTCP."""
    match p.trailer:
        case Trailer.CISCO:
            d.trailer_cisco += 1
        case Trailer.WEAK:
            note_weak(d, p.magic)
        case Trailer.CUT_OFF:
            d.trailer_cut_off += 1
            note_head(d, p)
        case _:
            d.trailer_absent += 1
    if p.signature:
        d.signatures += 1
        d.signature = d.signature or p.signature
    if p.trailer in (Trailer.CISCO, Trailer.WEAK) or d.run >= WATCHED_RUN:
        flow.watched = 1


def note_checksum(d: Direction, p: Packet) -> None:
    d.checksums_right += p.checksum == Checksum.RIGHT
    d.checksums_wrong += p.checksum == Checksum.WRONG


def is_damaged(d: Direction, p: Packet) -> bool:
    """A checksum is wrong, and nearly all of this direction's are right.

    A host's own capture shows what it sends before its card has written checksums: there they are all wrong.
    """
    return p.checksum == Checksum.WRONG and d.checksums_right > 4 * d.checksums_wrong


def note_ike_while_asked(d: Direction, peer: Direction, p: Packet) -> None:
    """IKE goes on while a question is open: dead-peer detection, and in the end a farewell."""
    messages = sum(message.kind == Kind.IKE for message in p.messages)
    if not messages:
        return
    if d.episode is not None:
        d.episode.sender_ike += messages
        if d.episode.sender_ike >= IKE_ASKS and d.episode.sender_ike_asked_ns == NEVER:
            d.episode.sender_ike_asked_ns = p.time_ns
    if peer.episode is not None:
        peer.episode.peer_ike += messages


def note_weak(d: Direction, magic: int) -> None:
    if not d.trailer_weak:
        d.weak_magic = magic
    d.trailer_weak += 1
    d.weak_same_magic += magic == d.weak_magic


def note_head(d: Direction, p: Packet) -> None:
    """Class C of ctcp-protocol §1.2: the first word stays, the second rises."""
    if p.captured_payload_len < 8 or p.head[0] == IKE_PORTS:
        return
    spi, seq = d.last_head
    if p.head[0] == spi and 0 < p.head[1] - seq <= ESP_RUN_STEP:
        d.run += 1
    else:
        d.esp_breaks += spi != NEVER
        d.run = 1
    d.esp_run = max(d.esp_run, d.run)
    d.last_head = p.head


def note_messages(d: Direction, p: Packet) -> tuple[int, int]:
    """Count the messages; (Key of the first ESP one, ESP numbers skipped before it)."""
    if not p.messages:
        return note_headless(d, p)
    d.messages += len(p.messages)
    d.merged_segments += len(p.messages) > 1
    key, skipped = int(Key.NONE), 0
    for message in p.messages:
        if message.kind == Kind.IKE:
            note_ike(d, p, message)
            continue
        this, before = note_esp(d, message.spi, message.esp_seq, p.frame)
        if key == Key.NONE:
            key, skipped = this, before
    return key, skipped


def note_headless(d: Direction, p: Packet) -> tuple[int, int]:
    """The trailer was not captured; in a run of ESP-like heads, or with an SPI from one, the head is ESP's."""
    if p.trailer != Trailer.CUT_OFF or p.head != d.last_head:
        return Key.NONE, 0
    if d.run < WATCHED_RUN and all(one.spi != p.head[0] for one in d.kept_associations):
        return Key.NONE, 0
    return note_esp(d, p.head[0], p.head[1], p.frame)


def note_esp(d: Direction, spi: int, seq: int, frame: int) -> tuple[int, int]:
    d.esp_messages += 1
    for one in d.kept_associations:
        if one.spi == spi:
            return one.take(seq, frame)
    if len(d.kept_associations) == ASSOCIATIONS_KEPT:
        oldest = min(d.kept_associations, key=lambda one: one.last_frame)
        d.kept_associations.remove(oldest)
        d.esp_missing += oldest.missing
        d.esp_repeats += oldest.repeats
    d.kept_associations.append(Association(spi, seq, frame))
    d.associations += 1
    return Key.NEWEST, 0


def note_ike(d: Direction, p: Packet, message: Message) -> None:
    d.ike_messages += 1
    d.ike_opened += message.from_initiator
    d.ike_repeats += message.print64 == d.last_ike_print
    d.last_ike_print = message.print64
    d.last_ike_frame, d.last_ike_ns, d.last_ike_exchange = p.frame, p.time_ns, message.exchange
