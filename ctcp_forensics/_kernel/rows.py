"""Rows: what the kernel takes in and hands out, field by field.

The compiled core keeps these rows as C structs and the plain-Python kernel as
tuples; either way a caller sees the named tuples below.  Positions (`…_pos`) are
64-bit offsets in the sequence space of one direction; `-1` in a `…_frame` or
`…_ns` field means *never*, so that every field of a row is an integer.

Knows names, units and caps.  Does not know what any of it means: see flows.
"""

from array import array
from enum import IntEnum, IntFlag
from typing import NamedTuple

NEVER = -1
MID_STREAM = 1 << 32
"""Position of the first number seen where the ISN was not: earlier bytes keep positive positions."""

# --- caps: every table is bounded, and reaching a bound is counted and reported ------------

FRAMES_PER_BATCH = 4096
"""Frames walked, decoded and tracked together: their rows stay in the second-level cache."""

MAX_CAPTURED_LEN = 262_144
"""Longest frame believed: libpcap's MAXIMUM_SNAPLEN, beyond which Wireshark refuses a file too."""

MAX_VLAN_TAGS = 16
MAX_EXTENSION_HEADERS = 16
MAX_MESSAGES_PER_SEGMENT = 64
"""64 KiB is the longest datagram; 64 messages of the 1 KiB that GRO merges fill it."""

FLOW_CAP = 100 << 10
"""Flows followed at once: about 70 MB, and 85 more where every one of them is a tunnel that lost something both ways.
Beyond it those that matter least are given up."""

HOLES_AT_ONCE = 3 << 15
EPISODES_AT_ONCE = 1 << 14
ASSOCIATIONS_AT_ONCE = 1 << 18
RESETS_AT_ONCE = 1 << 15
"""Pieces of evidence kept of all flows together: 9, 5, 17 and 1 MB, so that program, table, log, evidence and report
stay below 300.  A hole and two associations for each flow of a full table; a question for every sixth.  Beyond it the
flows that matter least lose all that is kept of them."""

LIVE_HOLES = 32
"""Holes kept open per direction; beyond it the oldest that nobody waits for is let go."""

HOLES_KEPT = 64
EPISODES_KEPT = 16
"""Holes and episodes kept as evidence per direction: the latest, since the last one kills."""

DUP_ACK_FRAMES_KEPT = 8
CLOSE_ASK_NS = 250_000_000
"""Keep-alive timers run in seconds; two askings closer than this answer data."""
ASSOCIATIONS_KEPT = 8
RESETS_KEPT = 16
"""RSTs of a watched flow: two ends and a box on the path say it a few times each; a storm says nothing more."""

SEGMENT_LOG_CAP = 1 << 20
"""Segments of watched flows kept for evidence, pairing and pictures; the oldest go first."""

SILENCES_KEPT = 1024
"""The longest times without a frame, of each capture: an idle tunnel has no more of 20 s in five hours."""
SET_BACK_NS = 1_000_000_000
"""Frames of several interfaces may stand out of order by less; a clock that goes back by more was set."""

TRACE_CAP = 1 << 21
"""Segments of traced flows kept at one place, evenly shared among the flows; of each the oldest go first."""

STRAYS_KEPT = 4096
"""Segments named one by one that one capture has and another has not, for each direction of a flow; all are counted."""

FASTEST_PPB = 1_000_000_000
"""A clock that gains or loses a second in each is none; up to here a century's drift fits into 64 bits."""


class Status(IntEnum):
    """What decoding made of one frame."""

    TCP = 0
    NOT_IP = 1
    NOT_TCP = 2
    EXOTIC = 3
    """Layers that the fast decoder does not know; dpkt is asked."""
    FRAGMENT = 4
    """A piece of an IP datagram; to be put together first."""
    ICMP_ERROR = 5
    """An ICMP error that quotes a datagram."""
    SHORT_LINK = 6
    """The frame ends inside its link-layer or IP header."""
    SHORT_TCP = 7
    """The frame ends inside its TCP header, on the wire or by the snap length."""
    MALFORMED_IP = 8
    MALFORMED_TCP = 9
    """A TCP data offset below five words or beyond the datagram."""
    UNKNOWN_LINK = 10


