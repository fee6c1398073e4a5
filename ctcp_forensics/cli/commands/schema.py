"""`schema`: the JSON Schema of the report.  Translates; does no work of its own."""

import sys

from ctcp_forensics.cli.commands.app import EXIT_STATUS_SHORT, DebugOption, app
from ctcp_forensics.cli.output import write_utf8


@app.command(
    short_help="Print the JSON Schema of the report.",
    epilog="\b\nExamples:\n  ctcp-diag schema > report.schema.json\n  ctcp-diag schema | head\n\n"
    f"{EXIT_STATUS_SHORT}",
)
def schema(*, debug: DebugOption = False) -> None:  # `main` looks for it
    """Print the JSON Schema of the report."""
    from ctcp_forensics.report.published import schema_json

    write_utf8(sys.stdout, (schema_json(),))
