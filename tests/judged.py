"""Judged: a wire goes through every room from frames to judgement, on one kernel or another.

Knows the order of the rooms, as pipeline does, without files.  Does not know what the outcome should be.
"""

from __future__ import annotations

import importlib
import types
from dataclasses import dataclass
from typing import Any

from ctcp_forensics import _kernel
from ctcp_forensics._kernel import plain_decode, plain_track
from ctcp_forensics.case import Case, assemble
from ctcp_forensics.flows import Tracked, build_flow
from ctcp_forensics.packets import Decoder, IcmpError
from ctcp_forensics.vantage import Surroundings
from ctcp_forensics.verdict import Judgement, judge
from tests.wire import Wire, frames_of, icmp_errors_of, packets_of

PORTS = frozenset({10000})


def compiled_kernel() -> types.ModuleType | None:
    """The compiled twin, where it was built."""
    try:
        return importlib.import_module("ctcp_forensics._kernel.core")
    except ImportError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One flow of a story: its case and what was made of it."""

    case: Case
    judgement: Judgement


def tracked_rows(wire: Wire) -> plain_track.Tracker:
    """The story's packets, written down, through the plain tracker: no byte is decoded."""
    packets = plain_decode.Packets()
    for packet in packets_of(wire):
        packets.append(packet)
    tracker = plain_track.Tracker()
    tracker.feed(packets)
    return tracker


def tracked_bytes(wire: Wire, kernel: Any, monkeypatch: Any) -> tuple[Any, list[IcmpError]]:
    """The story's frames through decoding and tracking of one kernel."""
    monkeypatch.setattr(_kernel, "decode", kernel.decode)
    decoder = Decoder(packets=kernel.Packets())
    buffer, rows = frames_of(wire)
    frames = kernel.Frames(max(1, len(rows)))
    for row in rows:
        frames.append(row)
    tracker = kernel.Tracker()
    tracker.feed(decoder.decode(buffer, frames))
    return tracker, decoder.icmp_errors


def judged_rows(wire: Wire, **capture: Any) -> list[Judged]:
    return judged(tracked_rows(wire), icmp_errors_of(wire), **capture)


def judged(tracker: Tracked, icmp_errors: list[IcmpError], **capture: Any) -> list[Judged]:
    """Every flow of the tracker, whatever its port."""
    tallies = tracker.tallies()
    around = Surroundings(last_ns=tallies.last_ns, **capture)
    flows = [
        build_flow(tracker, index, ports=PORTS, capture_last_ns=around.last_ns)
        for index in range(tallies.flows)
    ]
    return [Judged(case=case, judgement=judge(case)) for case in assemble(flows, around, icmp_errors)]
