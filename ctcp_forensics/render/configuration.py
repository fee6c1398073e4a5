"""A configuration pack as text to paste: everything but the lines themselves is a comment.

Knows what a device takes for a comment.  Does not know what is changed: see configuration.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap

import msgspec

from ctcp_forensics.configuration import Pack
from ctcp_forensics.configuration.block import Block
from ctcp_forensics.configuration.change import Change, Choice
from ctcp_forensics.render.sheet import WIDTH, ascii_of
from ctcp_forensics.report import Tool

COMMENT = "! "
RULE_LEN = 72
FLOWS_NAMED = 12  # numbers of flows beside a title
WARNING = "Nothing of this has been applied. Read it, fill in what stands in <angle brackets>, paste block by block."


def configuration(pack: Pack, tool: Tool) -> Iterator[str]:
    """The lines of a pack, each with its end."""
    for line in _lines(pack, tool):
        yield line.rstrip() + "\n"


def as_json(pack: Pack, tool: Tool) -> Iterator[str]:
    """One object; names are only added."""
    text = msgspec.json.encode({"type": "configuration", "tool": tool, "pack": pack})
    yield msgspec.json.format(text, indent=2).decode() + "\n"


def _lines(pack: Pack, tool: Tool) -> Iterator[str]:
    yield from _comment(f"{tool.name} {tool.version}, commands for {_device(pack.syntax)}. {WARNING}")
    if pack.redacted_with is not None:
        yield from _comment(f"Not for pasting: addresses are pseudonyms, by key {pack.redacted_with}.")
    for told in pack.left_out:
        yield from _comment(f"left out: {told}")
    if pack.choices:
        yield from _choices(pack.choices)
    elif not pack.changes:
        yield from _comment("No flow of this report is offered a change.")
    for change in pack.changes:
        yield from _change(change)


def _device(syntax: str) -> str:
    return {"ftd": "FTD", "8.4": "an ASA of 8.4 or later"}.get(syntax, "an ASA before 8.4")


def _choices(choices: tuple[Choice, ...]) -> Iterator[str]:
    yield from _comment("Offered; choose with --fix NAME (several times, if you like), or --capture:")
    for choice in choices:
        yield COMMENT
        yield from _comment(f"{choice.fix}: {choice.title} ({_flows(choice.flows)})")
        yield from _comment(f"cost: {choice.cost}", indent="  ")


def _change(change: Change) -> Iterator[str]:
    yield COMMENT
    yield COMMENT + "=" * RULE_LEN
    yield from _comment(f"{change.fix}: {change.title} ({_flows(change.flows)})")
    yield from _comment(change.change)
    yield from _comment(f"Cost: {change.cost}")
    yield from (line for caveat in change.caveats for line in _comment(f"- {caveat}"))
    yield from _comment(f"Source: {change.source}")
    yield from _blocks("apply", change.apply, "Nothing to type.")
    yield from _verify(change)
    yield from _blocks("roll back", change.roll_back, "Nothing to take back.")


def _blocks(title: str, blocks: tuple[Block, ...], nothing: str) -> Iterator[str]:
    if not blocks:
        yield from _heading(f"{title}: {nothing}")
    for block in blocks:
        yield from _heading(f"{title}: {block.where}")
        yield from block.lines


def _verify(change: Change) -> Iterator[str]:
    if not change.verify:
        return
    yield from _heading("verify")
    yield from (line for sentence in change.verify for line in _comment(f"- {sentence}"))
    yield from change.looks


def _heading(text: str) -> Iterator[str]:
    yield COMMENT
    first, *rest = _wrapped(text, "---- ")
    yield COMMENT + first
    yield from (COMMENT + line for line in rest)


def _comment(text: str, *, indent: str = "") -> Iterable[str]:
    return [COMMENT + line for line in _wrapped(text, indent)]


def _wrapped(text: str, start: str) -> list[str]:
    """`clean` first: what could end a comment is shown as its escape."""
    hang = " " * len(start) + ("  " if text.startswith("- ") else "")
    return wrap(
        ascii_of(text),
        WIDTH - len(COMMENT),
        initial_indent=start,
        subsequent_indent=hang,
        break_on_hyphens=False,
    ) or [""]


def _flows(numbers: tuple[int, ...]) -> str:
    told = ", ".join(f"#{number}" for number in numbers[:FLOWS_NAMED])
    more = f" and {len(numbers) - FLOWS_NAMED} more" if len(numbers) > FLOWS_NAMED else ""
    return f"{'flow' if len(numbers) == 1 else 'flows'} {told}{more}"
