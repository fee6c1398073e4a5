"""Paths in words: places in order, clocks as intervals, what became of the segments between two places.

Knows the report's words for where and by whom.  Does not know how the lines are laid out: see table and markdown.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from ctcp_forensics.render.wording import Names, clean, count, offsets, ppm, pseudonyms_told, share
from ctcp_forensics.report import (
    DIRECTION_WORDS,
    FLAGSHIP,
    Clock,
    ClockPiece,
    Crossing,
    Flow,
    Path,
    Place,
    Report,
)

ARROW = " → "
WHERE = {
    "client-asa": "between client and firewall",
    "asa": "in the firewall",
    "asa-headend": "between firewall and headend",
    "client-asa-or-asa": "between client and firewall, or in the firewall",
    "asa-or-asa-headend": "in the firewall, or between it and the headend",
    "client-headend": "somewhere between client and headend",
}
BY = {"client": "by the client", "headend": "by the headend"}
NATURES = {
    "full-proxy": "a full proxy",
    "orders-the-stream": "a box that orders the stream",
    "passes-as-it-comes": "passes segments as they come",
    "unknown": "nothing tells what stands there",
}
ALWAYS_TOLD = ("arrived", "lost")
# What a crossing counts beside what arrived and what was lost, as it is said; told where it is not zero.
REST = {
    "altered": "altered",
    "injected": "injected",
    "withheld": "withheld",
    "damaged": "came damaged",
    "undecided": "undecided",
    "not_captured_before": "not captured before",
    "not_captured_behind": "not captured behind",
    "beyond": "beyond",
}


class Row(NamedTuple):
    """One measure of one direction on every link of a path."""

    says: str
    cells: tuple[str, ...]


class Matrix(NamedTuple):
    """What became of one direction of a flow: links in the order in which its segments travel."""

    direction: str
    links: tuple[str, ...]
    rows: tuple[Row, ...]


# --- the path -----------------------------------------------------------------------------------


def remarks(report: Report) -> Iterator[str]:
    """What is odd about captures that were named together."""
    yield from pseudonyms_told(report)
    yield from report.notes
    for path in report.paths:
        yield from path.notes


def line_of(path: Path) -> str:
    """The places in order from the client to the headend, and how we know."""
    places = ARROW.join(place_name(place) for place in path.places)
    ways = dict.fromkeys(place.because for place in path.places if place.because)
    return f"{places}, by {'; '.join(ways)}" if is_sure(path) else f"{places}; {'; '.join(ways)}"


def is_sure(path: Path) -> bool:
    return all(place.is_sure for place in path.places)


def place_name(place: Place) -> str:
    """`client (c1)`; rotated files and interfaces are named, and what the user did not say."""
    inside = [", ".join(place.captures)]
    if place.interface is not None:
        inside.append(f"interface {place.interface}")
    if not place.is_told:
        inside.append("inferred")
    return f"{place.vantage} ({', '.join(inside)})"


def boxes_of(path: Path) -> Iterator[str]:
    """What stands between neighbouring places, by what it does to what passes."""
    for box in path.firewalls:
        near, far = vantage_of(path.places, box.sent_from), vantage_of(path.places, box.towards)
        yield f"{near}{ARROW}{far}: {NATURES.get(box.nature, box.nature)}: {box.because}"


def clocks_of(path: Path) -> Iterator[str]:
    """How far the clocks are apart: intervals that causality allows, and never a point."""
    for clock in path.clocks:
        yield from _clock(clock, path.places)


def _clock(clock: Clock, places: tuple[Place, ...]) -> Iterator[str]:
    far, near = vantage_of(places, clock.place), vantage_of(places, clock.reference)
    if clock.is_shared:
        yield f"{near} and {far} share one: {clock.because}"
        return
    if not clock.pieces:
        yield f"{far} against {near}: nothing passed both, so nothing tells"
    for piece in clock.pieces:
        yield f"{far} less {near}: {_piece(piece)}"
    for before, behind in pairwise(clock.pieces):
        yield f"one of the two was set between frames {before.to_frame} and {behind.from_frame} of {far}"


def _piece(piece: ClockPiece) -> str:
    known = (
        f"{offsets(piece.offset_low_ns, piece.offset_high_ns)}, by {count(piece.matches, 'match', 'matches')}"
    )
    if piece.skew_low_ppm is None:
        return f"{known}; no skew: {_why_no_skew(piece)}"
    between = f"{ppm(piece.skew_low_ppm)} to {ppm(piece.skew_high_ppm)}"
    if piece.skew_ppm is None:
        return f"{known}; skew {between} ppm"
    return f"{known}; skew {ppm(piece.skew_ppm)} ppm ({between})"


def _why_no_skew(piece: ClockPiece) -> str:
    # Few reports tell of a path, and its rooms are many.
    from ctcp_forensics.vantage.clock import SKEW_MATCHES

    if piece.matches < SKEW_MATCHES:
        return f"fewer than {SKEW_MATCHES} matches"
    return "they span less than a minute"


# --- one flow on it -------------------------------------------------------------------------------


def whereabouts(flow: Flow) -> str:
    """Where the loss was, and who made the duplicate ACKs and the RST; empty where one capture saw the flow."""
    if len(flow.seen) < 2:
        return ""
    parts = [lost_where(flow), made_by("duplicate ACKs", flow.ack_author), made_by("RST", flow.rst_author)]
    if flow.verdict == FLAGSHIP and flow.ack_author is None:
        parts[1] = "who made the duplicate ACKs is not shown"
    return "; ".join(part for part in parts if part)


def lost_where(flow: Flow) -> str:
    if flow.loss_location is None:
        return ""
    if flow.loss_location == "capture":
        return "nothing was lost on the way, only not captured"
    return f"lost {WHERE.get(flow.loss_location, flow.loss_location)} ({flow.loss_location})"


def made_by(what: str, author: str | None) -> str:
    if author is None:
        return ""
    if author in BY:
        return f"{what} made {BY[author]}"
    return f"{what} made {WHERE.get(author, author)} ({author})"


def alone(flow: Flow, names: Names) -> Iterator[str]:
    """What each capture by itself would have been called."""
    for seen in flow.seen:
        if seen.verdict_alone is not None:
            yield f"{names.of(seen.capture)}: {seen.verdict_alone}, {seen.confidence_alone}"


def crossings_of(report: Report, flow: Flow) -> list[tuple[Path, list[Crossing]]]:
    """The flow's crossings on each path that it is on."""
    found = [(path, [one for one in path.crossings if one.flow == flow.id]) for path in report.paths]
    return [(path, some) for path, some in found if some]


