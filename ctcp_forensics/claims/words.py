"""Words: how claims say numbers, times and directions."""

from __future__ import annotations

from typing import Final

from ctcp_forensics.evidence import Answer, Outcome
from ctcp_forensics.flows import CLIENT_TO_HEADEND, HEADEND_TO_CLIENT, Direction

HOLDS, FAILS, UNKNOWN = Outcome.HOLDS, Outcome.FAILS, Outcome.UNKNOWN
OPPOSITE: Final = {HOLDS: FAILS, FAILS: HOLDS, UNKNOWN: UNKNOWN}
SECOND: Final = 1_000_000_000
TENTH: Final = SECOND // 10

WAYS: Final = {name: name.replace("-", " ") for name in (CLIENT_TO_HEADEND, HEADEND_TO_CLIENT)}

NO_QUESTION: Answer = (FAILS, "no duplicate ACK with outstanding data was left open")

TORN: Final = "IP fragments between these ends are here without the rest of their packets"


def seconds(ns: int) -> str:
    """Rounded to the tenth, as every duration of a report is; half to even, as `round` does, which takes longer."""
    tenths, rest = divmod(ns, TENTH)
    tenths += rest * 2 + tenths % 2 > TENTH
    return f"{'-' if tenths < 0 else ''}{abs(tenths) // 10}.{abs(tenths) % 10} s"


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def way(direction: Direction) -> str:
    return WAYS[direction.name]
