"""Judged: a wire goes through every room from frames to judgement, on one kernel or another.

Knows the order of the rooms, as pipeline does, without files.  Does not know what the outcome should be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from ctcp_forensics import _kernel
from ctcp_forensics._kernel import plain_decode, plain_match, plain_succession, plain_track
from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics._kernel.tracked import Logged
from ctcp_forensics.case import Case, assemble
from ctcp_forensics.conclude.group import by_itself, groups_of
from ctcp_forensics.conclude.told import Told
from ctcp_forensics.flows import build_flow
from ctcp_forensics.packets import Decoder, IcmpError
from ctcp_forensics.surroundings import Surroundings
from ctcp_forensics.vantage import Path, View, acquaintance, crossing, pairing, paths_of
from ctcp_forensics.verdict import Judgement, judge, judge_together
from tests.kernels import COMPILED
from tests.screened import contradictions
from tests.vantages import Seen
from tests.wire import Wire, frames_of, icmp_errors_of, packets_of

PORTS = frozenset({10000})


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One flow of a story: its case and what was made of it."""

    case: Case
    judgement: Judgement


def tracked_rows(wire: Wire, ports: frozenset[int] = frozenset()) -> plain_track.Tracker:
    """The story's packets, written down, through the plain tracker: no byte is decoded."""
    packets = plain_decode.Packets()
    for packet in packets_of(wire):
        packets.append(packet)
    tracker = plain_track.Tracker(ports=ports)
    tracker.feed(packets)
    return tracker


def tracked_bytes(
    wire: Wire, kernel: Any, monkeypatch: Any, ports: frozenset[int] = frozenset()
) -> tuple[Any, list[IcmpError]]:
    """The story's frames through decoding and tracking of one kernel."""
    monkeypatch.setattr(_kernel, "decode", kernel.decode)
    decoder = Decoder(packets=kernel.Packets())
    buffer, rows = frames_of(wire)
    frames = kernel.Frames(max(1, len(rows)))
    for row in rows:
        frames.append(row)
    tracker = kernel.Tracker(ports=ports)
    tracker.feed(decoder.decode(buffer, frames))
    return tracker, decoder.icmp_errors


def judged_rows(wire: Wire, **capture: Any) -> list[Judged]:
    return judged(tracked_rows(wire), icmp_errors_of(wire), **capture)


def judged(tracker: Logged, icmp_errors: list[IcmpError], **capture: Any) -> list[Judged]:
    """Every flow of the tracker, whatever its port."""
    tallies = tracker.tallies()
    around = Surroundings(last_ns=tallies.last_ns, **capture)
    cases = cases_of(tracker, tallies.flows, around, icmp_errors)
    assert contradictions(tracker, cases, icmp_errors) == []
    return [Judged(case=case, judgement=judge(case)) for case in cases]


def cases_of(tracker: Logged, flows: int, around: Surroundings, icmp_errors: list[IcmpError]) -> list[Case]:
    built = [
        build_flow(tracker, index, ports=PORTS, capture_last_ns=around.last_ns) for index in range(flows)
    ]
    following = plain_succession.successors(tracker, range(flows))
    successors = [None if index == NEVER else tracker.flow(index) for index in following]
    return assemble(built, around, icmp_errors, successors)


# --- several places of one path ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """One place's capture, as far as flows and cases."""

    seen: Seen
    tracker: Any
    around: Surroundings
    cases: list[Case]


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """What several captures show together: their paths, and every connection with what was made of it."""

    paths: list[Path]
    connections: list[Told]


def followed_rows(seen: Seen) -> Followed:
    return followed(seen, tracked_rows(seen.wire, PORTS), icmp_errors_of(seen.wire))


def followed_bytes(seen: Seen, kernel: Any, monkeypatch: Any) -> Followed:
    tracker, icmp_errors = tracked_bytes(seen.wire, kernel, monkeypatch, PORTS)
    return followed(seen, tracker, icmp_errors)


def followed(seen: Seen, tracker: Any, icmp_errors: list[IcmpError]) -> Followed:
    times = [one.time_ns for one in seen.wire.captured]
    tallies = tracker.tallies()
    around = Surroundings(
        first_ns=min(times, default=0),
        last_ns=tallies.last_ns,
        dropped_frames=seen.stand.drops,
        is_damaged=seen.stand.damaged,
        pulse=tracker.pulse(),
    )
    return Followed(
        seen=seen,
        tracker=tracker,
        around=around,
        cases=cases_of(tracker, tallies.flows, around, icmp_errors),
    )


def together(places: list[Followed]) -> Together:
    """As conclude puts them together, numbered in the order of `places`; their own kernel joins their logs."""
    is_plain = any(isinstance(place.tracker, plain_track.Tracker) for place in places)
    kernel: Any = plain_match if is_plain else COMPILED
    with (
        patch.object(pairing, "Matching", kernel.Matching),
        patch.object(acquaintance, "sharing", kernel.sharing),
        patch.object(crossing, "course", kernel.course),
    ):
        paths = paths_of([view_of(number, place) for number, place in enumerate(places)])
    seats = {(number, case.flow.index): case for number, place in enumerate(places) for case in place.cases}
    return Together(paths=paths, connections=[told_of(group) for group in groups_of(seats, paths)])


def view_of(number: int, place: Followed) -> View:
    stand = place.seen.stand
    return View(
        number=number,
        told=stand.told,
        interfaces=stand.interfaces,
        tracker=place.tracker,
        flows={case.flow.index: case.flow for case in place.cases},
        surroundings=place.around,
    )


def told_of(group: list[tuple[int, Case]]) -> Told:
    cases = [case for _, case in group]
    case, judgement = judge_together(cases)
    alone = tuple(judge(by_itself(one)) for one in cases)
    return Told(case=case, judgement=judgement, cases=tuple(cases), alone=alone, readings=())
