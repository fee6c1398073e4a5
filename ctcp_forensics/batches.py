"""Batches: the frames of one capture on their way to whoever follows them, on one thread or on several.

Knows in which order the steps are taken, and which may be taken beside each other.  Does not know what is followed.
However many threads there are, the same steps are taken in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from ctcp_forensics._kernel import Belt, Pile, Tracker
from ctcp_forensics._kernel.row import NamedTuple
from ctcp_forensics.capture import Capture, cores
from ctcp_forensics.packets import Tray
from ctcp_forensics.savefile import Buffer, Reader, batches_in_order

if TYPE_CHECKING:
    from ctcp_forensics.capture.hands import Hands

MOST_HANDS: Final = 2
"""As many as there were cores to measure on.  What is done in turns takes half of the time where frames are short, so
that more would wait."""
WORTH_SHARING: Final = 1 << 23
"""8 MiB: 3 ms of work for one, of which starting a thread would take a third."""
PACKED_WORTH_SHARING: Final = 1 << 16
"""64 KiB that are compressed may hold as much."""

Opening = Callable[[Iterable[Buffer]], Reader]


class Steps(NamedTuple):
    """What is done with each batch, in the order of the capture, by one thread at a time."""

    begin: Callable[[Reader], None]
    """Before a batch is put on a tray: what stands before the first frame is known by then."""
    follow: Callable[[Tray], None]
    tell: Callable[[int], None]
    """How far the reading is, in bytes of the file."""
    tracker: Callable[[], Tracker | None]
    """Where following a batch of plain segments is no more than feeding it to this one.  Asked behind `begin`."""
    add_segments: Callable[[int], None]
    """Those that were fed to it meanwhile, once all is done."""


def followed(capture: Capture, opening: Opening, steps: Steps, *, threads: int | None) -> Reader:
    """All of a capture: by several hands where that pays, else by the thread that is there."""
    count = hands_for(capture, threads)
    return shared(capture, opening, steps, count) if count > 1 else alone(capture, opening, steps, threads)


def hands_for(capture: Capture, threads: int | None) -> int:
    """So many may share the work; beside them one that does little else than make chunks, if there are cores for it."""
    if is_short(capture):
        return 1
    most = MOST_HANDS if capture.is_read_anywhere else MOST_HANDS + 1
    return min(cores() if threads is None else threads, most)


def is_short(capture: Capture) -> bool:
    if capture.size is None:
        return False
    return capture.size < (PACKED_WORTH_SHARING if capture.is_packed else WORTH_SHARING)


def alone(capture: Capture, opening: Opening, steps: Steps, threads: int | None) -> Reader:
    tray, reader = Tray(), opening(capture.chunks(threads=threads))
    for buffer, frames in batches_in_order(reader):
        steps.begin(reader)
        tray.load(buffer, frames)
        steps.follow(tray)
        steps.tell(capture.position)
    return reader


def shared(capture: Capture, opening: Opening, steps: Steps, count: int) -> Reader:
    belt = Belt(count, is_looking=cores() > 1, collectors=count if capture.is_read_anywhere else 1)
    hands = hands_of(capture, belt)
    reader = opening(hands.chunks())
    hands.run(Sharing(reader, steps, belt, capture))
    steps.add_segments(belt.segments)
    return reader


def hands_of(capture: Capture, belt: Belt) -> Hands[Pile]:
    """What is loaded here a small capture does without."""
    if capture.is_read_anywhere:
        from ctcp_forensics.capture.copies import Copies

        return Copies(capture, Pile, belt)
    from ctcp_forensics.capture.line import Line

    return Line(capture, Pile, belt)


class Sharing:
    """What is done by hand with a chunk, where several share a file: all that the belt did not do."""

    def __init__(self, reader: Reader, steps: Steps, belt: Belt, capture: Capture) -> None:
        self._reader, self._steps, self._belt, self._capture = reader, steps, belt, capture
        self._batches = batches_in_order(reader)

    def tell(self, position: int) -> None:
        self._steps.tell(position)

    def collect(self, pile: Pile) -> bool:
        self._reader.take_back(self._belt)
        for buffer, frames in self._batches:
            self._steps.begin(self._reader)
            pile.add(buffer, frames)
            if self._reader.let_go():
                if not self._capture.is_hashed_on:
                    self._reader.lend(self._belt)
                return True
        return False

    def follow(self, pile: Pile) -> None:
        for buffer, frames, packets, followed in pile.left():
            self._steps.follow(
                Tray(frames=frames, packets=packets, buffer=buffer, is_decoded=True, followed=followed)
            )
        pile.clear()
        self._belt.follow_with(self._steps.tracker())
