"""The gravest: which of very many flows that are not well are told in full, and what the others are called.

Knows their verdicts, their ends and their order.  Each is judged to learn its verdict, and nothing else of it is
kept: fifty thousand dead flows are no reading, and do not fit beside one another.  Does not tell any: see finding.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from operator import itemgetter
from typing import NamedTuple

from msgspec.structs import replace

from ctcp_forensics._kernel.rows import Plain
from ctcp_forensics.cases import Docket
from ctcp_forensics.screen import SPELLED, WORDS, Sifted, even_share
from ctcp_forensics.verdict import CONFIDENCES, judge


class Sentence(NamedTuple):
    """What became of one flow, and whose it was."""

    word: int
    """One of those that are `SPELLED`."""
    client: str
    headend: str


def narrowed(found: Sifted, docket: Docket, room: int) -> Sifted:
    """Of the flows that the screen leaves open the gravest in full, and the word for each of them."""
    sentences = [sentence_on(docket, index) for index in found.open]
    kept = gravest(sentences, room)
    said, is_in_full = bytearray(found.said), bytearray(found.is_in_full)
    open_places = (place for place, word in enumerate(found.said) if word == Plain.JUDGE)
    for number, place in enumerate(open_places):
        said[place] = sentences[number].word
        is_in_full[place] = number in kept
    return replace(found, said=bytes(said), is_in_full=bytes(is_in_full))


def sentence_on(docket: Docket, index: int) -> Sentence:
    case = docket.case(index)
    judgement = judge(case)
    word = WORDS[judgement.verdict.slug, judgement.confidence]
    return Sentence(word, case.flow.client.address, case.flow.headend.address)


def gravest(sentences: Sequence[Sentence], room: int) -> set[int]:
    """The numbers of those that find room, dealt out evenly to the verdicts; of each the surest first.

    Among equally sure ones headends take turns, and at each headend its clients: one that fails in ten thousand
    connections leaves room for the others.  Of each the first connections are taken.
    """
    by_verdict: Mapping[str, list[int]] = defaultdict(list)
    for number, sentence in enumerate(sentences):
        by_verdict[SPELLED[sentence.word][0]].append(number)
    share = even_share({verdict: len(some) for verdict, some in by_verdict.items()}, room)
    return set(chain(*(islice(surest_first(some, sentences), share) for some in by_verdict.values())))


def surest_first(numbers: Sequence[int], sentences: Sequence[Sentence]) -> Iterator[int]:
    for confidence in CONFIDENCES:
        alike = [number for number in numbers if SPELLED[sentences[number].word][1] == confidence]
        of_clients = in_turns(alike, lambda number: sentences[number][1:])
        yield from in_turns(of_clients, lambda number: sentences[number].headend)


def in_turns(numbers: Iterable[int], whose: Callable[[int], Hashable]) -> list[int]:
    """The first of each, then the second of each, and so on."""
    taken = Counter[Hashable]()
    dealt = []
    for number in numbers:
        owner = whose(number)
        dealt.append((taken[owner], number))
        taken[owner] += 1
    return [number for _, number in sorted(dealt, key=itemgetter(0))]
