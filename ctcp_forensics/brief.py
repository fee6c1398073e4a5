"""Brief: flows that a report tells in a line each, as columns and as lines.

Knows both forms.  A report comes from anywhere: columns that do not fit together are refused.  Does not know which
flows are told so: see screen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from ctcp_forensics.report import Brief, BriefVerdict, Endpoint, Report, ReportError

COLUMNS: Final = (
    *("verdict", "client", "client_port", "headend", "headend_port"),
    *("first_ns", "last_ns", "first_frame", "to_headend", "to_client"),
)
MOST_DIGITS: Final = 20


class Line(NamedTuple):
    """One flow that is told briefly; numbers go on from those of the flows that are told in full."""

    number: int
    capture: str
    verdict: str
    confidence: str
    client: Endpoint
    headend: Endpoint
    first_ns: int
    last_ns: int
    first_frame: int
    to_headend: int
    to_client: int
    is_early: bool


def lines_of(report: Report) -> Iterator[Line]:
    """Every flow that is told briefly, in the order of the report."""
    number = len(report.flows)
    for brief in report.brief:
        for line in _lines_of(brief):
            number += 1
            yield line._replace(number=number)


def counts_of(briefs: Iterable[Brief]) -> Counter[str]:
    """How many flows are told briefly, with a line or without, by verdict."""
    some = tuple(briefs)
    return with_a_line(some) + without_a_line(some)


def with_a_line(briefs: Iterable[Brief]) -> Counter[str]:
    return _tallied(told for brief in briefs for told in brief.verdicts)


def without_a_line(briefs: Iterable[Brief]) -> Counter[str]:
    return _tallied(told for brief in briefs for told in brief.counted)


def were_judged_early(briefs: Iterable[Brief]) -> bool:
    """Before the end of the capture, for want of places: such flows stand in a brief of their own."""
    some = tuple(briefs)
    beside = len(some) > len({brief.capture for brief in some})
    return beside or any(told.is_early for brief in some for told in (*brief.verdicts, *brief.counted))


def _tallied(some: Iterable[BriefVerdict]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for told in some:
        counts[told.verdict] += told.flows
    return counts


def _lines_of(brief: Brief) -> Iterator[Line]:
    verdicts, columns = brief.verdicts, [numbers(getattr(brief, name)) for name in COLUMNS]
    if {len(column) for column in columns} != {brief.lines}:
        raise ReportError("columns of flows that are told briefly are of different lengths")
    _refuse_beyond(columns[0], len(verdicts))
    _refuse_beyond(columns[1], len(brief.addresses))
    _refuse_beyond(columns[3], len(brief.addresses))
    for verdict, client, client_port, headend, headend_port, *rest in zip(*columns, strict=True):
        told = verdicts[verdict]
        ends = (
            Endpoint(address=brief.addresses[client], port=client_port),
            Endpoint(address=brief.addresses[headend], port=headend_port),
        )
        yield Line._make(
            (0, brief.capture, told.verdict, told.confidence, *ends, *rest, told.is_early),
        )


def numbers(column: str) -> list[int]:
    """The integers of a column.  A number of a million digits takes an hour to be read."""
    words = column.split(" ") if column else []
    if not all(word.isdecimal() and word.isascii() and len(word) <= MOST_DIGITS for word in words):
        raise ReportError("a column of flows that are told briefly holds something other than numbers")
    return list(map(int, words))


def _refuse_beyond(places: Sequence[int], room: int) -> None:
    if places and max(places) >= room:
        raise ReportError("a flow that is told briefly names what its report does not have")
