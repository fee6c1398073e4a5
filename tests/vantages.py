"""Vantages: one story as several places on its way captured it.

Knows clocks, translations and how far each segment came; the story is told once, by wire.  Does not know what the
captures show together: the stories say that.

    places: {client: {}, asa-outside: {clock: 1h}, asa-inside: {clock: 1h, shows: {C: N}, shift: {C: 7000}}}

    C > S  +100  upto client                 it passed the client's capture and was lost behind it
    S > C  ack 1001  by F  from asa-outside  made there: seen there and on its further way
    C > S  +100  unseen asa-inside           it passed there, and that capture does not hold it
    C > S  +100  held 50ms                   from the second place on it came so much later
    C > S  +100  corrupt asa-outside         from that place on a bit of it is another, and nobody takes it

Places are written in order from client to headend.  Each has a clock of its own (`clock`, `drift` in ppm, `jumps`), a
distance from the client (`away`), a part of the story that it was running for (`starts`, `stops`), spells in which it
was `blind` to everything, and may show ends under other names (`shows`), with other sequence numbers (`shift`), another
`mss`, or cut short (`snap`).  The user calls a place by its name, unless `told` says otherwise; `drops` is what its
interface counter admits, and a `damaged` savefile lost nobody knows what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from ctcp_forensics._kernel.rows import NEVER, Tcp
from tests.wire import HOSTS, SEQUENCE_SPACE, START_NS, Captured, Host, Quote, Segment, Wire, nanoseconds

HOP_NS = 2_000_000
"""Between two places; all of them together less than a line, so that no answer overtakes its question."""
BOX_NS = 100_000
"""From one interface of a firewall to the other."""
HEADERS_LEN = 54


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """Where one capture of a story was taken, and how."""

    name: str
    told: str | None
    away_ns: int
    clock_ns: int = 0
    drift_ppm: float = 0.0
    jumps: tuple[tuple[int, int], ...] = ()
    """When, by the story, the clock was set, and by how much."""
    starts_ns: int = 0
    stops_ns: int = 1 << 62
    shows: Mapping[str, Host] = field(default_factory=dict)
    shift: Mapping[str, int] = field(default_factory=dict)
    mss: int | None = None
    snap_len: int = 1 << 18
    drops: int = 0
    damaged: bool = False
    blind: tuple[tuple[int, int], ...] = ()
    """From when to when, by the story."""
    box: int | None = None
    interfaces: tuple[str, ...] = ()
    hops: int = 1
    """By how much a router before it lowers the TTL."""

    def local(self, time_ns: int) -> int:
        """The story's time by this capture's clock."""
        return time_ns + self.offset(time_ns)

    def offset(self, time_ns: int) -> int:
        since = time_ns - START_NS
        set_by = sum(by_ns for at_ns, by_ns in self.jumps if at_ns <= since)
        return self.clock_ns + round(since * self.drift_ppm / 1e6) + set_by

    def times_of(self, local_ns: int) -> list[int]:
        """By the story, the times that this clock may mean; several where it was set back."""
        since_epoch = 1 + self.drift_ppm / 1e6
        steps = [0]
        for _, by_ns in self.jumps:
            steps.append(steps[-1] + by_ns)
        found = [
            START_NS + round((local_ns - START_NS - self.clock_ns - by_ns) / since_epoch) for by_ns in steps
        ]
        return [at_ns for at_ns in found if abs(self.local(at_ns) - local_ns) <= 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one place captured of a story."""

    stand: Stand
    wire: Wire


# --- reading the header --------------------------------------------------------------------------


def stands_of(places: Mapping[str, Mapping[str, Any]]) -> list[Stand]:
    """The places of a story's header, in order from the client."""
    names, away = list(places), distances(list(places))
    return [stand_of(name, away[name], dict(places[name] or {})) for name in names]


def distances(names: Sequence[str]) -> dict[str, int]:
    away, at = {}, 0
    for before, name in pairwise([None, *names]):
        if before is not None:
            at += BOX_NS if before.startswith("asa") and str(name).startswith("asa") else HOP_NS
        away[str(name)] = at
    return away


def stand_of(name: str, away_ns: int, header: dict[str, Any]) -> Stand:
    told = header.pop("told", name)
    stand = Stand(
        name=name,
        told=None if told == "nothing" else told,
        away_ns=span(header.pop("away", None), away_ns),
        clock_ns=span(header.pop("clock", None), 0),
        drift_ppm=header.pop("drift", 0.0),
        jumps=tuple((span(at, 0), span(by, 0)) for at, by in header.pop("jumps", {}).items()),
        starts_ns=span(header.pop("starts", None), 0),
        stops_ns=span(header.pop("stops", None), 1 << 62),
        shows={one: HOSTS[other] for one, other in header.pop("shows", {}).items()},
        shift=header.pop("shift", {}),
        mss=header.pop("mss", None),
        snap_len=header.pop("snap", 1 << 18),
        drops=header.pop("drops", 0),
        damaged=header.pop("damaged", False),
        blind=tuple((span(at, 0), span(until, 0)) for at, until in header.pop("blind", {}).items()),
        box=header.pop("box", None),
        interfaces=tuple(header.pop("interfaces", ())),
        hops=header.pop("hops", 1),
    )
    assert not header, f"no part of a place: {header}"
    return stand


