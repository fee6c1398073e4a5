"""Readings: captures → one tracker for each vantage point.

Files of a capture that was rotated are read on with one tracker; a savefile that holds several vantage points gives
one tracker for each of its interfaces.  Knows which file and which frame of it a number means.  Does not know what
the flows of two readings have in common: see vantage.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from ctcp_forensics import report
from ctcp_forensics._kernel import Packets, Tracker
from ctcp_forensics._kernel.rows import NEVER, GivenUpRow
from ctcp_forensics.batches import Steps, followed
from ctcp_forensics.capture import BY_THE_WAY, STDIN, UNHASHED, Access, Capture, Hashing, open_capture
from ctcp_forensics.coverage import Account, Pass, account_of
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.kept import kept
from ctcp_forensics.numbering import Numbering
from ctcp_forensics.packets import Decoder, IcmpError, Tray
from ctcp_forensics.savefile import Buffer, FrameTable, Reader
from ctcp_forensics.surroundings import NO_PULSE, Surroundings, was_set_back

if TYPE_CHECKING:
    from ctcp_forensics.early import Early

CTCP_PORT = 10000
"""The default of VPN 3000, ASA and IOS; `--port` names others.  It only adds flows to the table."""

MAX_IN_FULL: Final = 200
"""Flows of a capture that are well and told in full, however many there are: as many as a table shows at a glance."""
MAX_UNWELL_IN_FULL: Final = 1_000
"""Other flows of a capture that are told in full: three times what a page tells at length, and some 25 MB of report.
Where there are more, the gravest are; the others are told in a line each, with their verdicts."""
MAX_SPLIT: Final = 16
"""A savefile with more interfaces than this is taken as one vantage point: nobody stands at so many."""
NAMED_AT_ONCE: Final = 256
"""Flows that are judged at once where a full table needs their places: sorting the log for it costs as much as judging
a hundred of them."""
BESIDE_NS: Final = 1_000_000_000
"""A rotated file begins where the last one ended, give or take the disorder of their last frames."""
LAST_OF_ALL_NS: Final = (1 << 63) - 1

Progress = Callable[[int, int | None], None]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A capture, and the vantage point that it was taken at, where the user says so."""

    path: str
    vantage: str | None = None
    opened: Capture | CaptureError | None = None
    """What came of opening it, where somebody has done so already."""

    def open(self, hashing: Hashing, *, access: Access = Access.PUBLIC_ONLY) -> Capture:
        """Raises CaptureError where there is nothing to read."""
        if isinstance(self.opened, CaptureError):
            raise self.opened
        return self.opened or open_capture(self.path, hashing=hashing, access=access)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked for."""

    ports: frozenset[int] = frozenset({CTCP_PORT})
    all_tcp: bool = False
    access: Access = Access.PUBLIC_ONLY
    hashing: Hashing = BY_THE_WAY
    max_in_full: int | None = MAX_IN_FULL
    """Flows that are well and told in full; None tells all flows in full, well or not."""
    max_unwell_in_full: int = MAX_UNWELL_IN_FULL
    """The others that are."""
    threads: int | None = None
    """Of which one follows flows while another reads; None: as many as there are cores."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a reading, and how many frames were numbered before it."""

    account: Account
    frames_before: int

    def without_flows(self) -> Part:
        """Flows are counted once, in the last file."""
        return replace(self, account=replace(self.account, flows=0))


