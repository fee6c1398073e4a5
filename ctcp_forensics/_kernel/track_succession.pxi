# Which connection came next, of the same hosts or from the same port.  The compiled twin of plain_succession.py, which
# says why.
#
# Flows by what they open, in 64 bits under a secret key, and then by their first frames.  That two of a full table come out
# alike happens once in a thousand million runs, and costs a doubt.

cdef struct opening_t:
    uint64_t opens  # hashed: who opens, at which host, and which port there; or both ends
    int64_t frame
    uint32_t index


ctypedef uint64_t (*opens_t)(const tracker_t*, const flow_t*, int) noexcept nogil


cdef list next_of(const tracker_t* t, const uint32_t* wanted, uint32_t count, opens_t opens):
    cdef opening_t* opened
    cdef uint32_t opened_count, i
    if count == 0:
        return []
    opened = <opening_t*> malloc((2 * <size_t> t.flow_count + 1) * sizeof(opening_t))
    if opened == NULL:
        raise MemoryError
    try:
        opened_count = gather_openings(t, opened, opens)
        qsort(opened, opened_count, sizeof(opening_t), by_opens_and_frame)
        return [opened_next(t, flow_at(t, wanted[i] + 1), opened, opened_count, opens) for i in range(count)]
    finally:
        free(opened)


cdef uint32_t gather_openings(const tracker_t* t, opening_t* opened, opens_t opens) noexcept nogil:
    """Two of a flow in mid-stream: either end may have been the one that opened it."""
    cdef const flow_t* flow
    cdef uint32_t found = 0
    cdef uint32_t i
    cdef int opener, side
    for i in range(t.flow_count):
        flow = flow_at(t, i + 1)
        opener = direction_in(flow, OPENED_BY_0)
        for side in range(2):
            if opener == NEVER or opener == side:
                opened[found].opens = opens(t, flow, side)
                opened[found].frame = flow.first_frame
                opened[found].index = i
                found += 1
    return found


cdef int by_opens_and_frame(const void* one, const void* other) noexcept nogil:
    cdef const opening_t* first = <const opening_t*> one
    cdef const opening_t* second = <const opening_t*> other
    if first.opens != second.opens:
        return 1 if first.opens > second.opens else -1
    return (first.frame > second.frame) - (first.frame < second.frame)


@cython.overflowcheck(False)
cdef uint64_t from_any_port(const tracker_t* t, const flow_t* flow, int opener) noexcept nogil:
    cdef uint64_t src = mix(word_of(src_of(t, flow), flow.address_len))
    cdef uint64_t dst = mix(word_of(dst_of(t, flow), flow.address_len))
    return mix(mix(dst if opener else src) + (src if opener else dst)) + flow.ports[1 - opener]


@cython.overflowcheck(False)
cdef uint64_t from_its_port(const tracker_t* t, const flow_t* flow, int opener) noexcept nogil:
    """Whichever end opens it."""
    cdef uint64_t src = mix(word_of(src_of(t, flow), flow.address_len) + flow.ports[0])
    return src + mix(word_of(dst_of(t, flow), flow.address_len) + flow.ports[1])


cdef int64_t opened_next(
    const tracker_t* t, const flow_t* flow, const opening_t* opened, uint32_t count, opens_t opens
) noexcept nogil:
    """Its index; NEVER where there is none."""
    cdef int opener = direction_in(flow, OPENED_BY_0)
    cdef const opening_t* found = NULL
    cdef const opening_t* one
    cdef int side
    for side in range(2):
        if opener == NEVER or opener == side:
            one = first_behind(t, flow, opens(t, flow, side), opened, count)
            if one != NULL and (found == NULL or one.frame < found.frame):
                found = one
    return NEVER if found == NULL else found.index


cdef const opening_t* first_behind(
    const tracker_t* t, const flow_t* flow, uint64_t opens, const opening_t* opened, uint32_t count
) noexcept nogil:
    """The first opening of the same, in a frame behind the last of the flow."""
    cdef opening_t wanted
    cdef uint32_t begin = 0
    cdef uint32_t end = count
    cdef uint32_t middle
    wanted.opens, wanted.frame = opens, last_speaker(flow).last_frame
    while begin < end:
        middle = begin + (end - begin) // 2
        if by_opens_and_frame(&opened[middle], &wanted) > 0:
            end = middle
        else:
            begin = middle + 1
    return &opened[begin] if begin < count and opened[begin].opens == wanted.opens else NULL
