"""Rows: one result of an archive as rows of three tables: captures, flows, findings.

Knows the columns, what each means, and where in a report it stands.  Does not know how tables are kept: see parquet.

A column is added and never renamed or removed, as in the report.  Every integer fits 64 bits with a sign; times are
nanoseconds since 1970 UTC of the capture's own clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, Final

import msgspec

from ctcp_forensics import report
from ctcp_forensics.archive.community import ADDRESSES_REMEMBERED, community_id
from ctcp_forensics.archive.examine import Examined
from ctcp_forensics.brief import Line, counts_of, lines_of
from ctcp_forensics.capture.names import shown
from ctcp_forensics.conclude.told import digest
from ctcp_forensics.report import FLAGSHIP, valid_text

UNKNOWN_DAY: Final = "unknown"
DUP_THRESH: Final = 3
"""RFC 5681 section 3.2: as many duplicate ACKs say that a segment was lost rather than late."""
IPV4_NETWORK_LEN: Final = 24
"""The smallest network that is announced to the Internet: one site, or one pool of an access provider."""
IPV6_NETWORK_LEN: Final = 48
"""What a site is given (RFC 6177 section 2, BCP 157)."""
LATEST_NS: Final = 2**63 - 1
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SECOND_NS: Final = 1_000_000_000


def says(text: str) -> msgspec.Meta:
    """What a column means, for the schema and the documents."""
    return msgspec.Meta(description=text)


Day = Annotated[str, says("UTC day of the capture's first frame, `unknown` without one; the partition")]
Uri = Annotated[
    str, says("what `ctcp-diag analyze` opens; what is not printable, and a backslash, as an escape")
]
FirstNs = Annotated[int | None, says("first frame")]
LastNs = Annotated[int | None, says("last frame")]
Rules = Annotated[str, says("version of the rules that judged")]


class CaptureRow(msgspec.Struct, frozen=True, kw_only=True):
    """One capture of the archive and what became of it."""

    day: Day
    uri: Uri
    same_as: Annotated[str | None, says("another capture with the same content, which this was told from")]
    size: Annotated[int | None, says("bytes as stored")]
    content: Annotated[str | None, says("hash of the content as stored")]
    hash: Annotated[str | None, says("which: `blake3`, or `sha256` in a store that an older version began")]
    status: Annotated[str, says("`analyzed`, `partial`, `rejected` or `failed`")]
    reason: Annotated[str, says("why it was rejected or failed")]
    format: Annotated[str | None, says("`pcap` or `pcapng`")]
    vantage: Annotated[str | None, says("where it was taken, as far as is known")]
    bytes: Annotated[int, says("bytes read, as stored")]
    frames: Annotated[int, says("frames read")]
    tcp_segments: Annotated[int, says("of them TCP")]
    undecoded: Annotated[int, says("frames that nobody could decode")]
    dropped: Annotated[int | None, says("frames that the capturing program says it lost")]
    first_ns: FirstNs
    last_ns: LastNs
    damages: Annotated[int, says("places of damage listed")]
    damage: Annotated[str, says("the first of them")]
    caps: Annotated[str, says("limits that were reached, by name")]
    flows_seen: Annotated[int, says("TCP connections in it")]
    flows_judged: Annotated[int, says("of them judged")]
    hits: Annotated[int, says("flows that died of unanswered duplicate ACKs")]
    rules_version: Rules


class FlowRow(msgspec.Struct, frozen=True, kw_only=True):
    """One flow that was judged, as one capture shows it; of one told briefly some columns are null."""

    day: Day
    uri: Uri
    flow: Annotated[str, says("id of the flow: of its content, the same wherever the capture lies")]
    is_brief: Annotated[
        bool,
        says(
            "it is told in a line, being well, none of ours, or one of very many that are not: there is no finding, "
            "and its id is of the tables only"
        ),
    ]
    community_id: Annotated[str | None, says("Community ID v1, to join other tools' logs")]
    verdict: Annotated[str, says("see VERDICTS.md")]
    confidence: Annotated[str, says("`proven`, `strong`, `consistent` or `undetermined`")]
    direction: Annotated[str | None, says("of the bytes that were lost")]
    client: Annotated[str, says("address of the client")]
    client_port: Annotated[int, says("its port")]
    client_network: Annotated[str, says("its network: /24, of IPv6 /48")]
    headend: Annotated[str, says("address of the headend")]
    headend_port: Annotated[int, says("its port")]
    encapsulation: Annotated[str | None, says("what the flow carries")]
    grade: Annotated[str | None, says("how sure that is")]
    first_ns: FirstNs
    last_ns: LastNs
    ending: Annotated[str | None, says("`fin`, `rst`, `silence`, `capture-ended` or `open`")]
    ending_by: Annotated[str | None, says("who ended it")]
    firewall: Annotated[
        str | None,
        says(
            "the firewall's place, where it is known to have made the ACKs or the RST, or to have lost the segment"
        ),
    ]
    loss_location: Annotated[str | None, says("where the decisive segment was lost")]
    ack_author: Annotated[str | None, says("who made the duplicate ACKs")]
    rst_author: Annotated[str | None, says("who made the RST")]
    is_lossy: Annotated[
        bool | None, says("bytes or ESP numbers never came, or three duplicate ACKs asked for one byte")
    ]
    segments: Annotated[int, says("TCP segments, both directions")]
    payload_bytes: Annotated[int | None, says("bytes of payload, both directions")]
    episodes: Annotated[int | None, says("runs of duplicate ACKs that ask for one byte")]
    unanswered: Annotated[int | None, says("of those kept, the ones that nobody answered")]
    duplicate_acks: Annotated[int | None, says("RFC 5681 section 2")]
    missing_bytes: Annotated[int | None, says("bytes that never came")]
    retransmissions: Annotated[int | None, says("segments sent again")]
    esp_missing: Annotated[int | None, says("ESP numbers that never came")]
    rules_version: Rules


class FindingRow(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one flow, with what `who-else` asks for."""

    day: Day
    uri: Uri
    finding: Annotated[str, says("id of the finding: of its content, the same wherever the capture lies")]
    flow: Annotated[str, says("id of its flow, for `annotate --flow`")]
    verdict: Annotated[str, says("see VERDICTS.md")]
    title: Annotated[str, says("the verdict in words")]
    confidence: Annotated[str, says("`proven`, `strong`, `consistent` or `undetermined`")]
    summary: Annotated[str, says("what happened, in a sentence or two")]
    direction: Annotated[str | None, says("of the bytes that were lost")]
    client: Annotated[str, says("address of the client")]
    client_port: Annotated[int, says("its port")]
    client_network: Annotated[str, says("its network: /24, of IPv6 /48")]
    headend: Annotated[str, says("address of the headend")]
    headend_port: Annotated[int, says("its port")]
    community_id: Annotated[str | None, says("Community ID v1, to join other tools' logs")]
    firewall: Annotated[str | None, says("as in `flows`")]
    first_ns: FirstNs
    last_ns: LastNs
    episodes: Annotated[int, says("runs of duplicate ACKs that ask for one byte")]
    duplicate_acks: Annotated[int, says("RFC 5681 section 2")]
    missing_bytes: Annotated[int, says("bytes that never came")]
    retransmissions: Annotated[int, says("segments sent again")]
    display_filter: Annotated[str, says("for Wireshark")]
    rule_version: Annotated[str, says("version of the rule that judged")]


