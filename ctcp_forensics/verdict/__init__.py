"""Verdicts: a table of diagnoses, each with what it requires, what refutes it and what leaves a doubt.

`judge` takes the first row whose requirements all hold and which nothing refutes.  Knows claims.  Does not know how a
claim is checked: see claims.
"""

from ctcp_forensics.verdict.judgement import Alternative, Judgement, in_part, judge, judge_together
from ctcp_forensics.verdict.table import (
    CONFIDENCES,
    FLAGSHIP,
    HIDING,
    INSUFFICIENT,
    LINKS,
    MISLEADING,
    PROOF,
    VERDICTS,
    Confidence,
    Role,
    Verdict,
    link_of,
)

__all__ = [
    "CONFIDENCES",
    "FLAGSHIP",
    "HIDING",
    "INSUFFICIENT",
    "LINKS",
    "MISLEADING",
    "PROOF",
    "VERDICTS",
    "Alternative",
    "Confidence",
    "Judgement",
    "Role",
    "Verdict",
    "in_part",
    "judge",
    "judge_together",
    "link_of",
]
