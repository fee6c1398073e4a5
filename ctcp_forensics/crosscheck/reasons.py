"""Reasons: the rules by which two honest programs give one segment different labels.

Each is a sentence, the labels it concerns, whose label it is, and a check on what the segment did here.
A difference that no rule explains is said to be unexplained: it is a fault of one of the two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ctcp_forensics._kernel.rows import Tcp
from ctcp_forensics.crosscheck.labels import By, Seen
from ctcp_forensics.crosscheck.wireshark import Kind, is_beyond


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Why one of the two gives a label and the other does not."""

    slug: str
    says: str
    kinds: frozenset[Kind]
    by: frozenset[By]
    holds: Callable[[Seen], bool]


EITHER = frozenset(By)
OURS = frozenset({By.US})
TSHARK = frozenset({By.TSHARK})
ANY_KIND = frozenset(Kind)


def explanation(seen: Seen, kind: Kind, by: By) -> Rule | None:
    """The first rule that explains the difference; None where none does."""
    return next(
        (rule for rule in RULES if kind in rule.kinds and by in rule.by and rule.holds(seen)),
        None,
    )


# --- checks ------------------------------------------------------------------------------------


def is_copy(seen: Seen) -> bool:
    return "copies" in seen.own


def comes_after_a_reset(seen: Seen) -> bool:
    return seen.own_row.rsts > 0 or seen.peer_row.rsts > 0


def is_stray(seen: Seen) -> bool:
    return "strays" in seen.own or "strays" in seen.peer


def was_led_astray(seen: Seen) -> bool:
    return seen.own_row.strays > 0 or seen.peer_row.strays > 0


def is_reset(seen: Seen) -> bool:
    return bool(seen.packet.flags & Tcp.RST)


def asks_for_nothing(seen: Seen) -> bool:
    return "idle_acks" in seen.peer


def reports_what_came_twice(seen: Seen) -> bool:
    return "dsacks" in seen.peer


def is_keep_alive_or_its_answer(seen: Seen) -> bool:
    return "keep_alives" in seen.own or "keep_alive_acks" in seen.peer


def follows_a_syn(seen: Seen) -> bool:
    return seen.sight.last_was_syn


def sacks_more(seen: Seen) -> bool:
    return "sack_duplicate_acks" in seen.peer


def is_below_the_highest_ack(seen: Seen) -> bool:
    return "old_acks" in seen.peer


def last_ack_was_not_the_highest(seen: Seen) -> bool:
    return seen.packet.ack != seen.sight.last_ack


def number_is_not_next(seen: Seen) -> bool:
    return seen.packet.seq != seen.sight.next_seq


def is_below_what_comes_next(seen: Seen) -> bool:
    next_seq = seen.sight.next_seq
    return next_seq is not None and is_beyond(next_seq, seen.packet.seq)


def fills_what_an_ack_told_of(seen: Seen) -> bool:
    return "filling_bytes" in seen.own and not is_below_what_comes_next(seen)


def repeats_what_an_ack_told_of(seen: Seen) -> bool:
    return "again_bytes" in seen.own and not is_below_what_comes_next(seen)


def was_told_by_an_ack(seen: Seen) -> bool:
    return seen.own_row.unseen_acks > 0


def begins_in_mid_stream(seen: Seen) -> bool:
    """The first data of a sender whose SYN is missing, or ACKs for one that had sent none."""
    if "unseen_acks" not in seen.peer and not seen.peer_row.isn_known and not seen.peer_row.data_segments:
        return True
    return seen.own_row.data_segments == 1 and not seen.own_row.isn_known


def peer_was_never_seen(seen: Seen) -> bool:
    return seen.sight.peer_next_seq is None


def acknowledges_past_a_hole(seen: Seen) -> bool:
    """The byte was seen, behind a hole: Wireshark's highest byte without a gap lies below it."""
    highest = seen.sight.peer_next_seq
    return highest is not None and not is_beyond(seen.packet.ack, highest)


def was_counted_before(seen: Seen) -> bool:
    return seen.peer_row.unseen_acks > 0


def was_probed(seen: Seen) -> bool:
    return seen.peer_row.zero_window_probes > 0


def gap_had_been_told_of(seen: Seen) -> bool:
    return seen.peer_row.unseen_acks > 1


def has_short_frames(seen: Seen) -> bool:
    return seen.has_short_frames


