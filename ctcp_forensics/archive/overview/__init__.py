"""The overview: a store on one HTML page that needs nothing else: when, who, behind what, and what was not looked at.

The page reads well without its script, which only searches and narrows.
"""

from ctcp_forensics.archive.overview.document import MAX_HITS, MAX_TROUBLES, overview

__all__ = ["MAX_HITS", "MAX_TROUBLES", "overview"]
