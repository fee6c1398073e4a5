"""Report: everything an analysis found, frozen and versioned; the only thing renderings read.

Knows the names that scripts rely on, their JSON and its schema.  Does not know how any of it was found.

Within one major version names are added and never renamed or removed.  Frame numbers are Wireshark's,
times are integer nanoseconds since 1970 UTC, lengths are bytes.  What belongs to one capture is keyed by
that capture's id: two captures of one flow number their frames, and may number its bytes, differently.
"""

from typing import Annotated, Any, Literal

import msgspec

SCHEMA_VERSION = "1.5"
SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"

FLAGSHIP = "unanswered-duplicate-acks"

# From what a reader must see first to what needs no reading: renderings sort by this order.
VERDICT_WORDS = (
    FLAGSHIP,
    "path-mtu-black-hole",
    "firewall-drop",
    "reset-by-middlebox",
    "nat-rebinding",
    "idle-timeout",
    "window-stall",
    "handshake-failed",
    "negotiation-failed",
    "peer-vanished",
    "link-down",
    "reset-by-endpoint",
    "insufficient-evidence",
    "answered",
    "loss-tolerated",
    "orderly-close",
    "healthy",
    "not-ctcp",
)
NEEDS_NO_READING = frozenset({"healthy", "orderly-close", "not-ctcp"})
"""Verdicts on flows that are well, or none of ours: nothing is shown of them unless it is asked for."""
WELL = frozenset({"healthy", "loss-tolerated", "orderly-close", "answered"})
"""Verdicts on flows that lived, whatever they went through."""
CONFIDENCE_WORDS = ("proven", "strong", "consistent", "undetermined")
OUTCOME_WORDS = ("holds", "fails", "unknown")
DIRECTION_WORDS = ("client-to-headend", "headend-to-client")
GRADE_WORDS = ("certain", "probable", "possible", "none")
# `asa`: a capture of the firewall whose side nothing shows.
VANTAGE_WORDS = ("client", "asa-outside", "asa-inside", "asa", "unknown")
FIREWALL_VANTAGES = ("asa-outside", "asa-inside", "asa")
# Where on the way from client to headend; with `-or-` where no capture stands between the two, and `capture`
# where nothing was lost but by the capture itself.
LOCATION_WORDS = (
    "client-asa",
    "asa",
    "asa-headend",
    "client-asa-or-asa",
    "asa-or-asa-headend",
    "client-headend",
    "capture",
)
AUTHOR_WORDS = ("client", *LOCATION_WORDS[:-1], "headend")
NATURE_WORDS = ("full-proxy", "orders-the-stream", "passes-as-it-comes", "unknown")
HASH_TITLES = {"sha256": "SHA-256", "blake3": "BLAKE3"}
PATTERN_WORDS = ("random", "burst", "too-few")


def _one_of(words: tuple[str, ...]) -> msgspec.Meta:
    """The schema lists the words; reading does not insist, so that a later minor version may add one."""
    return msgspec.Meta(extra_json_schema={"enum": list(words)})


VerdictWord = Annotated[str, _one_of(VERDICT_WORDS)]
Confidence = Annotated[str, _one_of(CONFIDENCE_WORDS)]
OutcomeWord = Annotated[str, _one_of(OUTCOME_WORDS)]
DirectionWord = Annotated[str, _one_of(DIRECTION_WORDS)]
Grade = Annotated[str, _one_of(GRADE_WORDS)]
Author = Annotated[str, _one_of(AUTHOR_WORDS)]
Nature = Annotated[str, _one_of(NATURE_WORDS)]
Pattern = Annotated[str, _one_of(PATTERN_WORDS)]
Vantage = Annotated[str, _one_of(VANTAGE_WORDS)]
Location = Annotated[str, _one_of(LOCATION_WORDS)]
CaptureOutcome = Annotated[str, _one_of(("complete", "partial", "rejected"))]
EndingKind = Annotated[str, _one_of(("fin", "rst", "silence", "capture-ended", "open"))]
ClaimRole = Annotated[str, _one_of(("proof", "guard", "refutation"))]
EndpointWord = Annotated[str, _one_of(("client", "headend", "unknown"))]

PerCapture = Annotated[dict[str, int], msgspec.Meta(description="a number for each capture id")]
PerCaptureOrNone = Annotated[
    dict[str, int | None], msgspec.Meta(description="a number for each capture id; null: not in that capture")
]
FramesPerCapture = Annotated[
    dict[str, tuple[int, ...]], msgspec.Meta(description="frame numbers for each capture id")
]
FilterPerCapture = Annotated[
    dict[str, str], msgspec.Meta(description="a Wireshark display filter for each capture id")
]


