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


@cython.overflowcheck(False)
cdef inline bint sent_by(const tracker_t* t, const flow_t* flow, const packet_t* p, int side) noexcept nogil:
    """Whether the segment goes from end `side` of the flow to the other.  Nobody can foretell the side: no branch asks."""
    cdef uint32_t src, dst
    cdef uint64_t ends
    cdef uint32_t ports = <uint32_t> p.sport << 16 | p.dport
    ports = ports << 16 * side | ports >> (32 - 16 * side & 31)
    if ports != <uint32_t> flow.sport << 16 | flow.dport:
        return False
    if unlikely(p.address_len != 4 or flow.address_len != 4):
        return p.address_len == flow.address_len and is_named(t, flow, p, side)
    memcpy(&src, p.src, 4)
    memcpy(&dst, p.dst, 4)
    ends = <uint64_t> src << 32 | dst
    ends = ends << 32 * side | ends >> (64 - 32 * side & 63)
    return ends == (<uint64_t> flow.src_end << 32 | flow.dst_end)


cdef bint is_named(const tracker_t* t, const flow_t* flow, const packet_t* p, int side) noexcept nogil:
    """By its IPv6 addresses."""
    if side:
        return memcmp(p.dst, src_of(t, flow), 16) == 0 and memcmp(p.src, dst_of(t, flow), 16) == 0
    return memcmp(p.src, src_of(t, flow), 16) == 0 and memcmp(p.dst, dst_of(t, flow), 16) == 0


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


cdef inline found_t look_up(const tracker_t* t, const packet_t* p) noexcept nogil:
    cdef uint64_t slot = slot_of(t, p)
    cdef found_t found
    found.handle = <uint32_t> slot & 0x7FFFFFFF
    found.side = side_in(slot, p)
    found.flow = flow_at(t, found.handle) if slot != 0 else NULL
    return found


cdef inline flow_t* find(
    tracker_t* t, const packet_t* p, const found_t* found, uint32_t* handle, int* side
) noexcept nogil:
    """The flow of this segment: the latest of its 4-tuple, unless it opens another; NULL where there is no memory."""
    handle[0], side[0] = found.handle, found.side
    if likely(found.flow != NULL and sent_by(t, found.flow, p, found.side)):
        if likely(not opens_another(&found.flow.directions[found.side], p)):
            return found.flow
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
        if handle[0] == 0:
            return NULL
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
    flow.first_frame = p.frame
    flow.directions[0].last_frame = p.frame
    flow.directions[0].last_ns = p.time_ns
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


cdef inline void follow(
    tracker_t* t, const batch_t* batch, const packet_t* p, const found_t* found
) noexcept nogil:
    cdef uint32_t handle
    cdef int side
    cdef flow_t* flow = find(t, p, found, &handle, &side)
    cdef direction_t* d
    cdef direction_t* peer
    cdef latest_t before
    cdef uint64_t mark
    cdef int64_t pos
    if unlikely(flow == NULL):
        return
    t.segments += 1
    d = &flow.directions[side]
    peer = &flow.directions[1 - side]
    before = take_latest(d)
    note_arrival(t, flow, d, side, p, &before)
    mark = mark_after(p, peer)
    if likely(is_ordinary(flow, d, peer, p, mark)):
        remember(d, p, mark)
        take_ordinary(t, batch, flow, side, p)
        keep_latest(d, &before)
        return
    pos = take_arrived(t, batch, flow, side, p, mark, &before)
    keep_latest(d, &before)
    if d.trouble | peer.trouble:
        note_asked(d, seen_trouble(t, d))
        note_asked(peer, seen_trouble(t, peer))
    if flow.state & WATCHED and pos != NEVER:
        log_segment(t, handle - 1, side, peer.acked_pos, p, pos, messages_of(batch, p))


