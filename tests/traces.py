"""Traces for the tests of what is drawn from them: one counted out by hand, one of any length, and of a capture.

Knows the contract of `trace` and, by dpkt, captures in Ethernet.  Classifies in the simplest way that shows a
picture everything it can show: it is no second opinion on what a segment is.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import dpkt

from ctcp_forensics.report import Flow, Report, Seen
from ctcp_forensics.trace import CLIENT_TO_HEADEND, HEADEND_TO_CLIENT, NOWHERE, Columns, Hole, Mark, Trace

SYN, FIN, RST, ACK = 2, 1, 4, 16
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


def long_trace(rows: int, *, flow: str, capture: str = "c1", seed: int = 5) -> Trace:
    """A flow as long as asked: data one way, an ACK for every second segment, sizes and pauses drawn by lot."""
    drawn, columns = random.Random(seed), Columns()
    at_ns, pos, acked, asked = 1_700_000_000_000_000_000, 1, 1, 0
    for frame in range(1, rows + 1):
        at_ns += int(drawn.expovariate(1 / 90)) * 1_000 + 10_000
        if frame % 3:
            length = LARGEST if drawn.random() < 0.7 else drawn.randrange(60, LARGEST)
            marks = Mark.AGAIN if drawn.random() < 0.001 else 0
            row(
                columns,
                at_ns=at_ns,
                frame=frame,
                direction=CLIENT_TO_HEADEND,
                pos=pos,
                length=length,
                ack=1,
                marks=marks,
            )
            pos += length
        else:
            asked = asked - 1 if asked else 40 * (drawn.random() < 0.0005)
            acked = acked if asked else pos
            row(
                columns,
                at_ns=at_ns,
                frame=frame,
                pos=1,
                ack=acked,
                marks=Mark.DUPLICATE_ACK if asked else 0,
            )
    return Trace(flow=flow, place="client", captures=(capture,), base_seq=(0, 0), columns=columns)


def traces_of(report: Report, folder: Path, flows: Sequence[Flow] | None = None) -> list[Trace]:
    """Of every capture in `folder` that shows a flow of the report, on the clock of the first one."""
    return [
        trace
        for flow in (report.flows if flows is None else flows)
        for trace in _known_losses([_trace(report, flow, seen, folder) for seen in flow.seen])
    ]


def _trace(report: Report, flow: Flow, seen: Seen, folder: Path) -> Trace:
    (capture,) = [one for one in report.captures if one.id == seen.capture]
    columns, first = Columns(), dict[int, int]()
    highest, acked, last = [0, 0], [NOWHERE, NOWHERE], [0, 0]
    for frame, at_ns, ip in _segments(folder / Path(capture.source).name):
        tcp = ip.data
        ends = {tcp.sport, tcp.dport}
        if ends != {seen.client.port, seen.headend.port} or tcp.sport == tcp.dport:
            continue
        way = CLIENT_TO_HEADEND if tcp.sport == seen.client.port else HEADEND_TO_CLIENT
        is_syn, is_fin = bool(tcp.flags & SYN), bool(tcp.flags & FIN)
        payload = ip.len - ip.hl * 4 - tcp.off * 4
        first.setdefault(way, tcp.seq if is_syn else tcp.seq - 1)
        if tcp.flags & ACK:
            first.setdefault(1 - way, tcp.ack - 1)
        pos = tcp.seq - first[way]
        ack = tcp.ack - first[1 - way] if tcp.flags & ACK else NOWHERE
        length = payload + is_syn + is_fin
        marks = Mark.SYN * is_syn | Mark.FIN * is_fin | Mark.RST * bool(tcp.flags & RST)
        if length and pos + length <= highest[way]:
            marks |= Mark.AGAIN
        is_bare = not length and ack == acked[way] and not tcp.flags & RST
        if is_bare and highest[1 - way] > ack:
            marks |= Mark.DUPLICATE_ACK
        row(
            columns,
            at_ns=at_ns - _offset_ns(report, flow, seen.capture),
            frame=frame,
            direction=way,
            pos=pos,
            length=length,
            ack=ack,
            window=tcp.win,
            marks=marks,
        )
        highest[way] = max(highest[way], pos + length)
        acked[way] = max(acked[way], ack)
        last[way] = at_ns
        del is_syn, is_fin
    place = capture.vantage if capture.vantage != "unknown" else Path(capture.source).name
    return Trace(
        flow=flow.id,
        place=place,
        captures=(capture.id,),
        base_seq=(first.get(0, 0), first.get(1, 0)),
        columns=columns,
        holes=tuple(_holes(flow, columns)),
        clock_error_ns=0 if seen.capture == flow.judged_in else 18_000_000,
    )


def _segments(path: Path) -> Iterator[tuple[int, int, dpkt.ip.IP]]:
    with path.open("rb") as file:
        is_pcap = path.suffix == ".pcap"
        reader = dpkt.pcap.Reader(file) if is_pcap else dpkt.pcapng.Reader(file)
        for frame, (time, data) in enumerate(reader, 1):
            ip = dpkt.ethernet.Ethernet(data).data
            if isinstance(ip, dpkt.ip.IP) and isinstance(ip.data, dpkt.tcp.TCP):
                yield frame, int(time * 1_000_000) * 1_000, ip


def _offset_ns(report: Report, flow: Flow, capture: str) -> int:
    """The middle of what causality allows."""
    for path in report.paths:
        number = {one: at for at, place in enumerate(path.places) for one in place.captures}
        for clock in path.clocks:
            if (clock.place, clock.reference) == (number[capture], number[flow.judged_in]) and clock.pieces:
                piece = clock.pieces[0]
                if piece.offset_low_ns is not None and piece.offset_high_ns is not None:
                    return (piece.offset_low_ns + piece.offset_high_ns) // 2
    return 0


def _holes(flow: Flow, columns: Columns) -> Iterator[Hole]:
    """From the question that was never answered: from the wanted byte to the end of one segment."""
    for episode in flow.episodes:
        if episode.answered is False and episode.wanted_offset is not None and episode.first_ns is not None:
            left = episode.wanted_offset
            way = CLIENT_TO_HEADEND if episode.direction == "client-to-headend" else HEADEND_TO_CLIENT
            lengths = [
                length
                for pos, length, own in zip(columns.pos, columns.length, columns.direction, strict=True)
                if pos == left and own == way
            ]
            right = left + max(lengths, default=LARGEST)
            yield Hole(direction=way, left=left, right=right, from_ns=episode.first_ns, to_ns=None)


def _known_losses(traces: list[Trace]) -> list[Trace]:
    """A segment at the place nearer to the sender, behind which no byte of it is seen, was lost."""
    for near, far in pairwise(traces):
        holes = [hole for hole in near.holes if hole.direction == CLIENT_TO_HEADEND]
        arrived = set(zip(far.columns.direction, far.columns.pos, strict=True))
        for number, (way, pos) in enumerate(zip(near.columns.direction, near.columns.pos, strict=True)):
            if way == CLIENT_TO_HEADEND and any(hole.left == pos for hole in holes):
                near.columns.marks[number] |= Mark.WANTED
                if (way, pos) not in arrived:
                    near.columns.marks[number] |= Mark.LOST
    return traces
