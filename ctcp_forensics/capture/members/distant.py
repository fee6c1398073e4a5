"""Distant: a URL → the container behind it and its members, read where it lies.

Knows that what is far may break off or be replaced, which is no damage of the container.  Does not know how a part of
it is asked for.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from ctcp_forensics.capture.members.limits import OutOfReachError
from ctcp_forensics.capture.members.streams import Readable, Replay, look
from ctcp_forensics.capture.members.walk import (
    EVERYTHING,
    Refused,
    Selection,
    Walked,
    Whole,
    is_container,
    walk_through,
)

if TYPE_CHECKING:
    from ctcp_forensics.capture.access import Access
    from ctcp_forensics.capture.remote.container import Container
    from ctcp_forensics.capture.remote.parts import Parts


def walk_url(url: str, access: Access, selection: Selection = EVERYTHING) -> Generator[Walked, None, None]:
    """The members of a container behind a URL.  Raises OSError where it cannot be opened."""
    from ctcp_forensics.capture.remote.container import open_container

    with closing(open_container(url, access)) as opened:
        try:
            yield from walk_through(_whole(url, opened), selection)
        except OutOfReachError as error:
            yield Refused(uri=url, reason=error.reason, detail=str(error))


def is_archive(url: str, access: Access) -> bool:
    """By its first bytes.  Who cannot say no will be asked again when it is opened, and its error told then."""
    from ctcp_forensics.capture.remote.container import open_container
    from ctcp_forensics.capture.remote.words import AbsentError, DeniedError

    try:
        with closing(open_container(url, access)) as opened:
            return is_container(look(Replay(opened.stream)))
    except (AbsentError, DeniedError):
        return False
    except OSError:
        return True


def _whole(url: str, opened: Container) -> Whole:
    stream = _Reach(opened.stream)
    return Whole(
        uri=url,
        stamp=opened.stamp,
        stream=stream,
        seekable=None if opened.parts is None else _Jumps(opened.parts),
        is_current=opened.is_current,
    )


@dataclass(slots=True)
class _Reach:
    """What is read, until it fails for the first time: a thousand members are not each waited for in vain."""

    file: Readable
    _failed: OutOfReachError | None = field(default=None, init=False)

    def read(self, size: int = -1, /) -> bytes:
        if self._failed is not None:
            raise self._failed
        try:
            return self.file.read(size) or b""
        except OSError as error:
            self._failed = _out_of_reach(error)
            raise self._failed from None


class _Jumps(_Reach):
    """The same with random access."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return cast("Parts", self.file).seek(offset, whence)

    def tell(self) -> int:
        return cast("Parts", self.file).tell()


def _out_of_reach(error: OSError) -> OutOfReachError:
    from ctcp_forensics.capture.remote.words import ChangedError

    reason = "changed" if isinstance(error, ChangedError) else "unreachable"
    return OutOfReachError(reason, str(error.strerror))
