"""Pairing: which flow of one view is which of another, by the messages that both carry.

Never by addresses where messages tell: address translation, sequence randomisation and proxies change them.  Knows
matches, shifts and roles.  Does not know clocks (see clock) nor what was lost (see crossing).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from ctcp_forensics._kernel import Matching, Tracker
from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.flows import Flow, roles_rank, turned
from ctcp_forensics.vantage.clock import (
    STRETCHES,
    TO_CLIENT,
    TO_HEADEND,
    is_nearer,
    seen_from_there,
    skew_of,
)
from ctcp_forensics.vantage.view import View

if TYPE_CHECKING:
    from ctcp_forensics._kernel.rows import DelayRow, PairRow

FEWEST_MESSAGES: Final = 3
"""Eight bytes of an ordinary payload may be alike by chance; three times in one flow they are not."""
AGREEING_SHARE: Final = 0.99
"""Sequence randomisation adds one constant to each direction (ctcp-protocol §4.1)."""

Shifts = tuple[int | None, int | None]
"""Position there less position here, to the headend and to the client; None where the numbers do not keep step."""


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One connection as two views show it."""

    here: Flow
    there: Flow
    shifts: Shifts
    matches: int
    because: str

    def turned_about(self) -> Pair:
        to_headend, to_client = (None if shift is None else -shift for shift in self.shifts)
        return replace(self, here=self.there, there=self.here, shifts=(to_headend, to_client))

    @property
    def ways(self) -> list[tuple[int, int, int, int, int, int]]:
        """The two directions as the kernel takes them, where numbers keep step."""
        return [
            (self.here.index, side_of(self.here, way), self.there.index, side_of(self.there, way), shift, way)
            for way, shift in zip((TO_HEADEND, TO_CLIENT), self.shifts, strict=True)
            if shift is not None
        ]


class Joint(msgspec.Struct, frozen=True, kw_only=True):
    """Two views, the connections that both show, and the times between them."""

    here: View
    there: View
    pairs: tuple[Pair, ...]
    delays: tuple[DelayRow, ...]
    """With here as the nearer of the two; see `turned_about`."""

    @property
    def is_here_nearer(self) -> bool | None:
        """To the client, as the times tell; None where they tell nothing."""
        return is_nearer(self.delays)

    @property
    def matches(self) -> int:
        return sum(pair.matches for pair in self.pairs)

    def turned_about(self) -> Joint:
        """The same two views with here and there exchanged."""
        return Joint(
            here=self.there,
            there=self.here,
            pairs=tuple(pair.turned_about() for pair in self.pairs),
            delays=tuple(seen_from_there(row) for row in self.delays),
        )


def side_of(flow: Flow, way: int) -> int:
    """The kernel's number of a direction."""
    return flow.client_side if way == TO_HEADEND else 1 - flow.client_side


def join(here: View, there: View) -> Joint:
    """Pair the flows of two views and take the times between them."""
    matching = Matching(here.tracker, there.tracker)
    pairs = pairs_by_messages(here, there, matching.pairs())
    pairs += pairs_by_handshake(here, there, pairs)
    ways = [way for pair in pairs for way in pair.ways]
    return Joint(here=here, there=there, pairs=tuple(pairs), delays=delays_of(matching, ways))


def delays_of(
    matching: Matching, ways: Sequence[tuple[int, int, int, int, int, int]]
) -> tuple[DelayRow, ...]:
    """Taken twice where the clocks drift: once to learn the drift, once without it, so that extremes are sharp."""
    if not ways:
        return ()
    rows = tuple(matching.delays(ways, STRETCHES, 0))
    skew = skew_of(rows if is_nearer(rows) else [seen_from_there(row) for row in rows])
    drift = skew if is_nearer(rows) else -skew
    return tuple(matching.delays(ways, STRETCHES, round(drift * 1e9))) if skew else rows


# --- by messages ------------------------------------------------------------------------------


def pairs_by_messages(here: View, there: View, rows: Iterable[PairRow]) -> list[Pair]:
    """Flows that share messages; each is paired once, with the one that shares most."""
    shared: dict[tuple[int, int], list[PairRow]] = {}
    for row in rows:
        if row.here_flow in here.flows and row.there_flow in there.flows:
            shared.setdefault((row.here_flow, row.there_flow), []).append(row)
    found = [(sum(row.matches for row in some), at, some) for at, some in shared.items()]
    pairs, taken_here, taken_there = [], set(), set()
    for _, (one, other), some in sorted(found, key=lambda item: (-item[0], item[1])):
        pair = paired(here.flows[one], there.flows[other], some)
        if pair is not None and one not in taken_here and other not in taken_there:
            taken_here.add(one)
            taken_there.add(other)
            pairs.append(pair)
    return pairs


