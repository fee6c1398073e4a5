"""Packets → flows in plain Python: sequence space, holes, duplicate ACKs, endings.

The readable twin of track.pxi: the same rules, one short method each.  Every
segment costs constant time and every table is bounded (see rows), so a flow of any
length is followed in linear time and constant memory.  Knows sequence numbers and
clocks.  Does not know roles (client, headend) nor verdicts: see flows and claims.

Two words that must not be mixed: a *hole* is what the receiver lacks, a *gap* is
what the capture lacks.  From one capture both look alike while they are open, so
the rows say only what was not seen; telling them apart is a judgement.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from ctcp_forensics._kernel.plain_decode import Packets
from ctcp_forensics._kernel.rows import (
    ASSOCIATIONS_KEPT,
    DUP_ACK_FRAMES_KEPT,
    EPISODES_KEPT,
    FLOW_CAP,
    HOLES_KEPT,
    LIVE_HOLES,
    NEVER,
    SEGMENT_LOG_CAP,
    AssociationRow,
    DirectionRow,
    EpisodeRow,
    FlowRow,
    HoleRow,
    Kind,
    Message,
    Packet,
    SegmentRow,
    Signature,
    Status,
    Tallies,
    Tcp,
    Trailer,
)

MASK32: Final = 0xFFFF_FFFF
HALF_SPACE: Final = 1 << 31
MID_STREAM: Final = 1 << 32
"""Position of the first number seen where the ISN was not: earlier bytes keep positive positions."""
STRAY_DISTANCE: Final = 1 << 30
"""The largest window there is (RFC 7323 §2.3): beyond it a segment is not of this sequence space."""

COPY_WINDOW_NS: Final = 50_000_000
"""A frame doubled by the network, a SPAN port or a second interface follows within its queues: 50 ms."""
COPY_WITHOUT_ID_NS: Final = 100_000
"""100 µs: two captures of one frame in one host; a sender that repeats itself waits a round trip at least."""
COPIES_REMEMBERED: Final = 4
REORDER_NS: Final = 3_000_000
"""Wireshark's out-of-order limit, 3 ms: sooner than that nobody has asked yet."""
ID_STEP: Final = 1000
"""A counter of IP identifications rises by less than this between two segments of one flow."""
ESP_WINDOW: Final = 64
"""Anti-replay window that RFC 4303 §3.4.3 recommends: how far back a repeated message is recognised."""
ESP_RUN_STEP: Final = 4096
"""A rise of the second word that a lossy capture may still show between two ESP messages."""
WATCHED_RUN: Final = 4

IKE_PORTS: Final = 0x01F4_01F4
"""UDP 500 → 500, the first four bytes of IKE in cTCP (ctcp-protocol §1.1)."""

OPENING: Final = Tcp.SYN | Tcp.FIN | Tcp.RST


class Key(IntEnum):
    """What the ESP sequence number of a message says about its being sent."""

    NONE = 0
    NEWEST = 1
    """Higher than any before: never sent until now."""
    LATE = 2
    """Lower, and not seen before: an original that was overtaken."""
    REPEATED = 3


class Sighting(NamedTuple):
    """One recent segment, by which a copy of it is known."""

    mark: tuple[int, ...]
    time_ns: int
    peer_data_segments: int


class Association:
    """One SPI of one direction: highest sequence number, and a bitmap of the 64 below it."""

    def __init__(self, spi: int, seq: int, frame: int) -> None:
        self.spi = spi
        self.messages = 1
        self.first_seq = seq
        self.highest_seq = seq
        self.window = 1
        self.missing = 0
        self.repeats = 0
        self.first_frame = frame
        self.last_frame = frame

    def take(self, seq: int, frame: int) -> tuple[int, int]:
        """Count one message; (its Key, numbers skipped before it)."""
        self.messages += 1
        self.last_frame = frame
        step = seq - self.highest_seq
        if step > 0:
            self.window = (self.window << step | 1) & ((1 << ESP_WINDOW) - 1) if step < ESP_WINDOW else 1
            self.highest_seq = seq
            self.missing += step - 1
            return Key.NEWEST, step - 1
        return self.take_again(-step, seq), 0

    def take_again(self, lag: int, seq: int) -> int:
        """A number not above the highest: seen before, or late.  Beyond the window nobody can tell."""
        if lag >= ESP_WINDOW:
            return Key.NONE
        if self.window >> lag & 1:
            self.repeats += 1
            return Key.REPEATED
        self.window |= 1 << lag
        self.missing -= seq > self.first_seq
        return Key.LATE

    def row(self) -> AssociationRow:
        return AssociationRow(
            self.spi,
            self.messages,
            self.first_seq,
            self.highest_seq,
            self.missing,
            self.repeats,
            self.first_frame,
            self.last_frame,
        )


class Hole:
    """A range of positions not seen in order."""

    def __init__(self, start: int, end: int, frame: int, time_ns: int, before: int, ip_id: int) -> None:
        self.start, self.end = start, end
        self.opened_frame, self.opened_ns = frame, time_ns
        self.before_frame = before
        self.opener_ip_id = ip_id
        self.esp_missing = 0
        self.filled_frame, self.filled_ns = NEVER, NEVER
        self.acked_frame, self.acked_ns = NEVER, NEVER

    def row(self) -> HoleRow:
        return HoleRow(
            self.start,
            self.end,
            self.opened_frame,
            self.opened_ns,
            self.before_frame,
            self.esp_missing,
            self.filled_frame,
            self.filled_ns,
            self.acked_frame,
            self.acked_ns,
        )


