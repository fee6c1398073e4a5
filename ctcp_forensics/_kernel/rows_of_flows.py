"""Rows of followed flows: two directions, their episodes, holes, associations, and segments where they are logged.

Knows fields and units; positions and NEVER are as in rows.  Does not know what any of it means: see flows.
"""

from __future__ import annotations

from ctcp_forensics._kernel.caps import ASSOCIATIONS_KEPT, EPISODES_KEPT, HOLES_KEPT
from ctcp_forensics._kernel.row import NamedTuple


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
    rst_last_frame: int
    """The last of these."""
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


def was_bared(row: DirectionRow, holes: int, episodes: int, associations: int) -> bool:
    """Fewer pieces are kept than there were and than one direction may keep: they made room for those of others."""
    return (
        holes < min(row.holes_opened, HOLES_KEPT)
        or episodes < min(row.episodes, EPISODES_KEPT)
        or associations < min(row.associations, ASSOCIATIONS_KEPT)
    )


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
    sender_ike_asked_ns: int
    """When the sender had sent IKE_ASKS of them."""
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
