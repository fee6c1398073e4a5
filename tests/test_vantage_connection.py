"""Connections: a byte, a time, an ACK and an RST of one place, as every other place has them."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcp_forensics.flows import CLIENT_TO_HEADEND, HEADEND_TO_CLIENT
from ctcp_forensics.surroundings import Surroundings
from ctcp_forensics.vantage import (
    TO_CLIENT,
    TO_HEADEND,
    Connection,
    Sighting,
    View,
    ack_author,
    loss_of,
    rst_author,
    way_of,
    witnesses,
)
from ctcp_forensics.vantage.clock import ANY_OFFSET
from ctcp_forensics.vantage.connection import goes_on_elsewhere
from ctcp_forensics.vantage.view import spis_of
from ctcp_forensics.verdict import FLAGSHIP
from tests.judged import Together, followed_rows, together
from tests.test_stories import OPENINGS
from tests.vantages import seen_by, stands_of
from tests.wire import START_NS, told

SIDES: dict[str, Any] = {"client": {}, "asa-outside": {}, "asa-inside": {}}
FAILURE = """
C > S  +100  upto client
8 times every 1s:
  C > S  +100  upto asa-outside
  S > C  ack 1001  by F  from asa-outside
  other
+500ms  C > S  R
"""


def shown_by(places: dict[str, Any], story: str) -> Together:
    stands = stands_of(places)
    return together([followed_rows(seen) for seen in seen_by(stands, told(OPENINGS["tunnel"] + story))])


def connection_of(places: dict[str, Any], story: str = FAILURE) -> Connection:
    (path,) = shown_by(places, story).paths
    (connection,) = path.connections
    return connection


# --- an SPI under other ends ----------------------------------------------------------------------


def seen(spis: set[int], first_frame: int, length: int) -> Any:
    """As much of a flow as this asks for: its frames, and the SPIs of its directions."""
    return SimpleNamespace(
        row=SimpleNamespace(first_frame=first_frame, last_frame=first_frame + length),
        directions=[SimpleNamespace(associations=[SimpleNamespace(spi=spi)]) for spi in sorted(spis)],
    )


@given(
    st.lists(
        st.builds(seen, st.sets(st.integers(1, 4), max_size=2), st.integers(1, 9), st.integers(0, 9)),
        max_size=8,
    )
)
def test_an_spi_goes_on_elsewhere_where_any_other_flow_has_it_later(flows: list[Any]) -> None:
    for index, flow in enumerate(flows):
        flow.index = index
    around = Surroundings(last_ns=0)
    unread: Any = None
    view = View(number=0, told=None, tracker=unread, flows=dict(enumerate(flows)), surroundings=around)
    for flow in flows:
        later = [
            other
            for other in flows
            if other is not flow
            and spis_of(other) & spis_of(flow)
            and other.row.last_frame > flow.row.first_frame
        ]
        assert goes_on_elsewhere(Sighting(place=0, view=view, flow=flow)) is bool(later)


# --- numbers and times ---------------------------------------------------------------------------


def numbered(*shifts: tuple[int | None, int | None], offsets: dict[Any, Any] | None = None) -> Connection:
    sightings: Any = ["client", "outside", "inside"][: len(shifts) + 1]
    return Connection(
        sightings=sightings,
        shifts=shifts,
        offsets=offsets or {},
        stations=((0, 0), (1, 1), (2, 2))[: len(sightings)],
        names=tuple(sightings),
    )


@given(
    steps=st.tuples(*[st.integers(-(1 << 31), 1 << 31)] * 4),
    pos=st.integers(0, 1 << 40),
    way=st.sampled_from([TO_HEADEND, TO_CLIENT]),
)
def test_a_position_taken_to_any_place_and_back_is_where_it_was(
    steps: tuple[int, ...], pos: int, way: int
) -> None:
    connection = numbered((steps[0], steps[1]), (steps[2], steps[3]))
    for here, there in product(range(3), repeat=2):
        taken = connection.position(way, pos, here, there)
        assert taken is not None
        assert connection.position(way, taken, there, here) == pos
    assert connection.position(way, pos, 0, 2) == pos + steps[way] + steps[2 + way]


def test_a_position_is_not_known_beyond_a_place_that_numbers_anew() -> None:
    connection = numbered((7, None), (9, 11))
    assert connection.position(TO_HEADEND, 100, 0, 2) == 116
    assert connection.position(TO_CLIENT, 100, 0, 2) is None
    assert connection.position(TO_CLIENT, 100, 2, 1) == 89


def test_a_time_by_another_clock_is_an_interval_that_turns_about() -> None:
    connection = numbered((0, 0), (0, 0), offsets={(0, 1): (-5, 8)})
    assert connection.time(100, 0, 1) == (95, 108)
    assert connection.time(100, 1, 0) == (92, 105)
    assert connection.time(100, 1, 1) == (100, 100)
    assert connection.offset(0, 2) == ANY_OFFSET


@settings(max_examples=15, deadline=None)
@given(ahead=st.integers(-10_000_000, 10_000_000), at=st.integers(0, 9))
def test_a_moment_of_one_clock_is_within_what_the_other_says_of_it(ahead: int, at: int) -> None:
    clock = f"{'-' if ahead < 0 else ''}{abs(ahead)}ms"
    places = {"client": {}, "asa-outside": {"clock": clock}, "asa-inside": {"clock": clock}}
    connection = connection_of(places)
    moment = START_NS + at * 1_000_000_000
    for there in (1, 2):
        low, high = connection.time(moment, 0, there)
        assert low <= moment + ahead * 1_000_000 <= high
        assert high - low < 30_000_000, (
            "a round trip, and a millisecond for each second since both last held one"
        )


def test_the_line_of_each_way_begins_at_its_sender() -> None:
    connection = numbered((0, 0), (0, 0))
    assert connection.line(TO_HEADEND) == [0, 1, 2]
    assert connection.line(TO_CLIENT) == [2, 1, 0]
    assert (way_of(CLIENT_TO_HEADEND), way_of(HEADEND_TO_CLIENT)) == (TO_HEADEND, TO_CLIENT)


def test_a_crossings_place_is_named_by_the_two_ends_of_it() -> None:
    connection = numbered((0, 0), (0, 0))
    assert connection.location(TO_HEADEND, None, 1) == "client-asa"
    assert connection.location(TO_CLIENT, None, 2) == "asa-headend"
    assert connection.location(TO_CLIENT, 2, 1) == "asa"
    assert connection.word(2, 0) == "client-asa-or-asa"


# --- one question, asked of every place -----------------------------------------------------------------


def words_of(places: dict[str, Any], story: str = FAILURE) -> tuple[Connection, list[Any]]:
    found = shown_by(places, story)
    case = found.connections[0].case
    assert case.connection is not None
    assert case.episode is not None
    return case.connection, witnesses(case.connection, case.number, TO_HEADEND, case.episode)


def test_every_place_says_what_it_shows_of_the_question() -> None:
    _, words = words_of(SIDES)
    assert [word.number for word in words] == [0, 1, 2]
    assert [word.asks for word in words] == [8, 8, 0]
    assert [word.is_held for word in words] == [True, False, False]
    assert [word.is_beyond for word in words] == [True, True, False]
    assert [word.was_running for word in words] == [True, True, True]
    assert [word.wanted_pos for word in words] == [1001, 1001, 1001]


@pytest.mark.parametrize(
    ("inside", "where"),
    [
        ({}, "asa"),
        ({"stops": "1s"}, None),
        ({"blind": {"1.105s": "9s"}}, None),
        ({"damaged": True}, None),
        ({"shift": {"C": 999}}, "asa"),
        ({"clock": "1h"}, "asa"),
    ],
)
def test_the_author_of_the_acks_needs_a_capture_that_ran_on(
    inside: dict[str, Any], where: str | None
) -> None:
    connection, words = words_of(
        {"asa-outside": {}, "asa-inside": inside}, FAILURE.replace("upto client", "lost")
    )
    author = ack_author(connection, TO_HEADEND, words)
    assert (author.where if author else None) == where


@pytest.mark.parametrize(
    ("first", "where"),
    [
        ("lost", "client-asa"),
        ("upto client", "client-asa"),
        ("upto asa-outside", "asa"),
        ("upto asa-inside", "asa-headend"),
        ("", "asa-headend"),
    ],
)
def test_the_wanted_byte_was_lost_behind_the_last_place_that_has_it(first: str, where: str) -> None:
    """Three captures; of a segment that none has it is known only that the first one's host may have sent it."""
    story = (
        FAILURE.replace("upto client", first)
        .replace("  upto asa-outside\n  S", "\n  S")
        .replace("  by F  from asa-outside", "")
    )
    places = {name: here for name, here in SIDES.items() if first != "lost" or name != "client"}
    connection, words = words_of(places, story)
    assert loss_of(connection, TO_HEADEND, words) == where


