"""Conclusion: which flows are told in full, and with whom they share a path.

Knows when a capture has too many of them.  Does not know what is told of each: see flow, finding and path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ctcp_forensics import report, vantage
from ctcp_forensics.cases import cases_of, view_of
from ctcp_forensics.conclude.finding import finding_of
from ctcp_forensics.conclude.flow import flow_of
from ctcp_forensics.conclude.group import groups_of, told_of

if TYPE_CHECKING:
    from ctcp_forensics.case import Case
    from ctcp_forensics.reading import Options, Reading

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
    from ctcp_forensics.conclude.sifting import told_after_sifting  # few captures have so many flows

    told, briefs = told_after_sifting(readings[0], wanted[0], options)
    return tuple(flow for flow, _ in told), tuple(finding for _, finding in told), (), tuple(briefs)


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
