"""Flows that are told in a line each: the kernel's columns become the report's.

Knows the report's names.  Does not know which flows are told so: see screen.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_left
from collections.abc import Collection, Iterator

from ctcp_forensics import report
from ctcp_forensics._kernel.rows import Plain
from ctcp_forensics.reading import Part, Reading
from ctcp_forensics.screen import Sifted, said_of


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
    columns = reading.tracker.brief(sifted.in_brief[some], ports, part.frames_before)
    words = sorted(set(said))
    return report.Brief(
        capture=part.account.capture.id,
        verdicts=tuple(verdict_of(reading, Plain(word), said.count(word)) for word in words),
        addresses=tuple(str(ipaddress.ip_address(address)) for address in columns.addresses),
        verdict=" ".join(said.translate(bytes(places_of(words))).decode()),
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


def places_of(words: list[int]) -> Iterator[int]:
    """For every byte the digit of its place among the words, which are fewer than ten."""
    return (ord("0") + words.index(byte) if byte in words else byte for byte in range(256))


def verdict_of(reading: Reading, word: Plain, flows: int) -> report.BriefVerdict:
    verdict, confidence = said_of(word, reading.surroundings)
    return report.BriefVerdict(verdict=verdict, confidence=confidence, flows=flows)
