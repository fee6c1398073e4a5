# Packets: a batch of decoded rows, and what Python sees of it.

# --- batches --------------------------------------------------------------------------------

cdef inline void begin_packet(packet_t* p, int64_t frame, int64_t time_ns) noexcept nogil:
    """What stays as it is where nothing is found.  Addresses and numbers are only read of segments, which have them."""
    p.frame = frame
    p.time_ns = time_ns
    p.print64 = 0
    p.head[0] = 0
    p.head[1] = 0
    p.captured_payload_len = 0
    p.first_message = 0
    p.message_count = 0
    p.trailer = TRAILER_ABSENT
    p.signature = SIGNATURE_NONE
    p.unsplit = 0
    p.checksum = CHECKSUM_UNVERIFIED
    p.has_extra = 0


cdef inline int decode_frame(
    const uint8_t* data, int64_t size, const frame_t* frame, packet_t* p, batch_t* batch
) noexcept nogil:
    cdef datagram_t datagram
    cdef datagram_t found  # apart: what a function is given the address of does not stay in registers
    cdef int status = TCP_SEGMENT
    begin_packet(p, frame.number, frame.time_ns)
    if likely(is_usual(data, size, frame.link_type)):
        take_ipv4(data + 14, size - 14, 20, word16(data + 16), p, &datagram)
    else:
        status = find_segment(data, size, frame, p, &found)
        if status == TCP_SEGMENT:
            datagram = found
    if status == TCP_SEGMENT:
        status = decode_tcp(datagram, p, batch)
    p.status = <uint8_t> status
    return status


cdef void decode_frames(
    const uint8_t* buffer, int64_t size, const frame_t* frames, uint32_t count, packet_t* p, batch_t* batch
) noexcept nogil:
    """Into rows of the batch, which are counted there."""
    cdef int64_t start, end
    cdef uint32_t i
    for i in range(count):
        start = min(max(frames[i].offset, 0), size)
        end = min(start + frames[i].captured_len, size)
        batch.counts[decode_frame(buffer + start, end - start, &frames[i], &p[i], batch)] += 1


cdef bint reserve(batch_t* batch, Py_ssize_t wanted) noexcept nogil:
    cdef Py_ssize_t capacity = max(wanted, 2 * <Py_ssize_t> batch.capacity)
    cdef void* grown
    if wanted <= batch.capacity:
        return True
    if capacity > 0x7FFFFFFF:
        return False
    grown = realloc(batch.rows, <size_t> capacity * sizeof(packet_t))
    if grown == NULL:
        return False
    batch.rows = <packet_t*> grown
    grown = realloc(batch.extras, <size_t> capacity * sizeof(extra_t))
    if grown == NULL:
        return False
    batch.extras = <extra_t*> grown
    batch.capacity = <uint32_t> capacity
    return True


cdef object NO_PACKET_TAIL = (b"", b"", 0, 0, 0, -1, 0, 0, 0, 0, 0, 0, -1, -1, 0, (), 0, 0, 0, (0, 0), 0, (), 0, 0)


cdef object NO_OPTIONS = (-1, -1, 0, (), 0)


