"""Stamp: whether a file is still the one that it was.

Knows what the system tells of a file.  Does not read it.
"""

from __future__ import annotations

import os


def stamp_of(status: os.stat_result) -> str:
    """Another one after every write, and where another file has taken the name."""
    return f"{status.st_mtime_ns}:{status.st_ino}"


def has_grown(before: os.stat_result, after: os.stat_result) -> bool:
    """The same file, with more in it: what a running tcpdump does to its savefile."""
    return before.st_ino == after.st_ino and after.st_size > before.st_size
