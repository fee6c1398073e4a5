"""Streams: every result as lines of JSON, for whoever listens while the archive is swept.

Knows our own lines and those of two kinds of collectors: Elastic Common Schema, and Zeek's JSON logs.  Does not know
where lines go.

A line is written of a result that is acknowledged.  Whoever resumes a sweep gets no line twice, but a listener that
was cut off may have missed some: the store has them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from ctcp_forensics import __version__
from ctcp_forensics.archive.columns import CaptureRow, FindingRow
from ctcp_forensics.archive.examine import Examined
from ctcp_forensics.archive.rows import EPOCH, SECOND_NS, capture_row, finding_rows
from ctcp_forensics.report import FLAGSHIP, NEEDS_NO_READING

SCHEMA_VERSION: Final = "1.1"
"""Of our own lines; names are added and never renamed or removed."""
PRODUCT: Final = "ctcp-diag"
ECS_VERSION: Final = "9.0.0"
ZEEK_PATH: Final = "ctcp"
US: Final = 1_000


def ours(one: Examined) -> Iterator[str]:
    """The capture, then its findings: rows as the tables have them."""
    yield _line({"type": "capture", "schema_version": SCHEMA_VERSION}, capture_row(one))
    for row in finding_rows(one):
        yield _line({"type": "finding", "schema_version": SCHEMA_VERSION}, row)


def ecs(one: Examined) -> Iterator[str]:
    """Findings that need reading, in the names of the Elastic Common Schema."""
    capture = capture_row(one)
    for row in _worth_telling(one):
        yield _text(_ecs(row, capture))


def zeek(one: Examined) -> Iterator[str]:
    """The same as Zeek's JSON logs have it, times spelt as in its streams."""
    for row in _worth_telling(one):
        yield _text(_zeek(row))


FORMS: Final[dict[str, Callable[[Examined], Iterator[str]]]] = {"ndjson": ours, "ecs": ecs, "zeek": zeek}


def _worth_telling(one: Examined) -> Iterator[FindingRow]:
    return (row for row in finding_rows(one) if row.verdict not in NEEDS_NO_READING)


# --- Elastic Common Schema -----------------------------------------------------------------------


def _ecs(row: FindingRow, capture: CaptureRow) -> dict[str, Any]:
    """Field by field as elastic.co/docs/reference/ecs has them; what is ours alone is a label."""
    return {
        "@timestamp": _iso(row.first_ns),
        "ecs": {"version": ECS_VERSION},
        "message": row.summary,
        "event": _ecs_event(row),
        "rule": {
            "id": row.verdict,
            "name": row.title,
            "ruleset": PRODUCT,
            "version": row.rule_version,
        },
        "source": _ecs_end(row.client, row.client_port),
        "destination": _ecs_end(row.headend, row.headend_port),
        "network": _known(
            {"transport": "tcp", "type": _ip_version(row.client), "community_id": row.community_id}
        ),
        "observer": {"vendor": PRODUCT, "product": PRODUCT, "type": "sensor", "version": __version__},
        "file": _known({"path": row.uri, "size": capture.size, "hash": _hash(capture)}),
        "related": {"ip": [row.client, row.headend]},
        "labels": _known(
            {
                "confidence": row.confidence,
                "direction": row.direction,
                "firewall": row.firewall,
                "flow": row.flow,
                "display_filter": row.display_filter,
                "blake3": capture.content if capture.hash == "blake3" else None,
            }
        ),
    }


def _ecs_event(row: FindingRow) -> dict[str, Any]:
    return _known(
        {
            "kind": "alert" if row.verdict == FLAGSHIP else "event",
            "category": ["network"],
            "type": ["connection", "info"],
            "module": PRODUCT,
            "dataset": f"{PRODUCT}.finding",
            "provider": PRODUCT,
            "id": row.finding,
            "action": row.verdict,
            "reason": row.title,
            "start": _iso(row.first_ns),
            "end": _iso(row.last_ns),
            "duration": _lasted_ns(row),
        }
    )


def _ecs_end(address: str, port: int) -> dict[str, Any]:
    """`ip` takes addresses only; a pseudonym is an `address`."""
    return _known({"address": address, "ip": address if _ip_version(address) else None, "port": port})


def _hash(capture: CaptureRow) -> dict[str, str] | None:
    """The schema has no name for BLAKE3."""
    return {"sha256": capture.content} if capture.hash == "sha256" and capture.content else None


# --- Zeek -----------------------------------------------------------------------------------------


def _zeek(row: FindingRow) -> dict[str, Any]:
    """Names of conn.log and notice.log where they mean the same.  `_write_ts` is the capture's time, not the wall's."""
    lasted_ns = _lasted_ns(row)
    return _known(
        {
            "_path": ZEEK_PATH,
            "_write_ts": _iso(row.last_ns),
            "ts": _iso(row.first_ns),
            "uid": f"C{row.flow}",
            "id.orig_h": row.client,
            "id.orig_p": row.client_port,
            "id.resp_h": row.headend,
            "id.resp_p": row.headend_port,
            "proto": "tcp",
            "community_id": row.community_id,
            "duration": None if lasted_ns is None else round(lasted_ns / SECOND_NS, 6),
            "note": f"CTCP::{row.verdict.title().replace('-', '_')}",
            "msg": row.summary,
            "sub": row.title,
            "confidence": row.confidence,
            "direction": row.direction,
            "firewall": row.firewall,
            "missed_bytes": row.missing_bytes,
            "duplicate_acks": row.duplicate_acks,
            "finding": row.finding,
            "filename": row.uri,
        }
    )


# --- values ---------------------------------------------------------------------------------------


def _iso(time_ns: int | None) -> str:
    """RFC 3339 with six decimals, as both expect; what no clock can have shown is the beginning of all time."""
    try:
        at: datetime = EPOCH + timedelta(microseconds=(time_ns or 0) // US)
    except OverflowError:
        at = EPOCH
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _lasted_ns(row: FindingRow) -> int | None:
    return None if row.first_ns is None or row.last_ns is None else row.last_ns - row.first_ns


def _ip_version(address: str) -> str | None:
    if ":" in address:
        return "ipv6"
    return "ipv4" if address.count(".") == 3 and address.replace(".", "").isdigit() else None


def _known(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}


def _line(head: dict[str, str], row: CaptureRow | FindingRow) -> str:
    return (msgspec.json.encode(head)[:-1] + b"," + msgspec.json.encode(row)[1:]).decode() + "\n"


def _text(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value).decode() + "\n"
