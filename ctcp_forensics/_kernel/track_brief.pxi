# A few facts of many flows, as columns of decimal numbers.  The compiled twin of the end of plain_screen.py.

cdef enum:
    BRIEF_COLUMNS = 9
    MOST_DIGITS = 21  # of 64 bits, with a sign and a space

cdef object brief_columns(
    const tracker_t* t, const uint32_t* wanted, uint32_t count, const uint8_t* ports, int64_t frames_before
):
    cdef int64_t* values = <int64_t*> malloc((<size_t> BRIEF_COLUMNS * count + 1) * sizeof(int64_t))
    cdef dict places = {}
    cdef uint32_t i
    cdef int column
    if values == NULL:
        raise MemoryError
    try:
        for i in range(count):
            write_line(t, flow_at(t, wanted[i] + 1), ports, places, values + i, count)
            values[6 * <size_t> count + i] -= frames_before
        columns = [as_text(values + <size_t> column * count, count) for column in range(BRIEF_COLUMNS)]
        return rows.BriefColumns._make([list(places)] + columns)
    finally:
        free(values)


cdef str as_text(const int64_t* values, uint32_t count):
    """The numbers in decimal, a space between each two."""
    cdef char* text = <char*> malloc(<size_t> MOST_DIGITS * count + 1)
    cdef size_t end = 0
    cdef uint32_t i
    if text == NULL:
        raise MemoryError
    try:
        for i in range(count):
            if i:
                text[end] = c" "
                end += 1
            end += write_decimal(text + end, values[i])
        return text[:end].decode("ascii")
    finally:
        free(text)


cdef size_t write_decimal(char* text, int64_t value) noexcept nogil:
    """How many characters it took."""
    cdef char backwards[MOST_DIGITS]
    cdef size_t sign = value < 0
    cdef uint64_t rest = <uint64_t> (-(value + 1)) + 1 if sign else <uint64_t> value  # the lowest has no positive
    cdef size_t length = 0
    cdef size_t i
    while rest or length == 0:
        backwards[length] = <char> (c"0" + rest % 10)
        rest //= 10
        length += 1
    text[0] = c"-"
    for i in range(length):
        text[sign + i] = backwards[length - 1 - i]
    return sign + length


cdef int write_line(
    const tracker_t* t, const flow_t* flow, const uint8_t* ports, dict places, int64_t* line, size_t step
) except -1:
    """One value for each column; the columns stand `step` values apart."""
    cdef int side = client_side(t, flow, ports)
    cdef bytes src = src_of(t, flow)[: flow.address_len]
    cdef bytes dst = dst_of(t, flow)[: flow.address_len]
    cdef bytes client = dst if side else src
    cdef bytes headend = src if side else dst
    line[0] = places.setdefault(client, len(places))
    line[step] = flow.dport if side else flow.sport
    line[2 * step] = places.setdefault(headend, len(places))
    line[3 * step] = flow.sport if side else flow.dport
    line[4 * step] = flow.bounds[0].first_ns
    line[5 * step] = latest_of(t, flow)
    line[6 * step] = flow.first_frame
    line[7 * step] = flow.directions[side].frames
    line[8 * step] = flow.directions[1 - side].frames
    return 0


cdef int client_side(const tracker_t* t, const flow_t* flow, const uint8_t* ports) noexcept nogil:
    cdef int opened_by = direction_in(flow, OPENED_BY_0)
    cdef uint32_t one = seen_cargo(t, &flow.directions[0]).ike_opened
    cdef uint32_t other = seen_cargo(t, &flow.directions[1]).ike_opened
    if opened_by != NEVER:
        return opened_by
    if one or other:
        return 0 if one >= other else 1
    if ports[flow.sport] != ports[flow.dport]:
        return 0 if ports[flow.dport] else 1
    return 0 if flow.sport >= flow.dport else 1
