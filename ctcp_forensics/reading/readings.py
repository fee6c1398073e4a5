"""Readings: what was asked for, and what was read of each vantage point.

Knows which file and which frame of it a number means.  Does not know how it is read: see course.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from ctcp_forensics._kernel import Tracker
from ctcp_forensics.capture import BY_THE_WAY, Access, Capture, Hashing, open_capture
from ctcp_forensics.coverage import Account
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.kept import kept
from ctcp_forensics.packets import IcmpError
from ctcp_forensics.surroundings import Surroundings

if TYPE_CHECKING:
    from ctcp_forensics.capture.stream import AtInterrupt
    from ctcp_forensics.early import Early

CTCP_PORT = 10000
"""The default of VPN 3000, ASA and IOS; `--port` names others.  It only adds flows to the table."""

MAX_IN_FULL: Final = 200
"""Flows of a capture that are well and told in full, however many there are: as many as a table shows at a glance."""
MAX_UNWELL_IN_FULL: Final = 1_000
"""Other flows of a capture that are told in full: three times what a page tells at length, and some 25 MB of report.
Where there are more, the gravest are; the others are told in a line each, with their verdicts."""

Progress = Callable[[int, int | None], None]
"""Told how many bytes were read, and of how many; None: nobody knows."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A capture, and the vantage point that it was taken at, where the user says so."""

    path: str
    vantage: str | None = None
    opened: Capture | CaptureError | None = None
    """What came of opening it, where somebody has done so already."""

    def open(self, options: Options) -> Capture:
        """Raises CaptureError where there is nothing to read."""
        if isinstance(self.opened, CaptureError):
            raise self.opened
        return self.opened or open_capture(
            self.path, hashing=options.hashing, access=options.access, at_interrupt=options.at_interrupt
        )


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked for."""

    ports: frozenset[int] = frozenset({CTCP_PORT})
    all_tcp: bool = False
    access: Access = Access.PUBLIC_ONLY
    hashing: Hashing = BY_THE_WAY
    max_in_full: int | None = MAX_IN_FULL
    """Flows that are well and told in full; None tells all flows in full, well or not."""
    max_unwell_in_full: int = MAX_UNWELL_IN_FULL
    """The others that are."""
    threads: int | None = None
    """That share the work on a capture; None: as many as there are cores, where that pays."""
    at_interrupt: AtInterrupt | None = None
    """Where a pipe leaves word that a Ctrl-C is to end it, and not the work; None: nobody minds it."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a reading, and how many frames were numbered before it."""

    account: Account
    frames_before: int

    def without_flows(self) -> Part:
        """Flows are counted once, in the last file."""
        return replace(self, account=replace(self.account, flows=0))


class Reading(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One vantage point, read to the end of its captures or to their damage."""

    parts: tuple[Part, ...]
    tracker: Tracker
    icmp_errors: tuple[IcmpError, ...]
    surroundings: Surroundings
    vantage: str | None = None
    interface: int | None = None
    """Of a savefile that holds several vantage points."""
    early: Early | None = None
    """Flows that were judged before the end, because others needed their places; None: all have theirs."""

    @kept
    def captures(self) -> tuple[str, ...]:
        """Every flow says which they are."""
        return tuple(part.account.capture.id for part in self.parts)

    @property
    def interface_names(self) -> tuple[str, ...]:
        return tuple(
            one.name
            for part in self.parts
            for one in part.account.capture.interfaces
            if self.interface in (None, one.index) and one.name
        )

    def in_question(self, options: Options) -> Sequence[int]:
        """The flows that are to be judged, by their index."""
        if options.all_tcp:
            return range(self.tracker.tallies().flows)
        return self.tracker.suspects(options.ports)

    def locate(self, frame: int) -> tuple[str, int]:
        """The capture that holds a frame, and its number there."""
        if len(self.parts) == 1:
            return self.parts[0].account.capture.id, frame - self.parts[0].frames_before
        at = bisect_right([part.frames_before for part in self.parts], frame - 1) - 1
        part = self.parts[max(at, 0)]
        return part.account.capture.id, frame - part.frames_before

    def by_capture(self, frames: Sequence[int]) -> dict[str, tuple[int, ...]]:
        """The same of several frames, by capture."""
        if len(self.parts) == 1:
            (part,) = self.parts
            before = part.frames_before
            return {
                part.account.capture.id: tuple([frame - before for frame in frames] if before else frames)
            }
        found: dict[str, list[int]] = {}
        for frame in frames:
            capture, local = self.locate(frame)
            found.setdefault(capture, []).append(local)
        return {capture: tuple(some) for capture, some in found.items()}