class Episode:
    """A run of duplicate ACKs for one byte, still being asked for."""

    def __init__(self, wanted: int, outstanding: int, wanted_seen: bool) -> None:
        self.wanted = wanted
        self.outstanding = outstanding
        self.wanted_seen = int(wanted_seen)
        self.duplicate_acks = 0
        self.sack_duplicate_acks = 0
        self.first_frame = self.first_ns = NEVER
        self.last_frame = self.last_ns = NEVER
        self.frames: list[int] = []
        self.prompted = 0
        self.shortest_interval_ns = self.longest_interval_ns = NEVER
        self.piggybacked = 0
        self.piggybacked_last_ns = NEVER
        self.last_asked_ns = NEVER
        self.new_segments = 0
        self.new_first_frame = self.new_last_frame = self.new_last_ns = NEVER
        self.sacked_left = NEVER
        self.ttl_min = self.ttl_max = NEVER
        self.window = NEVER
        self.sender_ike = self.peer_ike = 0
        self.answered_frame = self.answered_ns = NEVER
        self.rewritten_frame = NEVER
        self.passed_frame = self.passed_ns = NEVER

    def ask(self, p: Packet, duplicate: bool, news: bool, *, prompted: bool) -> None:
        """Count one more question: a duplicate ACK by RFC 5681, by RFC 6675, or by both."""
        self.duplicate_acks += duplicate
        self.sack_duplicate_acks += news
        if self.first_frame == NEVER:
            self.first_frame, self.first_ns = p.frame, p.time_ns
            self.ttl_min = self.ttl_max = p.ttl
            self.window = p.window
        else:
            self.note_interval(max(0, p.time_ns - self.last_ns))
        self.last_frame, self.last_ns, self.last_asked_ns = p.frame, p.time_ns, p.time_ns
        self.ttl_min, self.ttl_max = min(self.ttl_min, p.ttl), max(self.ttl_max, p.ttl)
        self.prompted += prompted
        if len(self.frames) < DUP_ACK_FRAMES_KEPT:
            self.frames.append(p.frame)

    def note_repeated(self, p: Packet) -> None:
        """The same ACK again in a segment that is no duplicate ACK."""
        self.last_asked_ns = p.time_ns
        if p.payload_len:
            self.piggybacked += 1
            self.piggybacked_last_ns = p.time_ns

    def note_sacked(self, left: int) -> None:
        """The lowest SACKed byte is where the hole ends."""
        if left > self.wanted and (self.sacked_left == NEVER or left < self.sacked_left):
            self.sacked_left = left

    def note_interval(self, interval_ns: int) -> None:
        if self.shortest_interval_ns == NEVER or interval_ns < self.shortest_interval_ns:
            self.shortest_interval_ns = interval_ns
        self.longest_interval_ns = max(self.longest_interval_ns, interval_ns)

    def row(self) -> EpisodeRow:
        return EpisodeRow(
            self.wanted,
            self.duplicate_acks,
            self.sack_duplicate_acks,
            self.first_frame,
            self.first_ns,
            self.last_frame,
            self.last_ns,
            tuple(self.frames),
            self.outstanding,
            self.prompted,
            self.shortest_interval_ns,
            self.longest_interval_ns,
            self.piggybacked,
            self.piggybacked_last_ns,
            self.last_asked_ns,
            self.new_segments,
            self.new_first_frame,
            self.new_last_frame,
            self.new_last_ns,
            self.sacked_left,
            self.ttl_min,
            self.ttl_max,
            self.window,
            self.sender_ike,
            self.peer_ike,
            self.wanted_seen,
            self.answered_frame,
            self.answered_ns,
            self.rewritten_frame,
            self.passed_frame,
            self.passed_ns,
        )


