"""Paths: views that show the same connections, in order from client to headend, read as one.

Knows views, and puts together what pairing, order, clock and crossing know.  Does not judge: see claims.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import msgspec
from msgspec.structs import replace

from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.flows import Direction, Flow, roles_rank, turned
from ctcp_forensics.vantage.acquaintance import acquainted
from ctcp_forensics.vantage.clock import (
    ANY_OFFSET,
    TO_CLIENT,
    TO_HEADEND,
    UNBOUNDED_NS,
    Clock,
    Offset,
    clock_of,
)
from ctcp_forensics.vantage.connection import Connection
from ctcp_forensics.vantage.crossing import (
    SLACK_NS,
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
from ctcp_forensics.vantage.envelope import GRAIN_NS
from ctcp_forensics.vantage.location import stations
from ctcp_forensics.vantage.nature import SUREST_FIRST, Between, between, nature_of
from ctcp_forensics.vantage.order import Place, is_one_box, ordered
from ctcp_forensics.vantage.pairing import Joint, Pair, Shifts, join
from ctcp_forensics.vantage.view import FIREWALL, View

Member = tuple[int, int]
"""The number of a view, and the index of a flow in it."""
Links = dict[int, dict[int, "Link"]]
"""By the nearer place, and by the farther one."""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """Two places of one path and the clock of the farther against the nearer one."""

    near: int
    far: int
    clock: Clock
    is_shared: bool
    because: str
    at_end: Offset
    """The farther clock less the nearer one, at the end of what the nearer capture shows."""


class Path(msgspec.Struct, frozen=True, kw_only=True):
    """Views of one path, in order from the client to the headend."""

    places: tuple[Place, ...]
    links: tuple[Link, ...]
    connections: tuple[Connection, ...]
    boxes: tuple[Between, ...]
    """What stands between neighbouring places, by the connection that shows most; numbers are those of places."""
    notes: tuple[str, ...]


def paths_of(views: Sequence[View]) -> list[Path]:
    """Views that share connections, each group as a path; views that share none are in no path."""
    joints = [join(here, there) for here, there in acquainted(views)]
    joints = [joint for joint in joints if joint.pairs]
    groups = groups_of([(joint.here.number, joint.there.number) for joint in joints])
    group_of = {number: at for at, group in enumerate(groups) for number in group}
    joints_of: list[list[Joint]] = [[] for _ in groups]
    for joint in joints:
        joints_of[group_of[joint.here.number]].append(joint)
    by_number = {view.number: view for view in views}
    return [
        path_of([by_number[number] for number in sorted(group)], some)
        for group, some in zip(groups, joints_of, strict=True)
    ]


def groups_of(edges: Iterable[tuple[int, int]]) -> list[set[int]]:
    """What hangs together, by its lowest number."""
    group_of: dict[int, set[int]] = {}
    for one, other in edges:
        groups = group_of.setdefault(one, {one}), group_of.setdefault(other, {other})
        smaller, larger = sorted(groups, key=len)
        if smaller is not larger:  # whoever changes its group comes into one twice as large: n log n
            larger |= smaller
            group_of |= dict.fromkeys(smaller, larger)
    return sorted({id(group): group for group in group_of.values()}.values(), key=min)


def path_of(views: Sequence[View], joints: Sequence[Joint]) -> Path:
    line = ordered(views, joints)
    rank = {place.view.number: number for number, place in enumerate(line.places)}
    facing = [
        joint if rank[joint.here.number] < rank[joint.there.number] else joint.turned_about()
        for joint in joints
    ]
    facing.sort(key=lambda joint: (rank[joint.here.number], rank[joint.there.number]))
    links = tuple(link_of(joint, rank, line.places) for joint in facing)
    connections = with_crossings(connections_of(line.places, facing, links))
    return Path(
        places=line.places,
        links=links,
        connections=tuple(connections),
        boxes=tuple(boxes_of(connections)),
        notes=(*line.notes, *notes_on(links, line.places)),
    )


def boxes_of(connections: Sequence[Connection]) -> Iterable[Between]:
    """The surest word on what stands between each place and the next."""
    shown: dict[int, list[tuple[Connection, int, int]]] = {}
    for connection in connections:
        for number, (near, far) in enumerate(pairwise(connection.sightings)):
            if far.place == near.place + 1:
                shown.setdefault(near.place, []).append((connection, number, number + 1))
    for place, seen in sorted(shown.items()):
        surest = min(seen, key=lambda one: SUREST_FIRST.index(nature_of(*one)))
        yield replace(between(*surest), near=place, far=place + 1)


# --- clocks -----------------------------------------------------------------------------------


def link_of(joint: Joint, rank: dict[int, int], places: Sequence[Place]) -> Link:
    near, far = rank[joint.here.number], rank[joint.there.number]
    clock = clock_of(joint.delays)
    is_shared, because = is_shared_clock(places[near], places[far], joint, clock)
    at_end = offset_at_end(clock, joint.here, is_shared=is_shared)
    return Link(near=near, far=far, clock=clock, is_shared=is_shared, because=because, at_end=at_end)


def is_shared_clock(near: Place, far: Place, joint: Joint, clock: Clock) -> tuple[bool, str]:
    """Whether two captures share a clock: one box, and nothing that contradicts it."""
    is_box = near.vantage in FIREWALL and far.vantage in FIREWALL
    if not is_box and not is_one_box(joint.here, joint.there, [joint]):
        return False, "two hosts, two clocks"
    if not all(agrees(*piece.offset_at(piece.middle_ns)) for piece in clock.pieces) or len(clock.pieces) > 1:
        return False, "both are captures of the firewall, and yet their clocks differ"
    return True, "both were taken on one box"


def agrees(low: int | None, high: int | None) -> bool:
    return (low is None or low <= GRAIN_NS) and (high is None or high >= -GRAIN_NS)


def notes_on(links: Iterable[Link], places: Sequence[Place]) -> list[str]:
    return [
        f"{places[link.near].vantage} and {places[link.far].vantage}: {link.because}"
        for link in links
        if not link.is_shared
        and places[link.near].vantage in FIREWALL
        and places[link.far].vantage in FIREWALL
    ]


def offset_at_end(clock: Clock, near: View, *, is_shared: bool) -> Offset:
    """The farther clock less the nearer one, at the end of what the nearer capture shows."""
    if not clock.pieces:
        return ANY_OFFSET
    if is_shared:
        return 0, 0
    low, high = clock.pieces[-1].offset_at(near.surroundings.last_ns)
    return (-UNBOUNDED_NS if low is None else low), (UNBOUNDED_NS if high is None else high)


def offset_of(link: Link, near: Sighting, far: Sighting) -> Offset:
    """The same for one connection; nothing is known where it shows that a clock was set back since."""
    if not link.clock.pieces:
        return ANY_OFFSET
    last = link.clock.pieces[-1]
    if was_set_back(near, last.near_frames[1]) or was_set_back(far, last.far_frames[1]):
        return ANY_OFFSET
    return link.at_end


def was_set_back(sighting: Sighting, since_frame: int) -> bool:
    """Whether the clock jumped back behind the last frame that compares it with another one."""
    return sighting.view.tracker.step_back(sighting.flow.index, SLACK_NS) >= since_frame


# --- connections ---------------------------------------------------------------------------------


def connections_of(
    places: Sequence[Place], joints: Sequence[Joint], links: Sequence[Link]
) -> list[Connection]:
    """Flows that are one connection, each place's in order; roles are those of the place that knows them best."""
    edges: dict[Member, list[tuple[Member, Pair]]] = {}
    for joint in joints:
        for pair in joint.pairs:
            one, other = (joint.here.number, pair.here.index), (joint.there.number, pair.there.index)
            edges.setdefault(one, []).append((other, pair))
            edges.setdefault(other, []).append((one, pair.turned_about()))
    by_place = {place.view.number: number for number, place in enumerate(places)}
    links_from: Links = {}
    for link in links:
        links_from.setdefault(link.near, {})[link.far] = link
    at = stations(places)
    seen: set[Member] = set()
    found = []
    for member in sorted(edges, key=lambda one: (by_place[one[0]], one[1])):
        if member not in seen:
            group = hanging_together(member, edges)
            seen |= set(group)
            found.append(connection_of(of_one_role(group, edges), places, by_place, at, links_from, edges))
    return found


