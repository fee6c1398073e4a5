# Flows whose counters alone leave no verdict but one.  The compiled twin of plain_screen.py, which says why.

cdef struct limits_t:  # rows.ScreenLimits
    int64_t silence
    int64_t spliced
    int64_t after_close
    int64_t idle
    int64_t vanished
    int64_t reply
    int64_t stuck
    int64_t alone_segments
    int64_t link_down_silence
    int64_t busy_frames
    int64_t rhythm
    int64_t route_change_hops
    int64_t goodbye
    int64_t farewell
    int64_t ike_informational
    int64_t certain_share
    int64_t esp_run
    int64_t esp_breaks_share
    int64_t pause_messages
    int64_t twice_segments
    int64_t twice_share

cdef enum:
    PLAIN_JUDGE = 0  # rows.Plain
    PLAIN_UNREAD = 1
    PLAIN_RESET = 2
    PLAIN_ANSWERED = 3
    PLAIN_LOSS_TOLERATED = 4
    PLAIN_CLOSED = 5
    PLAIN_WELL = 6
    PLAIN_OTHER = 7
    PLAIN_ESP_LOSS_TOLERATED = 8
    PLAIN_ESP_CLOSED = 9
    PLAIN_ESP_WELL = 10
    PLAIN_ONE_SIDED = 11

    SCREENED_AHEAD = 8  # flows whose parts are asked for before their turn

cdef struct half_t:  # one direction, and what is missing of it
    const direction_t* d
    const bounds_t* bounds
    int64_t fin_frame
    const trouble_t* trouble
    const ending_t* ending
    const cargo_t* cargo
    int64_t data_last_frame
    int64_t data_last_ns
    int64_t payload_bytes
    int64_t max_payload_len
    bint is_missing_bytes  # a hole of those that are kept was not filled…
    bint is_passed  # …an ACK passed one of them…
    int64_t last_loss  # …where the last of them showed…
    bint was_had  # …and whether an ACK was the first to tell of one

cdef struct close_t:  # the first FIN or RST that was believed; NEVER: none
    int64_t frame
    int64_t at_ns
    bint is_reset
    int side

cdef limits_t limits_of(limits):
    cdef limits_t made
    (
        made.silence,
        made.spliced,
        made.after_close,
        made.idle,
        made.vanished,
        made.reply,
        made.stuck,
        made.alone_segments,
        made.link_down_silence,
        made.busy_frames,
        made.rhythm,
        made.route_change_hops,
        made.goodbye,
        made.farewell,
        made.ike_informational,
        made.certain_share,
        made.esp_run,
        made.esp_breaks_share,
        made.pause_messages,
        made.twice_segments,
        made.twice_share,
    ) = limits
    return made


# --- what other flows and ICMP errors say ---------------------------------------------------------

cdef bytes screened(const tracker_t* t, const uint32_t* wanted, uint32_t count, limits_t limits, quoted):
    cdef uint8_t* said = <uint8_t*> calloc(<size_t> count + 1, 1)
    cdef uint32_t i
    if said == NULL:
        raise MemoryError
    try:
        doubt_named(t, wanted, count, quoted, said)
        doubt_sharing_an_spi(t, wanted, count, said)
        for i in range(count):
            look_at_pools(t, wanted, count, i)
            said[i] = PLAIN_JUDGE if said[i] else said_of(t, flow_at(t, wanted[i] + 1), &limits)
        return (<char*> said)[:count]
    finally:
        free(said)


cdef bytes settled_among(const tracker_t* t, const uint32_t* wanted, uint32_t count, limits_t limits):
    cdef uint8_t* said = <uint8_t*> calloc(<size_t> count + 1, 1)
    cdef uint32_t i
    if said == NULL:
        raise MemoryError
    try:
        for i in range(count):
            said[i] = is_settled(t, flow_at(t, wanted[i] + 1), &limits)
        return (<char*> said)[:count]
    finally:
        free(said)


