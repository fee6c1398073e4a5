"""Inflating: DEFLATE (RFC 1951) in the shape of the other codecs, beside other threads.

Knows what ISA-L's two objects for it differ in.  `igzip_lib.IgzipDecompressor` has the shape, but keeps the interpreter
lock while it works, so that nothing else would go on meanwhile; `isal_zlib.decompressobj` lets go of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ctcp_forensics.capture.codecs import Buffer

GZIP: Final = 31
"""Window bits of a stream with a gzip header and trailer (RFC 1952), and the largest window."""
BARE: Final = -15
"""Without either, as in zip archives."""


class Inflating:
    """One stream."""

    def __init__(self, window_bits: int) -> None:
        from isal import isal_zlib

        self.error: type[Exception] = isal_zlib.IsalError  # type: ignore[assignment]  # its stub calls it an instance
        self._object = isal_zlib.decompressobj(window_bits)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def unused_data(self) -> bytes:
        return self._object.unused_data

    def decompress(self, data: Buffer, max_length: int, /) -> bytes:
        """What could not be unpacked for want of room is kept, and goes before `data` the next time."""
        left = self._object.unconsumed_tail
        piece = self._object.decompress(left + data if left else data, max_length)
        self.needs_input = len(piece) < max_length
        return piece
