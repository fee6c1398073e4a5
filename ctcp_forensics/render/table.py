"""The terminal's rendering: one sentence, one table of flows, then each finding as deep as asked.

Knows the order in which an engineer reads: what, where, why.  Does not know how a value is said: see wording.
"""

from collections.abc import Callable, Iterator
from textwrap import wrap
from typing import NamedTuple

from ctcp_forensics.render.finding import NARROWEST, coverage, finding, labelled
from ctcp_forensics.render.judged import Judged, headline, tally, tally_of_all, told_briefly, worst_first
from ctcp_forensics.render.look import Depth, Look
from ctcp_forensics.render.path import boxes_of, clocks_of, line_of, remarks
from ctcp_forensics.render.wording import clean, count, duration, ended, endpoint, utc_second
from ctcp_forensics.report import FLAGSHIP, Report

ROWS_AT_A_GLANCE = 200  # more rows than anybody reads on a screen; deeper looks and csv have them all
FINDINGS_AT_A_GLANCE = 20
HEAD_PADDING = SPACE_BETWEEN = 2  # tabulate's, in its format "simple"


class Column(NamedTuple):
    """One column of the table of flows; where the screen is narrow the highest `spare` goes first."""

    title: str
    value: Callable[[Judged], str]
    spare: int = 0
    align: str = "left"


COLUMNS = (
    Column("#", lambda one: str(one.number), align="right"),
    Column("client", lambda one: endpoint(one.flow.client)),
    Column("headend", lambda one: endpoint(one.flow.headend)),
    Column("carries", lambda one: _carries(one), spare=6),
    Column("start", lambda one: utc_second(one.flow.first_ns), spare=7),
    Column("lasted", lambda one: duration(one.flow.last_ns - one.flow.first_ns), spare=5),
    Column("segments", lambda one: str(one.segments), spare=4, align="right"),
    Column("dup ACKs", lambda one: str(one.duplicate_acks), spare=2, align="right"),
    Column("ending", lambda one: ended(one.flow), spare=3),
    Column("verdict", lambda one: one.finding.verdict),
    Column("confidence", lambda one: one.finding.confidence, spare=1),
)
ENDS = slice(1, 3)  # client and headend
SEEN_IN = Column("seen in", lambda one: " ".join(seen.capture for seen in one.flow.seen), spare=8)


def table(report: Report, look: Look) -> Iterator[str]:
    """The lines of a report, each with its end."""
    for line in _lines(report, look):
        yield line + "\n"


def flow_table(
    report: Report,
    judged: list[Judged],
    *,
    form: str,
    width: int | None = None,
    spell: Callable[[str], str] = clean,
) -> list[str]:
    """The table of flows and, where columns had to go, the line that says which."""
    from tabulate import tabulate

    columns: tuple[Column, ...] = COLUMNS if len(report.captures) < 2 else (*COLUMNS, SEEN_IN)
    cells = [[spell(column.value(one)) for one in judged] for column in columns]
    if not _fits(
        width, _widths(columns, cells), [at for at, column in enumerate(columns) if not column.spare]
    ):
        columns, cells = _stacked(columns, cells)
    kept = _fitting(columns, cells, width)
    rows = list(zip(*(cells[place] for place in kept), strict=True))
    text: str = tabulate(
        rows,
        headers=[columns[place].title for place in kept],
        tablefmt=form,
        colalign=[columns[place].align for place in kept],
        disable_numparse=True,
        preserve_whitespace=True,
    )
    left_out = [column.title for place, column in enumerate(columns) if place not in kept]
    return [*text.splitlines(), *_told_left_out(left_out, width)]


def _lines(report: Report, look: Look) -> Iterator[str]:
    judged = worst_first(report)
    alarming = any(one.finding.verdict == FLAGSHIP for one in judged)
    yield look.pen.mark("alarm" if alarming else "title", headline(report, judged))
    if look.depth == Depth.VERDICT:
        return
    if alarming and len(judged) > 1:
        yield f"All verdicts: {tally_of_all(report, judged)}"
    yield from _sources(report)
    yield from _paths(report, look)
    yield from _flows(report, judged, look)
    yield from _findings(report, judged, look)
    yield from coverage(report, look)


