"""Codes: the small numbers in the fields of packets, and what each stands for.

Knows RFC 9293 and the trailer of cTCP.  Does not know where in a row they stand: see rows_of_frames.
"""

from enum import IntEnum, IntFlag


class Tcp(IntFlag):
    """TCP header flags, RFC 9293 §3.1."""

    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    PSH = 0x08
    ACK = 0x10
    URG = 0x20


class Kind(IntEnum):
    """What one cTCP message carries: the trailer's next-header byte, ctcp-protocol §1.1."""

    NONE = 0
    ESP = 0x32
    IKE = 0x11
    AH = 0x33


class Trailer(IntEnum):
    """What the last 16 bytes of a segment show."""

    ABSENT = 0
    CUT_OFF = 1
    """The capture does not hold the end of the payload."""
    WEAK = 2
    """Wireshark's conditions hold, the magic bytes are others."""
    CISCO = 3
    """All of 00000000 ???? ?000 21456c69 10 {11,32,33} 0100."""


class Checksum(IntEnum):
    """What the TCP checksum says of a segment that carries one message, RFC 9293 §3.1."""

    UNVERIFIED = 0
    """Not asked, not captured whole, or left to the sender's card, which had not written it yet."""
    RIGHT = 1
    WRONG = 2
    """Wireshark: tcp.checksum_bad."""


class Signature(IntEnum):
    """An application recognised by the first bytes of one segment."""

    NONE = 0
    TLS = 1
    HTTP = 2
    SSH = 3
    IKETCP = 4
    """RFC 9329 §3: the stream prefix "IKETCP"."""
    RAW_IKE = 5
    """An ISAKMP header whose length is the segment's: IKE over TCP without a trailer."""
    NDMP = 6
    RFC8229_LENGTH = 7
    """RFC 9329 §3: a 16-bit length that equals the segment's, then a non-ESP marker."""
