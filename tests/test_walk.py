"""The record walk: what each length check stops at, how time is counted, and that both kernels agree."""

from __future__ import annotations

import random
from fractions import Fraction
from struct import pack
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctcp_forensics._kernel import layouts
from ctcp_forensics._kernel.caps import MAX_CAPTURED_LEN
from ctcp_forensics._kernel.layouts import LATEST_NS, Clock, Lengths, PcapLayout, Stop, Walked
from ctcp_forensics._kernel.rows import NEVER, Frame
from tests import savefiles as sf
from tests.kernels import WALKS, both_walks, needs_core

MICROSECONDS = Clock(1000, 1, -1, 0)
LAYOUT = PcapLayout(
    big_endian=0, header_len=16, tick_ns=1000, lengths=Lengths.CAPTURED_FIRST, link_type=sf.ETHERNET
)


def walk_records(
    kernel: ModuleType, data: bytes, layout: PcapLayout = LAYOUT, start: int = 0
) -> tuple[Walked, list[Frame]]:
    frames = kernel.Frames()
    walked = kernel.walk_pcap(data, start, len(data), layout, frames)
    return walked, [frames[index] for index in range(len(frames))]


def walk_blocks(
    kernel: ModuleType, data: bytes, clock: Clock = MICROSECONDS, snap_len: int = 0, order: str = "<"
) -> tuple[Walked, list[Frame]]:
    """One section with one Ethernet interface."""
    frames, interfaces = kernel.Frames(), kernel.Interfaces()
    interfaces.add(sf.ETHERNET, snap_len, clock)
    walked = kernel.walk_pcapng(data, 0, len(data), int(order == ">"), interfaces, frames)
    return walked, [frames[index] for index in range(len(frames))]