cdef class Packets:
    """One decoded row per frame of a batch, in the order of the frames."""

    cdef batch_t batch
    cdef bint is_busy

    def __dealloc__(self):
        free(self.batch.rows)
        free(self.batch.extras)
        free(self.batch.messages)

    def __len__(self):
        return self.batch.count

    def __getitem__(self, index):
        return self.row(self.checked(index))

    def append(self, packet):
        """Add one row as it is: for tests and stories."""
        self.refuse_if_busy()
        if not reserve(&self.batch, <Py_ssize_t> self.batch.count + 1):
            raise MemoryError
        self.fill(packet, &self.batch.rows[self.batch.count])
        self.batch.counts[self.batch.rows[self.batch.count].status] += 1
        self.batch.count += 1

    def clear(self):
        self.refuse_if_busy()
        self.batch.count = 0
        self.batch.message_count = 0
        memset(self.batch.counts, 0, sizeof(self.batch.counts))

    def tally(self):
        """Count the rows by Status: counts[status]."""
        cdef uint32_t i
        self.refuse_if_busy()
        return [self.batch.counts[i] for i in range(STATUSES)]

    def unfinished(self):
        """Indices of rows that need Python: EXOTIC, FRAGMENT and ICMP_ERROR."""
        cdef uint32_t i
        cdef const uint32_t* counts = self.batch.counts
        self.refuse_if_busy()
        if counts[EXOTIC] + counts[FRAGMENT] + counts[ICMP_ERROR] == 0:
            return []
        return [i for i in range(self.batch.count) if EXOTIC <= self.batch.rows[i].status <= ICMP_ERROR]

    def place(self, index, datagram):
        """Decode an IP datagram that was unwrapped or put together, in the place of row `index`."""
        cdef packet_t* p = &self.batch.rows[self.checked(index)]
        cdef uint8_t before = p.status
        cdef frame_t frame
        frame.number, frame.time_ns, frame.offset, frame.link_type = p.frame, p.time_ns, 0, LINK_RAW
        frame.captured_len = frame.original_len = len(datagram)
        self.decode_into(p, datagram, &frame, 1)
        self.batch.counts[before] -= 1
        return p.status

    def settle(self, index, int status):
        """Give row `index` its final status without a packet."""
        cdef packet_t* p = &self.batch.rows[self.checked(index)]
        if not 0 <= status < STATUSES or (status == TCP_SEGMENT and p.status != TCP_SEGMENT):
            raise ValueError(f"no packet can be settled as status {status}")
        self.restate(p, status)

    cdef int decode_into(self, packet_t* p, buffer, const frame_t* frames, uint32_t count) except -1:
        """Rows of this batch, from `p` on, which are counted here as well."""
        cdef Py_buffer view
        PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE)
        self.is_busy = True
        try:
            with nogil:
                decode_frames(<const uint8_t*> view.buf, view.len, frames, count, p, &self.batch)
        finally:
            self.is_busy = False
            PyBuffer_Release(&view)
        return self.end_change()

    cdef void restate(self, packet_t* p, int status) noexcept:
        self.batch.counts[p.status] -= 1
        self.batch.counts[status] += 1
        p.status = <uint8_t> status

    cdef uint32_t checked(self, Py_ssize_t index) except? 0xFFFFFFFF:
        self.refuse_if_busy()
        if index < 0:
            index += self.batch.count
        if not 0 <= index < self.batch.count:
            raise IndexError("packet index out of range")
        return <uint32_t> index

    cdef int refuse_if_busy(self) except -1:
        if self.is_busy:
            raise RuntimeError("these packets are being decoded or fed by another thread")
        return 0

    cdef int end_change(self) except -1:
        if self.batch.out_of_memory:
            self.batch.out_of_memory = False
            raise MemoryError
        return 0

    cdef object row(self, uint32_t i):
        cdef packet_t* p = &self.batch.rows[i]
        cdef extra_t nothing
        cdef extra_t* extra = &self.batch.extras[i]
        if p.status != TCP_SEGMENT:
            return rows.Packet._make((p.status, p.frame, p.time_ns) + <tuple> NO_PACKET_TAIL)
        if not p.has_extra:
            extra = &nothing
            extra.magic, extra.mss, extra.window_scale = 0, -1, -1
            extra.sack_permitted, extra.sack_count = 0, 0
        return rows.Packet._make(
            (
                p.status,
                p.frame,
                p.time_ns,
                p.src[: p.address_len],
                p.dst[: p.address_len],
                p.sport,
                p.dport,
                p.ttl,
                p.ip_id,
                p.seq,
                p.ack,
                p.flags,
                p.window,
                p.payload_len,
                p.captured_payload_len,
                extra.mss,
                extra.window_scale,
                extra.sack_permitted,
                tuple([(extra.sacks[2 * k], extra.sacks[2 * k + 1]) for k in range(extra.sack_count)]),
                p.signature,
                p.trailer,
                extra.magic,
                (p.head[0], p.head[1]),
                p.print64,
                tuple([message_row(&self.batch.messages[p.first_message + k]) for k in range(p.message_count)]),
                p.unsplit,
                p.checksum,
            )
        )

    cdef int fill(self, object packet, packet_t* p) except -1:
        """The row of a Python-side Packet."""
        begin_packet(p, packet.frame, packet.time_ns)
        p.status = packet.status
        if p.status >= STATUSES:
            raise ValueError(f"no such status: {packet.status}")
        if p.status != TCP_SEGMENT:
            return 0
        self.fill_headers(packet, p)
        if has_options(packet):
            self.fill_extra(packet, extra_of(p, &self.batch))
        self.fill_payload(packet, p)
        note_ends(p)
        p.mark = mark_of(p) ^ p.print64
        return 0

    cdef int fill_headers(self, object packet, packet_t* p) except -1:
        cdef bytes src = packet.src
        cdef bytes dst = packet.dst
        if len(src) != len(dst) or len(src) not in (4, 16):
            raise ValueError("addresses are of 4 or of 16 bytes, both alike")
        p.address_len = <uint8_t> len(src)
        memcpy(p.src, <const uint8_t*> src, len(src))
        memcpy(p.dst, <const uint8_t*> dst, len(dst))
        p.sport, p.dport = packet.sport, packet.dport
        p.ttl, p.ip_id = packet.ttl, packet.ip_id
        p.seq, p.ack = packet.seq, packet.ack
        p.flags, p.window = packet.flags, packet.window
        return 0

    cdef int fill_extra(self, object packet, extra_t* extra) except -1:
        extra.mss, extra.window_scale = packet.mss, packet.window_scale
        extra.sack_permitted, extra.magic = packet.sack_permitted, packet.magic
        if len(packet.sacks) > SACKS_PER_SEGMENT:
            raise ValueError("a segment has room for four SACK blocks")
        for left, right in packet.sacks:
            extra.sacks[2 * extra.sack_count] = left
            extra.sacks[2 * extra.sack_count + 1] = right
            extra.sack_count += 1
        return 0

    cdef int fill_payload(self, object packet, packet_t* p) except -1:
        cdef message_t* m
        p.payload_len, p.captured_payload_len = packet.payload_len, packet.captured_payload_len
        p.signature, p.trailer = packet.signature, packet.trailer
        p.head[0], p.head[1] = packet.head
        p.print64, p.unsplit, p.checksum = packet.print64, packet.unsplit, packet.checksum
        p.first_message = self.batch.message_count
        for message in packet.messages:
            m = new_message(&self.batch)
            self.end_change()
            p.message_count += 1
            m.kind, m.offset, m.length = message.kind, message.offset, message.length
            m.spi, m.esp_seq, m.exchange = message.spi, message.esp_seq, message.exchange
            m.from_initiator, m.print64 = message.from_initiator, message.print64
        return 0


cdef bint has_options(object packet):
    """Or a weak trailer: as decoding does it, a row without either has no extra, and may be followed the ordinary way."""
    return (packet.mss, packet.window_scale, packet.sack_permitted, packet.sacks, packet.magic) != NO_OPTIONS


cdef object message_row(const message_t* m):
    return rows.Message._make(
        (m.kind, m.offset, m.length, m.spi, m.esp_seq, m.exchange, m.from_initiator, m.print64)
    )


def decode(buffer, Frames frames not None, Packets packets not None):
    """Decode every frame of a batch into `packets`, which is emptied first."""
    cdef uint32_t count = <uint32_t> frames.count
    frames.refuse_if_busy()
    packets.clear()
    if not reserve(&packets.batch, frames.count):
        raise MemoryError
    frames.is_busy = True
    try:
        packets.decode_into(packets.batch.rows, buffer, frames.rows, count)
    finally:
        frames.is_busy = False
    packets.batch.count = count
