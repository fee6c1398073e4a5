"""Weighing: the outcome of each claim about one flow, settled by whichever place of its path has the word.

Knows what another capture may settle and what it may not.  Does not know what a claim is required for: see table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from ctcp_forensics import claims, vantage
from ctcp_forensics.case import Case
from ctcp_forensics.claims.words import HOLDS, UNKNOWN
from ctcp_forensics.evidence import Claim, Evidence, Outcome
from ctcp_forensics.verdict.table import PROOF

ABOUT_THE_QUESTION = (*PROOF, claims.the_asking_is_heard_to_the_end, claims.the_receiver_had_followed)
"""Claims that another place may answer only where it shows the same question."""

SETTLED_ELSEWHERE = (
    *PROOF,
    claims.carries_ctcp,
    claims.looks_like_ctcp,
    claims.the_end_was_seen,
    claims.the_asking_is_heard_to_the_end,
    claims.the_receiver_had_followed,
    claims.the_capture_is_whole,
)
"""Claims that hold where any place of the path shows that they do."""


class Weighing(dict[Claim, Outcome]):
    """Outcomes of claims on one case, with what the connection's other places settle.

    Each is settled once, when it is first looked up: many rows of the table require the same claims.  Most are asked
    for their outcome alone, and only what is shown becomes evidence.
    """

    def __init__(self, case: Case, everywhere: Sequence[Case]) -> None:
        super().__init__()
        self.case = case
        self._others = [one for one in everywhere if one is not case]

    def __missing__(self, claim: Claim) -> Outcome:
        outcome = self[claim] = claim.answer(self._settler(claim) if self._others else self.case)[0]
        return outcome

    def all_hold(self, some: Iterable[Claim]) -> bool:
        return all(self[claim] is HOLDS for claim in some)

    def why_unknown(self, claim: Claim) -> str:
        """Of a claim that no place settles."""
        return claim.answer(self.case)[1]

    def evidence(self, claim: Claim) -> Evidence:
        if not self._others:
            return claim(self.case)
        settler = self._settler(claim)
        return claim(settler) if settler is self.case else seen_elsewhere(claim(settler), settler)

    def _settler(self, claim: Claim) -> Case:
        """Which place has the word on a claim.

        A second capture only settles what is not shown here; what holds here is never taken back by its silence.
        """
        if claim not in SETTLED_ELSEWHERE or not self._leaves_open(claim):
            return self.case
        others = (one for one in self._others if may_settle(claim, self.case, one))
        return next((one for one in others if claim.answer(one)[0] is HOLDS), self.case)

    def _leaves_open(self, claim: Claim) -> bool:
        own = claim.answer(self.case)[0]
        return own is UNKNOWN if claim in PROOF else own is not HOLDS


def may_settle(claim: Claim, case: Case, other: Case) -> bool:
    if claim is claims.the_capture_is_whole:
        return was_there(case, other)
    return claim not in ABOUT_THE_QUESTION or ask_the_same(case, other)


def was_there(case: Case, other: Case) -> bool:
    """Whether a whole capture can speak for one that lost frames: it ran all the time, or shows the same question."""
    if case.connection is None:
        return False
    return ask_the_same(case, other) or vantage.was_there(case.connection, case.number, other.number)


def ask_the_same(case: Case, other: Case) -> bool:
    """Whether two places show one and the same question."""
    connection, direction, episode = case.connection, case.direction, case.episode
    if connection is None or direction is None or episode is None or other.direction is None:
        return False
    pos = connection.position(
        vantage.way_of(direction.name), episode.row.wanted_pos, case.number, other.number
    )
    theirs = other.episode
    return direction.name == other.direction.name and theirs is not None and pos == theirs.row.wanted_pos


def seen_elsewhere(found: Evidence, other: Case) -> Evidence:
    """The evidence of another place, as this one tells it."""
    name = other.connection.names[other.number] if other.connection is not None else ""
    places = [*found.elsewhere, *([(other.number, found.frames)] if found.frames else [])]
    return replace(found, because=f"in {name}: {found.because}", frames=(), elsewhere=tuple(sorted(places)))
