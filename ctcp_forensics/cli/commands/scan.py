"""`scan`: many captures, each by itself, into a store that the next run goes on with.  Translates; does no work."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ctcp_forensics.cli.commands.app import EXIT_STATUS, DebugOption, app
from ctcp_forensics.cli.commands.captures import AllTcpOption, PortOption, PrivateOption, access_of
from ctcp_forensics.cli.ends import Done, Refused


class EngineName(StrEnum):
    """Where the work is done."""

    PROCESS = "process"
    INLINE = "inline"
    DASK = "dask"


class Siem(StrEnum):
    """What a collector of logs understands, by the names in `stream.FORMS`."""

    ECS = "ecs"
    ZEEK = "zeek"


STORE_HELP = "The folder of results; the same command goes on with it."


@app.command(
    short_help="Sweep folders of captures into a store, and go on where it stopped.",
    epilog="\b\nExamples:\n  ctcp-diag scan /cases --store results\n"
    "  find /cases -name '*.pcap*' -print0 | ctcp-diag scan --files-from - --null --store results\n"
    "  ctcp-diag scan s3://captures/2026/ --store results\n"
    "  ctcp-diag scan /cases --store part-3 --shard 3/16\n"
    "  ctcp-diag scan /var/captures --store results --watch --ndjson - --siem ecs\n"
    "  ctcp-diag scan /cases --store results --engine dask --scheduler tcp://10.0.0.1:8786\n\n"
    f"{EXIT_STATUS}",
)
def scan(
    *,
    places: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH|URL]...", help="Folders, captures, archives of them, patterns in quotes, or URLs."
        ),
    ] = None,
    store: Annotated[Path, typer.Option("--store", metavar="DIR", help=STORE_HELP)],
    files_from: Annotated[
        str | None,
        typer.Option("--files-from", metavar="FILE", help="Names, one to a line; - is standard input."),
    ] = None,
    null: Annotated[bool, typer.Option("--null", "-0", help="The names of --files-from end in NUL.")] = False,
    engine: Annotated[
        EngineName,
        typer.Option("--engine", help="Processes here, none but this one, or the workers of a Dask cluster."),
    ] = EngineName.PROCESS,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=1, help="How many; usually one for each core.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="URL", help="Of --engine dask, such as tcp://10.0.0.1:8786."),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option("--shard", metavar="I/N", help="Only the I-th of N parts; `merge` joins their stores."),
    ] = None,
    time_limit: Annotated[
        float,
        typer.Option("--time-limit", metavar="S", min=0, help="Seconds for one capture; 0 is no limit."),
    ] = 300.0,
    memory_limit: Annotated[
        str,
        typer.Option(
            "--memory-limit", metavar="SIZE", help="Of a worker, such as 512M or 2G; 0 is no limit."
        ),
    ] = "2G",
    tries: Annotated[
        int, typer.Option("--tries", metavar="N", min=1, help="So many workers may die of one capture.")
    ] = 3,
    port: PortOption = None,
    all_tcp: AllTcpOption = False,
    follow_symlinks: Annotated[
        bool,
        typer.Option("--follow-symlinks", help="Follow links that stay inside the folder that is named."),
    ] = False,
    follow_symlinks_outside: Annotated[
        bool, typer.Option("--follow-symlinks-outside", help="Follow links wherever they lead.")
    ] = False,
    allow_private_addresses: PrivateOption = False,
    force: Annotated[bool, typer.Option("--force", help="Do again what is done.")] = False,
    ndjson: Annotated[
        str | None,
        typer.Option(
            "--ndjson",
            metavar="FILE",
            help="Add a line for every capture and finding while it runs; - is standard output.",
        ),
    ] = None,
    siem: Annotated[
        Siem | None, typer.Option("--siem", help="Those lines as the Elastic Common Schema or Zeek has them.")
    ] = None,
    overview: Annotated[
        str | None,
        typer.Option("--overview", metavar="FILE", help="Write an HTML page of the whole store at the end."),
    ] = None,
    parquet: Annotated[
        bool,
        typer.Option(
            "--parquet", help="Bring the store's Parquet up to date at the end, not at the first query."
        ),
    ] = False,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Go on with what a rotating tcpdump adds to the folders, until Ctrl-C."),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, and one sentence.")] = False,
    debug: DebugOption = False,  # `main` looks for it
) -> None:
    """Look at every capture that is found, each by itself, and keep what was found in a store.

    What is done is not done again: the same command goes on where it was stopped, by Ctrl-C (once: what runs is
    finished; twice: at once), by a full disk or by a power cut.  A newer version judges again what older rules
    judged, from what is stored.  One bad file stops nothing: it is recorded with its reason.
    """
    from ctcp_forensics.archive.examine import Terms
    from ctcp_forensics.archive.scan import Wanted
    from ctcp_forensics.cli.sweeping import Telling, answer
    from ctcp_forensics.cli.wanted import CTCP_PORT, links_of, places_of, shard_of, size_of

    wanted = Wanted(
        places=places_of(places or (), files_from, is_null=null),
        store=store,
        terms=Terms(ports=tuple(sorted({CTCP_PORT, *(port or ())})), all_tcp=all_tcp),
        engine=engine,
        workers=workers,
        scheduler=scheduler,
        shard=shard_of(shard),
        time_limit_s=time_limit or None,
        memory_limit=size_of(memory_limit),
        most_tries=tries,
        anew=force,
        access=access_of(allow_private_addresses),
        links=links_of(follows=follow_symlinks, follows_outside=follow_symlinks_outside),
    )
    if siem is not None and ndjson is None:
        raise Refused(
            "--siem says what the lines of --ndjson are like: name a file, or - for standard output"
        )
    telling = Telling(
        quiet=quiet,
        stream=ndjson,
        form=siem or "ndjson",
        overview=overview,
        has_tables=parquet,
    )
    raise Done(answer(wanted, telling, watches=watch))