def paired(here: Flow, there: Flow, rows: Sequence[PairRow]) -> Pair | None:
    """A pair, where enough messages say so and their directions do not contradict each other."""
    most = max(rows, key=lambda row: row.matches)
    is_crossed = most.here_side != most.there_side
    agreeing = [row for row in rows if (row.here_side != row.there_side) == is_crossed]
    matches = sum(row.matches for row in agreeing)
    if matches < FEWEST_MESSAGES and not (has_trailers(here) and has_trailers(there)):
        return None
    here, there = of_one_mind(here, there, most)
    by_way = {int(row.here_side != here.client_side): row for row in agreeing}
    shifts = (shift_of(here, there, by_way, TO_HEADEND), shift_of(here, there, by_way, TO_CLIENT))
    because = f"{matches} messages are in both"
    return Pair(here=here, there=there, shifts=shifts, matches=matches, because=because)


def has_trailers(flow: Flow) -> bool:
    return any(direction.row.trailer_cisco for direction in flow.directions)


def of_one_mind(here: Flow, there: Flow, row: PairRow) -> tuple[Flow, Flow]:
    """Both with the same end as the client: the one that knows better tells the other."""
    if (row.here_side == here.client_side) == (row.there_side == there.client_side):
        return here, there
    if roles_rank(here) <= roles_rank(there):
        return here, turned(there)
    return turned(here), there


def shift_of(here: Flow, there: Flow, by_way: dict[int, PairRow], way: int) -> int | None:
    """The constant between the two numberings, checked to hold; from the ISNs where no message tells."""
    row = by_way.get(way)
    if row is not None:
        is_constant = (
            row.agreeing >= AGREEING_SHARE * row.matches or row.matches - row.agreeing <= 1 < row.agreeing
        )
        return row.shift if is_constant else None
    return 0 if here.directions[way].row.isn_known and there.directions[way].row.isn_known else None


# --- by the handshake, where there are no messages -----------------------------------------------


def pairs_by_handshake(here: View, there: View, pairs: Sequence[Pair]) -> list[Pair]:
    """Flows without a message in common: the same SYN, or the same ends once in each of two captures of one path."""
    found: list[Pair] = []
    for by, because in ((opening, "the same SYN is in both"), (ends, "the same two ends, once in each")):
        if by is ends and not (pairs or overlap(here, there)):
            continue
        known = [*pairs, *found]
        ours = unpaired(here, {pair.here.index for pair in known})
        theirs = unique(unpaired(there, {pair.there.index for pair in known}), by)
        found += [
            handshake_pair(flow, theirs[key], because)
            for key, flow in unique(ours, by).items()
            if key in theirs
        ]
    return found


def unpaired(view: View, paired_already: set[int]) -> list[Flow]:
    return [flow for index, flow in view.flows.items() if index not in paired_already]


def handshake_pair(here: Flow, there: Flow, because: str) -> Pair:
    if here.client != there.client and here.client == there.headend:
        there = turned(there)
    both_known = [
        a.row.isn_known and b.row.isn_known for a, b in zip(here.directions, there.directions, strict=True)
    ]
    shifts = (0 if both_known[0] else None, 0 if both_known[1] else None)
    return Pair(here=here, there=there, shifts=shifts, matches=0, because=because)


def unique(flows: Iterable[Flow], by: Callable[[Flow], object]) -> dict[object, Flow]:
    """Flows by what only one of them has."""
    found: dict[object, list[Flow]] = {}
    for flow in flows:
        found.setdefault(by(flow), []).append(flow)
    return {key: some[0] for key, some in found.items() if len(some) == 1 and key is not None}


def opening(flow: Flow) -> object:
    """The SYN, which address translation leaves alone but for the client's address; None where it was not seen."""
    return None if flow.row.syn_frame == NEVER else (flow.to_headend.row.anchor, flow.headend)


def ends(flow: Flow) -> object:
    return frozenset((flow.client, flow.headend))


def overlap(here: View, there: View) -> bool:
    """By their own clocks: two captures of different days that share addresses are not of one connection."""
    ours, theirs = here.surroundings, there.surroundings
    return ours.first_ns <= theirs.last_ns and theirs.first_ns <= ours.last_ns


def share_messages(trackers: Sequence[Tracker]) -> bool:
    """Whether any two show the same messages: then they are vantage points of one path, and no halves of one."""
    return any(
        row.matches >= FEWEST_MESSAGES
        for one, other in combinations(trackers, 2)
        for row in Matching(one, other).pairs()
    )
