"""The document: the parts of the page in their order, and what of them is packed until somebody asks for it.

Knows what is told at length, and what scripts read: JSON and packed bytes, which go round the templates' escaping and
are made safe here.  Does not know one flow's parts: see article.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from ctcp_forensics.brief import counts_of
from ctcp_forensics.render.judged import Judged, headline, tally_of_all, told_briefly, worst_first
from ctcp_forensics.render.page.article import article_of
from ctcp_forensics.render.page.assets import assets, text_of
from ctcp_forensics.render.page.columns import packed_trace
from ctcp_forensics.render.page.lanes import lanes_of
from ctcp_forensics.render.page.packing import embedded, packed
from ctcp_forensics.render.page.rows import COLUMNS, VERDICT, packable, rows_of
from ctcp_forensics.render.page.templates import coded, environment, printable
from ctcp_forensics.render.page.words import GLOSSARY, MARKS, NEEDS_CAPTURES, NOT_DRAWN
from ctcp_forensics.render.path import boxes_of, clocks_of, line_of, remarks
from ctcp_forensics.render.wording import at, clean, count, labels, sized, utc
from ctcp_forensics.report import Report
from ctcp_forensics.trace import Trace

if TYPE_CHECKING:
    from jinja2 import Environment, Template

ARTICLES_AT_A_GLANCE = 20
"""Flows that are told at length without a script; more than anybody reads."""
MAX_ARTICLES = 300
"""Flows that are told at length at all; the others stand in the table, and in the JSON report."""
ARTICLES_PER_BLOCK = 50
ROWS_AT_A_GLANCE = 200
"""Rows of the table that are there without a script."""
MAX_ROWS_DRAWN = 3_000_000
"""Segments in all diagrams together: about 4 bytes each in the file, 150 in the browser."""
MAX_ROWS = 20_000
"""Rows of the table at all."""


def page(report: Report, traces: Sequence[Trace]) -> Iterator[str]:
    """The page, piece by piece; the same report and traces give the same bytes."""
    template = _templates().get_template("page.html.j2")
    return template.generate(_content(report, traces))


def flows_at_length(report: Report) -> frozenset[str]:
    """Ids of the flows that are told in words: those whose diagrams are worth a second reading."""
    shown, _ = _at_length(worst_first(report))
    return frozenset(one.flow.id for one in shown)


def _content(report: Report, traces: Sequence[Trace]) -> dict[str, Any]:
    judged = worst_first(report)
    shown, behind = _at_length(judged)
    traces = _drawn(report, traces)
    told = frozenset(one.number for one in (*shown, *behind))
    rows = rows_of(judged[:MAX_ROWS], told)
    content = {
        "report": report,
        "headline": headline(report, judged),
        "assets": assets(),
        "articles": [article_of(report, one, traces) for one in shown],
        "columns": COLUMNS,
        "rows": rows[:ROWS_AT_A_GLANCE],
        "rows_left": len(judged) - len(rows[:ROWS_AT_A_GLANCE]),
        "rows_cut": len(judged) - len(rows),
        "flows": len(judged) + counts_of(report.brief).total(),
        "untold": len(judged) - len(told),
        "tally": tally_of_all(report, judged),
        "briefly": list(told_briefly(report)),
        "verdicts": _verdicts(judged),
        "paths": [_path(path) for path in report.paths],
        "remarks": list(remarks(report)),
        "glossary": GLOSSARY,
        "undrawn": _undrawn(traces),
    }
    return content | _blocks(report, traces, rows, behind)


def _at_length(judged: list[Judged]) -> tuple[list[Judged], list[Judged]]:
    """Flows with an article in words, and those whose article is packed."""
    worth_reading = [one for one in judged if one.needs_reading]
    shown = (worth_reading or judged)[: ARTICLES_AT_A_GLANCE if worth_reading else 1]
    numbers = {one.number for one in shown}
    behind = [one for one in judged if one.number not in numbers]
    return shown, behind[: MAX_ARTICLES - len(shown)]


def _verdicts(judged: list[Judged]) -> list[str]:
    return list(dict.fromkeys(one.finding.verdict for one in judged))


def _path(path: Any) -> dict[str, Any]:
    return {"line": line_of(path), "clocks": list(clocks_of(path)), "boxes": list(boxes_of(path))}


# --- what scripts read ------------------------------------------------------------------------


def _blocks(
    report: Report, traces: Sequence[Trace], rows: Sequence[Any], behind: list[Judged]
) -> dict[str, Any]:
    from markupsafe import Markup

    sources = labels({capture.id: capture.source for capture in report.captures})
    drawn = [packed_trace(trace, sources) for trace in traces]
    facts = {
        "traces": [one.facts for one in drawn],
        "marks": [[int(mark), says] for mark, says in MARKS.items()],
        "verdictColumn": VERDICT,
        "rowsAtOnce": ROWS_AT_A_GLANCE,
    }
    return {
        "facts": Markup(embedded(_clean(facts))),  # noqa: S704  # `embedded` leaves no character that could end it
        "trace_blocks": [one.content for one in drawn],
        "row_block": packed(_json(_clean(packable(rows)))),
        "article_blocks": list(_article_blocks(report, behind, traces)),
    }


def _drawn(report: Report, traces: Sequence[Trace]) -> list[Trace]:
    """Flow by flow, the worst first, from client to headend, as many as may be; of a flow all places or none."""
    drawn, rows = list[Trace](), 0
    for one in worst_first(report):
        some = [lane.trace for lane in lanes_of(report, one.flow, traces) if len(lane.trace.columns)]
        rows += sum(len(trace.columns) for trace in some)
        if rows <= MAX_ROWS_DRAWN:
            drawn += some
    return drawn


def _undrawn(traces: Sequence[Trace]) -> str:
    """What stands in the place of a diagram that is not there."""
    return NOT_DRAWN if traces else NEEDS_CAPTURES


def _article_blocks(
    report: Report, behind: list[Judged], traces: Sequence[Trace]
) -> Iterator[tuple[str, str]]:
    """Numbers of flows, and their articles as the template writes them, packed together."""
    template = _templates().get_template("article.html.j2")
    for first in range(0, len(behind), ARTICLES_PER_BLOCK):
        some = behind[first : first + ARTICLES_PER_BLOCK]
        written = {str(one.number): _written(template, report, one, traces) for one in some}
        yield " ".join(written), packed(_json(written))


def _written(template: Template, report: Report, one: Judged, traces: Sequence[Trace]) -> str:
    return template.render(article=article_of(report, one, traces), undrawn=_undrawn(traces))


def _json(value: Any) -> bytes:
    import msgspec

    return msgspec.json.encode(value)


def _clean(value: Any) -> Any:
    """Every text of a JSON value without control characters, as `printable` does it for the words."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {key: _clean(one) for key, one in value.items()}
    return [_clean(one) for one in value] if isinstance(value, (list, tuple)) else value


@cache
def _templates() -> Environment:
    return environment(
        text_of,
        printable,
        {"utc": utc, "sized": sized, "at": at, "count": count, "number": "{:,}".format, "coded": coded},
    )
