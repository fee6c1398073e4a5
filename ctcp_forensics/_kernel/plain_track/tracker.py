"""Tracker: every TCP flow of one capture, found by its 4-tuple and followed segment by segment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

from ctcp_forensics._kernel.caps import EPISODES_KEPT, FLOW_CAP, HALF_OPEN_CAP, SEGMENT_LOG_CAP
from ctcp_forensics._kernel.plain_decode import Packets
from ctcp_forensics._kernel.plain_screen import Conversation, brief, screened, settled
from ctcp_forensics._kernel.plain_succession import reopenings, successors
from ctcp_forensics._kernel.plain_track.ageing import STAGES, Queue, Stage, is_suspect, ranked, stage
from ctcp_forensics._kernel.plain_track.arrival import (
    is_copy,
    keep_reset,
    note_arrival,
    note_reset,
    note_sender,
)
from ctcp_forensics._kernel.plain_track.evidence import KINDS, Held, pieces_of
from ctcp_forensics._kernel.plain_track.payload import is_damaged
from ctcp_forensics._kernel.plain_track.pulse import Pulse
from ctcp_forensics._kernel.plain_track.segments import take_segment
from ctcp_forensics._kernel.plain_track.state import Flow
from ctcp_forensics._kernel.rows import (
    NEVER,
    AssociationRow,
    BriefColumns,
    DirectionRow,
    EpisodeRow,
    FlowRow,
    GivenUpRow,
    HoleRow,
    Kind,
    Message,
    Packet,
    PulseRow,
    ResetRow,
    ScreenLimits,
    SegmentRow,
    Status,
    Tallies,
    Tcp,
)


class Tracker:
    """Follows every TCP flow of one capture.

    Flows that use one of `ports` at either end, or with `everything` all flows, are watched from their first
    segment on; others from the first segment that looks like cTCP.  Those with one of the `wanted` ports (None: all)
    will be judged, as will those that look like cTCP: where places get few, others are given up first.  Where these
    have to go as well, `named_at_once` of them are named before: see `feed` and `leaving`; 0: they go unnamed.
    """

    def __init__(
        self,
        ports: Iterable[int] = (),
        everything: bool = False,
        wanted: Iterable[int] | None = (),
        named_at_once: int = 0,
    ) -> None:
        self._watched_ports = frozenset(ports)
        self._watches_everything = everything
        self._wanted = None if wanted is None else frozenset(wanted)
        self._named_at_once = named_at_once
        self._left: list[int] = []
        self._half_open_named = 0
        self._flows: list[Flow] = []
        self._latest: dict[tuple[bytes, int, bytes, int], int] = {}
        self._queue = Queue()
        self._held = Held()
        self._given_up = [0] * (2 * STAGES)
        self._begun = 0
        self._begun_in_mid_stream = 0
        self._segments = 0
        self._unlogged = 0
        self._log: list[tuple[int, SegmentRow]] = []
        self._logged_from: dict[int, int] = {}
        """Rows of the log before this one belong to who had the place before."""
        self._by_flow: dict[int, list[SegmentRow]] | None = None
        self._last_ns = NEVER
        self._pulse = Pulse()

    # --- what went in, what comes out -------------------------------------------------------

    def feed(self, packets: Packets, begin: int = 0) -> int:
        """Take one batch of packets, in the order of the capture, from the packet at `begin` on.

        How many are done with.  Where that is not all of them, the next one needs the place of a flow that may be
        judged and was not named: ask who is `leaving`, and go on from there.
        """
        self._by_flow = None
        for index in range(begin, len(packets)):
            packet = packets[index]
            self._last_ns = max(self._last_ns, packet.time_ns)
            self._pulse.take(packet.time_ns)
            if packet.status == Status.TCP:
                self._make_room()
                if self._has_to_wait(packet):
                    return index
                self._follow(packet)
        return len(packets)

    def leaving(self) -> list[int]:
        """Flows that are given up next, unless they speak before: they are named, and go without another word."""
        self._left.clear()
        named = self._queue.name(self._flows, self._named_at_once)
        self._half_open_named += sum(stage(self._flows[index]) == Stage.HALF_OPEN for index in named)
        return named

    def left(self) -> list[int]:
        """Those of the flows named last whose place was taken, in that order."""
        return list(self._left)

    def tallies(self) -> Tallies:
        return Tallies(len(self._flows), self._begun, self._segments, self._unlogged, self._last_ns)

    def given_up(self) -> GivenUpRow:
        bared = (self._held.bared, self._held.bared_in_question)
        return GivenUpRow._make((*self._given_up, self._begun_in_mid_stream, *bared))

    def pulse(self) -> PulseRow:
        return self._pulse.row()

    def flow(self, index: int) -> FlowRow:
        return self._flows[index].row()

    def direction(self, index: int, side: int) -> DirectionRow:
        return self._flows[index].directions[side].row()

    def episodes(self, index: int, side: int) -> list[EpisodeRow]:
        """The latest EPISODES_KEPT, in order; the last may be open."""
        d = self._flows[index].directions[side]
        open_now = [d.episode] if d.episode is not None else []
        return [episode.row() for episode in (d.kept_episodes + open_now)[-EPISODES_KEPT:]]

    def holes(self, index: int, side: int) -> list[HoleRow]:
        """Holes that were let go or filled, then those still open, by when they opened."""
        d = self._flows[index].directions[side]
        held = sorted(d.kept_holes + d.live, key=lambda hole: (hole.opened_frame, hole.start))
        return [hole.row() for hole in held]

    def associations(self, index: int, side: int) -> list[AssociationRow]:
        return [one.row() for one in self._flows[index].directions[side].kept_associations]

    def resets(self, index: int) -> list[ResetRow]:
        """The first RESETS_KEPT RSTs of a flow, of both directions, since it is watched."""
        return list(self._flows[index].resets)

    def segments(self, index: int) -> list[SegmentRow]:
        """The log of a watched flow, in the order of the capture."""
        return self._indexed().get(index, [])

    def log(self) -> list[tuple[int, SegmentRow]]:
        """The log of all watched flows, in the order of the capture: index of the flow, and row."""
        return [
            (owner, row)
            for number, (owner, row) in enumerate(self._log, start=self._unlogged)
            if number >= self._logged_from.get(owner, 0)
        ]

    def segments_with(self, index: int, side: int, position: int) -> list[SegmentRow]:
        """The logged segments of one direction that carry the byte at `position`."""
        return [
            row
            for row in self.segments(index)
            if row.direction == side and row.pos <= position < row.pos + row.length
        ]

    def bare_acks(self, index: int, side: int, ack_pos: int, limit: int) -> tuple[int, list[tuple[int, int]]]:
        """Logged segments of one direction that do nothing but acknowledge up to `ack_pos`.

        How many, and of the first `limit` the frame and the time.  By what this end has acknowledged as a whole: an
        old ACK behind a newer one counts as the newer.
        """
        found = [
            (row.frame, row.time_ns)
            for row in self.segments(index)
            if row.direction == side and row.ack_pos == ack_pos and is_bare(row)
        ]
        return len(found), found[: max(0, limit)]

    def acks(self, index: int, side: int) -> set[int]:
        """All that one direction has acknowledged at one time or another, by its logged segments."""
        return {row.ack_pos for row in self.segments(index) if row.direction == side}

    def step_back(self, index: int, more_than_ns: int) -> int:
        """The frame before the clock was set back by more than so much for the last time; NEVER where it was not.

        Only logged segments are looked at.
        """
        steps = [
            one.frame
            for one, two in pairwise(self.segments(index))
            if two.time_ns < one.time_ns - more_than_ns
        ]
        return steps[-1] if steps else NEVER

    def _indexed(self) -> dict[int, list[SegmentRow]]:
        """The log by flow, sorted out once when it is first asked for."""
        if self._by_flow is None:
            self._by_flow = {}
            for owner, row in self.log():
                self._by_flow.setdefault(owner, []).append(row)
        return self._by_flow

    def suspects(self, ports: frozenset[int]) -> list[int]:
        """Flows that look like IPsec over TCP in any way, or use one of the ports, in the order in which they began."""
        found = [index for index, flow in enumerate(self._flows) if is_suspect(flow, ports)]
        return sorted(found, key=lambda index: self._flows[index].first_frame)

    def screen(self, wanted: Sequence[int], limits: ScreenLimits, quoted: Collection[Conversation]) -> bytes:
        """What the counters of each wanted flow say by themselves, a rows.Plain for each."""
        return screened(self, wanted, limits, quoted)

    def settled(self, wanted: Sequence[int], limits: ScreenLimits) -> bytes:
        """1 for each wanted flow that is closed and has been silent long enough for nothing to be expected of it."""
        return settled(self, wanted, limits)

    def successors(self, wanted: Sequence[int]) -> list[int]:
        """For each wanted flow the next one of the same hosts to the same port; NEVER where there is none."""
        return successors(self, wanted)

    def reopenings(self, wanted: Sequence[int]) -> list[int]:
        """For each wanted flow the next one of its own ends; NEVER where there is none."""
        return reopenings(self, wanted)

    def brief(self, wanted: Sequence[int], ports: Collection[int], frames_before: int = 0) -> BriefColumns:
        """A few facts of each wanted flow, column by column."""
        return brief(self, wanted, ports, frames_before)

    # --- one segment ------------------------------------------------------------------------

    def _follow(self, p: Packet) -> None:
        index = self._find(p)
        self._segments += 1
        flow = self._flows[index]
        before = pieces_of(flow)
        self._take(index, flow, p)
        self._held.change(before, pieces_of(flow))

    def _take(self, index: int, flow: Flow, p: Packet) -> None:
        side = flow.side_of(p)
        d, peer = flow.directions[side], flow.directions[1 - side]
        note_arrival(flow, d, side, p)
        if is_copy(d, peer, p):
            d.copies += 1
            return
        note_sender(d, p)
        if p.flags & Tcp.RST:
            note_reset(d, p)
            if flow.watched:
                keep_reset(flow, d, side, p)
            return
        pos = take_segment(flow, d, peer, p)
        if flow.watched and pos != NEVER:
            self._log_segment(index, flow, side, p, pos)

    def _find(self, p: Packet) -> int:
        """The flow of this segment: the latest of its 4-tuple, unless it opens another."""
        index = self._known(p)
        if index != NEVER:
            return index
        self._begun_in_mid_stream += self._is_full and not p.flags & Tcp.SYN
        index = self._place()
        self._flows[index : index + 1] = [Flow(p, watched=self._is_asked_for(p))]
        self._latest[conversation(p)] = index
        self._begun += 1
        return index

    def _known(self, p: Packet) -> int:
        """NEVER where the segment begins a flow."""
        index = self._latest.get(conversation(p), NEVER)
        return NEVER if index != NEVER and opens_another(self._flows[index], p) else index

    @property
    def _is_full(self) -> bool:
        return len(self._flows) >= FLOW_CAP

    def _has_to_wait(self, p: Packet) -> bool:
        """It needs a place, and whose that is has to be named first."""
        if not self._named_at_once or not self._is_full or self._known(p) != NEVER:
            return False
        rank, _ = self._queue.first(self._flows, self._wanted)
        return self._is_to_be_named(rank) and not self._queue.is_named

    def _is_to_be_named(self, rank: int) -> bool:
        """Of a flood of half-open flows only so many are."""
        is_half_open = rank == STAGES + Stage.HALF_OPEN
        return rank >= STAGES and not (is_half_open and self._half_open_named >= HALF_OPEN_CAP)

    def _make_room(self) -> None:
        """Kind by kind: what one of them lost may be room enough for the next."""
        for kind in KINDS:
            if self._held.has_too_many(kind):
                self._let_go(kind)

    def _let_go(self, kind: int) -> None:
        """Evidence of the flows that matter least."""
        order = ranked(self._flows, self._wanted)
        self._held.make_room(kind, ((rank, self._flows[index]) for rank, _, index in order))
        self._queue.clear()

    def _place(self) -> int:
        """A place for a new flow: one more, or that of the flow that matters least."""
        if not self._is_full:
            return len(self._flows)
        rank, index = self._queue.first(self._flows, self._wanted)
        if self._queue.is_named:
            self._left.append(index)
        else:
            self._given_up[rank] += 1
        self._queue.pass_over()
        self._give_up(index)
        return index

    def _give_up(self, index: int) -> None:
        flow = self._flows[index]
        self._held.change(pieces_of(flow), [0] * len(pieces_of(flow)))
        self._logged_from[index] = self._unlogged + len(self._log)
        key = ends_in_order((flow.src, flow.sport), (flow.dst, flow.dport))
        if self._latest.get(key) == index:
            del self._latest[key]

    def _is_asked_for(self, p: Packet) -> bool:
        return self._watches_everything or not self._watched_ports.isdisjoint((p.sport, p.dport))

    def _log_segment(self, index: int, flow: Flow, side: int, p: Packet, pos: int) -> None:
        ack_pos = flow.directions[1 - side].acked_pos
        damaged = int(is_damaged(flow.directions[side], p))
        whole = Message(Kind.NONE, 0, p.payload_len, p.head[0], p.head[1], 0, 0, p.print64)
        for m in p.messages or (whole,):
            at = (side, p.frame, p.time_ns, pos + m.offset, m.length, ack_pos, p.flags)
            self._log.append((index, SegmentRow(*at, m.kind, m.spi, m.esp_seq, m.print64, damaged)))
        if len(self._log) >= SEGMENT_LOG_CAP:
            self._unlogged += SEGMENT_LOG_CAP // 4
            del self._log[: SEGMENT_LOG_CAP // 4]


def conversation(p: Packet) -> tuple[bytes, int, bytes, int]:
    """One key for both directions."""
    return ends_in_order((p.src, p.sport), (p.dst, p.dport))


def ends_in_order(one: tuple[bytes, int], other: tuple[bytes, int]) -> tuple[bytes, int, bytes, int]:
    return one + other if one <= other else other + one


def opens_another(flow: Flow, p: Packet) -> bool:
    """A SYN with another ISN on the same 4-tuple is another flow, as Wireshark counts streams."""
    if p.flags & (Tcp.SYN | Tcp.ACK) != Tcp.SYN:
        return False
    d = flow.directions[flow.side_of(p)]
    return d.anchored and d.anchor != p.seq


def is_bare(row: SegmentRow) -> bool:
    return not row.length and not row.flags & (Tcp.SYN | Tcp.FIN)
