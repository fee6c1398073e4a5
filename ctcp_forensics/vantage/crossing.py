"""Crossings: what became of the segments of one direction between two neighbouring places.

Arrived, altered, lost, made in between, or only not captured.  That a capture does not hold a segment is no proof
that it did not pass: the capture's own drops are estimated first, and where it has any, absence decides nothing.
Knows two logs and their shift.  Does not know what the loss did to the flow: see claims.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from ctcp_forensics._kernel import course
from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.episodes import DUP_THRESH
from ctcp_forensics.flows import Direction, Flow
from ctcp_forensics.vantage.clock import TO_HEADEND, Offset
from ctcp_forensics.vantage.pairing import side_of
from ctcp_forensics.vantage.view import View

if TYPE_CHECKING:
    from ctcp_forensics._kernel.rows import CourseRow, StrayRow

SLACK_NS: Final = 1_000_000_000
"""What is under way so long before a capture ends may arrive behind its end (ctcp-protocol §5, D21: wait 1 s)."""
CUT_OFF: Final = 3
"""So many segments at the end of which none arrived were not lost one by one: nothing came through any more."""
Z_95: Final = 1.959964
"""The normal quantile of a two-sided interval of 95 %."""
PATTERN_LOSSES: Final = 5
BURST_CHANCE: Final = 0.01
"""Losses that stand side by side this improbably often, were they independent, came in bursts."""
SIZED_LOSSES: Final = 3


class Fate(StrEnum):
    """What became of a segment that one capture has and the next has not."""

    LOST = "lost"
    NOT_CAPTURED = "not captured"
    UNDECIDED = "undecided"


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """One connection as one place shows it."""

    place: int
    """Along the path, counted from the client."""
    view: View
    flow: Flow

    def direction(self, way: int) -> Direction:
        return self.flow.directions[way]

    def half(self, way: int) -> tuple[int, int]:
        return self.flow.index, side_of(self.flow, way)

    def floor(self, way: int) -> int:
        """The first position that this capture was there for; NEVER where it began in mid-stream or let go."""
        whole = self.direction(way).row.isn_known and not self.view.tracker.tallies().segments_unlogged
        return 1 if whole else NEVER


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """A segment that did not arrive, as the place before it shows it."""

    frame: int
    time_ns: int
    pos: int
    length: int


class Raw(msgspec.Struct, frozen=True, kw_only=True):
    """The two logs laid beside each other, both ways, before anybody asks why something is missing."""

    way: int
    before: Sighting
    """Nearer to the sender."""
    behind: Sighting
    shift: int
    onward: CourseRow
    """What became behind of what was seen before."""
    missing: tuple[StrayRow, ...]
    backward: CourseRow
    """What of that which was seen behind had been seen before."""

    @property
    def missed_before(self) -> int:
        """Segments that must have passed the capture before, and are not in it; what passed before it began is none."""
        return self.backward.missing + self.backward.after


class Crossing(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one direction's data segments between two neighbouring places."""

    way: int
    before: Sighting | None
    """None: the sender itself, whose numbers have no gaps."""
    behind: Sighting
    arrived: int
    altered: int = 0
    lost: tuple[Lost, ...] = ()
    lost_count: int = 0
    """`lost` names the first of them."""
    injected: int = 0
    not_captured_before: int = 0
    not_captured_behind: int = 0
    undecided: int = 0
    withheld: int = 0
    withheld_ns: tuple[int, int] = (NEVER, NEVER)
    """When the first and the last of these were seen before."""
    damaged: int = 0
    """Came to the place before with a wrong checksum, and not to the place behind: spoilt, and then thrown away."""
    beyond: int = 0
    largest_arrived: int | None = None

    @property
    def decided(self) -> int:
        return self.arrived + self.altered + self.lost_count

    @property
    def rate(self) -> float | None:
        return self.lost_count / self.decided if self.decided else None

    @property
    def rate_interval(self) -> tuple[float, float] | None:
        return wilson(self.lost_count, self.decided) if self.decided else None

    @property
    def pattern(self) -> str | None:
        """Whether losses stand side by side more often than chance would have it."""
        if not self.lost_count:
            return None
        if len(self.lost) < PATTERN_LOSSES:
            return "too-few"
        adjacent = sum(one.pos + one.length == two.pos for one, two in pairwise(self.lost))
        expected = len(self.lost) * (self.rate or 0.0)
        return "burst" if poisson_tail(adjacent, expected) < BURST_CHANCE else "random"

    @property
    def depends_on_size(self) -> bool | None:
        """Whether every lost segment is larger than every one that arrived."""
        if len(self.lost) < SIZED_LOSSES or self.largest_arrived is None:
            return None
        return min(one.length for one in self.lost) > self.largest_arrived


