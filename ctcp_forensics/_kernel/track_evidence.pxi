# Whose evidence is let go where too much is kept of all flows: the compiled twin of plain_track/evidence.py.

cdef void make_room(tracker_t* t) noexcept nogil:
    """Of every kind of which too much is kept."""
    t.holds_too_much = False
    make_room_for(t, &t.holes)
    make_room_for(t, &t.episodes)
    make_room_for(t, &t.associations)
    make_room_for(t, &t.resets)


cdef void make_room_for(tracker_t* t, const pool_t* pool) noexcept nogil:
    """Flow after flow, those that matter least first, loses all that is kept of it."""
    cdef uint32_t i = 0
    if pool.held <= pool.at_once:
        return
    if t.ageing.ranked == NULL and not begin_ageing(t):
        t.out_of_memory = True
        return
    rank_flows(t)
    t.ageing.queued = 0  # whose place is given away is asked anew: flows may have begun by then
    while i < t.flow_count and pool.held > pool.at_once - pool.at_once // BARED_SHARE:
        bare(t, flow_at(t, t.ageing.ranked[i].handle), <int> (t.ageing.ranked[i].rank >> FRAME_BITS))
        i += 1


cdef void bare(tracker_t* t, flow_t* flow, int standing) noexcept nogil:
    """Its counters stay."""
    cdef uint32_t held = held_evidence(t)
    cdef int side
    for side in range(2):
        bare_trouble(t, flow.directions[side].trouble)
        bare_cargo(t, flow.directions[side].cargo)
    if held == held_evidence(t):
        return
    if standing < STAGE_ALIVE:
        t.ageing.bared += 1
    else:
        t.ageing.bared_in_question += 1


cdef inline uint32_t held_evidence(const tracker_t* t) noexcept nogil:
    return t.holes.held + t.episodes.held + t.associations.held + t.resets.held


cdef void bare_trouble(tracker_t* t, uint32_t handle) noexcept nogil:
    cdef trouble_t* trouble = <trouble_t*> element(&t.troubles, handle)
    cdef ending_t* ending
    cdef int i
    if handle == 0:
        return
    give_back_evidence(t, trouble)
    for i in range(trouble.live_count):
        count(t, trouble, HOLES_FORGOTTEN)
    trouble.live_first, trouble.live_last, trouble.live_count = 0, 0, 0
    trouble.kept_first, trouble.kept_last, trouble.kept_count = 0, 0, 0
    trouble.unacked_holes, trouble.episode = 0, 0
    trouble.kept_episodes_first, trouble.kept_episodes_last, trouble.kept_episodes_count = 0, 0, 0
    if trouble.ending:
        ending = seen_ending(t, trouble)
        ending.latest_reset, ending.resets_kept = 0, 0


cdef void bare_cargo(tracker_t* t, uint32_t handle) noexcept nogil:
    cdef cargo_t* cargo = <cargo_t*> element(&t.cargoes, handle)
    cdef uint32_t one = cargo.kept_first
    if handle == 0:
        return
    while one:
        cargo.esp_missing += association_at(t, one).missing
        cargo.esp_repeats += association_at(t, one).repeats
        one = association_at(t, one).next
    give_back_associations(t, cargo.kept_first)
    cargo.kept_first, cargo.kept_last, cargo.kept_count = 0, 0, 0