class ReportError(ValueError):
    """The bytes are not a report that this version can read."""


def valid_text(text: str) -> str:
    r"""`text` as UTF-8 can carry it: bytes of a file name that are no text become `\udc..` in letters."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """What made the report.  Never the time or the machine: the same input gives the same bytes."""

    name: str = "ctcp-diag"
    version: str
    rules_version: str = "1"


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a savefile, at a byte offset into its uncompressed content."""

    offset: int | None
    reason: str


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """One interface of a capture; `dropped` is what its own counters admit, null where it has none."""

    index: int
    link_type: int
    name: str = ""
    dropped: int | None = None


class Undecoded(msgspec.Struct, frozen=True, kw_only=True):
    """Frames that were counted and not understood, by reason."""

    reason: str
    frames: int


class Digest(msgspec.Struct, frozen=True):
    """A hash, and what it is called."""

    name: Literal["sha256", "blake3"]
    value: str

    @property
    def title(self) -> str:
        """As people write it."""
        return HASH_TITLES[self.name]

    def __str__(self) -> str:
        return f"{self.title} {self.value}"


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """One savefile that was named on the command line, or found by a sweep.

    `analyze` takes SHA-256, a sweep BLAKE3: of the file as it lies there, and of what is inside where it is compressed.
    """

    id: str
    source: str
    sha256: str | None = None
    content_sha256: str | None = None
    blake3: str | None = None
    content_blake3: str | None = None
    vantage: Vantage = "unknown"
    format: str | None = None
    compression: str | None = None
    size: int | None = None
    frames: int = 0
    tcp_segments: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    outcome: CaptureOutcome
    damage: tuple[Damage, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    undecoded: tuple[Undecoded, ...] = ()
    comments: int = 0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "source", valid_text(self.source))

    @property
    def digest(self) -> Digest | None:
        """Of the file, whichever was taken."""
        return digest_of(self.sha256, self.blake3)

    @property
    def content_digest(self) -> Digest | None:
        return digest_of(self.content_sha256, self.content_blake3)


def digest_of(sha256: str | None, blake3: str | None) -> Digest | None:
    if sha256 is not None:
        return Digest("sha256", sha256)
    return None if blake3 is None else Digest("blake3", blake3)


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An address and a port."""

    address: str
    port: int


class Encapsulation(msgspec.Struct, frozen=True, kw_only=True):
    """What the flow carries (`cisco-ctcp`, `rfc8229`, `raw-ike`, `none`, …), how sure, and why."""

    kind: str
    grade: Grade
    because: str


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How the flow ended.  That the capture ended is not an ending of the flow and never a diagnosis."""

    kind: EndingKind
    by: EndpointWord | None = None
    frame: PerCapture = {}
    at_ns: int | None = None
    because: str = ""


class Shifts(msgspec.Struct, frozen=True, kw_only=True):
    """Positions at one place less those of the place that the flow is judged in, counted from where each begins.

    What a firewall that rewrites sequence numbers adds.  Null: they do not keep step, the stream was made anew.
    """

    client_to_headend: int | None = 0
    headend_to_client: int | None = 0


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A flow as one capture shows it; behind address translation the addresses differ by capture."""

    capture: str
    frames: int
    client: Endpoint
    headend: Endpoint
    first_frame: int
    last_frame: int
    last_capture: str | None = None
    """That of the last frame, where a capture was rotated while the flow was there; null: the same."""
    verdict_alone: VerdictWord | None = None
    """What this capture by itself would have been called…"""
    confidence_alone: Confidence | None = None
    """…and how surely; null where it is the only one."""
    captures: tuple[str, ...] = ()
    """All captures that were read on as one, where the capture was rotated; `capture` is where the flow begins."""
    interface: int | None = None
    """Of a savefile that holds several vantage points."""
    is_judged: bool = False
    """Whether it is from here that the flow is judged."""
    shifts: Shifts = Shifts()


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """A run of duplicate ACKs that all ask for one byte of `direction`.

    `wanted_offset` counts from the ISN, the SYN being 0, and is null where the SYN was not seen.
    `answered` is null where it cannot be decided from here.
    """

    direction: DirectionWord
    wanted_seq: PerCapture
    wanted_offset: int | None = None
    duplicate_acks: int
    sack_duplicate_acks: int = 0
    first_duplicate_ack_frame: PerCapture = {}
    missing_segment_frame: PerCaptureOrNone = {}
    answered: bool | None
    answered_frame: PerCapture = {}
    passed_frame: PerCapture = {}
    first_ns: int | None = None
    last_ns: int | None = None


class DirectionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What one direction of a flow carried, in bytes, segments and messages.

    Duplicate ACKs and window facts are counted in the direction in which those segments travel.
    """

    segments: int = 0
    payload_bytes: int = 0
    data_segments: int = 0
    new_bytes: int = 0
    """Of the sequence space: SYN and FIN count as one each (RFC 9293 §3.4)."""
    again_bytes: int = 0
    filling_bytes: int = 0
    missing_bytes: int = 0
    retransmissions: int = 0
    late_originals: int = 0
    copies: int = 0
    undecided_repeats: int = 0
    duplicate_acks: int = 0
    sack_duplicate_acks: int = 0
    dsacks: int = 0
    keep_alives: int = 0
    window_updates: int = 0
    zero_windows: int = 0
    zero_window_probes: int = 0
    messages: int = 0
    esp_missing: int = 0
    esp_repeats: int = 0


