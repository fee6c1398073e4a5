"""Flows: one TCP connection each, as every capture shows it; or, of very many, a line each in columns.

Lengths are bytes, times nanoseconds.  Does not know why a verdict was given: see findings.
"""

from typing import Annotated

import msgspec

from ctcp_forensics.report.words import (
    Author,
    Confidence,
    DirectionWord,
    EndingKind,
    EndpointWord,
    Grade,
    Location,
    PerCapture,
    PerCaptureOrNone,
    VerdictWord,
)


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
    """How the flow ended.  That the capture ended is not an ending of the flow and never a diagnosis.

    `by` is the end that sent the FIN, or whose address the RST bears; the verdict and `rst_author` say who made that.
    """

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
    """Of every segment, copies and RSTs as well, as Wireshark's tcp.len adds up."""
    data_segments: int = 0
    """Without copies, keep-alives and RSTs."""
    new_bytes: int = 0
    """Of the sequence space: SYN and FIN count as one each (RFC 9293 §3.4)."""
    again_bytes: int = 0
    """Seen before."""
    filling_bytes: int = 0
    """Not seen before, and below bytes that were: they came late, or were sent again."""
    missing_bytes: int = 0
    """Of the holes that were never filled."""
    retransmissions: int = 0
    late_originals: int = 0
    copies: int = 0
    undecided_repeats: int = 0
    duplicate_acks: int = 0
    sack_duplicate_acks: int = 0
    """With news of data beyond a hole (RFC 6675 §2); not among the duplicate ACKs."""
    dsacks: int = 0
    keep_alives: int = 0
    window_updates: int = 0
    zero_windows: int = 0
    zero_window_probes: int = 0
    messages: int = 0
    """IPsec packets, of which a segment may hold several."""
    esp_missing: int = 0
    """ESP sequence numbers that were skipped and did not come later."""
    esp_repeats: int = 0
    """ESP messages with the SPI and number of an earlier one."""


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


FlowColumn = Annotated[str, msgspec.Meta(description="integers with a space between, one for each flow")]


class BriefVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the flows that are told briefly have one verdict."""

    verdict: VerdictWord
    confidence: Confidence
    flows: int
    is_early: bool = False
    """Judged before they were over, because others needed their places: what came later is told as another flow."""


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """Flows beyond those that are told in full: told in a line each, in columns.

    They are well, or none of ours; where very many are not well, the gravest are told in full and the rest here.
    None of them has a finding; analyzed with `--in-full` all of them have one, but for those whose places were needed.
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
    counted: tuple[BriefVerdict, ...] = ()
    """Flows beyond these, without a line: there are more than a report holds."""

    @property
    def lines(self) -> int:
        return sum(told.flows for told in self.verdicts)

    @property
    def flows(self) -> int:
        """With those that are counted only."""
        return self.lines + sum(told.flows for told in self.counted)
