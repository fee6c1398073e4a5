"""Flows: one TCP connection each, its two directions, its roles and its ending.

Knows who opened the flow, who is the client and how it ended, as far as one capture
shows.  Does not know what the flow carries (see ctcp) nor why it ended (see claims).
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from ctcp_forensics._kernel.rows import NEVER, AssociationRow, DirectionRow, EpisodeRow, FlowRow
from ctcp_forensics._kernel.rows_of_flows import was_bared
from ctcp_forensics.episodes import Episode, Hole
from ctcp_forensics.kept import kept
from ctcp_forensics.numbering import FROM_ONE_FILE, Numbering

if TYPE_CHECKING:
    from ctcp_forensics._kernel.tracked import Logged

CLIENT_TO_HEADEND = "client-to-headend"
HEADEND_TO_CLIENT = "headend-to-client"
SEQUENCE_SPACE = 1 << 32

AFTER_CLOSE_NS = 4_000_000_000
"""Where both ends still send data so long after an RST, neither believed it."""
SILENCE_NS = 30_000_000_000
"""A flow that said nothing for 30 s while its capture went on fell silent: six of cTCP's default
keep-alives of 5 s (IOS `crypto ctcp keepalive`), and ASA's shortest translation timeout (PAT, 0:00:30)."""

SPLICED_NS = 365 * 86_400_000_000_000
"""No capture runs on for a year after a flow: its file is spliced from several, or the clock was set."""

IPV4_LEN = 4
ADDRESSES_REMEMBERED = 4096
"""In letters: many flows have few ends."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An address and a port."""

    address: str
    port: int