class Directions(msgspec.Struct, frozen=True, kw_only=True):
    """The two halves of a flow."""

    client_to_headend: DirectionFacts = DirectionFacts()
    headend_to_client: DirectionFacts = DirectionFacts()


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """One TCP connection.  `episodes` may be capped: `episodes_total` is how many there were."""

    id: str
    client: Endpoint
    headend: Endpoint
    roles_because: str = ""
    first_ns: int
    last_ns: int
    encapsulation: Encapsulation
    ending: Ending
    verdict: VerdictWord
    confidence: Confidence
    direction: DirectionWord | None = None
    loss_location: Location | None = None
    """Where the decisive segment was lost, or most of those that were; null where nothing was, or nobody knows."""
    ack_author: Author | None = None
    """Who made the duplicate ACKs of the decisive question, as far as several captures show."""
    rst_author: Author | None = None
    """Who made the RST, likewise."""
    judged_in: str = ""
    """The capture that `first_ns`, `last_ns`, `ending` and `directions` are told from: times are of its clock."""
    seen: tuple[Seen, ...]
    episodes: tuple[Episode, ...] = ()
    episodes_total: int = 0
    directions: Directions = Directions()


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One claim about a flow: its outcome, why, the frames that show it, what would refute or settle it.

    Its role: `proof`, the verdict needs it; `guard`, where it does not hold the verdict is less sure;
    `refutation`, where it holds the verdict falls.  `link` is the link of the proof that it belongs to, in words:
    a proof of many claims is told link by link.
    """

    claim: str
    role: ClaimRole = "proof"
    link: str = ""
    outcome: OutcomeWord
    because: str
    frames: FramesPerCapture = {}
    would_refute: str = ""
    settled_by: str = ""


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """A documented fix: the change, what it costs, how to verify it and how to take it back."""

    fix: str
    title: str
    change: str
    commands: tuple[str, ...] = ()
    cost: str
    verify: tuple[str, ...] = ()
    roll_back: tuple[str, ...] = ()
    source: str
    caveats: tuple[str, ...] = ()


class AlsoPossible(msgspec.Struct, frozen=True, kw_only=True):
    """Another verdict that fits as well, and what would settle it."""

    verdict: VerdictWord
    because: str
    settled_by: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one flow.  `id` is stable: it depends on content, never on paths or order."""

    id: str
    flow: str
    verdict: VerdictWord
    title: str
    confidence: Confidence
    rule_version: str = "1"
    summary: str
    evidence: tuple[Evidence, ...] = ()
    recommendations: tuple[Recommendation, ...] = ()
    also_possible: tuple[AlsoPossible, ...] = ()
    missing_evidence: tuple[str, ...] = ()
    display_filter: str = ""
    """For the capture that the flow is judged in…"""
    display_filters: FilterPerCapture = {}
    """…and for each that shows it: addresses, ports and sequence numbers may differ on the way."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A vantage point of a path: the captures taken there, and which side of the firewall it is.

    `captures` are several where a capture was rotated.  `interface` is set where one savefile holds several
    vantage points.  `is_sure` is false where the order of two neighbours is a guess.
    """

    captures: tuple[str, ...]
    interface: int | None = None
    vantage: Vantage
    is_told: bool
    """By the user; false where it was inferred."""
    is_sure: bool
    because: str


