"""Conclude: judged cases become flows, findings and paths of the report.

Knows which cases are one connection and the report's names.  Does not judge: see verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from ctcp_forensics import report, vantage
from ctcp_forensics.case import Case, by_ends
from ctcp_forensics.cases import Docket, cases_of, view_of
from ctcp_forensics.conclude.finding import finding_of
from ctcp_forensics.conclude.flow import flow_of
from ctcp_forensics.conclude.told import Told
from ctcp_forensics.reading import Options, Reading
from ctcp_forensics.verdict import judge, judge_together

__all__ = ["conclude"]

Seat = tuple[int, int]
"""The number of a reading, and the index of a flow in it."""

ToldAlone = tuple[report.Flow, report.Finding]

Judged = tuple[tuple[report.Flow, ...], tuple[report.Finding, ...], tuple[report.Path, ...]]


def conclude(
    readings: Sequence[Reading], wanted: Sequence[Sequence[int]], options: Options
) -> tuple[*Judged, tuple[report.Brief, ...]]:
    """The wanted flows of every reading, told in full or briefly.

    Flows of several captures are paired by all that they show, so that each of them is told in full.
    """
    most = options.max_in_full
    is_cut = any(reading.early is not None for reading in readings)
    if not is_cut and (len(readings) > 1 or most is None or len(wanted[0]) <= most):
        cases = [cases_of(one, options, some) for one, some in zip(readings, wanted, strict=True)]
        return *judged(readings, cases), ()
    return sifted_first(readings[0], wanted[0], options)


def sifted_first(
    reading: Reading, wanted: Sequence[int], options: Options
) -> tuple[*Judged, tuple[report.Brief, ...]]:
    """Most of many flows are told briefly.  The screen is loaded here: few captures have so many."""
    from ctcp_forensics.conclude.brief import briefs_of, briefs_of_early
    from ctcp_forensics.screen import sifted

    most = len(wanted) if options.max_in_full is None else options.max_in_full
    found = sifted(reading.tracker, wanted, reading.icmp_errors, reading.surroundings, most)
    docket = Docket(reading, options, found.open)
    early = reading.early
    numbers = [] if early is None else sorted(early.lines.observed)
    if options.max_in_full is not None and len(found.open) + len(numbers) > options.max_unwell_in_full:
        from ctcp_forensics.conclude.gravest import narrowed

        found, numbers = narrowed(found, docket, options.max_unwell_in_full, early)
    told = [told_by_itself(docket.case(index), reading) for index in found.in_full]
    briefs = [*briefs_of(reading, found, options.ports)]
    if early is not None:
        quoted = by_ends(reading.icmp_errors)
        told += [
            told_by_itself(early.case(number, reading.surroundings, quoted), reading) for number in numbers
        ]
        told.sort(key=by_first_frame)
        briefs += briefs_of_early(reading, early, numbers)
    return tuple(flow for flow, _ in told), tuple(finding for _, finding in told), (), tuple(briefs)


def by_first_frame(told: ToldAlone) -> int:
    return told[0].seen[0].first_frame


def told_by_itself(case: Case, reading: Reading) -> ToldAlone:
    """Of a capture that is no part of a path.  Nothing of the case is kept: the next one takes its place."""
    told = told_of([(0, case)], [reading])
    flow = flow_of(told)
    return flow, finding_of(told, flow)


def judged(readings: Sequence[Reading], cases: Sequence[list[Case]]) -> Judged:
    """Flows and findings in the order of the captures and their flows; paths, where captures share connections."""
    paths = paths_between(readings, cases)
    seats = {(number, case.flow.index): case for number, some in enumerate(cases) for case in some}
    flows, findings, flow_ids = [], [], {}
    for group in groups_of(seats, paths):  # one at a time: its reasons are not kept when it has been told
        told = told_of(group, readings)
        flow = flow_of(told)
        flows.append(flow)
        findings.append(finding_of(told, flow))
        flow_ids[id(told.case.connection)] = flow.id
        for case in told.cases:
            case.answers.clear()
    return tuple(flows), tuple(findings), tuple(told_paths(paths, readings, flow_ids))


def paths_between(readings: Sequence[Reading], cases: Sequence[list[Case]]) -> Sequence[vantage.Path]:
    if len(readings) < 2:
        return ()
    return vantage.paths_of(
        [view_of(number, *one) for number, one in enumerate(zip(readings, cases, strict=True))]
    )


def told_paths(
    paths: Sequence[vantage.Path], readings: Sequence[Reading], flow_ids: Mapping[int, str]
) -> Sequence[report.Path]:
    """What tells them is loaded where there are any."""
    if not paths:
        return ()
    from ctcp_forensics.conclude.path import path_of

    return [path_of(path, readings, flow_ids) for path in paths]


def groups_of(seats: dict[Seat, Case], paths: Sequence[vantage.Path]) -> list[list[tuple[int, Case]]]:
    """Cases of one connection together, each with the number of its reading; every other case by itself."""
    member: dict[Seat, list[tuple[int, Case]]] = {}
    for connection in (one for path in paths for one in path.connections):
        group = [
            (sighting.view.number, together(seats[seat_of(connection, number)], connection, number))
            for number, sighting in enumerate(connection.sightings)
        ]
        member |= {seat_of(connection, number): group for number in range(len(group))}
    groups = {
        id(group): group for seat, case in seats.items() for group in [member.get(seat) or [(seat[0], case)]]
    }
    return list(groups.values())


def seat_of(connection: vantage.Connection, number: int) -> Seat:
    sighting = connection.sightings[number]
    return sighting.view.number, sighting.flow.index


def together(case: Case, connection: vantage.Connection, number: int) -> Case:
    """The case with the roles that all places agree upon, and the others in sight."""
    return replace(case, flow=connection.sightings[number].flow, connection=connection, number=number)


def told_of(group: Sequence[tuple[int, Case]], readings: Sequence[Reading]) -> Told:
    cases = [case for _, case in group]
    case, judgement = judge_together(cases)
    return Told(
        case=case,
        judgement=judgement,
        cases=tuple(cases),
        alone=tuple([judge(by_itself(one)) for one in cases]) if len(cases) > 1 else (),
        readings=tuple([readings[number] for number, _ in group]),
    )


def by_itself(case: Case) -> Case:
    """The case as its own capture shows it: to what does not look beyond it a claim gives the answer that it gave."""
    alone = replace(case, connection=None, number=0)
    alone.answers.update({claim: answer for claim, answer in case.answers.items() if not claim.looks_beyond})
    return alone
