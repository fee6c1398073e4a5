"""Payloads: what TCP carries, replaced but for what the diagnosis reads.

Knows cTCP messages (ctcp-protocol §1.1) and the first bytes by which other applications are recognised.  Does not
know headers: see ip.

What stands instead depends on the key and on the bytes themselves: equal messages stay equal, so that captures of
one path still pair, and different ones stay different; nobody without the key can try out contents.
"""

from __future__ import annotations

import hashlib
from itertools import count
from typing import Final

from ctcp_forensics._kernel.plain_decode import (
    COOKIE,
    IKE_EXCHANGES,
    IKE_VERSIONS,
    TRAILER_LEN,
    messages_in,
    signature_of,
    trailer_of,
)
from ctcp_forensics._kernel.rows import Kind, Signature, Trailer

ESP_HEADER_LEN: Final = 8
"""RFC 4303 §2: SPI and sequence number."""
UDP_LEN, ISAKMP_LEN = 8, 28
"""RFC 768; RFC 2408 §3.1: cookies, next payload, version, exchange, flags, message id, length."""
TELLING: Final = {
    Signature.NONE: 0,
    Signature.TLS: 5,  # RFC 8446 §5.1: type, version, length
    Signature.HTTP: 4,  # the method
    Signature.SSH: 4,
    Signature.IKETCP: 6,
    Signature.RFC8229_LENGTH: 6,
    Signature.RAW_IKE: ISAKMP_LEN,
    Signature.NDMP: 16,
}
"""Bytes that the recognition of an application reads, and that name nobody."""
RESERVED_SPIS: Final = 255
"""RFC 4303 §2.1: no association has one of these."""
BELIEVABLE_SEQ: Final = 1 << 24
"""The first byte of a younger sequence number is zero, which no text holds."""


def replaced(payload: bytes, wire_len: int, key: bytes) -> bytes:
    """`payload` as it may be shown; `wire_len` is its length on the wire, which may be more."""
    view = memoryview(payload)
    trailer = trailer_of(view, wire_len)
    if trailer in (Trailer.CISCO, Trailer.WEAK):
        return b"".join(message(payload[start:end], key) for start, end in spans(view, trailer))
    signature = signature_of(view, wire_len)
    kept = TELLING[signature] or kept_of_esp(payload)
    drawn = (with_remains(payload, payload[:kept] + stream(payload[kept:], key, salt)) for salt in count())
    return next(one for one in drawn if looks_of(one, wire_len) == (signature, trailer))


def looks_of(payload: bytes, wire_len: int) -> tuple[Signature, Trailer]:
    """What it is taken for: bytes that are drawn must not look like another application by chance."""
    return signature_of(memoryview(payload), wire_len), trailer_of(memoryview(payload), wire_len)


def with_remains(payload: bytes, found: bytes) -> bytes:
    """Half a trailer, whose other half was damaged, stays one: its four zeros, and four bytes of its constant."""
    zeros, constant = slice(-TRAILER_LEN, -TRAILER_LEN + 4), slice(-TRAILER_LEN + 8, -TRAILER_LEN + 12)
    shown = bytearray(found)
    if payload[zeros] == bytes(4):
        shown[zeros] = payload[zeros]
    if payload[constant] == COOKIE[:4]:
        shown[constant] = payload[constant]
    return bytes(shown)


def rest_replaced(piece: bytes, key: bytes) -> bytes:
    """What follows in a later fragment: no header, and a trailer where the message ends."""
    ends = trailer_of(memoryview(piece), len(piece)) in (Trailer.CISCO, Trailer.WEAK)
    body_len = len(piece) - (TRAILER_LEN if ends else 0)
    return stream(piece[:body_len], key) + piece[body_len:]


def spans(payload: memoryview, trailer: Trailer) -> list[tuple[int, int]]:
    """Where each message begins and ends; what is too much for the kernel to split is one more."""
    messages, _ = messages_in(payload, trailer)
    found = [(one.offset, one.offset + one.length) for one in messages]
    end = found[-1][1] if found else 0
    return found if end == len(payload) else [*found, (end, len(payload))]


def message(whole: bytes, key: bytes) -> bytes:
    """Header and trailer stay."""
    body, trailer = whole[:-TRAILER_LEN], whole[-TRAILER_LEN:]
    kept = kept_of_ike(body) if trailer[13] == Kind.IKE else min(ESP_HEADER_LEN, len(body))
    return body[:kept] + stream(body[kept:], key) + trailer


def kept_of_ike(body: bytes) -> int:
    """UDP and ISAKMP header; of a piece of a message, which may begin in the middle of a name, nothing."""
    isakmp = body[UDP_LEN:]
    if len(isakmp) < ISAKMP_LEN or isakmp[17] not in IKE_VERSIONS or isakmp[18] not in IKE_EXCHANGES:
        return 0
    is_whole = ISAKMP_LEN <= int.from_bytes(isakmp[24:28], "big") <= len(isakmp)
    return UDP_LEN + ISAKMP_LEN if is_whole else 0


def kept_of_esp(payload: bytes) -> int:
    """Where no trailer tells, an SPI and a sequence number that can be ones."""
    spi, seq = (int.from_bytes(payload[at : at + 4], "big") for at in (0, 4))
    is_esp = len(payload) >= ESP_HEADER_LEN and spi > RESERVED_SPIS and seq < BELIEVABLE_SEQ
    return ESP_HEADER_LEN if is_esp else 0


def stream(content: bytes, key: bytes, salt: int = 0) -> bytes:
    """As many bytes as `content` has, drawn from a keyed hash of it."""
    seed = hashlib.blake2b(content, key=key, digest_size=32, salt=salt.to_bytes(8, "big")).digest()
    return hashlib.shake_128(seed).digest(len(content))
