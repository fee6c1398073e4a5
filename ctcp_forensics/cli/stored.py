"""A stored report: a file or standard input → a Report, or one line that says why not.

Knows where reports lie.  Does not know what is made of them: see commands.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

from ctcp_forensics.brief import lines_of
from ctcp_forensics.cli.ends import Refused
from ctcp_forensics.report import Report, ReportError

STANDARD_INPUT = "-"
MAX_REPORT_LEN = 1 << 30
"""Bytes: ten thousand times the report of a busy day; what is larger is no report."""


def stored(name: str) -> Report:
    """The report in the file `name`, or on standard input."""
    text = _text_of(name)
    try:
        report = Report.from_json(text)
    except ReportError as error:
        raise Refused(f"{name}: {error}; `ctcp-diag analyze --format json CAPTURE...` writes one") from error
    _refuse_strangers(name, report)
    _refuse_broken(name, report)
    return report


def _refuse_broken(name: str, report: Report) -> None:
    """Flows that are told briefly: what is drawn up from a stored report relies on their columns."""
    try:
        for _ in lines_of(report):
            pass
    except ReportError as error:
        raise Refused(f"{name}: {error}") from error


def _text_of(name: str) -> bytes:
    try:
        if name == STANDARD_INPUT:
            return _bounded(sys.stdin.buffer, name)
        with Path(name).open("rb") as file:
            return _bounded(file, name)
    except OSError as error:
        raise Refused(f"cannot read {name}: {error.strerror or error}") from error


def _bounded(file: BinaryIO, name: str) -> bytes:
    text = file.read(MAX_REPORT_LEN + 1)
    if len(text) > MAX_REPORT_LEN:
        raise Refused(f"{name}: larger than any report ({MAX_REPORT_LEN} bytes)")
    return text


def _refuse_strangers(name: str, report: Report) -> None:
    """A finding is on a flow of its report: what is drawn up from a stored report relies on that."""
    known = {flow.id for flow in report.flows}
    stranger = next((one for one in report.findings if one.flow not in known), None)
    if stranger is not None:
        raise Refused(
            f"{name}: finding {stranger.id} is on flow {stranger.flow}, which the report does not have"
        )
