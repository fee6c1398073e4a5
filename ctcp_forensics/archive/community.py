"""Community ID: the name that Zeek, Suricata and others give a flow, so that their logs can be joined with ours.

Knows version 1 of the specification (github.com/corelight/community-id-spec), for TCP.  Does not know flows.
"""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache
from hashlib import sha1
from ipaddress import ip_address
from typing import Final

VERSION: Final = "1:"
SEED: Final = bytes(2)
"""The default; sites that chose another know."""
TCP: Final = b"\x06\x00"
"""The protocol's number, and one byte of padding."""
ADDRESSES_REMEMBERED: Final = 65_536


def community_id(one: str, one_port: int, other: str, other_port: int) -> str | None:
    """The same from either end; None where an address is none, such as a pseudonym."""
    try:
        (low, low_port), (high, high_port) = sorted(((packed(one), one_port), (packed(other), other_port)))
        text = SEED + low + high + TCP + low_port.to_bytes(2, "big") + high_port.to_bytes(2, "big")
    except (ValueError, OverflowError):
        return None
    return VERSION + b64encode(sha1(text, usedforsecurity=False).digest()).decode()


@lru_cache(maxsize=ADDRESSES_REMEMBERED)
def packed(address: str) -> bytes:
    return ip_address(address).packed