Row = CaptureRow | FlowRow | FindingRow
TABLES: Final[dict[str, type[Row]]] = {"captures": CaptureRow, "flows": FlowRow, "findings": FindingRow}
_OF_THE_CAPTURE: Final = frozenset({"day", "uri"})
_TOLD_BRIEFLY: Final = frozenset(
    {
        *(
            "day",
            "uri",
            "rules_version",
            "flow",
            "is_brief",
            "community_id",
            "verdict",
            "confidence",
            "segments",
        ),
        *("client", "client_port", "client_network", "headend", "headend_port", "first_ns", "last_ns"),
    }
)
_UNTOLD: Final[dict[str, Any]] = dict.fromkeys(
    name for name in FlowRow.__struct_fields__ if name not in _TOLD_BRIEFLY
)
_SHARED: Final = tuple(
    name
    for name in FindingRow.__struct_fields__
    if name in FlowRow.__struct_fields__ and name not in _OF_THE_CAPTURE
)


def rows_of(one: Examined) -> Iterator[Row]:
    """The rows of one result: that of the capture, and those of its flows and findings."""
    yield capture_row(one)
    facts = _facts_by_flow(one)
    yield from _flow_rows(one, facts)
    yield from _brief_rows(one)
    yield from _finding_rows(one, facts)


