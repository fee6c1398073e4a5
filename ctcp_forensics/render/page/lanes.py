"""Lanes: the traces of one flow in order from client to headend, and when each place was capturing.

Knows paths and clocks of the report.  Does not look into a trace's columns: see moments.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ctcp_forensics.report import Capture, Clock, Flow, Path, Report
from ctcp_forensics.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One place that shows the flow; times are of the clock that the flow is judged by."""

    trace: Trace
    from_ns: int
    to_ns: int
    """When its capture was surely running: what it does not show between these two did not pass it."""

    def was_capturing(self, at_ns: int) -> bool:
        return self.from_ns <= at_ns <= self.to_ns


def lanes_of(report: Report, flow: Flow, traces: Sequence[Trace]) -> list[Lane]:
    """The flow's traces; those of one path in its order."""
    own = [trace for trace in traces if trace.flow == flow.id]
    ranks = {capture: rank for rank, capture in enumerate(_in_order(report.paths))}
    own.sort(key=lambda trace: min((ranks.get(one, len(ranks)) for one in trace.captures), default=0))
    captures = {capture.id: capture for capture in report.captures}
    return [_lane(report, flow, trace, captures) for trace in own]


def _in_order(paths: Sequence[Path]) -> Iterator[str]:
    return (capture for path in paths for place in path.places for capture in place.captures)


def _lane(report: Report, flow: Flow, trace: Trace, captures: dict[str, Capture]) -> Lane:
    times = list(trace.columns.at_ns)[:: max(len(trace.columns) - 1, 1)] or [0]
    offset = _offset(report.paths, flow.judged_in, trace.captures)
    if offset is None:
        return Lane(trace=trace, from_ns=times[0], to_ns=times[-1])
    low_ns, high_ns = offset
    held = [captures[one] for one in trace.captures if one in captures]
    begins = [one.first_ns - low_ns for one in held if one.first_ns is not None]
    ends = [one.last_ns - high_ns for one in held if one.last_ns is not None]
    return Lane(trace=trace, from_ns=min([times[0], *begins]), to_ns=max([times[-1], *ends]))


def _offset(paths: Sequence[Path], home: str, captures: tuple[str, ...]) -> tuple[int, int] | None:
    """What these captures' clock shows less what the home's shows, as an interval; None: nothing tells."""
    if home in captures:
        return 0, 0
    for path in paths:
        number = {capture: place for place, one in enumerate(path.places) for capture in one.captures}
        far, near = number.get(captures[0]) if captures else None, number.get(home)
        for clock in path.clocks:
            if {clock.place, clock.reference} == {far, near}:
                return _bounds(clock, is_turned=clock.place == near)
    return None


def _bounds(clock: Clock, *, is_turned: bool) -> tuple[int, int] | None:
    """Of the only even stretch: where a clock was set in between, no one offset holds."""
    if clock.is_shared and not clock.pieces:
        return 0, 0
    if len(clock.pieces) != 1:
        return None
    low, high = clock.pieces[0].offset_low_ns, clock.pieces[0].offset_high_ns
    if low is None or high is None:
        return None
    return (-high, -low) if is_turned else (low, high)
