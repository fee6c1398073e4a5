"""One line on the terminal that says how far a long analysis has come.

Knows bytes and the clock.  Says nothing where nobody watches, and nothing about short work.
"""

import os
import sys
import time
from types import TracebackType
from typing import TextIO

from ctcp_forensics.cli.output import columns
from ctcp_forensics.render.wording import SECOND_NS, clean, duration, sized

PATIENCE_NS = 500_000_000  # work shorter than this needs no comfort
PAUSE_NS = 100_000_000  # ten lines a second is as much as an eye follows
WIPE = "\r\x1b[K"


class Progress:
    """Called with the bytes done and the bytes in all, or None where that is not known."""

    def __init__(self, what: str, stream: TextIO, verb: str = "analyzing") -> None:
        self.what = clean(what)
        self.verb = verb
        self.stream = stream
        self.started_ns = time.monotonic_ns()
        self.shown_ns: int | None = None
        self._done = 0

    def __call__(self, done: int, total: int | None) -> None:
        now_ns = time.monotonic_ns()
        if done < self._done:
            self.started_ns = now_ns  # of the next capture: what the last one took tells nothing of this one
        self._done = done
        waited_ns = now_ns - (self.started_ns if self.shown_ns is None else self.shown_ns)
        if waited_ns < (PATIENCE_NS if self.shown_ns is None else PAUSE_NS):
            return
        self.shown_ns = now_ns
        line = told(self.what, done, total, now_ns - self.started_ns, self.verb)
        self.stream.write(WIPE + line[: columns() - 1])
        self.stream.flush()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.shown_ns is not None:
            self.stream.write(WIPE)
            self.stream.flush()


def told(what: str, done: int, total: int | None, elapsed_ns: int, verb: str = "analyzing") -> str:
    """`analyzing client.pcap  312 MB of 1.1 GB  28 %  eta 4 s`."""
    if not total:
        return f"{verb} {what}  {sized(done)}"
    left_ns = elapsed_ns * max(total - done, 0) // max(done, 1)
    eta = duration(-(-left_ns // SECOND_NS) * SECOND_NS)
    return f"{verb} {what}  {sized(done)} of {sized(total)}  {min(100 * done // total, 100)} %  eta {eta}"


def is_watched(stream: TextIO) -> bool:
    """A terminal that can take a line back."""
    return stream.isatty() and os.environ.get("TERM") not in (None, "dumb")


def watched(what: str, *, wanted: bool, verb: str = "analyzing") -> Progress | None:
    """A progress line, if somebody would see it."""
    return Progress(what, sys.stderr, verb) if wanted and is_watched(sys.stderr) else None
