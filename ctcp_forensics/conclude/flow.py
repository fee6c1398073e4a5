"""The flow: a judged connection as the report lists it.

Knows the report's names of what was observed.  Does not know the verdict's reasons: see finding.
"""

from __future__ import annotations

from collections import Counter

from ctcp_forensics import report, vantage
from ctcp_forensics.case import Case
from ctcp_forensics.conclude.told import CLIENT, HEADEND, Told, endpoint
from ctcp_forensics.episodes import Episode, known
from ctcp_forensics.flows import CLIENT_TO_HEADEND, Direction, EndingKind


def flow_of(told: Told) -> report.Flow:
    """The report's row for one connection; counts and times are those of the place that it is judged at."""
    case, judgement, flow = told.case, told.judgement, told.case.flow
    return report.Flow(
        id=told.flow_id,
        client=endpoint(told.cases[0].flow.client),
        headend=endpoint(told.cases[-1].flow.headend),
        roles_because=flow.roles_because,
        first_ns=flow.row.first_ns,
        last_ns=flow.row.last_ns,
        encapsulation=encapsulation_of(case),
        ending=ending_of(told),
        verdict=judgement.verdict.slug,
        confidence=judgement.confidence,
        direction=told.accused_direction,
        loss_location=loss_location(told),
        ack_author=author_of_acks(told),
        rst_author=author_of_rst(told),
        judged_in=told.capture,
        seen=tuple(seen_of(told, number) for number in range(len(told.cases))),
        episodes=tuple(episodes_of(told)),
        episodes_total=case.episode_count,
        directions=report.Directions(
            client_to_headend=facts_of(flow.to_headend, flow.to_client),
            headend_to_client=facts_of(flow.to_client, flow.to_headend),
        ),
    )


def seen_of(told: Told, number: int) -> report.Seen:
    """The flow as one place shows it."""
    flow, reading = told.cases[number].flow, told.readings[number]
    first, last = (reading.locate(frame) for frame in (flow.row.first_frame, flow.row.last_frame))
    return report.Seen(
        capture=first[0],
        frames=flow.row.frames,
        client=endpoint(flow.client),
        headend=endpoint(flow.headend),
        first_frame=first[1],
        last_frame=last[1],
        last_capture=None if last[0] == first[0] else last[0],
        verdict_alone=told.alone[number].verdict.slug if told.alone else None,
        confidence_alone=told.alone[number].confidence if told.alone else None,
        captures=reading.captures,
        interface=reading.interface,
        is_judged=number == told.case.number,
        shifts=shifts_of(told, number),
    )


def shifts_of(told: Told, number: int) -> report.Shifts:
    """Of both ways, against the place that the flow is judged at."""
    connection, here = told.case.connection, told.case.number
    if connection is None:
        return report.Shifts()
    return report.Shifts(
        client_to_headend=connection.position(vantage.TO_HEADEND, 0, here, number),
        headend_to_client=connection.position(vantage.TO_CLIENT, 0, here, number),
    )


def encapsulation_of(case: Case) -> report.Encapsulation:
    found = case.encapsulation
    return report.Encapsulation(kind=found.kind, grade=found.grade, because=found.because)


def ending_of(told: Told) -> report.Ending:
    ending = told.case.flow.ending
    return report.Ending(
        kind=ending.kind,
        by=None if ending.direction is None else sender_of(ending.direction),
        frame={} if ending.frame is None else told.per_capture(ending.frame),
        at_ns=None if ending.kind == EndingKind.CAPTURE_ENDED else ending.at_ns,
        because=ending.because,
    )


def sender_of(direction: str) -> str:
    return CLIENT if direction == CLIENT_TO_HEADEND else HEADEND


# --- where, and by whom ------------------------------------------------------------------------


def loss_location(told: Told) -> str | None:
    """Where the byte that was asked for in vain was lost; else where most was; nothing where there is one capture."""
    case = told.case
    if case.connection is None:
        return None
    if case.direction is not None and told.words:
        return vantage.loss_of(case.connection, vantage.way_of(case.direction.name), told.words)
    return most_lost_at(case.connection)


def most_lost_at(connection: vantage.Connection) -> str | None:
    """Segment by segment, else all at once; `capture` where all that is missing was only not captured."""
    lost: Counter[str] = Counter()
    withheld: Counter[str] = Counter()
    for crossing in connection.crossings:
        where = place_of(connection, crossing)
        lost[where] += crossing.lost_count
        if crossing.damaged:
            lost[spoilt_at(connection, crossing)] += crossing.damaged
        if not vantage.has_missed(connection, connection.sightings.index(crossing.behind)):
            withheld[where] += crossing.withheld
    for some in (lost, withheld):
        if some.total():
            return some.most_common(1)[0][0]
    missed = any(one.not_captured_before or one.not_captured_behind for one in connection.crossings)
    is_open = any(one.undecided or one.withheld for one in connection.crossings)
    return "capture" if missed and not is_open else None


def spoilt_at(connection: vantage.Connection, crossing: vantage.Crossing) -> str:
    """Where that was which came damaged: on the last link before that altered anything, else next to the sender."""
    links = [one for one in connection.crossings if one.way == crossing.way]
    before = [one for one in links[: links.index(crossing)] if one.altered]
    if before:
        return place_of(connection, before[-1])
    return connection.location(crossing.way, None, connection.line(crossing.way)[0])


