"""A stored report: a file or standard input → a Report, or one line that says why not.

Knows where reports lie.  Does not know what is made of them: see commands.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

from ctcp_forensics.cli.ends import Refused
from ctcp_forensics.cli.utf8 import as_utf8
from ctcp_forensics.report import Report, ReportError
from ctcp_forensics.sound import refuse_unsound

STANDARD_INPUT = "-"
WRITES_ONE = "`ctcp-diag analyze --format json CAPTURE...` writes one"
MAX_REPORT_LEN = 1 << 30
"""Bytes: ten thousand times the report of a busy day; what is larger is no report."""
PEEKED_LEN = 512
"""Bytes in which a capture gives itself away."""


def stored(name: str) -> Report:
    """The report in the file `name`, or on standard input."""
    text = _text_of(name)
    try:
        report = Report.from_json(text)
        refuse_unsound(report)
    except ReportError as error:
        raise Refused(f"{name}: {error}; {WRITES_ONE}") from error
    return report


def _text_of(name: str) -> bytes:
    try:
        if name == STANDARD_INPUT:
            _refuse_terminal()
            return _bounded(sys.stdin.buffer, name)
        with Path(name).open("rb") as file:
            return _bounded(file, name)
    except OSError as error:
        raise Refused(f"cannot read {name}: {error.strerror or error}") from error


def _refuse_terminal() -> None:
    """Nobody types a report: who is waited for would wait as well."""
    if sys.stdin.isatty():
        raise Refused(f"-: standard input is a terminal; pipe a report into it. {WRITES_ONE}")


def _bounded(file: BinaryIO, name: str) -> bytes:
    begin = file.read(PEEKED_LEN)
    _refuse_captures(begin, name)
    text = begin + file.read(MAX_REPORT_LEN + 1 - len(begin))
    if len(text) > MAX_REPORT_LEN:
        raise Refused(f"{name}: larger than any report ({MAX_REPORT_LEN} bytes)")
    return as_utf8(text)


def _refuse_captures(begin: bytes, name: str) -> None:
    """Who names a capture is told what makes a report of it, before a gigabyte of it is read."""
    if begin.lstrip().startswith(b"{"):
        return  # as reports begin: how captures do is not loaded
    from ctcp_forensics.savefile import begins_savefile, compression

    if begins_savefile(begin):
        raise Refused(f"{name}: is a capture, not a report of one; {WRITES_ONE}")
    packed = compression(begin)
    if packed is not None:
        raise Refused(f"{name}: is compressed ({packed}). Unpack a report into -; of a capture {WRITES_ONE}")
