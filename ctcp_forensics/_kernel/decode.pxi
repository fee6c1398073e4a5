# Frames → Packets: link layer, IP, TCP, and a look at the payload.  The compiled twin of plain_decode.py, rule for
# rule and in the same order; the reasons and the RFC sections stand there.
#
# `data` is one captured frame and `size` its captured length; positions are 64-bit, so that no length from the
# capture can wrap one; every read is behind a comparison with `size`.

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
    /* The empty statement keeps GCC from taking a function that only prefetches for one without effect. */
    #define CTCP_PREFETCH(address) (__builtin_prefetch(address), ctcp_touched())
    static inline void ctcp_touched(void) { __asm__ volatile(""); }
    #else
    #define CTCP_PREFETCH(address) ((void)(address))
    #endif
    """
    void prefetch "CTCP_PREFETCH"(const void* address) noexcept nogil
    bint likely(bint) noexcept nogil
    bint unlikely(bint) noexcept nogil
    const uint64_t PRINT_MULTIPLIER "0x9E3779B97F4A7C15ULL"


cdef enum:
    TCP_SEGMENT = 0  # rows.Status
    NOT_IP = 1
    NOT_TCP = 2
    EXOTIC = 3
    FRAGMENT = 4
    ICMP_ERROR = 5
    SHORT_LINK = 6
    SHORT_TCP = 7
    MALFORMED_IP = 8
    MALFORMED_TCP = 9
    UNKNOWN_LINK = 10
    STATUSES = 11

    TRAILER_ABSENT = 0  # rows.Trailer
    TRAILER_CUT_OFF = 1
    TRAILER_WEAK = 2
    TRAILER_CISCO = 3

    KIND_NONE = 0  # rows.Kind
    KIND_IKE = 0x11
    KIND_ESP = 0x32
    KIND_AH = 0x33

    CHECKSUM_UNVERIFIED = 0  # rows.Checksum
    CHECKSUM_RIGHT = 1
    CHECKSUM_WRONG = 2

    SIGNATURE_NONE = 0  # rows.Signature
    SIGNATURE_TLS = 1
    SIGNATURE_HTTP = 2
    SIGNATURE_SSH = 3
    SIGNATURE_IKETCP = 4
    SIGNATURE_RAW_IKE = 5
    SIGNATURE_NDMP = 6
    SIGNATURE_RFC8229_LENGTH = 7

    IPV4 = 0x0800
    IPV6 = 0x86DD
    LARGEST_LENGTH = 1500

    PROTOCOL_ICMP = 1
    PROTOCOL_TCP = 6
    PROTOCOL_UDP = 17
    FRAGMENT_HEADER = 44
    AUTHENTICATION_HEADER = 51
    PROTOCOL_ICMPV6 = 58

    TRAILER_LEN = 16
    SHORTEST_MESSAGE = 24
    PRINTED_HEAD = 64
    PRINTED_TAIL = 16

    SACKS_PER_SEGMENT = 4

cdef int MAX_VLAN_TAGS = rows.MAX_VLAN_TAGS
cdef int MAX_EXTENSION_HEADERS = rows.MAX_EXTENSION_HEADERS
cdef uint32_t MAX_MESSAGES_PER_SEGMENT = rows.MAX_MESSAGES_PER_SEGMENT

# Keys of the hashes, new in every process: who writes a capture cannot know which flows would collide.
cdef uint64_t HASH_KEY = int.from_bytes(os.urandom(8), "little")
cdef uint64_t HASH_MULTIPLIER = int.from_bytes(os.urandom(8), "little") | 1

cdef struct message_t:
    uint64_t print64
    uint32_t offset
    uint32_t length
    uint32_t spi
    uint32_t esp_seq
    uint8_t kind
    uint8_t exchange
    uint8_t from_initiator

cdef struct extra_t:  # what few segments have; in step with the packets, valid where `has_extra`
    uint64_t magic
    uint32_t sacks[8]
    int32_t mss
    int32_t window_scale
    uint8_t sack_permitted
    uint8_t sack_count

cdef struct packet_t:
    int64_t time_ns
    int64_t frame
    uint64_t print64
    uint64_t mark  # a hash of what makes a segment a copy of another
    uint32_t flow_hash  # the same for both directions
    uint32_t seq
    uint32_t ack
    uint32_t payload_len
    uint32_t captured_payload_len
    uint32_t head[2]
    uint16_t sport
    uint16_t dport
    uint8_t src[16]
    uint8_t dst[16]
    int32_t ip_id
    uint16_t window
    uint8_t ttl
    uint8_t flags
    uint8_t status
    uint8_t address_len
    uint8_t trailer
    uint8_t signature
    uint8_t unsplit
    uint8_t has_extra
    uint8_t from_lower_end  # which of the two ends sent it, in an order that both directions share
    uint8_t checksum
    uint32_t first_message
    uint32_t message_count

cdef struct batch_t:  # what Packets holds
    packet_t* rows
    extra_t* extras
    message_t* messages
    uint32_t count
    uint32_t capacity
    uint32_t message_count
    uint32_t message_capacity
    uint32_t counts[STATUSES]  # rows by status
    bint out_of_memory


# --- reading numbers --------------------------------------------------------------------------

cdef inline uint32_t word16(const uint8_t* p) noexcept nogil:
    return <uint32_t> p[0] << 8 | p[1]


cdef inline uint32_t word32(const uint8_t* p) noexcept nogil:
    return <uint32_t> p[0] << 24 | <uint32_t> p[1] << 16 | <uint32_t> p[2] << 8 | p[3]


cdef inline uint64_t little64(const uint8_t* p) noexcept nogil:
    return (
        <uint64_t> p[7] << 56 | <uint64_t> p[6] << 48 | <uint64_t> p[5] << 40 | <uint64_t> p[4] << 32
        | <uint64_t> p[3] << 24 | <uint64_t> p[2] << 16 | <uint64_t> p[1] << 8 | p[0]
    )


cdef inline bint all_zero(const uint8_t* p, int count) noexcept nogil:
    cdef uint8_t seen = 0
    cdef int i
    for i in range(count):
        seen |= p[i]
    return seen == 0


# --- link layer: TCP_SEGMENT and the offset of the IP header in `at`, or the reason why there is none -----

cdef inline bint is_vlan_tag(uint32_t ethertype) noexcept nogil:
    return ethertype == 0x8100 or ethertype == 0x88A8 or ethertype == 0x9100 or ethertype == 0x9200


cdef inline bint is_tunnel_ethertype(uint32_t ethertype) noexcept nogil:
    return (
        ethertype == 0x8847 or ethertype == 0x8848 or ethertype == 0x8864 or ethertype == 0x6558
        or ethertype == 0x88BE or ethertype == 0x22EB or ethertype == 0x894F or ethertype == 0x88E7
        or ethertype == 0x8926 or ethertype == 0x893F or ethertype == 0x8903
    )


cdef int llc(const uint8_t* data, int64_t size, int64_t at, int64_t* ip_at) noexcept nogil:
    cdef uint32_t ethertype
    if size < at + 8 or word32(data + at) != 0xAAAA0300U or word16(data + at + 4) != 0:
        return NOT_IP
    ethertype = word16(data + at + 6)
    if ethertype == IPV4 or ethertype == IPV6:
        ip_at[0] = at + 8
        return TCP_SEGMENT
    return EXOTIC if is_tunnel_ethertype(ethertype) else NOT_IP


cdef inline int behind_ethertype(
    const uint8_t* data, int64_t size, uint32_t ethertype, int64_t at, int64_t* ip_at
) noexcept nogil:
    if likely(ethertype == IPV4 or ethertype == IPV6):
        ip_at[0] = at
        return TCP_SEGMENT
    if is_tunnel_ethertype(ethertype):
        return EXOTIC
    if ethertype <= LARGEST_LENGTH:
        return llc(data, size, at, ip_at)
    return NOT_IP


cdef inline int ethernet(const uint8_t* data, int64_t size, int64_t at, int64_t* ip_at) noexcept nogil:
    cdef uint32_t ethertype
    cdef int tag
    for tag in range(MAX_VLAN_TAGS + 1):
        if size < at + 2:
            return SHORT_LINK
        ethertype = word16(data + at)
        if not is_vlan_tag(ethertype):
            return behind_ethertype(data, size, ethertype, at + 2, ip_at)
        at += 4
    return EXOTIC


cdef int linux_sll2(const uint8_t* data, int64_t size, int64_t* ip_at) noexcept nogil:
    cdef uint32_t ethertype
    if size < 20:
        return SHORT_LINK
    ethertype = word16(data)
    if is_vlan_tag(ethertype):
        return ethernet(data, size, 22, ip_at)
    return behind_ethertype(data, size, ethertype, 20, ip_at)


cdef int bsd_loopback(const uint8_t* data, int64_t size, bint is_big_endian, int64_t* ip_at) noexcept nogil:
    cdef uint32_t big, little, family
    if size < 4:
        return SHORT_LINK
    big = word32(data)
    little = <uint32_t> data[3] << 24 | <uint32_t> data[2] << 16 | <uint32_t> data[1] << 8 | data[0]
    family = big if is_big_endian else little
    if family > 0xFFFF:
        family = little if is_big_endian else big
    ip_at[0] = 4
    if family == 2 or family == 10 or family == 24 or family == 28 or family == 30:
        return TCP_SEGMENT
    return NOT_IP


cdef int ppp(const uint8_t* data, int64_t size, int64_t* ip_at) noexcept nogil:
    cdef int64_t at = 2 if size >= 2 and data[0] == 0xFF and data[1] == 0x03 else 0
    cdef uint32_t protocol
    if size < at + 2:
        return SHORT_LINK
    if data[at] & 1:
        protocol = data[at]
        at += 1
    else:
        protocol = word16(data + at)
        at += 2
    ip_at[0] = at
    if protocol == 0x0021 or protocol == 0x0057:
        return TCP_SEGMENT
    if protocol == 0x002D or protocol == 0x002F or protocol == 0x0281 or protocol == 0x0283:
        return EXOTIC
    return NOT_IP


cdef inline int find_ip(const uint8_t* data, int64_t size, int32_t link_type, int64_t* ip_at) noexcept nogil:
    if likely(link_type == 1):
        return ethernet(data, size, 12, ip_at)
    if link_type == 113:
        return ethernet(data, size, 14, ip_at)
    if link_type == 276:
        return linux_sll2(data, size, ip_at)
    if link_type == 12 or link_type == 14 or link_type == 101 or link_type == 228 or link_type == 229:
        ip_at[0] = 0
        return TCP_SEGMENT
    if link_type == 0 or link_type == 108:
        return bsd_loopback(data, size, link_type == 108, ip_at)
    if link_type == 9 or link_type == 50:
        return ppp(data, size, ip_at)
    if link_type == 104:
        return ethernet(data, size, 2, ip_at)
    return EXOTIC


# --- IP -------------------------------------------------------------------------------------

cdef inline bint is_tunnel_protocol(int protocol) noexcept nogil:
    return (
        protocol == 4 or protocol == 41 or protocol == 47 or protocol == 97 or protocol == 115 or protocol == 137
    )


cdef inline bint is_tunnel_port(uint32_t port) noexcept nogil:
    return (
        port == 1701 or port == 2152 or port == 3544 or port == 4789 or port == 6081 or port == 8472
        or port == 4790 or port == 6635
    )


cdef inline bint is_extension_header(int protocol) noexcept nogil:
    return (
        protocol == 0 or protocol == 43 or protocol == 51 or protocol == 60 or protocol == 135
        or protocol == 139 or protocol == 140 or protocol == FRAGMENT_HEADER
    )


cdef inline int decode_ip(
    const uint8_t* data, int64_t size, int64_t at, int64_t original_len, packet_t* p, extra_t* extra, batch_t* batch
) noexcept nogil:
    if size < at + 1:
        return SHORT_LINK
    if likely(data[at] >> 4 == 4):
        return decode_ipv4(data, size, at, original_len, p, extra, batch)
    if data[at] >> 4 == 6:
        return decode_ipv6(data, size, at, original_len, p, extra, batch)
    return NOT_IP


cdef inline int decode_ipv4(
    const uint8_t* data, int64_t size, int64_t at, int64_t original_len, packet_t* p, extra_t* extra, batch_t* batch
) noexcept nogil:
    cdef const uint8_t* header = data + at
    cdef int64_t header_len, total_len
    cdef int protocol
    if size < at + 20:
        return SHORT_LINK
    header_len = (header[0] & 15) * 4
    total_len = word16(header + 2)
    if total_len == 0:  # segmentation offload: the capturing host had not written it yet
        total_len = max(0, original_len - at)
    if header_len < 20 or total_len < header_len:
        return MALFORMED_IP
    protocol = header[9]
    if unlikely(word16(header + 6) & 0x3FFF):
        return FRAGMENT if protocol == PROTOCOL_TCP or is_tunnel_protocol(protocol) else NOT_TCP
    p.ttl = header[8]
    p.ip_id = word16(header + 4)
    p.address_len = 4
    memcpy(p.src, header + 12, 4)
    memcpy(p.dst, header + 16, 4)
    return decode_protocol(data, size, at + header_len, at + total_len, protocol, p, extra, batch)


cdef int decode_ipv6(
    const uint8_t* data, int64_t size, int64_t at, int64_t original_len, packet_t* p, extra_t* extra, batch_t* batch
) noexcept nogil:
    cdef const uint8_t* header = data + at
    cdef int64_t payload_len, end
    cdef int protocol, turn
    if size < at + 40:
        return SHORT_LINK
    payload_len = word16(header + 4)
    end = at + 40 + payload_len if payload_len else max(at + 40, original_len)
    p.ttl = header[7]
    p.ip_id = -1
    p.address_len = 16
    memcpy(p.src, header + 8, 16)
    memcpy(p.dst, header + 24, 16)
    protocol = header[6]
    at += 40
    for turn in range(MAX_EXTENSION_HEADERS):
        if not is_extension_header(protocol):
            return decode_protocol(data, size, at, end, protocol, p, extra, batch)
        if size < at + 8 or end < at + 8:
            return SHORT_LINK
        if protocol == FRAGMENT_HEADER and word16(data + at + 2) & 0xFFF9:
            return FRAGMENT
        at = behind_extension_header(data, at, &protocol)
    return MALFORMED_IP


cdef inline int64_t behind_extension_header(const uint8_t* data, int64_t at, int* protocol) noexcept nogil:
    cdef int this = protocol[0]
    protocol[0] = data[at]
    if this == FRAGMENT_HEADER:
        return at + 8
    if this == AUTHENTICATION_HEADER:
        return at + (data[at + 1] + 2) * 4
    return at + (data[at + 1] + 1) * 8


cdef inline int decode_protocol(
    const uint8_t* data,
    int64_t size,
    int64_t at,
    int64_t end,
    int protocol,
    packet_t* p,
    extra_t* extra,
    batch_t* batch,
) noexcept nogil:
    if likely(protocol == PROTOCOL_TCP):
        return decode_tcp(data, size, at, end, p, extra, batch)
    if is_tunnel_protocol(protocol):
        return EXOTIC
    if protocol == PROTOCOL_ICMP or protocol == PROTOCOL_ICMPV6:
        return ICMP_ERROR if is_icmp_error(data, size, at, protocol) else NOT_TCP
    if protocol == PROTOCOL_UDP and size >= at + 8:
        if is_tunnel_port(word16(data + at)) or is_tunnel_port(word16(data + at + 2)):
            return EXOTIC
    return NOT_TCP


cdef bint is_icmp_error(const uint8_t* data, int64_t size, int64_t at, int protocol) noexcept nogil:
    cdef int kind
    if size < at + 8:
        return False
    kind = data[at]
    if protocol == PROTOCOL_ICMPV6:
        return kind < 128
    return kind == 3 or kind == 4 or kind == 5 or kind == 11 or kind == 12


# --- TCP ------------------------------------------------------------------------------------

cdef inline int decode_tcp(
    const uint8_t* data, int64_t size, int64_t at, int64_t end, packet_t* p, extra_t* extra, batch_t* batch
) noexcept nogil:
    cdef const uint8_t* header = data + at
    cdef int64_t held = min(size, end)
    cdef int64_t header_len, start
    if held < at + 20:
        return SHORT_TCP
    header_len = (header[12] >> 4) * 4
    if header_len < 20 or at + header_len > end:
        return MALFORMED_TCP
    start = at + header_len
    p.sport = word16(header)
    p.dport = word16(header + 2)
    p.seq = word32(header + 4)
    p.ack = word32(header + 8)
    p.flags = header[13] & 0x3F
    p.window = word16(header + 14)
    p.payload_len = <uint32_t> (end - start)
    note_ends(p)
    if header_len > 20:
        take_options(data + at + 20, min(start, size) - (at + 20), p, extra)
    if p.payload_len:
        take_payload(data + min(start, held), max(0, held - start), p, extra, batch)
        if unlikely(is_worth_verifying(data + min(start, held), p)):
            p.checksum = <uint8_t> checksum_of(header, end - at, p)
    p.mark = mark_of(p)
    return TCP_SEGMENT


cdef inline void take_options(const uint8_t* options, int64_t size, packet_t* p, extra_t* extra) noexcept nogil:
    cdef int64_t at = 0
    cdef int kind, length
    # RFC 7323 appendix A: two NOPs and a timestamp, which is all that most segments carry.
    if likely(size == 12 and word32(options) == 0x0101080A):
        return
    while at < size:
        kind = options[at]
        if kind == 0:
            return
        if kind == 1:
            at += 1
            continue
        if at + 2 > size or options[at + 1] < 2 or at + options[at + 1] > size:
            return
        length = options[at + 1]
        take_option(kind, options + at + 2, length - 2, p, extra)
        at += length


cdef void take_option(int kind, const uint8_t* body, int size, packet_t* p, extra_t* extra) noexcept nogil:
    cdef int i
    if kind == 2 and size == 2:
        extra_of(p, extra).mss = word16(body)
    elif kind == 3 and size == 1:
        extra_of(p, extra).window_scale = body[0]
    elif kind == 4 and size == 0:
        extra_of(p, extra).sack_permitted = 1
    elif kind == 5 and size % 8 == 0 and 8 <= size <= 8 * SACKS_PER_SEGMENT:
        extra_of(p, extra).sack_count = size // 8
        for i in range(size // 4):
            extra.sacks[i] = word32(body + 4 * i)


cdef inline extra_t* extra_of(packet_t* p, extra_t* extra) noexcept nogil:
    if not p.has_extra:
        p.has_extra = 1
        extra.magic = 0
        extra.mss = -1
        extra.window_scale = -1
        extra.sack_permitted = 0
        extra.sack_count = 0
    return extra


cdef inline bint is_worth_verifying(const uint8_t* payload, const packet_t* p) noexcept nogil:
    """Captured whole, one message, half a trailer or more."""
    cdef const uint8_t* last
    if p.payload_len <= SHORTEST_MESSAGE or p.captured_payload_len != p.payload_len or p.message_count > 1:
        return False
    last = payload + p.payload_len - TRAILER_LEN
    return word32(last) == 0 or word32(last + 8) == 0x21456C69


cdef int checksum_of(const uint8_t* segment, int64_t size, const packet_t* p) noexcept nogil:
    """RFC 9293 §3.1, of a segment that was captured whole.  All in the machine's byte order (RFC 1071 §2 B)."""
    cdef uint8_t behind_ends[8]
    cdef uint16_t written
    cdef uint64_t pseudo_header
    memset(behind_ends, 0, sizeof(behind_ends))
    behind_ends[1], behind_ends[2], behind_ends[3] = size >> 16 & 0xFF, size >> 8 & 0xFF, size & 0xFF
    behind_ends[7] = PROTOCOL_TCP
    pseudo_header = sum_of(p.src, p.address_len) + sum_of(p.dst, p.address_len) + sum_of(behind_ends, 8)
    memcpy(&written, segment + 16, 2)
    if written == folded(pseudo_header):
        return CHECKSUM_UNVERIFIED
    return CHECKSUM_RIGHT if folded(pseudo_header + sum_of(segment, size)) == 0xFFFF else CHECKSUM_WRONG


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


