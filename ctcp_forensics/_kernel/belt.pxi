# Belt: a chunk from the walk to the last step in one call, without the interpreter.  The compiled half of
# plain_belt.py, which takes nothing by itself and says what a turn and a pile are.
#
# The belt takes a chunk of which every record is a frame, in the order of time and without a comment, and a batch of
# which every row is a segment or nothing that concerns us.  Of a chunk with anything else in it nothing is changed, and
# whoever called does it by hand, in the turn that the belt waited for; so nothing is decided here that is not decided
# by hand as well.
#
# What a hand may touch without a turn is its pile.  What stands in the belt, and the table and the interfaces that a
# walk goes by, is touched in the turn of collecting; the tracker, in the turn of following.

from cpython.exc cimport PyErr_CheckSignals
from cpython.pythread cimport (
    PyThread_allocate_lock,
    PyThread_free_lock,
    PyThread_release_lock,
    PyThread_type_lock,
)

cdef extern from "pythread.h":
    enum:
        PY_LOCK_ACQUIRED
        PY_LOCK_INTR

    int PyThread_acquire_lock_timed(PyThread_type_lock lock, long long microseconds, int intr_flag) nogil

cdef extern from *:
    """
    /* A flag and a count that one thread changes while others look.  What they guard is guarded by a lock as well. */
    #if defined(_MSC_VER)
    #define BELT_LOOK(at) (*(volatile int*) &(at))
    #define BELT_SET(at, value) (*(volatile int*) &(at) = (value))
    #else
    #define BELT_LOOK(at) __atomic_load_n(&(at), __ATOMIC_RELAXED)
    #define BELT_SET(at, value) __atomic_store_n(&(at), (value), __ATOMIC_RELAXED)
    #endif
    /* Leaves the memory and the other half of the core alone for a moment. */
    #if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
    #define BELT_PAUSE() __builtin_ia32_pause()
    #elif defined(__GNUC__) && defined(__aarch64__)
    #define BELT_PAUSE() __asm__ volatile("isb" ::: "memory")
    #else
    #define BELT_PAUSE() ((void) 0)
    #endif
    """
    int look "BELT_LOOK"(int at) noexcept nogil
    void set_to "BELT_SET"(int at, int value) noexcept nogil
    void pause "BELT_PAUSE"() noexcept nogil

cdef enum:
    STAGE_DONE = 0  # layouts.Stage
    STAGE_COLLECTING = 1
    STAGE_FOLLOWING = 2

    MOST_HANDS = 8
    ACROSS_ROOM = 266_240  # LONGEST_FRAME with any header, and with a few options
    MOST_NAMED = 64  # interfaces whose counts are put back where a chunk is not taken; with more, none is
    LOOKS = 2000  # before a wait that sleeps: some 50 µs, what falling asleep and being woken take


# --- turns ---------------------------------------------------------------------------------

cdef class Turns:
    """One after the other, and then the first again.  Who waits looks for a while before it sleeps, if it may."""

    cdef PyThread_type_lock tokens[MOST_HANDS]
    cdef int given[MOST_HANDS]  # how many times, told behind each; nothing is done but at a token
    cdef int used[MOST_HANDS]
    cdef int count, looks

    def __cinit__(self, int count, bint is_looking=False):
        cdef int i
        if not 1 <= count <= MOST_HANDS:
            raise ValueError("so many hands there are not")
        self.looks = LOOKS if is_looking else 0
        for i in range(count):
            self.tokens[i] = PyThread_allocate_lock()
            if self.tokens[i] == NULL:
                raise MemoryError
            self.count = i + 1
            if i > 0:
                PyThread_acquire_lock_timed(self.tokens[i], 0, False)
        self.given[0] = 1

    def __dealloc__(self):
        cdef int i
        for i in range(self.count):
            PyThread_free_lock(self.tokens[i])

    def wait_for(self, int index):
        self.check(index)
        with nogil:
            self.wait(index)

    def pass_on(self, int index):
        self.check(index)
        self.give_next(index)

    def give(self, int index):
        self.check(index)
        self.give_to(index)

    cdef int check(self, int index) except -1:
        if not 0 <= index < self.count:
            raise IndexError(index)
        return 0

    cdef int wait(self, int index) except -1 nogil:
        cdef int i
        for i in range(self.looks):
            if look(self.given[index]) != self.used[index]:
                break
            pause()
        while PyThread_acquire_lock_timed(self.tokens[index], -1, True) == PY_LOCK_INTR:
            with gil:
                PyErr_CheckSignals()
        self.used[index] += 1
        return 0

    cdef void give_next(self, int index) noexcept nogil:
        self.give_to((index + 1) % self.count)

    cdef void give_to(self, int index) noexcept nogil:
        PyThread_release_lock(self.tokens[index])
        set_to(self.given[index], look(self.given[index]) + 1)


