"""The bounds of the code, with what they bound and what happens beyond them: a table of ARCHITECTURE.

Knows words.  Does not know values: they are read from the code, see tables_of_docs.
"""

from __future__ import annotations

from typing import Final, NamedTuple


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
        "_kernel.caps", "MAX_CAPTURED_LEN", "captured bytes of one frame", "damage; nothing behind it is read"
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
    Cap("_kernel.caps", "FRAMES_PER_BATCH", "frames between two stages", "the next batch begins"),
    Cap("_kernel.caps", "MAX_VLAN_TAGS", "VLAN tags of one frame", "the frame goes to dpkt"),
    Cap(
        "_kernel.caps",
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
        "_kernel.caps",
        "MAX_MESSAGES_PER_SEGMENT",
        "cTCP messages split out of one segment",
        "the rest of the segment is one message",
    ),
    Cap(
        "_kernel.caps",
        "FLOW_CAP",
        "flows followed",
        "what matters least goes: judged as of then, counted in the capture's `notes`, or told in `coverage.caps`",
    ),
    Cap(
        "_kernel.caps",
        "HALF_OPEN_CAP",
        "half-open flows of concern judged because others need their places",
        "given up unjudged; told in `coverage.caps`",
    ),
    Cap(
        "early.leaving",
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
    Cap("_kernel.caps", "LIVE_HOLES", "open holes per direction", "the oldest that nobody asks for goes"),
    Cap("_kernel.caps", "HOLES_KEPT", "closed holes kept per direction", "the oldest goes; counters go on"),
    Cap(
        "_kernel.caps",
        "EPISODES_KEPT",
        "episodes kept per direction",
        "the oldest goes; `episodes_total` goes on",
    ),
    Cap(
        "_kernel.caps",
        "DUP_ACK_FRAMES_KEPT",
        "frame numbers kept of one episode",
        "the first are kept, and the last; counters go on",
    ),
    Cap(
        "_kernel.caps",
        "ASSOCIATIONS_KEPT",
        "ESP security associations per direction",
        "the longest unused goes; its counts stay",
    ),
    Cap(
        "_kernel.caps",
        "STRAYS_KEPT",
        "segments named that another capture lacks, per direction",
        "the first are named; all are counted",
    ),
    Cap(
        "_kernel.caps",
        "SILENCES_KEPT",
        "longest times without a frame, per capture",
        "the shortest goes; where that could hide a frame, nothing is proven by absence",
    ),
    Cap("_kernel.caps", "RESETS_KEPT", "RSTs kept of one watched flow", "the first are kept; `rsts` goes on"),
    Cap(
        "_kernel.caps",
        "SEGMENT_LOG_CAP",
        "segments of watched flows kept as evidence",
        "the oldest go; told in `coverage.caps`",
    ),
    Cap(
        "_kernel.caps",
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
        "reading.course",
        "MAX_SPLIT",
        "interfaces of one savefile taken as a vantage point each",
        "all of them are one vantage point",
    ),
    Cap(
        "reading.readings",
        "MAX_IN_FULL",
        "flows of one capture that are well and told in full",
        "the others are told in a line each: the report's `brief`",
    ),
    Cap(
        "_kernel.caps",
        "ALL_HOLES_KEPT",
        "holes kept of all flows together",
        "flows that matter least lose what is kept of them: in the capture's `notes`, or in `coverage.caps`",
    ),
    Cap("_kernel.caps", "ALL_EPISODES_KEPT", "episodes kept of all flows together", "likewise"),
    Cap(
        "_kernel.caps", "ALL_ASSOCIATIONS_KEPT", "ESP security associations of all flows together", "likewise"
    ),
    Cap("_kernel.caps", "ALL_RESETS_KEPT", "RSTs kept of all flows together", "likewise"),
    Cap(
        "reading.readings",
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
