# Packets → flows: sequence space, holes, duplicate ACKs, endings.  The compiled twin of plain_track.py, rule for rule
# and under the same names; the reasons and the RFC sections stand there.
#
# What an ordinary flow needs is one flow_t, laid out in cache lines by who touches them.  What goes wrong (trouble_t,
# hole_t, episode_t) and what IPsec shows (cargo_t, association_t) lives in pools and is named by 32-bit handles; handle
# 0 is *none*.  Element 0 of a pool holds the defaults of a new one, and is what a reader sees where there is none.
# Counters of segments are 32-bit: a direction of more than 4,294,967,295 segments would wrap them.

cdef enum:
    FIN = 0x01  # rows.Tcp
    SYN = 0x02
    RST = 0x04
    PSH = 0x08
    ACK = 0x10
    OPENING = 0x07  # SYN, FIN or RST

    KEY_NONE = 0
    KEY_NEWEST = 1
    KEY_LATE = 2
    KEY_REPEATED = 3

    COPIES_REMEMBERED = 4
    COPY_WINDOW_NS = 50000000
    COPY_WITHOUT_ID_NS = 100000
    REORDER_NS = 3000000
    ID_STEP = 1000
    ESP_WINDOW = 64
    ESP_RUN_STEP = 4096
    WATCHED_RUN = 4
    IKE_PORTS = 0x01F401F4
    STRAY_DISTANCE = 1 << 30
    DUP_ACK_FRAMES_KEPT = 8

    # direction_t.state
    ANCHORED = 0x001
    ISN_KNOWN = 0x002
    KEEP_ALIVE_PENDING = 0x004
    PROBE_PENDING = 0x008
    SENDER_SEEN = 0x010  # TTLs and windows hold
    ID_SEEN = 0x020  # last_ip_id holds
    ACK_SEEN = 0x040  # last_ack_window holds
    HEAD_SEEN = 0x080  # last_head holds
    DATA_SINCE_ACK = 0x100
    WINDOW_OVERRUN = 0x200

    # flow_t.state; the bit of direction 1 stands beside that of direction 0
    WATCHED = 0x01
    CLOCK_RAN_BACK = 0x02
    OPENED_BY_0 = 0x04
    OPENED_BY_1 = 0x08
    SILENCE_BROKEN_BY_0 = 0x10
    SILENCE_BROKEN_BY_1 = 0x20

    CHUNK = 256  # elements of a pool that are allocated together
    LOG_CHUNK = 4096
    # How many packets ahead memory is asked for: the slot, then the flow, then what went wrong in it.
    SLOT_AHEAD = 24
    FLOW_AHEAD = 12
    TROUBLE_AHEAD = 5
    LOOKED_AHEAD = 16  # a power of two above FLOW_AHEAD

cdef extern from *:
    const int64_t MID_STREAM "((int64_t)1 << 32)"

if rows.DUP_ACK_FRAMES_KEPT != DUP_ACK_FRAMES_KEPT:
    raise ImportError("the compiled core was built for another DUP_ACK_FRAMES_KEPT")

cdef uint32_t LIVE_HOLES = rows.LIVE_HOLES
cdef uint32_t HOLES_KEPT = rows.HOLES_KEPT
cdef uint32_t EPISODES_KEPT = rows.EPISODES_KEPT
cdef uint32_t ASSOCIATIONS_KEPT = rows.ASSOCIATIONS_KEPT
cdef int64_t NEVER = rows.NEVER

cdef struct direction_t:
    # first cache line: what the segments of both ends touch
    int64_t next_pos
    int64_t acked_pos
    int64_t acked_ns
    int64_t acked_frame
    uint32_t anchor
    uint32_t data_segments
    uint32_t trouble
    uint32_t idle_acks
    uint32_t window_updates
    uint16_t state
    uint16_t last_ack_window
    uint16_t last_window
    uint16_t last_ip_id
    uint8_t ttl_min
    uint8_t ttl_max
    uint8_t last_ttl
    uint8_t oldest_sighting
    # second: what its own segments touch
    int64_t last_frame
    int64_t last_ns
    int64_t payload_bytes
    int64_t data_last_frame
    int64_t data_last_ns
    uint32_t frames
    uint32_t pure_acks
    uint32_t ids_rising
    uint32_t ids_other
    uint32_t windows_seen
    uint32_t pushes
    # third: the last segments, by which a copy is known
    uint64_t marks[COPIES_REMEMBERED]
    int64_t marked_ns[COPIES_REMEMBERED]
    # fourth: payload and ending
    int64_t previous_data_frame
    int64_t fin_frame
    int64_t fin_ns
    uint32_t last_head[2]
    uint32_t run
    uint32_t esp_run
    uint32_t esp_breaks
    uint32_t trailer_cut_off
    uint32_t signatures
    uint32_t max_payload_len
    uint32_t bare_numbers  # those of SYNs and FINs that were placed
    uint32_t cargo

cdef struct start_t:  # how a direction began; written once or twice
    int64_t first_frame
    int64_t first_ns
    int64_t data_first_frame
    uint16_t first_window
    uint16_t mss
    uint8_t window_scale
    uint8_t data_ttl
    uint8_t signature
    uint8_t options  # bits: HAS_MSS and so on

cdef enum:
    HAS_MSS = 1
    HAS_WINDOW_SCALE = 2
    HAS_SACK_PERMITTED = 4

cdef struct flow_t:
    # one cache line that every segment touches
    uint32_t src_end  # the IPv4 address, or the handle of an ends_t
    uint32_t dst_end
    uint16_t sport
    uint16_t dport
    uint8_t address_len
    uint8_t state
    int8_t tail_direction  # who sent the last frame
    int8_t data_tail_direction  # who sent the last data
    int64_t last_frame
    int64_t previous_ns
    int64_t longest_silence_ns
    int64_t tail_first_frame
    int64_t tail_first_ns
    uint32_t tail_frames
    uint32_t tail_data_segments
    # one that data and rare events touch
    int64_t data_tail_first_frame
    int64_t data_tail_first_ns
    int64_t latest_ns  # holds where the clock ran back
    int64_t silence_from_frame
    int64_t silence_to_frame
    int64_t syn_frame
    int64_t syn_ack_frame
    uint32_t data_tail_segments
    uint32_t syns
    direction_t directions[2]
    start_t starts[2]

cdef struct ends_t:
    uint8_t src[16]
    uint8_t dst[16]

cdef struct trouble_t:  # of one direction
    uint32_t live_first
    uint32_t live_last
    uint32_t live_count
    uint32_t kept_first
    uint32_t kept_last
    uint32_t kept_count
    uint32_t unacked_holes
    uint32_t episode
    uint32_t kept_episodes_first
    uint32_t kept_episodes_last
    uint32_t kept_episodes_count
    uint32_t episodes
    int64_t sacked_to
    int64_t unplaced_bytes  # payload of copies, strays, keep-alives and RSTs
    # from here on what comes and goes more rarely
    int64_t again_bytes
    int64_t filling_bytes
    int64_t smallest_missing_len
    uint32_t holes_opened
    uint32_t holes_filled
    uint32_t holes_acked_past
    uint32_t holes_forgotten
    uint32_t retransmissions
    uint32_t late_originals
    uint32_t undecided_repeats
    uint32_t spurious_retransmissions
    uint32_t rewrites
    uint32_t copies
    uint32_t strays
    uint32_t duplicate_acks
    uint32_t sack_duplicate_acks
    uint32_t dsacks
    uint32_t keep_alives
    uint32_t keep_alive_acks
    uint32_t zero_windows
    uint32_t zero_window_probes
    uint32_t zero_window_probe_acks
    uint32_t old_acks
    uint32_t unseen_acks
    uint32_t rsts
    int64_t rst_frame
    int64_t rst_ns
    int64_t rst_seq_pos
    int32_t rst_ttl
    int32_t rst_window
    int32_t rst_ip_id
    int32_t rst_has_ack
    uint8_t spare[40]  # up to whole cache lines

if sizeof(flow_t) != 11 * 64 or sizeof(direction_t) != 4 * 64 or sizeof(trouble_t) != 4 * 64:
    raise ImportError("the compiler laid out a flow otherwise than in cache lines")

cdef struct hole_t:
    uint32_t next
    int32_t opener_ip_id
    int64_t start
    int64_t end
    int64_t opened_frame
    int64_t opened_ns
    int64_t before_frame
    int64_t esp_missing
    int64_t filled_frame
    int64_t filled_ns
    int64_t acked_frame
    int64_t acked_ns

cdef struct episode_t:
    uint32_t next
    uint32_t duplicate_acks
    uint32_t sack_duplicate_acks
    uint32_t prompted
    uint32_t piggybacked
    uint32_t new_segments
    uint32_t wanted_seen
    uint32_t frames_kept
    int64_t wanted
    int64_t outstanding
    int64_t first_frame
    int64_t first_ns
    int64_t last_frame
    int64_t last_ns
    int64_t frames[DUP_ACK_FRAMES_KEPT]
    int64_t shortest_interval_ns
    int64_t longest_interval_ns
    int64_t piggybacked_last_ns
    int64_t last_asked_ns
    int64_t new_first_frame
    int64_t new_last_frame
    int64_t new_last_ns
    int64_t sacked_left
    int64_t answered_frame
    int64_t answered_ns
    int64_t rewritten_frame
    int64_t passed_frame
    int64_t passed_ns
    int32_t ttl_min
    int32_t ttl_max
    int32_t window
    uint32_t sender_ike
    uint32_t peer_ike

cdef struct cargo_t:  # of one direction
    uint64_t weak_magic
    uint64_t last_ike_print
    int64_t last_ike_frame
    int64_t last_ike_ns
    int64_t esp_missing
    int64_t esp_repeats
    uint32_t trailer_cisco
    uint32_t trailer_weak
    uint32_t weak_same_magic
    uint32_t messages
    uint32_t merged_segments
    uint32_t ike_messages
    uint32_t ike_repeats
    uint32_t ike_opened
    uint32_t last_ike_exchange
    uint32_t esp_messages
    uint32_t associations
    uint32_t kept_first
    uint32_t kept_last
    uint32_t kept_count

