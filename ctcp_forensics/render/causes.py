"""Causes: what the evidence on a flow rules out, and what it leaves open, in a few words each.

Knows claims by their names.  Does not know what they need: see claims.
"""

from __future__ import annotations

from collections.abc import Iterator

from ctcp_forensics.render.judged import Judged
from ctcp_forensics.render.sheet import Paragraph
from ctcp_forensics.report import FLAGSHIP, WELL, Evidence

# What the failure is called where nobody is heard asking: one capture, on the wrong side.
LOOKS_LIKE_IT = frozenset({"peer-vanished", "insufficient-evidence"})

# What a claim rules out where it holds.
EXCLUDES = {
    "carries-ctcp": "another protocol on this port",
    "nobody-answered": "a late answer",
    "the-sender-never-repeats": "an ordinary TCP, which sends again",
    "the-window-had-room": "a closed window",
    "the-asking-follows-the-data": "keep-alives taken for duplicate ACKs",
    "the-capture-outlasts-the-stall": "a capture that ends too early",
    "the-capture-is-whole": "loss in the capture alone",
    "the-receiver-had-followed": "an ACK that never moved",
    "away-from-the-wrap": "the wrap of sequence numbers",
    "both-ends-went-on": "a flow that stalled",
}
# What a refutation would be, ruled out where it fails.
REFUTES = {
    "is-something-else": "something other than cTCP",
    "only-one-direction-was-seen": "one direction captured alone",
    "an-answer-is-in-another-capture": "an answer in another capture",
    "a-question-is-left-open": "a question that this place shows unanswered",
}


def causes(one: Judged) -> Iterator[Paragraph]:
    finding = one.finding
    excluded = [text for claim in finding.evidence if (text := _excluded(claim))]
    if finding.verdict in WELL and not finding.was_left:
        excluded.insert(0, "unanswered duplicate ACKs in this flow")
    yield Paragraph("out", "; ".join(dict.fromkeys(excluded)) or "none")
    doubts = "; ".join(dict.fromkeys(_doubts(one))) or "what lies outside these captures"
    yield Paragraph("open", f"NOT ruled out: {doubts}")
    if finding.missing_evidence:
        yield Paragraph("", f"would settle it: {'; '.join(finding.missing_evidence)}")


def _excluded(one: Evidence) -> str:
    if one.role == "refutation":
        return REFUTES.get(one.claim, "") if one.outcome == "fails" else ""
    return EXCLUDES.get(one.claim, "") if one.outcome == "holds" else ""


def _doubts(one: Judged) -> Iterator[str]:
    """Other verdicts that fit as well, and what would exclude something and does not."""
    finding = one.finding
    for other in finding.also_possible:
        yield f"{other.verdict}: {other.because}"
    for claim in finding.evidence:
        sentence = (REFUTES if claim.role == "refutation" else EXCLUDES).get(claim.claim)
        if sentence and claim.outcome == "unknown":
            yield f"{sentence} ({claim.because})"
    if finding.verdict == FLAGSHIP:
        yield "a box that is no ASA: packets do not show the make"
    if finding.verdict == "reset-by-middlebox" and finding.confidence != "proven":
        yield "the end itself, where it came up anew or its RSTs have another TTL than its data"
    if (finding.verdict in LOOKS_LIKE_IT or finding.was_left) and len(one.flow.seen) < 2:
        yield "unanswered duplicate ACKs, which look like this from behind the loss"
