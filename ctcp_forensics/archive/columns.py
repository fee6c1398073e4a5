"""Columns: the three tables of an archive, `captures`, `flows` and `findings`, column by column.

Knows names, order, types and meanings; a column that two tables share is described once.  Does not know where in a
report a value stands: see rows.

A column is added and never renamed or removed, as in the report.  Every integer fits 64 bits with a sign; times are
nanoseconds since 1970 UTC of the capture's own clock.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec


def says(text: str) -> msgspec.Meta:
    """What a column means, for the schema and the documents."""
    return msgspec.Meta(description=text)


Day = Annotated[str, says("UTC day of the capture's first frame, `unknown` without one; the partition")]
Uri = Annotated[
    str, says("what `ctcp-diag analyze` opens; what is not printable, and a backslash, as an escape")
]
FirstNs = Annotated[int | None, says("first frame")]
LastNs = Annotated[int | None, says("last frame")]
Rules = Annotated[str, says("version of the rules that judged")]
Verdict = Annotated[str, says("see VERDICTS.md")]
Confidence = Annotated[str, says("`proven`, `strong`, `consistent` or `undetermined`")]
Direction = Annotated[str | None, says("of the bytes that were lost")]
Client = Annotated[str, says("address of the client")]
ClientPort = Annotated[int, says("its port")]
ClientNetwork = Annotated[str, says("its network: /24, of IPv6 /48")]
Headend = Annotated[str, says("address of the headend")]
HeadendPort = Annotated[int, says("its port")]
CommunityId = Annotated[str | None, says("Community ID v1, to join other tools' logs")]
EPISODES: Final = says("runs of duplicate ACKs that ask for one byte")
DUPLICATE_ACKS: Final = says("RFC 5681 section 2")
MISSING_BYTES: Final = says("bytes that never came")
RETRANSMISSIONS: Final = says("segments sent again")


class CaptureRow(msgspec.Struct, frozen=True, kw_only=True):
    """One capture of the archive and what became of it."""

    day: Day
    uri: Uri
    same_as: Annotated[str | None, says("another capture with the same content, which this was told from")]
    size: Annotated[int | None, says("bytes as stored")]
    content: Annotated[str | None, says("hash of the content as stored")]
    hash: Annotated[
        str | None, says("which: `blake3`, or `sha256` in a store that an older version began")
    ] = None
    status: Annotated[str, says("`analyzed`, `partial`, `rejected` or `failed`")]
    reason: Annotated[str, says("why it was rejected or failed")]
    format: Annotated[str | None, says("`pcap` or `pcapng`")] = None
    vantage: Annotated[str | None, says("where it was taken, as far as is known")] = None
    bytes: Annotated[int, says("bytes read, as stored")]
    frames: Annotated[int, says("frames read")]
    tcp_segments: Annotated[int, says("of them TCP")] = 0
    undecoded: Annotated[int, says("frames that nobody could decode")] = 0
    dropped: Annotated[int | None, says("frames that the capturing program says it lost")] = None
    first_ns: FirstNs = None
    last_ns: LastNs = None
    damages: Annotated[int, says("places of damage listed")] = 0
    damage: Annotated[str, says("the first of them")] = ""
    caps: Annotated[str, says("limits that were reached, by name")] = ""
    flows_seen: Annotated[int, says("TCP connections in it")] = 0
    flows_judged: Annotated[int, says("of them judged")] = 0
    hits: Annotated[int, says("flows with unanswered duplicate ACKs")] = 0
    rules_version: Rules


class FlowRow(msgspec.Struct, frozen=True, kw_only=True):
    """One flow that was judged, as one capture shows it; of one told briefly some columns are null."""

    day: Day
    uri: Uri
    flow: Annotated[str, says("id of the flow: of its content, the same wherever the capture lies")]
    is_brief: Annotated[
        bool,
        says(
            "it is told in a line, being well, none of ours, or one of very many that are not: there is no finding, "
            "and its id is of the tables only"
        ),
    ]
    community_id: CommunityId
    verdict: Verdict
    confidence: Confidence
    direction: Direction = None
    client: Client
    client_port: ClientPort
    client_network: ClientNetwork
    headend: Headend
    headend_port: HeadendPort
    encapsulation: Annotated[str | None, says("what the flow carries")] = None
    grade: Annotated[str | None, says("how sure that is")] = None
    first_ns: FirstNs
    last_ns: LastNs
    ending: Annotated[str | None, says("`fin`, `rst`, `silence`, `capture-ended` or `open`")] = None
    ending_by: Annotated[str | None, says("which end closed; null: none, or a box made the RST")] = None
    firewall: Annotated[
        str | None,
        says(
            "the firewall's place, where it is known to have made the ACKs or the RST, or to have lost the segment"
        ),
    ] = None
    loss_location: Annotated[str | None, says("where the decisive segment was lost")] = None
    ack_author: Annotated[str | None, says("who made the duplicate ACKs")] = None
    rst_author: Annotated[str | None, says("who made the RST")] = None
    is_lossy: Annotated[
        bool | None, says("bytes or ESP numbers never came, or three duplicate ACKs asked for one byte")
    ] = None
    segments: Annotated[int, says("TCP segments, both directions")]
    payload_bytes: Annotated[int | None, says("bytes of payload, both directions")] = None
    episodes: Annotated[int | None, EPISODES] = None
    unanswered: Annotated[int | None, says("of those kept, the ones that nobody answered")] = None
    duplicate_acks: Annotated[int | None, DUPLICATE_ACKS] = None
    missing_bytes: Annotated[int | None, MISSING_BYTES] = None
    retransmissions: Annotated[int | None, RETRANSMISSIONS] = None
    esp_missing: Annotated[int | None, says("ESP numbers that never came")] = None
    rules_version: Rules


class FindingRow(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one flow, with what `who-else` asks for."""

    day: Day
    uri: Uri
    finding: Annotated[str, says("id of the finding: of its content, the same wherever the capture lies")]
    flow: Annotated[str, says("id of its flow, for `annotate --flow`")]
    verdict: Verdict
    title: Annotated[str, says("the verdict in words")]
    confidence: Confidence
    summary: Annotated[str, says("what happened, in a sentence or two")]
    direction: Direction
    client: Client
    client_port: ClientPort
    client_network: ClientNetwork
    headend: Headend
    headend_port: HeadendPort
    community_id: CommunityId
    firewall: Annotated[str | None, says("as in `flows`")]
    first_ns: FirstNs
    last_ns: LastNs
    episodes: Annotated[int, EPISODES]
    duplicate_acks: Annotated[int, DUPLICATE_ACKS]
    missing_bytes: Annotated[int, MISSING_BYTES]
    retransmissions: Annotated[int, RETRANSMISSIONS]
    display_filter: Annotated[str, says("for Wireshark")]
    rule_version: Annotated[str, says("version of the rule that judged")]


Row = CaptureRow | FlowRow | FindingRow
TABLES: Final[dict[str, type[Row]]] = {"captures": CaptureRow, "flows": FlowRow, "findings": FindingRow}
