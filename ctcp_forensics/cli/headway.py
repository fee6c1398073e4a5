"""How far a sweep has come: a line that is drawn anew on a terminal, a line every few seconds elsewhere.

Knows the clock and standard error.  Does not know what is swept.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from ctcp_forensics.archive.tally import Tally, Watch
from ctcp_forensics.capture.names import shown
from ctcp_forensics.cli.output import columns
from ctcp_forensics.cli.progress import PATIENCE_NS, PAUSE_NS, WIPE, is_watched
from ctcp_forensics.render.wording import SECOND_NS, count, duration, sized

PLAIN_PAUSE_NS: Final = 5 * SECOND_NS
"""Between two lines of a log."""
SLOW_S: Final = 2.0
"""What takes longer is named."""
STOPPING: Final = "finishing what runs (Ctrl-C again: at once)"


class Headway:
    """Called with the tally as it is; writes where the time has come."""

    def __init__(self, stream: TextIO, *, pause_ns: int, before: str, behind: str) -> None:
        self._stream = stream
        self._pause_ns = pause_ns
        self._before, self._behind = before, behind
        self._began_ns = time.monotonic_ns()
        self._next_ns = self._began_ns + max(pause_ns, PATIENCE_NS)
        self.has_written = False

    def __call__(self, tally: Tally) -> None:
        now_ns = time.monotonic_ns()
        if now_ns < self._next_ns:
            return
        self._next_ns = now_ns + self._pause_ns
        self.has_written = True
        line = headway(tally, now_ns - self._began_ns)
        if self._before:
            line = line[: columns() - 1]
        self._stream.write(f"{self._before}{line}{self._behind}")
        self._stream.flush()


@contextmanager
def watching(*, wanted: bool) -> Iterator[Watch]:
    if not wanted:
        yield lambda _tally: None
    elif is_watched(sys.stderr):
        line = Headway(sys.stderr, pause_ns=PAUSE_NS, before=WIPE, behind="")
        try:
            yield line
        finally:
            if line.has_written:
                sys.stderr.write(WIPE)
                sys.stderr.flush()
    else:
        yield Headway(sys.stderr, pause_ns=PLAIN_PAUSE_NS, before="", behind="\n")


def headway(tally: Tally, elapsed_ns: int) -> str:
    """`312 MB of 1.1 GB  1204 of 5000 files  210 MB/s  eta 4 s  3 hits  12 s at case/large.pcap`."""
    rate = tally.done_bytes * SECOND_NS // max(elapsed_ns, 1)
    parts = [
        f"{sized(tally.done_bytes)} of {sized(tally.found_bytes)}{_so_far(tally)}",
        f"{tally.done} of {count(tally.found, 'file')}",
        f"{sized(rate)}/s",
    ]
    if tally.is_all_found and tally.done_bytes:
        left_ns = elapsed_ns * max(tally.found_bytes - tally.done_bytes, 0) // tally.done_bytes
        parts.append(f"eta {duration(-(-left_ns // SECOND_NS) * SECOND_NS)}")
    parts.append(count(tally.hits, "hit"))
    if tally.failed:
        parts.append(f"{tally.failed} failed")
    if tally.slowest_s >= SLOW_S:
        parts.append(f"{tally.slowest_s:.0f} s at {shown(tally.slowest)}")
    if tally.is_stopping:
        parts.insert(0, STOPPING)
    return "  ".join(parts)


def _so_far(tally: Tally) -> str:
    return "" if tally.is_all_found else " so far"
