"""Capture: a file, a member of an archive, or standard input → its bytes in chunks, uncompressed, and its identity.

Knows files, pipes and compression, which it finds by content and never by name; one
layer of it is opened.  Does not know what the bytes mean: see savefile.

Nothing seeks, and nothing is held but a few chunks: a file may be larger than memory,
and a small compressed file may hold a large savefile.  Only what unpacks to more than any capture does is not followed.
"""

from ctcp_forensics.capture.access import Access
from ctcp_forensics.capture.cores import cores
from ctcp_forensics.capture.digest import BY_THE_WAY, HASH_LIMIT, UNHASHED, WHOLLY, Hashing, HashName
from ctcp_forensics.capture.names import STDIN
from ctcp_forensics.capture.opening import open_capture
from ctcp_forensics.capture.source import Capture

__all__ = [
    "BY_THE_WAY",
    "HASH_LIMIT",
    "STDIN",
    "UNHASHED",
    "WHOLLY",
    "Access",
    "Capture",
    "HashName",
    "Hashing",
    "cores",
    "open_capture",
]
