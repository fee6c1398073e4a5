"""Batches: the frames of one capture on their way to whoever follows them, on one thread or on several.

Knows in which order the steps are taken, and which may be taken beside each other.  Does not know what is followed.
However many threads there are, the same steps are taken in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from ctcp_forensics._kernel import Belt, Pile, Tracker
from ctcp_forensics.capture import Capture, Relay, cores
from ctcp_forensics.packets import Tray
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
    tell: Callable[[int], None]
    """How far the reading is, in bytes of the file."""
    tracker: Callable[[], Tracker | None]
    """Where following a batch of plain segments is no more than feeding it to this one.  Asked behind `begin`."""
    add_segments: Callable[[int], None]
    """Those that were fed to it meanwhile, once all is done."""


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

    belt = Belt(count, is_looking=cores() > 1)
    hands: Hands[Pile] = Hands(capture, Pile, belt)
    reader = opening(hands.chunks())
    hands.run(Sharing(reader, steps, belt, is_hashed=capture.hashing.is_taken))
    steps.add_segments(belt.segments)
    return reader


def relayed(capture: Capture, opening: Opening, steps: Steps, threads: int | None) -> Reader:
    with Relay(Tray, steps.follow, threads=threads_for_frames(capture, threads)) as relay:
        reader = opening(relay.paced(capture.chunks(kept=relay.trays, threads=threads)))
        for buffer, frames in batches_in_order(reader):
            steps.begin(reader)
            pass_on(buffer, frames, relay)
            steps.tell(capture.position)
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
    """What is done by hand with a chunk, where several share a file: all that the belt did not do."""

    def __init__(self, reader: Reader, steps: Steps, belt: Belt, *, is_hashed: bool) -> None:
        self._reader, self._steps, self._belt = reader, steps, belt
        self._batches = batches_in_order(reader)
        self._is_hashed = is_hashed
        """If so it has to come by here, chunk by chunk."""

    def tell(self, position: int) -> None:
        self._steps.tell(position)

    def collect(self, pile: Pile) -> bool:
        self._reader.take_back(self._belt)
        for buffer, frames in self._batches:
            self._steps.begin(self._reader)
            pile.add(buffer, frames)
            if self._reader.let_go():
                if not self._is_hashed:
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
