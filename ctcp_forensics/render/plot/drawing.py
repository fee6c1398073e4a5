"""Drawing: title, lanes, axes and notes of one picture, composed from the top down.

Knows what the report says of a picture, and where on the paper it stands.  Does not know what is in a lane: see lane.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ctcp_forensics.picture import told_of, traces_in
from ctcp_forensics.render.plot.axes import byte_axis, grid, time_axis
from ctcp_forensics.render.plot.lane import GREY, NOT_PLACED, PALE, RUG_HEIGHT, Lane, drawn, ink
from ctcp_forensics.render.plot.legend import legend
from ctcp_forensics.render.plot.notes import notes_on, placed
from ctcp_forensics.render.plot.paper import SMALL, Box, document, rectangle, text, width_of, wrapped
from ctcp_forensics.render.plot.scale import Scale
from ctcp_forensics.render.wording import both_ends, clean, count, duration, endpoint, labels
from ctcp_forensics.report import DIRECTION_WORDS, Finding, Flow, Picture, Report
from ctcp_forensics.trace import NOWHERE, Mark, Trace

WIDTH: Final = 960
LEFT, RIGHT = 80, 24
TITLE_SIZE, SUMMARY_SIZE, LANE_NAME_SIZE = 20, 13, 14
BOLD: Final = 1.12
"""Times as wide."""
FEWEST_LETTERS: Final = 8
"""Of a name beside whatever else is told: fewer tell nothing apart."""
ROOM_BELOW, ROOM_ABOVE = 32, 12
HEADER: Final = 24
"""Above a lane, with its name."""
MAX_LANES: Final = 4
"""More do not fit half a page; the places at the ends and beside the judged one are kept."""
LANE_HEIGHTS: Final = {1: 320, 2: 220, 3: 170, 4: 150}
SUMMARY_LINES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is drawn, and what the report says of it."""

    report: Report
    picture: Picture
    flow: Flow
    finding: Finding
    traces: tuple[Trace, ...]

    @property
    def way(self) -> int:
        return DIRECTION_WORDS.index(self.picture.direction)

    @property
    def title(self) -> str:
        return f"{self.finding.title} – {self.finding.confidence}"

    @property
    def captures(self) -> dict[str, str]:
        return labels({one.id: one.source for one in self.report.captures})


def svg(report: Report, picture: Picture) -> str:
    """The picture, as one SVG document.  Raises ReportError where the stored picture is damaged."""
    flow, finding = told_of(report, picture)
    subject = Subject(report=report, picture=picture, flow=flow, finding=finding, traces=traces_in(picture))
    content, height = composed(subject)
    return document(WIDTH, height, subject.title, in_words(subject), content)


def in_words(subject: Subject) -> str:
    """For who does not see it: what the diagram shows, place by place."""
    picture = subject.picture
    told = [
        f"Time-sequence diagram of {duration(picture.to_ns - picture.from_ns)} at "
        f"{count(len(subject.traces), 'place')}: bytes {picture.direction.replace('-', ' ')} over time.",
        subject.finding.summary,
    ]
    for trace in subject.traces:
        asked = sum(bool(marks & Mark.DUPLICATE_ACK) for marks in trace.columns.marks)
        told.append(
            f"{trace.place}: {count(len(trace.columns), 'segment')}, {count(asked, 'duplicate ACK')}."
        )
    return " ".join(told)


# --- composing ------------------------------------------------------------------------------------


def composed(subject: Subject) -> tuple[list[str], float]:
    """From the top down: title, what happened, the lanes, the axis, the legend, what is not shown."""
    content: list[str] = []
    y = heading(subject, content)
    chosen = chosen_lanes(subject)
    height = LANE_HEIGHTS[len(chosen)]
    low, high = with_room(bytes_shown(chosen, subject.way), height)
    for trace in chosen:
        box = Box(left=LEFT, top=y + HEADER, width=WIDTH - LEFT - RIGHT, height=height)
        scale = Scale(
            box=box, from_ns=subject.picture.from_ns, to_ns=subject.picture.to_ns, low=low, high=high
        )
        content += lane_of(subject, Lane(trace=trace, way=subject.way, scale=scale))
        y = box.bottom + RUG_HEIGHT + 6
    content += time_axis(subject.picture, scale, y)
    below = Box(left=LEFT, top=y + 44, width=WIDTH - LEFT - RIGHT, height=0)
    y = legend(chosen, subject.way, below, content)
    return content, footer(subject, len(subject.traces) - len(chosen), y, content)


def heading(subject: Subject, content: list[str]) -> float:
    y = 34.0
    for line in wrapped(subject.title, WIDTH - 48, BOLD * TITLE_SIZE):
        content.append(text(24, y, line, font_size=TITLE_SIZE, font_weight="bold"))
        y += 24
    lines = list(wrapped(subject.finding.summary, WIDTH - 48, SUMMARY_SIZE))
    if len(lines) > SUMMARY_LINES:
        lines = [*lines[: SUMMARY_LINES - 1], lines[SUMMARY_LINES - 1] + " …"]
    for line in lines:
        content.append(text(24, y, line, font_size=SUMMARY_SIZE))
        y += 18
    flow = subject.flow
    ends = f"{endpoint(flow.client)} (client) and {endpoint(flow.headend)} (headend)"
    content.append(text(24, y + 2, ends, font_size=SMALL, fill=GREY))
    return y + 10


