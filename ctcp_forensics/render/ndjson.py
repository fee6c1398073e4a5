"""One JSON object a line: every record of the report by itself, told apart by `type`.

Knows the framing.  A finding names its flow in `flow`, a flow its captures in `seen`.  A flow that the report tells
briefly has a line as well: who pipes lines into a program counts them.
"""

from collections.abc import Iterator

import msgspec

from ctcp_forensics.brief import lines_of
from ctcp_forensics.report import Report


def ndjson(report: Report) -> Iterator[str]:
    """The lines of a report; the first says what made it."""
    about = {"tool": report.tool, "notes": report.notes, "redacted_with": report.redacted_with}
    yield _line("report", report.schema_version, about)
    for capture in report.captures:
        yield _line("capture", report.schema_version, capture)
    for flow in report.flows:
        yield _line("flow", report.schema_version, flow)
    for finding in report.findings:
        yield _line("finding", report.schema_version, finding)
    for line in lines_of(report):
        yield _line("brief", report.schema_version, line._asdict())
    for path in report.paths:
        yield _line("path", report.schema_version, path)
    yield _line("coverage", report.schema_version, report.coverage)


def _line(kind: str, version: str, record: object) -> str:
    """`type` and `schema_version` go first, inside the record's own braces: no record has those names."""
    head = msgspec.json.encode({"type": kind, "schema_version": version})
    return (head[:-1] + b"," + msgspec.json.encode(record)[1:]).decode() + "\n"
