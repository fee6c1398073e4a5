"""Markdown: the report as a ticket wants it: symptom, analysis, recommended action, possible causes.

Knows Markdown's special characters.  The order of the parts is the one of Cisco TAC's own guides.
"""

import re
from collections.abc import Iterator

from ctcp_forensics.render.finding import answer, ending, missing_segment, wanted
from ctcp_forensics.render.judged import Judged, headline, tally, title, told_briefly, worst_first
from ctcp_forensics.render.path import (
    alone,
    boxes_of,
    clocks_of,
    crossings_of,
    details,
    line_of,
    matrices,
    remarks,
    whereabouts,
)
from ctcp_forensics.render.table import FINDINGS_AT_A_GLANCE, ROWS_AT_A_GLANCE, flow_table
from ctcp_forensics.render.wording import at, claim_words, clean, count, duration, endpoint, frames, utc
from ctcp_forensics.report import Capture, Finding, Recommendation, Report

# What could open a link, a picture, a tag, an emphasis or a table cell, wherever it stands.
SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")


def markdown(report: Report) -> Iterator[str]:
    """The lines of a report, each with its end."""
    for line in _lines(report):
        yield line + "\n"


def prose(text: str) -> str:
    """`text` as Markdown that shows just these characters; what stands between backticks is code."""
    parts = clean(text).split("`")
    if len(parts) % 2 and all(parts[1::2]):
        return "".join(code(part) if place % 2 else _literal(part) for place, part in enumerate(parts))
    return _literal("`".join(parts))


def code(text: str) -> str:
    """`text` between as many backticks as it needs (CommonMark 6.1)."""
    text = clean(text)
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def _literal(text: str) -> str:
    return SPECIAL.sub(r"\\\1", text)


def _lines(report: Report) -> Iterator[str]:
    judged = worst_first(report)
    yield f"# {prose(headline(report, judged))}"
    yield ""
    yield from _captures(report)
    yield from _paths(report)
    yield from _flows(report, judged)
    told = [one for one in judged if one.needs_reading][:FINDINGS_AT_A_GLANCE]
    for one in told:
        yield from _finding(report, one)
    known = {one.finding.id for one in told}
    left = [one for one in judged if one.finding.id not in known]
    if left:
        yield f"Not told here: {prose(tally(left))}."
        yield ""
    yield f"Made by {prose(report.tool.name)} {prose(report.tool.version)}."


def _captures(report: Report) -> Iterator[str]:
    yield "## Captures"
    yield ""
    for capture in report.captures:
        yield f"- {_capture(capture)}"
        for damage in capture.damage:
            yield f"  - damage: {at(damage.offset)}{prose(damage.reason)}"
        yield from (f"  - {prose(note)}" for note in capture.notes)
    for bad in report.coverage.failed:
        yield f"- not read: {code(bad.source)}: {at(bad.offset)}{prose(bad.reason)}"
    for cap in report.coverage.caps:
        yield f"- limit reached: {prose(cap.cap)} {cap.limit}, by {prose(cap.reached_by)}"
    yield ""


def _paths(report: Report) -> Iterator[str]:
    for path in report.paths:
        yield "## Path"
        yield ""
        yield f"- {prose(line_of(path))}"
        yield from (f"- clocks: {prose(told)}" for told in clocks_of(path))
        yield from (f"- between {prose(told)}" for told in boxes_of(path))
        yield ""
    told = [f"- note: {prose(remark)}" for remark in remarks(report)]
    yield from (*told, "") if told else ()


def _capture(capture: Capture) -> str:
    facts = f"{code(capture.source)} ({prose(capture.id)}): {count(capture.frames, 'frame')}"
    facts += f", {prose(capture.outcome)}"
    if capture.first_ns is not None:
        facts += f", {utc(capture.first_ns)} to {utc(capture.last_ns)}"
    digest = capture.digest
    return facts if digest is None else f"{facts}, {digest.title} {code(digest.value)}"


def _flows(report: Report, judged: list[Judged]) -> Iterator[str]:
    if not judged:
        return
    shown = judged[:ROWS_AT_A_GLANCE]
    yield "## Flows"
    yield ""
    yield from flow_table(report, shown, form="github", spell=prose)
    yield ""
    if len(shown) < len(judged):
        rest = judged[len(shown) :]
        yield f"And {count(len(rest), 'flow')} more: {prose(tally(rest))}."
        yield ""
    for line in told_briefly(report):
        yield f"And {prose(line)}."
        yield ""


