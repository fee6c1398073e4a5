"""Remarks: what is said beside a frame, in a sentence that can be read aloud.

Knows the report: which frames its evidence rests on, and why.  Does not know captures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ctcp_forensics.annotate.marking import Run, runs_in
from ctcp_forensics.render.judged import Judged
from ctcp_forensics.render.path import WHERE
from ctcp_forensics.render.wording import Names, by_or_in_the_name_of, claim_words, clean, count, endpoint
from ctcp_forensics.report import Crossing, Episode, Evidence, Finding, Path, Report

MAX_REMARK_LEN: Final = 2_000
"""Characters; ctcp-diag itself reads no more of a comment."""
FEW_FRAMES: Final = 3
"""A claim is told at each of so many frames; of more, at the first and the last."""

ASKED, IN_BETWEEN = "it-was-asked-for", "the-acks-were-made-in-between"
TOLD_OTHERWISE: Final = frozenset(
    {ASKED, IN_BETWEEN, "the-asking-follows-the-data", "the-capture-outlasts-the-stall", "the-end-was-seen"}
)
"""Claims whose frames are duplicate ACKs and the ending, which are told as such."""

PASSED: Final = "frame "
"""So begins the reason of a missing segment that this capture holds."""

Placed = tuple[str, int, str]
"""A capture, a frame in it, and a sentence."""
Runs = Mapping[str, Run]
Frames = tuple[tuple[str, int], ...]
"""Of one place, in order: each with its capture, of which a rotated one has several."""


@dataclass(slots=True)
class Remarks:
    """What is said of each frame, by capture; of each flow apart, since a frame may be evidence for several."""

    said: dict[str, dict[int, dict[str, list[str]]]] = field(default_factory=dict)

    def add(self, placed: Iterable[Placed], flow: str = "") -> None:
        for capture, frame, sentence in placed:
            sentences = self.said.setdefault(capture, {}).setdefault(frame, {}).setdefault(flow, [])
            if sentence not in sentences:
                sentences.append(sentence)

    def frames(self, capture: str) -> Iterable[int]:
        return self.said.get(capture, ())

    def comment(self, capture: str, frame: int, name: str) -> str | None:
        """All that is said of one frame, and where it is in the capture that it comes from."""
        by_flow = self.said.get(capture, {}).get(frame)
        if not by_flow:
            return None
        words = clean("; ".join(flow + "; ".join(sentences) for flow, sentences in by_flow.items()))
        where = f"; frame {frame} of {name}"
        room = MAX_REMARK_LEN - len(where)
        return (words if len(words) <= room else words[: room - 1] + "…") + where


def remarks_on(report: Report, concerned: Sequence[Judged]) -> Remarks:
    """Where several flows are told of, it is said which a sentence is about."""
    remarks, runs = Remarks(), runs_in(report)
    for judged in concerned:
        flow = f"#{judged.number}: " if len(concerned) > 1 else ""
        home = runs.get(judged.flow.judged_in, ())
        remarks.add(of_questions(judged, home, runs), flow)
        remarks.add(of_claims(judged, runs), flow)
        remarks.add(of_ending(judged, home), flow)
        remarks.add(of_crossings(report, judged), flow)
    return remarks


def by_place(frames: Mapping[str, Sequence[int]], runs: Runs) -> list[Frames]:
    """Frames of one place together, those of its captures one after the other, each once."""
    return [
        tuple(dict.fromkeys((capture, frame) for capture in run for frame in frames.get(capture, ())))
        for run in dict.fromkeys(runs[capture] for capture in frames)
    ]


# --- questions: duplicate ACKs, what they ask for, what answered ------------------------------------


def of_questions(judged: Judged, home: Sequence[str], runs: Runs) -> Iterator[Placed]:
    for episode in judged.flow.episodes:
        yield from of_missing_segment(episode)
        here = decisive(judged.finding, episode, runs) or first_of(episode, home)
        yield from of_asking(episode, here)
        for frames in asked_elsewhere(judged.finding, episode, here, home, runs):
            yield from of_asking_elsewhere(episode, frames)
        yield from of_answer(episode)


def of_missing_segment(episode: Episode) -> Iterator[Placed]:
    then = {True: "it is sent again later", False: "it is never sent again", None: ""}[episode.answered]
    for capture, frame in episode.missing_segment_frame.items():
        if frame is not None:
            passed = f"the missing segment: it carries byte {byte_in(episode, capture)} past this point"
            yield capture, frame, "; ".join(filter(None, (passed, then)))


def decisive(finding: Finding, episode: Episode, runs: Runs) -> Frames:
    """The duplicate ACKs that were kept of the question that the finding is about; nothing of another one."""
    asked = {f"byte {number}" for number in episode.wanted_seq.values()}
    for evidence in finding.evidence:
        if evidence.claim == ASKED and any(words in evidence.because for words in asked):
            return next(iter(by_place(evidence.frames, runs)), ())
    return ()


def first_of(episode: Episode, home: Sequence[str]) -> Frames:
    return tuple(
        (where, frame) for where, frame in episode.first_duplicate_ack_frame.items() if where in home
    )


def asked_elsewhere(
    finding: Finding, episode: Episode, here: Frames, home: Sequence[str], runs: Runs
) -> list[Frames]:
    """The same question at the other places: all that were kept, else the first."""
    kept = {
        frames[0]: frames
        for evidence in finding.evidence
        if evidence.claim == IN_BETWEEN
        for frames in by_place(evidence.frames, runs)
        if frames
    }
    first = sorted(set(episode.first_duplicate_ack_frame.items()) - set(here))
    return [kept.get(one, (one,)) for one in first if here or one[0] not in home]


def of_asking(episode: Episode, frames: Frames) -> Iterator[Placed]:
    """At the place that the flow is judged at: the first are kept, and the last."""
    asks = max(episode.duplicate_acks, episode.sack_duplicate_acks)
    for at, (capture, frame) in enumerate(frames, start=1):
        number = asks if at == len(frames) > 1 else at
        asked = f"asking for byte {byte_in(episode, capture)}"
        yield capture, frame, f"{ordinal(number)} of {count(asks, 'duplicate ACK')} {asked}"


def of_asking_elsewhere(episode: Episode, frames: Frames) -> Iterator[Placed]:
    """At another place, for which the report does not say how many there were."""
    for at, (capture, frame) in enumerate(frames, start=1):
        number = "last" if at == len(frames) > 1 else ordinal(at)
        yield capture, frame, f"{number} duplicate ACK asking for byte {byte_in(episode, capture)}"


def of_answer(episode: Episode) -> Iterator[Placed]:
    asks = count(max(episode.duplicate_acks, episode.sack_duplicate_acks), "duplicate ACK")
    for capture, frame in episode.answered_frame.items():
        yield capture, frame, f"the answer to {asks}: carries byte {byte_in(episode, capture)} again"
    for capture, frame in episode.passed_frame.items():
        yield capture, frame, f"the ACK moves past byte {byte_in(episode, capture)}, which was asked for"


def byte_in(episode: Episode, capture: str) -> str:
    """The number on the wire, as the report has it; with Wireshark's relative one where the SYN was seen."""
    number = episode.wanted_seq.get(capture, next(iter(episode.wanted_seq.values()), 0))
    return str(number) if episode.wanted_offset is None else f"{number} (relative {episode.wanted_offset})"


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, 21st."""
    ending = "th" if number // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


# --- claims ---------------------------------------------------------------------------------------------


def of_claims(judged: Judged, runs: Runs) -> Iterator[Placed]:
    """What the verdict rests on, and what it lacks; refutations that fail are no evidence in any frame."""
    for evidence in judged.finding.evidence:
        if evidence.role == "refutation" or evidence.claim in TOLD_OTHERWISE:
            continue
        for frames in by_place(evidence.frames, runs):
            yield from SENTENCES.get(evidence.claim, in_general)(evidence, frames)


def in_general(evidence: Evidence, frames: Frames) -> Iterator[Placed]:
    """The claim's own reason."""
    for capture, frame in frames if len(frames) <= FEW_FRAMES else (frames[0], frames[-1]):
        yield capture, frame, because_of(evidence)


