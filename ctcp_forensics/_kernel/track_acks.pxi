# What one end acknowledges of what the other sent, and the questions it asks.

# --- ACKs -----------------------------------------------------------------------------------------

cdef inline void take_ack(
    tracker_t* t, const batch_t* batch, flow_t* flow, int side, const packet_t* p, bint keep_alive
) noexcept nogil:
    """Take the cumulative ACK `p` of direction `side` for the data of the other one, `d`."""
    cdef direction_t* d = &flow.directions[1 - side]
    cdef int64_t pos
    if unlikely(not d.state & ANCHORED):
        anchor_at(d, p.ack, MID_STREAM)
    pos = place(d, p.ack)
    if unlikely(is_far(d, pos)):
        count(t, trouble_of(t, d), STRAYS)
        return
    if unlikely(pos > d.next_pos):
        note_unseen(t, flow, 1 - side, p, pos)
    if pos > d.acked_pos:
        advance(t, d, p, extra_behind(batch, p), pos)
        flow.directions[side].advanced = moment_of(p)
    elif pos == d.acked_pos:
        take_repeated_ack(t, d, p, extra_behind(batch, p), keep_alive)
    else:
        count(t, trouble_of(t, d), OLD_ACKS)
    if likely(not p.flags & SYN) or not p.has_extra or extra_behind(batch, p).window_scale < 0:
        d.last_ack_window = p.window
        d.state |= ACK_SEEN
    d.state &= ~DATA_SINCE_ACK


cdef void note_unseen(tracker_t* t, flow_t* flow, int side, const packet_t* p, int64_t pos) noexcept nogil:
    cdef direction_t* d = &flow.directions[side]
    cdef trouble_t* trouble = trouble_of(t, d)
    cdef hole_t* last = hole_at(t, trouble.live_last)
    count(t, trouble, UNSEEN_ACKS)
    if trouble.live_last and last.end == d.next_pos and last.acked_frame != NEVER:
        last.end = pos
    elif d.data_segments or d.state & ISN_KNOWN:
        open_hole(t, d, p, pos).opener_ip_id = -1  # the ID is of the other end's counter
    skip_to(t, flow, side, pos)


cdef inline void advance(
    tracker_t* t, direction_t* d, const packet_t* p, const extra_t* extra, int64_t pos
) noexcept nogil:
    if unlikely(d.trouble):
        settle_questions(t, seen_trouble(t, d), p, pos)
    if pos - d.acked_pos > d.last_ack_window and d.acked_pos != NEVER and d.state & ACK_SEEN:
        if unlikely(d.state & WINDOW_OVERRUNS != WINDOW_OVERRUNS):
            d.state += ONE_OVERRUN
    if unlikely(p.has_extra) and extra.sack_count:
        note_sacked_before(t, d, extra)
    d.acked_pos = pos


cdef void settle_questions(tracker_t* t, trouble_t* trouble, const packet_t* p, int64_t pos) noexcept nogil:
    """The peer acknowledges more than ever before: what it asked for is settled."""
    cdef episode_t* episode
    if trouble.episode:
        episode = episode_at(t, trouble.episode)
        episode.passed_frame, episode.passed_ns = p.frame, p.time_ns
        keep_episode(t, trouble)
    if trouble.unacked_holes:
        mark_acked(t, trouble, p, pos)


cdef void mark_acked(tracker_t* t, trouble_t* trouble, const packet_t* p, int64_t pos) noexcept nogil:
    cdef uint32_t handle = trouble.live_first
    cdef hole_t* hole
    while handle:
        hole = hole_at(t, handle)
        if hole.acked_frame == NEVER and hole.start < pos:
            hole.acked_frame, hole.acked_ns = p.frame, p.time_ns
            trouble.unacked_holes -= 1
            count(t, trouble, HOLES_ACKED_PAST)
        handle = hole.next


