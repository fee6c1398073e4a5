"""Notes: the words in a lane, beside what they are about, with the frame numbers of the capture itself.

Knows what is worth a word, and finds room for it.  A note that finds none is left out: the axis, the legend and the
text below say the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ctcp_forensics.render.plot.lane import BLUE, GREY, PURPLE, RED, VERMILLION, Lane
from ctcp_forensics.render.plot.paper import Box, path, rectangle, text, width_of
from ctcp_forensics.trace import Mark

SIZE: Final = 12
LINE_HEIGHT: Final = 15
NEAR: Final = 14
"""A label this near needs no line to what it is about."""
DISTANCES: Final = (10, 22, 38, 58, 84, 116)
SIDES: Final = ((1, -1), (-1, -1), (1, 1), (-1, 1), (0, -1), (0, 1), (1, 0), (-1, 0))
ENDS: Final = ("client", "headend")


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Words about a point, or about an upright line that begins there."""

    x: float
    y: float
    words: str
    color: str
    length: float = 0


def notes_on(lane: Lane) -> Iterator[Note]:
    """The most telling first."""
    yield from on_loss(lane)
    yield from on_questions(lane)
    yield from on_closing(lane)
    yield from on_repetition(lane)
    yield from on_opening(lane)
    yield from on_endings(lane)
    yield from on_silence(lane)
    yield from on_going_on(lane)


