"""Dealing: which of very many judged flows find room, dealt out evenly to verdicts, headends and clients.

Knows their verdicts, their ends and their order.  Does not know what there is room for: see conclude and early.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from operator import itemgetter
from typing import Final

from ctcp_forensics.screen import JUDGED, even_share
from ctcp_forensics.verdict import CONFIDENCES

OWNER_LEN: Final = 8
"""Bytes of a hash that stand for an address: two that share one merely wait for each other's turn."""


class Sentences:
    """What became of flows and whose they were, in columns: a word, the two ends, the headend."""

    def __init__(self) -> None:
        self.words = bytearray()
        self.pairs = array("Q")
        self.headends = array("Q")

    def add(self, word: int, client: str, headend: str) -> None:
        """`word` is one of those that are `JUDGED`."""
        self.words.append(word)
        self.pairs.append(owner(f"{client} {headend}"))
        self.headends.append(owner(headend))

    def some(self, numbers: Iterable[int]) -> Sentences:
        """Those with these numbers, in this order."""
        chosen = Sentences()
        chosen.extend(self, numbers)
        return chosen

    def extend(self, others: Sentences, numbers: Iterable[int]) -> None:
        for number in numbers:
            self.words.append(others.words[number])
            self.pairs.append(others.pairs[number])
            self.headends.append(others.headends[number])


def owner(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=OWNER_LEN).digest(), "big")


def gravest(sentences: Sentences, room: int) -> set[int]:
    """The numbers of those that find room, dealt out evenly to the verdicts; of each the surest first.

    Among equally sure ones headends take turns, and at each headend its clients: one that fails in ten thousand
    connections leaves room for the others.  Of each the first connections are taken.
    """
    by_verdict: Mapping[str, array[int]] = defaultdict(lambda: array("I"))
    for number, word in enumerate(sentences.words):
        by_verdict[JUDGED[word][0]].append(number)
    share = even_share({verdict: len(some) for verdict, some in by_verdict.items()}, room)
    return set(chain(*(islice(surest_first(some, sentences), share) for some in by_verdict.values())))


def surest_first(numbers: Sequence[int], sentences: Sentences) -> Iterator[int]:
    for confidence in CONFIDENCES:
        alike = (number for number in numbers if JUDGED[sentences.words[number]][1] == confidence)
        yield from in_turns(in_turns(alike, sentences.pairs), sentences.headends)


def in_turns(numbers: Iterable[int], owners: Sequence[int]) -> array[int]:
    """The first of each owner, then the second of each, and so on."""
    taken = Counter[int]()
    turns, dealt = array("I"), array("I")
    for number in numbers:
        turns.append(taken[owners[number]])
        taken[owners[number]] += 1
        dealt.append(number)
    return array("I", [number for _, number in sorted(zip(turns, dealt, strict=True), key=itemgetter(0))])
