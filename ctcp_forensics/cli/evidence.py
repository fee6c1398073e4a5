"""An annotated capture, from what the user asked for to a file and an exit status.

Knows which of its troubles are the user's to mend.  Does not know what is written: see annotate.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import BinaryIO

from ctcp_forensics.annotate import TWICE, Request, Written, annotate, concerned
from ctcp_forensics.capture import STDIN, Access
from ctcp_forensics.cli.analysis import complain, diagnosed, options_of, sources_of
from ctcp_forensics.cli.ends import TROUBLE, Done, Refused, say
from ctcp_forensics.cli.output import STANDARD_OUTPUT, binary_destination
from ctcp_forensics.cli.progress import watched
from ctcp_forensics.cli.redaction import Veil
from ctcp_forensics.cli.stored import stored
from ctcp_forensics.errors import CtcpError
from ctcp_forensics.reading import Progress
from ctcp_forensics.render.judged import Judged, tally_of_all, worst_first
from ctcp_forensics.render.look import Depth
from ctcp_forensics.render.wording import count
from ctcp_forensics.report import Report

NOTHING_CONCERNED = 3
REDACTED = "the report is redacted, so its captures cannot be found; undo it first: `ctcp-diag redact --undo`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the user asked for."""

    output: str
    flows: tuple[str, ...] = ()
    whole: bool = False
    aligns: bool = True
    ports: frozenset[int] = frozenset()
    all_tcp: bool = False
    in_full: bool = False
    hash_all: bool = False
    access: Access = Access.PUBLIC_ONLY
    redact: str | None = None
    """A key file."""
    shows_progress: bool = True


def annotated_of(named: Mapping[str | None, Sequence[str] | None], wanted: Wanted) -> int:
    """Analyze the captures, then read them again."""
    sources = sources_of(named)
    paths = [source.path for source in sources]
    refuse_standard_input(paths)
    veil = veil_of(wanted)
    with binary_destination(wanted.output, paths) as file:
        report = diagnosed(sources, options_of(wanted), shows_progress=wanted.shows_progress)
        complain(report if veil is None else veil.over(report), Depth.WHAT)
        return written(report, wanted, file, veil, is_stored=False)


def annotated_from(name: str, wanted: Wanted) -> int:
    """Read the captures of a stored report again."""
    report = stored(name)
    if report.redacted_with is not None:
        raise Refused(f"{name}: {REDACTED}")
    paths = [capture.source for capture in report.captures]
    refuse_standard_input(paths)
    veil = veil_of(wanted)
    with binary_destination(wanted.output, [*paths, name]) as file:
        return written(report, wanted, file, veil, is_stored=True)


def veil_of(wanted: Wanted) -> Veil | None:
    return None if wanted.redact is None else Veil(wanted.redact, wanted.output)


def refuse_standard_input(paths: Sequence[str]) -> None:
    if STDIN in paths:
        raise Refused(TWICE)


def written(report: Report, wanted: Wanted, file: BinaryIO, veil: Veil | None, *, is_stored: bool) -> int:
    """`Done` where there is nothing to write: then no file appears."""
    if report.coverage.complete + report.coverage.partial == 0:
        raise Done(TROUBLE)
    try:
        flows = concerned(report, wanted.flows)
        if not flows and not wanted.whole:
            seen = tally_of_all(report, worst_first(report)) or "no flow was judged"
            say(f"nothing is written: no flow is concerned ({seen})")
            raise Done(NOTHING_CONCERNED)
        account = copied(report, flows, wanted, file, veil, is_stored=is_stored)
    except CtcpError as error:
        raise Refused(str(error)) from error
    say(told(account, flows, wanted))
    if account.blocks_left_out:
        say(
            f"not copied: {count(account.blocks_left_out, 'block')} that are no packets (names and secrets are)"
        )
    return 0


def copied(
    report: Report,
    flows: tuple[Judged, ...],
    wanted: Wanted,
    file: BinaryIO,
    veil: Veil | None,
    *,
    is_stored: bool,
) -> Written:
    with ExitStack() as lines:

        def progress(verb: str, source: str) -> Progress | None:
            line = watched(PurePath(source).name, wanted=wanted.shows_progress, verb=verb)
            return line if line is None else lines.enter_context(line)

        request = Request(
            report=report,
            concerned=flows,
            whole=wanted.whole,
            aligns=wanted.aligns,
            is_stored=is_stored,
            access=wanted.access,
            progress=progress,
        )
        return annotate(request, file.write) if veil is None else annotated_under(veil, request, file)


def annotated_under(veil: Veil, request: Request, file: BinaryIO) -> Written:
    """With pseudonyms in frames and sentences; flows have the same numbers in both reports."""
    words = veil.over(request.report)
    shown = {one.number: one for one in worst_first(words)}
    rewriter = veil.rewriter()
    account = annotate(
        replace(
            request,
            rewrite=rewriter,
            words=words,
            words_concerned=tuple(shown[one.number] for one in request.concerned),
        ),
        file.write,
    )
    veil.keep()
    if rewriter.cut:
        reasons = "; ".join(f"{reason} ({number})" for reason, number in rewriter.cut.most_common())
        say(
            f"{count(rewriter.cut.total(), 'frame')} shown in part, for what is not understood is cut off: {reasons}"
        )
    return account


def told(account: Written, flows: Sequence[Judged], wanted: Wanted) -> str:
    name = "standard output" if wanted.output == STANDARD_OUTPUT else wanted.output
    of = "all there are" if wanted.whole else f"of {count(len(flows), 'flow')}"
    return f"{name}: {count(account.frames, 'frame')}, {of}; {account.commented} with a comment"