def middle_of(lane: Lane, row: int) -> float:
    columns = lane.columns
    return lane.scale.y(columns.pos[row] + columns.length[row] // 2)


def on_loss(lane: Lane) -> Iterator[Note]:
    columns, lost = lane.columns, lane.marked(Mark.LOST)
    if lost:
        more = ", as are others" if len(lost) > 1 else ""
        fate = "comes here damaged" if columns.marks[lost[0]] & Mark.DAMAGED else "passes here, and is lost"
        words = f"frame {columns.frame[lost[0]]} {fate}{more}"
        yield Note(x=lane.x(lost[0]), y=middle_of(lane, lost[0]), words=words, color=RED)


def on_questions(lane: Lane) -> Iterator[Note]:
    """Of the byte that was asked for most."""
    columns, asks = lane.columns, lane.asks
    if not asks:
        return
    wanted = max(sorted({columns.ack[row] for row in asks}), key=[columns.ack[row] for row in asks].count)
    asking = [row for row in asks if columns.ack[row] == wanted]
    first, y = asking[0], lane.scale.y(wanted)
    if len(asking) == 1:
        words = f"frame {columns.frame[first]}: a duplicate ACK for byte {wanted:,}"
    else:
        words = (
            f"frame {columns.frame[first]}: first of {len(asking)} duplicate ACKs here, for byte {wanted:,}"
        )
    yield Note(x=lane.x(first), y=y, words=words, color=VERMILLION)


def on_closing(lane: Lane) -> Iterator[Note]:
    columns = lane.columns
    closed = [row for row in lane.answers if columns.marks[row] & Mark.ZERO_WINDOW]
    if closed:
        words = f"frame {columns.frame[closed[0]]}: window closed" + (
            f", and {len(closed) - 1} times more" if len(closed) > 1 else ""
        )
        yield Note(x=lane.x(closed[0]), y=lane.scale.y(columns.ack[closed[0]]), words=words, color=PURPLE)


def on_repetition(lane: Lane) -> Iterator[Note]:
    columns, again = lane.columns, lane.marked(Mark.AGAIN)
    if again:
        more = ", as are others" if len(again) > 1 else ""
        words = f"frame {columns.frame[again[0]]}: sent again{more}"
        yield Note(x=lane.x(again[0]), y=middle_of(lane, again[0]), words=words, color=PURPLE)


def on_opening(lane: Lane) -> Iterator[Note]:
    """A SYN behind which nothing came."""
    marks, columns = list(lane.columns.marks), lane.columns
    if all(one & (Mark.SYN | Mark.RST) for one in marks) and marks and marks[0] & Mark.SYN:
        words = f"frame {columns.frame[0]}: SYN from the {ENDS[columns.direction[0]]}"
        yield Note(x=lane.x(0), y=lane.scale.box.top + 30, words=words, color=GREY, length=40)


def on_endings(lane: Lane) -> Iterator[Note]:
    """The first RST, else the first FIN, and who sent it."""
    columns, box = lane.columns, lane.scale.box
    for mark, name in ((Mark.RST, "RST"), (Mark.FIN, "FIN")):
        rows = [row for row, marks in enumerate(columns.marks) if marks & mark and not marks & Mark.COPY]
        if rows:
            words = f"{name} from the {ENDS[columns.direction[rows[0]]]}, frame {columns.frame[rows[0]]}"
            yield Note(
                x=lane.x(rows[0]),
                y=box.top + 0.15 * box.height,
                words=words,
                color=RED,
                length=0.6 * box.height,
            )
            return


def on_silence(lane: Lane) -> Iterator[Note]:
    """Where the data stops long before the picture does, and that is no ending."""
    scale, columns = lane.scale, lane.columns
    sent = [row for row in lane.sent if not columns.marks[row] & Mark.SYN]
    if not sent:
        box = scale.box
        words = f"no data from the {ENDS[lane.way]} passes here"
        yield Note(x=box.left + box.width / 2, y=box.top + box.height / 2, words=words, color=GREY)
        return
    last = sent[-1]
    quiet_ns = scale.to_ns - columns.at_ns[last]
    if quiet_ns > (scale.to_ns - scale.from_ns) // 4 and columns.at_ns[last] >= scale.from_ns:
        words = f"frame {columns.frame[last]}: the last data from the {ENDS[lane.way]}"
        yield Note(x=lane.x(last), y=middle_of(lane, last), words=words, color=BLUE)


def on_going_on(lane: Lane) -> Iterator[Note]:
    """New data although it is asked for old."""
    asks, columns = lane.asks, lane.columns
    if not asks:
        return
    first_ns = columns.at_ns[asks[0]]
    new = [row for row in lane.sent if columns.at_ns[row] > first_ns and not columns.marks[row] & Mark.AGAIN]
    if len(new) > 1:
        row = new[3 * len(new) // 4]
        many = "many" if lane.trace.rows_left_out else len(new)
        words = f"the {ENDS[lane.way]} goes on: {many} more segments"
        yield Note(x=lane.x(row), y=middle_of(lane, row), words=words, color=BLUE)


# --- finding room ---------------------------------------------------------------------------------


def placed(notes: Iterator[Note], room: Box, ink: Sequence[tuple[float, float]]) -> Iterator[str]:
    """Each note where it covers least, and upon no other."""
    taken: list[Box] = []
    for note in notes:
        free = [
            (cost(box, note, ink), at, box)
            for at, box in enumerate(boxes_about(note))
            if room.contains(box) and not any(box.meets(other) for other in taken)
        ]
        if free:
            _, _, box = min(free, key=lambda one: one[:2])
            taken.append(box)
            yield from written(note, box, is_bare=not any(box.holds(x, y) for x, y in ink))


def boxes_about(note: Note) -> Iterator[Box]:
    width = width_of(note.words, SIZE)
    for distance in DISTANCES:
        for right, down in SIDES:
            across = distance / 2 if down else distance
            left = (
                note.x - width / 2
                if right == 0
                else note.x + across
                if right > 0
                else note.x - across - width
            )
            top = note.y + note.length / 3 - LINE_HEIGHT / 2 + down * (distance + LINE_HEIGHT / 2)
            yield Box(left=left, top=top, width=width, height=LINE_HEIGHT)


def cost(box: Box, note: Note, ink: Sequence[tuple[float, float]]) -> float:
    covered = sum(box.holds(x, y) for x, y in ink)
    return covered + gap(box, note) / 40


def gap(box: Box, note: Note) -> float:
    """From the point to the box."""
    across = max(box.left - note.x, note.x - box.right, 0)
    down = max(box.top - note.y - note.length, note.y - box.bottom, 0)
    return float(max(across, down))


def written(note: Note, box: Box, *, is_bare: bool) -> Iterator[str]:
    if gap(box, note) > NEAR:
        x = min(max(note.x, box.left + 4), box.right - 4)
        y = box.bottom if box.bottom < note.y else box.top
        yield path(
            f"M{x:.1f} {y:.1f}L{note.x:.1f} {note.y:.1f}", stroke=note.color, stroke_width=0.8, fill="none"
        )
    if not is_bare:
        yield rectangle(box, fill="#ffffff", fill_opacity="0.75")
    yield text(box.left + 2, box.top + SIZE - 0.5, note.words, fill=note.color, font_size=SIZE)
