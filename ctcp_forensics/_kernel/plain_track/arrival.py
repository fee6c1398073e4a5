"""Arrival: who sent a segment, when, and whether the network doubled it."""

from __future__ import annotations

from typing import Final

from ctcp_forensics._kernel.caps import RESETS_KEPT
from ctcp_forensics._kernel.plain_track.state import OPENING, STRAY_DISTANCE, Direction, Flow, Sighting
from ctcp_forensics._kernel.rows import NEVER, Packet, ResetRow, Tcp

COPY_WINDOW_NS: Final = 50_000_000
"""A frame doubled by the network, a SPAN port or a second interface follows within its queues: 50 ms."""
COPY_WITHOUT_ID_NS: Final = 100_000
"""100 µs: two captures of one frame in one host; a sender that repeats itself waits a round trip at least."""
FORGOTTEN_NS: Final = 400_000_000
"""After a pause as long as this nothing is doubled any more, so nothing from before it is remembered."""
COPIES_REMEMBERED: Final = 4
ID_STEP: Final = 1000
"""A counter of IP identifications rises by less than this between two segments of one flow."""


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
    if abs(p.time_ns - d.last_ns) > FORGOTTEN_NS:
        d.recent.clear()
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
    sooner than any sender could repeat itself is taken for one; and of pure ACKs, which
    come back in a burst where data went out in a burst, only where other frames are doubled too.
    """
    window_ns = COPY_WINDOW_NS if p.ip_id > 0 else COPY_WITHOUT_ID_NS
    mark = (p.ip_id, p.seq, p.ack, p.flags, p.payload_len, p.window, p.print64)
    for sighting in d.recent:
        close = abs(p.time_ns - sighting.time_ns) <= window_ns
        unprompted = p.payload_len or sighting.peer_data_segments == peer.data_segments
        if sighting.mark == mark and close and unprompted and not brings_news(d, peer, p):
            return p.ip_id > 0 or p.payload_len > 0 or are_doubled(d, peer)
    d.recent.append(Sighting(mark, p.time_ns, peer.data_segments))
    del d.recent[:-COPIES_REMEMBERED]
    return False


def brings_news(d: Direction, peer: Direction, p: Packet) -> bool:
    """Bytes that come next, or an ACK that says more than any before, and nothing else: no copy of a segment does.

    Its original would have moved what comes next, so only numbers that went once around in the meantime can look so.
    """
    if p.flags & (OPENING | Tcp.ACK) != Tcp.ACK or not (d.anchored and peer.anchored):
        return False
    ack_pos = peer.place(p.ack)
    return (
        d.place(p.seq) == d.next_pos
        and 0 <= peer.next_pos - ack_pos <= STRAY_DISTANCE
        and ack_pos - peer.acked_pos >= (not p.payload_len)
    )


def are_doubled(d: Direction, peer: Direction) -> bool:
    """A capture that doubles frames has doubled one of the first."""
    return d.copies + peer.copies > 0 or d.frames <= COPIES_REMEMBERED


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
    d.rst_last_frame = p.frame
    if d.rst_frame != NEVER:
        return
    d.rst_frame, d.rst_ns = p.frame, p.time_ns
    d.rst_ttl, d.rst_window, d.rst_ip_id = p.ttl, p.window, p.ip_id
    d.rst_has_ack = int(bool(p.flags & Tcp.ACK))
    d.rst_seq_pos = d.place(p.seq) if d.anchored else NEVER


def keep_reset(flow: Flow, d: Direction, side: int, p: Packet) -> None:
    """The first of both directions together: what an ending was made of, for comparing it with another capture."""
    if len(flow.resets) < RESETS_KEPT:
        seq_pos = d.place(p.seq) if d.anchored else NEVER
        has_ack = int(bool(p.flags & Tcp.ACK))
        flow.resets.append(ResetRow(side, p.frame, p.time_ns, p.ttl, p.ip_id, p.window, seq_pos, has_ack))
