"""Tracking: on made-up histories the tracker counts what slow obvious twins count, and says where it stops.

Both kernels are held to it, each with sequence spaces that begin anywhere, also just before the wrap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcp_forensics._kernel import plain_track
from ctcp_forensics._kernel.caps import (
    ASSOCIATIONS_KEPT,
    DUP_ACK_FRAMES_KEPT,
    EPISODES_KEPT,
    HOLES_KEPT,
    LIVE_HOLES,
    RESETS_KEPT,
)
from ctcp_forensics._kernel.rows import (
    NEVER,
    Checksum,
    DirectionRow,
    Kind,
    Message,
    Packet,
    ResetRow,
    Tcp,
    Trailer,
)
from tests import naive
from tests.kernels import PLAIN, each_kernel
from tests.naive import Sent

ENDS = ((b"\xc0\x00\x02\x0a", 49_731), (b"\xc6\x33\x64\x14", 10_000))
STEP_NS = 20_000_000
FEW = settings(max_examples=60, deadline=None)


# --- histories become packets ------------------------------------------------------------------


def packet(at: int, one: Sent, isns: Sequence[int], **fields: Any) -> Packet:
    """One segment of a history; every datagram has an IP ID of its own, so that none is a copy."""
    (src, sport), (dst, dport) = ENDS[one.side], ENDS[1 - one.side]
    flags = Tcp.SYN * one.syn | Tcp.FIN * one.fin | Tcp.RST * one.rst | Tcp.ACK * (one.ack is not None)
    numbers = dict.fromkeys(Packet._fields, 0) | {
        "frame": at + 1,
        "time_ns": at * STEP_NS,
        "sport": sport,
        "dport": dport,
        "ttl": 64,
        "ip_id": at + 1,
        "seq": (isns[one.side] + one.pos) % (1 << 32),
        "ack": (isns[1 - one.side] + (one.ack or 0)) % (1 << 32),
        "flags": int(flags),
        "window": one.window,
        "payload_len": one.payload_len,
        "captured_payload_len": one.payload_len,
        "mss": NEVER,
        "window_scale": NEVER,
        "print64": at,
    }
    edges = [tuple((isns[1 - one.side] + edge) % (1 << 32) for edge in block) for block in one.sacks]
    others = {"src": src, "dst": dst, "sacks": tuple(edges), "head": (0, 0), "messages": ()}
    return Packet(**(numbers | others | fields))


def tracked(kernel: Any, packets: Sequence[Packet], batch_len: int = 4096, **watching: Any) -> Any:
    tracker = kernel.Tracker(**watching)
    for start in range(0, len(packets), batch_len):
        batch = kernel.Packets()
        for one in packets[start : start + batch_len]:
            batch.append(one)
        tracker.feed(batch)
    return tracker


def tracked_history(kernel: Any, history: Sequence[Sent], isns: Sequence[int] = (7_000, 9_000)) -> Any:
    return tracked(kernel, [packet(at, one, isns) for at, one in enumerate(history)])


HANDSHAKE = (Sent(side=0, pos=0, syn=True), Sent(side=1, pos=0, syn=True, ack=1), Sent(side=0, pos=1, ack=1))


@st.composite
def histories(draw: st.DrawFn) -> tuple[Sent, ...]:
    """A handshake, then segments and ACKs of both ends: in order, late, again, overlapping, beyond holes."""
    history = list(HANDSHAKE)
    for _ in range(draw(st.integers(1, 30))):
        side = draw(st.integers(0, 1))
        next_, peer_next = naive.known_to(history, side), naive.known_to(history, 1 - side)
        ack = max(
            1,
            peer_next
            - draw(st.sampled_from((0, 0, 0, 10, 25, 40)))
            + draw(st.sampled_from((0,) * 9 + (15,))),
        )
        window = draw(st.sampled_from((65_535, 65_535, 65_535, 60_000, 0)))
        at = max(1, next_ + draw(st.sampled_from((0, 0, 0, 0, 10, 20, -1, -10, -25, -60))))
        length = draw(st.sampled_from((0, 0, 0, 1, 10, 20, 35)))
        if not length:
            at = draw(st.sampled_from((next_, next_, next_, next_ - 1)))
        fin = draw(st.sampled_from((False,) * 30 + (True,)))
        history.append(Sent(side=side, pos=at, payload_len=length, ack=ack, window=window, fin=fin))
    return tuple(history)


# --- bytes ---------------------------------------------------------------------------------------


@each_kernel
@FEW
@given(history=histories())
def test_every_byte_is_new_or_fills_a_hole_or_was_seen_or_is_missing(kernel: Any, history: Any) -> None:
    tracker = tracked_history(kernel, history)
    for side in (0, 1):
        row, total = tracker.direction(0, side), naive.bytes_of(history, side)
        open_holes = [hole for hole in tracker.holes(0, side) if hole.filled_frame == NEVER]
        missing = {number for hole in open_holes for number in range(hole.start_pos, hole.end_pos)}
        assert (row.new_bytes, row.filling_bytes, row.again_bytes) == (total.new, total.filling, total.again)
        assert row.next_pos == total.known_to
        assert missing == total.missing
        assert sum(hole.end_pos - hole.start_pos for hole in open_holes) == len(missing), "holes overlap"


@each_kernel
@FEW
@given(history=histories())
def test_every_segment_that_repeats_or_fills_has_exactly_one_name(kernel: Any, history: Any) -> None:
    tracker = tracked_history(kernel, history)
    for side in (0, 1):
        row = tracker.direction(0, side)
        named = row.retransmissions + row.late_originals + row.undecided_repeats + row.rewrites
        assert named == naive.bytes_of(history, side).repeating_segments


@each_kernel
@FEW
@given(history=histories())
def test_the_first_retransmission_is_the_frame_with_which_there_is_one(kernel: Any, history: Any) -> None:
    tracker = tracked_history(kernel, history)
    for side in (0, 1):
        frame = tracker.direction(0, side).retransmitted_frame
        if frame == NEVER:
            assert tracker.direction(0, side).retransmissions == 0
        else:
            assert tracked_history(kernel, history[:frame]).direction(0, side).retransmissions == 1
            assert tracked_history(kernel, history[: frame - 1]).direction(0, side).retransmissions == 0


@each_kernel
@FEW
@given(history=histories())
def test_a_hole_names_the_last_data_frame_before_it_whoever_revealed_it(kernel: Any, history: Any) -> None:
    tracker = tracked_history(kernel, history)
    for side in (0, 1):
        data_frames = [
            at + 1
            for at, one in enumerate(history)
            if one.side == side and one.payload_len and not naive.is_keep_alive(history, at)
        ]
        for hole in tracker.holes(0, side):
            before = [frame for frame in data_frames if frame < hole.opened_frame]
            assert hole.before_frame == max(before, default=NEVER)


@each_kernel
@pytest.mark.parametrize(
    "revealing",
    [
        pytest.param(Sent(side=0, pos=401, payload_len=100, ack=1), id="data"),
        pytest.param(Sent(side=0, pos=401, ack=1), id="bare segment"),
        pytest.param(Sent(side=0, pos=401, fin=True, ack=1), id="FIN"),
        pytest.param(Sent(side=1, pos=1, ack=401), id="bare ACK of the other end"),
        pytest.param(Sent(side=1, pos=1, payload_len=50, ack=401), id="ACK on data of the other end"),
    ],
)
def test_the_frame_before_a_hole_is_that_of_the_data_that_ends_there(kernel: Any, revealing: Sent) -> None:
    data = [Sent(side=0, pos=1 + 100 * turn, payload_len=100, ack=1) for turn in range(2)]
    (hole,) = tracked_history(kernel, [*HANDSHAKE, *data, revealing]).holes(0, 0)
    assert (hole.start_pos, hole.end_pos) == (201, 401)
    assert (hole.before_frame, hole.opened_frame) == (5, 6)


@each_kernel
@pytest.mark.parametrize("ip_id", [2, 40_000])
def test_ip_ids_of_two_counters_are_not_compared(kernel: Any, ip_id: int) -> None:
    """The hole's first sign is an ACK: its IP ID says nothing about when the sender numbered the missing bytes."""
    data = [Sent(side=0, pos=1 + 100 * turn, payload_len=100, ack=1) for turn in range(6)]
    told = Sent(side=1, pos=1, payload_len=50, ack=701)
    filling = Sent(side=0, pos=601, payload_len=100, ack=51)
    packets = [packet(at, one, (7_000, 9_000)) for at, one in enumerate((*HANDSHAKE, *data, told, filling))]
    packets[-2] = packets[-2]._replace(ip_id=ip_id)
    row = tracked(kernel, packets).direction(0, 0)
    assert row.ids_rising > 4 * row.ids_other
    assert (row.undecided_repeats, row.retransmissions, row.late_originals) == (1, 0, 0)


