"""Reports for the tests of what reads a report: a few made by hand, true to life, and any that could be.

Knows the contract only.  No capture stands behind them.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from ctcp_forensics.report import (
    SCHEMA_VERSION,
    AlsoPossible,
    Cap,
    Capture,
    Clock,
    ClockPiece,
    Coverage,
    Crossing,
    Damage,
    DirectionFacts,
    Directions,
    Encapsulation,
    Ending,
    Endpoint,
    Episode,
    Evidence,
    Failed,
    Finding,
    Flow,
    Interface,
    Path,
    Place,
    Recommendation,
    Report,
    Seen,
    Tool,
    Undecoded,
)

SECOND_NS = 1_000_000_000
START_NS = 1_772_442_845_123_456_789  # 2026-03-02T09:14:05.123456789Z
TOOL = Tool(version="0.1.0")
HEADEND = Endpoint(address="198.51.100.1", port=10000)


def client(number: int) -> Endpoint:
    return Endpoint(address=f"192.0.2.{number}", port=51234)


def capture(**changes: object) -> Capture:
    facts: dict[str, object] = {
        "id": "c1",
        "source": "client.pcap",
        "sha256": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
        "content_sha256": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
        "vantage": "unknown",
        "format": "pcap",
        "size": 218_304,
        "frames": 214,
        "tcp_segments": 210,
        "first_ns": START_NS,
        "last_ns": START_NS + 134 * SECOND_NS,
        "outcome": "complete",
        "interfaces": (Interface(index=0, link_type=1),),
    }
    return Capture(**(facts | changes))  # type: ignore[arg-type]


def seen(number: int, *, frames: int, first: int, last: int) -> Seen:
    return Seen(
        capture="c1",
        frames=frames,
        client=client(number),
        headend=HEADEND,
        first_frame=first,
        last_frame=last,
    )


EPISODE = Episode(
    direction="client-to-headend",
    wanted_seq={"c1": 3_735_928_559},
    wanted_offset=48_213,
    duplicate_acks=5,
    sack_duplicate_acks=0,
    first_duplicate_ack_frame={"c1": 120},
    missing_segment_frame={"c1": 118},
    answered=False,
    first_ns=START_NS + 30 * SECOND_NS,
    last_ns=START_NS + 44 * SECOND_NS + 500_000_000,
)

DEAD_FLOW = Flow(
    id="f1",
    client=client(10),
    headend=HEADEND,
    first_ns=START_NS,
    last_ns=START_NS + 134 * SECOND_NS,
    encapsulation=Encapsulation(
        kind="cisco-ctcp", grade="certain", because="96 of 96 messages end in the cTCP trailer"
    ),
    ending=Ending(
        kind="rst",
        by="client",
        frame={"c1": 210},
        at_ns=START_NS + 134 * SECOND_NS,
        because="the client sends RST after 90 s without an answer",
    ),
    verdict="unanswered-duplicate-acks",
    confidence="strong",
    direction="client-to-headend",
    seen=(seen(10, frames=180, first=1, last=210),),
    episodes=(EPISODE,),
    episodes_total=1,
    directions=Directions(
        client_to_headend=DirectionFacts(
            segments=112, payload_bytes=98_304, data_segments=96, new_bytes=98_304
        ),
        headend_to_client=DirectionFacts(
            segments=68, payload_bytes=41_200, data_segments=60, duplicate_acks=5
        ),
    ),
)

BYPASS = Recommendation(
    fix="tcp-state-bypass",
    title="Let the firewall on the path bypass TCP state for this flow",
    change="Match the tunnel's TCP flow on the transit ASA and switch on tcp-state-bypass for it.",
    commands=(
        "access-list CTCP_BYPASS extended permit tcp host 192.0.2.10 host 198.51.100.1 eq 10000",
        "class-map CTCP_BYPASS_CM",
        " match access-list CTCP_BYPASS",
    ),
    cost="No inspection, normaliser, IPS or sequence randomisation for what the access list matches.",
    verify=("`show conn address 192.0.2.10`: the new connection has flag b.",),
    roll_back=("no set connection advanced-options tcp-state-bypass",),
    source="Cisco TAC 113578",
    caveats=("Acts on new connections only.",),
)
LEAVE_TCP = Recommendation(
    fix="leave-tcp",
    title="Use IPsec over UDP or NAT-T instead of IPsec over TCP",
    change="Set TunnelingMode=0 in the client profile.",
    cost="UDP may be blocked where TCP was chosen.",
    source="Cisco TAC 113578",
)

DEAD_FINDING = Finding(
    id="0f1e2d3c4b5a6978",
    flow="f1",
    verdict="unanswered-duplicate-acks",
    title="unanswered duplicate ACKs (TAC 113578)",
    confidence="strong",
    summary="The client lost one segment, never answered 5 duplicate ACKs for it, and the tunnel died.",
    evidence=(
        Evidence(
            claim="a segment is missing",
            outcome="holds",
            because="5 duplicate ACKs ask for byte 48213, last sent in frame 118",
            frames={"c1": (118,)},
            would_refute="an ACK beyond byte 48213",
        ),
        Evidence(
            claim="the duplicate ACKs stay unanswered",
            outcome="holds",
            because="no later segment carries byte 48213",
            frames={"c1": (120, 121, 122, 125, 129)},
            would_refute="a later segment that carries byte 48213",
        ),
        Evidence(
            claim="the flow stalled and died while its sender was sending",
            outcome="holds",
            because="31 new segments after the first duplicate ACK, none acknowledged",
            frames={"c1": (130, 210)},
            would_refute="progress of the acknowledgment after frame 120",
        ),
        Evidence(
            claim="not beside the 2^32 wrap",
            role="guard",
            outcome="holds",
            because="byte 48213 is 559038737 bytes from the wrap",
            would_refute="a hole within 64 kB of the wrap",
        ),
        Evidence(
            claim="the sender sends again",
            role="refutation",
            outcome="fails",
            because="no byte of the client was seen twice",
            would_refute="one repeated segment",
        ),
    ),
    recommendations=(BYPASS, LEAVE_TCP),
    also_possible=(
        AlsoPossible(
            verdict="firewall-drop",
            because="one capture cannot show which device dropped what",
            settled_by="a capture on the headend side of the firewall",
        ),
    ),
    missing_evidence=("a capture on the headend side of the firewall",),
    display_filter="ip.addr==192.0.2.10 && tcp.port==51234 && ip.addr==198.51.100.1 && tcp.port==10000",
)

HEALTHY_FLOW = Flow(
    id="f2",
    client=client(11),
    headend=HEADEND,
    first_ns=START_NS + SECOND_NS,
    last_ns=START_NS + 5 * SECOND_NS,
    encapsulation=Encapsulation(
        kind="cisco-ctcp", grade="certain", because="20 of 20 messages end in the cTCP trailer"
    ),
    ending=Ending(kind="capture-ended"),
    verdict="healthy",
    confidence="consistent",
    seen=(seen(11, frames=24, first=2, last=40),),
)
HEALTHY_FINDING = Finding(
    id="1111222233334444",
    flow="f2",
    verdict="healthy",
    title="healthy",
    confidence="consistent",
    summary="Every byte that was asked for arrived.",
    display_filter="ip.addr==192.0.2.11 && tcp.port==51234",
)

SHORT_FLOW = Flow(
    id="f3",
    client=client(12),
    headend=HEADEND,
    first_ns=START_NS + 2 * SECOND_NS,
    last_ns=START_NS + 2 * SECOND_NS + 850_000_000,
    encapsulation=Encapsulation(
        kind="cisco-ctcp", grade="possible", because="ESP-like counters; the trailers were not captured"
    ),
    ending=Ending(kind="capture-ended"),
    verdict="insufficient-evidence",
    confidence="undetermined",
    seen=(seen(12, frames=6, first=9, last=31),),
)
SHORT_FINDING = Finding(
    id="aaaabbbbccccdddd",
    flow="f3",
    verdict="insufficient-evidence",
    title="insufficient evidence",
    confidence="undetermined",
    summary="The capture ends 850 ms after the first duplicate ACK.",
    evidence=(
        Evidence(
            claim="the capture outlived the flow",
            outcome="unknown",
            because="the capture ended 850 ms after the first duplicate ACK",
            frames={"c1": (31,)},
        ),
    ),
    missing_evidence=("a capture that runs at least 10 s past the first duplicate ACK",),
    display_filter="ip.addr==192.0.2.12 && tcp.port==51234",
)

WHOLE = Coverage(captures=1, complete=1, frames=214, tcp_segments=210, flows_seen=3, flows_judged=3)


def report(
    flows: tuple[Flow, ...],
    findings: tuple[Finding, ...],
    coverage: Coverage = WHOLE,
    captures: tuple[Capture, ...] = (capture(),),
) -> Report:
    return Report(tool=TOOL, captures=captures, flows=flows, findings=findings, coverage=coverage)


def dead() -> Report:
    return report((DEAD_FLOW,), (DEAD_FINDING,))


def healthy() -> Report:
    return report((HEALTHY_FLOW,), (HEALTHY_FINDING,))


def left() -> Report:
    """Two flows that are well.  The second lies silent, and its client came again from another port."""
    left_alone = Evidence(
        claim="nothing-took-its-place",
        role="guard",
        outcome="unknown",
        because="frame 50 opens another connection from the same address 8.0 s after the last frame of this one",
        frames={"c1": (40, 50)},
        settled_by="a capture at the client's side",
    )
    flow = msgspec.structs.replace(
        HEALTHY_FLOW, id="f4", client=client(13), seen=(seen(13, frames=9, first=3, last=40),)
    )
    finding = msgspec.structs.replace(
        HEALTHY_FINDING,
        id="2222333344445555",
        flow="f4",
        evidence=(left_alone,),
        missing_evidence=(left_alone.settled_by,),
    )
    surely = msgspec.structs.replace(HEALTHY_FLOW, confidence="strong")
    sure = msgspec.structs.replace(HEALTHY_FINDING, confidence="strong")
    return report((surely, flow), (sure, finding))


def short() -> Report:
    return report((SHORT_FLOW,), (SHORT_FINDING,))


def mixed() -> Report:
    """The healthy flow comes first, so that sorting has something to do."""
    return report((HEALTHY_FLOW, DEAD_FLOW, SHORT_FLOW), (HEALTHY_FINDING, DEAD_FINDING, SHORT_FINDING))


def case() -> Report:
    """Three captures of one path as one case: the firewall's clock an hour off and set once, translated addresses."""
    inside = Endpoint(address="10.9.8.7", port=1024)
    flow = msgspec.structs.replace(
        DEAD_FLOW,
        confidence="proven",
        loss_location="client-asa",
        ack_author="asa",
        rst_author="client",
        judged_in="c1",
        seen=(
            sighting("c1", 180, client(10), 210, "unanswered-duplicate-acks", "strong"),
            sighting("c2", 179, client(10), 209, "unanswered-duplicate-acks", "strong"),
            sighting("c3", 90, inside, 95, "peer-vanished", "consistent"),
        ),
        episodes=(
            msgspec.structs.replace(
                EPISODE,
                wanted_seq={"c1": 3_735_928_559, "c2": 3_735_928_559},
                first_duplicate_ack_frame={"c1": 120, "c2": 119},
                missing_segment_frame={"c1": 118, "c2": None},
            ),
        ),
    )
    finding = msgspec.structs.replace(
        DEAD_FINDING,
        confidence="proven",
        evidence=(*DEAD_FINDING.evidence, MADE_IN_BETWEEN),
        also_possible=(),
        missing_evidence=(),
        display_filters={
            "c1": DEAD_FINDING.display_filter,
            "c2": DEAD_FINDING.display_filter,
            "c3": "ip.addr==10.9.8.7 && tcp.port==1024 && ip.addr==198.51.100.1 && tcp.port==10000",
        },
    )
    captures = (
        capture(vantage="client"),
        capture(id="c2", source="asa/outside.pcap", vantage="asa-outside", frames=213),
        capture(id="c3", source="asa/inside.pcap", vantage="asa-inside", frames=99),
    )
    coverage = Coverage(captures=3, complete=3, frames=526, tcp_segments=520, flows_seen=3, flows_judged=1)
    whole = report((flow,), (finding,), coverage, captures)
    return msgspec.structs.replace(whole, paths=(PATH,), notes=("spare.pcap (c4) holds no frame: …",))


