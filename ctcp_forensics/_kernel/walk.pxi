# Savefile bytes → Frames: pcap records and pcapng blocks.  The compiled twin of plain_walk.py, check for check and in
# the same order; the reasons and the sections of the drafts stand there.
#
# `end` never lies beyond the buffer, positions are 64-bit, and a length from the capture is compared with what is
# left before it is added to anything: no sum can wrap, and no byte outside of [start, end) is read.

from ctcp_forensics._kernel.layouts import Totals, Walked

cdef extern from *:
    """
    #define WALK_LATEST_NS 9223372035000000000LL
    """
    const int64_t LATEST_NS "WALK_LATEST_NS"

cdef enum:
    NS_PER_SECOND = 1_000_000_000

    STOP_MORE = 0  # layouts.Stop
    STOP_FULL = 1
    STOP_READ = 2
    STOP_SKIP = 3
    STOP_FRAME_TOO_LONG = 4
    STOP_BLOCK_TOO_SHORT = 5
    STOP_BLOCK_TOO_LONG = 6
    STOP_TRAILER_DIFFERS = 7
    STOP_NO_SUCH_INTERFACE = 8
    STOP_PACKET_BEYOND_BLOCK = 9
    STOP_NOWHERE = 10  # go on with the next block

    BLOCK_INTERFACE_DESCRIPTION = 1
    BLOCK_PACKET = 2
    BLOCK_SIMPLE_PACKET = 3
    BLOCK_INTERFACE_STATISTICS = 5
    BLOCK_ENHANCED_PACKET = 6
    BLOCK_SECTION_HEADER = 0x0A0D0D0A

    SHORTEST_BLOCK = 12
    LONGEST_BLOCK = 16_777_216
    LONGEST_FRAME = 262_144  # caps.MAX_CAPTURED_LEN
    ENHANCED_OVERHEAD = 32
    SIMPLE_OVERHEAD = 16
    PACKET_DATA_AT = 28
    SIMPLE_DATA_AT = 12
    UNKNOWN_DROPS = 0xFFFF

    OPTION_END = 0
    OPTION_COMMENT = 1

    BATCH_LEN = 4096  # caps.FRAMES_PER_BATCH
    MAX_INTERFACES = 65536  # layouts.MAX_INTERFACES
    RECORD_HEADER_LEN = 16
    CAPTURED_FIRST = 0  # layouts.Lengths
    ORIGINAL_FIRST = 1
    SMALLER_IS_CAPTURED = 2


cdef struct frame_t:  # rows.Frame; decode.pxi reads it
    int64_t number
    int64_t time_ns
    int64_t offset
    uint32_t captured_len
    uint32_t original_len
    int32_t interface
    int32_t link_type
    int32_t commented


cdef struct totals_t:  # layouts.Totals, where numbers begin, and the time of the latest frame that has one
    int64_t frames
    int64_t first_ns
    int64_t last_ns
    int64_t out_of_order
    int64_t longer_than_original
    int64_t untimed
    int64_t mistimed
    int64_t commented
    int64_t other_records
    int64_t previous_ns
    int64_t first_number


cdef struct interface_t:
    uint64_t multiplier
    uint64_t divisor
    uint64_t most_ticks  # beyond it, ticks times multiplier are later than LATEST_NS
    int64_t offset_ns
    int64_t dropped
    uint32_t snap_len
    int32_t link_type
    int32_t shift


cdef struct walked_t:
    int stop
    int64_t position
    int64_t value


# --- tables --------------------------------------------------------------------------------

