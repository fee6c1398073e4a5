"""CSV: one row per flow with its finding, the columns always the same.

A flow that the report tells briefly has its row too, for who counts rows; what the report does not tell is empty.
Knows RFC 4180 and what spreadsheets do to cells.  Columns are added at the end, never moved.
"""

import csv
from collections.abc import Iterator

from ctcp_forensics.brief import Line, lines_of
from ctcp_forensics.render.judged import Judged, worst_first
from ctcp_forensics.render.wording import clean, ended_by, utc
from ctcp_forensics.report import Report

FORMULA_STARTS = ("=", "+", "-", "@")  # a spreadsheet runs a cell that begins so
COLUMNS = (
    "finding",
    "flow",
    "verdict",
    "confidence",
    "direction",
    "client_address",
    "client_port",
    "headend_address",
    "headend_port",
    "encapsulation",
    "grade",
    "first_utc",
    "last_utc",
    "first_ns",
    "last_ns",
    "segments",
    "duplicate_acks",
    "episodes",
    "ending",
    "ending_by",
    "loss_location",
    "captures",
    "summary",
    "display_filter",
    "ack_author",
    "rst_author",
)


EARLY = "judged before it was over: another flow needed its place"


class Echo:
    """What csv writes to: it hands each line back."""

    def write(self, line: str) -> str:
        return line


def spreadsheet(report: Report) -> Iterator[str]:
    """The rows, each with its end, worst first; the head is there even without a flow."""
    sources = {capture.id: capture.source for capture in report.captures}
    # Lines end in LF: the tools that read this in a pipe would carry a CR in the last column.
    writer = csv.writer(Echo(), lineterminator="\n")
    yield writer.writerow(COLUMNS)
    for one in worst_first(report):
        yield writer.writerow(map(harmless, _cells(one, sources)))
    for line in lines_of(report):
        yield writer.writerow(map(harmless, _cells_of(line, sources)))


def _cells(one: Judged, sources: dict[str, str]) -> tuple[str | int, ...]:
    flow, finding = one.flow, one.finding
    return (
        finding.id,
        flow.id,
        finding.verdict,
        finding.confidence,
        flow.direction or "",
        flow.client.address,
        flow.client.port,
        flow.headend.address,
        flow.headend.port,
        flow.encapsulation.kind,
        flow.encapsulation.grade,
        utc(flow.first_ns),
        utc(flow.last_ns),
        flow.first_ns,
        flow.last_ns,
        one.segments,
        one.duplicate_acks,
        flow.episodes_total,
        flow.ending.kind,
        ended_by(flow) or "",
        flow.loss_location or "",
        "; ".join(sources.get(seen.capture, seen.capture) for seen in flow.seen),
        finding.summary,
        finding.display_filter,
        flow.ack_author or "",
        flow.rst_author or "",
    )


def _cells_of(line: Line, sources: dict[str, str]) -> list[str | int]:
    known: dict[str, str | int] = {
        "verdict": line.verdict,
        "confidence": line.confidence,
        "client_address": line.client.address,
        "client_port": line.client.port,
        "headend_address": line.headend.address,
        "headend_port": line.headend.port,
        "first_utc": utc(line.first_ns),
        "last_utc": utc(line.last_ns),
        "first_ns": line.first_ns,
        "last_ns": line.last_ns,
        "segments": line.to_headend + line.to_client,
        "captures": sources.get(line.capture, line.capture),
        "summary": EARLY if line.is_early else "",
    }
    return [known.get(column, "") for column in COLUMNS]


def harmless(cell: str | int) -> str | int:
    if isinstance(cell, int):
        return cell
    cell = clean(cell)
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell
