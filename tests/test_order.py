"""Frames of one batch in the order of time: what queues explain is mended, a clock that was set is not."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from ctcp_forensics._kernel.rows import Frame
from ctcp_forensics.savefile import Reader, batches_in_order
from ctcp_forensics.savefile.order import LATE_NS, sorted_where_late

MS = 1_000_000


def frames_at(*times_ns: int) -> list[Frame]:
    return [
        Frame(
            number=number,
            time_ns=time_ns,
            offset=0,
            captured_len=60,
            original_len=60,
            interface=0,
            link_type=1,
            commented=0,
        )
        for number, time_ns in enumerate(times_ns, start=1)
    ]


def order_of(*times_ns: int) -> list[int]:
    return [frame.number for frame in sorted_where_late(iter(frames_at(*times_ns)))]


def test_frames_that_a_queue_wrote_late_get_their_place() -> None:
    assert order_of(10 * MS, 30 * MS, 20 * MS, 25 * MS, 40 * MS) == [1, 3, 4, 2, 5]


def test_frames_of_one_time_keep_their_order() -> None:
    assert order_of(5 * MS, 5 * MS, 5 * MS) == [1, 2, 3]


def test_a_clock_that_was_set_back_moves_no_frame() -> None:
    assert order_of(1000 * MS, 2000 * MS, 500 * MS, 1500 * MS, 2100 * MS) == [1, 2, 3, 4, 5]


def test_the_limit_is_just_what_a_queue_may_lag() -> None:
    assert order_of(LATE_NS, 0) == [2, 1]
    assert order_of(LATE_NS + 1, 0) == [1, 2]


def savefile(times_us: Sequence[int]) -> bytes:
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    return head + b"".join(struct.pack("<IIII", 1, time_us, 14, 14) + bytes(14) for time_us in times_us)


def test_a_batch_in_disorder_is_put_in_order_and_counted_once() -> None:
    reader = Reader([savefile([10, 30, 20])])
    numbers = [frames[at].number for _, frames in batches_in_order(reader) for at in range(len(frames))]
    assert numbers == [1, 3, 2]
    assert (reader.frames, reader.out_of_order_frames) == (3, 1)


def test_a_batch_in_order_is_passed_on_as_it_is() -> None:
    reader = Reader([savefile([10, 20, 30])])
    numbers = [frames[at].number for _, frames in batches_in_order(reader) for at in range(len(frames))]
    assert numbers == [1, 2, 3]