cdef tuple conversation_of(const tracker_t* t, const flow_t* flow):
    cdef bytes src = src_of(t, flow)[: flow.address_len]
    cdef bytes dst = dst_of(t, flow)[: flow.address_len]
    if (src, flow.ports[0]) <= (dst, flow.ports[1]):
        return src, flow.ports[0], dst, flow.ports[1]
    return dst, flow.ports[1], src, flow.ports[0]


cdef bint was_not_opened(const flow_t* flow) noexcept nogil:
    cdef const direction_t* one = &flow.directions[0]
    cdef const direction_t* other = &flow.directions[1]
    return (
        has_frame(flow, FIRST_SYN)
        and not has_frame(flow, FIRST_SYN_ACK)
        and not (one.data_segments or pure_acks(one) or other.data_segments or pure_acks(other))
    )


cdef bint may_be_mixed(const tracker_t* t, const direction_t* d) noexcept nogil:
    """A good part of it is here again, or under other numbers: of another place, or of another flow."""
    cdef const trouble_t* trouble = seen_trouble(t, d)
    cdef uint64_t again = counted(t, trouble, RETRANSMISSIONS)
    cdef uint64_t strays = counted(t, trouble, STRAYS)
    return again * 3 > d.data_segments or strays * 3 > d.frames


cdef int doubt_named(
    const tracker_t* t, const uint32_t* wanted, uint32_t count, quoted, uint8_t* doubted
) except -1:
    """Those that ICMP errors quote, and those of the same ends as one that says something of them."""
    cdef uint8_t ports[65536]
    cdef set named = set(quoted)
    cdef const flow_t* flow
    cdef uint32_t i
    memset(ports, 0, sizeof(ports))
    for i in range(count):
        look_at_pools(t, wanted, count, i)
        flow = flow_at(t, wanted[i] + 1)
        if was_not_opened(flow) or may_be_mixed(t, &flow.directions[0]) or may_be_mixed(t, &flow.directions[1]):
            named.add(conversation_of(t, flow))
    for _, sport, _, dport in named:
        ports[<uint16_t> sport] = ports[<uint16_t> dport] = 1
    for i in range(count):
        flow = flow_at(t, wanted[i] + 1)
        if ports[flow.ports[0]] and ports[flow.ports[1]] and conversation_of(t, flow) in named:
            doubted[i] = 1
    return 0


cdef int doubt_sharing_an_spi(
    const tracker_t* t, const uint32_t* wanted, uint32_t count, uint8_t* doubted
) except -1:
    """A table of all SPIs, each with the first flow that uses it.  Under a secret key: who made them cannot fill one place."""
    cdef uint64_t mask = table_mask(min(<uint64_t> t.associations.held, 2 * <uint64_t> count * ASSOCIATIONS_KEPT))
    cdef uint64_t* users = <uint64_t*> calloc(mask + 1, sizeof(uint64_t))
    cdef uint32_t i, handle
    cdef int side
    if users == NULL:
        raise MemoryError
    for i in range(count):
        look_at_pools(t, wanted, count, i)
        for side in range(2):
            handle = seen_cargo(t, &flow_at(t, wanted[i] + 1).directions[side]).kept_first
            while handle:
                note_user(users, mask, association_at(t, handle).spi, i, doubted)
                handle = association_at(t, handle).next
    free(users)
    return 0


cdef uint64_t table_mask(uint64_t entries) noexcept nogil:
    """Of a table in which at least every second place stays free."""
    cdef uint64_t mask = 1
    while mask < 2 * entries:
        mask = 2 * mask + 1
    return mask


cdef inline void note_user(uint64_t* users, uint64_t mask, uint32_t spi, uint32_t i, uint8_t* doubted) noexcept nogil:
    cdef uint64_t at = strew(spi) & mask
    while users[at] != 0 and users[at] >> 32 != spi:
        at = (at + 1) & mask
    if users[at] == 0:
        users[at] = <uint64_t> spi << 32 | (i + 1)
    elif <uint32_t> users[at] != i + 1:
        doubted[i] = doubted[<uint32_t> users[at] - 1] = 1


