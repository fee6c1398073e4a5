"""Traces for the tests of what is drawn from them: counted out by hand, row by row, or of any length.

Knows the contract of `trace`.  No capture stands behind them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from operator import add

from ctcp_forensics.trace import CLIENT_TO_HEADEND, HEADEND_TO_CLIENT, NOWHERE, Columns, Mark, Trace

LARGEST = 1_300


def row(columns: Columns, **facts: int) -> None:
    """One more segment; what is not given is as in a bare ACK from the headend."""
    usual = {
        "capture": 0,
        "direction": HEADEND_TO_CLIENT,
        "pos": 0,
        "length": 0,
        "ack": NOWHERE,
        "window": 65_535,
        "marks": 0,
    }
    for name, value in (usual | facts).items():
        getattr(columns, name).append(int(value))


BLOCK = 100_000
"""Rows drawn by lot before they repeat: more than deflate looks back."""


def long_trace(rows: int, *, flow: str, capture: str = "c1", seed: int = 5) -> Trace:
    """A flow as long as asked: data one way, an ACK for every second segment, sizes and pauses drawn by lot."""
    block, whole = _block(min(rows, BLOCK), random.Random(seed)), Columns()
    lasted_ns = block.at_ns[-1] - block.at_ns[0] + 90_000
    sent = max(map(add, block.pos, block.length)) - 1
    for number in range(-(-rows // BLOCK)):
        moved = {
            "at_ns": number * lasted_ns,
            "frame": number * BLOCK,
            "pos": number * sent,
            "ack": number * sent,
        }
        for name in ("at_ns", "frame", "capture", "direction", "pos", "length", "ack", "window", "marks"):
            getattr(whole, name).extend(
                _moved(getattr(block, name), block.direction, moved.get(name, 0), name)
            )
    return Trace(flow=flow, place="client", captures=(capture,), base_seq=(0, 0), columns=whole)


def _moved(column: Sequence[int], direction: Sequence[int], by: int, name: str) -> Iterator[int]:
    """Only the client sends, so only its positions and the headend's ACKs go on."""
    if name in ("pos", "ack"):
        own = CLIENT_TO_HEADEND if name == "pos" else HEADEND_TO_CLIENT
        return (value + by * (way == own) for value, way in zip(column, direction, strict=True))
    return (value + by for value in column)


def _block(rows: int, drawn: random.Random) -> Columns:
    columns = Columns()
    at_ns, pos, acked, asked = 1_700_000_000_000_000_000, 1, 1, 0
    for frame in range(1, rows + 1):
        at_ns += int(drawn.expovariate(1 / 90)) * 1_000 + 10_000
        here = {"at_ns": at_ns, "frame": frame}
        if frame % 3:
            length = LARGEST if drawn.random() < 0.7 else drawn.randrange(60, LARGEST)
            again = Mark.AGAIN if drawn.random() < 0.001 else 0
            row(columns, **here, direction=CLIENT_TO_HEADEND, pos=pos, length=length, ack=1, marks=again)
            pos += length
        else:
            asked = asked - 1 if asked else 40 * (drawn.random() < 0.0005)
            acked = acked if asked else pos
            row(columns, **here, pos=1, ack=acked, marks=Mark.DUPLICATE_ACK if asked else 0)
    return columns
