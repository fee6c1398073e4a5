"""Behind: the frames of a capture as a second tap sees them, beyond a firewall that translates and renumbers.

Knows which columns of a frame change on the way, and in which order the second tap writes.  Does not know TCP: what
is lost between the two taps is lost, and nobody sends it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import numpy as np

from benchmarks.traffic import Truth
from benchmarks.wire import Column, Frames

PORT = 10_000  # of the servers: whoever sends to it is a client
POOL = 0x0500_0000  # the firewall gives each client another address, and leaves the port
HOPS = 3
CROSSING_US = 350
LOST_OF = 997  # one frame of so many


def behind(batches: Iterator[Frames], truth: Truth) -> Iterator[Frames]:
    """In the order of time there: what a client sends arrives later than at the first tap, and what it gets earlier."""
    taken = 0
    waiting: Frames | None = None
    for batch in batches:
        kept = np.flatnonzero((taken + np.arange(len(batch))) % LOST_OF < LOST_OF - 1)
        taken += len(batch)
        truth.frames -= len(batch) - len(kept)
        truth.tcp_segments -= len(batch) - len(kept)
        seen = crossed(batch.at(kept))
        ordered = in_order(seen if waiting is None else joined(waiting, seen))
        may_come_us = int(batch.time_us[-1]) - CROSSING_US
        settled = int(np.searchsorted(ordered.time_us, may_come_us, "right"))
        waiting = ordered.at(np.arange(settled, len(ordered)))
        yield ordered.at(np.arange(settled))
    if waiting is not None:
        yield waiting


def crossed(batch: Frames) -> Frames:
    from_client = batch.target_port == PORT
    client = np.where(from_client, batch.source, batch.target)
    port = np.where(from_client, batch.source_port, batch.target_port)
    shift = (client * 2_654_435_761 + port * 40_503) & 0xFFFFFFFF
    changed: dict[str, Column] = {
        "time_us": batch.time_us + np.where(from_client, CROSSING_US, -CROSSING_US),
        "source": np.where(from_client, batch.source + POOL, batch.source),
        "target": np.where(from_client, batch.target, batch.target + POOL),
        "seq": np.where(from_client, batch.seq + shift, batch.seq),
        "ack": np.where(from_client, batch.ack, batch.ack + shift),
        "ttl": batch.ttl + np.where(from_client, -HOPS, HOPS),
    }
    return Frames(**{f.name: changed.get(f.name, getattr(batch, f.name)) for f in fields(Frames)})


def joined(one: Frames, other: Frames) -> Frames:
    return Frames(
        **{f.name: np.concatenate([getattr(one, f.name), getattr(other, f.name)]) for f in fields(Frames)}
    )


def in_order(batch: Frames) -> Frames:
    return batch.at(np.argsort(batch.time_us, kind="stable"))
