"""`fix`: changes for the flows of a stored report, as lines to paste.  Translates; does no work of its own."""

from enum import StrEnum
from typing import Annotated

import typer

from ctcp_forensics.cli.commands.app import (
    DebugOption,
    JsonOption,
    OutputOption,
    RedactOption,
    TextFormat,
    app,
    form_of,
)
from ctcp_forensics.cli.commands.render import ReportArgument
from ctcp_forensics.cli.ends import Done, Refused
from ctcp_forensics.cli.output import STANDARD_OUTPUT, destination, write, write_utf8


class Dialect(StrEnum):
    """Devices, by the names in `configuration.Syntax`."""

    PRE_8_4 = "pre-8.4"
    ASA = "8.4"
    FTD = "ftd"


@app.command(
    short_help="Print what would mend it: apply, verify, roll back. Never applied.",
    epilog="\b\nExamples:\n  ctcp-diag fix report.json\n  ctcp-diag fix report.json --fix tcp-state-bypass\n"
    "  ctcp-diag fix report.json --fix udp --acl OUTSIDE_IN --flow '#3'\n"
    "  ctcp-diag fix report.json --fix udp --json\n"
    "  ctcp-diag fix report.json --capture --outside wan --inside lan\n"
    "  ctcp-diag analyze -f json client.pcap | ctcp-diag fix - --fix tcp-state-bypass --syntax pre-8.4\n\n\b\n"
    "Exit status:\n  0    printed\n  2    wrong usage, internal error, no such fix, or no report",
)
def fix(
    *,
    report: ReportArgument,
    wanted: Annotated[
        list[str] | None,
        typer.Option(
            "--fix", metavar="NAME", help="Which change; may be repeated. Without it, all are listed."
        ),
    ] = None,
    capture: Annotated[
        bool, typer.Option("--capture", help="Captures on the firewall that would settle what is open.")
    ] = False,
    flow: Annotated[
        list[str] | None,
        typer.Option("--flow", metavar="FLOW", help="For this flow alone: its id, or #n; may be repeated."),
    ] = None,
    syntax: Annotated[
        Dialect, typer.Option("--syntax", help="Whose commands: releases of ASA, or FTD.")
    ] = Dialect.ASA,
    acl: Annotated[
        str | None, typer.Option("--acl", metavar="NAME", help="The access list for traffic to the headend.")
    ] = None,
    acl_back: Annotated[
        str | None,
        typer.Option("--acl-back", metavar="NAME", help="The access list for traffic to the client."),
    ] = None,
    outside: Annotated[
        str, typer.Option("--outside", metavar="NAME", help="The outside interface.")
    ] = "outside",
    inside: Annotated[str, typer.Option("--inside", metavar="NAME", help="The inside interface.")] = "inside",
    policy: Annotated[
        str, typer.Option("--policy", metavar="NAME", help="The policy map that is in use.")
    ] = "global_policy",
    form: Annotated[TextFormat, typer.Option("--format", "-f", help="How it is written.")] = TextFormat.TEXT,
    as_json: JsonOption = False,
    output: OutputOption = STANDARD_OUTPUT,
    redact: RedactOption = None,
    debug: DebugOption = False,  # as above
) -> None:
    """Print the change that a stored report recommends, for exactly the hosts and ports of its flows.

    Blocks to apply, to verify and to roll back, with what each costs. Nothing is ever sent to a device.
    """
    from ctcp_forensics.cli.redaction import veil
    from ctcp_forensics.cli.stored import stored
    from ctcp_forensics.configuration import ConfigurationError, Names, Syntax, Wish, configure
    from ctcp_forensics.render import configuration

    known = {"outside": outside, "inside": inside, "policy": policy, "acl": acl, "acl_back": acl_back}
    try:
        wish = Wish(
            fixes=tuple(wanted or ()),
            captures=capture,
            flows=tuple(flow or ()),
            syntax=Syntax(syntax),
            names=Names(**{key: name for key, name in known.items() if name is not None}),
        )
        read = veil(redact, output)(stored(report))
        pack = configure(read, wish)
    except ConfigurationError as error:
        raise Refused(str(error)) from error
    with destination(output, [report]) as text:
        if form_of(form, as_json=as_json) == TextFormat.JSON:
            write_utf8(text, configuration.as_json(pack, read.tool))
        else:
            write(text, configuration.configuration(pack, read.tool))
    raise Done(0)
