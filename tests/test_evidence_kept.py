"""Evidence of all flows together has a bound: beyond it those flows lose theirs that matter least, and it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcp_forensics._kernel.rows import GivenUpRow, Tcp
from ctcp_forensics.flows import build_flow
from ctcp_forensics.pipeline import Options, diagnose
from ctcp_forensics.report import exit_status
from tests import streams
from tests.fuzz.path import capped
from tests.kernels import PLAIN
from tests.test_ageing import WANTED, Talk, compiled, crowds, each_kernel, followed
from tests.test_kernel import assert_same_flows

ROOM = 16
LEFT = ROOM - ROOM // 8
"""An eighth is let go at a time."""
SAMPLES = Path(__file__).parent.parent / "samples"


def loses(talk: Talk, port: int, segments: int = 1) -> None:
    """As many segments, one behind the other, with a hole before each."""
    for number in range(segments):
        talk.says(port, Tcp.ACK, seq=200 + 100 * number, ack=200, payload_len=10)


def kept_of(tracker: Any, port: int) -> tuple[int, int]:
    """Holes of the client's direction: those that are kept, and those that ever were."""
    flows = range(tracker.tallies().flows)
    (index,) = [index for index in flows if tracker.flow(index).sport == port]
    return len(tracker.holes(index, 0)), tracker.direction(index, 0).holes_opened


def bared(kernel: Any, talk: Talk, **concern: Any) -> Any:
    return followed(kernel, talk.packets, places=100, evidence=ROOM, **concern)


# --- whose goes, and what stays ---------------------------------------------------------------------


@each_kernel
def test_ended_flows_lose_theirs_first_and_the_longest_silent_first(kernel: Any) -> None:
    talk = Talk()
    for port in range(4):
        talk.works(port)
        loses(talk, port, 4)
    talk.closes(1)
    talk.closes(2)
    assert [kept_of(bared(kernel, talk), port) for port in range(4)] == [(4, 4)] * 4, (
        "there is room for sixteen"
    )
    talk.works(9)
    loses(talk, 9)
    talk.works(8)  # before this segment one is too many
    tracker = bared(kernel, talk)
    assert [kept_of(tracker, port)[0] for port in (0, 1, 2, 3, 9)] == [4, 0, 4, 4, 1]
    assert kept_of(tracker, 1) == (0, 4), "what was counted stays counted"
    assert tracker.direction(1, 0).holes_forgotten == 4
    assert tracker.given_up() == GivenUpRow(0, 0, 0, 0, 0, 0, 0, bared=1, bared_in_question=0)


@each_kernel
@pytest.mark.parametrize(("concern", "in_question"), [({}, 1), ({"wanted": [443]}, 1), ({"wanted": None}, 1)])
def test_who_is_alive_or_to_be_judged_is_counted_apart(
    kernel: Any, concern: dict[str, Any], in_question: int
) -> None:
    talk = Talk()
    for port in range(5):
        talk.works(port)
        loses(talk, port, 4)
    gone = bared(kernel, talk, **concern).given_up()
    assert (gone.bared, gone.bared_in_question) == (0, in_question)


@each_kernel
def test_there_is_never_more_than_the_bound_however_many_flows_are_full_of_holes(kernel: Any) -> None:
    talk = Talk()
    for port in range(60):
        talk.works(port)
        loses(talk, port, 3)
    for port in range(60):
        loses(talk, port, 3)
    tracker = bared(kernel, talk)
    kept = [kept_of(tracker, port) for port in range(60)]
    assert LEFT <= sum(held for held, _ in kept) <= ROOM
    assert sum(opened for _, opened in kept) > 10 * ROOM
    assert next(flow for flow in range(60) if kept[flow][0]) > 50, "those that spoke last keep theirs"


@each_kernel
def test_messages_missing_from_an_association_stay_counted(kernel: Any) -> None:
    talk = Talk()
    for port in range(ROOM + 2):
        talk.works(port)
        talk.carries_ctcp(port)
    tracker = bared(kernel, talk)
    kept = [len(tracker.associations(index, 0)) for index in range(ROOM + 2)]
    assert kept == [0, 0, 0, *[1] * (ROOM - 1)]
    assert [tracker.direction(index, 0).associations for index in range(ROOM + 2)] == [1] * (ROOM + 2)
    assert tracker.given_up().bared_in_question == 3


