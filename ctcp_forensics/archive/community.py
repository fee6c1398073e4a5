"""Community ID: the name that Zeek, Suricata and others give a flow, so that their logs can be joined with ours.

Knows version 1 of the specification (github.com/corelight/community-id-spec), for TCP.  Does not know flows.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha1
from ipaddress import ip_address
from typing import Final

VERSION: Final = "1:"
SEED: Final = bytes(2)
"""The default; sites that chose another know."""
TCP: Final = b"\x06\x00"
"""The protocol's number, and one byte of padding."""


def community_id(one: str, one_port: int, other: str, other_port: int) -> str | None:
    """The same from either end; None where an address is none, such as a pseudonym."""
    try:
        ends = sorted(
            (ip_address(address).packed, port) for address, port in ((one, one_port), (other, other_port))
        )
        ports = [port.to_bytes(2, "big") for _, port in ends]
    except (ValueError, OverflowError):
        return None
    text = b"".join((SEED, ends[0][0], ends[1][0], TCP, *ports))
    return VERSION + b64encode(sha1(text, usedforsecurity=False).digest()).decode()
