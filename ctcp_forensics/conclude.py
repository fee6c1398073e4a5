"""Conclude: a judged case becomes a flow and a finding of the report.

Knows the report's names and one capture's id.  Does not judge: see verdict.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict

from ctcp_forensics import claims, report
from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.advice import Recommendation, Situation, recommend
from ctcp_forensics.case import Case
from ctcp_forensics.claims.words import count, seconds, way
from ctcp_forensics.coverage import Account
from ctcp_forensics.episodes import Episode, known
from ctcp_forensics.evidence import RULES_VERSION, Evidence, Outcome
from ctcp_forensics.flows import CLIENT_TO_HEADEND, Direction, EndingKind, Endpoint, Flow
from ctcp_forensics.verdict import FLAGSHIP, Judgement, Role, link_of

CLIENT, HEADEND = "client", "headend"


def flow_of(case: Case, judgement: Judgement, account: Account) -> report.Flow:
    """The report's row for one flow of one capture."""
    flow, capture = case.flow, account.capture.id
    client, headend = endpoint(flow.client), endpoint(flow.headend)
    seen = report.Seen(
        capture=capture,
        frames=flow.row.frames,
        client=client,
        headend=headend,
        first_frame=flow.row.first_frame,
        last_frame=flow.row.last_frame,
    )
    episodes = [(d, one) for d in flow.directions for one in d.episodes]
    return report.Flow(
        id=flow_id(flow),
        client=client,
        headend=headend,
        roles_because=flow.roles_because,
        first_ns=flow.row.first_ns,
        last_ns=flow.row.last_ns,
        encapsulation=encapsulation_of(case),
        ending=ending_of(flow, capture),
        verdict=judgement.verdict.slug,
        confidence=judgement.confidence,
        direction=accused_direction(case, judgement),
        seen=(seen,),
        episodes=tuple(episode_of(d, one, capture) for d, one in sorted(episodes, key=asked_at)),
        episodes_total=case.episode_count,
        directions=report.Directions(
            client_to_headend=facts_of(flow.to_headend, flow.to_client),
            headend_to_client=facts_of(flow.to_client, flow.to_headend),
        ),
    )


def finding_of(case: Case, judgement: Judgement, account: Account) -> report.Finding:
    return report.Finding(
        id=finding_id(case, judgement),
        flow=flow_id(case.flow),
        verdict=judgement.verdict.slug,
        title=judgement.verdict.title,
        confidence=judgement.confidence,
        rule_version=RULES_VERSION,
        summary=summary_of(case, judgement),
        evidence=tuple(evidence_of(one, judgement, account.capture.id) for one in judgement.evidence),
        recommendations=tuple(recommendation_of(one) for one in recommend(situation_of(case, judgement))),
        also_possible=tuple(
            report.AlsoPossible(verdict=one.verdict.slug, because=one.because, settled_by=one.settled_by)
            for one in judgement.also_possible
        ),
        missing_evidence=missing_evidence(case, judgement),
        display_filter=display_filter(case),
    )


# --- identity ------------------------------------------------------------------------------


