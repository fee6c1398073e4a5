"""Address: what is a URL, and what of it may be shown.

Knows the text only.  A key in an object store stands in the URL as it is, without percent-encoding.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit, urlunsplit

from ctcp_forensics.capture.names import scheme_of

WEB: Final = frozenset({"http", "https"})
OBJECTS: Final = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl"})
"""Object stores: what follows the bucket is a key, in which `?` and `#` mean nothing."""
HOSTS: Final = frozenset({"sftp", "ssh"})
"""What follows the host is a path, likewise; who logs in there is no secret, a password is."""

LEFT_OUT: Final = "…"
"""Stands where a query was, in which signatures and tokens are handed on."""


def is_pattern(url: str) -> bool:
    """Whether a key has wildcards; a web page's address has none."""
    return scheme_of(url) not in WEB and any(mark in url for mark in "*?[")


def has_secrets(url: str) -> bool:
    """A password, or a query, in which signatures and tokens are handed on."""
    if scheme_of(url) in OBJECTS:
        return "@" in url.split("/", 3)[2]
    if scheme_of(url) in HOSTS:
        return ":" in url.split("/", 3)[2].rpartition("@")[0]
    parts = urlsplit(url)
    return bool(parts.query) or "@" in parts.netloc


def without_secrets(url: str) -> str:
    """The same place, as it may be written down."""
    if scheme_of(url) is None or not has_secrets(url):
        return url
    if scheme_of(url) in OBJECTS | HOSTS:
        scheme, _, rest = url.partition("://")
        netloc, slash, key = rest.partition("/")
        return f"{scheme}://{netloc.rpartition('@')[2]}{slash}{key}"
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, LEFT_OUT if parts.query else "", ""))
