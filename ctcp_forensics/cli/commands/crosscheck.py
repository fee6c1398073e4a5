"""`crosscheck`: the same facts asked of Wireshark.  Translates; does no work of its own."""

from typing import Annotated

import typer

from ctcp_forensics.cli.commands.app import DebugOption, JsonOption, OutputOption, TableFormat, app, form_of
from ctcp_forensics.cli.ends import Done
from ctcp_forensics.cli.output import STANDARD_OUTPUT, destination, write


@app.command(
    short_help="Ask Wireshark the same facts, and say why the two differ.",
    epilog="\b\nExamples:\n  ctcp-diag crosscheck client.pcap\n"
    "  ctcp-diag crosscheck --all-tcp --json -o differences.json client.pcap\n\n\b\nExit status:\n"
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
        TableFormat, typer.Option("--format", "-f", help="How the comparison is written.")
    ] = TableFormat.TABLE,
    as_json: JsonOption = False,
    output: OutputOption = STANDARD_OUTPUT,
    debug: DebugOption = False,  # as above
) -> None:
    """Ask tshark for its labels on the flows in question, and say which rule explains each difference.

    Duplicate ACKs, retransmissions and out-of-order segments, missing and unseen segments, zero windows,
    keep-alives and window updates are compared frame by frame.  tshark (through pyshark) reads some ten
    thousand frames in a second: of a big capture, cut out the flows first, for instance with tcpdump.
    """
    from ctcp_forensics.cli.secondopinion import second_opinion

    with destination(output, [capture]) as text:
        lines, status = second_opinion(
            capture, port or (), all_tcp=all_tcp, form=form_of(form, as_json=as_json)
        )
        write(text, lines)
    raise Done(status)