# --- questions -------------------------------------------------------------------------------------


@each_kernel
@FEW
@given(history=histories())
def test_duplicate_acks_are_those_of_the_five_letters(kernel: Any, history: Any) -> None:
    tracker = tracked_history(kernel, history)
    for side in (0, 1):
        asked = [
            at for at, one in enumerate(history) if one.side != side and naive.is_duplicate_ack(history, at)
        ]
        assert tracker.direction(0, side).duplicate_acks == len(asked)


@each_kernel
@FEW
@given(history=histories())
def test_an_episode_is_one_question_with_its_answer_and_its_end(kernel: Any, history: Any) -> None:
    tracker = tracked_history(kernel, history)
    for side in (0, 1):
        rows, questions = tracker.episodes(0, side), naive.questions_to(history, side)
        assert tracker.direction(0, side).episodes == len(questions)
        assert [
            (
                row.wanted_pos,
                row.duplicate_acks,
                row.frames,
                row.answered_frame,
                row.passed_frame,
                row.new_segments,
            )
            for row in rows
        ] == [
            (
                one.wanted,
                len(one.asked_at),
                tuple(at + 1 for at in one.asked_at)[:DUP_ACK_FRAMES_KEPT],
                NEVER if one.answered_at is None else one.answered_at + 1,
                NEVER if one.passed_at is None else one.passed_at + 1,
                one.new_segments,
            )
            for one in questions
        ]


