"""Path: bytes through every room, from the record walk to each rendering.

Knows the order of the rooms and what must hold whatever the bytes are: no exception but
CaptureError, every row can be asked for, both kernels answer alike, a report survives its JSON.
Two captures are joined as well, each with hostile shifts and times.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast
from unittest import mock

from ctcp_forensics import _kernel, pipeline
from ctcp_forensics._kernel import caps, plain_track
from ctcp_forensics._kernel.rows import NEVER, Status
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.packets import Decoder
from ctcp_forensics.render import FORMATS, render
from ctcp_forensics.render.look import COLORED, Depth, Look
from ctcp_forensics.report import Report
from ctcp_forensics.savefile import Reader
from tests.kernels import PLAIN

FAR: int = 1 << 62
"""As far as a time or a position may be off without leaving 64 bits."""
DELAYS = ((96, 0), (1, 500_000), (7, -FAR))
"""Stretches, and drift in parts per billion."""
PAIRS_FOLLOWED = 8
LOOKS = (
    Look(depth=Depth.WHY, width=100, pen=COLORED),
    Look(depth=Depth.WHAT, width=None, pen=COLORED),
)


@contextmanager
def capped(
    flows: int, segments: int, evidence: int | None = None, half_open: int | None = None
) -> Iterator[None]:
    """Tables of flows and of logged segments that fill up soon, and no more than so many pieces of any evidence.

    So many half-open flows are judged before they are given up.
    """
    with ExitStack() as patches:
        for kind in ("HOLES", "EPISODES", "ASSOCIATIONS", "RESETS") if evidence else ():
            patches.enter_context(mock.patch.object(caps, f"ALL_{kind}_KEPT", evidence))
        for module in (caps, sys.modules[plain_track.Tracker.__module__]):
            patches.enter_context(mock.patch.object(module, "FLOW_CAP", flows))
            if half_open is not None:
                patches.enter_context(mock.patch.object(module, "HALF_OPEN_CAP", half_open))
            patches.enter_context(mock.patch.object(module, "SEGMENT_LOG_CAP", segments))
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that the rooms up to the tracker say of a savefile, row by row."""

    frames: list[object]
    packets: list[object]
    account: dict[str, object]
    flows: list[object]


def facts(data: bytes, chunk_len: int, kernel: Any = _kernel) -> Facts:
    chunks = [data[at : at + chunk_len] for at in range(0, len(data), chunk_len)]
    reader = Reader(chunks, kernel=cast(ModuleType, kernel))
    decoder, tracker = Decoder(packets=kernel.Packets()), kernel.Tracker()
    walked: list[object] = []
    decoded: list[object] = []
    with mock.patch.object(_kernel, "decode", kernel.decode):
        try:
            for buffer, frames in reader.batches():
                packets = decoder.decode(buffer, frames)
                # Where the chunks end is not a fact about the savefile, so offsets are left out.
                walked += [frames[index]._replace(offset=0) for index in range(len(frames))]
                decoded += [packet_row(packets, index) for index in range(len(packets))]
                tracker.feed(packets)
        except CaptureError as error:
            walked.append(str(error))
    decoder.finish()
    return Facts(
        frames=walked, packets=decoded, account=account(reader, decoder), flows=list(tracked(tracker))
    )


def packet_row(packets: Any, index: int) -> object:
    """Where there is no segment only the first three fields hold."""
    row = packets[index]
    return tuple(row) if row.status == Status.TCP else tuple(row[:3])


def account(reader: Reader, decoder: Decoder) -> dict[str, object]:
    said = ("format", "frames", "damage", "comments", "interfaces", "notes", "outcome")
    return {name: getattr(reader, name) for name in said} | {
        "tcp_segments": decoder.tcp_segments,
        "undecoded": dict(decoder.undecoded),
        "icmp_errors": decoder.icmp_errors,
        "icmp_errors_refused": decoder.icmp_errors_refused,
    }


