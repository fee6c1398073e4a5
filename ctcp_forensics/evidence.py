"""Evidence: a claim, its outcome, why, and the frames that show it.

Knows three outcomes, because what a capture cannot show is neither true nor false
(Kleene's strong logic).  Does not know any particular claim: see claims.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from ctcp_forensics.case import Case


class Outcome(StrEnum):
    """What became of a claim."""

    HOLDS = "holds"
    FAILS = "fails"
    UNKNOWN = "unknown"


FEWER_AT_ONCE: Final = (
    "a capture of fewer connections at once: a capture filter on the headend and this client"
)


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One claim weighed on one case."""

    claim: str
    outcome: Outcome
    because: str
    """One sentence, as an engineer would say it aloud."""
    frames: tuple[int, ...] = ()
    """Frames of the capture that show it, as Wireshark numbers them."""
    elsewhere: tuple[tuple[int, tuple[int, ...]], ...] = ()
    """Frames of other captures of the path: the number of the sighting, and its frames."""
    would_refute: str = ""
    settled_by: str = ""
    """What to capture or ask where the outcome is unknown."""


Places = dict[int, Collection[int]]
"""Frames by the number of the sighting that they are seen in."""

Answer = tuple[Outcome, str] | tuple[Outcome, str, Collection[int] | Places]
"""What a check returns: outcome, because, and frames where there are any: of the case's own capture, or by place."""


class Claim(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One checkable sentence about a case; called with the case it gives evidence.  Each is only itself."""

    name: str
    sentence: str
    would_refute: str
    settled_by: str
    check: Callable[[Case], Answer]
    looks_beyond: bool = False
    """It asks the other captures of a path as well, where there are any."""
    takes_time: bool = False
    """What came later settles it: of a flow that was judged early, a capture in which it keeps its place."""

    def __call__(self, case: Case) -> Evidence:
        answer = self.answer(case)
        here, elsewhere = placed(answer[2], case.number) if len(answer) == 3 else ((), ())
        return Evidence(
            claim=self.name,
            outcome=answer[0],
            because=answer[1],
            frames=here,
            elsewhere=elsewhere,
            would_refute=self.would_refute,
            settled_by=FEWER_AT_ONCE if self.takes_time and is_early(case) else self.settled_by,
        )

    def answer(self, case: Case) -> Answer:
        """What the check says of a case.  It is asked once: other claims and many rows of the table want to know."""
        answers: dict[Claim, Answer] = case.answers
        if self not in answers:
            answers[self] = self.check(case)
        return answers[self]


def is_early(case: Case) -> bool:
    return case.surroundings.place_needed_in is not None


Frames = tuple[int, ...]


def placed(frames: Collection[int] | Places, own: int) -> tuple[Frames, tuple[tuple[int, Frames], ...]]:
    """Frames that exist, in order: of the sighting itself, and of others by their numbers."""
    if not isinstance(frames, dict):
        return in_order(frames), ()
    known = {number: in_order(some) for number, some in frames.items()}
    here = known.pop(own, ())
    return here, tuple(sorted([(number, some) for number, some in known.items() if some]))


def in_order(frames: Collection[int]) -> Frames:
    found = tuple(sorted(set(frames)))
    return found if not found or found[0] > 0 else tuple([frame for frame in found if frame > 0])


def claim(
    *, would_refute: str, settled_by: str = "", looks_beyond: bool = False, takes_time: bool = False
) -> Callable[[Callable[[Case], Answer]], Claim]:
    """Make a claim of a check: its name is the function's, its sentence the docstring's first line."""

    def made(check: Callable[[Case], Answer]) -> Claim:
        return Claim(
            name=check.__name__.replace("_", "-"),
            sentence=(check.__doc__ or "").strip().splitlines()[0],
            would_refute=would_refute,
            settled_by=settled_by,
            check=check,
            looks_beyond=looks_beyond,
            takes_time=takes_time,
        )

    return made
