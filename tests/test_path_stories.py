"""Path stories: each is told once and captured at several places; its name is the sentence that they prove together.

Every story runs as packets written down and as bytes through the kernels, as stories of one capture do, and then
through savefiles and the whole pipeline.  Whatever a story expects, three things hold of all of them: the order in
which captures are named changes nothing, the offset of two clocks lies in its interval, and with one more capture
nothing that held becomes wrong without a frame that shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import combinations
from pathlib import Path as File
from typing import Any

import pytest

from ctcp_forensics import claims
from ctcp_forensics._kernel import plain_decode
from ctcp_forensics.case import Case
from ctcp_forensics.conclude.flow import author_of_acks, author_of_rst, loss_location
from ctcp_forensics.conclude.group import by_itself
from ctcp_forensics.conclude.told import Told
from ctcp_forensics.evidence import Evidence, Outcome
from ctcp_forensics.pipeline import Options, Source, diagnose
from ctcp_forensics.vantage import TO_HEADEND, Crossing, Path
from ctcp_forensics.verdict import CONFIDENCES, FLAGSHIP, PROOF, Judgement, Role
from tests.judged import Followed, Judged, Together, followed_bytes, followed_rows, together
from tests.kernels import COMPILED, PLAIN, needs_core
from tests.test_stories import FINDERS as OF_ONE_FLOW
from tests.test_stories import labelled, read_stories, wire_of, without_prints
from tests.vantages import Seen, seen_by, stands_of
from tests.wire import frames_of, packets_of, pcap_of

KEYS = {"name", "says", "opens", "carries", "isn", "places", "story", "path", "expect"}


@cache
def path_stories() -> dict[str, dict[str, Any]]:
    return {name: story for name, story in read_stories().items() if "places" in story}


each_story = pytest.mark.parametrize("name", path_stories())


def seen_of(story: dict[str, Any]) -> list[Seen]:
    return seen_by(stands_of(story["places"]), wire_of(story))


@cache
def followed_of(name: str) -> list[Followed]:
    return [followed_rows(seen) for seen in seen_of(path_stories()[name])]


# --- three ways ----------------------------------------------------------------------------------


@each_story
def test_a_path_story_as_packets_written_down(name: str) -> None:
    compare(path_stories()[name], followed_of(name))


@each_story
def test_a_path_story_as_bytes_through_the_plain_kernel(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run_bytes(path_stories()[name], PLAIN, monkeypatch)


@needs_core
@each_story
def test_a_path_story_as_bytes_through_the_compiled_kernel(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_bytes(path_stories()[name], COMPILED, monkeypatch)


def run_bytes(story: dict[str, Any], kernel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    compare(story, [followed_bytes(seen, kernel, monkeypatch) for seen in seen_of(story)])


@each_story
def test_the_bytes_of_every_place_decode_to_its_packets(name: str) -> None:
    for seen in seen_of(path_stories()[name]):
        packets = plain_decode.Packets()
        plain_decode.decode(*frames_of(seen.wire), packets)
        found = [without_prints(packets[at]) for at in range(len(packets)) if not packets[at].status]
        assert found == [without_prints(one) for one in packets_of(seen.wire) if not one.status]


@each_story
def test_a_path_story_in_savefiles_gives_the_same_report(name: str, tmp_path: File) -> None:
    """Through readers, pairing and report; captures without a frame and copies of one included."""
    story = path_stories()[name]
    if any(one.drops or one.damaged or one.box is not None for one in stands_of(story["places"])):
        pytest.skip("a pcap file admits no drops, has one interface, and these are whole")
    sources = [source_of(seen, tmp_path) for seen in seen_of(story)]
    report = diagnose(sources, Options(ports=frozenset({10000})))
    found = [
        {"verdict": one.verdict, "confidence": one.confidence, "loss_location": one.loss_location or "none"}
        for one in report.flows
    ]
    wanted = [
        {key: want[key] for key in ("verdict", "confidence", "loss_location") if key in want}
        for want in expectations_of(story)
    ]
    assert [{key: one[key] for key in want} for want, one in zip(wanted, found, strict=True)] == wanted


def source_of(seen: Seen, folder: File) -> Source:
    path = folder / f"{seen.stand.name}.pcap"
    path.write_bytes(pcap_of(seen.wire))
    return Source(path=str(path), vantage=seen.stand.told)


# --- expectations --------------------------------------------------------------------------------


def expectations_of(story: dict[str, Any]) -> list[dict[str, Any]]:
    return story["expect"] if isinstance(story["expect"], list) else [story["expect"]]


def compare(story: dict[str, Any], places: list[Followed]) -> None:
    """Every expectation of a story, on its paths and on each connection."""
    assert not set(story) - KEYS, f"no part of a path story: {set(story) - KEYS}"
    expected, found = expectations_of(story), together(places)
    assert any(expected), "a story expects something"
    assert len(found.connections) == len(expected), f"{len(found.connections)} connections"
    for wanted, told in zip(expected, found.connections, strict=True):
        assert found_in(told, wanted, places) == wanted
    wanted_paths = story.get("path", {})
    wanted_paths = wanted_paths if isinstance(wanted_paths, list) else [wanted_paths]
    assert len(found.paths) == len(wanted_paths), f"{len(found.paths)} paths"
    for wanted, path in zip(wanted_paths, found.paths, strict=True):
        assert {key: OF_A_PATH[key](path, places) for key in wanted} == wanted


def found_in(told: Told, wanted: dict[str, Any], places: list[Followed]) -> dict[str, Any]:
    """Frames of the place that the connection is judged at are told by their labels."""
    return {key: find(told, key, want, places) for key, want in wanted.items()}


def find(told: Told, key: str, want: Any, places: list[Followed]) -> Any:
    if key in OF_A_CONNECTION:
        return OF_A_CONNECTION[key](told, want, places)
    wire = place_of(told, told.case.number, places).seen.wire
    found = OF_ONE_FLOW[key](Judged(case=told.case, judgement=told.judgement), want, wire)
    return want if found == labelled(want, wire) else found


def place_of(told: Told, number: int, places: list[Followed]) -> Followed:
    """The place of a sighting; of a flow that one capture alone shows, that capture."""
    connection = told.case.connection
    if connection is not None:
        return places[connection.sightings[number].view.number]
    return next(place for place in places if any(case.flow is told.case.flow for case in place.cases))


def name_of(told: Told, number: int, places: list[Followed]) -> str:
    return place_of(told, number, places).seen.stand.name


def wanted_at(told: Told, _: Any, places: list[Followed]) -> dict[str, int]:
    """The byte in question, as each place that shows the question numbers it."""
    return {
        name_of(told, word.number, places): word.episode.wanted_seq
        for word in told.words
        if word.episode is not None
    }


def crossings_at(told: Told, wanted: dict[str, Any], places: list[Followed]) -> dict[str, Any]:
    """By `from > to` in the direction of the segments; C and S stand for the ends."""
    connection = told.case.connection
    assert connection is not None
    found = {}
    for one in connection.crossings:
        title = " > ".join(
            ("C" if one.way == TO_HEADEND else "S")
            if sighting is None
            else name_of(told, connection.sightings.index(sighting), places)
            for sighting in (one.before, one.behind)
        )
        found[title] = counts_of(one, wanted.get(title, {}), connection.location_of(one))
    return {title: found.get(title) for title in wanted}


def counts_of(one: Crossing, wanted: dict[str, Any], location: str) -> dict[str, Any]:
    known = {
        "location": location,
        "lost": one.lost_count,
        "pattern": one.pattern or "none",
        "depends_on_size": one.depends_on_size,
    }
    return {key: known[key] if key in known else getattr(one, key) for key in wanted}


def claims_at(told: Told, wanted: dict[str, Any], _: list[Followed]) -> dict[str, str]:
    return {name: str(getattr(claims, name.replace("-", "_"))(told.case).outcome) for name in wanted}


def reasons_at(told: Told, wanted: dict[str, Any], _: list[Followed]) -> dict[str, str]:
    return {name: getattr(claims, name.replace("-", "_"))(told.case).because for name in wanted}


def frames_at(told: Told, wanted: dict[str, Any], places: list[Followed]) -> dict[str, Any]:
    """Frames that a claim shows, place by place: by their labels, where they have one."""
    shown = {}
    for name in wanted:
        evidence = getattr(claims, name.replace("-", "_"))(told.case)
        shown[name] = {
            name_of(told, number, places): labels_of(place_of(told, number, places), frames)
            for number, frames in frames_by_place(evidence, told.case.number)
        }
    return shown


def frames_by_place(evidence: Evidence, own: int) -> list[tuple[int, tuple[int, ...]]]:
    mine = [(own, evidence.frames)] if evidence.frames else []
    return sorted([*mine, *evidence.elsewhere])


def labels_of(place: Followed, frames: tuple[int, ...]) -> list[str | int]:
    names = {frame: label for label, frame in place.seen.wire.labels.items()}
    return [names.get(frame, frame) for frame in frames]


def or_none(value: str | None) -> str:
    return "none" if value is None else value


OF_A_CONNECTION: dict[str, Callable[[Told, Any, list[Followed]], Any]] = {
    "judged_at": lambda told, _, places: name_of(told, told.case.number, places),
    "seen_at": lambda told, _, places: [name_of(told, at, places) for at in range(len(told.cases))],
    "alone": lambda told, _, __: [one.verdict.slug for one in told.alone],
    "loss_location": lambda told, _, __: or_none(loss_location(told)),
    "ack_author": lambda told, _, __: or_none(author_of_acks(told)),
    "rst_author": lambda told, _, __: or_none(author_of_rst(told)),
    "wanted": wanted_at,
    "crossings": crossings_at,
    "claims": claims_at,
    "because": reasons_at,
    "frames": frames_at,
}

OF_A_PATH: dict[str, Callable[[Path, list[Followed]], Any]] = {
    "order": lambda path, places: [places[one.view.number].seen.stand.name for one in path.places],
    "named": lambda path, _: [one.vantage for one in path.places],
    "sure": lambda path, _: [one.is_sure for one in path.places],
    "because": lambda path, _: sorted({one.because for one in path.places}),
    "notes": lambda path, _: list(path.notes),
    "shared": lambda path, _: [link.is_shared for link in path.links],
    "pieces": lambda path, _: [len(link.clock.pieces) for link in path.links],
}


# --- what holds of every story -------------------------------------------------------------------


@each_story
def test_the_order_in_which_captures_are_named_changes_nothing(name: str) -> None:
    places = followed_of(name)
    assert summary_of(together(places[::-1]), places[::-1]) == summary_of(together(places), places)


def summary_of(found: Together, places: list[Followed]) -> list[Any]:
    return sorted(
        (
            [name_of(told, at, places) for at in range(len(told.cases))],
            told.judgement.verdict.slug,
            str(told.judgement.confidence),
            or_none(loss_location(told)),
            or_none(author_of_acks(told)),
            or_none(author_of_rst(told)),
        )
        for told in found.connections
    )


@each_story
def test_the_offset_of_two_clocks_lies_in_its_interval(name: str) -> None:
    places = followed_of(name)
    for path in together(places).paths:
        for link in path.links:
            near, far = (places[path.places[at].view.number].seen.stand for at in (link.near, link.far))
            for piece in link.clock.pieces:
                low, high = piece.offset_at(piece.middle_ns)
                true = [far.local(at_ns) - piece.middle_ns for at_ns in near.times_of(piece.middle_ns)]
                assert any((low is None or low <= one) and (high is None or one <= high) for one in true), (
                    f"{near.name} to {far.name}: {low} to {high}, not {true}"
                )


@each_story
def test_with_one_more_capture_nothing_becomes_wrong_without_a_frame(name: str) -> None:
    places = followed_of(name)
    for size in range(1, len(places)):
        for fewer in combinations(places, size):
            for one in places:
                if one not in fewer:
                    more = [place for place in places if place in fewer or place is one]
                    for before, after in both_ways(list(fewer), more):
                        holds_still(before.judgement, after.judgement)


def both_ways(fewer: list[Followed], more: list[Followed]) -> Iterator[tuple[Told, Told]]:
    """Each connection with fewer captures, and the same one with more."""
    with_more = together(more).connections
    for told in together(fewer).connections:
        mine = {identity(place_of(told, at, fewer), case) for at, case in enumerate(told.cases)}
        yield (
            told,
            next(
                other
                for other in with_more
                if mine <= {identity(place_of(other, at, more), case) for at, case in enumerate(other.cases)}
            ),
        )


def identity(place: Followed, case: Case) -> tuple[str, int]:
    return place.seen.stand.name, case.flow.index


def holds_still(before: Judgement, after: Judgement) -> None:
    """What held of the proof fails only where a frame speaks against it; a verdict that stays is as sure as before."""
    lasting = {claim.name for claim in (*PROOF, *FLAGSHIP.proven_by)}
    held = {one.claim for one in before.evidence if one.outcome == Outcome.HOLDS and one.claim in lasting}
    fails = {one.claim for one in after.evidence if one.outcome == Outcome.FAILS}
    if after.verdict is before.verdict:
        assert CONFIDENCES.index(after.confidence) <= CONFIDENCES.index(before.confidence)
    if held & fails or (before.verdict is FLAGSHIP and after.verdict is not FLAGSHIP):
        refuting = [one for one in after.evidence if one.outcome == against(after, one)]
        assert any(one.frames or one.elsewhere for one in refuting), (held & fails, refuting)


def against(after: Judgement, one: Evidence) -> Outcome:
    """What outcome speaks against the accusation."""
    return Outcome.HOLDS if after.role(one.claim) == Role.REFUTATION else Outcome.FAILS


@each_story
def test_a_claim_that_looks_at_one_place_says_the_same_with_others_in_sight(name: str) -> None:
    """Its evidence is weighed once, for the place alone and for all together."""
    here_alone = [claim for claim in map(vars(claims).__getitem__, claims.__all__) if not claim.looks_beyond]
    for told in together(followed_of(name)).connections:
        for case in told.cases:
            for claim in here_alone:
                assert claim(case) == claim(by_itself(case)), (claim.name, case.number)
