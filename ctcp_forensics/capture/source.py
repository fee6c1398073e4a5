"""Source: what the user named → an open Capture, its chunks, size and hashes.

Knows paths, standard input and what can be wrong with them.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Generator, Iterator
from io import FileIO, UnsupportedOperation
from itertools import chain, cycle
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self, TypeVar, cast

from ctcp_forensics.capture.access import Access
from ctcp_forensics.capture.ahead import ITEMS_ALIVE, ahead
from ctcp_forensics.capture.codecs import HEAD_LEN, MAGIC_LEN, Buffer, Codec, CodecError, Unpacker, codec_of
from ctcp_forensics.capture.digest import BY_THE_WAY, Digest, Hashing
from ctcp_forensics.capture.names import STDIN, containers_of, scheme_of
from ctcp_forensics.capture.stamp import has_grown, stamp_of
from ctcp_forensics.errors import CaptureError

if TYPE_CHECKING:
    from ctcp_forensics.capture.remote import Remote

CHUNK_LEN: Final = 1 << 20
"""A chunk costs much more to read than to hand over, and still fits the cache."""
SMALLEST_LEN: Final = 1 << 16
"""Files that are made as they are read say that they have 0 bytes."""


Item = TypeVar("Item")


class Readable(Protocol):
    """A file, as far as it is used."""

    def readinto(self, buffer: memoryview, /) -> int | None: ...


class Capture:
    """One source of bytes, open.  `chunks` can be read once; what describes the whole is final after it."""

    def __init__(
        self,
        source: str,
        file: Readable,
        *,
        size: int | None,
        stamp: str | None = None,
        check: Callable[[], tuple[str, ...]] = tuple,
        close: Callable[[], None] = lambda: None,
        hashing: Hashing = BY_THE_WAY,
    ) -> None:
        self.source = source
        self.size = size
        """Bytes on disk; None for a pipe.  Of a member of a container, what that tells."""
        self.stamp = stamp
        """Another one when the file is another, see `stamp`; None for what has none."""
        self.position = 0
        """Bytes of the file read so far, which may be a few chunks ahead of those handed over."""
        self.compression: str | None = None
        self.hashing = hashing.for_length(size)
        self.digest: str | None = None
        """Of the file as it lies there; None until `chunks` is exhausted, and where it is too long to be hashed."""
        self.content_digest: str | None = None
        """Of the savefile inside; the same where it is not compressed."""
        self.notes: tuple[str, ...] = ()
        """What is unusual about the file and no damage to the savefile."""
        self._file = file
        self._check = check
        self._close = close
        self._kept = 0
        self._threads: int | None = None
        self._given: Iterator[memoryview] | None = None
        self._is_at_end = False
        self._packed_digest: str | None = None
        self._chunks = self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Also stops reading ahead."""
        self._chunks.close()
        self._close()

    @property
    def is_read_anywhere(self) -> bool:
        """Whether any part can be read by itself, as `block_at` does: a file on disk that is not compressed."""
        if not isinstance(self._file, FileIO) or self.size is None or not hasattr(os, "preadv"):
            return False
        return codec_of(os.pread(self._file.fileno(), MAGIC_LEN, 0)) is None

    def block_at(self, number: int, memory: memoryview) -> memoryview:
        """The file's block of that number, which may be short at the end; any thread may ask for any, at any time."""
        descriptor, begin, filled = cast(FileIO, self._file).fileno(), number * len(memory), 0
        try:
            while filled < len(memory):
                count = os.preadv(descriptor, [memory[filled:]], begin + filled)
                if not count:
                    break
                filled += count
        except OSError as error:
            raise self._unreadable(begin + filled, error) from error
        return memory[:filled]

    def chunks(
        self, *, kept: int = 0, threads: int | None = None, blocks: Iterator[memoryview] | None = None
    ) -> Iterator[Buffer]:
        """The savefile in chunks, each good until the next one is asked for, or `kept` more behind that.

        With one of the `threads` nothing is read before it is asked for.  `blocks` are the file's, in order, where
        somebody else reads it with `block_at`.
        Raises CaptureError, after the chunks that could be had, where the file cannot be
        read or unpacked to its end.
        """
        self._kept, self._threads, self._given = kept, threads, blocks
        return self._chunks

    def _read(self) -> Generator[Buffer, None, None]:
        """The content, hashed where it is taken: whoever makes it is often the slower one."""
        blocks = self._blocks() if self._given is None else self._counted(self._given)
        first = next(blocks, memoryview(b""))
        codec = codec_of(bytes(first[:MAGIC_LEN]))
        told_len = None if codec is None else codec.told_len(bytes(first[:HEAD_LEN]))
        digest, broken = Digest(self.hashing.for_length(told_len)), None
        try:
            for chunk in self._content(codec, chain((first,), blocks)):
                digest.update(chunk)
                yield chunk
        except CaptureError as error:
            broken = error
        if self._is_at_end:
            self.content_digest = digest.hexdigest()
            self.digest = self._packed_digest if self.compression else self.content_digest
        if broken is not None:
            raise broken

    def _ahead(self, items: Iterator[Item]) -> Iterator[Item]:
        """A thread pays where there is more than one chunk; what fills a pipe is a process of its own already."""
        if self._threads == 1 or self.size is None or self.size <= CHUNK_LEN:
            return items
        return ahead(items)

    @property
    def _alive(self) -> int:
        """Chunks that somebody may still look at, with the one that is being made."""
        return (1 if self._threads == 1 else ITEMS_ALIVE) + self._kept

    def _content(self, codec: Codec | None, blocks: Iterator[memoryview]) -> Iterator[Buffer]:
        if codec is None:
            yield from self._as_it_lies(blocks)
            self._is_at_end = True
        else:
            self.compression = codec.name
            packed = self._ahead(self._hashed(blocks))
            yield from self._ahead(in_chunks(self._unpacked(codec, packed), self._alive))

    def _as_it_lies(self, blocks: Iterator[memoryview]) -> Iterator[memoryview]:
        """The system reads ahead of a file on disk, and bytes are nearest to the core that copied them."""
        return blocks if isinstance(self._file, FileIO) else self._ahead(blocks)

    def _hashed(self, blocks: Iterator[memoryview]) -> Iterator[memoryview]:
        """The same blocks; of what is compressed the file has a hash of its own."""
        digest = Digest(self.hashing)
        for block in blocks:
            digest.update(block)
            yield block
        self._packed_digest = digest.hexdigest()

    def _blocks(self) -> Iterator[memoryview]:
        """The file in full blocks, in memory that is used again and again."""
        for memory in self._memories():
            block = memory[: self._fill(memory)]
            if block:
                yield block
            if len(block) < len(memory):
                self.notes += self._check()
                return

    def _counted(self, blocks: Iterator[memoryview]) -> Iterator[memoryview]:
        for block in blocks:
            self.position += len(block)
            yield block
        self.notes += self._check()

    def _memories(self) -> Iterator[memoryview]:
        """A small file is read in one piece and needs no more memory than that; it may have grown meanwhile."""
        if self.size is not None and self.size < CHUNK_LEN:
            yield memoryview(bytearray(max(self.size + 1, SMALLEST_LEN)))
        yield from memories(self._alive)

    def _fill(self, memory: memoryview) -> int:
        """As many bytes as there is room for, or are left."""
        filled = 0
        try:
            while filled < len(memory):
                count = self._file.readinto(memory[filled:])
                if not count:
                    break
                filled += count
        except OSError as error:
            raise self._unreadable(self.position + filled, error) from error
        self.position += filled
        return filled

    def _unreadable(self, offset: int, error: OSError) -> CaptureError:
        return CaptureError(self.source, offset=offset, reason=f"cannot be read on: {in_words(error)}")

    def _unpacked(self, codec: Codec, blocks: Iterator[memoryview]) -> Iterator[bytes]:
        unpacker = Unpacker(codec)
        damage = None
        try:
            for block in blocks:
                yield from unpacker.feed_guarded(block)
            unpacker.finish()
        except CodecError as error:
            damage = CaptureError(self.source, offset=unpacker.offset, reason=str(error))
        for _ in blocks:
            """Nothing can be unpacked from the rest, but the file's hash covers it."""
        self._is_at_end = True
        if damage is not None:
            raise damage
        if unpacker.has_tail:
            self.notes += (f"what follows the {codec.name} data is not {codec.name}, and is left alone",)


