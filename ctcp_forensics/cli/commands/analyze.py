"""`analyze`: what became of the flows in captures.  Translates; does no work of its own."""

from typing import Annotated, Any

import typer

from ctcp_forensics.cli.commands.app import (
    EXIT_STATUS,
    Color,
    ColorOption,
    DebugOption,
    Format,
    FormatOption,
    OutputOption,
    PageOption,
    QuietOption,
    VerboseOption,
    app,
)
from ctcp_forensics.cli.ends import Done
from ctcp_forensics.cli.output import STANDARD_OUTPUT

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
    "  ctcp-diag analyze --report report.html client.pcap asa.pcap\n"
    "  ctcp-diag analyze --sketch --plot death.svg client.pcap\n"
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
    report: PageOption = None,
    plot: Annotated[
        str | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw the decisive seconds of the worst flow; .svg, or .png with resvg-py.",
        ),
    ] = None,
    sketch: Annotated[
        bool, typer.Option("--sketch", help="Draw them in the terminal, below the table.")
    ] = False,
    pictures: Annotated[
        bool,
        typer.Option(
            "--pictures", help="Keep them in the report of --format json, so that it can be drawn later."
        ),
    ] = False,
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
        page=report,
        depth=depth(verbose, quiet=quiet),
        color=color,
        shows_progress=not no_progress,
        plot=plot,
        has_sketch=sketch,
        has_pictures=pictures,
    )
    raise Done(answer(request))