cdef struct association_t:
    uint32_t next
    uint32_t spi
    uint32_t first_seq
    uint32_t highest_seq
    uint64_t window
    int64_t messages
    int64_t missing
    int64_t repeats
    int64_t first_frame
    int64_t last_frame

cdef struct segment_t:
    int64_t frame
    int64_t time_ns
    int64_t pos
    int64_t ack_pos
    uint64_t print64
    uint32_t flow
    uint32_t length
    uint32_t spi
    uint32_t esp_seq
    uint8_t side
    uint8_t flags
    uint8_t kind

cdef struct key_t:  # what the first ESP message of a segment says
    int key
    int64_t skipped

cdef struct filling_t:  # what filling holes came to; the lowest hole as it was
    int64_t filled
    bint found
    int64_t opened_ns
    int32_t opener_ip_id


# --- memory: extents that are freed together, chunks carved from them ---------------------------

cdef extern from *:
    """
    #if defined(__linux__)
    #include <sys/mman.h>
    #endif
    #if defined(MADV_HUGEPAGE)
    #define CTCP_HUGE_PAGES(address, size) ((void)madvise(address, size, MADV_HUGEPAGE))
    #else
    #define CTCP_HUGE_PAGES(address, size) ((void)(address), (void)(size))
    #endif
    """
    void ask_for_huge_pages "CTCP_HUGE_PAGES"(void* address, size_t size) noexcept nogil

cdef enum:
    CACHE_LINE = 64
    FIRST_EXTENT = 1 << 19
    HUGE_PAGE = 1 << 21
    LARGEST_EXTENT = 1 << 22

cdef struct extent_t:  # stands at the beginning of each
    extent_t* before

cdef struct arena_t:
    extent_t* latest
    uint8_t* fresh
    size_t fresh_len
    size_t next_len

cdef uint8_t* carve(arena_t* arena, size_t size) noexcept nogil:
    """Memory that begins at a cache line and is freed with the arena.  No chunk is longer than an extent."""
    cdef uint8_t* carved
    size = (size + CACHE_LINE - 1) // CACHE_LINE * CACHE_LINE
    if size > arena.fresh_len and not add_extent(arena):
        return NULL
    carved = arena.fresh
    arena.fresh += size
    arena.fresh_len -= size
    return carved


