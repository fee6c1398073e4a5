"""Codecs: compressed bytes in, savefile bytes out, in pieces of bounded size.

Knows the five compressions by their first bytes, and that a compressed file may hold
several streams, one after another.  Each library is imported when it is needed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, Protocol

PIECE_LEN: Final = 1 << 18
"""Most bytes that one step unpacks, however well they were compressed, where nobody asks for more."""
FEED_LEN: Final = 1 << 16
"""Bytes handed over at once: what is left at the end of a stream is copied, so that stays short."""
KEPT_LEN: Final = 1 << 22
"""The C library keeps freed blocks up to this size for the next piece, see `keep_freed_memory`."""
MAX_RATIO: Final = 1000
"""Unpacked to packed.  Captures reach 200 where they repeat themselves; deflate can reach 1032."""
RATIO_FROM: Final = 1 << 26
"""64 MiB: below it no ratio does harm."""
XZ_MEMORY: Final = 1 << 27
"""xz files name their own memory: `xz -9` 65 MiB, a hostile one 4 GiB.  zstd's own limit is this, too."""

Buffer = bytes | memoryview


class Stream(Protocol):
    """One compressed stream, in the shape that bz2 and lzma gave it."""

    def decompress(self, data: Buffer, max_length: int, /) -> bytes: ...

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes | None: ...


class Opened(NamedTuple):
    """A stream, ready for its first bytes."""

    stream: Stream
    error: type[Exception]
    """What its library raises on bytes that it cannot unpack."""


def _untold(_head: bytes) -> int | None:
    return None


class Codec(NamedTuple):
    """One compression: its name, its first bytes, and how a stream is started."""

    name: str
    magics: tuple[bytes, ...]
    start: Callable[[], Opened]
    told_len: Callable[[bytes], int | None] = _untold
    """How much the first stream says that it holds, by its first HEAD_LEN bytes; most say nothing."""


class CodecError(Exception):
    """The bytes cannot be unpacked from here on; the reason is its text."""


def _gzip() -> Opened:
    from isal import igzip_lib

    error: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment]  # its stub calls it an instance
    return Opened(igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP), error)


def _bzip2() -> Opened:
    import bz2

    return Opened(bz2.BZ2Decompressor(), OSError)


def _xz() -> Opened:
    import lzma

    return Opened(lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY), lzma.LZMAError)


def _zstd() -> Opened:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return Opened(zstd.ZstdDecompressor(), zstd.ZstdError)


def _lz4() -> Opened:
    from lz4 import frame

    return Opened(frame.LZ4FrameDecompressor(), RuntimeError)


def _zstd_len(head: bytes) -> int | None:
    """RFC 8878 §3.1.1.1: magic, descriptor, then a window unless the frame is one segment, then a dictionary's id."""
    if len(head) < HEAD_LEN or not head.startswith(ZSTD_MAGIC):
        return None
    descriptor = head[4]
    is_one_segment = descriptor >> 5 & 1
    at = 5 + (not is_one_segment) + (0, 1, 2, 4)[descriptor & 3]
    length = 1 << (descriptor >> 6) if descriptor >> 6 else is_one_segment
    told = int.from_bytes(head[at : at + length], "little") + (256 if length == 2 else 0)
    return told if length else None


def _lz4_len(head: bytes) -> int | None:
    """LZ4 frame format 1.6: magic, FLG, BD; with bit 3 of FLG the content's size."""
    if len(head) < HEAD_LEN or not head.startswith(LZ4_MAGIC) or not head[4] & 8:
        return None
    return int.from_bytes(head[6:14], "little")


ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
LZ4_MAGIC: Final = b"\x04\x22\x4d\x18"
SKIPPABLE: Final = tuple(bytes([0x50 + low, 0x2A, 0x4D, 0x18]) for low in range(16))
"""RFC 8878 §3.1.2: frames without content, which pzstd puts first; lz4 has the same."""

CODECS: Final = (
    Codec("gzip", (b"\x1f\x8b\x08",), _gzip),
    Codec("bzip2", (b"BZh",), _bzip2),
    Codec("xz", (b"\xfd7zXZ\x00",), _xz),
    Codec("zstd", (ZSTD_MAGIC, *SKIPPABLE), _zstd, _zstd_len),
    Codec("lz4", (LZ4_MAGIC, *SKIPPABLE), _lz4, _lz4_len),
)
MAGIC_LEN: Final = 6
HEAD_LEN: Final = 18
"""The longest header of a zstd frame."""


