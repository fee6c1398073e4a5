"""Coverage: what was read of each capture, what was not, and which limits were reached.

Knows counts and reasons.  Does not know flows beyond their number: see conclude.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from ctcp_forensics import report
from ctcp_forensics._kernel.rows import ALL_HOLES_KEPT, FLOW_CAP, SEGMENT_LOG_CAP, GivenUpRow, Tallies
from ctcp_forensics.capture import UNHASHED, Capture, Hashing
from ctcp_forensics.capture.digest import SHA256
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.packets import MAX_DATAGRAMS, MAX_ICMP_ERRORS, Decoder
from ctcp_forensics.savefile import Reader
from ctcp_forensics.surroundings import Surroundings

NOT_HASHED = "too long to be hashed by the way; --sha256 hashes it"
COMPLETE, PARTIAL, REJECTED = "complete", "partial", "rejected"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one source."""

    capture: report.Capture
    surroundings: Surroundings
    next_number: int
    """Of the first frame of a file behind this one."""
    flows: int
    caps: tuple[report.Cap, ...]


def account_of(
    name: str,
    capture: Capture,
    reader: Reader,
    decoder: Decoder,
    tallies: Tallies,
    given_up: GivenUpRow,
    flows_early: int,
) -> Account:
    """`flows_early`: so many were judged before the end, because others needed their places."""
    described = describe(name, capture, reader, decoder, given_up, flows_early)
    return Account(
        capture=described,
        surroundings=Surroundings(
            first_ns=reader.first_ns or 0,
            last_ns=tallies.last_ns,
            dropped_frames=sum(one.dropped or 0 for one in described.interfaces),
            is_damaged=bool(described.damage),
        ),
        next_number=reader.next_number,
        flows=tallies.flows_begun,
        caps=caps_reached(name, decoder, tallies, given_up, flows_early),
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


def describe(
    name: str, capture: Capture, reader: Reader, decoder: Decoder, given_up: GivenUpRow, flows_early: int
) -> report.Capture:
    by_sha256 = capture.hashing.name == SHA256
    return report.Capture(
        id=name,
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
        interfaces=tuple(
            report.Interface(index=one.index, link_type=one.link_type, name=one.name, dropped=one.dropped)
            for one in reader.interfaces
        ),
        undecoded=undecoded_rows(decoder.undecoded),
        comments=reader.comment_count,
        notes=(
            *capture.notes,
            *reader.notes,
            *notes_on_time(reader),
            *notes_on_places(given_up, flows_early),
            *([] if capture.digest else [NOT_HASHED]),
        ),
    )


def notes_on_time(reader: Reader) -> tuple[str, ...]:
    """A clock that runs backwards is no damage, and makes every duration doubtful."""
    backwards = reader.out_of_order_frames
    return (f"{backwards} frames are earlier than the frame before them",) if backwards else ()


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


def caps_reached(
    name: str, decoder: Decoder, tallies: Tallies, given_up: GivenUpRow, flows_early: int
) -> tuple[report.Cap, ...]:
    """Limits that kept something from being looked at.

    A flow that was judged early and never spoke again lost nothing; if one did, it began anew without a SYN.
    """
    at_once = "flows followed at once"
    cut_in_two = given_up.begun_in_mid_stream if flows_early else 0
    reached = (
        (
            cut_in_two,
            at_once,
            FLOW_CAP,
            "flows begun without a SYN, perhaps the rest of one that was judged early",
        ),
        (given_up.alive, at_once, FLOW_CAP, "flows of no concern given up alive"),
        (given_up.half_open_of_concern, at_once, FLOW_CAP, "half-open flows given up unjudged"),
        (given_up.ended_of_concern, at_once, FLOW_CAP, "ended flows given up unjudged"),
        (given_up.alive_of_concern, at_once, FLOW_CAP, "flows given up alive and unjudged"),
        (
            given_up.bared_in_question,
            "holes kept at once, and other evidence in proportion",
            ALL_HOLES_KEPT,
            "times a flow, alive or to be judged, lost what was kept of it",
        ),
        (tallies.segments_unlogged, "segments kept as evidence", SEGMENT_LOG_CAP, "earlier segments let go"),
        (decoder.icmp_errors_refused, "ICMP errors kept", MAX_ICMP_ERRORS, "further ones"),
        (
            decoder.fragments.evicted,
            "datagrams put together at once",
            MAX_DATAGRAMS,
            "incomplete ones let go",
        ),
    )
    return tuple(
        report.Cap(cap=cap, limit=limit, reached_by=f"{name}: {number} {what}")
        for number, cap, limit, what in reached
        if number
    )


def coverage_of(
    accounts: Sequence[Account], failed: Sequence[CaptureError], *, flows_judged: int
) -> report.Coverage:
    captures = [account.capture for account in accounts]
    outcomes = Counter(capture.outcome for capture in captures)
    undecoded: Counter[str] = Counter()
    for capture in captures:
        undecoded.update({one.reason: one.frames for one in capture.undecoded})
    return report.Coverage(
        captures=len(captures) + len(failed),
        complete=outcomes[COMPLETE],
        partial=outcomes[PARTIAL],
        rejected=outcomes[REJECTED] + len(failed),
        frames=sum(capture.frames for capture in captures),
        tcp_segments=sum(capture.tcp_segments for capture in captures),
        flows_seen=sum(account.flows for account in accounts),
        flows_judged=flows_judged,
        undecoded=undecoded_rows(undecoded),
        caps=tuple(cap for account in accounts for cap in account.caps),
        failed=tuple(
            report.Failed(source=error.source, reason=error.reason, offset=error.offset) for error in failed
        ),
    )
