"""`merge`: the stores of several runs as one.  Translates; does no work of its own."""

from pathlib import Path
from typing import Annotated

import typer

from ctcp_forensics.cli.commands.app import EXIT_STATUS_SHORT, DebugOption, app
from ctcp_forensics.cli.ends import Done


@app.command(
    short_help="Join the stores of several scans, such as those of --shard.",
    epilog="\b\nExamples:\n  ctcp-diag merge part-1 part-2 part-3 -o results\n  ctcp-diag merge part-* -o results\n\n"
    f"{EXIT_STATUS_SHORT}",
)
def merge(
    *,
    stores: Annotated[list[Path], typer.Argument(metavar="STORE...", help="What `scan --store` wrote.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="STORE", help="A new store, or one that is there already."),
    ],
    debug: DebugOption = False,  # `main` looks for it
) -> None:
    """Join stores into one, as if one scan had looked at everything.

    Entries with the same content are told once, whichever store they come from.  No capture is opened.  Merging the
    same stores again changes nothing; where two stores know one file at two times, the one named last is taken.
    """
    from ctcp_forensics.cli.sweeping import merged

    raise Done(merged(stores, output))
