"""Crosscheck: the same facts asked of Wireshark, and a reason for each difference.

Knows both programs' words for a segment.  Does not judge flows: that is the verdict's.
"""

from ctcp_forensics.crosscheck.comparing import (
    MAX_IN_FILTER,
    Crosscheck,
    Differing,
    FlowCheck,
    Tally,
    crosscheck,
)

__all__ = ["MAX_IN_FILTER", "Crosscheck", "Differing", "FlowCheck", "Tally", "crosscheck"]
