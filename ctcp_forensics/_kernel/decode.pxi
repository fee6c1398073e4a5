# Frames → Packets: link layer, IP, TCP.  The compiled twin of plain_decode.py, rule for rule and in the same order;
# the reasons and the RFC sections stand there.  What is behind a TCP header: payload.pxi.
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
    /* A line that will be written is asked for as this core's own: where the other core wrote it last, that spares
       asking twice.  What is older than the instruction takes it for none. */
    #if defined(__GNUC__) && defined(__x86_64__)
    #define CTCP_PREFETCH_TO_WRITE(address) __asm__ volatile("prefetchw %0" : : "m" (*(const char*) (address)))
    #elif defined(__GNUC__) || defined(__clang__)
    #define CTCP_PREFETCH_TO_WRITE(address) (__builtin_prefetch(address, 1), ctcp_touched())
    #else
    #define CTCP_PREFETCH_TO_WRITE(address) ((void)(address))
    #endif
    """
    void prefetch "CTCP_PREFETCH"(const void* address) noexcept nogil
    void prefetch_to_write "CTCP_PREFETCH_TO_WRITE"(const void* address) noexcept nogil
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

    LINK_ETHERNET = 1
    LINK_RAW = 101

    IPV4 = 0x0800
    IPV6 = 0x86DD
    LARGEST_LENGTH = 1500

    PROTOCOL_ICMP = 1
    PROTOCOL_TCP = 6
    PROTOCOL_UDP = 17
    FRAGMENT_HEADER = 44
    AUTHENTICATION_HEADER = 51
    PROTOCOL_ICMPV6 = 58

    COOKIE = 0x21456C69  # "!Eli"
    TRAILER_LEN = 16
    MOST_SUMMED = 32768  # bytes whose words, each twice and with a sign, add up in 32 bits
    SHORTEST_MESSAGE = 24
    PRINTED_HEAD = 64
    PRINTED_TAIL = 16

    SACKS_PER_SEGMENT = 4

cdef int MAX_VLAN_TAGS = caps.MAX_VLAN_TAGS
cdef int MAX_EXTENSION_HEADERS = caps.MAX_EXTENSION_HEADERS
cdef uint32_t MAX_MESSAGES_PER_SEGMENT = caps.MAX_MESSAGES_PER_SEGMENT

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

cdef struct packet_t:  # fields that are written together stand together: several of them are one store
    int64_t frame
    int64_t time_ns
    uint64_t print64  # from here to has_extra: nothing, where there is no payload
    uint32_t head[2]
    uint32_t captured_payload_len
    uint32_t first_message
    uint32_t message_count
    uint8_t trailer
    uint8_t signature
    uint8_t unsplit
    uint8_t checksum
    uint8_t has_extra
    uint8_t status
    uint8_t address_len
    uint8_t from_lower_end  # which of the two ends sent it, in an order that both directions share
    uint8_t ttl
    uint8_t flags
    uint16_t window
    int32_t ip_id
    uint32_t payload_len
    uint32_t ack
    uint32_t seq
    uint64_t mark  # a hash of what makes a segment a copy of another
    uint32_t flow_hash  # the same for both directions
    uint16_t dport
    uint16_t sport
    uint8_t src[16]
    uint8_t dst[16]

cdef struct datagram_t:  # what an IP header says of the segment behind it
    const uint8_t* segment
    int64_t captured  # how much of the frame lies behind the IP header, padding too; below 0 where the header is cut off
    int64_t length  # of the segment as it was sent
    uint64_t src  # the addresses as `word_of` has them
    uint64_t dst

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


cdef inline uint64_t word64(const uint8_t* p) noexcept nogil:
    return <uint64_t> word32(p) << 32 | word32(p + 4)


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


# --- the usual frame --------------------------------------------------------------------------

cdef inline bint is_usual(const uint8_t* data, int64_t size, int32_t link_type) noexcept nogil:
    """Ethernet, IPv4 without options and whole, TCP: what all the functions below would find, told by four comparisons."""
    return (
        link_type == LINK_ETHERNET
        and size >= 34
        and word32(data + 12) & 0xFFFFFF00U == 0x08004500
        and word32(data + 20) & 0x3FFF00FF == PROTOCOL_TCP
        and word16(data + 16) >= 20
    )


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


cdef int find_segment(
    const uint8_t* data, int64_t size, const frame_t* frame, packet_t* p, datagram_t* found
) noexcept nogil:
    cdef int64_t at = 0
    cdef int status = find_ip(data, size, frame.link_type, &at)
    if status != TCP_SEGMENT:
        return status
    if size < at + 1:
        return SHORT_LINK
    if likely(data[at] >> 4 == 4):
        return find_in_ipv4(data + at, size - at, frame.original_len - at, p, found)
    if data[at] >> 4 == 6:
        return find_in_ipv6(data + at, size - at, frame.original_len - at, p, found)
    return NOT_IP


cdef inline int find_in_ipv4(
    const uint8_t* header, int64_t size, int64_t original_len, packet_t* p, datagram_t* found
) noexcept nogil:
    cdef int64_t header_len, total_len
    cdef int protocol
    if size < 20:
        return SHORT_LINK
    header_len = (header[0] & 15) * 4
    total_len = word16(header + 2)
    if total_len == 0:  # segmentation offload: the capturing host had not written it yet
        total_len = max(0, original_len)
    if header_len < 20 or total_len < header_len:
        return MALFORMED_IP
    protocol = header[9]
    if unlikely(word16(header + 6) & 0x3FFF):
        return FRAGMENT if protocol == PROTOCOL_TCP or is_tunnel_protocol(protocol) else NOT_TCP
    take_ipv4(header, size, header_len, total_len, p, found)
    return what_is_carried(protocol, found)


cdef inline void take_ipv4(
    const uint8_t* header, int64_t size, int64_t header_len, int64_t total_len, packet_t* p, datagram_t* found
) noexcept nogil:
    p.ttl = header[8]
    p.ip_id = word16(header + 4)
    p.address_len = 4
    memcpy(p.src, header + 12, 4)
    memcpy(p.dst, header + 16, 4)
    found.segment, found.captured, found.length = header + header_len, size - header_len, total_len - header_len
    found.src, found.dst = word_of(header + 12, 4), word_of(header + 16, 4)


cdef int find_in_ipv6(
    const uint8_t* header, int64_t size, int64_t original_len, packet_t* p, datagram_t* found
) noexcept nogil:
    cdef int64_t payload_len, end
    cdef int64_t at = 40
    cdef int protocol, turn
    if size < 40:
        return SHORT_LINK
    payload_len = word16(header + 4)
    end = 40 + payload_len if payload_len else max(40, original_len)
    p.ttl = header[7]
    p.ip_id = -1
    p.address_len = 16
    memcpy(p.src, header + 8, 16)
    memcpy(p.dst, header + 24, 16)
    found.src, found.dst = word_of(header + 8, 16), word_of(header + 24, 16)
    protocol = header[6]
    for turn in range(MAX_EXTENSION_HEADERS):
        if not is_extension_header(protocol):
            found.segment, found.captured, found.length = header + at, size - at, end - at
            return what_is_carried(protocol, found)
        if size < at + 8 or end < at + 8:
            return SHORT_LINK
        if protocol == FRAGMENT_HEADER and word16(header + at + 2) & 0xFFF9:
            return FRAGMENT
        at = behind_extension_header(header, at, &protocol)
    return MALFORMED_IP


cdef inline int64_t behind_extension_header(const uint8_t* data, int64_t at, int* protocol) noexcept nogil:
    cdef int this = protocol[0]
    protocol[0] = data[at]
    if this == FRAGMENT_HEADER:
        return at + 8
    if this == AUTHENTICATION_HEADER:
        return at + (data[at + 1] + 2) * 4
    return at + (data[at + 1] + 1) * 8


cdef inline int what_is_carried(int protocol, const datagram_t* found) noexcept nogil:
    """TCP_SEGMENT, or what else the datagram carries."""
    if likely(protocol == PROTOCOL_TCP):
        return TCP_SEGMENT
    if is_tunnel_protocol(protocol):
        return EXOTIC
    if protocol == PROTOCOL_ICMP or protocol == PROTOCOL_ICMPV6:
        return ICMP_ERROR if is_icmp_error(found, protocol) else NOT_TCP
    if protocol == PROTOCOL_UDP and found.captured >= 8:
        if is_tunnel_port(word16(found.segment)) or is_tunnel_port(word16(found.segment + 2)):
            return EXOTIC
    return NOT_TCP


cdef bint is_icmp_error(const datagram_t* found, int protocol) noexcept nogil:
    cdef int kind
    if found.captured < 8:
        return False
    kind = found.segment[0]
    if protocol == PROTOCOL_ICMPV6:
        return kind < 128
    return kind == 3 or kind == 4 or kind == 5 or kind == 11 or kind == 12


# --- TCP ------------------------------------------------------------------------------------

cdef inline int decode_tcp(datagram_t datagram, packet_t* p, batch_t* batch) noexcept nogil:
    cdef const uint8_t* header = datagram.segment
    cdef int64_t held = min(datagram.captured, datagram.length)
    cdef int64_t header_len, start
    cdef uint32_t ports
    cdef uint64_t numbers
    if held < 20:
        return SHORT_TCP
    header_len = header[12] >> 2 & 0x3C
    if header_len < 20 or header_len > datagram.length:
        return MALFORMED_TCP
    ports, numbers = word32(header), word64(header + 4)
    p.sport, p.dport = <uint16_t> (ports >> 16), <uint16_t> ports
    p.seq, p.ack = <uint32_t> (numbers >> 32), <uint32_t> numbers
    p.flags = header[13] & 0x3F
    p.window = word16(header + 14)
    p.payload_len = <uint32_t> (datagram.length - header_len)
    note_flow(p, datagram.src, datagram.dst)
    p.mark = mark_of(p)
    start = min(header_len, held)
    if header_len > 20:
        take_options(header + 20, start - 20, p, batch)
    if p.payload_len:
        take_payload(header + start, held - start, p)
        if unlikely(ends_in_half_a_trailer(header + start, held - start, p.payload_len)):
            look_inside(header, held, start, p, batch)
        note_print(header + start, held - start, p)  # beside that of the only message, which it does not wait for
    return TCP_SEGMENT


cdef inline void take_options(const uint8_t* options, int64_t size, packet_t* p, batch_t* batch) noexcept nogil:
    # RFC 7323 appendix A: two NOPs and a timestamp, which is all that most segments carry.
    if unlikely(size != 12 or word32(options) != 0x0101080A):
        take_each_option(options, size, p, batch)


cdef void take_each_option(const uint8_t* options, int64_t size, packet_t* p, batch_t* batch) noexcept nogil:
    cdef int64_t at = 0
    cdef int kind, length
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
        take_option(kind, options + at + 2, length - 2, p, batch)
        at += length


cdef void take_option(int kind, const uint8_t* body, int size, packet_t* p, batch_t* batch) noexcept nogil:
    cdef extra_t* extra
    cdef int i
    if kind == 2 and size == 2:
        extra_of(p, batch).mss = word16(body)
    elif kind == 3 and size == 1:
        extra_of(p, batch).window_scale = body[0]
    elif kind == 4 and size == 0:
        extra_of(p, batch).sack_permitted = 1
    elif kind == 5 and size % 8 == 0 and 8 <= size <= 8 * SACKS_PER_SEGMENT:
        extra = extra_of(p, batch)
        extra.sack_count = size // 8
        for i in range(size // 4):
            extra.sacks[i] = word32(body + 4 * i)


@cython.overflowcheck(False)  # it takes a difference of addresses for one of numbers
cdef inline extra_t* extra_of(packet_t* p, batch_t* batch) noexcept nogil:
    cdef extra_t* extra = &batch.extras[p - batch.rows]
    if not p.has_extra:
        p.has_extra = 1
        extra.magic = 0
        extra.mss = -1
        extra.window_scale = -1
        extra.sack_permitted = 0
        extra.sack_count = 0
    return extra
