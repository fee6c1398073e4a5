# A second look at some flows, with a row for each of their segments: the compiled twin of plain_track/tracer.py.
#
# What a segment is, is what the tracker counts for it, so the tracker knows nothing of this and is not slowed by it.

from array import array

cdef enum:
    MAX_SCALE = 14
    FIRST_ROOM = 64

    # rows.Mark
    MARK_SYN = 1
    MARK_FIN = 2
    MARK_RST = 4
    MARK_AGAIN = 8
    MARK_FILLING = 16
    MARK_COPY = 32
    MARK_STRAY = 64
    MARK_DUPLICATE_ACK = 128
    MARK_DSACK = 256
    MARK_KEEP_ALIVE = 512
    MARK_ZERO_WINDOW = 1024
    MARK_DAMAGED = 8192

    # columns, in the order of rows.TraceColumns
    COLUMN_FRAME = 0
    COLUMN_TIME = 1
    COLUMN_DIRECTION = 2
    COLUMN_POS = 3
    COLUMN_LENGTH = 4
    COLUMN_ACK = 5
    COLUMN_WINDOW = 6
    COLUMN_MARKS = 7
    COLUMNS = 8
    SACK_COLUMNS = 3

cdef struct traced_t:  # one segment
    int64_t frame
    int64_t time_ns
    int64_t pos
    int64_t ack_pos
    uint32_t length
    uint32_t window
    uint16_t marks
    uint8_t side
    uint8_t sack_count
    int32_t sacks[2 * SACKS_PER_SEGMENT]  # edges, from ack_pos

cdef struct wanted_t:  # one flow to be traced
    packet_t ends  # a packet from one to the other
    int64_t first_frame
    int64_t segments
    traced_t* rows  # a ring once it is full
    int64_t room
    uint32_t handle
    bint has_begun

cdef struct counts_t:  # what the tracker counts of a segment, of its sender and of its receiver
    int64_t filling_bytes
    uint32_t copies
    uint32_t keep_alives
    uint32_t zero_windows
    uint32_t retransmissions
    uint32_t duplicate_acks
    uint32_t sack_duplicate_acks
    uint32_t dsacks


cdef inline counts_t counts_of(const tracker_t* t, const flow_t* flow, int side) noexcept nogil:
    cdef const trouble_t* own = seen_trouble(t, &flow.directions[side])
    cdef const trouble_t* peers = seen_trouble(t, &flow.directions[1 - side])
    cdef counts_t counts
    counts.filling_bytes = own.filling_bytes
    counts.copies = counted(t, own, COPIES)
    counts.keep_alives = counted(t, own, KEEP_ALIVES)
    counts.zero_windows = counted(t, own, ZERO_WINDOWS)
    counts.retransmissions = counted(t, own, RETRANSMISSIONS)
    counts.duplicate_acks = counted(t, peers, DUPLICATE_ACKS)
    counts.sack_duplicate_acks = counted(t, peers, SACK_DUPLICATE_ACKS)
    counts.dsacks = counted(t, peers, DSACKS)
    return counts


cdef inline int changes(const counts_t* was, const counts_t* now) noexcept nogil:
    cdef int marks = 0
    if was.filling_bytes != now.filling_bytes:
        marks |= MARK_FILLING
    if was.copies != now.copies:
        marks |= MARK_COPY
    if was.keep_alives != now.keep_alives:
        marks |= MARK_KEEP_ALIVE
    if was.zero_windows != now.zero_windows:
        marks |= MARK_ZERO_WINDOW
    if was.retransmissions != now.retransmissions:
        marks |= MARK_AGAIN
    if was.duplicate_acks != now.duplicate_acks or was.sack_duplicate_acks != now.sack_duplicate_acks:
        marks |= MARK_DUPLICATE_ACK
    if was.dsacks != now.dsacks:
        marks |= MARK_DSACK
    return marks


