"""Batches: the frames of one capture on their way to whoever follows them, on one thread or on several.

Knows in which order the steps are taken, and which may be taken beside each other.  Does not know what is followed.
However many threads there are, the same steps are taken in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from ctcp_forensics.capture import Capture, Relay, cores
from ctcp_forensics.packets import Pile, Tray
from ctcp_forensics.savefile import Buffer, FrameTable, Reader, batches_in_order

MOST_HANDS: Final = 2
"""As many as there were cores to measure on.  What is done in turns takes half of the time where frames are short, so
that more would wait."""
WORTH_SHARING: Final = 1 << 23
"""8 MiB: 3 ms of work for one, of which starting a thread would take a third."""

Opening = Callable[[Iterable[Buffer]], Reader]


class Steps(NamedTuple):
    """What is done with each batch, in the order of the capture, by one thread at a time."""

    begin: Callable[[Reader], None]
    """Before a batch is put on a tray: what stands before the first frame is known by then."""
    follow: Callable[[Tray], None]
    tell: Callable[[], None]
    """How far the reading is."""


def followed(capture: Capture, opening: Opening, steps: Steps, *, threads: int | None) -> Reader:
    """All of a capture: a long file by several hands, whatever else there is by one that passes trays on."""
    count = hands_for(capture, threads)
    return shared(capture, opening, steps, count) if count > 1 else relayed(capture, opening, steps, threads)


def hands_for(capture: Capture, threads: int | None) -> int:
    """So many may share the work; one where a capture has to be read from its beginning to its end, or is short."""
    if capture.size is None or capture.size < WORTH_SHARING or not capture.is_read_anywhere:
        return 1
    return min(cores() if threads is None else threads, MOST_HANDS)


def shared(capture: Capture, opening: Opening, steps: Steps, count: int) -> Reader:
    from ctcp_forensics.capture.hands import Hands  # a small capture needs no thread

    hands = Hands(capture, Pile, count)
    reader = opening(hands.chunks())
    hands.run(Sharing(reader, steps))
    return reader


def relayed(capture: Capture, opening: Opening, steps: Steps, threads: int | None) -> Reader:
    with Relay(Tray, steps.follow, threads=threads_for_frames(capture, threads)) as relay:
        reader = opening(relay.paced(capture.chunks(kept=relay.trays, threads=threads)))
        for buffer, frames in batches_in_order(reader):
            steps.begin(reader)
            pass_on(buffer, frames, relay)
            steps.tell()
    return reader


def threads_for_frames(capture: Capture, threads: int | None) -> int:
    """Where one of them unpacks, the others; on two cores all frames are one thread's."""
    available = cores() if threads is None else threads
    return max(available - capture.is_unpacked_beside, 1)


def pass_on(buffer: Buffer, frames: FrameTable, relay: Relay[Tray]) -> None:
    """Who has less to do decodes: the thread that reads, where it would have to wait for a tray otherwise."""
    tray = relay.take()
    tray.load(buffer, frames)
    if relay.is_behind:
        tray.decode()
    relay.pass_on(tray)


class Sharing:
    """What each hand does with a chunk, where several share a file."""

    def __init__(self, reader: Reader, steps: Steps) -> None:
        self._reader, self._steps = reader, steps
        self._batches = batches_in_order(reader)

    def collect(self, pile: Pile) -> bool:
        for buffer, frames in self._batches:
            self._steps.begin(self._reader)
            pile.add(buffer, frames)
            self._steps.tell()
            if self._reader.let_go():
                return True
        return False

    def prepare(self, pile: Pile) -> None:
        pile.decode()

    def follow(self, pile: Pile) -> None:
        for tray in pile:
            self._steps.follow(tray)
        pile.clear()
