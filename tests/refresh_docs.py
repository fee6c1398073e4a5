"""What the documents show, run and written down anew: commands and their output, tables, the picture.

    python -m tests.refresh_docs

Knows three marks in Markdown.  A ```console block holds commands behind `$ ` and, below each, what it printed;
`<!-- generated: NAME -->` to `<!-- end -->` holds a table read from the code; the picture is drawn by its own
script.  Does not judge what comes out: read the difference before you commit it.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import pty
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import ctcp_forensics
from ctcp_forensics.archive.schema import described
from ctcp_forensics.evidence import Claim
from ctcp_forensics.verdict import FLAGSHIP, LINKS, VERDICTS

ROOT: Final = Path(__file__).resolve().parents[1]
DOCUMENTS: Final = (
    "README.md",
    "docs/ARCHITECTURE.md",
    "docs/ARCHIVE.md",
    "docs/HANDOVER.md",
    "docs/METHOD.md",
)
PICTURE: Final = "docs/time-sequence.svg"
PICTURE_SCRIPT: Final = "docs/time_sequence.py"

COLUMNS: Final = 100
"""The terminal that the documents show: as wide as a page of code."""
PROMPT: Final = "$ "
SHELL_WORDS: Final = frozenset(
    {"echo", "head", "tail", "sort", "uniq", "cut", "grep", "sed", "zcat", "wc", "cat"}
)

# --- Markdown --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block of a document."""

    language: str
    first_line: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One command and what the document says it prints."""

    command: str
    shown: str


def blocks(text: str) -> Iterator[Block]:
    """Fenced blocks, in order; a fence inside a block would end it."""
    language, start, inside = "", 0, list[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.startswith("```"):
            inside.append(line)
            continue
        if start:
            yield Block(language=language, first_line=start, lines=tuple(inside))
        language, start, inside = line[3:].strip(), 0 if start else number, []


def examples(text: str) -> list[Example]:
    """Every command of every console block."""
    return [one for block in blocks(text) if block.language == "console" for one in examples_of(block.lines)]


def examples_of(lines: Iterable[str]) -> Iterator[Example]:
    command, shown = "", list[str]()
    for line in lines:
        if command.endswith("\\") and not shown:
            command += "\n" + line
        elif line.startswith(PROMPT):
            if command:
                yield Example(command=command, shown=text_of(shown))
            command, shown = line.removeprefix(PROMPT), []
        else:
            shown.append(line)
    if command:
        yield Example(command=command, shown=text_of(shown))


def text_of(lines: Iterable[str]) -> str:
    """Without what nobody sees: white space at the ends of lines, empty lines at the end."""
    return "\n".join(line.rstrip() for line in lines).rstrip("\n")


def rewritten(text: str, answer: Callable[[str], str]) -> str:
    """The document, with what its commands print now."""
    out, at = list[str](), 0
    lines = text.splitlines()
    for block in blocks(text):
        if block.language != "console":
            continue
        out += lines[at : block.first_line]
        for number, one in enumerate(examples_of(block.lines)):
            gap = [""] if number and out[-1] else []
            out += [*gap, *(PROMPT + one.command).split("\n"), *answer(one.command).splitlines()]
        at = block.first_line + len(block.lines)
    return "\n".join([*out, *lines[at:]]) + "\n"


# --- running what is shown -------------------------------------------------------------------


def programs(command: str) -> set[str]:
    """The programs that a command names, less those that every system has."""
    words = shlex.split(command.replace("\\\n", " "), comments=True)
    starts = [0, *(place + 1 for place, word in enumerate(words) if word in ("|", ";", "&&"))]
    named = {words[place] for place in starts if place < len(words)}
    return {name.rstrip(";") for name in named} - SHELL_WORDS - {"ctcp-diag"}


def missing_programs(command: str) -> list[str]:
    return sorted(name for name in programs(command) if shutil.which(name, path=search_path("")) is None)


def search_path(first: str) -> str:
    """Debian keeps tcpdump and others where only root's PATH looks."""
    return os.pathsep.join(filter(None, [first, os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"]))


class Shell:
    """Runs commands as the reader would: in the project's folder, on a terminal, without a profile of theirs."""

    def __init__(self, folder: Path) -> None:
        programs_ = folder / "bin"
        programs_.mkdir()
        command = programs_ / "ctcp-diag"
        command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m ctcp_forensics "$@"\n')
        command.chmod(0o755)
        kept = ("LD_LIBRARY_PATH", "CTCP_DIAG_KERNEL")
        self._environment = {name: os.environ[name] for name in kept if name in os.environ} | {
            "PATH": search_path(str(programs_)),
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "TERM": "xterm",
            "COLUMNS": str(COLUMNS),
            "NO_COLOR": "1",
        }

    def __call__(self, command: str) -> str:
        """What the command prints on a terminal; what it says on standard error is not shown."""
        keeper, terminal = pty.openpty()
        process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=subprocess.DEVNULL,
        )
        os.close(terminal)
        shown = everything(keeper)
        process.wait()
        return text_of(shown.decode().replace("\r\n", "\n").splitlines())


def everything(keeper: int) -> bytes:
    """All that comes through a terminal until its other side is gone, which Linux tells by an error."""
    shown = b""
    try:
        while piece := os.read(keeper, 65536):
            shown += piece
    except OSError:
        pass
    finally:
        os.close(keeper)
    return shown


# --- tables read from the code ---------------------------------------------------------------


class Cap(NamedTuple):
    """A bound of the code, and what happens beyond it."""

    module: str
    name: str
    bounds: str
    beyond: str


CAPS: Final = (
    Cap("capture.ahead", "ITEMS_AHEAD", "chunks of 1 MiB read ahead of the analysis", "the reader waits"),
    Cap(
        "capture.source",
        "BLOCKS_READY",
        "blocks of 1 MiB of a compressed file read ahead by who would have to wait",
        "who unpacks reads the next one",
    ),
    Cap(
        "capture.line",
        "CHUNKS_READY",
        "chunks of 1 MiB made and not yet taken, of what is compressed or comes through a pipe",
        "who makes them works on one",
    ),
    Cap(
        "capture.codecs",
        "XZ_MEMORY",
        "bytes of memory that an xz stream may ask for",
        "damage, with its byte offset",
    ),
    Cap(
        "capture.codecs",
        "MAX_RATIO",
        "bytes out of one compressed byte, beyond 64 MiB",
        "damage; as an archive refused as `archive-bomb-ratio`",
    ),
    Cap(
        "capture.remote.ranges",
        "RANGES_AHEAD",
        "ranges of 8 MiB of an object in S3 on their way or ready",
        "the next is asked for later",
    ),
    Cap("capture.members.limits", "MAX_DEPTH", "archives in one another", "refused as `archive-too-deep`"),
    Cap(
        "capture.members.limits",
        "MAX_MEMBERS",
        "members of one archive, nested ones as well",
        "the rest is refused as `archive-too-many-members`",
    ),
    Cap(
        "capture.members.limits",
        "MAX_DIRECTORY",
        "bytes of a zip archive's directory",
        "refused as `archive-too-many-members`",
    ),
    Cap(
        "capture.members.limits",
        "MAX_UNPACKED",
        "bytes that come out of one archive",
        "the rest is refused as `archive-too-large`",
    ),
    Cap(
        "capture.members.limits",
        "MAX_HELD",
        "bytes of zip archives that come as a stream, held in memory",
        "refused as `archive-nested-zip-too-large`",
    ),
    Cap(
        "capture.remote.parts",
        "LONGEST_LEN",
        "bytes of a far archive in one request",
        "it is asked again for the rest",
    ),
    Cap(
        "capture.members.limits",
        "MAX_HEADERS",
        "bytes of one tar member's headers",
        "the rest is refused as `damaged`",
    ),
    Cap(
        "archive.find.listed",
        "MAX_NAME_LEN",
        "bytes of one name in a list of files",
        "the list is refused; the names before it are done",
    ),
    Cap(
        "archive.find.places",
        "MAX_REMEMBERED",
        "names of the user's remembered, so that each is found once",
        "found again; the manifest sees that it is the same",
    ),
    Cap(
        "archive.planner",
        "MAX_CONTAINER_TASK",
        "bytes of one archive's members in one task",
        "another task goes on",
    ),
    Cap("archive.search", "NAMES_AHEAD", "names found ahead where a listing is slow", "the search waits"),
    Cap(
        "_kernel.rows", "MAX_CAPTURED_LEN", "captured bytes of one frame", "damage; nothing behind it is read"
    ),
    Cap(
        "_kernel.layouts",
        "LONGEST_BLOCK",
        "bytes of one pcapng block that has to be held",
        "damage; nothing behind it is read",
    ),
    Cap(
        "_kernel.layouts",
        "MAX_INTERFACES",
        "interfaces of one pcapng file",
        "damage; nothing behind it is read",
    ),
    Cap("savefile.pcapng", "MAX_OPTIONS", "options of one block", "damage; the frames behind it are read"),
    Cap(
        "savefile.pcapng",
        "MAX_TEXT_LEN",
        "characters of one name, filter or comment",
        "cut, with an ellipsis",
    ),
    Cap("savefile.account", "MAX_COMMENTS", "comments kept", "the capture's `notes` count the rest"),
    Cap("savefile.account", "MAX_DAMAGE", "places of damage listed", "the capture's `notes` count the rest"),
    Cap(
        "savefile.account",
        "MAX_INTERFACE_TEXT",
        "characters of all names and filters of interfaces",
        "the capture's `notes` count those without",
    ),
    Cap("_kernel.rows", "FRAMES_PER_BATCH", "frames between two stages", "the next batch begins"),
    Cap("_kernel.rows", "MAX_VLAN_TAGS", "VLAN tags of one frame", "the frame goes to dpkt"),
    Cap(
        "_kernel.rows",
        "MAX_EXTENSION_HEADERS",
        "IPv6 extension headers of one datagram",
        "counted in `undecoded`",
    ),
    Cap("packets.tunnels", "MAX_LAYERS", "tunnels in tunnels", "counted in `undecoded`"),
    Cap(
        "packets.fragments",
        "MAX_DATAGRAMS",
        "datagrams put together at once",
        "the oldest goes; told in `coverage.caps`",
    ),
    Cap(
        "packets.fragments",
        "MAX_TORN",
        "pairs of hosts known to lack fragments",
        "no more are; told in `coverage.caps`, as the datagrams let go",
    ),
    Cap(
        "packets.fragments",
        "MAX_FRAGMENTS",
        "pieces of one datagram",
        "never complete: counted in `undecoded`",
    ),
    Cap(
        "packets.fragments",
        "MAX_DATAGRAM_LEN",
        "bytes of one datagram",
        "never complete: counted in `undecoded`",
    ),
    Cap(
        "packets.fragments",
        "MAX_HELD_LEN",
        "bytes kept of one datagram whose pieces overlap",
        "never complete: counted in `undecoded`",
    ),
    Cap("packets.decoder", "MAX_ICMP_ERRORS", "ICMP errors kept", "told in `coverage.caps`"),
    Cap(
        "_kernel.rows",
        "MAX_MESSAGES_PER_SEGMENT",
        "cTCP messages split out of one segment",
        "the rest of the segment is one message",
    ),
    Cap(
        "_kernel.rows",
        "FLOW_CAP",
        "flows followed",
        "what matters least goes: judged as of then, counted in the capture's `notes`, or told in `coverage.caps`",
    ),
    Cap(
        "_kernel.rows",
        "HALF_OPEN_CAP",
        "half-open flows of concern judged because others need their places",
        "given up unjudged; told in `coverage.caps`",
    ),
    Cap(
        "early",
        "MAX_LINES",
        "flows judged before the end of their capture, in a line each",
        "the gravest have one; the others are counted by verdict",
    ),
    Cap(
        "early.lines",
        "MAX_OBSERVED_LEN",
        "bytes of what was observed of flows that were judged early",
        "the gravest are told in full; the others have their lines",
    ),
    Cap("_kernel.rows", "LIVE_HOLES", "open holes per direction", "the oldest that nobody asks for goes"),
    Cap("_kernel.rows", "HOLES_KEPT", "closed holes kept per direction", "the oldest goes; counters go on"),
    Cap(
        "_kernel.rows",
        "EPISODES_KEPT",
        "episodes kept per direction",
        "the oldest goes; `episodes_total` goes on",
    ),
    Cap(
        "_kernel.rows",
        "DUP_ACK_FRAMES_KEPT",
        "frame numbers kept of one episode",
        "the first are kept, and the last; counters go on",
    ),
    Cap(
        "_kernel.rows",
        "ASSOCIATIONS_KEPT",
        "ESP security associations per direction",
        "the longest unused goes; its counts stay",
    ),
    Cap(
        "_kernel.rows",
        "STRAYS_KEPT",
        "segments named that another capture lacks, per direction",
        "the first are named; all are counted",
    ),
    Cap(
        "_kernel.rows",
        "SILENCES_KEPT",
        "longest times without a frame, per capture",
        "the shortest goes; where that could hide a frame, nothing is proven by absence",
    ),
    Cap("_kernel.rows", "RESETS_KEPT", "RSTs kept of one watched flow", "the first are kept; `rsts` goes on"),
    Cap(
        "_kernel.rows",
        "SEGMENT_LOG_CAP",
        "segments of watched flows kept as evidence",
        "the oldest go; told in `coverage.caps`",
    ),
    Cap(
        "_kernel.rows",
        "TRACE_CAP",
        "segments of one place traced for pictures, evenly shared among its flows",
        "the oldest of each flow go; counted in the picture",
    ),
    Cap(
        "picture.thin",
        "MAX_POINTS",
        "segments of a picture at one place",
        "ordinary ones are left out first; the picture counts them",
    ),
    Cap("picture", "MAX_PICTURES", "pictures in a report", "those of the worst flows"),
    Cap(
        "render.plot",
        "MAX_LANES",
        "places drawn in one plot",
        "the ends of the path and those beside the judged one; a line counts the rest",
    ),
    Cap("render.sketch", "MAX_LANES", "places drawn in one sketch", "the first"),
    Cap("retrace.errand", "MAX_TRACED", "flows traced for pictures", "the worst are; the rest is counted"),
    Cap(
        "reading",
        "MAX_SPLIT",
        "interfaces of one savefile taken as a vantage point each",
        "all of them are one vantage point",
    ),
    Cap(
        "reading",
        "MAX_IN_FULL",
        "flows of one capture that are well and told in full",
        "the others are told in a line each: the report's `brief`",
    ),
    Cap(
        "_kernel.rows",
        "ALL_HOLES_KEPT",
        "holes kept of all flows together",
        "flows that matter least lose what is kept of them: in the capture's `notes`, or in `coverage.caps`",
    ),
    Cap("_kernel.rows", "ALL_EPISODES_KEPT", "episodes kept of all flows together", "likewise"),
    Cap(
        "_kernel.rows", "ALL_ASSOCIATIONS_KEPT", "ESP security associations of all flows together", "likewise"
    ),
    Cap("_kernel.rows", "ALL_RESETS_KEPT", "RSTs kept of all flows together", "likewise"),
    Cap(
        "reading",
        "MAX_UNWELL_IN_FULL",
        "other flows of one capture told in full",
        "the gravest are, dealt out to verdicts, headends and clients; the others in a line each",
    ),
    Cap(
        "crosscheck",
        "MAX_IN_FILTER",
        "connections named in the display filter for tshark",
        "tshark is asked about all frames",
    ),
    Cap(
        "redact.pseudonyms",
        "MAX_GIVEN",
        "pseudonyms noted in a key file by one run",
        "told on standard error: they cannot be taken back",
    ),
    Cap("cli.redaction", "MAX_TEXT_LEN", "bytes of a report or an answer to be undone", "refused"),
    Cap(
        "render.table",
        "ROWS_AT_A_GLANCE",
        "rows of the table of flows without `-v`",
        "a line counts the rest",
    ),
    Cap(
        "annotate.choice",
        "MAX_FLOWS_NAMED",
        "flows named to who asks for another",
        "the line counts the rest",
    ),
    Cap(
        "annotate.remarks",
        "MAX_REMARK_LEN",
        "characters of one comment in an annotated capture",
        "cut, with an ellipsis",
    ),
    Cap(
        "annotate.section", "MAX_COMMENT_LEN", "bytes of one section comment", "its last line counts the rest"
    ),
    Cap("annotate.section", "MAX_FLOWS_TOLD", "flows told in the section comment", "a line counts the rest"),
    Cap(
        "annotate.section",
        "MAX_CAPTURES_TOLD",
        "captures told in the section comment",
        "a line counts the rest",
    ),
    Cap(
        "annotate.section",
        "MAX_DAMAGE_TOLD",
        "places of damage told of each capture",
        "the report has the rest",
    ),
    Cap(
        "annotate.places",
        "MAX_FILES_TOLD",
        "captures named in the description of an interface",
        "counted there",
    ),
    Cap(
        "annotate.survey",
        "MAX_SECTION_COMMENTS",
        "section comments kept of one capture",
        "a comment counts the rest",
    ),
    Cap(
        "annotate.strand",
        "MAX_HELD_LEN",
        "bytes of blocks that are no packets, between two batches of frames",
        "left out, and counted on standard error",
    ),
    Cap("render.table", "FINDINGS_AT_A_GLANCE", "findings told without `-v`", "a line counts the rest"),
    Cap(
        "render.wording",
        "RUNS_AT_A_GLANCE",
        "runs of frame numbers beside a sentence",
        "the line counts the rest",
    ),
    Cap(
        "render.page",
        "ARTICLES_AT_A_GLANCE",
        "flows told at length in the HTML page without its script",
        "unpacked when they are asked for",
    ),
    Cap("render.page", "MAX_ARTICLES", "flows told at length in the HTML page", "the page counts the rest"),
    Cap(
        "render.page",
        "ROWS_AT_A_GLANCE",
        "rows of the HTML page's table without its script, and shown at once",
        "a button shows more",
    ),
    Cap(
        "archive.answers",
        "ROWS_AT_A_GLANCE",
        "rows of an answer as a table without `-v`",
        "a line counts the rest",
    ),
    Cap("archive.overview", "MAX_HITS", "flows on the overview", "the page counts the rest"),
    Cap(
        "archive.overview",
        "MAX_TROUBLES",
        "captures on the overview that were not wholly read",
        "the page counts the rest",
    ),
    Cap(
        "archive.overview.asked", "MAX_RANKED", "lines of each list of the overview", "a line counts the rest"
    ),
    Cap(
        "archive.overview.timeline",
        "MAX_BARS",
        "days, weeks or months on the timeline",
        "the next longer unit is taken",
    ),
    Cap(
        "archive.parquet",
        "MAX_ROW_LEN",
        "bytes of JSON of one row on its way into Parquet",
        "the tables are not written; the results are in the store",
    ),
    Cap(
        "archive.parquet",
        "MAX_FILES_OF_A_DAY",
        "files of one day and table",
        "they become one",
    ),
    Cap("render.page", "MAX_ROWS", "rows of the HTML page's table", "the page counts the rest"),
    Cap(
        "render.page",
        "MAX_ROWS_DRAWN",
        "segments in all diagrams of an HTML page",
        "the worst flows are drawn; each other one says that it is not",
    ),
    Cap(
        "render.sheet",
        "MAX_LINES",
        "lines of a case note",
        "the longest paragraphs end in `...`; flows, fixes and captures are counted",
    ),
    Cap("render.comparison", "SITES_AT_A_GLANCE", "sites told of a comparison", "a line counts the rest"),
    Cap(
        "configuration",
        "MAX_PAIRS",
        "pairs of hosts in one change of a configuration pack",
        "a comment counts the rest",
    ),
    Cap(
        "configuration.capturing",
        "MAX_HEADENDS",
        "headends that captures are printed for at once",
        "a comment counts the rest",
    ),
    Cap("cli.stored", "MAX_REPORT_LEN", "bytes of a stored report", "the command refuses it"),
    Cap(
        "archive.facts",
        "MAX_FLOWS_KEPT",
        "judged flows of one capture whose facts a store keeps",
        "newer rules read the capture again",
    ),
    Cap(
        "cli.sweeping",
        "HITS_AT_A_GLANCE",
        "captures with the failure, named at the end of a scan",
        "a line counts the rest",
    ),
    Cap(
        "cli.sweeping",
        "TROUBLES_AT_A_GLANCE",
        "places not wholly looked at, named there",
        "a line counts the rest",
    ),
    Cap(
        "cli.analysis",
        "DAMAGE_AT_A_GLANCE",
        "lines about damage on standard error, per capture",
        "a line counts the rest",
    ),
)


def caps_table() -> Iterator[str]:
    yield "| Bound | Value | Of what | Beyond it |"
    yield "|---|--:|---|---|"
    for cap in CAPS:
        value = value_in(cap.module, cap.name)
        yield f"| `{cap.module}.{cap.name}` | {spelled(cap.name, value)} | {cap.bounds} | {cap.beyond} |"


def claims_table() -> Iterator[str]:
    """The accusation, claim by claim, as the table of verdicts has it."""
    yield "| | Claim | Says | Would refute it |"
    yield "|---|---|---|---|"
    for number, (link, claims) in enumerate(LINKS.items(), start=1):
        for claim in claims:
            yield claim_row(f"link {number}: {link}" if claim is claims[0] else "", claim)
    for claim in FLAGSHIP.doubts:
        yield claim_row("less sure without" if claim is FLAGSHIP.doubts[0] else "", claim)
    for claim in FLAGSHIP.refuted_by:
        yield claim_row("refuted by" if claim is FLAGSHIP.refuted_by[0] else "", claim)


def claim_row(heading: str, claim: Claim) -> str:
    return f"| {heading} | `{claim.name}` | {claim.sentence} | {claim.would_refute} |"


def verdicts_table() -> Iterator[str]:
    """Every verdict in the order of the judgement; what has no requirement comes last."""
    yield "| Verdict | Means | Required | Refuted by |"
    yield "|---|---|---|---|"
    for row in VERDICTS:
        required, refuting = (
            [f"`{claim.name}`" for claim in some] for some in (row.requires, row.refuted_by)
        )
        if row is FLAGSHIP:
            required, refuting = ["the three links above"], ["see above"]
        yield f"| `{row.slug}` | {row.means} | {', '.join(required)} | {', '.join(refuting)} |"


def rooms_table() -> Iterator[str]:
    """Every module that has a place in the import contract, from the top down, with its first sentence."""
    yield "| Room | Is |"
    yield "|---|---|"
    for layer in layers():
        for name in layer:
            docstring = importlib.import_module(f"ctcp_forensics.{name}").__doc__ or ""
            yield f"| `{name}` | {' '.join(docstring.strip().partition(chr(10) * 2)[0].split())} |"


def layers() -> list[list[str]]:
    """The layers of the import contract that exist."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    written = next(one["layers"] for one in contracts["contracts"] if one["type"] == "layers")
    named = [[name.strip(" ()") for name in layer.split("|")] for layer in written]
    there = [[name for name in layer if has_module(name)] for layer in named]
    return [layer for layer in there if layer]


def has_module(name: str) -> bool:
    path = ROOT / "ctcp_forensics" / name
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


TABLES: Final[dict[str, Callable[[], Iterator[str]]]] = {
    "caps": caps_table,
    "claims": claims_table,
    "verdicts": verdicts_table,
    "rooms": rooms_table,
    "archive": described,
}


def with_tables(text: str) -> str:
    """The document, with the tables as the code has them now."""
    for name, table in TABLES.items():
        before, mark, rest = text.partition(f"<!-- generated: {name} -->\n")
        if mark:
            _, end, after = rest.partition("<!-- end -->")
            text = "\n".join([before + mark.rstrip("\n"), *table(), end + after])
    return text


# --- constants ---------------------------------------------------------------------------------


def value_in(module: str, name: str) -> int:
    value = getattr(importlib.import_module(f"ctcp_forensics.{module}"), name)
    assert isinstance(value, int), f"{module}.{name} is no whole number"
    return value


def spelled(name: str, value: float) -> str:
    """A constant as the documents write it: times in the unit that suits them, numbers in groups of three."""
    if not name.endswith("_NS"):
        return f"{value:,}"
    for length, unit in ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs")):
        if value >= length and value % length == 0:
            return f"{value // length:,.0f} {unit}"
    return f"{value:,} ns"


def constants() -> dict[str, set[str]]:
    """Every numeric constant of the package, as the documents write it; a name may stand for several."""
    found: dict[str, set[str]] = {}
    for module in pkgutil.walk_packages(ctcp_forensics.__path__, "ctcp_forensics."):
        if module.name.endswith(("__main__", "_kernel.core")):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if name.isupper() and isinstance(value, int | float) and not isinstance(value, bool):
                found.setdefault(name, set()).add(spelled(name, value))
    return found


# --- all of it -------------------------------------------------------------------------------


def picture() -> str:
    drawn = subprocess.run(
        [sys.executable, PICTURE_SCRIPT],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return drawn.stdout


def main() -> None:
    (ROOT / PICTURE).write_text(picture(), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        shell = Shell(Path(folder))
        for name in DOCUMENTS:
            path = ROOT / name
            before = path.read_text(encoding="utf-8")
            after = with_tables(rewritten(before, shell))
            path.write_text(after, encoding="utf-8")
            print(f"{name}: {'changed' if after != before else 'current'}")


if __name__ == "__main__":
    main()
