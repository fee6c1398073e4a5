"""Case: all that was observed about one flow, and about the capture it was observed in.

Knows facts, and joins those that concern one flow.  Does not judge: see claims.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import cached_property

import msgspec

from ctcp_forensics._kernel.rows import NEVER, AssociationRow
from ctcp_forensics.ctcp import ESP_LIKE, Encapsulation, recognise
from ctcp_forensics.episodes import Episode
from ctcp_forensics.flows import Direction, Flow
from ctcp_forensics.packets import IcmpError
from ctcp_forensics.surroundings import Surroundings
from ctcp_forensics.vantage import Connection, Witness, way_of, witnesses


class Case(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One flow with everything that bears on its verdict."""

    flow: Flow
    encapsulation: Encapsulation
    surroundings: Surroundings
    icmp_errors: tuple[IcmpError, ...] = ()
    rebound_to: Flow | None = None
    """A later flow without a SYN that goes on with this one's SPI."""
    reopened_by: Flow | None = None
    """The next flow of the same 4-tuple, opened by another SYN."""
    connection: Connection | None = None
    """The same connection at every place of a path, where there are several captures."""
    number: int = 0
    """Which of its sightings this flow is."""

    def frame(self, number: int) -> str:
        """What a frame of this capture is called."""
        return self.surroundings.numbering.tell(number)

    @property
    def direction(self) -> Direction | None:
        """The direction that the accusation would concern."""
        return self.flow.worst

    @property
    def episode(self) -> Episode | None:
        """Its last question, still open at the end."""
        direction = self.direction
        return None if direction is None else direction.fatal

    @cached_property
    def words(self) -> Sequence[Witness]:
        """What every place says of the question that was left open; nothing with one capture or no question."""
        if self.connection is None or self.direction is None or self.episode is None:
            return ()
        return witnesses(self.connection, self.number, way_of(self.direction.name), self.episode)

    @property
    def may_be_ctcp(self) -> bool:
        """cTCP by its trailer, or ESP-like where the trailer was not captured."""
        return self.encapsulation.is_ctcp or self.encapsulation.kind == ESP_LIKE

    @property
    def closed_after(self) -> int | None:
        """Time of the FIN or RST, if the flow was closed."""
        return self.flow.ending.at_ns if self.flow.ending.frame is not None else None

    @property
    def episode_count(self) -> int:
        return sum(direction.row.episodes for direction in self.flow.directions)

    @property
    def has_esp(self) -> bool:
        return any(direction.row.esp_messages for direction in self.flow.directions)


def assemble(
    flows: Sequence[Flow], surroundings: Surroundings, icmp_errors: Iterable[IcmpError]
) -> list[Case]:
    """One case per flow, with the ICMP errors that quote it and the flow that went on with its SPI."""
    quoted: dict[frozenset[tuple[str, int]], list[IcmpError]] = {}
    for error in icmp_errors:
        quoted.setdefault(ends_quoted(error), []).append(error)
    rebound, reopened = rebindings(flows), reopenings(flows)
    return [
        Case(
            flow=flow,
            encapsulation=recognise(flow.to_headend.row, flow.to_client.row),
            surroundings=surroundings,
            icmp_errors=tuple(quoted.get(ends_of(flow), ())) if quoted else (),
            rebound_to=rebound.get(flow.index),
            reopened_by=reopened.get(flow.index),
        )
        for flow in flows
    ]


def ends_of(flow: Flow) -> frozenset[tuple[str, int]]:
    client, headend = flow.client, flow.headend
    return frozenset(((client.address, client.port), (headend.address, headend.port)))


def ends_quoted(error: IcmpError) -> frozenset[tuple[str, int]]:
    ends = ((error.src, error.sport), (error.dst, error.dport))
    return frozenset((str(ipaddress.ip_address(address)), port) for address, port in ends)


def reopenings(flows: Sequence[Flow]) -> dict[int, Flow]:
    """Flow index → the next flow of the same 4-tuple."""
    latest: dict[frozenset[tuple[str, int]], Flow] = {}
    reopened: dict[int, Flow] = {}
    for flow in sorted(flows, key=lambda one: one.row.first_frame):
        ends = ends_of(flow)
        earlier = latest.get(ends)
        if earlier is not None and flow.row.syn_frame != NEVER:
            reopened[earlier.index] = flow
        latest[ends] = flow
    return reopened


def rebindings(flows: Sequence[Flow]) -> dict[int, Flow]:
    """Flow index → the later flow that goes on with one of its SPIs, from other ends and without a SYN.

    It goes on where the other stopped: both at once are the two sides of a translation, captured in one file.
    """
    latest: dict[int, tuple[Flow, AssociationRow]] = {}
    rebound: dict[int, Flow] = {}
    for flow in sorted(flows, key=lambda one: one.row.first_frame):
        for one in (one for direction in flow.directions for one in direction.associations):
            earlier, before = latest.get(one.spi, (flow, one))
            goes_on = flow.row.syn_frame == NEVER and before.last_frame < one.first_frame
            if goes_on and ends_of(earlier) != ends_of(flow):
                rebound[earlier.index] = flow
            latest[one.spi] = flow, one
    return rebound