def codec_of(head: bytes) -> Codec | None:
    """The compression that begins with these bytes."""
    for codec in CODECS:
        if head.startswith(codec.magics):
            return codec
    return None


def bomb_in_words(packed: int, unpacked: int) -> str | None:
    """Why bytes are not unpacked any further, where they were packed to do harm."""
    if unpacked <= max(RATIO_FROM, MAX_RATIO * packed):
        return None
    return f"{packed} bytes unpack to {unpacked} and more, over {MAX_RATIO} times as many"


def keep_freed_memory() -> None:
    """Pieces come in memory that was used before, not in pages made anew: up to a third of what unpacking takes.

    glibc maps each block of more than 128 KiB and unmaps it when it is freed.  Freeing a larger one raises that bound
    (mallopt(3), M_MMAP_THRESHOLD); the block itself is never touched.
    """
    bytes(KEPT_LEN)


class Unpacker:
    """All streams of one compressed file, as one."""

    def __init__(self, codec: Codec, piece_len: int = PIECE_LEN) -> None:
        """No piece goes beyond a multiple of `piece_len` in what comes out."""
        keep_freed_memory()
        self._codec = codec
        self._piece_len = piece_len
        self._opened: Opened | None = None
        self._between = b""
        """What follows a stream, too short to tell whether it is another."""
        self._streams = 0
        self.offset = 0
        """Bytes fed so far, to within FEED_LEN."""
        self.unpacked = 0
        """Bytes that came out so far."""
        self.has_tail = False
        """Something follows the last stream that is not compressed: it is left alone."""

    def feed_guarded(self, block: Buffer) -> Iterator[bytes]:
        """The same as `feed`, as long as no more comes out than any capture unpacks to."""
        for piece in self.feed(block):
            complaint = bomb_in_words(self.offset + FEED_LEN, self.unpacked)
            if complaint is not None:
                raise CodecError(f"the {self._codec.name} data is made to do harm: {complaint}")
            yield piece

    def feed(self, block: Buffer) -> Iterator[bytes]:
        """Unpack some more bytes, in pieces."""
        for at in range(0, len(block), FEED_LEN):
            if self.has_tail:
                return
            piece = block[at : at + FEED_LEN]
            yield from self._feed(piece)
            self.offset += len(piece)

    def finish(self) -> None:
        """There are no more bytes."""
        if self._opened is not None:
            raise CodecError(f"the {self._codec.name} data ends early")
        self.has_tail = self.has_tail or bool(self._between)

    def _feed(self, data: Buffer) -> Iterator[bytes]:
        while True:
            if self._opened is None:
                data = self._next_stream(data)
            if self._opened is None:
                return
            piece = self._unpack(self._opened, data)
            if piece:
                yield piece
            data = b""
            if self._opened.stream.eof:
                data = self._opened.stream.unused_data or b""
                self._opened = None
            elif self._opened.stream.needs_input:
                return

    def _next_stream(self, data: Buffer) -> bytes:
        """gzip and xz allow zeros between streams; anything else there is not ours."""
        found = self._between + bytes(data)
        if self._streams:
            found = found.lstrip(b"\0")
        self._between = found if len(found) < MAGIC_LEN else b""
        if len(found) >= MAGIC_LEN:
            self.has_tail = not found.startswith(self._codec.magics)
            if not self.has_tail:
                self._opened = self._start()
        return found

    def _start(self) -> Opened:
        self._streams += 1
        try:
            return self._codec.start()
        except ImportError as error:
            raise CodecError(f"{self._codec.name} data needs the Python package {error.name}") from error

    def _unpack(self, opened: Opened, data: Buffer) -> bytes:
        wanted = self._piece_len - self.unpacked % self._piece_len
        try:
            piece = opened.stream.decompress(data, wanted)
        except (opened.error, EOFError) as error:
            raise CodecError(f"the {self._codec.name} data is damaged ({error})") from error
        self.unpacked += len(piece)
        return piece