cdef inline void look_at_pools(const tracker_t* t, const uint32_t* wanted, uint32_t count, uint32_t i) noexcept nogil:
    """Ask for what coming flows hold in pools.  The flows themselves mostly stand one behind the other."""
    cdef const direction_t* d
    cdef int side
    for side in range(2):
        if i + 2 * SCREENED_AHEAD < count:
            d = &flow_at(t, wanted[i + 2 * SCREENED_AHEAD] + 1).directions[side]
            prefetch(seen_trouble(t, d))
            prefetch(&seen_trouble(t, d).counts)
            prefetch(seen_cargo(t, d))
            prefetch(&seen_cargo(t, d).last_ike_print)
        if i + SCREENED_AHEAD < count:
            d = &flow_at(t, wanted[i + SCREENED_AHEAD] + 1).directions[side]
            prefetch(association_at(t, seen_cargo(t, d).kept_first))


# --- one flow --------------------------------------------------------------------------------------

cdef uint8_t said_of(const tracker_t* t, const flow_t* flow, const limits_t* limits) noexcept nogil:
    cdef half_t halves[2]
    cdef close_t close
    look_at_half(t, flow, 0, &halves[0])
    look_at_half(t, flow, 1, &halves[1])
    close = close_of(halves, limits)
    if (halves[0].d.frames == 0) != (halves[1].d.frames == 0) and not is_cut(t, flow, halves, &close, limits):
        return said_of_one_side(t, halves, limits)
    if is_troubled(t, flow, halves, limits) or is_cut(t, flow, halves, &close, limits):
        return PLAIN_JUDGE
    if close.is_reset and not came_from_its_end(&halves[close.side], limits):
        return PLAIN_JUDGE
    if halves[0].cargo.trailer_cisco or halves[1].cargo.trailer_cisco:
        return said_of_ctcp(t, flow, halves, &close, limits) if is_certain(halves, limits) else PLAIN_JUDGE
    if is_esp_like(halves, limits):
        return of_esp(said_of_ctcp(t, flow, halves, &close, limits))
    return said_of_others(t, halves, &close, limits)


cdef inline uint8_t of_esp(uint8_t said) noexcept nogil:
    if said == PLAIN_LOSS_TOLERATED:
        return PLAIN_ESP_LOSS_TOLERATED
    if said == PLAIN_CLOSED:
        return PLAIN_ESP_CLOSED
    return PLAIN_ESP_WELL if said == PLAIN_WELL else said


cdef bint is_settled(const tracker_t* t, const flow_t* flow, const limits_t* limits) noexcept nogil:
    cdef half_t halves[2]
    look_at_half(t, flow, 0, &halves[0])
    look_at_half(t, flow, 1, &halves[1])
    return (
        stage_of(t, flow) == STAGE_ENDED
        and latest_ns(t) - latest_of(t, flow) >= limits.silence
        and close_of(halves, limits).frame != NEVER
    )


cdef void look_at_half(const tracker_t* t, const flow_t* flow, int side, half_t* half) noexcept nogil:
    cdef const direction_t* d = &flow.directions[side]
    half.d = d
    half.bounds = &flow.bounds[side]
    half.fin_frame = frame_in(t, flow, FIRST_FIN + side)
    half.trouble, half.cargo = seen_trouble(t, d), seen_cargo(t, d)
    half.ending = seen_ending(t, half.trouble)
    half.data_last_frame, half.data_last_ns = d.data_last.frame, d.data_last.time_ns
    half.payload_bytes = payload_bytes(t, flow, side)
    half.max_payload_len = max_payload_len(t, flow, side)
    half.is_missing_bytes, half.is_passed, half.last_loss, half.was_had = False, False, 0, False
    look_at_holes(t, half.trouble.kept_first, half)
    look_at_holes(t, half.trouble.live_first, half)


