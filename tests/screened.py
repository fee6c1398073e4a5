"""Screened: what a screen says of flows, held against what the full judgement says of them.

Knows that wherever the screen answers at all, verdict and confidence have to be those of the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ctcp_forensics._kernel import plain_screen, plain_succession
from ctcp_forensics._kernel.rows import Plain
from ctcp_forensics.case import Case
from ctcp_forensics.packets import IcmpError
from ctcp_forensics.screen import LIMITS, conversation, said_of, words_on
from ctcp_forensics.verdict import judge


def words_of(tracker: Any, wanted: Sequence[int], icmp_errors: Iterable[IcmpError] = ()) -> list[int]:
    quoted = {conversation(error) for error in icmp_errors}
    assert tracker.screen(wanted, LIMITS, quoted) == plain_screen.screened(tracker, wanted, LIMITS, quoted)
    assert tracker.successors(wanted) == plain_succession.successors(tracker, wanted)
    return list(words_on(tracker, wanted, quoted))


def contradictions(
    tracker: Any, cases: Sequence[Case], icmp_errors: Iterable[IcmpError] = ()
) -> list[tuple[Case, int]]:
    """Cases of which the screen says something else than the table of verdicts."""
    words = words_of(tracker, [case.flow.index for case in cases], icmp_errors)
    return [(case, word) for case, word in zip(cases, words, strict=True) if is_contradicted(case, word)]


def is_contradicted(case: Case, word: int) -> bool:
    if word == Plain.JUDGE:
        return False
    judgement = judge(case)
    return (judgement.verdict.slug, judgement.confidence) != said_of(word, case.surroundings)