def sighting(capture: str, frames: int, end: Endpoint, last: int, verdict: str, confidence: str) -> Seen:
    return Seen(
        capture=capture,
        frames=frames,
        client=end,
        headend=HEADEND,
        first_frame=1,
        last_frame=last,
        verdict_alone=verdict,
        confidence_alone=confidence,
    )


MADE_IN_BETWEEN = Evidence(
    claim="the-acks-were-made-in-between",
    role="guard",
    outcome="holds",
    because="5 duplicate ACKs in asa-outside, none in asa-inside, which was running",
    frames={"c1": (120, 121, 122, 125, 129), "c2": (119, 120, 121, 124, 128)},
    would_refute="the same duplicate ACKs in the capture on the other side of the firewall",
)


def place(name: str, vantage: str, *, is_told: bool = True) -> Place:
    because = "the times of what passed both"
    return Place(captures=(name,), vantage=vantage, is_told=is_told, is_sure=True, because=because)


def crossing(sent_from: int | None, towards: int, **facts: object) -> Crossing:
    counts: dict[str, Any] = dict.fromkeys(
        (
            "arrived",
            "altered",
            "lost",
            "injected",
            "not_captured_before",
            "not_captured_behind",
            "undecided",
            "withheld",
            "damaged",
            "beyond",
        ),
        0,
    )
    known: dict[str, Any] = {
        "flow": "f1",
        "direction": "client-to-headend",
        "sent_from": sent_from,
        "towards": towards,
        "location": "client-asa",
        "loss_rate": 0.0,
        "loss_rate_low": 0.0,
        "loss_rate_high": 0.0385,
        "pattern": None,
        "depends_on_size": None,
        "smallest_lost_len": None,
        "largest_arrived_len": 1364,
    }
    return Crossing(**(counts | known | facts))


