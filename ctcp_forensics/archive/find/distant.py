"""Distant: a URL → the captures behind it, by the first bytes of each.

Knows what a run may keep: no password and no signature ends in a store.  Does not know how a listing is asked for.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Final

from ctcp_forensics.archive.entry import Found, Refusal
from ctcp_forensics.archive.find.looking import inside, told
from ctcp_forensics.capture.access import Access
from ctcp_forensics.capture.holder import Holder, Holders
from ctcp_forensics.capture.members import EVERYTHING, Below, Selection, is_container
from ctcp_forensics.capture.members.streams import Look, Replay, look
from ctcp_forensics.capture.names import containers_of
from ctcp_forensics.savefile import begins_savefile

if TYPE_CHECKING:
    from ctcp_forensics.capture.remote import Listed

ASKED_AT_ONCE: Final = 100
"""First bytes are asked for side by side: one after the other a million objects would take a day."""
SEEN_LEN: Final = 1 << 13
"""8 KiB: most of what is compressed shows its content within them."""


def behind_url(url: str, access: Access) -> Iterator[Found]:
    """All captures that a URL leads to."""
    from ctcp_forensics.capture.remote import has_secrets, without_secrets

    if has_secrets(url):
        detail = (
            "passwords and signatures are not kept in a store; give credentials to the library that reads it"
        )
        yield Refusal(uri=without_secrets(url), reason="secret-in-url", detail=detail, is_trouble=True)
        return
    holder = Holders(access).of(url) if any(containers_of(url)) else None
    yield from _listed(url, access) if holder is None else _inside_of(holder, url, access)


def _listed(url: str, access: Access) -> Iterator[Found]:
    from ctcp_forensics.capture.remote import RemoteError, listed

    objects = listed(url, access)
    try:
        while some := list(islice(objects, ASKED_AT_ONCE)):
            yield from _looked_at(some, access)
    except RemoteError as error:
        yield Refusal(uri=url, reason="unreachable", detail=str(error.strerror), is_trouble=True)


def _inside_of(holder: Holder, url: str, access: Access) -> Iterator[Found]:
    """What a member's name leads to: the member, or all below it.  An object may be called like one."""
    found = _members(holder, Below(url))
    first = next(found, None)
    if first is None:
        yield from _listed(url, access)
        return
    yield first
    yield from found


def _members(holder: Holder, selection: Selection = EVERYTHING) -> Iterator[Found]:
    try:
        for found in holder.walk(selection):
            yield inside(found)
    except OSError as error:
        yield Refusal(uri=holder.uri, reason="unreachable", detail=str(error.strerror), is_trouble=True)


def _looked_at(objects: Sequence[Listed], access: Access) -> Iterator[Found]:
    from ctcp_forensics.capture.remote import RemoteError, heads

    for one, head in zip(objects, heads([one.url for one in objects], access, SEEN_LEN), strict=True):
        if isinstance(head, RemoteError):
            yield Refusal(uri=one.url, reason="unreadable", detail=str(head.strerror), is_trouble=True)
        else:
            yield from _found(one, head, access)


def _found(one: Listed, head: bytes, access: Access) -> Iterator[Found]:
    seen = look(Replay(io.BytesIO(head)))
    if seen.complaint and len(head) == SEEN_LEN:
        seen = _seen_further(one.url, access) or seen
    if not begins_savefile(seen.head) and is_container(seen):
        yield from _members(Holder(one.url, access))
    else:
        yield told(one.url, one.size, one.stamp, seen)


def _seen_further(url: str, access: Access) -> Look | None:
    """A block of bzip2, zstd or lz4 may be longer than what all are asked for; None where there is no more."""
    from ctcp_forensics.capture.remote import RemoteError
    from ctcp_forensics.capture.remote.container import open_container

    try:
        with closing(open_container(url, access)) as opened:
            return look(Replay(opened.stream))
    except RemoteError:
        return None
