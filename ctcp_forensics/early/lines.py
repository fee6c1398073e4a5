"""Lines of flows that were judged early: a line each while there is room, and of the gravest what was observed.

Knows bounds, and how room is dealt out anew where it is used up.  Does not judge: see early.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from ctcp_forensics.dealing import Sentences, gravest
from ctcp_forensics.flows import spelled

SLACK: Final = 4
"""A quarter more is held before room is dealt out anew: so each line costs a few looks, however many come."""

MAX_OBSERVED_LEN: Final = 1 << 23
"""8 MiB of what was observed of flows that may be told in full: six times what ordinary ones take.  One with all the
holes and questions that are kept of a flow takes 30 KB; of these fewer are told in full."""

Count = tuple[int, bool]
"""A word, and whether it was said before the flow was over."""


class Facts(NamedTuple):
    """What the line of a flow says of it, under the names of rows.BriefColumns."""

    client: bytes
    client_port: int
    headend: bytes
    headend_port: int
    first_ns: int
    last_ns: int
    first_frame: int
    to_headend: int
    to_client: int


class Lines:
    """One for each flow, in columns, in the order in which their places were taken."""

    def __init__(self, room: int, room_in_full: int) -> None:
        self._room, self._room_in_full = room, room_in_full
        self.sentences = Sentences()
        self._is_early = bytearray()
        self._ends: list[tuple[bytes, bytes]] = []
        self.columns = {name: array("q") for name in NUMBERS}
        self.observed: dict[int, bytes] = {}
        """By the number of its line, what was observed of a flow that may be told in full…"""
        self._observed_len = 0
        """…and how many bytes that is."""
        self.counted: Counter[Count] = Counter()
        """Those whose line found no room."""

    def __len__(self) -> int:
        return len(self._is_early)

    def word(self, number: int) -> Count:
        return self.sentences.words[number], bool(self._is_early[number])

    def ends(self, number: int) -> tuple[bytes, bytes]:
        """The addresses of client and headend."""
        return self._ends[number]

    def add(self, word: Count, facts: Facts, observed: bytes | None) -> None:
        if observed is not None:
            self.observed[len(self)] = observed
            self._observed_len += len(observed)
        self.sentences.add(word[0], spelled(facts.client), spelled(facts.headend))
        self._is_early.append(word[1])
        self._ends.append((facts.client, facts.headend))
        for name, column in self.columns.items():
            column.append(getattr(facts, name))
        if len(self) > with_slack(self._room):
            self._keep(sorted(gravest(self.sentences, self._room)))
        if len(self.observed) > with_slack(self._room_in_full):
            self._forget_all_but(self._room_in_full)
        while self._observed_len > MAX_OBSERVED_LEN:
            self._forget_all_but(len(self.observed) // 2)

    def _keep(self, numbers: Sequence[int]) -> None:
        """The others are counted from now on."""
        self.counted.update(map(self.word, sorted(set(range(len(self))).difference(numbers))))
        self.sentences = self.sentences.some(numbers)
        self._is_early = bytearray(self._is_early[number] for number in numbers)
        self._ends = [self._ends[number] for number in numbers]
        for name, column in self.columns.items():
            self.columns[name] = array("q", [column[number] for number in numbers])
        places = {number: place for place, number in enumerate(numbers)}
        self._hold({places[number]: one for number, one in self.observed.items() if number in places})

    def _forget_all_but(self, room: int) -> None:
        """All but the gravest, that is; the others keep their lines."""
        numbers = list(self.observed)
        kept = gravest(self.sentences.some(numbers), room)
        self._hold({numbers[place]: self.observed[numbers[place]] for place in sorted(kept)})

    def _hold(self, observed: dict[int, bytes]) -> None:
        self.observed = observed
        self._observed_len = sum(map(len, observed.values()))


NUMBERS: Final = tuple(name for name in Facts._fields if name not in ("client", "headend"))


def with_slack(room: int) -> int:
    return room + room // SLACK
