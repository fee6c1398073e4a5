"""Marking: which frames of a capture belong to the flows that are wanted.

Knows ends, frame ranges, and what belongs to a flow without being one of its segments: the ICMP errors that quote it,
and all fragments of its datagrams.  What is in a tunnel counts by what it carries.  Does not know why a flow is wanted.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from struct import unpack_from
from typing import Final, Protocol

from ctcp_forensics import report
from ctcp_forensics._kernel import Picker
from ctcp_forensics.flows import Conversation, conversation
from ctcp_forensics.packets import Decoder
from ctcp_forensics.packets.fragments import Datagram
from ctcp_forensics.savefile import Buffer, FrameTable

LAST_OF_ALL: Final = 1 << 62
TCP: Final = 6

UNKNOWN: Final = "unknown"

Run = tuple[str, ...]
"""Captures that were taken one after the other at one place."""


class Marks(Protocol):
    """Frame numbers of one capture."""

    def between(self, first: int, last: int) -> Iterable[int]:
        """Those from `first` to `last`, in rising order."""


class Everything:
    """Every frame, whatever it is."""

    def between(self, first: int, last: int) -> Iterable[int]:
        return range(first, last + 1)


class Some:
    """One bit for each frame: the marks of a billion frames fit in memory."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, number: int) -> None:
        at = number >> 3
        if at >= len(self._bits):
            self._bits += bytes(at + 1 - len(self._bits) + len(self._bits) // 8)
        self._bits[at] |= 1 << (number & 7)

    def between(self, first: int, last: int) -> Iterator[int]:
        near = self._bits[first >> 3 : (last >> 3) + 1]
        if near.count(0) == len(near):
            return
        for at, byte in enumerate(near, start=first >> 3):
            for bit in range(8) if byte else ():
                if byte >> bit & 1 and first <= at * 8 + bit <= last:
                    yield at * 8 + bit

    def __len__(self) -> int:
        return int.from_bytes(self._bits, "little").bit_count()


# --- what is wanted of one capture --------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A flow between two ends, from one frame of a capture to another."""

    ends: Conversation
    first_frame: int
    last_frame: int
    quoted_until: int
    """An ICMP error may come when the flow is over; behind this frame it is about another flow."""


def stays_in(
    capture: str,
    flows: Sequence[report.Flow],
    runs: Mapping[str, Run],
    begun: Mapping[Conversation, list[int]],
) -> list[Stay]:
    """All that these flows do in one capture; `begun` is when any flow between two ends begins there."""
    stays = []
    for seen in (seen for flow in flows for seen in flow.seen):
        run = seen.captures or runs[seen.capture]
        last_capture = seen.last_capture or seen.capture
        reach = run[run.index(seen.capture) : run.index(last_capture) + 1] if last_capture in run else ()
        if capture in reach:
            ends, first = ends_of(seen), seen.first_frame if capture == seen.capture else 1
            later = [frame for frame in begun.get(ends, ()) if frame > first]
            stays.append(
                Stay(
                    ends=ends,
                    first_frame=first,
                    last_frame=seen.last_frame if capture == last_capture else LAST_OF_ALL,
                    quoted_until=min(later, default=LAST_OF_ALL) - 1,
                )
            )
    return stays


def begun_in(capture: str, found: report.Report) -> dict[Conversation, list[int]]:
    """The frames in which flows begin, as far as the report lists them, by their ends."""
    begun: dict[Conversation, list[int]] = {}
    for seen in (seen for flow in found.flows for seen in flow.seen):
        if seen.capture == capture:
            begun.setdefault(ends_of(seen), []).append(seen.first_frame)
    return begun


def runs_in(found: report.Report) -> dict[str, Run]:
    """For each capture the captures of its place in the order of their times: a flow may go on in the next one."""
    runs: dict[str, Run] = {}
    for vantage in {one.vantage for one in found.captures} - {UNKNOWN}:
        alike = [one for one in found.captures if one.vantage == vantage]
        run = tuple(one.id for one in sorted(alike, key=lambda one: one.first_ns or 0))
        runs |= dict.fromkeys(run, run)
    for place in (place for path in found.paths for place in path.places):
        runs |= dict.fromkeys(place.captures, place.captures)
    return {one.id: runs.get(one.id, (one.id,)) for one in found.captures}


def ends_of(seen: report.Seen) -> Conversation:
    client, headend = (ipaddress.ip_address(end.address).packed for end in (seen.client, seen.headend))
    return conversation(client, seen.client.port, headend, seen.headend.port)


# --- marking --------------------------------------------------------------------------------------


@dataclass(slots=True)
class Marker:
    """Marks frames batch by batch."""

    stays: Sequence[Stay]
    marks: Some = field(default_factory=Some)
    decoder: Decoder = field(default_factory=Decoder)
    _picker: Picker = field(default_factory=Picker)
    _by_number: dict[int, list[Stay]] = field(default_factory=dict)
    _by_ends: dict[Conversation, list[Stay]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for stay in self.stays:
            number = self._picker.want(*stay.ends)
            self._by_ends[stay.ends] = self._by_number.setdefault(number, [])
            self._by_number[number].append(stay)

    def take(self, buffer: Buffer, frames: FrameTable) -> None:
        packets = self.decoder.decode(buffer, frames)
        for frame, number in self._picker.picked(packets):
            if any(stay.first_frame <= frame <= stay.last_frame for stay in self._by_number[number]):
                self._mark((frame, *self.decoder.joined.get(frame, ())))
        self._take_errors()

    def finish(self) -> None:
        """Fragments of datagrams that were never complete: the first one has the ports."""
        for datagram in self.decoder.fragments.datagrams.values():
            stays = self._by_ends.get(ends_in(datagram), ())
            if any(stay.first_frame <= datagram.numbers[0] <= stay.quoted_until for stay in stays):
                self._mark(datagram.numbers)

    def _take_errors(self) -> None:
        for error in self.decoder.icmp_errors:
            stays = self._by_ends.get(conversation(error.src, error.sport, error.dst, error.dport), ())
            if any(stay.first_frame <= error.frame <= stay.quoted_until for stay in stays):
                self._mark((error.frame, *self.decoder.joined.get(error.frame, ())))
        self.decoder.icmp_errors.clear()

    def _mark(self, frames: Iterable[int]) -> None:
        for frame in frames:
            self.marks.add(frame)


NOBODY: Final[Conversation] = (b"", 0, b"", 0)


def ends_in(datagram: Datagram) -> Conversation:
    """Addresses of its header and ports of its first piece."""
    head, header = datagram.pieces.get(0, b""), datagram.header
    if len(head) < 4 or datagram.protocol != TCP:
        return NOBODY
    src, dst = (header[12:16], header[16:20]) if header[0] >> 4 == 4 else (header[8:24], header[24:40])
    sport, dport = unpack_from(">HH", head)
    return conversation(src, sport, dst, dport)
