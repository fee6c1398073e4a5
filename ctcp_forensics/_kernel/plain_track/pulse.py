"""Pulse: when frames came, and the longest times without any.

A capture that was over, or blind, shows nothing; so does one of a quiet network.  What was silent for how long is kept,
so that it can be asked whether a capture shows any frame at all between two times.  Knows times only.
"""

from __future__ import annotations

from heapq import heappush, heappushpop

from ctcp_forensics._kernel.caps import SET_BACK_NS, SILENCES_KEPT
from ctcp_forensics._kernel.rows import NEVER, PulseRow


class Pulse:
    """Since the clock was last set back, for a time that it went through twice means nothing."""

    def __init__(self) -> None:
        self.since_ns = self.until_ns = NEVER
        self.kept: list[tuple[int, int]] = []
        """Length and beginning, the shortest first: a heap."""
        self.unlisted_ns = 0

    def take(self, time_ns: int) -> None:
        if self.until_ns == NEVER or time_ns < self.until_ns - SET_BACK_NS:
            self.since_ns = self.until_ns = time_ns
            self.kept, self.unlisted_ns = [], 0
        elif time_ns > self.until_ns:
            self._keep((time_ns - self.until_ns, self.until_ns))
            self.until_ns = time_ns

    def _keep(self, silence: tuple[int, int]) -> None:
        if len(self.kept) < SILENCES_KEPT:
            heappush(self.kept, silence)
        else:
            self.unlisted_ns = max(self.unlisted_ns, heappushpop(self.kept, silence)[0])

    def row(self) -> PulseRow:
        silences = sorted((began_ns, began_ns + length_ns) for length_ns, began_ns in self.kept)
        return PulseRow(self.since_ns, self.until_ns, tuple(silences), self.unlisted_ns)
