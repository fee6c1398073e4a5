"""Looking: one file → whether it is a capture, by its first bytes; the members of what holds some.

Knows how little has to be read.  Does not know folders.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Final

import msgspec

from ctcp_forensics.archive.entry import Entry, Found, Refusal
from ctcp_forensics.capture.codecs import codec_of
from ctcp_forensics.capture.members import EVERYTHING, Refused, Selection, Walked, is_container, walk
from ctcp_forensics.capture.members.streams import HEAD_LEN, Look, Replay, look
from ctcp_forensics.capture.stamp import stamp_of
from ctcp_forensics.savefile import begins_savefile, other_capture

WITHOUT_RISK: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY
"""Whatever takes the place of a file after it was looked at: no pipe is waited for, no link followed."""
NOT_FILES: Final = (
    (stat.S_ISFIFO, "fifo", "a pipe is never opened"),
    (stat.S_ISSOCK, "socket", "a socket is never opened"),
    (stat.S_ISCHR, "device", "a device is never opened"),
    (stat.S_ISBLK, "device", "a device is never opened"),
)


def looked_at(path: str, status: os.stat_result) -> Iterator[Found]:
    """What a path leads to that is no folder and no link."""
    if not stat.S_ISREG(status.st_mode):
        yield _no_file(path, status.st_mode)
    elif status.st_size == 0:
        yield Refusal(uri=path, reason="empty", detail="holds no bytes", is_trouble=False)
    else:
        yield from _file(path, status)


def behind_link(path: str, target: str, status: os.stat_result) -> Iterator[Found]:
    """What a link leads to, by the link's name: it is opened by its own, which nothing can be put in the way of."""
    return (
        msgspec.structs.replace(one, uri=path + one.uri.removeprefix(target))
        for one in looked_at(target, status)
    )


def unreadable(path: str, error: OSError) -> Refusal:
    """What the system says; anybody's fault but the file's."""
    match error:
        case FileNotFoundError():
            return Refusal(uri=path, reason="vanished", detail="there is no such file", is_trouble=True)
        case PermissionError():
            return Refusal(uri=path, reason="permission", detail="no permission to read it", is_trouble=True)
        case _:
            words = (error.strerror or str(error)).lower()
            return Refusal(uri=path, reason="unreadable", detail=words, is_trouble=True)


def members_of(path: str, selection: Selection = EVERYTHING) -> Iterator[Found]:
    """The captures inside an archive."""
    try:
        for found in walk(path, selection):
            yield inside(found)
    except OSError as error:
        yield unreadable(path, error)


def _no_file(path: str, mode: int) -> Refusal:
    for is_such, reason, detail in NOT_FILES:
        if is_such(mode):
            return Refusal(uri=path, reason=reason, detail=detail, is_trouble=False)
    return Refusal(uri=path, reason="unreadable", detail="is no regular file", is_trouble=True)


def _file(path: str, status: os.stat_result) -> Iterator[Found]:
    try:
        seen = _seen(path)
    except OSError as error:
        yield unreadable(path, error)
        return
    if not begins_savefile(seen.head) and is_container(seen):
        yield from members_of(path)
    else:
        yield told(path, status.st_size, stamp_of(status), seen)


def _seen(path: str) -> Look:
    """The first bytes, by as few calls as there can be: most files are small, and there may be ten million."""
    descriptor = os.open(path, WITHOUT_RISK)
    try:
        head = os.read(descriptor, HEAD_LEN)
        if codec_of(head) is None:
            return Look(head, None)
        os.lseek(descriptor, 0, os.SEEK_SET)
        with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as file:
            return look(Replay(file))
    finally:
        os.close(descriptor)


def inside(found: Walked) -> Found:
    """A member, or what was not followed there."""
    if isinstance(found, Refused):
        return Refusal(uri=found.uri, reason=found.reason, detail=found.detail, is_trouble=True)
    return told(found.uri, found.size, found.stamp, found.seen, found.length)


def told(uri: str, size: int | None, stamp: str, seen: Look, length: int | None = None) -> Found:
    """A capture, or what else it is."""
    if begins_savefile(seen.head):
        return Entry(uri=uri, size=size, stamp=stamp, length=length)
    if seen.complaint:
        return Refusal(uri=uri, reason="damaged", detail=seen.complaint, is_trouble=True)
    if not seen.head:
        return Refusal(uri=uri, reason="empty", detail="holds no bytes", is_trouble=False)
    if words := other_capture(seen.head):
        return Refusal(uri=uri, reason="other-capture", detail=words, is_trouble=True)
    if seen.codec is not None and codec_of(seen.head) is not None:
        detail = f"is compressed twice, in {seen.codec.name}; unpack it once"
        return Refusal(uri=uri, reason="compressed-twice", detail=detail, is_trouble=True)
    return Refusal(uri=uri, reason="not-a-capture", is_trouble=False)
