"""Outcomes: what one site before and after a change says of the change.

Knows what would show that it helped, and that nothing lost proves nothing.  Does not know what a site shows: see shown.
"""

from __future__ import annotations

from enum import StrEnum

from ctcp_forensics.compare.shown import Shown
from ctcp_forensics.compare.trial import THE_FIREWALL
from ctcp_forensics.report import DIRECTION_WORDS, FLAGSHIP, Report

LOOK_FOR_UDP = (
    "a report does not count UDP and ESP: `tshark -r AFTER.pcap -Y 'udp.port in {500, 4500, 10000} || esp'` shows "
    "whether the client uses them"
)

TELL_ALL = "`ctcp-diag analyze --in-full` makes a report that tells all"


class Outcome(StrEnum):
    """What the two reports say together; from the worst to the best."""

    NOT_FIXED = "not-fixed"
    CANNOT_BE_TOLD = "cannot-be-told"
    NOT_TESTED = "not-tested"
    FIXED = "fixed"


def judged(before: Shown, after: Shown, report: Report, hidden: int) -> tuple[Outcome, str]:
    """The first that applies; what would have to be shown for the next one is not.

    `hidden` flows of after were not well, and only a line is told of them.
    """
    if not after.flows:
        return Outcome.CANNOT_BE_TOLD, _why_none(report)
    if after.failed:
        return Outcome.NOT_FIXED, f"{_flows(after.failed)} of after died of it again"
    doubt = _doubt(after, report, hidden)
    return _tested(before, after) if doubt is None else (Outcome.CANNOT_BE_TOLD, doubt)


def _doubt(after: Shown, report: Report, hidden: int) -> str | None:
    """Why the failure may be there all the same, though no flow is said to have died of it."""
    if after.unwell:
        return (
            f"{_flows(after.unwell)} of after failed otherwise or shows too little; from behind the loss this failure "
            "looks like others"
        )
    if hidden:
        return f"flows of after that were not well are told briefly: {hidden}; {TELL_ALL}"
    if after.asked_in_vain:
        return "somebody still asks for what is lost and is not answered, though nothing died"
    if not report.coverage.is_complete:
        return "not all of after was read: a failure may be in what was not"
    return None


def _tested(before: Shown, after: Shown) -> tuple[Outcome, str]:
    """Nothing failed: the question is whether anything was lost that could have made it fail."""
    if after.waits is False and set(before.authors) <= {THE_FIREWALL}:
        return Outcome.FIXED, "the firewall passed on what came behind a lost segment: it no longer waits"
    ways = _ways(before)
    lacking = [way for way in ways if not after.lived_through_loss.get(way)]
    if lacking:
        return (
            Outcome.NOT_TESTED,
            f"nothing failed, but no segment is seen to be lost {' or '.join(lacking)} on the way to the firewall, and "
            "without that nothing can fail: capture for longer, at the firewall, and say where (--asa-outside, "
            "--asa-inside)",
        )
    lived = sorted({number for way in ways for number in after.lived_through_loss[way]})
    return (
        Outcome.FIXED,
        f"segments were lost {' and '.join(ways)} in {_flows(tuple(lived))}, and data went on",
    )


def _ways(before: Shown) -> list[str]:
    """The directions in which it failed before."""
    return [word for word in DIRECTION_WORDS if word in before.failed_ways]


def _why_none(report: Report) -> str:
    if report.brief:
        return f"after tells nothing of these clients at length: {TELL_ALL}"
    if any(flow.verdict == FLAGSHIP or flow.encapsulation.kind == "cisco-ctcp" for flow in report.flows):
        return "after shows other clients or another headend: the two reports do not compare"
    return (
        "no IPsec over TCP of these clients in after: as it should be if they moved to UDP, to ESP or to another "
        f"client, and the same if nobody connected; {LOOK_FOR_UDP}"
    )


def _flows(numbers: tuple[int, ...]) -> str:
    told = ", ".join(f"#{number}" for number in numbers[:8])
    return f"flow {told}" + (f" and {len(numbers) - 8} more" if len(numbers) > 8 else "")
