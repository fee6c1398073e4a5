"""Streams: bytes on their way out of a container, begun again after a look, unpacked, put into words where they fail.

Knows compression by way of `codecs`.  Does not know containers.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from ctcp_forensics.capture.codecs import Codec, CodecError, Unpacker, codec_of
from ctcp_forensics.capture.members.limits import ContainerError, damaged

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK_LEN: Final = 1 << 16
"""Read at once: a codec copies what is left of a block at the end of a stream."""
FIRST_BLOCK_LEN: Final = 1 << 12
"""Enough, most of the time, for the first bytes of what is packed."""
HEAD_LEN: Final = 512
"""First bytes by which content is told; the mark of a tar archive is at 257."""
TELLING_LEN: Final = 4
"""Bytes without which nothing can be told: every mark of a savefile has as many."""
LOOK_LEN: Final = 1 << 23
"""8 MiB: a bzip2 block is up to 900 kB and an lz4 block 4 MiB long, and nothing comes out before its end."""


class Readable(Protocol):
    """A file, as far as it is used."""

    def read(self, size: int, /) -> bytes | None: ...


class Pieces(io.RawIOBase):
    """An iterator of bytes as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")
        self._failed: ContainerError | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        if not self._rest:
            self._rest = memoryview(self._next())
        room = memoryview(buffer)
        count = min(len(room), len(self._rest))
        room[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _next(self) -> bytes:
        """A generator that has failed would look as if it had ended."""
        if self._failed is not None:
            raise self._failed
        try:
            return next(self._pieces, b"")
        except ContainerError as error:
            self._failed = error
            raise


class Replay:
    """A file that can be begun again as long as no more than LOOK_LEN bytes of it were looked at."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._kept: list[bytes] = []

    def looking(self) -> Iterator[bytes]:
        """Its blocks from the beginning on, kept for later."""
        yield from list(self._kept)
        kept = sum(map(len, self._kept))
        while kept < LOOK_LEN and (block := self._file.read(BLOCK_LEN if kept else FIRST_BLOCK_LEN)):
            self._kept.append(block)
            kept += len(block)
            yield block

    def blocks(self) -> Iterator[bytes]:
        """All of it, once."""
        while self._kept:
            yield self._kept.pop(0)
        yield from blocks_of(self._file)


def blocks_of(file: Readable) -> Iterator[bytes]:
    """The first is short: often no more than that is wanted."""
    if block := file.read(FIRST_BLOCK_LEN):
        yield block
    while block := file.read(BLOCK_LEN):
        yield block


def unpacked(blocks: Iterator[bytes], codec: Codec) -> Iterator[bytes]:
    unpacker = Unpacker(codec)
    try:
        for block in blocks:
            yield from unpacker.feed(block)
        unpacker.finish()
    except CodecError as error:
        raise damaged(f"{error}, near byte {unpacker.offset}") from error


class Look(NamedTuple):
    """What the first bytes show."""

    head: bytes
    """Of the content, uncompressed."""
    codec: Codec | None
    complaint: str = ""
    """Why too little could be unpacked to tell anything by it."""


def look(replay: Replay) -> Look:
    """The first bytes; of what is compressed, those of what is inside."""
    head, _ = first_bytes(replay.looking())
    codec = codec_of(head)
    if codec is None:
        return Look(head, None)
    head, complaint = first_bytes(_as_far_as_it_goes(replay.looking(), codec))
    return Look(head, codec, complaint if len(head) < TELLING_LEN else "")


def _as_far_as_it_goes(blocks: Iterator[bytes], codec: Codec) -> Iterator[bytes]:
    """What the blocks unpack to; they may be a beginning only."""
    unpacker, count = Unpacker(codec), 0
    for block in blocks:
        count += len(block)
        yield from unpacker.feed(block)
    if count >= LOOK_LEN:
        raise CodecError(f"nothing comes out of the first {count} bytes of {codec.name} data")
    unpacker.finish()


def first_bytes(pieces: Iterator[bytes]) -> tuple[bytes, str]:
    """HEAD_LEN bytes or what there is, and why there is no more."""
    head = b""
    try:
        for piece in pieces:
            head += piece[:HEAD_LEN]
            if len(head) >= HEAD_LEN:
                break
    except CodecError as error:
        return head[:HEAD_LEN], str(error)
    return head[:HEAD_LEN], ""