# --- piles ---------------------------------------------------------------------------------

cdef struct load_t:  # a batch on a pile: what its two tables hold, and the bytes that its frames point into
    frame_t** frames
    Py_ssize_t* count
    Py_ssize_t* capacity
    batch_t* packets
    bint* frames_busy
    bint* packets_busy
    const uint8_t* bytes
    int64_t size
    bint is_decoded
    Py_buffer view  # of a batch that Python has put here


cdef class Pile:
    """The batches of one chunk, in tables that are used for one chunk after the other."""

    cdef load_t* loads
    cdef list tables  # (Frames, Packets) of each load
    cdef list buffers  # of each batch, None where it was taken by a belt
    cdef Py_ssize_t made, height, viewed
    cdef Py_ssize_t at  # the first batch that is not followed to its end
    cdef uint32_t followed  # packets of that batch
    cdef uint8_t* across  # a frame that began in the chunk before
    cdef object chunk
    cdef bint is_busy

    def __cinit__(self):
        self.tables, self.buffers = [], []
        self.across = <uint8_t*> malloc(ACROSS_ROOM)
        if self.across == NULL:
            raise MemoryError

    def __dealloc__(self):
        self.release_views()
        free(self.loads)
        free(self.across)

    def __len__(self):
        return self.height

    def add(self, buffer, frames):
        """Take a batch over from the walk, which goes on with other memory."""
        cdef load_t* load
        self.refuse_if_busy()
        self.make_room()
        load = &self.loads[self.height]
        PyObject_GetBuffer(buffer, &load.view, PyBUF_SIMPLE)
        self.viewed += 1
        frames.hand_over(self.tables[self.height][0])
        load.bytes, load.size, load.is_decoded = <const uint8_t*> load.view.buf, load.view.len, False
        self.buffers.append(buffer)
        self.height += 1

    def decode(self):
        self.refuse_if_busy()
        self.mark(True)
        with nogil:
            self.decode_all()
        self.mark(False)
        self.refuse_if_out_of_memory()

    def left(self):
        """Of each batch not followed to its end: buffer, frames, packets, and how many of these are done with."""
        cdef Py_ssize_t i
        self.refuse_if_busy()
        return [
            (self.buffer_of(i), *self.tables[i], self.followed if i == self.at else 0)
            for i in range(self.at, self.height)
        ]

    def clear(self):
        self.refuse_if_busy()
        self.release_views()
        self.buffers.clear()
        self.height = self.at = self.followed = 0
        self.chunk = None

    cdef object buffer_of(self, Py_ssize_t i):
        if i < len(self.buffers):
            return self.buffers[i]
        if self.loads[i].bytes == self.across:
            return self.across[: self.loads[i].size]
        return self.chunk

    cdef int refuse_if_busy(self) except -1:
        if self.is_busy:
            raise RuntimeError("the pile is on the belt")
        return 0

    cdef int refuse_if_out_of_memory(self) except -1:
        cdef Py_ssize_t i
        for i in range(self.height):
            (<Packets> self.tables[i][1]).end_change()
            if not self.loads[i].is_decoded:
                raise MemoryError
        return 0

    cdef int make_room(self) except -1:
        cdef Frames frames
        cdef Packets packets
        cdef load_t* load
        cdef void* grown
        if self.height < self.made:
            return 0
        grown = realloc(self.loads, <size_t> (self.made + 1) * sizeof(load_t))
        if grown == NULL:
            raise MemoryError
        self.loads = <load_t*> grown
        frames, packets, load = Frames(), Packets(), &self.loads[self.made]
        load.frames, load.count, load.capacity = &frames.rows, &frames.count, &frames.capacity
        load.packets = &packets.batch
        load.frames_busy, load.packets_busy = &frames.is_busy, &packets.is_busy
        self.tables.append((frames, packets))
        self.made += 1
        return 0

    cdef void release_views(self):
        cdef Py_ssize_t i
        for i in range(self.viewed):
            PyBuffer_Release(&self.loads[i].view)
        self.viewed = 0

    cdef void mark(self, bint is_busy) noexcept nogil:
        """Nobody else may touch the tables while there is no interpreter lock."""
        cdef Py_ssize_t i
        self.is_busy = is_busy
        for i in range(self.made):
            self.loads[i].frames_busy[0] = self.loads[i].packets_busy[0] = is_busy

    cdef void decode_all(self) noexcept nogil:
        cdef Py_ssize_t i
        for i in range(self.height):
            decode_load(&self.loads[i])