BACK = {"direction": "headend-to-client", "arrived": 60, "loss_rate_high": 0.0602}
PATH = Path(
    places=(place("c1", "client"), place("c2", "asa-outside"), place("c3", "asa-inside", is_told=False)),
    clocks=(
        Clock(
            place=1,
            reference=0,
            is_shared=False,
            pieces=(
                ClockPiece(
                    from_frame=1,
                    to_frame=80,
                    at_ns=START_NS + 10 * SECOND_NS,
                    offset_low_ns=-3_600_013_400_000,
                    offset_high_ns=-3_599_981_200_000,
                    matches=74,
                    skew_ppm=12.25,
                    skew_low_ppm=9.0,
                    skew_high_ppm=14.0,
                ),
                ClockPiece(
                    from_frame=81,
                    to_frame=207,
                    at_ns=START_NS + 70 * SECOND_NS,
                    offset_low_ns=-13_430_000,
                    offset_high_ns=18_720_001,
                    matches=81,
                ),
            ),
            because="two hosts, two clocks",
        ),
        Clock(place=2, reference=1, is_shared=True, because="both were taken on one box"),
    ),
    crossings=(
        crossing(
            *(0, 1),
            arrived=92,
            lost=4,
            loss_rate=0.041667,
            loss_rate_low=0.0163,
            loss_rate_high=0.1022,
            pattern="too-few",
            depends_on_size=True,
            smallest_lost_len=1365,
            lost_frames=(60, 71, 93, 118),
        ),
        crossing(1, 2, location="asa", arrived=60, withheld=31, undecided=1),
        crossing(None, 2, location="asa-headend", **BACK),
        crossing(2, 1, location="asa", **BACK),
        crossing(1, 0, **BACK, not_captured_behind=2),
    ),
    notes=("the labels contradict the captures: they are read as exchanged",),
)