# --- pcap ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", WALKS)
class TestPcapRecords:
    """draft-ietf-opsawg-pcap §5."""

    def test_two_records_become_two_frames_and_the_walk_asks_for_a_third(self, kernel: ModuleType) -> None:
        data = sf.record(data=b"abc", seconds=7, fraction=5) + sf.record(data=b"defg", original_len=1500)
        walked, frames = walk_records(kernel, data)
        assert walked == (Stop.MORE, len(data), 16)
        assert frames == [Frame(1, 7_000_005_000, 16, 3, 3, 0, 1, 0), Frame(2, 0, 35, 4, 1500, 0, 1, 0)]

    def test_the_walk_starts_where_it_is_told_and_numbers_go_on(self, kernel: ModuleType) -> None:
        data = sf.record(data=b"abc") + sf.record(data=b"de")
        frames = kernel.Frames()
        kernel.walk_pcap(data, 0, len(data), LAYOUT, frames)
        frames.clear()
        kernel.walk_pcap(data, 19, len(data), LAYOUT, frames)
        assert [frames[index].number for index in range(len(frames))] == [3]

    def test_numbers_begin_where_they_are_told_to(self, kernel: ModuleType) -> None:
        frames = kernel.Frames(first_number=513)
        assert frames.next_number == 513
        data = sf.record(data=b"abc") * 2
        kernel.walk_pcap(data, 0, len(data), LAYOUT, frames)
        frames.pass_over_number()
        assert [frames[index].number for index in range(len(frames))] == [513, 514]
        assert frames.next_number == 516
        assert (frames.totals.frames, frames.totals.other_records) == (2, 1)

    def test_numbers_go_on_beyond_32_bits(self, kernel: ModuleType) -> None:
        frames = kernel.Frames(first_number=1 << 40)
        kernel.walk_pcap(sf.record(data=b"abc"), 0, 19, LAYOUT, frames)
        assert frames[0].number == 1 << 40

    @pytest.mark.parametrize("wrong", [{"first_number": 0}, {"first_number": -1}, {"capacity": 0}])
    def test_a_table_of_nothing_or_from_frame_0_is_refused(
        self, kernel: ModuleType, wrong: dict[str, int]
    ) -> None:
        with pytest.raises(ValueError, match="frame"):
            kernel.Frames(**wrong)

    @pytest.mark.parametrize("have", range(16))
    def test_part_of_a_header_asks_for_the_header(self, kernel: ModuleType, have: int) -> None:
        assert walk_records(kernel, sf.record(data=b"abc")[:have])[0] == (Stop.MORE, 0, 16)

    @pytest.mark.parametrize("have", [16, 17, 18])
    def test_part_of_a_frame_asks_for_the_record(self, kernel: ModuleType, have: int) -> None:
        assert walk_records(kernel, sf.record(data=b"abc")[:have])[0] == (Stop.MORE, 0, 19)

    def test_bytes_beyond_the_end_are_not_looked_at(self, kernel: ModuleType) -> None:
        data = sf.record(data=b"abc") * 2
        frames = kernel.Frames()
        assert kernel.walk_pcap(data, 0, 37, LAYOUT, frames) == (Stop.MORE, 19, 19)

    def test_the_longest_frame_is_taken_and_one_byte_more_is_damage(self, kernel: ModuleType) -> None:
        longest = sf.record(data=bytes(MAX_CAPTURED_LEN))
        assert len(walk_records(kernel, longest)[1]) == 1
        longer = sf.record(captured_len=MAX_CAPTURED_LEN + 1)
        assert walk_records(kernel, longer)[0] == (Stop.FRAME_TOO_LONG, 0, MAX_CAPTURED_LEN + 1)

    def test_four_gigabytes_are_damage_and_not_a_request(self, kernel: ModuleType) -> None:
        walked, _ = walk_records(kernel, sf.record(captured_len=0xFFFFFFFF))
        assert walked == (Stop.FRAME_TOO_LONG, 0, 0xFFFFFFFF)

    def test_the_walk_stops_when_the_table_is_full(self, kernel: ModuleType) -> None:
        frames = kernel.Frames(2)
        data = sf.record(data=b"a") * 3
        assert kernel.walk_pcap(data, 0, len(data), LAYOUT, frames) == (Stop.FULL, 34, 0)
        assert frames.full
        assert len(frames) == 2

    def test_big_endian_nanoseconds_and_a_longer_record_header(self, kernel: ModuleType) -> None:
        layout = PcapLayout(1, 24, 1, Lengths.CAPTURED_FIRST, sf.RAW_IP)
        data = sf.record(">", b"abc", seconds=0xFFFFFFFF, fraction=999_999_999, more_header=bytes(8))
        _, frames = walk_records(kernel, data, layout)
        assert frames == [Frame(1, 4_294_967_295_999_999_999, 24, 3, 3, 0, 101, 0)]

    @pytest.mark.parametrize(
        ("lengths", "first", "second", "captured_len", "original_len"),
        [
            (Lengths.ORIGINAL_FIRST, 9, 3, 3, 9),
            (Lengths.SMALLER_IS_CAPTURED, 9, 3, 3, 9),
            (Lengths.SMALLER_IS_CAPTURED, 3, 9, 3, 9),
            (Lengths.CAPTURED_FIRST, 3, 9, 3, 9),
        ],
    )
    def test_old_versions_write_the_lengths_the_other_way_round(
        self, kernel: ModuleType, lengths: int, first: int, second: int, captured_len: int, original_len: int
    ) -> None:
        data = sf.record(data=b"abc", captured_len=first, original_len=second)
        _, (frame,) = walk_records(kernel, data, LAYOUT._replace(lengths=lengths))
        assert (frame.captured_len, frame.original_len) == (captured_len, original_len)


# --- one interface of many -----------------------------------------------------------------


def table_of(kernel: ModuleType, frames: list[Frame]) -> Any:
    table = kernel.Frames(max(1, len(frames)))
    for frame in frames:
        table.append(frame)
    return table


