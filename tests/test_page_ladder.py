"""The decisive moments: what is one segment at two places, where the flow turned, and how that is drawn."""

from __future__ import annotations

from typing import Any

import pytest

from ctcp_forensics.render.page.ladder import Ladder, ladder_of
from ctcp_forensics.render.page.lanes import Lane, lanes_of
from ctcp_forensics.render.page.moments import Moment, story_of, turning_point
from ctcp_forensics.trace import CLIENT_TO_HEADEND, HEADEND_TO_CLIENT, Columns, Hole, Mark, Trace
from tests import reports
from tests.traces import row

MS = 1_000_000
THERE, BACK = CLIENT_TO_HEADEND, HEADEND_TO_CLIENT
END_MS = 9_000


def lane(place: str, *segments: dict[str, Any], holes: tuple[Hole, ...] = (), **facts: Any) -> Lane:
    """A place that was capturing all the time; frames count from 1, times are milliseconds."""
    columns = Columns()
    for frame, one in enumerate(segments, start=1):
        row(columns, frame=frame, **(one | {"at_ns": one["at_ns"] * MS}))
    trace = Trace(
        flow="f1",
        place=place,
        captures=(place,),
        base_seq=(0, 0),
        columns=columns,
        holes=holes,
        **facts,
    )
    return Lane(trace=trace, from_ns=0, to_ns=END_MS * MS)


def data(at: int, pos: int, marks: int = 0) -> dict[str, int]:
    return {"at_ns": at, "direction": THERE, "pos": pos, "length": 100, "ack": 1, "marks": marks}


def ack(at: int, number: int, marks: int = 0) -> dict[str, int]:
    return {"at_ns": at, "direction": BACK, "pos": 1, "ack": number, "marks": marks}


LOST = Mark.LOST | Mark.WANTED
ASKED = Mark.DUPLICATE_ACK
CLIENT = lane(
    "client",
    data(0, 1),
    ack(30, 101),
    data(100, 101, LOST),
    data(200, 201),
    ack(230, 101, ASKED),
    data(300, 301),
    ack(330, 101, ASKED),
)
# The device asks from here: its questions are not seen behind it, and what lies behind the hole neither.
OUTSIDE = lane(
    "asa-outside",
    data(10, 1),
    ack(20, 101),
    data(210, 201),
    ack(220, 101, ASKED),
    data(310, 301),
    ack(320, 101, ASKED),
)
INSIDE = lane("asa-inside", data(12, 1), ack(18, 101))
ALL = [CLIENT, OUTSIDE, INSIDE]


def told(moments: tuple[Moment, ...]) -> list[tuple[Any, ...]]:
    return [
        (
            one.at_ns // MS,
            [(ALL[seen.place].trace.place, seen.frame) for seen in one.sightings],
            one.absent_at,
            one.made_at,
        )
        for one in moments
    ]


def test_one_segment_at_three_places_is_one_moment_in_the_order_of_its_way() -> None:
    story = story_of(ALL, turning_point(ALL, THERE))
    assert story is not None
    assert told(story.turning) == [
        (0, [("client", 1), ("asa-outside", 1), ("asa-inside", 1)], None, None),
        (18, [("asa-inside", 2), ("asa-outside", 2), ("client", 2)], None, None),
        (100, [("client", 3)], 1, None),
        (200, [("client", 4), ("asa-outside", 3)], 2, None),
        (220, [("asa-outside", 4), ("client", 5)], None, 2),
        (300, [("client", 6), ("asa-outside", 5)], 2, None),
        (320, [("asa-outside", 6), ("client", 7)], None, 2),
    ]
    assert story.ending == ()


def ladder() -> Ladder:
    story = story_of(ALL, turning_point(ALL, THERE))
    assert story is not None
    return ladder_of(story, ALL, 0)


def test_the_ladder_says_what_became_of_each() -> None:
    assert [(rung.at, rung.role, rung.label, rung.fate) for rung in ladder().rungs] == [
        ("0.000 s", "sent", "data 1 to 101", ""),
        ("0.018 s", "acked", "ACK 101", ""),
        ("0.100 s", "lost", "data 101 to 201, lost", "lost before asa-outside"),
        ("0.200 s", "sent", "data 201 to 301", "not seen at asa-inside"),
        ("0.220 s", "asked", "duplicate ACK 101", "made between asa-inside and asa-outside"),
        ("0.300 s", "sent", "data 301 to 401", "not seen at asa-inside"),
        ("0.320 s", "asked", "duplicate ACK 101", "made between asa-inside and asa-outside"),
    ]


def test_a_segment_that_came_damaged_is_told_so() -> None:
    spoilt = lane("asa", data(0, 1), data(100, 101, Mark.DAMAGED))
    story = story_of([spoilt], None)
    assert story is not None
    assert [rung.fate for rung in ladder_of(story, [spoilt], 0).rungs] == ["", "came damaged"]


