"""What was read, what of it was not understood, and what could not be read at all.

Knows captures as files.  Does not know the flows inside.
"""

from typing import Literal

import msgspec

from ctcp_forensics.report.words import CaptureOutcome, Vantage

HASH_TITLES = {"sha256": "SHA-256", "blake3": "BLAKE3"}


def valid_text(text: str) -> str:
    r"""`text` as UTF-8 can carry it: bytes of a file name that are no text become `\udc..` in letters."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a savefile, at a byte offset into its uncompressed content."""

    offset: int | None
    reason: str


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """One interface of a capture; `dropped` is what its own counters admit, null where it has none."""

    index: int
    link_type: int
    name: str = ""
    dropped: int | None = None


class Undecoded(msgspec.Struct, frozen=True, kw_only=True):
    """Frames that were counted and not understood, by reason."""

    reason: str
    frames: int


class Digest(msgspec.Struct, frozen=True):
    """A hash, and what it is called."""

    name: Literal["sha256", "blake3"]
    value: str

    @property
    def title(self) -> str:
        """As people write it."""
        return HASH_TITLES[self.name]

    def __str__(self) -> str:
        return f"{self.title} {self.value}"


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """One savefile that was named on the command line, or found by a sweep.

    `analyze` takes SHA-256, a sweep BLAKE3: of the file as it lies there, and of what is inside where it is compressed.
    """

    id: str
    source: str
    sha256: str | None = None
    content_sha256: str | None = None
    blake3: str | None = None
    content_blake3: str | None = None
    vantage: Vantage = "unknown"
    format: str | None = None
    compression: str | None = None
    size: int | None = None
    """Bytes as it lies there, compressed or not; null for a pipe."""
    frames: int = 0
    tcp_segments: int = 0
    first_ns: int | None = None
    """Earliest time of a frame; null where none has one…"""
    last_ns: int | None = None
    """…and the latest."""
    outcome: CaptureOutcome
    """`partial`: damage stopped the reading, or TCP may be inside frames that nobody could decode."""
    damage: tuple[Damage, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    undecoded: tuple[Undecoded, ...] = ()
    comments: int = 0
    """How many it holds of its own: their text is not repeated here."""
    notes: tuple[str, ...] = ()
    """What is odd about it and no damage, such as a clock that runs backwards."""

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "source", valid_text(self.source))

    @property
    def digest(self) -> Digest | None:
        """Of the file, whichever was taken."""
        return digest_of(self.sha256, self.blake3)

    @property
    def content_digest(self) -> Digest | None:
        return digest_of(self.content_sha256, self.content_blake3)


def digest_of(sha256: str | None, blake3: str | None) -> Digest | None:
    if sha256 is not None:
        return Digest("sha256", sha256)
    return None if blake3 is None else Digest("blake3", blake3)


class Cap(msgspec.Struct, frozen=True, kw_only=True):
    """A stated limit that was reached, and where: what lies beyond it is not in the report."""

    cap: str
    limit: int
    reached_by: str


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """A source that was named and could not be read at all."""

    source: str
    reason: str
    offset: int | None = None

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "source", valid_text(self.source))
        msgspec.structs.force_setattr(self, "reason", valid_text(self.reason))


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How much of what was named has been looked at."""

    captures: int
    complete: int = 0
    partial: int = 0
    rejected: int = 0
    frames: int = 0
    tcp_segments: int = 0
    flows_seen: int = 0
    """In every capture: one connection that two captures show is seen twice, and judged once."""
    flows_judged: int = 0
    undecoded: tuple[Undecoded, ...] = ()
    caps: tuple[Cap, ...] = ()
    failed: tuple[Failed, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Every source was read to its end and no limit was reached.

        A capture with frames that nobody could decode is partial: TCP may be inside them.
        """
        return not (self.partial or self.rejected or self.caps or self.failed)
