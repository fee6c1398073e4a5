"""The stages composed: sources → report.

Knows the order of the rooms.  Does not know what happens in any of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from ctcp_forensics import RULES_VERSION, __version__, report
from ctcp_forensics.company import notes_on, with_vantages
from ctcp_forensics.coverage import coverage_of
from ctcp_forensics.reading import CTCP_PORT, Intake, Options, Progress, Reading, Source, take_in

__all__ = ["CTCP_PORT", "Options", "Source", "diagnose", "reported"]

Concluded = tuple[
    tuple[report.Flow, ...], tuple[report.Finding, ...], tuple[report.Path, ...], tuple[report.Brief, ...]
]


def diagnose(
    sources: Sequence[str | Source], options: Options, progress: Progress | None = None
) -> report.Report:
    """Read every source and judge its flows; what cannot be read is in the report's coverage.

    Flows that several captures show are one connection, and are judged as one.
    """
    intake = take_in([as_source(source) for source in sources], options, progress)
    return reported(intake, options)


def reported(intake: Intake, options: Options) -> report.Report:
    """The report of what was read, now or on an earlier day."""
    flows, findings, paths, brief = concluded(intake.readings, options)
    captures = [account.capture for account in intake.accounts]
    return report.Report(
        tool=report.Tool(version=__version__, rules_version=RULES_VERSION),
        captures=with_vantages(captures, intake.readings, paths),
        flows=flows,
        findings=findings,
        coverage=coverage_of(
            intake.accounts, intake.failed, flows_judged=len(flows) + sum(one.flows for one in brief)
        ),
        paths=paths,
        notes=notes_on(intake, flows, paths),
        brief=brief,
    )


def as_source(source: str | Source) -> Source:
    return source if isinstance(source, Source) else Source(path=source)


def concluded(readings: Sequence[Reading], options: Options) -> Concluded:
    """Judge every connection.  The judgement is loaded here: most captures of an archive have nothing to judge."""
    wanted = [reading.in_question(options) for reading in readings]
    if not any(wanted) and all(reading.early is None for reading in readings):
        return (), (), (), ()
    from ctcp_forensics.conclude import conclude

    return conclude(readings, wanted, options)
