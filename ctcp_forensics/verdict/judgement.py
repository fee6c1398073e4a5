"""Judgement: the first row of the table whose requirements all hold and which nothing refutes, and how sure it is.

Knows how a row is established and what leaves others possible.  Does not know what a row says: see table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from ctcp_forensics import claims
from ctcp_forensics.case import Case
from ctcp_forensics.claims.words import FAILS, HOLDS, UNKNOWN
from ctcp_forensics.evidence import Evidence
from ctcp_forensics.kept import kept
from ctcp_forensics.verdict.shown import Shown, shown_for
from ctcp_forensics.verdict.table import (
    CONFIDENCES,
    OF_A_PATH,
    SURE,
    TRUE_OF_ONE_PLACE,
    VERDICTS,
    Confidence,
    Role,
    Verdict,
)
from ctcp_forensics.verdict.weighing import Weighing


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict that is not established and not excluded either."""

    verdict: Verdict
    because: str
    settled_by: str


class Judgement(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The verdict on a case.  Its reasons are worked out when they are read: of a place alone nobody reads them."""

    verdict: Verdict
    weighing: Weighing

    @kept
    def confidence(self) -> Confidence:
        return confidence_in(self.verdict, self.weighing)

    @kept
    def evidence(self) -> tuple[Evidence, ...]:
        """All that was weighed."""
        return tuple([self.weighing.evidence(claim) for claim, _ in self._shown.values()])

    def role(self, claim: str) -> Role:
        """What a claim that was weighed is to the verdict, by its name."""
        return self._shown[claim][1]

    @kept
    def also_possible(self) -> tuple[Alternative, ...]:
        return tuple(alternatives(self.verdict, self.weighing))

    @kept
    def _shown(self) -> Shown:
        return shown_for(self.verdict, self.weighing)


def judge(case: Case) -> Judgement:
    """Weigh the table on a case: the first verdict that is established, and those still possible."""
    weighing = Weighing(case, ())
    alone = (weighing,)
    row = next(row for row in VERDICTS if is_established(row, weighing, alone))
    return Judgement(verdict=row, weighing=weighing)


def judge_together(cases: Sequence[Case]) -> tuple[Case, Judgement]:
    """The same on one connection that several places show, with the place that shows most."""
    if len(cases) == 1:
        return cases[0], judge(cases[0])
    weighings = [Weighing(case, cases) for case in cases]
    for row in VERDICTS:
        established = [one for one in weighings if is_established(row, one, weighings)]
        if established:
            best = max(established, key=lambda one: how_well(row, one))
            return best.case, Judgement(verdict=row, weighing=best)
    raise AssertionError("the last row requires nothing")


def how_well(row: Verdict, weighing: Weighing) -> tuple[int, int, int]:
    """Which place tells a verdict best: surest, then longest asked, then the one nearest to the client."""
    sure = CONFIDENCES.index(confidence_in(row, weighing))
    asks = 0 if weighing.case.episode is None else weighing.case.episode.asks
    return -sure, asks, -weighing.case.number


def is_established(row: Verdict, weighing: Weighing, everywhere: Sequence[Weighing]) -> bool:
    for claim in row.requires:  # a loop, since most rows of the table end at their first claim
        if weighing[claim] is not HOLDS:
            return False
    return not any(
        one[claim] is HOLDS
        for one in everywhere
        for claim in row.refuted_by
        if (one is weighing or claim not in TRUE_OF_ONE_PLACE)
        and (one.case.connection is not None or claim not in OF_A_PATH)
    )


def confidence_in(verdict: Verdict, weighing: Weighing) -> Confidence:
    is_doubted = not weighing.all_hold(verdict.doubts)
    if verdict.proven_by and weighing.all_hold(verdict.proven_by):
        return Confidence.STRONG if is_doubted else Confidence.PROVEN
    return Confidence.CONSISTENT if is_doubted else verdict.confidence


def in_part(slug: str, confidence: Confidence) -> Confidence:
    """What becomes of the confidence where the capture turns out not to be whole."""
    row = next(row for row in VERDICTS if row.slug == slug)
    is_doubted = claims.the_capture_is_whole in row.doubts and confidence in SURE
    return Confidence.CONSISTENT if is_doubted else confidence


def alternatives(chosen: Verdict, weighing: Weighing) -> Iterable[Alternative]:
    """Verdicts with something for them, nothing against them, and something unknown."""
    for row in VERDICTS:
        if not row.requires or weighing[row.requires[0]] is FAILS:  # most rows end here
            continue
        if row is chosen or not is_undecided(row, weighing) or is_held_against(row, weighing):
            continue
        open_ = [claim for claim in row.requires if weighing[claim] is UNKNOWN]
        yield Alternative(
            verdict=row,
            because="; ".join(map(weighing.why_unknown, open_)),
            settled_by="; ".join(dict.fromkeys(claim.settled_by for claim in open_ if claim.settled_by)),
        )


def is_undecided(row: Verdict, weighing: Weighing) -> bool:
    """Whether something that it requires holds, something is unknown, and nothing fails."""
    outcomes = []
    for claim in row.requires:
        outcome = weighing[claim]
        if outcome is FAILS:
            return False
        outcomes.append(outcome)
    return HOLDS in outcomes and UNKNOWN in outcomes


def is_held_against(row: Verdict, weighing: Weighing) -> bool:
    return any(weighing[claim] is HOLDS for claim in row.refuted_by)
