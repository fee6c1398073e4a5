"""How values are said: times, durations, endpoints, frame numbers, and hostile text made harmless.

Knows single values.  Does not know what they mean together: see judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the words of an error message need no report
    from ctcp_forensics.report import Endpoint

SECOND_NS = 1_000_000_000
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNITS = ("B", "kB", "MB", "GB", "TB")
RUNS_AT_A_GLANCE = 6  # runs of frame numbers that fit one line beside their sentence


def clean(text: str) -> str:
    """`text` without power over a terminal or a line: what is not printable is shown as its escape.

    Names and reasons come from captures and file systems.  Python calls control, format (the
    right-to-left ones too), surrogate and line-separating characters not printable.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def utc(time_ns: int | None) -> str:
    """RFC 3339 in UTC, with as many groups of three decimals as the time has."""
    if time_ns is None:
        return "-"
    seconds, rest = divmod(time_ns, SECOND_NS)
    decimals = f"{rest:09d}"
    while decimals.endswith("000"):
        decimals = decimals[:-3]
    return _whole_seconds(seconds) + (f".{decimals}Z" if decimals else "Z")


def utc_second(time_ns: int) -> str:
    """RFC 3339 in UTC, cut to the second."""
    return _whole_seconds(time_ns // SECOND_NS) + "Z"


def duration(length_ns: int) -> str:
    """A length of time in the two units that matter."""
    if length_ns < 0:
        return "-" + duration(-length_ns)
    seconds = length_ns // SECOND_NS
    if seconds >= DAY_S:
        return f"{seconds // DAY_S} d {seconds % DAY_S // HOUR_S} h"
    if seconds >= HOUR_S:
        return f"{seconds // HOUR_S} h {seconds % HOUR_S // MINUTE_S} m"
    if seconds >= MINUTE_S:
        return f"{seconds // MINUTE_S} m {seconds % MINUTE_S} s"
    return _below_a_minute(length_ns)


def at(offset: int | None) -> str:
    """`byte 24: `, to stand before what is wrong there."""
    return "" if offset is None else f"byte {offset}: "


def endpoint(end: Endpoint) -> str:
    """Address and port; an IPv6 address in brackets (RFC 5952 section 6)."""
    address = clean(end.address)
    return f"[{address}]:{end.port}" if ":" in address else f"{address}:{end.port}"


def count(number: int, noun: str) -> str:
    """`1 flow`, `3 flows`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def frames(by_capture: Mapping[str, Iterable[int]], *, runs_at_most: int | None) -> str:
    """`frame 118`, `frames 120-122, 125`; with several captures each run is under its capture's id."""
    told = {name: _runs(numbers, runs_at_most) for name, numbers in by_capture.items()}
    told = {name: runs for name, runs in told.items() if runs}
    if not told:
        return ""
    if len(told) > 1:
        return "frames " + "; ".join(f"{clean(name)}: {runs}" for name, runs in told.items())
    (runs,) = told.values()
    return f"frame {runs}" if runs.isdigit() else f"frames {runs}"


def sized(length: int) -> str:
    """Bytes in decimal units, as disks are sold."""
    if length < 1_000:
        return f"{length} B"
    thousands = min((len(str(length)) - 1) // 3, len(UNITS) - 1)
    amount = length / 1_000**thousands
    return f"{amount:.1f} {UNITS[thousands]}" if amount < 9.95 else f"{amount:.0f} {UNITS[thousands]}"


def _whole_seconds(seconds: int) -> str:
    return (EPOCH + timedelta(seconds=seconds)).isoformat()[: len("2026-03-02T09:14:05")]


def _below_a_minute(length_ns: int) -> str:
    if length_ns >= SECOND_NS or length_ns == 0:
        tenths = length_ns // 100_000_000
        return f"{tenths // 10}.{tenths % 10} s" if tenths % 10 else f"{tenths // 10} s"
    if length_ns >= 1_000_000:
        return f"{length_ns // 1_000_000} ms"
    return f"{length_ns // 1_000} us"


def _runs(numbers: Iterable[int], at_most: int | None) -> str:
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = runs if at_most is None else runs[:at_most]
    left = sum(last - first + 1 for first, last in runs[len(shown) :])
    told = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in shown)
    return f"{told} and {left} more" if left else told