def memories(count: int) -> Iterator[memoryview]:
    """Room for a chunk, so many times, and then the same again; each is made when it is first needed."""
    made = []
    for _ in range(count):
        made.append(memoryview(bytearray(CHUNK_LEN)))
        yield made[-1]
    yield from cycle(made)


def in_chunks(pieces: Iterator[bytes], alive: int) -> Iterator[memoryview]:
    """Pieces of any length as full chunks: a savefile is cut at the same bytes however it was packed.

    Frames are put in order chunk by chunk, so that cuts elsewhere could make another report.
    """
    rooms = memories(alive)
    memory, held, damage = next(rooms), 0, None
    try:
        for piece in pieces:
            taken = 0
            while taken < len(piece):
                part = memoryview(piece)[taken : taken + CHUNK_LEN - held]
                memory[held : held + len(part)] = part
                taken, held = taken + len(part), held + len(part)
                if held == CHUNK_LEN:
                    yield memory
                    memory, held = next(rooms), 0
    except CaptureError as error:
        damage = error
    if held:
        yield memory[:held]
    if damage is not None:
        raise damage


Opener = Callable[[str, int], int]
"""As `open` takes one."""


def open_capture(
    source: str,
    *,
    hashing: Hashing = BY_THE_WAY,
    access: Access = Access.PUBLIC_ONLY,
    opener: Opener | None = None,
) -> Capture:
    """A path, a URL, `container!/member`, or `-` for standard input; `hashing` says what is hashed on the way.

    A URL of the web leads to public addresses only, unless the `access` is wider.  A pipe is waited for, unless the
    `opener` of files does not.  Raises CaptureError where there is nothing to read.
    """
    try:
        return _open_stdin(hashing) if source == STDIN else _open_path(source, hashing, opener)
    except (OSError, ValueError) as error:
        return _open_elsewhere(source, hashing, error, access=access)


