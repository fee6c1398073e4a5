"""Trials: which losses would have made the failure happen again.

Whoever asks for a lost segment has to lack it: a loss beyond that box, or one of which nobody can say where it was,
tries nothing.  Knows where losses were.  Does not know whether the flow went on: see shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ctcp_forensics.compare.rate import facts_of
from ctcp_forensics.report import DIRECTION_WORDS, FIREWALL_VANTAGES, FLAGSHIP, DirectionFacts, Flow, Report

THE_FIREWALL = "asa"
BEFORE_THE_FIREWALL = dict(zip(DIRECTION_WORDS, ("client-asa", "asa-headend"), strict=True))
NOT_ON_THE_WAY = "capture"
SURE = ("proven", "strong")
"""Words of a verdict that no doubt is left of, that the capture is whole among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Where something has to be lost, for each direction, to try what was changed."""

    stretches: dict[str, frozenset[str]]
    asks_at_firewall: bool
    """As far as is known: it was the firewall that asked, or nobody knows who."""


def trial_of(flows: Sequence[Flow]) -> Trial:
    """By the flows that died: before the firewall where that asked, and wherever it was lost when they died."""
    failed = [flow for flow in flows if flow.verdict == FLAGSHIP]
    asks_at_firewall = {flow.ack_author for flow in failed} <= {THE_FIREWALL, None}
    return Trial(
        stretches={
            word: frozenset(
                {flow.loss_location for flow in failed if flow.loss_location and flow.direction == word}
                | ({BEFORE_THE_FIREWALL[word]} if asks_at_firewall else set())
            )
            - {NOT_ON_THE_WAY}
            for word in DIRECTION_WORDS
        },
        asks_at_firewall=asks_at_firewall,
    )


def is_tried(flow: Flow, report: Report, trial: Trial, direction: str) -> bool:
    """Whether this flow lost something in this direction where whoever asks had to lack it."""
    crossings = [one for path in report.paths for one in path.crossings if one.flow == flow.id]
    if crossings:
        return any(
            one.lost and one.direction == direction and one.location in trial.stretches[direction]
            for one in crossings
        )
    return (
        trial.asks_at_firewall
        and _is_at_firewall(flow, report)
        and _is_surely_lost(flow, facts_of(flow, direction))
    )


def _is_surely_lost(flow: Flow, facts: DirectionFacts) -> bool:
    """Bytes are missing, and not from the capture alone: a verdict with a doubt may rest on what only that lacks."""
    return facts.missing_bytes > 0 and flow.confidence in SURE


def _is_at_firewall(flow: Flow, report: Report) -> bool:
    """What a capture of the firewall lacks was lost on the way to it; elsewhere it may have been lost behind it."""
    vantages = {capture.id: capture.vantage for capture in report.captures}
    return bool(flow.seen) and all(vantages.get(seen.capture) in FIREWALL_VANTAGES for seen in flow.seen)