def span(text: str | None, default: int) -> int:
    if text is None:
        return default
    return -nanoseconds(text[1:]) if text.startswith("-") else nanoseconds(text)


# --- from one wire to many -----------------------------------------------------------------------


def seen_by(stands: Sequence[Stand], wire: Wire) -> list[Seen]:
    """The story as each place captured it."""
    return [Seen(stand=stand, wire=capture_at(stand, stands, wire)) for stand in stands]


def capture_at(stand: Stand, stands: Sequence[Stand], wire: Wire) -> Wire:
    """In the order of arrival, whatever the clock says."""
    passing = [
        (arrival_ns, one)
        for one in wire.captured
        if (arrival_ns := arrival(one, stand, stands)) is not None
        and stand.starts_ns <= arrival_ns - START_NS < stand.stops_ns
        and not any(begin <= arrival_ns - START_NS < end for begin, end in stand.blind)
    ]
    passing.sort(key=lambda item: item[0])
    frames = {one.frame: number for number, (_, one) in enumerate(passing, start=1)}
    return Wire(
        captured=tuple(as_shown(one, stand, stands, frames[one.frame], at_ns) for at_ns, one in passing),
        labels={label: frames[frame] for label, frame in wire.labels.items() if frame in frames},
    )


def arrival(one: Captured, stand: Stand, stands: Sequence[Stand]) -> int | None:
    """When it passed a place; None where it did not, or was not captured there."""
    if not isinstance(one, Segment):
        return one.time_ns
    line = line_of_places(one, stands)
    first, here, last = positions(one, stand, line)
    if not first <= here <= last or stand.name in one.voyage.unseen:
        return None
    begins_ns = line[first].away_ns if one.voyage.since else end_of(one, stands)
    held_ns = one.voyage.held_ns if here > first else 0
    return one.time_ns + abs(stand.away_ns - begins_ns) + held_ns


def line_of_places(one: Segment, stands: Sequence[Stand]) -> list[Stand]:
    """All places, the one nearest to the segment's sender first."""
    return list(stands) if is_from_client(one) else list(reversed(stands))


def is_from_client(one: Segment) -> bool:
    return not one.names[0].startswith("S")


def end_of(one: Segment, stands: Sequence[Stand]) -> int:
    """How far from the client its sender is."""
    return 0 if is_from_client(one) else stands[-1].away_ns + HOP_NS


def positions(one: Segment, stand: Stand, line: Sequence[Stand]) -> tuple[int, int, int]:
    """First and last place on its way, and this one between them; a place without a capture is a mistake."""
    names = [place.name for place in line]
    voyage = one.voyage
    first = 0 if voyage.since is None else names.index(voyage.since)
    last = len(names) - 1 if voyage.upto is None else names.index(voyage.upto)
    return first, names.index(stand.name), last


def as_shown(one: Captured, stand: Stand, stands: Sequence[Stand], frame: int, at_ns: int) -> Captured:
    one = replace(one, frame=frame, time_ns=stand.local(at_ns))
    if isinstance(one, Quote):
        return one
    return segment_at(one, stand, stands) if isinstance(one, Segment) else one


def segment_at(one: Segment, stand: Stand, stands: Sequence[Stand]) -> Segment:
    """With the addresses, numbers, options and the TTL that it has there."""
    line = line_of_places(one, stands)
    first, here, _ = positions(one, stand, line)
    sender, receiver = one.names
    acked = stand.shift.get(receiver, 0)
    is_syn_with_mss = one.mss != NEVER and stand.mss is not None
    return replace(
        one,
        src=stand.shows.get(sender, one.src),
        dst=stand.shows.get(receiver, one.dst),
        ttl=one.ttl - stand.hops * (here - first),
        seq=(one.seq + stand.shift.get(sender, 0)) % SEQUENCE_SPACE,
        ack=(one.ack + acked) % SEQUENCE_SPACE if one.flags & Tcp.ACK else 0,
        sacks=tuple(shifted(block, acked) for block in one.sacks),
        mss=stand.mss if is_syn_with_mss and stand.mss is not None else one.mss,
        captured=one.captured.cut_to(max(0, stand.snap_len - HEADERS_LEN)),
        is_corrupt=one.voyage.corrupt in [place.name for place in line[: here + 1]],
    )


def shifted(block: tuple[int, int], by: int) -> tuple[int, int]:
    return (block[0] + by) % SEQUENCE_SPACE, (block[1] + by) % SEQUENCE_SPACE