cdef inline int opening_marks(const packet_t* p) noexcept nogil:
    return (
        (MARK_SYN if p.flags & SYN else 0) | (MARK_FIN if p.flags & FIN else 0) | (MARK_RST if p.flags & RST else 0)
    )


cdef inline int64_t placed(const direction_t* d, uint32_t seq) noexcept nogil:
    """A number's position, unless it is too far off or nothing is known of its direction."""
    cdef int64_t pos = place(d, seq) if d.state & ANCHORED else NEVER
    return NEVER if pos == NEVER or is_far(d, pos) else pos


cdef inline int offers_of(const flow_t* flow) noexcept nogil:
    """What both ends offered in their SYNs."""
    return flow.bounds[0].options & flow.bounds[1].options


cdef inline uint32_t scaled_window(const flow_t* flow, int side, const packet_t* p) noexcept nogil:
    """RFC 7323 §2.2: scaled where both ends offered it in their SYNs, and never in a SYN itself."""
    if p.flags & SYN or not offers_of(flow) & HAS_WINDOW_SCALE:
        return p.window
    return <uint32_t> p.window << min(flow.bounds[side].window_scale, MAX_SCALE)


cdef void fill_blocks(const direction_t* peer, const extra_t* extra, traced_t* row) noexcept nogil:
    """The SACK blocks that hold something, and lie no further from the ACK than any window reaches."""
    cdef int64_t left, right
    cdef int i
    for i in range(extra.sack_count):
        left = place(peer, extra.sacks[2 * i]) - row.ack_pos
        right = place(peer, extra.sacks[2 * i + 1]) - row.ack_pos
        if -STRAY_DISTANCE <= left < right <= STRAY_DISTANCE:
            row.sacks[2 * row.sack_count], row.sacks[2 * row.sack_count + 1] = <int32_t> left, <int32_t> right
            row.sack_count += 1


cdef traced_t traced(
    const flow_t* flow, int side, const batch_t* batch, const packet_t* p, int marks
) noexcept nogil:
    """The row of a segment that was followed just now."""
    cdef const direction_t* peer = &flow.directions[1 - side]
    cdef traced_t row
    row.frame, row.time_ns, row.side = p.frame, p.time_ns, side
    row.pos = placed(&flow.directions[side], p.seq)
    row.length = p.payload_len + (p.flags & SYN != 0) + (p.flags & FIN != 0)
    row.ack_pos = placed(peer, p.ack) if p.flags & ACK else NEVER
    row.window = scaled_window(flow, side, p)
    row.marks = <uint16_t> (marks | opening_marks(p) | (MARK_STRAY if row.pos == NEVER else 0))
    row.sack_count = 0
    if p.has_extra and row.ack_pos != NEVER:
        fill_blocks(peer, extra_behind(batch, p), &row)
    return row


# --- the flows that are wanted ---------------------------------------------------------------------------

cdef inline bint are_ends_of(const packet_t* one, const packet_t* other) noexcept nogil:
    """Whether two packets go between the same ends, in the same direction or not."""
    if one.flow_hash != other.flow_hash or one.address_len != other.address_len:
        return False
    return is_sent_alike(one, other) or is_answer(one, other)


cdef bint is_sent_alike(const packet_t* one, const packet_t* other) noexcept nogil:
    return (
        one.sport == other.sport
        and one.dport == other.dport
        and memcmp(<const void*> one.src, <const void*> other.src, one.address_len) == 0
        and memcmp(<const void*> one.dst, <const void*> other.dst, one.address_len) == 0
    )


cdef bint is_answer(const packet_t* one, const packet_t* other) noexcept nogil:
    return (
        one.sport == other.dport
        and one.dport == other.sport
        and memcmp(<const void*> one.src, <const void*> other.dst, one.address_len) == 0
        and memcmp(<const void*> one.dst, <const void*> other.src, one.address_len) == 0
    )


cdef struct tracer_t:
    wanted_t* wanted
    uint32_t count
    uint32_t room
    int64_t cap

