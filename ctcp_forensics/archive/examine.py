"""Examine: one entry → what became of it; a pure function of its bytes, done in a worker.

Knows how a result is told.  Does not know where it is kept nor who else works.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from ctcp_forensics import report

ANALYZED: Final = "analyzed"
PARTIAL: Final = "partial"
REJECTED: Final = "rejected"
FAILED: Final = "failed"

Status = Literal["analyzed", "partial", "rejected", "failed"]


class Examined(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one entry; one line of JSON in a segment."""

    uri: str
    size: int | None
    stamp: str
    status: Status
    reason: str = ""
    """Of what was rejected or failed, in words."""
    content: str | None = None
    """SHA-256 of the content as stored; None where it is too long to be hashed by the way."""
    report: report.Report | None = None
    """Exactly what `analyze URI --format json` tells of this one capture; None where the entry failed."""
    facts: Any = None
    """What a later rule version needs to judge again without the capture; None where nothing was judged."""
    rules_version: str = ""
    frames: int = 0
    bytes: int = 0
    """Read, as stored."""
    seconds: float = 0.0
    """How long it took.  Not part of any answer: it may differ where all else is the same."""
    same_as: str | None = None
    """The URI of another entry with the same content, which this report was made of."""

    @property
    def first_ns(self) -> int | None:
        """Time of the first frame."""
        return None if self.report is None or not self.report.captures else self.report.captures[0].first_ns