@each_kernel
@FEW
@given(data=st.data())
def test_a_duplicate_ack_by_sack_does_tell_news(kernel: Any, data: st.DataObject) -> None:
    """The tracker compares with the highest SACKed byte only: it may miss news, and never invents it."""
    history = [*HANDSHAKE, Sent(side=0, pos=1, payload_len=100, ack=1), Sent(side=1, pos=1, ack=101)]
    history += [Sent(side=0, pos=201 + 100 * turn, payload_len=100, ack=1) for turn in range(5)]
    lefts = data.draw(st.lists(st.sampled_from((51, 201, 251, 301, 451, 601)), max_size=8))
    for left in lefts:
        right = left + data.draw(st.sampled_from((25, 50, 100)))
        window = data.draw(st.sampled_from((65_535, 60_000)))
        history.append(Sent(side=1, pos=1, ack=101, window=window, sacks=((left, right),)))
    told = sum(naive.tells_news(history, at) for at in range(len(history)))
    counted = tracked_history(kernel, history).direction(0, 0).sack_duplicate_acks
    assert counted <= told
    assert bool(counted) == bool(told)


# --- what must not matter --------------------------------------------------------------------------

POSITION_FREE = [name for name in DirectionRow._fields if name != "anchor"]


def facts(tracker: Any) -> list[Any]:
    """All that a tracker says of its first flow, without the absolute numbers."""
    directions = [tracker.direction(0, side)._asdict() for side in (0, 1)]
    counted = [[values[name] for name in POSITION_FREE] for values in directions]
    return [*counted, *(tracker.episodes(0, side) + tracker.holes(0, side) for side in (0, 1))]


