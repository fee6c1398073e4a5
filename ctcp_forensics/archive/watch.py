"""Watch: a folder that a rotating tcpdump fills, taken file by file as each is complete.

Knows when a file is complete, and which have been taken.  Does not know what a capture is (see find) nor what is done
with it.

A file is taken when it has not changed between two looks and either a newer one of its series exists, or it has rested
for a while and ends with a whole record.  A ring that overwrites a file makes it a new entry: its stamp is another one.
The folder is looked at again and again, which every file system can do; no kernel needs to tell of changes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from ctcp_forensics.archive.entry import Entry, Found, Refusal
from ctcp_forensics.capture import UNHASHED, open_capture
from ctcp_forensics.capture.source import without_waiting
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.savefile import Reader

LOOK_EVERY_S: Final = 1.0
"""tcpdump writes its buffer out every few thousand bytes; a look costs a `stat` for each file."""
SETTLED_S: Final = 10.0
"""So long must the newest file rest before its end is looked at; a quiet link is not a finished one."""
GIVEN_UP_S: Final = 120.0
"""Whoever has not finished a record for so long has died: the file is taken as it is, with its damage."""
COMPRESSED: Final = (".gz", ".bz2", ".xz", ".zst", ".lz4")
"""What `tcpdump -z` makes of a finished file, which then is removed."""
NUMBER: Final = re.compile(r"\d+")

Find = Callable[[], Iterable[Found]]


class Sight(msgspec.Struct):
    """What a file looked like, and since when it has looked so."""

    stamp: str
    size: int | None
    since_s: float
    looks: int = 1


class Watching(msgspec.Struct, kw_only=True):
    """One folder, look by look."""

    find: Find
    clock: Callable[[], float]
    is_whole: Callable[[str], bool]
    settled_s: float = SETTLED_S
    given_up_s: float = GIVEN_UP_S
    _sights: dict[str, Sight] = msgspec.field(default_factory=dict)
    _taken: dict[str, str] = msgspec.field(default_factory=dict)
    """URIs and the stamps under which they were taken."""
    _refused: dict[str, str] = msgspec.field(default_factory=dict)

    def look(self) -> list[Found]:
        """What became complete since the last look; refusals once."""
        found = list(self.find())
        entries = [one for one in found if isinstance(one, Entry)]
        self._note(entries)
        newest = _newest(entries)
        ready = [one for one in entries if self._is_new(one) and self._is_complete(one, newest)]
        self._taken |= {one.uri: one.stamp for one in ready}
        return [*ready, *self._new_refusals([one for one in found if isinstance(one, Refusal)])]

    def _new_refusals(self, refusals: Sequence[Refusal]) -> list[Refusal]:
        before, self._refused = self._refused, {one.uri: one.reason for one in refusals}
        return [one for one in refusals if before.get(one.uri) != one.reason]

    def _note(self, entries: Iterable[Entry]) -> None:
        before, self._sights = self._sights, {}
        for one in entries:
            seen = before.get(one.uri)
            if seen is None or (seen.stamp, seen.size) != (one.stamp, one.size):
                self._sights[one.uri] = Sight(one.stamp, one.size, self.clock())
            else:
                seen.looks += 1
                self._sights[one.uri] = seen
        self._taken = {uri: stamp for uri, stamp in self._taken.items() if self._is_remembered(uri)}

    def _is_remembered(self, uri: str) -> bool:
        """What is gone is forgotten, but for a file whose compressed copy is there."""
        return (
            uri in self._sights
            or os.path.lexists(uri)
            or any(uri + end in self._sights for end in COMPRESSED)
        )

    def _is_new(self, one: Entry) -> bool:
        return self._taken.get(one.uri) != one.stamp and not self._is_copy(one)

    def _is_copy(self, one: Entry) -> bool:
        """The compressed copy of a file that was taken: gzip and its like give it the time of the original."""
        stem, end = os.path.splitext(one.uri)  # noqa: PTH122  # a URI need not be a path
        return end in COMPRESSED and _time_of(self._taken.get(stem, "")) == _time_of(one.stamp)

    def _is_complete(self, one: Entry, newest: dict[str, str]) -> bool:
        sight = self._sights[one.uri]
        if sight.looks < 2 or self._is_being_compressed(one):
            return False
        if newest[series_of(one.uri)] != one.uri:
            return True
        rested_s = self.clock() - sight.since_s
        return rested_s >= self.given_up_s or (rested_s >= self.settled_s and self.is_whole(one.uri))

    def _is_being_compressed(self, one: Entry) -> bool:
        """Of `x` and `x.gz` beside each other, `x` is about to go and `x.gz` is not finished."""
        stem, end = os.path.splitext(one.uri)  # noqa: PTH122
        if end in COMPRESSED:
            return stem in self._sights
        return any(one.uri + end in self._sights for end in COMPRESSED)


def watched(
    find: Find,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    every_s: float = LOOK_EVERY_S,
    is_whole: Callable[[str], bool] | None = None,
    settled_s: float = SETTLED_S,
) -> Iterator[list[Found]]:
    """Batches of what became complete, for ever; between two that hold something there may be long silences.

    Every batch is for a run of its own: within one run a name that comes again is the same capture.
    """
    watching = Watching(
        find=find, clock=clock, is_whole=is_whole or ends_with_whole_record, settled_s=settled_s
    )
    while True:
        if ready := watching.look():
            yield ready
        sleep(every_s)


def series_of(uri: str) -> str:
    """The name without its numbers and its compression: rotated files of one tcpdump have it in common."""
    stem, end = os.path.splitext(uri)  # noqa: PTH122
    return NUMBER.sub("#", stem if end in COMPRESSED else uri)


def _newest(entries: Iterable[Entry]) -> dict[str, str]:
    """Series by series the file that was written to last."""
    last: dict[str, tuple[int, str]] = {}
    for one in entries:
        series, at = series_of(one.uri), (_time_of(one.stamp), one.uri)
        last[series] = max(last.get(series, at), at)
    return {series: uri for series, (_, uri) in last.items()}


def _time_of(stamp: str) -> int:
    """Of a file's stamp, `mtime_ns:inode`; other stamps have no order."""
    time, _, _ = stamp.partition(":")
    return int(time) if time.isdigit() else -1


def ends_with_whole_record(uri: str) -> bool:
    """The savefile was read to its end and nothing was missing there."""
    try:
        with open_capture(uri, hashing=UNHASHED, opener=without_waiting) as capture:
            reader = Reader(capture.chunks(), source=uri)
            for _ in reader.batches():
                pass
    except CaptureError:
        return False
    return reader.outcome == "complete"
