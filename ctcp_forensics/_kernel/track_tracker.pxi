# The log, the way of a batch through the rooms, and the class that Python sees.

# --- the log of what looks like cTCP -------------------------------------------------------------------

cdef inline segment_t* logged(const tracker_t* t, int64_t number) noexcept nogil:
    return &t.log[(number // LOG_CHUNK) % t.log_chunks][number % LOG_CHUNK]


cdef segment_t* new_segment(tracker_t* t) noexcept nogil:
    cdef int64_t place = t.log_end % LOG_CHUNK
    if unlikely(place == 0):
        t.latest_chunk = next_chunk(t)
    if unlikely(t.latest_chunk == NULL):
        t.out_of_memory = True
        return NULL
    t.log_end += 1
    return &t.latest_chunk[place]


cdef segment_t* next_chunk(tracker_t* t) noexcept nogil:
    """Of the ring: new where it is reached for the first time, NULL where there is no memory for it."""
    cdef int64_t chunk = (t.log_end // LOG_CHUNK) % t.log_chunks
    if t.log[chunk] == NULL:
        t.log[chunk] = <segment_t*> carve(&t.arena, LOG_CHUNK * sizeof(segment_t))
    return t.log[chunk]


cdef void log_segment(
    tracker_t* t, uint32_t index, int side, int64_t ack_pos, const packet_t* p, int64_t pos, const message_t* messages
) noexcept nogil:
    cdef message_t whole
    cdef uint32_t i
    cdef bint damaged = is_damaged(seen_cargo(t, &flow_at(t, index + 1).directions[side]), p)
    for i in range(p.message_count):
        log_message(t, index, side, ack_pos, p, pos, &messages[i], damaged)
    if p.message_count == 0:
        memset(&whole, 0, sizeof(whole))
        whole.kind, whole.length, whole.print64 = KIND_NONE, p.payload_len, p.print64
        whole.spi, whole.esp_seq = p.head[0], p.head[1]
        log_message(t, index, side, ack_pos, p, pos, &whole, damaged)
    if t.log_end - t.log_first >= t.log_cap:
        t.unlogged += t.log_cap // 4
        t.log_first += t.log_cap // 4


cdef void log_message(
    tracker_t* t,
    uint32_t index,
    int side,
    int64_t ack_pos,
    const packet_t* p,
    int64_t pos,
    const message_t* m,
    bint damaged,
) noexcept nogil:
    cdef segment_t* row = new_segment(t)
    if row == NULL:
        return
    row.flow, row.side, row.frame, row.time_ns = index, side, p.frame, p.time_ns
    row.pos, row.length, row.ack_pos, row.flags = pos + m.offset, m.length, ack_pos, p.flags
    row.kind, row.spi, row.esp_seq, row.print64 = m.kind, m.spi, m.esp_seq, m.print64
    row.is_damaged = damaged


cdef struct log_t:  # the log as it stands, for going through it: its chunks from the oldest on
    segment_t** chunks
    uint32_t passed  # rows of the first chunk that are older than the oldest in the log
    uint32_t count

cdef inline segment_t* row_of(const log_t* log, uint32_t i) noexcept nogil:
    """Row `i` from the oldest, without the division that a ring takes."""
    i += log.passed
    return &log.chunks[i // LOG_CHUNK][i % LOG_CHUNK]


cdef bint view_log(const tracker_t* t, log_t* log) noexcept nogil:
    """Good until the tracker is fed again; `chunks` has to be freed.  False where there is no memory."""
    cdef int64_t first = t.log_first // LOG_CHUNK
    cdef int64_t chunks = t.log_end // LOG_CHUNK - first + 1
    cdef int64_t i
    log.chunks = <segment_t**> malloc(<size_t> chunks * sizeof(void*))
    if log.chunks == NULL:
        return False
    for i in range(chunks):
        log.chunks[i] = t.log[(first + i) % t.log_chunks]
    log.passed, log.count = t.log_first % LOG_CHUNK, <uint32_t> (t.log_end - t.log_first)
    return True


# --- batches ---------------------------------------------------------------------------------------------

cdef inline void look_ahead(const found_t* found) noexcept nogil:
    """Ask for the other lines that the next segment of this flow will touch; the first is under way."""
    prefetch_to_write(&found.flow.directions[0].next_pos)
    prefetch_to_write(&found.flow.directions[1].next_pos)
    prefetch_to_write(&found.d.marks)
    prefetch_to_write(&found.d.data_last)
    prefetch_to_write(&found.flow.tail)


cdef inline void look_closer(const tracker_t* t, const found_t* found) noexcept nogil:
    """What is being asked in the flow of a packet that comes soon; the flow itself should be there by now."""
    if unlikely((found.d.state | found.peer.state) & IS_ASKED):
        prefetch(seen_trouble(t, found.d))
        prefetch(seen_trouble(t, found.peer))


cdef inline uint32_t group_len(const batch_t* batch, uint32_t first) noexcept nogil:
    """Of the group that begins at this packet; 0 behind the last."""
    return min(<uint32_t> GROUP, batch.count - min(first, batch.count))


cdef inline const packet_t* group_at(const batch_t* batch, uint32_t first) noexcept nogil:
    return &batch.rows[min(first, batch.count)]


cdef inline void look_at_slots(const tracker_t* t, const batch_t* batch, uint32_t first) noexcept nogil:
    cdef const packet_t* p = group_at(batch, first)
    cdef uint32_t i
    for i in range(group_len(batch, first)):
        prefetch(&t.slots[p[i].flow_hash & t.slot_mask])


cdef inline void look_at_flows(const tracker_t* t, const batch_t* batch, uint32_t first, found_t* ahead) noexcept nogil:
    cdef const packet_t* p = group_at(batch, first)
    cdef uint32_t i
    for i in range(group_len(batch, first)):
        if likely(p[i].status == TCP_SEGMENT):
            ahead[i] = look_up(t, &p[i])
            prefetch_to_write(ahead[i].flow)


cdef inline void look_at_lines(const found_t* ahead) noexcept nogil:
    """Of the first group, which comes behind none."""
    cdef uint32_t i
    for i in range(GROUP):
        look_ahead(&ahead[i])


cdef inline void look_at_troubles(
    const tracker_t* t, const batch_t* batch, uint32_t first, const found_t* ahead
) noexcept nogil:
    cdef uint32_t i
    for i in range(group_len(batch, first)):
        look_closer(t, &ahead[i])


cdef inline bint adds_to_cargo(const packet_t* p, const found_t* found) noexcept nogil:
    """Its trailer may have been cut off, so that only its direction tells that it is a message."""
    return p.payload_len != 0 and found.d.state & HAS_CARGO != 0


cdef void look_at_cargoes(
    const tracker_t* t, const batch_t* batch, uint32_t first, const found_t* ahead
) noexcept nogil:
    """The counters of messages, whose flows were asked for a group earlier…"""
    cdef const packet_t* p = group_at(batch, first)
    cdef uint32_t i
    for i in range(group_len(batch, first)):
        if adds_to_cargo(&p[i], &ahead[i]):
            prefetch_to_write(seen_cargo(t, ahead[i].d))


cdef void look_at_associations(
    const tracker_t* t, const batch_t* batch, uint32_t first, const found_t* ahead
) noexcept nogil:
    """…and, when these are there, the security association that a message will nearly always belong to."""
    cdef const packet_t* p = group_at(batch, first)
    cdef uint32_t i
    for i in range(group_len(batch, first)):
        if adds_to_cargo(&p[i], &ahead[i]):
            prefetch_to_write(association_at(t, seen_cargo(t, ahead[i].d).kept_first))


cdef inline uint32_t follow_group(
    tracker_t* t, const batch_t* batch, uint32_t first, const found_t* present, const found_t* coming
) noexcept nogil:
    """How many are done with: all, unless a segment has to wait or there is no memory.

    Behind each segment one flow to come is asked for: all at once would be more lines than can be under way.
    """
    cdef const packet_t* p = group_at(batch, first)
    cdef uint32_t i
    cdef uint32_t count = group_len(batch, first)
    for i in range(count):
        if likely(p[i].status == TCP_SEGMENT):
            if unlikely(t.holds_too_much):
                make_room(t)
            if unlikely(not follow(t, batch, &p[i], &present[i])):
                return i
        look_ahead(&coming[i])
    return count


cdef inline void take_times(tracker_t* t, const batch_t* batch, uint32_t first, uint32_t end) noexcept nogil:
    cdef uint32_t i
    for i in range(first, end):
        take_pulse(&t.pulse, batch.rows[i].time_ns)


cdef void follow_batch(tracker_t* t, const batch_t* batch, uint32_t first) noexcept nogil:
    """Group by group, each step of a group before the next step: what it asks memory for is then under way at once."""
    cdef found_t* present = t.ahead
    cdef found_t* coming = t.ahead + GROUP
    t.waits = False
    forget_ahead(t)
    look_at_slots(t, batch, first)
    look_at_slots(t, batch, first + GROUP)
    look_at_flows(t, batch, first, present)
    look_at_lines(present)
    while first < batch.count and not t.out_of_memory and not t.waits:
        if unlikely(t.associations.held):
            look_at_cargoes(t, batch, first, present)
        look_at_flows(t, batch, first + GROUP, coming)
        look_at_slots(t, batch, first + 2 * GROUP)
        look_at_troubles(t, batch, first, present)
        if unlikely(t.associations.held):
            look_at_associations(t, batch, first, present)
        t.waits_before = first + follow_group(t, batch, first, present, coming)
        take_times(t, batch, first, t.waits_before + t.waits)
        first += GROUP
        present, coming = coming, present


cdef bint begin_pool(tracker_t* t, pool_t* pool, uint32_t item_len) noexcept nogil:
    """With element 0, all zeroes."""
    pool.item_len = item_len
    pool.used = 1
    if not grow(&t.arena, pool):
        return False
    memset(element(pool, 0), 0, item_len)
    return True


cdef bint begin_tracker(tracker_t* t) noexcept nogil:
    t.pulse.since_ns, t.pulse.until_ns, t.pulse.latest_ns, t.pulse.shortest_ns = NEVER, NEVER, NEVER, NEVER
    t.arena.next_len = FIRST_EXTENT
    t.slot_mask = 1023
    t.slots = <uint64_t*> calloc(t.slot_mask + 1, sizeof(uint64_t))
    t.log_chunks = t.log_cap // LOG_CHUNK + 2
    t.log = <segment_t**> calloc(<size_t> t.log_chunks, sizeof(void*))
    return (
        t.slots != NULL
        and t.log != NULL
        and begin_pool(t, &t.flows, sizeof(flow_t))
        and begin_pool(t, &t.ends, sizeof(ends_t))
        and begin_pool(t, &t.oddities, sizeof(oddity_t))
        and begin_pool(t, &t.fars, sizeof(far_t))
        and begin_pool(t, &t.troubles, sizeof(trouble_t))
        and begin_pool(t, &t.carries, sizeof(carry_t))
        and begin_pool(t, &t.endings, sizeof(ending_t))
        and begin_pool(t, &t.holes, sizeof(hole_t))
        and begin_pool(t, &t.episodes, sizeof(episode_t))
        and begin_pool(t, &t.resets, sizeof(reset_t))
        and begin_pool(t, &t.cargoes, sizeof(cargo_t))
        and begin_pool(t, &t.associations, sizeof(association_t))
    )


cdef void end_tracker(tracker_t* t) noexcept nogil:
    free(t.flows.chunks)
    free(t.ends.chunks)
    free(t.oddities.chunks)
    free(t.fars.chunks)
    free(t.troubles.chunks)
    free(t.carries.chunks)
    free(t.endings.chunks)
    free(t.holes.chunks)
    free(t.episodes.chunks)
    free(t.resets.chunks)
    free(t.cargoes.chunks)
    free(t.associations.chunks)
    free_extents(&t.arena)
    free(t.slots)
    free(t.log)
    free(t.watched_ports)
    free(t.wanted_ports)
    end_ageing(&t.ageing)


cdef void set_defaults(tracker_t* t) noexcept nogil:
    """What is not zero at the beginning, in the first elements of the pools."""
    set_flow_defaults(flow_at(t, 0))
    set_trouble_defaults(<trouble_t*> element(&t.troubles, 0))
    set_ending_defaults(<ending_t*> element(&t.endings, 0))
    set_hole_defaults(hole_at(t, 0))
    set_episode_defaults(episode_at(t, 0))
    (<cargo_t*> element(&t.cargoes, 0)).last_ike_frame = NEVER
    (<cargo_t*> element(&t.cargoes, 0)).last_ike_ns = NEVER


cdef void set_flow_defaults(flow_t* flow) noexcept nogil:
    cdef int side
    flow.data_tail_direction = NEVER
    flow.data_tail_began = no_moment()
    flow.first_frame = NEVER
    memset(flow.frames, 0xFF, sizeof(flow.frames))  # NOT_NOTED
    for side in range(2):
        flow.bounds[side].first_ns, flow.bounds[side].fin_ns = NEVER, NEVER
        set_direction_defaults(&flow.directions[side])


cdef void set_direction_defaults(direction_t* d) noexcept nogil:
    d.acked_pos, d.last_frame, d.last_ns = NEVER, NEVER, NEVER
    d.data_last, d.advanced = no_moment(), no_moment()


cdef void set_trouble_defaults(trouble_t* trouble) noexcept nogil:
    trouble.sacked_to, trouble.smallest_missing_len, trouble.retransmitted_frame = NEVER, NEVER, NEVER


cdef void set_ending_defaults(ending_t* ending) noexcept nogil:
    ending.frame, ending.last_frame, ending.time_ns, ending.seq_pos = NEVER, NEVER, NEVER, NEVER
    ending.ttl, ending.window, ending.ip_id = NEVER, NEVER, NEVER


cdef void set_hole_defaults(hole_t* hole) noexcept nogil:
    hole.filled_frame, hole.filled_ns, hole.acked_frame, hole.acked_ns = NEVER, NEVER, NEVER, NEVER


cdef void set_episode_defaults(episode_t* episode) noexcept nogil:
    episode.first_frame, episode.first_ns, episode.last_frame, episode.last_ns = NEVER, NEVER, NEVER, NEVER
    episode.shortest_interval_ns, episode.longest_interval_ns = NEVER, NEVER
    episode.piggybacked_last_ns, episode.last_asked_ns = NEVER, NEVER
    episode.new_first_frame, episode.new_last_frame, episode.new_last_ns = NEVER, NEVER, NEVER
    episode.sacked_left, episode.ttl_min, episode.ttl_max = NEVER, NEVER, NEVER
    episode.window, episode.sender_ike_asked_ns = NEVER, NEVER
    episode.answered_frame, episode.answered_ns, episode.rewritten_frame = NEVER, NEVER, NEVER
    episode.passed_frame, episode.passed_ns = NEVER, NEVER


def by_opening(row):
    return row.opened_frame, row.start_pos


cdef class Tracker:
    """Follows every TCP flow of one capture."""

    cdef tracker_t tracker
    cdef bint is_busy
    cdef uint32_t* firsts  # the log by flow: rows of flow i stand in `order` from firsts[i] to firsts[i + 1]
    cdef uint32_t* order  # twice the number of the row from the oldest in the log, and its side
    cdef log_t log_view  # beside the two

    def __cinit__(self, ports=(), bint everything=False, wanted=(), uint32_t named_at_once=0):
        self.tracker.watches_everything = everything
        self.tracker.watched_ports = ports_as_bits(ports)
        self.tracker.wants_everything = wanted is None
        self.tracker.wanted_ports = ports_as_bits(wanted or ())
        self.tracker.named_at_once = named_at_once
        self.tracker.half_open_cap = caps.HALF_OPEN_CAP
        self.tracker.flow_cap = caps.FLOW_CAP
        self.tracker.log_cap = caps.SEGMENT_LOG_CAP
        self.tracker.holes.at_once = caps.ALL_HOLES_KEPT
        self.tracker.episodes.at_once = caps.ALL_EPISODES_KEPT
        self.tracker.associations.at_once = caps.ALL_ASSOCIATIONS_KEPT
        self.tracker.resets.at_once = caps.ALL_RESETS_KEPT
        if not begin_tracker(&self.tracker):
            raise MemoryError
        set_defaults(&self.tracker)

    def __dealloc__(self):
        self.forget_order()
        end_tracker(&self.tracker)

    # --- what went in, what comes out -------------------------------------------------------

    def feed(self, Packets packets not None, uint32_t begin=0):
        """Take one batch of packets, in the order of the capture, from the packet at `begin` on: how many are done with."""
        self.check_idle()
        packets.refuse_if_busy()
        self.forget_order()
        self.is_busy = packets.is_busy = True
        try:
            with nogil:
                follow_batch(&self.tracker, &packets.batch, begin)
        finally:
            self.is_busy = packets.is_busy = False
        self.check_idle()
        return self.tracker.waits_before if self.tracker.waits else packets.batch.count

    def leaving(self):
        """Flows that are given up next, unless they speak before: they are named, and go without another word."""
        self.check_idle()
        return name_those_leaving(&self.tracker)

    def left(self):
        """Those of the flows named last whose place was taken, in that order."""
        cdef uint32_t i
        self.check_idle()
        return [self.tracker.ageing.left[i] - 1 for i in range(self.tracker.ageing.left_count)]

    def tallies(self):
        self.check_idle()
        cdef tracker_t* t = &self.tracker
        return rows.Tallies(
            t.flow_count, t.flows_begun, t.segments, t.unlogged, latest_ns(t)
        )

    def given_up(self):
        self.check_idle()
        cdef ageing_t* ageing = &self.tracker.ageing
        return rows.GivenUpRow(
            *[ageing.given_up[i] for i in range(2 * STAGES)],
            ageing.begun_in_mid_stream,
            ageing.bared,
            ageing.bared_in_question,
        )

    def pulse(self):
        self.check_idle()
        return pulse_row(&self.tracker.pulse)

    def flow(self, index):
        return flow_row(&self.tracker, self.at(index))

    def direction(self, index, side):
        cdef flow_t* flow = self.at(index)
        cdef int which = checked_side(side)
        return direction_row(&self.tracker, flow, which)

    def episodes(self, index, side):
        """The latest EPISODES_KEPT, in order; the last may be open."""
        cdef trouble_t* trouble = seen_trouble(&self.tracker, &self.at(index).directions[checked_side(side)])
        cdef uint32_t handle = trouble.kept_episodes_first
        cdef list held = []
        while handle:
            held.append(episode_row(episode_at(&self.tracker, handle)))
            handle = episode_at(&self.tracker, handle).next
        if trouble.episode:
            held.append(episode_row(episode_at(&self.tracker, trouble.episode)))
        return held[max(0, len(held) - <Py_ssize_t> EPISODES_KEPT) :]

    def holes(self, index, side):
        """Holes that were let go or filled, then those still open, by when they opened."""
        cdef trouble_t* trouble = seen_trouble(&self.tracker, &self.at(index).directions[checked_side(side)])
        cdef list held = self.holes_from(trouble.kept_first) + self.holes_from(trouble.live_first)
        held.sort(key=by_opening)
        return held

    def associations(self, index, side):
        cdef cargo_t* cargo = seen_cargo(&self.tracker, &self.at(index).directions[checked_side(side)])
        cdef uint32_t handle = cargo.kept_first
        cdef list held = []
        while handle:
            held.append(association_row(association_at(&self.tracker, handle)))
            handle = association_at(&self.tracker, handle).next
        return held

    def resets(self, index):
        """The first RESETS_KEPT RSTs of a flow, of both directions, since it is watched."""
        cdef flow_t* flow = self.at(index)
        cdef trouble_t* trouble
        cdef int side
        cdef uint32_t handle
        cdef dict by_place = {}
        for side in range(2):
            trouble = seen_trouble(&self.tracker, &flow.directions[side])
            handle = seen_ending(&self.tracker, trouble).latest_reset
            while handle:
                by_place[reset_at(&self.tracker, handle).place] = reset_row(reset_at(&self.tracker, handle), side)
                handle = reset_at(&self.tracker, handle).before
        return [by_place[at] for at in range(len(by_place))]

    def segments(self, index):
        """The log of a watched flow, in the order of the capture."""
        cdef uint32_t flow = self.checked(index)
        cdef uint32_t i
        self.sort_log()
        return [segment_row(self.in_order(i)) for i in range(self.firsts[flow], self.firsts[flow + 1])]

    def log(self):
        """The log of all watched flows, in the order of the capture: index of the flow, and row."""
        cdef uint32_t i
        self.check_idle()
        self.sort_log()
        return [
            (row_of(&self.log_view, i).flow, segment_row(row_of(&self.log_view, i)))
            for i in range(self.log_view.count)
            if row_of(&self.log_view, i).flow != NOBODY
        ]

    def segments_with(self, index, side, int64_t position):
        """The logged segments of one direction that carry the byte at `position`."""
        cdef uint32_t flow = self.checked(index)
        cdef int which = checked_side(side)
        cdef uint32_t i
        cdef segment_t* row
        cdef list carriers = []
        self.sort_log()
        for i in range(self.firsts[flow], self.firsts[flow + 1]):
            row = self.in_order(i)
            if row.side == which and row.pos <= position < row.pos + row.length:
                carriers.append(segment_row(row))
        return carriers

    def bare_acks(self, index, side, int64_t ack_pos, int64_t limit):
        """Logged segments of one direction that do nothing but acknowledge up to `ack_pos`."""
        cdef uint32_t flow = self.checked(index)
        cdef int which = checked_side(side)
        cdef uint32_t i
        cdef int64_t count = 0
        cdef segment_t* row
        cdef list first = []
        self.sort_log()
        for i in range(self.firsts[flow], self.firsts[flow + 1]):
            row = self.in_order(i)
            if row.side == which and row.ack_pos == ack_pos and is_bare(row):
                count += 1
                if count <= limit:
                    first.append((row.frame, row.time_ns))
        return count, first

    def acks(self, index, side):
        """All that one direction has acknowledged at one time or another, by its logged segments."""
        cdef uint32_t flow = self.checked(index)
        cdef int which = checked_side(side)
        cdef uint32_t i
        cdef int64_t latest = 0
        cdef segment_t* row
        cdef set found = set()
        self.sort_log()
        for i in range(self.firsts[flow], self.firsts[flow + 1]):
            row = self.in_order(i)
            if row.side == which and (row.ack_pos != latest or not found):
                latest = row.ack_pos
                found.add(latest)
        return found

    def step_back(self, index, int64_t more_than_ns):
        """The frame before the clock was set back by more than so much for the last time; NEVER where it was not."""
        cdef uint32_t flow = self.checked(index)
        cdef uint32_t i
        if more_than_ns >= 0 and not flow_at(&self.tracker, flow + 1).state & CLOCK_RAN_BACK:
            return NEVER
        self.sort_log()
        i = self.firsts[flow + 1]
        while i > self.firsts[flow] + 1:
            i -= 1
            if self.in_order(i).time_ns < self.in_order(i - 1).time_ns - more_than_ns:
                return self.in_order(i - 1).frame
        return NEVER

    def suspects(self, ports):
        """Flows that look like IPsec over TCP in any way, or use one of the ports, in the order in which they began."""
        cdef tracker_t* t = &self.tracker
        cdef uint64_t* wanted = ports_as_bits(ports)
        cdef uint32_t i
        try:
            self.check_idle()
            found = [i for i in range(t.flow_count) if is_suspect(t, flow_at(t, i + 1), wanted)]
        finally:
            free(wanted)
        if t.ageing.ranked != NULL:  # else places are in the order in which their flows began
            found.sort(key=self.began_in)
        return found

    def began_in(self, index):
        """The first frame of a flow."""
        return self.at(index).first_frame

    def screen(self, wanted, limits, quoted):
        """What the counters of each wanted flow say by themselves, a rows.Plain for each."""
        cdef list flows = list(wanted)
        cdef uint32_t* indices = self.checked_all(flows)
        try:
            return screened(&self.tracker, indices, <uint32_t> len(flows), limits_of(limits), quoted)
        finally:
            free(indices)

    def settled(self, wanted, limits):
        """1 for each wanted flow that is closed and has been silent long enough for nothing to be expected of it."""
        cdef list flows = list(wanted)
        cdef uint32_t* indices = self.checked_all(flows)
        try:
            return settled_among(&self.tracker, indices, <uint32_t> len(flows), limits_of(limits))
        finally:
            free(indices)

    def successors(self, wanted):
        """For each wanted flow the next one of the same hosts to the same port; NEVER where there is none."""
        return self.next_of(list(wanted), from_any_port)

    def reopenings(self, wanted):
        """For each wanted flow the next one of its own ends; NEVER where there is none."""
        return self.next_of(list(wanted), from_its_port)

    def brief(self, wanted, ports, int64_t frames_before=0):
        """A few facts of each wanted flow, column by column."""
        cdef uint8_t known[65536]
        cdef list flows = list(wanted)
        cdef uint32_t* indices
        mark_ports(known, ports)
        self.forget_order()  # the columns take as much memory as it does, and are asked for last
        indices = self.checked_all(flows)
        try:
            return brief_columns(&self.tracker, indices, <uint32_t> len(flows), known, frames_before)
        finally:
            free(indices)

    # --- inside -----------------------------------------------------------------------------

    cdef int check_idle(self) except -1:
        if self.is_busy:
            raise RuntimeError("this tracker is being fed by another thread")
        if self.tracker.out_of_memory:
            raise MemoryError("the flow table could not grow")
        return 0

    cdef uint32_t checked(self, Py_ssize_t index) except? 0xFFFFFFFF:
        self.check_idle()
        if index < 0:
            index += self.tracker.flow_count
        if not 0 <= index < self.tracker.flow_count:
            raise IndexError("flow index out of range")
        return <uint32_t> index

    cdef uint32_t* checked_all(self, list indices) except NULL:
        """They have to be freed."""
        cdef uint32_t* checked = <uint32_t*> malloc((<size_t> len(indices) + 1) * sizeof(uint32_t))
        cdef Py_ssize_t i
        if checked == NULL:
            raise MemoryError
        try:
            for i in range(len(indices)):
                checked[i] = self.checked(indices[i])
        except BaseException:
            free(checked)
            raise
        return checked

    cdef list next_of(self, list wanted, opens_t opens):
        cdef uint32_t* indices = self.checked_all(wanted)
        try:
            return next_of(&self.tracker, indices, <uint32_t> len(wanted), opens)
        finally:
            free(indices)

    cdef flow_t* at(self, index) except NULL:
        return flow_at(&self.tracker, self.checked(index) + 1)

    cdef list holes_from(self, uint32_t handle):
        cdef list held = []
        while handle:
            held.append(hole_row(hole_at(&self.tracker, handle)))
            handle = hole_at(&self.tracker, handle).next
        return held

    cdef segment_t* in_order(self, uint32_t i):
        return row_of(&self.log_view, self.order[i] // 2)

    cdef void forget_order(self) noexcept nogil:
        free(self.firsts)
        free(self.order)
        free(self.log_view.chunks)
        self.firsts, self.order, self.log_view.chunks = NULL, NULL, NULL

    cdef int sort_log(self) except -1:
        """The log by flow, counted out once when it is first asked for."""
        cdef tracker_t* t = &self.tracker
        if self.order != NULL:
            return 0
        disown_rows(t)
        self.firsts = <uint32_t*> calloc(<size_t> t.flow_count + 2, sizeof(uint32_t))
        self.order = <uint32_t*> malloc(<size_t> (t.log_end - t.log_first + 1) * sizeof(uint32_t))
        if self.firsts == NULL or self.order == NULL or not view_log(t, &self.log_view):
            self.forget_order()
            raise MemoryError
        sort_by_flow(&self.log_view, t.flow_count, self.firsts, self.order)
        return 0


cdef int mark_ports(uint8_t* wanted, ports) except -1:
    memset(wanted, 0, 65536)
    for port in ports:
        if 0 <= port < 65536:
            wanted[<uint16_t> port] = 1
    return 0


cdef inline bint is_bare(const segment_t* row) noexcept nogil:
    return row.length == 0 and not row.flags & (SYN | FIN)


cdef void sort_by_flow(const log_t* log, uint32_t flows, uint32_t* firsts, uint32_t* order) noexcept nogil:
    """A counting sort.  Each flow counts two places on, so that its beginning, once used as a cursor, ends as the next's."""
    cdef uint32_t i, flow, side, at
    for i in range(log.count):
        if row_of(log, i).flow != NOBODY:
            firsts[row_of(log, i).flow + 2] += 1
    for flow in range(flows):
        firsts[flow + 2] += firsts[flow + 1]
    for i in range(log.count):
        flow, side = row_of(log, i).flow, row_of(log, i).side
        if flow == NOBODY:
            continue
        at = firsts[flow + 1]
        firsts[flow + 1] += 1
        order[at] = 2 * i + side


cdef void disown_rows(tracker_t* t) noexcept nogil:
    """Rows of flows that were given up are nobody's, whoever has their place now."""
    cdef int64_t number
    cdef segment_t* row
    if t.ageing.logged_from == NULL:
        return
    for number in range(t.log_first, t.log_end):
        row = logged(t, number)
        if row.flow != NOBODY and number < t.ageing.logged_from[row.flow]:
            row.flow = NOBODY


cdef uint64_t* ports_as_bits(ports) except NULL:
    cdef uint64_t* bits = <uint64_t*> calloc(PORT_WORDS, sizeof(uint64_t))
    cdef uint16_t number
    if bits == NULL:
        raise MemoryError
    for port in ports:
        if 0 <= port < 65536:
            number = port
            bits[number // 64] |= <uint64_t> 1 << number % 64
    return bits


cdef int checked_side(side) except -1:
    if side != 0 and side != 1:
        raise IndexError("a flow has directions 0 and 1")
    return side
