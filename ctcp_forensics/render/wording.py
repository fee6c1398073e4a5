"""How values are said: times, durations, endpoints, frame numbers, and hostile text made harmless.

Knows single values.  Does not know what they mean together: see judged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:  # the words of an error message need no report
    from ctcp_forensics.report import Endpoint, Flow, Report

SECOND_NS = 1_000_000_000
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BELOW_A_MINUTE = ((SECOND_NS, 100_000_000), (1_000_000, 1_000_000), (0, 1_000))
"""From which length on a duration is told in seconds, milliseconds or microseconds, and its last digit."""
UNITS = ("B", "kB", "MB", "GB", "TB")
RUNS_AT_A_GLANCE = 6  # runs of frame numbers that fit one line beside their sentence


ACRONYMS = {
    "ack": "ACK",
    "acks": "ACKs",
    "ctcp": "cTCP",
    "ike": "IKE",
    "spi": "SPI",
    "syn": "SYN",
    "ttl": "TTL",
}
"""Those in the names of claims, which have no capitals."""
MADE_ELSEWHERE = "reset-by-middlebox"
"""The verdict by which an RST bears an end's address and was not made by it."""


def ended(flow: Flow) -> str:
    """How a flow ended and by whom."""
    ending = flow.ending
    return ending.kind if ending.by is None else f"{ending.kind} {by_or_in_the_name_of(flow)} {ending.by}"


def by_or_in_the_name_of(flow: Flow) -> str:
    """The word before the end that closed; an RST that another made than it says is one in an end's name alone."""
    return "in the name of" if ended_by(flow) is None else "by"


def ended_by(flow: Flow) -> str | None:
    """Which end closed; None where none did, and where another made the RST that says so."""
    is_alleged = flow.verdict == MADE_ELSEWHERE or flow.rst_author not in (None, flow.ending.by)
    return None if is_alleged else flow.ending.by


def claim_words(claim: str) -> str:
    """`the-ack-never-moved-again` as a person writes it."""
    return " ".join(ACRONYMS.get(word, word) for word in claim.split("-"))


def clean(text: str) -> str:
    """`text` without power over a terminal or a line: what is not printable is shown as its escape.

    Names and reasons come from captures and file systems.  Python calls control, format (the
    right-to-left ones too), surrogate and line-separating characters not printable.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def both_ends(name: str, at_most: int, between: str = "…") -> str:
    """A name of at most so many characters: its beginning and its end, which tell files apart."""
    if len(name) <= at_most:
        return name
    tail = (at_most - len(between)) // 2
    return name[: at_most - len(between) - tail] + between + name[-tail:]


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
    """A length of time in the two units that matter, rounded to the last digit that is shown."""
    if length_ns < 0:
        return "-" + duration(-length_ns)
    length_ns = rounded(length_ns, _last_digit(length_ns))
    seconds = length_ns // SECOND_NS
    if seconds >= DAY_S:
        return f"{seconds // DAY_S} d {seconds % DAY_S // HOUR_S} h"
    if seconds >= HOUR_S:
        return f"{seconds // HOUR_S} h {seconds % HOUR_S // MINUTE_S} m"
    if seconds >= MINUTE_S:
        return f"{seconds // MINUTE_S} m {seconds % MINUTE_S} s"
    return _below_a_minute(length_ns)


def rounded(number: int, grain: int) -> int:
    """The multiple of `grain` that is nearest; of two that are as near, the even one, as IEEE 754 rounds."""
    times, rest = divmod(number, grain)
    return (times + (2 * rest + (times & 1) > grain)) * grain


def at(offset: int | None) -> str:
    """`byte 24: `, to stand before what is wrong there."""
    return "" if offset is None else f"byte {offset}: "


def endpoint(end: Endpoint) -> str:
    """Address and port; an IPv6 address in brackets (RFC 5952 section 6)."""
    address = clean(end.address)
    return f"[{address}]:{end.port}" if ":" in address else f"{address}:{end.port}"


def pseudonyms_told(report: Report) -> tuple[str, ...]:
    """That a report is redacted, and by which key it can be undone; nothing where it is not."""
    key = report.redacted_with
    return () if key is None else (f"addresses, names and hashes are pseudonyms, by key {clean(key)}",)


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 flow`, `3 flows`."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """What captures are called in sentences.  Frames of `home`, which a flow is judged in, go without a name."""

    labels: Mapping[str, str] = msgspec.field(default_factory=dict)
    home: str = ""

    def of(self, capture: str) -> str:
        return clean(self.labels.get(capture, capture))


NAMELESS = Names()


def labels(sources: Mapping[str, str]) -> dict[str, str]:
    """The shortest name that tells each capture from the others: its file's, its whole path, else its id."""
    names = {capture: source.rpartition("/")[2] or source for capture, source in sources.items()}
    for wider in (sources, {capture: capture for capture in sources}):
        often = Counter(names.values())
        names = {capture: wider[capture] if often[name] > 1 else name for capture, name in names.items()}
    return names


