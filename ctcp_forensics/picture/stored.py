"""Traces as text columns, and back: what a stored report holds of a picture.

Knows both forms.  A report comes from anywhere: columns that do not fit together are refused.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

from ctcp_forensics.report import (
    DIRECTION_WORDS,
    Finding,
    Flow,
    Picture,
    PictureHole,
    PicturePlace,
    Report,
    ReportError,
)
from ctcp_forensics.trace import Columns, Hole, Trace

OF_SEGMENTS = ("at_ns", "frame", "capture", "direction", "pos", "length", "ack", "window", "marks")
OF_BLOCKS = ("sack_row", "sack_left", "sack_right")
MOST_DIGITS = 20


def stored(columns: Columns, rows: Sequence[int], from_ns: int) -> dict[str, str]:
    """Some rows of a trace, as text."""
    new_row = {row: number for number, row in enumerate(rows)}
    blocks = [at for at, row in enumerate(columns.sack_row) if row in new_row]
    held = {name: text(getattr(columns, name)[row] for row in rows) for name in OF_SEGMENTS}
    return held | {
        "at_ns": text(columns.at_ns[row] - from_ns for row in rows),
        "sack_row": text(new_row[columns.sack_row[at]] for at in blocks),
        "sack_left": text(columns.sack_left[at] for at in blocks),
        "sack_right": text(columns.sack_right[at] for at in blocks),
    }


def text(numbers: Iterable[int]) -> str:
    return " ".join(map(str, numbers))


def holes_of(trace: Trace, from_ns: int, to_ns: int) -> tuple[PictureHole, ...]:
    """Those that were open at some time of the picture."""
    return tuple(
        PictureHole(
            direction=DIRECTION_WORDS[hole.direction],
            left=hole.left,
            right=hole.right,
            from_ns=hole.from_ns,
            to_ns=hole.to_ns,
        )
        for hole in trace.holes
        if hole.from_ns <= to_ns and (hole.to_ns is None or hole.to_ns >= from_ns)
    )


# --- and back ------------------------------------------------------------------------------------


def traces_in(picture: Picture) -> tuple[Trace, ...]:
    """The traces that a stored picture holds.  Raises ReportError where its columns do not fit together."""
    try:
        return tuple(trace_of(picture, place) for place in picture.places)
    except (ValueError, OverflowError) as error:
        raise ReportError(f"the picture of flow {picture.flow} is damaged: {error}") from error


def told_of(report: Report, picture: Picture) -> tuple[Flow, Finding]:
    """What the report says of the flow.  Raises ReportError where it says nothing."""
    flow = next((one for one in report.flows if one.id == picture.flow), None)
    finding = next((one for one in report.findings if one.flow == picture.flow), None)
    if flow is None or finding is None or picture.direction not in DIRECTION_WORDS:
        raise ReportError(f"the picture of flow {picture.flow} belongs to no flow of the report")
    return flow, finding


def trace_of(picture: Picture, place: PicturePlace) -> Trace:
    to_headend, to_client = place.base_seq
    keeps_there, keeps_back = place.keeps_step
    return Trace(
        flow=picture.flow,
        place=place.place,
        captures=place.captures,
        base_seq=(to_headend, to_client),
        columns=columns_of(place, picture.from_ns),
        holes=tuple(map(hole_of, place.holes)),
        clock_error_ns=place.clock_error_ns,
        rows_left_out=place.left_out,
        keeps_step=(keeps_there, keeps_back),
        is_excerpt=True,
    )


def hole_of(stored_hole: PictureHole) -> Hole:
    return Hole(
        direction=DIRECTION_WORDS.index(stored_hole.direction),
        left=stored_hole.left,
        right=stored_hole.right,
        from_ns=stored_hole.from_ns,
        to_ns=stored_hole.to_ns,
    )


def columns_of(place: PicturePlace, from_ns: int) -> Columns:
    segments = {name: numbers(getattr(place, name)) for name in OF_SEGMENTS}
    blocks = {name: numbers(getattr(place, name)) for name in OF_BLOCKS}
    for columns in (segments, blocks):
        if len({len(column) for column in columns.values()}) > 1:
            raise ValueError("its columns are of different lengths")
    if any(not 0 <= way < len(DIRECTION_WORDS) for way in segments["direction"]):
        raise ValueError("a segment goes neither to the headend nor back")
    if any(not 0 <= row < len(segments["at_ns"]) for row in blocks["sack_row"]):
        raise ValueError("a SACK block belongs to no segment")
    return Columns(
        at_ns=array("q", (from_ns + at for at in segments.pop("at_ns"))),
        capture=array("B", segments.pop("capture")),
        direction=array("B", segments.pop("direction")),
        marks=array("H", segments.pop("marks")),
        **{name: array("q", column) for name, column in (segments | blocks).items()},
    )


def numbers(column: str) -> list[int]:
    """Python takes a long while for a number of many digits."""
    words = column.split()
    if any(len(word) > MOST_DIGITS for word in words):
        raise ValueError("a number has too many digits")
    return [int(word) for word in words]
