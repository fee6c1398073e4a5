"""`render`: any rendering of a stored report.  Translates; does no work of its own."""

from typing import Annotated

import typer

from ctcp_forensics.cli.commands.app import (
    EXIT_STATUS,
    Color,
    ColorOption,
    DebugOption,
    Format,
    FormatOption,
    OutputOption,
    QuietOption,
    RedactOption,
    VerboseOption,
    app,
)
from ctcp_forensics.cli.ends import Done
from ctcp_forensics.cli.output import STANDARD_OUTPUT

ReportArgument = Annotated[
    str, typer.Argument(metavar="REPORT", help="What `analyze --format json` wrote; - is standard input.")
]


@app.command(
    short_help="Write a stored report in another form, without analyzing again.",
    epilog="\b\nExamples:\n  ctcp-diag analyze --format json -o report.json client.pcap\n"
    "  ctcp-diag render report.json --format note\n  ctcp-diag render -vv report.json\n"
    f"  zcat report.json.gz | ctcp-diag render - --format markdown -o report.md\n\n{EXIT_STATUS}",
)
def render(
    *,
    report: ReportArgument,
    form: FormatOption = Format.TABLE,
    output: OutputOption = STANDARD_OUTPUT,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    redact: RedactOption = None,
    color: ColorOption = Color.AUTO,
    debug: DebugOption = False,  # as above
) -> None:
    """Write a stored report as a table, a case note, Markdown, CSV, NDJSON or JSON.

    Needs no capture, reads none, and answers with the exit status of the analysis.
    """
    from ctcp_forensics.cli.analysis import Rendering, depth, written
    from ctcp_forensics.cli.redaction import veil
    from ctcp_forensics.cli.stored import stored

    look = Rendering(form=form, output=output, depth=depth(verbose, quiet=quiet), color=color)
    under_pseudonyms = veil(redact, output)
    raise Done(written(under_pseudonyms(stored(report)), look, report))