@pytest.mark.parametrize("kernel", WALKS)
class TestOneInterfaceOfMany:
    def test_each_frame_stands_in_the_table_of_its_interface_under_its_number(
        self, kernel: ModuleType
    ) -> None:
        rows = [Frame(7 + at, 10 - at, 40 * at, 3, 9, at % 3 % 2, 1, at % 2) for at in range(6)]
        table = table_of(kernel, rows)
        assert table.interfaces_seen() == [0, 1]
        assert list(table.of_interface(0)) == [rows[0], rows[2], rows[3], rows[5]]
        assert list(table.of_interface(1)) == [rows[1], rows[4]]
        assert list(table) == rows

    def test_its_totals_are_of_its_rows_alone(self, kernel: ModuleType) -> None:
        rows = [Frame(at, 10 - at, 0, 3, 9, at % 2, 1, at % 2) for at in range(6)]
        totals = table_of(kernel, rows).of_interface(1).totals
        assert (totals.frames, totals.commented) == (3, 3)
        assert (totals.first_ns, totals.last_ns, totals.out_of_order) == (5, 9, 2)

    def test_no_frames_of_an_interface_are_an_empty_table(self, kernel: ModuleType) -> None:
        nothing = table_of(kernel, []).of_interface(3)
        assert (list(nothing), nothing.full, nothing.interfaces_seen()) == ([], False, [])

    def test_interfaces_of_a_batch_are_its_own(self, kernel: ModuleType) -> None:
        table = table_of(kernel, [Frame(1, 0, 0, 3, 3, 9, 1, 0)])
        table.clear()
        assert table.interfaces_seen() == []

    def test_interfaces_of_sections_without_end(self, kernel: ModuleType) -> None:
        indexes = [65_535, 65_536, 0, (1 << 31) - 1, 65_535, 65_536]
        table = table_of(kernel, [Frame(1 + at, 0, 0, 3, 3, on, 1, 0) for at, on in enumerate(indexes)])
        assert table.interfaces_seen() == [0, 65_535, 65_536, (1 << 31) - 1]
        assert [frame.number for frame in table.of_interface(65_536)] == [2, 6]


@needs_core
@given(
    indexes=st.lists(st.sampled_from([0, 0, 0, 1, 2, 500, 65_536]), max_size=60),
    times=st.lists(st.integers(0, 1 << 62), min_size=60, max_size=60),
)
def test_both_kernels_split_a_batch_alike(indexes: list[int], times: list[int]) -> None:
    rows = [Frame(1 + at, times[at], at, 3, 2 + at % 3, on, 1, at % 2) for at, on in enumerate(indexes)]
    reference, compiled = (table_of(kernel, rows) for kernel in both_walks())
    assert reference.interfaces_seen() == compiled.interfaces_seen()
    for index in (*reference.interfaces_seen(), 77):
        ours, theirs = reference.of_interface(index), compiled.of_interface(index)
        assert (list(ours), ours.totals, ours.full) == (list(theirs), theirs.totals, theirs.full)


