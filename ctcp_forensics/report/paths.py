"""Paths: captures of one way read as one case, their clocks, and what became of the segments between them.

Places are counted from the client to the headend, from 0.  Does not know how they were put in order: see vantage.
"""

import msgspec

from ctcp_forensics.report.words import DirectionWord, Location, Nature, Pattern, Vantage


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A vantage point of a path: the captures taken there, and which side of the firewall it is.

    `captures` are several where a capture was rotated.  `interface` is set where one savefile holds several
    vantage points.  `is_sure` is false where the order of two neighbours is a guess.
    """

    captures: tuple[str, ...]
    interface: int | None = None
    vantage: Vantage
    is_told: bool
    """By the user; false where it was inferred."""
    is_sure: bool
    because: str


class ClockPiece(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch between two resets in which one clock runs evenly against the other.

    This clock's time less the reference's lies within the offsets at `at_ns` of the reference; the offset drifts
    by `skew_ppm` microseconds a second.  Frames are those of the place's captures.
    """

    from_frame: int
    to_frame: int
    from_capture: str | None = None
    """That of `from_frame`…"""
    to_capture: str | None = None
    """…and of `to_frame`: the place may have several captures.  Null: the report does not say."""
    at_ns: int
    from_ns: int | None = None
    to_ns: int | None = None
    """The stretch, by the reference's clock."""
    offset_low_ns: int | None
    """Null: no segment went that way, so causality sets no bound."""
    offset_high_ns: int | None
    skew_ppm: float | None = None
    """Null: not known to 5 ppm."""
    skew_low_ppm: float | None = None
    """Null: fewer than 20 matches, or less than a minute."""
    skew_high_ppm: float | None = None
    matches: int


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """The clock of one place against that of another, by the segments that passed both."""

    place: int
    """Counted along the path, from 0."""
    reference: int
    is_shared: bool
    """Both were taken on one box, and nothing contradicts that."""
    pieces: tuple[ClockPiece, ...] = ()
    because: str = ""


class Crossing(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the data segments of one direction between two neighbouring places.

    Only segments that both captures were there for are counted; `beyond` are the others.  A segment is `lost`
    where the capture behind is known to have missed nothing; `undecided` where it may have missed it.
    """

    flow: str
    direction: DirectionWord
    sent_from: int | None
    """The place nearer to the sender, counted along the path from 0; null: the sender, whose numbers have no gaps."""
    towards: int
    location: Location
    arrived: int
    altered: int
    lost: int
    injected: int
    """Made in between."""
    not_captured_before: int
    """They passed the place nearer to the sender, and its capture does not hold them."""
    not_captured_behind: int
    undecided: int
    withheld: int
    """Nothing came through any more: they lie behind the last byte that arrived, though the capture behind went on."""
    damaged: int = 0  # reports from before this name was added are read as well
    """They came to the place nearer to the sender with a wrong checksum, and were thrown away behind it."""
    beyond: int
    loss_rate: float | None
    loss_rate_low: float | None
    """With `loss_rate_high`: Wilson's 95 % interval."""
    loss_rate_high: float | None
    pattern: Pattern | None
    depends_on_size: bool | None
    """Every lost segment is larger than every one that arrived; null where fewer than three were lost."""
    smallest_lost_len: int | None
    largest_arrived_len: int | None
    lost_frames: tuple[int, ...] = ()
    """The first of them, in the captures of `sent_from`…"""
    lost_in: tuple[str, ...] = ()
    """…and the capture of each."""


class Firewall(msgspec.Struct, frozen=True, kw_only=True):
    """What lies between two neighbouring places, by what it does to what passes."""

    sent_from: int
    """The place nearer to the client, counted along the path from 0."""
    towards: int
    nature: Nature
    because: str
    step_to_headend: int | None = None
    """How much larger sequence numbers are behind it than before it, modulo 2^32; null: they keep no step."""
    step_to_client: int | None = None
    """0 in both directions: nothing there randomises them, as with tcp-state-bypass."""


class Path(msgspec.Struct, frozen=True, kw_only=True):
    """Captures of one path, in order from client to headend, read as one case."""

    places: tuple[Place, ...]
    clocks: tuple[Clock, ...] = ()
    crossings: tuple[Crossing, ...] = ()
    firewalls: tuple[Firewall, ...] = ()
    notes: tuple[str, ...] = ()
