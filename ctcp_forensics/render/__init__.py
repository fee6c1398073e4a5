"""Renderings: a report as text, one line or block at a time.

Knows which form is asked for.  Reads nothing but the report, so the same report gives the same text.
"""

from collections.abc import Iterator

from ..report import Report
from .look import Look

FORMATS = ("table", "json", "ndjson", "markdown", "csv")


def render(report: Report, form: str, look: Look) -> Iterator[str]:
    """The text of `report` in one of FORMATS; `look` matters to the table only."""
    match form:
        case "table":
            from .table import table

            return table(report, look)
        case "markdown":
            from .markdown import markdown

            return markdown(report)
        case "csv":
            from .spreadsheet import spreadsheet

            return spreadsheet(report)
        case "ndjson":
            from .ndjson import ndjson

            return ndjson(report)
        case _:
            return iter((report.to_json().decode(),))
