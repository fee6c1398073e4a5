"""Packets → the numbers of those that go between given ends: what a second reading looks for.

Knows addresses and ports.  Does not know when a flow begins or ends: one pair of ends may have had several.
"""

from __future__ import annotations

from ctcp_forensics._kernel.plain_decode import NO_PACKET, Packets
from ctcp_forensics._kernel.plain_track.tracker import conversation
from ctcp_forensics._kernel.rows import Status


class Picker:
    """Pairs of ends, numbered from 0 as they are first wanted."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[bytes, int, bytes, int], int] = {}

    def want(self, src: bytes, sport: int, dst: bytes, dport: int) -> int:
        """The number of a pair of ends, whichever is named first."""
        key = conversation(NO_PACKET._replace(src=src, sport=sport, dst=dst, dport=dport))
        return self._numbers.setdefault(key, len(self._numbers))

    def picked(self, packets: Packets) -> list[tuple[int, int]]:
        """Frame and number of the pair, for each TCP segment between wanted ends, in the order of the batch."""
        found = []
        for index in range(len(packets)):
            packet = packets[index]
            number = self._numbers.get(conversation(packet)) if packet.status == Status.TCP else None
            if number is not None:
                found.append((packet.frame, number))
        return found
