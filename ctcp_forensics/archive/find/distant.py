"""Distant: a URL → the captures behind it, by the first bytes of each.

Knows what a run may keep: no password and no signature ends in a store.  Does not know how a listing is asked for.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from ctcp_forensics.archive.entry import Found, Refusal
from ctcp_forensics.archive.find.looking import told
from ctcp_forensics.capture.members import is_container
from ctcp_forensics.capture.members.streams import Replay, look

if TYPE_CHECKING:
    from ctcp_forensics.capture.remote import Access, Listed

ASKED_AT_ONCE: Final = 100
"""First bytes are asked for side by side: one after the other a million objects would take a day."""
SEEN_LEN: Final = 1 << 13
"""8 KiB: what is compressed shows its content within them, but for bzip2, whose blocks are long."""


def behind_url(url: str, access: Access) -> Iterator[Found]:
    """All captures that a URL leads to."""
    from ctcp_forensics.capture.remote import RemoteError, has_secrets, listed, without_secrets

    if has_secrets(url):
        detail = (
            "passwords and signatures are not kept in a store; give credentials to the library that reads it"
        )
        yield Refusal(uri=without_secrets(url), reason="secret-in-url", detail=detail, is_trouble=True)
        return
    objects = listed(url, access)
    try:
        while some := list(islice(objects, ASKED_AT_ONCE)):
            yield from _looked_at(some, access)
    except RemoteError as error:
        yield Refusal(uri=url, reason="unreachable", detail=str(error.strerror), is_trouble=True)


def _looked_at(objects: Sequence[Listed], access: Access) -> Iterator[Found]:
    from ctcp_forensics.capture.remote import RemoteError, heads

    for one, head in zip(objects, heads([one.url for one in objects], access, SEEN_LEN), strict=True):
        if isinstance(head, RemoteError):
            yield Refusal(uri=one.url, reason="unreadable", detail=str(head.strerror), is_trouble=True)
        else:
            yield _found(one, head)


def _found(one: Listed, head: bytes) -> Found:
    seen = look(Replay(io.BytesIO(head)))
    if is_container(seen):
        detail = "archives behind URLs are not looked into; download it first"
        return Refusal(uri=one.url, reason="distant-archive", detail=detail, is_trouble=True)
    return told(one.url, one.size, one.stamp, seen)
