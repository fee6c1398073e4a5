"""Course: the files of one vantage point, read one after the other, bytes to frames to packets to flows.

A savefile that holds several vantage points gives one tracker for each of its interfaces.  Knows when a file goes on
with the one before.  Does not know what the user named beside it: see intake.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from ctcp_forensics._kernel import Packets, Tracker
from ctcp_forensics._kernel.rows import NEVER, GivenUpRow
from ctcp_forensics.batches import Steps, followed
from ctcp_forensics.capture import STDIN, UNHASHED, Access, Capture, open_capture
from ctcp_forensics.coverage import Account, Pass, account_of
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.numbering import Numbering
from ctcp_forensics.packets import Decoder, IcmpError, Tray
from ctcp_forensics.reading.readings import Options, Part, Progress, Reading, Source
from ctcp_forensics.savefile import Buffer, FrameTable, Reader
from ctcp_forensics.surroundings import NO_PULSE, Surroundings, was_set_back

if TYPE_CHECKING:
    from ctcp_forensics.early import Early

MAX_SPLIT: Final = 16
"""A savefile with more interfaces than this is taken as one vantage point: nobody stands at so many."""
NAMED_AT_ONCE: Final = 256
"""Flows that are judged at once where a full table needs their places: sorting the log for it costs as much as judging
a hundred of them."""
BESIDE_NS: Final = 1_000_000_000
"""A rotated file begins where the last one ended, give or take the disorder of their last frames."""
LAST_OF_ALL_NS: Final = (1 << 63) - 1


class Course:
    """One vantage point while its files are read, one after the other."""

    def __init__(self, options: Options, vantage: str | None, *, is_case: bool) -> None:
        self._options = options
        self._vantage = vantage
        self._is_case = is_case
        self._whole = self._new_reel(watches=is_case, named_at_once=0 if is_case else NAMED_AT_ONCE)
        self._reels: dict[int, Reel] = {}
        """By interface, where the first file told of several before its first frame."""
        self._has_begun = False
        self._parts: list[Part] = []

    def _new_reel(self, *, watches: bool, named_at_once: int = 0) -> Reel:
        """Flows that may have to be paired with those of another capture are not judged before the end."""
        ports = self._options.ports if watches else ()
        wanted = None if self._options.all_tcp else self._options.ports
        everything = watches and self._options.all_tcp
        tracker = Tracker(ports=ports, everything=everything, wanted=wanted, named_at_once=named_at_once)
        return Reel(tracker=tracker, options=self._options)

    def goes_on_with(self, path: str) -> bool:
        """Whether a file begins where the last one ended, and neither runs beside it nor is the same once more."""
        if not self._parts:
            return True
        last = self._parts[-1].account.capture
        began = began_ns(path, access=self._options.access)
        return began >= self._whole.tracker.tallies().last_ns - BESIDE_NS and began != last.first_ns

    def read(self, name: str, source: Source, progress: Progress | None) -> Account:
        """One pass over one file: bytes to frames to packets to flows, batch by batch."""
        before = self._parts[-1].account.next_number - 1 if self._parts else 0
        decoder = self._whole.new_decoder()
        with source.open(self._options) as capture:
            reader = followed(
                capture,
                partial(Reader, source=capture.source, first_number=before + 1),
                Steps(
                    begin=self._begin,
                    follow=self._follow,
                    tell=partial(tell, capture, progress),
                    tracker=self._only_tracker,
                    add_segments=decoder.add_segments,
                ),
                threads=self._options.threads,
            )
            decoder.finish()
            given_up, flows_early = self._not_followed_on()
            account = account_of(
                Pass(
                    name=name,
                    capture=capture,
                    reader=reader,
                    decoder=decoder,
                    tallies=self._whole.tracker.tallies(),
                    given_up=given_up,
                    flows_early=flows_early,
                )
            )
        self._parts = [part.without_flows() for part in self._parts]
        self._parts.append(Part(account=account, frames_before=before))
        return account

    def _begin(self, reader: Reader) -> None:
        """Before the first frame of all."""
        if self._has_begun:
            return
        self._has_begun = True
        if 1 < len(reader.interfaces) <= MAX_SPLIT:
            self._reels = {one.index: self._new_reel(watches=True) for one in reader.interfaces}

    def _only_tracker(self) -> Tracker | None:
        """None where frames are followed by interface as well."""
        return None if self._reels else self._whole.tracker

    def _follow(self, tray: Tray) -> None:
        """In the order of the capture, on whichever thread; nobody else touches trackers meanwhile."""
        self._whole.follow(tray)
        for index in tray.frames.interfaces_seen() if self._reels else ():
            if index in self._reels:
                self._reels[index].take(tray.buffer, tray.frames.of_interface(index))
        tray.clear()

    def readings(self) -> list[Reading]:
        """One of each reel that is told."""
        return [self._reading(reel, index) for index, reel in self._told().items()] if self._parts else []

    def _told(self) -> dict[int | None, Reel]:
        """All interfaces as one; each, where they show the same messages: there were several vantage points."""
        reels: dict[int | None, Reel] = {at: reel for at, reel in self._reels.items() if reel.has_begun}
        if len(reels) < 2 or not are_vantage_points([*reels.values()]):
            return {None: self._whole}
        return reels

    def _not_followed_on(self) -> tuple[GivenUpRow, int]:
        """What had to go of the flows that are told, and how many of them were judged before.

        Of several vantage points none is: what was judged of all interfaces as one is not told.
        """
        if self._whole.early is None:
            return self._whole.tracker.given_up(), 0
        told = self._told().values()
        rows = zip(*(reel.tracker.given_up() for reel in told), strict=True)
        return GivenUpRow(*map(sum, rows)), sum(reel.finish_early() for reel in told)

    def whole(self) -> Reading:
        """All interfaces as one."""
        return self._reading(self._whole, None)

    def _reading(self, reel: Reel, interface: int | None) -> Reading:
        """Silences are asked for where captures are compared, and nowhere else: there may be a thousand of them."""
        around = [part.account.surroundings for part in self._parts]
        first_ns = min(one.first_ns for one in around)
        return Reading(
            parts=tuple(self._parts),
            tracker=reel.tracker,
            icmp_errors=tuple(reel.icmp_errors),
            surroundings=Surroundings(
                first_ns=first_ns,
                last_ns=reel.tracker.tallies().last_ns,
                dropped_frames=sum(dropped_by(part.account, interface) for part in self._parts),
                is_damaged=any(one.is_damaged for one in around),
                is_shuffled=any(one.is_shuffled for one in around) and reel.was_set_back(first_ns),
                torn_between=reel.torn_between(),
                times_bared=reel.tracker.given_up().bared_in_question,
                pulse=reel.tracker.pulse() if self._is_case or interface is not None else NO_PULSE,
                numbering=numbering_of(self._parts),
            ),
            vantage=self._vantage,
            interface=interface,
            early=reel.early,
        )


class Reel(msgspec.Struct, kw_only=True):
    """Frames of one vantage point on their way through decoder and tracker."""

    tracker: Tracker
    options: Options
    early: Early | None = None
    """Flows that had to be judged already."""
    decoders: list[Decoder] = msgspec.field(default_factory=lambda: [Decoder()])
    """One for each file: fragments of one are not put together with those of the next."""

    @property
    def has_begun(self) -> bool:
        return self.tracker.tallies().last_ns != NEVER

    def was_set_back(self, first_ns: int) -> bool:
        return was_set_back(self.tracker.pulse(), first_ns, self.tracker.tallies().last_ns)

    @property
    def icmp_errors(self) -> list[IcmpError]:
        return [error for decoder in self.decoders for error in decoder.icmp_errors]

    def new_decoder(self) -> Decoder:
        if self.has_begun:
            self.decoders.append(Decoder())
        return self.decoders[-1]

    def finish_early(self) -> int:
        """How many were judged before the end; the capture is over, and those that have left are among them."""
        if self.early is None:
            return 0
        self.early.note_those_that_left(self.tracker)
        return self.early.flows

    def torn_between(self) -> frozenset[tuple[bytes, bytes]]:
        return frozenset().union(*(decoder.fragments.torn() for decoder in self.decoders))

    def take(self, buffer: Buffer, frames: FrameTable) -> None:
        self._feed(self.decoders[-1].decode(buffer, frames))

    def follow(self, tray: Tray) -> None:
        tray.decode()
        self.decoders[-1].complete(tray.buffer, tray.frames, tray.packets)
        self._feed(tray.packets, tray.followed)

    def _feed(self, packets: Packets, done: int = 0) -> None:
        done = self.tracker.feed(packets, done)
        while done < len(packets):
            self._judge_those_leaving(packets[done].frame)
            done = self.tracker.feed(packets, done)

    def _judge_those_leaving(self, frame: int) -> None:
        """By what was captured before `frame`, wherever batches end."""
        if self.early is None:
            from ctcp_forensics.early import Early  # most captures have places for all

            self.early = Early(self.options.ports, self.options.max_unwell_in_full)
        before = [error for error in self.icmp_errors if error.frame < frame]
        self.early.judge_those_leaving(self.tracker, frame, before)


def tell(capture: Capture, progress: Progress | None, position: int) -> None:
    if progress is not None:
        progress(position, capture.size)


def are_vantage_points(reels: Sequence[Reel]) -> bool:
    """Whether they show the same messages, and are no halves of one.  What pairs is loaded where there are several."""
    from ctcp_forensics.vantage import share_messages

    return share_messages([reel.tracker for reel in reels])


def numbering_of(parts: Sequence[Part]) -> Numbering:
    """Files by their names; by their paths, where two have one name."""
    paths = [part.account.capture.source for part in parts]
    names = [path.rpartition("/")[2] for path in paths]
    told = names if len(set(names)) == len(names) else paths
    return Numbering(tuple(zip([part.frames_before for part in parts], told, strict=True)))


def dropped_by(account: Account, interface: int | None) -> int:
    return sum(
        one.dropped or 0 for one in account.capture.interfaces if interface is None or one.index == interface
    )


def began_ns(path: str, *, access: Access) -> int:
    """Time of the first frames; what cannot be read comes last and is told of when its turn comes."""
    if path == STDIN:
        return LAST_OF_ALL_NS
    try:
        with open_capture(path, hashing=UNHASHED, access=access) as capture:
            reader = Reader(capture.chunks(), source=capture.source)
            next(iter(reader.batches()), None)
            return LAST_OF_ALL_NS if reader.first_ns is None else reader.first_ns
    except CaptureError:
        return LAST_OF_ALL_NS


def read(path: str, options: Options, progress: Progress | None = None) -> Reading:
    """One capture by itself."""
    course = Course(options, None, is_case=False)
    course.read("c1", Source(path=path), progress)
    return course.whole()
