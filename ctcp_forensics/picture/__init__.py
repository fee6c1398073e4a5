"""Pictures: the decisive seconds of a flow, small enough to travel in a report.

Knows traces, and what of them a reader has to see.  Opens no capture (see retrace) and draws nothing (see render).
"""

from typing import Final

from ctcp_forensics.picture.stored import told_of, traces_in
from ctcp_forensics.picture.taking import picture_of

__all__ = ["MAX_PICTURES", "picture_of", "told_of", "traces_in"]

MAX_PICTURES: Final = 16
"""Flows whose pictures travel in a report: the worst; a picture is up to half a megabyte."""