cdef inline bint is_ordinary(
    const flow_t* flow, const direction_t* d, const direction_t* peer, const packet_t* p, uint64_t mark
) noexcept nogil:
    """Nothing is being asked, and the bytes or the ACK come next: nearly all segments.  `take_ordinary` does with them
    what `take_arrived` does, without its branches."""
    cdef int64_t ack_pos = place(peer, p.ack)
    cdef int64_t step = ack_pos - peer.acked_pos
    if p.flags & (SYN | FIN | RST | ACK) != ACK or p.window == 0:
        return False
    if not d.state & peer.state & ANCHORED or not peer.state & ACK_SEEN or flow.state & WATCHED:
        return False
    if (d.state | peer.state) & IS_ASKED or p.has_extra | p.message_count:
        return False
    if place(d, p.seq) != d.next_pos or is_seen(d, mark):
        return False
    if ack_pos > peer.next_pos or ack_pos < peer.next_pos - STRAY_DISTANCE or step < (p.payload_len == 0):
        return False
    if step > peer.last_ack_window and peer.state & WINDOW_OVERRUNS != WINDOW_OVERRUNS:
        return False
    if (d.run >= WATCHED_RUN - 1 or d.state & HAS_CARGO) and p.trailer == TRAILER_CUT_OFF:
        return False
    return p.trailer <= TRAILER_CUT_OFF


cdef inline void take_ordinary(
    tracker_t* t, const batch_t* batch, flow_t* flow, int side, const packet_t* p
) noexcept nogil:
    cdef direction_t* d = &flow.directions[side]
    cdef direction_t* peer = &flow.directions[1 - side]
    cdef int64_t ack_pos = place(peer, p.ack)
    note_sender(flow, d, side, p)
    d.state &= ~(KEEP_ALIVE_PENDING | PROBE_PENDING)
    note_data_segment(t, flow, side, p, d.next_pos)
    note_payload(t, batch, flow, side, p)
    d.next_pos += p.payload_len
    d.state |= LATEST_ADVANCED * (ack_pos != peer.acked_pos)
    peer.acked_pos = ack_pos
    peer.last_ack_window = p.window
    peer.state &= ~DATA_SINCE_ACK


cdef int64_t take_arrived(
    tracker_t* t,
    const batch_t* batch,
    flow_t* flow,
    int side,
    const packet_t* p,
    uint64_t mark,
    const latest_t* before,
) noexcept nogil:
    """The segment's position; NEVER where it has none to go into the log with."""
    cdef direction_t* d = &flow.directions[side]
    cdef direction_t* peer = &flow.directions[1 - side]
    if unlikely(is_copy(t, d, peer, p, mark)):
        pass_over(d)
        count(t, trouble_of(t, d), COPIES)
        trouble_of(t, d).unplaced_bytes += p.payload_len
        return NEVER
    if unlikely(p.flags & RST):
        pass_over(d)
        note_reset(t, d, p)
        if flow.state & WATCHED:
            keep_reset(t, d, peer, p)
        return NEVER
    note_sender(flow, d, side, p)
    return take_segment(t, batch, flow, side, p, before)


cdef inline void note_asked(direction_t* d, const trouble_t* trouble) noexcept nogil:
    d.state &= ~IS_ASKED
    if trouble.episode or trouble.unacked_holes:
        d.state |= IS_ASKED


cdef void pass_over(direction_t* d) noexcept nogil:
    """One more frame that says nothing of its sender."""
    d.odd_frames += 1
    d.ids_uncounted += d.state & IDS_COUNTED != 0


cdef inline latest_t take_latest(direction_t* d) noexcept nogil:
    cdef latest_t before
    before.frame, before.time_ns = d.last_frame, d.last_ns
    before.was_data = d.state & LATEST_IS_DATA != 0
    before.advanced = d.state & LATEST_ADVANCED != 0
    d.state &= ~(LATEST_IS_DATA | LATEST_ADVANCED)
    return before


cdef inline void keep_latest(direction_t* d, const latest_t* before) noexcept nogil:
    """Write down what the latest segment was, where the new one is not that too."""
    if before.was_data and not d.state & LATEST_IS_DATA:
        d.data_last_frame, d.data_last_ns = before.frame, before.time_ns
    if before.advanced and not d.state & LATEST_ADVANCED:
        d.advanced_frame, d.advanced_ns = before.frame, before.time_ns


cdef inline const direction_t* last_speaker(const flow_t* flow) noexcept nogil:
    """The direction of the flow's last frame; before there is any, the one that will have sent it."""
    return &flow.directions[flow.tail_direction == 1]


