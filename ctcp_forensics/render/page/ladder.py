"""The ladder: moments as arrows between places, time running down; coordinates for a picture, words for a table.

Knows geometry and what a moment is called.  Does not choose the moments: see moments.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Final, NamedTuple

from ctcp_forensics.render.page.lanes import Lane
from ctcp_forensics.render.page.moments import Moment, Sighting, Story, label_of
from ctcp_forensics.render.wording import SECOND_NS, both_ends, clean, duration
from ctcp_forensics.trace import CLIENT_TO_HEADEND, Mark

WIDTH: Final = 880
LEFT, RIGHT, TOP = 130, 40, 56
ROW_HEIGHT, GAP_HEIGHT, SLOPE, ABOVE = 34, 44, 9, 6
LETTER_WIDTH: Final = 9.5
"""Of the bold names above the lines, in a wide font: neighbours must not run into each other."""


class Line(NamedTuple):
    """A place, or an end of which there is no capture, as a vertical line."""

    x: float
    name: str
    is_captured: bool


class Leg(NamedTuple):
    """A piece of an arrow; `ends` is `arrow`, `plain`, `cross` (lost) or `stop` (held back, or not seen)."""

    x1: float
    y1: float
    x2: float
    y2: float
    ends: str
    is_seen: bool
    """False: behind the last place that shows it."""


class Frame(NamedTuple):
    """A frame number beside the place that shows it."""

    x: float
    y: float
    number: int
    anchor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One moment: its arrow, what stands on it, and the same in words."""

    y: float
    at: str
    role: str
    label: str
    label_x: float
    label_y: float
    legs: tuple[Leg, ...]
    frames: tuple[Frame, ...]
    made_at: tuple[float, float] | None
    """Where something between two places made the segment."""
    direction: str
    fate: str
    seen: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Everything that the picture and its table show."""

    height: float
    lines: tuple[Line, ...]
    rungs: tuple[Rung, ...]
    gap_y: float | None
    gap: str

    @property
    def width(self) -> int:
        return WIDTH


def ladder_of(story: Story, lanes: Sequence[Lane], start_ns: int) -> Ladder:
    lines = _lines([lane.trace.place for lane in lanes])
    stage = _Stage(lines=lines, lanes=lanes, start_ns=start_ns)
    turning = [stage.rung(one, y) for one, y in zip(story.turning, count(TOP, ROW_HEIGHT), strict=False)]
    bottom = TOP + ROW_HEIGHT * len(turning)
    gap_y = bottom + GAP_HEIGHT / 2 - ROW_HEIGHT / 2 if story.ending else None
    below = bottom + (GAP_HEIGHT if story.ending else 0)
    ending = [stage.rung(one, y) for one, y in zip(story.ending, count(below, ROW_HEIGHT), strict=False)]
    return Ladder(
        height=below + ROW_HEIGHT * len(ending),
        lines=lines,
        rungs=(*turning, *ending),
        gap_y=gap_y,
        gap=f"{duration(story.left_out_ns)} later" if story.ending else "",
    )


def _lines(places: list[str]) -> tuple[Line, ...]:
    """The ends of the flow stand there even where nothing was captured at them."""
    before = [] if places[:1] == ["client"] else ["client"]
    names = [*((name, False) for name in before), *((name, True) for name in places), ("headend", False)]
    step = (WIDTH - LEFT - RIGHT) / (len(names) - 1)
    at_most = int(step / LETTER_WIDTH) - 1
    return tuple(
        Line(round(LEFT + step * at, 1), both_ends(clean(name), at_most), is_captured)
        for at, (name, is_captured) in enumerate(names)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """Where the lines stand, for the rungs between them."""

    lines: tuple[Line, ...]
    lanes: Sequence[Lane]
    start_ns: int

    def rung(self, one: Moment, y: float) -> Rung:
        legs = tuple(self._legs(one, y))
        label_x = self._beside(one)
        return Rung(
            y=y,
            at=f"{(one.at_ns - self.start_ns) / SECOND_NS:.3f} s",
            role=_role(one),
            label=f"{label_of(one)}, lost" if one.is_lost else label_of(one),
            label_x=label_x,
            label_y=self._y(y, label_x, one.step) - ABOVE,
            legs=legs,
            frames=tuple(self._frame(seen, one, y) for seen in one.sightings),
            made_at=(legs[0].x1, legs[0].y1) if one.made_at is not None else None,
            direction="client to headend" if one.direction == CLIENT_TO_HEADEND else "headend to client",
            fate=self._fate(one),
            seen=tuple((self._place(seen.place), seen.frame) for seen in one.sightings),
        )

    def _legs(self, one: Moment, y: float) -> Iterator[Leg]:
        """From where it came, past every place that shows it, to where it ended."""
        seen = [self._x(sighting.place) for sighting in one.sightings]
        before, behind = self._beyond(one)
        xs = [*before, *seen, *behind]
        for at, (x1, x2) in enumerate(pairwise(xs)):
            is_last = at == len(xs) - 2
            yield Leg(
                *(x1, self._y(y, x1, one.step), x2, self._y(y, x2, one.step)),
                ends=_ends(one) if is_last else "plain",
                is_seen=x2 in seen or _is_cut(one),
            )

    def _beyond(self, one: Moment) -> tuple[list[float], list[float]]:
        """Where it came from before the first place that shows it, and where it went behind the last."""
        first, last = one.sightings[0].place, one.sightings[-1].place
        before = self._way(first, -one.step, is_short=one.made_at is not None)
        return before, self._way(last, one.step, is_short=_is_cut(one))

    def _way(self, place: int, step: int, *, is_short: bool) -> list[float]:
        at = self._at(place) + step
        if not 0 <= at < len(self.lines):
            return []
        here, there = self._x(place), self.lines[at].x
        return [round((here + there) / 2, 1) if is_short else there]

    def _beside(self, one: Moment) -> float:
        """Labels stand where the segment set out: over the way from the first place that shows it."""
        at = self._at(one.sightings[0].place)
        beside = at + one.step if 0 <= at + one.step < len(self.lines) else at - one.step
        return (self.lines[at].x + self.lines[beside].x) / 2

    def _frame(self, seen: Sighting, one: Moment, y: float) -> Frame:
        x = self._x(seen.place)
        beside, anchor = (5, "start") if one.step > 0 else (-5, "end")
        return Frame(x + beside, self._y(y, x, one.step) + 12, seen.frame, anchor)

    def _fate(self, one: Moment) -> str:
        if one.is_lost:
            return (
                f"lost before {self._place(one.absent_at)}"
                if one.absent_at is not None
                else "lost on its way"
            )
        told = ["came damaged"] if Mark.DAMAGED in one.marks else []
        if one.made_at is not None:
            told.append(f"made between {self._place(one.made_at)} and {self._place(one.sightings[0].place)}")
        if one.absent_at is not None:
            told.append(f"not seen at {self._place(one.absent_at)}")
        return ", ".join(told)

    def _place(self, number: int) -> str:
        return self.lanes[number].trace.place

    def _at(self, place: int) -> int:
        return place + (0 if self.lines[0].is_captured else 1)

    def _x(self, place: int) -> float:
        return self.lines[self._at(place)].x

    def _y(self, y: float, x: float, step: int) -> float:
        """Arrows fall a little in the way they travel."""
        share = (x - LEFT) / (WIDTH - LEFT - RIGHT)
        return round(y + SLOPE * (share if step > 0 else 1 - share), 1)


def _is_cut(one: Moment) -> bool:
    """It did not get to the place behind the last that shows it."""
    return one.is_lost or one.absent_at is not None


def _ends(one: Moment) -> str:
    if one.is_lost:
        return "cross"
    return "stop" if one.absent_at is not None else "arrow"


def _role(one: Moment) -> str:
    """The class that colours it."""
    if one.is_lost:
        return "lost"
    if Mark.RST in one.marks:
        return "reset"
    if Mark.DUPLICATE_ACK in one.marks:
        return "asked"
    if not one.length:
        return "acked"
    return "again" if Mark.AGAIN in one.marks else "sent"