def empty() -> Report:
    return report((), (), Coverage(captures=1, complete=1, frames=12))


def damaged() -> Report:
    """One file cut, one missing, one limit reached."""
    cut = capture(
        id="c1",
        source="cut.pcap",
        outcome="partial",
        damage=(Damage(offset=81_920, reason="file ends inside frame 513"),),
        notes=("the capturing host dropped 7 frames",),
        undecoded=(Undecoded(reason="link type 147", frames=3),),
    )
    gone = capture(
        id="c2", source="gone.pcap", sha256=None, outcome="rejected", format=None, frames=0, first_ns=None
    )
    coverage = Coverage(
        captures=2,
        partial=1,
        rejected=1,
        frames=512,
        tcp_segments=500,
        flows_seen=1,
        flows_judged=1,
        undecoded=(Undecoded(reason="link type 147", frames=3),),
        caps=(Cap(cap="episodes per flow", limit=64, reached_by="f2"),),
        failed=(Failed(source="gone.pcap", reason="no such file"),),
    )
    return report((HEALTHY_FLOW,), (HEALTHY_FINDING,), coverage, (cut, gone))


# --- any report at all -------------------------------------------------------------------

SCALARS: dict[type[inspect.Type], st.SearchStrategy[Any]] = {
    inspect.StrType: st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    inspect.IntType: st.integers(min_value=-(2**63), max_value=2**63 - 1),
    inspect.FloatType: st.floats(allow_nan=False, allow_infinity=False),
    inspect.BoolType: st.booleans(),
    inspect.NoneType: st.none(),
}


