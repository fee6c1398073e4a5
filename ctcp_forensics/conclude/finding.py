"""The finding: the verdict on a connection, its evidence and what to do.

Knows the report's names of the judgement.  Does not judge: see verdict.
"""

from __future__ import annotations

from typing import Final

from ctcp_forensics import RULES_VERSION, claims, report, vantage
from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.advice import Recommendation, Situation, has_advice, recommend
from ctcp_forensics.advice.step import AT_CLIENT, TOWARDS_CLIENT, TOWARDS_HEADEND
from ctcp_forensics.case import Case
from ctcp_forensics.claims.words import FAILS, HOLDS, UNKNOWN, count, seconds, way
from ctcp_forensics.conclude.told import CLIENT, HEADEND, Told
from ctcp_forensics.episodes import Episode
from ctcp_forensics.evidence import Evidence
from ctcp_forensics.flows import CLIENT_TO_HEADEND, Direction, Flow
from ctcp_forensics.verdict import FLAGSHIP, HIDING, MISLEADING, Judgement, Role, link_of

HIDING_NAMES: Final = frozenset(claim.name for claim in HIDING)
MISLEADING_NAMES: Final = frozenset(claim.name for claim in MISLEADING)


def finding_of(told: Told, row: report.Flow) -> report.Finding:
    """`row` is the report's row for the same connection."""
    case, judgement, filters = told.case, told.judgement, display_filters(told)
    return report.Finding(
        id=told.finding_id,
        flow=row.id,
        verdict=judgement.verdict.slug,
        title=judgement.verdict.title,
        confidence=judgement.confidence,
        rule_version=RULES_VERSION,
        summary=summary_of(case, judgement),
        evidence=tuple([evidence_of(one, judgement.role(one.claim), told) for one in judgement.evidence]),
        recommendations=recommendations_of(told, row),
        also_possible=tuple(
            report.AlsoPossible(verdict=one.verdict.slug, because=one.because, settled_by=one.settled_by)
            for one in judgement.also_possible
        ),
        missing_evidence=missing_evidence(case, judgement),
        display_filter=filters[told.capture],
        display_filters=filters,
    )


def evidence_of(one: Evidence, role: Role, told: Told) -> report.Evidence:
    """With the frames of every place, by capture."""
    frames = told.frames(one.frames, told.case.number) if one.frames else {}
    for number, some in one.elsewhere:
        frames |= told.frames(some, number)
    return report.Evidence(
        claim=one.claim,
        role=role,
        link=link_of(one.claim),
        outcome=one.outcome,
        because=one.because,
        frames=frames,
        would_refute=one.would_refute,
        settled_by=one.settled_by,
    )


def summary_of(case: Case, judgement: Judgement) -> str:
    if judgement.verdict is FLAGSHIP and case.episode is not None and case.direction is not None:
        return flagship_summary(case, case.direction, case.episode)
    required = {claim.name for claim in judgement.verdict.requires}
    if not required:
        required = {one.claim for one in judgement.evidence if misleads(one)}
    shown = [one.because for one in judgement.evidence if one.claim in required]
    if not shown:  # insufficient evidence: the links that do not hold, and what stayed open
        shown = [one.because for one in judgement.evidence if is_open(one) or is_broken(one)]
    if not shown:
        shown = [one.because for one in judgement.also_possible]
    return sentence("; ".join(dict.fromkeys(shown)) or case.encapsulation.because)


def is_open(one: Evidence) -> bool:
    """Not known, or what hides it."""
    return one.claim in HIDING_NAMES if one.outcome is HOLDS else one.outcome is UNKNOWN


def misleads(one: Evidence) -> bool:
    """Whatever else such a capture shows is not worth telling."""
    return one.outcome is HOLDS and one.claim in MISLEADING_NAMES


def is_broken(one: Evidence) -> bool:
    """A link of the proof that fails."""
    return one.outcome is FAILS and bool(link_of(one.claim))


def flagship_summary(case: Case, direction: Direction, episode: Episode) -> str:
    """The three links in one breath: missing, asked for and not answered, dead."""
    row = episode.row
    asked = count(episode.asks, "duplicate ACK")
    went_on = count(row.new_segments, "new segment")
    fate = "came damaged" if episode.came_damaged else "was lost"
    return (
        f"A segment {way(direction)} {fate} at byte {episode.wanted_seq}; {asked} asked for it from "
        f"{case.frame(row.first_frame)} on and nobody sent it again. The sender went on with {went_on} for "
        f"{seconds(episode.stuck_ns)}; {case.flow.ending.because}."
    )


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def missing_evidence(case: Case, judgement: Judgement) -> tuple[str, ...]:
    """What to capture or to ask: for everything that is open, and for every doubt."""
    wanting = [one for one in judgement.evidence if is_wanting(one, judgement)]
    open_ = [one.settled_by for one in [*filter(misleads, wanting)] or wanting if one.settled_by]
    if judgement.verdict is FLAGSHIP and case.direction is not None and case.connection is None:
        far_side = HEADEND if case.direction.name == CLIENT_TO_HEADEND else CLIENT
        open_.append(f"a capture on the {far_side} side of the firewall: who made the duplicate ACKs")
    return tuple(dict.fromkeys(open_))


def is_wanting(one: Evidence, judgement: Judgement) -> bool:
    """Open, or a guard that does not hold: a doubt."""
    if one.outcome is FAILS:
        return judgement.role(one.claim) is Role.GUARD
    return is_open(one)


