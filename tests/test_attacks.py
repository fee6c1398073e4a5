"""Attacks on the verdicts by what is done to a file: fragments, files put together, copies, gaps.

Each takes samples whose story is known and does to their records what filters, taps, mirrors and hands do; what may
honestly be said then was written down first.
"""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ctcp_forensics import report
from ctcp_forensics.configuration import Wish, configure
from ctcp_forensics.pipeline import Options, Source, diagnose
from tests.lab.distort import FRAGMENT_PAYLOAD_LEN, Record, Records, fragmented, records_of
from tests.lab.savefile import LINKTYPE_ETHERNET, to_pcap
from tests.lab.segment import ETHERNET_LEN, checksum

SAMPLES = Path(__file__).parent.parent / "samples"
FLAGSHIP, UNSURE = "unanswered-duplicate-acks", "insufficient-evidence"
MS, SECOND = 10**6, 10**9
TTL_AT = ETHERNET_LEN + 8


def sample(name: str) -> Records:
    return records_of((SAMPLES / f"{name}.pcap").read_bytes())


def judged(folder: Path, *captures: Records, vantages: tuple[str | None, ...] = ()) -> report.Report:
    sources = []
    for number, records in enumerate(captures):
        path = folder / f"{number}.pcap"
        path.write_bytes(to_pcap(records, LINKTYPE_ETHERNET))
        sources.append(Source(path=str(path), vantage=vantages[number] if vantages else None))
    return diagnose(sources, Options(ports=frozenset({10000})))


def verdicts(found: report.Report) -> list[tuple[str, str]]:
    return [(one.verdict, one.confidence) for one in found.findings]


def fixes(found: report.Report) -> list[str]:
    return [step.fix for one in found.findings for step in one.recommendations]


# --- fragments -----------------------------------------------------------------------------------


def in_fragments(records: Records) -> Records:
    return [piece for one in records for piece in numbered(one)]


def numbered(one: Record) -> Records:
    moment: object = None
    return fragmented([one], moment)  # type: ignore[arg-type]


def first_pieces(records: Records) -> Records:
    """What a filter on a TCP port takes: later fragments have no ports."""
    return [numbered(one)[0] for one in records]


def one_piece_lost(records: Records) -> Records:
    """The capturing host lost the last piece of every fifth packet that came in pieces."""
    kept: Records = []
    seen = 0
    for pieces in map(numbered, records):
        seen += len(pieces) > 1
        kept += pieces[:-1] if len(pieces) > 1 and seen % 5 == 0 else pieces
    return kept


def overlapped(records: Records) -> Records:
    """Somebody sends the second piece of each packet again, with other bytes at its end."""
    kept: Records = []
    for pieces in map(numbered, records):
        kept += pieces[:2]
        if len(pieces) > 1:
            kept.append(replace(pieces[1], frame=pieces[1].frame[:-20] + bytes(20)))
        kept += pieces[2:]
    return kept


def test_the_samples_hold_packets_that_travel_in_pieces() -> None:
    assert max(len(one.frame) for one in sample("healthy")) > FRAGMENT_PAYLOAD_LEN
    assert len(in_fragments(sample("healthy"))) > len(sample("healthy"))


def test_a_filter_on_the_port_makes_no_path_too_narrow(tmp_path: Path) -> None:
    """Only large segments are missing then; it was called a path MTU black hole, with the advice to lower the MTU."""
    found = judged(tmp_path, first_pieces(sample("healthy")))
    assert verdicts(found) == [("loss-tolerated", "consistent")]
    assert "lower-mtu" not in fixes(found)
    assert any("filtered by hosts" in one for one in found.findings[0].missing_evidence)


@pytest.mark.parametrize("name", ["healthy", "orderly-close", "loss-tolerated"])
@pytest.mark.parametrize("spoilt", [first_pieces, one_piece_lost])
def test_pieces_that_the_capture_lacks_are_no_sure_loss(
    name: str, spoilt: Callable[[Records], Records], tmp_path: Path
) -> None:
    assert verdicts(judged(tmp_path, spoilt(sample(name)))) == [("loss-tolerated", "consistent")]


@pytest.mark.parametrize("name", ["failure-client", "failure-asa-outside"])
@pytest.mark.parametrize("spoilt", [first_pieces, one_piece_lost, overlapped])
def test_the_failure_in_torn_pieces_is_told_with_a_doubt(
    name: str, spoilt: Callable[[Records], Records], tmp_path: Path
) -> None:
    found = judged(tmp_path, spoilt(sample(name)))
    assert verdicts(found) == [(FLAGSHIP, "consistent")]
    assert "lower-mtu" not in fixes(found)


