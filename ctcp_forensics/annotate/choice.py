"""The choice: which flows of a report an annotated capture is about.

Knows numbers and ids of flows.  Does not read captures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ctcp_forensics.brief import counts_of
from ctcp_forensics.errors import CtcpError
from ctcp_forensics.render.judged import Judged, worst_first
from ctcp_forensics.render.wording import clean
from ctcp_forensics.report import Report

MAX_FLOWS_NAMED: Final = 10


class ChoiceError(CtcpError):
    """A flow was asked for that the report does not have."""


def concerned(report: Report, chosen: Sequence[str] = ()) -> tuple[Judged, ...]:
    """Those that need reading, worst first; or those that were chosen, by `#n` as the table has it, `n`, or id."""
    judged = worst_first(report)
    if not chosen:
        return tuple(one for one in judged if one.needs_reading)
    wanted = {number_of(choice, judged, report) for choice in chosen}
    return tuple(one for one in judged if one.number in wanted)


def number_of(choice: str, judged: Sequence[Judged], report: Report) -> int:
    for one in judged:
        if choice in (one.flow.id, str(one.number), f"#{one.number}"):
            return one.number
    there = ", ".join(f"#{one.number} {one.flow.id}" for one in judged[:MAX_FLOWS_NAMED])
    left = len(judged) - MAX_FLOWS_NAMED
    more = f" and {left} more" if left > 0 else ""
    if report.brief:
        more += f"; {counts_of(report.brief).total()} more are told briefly: --in-full, without --from, knows them all"
    raise ChoiceError(f"there is no flow {clean(choice)}; there is {there or 'none'}{more}")
