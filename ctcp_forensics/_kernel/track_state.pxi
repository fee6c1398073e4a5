# What a tracker holds: flows in cache lines, the rest in pools.  Knows what each thing is, not when it changes.

cdef struct bounds_t:  # how a direction began and ended: what is written down once or twice
    int64_t first_ns
    int64_t fin_ns
    uint32_t skipped  # positions passed that no new bytes account for; its low 32 bits, see carry_t
    uint16_t first_window
    uint16_t mss
    uint8_t window_scale
    uint8_t options  # bits: HAS_MSS and so on
    uint8_t signature
    uint8_t data_ttl
    uint8_t ttl_min
    uint8_t ttl_max
    uint8_t bare_numbers  # those of SYNs and FINs that were placed; as many as fit
    uint8_t spare

cdef enum:
    HAS_MSS = 1
    HAS_WINDOW_SCALE = 2
    HAS_SACK_PERMITTED = 4

cdef struct moment_t:
    int64_t frame
    int64_t time_ns

# What every segment touches is the first line of its flow, three of its own direction and the first of the other's.
# So what can be told from other counters is not counted: track_rows.pxi does the sums.

cdef struct direction_t:
    # first cache line: what the segments of both ends touch
    int64_t next_pos
    int64_t acked_pos
    int64_t last_frame
    int64_t last_ns
    uint32_t anchor
    uint32_t frames
    uint32_t data_segments
    uint32_t ids_other
    uint32_t trouble
    uint16_t state
    uint16_t last_ack_window
    uint16_t last_window
    uint16_t last_ip_id
    uint16_t longest_payload  # 0xFFFF and more are told apart by oddity_t.longest_payloads
    uint8_t last_ttl
    uint8_t sightings  # so many as hold; from 4 on it goes round to 7, and the oldest is the next to be written over
    # second: the last segments, by which a copy is known, and the heads of payloads that were cut off
    uint64_t marks[COPIES_REMEMBERED]
    uint32_t marked_ns[COPIES_REMEMBERED]  # the low bits of the time; see FORGOTTEN_NS
    uint32_t last_head[2]
    uint32_t run
    uint32_t trailer_cut_off
    # third: what some of its own segments touch
    moment_t data_last  # of its latest segment with data
    moment_t advanced  # of the latest whose ACK advanced the other direction
    uint32_t unread_heads  # of payloads that were cut off
    uint32_t signatures
    uint32_t windows_seen
    uint32_t cargo
    uint32_t idle_acks
    uint32_t window_updates
    uint32_t odd_frames  # neither data nor pure ACKs
    uint32_t ids_uncounted  # frames that say nothing of their sender's IP IDs

cdef enum:  # frames that are written down as a distance from the flow's first one
    FIRST_ANSWER = 0
    FIRST_DATA = 1  # of direction 0; beside it, of direction 1
    FIRST_FIN = 3  # likewise
    SILENCE_FROM = 5
    SILENCE_TO = 6
    FIRST_SYN = 7
    FIRST_SYN_ACK = 8
    FRAMES_NOTED = 9

    NOT_NOTED = 0xFFFF_FFFF
    FAR_OFF = 0xFFFF_FFFE  # it stands in a far_t

cdef struct tail_t:  # of a flow: how its last speaker began to speak alone
    moment_t began
    uint32_t frames_before  # of that direction…
    uint32_t data_before  # …and its data segments; both may lie below 0, of which the difference knows nothing

cdef struct flow_t:
    # one cache line that every segment touches
    uint32_t ends[2]  # the IPv4 addresses, or the handle of an ends_t
    uint16_t ports[2]
    uint8_t address_len
    uint8_t state
    int8_t tail_direction  # who sent the last frame
    int8_t data_tail_direction  # who sent the last data
    int64_t longest_silence_ns
    int64_t first_frame
    moment_t data_tail_began  # when its last sender of data began to send alone…
    uint32_t data_tail_before  # …and its data segments by then, as in tail_t
    uint32_t pushes[2]
    uint32_t syns
    # one that turns touch, rare events, and those that come once
    tail_t tail
    uint32_t frames[FRAMES_NOTED]
    uint32_t oddity
    # one for the beginnings and ends of both directions
    bounds_t bounds[2]
    direction_t directions[2]

cdef struct oddity_t:  # what hardly any flow has
    int64_t latest_ns  # holds where the clock ran back
    uint32_t longest_payloads[2]  # of those of 0xFFFF and more, which segmentation offload makes
    uint32_t far