class ClockPiece(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch between two resets in which one clock runs evenly against the other.

    This clock's time less the reference's lies within the offsets at `at_ns` of the reference; the offset drifts
    by `skew_ppm` microseconds a second.  Frames are those of the place's captures.
    """

    from_frame: int
    to_frame: int
    from_capture: str | None = None
    """That of `from_frame`…"""
    to_capture: str | None = None
    """…and of `to_frame`: the place may have several captures.  Null: the report does not say."""
    at_ns: int
    from_ns: int | None = None
    to_ns: int | None = None
    """The stretch, by the reference's clock."""
    offset_low_ns: int | None
    """Null: no segment went that way, so causality sets no bound."""
    offset_high_ns: int | None
    skew_ppm: float | None = None
    """Null: not known to 5 ppm."""
    skew_low_ppm: float | None = None
    """Null: fewer than 20 matches, or less than a minute."""
    skew_high_ppm: float | None = None
    matches: int


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """The clock of one place against that of another, by the segments that passed both."""

    place: int
    """Counted along the path, from 0."""
    reference: int
    is_shared: bool
    """Both were taken on one box, and nothing contradicts that."""
    pieces: tuple[ClockPiece, ...] = ()
    because: str = ""


class Crossing(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the data segments of one direction between two neighbouring places.

    Only segments that both captures were there for are counted; `beyond` are the others.  A segment is `lost`
    where the capture behind is known to have missed nothing; `undecided` where it may have missed it.
    """

    flow: str
    direction: DirectionWord
    sent_from: int | None
    """The place nearer to the sender, counted along the path from 0; null: the sender, whose numbers have no gaps."""
    towards: int
    location: Location
    arrived: int
    altered: int
    lost: int
    injected: int
    """Made in between."""
    not_captured_before: int
    """They passed the place nearer to the sender, and its capture does not hold them."""
    not_captured_behind: int
    undecided: int
    withheld: int
    """Nothing came through any more: they lie behind the last byte that arrived, though the capture behind went on."""
    damaged: int = 0  # reports from before this name was added are read as well
    """They came to the place nearer to the sender with a wrong checksum, and were thrown away behind it."""
    beyond: int
    loss_rate: float | None
    loss_rate_low: float | None
    """With `loss_rate_high`: Wilson's 95 % interval."""
    loss_rate_high: float | None
    pattern: Pattern | None
    depends_on_size: bool | None
    """Every lost segment is larger than every one that arrived; null where fewer than three were lost."""
    smallest_lost_len: int | None
    largest_arrived_len: int | None
    lost_frames: tuple[int, ...] = ()
    """The first of them, in the captures of `sent_from`…"""
    lost_in: tuple[str, ...] = ()
    """…and the capture of each."""


class Firewall(msgspec.Struct, frozen=True, kw_only=True):
    """What lies between two neighbouring places, by what it does to what passes."""

    sent_from: int
    """The place nearer to the client, counted along the path from 0."""
    towards: int
    nature: Nature
    because: str
    step_to_headend: int | None = None
    """How much larger sequence numbers are behind it than before it, modulo 2^32; null: they keep no step."""
    step_to_client: int | None = None
    """0 in both directions: nothing there randomises them, as with tcp-state-bypass."""


class Path(msgspec.Struct, frozen=True, kw_only=True):
    """Captures of one path, in order from client to headend, read as one case."""

    places: tuple[Place, ...]
    clocks: tuple[Clock, ...] = ()
    crossings: tuple[Crossing, ...] = ()
    firewalls: tuple[Firewall, ...] = ()
    notes: tuple[str, ...] = ()


Column = Annotated[
    str, msgspec.Meta(description="integers with a space between, one for each segment or SACK block")
]


class PictureHole(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that are missing at one place: from when that showed until they came; null: never."""

    direction: DirectionWord
    left: int
    right: int
    from_ns: int
    to_ns: int | None


class PicturePlace(msgspec.Struct, frozen=True, kw_only=True):
    """The decisive seconds as one place shows them, in columns; what each means is said in `trace.Columns`.

    Positions count from the ISN, the SYN being 0, or from the lowest number where that was not seen.
    """

    place: str
    captures: tuple[str, ...]
    clock_error_ns: int | None
    """Half the width of the interval in which its clock lies; 0 for the reference, null: not aligned."""
    base_seq: tuple[int, ...]
    """Raw sequence number of position 0, towards the headend and back."""
    keeps_step: tuple[bool, ...] = (True, True)
    """False: a box on the path made that direction anew, and its positions are this place's own."""
    at_ns: Column
    """Since the picture's `from_ns`."""
    frame: Column
    capture: Column
    direction: Column
    """0 towards the headend, 1 back."""
    pos: Column
    length: Column
    ack: Column
    window: Column
    marks: Column
    sack_row: Column
    sack_left: Column
    sack_right: Column
    holes: tuple[PictureHole, ...] = ()
    left_out: int = 0
    """Segments of these seconds that were left out, the ordinary ones first."""


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """The decisive seconds of one flow, at every place, on one clock: enough to draw them without the captures."""

    flow: str
    direction: DirectionWord
    """Whose bytes are drawn."""
    from_ns: int
    to_ns: int
    moment_ns: int
    """What these seconds were chosen for…"""
    moment: str
    """…in words."""
    follows: str
    """What the flow did behind them; empty where it ends with them."""
    places: tuple[PicturePlace, ...]


FlowColumn = Annotated[str, msgspec.Meta(description="integers with a space between, one for each flow")]


class BriefVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the flows that are told briefly have one verdict."""

    verdict: VerdictWord
    confidence: Confidence
    flows: int


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """Flows beyond those that are told in full: told in a line each, in columns.

    They are well, or none of ours; where very many are not well, the gravest are told in full and the rest here.
    None of them has a finding; analyzed with `--in-full` all of them have one.
    """

    capture: str
    """In which they begin."""
    verdicts: tuple[BriefVerdict, ...]
    addresses: tuple[str, ...]
    verdict: FlowColumn
    """Its place among `verdicts`, from 0."""
    client: FlowColumn
    """Its place among `addresses`, from 0."""
    client_port: FlowColumn
    headend: FlowColumn
    """Likewise."""
    headend_port: FlowColumn
    first_ns: FlowColumn
    last_ns: FlowColumn
    first_frame: FlowColumn
    to_headend: FlowColumn
    """Segments that the client sent…"""
    to_client: FlowColumn
    """…and that the headend sent."""

    @property
    def flows(self) -> int:
        return sum(told.flows for told in self.verdicts)


class Cap(msgspec.Struct, frozen=True, kw_only=True):
    """A stated limit that was reached, and where: what lies beyond it is not in the report."""

    cap: str
    limit: int
    reached_by: str


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """A source that was named and could not be read at all."""

    source: str
    reason: str
    offset: int | None = None

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "source", valid_text(self.source))
        msgspec.structs.force_setattr(self, "reason", valid_text(self.reason))


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How much of what was named has been looked at."""

    captures: int
    complete: int = 0
    partial: int = 0
    rejected: int = 0
    frames: int = 0
    tcp_segments: int = 0
    flows_seen: int = 0
    flows_judged: int = 0
    undecoded: tuple[Undecoded, ...] = ()
    caps: tuple[Cap, ...] = ()
    failed: tuple[Failed, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Every source was read to its end and no limit was reached.

        A capture with frames that nobody could decode is partial: TCP may be inside them.
        """
        return not (self.partial or self.rejected or self.caps or self.failed)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What ctcp-diag found in the captures it was given."""

    schema_version: str = SCHEMA_VERSION
    tool: Tool
    captures: tuple[Capture, ...]
    flows: tuple[Flow, ...]
    findings: tuple[Finding, ...]
    coverage: Coverage
    paths: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    """What captures that were named together have, or have not, to do with one another."""
    pictures: tuple[Picture, ...] = ()
    """Of the worst flows, where they were asked for."""
    brief: tuple[Brief, ...] = ()
    """The flows that `flows` does not list."""
    redacted_with: str | None = None
    """The name of the key, where addresses, names and hashes are pseudonyms."""

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> "Report":
        """Read a report of this major version; names that a later minor version added are skipped."""
        try:
            report = msgspec.json.decode(text, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ReportError(f"not a ctcp-diag report: {error}") from error
        if _major(report.schema_version) != _major(SCHEMA_VERSION):
            raise ReportError(
                f"report has schema version {report.schema_version}, this program reads {SCHEMA_VERSION}"
            )
        return report


def exit_status(report: Report) -> int:
    """1: at least one flow has the failure; 3: none found, but not everything was looked at; else 0."""
    in_brief = (told.verdict for brief in report.brief for told in brief.verdicts)
    if FLAGSHIP in (*(finding.verdict for finding in report.findings), *in_brief):
        return 1
    return 0 if report.coverage.is_complete else 3


def schema() -> dict[str, Any]:
    """The JSON Schema of a report.  Everything is required: a report always writes every name."""
    (reference,), definitions = msgspec.json.schema_components((Report,))
    for definition in definitions.values():
        definition["required"] = list(definition["properties"])
        for facts in definition["properties"].values():
            facts.pop("default", None)
    return {
        "$schema": SCHEMA_ID,
        "title": f"ctcp-diag report {SCHEMA_VERSION}",
        **reference,
        "$defs": definitions,
    }


def schema_json() -> bytes:
    """The published text of the schema, byte for byte."""
    return msgspec.json.format(msgspec.json.encode(schema()), indent=2) + b"\n"


def _major(version: str) -> str:
    return version.partition(".")[0]
