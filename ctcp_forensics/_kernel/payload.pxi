# The payload of a segment: trailers and the messages before them, what is asked of every byte, fingerprints, and
# applications named by their first bytes.  The compiled twin of plain_decode.py, like decode.pxi, which says what a
# row is; every read is behind a comparison with `size`, which is the captured length.

# --- trailers and messages ---------------------------------------------------------------------

cdef inline void take_payload(const uint8_t* payload, int64_t size, packet_t* p) noexcept nogil:
    p.captured_payload_len = <uint32_t> size
    p.signature = signature_of(payload, size, p.payload_len)
    p.trailer = trailer_of(payload, size, p.payload_len)
    if size >= 8:
        p.head[0] = word32(payload)
        p.head[1] = word32(payload + 4)


cdef inline void note_print(const uint8_t* payload, int64_t size, packet_t* p) noexcept nogil:
    p.print64 = print_of(payload, size)
    p.mark ^= p.print64


cdef inline bint ends_in_half_a_trailer(const uint8_t* payload, int64_t size, uint32_t payload_len) noexcept nogil:
    """Half of one or more, and captured up to there."""
    cdef const uint8_t* last = payload + size - TRAILER_LEN
    return size == payload_len and size > SHORTEST_MESSAGE and (word32(last) == 0 or word32(last + 8) == COOKIE)


cdef inline int trailer_of(const uint8_t* payload, int64_t size, uint32_t payload_len) noexcept nogil:
    cdef const uint8_t* last
    if payload_len <= SHORTEST_MESSAGE:
        return TRAILER_ABSENT
    if size < payload_len:
        return TRAILER_CUT_OFF
    last = payload + size - TRAILER_LEN
    if likely(word32(last) != 0) or last[6] & 0x0F or last[7]:
        return TRAILER_ABSENT
    if is_cisco_trailer(last):
        return TRAILER_CISCO
    return TRAILER_WEAK if last[13] == KIND_IKE or last[13] == KIND_ESP else TRAILER_ABSENT


cdef inline bint is_cisco_trailer(const uint8_t* last) noexcept nogil:
    return (
        word32(last) == 0
        and not last[6] & 0x0F
        and not last[7]
        and word32(last + 8) == COOKIE
        and last[12] == 0x10
        and (last[13] == KIND_IKE or last[13] == KIND_ESP or last[13] == KIND_AH)
        and word16(last + 14) == 0x0100
    )


cdef uint64_t magic_of(const uint8_t* last) noexcept nogil:
    return (
        <uint64_t> last[8] << 48 | <uint64_t> word32(last + 9) << 16 | word16(last + 14)
    )


cdef void look_inside(
    const uint8_t* segment, int64_t size, int64_t start, packet_t* p, batch_t* batch
) noexcept nogil:
    """The messages, and whether the segment came undamaged.  It was captured whole; its payload begins at `start`."""
    cdef uint64_t total
    cdef bint may_be_more = sum_and_search(segment, start, size, &total)
    if p.trailer >= TRAILER_WEAK:
        take_messages(segment + start, size - start, may_be_more, p, batch)
    if p.message_count <= 1:
        p.checksum = <uint8_t> checksum_of(segment, size, total, p)


cdef inline void take_messages(
    const uint8_t* payload, int64_t size, bint may_be_more, packet_t* p, batch_t* batch
) noexcept nogil:
    p.first_message = batch.message_count
    if p.trailer == TRAILER_WEAK:
        extra_of(p, batch).magic = magic_of(payload + size - TRAILER_LEN)
    elif unlikely(may_be_more):
        split_on_trailers(payload, size, p, batch)
        return
    add_message(payload, 0, size, p, batch)


cdef void split_on_trailers(const uint8_t* payload, int64_t size, packet_t* p, batch_t* batch) noexcept nogil:
    cdef int64_t start = 0
    cdef int64_t at = trailer_from(payload, size, 0)
    while at >= 0:
        if p.message_count == MAX_MESSAGES_PER_SEGMENT:
            p.unsplit = 1
            return
        if at + TRAILER_LEN - start > SHORTEST_MESSAGE:
            add_message(payload, start, at + TRAILER_LEN, p, batch)
            start = at + TRAILER_LEN
        at = trailer_from(payload, size, at + 1)


