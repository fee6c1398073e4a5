"""Cases: the flows of a reading that are to be judged, each with what bears on it.

Knows which flows the user asked for.  Loaded where there are any: most captures of an archive have none.  Does not
judge: see verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ctcp_forensics import vantage
from ctcp_forensics._kernel.rows import NEVER, FlowRow
from ctcp_forensics.case import Case, Outline, assemble, by_ends, case_of, rebindings, reopenings
from ctcp_forensics.flows import Flow, build_flow, spelled
from ctcp_forensics.reading import Options, Reading

if TYPE_CHECKING:
    from ctcp_forensics._kernel import Tracker
    from ctcp_forensics._kernel.tracked import Tracked

SIEVE_LEN: Final = 1 << 22
"""Bytes: of a full table of tunnels, with two SPIs each, one flow in ten looks related by mistake."""
SIEVE_PLACES_EACH: Final = 256
"""Of fewer flows the sieve is smaller, and then one in thirty does."""


def cases_of(reading: Reading, options: Options, wanted: Sequence[int] | None = None) -> list[Case]:
    """Some flows, or all that were asked for, in the order of their first frames."""
    tracker, around = reading.tracker, reading.surroundings
    indices = reading.in_question(options) if wanted is None else wanted
    flows = [
        build_flow(
            tracker,
            index,
            ports=options.ports,
            capture_last_ns=around.last_ns,
            numbering=around.numbering,
        )
        for index in indices
    ]
    return assemble(flows, around, reading.icmp_errors, successors(tracker, indices))


def successors(tracker: Tracker, some: Sequence[int]) -> list[FlowRow | None]:
    """Of each flow the connection that its hosts opened next."""
    found = tracker.successors(some)
    return [None if index == NEVER else tracker.flow(index) for index in found]


class Docket:
    """The flows of a reading, each made a case when its turn comes: of very many, not all fit beside one another.

    Each is the same case as `cases_of` all of them would give.
    """

    def __init__(self, reading: Reading, options: Options, wanted: Sequence[int]) -> None:
        self._reading, self._options = reading, options
        self._quoted = by_ends(reading.icmp_errors)
        akin = list(outlines(reading.tracker, related(reading.tracker, wanted)))
        self._rebound, self._reopened = rebindings(akin), reopenings(akin)
        following = zip(wanted, reading.tracker.successors(wanted), strict=True)
        self._next = {index: successor for index, successor in following if successor != NEVER}

    def case(self, index: int) -> Case:
        return case_of(
            self.flow(index),
            self._reading.surroundings,
            self._quoted,
            rebound_to=self._other(self._rebound, index),
            reopened_by=self._other(self._reopened, index),
            succeeded_by=self._successor(index),
        )

    def ends(self, some: Sequence[int]) -> list[tuple[str, str]]:
        """The addresses of client and headend, without their flows."""
        columns = self._reading.tracker.brief(some, self._options.ports)
        names = list(map(spelled, columns.addresses))
        numbers = (map(int, column.split()) for column in (columns.client, columns.headend))
        return [(names[client], names[headend]) for client, headend in zip(*numbers, strict=True)]

    def flow(self, index: int) -> Flow:
        around = self._reading.surroundings
        return build_flow(
            self._reading.tracker,
            index,
            ports=self._options.ports,
            capture_last_ns=around.last_ns,
            numbering=around.numbering,
        )

    def _successor(self, index: int) -> FlowRow | None:
        return self._reading.tracker.flow(self._next[index]) if index in self._next else None

    def _other(self, others: Mapping[int, int], index: int) -> Flow | None:
        return self.flow(others[index]) if index in others else None


def related(tracker: Tracked, wanted: Sequence[int]) -> list[int]:
    """Flows that may share their ends or an SPI with another one, by their first frames.

    A sieve finds them in little memory: whom it takes for related by mistake, the rows themselves tell apart.
    """
    size = min(SIEVE_LEN, SIEVE_PLACES_EACH * len(wanted))
    seen, again = bytearray(size), bytearray(size)
    for index in wanted:
        for mark in marks_of(tracker, index, size):
            again[mark] |= seen[mark]
            seen[mark] = 1
    found = [index for index in wanted if any(again[mark] for mark in marks_of(tracker, index, size))]
    return sorted(found, key=lambda index: tracker.flow(index).first_frame)


def marks_of(tracker: Tracked, index: int, size: int) -> set[int]:
    """Places in a sieve of this size of what two flows have in common where one goes on with the other."""
    spis = {one.spi for side in (0, 1) for one in tracker.associations(index, side)}
    return {hash(one) % size for one in (*spis, both_ends(tracker.flow(index)))}


def both_ends(row: FlowRow) -> frozenset[tuple[bytes, int]]:
    return frozenset(((row.src, row.sport), (row.dst, row.dport)))


def outlines(tracker: Tracked, some: Sequence[int]) -> Iterator[Outline]:
    for index in some:
        row = tracker.flow(index)
        held = [one for side in (0, 1) for one in tracker.associations(index, side)]
        yield Outline(index, both_ends(row), row.first_frame, row.syn_frame != NEVER, held)


def view_of(number: int, reading: Reading, cases: Sequence[Case]) -> vantage.View:
    """What a reading shows, as it is compared with others."""
    return vantage.View(
        number=number,
        told=reading.vantage,
        interfaces=reading.interface_names,
        tracker=reading.tracker,
        flows={case.flow.index: case.flow for case in cases},
        surroundings=reading.surroundings,
    )