class Reading(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One vantage point, read to the end of its captures or to their damage."""

    parts: tuple[Part, ...]
    tracker: Tracker
    icmp_errors: tuple[IcmpError, ...]
    surroundings: Surroundings
    vantage: str | None = None
    interface: int | None = None
    """Of a savefile that holds several vantage points."""
    early: Early | None = None
    """Flows that were judged before the end, because others needed their places; None: all have theirs."""

    @kept
    def captures(self) -> tuple[str, ...]:
        """Every flow says which they are."""
        return tuple(part.account.capture.id for part in self.parts)

    @property
    def interface_names(self) -> tuple[str, ...]:
        return tuple(
            one.name
            for part in self.parts
            for one in part.account.capture.interfaces
            if self.interface in (None, one.index) and one.name
        )

    def in_question(self, options: Options) -> Sequence[int]:
        """The flows that are to be judged, by their index."""
        if options.all_tcp:
            return range(self.tracker.tallies().flows)
        return self.tracker.suspects(options.ports)

    def locate(self, frame: int) -> tuple[str, int]:
        """The capture that holds a frame, and its number there."""
        if len(self.parts) == 1:
            return self.parts[0].account.capture.id, frame - self.parts[0].frames_before
        at = bisect_right([part.frames_before for part in self.parts], frame - 1) - 1
        part = self.parts[max(at, 0)]
        return part.account.capture.id, frame - part.frames_before

    def by_capture(self, frames: Sequence[int]) -> dict[str, tuple[int, ...]]:
        """The same of several frames, by capture."""
        if len(self.parts) == 1:
            (part,) = self.parts
            before = part.frames_before
            return {
                part.account.capture.id: tuple([frame - before for frame in frames] if before else frames)
            }
        found: dict[str, list[int]] = {}
        for frame in frames:
            capture, local = self.locate(frame)
            found.setdefault(capture, []).append(local)
        return {capture: tuple(some) for capture, some in found.items()}


class Intake(msgspec.Struct, frozen=True, kw_only=True):
    """All that was read, and what could not be."""

    readings: tuple[Reading, ...]
    accounts: tuple[Account, ...]
    failed: tuple[CaptureError, ...]
    twins: dict[str, str] = msgspec.field(default_factory=dict)
    """Captures that are another one once more, by that one's id: they add nothing."""


# --- all sources --------------------------------------------------------------------------------


def take_in(sources: Sequence[Source], options: Options, progress: Progress | None) -> Intake:
    """Read every source; files that the user gave one role, one after the other in time, are one capture."""
    named = [(f"c{number}", source) for number, source in enumerate(sources, start=1)]
    intake = _Intake(options=options, progress=progress, is_case=len(sources) > 1)
    for run in runs_of(named, access=options.access):
        intake.read_run(run)
    return intake.sorted()


def runs_of(named: Sequence[tuple[str, Source]], *, access: Access) -> list[list[tuple[str, Source]]]:
    """Sources of one told vantage point together, in the order of their first frames; each other one by itself."""
    runs: dict[str, list[tuple[str, Source]]] = {}
    for name, source in named:
        runs.setdefault(source.vantage or name, []).append((name, source))

    def begin(one: tuple[str, Source]) -> int:
        return began_ns(one[1].path, access=access)

    return [sorted(run, key=begin) if len(run) > 1 else run for run in runs.values()]


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


class _Intake(msgspec.Struct, kw_only=True):
    """What has been read so far."""

    options: Options
    progress: Progress | None
    is_case: bool
    """Several captures: the flows that may be asked for are logged, so that they can be paired."""
    readings: list[Reading] = msgspec.field(default_factory=list)
    accounts: dict[str, Account] = msgspec.field(default_factory=dict)
    failed: list[CaptureError] = msgspec.field(default_factory=list)

    def read_run(self, run: Sequence[tuple[str, Source]]) -> None:
        course: Course | None = None
        for name, source in run:
            if course is not None and not course.goes_on_with(source.path):
                self.readings += course.readings()
                course = None
            course = course or Course(self.options, source.vantage, is_case=self.is_case)
            try:
                account = course.read(name, source, self.progress)
            except CaptureError as error:
                self.failed.append(error)
            else:
                self.accounts[name] = account
        if course is not None:
            self.readings += course.readings()

    def sorted(self) -> Intake:
        """In the order in which the sources were named, without what was read twice."""
        for reading in self.readings:
            self.accounts |= {part.account.capture.id: part.account for part in reading.parts}
        order = {name: at for at, name in enumerate(sorted(self.accounts, key=lambda name: int(name[1:])))}
        accounts = [self.accounts[name] for name in order]
        twins = twins_in([account.capture for account in accounts])
        new = [one for one in self.readings if not all(name in twins for name in one.captures)]
        return Intake(
            readings=tuple(sorted(new, key=lambda one: (order[one.captures[0]], one.interface or 0))),
            accounts=tuple(
                replace(account, flows=0) if account.capture.id in twins else account for account in accounts
            ),
            failed=tuple(self.failed),
            twins=twins,
        )


def twins_in(captures: Sequence[report.Capture]) -> dict[str, str]:
    """Captures with the content of an earlier one: the same file, a link to it, a copy, a compressed copy."""
    first: dict[object, list[report.Capture]] = {}
    twins = {}
    for capture in captures:
        alike = first.setdefault((capture.frames, capture.first_ns, capture.last_ns), [])
        twin = next((one for one in alike if capture.frames and is_same(one, capture)), None)
        if twin is None:
            alike.append(capture)
        else:
            twins[capture.id] = twin.id
    return twins


def is_same(one: report.Capture, other: report.Capture) -> bool:
    """By the hash of the content; what is too long to be hashed, by its counts and its times to the nanosecond."""
    if one.content_digest is None or other.content_digest is None:
        return one.tcp_segments == other.tcp_segments
    return one.content_digest == other.content_digest


# --- one vantage point ---------------------------------------------------------------------------


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
        with source.open(self._options.hashing, access=self._options.access) as capture:
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


# --- one capture by itself -----------------------------------------------------------------------


def read(path: str, options: Options, progress: Progress | None = None) -> Reading:
    """One capture by itself."""
    course = Course(options, None, is_case=False)
    course.read("c1", Source(path=path), progress)
    return course.whole()
