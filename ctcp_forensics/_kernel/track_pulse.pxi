# When frames came, and the longest times without any: the twin of plain_track/pulse.py.

cdef inline bint is_shorter(const silence_t* one, const silence_t* other) noexcept nogil:
    return one.length_ns < other.length_ns or (one.length_ns == other.length_ns and one.from_ns < other.from_ns)


cdef inline void take_pulse(pulse_t* pulse, int64_t time_ns) noexcept nogil:
    """A silence no longer than one that is not listed any more is none to list, and so are nearly all."""
    cdef int64_t silence_ns = time_ns - pulse.until_ns
    if likely(<uint64_t> silence_ns <= <uint64_t> pulse.unlisted_ns and pulse.until_ns != NEVER):
        pulse.until_ns = time_ns
    else:
        take_unusual(pulse, time_ns, silence_ns)


cdef void take_unusual(pulse_t* pulse, int64_t time_ns, int64_t silence_ns) noexcept nogil:
    if silence_ns > 0:
        if silence_ns > pulse.shortest_ns:
            take_silence(pulse, silence_ns)
        else:
            pulse.unlisted_ns = max(pulse.unlisted_ns, silence_ns)
        pulse.until_ns = time_ns
    elif pulse.until_ns == NEVER or silence_ns < -SET_BACK_NS:
        begin_pulse(pulse, time_ns)


cdef void begin_pulse(pulse_t* pulse, int64_t time_ns) noexcept nogil:
    pulse.latest_ns = max(pulse.latest_ns, pulse.until_ns)
    pulse.since_ns, pulse.until_ns = time_ns, time_ns
    pulse.count, pulse.unlisted_ns, pulse.shortest_ns = 0, 0, NEVER


cdef void take_silence(pulse_t* pulse, int64_t silence_ns) noexcept nogil:
    """One of the longest; the first frame comes after none."""
    cdef silence_t silence
    if pulse.until_ns == NEVER:
        begin_pulse(pulse, pulse.until_ns + silence_ns)
        return
    silence.length_ns, silence.from_ns = silence_ns, pulse.until_ns
    keep_silence(pulse, &silence)


cdef void keep_silence(pulse_t* pulse, const silence_t* silence) noexcept nogil:
    """Into the heap, from which the shortest goes where it is full."""
    if pulse.count < SILENCES_KEPT:
        pulse.kept[pulse.count] = silence[0]
        pulse.count += 1
        rise(pulse, pulse.count - 1)
    else:
        pulse.unlisted_ns = max(pulse.unlisted_ns, pulse.kept[0].length_ns)
        pulse.kept[0] = silence[0]
        sink(pulse)
    if pulse.count == SILENCES_KEPT:
        pulse.shortest_ns = pulse.kept[0].length_ns


cdef void rise(pulse_t* pulse, uint32_t at) noexcept nogil:
    cdef silence_t silence = pulse.kept[at]
    while at and is_shorter(&silence, &pulse.kept[(at - 1) // 2]):
        pulse.kept[at] = pulse.kept[(at - 1) // 2]
        at = (at - 1) // 2
    pulse.kept[at] = silence


cdef void sink(pulse_t* pulse) noexcept nogil:
    cdef silence_t silence = pulse.kept[0]
    cdef uint32_t at = 0
    cdef uint32_t child = 1
    while child < pulse.count:
        if child + 1 < pulse.count and is_shorter(&pulse.kept[child + 1], &pulse.kept[child]):
            child += 1
        if not is_shorter(&pulse.kept[child], &silence):
            break
        pulse.kept[at] = pulse.kept[child]
        at, child = child, 2 * child + 1
    pulse.kept[at] = silence


cdef object pulse_row(const pulse_t* pulse):
    cdef uint32_t i
    silences = sorted([
        (pulse.kept[i].from_ns, pulse.kept[i].from_ns + pulse.kept[i].length_ns) for i in range(pulse.count)
    ])
    return rows.PulseRow._make((pulse.since_ns, pulse.until_ns, tuple(silences), pulse.unlisted_ns))
