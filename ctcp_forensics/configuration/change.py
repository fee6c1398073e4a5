"""Changes: the steps of the advice, filled for several flows at once, in blocks that can be pasted.

Knows how templates become lines.  Does not know which flows: see subject.  A line that is not plain printable
ASCII is never built: see block.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from ctcp_forensics.advice.step import Step, applying, blanks_of
from ctcp_forensics.configuration.block import Block
from ctcp_forensics.configuration.dialect import CAVEATS, deployed, in_dialect
from ctcp_forensics.configuration.subject import Subject
from ctcp_forensics.configuration.wish import Names, Syntax, Wish

COMMENT = "! "
SENTENCE_END = "."  # no command has one there
ON_THE_FIREWALL = "on the firewall in the path, if it is an ASA"
LOOKS = re.compile(r"`(show [^`]+)`")
"""Commands inside the sentences that say how to verify; they change nothing."""

Blanks = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change for some flows: what it costs, how it is applied, verified and taken back."""

    fix: str
    title: str
    change: str
    flows: tuple[int, ...]
    cost: str
    apply: tuple[Block, ...]
    verify: tuple[str, ...]
    looks: tuple[str, ...]
    """Commands that show whether it worked."""
    roll_back: tuple[Block, ...]
    caveats: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A change that may be asked for."""

    fix: str
    title: str
    cost: str
    flows: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """What was drawn up, or what may be; never applied."""

    syntax: str
    changes: tuple[Change, ...] = ()
    choices: tuple[Choice, ...] = ()
    left_out: tuple[str, ...] = ()
    redacted_with: str | None = None
    """The key by whose pseudonyms the lines speak: for showing, and not for pasting."""


def change_of(step: Step, subjects: Sequence[Subject], wish: Wish) -> Change:
    """One step for all these flows."""
    blanks = blanks_for(subjects, wish)
    caveats = dict.fromkeys(text for one in subjects for text in applying(step.caveats, one.situation))

    def said(text: str) -> str:
        return spoken(text, blanks, wish)

    return Change(
        fix=step.fix,
        title=said(step.title),
        change=said(step.change),
        flows=tuple(one.number for one in subjects),
        cost=said(step.cost),
        apply=blocks_of(typed(step.commands, blanks, wish), wish),
        verify=tuple(map(said, step.verify)),
        looks=tuple(dict.fromkeys(typed(list(_looks(step.verify)), blanks, wish))),
        roll_back=blocks_of(typed(step.roll_back, blanks, wish), wish),
        caveats=(*dict.fromkeys(map(said, caveats)), *CAVEATS[wish.syntax]),
        source=step.source,
    )


def blanks_for(subjects: Sequence[Subject], wish: Wish) -> list[Blanks]:
    """What the blanks stand for, once for each pair of hosts; all of them share the names of what is made."""
    situations = {pair.hosts: one.situation_of(pair) for one in subjects for pair in one.pairs(wish.syntax)}
    blanks = [dict(blanks_of(situation)) for situation in situations.values()]
    name = made_name(blanks)
    return [one | {"name": name} for one in blanks]


def made_name(blanks: Sequence[Blanks]) -> str:
    """As the advice for one flow has it; for several, one name for all that depends on every pair."""
    names = sorted({one["name"] for one in blanks})
    if len(names) == 1:
        return names[0]
    return f"CTCP-DIAG-{zlib.crc32(' '.join(names).encode()):08X}"


def typed(lines: Iterable[str], blanks: Sequence[Blanks], wish: Wish) -> tuple[str, ...]:
    """Each line of a template once for every host that it names, in the words of this device."""
    filled = chain.from_iterable(dict.fromkeys(map(line.format_map, blanks)) for line in lines)
    return tuple(in_dialect(called(line, wish.names), wish.syntax) for line in filled)


def spoken(text: str, blanks: Sequence[Blanks], wish: Wish) -> str:
    """A sentence: of what differs from flow to flow, the kind of thing and no list."""
    together = {
        key: value if all(one[key] == value for one in blanks) else f"<{key.upper()}>"
        for key, value in blanks[0].items()
    }
    return called(text.format_map(together), wish.names)


def called(text: str, names: Names) -> str:
    """With the names that things have on this device."""
    for placeholder, name in (
        ("<ACL-TOWARDS-HEADEND>", names.acl),
        ("<ACL-TOWARDS-CLIENT>", names.acl_back),
        ("<IF-TOWARDS-CLIENT>", names.outside),
        ("<IF-TOWARDS-HEADEND>", names.inside),
        ("global_policy", names.policy),
    ):
        text = text.replace(placeholder, name)
    return text


def blocks_of(lines: Sequence[str], wish: Wish) -> tuple[Block, ...]:
    """Lines under the comment that says where they are typed; a sentence among them is a remark."""
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        is_comment = line.startswith(COMMENT) or line.endswith(SENTENCE_END)
        if is_comment or not found:
            found.append((line.removeprefix(COMMENT) if is_comment else ON_THE_FIREWALL, []))
        if not is_comment:
            found[-1][1].append(line)
    blocks = [Block(where=where, lines=tuple(some)) for where, some in found]
    if wish.syntax == Syntax.FTD:
        return tuple(chain.from_iterable(map(deployed, blocks)))
    return tuple(blocks)


def _looks(sentences: Iterable[str]) -> Iterator[str]:
    for sentence in sentences:
        yield from LOOKS.findall(sentence)
