"""Links: two places of a path, and the clock of the farther one against the nearer one.

Knows which captures share a clock, and what a clock says of one connection.  Does not know how an offset is found: see
clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from ctcp_forensics.vantage.clock import ANY_OFFSET, UNBOUNDED_NS, Clock, Offset, clock_of
from ctcp_forensics.vantage.crossing import SLACK_NS, Sighting
from ctcp_forensics.vantage.envelope import GRAIN_NS
from ctcp_forensics.vantage.order import Place, is_one_box
from ctcp_forensics.vantage.pairing import Joint
from ctcp_forensics.vantage.view import FIREWALL, View


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """Two places of one path and the clock of the farther against the nearer one."""

    near: int
    far: int
    clock: Clock
    is_shared: bool
    because: str
    at_end: Offset
    """The farther clock less the nearer one, at the end of what the nearer capture shows."""


def link_of(joint: Joint, rank: dict[int, int], places: Sequence[Place]) -> Link:
    near, far = rank[joint.here.number], rank[joint.there.number]
    clock = clock_of(joint.delays)
    is_shared, because = is_shared_clock(places[near], places[far], joint, clock)
    at_end = offset_at_end(clock, joint.here, is_shared=is_shared)
    return Link(near=near, far=far, clock=clock, is_shared=is_shared, because=because, at_end=at_end)


def is_shared_clock(near: Place, far: Place, joint: Joint, clock: Clock) -> tuple[bool, str]:
    """Whether two captures share a clock: one box, and nothing that contradicts it."""
    is_box = are_called_one_box(near, far)
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
        if not link.is_shared and are_called_one_box(places[link.near], places[link.far])
    ]


def are_called_one_box(near: Place, far: Place) -> bool:
    """Two sides of the firewall, by names that nothing contradicts."""
    is_contradicted = near.is_contradicted or far.is_contradicted
    return near.vantage in FIREWALL and far.vantage in FIREWALL and not is_contradicted


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
