"""Address: what is a URL, and what of it may be shown.

Knows the text only.  A key in an object store stands in the URL as it is, without percent-encoding.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from ctcp_forensics.capture.names import scheme_of

WEB: Final = frozenset({"http", "https"})
OBJECTS: Final = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl"})
"""Object stores: what follows the bucket is a key, in which `?` and `#` mean nothing."""
HOSTS: Final = frozenset({"sftp", "ssh"})
"""What follows the host is a path, likewise; who logs in there is no secret, a password is."""

PARTS: Final = re.compile(r"[^:]*://([^/?#]*)([^?#]*)(?:\?([^#]*))?")
"""RFC 3986 appendix B: host, path and query, of whatever begins with a scheme.  `urlsplit` raises at some of what
somebody may write there."""
SPILT: Final = re.compile(r"[^:]*://(?!\[)[^@/?#]*:(?!\d*[/?#])[^@]*[/?#].*@")
"""A password in which `/`, `?` or `#` stands as it is ends the host for whoever reads the URL, and is no port: what it
may be goes up to the last `@`."""
HOLDERS: Final = {
    "s3": "BUCKET/KEY",
    "s3a": "BUCKET/KEY",
    "gs": "BUCKET/KEY",
    "gcs": "BUCKET/KEY",
    "az": "CONTAINER/BLOB",
    "abfs": "CONTAINER/BLOB",
    "abfss": "CONTAINER/BLOB",
}
"""What stands behind `://`, where it is no HOST/PATH."""
UNWRITTEN: Final = re.compile(r"[\x00-\x20\x7f]")
"""Blanks and control characters, which no URL of the web holds as they are (RFC 3986 §2)."""
LEFT_OUT: Final = "…"
"""Stands where a query was, in which signatures and tokens are handed on, and where a login was: so that a URL with a
secret never looks like the one without."""


def complaint(url: str) -> str | None:
    """Why nobody can be asked for it, and how it is written; in words that hold nothing of it."""
    scheme = str(scheme_of(url))
    if scheme in WEB and SPILT.match(url):
        return "a / ? or # in a login ends the host; they are written %2F %3F %23"
    if not url.partition("://")[2].partition("/")[0].rpartition("@")[2]:
        form = HOLDERS.get(scheme, "HOST/PATH")
        return f"names no {form.partition('/')[0].lower()}; the form is {scheme}://{form}"
    return _not_of_the_web(url) if scheme in WEB else None


def _not_of_the_web(url: str) -> str | None:
    _, path, query = _parts(url)
    if UNWRITTEN.search(url) or not f"{path}{query}".isascii():
        return "holds a blank or another letter that has to be percent-encoded; a blank is written %20"
    try:
        _ = urlsplit(url).port
    except ValueError:
        return (
            "its host or its port cannot be read; the form is https://HOST:PORT/PATH, of IPv6 [ADDRESS]:PORT"
        )
    return None


def is_pattern(url: str) -> bool:
    """Whether a key has wildcards; a web page's address has none."""
    return scheme_of(url) not in WEB and any(mark in url for mark in "*?[")


def has_secrets(url: str) -> bool:
    """A password, or a query, in which signatures and tokens are handed on."""
    if SPILT.match(url):
        return True
    if scheme_of(url) in OBJECTS:
        return "@" in url.split("/", 3)[2]
    if scheme_of(url) in HOSTS:
        return ":" in url.split("/", 3)[2].rpartition("@")[0]
    host, _, query = _parts(url)
    return bool(query) or "@" in host


def without_secrets(url: str) -> str:
    """The same place, as it may be written down."""
    if scheme_of(url) is None or not has_secrets(url):
        return url
    if spilt := SPILT.match(url):
        return f"{scheme_of(url)}://{LEFT_OUT}@{url[spilt.end() :]}".partition("?")[0]
    if scheme_of(url) in OBJECTS | HOSTS:
        scheme, _, rest = url.partition("://")
        netloc, slash, key = rest.partition("/")
        return f"{scheme}://{_without_login(netloc)}{slash}{key}"
    host, path, query = _parts(url)
    return f"{scheme_of(url)}://{_without_login(host)}{path}{f'?{LEFT_OUT}' if query else ''}"


def lacks_a_secret(url: str) -> bool:
    """It is what `without_secrets` left of another."""
    host, _, query = _parts(url)
    return host.rpartition("@")[0] == LEFT_OUT or query == LEFT_OUT


def login_apart(url: str) -> tuple[str, str]:
    """A URL of the web without its login, and the login, percent-encoded as it is; empty where there is none."""
    login, _, _ = _parts(url)[0].rpartition("@")
    return (url.replace(f"{login}@", "", 1), login) if login else (url, "")


def _without_login(host: str) -> str:
    login, _, rest = host.rpartition("@")
    return f"{LEFT_OUT}@{rest}" if login else rest


def _parts(url: str) -> tuple[str, str, str]:
    found = PARTS.match(url)
    return ("", "", "") if found is None else (found[1], found[2], found[3] or "")
