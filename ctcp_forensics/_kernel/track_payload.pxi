# What the payload shows: trailers, ESP-like heads, messages, associations.

# --- what the payload shows --------------------------------------------------------------------------

cdef inline void note_payload(
    tracker_t* t, const batch_t* batch, flow_t* flow, int side, const packet_t* p
) noexcept nogil:
    """Count trailers, signatures and ESP-like counters; begin the log where it looks like cTCP."""
    cdef direction_t* d = &flow.directions[side]
    if p.trailer == TRAILER_CUT_OFF:
        note_cut_off(t, d, p)
    elif unlikely(p.trailer >= TRAILER_WEAK):
        note_trailer(cargo_of(t, d), p, extra_behind(batch, p))
        flow.state |= WATCHED
    if p.signature:
        note_signature(flow, d, side, p)
    if unlikely(d.run >= WATCHED_RUN):
        flow.state |= WATCHED


cdef inline void note_signature(flow_t* flow, direction_t* d, int side, const packet_t* p) noexcept nogil:
    if unlikely(d.signatures == 0):
        flow.bounds[side].signature = p.signature
    d.signatures += 1


cdef void note_trailer(cargo_t* cargo, const packet_t* p, const extra_t* extra) noexcept nogil:
    cdef uint64_t magic = extra.magic if p.has_extra else 0
    if p.trailer == TRAILER_CISCO:
        cargo.trailer_cisco += 1
        return
    if not cargo.trailer_weak:
        cargo.weak_magic = magic
    cargo.trailer_weak += 1
    cargo.weak_same_magic += magic == cargo.weak_magic


cdef void note_checksum(cargo_t* cargo, const packet_t* p) noexcept nogil:
    cargo.checksums_right += p.checksum == CHECKSUM_RIGHT
    cargo.checksums_wrong += p.checksum == CHECKSUM_WRONG


cdef inline bint is_damaged(const cargo_t* cargo, const packet_t* p) noexcept nogil:
    """A checksum is wrong, and nearly all of this direction's are right."""
    return p.checksum == CHECKSUM_WRONG and cargo.checksums_right > 4 * <uint64_t> cargo.checksums_wrong


cdef inline void note_cut_off(tracker_t* t, direction_t* d, const packet_t* p) noexcept nogil:
    d.trailer_cut_off += 1
    note_head(t, d, p)


cdef inline void note_head(tracker_t* t, direction_t* d, const packet_t* p) noexcept nogil:
    """Class C of ctcp-protocol §1.2: the first word stays, the second rises."""
    if unlikely(p.captured_payload_len < 8 or p.head[0] == IKE_PORTS):
        d.unread_heads += 1
        return
    if (
        d.state & HEAD_SEEN
        and p.head[0] == d.last_head[0]
        and d.last_head[1] < p.head[1] <= <uint64_t> d.last_head[1] + ESP_RUN_STEP
    ):
        d.run += 1
    else:
        if unlikely(d.run > 1):
            end_run(cargo_of(t, d), d.run)
        d.run = 1
    d.last_head[0], d.last_head[1] = p.head[0], p.head[1]
    d.state |= HEAD_SEEN


cdef void end_run(cargo_t* cargo, uint32_t run) noexcept nogil:
    cargo.esp_run = max(cargo.esp_run, run)
    cargo.esp_continued += run - 1


cdef inline uint32_t longest_run(const cargo_t* cargo, const direction_t* d) noexcept nogil:
    return max(cargo.esp_run, d.run)


cdef inline int64_t breaks_of_runs(const cargo_t* cargo, const direction_t* d) noexcept nogil:
    """Heads that did not continue a run, but for the first of all."""
    return <int64_t> d.trailer_cut_off - d.unread_heads - cargo.esp_continued - d.run


cdef key_t note_messages(tracker_t* t, direction_t* d, const packet_t* p, const message_t* messages) noexcept nogil:
    """Count the messages; what the first ESP one says."""
    cdef cargo_t* cargo = cargo_of(t, d)
    cdef key_t key, this
    cdef uint32_t i
    key.key, key.skipped = KEY_NONE, 0
    cargo.messages += p.message_count
    cargo.merged_segments += p.message_count > 1
    for i in range(p.message_count):
        if messages[i].kind == KIND_IKE:
            note_ike(cargo, p, &messages[i])
            continue
        this = note_esp(t, cargo, messages[i].spi, messages[i].esp_seq, p.frame)
        if key.key == KEY_NONE:
            key = this
    return key