cdef void look_at_holes(const tracker_t* t, uint32_t handle, half_t* half) noexcept nogil:
    cdef const hole_t* hole
    while handle:
        hole = hole_at(t, handle)
        if hole.filled_frame == NEVER:
            half.is_missing_bytes = True
            half.is_passed = half.is_passed or hole.acked_frame != NEVER
            half.was_had = half.was_had or hole.opened_frame == hole.acked_frame
            half.last_loss = max(half.last_loss, hole.opened_frame)
        handle = hole.next


cdef int64_t latest_of(const tracker_t* t, const flow_t* flow) noexcept nogil:
    return seen_oddity(t, flow).latest_ns if flow.state & CLOCK_RAN_BACK else last_speaker(flow).last_ns


cdef bint is_troubled(
    const tracker_t* t, const flow_t* flow, const half_t* halves, const limits_t* limits
) noexcept nogil:
    return (
        was_not_opened(flow)
        or is_half_troubled(t, &halves[0])
        or is_half_troubled(t, &halves[1])
        or is_behind(t, flow, 0)
        or is_behind(t, flow, 1)
        or is_forgotten(t, flow, halves, limits)
        or is_unanswered(flow, halves, limits)
    )


cdef bint is_behind(const tracker_t* t, const flow_t* flow, int side) noexcept nogil:
    """One direction behind the other, in the capture and not by its times."""
    cdef const direction_t* first = &flow.directions[side]
    return (
        first.last_ns > flow.bounds[1 - side].first_ns
        and first.last_frame < first_frame_of(t, flow, 1 - side)
    )


cdef bint is_half_troubled(const tracker_t* t, const half_t* half) noexcept nogil:
    return half.d.frames == 0 or is_wanting(t, half)


cdef bint is_wanting(const tracker_t* t, const half_t* half) noexcept nogil:
    cdef const trouble_t* trouble = half.trouble
    cdef uint32_t latest = trouble.episode if trouble.episode else trouble.kept_episodes_last
    return (
        (latest != 0 and episode_at(t, latest).passed_frame == NEVER)
        or (half.d.state & SENDER_SEEN and half.d.last_window == 0 and counted(t, trouble, ZERO_WINDOWS) >= 2)
        or trouble.smallest_missing_len > half.max_payload_len
    )


cdef bint is_forgotten(
    const tracker_t* t, const flow_t* flow, const half_t* halves, const limits_t* limits
) noexcept nogil:
    cdef const half_t* other
    if flow.longest_silence_ns < limits.idle:
        return False
    other = &halves[1 if flow.state & SILENCE_BROKEN_BY_0 else 0]
    return other.d.last_frame < frame_in(t, flow, SILENCE_TO) or other.ending.frame != NEVER


cdef bint is_unanswered(const flow_t* flow, const half_t* halves, const limits_t* limits) noexcept nogil:
    cdef const direction_t* speaker = halves[1 if flow.tail_direction == 1 else 0].d
    return (
        tail_data_segments(flow) >= limits.alone_segments
        and speaker.last_ns - flow.tail.began.time_ns >= limits.vanished
    )


cdef close_t close_of(const half_t* halves, const limits_t* limits) noexcept nogil:
    cdef close_t close
    cdef int64_t both_spoke_ns = min(halves[0].data_last_ns, halves[1].data_last_ns)
    cdef const half_t* half
    cdef int side
    close.frame, close.at_ns, close.is_reset, close.side = NEVER, NEVER, False, 0
    for side in range(2):
        half = &halves[side]
        take_close(&close, half.fin_frame, half.bounds.fin_ns, False, side)
        if half.ending.frame != NEVER and both_spoke_ns - half.ending.time_ns < limits.after_close:
            take_close(&close, half.ending.frame, half.ending.time_ns, True, side)
    return close


cdef void take_close(close_t* close, int64_t frame, int64_t at_ns, bint is_reset, int side) noexcept nogil:
    if frame != NEVER and (close.frame == NEVER or frame < close.frame):
        close.frame, close.at_ns, close.is_reset, close.side = frame, at_ns, is_reset, side


