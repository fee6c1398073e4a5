"""Hosts: which of them a URL may lead to.

Knows addresses.  A list of URLs may come from a stranger, and this program runs inside of networks that strangers
should not see: so `https` reaches public addresses only, and the address that answers is what is looked at, at every
redirect anew, not the name.  The endpoint of an object store is the user's own configuration and is not questioned.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

from ctcp_forensics.capture.remote.words import RemoteError

NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
"""RFC 6052 §2.1: an IPv4 address in the last four bytes."""


class PrivateAddressError(RemoteError):
    """A URL led to an address that only insiders reach."""

    def __init__(self, host: str, address: str) -> None:
        what = f"{address} is" if host == address else f"{host} is {address}, which is"
        super().__init__(f"{what} no public address; --allow-private-addresses lets it be read")


def refuse_private(host: str, port: int) -> None:
    """Before anything is sent: every address that the name stands for.  Raises PrivateAddressError, or OSError."""
    for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        refuse_private_peer(host, found[4])


def refuse_private_peer(host: str, peer: tuple[object, ...]) -> None:
    """The address that did answer: the name may stand for another one by now."""
    address = str(peer[0])
    if not is_public(address):
        raise PrivateAddressError(host, address)


def is_public(text: str) -> bool:
    """By IANA's registries of special-purpose addresses (RFC 6890), also inside of an IPv6 address."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or _translated(address)
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not address.is_multicast


def _translated(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF) if address in NAT64 else None
