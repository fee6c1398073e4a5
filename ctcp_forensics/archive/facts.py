"""Facts: what the kernel answered about the flows that were judged, so that newer rules can judge them again.

Knows the rows of the kernel.  Does not judge: what is kept here is what was observed, and a claim that wants more
has to read the capture again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import msgspec
from msgspec.structs import replace

from ctcp_forensics import report
from ctcp_forensics._kernel import Tracker
from ctcp_forensics._kernel.rows import (
    NEVER,
    AssociationRow,
    DirectionRow,
    EpisodeRow,
    FlowRow,
    HoleRow,
    PulseRow,
    SegmentRow,
    Tallies,
)
from ctcp_forensics.coverage import Account
from ctcp_forensics.flows import edges_of
from ctcp_forensics.numbering import FROM_ONE_FILE
from ctcp_forensics.packets import IcmpError
from ctcp_forensics.reading import MAX_IN_FULL, Intake, Options, Part, Reading
from ctcp_forensics.surroundings import Surroundings

if TYPE_CHECKING:
    from ctcp_forensics._kernel.tracked import Logged

MAX_FLOWS_KEPT: Final = MAX_IN_FULL
"""Two to four KiB each.  A capture with more flows is sifted by the kernel first, and read again for that: it is one
of a few."""


class Half(msgspec.Struct, frozen=True, array_like=True):
    """What the kernel answers about one direction of a flow."""

    row: DirectionRow
    episodes: tuple[EpisodeRow, ...]
    holes: tuple[HoleRow, ...]
    associations: tuple[AssociationRow, ...]
    carriers: tuple[tuple[int, tuple[SegmentRow, ...]], ...]
    """By the position that an episode asks for, or where a sender may be stuck, the logged segments that carry it."""


class FlowFacts(msgspec.Struct, frozen=True, array_like=True):
    """What the kernel answers about one flow."""

    index: int
    row: FlowRow
    halves: tuple[Half, Half]
    successor: tuple[int, FlowRow] | None
    """The connection that its hosts opened next, which need not be one that is judged."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """One capture as far as its judged flows need it."""

    version: str
    tallies: Tallies
    surroundings: Surroundings
    next_number: int
    caps: tuple[report.Cap, ...]
    icmp_errors: tuple[IcmpError, ...]
    flows: tuple[FlowFacts, ...]


KEPT: Final[tuple[type[tuple[object, ...]], ...]] = (
    FlowRow,
    DirectionRow,
    EpisodeRow,
    HoleRow,
    AssociationRow,
    SegmentRow,
    PulseRow,
    Tallies,
)


SINCE_THEN: Final = frozenset({"times_bared", "place_needed_in"})
"""Names whose default is true of all facts that were kept without them, so that captures need not be read again: before
there was a bound, no evidence was let go, and no flow is kept whose place was needed."""


@cache
def facts_version() -> str:
    """Of the names of all that is kept: facts with other names are of no use, whatever else they say.

    Most sweeps have none, and OpenSSL takes longer to load than a capture to examine.
    """
    import hashlib

    names = [(kind.__name__, *cast(type[NamedTuple], kind)._fields) for kind in KEPT]
    structs = (Surroundings, IcmpError, Half, FlowFacts, Facts)
    names += [
        (kind.__name__, *(name for name in kind.__struct_fields__ if name not in SINCE_THEN))
        for kind in structs
    ]
    return hashlib.sha256(repr(names).encode()).hexdigest()[:12]


# --- kept ----------------------------------------------------------------------------------------


def facts_of(intake: Intake, options: Options) -> Facts | None:
    """None where nothing was judged, where there is more than is kept, and where one file shows several places."""
    if len(intake.readings) != 1:
        return None
    reading = intake.readings[0]
    judged = reading.in_question(options)
    if reading.early is not None or not 0 < len(judged) <= MAX_FLOWS_KEPT:
        return None
    account = reading.parts[0].account
    return Facts(
        version=facts_version(),
        tallies=reading.tracker.tallies(),
        surroundings=replace(reading.surroundings, numbering=FROM_ONE_FILE),  # whatever its name was
        next_number=account.next_number,
        caps=account.caps,
        icmp_errors=reading.icmp_errors,
        flows=flows_facts(reading.tracker, judged),
    )


def flows_facts(tracker: Tracker, some: Sequence[int]) -> tuple[FlowFacts, ...]:
    return tuple(
        FlowFacts(
            index,
            tracker.flow(index),
            (half(tracker, index, 0), half(tracker, index, 1)),
            None if successor == NEVER else (successor, tracker.flow(successor)),
        )
        for index, successor in zip(some, tracker.successors(some), strict=True)
    )


def half(tracker: Logged, index: int, side: int) -> Half:
    row, episodes = tracker.direction(index, side), tuple(tracker.episodes(index, side))
    asked = sorted({one.wanted_pos for one in episodes if one.wanted_seen} | edges_of(row))
    return Half(
        row,
        episodes,
        tuple(tracker.holes(index, side)),
        tuple(tracker.associations(index, side)),
        tuple((position, tuple(tracker.segments_with(index, side, position))) for position in asked),
    )


# --- and asked again -------------------------------------------------------------------------------


class Remembered:
    """Answers as the tracker did that the facts were taken from."""

    def __init__(self, facts: Facts) -> None:
        self._tallies = facts.tallies
        self._flows = {one.index: one for one in facts.flows}
        self._rows = dict(one.successor for one in facts.flows if one.successor is not None)
        self._rows |= {one.index: one.row for one in facts.flows}

    def tallies(self) -> Tallies:
        return self._tallies

    def suspects(self, ports: frozenset[int]) -> list[int]:
        """Those that were judged then: facts are only asked again under the same options."""
        return list(self._flows)

    def flow(self, index: int) -> FlowRow:
        return self._rows[index]

    def successors(self, some: Sequence[int]) -> list[int]:
        found = [self._flows[index].successor for index in some]
        return [NEVER if one is None else one[0] for one in found]

    def direction(self, index: int, side: int) -> DirectionRow:
        return self._flows[index].halves[side].row

    def episodes(self, index: int, side: int) -> list[EpisodeRow]:
        return list(self._flows[index].halves[side].episodes)

    def holes(self, index: int, side: int) -> list[HoleRow]:
        return list(self._flows[index].halves[side].holes)

    def associations(self, index: int, side: int) -> list[AssociationRow]:
        return list(self._flows[index].halves[side].associations)

    def segments(self, index: int) -> list[SegmentRow]:
        """The log of a capture by itself is not kept: only a comparison of captures asks for it."""
        raise LookupError("segments are not remembered")

    def segments_with(self, index: int, side: int, position: int) -> list[SegmentRow]:
        return list(dict(self._flows[index].halves[side].carriers)[position])


def remembered(facts: Facts, capture: report.Capture) -> Intake:
    """What was read on an earlier day, as if it had been read now."""
    account = Account(
        capture=capture,
        surroundings=facts.surroundings,
        next_number=facts.next_number,
        flows=facts.tallies.flows,
        caps=facts.caps,
    )
    reading = Reading(
        parts=(Part(account=account, frames_before=0),),
        tracker=cast(Tracker, Remembered(facts)),
        icmp_errors=facts.icmp_errors,
        surroundings=facts.surroundings,
    )
    return Intake(readings=(reading,), accounts=(account,), failed=())
