"""`annotate`: the frames of the flows concerned, with comments.  Translates; does no work of its own."""

from typing import Annotated

import typer

from ctcp_forensics.cli.commands.app import DebugOption, RedactOption, app
from ctcp_forensics.cli.commands.captures import (
    ASA,
    CLIENT,
    INSIDE,
    OUTSIDE,
    AllTcpOption,
    AsaOption,
    ClientOption,
    FilesArgument,
    HashOption,
    InFullOption,
    InsideOption,
    NoProgressOption,
    OutsideOption,
    PortOption,
    PrivateOption,
    UrlOption,
    access_of,
    name_in_full,
    refuse_none,
)
from ctcp_forensics.cli.ends import Done

BOTH = "captures are named in the report already: give either captures or --from"
NAMED_HERE = "a capture that is named here is named in full: --url is for those of --from"


@app.command(
    short_help="Write the frames of the flows concerned into one pcapng file, with comments.",
    epilog="\b\nExamples:\n  ctcp-diag annotate client.pcap -o evidence.pcapng\n"
    "  ctcp-diag annotate --client client.pcap --asa-inside in.pcap -o evidence.pcapng\n"
    "  ctcp-diag annotate --from report.json --flow '#2' -o evidence.pcapng\n"
    "  ctcp-diag annotate client.pcap -o - | tshark -r - -T fields -e frame.number -e frame.comment\n\n\b\n"
    "Exit status:\n  0    written\n  2    wrong usage, internal error, or a capture that cannot be read again\n"
    "  3    nothing is written: no flow is concerned\n  130  interrupted",
)
def annotate(
    *,
    captures: FilesArgument = None,
    client: ClientOption = None,
    asa_outside: OutsideOption = None,
    asa_inside: InsideOption = None,
    asa: AsaOption = None,
    report: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="REPORT",
            help="What `analyze --format json` wrote: its captures are read again, and not analyzed again.",
        ),
    ] = None,
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write there, whole or not at all; - is standard output."
        ),
    ],
    flow: Annotated[
        list[str] | None,
        typer.Option(
            "--flow",
            metavar="FLOW",
            help="This flow, by its number in the table or its id in the report; may be repeated. Without it: every "
            "flow that is not healthy, orderly-close or not-ctcp.",
        ),
    ] = None,
    whole: Annotated[bool, typer.Option("--whole", help="Every frame, not those of the flows only.")] = False,
    no_align: Annotated[
        bool, typer.Option("--no-align", help="Leave the times of every capture to its own clock.")
    ] = False,
    port: PortOption = None,
    all_tcp: AllTcpOption = False,
    in_full: InFullOption = False,
    sha256: HashOption = False,
    url: UrlOption = None,
    allow_private_addresses: PrivateOption = False,
    redact: RedactOption = None,
    no_progress: NoProgressOption = False,
    debug: DebugOption = False,  # as above
) -> None:
    """Write the frames of the flows concerned into one pcapng file, with a comment on each decisive one.

    ICMP errors about a flow, fragments of its datagrams and what is inside tunnels belong to it.  Bytes, lengths and
    order stay as captured, times too but for captures of one path, which are told by one clock; each vantage point is
    an interface.  The section comment has the verdicts, and says what was done to the clocks.  With --redact the
    bytes are not those captured: payloads and addresses are replaced, and nothing else is copied from the captures.
    """
    from ctcp_forensics.cli.evidence import Wanted, annotated_from, annotated_of

    wanted = Wanted(
        output=output,
        flows=tuple(flow or ()),
        whole=whole,
        aligns=not no_align,
        ports=frozenset(port or ()),
        all_tcp=all_tcp,
        in_full=in_full,
        hash_all=sha256,
        access=access_of(allow_private_addresses),
        redact=redact,
        shows_progress=not no_progress,
    )
    named = {CLIENT: client, OUTSIDE: asa_outside, INSIDE: asa_inside, ASA: asa, None: captures}
    if report is not None:
        if any(named.values()):
            raise typer.BadParameter(BOTH, param_hint="--from")
        name_in_full(url)
        raise Done(annotated_from(report, wanted))
    if url:
        raise typer.BadParameter(NAMED_HERE, param_hint="--url")
    refuse_none(named)
    raise Done(annotated_of(named, wanted))