cdef inline uint32_t folded(uint64_t total) noexcept nogil:
    while total > 0xFFFF:
        total = (total >> 16) + (total & 0xFFFF)
    return <uint32_t> total


# --- payload --------------------------------------------------------------------------------

cdef inline void take_payload(
    const uint8_t* payload, int64_t size, packet_t* p, extra_t* extra, batch_t* batch
) noexcept nogil:
    p.captured_payload_len = <uint32_t> size
    p.signature = signature_of(payload, size, p.payload_len)
    p.trailer = trailer_of(payload, size, p.payload_len)
    if size >= 8:
        p.head[0] = word32(payload)
        p.head[1] = word32(payload + 4)
    if unlikely(p.trailer >= TRAILER_WEAK):
        take_messages(payload, size, p, extra, batch)
    p.print64 = print_of(payload, size)  # beside that of the only message, which it does not wait for


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
        and word32(last + 8) == 0x21456C69
        and last[12] == 0x10
        and (last[13] == KIND_IKE or last[13] == KIND_ESP or last[13] == KIND_AH)
        and word16(last + 14) == 0x0100
    )


cdef uint64_t magic_of(const uint8_t* last) noexcept nogil:
    return (
        <uint64_t> last[8] << 48 | <uint64_t> word32(last + 9) << 16 | word16(last + 14)
    )


