"""In turn: many captures opened one after the other, those of one container in one pass over it.

Knows which captures lie in the same file.  Does not know why they are read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path

from ctcp_forensics.capture.members import Member, Only, Refused, walk
from ctcp_forensics.capture.members.limits import ContainerError
from ctcp_forensics.capture.members.streams import Pieces, blocks_of
from ctcp_forensics.capture.source import HASH_LIMIT, Capture, container_file, in_words, open_capture
from ctcp_forensics.capture.stamp import stamp_of
from ctcp_forensics.errors import CaptureError

Opened = tuple[str, Capture | CaptureError]


def opened_in_turn(
    uris: Sequence[str], *, hash_limit: int | None = HASH_LIMIT, allows_private: bool = False
) -> Generator[Opened, None, None]:
    """Each of the captures, open until the next one is asked for, or why it cannot be opened.

    Neighbours that lie in one container come in the order in which they lie there: a compressed tar is unpacked
    once, not once for each member.
    """
    for container, group in groupby(uris, key=_container):
        if container is None:
            for uri in group:
                yield from _by_itself(uri, hash_limit, allows_private=allows_private)
        else:
            yield from _members_in_turn(container, tuple(group), hash_limit)


def open_member(uri: str, *, hash_limit: int | None = HASH_LIMIT) -> Capture:
    """One member of a container.  Raises CaptureError where there is no such member, or it cannot be read."""
    container = container_file(uri) or uri
    walked = walk(container, Only([uri]))
    reason = "there is no such member in it"
    try:
        for found in walked:
            if isinstance(found, Member):
                return _capture(found, container, hash_limit, walked.close)
            reason = found.detail
    except OSError as error:
        raise CaptureError(uri, offset=None, reason=in_words(error)) from error
    raise CaptureError(uri, offset=None, reason=reason)


def _container(uri: str) -> str | None:
    """The file that holds it; a file whose name merely looks like a member's is none."""
    return None if os.path.isfile(uri) else container_file(uri)  # noqa: PTH113  # says no, never why not


def _by_itself(uri: str, hash_limit: int | None, *, allows_private: bool) -> Iterator[Opened]:
    try:
        capture = open_capture(uri, hash_limit=hash_limit, allows_private=allows_private)
    except CaptureError as error:
        yield uri, error
    else:
        with capture:
            yield uri, capture


def _members_in_turn(container: str, uris: Sequence[str], hash_limit: int | None) -> Iterator[Opened]:
    left = dict.fromkeys(uris)
    refused: list[Refused] = []
    try:
        with closing(walk(container, Only(uris))) as walked:
            for found in walked:
                if found.uri not in left:
                    refused += [found] if isinstance(found, Refused) else []
                    continue
                del left[found.uri]
                if isinstance(found, Refused):
                    yield found.uri, CaptureError(found.uri, offset=None, reason=found.detail)
                    continue
                with _capture(found, container, hash_limit) as capture:
                    yield found.uri, capture
                if not left:
                    return
    except OSError as error:
        refused.append(Refused(uri=container, reason="vanished", detail=in_words(error)))
    for uri in left:
        yield uri, CaptureError(uri, offset=None, reason=_why_missing(uri, refused))


def _why_missing(uri: str, refused: Sequence[Refused]) -> str:
    """What stopped the walk before it came to a member, if anything did."""
    around = [one for one in refused if uri.startswith(one.uri + "!")]
    return f"{around[-1].uri}: {around[-1].detail}" if around else "there is no such member in it"


def _capture(
    member: Member, container: str, hash_limit: int | None, close: Callable[[], None] = lambda: None
) -> Capture:
    return Capture(
        member.uri,
        Pieces(_in_words(member)),
        size=member.length,
        stamp=member.stamp,
        check=lambda: _container_is_the_same(member, container),
        close=close,
        hash_limit=hash_limit,
    )


def _in_words(member: Member) -> Iterator[bytes]:
    """What is wrong inside the container, said of the member."""
    offset = 0
    try:
        for block in blocks_of(member.content):
            offset += len(block)
            yield block
    except ContainerError as error:
        raise CaptureError(member.uri, offset=offset, reason=str(error)) from error


def _container_is_the_same(member: Member, container: str) -> tuple[str, ...]:
    if member.stamp.startswith(stamp_of(Path(container).stat()) + "/"):
        return ()
    raise CaptureError(
        member.uri, offset=None, reason=f"{container} changed while it was read; read it again"
    )
