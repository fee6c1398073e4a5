"""Coverage: what was read of each capture, what was not, and which limits were reached.

Knows counts and reasons.  Does not know flows beyond their number: see conclude.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from ctcp_forensics import report
from ctcp_forensics._kernel.caps import ALL_HOLES_KEPT, FLOW_CAP, SEGMENT_LOG_CAP
from ctcp_forensics._kernel.rows import GivenUpRow, Tallies
from ctcp_forensics.capture import UNHASHED, Capture, Hashing
from ctcp_forensics.capture.digest import SHA256
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.packets import MAX_DATAGRAMS, MAX_ICMP_ERRORS, Decoder
from ctcp_forensics.savefile import Reader
from ctcp_forensics.surroundings import Surroundings, is_disordered

NOT_HASHED = "too long to be hashed by the way; --sha256 hashes it"
COMPLETE, PARTIAL, REJECTED = "complete", "partial", "rejected"

Excess = tuple[int, str, int, str]
"""So many beyond a limit, its name, the limit, and what became of them."""


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of one source from its beginning to its end, and whoever took part in it."""

    name: str
    """Of the capture in the report."""
    capture: Capture
    reader: Reader
    decoder: Decoder
    tallies: Tallies
    given_up: GivenUpRow
    flows_early: int
    """So many were judged before the end, because others needed their places."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one source."""

    capture: report.Capture
    surroundings: Surroundings
    next_number: int
    """Of the first frame of a file behind this one."""
    flows: int
    caps: tuple[report.Cap, ...]


def account_of(done: Pass) -> Account:
    described = described_in(done)
    return Account(
        capture=described,
        surroundings=Surroundings(
            first_ns=done.reader.first_ns or 0,
            last_ns=done.tallies.last_ns,
            dropped_frames=sum(one.dropped or 0 for one in described.interfaces),
            is_damaged=bool(described.damage),
            is_shuffled=is_disordered(done.reader.out_of_order_frames, done.reader.frames),
        ),
        next_number=done.reader.next_number,
        flows=done.tallies.flows_begun,
        caps=caps_reached(done),
    )


def hashing_of(described: report.Capture) -> Hashing:
    """What a second reading has to take, to be held against the first one."""
    content = described.content_digest
    return UNHASHED if content is None else Hashing(content.name, None)


def is_still(described: report.Capture, reader: Reader, content: str | None) -> bool:
    """Whether a capture that was read again is the one that a report is about.

    By its frames and times, and by the hash of its content, the one of `hashing_of`, where it was taken both times.
    """
    told = described.content_digest
    is_other = told is not None and content is not None and told.value != content
    then = (described.frames, described.first_ns, described.last_ns)
    return not is_other and then == (reader.frames, reader.first_ns, reader.last_ns)


def described_in(done: Pass) -> report.Capture:
    """The capture as the report has it: names and counts, in the order of the schema."""
    capture, reader, decoder = done.capture, done.reader, done.decoder
    by_sha256 = capture.hashing.name == SHA256
    return report.Capture(
        id=done.name,
        source=capture.source,
        sha256=capture.digest if by_sha256 else None,
        content_sha256=capture.content_digest if by_sha256 else None,
        blake3=None if by_sha256 else capture.digest,
        content_blake3=None if by_sha256 else capture.content_digest,
        format=reader.format,
        compression=capture.compression,
        size=capture.size,
        frames=reader.frames,
        tcp_segments=decoder.tcp_segments,
        first_ns=reader.first_ns,
        last_ns=reader.last_ns,
        outcome=PARTIAL if decoder.undecoded and reader.outcome == COMPLETE else reader.outcome,
        damage=tuple(report.Damage(offset=one.offset, reason=one.reason) for one in reader.damage),
        interfaces=interfaces_of(reader),
        undecoded=undecoded_rows(decoder.undecoded),
        comments=reader.comment_count,
        notes=tuple(notes_of(done)),
    )


def interfaces_of(reader: Reader) -> tuple[report.Interface, ...]:
    return tuple(
        report.Interface(index=one.index, link_type=one.link_type, name=one.name, dropped=one.dropped)
        for one in reader.interfaces
    )


def notes_of(done: Pass) -> Iterator[str]:
    """What a reader should know of a capture that is no damage and no limit."""
    yield from done.capture.notes
    yield from done.reader.notes
    yield from notes_on_time(done.reader)
    yield from notes_on_places(done.given_up, done.flows_early)
    if done.capture.is_at_end and not done.capture.digest:
        yield NOT_HASHED