# --- the RST -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "way", "where", "shown"),
    [
        ("C > S  R", TO_HEADEND, "client", "client"),
        ("C > S  R  by F  from asa-outside", TO_HEADEND, "client-asa", "asa-outside"),
        ("C > S  R  by F  from asa-inside", TO_HEADEND, "asa", "asa-inside"),
        ("S > C  R.", TO_CLIENT, None, "asa-inside"),
        ("S > C  R.  by F  from asa-outside", TO_CLIENT, "asa", "asa-outside"),
        ("S > C  R.  by F  from client", TO_CLIENT, "client-asa", "client"),
    ],
)
def test_an_rst_was_made_between_the_place_that_shows_it_and_the_next(
    line: str, way: int, where: str | None, shown: str
) -> None:
    goes_on = "C > S" if way == TO_HEADEND else "S > C"
    connection = connection_of(SIDES, f"{line}\n{goes_on}  +100\n+2s  other\n")
    author = rst_author(connection, way)
    assert author is not None
    assert (author.where, connection.names[author.shown]) == (where, shown)
    assert rst_author(connection, 1 - way) is None


@pytest.mark.parametrize("answer", ["", "C > S  R\n"])
def test_an_rst_that_one_capture_lacks_was_missed_there_unless_its_sender_knew_nothing_of_it(
    answer: str,
) -> None:
    """It sends nothing more, and nobody but the client resets it: one absent frame says nothing."""
    connection = connection_of(SIDES, f"S > C  R.  unseen asa-inside\n{answer}+2s  other\n")
    assert rst_author(connection, TO_CLIENT) is None


