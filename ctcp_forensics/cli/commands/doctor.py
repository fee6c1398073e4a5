"""`doctor`: what is installed and in use.  Translates; does no work of its own."""

import sys

from ctcp_forensics.cli.commands.app import EXIT_STATUS_SHORT, app
from ctcp_forensics.cli.output import write


@app.command(
    short_help="Say what is installed and in use.",
    epilog=f"\b\nExamples:\n  ctcp-diag doctor\n  ctcp-diag doctor | grep kernel\n\n{EXIT_STATUS_SHORT}",
)
def doctor() -> None:
    """Say what is installed, which optional parts are present and whether the compiled core is in use."""
    from ctcp_forensics.doctor import examine, render

    write(sys.stdout, (render(examine()), "\n"))
