"""Order: frames that were written a little late get the place that their time gives them.

A capture from several queues or interfaces is written queue by queue, so that an answer may stand before
its question.  Knows the times of one batch.  Does not mend a clock that was set back: what is later than
queues explain is where it belongs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ctcp_forensics import _kernel
from ctcp_forensics.savefile.reader import Batch, FrameTable, Reader

if TYPE_CHECKING:
    from ctcp_forensics._kernel.rows import Frame

LATE_NS: Final = 100_000_000
"""Capturing queues are emptied many times a second; a clock that is set moves by more than 100 ms."""


def batches_in_order(reader: Reader) -> Iterator[Batch]:
    """The reader's batches, each in the order of time where it is not so already."""
    disorder = 0
    for buffer, frames in reader.batches():
        is_disordered = reader.out_of_order_frames > disorder
        disorder = reader.out_of_order_frames
        yield buffer, in_order(frames) if is_disordered else frames


def in_order(frames: FrameTable) -> FrameTable:
    """A new table, because adding to the reader's own would count its frames again."""
    ordered = _kernel.Frames()
    for frame in sorted_where_late(frames[at] for at in range(len(frames))):
        ordered.append(frame)
    return ordered


def sorted_where_late(frames: Iterator[Frame]) -> list[Frame]:
    """Stable, and only between two steps of the clock."""
    placed: list[tuple[int, int, Frame]] = []
    steps = latest_ns = 0
    for frame in frames:
        if frame.time_ns < latest_ns - LATE_NS:
            steps, latest_ns = steps + 1, frame.time_ns
        latest_ns = max(latest_ns, frame.time_ns)
        placed.append((steps, frame.time_ns, frame))
    placed.sort(key=lambda one: one[:2])
    return [frame for _, _, frame in placed]
