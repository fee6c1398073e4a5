"""Leaving: flows whose places others need, each judged as of then and called so.

Knows when a flow leaves and what is kept of it.  Does not know how much room there is: see lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from ctcp_forensics._kernel.rows import BriefColumns, Plain
from ctcp_forensics.case import Case, Ends, by_ends, case_of, ends_of
from ctcp_forensics.early.lines import Count, Facts, Lines
from ctcp_forensics.flows import EndingKind, Flow, build_flow
from ctcp_forensics.packets import IcmpError
from ctcp_forensics.screen import LIMITS, OPEN, SAID, WORDS, conversation, in_doubt
from ctcp_forensics.surroundings import Surroundings
from ctcp_forensics.verdict import judge

if TYPE_CHECKING:
    from ctcp_forensics._kernel import Tracker

MAX_LINES: Final = 1 << 15
"""Flows judged early that are told in a line each: a third of a full table, some 7 MB.  The gravest are, dealt out
evenly; the others are counted by verdict."""


Quoted = Mapping[Ends, Sequence[IcmpError]]


class Observed(msgspec.Struct, frozen=True, array_like=True):
    """What was observed of a flow until its place was needed."""

    flow: Flow
    last_ns: int
    """How far the capture had come."""
    frame: int
    """The one that needed a place."""


class Said(NamedTuple):
    """What is known of one flow that was named: what its line says, and what it takes to judge it once more."""

    word: Count
    facts: Facts
    observed: bytes | None


class Early:
    """Those of one capture."""

    def __init__(self, ports: frozenset[int], room_in_full: int) -> None:
        self._ports = ports
        self._named: dict[int, Said] = {}
        """By index, those that may leave; who speaks before its place is taken stays, and is judged later."""
        self.lines = Lines(MAX_LINES, room_in_full)

    @property
    def flows(self) -> int:
        return len(self.lines) + self.lines.counted.total()

    def judge_those_leaving(self, tracker: Tracker, frame: int, icmp_errors: Sequence[IcmpError]) -> None:
        """The tracker waits in front of `frame` for a place."""
        self.note_those_that_left(tracker)
        self._named.clear()
        some = tracker.leaving()
        said = tracker.screen(some, LIMITS, {conversation(error) for error in icmp_errors})
        settled = tracker.settled(some, LIMITS)
        lines = facts_in(tracker.brief(some, self._ports))
        moment = Moment(tracker, self._ports, frame, by_ends(icmp_errors))
        for index, word, is_settled, facts in zip(some, said, settled, lines, strict=True):
            self._named[index] = (
                moment.observed(index, word, facts)
                if word in OPEN
                else Said(plain(word, not is_settled), facts, None)
            )

    def note_those_that_left(self, tracker: Tracker) -> None:
        """Since they were named; the others are still followed, and may leave while the next file is read."""
        for index in tracker.left():
            if index in self._named:
                self.lines.add(*self._named.pop(index))

    def case(self, number: int, around: Surroundings, quoted: Quoted) -> Case:
        """The case of the flow whose line has that number, in a capture that was read to its end."""
        observed = msgspec.msgpack.decode(self.lines.observed[number], type=Observed)
        return case_as_of(observed, around, quoted)


class Moment:
    """One at which flows are judged."""

    def __init__(self, tracker: Tracker, ports: frozenset[int], frame: int, quoted: Quoted) -> None:
        self._tracker, self._ports, self._frame, self._quoted = tracker, ports, frame, quoted
        self._last_ns = tracker.tallies().last_ns

    def observed(self, index: int, word: int, facts: Facts) -> Said:
        """With what it takes to tell the flow in full; it is judged where the screen had no word for it."""
        seen = self._observed(index)
        told = self._judged(seen) if word == Plain.JUDGE else WORDS[SAID[Plain(word)]]
        is_early = not seen.flow.is_settled(self._last_ns)
        return Said((told, is_early), facts, msgspec.msgpack.encode(seen))

    def _judged(self, observed: Observed) -> int:
        judgement = judge(case_as_of(observed, Surroundings(last_ns=self._last_ns), self._quoted))
        return WORDS[judgement.verdict.slug, judgement.confidence]

    def _observed(self, index: int) -> Observed:
        flow = build_flow(self._tracker, index, ports=self._ports, capture_last_ns=self._last_ns)
        return Observed(as_of(flow, self._frame), self._last_ns, self._frame)


def as_of(flow: Flow, frame: int) -> Flow:
    """It was there when its place was needed, and not when the capture ended."""
    if flow.ending.kind != EndingKind.CAPTURE_ENDED:
        return flow
    because = f"another flow needed its place in frame {frame}; how the flow ended is not known"
    return replace(flow, ending=replace(flow.ending, because=because))


def case_as_of(observed: Observed, around: Surroundings, quoted: Quoted) -> Case:
    """ICMP errors are those of the capture, and not kept of each flow: a thousand may quote the same ends."""
    ends = ends_of(observed.flow)
    return case_of(
        observed.flow,
        replace(around, last_ns=observed.last_ns, place_needed_in=observed.frame),
        {ends: [error for error in quoted.get(ends, ()) if error.frame < observed.frame]},
        rebound_to=None,
        reopened_by=None,
        succeeded_by=None,
    )


def plain(word: int, is_early: bool) -> Count:
    """What a screen says, in the words of the judgement."""
    told = in_doubt(word) if is_early else SAID[Plain(word)]
    return WORDS[told], is_early


def facts_in(columns: BriefColumns) -> Iterator[Facts]:
    numbers = (map(int, column.split()) for column in columns[1:])
    for client, client_port, headend, *rest in zip(*numbers, strict=True):
        yield Facts(columns.addresses[client], client_port, columns.addresses[headend], *rest)
