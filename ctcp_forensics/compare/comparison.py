"""Comparison: two reports, site by site, and the worst outcome of all sites.

Knows which flows of two reports belong together, and what both reports say of themselves.  Does not weigh a site: see
outcome.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass

from ctcp_forensics.compare.outcome import TELL_ALL, Outcome, judged
from ctcp_forensics.compare.shown import Shown, shown
from ctcp_forensics.compare.signs import signs_of
from ctcp_forensics.compare.site import (
    Site,
    failed_sites,
    flows_of,
    ports_of,
    site_of,
    unwell_in_brief,
    unwell_without_line,
)
from ctcp_forensics.compare.trial import trial_of
from ctcp_forensics.report import FLAGSHIP, Flow, Report

NOTHING_TO_MEND = (
    "the report of before has no flow that died of unanswered duplicate ACKs: nothing was to be mended"
)

OF_TWO_KEYS = (
    "the two reports are not under the pseudonyms of one key, so that clients and headends do not compare: undo "
    "them first, `ctcp-diag redact --undo`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """One site before and after."""

    site: Site
    outcome: Outcome
    because: str
    signs: tuple[str, ...]
    """What else changed, or did not."""
    before: Shown
    after: Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All sites at which the failure was seen before."""

    outcome: Outcome
    because: str
    pairings: tuple[Pairing, ...]
    notes: tuple[str, ...]


def compare(before: Report, after: Report) -> Comparison:
    """The worst outcome of all sites stands for the whole."""
    notes = tuple(_notes(before, after))
    if before.redacted_with != after.redacted_with:
        return _nothing_compared(OF_TWO_KEYS, notes)
    sites, ports = failed_sites(before), ports_of(before)
    hidden, anywhere = unwell_in_brief(after, ports), unwell_without_line(after)
    pairings = tuple(
        _pairing(
            site, *_both(before, flows, after, flows_of(after, site, ports)), after, hidden[site] + anywhere
        )
        for site, flows in sites.items()
    )
    notes = (*notes, *_elsewhere(after, sites))
    if not pairings:
        return _nothing_compared(NOTHING_TO_MEND, notes)
    worst = min(pairings, key=lambda one: list(Outcome).index(one.outcome))
    return Comparison(outcome=worst.outcome, because=worst.because, pairings=pairings, notes=notes)


def _nothing_compared(because: str, notes: tuple[str, ...]) -> Comparison:
    return Comparison(outcome=Outcome.CANNOT_BE_TOLD, because=because, pairings=(), notes=notes)


def _both(before: Report, old: list[Flow], after: Report, new: list[Flow]) -> tuple[Shown, Shown]:
    trial = trial_of(old)
    return shown(before, old, trial), shown(after, new, trial)


def _pairing(site: Site, before: Shown, after: Shown, report: Report, hidden: int) -> Pairing:
    outcome, because = judged(before, after, report, hidden)
    return Pairing(
        site=site,
        outcome=outcome,
        because=because,
        signs=tuple(signs_of(before, after)),
        before=before,
        after=after,
    )


def _notes(before: Report, after: Report) -> Iterator[str]:
    for name, one in (("before", before), ("after", after)):
        flows = sum(brief.flows for brief in one.brief)
        if flows:
            yield f"{flows} flows of {name} are told briefly and are not compared: {TELL_ALL}"
    same = {one.content_digest for one in before.captures} & {
        one.content_digest for one in after.captures
    } - {None}
    if same:
        yield "both reports are of the same capture, at least in part"
    ends = [one.last_ns for one in before.captures if one.last_ns is not None]
    starts = [one.first_ns for one in after.captures if one.first_ns is not None]
    if ends and starts and min(starts) < max(ends) and not same:
        yield "by their clocks, the captures of after began before those of before had ended"
    if before.tool.rules_version != after.tool.rules_version:
        yield "the two reports were made by different rules"
    if before.redacted_with is not None and before.redacted_with == after.redacted_with:
        yield f"addresses, names and hashes are pseudonyms, by key {before.redacted_with}"


def _elsewhere(after: Report, sites: Container[Site]) -> Iterator[str]:
    others = sum(flow.verdict == FLAGSHIP and site_of(flow) not in sites for flow in after.flows)
    if others:
        yield f"after shows the failure at other clients or headends, in flows: {others}"