@each_kernel
@FEW
@given(history=histories(), isns=st.tuples(*[st.integers((1 << 32) - 700, (1 << 32) - 1)] * 2))
def test_a_wrap_of_the_sequence_space_changes_nothing(kernel: Any, history: Any, isns: Any) -> None:
    assert facts(tracked_history(kernel, history, isns)) == facts(tracked_history(kernel, history))


@each_kernel
@FEW
@given(history=histories(), batch_len=st.integers(1, 12))
def test_the_size_of_a_batch_changes_nothing(kernel: Any, history: Any, batch_len: int) -> None:
    packets = [packet(at, one, (7_000, 9_000)) for at, one in enumerate(history)]
    assert facts(tracked(kernel, packets, batch_len)) == facts(tracked(kernel, packets))


@each_kernel
@FEW
@given(history=histories())
def test_frames_captured_twice_change_only_the_number_of_copies(kernel: Any, history: Any) -> None:
    packets = [packet(at, one, (7_000, 9_000)) for at, one in enumerate(history)]
    doubled = [copy for one in packets for copy in (one, one._replace(time_ns=one.time_ns + 20_000))]
    once, twice = tracked(kernel, packets), tracked(kernel, doubled)
    counted_twice = {"frames", "payload_bytes", "copies", "last_ns"}
    for side in (0, 1):
        single, double = once.direction(0, side), twice.direction(0, side)
        same = [name for name in POSITION_FREE if name not in counted_twice]
        assert [getattr(single, name) for name in same] == [getattr(double, name) for name in same]
        assert double.copies == single.frames
        assert once.episodes(0, side) == twice.episodes(0, side)


@each_kernel
def test_bytes_that_come_next_are_no_copy_even_where_their_numbers_went_once_around(kernel: Any) -> None:
    """Four segments of a gigabyte each, as no network has them, bring a sequence number back to where it was."""
    quarter = 1 << 30
    rounds = [Sent(side=0, pos=1 + at * quarter, payload_len=quarter, ack=1) for at in range(5)]
    history = (*HANDSHAKE, *rounds)
    alike = {"ip_id": 7, "print64": 7}
    packets = [packet(at, one, (7_000, 9_000), **alike, time_ns=at) for at, one in enumerate(history)]
    assert packets[3]._replace(frame=0, time_ns=0) == packets[7]._replace(frame=0, time_ns=0)
    row = tracked(kernel, packets).direction(0, 0)
    assert (row.copies, row.payload_bytes, row.next_pos) == (0, 5 * quarter, 1 + 5 * quarter)
    again = tracked(kernel, [*packets, packets[-1]._replace(frame=9)]).direction(0, 0)
    assert (again.copies, again.next_pos) == (1, 1 + 5 * quarter)


@given(
    number=st.integers(0, (1 << 32) - 1), anchor=st.integers(0, (1 << 32) - 1), near=st.integers(0, 1 << 34)
)
def test_a_number_is_placed_nearest_to_what_comes_next(number: int, anchor: int, near: int) -> None:
    direction = plain_track.Direction()
    direction.anchor_at((anchor + near) % (1 << 32), near)
    placed, expected = direction.place(number), naive.unwrapped(number, anchor, near)
    assert abs(placed - near) == abs(expected - near)  # half the space away there are two such places
    assert (placed - number + anchor) % (1 << 32) == 0


# --- ESP -------------------------------------------------------------------------------------------