cdef struct far_t:  # of a flow that goes on for 4,294,967,294 frames of its capture
    int64_t frames[FRAMES_NOTED]

cdef struct ends_t:
    uint8_t src[16]
    uint8_t dst[16]

cdef enum:  # what is counted of trouble, in the order of trouble_t.counts
    HOLES_OPENED = 0
    HOLES_FILLED = 1
    HOLES_ACKED_PAST = 2
    HOLES_FORGOTTEN = 3
    RETRANSMISSIONS = 4
    LATE_ORIGINALS = 5
    UNDECIDED_REPEATS = 6
    SPURIOUS_RETRANSMISSIONS = 7
    REWRITES = 8
    COPIES = 9
    STRAYS = 10
    DUPLICATE_ACKS = 11
    SACK_DUPLICATE_ACKS = 12
    DSACKS = 13
    KEEP_ALIVES = 14
    KEEP_ALIVE_ACKS = 15
    ZERO_WINDOWS = 16
    ZERO_WINDOW_PROBES = 17
    ZERO_WINDOW_PROBE_ACKS = 18
    OLD_ACKS = 19
    UNSEEN_ACKS = 20
    EPISODES_BEGUN = 21
    TROUBLES_COUNTED = 22

cdef struct trouble_t:  # of one direction; a first line for what is asked again and again, a second for sums
    uint32_t live_first
    uint32_t live_last
    uint32_t kept_first
    uint32_t kept_last
    uint32_t episode
    uint32_t kept_episodes_first
    uint32_t kept_episodes_last
    uint8_t live_count
    uint8_t unacked_holes
    uint8_t kept_count
    uint8_t kept_episodes_count
    int64_t sacked_to
    int64_t again_bytes
    int64_t filling_bytes
    int64_t unplaced_bytes  # payload of copies, strays, keep-alives and RSTs
    int64_t retransmitted_frame
    int32_t smallest_missing_len  # no hole is longer than STRAY_DISTANCE
    uint32_t ending
    uint32_t carries
    uint16_t counts[TROUBLES_COUNTED]  # their low 16 bits

cdef struct carry_t:  # of a direction that has 65,536 of something, or lacks 4 GiB
    uint16_t counts[TROUBLES_COUNTED]
    uint32_t skipped

cdef struct ending_t:  # the first RST of a direction, and which of them are kept
    int64_t frame
    int64_t last_frame
    int64_t time_ns
    int64_t seq_pos
    int32_t ip_id
    int32_t ttl
    int32_t window
    uint32_t rsts
    uint32_t latest_reset
    uint8_t resets_kept
    uint8_t has_ack

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
    uint32_t close_asks
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
    int64_t sender_ike_asked_ns
    uint32_t sender_ike
    uint32_t peer_ike

cdef struct reset_t:
    uint32_t before  # the one before it of the same direction
    uint32_t place  # among those of both directions
    int32_t ip_id
    uint16_t window
    uint8_t ttl
    uint8_t has_ack
    int64_t frame
    int64_t time_ns
    int64_t seq_pos

cdef struct cargo_t:  # of one direction; the first line is what most messages touch
    uint32_t kept_first
    uint32_t kept_last
    uint32_t kept_count
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
    uint64_t weak_magic
    uint64_t last_ike_print
    int64_t last_ike_frame
    int64_t last_ike_ns
    int64_t esp_missing
    int64_t esp_repeats
    uint32_t checksums_right
    uint32_t checksums_wrong
    uint32_t esp_run  # longest of the runs that are over
    uint32_t esp_continued  # heads that continued one of those
    uint8_t spare[8]  # up to whole cache lines

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
    uint8_t is_damaged

if (
    sizeof(flow_t) != 9 * 64
    or sizeof(direction_t) != 3 * 64
    or sizeof(bounds_t) != 32
    or sizeof(trouble_t) != 2 * 64
    or sizeof(cargo_t) != 2 * 64
    or sizeof(association_t) != 64
    or sizeof(segment_t) != 64
    or sizeof(reset_t) != 40
):
    raise ImportError("the compiler laid out a flow otherwise than in cache lines")


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
    FIRST_EXTENT = 0x8_0000
    HUGE_PAGE = 0x20_0000
    LARGEST_EXTENT = 0x40_0000

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
    uint32_t held  # elements in use
    uint32_t at_once  # how many may be; 0: as many as come

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
    pool.held += 1
    if unlikely(pool.at_once and pool.held > pool.at_once):
        t.holds_too_much = True
    memcpy(element(pool, handle), element(pool, 0), pool.item_len)
    return handle


