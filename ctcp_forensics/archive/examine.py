"""Examine: one entry → what became of it; a pure function of its bytes, done in a worker.

Knows how a result is told and how it is judged again.  Does not know where it is kept nor who else works.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from ctcp_forensics import RULES_VERSION, report
from ctcp_forensics.archive.entry import Entry
from ctcp_forensics.archive.facts import Facts, facts_of, remembered
from ctcp_forensics.capture import Capture
from ctcp_forensics.errors import CaptureError, ContainerDamageError
from ctcp_forensics.pipeline import CTCP_PORT, Options, Source, reported
from ctcp_forensics.reading import take_in

ANALYZED: Final = "analyzed"
PARTIAL: Final = "partial"
REJECTED: Final = "rejected"
FAILED: Final = "failed"

RawName = bytes
Status = Literal["analyzed", "partial", "rejected", "failed"]


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of every capture; results under other terms are other results."""

    ports: tuple[int, ...] = (CTCP_PORT,)
    all_tcp: bool = False

    @property
    def options(self) -> Options:
        """One thread each: there are as many workers as cores."""
        return Options(ports=frozenset(self.ports), all_tcp=self.all_tcp, threads=1)

    @property
    def key(self) -> str:
        """The same for the same terms, in whatever order they were given."""
        ports = ",".join(map(str, sorted(set(self.ports))))
        return f"ports={ports}" + (";all-tcp" if self.all_tcp else "")


class Examined(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one entry; one line of JSON in a segment."""

    uri: str
    size: int | None
    stamp: str
    status: Status
    reason: str = ""
    """Of what was rejected or failed, in words."""
    content: str | None = None
    """The hash of the content as stored, by which the store knows it; None where it is too long for that."""
    report: report.Report | None = None
    """What `analyze URI --format json` tells of this one capture, but for the hash; None where the entry failed."""
    facts: Facts | None = None
    """What a later rule version needs to judge again without the capture."""
    is_final: bool = False
    """Not all of it was read, and no more will be: what is wrong lies in the container that it is a member of."""
    rules_version: str = RULES_VERSION
    frames: int = 0
    bytes: int = 0
    """Read, as stored."""
    raw_uri: RawName | None = None
    """The name, where it is no text; only in a segment."""
    same_as: str | None = None
    """The URI of another entry with the same content, where there is one; the first of them has none."""

    @property
    def first_ns(self) -> int | None:
        """Time of the first frame."""
        return None if self.report is None or not self.report.captures else self.report.captures[0].first_ns

    @property
    def exit_status(self) -> int:
        """As `analyze` would end: 1 a finding, 3 not everything was looked at."""
        return 3 if self.report is None else report.exit_status(self.report)

    @property
    def judged(self) -> int:
        return 0 if self.report is None else self.report.coverage.flows_judged


def examine(entry: Entry, terms: Terms, opened: Capture | CaptureError | None = None) -> Examined:
    """Read and judge one capture, or what it was opened as; whatever is wrong with it is in the answer."""
    intake = take_in([Source(path=entry.uri, opened=opened)], terms.options, None)
    told = reported(intake, terms.options)
    found = _examined(entry, told, facts_of(intake, terms.options))
    return msgspec.structs.replace(found, is_final=_is_final(opened))


def _is_final(opened: Capture | CaptureError | None) -> bool:
    if isinstance(opened, Capture):
        return opened.is_broken_inside
    return isinstance(opened, ContainerDamageError)


def judged_again(before: Examined, terms: Terms) -> Examined:
    """The same facts under the rules of today; needs no capture."""
    if before.facts is None or before.report is None:
        raise ValueError("there are no facts to judge")
    intake = remembered(before.facts, before.report.captures[0])
    told = reported(intake, terms.options)
    return msgspec.structs.replace(before, report=told, rules_version=told.tool.rules_version)


def failed(entry: Entry, reason: str) -> Examined:
    """Nothing is known of the entry but why."""
    return Examined(uri=entry.uri, size=entry.size, stamp=entry.stamp, status=FAILED, reason=reason)


def told_of(found: Examined, entry: Entry) -> Examined:
    """The same result under the name of another entry that has the same content."""
    told = found.report
    if told is not None:
        name = report.valid_text(entry.uri)
        told = msgspec.structs.replace(
            told,
            captures=tuple(msgspec.structs.replace(one, source=name) for one in told.captures),
            coverage=msgspec.structs.replace(
                told.coverage,
                failed=tuple(msgspec.structs.replace(one, source=name) for one in told.coverage.failed),
            ),
        )
    return msgspec.structs.replace(found, uri=entry.uri, size=entry.size, stamp=entry.stamp, report=told)


def _examined(entry: Entry, told: report.Report, facts: Facts | None) -> Examined:
    status, reason = _became(told)
    capture = told.captures[0] if told.captures else None
    return Examined(
        uri=entry.uri,
        size=entry.size,
        stamp=entry.stamp,
        status=status,
        reason=reason,
        content=None if capture is None or capture.digest is None else capture.digest.value,
        report=told,
        facts=facts,
        frames=told.coverage.frames,
        bytes=(None if capture is None else capture.size) or entry.size or 0,
    )


def _became(told: report.Report) -> tuple[Status, str]:
    if told.coverage.failed:
        return REJECTED, told.coverage.failed[0].reason
    capture = told.captures[0]
    damage = capture.damage[0].reason if capture.damage else ""
    if capture.outcome == "rejected":
        return REJECTED, damage
    if capture.outcome == "partial":
        return PARTIAL, damage or _undecoded(sum(one.frames for one in capture.undecoded))
    return ANALYZED, ""


def _undecoded(frames: int) -> str:
    return "1 frame is not decoded" if frames == 1 else f"{frames} frames are not decoded"
