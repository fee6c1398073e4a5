"""The screen: where it answers, the full judgement says the same; and it answers for what is plain.

Stories are held to it where they are judged, public captures where those are looked at; here are the samples, the
recorded laboratory, generated captures, and flows of them of which any number was changed.
"""

from __future__ import annotations

import random
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from benchmarks import generate
from ctcp_forensics._kernel import plain_screen
from ctcp_forensics._kernel.rows import (
    NEVER,
    AssociationRow,
    DirectionRow,
    EpisodeRow,
    FlowRow,
    HoleRow,
    Plain,
    SegmentRow,
    Tallies,
)
from ctcp_forensics.brief import lines_of, numbers
from ctcp_forensics.case import Case, assemble
from ctcp_forensics.cases import cases_of
from ctcp_forensics.flows import build_flow
from ctcp_forensics.pipeline import diagnose
from ctcp_forensics.reading import MAX_IN_FULL, Options, Reading, read
from ctcp_forensics.screen import LIMITS, OPEN, even_share, sifted
from tests import streams
from tests.crowd import towards_the_headend
from tests.kernels import COMPILED
from tests.screened import contradictions, is_contradicted, words_of
from tests.test_kernel import followed, plain
from tests.test_stories import stories, wire_of
from tests.wire import pcap_of

SAMPLES = sorted(
    path for path in (Path(__file__).parent.parent / "samples").iterdir() if ".pcap" in path.name
)
RECORDED = sorted((Path(__file__).parent / "recorded").rglob("*.pcap*"))
ALL = Options(all_tcp=True)
KERNEL = COMPILED or plain
SECOND = 1_000_000_000


def assert_agrees(reading: Reading) -> Counter[int]:
    cases = cases_of(reading, ALL)
    assert contradictions(reading.tracker, cases, reading.icmp_errors) == []
    return Counter(words_of(reading.tracker, [case.flow.index for case in cases], reading.icmp_errors))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_of_a_sample_the_screen_says_what_the_judgement_says(path: Path) -> None:
    assert_agrees(read(str(path), ALL))


def test_of_the_recorded_laboratory_the_screen_says_what_the_judgement_says() -> None:
    assert RECORDED
    for path in RECORDED:
        assert_agrees(read(str(path), ALL))


@pytest.mark.parametrize(
    ("kind", "frames", "flows"), [("A", 20_000, 200), ("B", 40_000, 500), ("ctcp", 40_000, 300)]
)
def test_of_generated_captures_the_screen_answers_nearly_all(
    kind: str, frames: int, flows: int, tmp_path: Path
) -> None:
    path = tmp_path / "made.pcap"
    generate.main([kind, "-o", str(path), "--frames", str(frames), "--flows", str(flows)])
    counts = assert_agrees(read(str(path), ALL))
    assert counts[Plain.JUDGE] < counts.total() / 5
    assert len(counts) > 2


# --- any numbers ----------------------------------------------------------------------------------


class Told:
    """A tracker of which every row is written down, so that any of them can be changed."""

    def __init__(self, reading: Reading) -> None:
        tracker, sides = reading.tracker, (0, 1)
        self.flows = [tracker.flow(index) for index in range(tracker.tallies().flows)]
        indices = range(len(self.flows))
        self.directions = [[tracker.direction(index, side) for side in sides] for index in indices]
        self._episodes = [[tracker.episodes(index, side) for side in sides] for index in indices]
        self._holes = [[tracker.holes(index, side) for side in sides] for index in indices]
        self._associations = [[tracker.associations(index, side) for side in sides] for index in indices]
        self._tallies = tracker.tallies()
        self.last_ns = self._tallies.last_ns
        self.around = reading.surroundings

    def tallies(self) -> Tallies:
        return self._tallies._replace(last_ns=self.last_ns)

    def flow(self, index: int) -> FlowRow:
        return self.flows[index]

    def direction(self, index: int, side: int) -> DirectionRow:
        return self.directions[index][side]

    def episodes(self, index: int, side: int) -> list[EpisodeRow]:
        return self._episodes[index][side]

    def holes(self, index: int, side: int) -> list[HoleRow]:
        return self._holes[index][side]

    def associations(self, index: int, side: int) -> list[AssociationRow]:
        return self._associations[index][side]

    def segments(self, index: int) -> list[SegmentRow]:
        return []

    def segments_with(self, index: int, side: int, position: int) -> list[SegmentRow]:
        return []

    def case(self) -> Case:
        flow = build_flow(self, 0, ports=frozenset({10_000}), capture_last_ns=self.last_ns)
        return assemble([flow], self.around.__class__(last_ns=self.last_ns), (), [None])[0]


