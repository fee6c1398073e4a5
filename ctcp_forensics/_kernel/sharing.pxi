# Many logs → which two of them share messages, and how many.  The compiled twin of `sharing` in plain_match.py.
#
# One table over all logs: 12 bytes for each row that is the first of its message in a log, 16 to 32 for each row.  Each
# log in turn finds who had a message before it; two logs that share nothing are never laid beside each other.

cdef enum:
    MOST_ROWS = 0x3FFF_FFFF  # of all logs together: twice as many are counted in 32 bits

cdef struct holder_t:  # a log that has a message
    uint32_t log
    uint32_t number  # of the message's first row there
    uint32_t before  # index of the holder before it, and 1; 0 where it is the first

cdef struct mark_t:  # a message
    uint32_t hash_high
    uint32_t latest  # index of its latest holder, and 1; 0 where the slot is free

cdef struct sharing_t:
    log_t* logs
    mark_t* marks
    uint32_t mask
    holder_t* holders
    uint32_t holder_count
    uint32_t* shared  # for each log before the one that is looked through: the messages that both have
    uint32_t* met  # the logs for which that is not 0
    uint32_t met_count


cdef bint begin_sharing(sharing_t* s, uint32_t count) noexcept nogil:
    """Room for what the logs hold.  False where there is no memory."""
    cdef uint64_t rows_in_all = 0
    cdef uint32_t i
    for i in range(count):
        rows_in_all += s.logs[i].count
    if rows_in_all > MOST_ROWS:
        return False
    s.mask = slots_for(<int64_t> rows_in_all) - 1
    s.marks = <mark_t*> calloc(<size_t> s.mask + 1, sizeof(mark_t))
    s.holders = <holder_t*> malloc((<size_t> rows_in_all + 1) * sizeof(holder_t))
    s.shared = <uint32_t*> calloc(<size_t> count + 1, sizeof(uint32_t))
    s.met = <uint32_t*> malloc((<size_t> count + 1) * sizeof(uint32_t))
    return s.marks != NULL and s.holders != NULL and s.shared != NULL and s.met != NULL


cdef void end_sharing(sharing_t* s, uint32_t count) noexcept:
    cdef uint32_t i
    for i in range(count if s.logs != NULL else 0):
        free(s.logs[i].chunks)
    free(s.logs)
    free(s.marks)
    free(s.holders)
    free(s.shared)
    free(s.met)


cdef inline mark_t* mark_with(sharing_t* s, uint64_t hashed, const segment_t* row) noexcept nogil:
    """The slot of this message, or the free one where it would be."""
    cdef uint32_t at = <uint32_t> hashed & s.mask
    cdef const holder_t* holder
    while s.marks[at].latest:
        if s.marks[at].hash_high == <uint32_t> (hashed >> 32):
            holder = &s.holders[s.marks[at].latest - 1]
            if is_same_key(row, row_of(&s.logs[holder.log], holder.number)):
                break
        at = (at + 1) & s.mask
    return &s.marks[at]


cdef void look_through(sharing_t* s, uint32_t log) noexcept nogil:
    """Whom a log shares messages with, of those before it."""
    cdef uint32_t number = 0
    cdef uint32_t i
    cdef block_t block
    cdef mark_t* mark
    s.met_count = 0
    while number < s.logs[log].count:
        number = fill_block(&s.logs[log], number, &block, s.marks, sizeof(mark_t), s.mask)
        for i in range(block.count):
            mark = mark_with(s, block.hashes[i], block.rows[i])
            if mark.latest and s.holders[mark.latest - 1].log == log:
                continue
            meet(s, mark.latest)
            mark.hash_high = <uint32_t> (block.hashes[i] >> 32)
            mark.latest = add_holder(s, log, block.numbers[i], mark.latest)


cdef inline void meet(sharing_t* s, uint32_t latest) noexcept nogil:
    """One message more is shared with everybody who had it."""
    cdef const holder_t* holder
    while latest:
        holder = &s.holders[latest - 1]
        if s.shared[holder.log] == 0:
            s.met[s.met_count] = holder.log
            s.met_count += 1
        s.shared[holder.log] += 1
        latest = holder.before


cdef inline uint32_t add_holder(sharing_t* s, uint32_t log, uint32_t number, uint32_t before) noexcept nogil:
    """Its index, and 1."""
    cdef holder_t* holder = &s.holders[s.holder_count]
    holder.log, holder.number, holder.before = log, number, before
    s.holder_count += 1
    return s.holder_count


cdef int tell_met(sharing_t* s, uint32_t log, list found) except -1:
    """And forget it."""
    cdef uint32_t i, other
    for i in range(s.met_count):
        other = s.met[i]
        found.append((other, log, s.shared[other]))
        s.shared[other] = 0
    return 0


cdef int view_logs(sharing_t* s, list trackers) except -1:
    cdef uint32_t i
    cdef Tracker tracker
    s.logs = <log_t*> calloc(<size_t> len(trackers) + 1, sizeof(log_t))
    if s.logs == NULL:
        raise MemoryError
    for i in range(<uint32_t> len(trackers)):
        tracker = trackers[i]
        disown_rows(&tracker.tracker)
        if not view_log(&tracker.tracker, &s.logs[i]):
            raise MemoryError
    return 0


def sharing(trackers):
    """Of many captures, which two have logged the same messages, and how many: both numbers, and the count, in order."""
    cdef list some = list(trackers)
    cdef list found = []
    cdef uint32_t count = <uint32_t> len(some)
    cdef uint32_t i
    cdef Tracker tracker
    cdef sharing_t s
    memset(&s, 0, sizeof(s))
    for tracker in some:
        if tracker is None:
            raise TypeError("a tracker is missing")
        tracker.check_idle()
    for tracker in some:
        tracker.is_busy = True
    try:
        view_logs(&s, some)
        if not begin_sharing(&s, count):
            raise MemoryError
        for i in range(count):
            with nogil:
                look_through(&s, i)
            tell_met(&s, i, found)
    finally:
        for tracker in some:
            tracker.is_busy = False
        end_sharing(&s, count)
    found.sort()
    return found