class Tcp(IntFlag):
    """TCP header flags, RFC 9293 §3.1."""

    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    PSH = 0x08
    ACK = 0x10
    URG = 0x20


class Mark(IntFlag):
    """What one segment of a traced flow is, by what the tracker counted for it; several may hold.

    WANTED and LOST take more than one segment to know: see retrace.
    """

    SYN = 1
    FIN = 2
    RST = 4
    AGAIN = 8
    """Bytes sent before: a retransmission."""
    FILLING = 16
    """Bytes that this place had not seen, below bytes that it had."""
    COPY = 32
    """The same datagram once more: the network or the capture doubled it."""
    STRAY = 64
    """Too far from the flow's sequence space to belong to it; it has no position."""
    DUPLICATE_ACK = 128
    """RFC 5681 §2, or by SACK RFC 6675 §2."""
    DSACK = 256
    KEEP_ALIVE = 512
    ZERO_WINDOW = 1024
    WANTED = 2048
    """It carries the byte that duplicate ACKs ask for."""
    LOST = 4096
    """It is known not to have arrived at the next place behind."""
    DAMAGED = 8192
    """Its TCP checksum is wrong though its direction's checksums are right: it came with other bytes than were sent."""


class Kind(IntEnum):
    """What one cTCP message carries: the trailer's next-header byte, ctcp-protocol §1.1."""

    NONE = 0
    ESP = 0x32
    IKE = 0x11
    AH = 0x33


class Trailer(IntEnum):
    """What the last 16 bytes of a segment show."""

    ABSENT = 0
    CUT_OFF = 1
    """The capture does not hold the end of the payload."""
    WEAK = 2
    """Wireshark's conditions hold, the magic bytes are others."""
    CISCO = 3
    """All of 00000000 ???? ?000 21456c69 10 {11,32,33} 0100."""


class Checksum(IntEnum):
    """What the TCP checksum says of a segment that carries one message, RFC 9293 §3.1."""

    UNVERIFIED = 0
    """Not asked, not captured whole, or left to the sender's card, which had not written it yet."""
    RIGHT = 1
    WRONG = 2
    """Wireshark: tcp.checksum_bad."""


class Signature(IntEnum):
    """An application recognised by the first bytes of one segment."""

    NONE = 0
    TLS = 1
    HTTP = 2
    SSH = 3
    IKETCP = 4
    """RFC 9329 §3: the stream prefix "IKETCP"."""
    RAW_IKE = 5
    """An ISAKMP header whose length is the segment's: IKE over TCP without a trailer."""
    NDMP = 6
    RFC8229_LENGTH = 7
    """RFC 9329 §3: a 16-bit length that equals the segment's, then a non-ESP marker."""


class Frame(NamedTuple):
    """One captured record.  Numbered from 1, as Wireshark's frame.number."""

    number: int
    time_ns: int
    """Since 1970-01-01 UTC by the capturing clock."""
    offset: int
    """Of the frame's first byte, in the buffer that was walked."""
    captured_len: int
    original_len: int
    interface: int
    """Counted over the whole file, from 0."""
    link_type: int
    commented: int
    """1 where the record carries a comment."""


class Message(NamedTuple):
    """One cTCP message: an IPsec packet and its trailer."""

    kind: int
    offset: int
    """From the start of the segment's payload."""
    length: int
    """With its 16-byte trailer."""
    spi: int
    """ESP SPI; for IKE the first four bytes of the initiator's cookie."""
    esp_seq: int
    """ESP sequence number; for IKE the message id."""
    exchange: int
    """ISAKMP exchange type; 0 for ESP."""
    from_initiator: int
    """1 where the responder's cookie is still zero: this sender opened the negotiation."""
    print64: int
    """A 64-bit fingerprint of the message's captured bytes without the trailer."""


