"""What the words of `scan` mean: places, parts and sizes.

Knows how they are written.  Does not know what they are for.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

from ctcp_forensics.archive.find import Links, names_in
from ctcp_forensics.archive.shard import Shard
from ctcp_forensics.cli.ends import Refused
from ctcp_forensics.cli.output import STANDARD_OUTPUT
from ctcp_forensics.errors import CtcpError
from ctcp_forensics.reading import CTCP_PORT

__all__ = ["CTCP_PORT", "links_of", "places_of", "shard_of", "size_of"]

UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
NO_PLACE: Final = "no place is named. Give a folder, such as /cases, or --files-from with a list of names."


def places_of(named: Sequence[str], files_from: str | None, *, is_null: bool) -> Iterator[str]:
    """Those on the command line, then those of the list, as it is read."""
    if not named and files_from is None:
        raise Refused(NO_PLACE)
    return chain(named, () if files_from is None else _listed(files_from, b"\0" if is_null else b"\n"))


def _listed(files_from: str, end: bytes) -> Iterator[str]:
    """The list is opened before a store is made for what stands in it."""
    with _told_of(files_from):
        file = _opened(files_from)
    return _names(file, files_from, end)


def _opened(files_from: str) -> AbstractContextManager[BinaryIO]:
    if files_from == STANDARD_OUTPUT:  # the hyphen means standard input here, which stays open
        return nullcontext(sys.stdin.buffer)
    return Path(files_from).open("rb")


def _names(file: AbstractContextManager[BinaryIO], files_from: str, end: bytes) -> Iterator[str]:
    with _told_of(files_from), file as opened:
        yield from names_in(opened, end)


@contextmanager
def _told_of(files_from: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Refused(f"cannot read the list {files_from}: {error.strerror}") from error
    except CtcpError as error:
        raise Refused(str(error)) from error


def links_of(*, follows: bool, follows_outside: bool) -> Links:
    """The wider wish has the narrower one in it."""
    if follows_outside:
        return Links.ANYWHERE
    return Links.INSIDE if follows else Links.PASSED_OVER


def shard_of(text: str | None) -> Shard | None:
    """`3/16`."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)/(\d+)", text, re.ASCII)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise Refused(f"--shard {text}: is not like 3/16, the third of sixteen parts")
    return Shard(number=int(found[1]), of=int(found[2]))


def size_of(text: str) -> int | None:
    """`512M`; None for 0, which is no limit."""
    found = re.fullmatch(r"(\d+)([KMGT]?)", text.upper(), re.ASCII)
    if found is None:
        raise Refused(f"{text}: is no size such as 512M or 2G")
    return int(found[1]) * UNITS[found[2]] or None
