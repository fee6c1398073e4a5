"""Pictures: the decisive seconds of a flow, in columns.

Knows how they are stored.  What a column means is said in `trace`; which seconds are decisive, in `picture`.
"""

from typing import Annotated

import msgspec

from ctcp_forensics.report.words import DirectionWord

Column = Annotated[
    str, msgspec.Meta(description="integers with a space between, one for each segment or SACK block")
]


class PictureHole(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that are missing at one place: from when that showed until they came; null: never."""

    direction: DirectionWord
    left: int
    right: int
    from_ns: int
    to_ns: int | None


class PicturePlace(msgspec.Struct, frozen=True, kw_only=True):
    """The decisive seconds as one place shows them, in columns; what each means is said in `trace.Columns`.

    Positions count from the ISN, the SYN being 0, or from the lowest number where that was not seen.
    """

    place: str
    captures: tuple[str, ...]
    clock_error_ns: int | None
    """Half the width of the interval in which its clock lies; 0 for the reference, null: not aligned."""
    base_seq: tuple[int, ...]
    """Raw sequence number of position 0, towards the headend and back."""
    keeps_step: tuple[bool, ...] = (True, True)
    """False: a box on the path made that direction anew, and its positions are this place's own."""
    at_ns: Column
    """Since the picture's `from_ns`."""
    frame: Column
    capture: Column
    direction: Column
    """0 towards the headend, 1 back."""
    pos: Column
    length: Column
    ack: Column
    window: Column
    marks: Column
    sack_row: Column
    sack_left: Column
    sack_right: Column
    holes: tuple[PictureHole, ...] = ()
    left_out: int = 0
    """Segments of these seconds that were left out, the ordinary ones first."""


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """The decisive seconds of one flow, at every place, on one clock: enough to draw them without the captures."""

    flow: str
    direction: DirectionWord
    """Whose bytes are drawn."""
    from_ns: int
    to_ns: int
    moment_ns: int
    """What these seconds were chosen for…"""
    moment: str
    """…in words."""
    follows: str
    """What the flow did behind them; empty where it ends with them."""
    places: tuple[PicturePlace, ...]