class Packet(NamedTuple):
    """One decoded frame.  Where `status` is not TCP, only the first three fields hold."""

    status: int
    frame: int
    time_ns: int
    src: bytes
    """4 or 16 bytes."""
    dst: bytes
    sport: int
    dport: int
    ttl: int
    ip_id: int
    """-1 for IPv6, which has none."""
    seq: int
    ack: int
    flags: int
    window: int
    """As sent, not scaled."""
    payload_len: int
    """On the wire, by the IP total length."""
    captured_payload_len: int
    mss: int
    """-1 where the option is absent."""
    window_scale: int
    """-1 where the option is absent."""
    sack_permitted: int
    sacks: tuple[tuple[int, int], ...]
    """Up to four [left, right) as sent, RFC 2018 §3."""
    signature: int
    trailer: int
    magic: int
    """The seven bytes after the cookie's place: trailer[8:13] and [14:16], for unknown vendors' variants."""
    head: tuple[int, int]
    """The first two 32-bit words of the payload: SPI and sequence, where it is ESP."""
    print64: int
    """A fingerprint of the captured payload's first and last 16 bytes."""
    messages: tuple[Message, ...]
    unsplit: int
    """1 where a segment held more than MAX_MESSAGES_PER_SEGMENT messages."""
    checksum: int


class FlowRow(NamedTuple):
    """One flow.  Direction 0 is sent by `src`, who opened it or was seen first."""

    src: bytes
    dst: bytes
    sport: int
    dport: int
    first_frame: int
    last_frame: int
    first_ns: int
    last_ns: int
    """The latest time of any frame, so that a clock that runs backwards does not shorten a flow."""
    frames: int
    originator: int
    """The direction that opened the flow, by its SYN or the other's SYN-ACK; NEVER where neither was seen."""
    syn_frame: int
    syn_ack_frame: int
    syns: int
    watched: int
    """1 where its segments are logged."""
    longest_silence_ns: int
    """Longest time without a frame of either direction…"""
    silence_from_frame: int
    silence_to_frame: int
    silence_to_direction: int
    """…and who broke it."""
    tail_direction: int
    """Who sent the last run of frames that the other end did not break…"""
    tail_first_frame: int
    tail_first_ns: int
    tail_frames: int
    tail_data_segments: int
    """…and how long that run was."""
    data_tail_direction: int
    """Who sent the last run of data segments that no data of the other end broke…"""
    data_tail_first_frame: int
    data_tail_first_ns: int
    data_tail_segments: int


