"""Digests: by which hash a capture is known, and how much of it is hashed.

Knows two hashes and what they cost.  Does not know what is done with them: see docs/decisions/0027.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache, cached_property
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, Self

if TYPE_CHECKING:
    from ctcp_forensics.capture.codecs import Buffer

HashName = Literal["sha256", "blake3"]
SHA256: Final = "sha256"
"""FIPS 180-4.  What `sha256sum` says and a court knows; 1.4 GB/s on one core."""
BLAKE3: Final = "blake3"
"""What `b3sum` says; as hard to forge, and 3.7 GB/s on one core, which is faster than the analysis."""

SHORT_LEN: Final = 1 << 18
"""Python's own SHA-256 takes 1 ms for 256 KiB.  OpenSSL's is six times as fast, and its library takes 3 ms to load."""

HASH_LIMIT: Final = 1 << 28
"""256 MiB.  SHA-256 cannot be shared between cores: beyond this size it would take longer than the analysis, so it is
done where it is asked for (docs/decisions/0004)."""


EARLY: Final = 4
"""A quarter of what may be hashed is looked at before the rest is given up."""
MARGIN: Final = 1.25
"""What is still packed of a capture is compressed as well as what was unpacked, to within a quarter."""


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

    def is_in_vain(self, packed: int, unpacked: int, size: int | None) -> bool:
        """Whether what is compressed to `size` bytes will be too long, by what the first `packed` of them unpacked to.

        The longer that is, the less is left to be guessed.  False as long as it is too early to say.
        """
        if not size or not self.limit or unpacked < self.limit // EARLY:
            return False
        return (size - packed) * unpacked > (self.limit - unpacked) * MARGIN * packed


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

    def give_up(self) -> None:
        self._left = -1

    @cached_property
    def _hash(self) -> Hash:
        """Begun with the first block: OpenSSL's library takes 3.6 MB, also where nothing is hashed."""
        return HASHES[self._name]()

    @property
    def is_given_up(self) -> bool:
        return self._left is not None and self._left < 0

    def hexdigest(self) -> str | None:
        return None if self.is_given_up else self._hash.hexdigest()


def sha256_of(data: Buffer | bytearray) -> str:
    """Of something short."""
    return sha256_at_hand()(data).hexdigest()


def sha256_at_hand() -> Callable[[Buffer | bytearray], Hash]:
    """OpenSSL's where it is loaded already, or where a Python was built without its own."""
    if "_hashlib" not in sys.modules:
        with suppress(ImportError):
            return _own_sha256()
    from hashlib import sha256

    return sha256


@cache
def _own_sha256() -> Callable[[Buffer | bytearray], Hash]:
    """Under a private name, as the standard library itself takes it where it wants no OpenSSL: see `random`.

    No public name leads here: `hashlib` loads OpenSSL, whichever hash is asked for.
    """
    if sys.version_info >= (3, 12):
        from _sha2 import sha256
    else:
        from _sha256 import sha256  # type: ignore[import-not-found]
    own: Callable[[Buffer | bytearray], Hash] = sha256
    return own


class Sha256:
    """What turns out to be short is hashed at its end, without OpenSSL."""

    def __init__(self) -> None:
        self._short: bytearray | None = bytearray()

    def update(self, data: Buffer) -> None:
        if self._short is not None and len(self._short) + len(data) <= SHORT_LEN:
            self._short += data
        else:
            self._long.update(data)

    def hexdigest(self) -> str:
        return self._long.hexdigest() if self._short is None else sha256_of(self._short)

    @cached_property
    def _long(self) -> Hash:
        import hashlib

        begun, self._short = hashlib.sha256(self._short or b""), None
        return begun


def _blake3() -> Hash:
    from blake3 import blake3

    return blake3()


HASHES: Final[dict[HashName, Callable[[], Hash]]] = {SHA256: Sha256, BLAKE3: _blake3}
"""Each library is imported when it is needed."""
