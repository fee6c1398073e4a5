"""Naive: slow obvious twins of what the tracker counts, written from the definitions.

Every byte is a number in a set and every question is put to the whole history again, so that there is
nothing to get wrong.  Takes quadratic time and unbounded memory; knows nothing of the tracker.
Positions count from each end's ISN and never wrap.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One segment as a capture shows it: who sent it, where it lies, and what it acknowledges."""

    side: int
    pos: int
    payload_len: int = 0
    syn: bool = False
    fin: bool = False
    rst: bool = False
    ack: int | None = None
    window: int = 65_535
    sacks: tuple[tuple[int, int], ...] = ()

    @property
    def end(self) -> int:
        """SYN and FIN take one number each, RFC 9293 §3.4."""
        return self.pos + self.payload_len + self.syn + self.fin

    @property
    def opens_or_closes(self) -> bool:
        return self.syn or self.fin or self.rst


History = Sequence[Sent]


# --- sequence space --------------------------------------------------------------------------


def unwrapped(number: int, anchor: int, near: int) -> int:
    """Of all positions that have this 32-bit number, the one nearest to `near`."""
    candidates = [(number - anchor) + turn * (1 << 32) for turn in range(-8, 9)]
    return min(candidates, key=lambda position: abs(position - near))


def known_to(history: History, side: int) -> int:
    """The number after the highest that one end is known to have used: by its segments, or by an ACK for them."""
    used = [one.end for one in history if one.side == side and not one.rst]
    acknowledged = [one.ack for one in history if one.side != side and one.ack is not None and not one.rst]
    return max([0, *used, *acknowledged])


def is_keep_alive(history: History, at: int) -> bool:
    """RFC 9293 §3.8.4, as Wireshark says it: at most one byte, one below what comes next."""
    one = history[at]
    spoke_before = any(earlier.side == one.side for earlier in history[:at])
    below_next = one.pos == known_to(history[:at], one.side) - 1
    return one.payload_len <= 1 and below_next and spoke_before and not one.opens_or_closes


# --- bytes -----------------------------------------------------------------------------------


@dataclass(slots=True)
class Bytes:
    """What became of every number that one end used."""

    new: int = 0
    filling: int = 0
    again: int = 0
    seen: set[int] = field(default_factory=set)
    known_to: int = 0
    repeating_segments: int = 0
    """Segments that fill a hole, or bring nothing but what was seen before."""

    @property
    def missing(self) -> set[int]:
        return set(range(self.known_to)) - self.seen


def bytes_of(history: History, side: int) -> Bytes:
    """Byte by byte: new, filling a hole, or seen before."""
    total = Bytes()
    for at, one in enumerate(history):
        if one.side != side or one.rst or is_keep_alive(history, at):
            continue
        numbers = set(range(one.pos, one.end))
        frontier = known_to(history[:at], side)
        fresh = {number for number in numbers if number >= frontier}
        again = numbers & total.seen
        filling = numbers - fresh - again
        total.new += len(fresh)
        total.again += len(again)
        total.filling += len(filling)
        total.repeating_segments += bool(filling or (again and not fresh))
        total.seen |= numbers
    total.known_to = known_to(history, side)
    return total


# --- duplicate ACKs ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Letters:
    """RFC 5681 §2: an acknowledgment is considered a duplicate when all five hold."""

    a_data_is_outstanding: bool
    b_carries_no_data: bool
    c_syn_and_fin_are_off: bool
    d_repeats_the_greatest_ack: bool
    e_window_is_the_last_one: bool

    @property
    def all_hold(self) -> bool:
        return (
            self.a_data_is_outstanding
            and self.b_carries_no_data
            and self.c_syn_and_fin_are_off
            and self.d_repeats_the_greatest_ack
            and self.e_window_is_the_last_one
        )


def letters_of(history: History, at: int) -> Letters:
    """The five conditions for the ACK at `at`, each read off the whole history before it."""
    one = history[at]
    earlier = [other for other in history[:at] if other.side == one.side and other.ack is not None]
    acks = [other.ack for other in earlier if other.ack is not None and not other.rst]
    return Letters(
        a_data_is_outstanding=one.ack is not None and known_to(history[:at], 1 - one.side) > one.ack,
        b_carries_no_data=one.payload_len == 0,
        c_syn_and_fin_are_off=not one.opens_or_closes,
        d_repeats_the_greatest_ack=bool(acks) and one.ack == max(acks),
        e_window_is_the_last_one=bool(earlier) and earlier[-1].window == one.window,
    )


def is_duplicate_ack(history: History, at: int) -> bool:
    """All five letters, and none of what Wireshark calls by another name."""
    one = history[at]
    before = [other for other in range(at) if history[other].side != one.side]
    answers_keep_alive = bool(before) and is_keep_alive(history, before[-1])
    named_otherwise = is_keep_alive(history, at) or answers_keep_alive or one.window == 0
    return letters_of(history, at).all_hold and not named_otherwise


def tells_news(history: History, at: int) -> bool:
    """RFC 6675 §2: it SACKs octets above the cumulative ACK that no SACK block had named before."""
    one = history[at]
    acks = [other.ack for other in history[:at] if other.side == one.side and other.ack is not None]
    if not acks or one.ack != max(acks):
        return False
    earlier = [other for other in history[:at] if other.side == one.side]
    named = {number for other in earlier for block in other.sacks for number in range(*block)}
    return any(number not in named and number >= one.ack for block in one.sacks for number in range(*block))


# --- episodes --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """All duplicate ACKs that ask one end for one number.  Places are indices into the history."""

    wanted: int
    asked_at: tuple[int, ...]
    answered_at: int | None
    passed_at: int | None
    new_segments: int


def questions_to(history: History, side: int) -> list[Question]:
    asked: dict[int, list[int]] = {}
    for at, one in enumerate(history):
        if one.side != side and one.ack is not None and is_duplicate_ack(history, at):
            asked.setdefault(one.ack, []).append(at)
    return [question(history, side, wanted, places) for wanted, places in sorted(asked.items())]


def question(history: History, side: int, wanted: int, places: Sequence[int]) -> Question:
    later = range(places[0] + 1, len(history))
    passed = [at for at in later if acknowledges_beyond(history[at], side, wanted)]
    until = passed[0] if passed else len(history)
    own = [at for at in range(places[0] + 1, until) if history[at].side == side and not history[at].rst]
    own = [at for at in own if not is_keep_alive(history, at)]
    answers = [at for at in own if history[at].pos <= wanted < history[at].end]
    fresh = [at for at in own if history[at].payload_len and history[at].end > known_to(history[:at], side)]
    return Question(
        wanted=wanted,
        asked_at=tuple(places),
        answered_at=answers[0] if answers else None,
        passed_at=passed[0] if passed else None,
        new_segments=len(fresh),
    )


def acknowledges_beyond(one: Sent, side: int, wanted: int) -> bool:
    return one.side != side and one.ack is not None and one.ack > wanted and not one.rst


# --- ESP ---------------------------------------------------------------------------------------


def esp_missing(numbers: Sequence[int]) -> int:
    """Numbers between the first and the highest of one SPI that never came."""
    return len(set(range(numbers[0], max(numbers) + 1)) - set(numbers)) if numbers else 0


def esp_repeats(numbers: Iterable[int]) -> int:
    seen: set[int] = set()
    repeats = 0
    for number in numbers:
        repeats += number in seen
        seen.add(number)
    return repeats
