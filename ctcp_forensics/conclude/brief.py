"""Flows that are told in a line each: the kernel's columns become the report's.

Knows the report's names.  Does not know which flows are told so: see screen.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence

from ctcp_forensics import report
from ctcp_forensics.reading import Part, Reading
from ctcp_forensics.screen import Sifted, said_of


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
    words = {word: said_of(word, reading.surroundings) for word in sorted(set(said))}
    counts = dict.fromkeys(words.values(), 0)  # the screen and the judgement may say the same
    for word, told in words.items():
        counts[told] += said.count(word)
    places = {word: str(list(counts).index(told)) for word, told in words.items()}
    return report.Brief(
        capture=part.account.capture.id,
        verdicts=tuple(
            report.BriefVerdict(verdict=verdict, confidence=confidence, flows=flows)
            for (verdict, confidence), flows in counts.items()
        ),
        addresses=tuple(str(ipaddress.ip_address(address)) for address in columns.addresses),
        verdict=" ".join([places[word] for word in said]),
        client=columns.client,
        client_port=columns.client_port,
        headend=columns.headend,
        headend_port=columns.headend_port,
        first_ns=columns.first_ns,
        last_ns=columns.last_ns,
        first_frame=columns.first_frame,
        to_headend=columns.to_headend,
        to_client=columns.to_client,
    )
