"""Traffic: scenes drawn at random, strung into flows, and the flows interleaved in time.

Knows flows, addresses, clocks and the wanted size of the whole.  Does not know what happens inside a scene
(`scenes`) or how a frame is written (`wire`).  A capture longer than an epoch is made of several, each with
flows of its own, so that memory stays bounded and a stream may go on for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.scenes import CLIENT, SERVER, Library, Role, Scene
from benchmarks.wire import SYN, Column, Content, Frames, Layout, frames

EPOCH_FRAMES = 10_000_000  # the plan of an epoch takes about 60 bytes a frame
BATCH_FRAMES = 1 << 17
SHORTEST_CAPTURE_US = 60_000_000  # long enough for timers, and for silence to be seen as such
STARTED_AT_US = 1_700_000_000_000_000
CLIENTS, SERVERS = 0x0A000000, 0xC6120000  # 10.0.0.0/8; 198.18.0.0/15 is for benchmarks (RFC 2544)
FLOWS_PER_CLIENT = 20_000
SERVER_PORTS = (
    443,
    443,
    443,
    8443,
    9443,
    7443,
    6443,
    4443,
    50_000,
)  # no dissector stumbles over random bytes
UDP_PORT = 9  # discard: no dissector guesses at its content
WINDOW_SCALE = 7

Integers = NDArray[np.signedinteger[Any]]  # the plan keeps what is small in 32 bits and fewer
Tuples = tuple[Column, Column, Column, Column]


@dataclass(slots=True, kw_only=True)
class Truth:
    """What the generator knows about the capture it wrote; grows while the capture is written."""

    frames: int = 0
    tcp_segments: int = 0
    flows: int = 0
    repeated_frames: list[int] = field(default_factory=list)  # every byte had been in the capture before
    late_frames: list[int] = field(default_factory=list)  # sent again, the first copy was never captured
    fatal_flows: int = 0  # cTCP flows that end in unanswered duplicate ACKs


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Which scenes, between whom, and how they are mixed."""

    library: Callable[[Random], Library]
    tuples: Callable[[Column], Tuples]
    record_len: float | None = None  # wished mean of captured lengths, 16-byte record headers included
    snaplen: int
    udp_share: float = 0.0
    speaks_plain_tcp: bool = True  # options on SYN segments, timestamps on three flows of four


def ordinary_tuples(flow: Column) -> Tuples:
    """Each client opens at most 20,000 flows to servers and ports of every sort."""
    ports = np.array(SERVER_PORTS, np.int64)
    source = CLIENTS + 0x101 + flow // FLOWS_PER_CLIENT * 7 + flow % 31 * 0x10000
    target = SERVERS + 0x101 + flow * 2_654_435_761 % 4_093
    return source, target, 32_768 + flow % FLOWS_PER_CLIENT, ports[flow * 40_503 % 65_521 % len(ports)]


def ctcp_tuples(flow: Column) -> Tuples:
    source, _, source_port, _ = ordinary_tuples(flow)
    return source, SERVERS + 0x201 + flow % 3, source_port, np.full_like(flow, 10_000)


def colliding_tuples(flow: Column) -> Tuples:
    """Four families, each the blind spot of a hash that is often met, and no two flows alike.

    0: XOR of addresses and XOR of ports never change.  1: their sums never change.
    2: only bits from the 16th (addresses) and 8th (ports) up change: a product under a mask sees nothing new.
    3: two flows with the same four numbers, ports exchanged, as a hash that sorts or adds cannot tell.
    """
    family, step = flow % 4, flow // 4
    low, high = step & 0x3F, step >> 6
    one_port = np.full_like(flow, 55_001)
    source = [
        CLIENTS + (0x10000 ^ high),
        CLIENTS + 0x20000 + high,
        0x0B000001 + (high << 16),
        CLIENTS + step // 2,
    ]
    target = [
        SERVERS ^ high,
        SERVERS + 0x8000 - high,
        np.full_like(flow, SERVERS + 7),
        SERVERS + 1 + step // 2,
    ]
    source_port = [0xD000 ^ low, 52_000 + low, 0xC011 + (low << 8), 54_001 + step % 2]
    target_port = [0xE000 ^ low, 60_000 - low, one_port, 54_002 - step % 2]
    return (
        np.choose(family, source),
        np.choose(family, target),
        np.choose(family, source_port),
        np.choose(family, target_port),
    )