cdef void keep_episode(tracker_t* t, trouble_t* trouble) noexcept nogil:
    cdef uint32_t oldest = trouble.kept_episodes_first
    if trouble.kept_episodes_last:
        episode_at(t, trouble.kept_episodes_last).next = trouble.episode
    else:
        trouble.kept_episodes_first = trouble.episode
    trouble.kept_episodes_last = trouble.episode
    trouble.episode = 0
    if trouble.kept_episodes_count < EPISODES_KEPT:
        trouble.kept_episodes_count += 1
        return
    trouble.kept_episodes_first = episode_at(t, oldest).next
    give_back(&t.episodes, oldest)


cdef inline void take_repeated_ack(
    tracker_t* t, direction_t* d, const packet_t* p, const extra_t* extra, bint keep_alive
) noexcept nogil:
    """The highest ACK once more: a question, or one of the things that look like it."""
    cdef bint duplicate = is_duplicate_ack(t, d, p, keep_alive)
    if unlikely(duplicate or d.trouble or (p.has_extra and extra.sack_count)):
        weigh_question(t, d, p, extra, duplicate)


cdef void weigh_question(
    tracker_t* t, direction_t* d, const packet_t* p, const extra_t* extra, bint duplicate
) noexcept nogil:
    cdef bint has_sacks = p.has_extra and extra.sack_count
    cdef bint news = note_sacks(t, d, extra) if has_sacks else False
    cdef trouble_t* trouble = seen_trouble(t, d)
    cdef episode_t* episode
    if duplicate or news:
        trouble = trouble_of(t, d)
        if duplicate:
            count(t, trouble, DUPLICATE_ACKS)
        if news:
            count(t, trouble, SACK_DUPLICATE_ACKS)
        if not trouble.episode:
            begin_episode(t, d, trouble)
        ask(episode_at(t, trouble.episode), p, duplicate, news, d.state & DATA_SINCE_ACK != 0)
    elif trouble.episode:
        note_repeated(episode_at(t, trouble.episode), p)
    if trouble.episode and has_sacks:
        note_sacked(episode_at(t, trouble.episode), lowest_left(d, extra))


cdef inline bint is_duplicate_ack(tracker_t* t, direction_t* d, const packet_t* p, bint keep_alive) noexcept nogil:
    """RFC 5681 §2 (a) to (e); what Wireshark names otherwise is counted under its own name."""
    if p.payload_len or p.flags & OPENING or keep_alive:
        return False
    if not d.state & ACK_SEEN or p.window != d.last_ack_window:
        d.window_updates += d.state & ACK_SEEN != 0
        return False
    if unlikely(d.state & KEEP_ALIVE_PENDING):
        count(t, trouble_of(t, d), KEEP_ALIVE_ACKS)
        return False
    if unlikely(p.window == 0):
        if d.state & PROBE_PENDING:
            count(t, trouble_of(t, d), ZERO_WINDOW_PROBE_ACKS)
        return False
    if d.next_pos <= d.acked_pos:
        d.idle_acks += 1
        return False
    return True


cdef void note_sacked_before(tracker_t* t, direction_t* d, const extra_t* extra) noexcept nogil:
    """SACKed already, whatever a repetition of this ACK may say."""
    cdef trouble_t* trouble = trouble_of(t, d)
    trouble.sacked_to = max(trouble.sacked_to, highest_sacked(d, extra))


cdef int64_t highest_sacked(const direction_t* d, const extra_t* extra) noexcept nogil:
    """The position after the highest octet that this ACK SACKs; NEVER where its blocks are empty."""
    cdef int64_t left, right
    cdef int64_t highest = NEVER
    cdef int i
    for i in range(extra.sack_count):
        left, right = place(d, extra.sacks[2 * i]), place(d, extra.sacks[2 * i + 1])
        if left < right and (highest == NEVER or right > highest):
            highest = right
    return highest if highest <= d.next_pos else NEVER


cdef bint note_sacks(tracker_t* t, direction_t* d, const extra_t* extra) noexcept nogil:
    """RFC 6675 §2: the segment SACKs octets above HighACK that were not SACKed before."""
    cdef trouble_t* trouble = trouble_of(t, d)
    cdef int64_t first_left, first_right, highest
    first_left, first_right = place(d, extra.sacks[0]), place(d, extra.sacks[1])
    if is_dsack(d, extra, first_left, first_right):
        count(t, trouble, DSACKS)
    highest = highest_sacked(d, extra)
    if highest <= max(trouble.sacked_to, d.acked_pos):
        return False
    trouble.sacked_to = highest
    return True