def esp_packets(numbers: Sequence[int], spis: Sequence[int] | None = None) -> list[Packet]:
    """One message a segment, each new to TCP, so that only ESP's own numbers tell."""
    packets = [packet(at, one, (7_000, 9_000)) for at, one in enumerate(HANDSHAKE)]
    for at, number in enumerate(numbers):
        spi = spis[at] if spis else 1
        message = Message(Kind.ESP, 0, 100, spi, number, 0, 0, number)
        sent = Sent(side=0, pos=1 + 100 * at, payload_len=100, ack=1)
        place = len(HANDSHAKE) + at
        packets.append(packet(place, sent, (7_000, 9_000), trailer=int(Trailer.CISCO), messages=(message,)))
    return packets


@each_kernel
@FEW
@given(steps=st.lists(st.integers(-20, 12), max_size=40))
def test_esp_numbers_missing_and_repeated_are_those_of_a_set(kernel: Any, steps: list[int]) -> None:
    """Within the 64 numbers that the anti-replay window remembers (RFC 4303 §3.4.3)."""
    numbers = [1_000]
    for step in steps:
        numbers.append(max(max(numbers) - 60, numbers[-1] + step))
    row = tracked(kernel, esp_packets(numbers)).direction(0, 0)
    assert row.esp_messages == len(numbers)
    assert row.esp_missing == naive.esp_missing(numbers)
    assert row.esp_repeats == naive.esp_repeats(numbers)


@each_kernel
def test_associations_that_make_room_keep_their_loss_in_the_total(kernel: Any) -> None:
    spis = [spi for spi in range(1, 2 * ASSOCIATIONS_KEPT + 1) for _ in (1, 3)]
    tracker = tracked(kernel, esp_packets([1, 3] * (2 * ASSOCIATIONS_KEPT), spis))
    row = tracker.direction(0, 0)
    assert row.associations == 2 * ASSOCIATIONS_KEPT
    assert row.esp_missing == 2 * ASSOCIATIONS_KEPT
    assert [one.spi for one in tracker.associations(0, 0)] == spis[-2 * ASSOCIATIONS_KEPT :: 2]


# --- caps: reached, counted, and what is kept stays right ----------------------------------------------


def with_holes(count: int) -> list[Sent]:
    """Every second hundred bytes is missing; the ACK stays before the first hole."""
    lossy = [Sent(side=0, pos=101 + 200 * turn, payload_len=100, ack=1) for turn in range(count)]
    return [*HANDSHAKE, *lossy]


@each_kernel
@pytest.mark.parametrize("count", [LIVE_HOLES, LIVE_HOLES + 1, 3 * LIVE_HOLES])
def test_holes_beyond_those_kept_open_are_let_go_and_counted(kernel: Any, count: int) -> None:
    row = tracked_history(kernel, with_holes(count)).direction(0, 0)
    assert row.holes_opened == count
    assert row.holes_forgotten == max(0, count - LIVE_HOLES)


@each_kernel
def test_the_hole_that_is_asked_for_is_never_let_go(kernel: Any) -> None:
    history = [*with_holes(2 * LIVE_HOLES), Sent(side=1, pos=1, ack=1)]
    history.append(Sent(side=0, pos=1, payload_len=100, ack=1))
    tracker = tracked_history(kernel, history)
    first = min(tracker.holes(0, 0), key=lambda hole: hole.start_pos)
    assert (first.start_pos, first.end_pos, first.filled_frame) == (1, 101, len(history))
    assert tracker.direction(0, 0).filling_bytes == 100


@each_kernel
def test_the_latest_holes_are_kept_as_evidence(kernel: Any) -> None:
    history = list(HANDSHAKE)
    count = HOLES_KEPT + 10
    for turn in range(count):
        at = 1 + 200 * turn
        history.append(Sent(side=0, pos=at + 100, payload_len=100, ack=1))
        history.append(Sent(side=0, pos=at, payload_len=100, ack=1))
    tracker = tracked_history(kernel, history)
    assert tracker.direction(0, 0).holes_filled == count
    assert [hole.start_pos for hole in tracker.holes(0, 0)] == [1 + 200 * turn for turn in range(10, count)]


