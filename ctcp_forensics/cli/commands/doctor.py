"""`doctor`: what is installed and in use.  Translates; does no work of its own."""

import sys
from typing import Annotated

import typer

from ctcp_forensics.cli.commands.app import (
    EXIT_STATUS_SHORT,
    DebugOption,
    JsonOption,
    TableFormat,
    app,
    form_of,
)
from ctcp_forensics.cli.output import write, write_utf8


@app.command(
    short_help="Say what is installed and in use.",
    epilog=f"\b\nExamples:\n  ctcp-diag doctor\n  ctcp-diag doctor | grep kernel\n  ctcp-diag doctor --json\n\n"
    f"{EXIT_STATUS_SHORT}",
)
def doctor(
    *,
    form: Annotated[
        TableFormat, typer.Option("--format", "-f", help="How it is written.")
    ] = TableFormat.TABLE,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # `main` looks for it
) -> None:
    """Say what is installed, which optional parts are present and whether the compiled core is in use."""
    from ctcp_forensics.doctor import as_objects, examine, render

    if form_of(form, as_json=as_json) == TableFormat.JSON:
        write_utf8(sys.stdout, (as_objects(examine()), "\n"))
    else:
        write(sys.stdout, (render(examine()), "\n"))
