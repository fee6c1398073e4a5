"""Errands: which flows of a report are to be traced, and which captures have to be read for them.

Knows the report.  Opens nothing: see second.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from ctcp_forensics.render.judged import worst_first
from ctcp_forensics.report import (
    CONFIDENCE_WORDS,
    VERDICT_WORDS,
    Capture,
    Flow,
    Report,
    Seen,
)

MAX_TRACED: Final = 64
"""Flows traced in one reading: each costs a comparison a packet, and nobody looks at more pictures."""

Seat = tuple[str, int]
"""A flow's id, and the number of one of its places among `Flow.seen`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One flow at one place."""

    seat: Seat
    seen: Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Captures that are read on as one, in their order, and what is wanted from them."""

    captures: tuple[Capture, ...]
    errands: tuple[Errand, ...]


def chosen(report: Report, flows: Collection[str] | None) -> tuple[list[Flow], int]:
    """The flows to trace, the worst first, and how many more there were."""
    if flows is None:
        wanted = [one.flow for one in worst_first(report) if one.needs_reading]
    else:
        wanted = [one for one in report.flows if one.id in flows]
    wanted.sort(key=rank)
    return wanted[:MAX_TRACED], max(0, len(wanted) - MAX_TRACED)


def worst(report: Report, at_most: int) -> list[Flow]:
    """The flows that a reader would want to see first; where none is in trouble, one of the others."""
    troubled, _ = chosen(report, None)
    return troubled[:at_most] or sorted(report.flows, key=rank)[:1]


def rank(flow: Flow) -> tuple[int, int, int, int]:
    """What a reader must see first; of two alike the one that was asked more."""
    asks = max((one.duplicate_acks for one in flow.episodes if one.answered is False), default=0)
    return (
        place_in(VERDICT_WORDS, flow.verdict),
        place_in(CONFIDENCE_WORDS, flow.confidence),
        -asks,
        flow.first_ns,
    )


def place_in(words: tuple[str, ...], word: str) -> int:
    """A word of a later minor version comes last."""
    return words.index(word) if word in words else len(words)


def runs_of(report: Report, flows: list[Flow]) -> list[Run]:
    """Every capture once, with all that is wanted from it."""
    captures = {capture.id: capture for capture in report.captures}
    errands: dict[tuple[str, ...], list[Errand]] = {}
    for flow in flows:
        for number, seen in enumerate(flow.seen):
            errands.setdefault(captures_of(seen), []).append(Errand(seat=(flow.id, number), seen=seen))
    return [
        Run(captures=tuple(captures[name] for name in names), errands=tuple(some))
        for names, some in errands.items()
        if all(name in captures for name in names)
    ]


def captures_of(seen: Seen) -> tuple[str, ...]:
    """Reports before schema 1.2 name the first one only."""
    return seen.captures or (seen.capture,)
