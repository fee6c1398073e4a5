"""`analyze`: what became of the flows in captures.  Translates; does no work of its own."""

from typing import Annotated

import typer

from ctcp_forensics.cli.commands.app import (
    EXIT_STATUS,
    Color,
    ColorOption,
    DebugOption,
    Format,
    FormatOption,
    JsonOption,
    OutputOption,
    PageOption,
    PlotOption,
    QuietOption,
    RedactOption,
    SketchOption,
    VerboseOption,
    app,
    form_of,
)
from ctcp_forensics.cli.commands.captures import (
    ASA,
    CLIENT,
    INSIDE,
    OUTSIDE,
    AllTcpOption,
    AsaOption,
    CapturesArgument,
    ClientOption,
    HashOption,
    InFullOption,
    InsideOption,
    NoProgressOption,
    OutsideOption,
    PortOption,
    PrivateOption,
    access_of,
    refuse_none,
)
from ctcp_forensics.cli.ends import Done
from ctcp_forensics.cli.output import STANDARD_OUTPUT


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
    captures: CapturesArgument = None,
    client: ClientOption = None,
    asa_outside: OutsideOption = None,
    asa_inside: InsideOption = None,
    asa: AsaOption = None,
    port: PortOption = None,
    all_tcp: AllTcpOption = False,
    in_full: InFullOption = False,
    sha256: HashOption = False,
    allow_private_addresses: PrivateOption = False,
    form: FormatOption = Format.TABLE,
    as_json: JsonOption = False,
    output: OutputOption = STANDARD_OUTPUT,
    report: PageOption = None,
    plot: PlotOption = None,
    sketch: SketchOption = False,
    pictures: Annotated[
        bool,
        typer.Option(
            "--pictures", help="Keep them in the report of --format json, so that it can be drawn later."
        ),
    ] = False,
    verbose: VerboseOption = 0,
    quiet: QuietOption = False,
    redact: RedactOption = None,
    color: ColorOption = Color.AUTO,
    no_progress: NoProgressOption = False,
    debug: DebugOption = False,  # `main` looks for it: it concerns every command
) -> None:
    """Say what became of the cTCP flows in captures, with the proof and the documented fixes.

    cTCP is recognised by its content, on any port.  Flows on port 10000 and on each --port are judged in any case.

    Captures of one path are read as one case: its connections are found again by what they carry, whatever
    addresses, sequence numbers or clocks each capture has.  Files of one capture that was rotated are given
    with the same option, in any order; patterns are expanded.

    Of a pipe (-) Ctrl-C ends the reading: what came so far is answered.
    """
    from ctcp_forensics.cli.analysis import Request, answer, depth, sources_of

    named = {CLIENT: client, OUTSIDE: asa_outside, INSIDE: asa_inside, ASA: asa, None: captures}
    refuse_none(named)
    request = Request(
        sources=sources_of(named),
        ports=frozenset(port or ()),
        all_tcp=all_tcp,
        in_full=in_full,
        hash_all=sha256,
        access=access_of(allow_private_addresses),
        form=form_of(form, as_json=as_json),
        output=output,
        page=report,
        depth=depth(verbose, quiet=quiet),
        color=color,
        redact=redact,
        shows_progress=not no_progress,
        plot=plot,
        has_sketch=sketch,
        has_pictures=pictures,
    )
    raise Done(answer(request))