@each_kernel
def test_what_one_kind_lost_may_be_room_enough_for_the_next(kernel: Any) -> None:
    """The first flow has most of the holes, so that its association is the only one that goes with them."""
    talk = Talk()
    for port in range(ROOM):
        talk.works(port)
        talk.carries_ctcp(port)
    for segment in range(4):
        talk.says(0, Tcp.ACK, seq=310 + 200 * segment, ack=200, payload_len=10)
    for port in range(1, ROOM - 3):
        talk.says(port, Tcp.ACK, seq=310, ack=200, payload_len=10)
    for port in range(ROOM - 3, ROOM):
        talk.says(port, Tcp.ACK, seq=210, ack=200, payload_len=10)
    talk.works(ROOM)
    assert bared(kernel, talk).given_up().bared_in_question == 0, "there are sixteen of each"
    talk.carries_ctcp(ROOM, seq=310)
    talk.works(99)
    tracker = bared(kernel, talk)
    assert tracker.given_up().bared_in_question == 1
    assert [len(tracker.associations(index, 0)) for index in range(ROOM + 1)] == [0, *[1] * ROOM]


# --- the twins, and what is told ----------------------------------------------------------------------


@pytest.mark.skipif(compiled is None, reason="the compiled core is not built here")
@settings(max_examples=200, deadline=None)
@given(
    stream=crowds(),
    places=st.integers(1, 9),
    evidence=st.integers(1, 12),
    watching=streams.watching(),
    wanted=WANTED,
)
def test_both_kernels_let_go_the_same(
    stream: list[Any], places: int, evidence: int, watching: dict[str, Any], wanted: Any
) -> None:
    one = followed(PLAIN, stream, places, evidence=evidence, wanted=wanted, **watching)
    other = followed(compiled, stream, places, evidence=evidence, wanted=wanted, **watching)
    assert_same_flows(one, other)
    assert one.given_up() == other.given_up()
    assert one.log() == other.log()


def test_the_report_says_so_and_its_coverage_is_not_complete() -> None:
    path = str(SAMPLES / "loss-tolerated.pcap")
    with capped(100, 4096, 1):
        found = diagnose([path], Options())
    (cap,) = [one for one in found.coverage.caps if one.cap.startswith("holes kept at once")]
    assert cap.reached_by == "c1: 55 times a flow, alive or to be judged, lost what was kept of it"
    assert found.coverage.flows_seen == 1, "one may lose some again and again"
    assert exit_status(found) == 3
    assert not diagnose([path], Options()).coverage.caps


def test_a_flow_that_lost_its_evidence_is_not_called_well() -> None:
    """What was lost is not known any more, so that the flow looks as if nothing had been."""
    with capped(100, 40_960, 1):
        (finding,) = diagnose([str(SAMPLES / "loss-tolerated.pcap")], Options()).findings
        report = diagnose([str(SAMPLES / "loss-tolerated.pcap")], Options(max_in_full=0))
    assert finding.verdict == "insufficient-evidence"
    assert finding.summary.startswith("What was kept of this flow was let go")
    assert [one.verdict for one in report.findings] == ["insufficient-evidence"], "nor is it told in a line"


@each_kernel
def test_it_is_known_which_flow_lost_its_evidence(kernel: Any) -> None:
    """An association that comes after it does not hide that there was another one before."""
    talk = Talk()
    for port in range(ROOM + 2):
        talk.works(port)
        talk.carries_ctcp(port)
    talk.carries_ctcp(1, seq=310)
    tracker = bared(kernel, talk)
    flows = [
        build_flow(tracker, index, ports=frozenset(), capture_last_ns=tracker.tallies().last_ns)
        for index in range(ROOM + 2)
    ]
    kept = [len(flow.to_headend.associations) + len(flow.to_client.associations) for flow in flows]
    assert [any(one.is_bared for one in flow.directions) for flow in flows] == [
        sum(one.row.associations for one in flow.directions) > some
        for flow, some in zip(flows, kept, strict=True)
    ]
    assert any(one.is_bared for one in flows[0].directions)
    assert not any(one.is_bared for one in flows[-1].directions)
