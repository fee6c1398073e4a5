"""Answers: rows as a table, JSON, NDJSON, CSV or Markdown.

Knows what terminals, spreadsheets and Markdown make of a hostile name.  Does not know what was asked.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, Final

import msgspec
from tabulate import tabulate

from ctcp_forensics.archive.questions import DRILL
from ctcp_forensics.archive.tables import Answer
from ctcp_forensics.render.markdown import prose
from ctcp_forensics.render.spreadsheet import Echo, harmless
from ctcp_forensics.render.wording import clean, count

FORMATS: Final = ("table", "json", "ndjson", "csv", "markdown")
JSON_FORMS: Final = ("json", "ndjson")
ROWS_AT_A_GLANCE: Final = 200
"""Rows of a table without `-v`, as of a table of flows."""
NOTHING: Final = "-"
DRILL_DOWN: Final = (
    "For one of them: ctcp-diag analyze URI; ctcp-diag annotate URI --flow FLOW -o evidence.pcapng"
)


def written(answer: Answer, form: str, *, rows_at_most: int | None) -> Iterator[str]:
    """The text of an answer, line by line; `rows_at_most` bounds what is meant for the eye."""
    match form:
        case "json":
            return _json(answer)
        case "ndjson":
            return (_object(answer.columns, row) + "\n" for row in answer.rows)
        case "csv":
            return _csv(answer)
        case "markdown":
            return _table(answer, "github", rows_at_most)
        case _:
            return _table(answer, "simple", rows_at_most)


def _table(answer: Answer, form: str, rows_at_most: int | None) -> Iterator[str]:
    spell = prose if form == "github" else clean
    shown = list(islice(answer.rows, rows_at_most))
    cells = [[spell(_said(_cut(value))) for value in row] for row in shown]
    heads = [spell(name) for name in answer.columns]
    yield tabulate(cells, heads, tablefmt=form, disable_numparse=True, colalign=_sides(shown, heads)) + "\n"
    yield "\n"
    left = sum(1 for _ in answer.rows)
    if left:
        yield f"{count(left, 'more row')}: -v shows them, as every other format does.\n"
    yield f"{count(len(shown) + left, 'row')}.\n"
    if shown and set(DRILL) <= set(answer.columns):
        yield DRILL_DOWN + "\n"


def _cut(value: Any) -> Any:
    """The eye wants no parts of a second."""
    return value.replace(microsecond=0) if isinstance(value, datetime) else value


def _sides(rows: Sequence[Sequence[Any]], heads: Sequence[str]) -> tuple[str, ...] | None:
    """Numbers stand to the right."""
    if not rows:
        return None
    return tuple("right" if _is_number([row[at] for row in rows]) else "left" for at in range(len(heads)))


def _is_number(values: Sequence[Any]) -> bool:
    told = [value for value in values if value is not None]
    return bool(told) and all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in told
    )


def _csv(answer: Answer) -> Iterator[str]:
    writer = csv.writer(Echo(), lineterminator="\n")
    yield writer.writerow(map(harmless, answer.columns))
    for row in answer.rows:
        yield writer.writerow("" if value is None else _cell(value) for value in row)


def _cell(value: Any) -> Any:
    """Numbers stay numbers: a minus sign in front of one is no formula."""
    value = plain(value)
    return (
        value if isinstance(value, (int, float)) and not isinstance(value, bool) else harmless(_said(value))
    )


def _json(answer: Answer) -> Iterator[str]:
    """One array; an object on each line."""
    before = "[\n"
    for row in answer.rows:
        yield before + _object(answer.columns, row)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _object(names: Sequence[str], row: Sequence[Any]) -> str:
    return msgspec.json.encode(dict(zip(names, map(plain, row), strict=True))).decode()


def _said(value: Any) -> str:
    """A value in a cell."""
    value = plain(value)
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def plain(value: Any) -> Any:
    """A value of SQL as JSON has it; times are UTC, in the spelling of RFC 3339."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value.hex() if isinstance(value, bytes) else str(value)
