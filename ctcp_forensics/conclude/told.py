"""Told: one judged connection, and the words and numbers that the report uses for it everywhere.

Knows which capture and frame a number means.  Does not know what the report makes of them: see flow and finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from ctcp_forensics import RULES_VERSION, report
from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.capture.digest import sha256_of
from ctcp_forensics.case import Case
from ctcp_forensics.flows import Endpoint, Flow
from ctcp_forensics.kept import kept
from ctcp_forensics.reading import Reading
from ctcp_forensics.verdict import FLAGSHIP, Judgement

if TYPE_CHECKING:
    from ctcp_forensics import vantage

CLIENT, HEADEND = "client", "headend"


class Told(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One connection, judged: by the place that shows it best, and by each place alone."""

    case: Case
    judgement: Judgement
    cases: tuple[Case, ...]
    """At every place that shows it, from the client to the headend."""
    alone: tuple[Judgement, ...]
    """What each place by itself would have been called; nothing where there is one place."""
    readings: tuple[Reading, ...]
    """Of the places."""

    @kept
    def capture(self) -> str:
        """The first capture of the place that it is judged at."""
        return self.readings[self.case.number].locate(self.case.flow.row.first_frame)[0]

    def per_capture(self, frame: int, number: int | None = None) -> dict[str, int]:
        """A frame of one place, by capture; nothing where there is none."""
        if frame == NEVER:
            return {}
        capture, local = self.readings[self.case.number if number is None else number].locate(frame)
        return {capture: local}

    def frames(self, frames: tuple[int, ...], number: int) -> dict[str, tuple[int, ...]]:
        """Frames of one place, by capture."""
        return self.readings[number].by_capture(frames) if frames else {}

    @property
    def words(self) -> Sequence[vantage.Witness]:
        """What every place says of the question that was left open."""
        return self.case.words

    @property
    def accused_direction(self) -> str | None:
        if self.judgement.verdict is FLAGSHIP and self.case.direction is not None:
            return self.case.direction.name
        return None

    # --- identity ----------------------------------------------------------------------------

    @property
    def flow_id(self) -> str:
        return digest("flow", self.content)

    @property
    def finding_id(self) -> str:
        wanted = "" if self.case.episode is None else self.case.episode.wanted_seq
        return digest(self.judgement.verdict.slug, RULES_VERSION, wanted, self.content)

    @kept
    def content(self) -> str:
        """What all captures hold of this connection, whatever order they were named in."""
        held = [content_of(one.flow) for one in self.cases]
        if len(held) > 1:
            held.sort(key=str)
        return joined(map(joined, held))


def digest(*parts: object) -> str:
    """Sixteen hexadecimal digits over the parts; content only, never a path or an order."""
    return sha256_of(joined(parts).encode())[:16]


def joined(parts: Iterable[object]) -> str:
    return "\0".join(map(str, parts))


def content_of(flow: Flow) -> tuple[object, ...]:
    """What the capture holds of this flow: 4-tuple, frames, times to the nanosecond, initial numbers, lengths.

    Two captures of one flow differ in it, and so do two flows of one 4-tuple.
    """
    ends = sorted((end.address, end.port) for end in (flow.client, flow.headend))
    halves = sorted((d.row.anchor, d.row.frames, d.row.payload_bytes) for d in flow.directions)
    return (*ends, flow.row.first_frame, flow.row.last_frame, flow.row.first_ns, flow.row.last_ns, *halves)


def endpoint(end: Endpoint) -> report.Endpoint:
    return report.Endpoint(address=end.address, port=end.port)
