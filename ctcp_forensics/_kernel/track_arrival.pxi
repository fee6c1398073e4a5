# Which flow a segment belongs to, who sent it, and whether it was doubled.

# --- finding the flow ------------------------------------------------------------------------

cdef inline const uint8_t* src_of(const tracker_t* t, const flow_t* flow) noexcept nogil:
    if flow.address_len == 4:
        return <const uint8_t*> &flow.ends[0]
    return (<ends_t*> element(&t.ends, flow.ends[0])).src


cdef inline const uint8_t* dst_of(const tracker_t* t, const flow_t* flow) noexcept nogil:
    if flow.address_len == 4:
        return <const uint8_t*> &flow.ends[1]
    return (<ends_t*> element(&t.ends, flow.ends[0])).dst


cdef inline bint sent_by(const tracker_t* t, const flow_t* flow, const packet_t* p, int side) noexcept nogil:
    """Whether the segment goes from end `side` of the flow to the other."""
    cdef uint32_t src, dst
    if flow.ports[side] != p.sport or flow.ports[1 - side] != p.dport:
        return False
    if unlikely(p.address_len != 4 or flow.address_len != 4):
        return p.address_len == flow.address_len and is_named(t, flow, p, side)
    memcpy(&src, p.src, 4)
    memcpy(&dst, p.dst, 4)
    return flow.ends[side] == src and flow.ends[1 - side] == dst


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
    while slot >> 32 != p.flow_hash and slot != 0:
        at = (at + 1) & t.slot_mask
        slot = t.slots[at]
    return slot


cdef inline found_t found_at(const tracker_t* t, uint32_t handle, int side) noexcept nogil:
    cdef found_t found
    found.handle, found.side = handle, side
    found.flow = flow_at(t, handle)
    found.d = &found.flow.directions[side]
    found.peer = &found.flow.directions[1 - side]
    return found


cdef inline found_t look_up(const tracker_t* t, const packet_t* p) noexcept nogil:
    cdef uint64_t slot = slot_of(t, p)
    return found_at(t, <uint32_t> slot & 0x7FFFFFFF, side_in(slot, p))


cdef inline flow_t* find(
    tracker_t* t, const packet_t* p, const found_t* found, uint32_t* handle, int* side
) noexcept nogil:
    """The flow of this segment: the latest of its 4-tuple, unless it opens another; NULL where there is no memory."""
    handle[0], side[0] = found.handle, found.side
    if likely(sent_by(t, found.flow, p, found.side)):
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
    flow.tail.began = moment_of(p)
    flow.directions[0].last_frame = p.frame
    flow.directions[0].last_ns = p.time_ns
    t.flows_begun += 1
    t.slots_used += t.slots[at] == 0
    if t.slots[at] != 0:  # opened again: what was looked up ahead may name the flow before
        forget_ahead(t)
    t.slots[at] = <uint64_t> p.flow_hash << 32 | <uint64_t> p.from_lower_end << 31 | handle[0]
    if 2 * t.slots_used > t.slot_mask:
        widen_slots(t)
    return flow


cdef void forget_ahead(tracker_t* t) noexcept nogil:
    cdef uint32_t i
    for i in range(LOOKED_AHEAD):
        t.ahead[i] = found_at(t, 0, 0)