cdef void decode_load(load_t* load) noexcept nogil:
    """Left as it is where there is no memory for its rows."""
    load.packets.count = load.packets.message_count = 0
    memset(load.packets.counts, 0, sizeof(load.packets.counts))
    load.is_decoded = reserve(load.packets, load.count[0])
    if load.is_decoded:
        decode_batch(load.bytes, load.size, load.frames[0], <uint32_t> load.count[0], load.packets)


cdef inline bint leaves_nothing(const batch_t* batch) noexcept nogil:
    """Nothing in it is left to Python, and nothing is counted by reason."""
    return batch.counts[TCP_SEGMENT] + batch.counts[NOT_TCP] + batch.counts[NOT_IP] == batch.count


# --- the belt ------------------------------------------------------------------------------

cdef struct ground_t:  # what a walk goes by
    bint is_pcapng
    layout_t layout
    section_t section


cdef walked_t walk_load(
    const ground_t* ground, const uint8_t* bytes, int64_t start, int64_t end, load_t* load, totals_t* seen
) noexcept nogil:
    load.bytes, load.size, load.is_decoded, load.count[0] = bytes, end, False, 0
    if ground.is_pcapng:
        return pcapng_blocks(
            bytes, start, end, &ground.section, load.frames[0], load.count, load.capacity[0], seen
        )
    return pcap_records(bytes, start, end, ground.layout, load.frames[0], load.count, load.capacity[0], seen)


