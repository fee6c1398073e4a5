"""Findings: the verdict on one flow, the claims that it rests on, and what to do about it.

Knows claims as sentences with frames.  Does not weigh them: see verdict.
"""

from typing import Final

import msgspec

from ctcp_forensics.report.words import (
    ClaimRole,
    Confidence,
    FilterPerCapture,
    FramesPerCapture,
    OutcomeWord,
    VerdictWord,
)

LEFT_BEHIND: Final = "nothing-took-its-place"
"""The claim by which a flow that is well may have been given up for another."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One claim about a flow: its outcome, why, the frames that show it, what would refute or settle it.

    Its role: `proof`, the verdict needs it; `guard`, where it does not hold the verdict is less sure;
    `refutation`, where it holds the verdict falls.  `link` is the link of the proof that it belongs to, in words:
    a proof of many claims is told link by link.
    """

    claim: str
    role: ClaimRole = "proof"
    link: str = ""
    outcome: OutcomeWord
    because: str
    frames: FramesPerCapture = {}
    would_refute: str = ""
    settled_by: str = ""


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """A documented fix: the change, what it costs, how to verify it and how to take it back."""

    fix: str
    title: str
    change: str
    commands: tuple[str, ...] = ()
    cost: str
    verify: tuple[str, ...] = ()
    roll_back: tuple[str, ...] = ()
    source: str
    caveats: tuple[str, ...] = ()


class AlsoPossible(msgspec.Struct, frozen=True, kw_only=True):
    """Another verdict that fits as well, and what would settle it."""

    verdict: VerdictWord
    because: str
    settled_by: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one flow.  `id` is stable: it depends on content, never on paths or order."""

    id: str
    flow: str
    verdict: VerdictWord
    title: str
    confidence: Confidence
    rule_version: str = "1"
    summary: str
    evidence: tuple[Evidence, ...] = ()
    recommendations: tuple[Recommendation, ...] = ()
    also_possible: tuple[AlsoPossible, ...] = ()
    missing_evidence: tuple[str, ...] = ()
    display_filter: str = ""
    """For the capture that the flow is judged in…"""
    display_filters: FilterPerCapture = {}
    """…and for each that shows it: addresses, ports and sequence numbers may differ on the way."""

    @property
    def was_left(self) -> bool:
        """It lies silent, nobody closed it, and its hosts have opened another: what ended it may be out of sight."""
        return any(one.claim == LEFT_BEHIND and one.outcome != "holds" for one in self.evidence)
