"""The gravest: which of very many flows that are not well are told in full, and what the others are called.

Each that the screen has no word for is judged to learn its verdict, and nothing else of it is kept: fifty thousand
dead flows are no reading, and do not fit beside one another.  Knows those that were judged early as well.  Does not
tell any: see finding.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ctcp_forensics._kernel.rows import Plain
from ctcp_forensics.cases import Docket
from ctcp_forensics.dealing import Sentences, gravest
from ctcp_forensics.flows import Flow
from ctcp_forensics.screen import OPEN, SAID, WORDS, Sifted
from ctcp_forensics.verdict import judge

if TYPE_CHECKING:
    from ctcp_forensics.early import Early


def narrowed(found: Sifted, docket: Docket, room: int, early: Early | None) -> tuple[Sifted, list[int]]:
    """Of the flows that the screen leaves open the gravest in full, and the word for each of them.

    Beside them the numbers of those judged early that are told in full as well.
    """
    sentences = sentences_on(found, docket)
    numbers = [] if early is None else sorted(early.lines.observed)
    if early is not None:
        sentences.extend(early.lines.sentences, numbers)
    kept = gravest(sentences, room)
    behind = len(found.open)
    told_early = [number for place, number in enumerate(numbers, start=behind) if place in kept]
    return with_words(found, sentences.words[:behind], kept), told_early


def sentences_on(found: Sifted, docket: Docket) -> Sentences:
    """On the open flows: the kernel's columns tell the ends of those that need no judgement."""
    sentences = Sentences()
    told = [index for index, word in zip(found.wanted, found.said, strict=True) if word == Plain.ONE_SIDED]
    ends = dict(zip(told, docket.ends(told), strict=True))
    for index in found.open:
        if index in ends:
            sentences.add(WORDS[SAID[Plain.ONE_SIDED]], *ends[index])
            continue
        word, flow = word_on(docket, index)
        sentences.add(word, flow.client.address, flow.headend.address)
    return sentences


def with_words(found: Sifted, words: Sequence[int], kept: Collection[int]) -> Sifted:
    said, is_in_full = bytearray(found.said), bytearray(found.is_in_full)
    open_places = (place for place, word in enumerate(found.said) if word in OPEN)
    for number, place in enumerate(open_places):
        said[place] = words[number]
        is_in_full[place] = number in kept
    return replace(found, said=bytes(said), is_in_full=bytes(is_in_full))


def word_on(docket: Docket, index: int) -> tuple[int, Flow]:
    case = docket.case(index)
    judgement = judge(case)
    return WORDS[judgement.verdict.slug, judgement.confidence], case.flow
