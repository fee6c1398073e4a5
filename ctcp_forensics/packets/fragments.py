"""Fragments: IP datagrams put together, RFC 791 §3.2 and RFC 8200 §4.5.

Knows where a piece belongs.  Does not know what a datagram carries.
"""

from __future__ import annotations

from struct import unpack_from
from typing import Final

import msgspec

MAX_DATAGRAMS: Final = 256
"""IP datagrams put together at once; the oldest incomplete one makes room."""
MAX_DATAGRAM_LEN: Final = 65_535
TCP: Final = 6
MAX_FRAGMENTS: Final = 1024
"""Pieces of one datagram: 64 KiB in pieces of 64 bytes, smaller than any link makes them."""
MAX_TORN: Final = 1024
"""Pairs of hosts whose datagrams were not complete; that incomplete ones had to be let go is told as a cap."""
MAX_HELD_LEN: Final = 2 * MAX_DATAGRAM_LEN
"""Bytes kept of one datagram: pieces may overlap, but not so that a thousand of 64 KiB wait together."""


class Datagram(msgspec.Struct):
    """Pieces of one datagram, and its length once the last piece came."""

    pieces: dict[int, bytes] = msgspec.field(default_factory=dict)
    frames: int = 0
    """Pieces captured, also those that a SPAN port captured twice."""
    numbers: list[int] = msgspec.field(default_factory=list)
    """Of the frames of the first MAX_FRAGMENTS of them."""
    held_len: int = 0
    total_len: int | None = None
    header: bytes = b""
    protocol: int = 0

    def add(self, offset: int, payload: bytes) -> None:
        """Keep a piece, unless one began at the same place or a bound is reached."""
        if offset in self.pieces or len(self.pieces) == MAX_FRAGMENTS:
            return
        if offset + len(payload) > MAX_DATAGRAM_LEN or self.held_len + len(payload) > MAX_HELD_LEN:
            return
        self.pieces[offset] = payload
        self.held_len += len(payload)

    def joined(self) -> bytes | None:
        """The payload, where it is complete; of bytes that came twice the first are kept."""
        if self.total_len is None or self.held_len < self.total_len or 0 not in self.pieces:
            return None
        payload = bytearray()
        for offset in sorted(self.pieces):
            if offset > len(payload):
                return None
            payload += self.pieces[offset][len(payload) - offset :]
        return bytes(payload[: self.total_len]) if len(payload) >= self.total_len else None


Hosts = tuple[bytes, bytes]
"""Two addresses, the lower first."""


def hosts_of(addresses: bytes) -> Hosts:
    """From both of a header, one behind the other."""
    half = len(addresses) // 2
    one, other = addresses[:half], addresses[half:]
    return (one, other) if one <= other else (other, one)