class Direction(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What one end sent, and what the other acknowledged of it."""

    name: str
    row: DirectionRow
    episodes: tuple[Episode, ...]
    holes: tuple[Hole, ...]
    associations: tuple[AssociationRow, ...]
    edge_repeats: int = 0
    """How often one segment was sent again: the one that the peer lacks first, or the last one."""

    @property
    def fatal(self) -> Episode | None:
        """The question that was still open at the end, if any."""
        last = self.episodes[-1] if self.episodes else None
        return last if last is not None and not last.is_passed else None

    @kept
    def unfilled(self) -> tuple[Hole, ...]:
        return tuple([hole for hole in self.holes if not hole.is_filled])

    @property
    def missing_bytes(self) -> int:
        """Bytes not seen: in the open holes that are kept."""
        return sum([hole.length for hole in self.unfilled]) if self.holes else 0

    @property
    def repeats_data(self) -> bool:
        """Some byte was sent again.

        A SYN or FIN sent again repeats one number and no byte: the handshake has a
        timer even where the data has none.
        """
        return self.row.retransmissions > 0 and self.row.again_bytes != self.row.retransmissions

    @property
    def esp_missing(self) -> int:
        """ESP numbers that never came; none is known where a proxy cut the stream anew.

        A segment that ends without a trailer is not read, and it may hold several messages and a part of
        another.  What the network lost of such a stream is a hole.
        """
        return 0 if self.row.trailer_absent else self.row.esp_missing

    @kept
    def is_bared(self) -> bool:
        """Holes, questions or associations of it were let go, to make room for those of other flows."""
        return was_bared(self.row, len(self.holes), len(self.episodes), len(self.associations))

    @property
    def shows_loss(self) -> bool:
        """A hole that nothing filled.

        ESP numbers that are missing where no byte is were never sent here: what is lost takes its bytes along.
        """
        return bool(self.holes and self.unfilled)

    def absolute(self, position: int) -> int:
        return (self.row.anchor + position) % SEQUENCE_SPACE


class EndingKind(StrEnum):
    """What ended a flow, as far as one capture shows."""

    FIN = "fin"
    RST = "rst"
    SILENCE = "silence"
    CAPTURE_ENDED = "capture-ended"
    """Never a diagnosis."""


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How the flow ended, as far as this capture shows."""

    kind: EndingKind
    direction: str | None
    """Which way the FIN or RST went."""
    frame: int | None
    at_ns: int
    because: str


class Flow(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One TCP connection as one capture shows it, with the Cisco roles assigned."""

    index: int
    row: FlowRow
    client: Endpoint
    headend: Endpoint
    client_side: int
    """The kernel's number of the direction that the client sends."""
    roles_because: str
    to_headend: Direction
    to_client: Direction
    ending: Ending

    @kept
    def directions(self) -> tuple[Direction, Direction]:
        return self.to_headend, self.to_client

    def opposite(self, direction: Direction) -> Direction:
        return self.to_client if direction is self.to_headend else self.to_headend

    @kept
    def questions(self) -> list[tuple[Direction, Episode]]:
        """The last question of each direction that was not passed; asked after the close, it is none."""
        closed = self.ending.frame
        return [
            (d, fatal)
            for d in self.directions
            if d.episodes
            and (fatal := d.fatal) is not None
            and (closed is None or fatal.row.first_frame < closed)
        ]

    @kept
    def worst(self) -> Direction | None:
        """The direction whose last question stayed open; of two, the one that was asked more often."""
        if not (self.to_headend.episodes or self.to_client.episodes):
            return None
        asked = [(question.is_open, question.asks, d) for d, question in self.questions]
        if len(asked) < 2:
            return asked[0][2] if asked else None
        return max(asked, key=lambda one: one[:2])[2]

    @property
    def ended_ns(self) -> int:
        """When its last frames came; its latest time may lie before them, where a clock was set back."""
        return min(self.row.last_ns, max(self.to_headend.row.last_ns, self.to_client.row.last_ns))

    def is_settled(self, last_ns: int) -> bool:
        """Closed, by an RST that was believed or from both ends, and as silent since as who fell silent."""
        rows = [direction.row for direction in self.directions]
        is_ended = any(row.rsts for row in rows) or all(row.fin_frame != NEVER for row in rows)
        return is_ended and self.ending.frame is not None and last_ns - self.row.last_ns >= SILENCE_NS

    def sent_by(self, side: int) -> Direction:
        """The direction that the kernel knows by the number `side`."""
        return self.to_headend if side == self.client_side else self.to_client


def build_flow(
    tracked: Logged,
    index: int,
    *,
    ports: frozenset[int],
    capture_last_ns: int,
    numbering: Numbering = FROM_ONE_FILE,
) -> Flow:
    """Assemble flow `index` of a tracker; `ports` help to tell the headend where nothing better does."""
    row = tracked.flow(index)
    halves = (tracked.direction(index, 0), tracked.direction(index, 1))
    side, because = client_side(row, halves, ports)
    to_headend = build_direction(tracked, index, side, halves[side], CLIENT_TO_HEADEND)
    to_client = build_direction(tracked, index, 1 - side, halves[1 - side], HEADEND_TO_CLIENT)
    ends = (endpoint(row.src, row.sport), endpoint(row.dst, row.dport))
    return Flow(
        index=index,
        row=row,
        client=ends[side],
        headend=ends[1 - side],
        client_side=side,
        roles_because=because,
        to_headend=to_headend,
        to_client=to_client,
        ending=ending_of(row, to_headend, to_client, capture_last_ns, numbering),
    )


def other_resets(to_headend: Direction, to_client: Direction, numbering: Numbering) -> str:
    """Those beside the first, with the frame of the last."""
    others = to_headend.row.rsts + to_client.row.rsts - 1
    last = numbering.tell(max(to_headend.row.rst_last_frame, to_client.row.rst_last_frame))
    match others:
        case 0:
            return ""
        case 1:
            return f", and another in {last}"
        case _:
            return f", and {others} more, the last in {last}"


ROLES = (
    "it opened the connection",
    "it opened the IKE negotiation",
    "the other end uses the port of IPsec over TCP",
    "it uses the higher port; the SYN was not captured",
)
"""How we know which end is the client, the surest first."""


def roles_rank(flow: Flow) -> int:
    """How sure the roles are; 0 is the surest."""
    return ROLES.index(flow.roles_because)


def turned(flow: Flow) -> Flow:
    """The same flow with the other end as the client, because another capture knows better."""
    return replace(
        flow,
        client=flow.headend,
        headend=flow.client,
        client_side=1 - flow.client_side,
        to_headend=replace(flow.to_client, name=CLIENT_TO_HEADEND),
        to_client=replace(flow.to_headend, name=HEADEND_TO_CLIENT),
        ending=turned_ending(flow.ending),
    )


def turned_ending(ending: Ending) -> Ending:
    if ending.direction is None:
        return ending
    was = ending.direction
    now = HEADEND_TO_CLIENT if was == CLIENT_TO_HEADEND else CLIENT_TO_HEADEND
    because = ending.because.replace(was.replace("-", " "), now.replace("-", " "))
    return replace(ending, direction=now, because=because)


Conversation = tuple[bytes, int, bytes, int]
"""Two ends, the lower first."""


def conversation(src: bytes, sport: int, dst: bytes, dport: int) -> Conversation:
    """One name for both directions, and for every flow of these ends."""
    one, other = (src, sport), (dst, dport)
    return one + other if one <= other else other + one


def endpoint(address: bytes, port: int) -> Endpoint:
    return Endpoint(address=spelled(address), port=port)


@lru_cache(maxsize=ADDRESSES_REMEMBERED)
def spelled(address: bytes) -> str:
    """As RFC 5952 has it; the ends of many flows are few."""
    if len(address) == IPV4_LEN:
        return ".".join(map(str, address))
    # It takes as long to load as ten flows to judge, and few captures need it.
    from ipaddress import IPv6Address

    return str(IPv6Address(address))


def client_side(
    row: FlowRow, halves: tuple[DirectionRow, DirectionRow], ports: frozenset[int]
) -> tuple[int, str]:
    """Which direction is sent by the client, and how we know: SYN, SYN-ACK, IKE, port, in that order."""
    if row.originator != NEVER:
        return row.originator, ROLES[0]
    opened = [half.ike_opened for half in halves]
    if any(opened):
        return (0 if opened[0] >= opened[1] else 1), ROLES[1]
    if (row.sport in ports) != (row.dport in ports):
        return (0 if row.dport in ports else 1), ROLES[2]
    return (0 if row.sport >= row.dport else 1), ROLES[3]


def build_direction(tracked: Logged, index: int, side: int, row: DirectionRow, name: str) -> Direction:
    return Direction(
        name=name,
        row=row,
        episodes=tuple(
            [build_episode(tracked, index, side, row, one) for one in tracked.episodes(index, side)]
        ),
        holes=tuple([Hole(row=one) for one in tracked.holes(index, side)]),
        associations=tuple(tracked.associations(index, side)),
        edge_repeats=edge_repeats(tracked, index, side, row),
    )


def edge_repeats(tracked: Logged, index: int, side: int, row: DirectionRow) -> int:
    """How often one of the edges was sent again, at most."""
    return max([len(tracked.segments_with(index, side, pos)) - 1 for pos in edges_of(row)], default=0)


def edges_of(row: DirectionRow) -> set[int]:
    """Where a sender is stuck it repeats the first byte without an ACK, or its last: of no other is it worth asking."""
    edges = (row.acked_pos, row.next_pos - 1) if row.retransmissions else ()
    return {pos for pos in edges if pos >= 0}


def build_episode(tracked: Logged, index: int, side: int, row: DirectionRow, one: EpisodeRow) -> Episode:
    carriers = tracked.segments_with(index, side, one.wanted_pos) if one.wanted_seen else []
    before = [carrier for carrier in carriers if carrier.frame < one.first_frame]
    return Episode(
        row=one,
        wanted_seq=(row.anchor + one.wanted_pos) % SEQUENCE_SPACE,
        wanted_offset=one.wanted_pos if row.isn_known else None,
        missing_segment_frame=before[-1].frame if before else None,
        came_damaged=bool(before) and all(carrier.is_damaged for carrier in before),
    )


def closed_by(kind: EndingKind, direction: str) -> str:
    article = "an" if kind == EndingKind.RST else "a"
    return f"{article} {kind.name} went {direction.replace('-', ' ')}"


def closes_of(to_headend: Direction, to_client: Direction) -> list[tuple[int, EndingKind, int, str]]:
    """Frame, kind, time and direction of every FIN, and of every RST that was believed."""
    both_spoke_ns = min(to_headend.row.data_last_ns, to_client.row.data_last_ns)
    closes = []
    for direction in (to_headend, to_client):
        row = direction.row
        if row.fin_frame != NEVER:
            closes.append((row.fin_frame, EndingKind.FIN, row.fin_ns, direction.name))
        if row.rst_frame != NEVER and both_spoke_ns - row.rst_ns < AFTER_CLOSE_NS:
            closes.append((row.rst_frame, EndingKind.RST, row.rst_ns, direction.name))
    return closes


def ending_of(
    row: FlowRow, to_headend: Direction, to_client: Direction, capture_last_ns: int, numbering: Numbering
) -> Ending:
    """The first FIN or RST; else silence, where the capture went on long enough to tell."""
    closes = closes_of(to_headend, to_client)
    if closes:
        frame, kind, at_ns, name = min(closes)
        because = f"{closed_by(kind, name)} in {numbering.tell(frame)}"
        if kind == EndingKind.RST:
            because += other_resets(to_headend, to_client, numbering)
        return Ending(kind=kind, direction=name, frame=frame, at_ns=at_ns, because=because)
    silent_ns = capture_last_ns - row.last_ns
    if SILENCE_NS <= silent_ns < SPLICED_NS:
        because = f"nothing more for {silent_ns / 1e9:.0f} s, while the capture went on"
        return Ending(kind=EndingKind.SILENCE, direction=None, frame=None, at_ns=row.last_ns, because=because)
    because = "the capture ended while the flow was there; how the flow ended is not known"
    return Ending(
        kind=EndingKind.CAPTURE_ENDED, direction=None, frame=None, at_ns=row.last_ns, because=because
    )
