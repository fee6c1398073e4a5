"""An article: all that the page tells of one flow, ready to be set.

Knows which part of the report stands where.  Does not know HTML: see the templates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from msgspec.structs import replace

from ctcp_forensics.render.finding import answer, ending, missing_segment, wanted
from ctcp_forensics.render.judged import Judged, Link, links
from ctcp_forensics.render.page.columns import MICROSECOND_NS
from ctcp_forensics.render.page.ladder import Ladder, ladder_of
from ctcp_forensics.render.page.lanes import Lane, lanes_of
from ctcp_forensics.render.page.moments import story_of, turning_point
from ctcp_forensics.render.page.words import CONFIDENCE, plainly
from ctcp_forensics.render.path import BY, WHERE, Matrix, crossings_of, details, matrices
from ctcp_forensics.render.wording import Names, claim_words, count, duration, endpoint, frames, utc
from ctcp_forensics.report import DIRECTION_WORDS, AlsoPossible, Evidence, Recommendation, Report, Seen
from ctcp_forensics.trace import Trace

RUNS_SHOWN = 6
"""Runs of frame numbers beside one sentence; the JSON report has the rest."""
NO_CAPTURE = "none"
"""At home nowhere: to a reader of the page no capture is the one that goes without saying."""
ROLES = {
    "proof": "What the verdict needs",
    "guard": "What would make it less sure",
    "refutation": "What would refute it",
}


LOST = WHERE | {"capture": "nothing on the way, only not captured"}


class Shown(NamedTuple):
    """Frames of one capture, as told and as a display filter that finds them all."""

    told: str
    filter: str


class Proof(NamedTuple):
    """A link of the proof with the frames that show it."""

    says: str
    outcome: str
    because: str
    frames: tuple[Shown, ...]


class Weighed(NamedTuple):
    """One claim and what became of it."""

    claim: str
    outcome: str
    because: str
    frames: tuple[Shown, ...]
    would_refute: str
    settled_by: str


class Role(NamedTuple):
    """Claims that play the same part."""

    says: str
    claims: tuple[Weighed, ...]


class Fact(NamedTuple):
    """A name and a value."""

    name: str
    value: str


class Filter(NamedTuple):
    """A Wireshark display filter, and the capture it is for."""

    capture: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One flow, from its verdict down to its identity."""

    number: int
    flow: str
    client: str
    headend: str
    verdict: str
    heading: str
    told: str
    title: str
    summary: str
    is_whole: bool
    """Everything that was named was looked at."""
    confidence: str
    sureness: str
    direction: str
    whereabouts: tuple[Fact, ...]
    proof: tuple[Proof, ...]
    ladder: Ladder | None
    has_diagram: bool
    is_excerpt: bool
    """Only the seconds that the report keeps are drawn."""
    turned_us: int | None
    """When the flow turned, in microseconds since 1970, as the diagram's columns have it."""
    matrices: tuple[Matrix, ...]
    crossings: tuple[str, ...]
    roles: tuple[Role, ...]
    also_possible: tuple[AlsoPossible, ...]
    missing_evidence: tuple[str, ...]
    recommendations: tuple[Recommendation, ...]
    filters: tuple[Filter, ...]
    facts: tuple[Fact, ...]


LINKS_IN_SHORT = 3
"""The proof of the failure has three links; what else several captures settle stands with the evidence."""
BECAUSES_IN_SHORT = 2
"""Of one link; all its claims stand with the evidence."""


def article_of(report: Report, one: Judged, traces: Sequence[Trace]) -> Article:
    flow, finding = one.flow, one.finding
    plain = plainly(finding.verdict, finding.confidence, finding.title, finding.summary)
    crossed = crossings_of(report, flow)
    lanes = lanes_of(report, flow, traces)
    turned_ns = _turned(lanes, flow.direction)
    return Article(
        number=one.number,
        flow=flow.id,
        client=endpoint(flow.client),
        headend=endpoint(flow.headend),
        verdict=finding.verdict,
        heading=plain.heading,
        told=plain.told,
        title=finding.title,
        summary=finding.summary,
        is_whole=report.coverage.is_complete,
        confidence=finding.confidence,
        sureness=CONFIDENCE.get(finding.confidence, ""),
        direction=flow.direction or "",
        whereabouts=tuple(_whereabouts(one)),
        proof=tuple(_proof(link, one) for link in links(finding)[:LINKS_IN_SHORT]),
        ladder=_ladder(lanes, turned_ns),
        has_diagram=any(len(lane.trace.columns) for lane in lanes),
        is_excerpt=any(lane.trace.is_excerpt for lane in lanes),
        turned_us=None if turned_ns is None else turned_ns // MICROSECOND_NS,
        matrices=tuple(matrix for path, some in crossed for matrix in matrices(path, some)),
        crossings=tuple(told for path, some in crossed for told in details(path, some, one.names)),
        roles=tuple(_roles(one)),
        also_possible=finding.also_possible,
        missing_evidence=finding.missing_evidence,
        recommendations=finding.recommendations,
        filters=tuple(_filters(one)),
        facts=tuple(_facts(one)),
    )


