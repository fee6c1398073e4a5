"""Screen: flows whose counters alone leave no verdict but one, told from those that have to be judged.

A sufficient condition and never a second judgement: what it says of a flow is what the table of verdicts would say,
and at any doubt it says nothing.  The readable twin of track_screen.pxi.  Knows rows and the thresholds that it is
given.  Does not know reasons: see claims.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from ctcp_forensics._kernel.rows import (
    NEVER,
    BriefColumns,
    DirectionRow,
    EpisodeRow,
    FlowRow,
    HoleRow,
    Plain,
    ScreenLimits,
)
from ctcp_forensics._kernel.rows_of_flows import was_bared

if TYPE_CHECKING:
    from ctcp_forensics._kernel.tracked import Tracked

Conversation = tuple[bytes, int, bytes, int]
"""Both ends of a flow, the lower first."""


class Half(NamedTuple):
    """One direction: its row, the questions that it was asked, and what is missing of it."""

    row: DirectionRow
    episodes: list[EpisodeRow]
    unfilled: list[HoleRow]
    is_bared: bool


class Close(NamedTuple):
    """The first FIN or RST that was believed."""

    frame: int
    is_reset: bool
    at_ns: int
    side: int


Halves = tuple[Half, Half]

OF_ESP = {
    Plain.LOSS_TOLERATED: Plain.ESP_LOSS_TOLERATED,
    Plain.CLOSED: Plain.ESP_CLOSED,
    Plain.WELL: Plain.ESP_WELL,
}
"""What is said of a tunnel, where its trailers were not captured."""


def screened(
    tracked: Tracked, wanted: Sequence[int], limits: ScreenLimits, quoted: Collection[Conversation]
) -> bytes:
    """A `Plain` for each wanted flow.  `quoted` are those that an ICMP error is about."""
    doubted = in_doubt(tracked, wanted, quoted)
    last_ns = tracked.tallies().last_ns
    return bytes(
        Plain.JUDGE if index in doubted else said_of(tracked, index, limits, last_ns) for index in wanted
    )


def settled(tracked: Tracked, wanted: Sequence[int], limits: ScreenLimits) -> bytes:
    """1 for each wanted flow that is closed and has been silent long enough for nothing to be expected of it."""
    last_ns = tracked.tallies().last_ns
    return bytes(is_settled(tracked, index, limits, last_ns) for index in wanted)


# --- what other flows and ICMP errors say ---------------------------------------------------------


def in_doubt(tracked: Tracked, wanted: Sequence[int], quoted: Collection[Conversation]) -> set[int]:
    """Flows that something outside of them bears on: an ICMP error, another SYN of the same ends, a shared SPI."""
    rows = {index: tracked.flow(index) for index in wanted}
    named = set(quoted) | {
        conversation(row) for index, row in rows.items() if says_more(row, *halves_of(tracked, index))
    }
    return {index for index, row in rows.items() if conversation(row) in named} | sharing_an_spi(
        tracked, wanted
    )


def conversation(row: FlowRow) -> Conversation:
    one, other = (row.src, row.sport), (row.dst, row.dport)
    return one + other if one <= other else other + one


def says_more(row: FlowRow, *halves: DirectionRow) -> bool:
    """Something of the other flows between the same ends."""
    return was_not_opened(row, *halves) or any(map(may_be_mixed, halves))


def may_be_mixed(half: DirectionRow) -> bool:
    """A good part of it is here again, or under other numbers: of another place, or of another flow."""
    return half.retransmissions * 3 > half.data_segments or half.strays * 3 > half.frames


def was_not_opened(row: FlowRow, *halves: DirectionRow) -> bool:
    """A SYN, and nothing that a connection would show: the next flow of the same ends may be another try."""
    return (
        row.syn_frame != NEVER
        and row.syn_ack_frame == NEVER
        and not any(half.data_segments or half.pure_acks for half in halves)
    )


def halves_of(tracked: Tracked, index: int) -> tuple[DirectionRow, DirectionRow]:
    return tracked.direction(index, 0), tracked.direction(index, 1)


def sharing_an_spi(tracked: Tracked, wanted: Sequence[int]) -> set[int]:
    """Either may be the other one, gone on from elsewhere."""
    users = sorted(
        (one.spi, index) for index in wanted for side in (0, 1) for one in tracked.associations(index, side)
    )
    return {
        index
        for (spi, one), (next_spi, other) in pairwise(users)
        if spi == next_spi and one != other
        for index in (one, other)
    }


# --- one flow --------------------------------------------------------------------------------------


def said_of(tracked: Tracked, index: int, limits: ScreenLimits, last_ns: int) -> Plain:
    flow = tracked.flow(index)
    halves = (half_of(tracked, index, 0), half_of(tracked, index, 1))
    close = close_of(halves, limits)
    seen = [half.row for half in halves if half.row.frames]
    if len(seen) == 1 and not is_cut(flow, halves, close, limits, last_ns):
        return said_of_one_side(seen[0], halves, limits)
    if is_troubled(flow, halves, limits) or is_cut(flow, halves, close, limits, last_ns):
        return Plain.JUDGE
    if close is not None and close.is_reset and not came_from_its_end(halves[close.side].row, limits):
        return Plain.JUDGE
    rows = [half.row for half in halves]
    if any(row.trailer_cisco for row in rows):
        return said_of_ctcp(flow, halves, close, limits) if is_certain(rows, limits) else Plain.JUDGE
    if is_esp_like(rows, limits):
        return OF_ESP.get(said := said_of_ctcp(flow, halves, close, limits), said)
    return said_of_others(halves, close, limits)


def is_settled(tracked: Tracked, index: int, limits: ScreenLimits, last_ns: int) -> bool:
    """Closed from both ends, or by an RST that was believed."""
    halves = (half_of(tracked, index, 0), half_of(tracked, index, 1))
    is_ended = any(half.row.rsts for half in halves) or all(half.row.fin_frame != NEVER for half in halves)
    is_silent = last_ns - tracked.flow(index).last_ns >= limits.silence
    return is_ended and is_silent and close_of(halves, limits) is not None


def half_of(tracked: Tracked, index: int, side: int) -> Half:
    row, episodes, holes = (
        tracked.direction(index, side),
        tracked.episodes(index, side),
        tracked.holes(index, side),
    )
    return Half(
        row,
        episodes,
        [hole for hole in holes if hole.filled_frame == NEVER],
        was_bared(row, len(holes), len(episodes), len(tracked.associations(index, side))),
    )


def is_troubled(flow: FlowRow, halves: Halves, limits: ScreenLimits) -> bool:
    """What any verdict of trouble could begin with."""
    return (
        was_not_opened(flow, halves[0].row, halves[1].row)
        or any(map(is_half_troubled, halves))
        or is_behind(halves[0].row, halves[1].row)
        or is_behind(halves[1].row, halves[0].row)
        or is_forgotten(flow, halves, limits)
        or is_unanswered(flow, halves, limits)
    )


def is_half_troubled(half: Half) -> bool:
    """It was not captured, or something is wanting of it."""
    return not half.row.frames or is_wanting(half)


def is_wanting(half: Half) -> bool:
    """A question was not passed, its window stayed closed, or only large segments are missing."""
    row = half.row
    return (
        (bool(half.episodes) and half.episodes[-1].passed_frame == NEVER)
        or (row.last_window == 0 and row.zero_windows >= 2)
        or row.smallest_missing_len > row.max_payload_len
    )


def is_behind(first: DirectionRow, second: DirectionRow) -> bool:
    """In the capture, and not by its times."""
    return first.last_frame < second.first_frame and first.last_ns > second.first_ns


def is_forgotten(flow: FlowRow, halves: Halves, limits: ScreenLimits) -> bool:
    """A long silence, and no ordinary answer behind it."""
    if flow.longest_silence_ns < limits.idle:
        return False
    other = halves[1 - flow.silence_to_direction].row
    return other.last_frame < flow.silence_to_frame or other.rst_frame != NEVER


def is_unanswered(flow: FlowRow, halves: Halves, limits: ScreenLimits) -> bool:
    """One end went on by itself at last."""
    speaker = halves[flow.tail_direction].row
    return (
        flow.tail_data_segments >= limits.alone_segments
        and speaker.last_ns - flow.tail_first_ns >= limits.vanished
    )


def close_of(halves: Halves, limits: ScreenLimits) -> Close | None:
    """An RST behind which both ends went on was believed by neither."""
    both_spoke_ns = min(half.row.data_last_ns for half in halves)
    closes = [
        Close(frame, is_reset, at_ns, side)
        for side, half in enumerate(halves)
        for frame, is_reset, at_ns in (
            (half.row.fin_frame, False, half.row.fin_ns),
            (half.row.rst_frame, True, half.row.rst_ns),
        )
        if frame != NEVER and not (is_reset and both_spoke_ns - at_ns >= limits.after_close)
    ]
    return min(closes, default=None)


def is_cut(flow: FlowRow, halves: Halves, close: Close | None, limits: ScreenLimits, last_ns: int) -> bool:
    """It fell silent in the middle of its work."""
    silent_ns = last_ns - flow.last_ns
    if close is not None or not limits.silence <= silent_ns < limits.spliced:
        return False
    return (
        flow.longest_silence_ns * limits.link_down_silence <= silent_ns
        and flow.frames >= limits.busy_frames
        and flow.last_ns - flow.first_ns >= limits.rhythm
        and any(half.row.next_pos > half.row.acked_pos >= 0 for half in halves)
    )


def came_from_its_end(row: DirectionRow, limits: ScreenLimits) -> bool:
    """The RST has a TTL that others of its alleged sender have, or one beside it."""
    if row.data_ttl != NEVER and abs(row.rst_ttl - row.data_ttl) > limits.route_change_hops:
        return False
    near = any(abs(row.rst_ttl - one) <= 1 for one in (row.data_ttl, row.ttl_min, row.ttl_max))
    return row.ttl_min != NEVER and row.ttl_min <= row.rst_ttl <= row.ttl_max and near


# --- by what it carries ------------------------------------------------------------------------------


def said_of_one_side(seen: DirectionRow, halves: Halves, limits: ScreenLimits) -> Plain:
    """Where half of the conversation is hidden, only what needs no answer has a name: another protocol, an RST."""
    is_tunnel = seen.trailer_cisco > 0 or is_esp_like([half.row for half in halves], limits)
    was_answered_elsewhere = seen.data_segments > 0 or seen.pure_acks > 0
    if any(half.row.rsts for half in halves) or any(map(is_wanting, halves)):
        return Plain.JUDGE
    return Plain.ONE_SIDED if is_tunnel and was_answered_elsewhere else Plain.JUDGE


def said_of_ctcp(flow: FlowRow, halves: Halves, close: Close | None, limits: ScreenLimits) -> Plain:
    rows = [half.row for half in halves]
    losing = [half for half in halves if half.unfilled]
    if (
        any(half.is_bared or skips_numbers(half) for half in halves)
        or (any(row.ike_messages for row in rows) and not any(row.esp_messages for row in rows))
        or is_without_reply(flow, rows, limits.vanished if close is None else limits.reply, limits)
        or (close is None and may_lack_questions(flow, rows, limits))
        or all(row.esp_missing >= limits.pause_messages for row in rows)
        or any(is_doubled_in_part(row, limits) for row in rows)
        or any(map(was_had, halves))
        or not all(went_on(half, rows) for half in losing)
    ):
        return Plain.JUDGE
    if any(map(was_answered, halves)):
        return Plain.ANSWERED
    if close is not None and close.is_reset and not a_farewell_was_said(rows, close, limits):
        return Plain.JUDGE
    if losing:
        return Plain.LOSS_TOLERATED
    return Plain.WELL if close is None else Plain.CLOSED


def said_of_others(halves: Halves, close: Close | None, limits: ScreenLimits) -> Plain:
    rows = [half.row for half in halves]
    is_named = any(row.signature for row in rows)
    if not is_named and any(row.trailer_weak or row.esp_run >= limits.esp_run for row in rows):
        return Plain.JUDGE
    is_read = is_named or any(row.trailer_absent for row in rows)
    if not is_read and not any(row.payload_bytes for row in rows):
        return Plain.JUDGE
    if any(map(was_answered, halves)):
        return Plain.ANSWERED
    if close is not None and close.is_reset and not was_announced(rows, close, limits):
        return Plain.RESET
    return Plain.OTHER if is_read else Plain.UNREAD


def is_esp_like(rows: Sequence[DirectionRow], limits: ScreenLimits) -> bool:
    """Runs of ESP-like heads, and no payload whose end was captured."""
    breaks = sum(row.esp_breaks for row in rows)
    return (
        not any(row.signature or row.trailer_weak or row.trailer_absent for row in rows)
        and max(row.esp_run for row in rows) >= limits.esp_run
        and breaks * limits.esp_breaks_share <= sum(row.trailer_cut_off for row in rows)
    )


def is_certain(rows: Sequence[DirectionRow], limits: ScreenLimits) -> bool:
    cisco = sum(row.trailer_cisco for row in rows)
    full = sum(row.trailer_cisco + row.trailer_weak + row.trailer_absent for row in rows)
    return cisco * limits.certain_share >= full


def is_doubled_in_part(row: DirectionRow, limits: ScreenLimits) -> bool:
    """Here twice, and some of it once."""
    twice = row.copies + row.retransmissions
    once = row.frames - 2 * twice
    return twice >= limits.twice_segments and min(twice, once) * limits.twice_share >= twice + once


def is_without_reply(flow: FlowRow, rows: Sequence[DirectionRow], long_ns: int, limits: ScreenLimits) -> bool:
    """One end's messages found nothing but bare ACKs at last."""
    if flow.data_tail_direction == NEVER or flow.data_tail_segments < limits.alone_segments:
        return False
    silent = rows[1 - flow.data_tail_direction]
    return flow.last_ns - silent.data_last_ns >= long_ns and silent.data_segments != 0