class Direction:
    """What one end of a flow sent, and what the other end acknowledged of it.

    The public counters are those of rows.DirectionRow, under the same names.
    """

    frames = anchor = isn_known = next_pos = payload_bytes = data_segments = 0
    new_bytes = again_bytes = filling_bytes = 0
    holes_opened = holes_filled = holes_acked_past = holes_forgotten = 0
    retransmissions = late_originals = undecided_repeats = spurious_retransmissions = rewrites = copies = (
        strays
    ) = 0
    max_payload_len = sack_permitted = windows_seen = pushes = ids_rising = ids_other = pure_acks = 0
    duplicate_acks = sack_duplicate_acks = dsacks = keep_alives = keep_alive_acks = window_updates = 0
    zero_windows = zero_window_probes = zero_window_probe_acks = old_acks = unseen_acks = idle_acks = 0
    episodes = rst_has_ack = rsts = 0
    trailer_cisco = trailer_weak = trailer_absent = trailer_cut_off = weak_magic = weak_same_magic = 0
    esp_run = esp_breaks = signatures = messages = merged_segments = 0
    ike_messages = ike_repeats = ike_opened = last_ike_exchange = esp_messages = esp_missing = esp_repeats = 0
    associations = 0
    signature: int = Signature.NONE

    first_frame = last_frame = first_ns = last_ns = acked_pos = acked_ns = acked_frame = NEVER
    data_first_frame = data_last_frame = data_last_ns = smallest_missing_len = NEVER
    mss = window_scale = first_window = last_window = ttl_min = ttl_max = data_ttl = NEVER
    fin_frame = fin_ns = rst_frame = rst_ns = rst_ttl = rst_window = rst_ip_id = rst_seq_pos = NEVER
    last_ip_id = last_ttl = last_ike_frame = last_ike_ns = NEVER

    def __init__(self) -> None:
        self.anchored = False
        self.last_ack_window = NEVER
        self.data_at_last_ack = 0
        self.previous_data_frame = NEVER
        self.sacked_to = NEVER
        self.keep_alive_pending = False
        self.probe_pending = False
        self.unacked_holes = 0
        self.live: list[Hole] = []
        self.kept_holes: list[Hole] = []
        self.episode: Episode | None = None
        self.kept_episodes: list[Episode] = []
        self.recent: list[Sighting] = []
        self.run = 0
        self.last_head = (NEVER, NEVER)
        self.last_ike_print = NEVER
        self.kept_associations: list[Association] = []

    # --- sequence space: RFC 9293 §3.4, unwrapped to 64 bits --------------------------------

    def anchor_at(self, seq: int, position: int) -> None:
        self.anchored = True
        self.anchor = (seq - position) & MASK32
        self.next_pos = position

    def place(self, seq: int) -> int:
        """The position of a 32-bit number: the one nearest to what comes next."""
        step = (seq - self.anchor - self.next_pos) & MASK32
        return self.next_pos + (step - (1 << 32) if step >= HALF_SPACE else step)

    def is_far(self, position: int) -> bool:
        return position < 0 or abs(position - self.next_pos) > STRAY_DISTANCE

    def lacks(self, position: int) -> bool:
        return any(hole.start <= position < hole.end for hole in self.live)

    def row(self) -> DirectionRow:
        """The counters so far, with what the kept associations still miss."""
        values = {name: int(getattr(self, name)) for name in DirectionRow._fields}
        values["esp_missing"] += sum(one.missing for one in self.kept_associations)
        values["esp_repeats"] += sum(one.repeats for one in self.kept_associations)
        return DirectionRow(**values)


class Flow:
    """One flow: two directions, when it lived, and how long it was silent."""

    def __init__(self, p: Packet) -> None:
        self.src, self.dst, self.sport, self.dport = p.src, p.dst, p.sport, p.dport
        self.first_frame = p.frame
        self.first_ns = self.last_ns = self.previous_ns = p.time_ns
        self.last_frame = p.frame
        self.frames = 0
        self.originator = NEVER
        self.syn_frame = self.syn_ack_frame = NEVER
        self.syns = 0
        self.watched = 0
        self.longest_silence_ns = 0
        self.silence_from_frame = self.silence_to_frame = self.silence_to_direction = NEVER
        self.tail_direction = self.tail_first_frame = self.tail_first_ns = NEVER
        self.tail_frames = self.tail_data_segments = 0
        self.data_tail_direction = self.data_tail_first_frame = self.data_tail_first_ns = NEVER
        self.data_tail_segments = 0
        self.directions = (Direction(), Direction())

    def side_of(self, p: Packet) -> int:
        return 0 if (p.src, p.sport) == (self.src, self.sport) else 1

    def row(self) -> FlowRow:
        return FlowRow(**{name: getattr(self, name) for name in FlowRow._fields})


def conversation(p: Packet) -> tuple[bytes, int, bytes, int]:
    """One key for both directions."""
    one, other = (p.src, p.sport), (p.dst, p.dport)
    return one + other if one <= other else other + one


