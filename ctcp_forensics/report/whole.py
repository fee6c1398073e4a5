"""The report as a whole: its version, its JSON both ways, and the exit status that it asks for.

Knows its parts by name.  The published schema is made in `published`.
"""

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec.structs import replace

from ctcp_forensics.report.captures import Capture, Coverage
from ctcp_forensics.report.findings import Finding
from ctcp_forensics.report.flows import Brief, Flow
from ctcp_forensics.report.paths import Path
from ctcp_forensics.report.pictures import Picture
from ctcp_forensics.report.words import FLAGSHIP

SCHEMA_VERSION = "1.5"

TOLD_AT_ONCE: Final = 16
"""Flows, or findings, that become text together: 300 KB, which stay near the processor.  A long report as one text
takes 30 MB, and asking the system for these takes longer than filling them."""
LIST_CLOSES: Final = b"\n  ]"
REPORT_CLOSES: Final = b"\n}"
TRUNCATED: Final = "Input data was truncated"
"""As msgspec says it."""


class ReportError(ValueError):
    """The bytes are not a report that this version can read."""


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """What made the report.  Never the time or the machine: the same input gives the same bytes."""

    name: str = "ctcp-diag"
    version: str
    rules_version: str = "1"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What ctcp-diag found in the captures it was given."""

    schema_version: str = SCHEMA_VERSION
    tool: Tool
    captures: tuple[Capture, ...]
    flows: tuple[Flow, ...]
    findings: tuple[Finding, ...]
    coverage: Coverage
    paths: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    """What captures that were named together have, or have not, to do with one another."""
    pictures: tuple[Picture, ...] = ()
    """Of the worst flows, where they were asked for."""
    brief: tuple[Brief, ...] = ()
    """The flows that `flows` does not list."""
    redacted_with: str | None = None
    """The name of the key, where addresses, names and hashes are pseudonyms."""

    def to_json(self) -> bytes:
        return b"".join(self.json_pieces())

    def json_pieces(self) -> Iterator[bytes]:
        """The same, to be written piece by piece.  No string of JSON holds a line break: each line tells its depth."""
        rest = _lines(replace(self, flows=(), findings=()))
        for name, some in ((b"flows", self.flows), (b"findings", self.findings)):
            if some:
                before, _, rest = rest.partition(b'\n  "%b": []' % name)
                yield before
                yield from _listed(name, some)
        yield rest + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> "Report":
        """Read a report of this major version; names that a later minor version added are skipped."""
        try:
            report = msgspec.json.decode(text, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ReportError(f"not a ctcp-diag report: {_in_words(error, text)}") from error
        if _major(report.schema_version) != _major(SCHEMA_VERSION):
            raise ReportError(
                f"report has schema version {report.schema_version}, this program reads {SCHEMA_VERSION}"
            )
        return report


def _in_words(error: Exception, text: bytes) -> str:
    """Empty or cut short is what a full disk or a program that died leaves; msgspec calls both truncated."""
    if str(error) != TRUNCATED:
        return str(error)
    return "it breaks off at its end" if text.strip() else "it is empty"


def _lines(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2)


def _listed(name: bytes, some: tuple[Flow, ...] | tuple[Finding, ...]) -> Iterator[bytes]:
    """A list of the report, each piece cut from an object that holds nothing else."""
    opens = b'\n  "%b": [' % name
    for at in range(0, len(some), TOLD_AT_ONCE):
        alone = _lines({name.decode(): some[at : at + TOLD_AT_ONCE]})
        yield b"," if at else opens
        yield alone[len(b"{" + opens) : -len(LIST_CLOSES + REPORT_CLOSES)]
    yield LIST_CLOSES


def exit_status(report: Report) -> int:
    """1: at least one flow has the failure; 3: none found, but not everything was looked at; else 0."""
    in_brief = (told.verdict for brief in report.brief for told in (*brief.verdicts, *brief.counted))
    if FLAGSHIP in (*(finding.verdict for finding in report.findings), *in_brief):
        return 1
    return 0 if report.coverage.is_complete else 3


def _major(version: str) -> str:
    return version.partition(".")[0]
