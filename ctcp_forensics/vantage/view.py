"""Views: what one vantage point shows.

One capture, several where it was rotated, or one interface of a savefile that holds several.  Knows flows and how
far the capture can be trusted.  Does not know any other vantage point: see pairing.
"""

from __future__ import annotations

from functools import cached_property

import msgspec

from ctcp_forensics._kernel import Tracker
from ctcp_forensics.flows import Flow
from ctcp_forensics.surroundings import Surroundings

CLIENT, OUTSIDE, INSIDE, ASA = "client", "asa-outside", "asa-inside", "asa"
FIREWALL = (OUTSIDE, INSIDE, ASA)


class View(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What one vantage point shows.  Without slots, so that what is asked for every flow is found out once."""

    number: int
    """Among all views of one analysis, from 0."""
    told: str | None
    """The role that the user gave it."""
    interfaces: tuple[str, ...] = ()
    """Their names, as the savefile has them."""
    tracker: Tracker
    flows: dict[int, Flow]
    """Those that are judged, by their index."""
    surroundings: Surroundings

    @property
    def is_named(self) -> bool:
        """By the user or by its interface: two hosts of one network with good clocks look like one box."""
        return self.told is not None or bool(self.interfaces)

    @cached_property
    def users_of_spi(self) -> dict[int, list[tuple[int, int]]]:
        """By SPI the flows that use it: last frame and index, the latest first."""
        users: dict[int, list[tuple[int, int]]] = {}
        for index, flow in self.flows.items():
            for spi in spis_of(flow):
                users.setdefault(spi, []).append((flow.row.last_frame, index))
        return {spi: sorted(some, reverse=True) for spi, some in users.items()}


def spis_of(flow: Flow) -> set[int]:
    return {one.spi for direction in flow.directions for one in direction.associations}