@each_kernel
def test_the_latest_episodes_are_kept_and_all_are_counted(kernel: Any) -> None:
    history, count = list(HANDSHAKE), EPISODES_KEPT + 5
    for turn in range(count):
        at = 1 + 300 * turn
        history.append(Sent(side=0, pos=at + 100, payload_len=100, ack=1))
        history += [Sent(side=1, pos=1, ack=at)] * 2
        history.append(Sent(side=1, pos=1, ack=at + 300))
    tracker = tracked_history(kernel, history)
    assert tracker.direction(0, 0).episodes == count
    assert [row.wanted_pos for row in tracker.episodes(0, 0)] == [1 + 300 * turn for turn in range(5, count)]


@each_kernel
def test_an_episode_keeps_its_first_frames_and_counts_them_all(kernel: Any) -> None:
    history = [*HANDSHAKE, Sent(side=0, pos=101, payload_len=100, ack=1)]
    history += [Sent(side=1, pos=1, ack=1)] * (DUP_ACK_FRAMES_KEPT + 4)
    (row,) = tracked_history(kernel, history).episodes(0, 0)
    assert row.duplicate_acks == DUP_ACK_FRAMES_KEPT + 4
    assert row.frames == tuple(range(5, 5 + DUP_ACK_FRAMES_KEPT))


def test_a_full_log_lets_the_oldest_quarter_go_and_counts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_track.tracker, "SEGMENT_LOG_CAP", 8)
    tracker = tracked(PLAIN, esp_packets(range(1, 11)))
    assert tracker.tallies().segments_unlogged == 4
    assert [row.esp_seq for row in tracker.segments(0)] == list(range(5, 11))


# --- the log -----------------------------------------------------------------------------------------


@each_kernel
def test_the_log_names_the_frames_that_carry_a_byte(kernel: Any) -> None:
    packets = esp_packets([1, 2, 3])
    again = packets[4]._replace(frame=7, time_ns=10**9, ip_id=77)
    tracker = tracked(kernel, [*packets, again])
    carriers = tracker.segments_with(0, 0, 101)
    assert [one.frame for one in carriers] == [5, 7]
    assert carriers == [one for one in tracker.segments(0) if one.pos == 101]
    assert [one.frame for one in tracker.segments_with(0, 0, 100)] == [4]
    assert tracker.segments_with(0, 1, 101) == []


@each_kernel
@pytest.mark.parametrize(
    ("checksums", "damaged"),
    [
        ("rrrrrw", [6]),
        ("rrrrw", []),
        ("rrrrrrrrrww", [10, 11]),
        ("rrrrrwww", [6]),
        ("wwwwww", []),
        ("------w", []),
        ("wrrrrrrrrrw", [11]),
        ("rrrrr-", []),
    ],
)
def test_a_wrong_checksum_is_damage_where_nearly_all_are_right(
    kernel: Any, checksums: str, damaged: list[int]
) -> None:
    """A capture of the sending host shows checksums before its card has written them: nearly all are wrong there."""
    words = [{"-": Checksum.UNVERIFIED, "r": Checksum.RIGHT, "w": Checksum.WRONG}[one] for one in checksums]
    opening, messages = esp_packets([])[:], esp_packets(range(1, len(words) + 1))[len(HANDSHAKE) :]
    spoken = [one._replace(checksum=int(word)) for one, word in zip(messages, words, strict=True)]
    tracker = tracked(kernel, [*opening, *spoken])
    row = tracker.direction(0, 0)
    assert (row.checksums_right, row.checksums_wrong) == (checksums.count("r"), checksums.count("w"))
    assert [one.esp_seq for one in tracker.segments(0) if one.is_damaged] == damaged


