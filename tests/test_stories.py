"""Stories: each tells a capture in the field's notation, and its name is the sentence it proves.

Every story runs three ways: as packets written down, through the plain tracker alone; and as bytes,
through decoding and tracking of the plain and of the compiled kernel.  All three must say the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ctcp_forensics import claims
from ctcp_forensics._kernel import plain_decode
from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.episodes import Episode
from ctcp_forensics.flows import Direction
from tests.judged import Judged, judged, judged_rows, tracked_bytes
from tests.kernels import COMPILED, PLAIN, needs_core
from tests.wire import Wire, frames_of, packets_of, told

STORIES = Path(__file__).parent / "stories"
OPENINGS: dict[str, str] = yaml.safe_load((STORIES / "openings.yml").read_text(encoding="utf-8"))
KEYS = {"name", "says", "opens", "carries", "snap_len", "isn", "capture", "story", "expect"}


@cache
def stories() -> dict[str, dict[str, Any]]:
    """Those of one capture; for several see test_path_stories."""
    return {name: story for name, story in read_stories().items() if "places" not in story}


@cache
def read_stories() -> dict[str, dict[str, Any]]:
    told_ = [
        story
        for path in sorted(STORIES.glob("*.yml"))
        if path.stem != "openings"
        for story in yaml.safe_load(path.read_text(encoding="utf-8"))
    ]
    assert len({story["name"] for story in told_}) == len(told_), "two stories prove the same sentence"
    return {story["name"]: story for story in told_}


def wire_of(story: dict[str, Any]) -> Wire:
    return told(
        OPENINGS.get(story.get("opens", ""), "") + story["story"],
        carries=story.get("carries", "ctcp"),
        snap_len=story.get("snap_len"),
        isns=story.get("isn"),
    )


@pytest.mark.parametrize("name", stories())
def test_a_story_as_packets_written_down(name: str) -> None:
    story = stories()[name]
    wire = wire_of(story)
    compare(story, wire, judged_rows(wire, **story.get("capture", {})))


@pytest.mark.parametrize("name", stories())
def test_a_story_as_bytes_through_the_plain_kernel(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run_bytes(stories()[name], PLAIN, monkeypatch)


@needs_core
@pytest.mark.parametrize("name", stories())
def test_a_story_as_bytes_through_the_compiled_kernel(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run_bytes(stories()[name], COMPILED, monkeypatch)


def run_bytes(story: dict[str, Any], kernel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wire = wire_of(story)
    tracker, icmp_errors = tracked_bytes(wire, kernel, monkeypatch)
    compare(story, wire, judged(tracker, icmp_errors, **story.get("capture", {})))


@pytest.mark.parametrize("name", stories())
def test_the_bytes_of_a_story_decode_to_its_packets(name: str) -> None:
    """What was written down without decoding is what the decoder finds in the bytes."""
    wire = wire_of(stories()[name])
    packets = plain_decode.Packets()
    plain_decode.decode(*frames_of(wire), packets)
    for found, written in zip((packets[at] for at in range(len(packets))), packets_of(wire), strict=True):
        if written.status:
            assert found[:3] == written[:3]
        else:
            assert without_prints(found) == without_prints(written)


def without_prints(packet: Any) -> Any:
    messages = tuple(message._replace(print64=0) for message in packet.messages)
    return packet._replace(print64=0, messages=messages)


# --- expectations ------------------------------------------------------------------------------


def compare(story: dict[str, Any], wire: Wire, flows: list[Judged]) -> None:
    """Every expectation of a story, on its only flow or, as a list, on each of them."""
    unknown = set(story) - KEYS
    assert not unknown, f"no part of a story: {unknown}"
    expected = story["expect"] if isinstance(story["expect"], list) else [story["expect"]]
    assert len(flows) == len(expected), f"{len(flows)} flows"
    assert any(expected), "a story expects something"
    for wanted, flow in zip(expected, flows, strict=True):
        found = {key: FINDERS[key](flow, want, wire) for key, want in wanted.items()}
        assert found == {key: labelled(want, wire) for key, want in wanted.items()}


def labelled(wanted: Any, wire: Wire) -> Any:
    """Names of frames become their numbers."""
    if isinstance(wanted, dict):
        return {key: labelled(value, wire) for key, value in wanted.items()}
    return wire.labels.get(wanted, wanted) if isinstance(wanted, str) else wanted


def episodes_of(flow: Judged) -> list[tuple[Direction, Episode]]:
    """All questions of a flow, in the order in which they were asked."""
    asked = [(d, one) for d in flow.case.flow.directions for one in d.episodes]
    return sorted(asked, key=lambda item: item[1].row.first_frame)


def find_episode(flow: Judged, wanted: dict[str, Any], at: int) -> dict[str, Any]:
    direction, episode = episodes_of(flow)[at]
    known = {
        "direction": direction.name,
        "wanted_seq": episode.wanted_seq,
        "wanted_offset": episode.wanted_offset,
        "missing_segment_frame": episode.missing_segment_frame or "none",
        "asks": episode.asks,
        "sacked_offset": episode.row.sacked_left,
    }
    row = {name: none_of(value) for name, value in episode.row._asdict().items()}
    return {key: {**row, **known}[key] for key in wanted}


def none_of(value: Any) -> Any:
    return "none" if value == NEVER else value


def find_counts(direction: Direction, wanted: dict[str, Any]) -> dict[str, Any]:
    known = {"missing_bytes": direction.missing_bytes, **direction.row._asdict()}
    return {key: none_of(known[key]) for key in wanted}


def find_ending(flow: Judged, wanted: dict[str, Any]) -> dict[str, Any]:
    ending = flow.case.flow.ending
    known = {
        "kind": str(ending.kind),
        "direction": ending.direction or "none",
        "frame": ending.frame or "none",
    }
    return {key: known[key] for key in wanted}


def find_claims(flow: Judged, wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: str(getattr(claims, name.replace("-", "_"))(flow.case).outcome) for name in wanted}


FINDERS: dict[str, Callable[[Judged, Any, Wire], Any]] = {
    "verdict": lambda flow, _, __: flow.judgement.verdict.slug,
    "confidence": lambda flow, _, __: str(flow.judgement.confidence),
    "kind": lambda flow, _, __: flow.case.encapsulation.kind,
    "grade": lambda flow, _, __: str(flow.case.encapsulation.grade),
    "client": lambda flow, _, __: f"{flow.case.flow.client.address}:{flow.case.flow.client.port}",
    "roles_because": lambda flow, _, __: flow.case.flow.roles_because,
    "episodes": lambda flow, _, __: flow.case.episode_count,
    "episode": lambda flow, wanted, _: find_episode(flow, wanted, -1),
    "first_episode": lambda flow, wanted, _: find_episode(flow, wanted, 0),
    "to_headend": lambda flow, wanted, _: find_counts(flow.case.flow.to_headend, wanted),
    "to_client": lambda flow, wanted, _: find_counts(flow.case.flow.to_client, wanted),
    "ending": lambda flow, wanted, _: find_ending(flow, wanted),
    "claims": lambda flow, wanted, _: find_claims(flow, wanted),
    "also_possible": lambda flow, _, __: [one.verdict.slug for one in flow.judgement.also_possible],
}
