"""Flows beside their findings, worst first, and the sentence that sums a report up.

Knows what a reader must see first.  Does not know how it is laid out.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ctcp_forensics.brief import counts_of, were_judged_early, with_a_line, without_a_line
from ctcp_forensics.render.wording import NAMELESS, Names, claim_words, clean, count, labels
from ctcp_forensics.report import (
    CONFIDENCE_WORDS,
    DIRECTION_WORDS,
    FLAGSHIP,
    NEEDS_NO_READING,
    VERDICT_WORDS,
    WELL,
    Evidence,
    Finding,
    Flow,
    Report,
)

FLAGSHIP_TITLE = "unanswered duplicate ACKs (TAC 113578)"
WEAKER = ("holds", "unknown", "fails")
# Doubts that all flows of a capture share: the coverage, or what the flow carries, says so beside it.
SHARED_DOUBTS = frozenset({"carries-ctcp", "the-capture-is-whole", "it-was-followed-to-its-end"})
# A guard that tells where it holds: what one capture can never show.
DECISIVE = "the-acks-were-made-in-between"


class Link(NamedTuple):
    """A link of a proof: what its claims say together."""

    says: str
    outcome: str
    because: str
    frames: dict[str, tuple[int, ...]]


class Judged(NamedTuple):
    """A flow and the verdict on it; flows are numbered as the report lists them."""

    number: int
    flow: Flow
    finding: Finding
    names: Names = NAMELESS

    @property
    def segments(self) -> int:
        """As many as the capture that saw most of the flow: a sum would count them once per capture."""
        return max((seen.frames for seen in self.flow.seen), default=0)

    @property
    def duplicate_acks(self) -> int:
        both = self.flow.directions
        return both.client_to_headend.duplicate_acks + both.headend_to_client.duplicate_acks

    @property
    def needs_reading(self) -> bool:
        """It is not well, or something of its own makes that less sure."""
        return self.finding.verdict not in NEEDS_NO_READING or any(
            map(_is_doubt_of_its_own, self.finding.evidence)
        )


def worst_first(report: Report) -> list[Judged]:
    """Every finding with its flow; among equals the order of the report."""
    flows = {flow.id: (number, flow) for number, flow in enumerate(report.flows, start=1)}
    called = labels({capture.id: capture.source for capture in report.captures})
    judged = [
        Judged(number, flow, finding, Names(labels=called, home=flow.judged_in))
        for finding in report.findings
        for number, flow in (flows[finding.flow],)
    ]
    return sorted(judged, key=_severity)


def tally(judged: Iterable[Judged]) -> str:
    """`1 insufficient-evidence, 2 healthy`, worst first."""
    return _counted(Counter(one.finding.verdict for one in judged))


def tally_of_all(report: Report, judged: Iterable[Judged]) -> str:
    """The same, with the flows that are told briefly."""
    return _counted(Counter(one.finding.verdict for one in judged) + counts_of(report.brief))


def told_briefly(report: Report) -> Iterator[str]:
    """That there are flows of which nothing more is told, and how to learn it; nothing where there are none."""
    lines, others = with_a_line(report.brief), without_a_line(report.brief)
    if lines:
        left = ", but for those judged before the end" if were_judged_early(report.brief) else ""
        yield (
            f"{count(lines.total(), 'flow')} more, told in a line each by csv and ndjson: {_counted(lines)} "
            f"(analyze --in-full tells them{left})"
        )
    if others:
        yield (
            f"{count(others.total(), 'flow')} more, counted only, since a report holds no more lines: "
            f"{_counted(others)} (to have them told, analyze a part of the capture, with fewer connections)"
        )
    some = [told for brief in report.brief for told in (*brief.verdicts, *brief.counted) if told.is_early]
    if some:
        flows = sum(told.flows for told in some)
        yield f"{flows} of them judged before they were over, because other flows needed their places"


def _counted(counts: Mapping[str, int]) -> str:
    words = sorted(counts, key=lambda word: _rank(word, VERDICT_WORDS))
    return ", ".join(f"{counts[word]} {clean(word)}" for word in words)


def headline(report: Report, judged: list[Judged]) -> str:
    """The verdict in one sentence that an engineer could say aloud."""
    if report.coverage.complete + report.coverage.partial == 0:
        return "Nothing could be read"
    sentence = _verdict_sentence(report, judged)
    return sentence if report.coverage.is_complete else f"{sentence}; coverage is incomplete"


def links(finding: Finding) -> list[Link]:
    """The proof link by link; after it what several captures settle, and the guards that make it less sure."""
    together: dict[str, list[Evidence]] = {}
    for evidence in finding.evidence:
        if evidence.role == "proof":
            together.setdefault(evidence.link or claim_words(evidence.claim), []).append(evidence)
        elif evidence.role == "guard" and (evidence.outcome != "holds" or evidence.claim == DECISIVE):
            together[claim_words(evidence.claim)] = [evidence]
    return [_link(says, claims) for says, claims in together.items()]


def title(one: Judged) -> str:
    """The verdict on one flow: what, in which direction, how sure."""
    parts = (one.finding.title, one.flow.direction, one.finding.confidence)
    return ", ".join(clean(part) for part in parts if part is not None)


def _link(says: str, claims: list[Evidence]) -> Link:
    """A link is as weak as its weakest claim."""
    shown: dict[str, tuple[int, ...]] = {}
    for claim in claims:
        for capture, numbers in claim.frames.items():
            shown[capture] = shown.get(capture, ()) + numbers
    return Link(
        says=says,
        outcome=max((claim.outcome for claim in claims), key=_weakness),
        because="; ".join(claim.because for claim in claims),
        frames=shown,
    )


def _is_doubt_of_its_own(one: Evidence) -> bool:
    return one.role == "guard" and one.outcome != "holds" and one.claim not in SHARED_DOUBTS


def _weakness(outcome: str) -> int:
    """A word that a later version may have added is as good as not knowing."""
    return WEAKER.index(outcome if outcome in WEAKER else "unknown")


def _verdict_sentence(report: Report, judged: list[Judged]) -> str:
    dead = [one for one in judged if one.finding.verdict == FLAGSHIP]
    briefly = counts_of(report.brief)
    flows = count(len(judged) + briefly.total(), "flow")
    if dead:
        return (
            f"{len(dead) + briefly[FLAGSHIP]} of {flows}: {FLAGSHIP_TITLE}, {_where(dead)}, {_how_sure(dead)}"
        )
    if judged:
        return f"No {FLAGSHIP_TITLE} in {flows}: {tally_of_all(report, judged)}"
    seen = report.coverage
    return f"No flow to judge in {count(seen.frames, 'frame')}, {seen.tcp_segments} of them TCP"


def _where(dead: list[Judged]) -> str:
    directions = {one.flow.direction for one in dead}
    return " and ".join(word for word in DIRECTION_WORDS if word in directions) or "direction unknown"


def _how_sure(dead: list[Judged]) -> str:
    grades = {one.finding.confidence for one in dead}
    best = min(grades, key=lambda word: _rank(word, CONFIDENCE_WORDS))
    return clean(best) if len(grades) == 1 else f"at best {clean(best)}"


def _severity(one: Judged) -> tuple[int, int]:
    """The surest accusation first, and of those that are well the least sure."""
    sureness = _rank(one.finding.confidence, CONFIDENCE_WORDS)
    return _rank(one.finding.verdict, VERDICT_WORDS), -sureness if one.finding.verdict in WELL else sureness


def _rank(word: str, words: tuple[str, ...]) -> int:
    """A word of a later version is worth reading: it comes first."""
    return words.index(word) if word in words else -1
