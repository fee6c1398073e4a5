"""A comparison as text: the outcome in one sentence, then every site before and after.

Knows how it is laid out.  Does not compare: see compare.
"""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

import msgspec

from ctcp_forensics.compare import Comparison, Pairing
from ctcp_forensics.compare.shown import Shown
from ctcp_forensics.render.finding import NARROWEST, labelled
from ctcp_forensics.render.look import Look
from ctcp_forensics.render.wording import clean, count

SITES_AT_A_GLANCE = 20


def comparison(found: Comparison, look: Look) -> Iterator[str]:
    """The lines of a comparison, each with its end."""
    for line in _lines(found, look):
        yield line + "\n"


def as_json(found: Comparison) -> Iterator[str]:
    """One object; names are only added."""
    text = msgspec.json.encode({"type": "comparison", **msgspec.to_builtins(found)})
    yield msgspec.json.format(text, indent=2).decode() + "\n"


def _lines(found: Comparison, look: Look) -> Iterator[str]:
    headline = clean(f"{found.outcome}: {found.because}")
    for line in (
        [headline]
        if look.width is None
        else wrap(headline, max(look.width, NARROWEST), break_on_hyphens=False)
    ):
        yield look.pen.mark("title", line)
    for note in found.notes:
        yield from labelled("note", note, look, indent="")
    for pairing in found.pairings[:SITES_AT_A_GLANCE]:
        yield ""
        yield from _pairing(pairing, look, headline=found.because)
    if len(found.pairings) > SITES_AT_A_GLANCE:
        yield ""
        yield f"and {count(len(found.pairings) - SITES_AT_A_GLANCE, 'site')} more (--format json has all)"


def _pairing(one: Pairing, look: Look, *, headline: str) -> Iterator[str]:
    yield look.pen.mark("title", clean(f"{one.site.clients} to {one.site.headend}: {one.outcome}"))
    if one.because != headline:
        yield from labelled("because", one.because, look)
    yield from labelled("before", _shown(one.before), look)
    yield from labelled("after", _shown(one.after), look)
    for sign in one.signs:
        yield from labelled("sign", sign, look)


def _shown(side: Shown) -> str:
    if not side.flows:
        return "no flow"
    verdicts = ", ".join(f"{number} {verdict}" for verdict, number in side.verdicts.items())
    return f"{count(len(side.flows), 'flow')}: {verdicts}"
