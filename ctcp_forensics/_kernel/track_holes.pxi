# Bytes that were not seen in order.

# --- holes: two lists by when they opened, those that live and those that are kept ---------------

cdef hole_t* open_hole(tracker_t* t, direction_t* d, const packet_t* p, int64_t pos) noexcept nogil:
    """Bytes up to `pos` were sent and not seen; `d.data_last` is still the data before the present segment."""
    cdef trouble_t* trouble = trouble_of(t, d)
    cdef uint32_t handle
    cdef hole_t* hole
    count(t, trouble, HOLES_OPENED)
    if trouble.live_count == LIVE_HOLES:
        let_go(t, d, trouble)
    handle = take(t, &t.holes)
    hole = hole_at(t, handle)
    hole.start, hole.end = d.next_pos, pos
    hole.opened_frame, hole.opened_ns = p.frame, p.time_ns
    hole.before_frame = d.data_last.frame
    hole.opener_ip_id = p.ip_id
    append_live(t, trouble, trouble.live_last, handle)
    trouble.unacked_holes += 1
    return hole


cdef void append_live(tracker_t* t, trouble_t* trouble, uint32_t after, uint32_t handle) noexcept nogil:
    """Put a hole behind `after`, or first where that is 0."""
    cdef hole_t* hole = hole_at(t, handle)
    if after:
        hole.next = hole_at(t, after).next
        hole_at(t, after).next = handle
    else:
        hole.next = trouble.live_first
        trouble.live_first = handle
    if trouble.live_last == after:
        trouble.live_last = handle
    trouble.live_count += 1


cdef void remove_live(tracker_t* t, trouble_t* trouble, uint32_t before, uint32_t handle) noexcept nogil:
    cdef uint32_t behind = hole_at(t, handle).next
    if before:
        hole_at(t, before).next = behind
    else:
        trouble.live_first = behind
    if trouble.live_last == handle:
        trouble.live_last = before
    trouble.live_count -= 1


cdef void let_go(tracker_t* t, direction_t* d, trouble_t* trouble) noexcept nogil:
    """Forget the oldest hole, but never the one that the peer is asking for."""
    cdef uint32_t before = 0
    cdef uint32_t handle = trouble.live_first
    cdef hole_t* oldest = hole_at(t, handle)
    if oldest.start <= d.acked_pos < oldest.end:
        before = handle
        handle = oldest.next
    remove_live(t, trouble, before, handle)
    count(t, trouble, HOLES_FORGOTTEN)
    trouble.unacked_holes -= hole_at(t, handle).acked_frame == NEVER
    keep_hole(t, trouble, handle)


cdef void keep_hole(tracker_t* t, trouble_t* trouble, uint32_t handle) noexcept nogil:
    cdef uint32_t oldest = trouble.kept_first
    hole_at(t, handle).next = 0
    if trouble.kept_last:
        hole_at(t, trouble.kept_last).next = handle
    else:
        trouble.kept_first = handle
    trouble.kept_last = handle
    if trouble.kept_count < HOLES_KEPT:
        trouble.kept_count += 1
        return
    trouble.kept_first = hole_at(t, oldest).next
    give_back(&t.holes, oldest)


cdef filling_t fill_holes(
    tracker_t* t, direction_t* d, const packet_t* p, int64_t pos, int64_t end
) noexcept nogil:
    """Bytes of [pos, end) that lay in holes, and the first hole that it touched."""
    cdef trouble_t* trouble = seen_trouble(t, d)
    cdef uint32_t before = 0
    cdef uint32_t handle = trouble.live_first
    cdef uint32_t behind
    cdef hole_t* hole
    cdef filling_t filling
    filling.filled, filling.found = 0, False
    while handle:
        hole = hole_at(t, handle)
        behind = hole.next
        if hole.start < end and pos < hole.end:
            filling.filled += min(end, hole.end) - max(pos, hole.start)
            if not filling.found:
                filling.found = True
                filling.opened_ns, filling.opener_ip_id = hole.opened_ns, hole.opener_ip_id
            if fill_hole(t, trouble, p, before, handle, pos, end):
                handle = behind
                continue
        before = handle
        handle = hole.next  # which a split may just have put there
    return filling


cdef bint fill_hole(
    tracker_t* t, trouble_t* trouble, const packet_t* p, uint32_t before, uint32_t handle, int64_t pos, int64_t end
) noexcept nogil:
    """Close, shorten or split one hole; True where it was closed."""
    cdef hole_t* hole = hole_at(t, handle)
    if pos <= hole.start and hole.end <= end:
        close_hole(t, trouble, p, before, handle)
        return True
    if pos <= hole.start:
        hole.start = end
    elif hole.end <= end:
        hole.end = pos
    else:
        split_hole(t, trouble, handle, pos, end)
    return False


cdef void close_hole(
    tracker_t* t, trouble_t* trouble, const packet_t* p, uint32_t before, uint32_t handle
) noexcept nogil:
    cdef hole_t* hole = hole_at(t, handle)
    remove_live(t, trouble, before, handle)
    count(t, trouble, HOLES_FILLED)
    trouble.unacked_holes -= hole.acked_frame == NEVER
    hole.filled_frame, hole.filled_ns = p.frame, p.time_ns
    keep_hole(t, trouble, handle)


cdef void split_hole(tracker_t* t, trouble_t* trouble, uint32_t handle, int64_t pos, int64_t end) noexcept nogil:
    """Filled in the middle: two are left, or the lower one where the table is full."""
    cdef hole_t* hole = hole_at(t, handle)
    cdef hole_t* upper
    cdef uint32_t upper_handle
    if trouble.live_count == LIVE_HOLES:
        count(t, trouble, HOLES_FORGOTTEN)
    else:
        upper_handle = take(t, &t.holes)
        upper = hole_at(t, upper_handle)
        upper.start, upper.end = end, hole.end
        upper.opened_frame, upper.opened_ns = hole.opened_frame, hole.opened_ns
        upper.before_frame, upper.opener_ip_id = hole.before_frame, hole.opener_ip_id
        upper.acked_frame, upper.acked_ns = hole.acked_frame, hole.acked_ns
        trouble.unacked_holes += upper.acked_frame == NEVER
        append_live(t, trouble, handle, upper_handle)
    hole.end = pos


cdef bint lacks(const tracker_t* t, const direction_t* d, int64_t position) noexcept nogil:
    cdef uint32_t handle = seen_trouble(t, d).live_first
    while handle:
        if hole_at(t, handle).start <= position < hole_at(t, handle).end:
            return True
        handle = hole_at(t, handle).next
    return False
