"""Flows that are told in a line each: the kernel's columns become the report's.

Knows the report's names.  Does not know which flows are told so: see screen.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence

from ctcp_forensics import report
from ctcp_forensics.reading import Part, Reading
from ctcp_forensics.screen import SPELLED, Sifted


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
    words = sorted(set(said))
    places = {word: str(place) for place, word in enumerate(words)}
    return report.Brief(
        capture=part.account.capture.id,
        verdicts=tuple(verdict_of(word, said.count(word)) for word in words),
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


def verdict_of(word: int, flows: int) -> report.BriefVerdict:
    verdict, confidence = SPELLED[word]
    return report.BriefVerdict(verdict=verdict, confidence=confidence, flows=flows)
