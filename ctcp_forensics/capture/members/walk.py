"""Walk: one container → its members, nested ones as well, in one pass and without writing any of them to disk.

Knows what is a container by its first bytes, and which members are asked for.  Does not know savefiles: what a
member is says whoever asked.
"""

from __future__ import annotations

import io
import os
import stat
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import msgspec

from ctcp_forensics.capture.members.limits import MAX_DEPTH, Budget, ContainerError, Meter, OutOfReachError
from ctcp_forensics.capture.members.part import Part
from ctcp_forensics.capture.members.streams import Look, Pieces, Readable, Replay, look, unpacked
from ctcp_forensics.capture.names import containers_of, member_uri
from ctcp_forensics.capture.source import without_waiting
from ctcp_forensics.capture.stamp import stamp_of

if TYPE_CHECKING:
    from ctcp_forensics.capture.members.zips import Seekable

ZIP_MARKS: Final = (b"PK\x03\x04", b"PK\x05\x06")
"""APPNOTE.TXT §4.3.7, and §4.3.16 where there are no members."""
TAR_MARK_AT, TAR_MARK = 257, b"ustar"
"""POSIX.1-1988; GNU tar writes it, too."""
UNREAD: Final = (
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"MSCF\0\0\0\0", "cab"),
)
"""Containers that nothing here reads."""
UNPACKED_BY: Final = {"7z": "7z x", "rar": "unrar x", "cab": "cabextract"}


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One file inside a container, open until the next one is asked for."""

    uri: str
    size: int
    """Bytes as stored, as the container tells."""
    length: int
    """Bytes of the file, as the container tells."""
    stamp: str
    """Changes when the container or the member does."""
    seen: Look
    content: Pieces
    """From its first byte on."""
    is_current: Callable[[], bool]
    """Whether the outermost container is still the one that was opened."""


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A member, or a container, that is not followed, or not to its end."""

    uri: str
    reason: str
    detail: str


Walked = Member | Refused


class Selection:
    """Which members are asked for: all that are no containers themselves."""

    def concerns(self, uri: str) -> bool:
        """Whether it is asked for, or could hold what is."""
        return True

    def names(self, uri: str) -> bool:
        """Whether it is asked for by its name, whatever it is."""
        return False


EVERYTHING: Final = Selection()


class Only(Selection):
    """Members by their names."""

    def __init__(self, uris: Iterable[str]) -> None:
        self._uris = frozenset(uris)
        self._on_the_way = {one for uri in self._uris for one in containers_of(uri)}

    def concerns(self, uri: str) -> bool:
        return uri in self._uris or uri in self._on_the_way

    def names(self, uri: str) -> bool:
        return uri in self._uris


class Below(Selection):
    """A member with all that is inside it, or a folder of members."""

    def __init__(self, uri: str) -> None:
        self._uri = uri.rstrip("/")
        self._on_the_way = frozenset(containers_of(uri))

    def concerns(self, uri: str) -> bool:
        is_below = uri == self._uri or uri.startswith((self._uri + "!", self._uri + "/"))
        return is_below or uri in self._on_the_way


def is_container(seen: Look) -> bool:
    """Zip or tar, compressed or not; or one of which at least the name is known."""
    return _is_zip(seen) or _is_tar(seen) or unread_name(seen.head) is not None


def unread_name(head: bytes) -> str | None:
    return next((name for mark, name in UNREAD if head.startswith(mark)), None)


def _is_zip(seen: Look) -> bool:
    return seen.head.startswith(ZIP_MARKS)


def _is_tar(seen: Look) -> bool:
    return seen.head[TAR_MARK_AT:].startswith(TAR_MARK)


# --- the walk --------------------------------------------------------------------------------------------------


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """The outermost container, open at its beginning."""

    uri: str
    stamp: str
    stream: Readable
    seekable: Seekable | None
    """The same with random access; None: it only comes from its beginning to its end."""
    is_current: Callable[[], bool]


def walk(path: str, selection: Selection = EVERYTHING) -> Generator[Walked, None, None]:
    """The members of a container that is a file.  Raises OSError where it cannot be opened."""
    with open_regular(path) as file:
        stamp = stamp_of(os.fstat(file.fileno()))
        whole = Whole(
            uri=path,
            stamp=stamp,
            stream=cast(Readable, file),
            seekable=file,
            is_current=lambda: stamp_of(os.fstat(file.fileno())) == stamp,
        )
        yield from walk_through(whole, selection)


