"""Renderings: a report as text, one line or block at a time.

Knows which form is asked for.  Reads nothing but the report, so the same report gives the same text; a page with
diagrams reads traces too, and stands by itself: see page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a command that renders nothing does not load the report
    from collections.abc import Iterator

    from ctcp_forensics.render.look import Look
    from ctcp_forensics.report import Report

FORMATS = ("table", "note", "json", "ndjson", "markdown", "csv")


def render(report: Report, form: str, look: Look) -> Iterator[str]:
    """The text of `report` in one of FORMATS; `look` matters to the table only."""
    match form:
        case "table":
            from ctcp_forensics.render.table import table

            return table(report, look)
        case "note":
            from ctcp_forensics.render.note import note

            return note(report)
        case "markdown":
            from ctcp_forensics.render.markdown import markdown

            return markdown(report)
        case "csv":
            from ctcp_forensics.render.spreadsheet import spreadsheet

            return spreadsheet(report)
        case "ndjson":
            from ctcp_forensics.render.ndjson import ndjson

            return ndjson(report)
        case "json":
            return iter((report.to_json().decode(),))
        case _:
            raise ValueError(f"no form is called {form}: {', '.join(FORMATS)}")