def finding_rows(one: Examined) -> Iterator[FindingRow]:
    return _finding_rows(one, _facts_by_flow(one))


def capture_row(one: Examined) -> CaptureRow:
    told = one.report.captures[0] if one.report is not None and one.report.captures else None
    coverage = one.report.coverage if one.report is not None else report.Coverage(captures=0)
    return CaptureRow(
        day=day_of(one),
        uri=shown(one.uri),
        same_as=None if one.same_as is None else shown(one.same_as),
        size=one.size,
        content=one.content,
        hash=told.digest.name if told and told.digest else None,
        status=one.status,
        reason=valid_text(one.reason),
        format=told.format if told else None,
        vantage=told.vantage if told else None,
        bytes=one.bytes,
        frames=told.frames if told else one.frames,
        tcp_segments=told.tcp_segments if told else 0,
        undecoded=sum(some.frames for some in told.undecoded) if told else 0,
        dropped=_dropped(told),
        first_ns=_time(told.first_ns if told else None),
        last_ns=_time(told.last_ns if told else None),
        damages=len(told.damage) if told else 0,
        damage=told.damage[0].reason if told and told.damage else "",
        caps=", ".join(cap.cap for cap in coverage.caps),
        flows_seen=coverage.flows_seen,
        flows_judged=coverage.flows_judged,
        hits=hits_of(one.report) if one.report else 0,
        rules_version=one.rules_version,
    )


def hits_of(found: report.Report) -> int:
    """Flows that died of the failure, told in full or briefly."""
    in_full = sum(one.verdict == FLAGSHIP for one in found.findings)
    return in_full + counts_of(found.brief)[FLAGSHIP]


