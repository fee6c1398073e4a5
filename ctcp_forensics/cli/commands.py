"""The commands: what can be asked for, its help, and how it is translated.

Knows Typer.  Does no work of its own.
"""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ctcp_forensics.cli.ends import Done
from ctcp_forensics.cli.output import STANDARD_OUTPUT, write

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
    """Renderings, by the names in `render.FORMATS`."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    MARKDOWN = "markdown"
    CSV = "csv"


class CheckFormat(StrEnum):
    """How a crosscheck is written."""

    TABLE = "table"
    JSON = "json"


class Color(StrEnum):
    """When to use colours."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How the report is written.")]
OutputOption = Annotated[
    str, typer.Option("--output", "-o", metavar="FILE", help="Write the report there, whole or not at all.")
]
VerboseOption = Annotated[
    int,
    typer.Option("--verbose", "-v", count=True, help="Tell where; twice: tell why, too.", show_default=False),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Only the verdict, in one sentence.")]
ColorOption = Annotated[
    Color, typer.Option("--color", help="auto: on a terminal, unless NO_COLOR is set or TERM is dumb.")
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an internal error.")]


def _verdicts(incomplete: str) -> list[str]:
    from ctcp_forensics.cli.explain import slugs

    return [slug for slug in slugs() if slug.startswith(incomplete)]


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


CLIENT, OUTSIDE, INSIDE, ASA = (
    "client",
    "asa-outside",
    "asa-inside",
    "asa",
)  # vantage points that can be named

NO_CAPTURE = (
    "none is named. Give a file, such as client.pcap, or - for standard input; or say where it was taken, with "
    "--client, --asa-outside, --asa-inside or --asa. Without one, `ctcp-diag demo` shows what an answer looks like."
)


def _role(name: str, where: str) -> Any:
    """An option for captures of one vantage point."""
    return typer.Option(f"--{name}", metavar="FILE", help=f"A capture taken {where}; may be repeated.")


@app.command(
    short_help="Say what became of the flows in captures, with proof and fixes.",
    epilog="\b\nExamples:\n  ctcp-diag analyze client.pcap\n"
    "  ctcp-diag analyze --client client.pcap --asa-outside out.pcap --asa-inside in.pcap\n"
    "  ctcp-diag analyze --client 'client-*.pcap' --asa asa.pcapng\n"
    "  ctcp-diag analyze -vv --port 4433 client.pcapng.zst asa-outside.pcap\n"
    "  ctcp-diag analyze --all-tcp --format json -o report.json 'captures/*.pcap*'\n"
    f"  tcpdump -r big.pcap -w - tcp port 10000 | ctcp-diag analyze -\n\n{EXIT_STATUS}",
)
def analyze(
    *,
    captures: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CAPTURE]...",
            help="pcap or pcapng, plain or compressed with gzip, bzip2, xz, zstd or lz4; - is standard input. "
            "Where it was taken is inferred.",
        ),
    ] = None,
    client: Annotated[list[str] | None, _role(CLIENT, "at the client")] = None,
    asa_outside: Annotated[list[str] | None, _role(OUTSIDE, "at the firewall's outside interface")] = None,
    asa_inside: Annotated[list[str] | None, _role(INSIDE, "at the firewall's inside interface")] = None,
    asa: Annotated[list[str] | None, _role(ASA, "at the firewall, on a side that is not known")] = None,
    port: Annotated[
        list[int] | None,
        typer.Option(
            "--port", metavar="N", min=1, max=65535, help="A further port of headends; may be repeated."
        ),
    ] = None,
    all_tcp: Annotated[bool, typer.Option("--all-tcp", help="Judge every TCP flow, not cTCP only.")] = False,
    sha256: Annotated[bool, typer.Option("--sha256", help="Hash captures of more than 256 MiB too.")] = False,
    form: FormatOption = Format.TABLE,
    output: OutputOption = STANDARD_OUTPUT,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    color: ColorOption = Color.AUTO,
    no_progress: Annotated[
        bool, typer.Option("--no-progress", help="No progress line on the terminal.")
    ] = False,
    debug: DebugOption = False,  # `main` looks for it: it concerns every command
) -> None:
    """Say what became of the cTCP flows in captures, with the proof and the documented fixes.

    cTCP is recognised by its content, on any port.  Flows on port 10000 and on each --port are judged in any case.

    Captures of one path are read as one case: its connections are found again by what they carry, whatever
    addresses, sequence numbers or clocks each capture has.  Files of one capture that was rotated are given
    with the same option, in any order; patterns are expanded.
    """
    from ctcp_forensics.cli.analysis import Request, answer, depth, sources_of

    named = {CLIENT: client, OUTSIDE: asa_outside, INSIDE: asa_inside, ASA: asa, None: captures}
    if not any(named.values()):
        raise typer.BadParameter(NO_CAPTURE, param_hint="CAPTURE")
    request = Request(
        sources=sources_of(named),
        ports=frozenset(port or ()),
        all_tcp=all_tcp,
        hash_all=sha256,
        form=form,
        output=output,
        depth=depth(verbose, quiet=quiet),
        color=color,
        shows_progress=not no_progress,
    )
    raise Done(answer(request))


