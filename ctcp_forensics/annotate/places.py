"""Places: what each capture's interfaces are called, whose clock its times are told by, and how that is said.

Knows the report's paths.  Does not read captures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ctcp_forensics.annotate.clocks import (
    AS_CAPTURED,
    Alignment,
    alignment,
    clock_between,
    way_to,
)
from ctcp_forensics.annotate.marking import UNKNOWN, runs_in
from ctcp_forensics.clocks import stretch_of
from ctcp_forensics.render.wording import around, labels, offsets, ppm
from ctcp_forensics.report import ClockPiece, Path, Report

MAX_FILES_TOLD: Final = 4
"""Names of the captures of one place that stand in a description; the section comment has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where frames were captured, as the file that is written has it."""

    name: str
    order: int
    """From the client to the headend; what is on no path stands behind."""
    alignment: Alignment
    files: str
    """The names of its captures, in a sentence."""
    clock: str
    """What was done to its times."""

    def __str__(self) -> str:
        """One without a role is called by its capture: that is said once."""
        called = self.files if self.name == self.files else f"{self.name}: {self.files}"
        return f"{called}; {self.clock}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """All of them, by capture and, where one savefile holds several, by interface."""

    by_capture: Mapping[str, Place]
    by_interface: Mapping[tuple[str, int], Place]

    def of(self, capture: str, interface: int) -> Place:
        return self.by_interface.get((capture, interface), self.by_capture[capture])

    def is_split(self, capture: str) -> bool:
        """Its interfaces are places of their own."""
        return any(capture == one for one, _ in self.by_interface)

    @property
    def told(self) -> Iterator[Place]:
        """Each once, in order."""
        whole = {place for capture, place in self.by_capture.items() if not self.is_split(capture)}
        known = whole | set(self.by_interface.values())
        yield from sorted(known, key=lambda one: (one.order, one.name, one.files))


def places_of(report: Report, reference: str, *, names: Report, aligns: bool) -> Places:
    """`reference` is the capture whose clock all times are told by; captures are called as in the report `names`."""
    called = labels({one.id: one.source for one in names.captures})
    by_capture = by_themselves(report, called)
    by_interface: dict[tuple[str, int], Place] = {}
    for path in report.paths:
        for number, place in enumerate(path.places):
            found = place_on(path, number, reference_on(path, reference), called, aligns=aligns)
            if place.interface is None:
                by_capture |= dict.fromkeys(place.captures, found)
            else:
                by_interface |= {(capture, place.interface): found for capture in place.captures}
    return Places(by_capture=by_capture, by_interface=by_interface)


def by_themselves(report: Report, called: Mapping[str, str]) -> dict[str, Place]:
    """Every capture as if it were on no path; these places stand behind all of the paths'."""
    runs = runs_in(report)
    return {
        capture.id: Place(
            name=called[capture.id] if capture.vantage == UNKNOWN else capture.vantage,
            order=order,
            alignment=AS_CAPTURED,
            files=files_of([called[one] for one in runs[capture.id]]),
            clock="times as captured",
        )
        for order, capture in enumerate(report.captures, start=len(report.captures))
    }


def files_of(names: Sequence[str]) -> str:
    """`a.pcap, b.pcap and 17 more`."""
    left = len(names) - MAX_FILES_TOLD
    return f"{', '.join(names[:MAX_FILES_TOLD])} and {left} more" if left > 0 else ", ".join(names)


def reference_on(path: Path, capture: str) -> int:
    """The place of the capture that the flow is judged in; else the first."""
    return next((number for number, one in enumerate(path.places) if capture in one.captures), 0)


def place_on(path: Path, number: int, reference: int, called: Mapping[str, str], *, aligns: bool) -> Place:
    place = path.places[number]
    found = alignment(path, number, reference) if aligns else AS_CAPTURED
    return Place(
        name=called[place.captures[0]] if place.vantage == UNKNOWN else place.vantage,
        order=number,
        alignment=found or AS_CAPTURED,
        files=files_of([called[one] for one in place.captures]),
        clock=clock_words(path, number, reference, found) if aligns else "times as captured, not aligned",
    )


# --- in words ---------------------------------------------------------------------------------------------


def clock_words(path: Path, number: int, reference: int, found: Alignment | None) -> str:
    to = path.places[reference].vantage
    if number == reference:
        return "times as captured; those of the other places are told by this clock"
    if found is None:
        return f"times as captured: nothing shows how far this clock is from that of {to}"
    ways = "; ".join(step_words(path, place, towards) for place, towards in way_to(number, reference))
    if not found.steps:
        return f"times as captured, which agree with the clock of {to}: {ways}"
    return f"times moved onto the clock of {to}: {ways}"


def step_words(path: Path, place: int, towards: int) -> str:
    nearer, farther = sorted((place, towards))
    far, near = path.places[farther].vantage, path.places[nearer].vantage
    clock = clock_between(path, place, towards)
    if clock is None or clock.is_shared:
        return f"{far} and {near} have one clock"
    return f"{far} less {near} is {' and then '.join(map(piece_words, clock.pieces))}"


def piece_words(piece: ClockPiece) -> str:
    drift = "" if piece.skew_ppm is None else f", drifting by {ppm(piece.skew_ppm)} ppm"
    return f"{offset_words(piece)}{drift}"


def offset_words(piece: ClockPiece) -> str:
    """What it was moved by, where it was."""
    low, high = piece.offset_low_ns, piece.offset_high_ns
    if low is None or high is None or stretch_of(piece).is_even:
        return offsets(low, high)
    return around(low, high)
