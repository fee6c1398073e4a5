"""Over 2,833 captures that nobody of this project made: counts as tshark has them, and no accusation anywhere.

None of them holds IPsec over TCP, so that every cTCP verdict on them would be false.
"""

from __future__ import annotations

from pathlib import Path

import dpkt
import pytest
import yaml

from ctcp_forensics.cases import cases_of
from ctcp_forensics.reading import Options, read
from ctcp_forensics.verdict import FLAGSHIP, judge
from tests.public_captures import (
    Looked,
    Row,
    Stream,
    facts_of,
    is_in_order,
    look_at,
    manifest,
    pairs,
    reference,
)

CTCP_KINDS = {"cisco-ctcp", "esp-like"}

STEPS_TO_BEGIN = 10_000
"""What one call costs before its first frame: a file with a thousand interfaces takes half of it."""
STEPS_PER_FRAME = 1_000
"""A flow costs some seven hundred to judge with every claim, and a frame may open one."""

Differences = dict[tuple[str, str], tuple[int, int]]


@pytest.fixture(scope="module")
def shared(root: Path) -> Path:
    folder = root.parent / "shared" / "captures"
    if not folder.is_dir():
        pytest.skip("the shared public captures are absent (../shared/captures)")
    return folder


@pytest.fixture(scope="module")
def rows(shared: Path) -> list[Row]:
    return manifest(shared)


@pytest.fixture(scope="module")
def streams(shared: Path) -> dict[str, list[Stream]]:
    return reference(shared)


@pytest.fixture(scope="module")
def looked(shared: Path, rows: list[Row]) -> dict[str, Looked]:
    """Every file, read and judged once; an exception here is the traceback that there must not be."""
    return {row.path: look_at(shared / "public" / row.path) for row in rows}


# --- counts ------------------------------------------------------------------------------------


def test_counts_differ_from_those_of_capinfos_and_tshark_only_where_a_reason_is_written_down(
    root: Path, rows: list[Row], streams: dict[str, list[Stream]], looked: dict[str, Looked]
) -> None:
    found: Differences = {}
    compared = 0
    for row in rows:
        facts = [
            *counts_of(row, looked[row.path]),
            *stream_facts(looked[row.path], streams.get(row.path, [])),
        ]
        compared += len(facts)
        found |= {(row.path, fact): (ours, theirs) for fact, ours, theirs in facts if ours != theirs}
    assert found == listed(root)
    assert compared > 20_000


def counts_of(row: Row, one: Looked) -> list[tuple[str, int, int]]:
    """Facts about a file that capinfos reads."""
    if row.frames is None or row.tcp_segments is None or row.streams is None:
        return []
    return [
        ("frames", one.frames, row.frames),
        ("tcp_segments", one.tcp_segments, row.tcp_segments),
        ("flows", len(one.flows), row.streams),
    ]


def stream_facts(one: Looked, theirs: list[Stream]) -> list[tuple[str, int, int]]:
    return [
        (f"{stream.number}:{fact}", ours, stream.facts[fact])
        for stream, flow in pairs(one, theirs)
        for fact, ours in facts_of(flow, stream.end_a).items()
    ]


def listed(root: Path) -> Differences:
    table = yaml.safe_load((root / "tests" / "public_differences.yml").read_text())
    return {
        (path, fact): (ours, theirs)
        for group in table
        for path, facts in group["files"].items()
        for fact, (ours, theirs) in facts.items()
    }


def test_each_stream_of_a_complete_capture_has_its_flow_in_the_same_place(
    rows: list[Row], streams: dict[str, list[Stream]], looked: dict[str, Looked]
) -> None:
    """So that `tcp.stream == N` of Wireshark is our flow N."""
    unlike = {
        row.path
        for row in rows
        if looked[row.path].outcome == "complete"
        and row.path in streams
        and not is_in_order(looked[row.path], streams[row.path])
    }
    assert unlike == {
        "OISF+suricata-verify/tests/detect-ipopts/input.pcap",  # source routes: public_differences.yml
        "the-tcpdump-group+tcpdump/tests/sflow_expanded.pcap",  # an sFlow sample, likewise
        "arkime+arkime/tests/pcap/tcpseq_synthetic.pcap",  # frames out of the order of time, which we restore
    }


# --- damage ------------------------------------------------------------------------------------


def test_what_could_not_be_read_whole_says_why(looked: dict[str, Looked]) -> None:
    without_reason = [path for path, one in looked.items() if one.outcome != "complete" and not one.reasons]
    assert without_reason == []
    assert {one.outcome for one in looked.values()} == {"complete", "partial", "rejected"}


