"""Shown: what a reader is told of a judgement, against a slow twin that goes through every claim of every story."""

from __future__ import annotations

from functools import cache

from ctcp_forensics import claims
from ctcp_forensics.evidence import Outcome
from ctcp_forensics.verdict import HIDING, INSUFFICIENT, VERDICTS, Judgement
from ctcp_forensics.verdict.shown import NAMED_BY_ANOTHER, TOLD_IN_DOUBT, claims_told_of
from tests.judged import judged_rows
from tests.test_stories import stories, wire_of

SAYS_THE_SAME = claims.carries_ctcp.name, claims.looks_like_ctcp.name


@cache
def judgements() -> list[Judgement]:
    return [
        flow.judgement
        for story in stories().values()
        for flow in judged_rows(wire_of(story), **story.get("capture", {}))
    ]


def names_told(judgement: Judgement) -> set[str]:
    return {one.claim for one in judgement.evidence}


def told_of_its_row(judgement: Judgement) -> set[str]:
    case = judgement.weighing.case
    return set(
        claims_told_of(
            judgement.verdict.slug,
            asks=case.episode is not None,
            is_on_a_path=case.connection is not None,
            is_early=case.surroundings.place_needed_in is not None,
        )
    )


def test_insufficient_evidence_tells_what_stayed_open_and_what_hid_it() -> None:
    some = [one for one in judgements() if one.verdict.slug == INSUFFICIENT]
    required = {claim for row in VERDICTS[1:] for claim in row.requires} - set(NAMED_BY_ANOTHER)
    for one in some:
        weighed = one.weighing
        open_ = {claim.name for claim in required if weighed[claim] is Outcome.UNKNOWN}
        hiding = {claim.name for claim in HIDING if weighed[claim] is Outcome.HOLDS}
        assert names_told(one) == told_of_its_row(one) | open_ | hiding
    assert len(some) > 20


def test_what_says_the_same_or_nothing_new_is_not_told() -> None:
    """Looking like cTCP beside carrying it; and a doubt that there is none of."""
    carries, looks = SAYS_THE_SAME
    repeated = needless = 0
    for one in judgements():
        row, weighed = told_of_its_row(one), one.weighing
        if one.verdict.slug == INSUFFICIENT:
            continue
        says_it_twice = looks in row and weighed[claims.carries_ctcp] is Outcome.HOLDS
        no_doubt = {claim.name for claim in TOLD_IN_DOUBT if weighed[claim] is Outcome.HOLDS} & row
        repeated, needless = repeated + says_it_twice, needless + bool(no_doubt)
        assert names_told(one) == row - no_doubt - ({carries} if says_it_twice else set())
    assert repeated
    assert needless
