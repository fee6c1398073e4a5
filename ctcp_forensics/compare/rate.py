"""Loss rates of two reports, and whether they differ.

Knows what was lost and out of how many, with an interval: two rates differ where their intervals have nothing in
common, and nowhere else.  Does not know why anything was lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ctcp_forensics.report import DIRECTION_WORDS, Crossing, DirectionFacts, Flow, Report
from ctcp_forensics.vantage.crossing import wilson

BY_CROSSINGS = "segments that one capture has and the next has not"
BY_ESP_NUMBERS = "ESP numbers that were skipped with their bytes"
SMALLEST_MESSAGE_LEN = 28
"""SPI and number 8, padding and next header 4 (RFC 4303 §2), the trailer of IPsec over TCP 16."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`lost` of `sent` in one direction, and how that was counted."""

    direction: str
    lost: int
    sent: int
    counted_by: str

    @property
    def share(self) -> float:
        return self.lost / self.sent

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's, of 95 %."""
        return wilson(self.lost, self.sent)


def differ(one: Rate, other: Rate) -> bool:
    return one.interval[1] < other.interval[0] or other.interval[1] < one.interval[0]


def rates_of(report: Report, flows: Sequence[Flow]) -> tuple[Rate, ...]:
    """One for each direction in which anything was sent."""
    ids = {flow.id for flow in flows}
    crossings = [one for path in report.paths for one in path.crossings if one.flow in ids]
    known = (
        _by_crossings(word, crossings) if crossings else _by_esp_numbers(word, flows)
        for word in DIRECTION_WORDS
    )
    return tuple(rate for rate in known if 0 <= rate.lost <= rate.sent and rate.sent)


def facts_of(flow: Flow, direction: str) -> DirectionFacts:
    both = flow.directions
    return both.client_to_headend if direction == DIRECTION_WORDS[0] else both.headend_to_client


def _by_crossings(direction: str, crossings: Iterable[Crossing]) -> Rate:
    """All that was lost on the way, of what set out on it."""
    lost = sent = 0
    started: set[str] = set()
    for one in crossings:  # in the order in which the direction travels
        if one.direction != direction:
            continue
        lost += one.lost
        if one.flow not in started:
            started.add(one.flow)
            sent += one.arrived + one.lost
    return Rate(direction=direction, lost=lost, sent=sent, counted_by=BY_CROSSINGS)


def _by_esp_numbers(direction: str, flows: Iterable[Flow]) -> Rate:
    facts = [facts_of(flow, direction) for flow in flows]
    lost = sum(map(messages_lost, facts))
    return Rate(
        direction=direction,
        lost=lost,
        sent=lost + sum(one.messages for one in facts),
        counted_by=BY_ESP_NUMBERS,
    )


def messages_lost(facts: DirectionFacts) -> int:
    """Numbers that are missing, as far as their bytes are: what the network loses takes its bytes along.

    The others were sent by another way or transport, or not at all.
    """
    return min(facts.esp_missing, facts.missing_bytes // SMALLEST_MESSAGE_LEN)