def tracked(tracker: Any) -> Iterator[object]:
    """Every row that can be asked for."""
    yield from (
        tracker.tallies(),
        tracker.given_up(),
        tracker.pulse(),
        tracker.suspects({10_000}),
        tracker.suspects(()),
    )
    for index in range(tracker.tallies().flows):
        yield from (tracker.flow(index), tracker.segments(index))
        for side in (0, 1):
            direction = tracker.direction(index, side)
            yield direction
            yield from (
                table(index, side) for table in (tracker.episodes, tracker.holes, tracker.associations)
            )
            yield tracker.segments_with(index, side, direction.next_pos - 1)


def twins_agree(data: bytes, chunk_len: int) -> None:
    """Both kernels, one of them over chunks of another length, say the same."""
    compiled, plain = facts(data, chunk_len), facts(data, max(1, len(data)), PLAIN)
    if compiled != plain:
        raise AssertionError(f"the kernels differ: {difference(compiled, plain)}")


def difference(ours: Facts, theirs: Facts) -> str:
    """The first rows, and fields, in which the two are not the same."""
    for name in ("frames", "packets", "flows"):
        for one, other in zip(getattr(ours, name), getattr(theirs, name), strict=False):
            if one != other:
                fields = getattr(one, "_fields", range(len(one) if isinstance(one, tuple) else 0))
                unlike = [field for field in zip(fields, one, other, strict=False) if field[1] != field[2]]
                return f"{name}: {unlike or (one, other)}"
    return f"{ours.account} and {theirs.account}"


# --- two captures ------------------------------------------------------------------------------------


def joins_agree(here: bytes, there: bytes) -> int:
    """Both kernels say the same of what two captures share and lack; how many directions share anything."""
    ours, theirs = (
        list(joined(log_of(here, kernel), log_of(there, kernel), kernel)) for kernel in (_kernel, PLAIN)
    )
    if ours != theirs:
        unlike = next(pair for pair in zip(ours, theirs, strict=False) if pair[0] != pair[1])
        raise AssertionError(f"the kernels join two captures differently: {unlike}")
    return len(cast(list[object], ours[0]))


def log_of(data: bytes, kernel: Any) -> Any:
    """A tracker that has logged every flow, as far as the capture could be read."""
    reader = Reader([data], kernel=cast(ModuleType, kernel))
    decoder, tracker = Decoder(packets=kernel.Packets()), kernel.Tracker(everything=True)
    with mock.patch.object(_kernel, "decode", kernel.decode), suppress(CaptureError):
        for buffer, frames in reader.batches():
            tracker.feed(decoder.decode(buffer, frames))
    return tracker


def joined(here: Any, there: Any, kernel: Any) -> Iterator[object]:
    """Everything that two logs can be asked for."""
    matching = kernel.Matching(here, there)
    pairs = matching.pairs()
    yield pairs
    ways = [(*pair[:4], pair.shift, pair.here_side) for pair in pairs]
    yield from (matching.delays(ways, *asked) for asked in DELAYS)
    for pair in pairs[:PAIRS_FOLLOWED]:
        for shift, floor, until_ns in (
            (pair.shift, NEVER, FAR),
            (pair.shift, 1, 0),
            (-pair.shift, FAR, -FAR),
        ):
            halves = (pair.here_flow, pair.here_side), (pair.there_flow, pair.there_side)
            yield kernel.course(here, halves[0], there, halves[1], shift, floor, until_ns)


def report_on(*sources: Path) -> Report:
    """The pipeline, with every flow judged, and every rendering of its report."""
    report = pipeline.diagnose([str(source) for source in sources], pipeline.Options(all_tcp=True))
    assert Report.from_json(report.to_json()) == report
    for form in FORMATS:
        for look in LOOKS if form == "table" else LOOKS[:1]:
            text = "".join(render(report, form, look))
            assert "\x1b[2J" not in text, f"the {form} lets a capture speak to the terminal"
    return report