@app.command(
    short_help="Ask Wireshark the same facts, and say why the two differ.",
    epilog="\b\nExamples:\n  ctcp-diag crosscheck client.pcap\n"
    "  ctcp-diag crosscheck --all-tcp --format json client.pcap\n\n\b\nExit status:\n"
    "  0    every difference has its reason\n  1    at least one has none\n"
    "  2    wrong usage, internal error, no tshark, or a capture that cannot be read",
)
def crosscheck(
    *,
    capture: Annotated[
        str, typer.Argument(metavar="CAPTURE", help="pcap or pcapng, as a file: it is read several times.")
    ],
    port: Annotated[
        list[int] | None,
        typer.Option(
            "--port", metavar="N", min=1, max=65535, help="A further port of headends; may be repeated."
        ),
    ] = None,
    all_tcp: Annotated[bool, typer.Option("--all-tcp", help="Compare every TCP flow.")] = False,
    form: Annotated[
        CheckFormat, typer.Option("--format", "-f", help="How the comparison is written.")
    ] = CheckFormat.TABLE,
    debug: DebugOption = False,  # as above
) -> None:
    """Ask tshark for its labels on the flows in question, and say which rule explains each difference.

    Duplicate ACKs, retransmissions and out-of-order segments, missing and unseen segments, zero windows,
    keep-alives and window updates are compared frame by frame.  tshark (through pyshark) reads some ten
    thousand frames in a second: of a big capture, cut out the flows first, for instance with tcpdump.
    """
    from ctcp_forensics.cli.secondopinion import second_opinion

    lines, status = second_opinion(capture, port or (), all_tcp=all_tcp, form=form)
    write(sys.stdout, lines)
    raise Done(status)


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
    output: OutputOption = STANDARD_OUTPUT,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    color: ColorOption = Color.AUTO,
    debug: DebugOption = False,  # as above
) -> None:
    """Make captures of one failure, at the client and on both sides of the firewall, and analyze them as one case.

    Needs no capture and no network.
    """
    from ctcp_forensics.cli.analysis import Request, answer, demo_captures, depth

    with demo_captures(keep) as sources:
        request = Request(
            sources=sources,
            form=form,
            output=output,
            depth=depth(verbose, quiet=quiet),
            color=color,
            shows_progress=False,
        )
        raise Done(answer(request))


@app.command(
    short_help="Say what a verdict means and requires.",
    epilog="\b\nExamples:\n  ctcp-diag explain\n  ctcp-diag explain unanswered-duplicate-acks\n\n"
    f"{EXIT_STATUS_SHORT}",
)
def explain(
    verdict: Annotated[
        str | None,
        typer.Argument(
            metavar="[VERDICT]", help="A verdict; without it, all are listed.", autocompletion=_verdicts
        ),
    ] = None,
) -> None:
    """Say what a verdict means, what it requires and what would refute it."""
    from ctcp_forensics.cli.explain import catalogue, explanation

    write(sys.stdout, catalogue() if verdict is None else explanation(verdict))


@app.command(
    short_help="Print the JSON Schema of the report.",
    epilog="\b\nExamples:\n  ctcp-diag schema > report.schema.json\n  ctcp-diag schema | head\n\n"
    f"{EXIT_STATUS_SHORT}",
)
def schema() -> None:
    """Print the JSON Schema of the report."""
    from ctcp_forensics.report import schema_json

    write(sys.stdout, (schema_json().decode(),))


@app.command(
    short_help="Say what is installed and in use.",
    epilog=f"\b\nExamples:\n  ctcp-diag doctor\n  ctcp-diag doctor | grep kernel\n\n{EXIT_STATUS_SHORT}",
)
def doctor() -> None:
    """Say what is installed, which optional parts are present and whether the compiled core is in use."""
    from ctcp_forensics.doctor import examine, render

    write(sys.stdout, (render(examine()), "\n"))
