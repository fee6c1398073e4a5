"""Source: an open Capture: its chunks, uncompressed, its size and its hashes.

Knows a stream of bytes and how it ends.  Does not know what was named, nor where that lies: see opening.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from functools import cached_property
from io import FileIO
from itertools import chain, cycle
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self, TypeVar, cast

from ctcp_forensics.capture.ahead import ahead
from ctcp_forensics.capture.codecs import HEAD_LEN, MAGIC_LEN, Buffer, Codec, CodecError, Unpacker, codec_of
from ctcp_forensics.capture.digest import BY_THE_WAY, Digest, Hashing
from ctcp_forensics.errors import CaptureError, ContainerDamageError

if TYPE_CHECKING:
    from ctcp_forensics.capture.meanwhile import Meanwhile

CHUNK_LEN: Final = 1 << 20
"""A chunk costs much more to read than to hand over, and still fits the cache."""
BLOCKS_READY: Final = 2
"""Of a compressed file, read by who would have to wait otherwise, and not yet unpacked."""
SMALLEST_LEN: Final = 1 << 16
"""Files that are made as they are read say that they have 0 bytes."""


Pieces = list[bytes]
"""Those of one chunk: whoever takes it puts them together, and has it near then."""

Item = TypeVar("Item")
Thing = TypeVar("Thing")


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
        self.is_at_end = False
        """Of what breaks off before there is no hash, however short it is."""
        self.content_digest: str | None = None
        """Of the savefile inside; the same where it is not compressed."""
        self.notes: tuple[str, ...] = ()
        """What is unusual about the file and no damage to the savefile."""
        self.is_broken_inside = False
        """What ended `chunks` lies in the container that it is a member of, and will be there the next time."""
        self._file = file
        self._check = check
        self._close = close
        self._threads: int | None = None
        self._given: Iterator[Buffer] | None = None
        self._rooms: Rooms | None = None
        self._packed: Meanwhile[memoryview] | None = None
        self._told_len: int | None = None
        """Of the content, where that is known before it is unpacked."""
        self._is_in_vain = False
        """Hashing the content, as far as is known."""
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
        return self._head_on_disk is not None and not self.is_packed

    @property
    def is_packed(self) -> bool:
        """Whether it is known before it is read that it is compressed."""
        return self._head_on_disk is not None and codec_of(self._head_on_disk) is not None

    @cached_property
    def _head_on_disk(self) -> bytes | None:
        """None of what has to be read from its beginning to its end; where it fails, whoever does that says why."""
        if not isinstance(self._file, FileIO) or self.size is None or not hasattr(os, "preadv"):
            return None
        try:
            return os.pread(self._file.fileno(), MAGIC_LEN, 0)
        except OSError:
            return None

    def block_at(self, number: int, memory: memoryview) -> tuple[memoryview, CaptureError | None]:
        """The file's block of that number; it may be short at the end, or where it broke off, with the reason.

        Any thread may ask for any, at any time.
        """
        descriptor, begin = cast(FileIO, self._file).fileno(), number * len(memory)
        filled, broken = 0, None
        try:
            while filled < len(memory) and (
                count := os.preadv(descriptor, [memory[filled:]], begin + filled)
            ):
                filled += count
        except OSError as error:
            broken = self._unreadable(begin + filled, error)
        return memory[:filled], broken

    def chunks(
        self, *, threads: int | None = None, content: Iterator[Buffer] | None = None
    ) -> Iterator[Buffer]:
        """The savefile in chunks, each good until the next one is asked for.

        With one of the `threads` nothing is read before it is asked for.  `content` are the chunks, where somebody else
        makes them: see `made` and `copied`.
        Raises CaptureError, after the chunks that could be had, where the file cannot be
        read or unpacked to its end.
        """
        self._threads, self._given = threads, content
        return self._chunks

    def made(self, rooms: Rooms) -> Generator[Buffer | Pieces, None, None]:
        """The same, not hashed, each good until it is given back; for who makes them and others take them."""
        self._rooms = rooms
        return self._content()

    def copied(self, blocks: Iterator[Buffer]) -> Iterator[Buffer]:
        """The blocks of a file that is not compressed, where somebody reads it with `block_at`."""
        yield from blocks
        self.notes += self._check()
        self.is_at_end = True

    def read_on(self) -> bool:
        """For whoever would have to wait for chunks: whether a part of the compressed file was read for who unpacks."""
        return self._packed is not None and self._packed.make_one()

    @property
    def is_hashed_on(self) -> bool:
        """Whether every chunk of the content has to come by `chunks`."""
        return not self._digest.is_given_up

    @cached_property
    def _digest(self) -> Digest:
        """Of the content; made with its first chunk."""
        return Digest(self.hashing.for_length(self._told_len))

    def _read(self) -> Generator[Buffer, None, None]:
        """The content, hashed where it is taken: whoever makes it is often the slower one."""
        broken = None
        try:
            for chunk in map(joined, self._content() if self._given is None else self._given):
                self._give_up_early()
                self._digest.update(chunk)
                yield chunk
        except CaptureError as error:
            broken = error
        if self.is_at_end:
            self._give_up_early()
            self.content_digest = self._digest.hexdigest()
            self.digest = self._packed_digest if self.compression else self.content_digest
        if broken is not None:
            raise broken

    def _give_up_early(self) -> None:
        """Whoever unpacks may know it sooner or later; that it is given up is told either way."""
        if self._is_in_vain:
            self._digest.give_up()

    @property
    def _has_helpers(self) -> bool:
        """A thread pays where there is more than one chunk; what fills a pipe is a process of its own already."""
        return self._threads != 1 and self.size is not None and self.size > CHUNK_LEN

    def _ahead(self, items: Iterator[Item], meanwhile: Callable[[], bool] = bool) -> Iterator[Item]:
        return ahead(items, meanwhile) if self._has_helpers else items

    @property
    def _alive(self) -> int:
        """Blocks that somebody may still look at, with the one that is being made and the one in use."""
        return 1 if self._threads == 1 else BLOCKS_READY + 2

    def _content(self) -> Generator[Buffer | Pieces, None, None]:
        blocks = self._blocks()
        first = next(blocks, memoryview(b""))
        codec = codec_of(bytes(first[:MAGIC_LEN]))
        blocks = chain((first,) if first else (), blocks)
        if codec is None:
            yield from self._as_it_lies(blocks)
            self.is_at_end = True
            return
        self.compression, self._told_len = codec.name, codec.told_len(bytes(first[:HEAD_LEN]))
        self._packed = self._in_parts(blocks)
        chunks = in_chunks(self._unpacked(codec, iter(self._packed)))
        yield from chunks if self._rooms is not None else self._ahead(chunks, self._packed.make_one)

    def _as_it_lies(self, blocks: Iterator[memoryview]) -> Iterator[memoryview]:
        """The system reads ahead of a file on disk, and bytes are nearest to the core that copied them."""
        return blocks if isinstance(self._file, FileIO) else self._ahead(blocks)

    def _in_parts(self, blocks: Iterator[memoryview]) -> Meanwhile[memoryview]:
        """Of a file on disk whoever would wait for the other reads the next block; other files have a thread for it.

        A pipe has neither: who reads one that is silent has to be the thread that can be interrupted.
        """
        from ctcp_forensics.capture.meanwhile import Meanwhile  # most captures are not compressed

        if isinstance(self._file, FileIO) and self.size is not None:
            return Meanwhile(self._hashed(blocks), BLOCKS_READY)
        return Meanwhile(self._ahead(self._hashed(blocks)), 0)

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
            filled, broken = self._fill(memory)
            if filled:
                yield memory[:filled]
            if broken is not None:
                raise broken
            if filled < len(memory):
                self.notes += self._check()
                return

    def _memories(self) -> Iterator[memoryview]:
        """A small file is read in one piece and needs no more memory than that; it may have grown meanwhile.

        Where there are rooms, blocks are chunks unless they turn out to be compressed.
        """
        if self._rooms is not None:
            yield next(iter(self._rooms))
        elif self.size is not None and self.size < CHUNK_LEN:
            yield memoryview(bytearray(max(self.size + 1, SMALLEST_LEN)))
        yield from memories(self._alive) if self._rooms is None or self.compression else self._rooms

    def _fill(self, memory: memoryview) -> tuple[int, CaptureError | None]:
        """As many bytes as there is room for, or are left, or could be had before it broke off."""
        filled, broken = 0, None
        try:
            while filled < len(memory) and (count := self._file.readinto(memory[filled:])):
                filled += count
        except OSError as error:
            broken = self._unreadable(self.position + filled, error)
        except CaptureError as error:
            self.is_broken_inside = isinstance(error, ContainerDamageError)
            broken = error
        self.position += filled
        return filled, broken

    def _unreadable(self, offset: int, error: OSError) -> CaptureError:
        return CaptureError(self.source, offset=offset, reason=f"cannot be read on: {in_words(error)}")

    def _unpacked(self, codec: Codec, blocks: Iterator[memoryview]) -> Iterator[bytes]:
        unpacker = Unpacker(codec, CHUNK_LEN)
        damage = None
        try:
            for block in blocks:
                yield from unpacker.feed_guarded(block)
                self._look_ahead(unpacker)
            unpacker.finish()
        except CodecError as error:
            damage = CaptureError(self.source, offset=unpacker.offset, reason=str(error))
        for _ in blocks:
            """Nothing can be unpacked from the rest, but the file's hash covers it."""
        self.is_at_end = True
        if damage is not None:
            raise damage
        if unpacker.has_tail:
            self.notes += (f"what follows the {codec.name} data is not {codec.name}, and is left alone",)

    def _look_ahead(self, unpacker: Unpacker) -> None:
        """What was unpacked says whether the rest would be hashed in vain; that it would stays said."""
        if not self._is_in_vain:
            self._is_in_vain = self.hashing.is_in_vain(unpacker.offset, unpacker.unpacked, self.size)


