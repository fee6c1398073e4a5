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
    JsonOption,
    OutputOption,
    PageOption,
    PlotOption,
    QuietOption,
    RedactOption,
    SketchOption,
    VerboseOption,
    app,
    form_of,
)
from ctcp_forensics.cli.commands.captures import PrivateOption, UrlOption, access_of, name_in_full
from ctcp_forensics.cli.ends import Done
from ctcp_forensics.cli.output import STANDARD_OUTPUT

ReportArgument = Annotated[
    str, typer.Argument(metavar="REPORT", help="What `analyze --format json` wrote; - is standard input.")
]


@app.command(
    short_help="Write a stored report in another form, without analyzing again.",
    epilog="\b\nExamples:\n  ctcp-diag analyze --format json -o report.json client.pcap\n"
    "  ctcp-diag render report.json --format note\n  ctcp-diag render -vv report.json\n"
    "  ctcp-diag render -q report.json --plot death.svg\n"
    "  ctcp-diag render -q report.json --report report.html\n"
    f"  zcat report.json.gz | ctcp-diag render - --format markdown -o report.md\n\n{EXIT_STATUS}",
)
def render(
    *,
    report: ReportArgument,
    form: FormatOption = Format.TABLE,
    as_json: JsonOption = False,
    output: OutputOption = STANDARD_OUTPUT,
    page: PageOption = None,
    plot: PlotOption = None,
    sketch: SketchOption = False,
    url: UrlOption = None,
    allow_private_addresses: PrivateOption = False,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    redact: RedactOption = None,
    color: ColorOption = Color.AUTO,
    debug: DebugOption = False,  # as above
) -> None:
    """Write a stored report as a table, a case note, Markdown, CSV, NDJSON, JSON or an HTML page.

    Answers with the exit status of the analysis.  Needs no capture.  For diagrams of whole flows, or for a picture that
    the report does not hold (see `analyze --pictures`), its captures are read again; where they are gone, the page
    shows the pictures that the report holds.
    """
    from ctcp_forensics.cli.analysis import Rendering, depth, written
    from ctcp_forensics.cli.redaction import veil
    from ctcp_forensics.cli.stored import stored

    name_in_full(url)
    look = Rendering(
        form=form_of(form, as_json=as_json),
        output=output,
        depth=depth(verbose, quiet=quiet),
        color=color,
        plot=plot,
        has_sketch=sketch,
        page=page,
        access=access_of(allow_private_addresses),
    )
    under_pseudonyms = veil(redact, output, page, plot)
    raise Done(written(stored(report), under_pseudonyms, look, report))