class DirectionRow(NamedTuple):
    """One half of a flow: what one end sent, and what the other acknowledged of it."""

    frames: int
    first_frame: int
    last_frame: int
    first_ns: int
    last_ns: int
    anchor: int
    """The 32-bit number of position 0: the ISN where `isn_known`, else the first number seen."""
    isn_known: int
    next_pos: int
    """SND.NXT as far as seen: the position after the highest byte sent."""
    acked_pos: int
    """SND.UNA: the peer's highest cumulative ACK; NEVER before the first."""
    acked_ns: int
    """When it last advanced."""
    acked_frame: int
    payload_bytes: int
    """Of every segment, copies, strays and RSTs included, as Wireshark's tcp.len adds up."""
    data_segments: int
    """Those that were placed: without copies, strays, keep-alives and RSTs."""
    data_first_frame: int
    data_last_frame: int
    data_last_ns: int
    new_bytes: int
    again_bytes: int
    filling_bytes: int
    holes_opened: int
    holes_filled: int
    holes_acked_past: int
    holes_forgotten: int
    retransmissions: int
    retransmitted_frame: int
    """The first of these."""
    late_originals: int
    undecided_repeats: int
    spurious_retransmissions: int
    """Retransmissions of bytes that the peer had acknowledged already."""
    rewrites: int
    """Segments at old positions that carry a new ESP message: not a retransmission (udp2raw does this)."""
    copies: int
    """Same IP ID, same header, within milliseconds: the network or the capture doubled them."""
    strays: int
    """Segments too far from the flow's sequence space to belong to it."""
    max_payload_len: int
    smallest_missing_len: int
    """Least bytes of a hole per ESP message missing in it; NEVER without holes."""
    mss: int
    window_scale: int
    sack_permitted: int
    first_window: int
    last_window: int
    windows_seen: int
    """How often the window differs from the one before."""
    window_overruns: int
    """How often, counted to three, the peer acknowledged more at once than its window, taken as sent, had offered:
    its windows are scaled, or it does not keep to them."""
    pushes: int
    ttl_min: int
    ttl_max: int
    data_ttl: int
    """Of the first data segment."""
    ids_rising: int
    ids_other: int
    """How often the IP ID rose like a counter from one segment to the next, and how often not."""
    pure_acks: int
    """Sent by this end."""
    duplicate_acks: int
    """RFC 5681 §2 (a)-(e), asking this end for data; sent by the peer."""
    sack_duplicate_acks: int
    """RFC 6675 §2; sent by the peer."""
    dsacks: int
    keep_alives: int
    keep_alive_acks: int
    window_updates: int
    zero_windows: int
    """Sent by this end."""
    zero_window_probes: int
    zero_window_probe_acks: int
    old_acks: int
    """ACKs from the peer below its highest."""
    unseen_acks: int
    """ACKs from the peer for bytes that this capture does not hold (Wireshark: ACKed unseen segment)."""
    idle_acks: int
    """Pure ACKs from the peer that repeat the highest ACK with nothing outstanding: keep-alives of cTCP."""
    episodes: int
    fin_frame: int
    fin_ns: int
    rst_frame: int
    """First RST sent by this end."""
    rst_ns: int
    rst_ttl: int
    rst_window: int
    rst_ip_id: int
    rst_seq_pos: int
    rst_has_ack: int
    rsts: int
    last_ip_id: int
    """Of the last segment before any RST."""
    last_ttl: int
    """Likewise."""
    # --- what the payload shows ---
    trailer_cisco: int
    trailer_weak: int
    trailer_absent: int
    trailer_cut_off: int
    weak_magic: int
    """The magic bytes of the first weak trailer."""
    weak_same_magic: int
    """How many weak trailers carry just those."""
    esp_run: int
    """Longest run of segments whose first word stays and whose second rises, ctcp-protocol §1.2 C."""
    esp_breaks: int
    signature: int
    """The first application signature seen."""
    signatures: int
    messages: int
    merged_segments: int
    """Segments that held more than one message."""
    ike_messages: int
    ike_repeats: int
    """IKE messages equal to the one before: retransmitted by IKE, not by TCP."""
    ike_opened: int
    """Messages with no responder cookie yet: this end is the IKE initiator."""
    last_ike_frame: int
    last_ike_ns: int
    last_ike_exchange: int
    esp_messages: int
    esp_missing: int
    """ESP sequence numbers skipped and not seen later."""
    esp_repeats: int
    """ESP messages seen before: same SPI, same sequence number."""
    associations: int
    checksums_right: int
    """Segments of a watched flow whose TCP checksum could be verified, and was right…"""
    checksums_wrong: int
    """…or wrong."""


class EpisodeRow(NamedTuple):
    """A run of duplicate ACKs asking one direction for one byte."""

    wanted_pos: int
    duplicate_acks: int
    sack_duplicate_acks: int
    first_frame: int
    first_ns: int
    last_frame: int
    last_ns: int
    frames: tuple[int, ...]
    """The first DUP_ACK_FRAMES_KEPT duplicate ACKs."""
    outstanding: int
    """Bytes sent and not acknowledged at the first duplicate ACK."""
    prompted: int
    """Duplicate ACKs with a new data segment of the sender since the ACK before."""
    shortest_interval_ns: int
    longest_interval_ns: int
    """Between two duplicate ACKs that follow each other."""
    close_asks: int
    """Duplicate ACKs that came within CLOSE_ASK_NS of the one before."""
    piggybacked: int
    """Data segments of the peer whose ACK asks for the same byte: condition (b) fails, the byte is the same."""
    piggybacked_last_ns: int
    last_asked_ns: int
    """Last segment of any kind with this ACK."""
    new_segments: int
    """Segments of the sender with bytes never sent before, after the first duplicate ACK."""
    new_first_frame: int
    new_last_frame: int
    new_last_ns: int
    sacked_left: int
    """Lowest SACKed byte above the wanted one: the end of the hole; NEVER without SACK."""
    ttl_min: int
    ttl_max: int
    """Of the duplicate ACKs."""
    window: int
    """Of the first duplicate ACK, as sent."""
    sender_ike: int
    peer_ike: int
    """IKE messages of either end while the question was open."""
    wanted_seen: int
    """1 where this capture had seen the wanted byte before it was asked for."""
    answered_frame: int
    """First later segment that carries the wanted byte again."""
    answered_ns: int
    rewritten_frame: int
    """A later segment at the wanted byte that carries another ESP message: not an answer."""
    passed_frame: int
    """ACK that went beyond the wanted byte."""
    passed_ns: int


