"""Report: everything an analysis found, frozen and versioned; the only thing renderings read.

Knows the names that scripts rely on, their JSON and its schema.  Does not know how any of it was found.

Within one major version names are added and never renamed or removed.  Frame numbers are Wireshark's,
times are integer nanoseconds since 1970 UTC, lengths are bytes.  What belongs to one capture is keyed by
that capture's id: two captures of one flow number their frames, and may number its bytes, differently.
"""

from ctcp_forensics.report.captures import (
    Cap,
    Capture,
    Coverage,
    Damage,
    Failed,
    Interface,
    Undecoded,
    valid_text,
)
from ctcp_forensics.report.findings import AlsoPossible, Evidence, Finding, Recommendation
from ctcp_forensics.report.flows import (
    Brief,
    BriefVerdict,
    DirectionFacts,
    Directions,
    Encapsulation,
    Ending,
    Endpoint,
    Episode,
    Flow,
    Seen,
    Shifts,
)
from ctcp_forensics.report.paths import Clock, ClockPiece, Crossing, Firewall, Path, Place
from ctcp_forensics.report.pictures import Picture, PictureHole, PicturePlace
from ctcp_forensics.report.whole import SCHEMA_VERSION, Report, ReportError, Tool, exit_status
from ctcp_forensics.report.words import (
    CONFIDENCE_WORDS,
    DIRECTION_WORDS,
    FIREWALL_VANTAGES,
    FLAGSHIP,
    NEEDS_NO_READING,
    VANTAGE_WORDS,
    VERDICT_WORDS,
    WELL,
)

__all__ = [
    "CONFIDENCE_WORDS",
    "DIRECTION_WORDS",
    "FIREWALL_VANTAGES",
    "FLAGSHIP",
    "NEEDS_NO_READING",
    "SCHEMA_VERSION",
    "VANTAGE_WORDS",
    "VERDICT_WORDS",
    "WELL",
    "AlsoPossible",
    "Brief",
    "BriefVerdict",
    "Cap",
    "Capture",
    "Clock",
    "ClockPiece",
    "Coverage",
    "Crossing",
    "Damage",
    "DirectionFacts",
    "Directions",
    "Encapsulation",
    "Ending",
    "Endpoint",
    "Episode",
    "Evidence",
    "Failed",
    "Finding",
    "Firewall",
    "Flow",
    "Interface",
    "Path",
    "Picture",
    "PictureHole",
    "PicturePlace",
    "Place",
    "Recommendation",
    "Report",
    "ReportError",
    "Seen",
    "Shifts",
    "Tool",
    "Undecoded",
    "exit_status",
    "valid_text",
]