def test_a_box_that_resets_both_ends_is_known_though_they_say_nothing_more() -> None:
    lines = "S > C  R.  by F  from asa-outside\nC > S  R  by F  from asa-inside\n+2s  other\n"
    author = rst_author(connection_of(SIDES, lines), TO_CLIENT)
    assert author is not None
    assert author.where == "asa"


def test_an_rst_that_a_stopped_capture_lacks_has_no_known_author() -> None:
    places = {"client": {}, "asa-outside": {}, "asa-inside": {"stops": "1s"}}
    assert (
        rst_author(connection_of(places, "+2s  S > C  R.  unseen asa-inside\n+2s  other\n"), TO_CLIENT)
        is None
    )


# --- one capture more ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fewer", [["client"], ["asa-outside"], ["client", "asa-outside"]])
def test_one_more_capture_makes_the_accusation_surer(fewer: list[str]) -> None:
    captured = {
        seen.stand.name: followed_rows(seen)
        for seen in seen_by(stands_of(SIDES), told(OPENINGS["tunnel"] + FAILURE))
    }
    before = together([captured[name] for name in fewer]).connections[0].judgement
    after = together([captured[name] for name in (*fewer, "asa-inside")]).connections[0].judgement
    assert (before.verdict, str(before.confidence)) == (FLAGSHIP, "strong")
    assert (after.verdict, str(after.confidence)) == (FLAGSHIP, "proven")
