"""A stored report: a file or standard input → a Report, or one line that says why not.

Knows where reports lie.  Does not know what is made of them: see commands.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

from ctcp_forensics.cli.ends import Refused
from ctcp_forensics.report import Report, ReportError
from ctcp_forensics.sound import refuse_unsound

STANDARD_INPUT = "-"
MAX_REPORT_LEN = 1 << 30
"""Bytes: ten thousand times the report of a busy day; what is larger is no report."""


def stored(name: str) -> Report:
    """The report in the file `name`, or on standard input."""
    text = _text_of(name)
    try:
        report = Report.from_json(text)
        refuse_unsound(report)
    except ReportError as error:
        raise Refused(f"{name}: {error}; `ctcp-diag analyze --format json CAPTURE...` writes one") from error
    return report


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
