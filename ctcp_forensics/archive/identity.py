"""Identity: whether two entries hold the same bytes, found out as cheaply as can be.

Entries of different sizes differ, which costs nothing.  Of those of one size the first and the last bytes are
compared, and only where these are equal too, all of them.  Knows bytes.  Does not know who asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import FileIO
from typing import Final

from ctcp_forensics.archive.entry import Entry
from ctcp_forensics.archive.find import opened_entries
from ctcp_forensics.capture import Access, Capture, Hashing, HashName
from ctcp_forensics.capture.digest import Digest
from ctcp_forensics.capture.files import without_waiting
from ctcp_forensics.capture.names import containers_of, scheme_of
from ctcp_forensics.capture.source import CHUNK_LEN
from ctcp_forensics.errors import CaptureError

EDGE_LEN: Final = 1 << 16
"""64 KiB at each end: one read of most disks, and two rotated files of one tcpdump differ in their first frame."""
NO_EDGES: Final = "?"
"""A member's end is where all of it has been read: it may be like whatever has its length."""
UNREADABLE: Final = "unreadable"
"""Such an entry is like no other; what is wrong with it is found when it is examined."""


def quick_key(entry: Entry) -> str:
    """Of the first and last bytes.  Equal keys prove nothing; unequal ones prove that the contents differ."""
    if scheme_of(entry.uri) is not None and not any(containers_of(entry.uri)):
        return _distant_key(entry)
    if is_not_a_file(entry):
        return NO_EDGES
    try:
        with FileIO(entry.uri, opener=without_waiting) as file:
            return _edges(file)
    except OSError:
        return UNREADABLE


def _edges(file: FileIO) -> str:
    first = file.read(EDGE_LEN)
    size = file.seek(0, 2)
    file.seek(max(size - EDGE_LEN, 0))
    return _key(size, first, file.read(EDGE_LEN))


def _key(size: int, first: bytes, last: bytes) -> str:
    import hashlib  # where no two have one length, nobody asks

    found = hashlib.sha256(first)
    found.update(last)
    return f"{size}:{found.hexdigest()[:32]}"


def _distant_key(entry: Entry) -> str:
    """Two parts of an object are asked for, and no more; a page of the web may be like whatever has its length."""
    from ctcp_forensics.capture.remote import RemoteError, edges

    try:
        both = None if entry.size is None else edges(entry.uri, entry.size, EDGE_LEN)
    except RemoteError:
        return UNREADABLE
    return NO_EDGES if both is None or entry.size is None else _key(entry.size, *both)


def whole_keys(
    entries: Sequence[Entry], name: HashName, *, access: Access = Access.PUBLIC_ONLY
) -> Iterator[tuple[Entry, str]]:
    """The hash of the content as stored, the same that a report has; neighbours in one archive in one pass over it."""
    for entry, opened in opened_entries(entries, hashing=Hashing(name, None), access=access):
        yield entry, UNREADABLE if isinstance(opened, CaptureError) else _whole_key(entry, opened)


def _whole_key(entry: Entry, opened: Capture) -> str:
    with opened:
        try:
            if not is_not_a_file(entry):
                return _file_key(entry, opened.hashing) or UNREADABLE
            for _ in opened.chunks():
                """The hash is of what passes."""
        except (CaptureError, OSError):
            """It is damaged inside; what was hashed by then is all of it, or there is no hash."""
        return opened.digest or UNREADABLE


def _file_key(entry: Entry, hashing: Hashing) -> str | None:
    """Without unpacking it."""
    digest, memory = Digest(hashing), memoryview(bytearray(CHUNK_LEN))
    with FileIO(entry.uri, opener=without_waiting) as file:
        while count := file.readinto(memory):
            digest.update(memory[:count])
    return digest.hexdigest()


def is_not_a_file(entry: Entry) -> bool:
    return scheme_of(entry.uri) is not None or any(containers_of(entry.uri))
