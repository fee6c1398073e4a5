"""Flows that are told in a line each: the kernel's columns become the report's.

Knows the report's names.  Does not know which flows are told so: see screen and early.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Final

from ctcp_forensics import report
from ctcp_forensics.flows import spelled
from ctcp_forensics.reading import Part, Reading
from ctcp_forensics.screen import JUDGED, Sifted, said_of
from ctcp_forensics.verdict import Confidence, in_part

if TYPE_CHECKING:
    from ctcp_forensics.early import Count, Early, Lines

COUNTED_BY_THE_KERNEL: Final = (
    *("client", "client_port", "headend", "headend_port", "first_ns", "last_ns", "first_frame"),
    *("to_headend", "to_client"),
)
"""Columns that the report takes as the kernel writes them."""

Called = tuple[str, Confidence, bool]


def briefs_of(reading: Reading, sifted: Sifted, ports: Collection[int]) -> Iterator[report.Brief]:
    """One for each file of a capture that was rotated: that in which the flows begin.  Flows stand in that order."""
    some, said = sifted.told_briefly
    begins = [first_behind(reading, some, part.frames_before) for part in reading.parts]
    ends = [*begins[1:], len(some)]
    for part, begin, end in zip(reading.parts, begins, ends, strict=True):
        if begin < end:
            yield brief_of(reading, part, some[begin:end], said[begin:end], ports)


def first_behind(reading: Reading, some: Sequence[int], frame: int) -> int:
    """Which of the flows in brief is the first that begins behind a frame."""
    return bisect_left(some, frame + 1, key=lambda index: reading.tracker.flow(index).first_frame)


def brief_of(
    reading: Reading, part: Part, some: Sequence[int], said: bytes, ports: Collection[int]
) -> report.Brief:
    columns = reading.tracker.brief(some, ports, part.frames_before)
    words: dict[int, Called] = {
        word: (*said_of(word, reading.surroundings), False) for word in sorted(set(said))
    }
    counts: Counter[Called] = Counter()  # the screen and the judgement may say the same
    for word, told in words.items():
        counts[told] += said.count(word)
    places = {word: str(list(counts).index(told)) for word, told in words.items()}
    return report.Brief(
        capture=part.account.capture.id,
        verdicts=verdicts_of(counts),
        addresses=tuple(map(spelled, columns.addresses)),
        verdict=" ".join([places[word] for word in said]),
        **{name: getattr(columns, name) for name in COUNTED_BY_THE_KERNEL},
    )


def briefs_of_early(reading: Reading, early: Early, in_full: Collection[int]) -> Iterator[report.Brief]:
    """Those that were judged before the end; nothing where all of them are told in full."""
    told = sorted(set(range(len(early.lines))).difference(in_full))
    if told or early.lines.counted:
        yield brief_of_early(reading, early.lines, told)


def brief_of_early(reading: Reading, lines: Lines, told: Sequence[int]) -> report.Brief:
    around, ends = reading.surroundings, [lines.ends(number) for number in told]
    words = [
        called(lines.word(number), is_whole=around.is_whole and not around.tears_between(*pair))
        for number, pair in zip(told, ends, strict=True)
    ]
    places = {word: str(place) for place, word in enumerate(dict.fromkeys(words))}
    addresses = {one: str(place) for place, one in enumerate(dict.fromkeys(chain.from_iterable(ends)))}
    untold: Counter[Called] = Counter()
    for word, flows in lines.counted.items():
        untold[called(word, is_whole=around.is_whole)] += flows
    return report.Brief(
        capture=reading.captures[0],
        verdicts=verdicts_of(Counter(words)),
        addresses=tuple(map(spelled, addresses)),
        verdict=" ".join([places[word] for word in words]),
        client=" ".join([addresses[client] for client, _ in ends]),
        headend=" ".join([addresses[headend] for _, headend in ends]),
        **{
            name: " ".join([str(column[number]) for number in told]) for name, column in lines.columns.items()
        },
        counted=verdicts_of(untold),
    )


def called(word: Count, *, is_whole: bool) -> Called:
    """The verdict, the confidence in a capture that shows all of the flow or not, and whether it was early."""
    (verdict, confidence), is_early = JUDGED[word[0]], word[1]
    return verdict, confidence if is_whole else in_part(verdict, confidence), is_early


def verdicts_of(counts: Mapping[Called, int]) -> tuple[report.BriefVerdict, ...]:
    return tuple(
        report.BriefVerdict(verdict=verdict, confidence=confidence, flows=flows, is_early=is_early)
        for (verdict, confidence, is_early), flows in counts.items()
    )