cdef bint is_followed(tracer_t* r, const packet_t* p) noexcept nogil:
    """Earlier flows of the same ends are none of ours: the flow begins anew with its first frame."""
    cdef bint has_begun = False
    cdef uint32_t i
    for i in range(r.count):
        if unlikely(r.wanted[i].ends.flow_hash == p.flow_hash) and are_ends_of(&r.wanted[i].ends, p):
            if r.wanted[i].first_frame == p.frame:
                r.wanted[i].has_begun = True
            has_begun = has_begun or r.wanted[i].has_begun
    return has_begun


cdef bint widen_rows(wanted_t* one, int64_t cap) noexcept nogil:
    cdef int64_t room = min(max(2 * one.room, <int64_t> FIRST_ROOM), cap)
    cdef void* grown = realloc(one.rows, <size_t> room * sizeof(traced_t))
    if grown == NULL:
        return False
    one.rows, one.room = <traced_t*> grown, room
    return True


cdef void keep_row(tracer_t* r, tracker_t* t, wanted_t* one, const traced_t* row) noexcept nogil:
    if one.segments == one.room and one.room < r.cap and not widen_rows(one, r.cap):
        t.out_of_memory = True
        return
    one.rows[one.segments % r.cap] = row[0]
    one.segments += 1


cdef void trace_packet(tracer_t* r, tracker_t* t, const batch_t* batch, const packet_t* p) noexcept nogil:
    cdef found_t found = look_up(t, p)
    cdef uint32_t handle
    cdef int side
    cdef flow_t* flow = find(t, p, &found, &handle, &side)
    cdef counts_t before, after
    cdef traced_t row
    cdef wanted_t* one
    cdef uint32_t i
    if flow == NULL:
        return
    before = counts_of(t, flow, side)
    found = look_up(t, p)
    follow(t, batch, p, &found)
    after = counts_of(t, flow, side)
    row = traced(flow, side, batch, p, changes(&before, &after))
    if unlikely(is_damaged(seen_cargo(t, &flow.directions[side]), p)):
        row.marks |= MARK_DAMAGED
    for i in range(r.count):
        one = &r.wanted[i]
        if one.handle == 0 and one.first_frame == p.frame and are_ends_of(&one.ends, p):
            one.handle = handle
        if one.handle == handle and flow.first_frame == one.first_frame:
            keep_row(r, t, one, &row)


cdef void trace_batch(tracer_t* r, tracker_t* t, const batch_t* batch) noexcept nogil:
    cdef uint32_t i
    for i in range(batch.count):
        if batch.rows[i].status == TCP_SEGMENT and is_followed(r, &batch.rows[i]):
            trace_packet(r, t, batch, &batch.rows[i])
            if unlikely(t.out_of_memory):
                return


# --- columns ---------------------------------------------------------------------------------------------

cdef inline int64_t value_of(const traced_t* row, int column) noexcept nogil:
    if column == COLUMN_FRAME:
        return row.frame
    if column == COLUMN_TIME:
        return row.time_ns
    if column == COLUMN_DIRECTION:
        return row.side
    if column == COLUMN_POS:
        return row.pos
    if column == COLUMN_LENGTH:
        return row.length
    if column == COLUMN_ACK:
        return row.ack_pos
    return row.window if column == COLUMN_WINDOW else row.marks


