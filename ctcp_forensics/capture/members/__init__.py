"""Members: what is inside zip and tar archives, read without extraction.

Knows the two formats, how deep and how far they are followed, and how a member is named: `case.zip!/dir/a.pcap`.
Does not know savefiles.
"""

from ctcp_forensics.capture.members.walk import (
    EVERYTHING,
    Below,
    Member,
    Only,
    Refused,
    Selection,
    Walked,
    is_container,
    walk,
)

__all__ = ["EVERYTHING", "Below", "Member", "Only", "Refused", "Selection", "Walked", "is_container", "walk"]
