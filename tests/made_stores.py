"""Stores for the tests of what reads a store: made by the parts of `scan` that write one, of results made by hand.

No capture stands behind them.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import msgspec

from ctcp_forensics import RULES_VERSION
from ctcp_forensics.archive import segment
from ctcp_forensics.archive.entry import Entry, Refusal
from ctcp_forensics.archive.examine import Examined, Terms
from ctcp_forensics.archive.manifest import Manifest, Placed
from ctcp_forensics.archive.scan import prepared
from ctcp_forensics.archive.store import Store
from ctcp_forensics.archive.task import answered
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
        content=sha256(uri.encode(errors="surrogateescape")).hexdigest(),
        report=told,
        rules_version=RULES_VERSION,
        frames=214,
        bytes=218_304,
    )


def rejected(uri: str) -> Examined:
    return Examined(
        uri=uri, size=7, stamp="1:2", status="rejected", reason="not a capture: it begins with 'MZ'", bytes=7
    )


class MadeStore:
    """A store on the disk, as `scan` writes it, of results that nobody found out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._segments = prepared(folder) / segment.FOLDER
        self._made = 0

    def add(self, *results: Examined, copies: Mapping[str, str] | None = None) -> None:
        """One run, one segment; `copies` are URIs that turned out to have the content of another."""
        manifest = Manifest(self.folder, terms=Terms().key, rules=RULES_VERSION)
        found = [self._entry(one.uri, one.size) for one in results]
        manifest.take_found(found, anew=True)
        self._acknowledge(manifest, list(zip(found, results, strict=True)))
        for copy, original in (copies or {}).items():
            self._copy(manifest, copy, original)
        manifest.finish()
        manifest.close()

    def refuse(self, *refusals: Refusal) -> None:
        manifest = Manifest(self.folder, terms=Terms().key, rules=RULES_VERSION)
        manifest.take_refused(refusals)
        manifest.finish()
        manifest.close()

    @property
    def store(self) -> Store:
        return Store.open(self.folder)

    def _entry(self, uri: str, size: int | None) -> Entry:
        self._made += 1
        return Entry(uri=uri, size=size, stamp=f"{self._made}:1")

    def _acknowledge(self, manifest: Manifest, some: list[tuple[Entry, Examined]]) -> None:
        answers = [(entry, answered(one, 0.0)) for entry, one in some]
        number, offset, placed = manifest.next_segment(), 0, []
        for entry, answer in answers:
            placed.append(Placed(entry=entry, answer=answer, offset=offset))
            offset += len(answer.frame)
        name = segment.name_of(number)
        segment.write_durably(self._segments / name, [answer.frame for _, answer in answers])
        manifest.acknowledge(number, name, placed)

    def _copy(self, manifest: Manifest, copy: str, original: str) -> None:
        """Both get the key that says so, as after their bytes were compared."""
        entries = {uri: Entry(uri=uri, size=218_304, stamp="1:1") for uri in (copy, original)}
        manifest.alike.take_whole_keys([(entries[original], original)])
        manifest.take_found([self._entry(copy, 218_304)], anew=True)
        manifest.alike.take_whole_keys([(entries[copy], original)])
        manifest.alike.settle_alike()
