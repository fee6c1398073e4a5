"""Match: which logged segment of one capture is which of another, and what of one is not in the other.

A hash join over what survives address translation, other sequence numbers and short snap lengths: SPI and
sequence number of ESP, the whole of an IKE message, else the first eight bytes of a payload.  Constant work
for each logged segment.  Knows the logs of two trackers.  Does not know clocks, roles, nor why something is
missing: see vantage.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ctcp_forensics._kernel.caps import FASTEST_PPB, STRAYS_KEPT
from ctcp_forensics._kernel.plain_track import Tracker
from ctcp_forensics._kernel.rows import NEVER, CourseRow, DelayRow, Kind, PairRow, SegmentRow, StrayRow, Tcp

Half = tuple[int, int]
"""A flow and the side of it that sends."""
Key = tuple[int, ...]
BILLION = 1_000_000_000


class Way(NamedTuple):
    """A direction here, the direction there that is the same, and what the caller calls the way they go."""

    here_flow: int
    here_side: int
    there_flow: int
    there_side: int
    shift: int
    way: int


class Mate(NamedTuple):
    """The first sighting of one message here and there."""

    here: Half
    here_row: SegmentRow
    there: Half
    there_row: SegmentRow
    is_unique: bool
    """Each of the two logs has it once."""

    @property
    def shift(self) -> int:
        return self.there_row.pos - self.here_row.pos


def key_of(row: SegmentRow) -> Key | None:
    """What a message is known by everywhere; None where nothing of it was captured.

    IKE repeats its cookies and message ids, so that the whole message counts; ESP numbers its messages.
    """
    if row.length == 0 or row.flags & Tcp.SYN:
        return None
    if row.kind == Kind.IKE:
        return Kind.IKE, row.spi, row.esp_seq, row.print64
    return (row.spi, row.esp_seq) if row.spi or row.esp_seq else None


def sharing(trackers: Sequence[Tracker]) -> list[tuple[int, int, int]]:
    """Of many captures, which two have logged the same messages, and how many: both numbers, and the count, in order.

    By who has each message, and not each two: of a thousand captures there are half a million pairs.  A message that
    is another one there counts as well, so it may be one match fewer.
    """
    having: dict[Key, list[int]] = {}
    shared: Counter[tuple[int, int]] = Counter()
    for number, tracker in enumerate(trackers):
        for key in first_sightings(tracker):
            earlier = having.setdefault(key, [])
            shared.update((other, number) for other in earlier)
            earlier.append(number)
    return [(*pair, messages) for pair, messages in sorted(shared.items())]


class Matching:
    """The messages that two captures share."""

    def __init__(self, here: Tracker, there: Tracker) -> None:
        ours, theirs = first_sightings(here), first_sightings(there)
        self._mates = [
            Mate(*sighting[:2], *theirs[key][:2], sighting.times == theirs[key].times == 1)
            for key, sighting in ours.items()
            if key in theirs and not contradicts(sighting.row, theirs[key].row)
        ]

    def pairs(self) -> list[PairRow]:
        """Directions that share messages, most matches first."""
        halves: dict[tuple[Half, Half], list[int]] = {}
        for mate in self._mates:
            halves.setdefault((mate.here, mate.there), []).append(mate.shift)
        rows = [pair_of(here, there, shifts) for (here, there), shifts in halves.items()]
        return sorted(rows, key=lambda row: (-row.matches, row))

    def delays(self, ways: Iterable[Way | tuple[int, ...]], stretches: int, drift_ppb: int) -> list[DelayRow]:
        """Extremes of time there less time here, for each way and stretch of matches, in the order of the log here.

        `drift_ppb` nanoseconds a second, counted from the first match, are taken out before times are compared,
        and are in the times that are told.  No more than FASTEST_PPB are.
        """
        drift_ppb = max(-FASTEST_PPB, min(FASTEST_PPB, drift_ppb))
        named = {(one[0:2], one[2:4], one[4]): one[5] for one in map(tuple, ways)}
        chosen = [
            (named[at], mate)
            for mate in self._mates
            if mate.is_unique and (at := (mate.here, mate.there, mate.shift)) in named
        ]
        extremes: dict[tuple[int, int], Extremes] = {}
        for number, (way, mate) in enumerate(chosen):
            begun = extremes.setdefault((number * stretches // len(chosen), way), Extremes())
            begun.take(mate, drift_ppb, chosen[0][1].here_row.time_ns)
        return [found.row(way, stretch) for (stretch, way), found in sorted(extremes.items())]


def contradicts(row: SegmentRow, there: SegmentRow) -> bool:
    """One SPI and number over two contents: two clients chose alike, for nothing on the way alters ESP (RFC 4303)."""
    return row.kind == there.kind == Kind.ESP and row.print64 != there.print64


class Sighting(NamedTuple):
    """Where a message was seen first, and how often in all."""

    half: Half
    row: SegmentRow
    times: int


def first_sightings(tracker: Tracker) -> dict[Key, Sighting]:
    """By key, in the order of the log."""
    seen: dict[Key, Sighting] = {}
    for flow, row in tracker.log():
        key = key_of(row)
        if key is None:
            continue
        first = seen.get(key)
        seen[key] = (
            Sighting((flow, row.direction), row, 1)
            if first is None
            else first._replace(times=first.times + 1)
        )
    return seen


def pair_of(here: Half, there: Half, shifts: Sequence[int]) -> PairRow:
    """With the shift of the majority (Boyer and Moore 1981); without a majority any one of them, as its share tells."""
    candidate = lead = 0
    for shift in shifts:
        if lead == 0:
            candidate = shift
        lead += 1 if shift == candidate else -1
    return PairRow(*here, *there, len(shifts), candidate, shifts.count(candidate))


class Extremes:
    """The least and the greatest delay of a stretch."""

    def __init__(self) -> None:
        self.matches = 0
        self.here_frames = self.there_frames = (NEVER, NEVER)
        self.least = self.most = (0, 0, 0)
        """Compared, as told, and when."""

    def take(self, mate: Mate, drift_ppb: int, first_ns: int) -> None:
        at_ns = mate.here_row.time_ns
        delay_ns = mate.there_row.time_ns - at_ns
        this = (delay_ns - drifted(at_ns - first_ns, drift_ppb), delay_ns, at_ns)
        if self.matches == 0:
            self.least = self.most = this
            self.here_frames = (mate.here_row.frame, mate.here_row.frame)
            self.there_frames = (mate.there_row.frame, mate.there_row.frame)
        self.matches += 1
        self.here_frames = widened(self.here_frames, mate.here_row.frame)
        self.there_frames = widened(self.there_frames, mate.there_row.frame)
        if this[0] < self.least[0]:
            self.least = this
        if this[0] > self.most[0]:
            self.most = this

    def row(self, way: int, stretch: int) -> DelayRow:
        frames = (*self.here_frames, *self.there_frames)
        return DelayRow(way, stretch, self.matches, *frames, *self.least[1:], *self.most[1:])


def drifted(since_ns: int, drift_ppb: int) -> int:
    """Whole nanoseconds, divided first."""
    return since_ns // BILLION * drift_ppb + since_ns % BILLION * drift_ppb // BILLION


def widened(span: tuple[int, int], frame: int) -> tuple[int, int]:
    return min(span[0], frame), max(span[1], frame)


# --- what of one capture is not in the other -------------------------------------------------------


def course(
    here: Tracker, here_half: Half, there: Tracker, there_half: Half, shift: int, floor: int, until_ns: int
) -> tuple[CourseRow, list[StrayRow]]:
    """What became there of the data that `here_half` sent here; `shift` is position there less position here.

    `floor` is the first position that the capture there was present for: what is not there from it on is missing,
    and not before; NEVER stands for the first byte that it holds.  `until_ns`, by the clock here, is how long it was
    surely running: what is sent later and not there is beyond it.  The first STRAYS_KEPT segments that are missing or
    altered are named.
    """
    theirs = Holding(data_rows(there, there_half), floor)
    tally = Course(until_ns)
    for row in reversed(list(data_rows(here, here_half))):
        tally.take(row, theirs, shift)
    return tally.row(), tally.strays[::-1][:STRAYS_KEPT]


def data_rows(tracker: Tracker, half: Half) -> Iterator[SegmentRow]:
    """The logged messages of one direction, without SYN and FIN, which carry none."""
    return (row for row in tracker.segments(half[0]) if row.direction == half[1] and row.length)


class Holding:
    """What one direction holds in a capture: its messages by place, and its bytes."""

    def __init__(self, rows: Iterable[SegmentRow], floor: int) -> None:
        self.at: dict[tuple[int, int], list[SegmentRow]] = {}
        for row in rows:
            self.at.setdefault((row.pos, row.length), []).append(row)
        self.starts, self.ends = merged(sorted((pos, pos + length) for pos, length in self.at))
        held_from = self.starts[0] if self.starts else NEVER
        self.first = held_from if floor == NEVER else floor
        self.last = self.ends[-1] if self.ends else NEVER

    def covers(self, pos: int, end: int) -> bool:
        at = bisect_right(self.starts, pos) - 1
        return at >= 0 and end <= self.ends[at]


def merged(spans: Iterable[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Starts and ends of the stretches that the spans, in order, make up together."""
    starts: list[int] = []
    ends: list[int] = []
    for start, end in spans:
        if ends and start <= ends[-1]:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(start)
            ends.append(end)
    return starts, ends


