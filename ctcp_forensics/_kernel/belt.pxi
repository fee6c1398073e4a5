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

cdef enum:
    STAGE_DONE = 0  # layouts.Stage
    STAGE_COLLECTING = 1
    STAGE_FOLLOWING = 2

    MOST_NAMED = 64  # interfaces whose counts are put back where a chunk is not taken; with more, none is


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
    """Chunk by chunk through the turns of several hands.

    `collectors` are those whose order is fixed; where there is one, whoever is free has that turn.
    """

    cdef readonly int hands
    cdef readonly Turns collecting, following
    cdef int is_given_up
    cdef bint is_ended
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

    def __cinit__(self, int hands, bint is_looking=False, *, collectors=None):
        self.hands = hands
        self.collecting = Turns(hands if collectors is None else collectors, is_looking)
        self.following = Turns(hands, is_looking)
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

    def end(self):
        self.is_ended = True

    def give_up(self):
        set_to(self.is_given_up, 1)

    # --- what the reader lends, in the turn of collecting ----------------------------------

    def lend_pcap(self, rest, int64_t wanted, Frames frames not None, layout):
        """`rest` is the beginning of a record of which `wanted` bytes are needed next."""
        take_layout(layout, &self.ground.layout)
        self.ground.is_pcapng = False
        self.lend(rest, wanted, frames)

    def lend_pcapng(
        self, rest, int64_t wanted, Frames frames not None, bint big_endian, Interfaces interfaces not None
    ):
        take_section(big_endian, interfaces, &self.ground.section)
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
                stage = self.take(index, number, pile, <const uint8_t*> view.buf, view.len)
        finally:
            pile.mark(False)
            PyBuffer_Release(&view)
        return self.ended(stage, pile)

    def carry_next(self, int index, chunk, Pile pile not None):
        """The same for the chunk behind those that were taken, by who has the turn of collecting already."""
        cdef Py_buffer view
        cdef int stage
        self.following.check(index)
        pile.refuse_if_busy()
        PyObject_GetBuffer(chunk, &view, PyBUF_SIMPLE)
        pile.chunk = chunk
        pile.mark(True)
        try:
            with nogil:
                stage = self.take(index, self.taken, pile, <const uint8_t*> view.buf, view.len)
        finally:
            pile.mark(False)
            PyBuffer_Release(&view)
        return self.ended(stage, pile)

    def carry_on(self, int index, Pile pile not None):
        """What `carry` does behind the turn of collecting, with a pile that the caller has collected."""
        cdef int stage
        self.following.check(index)
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

    cdef int take(
        self, int index, int64_t number, Pile pile, const uint8_t* chunk, int64_t size
    ) except -1 nogil:
        """In the turn of collecting."""
        if self.takes(number) and self.sweep(pile, chunk, size):
            return self.go_on(index, pile)
        return STAGE_COLLECTING

    cdef int go_on(self, int index, Pile pile) except -1 nogil:
        self.collecting.give_next(index)
        pile.decode_all()
        self.following.wait(index)
        if look(self.is_given_up) or not self.follow(pile):
            return STAGE_FOLLOWING
        self.following.give_next(index)
        return STAGE_DONE

    cdef bint takes(self, int64_t number) noexcept nogil:
        return self.is_lent and not self.is_ended and number == self.taken and not look(self.is_given_up)

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
        self.taken, self.passed = self.taken + 1, self.passed + size

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
            pile.height = pile.height + (pile.loads[pile.height].count[0] > 0)
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
            pile.at = pile.at + is_done
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
        self.segments = self.segments + load.packets.counts[TCP_SEGMENT]
        return True


cdef inline bint is_as_usual(const totals_t* before, const totals_t* after) noexcept nogil:
    """No frame is to be put in its place, and none has a comment to be read."""
    return after.out_of_order == before.out_of_order and after.commented == before.commented
