"""IKEv2 messages as bytes, and the framing of RFC 9329 (before it RFC 8229) that puts IKE and ESP into a TCP.

Knows the wire layout.  Does not know when which message is due: see applications.  Keys, hashes and
ciphertexts are random: nobody on the way could tell them from true ones.
"""

import random
import struct

STREAM_PREFIX = b"IKETCP"
NON_ESP_MARKER = bytes(4)
LENGTH_LEN = 2
# Exchange types, flags and payload numbers (RFC 7296 §3.1 and §3.2).
IKE_SA_INIT, IKE_AUTH, INFORMATIONAL = 34, 35, 37
FROM_INITIATOR, IS_RESPONSE = 0x08, 0x20
SA, KEY_EXCHANGE, ID_INITIATOR, ID_RESPONDER, NONCE, NOTIFY, DELETE, ENCRYPTED = (
    33,
    34,
    35,
    36,
    40,
    41,
    42,
    46,
)
NAT_DETECTION_SOURCE_IP, NAT_DETECTION_DESTINATION_IP = 16388, 16389
HEADER_LEN = 28
MODP_2048_LEN, NONCE_LEN, HASH_LEN, IV_LEN, ICV_LEN = 256, 32, 20, 16, 16

# Type and number of each transform: AES-CBC (with a key of 256 bits), HMAC-SHA2-256 twice, MODP-2048.
TRANSFORMS = ((1, 12, b"\x80\x0e\x01\x00"), (2, 5, b""), (3, 12, b""), (4, 14, b""))


def framed(message: bytes) -> bytes:
    """RFC 9329 §3: a 16-bit length that counts itself, then an ESP packet or a marked IKE message."""
    return struct.pack("!H", LENGTH_LEN + len(message)) + message


def marked(ike: bytes) -> bytes:
    """RFC 9329 §3.1: four zeros where an ESP packet has its SPI."""
    return NON_ESP_MARKER + ike


def is_ike(message: bytes) -> bool:
    return message[:4] == NON_ESP_MARKER


def sa_init(rng: random.Random, spis: tuple[bytes, bytes], flags: int) -> bytes:
    """IKE_SA_INIT, the only exchange that everybody can read."""
    body = _chain(
        (SA, _proposal()),
        (KEY_EXCHANGE, struct.pack("!HH", 14, 0) + rng.randbytes(MODP_2048_LEN)),
        (NONCE, rng.randbytes(NONCE_LEN)),
        (NOTIFY, struct.pack("!BBH", 0, 0, NAT_DETECTION_SOURCE_IP) + rng.randbytes(HASH_LEN)),
        (NOTIFY, struct.pack("!BBH", 0, 0, NAT_DETECTION_DESTINATION_IP) + rng.randbytes(HASH_LEN)),
    )
    return _header(spis, SA, IKE_SA_INIT, flags, 0, len(body)) + body


def sealed(
    rng: random.Random,
    spis: tuple[bytes, bytes],
    exchange: int,
    flags: int,
    number: int,
    first: int,
    body_len: int,
) -> bytes:
    """A message with one encrypted payload (RFC 7296 §3.14), whose first inner payload is named in clear."""
    padded_len = -(-(body_len + 1) // IV_LEN) * IV_LEN
    body = _payload(first, rng.randbytes(IV_LEN + padded_len + ICV_LEN))
    return _header(spis, ENCRYPTED, exchange, flags, number, len(body)) + body


def spis_of(ike: bytes) -> tuple[bytes, bytes]:
    return ike[:8], ike[8:16]


def exchange_of(ike: bytes) -> tuple[int, int]:
    """Exchange type and message ID."""
    exchange, number = struct.unpack_from("!BxI", ike, 18)
    return exchange, number


def first_sealed(ike: bytes) -> int:
    """What the encrypted payload begins with; 0 where it is empty."""
    return ike[HEADER_LEN]


def _header(
    spis: tuple[bytes, bytes], first: int, exchange: int, flags: int, number: int, body_len: int
) -> bytes:
    return b"".join(spis) + struct.pack(
        "!BBBBII", first, 0x20, exchange, flags, number, HEADER_LEN + body_len
    )


def _payload(following: int, body: bytes) -> bytes:
    return struct.pack("!BBH", following, 0, 4 + len(body)) + body


def _chain(*payloads: tuple[int, bytes]) -> bytes:
    """Payloads, each naming the one behind it (RFC 7296 §3.2)."""
    following = [number for number, _ in payloads[1:]] + [0]
    return b"".join(_payload(after, body) for (_, body), after in zip(payloads, following, strict=True))


def _proposal() -> bytes:
    """One proposal with four transforms (RFC 7296 §3.3)."""
    packed = b""
    for left, (kind, number, attribute) in enumerate(reversed(TRANSFORMS)):
        more = 3 if left else 0
        packed = struct.pack("!BBHBBH", more, 0, 8 + len(attribute), kind, 0, number) + attribute + packed
    return struct.pack("!BBHBBBB", 0, 0, 8 + len(packed), 1, 1, 0, len(TRANSFORMS)) + packed
