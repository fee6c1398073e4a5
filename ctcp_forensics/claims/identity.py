"""Identity: what the flow carries, and whether all of it was captured."""

from __future__ import annotations

from ctcp_forensics.case import Case
from ctcp_forensics.claims.words import FAILS, HOLDS, OPPOSITE, UNKNOWN, way
from ctcp_forensics.ctcp import ESP_LIKE, Grade
from ctcp_forensics.ctcp import UNKNOWN as PAYLOAD_UNKNOWN
from ctcp_forensics.evidence import Answer, claim


@claim(
    would_refute="full payloads without the trailer, or the opening bytes of another protocol",
    settled_by="a capture with full frames (snap length 0 or packet-length 1522)",
)
def carries_ctcp(case: Case) -> Answer:
    """The flow carries Cisco's IPsec over TCP (guard i)."""
    found = case.encapsulation
    if found.is_ctcp:
        return HOLDS, found.because
    if found.kind in (ESP_LIKE, PAYLOAD_UNKNOWN) or found.grade == Grade.POSSIBLE:
        return UNKNOWN, found.because
    return FAILS, found.because


@claim(
    would_refute="a trailer of IPsec over TCP at the end of the payloads",
    settled_by="a capture with full frames (snap length 0 or packet-length 1522)",
)
def is_something_else(case: Case) -> Answer:
    """The flow carries something other than IPsec over TCP."""
    outcome = carries_ctcp.answer(case)[0]
    return OPPOSITE[outcome], case.encapsulation.because


@claim(would_refute="a frame of the other direction", settled_by="a capture of both directions of the flow")
def only_one_direction_was_seen(case: Case) -> Answer:
    """The capture shows one direction only, though the other was there."""
    absent = [d for d in case.flow.directions if d.row.frames == 0]
    if not absent:
        return FAILS, "both directions were captured"
    present = case.flow.opposite(absent[0])
    if present.row.data_segments or present.row.pure_acks:
        because = f"no frame went {way(absent[0])}, though the other end acknowledges and sends"
        return HOLDS, because, [present.row.first_frame]
    return FAILS, "nothing shows that the other end ever answered"
