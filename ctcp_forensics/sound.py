"""Sound: whether what a stored report says fits together, before anything is made of it.

Knows what names what in a report, and which numbers are ports, frames and times.  Does not know whether it is true.
A report that an analysis wrote is sound; one that was edited, or made by somebody else, may be of the right types
and still name a capture that it does not have.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from ctcp_forensics.brief import lines_of
from ctcp_forensics.report import (
    DIRECTION_WORDS,
    ClockPiece,
    Crossing,
    Endpoint,
    Episode,
    Evidence,
    Finding,
    Flow,
    Path,
    Picture,
    Report,
    ReportError,
    Seen,
)

MOST_PORT: Final = 65_535
MOST_FRAME: Final = 1 << 34
"""A hundred times the frames of 100 GB; a bit for each is 2 GiB."""
MOST_NS: Final = 1 << 63
"""Nanoseconds of 64 bits end in 2262; what savefiles tell is unsigned and begins in 1970."""


def refuse_unsound(report: Report) -> None:
    """Raises ReportError with the first thing that does not fit."""
    for complaint in complaints(report):
        raise ReportError(complaint)
    for _ in lines_of(report):  # columns that do not fit together are refused where they are read
        pass


def complaints(report: Report) -> Iterator[str]:
    captures = {one.id for one in report.captures}
    flows = {one.id for one in report.flows}
    if len(captures) < len(report.captures):
        yield "two captures have one id"
    for capture in report.captures:
        yield from of_times(f"capture {capture.id}", capture.first_ns, capture.last_ns)
    for flow in report.flows:
        yield from of_flow(flow, captures)
    for finding in report.findings:
        yield from of_finding(finding, flows, captures)
    for path in report.paths:
        yield from of_path(path, flows, captures)
    for picture in report.pictures:
        yield from of_picture(picture, flows, captures)
    yield from of_names("a line of flows", captures, (brief.capture for brief in report.brief))


# --- names and numbers ------------------------------------------------------------------------------


def of_names(who: str, known: Collection[str], names: Iterable[str | None]) -> Iterator[str]:
    for name in names:
        if name is not None and name not in known:
            yield f"{who} names {name}, which the report does not have"


def of_times(who: str, *times_ns: int | None) -> Iterator[str]:
    if any(not -MOST_NS <= at_ns < MOST_NS for at_ns in times_ns if at_ns is not None):
        yield f"{who} has a time that no clock shows"


def of_frames(who: str, frames: Iterable[int | None]) -> Iterator[str]:
    if any(not 0 <= frame <= MOST_FRAME for frame in frames if frame is not None):
        yield f"{who} has a frame number that no capture has"


def of_directions(who: str, *directions: str | None) -> Iterator[str]:
    """There are two, whatever words a later version adds."""
    if any(one not in DIRECTION_WORDS for one in directions if one is not None):
        yield f"{who} goes neither to the headend nor back"


def of_endpoint(who: str, end: Endpoint) -> Iterator[str]:
    try:
        ipaddress.ip_address(end.address)
    except ValueError:
        yield f"{who} has an address that is none"
    if not 0 <= end.port <= MOST_PORT:
        yield f"{who} has port {end.port}"


# --- flows and findings -------------------------------------------------------------------------------


def of_flow(flow: Flow, captures: Collection[str]) -> Iterator[str]:
    who = f"flow {flow.id}"
    yield from of_endpoint(who, flow.client)
    yield from of_endpoint(who, flow.headend)
    yield from of_directions(who, flow.direction, *(episode.direction for episode in flow.episodes))
    yield from of_times(who, flow.first_ns, flow.last_ns, flow.ending.at_ns)
    yield from of_names(who, captures, (flow.judged_in or None, *flow.ending.frame))
    yield from of_frames(who, flow.ending.frame.values())
    if not flow.seen:
        yield f"{who} is seen in no capture"
    for seen in flow.seen:
        yield from of_sighting(who, seen, captures)
    for episode in flow.episodes:
        yield from of_episode(who, episode, captures)


def of_sighting(who: str, seen: Seen, captures: Collection[str]) -> Iterator[str]:
    yield from of_endpoint(who, seen.client)
    yield from of_endpoint(who, seen.headend)
    yield from of_names(who, captures, (seen.capture, seen.last_capture, *seen.captures))
    yield from of_frames(who, (seen.first_frame, seen.last_frame))


def of_episode(who: str, episode: Episode, captures: Collection[str]) -> Iterator[str]:
    yield from of_times(who, episode.first_ns, episode.last_ns)
    yield from of_names(who, captures, episode.wanted_seq)
    for numbers in (
        episode.first_duplicate_ack_frame,
        episode.missing_segment_frame,
        episode.answered_frame,
        episode.passed_frame,
    ):
        yield from of_names(who, captures, numbers)
        yield from of_frames(who, numbers.values())


def of_finding(finding: Finding, flows: Collection[str], captures: Collection[str]) -> Iterator[str]:
    who = f"finding {finding.id}"
    if finding.flow not in flows:
        yield f"{who} is on flow {finding.flow}, which the report does not have"
    yield from of_names(who, captures, finding.display_filters)
    for evidence in finding.evidence:
        yield from of_evidence(who, evidence, captures)


def of_evidence(who: str, evidence: Evidence, captures: Collection[str]) -> Iterator[str]:
    yield from of_names(who, captures, evidence.frames)
    for numbers in evidence.frames.values():
        yield from of_frames(who, numbers)


# --- paths and pictures ---------------------------------------------------------------------------------


def of_path(path: Path, flows: Collection[str], captures: Collection[str]) -> Iterator[str]:
    for place in path.places:
        yield from of_names("a place of a path", captures, place.captures)
        if not place.captures:
            yield "a place of a path has no capture"
    if any(not 0 <= place < len(path.places) for place in places_told_of(path)):
        yield "a path tells of a place that it does not have"
    for crossing in path.crossings:
        yield from of_crossing(crossing, flows, captures)
    for clock in path.clocks:
        for piece in clock.pieces:
            yield from of_piece(piece, captures)


def places_told_of(path: Path) -> Iterator[int]:
    """By what lies between them, counted along the path."""
    for crossing in path.crossings:
        if crossing.sent_from is not None:
            yield crossing.sent_from
        yield crossing.towards
    for firewall in path.firewalls:
        yield from (firewall.sent_from, firewall.towards)
    for clock in path.clocks:
        yield from (clock.place, clock.reference)


def of_crossing(crossing: Crossing, flows: Collection[str], captures: Collection[str]) -> Iterator[str]:
    yield from of_directions("a crossing", crossing.direction)
    yield from of_names("a crossing", flows, (crossing.flow,))
    yield from of_names("a crossing", captures, crossing.lost_in)
    yield from of_frames("a crossing", crossing.lost_frames)


def of_piece(piece: ClockPiece, captures: Collection[str]) -> Iterator[str]:
    yield from of_names("a clock", captures, (piece.from_capture, piece.to_capture))
    yield from of_frames("a clock", (piece.from_frame, piece.to_frame))
    yield from of_times("a clock", piece.at_ns, piece.from_ns, piece.to_ns)
    yield from of_times("a clock", piece.offset_low_ns, piece.offset_high_ns)


def of_picture(picture: Picture, flows: Collection[str], captures: Collection[str]) -> Iterator[str]:
    who = f"the picture of flow {picture.flow}"
    yield from of_names("a picture", flows, (picture.flow,))
    yield from of_directions(who, picture.direction)
    yield from of_times(who, picture.from_ns, picture.to_ns, picture.moment_ns)
    if not picture.places:
        yield f"{who} shows no place"
    for place in picture.places:
        yield from of_names(who, captures, place.captures)
        if not place.captures:
            yield f"{who} shows a place without a capture"
        for hole in place.holes:
            yield from of_times(who, hole.from_ns, hole.to_ns)
