"""The second reading as a whole: which flows were traced, what of them could not be, and under which names.

Knows the order of the steps.  Does not read a capture (see second) and puts no trace together (see assemble).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from ctcp_forensics.capture import Access
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.reading import Progress
from ctcp_forensics.report import Report, ReportError
from ctcp_forensics.retrace.assemble import names_of, traces_of
from ctcp_forensics.retrace.errand import Seat, chosen, runs_of
from ctcp_forensics.retrace.second import Sighted, read_again
from ctcp_forensics.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraced:
    """What the second reading brought, and what it could not."""

    traces: tuple[Trace, ...]
    """Flow by flow, the worst first; of each its places from the client to the headend."""
    failed: tuple[CaptureError, ...] = ()
    """Captures that could not be read again, or are not what they were; the others are traced all the same."""
    flows_left_out: int = 0
    """Flows beyond MAX_TRACED."""

    def of_flow(self, flow: str) -> tuple[Trace, ...]:
        """Of one flow, every place."""
        return tuple(trace for trace in self.traces if trace.flow == flow)


def retrace(
    report: Report,
    flows: Collection[str] | None = None,
    progress: Progress | None = None,
    *,
    access: Access = Access.PUBLIC_ONLY,
) -> Retraced:
    """Trace the flows with these ids, or those that are worth a picture; every capture is read once.

    A URL leads to public addresses only, unless the `access` is wider.
    """
    wanted, left_out = chosen(report, flows)
    sighted: dict[Seat, Sighted] = {}
    failed: list[CaptureError] = []
    for run in runs_of(report, wanted):
        try:
            found, strange = read_again(run, progress, access=access)
        except CaptureError as error:
            failed.append(error)
        else:
            sighted |= found
            failed += strange
    traces = [trace for flow in wanted for trace in traces_of(report, flow, sighted)]
    return Retraced(traces=tuple(traces), failed=tuple(failed), flows_left_out=left_out)


def as_told_by(shown: Report, found: Report, traces: Sequence[Trace]) -> tuple[Trace, ...]:
    """The traces of `found` under the names of `shown`, which is the same report, or the same under pseudonyms.

    Raises ReportError where a stored picture is of a place at which the report does not see the flow.
    """
    flows = {one.id: (one, other) for one, other in zip(found.flows, shown.flows, strict=True)}
    told = []
    for trace in traces:
        one, other = flows[trace.flow]
        names = dict(zip(names_of(found, one), names_of(shown, other), strict=True))
        if trace.place not in names:
            raise ReportError(f"the picture of flow {one.id} is of a place where the flow was not seen")
        told.append(replace(trace, flow=other.id, place=names[trace.place]))
    return tuple(told)
