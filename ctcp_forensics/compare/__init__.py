"""Compare: a report from before a change and one from after it, and whether the change mended the failure.

Knows what would show it and what would not: that nothing was lost proves nothing.  Does not know what was changed.
"""

from ctcp_forensics.compare.comparison import Comparison, Pairing, compare
from ctcp_forensics.compare.outcome import Outcome

__all__ = ["Comparison", "Outcome", "Pairing", "compare"]
