"""What commands that analyze have in common: how captures are named, and what is done with them.

Knows the options and their help.  Does not know what is asked about the captures: see the commands.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ctcp_forensics.capture import Access

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


CapturesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CAPTURE]...",
        help="pcap or pcapng, plain or compressed with gzip, bzip2, xz, zstd or lz4; - is standard input, "
        "archive.zip!/member a file in an archive, s3:// or https:// another machine's. "
        "Where it was taken is inferred.",
    ),
]
FilesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CAPTURE]...",
        help="pcap or pcapng, plain or compressed with gzip, bzip2, xz, zstd or lz4, as a file: it is read more than "
        "once. Where it was taken is inferred.",
    ),
]
UrlOption = Annotated[
    list[str] | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="A capture's URL in full, where the report holds it without its query or password; may be repeated. "
        "It is written down nowhere.",
    ),
]
ClientOption = Annotated[list[str] | None, _role(CLIENT, "at the client")]
OutsideOption = Annotated[list[str] | None, _role(OUTSIDE, "at the firewall's outside interface")]
InsideOption = Annotated[list[str] | None, _role(INSIDE, "at the firewall's inside interface")]
AsaOption = Annotated[list[str] | None, _role(ASA, "at the firewall, on a side that is not known")]
PortOption = Annotated[
    list[int] | None,
    typer.Option(
        "--port", metavar="N", min=1, max=65535, help="A further port of headends; may be repeated."
    ),
]
AllTcpOption = Annotated[bool, typer.Option("--all-tcp", help="Judge every TCP flow, not cTCP only.")]
InFullOption = Annotated[
    bool,
    typer.Option(
        "--in-full",
        help="Tell every flow in full. Without it: all that need reading, and the first 200 of a capture that are "
        "well; the others in a line each.",
    ),
]
HashOption = Annotated[bool, typer.Option("--sha256", help="Hash captures of more than 256 MiB too.")]
PrivateOption = Annotated[
    bool,
    typer.Option("--allow-private-addresses", help="Web addresses may lead to hosts inside of this network."),
]
NoProgressOption = Annotated[bool, typer.Option("--no-progress", help="No progress line on the terminal.")]


def access_of(allows_private: bool) -> "Access":
    """What --allow-private-addresses stands for."""
    from ctcp_forensics.capture import Access

    return Access.ANYWHERE if allows_private else Access.PUBLIC_ONLY


def name_in_full(urls: Sequence[str] | None) -> None:
    """What --url stands for."""
    if urls:
        from ctcp_forensics.capture.remote import name

        for url in urls:
            name(url)


def refuse_none(named: Mapping[str | None, Sequence[str] | None]) -> None:
    if not any(named.values()):
        raise typer.BadParameter(NO_CAPTURE, param_hint="CAPTURE")
