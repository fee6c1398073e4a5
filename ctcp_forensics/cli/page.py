"""The page on request: where it goes, and what its diagrams are drawn from.

Knows files, captures that can be read again, and pictures that a report keeps.  Does not know what a page looks like:
see render.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, TextIO

from ctcp_forensics.capture import Access
from ctcp_forensics.cli.ends import Refused, say
from ctcp_forensics.cli.output import destination, write_utf8
from ctcp_forensics.cli.progress import Progress
from ctcp_forensics.render.wording import count

if TYPE_CHECKING:
    from ctcp_forensics.report import Report
    from ctcp_forensics.trace import Trace


def page_destination(
    name: str | None, output: str, paths: Iterable[str]
) -> AbstractContextManager[TextIO | None]:
    """A text to write the page to; None where none is wanted."""
    if name is None:
        return nullcontext()
    if name == output:
        raise Refused(f"the report and the page cannot both go to {name}: name another file")
    return destination(name, paths)


def write_page(
    html: TextIO, found: Report, shown: Report, progress: Progress | None, *, access: Access
) -> None:
    """The page of the report that may be shown; its diagrams are of what was found, under the names that are shown."""
    from ctcp_forensics.render.page import page
    from ctcp_forensics.report import ReportError
    from ctcp_forensics.retrace import as_told_by

    with progress or nullcontext():
        traces = [*traces_of_captures(found, progress, access=access)]
    drawn = {trace.flow for trace in traces}
    try:
        traces += (trace for trace in traces_of_pictures(found) if trace.flow not in drawn)
        told = as_told_by(shown, found, traces)
    except ReportError as error:
        raise Refused(str(error)) from error
    write_utf8(html, page(shown, told))


def traces_of_captures(report: Report, progress: Progress | None, *, access: Access) -> tuple[Trace, ...]:
    """The flows that the page tells at length, whole, where the captures can be read again."""
    from ctcp_forensics.render.page import flows_at_length
    from ctcp_forensics.retrace import MAX_TRACED, retrace

    again = retrace(report, flows_at_length(report), progress, access=access)
    for failed in again.failed:
        say(f"no diagram of {failed.source}: {failed.reason}")
    if again.flows_left_out:
        say(
            f"diagrams are of the {MAX_TRACED} worst flows; {count(again.flows_left_out, 'flow')} more have none"
        )
    return again.traces


def traces_of_pictures(report: Report) -> Iterator[Trace]:
    """The decisive seconds that the report keeps: enough for a diagram when the captures are gone."""
    from ctcp_forensics.picture import traces_in

    for picture in report.pictures:
        yield from traces_in(picture)
