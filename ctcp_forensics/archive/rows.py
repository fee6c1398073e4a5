"""Rows: one result of an archive as rows of its three tables: captures, flows, findings.

Knows where in a report each column stands, and what is made of it.  Does not know what a column means nor how tables
are kept: see columns, parquet.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any, Final

from msgspec.structs import replace

from ctcp_forensics import report
from ctcp_forensics.archive.columns import CaptureRow, FindingRow, FlowRow, Row
from ctcp_forensics.archive.community import ADDRESSES_REMEMBERED, community_id
from ctcp_forensics.archive.examine import Examined
from ctcp_forensics.brief import Line, counts_of, lines_of
from ctcp_forensics.capture.names import shown
from ctcp_forensics.conclude.told import digest
from ctcp_forensics.render.wording import ended_by
from ctcp_forensics.report import FLAGSHIP, Endpoint, valid_text

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

_SHARED: Final = tuple(name for name in FindingRow.__struct_fields__ if name in FlowRow.__struct_fields__)
"""What a finding says of its flow."""


def rows_of(one: Examined) -> Iterator[Row]:
    """The rows of one result: that of the capture, and those of its flows and findings."""
    yield capture_row(one)
    if one.report is not None:
        flows = _flow_rows(one, one.report)
        yield from flows.values()
        yield from _brief_rows(one, one.report)
        yield from _finding_rows(one.report, flows)


def finding_rows(one: Examined) -> Iterator[FindingRow]:
    return iter(()) if one.report is None else _finding_rows(one.report, _flow_rows(one, one.report))


# --- captures ------------------------------------------------------------------------------------


def capture_row(one: Examined) -> CaptureRow:
    """What became of it, and as much as its report tells."""
    row = CaptureRow(
        day=day_of(one),
        uri=shown(one.uri),
        same_as=None if one.same_as is None else shown(one.same_as),
        size=one.size,
        content=one.content,
        status=one.status,
        reason=valid_text(one.reason),
        bytes=one.bytes,
        frames=one.frames,
        rules_version=one.rules_version,
    )
    if one.report is None:
        return row
    row = _with_coverage(row, one.report)
    return _with_capture(row, one.report.captures[0]) if one.report.captures else row


def _with_coverage(row: CaptureRow, found: report.Report) -> CaptureRow:
    return replace(
        row,
        caps=", ".join(cap.cap for cap in found.coverage.caps),
        flows_seen=found.coverage.flows_seen,
        flows_judged=found.coverage.flows_judged,
        hits=hits_of(found),
    )


def _with_capture(row: CaptureRow, told: report.Capture) -> CaptureRow:
    return replace(
        row,
        hash=None if told.digest is None else told.digest.name,
        format=told.format,
        vantage=told.vantage,
        frames=told.frames,
        tcp_segments=told.tcp_segments,
        undecoded=sum(some.frames for some in told.undecoded),
        dropped=_dropped(told),
        first_ns=_time(told.first_ns),
        last_ns=_time(told.last_ns),
        damages=len(told.damage),
        damage=told.damage[0].reason if told.damage else "",
    )


def hits_of(found: report.Report) -> int:
    """Flows with the failure, told in full or briefly."""
    in_full = sum(one.verdict == FLAGSHIP for one in found.findings)
    return in_full + counts_of(found.brief)[FLAGSHIP]


def day_of(one: Examined) -> str:
    """UTC day of the first frame."""
    first_ns = _time(one.first_ns)
    if first_ns is None:
        return UNKNOWN_DAY
    return (EPOCH + timedelta(seconds=first_ns // SECOND_NS)).date().isoformat()


def _time(time_ns: int | None) -> int | None:
    """A pcapng block may claim any time; one that 64 bits do not hold is none."""
    return time_ns if time_ns is not None and -LATEST_NS <= time_ns <= LATEST_NS else None


def _dropped(told: report.Capture) -> int | None:
    known = [one.dropped for one in told.interfaces if one.dropped is not None]
    return sum(known) if known else None


# --- flows ---------------------------------------------------------------------------------------


def _flow_rows(one: Examined, found: report.Report) -> dict[str, FlowRow]:
    """Those told in full, by the id of the flow."""
    place = _place_of(one)
    return {flow.id: _flow_row(flow, place) for flow in found.flows}


def _brief_rows(one: Examined, found: report.Report) -> Iterator[FlowRow]:
    place = _place_of(one)
    return (_brief_row(line, place) for line in lines_of(found))


def _place_of(one: Examined) -> dict[str, Any]:
    """The columns that are the same in all rows of a capture."""
    return {"day": day_of(one), "uri": shown(one.uri), "rules_version": one.rules_version}


def _flow_row(flow: report.Flow, place: dict[str, Any]) -> FlowRow:
    return FlowRow(
        **place,
        **_ends(flow.client, flow.headend),
        **_amounts(flow),
        flow=flow.id,
        is_brief=False,
        verdict=flow.verdict,
        confidence=flow.confidence,
        direction=flow.direction,
        encapsulation=flow.encapsulation.kind,
        grade=flow.encapsulation.grade,
        first_ns=_time(flow.first_ns),
        last_ns=_time(flow.last_ns),
        ending=flow.ending.kind,
        ending_by=ended_by(flow),
        firewall=firewall_of(flow),
        loss_location=flow.loss_location,
        ack_author=flow.ack_author,
        rst_author=flow.rst_author,
        is_lossy=is_lossy(flow),
    )


def _amounts(flow: report.Flow) -> dict[str, Any]:
    """Of both directions together."""
    both = (flow.directions.client_to_headend, flow.directions.headend_to_client)
    return {
        "segments": sum(way.segments for way in both),
        "payload_bytes": sum(way.payload_bytes for way in both),
        "episodes": flow.episodes_total,
        "unanswered": sum(episode.answered is False for episode in flow.episodes),
        "duplicate_acks": sum(way.duplicate_acks for way in both),
        "missing_bytes": sum(way.missing_bytes for way in both),
        "retransmissions": sum(way.retransmissions for way in both),
        "esp_missing": sum(way.esp_missing for way in both),
    }


def _brief_row(line: Line, place: dict[str, Any]) -> FlowRow:
    """What the line does not say is null; an id is made of what it does say."""
    ends = (line.client.address, line.client.port, line.headend.address, line.headend.port)
    return FlowRow(
        **place,
        **_ends(line.client, line.headend),
        flow=digest("brief", *ends, line.first_ns, line.last_ns, line.first_frame),
        is_brief=True,
        verdict=line.verdict,
        confidence=line.confidence,
        first_ns=_time(line.first_ns),
        last_ns=_time(line.last_ns),
        segments=line.to_headend + line.to_client,
    )


def _ends(client: Endpoint, headend: Endpoint) -> dict[str, Any]:
    return {
        "community_id": community_id(client.address, client.port, headend.address, headend.port),
        "client": client.address,
        "client_port": client.port,
        "client_network": network_of(client.address),
        "headend": headend.address,
        "headend_port": headend.port,
    }


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


# --- findings ------------------------------------------------------------------------------------


def _finding_rows(found: report.Report, flows: dict[str, FlowRow]) -> Iterator[FindingRow]:
    for finding in found.findings:
        flow = flows[finding.flow]
        yield FindingRow(
            finding=finding.id,
            title=finding.title,
            summary=finding.summary,
            display_filter=finding.display_filter,
            rule_version=finding.rule_version,
            **{name: getattr(flow, name) for name in _SHARED},
        )
