"""Folders: one folder → the files in it and below it, in an order that is always the same.

Knows links and their loops.  One folder's names are held at a time, and those of the folders that it lies in: ten
million files cost what the largest of them costs.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator

import msgspec

from ctcp_forensics.archive.entry import Found, Refusal
from ctcp_forensics.archive.find.looking import behind_link, looked_at, unreadable
from ctcp_forensics.archive.find.rules import FindOptions, Links

Identity = tuple[int, int]
"""Device and inode: what a folder is, whatever its name."""


class _Level(msgspec.Struct):
    """A folder on the way down."""

    path: str
    identity: Identity
    names: Iterator[str]


class Descent(msgspec.Struct, kw_only=True):
    """One folder and everything below it."""

    root: str
    options: FindOptions
    is_known: Callable[[str], bool]
    """Whether a path was found before, by another of the user's words."""
    _levels: list[_Level] = msgspec.field(default_factory=list)
    _linked: set[Identity] = msgspec.field(default_factory=set)
    """Folders that a link has led to: another link to them would tell the same again, and loops end."""
    _store: Identity | None = None
    _real_root: str = ""

    def __post_init__(self) -> None:
        self._real_root = os.path.realpath(self.root)
        self._store = _identity_of(self.options.store)

    def found(self, status: os.stat_result) -> Iterator[Found]:
        """All of it; `status` is that of the folder itself."""
        yield from self._enter(self.root, status)
        while self._levels:
            level = self._levels[-1]
            name = next(level.names, None)
            if name is None:
                self._levels.pop()
            else:
                yield from self._met(os.path.join(level.path, name))  # noqa: PTH118

    def _enter(self, path: str, status: os.stat_result) -> Iterator[Refusal]:
        identity = (status.st_dev, status.st_ino)
        if identity == self._store:
            yield Refusal(uri=path, reason="store", detail="is the folder of results", is_trouble=False)
        elif any(level.identity == identity for level in self._levels):
            yield Refusal(
                uri=path, reason="symlink-loop", detail="leads back to where it lies", is_trouble=False
            )
        else:
            try:
                self._levels.append(_Level(path, identity, iter(_names_in(path))))
            except OSError as error:
                yield unreadable(path, error)

    def _met(self, path: str) -> Iterator[Found]:
        if self.is_known(path):
            return
        try:
            status = os.lstat(path)
            if stat.S_ISDIR(status.st_mode):
                yield from self._enter(path, status)
            elif stat.S_ISLNK(status.st_mode):
                yield from self._link(path)
            else:
                yield from looked_at(path, status)
        except OSError as error:
            yield unreadable(path, error)

    # --- links -------------------------------------------------------------------------------------------------

    def _link(self, path: str) -> Iterator[Found]:
        if self.options.links is Links.PASSED_OVER:
            yield Refusal(uri=path, reason="symlink", detail="links are passed over", is_trouble=False)
            return
        try:
            target = os.path.realpath(path, strict=True)
        except OSError as error:
            yield _broken(path, error)
            return
        if self.options.links is Links.INSIDE and not _lies_in(target, self._real_root):
            detail = "leads out of the folder that was named; name the place it leads to, or --follow-symlinks-outside"
            yield Refusal(uri=path, reason="symlink-outside", detail=detail, is_trouble=True)
            return
        yield from self._followed(path, target)

    def _followed(self, path: str, target: str) -> Iterator[Found]:
        status = os.stat(target)  # noqa: PTH116  # ten million paths want no objects
        identity = (status.st_dev, status.st_ino)
        if not stat.S_ISDIR(status.st_mode):
            yield from behind_link(path, target, status)
        elif identity in self._linked:
            detail = "leads where another link has led"
            yield Refusal(uri=path, reason="symlink-again", detail=detail, is_trouble=False)
        else:
            self._linked.add(identity)
            yield from self._enter(path, status)


def _names_in(path: str) -> list[str]:
    with os.scandir(path) as inside:
        return sorted(entry.name for entry in inside)


def _identity_of(path: str | None) -> Identity | None:
    try:
        status = None if path is None else os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return None if status is None else (status.st_dev, status.st_ino)


def _lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _broken(path: str, error: OSError) -> Refusal:
    """ELOOP of a link to itself, or a link to nothing."""
    if isinstance(error, FileNotFoundError):
        return Refusal(uri=path, reason="symlink-broken", detail="leads to nothing", is_trouble=False)
    return Refusal(uri=path, reason="symlink-loop", detail="leads back to where it lies", is_trouble=False)
