# Where a segment lies in the sequence space, and what of it is new.

# --- where the segment lies --------------------------------------------------------------------

@cython.overflowcheck(False)
cdef inline void anchor_at(direction_t* d, uint32_t seq, int64_t position) noexcept nogil:
    d.state |= ANCHORED
    d.anchor = seq - <uint32_t> position
    d.next_pos = position


cdef inline int64_t began_at(const direction_t* d) noexcept nogil:
    """Where its positions begin: bounds_t.skipped counts from here."""
    return MID_STREAM if d.state & (ANCHORED | ISN_KNOWN) == ANCHORED else 0


@cython.overflowcheck(False)
cdef inline void skip_to(tracker_t* t, flow_t* flow, int side, int64_t pos) noexcept nogil:
    """No new bytes account for what lies before `pos`; never more than STRAY_DISTANCE at once."""
    cdef direction_t* d = &flow.directions[side]
    cdef uint32_t skipped = <uint32_t> (pos - d.next_pos)
    d.next_pos = pos
    flow.bounds[side].skipped += skipped
    if unlikely(flow.bounds[side].skipped < skipped):
        carry_of(t, trouble_of(t, d)).skipped += 1


@cython.overflowcheck(False)
cdef inline int64_t place(const direction_t* d, uint32_t seq) noexcept nogil:
    return d.next_pos + <int32_t> (seq - d.anchor - <uint32_t> d.next_pos)


cdef inline bint is_far(const direction_t* d, int64_t position) noexcept nogil:
    return position < 0 or not -STRAY_DISTANCE <= position - d.next_pos <= STRAY_DISTANCE


cdef int64_t take_segment(
    tracker_t* t, const batch_t* batch, flow_t* flow, int side, const packet_t* p
) noexcept nogil:
    """Place the segment, take its bytes, then its ACK; its position, or NEVER for a stray."""
    cdef direction_t* d = &flow.directions[side]
    cdef int64_t pos
    cdef bint keep_alive
    if unlikely(p.flags & SYN):
        note_syn(t, flow, side, p, extra_behind(batch, p))
    elif unlikely(not d.state & ANCHORED):
        anchor_at(d, p.seq, MID_STREAM)
    pos = place(d, p.seq)
    if unlikely(is_far(d, pos)):
        count(t, trouble_of(t, d), STRAYS)
        trouble_of(t, d).unplaced_bytes += p.payload_len
        d.odd_frames += 1
        return NEVER
    keep_alive = p.payload_len <= 1 and pos == d.next_pos - 1 and not p.flags & OPENING and d.frames > 1
    take_bytes(t, batch, flow, side, p, pos, keep_alive)
    if likely(p.flags & ACK):
        take_ack(t, batch, flow, side, p, keep_alive)
    return pos


cdef void note_syn(tracker_t* t, flow_t* flow, int side, const packet_t* p, const extra_t* extra) noexcept nogil:
    cdef direction_t* d = &flow.directions[side]
    flow.syns += 1
    if p.flags & ACK:
        note_syn_ack(t, flow, 1 - side, p)
    elif not has_frame(flow, FIRST_SYN):
        write_frame(t, flow, FIRST_SYN, p.frame)
        flow.state &= ~(OPENED_BY_0 | OPENED_BY_1)
        flow.state |= OPENED_BY_0 << side
    if not d.state & ANCHORED:
        anchor_at(d, p.seq, 0)
        d.state |= ISN_KNOWN
        if p.has_extra:
            note_syn_options(&flow.bounds[side], extra)


cdef void note_syn_ack(tracker_t* t, flow_t* flow, int originator, const packet_t* p) noexcept nogil:
    cdef direction_t* d = &flow.directions[originator]
    if not has_frame(flow, FIRST_SYN_ACK):
        write_frame(t, flow, FIRST_SYN_ACK, p.frame)
    if not flow.state & (OPENED_BY_0 | OPENED_BY_1):
        flow.state |= OPENED_BY_0 << originator
    if not d.state & ANCHORED:
        anchor_at(d, p.ack, 1)
        d.state |= ISN_KNOWN
        flow.bounds[originator].skipped = 1


cdef void note_syn_options(bounds_t* bounds, const extra_t* extra) noexcept nogil:
    if extra.mss >= 0:
        bounds.mss = <uint16_t> extra.mss
        bounds.options |= HAS_MSS
    if extra.window_scale >= 0:
        bounds.window_scale = <uint8_t> extra.window_scale
        bounds.options |= HAS_WINDOW_SCALE
    if extra.sack_permitted:
        bounds.options |= HAS_SACK_PERMITTED


