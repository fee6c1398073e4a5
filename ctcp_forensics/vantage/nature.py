"""Natures: what stands between two places, by what it does to what passes (ctcp-protocol §4.1, §5 D16, D17, D20, D24).

A router lowers the TTL and changes nothing else.  An ASA may renumber, strip options and hold back what lies behind
a hole.  A full proxy speaks for itself: its windows, its TTL and its cuts are its own.  Knows one connection on both
sides.  Does not know what the box is called: no packet says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.flows import SEQUENCE_SPACE, Flow
from ctcp_forensics.vantage.clock import TO_CLIENT, TO_HEADEND
from ctcp_forensics.vantage.connection import Connection
from ctcp_forensics.vantage.crossing import Sighting, data_end
from ctcp_forensics.vantage.order import by_interface

WAYS = (TO_HEADEND, TO_CLIENT)


class Nature(StrEnum):
    """What a box between two places does, as far as one connection shows."""

    FULL_PROXY = "full-proxy"
    """It ends the connection and begins another one."""
    ORDERS = "orders-the-stream"
    """It ends nothing, and yet holds back what lies behind a hole."""
    PASSES = "passes-as-it-comes"
    """Segments behind a hole come through: nothing there follows the TCP."""
    UNKNOWN = "unknown"
    """No hole came by that would tell."""


SUREST_FIRST = tuple(Nature)

SHOWN_BY = {
    Nature.ORDERS: "nothing behind a hole came through, and yet windows and TTL are the ends' own",
    Nature.PASSES: "segments behind a hole came through",
    Nature.UNKNOWN: "no segment was missing before it that would show whether it waits for one",
}
"""How it shows; of a full proxy its own marks do."""


class Between(msgspec.Struct, frozen=True, kw_only=True):
    """The nature of what stands between two sightings, and how it shows."""

    near: int
    far: int
    nature: Nature
    because: str
    steps: tuple[int | None, int | None]
    """By how much sequence numbers grow on the way, to the headend and to the client; None: they keep no step."""


def between(connection: Connection, near: int, far: int) -> Between:
    """What one connection shows of the box, or the way, between two of its sightings."""
    nature = nature_of(connection, near, far)
    shown = own_marks(*ends_of(connection, near, far)) if nature is Nature.FULL_PROXY else [SHOWN_BY[nature]]
    steps = (step_of(connection, TO_HEADEND, near, far), step_of(connection, TO_CLIENT, near, far))
    changes = (numbering(steps), *options(connection, near, far))
    because = "; ".join([*shown, *changes])
    return Between(near=near, far=far, nature=nature, because=because, steps=steps)


def nature_of(connection: Connection, near: int, far: int) -> Nature:
    if any(own_marks(*ends_of(connection, near, far))):
        return Nature.FULL_PROXY
    if holds_back(connection, near, far):
        return Nature.ORDERS
    return Nature.PASSES if lets_pass(connection, near, far) else Nature.UNKNOWN


def ends_of(connection: Connection, near: int, far: int) -> tuple[Flow, Flow]:
    return connection.sightings[near].flow, connection.sightings[far].flow


def own_marks(near: Flow, far: Flow) -> Iterator[str]:
    """What only a TCP of its own would change."""
    for here, there, way in zip(near.directions, far.directions, WAYS, strict=True):
        before, behind = (here.row, there.row) if way == TO_HEADEND else (there.row, here.row)
        if NEVER not in (before.data_ttl, behind.data_ttl) and behind.data_ttl > before.data_ttl:
            yield f"the TTL of data rises from {before.data_ttl} to {behind.data_ttl} on the way"
        if before.isn_known and behind.isn_known and before.first_window != behind.first_window:
            yield f"the first window is {before.first_window} before it and {behind.first_window} behind it"


def numbering(steps: tuple[int | None, int | None]) -> str:
    """By how much sequence numbers differ: an ASA adds one constant to each direction, or none."""
    if None in steps:
        return "sequence numbers do not keep step"
    if any(steps):
        return "sequence numbers are shifted by {} to the headend and {} to the client".format(*steps)
    return "sequence numbers are untouched"


def step_of(connection: Connection, way: int, near: int, far: int) -> int | None:
    shift = connection.position(way, 0, near, far)
    here, there = (connection.sightings[at].direction(way).row for at in (near, far))
    return None if shift is None else (there.anchor - here.anchor + shift) % SEQUENCE_SPACE


def options(connection: Connection, near: int, far: int) -> Iterator[str]:
    """What became of the options of the SYNs."""
    for way, who in ((TO_HEADEND, "client"), (TO_CLIENT, "headend")):
        here, there = (connection.sightings[at].direction(way).row for at in (near, far))
        before, behind = (here, there) if way == TO_HEADEND else (there, here)
        if not (here.isn_known and there.isn_known):
            continue
        if before.mss != behind.mss:
            yield f"the {who}'s MSS goes from {told(before.mss)} to {told(behind.mss)}"
        if (before.sack_permitted, before.window_scale) != (behind.sack_permitted, behind.window_scale):
            yield f"other options of the {who}'s SYN are changed"


def told(mss: int) -> str:
    return "none" if mss == NEVER else str(mss)


def holds_back(connection: Connection, near: int, far: int) -> bool:
    """In one direction nothing comes through any more, while somebody asks for what is missing."""
    ends = (connection.sightings[near], connection.sightings[far])
    return any(
        crossing.withheld > 0
        and crossing.before in ends
        and crossing.behind in ends
        and any(direction.fatal is not None for direction in connection.directions(crossing.way))
        for crossing in connection.crossings
    )


def lets_pass(connection: Connection, near: int, far: int) -> bool:
    """Both sides have the same hole, and data behind it."""
    for way in WAYS:
        here, there = (connection.sightings[at].direction(way) for at in (near, far))
        shift = connection.position(way, 0, near, far)
        holes = {hole.row.start_pos for hole in there.unfilled}
        if shift is not None and any(
            hole.row.start_pos + shift in holes and data_end(there) > hole.row.end_pos + shift
            for hole in here.unfilled
        ):
            return True
    return False


def signs_of_a_box(connection: Connection, near: int, far: int) -> list[str]:
    """What shows, without anybody's word, that two sightings stand on two sides of something."""
    return [
        *renumbering(connection, near, far),
        *hops(connection.sightings[near].flow, connection.sightings[far].flow),
        *translations(connection.sightings[near].flow, connection.sightings[far].flow),
        *options(connection, near, far),
        *interfaces(connection.sightings[near], connection.sightings[far]),
    ]


def renumbering(connection: Connection, near: int, far: int) -> Iterator[str]:
    """A constant that is known; numbers that keep no step may only not have been seen to."""
    if any(step_of(connection, way, near, far) for way in WAYS):
        yield "sequence numbers are shifted by a constant"


def hops(near: Flow, far: Flow) -> Iterator[str]:
    """A router lowers the TTL, and a proxy sets one of its own."""
    for here, there in zip(near.directions, far.directions, strict=True):
        one, other = here.row.data_ttl, there.row.data_ttl
        if NEVER not in (one, other) and one != other:
            yield f"the TTL of data is {one} at one and {other} at the other"
            return


def translations(near: Flow, far: Flow) -> Iterator[str]:
    if (near.client, near.headend) != (far.client, far.headend):
        yield "addresses or ports are translated"


def interfaces(near: Sighting, far: Sighting) -> Iterator[str]:
    """Savefiles that name the two sides themselves."""
    sides = [by_interface(sighting.view) for sighting in (near, far)]
    if None not in sides and sides[0] != sides[1]:
        yield f"the savefiles name their interfaces {sides[0]} and {sides[1]}"
