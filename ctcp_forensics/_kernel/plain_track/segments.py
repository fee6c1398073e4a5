"""Segments: where one lies in the sequence space, and what its bytes are: new, filling, or seen before."""

from __future__ import annotations

from typing import Final

from ctcp_forensics._kernel.plain_track.acks import take_ack
from ctcp_forensics._kernel.plain_track.holes import fill_holes, open_hole
from ctcp_forensics._kernel.plain_track.payload import (
    note_checksum,
    note_ike_while_asked,
    note_messages,
    note_payload,
)
from ctcp_forensics._kernel.plain_track.state import OPENING, Direction, Episode, Flow, Hole, Key
from ctcp_forensics._kernel.rows import MID_STREAM, NEVER, Packet, Tcp

REORDER_NS: Final = 3_000_000
"""Wireshark's out-of-order limit, 3 ms: sooner than that nobody has asked yet."""


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
        if flow.watched:
            note_checksum(d, p)
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
        open_hole(d, p, pos, d.data_last_frame)
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
    hole = open_hole(d, p, pos, d.previous_data_frame if p.payload_len else d.data_last_frame)
    hole.esp_missing = skipped
    size = (hole.end - hole.start) // max(1, skipped)
    if d.smallest_missing_len == NEVER or size < d.smallest_missing_len:
        d.smallest_missing_len = size


def note_filling(d: Direction, p: Packet, hole: Hole, key: int) -> None:
    """Sent again, or the late original?  By ESP number, by IP ID, by time, else undecided.

    An ESP number that comes for the first time may belong to what was lost before this place and sent again behind it:
    its IP ID is a new one then.
    """
    if key == Key.REPEATED:
        note_retransmission(d, p)
    elif key == Key.NEWEST:
        d.rewrites += 1
    elif ids_count(d) and p.ip_id > 0 and hole.opener_ip_id > 0:
        if (p.ip_id - hole.opener_ip_id) & 0xFFFF >= 0x8000:
            d.late_originals += 1
        else:
            note_retransmission(d, p)
    elif key == Key.LATE or p.time_ns - hole.opened_ns < REORDER_NS:
        d.late_originals += 1
    elif d.episode is not None:
        note_retransmission(d, p)
    else:
        d.undecided_repeats += 1


def note_retransmission(d: Direction, p: Packet) -> None:
    d.retransmissions += 1
    if d.retransmitted_frame == NEVER:
        d.retransmitted_frame = p.frame


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
    note_retransmission(d, p)
    if p.payload_len and d.acked_pos != NEVER and end <= d.acked_pos:
        d.spurious_retransmissions += 1


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
