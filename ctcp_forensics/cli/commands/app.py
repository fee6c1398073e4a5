"""The application: its help, the options that commands share, and `--version`.

Knows Typer.  Does not know the commands: see their modules.
"""

from enum import StrEnum
from typing import Annotated, TypeVar

import typer

EXIT_STATUS = """\b
Exit status:
  0    no flow has unanswered duplicate ACKs
  1    at least one flow has
  2    wrong usage, internal error, or nothing could be read
  3    none found, but not everything was looked at:
       a file is damaged or missing, or a limit was reached
  130  interrupted"""
EXIT_STATUS_SHORT = "Exit status: 0 done, 2 wrong usage or internal error."

app = typer.Typer(
    help="Says from packet captures whether Cisco IPsec over TCP (cTCP) died of unanswered duplicate ACKs "
    "(Cisco TAC 113578), and how it knows.",
    epilog="\b\nExamples:\n  ctcp-diag analyze client.pcap\n  ctcp-diag demo\n"
    f"  ctcp-diag explain unanswered-duplicate-acks\n\n{EXIT_STATUS}",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich would treble the time that --help takes
)


class Format(StrEnum):
    """Renderings, by the names in `render.FORMATS`, and the page, which is drawn from captures as well."""

    TABLE = "table"
    NOTE = "note"
    JSON = "json"
    NDJSON = "ndjson"
    MARKDOWN = "markdown"
    CSV = "csv"
    HTML = "html"


class TableFormat(StrEnum):
    """How an answer is written that is a table for people and JSON for programs."""

    TABLE = "table"
    JSON = "json"


class TextFormat(StrEnum):
    """How an answer is written that is a text for people and JSON for programs."""

    TEXT = "text"
    JSON = "json"


class Color(StrEnum):
    """When to use colours."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How the report is written.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Short for --format json.")]
OutputOption = Annotated[
    str, typer.Option("--output", "-o", metavar="FILE", help="Write it there, whole or not at all.")
]
PageOption = Annotated[
    str | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="Write the page of --format html there as well: with diagrams, for a browser without a network.",
    ),
]
VerboseOption = Annotated[
    int,
    typer.Option("--verbose", "-v", count=True, help="Tell where; twice: tell why, too.", show_default=False),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Only the verdict, in one sentence.")]
ColorOption = Annotated[
    Color, typer.Option("--color", help="auto: on a terminal, unless NO_COLOR is set or TERM is dumb.")
]
PlotOption = Annotated[
    str | None,
    typer.Option(
        "--plot",
        metavar="FILE",
        help="Draw the decisive seconds of the worst flow; .svg, or .png with resvg-py.",
    ),
]
SketchOption = Annotated[bool, typer.Option("--sketch", help="Draw them in the terminal, below the table.")]
RedactOption = Annotated[
    str | None,
    typer.Option(
        "--redact",
        metavar="KEYFILE",
        help="Put pseudonyms in the place of addresses, names and hashes; see `ctcp-diag redact`.",
    ),
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an internal error.")]


Form = TypeVar("Form", bound=StrEnum)


def form_of(form: Form, *, as_json: bool) -> Form:
    """`--json` is what most programs call it."""
    return type(form)("json") if as_json else form


@app.callback()
def common(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    if version:
        from ctcp_forensics import __version__

        typer.echo(f"ctcp-diag {__version__}")
        raise typer.Exit