def may_lack_questions(flow: FlowRow, rows: Sequence[DirectionRow], limits: ScreenLimits) -> bool:
    """No segment without data is there, and the ACKs that data carries stand still."""
    opens = flow.syn_frame != NEVER or flow.syn_ack_frame != NEVER
    return not (opens or any(row.pure_acks for row in rows)) and any(
        row.next_pos > row.acked_pos and row.data_last_ns - row.acked_ns >= limits.stuck for row in rows
    )


def was_had(half: Half) -> bool:
    """An ACK was the first to tell of bytes that never came: the capture missed them."""
    return any(hole.opened_frame == hole.acked_frame for hole in half.unfilled)


def skips_numbers(half: Half) -> bool:
    """ESP numbers are missing, and no byte is."""
    return not half.unfilled and not half.row.trailer_absent and half.row.esp_missing > 0


def went_on(half: Half, rows: Sequence[DirectionRow]) -> bool:
    """An ACK passed a hole, or both ends sent data behind the last one."""
    if any(hole.acked_frame != NEVER for hole in half.unfilled):
        return True
    last_loss = max((hole.opened_frame for hole in half.unfilled), default=0)
    return min(row.data_last_frame for row in rows) > last_loss


def was_answered(half: Half) -> bool:
    """Bytes were sent again, and with them what had been asked for."""
    row = half.row
    return (
        row.retransmissions > 0
        and row.again_bytes != row.retransmissions
        and any(one.answered_frame != NEVER for one in half.episodes)
    )