# --- pcapng --------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", WALKS)
@pytest.mark.parametrize("order", ["<", ">"])
class TestBlocks:
    """draft-ietf-opsawg-pcapng §3.1 and §4."""

    def test_all_three_packet_blocks(self, kernel: ModuleType, order: str) -> None:
        data = (
            sf.enhanced(order, b"abcde", ticks=3_000_001, original_len=60)
            + sf.simple(order, b"fg")
            + sf.obsolete(order, b"hij", ticks=4_000_000)
        )
        walked, frames = walk_blocks(kernel, data, order=order)
        assert walked == (Stop.MORE, len(data), 12)
        assert frames == [
            Frame(1, 3_000_001_000, 28, 5, 60, 0, 1, 0),
            Frame(2, 3_000_001_000, 52, 2, 2, 0, 1, 0),
            Frame(3, 4_000_000_000, 88, 3, 3, 0, 1, 0),
        ]

    def test_a_simple_packet_is_cut_at_the_snap_length(self, kernel: ModuleType, order: str) -> None:
        data = sf.simple(order, b"abcd", original_len=1500)
        _, (frame,) = walk_blocks(kernel, data, snap_len=3, order=order)
        assert (frame.captured_len, frame.original_len) == (3, 1500)

    def test_blocks_that_have_to_be_read_are_handed_back(self, kernel: ModuleType, order: str) -> None:
        for wanted in (sf.interface(order), sf.statistics(order)):
            data = sf.enhanced(order, b"abcd") + wanted
            assert walk_blocks(kernel, data, order=order)[0] == (Stop.READ, 36, len(wanted))

    def test_a_section_header_is_handed_back_before_its_length_is_known(
        self, kernel: ModuleType, order: str
    ) -> None:
        other = ">" if order == "<" else "<"
        assert walk_blocks(kernel, sf.section(other)[:12], order=order)[0] == (Stop.READ, 0, 0)

    def test_unknown_blocks_pass_and_a_cut_one_is_to_be_skipped(self, kernel: ModuleType, order: str) -> None:
        unknown = sf.block(order, 0x1234, bytes(100))
        walked, frames = walk_blocks(kernel, unknown + sf.enhanced(order, b"a"), order=order)
        assert walked.stop == Stop.MORE
        assert frames[0].number == 1
        assert walk_blocks(kernel, unknown[:60], order=order)[0] == (Stop.SKIP, 0, 112)

    @pytest.mark.parametrize("kind", layouts.NUMBERED_KINDS)
    def test_wireshark_numbers_records_that_are_no_packets(
        self, kernel: ModuleType, order: str, kind: int
    ) -> None:
        _, frames = walk_blocks(
            kernel, sf.block(order, kind, bytes(24)) + sf.enhanced(order, b"a"), order=order
        )
        assert [frame.number for frame in frames] == [2]

    @pytest.mark.parametrize("length", range(12))
    def test_a_block_shorter_than_its_own_fields(self, kernel: ModuleType, order: str, length: int) -> None:
        data = sf.block(order, 0x1234, b"abcd", length=length)
        assert walk_blocks(kernel, data, order=order)[0] == (Stop.BLOCK_TOO_SHORT, 0, length)

    @pytest.mark.parametrize(("kind", "least"), [(6, 32), (2, 32), (3, 16), (1, 20), (5, 24)])
    def test_each_kind_has_a_shortest_length(
        self, kernel: ModuleType, order: str, kind: int, least: int
    ) -> None:
        data = sf.block(order, kind, bytes(64), length=least - 4)
        assert walk_blocks(kernel, data, order=order)[0] == (Stop.BLOCK_TOO_SHORT, 0, least - 4)

    @pytest.mark.parametrize("kind", [1, 2, 3, 5, 6])
    def test_a_block_that_would_have_to_be_held_is_bounded(
        self, kernel: ModuleType, order: str, kind: int
    ) -> None:
        most = layouts.LONGEST_BLOCK
        assert walk_blocks(kernel, sf.block(order, kind, length=most), order=order)[0].stop == Stop.MORE
        longer = sf.block(order, kind, length=most + 4)
        assert walk_blocks(kernel, longer, order=order)[0] == (Stop.BLOCK_TOO_LONG, 0, most + 4)

    def test_a_length_near_the_end_of_32_bits_does_not_wrap(self, kernel: ModuleType, order: str) -> None:
        data = sf.block(order, 0x1234, bytes(64), length=0xFFFFFFFD)
        assert walk_blocks(kernel, data, order=order)[0] == (Stop.SKIP, 0, 0x1_0000_0000)

    def test_the_copy_of_the_length_must_agree(self, kernel: ModuleType, order: str) -> None:
        data = sf.block(order, 0x1234, b"abcd", trailer=20)
        assert walk_blocks(kernel, data, order=order)[0] == (Stop.TRAILER_DIFFERS, 0, 20)

    def test_a_length_that_leaves_the_padding_out_is_understood(self, kernel: ModuleType, order: str) -> None:
        """As Wireshark does: some early writers counted the block without its padding."""
        data = sf.obsolete(order, b"abc")
        short = pack(f"{order}I", len(data) - 1)
        data = data[:4] + short + data[8:-4] + short
        walked, frames = walk_blocks(kernel, data + sf.enhanced(order, b"x"), order=order)
        assert [frame.captured_len for frame in frames] == [3, 1]
        assert walked.stop == Stop.MORE

    def test_a_packet_beyond_its_block(self, kernel: ModuleType, order: str) -> None:
        for data in (sf.enhanced(order, b"abcd", captured_len=5), sf.simple(order, b"abcd", original_len=5)):
            assert walk_blocks(kernel, data, order=order)[0] == (Stop.PACKET_BEYOND_BLOCK, 0, 5)

    def test_a_packet_longer_than_any_believed(self, kernel: ModuleType, order: str) -> None:
        for length in (MAX_CAPTURED_LEN + 1, 0xFFFFFFFF):
            data = sf.enhanced(order, b"abcd", captured_len=length)
            assert walk_blocks(kernel, data, order=order)[0] == (Stop.FRAME_TOO_LONG, 0, length)

    def test_an_interface_that_was_not_described(self, kernel: ModuleType, order: str) -> None:
        for identifier in (1, 0xFFFFFFFF):
            data = sf.enhanced(order, b"abcd", identifier=identifier)
            assert walk_blocks(kernel, data, order=order)[0] == (Stop.NO_SUCH_INTERFACE, 0, identifier)

    def test_a_simple_packet_needs_interface_0(self, kernel: ModuleType, order: str) -> None:
        data = sf.simple(order, b"abcd")
        walked = kernel.walk_pcapng(
            data, 0, len(data), int(order == ">"), kernel.Interfaces(), kernel.Frames()
        )
        assert walked == (Stop.NO_SUCH_INTERFACE, 0, 0)

    @pytest.mark.parametrize(
        ("options", "commented"),
        [
            (lambda order: b"", 0),
            (lambda order: sf.comment(order, "hello"), 1),
            (lambda order: sf.option(order, 2, bytes(4)) + sf.comment(order, ""), 1),
            (lambda order: sf.option(order, 0, b"") + sf.comment(order, "after the end mark"), 0),
            (lambda order: pack(f"{order}HH", 1, 500) + bytes(8), 0),
            (lambda order: pack(f"{order}HH", 2, 0xFFFF), 0),
        ],
        ids=["none", "first", "second", "after-the-end", "beyond-the-block", "other-beyond-the-block"],
    )
    def test_a_frame_is_marked_where_its_block_holds_a_comment(
        self, kernel: ModuleType, order: str, options: object, commented: int
    ) -> None:
        assert callable(options)
        data = sf.enhanced(order, b"abc", options=options(order))
        _, (frame,) = walk_blocks(kernel, data, order=order)
        assert frame.commented == commented

    def test_drops_of_obsolete_packet_blocks_add_up(self, kernel: ModuleType, order: str) -> None:
        frames, interfaces = kernel.Frames(), kernel.Interfaces()
        interfaces.add(sf.ETHERNET, 0, MICROSECONDS)
        data = b"".join(sf.obsolete(order, b"a", drops=drops) for drops in (2, 0xFFFF, 5))
        kernel.walk_pcapng(data, 0, len(data), int(order == ">"), interfaces, frames)
        assert interfaces.dropped(0) == 7


