# Packets → the numbers of those that go between given ends: the compiled twin of plain_pick.

cdef enum:
    FIRST_PICKED = 8

cdef inline bint same_ends(const packet_t* one, const packet_t* other) noexcept nogil:
    """In either direction."""
    cdef size_t length = one.address_len
    if one.address_len != other.address_len:
        return False
    if one.sport == other.sport and one.dport == other.dport:
        if memcmp(one.src, other.src, length) == 0 and memcmp(one.dst, other.dst, length) == 0:
            return True
    return (
        one.sport == other.dport
        and one.dport == other.sport
        and memcmp(one.src, other.dst, length) == 0
        and memcmp(one.dst, other.src, length) == 0
    )


cdef class Picker:
    """Pairs of ends, numbered from 0 as they are first wanted."""

    cdef packet_t* pairs
    cdef uint32_t* slots  # the number of a pair and one, by its hash; at most half of them are taken
    cdef uint32_t count, room, mask

    def __dealloc__(self):
        free(self.pairs)
        free(self.slots)

    def want(self, bytes src, uint16_t sport, bytes dst, uint16_t dport):
        """The number of a pair of ends, whichever is named first."""
        cdef packet_t p
        cdef uint32_t at
        if len(src) != len(dst) or len(src) not in (4, 16):
            raise ValueError("addresses are of 4 or of 16 bytes, both alike")
        memset(&p, 0, sizeof(p))
        p.address_len, p.sport, p.dport = <uint8_t> len(src), sport, dport
        memcpy(p.src, <const uint8_t*> src, len(src))
        memcpy(p.dst, <const uint8_t*> dst, len(dst))
        note_ends(&p)
        self.make_room()
        at = self.slot_of(&p)
        if self.slots[at] == 0:
            self.pairs[self.count] = p
            self.count += 1
            self.slots[at] = self.count
        return self.slots[at] - 1

    def picked(self, Packets packets not None):
        """Frame and number of the pair, for each TCP segment between wanted ends, in the order of the batch."""
        cdef uint32_t i, slot
        cdef packet_t* p
        cdef list found = []
        packets.refuse_if_busy()
        if self.count == 0:
            return found
        for i in range(packets.batch.count):
            p = &packets.batch.rows[i]
            if p.status != TCP_SEGMENT:
                continue
            slot = self.slots[self.slot_of(p)]
            if slot:
                found.append((p.frame, slot - 1))
        return found

    cdef uint32_t slot_of(self, const packet_t* p) noexcept nogil:
        """Where a pair is, or would be."""
        cdef uint32_t at = p.flow_hash & self.mask
        while self.slots[at] != 0 and not same_ends(&self.pairs[self.slots[at] - 1], p):
            at = (at + 1) & self.mask
        return at

    cdef int make_room(self) except -1:
        """For one pair more, with twice as many slots as pairs."""
        cdef uint32_t room = 2 * self.room if self.room else FIRST_PICKED
        cdef uint32_t i
        cdef void* grown
        if self.count < self.room:
            return 0
        if room > 0x3FFFFFFF:
            raise MemoryError
        grown = realloc(self.pairs, <size_t> room * sizeof(packet_t))
        if grown == NULL:
            raise MemoryError
        self.pairs = <packet_t*> grown
        grown = calloc(2 * <size_t> room, sizeof(uint32_t))
        if grown == NULL:
            raise MemoryError
        free(self.slots)
        self.slots, self.room, self.mask = <uint32_t*> grown, room, 2 * room - 1
        for i in range(self.count):
            self.slots[self.slot_of(&self.pairs[i])] = i + 1
        return 0