def hanging_together(member: Member, edges: dict[Member, list[tuple[Member, Pair]]]) -> list[Member]:
    """Everything that is paired with it, one flow of each view: where two claim a place, the first reached stays."""
    group, waiting = {member[0]: member}, deque([member])
    while waiting:
        for other, _ in sorted(edges[waiting.popleft()], key=lambda edge: -edge[1].matches):
            if other[0] not in group:
                group[other[0]] = other
                waiting.append(other)
    return list(group.values())


def of_one_role(
    group: Sequence[Member], edges: dict[Member, list[tuple[Member, Pair]]]
) -> dict[Member, Flow]:
    """The group's flows with the same end as the client, followed from the one that knows it best."""
    flows = {member: pair.here for member in group for _, pair in edges[member]}
    best = min(group, key=lambda member: (roles_rank(flows[member]), member))
    known, waiting = {best: flows[best]}, deque([best])
    while waiting:
        member = waiting.popleft()
        for other, pair in edges[member]:
            if other in known or other not in group:
                continue
            is_alike = pair.here.client_side == known[member].client_side
            known[other] = pair.there if is_alike else turned(pair.there)
            waiting.append(other)
    return known


def connection_of(
    flows: dict[Member, Flow],
    places: Sequence[Place],
    by_place: dict[int, int],
    at: Sequence[tuple[int, int]],
    links_from: Links,
    edges: dict[Member, list[tuple[Member, Pair]]],
) -> Connection:
    members = sorted(flows, key=lambda member: by_place[member[0]])
    sightings = tuple(
        Sighting(place=by_place[member[0]], view=places[by_place[member[0]]].view, flow=flows[member])
        for member in members
    )
    return Connection(
        sightings=sightings,
        shifts=tuple(shifts_between(one, other, flows, edges) for one, other in pairwise(members)),
        offsets=offsets_between(sightings, links_from),
        stations=tuple(at[sighting.place] for sighting in sightings),
        names=tuple(places[sighting.place].vantage for sighting in sightings),
    )


def shifts_between(
    one: Member, other: Member, flows: dict[Member, Flow], edges: dict[Member, list[tuple[Member, Pair]]]
) -> Shifts:
    for there, pair in edges[one]:
        if there == other:
            is_alike = pair.here.client_side == flows[one].client_side
            return pair.shifts if is_alike else (pair.shifts[1], pair.shifts[0])
    return None, None


def offsets_between(sightings: Sequence[Sighting], links_from: Links) -> dict[tuple[int, int], Offset]:
    """Of those whose places are linked; nothing is known of any other two."""
    number_at = {sighting.place: number for number, sighting in enumerate(sightings)}
    return {
        (number, number_at[far]): offset_of(links[far], near, sightings[number_at[far]])
        for number, near in enumerate(sightings)
        for links in [links_from.get(near.place, {})]
        for far in sorted(links.keys() & number_at.keys())
    }


# --- crossings -----------------------------------------------------------------------------------


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


def missed_by(raws: Iterable[Raw]) -> set[int]:
    """Views whose capture is known to have missed something, by number."""
    declared = {
        sighting.view.number
        for raw in raws
        for sighting in (raw.before, raw.behind)
        if sighting.view.surroundings.dropped_frames or sighting.view.surroundings.is_damaged
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
