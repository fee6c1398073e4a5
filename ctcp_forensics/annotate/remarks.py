"""Remarks: what is said beside a frame, in a sentence that can be read aloud.

Knows the report: which frames its evidence rests on, and why.  Does not know captures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ctcp_forensics.render.judged import Judged
from ctcp_forensics.render.path import WHERE
from ctcp_forensics.render.wording import Names, clean, count, endpoint
from ctcp_forensics.report import Crossing, Episode, Evidence, Finding, Path, Report

MAX_REMARK_LEN: Final = 2_000
"""Characters; ctcp-diag itself reads no more of a comment."""
FEW_FRAMES: Final = 3
"""A claim is told at each of so many frames; of more, at the first and the last."""

ASKED, IN_BETWEEN = "it-was-asked-for", "the-acks-were-made-in-between"
LINES_OF_ASKING: Final = (ASKED, IN_BETWEEN)
TOLD_OTHERWISE: Final = frozenset(
    {*LINES_OF_ASKING, "the-asking-follows-the-data", "the-capture-outlasts-the-stall", "the-end-was-seen"}
)
"""Claims whose frames are duplicate ACKs and the ending, which are told as such."""

Placed = tuple[str, int, str]
"""A capture, a frame in it, and a sentence."""


@dataclass(slots=True)
class Remarks:
    """The sentences of every frame that has any, by capture."""

    said: dict[str, dict[int, list[str]]] = field(default_factory=dict)

    def add(self, placed: Iterable[Placed], before: str = "") -> None:
        for capture, frame, sentence in placed:
            sentences = self.said.setdefault(capture, {}).setdefault(frame, [])
            if before + sentence not in sentences:
                sentences.append(before + sentence)

    def frames(self, capture: str) -> Iterable[int]:
        return self.said.get(capture, ())

    def comment(self, capture: str, frame: int, name: str) -> str | None:
        """All that is said of one frame, and where it is in the capture that it comes from."""
        sentences = self.said.get(capture, {}).get(frame)
        if not sentences:
            return None
        words = clean("; ".join(sentences))
        where = f"; frame {frame} of {name}"
        room = MAX_REMARK_LEN - len(where)
        return (words if len(words) <= room else words[: room - 1] + "…") + where


def remarks_on(report: Report, concerned: Sequence[Judged]) -> Remarks:
    """Where several flows are told of, each sentence says which it is about."""
    remarks = Remarks()
    for judged in concerned:
        before = f"#{judged.number}: " if len(concerned) > 1 else ""
        for sentences in (of_questions, of_claims, of_ending):
            remarks.add(sentences(judged), before)
        remarks.add(of_crossings(report, judged), before)
    return remarks


# --- questions: duplicate ACKs, what they ask for, what answered ------------------------------------


def of_questions(judged: Judged) -> Iterator[Placed]:
    for episode in judged.flow.episodes:
        yield from of_missing_segment(episode)
        yield from of_asking(judged.finding, episode, judged.names)
        yield from of_answer(episode)


def of_missing_segment(episode: Episode) -> Iterator[Placed]:
    then = {True: "it is sent again later", False: "it is never sent again", None: ""}[episode.answered]
    for capture, frame in episode.missing_segment_frame.items():
        if frame is not None:
            passed = f"the missing segment: it carries byte {byte_in(episode, capture)} past this point"
            yield capture, frame, "; ".join(filter(None, (passed, then)))


def of_asking(finding: Finding, episode: Episode, names: Names) -> Iterator[Placed]:
    """All that were kept of the decisive question, else the first; counts are of the place that judged."""
    asks = max(episode.duplicate_acks, episode.sack_duplicate_acks)
    told = kept_asks(finding, episode, names.home)
    for capture, first in episode.first_duplicate_ack_frame.items():
        asked = f"asking for byte {byte_in(episode, capture)}"
        frames = told.get(capture) or (first,)
        if capture != names.home:
            yield from (
                (capture, frame, f"{ordinal(at)} duplicate ACK {asked}")
                for at, frame in enumerate(frames[:-1] or frames, start=1)
            )
            yield from ((capture, frames[-1], f"last duplicate ACK {asked}") for _ in frames[1:2])
            continue
        for at, frame in enumerate(frames, start=1):
            number = asks if at == len(frames) > 1 else at
            yield capture, frame, f"{ordinal(number)} of {count(asks, 'duplicate ACK')} {asked}"


def kept_asks(finding: Finding, episode: Episode, home: str) -> Mapping[str, Sequence[int]]:
    """The frames of its duplicate ACKs, where the finding is about this question."""
    first = episode.first_duplicate_ack_frame
    kept: dict[str, Sequence[int]] = {}
    for evidence in finding.evidence:
        frames = evidence.frames.get(home, ())
        if evidence.claim in LINES_OF_ASKING and frames and frames[0] == first.get(home):
            kept |= {
                capture: tuple(dict.fromkeys(some))
                for capture, some in evidence.frames.items()
                if some and some[0] == first.get(capture)
            }
    return kept


def of_answer(episode: Episode) -> Iterator[Placed]:
    asks = count(max(episode.duplicate_acks, episode.sack_duplicate_acks), "duplicate ACK")
    for capture, frame in episode.answered_frame.items():
        yield capture, frame, f"the answer to {asks}: carries byte {byte_in(episode, capture)} again"
    for capture, frame in episode.passed_frame.items():
        yield capture, frame, f"the ACK moves past byte {byte_in(episode, capture)}, which was asked for"


def byte_in(episode: Episode, capture: str) -> str:
    """The number on the wire, as the report has it; with Wireshark's relative one where the SYN was seen."""
    number = episode.wanted_seq.get(capture) or next(iter(episode.wanted_seq.values()), 0)
    return str(number) if episode.wanted_offset is None else f"{number} (relative {episode.wanted_offset})"


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, 21st."""
    ending = "th" if number // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


# --- claims ---------------------------------------------------------------------------------------------


def of_claims(judged: Judged) -> Iterator[Placed]:
    """What the verdict rests on, and what it lacks; refutations that fail are no evidence in any frame."""
    for evidence in judged.finding.evidence:
        if evidence.role == "refutation" or evidence.claim in TOLD_OTHERWISE:
            continue
        for capture, frames in evidence.frames.items():
            yield from SENTENCES.get(evidence.claim, in_general)(
                evidence, capture, tuple(dict.fromkeys(frames))
            )


def in_general(evidence: Evidence, capture: str, frames: Sequence[int]) -> Iterator[Placed]:
    """The claim's own reason."""
    told = frames if len(frames) <= FEW_FRAMES else (frames[0], frames[-1])
    for frame in told:
        yield capture, frame, because_of(evidence)


