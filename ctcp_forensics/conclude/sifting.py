"""Sifting: a capture with so many flows that most of them are told in a line each.

Knows who is told in full: those that are not well, and of very many the gravest.  Does not know what a line says: see
brief.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ctcp_forensics import report
from ctcp_forensics.case import Case, by_ends
from ctcp_forensics.cases import Docket
from ctcp_forensics.conclude.brief import briefs_of, briefs_of_early
from ctcp_forensics.conclude.finding import finding_of
from ctcp_forensics.conclude.flow import flow_of
from ctcp_forensics.conclude.group import told_of
from ctcp_forensics.reading import Options, Reading
from ctcp_forensics.screen import Sifted, sifted

if TYPE_CHECKING:
    from ctcp_forensics.early import Early

ToldAlone = tuple[report.Flow, report.Finding]


def told_after_sifting(
    reading: Reading, wanted: Sequence[int], options: Options
) -> tuple[list[ToldAlone], list[report.Brief]]:
    """In full in the order of the capture, and briefly."""
    most = len(wanted) if options.max_in_full is None else options.max_in_full
    found = sifted(reading.tracker, wanted, reading.icmp_errors, reading.surroundings, most)
    docket = Docket(reading, options, found.in_full)
    found, numbers = chosen(found, docket, reading.early, options)
    told = [told_by_itself(docket.case(index), reading) for index in found.in_full]
    briefs = [*briefs_of(reading, found, options.ports)]
    if reading.early is not None:
        told = sorted([*told, *told_early(reading, reading.early, numbers)], key=by_first_frame)
        briefs += briefs_of_early(reading, reading.early, numbers)
    return told, briefs


def chosen(
    found: Sifted, docket: Docket, early: Early | None, options: Options
) -> tuple[Sifted, Sequence[int]]:
    """Who is told in full: all that are not well, or the gravest of them; those judged early by their numbers."""
    numbers = [] if early is None else sorted(early.lines.observed)
    if options.max_in_full is None or len(found.open) + len(numbers) <= options.max_unwell_in_full:
        return found, numbers
    from ctcp_forensics.conclude.gravest import narrowed

    return narrowed(found, docket, options.max_unwell_in_full, early)


def told_early(reading: Reading, early: Early, numbers: Sequence[int]) -> Iterator[ToldAlone]:
    quoted = by_ends(reading.icmp_errors)
    for number in numbers:
        yield told_by_itself(early.case(number, reading.surroundings, quoted), reading)


def by_first_frame(told: ToldAlone) -> int:
    return told[0].seen[0].first_frame


def told_by_itself(case: Case, reading: Reading) -> ToldAlone:
    """Of a capture that is no part of a path.  Nothing of the case is kept: the next one takes its place."""
    told = told_of([(0, case)], [reading])
    flow = flow_of(told)
    return flow, finding_of(told, flow)
