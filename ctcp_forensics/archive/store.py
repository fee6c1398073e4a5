"""Store: a folder with a manifest, segments of results, and what was made of them.

Knows which results are acknowledged and which of them is the newest of an entry.  Does not know how they came to be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ctcp_forensics.archive.examine import Examined


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRef:
    """One file of results; never altered once it is named."""

    name: str
    """Its place in the order of writing: later ones sort behind."""
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One entry or place that was not wholly looked at."""

    uri: str
    status: str
    """`partial`, `rejected`, `failed`, or `refused` for what was found and not followed."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusCount:
    """How many entries ended in one way."""

    status: str
    """`analyzed`, `partial`, `rejected`, `failed`, `waiting`, `refused`, `skipped` (not a capture), `same-as-another`."""
    files: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCoverage:
    """What was looked at, in counts; the entries themselves come from `Store.troubles`."""

    counts: tuple[StatusCount, ...]


class Store:
    """The results of an archive, as they are on disk.  Reading needs no lock."""

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """An existing store.  Raises StoreError where there is none, or one of another version."""
        raise NotImplementedError

    def segments(self) -> Iterator[SegmentRef]:
        """All acknowledged files of results, oldest first."""
        raise NotImplementedError

    def results(self, segment: SegmentRef) -> Iterator[Examined]:
        """Everything that one holds, superseded results as well."""
        raise NotImplementedError

    def current(self) -> Iterator[Examined]:
        """The newest acknowledged result of every entry, in the order of the URIs.

        Entries with the content of another appear with their own URI, that one's report, and `same_as`.
        """
        raise NotImplementedError

    def current_of(self, uri: str) -> Examined | None:
        """The newest acknowledged result of one entry."""
        raise NotImplementedError

    def coverage(self) -> StoreCoverage:
        """Counts of entries and refusals, by what became of them."""
        raise NotImplementedError

    def troubles(self) -> Iterator[Trouble]:
        """Every entry that was not wholly looked at, and every refusal that matters, in the order of the URIs."""
        raise NotImplementedError

    def is_current(self, segment: SegmentRef, at: int) -> bool:
        """Whether the result number `at` of a segment is the newest of its entry."""
        raise NotImplementedError
