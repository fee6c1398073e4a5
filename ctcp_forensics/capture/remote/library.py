"""Library: the file system that fsspec has for a scheme.

Knows which package to ask for where it is not installed.  Loaded when a URL needs it and never before.
"""

from __future__ import annotations

from typing import Any, Final

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
BLOCK_LEN: Final = 1 << 23
"""8 MiB are asked for at once: the way there and back costs little beside them, and memory stays small."""


def file_system(scheme: str) -> Any:
    """Untyped, as fsspec is.  Raises RemoteError where there is none for it."""
    if scheme in LOCAL or ":" in scheme:
        raise RemoteError(f"{scheme}:// is no place that captures are read from; name a path")
    try:
        import fsspec

        return fsspec.filesystem(scheme, **_wishes(scheme))
    except (ImportError, ValueError) as error:
        extra = EXTRAS.get(scheme)
        hint = f"; pip install 'ctcp-forensics[{extra}]'" if extra else ""
        raise RemoteError(f"nothing that is installed reads {scheme}://{hint}") from error


def _wishes(scheme: str) -> dict[str, object]:
    """A listing that is kept would hide what has changed since; an archive's would fill the memory."""
    wishes: dict[str, object] = {"use_listings_cache": False}
    if EXTRAS.get(scheme) == "s3":
        wishes |= {"default_block_size": BLOCK_LEN}
    return wishes
