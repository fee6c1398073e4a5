"""Acquaintance: which two of many views can have a connection in common.

Knows by what pairing goes (messages, the opening, the two ends) and who has each of them, so that of a thousand
captures not half a million pairs are laid beside each other.  Does not pair flows: see pairing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import combinations
from typing import Final

from ctcp_forensics._kernel import sharing
from ctcp_forensics.flows import Flow
from ctcp_forensics.vantage.pairing import FEWEST_MESSAGES, ends, has_trailers, opening, overlap
from ctcp_forensics.vantage.view import View

FEW_VIEWS: Final = 6
"""So many views are laid beside each other without asking first whether they can have anything in common."""

Two = tuple[int, int]
"""Places of two views among all, the lower one first."""


def acquainted(views: Sequence[View]) -> Iterator[tuple[View, View]]:
    """Every two views that a connection can be paired of, and few others."""
    if len(views) <= FEW_VIEWS:
        yield from combinations(views, 2)
        return
    for here, there in sorted({*by_messages(views), *by_opening(views), *by_ends(views)}):
        yield views[here], views[there]


def by_messages(views: Sequence[View]) -> Iterator[Two]:
    """As many in common as make a pair: fewer than three do where both carry cTCP."""
    carry_ctcp = [any(map(has_trailers, view.flows.values())) for view in views]
    for here, there, messages in sharing([view.tracker for view in views]):
        if messages >= FEWEST_MESSAGES or (carry_ctcp[here] and carry_ctcp[there]):
            yield here, there


def by_opening(views: Sequence[View]) -> Iterator[Two]:
    for some in users_of(views, opening):
        yield from combinations(some, 2)


def by_ends(views: Sequence[View]) -> Iterator[Two]:
    """The same two ends are one connection at one time only."""
    for some in users_of(views, ends):
        yield from at_one_time(views, some)


def users_of(views: Sequence[View], what: Callable[[Flow], object]) -> Iterator[list[int]]:
    """For each thing that flows of several views have, those views."""
    users: dict[object, list[int]] = {}
    for at, view in enumerate(views):
        for thing in {what(flow) for flow in view.flows.values()} - {None}:
            users.setdefault(thing, []).append(at)
    return (some for some in users.values() if len(some) > 1)


def at_one_time(views: Sequence[View], some: Sequence[int]) -> Iterator[Two]:
    """In the order of their beginnings: what is over by then overlaps nothing that begins later."""
    running: list[Two] = []
    for at in sorted(some, key=lambda at: views[at].surroundings.first_ns):
        around = views[at].surroundings
        while running and running[0][0] < around.first_ns:
            heappop(running)
        for _, other in running:
            if overlap(views[at], views[other]):
                yield min(at, other), max(at, other)
        heappush(running, (around.last_ns, at))