def day_of(one: Examined) -> str:
    """UTC day of the first frame."""
    first_ns = _time(one.first_ns)
    if first_ns is None:
        return UNKNOWN_DAY
    return (EPOCH + timedelta(seconds=first_ns // SECOND_NS)).date().isoformat()


# --- flows and findings --------------------------------------------------------------------------


Facts = dict[str, Any]


def _facts_by_flow(one: Examined) -> dict[str, Facts]:
    return {flow.id: _facts_of(flow) for flow in one.report.flows} if one.report is not None else {}


def _flow_rows(one: Examined, facts: dict[str, Facts]) -> Iterator[FlowRow]:
    place: dict[str, Any] = {"day": day_of(one), "uri": shown(one.uri), "rules_version": one.rules_version}
    for told in facts.values():
        yield FlowRow(**place, **told)


def _brief_rows(one: Examined) -> Iterator[FlowRow]:
    """Flows that are told in a line: what the line does not say is null."""
    place: dict[str, Any] = {"day": day_of(one), "uri": shown(one.uri), "rules_version": one.rules_version}
    for line in lines_of(one.report) if one.report is not None else ():
        yield FlowRow(**place, **_UNTOLD, **_facts_of_line(line))


def _facts_of_line(line: Line) -> Facts:
    ends = (line.client.address, line.client.port, line.headend.address, line.headend.port)
    return {
        "flow": digest("brief", *ends, line.first_ns, line.last_ns, line.first_frame),
        "is_brief": True,
        "community_id": community_id(*ends),
        "verdict": line.verdict,
        "confidence": line.confidence,
        "client": line.client.address,
        "client_port": line.client.port,
        "client_network": network_of(line.client.address),
        "headend": line.headend.address,
        "headend_port": line.headend.port,
        "first_ns": _time(line.first_ns),
        "last_ns": _time(line.last_ns),
        "segments": line.to_headend + line.to_client,
    }


def _finding_rows(one: Examined, facts: dict[str, Facts]) -> Iterator[FindingRow]:
    day, uri = day_of(one), shown(one.uri)
    for found in one.report.findings if one.report is not None else ():
        told = facts[found.flow]
        yield FindingRow(
            day=day,
            uri=uri,
            finding=found.id,
            title=found.title,
            summary=found.summary,
            display_filter=found.display_filter,
            rule_version=found.rule_version,
            **{name: told[name] for name in _SHARED},
        )


def _facts_of(flow: report.Flow) -> Facts:
    """What a row of `flows` says of the flow itself."""
    both = (flow.directions.client_to_headend, flow.directions.headend_to_client)
    return {
        "flow": flow.id,
        "is_brief": False,
        "community_id": community_of(flow),
        "verdict": flow.verdict,
        "confidence": flow.confidence,
        "direction": flow.direction,
        "client": flow.client.address,
        "client_port": flow.client.port,
        "client_network": network_of(flow.client.address),
        "headend": flow.headend.address,
        "headend_port": flow.headend.port,
        "encapsulation": flow.encapsulation.kind,
        "grade": flow.encapsulation.grade,
        "first_ns": _time(flow.first_ns),
        "last_ns": _time(flow.last_ns),
        "ending": flow.ending.kind,
        "ending_by": flow.ending.by,
        "firewall": firewall_of(flow),
        "loss_location": flow.loss_location,
        "ack_author": flow.ack_author,
        "rst_author": flow.rst_author,
        "is_lossy": is_lossy(flow),
        "segments": sum(way.segments for way in both),
        "payload_bytes": sum(way.payload_bytes for way in both),
        "episodes": flow.episodes_total,
        "unanswered": sum(episode.answered is False for episode in flow.episodes),
        "duplicate_acks": sum(way.duplicate_acks for way in both),
        "missing_bytes": sum(way.missing_bytes for way in both),
        "retransmissions": sum(way.retransmissions for way in both),
        "esp_missing": sum(way.esp_missing for way in both),
    }


def community_of(flow: report.Flow) -> str | None:
    return community_id(flow.client.address, flow.client.port, flow.headend.address, flow.headend.port)


def firewall_of(flow: report.Flow) -> str | None:
    """The place of the firewall that had a hand in it, in the words of the report; what is not known stays null."""
    for word in (flow.ack_author, flow.rst_author, flow.loss_location):
        if word is not None and "asa" in word.split("-"):
            return word
    return None


def is_lossy(flow: report.Flow) -> bool:
    """Whether a segment of the flow was lost, as far as its capture shows."""
    both = (flow.directions.client_to_headend, flow.directions.headend_to_client)
    return any(way.missing_bytes or way.esp_missing for way in both) or any(
        episode.duplicate_acks >= DUP_THRESH for episode in flow.episodes
    )


@lru_cache(maxsize=ADDRESSES_REMEMBERED)
def network_of(address: str) -> str:
    """The network that an address is of; a pseudonym is its own."""
    try:
        at = ip_address(address)
    except ValueError:
        return address
    length = IPV4_NETWORK_LEN if at.version == 4 else IPV6_NETWORK_LEN
    return str(ip_network((at.packed, length), strict=False))


# --- captures ------------------------------------------------------------------------------------


def _dropped(told: report.Capture | None) -> int | None:
    known = [one.dropped for one in told.interfaces if one.dropped is not None] if told else []
    return sum(known) if known else None


def _time(time_ns: int | None) -> int | None:
    """A pcapng block may claim any time; one that 64 bits do not hold is none."""
    return time_ns if time_ns is not None and -LATEST_NS <= time_ns <= LATEST_NS else None
