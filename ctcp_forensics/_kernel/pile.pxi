# Pile: the batches of one chunk.  The compiled twin of the one in plain_belt.py.
#
# A pile is one hand's.  Its tables are made by Python, batch by batch, where a chunk needs more than any before it.
# The first ones hold a full batch and are kept.  Where blocks that are no packets stand between frames, a chunk has very many
# batches of very few: those behind the first have tables no longer than they are, for that chunk only.

cdef enum:
    ACROSS_ROOM = 266_240  # LONGEST_FRAME with any header, and with a few options
    FULL_TABLES = 18  # 1 MiB holds records of 16 bytes for 16 full batches, one begun, and the one across


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
    cdef Py_ssize_t room, made, height, viewed
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
        self.make_room(len(frames))
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
        del self.tables[FULL_TABLES:]
        self.made = min(self.made, FULL_TABLES)
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

    cdef int make_room(self, Py_ssize_t count) except -1:
        """For one more batch, of so many frames."""
        cdef Frames frames
        cdef Packets packets
        cdef load_t* load
        if self.height < self.made:
            return 0
        if self.made == self.room:
            self.make_loads(max(FULL_TABLES, 2 * self.room))
        frames, packets = Frames(BATCH_LEN if self.made < FULL_TABLES else max(count, 1)), Packets()
        load = &self.loads[self.made]
        load.frames, load.count, load.capacity = &frames.rows, &frames.count, &frames.capacity
        load.packets = &packets.batch
        load.frames_busy, load.packets_busy = &frames.is_busy, &packets.is_busy
        self.tables.append((frames, packets))
        self.made += 1
        return 0

    cdef int make_loads(self, Py_ssize_t room) except -1:
        cdef void* grown = realloc(self.loads, <size_t> room * sizeof(load_t))
        if grown == NULL:
            raise MemoryError
        self.loads, self.room = <load_t*> grown, room
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
    cdef uint32_t count = <uint32_t> load.count[0]
    load.packets.count = load.packets.message_count = 0
    memset(load.packets.counts, 0, sizeof(load.packets.counts))
    load.is_decoded = reserve(load.packets, load.count[0])
    if load.is_decoded:
        decode_frames(load.bytes, load.size, load.frames[0], count, load.packets.rows, load.packets)
        load.packets.count = count


cdef inline bint leaves_nothing(const batch_t* batch) noexcept nogil:
    """Nothing in it is left to Python, and nothing is counted by reason."""
    return batch.counts[TCP_SEGMENT] + batch.counts[NOT_TCP] + batch.counts[NOT_IP] == batch.count
