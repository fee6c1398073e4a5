"""The second reading: captures once more, for the segments of a few flows.

Knows whether a capture still is what the report was made from.  Passes over all other flows at the speed of
reading.  Does not know how places stand to one another: see assemble.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ctcp_forensics import _kernel
from ctcp_forensics._kernel.caps import TRACE_CAP
from ctcp_forensics._kernel.rows import NEVER, DirectionRow, EpisodeRow, HoleRow, TraceColumns
from ctcp_forensics.capture import STDIN, Access, Capture, open_capture
from ctcp_forensics.coverage import hashing_of, is_still
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.packets import Decoder
from ctcp_forensics.reading import Progress
from ctcp_forensics.report import Capture as Described
from ctcp_forensics.report import Seen
from ctcp_forensics.retrace.errand import Errand, Run, Seat
from ctcp_forensics.savefile import Reader, batches_in_order

ONLY_ONCE: Final = "standard input cannot be read a second time; save it to a file and analyze that"
CHANGED: Final = "is not the file any more that the report was made from; analyze it again"
ANOTHER_FLOW: Final = "does not show the flow that the report tells of any more; analyze it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """One direction of a flow, as the tracker has it at the end."""

    row: DirectionRow
    holes: tuple[HoleRow, ...]
    episodes: tuple[EpisodeRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighted:
    """One flow at one place, in the kernel's own terms."""

    seen: Seen
    client_side: int
    """The kernel's number of the direction that the client sends."""
    columns: TraceColumns
    halves: tuple[Half, Half]
    """Towards the headend, and back."""
    frames_before: tuple[int, ...]
    """How many frames were numbered before each capture of the run."""
    left_out: int


@dataclass(slots=True, kw_only=True)
class _Reel:
    """Frames of one interface, or of all, on their way to a tracer."""

    tracer: _kernel.Tracer
    interface: int | None
    decoder: Decoder
    numbers: dict[Seat, int]


def read_again(
    run: Run, progress: Progress | None, *, access: Access = Access.PUBLIC_ONLY
) -> tuple[dict[Seat, Sighted], list[CaptureError]]:
    """Read the captures of a run; what is not as the report says is told.  Raises CaptureError."""
    share = fair_share([errand.seen.frames for errand in run.errands], TRACE_CAP)
    interfaces = dict.fromkeys(errand.seen.interface for errand in run.errands)
    reels = [
        _Reel(tracer=_kernel.Tracer(cap=share), interface=one, decoder=Decoder(), numbers={})
        for one in interfaces
    ]
    before = [0]
    for described in run.captures:
        for reel in reels:
            want_those_of(described, run, reel, before[-1])
        before.append(read_part(described, reels, before[-1], progress, access=access))
    return sort_out(run, reels, tuple(before[:-1]))


def fair_share(sizes: Sequence[int], room: int) -> int:
    """How many rows a flow may have, where small ones leave to large ones what they do not need."""
    for number, size in enumerate(sorted(sizes)):
        share = room // (len(sizes) - number)
        if size > share:
            return max(1, share)
        room -= size
    return max(1, *sizes)


def want_those_of(described: Described, run: Run, reel: _Reel, before: int) -> None:
    """Flows that begin in this capture, on this interface.  Fragments are not put together across files."""
    reel.decoder = Decoder()
    for errand in run.errands:
        seen = errand.seen
        if seen.capture == described.id and seen.interface == reel.interface:
            reel.numbers[errand.seat] = reel.tracer.want(
                ipaddress.ip_address(seen.client.address).packed,
                seen.client.port,
                ipaddress.ip_address(seen.headend.address).packed,
                seen.headend.port,
                before + seen.first_frame,
            )


def read_part(
    described: Described, reels: list[_Reel], before: int, progress: Progress | None, *, access: Access
) -> int:
    """One pass over one file; how many frames are numbered now."""
    if described.source == STDIN:
        raise CaptureError(STDIN, offset=None, reason=ONLY_ONCE)
    hashing = hashing_of(described)
    with open_capture(described.source, hashing=hashing, access=access) as capture:
        refuse_other_size(described, capture)
        reader = Reader(capture.chunks(), source=described.source, first_number=before + 1)
        for buffer, frames in batches_in_order(reader):
            for reel in reels:
                own = frames if reel.interface is None else frames.of_interface(reel.interface)
                reel.tracer.feed(reel.decoder.decode(buffer, own))
            if progress is not None:
                progress(capture.position, capture.size)
        refuse_other_content(described, capture, reader)
    return reader.next_number - 1


def refuse_other_size(described: Described, capture: Capture) -> None:
    """Known before anything is read."""
    if None not in (described.size, capture.size) and described.size != capture.size:
        raise CaptureError(described.source, offset=None, reason=CHANGED)


def refuse_other_content(described: Described, capture: Capture, reader: Reader) -> None:
    if not is_still(described, reader, capture.content_digest):
        raise CaptureError(described.source, offset=None, reason=CHANGED)


# --- what was found ------------------------------------------------------------------------------


def sort_out(
    run: Run, reels: list[_Reel], frames_before: tuple[int, ...]
) -> tuple[dict[Seat, Sighted], list[CaptureError]]:
    found: dict[Seat, Sighted] = {}
    strange: list[CaptureError] = []
    by_seat = {seat: (reel, number) for reel in reels for seat, number in reel.numbers.items()}
    for errand in run.errands:
        one = sighted(errand, *by_seat[errand.seat], frames_before) if errand.seat in by_seat else None
        if one is None:
            source = next(one.source for one in run.captures if one.id == errand.seen.capture)
            strange.append(CaptureError(source, offset=None, reason=ANOTHER_FLOW))
        else:
            found[errand.seat] = one
    return found, strange


def sighted(errand: Errand, reel: _Reel, number: int, frames_before: tuple[int, ...]) -> Sighted | None:
    """None where it is not the flow that the report has."""
    tracer, seen = reel.tracer, errand.seen
    index = tracer.index(number)
    if index == NEVER or tracer.segments(number) != seen.frames:
        return None
    row = tracer.tracker.flow(index)
    client = (ipaddress.ip_address(seen.client.address).packed, seen.client.port)
    side = 0 if (row.src, row.sport) == client else 1
    columns = tracer.columns(number)
    return Sighted(
        seen=seen,
        client_side=side,
        columns=columns,
        halves=(half_of(tracer.tracker, index, side), half_of(tracer.tracker, index, 1 - side)),
        frames_before=frames_before,
        left_out=tracer.segments(number) - len(columns.frame),
    )


def half_of(tracker: _kernel.Tracker, index: int, side: int) -> Half:
    return Half(
        row=tracker.direction(index, side),
        holes=tuple(tracker.holes(index, side)),
        episodes=tuple(tracker.episodes(index, side)),
    )
