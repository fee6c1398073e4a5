"""Signs: what else changed at a site, or did not.

Knows sequence numbers, authors and loss rates before and after.  Draws no conclusion: see outcome.
"""

from __future__ import annotations

from collections.abc import Iterator

from ctcp_forensics.compare.rate import BY_CROSSINGS, BY_ESP_NUMBERS, Rate, differ
from ctcp_forensics.compare.shown import Shown

# What is lost behind a capture point skips no ESP number there: a rate by them is of the way to it alone.
WHERE_COUNTED = {BY_CROSSINGS: "", BY_ESP_NUMBERS: " up to the capture point"}


def signs_of(before: Shown, after: Shown) -> Iterator[str]:
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
