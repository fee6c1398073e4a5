# Whose place a new flow takes where all places are taken: the compiled twin of plain_track/ageing.py.

cdef enum:
    STAGE_HALF_OPEN = 0
    STAGE_ENDED = 1
    STAGE_ALIVE = 2
    STAGES = 3  # those of concern stand as many above
    QUEUED_SHARE = 8
    HALF_OPEN_SHARE = 2
    FRAME_BITS = 60  # of a rank; the standing is above them
    BARED_SHARE = 8
    PLACE_AHEAD = 8  # how many places ahead memory is asked for
    NOBODY = 0xFFFF_FFFF  # in a row of the log: its flow was given up

cdef extern from *:
    const uint64_t FRAME_MASK "(((uint64_t)1 << 60) - 1)"


# --- how much a flow matters -----------------------------------------------------------------------------

cdef int stage_of(const tracker_t* t, const flow_t* flow) noexcept nogil:
    cdef const direction_t* one = &flow.directions[0]
    cdef const direction_t* other = &flow.directions[1]
    cdef const trouble_t* troubles = seen_trouble(t, one)
    cdef const trouble_t* others = seen_trouble(t, other)
    cdef int64_t segments
    if troubles.ending or others.ending or (has_frame(flow, FIRST_FIN) and has_frame(flow, FIRST_FIN + 1)):
        return STAGE_ENDED
    segments = <int64_t> one.frames + other.frames - counted(t, troubles, COPIES) - counted(t, others, COPIES)
    return STAGE_HALF_OPEN if segments <= max(1, <int64_t> flow.syns) else STAGE_ALIVE


cdef bint looks_encapsulated(const tracker_t* t, const flow_t* flow, int side) noexcept nogil:
    cdef const direction_t* d = &flow.directions[side]
    cdef const cargo_t* cargo = seen_cargo(t, d)
    return (
        cargo.trailer_cisco
        or cargo.trailer_weak
        or longest_run(cargo, d) >= WATCHED_RUN
        or flow.bounds[side].signature == SIGNATURE_IKETCP
        or flow.bounds[side].signature == SIGNATURE_RAW_IKE
    )