cdef class Frames:
    """One batch of frames, and the totals over all batches.  `clear` empties the batch only."""

    cdef frame_t* rows
    cdef Py_ssize_t count, capacity
    cdef totals_t seen
    cdef bint is_busy

    def __cinit__(self, Py_ssize_t capacity=BATCH_LEN, int64_t first_number=1):
        if capacity < 1:
            raise ValueError("a batch holds at least one frame")
        if first_number < 1:
            raise ValueError("frames are numbered from 1")
        self.rows = <frame_t*> calloc(<size_t> capacity, sizeof(frame_t))
        if self.rows == NULL:
            raise MemoryError
        self.capacity = capacity
        self.seen.first_ns = self.seen.last_ns = self.seen.previous_ns = -1
        self.seen.first_number = first_number

    def __dealloc__(self):
        free(self.rows)

    def __len__(self):
        return self.count

    def __getitem__(self, Py_ssize_t index):
        if index < 0 or index >= self.count:
            raise IndexError(index)
        cdef frame_t* f = &self.rows[index]
        return rows.Frame(
            f.number, f.time_ns, f.offset, f.captured_len, f.original_len, f.interface, f.link_type, f.commented
        )

    @property
    def full(self):
        return self.count >= self.capacity

    @property
    def totals(self):
        cdef totals_t* t = &self.seen
        return Totals(
            t.frames,
            t.first_ns,
            t.last_ns,
            t.out_of_order,
            t.longer_than_original,
            t.untimed,
            t.mistimed,
            t.commented,
            t.other_records,
        )

    @property
    def out_of_order(self):
        return self.seen.out_of_order

    @property
    def commented(self):
        return self.seen.commented

    @property
    def next_number(self):
        return next_number(&self.seen)

    def pass_over_number(self):
        self.refuse_if_busy()
        self.seen.other_records += 1

    def interfaces_seen(self):
        """Indexes of the interfaces of this batch, each once, in rising order."""
        cdef uint8_t known[MAX_INTERFACES]
        cdef set seen = set()
        cdef int32_t interface
        cdef Py_ssize_t i
        self.refuse_if_busy()
        memset(known, 0, sizeof(known))
        for i in range(self.count):
            interface = self.rows[i].interface
            if 0 <= interface < MAX_INTERFACES:
                if known[interface]:
                    continue
                known[interface] = 1
            seen.add(interface)
        return sorted(seen)

    def of_interface(self, int32_t index):
        """A table of the frames of one interface, under the numbers that they have."""
        cdef Py_ssize_t count
        cdef Frames table
        self.refuse_if_busy()
        count = count_of_interface(self.rows, self.count, index)
        table = Frames(max(1, count))
        copy_of_interface(self.rows, self.count, index, table.rows, &table.seen)
        table.count = count
        return table

    def hand_over(self, Frames other not None):
        """The batch goes into another table, and the totals stay here.

        A table as large gets the memory that it lies in, and gives its own for the next batch; a smaller one a copy.
        """
        self.refuse_if_busy()
        other.refuse_if_busy()
        if other.capacity < self.count:
            raise ValueError("the batch does not fit into the other table")
        if other.capacity < self.capacity:
            memcpy(other.rows, self.rows, <size_t> self.count * sizeof(frame_t))
        else:
            self.rows, other.rows = other.rows, self.rows
            self.capacity, other.capacity = other.capacity, self.capacity
        other.count, self.count = self.count, 0

    def append(self, row):
        self.take(row)
        count_time(&self.seen, self.rows[self.count - 1].time_ns)

    def append_untimed(self, row):
        self.take(row)
        self.seen.untimed += 1

    def append_mistimed(self, row):
        self.append_untimed(row)
        self.seen.mistimed += 1

    def clear(self):
        self.refuse_if_busy()
        self.count = 0

    cdef int refuse_if_busy(self) except -1:
        """The walk runs without the interpreter lock; nobody else may touch the table meanwhile."""
        if self.is_busy:
            raise RuntimeError("the frames are being walked")
        return 0

    cdef int take(self, row) except -1:
        cdef frame_t f
        (
            f.number, f.time_ns, f.offset, f.captured_len, f.original_len, f.interface, f.link_type, f.commented
        ) = row
        self.refuse_if_busy()
        if self.count >= self.capacity:
            raise ValueError("the batch is full")
        self.rows[self.count] = f
        self.count += 1
        count_frame(&self.seen, &f)
        return 0


