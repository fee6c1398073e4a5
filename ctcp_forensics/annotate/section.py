"""The section header: that the file is derived, from what, by what, and what was found.

Knows the report and what reading it again has shown.  Does not know how frames are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ctcp_forensics.annotate.places import Places
from ctcp_forensics.annotate.remarks import ends_of
from ctcp_forensics.annotate.survey import Survey
from ctcp_forensics.render.judged import Judged
from ctcp_forensics.render.wording import at, clean, count, labels, pseudonyms_told
from ctcp_forensics.report import Capture, Report

MAX_FLOWS_TOLD: Final = 50
"""Findings told in the section comment; the others are counted.  A comment has room for 64 KiB."""
MAX_CAPTURES_TOLD: Final = 100
MAX_COMMENT_LEN: Final = 60_000
"""Bytes; the length of an option has 16 bits."""
MAX_DAMAGE_TOLD: Final = 3
MODIFIED: Final = "modified"


def verdict_comment(concerned: Sequence[Judged]) -> str:
    if not concerned:
        return "No flow of these captures needs reading: none is told of here."
    told = [paragraph(one) for one in concerned[:MAX_FLOWS_TOLD]]
    left = len(concerned) - len(told)
    return fitted([*told, *([f"{left} more flows are not told of here"] if left else [])])


def fitted(lines: Sequence[str]) -> str:
    """As many lines as a comment holds, and how many are left: one that is too long could not be written at all."""
    room, kept = MAX_COMMENT_LEN, 0
    for line in lines:
        room -= len(line.encode()) + 1
        kept += room >= 0
    left = len(lines) - kept
    return "\n".join([*lines[:kept], *([f"{left} more lines are left out"] if left else [])])


def paragraph(judged: Judged) -> str:
    finding = judged.finding
    way = "" if judged.flow.direction is None else f", {judged.flow.direction}"
    return clean(
        f"#{judged.number} {ends_of(judged)}: {finding.verdict} ({finding.title}){way}, {finding.confidence}. "
        f"{finding.summary}"
    )


def origin_comment(
    report: Report, tool: str, how: str, places: Places, programs: Mapping[str, Sequence[str]]
) -> str:
    """What this file is, and of what it was made."""
    return fitted(
        [
            f"Derived by {tool}; {how}",
            "Frame numbers in comments are those of the captures that the frames come from.",
            *(clean(f"{one}.") for one in places.told),
            *sources(report.captures, programs),
            *(clean(f"{note}.") for note in (*pseudonyms_told(report), *report.notes)),
        ]
    )


def sources(captures: Sequence[Capture], programs: Mapping[str, Sequence[str]]) -> Iterator[str]:
    called = labels({one.id: one.source for one in captures})
    for capture in captures[:MAX_CAPTURES_TOLD]:
        by = "".join(f", written by {program}" for program in programs.get(capture.id, ()))
        yield clean(f"{called[capture.id]}: {identity(capture)}, {count(capture.frames, 'frame')}{by}.")
        for damage in capture.damage[:MAX_DAMAGE_TOLD]:
            yield clean(f"{called[capture.id]}: damaged: {at(damage.offset)}{damage.reason}.")
        yield from (clean(f"{called[capture.id]}: {note}.") for note in capture.notes)
    if len(captures) > MAX_CAPTURES_TOLD:
        yield f"{len(captures) - MAX_CAPTURES_TOLD} more captures."


def identity(capture: Capture) -> str:
    digest, inside = capture.digest, capture.content_digest
    if digest is None:
        return "SHA-256 not taken"
    return str(digest) if inside in (digest, None) else f"{digest}, unpacked {inside.value}"


def comments_kept(surveys: Sequence[Survey]) -> Iterator[bytes]:
    """Of the captures' own sections, byte for byte; what is beyond the cap, in our words."""
    called = labels({one.capture.id: one.capture.source for one in surveys})
    for one in surveys:
        yield from one.sections.comments
        if one.sections.beyond:
            yield clean(f"{called[one.capture.id]} has {one.sections.beyond} more section comments").encode()
