# Two logs → what they share, and what of one is not in the other.  The compiled twin of plain_match.py, rule for rule;
# the reasons stand there.
#
# Every table is made for the rows that there are, and freed with the answer; a Matching keeps 48 bytes for each
# message that both logs hold.  Hashes are keyed (decode.pxi), so that nobody can write a capture that makes the tables
# slow.  No work but sorting out where bytes are missing takes more than a few steps for each row.

cdef enum:
    BLOCK = 256  # rows whose slots are asked for before they are looked at
    ROWS_AHEAD = 16
    FIRST_PAIRS = 256
    NO_MATE = 0xFFFFFFFF  # what it has shown is another message

    SAME = 0  # what became of a segment: rows.CourseRow
    COVERED = 1
    ALTERED = 2
    MISSING = 3
    REPEATED = 4
    BEFORE = 5
    AFTER = 6
    BEYOND = 7
    FATES = 8

cdef extern from *:
    const int64_t BILLION "((int64_t)1000000000)"

cdef uint32_t STRAYS_KEPT = caps.STRAYS_KEPT
cdef int64_t FASTEST_PPB = caps.FASTEST_PPB


cdef struct slot_t:  # a message of the log there
    uint32_t hash_high
    uint32_t there  # number of its first row from the oldest in the log, and 1; 0 where the slot is free
    uint32_t there_again
    uint32_t mate  # index of its mate, and 1; 0 where the log here has not shown it; or NO_MATE

cdef struct mate_t:  # the first sighting of one message here and there
    int64_t here_frame
    int64_t here_ns
    int64_t there_frame
    int64_t there_ns
    int64_t shift
    uint32_t pair
    uint32_t is_unique

cdef struct pair_t:  # two directions that share messages
    uint32_t here  # twice the flow, and the side
    uint32_t there
    uint32_t matches
    uint32_t agreeing
    uint32_t first_way  # and 1, while delays are told
    int64_t shift
    int64_t lead

cdef struct large_t:  # zeroes; on huge pages, where there are some, what stands there is found sooner
    void* block
    void* aligned

cdef struct matching_t:
    large_t mates_block
    mate_t* mates  # in the order of the log here
    uint32_t mate_count
    pair_t* pairs
    uint32_t* pair_slots  # index of a pair, and 1; twice as many as there is room for pairs
    uint32_t pair_count
    uint32_t pair_room

cdef struct block_t:  # the next rows of a log that have a key
    uint32_t count
    uint32_t numbers[BLOCK]
    uint64_t hashes[BLOCK]
    const segment_t* rows[BLOCK]


# --- keys ------------------------------------------------------------------------------------------

cdef inline bint has_key(const segment_t* row) noexcept nogil:
    if row.length == 0 or row.flags & SYN or row.flow == NOBODY:
        return False
    return row.kind == KIND_IKE or row.spi != 0 or row.esp_seq != 0


cdef inline uint64_t key_hash(const segment_t* row) noexcept nogil:
    cdef uint64_t hashed = mix(<uint64_t> row.spi << 32 | row.esp_seq)
    return mix(hashed ^ row.print64) if row.kind == KIND_IKE else hashed


cdef inline bint is_same_key(const segment_t* one, const segment_t* other) noexcept nogil:
    """Of two rows that have one."""
    if one.spi != other.spi or one.esp_seq != other.esp_seq:
        return False
    if one.kind == KIND_IKE or other.kind == KIND_IKE:
        return one.kind == other.kind and one.print64 == other.print64
    return True


cdef inline bint contradicts(const segment_t* row, const segment_t* there) noexcept nogil:
    """One SPI and number over two contents."""
    return row.kind == KIND_ESP and there.kind == KIND_ESP and row.print64 != there.print64


cdef inline uint32_t half_of(const segment_t* row) noexcept nogil:
    return 2 * row.flow + row.side


