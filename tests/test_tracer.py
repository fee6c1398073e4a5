"""The tracer: a row for every segment of the flows that are wanted, with the tracker's own word on what it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcp_forensics._kernel.rows import NEVER, Checksum, Mark, Packet, TraceColumns, Trailer
from tests import streams
from tests.kernels import COMPILED, PLAIN, each_kernel, needs_core
from tests.naive import Sent
from tests.test_track import HANDSHAKE, histories, packet

MOST = settings(max_examples=300, deadline=None)
COUNTED = {
    Mark.AGAIN: "retransmissions",
    Mark.COPY: "copies",
    Mark.KEEP_ALIVE: "keep_alives",
    Mark.ZERO_WINDOW: "zero_windows",
}


def batch_of(kernel: Any, packets: Sequence[Packet]) -> Any:
    batch = kernel.Packets()
    for one in packets:
        batch.append(one)
    return batch


def followed(kernel: Any, packets: Sequence[Packet]) -> Any:
    tracker = kernel.Tracker()
    tracker.feed(batch_of(kernel, packets))
    return tracker


def traced(kernel: Any, packets: Sequence[Packet], cap: int = 1000) -> tuple[Any, Any]:
    """Everything followed, and everything traced; the n-th flow of both is the same."""
    tracker, tracer = followed(kernel, packets), kernel.Tracer(cap)
    for index in range(tracker.tallies().flows):
        row = tracker.flow(index)
        tracer.want(row.dst, row.dport, row.src, row.sport, row.first_frame)
    for start in range(0, len(packets), 7):
        tracer.feed(batch_of(kernel, packets[start : start + 7]))
    return tracker, tracer


def columns(tracer: Any, number: int) -> dict[str, list[int]]:
    return {
        name: list(column) for name, column in zip(TraceColumns._fields, tracer.columns(number), strict=True)
    }


def traced_history(kernel: Any, history: Sequence[Sent], **fields: Any) -> dict[str, list[int]]:
    _, tracer = traced(kernel, [packet(at, one, (7_000, 9_000), **fields) for at, one in enumerate(history)])
    return columns(tracer, 0)


# --- the two kernels, and the tracker ------------------------------------------------------------


@needs_core
@MOST
@given(stream=streams.packets(), cap=st.sampled_from([1, 2, 5, 1000]))
def test_both_kernels_trace_the_same(stream: list[Packet], cap: int) -> None:
    tracker, plain = traced(PLAIN, stream, cap)
    _, core = traced(COMPILED, stream, cap)
    for number in range(tracker.tallies().flows):
        assert core.index(number) == plain.index(number)
        assert core.segments(number) == plain.segments(number)
        assert columns(core, number) == columns(plain, number)


@needs_core
@pytest.mark.parametrize("seed", range(3))
def test_both_kernels_trace_long_streams_alike(seed: int) -> None:
    stream = list(streams.long_stream(seed, 2500))
    tracker, plain = traced(PLAIN, stream)
    _, core = traced(COMPILED, stream)
    assert [columns(core, at) for at in range(tracker.tallies().flows)] == [
        columns(plain, at) for at in range(tracker.tallies().flows)
    ]


@each_kernel
@MOST
@given(stream=streams.packets())
def test_a_traced_flow_is_the_flow_that_was_judged(kernel: Any, stream: list[Packet]) -> None:
    """Every frame of it is a row, and its counters are those of the first reading."""
    tracker, tracer = traced(kernel, stream)
    for number in range(tracker.tallies().flows):
        index = tracer.index(number)
        assert tracer.tracker.flow(index)._replace(watched=0) == tracker.flow(number)._replace(watched=0)
        assert tracer.segments(number) == tracker.flow(number).frames
        for side in (0, 1):
            assert tracer.tracker.direction(index, side) == tracker.direction(number, side)


@each_kernel
@MOST
@given(stream=streams.packets())
def test_marks_add_up_to_what_the_tracker_counts(kernel: Any, stream: list[Packet]) -> None:
    tracker, tracer = traced(kernel, stream)
    for number in range(tracker.tallies().flows):
        rows = columns(tracer, number)
        for side in (0, 1):
            row = tracker.direction(number, side)
            marks = Counter(
                mark
                for marked, by in zip(rows["marks"], rows["direction"], strict=True)
                for mark in Mark
                if by == side and marked & mark
            )
            assert {mark: marks[mark] for mark in COUNTED} == {
                mark: getattr(row, name) for mark, name in COUNTED.items()
            }
            asked = tracker.direction(number, 1 - side)
            assert marks[Mark.DSACK] == asked.dsacks
            assert max(asked.duplicate_acks, asked.sack_duplicate_acks) <= marks[Mark.DUPLICATE_ACK]
            assert marks[Mark.DUPLICATE_ACK] <= asked.duplicate_acks + asked.sack_duplicate_acks


@each_kernel
@MOST
@given(history=histories())
def test_every_segment_has_the_place_that_its_sender_gave_it(kernel: Any, history: Sequence[Sent]) -> None:
    rows = traced_history(kernel, history)
    assert rows["frame"] == list(range(1, len(history) + 1))
    assert rows["pos"] == [one.pos for one in history]
    assert rows["length"] == [one.payload_len + one.syn + one.fin for one in history]
    assert rows["ack_pos"] == [NEVER if one.ack is None else one.ack for one in history]
    assert rows["window"] == [one.window for one in history]


# --- single rules -------------------------------------------------------------------------------


@each_kernel
def test_a_hole_is_asked_for_and_filled(kernel: Any) -> None:
    history = [
        *HANDSHAKE,
        Sent(side=0, pos=1, payload_len=100, ack=1),
        Sent(side=0, pos=201, payload_len=100, ack=1),
        Sent(side=1, pos=1, ack=101),
        Sent(side=1, pos=1, ack=101, sacks=((201, 301),)),
        Sent(side=0, pos=101, payload_len=100, ack=1),
    ]
    rows = traced_history(kernel, history)
    assert rows["marks"][3:] == [0, 0, 0, Mark.DUPLICATE_ACK, Mark.FILLING | Mark.AGAIN]
    assert (rows["sack_row"], rows["sack_left"], rows["sack_right"]) == ([6], [201], [301])


@each_kernel
def test_a_window_is_scaled_where_both_ends_said_so_and_never_in_a_syn(kernel: Any) -> None:
    offered = [
        packet(at, one, (7_000, 9_000), window=1000, **({"window_scale": 2 + one.side} if one.syn else {}))
        for at, one in enumerate(HANDSHAKE)
    ]
    spoken = [Sent(side=1, pos=1, ack=1)]
    offered += [packet(3, one, (7_000, 9_000), window=1000) for one in spoken]
    _, tracer = traced(kernel, offered)
    assert columns(tracer, 0)["window"] == [1000, 1000, 4000, 8000]
    one_sided = [offered[0]._replace(window_scale=NEVER), *offered[1:]]
    _, tracer = traced(kernel, one_sided)
    assert columns(tracer, 0)["window"] == [1000] * 4


@each_kernel
def test_what_is_too_far_off_is_a_stray_and_has_no_place(kernel: Any) -> None:
    packets = [packet(at, one, (7_000, 9_000)) for at, one in enumerate(HANDSHAKE)]
    far = packet(
        3, Sent(side=0, pos=1, payload_len=10, ack=1), (7_000, 9_000), seq=(7_001 + (1 << 31)) % (1 << 32)
    )
    _, tracer = traced(kernel, [*packets, far])
    rows = columns(tracer, 0)
    assert (rows["pos"][3], rows["marks"][3]) == (NEVER, Mark.STRAY)


@each_kernel
def test_of_a_long_flow_the_latest_segments_are_kept_and_all_are_counted(kernel: Any) -> None:
    history = [Sent(side=0, pos=1 + 10 * at, payload_len=10, ack=1) for at in range(500)]
    _, tracer = traced(kernel, [packet(at, one, (7_000, 9_000)) for at, one in enumerate(history)], cap=100)
    assert tracer.segments(0) == 500
    assert columns(tracer, 0)["frame"] == list(range(401, 501))


@each_kernel
def test_other_flows_and_earlier_ones_of_the_same_ends_are_passed_over(kernel: Any) -> None:
    ours = [packet(10 + at, one, (7_000, 9_000)) for at, one in enumerate(HANDSHAKE)]
    earlier = [packet(at, one, (70_000, 90_000)) for at, one in enumerate(HANDSHAKE)]
    other = [one._replace(frame=20 + at, sport=1, dport=2) for at, one in enumerate(earlier)]
    tracer = kernel.Tracer()
    tracer.want(ours[0].src, ours[0].sport, ours[0].dst, ours[0].dport, 11)
    tracer.feed(batch_of(kernel, [*earlier, *ours, *other]))
    assert tracer.tracker.tallies().flows == 1
    assert columns(tracer, 0)["frame"] == [11, 12, 13]
    assert columns(tracer, 0)["marks"] == [Mark.SYN, Mark.SYN, 0]


@each_kernel
def test_a_flow_whose_first_frame_never_comes_has_no_rows(kernel: Any) -> None:
    tracer = kernel.Tracer()
    tracer.want(bytes(4), 1, bytes(4), 2, 5)
    assert (tracer.index(0), tracer.segments(0)) == (NEVER, 0)
    assert all(not column for column in tracer.columns(0))


@needs_core
def test_addresses_are_of_one_kind() -> None:
    with pytest.raises(ValueError, match="both alike"):
        COMPILED.Tracer().want(bytes(4), 1, bytes(16), 2, 5)
    with pytest.raises(IndexError):
        COMPILED.Tracer().columns(0)


@each_kernel
def test_a_segment_with_a_wrong_checksum_among_right_ones_is_damaged(kernel: Any) -> None:
    right = [
        streams.said(frame, 100 * frame, 100)._replace(checksum=Checksum.RIGHT) for frame in range(1, 12)
    ]
    cisco = [one._replace(trailer=Trailer.CISCO, ip_id=one.frame) for one in right]
    wrong = streams.said(12, 1200, 100)._replace(checksum=Checksum.WRONG, trailer=Trailer.CISCO, ip_id=12)
    _, tracer = traced(kernel, [*cisco, wrong])
    assert columns(tracer, 0)["marks"] == [0] * 11 + [Mark.DAMAGED]