def _open_elsewhere(source: str, hashing: Hashing, error: OSError | ValueError, *, access: Access) -> Capture:
    """What is no file by that name, or cannot be one: a member's may be longer than any file's.  Rarely needed."""
    if any(containers_of(source)):
        from ctcp_forensics.capture.holder import Holders
        from ctcp_forensics.capture.turn import open_member

        if (holder := Holders(access).of(source)) is not None:
            return open_member(source, holder, hashing=hashing)
    if scheme_of(source) is not None:
        return open_object(source, access, hashing=hashing)
    raise CaptureError(source, offset=None, reason=in_words(error)) from error


def open_object(url: str, access: Access, *, hashing: Hashing) -> Capture:
    """What a URL leads to, named without what may be a password, wherever the name goes from here."""
    from ctcp_forensics.capture.remote import RemoteError, open_url, without_secrets

    name = without_secrets(url)
    try:
        remote = open_url(url, access)
    except RemoteError as error:
        raise CaptureError(name, offset=None, reason=str(error.strerror)) from None
    return Capture(
        name,
        remote,
        size=remote.size,
        stamp=remote.stamp,
        check=lambda: _object_is_the_same(name, remote),
        close=remote.close,
        hashing=hashing,
    )


def _object_is_the_same(name: str, remote: Remote) -> tuple[str, ...]:
    try:
        if remote.is_current():
            return ()
        reason = "changed while it was read; read it again"
    except OSError as error:
        reason = f"whether it changed while it was read cannot be told: {error.strerror}"
    raise CaptureError(name, offset=None, reason=reason)


def container_file(source: str) -> str | None:
    """The file that `a.zip!/b.tar!/c.pcap` begins with; None where there is none."""
    return next((path for path in containers_of(source) if os.path.isfile(path)), None)  # noqa: PTH113  # says no, never why not


def _open_path(path: str, hashing: Hashing, opener: Opener | None) -> Capture:
    if not path:
        raise CaptureError(path, offset=None, reason="a file without a name was asked for")
    file = FileIO(path, opener=opener)  # the Capture closes it
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        return Capture(path, file, size=None, close=file.close, hashing=hashing)
    return Capture(
        path,
        file,
        size=status.st_size,
        stamp=stamp_of(status),
        check=lambda: _still_the_same(path, status, os.fstat(file.fileno())),
        close=file.close,
        hashing=hashing,
    )


def without_waiting(path: str, flags: int) -> int:
    """What was a file when it was found may be a pipe by now, which nobody fills, or a device that acts when opened."""
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(None, "is no regular file")
    return descriptor


def _still_the_same(path: str, before: os.stat_result, after: os.stat_result) -> tuple[str, ...]:
    """A note on a file that somebody appends to; one that was rewritten may be two versions in one."""
    if stamp_of(before) == stamp_of(after):
        return ()
    if has_grown(before, after):
        return ("was still being written while it was read; what was there is told",)
    raise CaptureError(path, offset=after.st_size, reason="changed while it was read; read it again")


def _open_stdin(hashing: Hashing) -> Capture:
    """Left open at the end: it is not ours."""
    if sys.stdin is None or sys.stdin.closed:
        raise CaptureError(STDIN, offset=None, reason="standard input is closed")
    if sys.stdin.isatty():
        raise CaptureError(STDIN, offset=None, reason="standard input is a terminal; pipe a capture into it")
    try:
        size = _size(sys.stdin.fileno())
    except UnsupportedOperation:
        size = None
    return Capture(STDIN, cast(Readable, sys.stdin.buffer), size=size, hashing=hashing)


def _size(descriptor: int) -> int | None:
    found = os.fstat(descriptor)
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def in_words(error: OSError | ValueError) -> str:
    """What the system says, in the reader's terms where it says it oddly."""
    match error:
        case FileNotFoundError():
            return "there is no such file"
        case IsADirectoryError():
            return "is a directory; name the files in it, or let `ctcp-diag scan` look at all of it"
        case PermissionError():
            return "no permission to read it"
        case OSError(strerror=str(words)):
            return words[:1].lower() + words[1:]
        case _:
            return str(error)