cdef class Tracer:
    """Follows the flows that it was told of and no others, each from its first frame on."""

    cdef tracer_t tracer
    cdef readonly Tracker tracker

    def __cinit__(self, int64_t cap=caps.TRACE_CAP):
        self.tracker = Tracker()
        self.tracer.cap = max(1, cap)

    def __dealloc__(self):
        cdef uint32_t i
        for i in range(self.tracer.count):
            free(self.tracer.wanted[i].rows)
        free(self.tracer.wanted)

    def want(self, bytes src, uint16_t sport, bytes dst, uint16_t dport, int64_t first_frame):
        """Trace the flow between two ends, either first, that begins with `first_frame`; its number here."""
        cdef wanted_t* one = self.new_wanted()
        if len(src) != len(dst) or len(src) not in (4, 16):
            raise ValueError("addresses are of 4 or of 16 bytes, both alike")
        memset(one, 0, sizeof(wanted_t))
        one.ends.address_len = <uint8_t> len(src)
        memcpy(one.ends.src, <const uint8_t*> src, len(src))
        memcpy(one.ends.dst, <const uint8_t*> dst, len(dst))
        one.ends.sport, one.ends.dport, one.first_frame = sport, dport, first_frame
        note_ends(&one.ends)
        self.tracer.count += 1
        return self.tracer.count - 1

    def feed(self, Packets packets not None):
        """Take one batch of packets, in the order of the capture; those of other flows are passed over."""
        self.tracker.check_idle()
        packets.refuse_if_busy()
        self.tracker.forget_order()
        self.tracker.is_busy = packets.is_busy = True
        try:
            with nogil:
                trace_batch(&self.tracer, &self.tracker.tracker, &packets.batch)
        finally:
            self.tracker.is_busy = packets.is_busy = False
        self.tracker.check_idle()

    def index(self, number):
        """The flow's index in the tracker; NEVER where its first frame did not come."""
        return <int64_t> self.at(number).handle - 1

    def segments(self, number):
        """How many segments the flow has, with those that were let go."""
        return self.at(number).segments

    def columns(self, number):
        cdef wanted_t* one = self.at(number)
        return rows.TraceColumns._make(
            [self.column(one, column) for column in range(COLUMNS)]
            + [self.sack_column(one, column) for column in range(SACK_COLUMNS)]
        )

    # --- inside -----------------------------------------------------------------------------

    cdef wanted_t* new_wanted(self) except NULL:
        cdef uint32_t room = 2 * self.tracer.room + 8
        cdef void* grown
        self.tracker.check_idle()
        if self.tracer.count == self.tracer.room:
            grown = realloc(self.tracer.wanted, room * sizeof(wanted_t))
            if grown == NULL:
                raise MemoryError
            self.tracer.wanted, self.tracer.room = <wanted_t*> grown, room
        return &self.tracer.wanted[self.tracer.count]

    cdef wanted_t* at(self, Py_ssize_t number) except NULL:
        self.tracker.check_idle()
        if not 0 <= number < <Py_ssize_t> self.tracer.count:
            raise IndexError("there is no such traced flow")
        return &self.tracer.wanted[number]

    cdef const traced_t* row_at(self, const wanted_t* one, int64_t at) noexcept:
        cdef int64_t oldest = max(<int64_t> 0, one.segments - self.tracer.cap)
        return &one.rows[(oldest + at) % self.tracer.cap]

    cdef object column(self, const wanted_t* one, int column):
        cdef int64_t kept = min(one.segments, self.tracer.cap)
        cdef int64_t* values = <int64_t*> malloc(<size_t> (kept + 1) * sizeof(int64_t))
        cdef int64_t i
        if values == NULL:
            raise MemoryError
        for i in range(kept):
            values[i] = value_of(self.row_at(one, i), column)
        return as_array(values, kept)

    cdef object sack_column(self, const wanted_t* one, int column):
        cdef int64_t kept = min(one.segments, self.tracer.cap)
        cdef int64_t* values = <int64_t*> malloc(<size_t> (SACKS_PER_SEGMENT * kept + 1) * sizeof(int64_t))
        cdef int64_t i, count = 0
        cdef const traced_t* row
        cdef int k
        if values == NULL:
            raise MemoryError
        for i in range(kept):
            row = self.row_at(one, i)
            for k in range(row.sack_count):
                values[count] = i if column == 0 else row.ack_pos + row.sacks[2 * k + column - 1]
                count += 1
        return as_array(values, count)


cdef object as_array(int64_t* values, int64_t count):
    """The values as a Python array; they are freed."""
    column = array("q")
    try:
        column.frombytes((<char*> values)[: count * <int64_t> sizeof(int64_t)])
    finally:
        free(values)
    return column