def _proof(link: Link, one: Judged) -> Proof:
    claims = [claim for claim in one.finding.evidence if link.says in (claim.link, claim_words(claim.claim))]
    because = "; ".join(claim.because for claim in claims[:BECAUSES_IN_SHORT])
    return Proof(_sentence(link.says), link.outcome, because, _shown(link.frames, one))


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _shown(by_capture: dict[str, tuple[int, ...]], one: Judged) -> tuple[Shown, ...]:
    """Frames, each with the customer's own file beside it where there are several."""
    names = _every_name(one)
    return tuple(
        Shown(frames({capture: numbers}, runs_at_most=RUNS_SHOWN, names=names), _filter_of(numbers))
        for capture, numbers in by_capture.items()
        if numbers
    )


def _filter_of(numbers: Iterable[int]) -> str:
    """Word by word: how a set is written differs between releases of Wireshark."""
    return " || ".join(f"frame.number == {number}" for number in sorted(set(numbers)))


def _every_name(one: Judged) -> Names:
    is_alone = len(one.names.labels) < 2
    return one.names if is_alone else replace(one.names, home=NO_CAPTURE)


def _whereabouts(one: Judged) -> Iterator[Fact]:
    flow = one.flow
    if flow.loss_location is not None:
        yield Fact("Lost", LOST.get(flow.loss_location, flow.loss_location))
    for name, author in (("Duplicate ACKs", flow.ack_author), ("RST", flow.rst_author)):
        if author is not None:
            yield Fact(name, f"made {BY.get(author) or WHERE.get(author, author)}")
    if flow.direction is not None and flow.loss_location is None:
        yield Fact("Direction", flow.direction.replace("-", " "))


def _turned(lanes: Sequence[Lane], direction: str | None) -> int | None:
    """Where the verdict names no direction, either may be the one."""
    ways = [way for way, word in enumerate(DIRECTION_WORDS) if direction in (word, None)]
    return next((at for way in ways if (at := turning_point(lanes, way)) is not None), None)


def _ladder(lanes: Sequence[Lane], turned_ns: int | None) -> Ladder | None:
    story = story_of(lanes, turned_ns)
    if story is None:
        return None
    start_ns = min(lane.trace.columns.at_ns[0] for lane in lanes if len(lane.trace.columns))
    return ladder_of(story, lanes, start_ns)


def _roles(one: Judged) -> Iterator[Role]:
    for role, says in ROLES.items():
        claims = [_weighed(claim, one) for claim in one.finding.evidence if claim.role == role]
        if claims:
            yield Role(says, tuple(claims))


def _weighed(claim: Evidence, one: Judged) -> Weighed:
    return Weighed(
        _sentence(claim_words(claim.claim)),
        claim.outcome,
        claim.because,
        _shown(claim.frames, one),
        claim.would_refute,
        claim.settled_by if claim.outcome == "unknown" else "",
    )


def _filters(one: Judged) -> Iterator[Filter]:
    """One for all captures where they are the same."""
    finding = one.finding
    texts = finding.display_filters or {one.flow.judged_in: finding.display_filter}
    if len(set(texts.values())) == 1:
        texts = {"": next(iter(texts.values()))}
    for capture, text in texts.items():
        if text:
            yield Filter(one.names.of(capture), text)


def _facts(one: Judged) -> Iterator[Fact]:
    flow = one.flow
    lasted = duration(flow.last_ns - flow.first_ns)
    yield Fact("Time", f"{utc(flow.first_ns)} to {utc(flow.last_ns)}, {lasted}")
    found = flow.encapsulation
    yield Fact("Carries", f"{found.kind}, {found.grade}: {found.because}")
    yield Fact("Ended", ending(one))
    if flow.roles_because:
        yield Fact("Client", flow.roles_because)
    for seen in flow.seen:
        yield Fact(one.names.of(seen.capture), _seen(seen))
    for episode in flow.episodes:
        asked = f"{wanted(episode, one.names)}: {count(episode.duplicate_acks, 'duplicate ACK')}"
        lost = missing_segment(episode, one.names)
        yield Fact("Asked for", f"{episode.direction} {asked}; {lost}; {answer(episode, one.names)}")
    if len(flow.episodes) < flow.episodes_total:
        yield Fact("", f"{flow.episodes_total - len(flow.episodes)} more episodes were not kept")
    yield Fact("Ids", f"finding {one.finding.id}, flow {flow.id}")


def _seen(seen: Seen) -> str:
    told = f"frames {seen.first_frame} to {seen.last_frame}, {seen.frames} of them; "
    told += f"{endpoint(seen.client)} to {endpoint(seen.headend)}"
    if seen.verdict_alone is None:
        return told
    return f"{told}; by itself: {seen.verdict_alone}, {seen.confidence_alone}"
