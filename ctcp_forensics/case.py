"""Case: all that was observed about one flow, and about the capture it was observed in.

Knows facts, and joins those that concern one flow.  Does not judge: see claims.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ctcp_forensics import vantage
from ctcp_forensics._kernel.row import NamedTuple
from ctcp_forensics._kernel.rows import NEVER, AssociationRow, FlowRow
from ctcp_forensics.ctcp import ESP_LIKE, Encapsulation, recognise
from ctcp_forensics.episodes import Episode
from ctcp_forensics.flows import Direction, Flow, spelled
from ctcp_forensics.kept import kept
from ctcp_forensics.packets import IcmpError
from ctcp_forensics.surroundings import Surroundings

ESP_WINDOW = 64
"""How far a message may be overtaken: the anti-replay window that RFC 4303 §3.4.3 recommends."""


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
    succeeded_by: FlowRow | None = None
    """The first connection from the same host to the same port of the other that begins behind its last frame."""
    connection: vantage.Connection | None = None
    """The same connection at every place of a path, where there are several captures."""
    number: int = 0
    """Which of its sightings this flow is."""

    def frame(self, number: int) -> str:
        """What a frame of this capture is called."""
        return self.surroundings.numbering.tell(number)

    @kept
    def direction(self) -> Direction | None:
        """The direction that the accusation would concern."""
        return self.flow.worst

    @kept
    def episode(self) -> Episode | None:
        """Its last question, still open at the end."""
        direction = self.direction
        return None if direction is None else direction.fatal

    @kept
    def words(self) -> Sequence[vantage.Witness]:
        """What every place says of the question that was left open; nothing with one capture or no question."""
        if self.connection is None or self.direction is None or self.episode is None:
            return ()
        return vantage.witnesses(
            self.connection, self.number, vantage.way_of(self.direction.name), self.episode
        )

    @kept
    def answers(self) -> dict[Any, Any]:
        """What claims have said of it so far; whose names and answers these are knows evidence."""
        return {}

    @property
    def may_be_ctcp(self) -> bool:
        """cTCP by its trailer, or ESP-like where the trailer was not captured."""
        return self.encapsulation.is_ctcp or self.encapsulation.kind == ESP_LIKE

    @property
    def is_torn(self) -> bool:
        """Fragments between its hosts are in the capture without the rest of their datagrams."""
        return self.surroundings.tears(self.flow.row)

    @property
    def closed_after(self) -> int | None:
        """Time of the FIN or RST, if the flow was closed."""
        return self.flow.ending.at_ns if self.flow.ending.frame is not None else None

    @property
    def episode_count(self) -> int:
        return self.flow.to_headend.row.episodes + self.flow.to_client.row.episodes

    @property
    def has_esp(self) -> bool:
        return bool(self.flow.to_headend.row.esp_messages or self.flow.to_client.row.esp_messages)


def assemble(
    flows: Sequence[Flow],
    surroundings: Surroundings,
    icmp_errors: Iterable[IcmpError],
    successors: Iterable[FlowRow | None],
) -> list[Case]:
    """One case per flow, with the ICMP errors that quote it, the flow that went on with its SPI and its successor."""
    quoted = by_ends(icmp_errors)
    outlines = sorted(map(outline_of, flows), key=lambda one: one.first_frame)
    rebound, reopened = rebindings(outlines), reopenings(outlines)
    known = {flow.index: flow for flow in flows}
    return [
        case_of(
            flow,
            surroundings,
            quoted,
            rebound_to=known.get(rebound.get(flow.index, NEVER)),
            reopened_by=known.get(reopened.get(flow.index, NEVER)),
            succeeded_by=successor,
        )
        for flow, successor in zip(flows, successors, strict=True)
    ]


Ends = frozenset[tuple[str, int]]


def case_of(
    flow: Flow,
    surroundings: Surroundings,
    quoted: Mapping[Ends, Sequence[IcmpError]],
    *,
    rebound_to: Flow | None,
    reopened_by: Flow | None,
    succeeded_by: FlowRow | None,
) -> Case:
    return Case(
        flow=flow,
        encapsulation=recognise(flow.to_headend.row, flow.to_client.row),
        surroundings=surroundings,
        icmp_errors=tuple(quoted.get(ends_of(flow), ())) if quoted else (),
        rebound_to=rebound_to,
        reopened_by=reopened_by,
        succeeded_by=succeeded_by,
    )


def by_ends(icmp_errors: Iterable[IcmpError]) -> dict[Ends, list[IcmpError]]:
    """ICMP errors by the ends that they quote."""
    quoted: dict[Ends, list[IcmpError]] = {}
    for error in icmp_errors:
        quoted.setdefault(ends_quoted(error), []).append(error)
    return quoted


def ends_of(flow: Flow) -> Ends:
    client, headend = flow.client, flow.headend
    return frozenset(((client.address, client.port), (headend.address, headend.port)))


def ends_quoted(error: IcmpError) -> Ends:
    ends = ((error.src, error.sport), (error.dst, error.dport))
    return frozenset((spelled(address), port) for address, port in ends)


class Outline(NamedTuple):
    """As much of a flow as tells which other one goes on where it stopped."""

    number: int
    """The flow's index."""
    ends: Hashable
    """The same for both directions, and for every flow of these ends."""
    first_frame: int
    has_syn: bool
    associations: Sequence[AssociationRow]


def outline_of(flow: Flow) -> Outline:
    return Outline(
        flow.index,
        ends_of(flow),
        flow.row.first_frame,
        flow.row.syn_frame != NEVER,
        [one for direction in flow.directions for one in direction.associations],
    )


def reopenings(outlines: Iterable[Outline]) -> dict[int, int]:
    """Flow index → that of the next flow of the same 4-tuple.  The outlines come by their first frames."""
    latest: dict[Hashable, int] = {}
    reopened: dict[int, int] = {}
    for flow in outlines:
        earlier = latest.get(flow.ends)
        if earlier is not None and flow.has_syn:
            reopened[earlier] = flow.number
        latest[flow.ends] = flow.number
    return reopened


def rebindings(outlines: Iterable[Outline]) -> dict[int, int]:
    """Flow index → that of the later flow that goes on with one of its SPIs, from other ends and without a SYN.

    It goes on where the other stopped: both at once are the two sides of a translation, captured in one file.
    """
    latest: dict[int, tuple[Outline, AssociationRow]] = {}
    rebound: dict[int, int] = {}
    for flow in outlines:
        for one in flow.associations:
            earlier, before = latest.get(one.spi, (flow, one))
            if not flow.has_syn and goes_on(before, one) and earlier.ends != flow.ends:
                rebound[earlier.number] = flow.number
            latest[one.spi] = flow, one
    return rebound


def goes_on(before: AssociationRow, one: AssociationRow) -> bool:
    """Later, and with the numbers that come next: one that begins anew has its SPI by chance (RFC 4303 §2.2)."""
    is_anew = one.first_seq <= before.first_seq or one.first_seq + ESP_WINDOW <= before.highest_seq
    return before.last_frame < one.first_frame and not is_anew
