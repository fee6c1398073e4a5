"""Pulse: whether a capture shows any frame at all between two times.

One that was over, or blind for a while, lacks everything of that while; what it lacks then is evidence of nothing.
Knows when frames came.  Does not know whose they were.
"""

from __future__ import annotations

from bisect import bisect_right

from ctcp_forensics._kernel.rows import NEVER, PulseRow


def was_running(pulse: PulseRow, first_ns: int, last_ns: int) -> bool:
    """Whether both times lie between the first and the last frame, since the clock was last set back."""
    return pulse.until_ns != NEVER and pulse.since_ns <= first_ns and last_ns <= pulse.until_ns


def shows_a_frame(pulse: PulseRow, after_ns: int, before_ns: int) -> bool:
    """Whether a frame came strictly between, beyond doubt.

    Without one, both lie in one silence; and a silence that was let go is no longer than the longest of those.
    """
    if pulse.until_ns == NEVER or not pulse.since_ns <= after_ns < pulse.until_ns:
        return False
    if pulse.until_ns < before_ns:
        return True
    if before_ns - after_ns <= pulse.unlisted_ns:
        return False
    at = bisect_right(pulse.silences, after_ns, key=lambda silence: silence[0]) - 1
    return at < 0 or pulse.silences[at][1] < before_ns
