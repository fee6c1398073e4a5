"""Places: the user's words → files, folders, patterns, members of archives; each path once.

Knows what a word can mean.  URLs go their own way.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

import msgspec

from ctcp_forensics.archive.entry import Found, Refusal, Trail
from ctcp_forensics.archive.find.folders import Descent
from ctcp_forensics.archive.find.looking import behind_link, looked_at, members_of, unreadable
from ctcp_forensics.archive.find.rules import AS_USUAL, FindOptions
from ctcp_forensics.capture.files import container_file
from ctcp_forensics.capture.members import Below
from ctcp_forensics.capture.names import scheme_of

MAX_REMEMBERED: Final = 1_000_000
"""Names of the user's, remembered so that one that comes again is passed over; later ones are found again, and whoever
keeps results by their name sees that they are the same."""


def find(places: Iterable[str], options: FindOptions = AS_USUAL) -> Iterator[Found]:
    """All captures that the words lead to, in their order, a folder's in the order of their names."""
    return chain.from_iterable(trail.found for trail in trails(places, options))


def trails(places: Iterable[str], options: FindOptions = AS_USUAL) -> Iterator[Trail]:
    """The same word by word; each has to be followed to its end before the next."""
    search = _Search(options=options)
    for place in places:
        yield Trail(found=search.found_at(place), is_far=_is_url(place))


def _is_url(place: str) -> bool:
    """And no file's name that looks like one."""
    return scheme_of(place) is not None and not os.path.lexists(place)


class _Search(msgspec.Struct, kw_only=True):
    """The words so far."""

    options: FindOptions
    _paths: set[str] = msgspec.field(default_factory=set)
    """Every path that was named or matched."""
    _folders: set[str] = msgspec.field(default_factory=set)

    def found_at(self, place: str) -> Iterator[Found]:
        if not place or "\0" in place:
            yield Refusal(uri=place, reason="missing", detail="no file can have this name", is_trouble=True)
        elif _is_url(place):
            from ctcp_forensics.archive.find.distant import behind_url

            yield from behind_url(place, self.options.access)
        elif os.path.lexists(place) or not glob.has_magic(place):
            yield from self._path(os.path.abspath(place))  # noqa: PTH100  # no link is resolved
        else:
            yield from self._pattern(place)

    def _pattern(self, pattern: str) -> Iterator[Found]:
        matches = sorted(glob.iglob(pattern, recursive=True, include_hidden=True))  # noqa: PTH207
        if not matches and container_file(pattern) is not None:
            yield from self._path(os.path.abspath(pattern))  # noqa: PTH100
        elif not matches:
            yield Refusal(uri=pattern, reason="no-match", detail="no name is like this", is_trouble=True)
        for match in matches:
            yield from self._path(os.path.abspath(match))  # noqa: PTH100

    def _path(self, path: str) -> Iterator[Found]:
        if path in self._paths or self._is_below_another(path):
            return
        try:
            status = os.stat(path)  # noqa: PTH116  # a link that the user names is followed
        except OSError as error:
            yield from self._elsewhere(path, error)
        else:
            yield from self._there(path, status)
        if len(self._paths) < MAX_REMEMBERED:
            self._paths.add(path)

    def _there(self, path: str, status: os.stat_result) -> Iterator[Found]:
        if stat.S_ISDIR(status.st_mode):
            yield from Descent(root=path, options=self.options, is_known=self._is_known).found(status)
            self._folders.add(path)
        elif os.path.islink(path):  # noqa: PTH114
            yield from behind_link(path, os.path.realpath(path), status)
        else:
            yield from looked_at(path, status)

    def _elsewhere(self, path: str, error: OSError) -> Iterator[Found]:
        container = container_file(path)
        if container is None:
            yield _absent(path) if isinstance(error, FileNotFoundError) else unreadable(path, error)
            return
        inside = members_of(container, Below(path))
        first = next(inside, None)
        if first is None:
            yield Refusal(uri=path, reason="missing", detail="there is no such member in it", is_trouble=True)
            return
        yield first
        yield from inside

    def _is_known(self, path: str) -> bool:
        return path in self._paths

    def _is_below_another(self, path: str) -> bool:
        """Found with a folder that was named before."""
        while self._folders and (parent := os.path.dirname(path)) != path:  # noqa: PTH120
            if parent in self._folders:
                return True
            path = parent
        return False


def _absent(path: str) -> Refusal:
    """Nothing has vanished: it was named, and perhaps mistyped."""
    return Refusal(uri=path, reason="missing", detail="there is no such file or folder", is_trouble=True)