cdef inline bint has_port(const uint64_t* ports, const flow_t* flow) noexcept nogil:
    return ports[flow.ports[0] // 64] >> flow.ports[0] % 64 & 1 or ports[flow.ports[1] // 64] >> flow.ports[1] % 64 & 1


cdef bint is_suspect(const tracker_t* t, const flow_t* flow, const uint64_t* ports) noexcept nogil:
    """Whether it looks like IPsec over TCP in any way, or uses one of the ports."""
    return has_port(ports, flow) or looks_encapsulated(t, flow, 0) or looks_encapsulated(t, flow, 1)


cdef int standing_of(const tracker_t* t, const flow_t* flow) noexcept nogil:
    """Its stage; those that may be judged stand above all others."""
    if flow.state & WATCHED or t.wants_everything or is_suspect(t, flow, t.wanted_ports):
        return stage_of(t, flow) + STAGES
    return stage_of(t, flow)


# --- the queue: flows in the order in which they are given up, as it was when they were last ranked --------

cdef bint begin_ageing(tracker_t* t) noexcept nogil:
    cdef ageing_t* ageing = &t.ageing
    ageing.ranked = <ranked_t*> malloc(<size_t> t.flow_cap * sizeof(ranked_t))
    ageing.spare = <ranked_t*> malloc(<size_t> t.flow_cap * sizeof(ranked_t))
    ageing.logged_from = <int64_t*> calloc(t.flow_cap, sizeof(int64_t))
    ageing.left = <uint32_t*> malloc((<size_t> t.named_at_once + 1) * sizeof(uint32_t))
    return (
        ageing.ranked != NULL and ageing.spare != NULL and ageing.logged_from != NULL and ageing.left != NULL
    )


cdef void end_ageing(ageing_t* ageing) noexcept nogil:
    free(ageing.ranked)
    free(ageing.spare)
    free(ageing.logged_from)
    free(ageing.left)


cdef ranked_t next_in_queue(tracker_t* t) noexcept nogil:
    """The flow that matters least; who has spoken since the ranking is passed over."""
    cdef ageing_t* ageing = &t.ageing
    cdef ranked_t one
    while True:
        while ageing.next < ageing.queued:
            one = ageing.ranked[ageing.next]
            ageing.next += 1
            ask_for_place(t, ageing.ranked[min(ageing.next + PLACE_AHEAD, t.flow_count - 1)].handle)
            if last_speaker(flow_at(t, one.handle)).last_frame == <int64_t> (one.rank & FRAME_MASK):
                return one
        rank_flows(t)


cdef inline void ask_for_place(const tracker_t* t, uint32_t handle) noexcept nogil:
    cdef const uint8_t* place = <const uint8_t*> flow_at(t, handle)
    cdef int line
    for line in range(<int> (sizeof(flow_t) // CACHE_LINE)):
        prefetch(place + line * CACHE_LINE)


@cython.overflowcheck(False)
cdef void rank_flows(tracker_t* t) noexcept nogil:
    """By standing, and the longest silent first."""
    cdef ageing_t* ageing = &t.ageing
    cdef uint32_t count = t.flow_count
    cdef uint32_t half_open = 0
    cdef uint32_t i
    cdef const flow_t* flow
    cdef int standing
    for i in range(count):
        flow = flow_at(t, i + 1)
        standing = standing_of(t, flow)
        half_open += standing == STAGE_HALF_OPEN
        ageing.ranked[i].rank = <uint64_t> standing << FRAME_BITS | <uint64_t> last_speaker(flow).last_frame & FRAME_MASK
        ageing.ranked[i].handle = i + 1
    sort_by_rank(ageing, count)
    ageing.next, ageing.named = 0, 0
    ageing.queued = max(<uint32_t> 1, count // QUEUED_SHARE, min(count // HALF_OPEN_SHARE, half_open))


@cython.overflowcheck(False)
cdef void sort_by_rank(ageing_t* ageing, uint32_t count) noexcept nogil:
    """Byte by byte, the lowest first; equal ones keep their order.  Linear, whatever the ranks are."""
    cdef uint32_t ends[256]
    cdef uint32_t i, at, before
    cdef int shift
    cdef ranked_t* sorted_now
    for shift in range(0, 64, 8):
        memset(ends, 0, sizeof(ends))
        for i in range(count):
            ends[ageing.ranked[i].rank >> shift & 0xFF] += 1
        if ends[ageing.ranked[0].rank >> shift & 0xFF] == count:
            continue
        before = 0
        for i in range(256):
            at = ends[i]
            ends[i] = before
            before += at
        for i in range(count):
            at = ageing.ranked[i].rank >> shift & 0xFF
            ageing.spare[ends[at]] = ageing.ranked[i]
            ends[at] += 1
        sorted_now = ageing.spare
        ageing.spare = ageing.ranked
        ageing.ranked = sorted_now


# --- giving up ------------------------------------------------------------------------------------------

cdef uint32_t freed_place(tracker_t* t) noexcept nogil:
    """The handle of a flow that was just given up; 0 where there is no memory, or it has to be named first."""
    cdef ageing_t* ageing = &t.ageing
    cdef ranked_t one
    if ageing.ranked == NULL and not begin_ageing(t):
        t.out_of_memory = True
        return 0
    one = next_in_queue(t)
    if ageing.next <= ageing.named:
        ageing.left[ageing.left_count] = one.handle
        ageing.left_count += 1
    elif is_to_be_named(t, <int> (one.rank >> FRAME_BITS)):
        ageing.next -= 1
        t.waits = True
        return 0
    else:
        ageing.given_up[one.rank >> FRAME_BITS] += 1
    give_up(t, one.handle)
    return one.handle


cdef bint is_to_be_named(const tracker_t* t, int standing) noexcept nogil:
    """Of a flood of half-open flows only so many are."""
    if not t.named_at_once or standing < STAGES:
        return False
    return standing != STAGES + STAGE_HALF_OPEN or t.ageing.half_open_named < t.half_open_cap


cdef list name_those_leaving(tracker_t* t):
    """The indices of those that are given up next, in their order, unless they speak before."""
    cdef ageing_t* ageing = &t.ageing
    cdef list found = []
    cdef const ranked_t* one
    ageing.left_count = 0
    ageing.named = ageing.next
    while ageing.named < ageing.queued and <uint32_t> len(found) < t.named_at_once:
        one = &ageing.ranked[ageing.named]
        ageing.named += 1
        if last_speaker(flow_at(t, one.handle)).last_frame == <int64_t> (one.rank & FRAME_MASK):
            found.append(one.handle - 1)
            ageing.half_open_named += one.rank >> FRAME_BITS == STAGES + STAGE_HALF_OPEN
    return found


cdef void give_up(tracker_t* t, uint32_t handle) noexcept nogil:
    cdef flow_t* flow = flow_at(t, handle)
    cdef int side, i
    t.ageing.logged_from[handle - 1] = t.log_end
    forget_slot(t, flow, handle)
    for i in range(LOOKED_AHEAD):
        if t.ahead[i].handle == handle:
            t.ahead[i] = found_at(t, 0, 0)
    for side in range(2):
        give_back_trouble(t, flow.directions[side].trouble)
        give_back_cargo(t, flow.directions[side].cargo)
    if flow.address_len == 16:
        give_back(&t.ends, flow.ends[0])
    give_back_oddity(t, flow.oddity)
    memcpy(flow, flow_at(t, 0), sizeof(flow_t))


cdef void give_back_oddity(tracker_t* t, uint32_t handle) noexcept nogil:
    cdef uint32_t far = (<oddity_t*> element(&t.oddities, handle)).far
    if handle == 0:
        return
    if far:
        give_back(&t.fars, far)
    give_back(&t.oddities, handle)


cdef void give_back_trouble(tracker_t* t, uint32_t handle) noexcept nogil:
    cdef trouble_t* trouble
    if handle == 0:
        return
    trouble = <trouble_t*> element(&t.troubles, handle)
    give_back_evidence(t, trouble)
    if trouble.ending:
        give_back(&t.endings, trouble.ending)
    if trouble.carries:
        give_back(&t.carries, trouble.carries)
    give_back(&t.troubles, handle)


cdef void give_back_evidence(tracker_t* t, const trouble_t* trouble) noexcept nogil:
    cdef uint32_t one, before
    give_back_holes(t, trouble.live_first)
    give_back_holes(t, trouble.kept_first)
    give_back_episodes(t, trouble.kept_episodes_first)
    if trouble.episode:
        give_back(&t.episodes, trouble.episode)
    one = seen_ending(t, trouble).latest_reset
    while one:
        before = reset_at(t, one).before
        give_back(&t.resets, one)
        one = before


cdef void give_back_holes(tracker_t* t, uint32_t handle) noexcept nogil:
    cdef uint32_t behind
    while handle:
        behind = hole_at(t, handle).next
        give_back(&t.holes, handle)
        handle = behind


cdef void give_back_episodes(tracker_t* t, uint32_t handle) noexcept nogil:
    cdef uint32_t behind
    while handle:
        behind = episode_at(t, handle).next
        give_back(&t.episodes, handle)
        handle = behind


cdef void give_back_cargo(tracker_t* t, uint32_t handle) noexcept nogil:
    if handle == 0:
        return
    give_back_associations(t, (<cargo_t*> element(&t.cargoes, handle)).kept_first)
    give_back(&t.cargoes, handle)


cdef void give_back_associations(tracker_t* t, uint32_t handle) noexcept nogil:
    cdef uint32_t behind
    while handle:
        behind = association_at(t, handle).next
        give_back(&t.associations, handle)
        handle = behind


cdef void forget_slot(tracker_t* t, const flow_t* flow, uint32_t handle) noexcept nogil:
    """A later flow of the same ends may have taken it already."""
    cdef packet_t ends
    cdef uint32_t at
    memset(&ends, 0, sizeof(ends))
    ends.address_len, ends.sport, ends.dport = flow.address_len, flow.ports[0], flow.ports[1]
    memcpy(ends.src, src_of(t, flow), flow.address_len)
    memcpy(ends.dst, dst_of(t, flow), flow.address_len)
    note_ends(&ends)
    at = ends.flow_hash & t.slot_mask
    while t.slots[at] != 0:
        if <uint32_t> t.slots[at] & 0x7FFFFFFF == handle:
            close_gap(t, at)
            t.slots_used -= 1
            return
        at = (at + 1) & t.slot_mask


@cython.overflowcheck(False)
cdef void close_gap(tracker_t* t, uint32_t gap) noexcept nogil:
    """Every entry behind it that may stand there moves up, so that each is still found from where its hash points."""
    cdef uint32_t at = (gap + 1) & t.slot_mask
    cdef uint32_t home
    while t.slots[at] != 0:
        home = <uint32_t> (t.slots[at] >> 32) & t.slot_mask
        if ((at - home) & t.slot_mask) >= ((at - gap) & t.slot_mask):
            t.slots[gap] = t.slots[at]
            gap = at
        at = (at + 1) & t.slot_mask
    t.slots[gap] = 0


cdef uint32_t slot_for(const tracker_t* t, const packet_t* p) noexcept nogil:
    """Where a new flow of these ends is entered: in the slot of the one before it, or in a free one."""
    cdef uint32_t at = p.flow_hash & t.slot_mask
    cdef uint64_t slot = t.slots[at]
    while slot != 0:
        if slot >> 32 == p.flow_hash and sent_by(t, flow_at(t, <uint32_t> slot & 0x7FFFFFFF), p, side_in(slot, p)):
            return at
        at = (at + 1) & t.slot_mask
        slot = t.slots[at]
    return at
