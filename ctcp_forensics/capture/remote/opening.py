"""Opening: a URL → one version of its content, as a stream.

Knows how an object is told from a later one, and that all of it must come.  Does not know the savefile.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ctcp_forensics.capture.access import Access
from ctcp_forensics.capture.names import scheme_of
from ctcp_forensics.capture.remote.address import WEB
from ctcp_forensics.capture.remote.library import BLOCK_LEN, file_system, is_sftp, names_versions, within
from ctcp_forensics.capture.remote.named import in_full
from ctcp_forensics.capture.remote.ranges import Ranges
from ctcp_forensics.capture.remote.words import RemoteError, in_words

Answer = TypeVar("Answer")


def _always() -> bool:
    return True


class Stream(Protocol):
    """Bytes in their order."""

    def readinto(self, buffer: memoryview, /) -> int: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class Remote:
    """An open object.  `readinto` raises RemoteError; the end before its size is one."""

    stream: Stream
    size: int | None
    stamp: str
    """Changes when the object does; empty where the other side does not say."""
    is_current: Callable[[], bool] = _always
    """Asked at the end, where nothing makes sure of it on the way.  Raises RemoteError."""
    position: int = 0

    def readinto(self, buffer: memoryview, /) -> int:
        count: int = attempted(lambda: self.stream.readinto(buffer))
        self.position += count
        if count == 0 and len(buffer) and self.size is not None and self.position < self.size:
            raise RemoteError(f"it ends after {self.position} of {self.size} bytes")
        return count

    def close(self) -> None:
        self.stream.close()


def open_url(url: str, access: Access) -> Remote:
    """The content of one object, of one version of it.

    Raises RemoteError where it cannot be had, and later ChangedError where it is another one by then.
    """
    url = in_full(url)
    remote: Remote = attempted(lambda: _web(url, access) if scheme_of(url) in WEB else _object(url))
    return remote


def attempted(work: Callable[[], Answer]) -> Answer:
    """What the libraries raise, in our words: each has exceptions of its own, and not all are of OSError."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001
        raise in_words(error) from None  # its chain may quote a signed request


def _web(url: str, access: Access) -> Remote:
    from ctcp_forensics.capture.remote.web import Page

    page = Page(url, access)
    return Remote(page, page.size, page.stamp)


def _object(url: str) -> Remote:
    system: Any = file_system(url)
    if is_sftp(url):
        return _file_of_host(system, url)
    file, details = opened(system, url, block_size=BLOCK_LEN, cache_type="readahead")
    stamp = stamp_of(details)
    is_current = _always if names_versions(url) else lambda: stamp_now(system, url) == stamp
    size, stream = details.get("size"), file
    if names_versions(url) and size > BLOCK_LEN:
        fetch = file._fetch_range  # what fsspec's own buffer calls: each has If-Match
        stream = Ranges(fetch, size, BLOCK_LEN)
    return Remote(stream, size, stamp, is_current)


def opened(system: Any, url: str, **wishes: object) -> tuple[Any, Any]:
    """An object, and what is known of it: it is closed again where nothing can be known."""
    file = system.open(within(url), "rb", **wishes)
    with ExitStack() as if_it_fails:
        if_it_fails.callback(file.close)
        details = file.details if hasattr(file, "details") else system.info(within(url))
        if_it_fails.pop_all()
    return file, details


def _file_of_host(system: Any, url: str) -> Remote:
    """Its library reads ahead by itself, and knows no `readinto`."""
    details = system.info(within(url))
    stamp = stamp_of(details)
    stream = _Read(system.open(within(url), "rb"))
    return Remote(stream, details.get("size"), stamp, lambda: stamp_now(system, url) == stamp)


@dataclass(frozen=True, slots=True)
class _Read:
    """What only reads, as a stream."""

    file: Any

    def readinto(self, buffer: memoryview, /) -> int:
        read = self.file.read(len(buffer))
        buffer[: len(read)] = read
        return len(read)

    def close(self) -> None:
        self.file.close()


def stamp_now(system: Any, url: str) -> str:
    """Of what lies there by now.  Raises RemoteError."""
    return attempted(lambda: stamp_of(system.info(within(url))))


def stamp_of(details: dict[str, Any]) -> str:
    """The ETag (RFC 9110 §8.8.3) or what stands for it; else the time of the last change."""
    for name in ("ETag", "etag", "generation", "mtime", "last_modified", "LastModified"):
        if details.get(name) is not None:
            told = details[name]
            return str(told.timestamp() if hasattr(told, "timestamp") else told)
    return ""