@cache
def anything(record: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Any record of one class of the contract, every field given, hostile texts among them."""
    told = inspect.type_info(record)
    assert isinstance(told, inspect.StructType)
    fields = {field.name: _values(field.type) for field in told.fields}
    if record is Report:
        fields["schema_version"] = st.just(SCHEMA_VERSION)
        fields["pictures"] = st.just(())  # they are large: see the test of their own
        fields["brief"] = st.just(())  # columns fit together or are refused: see the tests of their own
    return st.builds(record, **fields)


def _values(kind: inspect.Type) -> st.SearchStrategy[Any]:
    match kind:
        case inspect.Metadata(extra_json_schema={"enum": list(words)}):
            return st.sampled_from(words)
        case inspect.Metadata():
            return _values(kind.type)
        case inspect.StructType():
            return anything(kind.cls)
        case inspect.VarTupleType():
            return st.lists(_values(kind.item_type), max_size=2).map(tuple)
        case inspect.DictType():
            return st.dictionaries(_values(kind.key_type), _values(kind.value_type), max_size=2)
        case inspect.UnionType():
            return st.one_of(*map(_values, kind.types))
    return SCALARS[type(kind)]


@st.composite
def joined(draw: st.DrawFn) -> Report:
    """Any report whose findings belong to its flows, as the pipeline makes them."""
    report: Report = draw(anything(Report))
    flows = tuple(
        msgspec.structs.replace(flow, id=f"{number}{flow.id}") for number, flow in enumerate(report.flows)
    )
    findings = tuple(
        msgspec.structs.replace(draw(anything(Finding)), id=f"{flow.id}!", flow=flow.id, verdict=flow.verdict)
        for flow in flows
    )
    return msgspec.structs.replace(report, flows=flows, findings=findings)