cdef bint is_dsack(const direction_t* d, const extra_t* extra, int64_t left, int64_t right) noexcept nogil:
    """RFC 2883 §4: the first block lies below the ACK, or inside the second."""
    if right <= d.acked_pos:
        return True
    return extra.sack_count > 1 and place(d, extra.sacks[2]) <= left and right <= place(d, extra.sacks[3])


cdef int64_t lowest_left(const direction_t* d, const extra_t* extra) noexcept nogil:
    cdef int64_t lowest = place(d, extra.sacks[0])
    cdef int i
    for i in range(1, extra.sack_count):
        lowest = min(lowest, place(d, extra.sacks[2 * i]))
    return lowest


# --- episodes ----------------------------------------------------------------------------------------

cdef void begin_episode(tracker_t* t, direction_t* d, trouble_t* trouble) noexcept nogil:
    cdef episode_t* episode
    trouble.episode = take(t, &t.episodes)
    count(t, trouble, EPISODES_BEGUN)
    episode = episode_at(t, trouble.episode)
    episode.wanted = d.acked_pos
    episode.outstanding = d.next_pos - d.acked_pos
    episode.wanted_seen = not lacks(t, d, d.acked_pos)


cdef void ask(episode_t* episode, const packet_t* p, bint duplicate, bint news, bint prompted) noexcept nogil:
    episode.duplicate_acks += duplicate
    episode.sack_duplicate_acks += news
    if episode.first_frame == NEVER:
        episode.first_frame, episode.first_ns = p.frame, p.time_ns
        episode.ttl_min, episode.ttl_max = p.ttl, p.ttl
        episode.window = p.window
    else:
        note_interval(episode, max(0, p.time_ns - episode.last_ns))
    episode.last_frame, episode.last_ns, episode.last_asked_ns = p.frame, p.time_ns, p.time_ns
    episode.ttl_min = min(episode.ttl_min, <int32_t> p.ttl)
    episode.ttl_max = max(episode.ttl_max, <int32_t> p.ttl)
    episode.prompted += prompted
    if episode.frames_kept < DUP_ACK_FRAMES_KEPT:
        episode.frames[episode.frames_kept] = p.frame
        episode.frames_kept += 1


cdef void note_interval(episode_t* episode, int64_t interval_ns) noexcept nogil:
    if episode.shortest_interval_ns == NEVER or interval_ns < episode.shortest_interval_ns:
        episode.shortest_interval_ns = interval_ns
    episode.longest_interval_ns = max(episode.longest_interval_ns, interval_ns)
    episode.close_asks += interval_ns <= CLOSE_ASK_NS


cdef void note_repeated(episode_t* episode, const packet_t* p) noexcept nogil:
    episode.last_asked_ns = p.time_ns
    if p.payload_len:
        episode.piggybacked += 1
        episode.piggybacked_last_ns = p.time_ns


cdef void note_sacked(episode_t* episode, int64_t left) noexcept nogil:
    if left > episode.wanted and (episode.sacked_left == NEVER or left < episode.sacked_left):
        episode.sacked_left = left


cdef void note_sending(
    episode_t* episode, const packet_t* p, int64_t pos, int64_t end, int64_t fresh, int key
) noexcept nogil:
    """What the sender does while it is being asked."""
    if pos <= episode.wanted < end:
        if key == KEY_NEWEST:
            if episode.rewritten_frame == NEVER:
                episode.rewritten_frame = p.frame
        elif episode.answered_frame == NEVER:
            episode.answered_frame, episode.answered_ns = p.frame, p.time_ns
    if fresh and p.payload_len:
        episode.new_segments += 1
        episode.new_last_frame, episode.new_last_ns = p.frame, p.time_ns
        if episode.new_first_frame == NEVER:
            episode.new_first_frame = p.frame
