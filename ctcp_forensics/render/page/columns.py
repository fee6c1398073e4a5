"""A trace as the page's scripts read it: a few facts, and the columns packed.

Knows the order that unpack.js undoes.  Does not know what is drawn of it.

Times are cut to microseconds, which is what most captures have and more than a screen shows.  Columns that go their
own way in either direction are taken apart by direction, so that each number is close to the one before it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, compress
from operator import add, not_, sub
from typing import Any, NamedTuple

from ctcp_forensics.render.page.packing import packed, planes, steps
from ctcp_forensics.trace import Columns, Hole, Trace

MICROSECOND_NS = 1_000


class PackedTrace(NamedTuple):
    """`facts` go into the page's JSON, `content` into a block of its own."""

    facts: dict[str, Any]
    content: str


def packed_trace(trace: Trace, sources: Mapping[str, str]) -> PackedTrace:
    """`sources` tells how a reader names each capture."""
    start_us = trace.columns.at_ns[0] // MICROSECOND_NS
    columns = {name: planes(numbers) for name, numbers in _numbers(trace.columns, start_us)}
    facts = {
        "flow": trace.flow,
        "place": trace.place,
        "captures": [sources.get(capture, capture) for capture in trace.captures],
        "baseSeq": trace.base_seq,
        "startUs": start_us,
        "rows": len(trace.columns),
        "fromClient": len(trace.columns) - sum(map(bool, trace.columns.direction)),
        "sacks": len(trace.columns.sack_row),
        "widths": {name: width for name, (width, _) in columns.items()},
        "holes": [_hole(hole) for hole in trace.holes],
        "clockErrorNs": trace.clock_error_ns,
        "keepsStep": trace.keeps_step,
        "leftOut": trace.rows_left_out,
    }
    return PackedTrace(facts, packed(b"".join(content for _, content in columns.values())))


def _numbers(columns: Columns, start_us: int) -> Iterator[tuple[str, Iterable[int]]]:
    yield "at", steps([at_ns // MICROSECOND_NS - start_us for at_ns in columns.at_ns])
    yield "frame", steps(columns.frame)
    yield "capture", columns.capture
    yield "direction", columns.direction
    yield "length", _apart(columns, columns.length)
    yield "pos", chain.from_iterable(map(_jumps, *_both(columns, columns.pos, columns.length)))
    yield "ack", chain.from_iterable(map(steps, *_both(columns, columns.ack)))
    yield "window", chain.from_iterable(map(steps, *_both(columns, columns.window)))
    yield "marks", _apart(columns, columns.marks)
    yield "sackRow", steps(columns.sack_row)
    yield "sackLeft", steps(columns.sack_left)
    yield "sackLength", map(sub, columns.sack_right, columns.sack_left)


def _jumps(pos: Sequence[int], length: Sequence[int]) -> Iterable[int]:
    """How far each segment begins from the end of the one before it: 0 in a flow that loses nothing."""
    return map(sub, pos, chain((0,), map(add, pos, length)))


def _both(columns: Columns, *some: array[int]) -> Iterator[list[list[int]]]:
    """Each column's part from the client, and its part from the headend."""
    for column in some:
        yield [
            list(compress(column, map(not_, columns.direction))),
            list(compress(column, columns.direction)),
        ]


def _apart(columns: Columns, column: array[int]) -> Iterable[int]:
    (parts,) = _both(columns, column)
    return chain.from_iterable(parts)


def _hole(hole: Hole) -> dict[str, int | None]:
    return {
        "direction": hole.direction,
        "left": hole.left,
        "right": hole.right,
        "fromUs": hole.from_ns // MICROSECOND_NS,
        "toUs": None if hole.to_ns is None else hole.to_ns // MICROSECOND_NS,
    }