cdef inline void note_arrival(
    tracker_t* t, flow_t* flow, direction_t* d, int side, const packet_t* p, const latest_t* before
) noexcept nogil:
    cdef const direction_t* latest = last_speaker(flow)
    cdef int64_t silence_ns = p.time_ns - latest.last_ns
    if unlikely(silence_ns > flow.longest_silence_ns):
        flow.longest_silence_ns = silence_ns
        write_frame(t, flow, SILENCE_FROM, latest.last_frame)
        write_frame(t, flow, SILENCE_TO, p.frame)
        flow.state &= ~(SILENCE_BROKEN_BY_0 | SILENCE_BROKEN_BY_1)
        flow.state |= SILENCE_BROKEN_BY_0 << side
    if unlikely(silence_ns < 0 or flow.state & CLOCK_RAN_BACK):
        note_clock(oddity_of(t, flow), flow, p, latest.last_ns)
    note_tail(flow, side, p, before)
    if unlikely(d.frames == 0):
        flow.bounds[side].first_ns = p.time_ns
        if side:
            write_frame(t, flow, FIRST_ANSWER, p.frame)
    if unlikely(not -FORGOTTEN_NS <= p.time_ns - before.time_ns <= FORGOTTEN_NS):
        memset(d.marks, 0, sizeof(d.marks))
    d.frames += 1
    d.last_frame = p.frame
    d.last_ns = p.time_ns


@cython.overflowcheck(False)
cdef inline int64_t chosen(uint32_t which, int64_t one, int64_t other) noexcept nogil:
    """`one` where `which` is 1, `other` where it is 0, without a branch."""
    return other ^ ((one ^ other) & -<int64_t> which)


cdef inline void note_tail(flow_t* flow, int side, const packet_t* p, const latest_t* before) noexcept nogil:
    """Who speaks alone at the end: by frames, and by frames with data.  What comes next is anybody's guess, so that
    sums do what branches would."""
    cdef uint32_t goes_on = flow.tail_direction == side
    cdef uint32_t has_data = p.payload_len != 0
    cdef uint32_t turns = has_data & (flow.data_tail_direction != side)
    if goes_on and flow.tail_frames == 1:
        flow.tail_first_frame, flow.tail_first_ns = before.frame, before.time_ns
    flow.tail_direction = side
    flow.tail_frames = flow.tail_frames * goes_on + 1
    flow.tail_data_segments = flow.tail_data_segments * goes_on + has_data
    flow.data_tail_segments = flow.data_tail_segments * (1 - turns) + has_data
    flow.data_tail_direction = <int8_t> chosen(has_data, side, flow.data_tail_direction)
    flow.data_tail_first_frame = chosen(turns, p.frame, flow.data_tail_first_frame)
    flow.data_tail_first_ns = chosen(turns, p.time_ns, flow.data_tail_first_ns)


cdef void note_clock(oddity_t* oddity, flow_t* flow, const packet_t* p, int64_t previous_ns) noexcept nogil:
    """From the first step back, the latest time is kept apart from the last."""
    if not flow.state & CLOCK_RAN_BACK:
        flow.state |= CLOCK_RAN_BACK
        oddity.latest_ns = previous_ns
    oddity.latest_ns = max(oddity.latest_ns, p.time_ns)


@cython.overflowcheck(False)
cdef inline uint64_t mark_after(const packet_t* p, const direction_t* peer) noexcept nogil:
    """A pure ACK is a copy only where the peer sent no data in between: so that number is part of its mark."""
    return strew(p.mark + (p.payload_len == 0) * <uint64_t> peer.data_segments)


cdef inline bint is_seen(const direction_t* d, uint64_t mark) noexcept nogil:
    return (d.marks[0] == mark) | (d.marks[1] == mark) | (d.marks[2] == mark) | (d.marks[3] == mark)


cdef inline void remember(direction_t* d, const packet_t* p, uint64_t mark) noexcept nogil:
    cdef int oldest = d.oldest_sighting % COPIES_REMEMBERED
    d.marks[oldest] = mark
    d.marked_ns[oldest] = <uint32_t> p.time_ns
    d.oldest_sighting = <uint8_t> (oldest + 1)


cdef inline bint is_copy(
    const tracker_t* t, direction_t* d, const direction_t* peer, const packet_t* p, uint64_t mark
) noexcept nogil:
    """What is none is remembered."""
    if unlikely(is_seen(d, mark)) and was_close(d, mark, p):
        return p.ip_id > 0 or p.payload_len > 0 or are_doubled(t, d, peer)
    remember(d, p, mark)
    return False