@cython.overflowcheck(False)  # it takes a difference of addresses for one of numbers
cdef int64_t trailer_from(const uint8_t* payload, int64_t size, int64_t at) noexcept nogil:
    """The first trailer that begins at `at` or later, by the cookie's first byte; -1 where there is none."""
    cdef const uint8_t* cookie
    while at + TRAILER_LEN <= size:
        cookie = <const uint8_t*> memchr(payload + at + 8, 0x21, <size_t> (size - at - TRAILER_LEN + 1))
        if cookie == NULL:
            return -1
        if is_cisco_trailer(cookie - 8):
            return cookie - 8 - payload
        at = cookie - 8 - payload + 1
    return -1


cdef void add_message(
    const uint8_t* payload, int64_t start, int64_t end, packet_t* p, batch_t* batch
) noexcept nogil:
    cdef const uint8_t* body = payload + start
    cdef int64_t size = end - start - TRAILER_LEN
    cdef message_t* m = new_message(batch)
    if m == NULL:
        return
    p.message_count += 1
    m.kind = payload[end - 3]
    m.offset = <uint32_t> start
    m.length = <uint32_t> (end - start)
    m.print64 = print_of(body, size)
    if m.kind == KIND_IKE:
        take_ike(body, size, m)
    elif size >= 8:
        m.spi = word32(body)
        m.esp_seq = word32(body + 4)


cdef void take_ike(const uint8_t* body, int64_t size, message_t* m) noexcept nogil:
    if size < 8 + 28:
        return
    m.spi = word32(body + 8)
    m.esp_seq = word32(body + 28)
    m.exchange = body[26]
    m.from_initiator = all_zero(body + 16, 8)


cdef message_t* new_message(batch_t* batch) noexcept nogil:
    cdef message_t* m
    if batch.message_count == batch.message_capacity and not grow_messages(batch):
        return NULL
    m = &batch.messages[batch.message_count]
    batch.message_count += 1
    memset(m, 0, sizeof(message_t))
    return m


cdef bint grow_messages(batch_t* batch) noexcept nogil:
    cdef uint32_t capacity = batch.message_capacity * 2 if batch.message_capacity else 256
    cdef void* grown = realloc(batch.messages, <size_t> capacity * sizeof(message_t))
    if grown == NULL:
        batch.out_of_memory = True
        return False
    batch.messages = <message_t*> grown
    batch.message_capacity = capacity
    return True


# --- what is asked of each byte of a segment --------------------------------------------------

