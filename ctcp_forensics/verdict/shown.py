"""Shown: which of the claims that were weighed are told of, and what each is to the verdict.

Knows what a reader need not be told twice.  Does not know in which words: see render.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from ctcp_forensics import claims
from ctcp_forensics.claims.words import HOLDS, UNKNOWN
from ctcp_forensics.evidence import Claim
from ctcp_forensics.verdict.table import (
    FLAGSHIP,
    HIDING,
    INSUFFICIENT,
    MISLEADING,
    NOTHING_LATER,
    OF_A_PATH,
    VERDICTS,
    Role,
    Verdict,
)
from ctcp_forensics.verdict.weighing import Weighing

Shown = Mapping[str, tuple[Claim, Role]]
"""Claims by their names, each with what it is to a verdict."""

TOLD_IN_DOUBT = (
    claims.it_took_no_other_way,
    claims.a_question_would_be_seen,
    claims.nobody_is_left_waiting,
    claims.nobody_waited_when_it_closed,
    claims.the_syn_was_tried_again,
)
"""Claims whose holding tells a reader nothing that the verdict does not say."""

NAMED_BY_ANOTHER = (claims.is_something_else, claims.looks_like_ctcp)
"""Claims that are open only where `carries_ctcp` is, or say in other words why."""


def shown_for(verdict: Verdict, weighing: Weighing) -> Shown:
    """The claims that are told of."""
    case = weighing.case
    shown = claims_told_of(
        verdict.slug,
        asks=case.episode is not None,
        is_on_a_path=case.connection is not None,
        is_early=case.surroundings.place_needed_in is not None,
    )
    if verdict.slug == INSUFFICIENT:
        return {**shown, **what_stayed_open(weighing), **what_hid_it(weighing)}
    return without_repetition(shown, weighing)


def without_repetition(shown: Shown, weighing: Weighing) -> Shown:
    """That it carries IPsec over TCP says all that looking like it says; where no doubt is, some need no word."""
    is_said = claims.looks_like_ctcp.name in shown and weighing[claims.carries_ctcp] is HOLDS
    left_out = {claims.carries_ctcp.name} if is_said else set()
    left_out |= {claim.name for claim in TOLD_IN_DOUBT if claim.name in shown and weighing[claim] is HOLDS}
    return {name: one for name, one in shown.items() if name not in left_out} if left_out else shown


@cache
def claims_told_of(slug: str, *, asks: bool, is_on_a_path: bool, is_early: bool) -> Shown:
    """Where a question was left open, why it is not the flagship as well.

    What only a path can show is told where there is one, and what a full table cuts off where one was full.  What
    misleads is told where it holds, and then before all else.
    """
    verdict = next(row for row in VERDICTS if row.slug == slug)
    shown = claims_of(verdict)
    if asks and verdict is not FLAGSHIP:
        shown = claims_of(FLAGSHIP) | shown
    left_out = (*MISLEADING, *(() if is_early else NOTHING_LATER), *(() if is_on_a_path else OF_A_PATH))
    return {name: (claim, role) for name, (claim, role) in shown.items() if claim not in left_out}


def claims_of(row: Verdict) -> dict[str, tuple[Claim, Role]]:
    """Its claims by name, each with what it is to this verdict."""
    return {
        claim.name: (claim, role)
        for role, some in (
            (Role.PROOF, row.requires),
            (Role.GUARD, (*row.doubts, *row.proven_by)),
            (Role.REFUTATION, row.refuted_by),
        )
        for claim in some
    }


def what_stayed_open(weighing: Weighing) -> Shown:
    """Claims of trouble that are neither shown nor excluded: what the evidence is insufficient for."""
    return {
        claim.name: (claim, Role.PROOF)
        for row in VERDICTS[1:]
        for claim in row.requires
        if claim not in NAMED_BY_ANOTHER and weighing[claim] is UNKNOWN
    }


def what_hid_it(weighing: Weighing) -> Shown:
    """What kept verdicts from being given: what is hidden is neither a question nor an answer."""
    return {claim.name: (claim, Role.PROOF) for claim in HIDING if weighing[claim] is HOLDS}