cdef bint is_cut(
    const tracker_t* t, const flow_t* flow, const half_t* halves, const close_t* close, const limits_t* limits
) noexcept nogil:
    cdef int64_t ended_ns = latest_of(t, flow)
    cdef int64_t silent_ns = latest_ns(t) - ended_ns
    cdef const direction_t* one = halves[0].d
    cdef const direction_t* other = halves[1].d
    if close.frame != NEVER or silent_ns < limits.silence or silent_ns >= limits.spliced:
        return False
    return (
        flow.longest_silence_ns <= silent_ns // limits.link_down_silence
        and <int64_t> one.frames + other.frames >= limits.busy_frames
        and ended_ns - flow.bounds[0].first_ns >= limits.rhythm
        and (one.next_pos > one.acked_pos >= 0 or other.next_pos > other.acked_pos >= 0)
    )


cdef bint came_from_its_end(const half_t* half, const limits_t* limits) noexcept nogil:
    cdef int64_t ttl = half.ending.ttl
    cdef int64_t data_ttl = half.bounds.data_ttl if half.d.data_segments else NEVER
    cdef bint is_near = is_beside(ttl, data_ttl) or is_beside(ttl, half.bounds.ttl_min)
    is_near = is_near or is_beside(ttl, half.bounds.ttl_max)
    if data_ttl != NEVER and distance(ttl, data_ttl) > limits.route_change_hops:
        return False
    return half.d.state & SENDER_SEEN and half.bounds.ttl_min <= ttl <= half.bounds.ttl_max and is_near


cdef inline int64_t distance(int64_t one, int64_t other) noexcept nogil:
    return one - other if one > other else other - one


cdef inline bint is_beside(int64_t one, int64_t other) noexcept nogil:
    return distance(one, other) <= 1


# --- by what it carries ------------------------------------------------------------------------------

cdef uint8_t said_of_one_side(const tracker_t* t, const half_t* halves, const limits_t* limits) noexcept nogil:
    cdef const half_t* seen = &halves[1 if halves[0].d.frames == 0 else 0]
    cdef bint is_tunnel = seen.cargo.trailer_cisco != 0 or is_esp_like(halves, limits)
    cdef bint was_answered_elsewhere = seen.d.data_segments != 0 or pure_acks(seen.d) != 0
    if seen.ending.frame != NEVER or is_wanting(t, &halves[0]) or is_wanting(t, &halves[1]):
        return PLAIN_JUDGE
    return PLAIN_ONE_SIDED if is_tunnel and was_answered_elsewhere else PLAIN_JUDGE


cdef uint8_t said_of_ctcp(
    const tracker_t* t, const flow_t* flow, const half_t* halves, const close_t* close, const limits_t* limits
) noexcept nogil:
    cdef bint is_losing = False
    cdef bint is_open = close.frame == NEVER
    cdef int64_t long_ns = limits.vanished if is_open else limits.reply
    cdef int side
    if is_negotiating(halves) or is_without_reply(t, flow, halves, long_ns, limits):
        return PLAIN_JUDGE
    if is_open and may_lack_questions(flow, limits):
        return PLAIN_JUDGE
    if was_bared(t, &halves[0]) or was_bared(t, &halves[1]):
        return PLAIN_JUDGE
    if skips_numbers(t, &halves[0]) or skips_numbers(t, &halves[1]):
        return PLAIN_JUDGE
    if halves[0].was_had or halves[1].was_had:
        return PLAIN_JUDGE
    if min(esp_missing_in(t, &halves[0]), esp_missing_in(t, &halves[1])) >= limits.pause_messages:
        return PLAIN_JUDGE
    for side in range(2):
        if is_doubled_in_part(t, &halves[side], limits):
            return PLAIN_JUDGE
        if halves[side].is_missing_bytes:
            is_losing = True
            if not went_on(&halves[side], halves):
                return PLAIN_JUDGE
    if was_answered(t, &halves[0]) or was_answered(t, &halves[1]):
        return PLAIN_ANSWERED
    if close.is_reset and not a_farewell_was_said(halves, close, limits):
        return PLAIN_JUDGE
    if is_losing:
        return PLAIN_LOSS_TOLERATED
    return PLAIN_WELL if close.frame == NEVER else PLAIN_CLOSED