cdef bint sum_and_search(const uint8_t* segment, int64_t start, int64_t size, uint64_t* total) noexcept nogil:
    """Adds up the segment's 16-bit words, and says whether a trailer may stand in its payload before the last one.

    One look at each byte for both.  A trailer begins with four zeros, so that wherever it lies one word is zero.  No
    message is so short that its trailer begins in the first eight bytes, where a sequence number is often below 65,536.
    """
    cdef int64_t behind = (size - TRAILER_LEN) & ~1
    cdef int64_t at = min(start + 8, behind)
    cdef int64_t piece
    cdef bint has_zero = False
    total[0] = sum_of(segment, at) + sum_of(segment + behind, TRAILER_LEN + (size & 1))
    while at < behind:
        piece = min(behind - at, MOST_SUMMED)
        has_zero |= sum_piece(segment + at, piece // 2, total)
        at += piece
    return has_zero


cdef inline bint sum_piece(const uint8_t* data, int64_t words, uint64_t* total) noexcept nogil:
    """Whether a word is zero.  Read with its highest bit turned and as a signed number a word is 32,768 less than it was,
    and for these the machine can multiply and add pairs at once, and find the least, in one instruction each.
    """
    cdef int32_t twice = 0
    cdef int16_t least = 0x7FFF
    cdef int16_t lowered
    cdef uint16_t word
    cdef int64_t i
    for i in range(words):
        memcpy(&word, data + 2 * i, 2)
        lowered = <int16_t> (word ^ 0x8000)
        twice += <int32_t> lowered * 2
        least = min(least, lowered)
    total[0] += <uint64_t> ((twice + words * 0x10000) // 2)
    return least == -0x8000


cdef inline uint64_t sum_of(const uint8_t* data, int64_t size) noexcept nogil:
    """Of the 16-bit words, in wider ones (RFC 1071 §2 C), to be folded."""
    cdef uint64_t total = 0
    cdef uint32_t word
    cdef int64_t i
    for i in range(size // 4):
        memcpy(&word, data + 4 * i, 4)
        total += word
    word = 0
    memcpy(&word, data + size // 4 * 4, <size_t> (size % 4))
    return total + word


cdef inline int checksum_of(const uint8_t* segment, int64_t size, uint64_t total, const packet_t* p) noexcept nogil:
    """RFC 9293 §3.1, of a segment whose words add up to `total` in the machine's byte order (RFC 1071 §2 B)."""
    cdef uint64_t pseudo_header = <uint64_t> size + PROTOCOL_TCP
    cdef int i
    for i in range(p.address_len >> 2):
        pseudo_header += <uint64_t> word32(p.src + 4 * i) + word32(p.dst + 4 * i)
    if word16(segment + 16) == folded(pseudo_header):
        return CHECKSUM_UNVERIFIED
    return CHECKSUM_RIGHT if folded(pseudo_header + as_sent(folded(total))) == 0xFFFF else CHECKSUM_WRONG


cdef inline uint32_t folded(uint64_t total) noexcept nogil:
    """Of less than 2^40."""
    cdef int i
    for i in range(3):
        total = (total >> 16) + (total & 0xFFFF)
    return <uint32_t> total


cdef inline uint32_t as_sent(uint32_t word) noexcept nogil:
    """From the machine's byte order."""
    cdef uint16_t narrow = <uint16_t> word
    cdef uint8_t sent[2]
    memcpy(sent, &narrow, 2)
    return word16(sent)


# --- fingerprints and hashes -----------------------------------------------------------------

@cython.overflowcheck(False)
cdef inline uint64_t stir(uint64_t print64, uint64_t word) noexcept nogil:
    print64 = (print64 ^ word) * PRINT_MULTIPLIER
    return print64 ^ print64 >> 32


cdef inline uint64_t print_words(uint64_t print64, const uint8_t* words, int64_t count) noexcept nogil:
    cdef int64_t i
    for i in range(count):
        print64 = stir(print64, little64(words + 8 * i))
    return print64


cdef inline uint64_t print_of(const uint8_t* data, int64_t size) noexcept nogil:
    cdef uint64_t print64 = <uint64_t> size
    cdef int rest = size & 7
    if size >= PRINTED_HEAD + PRINTED_TAIL:
        print64 = print_words(print64, data, PRINTED_HEAD // 8)
        return print_words(print64, data + size - PRINTED_TAIL, PRINTED_TAIL // 8)
    print64 = print_words(print64, data, size >> 3)
    if rest == 0:
        return print64
    if size >= 8:
        return stir(print64, little64(data + size - 8) >> 8 * (8 - rest))
    return stir(print64, few_bytes(data, rest))


cdef inline uint64_t few_bytes(const uint8_t* data, int count) noexcept nogil:
    cdef uint64_t word = 0
    cdef int i
    for i in range(count):
        word |= <uint64_t> data[i] << 8 * i
    return word


@cython.overflowcheck(False)
cdef inline uint64_t mix(uint64_t word) noexcept nogil:
    word = (word ^ HASH_KEY) * HASH_MULTIPLIER
    word = (word ^ word >> 32) * PRINT_MULTIPLIER
    return word ^ word >> 29


@cython.overflowcheck(False)
cdef inline uint64_t strew(uint64_t word) noexcept nogil:
    word = (word ^ HASH_KEY) * HASH_MULTIPLIER
    return word ^ word >> 32


@cython.overflowcheck(False)
cdef inline uint64_t word_of(const uint8_t* address, int address_len) noexcept nogil:
    """An address, to which a port is added: whole for IPv4, hashed for IPv6."""
    if likely(address_len == 4):
        return <uint64_t> word32(address) << 16
    return mix(mix(little64(address)) + little64(address + 8))


@cython.overflowcheck(False)
cdef inline void note_flow(packet_t* p, uint64_t src, uint64_t dst) noexcept nogil:
    """The flow's hash, from the sum of its ends' hashes: the same in both directions."""
    src += p.sport
    dst += p.dport
    p.from_lower_end = src <= dst
    p.flow_hash = <uint32_t> ((strew(src) + strew(dst)) * PRINT_MULTIPLIER >> 32)


cdef inline void note_ends(packet_t* p) noexcept nogil:
    note_flow(p, word_of(p.src, p.address_len), word_of(p.dst, p.address_len))


@cython.overflowcheck(False)
cdef inline uint64_t mark_of(const packet_t* p) noexcept nogil:
    """All that plain_track.is_copy compares, in 64 bits under a secret key, to be strewn once more (`mark_after`).

    The print of a payload is added to it (exclusive or) where it is known.
    """
    cdef uint64_t mark = strew(<uint64_t> p.seq << 32 | p.ack)
    # -1, where there is no ID, and 0xFFFF end in the same 16 bits: one bit of the sign tells them apart.
    cdef uint64_t ip_id = <uint64_t> p.ip_id & (<uint64_t> 1 << 57 | 0xFFFF)
    mark = stir(mark, (<uint64_t> p.payload_len << 32 | <uint64_t> p.window << 16) ^ ip_id)
    return mark ^ <uint64_t> p.flags << 58


# --- applications named by their first bytes --------------------------------------------------

cdef inline int signature_of(const uint8_t* payload, int64_t size, uint32_t payload_len) noexcept nogil:
    cdef uint32_t start
    cdef int named = SIGNATURE_NONE
    if size < 6:
        return SIGNATURE_NONE
    start = word32(payload)
    if 0x14 <= payload[0] <= 0x17 and payload[1] == 3 and payload[2] <= 4:
        return SIGNATURE_TLS
    if 0x43 <= payload[0] <= 0x53:  # from C to S
        named = signature_in_letters(payload, start)
    if named != SIGNATURE_NONE:
        return named
    if start >> 16 == payload_len and word32(payload + 2) == 0:
        return SIGNATURE_RFC8229_LENGTH
    if is_raw_ike(payload, size, payload_len):
        return SIGNATURE_RAW_IKE
    return SIGNATURE_NDMP if is_ndmp(payload, size, start) else SIGNATURE_NONE


cdef int signature_in_letters(const uint8_t* payload, uint32_t start) noexcept nogil:
    if is_http(start):
        return SIGNATURE_HTTP
    if start == 0x5353482D:  # "SSH-"
        return SIGNATURE_SSH
    if start == 0x494B4554 and word16(payload + 4) == 0x4350:  # "IKETCP"
        return SIGNATURE_IKETCP
    return SIGNATURE_NONE


cdef inline bint is_http(uint32_t start) noexcept nogil:
    return (
        start == 0x47455420  # "GET "
        or start == 0x504F5354  # "POST"
        or start == 0x48454144  # "HEAD"
        or start == 0x50555420  # "PUT "
        or start == 0x48545450  # "HTTP"
        or start == 0x4F505449  # "OPTI"
        or start == 0x434F4E4E  # "CONN"
        or start == 0x44454C45  # "DELE"
        or start == 0x50415443  # "PATC"
    )


cdef inline bint is_raw_ike(const uint8_t* payload, int64_t size, uint32_t payload_len) noexcept nogil:
    if size < 28 or (payload[17] != 0x10 and payload[17] != 0x20):
        return False
    if not (1 <= payload[18] <= 6 or 32 <= payload[18] <= 43):
        return False
    return word32(payload + 24) == payload_len and not all_zero(payload, 8)


cdef inline bint is_ndmp(const uint8_t* payload, int64_t size, uint32_t start) noexcept nogil:
    return (
        0x80000018U <= start <= 0x800F4240U  # the last fragment, of 24 bytes to 1,000,000
        and size >= 16
        and word32(payload + 12) <= 1
        and 315532800 <= word32(payload + 8) <= 1893456000
    )