# -------------------------------------------------------------------------------------- scenes as arrays


@dataclass(frozen=True, slots=True, kw_only=True)
class _Book:
    """All scenes of a library, end to end: one row per step, and where each scene's rows are."""

    step: dict[str, Column]
    at_rtts: NDArray[np.float64]
    first: Column
    count: Column
    sent: Column  # (scenes, 2): bytes, SYN and FIN included
    messages: Column  # (scenes, 2)
    lasts_rtts: NDArray[np.float64]
    lasts_us: Column
    is_fatal: NDArray[np.bool_]


def _book(scenes: list[Scene]) -> _Book:
    steps = [step for scene in scenes for step in scene.steps]
    names = (
        "side",
        "at_us",
        "seq",
        "ack",
        "payload_len",
        "flags",
        "closes_window",
        "role",
        "content",
        "message",
    )
    table = {name: np.array([getattr(step, name) for step in steps], np.int64) for name in names}
    table["refreshes_stamp"] = np.array([step.refreshes_stamp for step in steps], np.int64)
    table["has_sack"] = np.array([step.sack is not None for step in steps], np.int64)
    table["sack"] = np.array([step.sack or (0, 0) for step in steps], np.int64)
    count = np.array([len(scene.steps) for scene in scenes], np.int64)
    return _Book(
        step=table,
        at_rtts=np.array([step.at_rtts for step in steps]),
        first=np.cumsum(count) - count,
        count=count,
        sent=np.array([scene.sent for scene in scenes], np.int64),
        messages=np.array([scene.messages for scene in scenes], np.int64),
        lasts_rtts=np.array([scene.rtts for scene in scenes]),
        lasts_us=np.array([scene.us for scene in scenes], np.int64),
        is_fatal=np.array([scene.is_fatal for scene in scenes]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chances:
    """The scenes of one library by number, with the odds of each."""

    book: _Book
    opening: NDArray[np.float64]
    exchange: NDArray[np.float64]
    ending: NDArray[np.float64]


def _chances(recipe: Recipe, seed: int) -> _Chances:
    library = recipe.library(Random(seed))
    groups = (library.openings, library.short, library.long, library.endings)
    scenes = [scene for group in groups for _, scene in group]
    odds = np.zeros((4, len(scenes)))
    place = 0
    for row, group in enumerate(groups):
        odds[row, place : place + len(group)] = [weight for weight, _ in group]
        place += len(group)
    odds /= odds.sum(axis=1, keepdims=True)
    book = _book(scenes)
    share = _share_of_long(recipe, book, odds[1], odds[2])
    exchange = share * odds[2] + (1 - share) * odds[1]
    return _Chances(book=book, opening=odds[0], exchange=exchange, ending=odds[3])


def _share_of_long(
    recipe: Recipe, book: _Book, short: NDArray[np.float64], long: NDArray[np.float64]
) -> float:
    """Mix so that the mean record is as long as wished: one linear equation, kept within 0 and 1."""
    if recipe.record_len is None:
        return 0.5
    headers_len = 14 + 20 + 32  # three flows of four carry timestamps
    kept = np.minimum(np.maximum(headers_len + book.step["payload_len"], 60), recipe.snaplen) + 16
    per_scene = np.add.reduceat(np.append(kept, 0), book.first) * (book.count > 0)
    excess = per_scene - recipe.record_len * book.count
    over, under = float(long @ excess), float(short @ excess)
    return float(np.clip(under / (under - over), 0.0, 1.0))


# ------------------------------------------------------------------------------------------------ an epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class _Casting:
    """Which scene plays when in which flow: one row per scene played, in order of flow and time."""

    flow: Column
    scene: Column


def _cast(chances: _Chances, rng: Generator, flows: int, frame_count: int) -> _Casting:
    """Enough scenes for the wished number of frames, spread unevenly over the flows as real traffic is."""
    everyone = np.arange(flows)
    opening = rng.choice(len(chances.opening), flows, p=chances.opening)
    ending = rng.choice(len(chances.ending), flows, p=chances.ending)
    count = chances.book.count
    wanted = max(frame_count - int(count[opening].sum() + count[ending].sum()), 0)
    mean = float(chances.exchange @ count)
    draws = int(wanted / mean * 1.2) + flows + 100
    exchange = rng.choice(len(chances.exchange), draws, p=chances.exchange)
    needed = max(int(np.searchsorted(np.cumsum(count[exchange]), wanted)) + 1, flows)
    exchange = exchange[:needed]
    weight = np.minimum(rng.pareto(1.3, flows) + 0.3, 60.0)
    owner = np.append(everyone, rng.choice(flows, needed - flows, p=weight / weight.sum()))
    flow = np.concatenate([everyone, owner, everyone])
    act = np.repeat([0, 1, 2], [flows, needed, flows])
    order = np.lexsort((act, flow))
    return _Casting(flow=flow[order], scene=np.concatenate([opening, exchange, ending])[order])


def _before(values: Integers, flow: Integers) -> Column:
    """Per row, the sum of earlier rows of its flow; rows are ordered by flow."""
    total = np.cumsum(values, axis=0) - values
    opens = np.flatnonzero(np.append(True, flow[1:] != flow[:-1]))
    lengths = np.diff(np.append(opens, len(flow)))
    earlier: Column = total - np.repeat(total[opens], lengths, axis=0)
    return earlier


def _curtain_us(casting: _Casting, book: _Book, rng: Generator, flows: int, rtt_us: Column) -> Column:
    """When each scene begins: idle time is shared out at random, so that flows overlap all along."""
    flow, scene = casting.flow, casting.scene
    lasts = (book.lasts_rtts[scene] * rtt_us[flow]).astype(np.int64) + book.lasts_us[scene] + 200
    busy = np.bincount(flow, lasts, flows)
    whole = max(SHORTEST_CAPTURE_US, int(busy.max() * 1.1))
    pause = rng.exponential(1.0, len(flow))
    is_opening = np.append(True, flow[1:] != flow[:-1])
    pause[is_opening] *= 0.3 * np.bincount(flow, minlength=flows)
    is_doomed = np.bincount(flow, book.is_fatal[scene], flows) > 0
    reach = np.where(is_doomed, rng.uniform(0.1, 0.6, flows), rng.uniform(0.6, 1.0, flows))
    pause *= ((whole - busy) * reach / np.bincount(flow, pause, flows))[flow]
    idle = pause.astype(np.int64)
    return _before(lasts, flow) + _before(idle, flow) + idle


@dataclass(frozen=True, slots=True, kw_only=True)
class _Epoch:
    """The plan: frames in order of flow, and the order in which the tap saw them."""

    recipe: Recipe
    book: _Book
    casting: _Casting
    played: Integers  # per frame: which row of the casting
    step: Integers  # per frame: which row of the book
    time_us: Column
    echo: Integers  # per frame: the frame whose timestamp it echoes, or -1
    nth: Integers  # per frame: how many frames its sender had sent in this flow
    sent: Column  # per row of the casting and side: bytes before the scene
    messages: Column
    order: Column  # frames by time; numbers beyond the TCP frames are UDP
    first_flow: int
    isn: Column
    clock: Column
    first_ip_id: Column
    ttl: Column
    has_stamps: NDArray[np.bool_]


def _latest_of_other_side(side: Integers, counts: NDArray[np.bool_], first: Integers) -> Integers:
    """Per frame, the last earlier frame of the same flow that came from the other side and counts."""
    place = np.arange(len(side), dtype=np.int32)
    latest = [
        np.maximum.accumulate(np.where((side == whose) & counts, place, np.int32(-1)))
        for whose in (CLIENT, SERVER)
    ]
    found = np.where(side == CLIENT, latest[SERVER], latest[CLIENT])
    return np.where(found >= first, found, np.int32(-1))


def _plan(
    recipe: Recipe, chances: _Chances, rng: Generator, *, frame_count: int, flows: int, first_flow: int
) -> _Epoch:
    udp_count = int(frame_count * recipe.udp_share)
    book = chances.book
    casting = _cast(chances, rng, flows, frame_count - udp_count)
    rtt_us = rng.integers(4_000, 80_000, flows)
    begins = _curtain_us(casting, book, rng, flows, rtt_us)

    count = book.count[casting.scene]
    opens = np.cumsum(count) - count
    played = np.repeat(np.arange(len(count), dtype=np.int32), count)
    step = (np.arange(len(played)) - np.repeat(opens - book.first[casting.scene], count)).astype(np.int32)
    flow = casting.flow[played].astype(np.int32)
    time_us = begins[played] + book.step["at_us"][step]
    time_us += (book.at_rtts[step] * rtt_us[flow]).astype(np.int64)
    udp_time = rng.integers(0, int(time_us.max()) + 1, udp_count)

    side = book.step["side"][step].astype(np.int8)
    opens_flow = np.append(True, flow[1:] != flow[:-1])
    first = np.maximum.accumulate(np.where(opens_flow, np.arange(len(flow), dtype=np.int32), np.int32(0)))
    nth_server = _before((side == SERVER).astype(np.int32), flow)
    order = np.argsort(np.append(time_us, udp_time), kind="stable")[:frame_count]
    return _Epoch(
        recipe=recipe,
        book=book,
        casting=casting,
        played=played,
        step=step,
        time_us=np.append(time_us, udp_time),
        echo=_latest_of_other_side(side, book.step["refreshes_stamp"][step].astype(bool), first),
        nth=np.where(side == SERVER, nth_server, np.arange(len(flow)) - first - nth_server).astype(np.int32),
        sent=_before(book.sent[casting.scene], casting.flow),
        messages=_before(book.messages[casting.scene], casting.flow),
        order=order,
        first_flow=first_flow,
        isn=rng.integers(0, 1 << 32, (flows, 2)),
        clock=rng.integers(0, 1 << 31, (flows, 2)),
        first_ip_id=rng.integers(0, 1 << 16, (flows, 2)),
        ttl=np.stack([128 - rng.integers(0, 3, flows), 64 - rng.integers(3, 20, flows)], axis=1),
        has_stamps=(rng.random(flows) < 0.75) & recipe.speaks_plain_tcp,
    )


def _layouts(epoch: _Epoch, row: dict[str, Column], flow: Column) -> Column:
    stamps = epoch.has_stamps[flow]
    plain = np.where(stamps, Layout.STAMPS, Layout.PLAIN)
    plain = np.where(row["has_sack"] == 1, np.where(stamps, Layout.SACK_STAMPS, Layout.SACK), plain)
    if not epoch.recipe.speaks_plain_tcp:
        return plain
    opening = np.where(stamps, Layout.SYN_STAMPS, Layout.SYN_PLAIN)
    return np.where(row["flags"] & SYN, opening, plain)


def _tcp_frames(epoch: _Epoch, chosen: Column, since_us: int) -> Frames:
    played, step = epoch.played[chosen], epoch.step[chosen]
    row = {name: values[step] for name, values in epoch.book.step.items()}
    flow, side = epoch.casting.flow[played], row["side"]
    other = 1 - side
    source, target, source_port, target_port = epoch.recipe.tuples(flow + epoch.first_flow)
    from_client = side == CLIENT
    seq = epoch.sent[played, side] + row["seq"]
    stream = seq + 40_503 * (2 * (flow + epoch.first_flow) + side)
    ack = epoch.isn[flow, other] + epoch.sent[played, other] + row["ack"]
    is_first = epoch.nth[chosen] == 0
    echo = epoch.echo[chosen]
    heard_us = epoch.time_us[np.maximum(echo, 0)]
    sack_base = epoch.isn[flow, other] + epoch.sent[played, other]
    window = np.where(row["flags"] & SYN, 64_240, np.where(from_client, 1_026, 501))
    window = window if epoch.recipe.speaks_plain_tcp else np.full_like(window, 65_535)
    return frames(
        len(chosen),
        time_us=STARTED_AT_US + since_us + epoch.time_us[chosen],
        source=np.where(from_client, source, target),
        target=np.where(from_client, target, source),
        source_port=np.where(from_client, source_port, target_port),
        target_port=np.where(from_client, target_port, source_port),
        seq=epoch.isn[flow, side] + seq,
        ack=np.where(is_first & from_client, 0, ack),
        flags=row["flags"],
        window=np.where(row["closes_window"] == 1, 0, window),
        payload_len=row["payload_len"],
        ip_id=epoch.first_ip_id[flow, side] + epoch.nth[chosen],
        ttl=epoch.ttl[flow, side],
        layout=_layouts(epoch, row, flow),
        ts_value=epoch.clock[flow, side] + epoch.time_us[chosen] // 1_000,
        ts_echo=np.where(echo < 0, 0, epoch.clock[flow, other] + heard_us // 1_000),
        sack=np.broadcast_to((row["sack"] + sack_base[:, None])[:, None, :], (len(chosen), 4, 2)),
        place=stream,
        window_scale=WINDOW_SCALE,
        content=row["content"],
        spi=(0x5EED0000 + 2 * (flow + epoch.first_flow) + side) * 0x9E3779B1 & 0xFFFFFFFF | 0x100,
        esp_seq=np.where(
            row["content"] == Content.ESP, epoch.messages[played, side] + row["message"] + 1, row["seq"]
        ),
    )


def _with_udp(epoch: _Epoch, chosen: Column, since_us: int) -> Frames:
    """UDP frames borrow a TCP frame's columns and change what differs."""
    is_udp = chosen >= len(epoch.step)
    mixed = _tcp_frames(epoch, np.where(is_udp, 0, chosen), since_us)
    rows = np.flatnonzero(is_udp)
    if not len(rows):
        return mixed
    drawn = chosen[rows] * 2_654_435_761
    told = {
        name: getattr(mixed, name).copy() for name in ("time_us", "payload_len", "layout", "content", "ip_id")
    }
    ends = {name: getattr(mixed, name).copy() for name in ("source", "target", "source_port", "target_port")}
    told["time_us"][rows] = STARTED_AT_US + since_us + epoch.time_us[chosen[rows]]
    told["payload_len"][rows] = 18 + drawn % 1_200
    told["layout"][rows], told["content"][rows], told["ip_id"][rows] = Layout.UDP, Content.PATTERN, drawn >> 8
    ends["source"][rows], ends["target"][rows] = CLIENTS + 0x201 + drawn % 251, SERVERS + 9
    ends["source_port"][rows], ends["target_port"][rows] = 1_024 + drawn % 60_000, UDP_PORT
    return Frames(**{name: (told | ends).get(name, getattr(mixed, name)) for name in Frames.__slots__})


def _note(epoch: _Epoch, truth: Truth) -> None:
    tcp_place = np.flatnonzero(epoch.order < len(epoch.step))
    chosen = epoch.order[tcp_place]
    role = epoch.book.step["role"][epoch.step[chosen]]
    number = truth.frames + tcp_place + 1
    truth.repeated_frames += number[role == Role.REPEAT].tolist()
    truth.late_frames += number[role == Role.LATE].tolist()
    played = epoch.played[chosen]
    seen = np.zeros(len(epoch.isn), bool)
    seen[epoch.casting.flow[played]] = True
    truth.flows += int(seen.sum())
    doomed = epoch.casting.flow[played[epoch.book.is_fatal[epoch.casting.scene[played]]]]
    truth.fatal_flows += len(np.unique(doomed))
    truth.tcp_segments += len(tcp_place)
    truth.frames += len(epoch.order)


def traffic(
    recipe: Recipe,
    *,
    frame_count: int,
    flows: int,
    seed: int,
    truth: Truth,
    epoch_frames: int = EPOCH_FRAMES,
) -> Iterator[Frames]:
    """The whole capture in batches; `truth` is complete when the last batch has been taken."""
    chances = _chances(recipe, seed)
    first_flow, since_us, done, number = 0, 0, 0, 0
    while done < frame_count:
        here = min(epoch_frames, frame_count - done)
        flows_here = max(1, round(flows * here / frame_count))
        rng = np.random.default_rng([seed, number])
        epoch = _plan(recipe, chances, rng, frame_count=here, flows=flows_here, first_flow=first_flow)
        _note(epoch, truth)
        for begin in range(0, here, BATCH_FRAMES):
            yield _with_udp(epoch, epoch.order[begin : begin + BATCH_FRAMES], since_us)
        first_flow, done, number = first_flow + flows_here, done + here, number + 1
        since_us += int(epoch.time_us[epoch.order[-1]]) + 1