cdef key_t note_headless(tracker_t* t, direction_t* d, const packet_t* p) noexcept nogil:
    """The trailer was not captured; in a run of ESP-like heads, or with an SPI from one, the head is ESP's."""
    cdef key_t nothing
    nothing.key, nothing.skipped = KEY_NONE, 0
    if not d.state & HEAD_SEEN or p.head[0] != d.last_head[0] or p.head[1] != d.last_head[1]:
        return nothing
    if d.run < WATCHED_RUN and not is_known_spi(t, seen_cargo(t, d), p.head[0]):
        return nothing
    return note_esp(t, cargo_of(t, d), p.head[0], p.head[1], p.frame)


cdef bint is_known_spi(const tracker_t* t, const cargo_t* cargo, uint32_t spi) noexcept nogil:
    cdef uint32_t handle = cargo.kept_first
    while handle:
        if association_at(t, handle).spi == spi:
            return True
        handle = association_at(t, handle).next
    return False


cdef key_t note_esp(tracker_t* t, cargo_t* cargo, uint32_t spi, uint32_t seq, int64_t frame) noexcept nogil:
    cdef uint32_t handle = cargo.kept_first
    cdef key_t key
    cargo.esp_messages += 1
    while handle:
        if association_at(t, handle).spi == spi:
            return take_message(association_at(t, handle), seq, frame)
        handle = association_at(t, handle).next
    if cargo.kept_count == ASSOCIATIONS_KEPT:
        drop_association(t, cargo)
    add_association(t, cargo, spi, seq, frame)
    key.key, key.skipped = KEY_NEWEST, 0
    return key


@cython.overflowcheck(False)  # what is shifted out of the window is forgotten
cdef key_t take_message(association_t* one, uint32_t seq, int64_t frame) noexcept nogil:
    """Count one message of an association that is known."""
    cdef int64_t step = <int64_t> seq - one.highest_seq
    cdef key_t key
    one.messages += 1
    one.last_frame = frame
    if step <= 0:
        key.key, key.skipped = take_again(one, -step, seq), 0
        return key
    one.window = one.window << step | 1 if step < ESP_WINDOW else 1
    one.highest_seq = seq
    one.missing += step - 1
    key.key, key.skipped = KEY_NEWEST, step - 1
    return key


cdef int take_again(association_t* one, int64_t lag, uint32_t seq) noexcept nogil:
    """A number not above the highest: seen before, or late.  Beyond the window nobody can tell."""
    if lag >= ESP_WINDOW:
        return KEY_NONE
    if one.window >> lag & 1:
        one.repeats += 1
        return KEY_REPEATED
    one.window |= <uint64_t> 1 << lag
    one.missing -= seq > one.first_seq
    return KEY_LATE


cdef void drop_association(tracker_t* t, cargo_t* cargo) noexcept nogil:
    """Let the one go that was silent for longest."""
    cdef uint32_t before = 0
    cdef uint32_t oldest = cargo.kept_first
    cdef uint32_t handle = cargo.kept_first
    cdef uint32_t before_oldest = 0
    while handle:
        if association_at(t, handle).last_frame < association_at(t, oldest).last_frame:
            before_oldest, oldest = before, handle
        before = handle
        handle = association_at(t, handle).next
    cargo.esp_missing += association_at(t, oldest).missing
    cargo.esp_repeats += association_at(t, oldest).repeats
    handle = association_at(t, oldest).next
    if before_oldest:
        association_at(t, before_oldest).next = handle
    else:
        cargo.kept_first = handle
    if cargo.kept_last == oldest:
        cargo.kept_last = before_oldest
    cargo.kept_count -= 1
    give_back(&t.associations, oldest)


cdef void add_association(tracker_t* t, cargo_t* cargo, uint32_t spi, uint32_t seq, int64_t frame) noexcept nogil:
    cdef uint32_t handle = take(t, &t.associations)
    cdef association_t* one = association_at(t, handle)
    one.spi, one.first_seq, one.highest_seq = spi, seq, seq
    one.messages, one.window = 1, 1
    one.first_frame, one.last_frame = frame, frame
    if cargo.kept_last:
        association_at(t, cargo.kept_last).next = handle
    else:
        cargo.kept_first = handle
    cargo.kept_last = handle
    cargo.kept_count += 1
    cargo.associations += 1


cdef void note_ike(cargo_t* cargo, const packet_t* p, const message_t* message) noexcept nogil:
    cargo.ike_repeats += cargo.ike_messages != 0 and message.print64 == cargo.last_ike_print
    cargo.ike_messages += 1
    cargo.ike_opened += message.from_initiator
    cargo.last_ike_print = message.print64
    cargo.last_ike_frame, cargo.last_ike_ns = p.frame, p.time_ns
    cargo.last_ike_exchange = message.exchange
