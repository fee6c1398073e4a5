"""Pictures: the right seconds, nothing that matters thinned away, and what is drawn says what the capture holds.

`python -m tests.test_picture` rewrites the golden drawings; look at them before they are committed.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcp_forensics.picture import picture_of, thin, traces_in
from ctcp_forensics.picture.seconds import LENGTH_NS, STRETCHED_NS
from ctcp_forensics.pipeline import diagnose
from ctcp_forensics.reading import Options, Source
from ctcp_forensics.render.look import COLORED, Look
from ctcp_forensics.render.plot import svg
from ctcp_forensics.render.plot.drawing import BOLD, LEFT, RIGHT, WIDTH
from ctcp_forensics.render.plot.paper import SMALL, width_of
from ctcp_forensics.render.plot.scale import steps
from ctcp_forensics.render.sketch import ASCII, sketch
from ctcp_forensics.report import Picture, Report, ReportError
from ctcp_forensics.retrace import retrace, worst
from ctcp_forensics.trace import Columns, Mark

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "samples"
GOLDEN = Path(__file__).parent / "golden" / "plot"
THREE = (
    ("client", "failure-client.pcap"),
    ("asa-outside", "failure-asa-outside.pcap"),
    ("asa-inside", "failure-asa-inside.pcap"),
)
SVG = "{http://www.w3.org/2000/svg}"
EVERY_SAMPLE = sorted(path.name for path in SAMPLES.glob("*.pcap*"))


def pictured(*named: tuple[str | None, str]) -> tuple[Report, Picture]:
    sources = [Source(path=str(SAMPLES / name), vantage=vantage) for vantage, name in named]
    report = diagnose(sources, Options(all_tcp=True))
    (flow,) = worst(report, 1)
    picture = picture_of(flow, retrace(report, [flow.id]).traces)
    assert picture is not None
    return msgspec.structs.replace(report, pictures=(picture,)), picture


@cache
def three() -> tuple[Report, Picture]:
    return pictured(*THREE)


def sketched(report: Report, picture: Picture, *, is_ascii: bool = False, look: Look | None = None) -> str:
    return "".join(sketch(report, picture, look or Look(), is_ascii=is_ascii))


# --- which seconds -------------------------------------------------------------------------------


def test_the_seconds_of_the_failure_are_those_about_the_loss() -> None:
    _, picture = three()
    assert picture.moment == "frame 183 is sent, and lost"
    assert picture.from_ns < picture.moment_ns < picture.to_ns
    assert picture.to_ns - picture.from_ns <= STRETCHED_NS * 1.1
    assert picture.follows == "", "the ending is near enough to be in the picture"


@pytest.mark.parametrize(
    ("sample", "moment"),
    [
        ("window-stall.pcap", "frame 127 offers a window of 480 bytes"),
        ("idle-timeout-client.pcap", "the first segment after 3901 s of silence"),
        ("peer-vanished.pcap", "frame 63 is the last of one end"),
        ("handshake-failed.pcap", "the first segment"),
        ("reset-by-endpoint.pcap", "the RST in frame"),
        ("answered.pcap", "the first duplicate ACK"),
    ],
)
def test_every_verdict_has_its_moment(sample: str, moment: str) -> None:
    _, picture = pictured((None, sample))
    assert picture.moment.startswith(moment)
    assert picture.from_ns <= picture.moment_ns <= picture.to_ns


def test_what_does_not_fit_is_told() -> None:
    _, picture = pictured((None, "window-stall.pcap"))
    assert picture.to_ns - picture.from_ns < 1.1 * LENGTH_NS
    assert picture.follows == "199 more segments in 30.2 s, 98 of them duplicate ACKs, an RST in frame 536"


@pytest.mark.parametrize("sample", EVERY_SAMPLE)
def test_every_sample_can_be_drawn(sample: str) -> None:
    report, picture = pictured((None, sample))
    drawn = svg(report, picture)
    assert drawn == svg(report, picture)
    assert len(drawn) < 200_000
    root = parsed(drawn)
    assert root.findtext(f"{SVG}title"), "a picture has words for those who do not see it"
    for element in root.iter():
        for name in ("x", "y", "cx", "cy"):
            assert 0 <= float(element.get(name, 0)) <= 2000
    lines = sketched(report, picture, is_ascii=True)
    assert lines.isascii()
    assert max(map(len, lines.splitlines())) <= 120


# --- stored ----------------------------------------------------------------------------------------


def test_a_stored_picture_draws_the_same() -> None:
    report, picture = three()
    again = Report.from_json(report.to_json())
    assert svg(again, again.pictures[0]) == svg(report, picture)
    assert sketched(again, again.pictures[0]) == sketched(report, picture)


def test_a_picture_holds_every_segment_of_its_seconds() -> None:
    report, picture = three()
    flow = report.flows[0].id
    for whole, held in zip(retrace(report, [flow]).traces, traces_in(picture), strict=True):
        inside = [row for row, at in enumerate(whole.columns.at_ns) if picture.from_ns <= at <= picture.to_ns]
        for name in ("at_ns", "frame", "direction", "pos", "length", "ack", "window", "marks"):
            column = getattr(whole.columns, name)
            assert list(getattr(held.columns, name)) == [column[row] for row in inside]
        assert (held.base_seq, held.clock_error_ns) == (whole.base_seq, whole.clock_error_ns)
        assert set(held.holes) <= set(whole.holes)


@pytest.mark.parametrize(
    ("column", "spoilt"),
    [
        ("pos", ""),
        ("pos", "word"),
        ("at_ns", str(1 << 70)),
        ("frame", "9" * 5000),
        ("direction", "7"),
        ("marks", "-1"),
        ("sack_row", "9999999"),
        ("sack_left", "1"),
    ],
)
def test_a_damaged_picture_is_refused_in_one_line(column: str, spoilt: str) -> None:
    report, picture = three()
    place = picture.places[0]
    values = getattr(place, column).split()
    text = " ".join([spoilt, *values[1:]]) if values and spoilt else spoilt
    if column.startswith("sack"):
        other = {name: "1" for name in ("sack_row", "sack_left", "sack_right") if column == "sack_row"}
        place = msgspec.structs.replace(place, **(other | {column: spoilt}))
    else:
        place = msgspec.structs.replace(place, **{column: text})
    damaged = msgspec.structs.replace(picture, places=(place,))
    with pytest.raises(ReportError, match="is damaged"):
        svg(report, damaged)


@pytest.mark.parametrize("name", ["base_seq", "keeps_step"])
def test_a_picture_without_both_directions_is_refused(name: str) -> None:
    report, picture = three()
    place = msgspec.structs.replace(picture.places[0], **{name: ()})
    with pytest.raises(ReportError, match="is damaged"):
        svg(report, msgspec.structs.replace(picture, places=(place,)))


# --- thinning -------------------------------------------------------------------------------------


def columns_with(marks: Sequence[int]) -> Columns:
    count = len(marks)
    longs = array("q", range(count))
    return Columns(
        at_ns=longs,
        frame=longs,
        capture=array("B", bytes(count)),
        direction=array("B", bytes(count)),
        pos=longs,
        length=longs,
        ack=longs,
        window=longs,
        marks=array("H", marks),
    )


@given(marks=st.lists(st.sampled_from([0, 0, 0, Mark.LOST, Mark.DUPLICATE_ACK, Mark.COPY]), max_size=60))
def test_what_matters_more_stays_longer(marks: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thin, "MAX_POINTS", 20)
        rows, left_out = thin.thinned(columns_with(marks), 0, len(marks))
    assert len(rows) == min(len(marks), 20)
    assert rows == sorted(set(rows))
    assert left_out == len(marks) - len(rows)
    weights = [thin.weight(one) for one in marks]
    gone = [weights[row] for row in range(len(marks)) if row not in rows]
    for row in rows:
        assert all(weights[row] <= other for other in gone) or weights[row] == min(gone)


def test_of_one_kind_the_first_the_last_and_some_between_stay() -> None:
    assert thin.evenly(range(100), 5) == [0, 24, 49, 74, 99]
    assert thin.evenly(range(100), 1) == [0]
    assert thin.evenly(range(3), 5) == [0, 1, 2]


# --- drawing ----------------------------------------------------------------------------------------


def parsed(drawn: str) -> ElementTree.Element:
    return ElementTree.fromstring(drawn)  # noqa: S314  # our own, without a document type


def words_in(drawn: str) -> list[str]:
    return ["".join(one.itertext()) for one in parsed(drawn).iter(f"{SVG}text")]


def test_the_plot_names_the_frames_of_the_captures() -> None:
    words = words_in(svg(*three()))
    for told in (
        "Unanswered duplicate ACKs (Cisco TAC 113578) – proven",
        "frame 183 passes here, and is lost",
        "frame 185: first of 70 duplicate ACKs here, for byte 12,405",
        "frame 184: first of 70 duplicate ACKs here, for byte 12,405",
        "the client goes on: 69 more segments",
        "RST from the client, frame 329",
        "frame 131: the last data from the client",
        "failure-asa-outside.pcap; clock aligned to within 12.5 ms",
        "0 s is 2026-11-23T21:27:20.110370Z: frame 183 is sent, and lost",
    ):
        assert told in words


def test_no_name_from_a_capture_or_file_has_power_over_the_picture() -> None:
    report, picture = three()
    evil = "<script>alert(1)</script>\"'&\x1b[31m\u202e.pcap"
    captures = tuple(msgspec.structs.replace(one, source=evil) for one in report.captures)
    findings = tuple(msgspec.structs.replace(one, title=evil, summary=evil) for one in report.findings)
    places = tuple(msgspec.structs.replace(one, place=evil) for one in picture.places)
    picture = msgspec.structs.replace(picture, places=places, moment=evil, follows=evil)
    report = msgspec.structs.replace(report, captures=captures, findings=findings)
    root = parsed(svg(report, picture))
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {
        "svg",
        "title",
        "desc",
        "text",
        "path",
        "rect",
    }
    shown = sketched(report, picture)
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_a_long_name_of_a_file_keeps_both_ends_and_does_not_push_its_clock_off_the_paper() -> None:
    report, picture = three()
    long = f"office-{'x' * 200}-second.pcap"
    captures = tuple(msgspec.structs.replace(one, source=long) for one in report.captures[1:2])
    report = msgspec.structs.replace(report, captures=(report.captures[0], *captures, report.captures[2]))
    told, numbered = (words for words in words_in(svg(report, picture)) if words.startswith("office-"))
    assert width_of(numbered, SMALL) <= WIDTH - LEFT
    assert re.fullmatch(r"office-x+…x+-second\.pcap; clock aligned to within 12\.5 ms", told)
    assert LEFT + width_of("asa-outside", BOLD * 14) + 12 + width_of(told, SMALL) <= WIDTH - RIGHT


def test_a_place_that_is_called_after_its_long_file_fits_its_lane() -> None:
    report, picture = three()
    places = tuple(msgspec.structs.replace(one, place="y" * 300) for one in picture.places)
    names = [
        words
        for words in words_in(svg(report, msgspec.structs.replace(picture, places=places)))
        if "yy" in words
    ]
    assert names == [names[0]] * 3
    assert width_of(names[0], BOLD * 14) <= (WIDTH - LEFT) / 2


def test_places_beyond_four_are_told() -> None:
    report, picture = three()
    many = msgspec.structs.replace(picture, places=picture.places * 2)
    assert "2 further places not drawn." in words_in(svg(report, many))


def test_the_axis_is_marked_at_round_numbers() -> None:
    assert list(steps(-2.6, 21.6, 6)) == [0, 5, 10, 15, 20]
    assert list(steps(0, 1, 5)) == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert list(steps(9_897, 30_109, 4)) == [10_000, 20_000, 30_000]


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**12), st.integers(2, 12))
def test_an_axis_is_never_crowded(low: int, length: int, most: int) -> None:
    marks = list(steps(low, low + length, most))
    assert len(marks) <= most + 1
    assert all(low <= mark <= low + length for mark in marks)


def test_a_sketch_keeps_to_its_width_and_colours_only_where_it_may() -> None:
    report, picture = three()
    for width in (40, 80, 132):
        lines = sketched(report, picture, look=Look(width=width)).splitlines()
        drawn = [line for line in lines if "│" in line and "data" not in line]
        assert max(map(len, drawn)) <= width
    coloured = sketched(report, picture, look=Look(pen=COLORED))
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == sketched(report, picture)
    assert "\x1b" not in sketched(report, picture)


def test_the_sketch_shows_the_three_links_of_the_proof() -> None:
    drawn = sketched(*three(), is_ascii=True)
    client, _, inside = drawn.split("bytes client to headend\n")[1:]
    assert ASCII["lost"] in client
    assert client.count(ASCII["ask"]) > 20
    assert ASCII["ask"] not in inside.split("0 s is")[0]


# --- golden -----------------------------------------------------------------------------------------


def drawings() -> dict[str, str]:
    report, picture = three()
    stalled, closing = pictured((None, "window-stall.pcap"))
    return {
        "failure.svg": svg(report, picture),
        "failure.txt": sketched(report, picture),
        "failure-ascii.txt": sketched(report, picture, is_ascii=True),
        "window-stall.svg": svg(stalled, closing),
    }


@pytest.mark.parametrize("name", ["failure.svg", "failure.txt", "failure-ascii.txt", "window-stall.svg"])
def test_the_drawing_is_the_one_that_was_looked_at(name: str) -> None:
    assert drawings()[name] == (GOLDEN / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for file, content in drawings().items():
        (GOLDEN / file).write_text(content, encoding="utf-8")
        sys.stdout.write(f"{GOLDEN / file}\n")