def chosen_lanes(subject: Subject) -> list[Trace]:
    """All places, or the first, the last and those nearest to the one that is judged."""
    traces = list(subject.traces)
    judged = next((at for at, one in enumerate(traces) if subject.flow.judged_in in one.captures), 0)
    near = sorted(range(len(traces)), key=lambda at: (at not in (0, len(traces) - 1), abs(at - judged), at))
    return [traces[at] for at in sorted(near[:MAX_LANES])]


def bytes_shown(traces: Sequence[Trace], way: int) -> tuple[int, int]:
    """What was sent and acknowledged."""
    found: list[int] = []
    for columns in (trace.columns for trace in traces):
        for row, by in enumerate(columns.direction):
            if columns.marks[row] & NOT_PLACED:
                continue
            if by != way and columns.ack[row] != NOWHERE:
                found.append(columns.ack[row])
            if by == way and columns.length[row] and columns.pos[row] != NOWHERE:
                found += (columns.pos[row], columns.pos[row] + columns.length[row])
    return (min(found), max(found)) if found else (0, 1)


def with_room(span: tuple[int, int], height: float) -> tuple[int, int]:
    """Room for a label below and for a sign above."""
    low, high = span
    a_pixel = max(1, high - low) / (height - ROOM_BELOW - ROOM_ABOVE)
    return low - round(ROOM_BELOW * a_pixel), high + round(ROOM_ABOVE * a_pixel)


def lane_of(subject: Subject, lane: Lane) -> Iterator[str]:
    scale = lane.scale
    yield from lane_header(subject, lane)
    yield rectangle(scale.box, fill="#ffffff", stroke=PALE)
    yield from byte_axis(lane)
    yield from grid(subject.picture, scale)
    yield from drawn(lane)
    yield from placed(notes_on(lane), scale.box, ink(lane))


def lane_header(subject: Subject, lane: Lane) -> Iterator[str]:
    trace, y = lane.trace, lane.scale.box.top - 8
    place = fitting(trace.place, (WIDTH - LEFT) / 2, BOLD * LANE_NAME_SIZE)
    yield text(LEFT, y, place, font_size=LANE_NAME_SIZE, font_weight="bold")
    x = LEFT + width_of(place, BOLD * LANE_NAME_SIZE) + 12
    yield text(x, y, lane_note(subject, lane, WIDTH - RIGHT - x), font_size=SMALL, fill=GREY)


def lane_note(subject: Subject, lane: Lane, room: float) -> str:
    """Which files the lane is of, and how far it can be held against the others; names give way to what they bear."""
    trace = lane.trace
    told = []
    if len(subject.traces) > 1:
        told.append(clock_words(trace))
    if not trace.keeps_step[lane.way]:
        told.append("a box makes the stream anew: bytes are counted here by themselves")
    if trace.rows_left_out:
        told.append(f"{trace.rows_left_out:,} ordinary segments left out")
    names = subject.captures
    files = ", ".join(clean(names.get(one, one)) for one in trace.captures)
    if files == trace.place:
        return "; ".join(told)
    room -= width_of("".join(f"; {one}" for one in told), SMALL)
    return "; ".join([fitting(files, room, SMALL), *told])


def fitting(name: str, room: float, size: float) -> str:
    """A name in so many pixels."""
    return both_ends(clean(name), max(int(room / width_of("x", size)), FEWEST_LETTERS))


def clock_words(trace: Trace) -> str:
    if trace.clock_error_ns is None:
        return "its clock could not be aligned"
    if trace.clock_error_ns == 0:
        return "times are of this clock"
    return f"clock aligned to within {trace.clock_error_ns / 1e6:.3g} ms"


def numbering(subject: Subject) -> str:
    """How a byte of the axis is found in Wireshark."""
    names, room = subject.captures, (WIDTH - LEFT - RIGHT) / 2
    zeros = [
        f"{trace.base_seq[subject.way]} in {fitting(names.get(trace.captures[0], trace.captures[0]), room, SMALL)}"
        for trace in subject.traces
    ]
    return f"Byte 0 is sequence number (raw) {', '.join(zeros)}"


def footer(subject: Subject, lanes_left_out: int, y: float, content: list[str]) -> float:
    """What the picture does not show, and what made it."""
    told = []
    if subject.picture.follows:
        told.append(f"Behind the right edge: {subject.picture.follows}.")
    told.append(f"{numbering(subject)}.")
    if lanes_left_out:
        told.append(f"{count(lanes_left_out, 'further place')} not drawn.")
    tool = subject.report.tool
    told.append(f"{tool.name} {tool.version}, rules {tool.rules_version}; flow {subject.flow.id}.")
    for line in (line for one in told for line in wrapped(one, WIDTH - LEFT - RIGHT, SMALL)):
        content.append(text(LEFT, y + 8, line, font_size=SMALL, fill=GREY))
        y += 16
    return y + 12
