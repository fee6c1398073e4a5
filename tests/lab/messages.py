"""cTCP messages as bytes: IKE in its UDP header or ESP, each with the 16-byte trailer behind it.

Knows the wire layout.  Does not know when which message is due: see ctcp_endpoint.
Encrypted IKE bodies hold a kind and a number under a toy key stream, so that the two endpoints of
the laboratory can understand each other while a capture shows nothing but ciphertext.
"""

import hashlib
import random
import struct
from dataclasses import dataclass

MAGIC = b"!Eli\x10"
TRAILER_LEN = 16
PROTO_ESP, PROTO_IKE = 0x32, 0x11
UDP_HEADER_LEN, ISAKMP_HEADER_LEN = 8, 28
LAB_KEY = b"ctcp lab"

# ISAKMP exchange types and payload numbers (RFC 2408 §3.1; 6 is the IKE mode config draft).
AGGRESSIVE, INFORMATIONAL, TRANSACTION, QUICK = 4, 5, 6, 32
SA, KEY_EXCHANGE, IDENTITY, HASH, NONCE, VENDOR = 1, 4, 5, 8, 10, 13

# What an encrypted body means.  The first byte of its plaintext.
KINDS = {
    1: "am3",
    2: "xauth-request",
    3: "xauth-reply",
    4: "config-request",
    5: "config-reply",
    6: "qm1",
    7: "qm2",
    8: "qm3",
    9: "r-u-there",
    10: "r-u-there-ack",
    11: "delete",
    12: "no-proposal-chosen",
}
KIND_NUMBERS = {name: number for number, name in KINDS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The details of a message that the protocol note leaves open, fixed for one endpoint."""

    trailer_end: bytes = b"\x01\x00"
    trailer_magic: bytes = MAGIC
    ike_pad: bytes = bytes(16)
    flags_word: int = 0
    esp_counts_in_trailer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ike:
    """One ISAKMP message and what it means inside the laboratory."""

    kind: str
    number: int
    initiator_cookie: bytes
    responder_cookie: bytes
    message_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Esp:
    """One ESP packet as far as anyone on the way can read it."""

    spi: int
    sequence: int


Message = Ike | Esp


def wrapped(payload: bytes, proto: int, layout: Layout, original_id: int) -> bytes:
    """Payload and trailer.  Bytes 4 to 7 repeat words of the original IP header (ctcp-protocol 1.1)."""
    count = original_id if proto == PROTO_IKE or layout.esp_counts_in_trailer else 0
    flags_word = layout.flags_word if proto == PROTO_IKE else 0
    head = struct.pack("!IHH", 0, count, flags_word)
    return payload + head + layout.trailer_magic + bytes([proto]) + layout.trailer_end


def esp_packet(rng: random.Random, spi: int, sequence: int, inner_len: int) -> bytes:
    """Tunnel-mode ESP around an inner packet of that length: AES-CBC sizes and a 12-byte ICV."""
    padded_len = -(-(inner_len + 2) // 16) * 16
    return struct.pack("!II", spi, sequence) + rng.randbytes(16 + padded_len + 12)


def in_udp(isakmp: bytes, layout: Layout) -> bytes:
    """UDP 500 to 500 with the checksum left out, as the interoperable stack does."""
    body = isakmp + layout.ike_pad
    return struct.pack("!HHHH", 500, 500, UDP_HEADER_LEN + len(body), 0) + body


def aggressive_1(rng: random.Random, cookie: bytes) -> bytes:
    body = _chain(
        (SA, _proposals()),
        (KEY_EXCHANGE, rng.randbytes(128)),
        (NONCE, rng.randbytes(20)),
        (IDENTITY, b"\x0b\x11\x01\xf4" + b"labgroup"),
        (VENDOR, bytes.fromhex("09002689dfd6b712")),  # XAUTH
        (VENDOR, bytes.fromhex("afcad71368a1f1c96b8696fc77570100")),  # DPD
        (VENDOR, bytes.fromhex("12f5f28c457168a9702d9fe274cc0100")),  # Unity
    )
    return _isakmp(cookie, bytes(8), SA, AGGRESSIVE, 0, 0, body)


def aggressive_2(rng: random.Random, cookie: bytes, answer_cookie: bytes) -> bytes:
    body = _chain(
        (SA, _proposals()),
        (KEY_EXCHANGE, rng.randbytes(128)),
        (NONCE, rng.randbytes(20)),
        (IDENTITY, b"\x01\x11\x01\xf4" + bytes([203, 0, 113, 20])),
        (HASH, rng.randbytes(20)),
        (VENDOR, bytes.fromhex("12f5f28c457168a9702d9fe274cc0100")),
        (VENDOR, bytes.fromhex("afcad71368a1f1c96b8696fc77570100")),
    )
    return _isakmp(cookie, answer_cookie, SA, AGGRESSIVE, 0, 0, body)


def encrypted(ike: Ike, exchange: int, body_len: int) -> bytes:
    """An ISAKMP message whose body reads as noise to everyone but the other endpoint."""
    plain = struct.pack("!BI", KIND_NUMBERS[ike.kind], ike.number)
    body = _masked(plain.ljust(-(-body_len // 16) * 16, b"\0"), ike.initiator_cookie, ike.message_id)
    return _isakmp(ike.initiator_cookie, ike.responder_cookie, HASH, exchange, 1, ike.message_id, body)


def read_message(message: bytes) -> Message:
    """The meaning of one message without its trailer."""
    if message[:4] == b"\x01\xf4\x01\xf4":
        return _read_isakmp(message[UDP_HEADER_LEN:])
    spi, sequence = struct.unpack_from("!II", message)
    return Esp(spi=spi, sequence=sequence)


def split_messages(stream: bytes) -> tuple[list[bytes], bytes]:
    """Messages without trailers, and the bytes behind the last trailer.

    A proxy on the way keeps the bytes but not always the segment boundaries, so the trailer is the
    only mark of an end.
    """
    messages = []
    while (end := _trailer_end(stream)) is not None:
        messages.append(stream[: end - TRAILER_LEN])
        stream = stream[end:]
    return messages, stream


def _trailer_end(stream: bytes) -> int | None:
    at = stream.find(b"!Eli")
    while at != -1:
        end = at + 8
        if at >= 8 and end <= len(stream) and stream[at - 8 : at - 4] == bytes(4):
            return end
        at = stream.find(b"!Eli", at + 1)
    return None


def _proposals() -> bytes:
    """One ISAKMP proposal with four transforms: 3DES or AES, SHA or MD5, group 2, pre-shared key, XAUTH."""
    transforms = []
    for number, (cipher, digest) in enumerate(((7, 2), (7, 1), (5, 2), (5, 1)), start=1):
        attributes = [(1, cipher), (2, digest), (3, 65001), (4, 2), (11, 1)]
        packed = b"".join(struct.pack("!HH", 0x8000 | name, value) for name, value in attributes)
        following = 3 if number < 4 else 0
        transforms.append(
            struct.pack("!BBHBBH", following, 0, 8 + len(packed), number, 1, 0) + packed,
        )
    proposal = struct.pack("!BBHBBBB", 0, 0, 8 + sum(map(len, transforms)), 1, 1, 0, len(transforms))
    return struct.pack("!II", 1, 1) + proposal + b"".join(transforms)


def _chain(*payloads: tuple[int, bytes]) -> bytes:
    """ISAKMP payloads, each naming the one behind it (RFC 2408 §3.2)."""
    following = [number for number, _ in payloads[1:]] + [0]
    return b"".join(
        struct.pack("!BBH", after, 0, 4 + len(body)) + body
        for (_, body), after in zip(payloads, following, strict=True)
    )


def _isakmp(
    cookie: bytes, answer_cookie: bytes, first: int, exchange: int, flags: int, message_id: int, body: bytes
) -> bytes:
    header = struct.pack("!BBBBII", first, 0x10, exchange, flags, message_id, ISAKMP_HEADER_LEN + len(body))
    return cookie + answer_cookie + header + body


def _masked(body: bytes, cookie: bytes, message_id: int) -> bytes:
    mask = b""
    for block in range(-(-len(body) // 32)):
        mask += hashlib.sha256(LAB_KEY + cookie + struct.pack("!II", message_id, block)).digest()
    return bytes(left ^ right for left, right in zip(body, mask, strict=False))


def _read_isakmp(isakmp: bytes) -> Ike:
    cookie, answer_cookie = isakmp[:8], isakmp[8:16]
    flags, message_id, length = struct.unpack_from("!BII", isakmp, 19)
    kind, number = "am1" if answer_cookie == bytes(8) else "am2", 0
    if flags & 1:
        plain = _masked(isakmp[ISAKMP_HEADER_LEN:length], cookie, message_id)
        code, number = struct.unpack_from("!BI", plain)
        kind = KINDS[code]
    return Ike(
        kind=kind,
        number=number,
        initiator_cookie=cookie,
        responder_cookie=answer_cookie,
        message_id=message_id,
    )
