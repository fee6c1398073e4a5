"""Settling: what became of the segments of every connection, with what all places together say of what is missing.

Knows who bears witness to a missing segment, and which captures missed something.  Does not know how two logs are laid
beside each other, nor what a witness is worth: see crossing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec.structs import replace

from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.flows import Direction, Flow
from ctcp_forensics.vantage.clock import TO_CLIENT, TO_HEADEND
from ctcp_forensics.vantage.connection import Connection
from ctcp_forensics.vantage.crossing import (
    Crossing,
    Raw,
    Sighting,
    Witnesses,
    acknowledges_more,
    asked_positions,
    exact_acks,
    from_the_sender,
    lay,
    neighbours,
    running_until,
    settle,
)


def with_crossings(connections: Sequence[Connection]) -> list[Connection]:
    """What became of every connection's segments, with what all of them show of each capture's own drops."""
    raws = [raws_of(connection) for connection in connections]
    missed = missed_by([raw for some in raws for raw in some])
    return [
        replace(connection, crossings=tuple(crossings_of(connection, some, missed)))
        for connection, some in zip(connections, raws, strict=True)
    ]


def raws_of(connection: Connection) -> list[Raw]:
    return [
        lay(way, before, behind, shift, until_of(connection, before, behind))
        for way in (TO_HEADEND, TO_CLIENT)
        for before, behind in neighbours(connection.sightings, way)
        if (shift := shift_from(connection, before, behind, way)) is not None
    ]


def shift_from(connection: Connection, before: Sighting, behind: Sighting, way: int) -> int | None:
    here, there = number_of(connection, before), number_of(connection, behind)
    return connection.position(way, 0, here, there)


def number_of(connection: Connection, sighting: Sighting) -> int:
    return connection.sightings.index(sighting)


def until_of(connection: Connection, before: Sighting, behind: Sighting) -> tuple[int, int]:
    here, there = number_of(connection, before), number_of(connection, behind)
    return (
        running_until(behind.view, connection.offset(here, there)),
        running_until(before.view, connection.offset(there, here)),
    )


def admits_loss(sighting: Sighting) -> bool:
    around = sighting.view.surroundings
    return bool(around.dropped_frames) or around.is_damaged or around.tears(sighting.flow.row)


def missed_by(raws: Iterable[Raw]) -> set[int]:
    """Views whose capture is known to have missed something, by number."""
    declared = {
        sighting.view.number for raw in raws for sighting in (raw.before, raw.behind) if admits_loss(sighting)
    }
    return declared | {raw.before.view.number for raw in raws if raw.missed_before}


def crossings_of(connection: Connection, raws: Sequence[Raw], missed: set[int]) -> Iterable[Crossing]:
    for way in (TO_HEADEND, TO_CLIENT):
        some = [raw for raw in raws if raw.way == way]
        if some and not is_the_sender(connection, some[0]):
            yield from_the_sender(
                way,
                some[0].before,
                some[0].missed_before,
                drops=some[0].before.view.number in missed,
            )
        for number, raw in enumerate(some):
            yield settle(raw, witnesses_of(raw, some[0].before, some[number + 1 :], missed))


def is_the_sender(connection: Connection, raw: Raw) -> bool:
    """Whether the first place is the sender's own host: a gap there is the capture's, not the network's."""
    return raw.way == TO_HEADEND and connection.stations[number_of(connection, raw.before)] == (0, 0)


NOBODY: Final = Witnesses(
    drops=False, held_further=(), asked_for=(), acked_to=NEVER, is_sent_again=False, acked_exactly=()
)
"""Where nothing is missing nobody has to be asked."""


def witnesses_of(raw: Raw, first: Sighting, further: Sequence[Raw], missed: set[int]) -> Witnesses:
    """`first` is the place nearest to the sender, `further` is the way from the place behind on."""
    if not raw.missing and not raw.onward.after:
        return NOBODY
    behind = raw.behind.direction(raw.way)
    ends = {stray.pos + stray.length for stray in raw.missing}
    asked = asked_positions(raw.before, raw.way, 0) | asked_positions(raw.behind, raw.way, raw.shift)
    return Witnesses(
        drops=raw.behind.view.number in missed,
        held_further=held_further(raw, further),
        asked_for=asked,
        acked_to=behind.row.acked_pos - raw.shift if passes_over_nothing(raw.behind.flow, behind) else NEVER,
        is_sent_again=first.direction(raw.way).repeats_data and not speaks_ctcp(first.flow),
        acked_exactly=exact_acks(raw.behind, raw.way, raw.shift, ends),
        is_acked_on=acknowledges_more(behind),
    )


def speaks_ctcp(flow: Flow) -> bool:
    """Its ends send nothing again, and acknowledge the highest byte that they saw: copies are the network's."""
    return any(d.row.trailer_cisco or d.associations for d in flow.directions)


def passes_over_nothing(flow: Flow, direction: Direction) -> bool:
    """Whether the ACKs are a full TCP's: no cTCP is spoken, or a hole has held them up and none was passed over."""
    if not speaks_ctcp(flow):
        return True
    stuck = [one for one in direction.episodes if one.is_open and one.asks]
    passed_over = [one for one in direction.episodes if one.is_passed and not one.is_answered]
    return bool(stuck) and not passed_over


def held_further(raw: Raw, further: Sequence[Raw]) -> set[int]:
    """Positions, in the numbers before, of missing segments that a place further on holds all the same."""
    held: set[int] = set()
    shift = raw.shift
    for other in further:
        shift += other.shift
        index, side = other.behind.half(raw.way)
        held |= {
            stray.pos
            for stray in raw.missing
            if other.behind.view.tracker.segments_with(index, side, stray.pos + shift)
        }
    return held
