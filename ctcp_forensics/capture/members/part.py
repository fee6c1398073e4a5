"""Part: one member as its container tells of it, before anything of it was read.

Knows what zip and tar have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from ctcp_forensics.capture.members.limits import ContainerError


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One member.  Its `pieces` are to be had until the next part is asked for."""

    name: str
    size: int
    """Bytes as stored, as the container tells."""
    length: int
    """Bytes of the member, as the container tells."""
    stamp: str
    """Its place and, where there is one, its checksum."""
    pieces: Callable[[], Iterator[bytes]]
    refusal: ContainerError | None = None
    """Why it cannot be read."""
