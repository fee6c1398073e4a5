"""Conclude: judged cases become flows, findings and paths of the report.

Knows which cases are one connection and the report's names.  Does not judge: see verdict.
"""

from ctcp_forensics.conclude.conclusion import conclude

__all__ = ["conclude"]