def was_announced(rows: Sequence[DirectionRow], close: Close, limits: ScreenLimits) -> bool:
    """By an IKE informational, while both ends were alive."""
    return any(
        row.last_ike_exchange == limits.ike_informational
        and -limits.goodbye <= close.at_ns - row.last_ike_ns <= limits.farewell
        for row in rows
    ) and all(close.at_ns - row.last_ns <= limits.vanished for row in rows)


def a_farewell_was_said(rows: Sequence[DirectionRow], close: Close, limits: ScreenLimits) -> bool:
    """It was announced, and by nothing that may be a question or its answer."""
    times = [row.last_ike_ns for row in rows]
    is_talk = NEVER not in times and max(times) - min(times) <= limits.farewell
    return was_announced(rows, close, limits) and not (is_talk and close.at_ns - max(times) > limits.goodbye)


# --- told in a line each -----------------------------------------------------------------------------


def brief(
    tracked: Tracked, wanted: Sequence[int], ports: Collection[int], frames_before: int
) -> BriefColumns:
    """A few facts of each wanted flow, of which the frames are counted from `frames_before` on.

    Who is the client is known as in `flows.client_side`.
    """
    places: dict[bytes, int] = {}
    lines = [line_of(tracked, index, ports, places) for index in wanted]
    columns = [list(column) for column in zip(*lines, strict=True)] or [[]] * len(BriefColumns._fields[1:])
    named = dict(zip(BriefColumns._fields[1:], columns, strict=True))
    named["first_frame"] = [frame - frames_before for frame in named["first_frame"]]
    return BriefColumns(list(places), **{name: " ".join(map(str, some)) for name, some in named.items()})


def line_of(tracked: Tracked, index: int, ports: Collection[int], places: dict[bytes, int]) -> list[int]:
    row, halves = tracked.flow(index), halves_of(tracked, index)
    side = client_side(row, halves, ports)
    ends = ((row.src, row.sport), (row.dst, row.dport))
    client, headend = ends[side], ends[1 - side]
    return [
        places.setdefault(client[0], len(places)),
        client[1],
        places.setdefault(headend[0], len(places)),
        headend[1],
        row.first_ns,
        row.last_ns,
        row.first_frame,
        halves[side].frames,
        halves[1 - side].frames,
    ]


def client_side(row: FlowRow, halves: tuple[DirectionRow, DirectionRow], ports: Collection[int]) -> int:
    if row.originator != NEVER:
        return row.originator
    opened = [half.ike_opened for half in halves]
    if any(opened):
        return 0 if opened[0] >= opened[1] else 1
    if (row.sport in ports) != (row.dport in ports):
        return 0 if row.dport in ports else 1
    return 0 if row.sport >= row.dport else 1