cdef class Interfaces:
    """The interfaces of all sections, counted from 0 over the whole file."""

    cdef interface_t* rows
    cdef int64_t count, room, first
    cdef bint is_busy
    cdef readonly bint shows_all

    def __cinit__(self, bint shows_all=False):
        self.shows_all = shows_all

    def __dealloc__(self):
        free(self.rows)

    def __len__(self):
        return self.count

    @property
    def section(self):
        return self.first

    def start_section(self):
        self.first = self.count

    def add(self, int32_t link_type, uint32_t snap_len, clock):
        cdef interface_t added
        multiplier, divisor, shift, offset_ns = clock
        added.link_type, added.snap_len, added.dropped = link_type, snap_len, 0
        added.shift, added.offset_ns = shift, offset_ns
        added.divisor = min(divisor, 0xFFFF_FFFF_FFFF_FFFF)
        added.multiplier = multiplier if divisor <= 0xFFFF_FFFF_FFFF_FFFF else 0
        added.most_ticks = LATEST_NS // max(multiplier, 1)
        self.make_room()
        self.rows[self.count] = added
        self.count += 1

    def dropped(self, int64_t index):
        if index < 0 or index >= self.count:
            raise IndexError(index)
        return self.rows[index].dropped

    cdef int make_room(self) except -1:
        cdef int64_t room = 2 * self.room + 4
        cdef void* grown
        if self.is_busy:
            raise RuntimeError("the interfaces are being walked")
        if self.count < self.room:
            return 0
        grown = realloc(self.rows, <size_t> room * sizeof(interface_t))
        if grown == NULL:
            raise MemoryError
        self.rows = <interface_t*> grown
        self.room = room
        return 0


# --- what every frame is counted for -------------------------------------------------------

cdef inline int64_t next_number(const totals_t* seen) noexcept nogil:
    return seen.frames + (seen.first_number + seen.other_records)


cdef inline void count_frame(totals_t* seen, const frame_t* f) noexcept nogil:
    seen.frames += 1
    seen.longer_than_original += f.captured_len > f.original_len
    seen.commented += f.commented


cdef inline void count_time(totals_t* seen, int64_t time_ns) noexcept nogil:
    if <uint64_t> time_ns < <uint64_t> seen.first_ns:  # which is -1 before there is one
        seen.first_ns = time_ns
    if time_ns > seen.last_ns:
        seen.last_ns = time_ns
    seen.out_of_order += time_ns < seen.previous_ns
    seen.previous_ns = time_ns


# --- one interface of many -----------------------------------------------------------------

cdef Py_ssize_t count_of_interface(const frame_t* frames, Py_ssize_t count, int32_t interface) noexcept nogil:
    cdef Py_ssize_t i, found = 0
    for i in range(count):
        found += frames[i].interface == interface
    return found


cdef void copy_of_interface(
    const frame_t* frames, Py_ssize_t count, int32_t interface, frame_t* found, totals_t* seen
) noexcept nogil:
    """`found` has room for as many as were counted."""
    cdef Py_ssize_t i, at = 0
    for i in range(count):
        if frames[i].interface == interface:
            found[at] = frames[i]
            count_frame(seen, &found[at])
            count_time(seen, found[at].time_ns)
            at += 1


# --- integers, in the byte order of the savefile -------------------------------------------

cdef inline uint32_t short_at(const uint8_t* p, bint big_endian) noexcept nogil:
    if big_endian:
        return <uint32_t> p[0] << 8 | p[1]
    return <uint32_t> p[1] << 8 | p[0]


cdef inline uint32_t word_at(const uint8_t* p, bint big_endian) noexcept nogil:
    if big_endian:
        return <uint32_t> p[0] << 24 | <uint32_t> p[1] << 16 | <uint32_t> p[2] << 8 | p[3]
    return <uint32_t> p[3] << 24 | <uint32_t> p[2] << 16 | <uint32_t> p[1] << 8 | p[0]