class HoleRow(NamedTuple):
    """Bytes of one direction that this capture did not see in order: a hole or a gap, not yet told apart."""

    start_pos: int
    end_pos: int
    opened_frame: int
    """The segment beyond it that showed it."""
    opened_ns: int
    before_frame: int
    """The last data segment before it."""
    esp_missing: int
    """ESP sequence numbers skipped across it; 0 where there is no ESP."""
    filled_frame: int
    """NEVER while a byte of it is missing."""
    filled_ns: int
    acked_frame: int
    """First ACK beyond its start while it was open."""
    acked_ns: int


class AssociationRow(NamedTuple):
    """One ESP security association as one direction uses it."""

    spi: int
    messages: int
    first_seq: int
    highest_seq: int
    missing: int
    repeats: int
    first_frame: int
    last_frame: int


class SegmentRow(NamedTuple):
    """One logged segment, or one message of it, of a watched flow."""

    direction: int
    frame: int
    time_ns: int
    pos: int
    length: int
    ack_pos: int
    """The highest ACK that this end has sent, this segment's included; NEVER before the first."""
    flags: int
    kind: int
    spi: int
    esp_seq: int
    print64: int
    is_damaged: int
    """1 where its TCP checksum is wrong though its direction's checksums are right: other bytes than were sent."""


class ResetRow(NamedTuple):
    """One RST of a watched flow.  By its TTL, IP ID and window it is known elsewhere, and who made it."""

    direction: int
    frame: int
    time_ns: int
    ttl: int
    ip_id: int
    """-1 for IPv6, which has none."""
    window: int
    seq_pos: int
    """NEVER where its direction's sequence space is not known."""
    has_ack: int


class TraceColumns(NamedTuple):
    """The segments of one traced flow, column by column, in the order in which they were followed."""

    frame: "array[int]"
    time_ns: "array[int]"
    direction: "array[int]"
    pos: "array[int]"
    """NEVER where it is too far from the flow's sequence space."""
    length: "array[int]"
    """Of the sequence space: payload, SYN and FIN."""
    ack_pos: "array[int]"
    """This segment's own; NEVER without the ACK flag, and where it is too far off."""
    window: "array[int]"
    """Scaled where both SYNs were seen and have the option."""
    marks: "array[int]"
    sack_row: "array[int]"
    """For each SACK block the row of the segment that carries it…"""
    sack_left: "array[int]"
    sack_right: "array[int]"
    """…and what it covers, [left, right)."""


class Plain(IntEnum):
    """What the counters of one flow say by themselves; the judgement would say the same."""

    JUDGE = 0
    """They leave something open: the flow has to be judged."""
    UNREAD = 1
    """Nothing is wrong, and no payload was captured far enough to tell what it carries."""
    RESET = 2
    """An end that carries no cTCP closed with an RST of its own."""
    ANSWERED = 3
    LOSS_TOLERATED = 4
    CLOSED = 5
    WELL = 6
    OTHER = 7
    """It carries something else, and nothing of what happened to it has a name."""


