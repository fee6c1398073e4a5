"""Public captures: every file of ../shared/captures/public read and judged once, beside tshark's account of it.

Knows where the files, the manifest and the reference lie, and which of tshark's streams is which of our
flows.  Does not know what should be equal: see test_public_captures.
"""

from __future__ import annotations

import csv
import ipaddress
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import dpkt  # noqa: F401  # loaded before steps are counted, which the first exotic frame would do otherwise

from ctcp_forensics._kernel.rows import DirectionRow, FlowRow
from ctcp_forensics.cases import cases_of
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.reading import Options, read
from ctcp_forensics.verdict import judge

Fact = str
Facts = dict[Fact, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What capinfos and tshark say of one file; None where they could not read it."""

    path: str
    frames: int | None
    tcp_segments: int | None
    streams: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What tshark says of one TCP stream."""

    number: int
    end_a: tuple[str, int]
    facts: Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What we say of one flow."""

    kind: str
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What became of one file; `outcome` is that of its report, or rejected where there is none."""

    outcome: str
    reasons: tuple[str, ...]
    frames: int
    tcp_segments: int
    flows: tuple[tuple[FlowRow, DirectionRow, DirectionRow], ...]
    judged: tuple[Judged, ...]
    steps: int


# --- the files and what is known of them -----------------------------------------------------


def manifest(shared: Path) -> list[Row]:
    with (shared / "manifest.csv").open(newline="") as lines:
        return [
            Row(
                path=row["path"],
                frames=number(row["packets"]),
                tcp_segments=number(row["tcp_frames"]),
                streams=number(row["tcp_streams"]),
            )
            for row in csv.DictReader(lines)
        ]


def number(text: str) -> int | None:
    return int(text) if text else None


def reference(shared: Path) -> dict[str, list[Stream]]:
    """tshark's streams by file, in the order of their numbers."""
    streams: dict[str, list[Stream]] = {}
    with (shared / "tshark-4.0.17-reference.csv").open(newline="") as lines:
        for row in csv.DictReader(lines):
            streams.setdefault(row["file"], []).append(stream_of(row))
    return streams


def stream_of(row: dict[str, str]) -> Stream:
    """Of a tunnel the reference names the addresses of every layer; the last is the innermost."""
    addresses, _, port = row["endpoint_a"].rpartition("|")
    address = addresses.rpartition(",")[2]
    counted = {name: int(text) for name, text in row.items() if name.startswith(("n_", "p")) and text}
    canonical = str(ipaddress.ip_address(address)) if address else ""
    return Stream(number=int(row["stream"]), end_a=(canonical, int(port)), facts=counted)


# --- one file --------------------------------------------------------------------------------


def look_at(path: Path) -> Looked:
    """Read and judge one file, as `analyze --all-tcp` does, and count the steps that it took."""
    options = Options(all_tcp=True)
    with counted_steps() as steps:
        try:
            reading = read(str(path), options)
        except CaptureError as error:
            return rejected(error)
        cases = cases_of(reading, options)
        verdicts = [judge(case).verdict.slug for case in cases]
    capture, tracker = reading.parts[0].account.capture, reading.tracker
    return Looked(
        outcome=capture.outcome,
        reasons=(
            *(one.reason for one in capture.damage),
            *(one.reason for one in capture.undecoded),
            *capture.notes,
        ),
        frames=capture.frames,
        tcp_segments=capture.tcp_segments,
        flows=tuple(
            (tracker.flow(index), tracker.direction(index, 0), tracker.direction(index, 1))
            for index in range(tracker.tallies().flows)
        ),
        judged=tuple(
            Judged(kind=case.encapsulation.kind, verdict=verdict)
            for case, verdict in zip(cases, verdicts, strict=True)
        ),
        steps=steps[0],
    )


def rejected(error: CaptureError) -> Looked:
    return Looked(
        outcome="rejected", reasons=(error.reason,), frames=0, tcp_segments=0, flows=(), judged=(), steps=0
    )


@contextmanager
def counted_steps() -> Iterator[list[int]]:
    """Calls of Python functions: a measure of work that no other load on the machine changes."""
    steps = [0]

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        steps[0] += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield steps
    finally:
        sys.setprofile(before)


# --- our facts under tshark's names -------------------------------------------------------------


def facts_of(flow: tuple[FlowRow, DirectionRow, DirectionRow], end_a: tuple[str, int]) -> Facts:
    """A flow's facts; those of one direction are of the one that `end_a` sends."""
    row, *halves = flow
    a = halves[side_of(row, end_a)]
    return {
        "packets": row.frames,
        "packets_a2b": a.frames,
        "payload_bytes": sum(half.payload_bytes for half in halves),
        "payload_bytes_a2b": a.payload_bytes,
        "n_zero_window": sum(half.zero_windows for half in halves),
        "n_spurious_retransmission": sum(half.spurious_retransmissions for half in halves),
    }


def side_of(row: FlowRow, end: tuple[str, int]) -> int:
    """Which direction `end` sends; where a tunnel or source route hides its address, by its port."""
    ends = ends_of(row)
    if end in ends:
        return ends.index(end)
    return [port for _, port in ends].index(end[1])


def ends_of(row: FlowRow) -> list[tuple[str, int]]:
    return [
        (str(ipaddress.ip_address(address)), port)
        for address, port in ((row.src, row.sport), (row.dst, row.dport))
    ]


# --- which stream is which flow -----------------------------------------------------------------


def pairs(
    looked: Looked, streams: list[Stream]
) -> list[tuple[Stream, tuple[FlowRow, DirectionRow, DirectionRow]]]:
    """In order where their ends are in order too; else each stream goes with the first flow left of its end."""
    if is_in_order(looked, streams):
        return list(zip(streams, looked.flows, strict=True))
    left = list(looked.flows)
    found = []
    for stream in streams:
        flow = next((one for one in left if stream.end_a in ends_of(one[0])), None)
        if flow is not None:
            left.remove(flow)
            found.append((stream, flow))
    return found


def is_in_order(looked: Looked, streams: list[Stream]) -> bool:
    """Ports decide, since a tunnel or a source route may hide an address."""
    if len(streams) != len(looked.flows):
        return False
    return all(
        stream.end_a[1] in (flow[0].sport, flow[0].dport)
        for stream, flow in zip(streams, looked.flows, strict=True)
    )
