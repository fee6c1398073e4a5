"""Zips: the members of a zip archive, listed by `zipfile` and unpacked by our codecs in pieces of bounded size.

Knows APPNOTE.TXT as far as members can lie about themselves.  `zipfile` alone would unpack a block of bzip2 or
LZMA at once, however long it gets.
"""

from __future__ import annotations

import copy
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol
from zlib import crc32

from ctcp_forensics.capture.codecs import CODECS, PIECE_LEN, keep_freed_memory
from ctcp_forensics.capture.members.limits import MAX_DIRECTORY, Budget, ContainerError, Meter, damaged
from ctcp_forensics.capture.members.part import Part
from ctcp_forensics.capture.members.streams import blocks_of, unpacked

LOCAL_HEADER_LEN: Final = 30
"""§4.3.7, without the name and what follows it."""
ENCRYPTED: Final = 1 << 0 | 1 << 6 | 1 << 13
"""§4.4.4: encrypted, strongly, and with the local headers masked."""

FAILURES: Final = (
    zipfile.BadZipFile,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
)
"""What the library raises on a hostile file."""


class Seekable(Protocol):
    """A file with random access."""

    def read(self, size: int = ..., /) -> bytes: ...

    def seek(self, offset: int, whence: int = ..., /) -> int: ...

    def tell(self) -> int: ...


class _Bounded:
    """A file that is never read in pieces too large: the library asks for the whole directory at once."""

    def __init__(self, file: Seekable) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell

    def read(self, size: int = -1) -> bytes:
        if size > MAX_DIRECTORY:
            raise ContainerError(
                "archive-too-many-members",
                f"its directory has {size} bytes, more than {MAX_DIRECTORY}; unpack it and name the folder",
            )
        return self._file.read(size)

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        """It is closed by whoever opened it."""


def parts_of_zip(file: Seekable, budget: Budget) -> Iterator[Part]:
    """In the order of the directory."""
    try:
        listing = zipfile.ZipFile(_Bounded(file))
    except FAILURES as error:
        raise damaged(f"its directory cannot be read ({_words(error)}); `zip -FF` may mend it") from error
    members = listing.infolist()
    _refuse_overlap(members, listing.start_dir)
    for info in members:
        if not info.filename.endswith("/"):  # `is_dir` fails where there is no name
            yield _part(listing, info, budget)


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _refuse_overlap(members: Sequence[zipfile.ZipInfo], directory_at: int) -> None:
    """Members that share bytes: a few kilobytes could be petabytes, without any ratio being high."""
    end = 0
    for info in sorted(members, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise ContainerError(
                "archive-overlap", f"its members share bytes, at {info.header_offset}: it is made to do harm"
            )
        end = info.header_offset + LOCAL_HEADER_LEN + info.compress_size
    if end > directory_at:
        raise ContainerError(
            "archive-overlap", f"its last member reaches into its directory at {directory_at}"
        )


def _part(listing: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> Part:
    return Part(
        name=info.orig_filename,
        size=info.compress_size,
        length=info.file_size,
        stamp=f"{info.CRC:08x}@{info.header_offset}",
        pieces=lambda: _checked(_unpacked(listing, info, budget), info),
        refusal=_refusal(info),
    )


def _refusal(info: zipfile.ZipInfo) -> ContainerError | None:
    if info.flag_bits & ENCRYPTED:
        return ContainerError("encrypted", "it is encrypted; unpack it with its password")
    if info.compress_type not in METHODS:
        return ContainerError(
            "unsupported", f"it is compressed by zip method {info.compress_type}; `7z x` unpacks it"
        )
    return None


def _unpacked(listing: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> Iterator[bytes]:
    meter = Meter(budget)
    try:
        with listing.open(_as_stored(info)) as packed:
            yield from meter.giving(METHODS[info.compress_type](meter.taking(blocks_of(packed))))
    except FAILURES as error:
        raise damaged(_words(error)) from error


def _as_stored(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """The same member, to be read as it lies there."""
    stored = copy.copy(info)
    stored.compress_type = zipfile.ZIP_STORED
    stored.file_size = info.compress_size
    del stored.CRC  # it is that of the unpacked bytes
    return stored


def _checked(pieces: Iterator[bytes], info: zipfile.ZipInfo) -> Iterator[bytes]:
    """§4.4.7 and §4.4.9: the directory tells the checksum and the length."""
    checksum, length = 0, 0
    for piece in pieces:
        checksum, length = crc32(piece, checksum), length + len(piece)
        if length > info.file_size:
            raise damaged(f"more than the {info.file_size} bytes come out of it that are told")
        yield piece
    if length < info.file_size:
        raise damaged(f"{length} bytes come out of it where {info.file_size} are told")
    if checksum != info.CRC:
        raise damaged(f"its checksum is {checksum:08x} where {info.CRC:08x} is told")


def _inflated(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """RFC 1951: one stream, without a mark at its beginning."""
    from isal import igzip_lib

    keep_freed_memory()
    stream = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE)
    error: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment]  # its stub calls it an instance
    try:
        for block in blocks:
            data = block
            while not stream.eof and (piece := stream.decompress(data, PIECE_LEN)):
                yield piece
                data = b""
    except error as failed:
        raise damaged(f"the deflated data is damaged ({failed})") from failed
    if not stream.eof:
        raise damaged("the deflated data ends early")


def _by_codec(name: str) -> Callable[[Iterator[bytes]], Iterator[bytes]]:
    codec = next(codec for codec in CODECS if codec.name == name)
    return lambda blocks: unpacked(blocks, codec)


METHODS: Final[dict[int, Callable[[Iterator[bytes]], Iterator[bytes]]]] = {
    0: lambda blocks: blocks,
    8: _inflated,
    12: _by_codec("bzip2"),
    93: _by_codec("zstd"),
    95: _by_codec("xz"),
}
"""§4.4.5."""