@pytest.mark.parametrize("kernel", WALKS)
def test_interfaces_start_again_in_each_section(kernel: ModuleType) -> None:
    frames, interfaces = kernel.Frames(), kernel.Interfaces()
    interfaces.add(sf.ETHERNET, 0, MICROSECONDS)
    interfaces.start_section()
    interfaces.add(sf.RAW_IP, 0, MICROSECONDS)
    data = sf.enhanced("<", b"a") + sf.enhanced("<", b"a", identifier=1)
    walked = kernel.walk_pcapng(data, 0, len(data), 0, interfaces, frames)
    assert (frames[0].interface, frames[0].link_type) == (1, sf.RAW_IP)
    assert walked == (Stop.NO_SUCH_INTERFACE, 36, 1)
    assert (len(interfaces), interfaces.section) == (2, 1)


# --- time ----------------------------------------------------------------------------------

EXPONENTS = st.integers(0, 127)
TICKS = st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 63).map(lambda bit: 2**bit))
OFFSETS = st.one_of(st.just(0), st.integers(-LATEST_NS, LATEST_NS))


def time_in(kernel: ModuleType, ticks: int, clock: Clock) -> int:
    """The time that a frame is given, NEVER where it is not a usable one."""
    data = sf.enhanced("<", b"", ticks=ticks)
    frames, interfaces = kernel.Frames(), kernel.Interfaces()
    interfaces.add(sf.ETHERNET, 0, clock)
    kernel.walk_pcapng(data, 0, len(data), 0, interfaces, frames)
    return NEVER if frames.totals.mistimed else int(frames[0].time_ns)


