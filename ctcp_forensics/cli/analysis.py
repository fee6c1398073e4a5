"""One run: sources to a written report to an exit status.

Knows what the user asked for.  Does not know how it is asked: see commands.  Where few captures need a module, it is
imported there: most runs of an archive are shorter than loading all of them would take.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol, TextIO

import msgspec

from ctcp_forensics.capture import BY_THE_WAY, WHOLLY, Access
from ctcp_forensics.capture.names import scheme_of
from ctcp_forensics.cli.ends import TROUBLE, Refused, at_interrupt, say
from ctcp_forensics.cli.output import destination, look, refuse_unwritable, write, write_utf8
from ctcp_forensics.pipeline import diagnose
from ctcp_forensics.reading import CTCP_PORT, MAX_IN_FULL, Options, Source
from ctcp_forensics.render import render
from ctcp_forensics.render.look import Depth
from ctcp_forensics.report import Report, exit_status

if TYPE_CHECKING:
    from ctcp_forensics.cli.progress import Progress

CAN_STOP_PIPES = os.name == "posix"  # elsewhere nobody can wait for a pipe and for something else
PAGE = "html"  # the form that is no text for a terminal: what it is drawn from is read again
PAGE_ENDINGS = (".html", ".htm")
DAMAGE_AT_A_GLANCE = 3  # lines for one capture; the report has the rest


class Rendering(msgspec.Struct, frozen=True, kw_only=True):
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
    access: Access = Access.PUBLIC_ONLY

    @property
    def is_drawn(self) -> bool:
        return self.has_sketch or self.plot is not None


class Request(Rendering, frozen=True, kw_only=True):
    """What the user asked for."""

    sources: Sequence[Source]
    ports: frozenset[int] = frozenset()
    all_tcp: bool = False
    in_full: bool = False
    """Every flow, however many are well."""
    hash_all: bool = False
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
    _check_names(request, paths)
    with destination(request.output, paths) as text, _page_destination(request, paths) as html:
        under_pseudonyms = _veil(request)
        options = options_of(request)
        found = diagnosed(request.sources, options, shows_progress=request.shows_progress)
        pictured = _pictured(found, request)
        report = under_pseudonyms(pictured)
        complain(report, request.depth)
        for file in _page_files(text, html, request):
            line = _progress(request.sources, wanted=request.shows_progress)
            _write_page(file, pictured, report, request, line)
        _render(report, request, text)
    _plot(report, request, paths)
    return status(report)


def written(
    found: Report, under_pseudonyms: Callable[[Report], Report], wanted: Rendering, source: str
) -> int:
    """Write a stored report, which came from `source`, as it may be shown; return the exit status of its analysis."""
    _check_names(wanted, [source])
    with destination(wanted.output, [source]) as text, _page_destination(wanted, [source]) as html:
        pictured = _drawable(found, wanted)
        shown = under_pseudonyms(pictured)
        for file in _page_files(text, html, wanted):
            _write_page(file, pictured, shown, wanted)
        _render(shown, wanted, text)
    _plot(shown, wanted, [source])
    return status(shown)


def _drawable(report: Report, wanted: Rendering) -> Report:
    """A stored report with the picture that is asked for: its own, or one of its captures, which are read again."""
    if wanted.is_drawn and not report.pictures:
        from ctcp_forensics.cli.pictures import with_pictures

        return with_pictures(report, at_most=1, progress=None, access=wanted.access)
    return report


def _render(report: Report, wanted: Rendering, text: TextIO) -> None:
    if wanted.form == PAGE:
        return
    if wanted.form == "json":
        write_utf8(text, report.json_pieces())
        return
    seen_as = look(wanted.depth, wanted.color, wanted.output)
    if wanted.form == "ndjson":
        write_utf8(text, render(report, wanted.form, seen_as))
        return
    write(text, render(report, wanted.form, seen_as))
    if wanted.has_sketch and wanted.form == "table":
        from ctcp_forensics.cli.pictures import sketched

        write(text, sketched(report, seen_as, wanted.output))


def _check_names(wanted: Rendering, sources: Sequence[str]) -> None:
    """Before any work: whether each file can be what its name says, and the picture, which comes last, be written."""
    if wanted.form != PAGE and wanted.output.lower().endswith(PAGE_ENDINGS):
        raise Refused(
            f"{wanted.output} would be no page: --format {PAGE} makes it one, --report writes one beside a report"
        )
    if wanted.plot is None:
        return
    from ctcp_forensics.cli.pictures import checked

    checked(wanted.plot)
    refuse_unwritable(wanted.plot, sources)
    if wanted.plot in (wanted.output, wanted.page):
        raise Refused(f"the picture cannot go to {wanted.plot} as well: name another file")


def _plot(report: Report, wanted: Rendering, sources: Sequence[str]) -> None:
    if wanted.plot is not None:
        from ctcp_forensics.cli.pictures import plot

        plot(report, wanted.plot, sources)


def _page_destination(wanted: Rendering, paths: Sequence[str]) -> AbstractContextManager[TextIO | None]:
    """A text to write the page beside the report to; None where none is wanted."""
    if wanted.page is None:
        return nullcontext()
    from ctcp_forensics.cli.page import page_destination

    return page_destination(wanted.page, wanted.output, paths)


def _page_files(text: TextIO, beside: TextIO | None, wanted: Rendering) -> Iterator[TextIO]:
    """Where pages go: beside the report, in its place, or both."""
    if beside is not None:
        yield beside
    if wanted.form == PAGE:
        yield text


def _write_page(
    html: TextIO, found: Report, shown: Report, wanted: Rendering, progress: Progress | None = None
) -> None:
    from ctcp_forensics.cli.page import write_page

    write_page(html, found, shown, progress, access=wanted.access)


def _veil(request: Request) -> Callable[[Report], Report]:
    """What is done to a report before anything is made of it."""
    if request.redact is None:
        return lambda report: report
    from ctcp_forensics.cli.redaction import veil

    return veil(request.redact, request.output, request.page, request.plot)


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
        found += [source] if os.path.lexists(source) else _matches(source) or [_as_it_is(source)]
    return found


def _as_it_is(name: str) -> str:
    r"""Tables of an archive write a hostile name with escapes, such as `\u000a`: the file that it stands for."""
    if "\\" not in name:
        return name
    from ctcp_forensics.capture.files import container_file
    from ctcp_forensics.capture.names import unshown

    real = unshown(name)
    return real if os.path.lexists(real) or container_file(real) is not None else name


def _matches(pattern: str) -> list[str]:
    import glob

    # Path.glob takes no absolute pattern.
    return sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) else []  # noqa: PTH207


def depth(verbose: int, *, quiet: bool) -> Depth:
    """-q, nothing, -v, -vv; more v than that ask for no more."""
    return Depth.VERDICT if quiet else Depth(min(Depth.WHAT + verbose, Depth.WHY))


class Asked(Protocol):
    """What of a command's options the analysis depends on."""

    @property
    def ports(self) -> frozenset[int]: ...
    @property
    def all_tcp(self) -> bool: ...
    @property
    def in_full(self) -> bool: ...
    @property
    def hash_all(self) -> bool: ...
    @property
    def access(self) -> Access: ...