def wilson(hits: int, tries: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, JASA 1927), which stays within 0 and 1 and is right for few tries."""
    share, z2 = hits / tries, Z_95 * Z_95
    centre = (share + z2 / (2 * tries)) / (1 + z2 / tries)
    half = Z_95 / (1 + z2 / tries) * math.sqrt(share * (1 - share) / tries + z2 / (4 * tries * tries))
    return max(0.0, centre - half), min(1.0, centre + half)


def poisson_tail(at_least: int, mean: float) -> float:
    """The chance of so many or more."""
    below = sum(math.exp(-mean) * mean**k / math.factorial(k) for k in range(min(at_least, 100)))
    return max(0.0, 1.0 - below)


# --- laying two logs beside each other -----------------------------------------------------------


def lay(way: int, before: Sighting, behind: Sighting, shift: int, until: tuple[int, int]) -> Raw:
    """`until`: by its own clock, how long the capture before, and that behind, saw what the other was there for."""
    one, two = before.view.tracker, behind.view.tracker
    onward, missing = course(one, before.half(way), two, behind.half(way), shift, behind.floor(way), until[0])
    backward, _ = course(two, behind.half(way), one, before.half(way), -shift, before.floor(way), until[1])
    return Raw(
        way=way,
        before=before,
        behind=behind,
        shift=shift,
        onward=onward,
        missing=tuple(missing),
        backward=backward,
    )


def running_until(view: View, offset: Offset) -> int:
    """The time by another clock up to which this view surely held what was sent; `offset` is its own less the other."""
    return view.surroundings.last_ns - offset[1] - SLACK_NS


# --- why something is missing --------------------------------------------------------------------


class Witnesses(msgspec.Struct, frozen=True, kw_only=True):
    """What bears on whether a segment that a capture lacks was lost."""

    drops: bool
    """The capture that lacks it is known to have missed something."""
    held_further: Collection[int]
    """Positions that a place still further on holds."""
    asked_for: Collection[int]
    """Positions that the receiver asked for in vain, or again."""
    acked_to: int
    """What a receiver that passes over nothing acknowledged; NEVER where it may pass over holes."""
    is_sent_again: bool
    """The sender itself sends again: of a segment that passed more often before than behind, the earlier was lost."""
    acked_exactly: Collection[int]
    """Ends of segments that some ACK names: the receiver had it as its latest."""
    is_acked_on: bool = False
    """The capture that lacks what came last shows it acknowledged all the same."""


def fate_of(stray: StrayRow, witnesses: Witnesses) -> Fate:
    """One segment's fate, from the surest witness down."""
    end = stray.pos + stray.length
    if stray.pos in witnesses.held_further:
        return Fate.NOT_CAPTURED
    if any(stray.pos <= wanted < end for wanted in witnesses.asked_for):
        return Fate.LOST
    if end <= witnesses.acked_to or end in witnesses.acked_exactly:
        return Fate.NOT_CAPTURED
    return Fate.UNDECIDED if witnesses.drops else Fate.LOST


class Tail(NamedTuple):
    """Segments that came last, of which none arrived."""

    undecided: int = 0
    withheld: int = 0
    withheld_ns: tuple[int, int] = (NEVER, NEVER)


class Fates(NamedTuple):
    """What became of the segments that the capture behind lacks, but for those that came last."""

    lost: Sequence[StrayRow]
    not_captured: int
    undecided: int
    damaged: int


def fates_of(raw: Raw, witnesses: Witnesses) -> Fates:
    """Of all that the log names, and of those beyond it, which nobody can decide."""
    damaged = [stray for stray in raw.missing if stray.is_damaged and not stray.is_altered]
    missing = plainly_missing(raw)
    unnamed = raw.onward.missing - len(missing) - sum(not stray.was_repeated for stray in damaged)
    fates = [fate_of(stray, witnesses) for stray in missing]
    lost = [stray for stray, fate in zip(missing, fates, strict=True) if fate is Fate.LOST]
    again = sent_in_vain(raw, witnesses)
    return Fates(
        lost=lost if witnesses.drops else lost + again,
        not_captured=fates.count(Fate.NOT_CAPTURED),
        undecided=fates.count(Fate.UNDECIDED) + unnamed + (len(again) if witnesses.drops else 0),
        damaged=len(damaged),
    )


def plainly_missing(raw: Raw) -> list[StrayRow]:
    """Neither altered on the way, nor spoilt before it, nor sent once more."""
    return [
        stray for stray in raw.missing if not (stray.is_altered or stray.was_repeated or stray.is_damaged)
    ]


