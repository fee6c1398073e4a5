"""`compare`: whether a change mended it, by two stored reports.  Translates; does no work of its own."""

from typing import Annotated

import typer

from ctcp_forensics.cli.commands.app import (
    Color,
    ColorOption,
    DebugOption,
    JsonOption,
    OutputOption,
    RedactOption,
    TableFormat,
    app,
    form_of,
)
from ctcp_forensics.cli.ends import Done
from ctcp_forensics.cli.output import STANDARD_OUTPUT, destination, look, write, write_utf8

EXIT_STATUS_OF = {"fixed": 0, "not-fixed": 1, "not-tested": 3, "cannot-be-told": 3}


@app.command(
    short_help="Say whether a change mended it: before and after.",
    epilog="\b\nExamples:\n  ctcp-diag compare before.json after.json\n"
    "  ctcp-diag compare --json before.json after.json\n"
    "  ctcp-diag analyze -f json after.pcap | ctcp-diag compare before.json -\n\n\b\nExit status:\n"
    "  0    fixed: segments were lost on the way to the firewall, and the flows went on\n"
    "  1    not fixed: a flow died of it again\n"
    "  2    wrong usage, internal error, or no report\n"
    "  3    cannot be told: nothing was lost, other clients, or too little shown",
)
def compare(
    *,
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="A stored report; - is standard input.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="Another one, from after the change.")],
    form: Annotated[
        TableFormat, typer.Option("--format", "-f", help="How the comparison is written.")
    ] = TableFormat.TABLE,
    as_json: JsonOption = False,
    output: OutputOption = STANDARD_OUTPUT,
    redact: RedactOption = None,
    color: ColorOption = Color.AUTO,
    debug: DebugOption = False,  # as above
) -> None:
    """Compare reports of the same clients and headend, made before and after a change.

    Flows are matched by the networks of both ends. That nothing failed is no proof where nothing was lost.
    """
    from ctcp_forensics import compare as comparing
    from ctcp_forensics.cli.redaction import veil
    from ctcp_forensics.cli.stored import stored
    from ctcp_forensics.render import comparison
    from ctcp_forensics.render.look import Depth

    under_pseudonyms = veil(redact, output)
    found = comparing.compare(under_pseudonyms(stored(before)), under_pseudonyms(stored(after)))
    with destination(output, [before, after]) as text:
        if form_of(form, as_json=as_json) == TableFormat.JSON:
            write_utf8(text, comparison.as_json(found))
        else:
            write(text, comparison.comparison(found, look(Depth.WHAT, color, output)))
    raise Done(EXIT_STATUS_OF[found.outcome])
