"""Merging: strands of several captures → one order, by time.

Knows nothing but keys.  Stable: what comes at one moment stands in the order of the places.  A capture is opened when
its first frame is due, so that a thousand rotated files are not open together.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from ctcp_forensics.annotate.strand import Item, Keyed, Strand


def merged(strands: Sequence[Strand]) -> Iterator[Item]:
    """Strands stand in the order of their places."""
    waiting: list[tuple[int, int]] = [(strand.begins_ns, number) for number, strand in enumerate(strands)]
    heapq.heapify(waiting)
    open_: dict[int, tuple[Item, Iterator[Keyed]]] = {}
    while waiting:
        _, number = waiting[0]
        if number in open_:
            item, rest = open_[number]
            yield item
        else:
            rest = strands[number].items()
        following = next(rest, None)
        if following is None:
            open_.pop(number, None)
            heapq.heappop(waiting)
        else:
            key_ns, item = following
            open_[number] = item, rest
            heapq.heapreplace(waiting, (key_ns, number))
