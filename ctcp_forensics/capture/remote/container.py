"""Container: an archive behind a URL, as a stream and, where parts of it can be had, as a file with random access.

Knows who can be asked for parts, and who for parts of one version only.  Does not know the archive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ctcp_forensics.capture.access import Access
from ctcp_forensics.capture.names import scheme_of
from ctcp_forensics.capture.remote.address import WEB
from ctcp_forensics.capture.remote.library import file_system, names_versions
from ctcp_forensics.capture.remote.named import in_full
from ctcp_forensics.capture.remote.opening import Remote, attempted, opened, stamp_now, stamp_of
from ctcp_forensics.capture.remote.parts import Parts
from ctcp_forensics.capture.remote.web import Page


class Readable(Protocol):
    """A file from its beginning to its end."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One version of an object, open.  What is read raises RemoteError."""

    stream: Readable
    parts: Parts | None
    """None: it comes from its beginning to its end and not otherwise."""
    stamp: str
    is_current: Callable[[], bool]
    """Asked at the end, where nothing makes sure of it on the way."""
    close: Callable[[], None]


def open_container(url: str, access: Access) -> Container:
    """Raises RemoteError."""
    url = in_full(url)
    container: Container = attempted(lambda: _page(url, access) if scheme_of(url) in WEB else _object(url))
    return container


# --- the web --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Stream:
    """What is read on from an answer."""

    remote: Remote

    def read(self, size: int, /) -> bytes:
        buffer = bytearray(size)
        return bytes(buffer[: self.remote.readinto(memoryview(buffer))])


def _page(url: str, access: Access) -> Container:
    """The answer is the stream; each part is an answer of its own, of the version that the first one named."""
    page = Page(url, access)
    parts = None
    if page.gives_parts and page.size is not None:
        parts = Parts(lambda begin, end: _part_of_page(url, access, page.etag, begin, end), page.size)
    return Container(
        stream=_Stream(Remote(page, page.size, page.stamp)),
        parts=parts,
        stamp=page.stamp,
        is_current=lambda: True,
        close=page.close,
    )


def _part_of_page(url: str, access: Access, etag: str, begin: int, end: int) -> bytes:
    page: Page = attempted(lambda: Page(url, access, etag=etag, begin=begin, end=end))
    try:
        return _Stream(Remote(page, end - begin, etag)).read(end - begin)
    finally:
        page.close()


# --- object stores and sftp ---------------------------------------------------------------------------------------


def _object(url: str) -> Container:
    """S3's library names the version with every part that it asks for; of others, the stamp is asked for again."""
    system: Any = file_system(url)
    file, details = opened(system, url, cache_type="none")
    stamp = stamp_of(details)
    parts = Parts(lambda begin, end: _part_of_file(file, begin, end), int(details["size"]))
    return Container(
        stream=parts,
        parts=parts,
        stamp=stamp,
        is_current=lambda: names_versions(url) or stamp_now(system, url) == stamp,
        close=file.close,
    )


def _part_of_file(file: Any, begin: int, end: int) -> bytes:
    def asked() -> bytes:
        file.seek(begin)
        return bytes(file.read(end - begin))

    return attempted(asked)