cdef inline void take_bytes(
    tracker_t* t,
    const batch_t* batch,
    flow_t* flow,
    int side,
    const packet_t* p,
    int64_t pos,
    bint keep_alive,
) noexcept nogil:
    cdef direction_t* d = &flow.directions[side]
    cdef int bare_numbers = (p.flags & SYN != 0) + (p.flags & FIN != 0)
    d.state &= ~(KEEP_ALIVE_PENDING | PROBE_PENDING)
    if unlikely(p.window == 0) and not p.flags & OPENING:
        count(t, trouble_of(t, d), ZERO_WINDOWS)
    if unlikely(keep_alive):
        d.state |= KEEP_ALIVE_PENDING
        d.odd_frames += 1
        count(t, trouble_of(t, d), KEEP_ALIVES)
        trouble_of(t, d).unplaced_bytes += p.payload_len
        return
    if unlikely(bare_numbers):
        note_bare_numbers(t, flow, side, bare_numbers)
        d.odd_frames += p.payload_len == 0
        if p.flags & FIN and not has_frame(flow, FIRST_FIN + side):
            write_frame(t, flow, FIRST_FIN + side, p.frame)
            flow.bounds[side].fin_ns = p.time_ns
    if p.payload_len:
        note_data_segment(t, flow, d, &flow.directions[1 - side], side, p, pos)
        note_payload(t, batch, flow, side, p)
        if unlikely(p.message_count):
            note_ike_while_asked(t, flow, side, p, messages_of(batch, p))
        if unlikely(p.checksum) and flow.state & WATCHED:
            note_checksum(cargo_of(t, d), p)
    if p.payload_len or bare_numbers:
        place_bytes(t, batch, flow, side, p, pos, pos + p.payload_len + bare_numbers)
    elif unlikely(pos > d.next_pos):
        note_bare(t, flow, side, p, pos)
    if p.payload_len:  # only now: a hole that it opened lies behind the data before it
        d.data_last = moment_of(p)


cdef void note_bare_numbers(tracker_t* t, flow_t* flow, int side, int bare_numbers) noexcept nogil:
    """Those that do not fit into a byte are taken from the bytes without a place: only what both come to is asked for."""
    cdef bounds_t* bounds = &flow.bounds[side]
    if bounds.bare_numbers <= 0xFF - bare_numbers:
        bounds.bare_numbers += <uint8_t> bare_numbers
    else:
        trouble_of(t, &flow.directions[side]).unplaced_bytes -= bare_numbers


cdef void note_ike_while_asked(
    tracker_t* t, flow_t* flow, int side, const packet_t* p, const message_t* messages
) noexcept nogil:
    cdef trouble_t* own = seen_trouble(t, &flow.directions[side])
    cdef trouble_t* peers = seen_trouble(t, &flow.directions[1 - side])
    cdef uint32_t i, ike = 0
    for i in range(p.message_count):
        ike += messages[i].kind == KIND_IKE
    if not ike:
        return
    if own.episode:
        note_sender_ike(episode_at(t, own.episode), p, ike)
    if peers.episode:
        episode_at(t, peers.episode).peer_ike += ike


cdef void note_sender_ike(episode_t* episode, const packet_t* p, uint32_t messages) noexcept nogil:
    episode.sender_ike += messages
    if episode.sender_ike >= IKE_ASKS and episode.sender_ike_asked_ns == NEVER:
        episode.sender_ike_asked_ns = p.time_ns


cdef void note_bare(tracker_t* t, flow_t* flow, int side, const packet_t* p, int64_t pos) noexcept nogil:
    cdef direction_t* d = &flow.directions[side]
    if d.data_segments or d.state & ISN_KNOWN:
        open_hole(t, d, p, pos)
    skip_to(t, flow, side, pos)


cdef inline void note_data_segment(
    tracker_t* t, flow_t* flow, direction_t* d, const direction_t* peer, int side, const packet_t* p, int64_t pos
) noexcept nogil:
    d.data_segments += 1
    d.state |= DATA_SINCE_ACK
    if unlikely(p.payload_len > d.longest_payload):  # as the first is
        note_longer(t, flow, side, p)
    if unlikely(p.payload_len == 1) and pos == d.next_pos and peer.state & SENDER_SEEN and peer.last_window == 0:
        count(t, trouble_of(t, d), ZERO_WINDOW_PROBES)
        d.state |= PROBE_PENDING


cdef void note_longer(tracker_t* t, flow_t* flow, int side, const packet_t* p) noexcept nogil:
    cdef direction_t* d = &flow.directions[side]
    if d.data_segments == 1:
        write_frame(t, flow, FIRST_DATA + side, p.frame)
        flow.bounds[side].data_ttl = p.ttl
    d.longest_payload = <uint16_t> min(p.payload_len, <uint32_t> 0xFFFF)
    if unlikely(p.payload_len >= 0xFFFF):
        note_longest(&oddity_of(t, flow).longest_payloads[side], p.payload_len)


cdef void note_longest(uint32_t* longest, uint32_t length) noexcept nogil:
    longest[0] = max(longest[0], length)


