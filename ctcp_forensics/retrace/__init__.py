"""Retrace: the second reading, of the flows that a report names, segment by segment.

Knows the report, the captures that it was made from, and how the places of a path stand to one another.  What a
segment is comes from the kernel's tracker, the same that the verdict came from.  Does not draw: see render.
"""

from ctcp_forensics.retrace.errand import MAX_TRACED, worst
from ctcp_forensics.retrace.traced import Retraced, as_told_by, retrace

__all__ = ["MAX_TRACED", "Retraced", "as_told_by", "retrace", "worst"]