cdef uint8_t said_of_others(
    const tracker_t* t, const half_t* halves, const close_t* close, const limits_t* limits
) noexcept nogil:
    cdef bint is_named = halves[0].bounds.signature != 0 or halves[1].bounds.signature != 0
    cdef bint is_read = is_named or absent_in(&halves[0]) > 0 or absent_in(&halves[1]) > 0
    cdef int side
    for side in range(2):
        if not is_named and (halves[side].cargo.trailer_weak or longest_run(halves[side].cargo, halves[side].d) >= limits.esp_run):
            return PLAIN_JUDGE
    if not is_read and halves[0].payload_bytes == 0 and halves[1].payload_bytes == 0:
        return PLAIN_JUDGE
    if was_answered(t, &halves[0]) or was_answered(t, &halves[1]):
        return PLAIN_ANSWERED
    if close.is_reset and not was_announced(halves, close, limits):
        return PLAIN_RESET
    return PLAIN_OTHER if is_read else PLAIN_UNREAD


cdef bint was_bared(const tracker_t* t, const half_t* half) noexcept nogil:
    cdef const trouble_t* trouble = half.trouble
    cdef uint32_t holes = <uint32_t> trouble.kept_count + trouble.live_count
    cdef uint32_t episodes = <uint32_t> trouble.kept_episodes_count + (trouble.episode != 0)
    return (
        holes < min(counted(t, trouble, HOLES_OPENED), HOLES_KEPT)
        or episodes < min(counted(t, trouble, EPISODES_BEGUN), <uint32_t> EPISODES_KEPT)
        or half.cargo.kept_count < min(half.cargo.associations, ASSOCIATIONS_KEPT)
    )


cdef int64_t absent_in(const half_t* half) noexcept nogil:
    """Payloads whose end was captured and is no trailer."""
    cdef const cargo_t* cargo = half.cargo
    return <int64_t> half.d.data_segments - cargo.trailer_cisco - cargo.trailer_weak - half.d.trailer_cut_off


cdef bint is_esp_like(const half_t* halves, const limits_t* limits) noexcept nogil:
    cdef int64_t run = 0, breaks = 0, cut_off = 0
    cdef const half_t* half
    cdef int side
    for side in range(2):
        half = &halves[side]
        if half.bounds.signature or half.cargo.trailer_weak or absent_in(half):
            return False
        run = max(run, <int64_t> longest_run(half.cargo, half.d))
        breaks += breaks_of_runs(half.cargo, half.d)
        cut_off += half.d.trailer_cut_off
    return run >= limits.esp_run and breaks * limits.esp_breaks_share <= cut_off


cdef bint is_certain(const half_t* halves, const limits_t* limits) noexcept nogil:
    cdef int64_t cisco = 0, full = 0
    cdef int side
    for side in range(2):
        cisco += halves[side].cargo.trailer_cisco
        full += <int64_t> halves[side].d.data_segments - halves[side].d.trailer_cut_off
    return cisco * limits.certain_share >= full


cdef bint is_negotiating(const half_t* halves) noexcept nogil:
    cdef const cargo_t* one = halves[0].cargo
    cdef const cargo_t* other = halves[1].cargo
    return (one.ike_messages or other.ike_messages) and not (one.esp_messages or other.esp_messages)


cdef bint is_doubled_in_part(const tracker_t* t, const half_t* half, const limits_t* limits) noexcept nogil:
    """Here twice, and some of it once."""
    cdef int64_t twice = (
        <int64_t> counted(t, half.trouble, COPIES) + counted(t, half.trouble, RETRANSMISSIONS)
    )
    cdef int64_t once = half.d.frames - 2 * twice
    return twice >= limits.twice_segments and min(twice, once) * limits.twice_share >= twice + once


