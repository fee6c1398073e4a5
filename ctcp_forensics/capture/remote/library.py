"""Library: the file system that fsspec has for a scheme.

Knows which package to ask for where it is not installed.  Loaded when a URL needs it and never before.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from ctcp_forensics.capture.names import scheme_of
from ctcp_forensics.capture.remote.address import complaint
from ctcp_forensics.capture.remote.words import RemoteError

EXTRAS: Final = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gcs",
    "gcs": "gcs",
    "az": "azure",
    "abfs": "azure",
    "abfss": "azure",
    "adl": "azure",
    "sftp": "sftp",
    "ssh": "sftp",
}
LOCAL: Final = frozenset(
    {"file", "local", "memory", "data", "simplecache", "filecache", "blockcache", "reference"}
)
"""Schemes of fsspec that lead to no other machine: paths are named as paths."""
UNREAD: Final = frozenset({"ftp", "ftps"})
"""Nobody is to send a password in the clear for a capture, and fsspec's reader wants more than a URL."""
BLOCK_LEN: Final = 1 << 23
"""8 MiB are asked for at once: the way there and back costs little beside them, and memory stays small."""


def file_system(url: str) -> Any:
    """Untyped, as fsspec is.  Raises RemoteError where there is none for it."""
    scheme = str(scheme_of(url))
    if scheme in LOCAL or ":" in scheme:
        raise RemoteError(f"{scheme}:// is no place that captures are read from; name a path")
    if scheme in UNREAD:
        raise RemoteError(f"{scheme}:// is not read; name the file by https:// or sftp://, or fetch it first")
    if (why := complaint(url)) is not None:
        raise RemoteError(why)
    try:
        import fsspec

        return fsspec.filesystem(scheme, **_wishes(scheme, url))
    except (ImportError, ValueError) as error:
        extra = EXTRAS.get(scheme)
        hint = f"; pip install 'ctcp-forensics[{extra}]'" if extra else ""
        raise RemoteError(f"nothing that is installed reads {scheme}://{hint}") from error


def names_versions(url: str) -> bool:
    """S3's library asks for every part with the version (ETag) that was opened."""
    return EXTRAS.get(str(scheme_of(url))) == "s3"


def is_sftp(url: str) -> bool:
    """A host and its files."""
    return EXTRAS.get(str(scheme_of(url))) == "sftp"


def within(url: str) -> str:
    """What the library is asked for: of a host's file the path as it is, in which `?` and `#` mean nothing."""
    return "/" + url.split("/", 3)[3] if is_sftp(url) and url.count("/") > 2 else url


def _wishes(scheme: str, url: str) -> dict[str, object]:
    """A listing that is kept would hide what has changed since; an archive's would fill the memory."""
    if is_sftp(url):
        return _host(url)
    wishes: dict[str, object] = {"use_listings_cache": False}
    if EXTRAS.get(scheme) == "s3":
        wishes |= {"default_block_size": BLOCK_LEN}
    return wishes


def _host(url: str) -> dict[str, object]:
    """Keys come from the agent and ~/.ssh.

    The library would take any host for the one that was named, unless it is told to look into known_hosts.
    """
    parts = urlsplit(url)
    told = {
        "host": parts.hostname,
        "port": parts.port,
        "username": parts.username,
        "password": parts.password,
    }
    return {name: value for name, value in told.items() if value is not None} | {"known_hosts": ()}