def place_of(connection: vantage.Connection, crossing: vantage.Crossing) -> str:
    """Within a firewall only where somebody says that these are a firewall's two sides."""
    word = connection.location_of(crossing)
    views = [one.view for one in (crossing.before, crossing.behind) if one is not None]
    return (
        vantage.ALL_THE_WAY
        if word == vantage.WITHIN_ASA and not all(view.is_named for view in views)
        else word
    )


def author_of_acks(told: Told) -> str | None:
    case = told.case
    if case.connection is None or case.direction is None or not told.words:
        return None
    author = vantage.ack_author(case.connection, vantage.way_of(case.direction.name), told.words)
    return None if author is None else author.where


def author_of_rst(told: Told) -> str | None:
    case, ending = told.case, told.case.flow.ending
    if case.connection is None or ending.kind != EndingKind.RST or ending.direction is None:
        return None
    author = vantage.rst_author(case.connection, vantage.way_of(ending.direction))
    return None if author is None else author.where


# --- questions ---------------------------------------------------------------------------------


def asked_at(item: tuple[Direction, Episode]) -> int:
    return item[1].row.first_frame


def episodes_of(told: Told) -> list[report.Episode]:
    """Every question of the place that the flow is judged at, with what the other places show of the same."""
    asked = [(d, one) for d in told.case.flow.directions for one in d.episodes]
    return [episode_of(told, d, one) for d, one in sorted(asked, key=asked_at)]


def episode_of(told: Told, direction: Direction, episode: Episode) -> report.Episode:
    row = episode.row
    same = [(told.case.number, episode), *elsewhere(told, direction, episode)]
    return report.Episode(
        direction=direction.name,
        wanted_seq={
            capture: one.wanted_seq
            for number, one in same
            for capture in told.per_capture(one.row.first_frame, number)
        },
        wanted_offset=episode.wanted_offset,
        duplicate_acks=row.duplicate_acks,
        sack_duplicate_acks=row.sack_duplicate_acks,
        first_duplicate_ack_frame=joined(told, same, "first_frame"),
        missing_segment_frame={
            capture: frame for number, one in same for capture, frame in carried_in(told, one, number).items()
        },
        answered=was_answered(direction, episode),
        answered_frame=joined(told, same, "answered_frame"),
        passed_frame=joined(told, same, "passed_frame"),
        first_ns=known(row.first_ns),
        last_ns=known(row.last_ns),
    )


def elsewhere(told: Told, direction: Direction, episode: Episode) -> list[tuple[int, Episode]]:
    """The same question at the other places."""
    connection = told.case.connection
    if connection is None:
        return []
    way = vantage.way_of(direction.name)
    found = []
    for number, case in enumerate(told.cases):
        pos = connection.position(way, episode.row.wanted_pos, told.case.number, number)
        if number != told.case.number and pos is not None:
            found += [
                (number, one) for one in case.flow.directions[way].episodes if one.row.wanted_pos == pos
            ][-1:]
    return found


def joined(told: Told, same: list[tuple[int, Episode]], name: str) -> dict[str, int]:
    """One frame of a question, in every capture that has it."""
    return {
        capture: frame
        for number, one in same
        for capture, frame in told.per_capture(getattr(one.row, name), number).items()
    }


def carried_in(told: Told, episode: Episode, number: int) -> dict[str, int | None]:
    """None: in no frame of this capture.  Nothing, where it passed but its frame was not kept."""
    if episode.missing_segment_frame is not None:
        return dict(told.per_capture(episode.missing_segment_frame, number))
    if episode.row.wanted_seen:
        return {}
    return dict.fromkeys(told.per_capture(episode.row.first_frame, number))


def was_answered(direction: Direction, episode: Episode) -> bool | None:
    """None where the ACK moved on though no answer was seen, or where the sender was not captured at all."""
    if episode.is_answered:
        return True
    if episode.is_passed or not direction.row.data_segments:
        return None
    return False


def facts_of(direction: Direction, opposite: Direction) -> report.DirectionFacts:
    """Counts of one direction; duplicate ACKs and the like are counted where those segments travel."""
    row, asked = direction.row, opposite.row
    return report.DirectionFacts(
        segments=row.frames,
        payload_bytes=row.payload_bytes,
        data_segments=row.data_segments,
        new_bytes=row.new_bytes,
        again_bytes=row.again_bytes,
        filling_bytes=row.filling_bytes,
        missing_bytes=direction.missing_bytes,
        retransmissions=row.retransmissions,
        late_originals=row.late_originals,
        copies=row.copies,
        undecided_repeats=row.undecided_repeats,
        duplicate_acks=asked.duplicate_acks,
        sack_duplicate_acks=asked.sack_duplicate_acks,
        dsacks=asked.dsacks,
        keep_alives=row.keep_alives,
        window_updates=asked.window_updates,
        zero_windows=row.zero_windows,
        zero_window_probes=row.zero_window_probes,
        messages=row.messages,
        esp_missing=row.esp_missing,
        esp_repeats=row.esp_repeats,
    )
