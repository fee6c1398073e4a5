"""Cases: the flows of a reading that are to be judged, each with what bears on it.

Knows which flows the user asked for.  Loaded where there are any: most captures of an archive have none.  Does not
judge: see verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

from ctcp_forensics.case import Case, assemble
from ctcp_forensics.flows import build_flow
from ctcp_forensics.reading import Options, Reading
from ctcp_forensics.vantage import View


def cases_of(reading: Reading, options: Options) -> list[Case]:
    """The flows that were asked for, in the order of their first frames."""
    tracker, around = reading.tracker, reading.surroundings
    flows = [
        build_flow(
            tracker,
            index,
            ports=options.ports,
            capture_last_ns=around.last_ns,
            numbering=around.numbering,
        )
        for index in reading.in_question(options)
    ]
    return assemble(flows, around, reading.icmp_errors)


def view_of(number: int, reading: Reading, cases: Sequence[Case]) -> View:
    """What a reading shows, as it is compared with others."""
    return View(
        number=number,
        told=reading.vantage,
        interfaces=reading.interface_names,
        tracker=reading.tracker,
        flows={case.flow.index: case.flow for case in cases},
        surroundings=reading.surroundings,
    )
