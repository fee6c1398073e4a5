"""Identity: what the flow carries, and whether this capture shows it once and from both ends."""

from __future__ import annotations

from typing import Final

from ctcp_forensics.case import Case
from ctcp_forensics.claims.words import FAILS, HOLDS, OPPOSITE, SECOND, UNKNOWN, count, way
from ctcp_forensics.ctcp import ESP_LIKE, Grade
from ctcp_forensics.ctcp import UNKNOWN as PAYLOAD_UNKNOWN
from ctcp_forensics.evidence import Answer, claim
from ctcp_forensics.flows import Direction, Flow

APART_NS: Final = SECOND
"""By less than this, captures of several queues are out of order; connections of a moment are shorter."""
BARE_SHARE: Final = 10
"""One payload in ten may be too short to be cut, such as a probe of one byte; each message ends in a trailer."""
MIXED_SEGMENTS: Final = 10
MIXED_PERCENT: Final = 40
"""Two places show each segment twice, and half of all is there again; what was lost between them was seen once."""


@claim(
    would_refute="full payloads without the trailer, or the opening bytes of another protocol",
    settled_by="a capture with full frames (snap length 0 or packet-length 1522)",
)
def carries_ctcp(case: Case) -> Answer:
    """The flow carries Cisco's IPsec over TCP (guard i)."""
    found = case.encapsulation
    if found.is_ctcp:
        return HOLDS, found.because
    if found.kind in (ESP_LIKE, PAYLOAD_UNKNOWN) or found.grade == Grade.POSSIBLE:
        return UNKNOWN, found.because
    return FAILS, found.because


@claim(
    would_refute="full payloads without the trailer, or the opening bytes of another protocol",
    settled_by="a capture of the payloads' first bytes at least",
)
def looks_like_ctcp(case: Case) -> Answer:
    """The flow carries IPsec over TCP, or ESP whose trailers were not captured."""
    found = case.encapsulation
    if found.kind != ESP_LIKE:
        return carries_ctcp.answer(case)[0], found.because
    bare, cut_off = (
        sum(getattr(d.row, name) for d in case.flow.directions)
        for name in ("trailer_absent", "trailer_cut_off")
    )
    if bare * BARE_SHARE > cut_off:
        return UNKNOWN, f"{found.because}; and {count(bare, 'full payload')} end in none"
    return HOLDS, found.because


@claim(
    would_refute="a trailer of IPsec over TCP at the end of the payloads",
    settled_by="a capture with full frames (snap length 0 or packet-length 1522)",
)
def is_something_else(case: Case) -> Answer:
    """The flow carries something other than IPsec over TCP."""
    outcome = carries_ctcp.answer(case)[0]
    return OPPOSITE[outcome], case.encapsulation.because


@claim(would_refute="a frame of the other direction", settled_by="a capture of both directions of the flow")
def only_one_direction_was_seen(case: Case) -> Answer:
    """The capture shows one direction only, though the other was there."""
    absent = [d for d in case.flow.directions if d.row.frames == 0]
    if not absent:
        return FAILS, "both directions were captured"
    present = case.flow.opposite(absent[0])
    if present.row.data_segments or present.row.pure_acks:
        because = f"no frame went {way(absent[0])}, though the other end acknowledges and sends"
        return HOLDS, because, [present.row.first_frame]
    return FAILS, "nothing shows that the other end ever answered"


@claim(
    would_refute="segments that are in this capture once each, under one numbering",
    settled_by="the capture of each place by itself, all of them given to one run",
)
def two_places_are_mixed(case: Case) -> Answer:
    """The capture shows two places at once: each segment is in it twice, or under two numberings."""
    if not case.may_be_ctcp:
        return FAILS, "of another connection than IPsec over TCP this is not asked"
    if case.surroundings.is_shuffled:
        return FAILS, "of frames in no order it cannot be told what came before"
    for flow in (case.flow, case.reopened_by):
        shown = None if flow is None else seen_twice(flow) or numbered_twice(flow)
        if shown is not None:
            return shown
    return FAILS, "its segments are here once each, under one numbering"


def seen_twice(flow: Flow) -> Answer | None:
    """IPsec over TCP sends nothing again: a whole direction that comes again was captured again, elsewhere or late."""
    for direction in flow.directions:
        row, again = direction.row, times_again(direction)
        if row.data_segments < MIXED_SEGMENTS or not is_much(again, row.data_segments):
            continue
        because = (
            f"{again} of {count(row.data_segments, 'data segment')} {way(direction)} are here for the "
            f"second time, with TTL {ttls(direction)}: this capture holds two places, or one place twice"
        )
        return HOLDS, because, [row.retransmitted_frame]
    return None


def times_again(direction: Direction) -> int:
    """Segments that are here again, of which one that is sent again and again is one."""
    return direction.row.retransmissions - max(0, direction.edge_repeats - 1)


def numbered_twice(flow: Flow) -> Answer | None:
    """A firewall between two places may number anew; the segments of one then lie far from those of the other."""
    if not all(
        d.row.frames >= MIXED_SEGMENTS and is_much(d.row.strays, d.row.frames) for d in flow.directions
    ):
        return None
    strays = sum(d.row.strays for d in flow.directions)
    because = (
        f"{strays} of {count(flow.row.frames, 'segment')} lie far from the numbers of the others, with TTL "
        f"{ttls(flow.to_headend)} and {ttls(flow.to_client)}: two sides of a firewall that numbers anew are in one "
        "capture"
    )
    return HOLDS, because, [flow.row.first_frame]


def is_much(some: int, of_all: int) -> bool:
    return some * 100 >= of_all * MIXED_PERCENT


def ttls(direction: Direction) -> str:
    low, high = direction.row.ttl_min, direction.row.ttl_max
    return str(low) if low == high else f"{low} to {high}"


@claim(
    would_refute="frames of both directions among one another, in the order of their times",
    settled_by="the frames in the order of their times: reordercap, or mergecap without -a",
)
def the_directions_stand_apart(case: Case) -> Answer:
    """One direction stands in the capture behind the other, though by their times they spoke together."""
    for first in case.flow.directions:
        second = case.flow.opposite(first)
        apart = first.row.last_frame < second.row.first_frame
        if apart and first.row.last_ns - second.row.first_ns >= APART_NS:
            because = (
                f"all that goes {way(first)} stands before {case.frame(second.row.first_frame)}, all that goes "
                f"{way(second)} from there on, though by their times {who_spoke(first, second)}"
            )
            return HOLDS, because, [first.row.last_frame, second.row.first_frame]
    return FAILS, "its two directions stand among one another"


@claim(
    would_refute="frames that stand in the order of their times, but where a clock was set",
    settled_by="the frames in the order of their times: reordercap, or mergecap without -a",
)
def the_frames_are_shuffled(case: Case) -> Answer:
    """The frames stand in no order: one in five or more is earlier than the one before, some by a second or more."""
    if not case.surroundings.is_shuffled:
        return FAILS, "the frames stand in the order of their times, but for queues and clocks that were set"
    return (
        HOLDS,
        "the frames of this capture stand in no order of their times: who answered whom cannot be seen",
    )


def who_spoke(first: Direction, second: Direction) -> str:
    """By the times of two directions of which the first stands in front."""
    if first.row.first_ns < second.row.last_ns:
        return "they spoke together: two captures, one for each direction, were put end to end"
    return (
        "these came first: a clock was set back, or two captures, one for each direction, were put end to end"
    )
