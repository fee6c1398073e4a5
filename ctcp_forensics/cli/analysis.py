"""One run: sources to a written report to an exit status.

Knows what the user asked for.  Does not know how it is asked: see commands.
"""

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from ctcp_forensics.capture import HASH_LIMIT
from ctcp_forensics.cli.ends import TROUBLE, say
from ctcp_forensics.cli.output import destination, look, write
from ctcp_forensics.cli.page import page_destination, write_page
from ctcp_forensics.cli.pictures import checked, plot, sketched, with_pictures
from ctcp_forensics.cli.progress import watched
from ctcp_forensics.cli.redaction import veil
from ctcp_forensics.pipeline import diagnose
from ctcp_forensics.reading import CTCP_PORT, Options, Source
from ctcp_forensics.render import render
from ctcp_forensics.render.look import Depth
from ctcp_forensics.render.path import remarks
from ctcp_forensics.render.wording import at, count
from ctcp_forensics.report import Report, exit_status

DAMAGE_AT_A_GLANCE = 3  # lines for one capture; the report has the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """How and where the user wants a report written."""

    form: str
    output: str
    depth: Depth
    color: str
    plot: str | None = None
    """A file to draw the worst flow into."""
    has_sketch: bool = False
    page: str | None = None
    """Where the HTML page goes; None: none is wanted."""

    @property
    def is_drawn(self) -> bool:
        return self.has_sketch or self.plot is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Rendering):
    """What the user asked for."""

    sources: Sequence[Source]
    ports: frozenset[int] = frozenset()
    all_tcp: bool = False
    hash_all: bool = False
    allows_private: bool = False
    redact: str | None = None
    """A key file."""
    shows_progress: bool = True
    has_pictures: bool = False

    @property
    def pictures_wanted(self) -> int:
        """As many as fit a report that is kept; for looking at one, one."""
        if self.form == "json" and (self.has_pictures or self.is_drawn):
            from ctcp_forensics.picture import MAX_PICTURES

            return MAX_PICTURES
        return 1 if self.is_drawn else 0


def answer(request: Request) -> int:
    """Analyze, write, and return the exit status."""
    paths = [source.path for source in request.sources]
    _check_plot(request)
    with (
        destination(request.output, paths) as text,
        page_destination(request.page, request.output, paths) as html,
    ):
        under_pseudonyms = veil(request.redact, request.output, request.page, request.plot)
        options = options_of(request.ports, all_tcp=request.all_tcp, hash_all=request.hash_all)
        options = replace(options, allows_private=request.allows_private)
        found = diagnosed(request.sources, options, shows_progress=request.shows_progress)
        pictured = _pictured(found, request)
        report = under_pseudonyms(pictured)
        complain(report, request.depth)
        if html is not None:
            write_page(html, pictured, report, watched(_what(request.sources), wanted=request.shows_progress))
        _render(report, request, text)
    _plot(report, request, paths)
    return status(report)


def drawable(report: Report, wanted: Rendering) -> Report:
    """A stored report with the picture that is asked for: its own, or one of its captures, which are read again."""
    _check_plot(wanted)
    if wanted.is_drawn and not report.pictures:
        return with_pictures(report, at_most=1, progress=None)
    return report


def written(found: Report, shown: Report, wanted: Rendering, source: str) -> int:
    """Write a stored report, which came from `source`, as it may be shown; return the exit status of its analysis."""
    with (
        destination(wanted.output, [source]) as text,
        page_destination(wanted.page, wanted.output, [source]) as html,
    ):
        if html is not None:
            write_page(html, found, shown)
        _render(shown, wanted, text)
    _plot(shown, wanted, [source])
    return status(shown)


def _render(report: Report, wanted: Rendering, text: TextIO) -> None:
    seen_as = look(wanted.depth, wanted.color, wanted.output)
    write(text, render(report, wanted.form, seen_as))
    if wanted.has_sketch and wanted.form == "table":
        write(text, sketched(report, seen_as, wanted.output))


def _check_plot(wanted: Rendering) -> None:
    if wanted.plot is not None:
        checked(wanted.plot)


def _plot(report: Report, wanted: Rendering, sources: Sequence[str]) -> None:
    if wanted.plot is not None:
        plot(report, wanted.plot, sources)


def status(report: Report) -> int:
    """As the report has it; where nothing at all could be read there is nothing to be clean."""
    if report.coverage.complete + report.coverage.partial == 0:
        return TROUBLE
    return exit_status(report)


def sources_of(named: Mapping[str | None, Sequence[str] | None]) -> list[Source]:
    """Captures with the vantage point that each was named for; None: that is to be inferred."""
    return [
        Source(path=path, vantage=vantage) for vantage, some in named.items() for path in expanded(some or ())
    ]


def expanded(sources: Sequence[str]) -> list[str]:
    """Patterns that a shell left alone become the files they match; a file of that very name comes first."""
    found: list[str] = []
    for source in sources:
        is_pattern = glob.has_magic(source) and not os.path.lexists(source)
        # Path.glob takes no absolute pattern.
        matches = sorted(glob.glob(source, recursive=True)) if is_pattern else []  # noqa: PTH207
        found += matches or [source]
    return found


def depth(verbose: int, *, quiet: bool) -> Depth:
    """-q, nothing, -v, -vv; more v than that ask for no more."""
    return Depth.VERDICT if quiet else Depth(min(Depth.WHAT + verbose, Depth.WHY))


def options_of(ports: frozenset[int], *, all_tcp: bool, hash_all: bool) -> Options:
    return Options(
        ports=frozenset({CTCP_PORT}) | ports,
        all_tcp=all_tcp,
        hash_limit=None if hash_all else HASH_LIMIT,
    )


def diagnosed(sources: Sequence[Source], options: Options, *, shows_progress: bool) -> Report:
    line = watched(_what(sources), wanted=shows_progress)
    if line is None:
        return diagnose(sources, options)
    with line:
        return diagnose(sources, options, line)


def _pictured(report: Report, request: Request) -> Report:
    if not request.pictures_wanted:
        return report
    line = watched(_what(request.sources), wanted=request.shows_progress)
    with line or nullcontext():
        return with_pictures(report, at_most=request.pictures_wanted, progress=line)


def _what(sources: Sequence[Source]) -> str:
    return Path(sources[0].path).name if len(sources) == 1 else count(len(sources), "capture")


def complain(report: Report, depth: Depth) -> None:
    """What could not be read is said in any case; damage, and what is odd about the captures, for who reads on."""
    for failed in report.coverage.failed:
        say(f"{failed.source}: {at(failed.offset)}{failed.reason}")
    if depth > Depth.VERDICT:
        for line in (*_damage(report), *remarks(report)):
            say(line)


def _damage(report: Report) -> Iterator[str]:
    for capture in report.captures:
        for damage in capture.damage[:DAMAGE_AT_A_GLANCE]:
            yield f"{capture.source}: {at(damage.offset)}{damage.reason}"
        left = len(capture.damage) - DAMAGE_AT_A_GLANCE
        if left > 0:
            yield f"{capture.source}: {left} more places are damaged"