def _finding(report: Report, one: Judged) -> Iterator[str]:
    yield f"## Flow {one.number}: {prose(title(one))}"
    yield ""
    yield from _part("Symptom", (prose(one.finding.summary),))
    yield from _part("Capture analysis", _analysis(one))
    if crossed := tuple(_crossings(report, one)):
        yield from _part("Crossings", crossed)
    if one.finding.recommendations:
        yield from _part("Recommended action", _actions(one.finding))
    if one.finding.also_possible or one.finding.missing_evidence:
        yield from _part("Possible causes", _causes(one.finding))


def _part(heading: str, lines: Iterator[str] | tuple[str, ...]) -> Iterator[str]:
    yield f"### {heading}"
    yield ""
    yield from lines
    yield ""


def _analysis(one: Judged) -> Iterator[str]:
    flow = one.flow
    found = flow.encapsulation
    yield f"- {prose(endpoint(flow.client))} to {prose(endpoint(flow.headend))}"
    yield f"- {utc(flow.first_ns)} to {utc(flow.last_ns)}, {duration(flow.last_ns - flow.first_ns)}"
    yield f"- carries {prose(found.kind)}, {prose(found.grade)}: {prose(found.because)}"
    yield f"- ended: {prose(ending(one))}"
    for episode in flow.episodes:
        asked = f"{wanted(episode, one.names)}: {count(episode.duplicate_acks, 'duplicate ACK')}"
        told = f"{missing_segment(episode, one.names)}; {answer(episode, one.names)}"
        yield f"- {prose(f'{episode.direction} wants {asked}; {told}')}"
    for told in (whereabouts(flow), *(f"by itself, {text}" for text in alone(flow, one.names))):
        if told:
            yield f"- {prose(told)}"
    for evidence in one.finding.evidence:
        shown = frames(evidence.frames, runs_at_most=None, names=one.names)
        because = f"{evidence.because} [{shown}]" if shown else evidence.because
        yield f"- **{prose(evidence.outcome)}** {prose(claim_words(evidence.claim))}: {prose(because)}"
    yield from _filters(one)
    yield f"- finding {code(one.finding.id)}, flow {code(flow.id)}"


def _filters(one: Judged) -> Iterator[str]:
    """One filter, and those of other captures where addresses or numbers are others there."""
    home = one.finding.display_filter
    if home:
        yield f"- Wireshark: {code(home)}"
    for capture, text in one.finding.display_filters.items():
        if text != home:
            yield f"- Wireshark, {prose(one.names.of(capture))}: {code(text)}"


def _crossings(report: Report, one: Judged) -> Iterator[str]:
    """What became of the segments between two captures, a table for each direction."""
    for path, some in crossings_of(report, one.flow):
        for matrix in matrices(path, some):
            yield from _row(matrix.direction, matrix.links)
            yield f"|---|{'--:|' * len(matrix.links)}"
            for row in matrix.rows:
                yield from _row(row.says, row.cells)
            yield ""
        yield from (f"- {prose(told)}" for told in details(path, some, one.names))


def _row(first: str, cells: tuple[str, ...]) -> Iterator[str]:
    yield f"| {' | '.join(prose(cell) for cell in (first, *cells))} |"


def _actions(finding: Finding) -> Iterator[str]:
    for number, fix in enumerate(finding.recommendations, start=1):
        margin = f"{number}. "
        yield f"{margin}**{prose(fix.title)}**"
        yield from (" " * len(margin) + line if line else line for line in _action(fix))
        yield ""


def _action(fix: Recommendation) -> Iterator[str]:
    yield ""
    yield prose(fix.change)
    yield from _block("", fix.commands)
    yield ""
    yield f"Cost: {prose(fix.cost)}"
    yield from _bullets("Verify:", fix.verify)
    yield from _block("Roll back:", fix.roll_back)
    yield from _bullets("Caveats:", fix.caveats)
    yield ""
    yield f"Source: {prose(fix.source)}"


def _bullets(heading: str, sentences: tuple[str, ...]) -> Iterator[str]:
    if sentences:
        yield ""
        yield heading
        yield ""
    yield from (f"- {prose(sentence)}" for sentence in sentences)


def _block(heading: str, commands: tuple[str, ...]) -> Iterator[str]:
    """A fenced block, so that commands are copied as they are."""
    if not commands:
        return
    yield ""
    if heading:
        yield heading
        yield ""
    longest = max((len(run) for command in commands for run in re.findall("`+", command)), default=0)
    fence = "`" * max(longest + 1, 3)
    yield fence
    yield from map(clean, commands)
    yield fence


def _causes(finding: Finding) -> Iterator[str]:
    for other in finding.also_possible:
        how = f"; settled by: {other.settled_by}" if other.settled_by else ""
        told = f"{other.verdict}: {other.because}{how}"
        yield f"- also fits: {prose(told)}"
    yield from (f"- lacking: {prose(missing)}" for missing in finding.missing_evidence)
