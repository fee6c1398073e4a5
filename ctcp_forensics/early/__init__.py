"""Early: flows that are judged when others need their places, before their capture is over.

Each is judged as of then, and called so.  Knows what is kept of them and how much.  Does not know whether the capture
turned out to be whole, nor what other flows said of them later: see conclude.
"""

from ctcp_forensics.early.leaving import Early
from ctcp_forensics.early.lines import Count, Lines

__all__ = ["Count", "Early", "Lines"]
