"""Savefile bytes → Frames in plain Python: pcap records and pcapng blocks.

The readable twin of walk.pxi: the same checks in the same order.  Knows where a
record or block begins and ends; every length is checked before it is used.  Does
not know files, headers of files, nor options other than a comment's presence: a block that
has to be read with care is handed back to the caller, see ctcp_forensics.savefile.

Quoted: draft-ietf-opsawg-pcap (pcap) and draft-ietf-opsawg-pcapng (pcapng).
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from ctcp_forensics._kernel.caps import FRAMES_PER_BATCH, MAX_CAPTURED_LEN
from ctcp_forensics._kernel.layouts import (
    ENHANCED_OVERHEAD,
    ENHANCED_PACKET,
    INTERFACE_DESCRIPTION,
    INTERFACE_STATISTICS,
    LATEST_NS,
    LONGEST_BLOCK,
    NS_PER_SECOND,
    NUMBERED_KINDS,
    OPTION_COMMENT,
    OPTION_END,
    PACKET,
    PACKET_DATA_AT,
    SECTION_HEADER,
    SHORTEST_BLOCK,
    SIMPLE_DATA_AT,
    SIMPLE_OVERHEAD,
    SIMPLE_PACKET,
    UNKNOWN_DROPS,
    Clock,
    Lengths,
    PcapLayout,
    Stop,
    Totals,
    Walked,
    padded,
)
from ctcp_forensics._kernel.rows import NEVER, Frame

Buffer = bytes | bytearray | memoryview


class Frames(list[Frame]):
    """One batch of frames, and the totals over all batches.  `clear` empties the batch only.

    Numbers begin at `first_number`: those of a capture's second file go on behind the first.
    """

    def __init__(self, capacity: int = FRAMES_PER_BATCH, first_number: int = 1) -> None:
        super().__init__()
        if capacity < 1:
            raise ValueError("a batch holds at least one frame")
        if first_number < 1:
            raise ValueError("frames are numbered from 1")
        self.capacity = capacity
        self._first_number = first_number
        self._frames = self._longer = self._commented = 0
        self._untimed = self._mistimed = self._out_of_order = self._other_records = 0
        self._first_ns = self._last_ns = self._previous_ns = NEVER

    @property
    def full(self) -> bool:
        return len(self) >= self.capacity

    @property
    def totals(self) -> Totals:
        return Totals(
            frames=self._frames,
            first_ns=self._first_ns,
            last_ns=self._last_ns,
            out_of_order=self._out_of_order,
            longer_than_original=self._longer,
            untimed=self._untimed,
            mistimed=self._mistimed,
            commented=self._commented,
            other_records=self._other_records,
        )

    @property
    def out_of_order(self) -> int:
        """As in the totals, which are much to ask for behind each batch."""
        return self._out_of_order

    @property
    def commented(self) -> int:
        return self._commented

    @property
    def next_number(self) -> int:
        return self._first_number + self._frames + self._other_records

    def pass_over_number(self) -> None:
        """For a record that is no packet."""
        self._other_records += 1

    @property
    def time_of_untimed_ns(self) -> int:
        return max(self._previous_ns, 0)

    def interfaces_seen(self) -> list[int]:
        """Indexes of the interfaces of this batch, each once, in rising order."""
        return sorted({frame.interface for frame in self})

    def of_interface(self, index: int) -> Frames:
        """A table of the frames of one interface, under the numbers that they have.

        Its totals are of these rows alone.  It goes through the whole batch, so ask for few interfaces.
        """
        found = [frame for frame in self if frame.interface == index]
        table = Frames(max(1, len(found)))
        for frame in found:
            table.append(frame)
        return table

    def hand_over(self, other: Frames) -> None:
        """The batch goes into another table, whose memory is used for the next; the totals stay here."""
        other[:] = self
        self.clear()

    def append(self, frame: Frame) -> None:
        self._count(frame)
        time_ns = frame.time_ns
        if self._first_ns == NEVER or time_ns < self._first_ns:
            self._first_ns = time_ns
        self._last_ns = max(self._last_ns, time_ns)
        self._out_of_order += time_ns < self._previous_ns
        self._previous_ns = time_ns

    def append_untimed(self, frame: Frame) -> None:
        self._count(frame)
        self._untimed += 1

    def append_mistimed(self, frame: Frame) -> None:
        self.append_untimed(frame)
        self._mistimed += 1

    def _count(self, frame: Frame) -> None:
        super().append(frame)
        self._frames += 1
        self._longer += frame.captured_len > frame.original_len
        self._commented += frame.commented


class Interfaces:
    """The interfaces of all sections, counted from 0 over the whole file.

    With `shows_all` a walk hands back every block that is no packet, and not only those that it cannot do without.
    """

    def __init__(self, shows_all: bool = False) -> None:
        self.shows_all = shows_all
        self._rows: list[tuple[int, int, Clock]] = []
        self._dropped: list[int] = []
        self._section = 0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def section(self) -> int:
        """Index of interface 0 of the section being walked."""
        return self._section

    def start_section(self) -> None:
        """§4.2: interface ids start again from 0 in each section."""
        self._section = len(self._rows)

    def add(self, link_type: int, snap_len: int, clock: Clock) -> None:
        self._rows.append((link_type, snap_len, clock))
        self._dropped.append(0)

    def has(self, identifier: int) -> bool:
        return self._section + identifier < len(self._rows)

    def row(self, identifier: int) -> tuple[int, int, Clock]:
        """Link type, snap length and clock."""
        return self._rows[self._section + identifier]

    def drop(self, identifier: int, count: int) -> None:
        self._dropped[self._section + identifier] += count

    def dropped(self, index: int) -> int:
        """What the obsolete packet blocks of this interface counted."""
        return self._dropped[index]


# --- time ----------------------------------------------------------------------------------


def ticks_to_ns(ticks: int, clock: Clock) -> int:
    """Nanoseconds, rounded down; exact for powers of two as well."""
    if clock.shift >= 0:
        return ticks * NS_PER_SECOND >> clock.shift
    return ticks * clock.multiplier // clock.divisor


def time_of(ticks: int, clock: Clock) -> int:
    """Nanoseconds since 1970; NEVER where that is before 1970 or after 2262, with or without the offset."""
    elapsed_ns = ticks_to_ns(ticks, clock)
    since_1970_ns = elapsed_ns + clock.offset_ns
    return since_1970_ns if elapsed_ns <= LATEST_NS and 0 <= since_1970_ns <= LATEST_NS else NEVER


# --- pcap ----------------------------------------------------------------------------------

_RECORD: Final = (Struct("<IIII"), Struct(">IIII"))


def in_order(first: int, second: int, lengths: int) -> tuple[int, int]:
    """Captured and original length, whichever way round this version of the format wrote them."""
    swapped = lengths == Lengths.ORIGINAL_FIRST or (lengths == Lengths.SMALLER_IS_CAPTURED and first > second)
    return (second, first) if swapped else (first, second)


def walk_pcap(buffer: Buffer, start: int, end: int, layout: PcapLayout, frames: Frames) -> Walked:
    """Packet records, draft-ietf-opsawg-pcap §5, from `start` until `end` or a reason to stop."""
    read = _RECORD[layout.big_endian].unpack_from
    position = start
    while not frames.full:
        data = position + layout.header_len
        if data > end:
            return Walked(Stop.MORE, position, layout.header_len)
        seconds, fraction, first, second = read(buffer, position)
        captured_len, original_len = in_order(first, second, layout.lengths)
        if captured_len > MAX_CAPTURED_LEN:
            return Walked(Stop.FRAME_TOO_LONG, position, captured_len)
        if captured_len > end - data:
            return Walked(Stop.MORE, position, layout.header_len + captured_len)
        frames.append(
            Frame(
                number=frames.next_number,
                time_ns=seconds * NS_PER_SECOND + fraction * layout.tick_ns,
                offset=data,
                captured_len=captured_len,
                original_len=original_len,
                interface=0,
                link_type=layout.link_type,
                commented=0,
            )
        )
        position = data + captured_len
    return Walked(Stop.FULL, position, 0)


# --- pcapng --------------------------------------------------------------------------------


class _Order(NamedTuple):
    """The integers of one section, which are all in its byte order."""

    two: Struct
    """Block type and length; timestamp halves; two lengths."""
    one: Struct
    shorts: Struct


_ORDERS: Final = (
    _Order(Struct("<II"), Struct("<I"), Struct("<HH")),
    _Order(Struct(">II"), Struct(">I"), Struct(">HH")),
)

_SHORTEST: Final = {
    ENHANCED_PACKET: ENHANCED_OVERHEAD,
    PACKET: ENHANCED_OVERHEAD,
    SIMPLE_PACKET: SIMPLE_OVERHEAD,
    INTERFACE_DESCRIPTION: 20,
    INTERFACE_STATISTICS: 24,
}
"""Blocks that are walked or read, and the least each can be.  All others are skipped."""


def walk_pcapng(
    buffer: Buffer, start: int, end: int, big_endian: int, interfaces: Interfaces, frames: Frames
) -> Walked:
    """Blocks of one section, §3.1, from `start` until `end` or a reason to stop."""
    order = _ORDERS[big_endian]
    position = start
    while not frames.full:
        if end - position < SHORTEST_BLOCK:
            return Walked(Stop.MORE, position, SHORTEST_BLOCK)
        kind, length = order.two.unpack_from(buffer, position)
        stop = _check_block(buffer, position, end, order, kind, length, interfaces.shows_all)
        span = padded(length)
        if stop is None and kind in (ENHANCED_PACKET, PACKET):
            stop = _take_packet(buffer, position, order, kind, span, interfaces, frames)
        elif stop is None and kind == SIMPLE_PACKET:
            stop = _take_simple_packet(buffer, position, order, span, interfaces, frames)
        elif stop is None and kind in NUMBERED_KINDS:
            frames.pass_over_number()
        if stop is not None:
            return stop
        position += span
    return Walked(Stop.FULL, position, 0)


def _check_block(
    buffer: Buffer, position: int, end: int, order: _Order, kind: int, length: int, shows_all: bool
) -> Walked | None:
    """None where the block is whole and sound, and of a kind that is walked or passed over."""
    if kind == SECTION_HEADER:
        return Walked(Stop.READ, position, 0)
    if length < _SHORTEST.get(kind, SHORTEST_BLOCK):
        return Walked(Stop.BLOCK_TOO_SHORT, position, length)
    if kind in _SHORTEST and length > LONGEST_BLOCK:
        return Walked(Stop.BLOCK_TOO_LONG, position, length)
    span = padded(length)
    is_held = kind in _SHORTEST or (shows_all and length <= LONGEST_BLOCK)
    if span > end - position:
        return Walked(Stop.MORE if is_held else Stop.SKIP, position, span)
    (trailer,) = order.one.unpack_from(buffer, position + span - 4)
    if trailer != length:
        return Walked(Stop.TRAILER_DIFFERS, position, trailer)
    if kind in (INTERFACE_DESCRIPTION, INTERFACE_STATISTICS) or (shows_all and kind not in _SHORTEST):
        return Walked(Stop.READ, position, span)
    return None


def _take_packet(
    buffer: Buffer,
    position: int,
    order: _Order,
    kind: int,
    span: int,
    interfaces: Interfaces,
    frames: Frames,
) -> Walked | None:
    """Enhanced packet block, §4.3, and its obsolete forerunner, Appendix A."""
    (identifier,) = order.one.unpack_from(buffer, position + 8)
    drops = UNKNOWN_DROPS
    if kind == PACKET:
        identifier, drops = order.shorts.unpack_from(buffer, position + 8)
    captured_len, original_len = order.two.unpack_from(buffer, position + 20)
    stop = _check_packet(position, captured_len, span - ENHANCED_OVERHEAD, identifier, interfaces)
    if stop is not None:
        return stop
    if drops != UNKNOWN_DROPS:
        interfaces.drop(identifier, drops)
    link_type, _, clock = interfaces.row(identifier)
    high, low = order.two.unpack_from(buffer, position + 12)
    time_ns = time_of(high << 32 | low, clock)
    data = position + PACKET_DATA_AT
    frame = Frame(
        number=frames.next_number,
        time_ns=frames.time_of_untimed_ns if time_ns == NEVER else time_ns,
        offset=data,
        captured_len=captured_len,
        original_len=original_len,
        interface=interfaces.section + identifier,
        link_type=link_type,
        commented=has_comment(buffer, data + padded(captured_len), position + span - 4, order.shorts),
    )
    if time_ns == NEVER:
        frames.append_mistimed(frame)
    else:
        frames.append(frame)
    return None


def _take_simple_packet(
    buffer: Buffer, position: int, order: _Order, span: int, interfaces: Interfaces, frames: Frames
) -> Walked | None:
    """Simple packet block, §4.4: interface 0, no time, and the snap length says how much was kept."""
    if not interfaces.has(0):
        return Walked(Stop.NO_SUCH_INTERFACE, position, 0)
    link_type, snap_len, _ = interfaces.row(0)
    (original_len,) = order.one.unpack_from(buffer, position + 8)
    captured_len = original_len if snap_len == 0 else min(original_len, snap_len)
    stop = _check_packet(position, captured_len, span - SIMPLE_OVERHEAD, 0, interfaces)
    if stop is not None:
        return stop
    frame = Frame(
        number=frames.next_number,
        time_ns=frames.time_of_untimed_ns,
        offset=position + SIMPLE_DATA_AT,
        captured_len=captured_len,
        original_len=original_len,
        interface=interfaces.section,
        link_type=link_type,
        commented=0,
    )
    frames.append_untimed(frame)
    return None


def _check_packet(
    position: int, captured_len: int, room: int, identifier: int, interfaces: Interfaces
) -> Walked | None:
    if captured_len > MAX_CAPTURED_LEN:
        return Walked(Stop.FRAME_TOO_LONG, position, captured_len)
    if padded(captured_len) > room:
        return Walked(Stop.PACKET_BEYOND_BLOCK, position, captured_len)
    if not interfaces.has(identifier):
        return Walked(Stop.NO_SUCH_INTERFACE, position, identifier)
    return None


def has_comment(buffer: Buffer, start: int, end: int, shorts: Struct) -> int:
    """1 where the options from `start` hold a whole comment, §3.5."""
    while end - start >= 4:
        code, length = shorts.unpack_from(buffer, start)
        if code == OPTION_END or length > end - start - 4:
            return 0
        if code == OPTION_COMMENT:
            return 1
        start += 4 + padded(length)
    return 0
