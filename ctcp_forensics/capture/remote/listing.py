"""Listing: what lies under a URL, page by page.

Knows objects, their sizes and stamps.  Does not know which of them are captures.  A web page lists nothing: it is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from fnmatch import fnmatchcase
from itertools import takewhile
from typing import Any, Final, NamedTuple

from ctcp_forensics.capture.access import Access
from ctcp_forensics.capture.names import scheme_of
from ctcp_forensics.capture.remote.address import WEB, is_pattern
from ctcp_forensics.capture.remote.library import file_system, is_sftp, names_versions, within
from ctcp_forensics.capture.remote.opening import attempted, open_url, stamp_of
from ctcp_forensics.capture.remote.words import RemoteError, in_words

PAGE_LEN: Final = 1000
"""Names of S3 in memory at a time: as many as it gives at once."""


class Listed(NamedTuple):
    """One object."""

    url: str
    size: int | None
    stamp: str


def listed(url: str, access: Access) -> Iterator[Listed]:
    """One object, all below a prefix, or those that match a pattern; in the order of their keys.

    Raises RemoteError.  Of S3, which archives lie in, one page of names is in memory at a time.
    """
    scheme = str(scheme_of(url))
    if scheme in WEB:
        yield _asked(url, access)
        return
    system: Any = attempted(lambda: file_system(url))
    root = _root(url)
    pattern = url if is_pattern(url) else None
    begin = _fixed_part(url) if pattern else url
    objects = _s3(system, begin) if names_versions(url) else _any(system, begin)
    for one in _in_our_words(objects):
        found = Listed(root + one["name"], one.get("size"), stamp_of(one))
        if pattern is None or fnmatchcase(found.url, pattern):
            yield found


def heads(urls: Sequence[str], access: Access, count: int) -> list[bytes | RemoteError]:
    """The first `count` bytes of objects of one listing, or why they cannot be had; all are asked for at once."""
    if scheme_of(urls[0]) in WEB:
        return [_head_of_page(url, access, count) for url in urls]
    return _parts(list(urls), [0] * len(urls), [count] * len(urls))


def edges(url: str, size: int, count: int) -> tuple[bytes, bytes] | None:
    """The first and the last `count` bytes of an object; None of what cannot be asked for parts."""
    if scheme_of(url) in WEB:
        return None
    first, last = _parts([url, url], [0, max(size - count, 0)], [min(count, size), size])
    return None if isinstance(first, RemoteError) or isinstance(last, RemoteError) else (first, last)


def _parts(urls: list[str], starts: list[int], ends: list[int]) -> list[bytes | RemoteError]:
    system: Any = attempted(lambda: file_system(urls[0]))
    parts: list[Any] = attempted(
        lambda: system.cat_ranges([within(url) for url in urls], starts, ends, on_error="return")
    )
    return [in_words(part) if isinstance(part, BaseException) else bytes(part) for part in parts]


def _head_of_page(url: str, access: Access, count: int) -> bytes | RemoteError:
    head, filled = bytearray(count), 0
    try:
        with closing(open_url(url, access)) as remote:
            while got := remote.readinto(memoryview(head)[filled:]):
                filled += got
    except RemoteError as error:
        return error
    return bytes(head[:filled])


def _asked(url: str, access: Access) -> Listed:
    """A web server is asked for the thing itself, and nothing of it is read."""
    remote = open_url(url, access)
    remote.close()
    return Listed(url, remote.size, remote.stamp)


def _root(url: str) -> str:
    """What stands before the names of a listing: object stores have the bucket in them, a host's files not the host."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}" if is_sftp(url) else f"{scheme.lower()}://"


def _fixed_part(pattern: str) -> str:
    """Up to the last slash before the first wildcard."""
    start = len("".join(takewhile(lambda letter: letter not in "*?[", pattern)))
    return pattern[: pattern.rfind("/", 0, start) + 1]


def _in_our_words(objects: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What stops the listing, stops it in our words."""
    end: dict[str, Any] = {}
    while (one := attempted(lambda: next(objects, end))) is not end:
        yield one


def _s3(system: Any, url: str) -> Iterator[dict[str, Any]]:
    """ListObjectsV2, page by page: the library's own walk holds all names of a prefix at once."""
    bucket, key, _ = system.split_path(url)
    if key and not key.endswith("/") and system.isfile(f"{bucket}/{key}"):
        yield system.info(f"{bucket}/{key}")
        return
    page: dict[str, Any] = {}
    prefix = key if not key or key.endswith("/") else f"{key}/"
    while True:
        more = {"ContinuationToken": page["NextContinuationToken"]} if page else {}
        page = system.call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=PAGE_LEN, **more)
        for one in page.get("Contents", ()):
            if not one["Key"].endswith("/"):  # stands for a folder, and holds nothing
                yield {"name": f"{bucket}/{one['Key']}", "size": one["Size"], "ETag": one["ETag"]}
        if not page.get("IsTruncated"):
            return


def _any(system: Any, url: str) -> Iterator[dict[str, Any]]:
    """By folder, so that one folder's names are in memory."""
    place = within(url)
    if system.isfile(place):
        yield system.info(place)
        return
    for _, _, files in system.walk(place, detail=True):
        for name in sorted(files):
            yield files[name]
