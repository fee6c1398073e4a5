# A few facts of many flows, as columns of decimal numbers.  The compiled twin of the end of plain_screen.py.

cdef enum:
    BRIEF_CLIENT = 0  # in the order of rows.BriefColumns, behind the addresses
    BRIEF_CLIENT_PORT = 1
    BRIEF_HEADEND = 2
    BRIEF_HEADEND_PORT = 3
    BRIEF_FIRST_NS = 4
    BRIEF_LAST_NS = 5
    BRIEF_FIRST_FRAME = 6
    BRIEF_TO_HEADEND = 7
    BRIEF_TO_CLIENT = 8
    BRIEF_COLUMNS = 9
    MOST_DIGITS = 21  # of 64 bits, with a sign and a space

cdef object brief_columns(
    const tracker_t* t, const uint32_t* wanted, uint32_t count, const uint8_t* ports, int64_t frames_before
):
    """One column after the other: all of them as numbers at once take 8 MB of a full table."""
    cdef int64_t* values = <int64_t*> malloc((<size_t> count + 1) * sizeof(int64_t))
    cdef uint8_t* sides = <uint8_t*> malloc(<size_t> count + 1)
    cdef int column
    try:
        if values == NULL or sides == NULL:
            raise MemoryError
        find_clients(t, wanted, count, ports, sides)
        columns = address_columns(t, wanted, count, sides, values)
        for column in range(BRIEF_COLUMNS):
            if column != BRIEF_CLIENT and column != BRIEF_HEADEND:
                fill_column(t, wanted, count, sides, column, frames_before, values)
                columns.insert(column + 1, as_text(values, count))
        return rows.BriefColumns._make(columns)
    finally:
        free(values)
        free(sides)


cdef void find_clients(
    const tracker_t* t, const uint32_t* wanted, uint32_t count, const uint8_t* ports, uint8_t* sides
) noexcept nogil:
    """Which direction is the client's, once for all columns."""
    cdef uint32_t i
    for i in range(count):
        look_at_pools(t, wanted, count, i)
        sides[i] = <uint8_t> client_side(t, flow_at(t, wanted[i] + 1), ports)


cdef list address_columns(
    const tracker_t* t, const uint32_t* wanted, uint32_t count, const uint8_t* sides, int64_t* values
):
    """All addresses, and the places among them of clients and of headends."""
    cdef dict places = {}
    cdef int64_t* headends = <int64_t*> malloc((<size_t> count + 1) * sizeof(int64_t))
    cdef uint32_t i
    if headends == NULL:
        raise MemoryError
    try:
        for i in range(count):
            place_ends(t, flow_at(t, wanted[i] + 1), sides[i], places, &values[i], &headends[i])
        addresses = list(places)
        del places
        return [addresses, as_text(values, count), as_text(headends, count)]
    finally:
        free(headends)


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


cdef int place_ends(
    const tracker_t* t, const flow_t* flow, int side, dict places, int64_t* client, int64_t* headend
) except -1:
    cdef bytes src = src_of(t, flow)[: flow.address_len]
    cdef bytes dst = dst_of(t, flow)[: flow.address_len]
    client[0] = places.setdefault(dst if side else src, len(places))
    headend[0] = places.setdefault(src if side else dst, len(places))
    return 0


cdef void fill_column(
    const tracker_t* t,
    const uint32_t* wanted,
    uint32_t count,
    const uint8_t* sides,
    int column,
    int64_t frames_before,
    int64_t* values,
) noexcept nogil:
    cdef const flow_t* flow
    cdef uint32_t i
    for i in range(count):
        flow = flow_at(t, wanted[i] + 1)
        values[i] = value_in_column(t, flow, sides[i], column)
        if column == BRIEF_FIRST_FRAME:
            values[i] -= frames_before


cdef int64_t value_in_column(const tracker_t* t, const flow_t* flow, int side, int column) noexcept nogil:
    if column == BRIEF_CLIENT_PORT:
        return flow.ports[1] if side else flow.ports[0]
    if column == BRIEF_HEADEND_PORT:
        return flow.ports[0] if side else flow.ports[1]
    if column == BRIEF_FIRST_NS:
        return flow.bounds[0].first_ns
    if column == BRIEF_LAST_NS:
        return latest_of(t, flow)
    if column == BRIEF_FIRST_FRAME:
        return flow.first_frame
    return flow.directions[side if column == BRIEF_TO_HEADEND else 1 - side].frames


cdef int client_side(const tracker_t* t, const flow_t* flow, const uint8_t* ports) noexcept nogil:
    cdef int opened_by = direction_in(flow, OPENED_BY_0)
    cdef uint32_t one = seen_cargo(t, &flow.directions[0]).ike_opened
    cdef uint32_t other = seen_cargo(t, &flow.directions[1]).ike_opened
    if opened_by != NEVER:
        return opened_by
    if one or other:
        return 0 if one >= other else 1
    if ports[flow.ports[0]] != ports[flow.ports[1]]:
        return 0 if ports[flow.ports[1]] else 1
    return 0 if flow.ports[0] >= flow.ports[1] else 1