@pytest.mark.parametrize("name", ["failure-client", "failure-asa-outside"])
def test_the_failure_in_whole_pieces_is_told_without_one(name: str, tmp_path: Path) -> None:
    assert verdicts(judged(tmp_path, in_fragments(sample(name)))) == [(FLAGSHIP, "strong")]


def test_pieces_between_other_hosts_leave_no_doubt(tmp_path: Path) -> None:
    torn = numbered(max(sample("healthy"), key=lambda one: len(one.frame)))[0]
    elsewhere = (
        torn.frame[: ETHERNET_LEN + 12] + bytes([10, 0, 0, 1, 10, 0, 0, 2]) + torn.frame[ETHERNET_LEN + 20 :]
    )
    found = judged(tmp_path, [*sample("failure-client"), replace(torn, frame=elsewhere)])
    assert verdicts(found) == [(FLAGSHIP, "strong")]


# --- two places, or one twice, in one file -------------------------------------------------------------


def merged(*captures: Records) -> Records:
    """As mergecap does: by time."""
    return sorted((one for records in captures for one in records), key=lambda one: one.time_ns)


def later(records: Records, by_ns: int) -> Records:
    return [replace(one, time_ns=one.time_ns + by_ns) for one in records]


def a_hop_further(records: Records) -> Records:
    return [routed(one) for one in records]


def routed(one: Record) -> Record:
    frame = bytearray(one.frame)
    frame[TTL_AT] -= 1
    frame[TTL_AT + 2 : TTL_AT + 4] = bytes(2)
    frame[TTL_AT + 2 : TTL_AT + 4] = struct.pack(
        "!H", checksum(bytes(frame[ETHERNET_LEN : ETHERNET_LEN + 20]))
    )
    return replace(one, frame=bytes(frame))


CLIENT, OUTSIDE, INSIDE = "failure-client", "failure-asa-outside", "failure-asa-inside"


@pytest.mark.parametrize(
    ("one", "other", "by_ns"),
    [
        (CLIENT, OUTSIDE, 0),
        (CLIENT, OUTSIDE, 3600 * SECOND),
        (CLIENT, INSIDE, 0),
        (CLIENT, INSIDE, 2 * SECOND),
        (OUTSIDE, INSIDE, 0),
    ],
)
def test_two_places_in_one_file_are_told_as_that_and_nobody_is_accused(
    one: str, other: str, by_ns: int, tmp_path: Path
) -> None:
    """It was called a reset by a box on the path, or healthy."""
    found = judged(tmp_path, merged(sample(one), later(sample(other), by_ns)))
    assert {verdict for verdict, _ in verdicts(found)} == {UNSURE}
    assert set(fixes(found)) == {"split-the-capture"}
    assert [choice.fix for choice in configure(found, Wish()).choices] == ["split-the-capture"]
    last = found.findings[-1]
    assert {"two-places-are-mixed": "holds"}.items() <= {it.claim: it.outcome for it in last.evidence}.items()
    assert last.missing_evidence == ("the capture of each place by itself, all of them given to one run",)


def test_two_places_in_one_file_with_a_broken_link_between_them_are_not_surely_well(tmp_path: Path) -> None:
    """Each end went on towards nobody, and both closed: it was called closed in order, strong."""
    found = judged(tmp_path, merged(sample("link-down-client"), sample("link-down-asa-outside")))
    assert verdicts(found) == [("orderly-close", "consistent")]
    assert any("a capture of one place" in one for one in found.findings[0].missing_evidence)


@pytest.mark.parametrize("by_ns", [200 * MS, 86_400 * SECOND])
def test_a_copy_that_comes_late_is_one_place_twice(by_ns: int, tmp_path: Path) -> None:
    copy = a_hop_further(later(sample(CLIENT), by_ns))
    assert verdicts(judged(tmp_path, merged(sample(CLIENT), copy))) == [(UNSURE, "undetermined")]


def test_a_mirror_before_and_behind_a_router_changes_nothing(tmp_path: Path) -> None:
    copy = a_hop_further(later(sample(CLIENT), 5_000))
    found = judged(tmp_path, merged(sample(CLIENT), copy))
    assert verdicts(found) == [(FLAGSHIP, "strong")]
    assert "70 duplicate ACKs" in found.findings[0].summary


def test_two_files_end_to_end_are_two_captures_of_one_connection(tmp_path: Path) -> None:
    """Both begin with a SYN of their own: each is told as what its place shows."""
    found = judged(tmp_path, sample(CLIENT) + sample(INSIDE))
    assert verdicts(found) == [(FLAGSHIP, "strong"), ("peer-vanished", "consistent")]


