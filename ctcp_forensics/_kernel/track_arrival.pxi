# Which flow a segment belongs to, who sent it, and whether it was doubled.

# --- finding the flow ------------------------------------------------------------------------

cdef inline const uint8_t* src_of(const tracker_t* t, const flow_t* flow) noexcept nogil:
    if flow.address_len == 4:
        return <const uint8_t*> &flow.src_end
    return (<ends_t*> element(&t.ends, flow.src_end)).src


cdef inline const uint8_t* dst_of(const tracker_t* t, const flow_t* flow) noexcept nogil:
    if flow.address_len == 4:
        return <const uint8_t*> &flow.dst_end
    return (<ends_t*> element(&t.ends, flow.src_end)).dst


cdef inline bint sent_by(const tracker_t* t, const flow_t* flow, const packet_t* p, int side) noexcept nogil:
    """Whether the segment goes from end `side` of the flow to the other."""
    cdef const uint8_t* src = <const uint8_t*> p.src
    cdef const uint8_t* dst = <const uint8_t*> p.dst
    if side:
        src, dst = <const uint8_t*> p.dst, <const uint8_t*> p.src
    if (p.dport if side else p.sport) != flow.sport or (p.sport if side else p.dport) != flow.dport:
        return False
    if p.address_len != flow.address_len:
        return False
    if likely(p.address_len == 4):
        return memcmp(src, &flow.src_end, 4) == 0 and memcmp(dst, &flow.dst_end, 4) == 0
    return memcmp(src, src_of(t, flow), 16) == 0 and memcmp(dst, dst_of(t, flow), 16) == 0


cdef inline int side_in(uint64_t slot, const packet_t* p) noexcept nogil:
    return <int> (slot >> 31 & 1) ^ p.from_lower_end


cdef inline uint64_t slot_of(const tracker_t* t, const packet_t* p) noexcept nogil:
    """The first slot with this hash, which is nearly always this flow's; 0 where there is none."""
    cdef uint32_t at = p.flow_hash & t.slot_mask
    cdef uint64_t slot = t.slots[at]
    while slot != 0 and slot >> 32 != p.flow_hash:
        at = (at + 1) & t.slot_mask
        slot = t.slots[at]
    return slot


cdef inline flow_t* find(tracker_t* t, const packet_t* p, uint64_t slot, uint32_t* handle, int* side) noexcept nogil:
    """The flow of this segment: the latest of its 4-tuple, unless it opens another; NULL where there is no memory."""
    cdef flow_t* flow
    if likely(slot != 0):
        handle[0] = <uint32_t> slot & 0x7FFFFFFF
        side[0] = side_in(slot, p)
        flow = flow_at(t, handle[0])
        if likely(sent_by(t, flow, p, side[0]) and not opens_another(&flow.directions[side[0]], p)):
            return flow
    return find_slowly(t, p, handle, side)


cdef flow_t* find_slowly(tracker_t* t, const packet_t* p, uint32_t* handle, int* side) noexcept nogil:
    """From slot to slot, and on to a new flow."""
    cdef uint32_t at = p.flow_hash & t.slot_mask
    cdef uint64_t slot = t.slots[at]
    cdef flow_t* flow
    while slot != 0:
        if slot >> 32 == p.flow_hash:
            handle[0] = <uint32_t> slot & 0x7FFFFFFF
            side[0] = side_in(slot, p)
            flow = flow_at(t, handle[0])
            if sent_by(t, flow, p, side[0]):
                if opens_another(&flow.directions[side[0]], p):
                    break
                return flow
        at = (at + 1) & t.slot_mask
        slot = t.slots[at]
    side[0] = 0
    return begin_flow(t, p, at, handle)


cdef inline bint opens_another(const direction_t* d, const packet_t* p) noexcept nogil:
    return p.flags & (SYN | ACK) == SYN and d.state & ANCHORED and d.anchor != p.seq


cdef flow_t* begin_flow(tracker_t* t, const packet_t* p, uint32_t at, uint32_t* handle) noexcept nogil:
    cdef flow_t* flow
    if unlikely(t.flow_count >= t.flow_cap):
        handle[0] = freed_place(t)
        at = slot_for(t, p)
        t.ageing.begun_in_mid_stream += p.flags & SYN == 0
    else:
        handle[0] = take(t, &t.flows)
        t.flow_count += 1
    if handle[0] == 0:
        return NULL
    flow = flow_at(t, handle[0])
    name_ends(t, flow, p)
    if t.watches_everything or uses_watched_port(t, p):
        flow.state |= WATCHED
    flow.last_frame = p.frame
    flow.previous_ns = p.time_ns
    t.flows_begun += 1
    t.slots_used += t.slots[at] == 0
    if t.slots[at] != 0:  # opened again: what was looked up ahead may name the flow before
        memset(t.ahead, 0, sizeof(t.ahead))
    t.slots[at] = <uint64_t> p.flow_hash << 32 | <uint64_t> p.from_lower_end << 31 | handle[0]
    if 2 * t.slots_used > t.slot_mask:
        widen_slots(t)
    return flow


