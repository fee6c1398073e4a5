"""`demo`: an analysis without a capture.  Translates; does no work of its own."""

from pathlib import Path
from typing import Annotated

import typer

from ctcp_forensics.cli.commands.app import (
    Color,
    ColorOption,
    DebugOption,
    Format,
    FormatOption,
    JsonOption,
    OutputOption,
    PageOption,
    QuietOption,
    RedactOption,
    VerboseOption,
    app,
    form_of,
)
from ctcp_forensics.cli.ends import Done
from ctcp_forensics.cli.output import STANDARD_OUTPUT


@app.command(
    short_help="Analyze captures made on the spot, from three places.",
    epilog="\b\nExamples:\n  ctcp-diag demo\n  ctcp-diag demo -vv\n  ctcp-diag demo --keep . --format json\n\n"
    "Exit status: as of analyze; the demonstration shows the failure, so it ends with 1.",
)
def demo(
    *,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="FOLDER", help="Keep the captures there, for a look with Wireshark."),
    ] = None,
    form: FormatOption = Format.TABLE,
    as_json: JsonOption = False,
    output: OutputOption = STANDARD_OUTPUT,
    report: PageOption = None,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    redact: RedactOption = None,
    color: ColorOption = Color.AUTO,
    debug: DebugOption = False,  # as above
) -> None:
    """Make captures of one failure, at the client and on both sides of the firewall, and analyze them as one case.

    Needs no capture and no network.
    """
    from ctcp_forensics.cli.analysis import Request, answer, depth
    from ctcp_forensics.cli.demonstration import demo_captures

    # Files are named from where the user stands; the demonstration may stand in a folder that passes.
    output = output if output == STANDARD_OUTPUT else str(Path(output).absolute())
    report = report if report is None else str(Path(report).absolute())
    with demo_captures(keep) as sources:
        request = Request(
            sources=sources,
            form=form_of(form, as_json=as_json),
            output=output,
            page=report,
            depth=depth(verbose, quiet=quiet),
            color=color,
            redact=redact,
            shows_progress=False,
        )
        raise Done(answer(request))
