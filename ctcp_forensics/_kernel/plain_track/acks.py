"""ACKs: what the peer acknowledges, and what it asks for again and again."""

from __future__ import annotations

from ctcp_forensics._kernel.caps import EPISODES_KEPT
from ctcp_forensics._kernel.plain_track.holes import open_hole
from ctcp_forensics._kernel.plain_track.state import MOST_OVERRUNS, OPENING, Direction, Episode
from ctcp_forensics._kernel.rows import MID_STREAM, NEVER, Packet, Tcp


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
        hole = open_hole(d, p, pos, d.data_last_frame)
        hole.opener_ip_id = NEVER  # the ACK's ID is of the other end's counter
    d.next_pos = pos


def advance(d: Direction, p: Packet, pos: int) -> None:
    """The peer acknowledges more than ever before: what it asked for is settled."""
    if d.episode is not None:
        d.episode.passed_frame, d.episode.passed_ns = p.frame, p.time_ns
        keep_episode(d, d.episode)
        d.episode = None
    if d.unacked_holes:
        mark_acked(d, p, pos)
    if NEVER not in (d.acked_pos, d.last_ack_window) and pos - d.acked_pos > d.last_ack_window:
        d.window_overruns = min(d.window_overruns + 1, MOST_OVERRUNS)
    if p.sacks:  # SACKed already, whatever a repetition of this ACK may say
        d.sacked_to = max(d.sacked_to, highest_sacked(d, p))
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


def highest_sacked(d: Direction, p: Packet) -> int:
    """The position after the highest octet that this ACK SACKs; NEVER where its blocks are empty."""
    blocks = [(d.place(left), d.place(right)) for left, right in p.sacks]
    highest = max((right for left, right in blocks if left < right), default=NEVER)
    return highest if highest <= d.next_pos else NEVER


def note_sacks(d: Direction, p: Packet) -> bool:
    """RFC 6675 §2: the segment SACKs octets above HighACK that were not SACKed before.

    As far as the highest SACKed octet tells; the RFC compares with every octet.
    """
    blocks = [(d.place(left), d.place(right)) for left, right in p.sacks]
    first = blocks[0]
    inside_second = len(blocks) > 1 and blocks[1][0] <= first[0] and first[1] <= blocks[1][1]
    if first[1] <= d.acked_pos or inside_second:  # RFC 2883 §4: a D-SACK reports what came twice
        d.dsacks += 1
    highest = highest_sacked(d, p)
    if highest <= max(d.sacked_to, d.acked_pos):
        return False
    d.sacked_to = highest
    return True