@cache
def readings() -> list[Reading]:
    """Samples of one flow each, of every verdict."""
    found = [read(str(path), ALL) for path in SAMPLES]
    return [reading for reading in found if reading.tracker.tallies().flows == 1]


NOT_CHANGED = {
    "src",
    "dst",
    "associations",
    "episodes",
    "ike_opened",
    "originator",
    "signature",
    "silence_to_direction",
    "tail_direction",
    "data_tail_direction",
}
"""Neither a count nor a time, or bound to what other fields and rows say."""
STEPS = [
    0,
    1,
    -1,
    2,
    3,
    5,
    10,
    20,
    100,
    *(sign * n * SECOND for sign in (1, -1) for n in (1, 3, 5, 11, 31, 61, 400)),
]


def changed(row: Any, chance: random.Random) -> Any:
    """A row with a few of its numbers changed: to none, to few, to that of another field, or by a step."""
    names = [name for name in row._fields if name not in NOT_CHANGED]
    for name in chance.sample(names, chance.randrange(5)):
        value, other = getattr(row, name), getattr(row, chance.choice(names))
        row = row._replace(**{name: chance.choice([value + chance.choice(STEPS), other, NEVER, 0, 1, 3])})
    return row


@pytest.mark.parametrize("seed", range(10))
def test_whatever_the_numbers_are_the_screen_says_what_the_judgement_says(seed: int) -> None:
    chance = random.Random(seed)
    words = Counter[Plain]()
    for _ in range(400):
        told = Told(chance.choice(readings()))
        told.flows[0] = changed(told.flows[0], chance)
        told.directions[0] = [changed(row, chance) for row in told.directions[0]]
        told.last_ns += chance.choice(STEPS)
        if told.flows[0].silence_to_direction == NEVER:
            told.flows[0] = told.flows[0]._replace(longest_silence_ns=0)
        (word,) = plain_screen.screened(told, [0], LIMITS, ())
        assert not is_contradicted(told.case(), Plain(word))
        words[Plain(word)] += 1
    assert words[Plain.JUDGE] < 400 - 40, "the screen was meant to answer for some"


@settings(max_examples=100, deadline=None)
@given(stream=streams.packets(), wants=st.sets(st.integers(0, 3)))
def test_both_kernels_screen_any_stream_alike(stream: list[Any], wants: set[int]) -> None:
    reference, compiled = followed(plain, [stream]), followed(KERNEL, [stream])
    wanted = sorted(one for one in wants if one < reference.tallies().flows)
    assert words_of(reference, wanted) == words_of(compiled, wanted)
    ports = frozenset({10_000})
    assert reference.brief(wanted, ports, 7) == compiled.brief(wanted, ports, 7)
    flows = [
        build_flow(reference, one, ports=ports, capture_last_ns=reference.tallies().last_ns) for one in wanted
    ]
    columns = compiled.brief(wanted, ports)
    assert [
        (columns.addresses[client], client_port, columns.addresses[headend], headend_port)
        for client, client_port, headend, headend_port in zip(
            *map(numbers, (columns.client, columns.client_port, columns.headend, columns.headend_port)),
            strict=True,
        )
    ] == [ends_of(flow) for flow in flows]


def ends_of(flow: Any) -> tuple[bytes, int, bytes, int]:
    ends = (flow.row.src, flow.row.sport), (flow.row.dst, flow.row.dport)
    return ends[flow.client_side] + ends[1 - flow.client_side]