cdef large_t take_large(size_t size) noexcept nogil:
    """`block` is to be freed; NULL where there is no memory."""
    cdef large_t large
    cdef size_t alignment = HUGE_PAGE if size >= HUGE_PAGE else CACHE_LINE
    large.block = calloc(size + alignment, 1)
    large.aligned = <void*> ((<size_t> large.block + alignment - 1) // alignment * alignment)
    if large.block != NULL and size >= HUGE_PAGE:
        ask_for_huge_pages(large.aligned, size)
    return large


# --- the join --------------------------------------------------------------------------------------

cdef bint match_trackers(matching_t* m, const tracker_t* here, const tracker_t* there) noexcept nogil:
    """False where there is no memory."""
    cdef log_t ours, theirs
    cdef bint done = False
    ours.chunks, theirs.chunks = NULL, NULL
    if view_log(here, &ours) and view_log(there, &theirs):
        done = match_logs(m, &ours, &theirs)
    free(ours.chunks)
    free(theirs.chunks)
    return done


cdef bint match_logs(matching_t* m, const log_t* here, const log_t* there) noexcept nogil:
    cdef uint32_t mask = slots_for(there.count) - 1
    cdef large_t table = take_large((<size_t> mask + 1) * sizeof(slot_t))
    cdef slot_t* slots = <slot_t*> table.aligned
    cdef uint32_t messages
    cdef bint done = False
    if table.block != NULL and begin_pairs(m):
        messages = enter_messages(there, slots, mask)
        m.mates_block = take_large((<size_t> messages + 1) * sizeof(mate_t))
        m.mates = <mate_t*> m.mates_block.aligned
        done = m.mates_block.block != NULL and find_mates(m, here, there, slots, mask)
    free(table.block)
    if done:
        count_agreeing(m)
    return done


cdef uint32_t slots_for(int64_t count) noexcept nogil:
    """A power of two that is at least twice as many."""
    cdef uint32_t slots = 16
    while slots < 2 * count:
        slots *= 2
    return slots


cdef inline uint32_t fill_block(
    const log_t* log, uint32_t number, block_t* block, const void* slots, size_t slot_len, uint32_t mask
) noexcept nogil:
    """From row `number` on, with their slots asked for; the number of the row to go on with."""
    cdef const segment_t* row
    block.count = 0
    while number < log.count and block.count < BLOCK:
        row = row_of(log, number)
        if has_key(row):
            block.rows[block.count] = row
            block.numbers[block.count] = number
            block.hashes[block.count] = key_hash(row)
            prefetch(<const char*> slots + (block.hashes[block.count] & mask) * slot_len)
            block.count += 1
        number += 1
    return number


cdef inline slot_t* slot_with(
    const log_t* there, slot_t* slots, uint32_t mask, uint64_t hashed, const segment_t* row
) noexcept nogil:
    """The slot of this message, or the free one where it would be."""
    cdef uint32_t at = <uint32_t> hashed & mask
    while slots[at].there:
        if slots[at].hash_high == <uint32_t> (hashed >> 32):
            if is_same_key(row, row_of(there, slots[at].there - 1)):
                break
        at = (at + 1) & mask
    return &slots[at]


cdef uint32_t enter_messages(const log_t* there, slot_t* slots, uint32_t mask) noexcept nogil:
    """How many different ones there are."""
    cdef uint32_t number = 0
    cdef uint32_t i, messages = 0
    cdef block_t block
    cdef slot_t* slot
    while number < there.count:
        number = fill_block(there, number, &block, slots, sizeof(slot_t), mask)
        for i in range(block.count):
            slot = slot_with(there, slots, mask, block.hashes[i], block.rows[i])
            if slot.there:
                slot.there_again = 1
                continue
            slot.hash_high = <uint32_t> (block.hashes[i] >> 32)
            slot.there = block.numbers[i] + 1
            messages += 1
    return messages


cdef bint find_mates(
    matching_t* m, const log_t* here, const log_t* there, slot_t* slots, uint32_t mask
) noexcept nogil:
    cdef uint32_t number = 0
    cdef uint32_t i
    cdef block_t block
    cdef slot_t* slot
    while number < here.count:
        number = fill_block(here, number, &block, slots, sizeof(slot_t), mask)
        for i in range(block.count):
            slot = slot_with(there, slots, mask, block.hashes[i], block.rows[i])
            if slot.mate == NO_MATE:
                continue
            if slot.mate:
                m.mates[slot.mate - 1].is_unique = 0
            elif slot.there and contradicts(block.rows[i], row_of(there, slot.there - 1)):
                slot.mate = NO_MATE
            elif slot.there:
                if not add_mate(m, block.rows[i], row_of(there, slot.there - 1), slot.there_again):
                    return False
                slot.mate = m.mate_count
    return True


@cython.overflowcheck(False)  # it takes a difference of addresses for one of numbers
cdef bint add_mate(matching_t* m, const segment_t* here, const segment_t* there, bint there_again) noexcept nogil:
    """With the shift of the majority (Boyer and Moore 1981) as far as it is known."""
    cdef mate_t* mate = &m.mates[m.mate_count]
    cdef pair_t* pair = pair_with(m, half_of(here), half_of(there))
    if pair == NULL:
        return False
    mate.here_frame, mate.here_ns = here.frame, here.time_ns
    mate.there_frame, mate.there_ns = there.frame, there.time_ns
    mate.shift = there.pos - here.pos
    mate.pair, mate.is_unique = <uint32_t> (pair - m.pairs), not there_again
    m.mate_count += 1
    pair.matches += 1
    if pair.lead == 0:
        pair.shift = mate.shift
    pair.lead += 1 if mate.shift == pair.shift else -1
    return True


cdef void count_agreeing(matching_t* m) noexcept nogil:
    cdef uint32_t i
    cdef pair_t* pair
    for i in range(m.mate_count):
        pair = &m.pairs[m.mates[i].pair]
        pair.agreeing += m.mates[i].shift == pair.shift


# --- pairs of directions ---------------------------------------------------------------------------

cdef bint begin_pairs(matching_t* m) noexcept nogil:
    m.pair_room = FIRST_PAIRS
    m.pairs = <pair_t*> malloc(<size_t> m.pair_room * sizeof(pair_t))
    m.pair_slots = <uint32_t*> calloc(2 * <size_t> m.pair_room, sizeof(uint32_t))
    return m.pairs != NULL and m.pair_slots != NULL


cdef inline uint32_t pair_slot(const matching_t* m, uint32_t here, uint32_t there) noexcept nogil:
    """Where this pair stands in the slots, or would."""
    cdef uint32_t mask = 2 * m.pair_room - 1
    cdef uint32_t at = <uint32_t> mix(<uint64_t> here << 32 | there) & mask
    cdef const pair_t* pair
    while m.pair_slots[at]:
        pair = &m.pairs[m.pair_slots[at] - 1]
        if pair.here == here and pair.there == there:
            break
        at = (at + 1) & mask
    return at


cdef pair_t* pair_with(matching_t* m, uint32_t here, uint32_t there) noexcept nogil:
    """Made where it is needed first; NULL where there is no memory."""
    cdef uint32_t at = pair_slot(m, here, there)
    cdef pair_t* pair
    if m.pair_slots[at]:
        return &m.pairs[m.pair_slots[at] - 1]
    if m.pair_count == m.pair_room:
        if not widen_pairs(m):
            return NULL
        at = pair_slot(m, here, there)
    pair = &m.pairs[m.pair_count]
    memset(pair, 0, sizeof(pair_t))
    pair.here, pair.there = here, there
    m.pair_count += 1
    m.pair_slots[at] = m.pair_count
    return pair


cdef bint widen_pairs(matching_t* m) noexcept nogil:
    """Room for twice as many, each in the slot that is then its own."""
    cdef uint32_t room = 2 * m.pair_room
    cdef void* pairs = realloc(m.pairs, <size_t> room * sizeof(pair_t))
    cdef uint32_t* slots = <uint32_t*> calloc(2 * <size_t> room, sizeof(uint32_t))
    cdef uint32_t i
    if pairs != NULL:
        m.pairs = <pair_t*> pairs
    if pairs == NULL or slots == NULL:
        free(slots)
        return False
    free(m.pair_slots)
    m.pair_slots, m.pair_room = slots, room
    for i in range(m.pair_count):
        m.pair_slots[pair_slot(m, m.pairs[i].here, m.pairs[i].there)] = i + 1
    return True


# --- delays ----------------------------------------------------------------------------------------

cdef struct way_t:  # a pair and a shift that the caller has named
    int64_t shift
    uint32_t name  # index among the names
    uint32_t next  # of the same pair, and 1

cdef struct delay_t:  # a delay less the drift is twice `half` and `odd`: a difference of two differences has 65 bits
    int64_t half
    int64_t odd
    int64_t delay_ns
    int64_t at_ns

cdef struct extremes_t:
    uint32_t name
    int64_t stretch
    int64_t matches
    int64_t here_first
    int64_t here_last
    int64_t there_first
    int64_t there_last
    delay_t least
    delay_t most

cdef struct survey_t:  # while delays are told
    way_t* ways
    uint32_t way_count
    uint32_t* latest  # for each name the index of its latest extremes, and 1
    extremes_t* extremes
    uint32_t extremes_count
    uint32_t extremes_room


cdef inline int64_t floor_div(int64_t number, int64_t by) noexcept nogil:
    """Rounded down, whether division is C's or Python's."""
    return number // by if number >= 0 else -1 - (-1 - number) // by


cdef inline int64_t drifted(int64_t since_ns, int64_t drift_ppb) noexcept nogil:
    """Whole nanoseconds; divided first, and FASTEST_PPB is such that a century's drift fits into 64 bits."""
    cdef int64_t seconds = floor_div(since_ns, BILLION)
    return seconds * drift_ppb + floor_div((since_ns - seconds * BILLION) * drift_ppb, BILLION)


cdef inline delay_t delay_of(const mate_t* mate, int64_t drift_ppb, int64_t first_ns) noexcept nogil:
    cdef int64_t drift_ns = drifted(mate.here_ns - first_ns, drift_ppb)
    cdef delay_t delay
    delay.delay_ns, delay.at_ns = mate.there_ns - mate.here_ns, mate.here_ns
    delay.half = (delay.delay_ns >> 1) - (drift_ns >> 1)
    delay.odd = (delay.delay_ns & 1) - (drift_ns & 1)
    if delay.odd < 0:
        delay.half, delay.odd = delay.half - 1, 1
    return delay


cdef inline bint is_less(const delay_t* one, const delay_t* other) noexcept nogil:
    return one.half < other.half or (one.half == other.half and one.odd < other.odd)


cdef inline const way_t* way_of(const matching_t* m, const survey_t* survey, const mate_t* mate) noexcept nogil:
    """NULL where the caller has not named it, or the message was sent again."""
    cdef uint32_t way = m.pairs[mate.pair].first_way if mate.is_unique else 0
    while way and survey.ways[way - 1].shift != mate.shift:
        way = survey.ways[way - 1].next
    return &survey.ways[way - 1] if way else NULL


cdef bint take_delays(const matching_t* m, survey_t* survey, int64_t stretches, int64_t drift_ppb) noexcept nogil:
    """False where there is no memory."""
    cdef int64_t number = 0
    cdef int64_t chosen = 0
    cdef int64_t first_ns = 0
    cdef uint32_t i
    cdef const way_t* way
    cdef extremes_t* extremes
    for i in range(m.mate_count):
        if way_of(m, survey, &m.mates[i]) != NULL:
            if chosen == 0:
                first_ns = m.mates[i].here_ns
            chosen += 1
    for i in range(m.mate_count):
        way = way_of(m, survey, &m.mates[i])
        if way == NULL:
            continue
        extremes = extremes_of(survey, way.name, floor_div(number * stretches, chosen))
        if extremes == NULL:
            return False
        take_delay(extremes, &m.mates[i], delay_of(&m.mates[i], drift_ppb, first_ns))
        number += 1
    return True


cdef inline extremes_t* extremes_of(survey_t* survey, uint32_t name, int64_t stretch) noexcept nogil:
    """Stretches follow each other, so that a name's latest extremes are the only ones that are still open."""
    cdef uint32_t latest = survey.latest[name]
    if latest and survey.extremes[latest - 1].stretch == stretch:
        return &survey.extremes[latest - 1]
    return new_extremes(survey, name, stretch)


cdef extremes_t* new_extremes(survey_t* survey, uint32_t name, int64_t stretch) noexcept nogil:
    cdef uint32_t room = 2 * survey.extremes_room + 64
    cdef extremes_t* extremes
    cdef void* grown
    if survey.extremes_count == survey.extremes_room:
        grown = realloc(survey.extremes, <size_t> room * sizeof(extremes_t))
        if grown == NULL:
            return NULL
        survey.extremes = <extremes_t*> grown
        survey.extremes_room = room
    extremes = &survey.extremes[survey.extremes_count]
    survey.extremes_count += 1
    survey.latest[name] = survey.extremes_count
    extremes.name, extremes.stretch, extremes.matches = name, stretch, 0
    return extremes


cdef inline void take_delay(extremes_t* e, const mate_t* mate, delay_t delay) noexcept nogil:
    if e.matches == 0:
        e.least, e.most = delay, delay
        e.here_first, e.here_last = mate.here_frame, mate.here_frame
        e.there_first, e.there_last = mate.there_frame, mate.there_frame
    e.matches += 1
    e.here_first, e.here_last = min(e.here_first, mate.here_frame), max(e.here_last, mate.here_frame)
    e.there_first, e.there_last = min(e.there_first, mate.there_frame), max(e.there_last, mate.there_frame)
    if is_less(&delay, &e.least):
        e.least = delay
    if is_less(&e.most, &delay):
        e.most = delay


def by_matches(row):
    return -row.matches, row


def by_stretch(row):
    return row.stretch, row.way


cdef class Matching:
    """The messages that two captures share."""

    cdef matching_t matching

    def __cinit__(self, Tracker here not None, Tracker there not None):
        cdef bint done = False
        here.check_idle()
        there.check_idle()
        here.is_busy = there.is_busy = True
        try:
            with nogil:
                disown_rows(&here.tracker)
                disown_rows(&there.tracker)
                done = match_trackers(&self.matching, &here.tracker, &there.tracker)
        finally:
            here.is_busy = there.is_busy = False
        if not done:
            raise MemoryError

    def __dealloc__(self):
        free(self.matching.mates_block.block)
        free(self.matching.pairs)
        free(self.matching.pair_slots)

    def pairs(self):
        """Directions that share messages, most matches first."""
        cdef uint32_t i
        cdef list found = [pair_row(&self.matching.pairs[i]) for i in range(self.matching.pair_count)]
        found.sort(key=by_matches)
        return found

    def delays(self, ways, int32_t stretches, drift_ppb):
        """Extremes of time there less time here, for each way and stretch of matches, in the order of the log here."""
        cdef int64_t drift = max(-FASTEST_PPB, min(FASTEST_PPB, drift_ppb))
        cdef survey_t survey
        cdef list names = []
        cdef list told
        cdef uint32_t i
        cdef list wanted = [tuple(way) for way in ways]
        memset(&survey, 0, sizeof(survey))
        try:
            self.name_ways(&survey, wanted, names)
            if not take_delays(&self.matching, &survey, stretches, drift):
                raise MemoryError
            told = [delay_row(&survey.extremes[i], names) for i in range(survey.extremes_count)]
        finally:
            self.forget_ways(&survey)
        told.sort(key=by_stretch)
        return told

    cdef int name_ways(self, survey_t* survey, list wanted, list names) except -1:
        cdef dict index_of = {}
        survey.ways = <way_t*> malloc((<size_t> len(wanted) + 1) * sizeof(way_t))
        survey.latest = <uint32_t*> calloc(<size_t> len(wanted) + 1, sizeof(uint32_t))
        if survey.ways == NULL or survey.latest == NULL:
            raise MemoryError
        for here_flow, here_side, there_flow, there_side, shift, name in wanted:
            if name not in index_of:
                index_of[name] = len(names)
                names.append(name)
            if is_half(here_flow, here_side) and is_half(there_flow, there_side):
                self.name_way(
                    survey, 2 * here_flow + here_side, 2 * there_flow + there_side, shift, index_of[name]
                )
        return 0

    cdef int name_way(
        self, survey_t* survey, uint32_t here, uint32_t there, int64_t shift, uint32_t name
    ) except -1:
        """The last name of a pair and shift holds."""
        cdef uint32_t at = self.matching.pair_slots[pair_slot(&self.matching, here, there)]
        cdef pair_t* pair
        cdef way_t* way
        cdef uint32_t handle
        if at == 0:
            return 0
        pair = &self.matching.pairs[at - 1]
        handle = pair.first_way
        while handle and survey.ways[handle - 1].shift != shift:
            handle = survey.ways[handle - 1].next
        if handle == 0:
            way = &survey.ways[survey.way_count]
            survey.way_count += 1
            way.shift, way.next = shift, pair.first_way
            pair.first_way = handle = survey.way_count
        survey.ways[handle - 1].name = name
        return 0

    cdef void forget_ways(self, survey_t* survey) noexcept:
        cdef uint32_t i
        for i in range(self.matching.pair_count):
            self.matching.pairs[i].first_way = 0
        free(survey.ways)
        free(survey.latest)
        free(survey.extremes)


cdef bint is_half(flow, side):
    return 0 <= flow < 0x4000_0000 and (side == 0 or side == 1)


cdef object pair_row(const pair_t* pair):
    return rows.PairRow._make(
        (
            pair.here // 2,
            pair.here % 2,
            pair.there // 2,
            pair.there % 2,
            pair.matches,
            pair.shift,
            pair.agreeing,
        )
    )


cdef object delay_row(const extremes_t* e, list names):
    return rows.DelayRow._make(
        (
            names[e.name],
            e.stretch,
            e.matches,
            e.here_first,
            e.here_last,
            e.there_first,
            e.there_last,
            e.least.delay_ns,
            e.least.at_ns,
            e.most.delay_ns,
            e.most.at_ns,
        )
    )


# --- what of one capture is not in the other -------------------------------------------------------

cdef struct data_t:  # the logged messages of one direction, without SYN and FIN, which carry none
    const segment_t** rows
    uint32_t count

cdef struct span_t:
    int64_t start
    int64_t end

cdef struct holding_t:  # what one direction holds in a capture
    data_t data
    uint32_t* places  # hash of place and length to the index of a row with them, and 1
    uint32_t* latest  # beside it: the latest row with them that is not taken, and 1
    uint32_t* earlier  # for each row the one before it with the same, and 1
    uint32_t mask
    span_t* spans  # stretches of bytes that are there, in order
    uint32_t span_count
    int64_t first
    int64_t last

cdef struct course_t:
    int64_t counts[FATES]
    int64_t before_last_frame
    int64_t before_last_ns
    int64_t after_first_frame
    int64_t after_first_ns
    int64_t after_last_frame
    int64_t after_last_ns
    int64_t largest_arrived


cdef bint gather_data(Tracker tracker, uint32_t half, data_t* data) noexcept nogil:
    """In the order of the log, which has been sorted by flow.  False where there is no memory."""
    cdef uint32_t first = tracker.firsts[half // 2]
    cdef uint32_t end = tracker.firsts[half // 2 + 1]
    cdef const segment_t* row
    cdef uint32_t i, ahead
    data.rows = <const segment_t**> malloc((<size_t> (end - first) + 1) * sizeof(void*))
    if data.rows == NULL:
        return False
    for i in range(first, end):
        ahead = min(i + ROWS_AHEAD, end - 1)
        if tracker.order[ahead] % 2 == half % 2:
            prefetch(row_of(&tracker.log_view, tracker.order[ahead] // 2))
        if tracker.order[i] % 2 != half % 2:
            continue
        row = row_of(&tracker.log_view, tracker.order[i] // 2)
        if row.length:
            data.rows[data.count] = row
            data.count += 1
    return True


cdef bint begin_holding(holding_t* holding, int64_t floor) noexcept nogil:
    """The tables of what it holds.  False where there is no memory."""
    cdef size_t count = holding.data.count
    holding.mask = slots_for(count) - 1
    holding.places = <uint32_t*> calloc(<size_t> holding.mask + 1, sizeof(uint32_t))
    holding.latest = <uint32_t*> calloc(<size_t> holding.mask + 1, sizeof(uint32_t))
    holding.earlier = <uint32_t*> calloc(count + 1, sizeof(uint32_t))
    holding.spans = <span_t*> malloc((count + 1) * sizeof(span_t))
    if holding.places == NULL or holding.latest == NULL or holding.earlier == NULL or holding.spans == NULL:
        return False
    enter_places(holding)
    if not sort_spans(holding.spans, holding.data.count):
        return False
    merge_spans(holding)
    holding.first, holding.last = floor, NEVER
    if holding.span_count:
        holding.last = holding.spans[holding.span_count - 1].end
        if floor == NEVER:
            holding.first = holding.spans[0].start
    return True


cdef void end_holding(holding_t* holding) noexcept nogil:
    free(holding.data.rows)
    free(holding.places)
    free(holding.latest)
    free(holding.earlier)
    free(holding.spans)


cdef inline uint32_t place_in(const holding_t* holding, int64_t pos, uint32_t length) noexcept nogil:
    """The slot of this place and length, or the free one where they would be."""
    cdef uint32_t at = <uint32_t> mix(mix(<uint64_t> pos) ^ length) & holding.mask
    cdef const segment_t* row
    while holding.places[at]:
        row = holding.data.rows[holding.places[at] - 1]
        if row.pos == pos and row.length == length:
            break
        at = (at + 1) & holding.mask
    return at


cdef void enter_places(holding_t* holding) noexcept nogil:
    cdef uint32_t i, at
    cdef const segment_t* row
    for i in range(holding.data.count):
        row = holding.data.rows[i]
        at = place_in(holding, row.pos, row.length)
        if holding.places[at] == 0:
            holding.places[at] = i + 1
        holding.earlier[i] = holding.latest[at]
        holding.latest[at] = i + 1
        holding.spans[i].start, holding.spans[i].end = row.pos, row.pos + row.length


cdef bint sort_spans(span_t* spans, uint32_t count) noexcept nogil:
    """By where they start, byte by byte, so that any disorder is sorted in linear time.  Most are in order."""
    cdef uint32_t shift = 0
    cdef int64_t furthest = 0
    cdef span_t* other
    if are_in_order(spans, count, &furthest):
        return True
    other = <span_t*> malloc(<size_t> count * sizeof(span_t))
    if other == NULL:
        return False
    while shift < 64 and furthest >> shift:
        sort_by_byte(spans, other, count, shift)
        sort_by_byte(other, spans, count, shift + 8)
        shift += 16
    free(other)
    return True


cdef bint are_in_order(const span_t* spans, uint32_t count, int64_t* furthest) noexcept nogil:
    cdef bint in_order = True
    cdef uint32_t i
    for i in range(count):
        in_order = in_order and spans[i].start >= furthest[0]
        furthest[0] = max(furthest[0], spans[i].start)
    return in_order


cdef void sort_by_byte(const span_t* spans, span_t* sorted_spans, uint32_t count, uint32_t shift) noexcept nogil:
    """A counting sort; positions of logged segments are not negative."""
    cdef uint32_t firsts[257]
    cdef uint32_t i, byte
    memset(firsts, 0, sizeof(firsts))
    for i in range(count):
        firsts[(<uint64_t> spans[i].start >> shift & 0xFF) + 1] += 1
    for i in range(256):
        firsts[i + 1] += firsts[i]
    for i in range(count):
        byte = <uint64_t> spans[i].start >> shift & 0xFF
        sorted_spans[firsts[byte]] = spans[i]
        firsts[byte] += 1


cdef void merge_spans(holding_t* holding) noexcept nogil:
    """Spans in order become the stretches that they make up together."""
    cdef span_t* spans = holding.spans
    cdef span_t span
    cdef uint32_t i, count = 0
    for i in range(holding.data.count):
        span = spans[i]
        if count and span.start <= spans[count - 1].end:
            spans[count - 1].end = max(spans[count - 1].end, span.end)
        else:
            spans[count] = span
            count += 1
    holding.span_count = count


cdef bint covers(const holding_t* holding, int64_t pos, int64_t end) noexcept nogil:
    cdef uint32_t low = 0
    cdef uint32_t high = holding.span_count
    cdef uint32_t middle
    while low < high:
        middle = (low + high) // 2
        if holding.spans[middle].start <= pos:
            low = middle + 1
        else:
            high = middle
    return low > 0 and end <= holding.spans[low - 1].end


cdef bint is_another(const segment_t* one, const segment_t* other) noexcept nogil:
    """Two contents at one place.  Prints are compared where both messages were captured whole: their trailers tell."""
    cdef bint one_has, other_has
    if one.is_damaged != other.is_damaged:
        return True
    one_has, other_has = has_key(one), has_key(other)
    if one.kind == KIND_NONE or other.kind == KIND_NONE:
        return one.kind == other.kind and one_has and other_has and not is_same_key(one, other)
    if one.print64 != other.print64 or one_has != other_has:
        return True
    return one_has and not is_same_key(one, other)


@cython.overflowcheck(False)
cdef int fate_of(holding_t* theirs, const segment_t* row, int64_t shift, int64_t until_ns) noexcept nogil:
    cdef int64_t pos = <int64_t> (<uint64_t> row.pos + <uint64_t> shift)
    cdef uint32_t at = place_in(theirs, pos, row.length)
    if theirs.places[at]:
        return fate_of_alike(theirs, row, at)
    if pos >= theirs.last:
        return BEYOND if row.time_ns > until_ns else AFTER
    if pos + row.length <= theirs.first:
        return BEFORE
    return COVERED if covers(theirs, pos, pos + row.length) else MISSING


cdef int fate_of_alike(holding_t* theirs, const segment_t* row, uint32_t at) noexcept nogil:
    """Each segment there answers for one here; a segment sent again is lost before it arrives."""
    cdef uint32_t alike = theirs.latest[at]
    if alike == 0:
        return REPEATED
    theirs.latest[at] = theirs.earlier[alike - 1]
    return ALTERED if is_another(row, theirs.data.rows[alike - 1]) else SAME


cdef void follow_course(
    course_t* course, const data_t* ours, holding_t* theirs, int64_t shift, int64_t until_ns, uint8_t* fates
) noexcept nogil:
    """From the last segment to the first."""
    cdef uint32_t i = ours.count
    while i > 0:
        i -= 1
        fates[i] = <uint8_t> fate_of(theirs, ours.rows[i], shift, until_ns)
        course.counts[fates[i]] += 1
        note_fate(course, ours.rows[i], fates[i])


cdef inline void note_fate(course_t* course, const segment_t* row, int fate) noexcept nogil:
    if fate == SAME or fate == COVERED:
        course.largest_arrived = max(course.largest_arrived, <int64_t> row.length)
    elif fate == BEFORE and course.before_last_frame == NEVER:
        course.before_last_frame, course.before_last_ns = row.frame, row.time_ns
    elif fate == AFTER:
        course.after_first_frame, course.after_first_ns = row.frame, row.time_ns
        if course.after_last_frame == NEVER:
            course.after_last_frame, course.after_last_ns = row.frame, row.time_ns


cdef bint is_stray(int fate) noexcept nogil:
    return fate == MISSING or fate == ALTERED or fate == REPEATED


cdef uint32_t checked_half(Tracker tracker, half) except? 0xFFFFFFFF:
    flow, side = half
    return 2 * tracker.checked(flow) + <uint32_t> checked_side(side)


def course(
    Tracker here not None, here_half, Tracker there not None, there_half, int64_t shift, int64_t floor,
    int64_t until_ns
):
    """What became there of the data that `here_half` sent here; `shift` is position there less position here."""
    cdef uint32_t ours_half = checked_half(here, here_half)
    cdef uint32_t theirs_half = checked_half(there, there_half)
    cdef data_t ours
    cdef holding_t theirs
    cdef course_t counted
    cdef uint8_t* fates = NULL
    cdef bint done = False
    memset(&ours, 0, sizeof(ours))
    memset(&theirs, 0, sizeof(theirs))
    here.sort_log()
    there.sort_log()
    set_course_defaults(&counted)
    here.is_busy = there.is_busy = True
    try:
        with nogil:
            done = gather_data(here, ours_half, &ours) and gather_data(there, theirs_half, &theirs.data)
            fates = <uint8_t*> malloc(<size_t> ours.count + 1)
            done = done and fates != NULL and begin_holding(&theirs, floor)
            if done:
                follow_course(&counted, &ours, &theirs, shift, until_ns, fates)
        if not done:
            raise MemoryError
        return course_row(&counted, ours.count), strays_of(&ours, fates)
    finally:
        here.is_busy = there.is_busy = False
        free(fates)
        free(ours.rows)
        end_holding(&theirs)


cdef void set_course_defaults(course_t* course) noexcept:
    memset(course, 0, sizeof(course_t))
    course.before_last_frame, course.before_last_ns = NEVER, NEVER
    course.after_first_frame, course.after_first_ns = NEVER, NEVER
    course.after_last_frame, course.after_last_ns = NEVER, NEVER
    course.largest_arrived = NEVER


cdef object course_row(const course_t* course, uint32_t segments):
    return rows.CourseRow._make(
        (
            segments,
            course.counts[SAME],
            course.counts[COVERED],
            course.counts[ALTERED],
            course.counts[MISSING],
            course.counts[REPEATED],
            course.counts[BEFORE],
            course.before_last_frame,
            course.before_last_ns,
            course.counts[AFTER],
            course.after_first_frame,
            course.after_first_ns,
            course.after_last_frame,
            course.after_last_ns,
            course.counts[BEYOND],
            course.largest_arrived,
        )
    )


cdef list strays_of(const data_t* ours, const uint8_t* fates):
    """The first STRAYS_KEPT, in the order of the log."""
    cdef list strays = []
    cdef uint32_t i
    for i in range(ours.count):
        if len(strays) == <Py_ssize_t> STRAYS_KEPT:
            break
        if is_stray(fates[i]):
            strays.append(stray_row(ours.rows[i], fates[i]))
    return strays


cdef object stray_row(const segment_t* row, int fate):
    return rows.StrayRow._make(
        (
            row.frame,
            row.time_ns,
            row.pos,
            row.length,
            row.spi,
            row.esp_seq,
            1 if fate == ALTERED else 0,
            1 if fate == REPEATED else 0,
            row.is_damaged,
        )
    )
