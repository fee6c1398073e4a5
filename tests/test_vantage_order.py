"""Order: the times between captures tell which is nearer to the client, then the TTL, then the user's word."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcp_forensics._kernel import Tracker
from ctcp_forensics.surroundings import Surroundings
from ctcp_forensics.vantage import View
from ctcp_forensics.vantage.order import Step, balances, compared, put_right, told_rank
from tests.judged import followed_rows, together
from tests.test_path_stories import OF_A_PATH
from tests.test_stories import OPENINGS
from tests.vantages import seen_by, stands_of
from tests.wire import told

BUSY = "5 times every 200ms:\n  C > S  +100\n  S > C  +100\n"
ONE_WAY = "C > S  S 0\n9 times every 200ms:\n  C > S  +100\n"
"""Nothing comes back: no round trip, so that the times tell nothing."""
TIMES, TTLS = "the times of what passed both", "the TTL falls from one to the other"
NOTHING_AROUND = Surroundings(first_ns=0, last_ns=0)
NOTHING = "nothing in the captures tells which of them is nearer to the client"


def path_of(places: dict[str, Any], story: str = OPENINGS["tunnel"] + BUSY) -> dict[str, Any]:
    """The path of a story."""
    captured = [followed_rows(seen) for seen in seen_by(stands_of(places), told(story))]
    (path,) = together(captured).paths
    return {key: finder(path, captured) for key, finder in OF_A_PATH.items()}


@settings(max_examples=15, deadline=None)
@given(
    clocks=st.lists(st.integers(-5_000_000, 5_000_000), min_size=3, max_size=3),
    named=st.permutations(["client", "asa-outside", "asa-inside"]),
)
def test_the_times_tell_the_order_whatever_clocks_and_labels_say(clocks: list[int], named: list[str]) -> None:
    spans = [f"{'-' if at < 0 else ''}{abs(at)}ms" for at in clocks]
    places = dict(zip(("client", "asa-outside", "asa-inside"), spans, strict=True))
    path = path_of(
        {name: {"clock": at, "told": word} for (name, at), word in zip(places.items(), named, strict=True)}
    )
    assert path["order"] == ["client", "asa-outside", "asa-inside"]
    assert path["because"] == [TIMES]


def test_where_nothing_comes_back_the_ttl_tells() -> None:
    path = path_of({"client": {"told": "nothing"}, "asa-outside": {"told": "nothing"}}, ONE_WAY)
    assert (path["order"], path["because"], path["sure"]) == (["client", "asa-outside"], [TTLS], [True, True])


def test_a_falling_ttl_is_believed_before_the_users_word() -> None:
    path = path_of({"asa-outside": {"told": "asa-inside"}, "asa-inside": {"told": "asa-outside"}}, ONE_WAY)
    assert (path["order"], path["named"]) == (["asa-outside", "asa-inside"], ["asa-inside", "asa-outside"])
    assert len(path["notes"]) == 1


def test_where_nothing_tells_the_users_word_counts() -> None:
    """A firewall that routes nothing lowers no TTL, and nothing comes back."""
    bridged = {
        "asa-outside": {"told": "asa-inside", "hops": 0},
        "asa-inside": {"told": "asa-outside", "hops": 0},
    }
    path = path_of(bridged, ONE_WAY)
    assert (path["named"], path["because"], path["sure"]) == (
        ["asa-outside", "asa-inside"],
        [NOTHING],
        [False, False],
    )


def test_two_copies_of_one_capture_have_no_order() -> None:
    """Named as the user named them, client first."""
    copies = {"asa-outside": {"away": "2ms", "hops": 0}, "asa-inside": {"away": "2ms", "hops": 0}}
    path = path_of(copies)
    assert (path["because"], path["sure"]) == ([NOTHING], [False, False])
    assert path["named"] == ["asa-outside", "asa-inside"]


@pytest.mark.parametrize(
    ("roles", "read_as", "notes"),
    [
        (["client", "asa-outside", "asa-inside"], ["client", "asa-outside", "asa-inside"], 0),
        (["client", "asa-inside", "asa-outside"], ["client", "asa-inside", "asa-outside"], 1),
        (["asa-outside", "client"], ["client", "asa-outside"], 1),
        (["asa-outside", "asa-inside", "client"], ["client", "asa-outside", "asa-inside"], 1),
        (["asa", "asa"], ["asa", "asa"], 0),
    ],
)
def test_roles_that_contradict_the_order_are_put_right_or_told(
    roles: list[str], read_as: list[str], notes: int
) -> None:
    found, told_ = put_right(roles)
    assert (found, len(told_)) == (read_as, notes)


@pytest.mark.parametrize(
    ("places", "named"),
    [
        (["client", "asa-outside"], ["client", "asa"]),
        (["client", "asa-outside", "asa-inside"], ["client", "asa-outside", "asa-inside"]),
        (["asa-outside", "asa-inside"], ["asa-outside", "asa-inside"]),
    ],
)
def test_captures_without_a_label_are_named_by_where_they_stand(places: list[str], named: list[str]) -> None:
    assert path_of({name: {"told": "nothing"} for name in places})["named"] == named


def test_an_interface_that_says_inside_is_the_inside() -> None:
    path = path_of(
        {
            "client": {},
            "asa-outside": {"told": "nothing", "interfaces": ["Inside-LAN"]},
            "asa-inside": {"told": "nothing"},
        }
    )
    assert path["named"] == ["client", "asa-inside", "asa-outside"]
    assert path["notes"] == [
        "asa-inside lies nearer to the client than asa-outside: the client is on the inside of this firewall, "
        "or the two labels are exchanged"
    ]


def test_two_captures_of_the_firewall_share_a_clock_unless_they_contradict_it() -> None:
    assert path_of({"asa-outside": {}, "asa-inside": {}})["shared"] == [True]
    apart = path_of({"asa-outside": {}, "asa-inside": {"clock": "3s"}})
    assert apart["shared"] == [False]
    assert apart["notes"] == [
        "asa-outside and asa-inside: both are captures of the firewall, and yet their clocks differ"
    ]


def strangers(*words: str | None) -> list[View]:
    return [
        View(
            number=number, told=word, interfaces=(), tracker=Tracker(), flows={}, surroundings=NOTHING_AROUND
        )
        for number, word in enumerate(words)
    ]


def test_a_pair_that_nothing_tells_of_stands_as_the_user_said_though_others_are_known() -> None:
    """The client is known to lie before the outside; the inside shows too little to be compared with either."""
    views = strangers("client", "asa-outside", "asa-inside")
    steps = {(0, 1): (1, TIMES), (0, 2): (0, ""), (1, 2): (0, "")}
    assert balances(views[::-1], steps) == {0: -2, 1: 0, 2: 2}


def test_a_pair_that_is_known_stands_so_whatever_the_user_said() -> None:
    assert balances(strangers("asa-outside", "asa-inside"), {(0, 1): (-1, TIMES)}) == {0: 1, 1: -1}


def nearer(one: View, other: View, steps: dict[tuple[int, int], Step]) -> int:
    """1: the first lies nearer to the client, -1: the other."""
    sign = steps.get((one.number, other.number), (0, ""))[0]
    sign -= steps.get((other.number, one.number), (0, ""))[0]
    return sign or compared(told_rank(one), told_rank(other))


WORDS = st.sampled_from([None, "client", "asa-outside", "asa-inside", "asa"])


@given(words=st.lists(WORDS, min_size=1, max_size=7), data=st.data())
def test_each_stands_behind_those_that_each_two_laid_beside_each_other_show(
    words: list[str | None], data: st.DataObject
) -> None:
    views = strangers(*words)
    signs = st.sampled_from([None, -1, 0, 1])
    told_of = {two: data.draw(signs) for two in combinations(range(len(views)), 2)}
    steps = {two: (sign, TIMES if sign else "") for two, sign in told_of.items() if sign is not None}
    assert balances(views, steps) == {
        one.number: sum(nearer(other, one, steps) for other in views if other is not one) for one in views
    }
