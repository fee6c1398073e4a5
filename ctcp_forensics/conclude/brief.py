"""Flows that are told in a line each: the kernel's columns become the report's.

Knows the report's names.  Does not know which flows are told so: see screen.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator

from ctcp_forensics import report
from ctcp_forensics._kernel.rows import Plain
from ctcp_forensics.brief import text
from ctcp_forensics.reading import Part, Reading
from ctcp_forensics.screen import SAID, Sifted


def briefs_of(reading: Reading, sifted: Sifted, ports: Collection[int]) -> Iterator[report.Brief]:
    """One for each file of a capture that was rotated: that in which the flows begin.  Flows stand in that order."""
    begins = [first_behind(reading, sifted, part.frames_before) for part in reading.parts]
    ends = [*begins[1:], len(sifted.in_brief)]
    for part, begin, end in zip(reading.parts, begins, ends, strict=True):
        if begin < end:
            yield brief_of(reading, part, sifted, slice(begin, end), ports)


def first_behind(reading: Reading, sifted: Sifted, frame: int) -> int:
    """Which of the flows in brief is the first that begins behind a frame."""
    return bisect_left(sifted.in_brief, frame + 1, key=lambda index: reading.tracker.flow(index).first_frame)


def brief_of(
    reading: Reading, part: Part, sifted: Sifted, some: slice, ports: Collection[int]
) -> report.Brief:
    said = sifted.said[some]
    columns = reading.tracker.brief(sifted.in_brief[some], ports)
    words = sorted(Counter(said).items())
    place = {word: number for number, (word, _) in enumerate(words)}
    return report.Brief(
        capture=part.account.capture.id,
        verdicts=tuple(verdict_of(Plain(word), flows) for word, flows in words),
        addresses=tuple(str(ipaddress.ip_address(address)) for address in columns.addresses),
        verdict=text(map(place.__getitem__, said)),
        client=text(columns.client),
        client_port=text(columns.client_port),
        headend=text(columns.headend),
        headend_port=text(columns.headend_port),
        first_ns=text(columns.first_ns),
        last_ns=text(columns.last_ns),
        first_frame=text(frame - part.frames_before for frame in columns.first_frame),
        to_headend=text(columns.to_headend),
        to_client=text(columns.to_client),
    )


def verdict_of(word: Plain, flows: int) -> report.BriefVerdict:
    verdict, confidence = SAID[word]
    return report.BriefVerdict(verdict=verdict, confidence=confidence, flows=flows)