cdef inline void give_back(pool_t* pool, uint32_t handle) noexcept nogil:
    (<uint32_t*> element(pool, handle))[0] = pool.first_free
    pool.first_free = handle
    pool.held -= 1


cdef struct silence_t:
    int64_t length_ns
    int64_t from_ns

cdef struct pulse_t:  # when frames came
    int64_t since_ns
    int64_t until_ns
    int64_t latest_ns  # before the clock was set back, if ever
    int64_t unlisted_ns
    int64_t shortest_ns  # of those that are kept; NEVER where there is room for more
    uint32_t count
    silence_t kept[SILENCES_KEPT]  # a heap, the shortest first

cdef struct ranked_t:
    uint64_t rank  # its standing, then the frame in which it spoke last
    uint32_t handle

cdef struct ageing_t:  # nothing of it is made before all places are taken
    ranked_t* ranked
    ranked_t* spare
    uint32_t next  # who is given up next, of…
    uint32_t queued  # …so many from the beginning…
    uint32_t named  # …of which so many, from the beginning, may be given up without another word: they were named
    uint32_t* left  # handles of those that were, since flows were named last
    uint32_t left_count
    int64_t half_open_named
    int64_t* logged_from  # by index: rows of the log before this one belong to who had the place before
    int64_t given_up[6]  # by standing
    int64_t begun_in_mid_stream
    int64_t bared
    int64_t bared_in_question

cdef struct nowhere_t:  # what a segment does not change is written here: that costs less than a branch that nobody can foretell
    tail_t tail
    moment_t moment

cdef struct found_t:  # the flow of a packet that is to come, and which of its ends sent it; handle 0 where that is not known
    flow_t* flow
    direction_t* d  # the sender's…
    direction_t* peer  # …and the other one
    uint32_t handle
    uint32_t side

cdef struct tracker_t:
    arena_t arena
    pool_t flows  # handle: index + 1
    pool_t ends
    pool_t oddities
    pool_t fars
    pool_t troubles
    pool_t carries
    pool_t endings
    pool_t holes
    pool_t episodes
    pool_t resets
    pool_t cargoes
    pool_t associations
    uint64_t* slots  # hash, which end is direction 0's, handle
    uint32_t slot_mask
    uint32_t slots_used
    uint32_t flow_cap
    uint32_t flow_count
    found_t ahead[LOOKED_AHEAD]  # of the packets of two groups
    ageing_t ageing
    int64_t flows_begun
    int64_t segments
    pulse_t pulse
    segment_t** log  # a ring of chunks, filled in as they are reached
    int64_t log_chunks
    segment_t* latest_chunk  # that the latest row is in
    int64_t log_first  # rows are numbered from the first that was ever logged
    int64_t log_end
    int64_t log_cap
    int64_t unlogged
    uint64_t* watched_ports  # a bit for each
    uint64_t* wanted_ports
    bint watches_everything
    bint wants_everything
    uint32_t named_at_once  # 0: none is named
    int64_t half_open_cap  # so many half-open ones are
    uint32_t waits_before  # the packet of the batch that needs a place…
    bint waits  # …whose flow has to be named first
    bint out_of_memory
    bint holds_too_much  # of some kind of evidence, or did for a moment
    nowhere_t nowhere

cdef inline moment_t moment_of(const packet_t* p) noexcept nogil:
    cdef moment_t moment
    moment.frame, moment.time_ns = p.frame, p.time_ns
    return moment


cdef inline moment_t no_moment() noexcept nogil:
    cdef moment_t moment
    moment.frame, moment.time_ns = NEVER, NEVER
    return moment


cdef inline int64_t latest_ns(const tracker_t* t) noexcept nogil:
    """Of all frames; NEVER before the first."""
    return max(t.pulse.until_ns, t.pulse.latest_ns)


