"""Tars: the members of a tar archive, in one pass, by `tarfile` without its memory of them.

Knows what a hostile header can ask for.  Does not know compression: the bytes come unpacked.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import Final, Self, cast

from ctcp_forensics.capture.members.limits import MAX_HEADERS, ContainerError, damaged
from ctcp_forensics.capture.members.part import Part
from ctcp_forensics.capture.members.streams import BLOCK_LEN, Readable, blocks_of

FAILURES: Final = (
    tarfile.TarError,
    EOFError,
    LookupError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)
"""What the library raises on a hostile file."""


class _Header(tarfile.TarInfo):
    """The library takes a damaged header behind the first member for the end; here it is damage."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        if not any(buf):  # the end
            return super().frombuf(buf, encoding, errors)
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            raise damaged(f"a header of it is damaged ({error})") from error
        if header.size < 0:
            raise damaged("a member of it claims less than no bytes")
        return header


class _Guarded(io.RawIOBase):
    """The bytes of the archive; at most MAX_HEADERS for what is no content."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._taken = 0
        self.limit: int | None = MAX_HEADERS

    def read(self, size: int = -1, /) -> bytes:
        if self.limit is not None and self._taken > self.limit:
            raise ContainerError(
                "damaged",
                f"the headers of a member take more than {MAX_HEADERS} bytes, before byte {self._taken}",
            )
        block = self._file.read(size) or b""
        self._taken += len(block)
        return block


def parts_of_tar(file: Readable) -> Iterator[Part]:
    """In the order of the archive; each is to be read, or passed over, before the next."""
    guarded = _Guarded(file)
    try:
        yield from _parts(guarded)
    except FAILURES as error:
        raise damaged(str(error) or type(error).__name__) from error


def _parts(guarded: _Guarded) -> Iterator[Part]:
    with tarfile.open(
        fileobj=guarded,
        mode="r|",
        bufsize=BLOCK_LEN,
        tarinfo=_Header,
        encoding="utf-8",
        errors="surrogateescape",
    ) as archive:
        while True:
            guarded.limit = archive.offset + BLOCK_LEN + MAX_HEADERS
            header = archive.next()
            if header is None:
                return
            archive.members.clear()  # type: ignore[attr-defined]  # the library would remember all of them
            if header.isreg():
                yield _part(archive, header, guarded)


def _part(archive: tarfile.TarFile, header: tarfile.TarInfo, guarded: _Guarded) -> Part:
    sparse = header.issparse()
    return Part(
        name=header.name,
        size=header.size,
        length=header.size,
        stamp=f"@{header.offset_data}",
        pieces=lambda: _pieces(archive, header, guarded),
        refusal=ContainerError("unsupported", "it is stored with holes; unpack it") if sparse else None,
    )


def _pieces(archive: tarfile.TarFile, header: tarfile.TarInfo, guarded: _Guarded) -> Iterator[bytes]:
    guarded.limit = None
    try:
        content = archive.extractfile(header)
        yield from blocks_of(cast(Readable, content))
    except FAILURES as error:
        raise damaged(str(error) or type(error).__name__) from error
