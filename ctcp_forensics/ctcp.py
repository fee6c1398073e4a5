"""What a flow carries, told by its content and never by its port: cTCP, how sure, and why.

Knows the trailer of Cisco's IPsec over TCP and its look-alikes (ctcp-protocol §1.2).
Does not know whether the flow is well: see claims.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache

import msgspec

from ctcp_forensics._kernel.rows import DirectionRow

CISCO_CTCP = "cisco-ctcp"
ESP_LIKE = "esp-like"
UNKNOWN = "unknown"
NONE = "none"

CERTAIN_SHARE = 10
"""One full payload in ten must end in the trailer: a full proxy may cut messages anywhere, and a file
transfer of a capture holds trailers too, but its segments end in one by chance alone (1 in 1,460)."""
WEAK_SEGMENTS = 3
WEAK_SHARE = 0.9
"""An unknown vendor's trailer is believed on three segments, with the same magic bytes on nearly all."""
ESP_RUN = 5
"""Five segments in a row with one first word and a rising second: ctcp-protocol §1.2, class C."""
ESP_BREAKS_SHARE = 10
"""One head in ten may break the run: messages of two associations, and those that were lost, do."""


class Grade(StrEnum):
    """How sure the recognition is."""

    CERTAIN = "certain"
    PROBABLE = "probable"
    POSSIBLE = "possible"
    NONE = "none"


class Encapsulation(msgspec.Struct, frozen=True, kw_only=True):
    """What the flow carries, how sure, and why."""

    kind: str
    grade: Grade
    because: str

    @property
    def is_ctcp(self) -> bool:
        return self.kind == CISCO_CTCP and self.grade in (Grade.CERTAIN, Grade.PROBABLE)


class Trailers(msgspec.Struct, frozen=True, kw_only=True):
    """Payloads of both directions, counted by what their last 16 bytes show."""

    cisco: int
    weak: int
    weak_alike: bool
    absent: int
    cut_off: int
    esp_run: int
    esp_breaks: int

    @property
    def full(self) -> int:
        """Payloads whose end was captured."""
        return self.cisco + self.weak + self.absent


def trailers_of(one: DirectionRow, other: DirectionRow) -> Trailers:
    weak = one.trailer_weak + other.trailer_weak
    return Trailers(
        cisco=one.trailer_cisco + other.trailer_cisco,
        weak=weak,
        weak_alike=weak > 0 and are_alike(one, other, weak),
        absent=one.trailer_absent + other.trailer_absent,
        cut_off=one.trailer_cut_off + other.trailer_cut_off,
        esp_run=max(one.esp_run, other.esp_run),
        esp_breaks=one.esp_breaks + other.esp_breaks,
    )


def are_alike(one: DirectionRow, other: DirectionRow, weak: int) -> bool:
    """Whether nearly all of the weak trailers have the same magic bytes."""
    magics = {row.weak_magic for row in (one, other) if row.trailer_weak}
    return len(magics) == 1 and one.weak_same_magic + other.weak_same_magic >= WEAK_SHARE * weak


@cache
def signatures() -> dict[int, tuple[str, str]]:
    """What each shows, in a word and at length.  Their codes are loaded here: few flows of cTCP's port have one."""
    from ctcp_forensics._kernel.codes import Signature

    return {
        Signature.TLS: ("tls", "TLS records (RFC 8446 §5.1)"),
        Signature.HTTP: ("http", "an HTTP message"),
        Signature.SSH: ("ssh", "an SSH banner (RFC 4253 §4.2)"),
        Signature.IKETCP: ("rfc8229", 'the stream prefix "IKETCP" (RFC 9329 §3): IPsec over a real TCP'),
        Signature.RFC8229_LENGTH: ("rfc8229", "a 16-bit length and the non-ESP marker (RFC 9329 §3)"),
        Signature.RAW_IKE: ("raw-ike", "bare ISAKMP messages without a trailer: IKE over a real TCP"),
        Signature.NDMP: ("ndmp", "NDMP records: backup traffic, which owns port 10000 as well"),
    }


def recognise(one: DirectionRow, other: DirectionRow) -> Encapsulation:
    """Name what the flow carries, by the payloads of both directions."""
    seen = trailers_of(one, other)
    return (
        by_cisco_trailer(seen)
        or by_signature((one, other))
        or by_weak_trailer(seen)
        or by_esp_run(seen)
        or by_absence(seen)
    )


def by_cisco_trailer(seen: Trailers) -> Encapsulation | None:
    """Class A: about eighty fixed bits, so chance is out of the question."""
    if not seen.cisco:
        return None
    because = f"{seen.cisco} of {seen.full} full payloads end in Cisco's trailer (00000000 … !Eli 10 … 0100)"
    if seen.cisco * CERTAIN_SHARE >= seen.full:
        return Encapsulation(kind=CISCO_CTCP, grade=Grade.CERTAIN, because=because)
    because += ": too few for the framing itself; a file that holds such messages may pass here"
    return Encapsulation(kind=CISCO_CTCP, grade=Grade.POSSIBLE, because=because)


def by_signature(directions: tuple[DirectionRow, ...]) -> Encapsulation | None:
    for direction in directions:
        if direction.signature:
            kind, shows = signatures()[direction.signature]
            return Encapsulation(kind=kind, grade=Grade.NONE, because=f"the payload shows {shows}")
    return None


def by_weak_trailer(seen: Trailers) -> Encapsulation | None:
    """Class B: Wireshark's conditions, held across a flow with one vendor's constant bytes."""
    if seen.weak < WEAK_SEGMENTS or not seen.weak_alike or seen.weak < WEAK_SHARE * seen.full:
        return None
    because = (
        f"{seen.weak} of {seen.full} full payloads end in a trailer of Cisco's form with other constant bytes"
    )
    return Encapsulation(kind=CISCO_CTCP, grade=Grade.PROBABLE, because=because)


def by_esp_run(seen: Trailers) -> Encapsulation | None:
    """Class C: consistent with ESP in TCP, and no more than that."""
    if seen.esp_run < ESP_RUN or seen.esp_breaks * ESP_BREAKS_SHARE > seen.cut_off:
        return None
    because = (
        f"the trailer was not captured; {seen.esp_run} segments in a row look like ESP (one SPI, rising)"
    )
    return Encapsulation(kind=ESP_LIKE, grade=Grade.POSSIBLE, because=because)


def by_absence(seen: Trailers) -> Encapsulation:
    if seen.full:
        because = f"none of {seen.full} full payloads ends in the trailer of IPsec over TCP"
        return Encapsulation(kind=NONE, grade=Grade.NONE, because=because)
    if seen.cut_off:
        because = f"all {seen.cut_off} payloads were cut off by the snap length before their last 16 bytes"
    else:
        because = "no payload was captured"
    return Encapsulation(kind=UNKNOWN, grade=Grade.NONE, because=because)
