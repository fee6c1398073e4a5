"""What a verdict means, in words: read from the table that judges, so that the two cannot differ.

Knows how the table is said.  Does not know any verdict.
"""

from collections.abc import Iterator
from difflib import get_close_matches

from ctcp_forensics.cli.ends import Refused
from ctcp_forensics.evidence import Claim
from ctcp_forensics.verdict import VERDICTS


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
        if row.looks_like:
            yield f"  looks like it: {row.looks_like}\n"


def catalogue() -> Iterator[str]:
    """One line for each verdict."""
    first = {row.slug: row for row in reversed(VERDICTS)}
    longest = max(map(len, first))
    for slug in sorted(first):
        yield f"{slug.ljust(longest)}  {first[slug].title}\n"


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
    near = get_close_matches(slug, slugs(), n=1)
    return f"; did you mean {near[0]}?" if near else "; `ctcp-diag explain` lists them"
