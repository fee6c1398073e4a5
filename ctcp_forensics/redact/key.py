"""The key: one secret, what is derived from it, and the text of the file that it is kept in.

Knows the lines of a key file: the secret, then every pseudonym that was given with it.  Does not know where
the file lies (see cli) nor what a pseudonym stands for (see pseudonyms).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from ctcp_forensics.errors import CtcpError

SECRET_LEN: Final = 32
FORMAT: Final = "ctcp-diag redaction key 1"


class KeyFileError(CtcpError):
    """The text is no key file, or not a whole one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A secret.  It is never shown: not by `repr`, not in an error, not in anything that is written."""

    secret: bytes = field(repr=False)

    def derived(self, purpose: str, length: int = 32) -> bytes:
        """A key of its own for each purpose (RFC 7693 §2.9: BLAKE2 takes a key and is then a MAC)."""
        return hashlib.blake2b(purpose.encode(), key=self.secret, digest_size=length).digest()

    @property
    def name(self) -> str:
        """Eight digits by which two people see that they mean the same key; they tell nothing about it."""
        return self.derived("name", 4).hex()


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    """The first line."""

    format: str
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """A key, and what every pseudonym that was given with it stands for."""

    key: Key
    given: Mapping[str, str]


def text_of_key_file(key: Key) -> bytes:
    """A new key file: nothing was given yet."""
    return msgspec.json.encode(_Head(format=FORMAT, secret=key.secret.hex())) + b"\n"


def lines_of(given: Mapping[str, str]) -> bytes:
    """What is appended for pseudonyms that were given."""
    return b"".join(msgspec.json.encode(pair) + b"\n" for pair in given.items())


def read_key_file(text: bytes) -> KeyFile:
    """KeyFileError where it is none; the message holds nothing of the text, which may be another secret."""
    first, _, rest = text.partition(b"\n")
    return KeyFile(key=_key_in(first), given=_given_in(rest))


def _key_in(line: bytes) -> Key:
    try:
        head = msgspec.json.decode(line, type=_Head)
        secret = bytes.fromhex(head.secret)
    except (msgspec.MsgspecError, ValueError) as error:
        raise KeyFileError("not a key file; `ctcp-diag redact --new-key FILE` makes one") from error
    if head.format != FORMAT or len(secret) != SECRET_LEN:
        raise KeyFileError(f"not a key file of this version, which reads `{FORMAT}`")
    return Key(secret=secret)


def _given_in(text: bytes) -> dict[str, str]:
    given = {}
    for number, line in enumerate(text.splitlines(), 2):
        try:
            pseudonym, original = msgspec.json.decode(line, type=tuple[str, str])
        except (msgspec.MsgspecError, ValueError) as error:
            raise KeyFileError(
                f"line {number} is not a pseudonym and what it stands for; remove that line: "
                "redacting the same captures again gives the same pseudonyms"
            ) from error
        given[pseudonym] = original
    return given
