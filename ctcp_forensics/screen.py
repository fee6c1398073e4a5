"""Screen: which flows are judged and told in full, and what the others' counters already say of them.

Most flows of a large capture are well or none of ours.  The kernel says of each whether its plain counters leave any
verdict but one; the first of these are told in full all the same, so that a report of a small capture tells every
flow.  Knows the thresholds that the claims go by.  Does not know their reasons: see claims.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import compress, islice, product
from typing import Any, Final

import msgspec

from ctcp_forensics import ctcp, flows
from ctcp_forensics._kernel import Tracker
from ctcp_forensics._kernel.rows import NEVER, Plain, ScreenLimits
from ctcp_forensics.claims import closes, death, doubts, silences, stall, wholeness
from ctcp_forensics.packets import IcmpError
from ctcp_forensics.surroundings import Surroundings
from ctcp_forensics.verdict import INSUFFICIENT, VERDICTS, Confidence

LIMITS: Final = ScreenLimits(
    silence=flows.SILENCE_NS,
    spliced=flows.SPLICED_NS,
    after_close=flows.AFTER_CLOSE_NS,
    idle=silences.IDLE_NS,
    vanished=silences.VANISHED_NS,
    reply=silences.REPLY_NS,
    stuck=stall.STUCK_NS,
    alone_segments=silences.ALONE_SEGMENTS,
    link_down_silence=silences.LINK_DOWN_SILENCE,
    busy_frames=silences.BUSY_FRAMES,
    rhythm=silences.RHYTHM_NS,
    route_change_hops=closes.ROUTE_CHANGE_HOPS,
    goodbye=death.GOODBYE_NS,
    farewell=closes.FAREWELL_NS,
    ike_informational=death.IKE_INFORMATIONAL,
    certain_share=ctcp.CERTAIN_SHARE,
    esp_run=ctcp.ESP_RUN,
    esp_breaks_share=ctcp.ESP_BREAKS_SHARE,
    pause_messages=wholeness.PAUSE_MESSAGES,
    twice_segments=wholeness.TWICE_SEGMENTS,
    twice_share=wholeness.TWICE_SHARE,
)

SAID: Final = {
    Plain.UNREAD: (INSUFFICIENT, Confidence.UNDETERMINED),
    Plain.RESET: ("reset-by-endpoint", Confidence.STRONG),
    Plain.ANSWERED: ("answered", Confidence.STRONG),
    Plain.LOSS_TOLERATED: ("loss-tolerated", Confidence.STRONG),
    Plain.CLOSED: ("orderly-close", Confidence.STRONG),
    Plain.WELL: ("healthy", Confidence.STRONG),
    Plain.OTHER: ("not-ctcp", Confidence.STRONG),
    Plain.ESP_LOSS_TOLERATED: ("loss-tolerated", Confidence.CONSISTENT),
    Plain.ESP_CLOSED: ("orderly-close", Confidence.CONSISTENT),
    Plain.ESP_WELL: ("healthy", Confidence.CONSISTENT),
    Plain.ONE_SIDED: (INSUFFICIENT, Confidence.UNDETERMINED),
}
"""The verdict and the confidence that the table of verdicts would come to, of a capture that is whole."""

RESTING_ON_ABSENCE: Final = frozenset((Plain.LOSS_TOLERATED, Plain.CLOSED, Plain.WELL))
"""What is said with a doubt of a capture that lost something, and of a flow that was judged early: see
verdict.NOTHING_UNREAD."""


IS_UNCLOSED: Final = bytes(word in (Plain.LOSS_TOLERATED, Plain.WELL) for word in range(256))
"""What may be said of a flow that nobody closed, and with less confidence where another took its place."""

IS_JUDGED: Final = bytes(word == Plain.JUDGE for word in range(256))
OPEN: Final = frozenset((Plain.JUDGE, Plain.ONE_SIDED))
"""Said of flows that are not well, or of which nobody knows: they are told in full while there is room for such."""
IS_OPEN: Final = bytes(word in OPEN for word in range(256))

JUDGED: Final = dict(enumerate(product((row.slug for row in VERDICTS), Confidence), start=1 + max(Plain)))
"""Words for what the full judgement comes to, where a flow is told in a line all the same."""
WORDS: Final = {told: word for word, told in JUDGED.items()}
LEFT: Final = WORDS["healthy", Confidence.CONSISTENT]
"""What WELL is where another may have taken its place; what was lost as well may have been closed, and is judged."""


class Sifted(msgspec.Struct, frozen=True, kw_only=True):
    """The flows of one capture, by how much is told of them."""

    wanted: Sequence[int]
    said: bytes
    """A word for each: one of `Plain`, or of those that are `JUDGED`."""
    is_in_full: bytes
    """1 for each that is told in full."""

    @property
    def in_full(self) -> list[int]:
        return list(compress(self.wanted, self.is_in_full))

    @property
    def open(self) -> list[int]:
        """Those that the screen does not call well."""
        return list(compress(self.wanted, self.said.translate(IS_OPEN)))

    @property
    def told_briefly(self) -> tuple[list[int], bytes]:
        """The others, with the word for each."""
        marks = self.is_in_full.translate(bytes((1, 0)).ljust(256))
        return list(compress(self.wanted, marks)), bytes(compress(self.said, marks))


def sifted(
    tracker: Tracker,
    wanted: Sequence[int],
    icmp_errors: Iterable[IcmpError],
    around: Surroundings,
    max_in_full: int,
) -> Sifted:
    """At any doubt a flow is judged; of the others the first `max_in_full`, dealt out evenly to the verdicts.

    Of frames in no order the counters say nothing, and every flow is judged.
    """
    named = {conversation(error) for error in icmp_errors}
    if around.torn_between:
        named |= torn_among(tracker, wanted, around)
    said = bytes(len(wanted)) if around.is_shuffled else words_on(tracker, wanted, named)
    share = even_share({word: said.count(word) for word in set(said) - OPEN}, max_in_full)
    return Sifted(wanted=wanted, said=said, is_in_full=bytes(first_of_each(said, share)))


def words_on(tracker: Tracker, wanted: Sequence[int], named: Collection[flows.Conversation]) -> bytes:
    """What the counters say, and what other flows say to that."""
    words = bytearray(tracker.screen(wanted, LIMITS, named))
    idle = list(compress(range(len(words)), words.translate(IS_UNCLOSED)))
    for place in left_alone(tracker, wanted, idle):
        words[place] = LEFT if words[place] == Plain.WELL else Plain.JUDGE
    again = set(tracker.reopenings(list(compress(wanted, words.translate(IS_JUDGED))))) - {NEVER}
    if again:
        return bytes(
            Plain.JUDGE if index in again else word for index, word in zip(wanted, words, strict=True)
        )
    return bytes(words)


def left_alone(tracker: Tracker, wanted: Sequence[int], places: Sequence[int]) -> Iterator[int]:
    """Those places of flows that nobody closed whose client may have given them up for another."""
    following = tracker.successors([wanted[place] for place in places])
    last_ns = tracker.tallies().last_ns
    for place, successor in zip(places, following, strict=True):
        if successor != NEVER and doubts.may_be_left(
            tracker.flow(wanted[place]), tracker.flow(successor), last_ns
        ):
            yield place


def said_of(word: int, around: Surroundings) -> tuple[str, Confidence]:
    """The verdict and the confidence of a flow, in its capture."""
    if word in JUDGED:
        return JUDGED[word]
    return SAID[Plain(word)] if around.is_whole else in_doubt(word)


def in_doubt(word: int) -> tuple[str, Confidence]:
    """The same of a flow of which not all was seen."""
    verdict, confidence = SAID[Plain(word)]
    return verdict, Confidence.CONSISTENT if word in RESTING_ON_ABSENCE else confidence


def first_of_each(said: bytes, share: int) -> bytearray:
    """1 for each flow that is not called well, and for the first `share` of every other word."""
    marks = bytearray(said.translate(IS_OPEN))
    for word in set(said) - OPEN:
        for place in islice((place for place, one in enumerate(said) if one == word), share):
            marks[place] = 1
    return marks


def even_share(counts: Mapping[Any, int], room: int) -> int:
    """How many of each verdict find room, where what the rare ones leave goes to the frequent ones."""
    share, left = room, room
    numbers = sorted(counts.values())
    for place, number in enumerate(numbers):
        share = left // (len(numbers) - place)
        if number > share:
            return share
        left -= number
    return max(numbers, default=0)


def torn_among(tracker: Tracker, wanted: Iterable[int], around: Surroundings) -> set[flows.Conversation]:
    """Those of the wanted flows whose packets came in fragments, and not all of them."""
    torn = (row for row in map(tracker.flow, wanted) if around.tears(row))
    return {flows.conversation(row.src, row.sport, row.dst, row.dport) for row in torn}


def conversation(error: IcmpError) -> flows.Conversation:
    """The ends that an ICMP error quotes."""
    return flows.conversation(error.src, error.sport, error.dst, error.dport)