def notes_on_time(reader: Reader) -> Iterator[str]:
    """A clock that runs backwards is no damage, and makes every duration doubtful."""
    early = reader.out_of_order_frames
    if early:
        yield f"{early} {'frame is' if early == 1 else 'frames are'} earlier than the frame before"


def notes_on_places(given_up: GivenUpRow, flows_early: int) -> Iterator[str]:
    """Flows that nothing was to be told of may go for others: what was seen of them was all that was asked."""
    if flows_early:
        yield (
            f"{flows_early} flows were judged before the end of the capture, because there were more at once than "
            "can be followed: their verdicts say nothing of what came later"
        )
    if given_up.bared:
        yield (
            f"{given_up.bared} times a half-open or ended flow of no concern lost what was kept of its holes and "
            "questions, to make room for that of others"
        )
    if not (given_up.half_open or given_up.ended):
        return
    told = (
        f"{given_up.half_open} half-open and {given_up.ended} ended flows of no concern made room for others"
    )
    rest = given_up.begun_in_mid_stream
    yield f"{told}; {rest} flows began without a SYN since, perhaps the rest of one" if rest else told


def undecoded_rows(counts: Counter[str]) -> tuple[report.Undecoded, ...]:
    """Most frequent first, then by name."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(report.Undecoded(reason=reason, frames=frames) for reason, frames in ordered)


def undecoded_in(captures: Iterable[report.Capture]) -> Counter[str]:
    """Frames by reason, of all of them."""
    found: Counter[str] = Counter()
    for capture in captures:
        found.update({one.reason: one.frames for one in capture.undecoded})
    return found


def caps_reached(done: Pass) -> tuple[report.Cap, ...]:
    """Limits that kept something from being looked at."""
    return tuple(
        report.Cap(cap=cap, limit=limit, reached_by=f"{done.name}: {number} {what}")
        for number, cap, limit, what in (*flows_beyond(done), *evidence_beyond(done))
        if number
    )


def flows_beyond(done: Pass) -> Iterator[Excess]:
    """A flow that was judged early and never spoke again lost nothing; if one did, it began anew without a SYN."""
    given_up = done.given_up
    cut_in_two = given_up.begun_in_mid_stream if done.flows_early else 0
    for number, what in (
        (cut_in_two, "flows begun without a SYN, perhaps the rest of one that was judged early"),
        (given_up.alive, "flows of no concern given up alive"),
        (given_up.half_open_of_concern, "half-open flows given up unjudged"),
        (given_up.ended_of_concern, "ended flows given up unjudged"),
        (given_up.alive_of_concern, "flows given up alive and unjudged"),
    ):
        yield number, "flows followed at once", FLOW_CAP, what


def evidence_beyond(done: Pass) -> Iterator[Excess]:
    """What is kept of flows, and of what bears on them."""
    bared, unlogged = done.given_up.bared_in_question, done.tallies.segments_unlogged
    lost = "times a flow, alive or to be judged, lost what was kept of it"
    yield bared, "holes kept at once, and other evidence in proportion", ALL_HOLES_KEPT, lost
    yield unlogged, "segments kept as evidence", SEGMENT_LOG_CAP, "earlier segments let go"
    yield done.decoder.icmp_errors_refused, "ICMP errors kept", MAX_ICMP_ERRORS, "further ones"
    evicted = done.decoder.fragments.evicted
    yield evicted, "datagrams put together at once", MAX_DATAGRAMS, "incomplete ones let go"


def coverage_of(
    accounts: Sequence[Account], failed: Sequence[CaptureError], *, flows_judged: int
) -> report.Coverage:
    """Of all sources together; `failed` are those that could not be read at all."""
    captures = [account.capture for account in accounts]
    outcomes = Counter(capture.outcome for capture in captures)
    return report.Coverage(
        captures=len(captures) + len(failed),
        complete=outcomes[COMPLETE],
        partial=outcomes[PARTIAL],
        rejected=outcomes[REJECTED] + len(failed),
        frames=sum(capture.frames for capture in captures),
        tcp_segments=sum(capture.tcp_segments for capture in captures),
        flows_seen=sum(account.flows for account in accounts),
        flows_judged=flows_judged,
        undecoded=undecoded_rows(undecoded_in(captures)),
        caps=tuple(cap for account in accounts for cap in account.caps),
        failed=tuple(
            report.Failed(source=error.source, reason=error.reason, offset=error.offset) for error in failed
        ),
    )