cdef inline int64_t padded(uint32_t length) noexcept nogil:
    return (<int64_t> length + 3) & ~<int64_t> 3


# --- time ----------------------------------------------------------------------------------

cdef inline int64_t binary_ns(uint64_t ticks, int32_t shift) noexcept nogil:
    """ticks · 10⁹ / 2^shift, rounded down, in two halves so that nothing wraps; beyond LATEST_NS, anything later."""
    cdef uint64_t seconds = ticks >> shift if shift < 64 else 0
    cdef uint64_t part = ticks - (seconds << shift) if shift < 64 else ticks
    cdef uint64_t ns
    if seconds > <uint64_t> LATEST_NS // NS_PER_SECOND:
        return LATEST_NS + 1
    if shift <= 32:
        return <int64_t> (seconds * NS_PER_SECOND + (part * NS_PER_SECOND >> shift))
    ns = (part >> 32) * NS_PER_SECOND + ((part & <uint64_t> 0xFFFFFFFF) * NS_PER_SECOND >> 32)
    ns = ns >> (shift - 32) if shift < 96 else 0
    return <int64_t> (seconds * NS_PER_SECOND + ns)


cdef inline int64_t elapsed_ns(uint64_t ticks, const interface_t* on) noexcept nogil:
    """Nanoseconds in so many ticks; beyond LATEST_NS, anything later."""
    cdef uint64_t ns
    if on.shift >= 0:
        return binary_ns(ticks, on.shift)
    if on.divisor == 1:
        return <int64_t> (ticks * on.multiplier) if ticks <= on.most_ticks else LATEST_NS + 1
    ns = ticks // on.divisor if on.multiplier else 0
    return <int64_t> ns if ns <= <uint64_t> LATEST_NS else LATEST_NS + 1


cdef inline int64_t time_of(uint64_t ticks, const interface_t* on) noexcept nogil:
    """-1 where that is before 1970 or after 2262, with or without the offset."""
    cdef int64_t ns = elapsed_ns(ticks, on)
    if ns > LATEST_NS or on.offset_ns > LATEST_NS - ns or on.offset_ns < -ns:
        return -1
    return ns + on.offset_ns


cdef inline void take_time(frame_t* f, int64_t time_ns, totals_t* seen) noexcept nogil:
    """A frame without a usable time is given the time of the frame before."""
    f.time_ns = time_ns if time_ns >= 0 else max(seen.previous_ns, <int64_t> 0)
    if time_ns >= 0:
        count_time(seen, time_ns)
    else:
        seen.untimed += 1


# --- pcap ----------------------------------------------------------------------------------

cdef struct layout_t:  # layouts.PcapLayout
    int32_t big_endian
    int32_t header_len
    int32_t tick_ns
    int32_t lengths
    int32_t link_type


cdef inline bint is_swapped(uint32_t first, uint32_t second, int32_t lengths) noexcept nogil:
    return lengths == ORIGINAL_FIRST or (lengths == SMALLER_IS_CAPTURED and first > second)


cdef inline walked_t records_laid_out(
    const uint8_t* buffer, int64_t start, int64_t end, layout_t layout, frame_t* frames, Py_ssize_t* count,
    Py_ssize_t capacity, totals_t* totals
) noexcept nogil:
    cdef totals_t seen = totals[0]
    cdef bint big = layout.big_endian != 0
    cdef walked_t walked
    cdef const uint8_t* p
    cdef frame_t* f = frames + count[0]
    cdef frame_t* behind = frames + capacity
    cdef int64_t left
    cdef uint32_t captured_len, original_len
    walked.stop, walked.position, walked.value = STOP_FULL, start, 0
    while f < behind:
        left = end - walked.position - layout.header_len
        if left < 0:
            walked.stop, walked.value = STOP_MORE, layout.header_len
            break
        p = buffer + walked.position
        captured_len, original_len = word_at(p + 8, big), word_at(p + 12, big)
        if is_swapped(captured_len, original_len, layout.lengths):
            captured_len, original_len = original_len, captured_len
        if captured_len > LONGEST_FRAME:
            walked.stop, walked.value = STOP_FRAME_TOO_LONG, captured_len
            break
        if left < captured_len:
            walked.stop, walked.value = STOP_MORE, layout.header_len + <int64_t> captured_len
            break
        f.number = next_number(&seen)
        f.time_ns = <int64_t> word_at(p, big) * NS_PER_SECOND + <int64_t> word_at(p + 4, big) * layout.tick_ns
        f.offset = walked.position + layout.header_len
        f.captured_len, f.original_len = captured_len, original_len
        f.interface, f.link_type, f.commented = 0, layout.link_type, 0
        count_frame(&seen, f)
        count_time(&seen, f.time_ns)
        walked.position = f.offset + captured_len
        f += 1
    count[0] += seen.frames - totals.frames
    totals[0] = seen
    return walked


