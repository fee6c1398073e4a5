"""Wireshark's definitions: what it keeps of each end of a connection, and which labels follow from it.

Written from the documentation of its display filter fields and from its answers; they are here so that a
difference can be explained, and are checked against tshark in tests.  Compares numbers only: it knows
no IP identification, no ESP message and no hole.  Does not run tshark: see tshark.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from ctcp_forensics._kernel.rows import Packet, Tcp

MASK32 = 0xFFFF_FFFF
HALF_SPACE = 1 << 31
OPENING = Tcp.SYN | Tcp.FIN | Tcp.RST


class Kind(StrEnum):
    """Facts about one segment that both programs label."""

    DUPLICATE_ACK = "duplicate ACK"
    AGAIN = "sent again or out of order"
    LOST = "previous segment not captured"
    UNSEEN = "ACKed unseen segment"
    ZERO_WINDOW = "zero window"
    KEEP_ALIVE = "keep-alive"
    WINDOW_UPDATE = "window update"


class Sight(NamedTuple):
    """What Wireshark knew when the segment came, and the labels that its definitions give it."""

    next_seq: int | None
    """Of the sender: behind the highest byte it sent, by its own segments alone."""
    last_ack: int | None
    """Of the sender: the last one, be it the highest or not."""
    last_was_syn: bool
    peer_next_seq: int | None
    labels: frozenset[Kind]


@dataclass(slots=True)
class End:
    """One end of a connection, as Wireshark remembers it."""

    next_seq: int | None = None
    last_ack: int | None = None
    window: int | None = None
    last_was_syn: bool = False
    sent_keep_alive: bool = False
    sent_probe: bool = False


class Wireshark:
    """Looks at segments in the order of the capture."""

    def __init__(self) -> None:
        self._ends: dict[tuple[int, int], End] = {}

    def look(self, packet: Packet, wire_len: int, sender: tuple[int, int], peer: tuple[int, int]) -> Sight:
        """Label one segment.  `wire_len` is its payload as far as the frame reaches, whatever IP says."""
        mine = self._ends.setdefault(sender, End())
        theirs = self._ends.setdefault(peer, End())
        p = packet._replace(payload_len=wire_len)
        labels = frozenset(kind for kind, is_it in DEFINITIONS.items() if is_it(p, mine, theirs))
        sight = Sight(mine.next_seq, mine.last_ack, mine.last_was_syn, theirs.next_seq, labels)
        remember(p, mine, theirs)
        return sight


def remember(p: Packet, mine: End, theirs: End) -> None:
    is_probe = is_zero_window_probe(p, mine, theirs)
    is_alive = is_keep_alive(p, mine, theirs)
    end = (p.seq + numbers(p)) & MASK32
    if not is_probe and (mine.next_seq is None or is_beyond(end, mine.next_seq)):
        mine.next_seq = end
    mine.last_ack, mine.window, mine.last_was_syn = p.ack, p.window, bool(p.flags & Tcp.SYN)
    mine.sent_keep_alive, mine.sent_probe = is_alive, is_probe


def numbers(p: Packet) -> int:
    """Sequence numbers that a segment takes, RFC 9293 §3.4."""
    return p.payload_len + bool(p.flags & Tcp.SYN) + bool(p.flags & Tcp.FIN)


def is_beyond(one: int, other: int) -> bool:
    """Serial arithmetic, RFC 9293 §3.4."""
    return 0 < (one - other) & MASK32 < HALF_SPACE


# --- its definitions, each of a segment and of what it knows of the sender and the other end --------


def is_zero_window_probe(p: Packet, mine: End, theirs: End) -> bool:
    """One byte, next in order, into a closed window."""
    return p.payload_len == 1 and numbers(p) == 1 and p.seq == mine.next_seq and theirs.window == 0


def is_keep_alive(p: Packet, mine: End, theirs: End) -> bool:
    """No more than a byte, one below what comes next."""
    if mine.next_seq is None or p.flags & OPENING or is_zero_window_probe(p, mine, theirs):
        return False
    return p.payload_len <= 1 and p.seq == (mine.next_seq - 1) & MASK32


def repeats_the_last_ack(p: Packet, mine: End) -> bool:
    """No data, no SYN, FIN or RST, in order, and the acknowledgment number of the segment before."""
    is_bare = not p.payload_len and not p.flags & OPENING
    return is_bare and p.seq == mine.next_seq and p.ack == mine.last_ack


def is_duplicate_ack(p: Packet, mine: End, theirs: End) -> bool:
    """The last ACK with the last window, not zero.  Whether data is outstanding is not asked."""
    return (
        repeats_the_last_ack(p, mine)
        and p.window != 0
        and p.window == mine.window
        and not theirs.sent_keep_alive
    )


def is_window_update(p: Packet, mine: End, theirs: End) -> bool:
    """The last ACK with another window, not zero."""
    return repeats_the_last_ack(p, mine) and p.window not in (0, mine.window)


def is_zero_window(p: Packet, mine: End, theirs: End) -> bool:
    return p.window == 0 and not p.flags & OPENING and not is_zero_window_probe(p, mine, theirs)


def starts_beyond(p: Packet, mine: End, theirs: End) -> bool:
    """Above what comes next, by the sender's own segments."""
    return mine.next_seq is not None and is_beyond(p.seq, mine.next_seq) and not p.flags & Tcp.RST


def starts_below(p: Packet, mine: End, theirs: End) -> bool:
    """Its retransmissions (fast and spurious among them) and its out-of-order segments together.

    They have in common that the segment takes numbers and begins below what comes next, or lies below
    the other end's last ACK as a whole.
    """
    if not numbers(p) or is_keep_alive(p, mine, theirs) or is_zero_window_probe(p, mine, theirs):
        return False
    if mine.next_seq is not None and is_beyond(mine.next_seq, p.seq):
        is_opening = bool(p.flags & OPENING)
        return is_opening or p.seq != (mine.next_seq - 1) & MASK32  # data that overlaps by one number passes
    end = (p.seq + p.payload_len) & MASK32
    return bool(p.payload_len and theirs.last_ack) and not is_beyond(end, theirs.last_ack or 0)


DEFINITIONS = {
    Kind.DUPLICATE_ACK: is_duplicate_ack,
    Kind.AGAIN: starts_below,
    Kind.LOST: starts_beyond,
    Kind.ZERO_WINDOW: is_zero_window,
    Kind.KEEP_ALIVE: is_keep_alive,
    Kind.WINDOW_UPDATE: is_window_update,
}
"""All but `ACKed unseen segment`, for which it keeps the highest byte without a gap, by rules of its own."""
