"""State: what is remembered of a flow, in fixed room: directions, holes, episodes, associations.

Knows what each thing is.  Does not know when it changes: see the rooms beside it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from ctcp_forensics._kernel.caps import CLOSE_ASK_NS, DUP_ACK_FRAMES_KEPT
from ctcp_forensics._kernel.rows import (
    NEVER,
    AssociationRow,
    DirectionRow,
    EpisodeRow,
    FlowRow,
    HoleRow,
    Packet,
    ResetRow,
    Signature,
    Tcp,
)

MASK32: Final = 0xFFFF_FFFF
HALF_SPACE: Final = 1 << 31
STRAY_DISTANCE: Final = 1 << 30
"""The largest window there is (RFC 7323 §2.3): beyond it a segment is not of this sequence space."""
MOST_OVERRUNS: Final = 3
"""Counted no further: once and twice may be a full buffer, the third time it is a habit."""
ESP_WINDOW: Final = 64
"""Anti-replay window that RFC 4303 §3.4.3 recommends: how far back a repeated message is recognised."""
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
        self.close_asks = 0
        self.piggybacked = 0
        self.piggybacked_last_ns = NEVER
        self.last_asked_ns = NEVER
        self.new_segments = 0
        self.new_first_frame = self.new_last_frame = self.new_last_ns = NEVER
        self.sacked_left = NEVER
        self.ttl_min = self.ttl_max = NEVER
        self.window = NEVER
        self.sender_ike = self.peer_ike = 0
        self.sender_ike_asked_ns = NEVER
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
        self.close_asks += interval_ns <= CLOSE_ASK_NS

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
            self.close_asks,
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
            self.sender_ike_asked_ns,
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
    max_payload_len = sack_permitted = windows_seen = window_overruns = pushes = ids_rising = ids_other = (
        pure_acks
    ) = 0
    duplicate_acks = sack_duplicate_acks = dsacks = keep_alives = keep_alive_acks = window_updates = 0
    zero_windows = zero_window_probes = zero_window_probe_acks = old_acks = unseen_acks = idle_acks = 0
    episodes = rst_has_ack = rsts = 0
    trailer_cisco = trailer_weak = trailer_absent = trailer_cut_off = weak_magic = weak_same_magic = 0
    esp_run = esp_breaks = signatures = messages = merged_segments = 0
    ike_messages = ike_repeats = ike_opened = last_ike_exchange = esp_messages = esp_missing = esp_repeats = 0
    associations = checksums_right = checksums_wrong = 0
    signature: int = Signature.NONE

    first_frame = last_frame = first_ns = last_ns = acked_pos = acked_ns = acked_frame = NEVER
    data_first_frame = data_last_frame = data_last_ns = smallest_missing_len = NEVER
    retransmitted_frame = NEVER
    mss = window_scale = first_window = last_window = ttl_min = ttl_max = data_ttl = NEVER
    fin_frame = fin_ns = rst_last_frame = NEVER
    rst_frame = rst_ns = rst_ttl = rst_window = rst_ip_id = rst_seq_pos = NEVER
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

    def __init__(self, p: Packet, *, watched: bool = False) -> None:
        self.src, self.dst, self.sport, self.dport = p.src, p.dst, p.sport, p.dport
        self.first_frame = p.frame
        self.first_ns = self.last_ns = self.previous_ns = p.time_ns
        self.last_frame = p.frame
        self.frames = 0
        self.originator = NEVER
        self.syn_frame = self.syn_ack_frame = NEVER
        self.syns = 0
        self.watched = int(watched)
        self.longest_silence_ns = 0
        self.silence_from_frame = self.silence_to_frame = self.silence_to_direction = NEVER
        self.tail_direction = self.tail_first_frame = self.tail_first_ns = NEVER
        self.tail_frames = self.tail_data_segments = 0
        self.data_tail_direction = self.data_tail_first_frame = self.data_tail_first_ns = NEVER
        self.data_tail_segments = 0
        self.directions = (Direction(), Direction())
        self.resets: list[ResetRow] = []

    def side_of(self, p: Packet) -> int:
        return 0 if (p.src, p.sport) == (self.src, self.sport) else 1

    def row(self) -> FlowRow:
        return FlowRow(**{name: getattr(self, name) for name in FlowRow._fields})