def memories(count: int) -> Iterator[memoryview]:
    """Room for a chunk, so many times, and then the same again; each is made when it is first needed."""
    made = []
    for _ in range(count):
        made.append(memoryview(bytearray(CHUNK_LEN)))
        yield made[-1]
    yield from cycle(made)


class Rooms:
    """Memory for chunks that several hands look at, used again when it is given back; as many as are needed at once."""

    def __init__(self) -> None:
        self._free: list[bytearray] = []

    def __iter__(self) -> Iterator[memoryview]:
        while True:
            yield memoryview(self._free.pop() if self._free else bytearray(CHUNK_LEN))

    def give_back(self, chunk: object) -> None:
        """Nobody looks at the chunk any more.  What was unpacked lies in no room, but in bytes of its own."""
        if isinstance(chunk, memoryview):
            self._free.append(cast(bytearray, chunk.obj))

    def vacated(self, chunk: Thing) -> Thing | bytes:
        """The same bytes, where nobody has to give them back."""
        if not isinstance(chunk, memoryview):
            return chunk
        copy = bytes(chunk)
        self.give_back(chunk)
        return copy


def in_chunks(pieces: Iterator[bytes]) -> Iterator[Pieces]:
    """Pieces of any length as those of full chunks: a savefile is cut at the same bytes however it was packed.

    Frames are put in order chunk by chunk, so that cuts elsewhere could make another report.
    """
    held, room, damage = list[bytes](), CHUNK_LEN, None
    try:
        for piece in pieces:
            rest = piece
            while len(rest) >= room:
                held.append(rest[:room])
                yield held
                held, rest, room = [], rest[room:], CHUNK_LEN
            if rest:
                held.append(rest)
                room -= len(rest)
    except CaptureError as error:
        damage = error
    if held:
        yield held
    if damage is not None:
        raise damage


def joined(chunk: Buffer | Pieces) -> Buffer:
    """A chunk that came in pieces; one of a single piece is not copied."""
    return b"".join(chunk) if isinstance(chunk, list) else chunk


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