@pytest.mark.parametrize("kind", ["ctcp", "ctcp-cut"])
def test_of_one_direction_the_screen_says_that_nobody_can_tell(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "made.pcap"
    generate.main([kind, "-o", str(path), "--frames", "20000", "--flows", "300"])
    path.write_bytes(towards_the_headend(path.read_bytes()))
    words = assert_agrees(read(str(path), ALL))
    assert words[Plain.ONE_SIDED] > words.total() / 2  # cut off, not every head tells that it is ESP


# --- what other flows say ----------------------------------------------------------------------------


def test_a_flow_that_shares_an_spi_with_another_is_in_doubt() -> None:
    reading = read(str(next(path for path in SAMPLES if path.name == "nat-rebinding.pcap")), ALL)
    words = words_of(reading.tracker, range(reading.tracker.tallies().flows))
    assert words == [Plain.JUDGE] * len(words)
    assert len(words) == 2


def test_a_flow_that_an_icmp_error_quotes_is_in_doubt() -> None:
    reading = read(str(next(path for path in SAMPLES if path.name == "healthy.pcap")), ALL)
    row = reading.tracker.flow(0)
    assert words_of(reading.tracker, [0]) == [Plain.WELL]
    for quoted in (plain_screen.conversation(row), plain_screen.conversation(row._replace(sport=1))):
        expected = Plain.JUDGE if quoted == plain_screen.conversation(row) else Plain.WELL
        assert reading.tracker.screen([0], LIMITS, {quoted}) == bytes([expected])


# --- who is told in full -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "share"),
    [
        ({}, 0),
        ({Plain.WELL: 3}, 3),
        ({Plain.WELL: 201}, 200),
        ({Plain.WELL: 150, Plain.CLOSED: 51}, 149),
        ({Plain.WELL: 3, Plain.CLOSED: 1000, Plain.OTHER: 2000}, 98),
    ],
)
def test_room_is_dealt_out_evenly(counts: dict[Plain, int], share: int) -> None:
    assert even_share(Counter(counts), MAX_IN_FULL) == share


def test_the_first_flows_of_every_verdict_are_told_in_full(tmp_path: Path) -> None:
    path = tmp_path / "made.pcap"
    generate.main(["ctcp", "-o", str(path), "--frames", "20000", "--flows", "200"])
    reading = read(str(path), ALL)
    wanted = range(reading.tracker.tallies().flows)
    words = words_of(reading.tracker, wanted)
    found = sifted(reading.tracker, wanted, (), reading.surroundings, 4 * len(set(words) - OPEN))
    briefly, said = found.told_briefly
    assert sorted([*found.in_full, *briefly]) == list(wanted)
    assert list(said) == [words[index] for index in briefly]
    assert found.open == [index for index in wanted if words[index] in OPEN]
    told = Counter(words[index] for index in found.in_full)
    assert all(told[word] == words.count(word) for word in OPEN)
    assert {told[word] for word in set(words) - OPEN} == {4}
    for word in set(words) - OPEN:
        assert [index for index in found.in_full if words[index] == word] == [
            index for index in wanted if words[index] == word
        ][:4]


# --- however few are told in full -------------------------------------------------------------------------


@pytest.mark.parametrize("name", stories())
def test_a_story_says_the_same_however_few_of_its_flows_are_told_in_full(name: str, tmp_path: Path) -> None:
    path = tmp_path / "story.pcap"
    path.write_bytes(pcap_of(wire_of(stories()[name])))
    whole, short = (diagnose([str(path)], replace(ALL, max_in_full=most)) for most in (None, 0))
    verdicts = {flow.first_ns: (flow.verdict, flow.confidence) for flow in whole.flows}
    briefly = {line.first_ns: (line.verdict, line.confidence) for line in lines_of(short)}
    assert {flow.first_ns: (flow.verdict, flow.confidence) for flow in short.flows} | briefly == verdicts
