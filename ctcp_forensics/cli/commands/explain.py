"""`explain`: what a verdict means and requires.  Translates; does no work of its own."""

import sys
from typing import Annotated

import typer

from ctcp_forensics.cli.commands.app import (
    EXIT_STATUS_SHORT,
    DebugOption,
    JsonOption,
    TextFormat,
    app,
    form_of,
)
from ctcp_forensics.cli.output import write, write_utf8


def _verdicts(incomplete: str) -> list[str]:
    from ctcp_forensics.cli.explain import slugs

    return [slug for slug in slugs() if slug.startswith(incomplete)]


@app.command(
    short_help="Say what a verdict means and requires.",
    epilog="\b\nExamples:\n  ctcp-diag explain\n  ctcp-diag explain unanswered-duplicate-acks\n"
    "  ctcp-diag explain --json\n\n"
    f"{EXIT_STATUS_SHORT}",
)
def explain(
    *,
    verdict: Annotated[
        str | None,
        typer.Argument(
            metavar="[VERDICT]", help="A verdict; without it, all are listed.", autocompletion=_verdicts
        ),
    ] = None,
    form: Annotated[TextFormat, typer.Option("--format", "-f", help="How it is written.")] = TextFormat.TEXT,
    as_json: JsonOption = False,
    debug: DebugOption = False,  # `main` looks for it
) -> None:
    """Say what a verdict means, what it requires and what would refute it."""
    from ctcp_forensics.cli.explain import as_objects, catalogue, explanation

    if form_of(form, as_json=as_json) == TextFormat.JSON:
        write_utf8(sys.stdout, as_objects(verdict))
    else:
        write(sys.stdout, catalogue() if verdict is None else explanation(verdict))