def test_the_directions_of_a_tap_end_to_end_say_nothing_until_they_are_sorted(tmp_path: Path) -> None:
    """It was called a peer that vanished; `mergecap -a` and `cat` make such files."""
    records = sample(OUTSIDE)
    client = records[0].frame[ETHERNET_LEN + 12 : ETHERNET_LEN + 16]
    there = [one for one in records if one.frame[ETHERNET_LEN + 12 : ETHERNET_LEN + 16] == client]
    back = [one for one in records if one not in there]
    found = judged(tmp_path, there + back)
    assert verdicts(found) == [(UNSURE, "undetermined")]
    assert fixes(found) == ["sort-the-capture"]
    assert "put end to end" in found.findings[0].summary
    assert verdicts(judged(tmp_path, merged(there, back))) == [(FLAGSHIP, "strong")]


def shuffled(records: Records) -> Records:
    return random.Random(1).sample(records, len(records))


def of_two_clocks(records: Records) -> Records:
    """Each direction was stamped by a host of its own, an hour apart, and a tap wrote both as they came."""
    first = source_of(records[0])
    return [one if source_of(one) == first else later([one], 3600 * SECOND)[0] for one in records]


def source_of(one: Record) -> bytes:
    return one.frame[ETHERNET_LEN + 12 : ETHERNET_LEN + 16]


@pytest.mark.parametrize("name", [CLIENT, OUTSIDE, "healthy", "orderly-close", "loss-tolerated"])
@pytest.mark.parametrize("spoilt", [shuffled, of_two_clocks])
def test_frames_in_no_order_say_nothing_until_they_are_sorted(
    name: str, spoilt: Callable[[Records], Records], tmp_path: Path
) -> None:
    """They were called loss that nobody minded, an end that vanished or one that reset, some of them strong."""
    found = judged(tmp_path, spoilt(sample(name)))
    assert {verdict for verdict, _ in verdicts(found)} == {UNSURE}
    assert set(fixes(found)) == {"sort-the-capture"}
    assert "-" not in "".join(re.findall(r"-?\d+\.\d s", "".join(one.summary for one in found.findings)))
    if spoilt is shuffled:
        assert verdicts(judged(tmp_path, merged(spoilt(sample(name))))) == verdicts(
            judged(tmp_path, sample(name))
        )


@pytest.mark.parametrize("name", ["failure-client", "healthy", "orderly-close", "loss-tolerated", "answered"])
def test_frames_a_little_out_of_order_are_not_shuffled(name: str, tmp_path: Path) -> None:
    """Every second frame stands before the one that it follows by its time, as two queues of a card write them."""
    records = sample(name)
    for at in range(0, len(records) - 1, 2):
        if records[at + 1].time_ns - records[at].time_ns < 50 * MS:
            records[at : at + 2] = records[at + 1], records[at]
    found = judged(tmp_path, records)
    assert "sort-the-capture" not in fixes(found)


# --- filters by length -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["healthy", "orderly-close", "loss-tolerated"])
def test_a_filter_by_length_makes_no_path_too_narrow(name: str, tmp_path: Path) -> None:
    """`less 700`: only large segments are missing; it was called a path MTU black hole, with the advice to lower it."""
    found = judged(tmp_path, [one for one in sample(name) if len(one.frame) < 700])
    assert verdicts(found) == [("loss-tolerated", "consistent")]
    assert "lower-mtu" not in fixes(found)


# --- tunnels around the capture ----------------------------------------------------------------------------


def between(frame: bytes, ethertype: int, payload: bytes) -> bytes:
    return frame[: ETHERNET_LEN - 2] + struct.pack("!H", ethertype) + payload


def carried(frame: bytes, protocol: int, payload: bytes) -> bytes:
    """In a datagram between two routers."""
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, *ROUTERS)
    return between(frame, 0x0800, header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload)


ROUTERS = (b"\x0a\0\0\1", b"\x0a\0\0\2")
TUNNELS: dict[str, Callable[[bytes], bytes]] = {
    "802.1ad": lambda one: one[:12] + struct.pack("!HHHH", 0x88A8, 100, 0x8100, 200) + one[12:],
    "MPLS": lambda one: between(
        one, 0x8847, struct.pack("!II", 16 << 12 | 64, 17 << 12 | 1 << 8 | 64) + one[14:]
    ),
    "GRE": lambda one: carried(one, 47, struct.pack("!HH", 0, 0x0800) + one[14:]),
    "ERSPAN": lambda one: carried(one, 47, struct.pack("!HHIII", 0x1000, 0x88BE, 7, 0x1000_0000, 0) + one),
    "VXLAN": lambda one: carried(
        one, 17, struct.pack("!HHHHII", 4444, 4789, 16 + len(one), 0, 0x0800_0000, 5 << 8) + one
    ),
}


