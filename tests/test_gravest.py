"""The gravest: of very many flows that are not well some are told in full; nobody is forgotten or called otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ctcp_forensics import dealing
from ctcp_forensics._kernel.rows import Plain
from ctcp_forensics.brief import lines_of
from ctcp_forensics.cases import Docket, cases_of
from ctcp_forensics.compare import Outcome, compare
from ctcp_forensics.dealing import Sentences
from ctcp_forensics.pipeline import Options, diagnose
from ctcp_forensics.reading import read
from ctcp_forensics.render import render
from ctcp_forensics.render.look import PLAIN, Depth, Look
from ctcp_forensics.report import FLAGSHIP, Flow, Report, exit_status
from ctcp_forensics.screen import JUDGED, WORDS, even_share
from ctcp_forensics.verdict import CONFIDENCES, VERDICTS
from tests.crowd import ALL, made, short, towards_the_headend, whole

__all__ = ["made", "short", "whole"]

ROOM = 7
FEW = Options(max_in_full=6, max_unwell_in_full=ROOM)
FRAMES, FLOWS = 24_000, 1_200
SAMPLES = Path(__file__).parent.parent / "samples"


# --- what is told ---------------------------------------------------------------------------------


def test_every_flow_is_told_once_and_called_the_same(whole: Report, short: Report) -> None:
    in_full = {flow.id for flow in short.flows}
    known = {flow.id: flow for flow in whole.flows}
    assert all(flow == known[flow.id] for flow in short.flows)
    findings = {finding.id: finding for finding in whole.findings}
    assert all(finding == findings[finding.id] for finding in short.findings)
    others = [facts_of(flow) for flow in whole.flows if flow.id not in in_full]
    assert [tuple(line[2:9]) for line in lines_of(short)] == others
    assert [line.number for line in lines_of(short)] == list(range(len(in_full) + 1, len(known) + 1))


def test_of_one_direction_every_flow_is_told_once_and_called_the_same(made: Path, tmp_path: Path) -> None:
    """Here the kernel tells who they are, and nobody judges them."""
    path = tmp_path / "one-direction.pcap"
    path.write_bytes(towards_the_headend(made.read_bytes()))
    whole, short = (diagnose([str(path)], options) for options in (ALL, FEW))
    in_full = {flow.id for flow in short.flows}
    assert len(in_full) == ROOM
    others = [facts_of(flow) for flow in whole.flows if flow.id not in in_full]
    assert [tuple(line[2:9]) for line in lines_of(short)] == others
    assert {verdict for verdict, *_ in others} == {"insufficient-evidence"}


def facts_of(flow: Flow) -> tuple[object, ...]:
    (seen,) = flow.seen
    times = (flow.first_ns, flow.last_ns, seen.first_frame)
    return (flow.verdict, flow.confidence, flow.client, flow.headend, *times)


def test_of_those_that_are_not_well_some_are_told_in_full(whole: Report, short: Report) -> None:
    """Six that are well, and as many others as there is room for; status and coverage are those of the whole."""
    assert 0 < deaths_in(short) < deaths_in(whole) / 2
    assert ROOM < len(short.flows) <= ROOM + 6
    assert exit_status(short) == exit_status(whole) == 1
    assert short.coverage == whole.coverage


def deaths_in(report: Report) -> int:
    return sum(flow.verdict == FLAGSHIP for flow in report.flows)


def test_the_failure_counts_where_only_a_line_tells_of_it(short: Report) -> None:
    assert exit_status(replace(short, findings=(), flows=())) == 1


def test_where_there_is_room_nothing_changes(made: Path, whole: Report) -> None:
    enough = diagnose([str(made)], Options(max_in_full=6))
    assert deaths_in(enough) == deaths_in(whole)
    assert enough == diagnose([str(made)], replace(FEW, max_unwell_in_full=len(enough.flows)))
    assert enough != diagnose([str(made)], replace(FEW, max_unwell_in_full=ROOM))


@pytest.mark.parametrize("form", ["table", "note", "markdown"])
def test_all_that_died_are_counted(whole: Report, short: Report, form: str) -> None:
    dead = deaths_in(whole)
    look = Look(depth=Depth.WHAT, width=None, pen=PLAIN)
    said = " ".join("".join(render(short, form, look)).replace("\\", "").split())
    assert (f"{dead} {FLAGSHIP}" if form == "note" else f"{dead} of {len(whole.flows)} flows: ") in said
    if form != "note":
        assert (
            f"{dead - deaths_in(short)} {FLAGSHIP}"
            in said.partition("told in a line each by csv and ndjson: ")[2]
        )


def test_a_comparison_does_not_pass_over_them(whole: Report, short: Report) -> None:
    """Nothing that is told in full failed, and a line tells of the same clients that they did."""
    kept = {flow.id for flow in short.flows if flow.verdict != FLAGSHIP}
    after = replace(
        short,
        flows=tuple(flow for flow in short.flows if flow.id in kept),
        findings=tuple(one for one in short.findings if one.flow in kept),
    )
    outcomes = {one.outcome for one in compare(whole, after).pairings if one.after.flows}
    assert outcomes == {Outcome.CANNOT_BE_TOLD}


# --- the same cases, one by one -----------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.pcap*")))
def test_a_docket_makes_the_same_cases(name: str) -> None:
    options = Options(all_tcp=True)
    reading = read(str(SAMPLES / name), options)
    together = cases_of(reading, options)
    docket = Docket(reading, options, [case.flow.index for case in together])
    assert [docket.case(case.flow.index) for case in together] == together


def test_some_sample_has_flows_that_go_on_with_one_another() -> None:
    options = Options(all_tcp=True)
    cases = [
        case
        for path in sorted(SAMPLES.glob("*.pcap*"))
        for case in cases_of(read(str(path), options), options)
    ]
    assert any(case.rebound_to for case in cases)


# --- who finds room -------------------------------------------------------------------------------------

DEAD = {confidence: WORDS[FLAGSHIP, confidence] for confidence in CONFIDENCES}


def test_every_verdict_has_a_word_that_the_screen_does_not_have() -> None:
    assert all(JUDGED[WORDS[row.slug, sure]] == (row.slug, sure) for row in VERDICTS for sure in CONFIDENCES)
    assert max(Plain) < min(JUDGED)
    assert max(JUDGED) < 256


class Sentence(NamedTuple):
    word: int
    client: str
    headend: str


def gravest(some: Sequence[Sentence], room: int) -> set[int]:
    sentences = Sentences()
    for one in some:
        sentences.add(*one)
    return dealing.gravest(sentences, room)


def dead(client: str, headend: str = "h", confidence: str = "strong") -> Sentence:
    return Sentence(WORDS[FLAGSHIP, confidence], client, headend)  # type: ignore[index]


def test_the_surest_come_first() -> None:
    some = [dead(f"c{n}", confidence=word) for n, word in enumerate(("consistent", "strong", "proven"))]
    assert [gravest(some, room) for room in range(1, 4)] == [{2}, {1, 2}, {0, 1, 2}]


def test_one_client_leaves_room_for_others() -> None:
    some = [dead("busy")] * 10 + [dead("other")]
    assert gravest(some, 2) == {0, 10}
    assert gravest(some, 3) == {0, 1, 10}


def test_one_headend_leaves_room_for_others() -> None:
    some = [dead(f"c{n}") for n in range(10)] + [dead("late", "other"), dead("late", "other")]
    assert gravest(some, 4) == {0, 1, 10, 11}


def test_a_rare_verdict_is_not_crowded_out() -> None:
    rare = Sentence(WORDS["nat-rebinding", "strong"], "c", "h")  # type: ignore[index]
    assert gravest([dead(f"c{n}") for n in range(10)] + [rare], 3) == {0, 1, 10}


SENTENCES = st.lists(
    st.builds(
        Sentence,
        st.sampled_from(sorted(JUDGED)[-40:]),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["x", "y"]),
    )
)


@given(SENTENCES, st.integers(0, 30))
def test_as_many_of_each_verdict_as_there_is_room_for_and_never_a_less_sure_one_before_a_surer(
    some: Sequence[Sentence], room: int
) -> None:
    kept = gravest(some, room)
    verdicts = Counter(JUDGED[one.word][0] for one in some)
    share = even_share(verdicts, room)
    assert Counter(JUDGED[some[number].word][0] for number in kept) == {
        verdict: min(number, share) for verdict, number in verdicts.items() if share
    }
    for verdict in verdicts:
        ranks = [
            (CONFIDENCES.index(JUDGED[one.word][1]), number not in kept)
            for number, one in enumerate(some)
            if JUDGED[one.word][0] == verdict
        ]
        taken = [rank for rank, is_left in ranks if not is_left]
        left = [rank for rank, is_left in ranks if is_left]
        assert not taken or not left or max(taken) <= min(left)