cdef void take_messages(
    const uint8_t* payload, int64_t size, packet_t* p, extra_t* extra, batch_t* batch
) noexcept nogil:
    p.first_message = batch.message_count
    if p.trailer == TRAILER_WEAK:
        extra_of(p, extra).magic = magic_of(payload + size - TRAILER_LEN)
    elif unlikely(may_hold_cookie(payload + 8, size - TRAILER_LEN)):
        split_on_trailers(payload, size, p, batch)
        return
    add_message(payload, 0, size, p, batch)


cdef inline bint may_hold_cookie(const uint8_t* data, int64_t size) noexcept nogil:
    """Whether the cookie's first two bytes stand in it.  Without a branch in the loop, so that it takes many bytes at once."""
    cdef uint8_t seen = 0
    cdef int64_t i
    for i in range(size - 1):
        seen |= (data[i] == 0x21) & (data[i + 1] == 0x45)
    return seen


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


# --- fingerprints and hashes -----------------------------------------------------------------

@cython.overflowcheck(False)
cdef inline uint64_t stir(uint64_t print64, uint64_t word) noexcept nogil:
    print64 = (print64 ^ word) * PRINT_MULTIPLIER
    return print64 ^ print64 >> 32


cdef inline uint64_t print_part(uint64_t print64, const uint8_t* part, int64_t size, bint has_eight) noexcept nogil:
    """`has_eight` says that the eight bytes before the part's end may be read, wherever the part begins."""
    cdef uint64_t word = 0
    cdef int64_t at = 0
    cdef int i
    while at + 8 <= size:
        print64 = stir(print64, little64(part + at))
        at += 8
    if at == size:
        return print64
    if has_eight:
        return stir(print64, little64(part + size - 8) >> 8 * (8 - (size - at)))
    for i in range(<int> (size - at)):
        word |= <uint64_t> part[at + i] << 8 * i
    return stir(print64, word)


