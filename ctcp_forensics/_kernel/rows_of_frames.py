"""Rows of single frames: as walked, and as decoded, with the messages of their payload.

Knows fields and units.  Does not know what the codes in them stand for: see codes.
"""

from typing import NamedTuple


class Frame(NamedTuple):
    """One captured record.  Numbered from 1, as Wireshark's frame.number."""

    number: int
    time_ns: int
    """Since 1970-01-01 UTC by the capturing clock."""
    offset: int
    """Of the frame's first byte, in the buffer that was walked."""
    captured_len: int
    original_len: int
    interface: int
    """Counted over the whole file, from 0."""
    link_type: int
    commented: int
    """1 where the record carries a comment."""


class Message(NamedTuple):
    """One cTCP message: an IPsec packet and its trailer."""

    kind: int
    offset: int
    """From the start of the segment's payload."""
    length: int
    """With its 16-byte trailer."""
    spi: int
    """ESP SPI; for IKE the first four bytes of the initiator's cookie."""
    esp_seq: int
    """ESP sequence number; for IKE the message id."""
    exchange: int
    """ISAKMP exchange type; 0 for ESP."""
    from_initiator: int
    """1 where the responder's cookie is still zero: this sender opened the negotiation."""
    print64: int
    """A 64-bit fingerprint of the message's captured bytes without the trailer."""


class Packet(NamedTuple):
    """One decoded frame.  Where `status` is not TCP, only the first three fields hold."""

    status: int
    frame: int
    time_ns: int
    src: bytes
    """4 or 16 bytes."""
    dst: bytes
    sport: int
    dport: int
    ttl: int
    ip_id: int
    """-1 for IPv6, which has none."""
    seq: int
    ack: int
    flags: int
    window: int
    """As sent, not scaled."""
    payload_len: int
    """On the wire, by the IP total length."""
    captured_payload_len: int
    mss: int
    """-1 where the option is absent."""
    window_scale: int
    """-1 where the option is absent."""
    sack_permitted: int
    sacks: tuple[tuple[int, int], ...]
    """Up to four [left, right) as sent, RFC 2018 §3."""
    signature: int
    trailer: int
    magic: int
    """The seven bytes after the cookie's place: trailer[8:13] and [14:16], for unknown vendors' variants."""
    head: tuple[int, int]
    """The first two 32-bit words of the payload: SPI and sequence, where it is ESP."""
    print64: int
    """A fingerprint of the captured payload's first and last 16 bytes."""
    messages: tuple[Message, ...]
    unsplit: int
    """1 where a segment held more than MAX_MESSAGES_PER_SEGMENT messages."""
    checksum: int
