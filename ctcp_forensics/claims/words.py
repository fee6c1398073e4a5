"""Words: how claims say numbers, times and directions."""

from __future__ import annotations

from typing import Final

from ctcp_forensics.evidence import Answer, Outcome
from ctcp_forensics.flows import Direction

HOLDS, FAILS, UNKNOWN = Outcome.HOLDS, Outcome.FAILS, Outcome.UNKNOWN
OPPOSITE: Final = {HOLDS: FAILS, FAILS: HOLDS, UNKNOWN: UNKNOWN}
SECOND: Final = 1_000_000_000

NO_QUESTION: Answer = (FAILS, "no duplicate ACK with outstanding data was left open")

TORN: Final = "IP fragments between these ends are here without the rest of their packets"


def seconds(ns: int) -> str:
    """Rounded to the tenth, as every duration of a report is; an int rounds half to even, without a detour."""
    tenths = round(ns, -8) // (SECOND // 10)
    return f"{'-' if tenths < 0 else ''}{abs(tenths) // 10}.{abs(tenths) % 10} s"


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def way(direction: Direction) -> str:
    return direction.name.replace("-", " ")