def options_of(asked: Asked) -> Options:
    return Options(
        ports=frozenset({CTCP_PORT}) | asked.ports,
        all_tcp=asked.all_tcp,
        access=asked.access,
        hashing=WHOLLY if asked.hash_all else BY_THE_WAY,
        max_in_full=None if asked.in_full else MAX_IN_FULL,
        at_interrupt=at_interrupt if CAN_STOP_PIPES else None,
    )


def diagnosed(sources: Sequence[Source], options: Options, *, shows_progress: bool) -> Report:
    line = _progress(sources, wanted=shows_progress)
    if line is None:
        return diagnose(sources, options)
    with line:
        return diagnose(sources, options, line)


def _pictured(report: Report, request: Request) -> Report:
    if not request.pictures_wanted:
        return report
    from ctcp_forensics.cli.pictures import with_pictures

    line = _progress(request.sources, wanted=request.shows_progress)
    with line or nullcontext():
        return with_pictures(
            report,
            at_most=request.pictures_wanted,
            progress=line,
            access=request.access,
        )


def _progress(sources: Sequence[Source], *, wanted: bool) -> Progress | None:
    """A line on the terminal, where somebody would see it."""
    if not wanted or not sys.stderr.isatty():
        return None
    from ctcp_forensics.cli.progress import watched

    what = _last_part(sources[0].path) if len(sources) == 1 else f"{len(sources)} captures"
    return watched(what, wanted=wanted)


def _last_part(name: str) -> str:
    """Without what may be a signature: others may look on, and terminals are recorded."""
    if scheme_of(name) is not None:
        from ctcp_forensics.capture.remote import without_secrets

        name = without_secrets(name)
    return name.rpartition("/")[2]


def complain(report: Report, depth: Depth) -> None:
    """What could not be read is said in any case; damage, and what is odd about the captures, for who reads on."""
    if not has_complaints(report):
        return  # the words are not loaded: a thirtieth of what a small capture takes
    from ctcp_forensics.render.path import remarks
    from ctcp_forensics.render.wording import at

    for failed in report.coverage.failed:
        say(f"{failed.source}: {at(failed.offset)}{failed.reason}")
    if depth > Depth.VERDICT:
        for line in (*_damage(report), *remarks(report)):
            say(line)


def has_complaints(report: Report) -> bool:
    is_damaged = any(capture.damage for capture in report.captures)
    return bool(report.coverage.failed or report.notes or report.paths or report.redacted_with or is_damaged)


def _damage(report: Report) -> Iterator[str]:
    from ctcp_forensics.render.wording import at

    for capture in report.captures:
        for damage in capture.damage[:DAMAGE_AT_A_GLANCE]:
            yield f"{capture.source}: {at(damage.offset)}{damage.reason}"
        left = len(capture.damage) - DAMAGE_AT_A_GLANCE
        if left > 0:
            yield f"{capture.source}: {left} more places are damaged"