cdef walked_t pcap_records(
    const uint8_t* buffer, int64_t start, int64_t end, layout_t layout, frame_t* frames, Py_ssize_t* count,
    Py_ssize_t capacity, totals_t* totals
) noexcept nogil:
    """The layout that nearly all savefiles have is written out, so that the compiler makes a loop for it alone."""
    if not layout.big_endian and layout.header_len == RECORD_HEADER_LEN and layout.lengths == CAPTURED_FIRST:
        layout.big_endian, layout.header_len, layout.lengths = 0, RECORD_HEADER_LEN, CAPTURED_FIRST
        return records_laid_out(buffer, start, end, layout, frames, count, capacity, totals)
    return records_laid_out(buffer, start, end, layout, frames, count, capacity, totals)


cdef int take_layout(layout, layout_t* taken) except -1:
    """What Python says of the records."""
    taken.big_endian, taken.header_len, taken.tick_ns, taken.lengths, taken.link_type = layout
    if taken.header_len < RECORD_HEADER_LEN:
        raise ValueError("a record header has at least 16 bytes")
    return 0


def walk_pcap(buffer, int64_t start, int64_t end, layout, Frames frames not None):
    """Packet records from `start` until `end` or a reason to stop."""
    cdef Py_buffer view
    cdef layout_t as_laid_out
    cdef walked_t walked
    take_layout(layout, &as_laid_out)
    PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE)
    try:
        if not 0 <= start <= end <= view.len:
            raise ValueError("outside of the buffer")
        frames.refuse_if_busy()
        frames.is_busy = True
        with nogil:
            walked = pcap_records(
                <const uint8_t*> view.buf, start, end, as_laid_out, frames.rows, &frames.count, frames.capacity,
                &frames.seen
            )
        frames.is_busy = False
    finally:
        PyBuffer_Release(&view)
    return Walked(walked.stop, walked.position, walked.value)


# --- pcapng --------------------------------------------------------------------------------

cdef struct section_t:
    bint big_endian
    bint shows_all
    interface_t* interfaces  # of this section only
    int64_t interface_count
    int64_t first_interface


cdef inline uint32_t shortest(uint32_t kind) noexcept nogil:
    """The least that a block of a kind that is walked or read can be; 0 for all others, which are skipped."""
    if kind == BLOCK_ENHANCED_PACKET or kind == BLOCK_PACKET:
        return ENHANCED_OVERHEAD
    if kind == BLOCK_SIMPLE_PACKET:
        return SIMPLE_OVERHEAD
    if kind == BLOCK_INTERFACE_DESCRIPTION:
        return 20
    if kind == BLOCK_INTERFACE_STATISTICS:
        return 24
    return 0


cdef inline bint is_numbered(uint32_t kind) noexcept nogil:
    """Journal entries, sysdig events and custom blocks."""
    return (
        kind == 0xBAD or kind == 0x40000BAD or kind == 0x9 or kind == 0x204 or kind == 0x216 or kind == 0x221
    )


