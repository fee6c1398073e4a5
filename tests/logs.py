"""Logs: what two places noted of messages that passed both, made up from the truth.

Knows when each message was sent, how long it was under way and how the clocks differ.  Does not know what anybody
concludes from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from ctcp_forensics._kernel.plain_match import Matching
from ctcp_forensics._kernel.rows import DelayRow, SegmentRow
from ctcp_forensics.vantage.clock import TO_CLIENT, TO_HEADEND
from ctcp_forensics.vantage.pairing import delays_of

START_NS = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
BOTH_WAYS = [(0, way, 0, way, 0, way) for way in (TO_HEADEND, TO_CLIENT)]
"""One flow in each log, with the same numbers in both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One message on its way between two places."""

    way: int
    sent_ns: int
    """When it passed the first of them, counted from the start."""
    delay_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """The nearer clock is true, the farther one is this much off."""

    offset_ns: int = 0
    ppm: float = 0.0
    set_at_ns: int = 1 << 62
    set_by_ns: int = 0

    def offset(self, since_ns: int) -> int:
        set_by = self.set_by_ns if since_ns >= self.set_at_ns else 0
        return self.offset_ns + round(since_ns * self.ppm / 1e6) + set_by

    def far(self, since_ns: int) -> int:
        return START_NS + since_ns + self.offset(since_ns)


class Log:
    """What the kernel's join asks of a tracker."""

    def __init__(self, rows: Iterable[SegmentRow]) -> None:
        self._rows = [(0, row) for row in rows]

    def log(self) -> Sequence[tuple[int, SegmentRow]]:
        return self._rows


def message(number: int, way: int, time_ns: int) -> SegmentRow:
    blank = SegmentRow(*[0] * len(SegmentRow._fields))
    return blank._replace(
        direction=way, frame=number, time_ns=time_ns, length=100, spi=way + 1, esp_seq=number
    )


def logs_of(passages: Sequence[Passage], clocks: Clocks) -> tuple[Log, Log]:
    """Of the nearer place and of the farther one, each in the order of arrival there."""
    near, far = [], []
    for number, one in enumerate(passages, start=1):
        first, last = one.sent_ns, one.sent_ns + one.delay_ns
        at_near, at_far = (first, last) if one.way == TO_HEADEND else (last, first)
        near.append((at_near, message(number, one.way, START_NS + at_near)))
        far.append((at_far, message(number, one.way, clocks.far(at_far))))
    return Log(row for _, row in sorted(near)), Log(row for _, row in sorted(far))


def delays(passages: Sequence[Passage], clocks: Clocks) -> tuple[DelayRow, ...]:
    """As pairing takes them, the nearer place first."""
    return delays_of(Matching(*logs_of(passages, clocks)), BOTH_WAYS)  # type: ignore[arg-type]


def passages(fewest: int, most: int, *, seconds: int, slowest_ns: int) -> st.SearchStrategy[list[Passage]]:
    """Any messages, either way, with any delay that is not negative."""
    one = st.builds(
        Passage,
        way=st.sampled_from([TO_HEADEND, TO_CLIENT]),
        sent_ns=st.integers(0, seconds * SECOND),
        delay_ns=st.integers(0, slowest_ns),
    )
    return st.lists(one, min_size=fewest, max_size=most)


ANY_CLOCKS = st.builds(
    Clocks,
    offset_ns=st.integers(-10_000 * SECOND, 10_000 * SECOND),
    ppm=st.floats(-500, 500).map(lambda ppm: round(ppm, 3)),
)