def because_of(evidence: Evidence, holds: str = "") -> str:
    """Claims are named by their sentences."""
    sentence = claim_words(evidence.claim)
    match evidence.outcome:
        case "holds":
            return holds + evidence.because
        case "fails":
            return f"it does not hold that {sentence}: {evidence.because}"
        case _:
            return f"whether {sentence} is not known: {evidence.because}"


def around_the_hole(evidence: Evidence, frames: Frames) -> Iterator[Placed]:
    """The frames before and behind it; a segment that passed this point is told of as the missing one."""
    if not frames:
        return
    if evidence.because.startswith(PASSED):
        yield *frames[0], "the receiver lacks it"
        return
    if len(frames) > 1:
        yield *frames[0], "the last segment before the hole"
    yield *frames[-1], because_of(evidence, "this segment shows the hole: " if len(frames) > 1 else "")


def of_the_sender(evidence: Evidence, frames: Frames) -> Iterator[Placed]:
    """The first and the last segment of its new data."""
    yield *frames[0], because_of(evidence, "the sender goes on: ")
    if len(frames) > 1:
        yield *frames[-1], "the last new segment of the sender"


def of_the_dead(evidence: Evidence, frames: Frames) -> Iterator[Placed]:
    """Since when."""
    yield *frames[0], because_of(evidence, "from here on: ")


def of_the_last_ack(_evidence: Evidence, frames: Frames) -> Iterator[Placed]:
    yield *frames[-1], "this was the last to move the ACK"


SENTENCES: Final[Mapping[str, Callable[[Evidence, Frames], Iterator[Placed]]]] = {
    "a-segment-is-missing": around_the_hole,
    "the-sender-went-on": of_the_sender,
    "the-flow-is-dead": of_the_dead,
    "the-receiver-had-followed": of_the_last_ack,
}


# --- the ending, and what was lost between two captures --------------------------------------------------


def of_ending(judged: Judged, home: Sequence[str]) -> Iterator[Placed]:
    flow, ending = judged.flow, judged.flow.ending
    by = "" if ending.by is None else f" {by_or_in_the_name_of(flow)} the {ending.by}"
    if ending.kind in ("fin", "rst"):
        author = flow.rst_author if ending.kind == "rst" else None
        made = "" if author in (None, ending.by) else f", made {WHERE.get(author or '', author)}"
        for capture, frame in ending.frame.items():
            yield capture, frame, f"the end: {ending.kind.upper()}{by}{made}"
        return
    for seen in flow.seen:
        if seen.capture in home:
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
    files = " and ".join(names.of(capture) for capture in far.captures)
    missing = files if far.interface is None else far.vantage
    where = WHERE.get(crossing.location, crossing.location)
    for capture, frame in zip(captures, crossing.lost_frames, strict=False):
        yield capture, frame, f"not in {missing}: lost {where}"


def ends_of(judged: Judged) -> str:
    return f"{endpoint(judged.flow.client)} to {endpoint(judged.flow.headend)}"