class Reassembly(msgspec.Struct):
    """Puts datagrams together from their fragments, in bounded memory."""

    datagrams: dict[tuple[bytes, ...], Datagram] = msgspec.field(default_factory=dict)
    completed: dict[tuple[bytes, ...], frozenset[int]] = msgspec.field(default_factory=dict)
    """The pieces of the latest, so that a copy of a last one does not wait for a datagram of its own."""
    evicted: int = 0
    torn_before: set[Hosts] = msgspec.field(default_factory=set)
    """Of the incomplete ones that made room."""
    waiting: int = 0
    """Fragments seen whose datagrams are not complete."""

    joined_from: tuple[int, ...] = ()
    """The frames of the datagram that was completed last."""

    def take(self, datagram: bytes, frame: int = 0) -> bytes | None:
        """One fragment in; the whole datagram out, once it is complete."""
        piece = fragment_of(datagram)
        if piece is not None and mark_of(piece.offset, piece.payload) in self.completed.get(piece.key, ()):
            return None
        self.waiting += 1
        if piece is None:
            return None
        kept = self._room_for(piece.key)
        kept.frames += 1
        if len(kept.numbers) < MAX_FRAGMENTS:
            kept.numbers.append(frame)
        kept.add(piece.offset, piece.payload)
        if piece.offset == 0:
            kept.header, kept.protocol = piece.header, piece.protocol
        if not piece.more:
            kept.total_len = piece.offset + len(piece.payload)
        payload = kept.joined()
        if payload is None:
            return None
        self._complete(piece.key)
        self.joined_from = tuple(kept.numbers)
        return whole_datagram(kept, payload)

    def _complete(self, key: tuple[bytes, ...]) -> None:
        whole = self.datagrams.pop(key)
        self.waiting -= whole.frames
        self.completed[key] = frozenset(mark_of(*piece) for piece in whole.pieces.items())
        if len(self.completed) > MAX_DATAGRAMS:
            del self.completed[next(iter(self.completed))]

    def torn(self) -> frozenset[Hosts]:
        """Hosts between which TCP went in fragments, some of which are not here; the capture is over."""
        for key, datagram in self.datagrams.items():
            self._note_torn(key, datagram)
        return frozenset(self.torn_before)

    def _note_torn(self, key: tuple[bytes, ...], datagram: Datagram) -> None:
        may_be_tcp = datagram.protocol in (0, TCP)  # 0: its first fragment is missing
        if may_be_tcp and len(self.torn_before) < MAX_TORN:
            self.torn_before.add(hosts_of(key[0]))

    def _room_for(self, key: tuple[bytes, ...]) -> Datagram:
        if key not in self.datagrams and len(self.datagrams) == MAX_DATAGRAMS:
            oldest = next(iter(self.datagrams))
            self._note_torn(oldest, self.datagrams.pop(oldest))
            self.evicted += 1
        return self.datagrams.setdefault(key, Datagram())


def mark_of(offset: int, payload: bytes) -> int:
    """By which a copy of a piece is known; another datagram may have the same IP ID."""
    return hash((offset, payload))


class Fragment(msgspec.Struct, frozen=True, kw_only=True):
    """One fragment, IPv4 or IPv6."""

    key: tuple[bytes, ...]
    offset: int
    more: bool
    header: bytes
    protocol: int
    payload: bytes


def fragment_of(datagram: bytes) -> Fragment | None:
    """Read a fragment's place; None where the capture holds less than the fragment had."""
    return fragment_of_ipv4(datagram) if datagram[0] >> 4 == 4 else fragment_of_ipv6(datagram)


def fragment_of_ipv4(datagram: bytes) -> Fragment | None:
    header_len, (total_len, _, field_) = (datagram[0] & 15) * 4, unpack_from(">HHH", datagram, 2)
    if total_len > len(datagram) or total_len < header_len:
        return None
    return Fragment(
        key=(datagram[12:20], datagram[4:6], datagram[9:10]),
        offset=(field_ & 0x1FFF) * 8,
        more=bool(field_ & 0x2000),
        header=datagram[:header_len],
        protocol=datagram[9],
        payload=datagram[header_len:total_len],
    )


def fragment_of_ipv6(datagram: bytes) -> Fragment | None:
    """The fragment header may follow hop-by-hop, routing and destination options."""
    end = 40 + unpack_from(">H", datagram, 4)[0]
    protocol, at = datagram[6], 40
    while protocol in (0, 43, 60) and len(datagram) >= at + 8:
        protocol, at = datagram[at], at + (datagram[at + 1] + 1) * 8
    if protocol != 44 or end > len(datagram) or end < at + 8:
        return None
    (field_,) = unpack_from(">H", datagram, at + 2)
    return Fragment(
        key=(datagram[8:40], datagram[at + 4 : at + 8]),
        offset=field_ & 0xFFF8,
        more=bool(field_ & 1),
        header=datagram[:40],
        protocol=datagram[at],
        payload=datagram[at + 8 : end],
    )


def whole_datagram(kept: Datagram, payload: bytes) -> bytes:
    """The header of the first fragment, with lengths as if there had been one datagram."""
    header = bytearray(kept.header)
    if header[0] >> 4 == 6:
        header[4:6] = min(len(payload), 0xFFFF).to_bytes(2, "big")
        header[6] = kept.protocol
    else:
        header[2:4] = min(len(header) + len(payload), 0xFFFF).to_bytes(2, "big")
        header[6:8] = bytes(2)
    return bytes(header) + payload