def walk_through(whole: Whole, selection: Selection) -> Iterator[Walked]:
    """The members of what is open."""
    replay = Replay(whole.stream)
    seen = look(replay)
    course = _Course(selection, whole.is_current)
    if _is_zip(seen) and seen.codec is None and whole.seekable is not None:
        members = course.zip_members(whole.uri, whole.stamp, whole.seekable, depth=1)
        yield from course.followed(whole.uri, members)
    else:
        yield from course.container(whole.uri, whole.stamp, seen, replay.blocks(), depth=1)
    if not whole.is_current():
        yield Refused(
            uri=whole.uri, reason="changed", detail="it was written to while it was read; scan it again"
        )


def open_regular(path: str) -> BinaryIO:
    """A file and nothing that merely has a name like one, also when it takes that one's place now."""
    if not stat.S_ISREG(Path(path).stat().st_mode):
        raise OSError(None, "is no regular file")
    return os.fdopen(without_waiting(path, os.O_RDONLY), "rb")


class _Course:
    """One walk, with what is left of its budget."""

    def __init__(self, selection: Selection, is_current: Callable[[], bool]) -> None:
        self._selection = selection
        self._is_current = is_current
        self._budget = Budget()

    def followed(self, uri: str, members: Iterator[Walked]) -> Iterator[Walked]:
        """What could be had, and why there is no more."""
        try:
            yield from members
        except OutOfReachError:
            raise
        except ContainerError as error:
            yield _refused(uri, error)

    def container(
        self, uri: str, stamp: str, seen: Look, blocks: Iterator[bytes], *, depth: int
    ) -> Iterator[Walked]:
        """One that can only be read from its beginning to its end."""
        if seen.codec is not None:
            meter = Meter(self._budget)
            blocks = meter.giving(unpacked(meter.taking(blocks), seen.codec))
        return self.followed(uri, self._members(uri, stamp, seen, blocks, depth))

    def _members(
        self, uri: str, stamp: str, seen: Look, blocks: Iterator[bytes], depth: int
    ) -> Iterator[Walked]:
        if depth > MAX_DEPTH:
            raise ContainerError("archive-too-deep", f"more than {MAX_DEPTH} archives in one another")
        if _is_zip(seen):
            yield from self._held_zip(uri, stamp, blocks, depth)
        elif _is_tar(seen):
            from ctcp_forensics.capture.members.tars import parts_of_tar

            yield from self._each(uri, stamp, parts_of_tar(Pieces(blocks)), depth)
        elif name := unread_name(seen.head):
            raise ContainerError(
                "archive-unsupported",
                f"is a {name} archive, which is not looked into; unpack it ({UNPACKED_BY[name]}) and name the folder",
            )
        else:
            raise ContainerError("no-archive", "is no zip or tar archive")

    def _held_zip(self, uri: str, stamp: str, blocks: Iterator[bytes], depth: int) -> Iterator[Walked]:
        """A zip archive inside something else: its directory is at its end, so all of it is held."""
        content = bytearray()
        try:
            for block in blocks:
                self._budget.hold(len(block))
                content += block
            yield from self.zip_members(uri, stamp, io.BytesIO(content), depth=depth)
        finally:
            self._budget.let_go(len(content))

    def zip_members(self, uri: str, stamp: str, file: Seekable, *, depth: int) -> Iterator[Walked]:
        from ctcp_forensics.capture.members.zips import parts_of_zip

        return self._each(uri, stamp, parts_of_zip(file, self._budget), depth)

    def _each(self, container: str, stamp: str, parts: Iterator[Part], depth: int) -> Iterator[Walked]:
        seen_names: Counter[int] = Counter()
        for part in parts:
            self._budget.count_member()
            seen_names[hash(part.name)] += 1
            uri = member_uri(container, part.name, seen_names[hash(part.name)])
            if self._selection.concerns(uri):
                yield from self._part(uri, f"{stamp}/{part.stamp}", part, depth)

    def _part(self, uri: str, stamp: str, part: Part, depth: int) -> Iterator[Walked]:
        if part.refusal is not None:
            yield _refused(uri, part.refusal)
            return
        replay = Replay(Pieces(part.pieces()))
        seen = _looked_at(uri, replay)
        if isinstance(seen, Refused):
            yield seen
        elif is_container(seen) and not self._selection.names(uri):
            yield from self.container(uri, stamp, seen, replay.blocks(), depth=depth + 1)
        else:
            yield Member(
                uri=uri,
                size=part.size,
                length=part.length,
                stamp=stamp,
                seen=seen,
                content=Pieces(replay.blocks()),
                is_current=self._is_current,
            )


def _looked_at(uri: str, replay: Replay) -> Look | Refused:
    try:
        return look(replay)
    except OutOfReachError:
        raise
    except ContainerError as error:
        return _refused(uri, error)


def _refused(uri: str, error: ContainerError) -> Refused:
    return Refused(uri=uri, reason=error.reason, detail=str(error))