cdef bint add_extent(arena_t* arena) noexcept nogil:
    """Each twice as long as the one before.  On huge pages a flow's address is found sooner: 10 % at 100,000 flows."""
    cdef size_t length = arena.next_len
    cdef size_t alignment = HUGE_PAGE if length >= HUGE_PAGE else CACHE_LINE
    cdef extent_t* extent = <extent_t*> malloc(length + alignment + sizeof(extent_t))
    if extent == NULL:
        return False
    extent.before = arena.latest
    arena.latest = extent
    arena.fresh = <uint8_t*> ((<size_t> (extent + 1) + alignment - 1) // alignment * alignment)
    arena.fresh_len = length
    if length >= HUGE_PAGE:
        ask_for_huge_pages(arena.fresh, length)
    if length < LARGEST_EXTENT:
        arena.next_len = 2 * length
    return True


cdef void free_extents(arena_t* arena) noexcept nogil:
    cdef extent_t* extent = arena.latest
    while extent != NULL:
        arena.latest = extent.before
        free(extent)
        extent = arena.latest


# --- pools: elements that never move, named by handles ------------------------------------------

cdef struct pool_t:
    uint8_t** chunks
    uint32_t item_len
    uint32_t used  # handles given out, those that came back included
    uint32_t room
    uint32_t chunk_room
    uint32_t first_free

cdef inline void* element(const pool_t* pool, uint32_t handle) noexcept nogil:
    return pool.chunks[handle // CHUNK] + <size_t> (handle % CHUNK) * pool.item_len


cdef bint grow(arena_t* arena, pool_t* pool) noexcept nogil:
    """One more chunk."""
    cdef uint32_t chunk = pool.room // CHUNK
    cdef uint32_t chunk_room = pool.chunk_room * 2 if pool.chunk_room else 16
    cdef void* grown
    if chunk == pool.chunk_room:
        grown = realloc(pool.chunks, chunk_room * sizeof(void*))
        if grown == NULL:
            return False
        pool.chunks = <uint8_t**> grown
        pool.chunk_room = chunk_room
    pool.chunks[chunk] = carve(arena, <size_t> CHUNK * pool.item_len)
    if pool.chunks[chunk] == NULL:
        return False
    pool.room += CHUNK
    return True


cdef uint32_t take(tracker_t* t, pool_t* pool) noexcept nogil:
    """A new element with the defaults of element 0.  Without memory it is element 0, and `feed` will raise."""
    cdef uint32_t handle = pool.first_free
    if handle:
        pool.first_free = (<uint32_t*> element(pool, handle))[0]
    elif pool.used == pool.room and not grow(&t.arena, pool):
        t.out_of_memory = True
        return 0
    else:
        handle = pool.used
        pool.used += 1
    memcpy(element(pool, handle), element(pool, 0), pool.item_len)
    return handle


cdef inline void give_back(pool_t* pool, uint32_t handle) noexcept nogil:
    (<uint32_t*> element(pool, handle))[0] = pool.first_free
    pool.first_free = handle


cdef struct tracker_t:
    arena_t arena
    pool_t flows  # handle: index + 1
    pool_t ends
    pool_t troubles
    pool_t holes
    pool_t episodes
    pool_t cargoes
    pool_t associations
    uint64_t* slots  # hash, which end is direction 0's, handle
    uint32_t slot_mask
    uint32_t slots_used
    uint32_t flow_cap
    uint32_t flow_count
    uint64_t ahead[LOOKED_AHEAD]  # the slots of the next packets, where they are known
    int64_t refused
    int64_t segments
    int64_t last_ns
    segment_t** log  # a ring of chunks, filled in as they are reached
    int64_t log_chunks
    int64_t log_first  # rows are numbered from the first that was ever logged
    int64_t log_end
    int64_t log_cap
    int64_t unlogged
    bint out_of_memory

cdef inline flow_t* flow_at(const tracker_t* t, uint32_t handle) noexcept nogil:
    return &(<flow_t*> t.flows.chunks[handle // CHUNK])[handle % CHUNK]


cdef inline hole_t* hole_at(const tracker_t* t, uint32_t handle) noexcept nogil:
    return &(<hole_t*> t.holes.chunks[handle // CHUNK])[handle % CHUNK]


cdef inline episode_t* episode_at(const tracker_t* t, uint32_t handle) noexcept nogil:
    return &(<episode_t*> t.episodes.chunks[handle // CHUNK])[handle % CHUNK]


cdef inline association_t* association_at(const tracker_t* t, uint32_t handle) noexcept nogil:
    return &(<association_t*> t.associations.chunks[handle // CHUNK])[handle % CHUNK]


cdef inline trouble_t* seen_trouble(const tracker_t* t, const direction_t* d) noexcept nogil:
    """For reading: the defaults where there was no trouble."""
    return &(<trouble_t*> t.troubles.chunks[d.trouble // CHUNK])[d.trouble % CHUNK]


cdef inline trouble_t* trouble_of(tracker_t* t, direction_t* d) noexcept nogil:
    """For writing: made where it is needed first."""
    if not d.trouble:
        d.trouble = take(t, &t.troubles)
    return seen_trouble(t, d)


cdef inline cargo_t* seen_cargo(const tracker_t* t, const direction_t* d) noexcept nogil:
    return &(<cargo_t*> t.cargoes.chunks[d.cargo // CHUNK])[d.cargo % CHUNK]


cdef inline cargo_t* cargo_of(tracker_t* t, direction_t* d) noexcept nogil:
    if not d.cargo:
        d.cargo = take(t, &t.cargoes)
    return seen_cargo(t, d)


# --- finding the flow ------------------------------------------------------------------------

cdef inline const uint8_t* src_of(const tracker_t* t, const flow_t* flow) noexcept nogil:
    if flow.address_len == 4:
        return <const uint8_t*> &flow.src_end
    return (<ends_t*> element(&t.ends, flow.src_end)).src


cdef inline const uint8_t* dst_of(const tracker_t* t, const flow_t* flow) noexcept nogil:
    if flow.address_len == 4:
        return <const uint8_t*> &flow.dst_end
    return (<ends_t*> element(&t.ends, flow.src_end)).dst


cdef inline bint sent_by(const tracker_t* t, const flow_t* flow, const packet_t* p, int side) noexcept nogil:
    """Whether the segment goes from end `side` of the flow to the other."""
    cdef const uint8_t* src = &p.dst[0] if side else &p.src[0]
    cdef const uint8_t* dst = &p.src[0] if side else &p.dst[0]
    if (p.dport if side else p.sport) != flow.sport or (p.sport if side else p.dport) != flow.dport:
        return False
    if p.address_len != flow.address_len:
        return False
    if likely(p.address_len == 4):
        return memcmp(src, &flow.src_end, 4) == 0 and memcmp(dst, &flow.dst_end, 4) == 0
    return memcmp(src, src_of(t, flow), 16) == 0 and memcmp(dst, dst_of(t, flow), 16) == 0


cdef inline int side_in(uint64_t slot, const packet_t* p) noexcept nogil:
    return <int> (slot >> 31 & 1) ^ p.from_lower_end


cdef inline uint64_t slot_of(const tracker_t* t, const packet_t* p) noexcept nogil:
    """The first slot with this hash, which is nearly always this flow's; 0 where there is none."""
    cdef uint32_t at = p.flow_hash & t.slot_mask
    cdef uint64_t slot = t.slots[at]
    while slot != 0 and slot >> 32 != p.flow_hash:
        at = (at + 1) & t.slot_mask
        slot = t.slots[at]
    return slot


cdef inline flow_t* find(tracker_t* t, const packet_t* p, uint64_t slot, uint32_t* handle, int* side) noexcept nogil:
    """The flow of this segment: the latest of its 4-tuple, unless it opens another; NULL where it is refused."""
    cdef flow_t* flow
    if likely(slot != 0):
        handle[0] = <uint32_t> slot & 0x7FFFFFFF
        side[0] = side_in(slot, p)
        flow = flow_at(t, handle[0])
        if likely(sent_by(t, flow, p, side[0]) and not opens_another(&flow.directions[side[0]], p)):
            return flow
    return find_slowly(t, p, handle, side)


cdef flow_t* find_slowly(tracker_t* t, const packet_t* p, uint32_t* handle, int* side) noexcept nogil:
    """From slot to slot, and on to a new flow."""
    cdef uint32_t at = p.flow_hash & t.slot_mask
    cdef uint64_t slot = t.slots[at]
    cdef flow_t* flow
    while slot != 0:
        if slot >> 32 == p.flow_hash:
            handle[0] = <uint32_t> slot & 0x7FFFFFFF
            side[0] = side_in(slot, p)
            flow = flow_at(t, handle[0])
            if sent_by(t, flow, p, side[0]):
                if opens_another(&flow.directions[side[0]], p):
                    break
                return flow
        at = (at + 1) & t.slot_mask
        slot = t.slots[at]
    side[0] = 0
    return begin_flow(t, p, at, handle)


cdef inline bint opens_another(const direction_t* d, const packet_t* p) noexcept nogil:
    return p.flags & (SYN | ACK) == SYN and d.state & ANCHORED and d.anchor != p.seq


cdef flow_t* begin_flow(tracker_t* t, const packet_t* p, uint32_t at, uint32_t* handle) noexcept nogil:
    cdef flow_t* flow
    if t.flow_count >= t.flow_cap:
        return NULL
    handle[0] = take(t, &t.flows)
    if handle[0] == 0:
        return NULL
    flow = flow_at(t, handle[0])
    name_ends(t, flow, p)
    flow.last_frame = p.frame
    flow.previous_ns = p.time_ns
    t.flow_count += 1
    t.slots_used += t.slots[at] == 0
    if t.slots[at] != 0:  # opened again: what was looked up ahead may name the flow before
        memset(t.ahead, 0, sizeof(t.ahead))
    t.slots[at] = <uint64_t> p.flow_hash << 32 | <uint64_t> p.from_lower_end << 31 | handle[0]
    if 2 * t.slots_used > t.slot_mask:
        widen_slots(t)
    return flow


cdef void name_ends(tracker_t* t, flow_t* flow, const packet_t* p) noexcept nogil:
    cdef ends_t* ends
    flow.sport, flow.dport, flow.address_len = p.sport, p.dport, p.address_len
    if p.address_len == 4:
        memcpy(&flow.src_end, p.src, 4)
        memcpy(&flow.dst_end, p.dst, 4)
        return
    flow.src_end = take(t, &t.ends)
    ends = <ends_t*> element(&t.ends, flow.src_end)
    memcpy(ends.src, p.src, 16)
    memcpy(ends.dst, p.dst, 16)


cdef void widen_slots(tracker_t* t) noexcept nogil:
    """Twice the slots; each entry goes where its hash says, behind those that came before it."""
    cdef uint32_t mask = 2 * t.slot_mask + 1
    cdef uint64_t* wider = <uint64_t*> calloc(<size_t> mask + 1, sizeof(uint64_t))
    cdef uint32_t i, at
    if wider == NULL:
        t.out_of_memory = True
        return
    for i in range(t.slot_mask + 1):
        if t.slots[i] != 0:
            at = <uint32_t> (t.slots[i] >> 32) & mask
            while wider[at] != 0:
                at = (at + 1) & mask
            wider[at] = t.slots[i]
    free(t.slots)
    t.slots = wider
    t.slot_mask = mask


# --- one segment ------------------------------------------------------------------------------

cdef inline const extra_t* extra_behind(const batch_t* batch, const packet_t* p) noexcept nogil:
    return &batch.extras[p - batch.rows]


cdef inline const message_t* messages_of(const batch_t* batch, const packet_t* p) noexcept nogil:
    return &batch.messages[p.first_message]


cdef inline void follow(tracker_t* t, const batch_t* batch, const packet_t* p, uint64_t slot) noexcept nogil:
    cdef uint32_t handle = 0
    cdef int side = 0
    cdef flow_t* flow = find(t, p, slot, &handle, &side)
    cdef direction_t* d
    cdef direction_t* peer
    cdef int64_t pos
    if unlikely(flow == NULL):
        t.refused += 1
        return
    t.segments += 1
    d = &flow.directions[side]
    peer = &flow.directions[1 - side]
    note_arrival(flow, d, side, p)
    if unlikely(is_copy(t, d, peer, p)):
        trouble_of(t, d).copies += 1
        trouble_of(t, d).unplaced_bytes += p.payload_len
        return
    if unlikely(p.flags & RST):
        note_reset(t, d, p)
        return
    note_sender(&flow.starts[side], d, p)
    pos = take_segment(t, batch, flow, side, p)
    if unlikely(flow.state & WATCHED and pos != NEVER):
        log_segment(t, handle - 1, side, peer.acked_pos, p, pos, messages_of(batch, p))


cdef inline void note_arrival(flow_t* flow, direction_t* d, int side, const packet_t* p) noexcept nogil:
    if p.time_ns - flow.previous_ns > flow.longest_silence_ns:
        flow.longest_silence_ns = p.time_ns - flow.previous_ns
        flow.silence_from_frame = flow.last_frame
        flow.silence_to_frame = p.frame
        flow.state &= ~(SILENCE_BROKEN_BY_0 | SILENCE_BROKEN_BY_1)
        flow.state |= SILENCE_BROKEN_BY_0 << side
    note_tail(flow, side, p)
    if unlikely(p.time_ns < flow.previous_ns or flow.state & CLOCK_RAN_BACK):
        note_clock(flow, p)
    flow.last_frame = p.frame
    flow.previous_ns = p.time_ns
    if unlikely(d.frames == 0):
        flow.starts[side].first_frame = p.frame
        flow.starts[side].first_ns = p.time_ns
    d.frames += 1
    d.last_frame = p.frame
    d.last_ns = p.time_ns
    d.payload_bytes += p.payload_len


cdef inline void note_tail(flow_t* flow, int side, const packet_t* p) noexcept nogil:
    """Who speaks alone at the end: by frames, and by frames with data."""
    if flow.tail_direction != side:
        flow.tail_direction = side
        flow.tail_first_frame, flow.tail_first_ns = p.frame, p.time_ns
        flow.tail_frames = 0
        flow.tail_data_segments = 0
    flow.tail_frames += 1
    if not p.payload_len:
        return
    flow.tail_data_segments += 1
    if flow.data_tail_direction != side:
        flow.data_tail_direction = side
        flow.data_tail_first_frame, flow.data_tail_first_ns = p.frame, p.time_ns
        flow.data_tail_segments = 0
    flow.data_tail_segments += 1


cdef void note_clock(flow_t* flow, const packet_t* p) noexcept nogil:
    """From the first step back, the latest time is kept apart from the last."""
    if not flow.state & CLOCK_RAN_BACK:
        flow.state |= CLOCK_RAN_BACK
        flow.latest_ns = flow.previous_ns
    flow.latest_ns = max(flow.latest_ns, p.time_ns)


@cython.overflowcheck(False)
cdef inline bint is_copy(
    const tracker_t* t, direction_t* d, const direction_t* peer, const packet_t* p
) noexcept nogil:
    """A pure ACK is a copy only where the peer sent no data in between: so that number is part of its mark."""
    cdef uint64_t mark = p.mark if p.payload_len else strew(p.mark + peer.data_segments)
    cdef int oldest = d.oldest_sighting
    if unlikely(
        (d.marks[0] == mark) | (d.marks[1] == mark) | (d.marks[2] == mark) | (d.marks[3] == mark)
    ) and was_close(d, mark, p):
        return p.ip_id > 0 or p.payload_len > 0 or are_doubled(t, d, peer)
    d.marks[oldest] = mark
    d.marked_ns[oldest] = p.time_ns
    d.oldest_sighting = (oldest + 1) % COPIES_REMEMBERED
    return False


cdef bint was_close(const direction_t* d, uint64_t mark, const packet_t* p) noexcept nogil:
    cdef int64_t window_ns = COPY_WINDOW_NS if p.ip_id > 0 else COPY_WITHOUT_ID_NS
    cdef int i
    for i in range(COPIES_REMEMBERED):
        if d.marks[i] == mark and -window_ns <= p.time_ns - d.marked_ns[i] <= window_ns:
            return True
    return False


cdef bint are_doubled(const tracker_t* t, const direction_t* d, const direction_t* peer) noexcept nogil:
    """A capture that doubles frames has doubled one of the first."""
    return seen_trouble(t, d).copies + seen_trouble(t, peer).copies > 0 or d.frames <= COPIES_REMEMBERED


@cython.overflowcheck(False)
cdef inline void note_sender(start_t* start, direction_t* d, const packet_t* p) noexcept nogil:
    cdef uint16_t step = <uint16_t> (p.ip_id - d.last_ip_id)
    cdef bint rises = 0 < step <= ID_STEP
    if unlikely(p.ttl != d.last_ttl or not d.state & SENDER_SEEN):
        note_ttl(start, d, p)
    d.windows_seen += d.last_window != p.window
    d.last_window = p.window
    d.pushes += (p.flags & PSH) >> 3
    if likely(d.state & ID_SEEN):
        d.ids_rising += rises
        d.ids_other += not rises
    d.last_ip_id = <uint16_t> p.ip_id
    if unlikely(p.ip_id < 0):
        d.state &= ~ID_SEEN
    else:
        d.state |= ID_SEEN


cdef void note_ttl(start_t* start, direction_t* d, const packet_t* p) noexcept nogil:
    if not d.state & SENDER_SEEN:
        d.state |= SENDER_SEEN
        d.ttl_min = p.ttl
        d.ttl_max = p.ttl
        d.last_window = p.window
        start.first_window = p.window
    d.ttl_min = min(d.ttl_min, p.ttl)
    d.ttl_max = max(d.ttl_max, p.ttl)
    d.last_ttl = p.ttl


cdef void note_reset(tracker_t* t, direction_t* d, const packet_t* p) noexcept nogil:
    cdef trouble_t* trouble = trouble_of(t, d)
    trouble.rsts += 1
    trouble.unplaced_bytes += p.payload_len
    if trouble.rst_frame != NEVER:
        return
    trouble.rst_frame, trouble.rst_ns = p.frame, p.time_ns
    trouble.rst_ttl, trouble.rst_window, trouble.rst_ip_id = p.ttl, p.window, p.ip_id
    trouble.rst_has_ack = p.flags & ACK != 0
    trouble.rst_seq_pos = place(d, p.seq) if d.state & ANCHORED else NEVER


# --- where the segment lies --------------------------------------------------------------------

@cython.overflowcheck(False)
cdef inline void anchor_at(direction_t* d, uint32_t seq, int64_t position) noexcept nogil:
    d.state |= ANCHORED
    d.anchor = seq - <uint32_t> position
    d.next_pos = position


@cython.overflowcheck(False)
cdef inline int64_t place(const direction_t* d, uint32_t seq) noexcept nogil:
    return d.next_pos + <int32_t> (seq - d.anchor - <uint32_t> d.next_pos)


cdef inline bint is_far(const direction_t* d, int64_t position) noexcept nogil:
    return position < 0 or not -STRAY_DISTANCE <= position - d.next_pos <= STRAY_DISTANCE


cdef inline int64_t take_segment(
    tracker_t* t, const batch_t* batch, flow_t* flow, int side, const packet_t* p
) noexcept nogil:
    """Place the segment, take its bytes, then its ACK; its position, or NEVER for a stray."""
    cdef direction_t* d = &flow.directions[side]
    cdef int64_t pos
    cdef bint keep_alive
    if unlikely(p.flags & SYN):
        note_syn(flow, side, p, extra_behind(batch, p))
    elif unlikely(not d.state & ANCHORED):
        anchor_at(d, p.seq, MID_STREAM)
    pos = place(d, p.seq)
    if unlikely(is_far(d, pos)):
        trouble_of(t, d).strays += 1
        trouble_of(t, d).unplaced_bytes += p.payload_len
        return NEVER
    keep_alive = p.payload_len <= 1 and pos == d.next_pos - 1 and not p.flags & OPENING and d.frames > 1
    take_bytes(t, batch, flow, side, p, pos, keep_alive)
    if likely(p.flags & ACK):
        take_ack(t, batch, &flow.directions[1 - side], p, keep_alive)
    return pos


cdef void note_syn(flow_t* flow, int side, const packet_t* p, const extra_t* extra) noexcept nogil:
    cdef direction_t* d = &flow.directions[side]
    flow.syns += 1
    if p.flags & ACK:
        note_syn_ack(flow, 1 - side, p)
    elif flow.syn_frame == NEVER:
        flow.syn_frame = p.frame
        flow.state &= ~(OPENED_BY_0 | OPENED_BY_1)
        flow.state |= OPENED_BY_0 << side
    if not d.state & ANCHORED:
        anchor_at(d, p.seq, 0)
        d.state |= ISN_KNOWN
        if p.has_extra:
            note_syn_options(&flow.starts[side], extra)


cdef void note_syn_ack(flow_t* flow, int originator, const packet_t* p) noexcept nogil:
    cdef direction_t* d = &flow.directions[originator]
    if flow.syn_ack_frame == NEVER:
        flow.syn_ack_frame = p.frame
    if not flow.state & (OPENED_BY_0 | OPENED_BY_1):
        flow.state |= OPENED_BY_0 << originator
    if not d.state & ANCHORED:
        anchor_at(d, p.ack, 1)
        d.state |= ISN_KNOWN


cdef void note_syn_options(start_t* start, const extra_t* extra) noexcept nogil:
    if extra.mss >= 0:
        start.mss = <uint16_t> extra.mss
        start.options |= HAS_MSS
    if extra.window_scale >= 0:
        start.window_scale = <uint8_t> extra.window_scale
        start.options |= HAS_WINDOW_SCALE
    if extra.sack_permitted:
        start.options |= HAS_SACK_PERMITTED


cdef inline void take_bytes(
    tracker_t* t, const batch_t* batch, flow_t* flow, int side, const packet_t* p, int64_t pos, bint keep_alive
) noexcept nogil:
    cdef direction_t* d = &flow.directions[side]
    cdef int bare_numbers = (p.flags & SYN != 0) + (p.flags & FIN != 0)
    d.state &= ~(KEEP_ALIVE_PENDING | PROBE_PENDING)
    if unlikely(p.window == 0) and not p.flags & OPENING:
        trouble_of(t, d).zero_windows += 1
    if unlikely(keep_alive):
        d.state |= KEEP_ALIVE_PENDING
        trouble_of(t, d).keep_alives += 1
        trouble_of(t, d).unplaced_bytes += p.payload_len
        return
    if unlikely(bare_numbers):
        d.bare_numbers += bare_numbers
        if p.flags & FIN and d.fin_frame == NEVER:
            d.fin_frame, d.fin_ns = p.frame, p.time_ns
    if p.payload_len:
        note_data_segment(t, flow, side, p, pos)
        note_payload(t, batch, flow, side, p)
        if unlikely(p.message_count):
            note_ike_while_asked(t, flow, side, p, messages_of(batch, p))
    if p.payload_len or bare_numbers:
        place_bytes(t, batch, d, p, pos, pos + p.payload_len + bare_numbers)
    else:
        d.pure_acks += 1
        if unlikely(pos > d.next_pos):
            note_bare(t, d, p, pos)


cdef void note_ike_while_asked(
    tracker_t* t, flow_t* flow, int side, const packet_t* p, const message_t* messages
) noexcept nogil:
    cdef trouble_t* own = seen_trouble(t, &flow.directions[side])
    cdef trouble_t* peers = seen_trouble(t, &flow.directions[1 - side])
    cdef uint32_t i, ike = 0
    for i in range(p.message_count):
        ike += messages[i].kind == KIND_IKE
    if own.episode:
        episode_at(t, own.episode).sender_ike += ike
    if peers.episode:
        episode_at(t, peers.episode).peer_ike += ike


cdef void note_bare(tracker_t* t, direction_t* d, const packet_t* p, int64_t pos) noexcept nogil:
    if d.data_segments or d.state & ISN_KNOWN:
        open_hole(t, d, p, pos)
    d.next_pos = pos


cdef inline void note_data_segment(
    tracker_t* t, flow_t* flow, int side, const packet_t* p, int64_t pos
) noexcept nogil:
    cdef direction_t* d = &flow.directions[side]
    cdef direction_t* peer = &flow.directions[1 - side]
    d.data_segments += 1
    d.state |= DATA_SINCE_ACK
    d.previous_data_frame = d.data_last_frame
    d.data_last_frame, d.data_last_ns = p.frame, p.time_ns
    if unlikely(d.data_segments == 1):
        flow.starts[side].data_first_frame = p.frame
        flow.starts[side].data_ttl = p.ttl
    if p.payload_len > d.max_payload_len:
        d.max_payload_len = p.payload_len
    if unlikely(p.payload_len == 1) and pos == d.next_pos and peer.state & SENDER_SEEN and peer.last_window == 0:
        trouble_of(t, d).zero_window_probes += 1
        d.state |= PROBE_PENDING


cdef inline void place_bytes(
    tracker_t* t, const batch_t* batch, direction_t* d, const packet_t* p, int64_t pos, int64_t end
) noexcept nogil:
    cdef key_t key
    key.key, key.skipped = KEY_NONE, 0
    if unlikely(p.message_count):
        key = note_messages(t, d, p, messages_of(batch, p))
    elif unlikely(p.trailer == TRAILER_CUT_OFF) and (d.run >= WATCHED_RUN or d.cargo):
        key = note_headless(t, d, p)
    if likely(pos == d.next_pos and not d.trouble):
        d.next_pos = end
        return
    place_odd_bytes(t, d, p, pos, end, key)


cdef void place_odd_bytes(
    tracker_t* t, direction_t* d, const packet_t* p, int64_t pos, int64_t end, key_t key
) noexcept nogil:
    """Bytes are new, fill a hole, or were seen before; the three add up to the length."""
    cdef filling_t filling
    cdef int64_t fresh, again
    if pos > d.next_pos:
        reveal(t, d, p, pos, key.skipped)
    fresh = max(0, end - max(pos, d.next_pos))
    filling.filled, filling.found = 0, False
    if pos < d.next_pos and d.trouble:  # every hole lies below what comes next
        filling = fill_holes(t, d, p, pos, end)
    again = end - pos - fresh - filling.filled
    if again or filling.filled:
        trouble_of(t, d).filling_bytes += filling.filled
        trouble_of(t, d).again_bytes += again
    if filling.found:
        note_filling(t, d, p, &filling, key.key)
    elif again and not fresh:
        note_repeat(t, d, p, end, key.key)
    if seen_trouble(t, d).episode:
        note_sending(episode_at(t, seen_trouble(t, d).episode), p, pos, end, fresh, key.key)
    d.next_pos = max(d.next_pos, end)


cdef void reveal(tracker_t* t, direction_t* d, const packet_t* p, int64_t pos, int64_t skipped) noexcept nogil:
    cdef trouble_t* trouble
    cdef hole_t* hole
    cdef int64_t size
    if d.data_segments <= 1 and not d.state & ISN_KNOWN:
        d.next_pos = pos
        return
    hole = open_hole(t, d, p, pos)
    hole.esp_missing = skipped
    size = (hole.end - hole.start) // max(1, skipped)
    trouble = trouble_of(t, d)
    if trouble.smallest_missing_len == NEVER or size < trouble.smallest_missing_len:
        trouble.smallest_missing_len = size


@cython.overflowcheck(False)
cdef void note_filling(
    tracker_t* t, direction_t* d, const packet_t* p, const filling_t* filling, int key
) noexcept nogil:
    """Sent again, or the late original?  By ESP number, else by IP ID, else by time, else undecided."""
    cdef trouble_t* trouble = trouble_of(t, d)
    cdef bint earlier
    if key == KEY_LATE:
        trouble.late_originals += 1
    elif key == KEY_REPEATED:
        trouble.retransmissions += 1
    elif key == KEY_NEWEST:
        trouble.rewrites += 1
    elif ids_count(d) and p.ip_id > 0 and filling.opener_ip_id > 0:
        earlier = ((p.ip_id - filling.opener_ip_id) & 0xFFFF) >= 0x8000
        trouble.late_originals += earlier
        trouble.retransmissions += not earlier
    elif p.time_ns - filling.opened_ns < REORDER_NS:
        trouble.late_originals += 1
    elif trouble.episode:
        trouble.retransmissions += 1
    else:
        trouble.undecided_repeats += 1


cdef inline bint ids_count(const direction_t* d) noexcept nogil:
    return d.ids_rising >= 3 and d.ids_rising > 4 * <uint64_t> d.ids_other


cdef void note_repeat(tracker_t* t, direction_t* d, const packet_t* p, int64_t end, int key) noexcept nogil:
    cdef trouble_t* trouble = trouble_of(t, d)
    if key == KEY_NEWEST:
        trouble.rewrites += 1
        return
    if key == KEY_LATE:
        trouble.late_originals += 1
        return
    trouble.retransmissions += 1
    if p.payload_len and d.acked_pos != NEVER and end <= d.acked_pos:
        trouble.spurious_retransmissions += 1


# --- holes: two lists by when they opened, those that live and those that are kept ---------------

cdef hole_t* open_hole(tracker_t* t, direction_t* d, const packet_t* p, int64_t pos) noexcept nogil:
    cdef trouble_t* trouble = trouble_of(t, d)
    cdef uint32_t handle
    cdef hole_t* hole
    trouble.holes_opened += 1
    if trouble.live_count == LIVE_HOLES:
        let_go(t, d, trouble)
    handle = take(t, &t.holes)
    hole = hole_at(t, handle)
    hole.start, hole.end = d.next_pos, pos
    hole.opened_frame, hole.opened_ns = p.frame, p.time_ns
    hole.before_frame = d.previous_data_frame if p.payload_len else d.data_last_frame
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
    trouble.holes_forgotten += 1
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
    trouble.holes_filled += 1
    trouble.unacked_holes -= hole.acked_frame == NEVER
    hole.filled_frame, hole.filled_ns = p.frame, p.time_ns
    keep_hole(t, trouble, handle)


cdef void split_hole(tracker_t* t, trouble_t* trouble, uint32_t handle, int64_t pos, int64_t end) noexcept nogil:
    """Filled in the middle: two are left, or the lower one where the table is full."""
    cdef hole_t* hole = hole_at(t, handle)
    cdef hole_t* upper
    cdef uint32_t upper_handle
    if trouble.live_count == LIVE_HOLES:
        trouble.holes_forgotten += 1
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


# --- ACKs -----------------------------------------------------------------------------------------

cdef inline void take_ack(
    tracker_t* t, const batch_t* batch, direction_t* d, const packet_t* p, bint keep_alive
) noexcept nogil:
    """Take the peer's cumulative ACK `p` for the data of `d`."""
    cdef int64_t pos
    if unlikely(not d.state & ANCHORED):
        anchor_at(d, p.ack, MID_STREAM)
    pos = place(d, p.ack)
    if unlikely(is_far(d, pos)):
        trouble_of(t, d).strays += 1
        return
    if unlikely(pos > d.next_pos):
        note_unseen(t, d, p, pos)
    if pos > d.acked_pos:
        advance(t, d, p, extra_behind(batch, p), pos)
    elif pos == d.acked_pos:
        take_repeated_ack(t, d, p, extra_behind(batch, p), keep_alive)
    else:
        trouble_of(t, d).old_acks += 1
    if likely(not p.flags & SYN) or not p.has_extra or extra_behind(batch, p).window_scale < 0:
        d.last_ack_window = p.window
        d.state |= ACK_SEEN
    d.state &= ~DATA_SINCE_ACK


cdef void note_unseen(tracker_t* t, direction_t* d, const packet_t* p, int64_t pos) noexcept nogil:
    cdef trouble_t* trouble = trouble_of(t, d)
    cdef hole_t* last = hole_at(t, trouble.live_last)
    trouble.unseen_acks += 1
    if trouble.live_last and last.end == d.next_pos and last.acked_frame != NEVER:
        last.end = pos
    elif d.data_segments or d.state & ISN_KNOWN:
        open_hole(t, d, p, pos)
    d.next_pos = pos


cdef inline void advance(
    tracker_t* t, direction_t* d, const packet_t* p, const extra_t* extra, int64_t pos
) noexcept nogil:
    if unlikely(d.trouble):
        settle_questions(t, seen_trouble(t, d), p, pos)
    if unlikely(pos - d.acked_pos > d.last_ack_window) and d.acked_pos != NEVER and d.state & ACK_SEEN:
        d.state |= WINDOW_OVERRUN
    if unlikely(p.has_extra) and extra.sack_count:
        note_sacked_before(t, d, extra)
    d.acked_pos, d.acked_frame, d.acked_ns = pos, p.frame, p.time_ns


cdef void settle_questions(tracker_t* t, trouble_t* trouble, const packet_t* p, int64_t pos) noexcept nogil:
    """The peer acknowledges more than ever before: what it asked for is settled."""
    cdef episode_t* episode
    if trouble.episode:
        episode = episode_at(t, trouble.episode)
        episode.passed_frame, episode.passed_ns = p.frame, p.time_ns
        keep_episode(t, trouble)
    if trouble.unacked_holes:
        mark_acked(t, trouble, p, pos)


cdef void mark_acked(tracker_t* t, trouble_t* trouble, const packet_t* p, int64_t pos) noexcept nogil:
    cdef uint32_t handle = trouble.live_first
    cdef hole_t* hole
    while handle:
        hole = hole_at(t, handle)
        if hole.acked_frame == NEVER and hole.start < pos:
            hole.acked_frame, hole.acked_ns = p.frame, p.time_ns
            trouble.unacked_holes -= 1
            trouble.holes_acked_past += 1
        handle = hole.next


cdef void keep_episode(tracker_t* t, trouble_t* trouble) noexcept nogil:
    cdef uint32_t oldest = trouble.kept_episodes_first
    if trouble.kept_episodes_last:
        episode_at(t, trouble.kept_episodes_last).next = trouble.episode
    else:
        trouble.kept_episodes_first = trouble.episode
    trouble.kept_episodes_last = trouble.episode
    trouble.episode = 0
    if trouble.kept_episodes_count < EPISODES_KEPT:
        trouble.kept_episodes_count += 1
        return
    trouble.kept_episodes_first = episode_at(t, oldest).next
    give_back(&t.episodes, oldest)


cdef inline void take_repeated_ack(
    tracker_t* t, direction_t* d, const packet_t* p, const extra_t* extra, bint keep_alive
) noexcept nogil:
    """The highest ACK once more: a question, or one of the things that look like it."""
    cdef bint duplicate = is_duplicate_ack(t, d, p, keep_alive)
    if unlikely(duplicate or d.trouble or (p.has_extra and extra.sack_count)):
        weigh_question(t, d, p, extra, duplicate)


cdef void weigh_question(
    tracker_t* t, direction_t* d, const packet_t* p, const extra_t* extra, bint duplicate
) noexcept nogil:
    cdef bint has_sacks = p.has_extra and extra.sack_count
    cdef bint news = note_sacks(t, d, extra) if has_sacks else False
    cdef trouble_t* trouble = seen_trouble(t, d)
    cdef episode_t* episode
    if duplicate or news:
        trouble = trouble_of(t, d)
        trouble.duplicate_acks += duplicate
        trouble.sack_duplicate_acks += news
        if not trouble.episode:
            begin_episode(t, d, trouble)
        ask(episode_at(t, trouble.episode), p, duplicate, news, d.state & DATA_SINCE_ACK != 0)
    elif trouble.episode:
        note_repeated(episode_at(t, trouble.episode), p)
    if trouble.episode and has_sacks:
        note_sacked(episode_at(t, trouble.episode), lowest_left(d, extra))


cdef inline bint is_duplicate_ack(tracker_t* t, direction_t* d, const packet_t* p, bint keep_alive) noexcept nogil:
    """RFC 5681 §2 (a) to (e); what Wireshark names otherwise is counted under its own name."""
    if p.payload_len or p.flags & OPENING or keep_alive:
        return False
    if not d.state & ACK_SEEN or p.window != d.last_ack_window:
        d.window_updates += d.state & ACK_SEEN != 0
        return False
    if unlikely(d.state & KEEP_ALIVE_PENDING):
        trouble_of(t, d).keep_alive_acks += 1
        return False
    if unlikely(p.window == 0):
        if d.state & PROBE_PENDING:
            trouble_of(t, d).zero_window_probe_acks += 1
        return False
    if d.next_pos <= d.acked_pos:
        d.idle_acks += 1
        return False
    return True


cdef void note_sacked_before(tracker_t* t, direction_t* d, const extra_t* extra) noexcept nogil:
    """SACKed already, whatever a repetition of this ACK may say."""
    cdef trouble_t* trouble = trouble_of(t, d)
    trouble.sacked_to = max(trouble.sacked_to, highest_sacked(d, extra))


cdef int64_t highest_sacked(const direction_t* d, const extra_t* extra) noexcept nogil:
    """The position after the highest octet that this ACK SACKs; NEVER where its blocks are empty."""
    cdef int64_t left, right
    cdef int64_t highest = NEVER
    cdef int i
    for i in range(extra.sack_count):
        left, right = place(d, extra.sacks[2 * i]), place(d, extra.sacks[2 * i + 1])
        if left < right and (highest == NEVER or right > highest):
            highest = right
    return highest if highest <= d.next_pos else NEVER


cdef bint note_sacks(tracker_t* t, direction_t* d, const extra_t* extra) noexcept nogil:
    """RFC 6675 §2: the segment SACKs octets above HighACK that were not SACKed before."""
    cdef trouble_t* trouble = trouble_of(t, d)
    cdef int64_t first_left, first_right, highest
    first_left, first_right = place(d, extra.sacks[0]), place(d, extra.sacks[1])
    trouble.dsacks += is_dsack(d, extra, first_left, first_right)
    highest = highest_sacked(d, extra)
    if highest <= max(trouble.sacked_to, d.acked_pos):
        return False
    trouble.sacked_to = highest
    return True


cdef bint is_dsack(const direction_t* d, const extra_t* extra, int64_t left, int64_t right) noexcept nogil:
    """RFC 2883 §4: the first block lies below the ACK, or inside the second."""
    if right <= d.acked_pos:
        return True
    return extra.sack_count > 1 and place(d, extra.sacks[2]) <= left and right <= place(d, extra.sacks[3])


cdef int64_t lowest_left(const direction_t* d, const extra_t* extra) noexcept nogil:
    cdef int64_t lowest = place(d, extra.sacks[0])
    cdef int i
    for i in range(1, extra.sack_count):
        lowest = min(lowest, place(d, extra.sacks[2 * i]))
    return lowest


# --- episodes ----------------------------------------------------------------------------------------

cdef void begin_episode(tracker_t* t, direction_t* d, trouble_t* trouble) noexcept nogil:
    cdef episode_t* episode
    trouble.episode = take(t, &t.episodes)
    trouble.episodes += 1
    episode = episode_at(t, trouble.episode)
    episode.wanted = d.acked_pos
    episode.outstanding = d.next_pos - d.acked_pos
    episode.wanted_seen = not lacks(t, d, d.acked_pos)


cdef void ask(episode_t* episode, const packet_t* p, bint duplicate, bint news, bint prompted) noexcept nogil:
    episode.duplicate_acks += duplicate
    episode.sack_duplicate_acks += news
    if episode.first_frame == NEVER:
        episode.first_frame, episode.first_ns = p.frame, p.time_ns
        episode.ttl_min, episode.ttl_max = p.ttl, p.ttl
        episode.window = p.window
    else:
        note_interval(episode, max(0, p.time_ns - episode.last_ns))
    episode.last_frame, episode.last_ns, episode.last_asked_ns = p.frame, p.time_ns, p.time_ns
    episode.ttl_min = min(episode.ttl_min, <int32_t> p.ttl)
    episode.ttl_max = max(episode.ttl_max, <int32_t> p.ttl)
    episode.prompted += prompted
    if episode.frames_kept < DUP_ACK_FRAMES_KEPT:
        episode.frames[episode.frames_kept] = p.frame
        episode.frames_kept += 1


cdef void note_interval(episode_t* episode, int64_t interval_ns) noexcept nogil:
    if episode.shortest_interval_ns == NEVER or interval_ns < episode.shortest_interval_ns:
        episode.shortest_interval_ns = interval_ns
    episode.longest_interval_ns = max(episode.longest_interval_ns, interval_ns)


cdef void note_repeated(episode_t* episode, const packet_t* p) noexcept nogil:
    episode.last_asked_ns = p.time_ns
    if p.payload_len:
        episode.piggybacked += 1
        episode.piggybacked_last_ns = p.time_ns


cdef void note_sacked(episode_t* episode, int64_t left) noexcept nogil:
    if left > episode.wanted and (episode.sacked_left == NEVER or left < episode.sacked_left):
        episode.sacked_left = left


cdef void note_sending(
    episode_t* episode, const packet_t* p, int64_t pos, int64_t end, int64_t fresh, int key
) noexcept nogil:
    """What the sender does while it is being asked."""
    if pos <= episode.wanted < end:
        if key == KEY_NEWEST:
            if episode.rewritten_frame == NEVER:
                episode.rewritten_frame = p.frame
        elif episode.answered_frame == NEVER:
            episode.answered_frame, episode.answered_ns = p.frame, p.time_ns
    if fresh and p.payload_len:
        episode.new_segments += 1
        episode.new_last_frame, episode.new_last_ns = p.frame, p.time_ns
        if episode.new_first_frame == NEVER:
            episode.new_first_frame = p.frame


# --- what the payload shows --------------------------------------------------------------------------

cdef inline void note_payload(
    tracker_t* t, const batch_t* batch, flow_t* flow, int side, const packet_t* p
) noexcept nogil:
    """Count trailers, signatures and ESP-like counters; begin the log where it looks like cTCP."""
    cdef direction_t* d = &flow.directions[side]
    if p.trailer == TRAILER_CUT_OFF:
        d.trailer_cut_off += 1
        note_head(d, p)
    elif unlikely(p.trailer >= TRAILER_WEAK):
        note_trailer(cargo_of(t, d), p, extra_behind(batch, p))
        flow.state |= WATCHED
    if p.signature:
        d.signatures += 1
        if not flow.starts[side].signature:
            flow.starts[side].signature = p.signature
    if unlikely(d.run >= WATCHED_RUN):
        flow.state |= WATCHED


cdef void note_trailer(cargo_t* cargo, const packet_t* p, const extra_t* extra) noexcept nogil:
    cdef uint64_t magic = extra.magic if p.has_extra else 0
    if p.trailer == TRAILER_CISCO:
        cargo.trailer_cisco += 1
        return
    if not cargo.trailer_weak:
        cargo.weak_magic = magic
    cargo.trailer_weak += 1
    cargo.weak_same_magic += magic == cargo.weak_magic


cdef inline void note_head(direction_t* d, const packet_t* p) noexcept nogil:
    """Class C of ctcp-protocol §1.2: the first word stays, the second rises."""
    if p.captured_payload_len < 8 or p.head[0] == IKE_PORTS:
        return
    if (
        d.state & HEAD_SEEN
        and p.head[0] == d.last_head[0]
        and d.last_head[1] < p.head[1] <= <uint64_t> d.last_head[1] + ESP_RUN_STEP
    ):
        d.run += 1
    else:
        d.esp_breaks += d.state & HEAD_SEEN != 0
        d.run = 1
    if d.run > d.esp_run:
        d.esp_run = d.run
    d.last_head[0], d.last_head[1] = p.head[0], p.head[1]
    d.state |= HEAD_SEEN


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
    if p.head[0] != d.last_head[0] or p.head[1] != d.last_head[1]:
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


# --- the log of what looks like cTCP -------------------------------------------------------------------

cdef inline segment_t* logged(const tracker_t* t, int64_t number) noexcept nogil:
    return &t.log[(number // LOG_CHUNK) % t.log_chunks][number % LOG_CHUNK]


cdef segment_t* new_segment(tracker_t* t) noexcept nogil:
    cdef int64_t chunk = (t.log_end // LOG_CHUNK) % t.log_chunks
    if t.log[chunk] == NULL:
        t.log[chunk] = <segment_t*> malloc(LOG_CHUNK * sizeof(segment_t))
        if t.log[chunk] == NULL:
            t.out_of_memory = True
            return NULL
    t.log_end += 1
    return logged(t, t.log_end - 1)


cdef void log_segment(
    tracker_t* t, uint32_t index, int side, int64_t ack_pos, const packet_t* p, int64_t pos, const message_t* messages
) noexcept nogil:
    cdef message_t whole
    cdef uint32_t i
    for i in range(p.message_count):
        log_message(t, index, side, ack_pos, p, pos, &messages[i])
    if p.message_count == 0:
        memset(&whole, 0, sizeof(whole))
        whole.kind, whole.length, whole.print64 = KIND_NONE, p.payload_len, p.print64
        whole.spi, whole.esp_seq = p.head[0], p.head[1]
        log_message(t, index, side, ack_pos, p, pos, &whole)
    if t.log_end - t.log_first >= t.log_cap:
        t.unlogged += t.log_cap // 4
        t.log_first += t.log_cap // 4


cdef void log_message(
    tracker_t* t, uint32_t index, int side, int64_t ack_pos, const packet_t* p, int64_t pos, const message_t* m
) noexcept nogil:
    cdef segment_t* row = new_segment(t)
    if row == NULL:
        return
    row.flow, row.side, row.frame, row.time_ns = index, side, p.frame, p.time_ns
    row.pos, row.length, row.ack_pos, row.flags = pos + m.offset, m.length, ack_pos, p.flags
    row.kind, row.spi, row.esp_seq, row.print64 = m.kind, m.spi, m.esp_seq, m.print64


# --- batches ---------------------------------------------------------------------------------------------

cdef inline void look_ahead(tracker_t* t, const packet_t* p, uint32_t i) noexcept nogil:
    """Find the flow of a packet that is to come, and ask for the cache lines that it will touch."""
    cdef uint64_t slot = slot_of(t, p) if p.status == TCP_SEGMENT else 0
    cdef flow_t* flow
    cdef direction_t* d
    cdef direction_t* peer
    t.ahead[i % LOOKED_AHEAD] = slot
    if slot == 0:
        return
    flow = flow_at(t, <uint32_t> slot & 0x7FFFFFFF)
    d = &flow.directions[side_in(slot, p)]
    peer = &flow.directions[1 - side_in(slot, p)]
    prefetch(flow)
    prefetch(&d.next_pos)
    prefetch(&d.last_frame)
    prefetch(&d.marks)
    prefetch(&peer.next_pos)
    if p.payload_len:
        prefetch(&flow.data_tail_first_frame)
        prefetch(&d.previous_data_frame)


cdef inline void look_closer(tracker_t* t, const packet_t* p, uint32_t i) noexcept nogil:
    """What went wrong in the flow of a packet that comes soon; the flow itself should be there by now."""
    cdef uint64_t slot = t.ahead[i % LOOKED_AHEAD]
    cdef flow_t* flow
    cdef int side
    if slot == 0:
        return
    flow = flow_at(t, <uint32_t> slot & 0x7FFFFFFF)
    for side in range(2):
        if flow.directions[side].trouble:
            prefetch(seen_trouble(t, &flow.directions[side]))
    if p.message_count:
        prefetch(seen_cargo(t, &flow.directions[side_in(slot, p)]))


cdef void follow_batch(tracker_t* t, const batch_t* batch) noexcept nogil:
    cdef const packet_t* packets = batch.rows
    cdef uint32_t count = batch.count
    cdef uint32_t i
    memset(t.ahead, 0, sizeof(t.ahead))
    for i in range(count):
        if likely(i + SLOT_AHEAD < count):
            prefetch(&t.slots[packets[i + SLOT_AHEAD].flow_hash & t.slot_mask])
            look_ahead(t, &packets[i + FLOW_AHEAD], i + FLOW_AHEAD)
            look_closer(t, &packets[i + TROUBLE_AHEAD], i + TROUBLE_AHEAD)
        if packets[i].time_ns > t.last_ns:
            t.last_ns = packets[i].time_ns
        if packets[i].status == TCP_SEGMENT:
            follow(t, batch, &packets[i], t.ahead[i % LOOKED_AHEAD])
            if unlikely(t.out_of_memory):
                return


cdef bint begin_pool(tracker_t* t, pool_t* pool, uint32_t item_len) noexcept nogil:
    """With element 0, all zeroes."""
    pool.item_len = item_len
    pool.used = 1
    if not grow(&t.arena, pool):
        return False
    memset(element(pool, 0), 0, item_len)
    return True


cdef bint begin_tracker(tracker_t* t) noexcept nogil:
    t.last_ns = NEVER
    t.arena.next_len = FIRST_EXTENT
    t.slot_mask = 1023
    t.slots = <uint64_t*> calloc(t.slot_mask + 1, sizeof(uint64_t))
    t.log_chunks = t.log_cap // LOG_CHUNK + 2
    t.log = <segment_t**> calloc(<size_t> t.log_chunks, sizeof(void*))
    return (
        t.slots != NULL
        and t.log != NULL
        and begin_pool(t, &t.flows, sizeof(flow_t))
        and begin_pool(t, &t.ends, sizeof(ends_t))
        and begin_pool(t, &t.troubles, sizeof(trouble_t))
        and begin_pool(t, &t.holes, sizeof(hole_t))
        and begin_pool(t, &t.episodes, sizeof(episode_t))
        and begin_pool(t, &t.cargoes, sizeof(cargo_t))
        and begin_pool(t, &t.associations, sizeof(association_t))
    )


cdef void end_tracker(tracker_t* t) noexcept nogil:
    cdef int64_t chunk
    free(t.flows.chunks)
    free(t.ends.chunks)
    free(t.troubles.chunks)
    free(t.holes.chunks)
    free(t.episodes.chunks)
    free(t.cargoes.chunks)
    free(t.associations.chunks)
    free_extents(&t.arena)
    free(t.slots)
    if t.log != NULL:
        for chunk in range(t.log_chunks):
            free(t.log[chunk])
    free(t.log)


cdef void set_defaults(tracker_t* t) noexcept nogil:
    """What is not zero at the beginning, in the first elements of the pools."""
    set_flow_defaults(flow_at(t, 0))
    set_trouble_defaults(<trouble_t*> element(&t.troubles, 0))
    set_hole_defaults(hole_at(t, 0))
    set_episode_defaults(episode_at(t, 0))
    (<cargo_t*> element(&t.cargoes, 0)).last_ike_frame = NEVER
    (<cargo_t*> element(&t.cargoes, 0)).last_ike_ns = NEVER


cdef void set_flow_defaults(flow_t* flow) noexcept nogil:
    cdef int side
    flow.tail_direction, flow.data_tail_direction = NEVER, NEVER
    flow.tail_first_frame, flow.tail_first_ns = NEVER, NEVER
    flow.data_tail_first_frame, flow.data_tail_first_ns = NEVER, NEVER
    flow.silence_from_frame, flow.silence_to_frame = NEVER, NEVER
    flow.syn_frame, flow.syn_ack_frame = NEVER, NEVER
    for side in range(2):
        set_direction_defaults(&flow.directions[side])
        flow.starts[side].first_frame, flow.starts[side].first_ns = NEVER, NEVER
        flow.starts[side].data_first_frame = NEVER


cdef void set_direction_defaults(direction_t* d) noexcept nogil:
    d.acked_pos, d.acked_ns, d.acked_frame = NEVER, NEVER, NEVER
    d.last_frame, d.last_ns = NEVER, NEVER
    d.data_last_frame, d.data_last_ns, d.previous_data_frame = NEVER, NEVER, NEVER
    d.fin_frame, d.fin_ns = NEVER, NEVER


cdef void set_trouble_defaults(trouble_t* trouble) noexcept nogil:
    trouble.sacked_to, trouble.smallest_missing_len = NEVER, NEVER
    trouble.rst_frame, trouble.rst_ns, trouble.rst_seq_pos = NEVER, NEVER, NEVER
    trouble.rst_ttl, trouble.rst_window, trouble.rst_ip_id = NEVER, NEVER, NEVER


cdef void set_hole_defaults(hole_t* hole) noexcept nogil:
    hole.filled_frame, hole.filled_ns, hole.acked_frame, hole.acked_ns = NEVER, NEVER, NEVER, NEVER


cdef void set_episode_defaults(episode_t* episode) noexcept nogil:
    episode.first_frame, episode.first_ns, episode.last_frame, episode.last_ns = NEVER, NEVER, NEVER, NEVER
    episode.shortest_interval_ns, episode.longest_interval_ns = NEVER, NEVER
    episode.piggybacked_last_ns, episode.last_asked_ns = NEVER, NEVER
    episode.new_first_frame, episode.new_last_frame, episode.new_last_ns = NEVER, NEVER, NEVER
    episode.sacked_left, episode.ttl_min, episode.ttl_max = NEVER, NEVER, NEVER
    episode.window = NEVER
    episode.answered_frame, episode.answered_ns, episode.rewritten_frame = NEVER, NEVER, NEVER
    episode.passed_frame, episode.passed_ns = NEVER, NEVER


# --- rows, made when they are asked for ---------------------------------------------------------------------

cdef int direction_in(const flow_t* flow, int bit_of_0) noexcept:
    """Which direction's bit is set; NEVER where neither is."""
    if flow.state & bit_of_0:
        return 0
    return 1 if flow.state & bit_of_0 << 1 else -1


cdef object flow_row(const tracker_t* t, const flow_t* flow):
    return rows.FlowRow._make(
        (
            src_of(t, flow)[: flow.address_len],
            dst_of(t, flow)[: flow.address_len],
            flow.sport,
            flow.dport,
            flow.starts[0].first_frame,
            flow.last_frame,
            flow.starts[0].first_ns,
            flow.latest_ns if flow.state & CLOCK_RAN_BACK else flow.previous_ns,
            <int64_t> flow.directions[0].frames + flow.directions[1].frames,
            direction_in(flow, OPENED_BY_0),
            flow.syn_frame,
            flow.syn_ack_frame,
            flow.syns,
            1 if flow.state & WATCHED else 0,
            flow.longest_silence_ns,
            flow.silence_from_frame,
            flow.silence_to_frame,
            direction_in(flow, SILENCE_BROKEN_BY_0),
            flow.tail_direction,
            flow.tail_first_frame,
            flow.tail_first_ns,
            flow.tail_frames,
            flow.tail_data_segments,
            flow.data_tail_direction,
            flow.data_tail_first_frame,
            flow.data_tail_first_ns,
            flow.data_tail_segments,
        )
    )


cdef object direction_row(const tracker_t* t, const direction_t* d, const start_t* start):
    cdef const trouble_t* trouble = seen_trouble(t, d)
    cdef const cargo_t* cargo = seen_cargo(t, d)
    cdef bint seen = d.state & SENDER_SEEN != 0
    cdef int64_t placed = d.payload_bytes - trouble.unplaced_bytes + d.bare_numbers
    return rows.DirectionRow._make(
        (
            d.frames,
            start.first_frame,
            d.last_frame,
            start.first_ns,
            d.last_ns,
            d.anchor,
            1 if d.state & ISN_KNOWN else 0,
            d.next_pos,
            d.acked_pos,
            d.acked_ns,
            d.acked_frame,
            d.payload_bytes,
            d.data_segments,
            start.data_first_frame,
            d.data_last_frame,
            d.data_last_ns,
            placed - trouble.again_bytes - trouble.filling_bytes,
            trouble.again_bytes,
            trouble.filling_bytes,
            trouble.holes_opened,
            trouble.holes_filled,
            trouble.holes_acked_past,
            trouble.holes_forgotten,
            trouble.retransmissions,
            trouble.late_originals,
            trouble.undecided_repeats,
            trouble.spurious_retransmissions,
            trouble.rewrites,
            trouble.copies,
            trouble.strays,
            d.max_payload_len,
            trouble.smallest_missing_len,
            start.mss if start.options & HAS_MSS else NEVER,
            start.window_scale if start.options & HAS_WINDOW_SCALE else NEVER,
            1 if start.options & HAS_SACK_PERMITTED else 0,
            start.first_window if seen else NEVER,
            d.last_window if seen else NEVER,
            d.windows_seen,
            1 if d.state & WINDOW_OVERRUN else 0,
            d.pushes,
            d.ttl_min if seen else NEVER,
            d.ttl_max if seen else NEVER,
            start.data_ttl if d.data_segments else NEVER,
            d.ids_rising,
            d.ids_other,
            d.pure_acks,
            trouble.duplicate_acks,
            trouble.sack_duplicate_acks,
            trouble.dsacks,
            trouble.keep_alives,
            trouble.keep_alive_acks,
            d.window_updates,
            trouble.zero_windows,
            trouble.zero_window_probes,
            trouble.zero_window_probe_acks,
            trouble.old_acks,
            trouble.unseen_acks,
            d.idle_acks,
            trouble.episodes,
            d.fin_frame,
            d.fin_ns,
            trouble.rst_frame,
            trouble.rst_ns,
            trouble.rst_ttl,
            trouble.rst_window,
            trouble.rst_ip_id,
            trouble.rst_seq_pos,
            trouble.rst_has_ack,
            trouble.rsts,
            d.last_ip_id if d.state & ID_SEEN else NEVER,
            d.last_ttl if seen else NEVER,
            cargo.trailer_cisco,
            cargo.trailer_weak,
            <int64_t> d.data_segments - cargo.trailer_cisco - cargo.trailer_weak - d.trailer_cut_off,
            d.trailer_cut_off,
            cargo.weak_magic,
            cargo.weak_same_magic,
            d.esp_run,
            d.esp_breaks,
            start.signature,
            d.signatures,
            cargo.messages,
            cargo.merged_segments,
            cargo.ike_messages,
            cargo.ike_repeats,
            cargo.ike_opened,
            cargo.last_ike_frame,
            cargo.last_ike_ns,
            cargo.last_ike_exchange,
            cargo.esp_messages,
            cargo.esp_missing + kept_missing(t, cargo),
            cargo.esp_repeats + kept_repeats(t, cargo),
            cargo.associations,
        )
    )


cdef int64_t kept_missing(const tracker_t* t, const cargo_t* cargo):
    cdef uint32_t handle = cargo.kept_first
    cdef int64_t missing = 0
    while handle:
        missing += association_at(t, handle).missing
        handle = association_at(t, handle).next
    return missing


cdef int64_t kept_repeats(const tracker_t* t, const cargo_t* cargo):
    cdef uint32_t handle = cargo.kept_first
    cdef int64_t repeats = 0
    while handle:
        repeats += association_at(t, handle).repeats
        handle = association_at(t, handle).next
    return repeats


cdef object episode_row(const episode_t* episode):
    return rows.EpisodeRow._make(
        (
            episode.wanted,
            episode.duplicate_acks,
            episode.sack_duplicate_acks,
            episode.first_frame,
            episode.first_ns,
            episode.last_frame,
            episode.last_ns,
            tuple([episode.frames[i] for i in range(episode.frames_kept)]),
            episode.outstanding,
            episode.prompted,
            episode.shortest_interval_ns,
            episode.longest_interval_ns,
            episode.piggybacked,
            episode.piggybacked_last_ns,
            episode.last_asked_ns,
            episode.new_segments,
            episode.new_first_frame,
            episode.new_last_frame,
            episode.new_last_ns,
            episode.sacked_left,
            episode.ttl_min,
            episode.ttl_max,
            episode.window,
            episode.sender_ike,
            episode.peer_ike,
            episode.wanted_seen,
            episode.answered_frame,
            episode.answered_ns,
            episode.rewritten_frame,
            episode.passed_frame,
            episode.passed_ns,
        )
    )


cdef object hole_row(const hole_t* hole):
    return rows.HoleRow._make(
        (
            hole.start,
            hole.end,
            hole.opened_frame,
            hole.opened_ns,
            hole.before_frame,
            hole.esp_missing,
            hole.filled_frame,
            hole.filled_ns,
            hole.acked_frame,
            hole.acked_ns,
        )
    )


cdef object association_row(const association_t* one):
    return rows.AssociationRow._make(
        (
            one.spi,
            one.messages,
            one.first_seq,
            one.highest_seq,
            one.missing,
            one.repeats,
            one.first_frame,
            one.last_frame,
        )
    )


cdef object segment_row(const segment_t* row):
    return rows.SegmentRow._make(
        (
            row.side,
            row.frame,
            row.time_ns,
            row.pos,
            row.length,
            row.ack_pos,
            row.flags,
            row.kind,
            row.spi,
            row.esp_seq,
            row.print64,
        )
    )


cdef bint looks_encapsulated(const tracker_t* t, const direction_t* d, const start_t* start) noexcept nogil:
    cdef const cargo_t* cargo = seen_cargo(t, d)
    return (
        cargo.trailer_cisco
        or cargo.trailer_weak
        or d.esp_run >= WATCHED_RUN
        or start.signature == SIGNATURE_IKETCP
        or start.signature == SIGNATURE_RAW_IKE
    )


def by_opening(row):
    return row.opened_frame, row.start_pos


cdef class Tracker:
    """Follows every TCP flow of one capture."""

    cdef tracker_t tracker
    cdef bint is_busy
    cdef uint32_t* firsts  # the log by flow: rows of flow i stand in `order` from firsts[i] to firsts[i + 1]
    cdef uint32_t* order

    def __cinit__(self):
        self.tracker.flow_cap = rows.FLOW_CAP
        self.tracker.log_cap = rows.SEGMENT_LOG_CAP
        if not begin_tracker(&self.tracker):
            raise MemoryError
        set_defaults(&self.tracker)

    def __dealloc__(self):
        self.forget_order()
        end_tracker(&self.tracker)

    # --- what went in, what comes out -------------------------------------------------------

    def feed(self, Packets packets not None):
        """Take one batch of packets, in the order of the capture."""
        self.check_idle()
        packets.begin_change()
        self.forget_order()
        self.is_busy = packets.is_busy = True
        try:
            with nogil:
                follow_batch(&self.tracker, &packets.batch)
        finally:
            self.is_busy = packets.is_busy = False
        self.check_idle()

    def tallies(self):
        self.check_idle()
        cdef tracker_t* t = &self.tracker
        return rows.Tallies(
            t.flow_count, t.refused, t.segments, t.log_end - t.log_first, t.unlogged, t.last_ns
        )

    def flow(self, index):
        return flow_row(&self.tracker, self.at(index))

    def direction(self, index, side):
        cdef flow_t* flow = self.at(index)
        cdef int which = checked_side(side)
        return direction_row(&self.tracker, &flow.directions[which], &flow.starts[which])

    def episodes(self, index, side):
        """The latest EPISODES_KEPT, in order; the last may be open."""
        cdef trouble_t* trouble = seen_trouble(&self.tracker, &self.at(index).directions[checked_side(side)])
        cdef uint32_t handle = trouble.kept_episodes_first
        cdef list held = []
        while handle:
            held.append(episode_row(episode_at(&self.tracker, handle)))
            handle = episode_at(&self.tracker, handle).next
        if trouble.episode:
            held.append(episode_row(episode_at(&self.tracker, trouble.episode)))
        return held[max(0, len(held) - <Py_ssize_t> EPISODES_KEPT) :]

    def holes(self, index, side):
        """Holes that were let go or filled, then those still open, by when they opened."""
        cdef trouble_t* trouble = seen_trouble(&self.tracker, &self.at(index).directions[checked_side(side)])
        cdef list held = self.holes_from(trouble.kept_first) + self.holes_from(trouble.live_first)
        held.sort(key=by_opening)
        return held

    def associations(self, index, side):
        cdef cargo_t* cargo = seen_cargo(&self.tracker, &self.at(index).directions[checked_side(side)])
        cdef uint32_t handle = cargo.kept_first
        cdef list held = []
        while handle:
            held.append(association_row(association_at(&self.tracker, handle)))
            handle = association_at(&self.tracker, handle).next
        return held

    def segments(self, index):
        """The log of a watched flow, in the order of the capture."""
        cdef uint32_t flow = self.checked(index)
        cdef uint32_t i
        self.sort_log()
        return [segment_row(self.in_order(i)) for i in range(self.firsts[flow], self.firsts[flow + 1])]

    def frames_with(self, index, side, int64_t position):
        """Frames of the logged segments of one direction that carry the byte at `position`."""
        cdef uint32_t flow = self.checked(index)
        cdef int which = checked_side(side)
        cdef uint32_t i
        cdef segment_t* row
        cdef list frames = []
        self.sort_log()
        for i in range(self.firsts[flow], self.firsts[flow + 1]):
            row = self.in_order(i)
            if row.side == which and row.pos <= position < row.pos + row.length:
                frames.append(row.frame)
        return frames

    def suspects(self, ports):
        """Flows that look like IPsec over TCP in any way, or use one of the ports."""
        cdef uint8_t wanted[65536]
        cdef uint32_t i
        memset(wanted, 0, sizeof(wanted))
        for port in ports:
            if 0 <= port < 65536:
                wanted[<uint16_t> port] = 1
        self.check_idle()
        return [i for i in range(self.tracker.flow_count) if self.is_suspect(i, wanted)]

    # --- inside -----------------------------------------------------------------------------

    cdef bint is_suspect(self, uint32_t index, const uint8_t* wanted):
        cdef const flow_t* flow = flow_at(&self.tracker, index + 1)
        return (
            wanted[flow.sport]
            or wanted[flow.dport]
            or looks_encapsulated(&self.tracker, &flow.directions[0], &flow.starts[0])
            or looks_encapsulated(&self.tracker, &flow.directions[1], &flow.starts[1])
        )

    cdef int check_idle(self) except -1:
        if self.is_busy:
            raise RuntimeError("this tracker is being fed by another thread")
        if self.tracker.out_of_memory:
            raise MemoryError("the flow table could not grow")
        return 0

    cdef uint32_t checked(self, Py_ssize_t index) except? 0xFFFFFFFF:
        self.check_idle()
        if index < 0:
            index += self.tracker.flow_count
        if not 0 <= index < self.tracker.flow_count:
            raise IndexError("flow index out of range")
        return <uint32_t> index

    cdef flow_t* at(self, index) except NULL:
        return flow_at(&self.tracker, self.checked(index) + 1)

    cdef list holes_from(self, uint32_t handle):
        cdef list held = []
        while handle:
            held.append(hole_row(hole_at(&self.tracker, handle)))
            handle = hole_at(&self.tracker, handle).next
        return held

    cdef segment_t* in_order(self, uint32_t i):
        return logged(&self.tracker, self.tracker.log_first + self.order[i])

    cdef void forget_order(self):
        free(self.firsts)
        free(self.order)
        self.firsts, self.order = NULL, NULL

    cdef int sort_log(self) except -1:
        """The log by flow, counted out once when it is first asked for."""
        cdef tracker_t* t = &self.tracker
        cdef int64_t count = t.log_end - t.log_first
        if self.order != NULL:
            return 0
        self.firsts = <uint32_t*> calloc(<size_t> t.flow_count + 2, sizeof(uint32_t))
        self.order = <uint32_t*> malloc(<size_t> (count + 1) * sizeof(uint32_t))
        if self.firsts == NULL or self.order == NULL:
            self.forget_order()
            raise MemoryError
        sort_by_flow(t, count, self.firsts, self.order)
        return 0


cdef void sort_by_flow(const tracker_t* t, int64_t count, uint32_t* firsts, uint32_t* order) noexcept nogil:
    """A counting sort.  Each flow counts two places on, so that its beginning, once used as a cursor, ends as the next's."""
    cdef int64_t i
    cdef uint32_t flow, at
    for i in range(count):
        firsts[logged(t, t.log_first + i).flow + 2] += 1
    for flow in range(t.flow_count):
        firsts[flow + 2] += firsts[flow + 1]
    for i in range(count):
        flow = logged(t, t.log_first + i).flow
        at = firsts[flow + 1]
        firsts[flow + 1] += 1
        order[at] = <uint32_t> i


cdef int checked_side(side) except -1:
    if side != 0 and side != 1:
        raise IndexError("a flow has directions 0 and 1")
    return side