@each_kernel
def test_checksums_of_a_flow_that_is_not_watched_are_not_counted(kernel: Any) -> None:
    spoken = [one._replace(checksum=int(Checksum.WRONG)) for one in esp_packets([1, 2])]
    plain = [one._replace(trailer=int(Trailer.ABSENT), messages=()) for one in spoken]
    assert tracked(kernel, plain).direction(0, 0).checksums_wrong == 0


@each_kernel
def test_the_log_names_what_was_acknowledged_at_one_time_or_another(kernel: Any) -> None:
    packets = esp_packets([1, 2, 3])
    acks = [packet(6 + at, Sent(side=1, pos=1, ack=ack), (7_000, 9_000)) for at, ack in enumerate((101, 301))]
    tracker = tracked(kernel, [*packets, *acks])
    assert tracker.acks(0, 1) == {101, 301}
    assert tracker.acks(0, 0) == {1}


@each_kernel
def test_the_log_tells_where_its_clock_was_set_back_last(kernel: Any) -> None:
    second = 10**9
    times = [10, 11, 12, 20, 5, 6, 30, 8, 7, 9]
    packets = [
        one._replace(time_ns=at * second) for one, at in zip(esp_packets(range(1, 8)), times, strict=True)
    ]
    logged = packets[3:]  # it looks like cTCP from the first message on
    assert [row.frame for row in tracked(kernel, packets).segments(0)] == [one.frame for one in logged]
    tracker = tracked(kernel, packets)
    assert tracker.step_back(0, 0) == 8
    assert tracker.step_back(0, second) == 7
    assert tracker.step_back(0, 22 * second) == NEVER
    assert tracked(kernel, packets[:7]).step_back(0, second) == 4
    assert tracked(kernel, packets[:4]).step_back(0, 0) == NEVER


@each_kernel
def test_an_ordinary_flow_is_not_logged(kernel: Any) -> None:
    tracker = tracked_history(kernel, with_holes(3))
    assert tracker.segments(0) == []
    assert tracker.suspects(frozenset()) == []
    assert tracker.suspects(frozenset({10_000})) == [0]


@each_kernel
@pytest.mark.parametrize(
    "watching", [{"ports": [10_000]}, {"ports": (49_731, 70_000, -1)}, {"everything": True}], ids=str
)
def test_a_flow_that_was_asked_for_is_logged_from_its_syn_on(kernel: Any, watching: Any) -> None:
    packets = [packet(at, one, (7_000, 9_000)) for at, one in enumerate(with_holes(1))]
    tracker = tracked(kernel, packets, **watching)
    assert tracker.flow(0).watched == 1
    assert [
        (row.direction, row.frame, row.pos, row.length, row.ack_pos, row.flags) for row in tracker.segments(0)
    ] == [
        (0, 1, 0, 0, NEVER, Tcp.SYN),
        (1, 2, 0, 0, 1, Tcp.SYN | Tcp.ACK),
        (0, 3, 1, 0, 1, Tcp.ACK),
        (0, 4, 101, 100, 1, Tcp.ACK),
    ]


@each_kernel
def test_flows_of_other_ports_are_not_watched(kernel: Any) -> None:
    packets = [packet(at, one, (7_000, 9_000)) for at, one in enumerate(with_holes(1))]
    tracker = tracked(kernel, packets, ports=[80, 10_001])
    assert (tracker.flow(0).watched, tracker.segments(0)) == (0, [])


@each_kernel
@pytest.mark.parametrize("wrong", [{"ports": 10_000}, {"ports": None}])
def test_ports_are_several(kernel: Any, wrong: Any) -> None:
    with pytest.raises(TypeError):
        kernel.Tracker(**wrong)


