"""Identity: whether two entries hold the same bytes, found out as cheaply as can be.

Entries of different sizes differ, which costs nothing.  Of those of one size the first and the last bytes are
compared, and only where these are equal too, all of them.  Knows bytes.  Does not know who asks.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO, Final

from ctcp_forensics.archive.entry import Entry
from ctcp_forensics.capture import open_capture
from ctcp_forensics.capture.names import containers_of, scheme_of

EDGE_LEN: Final = 1 << 16
"""64 KiB at each end: one read of most disks, and two rotated files of one tcpdump differ in their first frame."""
UNREADABLE: Final = "unreadable"
"""Such an entry is like no other; what is wrong with it is found when it is examined."""


def quick_key(entry: Entry) -> str:
    """Of the first and last bytes.  Equal keys prove nothing; unequal ones prove that the contents differ."""
    if is_not_a_file(entry):
        return whole_key(entry)
    try:
        with Path(entry.uri).open("rb", buffering=0) as file:
            return _edges(file)
    except OSError:
        return UNREADABLE


def _edges(file: BinaryIO) -> str:
    found = hashlib.sha256(file.read(EDGE_LEN))
    size = file.seek(0, 2)
    file.seek(max(size - EDGE_LEN, 0))
    found.update(file.read(EDGE_LEN))
    return f"{size}:{found.hexdigest()[:32]}"


def whole_key(entry: Entry) -> str:
    """SHA-256 of the content as stored, the same that a report has."""
    try:
        if is_not_a_file(entry):
            return _through_its_container(entry)
        with Path(entry.uri).open("rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except Exception:  # noqa: BLE001 - whatever it is, examining it will tell
        return UNREADABLE


def _through_its_container(entry: Entry) -> str:
    with open_capture(entry.uri, hash_limit=None) as capture:
        for _ in capture.chunks():
            """The hash is of what passes."""
        return capture.sha256 or UNREADABLE


def is_not_a_file(entry: Entry) -> bool:
    return scheme_of(entry.uri) is not None or any(containers_of(entry.uri))
