"""The gravest: which of very many flows that are not well are told in full, and what the others are called.

Knows their verdicts, their ends and their order.  Each is judged to learn its verdict, and nothing else of it is
kept: fifty thousand dead flows are no reading, and do not fit beside one another.  Does not tell any: see finding.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from operator import itemgetter
from typing import Final

from msgspec.structs import replace

from ctcp_forensics._kernel.rows import Plain
from ctcp_forensics.cases import Docket
from ctcp_forensics.flows import Flow
from ctcp_forensics.screen import JUDGED, WORDS, Sifted, even_share
from ctcp_forensics.verdict import CONFIDENCES, judge

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


def owner(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=OWNER_LEN).digest(), "big")


def narrowed(found: Sifted, docket: Docket, room: int) -> Sifted:
    """Of the flows that the screen leaves open the gravest in full, and the word for each of them."""
    sentences = Sentences()
    for index in found.open:
        word, flow = word_on(docket, index)
        sentences.add(word, flow.client.address, flow.headend.address)
    kept = gravest(sentences, room)
    said, is_in_full = bytearray(found.said), bytearray(found.is_in_full)
    open_places = (place for place, word in enumerate(found.said) if word == Plain.JUDGE)
    for number, place in enumerate(open_places):
        said[place] = sentences.words[number]
        is_in_full[place] = number in kept
    return replace(found, said=bytes(said), is_in_full=bytes(is_in_full))


def word_on(docket: Docket, index: int) -> tuple[int, Flow]:
    case = docket.case(index)
    judgement = judge(case)
    return WORDS[judgement.verdict.slug, judgement.confidence], case.flow


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