@cython.overflowcheck(False)
cdef bint was_close(const direction_t* d, uint64_t mark, const packet_t* p) noexcept nogil:
    cdef int32_t window_ns = COPY_WINDOW_NS if p.ip_id > 0 else COPY_WITHOUT_ID_NS
    cdef int i
    for i in range(COPIES_REMEMBERED):
        if d.marks[i] == mark and -window_ns <= <int32_t> (<uint32_t> p.time_ns - d.marked_ns[i]) <= window_ns:
            return True
    return False


cdef bint are_doubled(const tracker_t* t, const direction_t* d, const direction_t* peer) noexcept nogil:
    """A capture that doubles frames has doubled one of the first."""
    cdef bint has_copies = (
        counted(t, seen_trouble(t, d), COPIES) != 0 or counted(t, seen_trouble(t, peer), COPIES) != 0
    )
    return has_copies or d.frames <= COPIES_REMEMBERED


@cython.overflowcheck(False)
cdef inline void note_sender(flow_t* flow, direction_t* d, int side, const packet_t* p) noexcept nogil:
    cdef uint16_t step = <uint16_t> (p.ip_id - d.last_ip_id)
    if unlikely(p.ttl != d.last_ttl or not d.state & SENDER_SEEN):
        note_ttl(d, &flow.bounds[side], p)
    d.windows_seen += d.last_window != p.window
    d.last_window = p.window
    flow.pushes[side] += (p.flags & PSH) >> 3
    if likely(d.state & ID_SEEN):
        d.ids_other += not 0 < step <= ID_STEP
    elif d.state & IDS_COUNTED or p.ip_id >= 0:
        note_uncounted(d)
    d.last_ip_id = <uint16_t> p.ip_id
    if unlikely(p.ip_id < 0):
        d.state &= ~ID_SEEN
    else:
        d.state |= ID_SEEN


cdef void note_uncounted(direction_t* d) noexcept nogil:
    """A segment whose ID follows none: the first that has one, and those that come with or after one without."""
    d.ids_uncounted = d.ids_uncounted + 1 if d.state & IDS_COUNTED else d.frames
    d.state |= IDS_COUNTED


cdef void note_ttl(direction_t* d, bounds_t* bounds, const packet_t* p) noexcept nogil:
    if not d.state & SENDER_SEEN:
        d.state |= SENDER_SEEN
        bounds.ttl_min = p.ttl
        bounds.ttl_max = p.ttl
        d.last_window = p.window
        bounds.first_window = p.window
    bounds.ttl_min = min(bounds.ttl_min, p.ttl)
    bounds.ttl_max = max(bounds.ttl_max, p.ttl)
    d.last_ttl = p.ttl


cdef void note_reset(tracker_t* t, direction_t* d, const packet_t* p) noexcept nogil:
    cdef trouble_t* trouble = trouble_of(t, d)
    trouble.unplaced_bytes += p.payload_len
    if not trouble.ending:
        trouble.ending = take(t, &t.endings)
        note_first_reset(seen_ending(t, trouble), d, p)
    seen_ending(t, trouble).rsts += 1
    seen_ending(t, trouble).last_frame = p.frame


cdef void note_first_reset(ending_t* ending, const direction_t* d, const packet_t* p) noexcept nogil:
    ending.frame, ending.time_ns = p.frame, p.time_ns
    ending.ttl, ending.window, ending.ip_id = p.ttl, p.window, p.ip_id
    ending.has_ack = p.flags & ACK != 0
    ending.seq_pos = place(d, p.seq) if d.state & ANCHORED else NEVER


cdef void keep_reset(tracker_t* t, direction_t* d, const direction_t* peer, const packet_t* p) noexcept nogil:
    """The first of both directions together."""
    cdef ending_t* ending = seen_ending(t, seen_trouble(t, d))
    cdef uint32_t order = <uint32_t> ending.resets_kept + seen_ending(t, seen_trouble(t, peer)).resets_kept
    cdef uint32_t handle
    cdef reset_t* kept
    if order >= RESETS_KEPT:
        return
    handle = take(t, &t.resets)
    kept = reset_at(t, handle)
    kept.before, kept.place = ending.latest_reset, order
    kept.frame, kept.time_ns = p.frame, p.time_ns
    kept.ttl, kept.ip_id, kept.window = p.ttl, p.ip_id, p.window
    kept.seq_pos = place(d, p.seq) if d.state & ANCHORED else NEVER
    kept.has_ack = p.flags & ACK != 0
    ending.latest_reset = handle
    ending.resets_kept += 1
