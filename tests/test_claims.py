"""Claims: each has a story in which it holds, one in which it fails and one in which nobody can know.

What a claim says of a case must be sayable aloud, point at frames that are there, and name what would
refute it and what would settle it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from textwrap import dedent
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from ctcp_forensics import claims
from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.evidence import Claim, Evidence, Outcome
from ctcp_forensics.render import causes, judged
from ctcp_forensics.report.findings import LEFT_BEHIND
from ctcp_forensics.verdict import VERDICTS
from tests.judged import judged_rows, together
from tests.test_path_stories import followed_of, path_stories, place_of
from tests.test_stories import OPENINGS, stories, wire_of
from tests.wire import Wire
from tests.wire import told as told_wire

ALL: dict[str, Claim] = {name: getattr(claims, name) for name in claims.__all__}
each_claim = pytest.mark.parametrize("name", ALL)

IS_NEVER_UNKNOWN = {
    "the_directions_stand_apart": "frames and times are in every capture",
    "the_frames_are_shuffled": "times are in every capture",
    "two_places_are_mixed": "what came again was counted",
    "a_question_is_left_open": "it looks at the end of what was captured, which is always there",
    "a_farewell_would_be_seen": "trailers were captured or not",
    "away_from_the_wrap": "a distance between two known numbers",
    "both_ends_fell_silent_at_once": "what it cannot tell from a capture's end it does not claim",
    "its_spi_goes_on_elsewhere": "the other flow was captured or not",
    "it_was_followed_to_its_end": "another flow needed its place or not",
    "it_was_closed_in_order": "a FIN or RST was captured or not",
    "loss_was_seen": "it speaks of this capture alone",
    "only_large_segments_vanish": "sizes that are not known divide nothing; of torn packets see test_attacks",
    "only_one_direction_was_seen": "frames of a direction were captured or not",
    "questions_were_answered": "an answer was captured or not",
    "the_capture_is_whole": "a counter is zero or not",
}


class Weighed(NamedTuple):
    """One claim on one flow of a story, as one of its captures shows it."""

    story: str
    claim: str
    evidence: Evidence
    shown: list[tuple[tuple[int, ...], Wire]]
    """Frames that the evidence points at, each with the capture that they are in."""


@cache
def weighed() -> list[Weighed]:
    """Every claim on every flow of every story, those of several captures included, and on flows judged early."""
    return [*weighed_alone(), *weighed_together(), *weighed_early()]


def weighed_alone() -> Iterator[Weighed]:
    for name, story in stories().items():
        wire = wire_of(story)
        for flow in judged_rows(wire, **story.get("capture", {})):
            for claim_name, claim in ALL.items():
                evidence = claim(flow.case)
                yield Weighed(name, claim_name, evidence, [(evidence.frames, wire)])


def weighed_together() -> Iterator[Weighed]:
    for name in path_stories():
        places = followed_of(name)
        for told in together(places).connections:
            wires = [place_of(told, number, places).seen.wire for number in range(len(told.cases))]
            for case, claim_name in product(told.cases, ALL):
                evidence = ALL[claim_name](case)
                shown = [(evidence.frames, wires[case.number])]
                shown += [(frames, wires[number]) for number, frames in evidence.elsewhere]
                yield Weighed(name, claim_name, evidence, shown)


def weighed_early() -> Iterator[Weighed]:
    """Of a full table: another flow needs the place of one that may go on, and of one that was closed long before."""
    for end in ("", "C > S  F\nS > C  F\n"):
        wire = told_wire(f"{OPENINGS['tunnel']}{end}+900s  other\n")
        (flow,) = judged_rows(wire)
        around = replace(flow.case.surroundings, place_needed_in=len(wire.captured))
        case = replace(flow.case, surroundings=around)
        for claim_name, claim in ALL.items():
            evidence = claim(case)
            yield Weighed("early", claim_name, evidence, [(evidence.frames, wire)])


def outcomes_of(name: str) -> set[Outcome]:
    return {one.evidence.outcome for one in weighed() if one.claim == name}


@each_claim
def test_a_claim_has_a_story_for_each_outcome(name: str) -> None:
    possible = set(Outcome) - ({Outcome.UNKNOWN} if name in IS_NEVER_UNKNOWN else set())
    assert outcomes_of(name) == possible


@each_claim
def test_a_claim_is_used_by_a_verdict(name: str) -> None:
    users = [
        row.slug
        for row in VERDICTS
        if ALL[name] in row.requires + row.refuted_by + row.doubts + row.proven_by
    ]
    assert users, "a claim that no verdict uses is dead"


def test_renderings_name_claims_that_there_are() -> None:
    """They know claims by their names alone: one that was renamed would be passed over without a word."""
    named = {*causes.EXCLUDES, *causes.REFUTES, *judged.SHARED_DOUBTS, judged.DECISIVE, LEFT_BEHIND}
    assert named <= {claim.name for claim in ALL.values()}


@each_claim
def test_a_claim_is_one_sentence_and_says_what_would_refute_it(name: str) -> None:
    claim = ALL[name]
    assert claim.name == name.replace("_", "-")
    assert re.fullmatch(r"[A-Z][^\n]*\.", claim.sentence)
    assert claim.would_refute
    assert not claim.would_refute.endswith(".")
    assert claim.sentence == (inspect.getdoc(claim.check) or "").splitlines()[0]


@each_claim
def test_a_claim_that_stayed_open_says_what_would_settle_it(name: str) -> None:
    assert ALL[name].settled_by or Outcome.UNKNOWN not in outcomes_of(name)


def test_every_because_can_be_said_aloud() -> None:
    for story, name, evidence, _ in weighed():
        assert evidence.because, (story, name)
        assert "\n" not in evidence.because, (story, name)
        assert not evidence.because.endswith("."), (story, name, evidence.because)
        assert not re.search(r"\b-1\b|None|NEVER", evidence.because), (story, name, evidence.because)


def test_every_frame_that_is_shown_was_captured() -> None:
    for story, name, _, shown in weighed():
        for frames, wire in shown:
            assert set(frames) <= {one.frame for one in wire.captured}, (story, name, frames)
            assert NEVER not in frames
            assert list(frames) == sorted(set(frames)), (story, name)


def test_frames_that_never_were_are_not_shown() -> None:
    def check(case: object) -> Any:
        return Outcome.HOLDS, "y", [7, NEVER, 3, 7, 0]

    made = Claim(name="x", sentence="X.", would_refute="z", settled_by="", check=check)
    assert made(SimpleNamespace(number=0, answers={})).frames == (3, 7)  # type: ignore[arg-type]


def test_a_sender_that_repeats_is_shown_by_its_first_retransmission() -> None:
    """Not by answers: the question is still open."""
    story = """
        C > S  +100  lost
        4 times every 1s:
          C > S  +100
          S > C  ack 1001  by F
        C > S  1201:1301  [again]
        C > S  1301:1401
        S > C  ack 1001  by F
    """
    wire = told_wire(OPENINGS["tunnel"] + dedent(story))
    evidence = claims.the_sender_never_repeats(judged_rows(wire)[0].case)
    assert (evidence.outcome, evidence.frames) == (Outcome.FAILS, (wire.labels["again"],))


def test_who_fell_silent_is_not_said_to_have_closed() -> None:
    """Dead peer detection without an answer, and then nothing more."""
    story = """
        C > S  +100  lost
        20 times every 1s:
          C > S  +100
          S > C  ack 1001
          S > C  +100  ack 1001
        5 times every 5s:
          C > S  +100  ike 5
          S > C  +100  ack 1001
        +600s  other
    """
    case = judged_rows(told_wire(OPENINGS["tunnel"] + dedent(story)))[0].case
    evidence = claims.the_flow_is_dead(case)
    assert evidence.because == "5 IKE messages of the sender stayed without an answer until it fell silent"


def test_a_claim_is_asked_once_of_each_case() -> None:
    asked = []

    def check(case: object) -> Any:
        asked.append(case)
        return Outcome.FAILS, "y"

    made = Claim(name="x", sentence="X.", would_refute="z", settled_by="", check=check)
    one, other = (SimpleNamespace(number=0, answers={}) for _ in range(2))
    assert made.answer(one) == made.answer(one) == (Outcome.FAILS, "y")  # type: ignore[arg-type]
    assert made(one).because == "y"  # type: ignore[arg-type]
    made(other)  # type: ignore[arg-type]
    assert asked == [one, other]
