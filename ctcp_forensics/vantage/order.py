"""Order: which view lies nearer to the client, and what each vantage point is called.

By the times between them, which no two clocks can hide; else by how often routers have lowered the TTL; else as the
user said.  Knows the roles that the user gave and what contradicts them.  Does not know what was lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.flows import SEQUENCE_SPACE
from ctcp_forensics.vantage.clock import SKEW_MATCHES, Piece, clock_of
from ctcp_forensics.vantage.envelope import GRAIN_NS
from ctcp_forensics.vantage.pairing import Joint, Pair
from ctcp_forensics.vantage.view import ASA, CLIENT, FIREWALL, INSIDE, OUTSIDE, View

ONE_BOX_NS: Final = 3_000_000
"""Two views whose clocks agree and whose round trip is shorter than this are taken for one box's two sides."""
FAR_APART_NS: Final = 10_000_000
"""No box takes that long for the quickest of many segments, there and back: two captures so far apart are of two places
of a network, whatever they are called."""
RANKS: Final = {CLIENT: 0, OUTSIDE: 1, ASA: 1, INSIDE: 2}
"""The order of roles where nothing but the user's word tells: the client outside, the headend inside."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One vantage point on a path, in order from the client."""

    view: View
    vantage: str
    is_told: bool
    is_sure: bool
    because: str
    is_contradicted: bool = False
    """The roles of this path contradict the captures: which of them is wrong nobody knows."""


class Ordered(msgspec.Struct, frozen=True, kw_only=True):
    """The places of one path and what is odd about the roles that the user gave."""

    places: tuple[Place, ...]
    notes: tuple[str, ...]


def ordered(views: Sequence[View], joints: Sequence[Joint]) -> Ordered:
    """Put the views of one path in order, and name them."""
    steps = {(joint.here.number, joint.there.number): step_between(joint) for joint in joints}
    before = balances(views, steps)
    line = sorted(views, key=lambda view: (before[view.number], told_rank(view), view.number))
    reasons = reasons_of(line, steps)
    roles = inferred(line, joints)
    names, notes = put_right(roles)
    apart = far_apart(line, names, joints)
    is_contradicted = names != roles or bool(apart)
    places = [place_of(*one, is_contradicted) for one in zip(line, names, reasons, strict=True)]
    return Ordered(places=tuple(places), notes=(*notes, *apart))


def place_of(view: View, name: str, reason: str, is_contradicted: bool) -> Place:
    return Place(
        view=view,
        vantage=name,
        is_told=view.told is not None,
        is_sure=bool(reason),
        because=reason or "nothing in the captures tells which of them is nearer to the client",
        is_contradicted=is_contradicted,
    )


# --- which is nearer ---------------------------------------------------------------------------

Step = tuple[int, str]
"""1: the first of two is nearer to the client, -1: the second, 0: nothing tells; and how we know."""
NOT_KNOWN: Final[Step] = (0, "")


def step_between(joint: Joint) -> Step:
    nearer = joint.is_here_nearer
    if nearer is not None:
        return (1 if nearer else -1), "the times of what passed both"
    hops = hops_between(joint)
    if hops:
        return (1 if hops > 0 else -1), "the TTL falls from one to the other"
    return NOT_KNOWN


def hops_between(joint: Joint) -> int:
    """Routers from here to there, by both directions; negative: here lies behind."""
    balance = 0
    for pair in joint.pairs:
        balance += fall(pair.here.to_headend.row.data_ttl, pair.there.to_headend.row.data_ttl)
        balance -= fall(pair.here.to_client.row.data_ttl, pair.there.to_client.row.data_ttl)
    return balance


def fall(here: int, there: int) -> int:
    """How many hops the TTL fell; nothing where one is not known."""
    return 0 if NEVER in (here, there) else here - there


def balances(views: Sequence[View], steps: dict[tuple[int, int], Step]) -> dict[int, int]:
    """How many views are nearer to the client than each one, less those that are farther.

    Where the captures do not tell of a pair, by the user's word for that pair, and not by what is known of other pairs
    alone: of two sides of a firewall one may be known to lie behind the client, and the other, which shows little,
    would pass for the nearer one.
    """
    rank_of = {view.number: told_rank(view) for view in views}
    ranks = Counter(rank_of.values())
    found = {
        number: sum(compared(other, rank) * count for other, count in ranks.items())
        for number, rank in rank_of.items()
    }
    for (one, other), (sign, _) in steps.items():
        if sign:
            word = compared(rank_of[one], rank_of[other])
            found[one] -= sign - word
            found[other] += sign - word
    return found


def compared(one: int, other: int) -> int:
    """1: the first rank is nearer to the client, -1: the other."""
    return (one < other) - (one > other)


def told_rank(view: View) -> int:
    return RANKS.get(view.told or "", 1)


