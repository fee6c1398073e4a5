"""Pseudonyms: what stands in the place of an address, a MAC, a name or a hash, and what was given so far.

Knows one key and its ledger.  Does not know where the originals stand: see reports, words and packets.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from ctcp_forensics.errors import CtcpError
from ctcp_forensics.redact.addresses import Addresses
from ctcp_forensics.redact.key import Key
from ctcp_forensics.report import VANTAGE_WORDS

CAPTURE, FOLDER, INTERFACE = "capture", "folder", "interface"
NAME_DIGITS: Final = 8
"""Of a keyed hash: short enough to be said aloud; that two of 1,000 names fall together is one in 8,600."""
SHA256_DIGITS, ID_DIGITS = 64, 16
EXTENSIONS: Final = re.compile(
    r"(?:\.(?:pcap|pcapng|cap|dmp|json))?(?:\.(?:gz|bz2|xz|zst|lz4))?\Z", re.IGNORECASE
)
SEPARATORS: Final = re.compile(r"([/\\])")
NO_NAMES: Final = frozenset({"", ".", "..", "-", "headend", "any", "lo", *VANTAGE_WORDS})
"""They say what a thing is and not whose: the words of a report, standard input, Linux's two own interfaces."""
CAPTURE_ID: Final = re.compile(r"c\d+")
MAX_GIVEN: Final = 1 << 18
"""Pseudonyms noted for the key file in one run; more than that no answer can quote."""


class CollisionError(CtcpError):
    """One pseudonym would stand for two things."""


class Pseudonyms:
    """One key's; the same original always has the same, and each is noted as it is given."""

    def __init__(self, key: Key, given: Mapping[str, str] | None = None) -> None:
        self.key = key
        self._new: dict[str, str] = {}
        self.not_noted = 0
        """Given beyond MAX_GIVEN: they cannot be taken back."""
        self._known = dict(given or {})
        self._addresses = Addresses(key)
        self._name_key = key.derived("names")

    @property
    def given(self) -> Mapping[str, str]:
        """What each stands for, as far as it was noted."""
        return self._known

    def taken(self) -> dict[str, str]:
        """What was given since this was last asked, for the key file."""
        new, self._new = self._new, {}
        return new

    def address(self, text: str) -> str:
        """`text` in the spelling of RFC 5952; ValueError where it is no address."""
        return str(ip_address(self.packed(ip_address(text.partition("%")[0]).packed)))

    def packed(self, address: bytes) -> bytes:
        """An address as it stands in a packet: four bytes or sixteen."""
        found = self._addresses.ip(address)
        if found != address:
            self._note(str(ip_address(found)), str(ip_address(address)))
        return found

    def mac(self, mac: bytes) -> bytes:
        found = self._addresses.mac(mac)
        if found != mac:
            self._note(found.hex(":"), mac.hex(":"))
        return found

    def source(self, path: str) -> str:
        """A path, part by part, so that a file's name alone has the pseudonym that it has in its path."""
        *folders, name = SEPARATORS.split(path)
        return "".join(
            part if SEPARATORS.fullmatch(part) else self.name(FOLDER, part) for part in folders
        ) + self.name(CAPTURE, name)

    def name(self, kind: str, text: str) -> str:
        """`capture-7f3a91c2.pcap`: what kind of file it is stays."""
        if text in NO_NAMES or CAPTURE_ID.fullmatch(text):
            return text
        stem, extension = parted(text)
        found = f"{kind}-{self._keyed(kind, stem)[:NAME_DIGITS]}"
        self._note(found, stem)
        return found + extension

    def digest(self, text: str) -> str:
        """Of a SHA-256 or an id.  With the true one a guess at the addresses could be confirmed."""
        found = self._keyed("digest", text)[: SHA256_DIGITS if len(text) == SHA256_DIGITS else ID_DIGITS]
        self._note(found, text)
        return found

    def _keyed(self, kind: str, text: str) -> str:
        return hmac.new(self._name_key, f"{kind}\0{text}".encode(), hashlib.sha256).hexdigest()

    def _note(self, pseudonym: str, original: str) -> None:
        known = self._known.get(pseudonym)
        if known is None:
            self._note_new(pseudonym, original)
        elif known != original:
            raise CollisionError(
                f"{pseudonym} would stand for two things; make another key: `ctcp-diag redact --new-key`"
            )

    def _note_new(self, pseudonym: str, original: str) -> None:
        if len(self._new) == MAX_GIVEN:
            self.not_noted += 1
            return
        self._known[pseudonym] = self._new[pseudonym] = original


def parted(name: str) -> tuple[str, str]:
    """A file's name without its extensions, and these; a name that is nothing but extensions is a name."""
    at = EXTENSIONS.search(name)
    cut = at.start() if at is not None and at.start() else len(name)
    return name[:cut], name[cut:]


def canonical(text: str) -> str | None:
    """An address as RFC 5952 spells it; None where `text` is none."""
    try:
        address: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        return None
    return str(address)
