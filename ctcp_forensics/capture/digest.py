"""Digests: by which hash a capture is known, and how much of it is hashed.

Knows two hashes and what they cost.  Does not know what is done with them: see docs/decisions/0027.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, Self

if TYPE_CHECKING:
    from ctcp_forensics.capture.codecs import Buffer

HashName = Literal["sha256", "blake3"]
SHA256: Final = "sha256"
"""FIPS 180-4.  What `sha256sum` says and a court knows; 1.4 GB/s on one core."""
BLAKE3: Final = "blake3"
"""What `b3sum` says; as hard to forge, and 3.7 GB/s on one core, which is faster than the analysis."""

HASH_LIMIT: Final = 1 << 28
"""256 MiB.  SHA-256 cannot be shared between cores: beyond this size it would take longer than the analysis, so it is
done where it is asked for (docs/decisions/0004)."""


class Hashing(NamedTuple):
    """What is taken of a capture while it is read."""

    name: HashName = SHA256
    limit: int | None = HASH_LIMIT
    """Captures longer than this are not hashed; None hashes all."""

    @property
    def is_taken(self) -> bool:
        """Of a beginning at least."""
        return self.limit != 0

    def for_length(self, length: int | None) -> Self:
        """Of what is known to be too long nothing is hashed, where its beginning would be hashed in vain."""
        is_too_long = length is not None and self.limit is not None and length > self.limit
        return self._replace(limit=0) if is_too_long else self


BY_THE_WAY: Final = Hashing()
WHOLLY: Final = Hashing(limit=None)
UNHASHED: Final = Hashing(limit=0)


class Hash(Protocol):
    """What both libraries give."""

    def update(self, data: Buffer, /) -> object: ...

    def hexdigest(self) -> str: ...


class Digest:
    """The hash of a stream, given up where the stream is longer than it may be."""

    def __init__(self, hashing: Hashing) -> None:
        self._name, self._left = hashing

    def update(self, block: Buffer) -> None:
        if self._left is not None:
            self._left -= len(block)
        if self._left is None or self._left >= 0:
            self._hash.update(block)

    @cached_property
    def _hash(self) -> Hash:
        """Begun with the first block: OpenSSL's library takes 3.6 MB, also where nothing is hashed."""
        return HASHES[self._name]()

    def hexdigest(self) -> str | None:
        return None if self._left is not None and self._left < 0 else self._hash.hexdigest()


def _sha256() -> Hash:
    import hashlib

    return hashlib.sha256()


def _blake3() -> Hash:
    from blake3 import blake3

    return blake3()


HASHES: Final[dict[HashName, Callable[[], Hash]]] = {SHA256: _sha256, BLAKE3: _blake3}
"""Each library is imported when it is needed."""