cdef bint is_without_reply(
    const tracker_t* t, const flow_t* flow, const half_t* halves, int64_t long_ns, const limits_t* limits
) noexcept nogil:
    cdef const half_t* silent
    if flow.data_tail_direction == NEVER or data_tail_segments(flow) < limits.alone_segments:
        return False
    silent = &halves[0 if flow.data_tail_direction == 1 else 1]
    return latest_of(t, flow) - silent.data_last_ns >= long_ns and silent.d.data_segments > 0


cdef bint may_lack_questions(const flow_t* flow, const limits_t* limits) noexcept nogil:
    cdef const direction_t* one = &flow.directions[0]
    cdef const direction_t* other = &flow.directions[1]
    if has_frame(flow, FIRST_SYN) or has_frame(flow, FIRST_SYN_ACK) or pure_acks(one) or pure_acks(other):
        return False
    return is_standing_still(one, other, limits) or is_standing_still(other, one, limits)


cdef bint is_standing_still(const direction_t* d, const direction_t* peer, const limits_t* limits) noexcept nogil:
    """Of what goes one way the ACKs that the other end's data carries."""
    return d.next_pos > d.acked_pos and d.data_last.time_ns - peer.advanced.time_ns >= limits.stuck


cdef bint skips_numbers(const tracker_t* t, const half_t* half) noexcept nogil:
    return not half.is_missing_bytes and absent_in(half) == 0 and esp_missing_in(t, half) > 0


cdef int64_t esp_missing_in(const tracker_t* t, const half_t* half) noexcept nogil:
    return half.cargo.esp_missing + kept_missing(t, half.cargo)


cdef bint went_on(const half_t* half, const half_t* halves) noexcept nogil:
    return half.is_passed or min(halves[0].data_last_frame, halves[1].data_last_frame) > half.last_loss


cdef bint was_answered(const tracker_t* t, const half_t* half) noexcept nogil:
    """By one of the latest EPISODES_KEPT, the open one among them."""
    cdef const trouble_t* trouble = half.trouble
    cdef uint32_t handle = trouble.kept_episodes_first
    cdef int64_t let_go = <int64_t> trouble.kept_episodes_count + (trouble.episode != 0) - EPISODES_KEPT
    cdef uint32_t retransmissions = counted(t, trouble, RETRANSMISSIONS)
    if not retransmissions or trouble.again_bytes == retransmissions:
        return False
    if trouble.episode and episode_at(t, trouble.episode).answered_frame != NEVER:
        return True
    while handle:
        if let_go <= 0 and episode_at(t, handle).answered_frame != NEVER:
            return True
        let_go -= 1
        handle = episode_at(t, handle).next
    return False


cdef bint a_farewell_was_said(const half_t* halves, const close_t* close, const limits_t* limits) noexcept nogil:
    """It was announced, and by nothing that may be a question or its answer."""
    cdef int64_t one = halves[0].cargo.last_ike_ns
    cdef int64_t other = halves[1].cargo.last_ike_ns
    cdef bint is_talk = one != NEVER and other != NEVER and distance(one, other) <= limits.farewell
    return was_announced(halves, close, limits) and not (is_talk and close.at_ns - max(one, other) > limits.goodbye)


cdef bint was_announced(const half_t* halves, const close_t* close, const limits_t* limits) noexcept nogil:
    cdef bint is_announced = False
    cdef const half_t* half
    cdef int64_t since_ns
    cdef int side
    for side in range(2):
        half = &halves[side]
        if close.at_ns - half.d.last_ns > limits.vanished:
            return False
        since_ns = close.at_ns - half.cargo.last_ike_ns
        if half.cargo.last_ike_exchange == limits.ike_informational:
            is_announced = is_announced or -limits.goodbye <= since_ns <= limits.farewell
    return is_announced
