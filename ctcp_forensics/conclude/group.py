"""Groups: the cases of one connection, judged together and each by itself.

Knows which cases are one connection.  Does not judge (see verdict), and does not tell (see flow and finding).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from ctcp_forensics import vantage
from ctcp_forensics.case import Case
from ctcp_forensics.conclude.told import Told
from ctcp_forensics.reading import Reading
from ctcp_forensics.verdict import judge, judge_together

Seat = tuple[int, int]
"""The number of a reading, and the index of a flow in it."""

Seated = tuple[int, Case]
"""A case, and the number of its reading."""


def groups_of(seats: dict[Seat, Case], paths: Sequence[vantage.Path]) -> list[list[Seated]]:
    """Cases of one connection together, each with the number of its reading; every other case by itself."""
    member: dict[Seat, list[Seated]] = {}
    for connection in (one for path in paths for one in path.connections):
        group = [
            (sighting.view.number, together(seats[seat_of(connection, number)], connection, number))
            for number, sighting in enumerate(connection.sightings)
        ]
        member |= {seat_of(connection, number): group for number in range(len(group))}
    groups = {
        id(group): group for seat, case in seats.items() for group in [member.get(seat) or [(seat[0], case)]]
    }
    return list(groups.values())


def seat_of(connection: vantage.Connection, number: int) -> Seat:
    sighting = connection.sightings[number]
    return sighting.view.number, sighting.flow.index


def together(case: Case, connection: vantage.Connection, number: int) -> Case:
    """The case with the roles that all places agree upon, and the others in sight."""
    return replace(case, flow=connection.sightings[number].flow, connection=connection, number=number)


def told_of(group: Sequence[Seated], readings: Sequence[Reading]) -> Told:
    cases = [case for _, case in group]
    case, judgement = judge_together(cases)
    return Told(
        case=case,
        judgement=judgement,
        cases=tuple(cases),
        alone=tuple([judge(by_itself(one)) for one in cases]) if len(cases) > 1 else (),
        readings=tuple([readings[number] for number, _ in group]),
    )


def by_itself(case: Case) -> Case:
    """The case as its own capture shows it: to what does not look beyond it a claim gives the answer that it gave."""
    alone = replace(case, connection=None, number=0)
    alone.answers.update({claim: answer for claim, answer in case.answers.items() if not claim.looks_beyond})
    return alone