@each_kernel
def test_bare_acks_for_one_byte_are_counted_and_the_first_are_named(kernel: Any) -> None:
    asked = Sent(side=1, pos=1, ack=1)
    history = [
        *with_holes(2),
        *[asked] * 3,
        Sent(side=1, pos=1, payload_len=50, ack=1),
        Sent(side=1, pos=51, fin=True, ack=1),
        Sent(side=1, pos=52, ack=201),
        Sent(side=1, pos=52, ack=1),
    ]
    packets = [packet(at, one, (7_000, 9_000)) for at, one in enumerate(history)]
    tracker = tracked(kernel, packets, everything=True)
    first = [(frame, (frame - 1) * STEP_NS) for frame in (6, 7, 8)]
    assert tracker.bare_acks(0, 1, 1, 2) == (3, first[:2])
    assert tracker.bare_acks(0, 1, 1, 99) == (3, first)
    assert tracker.bare_acks(0, 1, 201, 1) == (2, [(11, 10 * STEP_NS)])
    assert tracker.bare_acks(0, 0, 1, 5) == (1, [(3, 2 * STEP_NS)])
    assert [tracker.bare_acks(0, 1, 1, limit) for limit in (0, -1)] == [(3, []), (3, [])]
    assert tracker.bare_acks(0, 1, 1 << 40, 5) == (0, [])


@each_kernel
def test_of_a_flow_that_is_not_watched_no_bare_acks_are_known(kernel: Any) -> None:
    assert tracked_history(kernel, with_holes(1)).bare_acks(0, 0, 1, 5) == (0, [])


# --- RSTs ----------------------------------------------------------------------------------------------


def with_resets(sides: Sequence[int]) -> list[Packet]:
    history = [*with_holes(1), *(Sent(side=side, pos=1 + at, rst=True) for at, side in enumerate(sides))]
    return [packet(at, one, (7_000, 9_000)) for at, one in enumerate(history)]


@each_kernel
def test_rsts_of_a_watched_flow_are_kept_as_they_came(kernel: Any) -> None:
    packets = with_resets([1, 0, 0])
    packets[-2] = packets[-2]._replace(ttl=250, ip_id=-1, window=0, flags=int(Tcp.RST | Tcp.ACK))
    tracker = tracked(kernel, packets, everything=True)
    assert tracker.resets(0) == [
        ResetRow(1, 5, 4 * STEP_NS, 64, 5, 65_535, 1, 0),
        ResetRow(0, 6, 5 * STEP_NS, 250, -1, 0, 2, 1),
        ResetRow(0, 7, 6 * STEP_NS, 64, 7, 65_535, 3, 0),
    ]
    assert len(tracker.segments(0)) == 4


@each_kernel
@pytest.mark.parametrize("sides", [[0] * 20, [1] * 20, [0, 1] * 10, [1] * 15 + [0] * 5], ids=str)
def test_the_first_rsts_of_both_directions_together_are_kept_and_all_are_counted(
    kernel: Any, sides: list[int]
) -> None:
    tracker = tracked(kernel, with_resets(sides), everything=True)
    kept = tracker.resets(0)
    assert [(row.direction, row.frame) for row in kept] == [
        (side, 5 + at) for at, side in enumerate(sides[:RESETS_KEPT])
    ]
    assert [tracker.direction(0, side).rsts for side in (0, 1)] == [sides.count(0), sides.count(1)]


@each_kernel
def test_a_rst_that_was_doubled_is_kept_once(kernel: Any) -> None:
    packets = with_resets([1])
    packets.append(packets[-1]._replace(frame=6, time_ns=packets[-1].time_ns + 1000))
    assert len(tracked(kernel, packets, everything=True).resets(0)) == 1


@each_kernel
def test_a_rst_before_anything_else_has_no_place(kernel: Any) -> None:
    lone = packet(0, Sent(side=0, pos=5, rst=True), (7_000, 9_000))
    (row,) = tracked(kernel, [lone], everything=True).resets(0)
    assert (row.frame, row.seq_pos) == (1, NEVER)


@each_kernel
def test_rsts_of_an_ordinary_flow_are_counted_only(kernel: Any) -> None:
    tracker = tracked(kernel, with_resets([0, 1]))
    assert tracker.resets(0) == []
    assert tracker.direction(0, 0).rst_frame == 5