class ScreenLimits(NamedTuple):
    """The thresholds of the claims that a screen goes by, under the claims' own names; lengths of time in ns."""

    silence: int
    spliced: int
    after_close: int
    idle: int
    vanished: int
    alone_segments: int
    link_down_silence: int
    busy_frames: int
    rhythm: int
    route_change_hops: int
    goodbye: int
    farewell: int
    ike_informational: int
    certain_share: int
    esp_run: int


class BriefColumns(NamedTuple):
    """A few facts of many flows, column by column: integers with a space between."""

    addresses: list[bytes]
    """Each once, in the order in which they are met."""
    client: str
    """Its place among the addresses."""
    client_port: str
    headend: str
    headend_port: str
    first_ns: str
    last_ns: str
    first_frame: str
    to_headend: str
    """Segments that the client sent."""
    to_client: str


class Tallies(NamedTuple):
    """What one tracker saw and what it let go, over all flows."""

    flows: int
    """That are followed now."""
    flows_begun: int
    """That were ever followed: with those that were given up."""
    segments: int
    segments_logged: int
    segments_unlogged: int
    """Logged segments that later ones pushed out."""
    last_ns: int


class GivenUpRow(NamedTuple):
    """Flows that were given up for others, by how far they had come; those of concern would have been judged."""

    half_open: int
    """Nothing but SYNs, or one single segment."""
    ended: int
    """Closed by an RST, or by a FIN of both ends."""
    alive: int
    half_open_of_concern: int
    ended_of_concern: int
    alive_of_concern: int
    begun_in_mid_stream: int
    """Flows that began without a SYN after the first was given up: some may be the rest of one of these."""
    bared: int
    """Half-open and ended flows of no concern that lost the evidence kept of them."""
    bared_in_question: int
    """Others that did: alive, or to be judged."""


class PulseRow(NamedTuple):
    """When frames of any kind came, since the clock was last set back.  NEVER: none did."""

    since_ns: int
    until_ns: int
    silences: tuple[tuple[int, int], ...]
    """The SILENCES_KEPT longest times from one frame to the next, in order."""
    unlisted_ns: int
    """The longest of those that were let go; 0 where all are listed."""


class PairRow(NamedTuple):
    """One direction of one capture, and the direction of another that carries the same messages."""

    here_flow: int
    here_side: int
    there_flow: int
    there_side: int
    matches: int
    """Messages of both, by the first time that each was sent."""
    shift: int
    """Position there less position here, of most matches."""
    agreeing: int
    """How many matches have just that shift."""


class DelayRow(NamedTuple):
    """The times between two captures over one stretch of the matches of one way."""

    way: int
    """As the caller named it for the pair of directions."""
    stretch: int
    matches: int
    here_first_frame: int
    here_last_frame: int
    there_first_frame: int
    there_last_frame: int
    least_ns: int
    """Least time there less time here, after the drift was taken out; told with it…"""
    least_at_ns: int
    """…and the time here at which it was so."""
    most_ns: int
    most_at_ns: int


class CourseRow(NamedTuple):
    """What a second capture shows of the data segments that one direction has in a first one."""

    segments: int
    same: int
    """There at their place, whole and alone."""
    covered: int
    """Their bytes are there, cut or merged in another way."""
    altered: int
    """Another content is there at their place."""
    missing: int
    """Some of their bytes are not there, though earlier and later ones are."""
    repeated: int
    """The same bytes were sent more often here than there; the earlier ones are counted here."""
    before: int
    """They lie before the first byte that is there…"""
    before_last_frame: int
    before_last_ns: int
    after: int
    """…or behind the last one."""
    after_first_frame: int
    after_first_ns: int
    after_last_frame: int
    after_last_ns: int
    beyond: int
    """Behind the last one as well, and sent when the capture there may have been over."""
    largest_arrived: int
    """Bytes of the largest segment that is there; NEVER without one."""


class StrayRow(NamedTuple):
    """One segment that is missing or altered in the other capture."""

    frame: int
    time_ns: int
    pos: int
    length: int
    spi: int
    esp_seq: int
    is_altered: int
    was_repeated: int
    """1 where the same bytes are there, and were sent here more often."""
    is_damaged: int
    """1 where it was damaged before it came here."""