def reasons_of(line: Sequence[View], steps: dict[tuple[int, int], Step]) -> list[str]:
    """How the place of each among the others is known; empty where one step to a neighbour is not."""
    steps_of: dict[int, list[Step]] = {view.number: [] for view in line}
    for two, step in steps.items():
        for number in two:
            steps_of[number].append(step)
    return [reason_of(steps_of[view.number]) for view in line]


def reason_of(steps: Sequence[Step]) -> str:
    if not all(sign for sign, _ in steps):
        return ""
    return "; ".join(dict.fromkeys(how for _, how in steps))


# --- what each is called ------------------------------------------------------------------------


def put_right(roles: Sequence[str]) -> tuple[list[str], list[str]]:
    """The user's words, put right where the client is said to stand behind the firewall that it talks through."""
    if CLIENT in roles[1:] and roles[0] in FIREWALL:
        others = [role for role in roles if role != CLIENT]
        note = (
            f"the labels contradict the captures: what is called {roles[0]} lies nearer to the client than what is "
            f"called {CLIENT}; they are read as exchanged, and where on the way anything happened is left open"
        )
        return [CLIENT, *others], [note]
    if OUTSIDE in roles and INSIDE in roles and roles.index(INSIDE) < roles.index(OUTSIDE):
        note = (
            "asa-inside lies nearer to the client than asa-outside: the client is on the inside of this firewall, "
            "or the two labels are exchanged"
        )
        return list(roles), [note]
    return list(roles), []


def far_apart(line: Sequence[View], names: Sequence[str], joints: Sequence[Joint]) -> list[str]:
    """What are called two sides of one firewall, and have a network between them."""
    name_of = {view.number: name for view, name in zip(line, names, strict=True)}
    return [
        f"{name_of[joint.here.number]} and {name_of[joint.there.number]}: what passes both takes "
        f"{trip_ns / 1e6:.0f} ms or more there and back, so they are not two sides of one box; where on the way "
        "anything happened is left open"
        for joint in joints
        if name_of[joint.here.number] in FIREWALL and name_of[joint.there.number] in FIREWALL
        if all(map(is_untouched, joint.pairs))
        if (trip_ns := round_trip_ns(joint)) is not None and trip_ns >= FAR_APART_NS
    ]


def is_untouched(pair: Pair) -> bool:
    """Whether ends and numbers are the same in both: whoever changes them is a box, and a proxy may take its time."""
    if (pair.here.client, pair.here.headend) != (pair.there.client, pair.there.headend):
        return False
    return all(
        shift is not None and (there.row.anchor - here.row.anchor + shift) % SEQUENCE_SPACE == 0
        for here, there, shift in zip(pair.here.directions, pair.there.directions, pair.shifts, strict=True)
    )


def round_trip_ns(joint: Joint) -> int | None:
    """The quickest way there and back between two views, in which their clocks cancel out; None by a few segments."""
    rows = joint.delays if joint.is_here_nearer is not False else joint.turned_about().delays
    trips = [trip for piece in clock_of(rows).pieces if (trip := trip_of(piece)) is not None]
    return min(trips, default=None)


def trip_of(piece: Piece) -> int | None:
    low, high = piece.offset_at(piece.middle_ns)
    return None if low is None or high is None or piece.matches < SKEW_MATCHES else high - low


def inferred(line: Sequence[View], joints: Sequence[Joint]) -> list[str]:
    """Words for views that the user gave no role: the client first, the firewall's sides behind it."""
    free = [view.told is None for view in line]
    names = [view.told or by_interface(view) or "" for view in line]
    if free[0] and not names[0] and (len(line) > 2 or not is_one_box(line[0], line[1], joints)):
        names[0] = CLIENT
    blanks = [at for at, name in enumerate(names) if not name]
    sides = [side for side in (OUTSIDE, INSIDE) if side not in names]
    is_certain_of_sides = len(blanks) == len(sides)
    for at in blanks:
        names[at] = sides.pop(0) if is_certain_of_sides else ASA
    return names


def by_interface(view: View) -> str | None:
    """What a savefile calls its interface: ASA's are named inside and outside by custom."""
    for side, word in ((OUTSIDE, "outside"), (INSIDE, "inside"), (CLIENT, "client")):
        if any(word in name.lower() for name in view.interfaces):
            return side
    return None


def is_one_box(near: View, far: View, joints: Sequence[Joint]) -> bool:
    """Whether two views were taken on one host: clocks that agree, and next to no time between them."""
    for joint in joints:
        if {joint.here.number, joint.there.number} == {near.number, far.number}:
            rows = joint.delays if joint.here.number == near.number else joint.turned_about().delays
            return bool(rows) and all(map(is_at_once, clock_of(rows).pieces))
    return False


def is_at_once(piece: Piece) -> bool:
    """Both ways there is a segment that took next to no time by two clocks that agree."""
    if not piece.uppers or not piece.lowers:
        return False
    ceiling, floor = min(value for _, value in piece.uppers), max(value for _, value in piece.lowers)
    return floor <= GRAIN_NS and ceiling >= -GRAIN_NS and ceiling - floor < ONE_BOX_NS
