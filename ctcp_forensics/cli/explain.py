"""What a verdict means, in words: read from the table that judges, so that the two cannot differ.

Knows how the table is said.  Does not know any verdict.
"""

import json
from collections.abc import Iterator
from difflib import get_close_matches

from ctcp_forensics.cli.ends import Refused
from ctcp_forensics.evidence import Claim
from ctcp_forensics.verdict import VERDICTS, Verdict


def explanation(slug: str) -> Iterator[str]:
    """The lines about one verdict; several rows of the table may lead to it."""
    insist_on_verdict(slug)
    for row in [row for row in VERDICTS if row.slug == slug]:
        yield f"{row.slug}: {row.title}\n"
        yield f"  {row.means}\n"
        yield from _claims("requires", row.requires)
        yield from _refutations(row.requires)
        yield from _claims("is less sure unless", row.doubts)
        yield from _claims("is refuted where", row.refuted_by)
        yield from _claims("is proven where several captures show", row.proven_by)
        if row.looks_like:
            yield f"  looks like it: {row.looks_like}\n"


def catalogue() -> Iterator[str]:
    """One line for each verdict."""
    first = {row.slug: row for row in reversed(VERDICTS)}
    longest = max(map(len, first))
    for slug in sorted(first):
        yield f"{slug.ljust(longest)}  {first[slug].title}\n"


def as_objects(slug: str | None) -> Iterator[str]:
    """One verdict, or all in the order of the judgement, as an array of JSON objects."""
    if slug is not None:
        insist_on_verdict(slug)
    told = [_object(row) for row in VERDICTS if slug in (None, row.slug)]
    yield json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def _object(row: Verdict) -> dict[str, object]:
    return {
        "verdict": row.slug,
        "title": row.title,
        "means": row.means,
        "requires": _objects(row.requires),
        "less_sure_unless": _objects(row.doubts),
        "refuted_by": _objects(row.refuted_by),
        "proven_by": _objects(row.proven_by),
        "looks_like": row.looks_like,
    }


def _objects(claims: tuple[Claim, ...]) -> list[dict[str, str]]:
    return [
        {
            "claim": one.name,
            "says": one.sentence,
            "would_refute": one.would_refute,
            "settled_by": one.settled_by,
        }
        for one in claims
    ]


def insist_on_verdict(slug: str) -> None:
    """A name that no row of the table bears was mistyped."""
    if slug not in slugs():
        raise Refused(f"no verdict is called {slug}{_nearest(slug)}")


def slugs() -> list[str]:
    """For the shell's completion."""
    return sorted({row.slug for row in VERDICTS})


def _claims(heading: str, claims: tuple[Claim, ...]) -> Iterator[str]:
    if claims:
        yield f"  {heading}:\n"
    for claim in claims:
        yield f"    {claim.name}: {claim.sentence}\n"


def _refutations(claims: tuple[Claim, ...]) -> Iterator[str]:
    """What to look for in the capture by somebody who doubts the verdict."""
    refuting = dict.fromkeys(claim.would_refute for claim in claims if claim.would_refute)
    if refuting:
        yield "  would be refuted by:\n"
    yield from (f"    {what}\n" for what in refuting)


def _nearest(slug: str) -> str:
    begun = [name for name in slugs() if name.startswith(slug)]
    near = begun[:1] or get_close_matches(slug, slugs(), n=1)
    return f"; did you mean {near[0]}?" if near else "; `ctcp-diag explain` lists them"
