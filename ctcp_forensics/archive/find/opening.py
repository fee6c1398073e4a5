"""Opening: an entry → its bytes, if it is still what was found.

Knows stamps.  Does not know what is done with the bytes.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing

from ctcp_forensics.archive.entry import Entry
from ctcp_forensics.capture import BY_THE_WAY, Capture, Hashing, open_capture
from ctcp_forensics.capture.access import Access
from ctcp_forensics.capture.source import without_waiting
from ctcp_forensics.capture.turn import opened_in_turn
from ctcp_forensics.errors import CaptureError


def open_entry(
    entry: Entry, *, hashing: Hashing = BY_THE_WAY, access: Access = Access.PUBLIC_ONLY
) -> Capture:
    """Raises CaptureError where another file has taken its place, or where it was rewritten."""
    capture = open_capture(entry.uri, hashing=hashing, access=access, opener=without_waiting)
    try:
        check_unchanged(entry, capture)
    except CaptureError:
        capture.close()
        raise
    return capture


def opened_entries(
    entries: Sequence[Entry], *, hashing: Hashing = BY_THE_WAY, access: Access = Access.PUBLIC_ONLY
) -> Generator[tuple[Entry, Capture | CaptureError], None, None]:
    """Each in turn, those of one archive in one pass over it; a capture is open until the next is asked for."""
    by_uri = {entry.uri: entry for entry in entries}
    with closing(opened_in_turn(tuple(by_uri), hashing=hashing, access=access)) as turn:
        for uri, opened in turn:
            yield by_uri[uri], _unless_changed(by_uri[uri], opened)


def _unless_changed(entry: Entry, opened: Capture | CaptureError) -> Capture | CaptureError:
    if isinstance(opened, CaptureError):
        return opened
    try:
        check_unchanged(entry, opened)
    except CaptureError as error:
        opened.close()
        return error
    return opened


def check_unchanged(entry: Entry, capture: Capture) -> None:
    """A savefile that has grown since it was found is read as far as it goes, and says so."""
    if capture.stamp == entry.stamp:
        return
    if has_grown(entry, capture):
        capture.notes += ("was still being written when it was found; what is there now is told",)
        return
    raise CaptureError(entry.uri, offset=None, reason="changed since it was found; scan it again")


def has_grown(entry: Entry, capture: Capture) -> bool:
    """The same inode with more in it.  Members of an archive do not grow."""
    inode = entry.stamp.rpartition(":")[2]
    is_same = capture.stamp is not None and capture.stamp.rpartition(":")[2] == inode
    return is_same and entry.size is not None and capture.size is not None and capture.size > entry.size
