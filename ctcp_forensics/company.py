"""Company: what captures that were named together have to do with one another.

Knows which of them share connections, and says of each other one why it stands alone.  Does not pair flows: see
vantage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, pairwise, starmap
from typing import Final

import msgspec

from ctcp_forensics import report
from ctcp_forensics.reading import Intake, Reading

FEW: Final = 8
"""More captures than these, without a role, are an archive: nobody expects them to be of one path."""
APART: Final = "the captures share no connection: each is judged alone"
BEHIND: Final = "asa-inside"
DECRYPTED: Final = (
    "; where this firewall is itself the headend, the tunnel ends in it and never shows behind it: then the duplicate "
    "ACKs were made by the headend or before it, and tcp-state-bypass on it does nothing"
)
NO_MOMENT: Final = "; by their clocks they share no moment either"
NEXT_FILE_NS: Final = 60_000_000_000
"""A rotated file begins with the first frame after the last one of the file before: on a tunnel with nothing to carry
that is the next keep-alive."""


def with_vantages(
    captures: Sequence[report.Capture], readings: Sequence[Reading], paths: Sequence[report.Path]
) -> tuple[report.Capture, ...]:
    """Each with the vantage point that the user told, or that its path shows; several interfaces may have several."""
    known = {name: one.vantage for one in readings if one.vantage for name in one.captures}
    for place in (one for path in paths for one in path.places if one.interface is None):
        known |= dict.fromkeys(place.captures, place.vantage)
    return tuple(
        msgspec.structs.replace(one, vantage=known[one.id]) if one.id in known else one for one in captures
    )


def notes_on(intake: Intake, flows: Sequence[report.Flow], paths: Sequence[report.Path]) -> tuple[str, ...]:
    """Sentences on what was named twice and on what shares nothing; nothing where all are of one path."""
    captures = {account.capture.id: account.capture for account in intake.accounts}
    pieces = () if paths else notes_on_pieces(intake.readings, captures, flows)
    return (
        *notes_on_twins(intake, captures),
        *notes_on_rotated(intake.readings, captures),
        *(pieces or notes_on_strangers(intake, captures, flows, paths)),
    )


def notes_on_twins(intake: Intake, captures: dict[str, report.Capture]) -> Iterator[str]:
    for name, twin in intake.twins.items():
        yield f"{called(captures[name])} is the same capture as {called(captures[twin])}: it adds nothing"


def notes_on_rotated(readings: Sequence[Reading], captures: dict[str, report.Capture]) -> Iterator[str]:
    """Sentences count the frames of all files of one capture together, lists of frames do not."""
    for reading in readings:
        for part in reading.parts[1:]:
            yield (
                f"{called(captures[part.account.capture.id])} goes on where the file before it ends: sentences "
                f"count its frames from {part.frames_before + 1}, lists of frames from 1"
            )


def notes_on_pieces(
    readings: Sequence[Reading], captures: dict[str, report.Capture], flows: Sequence[report.Flow]
) -> tuple[str, ...]:
    """One sentence where files of a rotated capture seem to be given one by one."""
    reading_of = {name: place for place, one in enumerate(readings) for name in one.captures}
    for names in captures_by_ends(flows):
        in_turn = sorted((captures[name] for name in names), key=lambda one: (one.first_ns or 0, one.id))
        for one, other in pairwise(in_turn):
            if reading_of[one.id] != reading_of[other.id] and begins_behind(one, other):
                return (
                    f"{called(other)} begins where {called(one)} ends, and the same two ends talk in both: the files "
                    "of a capture that was rotated are given with the same option, such as --client FILE --client FILE",
                )
    return ()


def captures_by_ends(flows: Sequence[report.Flow]) -> Iterable[set[str]]:
    """The captures in which the same two ends talk, whichever of them was taken for the client."""
    found: dict[frozenset[report.Endpoint], set[str]] = {}
    for flow in flows:
        found.setdefault(frozenset((flow.client, flow.headend)), set()).update(
            one.capture for one in flow.seen
        )
    return found.values()


def begins_behind(one: report.Capture, other: report.Capture) -> bool:
    """As the next file of a rotated capture does."""
    if one.last_ns is None or other.first_ns is None:
        return False
    return 0 <= other.first_ns - one.last_ns <= NEXT_FILE_NS


def notes_on_strangers(
    intake: Intake,
    captures: dict[str, report.Capture],
    flows: Sequence[report.Flow],
    paths: Sequence[report.Path],
) -> Iterator[str]:
    """One sentence where nothing is shared at all; else one for each capture that stands alone."""
    readings, others = intake.readings, len(captures) + len(intake.failed) - len(intake.twins)
    if others < 2 or not is_meant_as_one(readings, others):
        return
    busy = {seen.capture for flow in flows for seen in flow.seen}
    working = [captures[one.captures[0]] for one in readings if busy & set(one.captures)]
    if not paths and len(working) > 1:
        yield APART + ("" if any(starmap(overlap, combinations(working, 2))) else NO_MOMENT)
    if not (paths or any(reading.vantage for reading in readings)):
        return  # nobody said that they belong together, and they do not
    together = {name for path in paths for place in path.places for name in place.captures}
    for reading in readings:
        if not together & set(reading.captures):
            reason = why_alone(reading, captures, busy, others=[captures[name] for name in sorted(together)])
            if reason:
                yield f"{called(captures[reading.captures[0]])} {reason}"


def is_meant_as_one(readings: Sequence[Reading], named: int) -> bool:
    return named <= FEW or any(reading.vantage for reading in readings)


def why_alone(
    reading: Reading,
    captures: dict[str, report.Capture],
    busy: set[str],
    *,
    others: Sequence[report.Capture],
) -> str:
    """Why a capture is no part of a path; nothing where the sentence on all of them has said it."""
    mine = [captures[name] for name in reading.captures]
    if not any(one.frames for one in mine):
        return "holds no frame: there is nothing to compare"
    if not busy & set(reading.captures):
        nothing = "holds no flow to judge: there is nothing to compare"
        return nothing + (DECRYPTED if reading.vantage == BEHIND else "")
    if not others:
        return ""
    if not any(overlap(one, other) for one in mine for other in others):
        return (
            "shares no connection with the others, and by its clock no moment either: it was taken at another "
            "time, or its clock was wrong and it was taken elsewhere; it is judged alone"
        )
    return "shares no connection with the others: it is judged alone"


def overlap(one: report.Capture, other: report.Capture) -> bool:
    times = (one.first_ns, one.last_ns, other.first_ns, other.last_ns)
    if None in times:
        return True
    return bool(one.first_ns <= other.last_ns and other.first_ns <= one.last_ns)  # type: ignore[operator]


def called(capture: report.Capture) -> str:
    return f"{capture.source} ({capture.id})"
