"""What collectors get: our lines, Elastic's names, Zeek's names, and the flow's name that all agree on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcp_forensics import __version__
from ctcp_forensics.archive.community import community_id
from ctcp_forensics.archive.stream import ecs, ours, zeek
from tests.made_stores import analyzed, dead, healthy, rejected

# The TCP flows of baseline/baseline_deflt.json of corelight/community-id-spec.
BASELINE = [
    (
        "2001:470:e5bf:dead:4957:2174:e82c:4887",
        63943,
        "2607:f8b0:400c:c03::1a",
        25,
        "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
    ),
    ("128.232.110.120", 34855, "66.35.250.204", 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
]

# Names and types from generated/csv/fields.csv of elastic/ecs, version 9.5.0-dev.
ECS = {
    "@timestamp": "date",
    "destination.address": "keyword",
    "destination.ip": "ip",
    "destination.port": "long",
    "ecs.version": "keyword",
    "event.action": "keyword",
    "event.category": "array",
    "event.dataset": "keyword",
    "event.duration": "long",
    "event.end": "date",
    "event.id": "keyword",
    "event.kind": "keyword",
    "event.module": "keyword",
    "event.provider": "keyword",
    "event.reason": "keyword",
    "event.start": "date",
    "event.type": "array",
    "file.hash.sha256": "keyword",
    "file.path": "keyword",
    "file.size": "long",
    "message": "text",
    "network.community_id": "keyword",
    "network.transport": "keyword",
    "network.type": "keyword",
    "observer.product": "keyword",
    "observer.type": "keyword",
    "observer.vendor": "keyword",
    "observer.version": "keyword",
    "related.ip": "array",
    "rule.id": "keyword",
    "rule.name": "keyword",
    "rule.ruleset": "keyword",
    "rule.version": "keyword",
    "source.address": "keyword",
    "source.ip": "ip",
    "source.port": "long",
}
KINDS = {"alert", "event"}
TYPES_OF_NETWORK = {"access", "allowed", "connection", "denied", "end", "info", "protocol", "start"}


def parsed(lines: Iterator[str]) -> list[dict[str, Any]]:
    found = list(lines)
    assert all(line.count("\n") == 1 and line.endswith("\n") for line in found)
    return [json.loads(line) for line in found]


def flat(value: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, one in value.items():
        if isinstance(one, dict):
            yield from flat(one, f"{before}{name}.")
        else:
            yield before + name, one


@pytest.mark.parametrize(("one", "one_port", "other", "other_port", "told"), BASELINE)
def test_community_id_is_that_of_the_specification(
    one: str, one_port: int, other: str, other_port: int, told: str
) -> None:
    assert community_id(one, one_port, other, other_port) == told
    assert community_id(other, other_port, one, one_port) == told


@given(st.ip_addresses(v=4), st.integers(0, 65535), st.ip_addresses(v=4), st.integers(0, 65535))
def test_community_id_is_the_same_from_either_end(
    one: object, one_port: int, other: object, other_port: int
) -> None:
    ends = (str(one), one_port), (str(other), other_port)
    assert community_id(*ends[0], *ends[1]) == community_id(*ends[1], *ends[0])


def test_a_pseudonym_has_no_community_id() -> None:
    assert community_id("client-1", 1, "192.0.2.1", 2) is None
    assert community_id("192.0.2.1", 70_000, "192.0.2.2", 2) is None


def test_our_lines_are_the_rows_of_the_tables() -> None:
    told = parsed(ours(analyzed("/a.pcap", dead(1), healthy(2))))
    assert [(one["type"], one["uri"]) for one in told] == [
        ("capture", "/a.pcap"),
        ("finding", "/a.pcap"),
        ("finding", "/a.pcap"),
    ]
    assert (told[0]["hits"], told[1]["verdict"]) == (1, "unanswered-duplicate-acks")
    assert [one["status"] for one in parsed(ours(rejected("/b.exe")))] == ["rejected"]


def test_every_field_of_ecs_is_published_and_of_its_type() -> None:
    (told,) = parsed(ecs(analyzed("/a.pcap", dead(1), healthy(2))))
    fields = dict(flat({name: value for name, value in told.items() if name != "labels"}))
    assert set(fields) == set(ECS)
    for name, value in fields.items():
        match ECS[name]:
            case "long":
                assert isinstance(value, int), name
            case "array":
                assert isinstance(value, list), name
            case _:
                assert isinstance(value, str), name
    assert fields["event.kind"] in KINDS
    assert set(fields["event.type"]) <= TYPES_OF_NETWORK
    assert all(isinstance(value, str) for value in told["labels"].values())


def test_ecs_says_who_when_and_what() -> None:
    (told,) = parsed(ecs(analyzed("/a.pcap", dead(1))))
    assert told["@timestamp"] == told["event"]["start"] == "2026-03-02T09:14:05.123456Z"
    assert told["event"]["duration"] == 134_000_000_000
    assert (told["event"]["kind"], told["event"]["id"]) == ("alert", "x1")
    assert told["source"] == {"address": "192.0.2.10", "ip": "192.0.2.10", "port": 51_001}
    assert told["rule"]["id"] == "unanswered-duplicate-acks"
    assert told["observer"]["version"] == __version__
    assert told["network"]["community_id"] == community_id("192.0.2.10", 51_001, "198.51.100.1", 10_000)


def test_a_pseudonym_is_no_ip() -> None:
    (told,) = parsed(ecs(analyzed("/a.pcap", dead(1, client="client-1"))))
    assert told["source"] == {"address": "client-1", "port": 51_001}
    assert told["network"] == {"transport": "tcp"}


def test_zeek_names_a_flow_as_conn_log_does() -> None:
    (told,) = parsed(zeek(analyzed("/a.pcap", dead(1), healthy(2))))
    assert list(told)[:9] == [
        "_path", "_write_ts", "ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto"
    ]  # fmt: skip
    assert (told["ts"], told["duration"]) == ("2026-03-02T09:14:05.123456Z", 134.0)
    assert told["note"] == "CTCP::Unanswered_Duplicate_Acks"


def test_flows_that_are_well_are_no_news_to_a_collector() -> None:
    one = analyzed("/a.pcap", healthy(2))
    assert list(ecs(one)) == []
    assert list(zeek(one)) == []


def test_a_hostile_name_cannot_begin_a_line() -> None:
    name = b'/a\n{"event":1}\xff\x1b[2J\xe2\x80\xa8.pcap'.decode("utf-8", "surrogateescape")
    for form in (ours, ecs, zeek):
        for line in form(analyzed(name, dead(1))):
            assert line.isprintable() is False
            assert line[:-1].isprintable()
            assert len(line.splitlines()) == 1
