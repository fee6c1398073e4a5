"""Errors: what cannot go on, said in one line.

Knows the source, the byte offset and the reason.  Damage to a savefile that can
still be read up to there is not an error but a value: see savefile.
"""

from __future__ import annotations


class CtcpError(Exception):
    """Anything that ctcp-diag tells its user instead of a traceback."""


class CaptureError(CtcpError):
    """A capture that cannot be read, or not beyond `offset`."""

    def __init__(self, source: str, *, offset: int | None, reason: str) -> None:
        super().__init__(source, offset, reason)
        self.source = source
        self.offset = offset
        self.reason = reason

    def __str__(self) -> str:
        where = None if self.offset is None else f"byte {self.offset}"
        return ": ".join(part for part in (self.source or None, where, self.reason) if part is not None)

    def __reduce__(self) -> tuple[object, ...]:
        return (_restore, (type(self), self.source, self.offset, self.reason))


class ContainerDamageError(CaptureError):
    """What is wrong lies in the container: as long as that is the same, nobody reads any further."""


def _restore(kind: type[CaptureError], source: str, offset: int | None, reason: str) -> CaptureError:
    """Exceptions travel between processes by their positional arguments; ours are keywords."""
    return kind(source, offset=offset, reason=reason)