cdef class Belt:
    """Chunk by chunk through the turns of several hands."""

    cdef readonly int hands
    cdef readonly Turns collecting, following
    cdef int is_given_up
    cdef int64_t taken
    cdef readonly int64_t segments  # of batches that Python did not see
    # What the reader lent: see `lend`.
    cdef Frames frames
    cdef Interfaces interfaces
    cdef ground_t ground
    cdef bint is_lent
    cdef uint8_t* rest  # of the chunk before: the beginning of a record
    cdef int64_t rest_len, wanted, passed
    # Who follows, where Python has not to be there.
    cdef Tracker tracker

    def __cinit__(self, int hands, bint is_looking=False):
        self.hands = hands
        self.collecting, self.following = Turns(hands, is_looking), Turns(hands, is_looking)
        self.rest = <uint8_t*> malloc(ACROSS_ROOM)
        if self.rest == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.rest)

    @property
    def chunks_taken(self):
        """By the belt or by hand, in the turn of collecting."""
        return self.taken

    def count_chunk(self):
        self.taken += 1

    def give_up(self):
        set_to(self.is_given_up, 1)

    # --- what the reader lends, in the turn of collecting ----------------------------------

    def lend_pcap(self, rest, int64_t wanted, Frames frames not None, layout):
        """`rest` is the beginning of a record of which `wanted` bytes are needed next."""
        cdef layout_t* as_laid_out = &self.ground.layout
        big_endian, header_len, tick_ns, lengths, link_type = layout
        as_laid_out.big_endian, as_laid_out.header_len, as_laid_out.tick_ns = big_endian, header_len, tick_ns
        as_laid_out.lengths, as_laid_out.link_type = lengths, link_type
        if as_laid_out.header_len < RECORD_HEADER_LEN:
            raise ValueError("a record header has at least 16 bytes")
        self.ground.is_pcapng = False
        self.lend(rest, wanted, frames)

    def lend_pcapng(
        self, rest, int64_t wanted, Frames frames not None, bint big_endian, Interfaces interfaces not None
    ):
        cdef section_t* section = &self.ground.section
        section.big_endian, section.shows_all = big_endian, interfaces.shows_all
        section.interfaces = interfaces.rows + interfaces.first
        section.interface_count = interfaces.count - interfaces.first
        section.first_interface = interfaces.first
        self.interfaces = interfaces
        self.ground.is_pcapng = True
        self.lend(rest, wanted, frames)

    def follow_with(self, tracker):
        """In the turn of following; None where Python has to see every batch."""
        self.tracker = tracker

    def take_back(self):
        """What is left of the last chunk, how much of a record is wanted, and how many bytes went by meanwhile."""
        taken_back = self.rest[: self.rest_len], self.wanted, self.passed
        self.is_lent, self.passed = False, 0
        return taken_back

    cdef int lend(self, rest, int64_t wanted, Frames frames) except -1:
        cdef Py_buffer view
        PyObject_GetBuffer(rest, &view, PyBUF_SIMPLE)
        self.is_lent = view.len <= ACROSS_ROOM and (
            not self.ground.is_pcapng or self.ground.section.interface_count <= MOST_NAMED
        )
        if self.is_lent:
            memcpy(self.rest, view.buf, <size_t> view.len)
            self.rest_len, self.wanted, self.passed = view.len, wanted, 0
            self.frames = frames
        PyBuffer_Release(&view)
        return 0

    # --- one chunk -------------------------------------------------------------------------

    def carry(self, int index, int64_t number, chunk, Pile pile not None):
        """Chunk `number`, as far as it goes by itself: the stage in whose turn the caller has to go on, or DONE.

        `chunk` is empty where it is not as long as all others, or cannot be had.
        """
        cdef Py_buffer view
        cdef int stage
        self.collecting.check(index)
        pile.refuse_if_busy()
        PyObject_GetBuffer(chunk, &view, PyBUF_SIMPLE)
        pile.chunk = chunk
        pile.mark(True)
        try:
            with nogil:
                self.collecting.wait(index)
                stage = STAGE_COLLECTING
                if self.takes(number) and self.sweep(pile, <const uint8_t*> view.buf, view.len):
                    stage = self.go_on(index, pile)
        finally:
            pile.mark(False)
            PyBuffer_Release(&view)
        return self.ended(stage, pile)

    def carry_on(self, int index, Pile pile not None):
        """What `carry` does behind the turn of collecting, with a pile that the caller has collected."""
        cdef int stage
        self.collecting.check(index)
        pile.refuse_if_busy()
        pile.mark(True)
        try:
            with nogil:
                stage = self.go_on(index, pile)
        finally:
            pile.mark(False)
        return self.ended(stage, pile)

    cdef int ended(self, int stage, Pile pile) except -1:
        if stage != STAGE_COLLECTING:
            pile.refuse_if_out_of_memory()
        if stage == STAGE_DONE:
            pile.clear()
        return stage

    cdef int go_on(self, int index, Pile pile) except -1 nogil:
        self.collecting.give_next(index)
        pile.decode_all()
        self.following.wait(index)
        if look(self.is_given_up) or not self.follow(pile):
            return STAGE_FOLLOWING
        self.following.give_next(index)
        return STAGE_DONE

    cdef bint takes(self, int64_t number) noexcept nogil:
        return self.is_lent and number == self.taken and not look(self.is_given_up)

    cdef bint sweep(self, Pile pile, const uint8_t* chunk, int64_t size) noexcept nogil:
        """All frames of a chunk onto the pile; where there is anything else in it, all is as it was."""
        cdef int64_t dropped[MOST_NAMED]
        cdef totals_t seen = self.frames.seen
        cdef walked_t walked
        cdef int64_t i
        cdef int64_t named = self.ground.section.interface_count if self.ground.is_pcapng else 0
        for i in range(named):
            dropped[i] = self.ground.section.interfaces[i].dropped
        if size > 0 and self.walk(pile, chunk, size, &walked, &seen) and is_as_usual(&self.frames.seen, &seen):
            self.frames.seen = seen
            self.keep(chunk, size, &walked)
            return True
        for i in range(named):
            self.ground.section.interfaces[i].dropped = dropped[i]
        pile.height = 0
        return False

    cdef void keep(self, const uint8_t* chunk, int64_t size, const walked_t* walked) noexcept nogil:
        """What the chunk ends in, for the next one."""
        self.rest_len, self.wanted = size - walked.position, walked.value
        memcpy(self.rest, chunk + walked.position, <size_t> self.rest_len)
        self.taken += 1
        self.passed += size

    cdef bint walk(
        self, Pile pile, const uint8_t* chunk, int64_t size, walked_t* walked, totals_t* seen
    ) noexcept nogil:
        walked.position = 0
        if self.rest_len > 0 and not self.walk_across(pile, chunk, size, &walked.position, seen):
            return False
        walked.stop = STOP_FULL
        while walked.stop == STOP_FULL:
            if pile.height == pile.made:
                return False
            walked[0] = walk_load(&self.ground, chunk, walked.position, size, &pile.loads[pile.height], seen)
            pile.height += pile.loads[pile.height].count[0] > 0
        return walked.stop == STOP_MORE and size - walked.position <= ACROSS_ROOM

    cdef bint walk_across(
        self, Pile pile, const uint8_t* chunk, int64_t size, int64_t* position, totals_t* seen
    ) noexcept nogil:
        """The record that the last chunk ends in, by itself: as much of it is put together as each walk asks for."""
        cdef int64_t have = self.rest_len
        cdef int64_t wanted = self.wanted
        cdef walked_t walked
        if pile.made == 0:
            return False
        memcpy(pile.across, self.rest, <size_t> have)
        walked.position = 0
        while walked.position < have:
            if wanted <= have or wanted > ACROSS_ROOM or wanted - have > size - position[0]:
                return False
            memcpy(pile.across + have, chunk + position[0], <size_t> (wanted - have))
            position[0] += wanted - have
            have = wanted
            walked = walk_load(&self.ground, pile.across, 0, have, &pile.loads[0], seen)
            if walked.stop != STOP_MORE or 0 < walked.position < have:
                return False
            wanted = walked.value
        pile.height = pile.loads[0].count[0] > 0
        return True

    cdef bint follow(self, Pile pile) noexcept nogil:
        """From where the pile stands on; False where Python has to see the batch there."""
        cdef bint is_done = True
        if self.tracker is None or self.tracker.is_busy:
            return pile.height == 0
        self.tracker.forget_order()
        self.tracker.is_busy = True
        while is_done and pile.at < pile.height:
            is_done = self.follow_load(pile, &pile.loads[pile.at])
            pile.at += is_done
        self.tracker.is_busy = False
        return is_done

    cdef bint follow_load(self, Pile pile, const load_t* load) noexcept nogil:
        """False where it is not followed to its end."""
        cdef tracker_t* tracker = &self.tracker.tracker
        if load.packets.out_of_memory or not load.is_decoded or not leaves_nothing(load.packets):
            return False
        follow_batch(tracker, load.packets, 0)
        if tracker.waits or tracker.out_of_memory:
            pile.followed = tracker.waits_before if tracker.waits else 0
            return False
        self.segments += load.packets.counts[TCP_SEGMENT]
        return True


cdef inline bint is_as_usual(const totals_t* before, const totals_t* after) noexcept nogil:
    """No frame is to be put in its place, and none has a comment to be read."""
    return after.out_of_order == before.out_of_order and after.commented == before.commented