cdef bint uses_watched_port(const tracker_t* t, const packet_t* p) noexcept nogil:
    return t.watched_ports[p.sport // 64] >> p.sport % 64 & 1 or t.watched_ports[p.dport // 64] >> p.dport % 64 & 1


cdef void name_ends(tracker_t* t, flow_t* flow, const packet_t* p) noexcept nogil:
    cdef ends_t* ends
    flow.ports[0], flow.ports[1], flow.address_len = p.sport, p.dport, p.address_len
    if p.address_len == 4:
        memcpy(&flow.ends[0], p.src, 4)
        memcpy(&flow.ends[1], p.dst, 4)
        return
    flow.ends[0] = take(t, &t.ends)
    ends = <ends_t*> element(&t.ends, flow.ends[0])
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


cdef inline bint follow(tracker_t* t, const batch_t* batch, const packet_t* p, const found_t* found) noexcept nogil:
    """False where the segment has to wait, or where there is no memory."""
    if likely(is_ordinary(t, found, p)):
        take_ordinary(t, found, p)
        return is_mere_tcp(found, p) or take_contents(t, batch, found, p)
    return follow_closely(t, batch, p, found)


cdef bint follow_closely(
    tracker_t* t, const batch_t* batch, const packet_t* p, const found_t* found
) noexcept nogil:
    cdef uint32_t handle, counted_before
    cdef int side
    cdef flow_t* flow = find(t, p, found, &handle, &side)
    cdef direction_t* d
    cdef direction_t* peer
    cdef int64_t pos
    if unlikely(flow == NULL):
        return False
    t.segments += 1
    d = &flow.directions[side]
    peer = &flow.directions[1 - side]
    counted_before = d.data_segments
    note_time(t, flow, side, p)
    note_arrival(t, flow, d, side, p)
    if p.payload_len:
        note_data_tail(t, flow, d, side, p)
    pos = take_arrived(t, batch, flow, side, p)
    if p.payload_len and d.data_segments == counted_before:
        count_in_tails(flow)
    if d.trouble | peer.trouble:
        note_asked(d, seen_trouble(t, d))
        note_asked(peer, seen_trouble(t, peer))
    if flow.state & WATCHED and pos != NEVER:
        log_segment(t, handle - 1, side, peer.acked_pos, p, pos, messages_of(batch, p))
    return not t.out_of_memory


# --- nearly all segments: nothing is being asked, and the bytes or the ACK come next -------------
# `take_ordinary` does with them what `follow_closely` does, without its branches.

cdef inline bint is_ordinary(const tracker_t* t, const found_t* found, const packet_t* p) noexcept nogil:
    return (
        sent_by(t, found.flow, p, found.side)
        and is_plain(p)
        and is_calm(found.flow, found.d, found.peer)
        and p.ttl == found.d.last_ttl
        and brings_news(found.d, found.peer, p)
    )


cdef inline bint is_plain(const packet_t* p) noexcept nogil:
    return p.window != 0 and p.has_extra == 0


cdef inline bint is_calm(const flow_t* flow, const direction_t* d, const direction_t* peer) noexcept nogil:
    """Both ends are known, and neither asks."""
    return (
        flow.state & CLOCK_RAN_BACK == 0
        and d.state & (SENDER_HAS | SENDER_LACKS) == SENDER_HAS
        and peer.state & (PEER_HAS | PEER_LACKS) == PEER_HAS
    )


@cython.overflowcheck(False)
cdef inline uint32_t acked_behind(const direction_t* peer, const packet_t* p) noexcept nogil:
    """How far the ACK lies behind what the other end sends next; huge where it lies before it."""
    return peer.anchor + <uint32_t> peer.next_pos - p.ack


@cython.overflowcheck(False)
cdef inline int64_t moves_acks(const direction_t* peer, const packet_t* p) noexcept nogil:
    return peer.next_pos - acked_behind(peer, p) - peer.acked_pos


@cython.overflowcheck(False)
cdef inline bint brings_news(const direction_t* d, const direction_t* peer, const packet_t* p) noexcept nogil:
    """Bytes that come next, or an ACK that says more than any before, and nothing else: no copy of a segment does."""
    return (
        p.flags & (OPENING | ACK) == ACK
        and p.seq == d.anchor + <uint32_t> d.next_pos
        and acked_behind(peer, p) <= STRAY_DISTANCE
        and moves_acks(peer, p) >= (p.payload_len == 0)
    )


cdef inline void take_ordinary(tracker_t* t, const found_t* found, const packet_t* p) noexcept nogil:
    cdef flow_t* flow = found.flow
    cdef direction_t* d = found.d
    cdef direction_t* peer = found.peer
    cdef int side = found.side
    cdef int64_t step = moves_acks(peer, p)
    cdef int64_t silence_ns = silence_before(flow, d, peer, side, p)
    t.segments += 1
    if unlikely(<uint64_t> silence_ns > <uint64_t> flow.longest_silence_ns):
        note_silence(t, flow, side, p, silence_ns)
    note_arrival(t, flow, d, side, p)
    remember(d, p, mark_after(p, peer))
    note_what_varies(flow, d, side, p)
    if p.payload_len:
        note_data_tail(t, flow, d, side, p)
        take_next_bytes(t, flow, d, peer, side, p)
    place_of(t, step != 0, &d.advanced)[0] = moment_of(p)
    peer.state = <uint16_t> (peer.state + ONE_OVERRUN * overruns(peer, step) & ~DATA_SINCE_ACK)
    peer.acked_pos += step
    peer.last_ack_window = p.window


cdef inline uint32_t overruns(const direction_t* peer, int64_t step) noexcept nogil:
    """Whether it is one more to be counted."""
    cdef uint32_t is_counting = peer.state & WINDOW_OVERRUNS != WINDOW_OVERRUNS
    return is_counting & (step > peer.last_ack_window)


cdef inline void take_next_bytes(
    tracker_t* t, flow_t* flow, direction_t* d, const direction_t* peer, int side, const packet_t* p
) noexcept nogil:
    note_data_segment(t, flow, d, peer, side, p, d.next_pos)
    if p.trailer == TRAILER_CUT_OFF:
        note_cut_off(t, d, p)
    if p.signature:
        note_signature(flow, d, side, p)
    d.next_pos += p.payload_len
    d.data_last = moment_of(p)


cdef inline bint is_mere_tcp(const found_t* found, const packet_t* p) noexcept nogil:
    """Nothing looks encapsulated, and nothing is logged.  One branch for what hardly any flow has."""
    cdef uint32_t looks = found.flow.state & WATCHED | found.d.state & HAS_CARGO
    return looks | p.trailer & TRAILER_WEAK | p.message_count == 0 and found.d.run < WATCHED_RUN


cdef bint take_contents(
    tracker_t* t, const batch_t* batch, const found_t* found, const packet_t* p
) noexcept nogil:
    """What `take_ordinary` leaves of a segment that looks encapsulated, or is logged.  False where there is no memory."""
    cdef int64_t pos = found.d.next_pos - p.payload_len
    if p.payload_len:
        take_cargo(t, batch, found.flow, found.d, p)
    if found.flow.state & WATCHED:
        log_segment(t, found.handle - 1, found.side, found.peer.acked_pos, p, pos, messages_of(batch, p))
    return not t.out_of_memory


cdef inline void take_cargo(
    tracker_t* t, const batch_t* batch, flow_t* flow, direction_t* d, const packet_t* p
) noexcept nogil:
    if p.trailer >= TRAILER_WEAK:
        note_trailer(cargo_of(t, d), p, extra_behind(batch, p))
    if p.trailer >= TRAILER_WEAK or d.run >= WATCHED_RUN:
        flow.state |= WATCHED
    if unlikely(p.checksum) and flow.state & WATCHED:
        note_checksum(cargo_of(t, d), p)
    if p.message_count:
        note_messages(t, d, p, messages_of(batch, p))
    elif p.trailer == TRAILER_CUT_OFF and (d.run >= WATCHED_RUN or d.state & HAS_CARGO):
        note_headless(t, d, p)


# --- all others ---------------------------------------------------------------------------------

cdef int64_t take_arrived(
    tracker_t* t,
    const batch_t* batch,
    flow_t* flow,
    int side,
    const packet_t* p,
) noexcept nogil:
    """The segment's position; NEVER where it has none to go into the log with."""
    cdef direction_t* d = &flow.directions[side]
    cdef direction_t* peer = &flow.directions[1 - side]
    if unlikely(is_copy(t, d, peer, p)):
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
    return take_segment(t, batch, flow, side, p)


cdef inline void note_asked(direction_t* d, const trouble_t* trouble) noexcept nogil:
    d.state &= ~IS_ASKED
    if trouble.episode or trouble.unacked_holes:
        d.state |= IS_ASKED


cdef void pass_over(direction_t* d) noexcept nogil:
    """One more frame that says nothing of its sender."""
    d.odd_frames += 1
    d.ids_uncounted += d.state & IDS_COUNTED != 0


cdef inline const direction_t* last_speaker(const flow_t* flow) noexcept nogil:
    """The direction of the flow's last frame."""
    return &flow.directions[flow.tail_direction]


@cython.overflowcheck(False)
cdef inline int64_t chosen(uint32_t which, int64_t one, int64_t other) noexcept nogil:
    """`one` where `which` is 1, `other` where it is 0, without a branch."""
    return other ^ ((one ^ other) & -<int64_t> which)


cdef inline moment_t* place_of(tracker_t* t, uint32_t is_news, moment_t* place) noexcept nogil:
    """Where it is news the place itself, else one that does not count: a compiler makes a branch of a plain choice."""
    return <moment_t*> chosen(is_news, <int64_t> place, <int64_t> &t.nowhere.moment)


cdef inline int64_t silence_before(
    const flow_t* flow, const direction_t* d, const direction_t* peer, int side, const packet_t* p
) noexcept nogil:
    """Who spoke last is anybody's guess: sums do what a branch would."""
    cdef uint32_t goes_on = flow.tail_direction == side
    return p.time_ns - chosen(goes_on, d.last_ns, peer.last_ns)


cdef inline void note_time(tracker_t* t, flow_t* flow, int side, const packet_t* p) noexcept nogil:
    cdef direction_t* d = &flow.directions[side]
    cdef int64_t silence_ns = silence_before(flow, d, &flow.directions[1 - side], side, p)
    if unlikely(not 0 <= silence_ns <= flow.longest_silence_ns or flow.state & CLOCK_RAN_BACK):
        note_silence(t, flow, side, p, silence_ns)
    if unlikely(d.frames == 0):
        note_first(t, flow, side, p)


cdef inline void note_arrival(tracker_t* t, flow_t* flow, direction_t* d, int side, const packet_t* p) noexcept nogil:
    cdef uint32_t is_near = -FORGOTTEN_NS <= p.time_ns - d.last_ns <= FORGOTTEN_NS
    note_tail(&t.nowhere.tail if flow.tail_direction == side else &flow.tail, d, p)
    flow.tail_direction = <int8_t> side
    d.sightings = <uint8_t> (d.sightings * is_near)
    d.frames += 1
    d.last_frame = p.frame
    d.last_ns = p.time_ns


cdef inline void note_tail(tail_t* tail, const direction_t* d, const packet_t* p) noexcept nogil:
    tail.began = moment_of(p)
    tail.frames_before = d.frames
    tail.data_before = d.data_segments


cdef inline void note_data_tail(
    tracker_t* t, flow_t* flow, const direction_t* d, int side, const packet_t* p
) noexcept nogil:
    cdef uint32_t turns = flow.data_tail_direction != side
    flow.data_tail_direction = <int8_t> side
    place_of(t, turns, &flow.data_tail_began)[0] = moment_of(p)
    flow.data_tail_before = <uint32_t> chosen(turns, d.data_segments, flow.data_tail_before)


@cython.overflowcheck(False)
cdef void count_in_tails(flow_t* flow) noexcept nogil:
    """Data that its direction does not count, such as a copy's, is one more in the tails all the same."""
    flow.tail.data_before -= 1
    flow.data_tail_before -= 1


cdef void note_silence(tracker_t* t, flow_t* flow, int side, const packet_t* p, int64_t silence_ns) noexcept nogil:
    """The longest so far, or the clock runs back, or it did once."""
    cdef const direction_t* latest = last_speaker(flow)
    if silence_ns > flow.longest_silence_ns:
        flow.longest_silence_ns = silence_ns
        write_frame(t, flow, SILENCE_FROM, latest.last_frame)
        write_frame(t, flow, SILENCE_TO, p.frame)
        flow.state &= ~(SILENCE_BROKEN_BY_0 | SILENCE_BROKEN_BY_1)
        flow.state |= SILENCE_BROKEN_BY_0 << side
    if silence_ns < 0 or flow.state & CLOCK_RAN_BACK:
        note_clock(oddity_of(t, flow), flow, p, latest.last_ns)


cdef void note_first(tracker_t* t, flow_t* flow, int side, const packet_t* p) noexcept nogil:
    flow.bounds[side].first_ns = p.time_ns
    if side:
        write_frame(t, flow, FIRST_ANSWER, p.frame)


cdef void note_clock(oddity_t* oddity, flow_t* flow, const packet_t* p, int64_t previous_ns) noexcept nogil:
    """From the first step back, the latest time is kept apart from the last."""
    if not flow.state & CLOCK_RAN_BACK:
        flow.state |= CLOCK_RAN_BACK
        oddity.latest_ns = previous_ns
    oddity.latest_ns = max(oddity.latest_ns, p.time_ns)


@cython.overflowcheck(False)
cdef inline uint64_t mark_after(const packet_t* p, const direction_t* peer) noexcept nogil:
    """A pure ACK is a copy only where the peer sent no data in between: so that number is part of its mark."""
    return p.mark + (peer.data_segments if p.payload_len == 0 else 0) * HASH_MULTIPLIER


cdef inline uint32_t remembered(const direction_t* d) noexcept nogil:
    return min(d.sightings, <uint32_t> COPIES_REMEMBERED)


cdef inline bint is_seen(const direction_t* d, uint64_t mark) noexcept nogil:
    cdef uint32_t i
    for i in range(remembered(d)):
        if d.marks[i] == mark:
            return True
    return False


cdef inline void remember(direction_t* d, const packet_t* p, uint64_t mark) noexcept nogil:
    cdef uint32_t oldest = d.sightings % COPIES_REMEMBERED
    d.marks[oldest] = mark
    d.marked_ns[oldest] = <uint32_t> p.time_ns
    d.sightings = <uint8_t> (d.sightings & COPIES_REMEMBERED | (d.sightings + 1) % (2 * COPIES_REMEMBERED))


cdef inline bint is_copy(tracker_t* t, direction_t* d, const direction_t* peer, const packet_t* p) noexcept nogil:
    """What is none is remembered."""
    cdef uint64_t mark = mark_after(p, peer)
    if unlikely(is_seen(d, mark)) and was_close(d, mark, p) and not is_new(d, peer, p):
        return p.ip_id > 0 or p.payload_len > 0 or are_doubled(t, d, peer)
    remember(d, p, mark)
    return False


cdef bint is_new(const direction_t* d, const direction_t* peer, const packet_t* p) noexcept nogil:
    return d.state & peer.state & ANCHORED and brings_news(d, peer, p)


@cython.overflowcheck(False)
cdef bint was_close(const direction_t* d, uint64_t mark, const packet_t* p) noexcept nogil:
    cdef int32_t window_ns = COPY_WINDOW_NS if p.ip_id > 0 else COPY_WITHOUT_ID_NS
    cdef uint32_t i
    for i in range(remembered(d)):
        if d.marks[i] == mark and -window_ns <= <int32_t> (<uint32_t> p.time_ns - d.marked_ns[i]) <= window_ns:
            return True
    return False


cdef bint are_doubled(const tracker_t* t, const direction_t* d, const direction_t* peer) noexcept nogil:
    """A capture that doubles frames has doubled one of the first."""
    cdef bint has_copies = (
        counted(t, seen_trouble(t, d), COPIES) != 0 or counted(t, seen_trouble(t, peer), COPIES) != 0
    )
    return has_copies or d.frames <= COPIES_REMEMBERED


cdef inline void note_sender(flow_t* flow, direction_t* d, int side, const packet_t* p) noexcept nogil:
    if unlikely(p.ttl != d.last_ttl or not d.state & SENDER_SEEN):
        note_ttl(d, &flow.bounds[side], p)
    note_what_varies(flow, d, side, p)


@cython.overflowcheck(False)
cdef inline void note_what_varies(flow_t* flow, direction_t* d, int side, const packet_t* p) noexcept nogil:
    """From segment to segment: the window, pushes, the IP ID."""
    cdef uint16_t step = <uint16_t> (p.ip_id - d.last_ip_id)
    d.windows_seen += d.last_window != p.window
    d.last_window = p.window
    flow.pushes[side] += (p.flags & PSH) >> 3
    if likely(d.state & ID_SEEN and p.ip_id >= 0):
        d.ids_other += <uint16_t> (step - 1) >= ID_STEP
        d.last_ip_id = <uint16_t> p.ip_id
    else:
        note_rare_id(d, p, step)


@cython.overflowcheck(False)
cdef void note_rare_id(direction_t* d, const packet_t* p, uint16_t step) noexcept nogil:
    if d.state & ID_SEEN:
        d.ids_other += <uint16_t> (step - 1) >= ID_STEP
    elif d.state & IDS_COUNTED or p.ip_id >= 0:
        note_uncounted(d)
    d.last_ip_id = <uint16_t> p.ip_id
    d.state &= ~ID_SEEN
    if p.ip_id >= 0:
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