cdef inline flow_t* flow_at(const tracker_t* t, uint32_t handle) noexcept nogil:
    return &(<flow_t*> t.flows.chunks[handle // CHUNK])[handle % CHUNK]


cdef inline const oddity_t* seen_oddity(const tracker_t* t, const flow_t* flow) noexcept nogil:
    """For reading: the defaults where nothing was odd."""
    return <const oddity_t*> element(&t.oddities, flow.oddity)


cdef oddity_t* oddity_of(tracker_t* t, flow_t* flow) noexcept nogil:
    if not flow.oddity:
        flow.oddity = take(t, &t.oddities)
    return <oddity_t*> element(&t.oddities, flow.oddity)


@cython.overflowcheck(False)
cdef inline void write_frame(tracker_t* t, flow_t* flow, int which, int64_t frame) noexcept nogil:
    cdef uint64_t distance = <uint64_t> frame - <uint64_t> flow.first_frame
    if unlikely(distance >= FAR_OFF):
        write_far_frame(t, flow, which, frame)
        return
    flow.frames[which] = <uint32_t> distance


cdef void write_far_frame(tracker_t* t, flow_t* flow, int which, int64_t frame) noexcept nogil:
    """As it is: too far from the first one, or, in rows that somebody made up, before it."""
    cdef oddity_t* oddity = oddity_of(t, flow)
    if not oddity.far:
        oddity.far = take(t, &t.fars)
    (<far_t*> element(&t.fars, oddity.far)).frames[which] = frame
    flow.frames[which] = FAR_OFF


cdef inline bint has_frame(const flow_t* flow, int which) noexcept nogil:
    return flow.frames[which] != NOT_NOTED


cdef inline int64_t frame_in(const tracker_t* t, const flow_t* flow, int which) noexcept nogil:
    """NEVER where none was written down."""
    if not has_frame(flow, which):
        return NEVER
    if unlikely(flow.frames[which] == FAR_OFF):
        return (<const far_t*> element(&t.fars, seen_oddity(t, flow).far)).frames[which]
    return flow.first_frame + flow.frames[which]


cdef inline int64_t first_frame_of(const tracker_t* t, const flow_t* flow, int side) noexcept nogil:
    return frame_in(t, flow, FIRST_ANSWER) if side else flow.first_frame


cdef inline hole_t* hole_at(const tracker_t* t, uint32_t handle) noexcept nogil:
    return &(<hole_t*> t.holes.chunks[handle // CHUNK])[handle % CHUNK]


cdef inline episode_t* episode_at(const tracker_t* t, uint32_t handle) noexcept nogil:
    return &(<episode_t*> t.episodes.chunks[handle // CHUNK])[handle % CHUNK]


cdef inline reset_t* reset_at(const tracker_t* t, uint32_t handle) noexcept nogil:
    return &(<reset_t*> t.resets.chunks[handle // CHUNK])[handle % CHUNK]


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


cdef inline ending_t* seen_ending(const tracker_t* t, const trouble_t* trouble) noexcept nogil:
    """Likewise where there was no RST."""
    return &(<ending_t*> t.endings.chunks[trouble.ending // CHUNK])[trouble.ending % CHUNK]


@cython.overflowcheck(False)
cdef inline void count(tracker_t* t, trouble_t* trouble, int what) noexcept nogil:
    """One more.  Hardly any direction ever has 65,536 of anything: for the rest, half the bits are enough."""
    trouble.counts[what] += 1
    if unlikely(trouble.counts[what] == 0):
        carry(t, trouble, what)


@cython.overflowcheck(False)
cdef void carry(tracker_t* t, trouble_t* trouble, int what) noexcept nogil:
    carry_of(t, trouble).counts[what] += 1


cdef carry_t* carry_of(tracker_t* t, trouble_t* trouble) noexcept nogil:
    if not trouble.carries:
        trouble.carries = take(t, &t.carries)
    return <carry_t*> element(&t.carries, trouble.carries)


cdef inline uint32_t counted(const tracker_t* t, const trouble_t* trouble, int what) noexcept nogil:
    cdef const carry_t* carried = <const carry_t*> element(&t.carries, trouble.carries)
    return <uint32_t> carried.counts[what] << 16 | trouble.counts[what]


cdef inline cargo_t* seen_cargo(const tracker_t* t, const direction_t* d) noexcept nogil:
    return &(<cargo_t*> t.cargoes.chunks[d.cargo // CHUNK])[d.cargo % CHUNK]


cdef inline cargo_t* cargo_of(tracker_t* t, direction_t* d) noexcept nogil:
    if not d.cargo:
        d.cargo = take(t, &t.cargoes)
        d.state |= HAS_CARGO
    return seen_cargo(t, d)
