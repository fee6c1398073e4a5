"""What one report shows of one site: who died, who lived through loss, what the firewall does.

Knows the report's words.  Does not compare.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ctcp_forensics.compare.rate import Rate, rates_of
from ctcp_forensics.compare.trial import Trial, is_tried
from ctcp_forensics.report import DIRECTION_WORDS, FIREWALL_VANTAGES, FLAGSHIP, WELL, Firewall, Flow, Report

PASSES = "passes-as-it-comes"
ORDERS = ("full-proxy", "orders-the-stream")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One site in one report."""

    flows: tuple[int, ...]
    """Numbers, in the order of the report, as in its table."""
    verdicts: dict[str, int]
    failed: tuple[int, ...]
    failed_ways: tuple[str, ...]
    """The directions in which they lost what was asked for."""
    unwell: tuple[int, ...]
    """Neither that failure nor well, or left for another: of them nothing is known about it."""
    asked_in_vain: int
    """Questions that nobody answered, in flows that did not die of it."""
    lived_through_loss: dict[str, tuple[int, ...]]
    """For each direction the flows that lost something on the way to whoever asks, and went on."""
    authors: tuple[str, ...]
    """Who made duplicate ACKs, as far as several captures show."""
    rates: tuple[Rate, ...]
    renumbers: bool | None
    """Whether sequence numbers change within the firewall; None: no captures from both of its sides."""
    waits: bool | None
    """Whether the firewall waits for what is missing; None: not shown."""


def shown(report: Report, flows: Sequence[Flow], trial: Trial) -> Shown:
    numbers = {flow.id: number for number, flow in enumerate(report.flows, start=1)}
    boxes = list(boxes_of(report, {flow.id for flow in flows}))
    well = [flow for flow in flows if flow.verdict in WELL]
    others = [flow for flow in flows if flow.verdict != FLAGSHIP]
    left = {finding.flow for finding in report.findings if finding.was_left}
    return Shown(
        flows=tuple(numbers[flow.id] for flow in flows),
        verdicts=dict(sorted(Counter(flow.verdict for flow in flows).items())),
        failed=tuple(numbers[flow.id] for flow in flows if flow.verdict == FLAGSHIP),
        failed_ways=tuple(sorted({flow.direction or "" for flow in flows if flow.verdict == FLAGSHIP})),
        unwell=tuple(numbers[flow.id] for flow in others if flow.verdict not in WELL or flow.id in left),
        asked_in_vain=sum(one.answered is False for flow in others for one in flow.episodes),
        lived_through_loss={
            word: tuple(numbers[flow.id] for flow in well if is_tried(flow, report, trial, word))
            for word in DIRECTION_WORDS
        },
        authors=tuple(sorted({flow.ack_author for flow in flows if flow.ack_author is not None})),
        rates=rates_of(report, flows),
        renumbers=renumbering(boxes),
        waits=waiting(boxes),
    )


def boxes_of(report: Report, flows: set[str]) -> Iterator[Firewall]:
    """What lies between the firewall's own two sides, on paths that these flows are on."""
    for path in report.paths:
        if not flows & {one.flow for one in path.crossings}:
            continue
        for box in path.firewalls:
            ends = (box.sent_from, box.towards)
            if all(
                0 <= end < len(path.places) and path.places[end].vantage in FIREWALL_VANTAGES for end in ends
            ):
                yield box


def renumbering(boxes: Sequence[Firewall]) -> bool | None:
    steps = [step for box in boxes for step in (box.step_to_headend, box.step_to_client)]
    return None if not steps or None in steps else any(steps)


def waiting(boxes: Sequence[Firewall]) -> bool | None:
    natures = {box.nature for box in boxes}
    if natures & set(ORDERS):
        return True
    return False if PASSES in natures else None