cdef inline int check_block(
    const uint8_t* block, int64_t left, const section_t* section, uint32_t kind, uint32_t length, int64_t* value
) noexcept nogil:
    """STOP_NOWHERE where the block is whole and sound, and of a kind that is walked or passed over."""
    cdef uint32_t least = shortest(kind)
    cdef int64_t span = padded(length)
    if kind == BLOCK_SECTION_HEADER:
        value[0] = 0
        return STOP_READ
    value[0] = length
    if length < max(least, <uint32_t> SHORTEST_BLOCK):
        return STOP_BLOCK_TOO_SHORT
    if least > 0 and length > LONGEST_BLOCK:
        return STOP_BLOCK_TOO_LONG
    if span > left:
        value[0] = span
        return STOP_MORE if least > 0 or (section.shows_all and length <= LONGEST_BLOCK) else STOP_SKIP
    value[0] = word_at(block + span - 4, section.big_endian)
    if value[0] != length:
        return STOP_TRAILER_DIFFERS
    value[0] = span
    if kind == BLOCK_INTERFACE_DESCRIPTION or kind == BLOCK_INTERFACE_STATISTICS or (section.shows_all and not least):
        return STOP_READ
    return STOP_NOWHERE


cdef inline int check_packet(
    uint32_t captured_len, int64_t room, uint32_t identifier, const section_t* section, int64_t* value
) noexcept nogil:
    value[0] = captured_len
    if captured_len > LONGEST_FRAME:
        return STOP_FRAME_TOO_LONG
    if padded(captured_len) > room:
        return STOP_PACKET_BEYOND_BLOCK
    value[0] = identifier
    if <int64_t> identifier >= section.interface_count:
        return STOP_NO_SUCH_INTERFACE
    return STOP_NOWHERE


cdef inline bint has_comment(const uint8_t* options, int64_t size, bint big) noexcept nogil:
    cdef int64_t at = 0
    cdef uint32_t code, length
    while size - at >= 4:
        code, length = short_at(options + at, big), short_at(options + at + 2, big)
        if code == OPTION_END or length > size - at - 4:
            return False
        if code == OPTION_COMMENT:
            return True
        at += 4 + padded(length)
    return False


cdef inline int take_packet(
    const uint8_t* block, int64_t position, uint32_t kind, int64_t span, const section_t* section, frame_t* f,
    totals_t* seen, int64_t* value
) noexcept nogil:
    cdef bint big = section.big_endian
    cdef uint32_t identifier = word_at(block + 8, big)
    cdef uint32_t drops = UNKNOWN_DROPS
    cdef uint32_t captured_len = word_at(block + 20, big)
    cdef int64_t data_end = PACKET_DATA_AT + padded(captured_len)
    cdef int64_t time_ns
    cdef interface_t* on
    cdef int stop
    if kind == BLOCK_PACKET:
        identifier, drops = short_at(block + 8, big), short_at(block + 10, big)
    stop = check_packet(captured_len, span - ENHANCED_OVERHEAD, identifier, section, value)
    if stop != STOP_NOWHERE:
        return stop
    on = &section.interfaces[identifier]
    if drops != UNKNOWN_DROPS:
        on.dropped += drops
    f.number = next_number(seen)
    time_ns = time_of(<uint64_t> word_at(block + 12, big) << 32 | word_at(block + 16, big), on)
    seen.mistimed += time_ns < 0
    take_time(f, time_ns, seen)
    f.offset = position + PACKET_DATA_AT
    f.captured_len, f.original_len = captured_len, word_at(block + 24, big)
    f.interface, f.link_type = <int32_t> (section.first_interface + identifier), on.link_type
    f.commented = has_comment(block + data_end, span - 4 - data_end, big)
    count_frame(seen, f)
    return STOP_NOWHERE


