"""`redact`: keys, reports under pseudonyms, and back.  Translates; does no work of its own."""

from typing import Annotated

import typer

from ctcp_forensics.cli.commands.app import EXIT_STATUS_SHORT, DebugOption, app
from ctcp_forensics.cli.output import STANDARD_OUTPUT

NO_KEY = "none is named. `ctcp-diag redact --new-key FILE` makes one."
ONLY_A_KEY = "it makes a key and nothing else; --key takes it afterwards."
NO_SOURCE = "none is named. Give a report, with --undo any text; - is standard input."


@app.command(
    short_help="Put pseudonyms into a report, or take them back.",
    epilog="\b\nExamples:\n  ctcp-diag redact --new-key case.key\n"
    "  ctcp-diag analyze --redact case.key client.pcap\n"
    "  ctcp-diag redact --key case.key report.json -o to-the-vendor.json\n"
    "  ctcp-diag redact --undo --key case.key answer-of-the-vendor.txt\n\n"
    f"{EXIT_STATUS_SHORT}",
)
def redact(
    *,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE]",
            help="A report as JSON; with --undo any text that quotes one. - is standard input.",
        ),
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", metavar="KEYFILE", help="The key to do it with.")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Put the originals back.")] = False,
    new_key: Annotated[
        str | None, typer.Option("--new-key", metavar="KEYFILE", help="Make a key, and nothing else.")
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Write there, whole or not at all.")
    ] = STANDARD_OUTPUT,
    debug: DebugOption = False,  # as above
) -> None:
    """Replace addresses, names and hashes by pseudonyms that are the same in every output, or take them back.

    Addresses that share a prefix do so afterwards as well.  The key file remembers what every pseudonym stands for.
    """
    from ctcp_forensics.cli import redaction

    if new_key is not None:
        if (source, key, undo, output) != (None, None, False, STANDARD_OUTPUT):
            raise typer.BadParameter(ONLY_A_KEY, param_hint="--new-key")
        redaction.make_key(new_key)
        return
    if key is None:
        raise typer.BadParameter(NO_KEY, param_hint="--key")
    if source is None:
        raise typer.BadParameter(NO_SOURCE, param_hint="FILE")
    (redaction.undo if undo else redaction.redact_report)(source, key, output)