@pytest.mark.parametrize("kernel", WALKS)
class TestTime:
    """§4.2 if_tsresol and if_tsoffset."""

    @given(ticks=TICKS, exponent=EXPONENTS, offset_ns=OFFSETS)
    def test_powers_of_two_are_exact(
        self, kernel: ModuleType, ticks: int, exponent: int, offset_ns: int
    ) -> None:
        elapsed_ns = Fraction(ticks * 10**9, 2**exponent)
        self._check(kernel, elapsed_ns, Clock(1, 1, exponent, offset_ns), ticks)

    @given(ticks=TICKS, exponent=EXPONENTS, offset_ns=OFFSETS)
    def test_powers_of_ten_are_exact(
        self, kernel: ModuleType, ticks: int, exponent: int, offset_ns: int
    ) -> None:
        elapsed_ns = Fraction(ticks * 10**9, 10**exponent)
        clock = Clock(10 ** max(9 - exponent, 0), 10 ** max(exponent - 9, 0), -1, offset_ns)
        self._check(kernel, elapsed_ns, clock, ticks)

    def _check(self, kernel: ModuleType, elapsed_ns: Fraction, clock: Clock, ticks: int) -> None:
        since_1970_ns = elapsed_ns.__floor__() + clock.offset_ns
        usable = elapsed_ns.__floor__() <= LATEST_NS and 0 <= since_1970_ns <= LATEST_NS
        assert time_in(kernel, ticks, clock) == (since_1970_ns if usable else NEVER)

    def test_totals_over_two_batches(self, kernel: ModuleType) -> None:
        frames = kernel.Frames()
        first = sf.record(data=b"a", seconds=9) + sf.record(data=b"a", seconds=5, original_len=3)
        second = sf.record(data=b"ab", seconds=8, original_len=1)
        for batch in (first, second):
            kernel.walk_pcap(batch, 0, len(batch), LAYOUT, frames)
            frames.clear()
        seen = frames.totals
        assert (seen.frames, seen.first_ns, seen.last_ns) == (3, 5_000_000_000, 9_000_000_000)
        assert (seen.out_of_order, seen.longer_than_original) == (1, 1)

    def test_an_untimed_frame_has_the_time_before_and_counts_in_no_extreme(self, kernel: ModuleType) -> None:
        frames, interfaces = kernel.Frames(), kernel.Interfaces()
        interfaces.add(sf.ETHERNET, 0, MICROSECONDS)
        data = sf.simple("<", b"a") + sf.enhanced("<", b"a", ticks=5) + sf.simple("<", b"a")
        data += sf.enhanced("<", b"a", ticks=2**64 - 1)
        kernel.walk_pcapng(data, 0, len(data), 0, interfaces, frames)
        assert [frames[index].time_ns for index in range(4)] == [0, 5000, 5000, 5000]
        seen = frames.totals
        assert (seen.untimed, seen.mistimed, seen.first_ns, seen.last_ns) == (3, 1, 5000, 5000)


