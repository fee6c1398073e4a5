"""The plot: a time–sequence diagram of a flow's decisive seconds, every place on one clock, for mail and paper.

Reads a report and one of its pictures, and nothing else: last year's report can be drawn without its captures.  The
same report gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ctcp_forensics.picture import traces_in
from ctcp_forensics.render.plot.lane import GREY, NOT_PLACED, PALE, RUG_HEIGHT, Lane, drawn, ink, legend_sign
from ctcp_forensics.render.plot.notes import notes_on, placed
from ctcp_forensics.render.plot.paper import Box, document, path, rectangle, text, width_of, wrapped
from ctcp_forensics.render.plot.scale import Scale, steps
from ctcp_forensics.render.wording import count, duration, endpoint, labels, utc
from ctcp_forensics.report import DIRECTION_WORDS, Finding, Flow, Picture, Report
from ctcp_forensics.trace import NOWHERE, Mark, Trace

__all__ = ["MAX_LANES", "svg"]

WIDTH: Final = 960
LEFT, RIGHT = 80, 24
TITLE_SIZE, SUMMARY_SIZE, SMALL = 20, 13, 11
BOLD: Final = 1.12
"""Times as wide."""
ROOM_BELOW, ROOM_ABOVE = 32, 12
HEADER: Final = 24
"""Above a lane, with its name."""
MAX_LANES: Final = 4
"""More do not fit half a page; the places at the ends and beside the judged one are kept."""
LANE_HEIGHTS: Final = {1: 320, 2: 220, 3: 170, 4: 150}
SUMMARY_LINES: Final = 3
LEGEND: Final = (
    ("sent", "data"),
    ("ack", "ACK that comes back"),
    ("ask", "duplicate ACK"),
    ("lost", "passes here, and is lost"),
    ("hole", "missing bytes"),
    ("sack", "received beyond the hole (SACK)"),
    ("again", "sent again"),
    ("closed", "window closed"),
    ("end", "FIN, RST"),
    ("window", "end of the receiver's window"),
    ("rug", "strip below: data of the other end"),
)


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
    flow = next(one for one in report.flows if one.id == picture.flow)
    finding = next(one for one in report.findings if one.flow == picture.flow)
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
    content += time_axis(subject, scale, y)
    y += 44
    y = legend(chosen, subject.way, y, content)
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
    yield from grid(subject, scale)
    yield from drawn(lane)
    yield from placed(notes_on(lane, subject.picture.moment_ns), scale.box, ink(lane))


def lane_header(subject: Subject, lane: Lane) -> Iterator[str]:
    trace, y = lane.trace, lane.scale.box.top - 8
    yield text(LEFT, y, trace.place, font_size=14, font_weight="bold")
    names = subject.captures
    files = ", ".join(names.get(one, one) for one in trace.captures)
    told = [files] if files != trace.place else []
    if len(subject.traces) > 1:
        told.append(clock_words(trace))
    if not trace.keeps_step[lane.way]:
        told.append("a box makes the stream anew: bytes are counted here by themselves")
    if trace.rows_left_out:
        told.append(f"{trace.rows_left_out:,} ordinary segments left out")
    x = LEFT + width_of(trace.place, BOLD * 14) + 12
    yield text(x, y, "; ".join(told), font_size=SMALL, fill=GREY)


def clock_words(trace: Trace) -> str:
    if trace.clock_error_ns is None:
        return "its clock could not be aligned"
    if trace.clock_error_ns == 0:
        return "times are of this clock"
    return f"clock aligned to within {trace.clock_error_ns / 1e6:.3g} ms"


def byte_axis(lane: Lane) -> Iterator[str]:
    scale, box = lane.scale, lane.scale.box
    for at in steps(scale.low, scale.high, 5 if box.height > 200 else 4):
        if at != int(at) or at < 0:
            continue
        y = scale.y(int(at))
        yield path(f"M{box.left:.1f} {y:.1f}H{box.right:.1f}", stroke=PALE, stroke_width=0.7)
        yield text(box.left - 7, y + 4, f"{int(at):,}", font_size=SMALL, fill=GREY, text_anchor="end")
    x, y = 15, box.top + box.height / 2
    told = "bytes to the client" if lane.way else "bytes to the headend"
    yield text(
        x,
        y,
        told,
        font_size=SMALL,
        fill=GREY,
        text_anchor="middle",
        transform=f"rotate(-90 {x} {y:.1f})",
    )


def seconds_in(subject: Subject, scale: Scale) -> Iterator[tuple[float, float]]:
    """Seconds from the moment, and where they are."""
    zero = subject.picture.moment_ns
    for at in steps((scale.from_ns - zero) / 1e9, (scale.to_ns - zero) / 1e9, 12):
        yield at, scale.x(zero + round(at * 1e9))


def grid(subject: Subject, scale: Scale) -> Iterator[str]:
    for at, x in seconds_in(subject, scale):
        color, width = (GREY, 0.9) if at == 0 else (PALE, 0.7)
        yield path(f"M{x:.1f} {scale.box.top:.1f}V{scale.box.bottom:.1f}", stroke=color, stroke_width=width)


def time_axis(subject: Subject, scale: Scale, y: float) -> Iterator[str]:
    for at, x in seconds_in(subject, scale):
        yield text(x, y + 12, f"{at + 0.0:g} s", font_size=SMALL, fill=GREY, text_anchor="middle")
    picture = subject.picture
    told = f"0 s is {utc(picture.moment_ns)}: {picture.moment}"
    yield text(LEFT + scale.box.width / 2, y + 30, told, text_anchor="middle")


def legend(traces: Sequence[Trace], way: int, y: float, content: list[str]) -> float:
    """The signs that are in the picture, in as many rows as they take."""
    x = float(LEFT)
    present = signs_in(traces, way)
    for role, told in LEGEND:
        if role not in present:
            continue
        width = 22 + width_of(told, SMALL) + 8
        if x + width > WIDTH - RIGHT:
            x, y = float(LEFT), y + 19
        content.append(legend_sign(role, x + 8, y + 8))
        content.append(text(x + 20, y + 12, told, font_size=SMALL))
        x += width
    return y + 26


def signs_in(traces: Sequence[Trace], way: int) -> set[str]:
    signs = {"sent", "ack", "rug"}
    for trace in traces:
        marks = marks_by_way(trace)
        signs |= {role for role, mark in ON_DATA.items() if marks[way] & mark}
        signs |= {role for role, mark in ON_ACKS.items() if marks[1 - way] & mark}
        signs |= {"end"} if (marks[0] | marks[1]) & (Mark.RST | Mark.FIN) else set()
        signs |= {"hole" for hole in trace.holes if hole.direction == way}
        signs |= {"sack"} if len(trace.columns.sack_row) else set()
        signs |= {"window"} if shows_window(trace, way) else set()
    return signs


def marks_by_way(trace: Trace) -> tuple[int, int]:
    """All marks that occur, each way."""
    found = [0, 0]
    for way, marks in set(zip(trace.columns.direction, trace.columns.marks, strict=True)):
        found[way] |= marks
    return found[0], found[1]


def shows_window(trace: Trace, way: int) -> bool:
    """Whether the window ends among the bytes that were sent."""
    columns = trace.columns
    highest = max(
        (pos for pos, by in zip(columns.pos, columns.direction, strict=True) if by == way), default=0
    )
    return any(
        ack != NOWHERE and by != way and ack + window < highest and not marks & NOT_PLACED
        for ack, by, window, marks in zip(
            columns.ack, columns.direction, columns.window, columns.marks, strict=True
        )
    )


ON_DATA: Final = {"lost": Mark.LOST, "again": Mark.AGAIN}
ON_ACKS: Final = {"ask": Mark.DUPLICATE_ACK, "closed": Mark.ZERO_WINDOW}


def numbering(subject: Subject) -> str:
    """How a byte of the axis is found in Wireshark."""
    names = subject.captures
    zeros = [
        f"{trace.base_seq[subject.way]} in {names.get(trace.captures[0], trace.captures[0])}"
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
