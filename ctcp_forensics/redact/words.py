"""Words: names and addresses found inside sentences, filters and commands, in both directions.

Knows how they are spelled and where a word ends.  Does not know which sentence it is: see reports.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from ctcp_forensics.redact.pseudonyms import (
    CAPTURE,
    FOLDER,
    ID_DIGITS,
    INTERFACE,
    NAME_DIGITS,
    SHA256_DIGITS,
    Pseudonyms,
    canonical,
)

IPV4: Final = r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)"
IPV6: Final = r"(?<![0-9A-Za-z:.])[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*"
"""Anything that may be one: `canonical` decides."""
MAC: Final = (
    r"(?<![0-9A-Fa-f:.-])(?:[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}"
    r"|[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2})(?![0-9A-Fa-f:-])"
)
GIVEN_NAME: Final = (
    rf"(?<![0-9A-Za-z-])(?:{CAPTURE}|{FOLDER}|{INTERFACE})-[0-9a-f]{{{NAME_DIGITS}}}(?![0-9a-z-])"
)
GIVEN_DIGEST: Final = (
    rf"(?<![0-9A-Za-z])(?:[0-9a-f]{{{SHA256_DIGITS}}}|[0-9a-f]{{{ID_DIGITS}}})(?![0-9A-Za-z])"
)
PORT: Final = re.compile(r":\d{1,5}\Z")


class Found(NamedTuple):
    """A word taken apart: what may be looked up, and what only stands behind it."""

    word: str
    behind: str


class Redactor:
    """Replaces what is known, and whatever looks like an address, in one pass: nothing is replaced twice."""

    def __init__(self, pseudonyms: Pseudonyms, sources: Iterable[str], interfaces: Iterable[str]) -> None:
        self._pseudonyms = pseudonyms
        self._names = names_of(pseudonyms, sources, interfaces)
        known = sorted(map(re.escape, self._names), key=lambda name: (-len(name), name))
        names = [rf"(?<![\w-])(?:{'|'.join(known)})(?![\w-]|\.\w)"] if known else []
        self._pattern = re.compile("|".join((*names, MAC, IPV6, IPV4)))

    def __call__(self, text: str) -> str:
        return self._pattern.sub(lambda match: self._instead(match[0]), text)

    def _instead(self, word: str) -> str:
        if word in self._names:
            return self._names[word]
        if re.fullmatch(MAC, word):
            return like(word, self._pseudonyms.mac(octets(word)).hex(":"))
        found = address_in(word)
        return self._pseudonyms.address(found.word) + found.behind if found.word else word


def names_of(pseudonyms: Pseudonyms, sources: Iterable[str], interfaces: Iterable[str]) -> dict[str, str]:
    """What stands in sentences in the place of each path, each file's name, and each interface's name."""
    names = {}
    for source in sources:
        for name in (source, re.split(r"[/\\]", source)[-1]):
            names[name] = pseudonyms.source(name)
    for name in interfaces:
        names.setdefault(name, pseudonyms.name(INTERFACE, name))
    return {name: other for name, other in names.items() if name != other}


def address_in(word: str) -> Found:
    """The address that `word` begins with; what follows is punctuation or a port."""
    bare = word.rstrip(":.")
    for cut in (word, bare, PORT.sub("", bare)):
        found = canonical(cut)
        if found is not None:
            return Found(found, word[len(cut) :])
    return Found("", word)


def octets(mac: str) -> bytes:
    return bytes.fromhex(re.sub("[:.-]", "", mac))


def like(spelled: str, mac: str) -> str:
    """`mac` with the separators of `spelled`: a colon, a hyphen, or Cisco's dots."""
    if "." in spelled:
        digits = mac.replace(":", "")
        return ".".join((digits[:4], digits[4:8], digits[8:]))
    return mac.replace(":", "-") if "-" in spelled else mac


# --- and back ---------------------------------------------------------------------------------

GIVEN: Final = re.compile(f"{GIVEN_NAME}|{GIVEN_DIGEST}|{MAC}|{IPV6}|{IPV4}")


def undone_text(text: str, given: Mapping[str, str]) -> str:
    """`text` with the originals; what was never given, such as an address that somebody added, is left alone."""
    return GIVEN.sub(lambda match: _original(match[0], given.get), text)


def names_left(text: str) -> list[str]:
    """Names that are pseudonyms still, in order of appearance."""
    return list(dict.fromkeys(re.findall(GIVEN_NAME, text)))


def _original(word: str, lookup: Callable[[str], str | None]) -> str:
    if re.fullmatch(MAC, word):
        original = lookup(octets(word).hex(":"))
        return word if original is None else like(word, original)
    found = address_in(word)
    original = lookup(found.word or word)
    return word if original is None else original + (found.behind if found.word else "")
