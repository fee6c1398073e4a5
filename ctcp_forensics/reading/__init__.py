"""Readings: captures → one tracker for each vantage point.

Files of a capture that was rotated are read on with one tracker; a savefile that holds several vantage points gives
one tracker for each of its interfaces.  Knows which file and which frame of it a number means.  Does not know what
the flows of two readings have in common: see vantage.
"""

from ctcp_forensics.reading.course import read
from ctcp_forensics.reading.intake import Intake, take_in
from ctcp_forensics.reading.readings import (
    CTCP_PORT,
    MAX_IN_FULL,
    Options,
    Part,
    Progress,
    Reading,
    Source,
)

__all__ = [
    "CTCP_PORT",
    "MAX_IN_FULL",
    "Intake",
    "Options",
    "Part",
    "Progress",
    "Reading",
    "Source",
    "read",
    "take_in",
]