def settle(raw: Raw, witnesses: Witnesses) -> Crossing:
    """Count fates."""
    onward = raw.onward
    witnesses = with_hindsight(plainly_missing(raw), witnesses)
    fates, tail = fates_of(raw, witnesses), tail_of(onward, witnesses)
    return Crossing(
        way=raw.way,
        before=raw.before,
        behind=raw.behind,
        arrived=onward.same + onward.covered,
        altered=onward.altered,
        lost=named(fates.lost),
        lost_count=len(fates.lost),
        injected=raw.backward.repeated,
        not_captured_before=raw.missed_before,
        not_captured_behind=fates.not_captured,
        undecided=fates.undecided + tail.undecided,
        withheld=tail.withheld,
        withheld_ns=tail.withheld_ns,
        damaged=fates.damaged,
        beyond=onward.before + onward.beyond,
        largest_arrived=None if onward.largest_arrived == NEVER else onward.largest_arrived,
    )


def sent_in_vain(raw: Raw, witnesses: Witnesses) -> list[StrayRow]:
    """Earlier copies of what the sender itself sent again: of these bytes only a later copy came through."""
    if not witnesses.is_sent_again:
        return []
    return [stray for stray in raw.missing if stray.was_repeated and not stray.is_damaged]


def tail_of(onward: CourseRow, witnesses: Witnesses) -> Tail:
    """A few at the end may only have been missed; from `CUT_OFF` on, nobody passed anything any more."""
    if onward.after < CUT_OFF or witnesses.is_acked_on:
        return Tail(undecided=onward.after)
    return Tail(withheld=onward.after, withheld_ns=(onward.after_first_ns, onward.after_last_ns))


def named(strays: Iterable[StrayRow]) -> tuple[Lost, ...]:
    """In the order of their frames."""
    return tuple(
        Lost(frame=one.frame, time_ns=one.time_ns, pos=one.pos, length=one.length)
        for one in sorted(strays, key=lambda one: one.frame)
    )


def data_end(direction: Direction) -> int:
    """Behind the last byte of data that was seen.

    A FIN has a number of its own, and a bare segment may tell of data that this place never saw.
    """
    end = direction.row.next_pos - (direction.row.fin_frame != NEVER)
    for hole in sorted(direction.unfilled, key=lambda one: -one.row.end_pos):
        if hole.row.end_pos >= end:
            end = min(end, hole.row.start_pos)
    return end


def acknowledges_more(direction: Direction) -> bool:
    """Whether this place sees data acknowledged that it never saw: it passed, wherever that was."""
    return direction.row.acked_pos > data_end(direction) + (direction.row.fin_frame != NEVER)


def with_hindsight(missing: Iterable[StrayRow], witnesses: Witnesses) -> Witnesses:
    """A capture that lacks one segment which surely passed may lack any other."""
    if witnesses.drops or Fate.NOT_CAPTURED not in {fate_of(stray, witnesses) for stray in missing}:
        return witnesses
    return replace(witnesses, drops=True)


def asked_positions(sighting: Sighting, way: int, shift: int) -> set[int]:
    """What the receiver asked for as TCP asks, three times or more, in the numbers `shift` before this place."""
    return {
        episode.row.wanted_pos - shift
        for episode in sighting.direction(way).episodes
        if episode.asks >= DUP_THRESH and (episode.is_answered or not episode.is_passed)
    }


def exact_acks(sighting: Sighting, way: int, shift: int, ends: Collection[int]) -> set[int]:
    """Those of `ends` that an ACK of the receiver names."""
    index, side = sighting.half(1 - way)
    acks = sighting.view.tracker.acks(index, side) if ends else set()
    return {ack - shift for ack in acks} & set(ends)


def from_the_sender(way: int, first: Sighting, found_further: int, *, drops: bool) -> Crossing:
    """What was lost before the first place that could see it: gaps in numbers that the sender gives without gaps.

    `found_further` of them were seen at a later place, so that only the first one's capture missed them.
    """
    direction = first.direction(way)
    gone = max(gaps_of(direction) - found_further, 0)
    return Crossing(
        way=way,
        before=None,
        behind=first,
        arrived=direction.row.messages or direction.row.data_segments,
        lost_count=0 if drops else gone,
        undecided=gone if drops else 0,
        not_captured_behind=min(gaps_of(direction), found_further),
    )


def gaps_of(direction: Direction) -> int:
    """Segments missing in this capture: by ESP numbers, at least one for each stretch of missing bytes."""
    starts, ends = ({getattr(hole.row, at) for hole in direction.unfilled} for at in ("start_pos", "end_pos"))
    return max(direction.esp_missing, len(starts - ends)) if direction.shows_loss else 0


def is_client(way: int) -> bool:
    """Whether the client is the sender."""
    return way == TO_HEADEND


def neighbours(sightings: Sequence[Sighting], way: int) -> list[tuple[Sighting, Sighting]]:
    """Neighbouring places, the one nearer to the sender first."""
    line = list(sightings) if is_client(way) else list(reversed(sightings))
    return list(pairwise(line))
