"""Find: the user's words → the captures that they lead to, one after the other, and what was not followed, and why.

Knows folders, patterns, lists of names and what lies inside archives.  Does not know what is in a capture: see
examine.
"""

from ctcp_forensics.archive.find.listed import names_in
from ctcp_forensics.archive.find.opening import open_entry, opened_entries
from ctcp_forensics.archive.find.places import find, trails
from ctcp_forensics.archive.find.rules import FindOptions, Links
from ctcp_forensics.capture.names import shown, unshown

__all__ = [
    "FindOptions",
    "Links",
    "find",
    "names_in",
    "open_entry",
    "opened_entries",
    "shown",
    "trails",
    "unshown",
]