def display_filters(told: Told) -> dict[str, str]:
    """The filter of every capture that shows the flow, in that capture's own addresses, ports and numbers."""
    found = {told.capture: display_filter(told.case)}
    for number, case in enumerate(told.cases):
        first = case.flow.row.first_frame
        for capture in told.per_capture(first, number):
            if capture not in found:
                found[capture] = filter_for(case.flow, wanted_at(told, number))
    return found


def wanted_at(told: Told, number: int) -> int | None:
    """The byte that was asked for in vain, in the numbers of one place; None where they do not keep step."""
    case, connection = told.case, told.case.connection
    if connection is None or case.episode is None or case.direction is None:
        return None
    way = vantage.way_of(case.direction.name)
    pos = connection.position(way, case.episode.row.wanted_pos, case.number, number)
    if pos is None:
        return None
    return told.cases[number].flow.directions[way].absolute(pos)


def display_filter(case: Case) -> str:
    """A Wireshark display filter for the flow and, where a byte was asked for, for that byte."""
    return filter_for(case.flow, None if case.episode is None else case.episode.wanted_seq)


def filter_for(flow: Flow, wanted: int | None) -> str:
    """By addresses, ports and raw numbers: tcp.stream differs from file to file."""
    ip = "ipv6" if ":" in flow.client.address else "ip"
    ends = (
        f"{ip}.addr == {flow.client.address} && {ip}.addr == {flow.headend.address} && "
        f"tcp.port == {flow.client.port} && tcp.port == {flow.headend.port}"
    )
    return ends if wanted is None else f"{ends} && (tcp.ack_raw == {wanted} || tcp.seq_raw == {wanted})"


def recommendations_of(told: Told, row: report.Flow) -> tuple[report.Recommendation, ...]:
    if not has_advice(told.judgement.verdict.slug):
        return ()
    return tuple([recommendation_of(one) for one in recommend(situation_of(told, row))])


def situation_of(told: Told, row: report.Flow) -> Situation:
    """As the firewall sees the flow, where one of its own captures shows that: its configuration names those ends."""
    case, judgement = told.case, told.judgement
    flow = at_the_firewall(told).flow
    return Situation(
        verdict=judgement.verdict.slug,
        confidence=judgement.confidence,
        client_address=flow.client.address,
        client_port=flow.client.port,
        headend_address=flow.headend.address,
        headend_port=flow.headend.port,
        direction=told.accused_direction,
        encapsulation_kind=case.encapsulation.kind,
        loss_size_dependent=size_dependent(case),
        firewall_suspected=acks_of_another_box(case),
        captured_at=captured_at(told),
        loss_location=row.loss_location,
        ack_author=row.ack_author,
        firewall_cleared=acks_pass_the_firewall(told),
        misled_by=next((one.claim for one in judgement.evidence if misleads(one)), None),
    )


def captured_at(told: Told) -> frozenset[str]:
    """Where the captures of the connection were taken."""
    return frozenset(station for station in stations_of(told) if station is not None)


def stations_of(told: Told) -> tuple[str | None, ...]:
    """What advice calls the places; nothing with one, whose side nobody can tell."""
    if told.case.connection is None:
        return ()
    from ctcp_forensics.conclude.stations import named

    return named(told.case.connection)


def acks_pass_the_firewall(told: Told) -> bool:
    """Whether the duplicate ACKs were seen on the far side of the firewall, so that they come from beyond it.

    One capture may have been given as both sides: a firewall is cleared where more than names tells them apart.
    """
    case = told.case
    if case.connection is None or case.direction is None or not told.words:
        return False
    way = vantage.way_of(case.direction.name)
    author = vantage.ack_author(case.connection, way, told.words)
    far_side = TOWARDS_HEADEND if way == vantage.TO_HEADEND else TOWARDS_CLIENT
    if author is None or stations_of(told)[author.shown] != far_side:
        return False
    return was_passed_for_certain(told, author.shown)


def was_passed_for_certain(told: Told, shown: int) -> bool:
    """Something that a box changes tells the capture on its far side from those before it: one may be a copy."""
    connection, stations = told.case.connection, stations_of(told)
    nearer = [at for at, station in enumerate(stations) if at != shown and station is not None]
    return connection is not None and any(
        vantage.signs_of_a_box(connection, *sorted((at, shown))) for at in nearer
    )


def at_the_firewall(told: Told) -> Case:
    sides = zip(told.cases, stations_of(told), strict=False)
    return next((case for case, side in sides if side not in (None, AT_CLIENT)), told.case)


def size_dependent(case: Case) -> bool | None:
    """Whether only large segments were lost; None where nothing was lost, so nobody can tell."""
    if not any(direction.shows_loss for direction in case.flow.directions):
        return None
    return claims.only_large_segments_vanish.answer(case)[0] is HOLDS


def acks_of_another_box(case: Case) -> bool:
    """Whether the duplicate ACKs have a TTL that the data of their alleged sender never had."""
    if case.direction is None or case.episode is None:
        return False
    data_ttl = case.flow.opposite(case.direction).row.data_ttl
    return data_ttl != NEVER and not case.episode.row.ttl_min <= data_ttl <= case.episode.row.ttl_max


def recommendation_of(one: Recommendation) -> report.Recommendation:
    return report.Recommendation(
        fix=one.fix,
        title=one.title,
        change=one.change,
        commands=one.commands,
        cost=one.cost,
        verify=one.verify,
        roll_back=one.roll_back,
        source=one.source,
        caveats=one.caveats,
    )
