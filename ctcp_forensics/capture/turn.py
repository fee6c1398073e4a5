"""In turn: many captures opened one after the other, those of one container in one pass over it.

Knows which captures lie in the same container.  Does not know why they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from itertools import groupby
from typing import Final

from ctcp_forensics.capture.access import Access
from ctcp_forensics.capture.digest import BY_THE_WAY, Hashing
from ctcp_forensics.capture.files import open_file, without_waiting
from ctcp_forensics.capture.holder import Holder, Holders
from ctcp_forensics.capture.members import Member, Only, Refused
from ctcp_forensics.capture.members.limits import ContainerError, OutOfReachError
from ctcp_forensics.capture.members.streams import Pieces, blocks_of
from ctcp_forensics.capture.names import scheme_of
from ctcp_forensics.capture.source import Capture, in_words
from ctcp_forensics.errors import CaptureError, ContainerDamageError

Opened = tuple[str, Capture | CaptureError]

ABSENT: Final = "there is no such member in it"
PASSING: Final = ("changed", "unreachable", "vanished")
"""Reasons of the way to a container and not of what is in it."""


def opened_in_turn(
    uris: Sequence[str], *, hashing: Hashing = BY_THE_WAY, access: Access = Access.PUBLIC_ONLY
) -> Generator[Opened, None, None]:
    """Each of the captures, open until the next one is asked for, or why it cannot be opened.  Pipes are refused.

    Neighbours that lie in one container come in the order in which they lie there: a compressed tar is unpacked
    once, not once for each member.
    """

    def by_itself(uri: str) -> Capture:
        return _in_no_container(uri, access, hashing)

    for holder, group in groupby(uris, key=Holders(access).of):
        if holder is None:
            for uri in group:
                yield from _opened(uri, by_itself)
        else:
            yield from _members_in_turn(holder, tuple(group), hashing)


def open_member(uri: str, holder: Holder, *, hashing: Hashing = BY_THE_WAY) -> Capture:
    """One member of a container.  Raises CaptureError where there is no such member, or it cannot be read."""
    walked = holder.walk(Only([uri]))
    refused: list[Refused] = []
    try:
        for found in walked:
            if isinstance(found, Member):
                return _capture(found, holder, hashing, walked.close)
            refused.append(found)
    except OSError as error:
        refused.append(Refused(uri=uri, reason="vanished", detail=in_words(error)))
    return _missing(uri, holder, refused, hashing)


def _opened(uri: str, opening: Callable[[str], Capture]) -> Iterator[Opened]:
    try:
        capture = opening(uri)
    except CaptureError as error:
        yield uri, error
    else:
        with capture:
            yield uri, capture


def _members_in_turn(holder: Holder, uris: Sequence[str], hashing: Hashing) -> Iterator[Opened]:
    left = dict.fromkeys(uris)
    refused: list[Refused] = []
    try:
        with closing(holder.walk(Only(uris))) as walked:
            for found in walked:
                if isinstance(found, Refused):
                    refused.append(found)
                elif found.uri in left:
                    del left[found.uri]
                    with _capture(found, holder, hashing) as capture:
                        yield found.uri, capture
                if not left:
                    return
    except OSError as error:
        refused.append(Refused(uri=holder.uri, reason="vanished", detail=in_words(error)))
    for uri in left:
        yield from _opened(uri, lambda uri: _missing(uri, holder, refused, hashing))


def _missing(uri: str, holder: Holder, refused: Sequence[Refused], hashing: Hashing) -> Capture:
    """What did not come out of its container: what was refused of it, or stopped the walk before it.

    Who may write one object of a store must not hide others with it: what is only named like a member is opened.
    """
    around = [one for one in refused if one.uri == uri or uri.startswith(one.uri + "!")]
    name = holder.shown(uri)
    if around:
        last = around[-1]
        where = "" if last.uri in (uri, holder.uri) else f"{holder.shown(last.uri)}: "
        kind = CaptureError if last.reason in PASSING else ContainerDamageError
        raise kind(name, offset=None, reason=where + last.detail)
    if holder.access is None or not holder.is_in_a_store:
        raise CaptureError(name, offset=None, reason=ABSENT)
    return _object(uri, holder.access, name, hashing)


def _in_no_container(uri: str, access: Access, hashing: Hashing) -> Capture:
    try:
        return open_file(uri, hashing, without_waiting)
    except (OSError, ValueError) as error:
        if scheme_of(uri) is None:
            raise CaptureError(uri, offset=None, reason=in_words(error)) from error
    from ctcp_forensics.capture.objects import open_object

    return open_object(uri, access, hashing=hashing)


def _object(uri: str, access: Access, name: str, hashing: Hashing) -> Capture:
    from ctcp_forensics.capture.objects import open_object

    try:
        return open_object(uri, access, hashing=hashing)
    except CaptureError as error:
        raise CaptureError(name, offset=None, reason=ABSENT) from error


def _capture(
    member: Member, holder: Holder, hashing: Hashing, close: Callable[[], None] = lambda: None
) -> Capture:
    name = holder.shown(member.uri)
    return Capture(
        name,
        Pieces(_in_words(member, name)),
        size=member.length,
        stamp=member.stamp,
        check=lambda: _holder_is_the_same(member, holder),
        close=close,
        hashing=hashing,
    )


def _in_words(member: Member, name: str) -> Iterator[bytes]:
    """What is wrong inside the container, said of the member."""
    offset = 0
    try:
        for block in blocks_of(member.content):
            offset += len(block)
            yield block
    except OutOfReachError as error:
        raise CaptureError(name, offset=offset, reason=str(error)) from error
    except ContainerError as error:
        raise ContainerDamageError(name, offset=offset, reason=str(error)) from error


def _holder_is_the_same(member: Member, holder: Holder) -> tuple[str, ...]:
    container = holder.shown(holder.uri)
    try:
        if member.is_current():
            return ()
        reason = f"{container} changed while it was read; read it again"
    except OSError as error:
        reason = f"whether {container} changed while it was read cannot be told: {in_words(error)}"
    raise CaptureError(holder.shown(member.uri), offset=None, reason=reason)