RULES = (
    Rule(
        slug="copy",
        says="the same datagram twice (equal IP ID, within 50 ms): a copy made by the network or the "
        "capture, which nobody sent again; Wireshark compares sequence numbers only",
        kinds=ANY_KIND,
        by=TSHARK,
        holds=is_copy,
    ),
    Rule(
        slug="keep-alive",
        says="a keep-alive or the answer to one; it asks for nothing",
        kinds=frozenset({Kind.DUPLICATE_ACK, Kind.KEEP_ALIVE}),
        by=EITHER,
        holds=is_keep_alive_or_its_answer,
    ),
    Rule(
        slug="nothing-outstanding",
        says="RFC 5681 §2 (a): without outstanding data a repeated ACK asks for nothing; cTCP's keep-alives "
        "look like this, and D-SACKs (RFC 2883), which report what came twice",
        kinds=frozenset({Kind.DUPLICATE_ACK}),
        by=TSHARK,
        holds=lambda seen: asks_for_nothing(seen) or reports_what_came_twice(seen),
    ),
    Rule(
        slug="window-of-a-syn",
        says="the segment before was a SYN, whose window is not scaled (RFC 7323 §2.2): the two windows "
        "cannot be compared",
        kinds=frozenset({Kind.DUPLICATE_ACK, Kind.WINDOW_UPDATE}),
        by=EITHER,
        holds=follows_a_syn,
    ),
    Rule(
        slug="sack",
        says="SACK blocks report bytes not reported before: a duplicate ACK by RFC 6675 §2, whatever its window "
        "and whether or not it carries data",
        kinds=frozenset({Kind.DUPLICATE_ACK}),
        by=OURS,
        holds=sacks_more,
    ),
    Rule(
        slug="reset",
        says="a RST moves nothing and asks for nothing here: its numbers may be anything",
        kinds=ANY_KIND,
        by=TSHARK,
        holds=is_reset,
    ),
    Rule(
        slug="after-reset",
        says="a RST had come before: Wireshark has counted from its numbers since, we have not",
        kinds=ANY_KIND,
        by=EITHER,
        holds=comes_after_a_reset,
    ),
    Rule(
        slug="stray",
        says="a number further away than the largest window (1 GiB) belongs to no place in the flow",
        kinds=ANY_KIND,
        by=TSHARK,
        holds=is_stray,
    ),
    Rule(
        slug="led-astray",
        says="such a number had come before: Wireshark has counted from it since, we have not",
        kinds=ANY_KIND,
        by=EITHER,
        holds=was_led_astray,
    ),
    Rule(
        slug="last-or-highest",
        says="Wireshark compares with the last ACK, RFC 5681 §2 (d) with the greatest",
        kinds=frozenset({Kind.DUPLICATE_ACK, Kind.WINDOW_UPDATE}),
        by=EITHER,
        holds=lambda seen: is_below_the_highest_ack(seen) or last_ack_was_not_the_highest(seen),
    ),
    Rule(
        slug="own-number",
        says="Wireshark asks that the ACK's own sequence number comes next; RFC 5681 §2 does not",
        kinds=frozenset({Kind.DUPLICATE_ACK, Kind.WINDOW_UPDATE, Kind.KEEP_ALIVE}),
        by=OURS,
        holds=number_is_not_next,
    ),
    Rule(
        slug="ack-before-data",
        says="an ACK told of these bytes before the capture showed them; Wireshark counts by the sender's own "
        "segments, we by both",
        kinds=frozenset({Kind.AGAIN}),
        by=OURS,
        holds=lambda seen: fills_what_an_ack_told_of(seen) or repeats_what_an_ack_told_of(seen),
    ),
    Rule(
        slug="mid-stream",
        says="the capture began in mid-stream: where this direction stood before, it cannot show",
        kinds=frozenset({Kind.LOST, Kind.UNSEEN}),
        by=TSHARK,
        holds=begins_in_mid_stream,
    ),
    Rule(
        slug="told-by-an-ack",
        says="an ACK had told of the missing bytes already, and they were counted then",
        kinds=frozenset({Kind.LOST}),
        by=TSHARK,
        holds=was_told_by_an_ack,
    ),
    Rule(
        slug="one-direction",
        says="no segment of the other end was captured: Wireshark has nothing to compare the ACK with",
        kinds=frozenset({Kind.UNSEEN}),
        by=OURS,
        holds=peer_was_never_seen,
    ),
    Rule(
        slug="jumped-hole",
        says="the ACK jumps over a hole: the byte it names was seen, those before it were not. A cTCP "
        "receiver does so by design; it is no sign of a bad capture",
        kinds=frozenset({Kind.UNSEEN}),
        by=TSHARK,
        holds=acknowledges_past_a_hole,
    ),
    Rule(
        slug="zero-window-probe",
        says="the receiver took the byte of a zero window probe; Wireshark does not count that byte as sent",
        kinds=frozenset({Kind.UNSEEN}),
        by=TSHARK,
        holds=was_probed,
    ),
    Rule(
        slug="counted-once",
        says="bytes that an ACK told of are counted with the first such ACK; Wireshark says it again until "
        "the sender's own segments come so far",
        kinds=frozenset({Kind.UNSEEN}),
        by=TSHARK,
        holds=was_counted_before,
    ),
    Rule(
        slug="gap-grew",
        says="the gap was known and grew with this ACK; Wireshark had raised its mark with the ACK before",
        kinds=frozenset({Kind.UNSEEN}),
        by=OURS,
        holds=gap_had_been_told_of,
    ),
    Rule(
        slug="short-frame",
        says="IP headers of this flow tell more bytes than their frames had: Wireshark cuts the payload to the "
        "frame, we count as the sequence numbers do",
        kinds=ANY_KIND,
        by=EITHER,
        holds=has_short_frames,
    ),
)
