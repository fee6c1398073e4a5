"""What a case note rests on: the captures with their hashes, what was not looked at, and what made it.

Knows how many captures a note has room for.  Does not know what they show: see note.
"""

from __future__ import annotations

from collections.abc import Iterator

from ctcp_forensics.render.sheet import Paragraph, Part, shortened
from ctcp_forensics.render.wording import at, clean, count
from ctcp_forensics.report import Capture, Report

NAME_LEN = 26  # of a file, beside frame numbers…
LISTED_NAME_LEN = 38  # …and beside its hash
CAPTURES_IN_FULL = 3  # client and both sides of the firewall, each with its whole SHA-256
CAPTURES_IN_A_NOTE = 6  # of more than three, a line each
HASH_START_LEN = 16  # of a SHA-256 that is shortened


def basis(report: Report) -> Part:
    tool = f"{report.tool.name} {report.tool.version}, rules {report.tool.rules_version}"
    key = report.redacted_with
    made = Paragraph("made by", tool if key is None else f"{tool}; pseudonyms by key {clean(key)}")
    lines = [*_captures(report), *_coverage(report), made]
    return Part("EVIDENCE", tuple(lines))


def _captures(report: Report) -> Iterator[Paragraph]:
    if len(report.captures) <= CAPTURES_IN_FULL:
        for capture in report.captures:
            yield Paragraph(capture.id, _capture(capture))
            yield _hash(capture)
        return
    for capture in report.captures[:CAPTURES_IN_A_NOTE]:
        yield Paragraph(
            capture.id, f"{shortened(_file(capture), LISTED_NAME_LEN)}: {_start_of_hash(capture)}"
        )
    left = len(report.captures) - CAPTURES_IN_A_NOTE
    more = f"and {count(left, 'capture')} more; " if left > 0 else ""
    yield Paragraph("", f"{more}hashes are shortened here: --format json has them whole")


def _capture(capture: Capture) -> str:
    where = f", {capture.vantage}" if capture.vantage != "unknown" else ""
    facts = f"{count(capture.frames, 'frame')}, {capture.outcome}{where}"
    return f"{shortened(_file(capture), NAME_LEN)}: {facts}"


def _hash(capture: Capture) -> Paragraph:
    if capture.digest is None:
        return Paragraph("SHA-256", _not_hashed(capture))
    return Paragraph(capture.digest.title, capture.digest.value)


def _start_of_hash(capture: Capture) -> str:
    digest = capture.digest
    return "not hashed" if digest is None else f"{digest.title} {digest.value[:HASH_START_LEN]}..."


def _not_hashed(capture: Capture) -> str:
    return (
        "none: not read"
        if capture.outcome == "rejected"
        else "not taken: larger than 256 MiB (--sha256 takes it)"
    )


def _file(capture: Capture) -> str:
    return capture.source.rpartition("/")[2] or capture.source


def _coverage(report: Report) -> Iterator[Paragraph]:
    """What was not looked at, where something was not."""
    told = report.coverage
    if told.is_complete:
        return
    parts = [f"{told.partial} read in part, {told.rejected} not at all"]
    parts += [f"{shortened(bad.source, NAME_LEN)}: {at(bad.offset)}{bad.reason}" for bad in told.failed[:1]]
    parts += [
        f"{capture.id}: {at(damage.offset)}{damage.reason}"
        for capture in report.captures
        for damage in capture.damage[:1]
    ][:1]
    parts += [f"limit reached: {cap.cap} {cap.limit}" for cap in told.caps[:1]]
    yield Paragraph("lacking", "; ".join(parts))