def because_of(evidence: Evidence) -> str:
    says = "" if evidence.outcome == "holds" else f"{evidence.claim.replace('-', ' ')}? {evidence.outcome}: "
    return says + evidence.because


def around_the_hole(evidence: Evidence, capture: str, frames: Sequence[int]) -> Iterator[Placed]:
    """The frames before and behind the hole; where the segment passed, its own frame and the first question."""
    if len(frames) == 2 and not evidence.because.startswith("frame "):
        yield capture, frames[0], "the last segment before the hole"
        yield capture, frames[1], f"this segment shows the hole: {because_of(evidence)}"
    else:
        yield from ((capture, frame, because_of(evidence)) for frame in frames[-1:])


def of_the_sender(evidence: Evidence, capture: str, frames: Sequence[int]) -> Iterator[Placed]:
    """The first and the last segment of its new data."""
    yield capture, frames[0], f"the sender goes on: {because_of(evidence)}"
    if len(frames) > 1:
        yield capture, frames[-1], "the last new segment of the sender"


def of_the_dead(evidence: Evidence, capture: str, frames: Sequence[int]) -> Iterator[Placed]:
    """Since when, and until when."""
    yield capture, frames[0], f"from here on: {because_of(evidence)}"


def of_the_last_ack(evidence: Evidence, capture: str, frames: Sequence[int]) -> Iterator[Placed]:
    yield capture, frames[-1], "this was the last to move the ACK"


SENTENCES: Final[Mapping[str, Callable[[Evidence, str, Sequence[int]], Iterator[Placed]]]] = {
    "a-segment-is-missing": around_the_hole,
    "the-sender-went-on": of_the_sender,
    "the-flow-is-dead": of_the_dead,
    "the-receiver-had-followed": of_the_last_ack,
}


# --- the ending, and what was lost between two captures --------------------------------------------------


def of_ending(judged: Judged) -> Iterator[Placed]:
    flow, ending = judged.flow, judged.flow.ending
    by = "" if ending.by is None else f" by the {ending.by}"
    if ending.kind in ("fin", "rst"):
        author = flow.rst_author if ending.kind == "rst" else None
        made = "" if author in (None, ending.by) else f", made {WHERE.get(author or '', author)}"
        for capture, frame in ending.frame.items():
            yield capture, frame, f"the end: {ending.kind.upper()}{by}{made}"
        return
    for seen in flow.seen:
        if judged.names.home in (seen.capture, ""):
            capture = seen.last_capture or seen.capture
            yield capture, seen.last_frame, f"the last frame of the flow: {ending.because}"


def of_crossings(report: Report, judged: Judged) -> Iterator[Placed]:
    for path in report.paths:
        for crossing in path.crossings:
            if crossing.flow == judged.flow.id:
                yield from of_losses(path, crossing, judged.names)


def of_losses(path: Path, crossing: Crossing, names: Names) -> Iterator[Placed]:
    if crossing.sent_from is None:
        return
    near, far = path.places[crossing.sent_from], path.places[crossing.towards]
    captures = crossing.lost_in or near.captures[:1] * len(crossing.lost_frames)
    missing = " and ".join(names.of(capture) for capture in far.captures)
    where = WHERE.get(crossing.location, crossing.location)
    for capture, frame in zip(captures, crossing.lost_frames, strict=False):
        yield capture, frame, f"not in {missing}: lost {where}"


def ends_of(judged: Judged) -> str:
    return f"{endpoint(judged.flow.client)} to {endpoint(judged.flow.headend)}"