def test_a_long_name_fits_between_its_neighbours_and_the_table_has_it_whole() -> None:
    long = lane(f"office-{'x' * 200}-second.pcap", data(0, 1))
    story = story_of([long], None)
    assert story is not None
    drawn = ladder_of(story, [long], 0)
    assert [line.name for line in drawn.lines] == [
        "client",
        "office-xxxxxxxxxxx…xxxxx-second.pcap",
        "headend",
    ]
    assert drawn.rungs[0].seen == ((long.trace.place, 1),)


def test_arrows_end_where_the_segment_ended() -> None:
    drawn = ladder()
    client, outside, inside, headend = (line.x for line in drawn.lines)
    assert [(line.name, line.is_captured) for line in drawn.lines][3] == ("headend", False)
    whole, _, lost, held, asked, *_ = drawn.rungs
    assert [(leg.x1, leg.x2, leg.ends, leg.is_seen) for leg in whole.legs] == [
        (client, outside, "plain", True),
        (outside, inside, "plain", True),
        (inside, headend, "arrow", False),
    ]
    halfway = (client + outside) / 2
    (only,) = lost.legs
    assert (only.x1, only.ends) == (client, "cross")
    assert only.x2 == pytest.approx(halfway, abs=0.1)
    assert held.legs[-1].ends == "stop"
    assert outside < held.legs[-1].x2 < inside
    assert asked.made_at is not None
    assert outside < asked.made_at[0] < inside
    assert asked.legs[-1].x2 == client


def test_what_a_place_does_not_show_after_its_capture_says_nothing() -> None:
    over = Lane(trace=INSIDE.trace, from_ns=0, to_ns=20 * MS)
    story = story_of([CLIENT, OUTSIDE, over], turning_point(ALL, THERE))
    assert story is not None
    assert [one.absent_at for one in story.turning] == [None, None, 1, None, None, None, None]
    assert [one.made_at for one in story.turning] == [None] * 7


def test_where_a_box_makes_the_stream_anew_nothing_is_said_to_be_missing() -> None:
    anew = lane("asa-inside", data(12, 7), ack(18, 107), keeps_step=(False, True))
    story = story_of([CLIENT, OUTSIDE, anew], turning_point(ALL, THERE))
    assert story is not None
    assert {one.absent_at for one in story.turning} == {None}


def test_the_turning_point_is_the_lost_segment_else_a_hole_else_a_question_else_a_silence() -> None:
    hole = Hole(direction=THERE, left=101, right=201, from_ns=210 * MS, to_ns=None)
    sent = [data(at, 1 + at) for at in range(0, 5_000, 100)]
    near, far = lane("client", *sent), lane("asa", *sent[:10])
    assert turning_point(ALL, THERE) == 100 * MS
    assert turning_point([lane("asa", data(0, 1), data(210, 201), holes=(hole,))], THERE) == 210 * MS
    assert turning_point([lane("asa", data(0, 1), ack(220, 1, ASKED))], THERE) == 220 * MS
    assert turning_point([near, far], THERE) == 900 * MS
    assert turning_point([near, far], BACK) is None
    assert turning_point([near], THERE) is None
    assert turning_point([], THERE) is None


def test_a_flow_that_never_turned_is_told_from_its_beginning_to_its_end() -> None:
    whole = lane("client", *(data(at, 1 + at) for at in range(0, 5_000, 100)))
    story = story_of([whole], None)
    assert story is not None
    assert [one.at_ns // MS for one in story.turning] == list(range(0, 1_000, 100))
    assert [one.at_ns // MS for one in story.ending] == [4_600, 4_700, 4_800, 4_900]
    assert story.left_out_ns == (4_600 - 900) * MS
    assert ladder_of(story, [whole], 0).gap == "3.7 s later"


def test_an_empty_trace_has_no_story() -> None:
    assert story_of([lane("client")], None) is None


def test_lanes_are_in_the_order_of_the_path_and_capture_while_their_clock_allows_it() -> None:
    """In this report asa-outside was once an hour off: there nothing is known, the reference's own times stand."""
    report = reports.case()
    traces = [
        Trace(flow="f1", place=place, captures=(capture,), base_seq=(0, 0), columns=CLIENT.trace.columns)
        for place, capture in (("asa-inside", "c3"), ("client", "c1"), ("asa-outside", "c2"))
    ]
    (flow,) = report.flows
    lanes = lanes_of(report, flow, traces)
    assert [one.trace.place for one in lanes] == ["client", "asa-outside", "asa-inside"]
    client = next(capture for capture in report.captures if capture.id == "c1")
    assert lanes[0].to_ns == client.last_ns
    assert lanes[1].to_ns == CLIENT.trace.columns.at_ns[-1]