cdef bint uses_watched_port(const tracker_t* t, const packet_t* p) noexcept nogil:
    return t.watched_ports[p.sport // 64] >> p.sport % 64 & 1 or t.watched_ports[p.dport // 64] >> p.dport % 64 & 1


cdef void name_ends(tracker_t* t, flow_t* flow, const packet_t* p) noexcept nogil:
    cdef ends_t* ends
    flow.sport, flow.dport, flow.address_len = p.sport, p.dport, p.address_len
    if p.address_len == 4:
        memcpy(&flow.src_end, p.src, 4)
        memcpy(&flow.dst_end, p.dst, 4)
        return
    flow.src_end = take(t, &t.ends)
    ends = <ends_t*> element(&t.ends, flow.src_end)
    memcpy(ends.src, p.src, 16)
    memcpy(ends.dst, p.dst, 16)


cdef void widen_slots(tracker_t* t) noexcept nogil:
    """Twice the slots; each entry goes where its hash says, behind those that came before it."""
    cdef uint32_t mask = 2 * t.slot_mask + 1
    cdef uint64_t* wider = <uint64_t*> calloc(<size_t> mask + 1, sizeof(uint64_t))
    cdef uint32_t i, at
    if wider == NULL:
        t.out_of_memory = True
        return
    for i in range(t.slot_mask + 1):
        if t.slots[i] != 0:
            at = <uint32_t> (t.slots[i] >> 32) & mask
            while wider[at] != 0:
                at = (at + 1) & mask
            wider[at] = t.slots[i]
    free(t.slots)
    t.slots = wider
    t.slot_mask = mask


# --- one segment ------------------------------------------------------------------------------

@cython.overflowcheck(False)  # it takes a difference of addresses for one of numbers
cdef inline const extra_t* extra_behind(const batch_t* batch, const packet_t* p) noexcept nogil:
    return &batch.extras[p - batch.rows]


cdef inline const message_t* messages_of(const batch_t* batch, const packet_t* p) noexcept nogil:
    return &batch.messages[p.first_message]


cdef inline void follow(tracker_t* t, const batch_t* batch, const packet_t* p, uint64_t slot) noexcept nogil:
    cdef uint32_t handle = 0
    cdef int side = 0
    cdef flow_t* flow = find(t, p, slot, &handle, &side)
    cdef direction_t* d
    cdef direction_t* peer
    cdef int64_t pos
    if unlikely(flow == NULL):
        return
    t.segments += 1
    d = &flow.directions[side]
    peer = &flow.directions[1 - side]
    note_arrival(flow, d, side, p)
    if unlikely(is_copy(t, d, peer, p)):
        trouble_of(t, d).copies += 1
        trouble_of(t, d).unplaced_bytes += p.payload_len
        return
    if unlikely(p.flags & RST):
        note_reset(t, d, p)
        if flow.state & WATCHED:
            keep_reset(t, d, peer, p)
        return
    note_sender(&flow.starts[side], d, p)
    pos = take_segment(t, batch, flow, side, p)
    if unlikely(flow.state & WATCHED and pos != NEVER):
        log_segment(t, handle - 1, side, peer.acked_pos, p, pos, messages_of(batch, p))


cdef inline void note_arrival(flow_t* flow, direction_t* d, int side, const packet_t* p) noexcept nogil:
    if p.time_ns - flow.previous_ns > flow.longest_silence_ns:
        flow.longest_silence_ns = p.time_ns - flow.previous_ns
        flow.silence_from_frame = flow.last_frame
        flow.silence_to_frame = p.frame
        flow.state &= ~(SILENCE_BROKEN_BY_0 | SILENCE_BROKEN_BY_1)
        flow.state |= SILENCE_BROKEN_BY_0 << side
    note_tail(flow, side, p)
    if unlikely(p.time_ns < flow.previous_ns or flow.state & CLOCK_RAN_BACK):
        note_clock(flow, p)
    flow.last_frame = p.frame
    flow.previous_ns = p.time_ns
    if unlikely(d.frames == 0):
        flow.starts[side].first_frame = p.frame
        flow.starts[side].first_ns = p.time_ns
    d.frames += 1
    d.last_frame = p.frame
    d.last_ns = p.time_ns
    d.payload_bytes += p.payload_len


cdef inline void note_tail(flow_t* flow, int side, const packet_t* p) noexcept nogil:
    """Who speaks alone at the end: by frames, and by frames with data."""
    if flow.tail_direction != side:
        flow.tail_direction = side
        flow.tail_first_frame, flow.tail_first_ns = p.frame, p.time_ns
        flow.tail_frames = 0
        flow.tail_data_segments = 0
    flow.tail_frames += 1
    if not p.payload_len:
        return
    flow.tail_data_segments += 1
    if flow.data_tail_direction != side:
        flow.data_tail_direction = side
        flow.data_tail_first_frame, flow.data_tail_first_ns = p.frame, p.time_ns
        flow.data_tail_segments = 0
    flow.data_tail_segments += 1


cdef void note_clock(flow_t* flow, const packet_t* p) noexcept nogil:
    """From the first step back, the latest time is kept apart from the last."""
    if not flow.state & CLOCK_RAN_BACK:
        flow.state |= CLOCK_RAN_BACK
        flow.latest_ns = flow.previous_ns
    flow.latest_ns = max(flow.latest_ns, p.time_ns)


@cython.overflowcheck(False)
cdef inline bint is_copy(
    const tracker_t* t, direction_t* d, const direction_t* peer, const packet_t* p
) noexcept nogil:
    """A pure ACK is a copy only where the peer sent no data in between: so that number is part of its mark."""
    cdef uint64_t mark = p.mark if p.payload_len else strew(p.mark + peer.data_segments)
    cdef int oldest = d.oldest_sighting
    if unlikely(
        (d.marks[0] == mark) | (d.marks[1] == mark) | (d.marks[2] == mark) | (d.marks[3] == mark)
    ) and was_close(d, mark, p):
        return p.ip_id > 0 or p.payload_len > 0 or are_doubled(t, d, peer)
    d.marks[oldest] = mark
    d.marked_ns[oldest] = p.time_ns
    d.oldest_sighting = (oldest + 1) % COPIES_REMEMBERED
    return False


cdef bint was_close(const direction_t* d, uint64_t mark, const packet_t* p) noexcept nogil:
    cdef int64_t window_ns = COPY_WINDOW_NS if p.ip_id > 0 else COPY_WITHOUT_ID_NS
    cdef int i
    for i in range(COPIES_REMEMBERED):
        if d.marks[i] == mark and -window_ns <= p.time_ns - d.marked_ns[i] <= window_ns:
            return True
    return False


cdef bint are_doubled(const tracker_t* t, const direction_t* d, const direction_t* peer) noexcept nogil:
    """A capture that doubles frames has doubled one of the first."""
    return seen_trouble(t, d).copies + seen_trouble(t, peer).copies > 0 or d.frames <= COPIES_REMEMBERED


@cython.overflowcheck(False)
cdef inline void note_sender(start_t* start, direction_t* d, const packet_t* p) noexcept nogil:
    cdef uint16_t step = <uint16_t> (p.ip_id - d.last_ip_id)
    cdef bint rises = 0 < step <= ID_STEP
    if unlikely(p.ttl != d.last_ttl or not d.state & SENDER_SEEN):
        note_ttl(start, d, p)
    d.windows_seen += d.last_window != p.window
    d.last_window = p.window
    d.pushes += (p.flags & PSH) >> 3
    if likely(d.state & ID_SEEN):
        d.ids_rising += rises
        d.ids_other += not rises
    d.last_ip_id = <uint16_t> p.ip_id
    if unlikely(p.ip_id < 0):
        d.state &= ~ID_SEEN
    else:
        d.state |= ID_SEEN


cdef void note_ttl(start_t* start, direction_t* d, const packet_t* p) noexcept nogil:
    if not d.state & SENDER_SEEN:
        d.state |= SENDER_SEEN
        d.ttl_min = p.ttl
        d.ttl_max = p.ttl
        d.last_window = p.window
        start.first_window = p.window
    d.ttl_min = min(d.ttl_min, p.ttl)
    d.ttl_max = max(d.ttl_max, p.ttl)
    d.last_ttl = p.ttl


cdef void note_reset(tracker_t* t, direction_t* d, const packet_t* p) noexcept nogil:
    cdef trouble_t* trouble = trouble_of(t, d)
    trouble.rsts += 1
    trouble.unplaced_bytes += p.payload_len
    if trouble.rst_frame != NEVER:
        return
    trouble.rst_frame, trouble.rst_ns = p.frame, p.time_ns
    trouble.rst_ttl, trouble.rst_window, trouble.rst_ip_id = p.ttl, p.window, p.ip_id
    trouble.rst_has_ack = p.flags & ACK != 0
    trouble.rst_seq_pos = place(d, p.seq) if d.state & ANCHORED else NEVER


cdef void keep_reset(tracker_t* t, direction_t* d, const direction_t* peer, const packet_t* p) noexcept nogil:
    """The first of both directions together."""
    cdef trouble_t* trouble = trouble_of(t, d)
    cdef uint32_t order = trouble.resets_kept + seen_trouble(t, peer).resets_kept
    cdef uint32_t handle
    cdef reset_t* kept
    if order >= RESETS_KEPT:
        return
    handle = take(t, &t.resets)
    kept = reset_at(t, handle)
    kept.before, kept.place = trouble.latest_reset, order
    kept.frame, kept.time_ns = p.frame, p.time_ns
    kept.ttl, kept.ip_id, kept.window = p.ttl, p.ip_id, p.window
    kept.seq_pos = place(d, p.seq) if d.state & ANCHORED else NEVER
    kept.has_ack = p.flags & ACK != 0
    trouble.latest_reset = handle
    trouble.resets_kept += 1
