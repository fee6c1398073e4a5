"""Intake: all sources that were named → a reading of each vantage point, each content once.

Knows which files are one capture that was rotated, and which are one file twice.  Does not know what the flows of two
readings have in common: see vantage.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from ctcp_forensics import report
from ctcp_forensics.capture import Access
from ctcp_forensics.coverage import Account
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.reading.course import Course, began_ns
from ctcp_forensics.reading.readings import Options, Progress, Reading, Source


class Intake(msgspec.Struct, frozen=True, kw_only=True):
    """All that was read, and what could not be."""

    readings: tuple[Reading, ...]
    accounts: tuple[Account, ...]
    failed: tuple[CaptureError, ...]
    twins: dict[str, str] = msgspec.field(default_factory=dict)
    """Captures that are another one once more, by that one's id: they add nothing."""


def take_in(sources: Sequence[Source], options: Options, progress: Progress | None) -> Intake:
    """Read every source; files that the user gave one role, one after the other in time, are one capture."""
    named = [(f"c{number}", source) for number, source in enumerate(sources, start=1)]
    intake = _Intake(options=options, progress=progress, is_case=len(sources) > 1)
    for run in runs_of(named, access=options.access):
        intake.read_run(run)
    return intake.sorted()


def runs_of(named: Sequence[tuple[str, Source]], *, access: Access) -> list[list[tuple[str, Source]]]:
    """Sources of one told vantage point together, in the order of their first frames; each other one by itself."""
    runs: dict[str, list[tuple[str, Source]]] = {}
    for name, source in named:
        runs.setdefault(source.vantage or name, []).append((name, source))

    def begin(one: tuple[str, Source]) -> int:
        return began_ns(one[1].path, access=access)

    return [sorted(run, key=begin) if len(run) > 1 else run for run in runs.values()]


class _Intake(msgspec.Struct, kw_only=True):
    """What has been read so far."""

    options: Options
    progress: Progress | None
    is_case: bool
    """Several captures: the flows that may be asked for are logged, so that they can be paired."""
    readings: list[Reading] = msgspec.field(default_factory=list)
    accounts: dict[str, Account] = msgspec.field(default_factory=dict)
    failed: list[CaptureError] = msgspec.field(default_factory=list)

    def read_run(self, run: Sequence[tuple[str, Source]]) -> None:
        course: Course | None = None
        for name, source in run:
            if course is not None and not course.goes_on_with(source.path):
                self.readings += course.readings()
                course = None
            course = course or Course(self.options, source.vantage, is_case=self.is_case)
            try:
                account = course.read(name, source, self.progress)
            except CaptureError as error:
                self.failed.append(error)
            else:
                self.accounts[name] = account
        if course is not None:
            self.readings += course.readings()

    def sorted(self) -> Intake:
        """In the order in which the sources were named, without what was read twice."""
        for reading in self.readings:
            self.accounts |= {part.account.capture.id: part.account for part in reading.parts}
        order = {name: at for at, name in enumerate(sorted(self.accounts, key=lambda name: int(name[1:])))}
        accounts = [self.accounts[name] for name in order]
        twins = twins_in([account.capture for account in accounts])
        new = [one for one in self.readings if not all(name in twins for name in one.captures)]
        return Intake(
            readings=tuple(sorted(new, key=lambda one: (order[one.captures[0]], one.interface or 0))),
            accounts=tuple(
                replace(account, flows=0) if account.capture.id in twins else account for account in accounts
            ),
            failed=tuple(self.failed),
            twins=twins,
        )


def twins_in(captures: Sequence[report.Capture]) -> dict[str, str]:
    """Captures with the content of an earlier one: the same file, a link to it, a copy, a compressed copy."""
    first: dict[object, list[report.Capture]] = {}
    twins = {}
    for capture in captures:
        alike = first.setdefault((capture.frames, capture.first_ns, capture.last_ns), [])
        twin = next((one for one in alike if capture.frames and is_same(one, capture)), None)
        if twin is None:
            alike.append(capture)
        else:
            twins[capture.id] = twin.id
    return twins


def is_same(one: report.Capture, other: report.Capture) -> bool:
    """By the hash of the content; what is too long to be hashed, by its counts and its times to the nanosecond."""
    if one.content_digest is None or other.content_digest is None:
        return one.tcp_segments == other.tcp_segments
    return one.content_digest == other.content_digest
