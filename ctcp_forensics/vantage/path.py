"""Paths: views that show the same connections, in order from client to headend, read as one.

Knows views and which flows of them are one connection; puts together what pairing, order, links and settling know.
Does not judge: see claims.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec
from msgspec.structs import replace

from ctcp_forensics.flows import Flow, roles_rank, turned
from ctcp_forensics.vantage.acquaintance import acquainted
from ctcp_forensics.vantage.clock import Offset
from ctcp_forensics.vantage.connection import Connection
from ctcp_forensics.vantage.crossing import Sighting
from ctcp_forensics.vantage.link import Link, link_of, notes_on, offset_of
from ctcp_forensics.vantage.location import stations
from ctcp_forensics.vantage.nature import SUREST_FIRST, Between, between, nature_of
from ctcp_forensics.vantage.order import Place, ordered
from ctcp_forensics.vantage.pairing import Joint, Pair, Shifts, join
from ctcp_forensics.vantage.settling import with_crossings
from ctcp_forensics.vantage.view import View

Member = tuple[int, int]
"""The number of a view, and the index of a flow in it."""
Edges = dict[Member, list[tuple[Member, Pair]]]
"""With whom each flow is paired."""
Links = dict[int, dict[int, Link]]
"""By the nearer place, and by the farther one."""


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


# --- connections ---------------------------------------------------------------------------------


def connections_of(
    places: Sequence[Place], joints: Sequence[Joint], links: Sequence[Link]
) -> list[Connection]:
    """Flows that are one connection, each place's in order; roles are those of the place that knows them best."""
    edges, links_from, at = edges_of(joints), links_by_end(links), stations(places)
    by_place = {place.view.number: number for number, place in enumerate(places)}
    seen: set[Member] = set()
    found = []
    for member in sorted(edges, key=lambda one: (by_place[one[0]], one[1])):
        if member not in seen:
            group = hanging_together(member, edges)
            seen |= set(group)
            found.append(connection_of(of_one_role(group, edges), places, by_place, at, links_from, edges))
    return found


def edges_of(joints: Sequence[Joint]) -> Edges:
    """Pairs, from either of their flows."""
    edges: Edges = {}
    for joint in joints:
        for pair in joint.pairs:
            one, other = (joint.here.number, pair.here.index), (joint.there.number, pair.there.index)
            edges.setdefault(one, []).append((other, pair))
            edges.setdefault(other, []).append((one, pair.turned_about()))
    return edges


def links_by_end(links: Sequence[Link]) -> Links:
    found: Links = {}
    for link in links:
        found.setdefault(link.near, {})[link.far] = link
    return found


def hanging_together(member: Member, edges: Edges) -> list[Member]:
    """Everything that is paired with it, one flow of each view: where two claim a place, the first reached stays."""
    group, waiting = {member[0]: member}, deque([member])
    while waiting:
        for other, _ in sorted(edges[waiting.popleft()], key=lambda edge: -edge[1].matches):
            if other[0] not in group:
                group[other[0]] = other
                waiting.append(other)
    return list(group.values())


def of_one_role(group: Sequence[Member], edges: Edges) -> dict[Member, Flow]:
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
    edges: Edges,
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


def shifts_between(one: Member, other: Member, flows: dict[Member, Flow], edges: Edges) -> Shifts:
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
