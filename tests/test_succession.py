"""Succession: the connection that the same hosts opened next, held against a search through all flows."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ctcp_forensics._kernel.plain_decode import NO_PACKET
from ctcp_forensics._kernel.rows import NEVER, FlowRow, Packet, Tcp
from tests.kernels import COMPILED, needs_core
from tests.test_kernel import followed, plain

HOSTS = (b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02", b"\x20\x01" + bytes(14), b"\x20\x01" + bytes(13) + b"\x01")
SPOKEN = st.tuples(
    st.booleans(),  # over IPv6
    st.booleans(),  # which of the two hosts speaks
    st.sampled_from([10_000, 10_001]),
    st.sampled_from([10_000, 40_000, 40_001]),
    st.sampled_from([Tcp.SYN, Tcp.SYN, Tcp.SYN | Tcp.ACK, Tcp.ACK]),
)


def stream_of(spoken: list[tuple[bool, bool, int, int, int]]) -> list[Packet]:
    numbers = count(1)
    return [
        NO_PACKET._replace(
            status=0,
            frame=(frame := next(numbers)),
            time_ns=frame * 10**9,
            src=HOSTS[2 * is_v6 + is_second],
            dst=HOSTS[2 * is_v6 + (not is_second)],
            sport=sport,
            dport=dport,
            flags=flags,
            seq=1000 * frame,
            ack=1,
            ip_id=frame,
            ttl=64,
        )
        for is_v6, is_second, dport, sport, flags in spoken
    ]


def opened(row: FlowRow) -> list[tuple[bytes, bytes, int]]:
    """Who opened, to which host, to which port there; both ends where nobody knows."""
    either = [(row.src, row.dst, row.dport), (row.dst, row.src, row.sport)]
    return [one for side, one in enumerate(either) if row.originator in (NEVER, side)]


def ends(row: FlowRow) -> set[tuple[bytes, int]]:
    return {(row.src, row.sport), (row.dst, row.dport)}


def found_by_searching(rows: list[FlowRow], row: FlowRow, is_next: Callable[[FlowRow], bool]) -> int:
    later = [
        (one.first_frame, index)
        for index, one in enumerate(rows)
        if one.first_frame > row.last_frame and is_next(one)
    ]
    return min(later)[1] if later else NEVER


def next_of_its_hosts(rows: list[FlowRow], row: FlowRow) -> int:
    return found_by_searching(rows, row, lambda one: bool(set(opened(one)) & set(opened(row))))


def next_of_its_ends(rows: list[FlowRow], row: FlowRow) -> int:
    return found_by_searching(rows, row, lambda one: ends(one) == ends(row))


@settings(max_examples=300, deadline=None)
@given(spoken=st.lists(SPOKEN, max_size=40))
@needs_core
def test_both_kernels_find_what_a_search_finds(spoken: list[Any]) -> None:
    reference, compiled = (followed(kernel, [stream_of(spoken)]) for kernel in (plain, COMPILED))
    indices = range(reference.tallies().flows)
    rows = [reference.flow(index) for index in indices]
    by_hosts = [next_of_its_hosts(rows, row) for row in rows]
    by_ends = [next_of_its_ends(rows, row) for row in rows]
    for tracker in (reference, compiled):
        assert tracker.successors(indices) == by_hosts
        assert tracker.reopenings(indices) == by_ends
    assert compiled.successors(indices[::-2]) == by_hosts[::-2]
