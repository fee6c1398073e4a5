"""Wording: what is wrong with a savefile, as a sentence that names the frame or the block.

Knows words for what the walk stops at.  Holds no bytes and no offset: see reader.
"""

from __future__ import annotations

from typing import Final

from ctcp_forensics._kernel.caps import MAX_CAPTURED_LEN
from ctcp_forensics._kernel.layouts import (
    ENHANCED_PACKET,
    INTERFACE_DESCRIPTION,
    INTERFACE_STATISTICS,
    LONGEST_BLOCK,
    PACKET,
    SIMPLE_PACKET,
    Stop,
)

BLOCK_NAMES: Final = {
    INTERFACE_DESCRIPTION: "interface description block",
    PACKET: "packet block",
    SIMPLE_PACKET: "simple packet block",
    INTERFACE_STATISTICS: "interface statistics block",
    ENHANCED_PACKET: "enhanced packet block",
}
PACKET_KINDS: Final = (PACKET, SIMPLE_PACKET, ENHANCED_PACKET)


def block_name(kind: int) -> str:
    return BLOCK_NAMES.get(kind, f"block of type {kind:#x}")


def lengths_differ(name: str, at_start: int, at_end: int) -> str:
    return f"{name} claims {at_start} bytes at its start and {at_end} at its end"


def no_interface(name: str, identifier: int) -> str:
    return f"{name} names interface {identifier}, which its section has not described"


def frame_too_long(frame: str, captured_len: int) -> str:
    return f"{frame} claims {captured_len} captured bytes; more than {MAX_CAPTURED_LEN} are not believed"


def cut_block(kind: int, frame: str) -> str:
    """What the last bytes are the beginning of, by the type of a block; the block of a packet is its frame."""
    if kind in PACKET_KINDS:
        return frame
    return f"{'an' if kind in BLOCK_NAMES else 'a'} {block_name(kind)}"


def spoilt_block(stop: int, value: int, kind: int, length: int, frame: str) -> str:
    """What a walk stopped at, with the value that it gave; `length` is what the block claims to have."""
    name = block_name(kind)
    match stop:
        case Stop.BLOCK_TOO_SHORT:
            return f"{name} claims {value} bytes, too few for its own fields"
        case Stop.BLOCK_TOO_LONG:
            return f"{name} claims {value} bytes; more than {LONGEST_BLOCK} are not believed"
        case Stop.TRAILER_DIFFERS:
            return lengths_differ(name, length, value)
        case Stop.NO_SUCH_INTERFACE:
            return no_interface(frame, value)
        case _:
            return f"{frame} claims {value} captured bytes, more than its {name} of {length} bytes holds"