class Course:
    """Counts what became of the segments, from the last to the first."""

    def __init__(self, until_ns: int) -> None:
        self.until_ns = until_ns
        self.counts = dict.fromkeys(CourseRow._fields, 0)
        for name in ("before_last_frame", "before_last_ns", "after_first_frame", "after_first_ns"):
            self.counts[name] = NEVER
        self.counts["after_last_frame"] = self.counts["after_last_ns"] = NEVER
        self.counts["largest_arrived"] = NEVER
        self.strays: list[StrayRow] = []

    def take(self, row: SegmentRow, theirs: Holding, shift: int) -> None:
        self.counts["segments"] += 1
        pos = row.pos + shift
        alike = theirs.at.get((pos, row.length))
        if alike is not None:
            self.take_alike(row, alike)
        elif pos >= theirs.last:
            self.take_after(row)
        elif pos + row.length <= theirs.first:
            self.take_before(row)
        elif theirs.covers(pos, pos + row.length):
            self.arrive("covered", row)
        else:
            self.stray("missing", row)

    def take_alike(self, row: SegmentRow, alike: list[SegmentRow]) -> None:
        """Each segment there answers for one here; a segment sent again is lost before it arrives."""
        if not alike:
            self.stray("repeated", row)
        elif is_another(row, alike.pop()):
            self.stray("altered", row)
        else:
            self.arrive("same", row)

    def arrive(self, how: str, row: SegmentRow) -> None:
        self.counts[how] += 1
        self.counts["largest_arrived"] = max(self.counts["largest_arrived"], row.length)

    def stray(self, fate: str, row: SegmentRow) -> None:
        self.counts[fate] += 1
        at = (row.frame, row.time_ns, row.pos, row.length, row.spi, row.esp_seq)
        self.strays.append(StrayRow(*at, int(fate == "altered"), int(fate == "repeated"), row.is_damaged))

    def take_before(self, row: SegmentRow) -> None:
        self.counts["before"] += 1
        if self.counts["before_last_frame"] == NEVER:
            self.counts["before_last_frame"], self.counts["before_last_ns"] = row.frame, row.time_ns

    def take_after(self, row: SegmentRow) -> None:
        if row.time_ns > self.until_ns:
            self.counts["beyond"] += 1
            return
        self.counts["after"] += 1
        self.counts["after_first_frame"], self.counts["after_first_ns"] = row.frame, row.time_ns
        if self.counts["after_last_frame"] == NEVER:
            self.counts["after_last_frame"], self.counts["after_last_ns"] = row.frame, row.time_ns

    def row(self) -> CourseRow:
        return CourseRow(**self.counts)


def is_another(row: SegmentRow, there: SegmentRow) -> bool:
    """Two contents at one place.  Prints are compared where both messages were captured whole: their trailers tell."""
    if row.is_damaged != there.is_damaged:
        return True
    key, their_key = key_of(row), key_of(there)
    if Kind.NONE not in (row.kind, there.kind):
        return row.print64 != there.print64 or key != their_key
    return row.kind == there.kind and key != their_key and None not in (key, their_key)