# --- the table -----------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", WALKS)
def test_frames_can_be_put_in_by_hand_and_leave_only_with_their_batch(kernel: ModuleType) -> None:
    frames = kernel.Frames(2)
    row = Frame(1, 5, 0, 4, 4, 0, 1, 1)
    frames.append(row)
    assert list(frames) == [row]
    frames.clear()
    assert (len(frames), frames.totals.frames, frames.totals.commented) == (0, 1, 1)
    with pytest.raises(IndexError):
        frames[0]


# --- both kernels --------------------------------------------------------------------------


@needs_core
@pytest.mark.parametrize("seed", range(20))
def test_mutated_blocks_are_walked_alike(seed: int) -> None:
    """Every byte that steers the walk, replaced by what breaks walks: small, large, and negative numbers."""
    random_numbers = random.Random(seed)
    order = random_numbers.choice("<>")
    sound = bytearray(
        sf.enhanced(order, b"abcde", options=sf.comment(order, "why"))
        + sf.simple(order, b"fg")
        + sf.obsolete(order, b"hij", drops=3)
        + sf.block(order, 0x0BAD, bytes(8))
        + sf.statistics(order)
    )
    for _ in range(200):
        mutated = bytearray(sound)
        for _ in range(random_numbers.randint(1, 3)):
            mutated[random_numbers.randrange(len(mutated))] = random_numbers.choice(
                (0, 1, 2, 3, 4, 5, 6, 0x7F, 0x80, 0xFF)
            )
        data = bytes(mutated[: random_numbers.randint(0, len(mutated))])
        plain, core = both_walks()
        assert walk_blocks(plain, data, order=order) == walk_blocks(core, data, order=order)


@needs_core
@given(data=st.binary(max_size=200), header_len=st.sampled_from([16, 20, 24, 28]), swapped=st.booleans())
def test_any_bytes_are_walked_alike_as_pcap(data: bytes, header_len: int, swapped: bool) -> None:
    layout = PcapLayout(int(swapped), header_len, 1000, Lengths.SMALLER_IS_CAPTURED, 1)
    plain, core = both_walks()
    assert walk_records(plain, data, layout) == walk_records(core, data, layout)


@pytest.fixture
def core() -> ModuleType:
    return both_walks()[1]


@needs_core
class TestCompiledRefuses:
    """What would reach outside of memory is a programming error, and is refused as one."""

    @pytest.mark.parametrize(("start", "end"), [(-1, 4), (0, 5), (3, 2)])
    def test_positions_outside_of_the_buffer(self, core: ModuleType, start: int, end: int) -> None:
        with pytest.raises(ValueError, match="outside"):
            core.walk_pcap(b"abcd", start, end, LAYOUT, core.Frames())
        with pytest.raises(ValueError, match="outside"):
            core.walk_pcapng(b"abcd", start, end, 0, core.Interfaces(), core.Frames())

    def test_a_record_header_shorter_than_its_fields(self, core: ModuleType) -> None:
        with pytest.raises(ValueError, match="16"):
            core.walk_pcap(b"", 0, 0, LAYOUT._replace(header_len=15), core.Frames())

    def test_more_frames_than_the_table_holds(self, core: ModuleType) -> None:
        frames = core.Frames(1)
        frames.append(Frame(1, 0, 0, 0, 0, 0, 1, 0))
        with pytest.raises(ValueError, match="full"):
            frames.append(Frame(2, 0, 0, 0, 0, 0, 1, 0))
        with pytest.raises(ValueError, match="at least one"):
            core.Frames(0)

    @pytest.mark.parametrize("index", [-1, 0, 1])
    def test_rows_that_are_not_there(self, core: ModuleType, index: int) -> None:
        with pytest.raises(IndexError):
            core.Frames()[index]
        with pytest.raises(IndexError):
            core.Interfaces().dropped(index)
