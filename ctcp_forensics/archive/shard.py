"""Shards: which part of an archive one of several runs looks at.

Told by the name alone, so that runs that know nothing of each other share the work.  Members of one archive stay
together.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import msgspec

from ctcp_forensics.archive.entry import Trail
from ctcp_forensics.archive.planner import container


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """Part `number` of `of`, from 1."""

    number: int
    of: int

    def holds(self, uri: str) -> bool:
        import hashlib  # of most sweeps there are no shards, and OpenSSL takes longer to load than the rest of this

        name = os.fsencode(container(uri) or uri)
        return int.from_bytes(hashlib.sha256(name).digest()[:8]) % self.of == self.number - 1


def parts_of(trails: Iterable[Trail], shard: Shard) -> Iterator[Trail]:
    for trail in trails:
        yield Trail(found=(one for one in trail.found if shard.holds(one.uri)), is_far=trail.is_far)