cdef inline uint64_t print_of(const uint8_t* data, int64_t size) noexcept nogil:
    cdef uint64_t print64 = print_part(<uint64_t> size, data, min(size, PRINTED_HEAD), size >= 8)
    cdef int64_t tail = max(PRINTED_HEAD, size - PRINTED_TAIL)
    if size > tail:
        print64 = print_part(print64, data + tail, size - tail, True)
    return print64


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
cdef inline uint64_t end_of(const uint8_t* address, int address_len, uint32_t port) noexcept nogil:
    """Address and port of one end in one word: whole for IPv4, hashed for IPv6."""
    if likely(address_len == 4):
        return <uint64_t> word32(address) << 16 | port
    return mix(mix(little64(address)) + little64(address + 8)) + port


@cython.overflowcheck(False)
cdef inline void note_ends(packet_t* p) noexcept nogil:
    """The flow's hash, from the sum of its ends' hashes: the same in both directions."""
    cdef uint64_t src = end_of(p.src, p.address_len, p.sport)
    cdef uint64_t dst = end_of(p.dst, p.address_len, p.dport)
    p.from_lower_end = src <= dst
    p.flow_hash = <uint32_t> ((strew(src) + strew(dst)) * PRINT_MULTIPLIER >> 32)


@cython.overflowcheck(False)
cdef inline uint64_t mark_of(const packet_t* p) noexcept nogil:
    """All that plain_track.is_copy compares, in 64 bits under a secret key, to be strewn once more (`mark_after`)."""
    cdef uint64_t mark = strew(<uint64_t> p.seq << 32 | p.ack)
    mark = stir(mark, <uint64_t> p.payload_len << 32 | <uint64_t> p.window << 16 | <uint16_t> p.ip_id)
    # -1, where there is no ID, and 0xFFFF end in the same 16 bits.
    return mark ^ p.print64 ^ <uint64_t> p.flags << 58 ^ <uint64_t> (p.ip_id < 0) << 57


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
    if start == <uint64_t> payload_len << 16 and word16(payload + 4) == 0:
        return SIGNATURE_RFC8229_LENGTH
    if is_raw_ike(payload, size, payload_len):
        return SIGNATURE_RAW_IKE
    return SIGNATURE_NDMP if is_ndmp(payload, size) else SIGNATURE_NONE


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


cdef inline bint is_ndmp(const uint8_t* payload, int64_t size) noexcept nogil:
    return (
        size >= 16
        and word32(payload + 12) <= 1
        and word32(payload) >> 31 == 1
        and 24 <= (word32(payload) & 0x7FFFFFFF) <= 1000000
        and 315532800 <= word32(payload + 8) <= 1893456000
    )
