"""Acquaintance: of many captures, those that are laid beside each other are those that have something to say.

The obvious twin lays each two beside each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcp_forensics._kernel import plain_match
from ctcp_forensics.vantage import View, acquaintance, path
from ctcp_forensics.vantage.pairing import FEWEST_MESSAGES, join
from tests.judged import followed_rows, view_of
from tests.vantages import seen_by, stands_of
from tests.wire import told

pytestmark = pytest.mark.usefixtures("plain_join", "whoever_they_are")

OPENS = """
{who} > S  S 0
S > {who}  S. 0 ack 1
{who} > S  . ack 1
"""
SPEAKS = """
{who} > S  +200  ike 4  opens
S > {who}  +300  ike 4
"""
GOES_ON = """
12 times every 100ms:
  C > S  +100
  S > C  +100
  D > S  +100
12 times every 100ms:
  C > S  . ack 1
  D > S  . ack 1
  S > D  . ack 1
"""
CTCP = "".join((OPENS + SPEAKS).format(who=who) for who in "CD") + GOES_ON
TCP = "".join(OPENS.format(who=who) for who in "CD") + GOES_ON


@pytest.fixture
def whoever_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few views there are, they are asked first what they have in common."""
    monkeypatch.setattr(acquaintance, "FEW_VIEWS", 0)


STARTS = st.sampled_from(["0ms", "0ms", "300ms", "700ms", "1200ms", "2s"])
STOPS = st.sampled_from(["200ms", "600ms", "1100ms", "5s", "5s"])
STANDS = st.fixed_dictionaries(
    {
        "told": st.just("nothing"),
        "starts": STARTS,
        "stops": STOPS,
        "clock": st.sampled_from(["0ms", "0ms", "1500ms", "48h"]),
        "shows": st.sampled_from([{}, {"C": "N"}, {"C": "N", "D": "M"}, {"C": "M", "S": "N"}]),
        "shift": st.sampled_from([{}, {"C": 77, "S": 1 << 31}]),
    }
)


def views_of(places: Sequence[dict[str, Any]], story: str, **more: Any) -> list[View]:
    stands = stands_of({f"place-{number}": one for number, one in enumerate(places)})
    return [
        view_of(number, followed_rows(seen))
        for number, seen in enumerate(seen_by(stands, told(story, **more)))
    ]


def numbers(pairs: Any) -> list[tuple[int, int]]:
    return [(here.number, there.number) for here, there in pairs]


@settings(max_examples=60, deadline=None)
@given(places=st.lists(STANDS, min_size=2, max_size=6), is_ctcp=st.booleans())
def test_whoever_can_be_paired_is_acquainted(places: list[dict[str, Any]], is_ctcp: bool) -> None:
    views = views_of(places, CTCP) if is_ctcp else views_of(places, TCP, carries="tcp")
    found = numbers(acquaintance.acquainted(views))
    with_pairs = numbers((here, there) for here, there in combinations(views, 2) if join(here, there).pairs)
    assert found == sorted(set(found))
    assert set(with_pairs) <= set(found)


@settings(max_examples=30, deadline=None)
@given(places=st.lists(STANDS, min_size=2, max_size=6))
def test_paths_are_those_of_each_two_laid_beside_each_other(places: list[dict[str, Any]]) -> None:
    views = views_of(places, CTCP)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(path, "acquainted", lambda views: combinations(views, 2))
        slowly = path.paths_of(views)
    assert summaries(path.paths_of(views)) == summaries(slowly)


def summaries(paths: Sequence[path.Path]) -> list[Any]:
    return [
        (
            [(place.view.number, place.vantage, place.because) for place in one.places],
            one.links,
            one.boxes,
            [
                ([sighting.half(0) for sighting in each.sightings], each.shifts, each.offsets)
                for each in one.connections
            ],
            one.notes,
        )
        for one in paths
    ]


def asked(monkeypatch: pytest.MonkeyPatch, views: Sequence[View]) -> int:
    """How many pairs of captures are laid beside each other."""
    laid: list[tuple[View, View]] = []

    def counted(here: View, there: View) -> Any:
        laid.append((here, there))
        return join(here, there)

    monkeypatch.setattr(path, "join", counted)
    path.paths_of(views)
    return len(laid)


def test_files_of_one_capture_are_never_laid_beside_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same two hosts in each of them; and each has messages of its own."""
    files = [{"told": "nothing", "starts": f"{at}50ms", "stops": f"{at + 1}50ms"} for at in range(12)]
    views = views_of(files, CTCP)
    assert all(view.flows for view in views)
    assert asked(monkeypatch, views) == 0


def test_two_of_many_that_show_one_path_are_the_only_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [{"told": "nothing", "starts": f"{at}50ms", "stops": f"{at + 1}50ms"} for at in range(12)]
    beside = {"told": "nothing", "clock": "48h", "starts": "400ms", "stops": "560ms", "shows": {"C": "N"}}
    views = views_of([*files, beside], CTCP)
    assert numbers(acquaintance.acquainted(views)) == [(3, 12), (4, 12)]
    assert asked(monkeypatch, views) == 2


def test_each_of_many_is_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Sequence[Any]] = []

    def counted(trackers: Sequence[Any]) -> Any:
        looked.append(trackers)
        return plain_match.sharing(trackers)

    monkeypatch.setattr(acquaintance, "sharing", counted)
    views = views_of([{"told": "nothing", "stops": f"{at}50ms"} for at in range(1, 9)], CTCP)
    assert len(list(acquaintance.acquainted(views))) == 28
    assert looked == [[view.tracker for view in views]]


def test_a_few_messages_that_are_alike_by_chance_make_nobody_acquainted() -> None:
    """As in pairing: only from the third on is it no chance, unless both carry cTCP."""
    few = "C > S  +100  upto place-0\n" * (FEWEST_MESSAGES - 1)
    many = "C > S  +100  upto place-0\n" * FEWEST_MESSAGES
    for story, met in ((few, []), (many, [(0, 1)])):
        other = story.replace("C >", "D >").replace("upto place-0", "from place-1")
        views = views_of([{"told": "nothing"}] * 2, story + other, carries="tcp")
        assert numbers(acquaintance.acquainted(views)) == met


def test_the_same_ends_at_one_time_are_acquainted_and_at_two_are_not() -> None:
    """Of five captures: two beside each other, one that begins as the second ends, and two of other days."""
    what = "40 times every 100ms:\n  C > S  . ack 1\n  S > C  . ack 1\n"
    times = [("0ms", "1s", "0ms"), ("500ms", "2s", "0ms"), ("1900ms", "4s", "0ms")]
    times += [("0ms", "4s", "48h"), ("0ms", "4s", "96h")]
    places = [{"told": "nothing", "starts": a, "stops": b, "clock": c} for a, b, c in times]
    assert numbers(acquaintance.acquainted(views_of(places, what))) == [(0, 1), (1, 2)]