def matrices(path: Path, crossings: list[Crossing]) -> list[Matrix]:
    """Direction by direction, link by link."""
    known = [(word, [one for one in crossings if one.direction == word]) for word in DIRECTION_WORDS]
    return [_matrix(word, some, path.places) for word, some in known if some]


def _matrix(direction: str, some: list[Crossing], places: tuple[Place, ...]) -> Matrix:
    rows = [
        Row("arrived", tuple(str(one.arrived) for one in some)),
        Row("lost", tuple(str(one.lost) for one in some)),
        Row("loss rate", tuple("" if not one.lost else share(one.loss_rate) for one in some)),
        Row("95 % interval", tuple(_interval(one) for one in some)),
        Row("pattern", tuple(_pattern(one) for one in some)),
        *(Row(says, tuple(str(getattr(one, name)) for one in some)) for name, says in REST.items()),
    ]
    links = tuple(link_name(one, places) for one in some)
    told = tuple(row for row in rows if row.says in ALWAYS_TOLD or set(row.cells) - {"", "0"})
    return Matrix(direction, links, told)


def link_name(crossing: Crossing, places: tuple[Place, ...]) -> str:
    """`client → asa-outside`; a sender of which there is no capture is called by its end."""
    sender = "client" if crossing.direction == DIRECTION_WORDS[0] else "headend"
    before = f"[{sender}]" if crossing.sent_from is None else vantage_of(places, crossing.sent_from)
    return clean(f"{before}{ARROW}{vantage_of(places, crossing.towards)}")


def vantage_of(places: tuple[Place, ...], number: int) -> str:
    """A report may come from anywhere: a number that is none of its places is shown as it is."""
    return places[number].vantage if 0 <= number < len(places) else f"place {number}"


def _interval(crossing: Crossing) -> str:
    low, high = crossing.loss_rate_low, crossing.loss_rate_high
    return "" if low is None or high is None else f"{share(low)} to {share(high)}"


def _pattern(crossing: Crossing) -> str:
    return "too few to tell" if crossing.pattern == "too-few" else crossing.pattern or ""


def details(path: Path, crossings: list[Crossing], names: Names) -> Iterator[str]:
    """What does not fit a cell: which frames were lost, and whether size mattered."""
    for one in crossings:
        link = link_name(one, path.places)
        if one.lost_frames and one.sent_from is not None and 0 <= one.sent_from < len(path.places):
            holder = path.places[one.sent_from].captures
            told = ", ".join(map(str, one.lost_frames))
            more = f" and {one.lost - len(one.lost_frames)} more" if one.lost > len(one.lost_frames) else ""
            frames = "frame" if one.lost == 1 else "frames"
            yield f"lost {link}: {frames} {told}{more} of {', '.join(names.of(c) for c in holder)}"
        if one.depends_on_size is not None:
            yield f"{link}: {_size(one)}"


def _size(crossing: Crossing) -> str:
    if not crossing.depends_on_size:
        return "loss does not depend on the size"
    return (
        f"only large segments were lost: the smallest of {crossing.smallest_lost_len} bytes, the largest that "
        f"arrived of {crossing.largest_arrived_len}"
    )
