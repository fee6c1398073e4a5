"""Locations: every two stations have a word for what lies between them."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from ctcp_forensics.vantage.location import between, stations
from ctcp_forensics.vantage.order import Place

VIEW: Any = object()


def places(*names: str) -> list[Place]:
    return [Place(view=VIEW, vantage=name, is_told=True, is_sure=True, because="") for name in names]


@pytest.mark.parametrize(
    ("names", "at"),
    [
        (["client"], [(0, 0)]),
        (["client", "asa-outside"], [(0, 0), (1, 1)]),
        (["client", "asa-inside"], [(0, 0), (2, 2)]),
        (["client", "asa"], [(0, 0), (1, 2)]),
        (["asa"], [(1, 2)]),
        (["asa-outside", "asa-inside"], [(1, 1), (2, 2)]),
        (["asa-inside", "asa-outside"], [(1, 1), (2, 2)]),
        (["client", "asa", "asa"], [(0, 0), (1, 1), (2, 2)]),
        (["client", "asa-outside", "asa-inside"], [(0, 0), (1, 1), (2, 2)]),
    ],
)
def test_a_place_stands_where_its_name_and_the_others_say(
    names: list[str], at: list[tuple[int, int]]
) -> None:
    """Of two captures of the firewall the first faces the client, whatever its sides are called."""
    assert stations(places(*names)) == at


def test_where_the_names_contradict_the_captures_each_place_may_be_anywhere() -> None:
    near, far = (replace(place, is_contradicted=True) for place in places("client", "asa-inside"))
    assert stations([near, far]) == [(0, 3), (0, 3)]
    assert between(*stations([near, far])) == "client-headend"


CLIENT, OUTSIDE, INSIDE, EITHER, END = (0, 0), (1, 1), (2, 2), (1, 2), None


@pytest.mark.parametrize(
    ("near", "far", "word"),
    [
        (CLIENT, OUTSIDE, "client-asa"),
        (OUTSIDE, INSIDE, "asa"),
        (INSIDE, END, "asa-headend"),
        (END, OUTSIDE, "client-asa"),
        (CLIENT, INSIDE, "client-asa-or-asa"),
        (CLIENT, EITHER, "client-asa-or-asa"),
        (OUTSIDE, END, "asa-or-asa-headend"),
        (EITHER, END, "asa-or-asa-headend"),
        (CLIENT, END, "client-headend"),
        (END, END, "client-headend"),
    ],
)
def test_what_lies_between_two_places_has_a_word(near: Any, far: Any, word: str) -> None:
    assert between(near, far) == word
