"""Words: those that scripts rely on, and the kinds of number and text that a report keys by capture.

Knows no more than the words and their order.  What a verdict needs is said in verdict.
"""

from typing import Annotated

import msgspec

FLAGSHIP = "unanswered-duplicate-acks"

# From what a reader must see first to what needs no reading: renderings sort by this order.
VERDICT_WORDS = (
    FLAGSHIP,
    "path-mtu-black-hole",
    "firewall-drop",
    "reset-by-middlebox",
    "nat-rebinding",
    "idle-timeout",
    "window-stall",
    "handshake-failed",
    "negotiation-failed",
    "peer-vanished",
    "link-down",
    "reset-by-endpoint",
    "insufficient-evidence",
    "answered",
    "loss-tolerated",
    "orderly-close",
    "healthy",
    "not-ctcp",
)
NEEDS_NO_READING = frozenset({"healthy", "orderly-close", "not-ctcp"})
"""Verdicts on flows that are well, or none of ours: nothing is shown of them unless it is asked for."""
WELL = frozenset({"healthy", "loss-tolerated", "orderly-close", "answered"})
"""Verdicts on flows that lived, whatever they went through."""
CONFIDENCE_WORDS = ("proven", "strong", "consistent", "undetermined")
OUTCOME_WORDS = ("holds", "fails", "unknown")
DIRECTION_WORDS = ("client-to-headend", "headend-to-client")
GRADE_WORDS = ("certain", "probable", "possible", "none")
# `asa`: a capture of the firewall whose side nothing shows.
VANTAGE_WORDS = ("client", "asa-outside", "asa-inside", "asa", "unknown")
FIREWALL_VANTAGES = ("asa-outside", "asa-inside", "asa")
# Where on the way from client to headend; with `-or-` where no capture stands between the two, and `capture`
# where nothing was lost but by the capture itself.
LOCATION_WORDS = (
    "client-asa",
    "asa",
    "asa-headend",
    "client-asa-or-asa",
    "asa-or-asa-headend",
    "client-headend",
    "capture",
)
AUTHOR_WORDS = ("client", *LOCATION_WORDS[:-1], "headend")
NATURE_WORDS = ("full-proxy", "orders-the-stream", "passes-as-it-comes", "unknown")
PATTERN_WORDS = ("random", "burst", "too-few")


def _one_of(words: tuple[str, ...]) -> msgspec.Meta:
    """The schema lists the words; reading does not insist, so that a later minor version may add one."""
    return msgspec.Meta(extra_json_schema={"enum": list(words)})


VerdictWord = Annotated[str, _one_of(VERDICT_WORDS)]
Confidence = Annotated[str, _one_of(CONFIDENCE_WORDS)]
OutcomeWord = Annotated[str, _one_of(OUTCOME_WORDS)]
DirectionWord = Annotated[str, _one_of(DIRECTION_WORDS)]
Grade = Annotated[str, _one_of(GRADE_WORDS)]
Author = Annotated[str, _one_of(AUTHOR_WORDS)]
Nature = Annotated[str, _one_of(NATURE_WORDS)]
Pattern = Annotated[str, _one_of(PATTERN_WORDS)]
Vantage = Annotated[str, _one_of(VANTAGE_WORDS)]
Location = Annotated[str, _one_of(LOCATION_WORDS)]
CaptureOutcome = Annotated[str, _one_of(("complete", "partial", "rejected"))]
EndingKind = Annotated[str, _one_of(("fin", "rst", "silence", "capture-ended", "open"))]
ClaimRole = Annotated[str, _one_of(("proof", "guard", "refutation"))]
EndpointWord = Annotated[str, _one_of(("client", "headend", "unknown"))]

PerCapture = Annotated[dict[str, int], msgspec.Meta(description="a number for each capture id")]
PerCaptureOrNone = Annotated[
    dict[str, int | None], msgspec.Meta(description="a number for each capture id; null: not in that capture")
]
FramesPerCapture = Annotated[
    dict[str, tuple[int, ...]], msgspec.Meta(description="frame numbers for each capture id")
]
FilterPerCapture = Annotated[
    dict[str, str], msgspec.Meta(description="a Wireshark display filter for each capture id")
]