cdef inline void place_bytes(
    tracker_t* t,
    const batch_t* batch,
    flow_t* flow,
    int side,
    const packet_t* p,
    int64_t pos,
    int64_t end,
) noexcept nogil:
    cdef direction_t* d = &flow.directions[side]
    cdef key_t key
    key.key, key.skipped = KEY_NONE, 0
    if unlikely(p.message_count):
        key = note_messages(t, d, p, messages_of(batch, p))
    elif unlikely(p.trailer == TRAILER_CUT_OFF) and (d.run >= WATCHED_RUN or d.state & HAS_CARGO):
        key = note_headless(t, d, p)
    if likely(pos == d.next_pos and not d.trouble):
        d.next_pos = end
        return
    place_odd_bytes(t, flow, side, p, pos, end, key)


cdef void place_odd_bytes(
    tracker_t* t,
    flow_t* flow,
    int side,
    const packet_t* p,
    int64_t pos,
    int64_t end,
    key_t key,
) noexcept nogil:
    """Bytes are new, fill a hole, or were seen before; the three add up to the length."""
    cdef direction_t* d = &flow.directions[side]
    cdef filling_t filling
    cdef int64_t fresh, again
    if pos > d.next_pos:
        if d.data_segments > 1 or d.state & ISN_KNOWN:
            reveal(t, d, p, pos, key.skipped)
        skip_to(t, flow, side, pos)
    fresh = max(0, end - max(pos, d.next_pos))
    filling.filled, filling.found = 0, False
    if pos < d.next_pos and d.trouble:  # every hole lies below what comes next
        filling = fill_holes(t, d, p, pos, end)
    again = end - pos - fresh - filling.filled
    if again or filling.filled:
        trouble_of(t, d).filling_bytes += filling.filled
        trouble_of(t, d).again_bytes += again
    if filling.found:
        note_filling(t, d, p, &filling, key.key)
    elif again and not fresh:
        note_repeat(t, d, p, end, key.key)
    if seen_trouble(t, d).episode:
        note_sending(episode_at(t, seen_trouble(t, d).episode), p, pos, end, fresh, key.key)
    d.next_pos = max(d.next_pos, end)


cdef void reveal(tracker_t* t, direction_t* d, const packet_t* p, int64_t pos, int64_t skipped) noexcept nogil:
    cdef trouble_t* trouble
    cdef hole_t* hole
    cdef int64_t size
    hole = open_hole(t, d, p, pos)
    hole.esp_missing = skipped
    size = (hole.end - hole.start) // max(1, skipped)
    trouble = trouble_of(t, d)
    if trouble.smallest_missing_len == NEVER or size < trouble.smallest_missing_len:
        trouble.smallest_missing_len = <int32_t> size


cdef inline void note_retransmission(tracker_t* t, trouble_t* trouble, const packet_t* p) noexcept nogil:
    count(t, trouble, RETRANSMISSIONS)
    if trouble.retransmitted_frame == NEVER:
        trouble.retransmitted_frame = p.frame


@cython.overflowcheck(False)
cdef void note_filling(
    tracker_t* t, direction_t* d, const packet_t* p, const filling_t* filling, int key
) noexcept nogil:
    """Sent again, or the late original?  By ESP number, by IP ID, by time, else undecided."""
    cdef trouble_t* trouble = trouble_of(t, d)
    if key == KEY_REPEATED:
        note_retransmission(t, trouble, p)
    elif key == KEY_NEWEST:
        count(t, trouble, REWRITES)
    elif ids_count(d) and p.ip_id > 0 and filling.opener_ip_id > 0:
        if ((p.ip_id - filling.opener_ip_id) & 0xFFFF) >= 0x8000:
            count(t, trouble, LATE_ORIGINALS)
        else:
            note_retransmission(t, trouble, p)
    elif key == KEY_LATE or p.time_ns - filling.opened_ns < REORDER_NS:
        count(t, trouble, LATE_ORIGINALS)
    elif trouble.episode:
        note_retransmission(t, trouble, p)
    else:
        count(t, trouble, UNDECIDED_REPEATS)


cdef inline bint ids_count(const direction_t* d) noexcept nogil:
    return ids_rising(d) >= 3 and ids_rising(d) > 4 * <int64_t> d.ids_other


cdef inline int64_t ids_rising(const direction_t* d) noexcept nogil:
    return <int64_t> d.frames - d.ids_uncounted - d.ids_other if d.state & IDS_COUNTED else 0


cdef void note_repeat(tracker_t* t, direction_t* d, const packet_t* p, int64_t end, int key) noexcept nogil:
    cdef trouble_t* trouble = trouble_of(t, d)
    if key == KEY_NEWEST:
        count(t, trouble, REWRITES)
        return
    if key == KEY_LATE:
        count(t, trouble, LATE_ORIGINALS)
        return
    note_retransmission(t, trouble, p)
    if p.payload_len and d.acked_pos != NEVER and end <= d.acked_pos:
        count(t, trouble, SPURIOUS_RETRANSMISSIONS)
