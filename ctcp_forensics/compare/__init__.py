"""Compare: a report from before a change and one from after it, and whether the change mended the failure.

Knows what would show it and what would not: that nothing was lost proves nothing.  Does not know what was changed.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from enum import StrEnum

from ctcp_forensics.compare.rate import BY_CROSSINGS, BY_ESP_NUMBERS, Rate, differ
from ctcp_forensics.compare.shown import Shown, shown
from ctcp_forensics.compare.site import Site, failed_sites, flows_of, ports_of, site_of, unwell_in_brief
from ctcp_forensics.compare.trial import THE_FIREWALL, trial_of
from ctcp_forensics.report import DIRECTION_WORDS, FLAGSHIP, Flow, Report

__all__ = ["Comparison", "Outcome", "Pairing", "compare"]

LOOK_FOR_UDP = (
    "a report does not count UDP and ESP: `tshark -r AFTER.pcap -Y 'udp.port in {500, 4500, 10000} || esp'` shows "
    "whether the client uses them"
)

NOTHING_TO_MEND = (
    "the report of before has no flow that died of unanswered duplicate ACKs: nothing was to be mended"
)

OF_TWO_KEYS = (
    "the two reports are not under the pseudonyms of one key, so that clients and headends do not compare: undo "
    "them first, `ctcp-diag redact --undo`"
)

# What is lost behind a capture point skips no ESP number there: a rate by them is of the way to it alone.
WHERE_COUNTED = {BY_CROSSINGS: "", BY_ESP_NUMBERS: " up to the capture point"}

TELL_ALL = "`ctcp-diag analyze --in-full` makes a report that tells all"


class Outcome(StrEnum):
    """What the two reports say together; from the worst to the best."""

    NOT_FIXED = "not-fixed"
    CANNOT_BE_TOLD = "cannot-be-told"
    NOT_TESTED = "not-tested"
    FIXED = "fixed"


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
    hidden = unwell_in_brief(after, ports)
    pairings = tuple(
        _pairing(site, *_both(before, flows, after, flows_of(after, site, ports)), after, hidden[site])
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
    outcome, because = _judged(before, after, report, hidden)
    return Pairing(
        site=site,
        outcome=outcome,
        because=because,
        signs=tuple(_signs(before, after)),
        before=before,
        after=after,
    )


def _judged(before: Shown, after: Shown, report: Report, hidden: int) -> tuple[Outcome, str]:
    """The first that applies; what would have to be shown for the next one is not.

    `hidden` flows of after were not well, and only a line is told of them.
    """
    if not after.flows:
        return Outcome.CANNOT_BE_TOLD, _why_none(report)
    if after.failed:
        return Outcome.NOT_FIXED, f"{_flows(after.failed)} of after died of it again"
    if after.unwell:
        return (
            Outcome.CANNOT_BE_TOLD,
            f"{_flows(after.unwell)} of after failed otherwise or shows too little; from behind the loss this failure "
            "looks like others",
        )
    if hidden:
        return (
            Outcome.CANNOT_BE_TOLD,
            f"flows of after that were not well are told briefly: {hidden}; {TELL_ALL}",
        )
    if after.asked_in_vain:
        return (
            Outcome.CANNOT_BE_TOLD,
            "somebody still asks for what is lost and is not answered, though nothing died",
        )
    if not report.coverage.is_complete:
        return Outcome.CANNOT_BE_TOLD, "not all of after was read: a failure may be in what was not"
    return _tested(before, after)


def _tested(before: Shown, after: Shown) -> tuple[Outcome, str]:
    """Nothing failed: the question is whether anything was lost that could have made it fail."""
    if after.waits is False and set(before.authors) <= {THE_FIREWALL}:
        return Outcome.FIXED, "the firewall passed on what came behind a lost segment: it no longer waits"
    ways = _ways(before)
    lacking = [way for way in ways if not after.lived_through_loss.get(way)]
    if lacking:
        return (
            Outcome.NOT_TESTED,
            f"nothing failed, and no loss {' or '.join(lacking)} is shown on the way to the firewall, that could have "
            "made it fail: capture for longer, at the firewall, and say where (--asa-outside, --asa-inside)",
        )
    lived = sorted({number for way in ways for number in after.lived_through_loss[way]})
    return (
        Outcome.FIXED,
        f"segments were lost {' and '.join(ways)} in {_flows(tuple(lived))}, and data went on",
    )


def _ways(before: Shown) -> list[str]:
    """The directions in which it failed before."""
    return [word for word in DIRECTION_WORDS if word in before.failed_ways]


def _why_none(report: Report) -> str:
    if report.brief:
        return f"after tells nothing of these clients at length: {TELL_ALL}"
    if any(flow.verdict == FLAGSHIP or flow.encapsulation.kind == "cisco-ctcp" for flow in report.flows):
        return "after shows other clients or another headend: the two reports do not compare"
    return (
        "no IPsec over TCP of these clients in after: as it should be if they moved to UDP, to ESP or to another "
        f"client, and the same if nobody connected; {LOOK_FOR_UDP}"
    )


def _signs(before: Shown, after: Shown) -> Iterator[str]:
    if not after.flows:
        return
    if before.renumbers and after.renumbers is False:
        yield "the firewall no longer changes sequence numbers, as with tcp-state-bypass"
    if after.renumbers:
        yield "the firewall still changes sequence numbers: tcp-state-bypass is not in effect for these flows"
    if before.waits and after.waits is False:
        yield "it waited for what was missing before, and passes segments as they come now"
    if before.authors and not after.authors and after.renumbers is not None:
        yield f"nobody makes duplicate ACKs any more; before: {', '.join(before.authors)}"
    for one in before.rates:
        yield from (_rates(one, other) for other in after.rates if other.direction == one.direction)


def _rates(before: Rate, after: Rate) -> str:
    what = f"loss {after.direction}{WHERE_COUNTED[after.counted_by]}"
    if before.counted_by != after.counted_by:
        return f"loss {after.direction}: counted in different ways, by {before.counted_by} and by {after.counted_by}"
    told = f"{_rate(before)} before, {_rate(after)} after"
    if not differ(before, after):
        return f"{what}: {told}; the 95 % intervals overlap, so no difference is shown"
    return f"{what}: {told}; it {'rose' if after.share > before.share else 'fell'}"


def _rate(rate: Rate) -> str:
    low, high = rate.interval
    return f"{rate.lost} of {rate.sent} ({100 * low:.2f} % to {100 * high:.2f} %)"


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


def _flows(numbers: tuple[int, ...]) -> str:
    told = ", ".join(f"#{number}" for number in numbers[:8])
    return f"flow {told}" + (f" and {len(numbers) - 8} more" if len(numbers) > 8 else "")
