"""Stores for the tests of what reads a store: results made by hand, in memory, segment by segment.

Knows the contract of a store only.  No capture stands behind them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from ctcp_forensics.archive.examine import Examined
from ctcp_forensics.archive.store import SegmentRef, StatusCount, StoreCoverage, Trouble
from ctcp_forensics.report import Coverage, Endpoint, Finding, Flow, Report
from tests import reports

DAY_NS = 86_400 * reports.SECOND_NS


def at(
    flow: Flow, finding: Finding, number: int, *, client: str, headend: str, days: int = 0
) -> tuple[Flow, Finding]:
    """A flow and its finding under other ids and addresses, some days later."""
    later = days * DAY_NS
    moved = msgspec.structs.replace(
        flow,
        id=f"f{number}",
        client=Endpoint(address=client, port=51_000 + number % 10_000),
        headend=Endpoint(address=headend, port=10_000),
        first_ns=flow.first_ns + later,
        last_ns=flow.last_ns + later,
    )
    return moved, msgspec.structs.replace(finding, id=f"x{number}", flow=moved.id)


def dead(
    number: int, *, client: str = "192.0.2.10", headend: str = "198.51.100.1", days: int = 0
) -> tuple[Flow, Finding]:
    return at(reports.DEAD_FLOW, reports.DEAD_FINDING, number, client=client, headend=headend, days=days)


def healthy(
    number: int, *, client: str = "192.0.2.11", headend: str = "198.51.100.1", days: int = 0
) -> tuple[Flow, Finding]:
    return at(
        reports.HEALTHY_FLOW, reports.HEALTHY_FINDING, number, client=client, headend=headend, days=days
    )


def analyzed(uri: str, *judged: tuple[Flow, Finding], days: int = 0, stamp: str = "1:1") -> Examined:
    """A capture that was read to its end."""
    later = days * DAY_NS
    capture = reports.capture(
        source=uri,
        first_ns=reports.START_NS + later,
        last_ns=reports.START_NS + 134 * reports.SECOND_NS + later,
    )
    told = Report(
        tool=reports.TOOL,
        captures=(capture,),
        flows=tuple(flow for flow, _ in judged),
        findings=tuple(finding for _, finding in judged),
        coverage=Coverage(
            captures=1, complete=1, frames=214, flows_seen=len(judged), flows_judged=len(judged)
        ),
    )
    return Examined(
        uri=uri,
        size=218_304,
        stamp=stamp,
        status="analyzed",
        report=told,
        rules_version="1",
        frames=214,
        bytes=218_304,
    )


def rejected(uri: str) -> Examined:
    return Examined(
        uri=uri, size=7, stamp="1:2", status="rejected", reason="not a capture: it begins with 'MZ'", bytes=7
    )


class MadeStore:
    """Segments of results, as a store gives them."""

    def __init__(self, *segments: Sequence[Examined]) -> None:
        self.kept = {f"{number:06d}": tuple(some) for number, some in enumerate(segments, start=1)}

    def add(self, *results: Examined) -> None:
        self.kept[f"{len(self.kept) + 1:06d}"] = results

    def segments(self) -> Iterator[SegmentRef]:
        for name in self.kept:
            yield SegmentRef(name=name, path=Path(name))

    def coverage(self) -> StoreCoverage:
        found = {one.uri: one for some in self.kept.values() for one in some}.values()
        told = {one.status: [other.bytes for other in found if other.status == one.status] for one in found}
        return StoreCoverage(
            counts=tuple(
                StatusCount(status=status, files=len(sizes), bytes=sum(sizes))
                for status, sizes in told.items()
            )
        )

    def troubles(self) -> Iterator[Trouble]:
        for some in self.kept.values():
            for one in some:
                if one.status != "analyzed":
                    yield Trouble(uri=one.uri, status=one.status, reason=one.reason)

    def results(self, segment: SegmentRef) -> Iterator[Examined]:
        yield from self.kept[segment.name]
