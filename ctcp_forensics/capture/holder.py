"""Holder: the name of a capture → the container that it lies in, here or behind a URL.

Knows that names can look alike, and what of a name may be shown.  Does not know what a member is.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import NamedTuple

from ctcp_forensics.capture.access import Access
from ctcp_forensics.capture.members import Selection, Walked, walk
from ctcp_forensics.capture.names import containers_of, scheme_of
from ctcp_forensics.capture.source import container_file


class Holder(NamedTuple):
    """The outermost container."""

    uri: str
    access: Access | None
    """None: it is a file."""

    @property
    def is_in_a_store(self) -> bool:
        """Where an object may be called like one of its members; on the web, any query would find something."""
        from ctcp_forensics.capture.remote.address import WEB

        return self.access is not None and scheme_of(self.uri) not in WEB

    def walk(self, selection: Selection) -> Generator[Walked, None, None]:
        """Raises OSError where it cannot be opened."""
        if self.access is None:
            return walk(self.uri, selection)
        from ctcp_forensics.capture.members.distant import walk_url

        return walk_url(self.uri, self.access, selection)

    def shown(self, uri: str) -> str:
        """The name of what lies in it, without what may be a password."""
        if self.access is None:
            return uri
        from ctcp_forensics.capture.remote import without_secrets

        return without_secrets(self.uri) + uri.removeprefix(self.uri)


class Holders:
    """Who holds what; each URL is asked about once."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._known: dict[str, Holder | None] = {}

    def of(self, uri: str) -> Holder | None:
        """None: it lies in no container.

        A file whose name merely looks like a member's goes first.  Behind a URL the archive does: it is asked about
        once, and not whether each of a hundred thousand members is an object by itself.
        """
        if os.path.isfile(uri):  # noqa: PTH113  # says no, never why not
            return None
        if (path := container_file(uri)) is not None:
            return Holder(path, None)
        if scheme_of(uri) is None:
            return None
        return next((held for one in containers_of(uri) if (held := self._behind(one)) is not None), None)

    def _behind(self, url: str) -> Holder | None:
        if url not in self._known:
            from ctcp_forensics.capture.members.distant import is_archive

            self._known[url] = Holder(url, self._access) if is_archive(url, self._access) else None
        return self._known[url]