def digest(*parts: object) -> str:
    """Sixteen hexadecimal digits over the parts; content only, never a path or an order."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:16]


def content_of(flow: Flow) -> tuple[object, ...]:
    """What the capture holds of this flow: 4-tuple, frames, times to the nanosecond, initial numbers, lengths.

    Two captures of one flow differ in it, and so do two flows of one 4-tuple.
    """
    ends = sorted((end.address, end.port) for end in (flow.client, flow.headend))
    halves = sorted((d.row.anchor, d.row.frames, d.row.payload_bytes) for d in flow.directions)
    return (*ends, flow.row.first_frame, flow.row.last_frame, flow.row.first_ns, flow.row.last_ns, *halves)


def flow_id(flow: Flow) -> str:
    return digest("flow", *content_of(flow))


def finding_id(case: Case, judgement: Judgement) -> str:
    wanted = "" if case.episode is None else case.episode.wanted_seq
    return digest(judgement.verdict.slug, RULES_VERSION, wanted, *content_of(case.flow))


# --- the flow --------------------------------------------------------------------------------


def endpoint(end: Endpoint) -> report.Endpoint:
    return report.Endpoint(address=end.address, port=end.port)


def encapsulation_of(case: Case) -> report.Encapsulation:
    found = case.encapsulation
    return report.Encapsulation(kind=found.kind, grade=found.grade, because=found.because)


def ending_of(flow: Flow, capture: str) -> report.Ending:
    ending = flow.ending
    return report.Ending(
        kind=ending.kind,
        by=None if ending.direction is None else sender_of(ending.direction),
        frame={} if ending.frame is None else {capture: ending.frame},
        at_ns=None if ending.kind == EndingKind.CAPTURE_ENDED else ending.at_ns,
        because=ending.because,
    )


def sender_of(direction: str) -> str:
    return CLIENT if direction == CLIENT_TO_HEADEND else HEADEND


def accused_direction(case: Case, judgement: Judgement) -> str | None:
    if judgement.verdict is FLAGSHIP and case.direction is not None:
        return case.direction.name
    return None


def asked_at(item: tuple[Direction, Episode]) -> int:
    return item[1].row.first_frame


def per_capture(capture: str, frame: int) -> dict[str, int]:
    return {} if frame == NEVER else {capture: frame}


def episode_of(direction: Direction, episode: Episode, capture: str) -> report.Episode:
    row = episode.row
    return report.Episode(
        direction=direction.name,
        wanted_seq={capture: episode.wanted_seq},
        wanted_offset=episode.wanted_offset,
        duplicate_acks=row.duplicate_acks,
        sack_duplicate_acks=row.sack_duplicate_acks,
        first_duplicate_ack_frame=per_capture(capture, row.first_frame),
        missing_segment_frame=carried_in(episode, capture),
        answered=was_answered(direction, episode),
        answered_frame=per_capture(capture, row.answered_frame),
        passed_frame=per_capture(capture, row.passed_frame),
        first_ns=known(row.first_ns),
        last_ns=known(row.last_ns),
    )


def carried_in(episode: Episode, capture: str) -> dict[str, int | None]:
    """None: in no frame of this capture.  Nothing, where it passed but its frame was not kept."""
    if episode.row.wanted_seen and episode.missing_segment_frame is None:
        return {}
    return {capture: episode.missing_segment_frame}


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


# --- the finding -------------------------------------------------------------------------------


def evidence_of(one: Evidence, judgement: Judgement, capture: str) -> report.Evidence:
    return report.Evidence(
        claim=one.claim,
        role=judgement.roles[one.claim],
        link=link_of(one.claim),
        outcome=one.outcome,
        because=one.because,
        frames={capture: one.frames} if one.frames else {},
        would_refute=one.would_refute,
        settled_by=one.settled_by,
    )


def summary_of(case: Case, judgement: Judgement) -> str:
    if judgement.verdict is FLAGSHIP and case.episode is not None and case.direction is not None:
        return flagship_summary(case, case.direction, case.episode)
    required = {claim.name for claim in judgement.verdict.requires}
    shown = [one.because for one in judgement.evidence if one.claim in required]
    if not shown:  # insufficient evidence: the links that do not hold, and what stayed open
        shown = [
            one.because for one in judgement.evidence if one.outcome == Outcome.UNKNOWN or is_broken(one)
        ]
    if not shown:
        shown = [one.because for one in judgement.also_possible]
    return sentence("; ".join(dict.fromkeys(shown)) or case.encapsulation.because)


def is_broken(one: Evidence) -> bool:
    """A link of the proof that fails."""
    return bool(link_of(one.claim)) and one.outcome == Outcome.FAILS


def flagship_summary(case: Case, direction: Direction, episode: Episode) -> str:
    """The three links in one breath: missing, asked for and not answered, dead."""
    row = episode.row
    asked = count(row.duplicate_acks, "duplicate ACK")
    went_on = count(row.new_segments, "new segment")
    return (
        f"A segment {way(direction)} was lost at byte {episode.wanted_seq}; {asked} asked for it from frame "
        f"{row.first_frame} on and nobody sent it again. The sender went on with {went_on} for "
        f"{seconds(episode.stuck_ns)}; {case.flow.ending.because}."
    )


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def missing_evidence(case: Case, judgement: Judgement) -> tuple[str, ...]:
    """What to capture or to ask: for everything that is unknown, and for every doubt."""
    open_ = [
        one.settled_by
        for one in judgement.evidence
        if one.settled_by and (one.outcome == Outcome.UNKNOWN or is_doubt(one, judgement))
    ]
    if judgement.verdict is FLAGSHIP and case.direction is not None:
        far_side = HEADEND if case.direction.name == CLIENT_TO_HEADEND else CLIENT
        open_.append(f"a capture on the {far_side} side of the firewall: who made the duplicate ACKs")
    return tuple(dict.fromkeys(open_))


def is_doubt(one: Evidence, judgement: Judgement) -> bool:
    return judgement.roles[one.claim] == Role.GUARD and one.outcome != Outcome.HOLDS


def display_filter(case: Case) -> str:
    """A Wireshark display filter for the flow and, where a byte was asked for, for that byte.

    By addresses, ports and raw numbers: tcp.stream differs from file to file.
    """
    flow = case.flow
    ip = "ipv6" if ":" in flow.client.address else "ip"
    ends = (
        f"{ip}.addr == {flow.client.address} && {ip}.addr == {flow.headend.address} && "
        f"tcp.port == {flow.client.port} && tcp.port == {flow.headend.port}"
    )
    if case.episode is None:
        return ends
    wanted = case.episode.wanted_seq
    return f"{ends} && (tcp.ack_raw == {wanted} || tcp.seq_raw == {wanted})"


def situation_of(case: Case, judgement: Judgement) -> Situation:
    flow = case.flow
    return Situation(
        verdict=judgement.verdict.slug,
        confidence=judgement.confidence,
        client_address=flow.client.address,
        client_port=flow.client.port,
        headend_address=flow.headend.address,
        headend_port=flow.headend.port,
        direction=accused_direction(case, judgement),
        encapsulation_kind=case.encapsulation.kind,
        loss_size_dependent=size_dependent(case),
        firewall_suspected=acks_of_another_box(case),
    )


def size_dependent(case: Case) -> bool | None:
    """Whether only large segments were lost; None where nothing was lost, so nobody can tell."""
    if not any(direction.shows_loss for direction in case.flow.directions):
        return None
    return claims.only_large_segments_vanish(case).outcome == Outcome.HOLDS


def acks_of_another_box(case: Case) -> bool:
    """Whether the duplicate ACKs have a TTL that the data of their alleged sender never had."""
    if case.direction is None or case.episode is None:
        return False
    data_ttl = case.flow.opposite(case.direction).row.data_ttl
    return data_ttl != NEVER and not case.episode.row.ttl_min <= data_ttl <= case.episode.row.ttl_max


def recommendation_of(one: Recommendation) -> report.Recommendation:
    return report.Recommendation(**asdict(one))