def test_what_capinfos_cannot_read_is_not_called_complete(rows: list[Row], looked: dict[str, Looked]) -> None:
    unreadable = [looked[row.path] for row in rows if row.frames is None]
    assert len(unreadable) == 35
    assert {one.outcome for one in unreadable} == {"partial", "rejected"}


# --- judgement ---------------------------------------------------------------------------------


def test_no_public_capture_holds_ctcp_or_its_failure(looked: dict[str, Looked]) -> None:
    accused = {
        (path, flow.kind, flow.verdict)
        for path, one in looked.items()
        for flow in one.judged
        if flow.kind in CTCP_KINDS or flow.verdict == FLAGSHIP.slug
    }
    assert accused == set()
    assert sum(len(one.judged) for one in looked.values()) > 2_500


def test_no_verdict_is_given_that_needs_more_than_public_captures_show(looked: dict[str, Looked]) -> None:
    """Reviewed one by one; a word that comes up for the first time is to be looked at before it is listed here."""
    words = {flow.verdict for one in looked.values() for flow in one.judged}
    assert words <= {
        "answered",
        "handshake-failed",
        "idle-timeout",
        "insufficient-evidence",
        "not-ctcp",
        "peer-vanished",
        "reset-by-endpoint",
        "reset-by-middlebox",  # arkime's ldap-simpleauth.pcap: a load balancer's RST, TTL 251 instead of 52
    }


def test_applications_are_named_as_what_they_are(looked: dict[str, Looked]) -> None:
    """SMB and Modbus once passed for NDMP, whose record marks they resemble; there is no NDMP in any file."""
    kinds = {flow.kind for one in looked.values() for flow in one.judged}
    assert kinds == {"http", "none", "ssh", "tls", "unknown"}


def test_no_capture_takes_more_steps_than_its_frames_account_for(looked: dict[str, Looked]) -> None:
    too_long = {
        path: one.steps
        for path, one in looked.items()
        if one.steps > STEPS_TO_BEGIN + STEPS_PER_FRAME * one.frames
    }
    assert too_long == {}


# --- the three captures of cTCP's framing ------------------------------------------------------

CTCP_CAPTURES = {
    "ike-scan-cisco-tcp-port-10000.pcap": "cisco-ctcp",
    "ike-scan-cisco-tcp-port-500.pcap": "cisco-ctcp",
    "ike-scan-raw-ike-over-tcp-negative.pcap": "raw-ike",
}
OTHER_PORTS = {"as recorded": None, "HTTPS": 443, "NDMP": 10000, "a high one": 61234}


@pytest.mark.parametrize("headend_port", OTHER_PORTS.values(), ids=OTHER_PORTS)
@pytest.mark.parametrize("name", CTCP_CAPTURES)
def test_ctcp_is_known_by_its_trailer_on_any_port(
    shared: Path, tmp_path: Path, name: str, headend_port: int | None
) -> None:
    path = shared / "ctcp" / name
    if headend_port is not None:
        path = on_port(path, tmp_path / name, headend_port)
    reading = read(str(path), Options())
    cases = cases_of(reading, Options(all_tcp=True))
    assert {case.encapsulation.kind for case in cases} == {CTCP_CAPTURES[name]}
    assert FLAGSHIP.slug not in {judge(case).verdict.slug for case in cases}


def test_ipsec_in_tcp_is_a_suspect_on_any_port(shared: Path, tmp_path: Path) -> None:
    for name, kind in CTCP_CAPTURES.items():
        path = on_port(shared / "ctcp" / name, tmp_path / name, 443)
        reading = read(str(path), Options())
        suspects = cases_of(reading, Options())
        assert len(suspects) == reading.tracker.tallies().flows > 0
        assert {case.encapsulation.kind for case in suspects} == {kind}


def on_port(source: Path, target: Path, port: int) -> Path:
    """The same capture with the headend on another port; it is the end that answers the first SYN."""
    with source.open("rb") as packets, target.open("wb") as rewritten:
        reader = dpkt.pcap.Reader(packets)
        writer = dpkt.pcap.Writer(rewritten, linktype=reader.datalink(), nano=False)
        old = None
        for time, frame in reader:
            layer = dpkt.ethernet.Ethernet(frame) if reader.datalink() == 1 else dpkt.ip.IP(frame)
            tcp = layer.data.data if reader.datalink() == 1 else layer.data
            old = tcp.dport if old is None else old
            tcp.dport, tcp.sport = (port if one == old else one for one in (tcp.dport, tcp.sport))
            writer.writepkt(bytes(layer), ts=time)
    return target
