"""Annotated captures: the frames of the flows concerned, from all captures, with a comment on each decisive one.

A second reading: knows the report, and reads the captures that it names again, twice: once to mark the frames that
are wanted, once to copy them.  Does not judge, and touches no file but through `capture`; where the bytes go is the
caller's business.
"""

from ctcp_forensics.annotate.choice import ChoiceError, concerned
from ctcp_forensics.annotate.evidence import Request, Written, annotate
from ctcp_forensics.annotate.survey import TWICE

__all__ = ["TWICE", "ChoiceError", "Request", "Written", "annotate", "concerned"]