def frames(
    by_capture: Mapping[str, Iterable[int]], *, runs_at_most: int | None, names: Names = NAMELESS
) -> str:
    """`frame 118`, `frames 120-122, 125`; of a capture that is not the one at home, `frame 4 of asa-inside.pcap`."""
    told = {name: _runs(numbers, runs_at_most) for name, numbers in by_capture.items()}
    home = names.home or (next(iter(told), "") if len(told) == 1 else "")
    parts = [
        ("frame " if runs.isdigit() else "frames ") + runs + ("" if name == home else f" of {names.of(name)}")
        for name, runs in sorted(told.items(), key=lambda item: item[0] != home)
        if runs
    ]
    return "; ".join(parts)


def share(part: float | None) -> str:
    """A share in per cent, with a decimal; small ones with two digits that count."""
    if part is None:
        return "-"
    percent = 100 * part
    if not percent:
        return "0 %"
    return f"{percent:.1f} %" if abs(percent) >= 0.1 else f"{percent:.2g} %"


def ppm(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:+.1f}"


def offsets(low_ns: int | None, high_ns: int | None) -> str:
    """What lies between two clocks, rounded outwards: an interval, since a point would be a guess."""
    if low_ns is None and high_ns is None:
        return "any offset"
    bounds = [bound for bound in (low_ns, high_ns) if bound is not None]
    grain_ns, unit = _grain(max(map(abs, bounds)))
    low = "" if low_ns is None else _signed(low_ns // grain_ns * grain_ns, unit)
    high = "" if high_ns is None else _signed(-(-high_ns // grain_ns) * grain_ns, unit)
    if low and high:
        return f"{low} to {high}"
    return f"at least {low}" if low else f"at most {high}"


def around(low_ns: int, high_ns: int) -> str:
    """The middle of an interval and half its width: what a clock was moved by, and how well that is known."""
    grain_ns, unit = _grain(max(abs(low_ns), abs(high_ns)))
    half_ns = -(-(high_ns - low_ns) // 2 // grain_ns) * grain_ns
    return f"{_signed((low_ns + high_ns) // 2, unit)} ± {_signed(half_ns, unit)[1:]}"


def _grain(largest_ns: int) -> tuple[int, str]:
    """What the last digit stands for, and the unit; clocks that are far apart are told to the millisecond."""
    for unit, length_ns in (("us", 1_000), ("ms", 1_000_000)):
        if largest_ns < 1_000 * length_ns:
            return length_ns // 10, unit
    return 1_000_000, "s"


def _signed(length_ns: int, unit: str) -> str:
    """`+12.3 ms`, `-1 h 0 m 0.013 s`."""
    sign, length_ns = "-" if length_ns < 0 else "+", abs(length_ns)
    if unit != "s":
        return f"{sign}{length_ns / {'us': 1_000, 'ms': 1_000_000}[unit]:.1f} {unit}"
    whole, rest_ns = divmod(length_ns, MINUTE_S * SECOND_NS)
    days, minutes = divmod(whole, DAY_S // MINUTE_S)
    parts = (f"{days} d", days), (f"{minutes // 60} h", whole >= 60), (f"{minutes % 60} m", whole)
    told = [text for text, is_told in parts if is_told]
    return sign + " ".join([*told, f"{rest_ns / SECOND_NS:.3f} s"])


def sized(length: int) -> str:
    """Bytes in decimal units, as disks are sold."""
    if length < 1_000:
        return f"{length} B"
    thousands = min((len(str(length)) - 1) // 3, len(UNITS) - 1)
    amount = length / 1_000**thousands
    return f"{amount:.1f} {UNITS[thousands]}" if amount < 9.95 else f"{amount:.0f} {UNITS[thousands]}"


def _whole_seconds(seconds: int) -> str:
    return (EPOCH + timedelta(seconds=seconds)).isoformat()[: len("2026-03-02T09:14:05")]


def _last_digit(length_ns: int) -> int:
    """What the last digit of a duration stands for."""
    for unit_s, digit_s in ((DAY_S, HOUR_S), (HOUR_S, MINUTE_S), (MINUTE_S, 1)):
        if length_ns >= unit_s * SECOND_NS:
            return digit_s * SECOND_NS
    return next(digit for unit, digit in BELOW_A_MINUTE if length_ns >= unit)


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