def _sources(report: Report) -> Iterator[str]:
    """Which capture an id means; needless where there is one."""
    if len(report.captures) < 2:
        return
    yield ""
    for capture in report.captures:
        read = f"{count(capture.frames, 'frame')}, {capture.outcome}"
        yield clean(f"{capture.id}  {capture.source}  {read}")


def _paths(report: Report, look: Look) -> Iterator[str]:
    """Which captures are of one path, in which order; deeper, their clocks and what stands between."""
    for path in report.paths:
        yield from labelled("path", line_of(path), look, indent="")
        for told in clocks_of(path) if look.depth >= Depth.WHERE else ():
            yield from labelled("clocks", told, look, indent="")
        for told in boxes_of(path) if look.depth >= Depth.WHERE else ():
            yield from labelled("between", told, look, indent="")
    for remark in remarks(report):
        yield from labelled("note", remark, look, indent="")


def _flows(report: Report, judged: list[Judged], look: Look) -> Iterator[str]:
    if not judged:
        return
    shown = judged if look.depth >= Depth.WHERE else judged[:ROWS_AT_A_GLANCE]
    yield ""
    yield from flow_table(report, shown, form="simple", width=look.width)
    if len(shown) < len(judged):
        rest = judged[len(shown) :]
        yield f"and {count(len(rest), 'flow')} more: {tally(rest)} (-v lists them)"
    yield from (f"and {line}" for line in told_briefly(report))


def _findings(report: Report, judged: list[Judged], look: Look) -> Iterator[str]:
    worth_reading = [one for one in judged if one.needs_reading][:FINDINGS_AT_A_GLANCE]
    told = judged if look.depth >= Depth.WHERE else worth_reading
    for one in told:
        yield ""
        yield from finding(report, one, look)
    rest = len(judged) - len(told)
    if told and rest:
        known = {one.finding.id for one in told}
        left = [one for one in judged if one.finding.id not in known]
        yield ""
        yield f"Not told here: {tally(left)} (-v tells them)"


def _told_left_out(titles: list[str], width: int | None) -> list[str]:
    if not titles or width is None:
        return []
    return wrap(f"left out to fit the screen: {', '.join(titles)}", max(width, NARROWEST))


def _fitting(columns: tuple[Column, ...], cells: list[list[str]], width: int | None) -> list[int]:
    """Places of the columns that fit `width`; what can be spared goes first."""
    widths = _widths(columns, cells)
    kept = list(range(len(columns)))
    for place in sorted(kept, key=lambda place: -columns[place].spare):
        if _fits(width, widths, kept) or not columns[place].spare:
            break
        kept.remove(place)
    return kept


def _fits(width: int | None, widths: list[int], places: list[int]) -> bool:
    return width is None or sum(widths[place] for place in places) - SPACE_BETWEEN <= width


def _widths(columns: tuple[Column, ...], cells: list[list[str]]) -> list[int]:
    return [
        max(len(column.title) + HEAD_PADDING, *(len(line) for cell in values for line in cell.split("\n")))
        + SPACE_BETWEEN
        for column, values in zip(columns, cells, strict=True)
    ]


def _stacked(
    columns: tuple[Column, ...], cells: list[list[str]]
) -> tuple[tuple[Column, ...], list[list[str]]]:
    """The headend below the client: two addresses of IPv6 are wider than most terminals, and neither can be spared."""
    at = ENDS.start
    client, headend = columns[ENDS]
    both = client._replace(title=f"{client.title}, {headend.title}")
    pairs = ["\n".join(ends) for ends in zip(*cells[ENDS], strict=True)]
    return (*columns[:at], both, *columns[ENDS.stop :]), [*cells[:at], pairs, *cells[ENDS.stop :]]


def _carries(one: Judged) -> str:
    found = one.flow.encapsulation
    return found.kind if found.grade == "none" else f"{found.kind} {found.grade}"