cdef inline int take_simple_packet(
    const uint8_t* block, int64_t position, int64_t span, const section_t* section, frame_t* f, totals_t* seen,
    int64_t* value
) noexcept nogil:
    cdef uint32_t original_len = word_at(block + 8, section.big_endian)
    cdef uint32_t captured_len = original_len
    cdef interface_t* on
    cdef int stop
    value[0] = 0
    if section.interface_count < 1:
        return STOP_NO_SUCH_INTERFACE
    on = &section.interfaces[0]
    if on.snap_len > 0:
        captured_len = min(original_len, on.snap_len)
    stop = check_packet(captured_len, span - SIMPLE_OVERHEAD, 0, section, value)
    if stop != STOP_NOWHERE:
        return stop
    f.number = next_number(seen)
    take_time(f, -1, seen)
    f.offset = position + SIMPLE_DATA_AT
    f.captured_len, f.original_len = captured_len, original_len
    f.interface, f.link_type, f.commented = <int32_t> section.first_interface, on.link_type, 0
    count_frame(seen, f)
    return STOP_NOWHERE


cdef walked_t pcapng_blocks(
    const uint8_t* buffer, int64_t start, int64_t end, const section_t* section, frame_t* frames,
    Py_ssize_t* count, Py_ssize_t capacity, totals_t* totals
) noexcept nogil:
    cdef totals_t seen = totals[0]
    cdef bint big = section.big_endian
    cdef walked_t walked
    cdef const uint8_t* block
    cdef uint32_t kind, length
    walked.stop, walked.position, walked.value = STOP_NOWHERE, start, 0
    while count[0] < capacity:
        if end - walked.position < SHORTEST_BLOCK:
            walked.stop, walked.value = STOP_MORE, SHORTEST_BLOCK
            break
        block = buffer + walked.position
        kind, length = word_at(block, big), word_at(block + 4, big)
        walked.stop = check_block(block, end - walked.position, section, kind, length, &walked.value)
        if walked.stop == STOP_NOWHERE and (kind == BLOCK_ENHANCED_PACKET or kind == BLOCK_PACKET):
            walked.stop = take_packet(
                block, walked.position, kind, padded(length), section, &frames[count[0]], &seen, &walked.value
            )
            count[0] += walked.stop == STOP_NOWHERE
        elif walked.stop == STOP_NOWHERE and kind == BLOCK_SIMPLE_PACKET:
            walked.stop = take_simple_packet(
                block, walked.position, padded(length), section, &frames[count[0]], &seen, &walked.value
            )
            count[0] += walked.stop == STOP_NOWHERE
        elif walked.stop == STOP_NOWHERE and is_numbered(kind):
            seen.other_records += 1
        if walked.stop != STOP_NOWHERE:
            break
        walked.position += padded(length)
    if walked.stop == STOP_NOWHERE:
        walked.stop, walked.value = STOP_FULL, 0
    totals[0] = seen
    return walked


cdef void take_section(bint big_endian, Interfaces interfaces, section_t* taken) noexcept:
    """The present one; good until an interface is added."""
    taken.big_endian, taken.shows_all = big_endian, interfaces.shows_all
    taken.interfaces = interfaces.rows + interfaces.first
    taken.interface_count = interfaces.count - interfaces.first
    taken.first_interface = interfaces.first


def walk_pcapng(
    buffer, int64_t start, int64_t end, bint big_endian, Interfaces interfaces not None, Frames frames not None
):
    """Blocks of one section from `start` until `end` or a reason to stop."""
    cdef Py_buffer view
    cdef section_t section
    cdef walked_t walked
    take_section(big_endian, interfaces, &section)
    PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE)
    try:
        if not 0 <= start <= end <= view.len:
            raise ValueError("outside of the buffer")
        frames.refuse_if_busy()
        frames.is_busy = interfaces.is_busy = True
        with nogil:
            walked = pcapng_blocks(
                <const uint8_t*> view.buf, start, end, &section, frames.rows, &frames.count, frames.capacity,
                &frames.seen
            )
        frames.is_busy = interfaces.is_busy = False
    finally:
        PyBuffer_Release(&view)
    return Walked(walked.stop, walked.position, walked.value)
