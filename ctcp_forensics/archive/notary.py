"""Notary: results → durable, while nobody waits for the disk but a thread.

Knows the steps: a segment is written, synced and named; a transaction points to it; the log of the manifest is synced.
Then its results are acknowledged.  The thread has the steps that wait for the disk and never sees the manifest, which
is written by one thread alone.  Does not know what a result says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from threading import Thread

import msgspec

from ctcp_forensics.archive import segment
from ctcp_forensics.archive.manifest import Manifest, Placed


class Notary:
    """One batch of results at a time, step by step as somebody asks."""

    def __init__(self, segments: Path, manifest: Manifest) -> None:
        self._segments, self._manifest = segments, manifest
        self._number = manifest.next_segment()
        self._written: Sequence[Placed] = ()
        """In a segment, as soon as the disk is done."""
        self._pointed: Sequence[Placed] = ()
        """In the manifest as well, likewise."""
        self._waiting: Thread | None = None
        self._error: BaseException | None = None

    @property
    def is_busy(self) -> bool:
        return bool(self._written or self._pointed)

    def take(self, placed: Sequence[Placed]) -> None:
        """Begin with these; it is not busy."""
        offset, lying = 0, list[Placed]()
        for one in placed:
            lying.append(msgspec.structs.replace(one, offset=offset))
            offset += len(one.answer.frame)
        path = self._segments / segment.name_of(self._number)
        self._written = lying
        self._wait_for(partial(segment.write_durably, path, [one.answer.frame for one in lying]))

    def acknowledged(self) -> Sequence[Placed]:
        """What has become durable since somebody asked; the next step is begun.  Raises what stood in the way."""
        if self._waiting is not None and self._waiting.is_alive():
            return ()
        self.close()
        if self._error is not None:
            raise self._error
        if self._written:
            self._point()
            return ()
        done, self._pointed = self._pointed, ()
        return done

    def settled(self) -> Iterator[Sequence[Placed]]:
        """The same until nothing is left, and waits for the disk."""
        while self.is_busy:
            self.close()
            yield self.acknowledged()

    def close(self) -> None:
        """Behind this no step is on its way."""
        if self._waiting is not None:
            self._waiting.join()
            self._waiting = None

    def _point(self) -> None:
        self._manifest.acknowledge(self._number, segment.name_of(self._number), self._written)
        self._number += 1
        self._written, self._pointed = (), self._written
        self._wait_for(self._manifest.sync)

    def _wait_for(self, step: Callable[[], None]) -> None:
        self._waiting = Thread(target=self._tried, args=[step], name="notary")
        self._waiting.start()

    def _tried(self, step: Callable[[], None]) -> None:
        try:
            step()
        except BaseException as error:  # noqa: BLE001 - told to who asks
            self._error = error