class Tracker:
    """Follows every TCP flow of one capture."""

    def __init__(self) -> None:
        self._flows: list[Flow] = []
        self._latest: dict[tuple[bytes, int, bytes, int], int] = {}
        self._refused = 0
        self._segments = 0
        self._unlogged = 0
        self._log: list[tuple[int, SegmentRow]] = []
        self._by_flow: dict[int, list[SegmentRow]] | None = None
        self._last_ns = NEVER

    # --- what went in, what comes out -------------------------------------------------------

    def feed(self, packets: Packets) -> None:
        """Take one batch of packets, in the order of the capture."""
        self._by_flow = None
        for index in range(len(packets)):
            packet = packets[index]
            self._last_ns = max(self._last_ns, packet.time_ns)
            if packet.status == Status.TCP:
                self._follow(packet)

    def tallies(self) -> Tallies:
        return Tallies(
            len(self._flows), self._refused, self._segments, len(self._log), self._unlogged, self._last_ns
        )

    def flow(self, index: int) -> FlowRow:
        return self._flows[index].row()

    def direction(self, index: int, side: int) -> DirectionRow:
        return self._flows[index].directions[side].row()

    def episodes(self, index: int, side: int) -> list[EpisodeRow]:
        """The latest EPISODES_KEPT, in order; the last may be open."""
        d = self._flows[index].directions[side]
        open_now = [d.episode] if d.episode is not None else []
        return [episode.row() for episode in (d.kept_episodes + open_now)[-EPISODES_KEPT:]]

    def holes(self, index: int, side: int) -> list[HoleRow]:
        """Holes that were let go or filled, then those still open, by when they opened."""
        d = self._flows[index].directions[side]
        held = sorted(d.kept_holes + d.live, key=lambda hole: (hole.opened_frame, hole.start))
        return [hole.row() for hole in held]

    def associations(self, index: int, side: int) -> list[AssociationRow]:
        return [one.row() for one in self._flows[index].directions[side].kept_associations]

    def segments(self, index: int) -> list[SegmentRow]:
        """The log of a watched flow, in the order of the capture."""
        return self._indexed().get(index, [])

    def frames_with(self, index: int, side: int, position: int) -> list[int]:
        """Frames of the logged segments of one direction that carry the byte at `position`."""
        return [
            row.frame
            for row in self.segments(index)
            if row.direction == side and row.pos <= position < row.pos + row.length
        ]

    def _indexed(self) -> dict[int, list[SegmentRow]]:
        """The log by flow, sorted out once when it is first asked for."""
        if self._by_flow is None:
            self._by_flow = {}
            for owner, row in self._log:
                self._by_flow.setdefault(owner, []).append(row)
        return self._by_flow

    def suspects(self, ports: frozenset[int]) -> list[int]:
        """Flows that look like IPsec over TCP in any way, or use one of the ports."""
        return [
            index
            for index, flow in enumerate(self._flows)
            if flow.sport in ports or flow.dport in ports or any(map(looks_encapsulated, flow.directions))
        ]

    # --- one segment ------------------------------------------------------------------------

    def _follow(self, p: Packet) -> None:
        index = self._find(p)
        if index == NEVER:
            self._refused += 1
            return
        self._segments += 1
        flow = self._flows[index]
        side = flow.side_of(p)
        d, peer = flow.directions[side], flow.directions[1 - side]
        note_arrival(flow, d, side, p)
        if is_copy(d, peer, p):
            d.copies += 1
            return
        note_sender(d, p)
        if p.flags & Tcp.RST:
            note_reset(d, p)
            return
        pos = take_segment(flow, d, peer, p)
        if flow.watched and pos != NEVER:
            self._log_segment(index, flow, side, p, pos)

    def _find(self, p: Packet) -> int:
        """The flow of this segment: the latest of its 4-tuple, unless it opens another."""
        key = conversation(p)
        index = self._latest.get(key, NEVER)
        if index != NEVER and not opens_another(self._flows[index], p):
            return index
        if len(self._flows) >= FLOW_CAP:
            return NEVER
        self._flows.append(Flow(p))
        self._latest[key] = len(self._flows) - 1
        return len(self._flows) - 1

    def _log_segment(self, index: int, flow: Flow, side: int, p: Packet, pos: int) -> None:
        ack_pos = flow.directions[1 - side].acked_pos
        whole = Message(Kind.NONE, 0, p.payload_len, p.head[0], p.head[1], 0, 0, p.print64)
        for m in p.messages or (whole,):
            at = (side, p.frame, p.time_ns, pos + m.offset, m.length, ack_pos, p.flags)
            self._log.append((index, SegmentRow(*at, m.kind, m.spi, m.esp_seq, m.print64)))
        if len(self._log) >= SEGMENT_LOG_CAP:
            self._unlogged += SEGMENT_LOG_CAP // 4
            del self._log[: SEGMENT_LOG_CAP // 4]


def opens_another(flow: Flow, p: Packet) -> bool:
    """A SYN with another ISN on the same 4-tuple is another flow, as Wireshark counts streams."""
    if p.flags & (Tcp.SYN | Tcp.ACK) != Tcp.SYN:
        return False
    d = flow.directions[flow.side_of(p)]
    return d.anchored and d.anchor != p.seq


def looks_encapsulated(d: Direction) -> bool:
    return bool(
        d.trailer_cisco
        or d.trailer_weak
        or d.esp_run >= WATCHED_RUN
        or d.signature in (Signature.IKETCP, Signature.RAW_IKE)
    )


# --- who sent it, and was it doubled -------------------------------------------------------


def note_arrival(flow: Flow, d: Direction, side: int, p: Packet) -> None:
    """Counts and clocks, before anything is decided."""
    silence_ns = p.time_ns - flow.previous_ns
    if silence_ns > flow.longest_silence_ns:
        flow.longest_silence_ns = silence_ns
        flow.silence_from_frame, flow.silence_to_frame = flow.last_frame, p.frame
        flow.silence_to_direction = side
    note_tail(flow, side, p)
    flow.frames += 1
    flow.last_frame = p.frame
    flow.previous_ns = p.time_ns
    flow.last_ns = max(flow.last_ns, p.time_ns)
    d.frames += 1
    d.payload_bytes += p.payload_len
    d.last_frame = p.frame
    d.last_ns = p.time_ns
    if d.first_frame == NEVER:
        d.first_frame, d.first_ns = p.frame, p.time_ns


def note_tail(flow: Flow, side: int, p: Packet) -> None:
    """Who speaks alone at the end: by frames, and by frames with data."""
    if flow.tail_direction != side:
        flow.tail_direction, flow.tail_first_frame, flow.tail_first_ns = side, p.frame, p.time_ns
        flow.tail_frames = flow.tail_data_segments = 0
    flow.tail_frames += 1
    if not p.payload_len:
        return
    flow.tail_data_segments += 1
    if flow.data_tail_direction != side:
        flow.data_tail_direction, flow.data_tail_first_frame = side, p.frame
        flow.data_tail_first_ns, flow.data_tail_segments = p.time_ns, 0
    flow.data_tail_segments += 1


def is_copy(d: Direction, peer: Direction, p: Packet) -> bool:
    """The same datagram again: same IP ID and same TCP header, within COPY_WINDOW_NS.

    A box that makes ACKs may give them all one ID, so a pure ACK is a copy only
    where the peer sent no data in between.  Without an ID (IPv6 has none, and zero is
    what a sender of unfragmentable datagrams may write, RFC 6864 §4.1) only a copy
    sooner than any sender could repeat itself is taken for one.
    """
    window_ns = COPY_WINDOW_NS if p.ip_id > 0 else COPY_WITHOUT_ID_NS
    mark = (p.ip_id, p.seq, p.ack, p.flags, p.payload_len, p.window, p.print64)
    for sighting in d.recent:
        close = abs(p.time_ns - sighting.time_ns) <= window_ns
        unprompted = p.payload_len or sighting.peer_data_segments == peer.data_segments
        if sighting.mark == mark and close and unprompted:
            return True
    d.recent.append(Sighting(mark, p.time_ns, peer.data_segments))
    del d.recent[:-COPIES_REMEMBERED]
    return False


def note_sender(d: Direction, p: Packet) -> None:
    """What is characteristic of who sends: TTL, IP ID, window.  A RST is compared with it, so it is left out."""
    if p.flags & Tcp.RST:
        return
    if d.ttl_min == NEVER:
        d.ttl_min = d.ttl_max = p.ttl
        d.first_window = p.window
    d.ttl_min, d.ttl_max = min(d.ttl_min, p.ttl), max(d.ttl_max, p.ttl)
    if d.last_window not in (NEVER, p.window):
        d.windows_seen += 1
    if d.last_ip_id != NEVER:
        rises = 0 < (p.ip_id - d.last_ip_id) & 0xFFFF <= ID_STEP
        d.ids_rising += rises
        d.ids_other += not rises
    d.last_window, d.last_ip_id, d.last_ttl = p.window, p.ip_id, p.ttl
    d.pushes += bool(p.flags & Tcp.PSH)


def note_reset(d: Direction, p: Packet) -> None:
    """A RST moves nothing: its numbers may be anything, QuickSec writes zero."""
    d.rsts += 1
    if d.rst_frame != NEVER:
        return
    d.rst_frame, d.rst_ns = p.frame, p.time_ns
    d.rst_ttl, d.rst_window, d.rst_ip_id = p.ttl, p.window, p.ip_id
    d.rst_has_ack = int(bool(p.flags & Tcp.ACK))
    d.rst_seq_pos = d.place(p.seq) if d.anchored else NEVER


# --- where the segment lies ----------------------------------------------------------------


def take_segment(flow: Flow, d: Direction, peer: Direction, p: Packet) -> int:
    """Place the segment, take its bytes, then its ACK; its position, or NEVER for a stray."""
    if p.flags & Tcp.SYN:
        note_syn(flow, d, peer, p)
    elif not d.anchored:
        d.anchor_at(p.seq, MID_STREAM)
    pos = d.place(p.seq)
    if d.is_far(pos):
        d.strays += 1
        return NEVER
    keep_alive = is_keep_alive(d, p, pos)
    take_bytes(flow, d, peer, p, pos, keep_alive)
    if p.flags & Tcp.ACK:
        take_ack(peer, p, keep_alive)
    return pos


def note_syn(flow: Flow, d: Direction, peer: Direction, p: Packet) -> None:
    """RFC 9293 §3.5: a SYN takes one number; a SYN with ACK tells the other end's ISN as well."""
    flow.syns += 1
    side = flow.side_of(p)
    if p.flags & Tcp.ACK:
        note_syn_ack(flow, peer, p, 1 - side)
    elif flow.syn_frame == NEVER:
        flow.syn_frame, flow.originator = p.frame, side
    if not d.anchored:
        d.anchor_at(p.seq, 0)
        d.isn_known = 1
        d.mss, d.window_scale, d.sack_permitted = p.mss, p.window_scale, p.sack_permitted


def note_syn_ack(flow: Flow, peer: Direction, p: Packet, originator: int) -> None:
    if flow.syn_ack_frame == NEVER:
        flow.syn_ack_frame = p.frame
    if flow.originator == NEVER:
        flow.originator = originator
    if not peer.anchored:
        peer.anchor_at(p.ack, 1)
        peer.isn_known = 1


def is_keep_alive(d: Direction, p: Packet, pos: int) -> bool:
    """Wireshark: no more than a byte, one below what comes next, nothing opens or closes.  RFC 9293 §3.8.4."""
    return p.payload_len <= 1 and pos == d.next_pos - 1 and not p.flags & OPENING and d.frames > 1


def take_bytes(flow: Flow, d: Direction, peer: Direction, p: Packet, pos: int, keep_alive: bool) -> None:
    """Account for the segment's share of the sequence space."""
    length = p.payload_len + bool(p.flags & Tcp.SYN) + bool(p.flags & Tcp.FIN)
    d.keep_alives += keep_alive
    d.keep_alive_pending = keep_alive
    d.probe_pending = False
    d.zero_windows += p.window == 0 and not p.flags & OPENING
    if p.flags & Tcp.FIN and d.fin_frame == NEVER:
        d.fin_frame, d.fin_ns = p.frame, p.time_ns
    if keep_alive:
        return
    if p.payload_len:
        note_data_segment(d, peer, p, pos)
        note_payload(flow, d, p)
        note_ike_while_asked(d, peer, p)
    if length:
        place_bytes(d, p, pos, pos + length)
    else:
        d.pure_acks += 1
        note_bare(d, p, pos)


def note_bare(d: Direction, p: Packet, pos: int) -> None:
    """A bare segment beyond what comes next: its sender has sent bytes that were not seen."""
    if pos <= d.next_pos:
        return
    if d.data_segments or d.isn_known:
        open_hole(d, p, pos)
    d.next_pos = pos


def note_data_segment(d: Direction, peer: Direction, p: Packet, pos: int) -> None:
    d.data_segments += 1
    d.previous_data_frame = d.data_last_frame
    d.data_last_frame, d.data_last_ns = p.frame, p.time_ns
    if d.data_first_frame == NEVER:
        d.data_first_frame, d.data_ttl = p.frame, p.ttl
    d.max_payload_len = max(d.max_payload_len, p.payload_len)
    if p.payload_len == 1 and pos == d.next_pos and peer.last_window == 0:  # Wireshark's zero window probe
        d.zero_window_probes += 1
        d.probe_pending = True


def place_bytes(d: Direction, p: Packet, pos: int, end: int) -> None:
    """Bytes are new, fill a hole, or were seen before; the three add up to the length."""
    key, skipped = note_messages(d, p)
    if pos > d.next_pos:
        reveal(d, p, pos, skipped)
    fresh = max(0, end - max(pos, d.next_pos))
    filled, hole = fill_holes(d, p, pos, end)
    again = end - pos - fresh - filled
    d.new_bytes += fresh
    d.filling_bytes += filled
    d.again_bytes += again
    if hole is not None:
        note_filling(d, p, hole, key)
    elif again and not fresh:
        note_repeat(d, p, end, key)
    if d.episode is not None:
        note_sending(d.episode, p, pos, end, fresh, key)
    d.next_pos = max(d.next_pos, end)


def reveal(d: Direction, p: Packet, pos: int, skipped: int) -> None:
    """A segment beyond what comes next shows a hole; where the capture began in mid-stream it shows nothing."""
    if d.data_segments <= 1 and not d.isn_known:
        d.next_pos = pos
        return
    hole = open_hole(d, p, pos)
    hole.esp_missing = skipped
    size = (hole.end - hole.start) // max(1, skipped)
    if d.smallest_missing_len == NEVER or size < d.smallest_missing_len:
        d.smallest_missing_len = size


def note_filling(d: Direction, p: Packet, hole: Hole, key: int) -> None:
    """Sent again, or the late original?  By ESP number, else by IP ID, else by time, else undecided."""
    if key == Key.LATE:
        d.late_originals += 1
    elif key == Key.REPEATED:
        d.retransmissions += 1
    elif key == Key.NEWEST:
        d.rewrites += 1
    elif ids_count(d) and p.ip_id > 0 and hole.opener_ip_id > 0:
        earlier = (p.ip_id - hole.opener_ip_id) & 0xFFFF >= 0x8000
        d.late_originals += earlier
        d.retransmissions += not earlier
    elif p.time_ns - hole.opened_ns < REORDER_NS:
        d.late_originals += 1
    elif d.episode is not None:
        d.retransmissions += 1
    else:
        d.undecided_repeats += 1


def ids_count(d: Direction) -> bool:
    """Whether this sender numbers its datagrams: most IDs are a little above the one before."""
    return d.ids_rising >= 3 and d.ids_rising > 4 * d.ids_other


def note_repeat(d: Direction, p: Packet, end: int, key: int) -> None:
    """Nothing but bytes seen before: sent again, unless another message sits in their place."""
    if key == Key.NEWEST:
        d.rewrites += 1
        return
    if key == Key.LATE:  # not seen before: its bytes lie before a capture's beginning, or in a hole let go
        d.late_originals += 1
        return
    d.retransmissions += 1
    if p.payload_len and d.acked_pos != NEVER and end <= d.acked_pos:
        d.spurious_retransmissions += 1


# --- holes ---------------------------------------------------------------------------------


def open_hole(d: Direction, p: Packet, pos: int) -> Hole:
    d.holes_opened += 1
    if len(d.live) == LIVE_HOLES:
        let_go(d)
    before = d.previous_data_frame if p.payload_len else d.data_last_frame
    hole = Hole(d.next_pos, pos, p.frame, p.time_ns, before, p.ip_id)
    d.live.append(hole)
    d.unacked_holes += 1
    return hole


def let_go(d: Direction) -> None:
    """Forget the oldest hole, but never the one that the peer is asking for."""
    oldest = d.live[0]
    hole = d.live.pop(1 if oldest.start <= d.acked_pos < oldest.end else 0)
    d.holes_forgotten += 1
    d.unacked_holes -= hole.acked_frame == NEVER
    keep_hole(d, hole)


def keep_hole(d: Direction, hole: Hole) -> None:
    d.kept_holes.append(hole)
    del d.kept_holes[:-HOLES_KEPT]


def fill_holes(d: Direction, p: Packet, pos: int, end: int) -> tuple[int, Hole | None]:
    """Bytes of [pos, end) that lay in holes, and the lowest hole that it touched."""
    filled, lowest = 0, None
    for hole in [hole for hole in d.live if hole.start < end and pos < hole.end]:
        filled += min(end, hole.end) - max(pos, hole.start)
        lowest = lowest or hole
        fill_hole(d, p, hole, pos, end)
    return filled, lowest


def fill_hole(d: Direction, p: Packet, hole: Hole, pos: int, end: int) -> None:
    """Close, shorten or split one hole."""
    if pos <= hole.start and hole.end <= end:
        close_hole(d, p, hole)
    elif pos <= hole.start:
        hole.start = end
    elif hole.end <= end:
        hole.end = pos
    else:
        split_hole(d, hole, pos, end)


def close_hole(d: Direction, p: Packet, hole: Hole) -> None:
    d.live.remove(hole)
    d.holes_filled += 1
    d.unacked_holes -= hole.acked_frame == NEVER
    hole.filled_frame, hole.filled_ns = p.frame, p.time_ns
    keep_hole(d, hole)


def split_hole(d: Direction, hole: Hole, pos: int, end: int) -> None:
    """Filled in the middle: two are left, or the lower one where the table is full."""
    if len(d.live) == LIVE_HOLES:
        d.holes_forgotten += 1
    else:
        upper = Hole(end, hole.end, hole.opened_frame, hole.opened_ns, hole.before_frame, hole.opener_ip_id)
        upper.acked_frame, upper.acked_ns = hole.acked_frame, hole.acked_ns
        d.unacked_holes += upper.acked_frame == NEVER
        d.live.insert(d.live.index(hole) + 1, upper)
    hole.end = pos


# --- ACKs ----------------------------------------------------------------------------------


def take_ack(d: Direction, p: Packet, keep_alive: bool) -> None:
    """Take the peer's cumulative ACK `p` for the data of `d`."""
    if not d.anchored:
        d.anchor_at(p.ack, MID_STREAM)
    pos = d.place(p.ack)
    if d.is_far(pos):
        d.strays += 1
        return
    if pos > d.next_pos:
        note_unseen(d, p, pos)
    if d.acked_pos == NEVER or pos > d.acked_pos:
        advance(d, p, pos)
    elif pos == d.acked_pos:
        take_repeated_ack(d, p, keep_alive)
    else:
        d.old_acks += 1
    if not p.flags & Tcp.SYN or p.window_scale == NEVER:  # a SYN's own window is not scaled (RFC 7323 §2.2)
        d.last_ack_window = p.window
    d.data_at_last_ack = d.data_segments


def note_unseen(d: Direction, p: Packet, pos: int) -> None:
    """An ACK for bytes that this capture does not hold: a gap if the receiver only acknowledges what it has."""
    d.unseen_acks += 1
    last = d.live[-1] if d.live else None
    if last is not None and last.end == d.next_pos and last.acked_frame != NEVER:
        last.end = pos
    elif d.data_segments or d.isn_known:
        open_hole(d, p, pos)
    d.next_pos = pos


def advance(d: Direction, p: Packet, pos: int) -> None:
    """The peer acknowledges more than ever before: what it asked for is settled."""
    if d.episode is not None:
        d.episode.passed_frame, d.episode.passed_ns = p.frame, p.time_ns
        keep_episode(d, d.episode)
        d.episode = None
    if d.unacked_holes:
        mark_acked(d, p, pos)
    d.acked_pos, d.acked_frame, d.acked_ns = pos, p.frame, p.time_ns


def mark_acked(d: Direction, p: Packet, pos: int) -> None:
    for hole in d.live:
        if hole.acked_frame == NEVER and hole.start < pos:
            hole.acked_frame, hole.acked_ns = p.frame, p.time_ns
            d.unacked_holes -= 1
            d.holes_acked_past += 1


def keep_episode(d: Direction, episode: Episode) -> None:
    d.kept_episodes.append(episode)
    del d.kept_episodes[:-EPISODES_KEPT]


def take_repeated_ack(d: Direction, p: Packet, keep_alive: bool) -> None:
    """The highest ACK once more: a question, or one of the things that look like it."""
    duplicate = is_duplicate_ack(d, p, keep_alive)
    news = note_sacks(d, p) if p.sacks else False
    if duplicate or news:
        if d.episode is None:
            d.episode = Episode(d.acked_pos, d.next_pos - d.acked_pos, not d.lacks(d.acked_pos))
            d.episodes += 1
        d.duplicate_acks += duplicate
        d.sack_duplicate_acks += news
        d.episode.ask(p, duplicate, news, prompted=d.data_segments > d.data_at_last_ack)
    elif d.episode is not None:
        d.episode.note_repeated(p)
    if d.episode is not None and p.sacks:
        d.episode.note_sacked(min(d.place(left) for left, _ in p.sacks))


def is_duplicate_ack(d: Direction, p: Packet, keep_alive: bool) -> bool:
    """RFC 5681 §2 (a) to (e); (d), the greatest ACK received, is what the caller asked already.

    What Wireshark names otherwise is counted under its own name and is no duplicate
    ACK: keep-alives and their answers, window updates, answers to zero window probes.
    """
    if p.payload_len or p.flags & OPENING:  # (b) no data, (c) SYN and FIN off
        return False
    if keep_alive:
        return False
    if p.window != d.last_ack_window:  # (e) the window of the last ACK
        d.window_updates += d.last_ack_window != NEVER
        return False
    if d.keep_alive_pending:
        d.keep_alive_acks += 1
        return False
    if p.window == 0:  # a closed window is repeated for its own sake (RFC 9293 §3.8.6.1)
        d.zero_window_probe_acks += d.probe_pending
        return False
    if d.next_pos <= d.acked_pos:  # (a) outstanding data
        d.idle_acks += 1
        return False
    return True


def note_sacks(d: Direction, p: Packet) -> bool:
    """RFC 6675 §2: the segment SACKs octets above HighACK that were not SACKed before.

    As far as the highest SACKed octet tells; the RFC compares with every octet.
    """
    blocks = [(d.place(left), d.place(right)) for left, right in p.sacks]
    first = blocks[0]
    inside_second = len(blocks) > 1 and blocks[1][0] <= first[0] and first[1] <= blocks[1][1]
    if first[1] <= d.acked_pos or inside_second:  # RFC 2883 §4: a D-SACK reports what came twice
        d.dsacks += 1
    highest = max(right for left, right in blocks if left < right) if any(a < b for a, b in blocks) else NEVER
    if highest <= max(d.sacked_to, d.acked_pos) or highest > d.next_pos:
        return False
    d.sacked_to = highest
    return True


def note_sending(episode: Episode, p: Packet, pos: int, end: int, fresh: int, key: int) -> None:
    """What the sender does while it is being asked."""
    if pos <= episode.wanted < end:
        if key == Key.NEWEST:
            episode.rewritten_frame = p.frame if episode.rewritten_frame == NEVER else episode.rewritten_frame
        elif episode.answered_frame == NEVER:
            episode.answered_frame, episode.answered_ns = p.frame, p.time_ns
    if fresh and p.payload_len:
        episode.new_segments += 1
        episode.new_last_frame, episode.new_last_ns = p.frame, p.time_ns
        if episode.new_first_frame == NEVER:
            episode.new_first_frame = p.frame


# --- what the payload shows ------------------------------------------------------------------


def note_payload(flow: Flow, d: Direction, p: Packet) -> None:
    """Count trailers, signatures and ESP-like counters; begin the log where it looks like cTCP."""
    match p.trailer:
        case Trailer.CISCO:
            d.trailer_cisco += 1
        case Trailer.WEAK:
            note_weak(d, p.magic)
        case Trailer.CUT_OFF:
            d.trailer_cut_off += 1
            note_head(d, p)
        case _:
            d.trailer_absent += 1
    if p.signature:
        d.signatures += 1
        d.signature = d.signature or p.signature
    if p.trailer in (Trailer.CISCO, Trailer.WEAK) or d.run >= WATCHED_RUN:
        flow.watched = 1


def note_ike_while_asked(d: Direction, peer: Direction, p: Packet) -> None:
    """IKE goes on while a question is open: dead-peer detection, and in the end a farewell."""
    messages = sum(message.kind == Kind.IKE for message in p.messages)
    if d.episode is not None:
        d.episode.sender_ike += messages
    if peer.episode is not None:
        peer.episode.peer_ike += messages


def note_weak(d: Direction, magic: int) -> None:
    if not d.trailer_weak:
        d.weak_magic = magic
    d.trailer_weak += 1
    d.weak_same_magic += magic == d.weak_magic


def note_head(d: Direction, p: Packet) -> None:
    """Class C of ctcp-protocol §1.2: the first word stays, the second rises."""
    if p.captured_payload_len < 8 or p.head[0] == IKE_PORTS:
        return
    spi, seq = d.last_head
    if p.head[0] == spi and 0 < p.head[1] - seq <= ESP_RUN_STEP:
        d.run += 1
    else:
        d.esp_breaks += spi != NEVER
        d.run = 1
    d.esp_run = max(d.esp_run, d.run)
    d.last_head = p.head


def note_messages(d: Direction, p: Packet) -> tuple[int, int]:
    """Count the messages; (Key of the first ESP one, ESP numbers skipped before it)."""
    if not p.messages:
        return note_headless(d, p)
    d.messages += len(p.messages)
    d.merged_segments += len(p.messages) > 1
    key, skipped = int(Key.NONE), 0
    for message in p.messages:
        if message.kind == Kind.IKE:
            note_ike(d, p, message)
            continue
        this, before = note_esp(d, message.spi, message.esp_seq, p.frame)
        if key == Key.NONE:
            key, skipped = this, before
    return key, skipped


def note_headless(d: Direction, p: Packet) -> tuple[int, int]:
    """The trailer was not captured; in a run of ESP-like heads the head is taken for ESP's."""
    if p.trailer != Trailer.CUT_OFF or d.run < WATCHED_RUN or p.head != d.last_head:
        return Key.NONE, 0
    return note_esp(d, p.head[0], p.head[1], p.frame)


def note_esp(d: Direction, spi: int, seq: int, frame: int) -> tuple[int, int]:
    d.esp_messages += 1
    for one in d.kept_associations:
        if one.spi == spi:
            return one.take(seq, frame)
    if len(d.kept_associations) == ASSOCIATIONS_KEPT:
        oldest = min(d.kept_associations, key=lambda one: one.last_frame)
        d.kept_associations.remove(oldest)
        d.esp_missing += oldest.missing
        d.esp_repeats += oldest.repeats
    d.kept_associations.append(Association(spi, seq, frame))
    d.associations += 1
    return Key.NEWEST, 0


def note_ike(d: Direction, p: Packet, message: Message) -> None:
    d.ike_messages += 1
    d.ike_opened += message.from_initiator
    d.ike_repeats += message.print64 == d.last_ike_print
    d.last_ike_print = message.print64
    d.last_ike_frame, d.last_ike_ns, d.last_ike_exchange = p.frame, p.time_ns, message.exchange