@pytest.mark.parametrize("name", [CLIENT, "loss-tolerated"])
@pytest.mark.parametrize("tunnel", TUNNELS)
def test_what_is_captured_in_a_tunnel_and_beside_it_is_judged_as_itself(
    tunnel: str, name: str, tmp_path: Path
) -> None:
    plain = sample(name)
    wrapped = [replace(one, frame=TUNNELS[tunnel](one.frame)) for one in plain]
    expected = verdicts(judged(tmp_path, plain))
    assert verdicts(judged(tmp_path, wrapped)) == expected
    assert verdicts(judged(tmp_path, merged(plain, later(wrapped, 50_000)))) == expected


# --- gaps of the capture ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["healthy", "orderly-close"])
def test_a_file_that_is_missing_in_the_middle_is_no_sure_loss(name: str, tmp_path: Path) -> None:
    records = sample(name)
    third = len(records) // 3
    found = judged(tmp_path, records[:third] + records[2 * third :])
    assert verdicts(found) == [("loss-tolerated", "consistent")]
    assert any(
        one.claim == "the-capture-is-whole" and "one of its files is missing" in one.because
        for one in found.findings[0].evidence
    )


@pytest.mark.parametrize("name", [CLIENT, OUTSIDE])
def test_a_capture_cut_at_both_ends_of_the_stall_is_told_with_a_doubt(name: str, tmp_path: Path) -> None:
    assert verdicts(judged(tmp_path, sample(name)[100:300])) == [(FLAGSHIP, "consistent")]


def test_a_capture_that_lacks_every_other_frame_proves_nothing(tmp_path: Path) -> None:
    assert verdicts(judged(tmp_path, sample(CLIENT)[::2])) == [(UNSURE, "undetermined")]


def test_questions_in_a_file_that_is_missing_leave_a_doubt_and_no_more(tmp_path: Path) -> None:
    """An ACK of the client names what the headend sent meanwhile: the capture missed it, and perhaps an answer."""
    records = [one for number, one in enumerate(sample(CLIENT), 1) if not 190 < number < 230]
    assert verdicts(judged(tmp_path, records)) == [(FLAGSHIP, "consistent")]


# --- one capture given as two ---------------------------------------------------------------------------


@pytest.mark.parametrize("by_ns", [MS, 3600 * SECOND])
def test_a_copy_under_another_name_clears_no_firewall(by_ns: int, tmp_path: Path) -> None:
    """The duplicate ACKs are in both, as if they came from behind it; it was cleared, and another box sought."""
    copy = later(sample(OUTSIDE), by_ns)
    found = judged(tmp_path, sample(OUTSIDE), copy, vantages=("asa-outside", "asa-inside"))
    assert verdicts(found) == [(FLAGSHIP, "strong")]
    assert found.flows[0].ack_author is None
    assert "find-the-proxy" not in fixes(found)


def test_data_without_its_acks_under_another_name_proves_nothing(tmp_path: Path) -> None:
    """Exported by a filter such as tcp.len > 0, and given as the firewall's inside."""
    data = [one for one in sample(OUTSIDE) if len(one.frame) > 60]
    found = judged(tmp_path, sample(OUTSIDE), data, vantages=("asa-outside", "asa-inside"))
    assert verdicts(found) == [(FLAGSHIP, "strong")]
    assert found.flows[0].ack_author is None


def test_captures_a_network_apart_are_not_two_sides_of_a_firewall(tmp_path: Path) -> None:
    """The client's capture called asa-outside and the firewall's outside called asa-inside: 26 ms are between them."""
    client, outside = sample("failure-client"), sample("failure-asa-outside")
    found = judged(tmp_path, client, outside, vantages=("asa-outside", "asa-inside"))
    assert verdicts(found) == [(FLAGSHIP, "strong")]
    assert "find-the-proxy" not in fixes(found)
    (path,) = found.paths
    assert [clock.is_shared for clock in path.clocks] == [False]
    assert any("26 ms or more there and back" in note for note in path.notes)
    assert found.flows[0].loss_location == "client-headend"


def test_captures_of_two_sides_of_a_firewall_stay_that(tmp_path: Path) -> None:
    outside, inside = sample("failure-asa-outside"), sample("failure-asa-inside")
    found = judged(tmp_path, outside, inside, vantages=("asa-outside", "asa-inside"))
    assert verdicts(found) == [(FLAGSHIP, "proven")]
    assert (found.flows[0].ack_author, found.paths[0].notes) == ("asa", ())
